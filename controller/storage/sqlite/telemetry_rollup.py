"""Roll-ups: five minutes from samples, one hour from those; right for late rows, however late.

A bucket is computed anew from its source. Once the source is deleted (below the horizon) that is impossible, so what
still arrives there is added to the roll-up and deleted in the same transaction. Sums and counts make both exact.
"""

import sqlite3
from functools import cache
from typing import NamedTuple

from controller.storage.sqlite.telemetry_table import TABLES, SampleTable, quoted


class Level(NamedTuple):
    """A roll-up: its number, the suffix of its tables and the width of a bucket."""

    number: int
    suffix: str
    width_ms: int

    def start(self, at_ms: int) -> int:
        return at_ms // self.width_ms * self.width_ms


FIVE_MINUTES = Level(1, "5min", 300_000)
ONE_HOUR = Level(2, "1h", 3_600_000)
LEVELS = {level.number: level for level in (FIVE_MINUTES, ONE_HOUR)}


class Bucket(NamedTuple):
    site: str
    kind: str
    level: int
    bucket_ms: int


def dirty_buckets(connection: sqlite3.Connection, before_ms: int, limit: int) -> list[Bucket]:
    """Buckets that ended before `before_ms` and whose roll-up is behind, oldest first."""
    rows = connection.execute(
        "SELECT site, kind, level, bucket_ms FROM dirty"
        " WHERE bucket_ms + CASE level WHEN 1 THEN ? ELSE ? END <= ? ORDER BY level, bucket_ms LIMIT ?",
        (FIVE_MINUTES.width_ms, ONE_HOUR.width_ms, before_ms, limit),
    )
    return [Bucket(*row) for row in rows]


def roll_up(connection: sqlite3.Connection, bucket: Bucket) -> None:
    """Bring one bucket up to date, and note that the next level has to follow."""
    level = LEVELS[bucket.level]
    late = bucket.bucket_ms < horizon_ms(connection, bucket.site, bucket.kind, level)
    parameters = {
        "site": bucket.site,
        "kind": bucket.kind,
        "from": bucket.bucket_ms,
        "to": bucket.bucket_ms + level.width_ms,
    }
    connection.execute(_roll_statement(bucket.kind, level, late), parameters)
    if late:
        connection.execute(_delete_statement(bucket.kind, level), parameters)
    connection.execute("DELETE FROM dirty WHERE (site, kind, level, bucket_ms) = (?, ?, ?, ?)", bucket)
    if level is FIVE_MINUTES:
        connection.execute(
            "INSERT INTO dirty (site, kind, level, bucket_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (bucket.site, bucket.kind, ONE_HOUR.number, ONE_HOUR.start(bucket.bucket_ms)),
        )


def seal(connection: sqlite3.Connection, bucket: Bucket) -> int:
    """Delete what a bucket was made of, after a last look at it; the number of rows deleted."""
    level = LEVELS[bucket.level]
    behind = connection.execute(
        "SELECT 1 FROM dirty WHERE (site, kind, level, bucket_ms) = (?, ?, ?, ?)", bucket
    ).fetchone()
    if behind:
        roll_up(connection, bucket)
    end_ms = bucket.bucket_ms + level.width_ms
    deleted = connection.execute(
        _delete_statement(bucket.kind, level),
        {"site": bucket.site, "kind": bucket.kind, "from": bucket.bucket_ms, "to": end_ms},
    ).rowcount
    connection.execute(
        "INSERT INTO horizon VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET before_ms = max(before_ms, excluded.before_ms)",
        (bucket.site, bucket.kind, bucket.level, end_ms),
    )
    return deleted


def horizon_ms(connection: sqlite3.Connection, site: str, kind: str, level: Level) -> int:
    """Before this, the source of the level's roll-ups is deleted; 0 while all is there."""
    row = connection.execute(
        "SELECT before_ms FROM horizon WHERE site = ? AND kind = ? AND level = ?", (site, kind, level.number)
    ).fetchone()
    return row[0] if row else 0


def oldest_source_ms(connection: sqlite3.Connection, site: str, kind: str, level: Level) -> int | None:
    """Time of the oldest row that a level is made of."""
    source, at = source_of(TABLES[kind], level)
    row = connection.execute(
        f"SELECT min((SELECT min({at}) FROM {source} s WHERE s.device_no = d.device_no))"  # noqa: S608 # our names
        " FROM device d WHERE site = ? AND kind = ?",
        (site, kind),
    ).fetchone()
    oldest: int | None = row[0]
    return oldest


def source_of(table: SampleTable, level: Level) -> tuple[str, str]:
    """The table that a level is made of, and its column of time."""
    if level is FIVE_MINUTES:
        return table.samples, "observed_at_ms"
    return f"{table.kind}_{FIVE_MINUTES.suffix}", "bucket_ms"


@cache
def _roll_statement(kind: str, level: Level, late: bool) -> str:
    """Computes one bucket of all devices of a site; a late one is added to what stands there."""
    table = TABLES[kind]
    source, at = source_of(table, level)
    part = table.part_expression if level is FIVE_MINUTES else "part"
    names = [quoted(f"{field}_{figure}") for field in table.rolled for figure in ("n", "sum", "min", "max")]
    figures = [figure for field in table.rolled for figure in _figures(table, level, field)]
    updates = [update for field in table.rolled for update in _updates(field, late)]
    return (
        f"INSERT INTO {kind}_{level.suffix} (device_no, part, bucket_ms, {', '.join(names)})"  # noqa: S608 # our names
        f" SELECT s.device_no, {part}, :from, {', '.join(figures)}"
        f" FROM device d CROSS JOIN {source} s ON s.device_no = d.device_no AND s.{at} >= :from AND s.{at} < :to"
        f" WHERE d.site = :site AND d.kind = :kind GROUP BY 1, 2"
        f" ON CONFLICT (device_no, bucket_ms, part) DO UPDATE SET {', '.join(updates)}"
    )


def _figures(table: SampleTable, level: Level, field: str) -> tuple[str, str, str, str]:
    if level is FIVE_MINUTES:
        usable = f"FILTER (WHERE {table.usable(field)})"
        name = quoted(field)
        return f"count({name}) {usable}", f"sum({name}) {usable}", f"min({name}) {usable}", f"max({name}) {usable}"
    return f'sum("{field}_n")', f'sum("{field}_sum")', f'min("{field}_min")', f'max("{field}_max")'


def _updates(field: str, late: bool) -> tuple[str, str, str, str]:
    names = {figure: quoted(f"{field}_{figure}") for figure in ("n", "sum", "min", "max")}
    if not late:
        n, total, least, greatest = (f"{name} = excluded.{name}" for name in names.values())
        return n, total, least, greatest

    def either(function: str, name: str) -> str:
        return f"{name} = {function}(coalesce({name}, excluded.{name}), coalesce(excluded.{name}, {name}))"

    n, total = names["n"], names["sum"]
    added = (
        f"{total} = CASE WHEN {total} IS NULL THEN excluded.{total} ELSE {total} + coalesce(excluded.{total}, 0) END"
    )
    return f"{n} = {n} + excluded.{n}", added, either("min", names["min"]), either("max", names["max"])


@cache
def _delete_statement(kind: str, level: Level) -> str:
    source, at = source_of(TABLES[kind], level)
    key = "rowid" if level is FIVE_MINUTES else "(device_no, bucket_ms, part)"
    key_of_source = "s.rowid" if level is FIVE_MINUTES else "s.device_no, s.bucket_ms, s.part"
    return (
        f"DELETE FROM {source} WHERE {key} IN (SELECT {key_of_source}"  # noqa: S608 # our names
        f" FROM device d CROSS JOIN {source} s ON s.device_no = d.device_no AND s.{at} >= :from AND s.{at} < :to"
        " WHERE d.site = :site AND d.kind = :kind)"
    )
