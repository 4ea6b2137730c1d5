"""Meters: `registers` decodes, `plausibility` doubts, `identify` refuses the wrong device, `modbus` is the driver."""

from collections.abc import Mapping

from agent.site.drivers.meters.modbus import ModbusMeter
from agent.site.drivers.nameplate import nameplate
from agent.site.transports.modbus import Line, ModbusGateways
from shared.errors import SettingInvalid
from shared.profiles import load, rivals
from shared.site import Instrument
from shared.states import DeviceKind

__all__ = ["ModbusMeter", "meter"]


def meter(instrument: Instrument, ports: Mapping[int, int], gateways: ModbusGateways) -> ModbusMeter:
    """The driver of a meter in the site's file. `ports` maps standard ports to those in use here."""
    profile = load(DeviceKind.METER, instrument.profile)
    settings = profile.transport.modbus
    assert settings is not None
    mode = instrument.mode or settings.modes[0]
    if mode not in settings.modes:
        raise SettingInvalid(f"meter {instrument.id!r}: mode must be one of {', '.join(settings.modes)}, not {mode!r}")
    port = instrument.port or ports.get(settings.port, settings.port)
    gateway = gateways.at(instrument.address, port, Line.of(settings, mode))
    return ModbusMeter(
        gateway,
        instrument.unit,
        profile,
        rivals(profile),
        generation=instrument.generation,
        expected=nameplate(instrument),
    )
