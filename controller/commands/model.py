"""Orders, who gives them, and the states that each goes through."""

from enum import StrEnum

import msgspec

from shared.actions import AnyAction
from shared.states import OutcomeState

OrderRequest = tuple[str, AnyAction, int | None]
"""Device id, action, and the OpState that the sender saw (None where it does not matter)."""


class OrderState(StrEnum):
    """Where one order stands, from our first word to the site's last (OutcomeState is the later half)."""

    PENDING = "pending"  # waits for a second person
    ISSUED = "issued"  # durable here, not yet with the broker
    SENT = "sent"  # with the broker
    ACCEPTED = OutcomeState.ACCEPTED.value
    ACKNOWLEDGED = OutcomeState.ACKNOWLEDGED.value
    CONFIRMED = OutcomeState.CONFIRMED.value
    CONTRADICTED = OutcomeState.CONTRADICTED.value
    REFUSED = OutcomeState.REFUSED.value
    UNKNOWN = OutcomeState.UNKNOWN.value


TERMINAL = frozenset({OrderState.CONFIRMED, OrderState.CONTRADICTED, OrderState.REFUSED, OrderState.UNKNOWN})
RETRYABLE = frozenset({OrderState.CONTRADICTED, OrderState.UNKNOWN})


class Status(StrEnum):
    """Where a command stands as a whole."""

    PREVIEW = "preview"
    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"
    REFUSED = "refused"  # never left the controller


class Origin(StrEnum):
    PERSON = "person"
    PROGRAM = "program"  # with a bearer token, through the API
    DISPATCH = "dispatch"  # the controller's own dispatch and planner
    SITE = "site"  # the site acted by itself: interlock or signed plan


class Confirmation(StrEnum):
    """How much a person must do before a command of this reach is issued."""

    CLICK = "click"
    DIALOG = "dialog"
    TYPED = "typed"  # the number of devices, or the amount of power, that the preview names
    SECOND_PERSON = "second-person"


class Actor(msgspec.Struct, frozen=True):
    """Who orders. `session` is the id of the browser session or token, of dispatch that of its decision; `sponsor` the
    person who made the token.
    """

    name: str
    session: str = ""
    origin: Origin = Origin.PERSON
    sponsor: str = ""

    @property
    def program(self) -> bool:
        """No person: it may order a few verbs only, and never be the second person."""
        return self.origin is not Origin.PERSON


class OrderLine(msgspec.Struct, frozen=True, array_like=True):
    """One order that passed the checks, with the node that carries it out and the time that its effect may take."""

    device_id: str
    node: str
    action: AnyAction
    expected_state: int | None
    confirm_within_s: float


class Excluded(msgspec.Struct, frozen=True):
    """An order that is not carried out, and the rule that says so."""

    device_id: str
    rule: str
    detail: str


class Reach(msgspec.Struct, frozen=True):
    """What a command touches at most. `assumed_devices` have no known power and count with the policy's bound."""

    devices: int
    power_w: int
    assumed_devices: int


class CommandHandle(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request. Of a preview `command_id` is the id to issue it by, until `valid_until_ms`; `confirm`
    is what a person has to write for it, empty where a click or a dialog is enough.
    """

    command_id: str
    status: Status
    devices: int
    nodes: tuple[str, ...]
    reach: Reach
    confirmation: Confirmation
    confirm: str = ""
    excluded: tuple[Excluded, ...] = ()
    valid_until_ms: int | None = None


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One thing that was heard of an order."""

    state: OrderState
    at_ms: int
    rule: str = ""
    detail: str = ""
    observed: str = ""
    evidence: str = ""
