"""What can never be delivered ends at once, with its reason."""

from controller.commands import EFFECT_KIND, Delivery
from controller.journal import Dispatcher, OutboxEntry
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from shared.errors import GatewayRefused


class Refusing:
    """A broker that will never take it."""

    async def publish_command(self, *_args) -> None:
        raise GatewayRefused("the message is larger than the broker allows")

    publish_plan = publish_command


async def test_an_order_that_the_broker_refuses_for_good_ends_with_the_reason(door) -> None:
    handle = await door.order("m-1")
    delivery = Delivery(Refusing(), door.clock)
    outbox = SqliteOutbox(door.store)
    await Dispatcher(door.journal, outbox, EFFECT_KIND, delivery.deliver, door.clock, delivery.abandon).deliver_due()
    view = await door.service.view(handle.command_id)
    assert view.summary.status == "ended"
    (order,) = view.orders
    assert (order.state, order.trail[-1].rule) == ("unknown", "command.undelivered")
    assert "larger than the broker allows [gateway.refused]" in order.trail[-1].detail
    assert await outbox.next_due_ms(EFFECT_KIND) is None


def test_an_entry_that_cannot_be_read_has_no_fact_of_its_own(door) -> None:
    entry = OutboxEntry(1, "k", EFFECT_KIND, "lane", b"\xc1", 0)
    assert Delivery(Refusing(), door.clock).abandon(entry, "why") == ()
