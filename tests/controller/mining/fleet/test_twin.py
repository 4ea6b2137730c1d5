"""The twin: what is kept, what is refused, what counts while nobody knows."""

import math

import numpy as np
import pytest

from controller.mining.fleet import FleetTwin
from controller.mining.fleet.power import Basis
from shared.errors import SettingInvalid
from shared.quality import Quality
from shared.site import Feeder, Site
from shared.states import OpState, PowerSource, Reach
from shared.wire.telemetry import MINER_FIELDS, BoardTable, MinerTable, TelemetryBatch
from tests.controller.mining.conftest import MINERS, NOW_MS, PDU, outlets, record, small_site


def test_totals_of_a_site_where_all_is_well(node) -> None:
    totals = node.twin.snapshot("tx1").totals
    assert (totals.miners, totals.reporting, totals.silent, totals.without_watts) == (8, 8, 0, 0)
    assert totals.hashrate_ths == pytest.approx(880)
    assert totals.meter_w == pytest.approx(26_600)
    assert totals.counted_w == 26_600
    assert totals.efficiency_j_per_th == pytest.approx(26_600 / 880)
    assert totals.by_op_state[OpState.HASHING] == 8
    assert totals.by_reach[Reach.UP] == 8
    assert totals.hottest_chip_c == 61.0


def apply_codes(node, reach: int, op_state: int, source: int, quality: int) -> None:
    """A sample of one miner, with codes as an agent of any release may send them."""
    node.clock.now += 1_000
    count = len(MinerTable.__struct_fields__) - 6
    table = MinerTable([MINERS[0]], [node.clock.now], [reach], [op_state], [source], [quality], *[[1.0]] * count)
    batch = TelemetryBatch(sampled_at_ms=node.clock.now, monotonic_s=9e6, boot_id="newer", miners=table)
    node.twin.apply("tx1", "edge-1", batch)


@pytest.mark.parametrize("strange", [99, -1, 32_767, -32_768])
def test_codes_of_a_newer_agent_claim_least_and_are_counted(node, strange) -> None:
    apply_codes(node, strange, strange, strange, 0x1111)
    snapshot = node.twin.snapshot("tx1")
    row = snapshot.roster.row[MINERS[0]]
    assert snapshot.miners.code("reach")[row] == Reach.MALFORMED
    assert snapshot.miners.code("op_state")[row] == OpState.UNKNOWN
    assert snapshot.miners.code("power_source")[row] == PowerSource.NONE
    assert sum(snapshot.totals.by_reach.values()) == snapshot.totals.miners
    assert sum(snapshot.totals.by_op_state.values()) == snapshot.totals.miners
    assert node.twin.strange("tx1") == 3


def test_a_quality_of_a_newer_agent_is_not_usable(node) -> None:
    every_good = int("1" * len(MINER_FIELDS), 16)
    apply_codes(node, Reach.UP, OpState.HASHING, PowerSource.MEASURED_INPUT, every_good ^ 0x8B0)
    snapshot = node.twin.snapshot("tx1")
    row = snapshot.roster.row[MINERS[0]]
    qualities = [int(snapshot.miners.quality_of(field)[row]) for field in MINER_FIELDS[:4]]
    assert qualities == [Quality.GOOD, Quality.IMPLAUSIBLE, Quality.IMPLAUSIBLE, Quality.GOOD]
    assert node.twin.strange("tx1") == 1


def test_a_silent_miner_counts_at_its_worst_case_never_as_zero(node, clock) -> None:
    node.machines[MINERS[0]] = node.machines[MINERS[0]].__class__(power_w=2_000.0, limit_w=2_000.0, hashrate_ths=80.0)
    node.report()
    node.silent.add(MINERS[0])
    node.report(after_ms=61_000)
    snapshot = node.twin.snapshot("tx1")
    row = snapshot.roster.row[MINERS[0]]
    assert snapshot.power.basis[row] == Basis.ASSUMED
    assert snapshot.power.counted_w[row] == 3_200
    assert snapshot.totals.assumed_w == 3_200
    assert snapshot.totals.silent == 1
    assert snapshot.op_state[row] == OpState.UNKNOWN
    assert snapshot.quality_of("power_w")[row] == Quality.STALE
    assert math.isnan(snapshot.value("power_w")[row])
    assert snapshot.feeders.without_watts[snapshot.tree.index["c1"]] == 1
    assert snapshot.feeders.assumed_w[snapshot.tree.index["c2"]] == 0


def test_watts_that_a_hashing_miner_does_not_tell_come_from_its_curve_and_are_flagged(node) -> None:
    machine = node.machines[MINERS[1]]
    machine.power_w, machine.hashrate_ths = None, 89.0
    node.report()
    snapshot = node.twin.snapshot("tx1")
    row = snapshot.roster.row[MINERS[1]]
    assert snapshot.power.basis[row] == Basis.MODELLED
    assert snapshot.power.counted_w[row] == 2_300
    assert snapshot.totals.modelled_w == 2_300


def test_a_guess_of_the_miner_is_reported_not_metered_and_a_ramp_counts_its_target(node) -> None:
    guess, ramp = node.machines[MINERS[2]], node.machines[MINERS[3]]
    guess.source = PowerSource.ESTIMATED
    ramp.state, ramp.power_w, ramp.limit_w = OpState.STARTING, 400.0, 2_600.0
    node.report()
    snapshot = node.twin.snapshot("tx1")
    assert snapshot.power.basis[snapshot.roster.row[MINERS[2]]] == Basis.REPORTED
    assert snapshot.power.counted_w[snapshot.roster.row[MINERS[3]]] == 2_600


def test_a_miner_of_unknown_curve_that_says_nothing_counts_at_the_assumed_draw(node) -> None:
    node.twin.configure(small_site(), [record(MINERS[4], curve=())])
    machine = node.machines[MINERS[4]]
    machine.power_w = machine.limit_w = None
    node.report()
    snapshot = node.twin.snapshot("tx1")
    assert snapshot.power.counted_w[snapshot.roster.row[MINERS[4]]] == 4_000


def test_older_samples_never_replace_newer_ones_and_twice_is_once(node, clock) -> None:
    then = NOW_MS - 5_000
    late = TelemetryBatch(sampled_at_ms=then, monotonic_s=then / 1000, boot_id="life-1", miners=node._miners(then))
    late.miners.power_w[:] = [1.0] * 8
    node.twin.apply("tx1", "edge-1", late)
    assert (node.twin.snapshot("tx1").miners.column("power_w") == 3_200).all()
    node.report(after_ms=0)
    assert (node.twin.snapshot("tx1").miners.observed_at_ms == NOW_MS).all()


def test_of_two_samples_in_one_batch_the_newer_stays_whatever_their_order(node, clock) -> None:
    clock.now += 2_000
    table = node._miners(clock.now)
    for name in table.__struct_fields__:
        getattr(table, name)[:] = getattr(table, name)[:1] * 2
    table.observed_at_ms[:] = [clock.now, clock.now - 1_000]
    table.power_w[:] = [2_222.0, 1_111.0]
    batch = TelemetryBatch(sampled_at_ms=clock.now, monotonic_s=clock.now / 1000, boot_id="life-1", miners=table)
    node.twin.apply("tx1", "edge-1", batch)
    snapshot = node.twin.snapshot("tx1")
    assert snapshot.miners.column("power_w")[snapshot.roster.row[MINERS[0]]] == 2_222.0


def test_a_node_whose_clock_runs_ahead_does_not_keep_later_samples_out(node, clock) -> None:
    ahead = clock.now + 86_400_000
    batch = TelemetryBatch(sampled_at_ms=ahead, monotonic_s=7.0, boot_id="life-2", miners=node._miners(ahead))
    clock.now += 1_000
    node.twin.apply("tx1", "edge-1", batch)
    snapshot = node.twin.snapshot("tx1")
    assert (snapshot.age_s == 0).all()
    node.machines[MINERS[0]].power_w = 2_900.0
    node.boot_id = "life-3"
    node.report()
    assert node.twin.snapshot("tx1").miners.column("power_w").min() == 2_900.0


def test_a_step_of_the_clock_within_a_life_changes_neither_order_nor_age(node, clock) -> None:
    clock.now += 4_000
    stepped = NOW_MS - 3_600_000
    table = node._miners(stepped)
    table.power_w[0] = 2_500.0
    batch = TelemetryBatch(sampled_at_ms=stepped, monotonic_s=clock.now / 1000, boot_id="life-1", miners=table)
    node.twin.apply("tx1", "edge-1", batch)
    snapshot = node.twin.snapshot("tx1")
    assert snapshot.miners.column("power_w").min() == 2_500.0
    assert (snapshot.age_s == 0).all()


def test_a_snapshot_never_changes_and_cannot_be_written(node, clock) -> None:
    before = node.twin.snapshot("tx1")
    node.machines[MINERS[0]].power_w = 1.0
    node.report()
    after = node.twin.snapshot("tx1")
    assert before.miners.column("power_w").min() == 3_200
    assert after.miners.column("power_w").min() == 1.0
    assert before.snapshot_id != after.snapshot_id
    with pytest.raises(ValueError, match="read-only"):
        before.miners.values[0] = 0


def test_configuring_again_keeps_samples_and_moves_them_with_their_miners(node) -> None:
    site = small_site()
    moved = [*site.placement]
    moved[0], moved[7] = (
        type(moved[0])(**{**_fields(moved[0]), "feeder": "b3"}),
        type(moved[7])(**{**_fields(moved[7]), "feeder": "b0"}),
    )
    node.machines[MINERS[0]].power_w = 2_750.0
    node.report()
    changed = Site(**{**_fields(site), "placement": tuple(moved)})
    node.twin.configure(changed)
    snapshot = node.twin.snapshot("tx1")
    row = snapshot.roster.row[MINERS[0]]
    assert snapshot.tree.ids[snapshot.roster.feeder[row]] == "b3"
    assert snapshot.miners.column("power_w")[row] == 2_750.0
    assert snapshot.totals.reporting == 8


def _fields(struct) -> dict:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def test_a_contradictory_site_changes_nothing(node) -> None:
    with pytest.raises(SettingInvalid, match="hangs below 'nowhere'"):
        node.twin.configure(Site(id="tx1", name="", feeder=(Feeder(id="a", kind="any", parent="nowhere"),)))
    assert len(node.twin.snapshot("tx1").roster) == 8


def test_unknown_sites_and_devices_are_counted_not_dropped_in_silence(node) -> None:
    stranger = TelemetryBatch(sampled_at_ms=NOW_MS, boot_id="x", miners=node._miners(NOW_MS))
    stranger.miners.device_id[0] = "m-ffffffffffff"
    assert node.twin.apply("tx1", "edge-2", stranger) == 1
    assert node.twin.snapshot("tx1").unlisted == ("m-ffffffffffff",)
    assert node.twin.apply("elsewhere", "edge-1", stranger) == 8


def test_a_miner_that_no_file_places_is_seen_but_hangs_nowhere(node) -> None:
    node.twin.configure(small_site(), [record("m-0200000000ff")])
    snapshot = node.twin.snapshot("tx1")
    assert len(snapshot.roster) == 9
    assert snapshot.roster.placed == 8
    assert snapshot.roster.device_id[8] == "m-0200000000ff"
    assert snapshot.roster.slot_name[:1] == ("c1-R1-S1-1",)


def test_an_outlet_meters_its_miner_and_off_needs_the_miners_silence_too(node, clock) -> None:
    node.silent |= {MINERS[6], MINERS[7]}
    node.report(after_ms=61_000)
    node.twin.apply("tx1", "edge-1", outlets(clock.now, (1, 0), (2_950.0, None)))
    snapshot = node.twin.snapshot("tx1")
    on, off = (snapshot.roster.row[MINERS[number]] for number in (6, 7))
    assert (snapshot.power.basis[on], snapshot.power.counted_w[on]) == (Basis.METERED, 2_950)
    assert (snapshot.power.basis[off], snapshot.power.counted_w[off]) == (Basis.REPORTED, 0)
    node.silent.clear()
    node.report()
    snapshot = node.twin.snapshot("tx1")
    assert snapshot.power.counted_w[off] == 3_200


def test_feeders_prefer_the_meter_and_keep_the_larger_for_safety(node) -> None:
    node.meter_w = {"meter-c1": 13_500.0}
    node.report()
    feeders = node.twin.snapshot("tx1").feeders
    c1, c2 = (node.twin.snapshot("tx1").tree.index[name] for name in ("c1", "c2"))
    assert feeders.load_w[c1] == 13_500
    assert feeders.residual_w[c1] == 700
    assert feeders.safe_w[c1] == 13_500
    assert feeders.safe_w[c2] == 12_800
    assert feeders.load_pct[c1] == pytest.approx(100 * 13_500 / 14_000)
    assert not feeders.metered[c2]


@pytest.mark.parametrize("case", ["stale", "suspect"])
def test_a_meter_that_may_not_be_used_is_no_number(node, clock, case: str) -> None:
    if case == "stale":
        clock.now += 16_000
    else:
        node.meter_w = {"main": None}
        node.report()
    snapshot = node.twin.snapshot("tx1")
    assert snapshot.totals.meter_w is None
    assert snapshot.totals.efficiency_j_per_th is None
    assert np.isnan(snapshot.feeders.metered_w[0])


def test_boards_are_taken_in_as_they_come(node, clock) -> None:
    boards = BoardTable(
        device_id=[MINERS[0]] * 2, slot=[0, 1], observed_at_ms=[NOW_MS] * 2, quality=[0, 0], hashrate_ths=[30.0, None],
        hashrate_expected_ths=[None] * 2, chip_temp_c=[70.0, 71.0], board_temp_c=[None] * 2, chips_good=[114, 113],
        chips_expected=[114] * 2, frequency_mhz=[None] * 2, hardware_errors=[0, 5],
    )  # fmt: skip
    node.twin.apply("tx1", "edge-1", TelemetryBatch(sampled_at_ms=NOW_MS, boot_id="life-1", boards=boards))
    held = node.twin.snapshot("tx1").boards
    assert held.keys == ((MINERS[0], 0), (MINERS[0], 1))
    assert held.column("chip_temp_c").tolist() == [70.0, 71.0]


def test_before_the_first_sample_everything_is_unknown(clock) -> None:
    twin = FleetTwin(clock)
    twin.configure(small_site(), [PDU])
    totals = twin.snapshot("tx1").totals
    assert totals.hashrate_ths is None
    assert totals.meter_w is None
    assert totals.by_reach[Reach.NEVER] == 8
    assert totals.assumed_w == 8 * 4_000
    assert twin.apply("tx1", "edge-1", TelemetryBatch(miners=MinerTable())) == 0
