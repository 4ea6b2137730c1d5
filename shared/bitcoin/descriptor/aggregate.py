"""The key of a musig() by libsecp256k1, beside btclib's own arithmetic (BIP-327 and 328)."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from btclib_secp256k1.musig import KeyAggCache

_CHAIN_CODE: Final = bytes.fromhex("868087ca02a6f974c4598924c36b57762d32cb45717167e300622c7167e38965")  # BIP-328


def aggregate_key(participants: Sequence[bytes], path: Sequence[int] = ()) -> bytes:
    """33 bytes: participants (33 bytes each) in the order given, then unhardened steps of BIP-32 from their sum."""
    cache = KeyAggCache(list(participants))
    key = bytes(cache.pubkey_get())
    chain_code = _CHAIN_CODE
    for step in path:
        mixed = hmac.digest(chain_code, key + step.to_bytes(4, "big"), hashlib.sha512)
        key = bytes(cache.pubkey_ec_tweak_add(mixed[:32]))
        chain_code = mixed[32:]
    return key
