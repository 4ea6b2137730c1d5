"""What is foretold of a spend is what the real one weighs, signed by real keys and judged by the consensus engine."""

from itertools import combinations

import msgspec
import pytest

from controller.contracts.cost import check_budget, cost, earliest_height, transaction_wu
from controller.contracts.route import routes
from controller.contracts.template.free import FreePolicy
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of
from shared.bitcoin.sigops import sigop_cost
from shared.bitcoin.transaction import OutPoint, TxOut
from shared.wire.contract import SpendingPath
from tests.controller.contracts.scene import AGREEMENT, LIMITS, VAULT, agreement, denied, party, secret
from tests.controller.contracts.spending import Spender
from tests.controller.contracts.template.test_templates import CASES

OUTPUTS = (TxOut(150_000, p2wpkh(public_key_of(secret(9)))), TxOut(40_000, bytes([0x51, 32]) + bytes(range(32))))
ABCR = (party("Anna", 0), party("Ben", 1), party("Carl", 2), party("Rosa", 3, "recovery"))
FREE = {
    "free wsh": FreePolicy(
        policy="or(9@thresh(2,pk(Anna),pk(Ben),pk(Carl)),and(thresh(1,pk(Rosa),pk(Anna)),older(100)))"
    ),
    "free tree": FreePolicy(
        policy="or(9@thresh(2,pk(Anna),pk(Ben),pk(Carl)),or(and(pk(Rosa),older(100)),and(pk(Anna),after(800000))))",
        taproot=True,
    ),
    "free key path": FreePolicy(
        policy="or(99@pk(Anna),or(9@and(pk(Ben),pk(Carl)),and(pk(Rosa),older(7))))", taproot=True
    ),
}


def compiled_cases():
    for name, (template, parties, _) in CASES.items():
        yield name, template.compile(agreement(*parties))
    for name, template in FREE.items():
        yield name, template.compile(agreement(*ABCR))


ALL = [
    pytest.param(compiled, route, id=f"{name}: {route.path.name}")
    for name, compiled in compiled_cases()
    for route in routes(compiled.terms.descriptor, compiled.terms.parties)
]


@pytest.mark.parametrize(("compiled", "route"), ALL)
@pytest.mark.parametrize("inputs", [1, 3])
def test_weight_and_signature_operations_are_those_of_the_real_spend(compiled, route, inputs):
    spender = Spender(compiled, branch=inputs % 2, index=5)
    coins = [(OutPoint("ab" * 32, vout), TxOut(200_000, spender.script)) for vout in range(inputs)]
    tx = spender.unsigned(route, coins, OUTPUTS)
    foretold = cost(route, inputs, [output.script for output in OUTPUTS], (1, 10))
    spent = [output for _, output in coins]
    lightest = None
    for names in combinations(route.path.keys, route.path.needed):
        real = spender.signed(route, tx, coins, set(names))
        assert real is not None, f"{names} cannot sign"
        assert failed_input(real, spent) is None
        assert 0 <= foretold.weight_wu - real.weight_wu <= 2, f"{names}: {real.weight_wu} wu"
        lightest = min(real.weight_wu, lightest or real.weight_wu)
        assert foretold.sigop_cost == sigop_cost(real, spent)
        if route.signature_units is not None:
            used, allowed = route.signature_units
            assert used <= allowed
    assert foretold.fees_sat == {1: foretold.vsize_vb, 10: 10 * foretold.vsize_vb}
    assert foretold.signers == route.path.needed


@pytest.mark.parametrize(("compiled", "route"), ALL)
def test_with_a_signer_fewer_or_a_lock_too_early_nothing_is_spent(compiled, route):
    spender = Spender(compiled)
    coins = [(OutPoint("cd" * 32, 0), TxOut(200_000, spender.script))]
    spent = [output for _, output in coins]
    tx = spender.unsigned(route, coins, OUTPUTS)
    whole = spender.signed(route, tx, coins, set(route.path.keys[: route.path.needed]))
    for names in combinations(route.path.keys, route.path.needed - 1):
        assert spender.signed(route, tx, coins, set(names)) is None or _other_route_covers(compiled, route, names)
    for at, item in enumerate(whole.inputs[0].witness):
        if len(item) > 1:  # signatures, keys, script and control block; zeros are kept by relay policy only (NULLFAIL)
            assert failed_input(_without(whole, at), spent) == 0
    for early in _too_early(route, whole):
        assert failed_input(early, spent) == 0


def _other_route_covers(compiled, route, names):
    """A wsh script is one for all of its paths: with these signers another may be open by the same locks."""
    return any(
        other.path.needed <= len(set(other.path.keys) & set(names))
        and (other.path.older_blocks or 0) <= (route.path.older_blocks or 0)
        and (other.path.after_height or 0) <= (route.path.after_height or 0)
        for other in routes(compiled.terms.descriptor, compiled.terms.parties)
    )


def _without(tx, at):
    witness = tx.inputs[0].witness
    return _replaced(tx, witness=(*witness[:at], b"", *witness[at + 1 :]))


def _too_early(route, tx):
    if route.path.older_blocks is not None:
        yield _replaced(tx, sequence=route.path.older_blocks - 1)
    if route.path.after_height is not None:
        yield type(tx)(tx.version, tx.inputs, tx.outputs, route.path.after_height - 1)


def _replaced(tx, **changes):
    one = tx.inputs[0]
    values = {"outpoint": one.outpoint, "sequence": one.sequence, "witness": one.witness} | changes
    return type(tx)(tx.version, (type(one)(**values),), tx.outputs, tx.lock_time)


def test_the_earliest_height_of_each_lock():
    free = SpendingPath("a", "signer", ("A",), 1)
    assert earliest_height(free, 100) == 100
    assert earliest_height(msgspec.structs.replace(free, older_blocks=144), 100) == 244
    assert earliest_height(msgspec.structs.replace(free, after_height=500), 100) == 501
    both = msgspec.structs.replace(free, older_blocks=144, after_height=500)
    assert earliest_height(both, 400) == 544


def test_an_execution_over_its_budget_is_refused():
    (route, _) = routes(VAULT.compile(AGREEMENT).terms.descriptor, AGREEMENT.parties)
    small = cost(route, 2, [OUTPUTS[0].script], (10,))
    check_budget(small, small.fees_sat[10], LIMITS)
    with denied("budget.weight"):
        check_budget(cost(route, 100, [OUTPUTS[0].script], ()), 1_000, LIMITS)
    with denied("budget.fee"):
        check_budget(small, LIMITS.fee_sat + 1, LIMITS)
    with denied("budget.fee"):
        check_budget(small, 201 * small.vsize_vb, LIMITS)
    with denied("budget.weight"):
        check_budget(small, 1_000, msgspec.structs.replace(LIMITS, weight_wu=small.weight_wu - 1))


def test_many_inputs_take_longer_counts():
    (route, _) = routes(VAULT.compile(AGREEMENT).terms.descriptor, AGREEMENT.parties)
    step = transaction_wu([route] * 253, ()) - transaction_wu([route] * 252, ())
    assert step == route.input_wu + 8
