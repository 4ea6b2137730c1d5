"""The mining process of an Antminer as its socket shows it, and the work mode that explains a silent one."""

import asyncio

import msgspec

from agent.site.devices.reading import Evidence, MinerReading
from agent.site.drivers.miners.antminer.conf import stored_mode
from agent.site.drivers.miners.antminer.decode import put_stats, put_summary
from agent.site.drivers.miners.antminer.web import AntminerWeb
from agent.site.drivers.miners.profile import MinerProfile
from agent.site.drivers.miners.reply import Row, document, evidence, rows
from agent.site.drivers.miners.sheet import Sheet, miner_sheet
from agent.site.drivers.miners.state import Activity, Signs, UnitCheck, op_state
from agent.site.transports.cgminer import CgminerTransport
from shared.errors import DeviceError, ProtocolViolation, Unreachable
from shared.states import OpState

_SUMMARY, _STATS, _BOTH = (b'{"command":"%s"}' % name for name in (b"summary", b"stats", b"summary+stats"))
_MODE_AGE_S = 30.0


class Observation(msgspec.Struct, frozen=True):
    """`stats` is the reply itself, None without a process. `gone_s`: for how long the socket has been closed while the
    web interface answered; None while it is open.
    """

    sheet: Sheet
    activity: Activity
    state: OpState
    stats: Row | None = None
    evidence: tuple[Evidence, ...] = ()
    faults: tuple[str, ...] = ()
    mode: int | None = None
    gone_s: float | None = None


class MiningProcess:
    def __init__(self, socket: CgminerTransport, web: AntminerWeb, profile: MinerProfile) -> None:
        self._socket = socket
        self._web = web
        self._profile = profile
        self._units = UnitCheck(profile.starting_grace_s)
        self._joins: bool | None = None  # does this firmware answer joined commands? None until it was asked
        self._gone_since_s: float | None = None
        self._mode: int | None = None
        self._mode_read_s: float | None = None
        self._uptime_s = 0.0

    async def observe(self, *, ask_mode: bool = False) -> Observation:
        """Rate over seconds, counters, heat; the stored mode, where asked or where the rate does not explain itself."""
        try:
            summary, stats, sent = await self._replies()
        except Unreachable as error:
            return await self._without_process(error)
        self._gone_since_s = None
        sheet = miner_sheet()
        put_summary(sheet, summary)
        put_stats(sheet, stats)
        activity = self._units.judge(sheet)
        self._notice_restart(sheet.value("mining_uptime_s"))
        mode = self._mode
        if ask_mode or (activity is not Activity.HASHING and not self._knows_mode()):
            mode = await self._read_mode()
        asleep = None if mode is None else mode == self._profile.mode["sleep"]
        state = op_state(activity, sheet, Signs(asleep=asleep), self._profile.starting_grace_s)
        return Observation(sheet, activity, state, stats, sent, mode=mode)

    def told(self, mode: int | None) -> None:
        """A configuration was read; None forgets what was known, as after a write."""
        self._mode = mode
        self._mode_read_s = None if mode is None else _now_s()

    async def pools(self) -> Row:
        """Socket `pools`: what the running process mines for."""
        return document(await self._socket.ask(b'{"command":"pools"}'), "pools")

    async def _replies(self) -> tuple[Row, Row, tuple[Evidence, ...]]:
        if self._joins is not False:
            joined = await self._joined()
            if joined is not None:
                return joined
        summary_raw = await self._socket.ask(_SUMMARY)
        stats_raw = await self._socket.ask(_STATS)
        summary, stats = document(summary_raw, "summary"), document(stats_raw, "stats")
        return summary, stats, (evidence("summary", summary_raw), evidence("stats", stats_raw))

    async def _joined(self) -> tuple[Row, Row, tuple[Evidence, ...]] | None:
        """One connection for both, where the firmware allows it; many builds since 2020 refuse."""
        try:
            raw = await self._socket.ask(_BOTH)
            reply = document(raw, "summary+stats")
        except (Unreachable, ProtocolViolation):
            if self._joins:
                raise
            return None  # no answer at all may be a refusal too: the single commands will tell
        summary, stats = rows(reply, "summary"), rows(reply, "stats")
        self._joins = bool(summary and stats)
        return (summary[0], stats[0], (evidence("summary+stats", raw),)) if self._joins else None

    async def _without_process(self, error: Unreachable) -> Observation:
        """Refused, or closed without a word: where the web interface answers, the process is dead, restarts or sleeps.

        Where that does not answer either, the machine is away.
        """
        mode = await self._read_mode()
        if mode is None:
            self._gone_since_s = None
            raise error
        now_s = _now_s()
        if self._gone_since_s is None:
            self._gone_since_s = now_s
        asleep = mode == self._profile.mode["sleep"]
        return Observation(
            sheet=miner_sheet(),
            activity=Activity.UNCLEAR,
            state=OpState.SLEEPING if asleep else OpState.UNKNOWN,
            faults=() if asleep else (f"mining process: {error.detail}",),
            mode=mode,
            gone_s=now_s - self._gone_since_s,
        )

    def _knows_mode(self) -> bool:
        return self._mode_read_s is not None and _now_s() - self._mode_read_s < _MODE_AGE_S

    async def _read_mode(self) -> int | None:
        try:
            mode = stored_mode(await self._web.read("get_miner_conf"))
        except DeviceError:
            mode = None
        self.told(mode)
        return mode

    def _notice_restart(self, uptime_s: float | None) -> None:
        """Each change of mode restarts the process, so a mode that was read before a restart says nothing."""
        if uptime_s is not None:
            if uptime_s < self._uptime_s:
                self.told(None)
            self._uptime_s = uptime_s


def reading(seen: Observation, profile: MinerProfile, *, faults: tuple[str, ...] = (), **other: object) -> MinerReading:
    """The observation as a reading; stock firmware reports no watts, so that power stays absent."""
    names = {number: name for name, number in profile.mode.items()}
    return seen.sheet.miner(
        op_state=seen.state,
        power_mode=None if seen.mode is None else names.get(seen.mode),
        evidence=seen.evidence,
        faults=seen.faults + faults,
        **other,
    )


def _now_s() -> float:
    return asyncio.get_running_loop().time()
