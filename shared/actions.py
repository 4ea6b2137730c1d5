"""What can be ordered of a device: the words that commands, drivers and plans share.

Every action states an absolute target, so that ordering it twice does no more than ordering it once; the exceptions
(`Restart`, `Reboot`) are never repeated by us. Field order is on the wire: append only.
"""

from typing import ClassVar

import msgspec


class Action(msgspec.Struct, frozen=True, array_like=True, tag_field="action"):
    """One thing that a device can be told. `verb` is the word in API, profiles and console."""

    verb: ClassVar[str]
    repeatable: ClassVar[bool] = True


class Sleep(Action, frozen=True, array_like=True, tag="sleep"):
    """Stop hashing; the control board stays up."""

    verb: ClassVar[str] = "sleep"


class Wake(Action, frozen=True, array_like=True, tag="wake"):
    """Hash again in the mode and limit that are set."""

    verb: ClassVar[str] = "wake"


class SetPowerLimit(Action, frozen=True, array_like=True, tag="set_power_limit"):
    """Draw at most `limit_w` watts at the wall."""

    verb: ClassVar[str] = "set_power_limit"
    limit_w: int


class SetPowerMode(Action, frozen=True, array_like=True, tag="set_power_mode"):
    """`low`, `normal` or `high`, as far as the firmware knows them."""

    verb: ClassVar[str] = "set_power_mode"
    mode: str


class Pool(msgspec.Struct, frozen=True, array_like=True):
    url: str
    user: str
    password: str = ""


class SetPools(Action, frozen=True, array_like=True, tag="set_pools"):
    """Replace the whole pool list, highest priority first; one to three pools."""

    verb: ClassVar[str] = "set_pools"
    pools: tuple[Pool, ...]


class Restart(Action, frozen=True, array_like=True, tag="restart"):
    """Restart the mining process."""

    verb: ClassVar[str] = "restart"
    repeatable: ClassVar[bool] = False


class Reboot(Action, frozen=True, array_like=True, tag="reboot"):
    """Restart the whole control board."""

    verb: ClassVar[str] = "reboot"
    repeatable: ClassVar[bool] = False


class Locate(Action, frozen=True, array_like=True, tag="locate"):
    """Blink the device's light, or stop blinking."""

    verb: ClassVar[str] = "locate"
    on: bool


class SwitchOutlet(Action, frozen=True, array_like=True, tag="switch_outlet"):
    """Switch one outlet of a PDU; `outlet` counts from 1, as printed on the front."""

    verb: ClassVar[str] = "switch_outlet"
    outlet: int
    on: bool


class ReadNow(Action, frozen=True, array_like=True, tag="read_now"):
    """Read everything once more, out of turn; the outcome carries the raw replies."""

    verb: ClassVar[str] = "read_now"


AnyAction = Sleep | Wake | SetPowerLimit | SetPowerMode | SetPools | Restart | Reboot | Locate | SwitchOutlet | ReadNow
VERBS: dict[str, type[Action]] = {
    action.verb: action
    for action in (Sleep, Wake, SetPowerLimit, SetPowerMode, SetPools, Restart, Reboot, Locate, SwitchOutlet, ReadNow)
}
