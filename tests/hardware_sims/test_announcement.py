import asyncio

from zeroconf import IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from hardware_sims.announcement import SERVICE, Announced, announcing


async def test_devices_are_found_by_browsing():
    found: asyncio.Queue[str] = asyncio.Queue()

    def heard(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Added:
            found.put_nowait(name)

    device = Announced("shellypro4pm-02b5ff0000aa", "127.16.0.9", 10_080, {"gen": "2", "app": "Pro4PM"})
    async with announcing([device]):
        listener = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
        browser = AsyncServiceBrowser(listener.zeroconf, [SERVICE], handlers=[heard])
        try:
            name = f"{device.device_id}.{SERVICE}"
            async with asyncio.timeout(10):
                while await found.get() != name:
                    continue
            info = AsyncServiceInfo(SERVICE, name)
            assert await info.async_request(listener.zeroconf, 3_000)
            assert info.parsed_addresses() == ["127.16.0.9"]
            assert info.port == 10_080
            assert info.properties[b"app"] == b"Pro4PM"
        finally:
            await browser.async_cancel()
            await listener.async_close()


async def test_nothing_is_opened_without_devices():
    async with announcing([]):
        pass
