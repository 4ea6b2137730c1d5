"""Telemetry with numbers like a site's, for benchmarks and tests: made fast, the same for the same arguments."""

import random

from shared.quality import Quality, pack_qualities
from shared.site import miner_id
from shared.states import ClockQuality, OpState, PowerSource, Reach
from shared.wire.telemetry import (
    MINER_FIELDS,
    HostSample,
    MinerTable,
    TelemetryBatch,
)

_ALL_GOOD_MINER = pack_qualities([Quality.GOOD] * len(MINER_FIELDS))


def miner_mac(number: int) -> str:
    return "0a:" + number.to_bytes(5, "big").hex(":")


def miner_name(number: int) -> str:
    return miner_id(miner_mac(number))


def site_batch(first: int, count: int, at_ms: int, *, cycle: int = 0, host: bool = False) -> TelemetryBatch:
    """One cycle of the miners `first` to `first` + `count` - 1 of a site, all hashing, observed at `at_ms`."""
    draw = random.Random(first * 1_000_003 + cycle)

    def around(mean: float, spread: float, digits: int) -> list[float | None]:
        return [round(mean + spread * (draw.random() - 0.5), digits) for _ in range(count)]

    miners = MinerTable(
        device_id=[miner_name(number) for number in range(first, first + count)],
        observed_at_ms=[at_ms] * count,
        reach=[int(Reach.UP)] * count,
        op_state=[int(OpState.HASHING)] * count,
        power_source=[int(PowerSource.MEASURED_INPUT)] * count,
        quality=[_ALL_GOOD_MINER] * count,
        hashrate_ths=around(200, 8, 2),
        hashrate_expected_ths=[200.0] * count,
        power_w=around(3500, 120, 0),
        power_limit_w=[3600.0] * count,
        chip_temp_c=around(75, 8, 1),
        board_temp_c=around(62, 6, 1),
        inlet_temp_c=around(26, 4, 1),
        fan_rpm=around(5400, 300, 0),
        uptime_s=[86_400 + cycle * 5] * count,
        mining_uptime_s=[80_000 + cycle * 5] * count,
        accepted_shares=[100_000 + cycle * 3] * count,
        rejected_shares=[120 + cycle // 50] * count,
        hardware_errors=[int(draw.random() * 40) for _ in range(count)],
        boards_hashing=[3] * count,
        boards_expected=[3] * count,
    )
    return TelemetryBatch(
        cycle=cycle,
        sampled_at_ms=at_ms,
        monotonic_s=cycle * 5.0,
        boot_id="boot",
        clock_quality=int(ClockQuality.SYNCHRONISED),
        miners=miners,
        host=_host(at_ms, count) if host else None,
    )


def _host(at_ms: int, devices: int) -> HostSample:
    return HostSample(
        observed_at_ms=at_ms,
        cpu_pct=12.5,
        memory_pct=41.0,
        rss_mb=92.0,
        disk_free_mb=20_480.0,
        spool_rows=3,
        spool_oldest_s=0.4,
        loop_lag_ms=1.2,
        fsync_ms=4.0,
        cycle_ms=820.0,
        devices_up=devices,
        devices_known=devices,
    )
