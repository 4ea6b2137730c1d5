"""The driver of Whatsminers with API version 1 or 2."""

import asyncio

from agent.site.devices.ports import Acknowledgement, ReadBack
from agent.site.devices.reading import BoardReading, DeviceIdentity, Evidence, MinerReading
from agent.site.drivers.miners.credential import Credentials
from agent.site.drivers.miners.effect import Before, unseen
from agent.site.drivers.miners.field import mac, text
from agent.site.drivers.miners.identity import Identity
from agent.site.drivers.miners.link import Ports, uses_default_login
from agent.site.drivers.miners.profile import MinerProfile
from agent.site.drivers.miners.reply import Row, rows
from agent.site.drivers.miners.whatsminer.decode import boards, faults, message, pools, summary_faults
from agent.site.drivers.miners.whatsminer.machine import WhatsminerMachine, reading
from agent.site.drivers.miners.whatsminer.order import WhatsminerOrders
from agent.site.drivers.miners.whatsminer.proof import WhatsminerProof
from agent.site.drivers.miners.whatsminer.session import WriteSession
from agent.site.transports.cgminer import CgminerTransport
from shared.actions import Action, Locate, SetPools
from shared.errors import AuthFailed, DeviceError, IdentityChanged, IncompleteRead, Unsupported
from shared.states import DeviceKind


class WhatsminerV2:
    """Reads need no login; without one nothing can be ordered."""

    family = "whatsminer-v2"

    def __init__(
        self, address: str, ports: Ports, credentials: Credentials | None, profile: MinerProfile, mac: str = ""
    ) -> None:
        self.profile = profile
        self._credentials = credentials
        socket = CgminerTransport(address, ports(4028))
        self._machine = WhatsminerMachine(socket, profile)
        self._proof = WhatsminerProof(self._machine, profile)
        self._orders = (
            None if credentials is None else WhatsminerOrders(WriteSession(socket, credentials.password), self._machine)
        )
        self._identity = Identity(address, mac)
        self._version: str | None = None

    @property
    def verbs(self) -> frozenset[str]:
        """All of the family until the firmware is known; nothing without a login."""
        if self._orders is None or (self._version is not None and not self._writable):
            return frozenset()
        return self.profile.verbs

    @property
    def _writable(self) -> bool:
        firmware = self.profile.firmware_of(self._version or "")
        return firmware is not None and firmware.writable

    async def identify(self) -> DeviceIdentity:
        self._version = await self._machine.firmware()
        info = message((await self._machine.read("get_miner_info"))[0])
        details = next(iter(rows((await self._machine.read("devdetails"))[0], "DEVDETAILS")), {})
        return DeviceIdentity(
            kind=DeviceKind.MINER,
            family=self.family,
            vendor=self.profile.vendor,
            model=text(details, "Model"),
            firmware=self._version,
            mac=mac(info, "mac") or await self._machine.mac(),
            serial=text(info, "minersn"),
            hostname=text(info, "hostname"),
        )

    async def read_hot(self) -> MinerReading:
        return reading(await self._machine.observe())

    async def read_full(self) -> MinerReading:
        """A secondary read that fails leaves its fields absent; `faults` says why."""
        seen = await self._machine.observe()
        sent: list[Evidence] = list(seen.evidence)
        found: list[str] = list(summary_faults(seen.summary))
        device_boards: tuple[BoardReading, ...] = ()
        pool_urls: tuple[str, ...] | None = None
        if (reply := await self._secondary("devs", sent, found)) is not None:
            device_boards = boards(reply)
            hashing = sum(1 for board in device_boards if board.hashrate_ths)
            seen.sheet.put("boards_hashing", hashing if device_boards else None)
        if (reply := await self._secondary("pools", sent, found)) is not None:
            pool_urls = tuple(url for url, _ in pools(reply))
        if (reply := await self._secondary("get_error_code", sent, found)) is not None:
            found += faults(reply)
        if uses_default_login(self._credentials, self.profile):
            found.append("login.default: the vendor's default password is set here")
        return reading(seen, boards=device_boards, pools=pool_urls, faults=tuple(found), evidence=tuple(sent))

    async def prepare(self, action: Action) -> Before | None:
        if isinstance(action, Locate | SetPools):
            return None
        return Before(asyncio.get_running_loop().time(), await self.read_hot())

    async def apply(self, action: Action) -> Acknowledgement:
        if self._orders is None:
            raise AuthFailed("this Whatsminer has no login in the site's settings, so nothing can be ordered")
        try:
            found_mac = await self._machine.mac()
            self._version = await self._machine.firmware()  # an upgrade may have come since
        except DeviceError as error:
            raise IncompleteRead(f"the device does not tell who it is, so nothing was written: {error}") from error
        self._identity.meet(found_mac)
        if not self._writable:
            raise Unsupported(f"firmware {self._version!r} is described by no profile and is only read")
        return await self._orders.carry_out(action)

    async def read_back(self, action: Action, before: object) -> ReadBack:
        """`IdentityChanged` where another machine has taken the address; otherwise always an answer."""
        try:
            self._identity.meet(await self._machine.mac())
        except IdentityChanged:
            raise
        except DeviceError as error:
            return unseen(error.detail)
        return await self._proof.of(action, before)

    async def aclose(self) -> None:
        """Nothing stays open between requests."""

    async def _secondary(self, command: str, sent: list[Evidence], failed: list[str]) -> Row | None:
        try:
            reply, raw = await self._machine.read(command)
        except DeviceError as error:
            failed.append(f"{command}: {error}")
            return None
        sent.append(raw)
        return reply
