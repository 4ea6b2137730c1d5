"""The key of a musig() by libsecp256k1, beside btclib's own arithmetic (BIP-327, 328 and 341)."""

import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from shared.bitcoin.musig import KeyAggregate, Tweak, taproot_tweak

_CHAIN_CODE: Final = bytes.fromhex("868087ca02a6f974c4598924c36b57762d32cb45717167e300622c7167e38965")  # BIP-328


@lru_cache(maxsize=8192)
def script_key(participants: Sequence[bytes], path: Sequence[int] = ()) -> KeyAggregate:
    """What stands in a script: participants (33 bytes each) in the order given, then unhardened steps of BIP-32."""
    found = KeyAggregate(participants)
    chain_code = _CHAIN_CODE
    for step in path:
        mixed = hmac.digest(chain_code, found.public_key + step.to_bytes(4, "big"), hashlib.sha512)
        found, chain_code = found.tweaked(Tweak(mixed[:32])), mixed[32:]
    return found


@lru_cache(maxsize=8192)
def output_key(participants: Sequence[bytes], path: Sequence[int] = (), merkle_root: bytes = b"") -> KeyAggregate:
    """What a key path signs under where the musig() is the internal key: the same, tweaked by BIP-341."""
    internal = script_key(participants, path)
    return internal.tweaked(taproot_tweak(internal.xonly_key, merkle_root))
