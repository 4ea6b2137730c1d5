"""The driver of AxeOS."""

import asyncio

import msgspec

from agent.site.devices.ports import Acknowledgement, ReadBack
from agent.site.devices.reading import DeviceIdentity, Evidence, MinerReading
from agent.site.drivers.miners.axeos.decode import board_of, faults, pools, put_info, signs
from agent.site.drivers.miners.credential import Credentials
from agent.site.drivers.miners.effect import Before, judged, not_shown, system_restarted, unseen
from agent.site.drivers.miners.field import count, mac, text
from agent.site.drivers.miners.identity import Identity
from agent.site.drivers.miners.link import Ports
from agent.site.drivers.miners.pool import bare, host_and_port
from agent.site.drivers.miners.profile import MinerProfile
from agent.site.drivers.miners.reply import Row, document, evidence
from agent.site.drivers.miners.sheet import miner_sheet
from agent.site.drivers.miners.state import UnitCheck, op_state
from agent.site.drivers.miners.web import accepted
from agent.site.transports.http import HttpTransport
from shared.actions import Action, Pool, Reboot, Restart, SetPools
from shared.errors import DeviceError, IdentityChanged, IncompleteRead, ProtocolViolation, Rejected, Unsupported
from shared.states import DeviceKind

_INFO = "/api/system/info"


class AxeOs:
    """No login; whoever is outside the device's network range gets `AuthFailed`."""

    family = "axeos"

    def __init__(
        self, address: str, ports: Ports, credentials: Credentials | None, profile: MinerProfile, mac: str = ""
    ) -> None:
        del credentials
        self.profile = profile
        self._http = HttpTransport(address, ports(80))
        self._identity = Identity(address, mac)
        self._units = UnitCheck(profile.starting_grace_s)
        self._version: str | None = None

    @property
    def verbs(self) -> frozenset[str]:
        """All of the family until the firmware is known; nothing where it is described by no profile."""
        return self.profile.verbs if self._version is None or self._writable else frozenset()

    @property
    def _writable(self) -> bool:
        firmware = self.profile.firmware_of(self._version or "")
        return firmware is not None and firmware.writable

    async def identify(self) -> DeviceIdentity:
        info, _ = await self._info()
        self._version = text(info, "version")
        return DeviceIdentity(
            kind=DeviceKind.MINER,
            family=self.family,
            vendor=self.profile.vendor,
            model=" ".join(filter(None, (text(info, "deviceModel"), text(info, "ASICModel")))),
            firmware=self._version,
            mac=mac(info, "macAddr"),
            hostname=text(info, "hostname"),
        )

    async def read_hot(self) -> MinerReading:
        return self._reading(*await self._info(), full=False)

    async def read_full(self) -> MinerReading:
        return self._reading(*await self._info(), full=True)

    async def prepare(self, action: Action) -> Before:
        del action
        return Before(asyncio.get_running_loop().time(), await self.read_hot())

    async def apply(self, action: Action) -> Acknowledgement:
        try:
            info, sent = await self._info()
        except DeviceError as error:
            raise IncompleteRead(f"the settings could not be read, so nothing was written: {error}") from error
        self._identity.meet(mac(info, "macAddr"))
        self._version = text(info, "version")
        if not self._writable:
            raise Unsupported(f"firmware {self._version!r} is described by no profile and is only read")
        match action:
            case SetPools(pools=wanted):
                await self._write("PATCH", "/api/system", _pool_settings(wanted))
                # Pools are read at the start only, so that the setting has no effect before a restart.
                return Acknowledgement("stored; " + await self._write("POST", "/api/system/restart"), (sent,))
            case Restart() | Reboot():
                return Acknowledgement(await self._write("POST", "/api/system/restart"))
        raise Unsupported(f"AxeOS cannot carry out {action.verb}; switch its outlet to stop it")

    async def read_back(self, action: Action, before: object) -> ReadBack:
        """`IdentityChanged` where another device has taken the address; otherwise always an answer."""
        try:
            info, sent = await self._info()
            self._identity.meet(mac(info, "macAddr"))
        except IdentityChanged:
            raise
        except DeviceError as error:
            return unseen(error.detail)
        now = self._reading(info, sent, full=False)
        restarted = system_restarted(before, now, asyncio.get_running_loop().time())
        said = f"up {now.uptime_s} s"
        if isinstance(action, SetPools):
            stored = [(bare(pool.url), pool.user) for pool in pools(info)]
            if stored != [(_address(pool), pool.user) for pool in (action.pools[0], action.pools[-1])]:
                return not_shown("other pools are stored", now)
            said = "pools stored, " + said
        elif not isinstance(action, Restart | Reboot):
            return unseen(f"nothing to compare for {action.verb}")
        return unseen(said) if restarted is None else judged(restarted, said, now)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _info(self) -> tuple[Row, Evidence]:
        raw = accepted(await self._http.request("GET", _INFO), _INFO)
        return document(raw, _INFO), evidence(f"GET {_INFO}", raw)

    async def _write(self, method: str, path: str, body: Row | None = None) -> str:
        """Success may have an empty body; the status says it."""
        raw = b"" if body is None else msgspec.json.encode(body)
        accepted(await self._http.request(method, path, body=raw), path)
        return f"{method} {path} accepted"

    def _reading(self, info: Row, sent: Evidence, *, full: bool) -> MinerReading:
        if count(info, "uptimeSeconds") is None and "hashRate" not in info:
            raise ProtocolViolation(f"{_INFO}: the reply has neither hashRate nor uptimeSeconds")
        sheet = miner_sheet()
        source = put_info(sheet, info)
        activity = self._units.judge(sheet)
        state = op_state(activity, sheet, signs(info), self.profile.starting_grace_s)
        return sheet.miner(
            op_state=state,
            power_source=source,
            mac=mac(info, "macAddr") or None,
            pools=tuple(pool.url for pool in pools(info)) if full else None,
            boards=(board_of(info).board(0),) if full else (),
            faults=faults(info),
            evidence=(sent,),
        )


def _address(pool: Pool) -> str:
    host, port = host_and_port(pool.url)
    return f"{host}:{port}".lower()


def _pool_settings(wanted: tuple[Pool, ...]) -> Row:
    """First pool and fallback; one pool stands in both places, so that none of the replaced list remains."""
    if not 1 <= len(wanted) <= 2:
        raise Rejected(f"AxeOS takes one or two pools, not {len(wanted)}")
    settings: Row = {}
    for prefix, pool in (("s", wanted[0]), ("fallbackS", wanted[-1])):
        host, port = host_and_port(pool.url)
        settings |= {
            f"{prefix}tratumURL": host,
            f"{prefix}tratumPort": port,
            f"{prefix}tratumUser": pool.user,
            f"{prefix}tratumPassword": pool.password,
        }
    return settings
