"""The story of a demo, told in steps; each step measures what it claims and fails where it is not so."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from hardware_sims.demo.cast import Actor
from hardware_sims.demo.client import JsonClient, wait_for
from hardware_sims.demo.disproved import Disproved, require
from hardware_sims.demo.scene import SITE, SPIKE_USD_MWH, Scene
from hardware_sims.demo.treasury import Treasury
from hardware_sims.demo.treasury_steps import Told
from hardware_sims.demo.treasury_steps import steps as of_the_treasury
from shared.errors import BesError, GatewayRefused, GatewayUnavailable

CURTAIL_SHARE = 0.4
LANDING_SHARE = 0.005
SETTLES_WITHIN_S = 240.0
STAYS_S = 20.0
METER_LOOKS = 5
RUNNING_SHARE = 0.95
KILLED_S = 20.0


class Step(msgspec.Struct, frozen=True):
    name: str
    ok: bool
    figures: str
    seconds: float


class Stage(msgspec.Struct):
    """Who takes part. `api` is the controller as a person sees it, `truth` the simulators' control port.

    `running_w` is what the site drew when all was well.
    """

    scene: Scene
    api: JsonClient
    truth: JsonClient
    controller: Actor
    agent: Actor
    treasury: Treasury
    miners: int
    running_w: float = 0.0


def play(stage: Stage) -> Iterator[Step]:
    """Every step in its order; the first that fails ends the story."""
    steps: tuple[tuple[str, Callable[[Stage], str]], ...] = (
        ("discovery", discovery),
        ("normal running", normal_running),
        ("price spike", price_spike),
        ("price falls again", price_falls),
        ("curtailment by an operator", curtailment),
        ("restore", restore),
        ("controller killed", controller_killed),
        *((name, _in_the_treasury(tell)) for name, tell in of_the_treasury()),
    )
    for name, tell in steps:
        started_s = time.monotonic()
        try:
            figures, ok = tell(stage), True
        except (BesError, Disproved) as error:
            figures, ok = str(error), False
        yield Step(name, ok, figures, time.monotonic() - started_s)
        if not ok:
            return


def _in_the_treasury(tell: Told) -> Callable[[Stage], str]:
    return lambda stage: tell(stage.api, stage.treasury)


def discovery(stage: Stage) -> str:
    """Every miner is found, placed and read."""

    def all_report() -> dict[str, Any] | None:
        summary: dict[str, Any] = stage.api.get(f"/sites/{SITE}/summary")
        return summary if summary["reporting"] >= 0.97 * stage.miners else None

    summary = wait_for("97 % of the miners report", all_report, 90)
    require(summary["miners"] == stage.miners, f"{summary['miners']} miners known, {stage.miners} were built")
    return f"{summary['miners']} miners known, {summary['reporting']} report"


def normal_running(stage: Stage) -> str:
    """The site's meter agrees with the truth within its accuracy, and money is earned."""

    def settled() -> dict[str, Any] | None:
        summary: dict[str, Any] = stage.api.get(f"/sites/{SITE}/summary")
        known = all(summary[name]["value"] is not None for name in ("power_w", "hashrate_ths", "profit_usd_h"))
        return summary if known else None

    summary = wait_for("power, hash rate and profit are known", settled, 60)
    metered_w, true_w = summary["power_w"]["value"], _true_site_w(stage)
    stage.running_w = true_w
    off_pct = abs(metered_w / true_w - 1) * 100
    require(off_pct < 3, f"the meter says {metered_w / 1000:.0f} kW, the truth is {true_w / 1000:.0f} kW")
    return (
        f"{summary['hashrate_ths']['value'] / 1000:.2f} PH/s, {metered_w / 1000:.0f} kW by the meter "
        f"({off_pct:.2f} % from the truth), {summary['profit_usd_h']['value']:.2f} USD/h"
    )


def price_spike(stage: Stage) -> str:
    """Above its break-even the fleet stops by itself, and the meter shows it."""
    before_w = _true_site_w(stage)

    def dear() -> float | None:
        price = stage.api.get(f"/sites/{SITE}/summary")["price_usd_mwh"]["value"]
        return price if price is not None and price > _dear(stage) else None

    price = wait_for("the price spike arrives", dear, stage.scene.spike_at_s + 60)
    seen_s = time.monotonic()

    def stopped() -> float | None:
        power_w = _true_site_w(stage)
        return power_w if power_w < 0.25 * before_w else None

    after_w = wait_for("the site draws less than a quarter", stopped, stage.scene.spike_for_s + 30)
    took_s = time.monotonic() - seen_s
    decision = stage.api.get(f"/sites/{SITE}/dispatch")
    return (
        f"{price:.0f} USD/MWh: {before_w / 1000:.0f} kW → {after_w / 1000:.0f} kW in {took_s:.0f} s, "
        f"decided in {decision['solve_ms']:.0f} ms, {decision['asleep']} asleep"
    )


def price_falls(stage: Stage) -> str:
    """The fleet comes back, downs before ups, within the feeders' limits."""
    limit_w = _site_limit_w(stage)
    peak_w = 0.0

    def cheap() -> float | None:
        price = stage.api.get(f"/sites/{SITE}/summary")["price_usd_mwh"]["value"]
        return price if price is not None and price < _dear(stage) else None

    price = wait_for("the price falls", cheap, stage.scene.spike_for_s + 60)
    seen_s = time.monotonic()

    def running() -> float | None:
        nonlocal peak_w
        power_w = _true_site_w(stage)
        peak_w = max(peak_w, power_w)
        return power_w if power_w > RUNNING_SHARE * stage.running_w else None

    power_w = wait_for("the site draws what it drew before", running, 240)
    took_s = time.monotonic() - seen_s
    require(peak_w <= limit_w, f"{peak_w / 1000:.0f} kW at the worst, the site may draw {limit_w / 1000:.0f} kW")
    return f"{price:.0f} USD/MWh: {power_w / 1000:.0f} kW again in {took_s:.0f} s, never above {limit_w / 1000:.0f} kW"


def curtailment(stage: Stage) -> str:
    """An operator sheds load; it is done when the meter says so, not before, and no more is shed than was asked for."""
    metered_per_true = _metered_per_true(stage)
    reduction_w = round(CURTAIL_SHARE * _true_site_w(stage))
    preview = stage.api.post(f"/sites/{SITE}/curtailments/preview", {"reduction_w": reduction_w})
    begun_s = time.monotonic()
    order = {"preview_id": preview["id"], "reason": "demo: the grid operator calls", "confirm": preview["confirm"]}
    curtailment_id = stage.api.post(f"/sites/{SITE}/curtailments", order)["id"]

    def landed() -> dict[str, Any] | None:
        found: dict[str, Any] = _curtailment(stage, curtailment_id)
        return found if found["landed_at_ms"] is not None else None

    view = wait_for("the meter stands below the target", landed, 180)
    took_s, target_w = time.monotonic() - begun_s, view["target_w"]
    error_w = _settled(stage, target_w / metered_per_true)
    return (
        f"−{reduction_w / 1000:.0f} kW asked of {view['miners']} miners; the meter stood below "
        f"{target_w / 1000:.0f} kW after {took_s:.0f} s, settled {error_w / 1000:+.1f} kW "
        f"({error_w / target_w:+.2%}) from it after {time.monotonic() - begun_s:.0f} s"
    )


def _settled(stage: Stage, target_w: float) -> float:
    """What the site truly draws above `target_w`, below zero where less, once it has stayed near it for a while."""
    near_since_s = time.monotonic()
    error_w = float("inf")

    def stayed_near() -> float | None:
        nonlocal near_since_s, error_w
        truth = stage.truth.get("/truth")
        error_w = truth["feeders"]["site"]["power_w"] - target_w
        if abs(error_w) > max(LANDING_SHARE * target_w, *truth["miners"]["power_w"]):
            near_since_s = time.monotonic()
        return error_w if time.monotonic() - near_since_s >= STAYS_S else None

    try:
        return wait_for("the site stays at its target", stayed_near, SETTLES_WITHIN_S)
    except GatewayUnavailable as error:
        raise Disproved(
            f"the site does not stay at {target_w / 1000:.0f} kW: {error_w / 1000:+.1f} kW after "
            f"{SETTLES_WITHIN_S:.0f} s, neither half a percent nor one miner"
        ) from error


def restore(stage: Stage) -> str:
    running = [found for found in stage.api.get(f"/sites/{SITE}/curtailments") if found["ended_at_ms"] is None]
    for found in running:
        stage.api.post(f"/curtailments/{found['id']}/end", {"reason": "demo: the call is over"})

    def back() -> float | None:
        power_w = _true_site_w(stage)
        return power_w if power_w > RUNNING_SHARE * stage.running_w else None

    return f"{wait_for('the site draws what it drew before', back, 240) / 1000:.0f} kW again"


def controller_killed(stage: Stage) -> str:
    """Without its controller the site goes on, and nothing that was read meanwhile is lost."""
    before_w = _true_site_w(stage)
    killed_at_ms = int(time.time() * 1000)
    stage.controller.kill()
    time.sleep(KILLED_S)
    require(stage.agent.alive, "the agent died with its controller")
    alone_w = _true_site_w(stage)
    require(abs(alone_w - before_w) < 0.1 * before_w, f"{before_w / 1000:.0f} kW became {alone_w / 1000:.0f} kW")
    stage.controller.start()
    back_at_ms = int(time.time() * 1000)

    def drained() -> dict[str, Any] | None:
        nodes = stage.api.get(f"/sites/{SITE}/nodes")
        fresh = [node for node in nodes if node["connected"] and (node["backlog_rows"] or 0) < 10]
        return fresh[0] if fresh and _stored_share(stage, killed_at_ms, back_at_ms) >= 0.9 else None

    wait_for("the backlog has been stored", drained, 120)
    require(not stage.api.get(f"/sites/{SITE}/gaps"), "the gap ledger is not empty")
    share = _stored_share(stage, killed_at_ms, back_at_ms)
    return (
        f"{KILLED_S:.0f} s without it: {alone_w / 1000:.0f} kW held, {share:.0%} of the time stored afterwards, no gap"
    )


def _stored_share(stage: Stage, from_ms: int, to_ms: int) -> float:
    """How much of a span the main meter's stored samples cover."""
    meter = stage.api.get(f"/sites/{SITE}/meters")[0]["id"]
    query = f"subject={meter}&field=power_w&from_ms={from_ms}&to_ms={to_ms}&points=2000"
    series = stage.api.get(f"/sites/{SITE}/series?{query}")
    stored = sum(value is not None for value in series["mean"])
    return min(stored * float(series["step_ms"]) / (to_ms - from_ms), 1.0)


def _curtailment(stage: Stage, curtailment_id: str) -> dict[str, Any]:
    for found in stage.api.get(f"/sites/{SITE}/curtailments"):
        if found["id"] == curtailment_id:
            view: dict[str, Any] = found
            return view
    raise GatewayRefused(f"curtailment {curtailment_id} is not listed")


def _true_site_w(stage: Stage) -> float:
    feeders: dict[str, dict[str, float]] = stage.truth.get("/truth")["feeders"]
    return feeders["site"]["power_w"]


def _metered_per_true(stage: Stage) -> float:
    """How much more than the truth the site's meter shows: the error of its class, without its noise."""
    meter, ratios = stage.api.get(f"/sites/{SITE}/meters")[0]["id"], []
    for _ in range(METER_LOOKS):
        found = stage.truth.get(f"/truth?device={meter}")
        ratios.append(found["shown_w"] / found["true_w"])
        time.sleep(0.3)
    return statistics.fmean(ratios)


def _site_limit_w(stage: Stage) -> float:
    for feeder in stage.api.get(f"/sites/{SITE}/feeders"):
        if feeder["parent"] is None and feeder["limit_w"] is not None:
            limit_w: float = feeder["limit_w"]
            return limit_w
    return float("inf")


def _dear(stage: Stage) -> float:
    """Halfway to the spike on a ladder of factors; a real series has a lower top than the invented one."""
    break_even = stage.api.get(f"/sites/{SITE}/summary")["break_even_usd_mwh"]
    return break_even if break_even is not None else SPIKE_USD_MWH / 2
