"""To a node that comes back: what it may have missed, as it was.

Sessions at the broker are clean, so an order to a node that is away is lost there. Until its expiry it goes out again,
with the same bytes under the same counter; the node's ledger knows what it has taken before.
"""

import asyncio
from collections.abc import Iterator

from controller.commands.board import CommandBoard
from controller.commands.event import IssuedPart, PartResent, codec, command_stream
from controller.commands.progress import CommandProgress
from controller.commands.seal import Parcel, Sealer, effect_of, wire_id
from controller.journal import Append, Commit, Journal, SideEffect
from shared.clock import Clock
from shared.log import get_logger
from shared.wire.command import Command
from shared.wire.version import WIRE_VERSION

ACTOR = "controller"

log = get_logger("commands.redelivery")


class Redelivery:
    """Looks at the board's open commands; everything that it needs is in their journal."""

    def __init__(self, journal: Journal, board: CommandBoard, sealer: Sealer, clock: Clock) -> None:
        self._journal = journal
        self._board = board
        self._sealer = sealer
        self._clock = clock
        self._lock = asyncio.Lock()  # two arrivals at once must not count one resend twice

    async def node_returned(self, site: str, node: str) -> int:
        """Queue what the broker took for the node, what it said nothing of and what is not expired; how many parts."""
        async with self._lock:
            missed = sorted(self._missed(site, node), key=lambda found: found[1].counter)
            queued = [again for progress, part in missed if (again := self._again(progress, part)) is not None]
            if queued:
                appends, effects = zip(*queued, strict=True)
                await self._journal.commit(Commit(appends=appends, effects=effects))
                log.info("commands.resent", site=site, node=node, parts=len(queued))
        return len(queued)

    def _missed(self, site: str, node: str) -> Iterator[tuple[CommandProgress, IssuedPart]]:
        now_ms = self._clock.now_ms()
        for progress in self._board.open():
            if progress.site == site:
                for part in progress.unheard():
                    if part.node == node and now_ms <= part.expires_at_ms:
                        yield progress, part

    def _again(self, progress: CommandProgress, part: IssuedPart) -> tuple[Append, SideEffect] | None:
        assert progress.request is not None
        command_id, site = progress.command_id, progress.site
        frame = Command(
            WIRE_VERSION, command_id, site, "", 0, part.issued_at_ms, part.expires_at_ms, progress.reason, ()
        )
        sealed = self._sealer.again(frame, part, progress.request.orders, approved=bool(progress.approved_by))
        if sealed is None:
            log.warning("commands.not-resent", command=command_id, node=part.node, detail="other keys or encoding")
            return None
        parcel = Parcel(site, part.node, command_id, part.number, part.expires_at_ms, sealed, again=True)
        key = f"{wire_id(command_id, part.number)}/{progress.resends[part.number] + 1}"
        fact = codec.encode(PartResent(command_id, part.number), ACTOR)
        return Append(command_stream(command_id), (fact,)), effect_of(key, parcel)
