"""The treasury as people use it: a real controller, three real boxes with tokens, a broker and a node on regtest."""

from contextlib import ExitStack

import pytest

from hardware_sims.demo.production import Wish, produce
from hardware_sims.demo.scene import cleared
from hardware_sims.demo.treasury_steps import steps

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_vault_from_draft_to_recovery(tmp_path):
    folder = cleared(tmp_path / "demo")
    with ExitStack() as stack:
        stage, _ = produce(stack, folder, Wish(miners=20, containers=1, network="127.77.0.0/16"))
        for name, tell in steps():
            try:
                print(f"{name}: {tell(stage.api, stage.treasury)}")
            except Exception as error:
                logs = "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in (folder / "log").glob("*.log"))
                raise AssertionError(f"{name}: {error}\n{logs}") from error
