"""Energy meters on Modbus TCP: register maps of three types and a server of our own that can misbehave.

Addresses and types come from other projects' open sources (mbmd, OpenEMS, evcc, MiningOS); nothing here is shared with
the drivers that read it.
"""

from hardware_sims.meters.instrument import METER_TYPES, MeterType, SimulatedMeter
from hardware_sims.meters.modbus import ModbusServer

__all__ = ["METER_TYPES", "MeterType", "ModbusServer", "SimulatedMeter"]
