"""A connection that only reads, with a thread of its own: it waits neither for the writer nor for other readers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiosqlite

from controller.storage.sqlite.fault import in_our_words
from shared.errors import StorageUnavailable


class Reader:
    """One for the program's own work and one for what people ask, so that a long question delays nobody's order.

    `open` after the file has its schema. It sees every commit that was answered.
    """

    def __init__(self, path: Path, *, cache_kib: int = 2_000) -> None:
        self._path = path
        self._cache_kib = cache_kib
        self._opened: aiosqlite.Connection | None = None

    async def open(self) -> None:
        with in_our_words(self._path):
            self._opened = await aiosqlite.connect(self._path)
            await self._opened.execute("PRAGMA query_only=ON")
            await self._opened.execute(f"PRAGMA cache_size=-{self._cache_kib:d}")

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def rows(self, query: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if self._opened is None:
            raise StorageUnavailable(f"{self._path} is not open")
        with in_our_words(self._path):
            return [tuple(row) for row in await self._opened.execute_fetchall(query, values)]
