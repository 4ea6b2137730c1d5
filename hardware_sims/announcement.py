"""Announce Shelly devices by mDNS on the loopback interface, as real ones do on their network."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from zeroconf import IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

SERVICE = "_shelly._tcp.local."


@dataclass(frozen=True, slots=True)
class Announced:
    """One device; `device_id` is its mDNS name."""

    device_id: str
    address: str
    port: int
    properties: dict[str, str]


@asynccontextmanager
async def announcing(devices: Sequence[Announced]) -> AsyncIterator[None]:
    """Keep them announced inside the block; nothing is opened where there are none."""
    if not devices:
        yield
        return
    network = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    try:
        # Another simulation on this machine may bear the same names; real devices take another one then, too.
        await asyncio.gather(
            *(network.async_register_service(_service(device), allow_name_change=True) for device in devices)
        )
        yield
    finally:
        await network.async_unregister_all_services()
        await network.async_close()


def _service(device: Announced) -> ServiceInfo:
    return ServiceInfo(
        SERVICE,
        f"{device.device_id}.{SERVICE}",
        addresses=[socket.inet_aton(device.address)],
        port=device.port,
        properties=device.properties,
        server=f"{device.device_id}.local.",
    )
