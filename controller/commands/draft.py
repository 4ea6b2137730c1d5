"""From a request to checked order lines, with what is left out and why."""

from collections.abc import Sequence

import msgspec

from controller.commands.authority import AuthorityPolicy, check_program, confirmation_for, reach_of, typed_for
from controller.commands.check import order_problem
from controller.commands.model import Actor, Confirmation, Excluded, OrderLine, OrderRequest, Origin, Reach
from controller.commands.ports import Directory
from controller.commands.refusal import Refusal
from controller.fleet.model import Device
from shared.actions import Action
from shared.errors import Denied

MOST_ORDERS = 20_000
SHORTEST_EXPIRY_S = 5.0
LONGEST_EXPIRY_S = 3_600.0
DEFAULT_CONFIRM_S = 120.0


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`typed` is what the person wrote to confirm the reach that the preview named."""

    site: str
    orders: tuple[OrderRequest, ...]
    reason: str
    actor: Actor
    expires_in_s: float
    retry_of: str = ""
    typed: str = ""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    request: Request
    lines: tuple[OrderLine, ...]
    excluded: tuple[Excluded, ...]
    reach: Reach
    confirmation: Confirmation

    @property
    def confirm(self) -> str:
        """What a person has to write before this goes out: how many devices it reaches."""
        return typed_for(self.confirmation, str(self.reach.devices))


def drafted(request: Request, directory: Directory, policy: AuthorityPolicy) -> Draft:
    """Check every order. `Denied` where the request as a whole cannot be; single orders end up in `excluded`."""
    _check_frame(request)
    site = directory.site(request.site)
    if site is None:
        raise Denied(Refusal.UNKNOWN_SITE, f"no node has described a site {request.site!r} yet")
    lines: list[OrderLine] = []
    excluded: list[Excluded] = []
    touched: list[tuple[Device, Action]] = []
    seen: set[tuple[str, str]] = set()
    for device_id, action, expected_state in request.orders:
        if (device_id, action.verb) in seen:
            raise Denied(Refusal.DUPLICATE_ORDER, f"{device_id} is told to {action.verb} twice; send two commands")
        seen.add((device_id, action.verb))
        device = directory.device(request.site, device_id)
        problem = order_problem(device, action, site)
        if problem is not None or device is None:
            rule, detail = problem or (Refusal.UNKNOWN_DEVICE, "")
            excluded.append(Excluded(device_id, rule, detail))
            continue
        within_s = device.record.confirm_within_s.get(action.verb, DEFAULT_CONFIRM_S)
        lines.append(OrderLine(device_id, device.node, action, expected_state, within_s))
        touched.append((device, action))
    actions = [action for _, action in touched]
    if request.actor.program:
        check_program(actions, policy)
    reach = reach_of(touched, policy)
    return Draft(
        request=request,
        lines=tuple(lines),
        excluded=tuple(excluded),
        reach=reach,
        confirmation=_confirmation(request.actor, actions, reach, policy),
    )


def _confirmation(actor: Actor, actions: Sequence[Action], reach: Reach, policy: AuthorityPolicy) -> Confirmation:
    """Whoever comes through a token needs what a person needs; only dispatch is bound otherwise."""
    return Confirmation.CLICK if actor.origin is Origin.DISPATCH else confirmation_for(actions, reach, policy)


def _check_frame(request: Request) -> None:
    if not request.orders:
        raise Denied(Refusal.EMPTY, "a command needs at least one order")
    if len(request.orders) > MOST_ORDERS:
        raise Denied(Refusal.TOO_MANY_ORDERS, f"{len(request.orders)} orders; one command has at most {MOST_ORDERS}")
    if not request.reason.strip():
        raise Denied(Refusal.REASON_MISSING, "say why; the reason stays with the command")
    if not SHORTEST_EXPIRY_S <= request.expires_in_s <= LONGEST_EXPIRY_S:
        limits = f"{SHORTEST_EXPIRY_S:.0f} to {LONGEST_EXPIRY_S:.0f} s"
        raise Denied(Refusal.BAD_EXPIRY, f"a command that expires in {request.expires_in_s} s; choose {limits}")
