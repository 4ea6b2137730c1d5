"""What happens by the clock rather than by an event: APScheduler with jobs that are passed in."""

from collections.abc import Awaitable, Callable
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from shared.errors import BesError
from shared.log import get_logger

log = get_logger("controller.clockwork")

Job = Callable[[], Awaitable[Any]]


class Clockwork:
    """Jobs by name; one that fails is logged and runs again at its next time, one that is late runs once."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 30}
        )

    def every(self, seconds: float, name: str, job: Job) -> None:
        self._scheduler.add_job(_guarded, "interval", args=(name, job), seconds=seconds, id=name)

    def nightly(self, hour_utc: int, name: str, job: Job) -> None:
        """Once a day, also late where the machine slept at that hour."""
        self._scheduler.add_job(
            _guarded, "cron", args=(name, job), hour=hour_utc, timezone="UTC", id=name, misfire_grace_time=None
        )

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)


async def _guarded(name: str, job: Job) -> None:
    try:
        await job()
    except BesError as error:
        log.warning("job.failed", job=name, code=error.code, detail=error.detail)
    except Exception:
        log.exception("job.bug", job=name)
