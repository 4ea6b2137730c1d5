"""The driver of Bitmain's own firmware."""

import asyncio

from agent.site.devices.ports import Acknowledgement, ReadBack
from agent.site.devices.reading import DeviceIdentity, MinerReading
from agent.site.drivers.miners.antminer.conf import stored_mode
from agent.site.drivers.miners.antminer.decode import boards, pool_urls, web_faults
from agent.site.drivers.miners.antminer.order import AntminerOrders
from agent.site.drivers.miners.antminer.process import MiningProcess, reading
from agent.site.drivers.miners.antminer.proof import AntminerProof
from agent.site.drivers.miners.antminer.web import AntminerWeb
from agent.site.drivers.miners.credential import Credentials
from agent.site.drivers.miners.effect import Before, unseen
from agent.site.drivers.miners.field import mac, text
from agent.site.drivers.miners.identity import Identity
from agent.site.drivers.miners.lesson import Lessons
from agent.site.drivers.miners.link import Ports, uses_default_login
from agent.site.drivers.miners.profile import MinerProfile
from agent.site.transports.cgminer import CgminerTransport
from agent.site.transports.http import DigestAuth, HttpTransport
from shared.actions import Action, Locate
from shared.errors import AuthFailed, DeviceError, IdentityChanged, IncompleteRead, Unsupported
from shared.states import DeviceKind


class AntminerStock:
    """Rates and heat come from the socket, configuration, pools and faults from the web interface.

    Without a login only the socket is read, and nothing can be ordered.
    """

    family = "antminer-stock"

    def __init__(
        self,
        address: str,
        ports: Ports,
        credentials: Credentials | None,
        profile: MinerProfile,
        mac: str = "",
        *,
        lessons: Lessons,
    ) -> None:
        self.profile = profile
        self._credentials = credentials
        auth = None if credentials is None else DigestAuth(credentials.user, credentials.password)
        self._web = AntminerWeb(HttpTransport(address, ports(80), auth=auth))
        self._process = MiningProcess(CgminerTransport(address, ports(4028)), self._web, profile)
        self._orders = AntminerOrders(self._web, self._process, profile, lessons, mac)
        self._proof = AntminerProof(self._web, self._process, profile)
        self._identity = Identity(address, mac)
        self._version: str | None = None

    @property
    def verbs(self) -> frozenset[str]:
        firmware = self.profile.firmware_of(self._version or "")
        if self._credentials is None or (self._version is not None and (firmware is None or not firmware.writable)):
            return frozenset()
        return self.profile.verbs

    async def identify(self) -> DeviceIdentity:
        system = await self._web.read("get_system_info")
        found = DeviceIdentity(
            kind=DeviceKind.MINER,
            family=self.family,
            vendor=self.profile.vendor,
            model=text(system, "minertype"),
            firmware=text(system, "system_filesystem_version"),
            mac=mac(system, "macaddr"),
            serial=text(system, "serinum"),
            hostname=text(system, "hostname"),
        )
        self._version = found.firmware
        return found

    async def read_hot(self) -> MinerReading:
        return reading(await self._process.observe(), self.profile)

    async def read_full(self) -> MinerReading:
        """Where the web interface does not answer, its fields are absent and `faults` says why."""
        pools: tuple[str, ...] | None = None
        faults: tuple[str, ...] = ()
        found_mac = ""
        try:
            configuration = await self._web.read("get_miner_conf")
            self._process.told(stored_mode(configuration))
            pools = pool_urls(configuration, "pools", "url")
            found_mac = (await self.identify()).mac
            faults = web_faults(await self._web.read("summary"))
        except DeviceError as error:
            faults = (f"web interface: {error}",)
        if uses_default_login(self._credentials, self.profile) and found_mac:
            faults += ("login.default: the vendor's default password is in use",)
        seen = await self._process.observe()
        found_boards = () if seen.stats is None else boards(seen.stats)
        return reading(seen, self.profile, mac=found_mac or None, pools=pools, faults=faults, boards=found_boards)

    async def prepare(self, action: Action) -> Before | None:
        if isinstance(action, Locate):
            return None
        return Before(asyncio.get_running_loop().time(), await self.read_hot())

    async def apply(self, action: Action) -> Acknowledgement:
        if self._credentials is None:
            raise AuthFailed("this Antminer has no login in the site's settings, so nothing can be ordered")
        await self._meet()
        firmware = self.profile.firmware_of(self._version or "")
        if firmware is None or not firmware.writable:
            raise Unsupported(f"firmware {self._version!r} is described by no profile and is only read")
        return await self._orders.carry_out(action, self._version or "", firmware.mode_keys)

    async def read_back(self, action: Action, before: object) -> ReadBack:
        """`IdentityChanged` where another machine has taken the address; otherwise always an answer."""
        try:
            self._identity.meet(await self._web.mac())
        except IdentityChanged:
            raise
        except DeviceError as error:
            return unseen(error.detail)
        return await self._proof.of(action, before)

    async def aclose(self) -> None:
        await self._web.aclose()

    async def _meet(self) -> None:
        """Make sure of the MAC and learn the firmware, right before a write."""
        try:
            found = await self.identify()
        except AuthFailed:
            raise
        except DeviceError as error:
            raise IncompleteRead(f"the device does not tell its MAC, so nothing was written: {error}") from error
        self._identity.meet(found.mac)
