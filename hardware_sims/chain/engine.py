"""Bitcoin Core's consensus engine, kept in memory: it takes blocks and says which chain is best.

It has no way to take a block back, so whoever holds a block to be invalid builds a new engine without it.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pbk

from hardware_sims.chain.refusal import BlockRefused

_FOLDER_PREFIX = "bes-engine-"
_REASONS = {
    pbk.block.BlockValidationResult.CONSENSUS: "bad-block",
    pbk.block.BlockValidationResult.CACHED_INVALID: "duplicate-invalid",
    pbk.block.BlockValidationResult.INVALID_HEADER: "bad-header",
    pbk.block.BlockValidationResult.MUTATED: "bad-txnmrklroot",
    pbk.block.BlockValidationResult.MISSING_PREV: "prev-blk-not-found",
    pbk.block.BlockValidationResult.INVALID_PREV: "bad-prevblk",
    pbk.block.BlockValidationResult.TIME_FUTURE: "time-too-new",
}


class Move(StrEnum):
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class Step:
    """One block joined or left the best chain."""

    move: Move
    block_hash: str


class Engine:
    """Starts at the genesis block of regtest. Not for use from two threads.

    `folder` takes its block files, which nobody reads again; what a killed process left there is swept.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._steps: list[Step] = []
        self._faults: list[str] = []
        if folder is not None:
            for left in folder.glob(f"{_FOLDER_PREFIX}*"):
                shutil.rmtree(left)
        self._folder = tempfile.TemporaryDirectory(prefix=_FOLDER_PREFIX, dir=folder)
        # The kernel keeps bare function pointers: the object that owns them must live as long as it does.
        self._callbacks = pbk.ValidationInterfaceCallbacks(
            block_checked=self._checked,
            block_connected=self._moved(Move.CONNECTED),
            block_disconnected=self._moved(Move.DISCONNECTED),
        )
        options = pbk.ContextOptions()
        options.set_chainparams(pbk.ChainParameters(pbk.ChainType.REGTEST))
        options.set_validation_interface(self._callbacks)
        context = pbk.Context(options)
        stored = pbk.ChainstateManagerOptions(context, self._folder.name, f"{self._folder.name}/blocks")
        stored.update_block_tree_db_in_memory(True)
        stored.update_chainstate_db_in_memory(True)
        stored.set_worker_threads_num(1)
        self._manager: pbk.ChainstateManager | None = pbk.ChainstateManager(stored)
        self._manager.import_blocks([])
        entry = self._manager.get_active_chain().block_tree_entries[0]
        self.genesis = bytes(self._manager.blocks[entry])
        self._steps.clear()

    def submit(self, raw: bytes) -> tuple[Step, ...]:
        """How the best chain moved, in order; nothing where the block stands aside. BlockRefused names the reason."""
        assert self._manager is not None, "submit after close"
        self._faults.clear()
        try:
            self._manager.process_block(pbk.Block(raw))
        except pbk.util.exc.ProcessBlockException as error:
            raise BlockRefused(next(iter(self._faults), "bad-header")) from error
        except RuntimeError as error:
            raise BlockRefused("Block decode failed") from error
        finally:
            steps = tuple(self._steps)
            self._steps.clear()
        # `process_block` is content with a block whose transactions turn out wrong when it is connected.
        for reason in self._faults:
            raise BlockRefused(reason)
        return steps

    def close(self) -> None:
        self._manager = None
        self._folder.cleanup()

    # An exception that leaves a callback is lost in C, so these do next to nothing.
    def _checked(self, _data: Any, _block: Any, state: Any) -> None:
        if state.validation_mode is not pbk.block.ValidationMode.VALID:
            self._faults.append(_REASONS.get(state.block_validation_result, "bad-block"))

    def _moved(self, move: Move) -> Callable[[Any, Any, Any], None]:
        def note(_data: Any, _block: Any, entry: Any) -> None:
            self._steps.append(Step(move, str(entry.block_hash)))

        return note
