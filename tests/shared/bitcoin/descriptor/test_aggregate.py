"""BIP-328: derivation from an aggregate key, by libsecp256k1 alone."""

from shared.bitcoin.descriptor.aggregate import script_key

# The keys and the script of the first vector of BIP-390.
KEYS = (
    "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
    "03dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
    "023590a94e768f8e1815c2f24b4d80a8e3149316c3518ce7b7ad338368d038ca66",
)


def test_rawtr_of_bip_390_is_the_aggregate():
    sorted_keys = tuple(sorted(bytes.fromhex(key) for key in KEYS))
    assert script_key(sorted_keys).xonly_key.hex() == "789d937bade6673538f3e28d8368dda4d0512f94da44cf477a505716d26a1575"
    assert script_key(sorted_keys, (0, 1)).public_key != script_key(sorted_keys, (1, 0)).public_key
