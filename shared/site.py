"""A mining site as written down by the people who built it: electrical tree, placed devices, limits.

One schema for the site's TOML file and for the wire, so that controller and agent can never read it differently.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from shared.address_range import network
from shared.errors import SettingInvalid, SettingMissing
from shared.pool_address import pool_address
from shared.units import single_phase_capacity_w, three_phase_capacity_w

PHASES = ("L1", "L2", "L3")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Feeder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node of the electrical tree. Its limit is `limit_w`, or follows from rating, voltage and phases.

    `kind` is a word of the site (site, transformer, container, pdu, leg); the rules do not depend on it.
    `rating_a` and `voltage_v` (line to line where `phases` is 3, line to neutral where 1) give the continuous
    capacity with `continuous_factor`. `unmetered_w` is load below it that no device reports: fans, pumps, network.
    """

    id: str
    kind: str
    parent: str | None = None
    name: str = ""
    limit_w: int | None = None
    rating_a: float | None = None
    voltage_v: float | None = None
    phases: int = 3
    phase: str | None = None
    continuous_factor: float = 0.8
    meter: str | None = None
    unmetered_w: int = 0

    @property
    def capacity_w(self) -> int | None:
        """Watts that it may carry continuously; None where the site sets no limit."""
        if self.rating_a is None or self.voltage_v is None:
            return self.limit_w
        capacity = three_phase_capacity_w if self.phases == 3 else single_phase_capacity_w
        rated_w = capacity(self.rating_a, self.voltage_v, self.continuous_factor)
        return rated_w if self.limit_w is None else min(rated_w, self.limit_w)


class Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A meter or PDU: found by address, understood through its profile.

    `mode` is how a Modbus gateway frames (`tcp`, `rtu_over_tcp`); None takes what the profile prefers. With
    `generation` power may rightly flow back through a meter: sun, batteries or engines stand below it. Where `mac` or
    `serial` is given, no other device is read or switched in its place.
    """

    id: str
    profile: str
    address: str
    port: int | None = None
    unit: int = 1
    name: str = ""
    mode: str | None = None
    generation: bool = False
    mac: str | None = None
    serial: str | None = None


class Placement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a miner stands and what feeds it. The MAC is the identity, the address only a hint where it was last."""

    mac: str
    feeder: str
    container: str
    rack: int
    shelf: int
    slot: int
    pdu: str | None = None
    outlet: int | None = None
    address: str | None = None
    model: str | None = None


class SafetyLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the agent enforces by itself, whatever it is told."""

    inlet_max_c: float = 40.0
    inlet_resume_c: float = 35.0
    chip_max_c: float = 95.0
    chip_resume_c: float = 80.0
    phase_imbalance_max_pct: float = 10.0
    max_orders_per_minute: int = 60_000
    allowed_pools: tuple[str, ...] = ()
    fallback_cap_w: int | None = None


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    name: str
    time_zone: str = "UTC"
    ranges: tuple[str, ...] = ()
    feeder: tuple[Feeder, ...]
    meter: tuple[Instrument, ...] = ()
    pdu: tuple[Instrument, ...] = ()
    placement: tuple[Placement, ...] = ()
    safety: SafetyLimits = SafetyLimits()


def load_site(path: Path) -> Site:
    """Read and check a site file. Errors name the file, the entry and the mend."""
    try:
        site = msgspec.toml.decode(path.read_bytes(), type=Site)
    except FileNotFoundError as error:
        raise SettingMissing(f"{path}: no such file; point `site_file` at the site's description") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"{path}: {error}") from error
    problems = list(site_problems(site))
    if problems:
        raise SettingInvalid(f"{path}: " + "; ".join(problems))
    return site


def site_problems(site: Site) -> Iterator[str]:
    """Each contradiction in one sentence; a site without problems can be dispatched."""
    yield from _id_problems(site)
    yield from _range_problems(site.ranges)
    yield from _limit_problems(site.safety)
    yield from _outlet_problems(site)
    feeders = {feeder.id: feeder for feeder in site.feeder}
    meters = {meter.id for meter in site.meter}
    pdus = {pdu.id for pdu in site.pdu}
    for instrument in (*site.meter, *site.pdu):
        if instrument.mac is not None and not normal_mac(instrument.mac):
            yield f"{instrument.id!r} has mac = {instrument.mac!r}; write twelve hex digits, or leave it out"
    for feeder in site.feeder:
        if feeder.parent is not None and feeder.parent not in feeders:
            yield f"feeder {feeder.id!r} hangs below {feeder.parent!r}, which is not in the file"
        if feeder.meter is not None and feeder.meter not in meters:
            yield f"feeder {feeder.id!r} names meter {feeder.meter!r}, which is not in the file"
        if _on_a_cycle(feeder, feeders):
            yield f"feeder {feeder.id!r} is its own ancestor"
        yield from _figure_problems(feeder)
    for placed in site.placement:
        if placed.feeder not in feeders:
            yield f"miner {placed.mac} hangs on feeder {placed.feeder!r}, which is not in the file"
        if placed.pdu is not None and placed.pdu not in pdus:
            yield f"miner {placed.mac} is plugged into PDU {placed.pdu!r}, which is not in the file"


def _figure_problems(feeder: Feeder) -> Iterator[str]:
    name = f"feeder {feeder.id!r}"
    if feeder.phases not in (1, 3):
        yield f"{name} has {feeder.phases} phases; write 1 or 3"
    if feeder.phase is not None and feeder.phase not in PHASES:
        yield f"{name} is on phase {feeder.phase!r}; write L1, L2 or L3"
    if (feeder.rating_a is None) != (feeder.voltage_v is None):
        yield f"{name} needs both rating_a and voltage_v, or neither"
    for field in ("rating_a", "voltage_v", "limit_w"):
        value = getattr(feeder, field)
        if value is not None and not 0 < value < math.inf:
            yield f"{name} has {field} = {value}; write a number above 0, or leave it out"
    if not 0 < feeder.continuous_factor <= 1:
        yield f"{name} has continuous_factor = {feeder.continuous_factor}; write a share above 0, up to 1, such as 0.8"
    if feeder.unmetered_w < 0:
        yield f"{name} has unmetered_w = {feeder.unmetered_w}; write what its fans and pumps draw, 0 or more"


def _limit_problems(limits: SafetyLimits) -> Iterator[str]:
    for subject in ("inlet", "chip"):
        trip_c, resume_c = getattr(limits, f"{subject}_max_c"), getattr(limits, f"{subject}_resume_c")
        if not -math.inf < resume_c < trip_c < math.inf:
            yield (
                f"safety.{subject}_resume_c is {resume_c}, safety.{subject}_max_c is {trip_c};"
                " it must resume below the temperature at which it trips"
            )
    if not 0 < limits.phase_imbalance_max_pct < math.inf:
        yield f"safety.phase_imbalance_max_pct is {limits.phase_imbalance_max_pct}; write a number above 0, such as 10"
    if limits.max_orders_per_minute < 1:
        yield f"safety.max_orders_per_minute is {limits.max_orders_per_minute}; write 1 or more, or no order passes"
    for entry in limits.allowed_pools:
        if pool_address(entry) is None:
            yield f"safety.allowed_pools: {entry!r} is no pool; write it like 'stratum+tcp://pool.example:3333'"
    if limits.fallback_cap_w is not None and limits.fallback_cap_w < 0:
        yield f"safety.fallback_cap_w is {limits.fallback_cap_w}; write watts, 0 or more"


def _range_problems(ranges: tuple[str, ...]) -> Iterator[str]:
    for text in ranges:
        try:
            network(text)
        except SettingInvalid as error:
            yield error.detail


def _outlet_problems(site: Site) -> Iterator[str]:
    for placed in site.placement:
        if placed.outlet is not None and placed.pdu is None:
            yield f"miner {placed.mac} is on outlet {placed.outlet} of no PDU; write its pdu, or leave the outlet out"
        elif placed.pdu is not None and placed.outlet is None:
            yield f"miner {placed.mac} is on no outlet of PDU {placed.pdu!r}; write its outlet, or leave the PDU out"
        elif placed.outlet is not None and placed.outlet < 1:
            yield f"miner {placed.mac} is on outlet {placed.outlet}; outlets count from 1, as printed on the PDU"
    plugs = Counter((placed.pdu, placed.outlet) for placed in site.placement if placed.outlet is not None)
    for (pdu, outlet), count in plugs.items():
        if pdu is not None and count > 1:
            yield f"{count} miners are on outlet {outlet} of PDU {pdu!r}; an outlet feeds one, correct the others"


def _id_problems(site: Site) -> Iterator[str]:
    seen: set[str] = set()
    for item_id in (*(f.id for f in site.feeder), *(m.id for m in site.meter), *(p.id for p in site.pdu)):
        if not _ID.fullmatch(item_id):
            yield f"id {item_id!r} may hold only a-z, 0-9 and hyphens"
        if item_id in seen:
            yield f"id {item_id!r} is used twice"
        seen.add(item_id)
    if not _ID.fullmatch(site.id):
        yield f"site id {site.id!r} may hold only a-z, 0-9 and hyphens"
    macs = [placed.mac for placed in site.placement]
    for mac in macs:
        if mac != normal_mac(mac):
            yield f"write MAC {mac!r} as {normal_mac(mac) or 'twelve hex digits'}"
    for mac in {mac for mac in macs if macs.count(mac) > 1} if len(set(macs)) != len(macs) else ():
        yield f"MAC {mac} is placed twice"


def _on_a_cycle(feeder: Feeder, feeders: dict[str, Feeder]) -> bool:
    seen = {feeder.id}
    while feeder.parent is not None and feeder.parent in feeders:
        if feeder.parent in seen:
            return True
        seen.add(feeder.parent)
        feeder = feeders[feeder.parent]
    return False


def normal_mac(mac: str) -> str:
    """`0A:1B:…` and `0a1b…` become `0a:1b:…`; an empty string where it is no MAC."""
    digits = re.sub(r"[^0-9a-f]", "", mac.lower())
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2)) if len(digits) == 12 else ""


def miner_id(mac: str) -> str:
    """The device id of a miner: `m-` and its MAC without colons."""
    return "m-" + normal_mac(mac).replace(":", "")
