"""`bes sims`: a whole simulated site in one process, until it is told to stop."""

import asyncio
import resource
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hardware_sims.announcement import announcing
from hardware_sims.chain.cli import chain
from hardware_sims.clock import MAX_FACTOR, SimulatedClock
from hardware_sims.control import ControlServer
from hardware_sims.host import port_plan
from hardware_sims.layout import DEFAULT_MIX, DEFAULT_NETWORK, HTTP_PORT, MODBUS_PORT, LayoutOrder, draw_up
from hardware_sims.physics.build import NO_WEAR, Wear
from hardware_sims.simulation import Simulation, SimulationOptions
from hardware_sims.site import SimulatedSite
from hardware_sims.site_file import write_site
from shared import log
from shared.errors import SettingInvalid
from shared.site import Site, load_site

STANDARD_PORTS = (HTTP_PORT, MODBUS_PORT, 4_028)
SITE_FILE = Path("var/sims/site.toml")


@dataclass(frozen=True, slots=True)
class SimsOptions:
    """`existing` simulates a site as its file describes it; without it `layout` is drawn up and put in `site_file`."""

    layout: LayoutOrder = field(default_factory=lambda: LayoutOrder(miners=24))
    existing: Path | None = None
    site_file: Path = SITE_FILE
    control_port: int = 0
    time_factor: float = 1.0
    wear: bool = True
    cold: bool = False
    announce: bool = False
    passwords: Mapping[str, str] = field(default_factory=dict)


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Printed as one JSON line when every device answers. `ports` maps standard ports to those that are bound."""

    control_port: int
    site_file: str
    site_id: str
    miners: int
    meters: int
    pdus: int
    ranges: tuple[str, ...]
    ports: dict[int, int]


async def run(options: SimsOptions, *, ready: Callable[[Ready], None]) -> None:
    """Simulate until cancelled. AddressTaken where another process holds the network's addresses."""
    allow_many_sockets()
    site, path, port_of = _site(options)
    wear = Wear() if options.wear else NO_WEAR
    clock = SimulatedClock(options.time_factor)
    settings = SimulationOptions(
        seed=options.layout.seed,
        start_unix_s=clock.unix_s(0.0),
        wear=wear,
        warm=not options.cold,
        passwords=options.passwords,
    )
    simulated = SimulatedSite(Simulation(site, settings), clock, port_of=port_of)
    control = ControlServer(simulated)
    await simulated.open()
    try:
        await control.start(options.control_port)
        async with announcing(simulated.announced() if options.announce else []):
            ready(
                Ready(
                    control_port=control.port,
                    site_file=str(path),
                    site_id=site.id,
                    miners=len(site.placement),
                    meters=len(site.meter),
                    pdus=len(site.pdu),
                    ranges=site.ranges,
                    ports={port: port_of(port) for port in STANDARD_PORTS},
                )
            )
            await simulated.run()
    finally:
        await control.stop()
        await simulated.close()


def allow_many_sockets() -> None:
    """Every device listens by itself: raise the limit of open files as far as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _site(options: SimsOptions) -> tuple[Site, Path, Callable[[int], int]]:
    if options.existing is not None:
        site = load_site(options.existing)
        first = next((placed.address for placed in site.placement if placed.address), "127.0.0.1")
        return site, options.existing, port_plan(first)
    layout = options.layout
    port_of = port_plan(str(layout.network.network_address + 1))
    layout = replace(layout, http_port=port_of(HTTP_PORT), modbus_port=port_of(MODBUS_PORT))
    site = draw_up(layout)
    write_site(options.site_file, site)
    return site, options.site_file, port_of


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(chain)


@app.callback(invoke_without_command=True)
def sims(
    context: typer.Context,
    miners: Annotated[int, typer.Option(min=1, help="how many miners")] = 24,
    containers: Annotated[int, typer.Option(min=1)] = 1,
    seed: Annotated[int, typer.Option(help="same seed, same site and same machines")] = 1,
    network: Annotated[str, typer.Option(help="loopback addresses that the devices take")] = str(DEFAULT_NETWORK),
    mix: Annotated[list[str] | None, typer.Option(help="MODEL=WEIGHT, repeatable; default is a mixed fleet")] = None,
    site: Annotated[Path | None, typer.Option(help="simulate this site file instead of drawing one up")] = None,
    site_file: Annotated[Path, typer.Option(help="where to write the site that was drawn up")] = SITE_FILE,
    site_id: Annotated[str, typer.Option()] = "demo",
    control_port: Annotated[int, typer.Option(help="on 127.0.0.1; 0 takes a free one")] = 0,
    time_factor: Annotated[float, typer.Option(min=0, max=MAX_FACTOR, help="simulated seconds a real second")] = 1.0,
    wear: Annotated[bool, typer.Option(help="let boards and fans fail by seed")] = True,
    cold: Annotated[bool, typer.Option(help="start with all machines cold instead of hashing for days")] = False,
    password: Annotated[list[str] | None, typer.Option(help="FAMILY=PASSWORD of the miners, repeatable")] = None,
    announce: Annotated[bool, typer.Option(help="announce Shelly devices by mDNS on loopback")] = False,
) -> None:
    """Simulate a mining site whose devices answer with the real protocols. Prints one JSON line when all of them do."""
    if context.invoked_subcommand is not None:
        return
    log.configure()
    layout = LayoutOrder(
        miners=miners,
        containers=containers,
        seed=seed,
        site_id=site_id,
        network=parse_network(network),
        mix=parse_mix(mix) if mix else DEFAULT_MIX,
    )
    options = SimsOptions(
        layout=layout,
        existing=site,
        site_file=site_file,
        control_port=control_port,
        time_factor=time_factor,
        wear=wear,
        cold=cold,
        announce=announce,
        passwords=parse_passwords(password or []),
    )
    asyncio.run(_until_told(options))


def parse_network(text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise SettingInvalid(f"network {text!r}: {error}; write it as 127.16.0.0/16") from error


def parse_mix(entries: list[str]) -> dict[str, float]:
    """`["Antminer S21=3", "M60S=1"]` as weights."""
    mix: dict[str, float] = {}
    for entry in entries:
        name, _, weight = entry.rpartition("=")
        try:
            mix[name.strip()] = float(weight)
        except ValueError as error:
            raise SettingInvalid(f"mix {entry!r}: write MODEL=WEIGHT, for instance 'Antminer S21=3'") from error
    return mix


def parse_passwords(entries: list[str]) -> dict[str, str]:
    """`["whatsminer=operator"]` by family."""
    pairs = [entry.partition("=") for entry in entries]
    if not all(equals for _, equals, _ in pairs):
        raise SettingInvalid("password: write FAMILY=PASSWORD, for instance whatsminer=operator")
    return {family: password for family, _, password in pairs}


async def _until_told(options: SimsOptions) -> None:
    """Stop cleanly on SIGTERM and SIGINT."""
    task = asyncio.ensure_future(run(options, ready=lambda line: print(msgspec.json.encode(line).decode(), flush=True)))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    app()
