"""What API and console ask, answered by the services that know: one small adapter for each port of `views.ports`.

`LiveOperations(Services(...)).ports` is the whole. Everything shown of a site comes from one `Moment` a second, so that
counts, sums and colours agree. Pure: storage, prices and dispatch come in through `ports`.
"""

from controller.operations.service import LiveOperations, Services

__all__ = ["LiveOperations", "Services"]
