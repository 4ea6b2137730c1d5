"""Wires a signing box together. It reports its health; it signs nothing, because no policy for it exists yet."""

import asyncio
import signal

from agent.node import Gauges, NodeHealth, identity, spool_of, uplink_of
from agent.settings import NodeSettings
from shared.clock import SystemClock
from shared.config.settings import state_folder
from shared.log import get_logger
from shared.watchdog import Watchdog
from shared.wire.record import RecordKind
from shared.wire.telemetry import TelemetryBatch

HEALTH_EVERY_S = 10.0

log = get_logger("agent.signer")


async def _refuse(_message: bytes) -> None:
    """No rule for a case means refusal, and there is no rule yet."""
    log.warning("signer.refused", rule="signing.no-policy")


async def serve(settings: NodeSettings) -> None:
    state_folder(settings.state_directory)
    clock, watchdog = SystemClock(), Watchdog()
    node, _ = identity(settings, "signer")
    health = NodeHealth(settings, clock)
    spool = spool_of(settings, clock)
    await spool.open()
    uplink = uplink_of(settings, node, spool, {"signing": _refuse}, clock)
    await uplink.start()
    watchdog.ready()
    try:
        while True:
            sample = health.sample(await spool.stats(), Gauges())
            batch = TelemetryBatch(sampled_at_ms=clock.now_ms(), boot_id=node.boot_id, host=sample)
            await spool.append(RecordKind.TELEMETRY, batch, 1)
            watchdog.alive("no policy; refusing every request")
            await asyncio.sleep(HEALTH_EVERY_S)
    finally:
        watchdog.stopping()
        await uplink.stop()
        await spool.close()


async def run(settings: NodeSettings) -> None:
    """Run a signing box until SIGTERM or SIGINT."""
    serving = asyncio.create_task(serve(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        log.info("signer.stopped")
