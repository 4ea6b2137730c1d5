"""An outlet that was switched stays so for a while, as its PDU's profile asks: relays and power supplies wear.

The site's own rules do not ask: a feeder that is over its limit is worth a relay.
"""

from agent.site.devices.ports import Pdu
from agent.site.roster import Known
from shared.actions import SwitchOutlet
from shared.clock import Clock


class OutletRests:
    """Knows what was switched since this agent began."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._switched: dict[tuple[str, int], tuple[bool, float]] = {}

    def switched(self, device_id: str, action: SwitchOutlet) -> None:
        """The order went out; one that keeps the position begins no new rest."""
        key = (device_id, action.outlet)
        known = self._switched.get(key)
        if known is None or known[0] != action.on:
            self._switched[key] = (action.on, self._clock.monotonic_s())

    def objection(self, pdu: Known[Pdu], action: SwitchOutlet) -> str | None:
        """Why it may not be switched yet."""
        known = self._switched.get((pdu.device_id, action.outlet))
        if known is None or known[0] == action.on:
            return None
        was_on, since_s = known
        holds_s, stood_s = pdu.driver.holds_s(on=was_on), self._clock.monotonic_s() - since_s
        if stood_s >= holds_s:
            return None
        word = "on" if was_on else "off"
        return (
            f"outlet {action.outlet} is {word} for {stood_s:.0f} s, at least {holds_s:.0f} s spare relay and supplies"
        )
