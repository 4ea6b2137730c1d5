"""The site role: reads miners, meters and PDUs, carries out orders within its own limits, proves the effect.

Telemetry runs transports → drivers → telemetry → agent.spool → agent.uplink; orders run agent.uplink → commands →
safety → drivers, and come back as outcomes on the first line.
"""
