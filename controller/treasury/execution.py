"""What the API asks of executions. Fills `controller.views.ports.ExecutionDesk`."""

import asyncio
import hashlib
from typing import Protocol

import msgspec

from controller.people.model import Actor, Permission
from controller.signing.execution.book import ExecutionBook
from controller.signing.execution.model import Execution
from controller.signing.execution.progress import ExecutionProgress
from controller.signing.execution.service import ExecutionService
from controller.treasury.refusal import TreasuryRefusal
from controller.views.execution import ExecutionAnswer, ExecutionView, ExecutionWish
from shared.errors import Denied


class Contracts(Protocol):
    """`controller.contracts.book` keeps them."""

    def get(self, contract_id: str) -> object:
        """Denied where there is none."""
        ...


class ExecutionDesk:
    """`service` is None where the settings give no workers."""

    def __init__(self, contracts: Contracts, book: ExecutionBook, service: ExecutionService | None) -> None:
        self._contracts = contracts
        self._book = book
        self._service = service
        self._running: dict[str, asyncio.Task[str]] = {}

    async def execute(
        self, contract_id: str, wishes: tuple[ExecutionWish, ...], actor: Actor
    ) -> tuple[ExecutionAnswer, ...]:
        actor.require(Permission.SPEND)
        self._contracts.get(contract_id)
        if self._service is None:
            raise Denied(TreasuryRefusal.NO_WORKERS, "the settings of this controller give no workers for executions")
        work = (self._answered(index, execution_of(contract_id, wish)) for index, wish in enumerate(wishes))
        return tuple(await asyncio.gather(*work))

    def executions(self, contract_id: str, limit: int) -> tuple[ExecutionView, ...]:
        self._contracts.get(contract_id)
        return tuple(map(_view, self._book.listed(contract_id, limit)))

    async def _answered(self, index: int, execution: Execution) -> ExecutionAnswer:
        try:
            txid = await self._once(execution)
        except Denied as denied:
            return ExecutionAnswer(
                index=index, execution_id=execution.execution_id, rule=denied.rule, detail=denied.detail
            )
        return ExecutionAnswer(index=index, execution_id=execution.execution_id, txid=txid)

    async def _once(self, execution: Execution) -> str:
        """Whoever asks for the same bytes again gets what was done, or waits for it."""
        done = self._book.find(execution.execution_id)
        if done is not None:
            return done.txid
        running = self._running.get(execution.execution_id)
        if running is None:
            running = self._running[execution.execution_id] = asyncio.create_task(self._executed(execution))
            running.add_done_callback(lambda _: self._running.pop(execution.execution_id, None))
        return await asyncio.shield(running)

    async def _executed(self, execution: Execution) -> str:
        assert self._service is not None
        return (await self._service.execute(execution)).txid


def execution_of(contract_id: str, wish: ExecutionWish) -> Execution:
    """Its id is the digest of all that was sent, so the same bytes are the same execution."""
    fields = msgspec.structs.astuple(wish)
    digest = hashlib.sha256(msgspec.msgpack.encode((contract_id, *fields))).hexdigest()
    return Execution(
        execution_id=f"e-{digest[:32]}",
        contract_id=contract_id,
        path=wish.path,
        expiry_height=wish.expiry_height,
        base=wish.base,
        partials=wish.partials,
        proposal=wish.proposal,
        approvals=wish.approvals,
    )


def _view(one: ExecutionProgress) -> ExecutionView:
    return ExecutionView(
        execution_id=one.execution_id,
        path=one.path,
        proposer=one.proposer,
        txid=one.txid,
        external_sat=one.external_sat,
        fee_sat=one.fee_sat,
        executed_at_ms=one.executed_at_ms,
        status=one.status.value,
        node_reason=one.node_reason,
        block_height=None if one.block is None else one.block.height,
    )
