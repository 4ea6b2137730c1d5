"""The number that is "off" at one vendor power-cycles a rack at another: it must be impossible to send it there."""

import itertools
import json

import pytest

from shared.errors import Unsupported
from shared.profiles import load
from shared.profiles.command import Command
from shared.states import DeviceKind


def command_of(profile_id: str) -> Command:
    command = load(DeviceKind.PDU, profile_id).command("switch_outlet")
    assert command is not None
    return command


XERUS = command_of("raritan.xerus")
SHELLY = command_of("shelly.gen2")

# Codes as other vendors use them: APC rPDU2 and Sentry4 say 2 for off, Raritan's own SNMP agent 2 for cycle.
FOREIGN = (2, 3, "2", 0, 1, True, False, "cycle", "reboot", "OFF", "", None, ["off"])


@pytest.mark.parametrize("code", FOREIGN)
@pytest.mark.parametrize(("command", "target"), [(XERUS, {"outlets": [1]}), (SHELLY, {"outlet": 1})])
def test_a_foreign_code_cannot_be_encoded(command: Command, target: dict[str, object], code: object) -> None:
    with pytest.raises(Unsupported, match="state must be one of off, on"):
        command.encode({**target, "state": code})


def test_two_is_impossible_on_xerus_whatever_is_asked() -> None:
    assert XERUS.params["state"].enum == {"off": 0, "on": 1}
    for outlets, word in itertools.product(([1], [3], [1, 2, 3], [64]), ("off", "on")):
        (step,) = XERUS.encode({"outlets": outlets, "state": word})
        call = json.loads(step.body)
        assert call["method"] == "setMultipleOutletPowerStates"
        assert call["params"]["state"] == {"off": 0, "on": 1}[word]
        assert call["params"]["respectSequence"] is False
        assert call["params"]["outletNumbers"] == [outlet - 1 for outlet in outlets]


def test_shelly_gets_a_word_and_never_a_number() -> None:
    (step,) = SHELLY.encode({"outlet": 2, "state": "off"})
    assert (step.method, step.path, step.body) == ("GET", "/rpc/Switch.Set?id=1&on=false", "")


@pytest.mark.parametrize("outlet", [0, -1, 65, 1.0, "1", True, None])
def test_outlets_count_from_one_and_end_somewhere(outlet: object) -> None:
    with pytest.raises(Unsupported, match="outlet"):
        XERUS.encode({"outlets": [outlet], "state": "off"})


@pytest.mark.parametrize("outlets", [[], [1, 1], list(range(1, 66)), 1, "1", None])
def test_a_batch_holds_different_outlets_within_its_limit(outlets: object) -> None:
    with pytest.raises(Unsupported, match="1 to 64 different outlets"):
        XERUS.encode({"outlets": outlets, "state": "off"})


@pytest.mark.parametrize(
    "arguments", [{}, {"outlets": [1]}, {"state": "off"}, {"outlets": [1], "state": "off", "force": "yes"}]
)
def test_arguments_must_be_exactly_the_declared_ones(arguments: dict[str, object]) -> None:
    with pytest.raises(Unsupported, match="takes outlets, state"):
        XERUS.encode(arguments)


def test_text_cannot_be_smuggled_into_a_request() -> None:
    with pytest.raises(Unsupported):
        SHELLY.encode({"outlet": "0&on=true", "state": "off"})
