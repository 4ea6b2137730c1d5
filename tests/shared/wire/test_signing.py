"""Words between controller and boxes: each kind is sealed under a domain of its own."""

from typing import get_args

import msgspec
import pytest

from shared.errors import DecodeFailed
from shared.wire.codec import decode, encode
from shared.wire.signing import HeadersBatch, Kind, Packet, SigningRequest, domain

REQUEST = SigningRequest(
    request_id="request-1",
    site="tx1",
    node="box-1",
    contract_id="ab" * 32,
    policy_version=1,
    path="normal",
    psbt=b"psbt",
    proposal=b"proposal",
    approvals=(),
    expires_at_ms=1_000,
    expires_at_height=10,
)


def test_no_two_kinds_share_a_domain():
    domains = [domain(kind) for kind in get_args(Kind)]
    assert len(set(domains)) == len(domains)


def test_a_request_survives_the_wire():
    assert decode(encode(REQUEST), SigningRequest) == REQUEST


@pytest.mark.parametrize("changed", [{"request_id": "x"}, {"round": "both"}, {"contract_id": "AB" * 32}, {"path": ""}])
def test_a_request_out_of_bounds_is_refused(changed):
    with pytest.raises(DecodeFailed):
        decode(encode(msgspec.structs.replace(REQUEST, **changed)), SigningRequest)


def test_a_packet_of_an_unknown_kind_is_refused():
    with pytest.raises(DecodeFailed):
        decode(msgspec.msgpack.encode([1, "sign-this-hash", b""]), Packet)


@pytest.mark.parametrize("headers", [(), (b"\x00" * 79,), (b"\x00" * 80,) * 2017])
def test_headers_come_whole_and_bounded(headers):
    with pytest.raises(DecodeFailed):
        decode(encode(HeadersBatch(site="tx1", node="box-1", headers=headers)), HeadersBatch)
