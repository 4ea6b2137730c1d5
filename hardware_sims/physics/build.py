"""Build the columns of a fleet from its models and a seed: unit spread, weak chips, boards and fans that will fail."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hardware_sims.model import Family, MinerModel, family_of
from hardware_sims.physics import phase, thermal
from hardware_sims.physics.columns import CORNERS, NEVER, Columns, Flags, Floats, Ints

HASH_SPREAD = 0.012
POWER_SPREAD = 0.02
BOARD_SPREAD = 0.008
AIR_SPREAD_K = 0.8
OLDEST_PROCESS_S = 10 * 86_400.0
_CORNER_RISE_K = np.array([-4.0, -1.5, 1.0, 4.0])  # intake to exhaust
_SMALL_STANDBY_W = 2.0


@dataclass(frozen=True, slots=True)
class Wear:
    """Shares of the population that break within `horizon_s` of simulated time, at moments drawn from the seed."""

    boards: float = 0.01
    fans: float = 0.005
    chips: float = 0.002  # chips dead from the start
    horizon_s: float = 30 * 86_400.0


NO_WEAR = Wear(boards=0.0, fans=0.0, chips=0.0)


def build(
    models: tuple[MinerModel, ...], model_of: Ints, rng: np.random.Generator, *, wear: Wear, warm: bool
) -> Columns:
    """`warm` machines have hashed for hours; cold ones stand without power at time 0."""
    boards = _places([model.boards for model in models], model_of)
    fans = _places([model.fans for model in models], model_of)
    n = len(model_of)
    columns = Columns(
        boards=boards,
        fans=fans,
        hash_factor=rng.normal(1.0, HASH_SPREAD, n),
        power_factor=rng.normal(1.0, POWER_SPREAD, n),
        board_share=_shares(boards, rng),
        corner_c=_CORNER_RISE_K + rng.normal(0.0, 0.7, (*boards.shape, CORNERS)),
        start_s=_by_family(models, model_of, "start_s") * rng.uniform(0.8, 1.2, n),
        ramp_s=_by_family(models, model_of, "ramp_s") * rng.uniform(0.9, 1.1, n),
        air_offset_c=rng.normal(0.0, AIR_SPREAD_K, n),
        chips_good=_chips(models, model_of, boards, wear, rng),
        board_dies_at=_deaths(boards, wear.boards, wear, rng),
        fan_dies_at=_deaths(fans, wear.fans, wear, rng),
        **_ratings(models, model_of, boards, fans),
        **_at_rest(n, boards),
    )
    if warm:
        _run_since_long(columns, rng)
    return columns


def target_w(model: MinerModel, mode: str, limit_w: int | None, power_factor: float) -> float:
    """Where a machine stands on its ladder. Firmware in closed loop takes its own unit's thirst into account."""
    aim = float(model.modes[mode])
    if limit_w is not None:
        family: Family = family_of(model)
        aim = min(aim, limit_w / power_factor) if family.closed_loop else min(aim, float(limit_w))
    return min(max(aim, model.ladder[0][0]), model.ladder[-1][0])


def _ratings(models: tuple[MinerModel, ...], model_of: Ints, boards: Flags, fans: Flags) -> dict[str, Any]:
    """What follows from the models alone."""
    normal_w = np.array([float(model.modes["normal"]) for model in models])[model_of]
    sleep_w = [family_of(model).sleep_w for model in models]
    standby_w = np.array([_SMALL_STANDBY_W if watts is None else watts for watts in sleep_w])[model_of]
    fan_w = _by_family(models, model_of, "fan_w")
    efficiency = _by_family(models, model_of, "psu_efficiency")
    overhead_w = standby_w + fan_w * thermal.REFERENCE_FAN_SPEED**3 * fans.sum(axis=1)
    board_w = (normal_w - overhead_w) * efficiency / boards.sum(axis=1)
    return {
        "nameplate_ths": np.array([model.nameplate_ths for model in models])[model_of],
        "nominal_board_w": board_w,
        "nominal_conductance": board_w / thermal.REFERENCE_RISE_K,
        "fan_w": fan_w,
        "fan_max_rpm": _by_family(models, model_of, "fan_max_rpm"),
        "psu_efficiency": efficiency,
        "standby_w": standby_w,
        "overhead_w": overhead_w,
        "ramp_steps": _by_family(models, model_of, "ramp_steps"),
        "board_trip_c": _by_family(models, model_of, "board_trip_c"),
        "inlet_trip_c": _by_family(models, model_of, "inlet_trip_c"),
        "target_w": normal_w,
    }


def _by_family(models: tuple[MinerModel, ...], model_of: Ints, name: str) -> Floats:
    values: Floats = np.array([float(getattr(family_of(model), name)) for model in models])[model_of]
    return values


def _at_rest(n: int, boards: Flags) -> dict[str, Any]:
    def zeros() -> Floats:
        return np.zeros(n)

    def counters() -> Ints:
        return np.zeros(n, dtype=np.int64)

    return {
        "contact": np.zeros(n, dtype=np.bool_),
        "mains": np.ones(n, dtype=np.bool_),
        "asleep_by_order": np.zeros(n, dtype=np.bool_),
        "state": np.full(n, phase.OFF, dtype=np.int64),
        "state_until": np.full(n, NEVER),
        "booted_at": zeros(),
        "process_at": zeros(),
        "process_work_th": zeros(),
        "level_w": zeros(),
        "level_ths": zeros(),
        "noise": zeros(),
        "inlet_c": np.full(n, 25.0),
        "environment_c": np.full(n, 25.0),
        "board_temp_c": np.full(boards.shape, 25.0),
        "board_w": np.zeros(boards.shape),
        "board_ths": np.zeros(boards.shape),
        "fan_speed": zeros(),
        "fan_integral": zeros(),
        "power_w": zeros(),
        "energy_wh": zeros(),
        "work_th": zeros(),
        "accepted": counters(),
        "rejected": counters(),
        "stale": counters(),
        "hardware_errors": np.zeros(boards.shape, dtype=np.int64),
    }


def _run_since_long(columns: Columns, rng: np.random.Generator) -> None:
    """As if every machine had been started at some moment of the last days and hashed at its nameplate since."""
    n = len(columns)
    columns.contact[:] = True
    columns.state[:] = phase.HASHING
    age_s = rng.uniform(3_600.0, OLDEST_PROCESS_S, n)
    columns.process_at[:] = -age_s
    columns.booted_at[:] = -age_s - 90.0
    columns.process_work_th[:] = -columns.nameplate_ths * columns.hash_factor * age_s
    columns.board_temp_c[columns.boards] = thermal.REFERENCE_BOARD_C
    columns.board_w[:] = np.where(columns.boards, (columns.nominal_board_w * columns.power_factor)[:, None], 0.0)
    columns.fan_speed[:] = thermal.REFERENCE_FAN_SPEED
    columns.accepted[:] = rng.poisson(0.3 * age_s)
    columns.rejected[:] = rng.binomial(columns.accepted, 0.002)
    columns.stale[:] = rng.binomial(columns.accepted, 0.003)


def _places(counts: list[int], model_of: Ints) -> Flags:
    width = max(1, *counts)
    flags: Flags = np.arange(width) < np.array(counts)[model_of][:, None]
    return flags


def _shares(boards: Flags, rng: np.random.Generator) -> Floats:
    weight = np.where(boards, rng.normal(1.0, BOARD_SPREAD, boards.shape), 0.0)
    shares: Floats = weight / weight.sum(axis=1, keepdims=True)
    return shares


def _chips(models: tuple[MinerModel, ...], model_of: Ints, boards: Flags, wear: Wear, rng: np.random.Generator) -> Ints:
    """A board of one chip has it whole: its death is a board's death."""
    chips = np.array([model.chips for model in models])[model_of][:, None]
    good = rng.binomial(np.broadcast_to(chips, boards.shape), 1.0 - wear.chips)
    return np.where(boards, np.where(chips == 1, 1, good), 0).astype(np.int64)


def _deaths(places: Flags, share: float, wear: Wear, rng: np.random.Generator) -> Floats:
    dies = places & (rng.random(places.shape) < share)
    return np.where(dies, rng.uniform(0.0, wear.horizon_s, places.shape), NEVER)
