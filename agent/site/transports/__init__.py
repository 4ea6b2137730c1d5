"""Bytes: cgminer sockets, HTTP and Modbus, each with deadlines and byte caps; no meaning. `bus` hands out turns."""
