"""What a rogue controller, broker, colleague or coin can try. Each is refused by its name, and the ledger holds one row
more: the refusal.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from nacl.signing import SigningKey

from agent.signer.ledger import EntryKind
from shared.bitcoin.key_origin import KeyOrigin
from shared.bitcoin.psbt.psbt import Psbt, PsbtOutput
from shared.bitcoin.psbt.value import TapLeaf
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import sign_ecdsa
from shared.bitcoin.transaction import TxOut
from tests.agent.signer.scene import (
    ANN,
    ANN_TOO,
    BOB,
    HEIGHT,
    IDA,
    MASTERS,
    OPERATOR,
    PAYOUTS,
    REA,
    ROB,
    STRANGER,
    SUPPLIER,
    TREE,
    WSH,
    Box,
    approvals,
    change,
    coin,
    payment,
    proposal,
    with_tx,
)

Attack = Callable[[Box], object]


def input_of(psbt: Psbt, **changed: object) -> Psbt:
    """The same with its first input changed."""
    return replace(psbt, inputs=(replace(psbt.inputs[0], **changed), *psbt.inputs[1:]))


def output_of(psbt: Psbt, index: int, out: TxOut, claim: PsbtOutput | None = None) -> Psbt:
    """The same with one output replaced."""
    outputs, claims = list(psbt.tx.outputs), list(psbt.outputs)
    outputs[index], claims[index] = out, claim or claims[index]
    return replace(psbt, tx=replace(psbt.tx, outputs=tuple(outputs)), outputs=tuple(claims))


def first_tx_in(psbt: Psbt, **changed: object) -> Psbt:
    return with_tx(psbt, inputs=(replace(psbt.tx.inputs[0], **changed), *psbt.tx.inputs[1:]))


def change_of_another_contract() -> Psbt:
    """Its own keys in another order: a script that the box could derive, were it registered."""
    out, claim = change(WSH.replace("older(144)", "older(145)"), 398_000)
    return output_of(payment(), 1, out, claim)


def far_change() -> Psbt:
    return output_of(payment(), 1, *change(WSH, 398_000, index=10_001))


def change_to_a_stranger() -> Psbt:
    """It bears the marks of change, and somebody else's script."""
    return output_of(payment(), 1, TxOut(398_000, STRANGER))


def hidden_hop() -> Psbt:
    """The index of a hardened step: 2**31 and more is no index."""
    claim = payment().outputs[1]
    origins = {key: KeyOrigin(each.fingerprint, (1, 0x8000_0000)) for key, each in claim.derivations.items()}
    return output_of(far_change(), 1, far_change().tx.outputs[1], replace(claim, derivations=origins))


def lying_amount(raw: bytes) -> bytes:
    """Half of the coin would become fee, were the PSBT believed."""
    return swapped(
        raw, b"\x01\x01\x2b" + (500_000).to_bytes(8, "little"), b"\x01\x01\x2b" + (250_000).to_bytes(8, "little")
    )


def wrong_previous(raw: bytes) -> bytes:
    return swapped(raw, coin().previous.raw, coin(salt=9).previous.raw)


def one_input_twice(raw: bytes) -> bytes:
    """The second of two inputs becomes the first one, its previous transaction too."""
    first, second = coin(), coin(salt=1)
    raw = swapped(raw, second.outpoint.raw, first.outpoint.raw)
    return swapped(raw, second.previous.raw, first.previous.raw)


def swapped(raw: bytes, old: bytes, new: bytes) -> bytes:
    assert raw.count(old) == 1
    return raw.replace(old, new)


def raw_with(psbt: Psbt, tampered: Callable[[bytes], bytes]) -> Callable[[Box], dict[str, object]]:
    return lambda _box: {"psbt": tampered(psbt.raw)}


def doubled_key(raw: bytes) -> bytes:
    """The unsigned transaction, twice."""
    head, tx = raw[:5], payment().tx.base
    record = (
        b"\x01\x00" + bytes((0xFD,)) * (len(tx) > 0xFC) + len(tx).to_bytes(2 if len(tx) > 0xFC else 1, "little") + tx
    )
    assert raw.startswith(head + record)
    return head + record + raw[5:]


def with_record(record: bytes) -> Callable[[bytes], bytes]:
    """One more record in the global map."""
    return lambda raw: raw[:5] + record + raw[5:]


def unfinished_v2() -> Psbt:
    plain = payment()
    inputs = tuple(replace(each, sequence=0xFFFFFFFD) for each in plain.inputs)
    return replace(plain, version=2, modifiable=3, fallback_lock_time=0, inputs=inputs)


def stolen_signature(flag: int) -> Psbt:
    """A signature of another party whose hash type leaves something open."""
    plain = payment()
    key = MASTERS["b"].derive((0, 0))
    digest = Sighasher(plain.tx, [coin().previous.outputs[0]]).segwit_v0(0, coin().as_input.witness_script, flag)
    return input_of(plain, partial_signatures={key.public_key: sign_ecdsa(key.secret, digest) + bytes((flag,))})


def foreign_signature() -> Psbt:
    key = MASTERS["a"].derive((7, 7))
    return input_of(payment(), partial_signatures={key.public_key: sign_ecdsa(key.secret, b"\x01" * 32) + b"\x01"})


def finalised() -> Psbt:
    """As a finaliser leaves it: the witness, and nothing that it was made of."""
    return input_of(payment(), final_witness=(b"\x01",), witness_script=None, derivations={})


def other_leaf() -> Psbt:
    """A control block of the contract with a script that pays the attacker."""
    leaves = dict(payment(TREE).inputs[0].tap_leaf_scripts)
    block = next(iter(leaves))
    return input_of(payment(TREE), tap_leaf_scripts={block: TapLeaf(b"\x51", 0xC0)})


@dataclass(frozen=True)
class Case:
    """A PSBT, or what is changed in the request; `fixture` is the box that is attacked."""

    name: str
    rule: str
    psbt: Callable[[], Psbt] = payment
    changed: Callable[[Box], dict[str, object]] = lambda _box: {}
    tree: bool = False


def approved(external_sat: int = 100_000, signers: object = (ANN, BOB), **changed: object):
    """An attack by approvals."""

    def of(box: Box) -> dict[str, object]:
        return {"given": approvals(box.subject, payment(), external_sat, signers, **changed)}

    return of


def proposed(*signers: SigningKey, external_sat: int = 100_000, **changed: object):
    """An attack by the proposer's document; it is Ida's where nobody else is told."""

    def of(box: Box) -> dict[str, object]:
        return {"proposal": proposal(box.subject, payment(), external_sat, *signers, **changed)}

    return of


def both(*attacks: Callable[[Box], dict[str, object]]):
    return lambda box: {name: value for attack in attacks for name, value in attack(box).items()}


def flipped(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes((sealed[-1] ^ 1,))


def replayed_proposal(box: Box) -> dict[str, object]:
    """Ida's own document, of a payment that she did propose."""
    other = payment(coins=[coin(salt=1)])
    return {"proposal": proposal(box.subject, other, 100_000)}


def second_proposal(box: Box) -> dict[str, object]:
    """Another proposer's document, where approvals stand."""
    return {"given": (*approved()(box)["given"], proposed(PAYOUTS, by="Payouts")(box)["proposal"])}


SPEND = (
    Case("payment to an unlisted script", "output.unlisted", lambda: payment(pays=(TxOut(100_000, STRANGER),))),
    Case(
        "half of a payment diverted",
        "output.unlisted",
        lambda: payment(pays=(TxOut(1_000, SUPPLIER), TxOut(99_000, STRANGER))),
    ),
    Case("change to a foreign script", "output.change-foreign", change_to_a_stranger),
    Case("change to another contract", "output.change-foreign", change_of_another_contract),
    Case("change at a far index", "output.change-foreign", far_change),
    Case("change at a hardened index", "output.change-foreign", hidden_hop),
    Case(
        "change without its marks to a stranger",
        "output.unlisted",
        lambda: output_of(payment(), 1, TxOut(398_000, STRANGER), PsbtOutput()),
    ),
    Case("fee siphon", "fee.absolute", lambda: payment(fee_sat=50_001)),
    Case("high rate on a small transaction", "fee.rate", lambda: payment(fee_sat=30_000)),
    Case("more out than in", "fee.negative", lambda: payment(fee_sat=-1)),
    Case("dust that nobody can spend", "output.dust", lambda: payment(pays=(TxOut(293, SUPPLIER),))),
    Case("data in the chain", "output.unlisted", lambda: payment(pays=(TxOut(0, b"\x6a\x01\x00"),))),
    Case(
        "more than one transaction may spend",
        "limit.tx",
        lambda: payment(coins=[coin(amount_sat=2_000_000)], pays=(TxOut(999_000, SUPPLIER),)),
    ),
)
COINS = (
    Case("missing previous transaction", "input.unvouched", lambda: input_of(payment(), previous_tx=None)),
    Case(
        "nothing known of the coin", "input.unvouched", lambda: input_of(payment(), previous_tx=None, witness_utxo=None)
    ),
    Case("lying witness_utxo", "input.prevout-mismatch", changed=raw_with(payment(), lying_amount)),
    Case("previous transaction of another id", "input.prevout-mismatch", changed=raw_with(payment(), wrong_previous)),
    Case(
        "a coin of another contract",
        "input.unregistered",
        lambda: payment(coins=[coin(WSH.replace("older(144)", "older(145)"))]),
    ),
    Case("a coin at a far index", "input.unregistered", lambda: payment(coins=[coin(index=10_001)])),
    Case(
        "a witness script that is not spent", "input.unregistered", lambda: input_of(payment(), witness_script=b"\x51")
    ),
    Case("a leaf that is not of the tree", "input.unregistered", other_leaf, tree=True),
    Case(
        "an internal key of the attacker",
        "input.unregistered",
        lambda: input_of(payment(TREE), tap_internal_key=b"\x09" * 32),
        tree=True,
    ),
    Case(
        "a root of another tree",
        "input.unregistered",
        lambda: input_of(payment(TREE), tap_merkle_root=b"\x09" * 32),
        tree=True,
    ),
    Case(
        "a redeem script beside native segwit",
        "input.not-native-segwit",
        lambda: input_of(payment(), redeem_script=b"\x51"),
    ),
    Case(
        "one outpoint twice",
        "psbt.disagree",
        changed=raw_with(payment(coins=[coin(), coin(salt=1)]), one_input_twice),
    ),
)
FORM = (
    Case("trailing bytes", "psbt.malformed", changed=raw_with(payment(), lambda raw: raw + b"\x00")),
    Case("cut short", "psbt.malformed", changed=raw_with(payment(), lambda raw: raw[:-1])),
    Case("empty", "psbt.malformed", changed=raw_with(payment(), lambda _: b"")),
    Case("a key twice", "psbt.malformed", changed=raw_with(payment(), doubled_key)),
    Case("too large", "psbt.malformed", changed=raw_with(payment(), lambda raw: raw.ljust((1 << 20) + 1, b"\x00"))),
    Case("an unknown field", "psbt.foreign-fields", changed=raw_with(payment(), with_record(b"\x01\x77\x01\x00"))),
    Case(
        "a proprietary field",
        "psbt.foreign-fields",
        changed=raw_with(payment(), with_record(b"\x04\xfc\x01\x61\x00\x01\x00")),
    ),
    Case("a final witness", "psbt.foreign-fields", lambda: finalised()),
    Case("a signature by a foreign key", "psbt.foreign-fields", foreign_signature),
    Case("still modifiable", "psbt.modifiable", unfinished_v2),
)
SIGHASHES = (
    tuple(
        Case(
            f"sighash {flag:#x} in the field",
            "sighash.forbidden",
            lambda flag=flag: input_of(payment(), sighash_type=flag),
        )
        for flag in (2, 3, 0x81, 0x82, 0x83)
    )
    + tuple(
        Case(f"sighash {flag:#x} in a signature", "sighash.forbidden", lambda flag=flag: stolen_signature(flag))
        for flag in (2, 3, 0x81)
    )
    + (
        Case(
            "sighash NONE for a leaf", "sighash.forbidden", lambda: input_of(payment(TREE), sighash_type=2), tree=True
        ),
    )
)
LOCKS = (
    Case("another version", "path.mismatch", lambda: with_tx(payment(), version=1)),
    Case("a relative lock on a path without", "path.mismatch", lambda: first_tx_in(payment(), sequence=144)),
    Case("a lock time far ahead", "clock.stale", lambda: payment(lock_time=HEIGHT + 100)),
    Case("a lock time that is a date", "path.mismatch", lambda: payment(lock_time=1_800_000_000)),
    Case("the recovery path without its lock", "path.mismatch", changed=lambda _box: {"path": "recovery"}),
    Case(
        "the recovery path by the wrong role",
        "path.mismatch",
        lambda: payment(sequence=144),
        lambda _box: {"path": "recovery"},
    ),
    Case("a path that the contract has not", "path.mismatch", changed=lambda _box: {"path": "emergency"}),
)
PROPOSALS = (
    Case("nobody proposes", "proposal.missing", changed=lambda _box: {"proposal": b""}),
    Case("a rogue controller proposes in Ida's name", "proposal.unknown-proposer", changed=proposed(OPERATOR)),
    Case("Bob proposes in Ida's name", "proposal.initiator", changed=proposed(BOB)),
    Case("Bob proposes in Ida's name, written otherwise", "proposal.initiator", changed=proposed(BOB, by=" IDA ")),
    Case(
        "a proposal with a flipped bit",
        "proposal.unknown-proposer",
        changed=lambda box: {"proposal": flipped(proposed()(box)["proposal"])},
    ),
    Case("no document at all", "proposal.unknown-proposer", changed=lambda _box: {"proposal": b"\x93\x00"}),
    Case("a proposal of another payment", "proposal.other-tx", changed=replayed_proposal),
    Case("a proposal of another amount", "proposal.other-tx", changed=proposed(external_sat=99_999)),
    Case("a proposal for another network", "proposal.other-tx", changed=proposed(network="main")),
    Case("a proposal for another contract", "proposal.other-tx", changed=proposed(contract_id="cd" * 32)),
    Case("a proposal under an old policy", "proposal.policy-version", changed=proposed(policy_version=2)),
    Case("a proposal that expired", "proposal.expired", changed=proposed(expiry_height=HEIGHT)),
    Case("an approval in the place of the proposal", "proposal.role", changed=proposed(role="approver")),
    Case("two propose in one document", "proposal.duplicate", changed=proposed(IDA, PAYOUTS)),
    Case("a second proposal among the approvals", "proposal.duplicate", changed=second_proposal),
    Case(
        "an approver who proposed it himself, the approvals naming Ida",
        "approval.initiator",
        changed=proposed(BOB, by="Bob"),
    ),
    Case(
        "an approver who proposed it himself, the approvals naming him",
        "approval.initiator",
        changed=both(proposed(BOB, by="Bob"), approved(initiator="Bob")),
    ),
    Case(
        "an approver who proposed it by her other key",
        "approval.initiator",
        changed=both(proposed(ANN_TOO, by="Ann"), approved(initiator="Ann")),
    ),
)
APPROVALS = (
    Case("nobody approved", "approval.missing", changed=lambda _box: {"given": ()}),
    Case("one of two approved", "approval.missing", changed=approved(signers=(ANN,))),
    Case("approved by a stranger", "approval.missing", changed=approved(signers=(ANN, SigningKey(b"\x66" * 32)))),
    Case(
        "an approval with a flipped bit",
        "approval.missing",
        changed=lambda box: {"given": tuple(map(flipped, approved()(box)["given"]))},
    ),
    Case(
        "recovery people approve a payment", "approval.missing", changed=approved(signers=(REA, ROB), role="recovery")
    ),
    Case("a key that only proposes approves", "approval.missing", changed=approved(signers=(ANN, PAYOUTS))),
    Case("one approver twice", "approval.duplicate", changed=approved(signers=(ANN, ANN))),
    Case("two keys of one person", "approval.duplicate", changed=approved(signers=(ANN, ANN_TOO))),
    Case("the initiator approves", "approval.initiator", changed=approved(signers=(IDA, BOB))),
    Case("the initiator in other letters", "approval.initiator", changed=approved(initiator=" aNN ")),
    Case("approvals of another transaction", "approval.other-tx", changed=approved(txid="ab" * 32)),
    Case("approvals of another amount", "approval.other-tx", changed=approved(external_sat=99_999)),
    Case("approvals for another network", "approval.other-tx", changed=approved(network="main")),
    Case("approvals for another contract", "approval.other-tx", changed=approved(contract_id="cd" * 32)),
    Case("approvals under an old policy", "approval.policy-version", changed=approved(policy_version=2)),
    Case("approvals that expired", "approval.expired", changed=approved(expiry_height=HEIGHT)),
    Case("a request under an old policy", "approval.policy-version", changed=lambda _box: {"policy_version": 2}),
)
REQUESTS = (
    Case("expired by its time", "request.expired", changed=lambda box: {"expires_at_ms": box.now_ms - 1}),
    Case("expired by height", "request.expired", changed=lambda _box: {"expires_at_height": HEIGHT - 1}),
    Case("a contract that is not registered", "input.unregistered", changed=lambda _box: {"contract_id": "ee" * 32}),
)
ATTACKS = SPEND + COINS + FORM + SIGHASHES + LOCKS + PROPOSALS + APPROVALS + REQUESTS


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case.name)
async def test_refused_by_name_and_nothing_else_happens(tmp_path, case):
    box = await Box(tmp_path, TREE if case.tree else WSH).open()
    before = await box.rows()
    asked = box.request(case.psbt(), **case.changed(box))
    answer = await box.sessions.answer(asked)
    assert (answer.outcome, answer.rule) == ("refused", case.rule), answer.detail
    assert answer.detail
    assert answer.psbt == b""
    assert box.keys.signed == 0
    after = await box.rows()
    assert after[: len(before)] == before
    assert [row.kind for row in after[len(before) :]] == [EntryKind.REFUSAL]
    assert (await box.sessions.answer(asked)) == answer, "a refusal is final"
    await box.close()


def test_the_suite_is_as_large_as_promised():
    assert len(ATTACKS) >= 60
    assert len({case.name for case in ATTACKS}) == len(ATTACKS)
