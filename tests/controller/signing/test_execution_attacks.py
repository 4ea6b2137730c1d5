"""What somebody could try with a base or with a partial: each is refused by name, and by the signer who did it."""

from dataclasses import replace

import msgspec
import pytest

from benchmarks import contracts_load as load
from benchmarks.contracts_load import (
    HEIGHT,
    MASTERS,
    executions,
    leaf_contract,
    musig_contract,
    wsh_contract,
)
from controller.signing.execution.model import Batch, Brief, Execution
from controller.signing.execution.worker import Worker
from controller.signing.ownership import derived_at
from controller.signing.selection import Selection
from controller.signing.spending import Draft
from controller.signing.unsigned import base_psbt
from shared.bitcoin.psbt import build
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.psbt.scan import record_bytes, scan
from shared.bitcoin.sighash import SIGHASH_ALL, Sighasher
from shared.bitcoin.signature import sign_ecdsa
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

replaced = msgspec.structs.replace
CONTRACTS = {"wsh": wsh_contract, "musig": musig_contract, "leaf": leaf_contract}


@pytest.fixture(scope="module")
def scenes():
    made = {name: make() for name, make in CONTRACTS.items()}
    return {
        name: (Worker([Brief(contract, 4)]), contract, list(executions(contract, 3))) for name, contract in made.items()
    }


@pytest.fixture(params=CONTRACTS)
def scene(request, scenes):
    return scenes[request.param]


@pytest.fixture
def wsh(scenes):
    return scenes["wsh"]


def refused(worker: Worker, case: Execution) -> tuple[str, str]:
    (verdict,) = worker.judge(Batch(HEIGHT, (case,)))
    assert verdict.refused is not None, "it was executed"
    return verdict.refused.rule, verdict.refused.detail


def with_input(raw: bytes, **fields) -> bytes:
    psbt = Psbt.parse(raw)
    return replace(psbt, inputs=(replace(psbt.inputs[0], **fields), *psbt.inputs[1:])).raw


def with_record(raw: bytes, before: bytes, record: bytes) -> bytes:
    """The same bytes with a record before another one."""
    at = raw.index(before)
    return raw[:at] + record + raw[at:]


def test_unchanged_it_is_executed(scene) -> None:
    worker, _, (case, *_) = scene
    assert worker.judge(Batch(HEIGHT, (case,)))[0].executed is not None


def test_a_base_that_lies_about_an_amount(scene) -> None:
    worker, _, (case, *_) = scene
    told = Psbt.parse(case.base).inputs[0].witness_utxo
    lie = case.base.replace(b"\x01\x01\x2b" + told.raw, b"\x01\x01\x2b" + TxOut(told.amount_sat + 1, told.script).raw)
    assert lie != case.base
    rule, detail = refused(worker, replaced(case, base=lie))
    assert rule == "execution.base-malformed"
    assert "input 0: the witness UTXO is not the output" in detail


def test_a_base_with_the_previous_transaction_of_another_coin(scene) -> None:
    worker, _, (case, other, _) = scene
    mine, its = (Psbt.parse(one.base).inputs[0].previous_tx.raw for one in (case, other))
    rule, detail = refused(worker, replaced(case, base=case.base.replace(mine, its)))
    assert rule == "execution.base-malformed"
    assert "the previous transaction has the id" in detail


def test_a_base_with_the_previous_transaction_left_out(wsh) -> None:
    worker, _, (case, *_) = wsh
    assert refused(worker, replaced(case, base=with_input(case.base, previous_tx=None)))[0] == "execution.foreign-coin"


@pytest.mark.parametrize(
    "fields",
    [
        {"sighash_type": 0x83},
        {"unknown": {b"\xfc\x03bes\x00": b"foreign"}},
        {"derivations": {}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_base_with_a_field_that_is_not_the_contracts(wsh, fields) -> None:
    worker, _, (case, *_) = wsh
    rule, detail = refused(worker, replaced(case, base=with_input(case.base, **fields)))
    assert rule == "execution.base-foreign"
    assert "input 0 holds something else" in detail


def test_a_base_with_a_foreign_global_field(scene) -> None:
    worker, _, (case, *_) = scene
    psbt = Psbt.parse(case.base)
    changed = replace(psbt, unknown={b"\xfc\x03bes\x00": b"foreign"}).raw
    assert refused(worker, replaced(case, base=changed))[0] == "execution.base-foreign"


def test_a_base_that_is_signed_already(scene) -> None:
    worker, _, (case, *_) = scene
    signed = replaced(case, base=case.partials[0], partials=case.partials[1:])
    assert refused(worker, signed)[0] == "execution.base-foreign"


def test_a_base_that_is_final_already(wsh) -> None:
    worker, _, (case, *_) = wsh
    final = with_input(case.base, final_witness=(b"\x01",))
    assert refused(worker, replaced(case, base=final))[0] == "execution.base-malformed"


def test_a_base_of_version_two(wsh) -> None:
    worker, _, (case, *_) = wsh
    assert refused(worker, replaced(case, base=build.to_v2(Psbt.parse(case.base)).raw))[0] == "execution.base-foreign"


def test_a_base_that_spends_one_coin_twice(wsh) -> None:
    worker, _, (case, *_) = wsh
    psbt = Psbt.parse(case.base)
    tx = replace(psbt.tx, inputs=psbt.tx.inputs * 2)
    rule, detail = refused(worker, replaced(case, base=replace(psbt, tx=tx, inputs=psbt.inputs * 2).raw))
    assert rule == "execution.base-malformed"
    assert "the same outpoint is spent twice" in detail


def test_change_that_says_it_is_at_another_address(scene) -> None:
    worker, contract, (case, *_) = scene
    psbt = Psbt.parse(case.base)
    foreign = build.output_fields(derived_at(contract, (1, 3)))
    changed = replace(psbt, outputs=(psbt.outputs[0], foreign)).raw
    assert refused(worker, replaced(case, base=changed))[0] == "execution.base-foreign"


def test_partials_that_are_swapped_between_executions(scene) -> None:
    worker, _, (case, other, _) = scene
    swapped = replaced(case, partials=(case.partials[0], other.partials[1]))
    rule, detail = refused(worker, swapped)
    assert rule == "answer.altered"
    assert "partial 1 is about another transaction" in detail


@pytest.mark.parametrize(("number", "party"), [(0, "a"), (1, "last")])
def test_a_wrong_signature_is_blamed_on_who_made_it(scene, number: int, party: str) -> None:
    worker, contract, (case, *_) = scene
    party = contract.terms.paths[0].keys[-1] if party == "last" else party
    partials = list(case.partials)
    entry = Psbt.parse(partials[number]).inputs[0]
    added = {**entry.partial_signatures, **entry.tap_script_signatures, **entry.musig_partial_signatures}
    (value,) = added.values()
    wrong = bytearray(value)
    wrong[20] ^= 1
    partials[number] = partials[number].replace(value, bytes(wrong))
    rule, detail = refused(worker, replaced(case, partials=tuple(partials)))
    assert rule == "answer.signature"
    assert detail == f"the consensus engine refuses it; wrong: partial {number} ({party})"


def test_the_signature_of_one_under_the_name_of_the_other(wsh) -> None:
    """Both keys are of the path: the engine refuses it, and both records are wrong."""
    worker, _, (case, *_) = wsh
    one, other = (Psbt.parse(raw).inputs[0].partial_signatures for raw in case.partials)
    ((a, by_a), (c, by_c)) = (*one.items(), *other.items())
    crossed = tuple(with_input(case.base, partial_signatures={key: value}) for key, value in ((a, by_c), (c, by_a)))
    rule, detail = refused(worker, replaced(case, partials=crossed))
    assert rule == "answer.signature"
    assert "partial 0 (a), partial 1 (c)" in detail


def signed_by(contract, case: Execution, name: str, flag: int = SIGHASH_ALL) -> bytes:
    """The base with a good signature of this key."""
    psbt = Psbt.parse(case.base)
    derived = next(
        found for index in range(4) if (found := derived_at(contract, (0, index))).script == psbt.inputs[0].spent.script
    )
    key = MASTERS[name].derive((0, derived.index))
    digest = Sighasher(psbt.tx, [psbt.inputs[0].spent]).segwit_v0(0, derived.witness_script, flag)
    return with_input(case.base, partial_signatures={key.public_key: sign_ecdsa(key.secret, digest) + bytes((flag,))})


def test_a_signature_by_a_key_of_another_path(wsh) -> None:
    worker, contract, (case, *_) = wsh
    rule, detail = refused(worker, replaced(case, partials=(case.partials[0], signed_by(contract, case, "r"))))
    assert rule == "answer.foreign"
    assert "partial 1 signs by a key that is none of this path" in detail


def test_a_signature_of_less_than_everything(wsh) -> None:
    worker, contract, (case, *_) = wsh
    rule, detail = refused(worker, replaced(case, partials=(case.partials[0], signed_by(contract, case, "b", 0x83))))
    assert rule == "answer.signature"
    assert "partial 1 (b)" in detail


def test_a_wrong_signature_that_nobody_needed(wsh) -> None:
    worker, contract, (case, *_) = wsh
    (value,) = Psbt.parse(case.partials[0]).inputs[0].partial_signatures.values()
    key = MASTERS["b"].derive((0, 0)).public_key
    surplus = with_input(case.base, partial_signatures={key: value})
    rule, detail = refused(worker, replaced(case, partials=(*case.partials, surplus)))
    assert rule == "answer.signature"
    assert detail == "partial 2 (b) brings a wrong signature for input 0"
    good = replaced(case, partials=(*case.partials, signed_by(contract, case, "b")))
    assert worker.judge(Batch(HEIGHT, (good,)))[0].executed is not None


def test_two_signatures_of_one_key(scene) -> None:
    worker, _, (case, *_) = scene
    entry = Psbt.parse(case.partials[0]).inputs[0]
    added = {**entry.partial_signatures, **entry.tap_script_signatures, **entry.musig_partial_signatures}
    (value,) = added.values()
    other = bytearray(value)
    other[20] ^= 1
    twin = case.partials[0].replace(value, bytes(other))
    rule, detail = refused(worker, replaced(case, partials=(case.partials[0], twin)))
    assert rule == "answer.altered"
    assert "partial 0 (a) and partial 1 (a)" in detail


def test_partials_that_are_too_few_or_empty(scene) -> None:
    worker, _, (case, *_) = scene
    assert refused(worker, replaced(case, partials=case.partials[:1]))[0] == "answer.empty"
    assert refused(worker, replaced(case, partials=(case.partials[0],) * 2))[0] == "answer.empty"
    rule, detail = refused(worker, replaced(case, partials=(case.base, case.partials[1])))
    assert rule == "answer.empty"
    assert "partial 0 adds nothing to input 0" in detail


def test_a_partial_that_is_none(scene) -> None:
    worker, _, (case, *_) = scene
    for bad in (b"", b"psbt\xff", case.partials[1] + b"\x00", case.partials[1][:-3]):
        rule, detail = refused(worker, replaced(case, partials=(case.partials[0], bad)))
        assert rule == "answer.malformed"
        assert detail.startswith("partial 1: ")


def test_a_partial_in_another_order_is_the_same_partial(scene) -> None:
    """Other wallets put signatures elsewhere in the map."""
    worker, _, (case, *_) = scene
    found = scan(case.partials[1]).inputs[0]
    (key,) = found.keys() - scan(case.base).inputs[0].keys()
    record = record_bytes({key: found[key]})
    first = record_bytes({b"\x00": scan(case.base).inputs[0][b"\x00"]})
    moved = with_record(case.partials[1].replace(record, b""), first, record)
    assert moved != case.partials[1]
    assert worker.judge(Batch(HEIGHT, (replaced(case, partials=(case.partials[0], moved)),)))[0].executed is not None
    changed = with_record(moved, record, b"\x01\x0f\x01\x00")
    assert refused(worker, replaced(case, partials=(case.partials[0], changed)))[0] in (
        "answer.altered",
        "answer.foreign",
    )


def of_two_coins(contract) -> Execution:
    """One transaction that spends two coins at different addresses, signed by a and c."""
    coins = tuple(load._coin(contract, number, load.invented) for number in (1, 2))
    change = derived_at(contract, (1, 0)).script
    outputs = (TxOut(load.PAID_SAT, load._PAYEE), TxOut(2 * load.COIN_SAT - load.PAID_SAT - 2_000, change))
    inputs = tuple(TxIn(OutPoint(*coin.outpoint), sequence=0xFFFF_FFFD) for coin in coins)
    tx = Transaction(2, inputs, outputs, load.LOCK_HEIGHT)
    base = base_psbt(contract, Draft(tx, coins, Selection(coins, outputs[1].amount_sat, 2_000, 0, 0), 1, 0))
    psbt = Psbt.parse(base)
    hasher = Sighasher(tx, [entry.spent for entry in psbt.inputs])
    partials = []
    for name in ("a", "c"):
        signed = []
        for index, (coin, entry) in enumerate(zip(coins, psbt.inputs, strict=True)):
            key = MASTERS[name].derive((coin.branch, coin.index))
            digest = hasher.segwit_v0(index, entry.witness_script)
            signature = sign_ecdsa(key.secret, digest) + bytes((SIGHASH_ALL,))
            signed.append(replace(entry, partial_signatures={key.public_key: signature}))
        partials.append(replace(psbt, inputs=tuple(signed)).raw)
    words = load._words(contract, tx.txid)
    return Execution("two", contract.contract_id, "quorum", HEIGHT + 144, base, tuple(partials), *words)


def test_two_coins_and_what_is_wrong_with_the_second(wsh) -> None:
    worker, contract, _ = wsh
    case = of_two_coins(contract)
    (verdict,) = worker.judge(Batch(HEIGHT, (case,)))
    assert verdict.executed is not None
    assert len(verdict.executed.inputs) == 2
    (value,) = Psbt.parse(case.partials[1]).inputs[1].partial_signatures.values()
    wrong = bytearray(value)
    wrong[20] ^= 1
    forged = replaced(case, partials=(case.partials[0], case.partials[1].replace(value, bytes(wrong))))
    rule, detail = refused(worker, forged)
    assert (rule, detail) == ("answer.signature", "the consensus engine refuses it; wrong: partial 1 (c)")
    half = Psbt.parse(case.partials[1])
    one_only = replace(half, inputs=(half.inputs[0], replace(half.inputs[1], partial_signatures={}))).raw
    rule, detail = refused(worker, replaced(case, partials=(case.partials[0], one_only)))
    assert (rule, detail) == ("answer.empty", "partial 1 adds nothing to input 1")
    told = Psbt.parse(case.base).inputs
    crossed = case.base.replace(told[1].previous_tx.raw, told[0].previous_tx.raw)
    assert refused(worker, replaced(case, base=crossed))[0] == "execution.base-malformed"
