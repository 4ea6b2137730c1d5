"""A store that is sick for a while, behind a mosquitto that hands out only what is acknowledged, as it is installed."""

import asyncio
import threading

import pytest
from nacl.signing import SigningKey

from benchmarks.site_load import site_batch
from controller.gateways.mqtt import MqttGateway, probe
from controller.ingest import Audience, Ingest, storing
from controller.storage.sqlite.telemetry_reader import TelemetryReader
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from hardware_sims import broker as broker_module
from hardware_sims.broker import Mosquitto
from shared.errors import StorageUnavailable
from shared.mqtt import Endpoint, MqttSession, MqttSettings
from shared.wire.codec import encode, pack
from shared.wire.record import Record, RecordKind, checksum
from shared.wire.topics import up

pytestmark = pytest.mark.broker
RECORDS = 90  # several of mosquitto's windows of 20
FAILURES = 8


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch):
    """mosquitto with nothing set but where it listens."""
    monkeypatch.setattr(broker_module, "_CONFIG", "listener {port} {host}\nallow_anonymous true\n")
    with Mosquitto() as running:
        yield running


class SickStore:
    """Fails so many times, then works."""

    def __init__(self, store: SqliteTelemetry) -> None:
        self._store = store
        self.failures_left = FAILURES

    def store(self, group, now_ms):
        if self.failures_left:
            self.failures_left -= 1
            raise StorageUnavailable("database is locked")
        return self._store.store(group, now_ms)

    def __getattr__(self, name):
        return getattr(self._store, name)


def settings_of(broker: Mosquitto) -> MqttSettings:
    return MqttSettings(host=broker.host, port=broker.port, backoff_first_s=0.05, backoff_max_s=0.1)


def session_of(broker: Mosquitto) -> MqttSession:
    session = MqttSession(settings_of(broker), Endpoint("n1"), lambda _message: None)
    here = threading.Event()
    session.on_up = here.set
    session.start()
    assert here.wait(10)
    return session


async def test_everything_arrives_once_the_store_works_again(stock, tmp_path, monkeypatch):
    monkeypatch.setattr(storing, "FIRST_PAUSE_S", 0.02)
    over, troubles = asyncio.Event(), []

    def heard(trouble: str) -> None:
        troubles.append(trouble)
        if not trouble:
            over.set()

    async with SqliteTelemetry(tmp_path / "telemetry.db") as store:
        gateway = MqttGateway(
            settings_of(stock), "controller", SigningKey.generate(), lambda m: ingest.offer(m), ["north"]
        )
        ingest = Ingest(SickStore(store), gateway, Audience())
        ingest.on_trouble = heard
        here = threading.Event()
        gateway.session.on_up = here.set
        await ingest.start()
        gateway.start()
        assert await asyncio.to_thread(here.wait, 10)
        node = await asyncio.to_thread(session_of, stock)
        for seq in range(1, RECORDS + 1):
            body = pack(site_batch(0, 1, 1_000 * seq))
            record = Record(1, "e1", seq, RecordKind.TELEMETRY, checksum(seq, body), 1, body)
            node.publish(up("north", "n1", "telemetry"), encode(record))
        async with asyncio.timeout(20):
            await over.wait()
            while not (lanes := await TelemetryReader(store).lanes()) or lanes[0].mark < RECORDS:
                await asyncio.sleep(0.02)
        stored = await store.people.rows("SELECT count(*) FROM miner_sample")
        await asyncio.to_thread(node.stop)
        await asyncio.to_thread(gateway.stop)
        await ingest.stop()
    assert [tuple(row) for row in stored] == [(RECORDS,)]
    assert troubles == ["database is locked [storage.unavailable]", ""]
    assert gateway.session.counters.connected == 1, "orders had a connection all the time"


def test_the_self_test_names_the_narrow_window_of_a_mosquitto_as_installed(stock):
    report = probe(settings_of(stock))
    assert report.window == 20
    assert [problem for problem in report.problems if "max_inflight_messages 0" in problem]
    assert len(report.problems) == 1
