"""What signers added to a base: each byte of a partial is accounted for, and only signatures of the path are new.

A partial is mostly the base with a run of new records where its signatures belong. That it is exactly this is found by
comparing bytes, which costs a tenth of walking its maps; any other form is walked.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from controller.signing.execution.base_form import Base
from controller.signing.execution.place import MUSIG_PARTIAL, PARTIAL_SIGNATURE, Place, Signer
from controller.signing.refusal import SigningRefusal
from shared.bitcoin.compact_size import Reader
from shared.bitcoin.musig import PARTIAL_BYTES
from shared.bitcoin.psbt.scan import Records, scan
from shared.bitcoin.sighash import SIGHASH_ALL
from shared.bitcoin.signature import ORDER
from shared.errors import BitcoinMalformed, Denied

_SHORTEST_DER_BYTES: Final = 9
_SCHNORR_BYTES: Final = 64


class Signed(NamedTuple):
    """A signature with its sighash byte, or a partial one of MuSig2, and the number of the partial that held it."""

    signer: Signer
    value: bytes
    partial: int

    def __str__(self) -> str:
        return f"partial {self.partial} ({self.signer.party})"


Signatures = Mapping[str, Signed]
"""By the key's text in the descriptor."""


def gathered(base: Base, partials: Sequence[bytes]) -> tuple[Signatures, ...]:
    """For each input what all partials together bring.

    Denied by name, with the number of the partial: `answer.malformed` where it is no PSBT, `answer.altered` where
    anything but a signature is new or two give different ones of one key, `answer.foreign` where a key is none of the
    path, `answer.signature` where it asks for another sighash than ALL, `answer.empty` where an input has nothing new.
    """
    found: tuple[dict[str, Signed], ...] = tuple({} for _ in base.coins)
    for number, partial in enumerate(partials):
        for index, added in enumerate(_added(base, partial, number)):
            if not added:
                raise Denied(SigningRefusal.ANSWER_EMPTY, f"partial {number} adds nothing to input {index}")
            for signed in _signatures(base.coins[index].place, added, number, index):
                before = found[index].setdefault(signed.signer.text, signed)
                if before.value != signed.value:
                    detail = f"{before} and {signed} bring different signatures of one key for input {index}"
                    raise Denied(SigningRefusal.ANSWER_ALTERED, detail)
    return found


def _signatures(place: Place, added: Records, number: int, index: int) -> Iterator[Signed]:
    for key, value in added.items():
        signer = place.signers.get(key)
        if signer is None:
            known = any(key[:1] == one[:1] for one in place.signers)
            rule = SigningRefusal.ANSWER_FOREIGN if known else SigningRefusal.ANSWER_ALTERED
            detail = "signs by a key that is none of this path" if known else f"changes record {key[:1].hex()}"
            raise Denied(rule, f"partial {number} {detail} in input {index}")
        signed = Signed(signer, value, number)
        if not _is_plain(key[:1], value):
            detail = f"{signed} brings no plain signature of everything for input {index}"
            raise Denied(SigningRefusal.ANSWER_SIGNATURE, detail)
        yield signed


def _is_plain(kind: bytes, value: bytes) -> bool:
    """SIGHASH_ALL (or the default of Taproot) and low S: consensus asks for neither, so we do."""
    if kind == PARTIAL_SIGNATURE:
        if len(value) < _SHORTEST_DER_BYTES or value[-1] != SIGHASH_ALL or 6 + value[3] > len(value):
            return False
        return int.from_bytes(value[6 + value[3] : -1], "big") <= ORDER // 2
    if kind == MUSIG_PARTIAL:
        return len(value) == PARTIAL_BYTES
    return len(value) == _SCHNORR_BYTES or (len(value) == _SCHNORR_BYTES + 1 and value[-1] == SIGHASH_ALL)


def _added(base: Base, partial: bytes, number: int) -> Sequence[Records]:
    """The new records of each input."""
    try:
        return _inserted(base, partial) or _walked(base, partial, number)
    except BitcoinMalformed as error:
        raise Denied(SigningRefusal.ANSWER_MALFORMED, f"partial {number}: {error.detail}") from error


def _inserted(base: Base, partial: bytes) -> list[Records] | None:
    """Between the pieces of the base; None where the partial has another form."""
    reader = Reader(partial, "partial")
    if not reader.skips(base.pieces[0]):
        return None
    found: list[Records] = []
    for piece in base.pieces[1:]:
        records: Records = {}
        while not reader.skips(piece):
            key = reader.chunk()
            if not key or key in records:
                return None
            records[key] = reader.chunk()
        found.append(records)
    return found if not reader.left else None


def _walked(base: Base, partial: bytes, number: int) -> list[Records]:
    given, known = scan(partial), scan(b"".join(base.pieces))
    if known.globals != given.globals or known.outputs != given.outputs:
        detail = f"partial {number} is about another transaction, or changes a global field or an output"
        raise Denied(SigningRefusal.ANSWER_ALTERED, detail)
    found = []
    for index, (before, after) in enumerate(zip(known.inputs, given.inputs, strict=True)):
        if any(after.get(key) != value for key, value in before.items()):
            detail = f"partial {number} changes or leaves out what the base tells of input {index}"
            raise Denied(SigningRefusal.ANSWER_ALTERED, detail)
        found.append({key: value for key, value in after.items() if key not in before})
    return found
