"""A Bitcoin node, spoken to over JSON-RPC only: Bitcoin Core 28 or later, or the simulated node."""

from controller.gateways.bitcoind.breaker import Breaker
from controller.gateways.bitcoind.follower import BlockConnected, BlockDisconnected, BlockFollower
from controller.gateways.bitcoind.login import CookieLogin, Login, PasswordLogin
from controller.gateways.bitcoind.model import (
    Acceptance,
    BlockHeader,
    BlockPoint,
    NodeStatus,
    ScriptCoin,
    ScriptCoins,
)
from controller.gateways.bitcoind.node import BitcoinNode
from controller.gateways.bitcoind.rpc import JsonRpc, NodeRefused

__all__ = [
    "Acceptance",
    "BitcoinNode",
    "BlockConnected",
    "BlockDisconnected",
    "BlockFollower",
    "BlockHeader",
    "BlockPoint",
    "Breaker",
    "CookieLogin",
    "JsonRpc",
    "Login",
    "NodeRefused",
    "NodeStatus",
    "PasswordLogin",
    "ScriptCoin",
    "ScriptCoins",
]
