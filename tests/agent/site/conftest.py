import pytest

from tests.agent.site.scene import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
