"""What a signer checks before it looks at a policy: every amount vouched for, every script the one that is spent."""

from shared.bitcoin.hashes import hash160
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput
from shared.bitcoin.script import ScriptKind, kind, p2wsh
from shared.errors import BitcoinMalformed


def assert_signable(psbt: Psbt) -> None:
    """BitcoinMalformed with the input where a signature could mean something else than it seems (BIP-174, Signer)."""
    for index, entry in enumerate(psbt.inputs):
        if entry.spent is None:
            raise BitcoinMalformed(
                f"psbt input {index}: nothing vouches for its amount; give its whole previous transaction"
            )
        _check_scripts(entry, entry.spent.script, index)


def _check_scripts(entry: PsbtInput, spent: bytes, index: int) -> None:
    program = spent
    if entry.redeem_script is not None:
        if spent != b"\xa9\x14" + hash160(entry.redeem_script) + b"\x87":
            raise BitcoinMalformed(f"psbt input {index}: the redeem script is not the one that the output commits to")
        program = entry.redeem_script
    if entry.witness_script is not None and program != p2wsh(entry.witness_script):
        raise BitcoinMalformed(f"psbt input {index}: the witness script is not the one that the output commits to")
    if entry.previous_tx is None and kind(program) not in (ScriptKind.P2WPKH, ScriptKind.P2WSH, ScriptKind.P2TR):
        raise BitcoinMalformed(f"psbt input {index}: a witness UTXO vouches for segwit outputs only")
