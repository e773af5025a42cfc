"""What the connections of an account have in common."""

from dataclasses import dataclass

from .auth.login_limiter import Logins
from .listener import Listener
from .models import Account, WatchOptions
from .statistics import Statistics
from .wire.pipelining import Pipelining


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the connections of an account have in common."""

    account: Account
    options: WatchOptions
    listener: Listener
    logins: Logins
    pipelining: Pipelining
    statistics: Statistics
