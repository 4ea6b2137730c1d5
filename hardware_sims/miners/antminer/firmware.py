"""Which stock build a unit runs, and what differs between the builds that we imitate."""

import random
from dataclasses import dataclass

READ_KEY = "bitmain-work-mode"
OLD_WRITE_KEY = "miner-mode"


@dataclass(frozen=True)
class Firmware:
    """`mode_key` is the only key under which a write changes the mode; reads always show `bitmain-work-mode`.

    A mode of the other type (text or number) counts as missing. `rpc_sleeps`: the mining process owns port 4028, which
    therefore closes while the machine sleeps.
    """

    version: str
    mode_key: str = OLD_WRITE_KEY
    mode_is_text: bool = False
    rate_unit: str = "GH"
    miner_version: str = "uart_trans.1.3"
    rpc_sleeps: bool = False
    joins_commands: bool = False

    @staticmethod
    def drawn(model: str, serial: str) -> "Firmware":
        """The same build for the same model and serial number; unknown models run one of the oldest model's builds."""
        return random.Random(serial).choice(BUILDS.get(model, BUILDS["Antminer S19j Pro"]))


BUILDS = {
    "Antminer S19j Pro": (
        Firmware("Fri Nov 26 17:37:29 CST 2021"),
        Firmware("Mon Dec 26 13:35:52 CST 2022", mode_is_text=True, rpc_sleeps=True),
    ),
    "Antminer S19 XP": (
        Firmware("Thu Aug 18 15:13:34 CST 2022"),
        Firmware("Tue Sep 19 10:25:46 CST 2023", mode_is_text=True, rate_unit="GH/s"),
    ),
    "Antminer S21": (
        Firmware("Fri Dec 29 11:39:04 CST 2023", rate_unit="GH/s"),
        Firmware("Sat Aug 31 14:53:22 CST 2024", mode_key=READ_KEY, mode_is_text=True, rate_unit="GH/s"),
    ),
    "Antminer S21 Pro": (
        Firmware("Sat Aug 31 14:53:22 CST 2024", mode_key=READ_KEY, rate_unit="GH/s", rpc_sleeps=True),
    ),
}
