"""How many samples a second the controller takes in, as the process that operators run: broker, decoding, exactly-once
books, SQLite with fsync, signed receipts, and beside them the twin, the roll-ups, dispatch and the web server. A sample
counts when its node holds the receipt. Beside it what the same disk does with bare rows.

Nodes are processes of their own and send what agents send: their inventory, then the backlog of a link that was down,
in records of some hundred samples. These are packed before the start, so dispatch finds all miners stale.
"""

import json
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec

from benchmarks.ingest_books import read_books, stored_once
from benchmarks.ingest_node import SITE
from benchmarks.options import Options
from benchmarks.process import Child, bes
from benchmarks.site_load import site_batch
from hardware_sims.broker import Mosquitto, free_port
from shared.errors import GatewayUnavailable, SettingInvalid

NAME = "ingest"
SETTINGS = ("seconds", "nodes", "miners", "samples", "folder")
_PACED_S = 5.0
_PACED_RECORDS_PER_S = 10.0
_CYCLES_PER_S = 5
_YARDSTICK_GROUP = 100  # records a transaction: more than ingest has, so the yardstick pays for fewer fsyncs


class Load(msgspec.Struct, frozen=True):
    """`miners` of each node, `samples` of each record, as many `cycles` of five seconds as are sent at most."""

    nodes: int
    miners: int
    samples: int
    cycles: int


def run(options: Options) -> dict[str, object]:
    """Keys `samples_per_s receipt_p50_ms receipt_p99_ms cpu_us_per_sample bare_rows_per_s share_of_bare stored_once`.

    First every node sends as fast as its window allows, for so long that the roll-ups run meanwhile; then at a pace,
    as only then a receipt's delay has a meaning. `cpu_us_per_sample` is all that the controller's process used.

    Set `nodes`, `miners` (of each node), `samples` (of each record), `seconds`, `folder` (on the disk in question).
    """
    seconds = options.number("seconds", 45.0, 2.0)
    load = Load(
        nodes=options.number("nodes", 2, 1, least=1),
        miners=options.number("miners", 5000, 400, least=1),
        samples=options.number("samples", 200, 200, least=1),
        cycles=math.ceil((seconds + _PACED_S) * _CYCLES_PER_S),
    )
    place = options.word("folder", tempfile.gettempdir())
    if not Path(place).is_dir():
        raise SettingInvalid(f"--set folder={place}: no such folder")
    with tempfile.TemporaryDirectory(prefix="bes-ingest-", dir=place) as name:
        folder = Path(name)
        bare = _bare_rows_per_s(folder / "bare.db", load.samples, min(seconds, 3.0))
        result, seen = _measured(folder, load, seconds)
    taken = result["samples_per_s"]
    assert isinstance(taken, int)
    conditions = {
        "process": "bes controller with twin, roll-ups, dispatch (blind: all samples are old) and web server",
        "nodes": load.nodes,
        "miners": load.nodes * load.miners,
        "samples_a_record": load.samples,
        "sent_for_s": seconds,
        "paced_records_per_s": load.nodes * _PACED_RECORDS_PER_S,
    }
    return {
        **result,
        "bare_rows_per_s": round(bare),
        "share_of_bare": round(taken / bare, 2),
        "conditions": conditions | seen,
    }


def _measured(folder: Path, load: Load, seconds: float) -> tuple[dict[str, object], dict[str, object]]:
    """The figures, and what the controller knew and rolled up."""
    state = folder / "controller"
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto())
        config = folder / "controller.toml"
        config.write_text(_controller_toml(state, broker.port), encoding="utf-8")
        log = folder / "controller.log"
        controller = stack.enter_context(Child(bes("controller", "--config", str(config)), log=log))
        processes = [stack.enter_context(_node(broker.port, number, load)) for number in range(load.nodes)]
        for process in processes:
            _line(process)
        used_s, started_s = controller.cpu_s(), time.monotonic()
        flood = [json.loads(line) for line in _phase(processes, seconds, 0)]
        took_s, used_s = time.monotonic() - started_s, controller.cpu_s() - used_s
        paced = [json.loads(line) for line in _phase(processes, min(seconds, _PACED_S), _PACED_RECORDS_PER_S)]
    books = read_books(state)
    taken = load.samples * sum(report["last"] - report["first"] + 1 for report in flood)
    sent = {f"node-{number}": range(report["first"], report["last"] + 1) for number, report in enumerate(paced)}
    settled = all(report["settled"] for report in (*flood, *paced))
    figures: dict[str, object] = {
        "samples_per_s": round(taken / took_s),
        "receipt_p50_ms": round(max(report["p50_ms"] for report in paced), 1),
        "receipt_p99_ms": round(max(report["p99_ms"] for report in paced), 1),
        "flooded_receipt_p99_ms": round(max(report["p99_ms"] for report in flood), 1),
        "cpu_us_per_sample": round(used_s / taken * 1e6, 1),
        "stored_once": settled and stored_once(books, sent, load.samples),
    }
    return figures, {"devices_known": books.devices, "rollup_rows": books.rolled_up}


def _controller_toml(state: Path, broker_port: int) -> str:
    return f"""\
state_directory = {json.dumps(str(state))}
sites = ["{SITE}"]
log_level = "warning"

[mqtt]
port = {broker_port}

[web]
port = {free_port()}
"""


def _phase(processes: "Sequence[subprocess.Popen[str]]", seconds: float, records_per_s: float) -> list[str]:
    """Let all nodes send at once; what they report."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{seconds} {records_per_s}\n")
        process.stdin.flush()
    return [_line(process) for process in processes]


def _bare_rows_per_s(database: Path, samples: int, seconds: float) -> float:
    """Rows of the same columns into a table without index, books or network: `executemany` and fsync, nothing else."""
    columns = msgspec.structs.astuple(site_batch(0, samples, 0).miners)
    rows = list(zip(range(samples), range(samples), *columns[1:], strict=True))
    placeholders = ", ".join("?" * len(rows[0]))
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"CREATE TABLE bare ({', '.join(f'c{i}' for i in range(len(rows[0])))})")
        stored, started_s = 0, time.monotonic()
        while (took_s := time.monotonic() - started_s) < seconds:
            connection.execute("BEGIN")
            for _ in range(_YARDSTICK_GROUP):
                connection.executemany(f"INSERT INTO bare VALUES ({placeholders})", rows)
            connection.execute("COMMIT")
            stored += _YARDSTICK_GROUP * len(rows)
    return stored / took_s


def _node(port: int, number: int, load: Load) -> "subprocess.Popen[str]":
    miners = (number * load.miners, load.miners, load.samples, load.nodes * load.miners)
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ingest_node", *map(str, (port, f"node-{number}", *miners, load.cycles))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise GatewayUnavailable(f"a node of the benchmark ended with code {process.wait()}")
    return line
