"""What can go wrong with a device, switched while it runs, and the one place where its replies pass through it.

Who applies what: the host of a device closes and moves its listeners (`DEAD`, `MOVED`); `deliver` bends the bytes of a
reply (`SILENT` … `ENDLESS`); `HttpServer` answers with a status; the machine, meter and PDU behind the server bend
meaning (the rest), so that no protocol server knows a fault by name.
"""

import asyncio
import random
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import msgspec

SILENCE_S = 30.0  # then the connection is dropped, or clients that gave up would hold descriptors for ever
ENDLESS_BYTES = 64 << 20
_CHUNK = b" " * 65_536


class Fault(StrEnum):
    DEAD = "dead"  # nothing listens
    SILENT = "silent"  # accepts, reads, never answers
    SLOW = "slow"  # answers after `delay_s` real seconds
    TRUNCATED = "truncated"  # half a reply, then the connection closes
    GARBAGE = "garbage"  # as many bytes, none of them right, then the connection closes
    ENDLESS = "endless"  # a reply that does not end
    HTTP401 = "http401"  # of devices that speak HTTP: refuses every login
    HTTP404 = "http404"  # knows no page
    HTTP500 = "http500"
    WRONG_UNIT = "wrong_unit"  # hash rate or power comes `factor` times too large
    FROZEN = "frozen"  # answers go on, values stand still
    REBOOT_MID_COMMAND = "reboot_mid_command"  # the next order is stored, then the device goes down without an answer
    ACCEPTS_AND_IGNORES = "accepts_and_ignores"  # says yes to orders and does nothing
    REVERTS = "reverts"  # obeys an order, and is back at what it did before after `delay_s` real seconds
    CLOCK_SKEW = "clock_skew"  # a miner's own clock is `skew_s` ahead
    CLONED_MAC = "cloned_mac"  # a miner's control board tells the `mac` of another
    MOVED = "moved"  # has another `address` now
    CT_REVERSED = "ct_reversed"  # a meter's current transformers on `phases` (1 to 3) point the wrong way
    STUCK_RELAY = "stuck_relay"  # a PDU's `outlet` (None: all) keeps its contact and reports the order
    BOARD_FAILED = "board_failed"  # a miner's hashboard `slot` is dead for good
    FAN_FAILED = "fan_failed"  # a miner's fan `slot` stands


class FaultDetail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of a fault; each fault reads its own and ignores the others."""

    delay_s: Annotated[float, msgspec.Meta(ge=0)] = 3.0
    factor: float = 1_000.0
    address: str | None = None
    skew_s: float = 3_600.0
    mac: str = ""
    phases: tuple[Annotated[int, msgspec.Meta(ge=1, le=3)], ...] = (1,)
    outlet: int | None = None
    slot: Annotated[int, msgspec.Meta(ge=0)] = 0


class FaultState:
    """The faults of one device. `watch`ers are called after every change, from the event loop's thread."""

    def __init__(self) -> None:
        self._active: dict[Fault, FaultDetail] = {}
        self._watchers: list[Callable[[], None]] = []
        self.cut = False  # the device went down in the middle of a conversation: no answer leaves any more

    def set(self, fault: Fault, detail: FaultDetail = FaultDetail()) -> None:  # noqa: B008 - frozen
        self._active[fault] = detail
        self._changed()

    def clear(self, fault: Fault | None = None) -> None:
        """End one fault, or all of them."""
        if fault is None:
            self._active.clear()
        else:
            self._active.pop(fault, None)
        self._changed()

    def active(self, fault: Fault) -> bool:
        return fault in self._active

    def detail(self, fault: Fault) -> FaultDetail:
        """Parameters of an active fault, the defaults of one that is not."""
        return self._active.get(fault) or FaultDetail()

    def names(self) -> list[str]:
        return sorted(self._active)

    @property
    def unit_factor(self) -> float:
        """What a reported hash rate or power is multiplied with."""
        return self._active[Fault.WRONG_UNIT].factor if Fault.WRONG_UNIT in self._active else 1.0

    def watch(self, callback: Callable[[], None]) -> None:
        self._watchers.append(callback)

    def _changed(self) -> None:
        for callback in self._watchers:
            callback()


async def deliver(writer: asyncio.StreamWriter, reply: bytes, faults: FaultState) -> None:
    """Send a reply as the faults allow. ConnectionAbortedError where a fault ends the connection."""
    if faults.active(Fault.SLOW):
        await asyncio.sleep(faults.detail(Fault.SLOW).delay_s)
    if faults.active(Fault.SILENT):
        await asyncio.sleep(SILENCE_S)
        _abort(writer, "silent")
    if faults.cut or faults.active(Fault.DEAD):
        _abort(writer, "gone")
    if faults.active(Fault.ENDLESS):
        await _send_without_end(writer, reply)
    if faults.active(Fault.GARBAGE):
        await _send_last(writer, random.Random(len(reply)).randbytes(len(reply)))
    if faults.active(Fault.TRUNCATED):
        await _send_last(writer, reply[: len(reply) // 2])
    writer.write(reply)
    await writer.drain()


async def _send_last(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
    raise ConnectionAbortedError("nothing sensible follows")


async def _send_without_end(writer: asyncio.StreamWriter, reply: bytes) -> None:
    """All but the end of the reply (a brace, a NUL), then blanks until the peer gives up."""
    writer.write(reply[:-2])
    for _ in range(ENDLESS_BYTES // len(_CHUNK)):
        writer.write(_CHUNK)
        await writer.drain()
    _abort(writer, "endless")


def _abort(writer: asyncio.StreamWriter, why: str) -> None:
    writer.transport.abort()
    raise ConnectionAbortedError(why)
