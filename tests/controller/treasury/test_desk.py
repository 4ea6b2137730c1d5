"""Who may do what at the treasury's desk, and what it says where it knows nothing."""

import dataclasses

import httpx
import msgspec
import pytest
from nacl.signing import SigningKey

from controller.api import build
from controller.contracts.ports import ContractCoin
from controller.contracts.template.operating import OperatingWallet
from controller.contracts.template.payout import BatchPayout, RevenueSplit, Share
from controller.people.model import Actor, Permission
from controller.people.service import People
from controller.views.treasury import ControlWish, PaymentView, RefreshWish, ScheduleView, SpendingWish
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.network import Network
from shared.clock import SystemClock
from shared.crypto.signing import seal
from shared.errors import Denied, Forbidden
from shared.wire.codec import decode
from shared.wire.contract import APPROVAL_DOMAIN, Approval, ContractTerms
from tests.controller.api.conftest import ORIGIN, PASSWORD
from tests.controller.console.fake_site import operations
from tests.controller.contracts.scene import AGREEMENT
from tests.controller.treasury.conftest import House

VIEWER = Actor(name="vera", permissions=frozenset({Permission.VIEW}), key="v")
CAROL = Actor(name="carol", permissions=frozenset({Permission.VIEW, Permission.SPEND}), key="c")
PROGRAM = Actor(name="bot", permissions=CAROL.permissions, key="p", program=True)
WISH = SpendingWish(path="quorum", reason="rent")
PROOF = ControlWish(message="ours", path="signers", reason="the auditor asks")
REFRESH = RefreshWish(fee_rate_sat_vb=2, reason="the recovery opens soon")


async def test_who_only_looks_spends_nothing(house: House) -> None:
    contract = await house.drafted()
    desk, of = house.treasury.desk, contract.contract_id
    for work in (
        desk.draft(b"{}", VIEWER),
        desk.preview(b"{}", VIEWER),
        desk.preview_policy(of, b"{}", VIEWER),
        desk.change_policy(of, b"{}", VIEWER),
        desk.withdraw_policy(of, "why", VIEWER),
        desk.approve_policy(of, b"", VIEWER),
        desk.propose(of, WISH, VIEWER),
        desk.refresh(of, REFRESH, VIEWER),
        desk.seal("p-1", b"", VIEWER),
        desk.approve("p-1", b"", VIEWER),
        desk.cancel("p-1", "why", VIEWER),
        desk.replace("p-1", 5, "why", VIEWER),
        desk.import_signatures("p-1", "Anna", b"", VIEWER),
        desk.help("p-1", 5, "why", VIEWER),
        desk.ask_again("p-1", VIEWER),
        desk.tell_boxes(of, VIEWER),
        desk.receive(of, VIEWER),
        desk.split(of, 1, VIEWER),
        desk.prove(of, PROOF, VIEWER),
        desk.keep_claim(b"{}", VIEWER),
    ):
        with pytest.raises(Forbidden):
            await work


async def test_a_program_proposes_nothing(house: House) -> None:
    contract = await house.drafted()
    for work in (
        house.treasury.desk.propose(contract.contract_id, WISH, PROGRAM),
        house.treasury.desk.refresh(contract.contract_id, REFRESH, PROGRAM),
        house.treasury.desk.prove(contract.contract_id, PROOF, PROGRAM),
    ):
        with pytest.raises(Denied) as denied:
            await work
        assert denied.value.rule == "treasury.person-needed"


async def test_no_address_before_every_box_has_registered(house: House) -> None:
    contract = await house.sealed()
    with pytest.raises(Denied) as denied:
        await house.treasury.desk.receive(contract.contract_id, CAROL)
    assert denied.value.rule == "treasury.not-registered"


async def test_a_forward_gives_out_no_address(house: House) -> None:
    contract = await house.registered()
    forward = msgspec.structs.replace(contract.terms, template="hashrate-forward")
    house.treasury.contracts.book._contracts[contract.contract_id] = dataclasses.replace(contract, terms=forward)
    with pytest.raises(Denied) as denied:
        await house.treasury.desk.receive(contract.contract_id, CAROL)
    assert denied.value.rule == "treasury.no-address"


async def test_a_split_is_exact_and_goes_to_the_allow_list_in_force(house: House) -> None:
    contract = await house.registered()
    payees = [one.name for one in AGREEMENT.allow_list[:2]]
    wallet = OperatingWallet(signers=("Anna", "Ben"), recovery="Rosa")
    split = RevenueSplit(wallet=wallet, shares=(Share(payees[0], 2), Share(payees[1], 1)))
    of, book, desk = contract.contract_id, house.treasury.contracts.book, house.treasury.desk
    with pytest.raises(Denied) as plain:
        await desk.split(of, 100, CAROL)
    assert plain.value.rule == "treasury.no-shares"
    book._contracts[of] = dataclasses.replace(contract, parameters=msgspec.json.encode(split).decode())
    parts = await desk.split(of, 1_000_000, CAROL)
    assert [(one.name, one.amount_sat) for one in parts] == [(payees[0], 666_667), (payees[1], 333_333)]
    assert [one.address for one in parts] == [one.address for one in AGREEMENT.allow_list[:2]]
    view = await desk.contract(of)
    assert view.schedule == ScheduleView(payees=tuple(payees), weights=(2, 1))
    stranger = RevenueSplit(wallet=wallet, shares=(Share(payees[0], 2), Share("nobody", 1)))
    book._contracts[of] = dataclasses.replace(contract, parameters=msgspec.json.encode(stranger).decode())
    with pytest.raises(Denied, match="nobody"):
        await desk.split(of, 1_000_000, CAROL)


async def test_a_batch_tells_its_payees_and_the_next_height(house: House) -> None:
    contract = await house.registered()
    wallet = OperatingWallet(signers=("Anna", "Ben"), recovery="Rosa")
    batch = BatchPayout(wallet=wallet, payees=("Landlord",), every_blocks=1_000)
    parameters = msgspec.json.encode(batch).decode()
    changed = dataclasses.replace(contract, parameters=parameters)
    house.treasury.contracts.book._contracts[contract.contract_id] = changed
    view = await house.treasury.desk.contract(contract.contract_id)
    assert view.schedule == ScheduleView(payees=("Landlord",), next_batch_height=contract.terms.birth_height + 1_000)


async def test_an_address_tells_where_it_stands_in_the_descriptor(house: House) -> None:
    contract = await house.registered()
    found = await house.treasury.desk.receive(contract.contract_id, CAROL)
    descriptor = Descriptor.parse(found.descriptor, Network.REGTEST)
    assert (found.branch, found.index, found.address) == (0, 0, descriptor.address(0, 0))
    await house.rpc.call(tuple[str, ...], "generatetoaddress", 1, found.address)
    again = await house.treasury.desk.receive(contract.contract_id, CAROL)
    assert (again.index, again.address) == (1, descriptor.address(0, 1))


async def test_a_refresh_needs_a_coin_that_is_due(house: House) -> None:
    contract = await house.registered()
    with pytest.raises(Denied) as denied:
        await house.treasury.desk.refresh(contract.contract_id, REFRESH, CAROL)
    assert denied.value.rule == "treasury.nothing-due"


async def test_a_policy_counts_from_the_height_of_the_slowest_box(house: House) -> None:
    contract = await house.registered(effective_height=3)
    desk, of = house.treasury.desk, contract.contract_id
    await house.mine(2)
    assert (await desk.contract(of)).policy is None
    await house.mine()
    assert (await desk.contract(of)).policy is not None
    assert (await desk.state()).contracts[0].policy_version == 1


async def test_a_node_that_is_away_is_unknown_and_not_zero(house: House) -> None:
    contract = await house.registered()
    state = await house.treasury.desk.state()
    assert (state.contracts[0].balance_sat, state.trouble) == (0, "")
    await house.program.stop()
    try:
        state = await house.treasury.desk.state()
        view = await house.treasury.desk.contract(contract.contract_id)
    finally:
        await house.program.start()
    assert state.height is None
    assert state.trouble
    assert state.contracts[0].balance_sat is None
    assert (view.coins, view.summary.balance_sat, view.policy) == (None, None, None)


async def test_a_coin_whose_recovery_opens_soon_is_told_once(house: House) -> None:
    contract = await house.registered()
    told: list[str] = []
    house.treasury.on_recovery_due = told.append
    await house.treasury.judge_recovery()
    await house.treasury.judge_recovery()
    assert told == [""]
    house.treasury.chain.unspent = _old_coin  # type: ignore[method-assign]
    await house.treasury.judge_recovery()
    await house.treasury.judge_recovery()
    (_, problem) = told
    assert problem.startswith(f"{contract.terms.name}: recovery of 1 coins")


async def _old_coin(_terms: ContractTerms) -> tuple[ContractCoin, ...]:
    return (ContractCoin(txid="ab" * 32, vout=0, amount_sat=10**6, height=-60_000, branch=0, index=0),)


async def test_by_rest_a_refusal_carries_its_id_and_the_treasury_is_seen(house: House, people: People) -> None:
    contract = await house.sealed()
    app = build(operations(SystemClock(), 20), people, treasury=house.treasury.desk)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=ORIGIN, headers={"origin": ORIGIN}
    ) as client:
        assert (await client.get("/api/v1/treasury")).status_code == 401
        await client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
        state = (await client.get("/api/v1/treasury")).json()
        assert [one["contract_id"] for one in state["contracts"]] == [contract.contract_id]
        wish = {"fee_rate_sat_vb": 2, "reason": "opens soon"}
        path = f"/api/v1/contracts/{contract.contract_id}"
        assert (await client.post(f"{path}/refresh", json=wish)).status_code == 403
        await client.post("/api/v1/session", json={"name": "ada", "password": PASSWORD})
        answer = await client.post(f"{path}/refresh", json=wish)
        assert answer.json()["rule"] == "treasury.not-registered"
        assert (await client.post(f"{path}/refresh", json=wish | {"fee_rate_sat_vb": 0})).status_code in (400, 422)
        payment, person = "/api/v1/proposals/s-1", "/api/v1/boxes/nobody/restart"
        for name, body in (
            ("replacement", {"fee_rate_sat_vb": 5, "reason": "stuck"}),
            ("child", {"fee_rate_sat_vb": 5, "reason": "stuck"}),
            ("signatures", {"party": "Anna", "psbt": "cHNidP8="}),
        ):
            refused = await client.post(f"{payment}/{name}", json=body)
            assert refused.json()["rule"] == "proposal.unknown", (name, refused.text)
        assert (await client.post(f"{payment}/replacement", json={"fee_rate_sat_vb": 0})).status_code in (400, 422)
        assert (await client.get(person)).status_code == 404
        assert (await client.post(person, json={"sealed": []})).status_code in (400, 422)


async def test_a_payment_shows_what_its_proposer_signs_and_then_what_approvers_sign(house: House) -> None:
    await house.treasury.restore()
    contract = await house.registered()
    desk, of = house.treasury.desk, contract.contract_id
    await house.rpc.call(tuple[str, ...], "generatetoaddress", 1, (await desk.receive(of, CAROL)).address)
    await house.mine(110)
    await house.treasury.chain.tip()
    await house.treasury.contracts.observe(of)
    listed = contract.policies[-1].policy.allow_list[0]
    payments = (PaymentView(listed.address, 100_000, listed.name),)
    path = contract.terms.paths[0].name
    asked = await desk.propose(of, SpendingWish(path=path, payments=payments, reason="rent", fee_rate_sat_vb=2), CAROL)
    assert (asked.status, asked.asked_by, asked.proposed_by, asked.to_sign) == ("proposed", "carol", "", None)
    assert set(asked.to_seal) == {"Anna", "Ben", "Rosa"}
    document = decode(asked.to_seal["Rosa"], Approval)
    assert (document.role, document.initiator) == ("proposer", "Rosa")
    rosa = SigningKey(bytes([11]) * 32)
    sealed = await desk.seal(asked.proposal_id, seal(APPROVAL_DOMAIN, document, [rosa]), CAROL)
    assert (sealed.status, sealed.proposed_by, sealed.to_seal) == ("sealed", "Rosa", {})
    assert sealed.to_sign is not None
    assert decode(sealed.to_sign, Approval).initiator == "Rosa"
