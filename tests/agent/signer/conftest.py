"""Boxes of the scene, opened and closed."""

from collections.abc import AsyncIterator

import pytest

from tests.agent.signer.scene import TREE, Box


@pytest.fixture
async def box(tmp_path) -> AsyncIterator[Box]:
    opened = await Box(tmp_path).open()
    yield opened
    await opened.close()


@pytest.fixture
async def tree_box(tmp_path) -> AsyncIterator[Box]:
    opened = await Box(tmp_path, TREE).open()
    yield opened
    await opened.close()
