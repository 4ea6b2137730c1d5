"""Signing without a link: what comes back as a PSBT file goes through the same checks as a box's answer."""

import base64
import binascii
from collections.abc import Iterator

from controller.signing.arrival import checked_additions, parties_of_file
from controller.signing.event import SpendingProposed
from controller.signing.model import Round
from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from shared.bitcoin.psbt.scan import MAGIC, MAX_PSBT_BYTES
from shared.errors import Denied


def additions_of_file(
    contract: Contract, proposal: SpendingProposed, party: str, file: bytes
) -> Iterator[tuple[str, bytes]]:
    """(path, additions) for each path of the proposal that the file signs in the name of `party`.

    Denied with the last problem where it signs none.
    """
    raw = _binary(file)
    known = (proposal.path, *proposal.fallbacks)
    problem = Denied(SigningRefusal.ANSWER_FOREIGN, f"{party} signs none of the paths {', '.join(known)} by file")
    found = 0
    for path in parties_of_file(contract, party):
        if path.name not in known:
            continue
        try:
            additions = checked_additions(contract, proposal, path.name, party, Round.SIGN, raw, {})
        except Denied as denied:
            problem = denied
            continue
        found += 1
        yield path.name, additions
    if not found:
        raise problem


def _binary(file: bytes) -> bytes:
    if len(file) > 2 * MAX_PSBT_BYTES:
        raise Denied(SigningRefusal.ANSWER_MALFORMED, f"{len(file)} bytes are too many for a PSBT")
    if file.startswith(MAGIC):
        return file
    try:
        return base64.b64decode(file.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Denied(SigningRefusal.ANSWER_MALFORMED, "the file is neither a binary PSBT nor base64") from error
