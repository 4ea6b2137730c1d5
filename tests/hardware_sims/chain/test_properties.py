"""Whatever happens in whatever order, chain, coins and mempool tell the same story, and so does a restart."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware_sims.chain import ChainNode, NodeOptions
from hardware_sims.chain.purse import Purse, PurseCoin
from hardware_sims.chain.refusal import TransactionRefused
from shared.bitcoin.transaction import OutPoint

NOW_S = 1_700_000_000
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mine"), st.integers(1, 3)),
        st.tuples(st.just("pay"), st.integers(0, 30)),
        st.tuples(st.just("raise"), st.integers(0, 30)),
        st.tuples(st.just("invalidate"), st.integers(0, 5)),
        st.tuples(st.just("reconsider"), st.integers(0, 9)),
    ),
    min_size=5,
    max_size=25,
)


class Story:
    def __init__(self, folder: Path) -> None:
        self.purse = Purse()
        self.node = ChainNode(NodeOptions(folder=folder, clock=lambda: NOW_S))
        self.node.generate(108, self.purse.script)
        self.invalidated: list[str] = []

    def mine(self, count: int) -> None:
        self.node.generate(count, self.purse.script)

    def pay(self, pick: int) -> None:
        """Spend any coin that the purse has, in the chain or in the mempool."""
        coins = sorted(self.spendable(), key=lambda coin: str(coin.outpoint))
        self.send(coins[pick % len(coins)], 1_000 + pick)

    def raise_(self, pick: int) -> None:
        entries = list(self.node.mempool)
        if entries:
            old = entries[pick % len(entries)]
            outpoint = old.tx.inputs[0].outpoint
            self.send(PurseCoin(outpoint, old.spent[0].amount_sat), 20 * old.fee_sat + 5_000)

    def invalidate(self, depth: int) -> None:
        height = max(self.node.chain.height - depth, 1)
        self.invalidated.append(self.node.chain.hash_at(height))
        self.node.invalidate(self.invalidated[-1])

    def reconsider(self, pick: int) -> None:
        if self.invalidated:
            self.node.reconsider(self.invalidated[pick % len(self.invalidated)])

    def send(self, coin: PurseCoin, fee_sat: int) -> None:
        try:
            self.node.accept(self.purse.moved(coin, fee_sat))
        except TransactionRefused as refusal:
            assert refusal.reason in {  # noqa: PT017 - any other reason is the failure
                "bad-txns-premature-spend-of-coinbase",
                "bad-txns-inputs-missingorspent",
                "insufficient fee",
                "too-long-mempool-chain",
            }

    def spendable(self) -> list[PurseCoin]:
        chain, mempool = self.node.chain, self.node.mempool
        found = [
            PurseCoin(outpoint, coin.output.amount_sat)
            for outpoint in chain.coins.of_script(self.purse.script)
            if (coin := chain.coins.get(outpoint)) is not None and mempool.spender(outpoint) is None
        ]
        for entry in mempool:
            found += [coin for coin in self.purse.coins_in(entry.tx) if mempool.spender(coin.outpoint) is None]
        return found

    def check(self) -> None:
        replayed: dict[OutPoint, int] = {}
        chain, mempool = self.node.chain, self.node.mempool
        for height in range(1, chain.height + 1):
            block = chain.at(height).block
            assert block.header.previous == chain.hash_at(height - 1)
            for tx in block.transactions:
                for one in tx.inputs:
                    replayed.pop(one.outpoint, None)
                replayed |= {coin.outpoint: coin.amount_sat for coin in self.purse.coins_in(tx)}
                assert tx.txid not in mempool
        assert chain.coins.of_script(self.purse.script) == set(replayed)
        assert len(chain.coins) == len(replayed)
        spent = [one.outpoint for entry in mempool for one in entry.tx.inputs]
        assert len(spent) == len(set(spent))
        assert all(point in replayed or point.txid in mempool for point in spent)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_chain_coins_and_mempool_agree_after_anything(steps):
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        for name, argument in steps:
            getattr(story, "raise_" if name == "raise" else name)(argument)
            story.check()
        tip, waiting = story.node.chain.tip.block.hash, [entry.txid for entry in story.node.mempool]
        coins = story.node.chain.coins.of_script(story.purse.script)
        story.node.close()
        story.node = ChainNode(NodeOptions(folder=Path(folder), clock=lambda: NOW_S))
        assert story.node.chain.tip.block.hash == tip
        assert story.node.chain.coins.of_script(story.purse.script) == coins
        assert [entry.txid for entry in story.node.mempool] == waiting
        story.mine(1)
        assert len(story.node.mempool) == 0, "all of it was good for a block"
        story.check()
        story.node.close()
