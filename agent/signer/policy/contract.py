"""A contract as this box knows it: its terms, its descriptor, and the policies that the owners signed one by one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.signer.policy.tightening import only_tightens
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
    """`policies` by rising version, the first one's version is 1. One whose height comes while a later one
    is in force never acts.
    """

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

    def with_policy(self, policy: SpendingPolicy, learnt_height: int) -> "Contract":
        """The contract with the policy as it will act, where the box took it at `learnt_height`.

        The first one acts at once, and its destinations wait from the heights that the owners state. So does one that
        only takes away from the policy in force, and one that still waits is then past. Any other, and each destination
        that it adds, waits from `learnt_height` for the longest cooling time of the policy in force and of those that
        wait themselves: a policy that has not taken effect shortens nothing.
        """
        if not self.policies:
            return replace(self, policies=(_first(self.network, policy, learnt_height),))
        present, newest = self.in_force(learnt_height), self.policies[-1]
        waiting = self.policies[self.policies.index(present) :]
        ready_height = learnt_height + max(each.policy.cooling_blocks for each in waiting)
        known = {**newest.payable_from, **present.payable_from}
        payable = {
            script: known.get(script, max(height, ready_height))
            for script, height in _stated(self.network, policy).items()
        }
        effective = learnt_height if only_tightens(policy, present.policy) else ready_height
        return replace(self, policies=(*self.policies, Accepted(policy, effective, payable)))

    def path(self, name: str) -> SpendingPath:
        for path in self.terms.paths:
            if path.name == name:
                return path
        raise Denied(PATH_MISMATCH, f"contract {self.id[:12]} has no path {name!r}")


def _first(network: Network, policy: SpendingPolicy, learnt_height: int) -> Accepted:
    return Accepted(policy, learnt_height, _stated(network, policy))


def _stated(network: Network, policy: SpendingPolicy) -> dict[bytes, int]:
    """From which height the owners let each script be paid."""
    return {
        script_of(destination.address, network): destination.added_at_height + policy.cooling_blocks
        for destination in policy.allow_list
    }
