"""Policies that anybody may write: compiled, explained, or refused with the part that is to blame."""

import pytest

from controller.contracts.route import routes
from controller.contracts.sentence import sentences
from controller.contracts.template.free import FreePolicy
from tests.controller.contracts.scene import agreement, denied, party, static_key

FIVE = (
    party("Anna", 0),
    party("Ben", 1),
    party("Carl", 2),
    party("Dora", 4, "deputy"),
    party("the safe", 3, "recovery"),
)
FOUR = (*FIVE[:3], FIVE[4])
DIGEST = "ab" * 32


def told(template, parties):
    terms = template.compile(agreement(*parties)).terms
    return terms.descriptor, sentences(routes(terms.descriptor, parties))


def test_a_policy_is_told_in_the_words_of_its_paths():
    policy = "or(9@thresh(2, pk(Anna), pk(Ben), pk(Carl)), 1@and(pk(the safe), older(4320)))"
    expected = (
        "Any two of Anna, Ben and Carl, at once.",
        "After 4,320 blocks (about 30 days) without a refresh, the safe alone.",
    )
    for taproot in (False, True):
        descriptor, words = told(FreePolicy(policy=policy, taproot=taproot), FOUR)
        assert words == expected
        assert descriptor.startswith("tr(" if taproot else "wsh(")


def test_the_likeliest_single_key_becomes_the_key_path():
    policy = "or(9@pk(Anna),1@and(pk(Ben),pk(Carl)))"
    _, words = told(FreePolicy(policy=policy, taproot=True), FIVE[:3])
    assert words == ("Anna alone, at once.", "Ben and Carl together, at once.")


def test_one_key_and_a_quorum_is_told_as_every_set_that_signs():
    policy = "and(pk(Dora),thresh(2,pk(Anna),pk(Ben),pk(Carl)))"
    _, words = told(FreePolicy(policy=policy), FIVE[:4])
    assert len(words) == 3
    assert all("Dora" in word and "together" in word for word in words)


def test_two_quorums_are_two_paths_and_not_every_pair():
    policy = "or(thresh(2,pk(Anna),pk(Ben)),thresh(1,pk(Carl),pk(Dora)))"
    _, words = told(FreePolicy(policy=policy), FIVE[:4])
    assert sorted(words) == ["Anna and Ben together, at once.", "Carl alone, at once.", "Dora alone, at once."]


def test_a_party_that_signs_in_two_places_uses_two_branches_of_its_key():
    policy = "or(9@thresh(2,pk(Anna),pk(Ben)),and(pk(Anna),older(1000)))"
    descriptor, words = told(FreePolicy(policy=policy), FIVE[:2])
    assert "<2;3>/*" in descriptor
    assert words == (
        "Anna and Ben together, at once.",
        "After 1,000 blocks (about 7 days) without a refresh, Anna alone.",
    )


def test_a_key_of_a_token_cannot_stand_twice():
    parties = tuple(party(name, number, key=static_key) for number, name in enumerate(("Anna", "Ben")))
    with denied("template.insane"):
        FreePolicy(policy="or(thresh(2,pk(Anna),pk(Ben)),and(pk(Anna),older(1000)))").compile(agreement(*parties))


REFUSED = (
    ("template.insane", "or(pk(Anna),older(100))"),
    ("template.insane", "and(pk(Anna),and(older(100),older(4194305)))"),
    ("template.insane", "pk(Anna"),
    ("template.insane", "thresh(3,pk(Anna),pk(Ben))"),
    ("template.no-such-party", "thresh(2,pk(Anna),pk(Zoe))"),
    ("template.hash-lock", f"or(pk(Anna),and(pk(Ben),sha256({DIGEST})))"),
    ("template.time-lock", "or(pk(Anna),and(pk(Ben),older(4194400)))"),
    ("template.time-lock", "or(pk(Anna),and(pk(Ben),after(1800000000)))"),
)


@pytest.mark.parametrize(("rule", "policy"), REFUSED)
@pytest.mark.parametrize("taproot", [False, True])
def test_policies_that_hold_no_money_are_refused(rule, policy, taproot):
    with denied(rule):
        FreePolicy(policy=policy, taproot=taproot).compile(agreement(*FIVE[:2]))


def test_a_key_that_belongs_to_nobody_is_found():
    terms = FreePolicy(policy="thresh(2,pk(Anna),pk(Ben))").compile(agreement(*FIVE[:2])).terms
    with denied("template.foreign-key"):
        routes(terms.descriptor, FIVE[1:3])


def test_more_sets_of_signers_than_people_can_oversee_are_refused():
    names = [f"P{number}" for number in range(10)]
    parties = tuple(party(name, number) for number, name in enumerate(names))
    quorum = ",".join(f"pk({name})" for name in names[1:])
    with denied("template.too-many-paths"):
        FreePolicy(policy=f"and(pk(P0),thresh(4,{quorum}))").compile(agreement(*parties))
