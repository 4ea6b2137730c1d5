"""Every Modbus meter: what differs between them is in their profiles."""

import struct
from collections.abc import Mapping, Sequence
from typing import Final

from agent.site.devices.reading import EVIDENCE_BYTES, DeviceIdentity, Evidence, MeterReading, qualities
from agent.site.drivers.counter import Counters, doubted
from agent.site.drivers.measured import NOTHING, Measured
from agent.site.drivers.meters.identify import confirm
from agent.site.drivers.meters.plausibility import Finding, findings
from agent.site.drivers.meters.poll import read_words
from agent.site.drivers.meters.registers import Decoder
from agent.site.drivers.nameplate import Nameplate
from agent.site.transports.modbus import RegisterTransport
from shared.profiles import Block, Profile
from shared.wire.telemetry import METER_FIELDS

FIELDS: Final[dict[str, str]] = {
    "power.total": "power_w",
    "power.l1": "power_l1_w",
    "power.l2": "power_l2_w",
    "power.l3": "power_l3_w",
    "voltage.l1": "voltage_l1_v",
    "voltage.l2": "voltage_l2_v",
    "voltage.l3": "voltage_l3_v",
    "current.l1": "current_l1_a",
    "current.l2": "current_l2_a",
    "current.l3": "current_l3_a",
    "power_factor.total": "power_factor",
    "frequency": "frequency_hz",
    "energy.import": "energy_import_wh",
    "energy.export": "energy_export_wh",
}
"""Point of a profile → field of a `MeterReading`; a profile's units are SI, so nothing is converted here."""


class ModbusMeter:
    """A `Meter`. Holds the transport until `aclose`. With `generation` power may rightly flow back."""

    def __init__(
        self,
        registers: RegisterTransport,
        unit: int,
        profile: Profile,
        rivals: Sequence[Profile] = (),
        *,
        generation: bool = False,
        expected: Nameplate | None = None,
    ) -> None:
        self.profile = profile
        self._expected = expected or Nameplate(f"unit {unit}")
        self._counters = Counters(profile.points)
        self._registers = registers
        self._unit = unit
        self._rivals = rivals
        self._generation = generation
        self._decoder = Decoder(profile, [point for point in profile.points if point.poll != "once"])
        nameplate = [point for point in profile.points if point.name.startswith("identity.")]
        self._nameplate = Decoder(profile, nameplate) if nameplate else None

    async def identify(self) -> DeviceIdentity:
        """`IdentityChanged` unless the device answers as the profile says, and as no profile of the same model name."""
        await confirm(self._registers, self._unit, self.profile, self._rivals)
        told = await self._told()
        self._expected.meet("", _text(told, "identity.serial"))
        about = self.profile.about
        return DeviceIdentity(
            kind="meter",
            family="modbus",
            vendor=_text(told, "identity.vendor") or about.vendor,
            model=_text(told, "identity.model") or about.models[0],
            firmware=_text(told, "identity.firmware"),
            serial=_text(told, "identity.serial"),
        )

    async def read(self) -> MeterReading:
        """One poll of all points; powers that do not fit volts and amperes and counters that went back are marked, and
        `faults` says why. Now and then it is made sure first that it is the same meter, where it tells.
        """
        if self._expected.due:
            self._expected.meet("", _text(await self._told(), "identity.serial"))
        words, measured, found = await self._measured()
        if found:  # a load that jumped between two blocks fits when it is read again
            words, measured, found = await self._measured()
        went_back = self._counters.check(measured)
        doubted(measured, went_back)
        for finding in found:
            for name in finding.points:
                if name in measured and measured[name].quality.usable:
                    measured[name] = Measured(measured[name].value, finding.quality)
        values = {field: _number(measured.get(name, NOTHING)) for name, field in FIELDS.items()}
        return MeterReading(
            **values,
            quality=qualities(METER_FIELDS, {field: measured.get(n, NOTHING).quality for n, field in FIELDS.items()}),
            faults=(*(finding.fault for finding in found), *went_back.values()),
            evidence=tuple(map(_evidence, self._decoder.blocks, words)),
        )

    async def _measured(self) -> tuple[Sequence[Sequence[int]], dict[str, Measured], tuple[Finding, ...]]:
        words = await read_words(self._registers, self._unit, self._decoder)
        measured = self._decoder.decode(words)
        return words, measured, findings(measured, generation=self._generation)

    async def _told(self) -> Mapping[str, Measured]:
        if self._nameplate is None:
            return {}
        return self._nameplate.decode(await read_words(self._registers, self._unit, self._nameplate))

    async def aclose(self) -> None:
        await self._registers.aclose()


def _number(measured: Measured) -> float | None:
    return None if isinstance(measured.value, str) else measured.value


def _text(told: Mapping[str, Measured], name: str) -> str:
    value = told.get(name, NOTHING).value
    return value if isinstance(value, str) else ""


def _evidence(block: Block, words: Sequence[int]) -> Evidence:
    raw = struct.pack(f">{len(words)}H", *words)
    return Evidence(f"{block.table} {block.address:#06x}+{block.count}", raw[:EVIDENCE_BYTES])
