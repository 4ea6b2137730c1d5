"""Signed messages (BIP-322): whoever can spend from an address can sign, by satisfying its script.

The message and the script make a transaction that nobody can ever mine (`to_spend`); the signature is a second one that
spends it (`to_sign`). btclib judges by all rules of the BIP and Bitcoin Core's engine has to agree about the scripts.

A proof shows control at one moment. It does not show ownership, nor that these are all coins, and whether coins named
in a proof of funds exist and are unspent is for the chain to say.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from btclib.exceptions import BTClibException, InconclusiveError
from btclib.script.witness import Witness
from btclib.tx import Tx
from btclib_wallet import bip322
from btclib_wallet.psbt import Psbt, extract_tx
from ecc.exceptions import EccRuntimeError

from shared.bitcoin.address import script_of
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.hashes import tagged_hash
from shared.bitcoin.network import Network
from shared.bitcoin.script import Op, push
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut, witness_bytes
from shared.errors import BitcoinDisagreement

_MAX_LETTERS: Final = 1 << 20
_NOTHING: Final = TxOut(0, bytes((Op.RETURN,)))
_COINBASE: Final = OutPoint("00" * 32, 0xFFFF_FFFF)
_REFUSALS: Final = (BTClibException, EccRuntimeError, ValueError)


class Outcome(StrEnum):
    VALID = "valid"
    INCONCLUSIVE = "inconclusive"  # today's rules cannot tell: a later upgrade may give the script a meaning
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a signature proves. A valid one holds from `lock_time` on (a height or a time, BIP-65) and for coins at
    least as old as `sequence` says (BIP-68); both are 0 without time locks. `coins` are those of a proof of funds.
    """

    outcome: Outcome
    reason: str = ""
    lock_time: int = 0
    sequence: int = 0
    coins: tuple[OutPoint, ...] = ()


def to_spend(message: bytes, script: bytes) -> Transaction:
    """The transaction that commits to the message and the address's script."""
    digest = tagged_hash("BIP0322-signed-message", message)
    source = TxIn(_COINBASE, bytes((Op.ZERO,)) + push(digest), sequence=0)
    return Transaction(0, (source,), (TxOut(0, script),), 0)


def to_sign(
    message: bytes,
    script: bytes,
    *,
    version: int = 0,
    lock_time: int = 0,
    sequence: int = 0,
    coins: Sequence[TxIn] = (),
) -> Transaction:
    """What is signed, still without signature; `coins` are further inputs of a proof of funds.

    Time locks need version 2 and fit the script's path.
    """
    challenge = TxIn(OutPoint(to_spend(message, script).txid, 0), sequence=sequence)
    return Transaction(version, (challenge, *coins), (_NOTHING,), lock_time)


def signs_message(transaction: Transaction, message: bytes, script: bytes) -> bool:
    """Whether signing this signs the message for the script and can move nothing: a signer's own question."""
    return (
        transaction.inputs[0].outpoint == OutPoint(to_spend(message, script).txid, 0)
        and transaction.outputs == (_NOTHING,)
        and transaction.version in (0, 2)
    )


def simple(witness: tuple[bytes, ...]) -> str:
    """The short text, for native segwit without time locks."""
    return bip322.SIMPLE + base64.b64encode(witness_bytes(witness)).decode("ascii")


def full(signed: Transaction) -> str:
    """The text for everything else but proofs of funds."""
    return bip322.FULL + base64.b64encode(signed.raw).decode("ascii")


def proof_of_funds(finalised_psbt: bytes) -> str:
    return bip322.PROOF_OF_FUNDS + base64.b64encode(finalised_psbt).decode("ascii")


def verify(message: bytes, address: str, network: Network, signature: str) -> Proof:
    """Judges a signature; BitcoinMalformed for an address of another network.

    The older signatures of 65 bytes, which name no script, are not taken.
    """
    script = script_of(address, network)
    if len(signature) > _MAX_LETTERS:
        return Proof(Outcome.INVALID, f"{len(signature)} letters, at most {_MAX_LETTERS} are read")
    try:
        found = bip322.Sig.b64decode(signature)
        bip322.assert_as_valid(message, address, found, legacy=False)
    except InconclusiveError as error:
        return Proof(Outcome.INCONCLUSIVE, str(error))
    except _REFUSALS as error:
        return Proof(Outcome.INVALID, str(error) or type(error).__name__)
    signed, spent = _spend(found, message, script)
    failed = failed_input(signed, spent)
    if failed is not None:
        raise BitcoinDisagreement(f"signed message: btclib takes input {failed}, Bitcoin Core's engine does not")
    coins = tuple(entry.outpoint for entry in signed.inputs[1:])
    return Proof(Outcome.VALID, "", signed.lock_time, signed.inputs[0].sequence, coins)


def _spend(signature: bip322.Sig, message: bytes, script: bytes) -> tuple[Transaction, list[TxOut]]:
    """The signed transaction and the outputs of its inputs, as our own types."""
    challenge = TxOut(0, script)
    payload = signature.payload
    if isinstance(payload, Witness):
        plain = to_sign(message, script)
        first = TxIn(plain.inputs[0].outpoint, sequence=0, witness=tuple(bytes(item) for item in payload.stack))
        return Transaction(plain.version, (first,), plain.outputs, plain.lock_time), [challenge]
    if isinstance(payload, Tx):
        return Transaction.parse(payload.serialize(include_witness=True)), [challenge]
    signed = Transaction.parse(
        extract_tx(payload, verify_scripts=False, max_fee_rate=None).serialize(include_witness=True)
    )
    return signed, [challenge, *_coins(payload, signed)]


def _coins(psbt: Psbt, signed: Transaction) -> list[TxOut]:
    """A previous transaction is told once, with the first input that spends from it."""
    previous: dict[str, Transaction] = {}
    found = []
    for entry, fields in zip(signed.inputs[1:], psbt.inputs[1:], strict=True):
        if fields.non_witness_utxo is not None:
            told = Transaction.parse(fields.non_witness_utxo.serialize(include_witness=True))
            previous[told.txid] = told
        source = previous.get(entry.outpoint.txid)
        if source is not None:
            found.append(source.outputs[entry.outpoint.vout])
        elif fields.witness_utxo is not None:
            found.append(TxOut(fields.witness_utxo.value, fields.witness_utxo.script_pub_key.script))
        else:
            raise BitcoinDisagreement("proof of funds: btclib takes a coin that we cannot see")
    return found
