"""Draw up a site by counts: 415/240 V tree, PDUs filled within their legs, meters, addresses on loopback.

Addresses: the first of the network, 256 for each thousand miners, are instruments; then each container has an aligned
block of its own for miners, which is also the range that discovery sweeps.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from hardware_sims.model import MinerModel, model_named
from hardware_sims.rack import LEG_A, NEUTRAL_V, Plug, fill_pdus, fill_shelves
from shared.errors import SettingInvalid
from shared.site import Feeder, Instrument, Placement, Site
from shared.units import three_phase_capacity_w

DEFAULT_NETWORK = IPv4Network("127.16.0.0/14")
DEFAULT_MIX: Mapping[str, float] = {
    "Antminer S19j Pro": 0.20,
    "Antminer S19 XP": 0.15,
    "Antminer S21": 0.25,
    "Antminer S21 Pro": 0.08,
    "M50S": 0.08,
    "M60S": 0.20,
    "BitAxe Gamma": 0.04,
}
SITE_METER, TRANSFORMER_METER, CONTAINER_METER = "schneider.iem3000", "abb.b23", "eastron.sdm630"
RARITAN, SHELLY = "raritan.xerus", "shelly.gen2"
LINE_V = 415.0
HTTP_PORT, MODBUS_PORT = 80, 502
INSTRUMENTS_PER_THOUSAND = 256
CONTAINERS_PER_TRANSFORMER = 2
CONTINUOUS_FACTOR = 0.8
HEADROOM = 1.06  # of a rating over the sum below it
COOLING_SHARE = 0.02
OFFICE_W = 1_500
SHELF_A = 16.0
SLOTS_PER_SHELF = 4
_TRANSFORMERS_KVA = (100, 160, 250, 400, 630, 1_000, 1_600, 2_000, 2_500, 3_150, 4_000, 5_000, 6_300)
_BREAKERS_A = (63, 125, 160, 250, 400, 630, 800, 1_000, 1_250, 1_600, 2_000, 2_500, 3_200, 4_000)


@dataclass(frozen=True, slots=True)
class LayoutOrder:
    """What to draw up. `mix` are weights by model name; the ports are those that instruments can really listen on."""

    miners: int
    containers: int = 1
    seed: int = 1
    site_id: str = "demo"
    network: IPv4Network = DEFAULT_NETWORK
    mix: Mapping[str, float] = field(default_factory=lambda: DEFAULT_MIX)
    http_port: int = HTTP_PORT
    modbus_port: int = MODBUS_PORT


def draw_up(order: LayoutOrder) -> Site:
    """A site that `load_site` accepts. SettingInvalid where the counts, the mix or the network cannot work."""
    if not 1 <= order.containers <= order.miners:
        raise SettingInvalid(f"{order.miners} miners in {order.containers} containers: give each container a miner")
    return _Draft(order).site()


class _Draft:
    """The parts of a site while it is drawn up; a feeder stands before those that it feeds."""

    def __init__(self, order: LayoutOrder) -> None:
        self._order = order
        self._feeders: list[Feeder] = []
        self._meters: list[Instrument] = []
        self._pdus: list[Instrument] = []
        self._placements: list[Placement] = []
        self._blocks = _blocks(order)
        self._addresses = _instrument_addresses(order)

    def site(self) -> Site:
        order = self._order
        models = _models(order)
        total_w = sum(_container_load_w(members) for members in models) + OFFICE_W
        self._add_site_feeder(total_w)
        containers = list(enumerate(models, start=1))
        for first in range(0, len(containers), CONTAINERS_PER_TRANSFORMER):
            self._transformer(
                first // CONTAINERS_PER_TRANSFORMER + 1, dict(containers[first : first + CONTAINERS_PER_TRANSFORMER])
            )
        return Site(
            id=order.site_id,
            name=f"Simulated site of {order.miners} miners",
            ranges=tuple(str(block) for block in self._blocks),
            feeder=tuple(self._feeders),
            meter=tuple(self._meters),
            pdu=tuple(self._pdus),
            placement=tuple(self._placements),
        )

    def _add_site_feeder(self, total_w: float) -> None:
        self._feeders.append(
            Feeder(
                id="site",
                kind="site",
                name="Grid connection",
                rating_a=_rating_a(total_w),
                voltage_v=LINE_V,
                limit_w=math.ceil(total_w * HEADROOM / 1_000) * 1_000,
                meter="meter-site",
                unmetered_w=OFFICE_W,
            )
        )
        self._meter("meter-site", SITE_METER, str(next(self._addresses)))

    def _transformer(self, number: int, containers: Mapping[int, list[MinerModel]]) -> None:
        """A transformer and what it feeds; the meters of its containers sit behind one Modbus gateway."""
        name = f"tx{number}"
        size_kva = _transformer_kva(sum(_container_load_w(models) for models in containers.values()))
        self._feeders.append(
            Feeder(
                id=name,
                kind="transformer",
                parent="site",
                name=f"Transformer {number}, {size_kva} kVA",
                rating_a=round(size_kva * 1_000 / (math.sqrt(3) * LINE_V), 1),
                voltage_v=LINE_V,
                meter=f"meter-{name}",
            )
        )
        self._meter(f"meter-{name}", TRANSFORMER_METER, str(next(self._addresses)))
        gateway = str(next(self._addresses))
        for unit, (container, models) in enumerate(containers.items(), start=1):
            self._meter(f"meter-c{container}", CONTAINER_METER, gateway, unit)
            self._container(container, name, models)

    def _container(self, number: int, parent: str, models: list[MinerModel]) -> None:
        name = f"c{number}"
        self._feeders.append(
            Feeder(
                id=name,
                kind="container",
                parent=parent,
                name=f"Container {number}",
                rating_a=_rating_a(_container_load_w(models)),
                voltage_v=LINE_V,
                meter=f"meter-{name}",
                unmetered_w=_cooling_w(models),
            )
        )
        hosts = self._blocks[number - 1].hosts()
        pdus = fill_pdus([model for model in models if model.family != "axeos"])
        for rack, plugs in enumerate(pdus, start=1):
            self._pdu(name, rack, plugs, hosts)
        shelves = fill_shelves([model for model in models if model.family == "axeos"])
        for rack, plugs in enumerate(shelves, start=len(pdus) + 1):
            self._shelf(name, rack, plugs, hosts)

    def _pdu(self, container: str, rack: int, plugs: list[Plug], hosts: Iterator[IPv4Address]) -> None:
        feeder = f"{container}-p{rack}"
        self._feeders.append(
            Feeder(id=feeder, kind="pdu", parent=container, name=f"PDU {rack}", rating_a=LEG_A, voltage_v=LINE_V)
        )
        for leg in (1, 2, 3):
            self._feeders.append(
                Feeder(
                    id=f"{feeder}-l{leg}",
                    kind="leg",
                    parent=feeder,
                    phases=1,
                    phase=f"L{leg}",
                    rating_a=LEG_A,
                    voltage_v=NEUTRAL_V,
                )
            )
        pdu = self._instrument_pdu(feeder, RARITAN)
        for plug in plugs:
            self._place(f"{feeder}-l{plug.leg + 1}", container, rack, pdu, plug, next(hosts))

    def _shelf(self, container: str, rack: int, plugs: list[Plug], hosts: Iterator[IPv4Address]) -> None:
        feeder = f"{container}-p{rack}"
        self._feeders.append(
            Feeder(
                id=feeder,
                kind="pdu",
                parent=container,
                name=f"Shelf {rack}",
                phases=1,
                phase=f"L{plugs[0].leg + 1}",
                rating_a=SHELF_A,
                voltage_v=NEUTRAL_V,
            )
        )
        pdu = self._instrument_pdu(feeder, SHELLY)
        for plug in plugs:
            self._place(feeder, container, rack, pdu, plug, next(hosts))

    def _place(self, feeder: str, container: str, rack: int, pdu: str, plug: Plug, address: IPv4Address) -> None:
        shelf, slot = divmod(plug.outlet - 1, SLOTS_PER_SHELF)
        self._placements.append(
            Placement(
                mac=_mac(self._order.seed, len(self._placements) + 1),
                feeder=feeder,
                container=container,
                rack=rack,
                shelf=shelf + 1,
                slot=slot + 1,
                pdu=pdu,
                outlet=plug.outlet,
                address=str(address),
                model=plug.model.name,
            )
        )

    def _meter(self, meter: str, profile: str, address: str, unit: int = 1) -> None:
        port = None if self._order.modbus_port == MODBUS_PORT else self._order.modbus_port
        self._meters.append(Instrument(id=meter, profile=profile, address=address, port=port, unit=unit))

    def _instrument_pdu(self, feeder: str, profile: str) -> str:
        port = None if self._order.http_port == HTTP_PORT else self._order.http_port
        self._pdus.append(
            Instrument(id=f"pdu-{feeder}", profile=profile, address=str(next(self._addresses)), port=port)
        )
        return f"pdu-{feeder}"


def _models(order: LayoutOrder) -> list[list[MinerModel]]:
    """The machines of each container: shares of the mix by largest remainder, dealt round like cards."""
    total = math.fsum(order.mix.values())
    if total <= 0 or min(order.mix.values()) < 0:
        raise SettingInvalid(f"mix {dict(order.mix)}: weights must not be negative, and one must be positive")
    exact = [(model_named(name), order.miners * weight / total) for name, weight in order.mix.items()]
    counts = [math.floor(share) for _, share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda at: counts[at] - exact[at][1])
    for at in by_remainder[: order.miners - sum(counts)]:
        counts[at] += 1
    deck = [model for (model, _), count in zip(exact, counts, strict=True) for _ in range(count)]
    return [deck[at :: order.containers] for at in range(order.containers)]


def _blocks(order: LayoutOrder) -> list[IPv4Network]:
    """One block of addresses a container, behind those of the instruments."""
    needed = math.ceil(order.miners / order.containers) + 2
    prefix = 32 - math.ceil(math.log2(needed))
    size = 1 << (32 - prefix)
    first = math.ceil(_instrument_count(order) / size) * size
    if order.network.num_addresses < first + size * order.containers or not order.network.is_loopback:
        raise SettingInvalid(
            f"network {order.network} must be inside 127.0.0.0/8 and hold {first + size * order.containers} addresses"
        )
    start = int(order.network.network_address) + first
    return [IPv4Network((start + size * at, prefix)) for at in range(order.containers)]


def _instrument_count(order: LayoutOrder) -> int:
    return INSTRUMENTS_PER_THOUSAND * math.ceil(order.miners / 1_000)


def _instrument_addresses(order: LayoutOrder) -> Iterator[IPv4Address]:
    for offset in range(1, _instrument_count(order) - 1):
        yield order.network.network_address + offset
    raise SettingInvalid(f"{order.miners} miners in {order.containers} containers need too many instruments; use fewer")


def _mac(seed: int, number: int) -> str:
    """Locally administered, unique within a site."""
    octets = (0x02, 0xB5, seed & 0xFF, number >> 16 & 0xFF, number >> 8 & 0xFF, number & 0xFF)
    return ":".join(f"{octet:02x}" for octet in octets)


def _cooling_w(models: list[MinerModel]) -> int:
    return max(500, round(COOLING_SHARE * sum(model.modes["normal"] for model in models)))


def _container_load_w(models: list[MinerModel]) -> float:
    return float(sum(model.modes["normal"] for model in models) + _cooling_w(models))


def _rating_a(load_w: float) -> float:
    """The next usual breaker, or the next hundred amperes above the largest of them."""
    for rating_a in _BREAKERS_A:
        if three_phase_capacity_w(rating_a, LINE_V) >= load_w * HEADROOM:
            return float(rating_a)
    return math.ceil(load_w * HEADROOM / three_phase_capacity_w(100, LINE_V)) * 100.0


def _transformer_kva(load_w: float) -> int:
    """The next usual size, or the next thousand above the largest of them."""
    needed_kva = load_w * HEADROOM / CONTINUOUS_FACTOR / 1_000
    for size_kva in _TRANSFORMERS_KVA:
        if size_kva >= needed_kva:
            return size_kva
    return math.ceil(needed_kva / 1_000) * 1_000
