"""The transactions of a forward, all known before it is funded: the funding of both stakes, one settlement for each
digit prefix of the oracle's number, the refund, and the way back of a stake that was never used.

Amounts follow from the terms alone, so that neither side has change and the txid of the funding is known beforehand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from shared.bitcoin.address import script_of
from shared.bitcoin.dlc import NumberEvent
from shared.bitcoin.miniscript import relay_vsize_vb, stack_wu
from shared.bitcoin.network import Network
from shared.bitcoin.script import dust_sat, p2wpkh, p2wpkh_script_code, p2wsh, push
from shared.bitcoin.sighash import SIGHASH_ALL, Sighasher
from shared.bitcoin.signature import verify_ecdsa
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.errors import Denied
from shared.forward.curve import steps
from shared.forward.digits import prefixes
from shared.forward.rule import BAD_SIGNATURE, ORACLE, TERMS
from shared.wire.forward import MOST_SETTLEMENTS, ForwardTerms, Side

_SEQUENCE = 0xFFFF_FFFE
"""Final, but for letting the lock time count."""
_ALL = bytes((SIGHASH_ALL,))
_SIGNATURE_BYTES = 72
_KEY_BYTES = 33
_OP_2, _OP_CHECKMULTISIG = b"\x52", b"\xae"


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is paid where the oracle's number begins with `prefix`. `digest` is signed, encrypted to `point`."""

    prefix: tuple[int, ...]
    miner_sat: int
    transaction: Transaction
    digest: bytes
    point: bytes


@dataclass(frozen=True)
class Deal:
    """A forward with its two stakes and its oracle's event."""

    terms: ForwardTerms
    miner_stake: OutPoint
    buyer_stake: OutPoint
    event: NumberEvent = field(repr=False)

    @property
    def network(self) -> Network:
        return Network(self.terms.network)

    @cached_property
    def witness_script(self) -> bytes:
        """2 of 2, the miner's key first."""
        keys = push(self.terms.miner_key) + push(self.terms.buyer_key)
        return _OP_2 + keys + _OP_2 + _OP_CHECKMULTISIG

    @cached_property
    def funding(self) -> Transaction:
        """Both stakes into the 2-of-2, nothing else; no witnesses yet."""
        inputs = tuple(TxIn(stake, sequence=_SEQUENCE) for stake in (self.miner_stake, self.buyer_stake))
        return Transaction(2, inputs, (TxOut(funding_sat(self.terms), p2wsh(self.witness_script)),), 0)

    @cached_property
    def stakes(self) -> tuple[TxOut, TxOut]:
        """What the inputs of the funding spend: one output of each side's own key, of exactly this amount."""
        return (
            TxOut(stake_sat(self.terms, "miner"), p2wpkh(self.terms.miner_key)),
            TxOut(stake_sat(self.terms, "buyer"), p2wpkh(self.terms.buyer_key)),
        )

    @cached_property
    def settlements(self) -> tuple[Settlement, ...]:
        """One for each digit prefix, by ascending outcome.

        Denied `forward.oracle` where the event is another, `forward.terms` where there are more than 4,000.
        """
        terms, event = self.terms, self.event
        announced = (event.event_id, event.oracle_key, event.base, event.nb_digits)
        if announced != (terms.event_id, terms.oracle_key, terms.base, terms.nb_digits):
            raise Denied(ORACLE, f"the oracle announced {event.event_id!r}, not this forward's event")
        found: list[Settlement] = []
        for step in steps(terms.hedge, unit=terms.unit, outcomes=terms.outcomes, rounding_sat=terms.rounding_sat):
            tx = self._paying(step.miner_sat, terms.settle_height)
            digest = self.digest(tx)
            for prefix in prefixes(step.first, step.last, base=terms.base, nb_digits=terms.nb_digits):
                if len(found) == MOST_SETTLEMENTS or not prefix:
                    raise Denied(TERMS, f"a forward has 2 to {MOST_SETTLEMENTS:,} settlements; round otherwise")
                found.append(Settlement(prefix, step.miner_sat, tx, digest, event.point(prefix)))
        return tuple(found)

    @cached_property
    def refund(self) -> Transaction:
        """Each side gets its collateral back, from `refund_height` on."""
        return self._paying(self.terms.hedge.miner_collateral_sat, self.terms.refund_height)

    def digest(self, tx: Transaction) -> bytes:
        """Of a transaction that spends the funding: what both sides sign (BIP-143, SIGHASH_ALL)."""
        return Sighasher(tx, self.funding.outputs).segwit_v0(0, self.witness_script)

    def funding_digest(self, side: Side) -> bytes:
        """What a side signs to bring its stake in."""
        index = 0 if side == "miner" else 1
        return Sighasher(self.funding, self.stakes).segwit_v0(index, p2wpkh_script_code(self.stakes[index].script))

    def funded(self, miner: bytes, buyer: bytes) -> Transaction:
        """The funding with both signatures, DER without flag; Denied `forward.bad-signature` names whose is wrong."""
        inputs = []
        sides: tuple[tuple[Side, bytes], ...] = (("miner", miner), ("buyer", buyer))
        for (side, der), bare in zip(sides, self.funding.inputs, strict=True):
            self.check(side, self.funding_digest(side), der, "the funding")
            inputs.append(TxIn(bare.outpoint, sequence=bare.sequence, witness=(der + _ALL, self.terms.key(side))))
        return Transaction(2, tuple(inputs), self.funding.outputs, 0)

    def complete(self, tx: Transaction, signatures: Mapping[Side, bytes]) -> Transaction:
        """A settlement or the refund with both signatures, DER without flag.

        Denied `forward.bad-signature` names the side whose signature is missing or wrong.
        """
        digest = self.digest(tx)
        self.check("miner", digest, signatures.get("miner", b""), "this settlement")
        self.check("buyer", digest, signatures.get("buyer", b""), "this settlement")
        witness = (b"", signatures["miner"] + _ALL, signatures["buyer"] + _ALL, self.witness_script)
        return Transaction(tx.version, (_spend(tx, witness),), tx.outputs, tx.lock_time)

    def check(self, side: Side, digest: bytes, der: bytes, what: str) -> None:
        if not verify_ecdsa(self.terms.key(side), digest, der):
            key = self.terms.key(side).hex()
            raise Denied(BAD_SIGNATURE, f"no valid signature of {what} by the {side}'s key {key}")

    def way_back(self, side: Side) -> Transaction:
        """A stake that was not used, back to its owner's address."""
        stake = self.miner_stake if side == "miner" else self.buyer_stake
        amount_sat = stake_sat(self.terms, side) - way_back_fee_sat(self.terms)
        script = _scripts(self.terms)[0 if side == "miner" else 1]
        return Transaction(2, (TxIn(stake, sequence=_SEQUENCE - 1),), (TxOut(amount_sat, script),), 0)

    def way_back_digest(self, side: Side) -> bytes:
        stake = self.stakes[0 if side == "miner" else 1]
        return Sighasher(self.way_back(side), (stake,)).segwit_v0(0, p2wpkh_script_code(stake.script))

    def taken_back(self, side: Side, der: bytes) -> Transaction:
        self.check(side, self.way_back_digest(side), der, "the way back")
        bare = self.way_back(side)
        return Transaction(2, (_spend(bare, (der + _ALL, self.terms.key(side))),), bare.outputs, 0)

    def _paying(self, miner_sat: int, lock_time: int) -> Transaction:
        """What is not worth an output is left to the fee."""
        amounts = (miner_sat, self.terms.hedge.total_sat - miner_sat)
        paid = zip(amounts, _scripts(self.terms), strict=True)
        outputs = tuple(TxOut(amount_sat, script) for amount_sat, script in paid if amount_sat >= dust_sat(script))
        return Transaction(2, (TxIn(OutPoint(self.funding.txid, 0), sequence=_SEQUENCE),), outputs, lock_time)


def stake_sat(terms: ForwardTerms, side: Side) -> int:
    """A side's collateral and its half of the fees of funding and closing; an odd satoshi is the miner's."""
    fees_sat = funding_fee_sat(terms) + closing_fee_sat(terms)
    hedge = terms.hedge
    if side == "miner":
        return hedge.miner_collateral_sat + (fees_sat + 1) // 2
    return hedge.buyer_collateral_sat + fees_sat // 2


def funding_sat(terms: ForwardTerms) -> int:
    """Both collaterals, and the fee of the transaction that ends it."""
    return terms.hedge.total_sat + closing_fee_sat(terms)


def funding_fee_sat(terms: ForwardTerms) -> int:
    """Of two P2WPKH inputs and one P2WSH output, signatures at their largest."""
    weight_wu = 4 * (10 + 2 * 41 + 43) + 2 + 2 * stack_wu((_SIGNATURE_BYTES, _KEY_BYTES))
    return terms.fee_rate_sat_vb * relay_vsize_vb(weight_wu, 2)


def closing_fee_sat(terms: ForwardTerms) -> int:
    """Of a settlement with both outputs and signatures at their largest."""
    outputs = sum(9 + len(script) for script in _scripts(terms))
    script_bytes = 3 + 2 * (1 + _KEY_BYTES)
    witness = stack_wu((0, _SIGNATURE_BYTES, _SIGNATURE_BYTES, script_bytes))
    return terms.fee_rate_sat_vb * relay_vsize_vb(4 * (10 + 41 + outputs) + 2 + witness, 2)


def way_back_fee_sat(terms: ForwardTerms) -> int:
    """Of one P2WPKH input and the largest output that an address has."""
    weight_wu = 4 * (10 + 41 + 43) + 2 + stack_wu((_SIGNATURE_BYTES, _KEY_BYTES))
    return terms.fee_rate_sat_vb * relay_vsize_vb(weight_wu, 1)


def _spend(tx: Transaction, witness: tuple[bytes, ...]) -> TxIn:
    (bare,) = tx.inputs
    return TxIn(bare.outpoint, sequence=bare.sequence, witness=witness)


def _scripts(terms: ForwardTerms) -> tuple[bytes, bytes]:
    network = Network(terms.network)
    return script_of(terms.miner_address, network), script_of(terms.buyer_address, network)
