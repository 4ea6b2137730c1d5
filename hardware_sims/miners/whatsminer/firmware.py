"""Which build of the vendor's firmware a unit runs, and what differs between the builds that we imitate."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Firmware:
    """`error_codes`: how `get_error_code` writes its list: `dated`, `bare` or, invalid JSON, `dict_in_list`.

    A build that does not measure power reports -1 W.
    """

    version: str
    api_version: str
    platform: str
    error_codes: str = "dated"
    joins_commands: bool = True
    measures_power: bool = True

    @staticmethod
    def drawn(serial: str) -> "Firmware":
        """The same build for the same serial number."""
        return random.Random(serial).choice(BUILDS)


BUILDS = (
    Firmware("20230803.11.REL", "2.0.5", "H616"),
    Firmware("20231212.16.REL", "2.0.5", "H616"),
    Firmware("20220928.15.REL", "2.0.4", "H6OS", error_codes="dict_in_list"),
    Firmware("20240517.22.REL", "2.0.6", "H616", error_codes="bare"),
)
"""Dated builds before November 2024, the last ones whose v2 writes act."""

_VARIANTS = {"M50S": "VH30", "M60S": "VK30", "M66S": "VK30"}


def full_model(model: str) -> str:
    """`M60S_VK30`: the device adds the variant of its hash boards to the model."""
    return f"{model}_{_VARIANTS[model]}" if model in _VARIANTS else model
