"""A real node in the place of the simulated one: a `bitcoind` on regtest, without peers, in a process of its own."""

import signal
import socket
import subprocess
import time
from pathlib import Path

from hardware_sims.chain.caller import RpcCaller
from shared.errors import GatewayRefused, GatewayUnavailable

START_S = 60.0
_STOP_S = 60.0
_PAUSE_S = 0.1
_VERSION_S = 10.0
_ALONE = ("-listen=0", "-dnsseed=0", "-fixedseeds=0", "-connect=0", "-networkactive=0")
# The floors of Bitcoin Core 28, which later ones lowered; suite and simulated node reckon with them.
_FLOORS = ("-minrelaytxfee=0.00001", "-incrementalrelayfee=0.00001")
_KNOTS_AS_CORE = "-corepolicy=1"


class Bitcoind:
    """`stop` and `start` again keep port, directory and chain. Without a password the login is a cookie."""

    def __init__(self, program: str, folder: Path, port: int, *, user: str = "", password: str | None = None) -> None:
        self._program = program
        self._folder = folder
        self._port = port
        self._password = password
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{port}"
        self.cookie_file = folder / "regtest" / ".cookie"

    def caller(self) -> RpcCaller:
        return RpcCaller(self.url, self.cookie_file if self._password is None else f"{self._user}:{self._password}")

    def start(self) -> None:
        """Until it answers with chain, index and mempool read; GatewayUnavailable where it does not."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(  # noqa: S603  the program that the developer names
            [self._program, *self._arguments()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline_s = time.monotonic() + START_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.stop()
                raise GatewayUnavailable(f"{self._program} did not start; see {self._folder}/regtest/debug.log")
            time.sleep(_PAUSE_S)

    def wait(self) -> None:
        """Until it ends by itself or by `stop`."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Cleanly, so that it writes its mempool; killed where it takes longer than a minute."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _arguments(self) -> list[str]:
        login = [] if self._password is None else [f"-rpcuser={self._user}", f"-rpcpassword={self._password}"]
        return [
            *("-regtest", f"-datadir={self._folder}", "-server=1", "-txindex=1", "-disablewallet", "-printtoconsole=0"),
            *_ALONE,
            *_FLOORS,
            *([_KNOTS_AS_CORE] if "Knots" in version_of(self._program) else []),
            *(f"-rpcport={self._port}", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", *login),
        ]

    def _is_ready(self) -> bool:
        caller = self.caller()
        try:
            indexed = caller.call("getindexinfo", "txindex")["txindex"]["synced"]
            return bool(indexed and caller.call("getmempoolinfo")["loaded"])
        except (GatewayRefused, GatewayUnavailable, OSError, TypeError):
            return False


def version_of(program: str) -> str:
    """What it says of itself; GatewayUnavailable where it is none."""
    try:
        told = subprocess.run(  # noqa: S603
            [program, "-version"], capture_output=True, text=True, check=True, timeout=_VERSION_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise GatewayUnavailable(f"{program}: no bitcoind runs there: {error}") from error
    return told.stdout


def free_port() -> int:
    """One of this machine that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
