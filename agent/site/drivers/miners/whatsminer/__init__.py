"""Whatsminers with API version 1 or 2: plain reads and encrypted writes on one socket.

`decode` turns replies into values, `md5crypt` and `session` make writes possible, `machine` watches,
`order` and `proof` carry out and check orders, `driver` ties them.
"""

from agent.site.drivers.miners.whatsminer.driver import WhatsminerV2

__all__ = ["WhatsminerV2"]
