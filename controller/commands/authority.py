"""Who may order what, as data: reach decides how much confirmation a command needs."""

from collections.abc import Iterable, Sequence

import msgspec

from controller.commands.model import Actor, Confirmation, Reach
from controller.commands.refusal import Refusal
from controller.fleet.model import Device
from shared.actions import Action, Locate, ReadNow
from shared.errors import Denied

_POWERLESS = (Locate, ReadNow)
_TYPED = (Confirmation.TYPED, Confirmation.SECOND_PERSON)


class AuthorityPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds of one deployment. A command above a row's devices or watts needs the next row's confirmation.

    `assumed_device_w` bounds a device whose power nobody knows. Programs are bound to `program_verbs`, and those with a
    token to the same thresholds as people; dispatch is bounded by what people approved and by the site's own rules.
    """

    click_devices: int = 1
    dialog_devices: int = 50
    dialog_power_w: int = 500_000
    second_person_power_w: int | None = 5_000_000
    second_person_verbs: frozenset[str] = frozenset({"set_pools"})
    program_verbs: frozenset[str] = frozenset(
        {"sleep", "wake", "set_power_limit", "set_power_mode", "switch_outlet", "read_now"}
    )
    assumed_device_w: int = 10_000
    approval_within_s: float = 600.0
    preview_valid_s: float = 60.0


def reach_of(touched: Iterable[tuple[Device, Action]], policy: AuthorityPolicy) -> Reach:
    """Each device once, with its full power: what the command can move at most."""
    devices: set[str] = set()
    power_w: dict[str, int | None] = {}
    for device, action in touched:
        devices.add(device.device_id)
        if not isinstance(action, _POWERLESS):
            power_w[device.device_id] = device.max_power_w
    assumed = sum(watts is None for watts in power_w.values())
    known_w = sum(watts for watts in power_w.values() if watts is not None)
    return Reach(len(devices), known_w + assumed * policy.assumed_device_w, assumed)


def confirmation_for(actions: Sequence[Action], reach: Reach, policy: AuthorityPolicy) -> Confirmation:
    """The least that a person must do."""
    limit_w = policy.second_person_power_w
    if any(action.verb in policy.second_person_verbs for action in actions):
        return Confirmation.SECOND_PERSON
    if limit_w is not None and reach.power_w > limit_w:
        return Confirmation.SECOND_PERSON
    if reach.devices > policy.dialog_devices or reach.power_w > policy.dialog_power_w:
        return Confirmation.TYPED
    if reach.devices > policy.click_devices or not all(action.repeatable for action in actions):
        return Confirmation.DIALOG
    return Confirmation.CLICK


def typed_for(confirmation: Confirmation, named: str) -> str:
    """What a person has to write, which is what the preview names; empty where a click or a dialog is enough."""
    return named if confirmation in _TYPED else ""


def check_typed(wanted: str, typed: str) -> None:
    """Case and spaces do not count; `Denied` where the person has confirmed another effect, or none."""
    if wanted and "".join(typed.split()).lower() != "".join(wanted.split()).lower():
        heard = f"not {typed[:40]!r}" if typed.strip() else "and nothing was"
        raise Denied(Refusal.NOT_CONFIRMED, f"{wanted} has to be written to confirm, {heard}; preview again")


def check_program(actions: Sequence[Action], policy: AuthorityPolicy) -> None:
    for action in actions:
        if action.verb not in policy.program_verbs:
            raise Denied(Refusal.PROGRAM_VERB, f"{action.verb} is ordered by people only")


def check_second_person(first: Actor, second: Actor) -> None:
    """Another person in a session of his own, and not the one who made the token by which the first has asked."""
    if second.program:
        raise Denied(Refusal.SECOND_PERSON_PROGRAM, f"{second.name} is a program; a person must approve")
    if second.name == first.name or (second.session and second.session == first.session):
        raise Denied(Refusal.SECOND_PERSON_SAME, f"{first.name} asked for it; somebody else must approve")
    if second.name == first.sponsor:
        detail = f"{first.name} asked by a token that {second.name} has made; somebody else must approve"
        raise Denied(Refusal.SECOND_PERSON_SAME, detail)
