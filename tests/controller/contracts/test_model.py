"""The state machine under events in any order: no illegal state, and the same again when replayed."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.contracts.event import (
    AnyContractEvent,
    BoxesAskedAgain,
    BoxRefused,
    BoxRegistered,
    ContractActivated,
    ContractClosed,
    ContractDrafted,
    ContractExpired,
    ContractFunded,
    FundingLost,
    OwnerApproved,
    PolicyDrafted,
    PolicySealed,
    PolicyWithdrawn,
    codec,
)
from controller.contracts.model import LIVE, Phase, drafted, evolve
from controller.journal import RecordedEvent
from shared.errors import Denied
from shared.wire.contract import ContractTerms, SpendingPolicy
from tests.controller.contracts.scene import AGREEMENT, LIMITS, denied

OF = "ab" * 32
TERMS = ContractTerms("regtest", "Vault", "treasury-vault", "wsh(pk(a))#x", 1, (), (), 0)


def policy(version):
    return SpendingPolicy(OF, version, 1, AGREEMENT.approvers, AGREEMENT.owners, 2, (), 0, LIMITS)


def start():
    fact = ContractDrafted(
        contract_id=OF, terms=TERMS, policy=policy(1), parameters="{}", boxes=("a", "b"), expires_at_height=900
    )
    return drafted(fact, actor="Tilda", at_ms=1)


VERSIONS = st.integers(1, 3)
KEYS = st.sampled_from(("k1", "k2", "k3"))
BOXES = st.sampled_from(("a", "b", "c"))
COINS = st.sampled_from(("11" * 32, "22" * 32))
EVENTS = st.one_of(
    st.builds(PolicyDrafted, st.just(OF), VERSIONS.map(policy)),
    st.builds(PolicyWithdrawn, st.just(OF), VERSIONS, st.just("why")),
    st.builds(OwnerApproved, st.just(OF), VERSIONS, KEYS, st.just(b"s")),
    st.builds(PolicySealed, st.just(OF), VERSIONS, st.just(b"sealed")),
    st.builds(BoxesAskedAgain, st.just(OF), VERSIONS, st.integers(1, 3)),
    st.builds(BoxRegistered, st.just(OF), VERSIONS, BOXES, st.integers(1, 99), st.just(1), st.just("h")),
    st.builds(BoxRefused, st.just(OF), VERSIONS, BOXES, st.just("input.unregistered"), st.just("no")),
    st.builds(ContractFunded, st.just(OF), COINS, st.just(0), st.just(5), st.just(7)),
    st.builds(FundingLost, st.just(OF), COINS, st.just(0)),
    st.builds(ContractActivated, st.just(OF), st.just(9)),
    st.builds(ContractExpired, st.just(OF), st.just(900)),
    st.builds(ContractClosed, st.just(OF), st.just("done")),
)


def taken(events):
    """The states along the way and the events that were taken."""
    state, states, facts = start(), [start()], []
    for event in events:
        try:
            state = evolve(state, event)
        except Denied:
            continue
        states.append(state)
        facts.append(event)
    return states, facts


@settings(max_examples=400)
@given(st.lists(EVENTS, max_size=40))
def test_no_order_of_events_reaches_an_illegal_state(events):
    states, facts = taken(events)
    for before, after in pairwise(states):
        assert after.version == before.version + 1
        assert before.phase is not Phase.CLOSED, "nothing follows an end"
    for state in states:
        if state.phase in LIVE:
            assert state.policies, "what lives has a policy that every box took"
        if state.phase in (Phase.FUNDED, Phase.ACTIVE):
            assert state.first_coin is not None
        if state.phase in (Phase.DRAFT, Phase.APPROVED):
            assert not state.policies
            assert not state.may_propose
        versions = [ready.policy.policy_version for ready in state.policies]
        assert versions == list(range(1, len(versions) + 1)), "versions rise by one"
        if state.pending is not None:
            assert state.pending.policy.policy_version == len(versions) + 1
            assert len(state.pending.registered) < len(state.boxes)
    state = start()
    for fact in facts:
        state = evolve(state, fact)
    assert state == states[-1]


@given(EVENTS)
def test_every_event_survives_the_journal(event):
    written = codec.encode(event, "Tilda")
    read = RecordedEvent(1, "s", 1, 0, "Tilda", written.name, written.data, b"", b"")
    assert codec.decode(read) == event


def test_every_event_is_named_in_the_past():
    names = [kind.__name__ for kind in AnyContractEvent.__args__]
    assert all(name.endswith(("ed", "Withdrawn", "Lost", "AskedAgain")) for name in names), names


def test_a_lost_coin_must_be_the_one_that_funded():
    state = start()
    for version_event in (
        OwnerApproved(OF, 1, "k1", b"s"),
        PolicySealed(OF, 1, b"sealed"),
        BoxRegistered(OF, 1, "a", 1, 1, "h"),
        BoxRegistered(OF, 1, "b", 1, 1, "h"),
        ContractFunded(OF, "11" * 32, 0, 5, 7),
    ):
        state = evolve(state, version_event)
    assert state.phase is Phase.FUNDED
    with denied("contract.no-such-coin"):
        evolve(state, FundingLost(OF, "22" * 32, 0))


@pytest.mark.parametrize("event", [ContractActivated(OF, 9), ContractFunded(OF, "11" * 32, 0, 5, 7)])
def test_a_draft_holds_no_money(event):
    with denied("contract.wrong-phase"):
        evolve(start(), event)
