"""What a benchmark reads out of the journal about a curtailment."""

from benchmarks.curtail_journal import decisions, false_confirmed
from controller.commands.event import CommandRequested, OutcomesRecorded, codec
from controller.commands.model import Confirmation, OrderLine, Origin, Reach
from controller.journal import RecordedEvent
from shared.actions import Sleep, Wake
from shared.states import OutcomeState
from shared.wire.command import OutcomeRow


def recorded(fact, actor: str, at_ms: int) -> RecordedEvent:
    new = codec.encode(fact, actor)
    return RecordedEvent(1, "command/c", 1, at_ms, actor, new.name, new.data, b"", b"")


def asked(command_id: str, reason: str, action, *devices: str, actor: str = "dispatch", at_ms: int = 100):
    lines = tuple(OrderLine(device, "n", action, None, 60.0) for device in devices)
    fact = CommandRequested(
        command_id=command_id, site="demo", origin=Origin.PROGRAM, session="", reason=reason, expires_in_s=60.0,
        orders=lines, reach=Reach(1, 1, 0), confirmation=Confirmation.CLICK,
    )  # fmt: skip
    return recorded(fact, actor, at_ms)


def heard(command_id: str, *rows: OutcomeRow) -> RecordedEvent:
    fact = OutcomesRecorded(command_id=command_id, part=0, node="n", epoch="e", seq=1, rows=rows)
    return recorded(fact, "n", 200)


def test_orders_stand_by_decision_with_the_times_of_their_outcomes():
    events = [
        asked("a", "before", Sleep(), "m-0", at_ms=50),
        asked("b", "price (decision 1)", Sleep(), "m-1"),
        asked("c", "price (decision 1)", Sleep(), "m-2"),
        asked("p", "by hand", Sleep(), "m-3", actor="ada"),
        heard("b", OutcomeRow("m-1", "sleep", OutcomeState.ACKNOWLEDGED, 150)),
        heard("b", OutcomeRow("m-1", "sleep", OutcomeState.CONFIRMED, 180)),
        asked("d", "telemetry (decision 2)", Wake(), "m-1", at_ms=300),
    ]
    first, second = decisions(events, 100)
    assert [(order.device_id, order.end) for order in first] == [("m-1", "confirmed"), ("m-2", "open")]
    assert first[0].steps == {"acknowledged": 150, "confirmed": 180}
    assert [(order.verb, order.asked_at_ms) for order in second] == [("wake", 300)]


def test_a_confirmation_is_false_where_the_machine_does_something_else():
    def given(device: str, action, state: OutcomeState):
        events = [asked("a", "r", action, device), heard("a", OutcomeRow(device, action.verb, state, 150))]
        return decisions(events, 0)[0]

    confirmed, unknown = OutcomeState.CONFIRMED, OutcomeState.UNKNOWN
    assert false_confirmed(given("m-1", Sleep(), confirmed), {"m-1"}) == []
    assert false_confirmed(given("m-1", Sleep(), confirmed), set()) == ["m-1"]
    assert false_confirmed(given("m-1", Sleep(), unknown), set()) == []
    assert false_confirmed(given("m-1", Wake(), confirmed), {"m-1"}) == ["m-1"]
    later = given("m-1", Sleep(), confirmed) + given("m-1", Wake(), confirmed)
    assert false_confirmed(later, set()) == []
    under_way = given("m-1", Sleep(), confirmed) + given("m-1", Wake(), OutcomeState.ACKNOWLEDGED)
    assert false_confirmed(under_way, set()) == []
