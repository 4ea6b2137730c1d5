"""Which chain an address, a key or a transaction is for."""

from enum import StrEnum
from typing import Final, NamedTuple

import wallycore
from bdkpython import Network as BdkNetwork


class Network(StrEnum):
    MAIN = "main"
    TESTNET4 = "testnet4"
    SIGNET = "signet"
    REGTEST = "regtest"

    @property
    def hrp(self) -> str:
        """The first part of a native segwit address (BIP-173)."""
        return _NAMES[self].hrp

    @property
    def wally(self) -> int:
        """As wallycore numbers it; it knows one number for all public test chains."""
        return _NAMES[self].wally

    @property
    def btclib(self) -> str:
        """As btclib spells it."""
        return _NAMES[self].btclib

    @property
    def bdk(self) -> BdkNetwork:
        return _NAMES[self].bdk


class _Names(NamedTuple):
    hrp: str
    wally: int
    btclib: str
    bdk: BdkNetwork


_NAMES: Final = {
    Network.MAIN: _Names("bc", wallycore.WALLY_NETWORK_BITCOIN_MAINNET, "mainnet", BdkNetwork.BITCOIN),
    Network.TESTNET4: _Names("tb", wallycore.WALLY_NETWORK_BITCOIN_TESTNET, "testnet4", BdkNetwork.TESTNET4),
    Network.SIGNET: _Names("tb", wallycore.WALLY_NETWORK_BITCOIN_TESTNET, "signet", BdkNetwork.SIGNET),
    Network.REGTEST: _Names("bcrt", wallycore.WALLY_NETWORK_BITCOIN_REGTEST, "regtest", BdkNetwork.REGTEST),
}
