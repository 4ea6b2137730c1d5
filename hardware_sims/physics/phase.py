"""The state machine of all miners at once."""

import numpy as np

from hardware_sims.miners.machine import MachineState
from hardware_sims.physics.columns import NEVER, Columns, Flags, Ints

STATES = tuple(MachineState)
OFF, BOOTING, STARTING, TUNING, HASHING, SLEEPING, STOPPED_THERMAL, FAULT = range(len(STATES))

BOOT_S = (60.0, 120.0)
THERMAL_REST_S = 300.0
RESUME_BOARD_C = 50.0
RESUME_INLET_MARGIN_C = 5.0


def advance(columns: Columns, now: float, rng: np.random.Generator) -> None:
    """Carry out every transition that is due at `now`."""
    state = columns.state
    powered = columns.powered
    cut = ~powered & (state != OFF)
    if cut.any():
        _enter(columns, np.flatnonzero(cut), OFF, NEVER)
    fed = powered & (state == OFF)
    if fed.any():
        boot(columns, np.flatnonzero(fed), now, rng)
    due = columns.state_until <= now
    if due.any():
        _advance_due(columns, due, now)
    _guard(columns, now)


def boot(columns: Columns, rows: Ints, now: float, rng: np.random.Generator) -> None:
    """The control board starts afresh; counters of the system begin at 0."""
    _enter(columns, rows, BOOTING, now + rng.uniform(*BOOT_S, size=len(rows)))
    columns.booted_at[rows] = now
    _forget_process(columns, rows, now)


def sleep(columns: Columns, rows: Ints, now: float) -> None:
    _enter(columns, rows, SLEEPING, NEVER)
    _forget_process(columns, rows, now)


def start_process(columns: Columns, rows: Ints, now: float) -> None:
    """The mining process starts afresh; hash rate comes only after it."""
    _enter(columns, rows, STARTING, now + columns.start_s[rows])
    _forget_process(columns, rows, now)


def _advance_due(columns: Columns, due: Flags, now: float) -> None:
    was = columns.state.copy()
    booted = due & (was == BOOTING)
    if booted.any():
        sleep(columns, np.flatnonzero(booted & columns.asleep_by_order), now)
        start_process(columns, np.flatnonzero(booted & ~columns.asleep_by_order), now)
    started = np.flatnonzero(due & (was == STARTING))
    _enter(columns, started, TUNING, now + columns.ramp_s[started])
    _enter(columns, np.flatnonzero(due & (was == TUNING)), HASHING, NEVER)
    cool = (columns.board_temp_c.max(axis=1) < RESUME_BOARD_C) & (
        columns.inlet_c < columns.inlet_trip_c - RESUME_INLET_MARGIN_C
    )
    start_process(columns, np.flatnonzero(due & (was == STOPPED_THERMAL) & cool), now)


def _guard(columns: Columns, now: float) -> None:
    """Machines stop by themselves when too hot or when no board answers."""
    running = (columns.state == TUNING) | (columns.state == HASHING)
    alive = (columns.boards & (now < columns.board_dies_at)).any(axis=1)
    dead = running & ~alive
    if dead.any():
        _enter(columns, np.flatnonzero(dead), FAULT, NEVER)
    repaired = (columns.state == FAULT) & alive
    if repaired.any():
        start_process(columns, np.flatnonzero(repaired), now)
    hot = (columns.board_temp_c.max(axis=1) >= columns.board_trip_c) | (columns.inlet_c >= columns.inlet_trip_c)
    tripped = running & alive & hot
    if tripped.any():
        rows = np.flatnonzero(tripped)
        _enter(columns, rows, STOPPED_THERMAL, now + THERMAL_REST_S)
        _forget_process(columns, rows, now)


def _enter(columns: Columns, rows: Ints, state: int, until: float | np.ndarray) -> None:
    columns.state[rows] = state
    columns.state_until[rows] = until


def _forget_process(columns: Columns, rows: Ints, now: float) -> None:
    columns.process_at[rows] = now
    columns.process_work_th[rows] = columns.work_th[rows]
