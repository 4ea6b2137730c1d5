"""Boards, fans and what the wall feels of them. Every lag is the exact exponential, so a long step stays stable.

One thermal node a board: C dT/dt = P - G(fan) (T - T_inlet). Assumptions in the range of published firmware limits:
target 55 °C, time constant 90 s at reference fan speed, power rising 0.45 % a kelvin, fan power with the cube of speed.
"""

import numpy as np

from hardware_sims.physics import phase
from hardware_sims.physics.columns import Columns, Flags, Floats

REFERENCE_BOARD_C = 55.0
REFERENCE_RISE_K = 28.0  # board over inlet at nominal power and reference fan speed
REFERENCE_FAN_SPEED = 0.6
IMMERSED_FLOW = 0.8  # machines without fans are always washed
TIME_CONSTANT_S = 90.0
POWER_PER_K = 0.0045
CHIP_RISE_K = 15.0  # chip over board at nominal power
STARTING_SHARE = 0.08  # of nominal board power while the mining process starts

_STILL_AIR = 0.1  # share of the conductance that needs no fan
_POWER_LAG_S = 1.0
_FAN_LAG_S = 3.0
_FAN_GAIN = 0.03  # per K
_FAN_INTEGRAL_GAIN = 0.0006  # per K and second
_FAN_MINIMUM = 0.15


def move_power(columns: Columns, alive: Flags, dt: float) -> None:
    """Board power follows the ladder's level, the unit's factor and the board's temperature."""
    dc_w = np.maximum(columns.level_w - columns.overhead_w, 0.0) * columns.psu_efficiency
    dc_w = np.where(columns.state == phase.STARTING, STARTING_SHARE * columns.nominal_board_w * _count(columns), dc_w)
    per_board = dc_w * columns.power_factor / _count(columns)
    warmth = 1.0 + POWER_PER_K * (columns.board_temp_c - REFERENCE_BOARD_C)
    aim = np.where(alive, per_board[:, None] * warmth, 0.0)
    columns.board_w += (aim - columns.board_w) * _reached(dt, _POWER_LAG_S)
    columns.board_w[columns.state == phase.OFF] = 0.0


def move_boards(columns: Columns, flow: Floats, dt: float) -> None:
    """Board temperatures, with `flow` the air against full speed of all fans (n)."""
    conductance = columns.nominal_conductance * (_STILL_AIR + (1 - _STILL_AIR) * flow / REFERENCE_FAN_SPEED)
    capacity = columns.nominal_conductance * TIME_CONSTANT_S
    settled = columns.inlet_c[:, None] + columns.board_w / conductance[:, None]
    columns.board_temp_c += (settled - columns.board_temp_c) * -np.expm1(-dt * conductance / capacity)[:, None]


def move_fans(columns: Columns, turning: Flags, dt: float) -> Floats:
    """A PI controller on the hottest board; returns the air flow against all fans at full speed."""
    state = columns.state
    error = columns.board_temp_c.max(axis=1) - REFERENCE_BOARD_C
    running = (state == phase.TUNING) | (state == phase.HASHING)
    integral = np.clip(columns.fan_integral + _FAN_INTEGRAL_GAIN * error * dt, -0.5, 0.6)
    columns.fan_integral = np.where(running, integral, columns.fan_integral)
    order = np.clip(REFERENCE_FAN_SPEED + _FAN_GAIN * error + columns.fan_integral, _FAN_MINIMUM, 1.0)
    order = np.where(running, order, _FAN_MINIMUM)
    order = np.where(state == phase.STOPPED_THERMAL, 1.0, order)
    order = np.where((state == phase.OFF) | (state == phase.SLEEPING), 0.0, order)
    columns.fan_speed += (order - columns.fan_speed) * _reached(dt, _FAN_LAG_S)
    fans = columns.fans.sum(axis=1)
    share = np.where(fans > 0, turning.sum(axis=1) / np.maximum(fans, 1), 0.0)
    flow: Floats = np.where(fans > 0, columns.fan_speed * share, IMMERSED_FLOW)
    return flow


def wall_power_w(columns: Columns, turning: Flags) -> Floats:
    """What the outlet gives: boards through the PSU, fans, control board; nothing when the outlet is off."""
    fans_w = columns.fan_w * columns.fan_speed**3 * turning.sum(axis=1)
    power_w = columns.board_w.sum(axis=1) / columns.psu_efficiency + fans_w + columns.standby_w
    drawn_w: Floats = np.where(columns.state == phase.OFF, 0.0, power_w)
    return drawn_w


def _count(columns: Columns) -> Floats:
    count: Floats = columns.boards.sum(axis=1).astype(np.float64)
    return count


def _reached(dt: float, lag_s: float) -> float:
    return float(-np.expm1(-dt / lag_s))
