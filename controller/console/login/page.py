"""Sign in, sign out, replace a one-time password.

First run: the controller makes `admin` with a one-time password and prints it once on its terminal (`People.start`);
here it opens nothing but the page where it is replaced.
"""

from html import escape
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from controller.console.theme.asset import Assets
from controller.people.model import SESSION_HOURS
from controller.people.secret import MIN_PASSWORD_CHARS
from controller.people.service import People, SignedIn
from controller.people.visit import check_origin, session_token, set_cookie
from shared.errors import BesError, Malformed, OriginRefused, TooLarge

MAX_FORM_BYTES = 4096
HOME = "/console/"
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · BES</title><link rel="icon" href="data:,"><link rel="stylesheet" href="{css}"></head>
<body><main><h1>{title}</h1><p>{text}</p>{refusal}<form method="post" action="{action}">{fields}
<button type="submit">{button}</button></form>{small}</main></body></html>"""
_FIELD = (
    '<label>{label}<input name="{name}" type="{kind}" autocomplete="{complete}" maxlength="200" required{more}></label>'
)
_SMALL = '<p class="bes-small">{}</p>'


class LoginPages:
    def __init__(self, people: People, assets: Assets, *, secure_cookies: bool) -> None:
        self._people = people
        self._css = assets.url("login.css")
        self._secure = secure_cookies

    def router(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self.home)
        router.add_api_route("/login", self.show)
        router.add_api_route("/login", self.sign_in, methods=["POST"])
        router.add_api_route("/login/password", self.show_password)
        router.add_api_route("/login/password", self.replace_password, methods=["POST"])
        router.add_api_route("/logout", self.sign_out, methods=["POST"])
        return router

    async def home(self) -> Response:
        return RedirectResponse(HOME, 303)

    async def show(self, request: Request) -> Response:
        return self._login(request.query_params.get("next", ""))

    async def sign_in(self, request: Request) -> Response:
        wanted = ""
        try:
            form = await _form(request)
            wanted = form.get("next", "")
            address = request.client.host if request.client else "unknown"
            signed_in = await self._people.sign_in(form.get("name", ""), form.get("password", ""), address)
        except BesError as error:
            return self._login(wanted, error)
        where = "/login/password" if signed_in.session.one_time else _own(wanted)
        return self._entered(signed_in, where)

    async def sign_out(self, request: Request) -> Response:
        try:
            check_origin(request.scope)
        except OriginRefused:
            return Response(status_code=403)
        session = self._people.session(session_token(request.scope))
        if session is not None:
            await self._people.sign_out(session.id)
        response = RedirectResponse("/login", 303)
        response.headers["Set-Cookie"] = set_cookie("", max_age_s=0, secure=self._secure)
        return response

    async def show_password(self, request: Request) -> Response:
        if self._people.session(session_token(request.scope)) is None:
            return RedirectResponse("/login", 303)
        return self._password()

    async def replace_password(self, request: Request) -> Response:
        session = self._people.session(session_token(request.scope))
        if session is None:
            return RedirectResponse("/login", 303)
        try:
            form = await _form(request)
            if form.get("new") != form.get("again"):
                raise Malformed("the new password was not written twice alike")
            current, new = form.get("current", ""), form.get("new", "")
            signed_in = await self._people.change_password(session.id, current, new)
        except BesError as error:
            return self._password(error)
        return self._entered(signed_in, HOME)

    def _entered(self, signed_in: SignedIn, where: str) -> Response:
        response = RedirectResponse(where, 303)
        cookie = set_cookie(signed_in.token, max_age_s=SESSION_HOURS * 3600, secure=self._secure)
        response.headers["Set-Cookie"] = cookie
        return response

    def _login(self, wanted: str, error: BesError | None = None) -> Response:
        fields = _FIELD.format(label="Name", name="name", kind="text", complete="username", more=" autofocus")
        fields += _FIELD.format(
            label="Password", name="password", kind="password", complete="current-password", more=""
        )
        fields += f'<input type="hidden" name="next" value="{escape(_own(wanted), quote=True)}">'
        small = (
            "First start: the one-time password of <b>admin</b> is in the file <b>first-sign-in</b> "
            "of the controller's state folder."
        )
        return self._html(
            title="Sign in",
            text="Bitcoin Enterprise Suite",
            action="/login",
            fields=fields,
            button="Sign in",
            small=_SMALL.format(small),
            error=error,
        )

    def _password(self, error: BesError | None = None) -> Response:
        names = (("Present password", "current", "current-password"), ("New password", "new", "new-password"))
        fields = "".join(
            _FIELD.format(label=label, name=name, kind="password", complete=complete, more="")
            for label, name, complete in (*names, ("New password again", "again", "new-password"))
        )
        return self._html(
            title="Choose a password",
            text=f"At least {MIN_PASSWORD_CHARS} characters; a few words do well.",
            action="/login/password",
            fields=fields,
            button="Save and continue",
            small="",
            error=error,
        )

    def _html(self, *, error: BesError | None, **parts: str) -> Response:
        refusal = f'<p class="bes-refusal" role="alert">{escape(error.detail)}</p>' if error else ""
        content = _PAGE.format(css=self._css, refusal=refusal, **parts)
        headers = {"Content-Security-Policy": CSP, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return HTMLResponse(content, 200 if error is None else 400, headers)


def _own(path: str) -> str:
    """An address of the console, whatever was asked for: nobody is sent to another host."""
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or not path.startswith("/console/") or "\\" in path:
        return HOME
    return path


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form that our own page sent."""
    check_origin(request.scope)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise TooLarge(f"a form has at most {MAX_FORM_BYTES} bytes")
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    return {name: values[-1] for name, values in fields.items()}
