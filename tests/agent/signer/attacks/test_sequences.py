"""Attacks that need several steps: patience, replays, lost machines, faulty tokens."""

import asyncio
import sys
from dataclasses import replace

import msgspec
import pytest

from agent.signer.ledger import EntryKind
from shared.bitcoin.address import address_of
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.bitcoin.transaction import TxOut
from shared.errors import BitcoinDisagreement, Denied
from shared.wire.contract import Destination
from tests.agent.signer.attacks.asking import refused
from tests.agent.signer.scene import (
    HEIGHT,
    LIMITS,
    MASTERS,
    NETWORK,
    REA,
    ROB,
    SUPPLIER,
    Box,
    MemoryKeys,
    approvals,
    at,
    coin,
    payment,
    policy,
    sealed_policy,
)

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


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


async def test_one_coin_in_many_transactions_at_once(box):
    """All of them are decided before any of them is debited."""
    psbts = [payment(pays=(TxOut(90_000 + number, SUPPLIER),)) for number in range(8)]
    answers = await asyncio.gather(*map(box.ask, psbts))
    assert sorted(answer.rule for answer in answers) == ["", *["input.reserved"] * 7]
    assert box.keys.signed == 1


async def test_many_payments_at_once_do_not_pass_the_window_together(box):
    each_sat = LIMITS.window_sat // 4
    psbts = [
        payment(coins=[coin(salt=salt, amount_sat=each_sat)], pays=(TxOut(each_sat // 2, SUPPLIER),))
        for salt in range(16)
    ]
    answers = await asyncio.gather(*map(box.ask, psbts))
    signed = [answer for answer in answers if answer.outcome == "signed"]
    assert {answer.rule for answer in answers} == {"", "limit.window"}
    assert len(signed) * (each_sat // 2 + 2_000) <= LIMITS.window_sat
    assert box.keys.signed == len(signed)


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
