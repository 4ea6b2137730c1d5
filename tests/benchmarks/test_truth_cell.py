"""The oracle of the truth matrix: it must catch each kind of lie."""

import pytest

from benchmarks.truth import Verdict
from benchmarks.truth_cell import POOLS, Cell, executed, lost_settings, obeyed, wanted
from shared.states import OpState, OutcomeState, Reach
from shared.wire.command import OutcomeRow

OLD_POOL = {"url": "stratum+tcp://old.example:3333", "user": "old"}
MACHINE = {
    "state": "hashing",
    "power_w": 3_000.0,
    "power_mode": "normal",
    "power_limit_w": None,
    "pools": [OLD_POOL],
    "executed": {},
}


def cell(verb: str, fault: str = "none") -> Cell:
    return Cell(family="antminer-stock", verb=verb, fault=fault, device_id="m", miner_id="m", address="127.0.0.1")


def verdict(verb: str, outcome: OutcomeState, after: dict[str, object], **other: object) -> Verdict:
    row = OutcomeRow("m", verb, outcome, 0)
    fields = {"op_state": OpState.UNKNOWN, "reach": Reach.UP, "intruder_obeyed": False} | other
    return Verdict(cell=cell(verb), outcome=row, before=MACHINE, after=MACHINE | after, **fields)


@pytest.mark.parametrize(
    ("verb", "after"),
    [
        ("sleep", {"state": "sleeping"}),
        ("wake", {"state": "tuning"}),
        ("set_power_limit", {"power_limit_w": 2_600}),
        ("set_power_mode", {"power_mode": "low"}),
        (
            "set_pools",
            {"pools": [{"url": pool.url.removeprefix("stratum+tcp://"), "user": pool.user} for pool in POOLS]},
        ),
        ("switch_off", {"state": "off"}),
        ("reboot", {"executed": {"reboot": 1}}),
    ],
)
def test_only_the_machine_itself_says_whether_it_obeyed(verb, after):
    assert obeyed(cell(verb), MACHINE, MACHINE | after)
    assert not verdict(verb, OutcomeState.CONFIRMED, after).false_success
    if verb != "wake":  # it hashes already
        assert not obeyed(cell(verb), MACHINE, MACHINE)
        assert verdict(verb, OutcomeState.CONFIRMED, {}).false_success
        assert not verdict(verb, OutcomeState.UNKNOWN, {}).false_success


def test_a_wiped_pool_list_is_a_lost_setting_and_an_ordered_one_is_not():
    assert lost_settings(cell("sleep"), MACHINE, MACHINE | {"pools": []}) == ["pools"]
    ordered = MACHINE | {"pools": [{"url": pool.url, "user": pool.user} for pool in POOLS]}
    assert lost_settings(cell("set_pools"), MACHINE, ordered) == []
    assert lost_settings(cell("set_pools"), MACHINE, MACHINE | {"pools": []}) == ["pools"]
    assert lost_settings(cell("sleep"), MACHINE, MACHINE | {"power_mode": "low"}) == ["power_mode"]


def test_alive_is_claimed_only_by_a_device_that_answers():
    asleep = {"state": "sleeping"}
    assert verdict("sleep", OutcomeState.UNKNOWN, asleep, op_state=OpState.HASHING).false_alive
    assert not verdict("sleep", OutcomeState.UNKNOWN, asleep, op_state=OpState.HASHING, reach=Reach.REFUSED).false_alive
    assert not verdict("sleep", OutcomeState.UNKNOWN, {}, op_state=OpState.HASHING).false_alive


@pytest.mark.parametrize("claim", [OpState.HASHING, OpState.TUNING, OpState.STARTING])
@pytest.mark.parametrize("state", ["off", "sleeping", "stopped_thermal", "fault", "starting", "tuning", "hashing"])
def test_every_state_that_claims_life_can_be_a_lie(claim, state):
    true = state in ("tuning", "hashing") or (claim is OpState.STARTING and state == "starting")
    assert verdict("sleep", OutcomeState.UNKNOWN, {"state": state}, op_state=claim).false_alive is not true
    assert not verdict("sleep", OutcomeState.UNKNOWN, {"state": state}, op_state=OpState.UNKNOWN).false_alive


def test_a_machine_that_runs_is_not_asleep():
    assert verdict("wake", OutcomeState.CONTRADICTED, {}, op_state=OpState.SLEEPING).false_asleep
    assert not verdict("wake", OutcomeState.UNKNOWN, {"state": "sleeping"}, op_state=OpState.SLEEPING).false_asleep


def test_an_order_that_reached_another_machine_is_a_lie_whatever_was_said():
    assert verdict("sleep", OutcomeState.UNKNOWN, {}, intruder_obeyed=True).false_success


def test_refused_means_that_nothing_was_changed():
    assert verdict("sleep", OutcomeState.REFUSED, {"executed": {"sleep": 1}}).false_refusal
    assert not verdict("sleep", OutcomeState.REFUSED, {}).false_refusal
    assert executed(MACHINE, MACHINE | {"executed": {"sleep": 1}})


def test_the_full_matrix_holds_every_fault_for_every_order():
    cells = list(wanted(quick=False))
    assert len(cells) == len(set(cells))
    assert len(cells) > 300
    assert len(list(wanted(quick=True))) < len(cells) / 2
