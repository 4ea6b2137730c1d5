"""How many samples a second the controller takes in, with everything that makes them safe: a real broker, decoding,
exactly-once books, SQLite with fsync, signed receipts. Beside it what the same disk does with bare rows.

Nodes are processes of their own and send what agents send: records of some hundred samples of a site's miners.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
from nacl.signing import SigningKey

from benchmarks.ingest_node import SITE
from benchmarks.options import Options
from benchmarks.site_load import site_batch
from controller.gateways.mqtt import MqttGateway
from controller.ingest import Audience, Ingest
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from hardware_sims.broker import Mosquitto
from shared.errors import GatewayUnavailable
from shared.mqtt import Message, MqttSettings

NAME = "ingest"
SETTINGS = ("seconds", "nodes", "miners", "samples", "folder")
_PACED_S = 5.0
_PACED_RECORDS_PER_S = 10.0
_YARDSTICK_GROUP = 100  # records a transaction: more than ingest has, so the yardstick pays for fewer fsyncs


def run(options: Options) -> dict[str, object]:
    """Keys `samples_per_s receipt_p50_ms receipt_p99_ms cpu_us_per_sample bare_rows_per_s share_of_bare stored_once`.

    First every node sends as fast as its window allows; then at a pace, as only then a receipt's delay has a meaning.

    Set `nodes`, `miners` (of each node), `samples` (of each record), `seconds`, `folder` (on the disk in question).
    """
    seconds = options.number("seconds", 15.0, 2.0)
    nodes = options.number("nodes", 2, 1)
    miners = options.number("miners", 5000, 400)
    samples = options.number("samples", 200, 200)
    with tempfile.TemporaryDirectory(prefix="bes-ingest-", dir=options.word("folder", tempfile.gettempdir())) as name:
        folder = Path(name)
        bare = _bare_rows_per_s(folder / "bare.db", samples, min(seconds, 3.0))
        result = asyncio.run(_ingest(folder / "telemetry.db", nodes, miners, samples, seconds))
    taken = result["samples_per_s"]
    assert isinstance(taken, int)
    return {
        **result,
        "bare_rows_per_s": round(bare),
        "share_of_bare": round(taken / bare, 2),
        "conditions": {
            "nodes": nodes,
            "miners": nodes * miners,
            "samples_a_record": samples,
            "sent_for_s": seconds,
            "paced_records_per_s": nodes * _PACED_RECORDS_PER_S,
        },
    }


async def _ingest(database: Path, nodes: int, miners: int, samples: int, seconds: float) -> dict[str, object]:
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto())
        processes = [stack.enter_context(_node(broker.port, n, miners, samples)) for n in range(nodes)]
        async with SqliteTelemetry(database) as store:
            ingest: Ingest

            def deliver(message: Message) -> None:
                ingest.offer(message)

            gateway = MqttGateway(MqttSettings(port=broker.port), "controller", SigningKey.generate(), deliver, [SITE])
            ingest = Ingest(store, gateway, Audience())
            await ingest.start()
            up = threading.Event()
            gateway.session.on_up = up.set
            gateway.start()
            await asyncio.to_thread(up.wait, 10)
            for process in processes:
                await asyncio.to_thread(_line, process)
            cpu_s, started_s = time.process_time(), time.monotonic()
            flood = [json.loads(line) for line in await _phase(processes, seconds, 0)]
            took_s, used_s = time.monotonic() - started_s, time.process_time() - cpu_s
            flooded = store.committer.run(_stored)
            paced = [json.loads(line) for line in await _phase(processes, min(seconds, _PACED_S), _PACED_RECORDS_PER_S)]
            gateway.stop()
            await ingest.stop()
            stored = store.committer.run(_stored)
            counters = ingest.counters
    sent = samples * sum(report["sent"] for report in paced)
    return {
        "samples_per_s": round(flooded / took_s),
        "receipt_p50_ms": round(max(report["p50_ms"] for report in paced), 1),
        "receipt_p99_ms": round(max(report["p99_ms"] for report in paced), 1),
        "flooded_receipt_p99_ms": round(max(report["p99_ms"] for report in flood), 1),
        "cpu_us_per_sample": round(used_s / flooded * 1e6, 1),
        "records_a_commit": round(counters.records / max(counters.groups, 1), 1),
        "stored_once": stored == sent and all(report["settled"] for report in (*flood, *paced)),
    }


async def _phase(processes: "Sequence[subprocess.Popen[str]]", seconds: float, records_per_s: float) -> list[str]:
    """Let all nodes send at once; what they report."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{seconds} {records_per_s}\n")
        process.stdin.flush()
    return [await asyncio.to_thread(_line, process) for process in processes]


def _stored(connection: sqlite3.Connection) -> int:
    count: int = connection.execute("SELECT count(*) FROM miner_sample").fetchone()[0]
    return count


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


def _node(port: int, number: int, miners: int, samples: int) -> "subprocess.Popen[str]":
    arguments = (port, f"node-{number}", number * miners, miners, samples)
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ingest_node", *map(str, arguments)],
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
