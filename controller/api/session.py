"""Signing in and out, users, tokens for programs."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from controller.api.access import Admin, Viewer
from controller.api.shape import NOBODY_YET, PERSON, Shapes, answer, body_of
from controller.people.model import SESSION_HOURS, Permission, Role
from controller.people.secret import token_id
from controller.people.service import People, SignedIn
from controller.people.visit import check_origin, header, session_token, set_cookie
from shared.errors import SignInRequired

_Password = Annotated[str, msgspec.Meta(max_length=200)]


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=64)]
    password: _Password


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    current: _Password
    new: _Password


class Visitor(msgspec.Struct, frozen=True):
    """`one_time` tells that the password must be replaced before anything else."""

    name: str
    permissions: tuple[str, ...]
    one_time: bool = False


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password works once; its owner replaces it at the first sign-in."""

    name: str
    role: Role
    password: _Password


class UserView(msgspec.Struct, frozen=True):
    name: str
    role: Role
    one_time: bool


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    scope: Permission


class TokenView(msgspec.Struct, frozen=True):
    """`token` is given once, when it is made."""

    id: str
    name: str
    scope: Permission
    created_by: str
    token: str = ""


class SessionRoutes:
    def __init__(self, people: People, shapes: Shapes, *, secure_cookies: bool) -> None:
        self._people = people
        self._shapes = shapes
        self._secure = secure_cookies

    def router(self) -> APIRouter:
        router, shapes = APIRouter(tags=["people"]), self._shapes
        add = router.add_api_route
        visitor, gone = shapes.gives(Visitor), shapes.refuses()
        opens, replaces = shapes.takes(Credentials) | NOBODY_YET, shapes.takes(NewPassword) | PERSON
        add("/session", self.sign_in, methods=["POST"], responses=visitor, openapi_extra=opens)
        add("/session", self.show, methods=["GET"], responses=visitor)
        add("/session", self.sign_out, methods=["DELETE"], status_code=204, responses=gone, openapi_extra=PERSON)
        add("/session/password", self.change, methods=["PUT"], responses=visitor, openapi_extra=replaces)
        made = shapes.gives(UserView, status=201)
        add("/people", self.users, methods=["GET"], responses=shapes.gives(tuple[UserView, ...]))
        new_user = shapes.takes(NewUser)
        add("/people", self.add_user, methods=["POST"], status_code=201, responses=made, openapi_extra=new_user)
        add("/people/{name}", self.remove_user, methods=["DELETE"], status_code=204, responses=gone)
        made = shapes.gives(TokenView, status=201)
        add("/tokens", self.tokens, methods=["GET"], responses=shapes.gives(tuple[TokenView, ...]))
        new_token = shapes.takes(NewToken)
        add("/tokens", self.add_token, methods=["POST"], status_code=201, responses=made, openapi_extra=new_token)
        add("/tokens/{token_id}", self.revoke_token, methods=["DELETE"], status_code=204, responses=gone)
        return router

    async def sign_in(self, request: Request) -> Response:
        """Open a session; its cookie is HttpOnly and SameSite=Strict. Five failures in five minutes pause the door."""
        if header(request.scope, "origin"):
            check_origin(request.scope)
        credentials = await body_of(request, Credentials)
        address = request.client.host if request.client else "unknown"
        return self._signed_in(await self._people.sign_in(credentials.name, credentials.password, address))

    async def show(self, actor: Viewer) -> Response:
        """Who is signed in, and what they may do."""
        return answer(Visitor(actor.name, tuple(sorted(actor.permissions))))

    async def sign_out(self, request: Request) -> Response:
        """End the session everywhere it is open."""
        check_origin(request.scope)
        await self._people.sign_out(token_id(session_token(request.scope)))
        return Response(status_code=204, headers={"Set-Cookie": set_cookie("", max_age_s=0, secure=self._secure)})

    async def change(self, request: Request) -> Response:
        """Replace the password; every other session of the user ends."""
        check_origin(request.scope)
        session = self._people.session(session_token(request.scope))
        if session is None:
            raise SignInRequired("sign in first")
        wanted = await body_of(request, NewPassword)
        return self._signed_in(await self._people.change_password(session.id, wanted.current, wanted.new))

    async def users(self, _actor: Admin) -> Response:
        """All users."""
        return answer([UserView(user.name, user.role, user.one_time) for user in await self._people.users()])

    async def add_user(self, request: Request, _actor: Admin) -> Response:
        """Add a user with a one-time password."""
        wanted = await body_of(request, NewUser)
        user = await self._people.add_user(wanted.name, wanted.password, wanted.role)
        return answer(UserView(user.name, user.role, user.one_time), status=201)

    async def remove_user(self, name: str, _actor: Admin) -> Response:
        """Remove a user; open sessions end at once."""
        await self._people.remove_user(name)
        return Response(status_code=204)

    async def tokens(self, _actor: Admin) -> Response:
        """Tokens of programs, without their secrets."""
        return answer([TokenView(t.id, t.name, t.scope, t.created_by) for t in self._people.tokens()])

    async def add_token(self, request: Request, actor: Admin) -> Response:
        """Make a bearer token with the scope `view` or `operate`; it is shown once."""
        wanted = await body_of(request, NewToken)
        secret, token = await self._people.issue_token(wanted.name, wanted.scope, actor)
        return answer(TokenView(token.id, token.name, token.scope, token.created_by, secret), status=201)

    async def revoke_token(self, token_id: str, _actor: Admin) -> Response:
        """The token opens nothing any more."""
        await self._people.revoke_token(token_id)
        return Response(status_code=204)

    def _signed_in(self, signed_in: SignedIn) -> Response:
        session = signed_in.session
        permissions = () if session.one_time else tuple(sorted(session.role.permissions))
        response = answer(Visitor(session.user, permissions, session.one_time))
        cookie = set_cookie(signed_in.token, max_age_s=SESSION_HOURS * 3600, secure=self._secure)
        response.headers["Set-Cookie"] = cookie
        return response
