"""Switched PDUs in front of the miners: a Raritan PX with Xerus JSON-RPC and a Shelly Pro 4PM with its RPC.

`OutletBank` is the copper (contacts, sensors, what hangs on them); the servers only speak for it.
"""

from hardware_sims.pdus.certificate import DeviceCertificate
from hardware_sims.pdus.outlet import OutletBank, OutletSample
from hardware_sims.pdus.shelly import ShellyServer
from hardware_sims.pdus.xerus import XerusServer
from hardware_sims.pdus.xerus_resource import XerusPdu

__all__ = ["DeviceCertificate", "OutletBank", "OutletSample", "ShellyServer", "XerusPdu", "XerusServer"]
