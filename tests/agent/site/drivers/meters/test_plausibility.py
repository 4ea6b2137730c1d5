"""What powers, volts and amperes say about each other, as a table."""

from collections.abc import Sequence

import pytest

from agent.site.devices.reading import quality_of, usable
from agent.site.drivers.measured import Measured
from agent.site.drivers.meters.modbus import ModbusMeter
from agent.site.drivers.meters.plausibility import findings
from agent.site.transports.bus import Priority
from agent.site.transports.modbus import Span
from shared.profiles import load
from shared.quality import Quality
from shared.states import DeviceKind

from .conftest import registers_of

SOUND = {
    "voltage.l1": 230.0,
    "voltage.l2": 230.0,
    "voltage.l3": 230.0,
    "current.l1": 100.0,
    "current.l2": 100.0,
    "current.l3": 100.0,
    "power.l1": 22_000.0,
    "power.l2": 22_000.0,
    "power.l3": 22_000.0,
    "power.total": 66_000.0,
    "power_factor.total": 0.957,
}


ONE_BACK: dict[str, float | None] = {"power__l1": -22_000.0, "power__total": 22_000.0}
TWO_BACK = ONE_BACK | {"power__l2": -22_000.0, "power__total": -22_000.0}
ALL_BACK = TWO_BACK | {"power__l3": -22_000.0, "power__total": -66_000.0}
TOTAL_ONLY: dict[str, float | None] = {name.replace(".", "__"): None for name in SOUND}


def measured(**changes: float | None) -> dict[str, Measured]:
    values = SOUND | {name.replace("__", "."): value for name, value in changes.items()}
    return {name: Measured(value, Quality.ABSENT if value is None else Quality.GOOD) for name, value in values.items()}


@pytest.mark.parametrize(
    ("changes", "quality", "fault"),
    [
        ({}, None, ""),
        (ALL_BACK, Quality.IMPLAUSIBLE, "L1 gives 22000 W back and L2 gives 22000 W back and L3 gives 22000 W back"),
        (TWO_BACK | {"power_factor__total": None}, Quality.IMPLAUSIBLE, "L1 gives 22000 W back and L2 gives"),
        (TOTAL_ONLY | {"power__total": -500_000.0}, Quality.IMPLAUSIBLE, "TOTAL gives 500000 W back"),
        (TOTAL_ONLY | {"power__total": -40.0}, None, ""),  # noise of an unloaded feeder
        ({"power__total": 66.0}, Quality.UNIT_SUSPECT, "kilowatts"),
        ({"power__total": 66_000_000.0}, Quality.UNIT_SUSPECT, "kilowatts"),
        ({"power__l2": -22_000.0, "power__total": 22_000.0}, Quality.IMPLAUSIBLE, "L2 gives 22000 W back"),
        ({"power__total": 38_000.0}, Quality.IMPLAUSIBLE, "does not fit"),
        ({"power__total": 114_000.0}, Quality.IMPLAUSIBLE, "does not fit"),
        ({"power__total": 38_000.0, "power_factor__total": None}, None, ""),  # a low power factor explains it
        ({"power__total": 114_000.0, "power_factor__total": None}, Quality.IMPLAUSIBLE, "does not fit"),
        ({"voltage__l3": None, "power__total": 66.0}, None, ""),  # nothing to compare with
        ({"current__l1": 0.2, "current__l2": 0.2, "current__l3": 0.2, "power__total": 900.0}, None, ""),  # no load
    ],
)
def test_table(changes: dict[str, float | None], quality: Quality | None, fault: str) -> None:
    found = findings(measured(**changes))
    if quality is None:
        assert found == ()
    else:
        assert [finding.quality for finding in found] == [quality]
        assert "power.total" in found[0].points
        assert fault in found[0].fault


@pytest.mark.parametrize(("changes", "found"), [(ALL_BACK, 0), (TWO_BACK, 0), (ONE_BACK, 1)])
def test_where_something_generates_power_may_flow_back(changes: dict[str, float | None], found: int) -> None:
    unknown_factor: dict[str, float | None] = {"power_factor__total": None}
    assert len(findings(measured(**(changes | unknown_factor)), generation=True)) == found


async def test_a_reversed_transformer_takes_the_total_out_of_use_and_keeps_what_was_read() -> None:
    profile = load(DeviceKind.METER, "eastron.sdm630")
    registers = registers_of(profile, profile.vectors[0])
    registers.words[0x0E] |= 0x8000  # the sign of L2's watts
    reading = await ModbusMeter(registers, 1, profile).read()
    assert reading.power_l2_w == -22312.5
    assert quality_of(reading, "power_l2_w") is Quality.IMPLAUSIBLE
    assert usable(reading, "power_w") is None
    assert usable(reading, "power_l1_w") == 22500.0
    assert "L2" in reading.faults[0]


async def test_kilowatts_read_as_watts_are_found() -> None:
    profile = load(DeviceKind.METER, "eastron.sdm630")
    registers = registers_of(profile, profile.vectors[0])
    registers.words |= {0x34: 0x4286, 0x35: 0xC000}  # 67.375
    reading = await ModbusMeter(registers, 1, profile).read()
    assert quality_of(reading, "power_w") is Quality.UNIT_SUSPECT
    assert reading.faults


async def test_a_load_that_jumps_between_two_blocks_is_read_again_before_it_is_doubted() -> None:
    profile = load(DeviceKind.METER, "eastron.sdm630")
    registers = registers_of(profile, profile.vectors[0])
    settled = dict(registers.words)
    registers.words |= {0x34: 0x4816, 0x35: 0xC000}  # 154,368 W, while volts and amperes are those of 67 kW

    class Settling:
        """Shows the old total once, then what belongs to volts and amperes."""

        closed = False

        async def read(self, unit: int, span: Span, priority: Priority = Priority.NORMAL) -> tuple[int, ...]:
            answer = await registers.read(unit, span, priority)
            if (
                len(registers.asked) == len({asked[1] for asked in registers.asked})
                and span.address + span.count > 0x35
            ):
                registers.words.update(settled)
            return answer

        async def write(self, unit: int, address: int, words: Sequence[int]) -> None:
            raise AssertionError

        async def aclose(self) -> None:
            self.closed = True

    reading = await ModbusMeter(Settling(), 1, profile).read()
    assert reading.faults == ()
    assert usable(reading, "power_w") == pytest.approx(67_375, rel=0.01)
