"""The elements of a witness by what they are: bytes come only when somebody has signed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.bitcoin.miniscript.fragment import Context, Fragment
from shared.errors import BitcoinMalformed

PREIMAGE_SIZE = 32


@dataclass(frozen=True, slots=True)
class Signature:
    key: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    key: str


@dataclass(frozen=True, slots=True)
class Preimage:
    fragment: Fragment
    digest: bytes


@dataclass(frozen=True, slots=True)
class NotPreimage:
    """Any 32 bytes but the preimage: whoever relays the transaction can exchange them."""


@dataclass(frozen=True, slots=True)
class Zero:
    """The empty element; `checked_keys` is what a CHECKMULTISIG that takes it as its dummy adds to the opcode count."""

    checked_keys: int = 0


@dataclass(frozen=True, slots=True)
class One:
    """The element 01."""


Item = Signature | PublicKey | Preimage | NotPreimage | Zero | One


def item_size(item: Item, context: Context) -> int:
    """Bytes of the element at most, without its length prefix; all these lengths take a prefix of one byte."""
    match item:
        case Signature():
            return context.signature_size
        case PublicKey():
            return context.key_size
        case Preimage() | NotPreimage():
            return PREIMAGE_SIZE
        case Zero():
            return 0
        case One():
            return 1


def fill(
    items: Sequence[Item],
    signatures: Mapping[str, bytes],
    keys: Mapping[str, bytes],
    preimages: Mapping[bytes, bytes],
) -> tuple[bytes, ...]:
    """The stack, bottom first. Signatures and public keys by key expression, preimages by digest.

    BitcoinMalformed names what is missing.
    """
    try:
        return tuple(_filled(item, signatures, keys, preimages) for item in items)
    except KeyError as error:
        missing = error.args[0]
        name = missing.hex() if isinstance(missing, bytes) else missing
        raise BitcoinMalformed(f"the witness needs what belongs to {name}, and it was not given") from error


def _filled(
    item: Item, signatures: Mapping[str, bytes], keys: Mapping[str, bytes], preimages: Mapping[bytes, bytes]
) -> bytes:
    match item:
        case Signature(key):
            return signatures[key]
        case PublicKey(key):
            return keys[key]
        case Preimage(_, digest):
            return preimages[digest]
        case NotPreimage():
            return bytes(PREIMAGE_SIZE)
        case Zero():
            return b""
        case One():
            return b"\x01"
