"""`bes sims chain`: a regtest node in one process, until it is told to stop."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hardware_sims.chain.bitcoind import Bitcoind, free_port
from hardware_sims.chain.node import ChainNode, NodeOptions
from hardware_sims.chain.rpc.server import RpcOptions, RpcServer
from shared import log
from shared.bitcoin.address import script_of
from shared.bitcoin.network import Network
from shared.errors import SettingInvalid

DATA_FOLDER = Path("var/sims/chain")
RPC_PORT = 18_443


@dataclass(frozen=True, slots=True)
class ChainOptions:
    """With `block_every_s` a block is mined to `mine_to` whenever so many seconds have passed."""

    node: NodeOptions
    rpc: RpcOptions
    block_every_s: float = 0.0
    mine_to: str = ""


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Printed as one JSON line when the node answers. Without a cookie file the login is user and password."""

    url: str
    cookie_file: str | None
    height: int


async def run_real(program: str, options: ChainOptions, folder: Path, *, ready: Callable[[Ready], None]) -> None:
    """The same with a real node: until it ends, which `stop` makes it do, or until cancelled."""
    if options.block_every_s or options.node.estimate_sat_vb is not None:
        raise SettingInvalid("block-every and estimate are of the simulated node; leave them out beside a real one")
    rpc = options.rpc
    port = rpc.port or free_port()
    node = Bitcoind(program, folder / "bitcoind", port, user=rpc.user, password=rpc.password)
    try:
        await asyncio.to_thread(node.start)
        cookie = str(node.cookie_file) if rpc.password is None else None
        ready(Ready(url=node.url, cookie_file=cookie, height=node.caller().call("getblockcount")))
        await asyncio.to_thread(node.wait)
    finally:
        node.stop()


async def run(options: ChainOptions, *, ready: Callable[[Ready], None]) -> None:
    """Serve until cancelled or until `stop` is called."""
    script = script_of(options.mine_to, Network.REGTEST) if options.block_every_s else b""
    node = ChainNode(options.node)
    server = RpcServer(node, options.rpc)
    try:
        await server.start()
        cookie = options.rpc.cookie_file if options.rpc.password is None else None
        url = f"http://{options.rpc.host}:{server.port}"
        ready(Ready(url=url, cookie_file=str(cookie) if cookie else None, height=node.chain.height))
        if not options.block_every_s:
            await server.stopped.wait()
        while not server.stopped.is_set():
            await asyncio.sleep(options.block_every_s)
            node.generate(1, script)
    finally:
        await server.stop()
        node.close()


def chain(
    folder: Annotated[Path, typer.Option("--datadir", help="what it remembers, and its cookie")] = DATA_FOLDER,
    memory: Annotated[bool, typer.Option("--memory", help="forget all at the end; only the cookie is written")] = False,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one")] = RPC_PORT,
    user: Annotated[str, typer.Option(help="instead of a cookie, with --password-file")] = "",
    password_file: Annotated[Path | None, typer.Option(help="a file that holds the password")] = None,
    block_every: Annotated[float, typer.Option(min=0, help="seconds between blocks; 0 mines on demand only")] = 0.0,
    mine_to: Annotated[str, typer.Option(help="the address that these blocks pay")] = "",
    estimate: Annotated[int | None, typer.Option(min=1, help="sat/vB that fee estimates answer; none else")] = None,
    bitcoind: Annotated[str, typer.Option(envvar="BITCOIND", help="start this program on regtest instead")] = "",
) -> None:
    """Simulate a Bitcoin node on regtest with Bitcoin Core's JSON-RPC. Prints one JSON line when it answers."""
    log.configure()
    if bool(block_every) != bool(mine_to):
        raise SettingInvalid("block-every and mine-to go together: how often, and whom a block pays")
    password = password_file.read_text(encoding="utf-8").strip() if password_file else None
    options = ChainOptions(
        node=NodeOptions(folder=None if memory else folder, estimate_sat_vb=estimate),
        rpc=RpcOptions(host=host, port=port, user=user, password=password, cookie_file=folder / ".cookie"),
        block_every_s=block_every,
        mine_to=mine_to,
    )
    serving = run_real(bitcoind, options, folder, ready=_told) if bitcoind else run(options, ready=_told)
    asyncio.run(_until_told(serving))


def _told(line: Ready) -> None:
    print(msgspec.json.encode(line).decode(), flush=True)


async def _until_told(serving: Coroutine[Any, Any, None]) -> None:
    """Stop cleanly on SIGTERM and SIGINT."""
    task = asyncio.ensure_future(serving)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return
