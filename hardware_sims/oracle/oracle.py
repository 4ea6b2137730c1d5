"""Numbers attested digit by digit as dlcspecs has it (Oracle.md, NumericOutcome.md), under BIP-340 nonces.

A nonce is the hash of the oracle's secret, the event and the digit's place: the same question has the same nonces after
a restart, and no two questions share one. The oracle refuses to tell two numbers for one event, because two
words under one nonce give its key away.
"""

import hashlib
from dataclasses import dataclass

from btclib_wallet.dlc import (
    DigitDecompositionEventDescriptor,
    OracleAnnouncement,
    OracleEvent,
    sign_announcement,
    sign_attestation,
)

from shared.bitcoin.signature import ORDER, public_key_of

_GENESIS_TARGET = 0xFFFF << 208


@dataclass(frozen=True, slots=True)
class Question:
    """The difficulty of the block at `height`, divided by `unit` and rounded down."""

    height: int
    unit: int
    base: int
    nb_digits: int
    maturity_s: int

    @property
    def event_id(self) -> str:
        return f"difficulty-{self.height}"

    def answer(self, header: bytes) -> int:
        """From the 80 bytes of the header at the height (compact target: Bitcoin developer reference)."""
        bits = int.from_bytes(header[72:76], "little")
        target = ((bits & 0x7F_FFFF) << 8 * (bits >> 24)) >> 24
        most: int = self.base**self.nb_digits - 1
        return min(_GENESIS_TARGET // (target * self.unit), most)


class DifficultyOracle:
    """`secret` is 32 bytes. Words are kept in memory: whoever runs one for others puts them on a disk first."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.public_key = public_key_of(secret)[1:]
        self._told: dict[str, int] = {}

    def announce(self, question: Question) -> bytes:
        return bytes(self._announcement(question).serialize())

    def attest(self, question: Question, number: int) -> bytes:
        """Its word on every digit. ValueError where it told another number before."""
        told = self._told.setdefault(question.event_id, number)
        if told != number:
            raise ValueError(f"{question.event_id}: {told} was attested; another number would give the key away")
        left, digits = number, []
        for _ in range(question.nb_digits):
            left, digit = divmod(left, question.base)
            digits.append(str(digit))
        nonces = tuple(self._nonce(question, place) for place in range(question.nb_digits))
        secret = int.from_bytes(self._secret, "big")
        word = sign_attestation(self._announcement(question), tuple(reversed(digits)), secret, nonces)
        return bytes(word.serialize())

    def _announcement(self, question: Question) -> OracleAnnouncement:
        descriptor = DigitDecompositionEventDescriptor(
            base=question.base,
            is_signed=False,
            unit=f"difficulty/{question.unit}",
            precision=0,
            nb_digits=question.nb_digits,
        )
        secrets = (self._nonce(question, place) for place in range(question.nb_digits))
        points = tuple(public_key_of(nonce.to_bytes(32, "big"))[1:] for nonce in secrets)
        event = OracleEvent(
            nonces=points, maturity_epoch=question.maturity_s, descriptor=descriptor, event_id=question.event_id
        )
        return sign_announcement(event, int.from_bytes(self._secret, "big"))

    def _nonce(self, question: Question, place: int) -> int:
        told = f"{question.event_id}/{question.unit}/{question.base}/{question.nb_digits}/{place}".encode()
        return int.from_bytes(hashlib.sha256(self._secret + told).digest(), "big") % (ORDER - 1) + 1
