"""A controller for test_durable_lane: gateway, ingest and store; every event that a consumer took goes to a log."""

import asyncio
import os
import sys
from pathlib import Path

from controller.gateways.mqtt import MqttGateway
from controller.ingest import Audience, InboxRoute, Ingest
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from shared.crypto.keys import load_or_create
from shared.mqtt import Message, MqttSettings
from shared.wire.event import EventBatch
from shared.wire.record import RecordKind


async def main(folder: Path, port: int) -> None:
    log = os.open(folder / "taken.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    key = load_or_create(folder / "controller.key")
    mqtt = MqttSettings(port=port, keepalive_s=2, answer_timeout_s=1, backoff_first_s=0.05, backoff_max_s=0.3)

    async def take(_site: str, _node: str, _batch: EventBatch, record: tuple[str, int]) -> None:
        os.write(log, f"{record[0]} {record[1]}\n".encode())

    async with SqliteTelemetry(folder / "telemetry.db") as store:
        ingest: Ingest

        def deliver(message: Message) -> None:
            ingest.offer(message)

        gateway = MqttGateway(mqtt, "controller", key, deliver, ["north"])
        ingest = Ingest(store, gateway, Audience(routes={RecordKind.EVENT: InboxRoute(EventBatch, take)}))
        await ingest.start()
        gateway.start()
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
