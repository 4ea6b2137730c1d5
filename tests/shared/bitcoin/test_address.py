import json
from pathlib import Path

import pytest
import wallycore
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.address import address_of, script_of
from shared.bitcoin.network import Network
from shared.errors import BitcoinDisagreement, BitcoinMalformed

VECTORS = Path(__file__).parent / "vectors"
SEGWIT = json.loads((VECTORS / "bip350.json").read_text())
BIP_173 = json.loads((VECTORS / "bip173.json").read_text())
VALID = json.loads((VECTORS / "key_io_valid.json").read_text())
INVALID = json.loads((VECTORS / "key_io_invalid.json").read_text())
CHAINS = {"main": Network.MAIN, "testnet4": Network.TESTNET4, "signet": Network.SIGNET, "regtest": Network.REGTEST}
ADDRESSES = [case for case in VALID if not case[2]["isPrivkey"] and case[2]["chain"] in CHAINS]


@pytest.mark.parametrize(("address", "script"), BIP_173["valid"])
def test_valid_addresses_of_bip_173(address, script):
    """Those of witness version 0, which alone still have its checksum."""
    network = Network.MAIN if address.lower().startswith("bc") else Network.SIGNET
    assert script_of(address, network) == bytes.fromhex(script)


@pytest.mark.parametrize("address", BIP_173["invalid"] + BIP_173["superseded"])
@pytest.mark.parametrize("network", Network)
def test_invalid_addresses_of_bip_173(address, network):
    """Later versions with the checksum of BIP-173 are invalid since BIP-350."""
    with pytest.raises(BitcoinMalformed):
        script_of(address, network)


@pytest.mark.parametrize(("address", "script"), SEGWIT["valid"])
def test_valid_addresses_of_bip_350(address, script):
    network = Network.MAIN if address.lower().startswith("bc") else Network.SIGNET
    assert script_of(address, network) == bytes.fromhex(script)
    assert address_of(bytes.fromhex(script), network) == address.lower()


@pytest.mark.parametrize("address", SEGWIT["invalid"])
@pytest.mark.parametrize("network", Network)
def test_invalid_addresses_of_bip_350(address, network):
    with pytest.raises(BitcoinMalformed):
        script_of(address, network)


@pytest.mark.parametrize(("address", "script", "facts"), ADDRESSES)
def test_valid_addresses_of_bitcoin_core(address, script, facts):
    network = CHAINS[facts["chain"]]
    assert script_of(address, network) == bytes.fromhex(script)
    assert address_of(bytes.fromhex(script), network) == address


def test_the_vectors_cover_all_chains_and_kinds():
    assert {case[2]["chain"] for case in ADDRESSES} == set(CHAINS)
    assert len(ADDRESSES) > 30


@pytest.mark.parametrize("text", [case[0] for case in INVALID])
@pytest.mark.parametrize("network", Network)
def test_invalid_addresses_and_keys_of_bitcoin_core(text, network):
    with pytest.raises(BitcoinMalformed):
        script_of(text, network)


@pytest.mark.parametrize("text", [case[0] for case in VALID if case[2]["isPrivkey"]])
def test_a_private_key_is_no_address(text):
    for network in Network:
        with pytest.raises(BitcoinMalformed):
            script_of(text, network)


@pytest.mark.parametrize(("address", "script", "facts"), ADDRESSES)
def test_money_for_another_chain_is_refused(address, script, facts):
    others = (Network.TESTNET4, Network.REGTEST) if facts["chain"] == "main" else (Network.MAIN,)
    if address.startswith("bcrt1"):
        others += (Network.SIGNET, Network.TESTNET4)
    if address.startswith("tb1"):
        others += (Network.REGTEST,)
    for network in others:
        with pytest.raises(BitcoinMalformed, match=network):
            script_of(address, network)


@pytest.mark.parametrize("script", ["", "6a0411223344", "51", "21" + "02" * 33 + "ac", "0014" + "00" * 19])
def test_bare_scripts_have_no_address(script):
    assert address_of(bytes.fromhex(script), Network.MAIN) is None


@given(st.text(max_size=100) | st.text("023456789acdefghjklmnpqrstuvwxyz1bc", max_size=90).map("bc1".__add__))
def test_any_other_text_is_refused(text):
    with pytest.raises(BitcoinMalformed):
        script_of(text, Network.MAIN)


@given(st.integers(0, 16), st.binary(min_size=2, max_size=40), st.sampled_from(Network))
def test_every_witness_program_has_one_address(version, program, network):
    script = bytes((0x50 + version if version else 0, len(program))) + program
    address = address_of(script, network)
    if version == 0 and len(program) not in (20, 32):
        assert address is None
    else:
        assert address is not None
        assert script_of(address, network) == script == script_of(address.upper(), network)


@pytest.mark.parametrize(
    "text",
    [
        "1" * 1_000_000,
        "bc1" + "q" * 1_000_000,
        "\ud800",
        "bc1\0",
        "1\0",
        "١",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4\0",
    ],
)
def test_monstrous_text_is_refused_at_once(text):
    with pytest.raises(BitcoinMalformed):
        script_of(text, Network.MAIN)


def test_two_readings_are_a_disagreement(monkeypatch):
    monkeypatch.setattr(wallycore, "addr_segwit_to_bytes", lambda *_: b"\x00\x14" + bytes(20))
    with pytest.raises(BitcoinDisagreement):
        script_of("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Network.MAIN)
