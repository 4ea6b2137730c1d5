"""A proof of control (BIP-322): a transaction that nobody can mine, signed by the boxes as any other, never broadcast.

It goes the way of a payment, with its proposer, approvals and rounds, and ends as `proven` with a text that anybody can
check against message and address.
"""

import msgspec

from controller.signing.event import SpendingProposed
from controller.signing.fee import transaction_wu
from controller.signing.plan import is_musig
from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from controller.signing.spending import descriptor_of
from shared.bitcoin.descriptor import Derived
from shared.bitcoin.message import Outcome, simple, to_sign, to_spend, verify
from shared.bitcoin.network import Network
from shared.bitcoin.psbt import build
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import Transaction
from shared.errors import ContractError, Denied
from shared.wire.contract import SpendingPath

LONGEST_MESSAGE = 2_000
FARTHEST_INDEX = 10_000
"""Boxes look no further for the address."""


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Prove that this contract's signers can spend from its address number `index` of `branch`."""

    contract_id: str
    path: str
    branch: int
    index: int
    message: str
    reason: str
    expiry_blocks: int = 144


def control_proposed(
    contract: Contract, path: SpendingPath, request: ControlRequest, proposal_id: str, height: int
) -> SpendingProposed:
    """The proposal; other open paths of the same role may sign the same bytes. `height` is the tip's.

    Denied `control.locked-path`, `control.bad-message`, `control.bad-address`.
    """
    if _locked(path):
        detail = f"path {path.name!r} has a lock, which means nothing in a transaction that is never mined"
        raise Denied(SigningRefusal.CONTROL_LOCKED, f"{detail}; choose one that is open at once")
    if not request.message.strip() or len(request.message) > LONGEST_MESSAGE:
        raise Denied(SigningRefusal.CONTROL_MESSAGE, f"write a message of 1 to {LONGEST_MESSAGE:,} letters")
    derived = _derived(contract, request.branch, request.index)
    text = request.message.encode()
    spent, tx = to_spend(text, derived.script), to_sign(text, derived.script)
    raw = build.create(tx, [build.Coin(spent, derived)]).raw
    Psbt.parse(raw)
    fallbacks = tuple(
        other.name
        for other in contract.terms.paths
        if other.name != path.name and other.role == path.role and not _locked(other) and not is_musig(contract, other)
    )
    return SpendingProposed(
        proposal_id=proposal_id,
        contract_id=contract.contract_id,
        network=contract.terms.network,
        policy_version=contract.policy.policy_version,
        path=path.name,
        fallbacks=fallbacks,
        psbt=raw,
        txid=tx.txid,
        inputs=((spent.txid, 0),),
        places=((request.branch, request.index),),
        payments=(),
        external_sat=0,
        fee_sat=0,
        change_sat=0,
        change_index=None,
        change_place=None,
        weight_wu=transaction_wu(1, contract.witness_wu[path.name], [output.script for output in tx.outputs]),
        expiry_height=height + request.expiry_blocks,
        reason=request.reason.strip(),
        depth=contract.depth,
        message=request.message,
    )


def control_text(contract: Contract, place: tuple[int, int], message: str, signed: Transaction) -> tuple[str, str]:
    """Address and signature text, judged as an outsider would. Denied `control.not-proven`."""
    address = descriptor_of(contract.terms.descriptor, contract.terms.network).address(*place)
    signature = simple(signed.inputs[0].witness)
    proof = verify(message.encode(), address, Network(contract.terms.network), signature)
    if proof.outcome is not Outcome.VALID:
        raise Denied(SigningRefusal.CONTROL_NOT_PROVEN, f"an outsider would not believe it: {proof.reason}")
    return address, signature


def _derived(contract: Contract, branch: int, index: int) -> Derived:
    if not 0 <= index <= FARTHEST_INDEX:
        raise Denied(SigningRefusal.CONTROL_ADDRESS, f"boxes look for an address up to number {FARTHEST_INDEX:,}")
    try:
        return descriptor_of(contract.terms.descriptor, contract.terms.network).derive(branch, index)
    except ContractError as error:
        raise Denied(SigningRefusal.CONTROL_ADDRESS, error.detail) from error


def _locked(path: SpendingPath) -> bool:
    return path.older_blocks is not None or path.after_height is not None
