"""A contract as this box knows it: its terms, its descriptor, and the policies that the owners signed one by one."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.signer.rule import APPROVAL_POLICY_VERSION, PATH_MISMATCH
from shared.bitcoin.address import script_of
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.network import Network
from shared.errors import Denied
from shared.wire.contract import ContractTerms, SpendingPath, SpendingPolicy


@dataclass(frozen=True, slots=True)
class Accepted:
    """A policy as it was taken. In force from `effective_height` on; `payable_from` maps each allowed script to the
    height from which it may be paid.
    """

    policy: SpendingPolicy
    effective_height: int
    payable_from: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class Contract:
    """`policies` by rising version, the first one's version is 1."""

    id: str
    terms: ContractTerms
    descriptor: Descriptor
    policies: tuple[Accepted, ...]

    @property
    def network(self) -> Network:
        return Network(self.terms.network)

    def in_force(self, height: int) -> Accepted:
        """The newest policy that has taken effect; `Denied` where none has."""
        for accepted in reversed(self.policies):
            if accepted.effective_height <= height:
                return accepted
        raise Denied(APPROVAL_POLICY_VERSION, f"no policy of contract {self.id[:12]} has taken effect at {height}")

    def path(self, name: str) -> SpendingPath:
        for path in self.terms.paths:
            if path.name == name:
                return path
        raise Denied(PATH_MISMATCH, f"contract {self.id[:12]} has no path {name!r}")


def accept(network: Network, policy: SpendingPolicy, before: Accepted | None, learnt_height: int) -> Accepted:
    """The policy as it will act, where the box took it at `learnt_height`.

    The first one acts at once, and its destinations wait from the heights that the owners state. A later one, and each
    destination that it adds, waits for the cooling time of the policy before it, counted from `learnt_height`.
    """
    payable: dict[bytes, int] = {}
    for destination in policy.allow_list:
        script = script_of(destination.address, network)
        ready = destination.added_at_height + policy.cooling_blocks
        if before is not None:
            ready = before.payable_from.get(script, max(ready, learnt_height + before.policy.cooling_blocks))
        payable[script] = ready
    effective = learnt_height if before is None else learnt_height + before.policy.cooling_blocks
    return Accepted(policy, effective, payable)
