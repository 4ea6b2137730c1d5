"""How a driver reaches its miner: the port that stands for a standard one, and the login."""

from collections.abc import Callable

from agent.site.drivers.miners.credential import Credentials
from agent.site.drivers.miners.profile import MinerProfile

Ports = Callable[[int], int]
"""From a protocol's standard port to the one in use here, which differs behind address translation."""


def standard(port: int) -> int:
    return port


def uses_default_login(credentials: Credentials | None, profile: MinerProfile) -> bool:
    default = profile.default_login
    return (
        credentials is not None
        and default is not None
        and (credentials.user, credentials.password) == (default.user, default.password)
    )
