"""What was executed before: spent coins and running sums. Of one coin, or of one id, there is one execution."""

from collections import defaultdict, deque
from collections.abc import Sequence

from controller.journal import RecordedEvent
from controller.signing.execution.event import PREFIX, ContractExecuted, codec
from controller.signing.execution.model import Executed, Execution
from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from shared.errors import Denied


class _Sums:
    """Of one contract: everything ever, and by height for the window."""

    def __init__(self) -> None:
        self.lifetime_sat = 0
        self.window_sat = 0
        self.by_height: deque[tuple[int, int]] = deque()

    def add(self, height: int, amount_sat: int) -> None:
        self.lifetime_sat += amount_sat
        self.window_sat += amount_sat
        self.by_height.append((height, amount_sat))

    def forget(self, before_height: int) -> None:
        while self.by_height and self.by_height[0][0] < before_height:
            self.window_sat -= self.by_height.popleft()[1]


class ExecutionBook:
    """A projection of the journal; `fold` is subscribed there, so that it tells of nothing that is not durable."""

    def __init__(self) -> None:
        self._spent: set[tuple[str, int]] = set()
        self._ids: set[str] = set()
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)
        self._held: dict[str, tuple[str, int, tuple[tuple[str, int], ...]]] = {}
        self._held_coins: set[tuple[str, int]] = set()
        self._held_sat: defaultdict[str, int] = defaultdict(int)

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        for event in events:
            if event.stream.startswith(PREFIX):
                fact = codec.decode(event)
                if isinstance(fact, ContractExecuted):
                    self.release(fact.execution_id)
                    self._ids.add(fact.execution_id)
                    self._spent.update(fact.inputs)
                    self._sums[fact.contract_id].add(fact.height, fact.external_sat + fact.fee_sat)

    def hold(self, contract: Contract, execution: Execution, done: Executed, height: int) -> None:
        """Keep coins and sums for an execution until it is written or released; Denied where they are taken."""
        if execution.execution_id in self._ids or execution.execution_id in self._held:
            raise Denied(SigningRefusal.EXECUTED, f"execution {execution.execution_id} was done before")
        taken = next((one for one in done.inputs if one in self._spent or one in self._held_coins), None)
        if taken is not None:
            raise Denied(SigningRefusal.EXECUTED, f"coin {taken[0]}:{taken[1]} was spent by another execution")
        amount_sat, limits = done.external_sat + done.fee_sat, contract.policy.limits
        sums = self._sums[contract.contract_id]
        sums.forget(height - limits.window_blocks)
        waiting = self._held_sat[contract.contract_id]
        if sums.window_sat + waiting + amount_sat > limits.window_sat:
            detail = f"with it {sums.window_sat + waiting + amount_sat} sat within {limits.window_blocks} blocks"
            raise Denied(SigningRefusal.WINDOW_LIMIT, f"{detail}; the limit is {limits.window_sat}")
        if sums.lifetime_sat + waiting + amount_sat > limits.lifetime_sat:
            raise Denied(SigningRefusal.LIFETIME_LIMIT, f"the limit of {limits.lifetime_sat} sat in all is reached")
        self._held[execution.execution_id] = (contract.contract_id, amount_sat, done.inputs)
        self._held_coins.update(done.inputs)
        self._held_sat[contract.contract_id] += amount_sat

    def release(self, execution_id: str) -> None:
        """It was written, or will never be."""
        held = self._held.pop(execution_id, None)
        if held is not None:
            contract_id, amount_sat, coins = held
            self._held_coins.difference_update(coins)
            self._held_sat[contract_id] -= amount_sat
