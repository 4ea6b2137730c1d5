"""The resources of a Xerus PDU and their methods, as the vendor's interface files name them (`raritan` 4.4.1).

Outlets count from 0; 0 is off and 1 is on. `powerState` repeats the last order, whatever the contact does.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hardware_sims.pdus.outlet import OutletBank, OutletSample

OK, INVALID_PARAMETER = 0, 6
CYCLE_S = 10.0
SEQUENCE_DELAY_S = 0.2
_OUTLET_SENSORS = {
    "voltage": "voltage_v",
    "current": "current_a",
    "activePower": "power_w",
    "activeEnergy": "energy_wh",
}
_INLET_SENSORS = {"activePower": "power_w", "activeEnergy": "energy_wh"}

Params = dict[str, Any]
Method = Callable[[Params], Any]


class XerusPdu:
    """Finds the methods behind a resource path; every method takes the named parameters and returns `_ret_`."""

    def __init__(self, bank: OutletBank, *, mac: str, serial: str, start_unix_s: float) -> None:
        self._bank = bank
        self._mac = mac
        self._serial = serial
        self._start_unix_s = start_unix_s
        self._shed: set[int] | None = None

    def methods(self, path: str) -> dict[str, Method] | None:
        """None where nothing lives at `path`. Outlets answer below `/model` and below `/model/pdu/0`."""
        if path.rstrip("/") in ("/model/pdu", "/model/pdu/0"):
            return self._pdu()
        parts = path.removeprefix("/model").removeprefix("/pdu/0").strip("/").split("/")
        if len(parts) not in (2, 3) or not parts[1].isdecimal():
            return None
        kind, number, sensor = parts[0], int(parts[1]), parts[2] if len(parts) == 3 else None
        if kind == "outlet" and number < len(self._bank):
            return self._outlet(number) if sensor is None else self._sensor(_OUTLET_SENSORS, sensor, [number])
        if kind == "inlet" and number == 0:
            everything = range(len(self._bank))
            return self._inlet() if sensor is None else self._sensor(_INLET_SENSORS, sensor, everything)
        return None

    def _pdu(self) -> dict[str, Method]:
        count = len(self._bank)
        return {
            "getMetaData": lambda _: self._describe(),
            "getOutlets": lambda _: [_reference(f"/model/outlet/{at}", "pdumodel.Outlet:3.0.4") for at in range(count)],
            "getInlets": lambda _: [_reference("/model/inlet/0", "pdumodel.Inlet:3.0.4")],
            "setMultipleOutletPowerStates": self._set_multiple,
            "setAllOutletPowerStates": lambda given: self._switch(range(count), given.get("pstate"), SEQUENCE_DELAY_S),
            "cycleMultipleOutletPowerStates": lambda given: self._cycle(given.get("outletNumbers", [])),
            "setLoadSheddingActive": lambda given: self._set_shedding(active=bool(given.get("active"))),
            "isLoadSheddingActive": lambda _: self._shed is not None,
            "getOutletSequenceState": lambda _: self._sequence_state(),
            "cancelOutletSequence": lambda _: self._bank.cancel_pending(),
        }

    def _outlet(self, outlet: int) -> dict[str, Method]:
        return {
            "getState": lambda _: self._state(outlet),
            "getSensors": lambda _: _sensors(f"/model/outlet/{outlet}", _OUTLET_SENSOR_NAMES, _OUTLET_SENSORS),
            "setPowerState": lambda given: self._switch([outlet], given.get("pstate")),
            "cyclePowerState": lambda _: self._cycle([outlet]),
        }

    def _inlet(self) -> dict[str, Method]:
        return {"getSensors": lambda _: _sensors("/model/inlet/0", _INLET_SENSOR_NAMES, _INLET_SENSORS)}

    def _sensor(self, known: dict[str, str], name: str, outlets: Sequence[int]) -> dict[str, Method] | None:
        if name not in known:
            return None

        def reading(_given: Params) -> Params:
            samples = [self._bank.sample(outlet) for outlet in outlets]
            return {
                "timestamp": int(self._start_unix_s + self._bank.now_s),
                "available": True,
                "status": {
                    "aboveUpperCritical": False,
                    "aboveUpperWarning": False,
                    "belowLowerWarning": False,
                    "belowLowerCritical": False,
                },
                "valid": True,
                "value": round(sum(float(getattr(sample, known[name])) for sample in samples), 3),
            }

        return {"getReading": reading}

    def _describe(self) -> Params:
        return {
            "nameplate": {
                "manufacturer": "Raritan",
                "brand": "Raritan",
                "model": f"PX3-{len(self._bank)}",
                "partNumber": "",
                "serialNumber": self._serial,
                "rating": {"voltage": "415V", "current": "125A", "frequency": "50/60Hz", "power": "90kVA"},
                "imageFileURL": "",
            },
            "ctrlBoardSerial": self._serial,
            "hwRevision": "1",
            "fwRevision": "4.4.1.5-53217",
            "macAddress": self._mac,
            "hasSwitchableOutlets": True,
            "hasMeteredOutlets": True,
            "hasLatchingOutletRelays": True,
            "isInlineMeter": False,
            "isEnergyPulseSupported": False,
            "hasDCInlets": False,
            "pduOrientation": 0,
            "supportedInletWirings": [],
        }

    def _state(self, outlet: int) -> Params:
        sample: OutletSample = self._bank.sample(outlet)
        return {
            "available": True,
            "powerState": int(sample.on),
            "switchOnInProgress": False,
            "cycleInProgress": any(on and at == outlet for _, at, on in self._bank.pending),
            "isLoadShed": self._shed is not None and outlet in self._shed,
            "isSuspended": False,
            "hasInrushWaveform": False,
            "inServiceMode": False,
            "ledState": {"red": sample.on, "green": not sample.on, "blinking": False},
            "lastPowerStateChange": int(self._start_unix_s + sample.changed_at_s),
        }

    def _set_multiple(self, given: Params) -> int:
        spacing_s = SEQUENCE_DELAY_S if given.get("respectSequence") else 0.0
        return self._switch(given.get("outletNumbers", []), given.get("state"), spacing_s)

    def _switch(self, outlets: Sequence[int], state: Any, spacing_s: float = 0.0) -> int:
        if state not in (0, 1) or not self._exist(outlets):
            return INVALID_PARAMETER
        for place, outlet in enumerate(outlets):
            if spacing_s and place:
                self._bank.order_later(outlet, bool(state), place * spacing_s)
            else:
                self._bank.order(outlet, bool(state))
        return OK

    def _cycle(self, outlets: Sequence[int]) -> int:
        if not self._exist(outlets):
            return INVALID_PARAMETER
        for outlet in outlets:
            self._bank.order(outlet, False)
            self._bank.order_later(outlet, True, CYCLE_S)
        return OK

    def _exist(self, outlets: Any) -> bool:
        """Parameters come from outside: anything but a list of known numbers is refused."""
        if not isinstance(outlets, list | range):
            return False
        return all(isinstance(outlet, int) and 0 <= outlet < len(self._bank) for outlet in outlets)

    def _set_shedding(self, *, active: bool) -> None:
        """Drop every outlet that is on (all are flagged non-critical), or give back those that were dropped."""
        if active and self._shed is None:
            self._shed = {outlet for outlet in range(len(self._bank)) if self._bank.sample(outlet).on}
            self._switch(sorted(self._shed), 0)
        elif not active and self._shed is not None:
            self._switch(sorted(self._shed), 1, SEQUENCE_DELAY_S)
            self._shed = None

    def _sequence_state(self) -> Params:
        pending = self._bank.pending
        return {
            "sequenceRunning": bool(pending),
            "nextOutletToSwitch": pending[0][1] if pending else 0,
            "timeUntilNextSwitch": round((pending[0][0] - self._bank.now_s) * 1_000) if pending else 0,
            "outletsRemaining": len(pending),
            "cancelableOutletsRemaining": len(pending),
        }


def _reference(rid: str, kind: str) -> Params:
    return {"rid": rid, "type": kind}


_OUTLET_SENSOR_NAMES = (
    *("voltage", "current", "peakCurrent", "maximumCurrent", "unbalancedCurrent", "unbalancedVoltage"),
    *("activePower", "reactivePower", "apparentPower", "powerFactor", "displacementPowerFactor"),
    *("activeEnergy", "apparentEnergy", "phaseAngle", "lineFrequency", "crestFactor", "voltageThd", "currentThd"),
    *("inrushCurrent", "outletState"),
)
_INLET_SENSOR_NAMES = (
    *("voltage", "current", "peakCurrent", "residualCurrent", "residualACCurrent", "residualDCCurrent"),
    *("activePower", "reactivePower", "apparentPower", "powerFactor", "displacementPowerFactor"),
    *("activeEnergy", "apparentEnergy", "unbalancedCurrent", "unbalancedLineLineCurrent", "unbalancedVoltage"),
    *("unbalancedLineLineVoltage", "lineFrequency", "phaseAngle", "crestFactor", "voltageThd", "currentThd"),
    *("powerQuality", "surgeProtectorStatus", "residualCurrentStatus"),
)


def _sensors(owner: str, names: Sequence[str], known: dict[str, str]) -> Params:
    """A reference for each sensor that exists, null for the others."""
    return {
        name: _reference(f"{owner}/{name}", "sensors.NumericSensor:4.0.9") if name in known else None for name in names
    }
