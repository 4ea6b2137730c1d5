"""The next policy of a contract: what changes is checked as at the beginning, all else stays."""

import msgspec
import pytest

from controller.contracts.model import Contract, PolicyDraft, PolicyInForce
from controller.contracts.revision import Revision, revised
from shared.errors import Denied
from shared.wire.contract import Destination
from tests.controller.contracts.scene import AGREEMENT, LIMITS, VAULT

COMPILED = VAULT.compile(AGREEMENT)
PRESENT = Contract(
    contract_id=COMPILED.policy.contract_id,
    terms=COMPILED.terms,
    parameters="",
    boxes=("box",),
    expires_at_height=None,
    succeeds="",
    drafted_by="Anna",
    drafted_at_ms=0,
    policies=(PolicyInForce(COMPILED.policy, b"", 0),),
)
SAME = Revision(
    allow_list=COMPILED.policy.allow_list,
    cooling_blocks=COMPILED.policy.cooling_blocks,
    limits=LIMITS,
    approvals_needed=COMPILED.policy.approvals_needed,
)


def changed(**changes: object) -> Revision:
    return msgspec.structs.replace(SAME, **changes)


def refused(revision: Revision, contract: Contract = PRESENT) -> str:
    with pytest.raises(Denied) as denied:
        revised(contract, revision)
    return denied.value.rule


def test_only_what_was_asked_for_changes() -> None:
    lower = msgspec.structs.replace(LIMITS, per_tx_sat=10**7)
    after = revised(PRESENT, changed(limits=lower))
    assert after == msgspec.structs.replace(COMPILED.policy, policy_version=2, limits=lower)


def test_a_revision_is_refused_by_name() -> None:
    twice = Destination("Foe", "bc1qnope", 1)
    falling = msgspec.structs.replace(LIMITS, window_sat=1)
    assert refused(SAME) == "contract.nothing-changed"
    assert refused(changed(limits=falling)) == "template.bad-limits"
    assert refused(changed(allow_list=(twice,))) == "template.bad-destination"
    assert refused(changed(allow_list=(twice, twice))) == "template.bad-name"
    assert refused(changed(approvals_needed=99)) == "template.bad-quorum"
    assert refused(changed(cooling_blocks=70_000)) == "template.bad-field"


def test_one_policy_waits_at_a_time_and_the_first_one_comes_with_its_draft() -> None:
    lower = changed(cooling_blocks=3)
    waiting = msgspec.structs.replace(COMPILED.policy, policy_version=2)
    assert refused(lower, contract=_with(pending=PolicyDraft(waiting))) == "contract.policy-version"
    assert refused(lower, contract=_with(policies=())) == "contract.policy-version"


def _with(**changes: object) -> Contract:
    return Contract(**{**PRESENT.__dict__, **changes})  # type: ignore[arg-type]
