"""Opens what a node keeps on its disk. What cannot be opened is tried again; meanwhile the node works without it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from shared.errors import StorageError

RETRY_S = 30.0


class Storage:
    """`parts` open by name; `failed` hears of each that does not and why, `recovered` of each that does."""

    def __init__(
        self,
        parts: Mapping[str, Callable[[], Awaitable[None]]],
        failed: Callable[[str, str], None],
        recovered: Callable[[str], None],
    ) -> None:
        self._closed = dict(parts)
        self._failed = failed
        self._recovered = recovered

    async def open(self) -> None:
        """Try each part that is still closed; never raises for the disk's sake."""
        for name, open_part in list(self._closed.items()):
            try:
                await open_part()
            except (StorageError, OSError) as error:
                self._failed(name, str(error))
            else:
                del self._closed[name]
                self._recovered(name)

    async def run(self) -> None:
        """Until everything is open."""
        while self._closed:
            await asyncio.sleep(RETRY_S)
            await self.open()
