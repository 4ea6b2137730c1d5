"""Orders to a site. Only the two `commands` packages and the transports beside them may import this module."""

import msgspec

from shared.actions import AnyAction
from shared.wire.bound import Counter, Millis
from shared.wire.version import WIRE_VERSION

DOMAIN = b"bes/command/v1"


class Order(msgspec.Struct, array_like=True, frozen=True):
    """One action for one device. `expected_state` is the OpState that the sender saw; None means it does not matter."""

    device_id: str
    action: AnyAction
    expected_state: int | None = None


class Command(msgspec.Struct, array_like=True, frozen=True):
    """Orders that belong together. `counter` rises strictly per (node, key); orders are executed in the order given."""

    version: int
    command_id: str
    site: str
    node: str
    counter: int
    issued_at_ms: int
    expires_at_ms: int
    reason: str
    orders: tuple[Order, ...]


class SitePlan(msgspec.Struct, array_like=True, frozen=True):
    """What a site does by itself while nobody talks to it. Signed like a command, under its own domain.

    Until `valid_until_ms` the site stays below the cap of the running interval, shedding in `shed_order` (first goes
    first); afterwards it falls back to `fallback_cap_w`. A cap of None is no cap.
    """

    version: int
    plan_id: str
    site: str
    node: str
    counter: int
    issued_at_ms: int
    valid_from_ms: int
    valid_until_ms: int
    intervals: tuple[tuple[int, int | None], ...]  # (start_ms, cap_w), ascending
    shed_order: tuple[str, ...]
    fallback_cap_w: int | None = None


PLAN_DOMAIN = b"bes/plan/v1"


class OutcomeRow(msgspec.Struct, array_like=True, frozen=True):
    """One step of one order. `rule` is the id of the refusal, `observed` what the read-back saw, in a few words."""

    device_id: str
    verb: str
    state: str
    at_ms: Millis
    rule: str = ""
    detail: str = ""
    observed: str = ""
    evidence: str = ""


class OutcomeBatch(msgspec.Struct, array_like=True, frozen=True):
    """Steps of a command's orders. A command refused as a whole has one row with an empty device_id."""

    version: int = WIRE_VERSION
    command_id: str = ""
    counter: Counter = 0
    rows: tuple[OutcomeRow, ...] = ()
