"""Executions of many at once, as they are sent and as people see them."""

from typing import Annotated

import msgspec

from controller.views import unit
from controller.views.treasury import Sats

MOST_EXECUTIONS = 256
MOST_SEALS = 32


class ExecutionWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes are base64. `base` is the PSBT that everybody was asked about, `partials` what signers made of it;
    `proposal` and `approvals` are what people sealed. `expiry_height` is the one that they sealed.
    """

    path: str
    expiry_height: int
    base: bytes
    partials: Annotated[tuple[bytes, ...], msgspec.Meta(min_length=1, max_length=MOST_SEALS)]
    proposal: bytes
    approvals: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=MOST_SEALS)]


class ExecutionBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    executions: Annotated[tuple[ExecutionWish, ...], msgspec.Meta(min_length=1, max_length=MOST_EXECUTIONS)]


class ExecutionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Of the execution at `index` of the batch: a `txid` where it is done, otherwise the refusal's `rule`."""

    index: int
    execution_id: str
    txid: str | None = None
    rule: str | None = None
    detail: str = ""


class ExecutionView(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: executed, broadcast, untaken, confirmed, buried, overtaken. `node_reason` is empty where the node takes
    it; `block_height` is null while no block holds it.
    """

    execution_id: str
    path: str
    proposer: str
    txid: str
    external_sat: Sats
    fee_sat: Sats
    executed_at_ms: unit.Millis
    status: str
    node_reason: str
    block_height: int | None
