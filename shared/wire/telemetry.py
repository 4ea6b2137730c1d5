"""One process image on the wire: a table for each kind of device, column by column.

Columns, because both ends then work without a Python loop over rows: the agent appends, the controller zips columns
into SQLite rows and casts them into numpy arrays. All columns of a table have equal length (`lengths_agree`). A value
that is not known is None and has its reason in `quality`, packed four bits a field in the order of `*_FIELDS`
(shared/quality.py). Column order is the contract: append only.
"""

import msgspec

from shared.wire.bound import Code, Count, Millis, Packed, Seconds
from shared.wire.version import WIRE_VERSION

Numbers = list[float | None]
Counts = list[Count | None]

MINER_FIELDS = (
    "hashrate_ths",
    "hashrate_expected_ths",
    "power_w",
    "power_limit_w",
    "chip_temp_c",
    "board_temp_c",
    "inlet_temp_c",
    "fan_rpm",
    "uptime_s",
    "mining_uptime_s",
    "accepted_shares",
    "rejected_shares",
    "hardware_errors",
    "boards_hashing",
    "boards_expected",
)
METER_FIELDS = (
    "power_w",
    "power_l1_w",
    "power_l2_w",
    "power_l3_w",
    "voltage_l1_v",
    "voltage_l2_v",
    "voltage_l3_v",
    "current_l1_a",
    "current_l2_a",
    "current_l3_a",
    "power_factor",
    "frequency_hz",
    "energy_import_wh",
    "energy_export_wh",
)
OUTLET_FIELDS = ("on", "power_w", "current_a", "voltage_v", "energy_wh")
BOARD_FIELDS = (
    "hashrate_ths",
    "hashrate_expected_ths",
    "chip_temp_c",
    "board_temp_c",
    "chips_good",
    "chips_expected",
    "frequency_mhz",
    "hardware_errors",
)


class MinerTable(msgspec.Struct, array_like=True):
    """`hashrate_ths` is the window of at most a minute; `chip_temp_c` and `board_temp_c` are the hottest, `fan_rpm` the
    slowest; shares and errors count since the mining process started.
    """

    device_id: list[str] = []
    observed_at_ms: list[Millis] = []
    reach: list[Code] = []
    op_state: list[Code] = []
    power_source: list[Code] = []
    quality: list[Packed] = []
    hashrate_ths: Numbers = []
    hashrate_expected_ths: Numbers = []
    power_w: Numbers = []
    power_limit_w: Numbers = []
    chip_temp_c: Numbers = []
    board_temp_c: Numbers = []
    inlet_temp_c: Numbers = []
    fan_rpm: Numbers = []
    uptime_s: Counts = []
    mining_uptime_s: Counts = []
    accepted_shares: Counts = []
    rejected_shares: Counts = []
    hardware_errors: Counts = []
    boards_hashing: Counts = []
    boards_expected: Counts = []


class BoardTable(msgspec.Struct, array_like=True):
    """`slot` counts from 0. Sent with full polls only."""

    device_id: list[str] = []
    slot: list[Count] = []
    observed_at_ms: list[Millis] = []
    quality: list[Packed] = []
    hashrate_ths: Numbers = []
    hashrate_expected_ths: Numbers = []
    chip_temp_c: Numbers = []
    board_temp_c: Numbers = []
    chips_good: Counts = []
    chips_expected: Counts = []
    frequency_mhz: Numbers = []
    hardware_errors: Counts = []


class MeterTable(msgspec.Struct, array_like=True):
    """Power counts import as positive; energy registers only ever rise."""

    device_id: list[str] = []
    observed_at_ms: list[Millis] = []
    reach: list[Code] = []
    quality: list[Packed] = []
    power_w: Numbers = []
    power_l1_w: Numbers = []
    power_l2_w: Numbers = []
    power_l3_w: Numbers = []
    voltage_l1_v: Numbers = []
    voltage_l2_v: Numbers = []
    voltage_l3_v: Numbers = []
    current_l1_a: Numbers = []
    current_l2_a: Numbers = []
    current_l3_a: Numbers = []
    power_factor: Numbers = []
    frequency_hz: Numbers = []
    energy_import_wh: Numbers = []
    energy_export_wh: Numbers = []


class OutletTable(msgspec.Struct, array_like=True):
    """`outlet` counts from 1; `on` is 1 or 0 as far as the PDU tells, which may only echo the last command."""

    device_id: list[str] = []
    outlet: list[Count] = []
    observed_at_ms: list[Millis] = []
    reach: list[Code] = []
    quality: list[Packed] = []
    on: Counts = []
    power_w: Numbers = []
    current_a: Numbers = []
    voltage_v: Numbers = []
    energy_wh: Numbers = []


class HostSample(msgspec.Struct, array_like=True):
    """The node's own health. `fsync_ms` and `loop_lag_ms` are the worst since the last sample."""

    observed_at_ms: Millis
    cpu_pct: float
    memory_pct: float
    rss_mb: float
    disk_free_mb: float
    spool_rows: Count
    spool_oldest_s: float
    loop_lag_ms: float
    fsync_ms: float
    cycle_ms: float
    devices_up: Count
    devices_known: Count
    clock_quality: Code = 0
    clock_error_ms: float | None = None


class TelemetryBatch(msgspec.Struct, array_like=True):
    """All that one cycle of a node has read. `boot_id` tells process lives apart, `monotonic_s` orders within one."""

    version: int = WIRE_VERSION
    cycle: Count = 0
    sampled_at_ms: Millis = 0
    monotonic_s: Seconds = 0.0
    boot_id: str = ""
    clock_quality: Code = 0
    miners: MinerTable = msgspec.field(default_factory=MinerTable)
    boards: BoardTable = msgspec.field(default_factory=BoardTable)
    meters: MeterTable = msgspec.field(default_factory=MeterTable)
    outlets: OutletTable = msgspec.field(default_factory=OutletTable)
    host: HostSample | None = None

    def sample_count(self) -> int:
        """Rows over all tables: what a receipt promises to have stored."""
        tables = (self.miners, self.boards, self.meters, self.outlets)
        return sum(len(table.device_id) for table in tables) + (self.host is not None)


def lengths_agree(batch: TelemetryBatch) -> bool:
    """Has every table columns of one length? A batch that has not is refused whole."""
    return all(
        len({len(column) for column in msgspec.structs.astuple(table)}) == 1
        for table in (batch.miners, batch.boards, batch.meters, batch.outlets)
    )
