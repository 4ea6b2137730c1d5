"""Asks a box and expects a refusal by name, with nothing signed."""

from shared.wire.signing import (
    SigningAnswer,
)
from tests.agent.signer.scene import (
    Box,
)


async def refused(box: Box, psbt, rule: str, **changed: object) -> SigningAnswer:
    signed = box.keys.signed
    answer = await box.ask(psbt, **changed)
    assert (answer.outcome, answer.rule) == ("refused", rule), answer.detail
    assert box.keys.signed == signed
    return answer
