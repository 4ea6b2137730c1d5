"""The stored configuration of an Antminer: `get_miner_conf` shows it, `set_miner_conf` replaces it.

Nothing of the old document survives a write: a pool that the new one does not name is gone, a setting that it does not
name falls back to the factory's, and a mode under the wrong key or of the wrong type is a mode that it does not name.
"""

from collections.abc import Callable
from typing import Any

from hardware_sims.miners.antminer.firmware import READ_KEY, Firmware
from hardware_sims.miners.machine import Machine, Pool
from hardware_sims.miners.presence import carry_out

POOL_COUNT = 3
NORMAL, SLEEP, LOW = 0, 1, 3
FACTORY = {"bitmain-fan-ctrl": False, "bitmain-fan-pwm": "100", "freq-level": "100"}
SHOWN_AS = {"freq-level": "bitmain-freq-level"}  # this setting has another name in reads; both are understood in writes


class ConfigurationRefused(Exception):
    """The posted document is none: not an object, or pools that are no list of objects."""


class Configuration:
    """Mode and pools live in the machine, the rest here."""

    def __init__(self, machine: Machine, firmware: Firmware) -> None:
        self._machine = machine
        self._firmware = firmware
        self._settings: dict[str, Any] = dict(FACTORY)

    @property
    def mode(self) -> str | int:
        """In the type that this build uses."""
        mode = SLEEP if self._machine.asleep_by_order else LOW if self._machine.power_mode == "low" else NORMAL
        return str(mode) if self._firmware.mode_is_text else mode

    def document(self) -> dict[str, Any]:
        """Always three pools, empty ones included."""
        pools = [{"url": pool.url, "user": pool.user, "pass": pool.password} for pool in self._machine.pools]
        pools += [{"url": "", "user": "", "pass": ""}] * (POOL_COUNT - len(pools))
        return {
            "pools": pools,
            "api-listen": True,
            "api-network": True,
            "api-groups": "A:stats:pools:devs:summary:version",
            "api-allow": "A:0/0,W:*",
            **{SHOWN_AS.get(key, key): value for key, value in self._settings.items()},
            "bitmain-use-vil": True,
            "bitmain-ccdelay": "0",
            "bitmain-pwth": "0",
            READ_KEY: self.mode,
        }

    def replace(self, document: object) -> None:
        """ConfigurationRefused leaves everything as it was; otherwise the mining process restarts."""
        if not isinstance(document, dict):
            raise ConfigurationRefused("not an object")
        pools = _pools(document.get("pools", []))
        self._settings = {
            key: document.get(key, document.get(SHOWN_AS.get(key, key), factory)) for key, factory in FACTORY.items()
        }
        carry_out(self._machine, self._orders(self._mode_in(document), pools))

    def _mode_in(self, document: dict[str, Any]) -> int:
        value = document.get(self._firmware.mode_key)
        wanted = str if self._firmware.mode_is_text else int
        if isinstance(value, bool) or not isinstance(value, wanted) or str(value) not in ("0", "1", "3"):
            return NORMAL
        return int(value)

    def _orders(self, mode: int, pools: list[Pool]) -> list[Callable[[], None]]:
        """What makes the machine follow the document; one that changes nothing still restarts the mining process."""
        machine, orders = self._machine, list[Callable[[], None]]()
        power_mode = "low" if mode == LOW else "normal"
        if mode == SLEEP and not machine.asleep_by_order:
            orders.append(machine.sleep)
        if mode != SLEEP and machine.asleep_by_order:
            orders.append(machine.wake)
        if mode != SLEEP and machine.power_mode != power_mode:
            orders.append(lambda: machine.set_power_mode(power_mode))
        if [_plain(pool) for pool in pools] != [_plain(pool) for pool in machine.pools]:
            orders.append(lambda: machine.set_pools(pools))
        return orders or [machine.restart_mining]


def _plain(pool: Pool) -> tuple[str, str, str]:
    return pool.url, pool.user, pool.password


def _pools(given: object) -> list[Pool]:
    if not isinstance(given, list) or not all(isinstance(pool, dict) for pool in given):
        raise ConfigurationRefused("pools")
    named = [Pool(str(pool.get("url", "")), str(pool.get("user", "")), str(pool.get("pass", ""))) for pool in given]
    return [pool for pool in named[:POOL_COUNT] if pool.url]
