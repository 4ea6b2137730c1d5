"""Gathers executions, has them judged, and acknowledges each after the commit that holds it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from controller.journal import Append, Commit, Journal
from controller.signing.board import ProposalBoard
from controller.signing.execution.book import Elsewhere
from controller.signing.execution.event import PREFIX, ContractExecuted, codec
from controller.signing.execution.model import Batch, Brief, Executed, Execution, Refused, Verdict
from controller.signing.ports import Contract, ContractBook
from controller.signing.refusal import SigningRefusal
from shared.errors import BesError, Denied

MOST_IN_BATCH = 64
MOST_WAITING = 4_096
IDLE_S = 300.0
_COMMITS_AHEAD = 4


class Judges(Protocol):
    """A worker process; its death refuses the batch that it had."""

    async def judge(self, batch: Batch) -> Sequence[Verdict]: ...

    async def rest(self) -> None:
        """Give back what it holds; the next batch takes it again."""
        ...


class Waiting(NamedTuple):
    execution: Execution
    answer: "asyncio.Future[Executed]"


class ExecutionService:
    """`run` until cancelled beside the callers of `execute`. One loop for each worker, one commit for each batch.

    Each batch brings its contracts as they are in force; `indexes` tells how many of each branch are a contract's own.
    A worker that nobody asks for `idle_s` rests.
    """

    def __init__(
        self,
        journal: Journal,
        board: ProposalBoard,
        contracts: ContractBook,
        workers: Sequence[Judges],
        height: Callable[[], Awaitable[int]],
        indexes: Callable[[Contract], int],
        *,
        most_in_batch: int = MOST_IN_BATCH,
        idle_s: float = IDLE_S,
    ) -> None:
        self._journal = journal
        self._board = board
        self._book = board.executions
        self._contracts = contracts
        self._workers = tuple(workers)
        self._height = height
        self._indexes = indexes
        self._idle_s = idle_s
        self._most_in_batch = most_in_batch
        self._waiting: asyncio.Queue[Waiting] = asyncio.Queue(MOST_WAITING)
        self._commits: set[asyncio.Task[None]] = set()

    async def execute(self, execution: Execution) -> Executed:
        """The final transaction, once it is judged and durable; Denied by name, or the journal's StorageError."""
        answer: asyncio.Future[Executed] = asyncio.get_running_loop().create_future()
        await self._waiting.put(Waiting(execution, answer))
        return await answer

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(self._serve(worker))

    async def _serve(self, worker: Judges) -> None:
        try:
            await self._judge_with(worker)
        finally:
            await worker.rest()

    async def _judge_with(self, worker: Judges) -> None:
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    first = await self._waiting.get()
            except TimeoutError:
                await worker.rest()
                continue
            batch = self._gathered(first)
            try:
                height = await self._height()
                verdicts = await worker.judge(self._asked(batch, height))
            except BesError as error:
                for one in batch:
                    _refuse(one, error)
                continue
            while len(self._commits) >= _COMMITS_AHEAD:
                await asyncio.wait(self._commits, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._settle(batch, verdicts, height))
            self._commits.add(task)
            task.add_done_callback(self._commits.discard)

    def _gathered(self, first: Waiting) -> list[Waiting]:
        """The first that waits and those behind it: the more come, the more share a batch and a commit."""
        batch = [first]
        while len(batch) < self._most_in_batch and not self._waiting.empty():
            batch.append(self._waiting.get_nowait())
        return batch

    def _asked(self, batch: Sequence[Waiting], height: int) -> Batch:
        named = dict.fromkeys(one.execution.contract_id for one in batch)
        known = (contract for one in named if (contract := self._contracts.contract(one)) is not None)
        briefs = tuple(Brief(contract, self._indexes(contract)) for contract in known)
        return Batch(height, tuple(one.execution for one in batch), briefs)

    async def _settle(self, batch: Sequence[Waiting], verdicts: Sequence[Verdict], height: int) -> None:
        """Admit, commit all at once, then acknowledge; what could not be written is released and told."""
        admitted: list[tuple[Waiting, Executed]] = []
        appends: list[Append] = []
        elsewhere: dict[str, Elsewhere] = {}
        for one, verdict in zip(batch, verdicts, strict=True):
            try:
                contract, done = self._admitted(one.execution, verdict, height, elsewhere)
                admitted.append((one, done))
                appends.append(_append(one.execution, done, height, contract.depth))
            except Denied as denied:
                _refuse(one, denied)
        try:
            if appends:
                await self._journal.commit(Commit(appends=tuple(appends)))
        except BesError as error:
            for one, _ in admitted:
                self._book.release(one.execution.execution_id)
                _refuse(one, error)
            return
        for one, done in admitted:
            if not one.answer.done():
                one.answer.set_result(done)

    def _admitted(
        self, execution: Execution, verdict: Verdict, height: int, elsewhere: dict[str, Elsewhere]
    ) -> tuple[Contract, Executed]:
        """`elsewhere` is what proposals hold now, by contract; asked of the board once for a batch."""
        if verdict.executed is None:
            refused = verdict.refused or Refused(SigningRefusal.JUDGE, "no verdict")
            raise Denied(refused.rule, refused.detail)
        contract = self._contracts.contract(execution.contract_id)
        if contract is None:
            raise Denied(SigningRefusal.UNKNOWN_CONTRACT, f"there is no active contract {execution.contract_id!r}")
        judged, in_force = verdict.executed.policy_version, contract.policy.policy_version
        if judged != in_force:
            raise Denied(SigningRefusal.POLICY_CHANGED, f"judged under policy {judged}; in force is {in_force}")
        if execution.contract_id not in elsewhere:
            elsewhere[execution.contract_id] = self._board.elsewhere(contract, height)
        self._book.hold(contract, execution, verdict.executed, height, elsewhere[execution.contract_id])
        return contract, verdict.executed


def _append(execution: Execution, done: Executed, height: int, depth: int) -> Append:
    fact = ContractExecuted(
        execution_id=execution.execution_id,
        contract_id=execution.contract_id,
        path=execution.path,
        proposer=done.proposer,
        txid=done.txid,
        base=execution.base,
        proposal=execution.proposal,
        approvals=execution.approvals,
        raw=done.raw,
        inputs=done.inputs,
        external_sat=done.external_sat,
        fee_sat=done.fee_sat,
        weight_wu=done.weight_wu,
        predicted_wu=done.predicted_wu,
        height=height,
        depth=depth,
    )
    return Append(PREFIX + execution.execution_id, (codec.encode(fact, done.proposer),), 0)


def _refuse(one: Waiting, error: BesError) -> None:
    if not one.answer.done():
        one.answer.set_exception(error)
