"""Signs the energy of each whole interval of each meter, once, and tells it as an event.

What was signed last is kept before it is told, so that no restart signs a slot twice or breaks the chain. A slot
whose beginning or end nobody saw is never signed: what is not known is not zero.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import msgspec
from nacl.public import PublicKey
from nacl.signing import SigningKey

from agent.site.devices.image import ProcessImage
from agent.site.metering.boundary import NEAREST_S, Boundary, Crossings
from shared.errors import StorageError
from shared.log import get_logger
from shared.proofs.slot import GENESIS, Opening, Series, SignedSlot, signed_slot
from shared.states import Severity
from shared.wire.event import Event

COMMITTED = "energy.committed"

log = get_logger("agent.metering")


class Terms(msgspec.Struct, frozen=True):
    """`owner` alone can open what is committed."""

    site: str
    interval_s: int
    owner: PublicKey


class Chain(msgspec.Struct, frozen=True):
    """Where one meter's chain stands: its last boundary, and what the next slot names as its `previous`. `told` is the
    event of the last slot, repeated after a restart because nobody knows whether it was stored.
    """

    meter: str
    boundary: Boundary
    previous: str = GENESIS
    signed: int | None = None
    told: Event | None = None


Keep = Callable[[Chain], Awaitable[None]]
"""Durable when it returns; may raise `StorageError`."""


class Metering:
    """`observe` each image; `run` signs and tells beside the cycle. Without `terms` nothing is committed."""

    def __init__(self, terms: Terms | None, key: SigningKey, keep: Keep, tell: Callable[[Event], None]) -> None:
        self._terms = terms
        self._key = key
        self._keep = keep
        self._tell = tell
        self._crossings: dict[str, Crossings] = {}
        self._chains: dict[str, Chain] = {}
        self._crossed: asyncio.Queue[tuple[str, Boundary, int]] = asyncio.Queue()

    def resume(self, chains: Iterable[Chain]) -> None:
        """Go on where an earlier life of the agent stopped."""
        for chain in chains:
            self._chains[chain.meter] = chain
            if chain.told is not None:
                self._tell(chain.told)

    def observe(self, image: ProcessImage, trusted_ms: int) -> None:
        """Look for boundaries in the meters' registers; `trusted_ms` is the time of the image."""
        if self._terms is None:
            return
        for meter, state in image.meters.items():
            counter_wh = state.value("energy_import_wh", image.sampled_s, NEAREST_S)
            if counter_wh is None or state.observed_s is None:
                continue
            at_ms = trusted_ms - round((image.sampled_s - state.observed_s) * 1000)
            crossings = self._crossings.setdefault(meter, Crossings(self._terms.interval_s))
            boundary = crossings.read(at_ms, counter_wh)
            if boundary is not None:
                self._crossed.put_nowait((meter, boundary, at_ms))

    async def run(self) -> None:
        while True:
            meter, boundary, at_ms = await self._crossed.get()
            assert self._terms is not None
            chain = self._next(self._terms, meter, boundary, at_ms)
            if chain is None:
                continue
            try:
                await self._keep(chain)
            except StorageError as error:  # the slot is lost, and so is the claim over it; never signed twice
                log.warning("metering.not-kept", meter=meter, code=error.code, detail=error.detail)
                continue
            self._chains[meter] = chain
            if chain.told is not None and chain.signed == boundary.number - 1:
                self._tell(chain.told)

    def _next(self, terms: Terms, meter: str, boundary: Boundary, at_ms: int) -> Chain | None:
        """The chain after a boundary; None where that is no news."""
        chain = self._chains.get(meter)
        if chain is None:
            return Chain(meter, boundary)
        if boundary.number <= chain.boundary.number:
            return None
        energy_wh = boundary.counter_wh - chain.boundary.counter_wh
        whole = boundary.number == chain.boundary.number + 1 and energy_wh >= 0
        if not whole:
            return msgspec.structs.replace(chain, boundary=boundary)
        series, opening = Series(terms.site, meter, terms.interval_s), Opening.fresh(energy_wh)
        slot = signed_slot(series, boundary.number - 1, opening, chain.previous, self._key)
        event = _event(series, slot, opening.sealed(terms.owner), at_ms)
        return Chain(meter, boundary, slot.digest(series), slot.slot, event)


def _event(series: Series, slot: SignedSlot, sealed: bytes, at_ms: int) -> Event:
    data = msgspec.structs.asdict(slot) | {"interval_s": series.interval_s, "opening": sealed.hex()}
    return Event(at_ms, COMMITTED, series.meter, Severity.NOTICE, f"energy of slot {slot.slot} committed", data=data)
