from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from hardware_sims.broker import Mosquitto

# A change is judged by the same examples every time; `make fuzz` looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("search", max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    """A real mosquitto: `host`, `port`, `kill()`, `restart()`, `pause()`, `resume()`."""
    with Mosquitto() as running:
        yield running


@pytest.fixture(autouse=True)
def _logs_of_this_test() -> Iterator[None]:
    """A test that runs a command configures the logs for its own stderr, which is closed when the next test begins."""
    yield
    structlog.reset_defaults()
