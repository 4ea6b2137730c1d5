"""A command to a whole site, from the click to the broker and back."""

import time

import pytest

from controller.commands import Actor, Arrival, Origin
from controller.fleet.model import RecordIdentity
from shared.actions import Pool, SetPools, SetPowerLimit
from shared.wire.codec import MAX_MESSAGE_BYTES
from shared.wire.command import OutcomeBatch, OutcomeRow

DISPATCH = Actor("dispatch", origin=Origin.DISPATCH)
DEVICES = 1_000
ROUNDS = 5  # the best counts: other processes share the machine
ISSUE_BUDGET_S = 0.050
FOLD_BUDGET_S = 0.100


@pytest.fixture
def miners() -> int:
    return DEVICES


async def test_a_thousand_orders_go_out_and_three_thousand_steps_come_back_in_time(door) -> None:
    issue_s, fold_s = [], []
    orders = [(f"m-{number}", SetPowerLimit(2_500), 1) for number in range(DEVICES)]
    for turn in range(ROUNDS):
        started = time.perf_counter()
        handle = await door.service.issue("tx1", orders, reason="r", actor=DISPATCH, expires_in_s=60)
        await door.dispatcher.deliver_due()
        issue_s.append(time.perf_counter() - started)
        arrivals = [
            Arrival("tx1", "n1", batch_of(handle.command_id, state), RecordIdentity("e", 3 * turn + number))
            for number, state in enumerate(("accepted", "acknowledged", "confirmed"))
        ]
        started = time.perf_counter()
        await door.inbox.handle_many(arrivals)
        fold_s.append(time.perf_counter() - started)
        assert (await door.service.view(handle.command_id)).summary.counts == {"confirmed": DEVICES}
    assert min(issue_s) < ISSUE_BUDGET_S
    assert min(fold_s) < FOLD_BUDGET_S


def batch_of(command_id: str, state: str) -> OutcomeBatch:
    rows = (OutcomeRow(f"m-{number}", "set_power_limit", state, 1, observed="2490 W") for number in range(DEVICES))
    return OutcomeBatch(command_id=f"{command_id}.1", rows=tuple(rows))


async def test_a_command_too_large_for_one_message_is_cut(door) -> None:
    pools = tuple(Pool("stratum+tcp://pool.example:1/" + "x" * 200, "u" * 250, "p" * 250) for _ in range(3))
    orders = [(f"m-{number}", SetPools(pools), None) for number in range(DEVICES)]
    ann, bob = Actor("ann", "a"), Actor("bob", "b")
    await door.service.issue(
        "tx1", orders, reason="r", actor=ann, second_actor=bob, typed=str(DEVICES), expires_in_s=60
    )
    await door.dispatcher.deliver_due()
    assert all(len(sealed) < MAX_MESSAGE_BYTES for _, _, sealed in door.broker.commands)
    opened = [command for command, _ in door.opened()]
    assert len(opened) == 4
    assert [order.device_id for command in opened for order in command.orders] == [order[0] for order in orders]
    assert [command.counter for command in opened] == sorted({command.counter for command in opened})
