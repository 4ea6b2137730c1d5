"""Many at once by REST through a whole treasury: real judging processes, journal on the disk, simulated node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest

from controller.api import build
from controller.api.execution import MAX_BATCH_BYTES
from controller.people.service import People
from controller.signing.execution.model import Batch, Brief
from controller.signing.execution.worker import Worker
from controller.treasury import Treasury
from controller.treasury.book import SpendableContracts
from controller.treasury.execution import ExecutionDesk, execution_of
from controller.views.execution import MOST_EXECUTIONS, ExecutionWish
from controller.views.treasury import PaymentView, SpendingWish
from shared.clock import SystemClock
from shared.crypto.signing import seal
from shared.errors import Denied, GatewayError
from shared.wire.codec import decode
from shared.wire.contract import APPROVAL_DOMAIN, Approval, ContractTerms
from tests.controller.api.conftest import ORIGIN, PASSWORD, Described
from tests.controller.console.fake_site import operations
from tests.controller.treasury.conftest import House
from tests.controller.treasury.scene import ADA, ANNA, BEN, ROSA, funded, partials, text

PAID_SAT = 100_000
DEPTH = 6


@dataclass
class Scene:
    """A contract with mature coins, and the REST door of its treasury."""

    house: House
    treasury: Treasury
    contract_id: str
    client: httpx.AsyncClient
    coins: list[tuple[str, int]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/api/v1/contracts/{self.contract_id}/executions"

    async def signed(self, coin: tuple[str, int] | None = None, paid_sat: int = PAID_SAT) -> dict[str, Any]:
        """One payment as its people and signers would send it: proposed to get the base, then taken back."""
        desk, contract = self.treasury.desk, self.house.treasury.contracts.book.get(self.contract_id)
        listed = contract.policies[-1].policy.allow_list[0]
        wish = SpendingWish(
            path=contract.terms.paths[0].name,
            payments=(PaymentView(listed.address, paid_sat, listed.name),),
            reason="rent",
            fee_rate_sat_vb=2,
            coins=(coin or await self.coin(),),
        )
        asked = await desk.propose(self.contract_id, wish, ADA)
        proposal = seal(APPROVAL_DOMAIN, decode(asked.to_seal["Rosa"], Approval), [ROSA])
        sealed = await desk.seal(asked.proposal_id, proposal, ADA)
        assert sealed.to_sign is not None
        approval = decode(sealed.to_sign, Approval)
        approvals = [seal(APPROVAL_DOMAIN, approval, [key]) for key in (ANNA, BEN)]
        await desk.cancel(asked.proposal_id, "executed with others", ADA)
        return {
            "path": wish.path,
            "expiry_height": asked.expiry_height,
            "base": asked.psbt,
            "partials": [text(one) for one in partials(self.treasury, asked)],
            "proposal": text(proposal),
            "approvals": [text(one) for one in approvals],
        }

    async def coin(self) -> tuple[str, int]:
        """The next one that this test has not named."""
        if not self.coins:
            found = await self.treasury.chain.unspent(terms(self))
            self.coins += [(one.txid, one.vout) for one in found]
        return self.coins.pop()

    async def execute(self, *wishes: dict[str, Any]) -> list[dict[str, Any]]:
        answer = await self.client.post(self.path, json={"executions": wishes})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def listed(self) -> list[dict[str, Any]]:
        return (await self.client.get(self.path)).json()


def terms(scene: Scene) -> ContractTerms:
    return scene.house.treasury.contracts.book.get(scene.contract_id).terms


@asynccontextmanager
async def served(house: House, treasury: Treasury, people: People, contract_id: str) -> AsyncIterator[Scene]:
    app = build(operations(SystemClock(), 20), people, treasury=treasury.desk, executions=treasury.execution_desk)
    hooks = {"response": [Described(app)]}
    running = asyncio.create_task(treasury.executions.run())
    try:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=ORIGIN, headers={"origin": ORIGIN}, event_hooks=hooks
        ) as client:
            await client.post("/api/v1/session", json={"name": "ada", "password": PASSWORD})
            yield Scene(house, treasury, contract_id, client)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_batch_from_rest_to_the_last_block(house: House, people: People) -> None:
    of = await funded(house)
    async with served(house, house.treasury, people, of) as scene:
        good, bad, other = [await scene.signed() for _ in range(3)]
        bad["partials"][0] = other["partials"][0]
        batch = (good, bad, other, good)
        answers = await scene.execute(*batch)
        assert [one["index"] for one in answers] == [0, 1, 2, 3]
        assert [one["rule"] for one in answers] == [None, "answer.altered", None, None]
        assert "partial 0" in answers[1]["detail"]
        assert answers[3]["txid"] == answers[0]["txid"]
        assert await scene.execute(*batch) == answers
        changed = good | {"partials": good["partials"][::-1]}
        (refused,) = await scene.execute(changed)
        assert refused["rule"] == "execution.repeated"
        spent = {(one.txid, one.vout) for one in await house.treasury.chain.unspent(terms(scene))}
        held = house.treasury.board.reserved()
        assert len(spent & held.keys()) == 2
        for coin in spent & held.keys():
            with pytest.raises(Denied) as told:
                await scene.signed(coin)
            assert told.value.rule == "coins.insufficient"
        assert {one["status"] for one in await scene.listed()} == {"executed"}
        await house.treasury.execution_watch.observe()
        assert {one["status"] for one in await scene.listed()} == {"broadcast"}
        waiting = await house.rpc.call(tuple[str, ...], "getrawmempool")
        assert set(waiting) == {answers[0]["txid"], answers[2]["txid"]}
        await house.mine()
        await house.treasury.execution_watch.observe()
        assert {(one["status"], one["block_height"] is None) for one in await scene.listed()} == {("confirmed", False)}
        await house.mine(DEPTH - 1)
        await house.treasury.execution_watch.observe()
        assert {one["status"] for one in await scene.listed()} == {"buried"}
        assert list(house.treasury.board.executions.open()) == []


async def test_a_restart_before_the_broadcast(house: House, people: People) -> None:
    of = await funded(house)
    async with served(house, house.treasury, people, of) as scene:
        wish = await scene.signed()
        (before,) = await scene.execute(wish)
    again = house.make()
    await again.restore()
    try:
        async with served(house, again, people, of) as scene:
            assert await scene.execute(wish) == [before]
            await again.execution_watch.observe()
            (shown,) = await scene.listed()
            assert (shown["status"], shown["txid"]) == ("broadcast", before["txid"])
            assert await house.rpc.call(tuple[str, ...], "getrawmempool") == (before["txid"],)
    finally:
        await again.aclose()


async def test_a_block_that_leaves_the_chain(house: House, people: People) -> None:
    of = await funded(house)
    watch = house.treasury.execution_watch
    async with served(house, house.treasury, people, of) as scene:
        await scene.execute(await scene.signed())
        await watch.observe()
        await house.mine()
        await watch.observe()
        (before,) = await scene.listed()
        lost = await house.rpc.call(str, "getbestblockhash")
        await house.rpc.call(None, "invalidateblock", lost)
        await watch.observe()
        assert (await scene.listed())[0]["status"] == "broadcast"
        await house.mine(DEPTH + 1)
        await watch.observe()
        (after,) = await scene.listed()
        assert (before["status"], after["status"], after["txid"]) == ("confirmed", "buried", before["txid"])


async def test_a_coin_that_somebody_else_spends(house: House, people: People) -> None:
    of = await funded(house)
    watch = house.treasury.execution_watch
    async with served(house, house.treasury, people, of) as scene:
        coin = await scene.coin()
        ours, rival = await scene.signed(coin), await scene.signed(coin, PAID_SAT + 1)
        await house.rpc.call(str, "sendrawtransaction", final(house, of, rival).hex())
        await house.mine()
        await scene.execute(ours)
        await watch.observe()
        (shown,) = await scene.listed()
        assert (shown["status"], "missing" in shown["node_reason"]) == ("untaken", True)
        await house.mine(DEPTH - 1)
        await watch.observe()
        assert (await scene.listed())[0]["status"] == "untaken"
        await house.mine()
        await watch.observe()
        assert (await scene.listed())[0]["status"] == "overtaken"
        assert coin in house.treasury.board.reserved()


def final(house: House, contract_id: str, wish: dict[str, Any]) -> bytes:
    """What a worker makes of a wish, without anybody writing it down."""
    height = house.treasury.chain.known_height
    contract = SpendableContracts(house.treasury.contracts.book, house.treasury.boxes, lambda: height)
    found = contract.contract(contract_id)
    assert found is not None
    execution = execution_of(contract_id, msgspec.convert(wish, ExecutionWish))
    (verdict,) = Worker([Brief(found, 20)]).judge(Batch(height, (execution,)))
    return verdict.executed.raw


async def test_a_node_that_is_away_loses_nothing(house: House, people: People) -> None:
    of = await funded(house)
    async with served(house, house.treasury, people, of) as scene:
        first, second = await scene.signed(), await scene.signed()
        (done,) = await scene.execute(first)
        await house.program.stop()
        try:
            away = await scene.client.post(scene.path, json={"executions": [first, second]})
            with pytest.raises(GatewayError):
                await house.treasury.execution_watch.observe()
        finally:
            await house.program.start()
        assert away.status_code == 503
        async with asyncio.timeout(10):
            while (await scene.client.post(scene.path, json={"executions": [first, second]})).status_code == 503:
                await asyncio.sleep(0.1)
        answers = await scene.execute(first, second)
        assert (answers[0]["txid"], answers[1]["rule"]) == (done["txid"], None)
        await house.treasury.execution_watch.observe()
        assert {one["status"] for one in await scene.listed()} == {"broadcast"}


async def test_the_window_is_full_in_the_middle_of_a_batch(house: House, people: People) -> None:
    of = await funded(house, per_tx_sat=PAID_SAT + 50_000, window_sat=2 * PAID_SAT + 50_000)
    async with served(house, house.treasury, people, of) as scene:
        wishes = [await scene.signed() for _ in range(3)]
        answers = await scene.execute(*wishes)
        assert sorted(one["rule"] or "" for one in answers) == ["", "", "verdict.window-limit"]
        assert len(await scene.listed()) == 2


async def test_who_may_not_and_what_is_too_much(house: House, people: People) -> None:
    contract = await house.drafted()
    async with served(house, house.treasury, people, contract.contract_id) as scene:
        wish = {"path": "quorum", "expiry_height": 9, "base": "", "partials": [""], "proposal": "", "approvals": []}
        (answer,) = await scene.execute(wish)
        assert answer["rule"] == "spending.unknown-contract"
        for body, status in (
            ({"executions": [wish] * (MOST_EXECUTIONS + 1)}, 400),
            ({"executions": []}, 400),
            ({"executions": [wish | {"partials": []}]}, 400),
            ({"executions": [wish | {"base": "?"}]}, 400),
            ({"executions": [wish | {"base": "A" * MAX_BATCH_BYTES}]}, 413),
        ):
            assert (await scene.client.post(scene.path, json=body)).status_code == status
        unknown = scene.path.replace(contract.contract_id, "00" * 32)
        assert (await scene.client.post(unknown, json={"executions": [wish]})).status_code == 409
        assert (await scene.client.get(unknown)).status_code == 409
        off = ExecutionDesk(house.treasury.contracts.book, house.treasury.board.executions, None)
        with pytest.raises(Denied) as told:
            await off.execute(contract.contract_id, (), ADA)
        assert told.value.rule == "treasury.no-workers"
        await scene.client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
        assert (await scene.client.post(scene.path, json={"executions": [wish]})).status_code == 403
        assert await scene.listed() == []
