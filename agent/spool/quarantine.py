"""Where files that cannot be trusted are kept: database and log together, since a log alone cannot be read."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from agent.spool.witness import Witness

DATABASE = "spool.db"
WITNESS = "spool.witness"
_DONE = "salvaged"
_KEPT = 3


class Quarantine:
    """Folders `<number>` below `folder`; each ends with a mark once its rows are saved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, spool_folder: Path) -> Path:
        """Move database, log and witness of a spool here; the new folder. The shared-memory file is worthless."""
        numbers = [int(path.name) for path in self._folder.glob("[0-9]*")] if self._folder.exists() else []
        place = self._folder / f"{max(numbers, default=0) + 1:04d}"
        place.mkdir(parents=True)
        for name in (DATABASE, f"{DATABASE}-wal", WITNESS):
            source = spool_folder / name
            if source.exists():
                source.rename(place / name)
        (spool_folder / f"{DATABASE}-shm").unlink(missing_ok=True)
        return place

    def unsaved(self) -> Iterator[Path]:
        """Folders whose rows are not all saved yet, oldest first: also those that a crash interrupted."""
        for place in sorted(self._folder.glob("[0-9]*")):
            if not (place / _DONE).exists():
                yield place

    def saved(self, place: Path) -> None:
        """Its rows are in the spool. Only the newest few wrecks are kept for a person to look at."""
        (place / _DONE).touch()
        for old in [path for path in sorted(self._folder.glob("[0-9]*")) if (path / _DONE).exists()][:-_KEPT]:
            shutil.rmtree(old)


def witness_of(place: Path) -> Witness:
    return Witness(place / WITNESS)
