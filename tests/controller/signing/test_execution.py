"""Many executions at once: each byte counts, each refusal has its name, and what was acknowledged is in the journal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from benchmarks.contracts_load import HEIGHT, contract_of, executions, leaf_contract, musig_contract, wsh_contract
from controller.gateways.executors.pool import ExecutorProcess
from controller.journal import Journal, RecordedEvent
from controller.signing.board import ProposalBoard
from controller.signing.event import ProposalApproved, ProposalSealed, RoundStarted, SpendingProposed, VerdictPassed
from controller.signing.execution.event import ContractExecuted, codec
from controller.signing.execution.model import Batch, Brief
from controller.signing.execution.service import ExecutionService
from controller.signing.execution.worker import Worker
from controller.signing.model import Round
from controller.storage.sqlite.journal import SqliteJournal
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import Transaction
from shared.errors import Denied
from shared.wire.contract import SpendingPath
from tests.controller.signing.fake_chain import FakeClock

replaced = msgspec.structs.replace


class LocalWorker:
    def __init__(self, *contracts) -> None:
        self._worker = Worker([Brief(contract, 8) for contract in contracts])
        self.rests = 0

    async def judge(self, batch: Batch):
        return self._worker.judge(replaced(batch, briefs=()))

    async def rest(self) -> None:
        self.rests += 1


@asynccontextmanager
async def serving(folder: Path, contracts, *workers, **options) -> AsyncIterator[tuple[ExecutionService, Journal]]:
    async with SqliteJournal(folder / "journal.db") as store:
        journal, board = Journal(store, FakeClock()), ProposalBoard()
        async for page in journal.since(0):
            board.fold(page)
        journal.subscribe(board.fold)

        class Known:
            @staticmethod
            def contract(contract_id: str):
                return next((one for one in contracts if one.contract_id == contract_id), None)

        async def height() -> int:
            return HEIGHT

        judges = workers or [LocalWorker(*contracts)]
        service = ExecutionService(journal, board, Known(), judges, height, lambda _: 8, **options)
        running = asyncio.create_task(service.run())
        try:
            yield service, journal
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def alone_by_script():
    """The recovery of the wsh contract: one key after a month, approved by the people of the recovery."""
    whole = wsh_contract()
    keys = {party.name: party.key for party in whole.terms.parties}
    path = SpendingPath("recovery", "recovery", ("r",), 1, older_blocks=4320)
    return contract_of("wsh recovery", whole.terms.descriptor, keys, path, 248)


def alone_by_leaf():
    """The second leaf of the Taproot contract."""
    whole = leaf_contract()
    keys = {party.name: party.key for party in whole.terms.parties}
    path = SpendingPath("recovery", "recovery", ("r",), 1, older_blocks=4320, leaf=1)
    return contract_of("leaf recovery", whole.terms.descriptor, keys, path, 171)


@pytest.fixture(scope="module", params=[wsh_contract, musig_contract, leaf_contract], ids=["wsh", "musig", "leaf"])
def scene(request):
    contract = request.param()
    return contract, list(executions(contract, 6))


async def refused(service: ExecutionService, execution) -> str:
    with pytest.raises(Denied) as told:
        await service.execute(execution)
    return told.value.rule


async def test_what_is_acknowledged_is_durable_and_done_once(tmp_path: Path, scene) -> None:
    contract, cases = scene
    async with serving(tmp_path, [contract]) as (service, journal):
        done = await asyncio.gather(*(service.execute(one) for one in cases))
        assert [one.weight_wu for one in done] == [one.predicted_wu for one in done] or all(
            0 <= one.predicted_wu - one.weight_wu <= 2 for one in done
        )
        (event,) = await journal.stream(f"execution/{cases[0].execution_id}")
        fact = codec.decode(event)
        assert isinstance(fact, ContractExecuted)
        assert Transaction.parse(fact.raw).txid == fact.txid == Psbt.parse(fact.base).txid
        assert await refused(service, cases[0]) == "execution.repeated"
    async with serving(tmp_path, [contract]) as (service, journal):
        renamed = replaced(cases[1], execution_id="e-another")
        assert await refused(service, renamed) == "execution.repeated"


async def test_two_of_one_coin_at_the_same_time(tmp_path: Path, scene) -> None:
    contract, cases = scene
    async with serving(tmp_path, [contract]) as (service, _):
        twins = [replaced(cases[0], execution_id=f"e-{n}") for n in range(3)]
        found = await asyncio.gather(*(service.execute(one) for one in twins), return_exceptions=True)
        assert sorted(isinstance(one, Denied) for one in found) == [False, True, True]


@pytest.mark.parametrize("make", [alone_by_script, alone_by_leaf])
async def test_every_path_that_the_contract_has(tmp_path: Path, make) -> None:
    contract = make()
    (case,) = executions(contract, 1)
    async with serving(tmp_path, [contract]) as (service, _):
        done = await service.execute(case)
    assert 0 <= done.predicted_wu - done.weight_wu <= 2
    (entry,) = Transaction.parse(done.raw).inputs
    assert entry.sequence == 4320
    shut = replaced(contract.terms.paths[0], after_height=HEIGHT + 1)
    (verdict,) = Worker([Brief(with_path(contract, shut), 1)]).judge(Batch(HEIGHT, (case,)))
    assert verdict.refused.rule == "coins.immature"
    other = replaced(contract.terms.paths[0], older_blocks=100)
    (verdict,) = Worker([Brief(with_path(contract, other), 1)]).judge(Batch(HEIGHT, (case,)))
    assert verdict.refused.rule == "spending.unknown-path"


def with_path(contract, path):
    return replaced(contract, terms=replaced(contract.terms, paths=(path,)))


@pytest.mark.parametrize("place", [0, 1])
async def test_every_byte_of_base_and_partials_counts(tmp_path: Path, scene, place: int) -> None:
    contract, cases = scene
    worker = LocalWorker(contract)
    case = cases[2]
    raw = case.base if place == 0 else case.partials[0]

    def with_bytes(changed: bytes):
        return replaced(case, base=changed) if place == 0 else replaced(case, partials=(changed, case.partials[1]))

    changed = [with_bytes(raw + b"\x00"), with_bytes(raw[:-1]), with_bytes(raw[:-1] + b"\x01\x02\x00\x00")]
    good = (await worker.judge(Batch(HEIGHT, (case,))))[0].executed
    assert good is not None
    for byte in range(0, len(raw), 7):
        flipped = bytearray(raw)
        flipped[byte] ^= 0x40
        changed.append(with_bytes(bytes(flipped)))
    verdicts = await worker.judge(Batch(HEIGHT, tuple(changed)))
    for verdict in verdicts:
        assert verdict.refused is not None


async def test_policy_holds_for_many_as_for_one(tmp_path: Path, scene) -> None:
    contract, cases = scene
    case = cases[3]

    def under(**limits: int):
        policy = contract.policy
        return replaced(contract, policy=replaced(policy, limits=replaced(policy.limits, **limits)))

    for changed, rule in (
        (under(per_tx_sat=1_000), "verdict.tx-limit"),
        (under(fee_sat=10), "verdict.fee-limit"),
        (under(fee_rate_sat_vb=1), "verdict.fee-rate-limit"),
        (under(weight_wu=100), "verdict.weight-limit"),
        (under(window_sat=1_000), "verdict.window-limit"),
        (under(lifetime_sat=1_000), "verdict.lifetime-limit"),
        (replaced(contract, policy=replaced(contract.policy, allow_list=())), "verdict.unlisted"),
        (replaced(contract, policy=replaced(contract.policy, cooling_blocks=HEIGHT + 1)), "verdict.cooling"),
    ):
        async with serving(tmp_path, [changed]) as (service, _):
            assert await refused(service, case) == rule
    async with serving(tmp_path, [contract]) as (service, _):
        one_yes = replaced(case, approvals=case.approvals[:1])
        assert await refused(service, one_yes) == "execution.approvals-missing"
        twice = replaced(case, approvals=(case.approvals[0],) * 2)
        assert await refused(service, twice) == "execution.approvals-missing"
        assert await refused(service, replaced(case, approvals=cases[4].approvals)) == "approval.other-tx"
        assert await refused(service, replaced(case, proposal=b"")) == "proposal.missing"
        assert await refused(service, replaced(case, proposal=case.approvals[0])) == "proposal.role"
        assert await refused(service, replaced(case, proposal=cases[4].proposal)) == "proposal.other-tx"
        assert await refused(service, replaced(case, contract_id="00" * 32)) == "spending.unknown-contract"


def proposed(contract, base: bytes, external_sat: int) -> list[RecordedEvent]:
    """A proposal of the contract that boxes were asked about."""
    tx = Psbt.parse(base).tx
    wish = SpendingProposed(
        proposal_id="s-1",
        contract_id=contract.contract_id,
        network=contract.terms.network,
        policy_version=1,
        path=contract.terms.paths[0].name,
        fallbacks=(),
        psbt=base,
        txid=tx.txid,
        inputs=tuple((entry.outpoint.txid, entry.outpoint.vout) for entry in tx.inputs),
        places=((0, 0),),
        payments=(),
        external_sat=external_sat,
        fee_sat=0,
        change_sat=0,
        change_index=None,
        change_place=None,
        weight_wu=4,
        expiry_height=HEIGHT,
        reason="r",
    )
    started = RoundStarted(proposal_id="s-1", attempt=1, round=Round.SIGN, path=wish.path, asked=(), until_ms=1)
    sealed = ProposalSealed("s-1", "treasurer", b"")
    steps = (wish, sealed, ProposalApproved("s-1", ()), VerdictPassed("s-1", tx.txid, ()), started)
    return [
        RecordedEvent(n, "proposal/s-1", n, 0, "carol", type(fact).__name__, msgspec.json.encode(fact), b"", b"")
        for n, fact in enumerate(steps, 1)
    ]


async def test_limits_and_coins_are_those_of_proposals_too(tmp_path: Path, scene) -> None:
    contract, cases = scene
    limits = replaced(contract.policy.limits, window_sat=2_000_000)
    contract = replaced(contract, policy=replaced(contract.policy, limits=limits))
    async with serving(tmp_path, [contract]) as (service, journal):
        board = service._board
        board.fold(proposed(contract, cases[0].base, 1_000_000))
        assert await refused(service, cases[0]) == "execution.proposed"
        done = await service.execute(cases[1])
        spent_sat = done.external_sat + done.fee_sat
        assert board.spent_sat(contract.contract_id, HEIGHT, without=("", 0)) == 1_000_000 + spent_sat
        assert board.spent_sat(contract.contract_id, HEIGHT + 1, without=("", 0)) == 1_000_000
        assert board.reserved().keys() >= set(done.inputs)
        assert await refused(service, cases[2]) == "verdict.window-limit"
        (event,) = await journal.stream(f"execution/{cases[1].execution_id}")
        board.fold([event])  # folded twice is folded once
        assert board.spent_sat(contract.contract_id, 0, without=("", 0)) == 1_000_000 + spent_sat


async def test_a_policy_that_changed_meanwhile(tmp_path: Path, scene) -> None:
    contract, cases = scene
    newer = replaced(contract, policy=replaced(contract.policy, policy_version=2))
    async with serving(tmp_path, [newer], LocalWorker(contract)) as (service, _):
        assert await refused(service, cases[0]) == "proposal.policy-changed"


async def test_a_coin_of_another_contract_is_foreign(tmp_path: Path) -> None:
    one, other = wsh_contract(), musig_contract()
    (case,) = executions(other, 1)
    async with serving(tmp_path, [one]) as (service, _):
        stolen = replaced(case, contract_id=one.contract_id, path="quorum")
        assert await refused(service, stolen) == "execution.foreign-coin"


def test_a_contract_that_cannot_be_read_stops_no_other() -> None:
    good = wsh_contract()
    bad = replaced(good, contract_id="00" * 32, terms=replaced(good.terms, descriptor="wsh(pk(nobody))"))
    (case,) = executions(good, 1)
    worker = Worker([Brief(bad, 1), Brief(good, 1)])
    stolen = replaced(case, contract_id=bad.contract_id)
    refused_one, executed_one = worker.judge(Batch(HEIGHT, (stolen, case)))
    assert refused_one.refused.rule == "spending.unknown-contract"
    assert "descriptor" in refused_one.refused.detail
    assert executed_one.executed is not None


async def test_a_process_that_dies_refuses_its_batch_and_is_replaced(tmp_path: Path, scene) -> None:
    contract, cases = scene
    brief = Brief(contract, 8)
    async with ExecutorProcess() as process:
        (first,) = await process.judge(Batch(HEIGHT, cases[:1], (brief,)))
        assert first.executed is not None
        process._process.kill()
        (second,) = await process.judge(Batch(HEIGHT, cases[1:2], (brief,)))
        assert second.refused is not None
        assert second.refused.rule == "signing.judge"
        (third,) = await process.judge(Batch(HEIGHT, cases[1:2], (brief,)))
        assert third.executed is not None


async def test_a_worker_learns_of_contracts_and_policies_as_they_come(tmp_path: Path) -> None:
    one, other = wsh_contract(), musig_contract()
    (first, case), (another,) = executions(one, 2), executions(other, 1)
    poorer = replaced(one.policy, policy_version=2, limits=replaced(one.policy.limits, per_tx_sat=1_000))
    process, known = ExecutorProcess(), [one]
    async with serving(tmp_path, known, process) as (service, _):
        await service.execute(first)
        assert await refused(service, another) == "spending.unknown-contract"
        running = process._process
        known[:] = replaced(one, policy=poorer), other
        assert await refused(service, case) == "verdict.tx-limit"
        await service.execute(another)
        assert process._process is running
    assert process._process is None


async def test_a_worker_that_nobody_asks_rests(tmp_path: Path) -> None:
    contract = wsh_contract()
    first, second = executions(contract, 2)
    worker = LocalWorker(contract)
    async with serving(tmp_path, [contract], worker, idle_s=0.02) as (service, _):
        await service.execute(first)
        async with asyncio.timeout(5):
            while not worker.rests:
                await asyncio.sleep(0.01)
        await service.execute(second)


async def test_a_process_that_does_not_start_refuses_by_name(scene) -> None:
    contract, cases = scene
    for command in (("/nonexistent",), ("/bin/true",)):
        (verdict,) = await ExecutorProcess(command).judge(Batch(HEIGHT, cases[:1], (Brief(contract, 1),)))
        assert verdict.refused.rule == "signing.judge"
