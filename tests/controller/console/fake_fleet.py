"""A fleet that moves: hash rates wander, a rack has no power, some machines are hot, broken or silent."""

import math
from pathlib import Path

import numpy as np

from controller.views.condition import Condition
from controller.views.frame import AlarmMark, FleetFrame, FleetLayout, Words
from controller.views.history import GapView, Series, SeriesRequest
from controller.views.miner import BoardRow, Evidence, MinerDetail, qualities_at, row_at
from controller.views.site import SiteView
from shared.clock import Clock
from shared.errors import NotFound
from shared.quality import Quality, pack_qualities
from shared.states import OpState, PowerSource, Reach
from shared.wire.telemetry import MINER_FIELDS

SITE = "west-1"
VERBS = ("sleep", "wake", "set_power_limit", "restart", "locate", "read_now")
SHELVES, POSITIONS = 4, 5
PER_RACK = SHELVES * POSITIONS


class FakeFleet:
    """`count` miners in containers of at most 500; `asleep` is what orders have put to sleep."""

    def __init__(self, clock: Clock, count: int = 200, *, hostile_name: str = "", switches: Path | None = None) -> None:
        self.clock = clock
        self._switches = switches
        self._random = np.random.default_rng(7)
        self.layout = _layout(count, hostile_name)
        self.asleep = np.zeros(count, dtype=np.bool_)
        self.silent = self._random.random(count) < 0.015
        self.default_login = np.flatnonzero(np.arange(count) % 25 < 17)
        self.unpowered = np.zeros(count, dtype=np.bool_)
        self.unpowered[2 * PER_RACK : 2 * PER_RACK + PER_RACK // 2] = True
        self.faulty = (self._random.random(count) < 0.012) & ~self.silent
        self.warm = _warm_corner(count) + self._random.normal(0.0, 1.6, count)
        self.share = np.clip(self._random.normal(1.0, 0.018, count), 0.93, 1.06)
        self.share[self._random.random(count) < 0.02] = 0.86
        self.share[self._random.random(count) < 0.01] = 0.6
        pro = self.layout.model.codes == 1
        self.expected_ths = np.where(pro, 200.0, 141.0)
        self.nominal_w = np.where(pro, 3500.0, 3010.0)
        self._frame: FleetFrame | None = None
        self._number = 0

    def switched(self, name: str) -> bool:
        return self._switches is not None and (self._switches / name).exists()

    def sites(self) -> tuple[SiteView, ...]:
        if self.switched("unknown"):
            return ()
        site = SiteView(
            id=SITE,
            name="West Texas 1",
            time_zone="America/Chicago",
            miners=len(self.layout),
            last_contact_ms=self.clock.now_ms() - 700,
        )
        return (site,)

    def frame(self, site: str) -> FleetFrame:
        if site != SITE:
            raise NotFound(f"no site {site!r}; there is {SITE}")
        now_ms = self.clock.now_ms()
        if self._frame is None or now_ms - self._frame.at_ms >= 1000:
            self._frame = self._make(now_ms)
        return self._frame

    async def miner(self, site: str, device_id: str) -> MinerDetail:
        frame = self.frame(site)
        row = self.layout.row_of.get(device_id)
        if row is None:
            raise NotFound(f"no miner {device_id!r} at {site}")
        shown = row_at(frame, row)
        return MinerDetail(
            snapshot=frame.snapshot,
            row=shown,
            sentence=_sentence(Condition(frame.condition[row])),
            verbs=VERBS,
            qualities=qualities_at(frame, row),
            boards=tuple(self._board(frame, row, slot) for slot in range(3)),
            evidence=(
                Evidence(
                    observed_at_ms=shown.observed_at_ms,
                    request='{"command": "summary+stats"}',
                    reply='{"STATUS":[{"STATUS":"S","Msg":"Summary"}],"SUMMARY":[{"GHS 5s":%.2f}]}'
                    % ((shown.hashrate_ths or 0.0) * 1000.0),
                ),
            ),
        )

    def _board(self, frame: FleetFrame, row: int, slot: int) -> BoardRow:
        dead = 3 if self.faulty[row] and slot == 1 else 0
        third = float(frame.hashrate_ths[row]) / 3.0
        return BoardRow(
            slot=slot,
            observed_at_ms=int(frame.observed_at_ms[row]),
            hashrate_ths=None if math.isnan(third) else third,
            hashrate_expected_ths=float(self.expected_ths[row]) / 3.0,
            chip_temp_c=None if math.isnan(third) else float(frame.chip_temp_c[row]) - slot,
            board_temp_c=None if math.isnan(third) else float(frame.board_temp_c[row]) - slot,
            chips_good=110 - dead,
            chips_expected=110,
            frequency_mhz=525.0,
            hardware_errors=12 * slot,
        )

    def _make(self, now_ms: int) -> FleetFrame:
        self._number += 1
        count = len(self.layout)
        wander = self._random.normal(0.0, 0.006, count)
        off = self.asleep | self.unpowered
        hashing = ~off
        hash_ths = np.where(hashing, self.expected_ths * (self.share + wander), 0.0)
        hash_ths[self.faulty & hashing] *= 0.65
        power_w = np.where(self.asleep, 60.0, self.nominal_w * (0.35 + 0.65 * hash_ths / self.expected_ths))
        unseen = self.silent | self.unpowered
        age_ms = np.where(unseen, 340_000, self._random.integers(300, 2600, count))
        chip_c = np.where(self.asleep, 34.0, 62.0 + self.warm + wander * 60.0)
        good = pack_qualities([Quality.GOOD] * len(MINER_FIELDS))

        def seen(values: np.ndarray) -> np.ndarray:
            return np.where(self.unpowered, np.nan, values).astype(np.float64)

        return FleetFrame(
            snapshot=f"{SITE}-{self._number}",
            at_ms=now_ms,
            layout=self.layout,
            observed_at_ms=(now_ms - age_ms).astype(np.int64),
            reach=np.where(unseen, Reach.TIMEOUT, Reach.UP).astype(np.uint8),
            op_state=np.where(self.asleep, OpState.SLEEPING, OpState.HASHING).astype(np.uint8),
            power_source=np.full(count, PowerSource.ESTIMATED, np.uint8),
            quality=np.full(count, good, np.int64),
            hashrate_ths=seen(hash_ths),
            hashrate_expected_ths=self.expected_ths,
            power_w=seen(power_w),
            power_limit_w=seen(self.nominal_w),
            chip_temp_c=seen(chip_c),
            board_temp_c=seen(chip_c - 12.0),
            inlet_temp_c=seen(np.full(count, 27.0)),
            find_alarms=lambda: (AlarmMark("device.fault", "login.default", self.default_login),),
            fan_rpm=seen(np.where(self.asleep, 1200.0, 5400.0)),
            uptime_s=seen(np.full(count, 86_400.0 * 3)),
            accepted_shares=seen(np.full(count, 41_200.0)),
            rejected_shares=seen(np.full(count, 17.0)),
            boards_hashing=seen(np.where(self.faulty, 2.0, 3.0)),
            boards_expected=np.full(count, 3.0),
            powered=np.where(self.unpowered, 0, 1).astype(np.int8),
            maintenance=np.zeros(count, dtype=np.bool_),
            chip_warm_c=75.0,
            chip_hot_c=85.0,
        )


class FakeHistory:
    """A day with load, a dip, and one gap."""

    def __init__(self, fleet: FakeFleet) -> None:
        self._fleet = fleet

    async def series(self, request: SeriesRequest) -> Series:
        base, symbol = self._level(request)
        step = max(1000, (request.to_ms - request.from_ms) // request.points)
        starts = tuple(range(request.from_ms, request.to_ms, step))
        gap = self._gap()
        means: list[float | None] = [
            None
            if gap.first_ms <= at <= gap.last_ms
            else base * (1 + 0.01 * math.sin(at / 217_000) + 0.004 * math.sin(at / 31_000))
            for at in starts
        ]
        return Series(
            subject=request.subject,
            field=request.field,
            unit=symbol,
            step_ms=step,
            start_ms=starts,
            low=tuple(None if mean is None else mean * 0.994 for mean in means),
            mean=tuple(means),
            high=tuple(None if mean is None else mean * 1.005 for mean in means),
            gaps=(gap,),
        )

    async def gaps(self, site: str, *, limit: int = 100) -> tuple[GapView, ...]:
        self._fleet.frame(site)
        return (self._gap(),)[:limit]

    def _gap(self) -> GapView:
        hour_ms = self._fleet.clock.now_ms() // 3_600_000 * 3_600_000
        return GapView(
            node="edge-1",
            epoch="a41f09c2",
            from_seq=88_120,
            to_seq=88_209,
            samples=17_820,
            reason="disk_full_downsampled",
            first_ms=hour_ms - 1_500_000,
            last_ms=hour_ms - 1_290_000,
        )

    def _level(self, request: SeriesRequest) -> tuple[float, str]:
        frame = self._fleet.frame(request.site)
        row = self._fleet.layout.row_of.get(request.subject)
        column = {"hashrate_ths": frame.hashrate_ths, "chip_temp_c": frame.chip_temp_c}.get(
            request.field, frame.power_w
        )
        symbol = {"hashrate_ths": "TH/s", "chip_temp_c": "°C"}.get(request.field, "W")
        level = float(np.nansum(column)) if row is None else float(np.nan_to_num(column[row]))
        return level * (1.03 if row is None and symbol == "W" else 1.0), symbol


def _layout(count: int, hostile_name: str) -> FleetLayout:
    per_container = 50 if count <= 500 else 500
    number = np.arange(count)
    container = number // per_container
    inside = number % per_container
    rack, shelf, slot = inside // PER_RACK + 1, inside % PER_RACK // POSITIONS + 1, inside % POSITIONS + 1
    names = [f"C{c + 1:02}-R{r}-S{s}-{p:02}" for c, r, s, p in zip(container, rack, shelf, slot, strict=True)]
    serials = [f"SN{index:07}" for index in range(count)]
    if hostile_name:
        names[0] = serials[0] = hostile_name
    return FleetLayout(
        site=SITE,
        device_id=tuple(f"m-02de0000{index:04x}" for index in range(count)),
        slot_name=tuple(names),
        address=tuple(f"10.{c}.{i // 250}.{i % 250 + 1}" for c, i in zip(container, inside, strict=True)),
        serial=tuple(serials),
        model=Words.of(["S21", "S21 Pro"]) if count < 2 else Words.of([("S21", "S21 Pro")[c % 2] for c in container]),
        firmware=Words.of(["2024.11.1"] * count),
        container=Words.of([f"c{c + 1:02}" for c in container]),
        feeder=Words.of([f"f-c{c + 1:02}" for c in container]),
        node=Words.of([f"edge-{c % 2 + 1}" for c in container]),
        rack=rack.astype(np.int32),
        shelf=shelf.astype(np.int32),
        slot=slot.astype(np.int32),
    )


def _warm_corner(count: int) -> np.ndarray:
    """One container whose coolant is weak at its far end."""
    number = np.arange(count)
    per_container = 50 if count <= 500 else 500
    in_third = number // per_container == 2
    return np.where(in_third, 26.0 * (number % per_container) / per_container, 0.0)


def _sentence(condition: Condition) -> str:
    return {
        Condition.AS_EXPECTED: "Running as expected.",
        Condition.FAULT: "Running 35 % below expected: board 1 has 3 dead chips.",
        Condition.SILENT: "Silent for 5 min 40 s: the last request timed out.",
        Condition.UNPOWERED: "Without power: its breaker is open.",
        Condition.ASLEEP: "Asleep by order.",
    }.get(condition, "Running outside its normal band.")
