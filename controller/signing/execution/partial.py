"""What a signer added to a base, read from bytes: each byte of a partial is accounted for, only signatures are new.

A partial of one input is mostly the base with one run of new records at the end of another record. That it is exactly
this is found by comparing bytes, which costs a tenth of walking its maps; any other form is walked.
"""

from collections.abc import Container
from typing import NamedTuple

from controller.signing.refusal import SigningRefusal
from shared.bitcoin.compact_size import Reader
from shared.bitcoin.psbt.scan import MAGIC, Records, scan
from shared.bitcoin.sighash import SIGHASH_ALL
from shared.bitcoin.signature import ORDER
from shared.errors import Denied

_PARTIAL_SIGNATURE = 0x02
_MUSIG_PARTIAL = 0x1C
_KEY_BYTES = 33
_LONG = 0xFD
_SHORTEST_DER_BYTES = 9


class Additions(NamedTuple):
    """Per input: ECDSA signatures with their flag, and MuSig2 partial signatures, by public key (33 bytes)."""

    signatures: tuple[dict[bytes, bytes], ...]
    partials: tuple[dict[bytes, bytes], ...]


class Base:
    """A base that was parsed before, ready to be compared with partials. `inputs` is how many it has."""

    def __init__(self, raw: bytes, inputs: int) -> None:
        self._raw = raw
        self._single = inputs == 1
        end, _, _ = _walk(raw, len(MAGIC))
        _, self._places, self._known = _walk(raw, end)

    def additions(self, partial: bytes) -> Additions:
        """BitcoinMalformed where the bytes are no PSBT, `answer.altered` where anything but a signature is new."""
        inserted = self._inserted(partial) if self._single else None
        if inserted is not None:
            found = _signatures(0, inserted, self._known)
            return Additions((found[0],), (found[1],))
        return self._walked(partial)

    def _inserted(self, partial: bytes) -> Records | None:
        """The records of the one run by which the partial is longer than the base; None where it has another form."""
        longer, raw = len(partial) - len(self._raw), self._raw
        if longer <= 0:
            return None
        fitting = (one for one in self._places if partial[one + longer :] == raw[one:])
        place = next((one for one in fitting if partial.startswith(raw[:one])), None)
        if place is None:
            return None
        reader = Reader(partial[place : place + longer], "partial")
        records: Records = {}
        while reader.left:
            key, value = reader.chunk(), reader.chunk()
            if not key or key in records:
                return None
            records[key] = value
        return records

    def _walked(self, partial: bytes) -> Additions:
        given, known = scan(partial), scan(self._raw)
        if known.globals != given.globals or known.outputs != given.outputs:
            detail = "a partial is about another transaction or changes a global field"
            raise Denied(SigningRefusal.ANSWER_ALTERED, detail)
        found = []
        for index, (before, after) in enumerate(zip(known.inputs, given.inputs, strict=True)):
            if any(after.get(key) != value for key, value in before.items()):
                raise Denied(
                    SigningRefusal.ANSWER_ALTERED, f"input {index} of a partial leaves out what the base tells"
                )
            added = {key: value for key, value in after.items() if key not in before}
            found.append(_signatures(index, added, before))
        return Additions(tuple(one[0] for one in found), tuple(one[1] for one in found))


def _signatures(index: int, added: Records, before: Container[bytes]) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    ecdsa: dict[bytes, bytes] = {}
    musig: dict[bytes, bytes] = {}
    for key, value in added.items():
        if key[0] == _PARTIAL_SIGNATURE and key not in before and _is_plain(value):
            ecdsa[key[1:]] = value
        elif key[0] == _MUSIG_PARTIAL and key not in before:
            musig[key[1 : 1 + _KEY_BYTES]] = value
        else:
            raise Denied(SigningRefusal.ANSWER_ALTERED, f"input {index} of a partial changes record {key[:1].hex()}")
    return ecdsa, musig


def _walk(raw: bytes, position: int) -> tuple[int, list[int], set[bytes]]:
    """Of the map at `position`: where the next one begins, where its records begin and end, and their keys.

    The bytes were read strictly before; here only places are wanted.
    """
    places, keys = [position], set()
    while raw[position]:
        key_start, key_end = _chunk(raw, position)
        _, position = _chunk(raw, key_end)
        keys.add(raw[key_start:key_end])
        places.append(position)
    return position + 1, places, keys


def _chunk(raw: bytes, position: int) -> tuple[int, int]:
    """Where the bytes behind a compact size begin and end."""
    first = raw[position]
    if first < _LONG:
        return position + 1, position + 1 + first
    width = 1 << (first - _LONG + 1)
    start = position + 1 + width
    return start, start + int.from_bytes(raw[position + 1 : start], "little")


def _is_plain(signature: bytes) -> bool:
    """SIGHASH_ALL and low S: consensus asks for neither, so we do."""
    if len(signature) < _SHORTEST_DER_BYTES or signature[-1] != SIGHASH_ALL or 6 + signature[3] > len(signature):
        return False
    return int.from_bytes(signature[6 + signature[3] : -1], "big") <= ORDER // 2
