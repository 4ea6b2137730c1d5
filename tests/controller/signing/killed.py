"""Runs one payment again and again, killed with SIGKILL at a chosen step, and taken up by the next run.

A run is a forked process; what survives it is its journal, and what the node was handed, which is a file here. Boxes
forget their nonces and what they answered. A step is every commit, publication, signature and broadcast: killed just
before it and just after it.

    python -m tests.controller.signing.killed FOLDER CONTRACT ROUNDS SEED

prints one JSON line: what was seen in each round.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from random import Random

from controller.journal.model import Commit
from controller.signing.model import ProposalStatus
from controller.storage.sqlite.journal import SqliteJournal
from shared.bitcoin.transaction import Transaction
from tests.controller.signing.fake_chain import FakeChain
from tests.controller.signing.money import operating, vault
from tests.controller.signing.stage import Stage, journal_at

NEVER = 1_000_000
_SILENCE_MS = 601_000


class Fuse:
    """Kills this process when so many steps have been taken."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.taken = 0

    def step(self) -> None:
        self.taken += 1
        self.left -= 1
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Book:
    """A file of lines that survives: written through before the call returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, line: str) -> None:
        with self._path.open("a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def lines(self) -> list[str]:
        return self._path.read_text().split() if self._path.exists() else []


async def live(folder: Path, name: str, fuse: Fuse) -> ProposalStatus:
    """Begin the payment, or take it up where the journal says that it stands."""
    contract = vault(("a", "b", "c")) if name == "vault" else operating()
    node = Book(folder / "node")
    chain = FakeChain()
    for number in range(4):
        chain.fund(contract, 10_000_000 + number, number)
    for line in node.lines():
        tx = Transaction.parse(bytes.fromhex(line))
        chain.mempool[tx.txid] = tx
    async with journal_at(folder) as store:
        _with_fuse(store, fuse)
        stage = Stage(store, contract, chain=chain)
        await stage.restore()
        _with_books(stage, node, fuse)
        return await _paid(stage, contract)


async def _paid(stage: Stage, contract) -> ProposalStatus:
    open_ = list(stage.board.open())
    progress = open_[0] if open_ else await stage.propose(contract)
    if progress.status is ProposalStatus.PROPOSED:
        await stage.seal(progress.proposal_id)
    for person in ("ann", "ben"):
        if progress.status is ProposalStatus.SEALED and person not in progress.approvals:
            await stage.approve(progress.proposal_id, person)
    for _ in range(12):
        await stage.service.tick()
        await stage.run()
        if progress.status is ProposalStatus.BROADCAST or progress.over:
            break
        stage.clock.ms += _SILENCE_MS
    return progress.status


def _with_fuse(store: SqliteJournal, fuse: Fuse) -> None:
    commit = store.commit

    async def fused(what: Commit, at_ms: int):
        fuse.step()
        recorded = await commit(what, at_ms)
        fuse.step()
        return recorded

    store.commit = fused


def _with_books(stage: Stage, node: Book, fuse: Fuse) -> None:
    broadcast = stage.chain.broadcast

    async def noted(raw: bytes) -> None:
        fuse.step()
        await broadcast(raw)
        node.add(raw.hex())
        fuse.step()

    stage.chain.broadcast = noted
    for box in stage.boxes.values():

        def answered(packet: bytes, box=box, answer=box.answer) -> bytes | None:
            fuse.step()
            told = answer(packet)
            fuse.step()
            return told

        box.answer = answered


def forked(folder: Path, name: str, steps: int) -> tuple[int | None, int]:
    """(exit status or None where it was killed, pid)."""
    pid = os.fork()
    if pid == 0:
        status = asyncio.run(live(folder, name, Fuse(steps)))
        os._exit(0 if status is ProposalStatus.BROADCAST else 1)
    _, ended = os.waitpid(pid, 0)
    return (os.WEXITSTATUS(ended) if os.WIFEXITED(ended) else None), pid


def kills(folder: Path, name: str, number: int, random: Random) -> dict[str, object]:
    """One payment, killed at step `number`, perhaps some times more, and then left to end."""
    folder.mkdir()
    killed = 0
    step = number
    while step != NEVER:
        ended, _ = forked(folder, name, step)
        killed += ended is None
        step = random.randint(1, 40) if ended is None and random.random() < 0.4 else NEVER
    ended, _ = forked(folder, name, NEVER)
    sent = {Transaction.parse(bytes.fromhex(line)).wtxid for line in Book(folder / "node").lines()}
    return {"step": number, "killed": killed, "ended": ended, "sent": len(sent)}


def main() -> None:
    folder, name, rounds, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    random = Random(seed)
    warm = folder / "warm"
    warm.mkdir()
    asyncio.run(live(warm, name, Fuse(NEVER)))  # what is derived and compiled once is inherited by every fork
    found = [kills(folder / str(number), name, number, random) for number in range(1, rounds + 1)]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
