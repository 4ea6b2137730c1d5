import pytest
from btclib.network import NETWORKS

from shared.bitcoin.hashes import hash160, tagged_hash
from shared.bitcoin.network import Network


@pytest.mark.parametrize("network", Network)
def test_btclib_knows_every_network_by_our_prefix(network):
    assert NETWORKS[network.btclib].hrp == network.hrp


def test_bdk_and_wallycore_tell_the_networks_apart():
    assert len({network.bdk for network in Network}) == len(Network)
    assert Network.MAIN.wally != Network.REGTEST.wally != Network.SIGNET.wally == Network.TESTNET4.wally


def test_hashes_of_the_published_examples():
    key = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    assert hash160(key).hex() == "751e76e8199196d454941c45d1b3a323f1433bd6"  # BIP-173
    message = tagged_hash("BIP0322-signed-message", b"Hello World")
    assert message.hex() == "f0eb03b1a75ac6d9847f55c624a99169b5dccba2a31f5b23bea77ba270de0a7a"  # BIP-322
