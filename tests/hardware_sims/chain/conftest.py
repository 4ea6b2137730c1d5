"""A node in memory, a purse with twenty mature rewards, and a clock that is moved by hand."""

from collections.abc import Callable, Iterator

import pytest

from hardware_sims.chain import ChainNode, NodeOptions
from hardware_sims.chain.purse import Purse, PurseCoin
from hardware_sims.chain.refusal import TransactionRefused

START_S = 1_700_000_000


@pytest.fixture
def purse() -> Purse:
    return Purse()


class Clock:
    """Seconds since 1970, moved by hand."""

    now_s = START_S


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def node(clock: Clock) -> Iterator[ChainNode]:
    made = ChainNode(NodeOptions(clock=lambda: clock.now_s))
    yield made
    made.close()


@pytest.fixture
def rewards(node: ChainNode, purse: Purse) -> list[PurseCoin]:
    """Twenty coins of 50 bitcoin that may be spent in the next block, oldest first."""
    node.generate(119, purse.script)
    return [purse.coins_in(node.chain.at(height).block.transactions[0])[0] for height in range(1, 21)]


@pytest.fixture
def mine(node: ChainNode, purse: Purse) -> Callable[..., tuple[str, ...]]:
    return lambda count=1: node.generate(count, purse.script)


@pytest.fixture
def refusal(node: ChainNode) -> Callable[..., str]:
    """The reason why a transaction is refused, "" where it is not; nothing stays in the mempool."""

    def ask(tx: object) -> str:
        (verdict,) = node.test([tx]).values()  # type: ignore[list-item]
        return verdict.reason if isinstance(verdict, TransactionRefused) else ""

    return ask
