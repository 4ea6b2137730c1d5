"""SQL that reads values over time, whether they still are samples or already roll-ups.

The source follows from the step. Where a roll-up is behind, what it is made of is read instead; where that source is
partly deleted, both are, because then they do not overlap (see telemetry_rollup). So an answer always counts every
stored sample exactly once.
"""

from functools import cache
from typing import Final

from controller.storage.sqlite.telemetry_rollup import FIVE_MINUTES, ONE_HOUR, Level
from controller.storage.sqlite.telemetry_table import TABLES, SampleTable, quoted

STEPS_MS: Final = (10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 21_600_000, 86_400_000)

_CHOSEN_DEVICE = "SELECT device_no FROM device WHERE site = :site AND kind = :kind AND device_id = :device_id"
_CHOSEN_SITE = "SELECT device_no FROM device WHERE site = :site AND kind = :kind"
_COMMON = """
    behind(bucket_ms) AS (
        SELECT bucket_ms FROM dirty WHERE site = :site AND kind = :kind AND level = 1
        AND bucket_ms >= :from AND bucket_ms < :to
    ),
    behind_hour(bucket_ms) AS (
        SELECT bucket_ms FROM dirty WHERE site = :site AND kind = :kind AND level = 2
        AND bucket_ms >= :from AND bucket_ms < :to
        UNION SELECT bucket_ms / 3600000 * 3600000 FROM behind
    ),
    deleted(level, before_ms) AS (SELECT level, before_ms FROM horizon WHERE site = :site AND kind = :kind)
"""
_IS_OF_A_BEHIND_HOUR = "r.bucket_ms / 3600000 * 3600000 IN (SELECT bucket_ms FROM behind_hour)"
_IS_PARTLY_DELETED = "r.bucket_ms < coalesce((SELECT before_ms FROM deleted WHERE level = {level}), 0)"


def level_for(step_ms: int) -> Level | None:
    """The coarsest roll-up that the step is a multiple of; None for samples."""
    if step_ms % ONE_HOUR.width_ms == 0:
        return ONE_HOUR
    return FIVE_MINUTES if step_ms % FIVE_MINUTES.width_ms == 0 else None


@cache
def device_query(kind: str, field: str, level: Level | None) -> str:
    """(start_ms, least, mean, greatest) a bucket of one device and part."""
    return (
        f"WITH chosen(device_no) AS ({_CHOSEN_DEVICE}), {_COMMON}"  # noqa: S608 # our names
        f" SELECT start_ms, min(low), sum(total) / sum(n), max(high) FROM ({_pieces(TABLES[kind], field, level)})"
        " WHERE part = :part AND n > 0 GROUP BY start_ms ORDER BY start_ms"
    )


@cache
def site_query(kind: str, field: str, level: Level | None) -> str:
    """(start_ms, sum of the devices' means, number of devices and parts) a bucket."""
    return (
        f"WITH chosen(device_no) AS ({_CHOSEN_SITE}), {_COMMON}"  # noqa: S608 # our names
        " SELECT start_ms, sum(mean), count(*) FROM (SELECT start_ms, sum(total) / sum(n) AS mean"
        f" FROM ({_pieces(TABLES[kind], field, level)}) WHERE n > 0 GROUP BY device_no, part, start_ms)"
        " GROUP BY start_ms ORDER BY start_ms"
    )


def _pieces(table: SampleTable, field: str, level: Level | None) -> str:
    """Rows (device_no, part, start_ms, n, total, low, high) that together count every sample once."""
    if level is None:
        return _samples(table, field, "chosen", ":from", ":to")
    behind = _samples(
        table, field, "chosen CROSS JOIN behind b", "b.bucket_ms", f"b.bucket_ms + {FIVE_MINUTES.width_ms}"
    )
    five_minutes = _rolled(table, field, FIVE_MINUTES, "behind")
    if level is FIVE_MINUTES:
        return f"{five_minutes} UNION ALL {behind}"
    hours = _rolled(table, field, ONE_HOUR, "behind_hour")
    return f"{hours} UNION ALL {five_minutes} AND {_IS_OF_A_BEHIND_HOUR} UNION ALL {behind}"


def _samples(table: SampleTable, field: str, chosen: str, start: str, end: str) -> str:
    name = quoted(field)
    return (
        f"SELECT s.device_no, {table.part_expression} AS part, s.observed_at_ms / :step * :step AS start_ms,"  # noqa: S608
        f" count({name}) AS n, sum({name}) AS total, min({name}) AS low, max({name}) AS high"
        f" FROM {chosen} CROSS JOIN {table.samples} s ON s.device_no = chosen.device_no"
        f" AND s.observed_at_ms >= {start} AND s.observed_at_ms < {end}"
        f" WHERE {table.usable(field)} AND {name} IS NOT NULL GROUP BY 1, 2, 3"
    )


def _rolled(table: SampleTable, field: str, level: Level, behind: str) -> str:
    partly_deleted = _IS_PARTLY_DELETED.format(level=level.number)
    return (
        f'SELECT r.device_no, r.part, r.bucket_ms / :step * :step AS start_ms, r."{field}_n" AS n,'  # noqa: S608
        f' r."{field}_sum" AS total, r."{field}_min" AS low, r."{field}_max" AS high'
        f" FROM chosen CROSS JOIN {table.kind}_{level.suffix} r ON r.device_no = chosen.device_no"
        " AND r.bucket_ms >= :from AND r.bucket_ms < :to"
        f" WHERE (r.bucket_ms NOT IN (SELECT bucket_ms FROM {behind}) OR {partly_deleted})"
    )
