"""The word `bes controller`: runs it, or helps somebody who is locked out of it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from controller.settings import ControllerSettings
from shared import log

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def controller(
    context: typer.Context,
    config: Annotated[Path, typer.Option("--config", "-c", help="the controller's TOML file")] = Path(
        "/etc/bes/controller.toml"
    ),
) -> None:
    """Run the controller until it is told to stop, or do what the word behind says."""
    settings = ControllerSettings.load(config)
    log.configure(level=settings.log_level)
    context.obj = settings
    if context.invoked_subcommand is None:
        from controller.app import run

        asyncio.run(run(settings))


@app.command("reset-password")
def reset_password(
    context: typer.Context, name: Annotated[str, typer.Argument(help="who is locked out, such as admin")]
) -> None:
    """Print a new one-time password. Run it as the controller's user or as root; the journal says who did."""
    from controller.password_reset import reset_password

    settings: ControllerSettings = context.obj
    typer.echo(asyncio.run(reset_password(settings.state_directory, name)))
