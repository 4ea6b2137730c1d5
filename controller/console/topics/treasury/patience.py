"""The desk for pages that must not wait: a node that hangs would hold up the pulse of every page."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from controller.views.ports import TreasuryDesk
from controller.views.treasury import ContractView, ProofsView, ProposalView, TreasuryState
from shared.clock import Clock
from shared.errors import BesError, GatewayUnavailable

T = TypeVar("T")
PATIENCE_S = 1.0
FRESH_S = 2.0
OLD_S = 15.0
MAX_KEPT = 200


class Patient(Generic[T]):
    """Asks at most once every `FRESH_S`, waits `PATIENCE_S` for it, and gives the last answer meanwhile."""

    def __init__(self, ask: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._task: asyncio.Task[T] | None = None
        self._last: T | None = None
        self._read_s = float("-inf")

    @property
    def age_s(self) -> float:
        return self._clock.monotonic_s() - self._read_s

    async def newest(self) -> T:
        """Raises what the question raises; GatewayUnavailable while nothing was ever answered."""
        if self._last is not None and self.age_s < FRESH_S:
            return self._last
        task = self._task = self._task or asyncio.ensure_future(self._ask())
        if (await asyncio.wait({task}, timeout=PATIENCE_S))[0]:
            if self._task is task:
                self._task = None
            self._last, self._read_s = task.result(), self._clock.monotonic_s()
        if self._last is None:
            raise GatewayUnavailable("the treasury has not answered yet; its node may hang")
        return self._last


class PatientDesk:
    """What the topics read. `age_s` is how old the state is that was given last."""

    def __init__(self, desk: TreasuryDesk, clock: Clock) -> None:
        self.clock = clock
        self._desk = desk
        self._state: Patient[TreasuryState] = Patient(desk.state, clock)
        self._contracts: dict[str, Patient[ContractView]] = {}

    @property
    def age_s(self) -> float:
        return self._state.age_s

    async def state(self) -> TreasuryState:
        return await self._state.newest()

    async def contract(self, contract_id: str) -> ContractView:
        asked = self._contracts.get(contract_id)
        if asked is None:
            while len(self._contracts) >= MAX_KEPT:
                del self._contracts[next(iter(self._contracts))]
            asked = self._contracts[contract_id] = Patient(lambda: self._desk.contract(contract_id), self.clock)
        return await asked.newest()

    async def known_contract(self, contract_id: str) -> ContractView | None:
        """None where it cannot be read now."""
        try:
            return await self.contract(contract_id)
        except BesError:
            return None

    def contract_age_s(self, contract_id: str) -> float:
        asked = self._contracts.get(contract_id)
        return float("inf") if asked is None else asked.age_s

    def proposal(self, proposal_id: str) -> ProposalView:
        return self._desk.proposal(proposal_id)

    def proofs(self) -> ProofsView:
        return self._desk.proofs()

    def proposals(self, contract_id: str) -> tuple[ProposalView, ...]:
        return self._desk.proposals(contract_id)
