"""The transactions that end a forward, all known before it is funded: one for each digit prefix, and the refund."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from controller.contracts.forward.digits import bounds, prefixes
from controller.contracts.refusal import Refusal
from controller.contracts.template.forward import HashrateForward
from shared.bitcoin.address import script_of
from shared.bitcoin.descriptor import Derived
from shared.bitcoin.dlc import Attested, NumberEvent, decrypt, verify_encrypted
from shared.bitcoin.miniscript import relay_vsize_vb, stack_wu
from shared.bitcoin.network import Network
from shared.bitcoin.script import dust_sat
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import verify_ecdsa
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.errors import BitcoinMalformed, Denied

_SEQUENCE = 0xFFFF_FFFE
"""Final, but for letting the lock time count."""
_SIGHASH_ALL = b"\x01"
_SIGNATURE_BYTES = 72
_GENESIS_TARGET = 0xFFFF << 208


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
    """A forward with its funding coin: `derived` is the 2-of-2 that holds it."""

    forward: HashrateForward
    network: Network
    derived: Derived
    funding: OutPoint
    event: NumberEvent = field(repr=False)

    @property
    def funding_sat(self) -> int:
        """Both collaterals, and the fee of the transaction that ends it."""
        return self.forward.hedge.total_sat + closing_fee_sat(self.forward, self.network, self._witness_script)

    @property
    def _witness_script(self) -> bytes:
        assert self.derived.witness_script is not None  # a forward is wsh()
        return self.derived.witness_script

    def settlements(self) -> tuple[Settlement, ...]:
        """One for each digit prefix, by ascending outcome. Denied `template.bad-oracle` where the event is another."""
        forward = self.forward
        if (self.event.event_id, self.event.base, self.event.nb_digits) != (
            forward.event_id,
            forward.base,
            forward.nb_digits,
        ):
            raise Denied(Refusal.BAD_ORACLE, f"the oracle announced {self.event.event_id!r}, not this forward's event")
        found: list[Settlement] = []
        for step in forward.payouts():
            tx = self._paying(step.miner_sat, forward.settle_height)
            digest = self.digest(tx)
            for prefix in prefixes(step.first, step.last, base=forward.base, nb_digits=forward.nb_digits):
                found.append(Settlement(prefix, step.miner_sat, tx, digest, self.event.point(prefix)))
        return tuple(found)

    def refund(self) -> Transaction:
        """Each side gets its collateral back, from `refund_height` on."""
        return self._paying(self.forward.hedge.miner_collateral_sat, self.forward.refund_height)

    def digest(self, tx: Transaction) -> bytes:
        """What both sides sign (BIP-143, SIGHASH_ALL)."""
        spent = TxOut(self.funding_sat, self.derived.script)
        return Sighasher(tx, (spent,)).segwit_v0(0, self._witness_script)

    def complete(self, tx: Transaction, signatures: dict[bytes, bytes]) -> Transaction:
        """With both sides' signatures, DER without flag, by public key of 33 bytes.

        Denied `forward.bad-signature` names the key whose signature is missing or wrong.
        """
        digest = self.digest(tx)
        for key in self.derived.keys:
            if not verify_ecdsa(key, digest, signatures.get(key, b"")):
                raise Denied(Refusal.BAD_SIGNATURE, f"no valid signature of this settlement by key {key.hex()}")
        ordered = (signatures[key] + _SIGHASH_ALL for key in self.derived.keys)
        witness = (b"", *ordered, self._witness_script)
        spend = TxIn(self.funding, sequence=_SEQUENCE, witness=witness)
        return Transaction(tx.version, (spend,), tx.outputs, tx.lock_time)

    def _paying(self, miner_sat: int, lock_time: int) -> Transaction:
        """What is not worth an output is left to the fee."""
        amounts = (miner_sat, self.forward.hedge.total_sat - miner_sat)
        paid = zip(amounts, _scripts(self.forward, self.network), strict=True)
        outputs = tuple(TxOut(amount_sat, script) for amount_sat, script in paid if amount_sat >= dust_sat(script))
        return Transaction(2, (TxIn(self.funding, sequence=_SEQUENCE),), outputs, lock_time)


def check_adaptors(settlements: Sequence[Settlement], public_key: bytes, adaptors: Sequence[bytes]) -> None:
    """Before anything is paid in: every settlement can be enforced against the holder of `public_key`.

    Denied `forward.bad-adaptor` names the first that cannot.
    """
    if len(adaptors) != len(settlements):
        raise Denied(Refusal.BAD_ADAPTOR, f"{len(adaptors)} encrypted signatures for {len(settlements)} settlements")
    for settlement, adaptor in zip(settlements, adaptors, strict=True):
        if not verify_encrypted(public_key, settlement.digest, settlement.point, adaptor):
            digits = "".join(map(str, settlement.prefix))
            raise Denied(
                Refusal.BAD_ADAPTOR, f"the outcomes that begin with {digits}… could not be enforced; do not pay in"
            )


def opened(
    settlements: Sequence[Settlement], adaptors: Sequence[bytes], attested: Attested
) -> tuple[Settlement, bytes]:
    """The settlement of what the oracle attested, and the other side's signature on it (DER without flag)."""
    for settlement, adaptor in zip(settlements, adaptors, strict=True):
        length = len(settlement.prefix)
        if settlement.prefix == attested.digits[:length]:
            return settlement, decrypt(adaptor, attested.key(length))
    raise BitcoinMalformed("no settlement begins as the attested number does")


def check_outcome(forward: HashrateForward, attested: Attested, bits: int) -> None:
    """The chain itself tells the difficulty: compare the oracle with the header at `settle_height`.

    Denied `forward.oracle-lies` where they differ; keep the attestation, it proves the lie.
    """
    told, _ = bounds(attested.digits, base=forward.base, nb_digits=forward.nb_digits)
    real = outcome_of(bits, forward)
    if told != real:
        raise Denied(Refusal.ORACLE_LIES, f"the oracle attests {told:,}, the header at the height says {real:,}")


def outcome_of(bits: int, forward: HashrateForward) -> int:
    """What an honest oracle tells for a header with this compact target; the largest number where it is larger."""
    exponent, mantissa = bits >> 24, bits & 0x7F_FFFF
    target = mantissa << 8 * (exponent - 3) if exponent >= 3 else mantissa >> 8 * (3 - exponent)
    if target < 1:
        raise BitcoinMalformed(f"header: bits {bits:#x} are no target")
    return min(_GENESIS_TARGET // (target * forward.unit), forward.outcomes - 1)


def closing_fee_sat(forward: HashrateForward, network: Network, witness_script: bytes) -> int:
    """Of a settlement with both outputs and signatures at their largest."""
    outputs = sum(9 + len(script) for script in _scripts(forward, network))
    witness = stack_wu((0, _SIGNATURE_BYTES, _SIGNATURE_BYTES, len(witness_script)))
    weight_wu = 4 * (10 + 41 + outputs) + 2 + witness
    return forward.fee_rate_sat_vb * relay_vsize_vb(weight_wu, 2)


def _scripts(forward: HashrateForward, network: Network) -> tuple[bytes, bytes]:
    return script_of(forward.miner_address, network), script_of(forward.buyer_address, network)
