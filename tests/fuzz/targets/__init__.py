"""The fuzz targets."""

from typing import Final

from . import account, discovery, filename, filter, message, receive

TARGETS: Final = {
    module.TARGET.name: module.TARGET
    for module in (receive, message, discovery, filename, filter, account)
}
