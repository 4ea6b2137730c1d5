"""MuSig2 in two rounds: nonces first, then partial signatures that sum up to one that verifies."""

from dataclasses import replace

import pytest

from agent.signer.ledger import EntryKind
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.psbt.finalise import finalise
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.psbt.value import TapDerivation
from shared.wire.contract import Party, SpendingPath
from tests.agent.signer.scene import MASTERS, NETWORK, Box, MemoryKeys, coin, payment

A, B = (str(MASTERS[name].public()) for name in "ab")
C = f"{MASTERS['c'].public()}/<0;1>/*"
MUSIG = f"tr(musig({A},{B})/<0;1>/*,pk({C}))"


@pytest.fixture
async def boxes(tmp_path):
    """Two boxes that hold one participant each."""
    made = []
    parties = (
        Party("a", "holder of a", A, "signer"),
        Party("b", "holder of b", B, "signer"),
        Party("c", "holder of c", C, "signer"),
    )
    paths = (
        SpendingPath("normal", "signer", ("a", "b"), 2),
        SpendingPath("alone", "signer", ("c",), 1, leaf=0),
    )
    for name in "ab":
        (tmp_path / name).mkdir()
        box = Box(tmp_path / name, MUSIG, MemoryKeys(MASTERS[name]), changed={"parties": parties, "paths": paths})
        made.append(await box.open())
    yield made
    for box in made:
        await box.close()


def spending() -> Psbt:
    """Two coins, with participants as BIP-373 tells them."""
    found = Descriptor.parse(MUSIG, NETWORK)
    plain = payment(MUSIG, coins=[coin(MUSIG), coin(MUSIG, index=1)])
    named = {each.aggregate: each.participants for each in found.derive(0, 0).aggregates}
    origins = [found.derive(0, index).aggregates[0] for index in (0, 1)]
    inputs = tuple(
        replace(
            each,
            musig_participants=named,
            tap_derivations={**each.tap_derivations, origin.key[1:]: TapDerivation((), origin.origin)},
        )
        for each, origin in zip(plain.inputs, origins, strict=True)
    )
    return replace(plain, inputs=inputs)


def together(base: Psbt, answers: list[Psbt], field: str) -> Psbt:
    """All that the answers add in one field."""
    inputs = list(base.inputs)
    for index, entry in enumerate(inputs):
        gathered = {key: value for answer in answers for key, value in getattr(answer.inputs[index], field).items()}
        inputs[index] = replace(entry, **{field: gathered})
    return replace(base, inputs=tuple(inputs))


async def ask_all(boxes, psbt: Psbt, kind: str) -> list[Psbt]:
    answers = [await box.ask(psbt, round=kind) for box in boxes]
    assert {(answer.outcome, answer.detail) for answer in answers} == {("nonce" if kind == "nonce" else "signed", "")}
    return [Psbt.parse(answer.psbt) for answer in answers]


async def test_two_rounds_make_a_transaction_that_consensus_accepts(boxes):
    base = spending()
    with_nonces = together(base, await ask_all(boxes, base, "nonce"), "musig_nonces")
    assert EntryKind.DEBIT not in {row.kind for row in await boxes[0].rows()}, "a nonce spends nothing"
    partials = await ask_all(boxes, with_nonces, "partial")
    final = finalise(together(with_nonces, partials, "musig_partial_signatures"))
    spent = [each.spent for each in base.inputs]
    assert failed_input(final, spent) is None
    for box in boxes:
        assert [row.kind for row in await box.rows()].count(EntryKind.DEBIT) == 1


async def test_a_nonce_signs_once(boxes):
    base = spending()
    with_nonces = together(base, await ask_all(boxes, base, "nonce"), "musig_nonces")
    await ask_all(boxes, with_nonces, "partial")
    again = await boxes[0].ask(with_nonces, round="partial")
    assert (again.outcome, again.rule) == ("refused", "musig.nonce")


async def test_a_nonce_is_lost_with_a_restart(boxes):
    base = spending()
    with_nonces = together(base, await ask_all(boxes, base, "nonce"), "musig_nonces")
    boxes[0].rounds._open.clear()
    answer = await boxes[0].ask(with_nonces, round="partial")
    assert (answer.outcome, answer.rule) == ("refused", "musig.nonce")


async def test_a_missing_participant_stops_the_session(boxes):
    base = spending()
    alone = together(base, (await ask_all(boxes, base, "nonce"))[:1], "musig_nonces")
    answer = await boxes[0].ask(alone, round="partial")
    assert (answer.outcome, answer.rule) == ("refused", "musig.session")


async def test_nonces_of_another_round_do_not_sign(boxes):
    base = spending()
    first = await ask_all(boxes, base, "nonce")
    await ask_all(boxes, base, "nonce")
    answer = await boxes[0].ask(together(base, first, "musig_nonces"), round="partial")
    assert (answer.outcome, answer.rule) == ("refused", "musig.session")


@pytest.mark.parametrize(("path", "kind"), [("normal", "sign"), ("alone", "nonce")])
async def test_a_round_that_the_path_has_not(boxes, path, kind):
    answer = await boxes[0].ask(spending(), round=kind, path=path)
    assert (answer.outcome, answer.rule) == ("refused", "musig.session")


async def test_reordered_or_foreign_participants(boxes):
    base = spending()
    for swap in (lambda named: named[::-1], lambda named: (named[0], MASTERS["r"].public_key)):
        inputs = tuple(
            replace(each, musig_participants={key: swap(named) for key, named in each.musig_participants.items()})
            for each in base.inputs
        )
        answer = await boxes[0].ask(replace(base, inputs=inputs), round="nonce")
        assert (answer.outcome, answer.rule) == ("refused", "input.unregistered")
