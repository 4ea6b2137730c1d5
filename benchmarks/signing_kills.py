"""Kill controller, signing boxes, broker and node at every step of a signing session, and look for money gone wrong.

People propose and approve payments of two contracts all the time: a vault that two of three boxes spend, and a wallet
that all three sign by MuSig2. Most kills are aimed: they fall right after a step of a session was seen in the journal,
in a box's ledger or on the line. What is counted stands in docs/signing-kills.md.
"""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.options import Options
from benchmarks.process import bes
from benchmarks.signing_kills_books import read_chain, read_ledger
from benchmarks.signing_kills_contracts import Spendable, opened
from benchmarks.signing_kills_listener import Listener
from benchmarks.signing_kills_oracle import Verdict, judge
from benchmarks.signing_kills_payments import IN_FLIGHT, Payments
from benchmarks.signing_kills_stage import LOOK_S, PATIENCE_S, REPORT_S, ROUND_S, SigningStage, signing_stage
from benchmarks.signing_kills_steps import STEPS, StepWatch, Taken
from hardware_sims.demo.scene import SITE
from shared.crypto.keys import load_or_create

NAME = "signing-kills"
SETTINGS = ("kills", "kill_s", "pause_s", "seed", "block_s", "settle_s", "folder")
ANY = "any"
AIMED_SHARE = 0.9
PAIR_SHARE = 0.3
DOWN_S = (0.1, 0.4)
_STEP_WITHIN_S = 8.0
_DELAY_S = 0.03
_CROWD = {"controller": 3, "box": 6, "broker": 2, "node": 1}
_AUDIT_S = 120.0
_QUIET_S = 2.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of a run."""

    kills: int
    kill_s: float
    pause_s: float
    seed: int
    block_s: float
    settle_s: float


class Tally(msgspec.Struct):
    """Kills by step, by victim and by both; `died` are processes found dead without having been killed."""

    steps: Counter[str]
    victims: Counter[str]
    died: int = 0


def run(options: Options) -> dict[str, object]:
    """Keys `kills payments confirmed unpaired_signatures double_debits double_broadcasts stuck lost_signatures`,
    `kills_by_step`, `kills_by_victim` and what stands behind them. Set `kills`, `kill_s` (kill no longer than that),
    `pause_s` (leave alone so long between kills: the two rounds of MuSig2 need it), `seed`, `block_s` (a block every so
    often), `settle_s` (how long payments may take to end after the last kill) and `folder` (new; keeps all files).
    """
    plan = Plan(
        kills=options.number("kills", 300, 12, least=1),
        kill_s=options.number("kill_s", 7_200.0, 600.0),
        pause_s=options.number("pause_s", 0.0, 0.0),
        seed=options.number("seed", 1, 1),
        block_s=options.number("block_s", 1.0, 0.5),
        settle_s=options.number("settle_s", 300.0, 90.0),
    )
    kept = options.word("folder", "")
    if kept:
        Path(kept).mkdir(parents=True)
        return _told(Path(kept).resolve(), plan)
    with TemporaryDirectory(prefix="bes-signing-kills-") as name:
        return _told(Path(name), plan)


def _told(folder: Path, plan: Plan) -> dict[str, object]:
    with signing_stage(folder) as stage:
        contracts = opened(stage)
        with Listener(stage.broker.port, SITE, stage.ledgers) as listener:
            payments = Payments(stage, contracts, plan.block_s).start()
            started_s = time.monotonic()
            tally = _kill(stage, StepWatch(stage.journal, stage.ledgers, listener), plan)
            killed_s = time.monotonic() - started_s
            payments.pause()
            settled_s = _settle(payments, plan.settle_s)
            time.sleep(_QUIET_S)
            payments.stop()
        tally.died += sum(not actor.alive for actor in stage.actors.values())
        verdict = _examined(stage, contracts, payments, listener)
        audit = _audited(stage)
    endings = Counter(f"{one.status} {one.rule}".strip() for one in payments.all)
    return {
        "kills": tally.victims.total(),
        "payments": len(payments.all),
        **verdict._asdict(),
        "audit": audit,
        "sound": verdict.sound and audit and not tally.died and not payments.failed,
        "died": tally.died,
        "kills_by_step": dict(sorted(tally.steps.items())),
        "kills_by_victim": dict(sorted(tally.victims.items())),
        "endings": dict(endings),
        "unended": {one.proposal_id or one.reason: f"{one.status}: {one.detail}" for one in payments.open},
        "denied": dict(payments.denied.most_common(10)),
        "driver": payments.failed,
        "killing_s": round(killed_s, 1),
        "settled_s": settled_s,
        "conditions": {
            "seed": plan.seed,
            "pause_s": plan.pause_s,
            "block_s": plan.block_s,
            "look_s": LOOK_S,
            "round_s": ROUND_S,
            "patience_s": PATIENCE_S,
            "report_every_s": REPORT_S,
            "boxes": len(stage.boxes),
            "in_flight": IN_FLIGHT,
            "aimed_share": AIMED_SHARE,
            "pair_share": PAIR_SHARE,
        },
    }


def _kill(stage: SigningStage, watch: StepWatch, plan: Plan) -> Tally:
    """One after the other or two at once, after steps that saw few; the next may fall while the last still starts."""
    tally, draw = Tally(Counter(dict.fromkeys(STEPS, 0)), Counter()), random.Random(plan.seed)
    ends_s = time.monotonic() + plan.kill_s
    while tally.victims.total() < plan.kills and time.monotonic() < ends_s:
        wanted = sorted(STEPS, key=lambda step: tally.steps[step])[: len(STEPS) // 2]
        taken = watch.await_step(wanted, _STEP_WITHIN_S) if draw.random() < AIMED_SHARE else None
        time.sleep(draw.uniform(0, _DELAY_S))
        names = {_victim(stage, taken, draw), *([_victim(stage, taken, draw)] if draw.random() < PAIR_SHARE else ())}
        for name in sorted(names):
            actor = stage.actors.get(name)
            tally.died += actor is not None and not actor.alive
            stage.victims[name].kill()
            tally.steps[taken.step if taken else ANY] += 1
            tally.victims[name] += 1
        time.sleep(draw.uniform(*DOWN_S))
        for name in sorted(names):
            stage.victims[name].start()
        time.sleep(plan.pause_s)
    return tally


def _victim(stage: SigningStage, taken: Taken | None, draw: random.Random) -> str:
    """Where a box has just done something, it is this box as often as not."""
    kind = draw.choices(list(_CROWD), list(_CROWD.values()))[0]
    if kind != "box":
        return kind
    if taken is not None and taken.node:
        return taken.node
    return draw.choice([box.name for box in stage.boxes])


def _settle(payments: Payments, within_s: float) -> float | None:
    """Seconds until every payment has ended; None where some have not."""
    started_s = time.monotonic()
    while payments.open:
        if time.monotonic() - started_s > within_s or payments.failed:
            return None
        time.sleep(_QUIET_S / 4)
    return round(time.monotonic() - started_s, 1)


def _examined(stage: SigningStage, contracts: tuple[Spendable, ...], payments: Payments, listener: Listener) -> Verdict:
    """Stop controller and boxes, and look at their files."""
    for actor in (stage.controller, *(box.actor for box in stage.boxes)):
        actor.stop()
    ledgers = {box.name: read_ledger(stage.ledgers[box.name], box.box_id) for box in stage.boxes}
    return judge(payments.all, ledgers, read_chain(stage.node, contracts), listener.heard, stage.tap.sent)


def _audited(stage: SigningStage) -> bool:
    """What `bes audit verify` says, with the controller's key pinned."""
    key = load_or_create(stage.scene.controller_state / "command.key").verify_key.encode().hex()
    words = [sys.executable, *bes("audit", "verify", str(stage.journal), "--key", key)]
    return subprocess.run(words, capture_output=True, timeout=_AUDIT_S, check=False).returncode == 0
