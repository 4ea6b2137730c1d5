"""The simulated node beside a real one: whatever both are asked, they answer alike.

Random people pay, replace, spend twice, forge, wait and reorganise. Only with BITCOIND; `FORGIVEN` and `ONE_TELLS` are
what may differ, and docs/chain.md tells why. SEEDS and STEPS make it longer.
"""

import json
import os
import random
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hardware_sims.chain import ChainNode
from hardware_sims.chain.bitcoind import Bitcoind, free_port
from hardware_sims.chain.rpc.protocol import answer
from shared.bitcoin.address import address_of
from shared.bitcoin.block import Block
from shared.bitcoin.network import Network
from shared.bitcoin.script import Op, number, p2wpkh, p2wpkh_script_code, p2wsh, push
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.bitcoin.transaction import COIN_SAT, OutPoint, Transaction, TxIn, TxOut

BITCOIND = os.environ.get("BITCOIND", "")
pytestmark = [
    pytest.mark.skipif(not BITCOIND, reason="compares with the node that BITCOIND names"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]
STEPS = int(os.environ.get("STEPS", "250"))
SEEDS = range(int(os.environ.get("SEEDS", "4")))
SECRET = bytes(31) + b"\x07"
KEY = public_key_of(SECRET)
PURSE = p2wpkh(KEY)
ADDRESS = address_of(PURSE, Network.REGTEST)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
NOT = 0x91
ONE_TELLS = {"asm", "desc", "reject-details", "time", "unbroadcast", "usage", "currentpriority", "startingpriority"}
ANCHOR = bytes.fromhex("51024e73")
WITNESS_SCRIPTS = (
    b"\x51",
    bytes((Op.IF, Op.ONE, Op.ELSE, Op.ZERO, Op.ENDIF)),
    push(KEY) + bytes((Op.CHECKSIG,)),
    push(KEY) + bytes((Op.CHECKSIG, NOT)),
    number(3) + bytes((Op.CHECKSEQUENCEVERIFY, Op.DROP, Op.ONE)),
    number(130) + bytes((Op.CHECKLOCKTIMEVERIFY, Op.DROP, Op.ONE)),
    bytes((Op.DROP, Op.ONE)),
)
BY_SCRIPT = {p2wsh(script): script for script in WITNESS_SCRIPTS}
SCRIPTS = (PURSE,) * 16 + tuple(BY_SCRIPT)
# A cache decides whether the real node remembers that a transaction is in the chain already.
FORGIVEN = (
    ("txn-already-known", "missing-inputs"),
    # Bitcoin Knots has a word for each rule where Bitcoin Core has one for all.
    (r"bad-witness-[a-z-]+", "bad-witness-nonstandard"),
    (r"bad-txns-input-[a-z-]+", "bad-txns-nonstandard-inputs"),
    (r"truc-[a-z-]+", "TRUC-violation"),
    (r"too-long-mempool-chain.*", "too-long-mempool-chain"),  # it names another of the ancestors
)
ODD_SCRIPTS = (ANCHOR, b"\x6a\x02hi", b"\x51", bytes.fromhex("6002abcd"))
RATES = (0, 0.5, 1, 1, 1.5, 2, 3, 5, 8, 20, 200)


class Coin(NamedTuple):
    outpoint: OutPoint
    output: TxOut


class Ours:
    """The simulated node, asked without a socket."""

    def __init__(self) -> None:
        self.node = ChainNode()

    def answered(self, method: str, *params: object) -> tuple[dict[str, Any] | None, Any]:
        body = json.dumps({"id": 1, "method": method, "params": params}).encode()
        reply = json.loads(answer(self.node, body).body, parse_float=Decimal)
        return reply["error"], reply["result"]


class World:
    """Two nodes, what was ever made on them, and dice."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self._node = Bitcoind(BITCOIND, folder, free_port())
        self._node.start()
        self.real = self._node.caller()
        self.ours = Ours()
        self.coins: list[Coin] = []
        self.sent: list[Transaction] = []
        self.tally = {"accepted": 0, "refused": 0, "reorganised": 0}

    def close(self) -> None:
        self._node.stop()
        self.ours.node.close()

    def both(self, method: str, *params: object) -> tuple[dict[str, Any] | None, Any]:
        """The real node's answer, after both gave the same."""
        real, ours = self.real.answered(method, *params), self.ours.answered(method, *params)
        assert _plain(ours, method) == _plain(real, method), f"{method} {str(params)[:2000]}"
        return real

    def mine(self, count: int, *, anew: bool = False) -> None:
        """One of the two mines what it would, the other takes the blocks. `anew` none that was there before: the real
        node would make the same block again.
        """
        by_ours = anew or self.dice.random() < 0.5
        miner, other = (self.ours, self.real) if by_ours else (self.real, self.ours)
        for _ in range(count):
            error, hashes = miner.answered("generatetoaddress", 1, ADDRESS)
            assert error is None
            _, raw = miner.answered("getblock", hashes[0], 0)
            assert other.answered("submitblock", raw) == (None, None)
            reward = Block.parse(bytes.fromhex(raw)).transactions[0]
            self.coins.append(Coin(OutPoint(reward.txid, 0), reward.outputs[0]))

    def transaction(self) -> Transaction:
        dice = self.dice
        coins = dice.sample(self._candidates(), dice.choice((1, 1, 1, 2, 3)))
        if dice.random() < 0.02:
            coins.append(Coin(OutPoint("ab" * 32, 0), TxOut(COIN_SAT, PURSE)))
        outputs = [TxOut(0, dice.choice(SCRIPTS)) for _ in range(dice.choice((1, 1, 2, 4)))]
        if dice.random() < 0.1:
            outputs.append(TxOut(dice.choice((0, 200, 239, 240, 241, 1_000)), dice.choice((*ODD_SCRIPTS, PURSE))))
        sequence = dice.choice((0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFD, 0xFFFFFFFE, 3, 3, 2, 1 << 22 | 1, 1 << 31 | 5))
        height = self.ours.node.chain.height
        lock_time = dice.choice((0,) * 16 + (height, height + 1, 130, 131, 1_600_000_000, 4_000_000_000))
        version = dice.choice((1, 2, 2, 2, 2, 2, 3, 3) if dice.random() < 0.97 else (4,))
        bare = Transaction(
            version, tuple(TxIn(one.outpoint, sequence=sequence) for one in coins), tuple(outputs), lock_time
        )
        vsize_vb = self.signed(bare, coins).vsize_vb
        left_sat = sum(one.output.amount_sat for one in coins) - int(dice.choice(RATES) * vsize_vb)
        left_sat -= sum(output.amount_sat for output in outputs)
        open_places = [at for at, output in enumerate(outputs) if not output.amount_sat and output.script in SCRIPTS]
        for at in open_places:
            outputs[at] = TxOut(max(left_sat // len(open_places), 0), outputs[at].script)
        if dice.random() < 0.02:
            outputs[0] = TxOut(sum(one.output.amount_sat for one in coins) + 1, outputs[0].script)
        return self.signed(Transaction(version, bare.inputs, tuple(outputs), lock_time), coins)

    def _candidates(self) -> list[Coin]:
        """Mostly what may be spent now, else anything."""
        node = self.ours.node
        mature = node.chain.height - 100
        free = [
            one
            for one in self.coins[-150:]
            if (coin := node.coin(one.outpoint, with_mempool=True)) and not (coin.coinbase and coin.height > mature)
        ]
        return free if len(free) > 5 and self.dice.random() < 0.9 else self.coins[-150:]

    def signed(self, bare: Transaction, coins: list[Coin]) -> Transaction:
        sighasher = Sighasher(bare, [one.output for one in coins])
        inputs = [
            TxIn(one.outpoint, sequence=one.sequence, witness=self._witness(sighasher, at, coin.output.script))
            for at, (one, coin) in enumerate(zip(bare.inputs, coins, strict=True))
        ]
        return Transaction(bare.version, tuple(inputs), bare.outputs, bare.lock_time)

    def _witness(self, sighasher: Sighasher, at: int, script: bytes) -> tuple[bytes, ...]:
        """Right most of the time."""
        dice = self.dice
        if script == PURSE:
            return self._signature(sighasher.segwit_v0(at, p2wpkh_script_code(PURSE))), KEY
        witness_script = BY_SCRIPT.get(script)
        if witness_script is None:
            return ()
        if Op.CHECKSIG in witness_script[-2:]:
            signature = self._signature(sighasher.segwit_v0(at, witness_script))
            wanted = signature if witness_script[-1] == Op.CHECKSIG else b""
            return (wanted if dice.random() < 0.9 else signature), witness_script
        if witness_script[0] == Op.IF:
            return dice.choice((b"\x01",) * 8 + (b"", b"\x02", b"\x01\x00")), witness_script
        if witness_script[0] == Op.DROP:
            return bytes(dice.choice((0, 1, 80, 81))), witness_script
        return (witness_script,) if dice.random() < 0.95 else (b"\x01", witness_script)

    def _signature(self, digest: bytes) -> bytes:
        dice = self.dice
        found = sign_ecdsa(SECRET, digest)
        if dice.random() < 0.96:
            return found + b"\x01"
        wrong = sign_ecdsa(SECRET, bytes(32))
        return dice.choice(
            (wrong + b"\x01", found + b"\x00", found + b"\x81", b"", _high_s(found) + b"\x01", found[:-1])
        )

    def offered(self) -> None:
        tx = self.dice.choice(self.sent) if self.sent and self.dice.random() < 0.08 else self.transaction()
        self.both("testmempoolaccept", [tx.raw.hex()])
        error, _ = self.both("sendrawtransaction", tx.raw.hex(), 0)
        self.tally["accepted" if error is None else "refused"] += 1
        if error is None:
            self.sent.append(tx)
            self.coins += [Coin(OutPoint(tx.txid, at), output) for at, output in enumerate(tx.outputs)]

    def chained(self) -> None:
        """One after the other from one coin, until the chain is too long or the money is gone."""
        for _ in range(self.dice.randrange(2, 28)):
            coin = next((one for one in reversed(self.coins) if one.output.script == PURSE), None)
            if coin is None or coin.output.amount_sat < 10_000:
                return
            bare = Transaction(2, (TxIn(coin.outpoint, sequence=0xFFFFFFFD),), (TxOut(0, PURSE),), 0)
            whole = Transaction(
                2, bare.inputs, (TxOut(coin.output.amount_sat - self.dice.randrange(150, 900), PURSE),), 0
            )
            tx = self.signed(whole, [coin])
            self.both("testmempoolaccept", [tx.raw.hex()])
            if self.both("sendrawtransaction", tx.raw.hex(), 0)[0] is not None:
                return
            self.coins.append(Coin(OutPoint(tx.txid, 0), tx.outputs[0]))

    def together(self) -> None:
        made = [self.transaction() for _ in range(self.dice.choice((2, 3)))]
        if self.dice.random() < 0.5:
            self.both("testmempoolaccept", [tx.raw.hex() for tx in made])
            return
        parent = made[0]
        coins = [Coin(OutPoint(parent.txid, at), output) for at, output in enumerate(parent.outputs)]
        coins = [coin for coin in coins if self.dice.random() < 0.8] or coins
        fee_sat = self.dice.choice((0, 50, 300, 2_000, 5_000, 20_000))
        left_sat = max(sum(coin.output.amount_sat for coin in coins) - fee_sat, 0)
        inputs = tuple(TxIn(coin.outpoint, sequence=0xFFFFFFFD) for coin in coins)
        version = parent.version if self.dice.random() < 0.8 else 2
        child = self.signed(Transaction(version, inputs, (TxOut(left_sat, PURSE),), 0), coins)
        package = self.dice.choice(([parent, child],) * 8 + ([child, parent], made, [parent], [parent, parent]))
        _, told = self.both("submitpackage", [tx.raw.hex() for tx in package], 0)
        for tx in package:
            if told is not None and "vsize" in told["tx-results"].get(tx.wtxid, {}):
                self.coins += [Coin(OutPoint(tx.txid, at), output) for at, output in enumerate(tx.outputs)]

    def reorganised(self) -> None:
        depth = self.dice.randrange(1, 4)
        lost = self.ours.node.chain.hash_at(self.ours.node.chain.height - depth + 1)
        self.both("invalidateblock", lost)
        self._settled()
        self.state()
        if self.dice.random() < 0.7:
            self.mine(self.dice.randrange(1, depth + 2), anew=True)
        if self.dice.random() < 0.5:
            self.both("reconsiderblock", lost)
        self._settled()
        self.tally["reorganised"] += 1

    def _settled(self) -> None:
        """A real node walks back first and then to the other branch, and loses on the way what does not hold halfway;
        ours looks at the end. What ours kept the real one has to take again.
        """
        kept = set(self.real.answered("getrawmempool")[1])
        for entry in self.ours.node.mempool:
            if entry.txid not in kept:
                error, _ = self.real.answered("sendrawtransaction", entry.tx.raw.hex(), 0)
                assert error is None, f"{entry.txid}: {error}"

    def state(self) -> None:
        """Tip, mempool with its figures, and single coins."""
        self.both("getbestblockhash")
        self.both("getrawmempool", True)
        for coin in self.dice.sample(self.coins, min(len(self.coins), 5)):
            self.both("gettxout", coin.outpoint.txid, coin.outpoint.vout)
            self.both("gettxout", coin.outpoint.txid, coin.outpoint.vout, False)
            self.both("gettxspendingprevout", [{"txid": coin.outpoint.txid, "vout": coin.outpoint.vout}])
            self.both("getrawtransaction", coin.outpoint.txid, 1)


@pytest.fixture(params=SEEDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "node", request.param)
    yield made
    made.close()


def test_both_answer_alike(world: World) -> None:
    dice = world.dice
    world.mine(110)
    kinds = (world.offered,) * 16 + (world.together,) * 4 + (world.chained, lambda: world.mine(dice.randrange(1, 3)))
    for step in range(STEPS):
        dice.choice(kinds)()
        if step % 10 == 9:
            world.state()
        if step % 50 == 49:
            world.reorganised()
            world.both("scantxoutset", "start", [f"raw({script.hex()})" for script in {*SCRIPTS}])
            world.state()
    assert world.tally["accepted"] > STEPS // 12
    assert world.tally["refused"] > STEPS // 12


def _high_s(der: bytes) -> bytes:
    r_size = der[3]
    r, s = int.from_bytes(der[4 : 4 + r_size], "big"), int.from_bytes(der[6 + r_size :], "big")
    body = b"".join(b"\x02" + bytes((len(one),)) + one for one in (_integer(r), _integer(ORDER - s)))
    return b"\x30" + bytes((len(body),)) + body


def _integer(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def _plain(answered: tuple[dict[str, Any] | None, Any], method: str) -> Any:
    """What is compared: without the fields that only one tells, and lists without an order in one order."""
    error, result = answered
    if error is not None:
        return error["code"], _shared_words(error["message"])
    if method == "scantxoutset":
        result = dict(result, unspents=sorted(result["unspents"], key=lambda one: (one["txid"], one["vout"])))
    return _told_by_both(result)


def _told_by_both(value: Any) -> Any:
    if isinstance(value, dict):
        known = {key: _told_by_both(one) for key, one in value.items() if key not in ONE_TELLS}
        if "spentby" in known:  # of the mempool
            known |= {"spentby": sorted(known["spentby"]), "depends": sorted(known["depends"])}
            del known["height"], known["wtxid"]
            known.pop("hash", None)
        return known
    return [_told_by_both(one) for one in value] if isinstance(value, list) else _shared_words(value)


def _shared_words(value: Any) -> Any:
    """A text without what only the real node under test says."""
    if not isinstance(value, str):
        return value
    for pattern, word in FORGIVEN:
        value = re.sub(f"^(?:{pattern})", word, value)
    return value
