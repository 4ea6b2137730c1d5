"""What an order is about: two orders to one device that concern the same thing cannot both have the last word."""

from shared.actions import SwitchOutlet
from shared.wire.command import Order

Concern = tuple[str, str, int | None]
"""Device id, what of it, and the outlet where it is one of many."""

_CONCERNS = {
    "sleep": ("running", "power"),  # asleep, no machine shows its limit
    "wake": ("running",),
    "set_power_limit": ("power",),
    "set_power_mode": ("power",),
    "set_pools": ("pools",),
    "restart": ("running",),
    "reboot": ("running", "power"),
    "switch_outlet": ("outlet",),
}


def concerns(order: Order) -> tuple[Concern, ...]:
    """Empty for what changes nothing that lasts."""
    outlet = order.action.outlet if isinstance(order.action, SwitchOutlet) else None
    return tuple((order.device_id, what, outlet) for what in _CONCERNS.get(order.action.verb, ()))
