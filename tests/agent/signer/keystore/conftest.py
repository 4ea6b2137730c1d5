"""A SoftHSM2 token for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.signer.keystore.pin import Pin
from agent.signer.keystore.token import Token
from tests.softhsm import PIN, SoftHsm


@pytest.fixture
def hsm(tmp_path: Path) -> Iterator[SoftHsm]:
    with SoftHsm(tmp_path / "hsm") as running:
        yield running


@pytest.fixture
def token(hsm: SoftHsm) -> Iterator[Token]:
    with Token(hsm.add_token(), Pin(PIN)) as opened:
        yield opened
