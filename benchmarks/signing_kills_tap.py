"""A line between controller and node that writes down which transactions were handed over to be broadcast."""

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_TIMEOUT_S = 30.0
_HOST = "127.0.0.1"


class BroadcastTap:
    """Passes every request on to the node at `node_port`; `sent` holds the transactions (hex) in their order.

    A context manager. While the node is away the caller's connection is closed without an answer, as a dead node's is.
    """

    def __init__(self, node_port: int) -> None:
        self.sent: list[str] = []
        self._server = ThreadingHTTPServer((_HOST, 0), _relay(node_port, self.sent))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="tap", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _relay(node_port: int, sent: list[str]) -> type[BaseHTTPRequestHandler]:
    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent.extend(_broadcast(body))
            connection = http.client.HTTPConnection(_HOST, node_port, timeout=_TIMEOUT_S)
            headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
            try:
                connection.request("POST", "/", body, headers)
                reply = connection.getresponse()
                said = reply.read()
            except (OSError, http.client.HTTPException):
                self.close_connection = True
                return
            finally:
                connection.close()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # whoever called was killed
                self.close_connection = True

        def log_message(self, _form: str, *_values: Any) -> None:
            """What passes is kept in `sent`."""

    return Relay


def _broadcast(body: bytes) -> Iterator[str]:
    """The transactions of a request, or of several in one."""
    asked = json.loads(body)
    for call in asked if isinstance(asked, list) else [asked]:
        if call["method"] == "sendrawtransaction":
            yield str(call["params"][0])
