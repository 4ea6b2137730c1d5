"""One poll: the words of every block of a plan, each as urgent as its most urgent point."""

from typing import Final

from agent.site.drivers.meters.registers import Decoder
from agent.site.transports.bus import Priority
from agent.site.transports.modbus import RegisterTransport, Span
from shared.profiles.point import Poll

_PRIORITIES: Final[dict[Poll, Priority]] = {
    "fast": Priority.FAST,
    "normal": Priority.NORMAL,
    "slow": Priority.SLOW,
    "once": Priority.SLOW,
}


async def read_words(registers: RegisterTransport, unit: int, decoder: Decoder) -> list[tuple[int, ...]]:
    """In the order of `decoder.blocks`. The first error ends the poll: half an image would mix two moments."""
    return [
        await registers.read(unit, Span(block.table, block.address, block.count), _PRIORITIES[block.poll])
        for block in decoder.blocks
    ]
