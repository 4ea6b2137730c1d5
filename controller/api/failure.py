"""Every error as {code, detail, mend}: one table from our errors to HTTP."""

import secrets
from typing import NamedTuple

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from shared import errors
from shared.log import get_logger

_log = get_logger("api")


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is stable, `detail` says what happened, `mend` what to do; `rule` names the rule that refused."""

    code: str
    detail: str
    mend: str
    retryable: bool = False
    rule: str = ""


class Answer(NamedTuple):
    status: int
    mend: str


ANSWERS: dict[type[errors.BesError], Answer] = {
    errors.SignInRequired: Answer(401, "Sign in, or send a bearer token."),
    errors.SignInFailed: Answer(401, "Check name and password."),
    errors.PasswordExpired: Answer(403, "Replace the one-time password, then repeat."),
    errors.TooManyAttempts: Answer(429, "Wait as long as the detail says."),
    errors.OriginRefused: Answer(403, "Send the request from the console's own address."),
    errors.Forbidden: Answer(403, "Ask an administrator for the role."),
    errors.NotFound: Answer(404, "Check the name; the listing of the parent shows what exists."),
    errors.Malformed: Answer(400, "Correct the request as the detail says."),
    errors.TooLarge: Answer(413, "Send less at once."),
    errors.Conflict: Answer(409, "Read again and decide again."),
    errors.StorageUnavailable: Answer(503, "Try again; if it lasts, look at the controller's disk."),
    errors.Denied: Answer(409, "The rule is explained under its id in the documentation."),
    errors.InterlockTripped: Answer(409, "Wait until the interlock has reset."),
    errors.LimitExceeded: Answer(409, "Order less, or have the site's limit changed."),
    errors.Unreachable: Answer(504, "Look at the device's power and network."),
    errors.DeviceTimeout: Answer(504, "Try again; if it lasts, look at the device."),
    errors.Unsupported: Answer(422, "Choose an order that this device can carry out."),
    errors.Expired: Answer(410, "Preview again."),
    errors.WireError: Answer(400, "Correct the request as the detail says."),
    errors.BitcoinMalformed: Answer(422, "Correct the Bitcoin data as the detail says."),
    errors.InsaneScript: Answer(422, "Change the contract's policy as the detail says."),
    errors.GatewayUnavailable: Answer(503, "Try again; if it lasts, look at the gateway."),
    errors.BesError: Answer(500, "Report the code and the time to whoever runs the controller."),
}
_BY_STATUS = {404: errors.NotFound, 405: errors.Malformed}


def answer_of(error: errors.BesError) -> Answer:
    """That of the nearest class in the tree."""
    return next(ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS)


def failure_of(error: errors.BesError) -> Failure:
    rule = error.rule if isinstance(error, errors.Denied) else ""
    return Failure(
        code=error.code, detail=error.detail, mend=answer_of(error).mend, retryable=error.retryable, rule=rule
    )


def install(app: FastAPI) -> None:
    app.add_exception_handler(errors.BesError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(Exception, _broken)


def _response(status: int, failure: Failure) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(msgspec.json.encode(failure), status, headers, "application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.BesError)
    if not error.expected:
        _log.error("request failed", path=request.url.path, code=error.code, detail=error.detail)
    return _response(answer_of(error).status, failure_of(error))


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors())
    return _response(400, failure_of(errors.Malformed(problems)))


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code, errors.Malformed)
    failure = failure_of(kind(f"{request.method} {request.url.path}: {error.detail}"))
    return _response(error.status_code, failure)


async def _broken(request: Request, error: Exception) -> Response:
    reference = secrets.token_hex(4)
    _log.error("request broke", path=request.url.path, reference=reference, error=type(error).__name__)
    detail = f"the controller failed at this request; reference {reference}"
    return _response(500, failure_of(errors.BesError(detail)))
