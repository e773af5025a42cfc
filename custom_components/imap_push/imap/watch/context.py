"""What the connections of an account have in common."""

from dataclasses import dataclass

from ..auth.login_limiter import LoginLimiter
from ..models import Account, WatchOptions
from ..wire.pipelining import Pipelining
from .listener import Listener
from .statistics import Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the connections of an account have in common."""

    account: Account
    options: WatchOptions
    listener: Listener
    logins: LoginLimiter
    pipelining: Pipelining
    statistics: Statistics
