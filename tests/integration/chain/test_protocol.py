"""Names, fields, error codes and texts of the JSON-RPC, on the simulated node and on Bitcoin Core alike."""

import base64

import httpx
import msgspec
import pytest

from controller.gateways.bitcoind import NodeRefused

BLOCK_FIELDS = {
    *("hash", "confirmations", "height", "version", "versionHex", "merkleroot", "time", "mediantime", "nonce", "bits"),
    *("difficulty", "chainwork", "nTx", "previousblockhash", "strippedsize", "size", "weight", "tx"),
}
UNKNOWN = "11" * 32


async def refusal(rpc, method, *params) -> tuple[int, str]:
    with pytest.raises(NodeRefused) as caught:
        await rpc.call(msgspec.Raw, method, *params)
    return caught.value.number, caught.value.reason


async def posted(running, body: bytes, *, authorization: str | None = None) -> httpx.Response:
    headers = {"authorization": running.login.header() if authorization is None else authorization}
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(running.url, content=body, headers={k: v for k, v in headers.items() if v})


async def test_a_block_has_the_fields_that_its_readers_know(rpc, miner):
    *_, block_hash = await miner.mine(2)
    block = await rpc.call(dict, "getblock", block_hash)
    assert set(block) >= BLOCK_FIELDS
    assert (block["height"], block["confirmations"], block["nTx"], block["bits"]) == (2, 1, 1, "207fffff")
    assert block["chainwork"] == f"{6:064x}"
    full = await rpc.call(dict, "getblock", block_hash, 2)
    assert full["tx"][0]["vout"][0]["value"] == 50.0
    assert full["tx"][0]["vout"][0]["scriptPubKey"]["type"] == "witness_v0_keyhash"
    assert "coinbase" in full["tx"][0]["vin"][0]
    raw = await rpc.call(str, "getblock", block_hash, 0)
    assert len(raw) == 2 * block["size"]
    header = await rpc.call(str, "getblockheader", block_hash, False)
    assert raw.startswith(header)
    first = await rpc.call(dict, "getblock", block["previousblockhash"])
    assert first["nextblockhash"] == block_hash


async def test_refusals_have_bitcoin_cores_numbers_and_texts(rpc):
    assert await refusal(rpc, "getblock", UNKNOWN) == (-5, "Block not found")
    assert await refusal(rpc, "getblockhash", 1) == (-8, "Block height out of range")
    assert await refusal(rpc, "getblockhash", -1) == (-8, "Block height out of range")
    assert await refusal(rpc, "getblock", "abc") == (-8, "blockhash must be of length 64 (not 3, for 'abc')")
    number, text = await refusal(rpc, "getblock", "zz" * 32)
    assert (number, text) == (-8, f"blockhash must be hexadecimal string (not '{'zz' * 32}')")
    number, text = await refusal(rpc, "getrawtransaction", UNKNOWN)
    assert number == -5
    assert text == "No such mempool or blockchain transaction. Use gettransaction for wallet transactions."
    assert await refusal(rpc, "getmempoolentry", UNKNOWN) == (-5, "Transaction not in mempool")
    number, text = await refusal(rpc, "sendrawtransaction", "00")
    assert (number, text) == (-22, "TX decode failed. Make sure the tx has at least one input.")
    assert await refusal(rpc, "generatetoaddress", 1, "nobody") == (-5, "Error: Invalid address")
    assert (await refusal(rpc, "getblockhash", "one"))[0] == -3
    assert (await refusal(rpc, "getblockhash"))[0] == -1
    assert (await refusal(rpc, "estimatesmartfee", 0))[0] == -8
    assert await refusal(rpc, "makemerich") == (-32601, "Method not found")
    assert await refusal(rpc, "invalidateblock", UNKNOWN) == (-5, "Block not found")


async def test_named_parameters_mean_the_same(running, rpc):
    genesis = await rpc.call(str, "getblockhash", 0)
    body = {"method": "getblockheader", "params": {"verbose": False, "blockhash": genesis}, "id": "a"}
    reply = (await posted(running, msgspec.json.encode(body))).json()
    assert reply == {"result": await rpc.call(str, "getblockheader", genesis, False), "error": None, "id": "a"}
    wrong = {"method": "getblockheader", "params": {"hash": genesis}, "id": 2}
    reply = await posted(running, msgspec.json.encode(wrong))
    assert reply.json()["error"] == {"code": -8, "message": "Unknown named parameter hash"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 500, -32700),
        (b"{", 500, -32700),
        (b'"text"', 500, -32700),
        (b'{"id":1}', 400, -32600),
        (b'{"id":1,"method":7}', 400, -32600),
        (b'{"id":1,"method":"getblockcount","params":"x"}', 400, -32600),
        (b'{"id":1,"method":"nope"}', 404, -32601),
        (b'{"id":1,"method":"getblockhash","params":[5]}', 500, -8),
    ],
)
async def test_garbage_and_refusals_have_the_status_of_version_1(running, body, status, code):
    reply = await posted(running, body)
    assert reply.status_code == status
    assert reply.json()["error"]["code"] == code


async def test_version_2_answers_with_200_and_one_of_result_and_error(running):
    reply = await posted(running, b'{"jsonrpc":"2.0","id":1,"method":"getblockhash","params":[5]}')
    assert reply.status_code == 200
    assert reply.json() == {"jsonrpc": "2.0", "error": {"code": -8, "message": "Block height out of range"}, "id": 1}
    reply = await posted(running, b'{"jsonrpc":"2.0","id":1,"method":"getblockcount"}')
    assert reply.json() == {"jsonrpc": "2.0", "result": 0, "id": 1}
    assert (await posted(running, b'{"jsonrpc":"2.0","method":"getblockcount"}')).status_code == 204


async def test_a_batch_is_answered_one_by_one(running):
    body = b'[{"id":1,"method":"getblockcount"},{"id":2,"method":"nope"},3]'
    reply = await posted(running, body)
    assert reply.status_code == 200
    first, second, third = reply.json()
    assert first == {"result": 0, "error": None, "id": 1}
    assert (second["id"], second["error"]["code"], third["error"]["code"]) == (2, -32601, -32600)


@pytest.mark.parametrize("login", ["", "Basic", "Basic !!!", "Bearer x", "Basic " + base64.b64encode(b"a:b").decode()])
async def test_without_the_right_login_there_is_401(running, login):
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"authorization": login} if login else {}
        reply = await client.post(running.url, content=b'{"id":1,"method":"stop"}', headers=headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == 'Basic realm="jsonrpc"'


async def test_a_get_is_refused(running):
    async with httpx.AsyncClient(trust_env=False) as client:
        reply = await client.get(running.url, headers={"authorization": running.login.header()})
    assert reply.status_code == 405


async def test_a_cookie_is_for_its_owner_alone_and_a_password_makes_none(running, with_password):
    assert running.cookie.stat().st_mode & 0o077 == 0
    assert running.cookie.read_text().startswith("__cookie__:")
    assert not with_password.cookie.exists()
    rpc = with_password.rpc()
    assert await rpc.call(int, "getblockcount") == 0
    await rpc.aclose()


async def test_the_mempool_is_told_in_full(rpc, miner, purse):
    (coin,) = await miner.rewards(1)
    parent = purse.moved(coin, 2_000)
    child = purse.moved(purse.coins_in(parent)[0], 3_000)
    for tx in (parent, child):
        assert await rpc.call(str, "sendrawtransaction", tx.raw.hex()) == tx.txid
    entry = await rpc.call(dict, "getmempoolentry", child.txid)
    assert (entry["vsize"], entry["weight"], entry["wtxid"]) == (child.vsize_vb, child.weight_wu, child.wtxid)
    assert (entry["ancestorcount"], entry["descendantcount"], entry["depends"]) == (2, 1, [parent.txid])
    assert entry["fees"]["ancestor"] == 0.00005
    info = await rpc.call(dict, "getmempoolinfo")
    assert (info["size"], info["loaded"], info["total_fee"]) == (2, True, 0.00005)
    assert set(await rpc.call(dict, "getrawmempool", True)) == {parent.txid, child.txid}
    await miner.mine()
    spent = await rpc.call(dict | None, "gettxout", parent.txid, 0)
    assert spent is None
    out = await rpc.call(dict, "gettxout", child.txid, 0)
    assert (out["confirmations"], out["coinbase"], out["value"]) == (1, False, 49.99995)
    full = await rpc.call(dict, "getblock", await rpc.call(str, "getbestblockhash"), 2)
    assert [tx.get("fee") for tx in full["tx"]] == [None, 0.00002, 0.00003]


async def test_a_fee_or_a_burn_by_mistake_is_stopped(rpc, miner, purse):
    (coin,) = await miner.rewards(1)
    dear = purse.moved(coin, 30_000_000)
    number, text = await refusal(rpc, "sendrawtransaction", dear.raw.hex())
    assert (number, text) == (-25, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")
    (tested,) = await rpc.call(list[dict], "testmempoolaccept", [dear.raw.hex()])
    assert (tested["allowed"], tested["reject-reason"]) == (False, "max-fee-exceeded")
    assert await rpc.call(str, "sendrawtransaction", dear.raw.hex(), 0) == dear.txid


async def test_a_block_may_be_mined_of_nothing_or_of_named_transactions(rpc, miner, purse):
    first, second = await miner.rewards(2)
    waiting, given = purse.moved(first, 2_000), purse.moved(second, 2_000)
    await rpc.call(str, "sendrawtransaction", waiting.raw.hex())
    empty = await rpc.call(dict, "generateblock", purse.address, [])
    assert (await rpc.call(dict, "getblock", empty["hash"]))["nTx"] == 1
    made = await rpc.call(dict, "generateblock", purse.address, [waiting.txid, given.raw.hex()])
    assert (await rpc.call(dict, "getblock", made["hash"]))["tx"][1:] == [waiting.txid, given.txid]
    assert await rpc.call(list, "getrawmempool") == []


async def test_a_body_of_megabytes_is_read(rpc):
    number, _ = await refusal(rpc, "sendrawtransaction", "00" * 2_000_000)
    assert number == -22


async def test_who_spends_an_output_in_the_mempool(rpc, miner, purse):
    first, second = await miner.rewards(2)
    tx = purse.moved(first, 2_000)
    await rpc.call(str, "sendrawtransaction", tx.raw.hex())
    wanted = [{"txid": coin.outpoint.txid, "vout": coin.outpoint.vout} for coin in (first, second)]
    found = await rpc.call(list[dict], "gettxspendingprevout", wanted)
    assert found == [wanted[0] | {"spendingtxid": tx.txid}, wanted[1]]
    assert (await refusal(rpc, "gettxspendingprevout", []))[0] == -8
