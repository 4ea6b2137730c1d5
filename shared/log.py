"""One line a unit of work: an event name and key-values; JSON for machines, colours for people, secrets for nobody."""

import base64
import logging
import sys
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "•••"
SHORTEST_SECRET = 8
_SECRET_KEYS = ("password", "passwd", "secret", "token", "private", "pwd", "authorization")


class Redactor:
    """Hides known secret values in every common encoding, and every value under a key that names a secret."""

    def __init__(self) -> None:
        self._needles: set[str] = set()

    def learn(self, secret: str) -> None:
        """Hide this value from now on, raw, URL-encoded, in base64 and in hex.

        Values under eight characters are not looked for: `root` and `admin` would blank ordinary words.
        """
        if len(secret) < SHORTEST_SECRET:
            return
        raw = secret.encode()
        self._needles |= {secret, quote(secret, safe=""), base64.b64encode(raw).decode(), raw.hex()}

    def text(self, value: str) -> str:
        for needle in self._needles:
            value = value.replace(needle, REDACTED)
        return value

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: self._value(key, value) for key, value in event.items()}

    def _value(self, key: str, value: object) -> object:
        if any(word in key.lower() for word in _SECRET_KEYS):
            return REDACTED
        match value:
            case str():
                return self.text(value)
            case dict():
                return {inner: self._value(str(inner), item) for inner, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._value("", item) for item in value]
            case _:
                return value


redactor = Redactor()


def configure(*, level: str = "info", json: bool | None = None) -> None:
    """Called once by each process. JSON unless a person watches a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: Processor = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redactor,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(component=name)
    return logger
