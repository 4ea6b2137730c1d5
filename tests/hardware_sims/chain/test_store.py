"""A node that stops, is killed or shares its directory."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from hardware_sims.chain import ChainNode, NodeOptions
from hardware_sims.chain.purse import Purse
from shared.errors import Corrupt, StorageUnavailable

ROOT = Path(__file__).parents[3]


@pytest.fixture
def opened(tmp_path, stopping):
    def open_node() -> ChainNode:
        node = ChainNode(NodeOptions(folder=tmp_path, clock=lambda: 1_700_000_000))
        stopping.callback(node.close)
        return node

    return open_node


async def test_a_node_comes_back_with_its_chain_its_judgements_and_its_mempool(opened):
    purse = Purse()
    node = opened()
    hashes = node.generate(105, purse.script)
    tx = purse.moved(purse.coins_in(node.chain.at(1).block.transactions[0])[0], 1_000)
    node.accept(tx)
    node.invalidate(hashes[-2])
    tip = node.chain.tip.block.hash
    node.close()
    again = opened()
    assert (again.chain.height, again.chain.tip.block.hash) == (103, tip)
    assert [entry.txid for entry in again.mempool] == [tx.txid]
    again.reconsider(hashes[-2])
    again.close()
    third = opened()
    assert third.chain.tip.block.hash == hashes[-1]
    assert third.chain.coins.of_script(purse.script) == again.chain.coins.of_script(purse.script)


async def test_a_torn_last_record_is_cut_off_and_the_next_block_follows(opened, tmp_path):
    purse = Purse()
    node = opened()
    node.generate(5, purse.script)
    node.close()
    file = tmp_path / "chain.log"
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    node = opened()
    assert node.chain.height == 4
    node.generate(2, purse.script)
    node.close()
    assert opened().chain.height == 6


async def test_one_directory_serves_one_node(opened):
    node = opened()
    with pytest.raises(StorageUnavailable, match="another node"):
        opened()
    node.close()
    opened()


async def test_a_file_of_something_else_is_not_touched(tmp_path, opened):
    (tmp_path / "chain.log").write_bytes(b"something else entirely")
    with pytest.raises(Corrupt):
        opened()
    assert (tmp_path / "chain.log").read_bytes() == b"something else entirely"


async def started(folder: Path) -> tuple[asyncio.subprocess.Process, dict[str, object]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "hardware_sims.cli", "chain", "--datadir", str(folder), "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    return process, json.loads(await asyncio.wait_for(process.stdout.readline(), 60))


def cookie(ready: dict[str, object]) -> Path:
    return Path(str(ready["cookie_file"]))


async def asked(ready: dict[str, object], method: str, *params: object) -> object:
    user, _, password = cookie(ready).read_text().partition(":")
    async with httpx.AsyncClient(auth=(user, password)) as client:
        reply = await client.post(str(ready["url"]), json={"method": method, "params": params, "id": 1}, timeout=30)
    return reply.json()["result"]


async def test_a_killed_process_has_lost_no_block_that_it_told_about(tmp_path):
    address = Purse().address
    tip = None
    for height in (30, 60):
        process, ready = await started(tmp_path)
        assert ready["height"] == height - 30
        assert tip in (None, await asked(ready, "getbestblockhash"))
        hashes = await asked(ready, "generatetoaddress", 30, address)
        tip = hashes[-1]
        process.send_signal(signal.SIGKILL)
        await process.wait()
    process, ready = await started(tmp_path)
    assert ready["height"] == 60
    assert await asked(ready, "stop") == "Bitcoin Core stopping"
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert not cookie(ready).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chain.log", "mempool.msgpack"], "nothing is left lying"
