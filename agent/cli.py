"""The words of a node: `bes agent`, `bes signer`, `bes doctor`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from agent.health.doctor import examine
from agent.health.finding import Grade
from agent.settings import SignerSettings, SiteSettings
from shared import log

Config = Annotated[Path, typer.Option("--config", "-c", help="the node's TOML file")]

agent = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
signer = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
doctor = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@agent.command()
def run_agent(config: Config = Path("/etc/bes/agent.toml")) -> None:
    """Run a mining site until it is told to stop."""
    from agent.site_app import run

    settings = SiteSettings.load(config)
    log.configure(level=settings.log_level)
    asyncio.run(run(settings))


@signer.command()
def run_signer(config: Config = Path("/etc/bes/signer.toml")) -> None:
    """Run a signing box until it is told to stop."""
    from agent.signer_app import run

    settings = SignerSettings.load(config)
    log.configure(level=settings.log_level)
    asyncio.run(run(settings))


@doctor.command()
def run_doctor(
    config: Config = Path("/etc/bes/agent.toml"),
    signer: Annotated[bool, typer.Option("--signer", help="the file is that of a signing box")] = False,
) -> None:
    """Look at this node and say what to do; exit code 1 where something is bad."""
    settings = (SignerSettings if signer else SiteSettings).load(config)
    worst = Grade.GOOD
    for finding in examine(settings):
        typer.echo(f"{finding.grade.value:<5} {finding.check:<18} {finding.found}")
        if finding.mend:
            typer.echo(f"      {'':<18} → {finding.mend}")
        worst = Grade.BAD if Grade.BAD in (worst, finding.grade) else finding.grade
    raise typer.Exit(worst is Grade.BAD)
