"""Random policies on the embedded chain: what is called spendable spends, at the height and weight foretold, and no
other way does.
"""

from collections.abc import Iterator
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.contracts.compiled import Compiled
from controller.contracts.cost import cost, earliest_height
from controller.contracts.route import Route, routes
from controller.contracts.template.agreement import Agreement
from controller.contracts.template.free import FreePolicy
from hardware_sims.chain import ChainNode
from hardware_sims.chain.refusal import TransactionRefused
from shared.bitcoin.script import p2wpkh, p2wpkh_script_code
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.errors import Denied
from tests.controller.contracts.scene import agreement, party, secret
from tests.controller.contracts.spending import Spender

NAMES = ("Anna", "Ben", "Carl", "Dora", "Emil")
PARTIES = {name: party(name, number) for number, name in enumerate(NAMES)}
BANK = secret(90)
BANK_SCRIPT = p2wpkh(public_key_of(BANK))
COIN_SAT = 100_000
FEE_SAT = 2_000


class Regtest:
    """A chain with a bank that funds contracts."""

    def __init__(self) -> None:
        self.node = ChainNode()
        self.node.generate(101, BANK_SCRIPT)
        self._spent = 0

    @property
    def height(self) -> int:
        return self.node.chain.height

    def pay(self, script: bytes, coins: int) -> list[tuple[OutPoint, TxOut]]:
        """Coins in the next block."""
        while self.height - 100 <= self._spent:
            self.node.generate(1, BANK_SCRIPT)
        self._spent += 1
        coinbase = self.node.chain.at(self._spent).block.transactions[0]
        source = coinbase.outputs[0]
        outputs = [TxOut(COIN_SAT, script)] * coins
        rest = TxOut(source.amount_sat - coins * COIN_SAT - FEE_SAT, BANK_SCRIPT)
        tx = Transaction(2, (TxIn(OutPoint(coinbase.txid, 0)),), (*outputs, rest), 0)
        digest = Sighasher(tx, [source]).segwit_v0(0, p2wpkh_script_code(BANK_SCRIPT))
        witness = (sign_ecdsa(BANK, digest) + b"\x01", public_key_of(BANK))
        signed = Transaction(2, (TxIn(OutPoint(coinbase.txid, 0), witness=witness),), tx.outputs, 0)
        self.node.accept(signed)
        self.node.generate(1, BANK_SCRIPT)
        return [(OutPoint(signed.txid, at), signed.outputs[at]) for at in range(coins)]

    def mine_to(self, height: int) -> None:
        if height > self.height:
            self.node.generate(height - self.height, BANK_SCRIPT)

    def refusal(self, tx: Transaction) -> str:
        """Why the mempool does not take it; empty where it does."""
        (found,) = self.node.test([tx]).values()
        return found.reason if isinstance(found, TransactionRefused) else ""


@pytest.fixture(scope="module")
def regtest() -> Iterator[Regtest]:
    chain = Regtest()
    yield chain
    chain.node.close()


def _keys(names: list[str]) -> str:
    return ",".join(f"pk({name})" for name in names)


@st.composite
def _quorums(draw, names):
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    needed = draw(st.integers(1, len(chosen)))
    return f"thresh({needed},{_keys(chosen)})" if len(chosen) > 1 else _keys(chosen)


@st.composite
def _branches(draw):
    """A quorum, with a relative lock, an absolute lock counted from the tip, or one more signer."""
    quorum = draw(_quorums(NAMES))
    match draw(st.integers(0, 3)):
        case 0:
            return quorum
        case 1:
            return f"and({quorum},older({draw(st.integers(1, 12))}))"
        case 2:
            return f"and({quorum},after(TIP+{draw(st.integers(1, 12))}))"
        case _:
            return f"and(pk({draw(st.sampled_from(NAMES))}),{quorum})"


@st.composite
def _policies(draw):
    branches = draw(st.lists(_branches(), min_size=1, max_size=3))
    policy = branches[0]
    for branch in branches[1:]:
        policy = f"or({draw(st.integers(1, 9))}@{policy},{draw(st.integers(1, 9))}@{branch})"
    return policy, draw(st.booleans())


def _written(policy: str, tip: int) -> str:
    for ahead in range(12, 0, -1):
        policy = policy.replace(f"TIP+{ahead})", f"{tip + ahead})")
    return policy


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(_policies())
def test_what_is_foretold_happens_and_nothing_else(regtest, drawn):
    policy, taproot = drawn
    text = _written(policy, regtest.height)
    parties = tuple(PARTIES[name] for name in NAMES if f"pk({name})" in text)
    compiled = _compiled(FreePolicy(policy=text, taproot=taproot), agreement(*parties, birth_height=1))
    if compiled is None:
        return
    spender = Spender(compiled, index=regtest.height % 50)
    found = routes(compiled.terms.descriptor, parties)
    coins = regtest.pay(spender.script, len(found))
    funded_height = regtest.height
    by_date = sorted(zip(found, coins, strict=True), key=lambda pair: earliest_height(pair[0].path, funded_height))
    for route, coin in by_date:
        _rehearse(regtest, spender, found, route, coin, funded_height)


def _compiled(template: FreePolicy, terms: Agreement) -> Compiled | None:
    """None where the policy holds no money, for a reason of its own."""
    try:
        return template.compile(terms)
    except Denied as refusal:
        if refusal.rule in {"template.insane", "template.unused-key"}:
            return None
        raise


def _rehearse(regtest, spender, found, route: Route, coin, funded_height: int) -> None:
    tx = spender.unsigned(route, [coin], (TxOut(COIN_SAT - FEE_SAT, BANK_SCRIPT),))
    opens = earliest_height(route.path, funded_height)
    whole = spender.signed(route, tx, [coin], set(route.path.keys[: route.path.needed]))
    assert whole is not None
    if opens > regtest.height + 1:
        regtest.mine_to(opens - 2)
        assert regtest.refusal(whole) in {"non-final", "non-BIP68-final"}
        regtest.mine_to(opens - 1)
    assert regtest.refusal(whole) == ""
    foretold = cost(route, 1, (BANK_SCRIPT,), ())
    for names in combinations(route.path.keys, route.path.needed):
        real = spender.signed(route, tx, [coin], set(names))
        assert regtest.refusal(real) == ""
        assert 0 <= foretold.weight_wu - real.weight_wu <= 2
    _nobody_else(regtest, spender, found, route, tx, coin)
    regtest.node.accept(whole)
    regtest.node.generate(1, BANK_SCRIPT)
    assert regtest.node.chain.coins.get(coin[0]) is None
    assert regtest.height >= opens


def _nobody_else(regtest, spender, found, route, tx, coin) -> None:
    """No set of people spends by this transaction's locks unless a route is told that lets them."""
    people = {name for one in found for name in one.path.keys}
    for size in range(len(people) + 1):
        for names in combinations(sorted(people), size):
            told = any(_lets(one, set(names), route) for one in found)
            signed = [spender.signed(one, tx, [coin], set(names)) for one in found]
            spends = any(one is not None and regtest.refusal(one) == "" for one in signed)
            assert spends == told, f"{names} by {route.path.name}"


def _lets(one: Route, names: set[str], locks: Route) -> bool:
    """Whether `one` is open to these people in a transaction that carries the locks of another route."""
    enough = len(names & set(one.path.keys)) >= one.path.needed
    waits = (one.path.older_blocks or 0) <= (locks.path.older_blocks or 0)
    return enough and waits and (one.path.after_height or 0) <= (locks.path.after_height or 0)
