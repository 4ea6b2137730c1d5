"""Antminers with Bitmain's own firmware: readings from the socket, configuration through the web interface.

`decode` turns replies into values, `conf` changes the configuration document, `web` carries it, `process` watches the
mining process, `order` and `proof` carry out and check orders, `driver` ties them.
"""

from agent.site.drivers.miners.antminer.driver import AntminerStock

__all__ = ["AntminerStock"]
