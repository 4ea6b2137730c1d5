"""The next policy of a contract that lives: what owners change most, over the policy that every box has."""

import msgspec

from controller.contracts.model import Contract
from controller.contracts.refusal import Refusal
from controller.contracts.template.agreement import check_approvals, check_destinations, check_limits
from shared.bitcoin.network import Network
from shared.errors import Denied
from shared.wire.contract import Destination, Limits, SpendingPolicy


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """Who may be paid, how soon, how much, and how many people approve. All else stays."""

    allow_list: tuple[Destination, ...]
    cooling_blocks: int
    limits: Limits
    approvals_needed: int


def revised(contract: Contract, revision: Revision) -> SpendingPolicy:
    """Denied `contract.policy-version` where another policy waits, or none was ever registered; the rules of a
    template's agreement for what is changed; `contract.nothing-changed`.
    """
    if contract.pending is not None or not contract.policies:
        raise Denied(Refusal.POLICY_VERSION, "a policy waits already; it is finished or withdrawn before the next one")
    before = contract.policies[-1].policy
    check_limits(revision.limits)
    check_destinations(revision.allow_list, Network(contract.terms.network))
    check_approvals(before.approvers, revision.approvals_needed)
    changed = msgspec.structs.replace(before, **msgspec.structs.asdict(revision))
    if changed == before:
        raise Denied(Refusal.NOTHING_CHANGED, "this is the policy that every box has; change something")
    following = msgspec.structs.replace(changed, policy_version=before.policy_version + 1)
    try:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(following), type=SpendingPolicy)
    except msgspec.ValidationError as error:
        raise Denied(Refusal.BAD_FIELD, f"boxes would not read this policy: {error}") from error
