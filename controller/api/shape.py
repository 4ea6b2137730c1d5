"""Between msgspec structs and HTTP: bodies in, bodies out, and their description for OpenAPI."""

from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response

from controller.api.failure import Failure
from controller.people.visit import COOKIE
from shared.errors import Malformed, TooLarge

MAX_BODY_BYTES = 256 * 1024
_REF = "#/components/schemas/{name}"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_SCHEMES = {
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Of a person who signed in"},
    "token": {"type": "http", "scheme": "bearer", "description": "Of a program; an administrator makes it"},
}
EITHER: list[dict[str, list[str]]] = [{"session": []}, {"token": []}]
PERSON: dict[str, Any] = {"security": [{"session": []}]}
"""The `openapi_extra` of a route that no program may use."""
NOBODY_YET: dict[str, Any] = {"security": []}
"""The `openapi_extra` of a route that is open to whoever has not signed in."""

T = TypeVar("T")


def answer(view: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(view), status, dict(_HEADERS), "application/json")


async def body_of(request: Request, kind: type[T], most_bytes: int = MAX_BODY_BYTES) -> T:
    """Raises TooLarge, or Malformed with the place in the document."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > most_bytes:
            raise TooLarge(f"a body has at most {most_bytes} bytes")
    try:
        return msgspec.json.decode(bytes(received), type=kind)
    except msgspec.MsgspecError as error:
        raise Malformed(f"body: {error}") from error


class Shapes:
    """Collects the types that routes take and give, so that OpenAPI can describe them."""

    def __init__(self) -> None:
        self._kinds: dict[Any, None] = {Failure: None}

    def gives(self, kind: Any, description: str = "As described", *, status: int = 200) -> dict[int | str, Any]:
        """The `responses` of a route; where `status` is not 200 the route's `status_code` says it too."""
        self._kinds[kind] = None
        content = {"application/json": {"schema": self._schema(kind)}}
        return {status: {"description": description, "content": content}} | self.refuses()

    def refuses(self) -> dict[int | str, Any]:
        """The `responses` of a route that gives nothing, or no JSON: what it answers where it cannot do its work."""
        content = {"application/json": {"schema": self._schema(Failure)}}
        return {
            "4XX": {"description": "Refused", "content": content},
            "5XX": {"description": "Not possible now, or a failure of ours", "content": content},
        }

    def takes(self, kind: Any) -> dict[str, Any]:
        """The `openapi_extra` of a route."""
        self._kinds[kind] = None
        return {"requestBody": {"required": True, "content": {"application/json": {"schema": self._schema(kind)}}}}

    def install(self, app: FastAPI) -> None:
        """Let the application describe itself with our types."""

        def describe() -> dict[str, Any]:
            if app.openapi_schema is None:
                document = get_openapi(
                    title=app.title, version=app.version, description=app.description, routes=app.routes
                )
                _, schemas = msgspec.json.schema_components(tuple(self._kinds), ref_template=_REF)
                components = document.setdefault("components", {})
                components.setdefault("schemas", {}).update(schemas)
                components["securitySchemes"] = _SCHEMES
                document["security"] = EITHER
                app.openapi_schema = document
            return app.openapi_schema

        app.openapi = describe  # type: ignore[method-assign]  # the way that FastAPI documents

    @staticmethod
    def _schema(kind: Any) -> Any:
        (schema,), _ = msgspec.json.schema_components((kind,), ref_template=_REF)
        return schema
