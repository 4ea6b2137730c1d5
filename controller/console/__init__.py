"""The web console: pages for the people of a site, on NiceGUI, with own parts for what has to be fast.

`mount` hangs it into the controller's application. A page follows topics (`topics/`); `feed.py` builds each once a
period for all who look; `parts/` draws them; `gate.py` lets nobody in whose session has ended. Orders leave here only
through the ports of `controller.views.ports`, with the permission checked again in every handler.
"""

from controller.console.app import mount

__all__ = ["mount"]
