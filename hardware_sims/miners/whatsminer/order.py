"""The write commands of Whatsminer API v2: what each does to the machine, and when it is refused with code 132."""

from collections.abc import Callable, Mapping
from typing import Any

from hardware_sims.miners.machine import Machine, Pool

POOL_COUNT = 3
MAX_POWER_LIMIT_W = 99_999
MAX_PERCENT = 100
LED_NUMBERS = ("period", "duration", "start")
LED_COLOURS = ("red", "green")
PASSWORD_BYTES = 8


class OrderRefused(Exception):
    """The device answers `Command error`, code 132; the text names the parameter."""


class Orders:
    """Carries out orders; remembers the percentage that the device forgets at the next restart."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._percent: int | None = None
        self._throttled_w: int | None = None
        self._limit_before_w: int | None = None
        self.handlers: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "power_off": lambda _: machine.sleep(),
            "power_on": lambda _: machine.wake(),
            "restart_btminer": lambda _: machine.restart_mining(),
            "reboot": lambda _: machine.reboot(),
            "set_low_power": lambda _: machine.set_power_mode("low"),
            "set_normal_power": lambda _: machine.set_power_mode("normal"),
            "set_high_power": lambda _: machine.set_power_mode("high"),
            "adjust_power_limit": self._adjust_power_limit,
            "set_power_pct": self._set_power_pct,
            "update_pools": self._update_pools,
            "set_led": self._set_led,
            "update_pwd": self._update_pwd,
        }

    @property
    def percent(self) -> int | None:
        """The temporary percentage; None once anything else has changed the limit."""
        return self._percent if self._machine.power_limit_w == self._throttled_w else None

    @property
    def power_limit_w(self) -> int:
        """What the device reports: the limit that was set, not the percentage of it."""
        limit_w = self._machine.power_limit_w if self.percent is None else self._limit_before_w
        return self._machine.nameplate_w if limit_w is None else limit_w

    def _adjust_power_limit(self, parameters: Mapping[str, Any]) -> None:
        self._machine.set_power_limit(_number(parameters, "power_limit", MAX_POWER_LIMIT_W))

    def _set_power_pct(self, parameters: Mapping[str, Any]) -> None:
        percent = _number(parameters, "percent", MAX_PERCENT)
        if self.percent is None:
            self._limit_before_w = self._machine.power_limit_w
        base_w = self._limit_before_w if self._limit_before_w is not None else self._machine.nameplate_w
        self._machine.set_power_limit(base_w * percent // 100)
        self._percent, self._throttled_w = percent, self._machine.power_limit_w

    def _update_pools(self, parameters: Mapping[str, Any]) -> None:
        """All three, always: a client that leaves one out is refused, one that sends it empty deletes it."""
        pools = [
            Pool(_text(parameters, f"pool{n}"), _text(parameters, f"worker{n}"), _text(parameters, f"passwd{n}"))
            for n in range(1, POOL_COUNT + 1)
        ]
        self._machine.set_pools([pool for pool in pools if pool.url])

    def _set_led(self, parameters: Mapping[str, Any]) -> None:
        if parameters.get("param") == "auto":
            self._machine.blink(False)
            return
        if parameters.get("color") not in LED_COLOURS:
            raise OrderRefused("color")
        for name in LED_NUMBERS:
            if not isinstance(parameters.get(name), int):
                raise OrderRefused(name)
        self._machine.blink(True)

    def _update_pwd(self, parameters: Mapping[str, Any]) -> None:
        old, new = _text(parameters, "old"), _text(parameters, "new")
        allowed = new.isascii() and new.replace("_", "").isalnum() and len(new) <= PASSWORD_BYTES
        if old != self._machine.password or not allowed:
            raise OrderRefused("old or new")
        self._machine.password = new


def _text(parameters: Mapping[str, Any], name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str):
        raise OrderRefused(name)
    return value


def _number(parameters: Mapping[str, Any], name: str, most: int) -> int:
    """A number in a string, as this API wants all of them."""
    text = _text(parameters, name)
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        raise OrderRefused(name)
    return int(text)
