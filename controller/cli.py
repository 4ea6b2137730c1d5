"""The word `bes controller`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from controller.settings import ControllerSettings
from shared import log

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def controller(
    config: Annotated[Path, typer.Option("--config", "-c", help="the controller's TOML file")] = Path(
        "/etc/bes/controller.toml"
    ),
) -> None:
    """Run the controller until it is told to stop."""
    from controller.app import run

    settings = ControllerSettings.load(config)
    log.configure(level=settings.log_level)
    asyncio.run(run(settings))
