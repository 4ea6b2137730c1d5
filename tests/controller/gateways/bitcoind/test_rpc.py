"""The transport against nodes that misbehave."""

import asyncio
import base64
import random

import msgspec
import pytest

from controller.gateways.bitcoind import BitcoinNode, Breaker, CookieLogin, JsonRpc, NodeRefused, PasswordLogin
from controller.gateways.bitcoind.connection import NodeConnections
from hardware_sims.faults import Fault, FaultDetail, FaultState
from hardware_sims.http import HttpRequest, HttpResponse, HttpServer
from shared.bitcoin.network import Network
from shared.errors import GatewayRefused, GatewayUnavailable, SettingInvalid


class Node:
    """Answers every call with what `said` holds, one after the other, the last for ever."""

    def __init__(self) -> None:
        self.faults = FaultState()
        self.server = HttpServer(self._handle, self.faults)
        self.seen: list[HttpRequest] = []
        self.said: list[object] = [{"result": 7}]

    async def _handle(self, request: HttpRequest) -> HttpResponse:
        self.seen.append(request)
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(said, HttpResponse):
            return said
        if isinstance(said, bytes):
            return HttpResponse(200, said)
        body = msgspec.json.decode(request.body)
        return HttpResponse(200, msgspec.json.encode({"jsonrpc": "2.0", "id": body["id"], **said}))


@pytest.fixture
async def node():
    made = Node()
    await made.server.start("127.0.0.1", 0)
    yield made
    await made.server.stop()


@pytest.fixture
async def rpc(node):
    login = PasswordLogin("user", "word")
    made = JsonRpc(f"http://127.0.0.1:{node.server.port}", login, randomness=random.Random(1))
    yield made
    await made.aclose()


async def test_a_call_carries_login_and_parameters(node, rpc):
    assert await rpc.call(int, "getblockcount", 1, "two", None) == 7
    (request,) = node.seen
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"user:word"
    body = msgspec.json.decode(request.body)
    assert (body["jsonrpc"], body["method"], body["params"]) == ("2.0", "getblockcount", [1, "two", None])


async def test_a_refusal_keeps_number_and_reason_and_is_not_asked_again(node, rpc):
    node.said = [{"error": {"code": -26, "message": "dust"}}]
    with pytest.raises(NodeRefused) as caught:
        await rpc.call(str, "sendrawtransaction", "00")
    assert (caught.value.number, caught.value.reason, len(node.seen)) == (-26, "dust", 1)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "first",
    [
        HttpResponse(503, b"Work queue depth exceeded"),
        {"error": {"code": -28, "message": "Loading block index..."}},
        b"<html>no node</html>",
        b'{"jsonrpc":"2.0","id":999999,"result":1}',
        b"[]",
        b"",
    ],
)
async def test_what_may_pass_is_asked_again(node, rpc, first):
    node.said = [first, {"result": 7}]
    assert await rpc.call(int, "getblockcount") == 7
    assert (rpc.counters["calls"], rpc.counters["retries"], rpc.counters["failures"]) == (2, 1, 1)


async def test_retries_end_and_then_the_breaker_answers(node, rpc):
    node.said = [HttpResponse(503)]
    with pytest.raises(GatewayUnavailable, match="HTTP status 503"):
        await rpc.call(int, "getblockcount")
    assert len(node.seen) == 3
    with pytest.raises(GatewayUnavailable, match="asked again in"):
        await rpc.call(int, "getblockcount")
    assert len(node.seen) == 3, "while the breaker is open nobody is asked"
    node.said = [{"result": 7}]
    await asyncio.sleep(0.7)
    assert await rpc.call(int, "getblockcount") == 7


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.TRUNCATED, Fault.HTTP500])
async def test_bytes_that_are_no_answer_are_told_as_unavailable(node, rpc, fault):
    node.faults.set(fault)
    with pytest.raises(GatewayUnavailable):
        await rpc.call(int, "getblockcount")
    node.faults.clear()


async def test_a_node_that_stays_silent_costs_the_deadline_and_no_more(node, rpc):
    node.faults.set(Fault.SLOW, FaultDetail(delay_s=5))
    with pytest.raises(GatewayUnavailable, match=r"no whole answer within 0\.2 s"):
        await rpc.call(int, "getblockcount", within_s=0.2)


async def test_an_endless_answer_is_cut_off(node):
    connections = NodeConnections(f"http://127.0.0.1:{node.server.port}", most_bytes=1 << 20)
    node.faults.set(Fault.ENDLESS)
    with pytest.raises(GatewayUnavailable, match="more than 1048576 bytes"):
        await connections.post(b'{"id":1}', {})
    await connections.aclose()


async def test_connections_are_kept_and_one_that_was_closed_is_replaced(node):
    connections = NodeConnections(f"http://127.0.0.1:{node.server.port}")
    for _ in range(3):
        assert (await connections.post(b'{"id":1}', {})).status == 200
    port = node.server.port
    await node.server.stop()
    await node.server.start("127.0.0.1", port)
    await asyncio.sleep(0.05)
    assert (await connections.post(b'{"id":1}', {})).status == 200
    await connections.aclose()


async def test_many_calls_at_once_do_not_mix(node, rpc):
    node.faults.set(Fault.SLOW, FaultDetail(delay_s=0.05))
    assert await asyncio.gather(*(rpc.call(int, "getblockcount") for _ in range(20))) == [7] * 20


@pytest.mark.parametrize("url", ["https://127.0.0.1:8332", "127.0.0.1:8332", "http://127.0.0.1", "http://x:y"])
def test_a_url_that_no_node_has_is_refused(url):
    with pytest.raises(SettingInvalid, match="write http://HOST:PORT"):
        JsonRpc(url, PasswordLogin("a", "b"))


async def test_a_wrong_login_is_a_refusal_that_names_the_mend(node, rpc):
    node.said = [HttpResponse(401)]
    with pytest.raises(GatewayRefused, match="check cookie file or password"):
        await rpc.call(int, "getblockcount")
    assert len(node.seen) == 1


async def test_nobody_listens(tmp_path):
    rpc = JsonRpc("http://127.0.0.1:1", PasswordLogin("a", "b"))
    with pytest.raises(GatewayUnavailable, match="is the node running"):
        await rpc.call(int, "getblockcount")
    await rpc.aclose()


def test_a_password_does_not_stand_in_logs():
    assert "hunter2" not in repr(PasswordLogin("user", "hunter2"))


async def test_a_cookie_is_read_anew_for_every_call(node, tmp_path):
    file = tmp_path / ".cookie"
    rpc = JsonRpc(f"http://127.0.0.1:{node.server.port}", CookieLogin(file))
    for word in ("first", "second"):
        file.write_text(f"__cookie__:{word}")
        await rpc.call(int, "getblockcount")
    given = [base64.b64decode(one.headers["authorization"].removeprefix("Basic ")) for one in node.seen]
    assert given == [b"__cookie__:first", b"__cookie__:second"]
    await rpc.aclose()


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (
            [{"chain": "main"}, {"version": 280000}, {"txindex": {"synced": True}}],
            "on main, this controller on regtest",
        ),
        ([{}, {"version": 270100}, {"txindex": {"synced": True}}], "version 270100; from 280000 on"),
        ([{}, {"version": 280000}, {}], "start it with -txindex=1"),
        ([{}, {"version": 280000}, {"txindex": {"synced": False}}], "still building its index"),
    ],
)
async def test_a_node_that_will_not_do_is_told_why(node, rpc, answers, text):
    info = {"chain": "regtest", "blocks": 1, "bestblockhash": "00", "mediantime": 1, "initialblockdownload": False}
    node.said = [{"result": (info | answers[0])}, {"result": answers[1]}, {"result": answers[2]}]
    with pytest.raises((GatewayRefused, GatewayUnavailable), match=text):
        await BitcoinNode(rpc, Network.REGTEST).check()


async def test_an_index_that_is_being_built_is_not_a_no(node, rpc):
    node.said = [
        {"error": {"code": -5, "message": "No such mempool transaction. Use -txindex or provide a block hash"}}
    ]
    with pytest.raises(GatewayUnavailable, match="the node cannot tell"):
        await BitcoinNode(rpc, Network.REGTEST).confirmations("ab" * 32)


@pytest.mark.parametrize(
    ("method", "result"), [("least_rate_sat_kvb", {"mempoolminfee": 0.00001}), ("tip", {"blocks": "x"}), ("waiting", 3)]
)
async def test_an_answer_of_another_form_is_no_answer(node, rpc, method, result):
    node.said = [{"result": result}]
    with pytest.raises(GatewayUnavailable, match="an answer of another form"):
        await getattr(BitcoinNode(rpc, Network.REGTEST), method)()


async def test_a_scan_for_somebody_else_passes(node, rpc):
    said = 'Scan already in progress, use action "abort" or "status"'
    node.said = [{"error": {"code": -8, "message": said}}]
    with pytest.raises(GatewayUnavailable, match="the node scans for somebody else"):
        await BitcoinNode(rpc, Network.REGTEST).coins_of([b"\x51"])


async def test_a_fraction_of_a_satoshi_is_no_answer(node, rpc):
    body = b'{"jsonrpc":"2.0","id":1,"result":{"feerate":0.000000001}}'
    node.said = [body]
    with pytest.raises(GatewayUnavailable, match="no whole satoshi"):
        await BitcoinNode(rpc, Network.REGTEST).fee_rate_sat_kvb(6)


def test_pauses_double_and_end_at_half_a_minute():
    now = [0.0]
    breaker = Breaker(randomness=random.Random(3), clock=lambda: now[0])
    pauses = []
    for _ in range(12):
        breaker.failed()
        pauses.append(breaker._open_until_s - now[0])
    assert pauses[:2] == [0.0, 0.0]
    assert 0.4 <= pauses[2] <= 0.6
    assert pauses[5] > 2 * pauses[3]
    assert 24 <= pauses[-1] <= 36
    breaker.succeeded()
    breaker.check("nowhere")
