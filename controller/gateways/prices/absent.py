"""No prices at all: what a controller has until somebody gives it a feed."""

from controller.mining.dispatch.quote import Quote
from shared.errors import GatewayUnavailable


class NoPrices:
    """Answers `controller.mining.dispatch.Prices` with the reason why it cannot."""

    def current(self, now_ms: int) -> Quote:  # noqa: ARG002 - named by the protocol
        raise GatewayUnavailable("no price feed: set [prices] file")

    def between(self, from_ms: int, to_ms: int) -> tuple[tuple[int, float], ...]:  # noqa: ARG002 - as above
        return ()
