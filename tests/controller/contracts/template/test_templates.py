"""Each form becomes the script of the book, its sentences say what the script does, and nonsense has a name."""

import msgspec
import pytest

from controller.contracts.route import routes
from controller.contracts.sentence import sentences
from controller.contracts.template.escrow import PowerEscrow
from controller.contracts.template.operating import OperatingWallet
from controller.contracts.template.payout import BatchPayout, RevenueSplit, Share
from controller.contracts.template.vault import DatedReserve, DecayingQuorum, StagedRecovery, TreasuryVault
from shared.bitcoin.descriptor import Descriptor
from shared.wire.contract import Approver, Destination, contract_id
from tests.controller.contracts.scene import (
    AGREEMENT,
    LIMITS,
    VAULT,
    VAULT_PARTIES,
    agreement,
    denied,
    destination,
    extended_key,
    party,
    static_key,
)

ABC = (party("Anna", 0), party("Ben", 1), party("Carl", 2))
ROSA = party("Rosa", 6, "recovery")
WALLET = OperatingWallet(signers=("Anna", "Ben", "Carl"), recovery="Rosa")
SPLIT = RevenueSplit(wallet=WALLET, shares=(Share("Power Inc", 55), Share("Landlord", 30), Share("Pool member", 15)))
BATCH = BatchPayout(wallet=WALLET, payees=("Power Inc", "Landlord"), every_blocks=144)

CASES = {
    "treasury vault": (
        VAULT,
        VAULT_PARTIES,
        (
            "Any two of Anna, Ben and the offline key, at once.",
            "After 4,320 blocks (about 30 days) without a refresh, Rosa alone.",
        ),
    ),
    "decaying quorum": (
        DecayingQuorum(signers=("Anna", "Ben", "Carl"), needed=3),
        ABC,
        (
            "Anna, Ben and Carl together, at once.",
            "After 12,960 blocks (about 90 days) without a refresh, any two of Anna, Ben and Carl.",
        ),
    ),
    "staged recovery": (
        StagedRecovery(signers=("Anna", "Ben", "Carl"), deputies=("Dora", "Emil"), last="Rosa"),
        (*ABC, party("Dora", 4, "deputy"), party("Emil", 5, "deputy"), ROSA),
        (
            "Any two of Anna, Ben and Carl, at once.",
            "After 4,320 blocks (about 30 days) without a refresh, Dora and Emil together.",
            "After 12,960 blocks (about 90 days) without a refresh, Rosa alone.",
        ),
    ),
    "dated reserve": (
        DatedReserve(signers=("Anna", "Ben", "Carl"), opens_at_height=900_000),
        ABC,
        ("From height 900,000 on, any two of Anna, Ben and Carl.",),
    ),
    "operating wallet": (
        WALLET,
        (*ABC, ROSA),
        (
            "Anna, Ben and Carl as one key, at once.",
            "Any two of Anna, Ben and Carl, at once.",
            "After 4,320 blocks (about 30 days) without a refresh, Rosa alone.",
        ),
    ),
    "power escrow": (
        PowerEscrow(miner="Anna", supplier="Ben", arbiter="Carl", refund="Anna's refund", deadline_height=820_000),
        (*ABC, party("Anna's refund", 6, "recovery")),
        (
            "Any two of Anna, Ben and Carl, at once.",
            "From height 820,000 on, Anna's refund alone.",
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("key", [extended_key, static_key])
def test_a_form_compiles_to_what_its_sentences_say(case, key):
    template, parties, told = CASES[case]
    plain = tuple(msgspec.structs.replace(one, key=key(number)) for number, one in enumerate(parties))
    compiled = template.compile(agreement(*plain))
    found = routes(compiled.terms.descriptor, compiled.terms.parties)
    assert sentences(found) == told
    assert compiled.terms.paths == tuple(route.path for route in found)
    assert compiled.policy.contract_id == contract_id(compiled.terms)
    assert Descriptor.parse(compiled.terms.descriptor, AGREEMENT.network).checksum_text == compiled.terms.descriptor
    assert msgspec.json.decode(compiled.parameters, type=type(template)) == template


def test_equal_agreements_are_one_contract_and_another_epoch_is_another():
    again = VAULT.compile(AGREEMENT)
    assert contract_id(again.terms) == contract_id(VAULT.compile(AGREEMENT).terms)
    assert contract_id(VAULT.compile(agreement(epoch=2)).terms) != contract_id(again.terms)


def test_the_escrow_expires_at_its_deadline():
    template, parties, _ = CASES["power escrow"]
    assert template.compile(agreement(*parties)).expires_at_height == 820_000


def test_a_split_is_exact():
    SPLIT.compile(agreement(*ABC, ROSA))
    assert SPLIT.parts(1_000_001) == (("Power Inc", 550_001), ("Landlord", 300_000), ("Pool member", 150_000))


def test_a_batch_is_due_every_so_many_blocks():
    BATCH.compile(agreement(*ABC, ROSA))
    assert BATCH.next_due_height(790_000, 790_000) == 790_144
    assert BATCH.next_due_height(790_000, 790_144) == 790_144
    assert BATCH.next_due_height(790_000, 790_145) == 790_288


VAULT_NAMES = ("Anna", "Ben", "the offline key")
REFUSED = (
    ("template.bad-quorum", TreasuryVault(signers=VAULT_NAMES, needed=4, recovery="Rosa"), AGREEMENT),
    ("template.bad-quorum", TreasuryVault(signers=VAULT_NAMES, needed=0, recovery="Rosa"), AGREEMENT),
    ("template.bad-quorum", TreasuryVault(signers=("Anna", "Anna"), recovery="Rosa"), AGREEMENT),
    ("template.bad-quorum", DecayingQuorum(signers=("Anna", "Ben"), needed=1), AGREEMENT),
    ("template.bad-quorum", VAULT, agreement(owners_needed=4)),
    ("template.bad-quorum", VAULT, agreement(approvals_needed=3)),
    ("template.bad-quorum", VAULT, agreement(witnesses_needed=1)),
    ("template.bad-quorum", VAULT, agreement(owners=AGREEMENT.owners[:1] * 2)),
    ("template.bad-quorum", VAULT, agreement(recovery_role_people=("Ben",))),
    ("template.bad-destination", VAULT, agreement(allow_list=(destination("One", 1), destination("Two", 1)))),
    ("template.bad-lock", TreasuryVault(signers=VAULT_NAMES, recovery="Rosa", recovery_after_blocks=0), AGREEMENT),
    ("template.bad-lock", TreasuryVault(signers=VAULT_NAMES, recovery="Rosa", recovery_after_blocks=65_536), AGREEMENT),
    ("template.bad-lock", DatedReserve(signers=VAULT_NAMES, opens_at_height=790_000), AGREEMENT),
    ("template.bad-lock", DatedReserve(signers=VAULT_NAMES, opens_at_height=500_000_000), AGREEMENT),
    ("template.bad-lock", BatchPayout(wallet=WALLET, payees=("Landlord",), every_blocks=0), agreement(*ABC, ROSA)),
    (
        "template.lock-order",
        StagedRecovery(signers=VAULT_NAMES, deputies=("Dora", "Emil"), last="Rosa", last_after_blocks=4_320),
        AGREEMENT,
    ),
    ("template.no-such-party", TreasuryVault(signers=("Anna", "Zoe"), recovery="Rosa"), AGREEMENT),
    ("template.unused-key", TreasuryVault(signers=("Anna", "Ben"), recovery="Rosa"), AGREEMENT),
    ("template.insane", TreasuryVault(signers=VAULT_NAMES, recovery="Anna"), AGREEMENT),
    ("template.bad-name", VAULT, agreement(name="  ")),
    ("template.bad-name", VAULT, agreement(*VAULT_PARTIES, VAULT_PARTIES[0])),
    ("template.bad-field", VAULT, agreement(epoch=0)),
    ("template.bad-field", VAULT, agreement(owners=(b"short",) * 1 + AGREEMENT.owners)),
    ("template.bad-limits", VAULT, agreement(limits=msgspec.structs.replace(LIMITS, per_tx_sat=0))),
    ("template.bad-limits", VAULT, agreement(limits=msgspec.structs.replace(LIMITS, window_sat=1))),
    ("template.bad-limits", VAULT, agreement(limits=msgspec.structs.replace(LIMITS, weight_wu=0))),
    ("template.bad-destination", VAULT, agreement(allow_list=(Destination("X", "bc1qnonsense", 0),))),
    (
        "template.bad-destination",
        VAULT,
        agreement(allow_list=(Destination("X", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 0),)),
    ),
    ("template.bad-destination", BatchPayout(wallet=WALLET, payees=("Nobody",), every_blocks=1), agreement(*ABC, ROSA)),
    ("template.bad-shares", BatchPayout(wallet=WALLET, payees=(), every_blocks=1), agreement(*ABC, ROSA)),
    ("template.bad-shares", RevenueSplit(wallet=WALLET, shares=(Share("Landlord", 1),)), agreement(*ABC, ROSA)),
    (
        "template.bad-shares",
        RevenueSplit(wallet=WALLET, shares=(Share("Landlord", 1), Share("Power Inc", 0))),
        agreement(*ABC, ROSA),
    ),
    (
        "template.shared-key",
        VAULT,
        agreement(*VAULT_PARTIES[:3], msgspec.structs.replace(VAULT_PARTIES[3], key=extended_key(0))),
    ),
    (
        "template.one-person",
        VAULT,
        agreement(VAULT_PARTIES[0], msgspec.structs.replace(VAULT_PARTIES[1], person="Anna"), *VAULT_PARTIES[2:]),
    ),
)


@pytest.mark.parametrize(("rule", "template", "terms"), REFUSED)
def test_what_does_not_hold_money_is_refused_by_name(rule, template, terms):
    with denied(rule):
        template.compile(terms)


def test_one_key_with_another_derivation_is_still_one_key():
    """Two parties with two branches of one extended key are one signer."""
    shifted = extended_key(0).replace("<0;1>", "<2;3>")
    with denied("template.shared-key"):
        VAULT.compile(agreement(*VAULT_PARTIES[:3], msgspec.structs.replace(VAULT_PARTIES[3], key=shifted)))


@pytest.mark.parametrize("spelling", ["Anna", " aNNa ", "An\u200bna", "\uff21nna"])
def test_approvers_are_counted_by_person(spelling):
    twice = Approver("second key", spelling, "approver", bytes(32))
    with denied("template.bad-quorum"):
        VAULT.compile(agreement(approvers=(AGREEMENT.approvers[0], twice, AGREEMENT.approvers[2])))


def test_somebody_is_left_to_propose():
    anna, ben, _ = AGREEMENT.approvers
    with denied("template.bad-quorum"):
        VAULT.compile(agreement(approvers=(anna, ben), recovery_role_people=()))
    for third in ("approver", "proposer"):
        paul = Approver("Paul", "Paul", third, bytes(32))
        made = VAULT.compile(agreement(approvers=(anna, ben, paul), recovery_role_people=()))
        assert made.policy.approvers[2] == paul


def test_every_key_belongs_to_somebody():
    nobody = Approver("nobody", " \u200b", "proposer", bytes(32))
    with denied("template.bad-name"):
        VAULT.compile(agreement(approvers=(*AGREEMENT.approvers, nobody)))


def test_keys_of_a_quorum_are_counted_by_person():
    anna, ben, *others = VAULT_PARTIES
    again = msgspec.structs.replace(ben, person=f"  {anna.person.upper()}")
    with denied("template.one-person"):
        VAULT.compile(agreement(anna, again, *others))
