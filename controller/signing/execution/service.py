"""Gathers executions, has them judged, and acknowledges each after the commit that holds it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from controller.journal import Append, Commit, Journal
from controller.signing.board import ProposalBoard
from controller.signing.execution.book import Elsewhere
from controller.signing.execution.event import PREFIX, ContractExecuted, codec
from controller.signing.execution.model import Batch, Executed, Execution, Refused, Verdict
from controller.signing.ports import ContractBook
from controller.signing.refusal import SigningRefusal
from shared.errors import BesError, Denied

MOST_IN_BATCH = 64
MOST_WAITING = 4_096
_COMMITS_AHEAD = 4


class Judges(Protocol):
    """A worker process; its death refuses the batch that it had."""

    async def judge(self, batch: Batch) -> Sequence[Verdict]: ...


class Waiting(NamedTuple):
    execution: Execution
    answer: "asyncio.Future[Executed]"


class ExecutionService:
    """`run` until cancelled beside the callers of `execute`. One loop for each worker, one commit for each batch."""

    def __init__(
        self,
        journal: Journal,
        board: ProposalBoard,
        contracts: ContractBook,
        workers: Sequence[Judges],
        height: Callable[[], Awaitable[int]],
        *,
        most_in_batch: int = MOST_IN_BATCH,
    ) -> None:
        self._journal = journal
        self._board = board
        self._book = board.executions
        self._contracts = contracts
        self._workers = tuple(workers)
        self._height = height
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
        while True:
            batch = await self._gathered()
            try:
                height = await self._height()
                verdicts = await worker.judge(Batch(height, tuple(one.execution for one in batch)))
            except BesError as error:
                for one in batch:
                    _refuse(one, error)
                continue
            while len(self._commits) >= _COMMITS_AHEAD:
                await asyncio.wait(self._commits, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._settle(batch, verdicts, height))
            self._commits.add(task)
            task.add_done_callback(self._commits.discard)

    async def _gathered(self) -> list[Waiting]:
        """The first that waits and those behind it: the more come, the more share a batch and a commit."""
        batch = [await self._waiting.get()]
        while len(batch) < self._most_in_batch and not self._waiting.empty():
            batch.append(self._waiting.get_nowait())
        return batch

    async def _settle(self, batch: Sequence[Waiting], verdicts: Sequence[Verdict], height: int) -> None:
        """Admit, commit all at once, then acknowledge; what could not be written is released and told."""
        admitted: list[tuple[Waiting, Executed]] = []
        elsewhere: dict[str, Elsewhere] = {}
        for one, verdict in zip(batch, verdicts, strict=True):
            try:
                admitted.append((one, self._admitted(one.execution, verdict, height, elsewhere)))
            except Denied as denied:
                _refuse(one, denied)
        appends = tuple(_append(one.execution, done, height) for one, done in admitted)
        try:
            if appends:
                await self._journal.commit(Commit(appends=appends))
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
    ) -> Executed:
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
        return verdict.executed


def _append(execution: Execution, done: Executed, height: int) -> Append:
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
    )
    return Append(PREFIX + execution.execution_id, (codec.encode(fact, done.proposer),), 0)


def _refuse(one: Waiting, error: BesError) -> None:
    if not one.answer.done():
        one.answer.set_exception(error)
