from collections.abc import Iterator

import pytest
import structlog

from hardware_sims.broker import Mosquitto


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    """A real mosquitto: `host`, `port`, `kill()`, `restart()`, `pause()`, `resume()`."""
    with Mosquitto() as running:
        yield running


@pytest.fixture(autouse=True)
def _logs_of_this_test():
    """A test that runs a command configures the logs for its own stderr, which is closed when the next test begins."""
    yield
    structlog.reset_defaults()
