"""What only a write can tell of a firmware build: it is tried once, not by each machine after each start."""

from typing import Protocol


class Lessons(Protocol):
    """By a subject that names family and build. `learn` is durable when it returns; `StorageError` where it is not."""

    def taught(self, subject: str) -> str | None: ...

    async def learn(self, subject: str, lesson: str) -> None: ...


class Unwritten:
    """Lessons of one process, for those who only read or who last no longer than their test."""

    def __init__(self) -> None:
        self._lessons: dict[str, str] = {}

    def taught(self, subject: str) -> str | None:
        return self._lessons.get(subject)

    async def learn(self, subject: str, lesson: str) -> None:
        self._lessons[subject] = lesson
