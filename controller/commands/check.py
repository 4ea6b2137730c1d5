"""Is an order one that this device can be given? Each check answers with the rule that says no."""

from collections.abc import Callable
from typing import Any

from controller.commands.refusal import Refusal
from controller.fleet.model import Device
from shared.actions import Action, ReadNow, SetPools, SetPowerLimit, SetPowerMode, SwitchOutlet
from shared.pool_address import pool_address, pool_allowed
from shared.site import Site

Problem = tuple[Refusal, str]
MODES = ("low", "normal", "high")
MOST_POOLS = 3
MOST_OUTLETS = 64
LONGEST_POOL_FIELD = 255


def order_problem(device: Device | None, action: Action, site: Site) -> Problem | None:
    """The first rule that refuses the order; None where it may go out."""
    if device is None:
        return Refusal.UNKNOWN_DEVICE, f"no node of {site.id} knows this device"
    if not isinstance(action, ReadNow) and action.verb not in device.record.verbs:  # whatever is read can be read again
        model = device.record.model or device.record.family
        return Refusal.UNSUPPORTED_VERB, f"{model} cannot be told to {action.verb}"
    check = _CHECKS.get(type(action))
    return check(action, device, site) if check else None


def _limit(action: SetPowerLimit, device: Device, _site: Site) -> Problem | None:
    """A ladder of one rung is the nominal draw: it bounds from above, and what lies below only the device knows."""
    ladder = device.record.curve
    low_w = ladder[0][0] if len(ladder) > 1 else 1
    high_w = ladder[-1][0] if ladder else None
    if action.limit_w < low_w or (high_w is not None and action.limit_w > high_w):
        known = f"{low_w} to {high_w} W" if high_w is not None else "at least 1 W"
        return Refusal.LIMIT_OUT_OF_RANGE, f"{action.limit_w} W is outside of what the device can hold: {known}"
    return None


def _mode(action: SetPowerMode, _device: Device, _site: Site) -> Problem | None:
    if action.mode not in MODES:
        return Refusal.UNKNOWN_MODE, f"mode {action.mode!r} is none of {', '.join(MODES)}"
    return None


def _pools(action: SetPools, _device: Device, site: Site) -> Problem | None:
    if not 1 <= len(action.pools) <= MOST_POOLS:
        return Refusal.BAD_POOLS, f"{len(action.pools)} pools; give 1 to {MOST_POOLS}"
    for pool in action.pools:
        address = pool_address(pool.url)
        if address is None or address.port is None or not pool.user:
            return Refusal.BAD_POOLS, f"pool {pool.url[:60]!r} must be stratum+tcp://host:port with a user"
        if max(len(pool.url), len(pool.user), len(pool.password)) > LONGEST_POOL_FIELD:
            return Refusal.BAD_POOLS, f"a field of pool {pool.url[:60]!r} is longer than {LONGEST_POOL_FIELD}"
        if not pool_allowed(pool.url, site.safety.allowed_pools):
            return Refusal.POOL_NOT_ALLOWED, f"{pool.url} is not the place of an entry of the site's allowed_pools"
    return None


def _outlet(action: SwitchOutlet, _device: Device, _site: Site) -> Problem | None:
    if not 1 <= action.outlet <= MOST_OUTLETS:
        return Refusal.BAD_OUTLET, f"outlet {action.outlet}; outlets are counted from 1 to {MOST_OUTLETS}"
    return None


_CHECKS: dict[type[Action], Callable[[Any, Device, Site], Problem | None]] = {
    SetPowerLimit: _limit,
    SetPowerMode: _mode,
    SetPools: _pools,
    SwitchOutlet: _outlet,
}
