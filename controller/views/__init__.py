"""What people and programs may see and order: frozen views, the ports that fill them, and the arithmetic on them.

API and console show the same numbers because both read them here: one `FleetFrame` per site and moment carries a
snapshot id, and every count, filter, sum and colour is computed from that frame by this package. Pure: no I/O.
"""
