"""A node behind JSON-RPC: the simulated one, or the Bitcoin Core that the environment variable BITCOIND names.

Both are started alike: regtest, index of transactions, the network off, a data directory of their own.
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.gateways.bitcoind import BitcoinNode, CookieLogin, JsonRpc, Login, PasswordLogin
from hardware_sims.chain import ChainNode, NodeOptions, RpcServer
from hardware_sims.chain.purse import Purse, PurseCoin
from hardware_sims.chain.rpc.server import RpcOptions
from shared.bitcoin.block import Block
from shared.bitcoin.network import Network
from shared.errors import BesError

BITCOIND = os.environ.get("BITCOIND", "")
USER, PASSWORD = "treasury", "correct horse"
_START_S = 60.0


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
        self._folder = folder
        self._password = password
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> RunningNode:
        self._folder.mkdir(parents=True, exist_ok=True)
        cookie = self._folder / "regtest" / ".cookie"
        login = [] if self._password is None else [f"-rpcuser={USER}", f"-rpcpassword={self._password}"]
        self._process = await asyncio.create_subprocess_exec(
            BITCOIND,
            *("-regtest", f"-datadir={self._folder}", "-server=1", "-txindex=1", "-disablewallet", "-printtoconsole=0"),
            *("-listen=0", "-dnsseed=0", "-fixedseeds=0", "-connect=0", "-networkactive=0"),
            *("-minrelaytxfee=0.00001", "-incrementalrelayfee=0.00001"),  # the defaults of 28; later ones are lower
            *(f"-rpcport={self._port}", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", *login),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        known: Login = CookieLogin(cookie) if self._password is None else PasswordLogin(USER, self._password)
        running = RunningNode(f"http://127.0.0.1:{self._port}", known, cookie)
        await self._until_ready(running)
        return running

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), _START_S)

    async def _until_ready(self, running: RunningNode) -> None:
        assert self._process is not None
        async with asyncio.timeout(_START_S):
            while True:
                assert self._process.returncode is None, "bitcoind ended at once; see debug.log in its directory"
                rpc = running.rpc()
                try:
                    await BitcoinNode(rpc, Network.REGTEST).check()
                    if (await rpc.call(dict, "getmempoolinfo"))["loaded"]:
                        return
                except BesError:
                    await asyncio.sleep(0.2)
                finally:
                    await rpc.aclose()


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
