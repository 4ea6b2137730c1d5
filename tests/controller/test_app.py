"""The parts of a controller are where its settings put them."""

from pathlib import Path

import pytest

from controller.app import ControllerApp
from controller.settings import ControllerSettings, TreasurySettings
from shared.bitcoin.network import Network

EXECUTIONS = "/api/v1/contracts/{contract_id}/executions"


def paths(app: ControllerApp) -> set[str]:
    return set(app._application().openapi()["paths"])


@pytest.mark.parametrize("workers", [0, 2])
async def test_executions_have_their_door_where_there_is_a_treasury(tmp_path: Path, workers: int) -> None:
    node = TreasurySettings(
        network=Network.REGTEST,
        node_url="http://127.0.0.1:1",
        cookie_file=tmp_path / "cookie",
        execution_workers=workers,
    )
    app = ControllerApp(ControllerSettings(state_directory=tmp_path / "state", sites=("tx1",), treasury=node))
    assert app.treasury is not None
    parts = app.treasury.parts()
    try:
        assert EXECUTIONS in paths(app)
        assert sum(part.__qualname__ == "ExecutionWatch.run" for part in parts) == 1
        assert sum(part.__qualname__ == "ExecutionService.run" for part in parts) == min(workers, 1)
    finally:
        for part in parts:
            part.close()
        await app.treasury.aclose()


async def test_without_a_treasury_there_is_none(tmp_path: Path) -> None:
    app = ControllerApp(ControllerSettings(state_directory=tmp_path / "state", sites=("tx1",)))
    assert EXECUTIONS not in paths(app)
