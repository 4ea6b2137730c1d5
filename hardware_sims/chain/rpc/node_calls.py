"""Calls about the node itself. Function and parameter names are the protocol's."""

from typing import Any

from hardware_sims.chain.acceptance import MIN_RELAY_SAT_KVB
from hardware_sims.chain.node import ChainNode
from hardware_sims.chain.replacement import INCREMENTAL_SAT_KVB
from hardware_sims.chain.rpc.amounts import btc

VERSION = 280_000
STOPPING = "Bitcoin Core stopping"


def getnetworkinfo(node: ChainNode) -> dict[str, Any]:  # noqa: ARG001
    return {
        "version": VERSION,
        "subversion": "/Satoshi:28.0.0(simulated)/",
        "protocolversion": 70_016,
        "localservices": "0000000000000409",
        "localservicesnames": ["NETWORK", "WITNESS", "NETWORK_LIMITED"],
        "localrelay": True,
        "timeoffset": 0,
        "networkactive": False,
        "connections": 0,
        "connections_in": 0,
        "connections_out": 0,
        "networks": [],
        "relayfee": btc(MIN_RELAY_SAT_KVB),
        "incrementalfee": btc(INCREMENTAL_SAT_KVB),
        "localaddresses": [],
        "warnings": [],
    }


def getindexinfo(node: ChainNode, index_name: str = "") -> dict[str, Any]:
    if index_name not in ("", "txindex"):
        return {}
    return {"txindex": {"synced": True, "best_block_height": node.chain.height}}


def uptime(node: ChainNode) -> int:
    return node.up_s


def stop(node: ChainNode) -> str:  # noqa: ARG001 - the server stops when it has sent this
    return STOPPING
