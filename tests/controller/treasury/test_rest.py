"""What a person does by REST, as far as the node: the app, its desk and services, a journal on the disk."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from nacl.signing import SigningKey, VerifyKey

from controller.api import build
from controller.journal import Dispatcher
from controller.people.service import People
from controller.signing.delivery import ChainDelivery
from controller.signing.request import BROADCAST_KIND
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.network import Network
from shared.clock import SystemClock
from shared.crypto.keys import key_id
from shared.crypto.signing import seal, unseal
from shared.wire.codec import decode
from shared.wire.contract import APPROVAL_DOMAIN, Approval, ContractTerms
from shared.wire.restart import RESTART_DOMAIN, LedgerRestart
from shared.wire.signing import AcceptRestart, domain
from tests.controller.api.conftest import ORIGIN, PASSWORD, Described
from tests.controller.console.fake_site import operations
from tests.controller.contracts.scene import OWNERS, VAULT
from tests.controller.treasury import conftest as boxes
from tests.controller.treasury.conftest import SITE, House
from tests.controller.treasury.scene import ANNA, BEN, ROSA, funded, partials, text

API = "/api/v1"
SIGNERS = ("Anna", "Ben")  # neither has a box: both sign by file


@pytest.fixture
async def client(house: House, people: People) -> AsyncIterator[httpx.AsyncClient]:
    app = build(operations(SystemClock(), 20), people, treasury=house.treasury.desk)
    transport, hooks = httpx.ASGITransport(app), {"response": [Described(app)]}
    async with httpx.AsyncClient(
        transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}, event_hooks=hooks
    ) as made:
        await made.post(f"{API}/session", json={"name": "ada", "password": PASSWORD})
        yield made


async def posted(client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = await client.post(f"{API}{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def paid(client: httpx.AsyncClient, house: House) -> dict[str, Any]:
    """A payment out of one of the contract's coins, as it was proposed."""
    (contract,) = house.treasury.contracts.book.open()
    listed = contract.policies[-1].policy.allow_list[0]
    payment = {"address": listed.address, "amount_sat": 100_000, "name": listed.name}
    wish = {"path": contract.terms.paths[0].name, "payments": [payment], "reason": "rent", "fee_rate_sat_vb": 2}
    return await posted(client, f"/contracts/{contract.contract_id}/proposals", wish, 201)


async def signed(client: httpx.AsyncClient, house: House, asked: dict[str, Any]) -> dict[str, Any]:
    """Sealed by Rosa, approved by Anna and Ben, signed with the files of two signers, and told to the node."""
    path = f"/proposals/{asked['proposal_id']}"
    document = decode(decoded(asked["to_seal"]["Rosa"]), Approval)
    sealed = await posted(client, f"{path}/seal", {"sealed": text(seal(APPROVAL_DOMAIN, document, [ROSA]))})
    subject = decode(decoded(sealed["to_sign"]), Approval)
    for key in (ANNA, BEN):
        shown = await posted(client, f"{path}/approvals", {"sealed": text(seal(APPROVAL_DOMAIN, subject, [key]))})
    for party, file in zip(
        SIGNERS, partials(house.treasury, house.treasury.desk.proposal(asked["proposal_id"])), strict=True
    ):
        assert shown["status"] in ("cleared", "signing")
        shown = await posted(client, f"{path}/signatures", {"party": party, "psbt": text(file)})
    treasury = house.treasury
    deliver = ChainDelivery(treasury.chain).deliver
    await Dispatcher(treasury._journal, treasury._outbox, BROADCAST_KIND, deliver, house.clock).deliver_due()
    await treasury.signing.tick()
    return (await client.get(f"{API}{path}")).json()


def decoded(text_: str) -> bytes:
    return msgspec.convert(text_, bytes, strict=False)


async def mempool(house: House) -> set[str]:
    return set(await house.rpc.call(tuple[str, ...], "getrawmempool"))


async def test_an_address_is_one_of_the_descriptor_that_nobody_has_paid(client, house: House) -> None:
    of = await funded(house)
    answer = await client.get(f"{API}/contracts/{of}/address")
    found = answer.json()
    descriptor = Descriptor.parse(found["descriptor"], Network.REGTEST)
    assert (answer.status_code, found["branch"], found["index"]) == (200, 0, 1)  # its first one has coins
    assert found["address"] == descriptor.address(0, 1)


async def test_a_payment_signed_by_files_is_replaced_and_then_helped_by_a_child(client, house: House) -> None:
    await funded(house)
    first = await signed(client, house, await paid(client, house))
    assert first["status"] == "broadcast"
    assert await mempool(house) == {first["txid"]}
    slow = {"fee_rate_sat_vb": 2, "reason": "stuck"}
    refused = await client.post(f"{API}/proposals/{first['proposal_id']}/replacement", json=slow)
    assert refused.json()["rule"] == "replacement.fee-too-low"
    asked = await posted(client, f"/proposals/{first['proposal_id']}/replacement", slow | {"fee_rate_sat_vb": 6})
    assert (asked["status"], asked["replaces"]) == ("proposed", first["proposal_id"])
    assert asked["payments"] == first["payments"]
    second = await signed(client, house, asked)
    assert second["fee_sat"] > first["fee_sat"]
    assert await mempool(house) == {second["txid"]}
    helped = await posted(client, f"/proposals/{second['proposal_id']}/child", slow | {"fee_rate_sat_vb": 20})
    assert (helped["status"], helped["helps"], helped["payments"]) == ("proposed", second["proposal_id"], [])
    child = await signed(client, house, helped)
    assert await mempool(house) == {second["txid"], child["txid"]}
    await house.mine(6)
    await house.treasury.signing.tick()
    shown = [(await client.get(f"{API}/proposals/{one['proposal_id']}")).json() for one in (first, second, child)]
    assert [one["status"] for one in shown] == ["replaced", "buried", "buried"]
    assert shown[0]["replaced_by"] == second["proposal_id"]


async def test_a_file_of_nobody_is_refused_and_changes_nothing(client, house: House) -> None:
    await funded(house)
    asked = await paid(client, house)
    path = f"{API}/proposals/{asked['proposal_id']}/signatures"
    early = await client.post(path, json={"party": "Anna", "psbt": asked["psbt"]})
    assert early.json()["rule"] == "proposal.wrong-status"
    unknown = await client.post(path, json={"party": "Anna", "psbt": "?"})
    assert unknown.status_code in (400, 422)
    assert (await client.get(f"{API}/proposals/{asked['proposal_id']}")).json() == asked


async def test_coins_whose_recovery_opens_soon_are_moved_back_to_the_contract(
    client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxes, "VAULT", msgspec.structs.replace(VAULT, recovery_after_blocks=350))
    of = await funded(house)
    before = {(one.txid, one.vout) for one in await house.treasury.chain.unspent(_terms(house))}
    wish = {"fee_rate_sat_vb": 2, "reason": "the recovery opens soon"}
    asked = await posted(client, f"/contracts/{of}/refresh", wish, 201)
    assert (asked["status"], asked["payments"]) == ("proposed", [])
    done = await signed(client, house, asked)
    assert (done["status"], await mempool(house)) == ("broadcast", {done["txid"]})
    await house.mine()
    await house.treasury.chain.tip()
    (moved,) = await house.treasury.chain.unspent(_terms(house))
    assert (moved.txid, moved.amount_sat) == (done["txid"], done["change_sat"])
    assert len(before) == 5
    again = await client.post(f"{API}/contracts/{of}/refresh", json=wish)
    assert again.json()["rule"] == "treasury.nothing-due"


async def test_the_restart_of_a_ledger_reaches_the_other_boxes(client, house: House) -> None:
    path = f"{API}/boxes/{boxes.ANNA.box_id}/restart"
    assert (await client.get(path)).json()["rule"] == "treasury.box-unheard"
    await house.treasury.post.arrived(SITE, "anna", boxes.ANNA.report(7))
    shown = (await client.get(path)).json()
    document = decode(decoded(shown["to_sign"]), LedgerRestart)
    assert (shown["ledger_seq"], document.box_id) == (1, boxes.ANNA.box_id)
    answers = [text(seal(RESTART_DOMAIN, document, [owner])) for owner in OWNERS[:2]]
    told = await client.post(path, json={"sealed": answers})
    assert (told.status_code, told.json()["ceremony"]) == (200, document.ceremony)
    ((node, packet),) = house.broker.sent
    assert (node, packet.kind) == ("ben", "restart")
    operator = SigningKey(b"o" * 32).verify_key
    order, _ = unseal(domain("restart"), packet.sealed, _by_id(operator), AcceptRestart)
    read, signers = unseal(RESTART_DOMAIN, order.restart, _by_id(*(one.verify_key for one in OWNERS)), LedgerRestart)
    assert (read, len(signers)) == (document, 2)


def _by_id(*keys: VerifyKey) -> dict[str, VerifyKey]:
    return {key_id(key): key for key in keys}


def _terms(house: House) -> ContractTerms:
    (contract,) = house.treasury.contracts.book.open()
    return contract.terms
