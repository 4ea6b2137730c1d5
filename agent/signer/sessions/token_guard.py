"""What became of the token, by name: a box whose token is away refuses, reports it, and goes on when it is back."""

import asyncio
import math
import time
from collections.abc import Callable

from agent.signer.rule import TOKEN_AWAY, TOKEN_KEY, TOKEN_PIN
from agent.signer.sessions.ports import Keys
from shared.errors import Denied, KeystoreError, PinRefused, TokenUnavailable
from shared.log import get_logger

_AGAIN_S = 1.0

log = get_logger(__name__)


class TokenGuard:
    """`rule` says why nothing is signed, empty where the token answers. It logs in anew by itself where that cannot
    lock the token (agent/signer/keystore/token.py): a PIN that was refused is not shown again.
    """

    def __init__(self, keys: Keys, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._monotonic_s = monotonic_s
        self._looked_s = -math.inf
        self._fault: KeystoreError | None = None

    @property
    def rule(self) -> str:
        return _rule(self._fault) if self._fault else ""

    async def require(self) -> None:
        """A token that failed is looked at again before anything is debited for it; Denied where it still fails."""
        if self._fault is not None:
            await self.look()
        if self._fault is not None:
            raise Denied(_rule(self._fault), self._fault.detail)

    async def look(self) -> None:
        """Find out how the token is, once a second at most."""
        now_s = self._monotonic_s()
        if now_s - self._looked_s < _AGAIN_S:
            return
        self._looked_s = now_s
        try:
            await asyncio.to_thread(self._keys.check)
        except KeystoreError as error:
            self.failed(error)
            return
        if self._fault is not None:
            log.info("signer.token-back", after=self.rule)
        self._fault = None

    def failed(self, error: KeystoreError) -> Denied:
        """It failed in the middle of something; what to refuse with."""
        if self._fault is None or self._fault.detail != error.detail:
            log.error("signer.token-failed", rule=_rule(error), detail=error.detail)
        self._fault = error
        return Denied(_rule(error), error.detail)


def _rule(error: KeystoreError) -> str:
    if isinstance(error, PinRefused):
        return TOKEN_PIN
    return TOKEN_AWAY if isinstance(error, TokenUnavailable) else TOKEN_KEY
