"""What was executed before: spent coins and running sums. Of one coin, or of one id, there is one execution."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from controller.journal import RecordedEvent
from controller.signing.execution.event import PREFIX, ContractExecuted, codec
from controller.signing.execution.model import Executed, Execution
from controller.signing.execution.progress import ExecutionProgress
from controller.signing.model import OutPointKey
from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from shared.errors import Denied


class Elsewhere(NamedTuple):
    """What proposals hold of a contract's coins, and have spent of it within the window and ever."""

    reserved: Container[OutPointKey]
    window_sat: int
    lifetime_sat: int


class _Sums:
    """Of one contract: all that was spent up to each height."""

    def __init__(self) -> None:
        self._heights: list[int] = []
        self._totals_sat: list[int] = []

    def add(self, height: int, amount_sat: int) -> None:
        """After a reorganisation the tip may be lower than before; what comes then counts at the highest."""
        if not self._heights or height > self._heights[-1]:
            self._heights.append(height)
            self._totals_sat.append(self._totals_sat[-1] if self._totals_sat else 0)
        self._totals_sat[-1] += amount_sat

    def since(self, height: int) -> int:
        before = bisect_left(self._heights, height)
        return (self._totals_sat[-1] if self._totals_sat else 0) - (self._totals_sat[before - 1] if before else 0)


class ExecutionBook:
    """Told of every event by the board, which is subscribed to the journal: it tells of nothing that is not durable."""

    def __init__(self) -> None:
        self._coins: dict[OutPointKey, str] = {}
        self._known: dict[str, ExecutionProgress] = {}
        self._open: dict[str, ExecutionProgress] = {}
        self._listed: defaultdict[str, list[ExecutionProgress]] = defaultdict(list)
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)
        self._held: dict[str, tuple[str, int, tuple[OutPointKey, ...]]] = {}
        self._held_sat: defaultdict[str, int] = defaultdict(int)

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        for event in events:
            if event.stream.startswith(PREFIX):
                fact = codec.decode(event)
                progress = self._known.get(event.stream.removeprefix(PREFIX))
                if progress is not None:
                    progress.apply(fact)
                    if progress.over:
                        self._open.pop(progress.execution_id, None)
                elif isinstance(fact, ContractExecuted):
                    self._begin(fact, event)

    def find(self, execution_id: str) -> ExecutionProgress | None:
        return self._known.get(execution_id)

    def open(self) -> Iterator[ExecutionProgress]:
        """Those that the chain has not decided, oldest first."""
        return iter(list(self._open.values()))

    def listed(self, contract_id: str, limit: int) -> list[ExecutionProgress]:
        """The newest of a contract, newest first."""
        return list(islice(reversed(self._listed[contract_id]), limit)) if contract_id in self._listed else []

    @property
    def coins(self) -> Mapping[OutPointKey, str]:
        """What executions have spent or are about to, with the id of the execution."""
        return self._coins

    def spent_sat(self, contract_id: str, since_height: int) -> int:
        """Of one contract since a height, the fees and what is about to be written included."""
        return self._sums[contract_id].since(since_height) + self._held_sat[contract_id]

    def hold(self, contract: Contract, execution: Execution, done: Executed, height: int, elsewhere: Elsewhere) -> None:
        """Keep coins and sums for an execution until it is written or released; Denied where they are taken."""
        if execution.execution_id in self._known or execution.execution_id in self._held:
            raise Denied(SigningRefusal.EXECUTED, f"execution {execution.execution_id} was done before")
        taken = next((one for one in done.inputs if one in self._coins), None)
        if taken is not None:
            raise Denied(SigningRefusal.EXECUTED, f"coin {taken[0]}:{taken[1]} was spent by another execution")
        proposed = next((one for one in done.inputs if one in elsewhere.reserved), None)
        if proposed is not None:
            raise Denied(SigningRefusal.COIN_PROPOSED, f"an open proposal spends {proposed[0]}:{proposed[1]}")
        amount_sat = done.external_sat + done.fee_sat
        self._check_limits(contract, amount_sat, height, elsewhere)
        self._held[execution.execution_id] = (contract.contract_id, amount_sat, done.inputs)
        self._coins.update(dict.fromkeys(done.inputs, execution.execution_id))
        self._held_sat[contract.contract_id] += amount_sat

    def release(self, execution_id: str) -> None:
        """It was written, or will never be."""
        held = self._held.pop(execution_id, None)
        if held is not None:
            contract_id, amount_sat, coins = held
            for coin in coins:
                del self._coins[coin]
            self._held_sat[contract_id] -= amount_sat

    def _begin(self, fact: ContractExecuted, event: RecordedEvent) -> None:
        self.release(fact.execution_id)
        progress = ExecutionProgress(fact, event)
        self._known[fact.execution_id] = self._open[fact.execution_id] = progress
        self._listed[fact.contract_id].append(progress)
        self._coins.update(dict.fromkeys(fact.inputs, fact.execution_id))
        self._sums[fact.contract_id].add(fact.height, fact.external_sat + fact.fee_sat)

    def _check_limits(self, contract: Contract, amount_sat: int, height: int, elsewhere: Elsewhere) -> None:
        limits = contract.policy.limits
        since = height - limits.window_blocks
        window_sat = amount_sat + elsewhere.window_sat + self.spent_sat(contract.contract_id, since)
        if window_sat > limits.window_sat:
            detail = f"with it {window_sat} sat within {limits.window_blocks} blocks; the limit is {limits.window_sat}"
            raise Denied(SigningRefusal.WINDOW_LIMIT, detail)
        lifetime_sat = amount_sat + elsewhere.lifetime_sat + self.spent_sat(contract.contract_id, 0)
        if lifetime_sat > limits.lifetime_sat:
            raise Denied(SigningRefusal.LIFETIME_LIMIT, f"the limit of {limits.lifetime_sat} sat in all is reached")
