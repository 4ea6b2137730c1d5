import asyncio

import httpx
import pytest

from hardware_sims.faults import Fault, FaultState
from hardware_sims.http import MAX_BODY_BYTES, HttpRequest, HttpResponse, HttpServer


@pytest.fixture
def faults() -> FaultState:
    return FaultState()


@pytest.fixture
def seen() -> list[HttpRequest]:
    return []


@pytest.fixture
async def server(faults, seen, stopping) -> HttpServer:
    async def handle(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        if request.path == "/bug":
            raise ValueError("bug")
        if request.path == "/down":
            raise ConnectionAbortedError
        return HttpResponse(201, b'{"ok":true}', {"X-Kind": "test"})

    made = HttpServer(handle, faults)
    await made.start("127.0.0.1", 0)
    stopping.push_async_callback(made.stop)
    return made


@pytest.fixture
async def client(server, stopping) -> httpx.AsyncClient:
    made = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}")
    stopping.push_async_callback(made.aclose)
    return made


async def test_a_request_arrives_in_its_parts(client, seen):
    reply = await client.post("/a%20b?x=1&empty=&y=%26", content=b"body", headers={"X-Token": "T"})
    assert (reply.status_code, reply.json(), reply.headers["x-kind"]) == (201, {"ok": True}, "test")
    (request,) = seen
    assert (request.method, request.path, request.body) == ("POST", "/a b", b"body")
    assert request.query == {"x": "1", "empty": "", "y": "&"}
    assert request.headers["x-token"] == "T"
    assert request.target == "/a%20b?x=1&empty=&y=%26"
    assert request.peer == "127.0.0.1"


async def test_one_connection_serves_many_requests(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(3):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        reply = await asyncio.wait_for(reader.readuntil(b'{"ok":true}'), 5)
        assert reply.startswith(b"HTTP/1.1 201 Created\r\n")
    writer.close()


async def test_a_peer_that_wants_to_close_is_let_go(server, exchange):
    reply = await exchange("127.0.0.1", server.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert reply.endswith(b'{"ok":true}')


async def test_head_brings_no_body(client):
    reply = await client.head("/")
    assert reply.headers["content-length"] == "11"
    assert reply.content == b""


async def test_a_body_beyond_the_cap_is_refused(client):
    assert (await client.post("/", content=b"x" * (MAX_BODY_BYTES + 1))).status_code == 413


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"]
)
async def test_what_is_no_http_gets_a_400(server, exchange, nonsense):
    assert (await exchange("127.0.0.1", server.port, nonsense)).startswith(b"HTTP/1.1 400")


async def test_a_bug_in_the_handler_is_a_500(client):
    assert (await client.get("/bug")).status_code == 500
    assert (await client.get("/")).status_code == 201


async def test_a_device_that_goes_down_drops_the_conversation(client):
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/down")


async def test_an_idle_connection_ends_with_a_408(faults, stopping, exchange):
    async def handle(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    server = HttpServer(handle, faults, idle_s=0.05)
    await server.start("127.0.0.1", 0)
    stopping.push_async_callback(server.stop)
    assert (await exchange("127.0.0.1", server.port, b"")).startswith(b"HTTP/1.1 408")


async def test_without_keep_alive_each_answer_closes(faults, stopping, exchange):
    async def handle(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    server = HttpServer(handle, faults, keep_alive=False)
    await server.start("127.0.0.1", 0)
    stopping.push_async_callback(server.stop)
    assert b"connection: close" in await exchange("127.0.0.1", server.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


async def test_faults_bend_every_answer(client, faults, seen):
    for fault, status in ((Fault.HTTP401, 401), (Fault.HTTP404, 404), (Fault.HTTP500, 500)):
        faults.set(fault)
        assert (await client.get("/")).status_code == status
        faults.clear()
    assert not seen
    faults.set(Fault.TRUNCATED)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/")


async def test_an_endless_body_is_announced_as_one(client, faults):
    faults.set(Fault.ENDLESS)
    async with client.stream("GET", "/") as reply:
        assert int(reply.headers["content-length"]) == 1 << 40
        received = 0
        async for chunk in reply.aiter_raw():
            received += len(chunk)
            if received > 200_000:
                break
    faults.clear()
