"""What the connections of an account have in common."""

from dataclasses import dataclass

from ..auth.login_limiter import Logins
from ..models import Account, WatchOptions
from ..wire.pipelining import Pipelining
from .listener import Listener
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
