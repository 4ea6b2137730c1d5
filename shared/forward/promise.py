"""Promises to settle: signatures of every settlement, each readable only with the oracle's word for it."""

from collections.abc import Sequence

from shared.bitcoin.dlc import Attested, decrypt, verify_encrypted
from shared.errors import BitcoinMalformed, Denied
from shared.forward.rule import BAD_ADAPTOR
from shared.forward.settlement import Settlement


def check_adaptors(settlements: Sequence[Settlement], public_key: bytes, adaptors: Sequence[bytes]) -> None:
    """Before anything is paid in: every settlement can be enforced against the holder of `public_key`.

    Denied `forward.bad-adaptor` names the first that cannot.
    """
    if len(adaptors) != len(settlements):
        raise Denied(BAD_ADAPTOR, f"{len(adaptors)} encrypted signatures for {len(settlements)} settlements")
    for settlement, adaptor in zip(settlements, adaptors, strict=True):
        if not verify_encrypted(public_key, settlement.digest, settlement.point, adaptor):
            digits = "".join(map(str, settlement.prefix))
            raise Denied(BAD_ADAPTOR, f"the outcomes that begin with {digits}… could not be enforced; do not pay in")


def settled(settlements: Sequence[Settlement], attested: Attested) -> int:
    """The place of the one settlement that the oracle's word opens."""
    for place, settlement in enumerate(settlements):
        if settlement.prefix == attested.digits[: len(settlement.prefix)]:
            return place
    raise BitcoinMalformed("no settlement begins as the attested number does")


def opened(settlement: Settlement, adaptor: bytes, attested: Attested) -> bytes:
    """The other side's signature on the settlement, DER without flag."""
    return decrypt(adaptor, attested.key(len(settlement.prefix)))
