import asyncio
import hashlib
import re
import socket

import pytest

from agent.site.transports.deadline import Deadlines
from agent.site.transports.http import BasicAuth, DigestAuth, HttpTransport
from agent.site.transports.http_auth import DigestSession, parse_challenge
from shared.errors import AuthFailed, DeviceTimeout, ProtocolViolation, Unreachable

QUICK = Deadlines(connect_s=0.3, first_byte_s=0.3, total_s=0.6)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return head + (await reader.readexactly(int(found[1])) if found else b"")


def client(server, **options):
    return HttpTransport("127.0.0.1", server.port, **{"deadlines": QUICK, **options})


def answering(*replies, requests=None):
    """Each connection answers its requests with these replies, then closes."""

    async def script(reader, writer):
        for reply in replies:
            request = await read_request(reader)
            if requests is not None:
                requests.append(request)
            writer.write(reply)
            await writer.drain()

    return script


async def test_keeps_the_connection(serve):
    server = await serve(answering(OK, OK, OK))
    http = client(server)
    for _ in range(3):
        reply = await http.request("GET", "/x")
        assert (reply.status, reply.body) == (200, b"hi")
    assert server.connections == 1
    await http.aclose()


async def test_post_carries_body_and_type(serve):
    requests = []
    server = await serve(answering(OK, requests=requests))
    http = client(server, auth=BasicAuth("root", "geheim"))
    await http.request("POST", "/set", body=b"a=1", content_type="application/x-www-form-urlencoded")
    await http.aclose()
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /set HTTP/1.1\r\n")
    assert b"application/x-www-form-urlencoded" in head
    assert b"Basic cm9vdDpnZWhlaW0=" in head
    assert body == b"a=1"


async def test_chunked_and_close_delimited_bodies(serve):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3\r\n yo\r\n0\r\n\r\n"
    server = await serve(answering(chunked, b"HTTP/1.1 200 OK\r\n\r\nuntil the end"))
    http = client(server)
    assert (await http.request("GET", "/")).body == b"hi yo"
    assert (await http.request("GET", "/")).body == b"until the end"
    await http.aclose()


async def test_redirect_is_a_reply(serve):
    server = await serve(answering(b"HTTP/1.1 307 Go\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n"))
    http = client(server)
    reply = await http.request("GET", "/")
    assert (reply.status, reply.header("location")) == (307, "https://elsewhere/")
    assert server.connections == 1
    await http.aclose()


async def test_read_is_repeated_once_when_the_kept_connection_was_closed(serve):
    async def script(reader, writer):
        await read_request(reader)
        writer.write(OK)
        await read_request(reader)  # and then closes without a byte

    server = await serve(script)
    http = client(server)
    await http.request("GET", "/a")
    assert (await http.request("GET", "/b")).status == 200
    assert server.connections == 2
    await http.aclose()


async def test_write_is_never_repeated(serve):
    requests = []

    async def script(reader, writer):
        requests.append(await read_request(reader))
        writer.write(OK)
        requests.append(await read_request(reader))

    server = await serve(script)
    http = client(server)
    await http.request("GET", "/a")
    with pytest.raises(Unreachable):
        await http.request("POST", "/b", body=b"{}")
    assert [request.split()[0] for request in requests] == [b"GET", b"POST"]
    await http.aclose()


async def _reset(reader, writer):
    await read_request(reader)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()


async def _drip(reader, writer):
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
    for _ in range(200):
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _endless(reader, writer):
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def _endless_head(reader, writer):
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Filler: " + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def _silent(reader, writer):
    await read_request(reader)
    await asyncio.sleep(30)


def _head(text):
    return answering(b"HTTP/1.1 200 OK\r\n" + text)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (_silent, DeviceTimeout),
        (_drip, DeviceTimeout),
        (_reset, Unreachable),
        (answering(b""), Unreachable),
        (_endless, ProtocolViolation),
        (_endless_head, ProtocolViolation),
        (_head(b"Content-Length: 10\r\n\r\nshort"), ProtocolViolation),
        (_head(b"Content-Length: banana\r\n\r\nhi"), ProtocolViolation),
        (_head(b"Content-Length: -2\r\n\r\nhi"), ProtocolViolation),
        (_head(b"Content-Length: 99999999999999999999999\r\n\r\nhi"), ProtocolViolation),
        (_head(b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!"), ProtocolViolation),
        (_head(b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi"), ProtocolViolation),
        (_head(b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n"), ProtocolViolation),
        (_head(b"Transfer-Encoding: chunked\r\n\r\n5\r\nhi"), ProtocolViolation),
        (answering(b"\x00\x01garbage\r\n\r\n"), ProtocolViolation),
        (answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000), ProtocolViolation),
    ],
)
async def test_hostile_replies_end_in_a_device_error_within_the_deadline(serve, script, error):
    server = await serve(script)
    http = client(server)
    started = asyncio.get_running_loop().time()
    with pytest.raises(error):
        await http.request("GET", "/")
    assert asyncio.get_running_loop().time() - started < QUICK.total_s + 0.5
    await http.aclose()


async def test_recovers_after_a_hostile_reply(serve):
    replies = iter((b"\x00\x01garbage\r\n\r\n", OK))

    async def script(reader, writer):
        await read_request(reader)
        writer.write(next(replies))

    server = await serve(script)
    http = client(server)
    with pytest.raises(ProtocolViolation):
        await http.request("GET", "/")
    assert (await http.request("GET", "/")).body == b"hi"
    await http.aclose()


async def test_bytes_after_a_reply_are_not_taken_for_the_next_one(serve):
    server = await serve(answering(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", OK))
    http = client(server)
    assert (await http.request("GET", "/")).body == b"hi"
    assert (await http.request("GET", "/")).body == b"hi"
    assert server.connections == 2
    await http.aclose()


async def test_cancelled_request_does_not_poison_the_next(serve):
    seen = asyncio.Event()

    async def script(reader, writer):
        request = await read_request(reader)
        if request.startswith(b"GET /slow"):
            seen.set()
            await asyncio.sleep(30)
        writer.write(OK)

    server = await serve(script)
    http = client(server)
    slow = asyncio.create_task(http.request("GET", "/slow"))
    await seen.wait()
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert (await http.request("GET", "/fast")).body == b"hi"
    await http.aclose()


async def test_nothing_listens():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Unreachable, match="refused"):
        await HttpTransport("127.0.0.1", port, deadlines=QUICK).request("GET", "/")


async def test_concurrent_requests_take_turns(serve):
    server = await serve(answering(*[OK] * 8))
    http = client(server)
    replies = await asyncio.gather(*(http.request("GET", f"/{n}") for n in range(8)))
    assert [reply.body for reply in replies] == [b"hi"] * 8
    assert server.connections == 1
    await http.aclose()


def _digest_server(algorithm="MD5", password="root", nonce_life=100):
    """A server that checks every response by the formula of RFC 7616 and forgets a nonce after `nonce_life` uses."""
    hashed = hashlib.md5 if algorithm == "MD5" else hashlib.sha256
    state = {"nonce": 0, "uses": 0, "challenged": 0, "bodies": []}

    def ok(request):
        line = re.search(rb"authorization: Digest (.*)\r\n", request, re.IGNORECASE)
        if line is None:
            return False
        given = {
            name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|(\w+))', line[1].decode())
        }
        method, uri = request.decode().split()[:2]
        state["uses"] += 1
        if (
            given["nonce"] != f"n{state['nonce']}"
            or int(given["nc"], 16) != state["uses"]
            or state["uses"] > nonce_life
        ):
            return False
        ha1 = hashed(f"root:antMiner Configuration:{password}".encode()).hexdigest()
        ha2 = hashed(f"{method}:{uri}".encode()).hexdigest()
        want = hashed(f"{ha1}:{given['nonce']}:{given['nc']}:{given['cnonce']}:auth:{ha2}".encode()).hexdigest()
        return given["uri"] == uri and given["response"] == want

    async def script(reader, writer):
        while True:
            request = await read_request(reader)
            if ok(request):
                state["bodies"].append(request.partition(b"\r\n\r\n")[2])
                writer.write(OK)
            else:
                state.update(nonce=state["nonce"] + 1, uses=0, challenged=state["challenged"] + 1)
                challenge = f'Digest realm="antMiner Configuration", nonce="n{state["nonce"]}", qop="auth"'
                challenge += f", algorithm={algorithm}" if algorithm != "MD5" else ""
                writer.write(f"HTTP/1.1 401 No\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n".encode())

    return script, state


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_digest_costs_one_extra_round_trip_for_many_requests(serve, algorithm):
    script, state = _digest_server(algorithm)
    server = await serve(script)
    http = client(server, auth=DigestAuth("root", "root"))
    for n in range(5):
        assert (await http.request("GET", f"/cgi-bin/stats.cgi?n={n}")).status == 200
    assert state["challenged"] == 1
    await http.aclose()


async def test_digest_survives_an_expired_nonce_and_writes_once(serve):
    script, state = _digest_server(nonce_life=2)
    server = await serve(script)
    http = client(server, auth=DigestAuth("root", "root"))
    for n in range(6):
        await http.request("POST", "/set", body=b"%d" % n)
    assert state["bodies"] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert state["challenged"] == 3
    await http.aclose()


async def test_wrong_password_fails_after_one_challenge(serve):
    script, state = _digest_server()
    server = await serve(script)
    http = client(server, auth=DigestAuth("root", "wrong"))
    with pytest.raises(AuthFailed):
        await http.request("POST", "/set", body=b"x")
    assert state["challenged"] == 2
    assert state["bodies"] == []
    await http.aclose()


@pytest.mark.parametrize("auth", [None, BasicAuth("root", "root"), DigestAuth("root", "root")])
async def test_401_without_a_challenge(serve, auth):
    server = await serve(answering(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"))
    http = client(server, auth=auth)
    if auth is None:
        assert (await http.request("GET", "/")).status == 401
    else:
        with pytest.raises(AuthFailed):
            await http.request("GET", "/")
    await http.aclose()


def test_the_strongest_known_challenge_wins():
    session = DigestSession(DigestAuth('q"uote', "x"))
    session.accept(
        [
            'Digest realm="r", nonce="a", qop="auth"',
            'Digest realm="r", nonce="b", qop="auth-int,auth", algorithm=SHA-256, opaque="o\\"p"',
            'Digest realm="r", nonce="c", qop="auth", algorithm=SHA-512-256',
            'Basic realm="r"',
        ]
    )
    header = session.header("GET", "/")
    assert header is not None
    assert 'nonce="b"' in header
    assert 'username="q\\"uote"' in header
    assert 'opaque="o\\"p"' in header
    assert "nc=00000001" in header


@pytest.mark.parametrize(
    "header", ["", "Basic realm=x", "Digest", 'Digest realm="r"', 'Digest realm="é", nonce="n", qop="auth"']
)
def test_what_is_no_digest_challenge(header):
    assert parse_challenge(header) is None


def test_passwords_are_not_shown():
    assert "geheim" not in repr(DigestAuth("root", "geheim")) + repr(BasicAuth("root", "geheim"))
