"""Discreet log contracts: an oracle's numbers, and signatures that only its word makes valid (dlcspecs).

An oracle announces an event with one nonce per digit and later signs each digit. From the announcement alone anybody
computes the point of each possible signature; a transaction signature encrypted to that point (ECDSA adaptor, 162
bytes) opens with the oracle's signature and with nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from btclib.exceptions import BTClibException
from btclib_wallet.dlc import (
    PLAIN_SHA256,
    TAGGED,
    DigitDecompositionEventDescriptor,
    OracleAnnouncement,
    OracleAttestation,
    outcome_message,
    verify_announcement,
    verify_attestation,
)
from ecc.curves import bytes_from_point, point_from_octets_var, secp256k1
from ecc.ecc import dlc_oracle, ecdsa_adaptor
from ecc.exceptions import EccException

from shared.errors import BitcoinMalformed

ADAPTOR_BYTES = 162
_Point = tuple[int, int]


@dataclass(frozen=True)
class NumberEvent:
    """What an oracle has promised to attest: a number of `nb_digits` digits of `base`, the most significant first."""

    event_id: str
    oracle_key: bytes
    base: int
    nb_digits: int
    unit: str
    maturity_s: int
    announcement: OracleAnnouncement = field(repr=False, compare=False)
    _points: dict[tuple[int, ...], _Point] = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def parse(raw: bytes, oracle_key: bytes) -> "NumberEvent":
        """From the announcement's bytes. BitcoinMalformed where it is not signed by `oracle_key` (32 bytes, pinned by
        the caller), or tells anything but an unsigned number digit by digit.
        """
        try:
            found = OracleAnnouncement.parse(raw)
            signed = verify_announcement(found, scheme=TAGGED) or verify_announcement(found, scheme=PLAIN_SHA256)
        except (BTClibException, EccException) as error:
            raise BitcoinMalformed(f"oracle announcement: {error}") from error
        descriptor = found.event.descriptor
        if not signed or found.public_key != oracle_key:
            raise BitcoinMalformed("oracle announcement: it is not signed by the oracle that the contract names")
        if not isinstance(descriptor, DigitDecompositionEventDescriptor) or descriptor.is_signed:
            raise BitcoinMalformed("oracle announcement: the event is no number from zero up, told digit by digit")
        return NumberEvent(
            event_id=found.event.event_id,
            oracle_key=found.public_key,
            base=descriptor.base,
            nb_digits=descriptor.nb_digits,
            unit=descriptor.unit,
            maturity_s=found.event.maturity_epoch,
            announcement=found,
        )

    @property
    def nonces(self) -> tuple[bytes, ...]:
        """One for each digit, x-only, 32 bytes."""
        return tuple(bytes(nonce) for nonce in self.announcement.event.nonces)

    def point(self, prefix: Sequence[int]) -> bytes:
        """Of the sum of the oracle's signatures on these leading digits, 33 bytes. One digit at least."""
        if not 0 < len(prefix) <= self.nb_digits:
            raise BitcoinMalformed(f"oracle: {len(prefix)} digits of {self.nb_digits}")
        return bytes(bytes_from_point(self._sum(tuple(prefix)), secp256k1))

    def attested(self, raw: bytes) -> "Attested":
        """The oracle's word, or BitcoinMalformed where it is about something else or not the oracle's."""
        try:
            found = OracleAttestation.parse(raw)
            valid = verify_attestation(self.announcement, found)
        except (BTClibException, EccException) as error:
            raise BitcoinMalformed(f"oracle attestation: {error}") from error
        if not valid:
            raise BitcoinMalformed("oracle attestation: it is not the announced oracle's word on the announced event")
        return Attested(tuple(int(digit) for digit in found.outcomes), found.signatures)

    def _sum(self, prefix: tuple[int, ...]) -> _Point:
        known = self._points.get(prefix)
        if known is None:
            message = outcome_message(str(prefix[-1]))
            nonce = self.announcement.event.nonces[len(prefix) - 1]
            last = dlc_oracle.sig_point_var_(message, self.oracle_key, nonce)
            known = secp256k1.add_var(self._sum(prefix[:-1]), last) if len(prefix) > 1 else last
            self._points[prefix] = known
        return known


@dataclass(frozen=True, slots=True)
class Attested:
    """The digits that came true, with a signature of 64 bytes on each."""

    digits: tuple[int, ...]
    signatures: tuple[bytes, ...] = field(repr=False)

    def key(self, length: int) -> bytes:
        """What opens signatures encrypted to the point of the first `length` digits, 32 bytes."""
        total = sum(int.from_bytes(signature[32:], "big") for signature in self.signatures[:length])
        return (total % secp256k1.n).to_bytes(32, "big")


def encrypt(secret: bytes, digest: bytes, point: bytes) -> bytes:
    """The signature of `digest`, readable only for who learns the secret of `point`; 162 bytes, fresh randomness."""
    try:
        return bytes(ecdsa_adaptor.encrypt(digest, secret, point_from_octets_var(point)))
    except EccException as error:
        raise BitcoinMalformed(f"adaptor signature: {error}") from error


def verify_encrypted(public_key: bytes, digest: bytes, point: bytes, adaptor: bytes) -> bool:
    """Whether the secret of `point` will turn it into `public_key`'s signature of `digest`; False for anything else."""
    try:
        return bool(ecdsa_adaptor.verify(adaptor, digest, public_key, point_from_octets_var(point)))
    except EccException:
        return False


def decrypt(adaptor: bytes, key: bytes) -> bytes:
    """DER with low S. Of a verified adaptor and the right key it is a signature, of anything else it is nothing."""
    try:
        return bytes(ecdsa_adaptor.decrypt(adaptor, int.from_bytes(key, "big")).serialize())
    except EccException as error:
        raise BitcoinMalformed(f"adaptor signature: {error}") from error
