"""A real node in the place of the simulated one, where none is: how it is called and what is said when it fails.

What a real one answers is the matter of `tests/integration/chain` with BITCOIND set.
"""

import asyncio
from pathlib import Path

import pytest

from hardware_sims.chain.bitcoind import Bitcoind, version_of
from hardware_sims.chain.caller import RpcCaller
from hardware_sims.chain.cli import ChainOptions, run_real
from hardware_sims.chain.node import NodeOptions
from hardware_sims.chain.rpc.server import RpcOptions
from shared.errors import GatewayUnavailable, SettingInvalid


def program(folder: Path, version: str) -> str:
    """Tells its version and, started, notes its arguments and ends."""
    made = folder / "bitcoind"
    told = folder / "arguments"
    made.write_text(f'#!/bin/sh\n[ "$1" = -version ] && echo "{version}" && exit\nprintf "%s\\n" "$@" > {told}\n')
    made.chmod(0o755)
    return str(made)


@pytest.mark.parametrize(("version", "as_core"), [("Bitcoin Core v29.0", False), ("Bitcoin Knots v29.4", True)])
def test_a_program_that_ends_at_once_is_named_with_its_log(tmp_path, version, as_core):
    node = Bitcoind(program(tmp_path, version), tmp_path / "data", 1, user="ann", password="word")
    with pytest.raises(GatewayUnavailable, match=r"did not start; see .*debug\.log"):
        node.start()
    given = (tmp_path / "arguments").read_text().split()
    assert {"-regtest", "-txindex=1", "-rpcuser=ann", "-rpcpassword=word", "-networkactive=0"} <= set(given)
    assert ("-corepolicy=1" in given) == as_core


def test_a_path_without_a_program_is_named():
    with pytest.raises(GatewayUnavailable, match="no bitcoind runs there"):
        version_of("/nowhere/bitcoind")


@pytest.mark.parametrize("node", [NodeOptions(estimate_sat_vb=5), NodeOptions()])
def test_what_only_the_simulated_node_does_is_refused_beside_a_real_one(tmp_path, node):
    every_s = 0.0 if node.estimate_sat_vb else 5.0
    options = ChainOptions(node, RpcOptions(), block_every_s=every_s)
    with pytest.raises(SettingInvalid, match="leave them out"):
        asyncio.run(run_real("/nowhere/bitcoind", options, tmp_path, ready=lambda _: None))


def test_a_node_that_is_not_there_is_no_refusal():
    with pytest.raises(GatewayUnavailable):
        RpcCaller("http://127.0.0.1:1", "ann:word").call("getblockcount")
