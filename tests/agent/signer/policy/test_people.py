"""Whoever signs whatever: a payment passes when one person proposed it by his own key and enough others approved that,
and in no other case. Controller and box find the same of the same bytes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from agent.signer.policy import decide
from controller.signing.approval import approver_of
from controller.signing.ports import Contract
from controller.signing.proposer import proposer_of
from shared.crypto.signing import seal
from shared.errors import Denied
from shared.person import folded
from shared.wire.contract import APPROVAL_DOMAIN, Approval, Approver, contract_id
from tests.agent.signer.policy.test_decision import case_of
from tests.agent.signer.scene import ANN, ANN_TOO, BOB, HEIGHT, IDA, PAYOUTS, REA, payment, policy, public, terms

SUBJECT, EXTERNAL_SAT = contract_id(terms()), 100_000
STRANGER = SigningKey(b"\x71" * 32)
KEYS = {
    "ann": (ANN, "Ann", "approver"),
    "ann's phone": (ANN_TOO, " aN\u200bN", "approver"),
    "bob": (BOB, "Bob", "approver"),
    "ida": (IDA, "Ida", "approver"),
    "payouts": (PAYOUTS, "Payouts", "proposer"),
    "rea": (REA, "Rea", "recovery"),
}
POLICY = policy(
    SUBJECT, approvers=tuple(Approver(name, person, role, public(key)) for name, (key, person, role) in KEYS.items())
)
PAYMENT = payment()


class Signed(NamedTuple):
    """Who signed (None is a stranger), in which role, and whom the document names as the proposer."""

    by: str | None
    role: str
    initiator: str

    @property
    def sealed(self) -> bytes:
        document = Approval(SUBJECT, "regtest", 1, PAYMENT.txid, EXTERNAL_SAT, HEIGHT + 100, self.role, self.initiator)
        return seal(APPROVAL_DOMAIN, document, [STRANGER if self.by is None else KEYS[self.by][0]])


NAMES = ("Ann", "Bob", "Ida", "Payouts", " IDA")
ROLES = ("proposer", "approver", "recovery")


@st.composite
def cases(draw: st.DrawFn) -> tuple[Signed, tuple[Signed, ...]]:
    """Right but for one thing at most, so that both answers are met."""
    proposer = draw(st.sampled_from([*KEYS]))
    person = KEYS[proposer][1]
    may = [name for name, (_, other, role) in KEYS.items() if role == "approver" and folded(other) != folded(person)]
    others = draw(st.lists(st.sampled_from(may), min_size=1, max_size=3, unique_by=lambda name: folded(KEYS[name][1])))
    words = [Signed(proposer, "proposer", person), *(Signed(name, "approver", person) for name in others)]
    at = draw(st.integers(0, len(words) - 1))
    change = draw(
        st.just({})
        | st.just({"by": proposer})
        | st.sampled_from([{"by": name} for name in ("ann", "ann's phone", others[0])])
        | st.fixed_dictionaries({"by": st.sampled_from([*KEYS, None])})
        | st.fixed_dictionaries({"role": st.sampled_from(ROLES)})
        | st.fixed_dictionaries({"initiator": st.sampled_from(NAMES)})
    )
    words[at] = words[at]._replace(**change)
    return words[0], tuple(words[1:])


def passes(proposal: Signed, given: Sequence[Signed]) -> bool:
    """The rule in one place, written from the documents alone."""
    if proposal.by is None or proposal.role != "proposer" or proposal.initiator != KEYS[proposal.by][1]:
        return False
    if any(one.by is None or one.initiator != proposal.initiator for one in given):
        return False
    roles = {(one.role, KEYS[one.by][2]) for one in given if one.by is not None}
    persons = [folded(KEYS[one.by][1]) for one in given if one.by is not None]
    return (
        roles == {("approver", "approver")}
        and len(set(persons)) == len(persons) >= POLICY.approvals_needed
        and folded(proposal.initiator) not in persons
    )


def box_permits(proposal: Signed, given: Sequence[Signed]) -> bool:
    case = case_of(PAYMENT, approvers=POLICY.approvers)
    words = {"proposal": proposal.sealed, "approvals": tuple(one.sealed for one in given)}
    try:
        decide(replace(case, request=msgspec.structs.replace(case.request, **words)))
    except Denied as denied:
        if denied.rule.split(".")[0] not in ("proposal", "approval"):
            raise
        return False
    return True


def controller_counts(proposal: Signed, given: Sequence[Signed]) -> bool:
    contract = Contract(contract_id=SUBJECT, terms=terms(), policy=POLICY, boxes={}, witness_wu={})
    wanted = Approval(SUBJECT, "regtest", 1, PAYMENT.txid, EXTERNAL_SAT, HEIGHT + 100, "approver", "")
    try:
        wanted = msgspec.structs.replace(wanted, initiator=proposer_of(proposal.sealed, wanted, contract, HEIGHT))
        persons = [folded(approver_of(one.sealed, wanted, contract, HEIGHT).person) for one in given]
    except Denied:
        return False
    return len(set(persons)) == len(persons) >= POLICY.approvals_needed


@settings(deadline=None, max_examples=100)
@given(cases())
def test_one_proposes_and_enough_others_approve(case):
    proposal, given = case
    assert box_permits(proposal, given) == controller_counts(proposal, given) == passes(proposal, given)


def test_both_answers_are_met():
    approvals = (Signed("ann", "approver", "Ida"), Signed("bob", "approver", "Ida"))
    assert passes(Signed("ida", "proposer", "Ida"), approvals)
    assert box_permits(Signed("ida", "proposer", "Ida"), approvals)
    assert not passes(Signed("bob", "proposer", "Ida"), approvals)
    assert not box_permits(Signed("bob", "proposer", "Ida"), approvals)
