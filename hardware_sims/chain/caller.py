"""Somebody who asks a node over JSON-RPC, one call after the other: the demo's people, and tests that compare nodes."""

import base64
import http.client
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shared.errors import GatewayRefused, GatewayUnavailable

_TIMEOUT_S = 60.0


class RpcCaller:
    """`login` is the file of a cookie, or `user:password`. Not for use from two threads."""

    def __init__(self, url: str, login: Path | str) -> None:
        self.url = url
        self._address = urlsplit(url)
        self._login = login

    def call(self, method: str, *params: object) -> Any:
        """The result, money as Decimal; GatewayRefused with number and words, GatewayUnavailable: no answer."""
        error, result = self.answered(method, *params)
        if error is not None:
            raise GatewayRefused(f"{method}: {error['message']} ({error['code']})")
        return result

    def answered(self, method: str, *params: object) -> tuple[dict[str, Any] | None, Any]:
        """Error and result as the node tells them."""
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=_TIMEOUT_S)
        body = json.dumps({"id": 1, "method": method, "params": params})
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json", "Authorization": self._header()})
            reply = json.loads(connection.getresponse().read(), parse_float=Decimal)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise GatewayUnavailable(f"{method}: {error}") from error
        finally:
            connection.close()
        return reply["error"], reply["result"]

    def _header(self) -> str:
        login = self._login.read_bytes().strip() if isinstance(self._login, Path) else self._login.encode()
        return f"Basic {base64.b64encode(login).decode()}"
