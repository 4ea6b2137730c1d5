"""Does a policy only take away? Then it need not wait.

The cooling time gives people the days in which they notice that the owners' keys were stolen. A policy by which less
can be spent, to fewer, with more people, opens nothing to a thief; to make it wait would keep open what the owners want
shut. Whatever is not spending must stay as it is, the cooling time among it: who shortens it today loosens tomorrow.
"""

import msgspec

from shared.wire.contract import Limits, SpendingPolicy


def only_tightens(policy: SpendingPolicy, before: SpendingPolicy) -> bool:
    """Whether everything that `policy` allows was allowed by `before`, and nothing else of it differs.

    Limits may fall, destinations and approvers may go, more approvals may be asked for. Owners, witnesses, the people
    and keys of the recovery, and fields that this function does not know, have to be the same.
    """
    spending = ("policy_version", "limits", "allow_list", "approvers", "approvals_needed")
    unchanged = msgspec.structs.replace(policy, **{name: getattr(before, name) for name in spending}) == before
    return (
        unchanged
        and policy.approvals_needed >= before.approvals_needed
        and set(policy.allow_list) <= set(before.allow_list)
        and set(policy.approvers) <= set(before.approvers)
        and _recovery(policy) == _recovery(before)
        and _no_wider(policy.limits, before.limits)
    )


def _recovery(policy: SpendingPolicy) -> set[object]:
    return {each for each in policy.approvers if each.role == "recovery"}


def _no_wider(limits: Limits, before: Limits) -> bool:
    """The same sum in a longer window is less; of all else a smaller number is."""
    fields = limits.__struct_fields__
    falling = all(getattr(limits, name) <= getattr(before, name) for name in fields if name != "window_blocks")
    return falling and limits.window_blocks >= before.window_blocks
