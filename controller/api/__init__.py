"""The API for people's pages and other programs: REST below /api/v1 and a socket that pushes a summary every second.

`build` makes the FastAPI application from the ports. Everything it answers is a view of `controller.views`, encoded by
msgspec; the same structs describe themselves, with their units, in /api/v1/openapi.json.
"""

from controller.api.app import build

__all__ = ["build"]
