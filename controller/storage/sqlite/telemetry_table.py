"""The sample tables: which columns of the wire go where, and the statements for it.

Every name in these statements is a word of ours, from the wire's field lists; values only ever come as parameters.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from shared.quality import QUALITY_BITS, QUALITY_MASK, USABLE
from shared.wire.telemetry import (
    BOARD_FIELDS,
    METER_FIELDS,
    MINER_FIELDS,
    OUTLET_FIELDS,
    BoardTable,
    HostSample,
    MeterTable,
    MinerTable,
    OutletTable,
    TelemetryBatch,
)

Table = MinerTable | BoardTable | MeterTable | OutletTable
CHUNK_ROWS = 50  # rows a statement: the interpreter lock is let go once a statement, not once a row


def quoted(name: str) -> str:
    return f'"{name}"'


class SampleTable(NamedTuple):
    """`part` is the column that tells the outlets or boards of one device apart; `rolled` are the fields kept as
    roll-ups for longer than the samples; `fields` is the order in which `quality` packs them.
    """

    kind: str
    wire: type[Table]
    attribute: str
    fields: tuple[str, ...]
    rolled: tuple[str, ...]
    part: str | None = None

    @property
    def samples(self) -> str:
        return f"{self.kind}_sample"

    @property
    def columns(self) -> tuple[str, ...]:
        """As on the wire, without `device_id`."""
        return self.wire.__struct_fields__[1:]

    @property
    def part_expression(self) -> str:
        return self.part or "0"

    def of(self, batch: TelemetryBatch) -> Table:
        table: Table = attrgetter(self.attribute)(batch)
        return table

    def usable(self, field: str) -> str:
        """SQL that is true where the quality of `field` lets a rule act on it."""
        shift = QUALITY_BITS * self.fields.index(field)
        wanted = ", ".join(str(int(quality)) for quality in sorted(USABLE))
        return f"((quality >> {shift}) & {QUALITY_MASK}) IN ({wanted})"

    def insert(self, rows: int) -> str:
        names = ", ".join(("device_no", "lane_no", "seq", *map(quoted, self.columns)))
        row = "(" + ", ".join("?" * (3 + len(self.columns))) + ")"
        return f"INSERT INTO {self.samples} ({names}) VALUES {', '.join([row] * rows)}"  # noqa: S608 # our names


MINER = SampleTable(
    "miner",
    MinerTable,
    "miners",
    MINER_FIELDS,
    (
        "hashrate_ths",
        "hashrate_expected_ths",
        "power_w",
        "chip_temp_c",
        "board_temp_c",
        "inlet_temp_c",
        "fan_rpm",
        "accepted_shares",
        "rejected_shares",
        "hardware_errors",
    ),
)
BOARD = SampleTable(
    "board",
    BoardTable,
    "boards",
    BOARD_FIELDS,
    ("hashrate_ths", "chip_temp_c", "board_temp_c", "hardware_errors"),
    part="slot",
)
METER = SampleTable("meter", MeterTable, "meters", METER_FIELDS, METER_FIELDS)
OUTLET = SampleTable(
    "outlet", OutletTable, "outlets", OUTLET_FIELDS, ("power_w", "current_a", "energy_wh"), part="outlet"
)
TABLES = {table.kind: table for table in (MINER, BOARD, METER, OUTLET)}

_INSERTS = {(kind, rows): table.insert(rows) for kind, table in TABLES.items() for rows in (1, CHUNK_ROWS)}
HOST_COLUMNS = HostSample.__struct_fields__
INSERT_HOST = (
    f"INSERT INTO host_sample (lane_no, seq, {', '.join(HOST_COLUMNS)})"  # noqa: S608 # our names
    f" VALUES ({', '.join('?' * (2 + len(HOST_COLUMNS)))})"
)


def statements(
    table: SampleTable, device_nos: Sequence[int], lane_no: int, seq: int, columns: Table
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Insert statements with their parameters for all rows of one table of one record."""
    count = len(device_nos)
    rows = zip(device_nos, repeat(lane_no), repeat(seq), *msgspec.structs.astuple(columns)[1:], strict=False)
    for _ in range(count // CHUNK_ROWS):
        chunk = [next(rows) for _ in range(CHUNK_ROWS)]
        yield _INSERTS[table.kind, CHUNK_ROWS], list(chain.from_iterable(chunk))
    for row in rows:
        yield _INSERTS[table.kind, 1], row
