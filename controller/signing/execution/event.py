"""What executions write into the journal. Stream `execution/<id>`."""

import msgspec

from controller.journal import EventCodec


class ContractExecuted(msgspec.Struct, frozen=True, kw_only=True):
    """Base, proposal and approvals as they came, and the final transaction: enough to judge it all again.

    `predicted_wu` is what the contract's cost said, `weight_wu` what came of it.
    """

    execution_id: str
    contract_id: str
    path: str
    proposer: str
    txid: str
    base: bytes
    proposal: bytes
    approvals: tuple[bytes, ...]
    raw: bytes
    inputs: tuple[tuple[str, int], ...]
    external_sat: int
    fee_sat: int
    weight_wu: int
    predicted_wu: int
    height: int


codec = EventCodec((ContractExecuted,))
PREFIX = "execution/"
