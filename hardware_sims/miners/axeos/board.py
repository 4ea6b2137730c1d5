"""What the ESP-Miner sources say of each BitAxe board: chip, cores, and the settings that its page offers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BoardKind:
    """`small_cores` a chip: expected GH/s = small cores × chips × MHz / 1000."""

    device: str
    asic: str
    small_cores: int
    version: str
    frequency_mhz: int
    frequencies_mhz: tuple[int, ...]
    core_mv: int
    core_options_mv: tuple[int, ...]
    chips: int = 1


_GAMMA = BoardKind(
    "Gamma", "BM1370", 2040, "601", 525, (400, 490, 525, 550, 600, 625), 1150, (1000, 1060, 1100, 1150, 1200, 1250)
)
_KINDS = {
    "BitAxe Gamma": _GAMMA,
    "BitAxe Supra": BoardKind(
        "Supra", "BM1368", 1276, "401", 490, (400, 425, 450, 475, 490, 500, 525), 1166, (1100, 1150, 1166, 1200, 1250)
    ),
    "BitAxe Ultra": BoardKind(
        "Ultra", "BM1366", 894, "204", 485, (400, 425, 450, 475, 485, 500, 525), 1200, (1100, 1150, 1200, 1250, 1300)
    ),
}


def board_kind(model: str) -> BoardKind:
    """Of a model that is not listed, the newest board."""
    return _KINDS.get(model, _GAMMA)
