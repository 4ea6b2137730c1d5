"""A node for test_durable_lane: accepts batches without end and writes every accepted number to a log of its own."""

import asyncio
import os
import sys
from pathlib import Path

from agent.spool import Spool
from agent.uplink import Node, Uplink, UplinkSettings
from benchmarks.site_load import site_batch
from shared.crypto.keys import key_id, parse_public
from shared.mqtt import MqttSettings
from shared.wire.event import Event, EventBatch
from shared.wire.record import RecordKind

SAMPLES = 5
_EVENT_EVERY = 10


async def main(folder: Path, port: int, public_key: str, most: int) -> None:
    key = parse_public(public_key)
    log = os.open(folder / "accepted.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    spool = Spool(folder / "spool", machine_id="test")
    await spool.open()
    mqtt = MqttSettings(port=port, keepalive_s=2, answer_timeout_s=1, backoff_first_s=0.05, backoff_max_s=0.3)
    settings = UplinkSettings(mqtt=mqtt, window=50, resend_s=0.4, resend_max_s=1.0)
    node = Node(site="north", name="n1", boot_id=str(os.getpid()), software="test")
    uplink = Uplink(node, spool, trusted={key_id(key): key}, settings=settings)
    await uplink.start()

    async def produce(first: int) -> None:
        for cycle in range(most):
            if cycle % _EVENT_EVERY:
                kind, body = RecordKind.TELEMETRY, site_batch(first, SAMPLES, 1_700_000_000_000 + cycle, cycle=cycle)
            else:
                kind, body = RecordKind.EVENT, EventBatch(events=(Event(cycle, "test", str(first), 0, ""),))
            epoch = spool.epoch
            seq = await spool.append(kind, body, SAMPLES)
            os.write(log, f"{epoch} {seq} {int(kind)}\n".encode())  # one write: whole or not at all
            await asyncio.sleep(0.005)

    await asyncio.gather(*(produce(first * SAMPLES) for first in range(4)))
    while (await spool.stats()).rows:
        await asyncio.sleep(0.05)
    await uplink.stop()
    await spool.close()
    (folder / "drained").touch()


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
