"""A node behind JSON-RPC: the simulated one, or the Bitcoin Core that the environment variable BITCOIND names.

Both are started alike: regtest, index of transactions, the network off, a data directory of their own.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.gateways.bitcoind import BitcoinNode, CookieLogin, JsonRpc, Login, PasswordLogin
from hardware_sims.chain import ChainNode, NodeOptions, RpcServer
from hardware_sims.chain.bitcoind import Bitcoind, free_port
from hardware_sims.chain.purse import Purse, PurseCoin
from hardware_sims.chain.rpc.server import RpcOptions
from shared.bitcoin.block import Block
from shared.bitcoin.network import Network

BITCOIND = os.environ.get("BITCOIND", "")
USER, PASSWORD = "treasury", "correct horse"


@dataclass
class RunningNode:
    url: str
    login: Login
    cookie: Path

    def rpc(self, login: Login | None = None) -> JsonRpc:
        return JsonRpc(self.url, login or self.login)


class Simulated:
    """`stop` and `start` again on the same port and directory."""

    def __init__(self, folder: Path, *, password: str | None = None) -> None:
        self._folder = folder
        self._password = password
        self._port = free_port()

    async def start(self) -> RunningNode:
        cookie = self._folder / ".cookie"
        self._node = ChainNode(NodeOptions(folder=self._folder))
        options = RpcOptions(port=self._port, user=USER, password=self._password, cookie_file=cookie)
        self._server = RpcServer(self._node, options)
        await self._server.start()
        login = CookieLogin(cookie) if self._password is None else PasswordLogin(USER, self._password)
        return RunningNode(f"http://127.0.0.1:{self._server.port}", login, cookie)

    async def stop(self) -> None:
        await self._server.stop()
        self._node.close()


class Core:
    """Bitcoin Core in a process of its own."""

    def __init__(self, folder: Path, *, password: str | None = None) -> None:
        self._password = password
        self._node = Bitcoind(BITCOIND, folder, free_port(), user=USER, password=password)

    async def start(self) -> RunningNode:
        await asyncio.to_thread(self._node.start)
        cookie = self._node.cookie_file
        known: Login = CookieLogin(cookie) if self._password is None else PasswordLogin(USER, self._password)
        return RunningNode(self._node.url, known, cookie)

    async def stop(self) -> None:
        await asyncio.to_thread(self._node.stop)


Program = Core if BITCOIND else Simulated


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Simulated | Core]:
    made = Program(tmp_path / "node")
    yield made
    await made.stop()


@pytest.fixture
async def running(program: Simulated | Core) -> RunningNode:
    return await program.start()


@pytest.fixture
async def rpc(running: RunningNode) -> AsyncIterator[JsonRpc]:
    made = running.rpc()
    yield made
    await made.aclose()


@pytest.fixture
def gateway(rpc: JsonRpc) -> BitcoinNode:
    return BitcoinNode(rpc, Network.REGTEST)


@pytest.fixture
def purse() -> Purse:
    return Purse()


class Miner:
    """Mines through the node itself; every block pays the purse unless told otherwise."""

    def __init__(self, rpc: JsonRpc, purse: Purse) -> None:
        self._rpc = rpc
        self._purse = purse

    async def mine(self, count: int = 1, address: str = "") -> tuple[str, ...]:
        return await self._rpc.call(tuple[str, ...], "generatetoaddress", count, address or self._purse.address)

    async def rewards(self, count: int) -> list[PurseCoin]:
        """So many mature coins of 50 bitcoin."""
        hashes = await self.mine(count + 99 + 1)
        raws = await self._rpc.batch(str, [("getblock", [one, 0]) for one in hashes[:count]])
        blocks = [Block.parse(bytes.fromhex(raw)) for raw in raws]
        return [coin for block in blocks for coin in self._purse.coins_in(block.transactions[0])]


@pytest.fixture
def miner(rpc: JsonRpc, purse: Purse) -> Miner:
    return Miner(rpc, purse)


@pytest.fixture
async def with_password(tmp_path: Path) -> AsyncIterator[RunningNode]:
    """Another node, with user and password and no cookie."""
    async with AsyncExitStack() as stack:
        made = Program(tmp_path / "password", password=PASSWORD)
        stack.push_async_callback(made.stop)
        yield await made.start()
