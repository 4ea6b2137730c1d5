"""The controller's API as a script of a person uses it, and the simulators' control port; standard library only."""

import http.client
import json
import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any, TypeVar

from shared.errors import GatewayRefused, GatewayUnavailable

T = TypeVar("T")
TIMEOUT_S = 10.0


class JsonClient:
    """JSON over HTTP/1.1 to one address; keeps the session's cookie."""

    def __init__(self, port: int, prefix: str = "") -> None:
        self._port = port
        self._prefix = prefix
        self._cookie = ""

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The decoded reply; GatewayRefused for a 4xx or 5xx, GatewayUnavailable where nobody answers."""
        connection = http.client.HTTPConnection("localhost", self._port, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Origin": f"http://localhost:{self._port}"}
        if self._cookie:
            headers["Cookie"] = self._cookie
        try:
            connection.request(method, self._prefix + path, None if body is None else json.dumps(body), headers)
            reply = connection.getresponse()
            text = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise GatewayUnavailable(f"{method} {path}: {error}") from error
        finally:
            connection.close()
        if reply.status >= 400:
            raise GatewayRefused(f"{method} {path}: {reply.status} {text.decode(errors='replace')[:300]}")
        self._remember(reply)
        return json.loads(text) if text else None

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def post(self, path: str, body: object = None) -> Any:
        return self.ask("POST", path, {} if body is None else body)

    def _remember(self, reply: http.client.HTTPResponse) -> None:
        for value in reply.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(value).items():
                self._cookie = f"{name}={morsel.value}"


def wait_for(what: str, probe: Callable[[], T | None], within_s: float, every_s: float = 0.5) -> T:
    """The first answer of `probe` that is not None; GatewayUnavailable with `what` where none comes in time."""
    deadline_s = time.monotonic() + within_s
    last = ""
    while time.monotonic() < deadline_s:
        try:
            found = probe()
        except (GatewayUnavailable, GatewayRefused) as error:
            found, last = None, str(error)
        if found is not None:
            return found
        time.sleep(every_s)
    raise GatewayUnavailable(f"not within {within_s:.0f} s: {what}" + (f" (last: {last})" if last else ""))
