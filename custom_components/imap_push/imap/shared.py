"""What the connections of an account have in common."""

from dataclasses import dataclass

from .listener import Listener
from .logins import Logins
from .models import Account, WatchOptions
from .pipelining import Pipelining
from .statistics import Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the connections of an account have in common."""

    account: Account
    options: WatchOptions
    listener: Listener
    logins: Logins
    pipelining: Pipelining
    statistics: Statistics
