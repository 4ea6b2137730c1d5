"""`/api/system/info` of AxeOS (reference: section 3.9) as values in our units."""

from agent.site.drivers.miners.field import count, flag, hottest, number, text
from agent.site.drivers.miners.reply import Row
from agent.site.drivers.miners.sheet import Sheet, board_sheet
from agent.site.drivers.miners.state import Signs
from shared.actions import Pool
from shared.quality import Quality
from shared.states import PowerSource
from shared.units import GHS_PER_THS

_POOL_KEYS = (
    ("stratumURL", "stratumPort", "stratumUser"),
    ("fallbackStratumURL", "fallbackStratumPort", "fallbackStratumUser"),
)


def put_info(sheet: Sheet, info: Row) -> PowerSource:
    """The firmware is the mining process, so that both uptimes are one."""
    rate_ghs = number(info, "hashRate")
    sheet.put("hashrate_ths", None if rate_ghs is None else rate_ghs / GHS_PER_THS)
    sheet.put("hashrate_expected_ths", *_expected(info))
    power_w = number(info, "power")
    sheet.put("power_w", power_w)
    sheet.put("chip_temp_c", hottest([number(info, "temp")]))
    sheet.put("board_temp_c", hottest([number(info, "vrTemp")]))
    sheet.put("fan_rpm", number(info, "fanrpm"))
    sheet.put("uptime_s", count(info, "uptimeSeconds"))
    sheet.put("mining_uptime_s", count(info, "uptimeSeconds"), Quality.DERIVED)
    sheet.put("accepted_shares", count(info, "sharesAccepted"))
    sheet.put("rejected_shares", count(info, "sharesRejected"))
    # Measured where the board takes its direct current, behind an external supply that nobody measures.
    return PowerSource.NONE if power_w is None else PowerSource.MEASURED_OUTPUT


def board_of(info: Row) -> Sheet:
    """The one board, with its set frequency."""
    sheet = board_sheet()
    rate_ghs = number(info, "hashRate")
    sheet.put("hashrate_ths", None if rate_ghs is None else rate_ghs / GHS_PER_THS)
    sheet.put("hashrate_expected_ths", *_expected(info))
    sheet.put("chip_temp_c", hottest([number(info, "temp")]))
    sheet.put("board_temp_c", hottest([number(info, "vrTemp")]))
    sheet.put("chips_expected", count(info, "asicCount"))
    sheet.put("frequency_mhz", number(info, "frequency") or None)
    return sheet


def signs(info: Row) -> Signs:
    """It knows no rest by order: what stands still has failed or was too hot."""
    return Signs(asleep=False, hot=bool(flag(info, "overheat_mode")), faulty=bool(text(info, "power_fault")))


def faults(info: Row) -> tuple[str, ...]:
    found = ["overheat mode"] if flag(info, "overheat_mode") else []
    if text(info, "power_fault"):
        found.append(f"power fault: {text(info, 'power_fault')}")
    if flag(info, "isUsingFallbackStratum"):
        found.append("mines for its fallback pool")
    return tuple(found)


def pools(info: Row) -> tuple[Pool, ...]:
    """First and fallback pool as `host:port`; builds differ in whether the host carries a scheme."""
    found = []
    for url_key, port_key, user_key in _POOL_KEYS:
        host, port = text(info, url_key).rstrip("/"), count(info, port_key)
        if host:
            complete = host if port is None or host.endswith(f":{port}") else f"{host}:{port}"
            found.append(Pool(complete, text(info, user_key)))
    return tuple(found)


def _expected(info: Row) -> tuple[float | None, Quality]:
    """As the firmware says, else cores × chips × frequency: one hash per core and clock."""
    given_ghs = number(info, "expectedHashrate")
    if given_ghs:
        return given_ghs / GHS_PER_THS, Quality.GOOD
    cores, chips, mhz = number(info, "smallCoreCount"), number(info, "asicCount") or 1.0, number(info, "frequency")
    if not cores or not mhz:
        return None, Quality.ABSENT
    return cores * chips * mhz / 1_000.0 / GHS_PER_THS, Quality.DERIVED
