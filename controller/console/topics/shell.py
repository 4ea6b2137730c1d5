"""What the frame shows on every page: alarm counts, the urgent alarm, the site's time."""

from controller.console.feed import Content, Topic
from controller.console.format import age, clock, number, zone, zone_name
from controller.console.topics.words import miners_href, site_href
from controller.views.alarm import AlarmView
from controller.views.ports import Operations
from controller.views.site import NodeView
from shared.errors import NotFound

NODES_NAMED = 3


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def shell(site: str, _subject: str) -> Content:
        return shell_content(operations, site)

    return (Topic("shell", 1.0, shell),)


def shell_content(operations: Operations, site: str) -> Content:
    now_ms = operations.clock.now_ms()
    view = next((item for item in operations.fleet.sites() if item.id == site), None)
    if view is None:
        raise NotFound(f"no site {site!r}")
    standing = operations.alarms.standing(site)
    nodes = operations.nodes.nodes(site)
    silent = sum(not node.connected for node in nodes)
    running = sum(curtailment.active for curtailment in operations.curtailments.listed(site))
    tz = zone(view.time_zone)
    return {
        "clock": f"{clock(now_ms, tz)} {zone_name(now_ms, tz)}",
        "alarms": [
            {"priority": level, "count": number(sum(alarm.priority == level for alarm in standing))}
            | _zero(standing, level)
            for level in (1, 2, 3)
        ],
        "alarms_href": site_href(site, "alarms"),
        "nodes_href": site_href(site, "nodes"),
        "badges": {
            "alarms": number(len(standing)) if standing else "",
            "energy": "curtailed" if running else "",
            "nodes": f"{silent} silent" if silent else "",
        },
        "silent": _silent(nodes, now_ms),
        "urgent": _urgent(standing, site, now_ms),
    }


def _silent(nodes: tuple[NodeView, ...], now_ms: int) -> Content | None:
    """Where no agent of the site can be heard, nothing that is shown is of now."""
    if any(node.connected for node in nodes):
        return None
    last_ms = max((node.last_contact_ms for node in nodes if node.last_contact_ms is not None), default=None)
    names = ", ".join(node.id for node in nodes[:NODES_NAMED])
    since = "Nothing was ever heard" if last_ms is None else f"Nothing heard for {age(last_ms, now_ms)}"
    return {
        "text": f"{since} from {names or 'any agent'}. Values are the last known.",
        "mend": "Look whether the broker runs, then run `bes doctor` at the agent. The site holds its last plan.",
    }


def _zero(standing: tuple[AlarmView, ...], level: int) -> Content:
    """No number stands where there is nothing to count, so that the mark can turn quiet."""
    return {} if any(alarm.priority == level for alarm in standing) else {"count": ""}


def _urgent(standing: tuple[AlarmView, ...], site: str, now_ms: int) -> Content | None:
    urgent = next((alarm for alarm in standing if alarm.priority == 1 and not alarm.acknowledged_by), None)
    if urgent is None:
        return None
    return {
        "id": urgent.id,
        "text": urgent.text,
        "detail": f"{urgent.members:,} devices · {age(urgent.raised_at_ms, now_ms)}",
        "href": miners_href(site, urgent.query) if urgent.query else site_href(site, "alarms"),
    }
