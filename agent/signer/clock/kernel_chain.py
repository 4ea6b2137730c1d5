"""The chain of headers as Bitcoin Core's own code sees it: proof of work, difficulty, median time past, most work."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pbk

from agent.signer.clock.header import Header, parse
from agent.signer.clock.model import ChainTime
from shared.bitcoin.network import Network

_MEDIAN_OF = 11  # BIP-113
_CHAINS = {
    Network.MAIN: pbk.ChainType.MAINNET,
    Network.TESTNET4: pbk.ChainType.TESTNET_4,
    Network.SIGNET: pbk.ChainType.SIGNET,
    Network.REGTEST: pbk.ChainType.REGTEST,
}


class Tip(NamedTuple):
    """The header with the most work below it, genesis included."""

    time: ChainTime
    block_hash: bytes
    header_time_s: int


class KernelChain:
    """Keeps nothing on the disk that matters: the kernel insists on a folder, which is emptied at each start.

    Only whole headers of 80 bytes reach the kernel; no other input of this process does.
    """

    def __init__(self, folder: Path, network: Network) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        pbk.disable_log_category(pbk.LogCategory.ALL)
        options = pbk.ContextOptions()
        options.set_chainparams(pbk.ChainParameters(_CHAINS[network]))
        manager = pbk.ChainstateManagerOptions(pbk.Context(options), str(folder), str(folder / "blocks"))
        manager.update_block_tree_db_in_memory(True)
        manager.update_chainstate_db_in_memory(True)
        self._manager = pbk.ChainstateManager(manager)
        self.tip = self._read_tip()

    @property
    def height(self) -> int:
        """Of the best header, `tip` up to date or not."""
        return int(self._manager.best_entry.height)

    def height_of(self, block_hash: bytes) -> int | None:
        """None for a block that is not known."""
        key = pbk.BlockHash(block_hash)
        entries = self._manager.block_tree_entries
        return entries[key].height if key in entries else None

    def ancestor(self, height: int) -> bytes:
        """The hash of the tip's ancestor at a height not above the tip."""
        return bytes(self._manager.best_entry.get_ancestor(height).block_hash)

    def bits_at(self, height: int) -> int | None:
        """The compact target in the header of the tip's ancestor; None above the tip."""
        best = self._manager.best_entry
        if height > best.height:
            return None
        return int.from_bytes(bytes(best.get_ancestor(height).block_header)[72:76], "little")

    def accept(self, header: Header) -> bool:
        """False where the kernel refuses it, for which it gives no reason. `settle` moves the tip."""
        try:
            self._manager.process_block_header(pbk.BlockHeader(header.raw))
        except pbk.ProcessBlockHeaderException:
            return False
        return True

    def settle(self) -> None:
        """Bring `tip` up to date, after as many headers as there are: the median is read from eleven of them."""
        if bytes(self._manager.best_entry.block_hash) != self.tip.block_hash:
            self.tip = self._read_tip()

    def _read_tip(self) -> Tip:
        best = self._manager.best_entry
        entry, times = best, []
        while True:
            times.append(parse(bytes(entry.block_header)).time_s)
            if len(times) == _MEDIAN_OF or entry.height == 0:
                break
            entry = entry.previous
        # An even number of times occurs only near genesis, where Core too takes the upper one of the middle.
        time = ChainTime(best.height, sorted(times)[len(times) // 2])
        return Tip(time, bytes(best.block_hash), times[0])
