"""ECDSA and Schnorr signatures on secp256k1, by libsecp256k1 as wallycore carries it.

Digests are 32 bytes, always: a token or a library that signs other lengths is not asked to. Signatures travel without
the sighash byte here; whoever reads a witness takes it off and checks it.
"""

import wallycore

from shared.errors import BitcoinMalformed

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def verify_ecdsa(public_key: bytes, digest: bytes, der: bytes) -> bool:
    """Strict DER (BIP-66) and low S (BIP-146); anything else is no signature. The key is compressed, 33 bytes."""
    _check(digest)
    compact = _compact(der)
    if compact is None or len(public_key) != 33:
        return False
    try:
        wallycore.ec_sig_verify(public_key, digest, wallycore.EC_FLAG_ECDSA, compact)
    except ValueError:
        return False
    return True


def verify_schnorr(xonly_key: bytes, digest: bytes, signature: bytes) -> bool:
    """BIP-340: a key of 32 bytes, a signature of 64."""
    _check(digest)
    if len(xonly_key) != 32 or len(signature) != 64:
        return False
    try:
        wallycore.ec_sig_verify(xonly_key, digest, wallycore.EC_FLAG_SCHNORR, signature)
    except ValueError:
        return False
    return True


def sign_ecdsa(secret: bytes, digest: bytes) -> bytes:
    """DER with low S and low R, at most 70 bytes; RFC 6979 nonce."""
    _check(digest)
    try:
        compact = wallycore.ec_sig_from_bytes(secret, digest, wallycore.EC_FLAG_ECDSA | wallycore.EC_FLAG_GRIND_R)
    except ValueError as error:
        raise BitcoinMalformed("secret key: it is not a number of the curve") from error
    return bytes(wallycore.ec_sig_to_der(compact))


def sign_schnorr(secret: bytes, digest: bytes, aux: bytes) -> bytes:
    """BIP-340, 64 bytes; `aux` is 32 bytes of fresh randomness."""
    _check(digest)
    try:
        return bytes(wallycore.ec_sig_from_bytes_aux(secret, digest, aux, wallycore.EC_FLAG_SCHNORR))
    except ValueError as error:
        raise BitcoinMalformed("secret key or auxiliary randomness: not 32 bytes of the curve") from error


def low_s(signature: bytes) -> bytes:
    """DER of a token's raw r and s (64 bytes), with s in the lower half of the order."""
    if len(signature) != 64:
        raise BitcoinMalformed(f"signature: {len(signature)} bytes, r and s have 64")
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise BitcoinMalformed("signature: r or s is not a number of the curve")
    s = min(s, ORDER - s)
    body = _der_integer(r) + _der_integer(s)
    return b"\x30" + bytes((len(body),)) + body


def public_key_of(secret: bytes) -> bytes:
    """Compressed, 33 bytes."""
    try:
        return bytes(wallycore.ec_public_key_from_private_key(secret))
    except ValueError as error:
        raise BitcoinMalformed("secret key: it is not a number of the curve") from error


def _check(digest: bytes) -> None:
    if len(digest) != 32:
        raise BitcoinMalformed(f"digest: {len(digest)} bytes, only 32 are signed or verified")


def _der_integer(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes((len(raw),)) + raw


def _compact(der: bytes) -> bytes | None:
    """The numbers r and s, 32 bytes each, or None where the form is not exactly BIP-66's."""
    if not 8 <= len(der) <= 72 or der[0] != 0x30 or der[1] != len(der) - 2:
        return None
    r_end = 4 + der[3]
    if r_end + 2 > len(der) or r_end + 2 + der[r_end + 1] != len(der):
        return None
    r = _integer(der[2:r_end])
    s = _integer(der[r_end:])
    if r is None or s is None:
        return None
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _integer(raw: bytes) -> int | None:
    """A positive DER integer in shortest form, below the order."""
    if raw[0] != 0x02 or len(raw) < 3 or raw[2] & 0x80:
        return None
    if len(raw) > 3 and raw[2] == 0 and not raw[3] & 0x80:
        return None
    value = int.from_bytes(raw[2:], "big")
    return value if value < ORDER else None
