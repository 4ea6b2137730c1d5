"""Curtailments as tables of cycles: what the meter must show before anything is called done."""

from dataclasses import replace

import pytest

from controller.mining.dispatch.anchor import anchored
from controller.mining.dispatch.bond import Bonds
from controller.mining.dispatch.formulate import Policy, formulate
from controller.mining.dispatch.problem import Lock
from controller.mining.dispatch.quote import Quote
from controller.mining.energy import CurtailmentLedger, Phase, Proof, preview
from controller.mining.energy.event import (
    CurtailmentRequested,
    CurtailmentStarted,
    LoadRestored,
    RestoreUnconfirmed,
    TargetLost,
    TargetMissed,
    TargetReached,
    TargetUnseen,
)
from controller.mining.energy.model import evolve, requested
from controller.mining.energy.verification import MeterSample, Streak, judge
from shared.errors import Denied, NotFound
from tests.controller.mining.conftest import MINERS

T0 = 1_000_000
WISH = CurtailmentRequested(
    curtailment_id="c-1", at_ms=T0, site="tx1", feeder="site", target_w=20_000, baseline_w=26_600, land_within_s=60.0,
    reason="price", actor="ada", ends_at_ms=T0 + 600_000,
)  # fmt: skip
SILENT = None


def running(**changes):
    state = requested(WISH)
    state = evolve(state, CurtailmentStarted(curtailment_id="c-1", at_ms=T0, actor="ada"))
    return replace(state, **changes)


def played(state, samples, proof=None, wanted_w=None):
    """Feed (second, watts) samples; the names of the events and the last state."""
    streak, names = Streak(), []
    for second, watts in samples:
        now_ms = T0 + second * 1_000
        sample = MeterSample(None, 0, "stale") if watts is SILENT else MeterSample(watts, now_ms)
        streak, event = judge(state, streak, sample, now_ms, proof or Proof(), wanted_w)
        if event is not None:
            names.append(type(event))
            state = evolve(state, event)
    return names, state


@pytest.mark.parametrize(
    ("samples", "events", "phase"),
    [
        ([(5, 26_000), (10, 20_050), (11, 19_900)], [TargetReached], Phase.HOLDING),
        ([(10, 19_900)], [], Phase.SHEDDING),  # one sample is no proof
        ([(10, 20_090), (11, 20_101), (12, 20_000)], [], Phase.SHEDDING),  # half a percent is the tolerance
        ([(10, SILENT), (30, SILENT)], [], Phase.SHEDDING),  # silence before the deadline proves nothing
        ([(10, SILENT), (61, SILENT), (90, SILENT)], [TargetUnseen], Phase.UNKNOWN),
        ([(58, 25_000), (61, 25_000)], [TargetMissed], Phase.MISSED),
        ([(58, 25_000), (61, 25_000), (70, 20_000), (71, 20_000)], [TargetMissed, TargetReached], Phase.HOLDING),
        ([(1, 19_000), (2, 19_000), (3, 21_000), (4, 21_000)], [TargetReached, TargetLost], Phase.SHEDDING),
        ([(1, 19_000), (2, 19_000), (3, SILENT)], [TargetReached, TargetUnseen], Phase.UNKNOWN),
        ([(1, 19_000), (2, 19_000), (3, SILENT), (4, 19_000), (5, 19_000)],
         [TargetReached, TargetUnseen, TargetReached], Phase.HOLDING),
        ([(1, 19_000), (2, 19_000), (3, SILENT), (4, 26_000), (5, 26_000)],
         [TargetReached, TargetUnseen, TargetLost], Phase.SHEDDING),
    ],
)  # fmt: skip
def test_only_the_meter_confirms(samples, events, phase) -> None:
    names, state = played(running(), samples)
    assert names == events
    assert state.phase is phase


def test_landing_states_its_time_and_its_error() -> None:
    _, state = played(running(), [(5, 25_000), (12, 19_700), (13, 19_800)])
    assert state.time_to_target_s == 12.0
    assert state.landing_error_w == -200
    assert state.last_power_w == 19_800


def test_a_sample_older_than_the_start_or_read_twice_does_not_count() -> None:
    state, streak = running(), Streak()
    old = MeterSample(1_000.0, T0 - 1)
    for _ in range(5):
        streak, event = judge(state, streak, old, T0 + 1_000, Proof())
        assert event is None
    same = MeterSample(1_000.0, T0 + 500)
    for _ in range(5):
        streak, event = judge(state, streak, same, T0 + 1_000, Proof())
        assert event is None


@pytest.mark.parametrize(
    ("samples", "wanted_w", "events", "phase"),
    [
        ([(601, 20_000), (630, 26_000)], None, [LoadRestored], Phase.RESTORED),
        ([(601, 20_000), (630, 23_000)], 23_500.0, [LoadRestored], Phase.RESTORED),  # the price wants less now
        ([(601, 20_000), (630, SILENT)], None, [], Phase.RESTORING),
        ([(601, 20_000), (2_402, 22_000)], None, [RestoreUnconfirmed], Phase.UNRESTORED),
        ([(601, 20_000), (2_402, SILENT)], None, [RestoreUnconfirmed], Phase.UNRESTORED),
    ],
)
def test_time_ends_it_and_the_meter_proves_the_restore(samples, wanted_w, events, phase) -> None:
    names, state = played(running(phase=Phase.HOLDING), samples, wanted_w=wanted_w)
    assert names[1:] == events
    assert state.phase is phase
    assert state.ended_by == "schedule"
    assert state.cap_w is None


def ledger_with(*wishes: CurtailmentRequested, start: bool = True) -> CurtailmentLedger:
    ledger = CurtailmentLedger()
    for wish in wishes:
        ledger.replay(wish)
        if start:
            ledger.replay(ledger.start(wish.curtailment_id, "bob", wish.at_ms))
    return ledger


def test_the_lowest_of_several_caps_binds_and_an_ended_one_binds_no_more() -> None:
    second = CurtailmentRequested(**{**_fields(WISH), "curtailment_id": "c-2", "target_w": 18_000})
    other = CurtailmentRequested(**{**_fields(WISH), "curtailment_id": "c-3", "feeder": "c1", "target_w": 9_000})
    ledger = ledger_with(WISH, second, other)
    assert ledger.caps_w("tx1", T0) == {"site": 18_000, "c1": 9_000}
    assert ledger.caps_w("elsewhere", T0) == {}
    ledger.replay(ledger.end("c-2", "ada", "done", T0 + 1))
    assert ledger.caps_w("tx1", T0 + 2) == {"site": 20_000, "c1": 9_000}
    assert ledger.caps_w("tx1", T0 + 600_000) == {}
    assert [c.curtailment_id for c in ledger.listed("tx1")] == ["c-3", "c-2", "c-1"]


def _fields(struct) -> dict:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def test_wrong_phases_and_unknown_names_are_refused() -> None:
    ledger = ledger_with(WISH, start=False)
    assert ledger.caps_w("tx1", T0) == {}
    with pytest.raises(Denied) as refusal:
        ledger.replay(TargetReached(curtailment_id="c-1", at_ms=T0, power_w=1.0, observed_at_ms=T0))
    assert refusal.value.rule == "curtailment.wrong-phase"
    ledger.replay(ledger.end("c-1", "ada", "not needed", T0))
    assert ledger.get("c-1").phase is Phase.CANCELLED
    with pytest.raises(Denied):
        ledger.start("c-1", "ada", T0)
    with pytest.raises(NotFound):
        ledger.get("c-9")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"curtailment_id": "c-1"}, "curtailment.exists"),
        ({"feeder": "nowhere"}, "curtailment.unknown-feeder"),
        ({"feeder": "c2"}, "curtailment.meter-unusable"),
        ({"target_w": 30_000}, "curtailment.target-above-load"),
        ({"ends_at_ms": T0}, "curtailment.ends-in-the-past"),
    ],
)
def test_wishes_that_nobody_could_prove_or_need_are_refused(node, changes: dict, rule: str) -> None:
    wish = CurtailmentRequested(**{**_fields(WISH), "curtailment_id": "c-2", **changes})
    with pytest.raises(Denied) as refusal:
        ledger_with(WISH).request(node.twin.snapshot("tx1"), wish)
    assert refusal.value.rule == rule


def test_from_wish_to_restore_on_the_site(node) -> None:
    ledger = CurtailmentLedger()
    snapshot = node.twin.snapshot("tx1")
    wish = CurtailmentRequested(
        **{**_fields(WISH), "at_ms": snapshot.taken_at_ms, "target_w": 15_000, "ends_at_ms": None}
    )
    ledger.replay(ledger.request(snapshot, wish))
    ledger.replay(ledger.start("c-1", "bob", snapshot.taken_at_ms))
    for machine in list(node.machines.values())[:4]:
        machine.power_w = 25.0
    for _ in range(2):
        node.report()
        for event in ledger.observe(node.twin.snapshot("tx1"), {}):
            ledger.replay(event)
    landed = ledger.get("c-1")
    assert landed.phase is Phase.HOLDING
    assert landed.landing_error_w == pytest.approx(4 * 3_200 + 4 * 25 + 1_000 - 15_000)
    ledger.replay(ledger.end("c-1", "bob", "over", node.clock.now))
    for machine in node.machines.values():
        machine.power_w = 3_200.0
    node.report()
    for event in ledger.observe(node.twin.snapshot("tx1"), {"site": 26_600.0}):
        ledger.replay(event)
    assert ledger.get("c-1").phase is Phase.RESTORED


def problem_of(node, **bonds):
    quote = Quote(
        energy_usd_mwh=20.0, energy_from_ms=0, energy_until_ms=1 << 60, hashprice_usd_phs_day=45.0, hashprice_at_ms=0,
        source="test",
    )  # fmt: skip
    snapshot, bound = node.twin.snapshot("tx1"), Bonds(**bonds)
    anchors = anchored(None, snapshot, bound)
    return snapshot, formulate(snapshot, quote, anchors, bound, Policy(headroom_pct=0.0)), anchors


def test_a_preview_says_what_it_costs_and_who_stays_out(node) -> None:
    snapshot, problem, anchors = problem_of(node, operator=frozenset(MINERS[:1]))
    seen = preview(snapshot, problem, anchors, "site", 20_000)
    assert seen.now_w == 26_600
    assert seen.expected_w <= 20_000
    assert seen.reduction_w >= 6_600
    assert 0 < seen.uncertainty_w < 0.02 * seen.reduction_w
    assert seen.miners == seen.limited + seen.idled
    assert seen.hashrate_lost_ths > 0
    assert seen.cost_usd_h > 0
    assert seen.excluded[Lock.OPERATOR] == 1
    assert seen.of_miners == 8
    everything = preview(snapshot, problem, anchors, "site", None)
    assert everything.expected_w == everything.target_w == 7 * 25 + 3_200 + 1_000


def test_a_preview_of_a_container_leaves_the_others_alone(node) -> None:
    snapshot, problem, anchors = problem_of(node)
    seen = preview(snapshot, problem, anchors, "c1", 8_000)
    assert seen.of_miners == 4
    assert seen.reduction_w == seen.now_w - seen.expected_w
    assert (seen.modes[4:] == problem.current[4:]).all()


@pytest.mark.parametrize(
    ("feeder", "target_w", "rule"),
    [
        ("nowhere", 1, "curtailment.unknown-feeder"),
        ("site", 26_600, "curtailment.target-above-load"),
        ("site", 1_100, "curtailment.below-floor"),
    ],
)
def test_previews_that_make_no_sense_are_refused(node, feeder: str, target_w: int, rule: str) -> None:
    snapshot, problem, anchors = problem_of(node)
    with pytest.raises(Denied) as refusal:
        preview(snapshot, problem, anchors, feeder, target_w)
    assert refusal.value.rule == rule
