"""Attacks that need several steps: patience, replays, lost machines, other boxes, faulty tokens."""

import sys
import time
from dataclasses import replace

import msgspec
import pytest
from nacl.signing import SigningKey

from agent.signer.ledger import EntryKind
from agent.signer.sessions.ceremony import accept_restart
from shared.bitcoin.address import address_of
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.bitcoin.transaction import TxOut
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.errors import BitcoinDisagreement, Denied
from shared.wire.codec import encode
from shared.wire.contract import POLICY_DOMAIN, Destination, contract_id
from shared.wire.signing import (
    RESTART_DOMAIN,
    HeadersBatch,
    LedgerRestart,
    Packet,
    RegisterContract,
    SigningAnswer,
    WitnessAnswer,
    WitnessRequest,
    domain,
)
from tests.agent.signer.scene import (
    HEIGHT,
    MASTERS,
    NETWORK,
    OPERATOR,
    OWNERS,
    REA,
    ROB,
    SUPPLIER,
    WSH,
    Box,
    MemoryKeys,
    approvals,
    at,
    coin,
    payment,
    policy,
    public,
    sealed_policy,
    terms,
)

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


async def refused(box: Box, psbt, rule: str, **changed: object) -> SigningAnswer:
    signed = box.keys.signed
    answer = await box.ask(psbt, **changed)
    assert (answer.outcome, answer.rule) == ("refused", rule), answer.detail
    assert box.keys.signed == signed
    return answer


def slice_of(number: int, amount_sat: int = 900_000):
    return payment(coins=[coin(amount_sat=1_000_000, salt=number)], pays=(TxOut(amount_sat, SUPPLIER),))


async def test_salami_meets_the_window_and_then_the_lifetime(box):
    for number in range(2):
        assert (await box.ask(slice_of(number))).outcome == "signed"
    await refused(box, slice_of(2), "limit.window")
    box.clock.now = at(HEIGHT + 144)
    box.ledger._boot_id = "another boot"
    external = 900_000
    later = slice_of(3)
    given = approvals(box.subject, later, external, expiry_height=HEIGHT + 1000)
    assert (await box.ask(later, given=given)).outcome == "signed"
    box.clock.now = at(HEIGHT + 400)
    last = slice_of(4)
    given = approvals(box.subject, last, external, expiry_height=HEIGHT + 1000)
    await refused(box, last, "limit.lifetime", given=given)


async def test_one_coin_in_two_executions(box):
    await box.ask(payment())
    await refused(box, payment(pays=(TxOut(90_000, SUPPLIER),)), "input.reserved")


async def test_a_chain_of_replacements_whose_ends_share_no_coin_pays_twice(box):
    """Version 1 spends A and B, version 2 B and C, version 3 C and D: 1 and 3 could both confirm."""
    a, b, c, d = (coin(salt=salt) for salt in range(4))
    first, second, third = (
        payment(coins=[a, b]),
        payment(coins=[b, c], fee_sat=3_000),
        payment(coins=[c, d], fee_sat=4_000),
    )
    assert (await box.ask(first)).outcome == "signed"
    assert (await box.ask(second, family=(first.txid,))).outcome == "signed"
    assert (await box.ask(third, family=(first.txid, second.txid))).outcome == "signed"
    debits = [row.debit_sat for row in await box.rows() if row.kind == EntryKind.DEBIT]
    assert debits == [102_000, 1_000, 104_000]


async def test_a_request_id_with_other_content(box):
    request = box.request(payment())
    await box.sessions.answer(request)
    signed = box.keys.signed
    answer = await box.sessions.answer(msgspec.structs.replace(request, expires_at_ms=request.expires_at_ms + 1))
    assert answer.rule == "request.replay"
    assert box.keys.signed == signed
    assert (await box.sessions.answer(request)).outcome == "signed", "the first answer stands"


async def test_packets_that_are_played_again_and_again_do_not_fill_the_disk(box):
    request = box.request(payment())
    await box.sessions.answer(request)
    liar = msgspec.structs.replace(request, expires_at_ms=request.expires_at_ms + 1)
    first = await box.sessions.answer(liar)
    rows = await box.rows()
    assert [await box.sessions.answer(liar) for _ in range(3)] == [first] * 3
    assert first.rule == "request.replay"
    assert await box.rows() == rows


async def test_other_content_does_not_poison_a_request_that_waits_for_its_answer(box):
    """The box died between debit and answer, and a liar comes before the honest sender does."""
    request = box.request(payment())

    def die(*_: object) -> bytes:
        raise RuntimeError("power cut")

    honest, box.keys.sign_ecdsa = box.keys.sign_ecdsa, die
    with pytest.raises(RuntimeError):
        await box.sessions.answer(request)
    box.keys.sign_ecdsa = honest
    liar = msgspec.structs.replace(request, expires_at_ms=request.expires_at_ms + 1)
    assert (await box.sessions.answer(liar)).rule == "request.replay"
    assert (await box.sessions.answer(request)).outcome == "signed"


async def test_implementations_that_disagree_about_a_hash(box):
    def differ(*_: object) -> bytes:
        raise BitcoinDisagreement("two hashes of one input")

    box.keys.sign_ecdsa = differ
    answer = await box.ask(payment())
    assert (answer.outcome, answer.rule, answer.psbt) == ("refused", "psbt.disagree", b"")


async def test_a_stale_clock_signs_nothing(box):
    box.clock.fault = "no header for three hours"
    await refused(box, payment(), "clock.stale")


async def test_a_clock_set_back_signs_nothing(box):
    await box.ask(payment())
    box.clock.now = at(HEIGHT - 50)
    await refused(box, payment(coins=[coin(salt=1)]), "clock.stale")


async def test_a_ledger_that_cannot_be_written_signs_nothing(box):
    async def full(*_: object) -> None:
        raise Denied("ledger.unwritable", "the disk is full")

    box.ledger.debit = full
    await refused(box, payment(), "ledger.unwritable")


async def test_a_box_without_a_key_of_the_path(tmp_path):
    box = await Box(tmp_path, keys=MemoryKeys()).open()
    await refused(box, payment(), "sign.not-ours")
    assert EntryKind.DEBIT not in {row.kind for row in await box.rows()}
    await box.close()


def high_s(secret: bytes, digest: bytes) -> bytes:
    """The same signature with the other s, in DER."""
    der = sign_ecdsa(secret, digest)
    r_bytes = der[4 : 4 + der[3]]
    s = N - int.from_bytes(der[6 + der[3] :], "big")
    s_bytes = s.to_bytes(33, "big")
    body = b"\x02" + bytes((len(r_bytes),)) + r_bytes + b"\x02" + bytes((len(s_bytes),)) + s_bytes
    return b"\x30" + bytes((len(body),)) + body


@pytest.mark.parametrize(
    "faulty",
    [
        lambda box, key, digest: high_s(box.keys.secrets[key], digest),
        lambda box, key, digest: sign_ecdsa(MASTERS["b"].derive((0, 0)).secret, digest),
        lambda box, key, digest: sign_ecdsa(box.keys.secrets[key], bytes(32)),
        lambda box, key, digest: b"",
    ],
    ids=["high S", "wrong key", "another digest", "nothing"],
)
async def test_a_faulty_token_releases_nothing(box, faulty):
    box.keys.sign_ecdsa = lambda key, digest: faulty(box, key, digest)
    answer = await box.ask(payment())
    assert (answer.outcome, answer.rule, answer.psbt) == ("refused", "sign.selfcheck", b"")


async def test_a_destination_that_was_just_added_waits(box):
    newcomer = p2wpkh(public_key_of(b"\x0b" * 32))

    added = Destination("newcomer", str(address_of(newcomer, NETWORK)), 0)
    document = policy(box.subject, policy_version=2, allow_list=(added,), cooling_blocks=0)
    taken = await box.registry.change(box.subject, sealed_policy(document), at(HEIGHT))
    assert taken.effective_height == HEIGHT + 144
    pays = payment(pays=(TxOut(100_000, newcomer),))
    await refused(box, pays, "output.unlisted")
    box.clock.now = at(HEIGHT + 143)
    await refused(box, pays, "approval.policy-version", policy_version=2)
    box.clock.now = at(HEIGHT + 144)
    given = approvals(box.subject, pays, 100_000, policy_version=2, expiry_height=HEIGHT + 1000)
    assert (await box.ask(pays, given=given, policy_version=2)).outcome == "signed"
    await refused(box, payment(coins=[coin(salt=5)]), "approval.policy-version")


async def test_a_first_destination_waits_from_when_the_owners_added_it(tmp_path):
    box = Box(tmp_path)
    address = policy(box.subject).allow_list[0].address
    await box.open(allow_list=(Destination("supplier", address, HEIGHT - 143),))
    await refused(box, payment(), "output.cooling")
    box.clock.now = at(HEIGHT + 1)
    assert (await box.ask(payment())).outcome == "signed"
    await box.close()


async def test_an_empty_allow_list_pays_nobody(tmp_path):
    box = await Box(tmp_path).open(allow_list=())
    await refused(box, payment(), "output.unlisted")
    await box.close()


async def test_recovery_needs_its_people_and_its_time(tmp_path):
    box = await Box(tmp_path, keys=MemoryKeys(MASTERS["r"])).open()
    psbt = payment(sequence=144)
    given = approvals(box.subject, psbt, 100_000, (REA, ROB), role="recovery", expiry_height=HEIGHT + 1000)
    box.clock.now = at(243)
    await refused(box, psbt, "path.mismatch", path="recovery", given=given)
    box.clock.now = at(HEIGHT)
    await refused(box, payment(sequence=143), "path.mismatch", path="recovery", given=given)
    assert (await box.ask(psbt, path="recovery", given=given)).outcome == "signed"
    await box.close()


async def test_an_execution_over_its_weight(tmp_path):
    box = Box(tmp_path)
    limits = msgspec.structs.replace(policy(box.subject).limits, weight_wu=700)
    await box.open(limits=limits)
    await refused(box, payment(), "limit.weight")
    await box.close()


class TestOwners:
    """Registration: whoever changes the rules must be who may."""

    async def refused(self, box: Box, rule: str, sealed: bytes, contract=None) -> None:
        rows = await box.rows()
        if contract is None:
            taking = box.registry.change(box.subject, sealed, at(HEIGHT))
        else:
            taking = box.registry.register(contract, sealed, at(HEIGHT))
        with pytest.raises(Denied) as caught:
            await taking
        assert caught.value.rule == rule, caught.value.detail
        assert await box.rows() == rows

    @pytest.mark.parametrize(
        "signers", [OWNERS[:1], (OWNERS[0], OWNERS[0]), (OWNERS[0], SigningKey(b"\x55" * 32))], ids=str
    )
    async def test_too_few_owners(self, box, signers):
        await self.refused(box, "register.owners", sealed_policy(policy(box.subject, policy_version=2), signers))

    async def test_a_contract_by_strangers(self, box):
        other = terms(WSH.replace("older(144)", "older(288)"))
        other = msgspec.structs.replace(other, paths=(other.paths[0],))

        sealed = sealed_policy(policy(contract_id(other)), [SigningKey.generate(), SigningKey.generate()])
        await self.refused(box, "register.owners", sealed, other)

    @pytest.mark.parametrize("version", [1, 3])
    async def test_versions_rise_by_one(self, box, version):
        document = policy(box.subject, policy_version=version, approvals_needed=1)
        await self.refused(box, "register.version", sealed_policy(document))

    @pytest.mark.parametrize(
        "changed",
        [
            {"approvers": ()},
            {"approvals_needed": 4},
            {"owners": ()},
            {"owners": (public(OWNERS[0]),) * 2},
            {"witnesses_needed": 1},
            {"recovery_role_people": ("Ann",)},
            {"allow_list": (Destination("main", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 0),)},
            {"contract_id": "ab" * 32},
        ],
        ids=str,
    )
    async def test_a_policy_that_could_not_be_kept(self, box, changed):
        document = policy(box.subject, policy_version=2, **changed)
        await self.refused(box, "register.policy", sealed_policy(document))

    async def test_a_policy_with_more_than_we_know(self, box):
        document = policy(box.subject, policy_version=2)
        fields = [getattr(document, name) for name in document.__struct_fields__]

        longer = msgspec.defstruct("Longer", [*document.__struct_fields__, "extra"], array_like=True)

        sealed = seal(POLICY_DOMAIN, longer(*fields, "except on Sundays"), OWNERS[:2])
        await self.refused(box, "register.policy", sealed)

    @pytest.mark.parametrize(
        "changed",
        [
            {"network": "main"},
            {"paths": ()},
            {"parties": ()},
            {"descriptor": terms().descriptor.partition("#")[0]},
            {"descriptor": "wsh(multi(1,{0},{0}))".format("02" + "11" * 32)},
        ],
        ids=str,
    )
    async def test_terms_that_are_not_what_they_say(self, box, changed):

        other = msgspec.structs.replace(terms(), **changed)
        await self.refused(box, "register.terms", sealed_policy(policy(contract_id(other))), other)

    async def test_the_same_policy_again_says_nothing_new(self, box):
        rows = await box.rows()
        again = await box.registry.register(box.terms, sealed_policy(policy(box.subject)), at(HEIGHT))
        assert again.policy.policy_version == 1
        assert await box.rows() == rows


class TestDoor:
    """A rogue broker or a stolen connection: who speaks is settled first."""

    def refused(self, box: Box, rule: str, raw: bytes) -> None:
        with pytest.raises(Denied) as caught:
            box.door.open(raw, {})
        assert caught.value.rule == rule, caught.value.detail

    def packet(self, message: msgspec.Struct, kind="request", key=OPERATOR, sealed_as=None) -> bytes:
        return encode(Packet(1, kind, seal(domain(sealed_as or kind), message, [key])))

    async def test_a_stranger(self, box):
        self.refused(box, "request.signature", self.packet(box.request(payment()), key=SigningKey.generate()))

    async def test_a_seal_of_another_kind(self, box):
        self.refused(box, "request.signature", self.packet(box.request(payment()), sealed_as="policy"))

    @pytest.mark.parametrize("changed", [{"site": "tx2"}, {"node": "box-2"}])
    async def test_addressed_to_another_box(self, box, changed):
        self.refused(box, "request.not-addressed", self.packet(box.request(payment(), **changed)))

    async def test_bytes_that_say_nothing(self, box):
        self.refused(box, "request.malformed", b"sign this hash: " + bytes(32))
        self.refused(box, "request.malformed", encode(Packet(1, "answer", b"")))
        self.refused(
            box, "request.malformed", self.packet(HeadersBatch(site="tx1", node="box-1", headers=(bytes(80),)))
        )

    async def test_an_honest_order_enters(self, box):
        request = box.request(payment())
        assert box.door.open(self.packet(request), {}) == request
        register = RegisterContract(
            request_id="register-1",
            site="tx1",
            node="box-1",
            terms=box.terms,
            policy=sealed_policy(policy(box.subject)),
        )
        assert box.door.open(self.packet(register, "register"), {}) == register

    async def test_a_box_that_speaks_for_another(self, box):
        peer, other = SigningKey.generate(), SigningKey.generate()
        peers = {key_id(key.verify_key): key.verify_key for key in (peer, other)}
        word = WitnessRequest(box_id=key_id(other.verify_key), seq=1, head=bytes(32), nonce=bytes(16))
        with pytest.raises(Denied, match="sealed by") as caught:
            box.door.open(self.packet(word, "witness-request", peer), peers)
        assert caught.value.rule == "request.signature"


def connect(box: Box, boxes: list[Box]) -> None:
    """It speaks to the others, and they to it."""
    for other in boxes:
        if other is not box:
            box.peers.append(other)
            other.peers = [peer for peer in other.peers if peer.id != box.id] + [box]


class Unwritable:
    """A ledger on a full disk."""

    def __init__(self, ledger) -> None:
        self.latest = ledger.latest

    async def record(self, *_: object, **__: object) -> None:
        raise Denied("ledger.unwritable", "the disk is full")


class TestWitnesses:
    """Three boxes; the policy asks for two witnesses of each head."""

    @pytest.fixture
    async def boxes(self, tmp_path):
        keys = [SigningKey(bytes([0x42]) * 32), *(SigningKey(bytes([0x70 + n]) * 32) for n in range(2))]
        made = []
        for number, key in enumerate(keys):
            (tmp_path / str(number)).mkdir()
            made.append(Box(tmp_path / str(number), key=key))
        for each in made:
            await each.open(witnesses=tuple(map(public, keys)), witnesses_needed=2)
            connect(each, made)
        yield made
        for each in made:
            await each.close()

    async def test_two_witnesses_remember_before_a_signature(self, boxes):
        first, *others = boxes
        assert (await first.ask(payment())).outcome == "signed"
        debit = next(row for row in await first.rows() if row.kind == EntryKind.DEBIT)
        for witness in others:
            (row,) = [row for row in await witness.rows() if row.kind == EntryKind.WITNESSED]
            assert row.subject == first.id
            assert debit.digest in row.body

    async def test_without_a_quorum_no_signature(self, boxes):
        first, second, _ = boxes
        first.peers = [second]
        await refused(first, payment(), "ledger.quorum")

    async def test_a_witness_that_cannot_write_does_not_count_and_does_not_hurry(self, boxes):
        first, second, third = boxes
        await first.ask(payment())
        second.witnesses._book._ledger = Unwritable(second.ledger)
        started = time.monotonic()
        await refused(first, payment(coins=[coin(salt=1)]), "ledger.quorum")
        assert time.monotonic() - started >= 0.4
        assert len(first.peers) == len([second, third])

    async def test_one_witness_is_not_two(self, boxes):
        first, second, _ = boxes
        first.peers = [second, second]
        await refused(first, payment(), "ledger.quorum")

    async def test_a_box_restored_from_an_old_image(self, boxes, tmp_path):
        first, *others = boxes
        for salt in range(3):
            await first.ask(payment(coins=[coin(salt=salt)]))
        (tmp_path / "old").mkdir()
        restored = await Box(tmp_path / "old", key=first.key).open(
            witnesses=tuple(public(each.key) for each in boxes), witnesses_needed=2
        )
        connect(restored, [restored, *others])
        await refused(restored, payment(coins=[coin(salt=9)]), "ledger.rollback")
        await restored.close()

    async def test_two_boxes_with_one_identity(self, boxes, tmp_path):
        """A clone that is as old as the original shows another row of the same number."""
        first, *others = boxes
        (tmp_path / "clone").mkdir()
        clone = await Box(tmp_path / "clone", key=first.key).open(
            witnesses=tuple(public(each.key) for each in boxes), witnesses_needed=2
        )
        assert (await first.ask(payment())).outcome == "signed"
        connect(clone, [clone, *others])
        await refused(clone, payment(coins=[coin(salt=9)]), "ledger.rollback")
        await clone.close()

    async def test_the_owners_let_a_restored_box_begin_anew(self, boxes, tmp_path):
        first, *others = boxes
        for salt in range(3):
            await first.ask(payment(coins=[coin(salt=salt)]))
        (tmp_path / "old").mkdir()
        restored = await Box(tmp_path / "old", key=first.key).open(
            witnesses=tuple(public(each.key) for each in boxes), witnesses_needed=2
        )
        connect(restored, [restored, *others])
        head = await restored.ledger.head()
        restart = LedgerRestart(ceremony="ceremony-1", box_id=first.id, seq=head.seq, head=head.digest)
        owners, now = [owner.verify_key for owner in OWNERS], at(HEIGHT)
        for witness in others:
            with pytest.raises(Denied) as caught:
                await accept_restart(witness.ledger, seal(RESTART_DOMAIN, restart, OWNERS[:1]), owners, 2, now)
            assert caught.value.rule == "register.owners"
            sealed = seal(RESTART_DOMAIN, restart, OWNERS[:2])
            await accept_restart(witness.ledger, sealed, owners, 2, now)
        assert (await restored.ask(payment(coins=[coin(salt=9)]))).outcome == "signed"
        with pytest.raises(Denied) as caught:
            await accept_restart(others[0].ledger, sealed, owners, 2, now)
        assert caught.value.rule == "request.replay"
        await restored.close()

    async def test_an_old_answer_is_no_answer(self, boxes):
        first, second, third = boxes
        heard: list[WitnessAnswer] = []
        for each in (second, third):
            each.hear = heard.append
        await refused(first, payment(), "ledger.quorum")
        for answer in heard:
            first.witnesses.answered(answer)
        first.peers = []
        await refused(first, payment(coins=[coin(salt=1)]), "ledger.quorum")


class TestSimulation:
    """What a signature would complete is judged before it leaves."""

    def with_theirs(self, digest: bytes | None = None):
        """The payment with a signature of party b: of this transaction, or of `digest`."""
        plain, key = payment(), MASTERS["b"].derive((0, 0))
        digest = digest or Sighasher(plain.tx, [coin().previous.outputs[0]]).segwit_v0(
            0, coin().as_input.witness_script
        )
        theirs = {key.public_key: sign_ecdsa(key.secret, digest) + b"\x01"}
        return replace(plain, inputs=(replace(plain.inputs[0], partial_signatures=theirs),))

    async def test_a_complete_transaction_is_accepted(self, box):
        assert (await box.ask(self.with_theirs())).outcome == "signed"

    async def test_a_signature_for_another_message_beside_ours(self, box):
        answer = await box.ask(self.with_theirs(b"\x01" * 32))
        assert (answer.outcome, answer.rule, answer.psbt) == ("refused", "sim.rejected", b"")

    async def test_a_judge_that_dies_has_refused(self, box):
        box.judge._command = (sys.executable, "-c", "import os; os.abort()")
        answer = await box.ask(self.with_theirs())
        assert (answer.outcome, answer.rule, answer.psbt) == ("refused", "sim.rejected", b"")
