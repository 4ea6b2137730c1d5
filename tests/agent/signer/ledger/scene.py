"""Spends, limits and a clock for tests of the ledger."""

import msgspec

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import Spend
from shared.wire.contract import Limits

CONTRACT = "c" * 64
START = ChainTime(800_000, 1_700_000_000)
LIMITS = Limits(
    per_tx_sat=1_000,
    window_sat=2_500,
    window_blocks=144,
    lifetime_sat=10_000,
    fee_sat=1_000,
    fee_rate_sat_vb=100,
    weight_wu=400_000,
)

WIDE_LIMITS = msgspec.structs.replace(LIMITS, window_sat=1 << 50, lifetime_sat=1 << 50)


def txid(number: int) -> str:
    return f"{number:064x}"


def spend(number: int, *, external_sat: int = 900, fee_sat: int = 100, **changes: object) -> Spend:
    """Transaction `number`, which spends an outpoint of its own."""
    fields: dict[str, object] = {
        "contract_id": CONTRACT,
        "request_id": f"request-{number}",
        "request_digest": number.to_bytes(32, "big"),
        "txid": txid(number),
        "external_sat": external_sat,
        "external_digest": b"\x0e" * 32,
        "fee_sat": fee_sat,
        "outpoints": (f"{txid(10_000 + number)}:0",),
        "policy_version": 1,
        "reserved_until_height": START.height + 100,
    }
    return Spend(**(fields | changes))  # type: ignore[arg-type]


class Ticks:
    """A monotonic clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns

    def go_s(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)
