"""What the power door needs of the fleet and of the broker."""

from typing import Protocol

from controller.fleet.model import Device
from shared.site import Site


class Directory(Protocol):
    """Who is there, from memory; `controller.fleet.FleetService` is one."""

    def site(self, site: str) -> Site | None: ...

    def device(self, site: str, device_id: str) -> Device | None: ...


class CommandPublisher(Protocol):
    """Hands sealed bytes to the broker: done when the broker has taken them over, GatewayUnavailable otherwise."""

    async def publish_command(self, site: str, node: str, sealed: bytes) -> None: ...

    async def publish_plan(self, site: str, node: str, sealed: bytes) -> None: ...
