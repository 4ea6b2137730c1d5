"""`bes sims chain` from within: readiness, a block every so often, a login by password, and an end."""

import asyncio

import httpx
import pytest
from typer.testing import CliRunner

from hardware_sims.chain.cli import ChainOptions, Ready, run
from hardware_sims.chain.node import NodeOptions
from hardware_sims.chain.purse import Purse
from hardware_sims.chain.rpc.server import RpcOptions
from hardware_sims.cli import app
from shared.errors import BitcoinMalformed, SettingInvalid


async def running(options: ChainOptions) -> tuple[asyncio.Task[None], Ready]:
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run(options, ready=ready.set_result))
    return task, await asyncio.wait_for(ready, 20)


async def asked(ready: Ready, method: str, auth: tuple[str, str]) -> object:
    async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
        return (await client.post(ready.url, json={"method": method, "id": 1})).json()["result"]


async def test_blocks_come_by_themselves_until_it_is_stopped():
    options = ChainOptions(
        NodeOptions(),
        RpcOptions(user="ann", password="word"),
        block_every_s=0.05,
        mine_to=Purse().address,
    )
    task, ready = await running(options)
    assert ready.cookie_file is None
    async with asyncio.timeout(10):
        while await asked(ready, "getblockcount", ("ann", "word")) < 3:
            await asyncio.sleep(0.02)
    await asked(ready, "stop", ("ann", "word"))
    await asyncio.wait_for(task, 10)


async def test_an_address_of_another_chain_is_refused_at_the_start():
    options = ChainOptions(
        NodeOptions(), RpcOptions(), block_every_s=1, mine_to="bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    )
    with pytest.raises(BitcoinMalformed, match="regtest"):
        await run(options, ready=lambda _: None)


def test_how_often_and_to_whom_go_together(tmp_path):
    result = CliRunner().invoke(app, ["chain", "--datadir", str(tmp_path), "--block-every", "5"])
    assert isinstance(result.exception, SettingInvalid)


async def test_a_fee_estimate_is_told_where_somebody_named_one(tmp_path):
    options = ChainOptions(NodeOptions(estimate_sat_vb=7), RpcOptions(user="a", password="b"))
    task, ready = await running(options)
    async with httpx.AsyncClient(auth=("a", "b"), trust_env=False) as client:
        body = {"method": "estimatesmartfee", "params": [6], "id": 1}
        assert (await client.post(ready.url, json=body)).text.startswith('{"result":{"feerate":0.00007000,"blocks":6}')
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
