"""An oracle of difficulty: its announcement against the terms and its word against the chain."""

from shared.bitcoin.dlc import Attested, NumberEvent
from shared.errors import BitcoinMalformed, Denied
from shared.forward.digits import bounds
from shared.forward.rule import ORACLE, ORACLE_LIES, REFUND_LOCK
from shared.wire.forward import ForwardTerms

REFUND_MARGIN_BLOCKS = 1_008
"""A week for the oracle to speak before the collateral may go back."""
BLOCK_S = 600
_GENESIS_TARGET = 0xFFFF << 208


def announced(terms: ForwardTerms, announcement: bytes) -> NumberEvent:
    """Denied `forward.oracle` where it is not the oracle's of the terms, or of another event or other digits."""
    try:
        event = NumberEvent.parse(announcement, terms.oracle_key)
    except BitcoinMalformed as error:
        raise Denied(ORACLE, error.detail) from error
    if (event.event_id, event.base, event.nb_digits) != (terms.event_id, terms.base, terms.nb_digits):
        raise Denied(
            ORACLE,
            f"the oracle announced {event.nb_digits} digits of base {event.base} for {event.event_id!r},"
            " which is not this forward's event",
        )
    return event


def check_refund(terms: ForwardTerms, maturity_s: int, height: int, median_time_s: int) -> None:
    """Denied `forward.refund-lock` where a refund could overtake the oracle: it opens a week after the settlement
    height at the earliest, and a week after the oracle's own date, by blocks of ten minutes from now on.
    """
    if terms.refund_height < terms.settle_height + REFUND_MARGIN_BLOCKS:
        raise Denied(
            REFUND_LOCK,
            f"the refund opens at {terms.refund_height:,}; {REFUND_MARGIN_BLOCKS:,} blocks after the settlement at"
            f" {terms.settle_height:,} is the earliest",
        )
    opens_s = median_time_s + (terms.refund_height - height) * BLOCK_S
    if opens_s < maturity_s + REFUND_MARGIN_BLOCKS * BLOCK_S:
        raise Denied(REFUND_LOCK, "the refund would open before the oracle's date and a week more; choose a later one")


def check_outcome(terms: ForwardTerms, attested: Attested, bits: int) -> None:
    """The chain itself tells the difficulty: compare the oracle with the header at `settle_height`.

    Denied `forward.oracle-lies` where they differ; keep the attestation, it proves the lie.
    """
    told, _ = bounds(attested.digits, base=terms.base, nb_digits=terms.nb_digits)
    real = outcome_of(bits, terms)
    if told != real:
        raise Denied(ORACLE_LIES, f"the oracle attests {told:,}, the header at the height says {real:,}")


def outcome_of(bits: int, terms: ForwardTerms) -> int:
    """What an honest oracle tells for a header with this compact target; the largest number where it is larger."""
    exponent, mantissa = bits >> 24, bits & 0x7F_FFFF
    target = mantissa << 8 * (exponent - 3) if exponent >= 3 else mantissa >> 8 * (3 - exponent)
    if target < 1:
        raise BitcoinMalformed(f"header: bits {bits:#x} are no target")
    return min(_GENESIS_TARGET // (target * terms.unit), terms.outcomes - 1)
