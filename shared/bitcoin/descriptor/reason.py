"""Why btclib refuses a descriptor, in words that say the mend."""

from typing import Final

from shared.errors import BitcoinMalformed, ContractError, InsaneScript

# A part of btclib's sentence (pinned exactly), and ours.
_INSANE: Final = (
    ("repeats a public key", "the same key stands twice in one script; give each place a branch of its own, as <2;3>"),
    ("mixes timelocks", "one way of spending needs a block height and a time at once; use heights only"),
    ("witnesses without signature exist", "somebody could spend without any signature; ask for a key on every way"),
    ("malleable witnesses exist", "others could change a valid witness; put a key beside each condition without one"),
    ("is not satisfiable", "nobody can ever spend it"),
    ("exceed the resource limits", "a witness could exceed Bitcoin's limits; make it smaller or use a Taproot tree"),
)


def refusal(error: Exception) -> ContractError:
    """InsaneScript for a script that reads well and does not mean what it seems to, else BitcoinMalformed."""
    text = str(error)
    for part, reason in _INSANE:
        if part in text:
            return InsaneScript(f"descriptor: {reason} (found in {text.partition(' is not ')[0][:200]})")
    return BitcoinMalformed(f"descriptor: {text[:300]}")
