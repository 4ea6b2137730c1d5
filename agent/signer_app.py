"""Wires a signing box together; the only place where its adapters are chosen."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack

from agent.node import Gauges, NodeHealth, identity, keys, spool_of, uplink_of
from agent.settings import SignerSettings, SigningSettings
from agent.signer.clock import Checkpoint, ClockSettings, HeaderClock
from agent.signer.keystore import (
    HsmKey,
    HsmKeys,
    Keystore,
    MusigRounds,
    SoftwareKeys,
    Token,
    TokenAddress,
    WrapKey,
    harden,
    read_pin,
)
from agent.signer.ledger import Ledger, machine_boot_id
from agent.signer.service import Equipment, Identity, SigningBox
from agent.signer.sessions.registry import Registry
from shared.bitcoin.kernel import Judge
from shared.bitcoin.network import Network
from shared.clock import SystemClock
from shared.config.settings import state_folder
from shared.crypto.keys import key_id
from shared.errors import PinRefused, TokenUnavailable
from shared.log import get_logger
from shared.watchdog import Watchdog
from shared.wire.record import RecordKind
from shared.wire.telemetry import TelemetryBatch

HEALTH_EVERY_S = 10.0
UNHEARD_S = 2.0

log = get_logger("agent.signer")


class SignerApp:
    """One box; `run` ends when it is cancelled. Without `signing` in its settings it signs nothing."""

    def __init__(self, settings: SignerSettings) -> None:
        state_folder(settings.state_directory)
        self._settings = settings
        self._clock = SystemClock()
        self._node, self._key = identity(settings, "signer")
        self._health = NodeHealth(settings, self._clock)
        self._spool = spool_of(settings, self._clock)
        self._watchdog = Watchdog()
        self._box: SigningBox | None = None
        self._uplink = uplink_of(settings, self._node, self._spool, {"signing": self._received}, self._clock)

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            if self._settings.signing is not None:
                self._box = await self._opened_box(self._settings.signing, stack)
            await self._spool.open()
            stack.push_async_callback(self._spool.close)
            await self._uplink.start()
            stack.push_async_callback(self._uplink.stop)
            self._watchdog.ready()
            stack.callback(self._watchdog.stopping)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tell_health())
                group.create_task(self._tell_box())

    async def _received(self, packet: bytes) -> None:
        """No rule for a case means refusal: a box that was not set up knows none."""
        if self._box is None:
            log.warning("signer.refused", rule="signing.no-policy")
            return
        await self._box.receive(packet)

    async def _opened_box(self, signing: SigningSettings, stack: AsyncExitStack) -> SigningBox:
        harden()
        folder, operators = self._settings.state_directory, keys(self._settings.operators)
        keystore = await asyncio.to_thread(_keystore, signing, self._settings, stack)
        ledger = Ledger(
            folder / "ledger.db",
            box_id=key_id(self._key.verify_key),
            boot_id=machine_boot_id(),
            accept_torn_end=signing.accept_torn_end,
        )
        await ledger.open()
        stack.push_async_callback(ledger.close)
        clock = HeaderClock(folder / "headers", _clock_settings(signing), self._clock)
        await asyncio.to_thread(clock.open)
        stack.callback(clock.close)
        owners = tuple(keys(signing.owners).values())
        equipment = Equipment(
            ledger=ledger,
            registry=Registry(ledger, signing.network, owners, signing.owners_needed),
            clock=clock,
            keys=keystore,
            rounds=MusigRounds(keystore, time.monotonic),
            judge=stack.enter_context(Judge()),
            now_ms=self._clock.now_ms,
            publish=lambda packet: self._uplink.tell("signature", packet),
            patience_s=signing.patience_s,
        )
        box = SigningBox(self._identity(), operators, equipment)
        await box.open()
        stack.push_async_callback(box.close)
        log.info("signer.opened", box=box.identity.box_id, network=signing.network, keys=len(keystore.public_keys))
        return box

    def _identity(self) -> Identity:
        return Identity(self._settings.site, self._settings.node, self._key)

    async def _tell_health(self) -> None:
        state = "signing" if self._box is not None else "not set up for signing; refusing every request"
        while True:
            sample = self._health.sample(await self._spool.stats(), Gauges())
            batch = TelemetryBatch(sampled_at_ms=self._clock.now_ms(), boot_id=self._node.boot_id, host=sample)
            await self._spool.append(RecordKind.TELEMETRY, batch, 1)
            self._watchdog.alive(state)
            await asyncio.sleep(HEALTH_EVERY_S)

    async def _tell_box(self) -> None:
        every_s = self._settings.signing.report_every_s if self._settings.signing is not None else UNHEARD_S
        while self._box is not None:
            heard = await self._box.tell()
            await asyncio.sleep(every_s if heard else min(every_s, UNHEARD_S))


def _keystore(signing: SigningSettings, settings: SignerSettings, stack: AsyncExitStack) -> Keystore:
    """Every pinned key, found in the token. Where the token is away or refuses the PIN the box begins all the same: it
    refuses by that name, and a start that is tried again and again would show a wrong PIN until the token locks.
    """
    place = signing.token
    token = Token(TokenAddress(place.module, place.label, place.serial), read_pin(place.pin))
    stack.callback(token.close)
    software = None
    if signing.wrap_key:
        software = SoftwareKeys(settings.state_directory / "keys", WrapKey(token, signing.wrap_key))
    keystore = Keystore(HsmKeys(token), software)
    try:
        keystore.open([HsmKey(key.id, bytes.fromhex(key.public_key)) for key in signing.keys])
    except (TokenUnavailable, PinRefused) as error:
        log.warning("signer.token-failed", code=error.code, detail=error.detail)
    return keystore


def _clock_settings(signing: SigningSettings) -> ClockSettings:
    return ClockSettings(
        network=Network(signing.network),
        checkpoint=Checkpoint(signing.checkpoint_height, signing.checkpoint_hash),
        silent_s=signing.headers_silent_s,
        behind_s=signing.headers_behind_s,
    )


async def run(settings: SignerSettings) -> None:
    """Run a signing box until SIGTERM or SIGINT."""
    app = SignerApp(settings)
    running = asyncio.create_task(app.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        log.info("signer.stopped")
