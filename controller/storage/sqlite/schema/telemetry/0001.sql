-- Telemetry as it came, what was made of it, and the books that prove that nothing is missing or double.

-- A lane is one epoch of one node's spool. `mark`: all numbers up to it are stored or covered by a gap. `announced`:
-- the highest that the node spoke of. `retired_at_ms`: when the node turned to another epoch.
CREATE TABLE lane (
    lane_no INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    epoch TEXT NOT NULL,
    mark INTEGER NOT NULL DEFAULT 0,
    announced INTEGER NOT NULL DEFAULT 0,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    retired_at_ms INTEGER,
    UNIQUE (site, node, epoch)
) STRICT;

-- Ranges that are accounted for above the mark.
CREATE TABLE lane_ahead (
    lane_no INTEGER NOT NULL REFERENCES lane (lane_no),
    from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL,
    PRIMARY KEY (lane_no, from_seq)
) STRICT, WITHOUT ROWID;

-- The gap ledger: records that will never come, and why.
CREATE TABLE gap (
    gap_no INTEGER PRIMARY KEY,
    lane_no INTEGER NOT NULL REFERENCES lane (lane_no),
    from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL,
    samples INTEGER,
    reason TEXT NOT NULL,
    first_ms INTEGER,
    last_ms INTEGER,
    recorded_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX gap_lane ON gap (lane_no, gap_no);

-- Events, results, inventories and gaps for their consumers; deleted when taken. Numbers are never used twice.
CREATE TABLE inbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    epoch TEXT NOT NULL,
    seq INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- Frames that nobody understood. With `epoch`, every byte of an accepted record; without, the start of some garbage.
CREATE TABLE quarantine (
    quarantine_no INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    topic TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    epoch TEXT,
    seq INTEGER,
    payload BLOB NOT NULL
) STRICT;

CREATE TABLE device (
    device_no INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    kind TEXT NOT NULL,
    device_id TEXT NOT NULL,
    UNIQUE (site, kind, device_id)
) STRICT;

-- Samples in the order of arrival; (lane_no, seq) is the record that each came in. `quality` packs four bits a field.
CREATE TABLE miner_sample (
    device_no INTEGER NOT NULL,
    lane_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    observed_at_ms INTEGER NOT NULL,
    reach INTEGER NOT NULL,
    op_state INTEGER NOT NULL,
    power_source INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    hashrate_ths REAL,
    hashrate_expected_ths REAL,
    power_w REAL,
    power_limit_w REAL,
    chip_temp_c REAL,
    board_temp_c REAL,
    inlet_temp_c REAL,
    fan_rpm REAL,
    uptime_s INTEGER,
    mining_uptime_s INTEGER,
    accepted_shares INTEGER,
    rejected_shares INTEGER,
    hardware_errors INTEGER,
    boards_hashing INTEGER,
    boards_expected INTEGER
) STRICT;
CREATE INDEX miner_sample_at ON miner_sample (device_no, observed_at_ms);

CREATE TABLE board_sample (
    device_no INTEGER NOT NULL,
    lane_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    observed_at_ms INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    hashrate_ths REAL,
    hashrate_expected_ths REAL,
    chip_temp_c REAL,
    board_temp_c REAL,
    chips_good INTEGER,
    chips_expected INTEGER,
    frequency_mhz REAL,
    hardware_errors INTEGER
) STRICT;
CREATE INDEX board_sample_at ON board_sample (device_no, observed_at_ms);

CREATE TABLE meter_sample (
    device_no INTEGER NOT NULL,
    lane_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    observed_at_ms INTEGER NOT NULL,
    reach INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    power_w REAL,
    power_l1_w REAL,
    power_l2_w REAL,
    power_l3_w REAL,
    voltage_l1_v REAL,
    voltage_l2_v REAL,
    voltage_l3_v REAL,
    current_l1_a REAL,
    current_l2_a REAL,
    current_l3_a REAL,
    power_factor REAL,
    frequency_hz REAL,
    energy_import_wh REAL,
    energy_export_wh REAL
) STRICT;
CREATE INDEX meter_sample_at ON meter_sample (device_no, observed_at_ms);

CREATE TABLE outlet_sample (
    device_no INTEGER NOT NULL,
    lane_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    outlet INTEGER NOT NULL,
    observed_at_ms INTEGER NOT NULL,
    reach INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    "on" INTEGER,
    power_w REAL,
    current_a REAL,
    voltage_v REAL,
    energy_wh REAL
) STRICT;
CREATE INDEX outlet_sample_at ON outlet_sample (device_no, observed_at_ms);

CREATE TABLE host_sample (
    lane_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    observed_at_ms INTEGER NOT NULL,
    cpu_pct REAL NOT NULL,
    memory_pct REAL NOT NULL,
    rss_mb REAL NOT NULL,
    disk_free_mb REAL NOT NULL,
    spool_rows INTEGER NOT NULL,
    spool_oldest_s REAL NOT NULL,
    loop_lag_ms REAL NOT NULL,
    fsync_ms REAL NOT NULL,
    cycle_ms REAL NOT NULL,
    devices_up INTEGER NOT NULL,
    devices_known INTEGER NOT NULL,
    clock_quality INTEGER NOT NULL,
    clock_error_ms REAL
) STRICT;
CREATE INDEX host_sample_at ON host_sample (lane_no, observed_at_ms);

-- Roll-ups: number, sum, least and greatest of the usable values of a bucket. `part` is the outlet, the slot, or 0.
CREATE TABLE miner_5min (
    device_no INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bucket_ms INTEGER NOT NULL,
    hashrate_ths_n INTEGER NOT NULL,
    hashrate_ths_sum REAL, hashrate_ths_min REAL, hashrate_ths_max REAL,
    hashrate_expected_ths_n INTEGER NOT NULL,
    hashrate_expected_ths_sum REAL, hashrate_expected_ths_min REAL, hashrate_expected_ths_max REAL,
    power_w_n INTEGER NOT NULL,
    power_w_sum REAL, power_w_min REAL, power_w_max REAL,
    chip_temp_c_n INTEGER NOT NULL,
    chip_temp_c_sum REAL, chip_temp_c_min REAL, chip_temp_c_max REAL,
    board_temp_c_n INTEGER NOT NULL,
    board_temp_c_sum REAL, board_temp_c_min REAL, board_temp_c_max REAL,
    inlet_temp_c_n INTEGER NOT NULL,
    inlet_temp_c_sum REAL, inlet_temp_c_min REAL, inlet_temp_c_max REAL,
    fan_rpm_n INTEGER NOT NULL,
    fan_rpm_sum REAL, fan_rpm_min REAL, fan_rpm_max REAL,
    accepted_shares_n INTEGER NOT NULL,
    accepted_shares_sum REAL, accepted_shares_min REAL, accepted_shares_max REAL,
    rejected_shares_n INTEGER NOT NULL,
    rejected_shares_sum REAL, rejected_shares_min REAL, rejected_shares_max REAL,
    hardware_errors_n INTEGER NOT NULL,
    hardware_errors_sum REAL, hardware_errors_min REAL, hardware_errors_max REAL,
    PRIMARY KEY (device_no, bucket_ms, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE miner_1h (
    device_no INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bucket_ms INTEGER NOT NULL,
    hashrate_ths_n INTEGER NOT NULL,
    hashrate_ths_sum REAL, hashrate_ths_min REAL, hashrate_ths_max REAL,
    hashrate_expected_ths_n INTEGER NOT NULL,
    hashrate_expected_ths_sum REAL, hashrate_expected_ths_min REAL, hashrate_expected_ths_max REAL,
    power_w_n INTEGER NOT NULL,
    power_w_sum REAL, power_w_min REAL, power_w_max REAL,
    chip_temp_c_n INTEGER NOT NULL,
    chip_temp_c_sum REAL, chip_temp_c_min REAL, chip_temp_c_max REAL,
    board_temp_c_n INTEGER NOT NULL,
    board_temp_c_sum REAL, board_temp_c_min REAL, board_temp_c_max REAL,
    inlet_temp_c_n INTEGER NOT NULL,
    inlet_temp_c_sum REAL, inlet_temp_c_min REAL, inlet_temp_c_max REAL,
    fan_rpm_n INTEGER NOT NULL,
    fan_rpm_sum REAL, fan_rpm_min REAL, fan_rpm_max REAL,
    accepted_shares_n INTEGER NOT NULL,
    accepted_shares_sum REAL, accepted_shares_min REAL, accepted_shares_max REAL,
    rejected_shares_n INTEGER NOT NULL,
    rejected_shares_sum REAL, rejected_shares_min REAL, rejected_shares_max REAL,
    hardware_errors_n INTEGER NOT NULL,
    hardware_errors_sum REAL, hardware_errors_min REAL, hardware_errors_max REAL,
    PRIMARY KEY (device_no, bucket_ms, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE board_5min (
    device_no INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bucket_ms INTEGER NOT NULL,
    hashrate_ths_n INTEGER NOT NULL,
    hashrate_ths_sum REAL, hashrate_ths_min REAL, hashrate_ths_max REAL,
    chip_temp_c_n INTEGER NOT NULL,
    chip_temp_c_sum REAL, chip_temp_c_min REAL, chip_temp_c_max REAL,
    board_temp_c_n INTEGER NOT NULL,
    board_temp_c_sum REAL, board_temp_c_min REAL, board_temp_c_max REAL,
    hardware_errors_n INTEGER NOT NULL,
    hardware_errors_sum REAL, hardware_errors_min REAL, hardware_errors_max REAL,
    PRIMARY KEY (device_no, bucket_ms, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE board_1h (
    device_no INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bucket_ms INTEGER NOT NULL,
    hashrate_ths_n INTEGER NOT NULL,
    hashrate_ths_sum REAL, hashrate_ths_min REAL, hashrate_ths_max REAL,
    chip_temp_c_n INTEGER NOT NULL,
    chip_temp_c_sum REAL, chip_temp_c_min REAL, chip_temp_c_max REAL,
    board_temp_c_n INTEGER NOT NULL,
    board_temp_c_sum REAL, board_temp_c_min REAL, board_temp_c_max REAL,
    hardware_errors_n INTEGER NOT NULL,
    hardware_errors_sum REAL, hardware_errors_min REAL, hardware_errors_max REAL,
    PRIMARY KEY (device_no, bucket_ms, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE meter_5min (
    device_no INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bucket_ms INTEGER NOT NULL,
    power_w_n INTEGER NOT NULL,
    power_w_sum REAL, power_w_min REAL, power_w_max REAL,
    power_l1_w_n INTEGER NOT NULL,
    power_l1_w_sum REAL, power_l1_w_min REAL, power_l1_w_max REAL,
    power_l2_w_n INTEGER NOT NULL,
    power_l2_w_sum REAL, power_l2_w_min REAL, power_l2_w_max REAL,
    power_l3_w_n INTEGER NOT NULL,
    power_l3_w_sum REAL, power_l3_w_min REAL, power_l3_w_max REAL,
    voltage_l1_v_n INTEGER NOT NULL,
    voltage_l1_v_sum REAL, voltage_l1_v_min REAL, voltage_l1_v_max REAL,
    voltage_l2_v_n INTEGER NOT NULL,
    voltage_l2_v_sum REAL, voltage_l2_v_min REAL, voltage_l2_v_max REAL,
    voltage_l3_v_n INTEGER NOT NULL,
    voltage_l3_v_sum REAL, voltage_l3_v_min REAL, voltage_l3_v_max REAL,
    current_l1_a_n INTEGER NOT NULL,
    current_l1_a_sum REAL, current_l1_a_min REAL, current_l1_a_max REAL,
    current_l2_a_n INTEGER NOT NULL,
    current_l2_a_sum REAL, current_l2_a_min REAL, current_l2_a_max REAL,
    current_l3_a_n INTEGER NOT NULL,
    current_l3_a_sum REAL, current_l3_a_min REAL, current_l3_a_max REAL,
    power_factor_n INTEGER NOT NULL,
    power_factor_sum REAL, power_factor_min REAL, power_factor_max REAL,
    frequency_hz_n INTEGER NOT NULL,
    frequency_hz_sum REAL, frequency_hz_min REAL, frequency_hz_max REAL,
    energy_import_wh_n INTEGER NOT NULL,
    energy_import_wh_sum REAL, energy_import_wh_min REAL, energy_import_wh_max REAL,
    energy_export_wh_n INTEGER NOT NULL,
    energy_export_wh_sum REAL, energy_export_wh_min REAL, energy_export_wh_max REAL,
    PRIMARY KEY (device_no, bucket_ms, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE meter_1h (
    device_no INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bucket_ms INTEGER NOT NULL,
    power_w_n INTEGER NOT NULL,
    power_w_sum REAL, power_w_min REAL, power_w_max REAL,
    power_l1_w_n INTEGER NOT NULL,
    power_l1_w_sum REAL, power_l1_w_min REAL, power_l1_w_max REAL,
    power_l2_w_n INTEGER NOT NULL,
    power_l2_w_sum REAL, power_l2_w_min REAL, power_l2_w_max REAL,
    power_l3_w_n INTEGER NOT NULL,
    power_l3_w_sum REAL, power_l3_w_min REAL, power_l3_w_max REAL,
    voltage_l1_v_n INTEGER NOT NULL,
    voltage_l1_v_sum REAL, voltage_l1_v_min REAL, voltage_l1_v_max REAL,
    voltage_l2_v_n INTEGER NOT NULL,
    voltage_l2_v_sum REAL, voltage_l2_v_min REAL, voltage_l2_v_max REAL,
    voltage_l3_v_n INTEGER NOT NULL,
    voltage_l3_v_sum REAL, voltage_l3_v_min REAL, voltage_l3_v_max REAL,
    current_l1_a_n INTEGER NOT NULL,
    current_l1_a_sum REAL, current_l1_a_min REAL, current_l1_a_max REAL,
    current_l2_a_n INTEGER NOT NULL,
    current_l2_a_sum REAL, current_l2_a_min REAL, current_l2_a_max REAL,
    current_l3_a_n INTEGER NOT NULL,
    current_l3_a_sum REAL, current_l3_a_min REAL, current_l3_a_max REAL,
    power_factor_n INTEGER NOT NULL,
    power_factor_sum REAL, power_factor_min REAL, power_factor_max REAL,
    frequency_hz_n INTEGER NOT NULL,
    frequency_hz_sum REAL, frequency_hz_min REAL, frequency_hz_max REAL,
    energy_import_wh_n INTEGER NOT NULL,
    energy_import_wh_sum REAL, energy_import_wh_min REAL, energy_import_wh_max REAL,
    energy_export_wh_n INTEGER NOT NULL,
    energy_export_wh_sum REAL, energy_export_wh_min REAL, energy_export_wh_max REAL,
    PRIMARY KEY (device_no, bucket_ms, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE outlet_5min (
    device_no INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bucket_ms INTEGER NOT NULL,
    power_w_n INTEGER NOT NULL,
    power_w_sum REAL, power_w_min REAL, power_w_max REAL,
    current_a_n INTEGER NOT NULL,
    current_a_sum REAL, current_a_min REAL, current_a_max REAL,
    energy_wh_n INTEGER NOT NULL,
    energy_wh_sum REAL, energy_wh_min REAL, energy_wh_max REAL,
    PRIMARY KEY (device_no, bucket_ms, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE outlet_1h (
    device_no INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bucket_ms INTEGER NOT NULL,
    power_w_n INTEGER NOT NULL,
    power_w_sum REAL, power_w_min REAL, power_w_max REAL,
    current_a_n INTEGER NOT NULL,
    current_a_sum REAL, current_a_min REAL, current_a_max REAL,
    energy_wh_n INTEGER NOT NULL,
    energy_wh_sum REAL, energy_wh_min REAL, energy_wh_max REAL,
    PRIMARY KEY (device_no, bucket_ms, part)
) STRICT, WITHOUT ROWID;

-- Buckets whose roll-up does not count all that was stored. `level` 1: five minutes, from samples; 2: one hour, from 1.
CREATE TABLE dirty (
    site TEXT NOT NULL,
    kind TEXT NOT NULL,
    level INTEGER NOT NULL,
    bucket_ms INTEGER NOT NULL,
    PRIMARY KEY (site, kind, level, bucket_ms)
) STRICT, WITHOUT ROWID;

-- What a roll-up was made of is deleted before this time; what comes later is added to the roll-up and deleted at once.
CREATE TABLE horizon (
    site TEXT NOT NULL,
    kind TEXT NOT NULL,
    level INTEGER NOT NULL,
    before_ms INTEGER NOT NULL,
    PRIMARY KEY (site, kind, level)
) STRICT, WITHOUT ROWID;
