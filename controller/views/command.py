"""Commands as documents: what is asked, what it would do, how far it has come, and what became true at each device."""

import msgspec

from controller.views import unit
from shared.actions import AnyAction
from shared.states import TERMINAL, OutcomeState


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Devices by id, or all that a query matches; a query is resolved again for the preview and when it is issued."""

    device_ids: tuple[str, ...] = ()
    query: str | None = None


class CommandRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`confirm` is what the person typed; a large command goes out only with what its preview named."""

    site: str
    action: AnyAction
    selection: Selection
    reason: str = ""
    confirm: str = ""


class Excluded(msgspec.Struct, frozen=True):
    """How many devices a command leaves out, and why."""

    reason: str
    count: int


class Check(msgspec.Struct, frozen=True):
    """One rule that was asked. `rule` is the stable id where it said no."""

    text: str
    passed: bool
    rule: str = ""


class CommandPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a command would do now. `confirm` is the text to type for its sender, empty where a click is enough."""

    snapshot: str
    included: int
    selected: int
    power_change_w: unit.Watts | None
    excluded: tuple[Excluded, ...] = ()
    checks: tuple[Check, ...] = ()
    confirm: str = ""
    second_person: bool = False


class OutcomeStep(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is an OutcomeState, or `sent` and `waiting` before the node has answered."""

    state: str
    at_ms: unit.Millis
    rule: str = ""
    detail: str = ""
    observed: str = ""
    evidence: str = ""


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """One device of a command; `trail` holds every step, the last one is where it stands."""

    device_id: str
    slot: str
    trail: tuple[OutcomeStep, ...]

    @property
    def state(self) -> str:
        return self.trail[-1].state if self.trail else "waiting"


class CommandView(msgspec.Struct, frozen=True, kw_only=True):
    """`counts` tells how many devices stand in which state; `phase` is one of awaiting-approval, running, ended,
    expired. `measured_change_w` is what the meter says since the command went out, `decision` what dispatch cites.
    """

    id: str
    site: str
    verb: str
    title: str
    reason: str
    issued_by: str
    issued_at_ms: unit.Millis
    expires_at_ms: unit.Millis
    phase: str
    devices: int
    counts: dict[str, int]
    approved_by: str = ""
    retry_of: str = ""
    curtailment: str = ""
    decision: str = ""
    measured_change_w: unit.Watts | None = None
    journal_seq: int | None = None

    @property
    def retryable(self) -> int:
        """Devices that a retry would cover: contradicted and unknown, after the command has ended."""
        if self.phase not in ("ended", "expired"):
            return 0
        return self.counts.get(OutcomeState.CONTRADICTED, 0) + self.counts.get(OutcomeState.UNKNOWN, 0)

    @property
    def finished(self) -> int:
        return sum(self.counts.get(state, 0) for state in TERMINAL)


class CommandDetail(msgspec.Struct, frozen=True, kw_only=True):
    """At most the first thousand outcomes, those not as ordered first."""

    command: CommandView
    outcomes: tuple[OutcomeView, ...]


class DeviceCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command as one device saw it."""

    command: CommandView
    outcome: OutcomeView


class CommandPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    total: int
    offset: int
    commands: tuple[CommandView, ...]
