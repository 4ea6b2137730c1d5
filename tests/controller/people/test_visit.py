"""Cookies and origins as browsers and attackers send them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.people.visit import bearer_token, check_origin, session_token, set_cookie
from shared.errors import OriginRefused


def scope(kind: str = "http", method: str = "POST", **headers: str) -> dict[str, Any]:
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    return {"type": kind, "method": method, "headers": raw}


def test_the_session_cookie_is_found_among_others() -> None:
    assert session_token(scope(cookie="a=1; bes_session=tok-en_1; b=2")) == "tok-en_1"
    assert session_token(scope(cookie="a=1")) == ""
    assert session_token(scope()) == ""


@given(st.text(max_size=300))
def test_no_cookie_header_breaks_the_reader(text: str) -> None:
    assert isinstance(session_token(scope(cookie=text)), str)


def test_bearer_tokens() -> None:
    assert bearer_token(scope(authorization="Bearer bes_x")) == "bes_x"
    assert bearer_token(scope(authorization="Basic abc")) == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "bes.local"},
        {"host": "bes.local", "origin": "https://evil.example"},
        {"host": "bes.local", "origin": "null"},
        {"host": "bes.local:8443", "origin": "https://bes.local"},
        {"host": "bes.local", "origin": "https://bes.local.evil.example"},
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_foreign_or_missing_origin_is_refused(headers: dict[str, str], kind: str) -> None:
    with pytest.raises(OriginRefused):
        check_origin(scope(kind, **headers))


def test_our_own_origin_and_plain_reads_pass() -> None:
    check_origin(scope(host="bes.local:8443", origin="https://BES.local:8443"))
    check_origin(scope("websocket", host="bes.local", origin="http://bes.local"))
    check_origin(scope(method="GET", host="bes.local"))


def test_the_cookie_is_closed_to_scripts_and_other_sites() -> None:
    cookie = set_cookie("t", max_age_s=60, secure=True)
    assert {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in set_cookie("t", max_age_s=60, secure=False)
