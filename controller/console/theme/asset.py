"""Our style sheets as files that browsers may keep: their address changes with their content."""

import zlib

from fastapi import APIRouter
from fastapi.responses import Response

from controller.console.theme.palette import THEME_DIR

SHEETS = ("tokens.css", "shell.css", "parts.css", "treasury.css", "login.css")
_FOR_CONSOLE = ("tokens.css", "shell.css", "parts.css", "treasury.css")
_ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><rect width='16' height='16' rx='2' fill='#1A5FA8'/>"
    "<path d='M3 11h2V5H3zm4 0h2V3H7zm4 0h2V7h-2z' fill='#fff'/></svg>"
)


class Assets:
    """Read once, served from memory to everybody: they hold no secret."""

    def __init__(self) -> None:
        self._content = {name: (THEME_DIR / name).read_bytes() for name in SHEETS}

    def router(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/assets/{stamp}/{name}", self.serve)
        return router

    async def serve(self, stamp: str, name: str) -> Response:
        if name not in self._content or stamp != self._stamp(name):
            return Response(status_code=404)
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
        return Response(self._content[name], 200, headers, "text/css")

    def url(self, name: str) -> str:
        return f"/assets/{self._stamp(name)}/{name}"

    def head_html(self) -> str:
        return "".join(f'<link rel="stylesheet" href="{self.url(name)}">' for name in _FOR_CONSOLE)

    @staticmethod
    def icon() -> str:
        return _ICON

    def _stamp(self, name: str) -> str:
        return f"{zlib.crc32(self._content[name]):08x}"
