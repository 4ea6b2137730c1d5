"""A Bitcoin node, spoken to over JSON-RPC only: Bitcoin Core 28 or later, or the simulated node."""

from controller.gateways.bitcoind.breaker import Breaker
from controller.gateways.bitcoind.coins import DescriptorCoin, DescriptorCoins
from controller.gateways.bitcoind.follower import BlockConnected, BlockDisconnected, BlockFollower, BranchLost
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
from controller.gateways.bitcoind.treasury import TreasuryChain

__all__ = [
    "Acceptance",
    "BitcoinNode",
    "BlockConnected",
    "BlockDisconnected",
    "BlockFollower",
    "BlockHeader",
    "BlockPoint",
    "BranchLost",
    "Breaker",
    "CookieLogin",
    "DescriptorCoin",
    "DescriptorCoins",
    "JsonRpc",
    "Login",
    "NodeRefused",
    "NodeStatus",
    "PasswordLogin",
    "ScriptCoin",
    "ScriptCoins",
    "TreasuryChain",
]
