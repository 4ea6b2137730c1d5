"""Words that several topics share."""

from urllib.parse import quote

from controller.views.condition import Condition
from shared.quality import Quality
from shared.states import ClockQuality, OutcomeState

CONDITIONS = {
    Condition.AS_EXPECTED: "as expected",
    Condition.FAULT: "fault",
    Condition.UNPOWERED: "no power",
    Condition.SILENT: "silent",
    Condition.HOT: "hot",
    Condition.FAR_BELOW: "over 20 % below",
    Condition.WARM: "warm",
    Condition.BELOW: "7–20 % below",
    Condition.STARTING: "starting",
    Condition.ASLEEP: "asleep",
}
QUALITIES = {
    Quality.ABSENT: "not known",
    Quality.GOOD: "measured",
    Quality.DERIVED: "calculated",
    Quality.ESTIMATED: "estimated",
    Quality.STALE: "stale",
    Quality.FROZEN: "frozen",
    Quality.UNIT_SUSPECT: "unit suspect",
    Quality.IMPLAUSIBLE: "implausible",
}
CLOCKS = {
    ClockQuality.UNKNOWN: "not known",
    ClockQuality.SYNCHRONISED: "synchronised",
    ClockQuality.UNSYNCHRONISED: "not synchronised",
    ClockQuality.STEPPED: "stepped",
}
OUTCOME_ORDER = (
    OutcomeState.CONFIRMED.value,
    OutcomeState.ACKNOWLEDGED.value,
    OutcomeState.ACCEPTED.value,
    "sent",
    "waiting",
    OutcomeState.CONTRADICTED.value,
    OutcomeState.REFUSED.value,
    OutcomeState.UNKNOWN.value,
)
SUSPECT = frozenset({Quality.STALE, Quality.FROZEN, Quality.UNIT_SUSPECT, Quality.IMPLAUSIBLE})
CONSOLE = "/console"


def site_href(site: str, page: str = "") -> str:
    return f"{CONSOLE}/site/{quote(site)}" + (f"/{page}" if page else "")


def miners_href(site: str, query: str) -> str:
    return f"{site_href(site, 'miners')}?q={quote(query)}"


def miner_href(site: str, device_id: str) -> str:
    return site_href(site, f"miner/{quote(device_id, safe='')}")


def outcome_parts(counts: dict[str, int]) -> list[dict[str, object]]:
    """The stacked bar of an order, in a fixed order of states."""
    return [{"state": state, "count": counts[state]} for state in OUTCOME_ORDER if counts.get(state)]
