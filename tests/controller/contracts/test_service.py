"""The life of a contract through the service, on a journal that is on the disk."""

import asyncio

import msgspec
import pytest
from nacl.signing import SigningKey

from controller.contracts.approval import owner_keys
from controller.contracts.book import ContractBook
from controller.contracts.event import codec, contract_stream
from controller.contracts.model import Phase
from controller.contracts.registration import EFFECT_KIND, Registration, RegistrationDelivery
from controller.contracts.service import SAFE_DEPTH
from controller.journal import Dispatcher
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from shared.crypto.signing import seal, unseal
from shared.errors import Conflict, Corrupt, GatewayUnavailable
from shared.wire.codec import decode
from shared.wire.contract import POLICY_DOMAIN, SpendingPolicy, contract_id
from tests.controller.contracts.scene import OWNERS, FakeClock, answer, denied, signed

BOXES = ("box-a", "box-b")


async def drafted(service, vault):
    return await service.draft(vault, BOXES, actor="Tilda")


async def registered(service, vault):
    contract = await drafted(service, vault)
    for owner in (0, 1):
        await service.approve(contract.contract_id, signed(vault.policy, owner), actor=f"owner {owner}")
    for box in BOXES:
        contract = await service.box_answered(answer(contract.contract_id, box))
    return contract


async def test_from_draft_to_active_and_closed(service, vault, coins):
    contract = await drafted(service, vault)
    assert contract.phase is Phase.DRAFT
    assert contract.contract_id == contract_id(vault.terms)
    assert contract.drafted_by == "Tilda"
    one = await service.approve(contract.contract_id, signed(vault.policy, 0), actor="Anna")
    assert one.phase is Phase.DRAFT
    assert one.policy_at(900_000) is None
    both = await service.approve(contract.contract_id, signed(vault.policy, 1), actor="Ben")
    assert both.phase is Phase.APPROVED
    first = await service.box_answered(answer(contract.contract_id, "box-a"))
    assert first.phase is Phase.APPROVED
    second = await service.box_answered(answer(contract.contract_id, "box-b", effective_height=800_010))
    assert second.phase is Phase.REGISTERED
    assert second.policy_at(800_009) is None
    assert second.policy_at(800_010).policy == vault.policy

    assert (await service.observe(contract.contract_id)).phase is Phase.REGISTERED
    coins.add(1, None)
    assert (await service.observe(contract.contract_id)).phase is Phase.REGISTERED
    coins.held.clear()
    coins.add(1, coins.tip)
    assert (await service.observe(contract.contract_id)).phase is Phase.FUNDED
    coins.tip += SAFE_DEPTH - 2
    assert (await service.observe(contract.contract_id)).phase is Phase.FUNDED
    coins.tip += 1
    active = await service.observe(contract.contract_id)
    assert active.phase is Phase.ACTIVE
    assert active.may_propose
    with denied("contract.not-empty"):
        await service.close(contract.contract_id, "rotated", actor="Tilda")
    coins.held.clear()
    closed = await service.close(contract.contract_id, "rotated", actor="Tilda")
    assert closed.phase is Phase.CLOSED
    assert closed.closed_reason == "rotated"


async def test_the_sealed_policy_carries_every_owner(service, vault):
    contract = await drafted(service, vault)
    await service.approve(contract.contract_id, signed(vault.policy, 2), actor="Carl")
    contract = await service.approve(contract.contract_id, signed(vault.policy, 0), actor="Anna")
    policy, signers = unseal(POLICY_DOMAIN, contract.pending.sealed, owner_keys(vault.policy), SpendingPolicy)
    assert policy == vault.policy
    assert len(signers) == 2


async def test_a_funding_that_is_reorganised_away_is_no_funding(service, vault, coins):
    contract = await registered(service, vault)
    coins.add(1, coins.tip)
    await service.observe(contract.contract_id)
    coins.held.clear()
    assert (await service.observe(contract.contract_id)).phase is Phase.REGISTERED
    coins.add(1, coins.tip + 1)
    coins.tip += 10
    assert (await service.observe(contract.contract_id)).phase is Phase.ACTIVE


async def test_a_contract_with_a_deadline_expires_with_its_coins(service, vault, coins):
    dated = msgspec.structs.replace(vault, expires_at_height=800_100)
    contract = await registered(service, dated)
    coins.add(1, coins.tip)
    coins.tip = 800_099
    assert (await service.observe(contract.contract_id)).phase is Phase.ACTIVE
    coins.tip = 800_100
    assert (await service.observe(contract.contract_id)).phase is Phase.EXPIRED
    assert (await service.observe(contract.contract_id)).phase is Phase.EXPIRED


async def test_boxes_are_told_once_each_and_again_until_they_are_reached(service, vault, journal):
    class Registrar:
        def __init__(self):
            self.told, self.down = [], True

        async def register(self, box_id, terms, policy_version, sealed_policy):
            if self.down:
                raise GatewayUnavailable("broker: not there")
            self.told.append((box_id, terms.name, policy_version, sealed_policy))

    contract = await drafted(service, vault)
    registrar, clock = Registrar(), FakeClock()
    delivery = RegistrationDelivery(registrar, service.book)
    outbox = SqliteOutbox(journal._store)
    dispatcher = Dispatcher(journal, outbox, EFFECT_KIND, delivery.deliver, clock, delivery.abandon)
    assert await dispatcher.deliver_due() == 0
    for owner in (0, 1):
        contract = await service.approve(contract.contract_id, signed(vault.policy, owner), actor="owner")
    assert await dispatcher.deliver_due() == 2
    assert registrar.told == []
    registrar.down = False
    clock.ms += 60_000
    assert await dispatcher.deliver_due() == 2
    assert registrar.told == [(box, "Cold treasury", 1, contract.pending.sealed) for box in BOXES]
    clock.ms += 60_000
    assert await dispatcher.deliver_due() == 0


async def test_boxes_that_have_not_answered_are_told_again(service, vault, journal):
    contract = await drafted(service, vault)
    with denied("contract.wrong-phase"):
        await service.ask_again(contract.contract_id, actor="Tilda")
    for owner in (0, 1):
        await service.approve(contract.contract_id, signed(vault.policy, owner), actor="owner")
    outbox = SqliteOutbox(journal._store)
    assert len(await outbox.take(EFFECT_KIND, 2**50, 10)) == 2
    await service.box_answered(answer(contract.contract_id, "box-b"))
    state = await service.ask_again(contract.contract_id, actor="Tilda")
    assert state.pending.attempts == 1
    waiting = [decode(entry.payload, Registration).box_id for entry in await outbox.take(EFFECT_KIND, 2**50, 10)]
    assert sorted(waiting) == ["box-a", "box-a", "box-b"]


async def test_what_the_owners_sealed_cannot_be_called_back(service, vault):
    """Any box may have it already; a second document of the same version would divide the boxes."""
    contract = await registered(service, vault)
    second = msgspec.structs.replace(vault.policy, policy_version=2)
    await service.draft_policy(second, actor="Tilda")
    for owner in (0, 1):
        await service.approve(contract.contract_id, signed(second, owner), actor="owner")
    with denied("contract.policy-sealed"):
        await service.withdraw_policy(contract.contract_id, "second thoughts", actor="Tilda")


async def test_what_cannot_be_delivered_stands_as_a_refusal(service, vault, journal):
    contract = await drafted(service, vault)
    for owner in (0, 1):
        await service.approve(contract.contract_id, signed(vault.policy, owner), actor="owner")
    delivery = RegistrationDelivery(None, service.book)
    entry = (await SqliteOutbox(journal._store).take(EFFECT_KIND, 2**50, 10))[0]
    assert decode(entry.payload, Registration).box_id == "box-a"
    (append,) = delivery.abandon(entry, "refused for good")
    await journal.append(append.stream, append.events, expected_version=append.expected_version)
    refusal = service.book.get(contract.contract_id).pending.refusals["box-a"]
    assert refusal.rule == "contract.undelivered"
    again = await service.box_answered(answer(contract.contract_id, "box-a"))
    assert again.pending.refusals == {}


async def test_a_box_that_refuses_is_shown_with_its_rule_and_keeps_the_contract_back(service, vault):
    contract = await drafted(service, vault)
    for owner in (0, 1):
        await service.approve(contract.contract_id, signed(vault.policy, owner), actor="owner")
    no = answer(contract.contract_id, "box-a", rule="input.unregistered", detail="its key is not mine")
    await service.box_answered(no)
    version = (await service.box_answered(no)).version
    assert (await service.box_answered(no)).version == version
    shown = await service.box_answered(answer(contract.contract_id, "box-b"))
    assert shown.phase is Phase.APPROVED
    assert shown.pending.refusals["box-a"].rule == "input.unregistered"


async def test_a_new_policy_counts_from_the_height_at_which_the_slowest_box_takes_it(service, vault):
    contract = await registered(service, vault)
    later = msgspec.structs.replace(vault.policy, policy_version=2, approvals_needed=1)
    await service.draft_policy(later, actor="Tilda")
    for owner in (0, 2):
        await service.approve(contract.contract_id, signed(later, owner), actor="owner")
    await service.box_answered(answer(contract.contract_id, "box-a", 2, effective_height=800_144))
    state = await service.box_answered(answer(contract.contract_id, "box-b", 2, effective_height=800_150))
    assert state.phase is Phase.REGISTERED
    assert state.policy_at(800_149).policy.policy_version == 1
    assert state.policy_at(800_150).policy.policy_version == 2
    assert (await service.box_answered(answer(contract.contract_id, "box-b", 2))).version == state.version


async def test_the_owners_of_the_policy_in_force_sign_the_next_one(service, vault):
    """A policy that names its own owners cannot make itself valid."""
    contract = await registered(service, vault)
    thief = OWNERS[2]
    stolen = msgspec.structs.replace(vault.policy, policy_version=2, owners=(bytes(thief.verify_key),), owners_needed=1)
    await service.draft_policy(stolen, actor="Tilda")
    assert service.book.get(contract.contract_id).pending.policy == stolen
    state = await service.approve(contract.contract_id, seal(POLICY_DOMAIN, stolen, [thief]), actor="Carl")
    assert state.pending.sealed is None
    withdrawn = await service.withdraw_policy(contract.contract_id, "a mistake", actor="Anna")
    assert withdrawn.pending is None


async def test_drafts_are_refused_by_name(service, vault):
    await drafted(service, vault)
    with denied("contract.exists"):
        await drafted(service, vault)
    other = msgspec.structs.replace(vault, terms=msgspec.structs.replace(vault.terms, epoch=2))
    for boxes in ((), ("box-a", "box-a")):
        with denied("contract.unknown-box"):
            await service.draft(other, boxes, actor="Tilda")
    with denied("contract.unknown"):
        await service.draft(other, BOXES, actor="Tilda", succeeds="00" * 32)


async def test_approvals_are_refused_by_name(service, vault):
    contract = await drafted(service, vault)
    of = contract.contract_id
    stranger = seal(POLICY_DOMAIN, vault.policy, [SigningKey(b"\x01" * 32)])
    with denied("contract.not-owner"):
        await service.approve(of, stranger, actor="Mallory")
    with denied("contract.not-owner"):
        await service.approve(of, seal(b"bes/other/v1", vault.policy, [OWNERS[0]]), actor="Mallory")
    with denied("contract.not-owner"):
        await service.approve(of, b"garbage", actor="Mallory")
    with denied("contract.not-owner"):
        await service.approve(of, signed(vault.policy, 0, 1), actor="Mallory")
    with denied("contract.other-policy"):
        await service.approve(of, signed(msgspec.structs.replace(vault.policy, cooling_blocks=0), 0), actor="Anna")
    await service.approve(of, signed(vault.policy, 0), actor="Anna")
    with denied("contract.approved-already"):
        await service.approve(of, signed(vault.policy, 0), actor="Anna")
    await service.approve(of, signed(vault.policy, 1), actor="Ben")
    with denied("contract.approved-already"):
        await service.approve(of, signed(vault.policy, 2), actor="Carl")


async def test_answers_of_boxes_are_refused_by_name(service, vault):
    contract = await drafted(service, vault)
    with denied("contract.wrong-phase"):
        await service.box_answered(answer(contract.contract_id, "box-a"))
    for owner in (0, 1):
        await service.approve(contract.contract_id, signed(vault.policy, owner), actor="owner")
    with denied("contract.unknown-box"):
        await service.box_answered(answer(contract.contract_id, "box-x"))
    with denied("contract.policy-version"):
        await service.box_answered(answer(contract.contract_id, "box-a", 2))
    with denied("contract.unknown"):
        await service.box_answered(answer("11" * 32, "box-a"))


async def test_policies_are_refused_by_name(service, vault):
    contract = await registered(service, vault)
    for version in (1, 3):
        with denied("contract.policy-version"):
            await service.draft_policy(msgspec.structs.replace(vault.policy, policy_version=version), actor="Tilda")
    with denied("contract.policy-version"):
        await service.withdraw_policy(contract.contract_id, "nothing there", actor="Tilda")
    second = msgspec.structs.replace(vault.policy, policy_version=2)
    await service.draft_policy(second, actor="Tilda")
    with denied("contract.policy-version"):
        await service.draft_policy(second, actor="Tilda")
    with denied("contract.reason-missing"):
        await service.withdraw_policy(contract.contract_id, "  ", actor="Tilda")


async def test_closing_is_refused_by_name(service, vault):
    contract = await drafted(service, vault)
    with denied("contract.reason-missing"):
        await service.close(contract.contract_id, "", actor="Tilda")
    with denied("contract.unknown"):
        await service.close(contract.contract_id, "done", actor="Tilda", successor="22" * 32)
    await service.close(contract.contract_id, "never wanted", actor="Tilda")
    with denied("contract.wrong-phase"):
        await service.close(contract.contract_id, "again", actor="Tilda")


async def test_of_two_who_decide_on_the_same_state_one_is_told_to_look_again(service, vault):
    contract = await drafted(service, vault)
    both = await asyncio.gather(
        *(service.close(contract.contract_id, "twice", actor=name) for name in ("Anna", "Ben")), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in both) == ["Conflict", "Contract"]
    assert isinstance(next(one for one in both if isinstance(one, Exception)), Conflict)


async def test_a_controller_that_starts_again_knows_what_the_first_knew(service, vault, coins, journal):
    contract = await registered(service, vault)
    coins.add(1, coins.tip)
    await service.observe(contract.contract_id)
    again = ContractBook()
    again.fold(await journal.stream(contract_stream(contract.contract_id)))
    assert again.get(contract.contract_id) == service.book.get(contract.contract_id)
    assert again.listed() == service.book.listed()
    assert again.open() == (service.book.get(contract.contract_id),)


async def test_a_log_that_contradicts_itself_is_not_believed(service, vault, journal):
    contract = await registered(service, vault)
    events = await journal.stream(contract_stream(contract.contract_id))
    with pytest.raises(Corrupt, match="missing"):
        ContractBook().fold([events[0], *events[2:]])
    with pytest.raises(Corrupt, match="missing"):
        ContractBook().fold(events[1:])
    twice = msgspec.structs.replace(events[1], version=events[-1].version + 1)
    with pytest.raises(Corrupt, match="OwnerApproved"):
        ContractBook().fold([*events, twice])
    again = ContractBook()
    again.fold([*events, *events])
    assert again.get(contract.contract_id) == contract


async def test_an_event_type_that_is_not_ours_is_left_alone(service, vault, journal):
    contract = await drafted(service, vault)
    (event,) = await journal.stream(contract_stream(contract.contract_id))
    assert codec.decode(msgspec.structs.replace(event, name="CommandIssued")) is None
