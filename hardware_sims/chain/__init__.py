"""A Bitcoin node on regtest in one process: Bitcoin Core's own consensus engine, with a mempool, an index and the
JSON-RPC of Bitcoin Core around it. Nothing here is meant for real money.
"""

from hardware_sims.chain.node import ChainNode, NodeOptions
from hardware_sims.chain.rpc.server import RpcServer

__all__ = ["ChainNode", "NodeOptions", "RpcServer"]
