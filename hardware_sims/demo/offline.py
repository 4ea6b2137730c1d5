"""An air-gapped signer with one key: a PSBT goes in, the same with its signatures comes out."""

from dataclasses import replace

from shared.bitcoin.hashes import hash160
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.sighash import SIGHASH_ALL, Sighasher
from shared.bitcoin.signature import public_key_of, sign_ecdsa


def signed_offline(raw: bytes, secret: bytes) -> bytes:
    """Every wsh input whose script names the hash of the key of `secret` (32 bytes), as pkh() does."""
    psbt = Psbt.parse(raw)
    public_key = public_key_of(secret)
    spent = [entry.spent for entry in psbt.inputs]
    sighasher = Sighasher(psbt.tx, [coin for coin in spent if coin is not None])
    inputs = []
    for index, entry in enumerate(psbt.inputs):
        signatures = dict(entry.partial_signatures)
        if entry.witness_script is not None and hash160(public_key) in entry.witness_script:
            digest = sighasher.segwit_v0(index, entry.witness_script)
            signatures[public_key] = sign_ecdsa(secret, digest) + bytes((SIGHASH_ALL,))
        inputs.append(replace(entry, partial_signatures=signatures))
    return replace(psbt, inputs=tuple(inputs)).raw
