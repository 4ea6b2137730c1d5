"""How many contract executions a second: strict parse of a base and two partials from bytes, match to the registered
contract, policy with a proposal and two approvals, final transaction, judgement by Bitcoin Core's consensus engine, and
a hash-chained event that is on the disk before the acknowledgement. Beside it what the engine alone does with the same
transactions.

Coins are distinct and made beforehand. One judging process a core; callers wait for their acknowledgement.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pbk
import psutil

from benchmarks.contracts_load import HEIGHT, INDEXES, executions, leaf_contract, musig_contract, wsh_contract
from benchmarks.contracts_node import node_name, rpc_accepts_per_s
from benchmarks.contracts_rest import BATCH, CALLERS, rest_executions_per_s
from benchmarks.contracts_stages import stages_us
from benchmarks.options import Options
from controller.gateways.executors.pool import ExecutorProcess
from controller.journal import Journal
from controller.signing.board import ProposalBoard
from controller.signing.execution.model import Batch, Brief, Executed, Execution
from controller.signing.execution.service import ExecutionService
from controller.signing.ports import Contract
from controller.storage.sqlite.journal import SqliteJournal
from controller.treasury.execution import ExecutionDesk
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import TxOut
from shared.clock import SystemClock

NAME = "contracts"
SETTINGS = ("executions", "callers", "workers", "rest", "rpc", "folder")
_STAGED = 1_000  # executions whose stages are timed


def run(options: Options) -> dict[str, object]:
    """Key `cases`: a list of `{script executions_per_s kernel_verifies_per_s rpc_executions_per_s p99_ms}` and more.

    `kernel_verifies_per_s` is the bare rate of one core (a second of its CPU), objects made beforehand;
    `share_of_kernel` is the rate of one worker against it. `cpu_us` is what one execution takes of all cores, in the
    workers and in the controller (`controller_cpu_us`, the journal included); `cpu_share_of_kernel` compares that, so
    that it says the same where other work shares the machine. `stages_us` are the parts of a worker's work
    (benchmarks/contracts_stages.py). `rpc_executions_per_s` asks a node's testmempoolaccept about final transactions.

    `rest_executions_per_s` comes by batches through the API's route (benchmarks/contracts_rest.py).

    Set `executions` (of each script), `callers` (at a time), `workers`, `rest` (how many by REST), `rpc` (how many over
    JSON-RPC) and `folder`.
    """
    count = options.number("executions", 6_000, 200, least=1)
    callers = options.number("callers", 256, 64, least=1)
    workers = options.number("workers", len(os.sched_getaffinity(0)), 1, least=1)
    rest = options.number("rest", 1_024, 64)
    rpc = options.number("rpc", 200, 10)
    place = options.word("folder", tempfile.gettempdir())
    cases = []
    for contract in (wsh_contract(), musig_contract(), leaf_contract()):
        load = list(executions(contract, count + rest))
        with tempfile.TemporaryDirectory(prefix="bes-contracts-", dir=place) as folder:
            cases.append(asyncio.run(_case(Path(folder), contract, load[:count], load[count:], callers, workers, rpc)))
    conditions = {
        "executions": count,
        "callers": callers,
        "workers": workers,
        "rest": f"{rest} of each script, {CALLERS} batches of {BATCH} at a time, the route in this process",
        "seals_each": "the proposal and 2 approvals",
        "rpc_node": f"{node_name()} on regtest, testmempoolaccept only",
    }
    return {"cases": cases, "conditions": conditions}


async def _case(
    folder: Path,
    contract: Contract,
    load: Sequence[Execution],
    by_rest: Sequence[Execution],
    callers: int,
    workers: int,
    rpc: int,
) -> dict[str, object]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SqliteJournal(folder / "journal.db"))
        judges = [await stack.enter_async_context(ExecutorProcess()) for _ in range(workers)]
        for judge in judges:
            await judge.judge(Batch(HEIGHT, (), (Brief(contract, INDEXES),)))
        journal, board = Journal(store, SystemClock()), ProposalBoard()
        journal.subscribe(board.fold)
        known = _Known(contract)
        service = ExecutionService(journal, board, known, judges, _height, lambda _: INDEXES)
        running = asyncio.create_task(service.run())
        commits = store.committer.commits
        started_s, used_s, workers_s = time.perf_counter(), time.process_time(), _children_s()
        done, waits_ms = await _executed(service, load, callers)
        took_s, used_s = time.perf_counter() - started_s, time.process_time() - used_s
        workers_s = _children_s() - workers_s
        commits = store.committer.commits - commits
        durable = (await store.state()).size
        rest_per_s = await rest_executions_per_s(folder, ExecutionDesk(known, board.executions, service), by_rest)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    kernel = _kernel_per_s(load, done)
    each = len(load) / took_s
    cpu_us = 1e6 * (used_s + workers_s) / len(load)
    return {
        "script": contract.terms.name,
        "executions_per_s": round(each),
        "kernel_verifies_per_s": round(kernel),
        "share_of_kernel": round(each / workers / kernel, 2),
        "cpu_us": round(cpu_us),
        "cpu_share_of_kernel": round(1e6 / cpu_us / kernel, 2),
        "rest_executions_per_s": rest_per_s,
        "rpc_executions_per_s": await rpc_accepts_per_s(contract, rpc),
        "p50_ms": round(statistics.median(waits_ms), 1),
        "p99_ms": round(statistics.quantiles(waits_ms, n=100)[98], 1),
        "controller_cpu_us": round(1e6 * used_s / len(load)),
        "stages_us": stages_us(contract, load[:_STAGED], INDEXES),
        "executions_a_commit": round(len(load) / commits, 1),
        "all_durable": durable == len(load),
        "weight_error_wu": max(abs(one.predicted_wu - one.weight_wu) for one in done),
    }


def _children_s() -> float:
    """CPU seconds of all processes that this one has started and that still run."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(one.user + one.system for one in times)


class _Known:
    """The contract book of one contract."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def contract(self, contract_id: str) -> Contract | None:
        return self._contract if contract_id == self._contract.contract_id else None

    def get(self, contract_id: str) -> Contract:
        assert contract_id == self._contract.contract_id
        return self._contract


async def _height() -> int:
    return HEIGHT


async def _executed(
    service: ExecutionService, load: Sequence[Execution], callers: int
) -> tuple[list[Executed], list[float]]:
    """Every caller has one execution on its way at a time."""
    todo = iter(load)
    done: list[Executed] = []
    waits_ms: list[float] = []

    async def call() -> None:
        for execution in todo:
            started_s = time.perf_counter()
            done.append(await service.execute(execution))
            waits_ms.append(1_000 * (time.perf_counter() - started_s))

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    return done, waits_ms


def _kernel_per_s(load: Sequence[Execution], done: Sequence[Executed]) -> float:
    """Verifications a second of CPU with everything prepared: the engine and nothing else."""
    spent = {Psbt.parse(one.base, quick=True).txid: _spent(one) for one in load[:2_000]}
    prepared = []
    for one in done:
        output = spent.get(one.txid)
        if output is not None:
            script, tx = pbk.ScriptPubkey(output.script), pbk.Transaction(one.raw)
            outputs = [pbk.TransactionOutput(script, output.amount_sat)]
            common = pbk.script.PrecomputedTransactionData(tx, outputs)
            prepared.append((script, output.amount_sat, tx, common, outputs))
    flags = pbk.ScriptVerificationFlags.ALL
    started_s = time.thread_time()
    good = sum(script.verify(sat, tx, common, 0, flags) for script, sat, tx, common, _ in prepared)
    took_s = time.thread_time() - started_s
    assert good == len(prepared)
    return len(prepared) / took_s


def _spent(execution: Execution) -> TxOut:
    output = Psbt.parse(execution.base, quick=True).inputs[0].spent
    assert output is not None
    return output
