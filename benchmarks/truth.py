"""Does the agent ever say what is not so? Families × orders × faults, each outcome beside the machine's own truth.

Three figures must be 0: devices said to be alive that are not, orders said to be confirmed that were not obeyed,
settings lost. A full run writes the table that docs/ shows.
"""

import asyncio
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from benchmarks.options import Options
from benchmarks.poll_load import family_of
from benchmarks.process import core_pair
from benchmarks.simulated_site import SimulatedSite, simulated_site
from benchmarks.truth_cell import (
    DEAD_AFTER,
    FAULT_DETAIL,
    MINER_VERBS,
    NONE,
    PDU_PROFILES,
    POLL,
    SWITCH_OFF,
    TAKEN,
    UNPLUGGED,
    WITNESSED_VERBS,
    Cell,
    Truth,
    alive,
    executed,
    lost_settings,
    obeyed,
    wanted,
)
from benchmarks.truth_rig import Rig
from benchmarks.truth_table import TABLE_FILE, write_table
from shared.actions import Sleep
from shared.site import Placement, miner_id
from shared.states import OpState, OutcomeState, Reach
from shared.wire.command import Order, OutcomeRow

NAME = "truth"
SETTINGS = ("time_factor", "confirm_within_s", "settle_s")
MODELS: Mapping[str, str] = {"antminer-stock": "Antminer S21", "whatsminer-v2": "M60S", "axeos": "BitAxe Gamma"}
FED_BY: Mapping[str, str] = {"raritan.xerus": "antminer-stock", "shelly.gen2": "axeos"}
FRESH_S = 15.0
_RUNS = ("tuning", "hashing")
CLAIMS: Mapping[OpState, tuple[str, ...]] = {
    OpState.HASHING: _RUNS,
    OpState.TUNING: _RUNS,
    OpState.STARTING: ("booting", "starting", *_RUNS),
}
"""Every state that claims life, and what the machine may truly do then."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One cell at the end: what the agent says of the order (None: nothing was ordered) and of the machine."""

    cell: Cell
    outcome: OutcomeRow | None
    op_state: OpState
    reach: Reach
    before: Truth
    after: Truth
    intruder_obeyed: bool

    @property
    def false_alive(self) -> bool:
        """Said to run, to tune or to come up while it does nothing of the kind."""
        return self.reach is Reach.UP and self.after["state"] not in CLAIMS.get(self.op_state, (self.after["state"],))

    @property
    def false_asleep(self) -> bool:
        """Said to rest while it runs: nothing is lost, but a feeder carries more than the agent believes."""
        return self.reach is Reach.UP and self.op_state is OpState.SLEEPING and alive(self.after)

    @property
    def false_success(self) -> bool:
        confirmed = self.outcome is not None and self.outcome.state == OutcomeState.CONFIRMED
        return self.intruder_obeyed or (confirmed and not obeyed(self.cell, self.before, self.after))

    @property
    def false_refusal(self) -> bool:
        """Refused means that nothing was changed."""
        refused = self.outcome is not None and self.outcome.state == OutcomeState.REFUSED
        return refused and executed(self.before, self.after)

    @property
    def lost(self) -> list[str]:
        return lost_settings(self.cell, self.before, self.after)

    def told(self) -> str:
        """For a person: cell, outcome, machine."""
        said = "not ordered" if self.outcome is None else f"{self.outcome.state} {self.outcome.rule}".strip()
        seen = "" if self.outcome is None else f" ({self.outcome.observed or self.outcome.detail})"
        return (
            f"{self.cell.name}: {said}{seen}; agent sees {self.op_state.name}/{self.reach.name},"
            f" truth is {self.after['state']} at {self.after['power_w']:.0f} W"
        )


def run(options: Options) -> dict[str, object]:
    """Keys `cells false_alive false_success lost_settings`, and the cells concerned by name."""
    plan = list(wanted(quick=options.quick))
    factor = options.number("time_factor", 30.0, 60.0)
    with TemporaryDirectory(prefix="bes-truth-") as name:
        words = [*_sims_words(plan), "--time-factor", str(factor), "--no-wear"]
        with simulated_site(Path(name), *words, cores=core_pair()[1]) as simulated:
            cells = _placed(plan, simulated)
            verdicts = asyncio.run(_judged(options, simulated, cells, Path(name)))
    conditions = {"time_factor": factor, "confirm_within_s": _confirm_within_s(options)}
    result = _result(verdicts) | {"conditions": conditions}
    if not options.quick and TABLE_FILE.parent.is_dir():
        write_table([(verdict.cell, _word(verdict)) for verdict in verdicts], result)
    return result


def _confirm_within_s(options: Options) -> float:
    return options.number("confirm_within_s", 25.0, 3.0)


def _sims_words(plan: Sequence[tuple[str, str, str]]) -> list[str]:
    """A machine for each cell, and one to take the address of another where that is the fault."""
    pdus = Counter(profile for profile, _, _ in plan if profile in PDU_PROFILES)
    counts = {
        family: sum((1 + (fault == TAKEN)) for name, _, fault in plan if name == family) for family in MINER_VERBS
    }
    # Each container has at least one PDU of either kind. Those of a few more are left whole.
    containers = max(pdus.values()) + math.ceil(max(pdus.values()) / 3)
    for profile, family in FED_BY.items():
        counts[family] += 2 * pdus[profile]
    words = ["--miners", str(sum(counts.values())), "--containers", str(containers)]
    for family, count in counts.items():
        words += ["--mix", f"{MODELS[family]}={count}"]
    return words


def _placed(plan: Sequence[tuple[str, str, str]], simulated: SimulatedSite) -> list[Cell]:
    """Give each cell devices of its own; PDUs choose first, because what is plugged in goes with them."""
    free = {miner_id(placed.mac): placed for placed in simulated.site.placement}
    cells = list(_pdu_cells(plan, simulated, free))
    ordered_pdus = {cell.device_id for cell in cells}
    for family, verb, fault in plan:
        if family in PDU_PROFILES:
            continue
        # A PDU moves its contacts whenever a fault of it begins or ends, so that no plug pulled there stays out; and
        # where outlets bear witness, a broken one would be a second fault of the cell.
        sound = fault == UNPLUGGED or verb in WITNESSED_VERBS
        mine = _take(free, family, without=ordered_pdus if sound else frozenset())
        intruder = _take(free, family) if fault == TAKEN else None
        cells.append(
            Cell(
                family=family,
                verb=verb,
                fault=fault,
                device_id=miner_id(mine.mac),
                miner_id=miner_id(mine.mac),
                address=mine.address or "",
                intruder_id="" if intruder is None else miner_id(intruder.mac),
            )
        )
    return cells


def _pdu_cells(
    plan: Sequence[tuple[str, str, str]], simulated: SimulatedSite, free: dict[str, Placement]
) -> Iterator[Cell]:
    for profile in PDU_PROFILES:
        faults = [fault for family, _, fault in plan if family == profile]
        feeding = {placed.pdu for placed in free.values() if family_of(placed) == FED_BY[profile]}
        pdus = [instrument for instrument in simulated.site.pdu if instrument.id in feeding]
        for fault, instrument in zip(faults, (pdu for pdu in pdus if pdu.profile == profile), strict=False):
            placed = _take(free, FED_BY[profile], instrument.id)
            assert placed.outlet is not None
            yield Cell(
                family=profile,
                verb=SWITCH_OFF,
                fault=fault,
                device_id=instrument.id,
                miner_id=miner_id(placed.mac),
                address=instrument.address,
                outlet=placed.outlet,
            )


def _take(
    free: dict[str, Placement], family: str, pdu: str | None = None, without: AbstractSet[str | None] = frozenset()
) -> Placement:
    """The next free miner of the family: on `pdu` where one is named, and on none of `without`."""
    of_family = (placed for placed in free.values() if family_of(placed) == family)
    fitting = (placed for placed in of_family if pdu in (None, placed.pdu) and placed.pdu not in without)
    return free.pop(miner_id(next(fitting).mac))


async def _judged(options: Options, simulated: SimulatedSite, cells: list[Cell], folder: Path) -> list[Verdict]:
    within_s = _confirm_within_s(options)
    rig = Rig(simulated.site, simulated.ports, folder, within_s)
    try:
        await rig.open()
        await rig.until_seen(30.0)
        asleep = [Order(cell.device_id, Sleep()) for cell in cells if cell.verb == "wake"]
        await rig.order(asleep, within_s)
        before = await asyncio.to_thread(_truths, simulated, cells)
        await asyncio.to_thread(_break, simulated, cells)
        await _order_all(rig, simulated, cells, within_s)
        await asyncio.sleep(options.number("settle_s", 35.0, 2.0))
        after = await asyncio.to_thread(_truths, simulated, cells)
        return [_verdict(rig, cell, before, after) for cell in cells]
    finally:
        await rig.close()


async def _order_all(rig: Rig, simulated: SimulatedSite, cells: list[Cell], within_s: float) -> None:
    orders = [Order(cell.device_id, cell.action) for cell in cells if cell.action is not None]  # type: ignore[arg-type]
    watching = asyncio.create_task(_kill_when_acknowledged(rig, simulated, cells))
    # The last read-back may begin just before the deadline and then take its own.
    await rig.order(orders, within_s + 40.0)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def _kill_when_acknowledged(rig: Rig, simulated: SimulatedSite, cells: list[Cell]) -> None:
    while not rig.acknowledged.empty():
        rig.acknowledged.get_nowait()  # of orders that only prepared the cells
    victims = {cell.device_id for cell in cells if cell.fault == DEAD_AFTER}
    async with asyncio.TaskGroup() as killing:  # all at once: the first look at each comes in a moment
        while True:
            device_id = await rig.acknowledged.get()
            if device_id in victims:
                killing.create_task(asyncio.to_thread(simulated.break_device, device_id, "dead"))


def _break(simulated: SimulatedSite, cells: list[Cell]) -> None:
    nowhere = _unused_addresses(simulated)
    for cell in cells:
        match cell.fault:
            case "none" | "dead_after":
                continue
            case "unplugged":
                simulated.power(cell.miner_id, on=False)
            case "frozen_and_ignores":
                simulated.break_device(cell.device_id, "frozen")
                simulated.break_device(cell.device_id, "accepts_and_ignores")
            case "moved":
                simulated.break_device(cell.device_id, "moved", address=next(nowhere))
            case "taken":
                simulated.break_device(cell.device_id, "moved", address=next(nowhere))
                simulated.break_device(cell.intruder_id, "moved", address=cell.address)
            case fault:
                simulated.break_device(cell.device_id, fault, **FAULT_DETAIL.get(fault, {}))


def _unused_addresses(simulated: SimulatedSite) -> Iterator[str]:
    octets = simulated.site.pdu[0].address.split(".")
    return (f"{octets[0]}.{int(octets[1]) + 1}.{high}.{low}" for high in range(256) for low in range(1, 255))


def _truths(simulated: SimulatedSite, cells: list[Cell]) -> dict[str, Truth]:
    """By miner: its settings, what it has executed, and its true state, which no frozen reading hides."""
    names = itertools.chain.from_iterable((cell.miner_id, cell.intruder_id) for cell in cells)
    miners = simulated.truth()["miners"]
    states = dict(zip(miners["id"], miners["state"], strict=True))
    return {name: simulated.device(name) | {"state": states[name]} for name in names if name}


def _verdict(rig: Rig, cell: Cell, before: Mapping[str, Truth], after: Mapping[str, Truth]) -> Verdict:
    state = rig.image.miners[cell.miner_id]
    action = cell.action
    intruder = cell.intruder_id
    return Verdict(
        cell=cell,
        outcome=None if action is None else rig.rows.get((cell.device_id, action.verb)),
        op_state=state.op_state(rig.image.sampled_s, FRESH_S),
        reach=state.reach,
        before=before[cell.miner_id],
        after=after[cell.miner_id],
        intruder_obeyed=bool(intruder) and executed(before[intruder], after[intruder]),
    )


def _result(verdicts: list[Verdict]) -> dict[str, Any]:
    offending = {
        "false_alive": [verdict for verdict in verdicts if verdict.false_alive],
        "false_success": [verdict for verdict in verdicts if verdict.false_success],
        "lost_settings": [verdict for verdict in verdicts if verdict.lost],
        "false_asleep": [verdict for verdict in verdicts if verdict.false_asleep],
        "false_refusal": [verdict for verdict in verdicts if verdict.false_refusal],
    }
    without_end = [v for v in verdicts if v.cell.action is not None and (v.outcome is None or _is_open(v.outcome))]
    ordered = [verdict for verdict in verdicts if verdict.cell.verb != POLL]
    denied = [v for v in ordered if v.outcome is not None and v.outcome.state == OutcomeState.CONTRADICTED]
    return {
        "cells": len(verdicts),
        "orders": len(ordered),
        **{name: len(found) for name, found in offending.items()},
        "without_end": [verdict.told() for verdict in without_end],
        "outcomes": dict(Counter(verdict.outcome.state for verdict in ordered if verdict.outcome is not None)),
        "contradicted_but_obeyed": [v.told() for v in denied if obeyed(v.cell, v.before, v.after)],
        "unconfirmed_without_fault": [
            v.told() for v in ordered if v.cell.fault == NONE and (v.outcome is None or v.outcome.state != "confirmed")
        ],
        "offending": {name: [verdict.told() for verdict in found] for name, found in offending.items() if found},
    }


def _is_open(row: OutcomeRow) -> bool:
    return row.state in (OutcomeState.ACCEPTED, OutcomeState.ACKNOWLEDGED)


def _word(verdict: Verdict) -> str:
    """What stands in the table."""
    if verdict.cell.verb == POLL:
        state = verdict.op_state.name.lower()
        return state if verdict.reach is Reach.UP else f"{state}, {verdict.reach.name.lower()}"
    return "no end" if verdict.outcome is None else str(verdict.outcome.state)
