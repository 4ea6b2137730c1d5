"""A proof of control (BIP-322) is a transaction that nobody can mine; it must be that, whatever the request says."""

from agent.signer.policy.case import Case
from agent.signer.rule import MESSAGE_MISMATCH, PATH_MISMATCH
from shared.bitcoin.message import signs_message
from shared.errors import Denied


def message_is_signed_and_nothing_moves(case: Case) -> None:
    """One input, which spends what message and script make together, and one output of nothing."""
    message = case.request.message
    assert message is not None, "a payment has checks of its own"
    if len(case.tx.inputs) != 1 or not signs_message(case.tx, message.encode(), case.coins[0].script):
        raise Denied(MESSAGE_MISMATCH, "the transaction is not the one that signs this message; nothing was signed")


def path_is_open(case: Case) -> None:
    """Locks of a path mean nothing in a transaction that is never mined, so a locked path proves nothing here."""
    path = case.path
    if path.older_blocks is not None or path.after_height is not None:
        raise Denied(PATH_MISMATCH, f"path {path.name!r} is time-locked; messages are signed by paths that are open")
