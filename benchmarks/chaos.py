"""`bes chaos`: kill agent, controller and broker at random while orders are given, then count what was lost or doubled.

The evidence is not the product's: a trigger of SQLite writes down what the spool accepts, rows of the store are counted
one by one, and the simulated machines themselves tell how often they carried out what.
"""

import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
import typer

from benchmarks.chaos_books import Verdict, compare, read_books, result_rows, stored_mark
from benchmarks.chaos_door import Execution, issued_orders, judge, narrowed, reached_orders, resent_parts
from benchmarks.chaos_match import Matter
from benchmarks.chaos_orders import Orders
from benchmarks.chaos_stage import MIX, Stage, chaos_stage
from benchmarks.chaos_witness import Acceptance, acceptance, accepted_seq
from benchmarks.conditions import conditions
from benchmarks.options import Options
from benchmarks.process import bes
from controller.journal import RecordedEvent
from controller.storage.sqlite.journal_log import SqliteLogFile
from hardware_sims.demo.client import wait_for
from shared import log
from shared.clock import SystemClock
from shared.crypto.keys import load_or_create
from shared.errors import GatewayUnavailable, SettingInvalid

NAME = "chaos"
SETTINGS = ("kills", "seed", "miners", "time_factor", "order_s", "settle_s")
BETWEEN_KILLS_S = (0.3, 3.0)
DOWN_S = (0.1, 1.2)
DRAIN_S = 120.0
SETTLE_S = 960.0  # longer than the last deadline: 300 s to the expiry, 600 s for a wake, 15 s to hear of it
_QUIET_S = 1.0
_AUDIT_S = 60.0

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Figures(msgspec.Struct, frozen=True):
    """What one run found, before it is put into words. `drain_s` is None where the backlog did not drain; `died` counts
    agents and controllers that were found dead without having been killed.
    """

    kills: dict[str, int]
    died: int
    accepted: Acceptance
    verdict: Verdict
    execution: Execution
    audit: bool
    drain_s: float | None
    asked: dict[str, int]

    @property
    def sound(self) -> bool:
        """Was every promise kept?"""
        lane, door = self.verdict, self.execution
        broken = (lane.lost, lane.duplicates, lane.unaccepted, self.accepted.renumbered, self.accepted.unseen)
        lied = (door.doubled, door.unissued, door.false_confirmed, door.unended)
        return not any((*broken, *lied, self.died)) and self.audit and self.drain_s is not None


@app.command()
def chaos(
    kills: Annotated[int, typer.Option(min=1)] = 100,
    seed: Annotated[int, typer.Option(help="same seed, same victims and pauses")] = 1,
    miners: Annotated[int, typer.Option(min=8)] = 24,
    settle_s: Annotated[float, typer.Option(help="how long open orders are waited for at the end")] = SETTLE_S,
    folder: Annotated[Path | None, typer.Option(help="keep all files and logs of the run in this new folder")] = None,
) -> None:
    """Kill agent, controller and broker at random and count what was lost. Exits with 1 where a promise was broken."""
    log.configure(level="warning")
    values = {"kills": kills, "seed": seed, "miners": miners, "settle_s": settle_s}
    found = _figures(Options(values={key: str(value) for key, value in values.items()}), folder)
    typer.echo(msgspec.json.encode({"name": NAME, **_told(found), "conditions": conditions(**values)}).decode())
    raise typer.Exit(0 if found.sound else 1)


def run(options: Options) -> dict[str, object]:
    """Keys `kills accepted lost duplicates doubled_commands` and what stands behind them; rows, not records."""
    own = {"seed": options.number("seed", 1, 1), "miners": options.number("miners", 24, 12, least=8), "mix": MIX}
    return _told(_figures(options)) | {"conditions": own}


def _figures(options: Options, kept: Path | None = None) -> Figures:
    seed, miners = options.number("seed", 1, 1), options.number("miners", 24, 12, least=8)
    factor, pause_s = options.number("time_factor", 20.0, 20.0), options.number("order_s", 0.2, 0.2)
    with _folder(kept) as folder, chaos_stage(folder, miners=miners, time_factor=factor, seed=seed) as stage:
        orders = Orders(stage.api, stage.simulated.site, random.Random(seed + 1), pause_s).start()
        try:
            kills, died = _kill(stage, random.Random(seed), options.number("kills", 100, 6))
        finally:
            orders.stop()
        drain_s = _drain(stage)
        _settle(stage, options.number("settle_s", SETTLE_S, 2.0))
        died += sum(not actor.alive for actor in stage.actors.values())
        accepted, verdict, execution = _examined(stage, kills["agent"])
        numbers = {name: len(times) for name, times in kills.items()}
        return Figures(numbers, died, accepted, verdict, execution, _audited(stage), drain_s, dict(orders.counts))


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """SettingInvalid where the folder to keep exists: files of two runs would prove nothing."""
    if kept is None:
        with TemporaryDirectory(prefix="bes-chaos-") as name:
            yield Path(name)
        return
    try:
        kept.mkdir(parents=True)
    except FileExistsError as error:
        raise SettingInvalid(f"--folder {kept}: exists already; name a new one") from error
    yield kept.resolve()


def _kill(stage: Stage, draw: random.Random, count: int) -> tuple[dict[str, list[int]], int]:
    """`kill -9` one after the other, at these times; the next may fall while the last still starts. Also how many were
    dead already.
    """
    kills: dict[str, list[int]] = defaultdict(list)
    died = 0
    names = sorted(stage.victims)
    for _ in range(count):
        time.sleep(draw.uniform(*BETWEEN_KILLS_S))
        name = draw.choice(names)
        died += name in stage.actors and not stage.actors[name].alive
        stage.victims[name].kill()
        kills[name].append(SystemClock().now_ms())
        time.sleep(draw.uniform(*DOWN_S))
        stage.victims[name].start()
    return kills, died


def _drain(stage: Stage) -> float | None:
    """Seconds until everything that is accepted by now is stored by the controller's own word; None where it is not."""
    started_s = time.monotonic()
    wanted, epoch = accepted_seq(stage.spool), acceptance(stage.spool).epoch

    def stored() -> bool | None:
        return stored_mark(stage.telemetry, epoch) >= wanted or None

    try:
        wait_for("the backlog is stored", stored, DRAIN_S, 0.1)
    except GatewayUnavailable:
        return None
    return round(time.monotonic() - started_s, 1)


def _settle(stage: Stage, within_s: float) -> None:
    """Give open orders their time, as far as it is granted."""
    ends_s = time.monotonic() + within_s
    while time.monotonic() < ends_s and any(not order.ended for order in issued_orders(_events(stage))):
        time.sleep(_QUIET_S)


def _examined(stage: Stage, agent_kills_ms: Sequence[int]) -> tuple[Acceptance, Verdict, Execution]:
    """Stop agent and controller, in this order, and look at their files."""
    stage.agent.stop()
    time.sleep(_QUIET_S)
    stage.controller.stop()
    accepted, events = acceptance(stage.spool), _events(stage)
    verdict = compare(accepted, read_books(stage.telemetry, accepted.epoch), result_rows(events, accepted.epoch))
    issued = issued_orders(events)
    reached = narrowed(reached_orders(stage.ledger), issued, agent_kills_ms)
    now_ms = SystemClock().now_ms()
    execution = judge(issued, reached, _executions(stage), resent=resent_parts(events), now_ms=now_ms)
    return accepted, verdict, execution


def _executions(stage: Stage) -> dict[Matter, list[int]]:
    """When each machine carried out what, by its own log."""
    done: dict[Matter, list[int]] = defaultdict(list)
    for device_id in stage.simulated.truth()["executed"]:
        for at_ms, verb in stage.simulated.device(device_id)["log"]:
            done[device_id, verb].append(at_ms)
    return done


def _events(stage: Stage) -> list[RecordedEvent]:
    file = SqliteLogFile(stage.journal)
    try:
        return list(file.events())
    finally:
        file.close()


def _audited(stage: Stage) -> bool:
    """What `bes audit verify` says, with the controller's key pinned."""
    key = load_or_create(stage.scene.controller_state / "command.key").verify_key.encode().hex()
    words = [sys.executable, *bes("audit", "verify", str(stage.journal), "--key", key)]
    return subprocess.run(words, capture_output=True, timeout=_AUDIT_S, check=False).returncode == 0


def _told(found: Figures) -> dict[str, object]:
    lane, door = found.verdict, found.execution
    return {
        "kills": sum(found.kills.values()),
        "accepted": lane.accepted,
        "lost": lane.lost,
        "duplicates": lane.duplicates,
        "doubled_commands": door.doubled,
        "false_confirmed": door.false_confirmed,
        "unended": door.unended,
        "open": door.still_open,
        "audit": found.audit,
        "sound": found.sound,
        "kills_by_victim": found.kills,
        "lane": lane._asdict() | {"renumbered": found.accepted.renumbered, "unseen": found.accepted.unseen},
        "commands": door._asdict(),
        "asked": found.asked,
        "drain_s": found.drain_s,
        "died": found.died,
    }
