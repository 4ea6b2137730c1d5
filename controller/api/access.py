"""Who asks, decided for each request: a program by its bearer token, a person by the session cookie and the origin."""

from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from controller.people.model import Actor, Permission
from controller.people.secret import token_id
from controller.people.service import People
from controller.people.visit import bearer_token, check_origin, session_token


def actor_of(connection: HTTPConnection) -> Actor:
    """Raises an AccessError; a cookie counts only when the browser says that our own page sent it."""
    people: People = connection.app.state.people
    if bearer := bearer_token(connection.scope):
        return people.program(bearer)
    actor = people.actor(token_id(session_token(connection.scope)))
    check_origin(connection.scope)
    return actor


def _viewer(request: Request) -> Actor:
    actor = actor_of(request)
    actor.require(Permission.VIEW)
    return actor


def _operator(request: Request) -> Actor:
    actor = actor_of(request)
    actor.require(Permission.OPERATE)
    return actor


def _admin(request: Request) -> Actor:
    actor = actor_of(request)
    actor.require(Permission.ADMINISTER)
    return actor


def _treasurer(request: Request) -> Actor:
    actor = actor_of(request)
    actor.require(Permission.SPEND)
    return actor


Viewer = Annotated[Actor, Depends(_viewer)]
Operator = Annotated[Actor, Depends(_operator)]
Admin = Annotated[Actor, Depends(_admin)]
Treasurer = Annotated[Actor, Depends(_treasurer)]
