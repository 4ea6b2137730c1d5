from collections.abc import Iterator

import pytest

from hardware_sims.broker import Mosquitto


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    """A real mosquitto: `host`, `port`, `kill()`, `restart()`, `pause()`, `resume()`."""
    with Mosquitto() as running:
        yield running
