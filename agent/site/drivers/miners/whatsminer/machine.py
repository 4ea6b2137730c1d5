"""A Whatsminer as its plain reads show it."""

import msgspec

from agent.site.devices.reading import Evidence, MinerReading
from agent.site.drivers.miners.field import flag, mac, text
from agent.site.drivers.miners.profile import MinerProfile
from agent.site.drivers.miners.reply import Row, document, evidence, rows, status
from agent.site.drivers.miners.sheet import Sheet, miner_sheet
from agent.site.drivers.miners.state import Activity, Signs, UnitCheck, op_state
from agent.site.drivers.miners.whatsminer.decode import is_off, message, power_mode, put_summary
from agent.site.transports.cgminer import CgminerTransport
from shared.errors import ProtocolViolation
from shared.quality import Quality
from shared.states import OpState, PowerSource


class Observation(msgspec.Struct, frozen=True):
    """`off`: told to stop hashing, None where that was not asked or not said; `summary` is the row itself."""

    sheet: Sheet
    activity: Activity
    state: OpState
    power_source: PowerSource
    summary: Row
    evidence: tuple[Evidence, ...]
    off: bool | None = None


class WhatsminerMachine:
    def __init__(self, socket: CgminerTransport, profile: MinerProfile) -> None:
        self._socket = socket
        self._profile = profile
        self._units = UnitCheck(profile.starting_grace_s)

    async def read(self, command: str) -> tuple[Row, Evidence]:
        raw = await self._socket.ask(msgspec.json.encode({"cmd": command}))
        return document(raw, command), evidence(command, raw)

    async def observe(self, *, ask_status: bool = False) -> Observation:
        """`summary`; and `status`, which alone tells a machine at rest from a broken one, where nothing hashes."""
        reply, sent = await self.read("summary")
        row = next(iter(rows(reply, "SUMMARY")), {})
        sheet = miner_sheet()
        source = put_summary(sheet, row)
        activity = self._units.judge(sheet)
        if activity is Activity.HASHING and sheet.value("power_w") == 0:
            sheet.mark("power_w", Quality.IMPLAUSIBLE)
        off: bool | None = None
        proof: tuple[Evidence, ...] = (sent,)
        if ask_status or activity is not Activity.HASHING:
            told, said = await self.read("status")
            off, proof = is_off(told), (sent, said)
        if not row and off is None:
            raise ProtocolViolation(f"summary: the reply has no SUMMARY: {status(reply).message!r}")
        signs = Signs(asleep=off, settled=flag(row, "Hash Stable"))
        state = self._state(activity, sheet, signs, row)
        return Observation(sheet, activity, state, source, row, proof, off)

    async def mac(self) -> str:
        """From the summary, else from `get_miner_info`."""
        reply, _ = await self.read("summary")
        found = mac(next(iter(rows(reply, "SUMMARY")), {}), "MAC")
        return found or mac(message((await self.read("get_miner_info"))[0]), "mac")

    async def firmware(self) -> str:
        """The version text with the build date in it, from `get_version`, else from the summary."""
        found = text(message((await self.read("get_version"))[0]), "fw_ver")
        return found or text(next(iter(rows((await self.read("summary"))[0], "SUMMARY")), {}), "Firmware Version")

    def _state(self, activity: Activity, sheet: Sheet, signs: Signs, row: Row) -> OpState:
        """A machine whose process tells nothing while `status` says off has been put to rest."""
        if not row and signs.asleep:
            return OpState.SLEEPING
        return op_state(activity, sheet, signs, self._profile.starting_grace_s)


def reading(seen: Observation, **other: object) -> MinerReading:
    """The observation as a reading."""
    fields: dict[str, object] = {
        "op_state": seen.state,
        "power_source": seen.power_source,
        "power_mode": power_mode(seen.summary),
        "mac": mac(seen.summary, "MAC") or None,
        "evidence": seen.evidence,
    }
    return seen.sheet.miner(**fields | other)
