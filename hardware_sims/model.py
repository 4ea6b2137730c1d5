"""What the simulator can build: machine models and their families, read from `models.toml`."""

from functools import cache
from pathlib import Path

import msgspec

from shared.errors import SettingInvalid

MODELS_FILE = Path(__file__).with_name("models.toml")


class Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What machines of one firmware share. `closed_loop` firmware measures its watts and holds a limit by them.

    Without `sleep_w` the firmware has no stop order. Temperatures are of boards and of the air they draw in. `password`
    is the vendor's, with which a Whatsminer takes no orders.
    """

    password: str
    start_s: float
    ramp_s: float
    ramp_steps: int
    closed_loop: bool
    fan_max_rpm: float
    fan_w: float
    psu_efficiency: float
    board_trip_c: float
    inlet_trip_c: float
    voltage_v: float
    sleep_w: float | None = None


class MinerModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ladder` holds (wall W, TH/s) in rising order, `modes` the wall watts of each power mode."""

    name: str
    family: str
    nameplate_ths: float
    nameplate_w: int
    boards: int
    chips: int
    fans: int
    frequency_mhz: float
    ladder: tuple[tuple[float, float], ...]
    modes: dict[str, int]
    source: str


class ModelList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    family: dict[str, Family]
    model: tuple[MinerModel, ...]


@cache
def model_list() -> ModelList:
    """The shipped list, checked."""
    return msgspec.toml.decode(MODELS_FILE.read_bytes(), type=ModelList)


def model_named(name: str) -> MinerModel:
    """SettingInvalid where no such model is listed."""
    for model in model_list().model:
        if model.name == name:
            return model
    known = ", ".join(model.name for model in model_list().model)
    raise SettingInvalid(f"miner model {name!r} cannot be simulated; choose from: {known}")


def family_of(model: MinerModel) -> Family:
    return model_list().family[model.family]
