"""Does a meter's power fit its volts and amperes? Finds kilowatts read as watts and reversed current transformers.

Where nothing generates, power that flows back is a reversed transformer, on however many phases. Where something does,
only a phase that gives back what its two sisters draw looks reversed.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from agent.site.drivers.measured import NOTHING, Measured
from shared.quality import Quality

PHASES: Final = ("l1", "l2", "l3")
_LEAST_VA: Final = 200.0  # below, noise of current transformers outweighs what they measure
_TOLERANCE: Final = 0.10  # volts, amperes and watts may be a moment apart
_SAME_LOAD: Final = 2.0  # currents within this factor of each other
_KILO: Final = (600.0, 1_600.0)


class Finding(NamedTuple):
    """`points` deserve `quality`, because of `fault`."""

    points: tuple[str, ...]
    quality: Quality
    fault: str


def findings(measured: Mapping[str, Measured], *, generation: bool = False) -> tuple[Finding, ...]:
    """What is wrong with the powers; nothing where the load is too small to tell."""
    reversed_phases = tuple(_reversed_transformers(measured) if generation else _flowing_back(measured))
    return reversed_phases or tuple(_misfit(measured))


def _flowing_back(measured: Mapping[str, Measured]) -> Iterator[Finding]:
    """Power that nothing can give."""
    given = {
        name: power
        for name in (*(f"power.{phase}" for phase in PHASES), "power.total")
        if (power := _usable(measured, name)) is not None and power < -_LEAST_VA / len(PHASES)
    }
    if given:
        said = " and ".join(
            f"{name.removeprefix('power.').upper()} gives {-power:.0f} W back" for name, power in given.items()
        )
        text = f"current transformer reversed? {said}, and the site's file declares no generation"
        yield Finding((*given, "power.total"), Quality.IMPLAUSIBLE, text)


def _reversed_transformers(measured: Mapping[str, Measured]) -> Iterator[Finding]:
    powers = {phase: _usable(measured, f"power.{phase}") for phase in PHASES}
    currents = {phase: abs(_usable(measured, f"current.{phase}") or 0.0) for phase in PHASES}
    for phase, power in powers.items():
        if power is None or power >= 0 or not _loaded(measured, phase):
            continue
        peers = [
            other
            for other in PHASES
            if (powers[other] or 0.0) > 0
            and currents[phase] / _SAME_LOAD <= currents[other] <= currents[phase] * _SAME_LOAD
        ]
        if len(peers) == 2:
            text = (
                f"{phase.upper()} gives {-power:.0f} W back while {' and '.join(p.upper() for p in peers)} draw as much"
            )
            yield Finding(
                (f"power.{phase}", "power.total"), Quality.IMPLAUSIBLE, f"current transformer reversed? {text}"
            )


def _misfit(measured: Mapping[str, Measured]) -> Iterator[Finding]:
    total = _usable(measured, "power.total")
    apparent = [_apparent_va(measured, phase) for phase in PHASES]
    if total is None or any(va is None for va in apparent):
        return
    apparent_va = sum(va for va in apparent if va is not None)
    if apparent_va < _LEAST_VA:
        return
    factor = _usable(measured, "power_factor.total")
    expected_w = apparent_va * (abs(factor) if factor else 1.0)
    ratio = abs(total) / expected_w
    powers = tuple(f"power.{part}" for part in (*PHASES, "total"))
    text = f"{total:.0f} W against {expected_w:.0f} W from volts, amperes and power factor"
    if _KILO[0] <= ratio <= _KILO[1] or 1 / _KILO[1] <= ratio <= 1 / _KILO[0]:
        yield Finding(powers, Quality.UNIT_SUSPECT, f"kilowatts and watts confused? {text}")
    elif ratio > 1 + _TOLERANCE or (factor and ratio < 1 - _TOLERANCE):
        yield Finding(("power.total",), Quality.IMPLAUSIBLE, f"power does not fit: {text}")


def _apparent_va(measured: Mapping[str, Measured], phase: str) -> float | None:
    volts, amperes = _usable(measured, f"voltage.{phase}"), _usable(measured, f"current.{phase}")
    return None if volts is None or amperes is None else abs(volts * amperes)


def _loaded(measured: Mapping[str, Measured], phase: str) -> bool:
    return (_apparent_va(measured, phase) or 0.0) >= _LEAST_VA / len(PHASES)


def _usable(measured: Mapping[str, Measured], name: str) -> float | None:
    value, quality = measured.get(name, NOTHING)
    return value if isinstance(value, int | float) and quality.usable else None
