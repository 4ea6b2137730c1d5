"""A person sees what he signs, and what comes out is what boxes and controller believe."""

import base64

import msgspec
import pytest
from typer.testing import CliRunner

from shared.crypto.keys import key_id, load_or_create
from shared.crypto.sign_cli import app
from shared.crypto.signing import unseal
from shared.wire.codec import encode
from shared.wire.contract import APPROVAL_DOMAIN, POLICY_DOMAIN, Approval, Approver, Destination, Limits, SpendingPolicy
from shared.wire.forward import DEED_DOMAIN, ForwardDeed
from shared.wire.restart import RESTART_DOMAIN, LedgerRestart
from tests.shared.forward.scene import TERMS

APPROVAL = Approval("ab" * 32, "regtest", 1, "cd" * 32, 1_500_000, 244, "approver", "Tess")
PROPOSAL = msgspec.structs.replace(APPROVAL, role="proposer")
POLICY = SpendingPolicy(
    contract_id="ab" * 32,
    policy_version=3,
    approvals_needed=2,
    approvers=(Approver("anna", "Anna", "approver", b"a" * 32),),
    owners=(b"o" * 32,),
    owners_needed=1,
    allow_list=(Destination("landlord", "bcrt1qlandlord", 5),),
    cooling_blocks=6,
    limits=Limits(1_000, 2_000, 144, 3_000, 10, 5, 4_000),
)

DEED = ForwardDeed(
    contract_id="ab" * 32,
    side="miner",
    terms=TERMS,
    announcement=b"announced",
    miner_stake="ab" * 32 + ":0",
    buyer_stake="cd" * 32 + ":1",
)


def run(*words, answer=None):
    return CliRunner().invoke(app, list(words), input=answer)


@pytest.fixture
def key_file(tmp_path):
    assert len(run("key", str(tmp_path / "me.key")).stdout.strip()) == 64
    return tmp_path / "me.key"


@pytest.mark.parametrize(
    ("document", "domain", "words"),
    [
        (
            APPROVAL,
            APPROVAL_DOMAIN,
            ("approve, as approver; proposed by Tess", "1,500,000 sat", "block 244"),
        ),
        (PROPOSAL, APPROVAL_DOMAIN, ("propose, as Tess", "cannot approve it", "1,500,000 sat", "cd" * 32)),
        (DEED, DEED_DOMAIN, ("we are the miner", "600,000 sat", "difficulty-820512", "refund from block 822,000")),
        (
            LedgerRestart(ceremony="ceremony-1", box_id="ab" * 8, seq=1_234, head=b"h" * 32),
            RESTART_DOMAIN,
            ("row 1,234", "ab" * 8, "68" * 32, "ceremony-1"),
        ),
        (POLICY, POLICY_DOMAIN, ("policy    3", "2 of Anna", "landlord bcrt1qlandlord", "3,000 in all")),
    ],
)
def test_what_is_shown_is_what_is_signed(key_file, document, domain, words):
    text = base64.b64encode(encode(document)).decode()
    said = run("document", text, "--key", str(key_file), answer="y\n")
    assert said.exit_code == 0
    assert all(word in said.stderr for word in words), said.stderr
    public = load_or_create(key_file).verify_key
    sealed = base64.b64decode(said.stdout.strip().splitlines()[-1])
    opened, signers = unseal(domain, sealed, {key_id(public): public}, type(document))
    assert (opened, signers) == (document, (key_id(public),))


def test_nobody_signs_without_a_yes(key_file):
    text = base64.b64encode(encode(APPROVAL)).decode()
    said = run("document", text, "--key", str(key_file), answer="n\n")
    assert said.exit_code == 1
    assert said.stdout.strip() in ("", "n")  # the runner echoes what is typed


@pytest.mark.parametrize(
    "text",
    ["not base64!", base64.b64encode(b"junk").decode(), base64.b64encode(msgspec.msgpack.encode([1, 2])).decode()],
)
def test_what_is_no_document_is_not_signed(key_file, text):
    said = run("document", text, "--key", str(key_file), "--yes")
    assert (said.exit_code, said.stdout) == (1, "")


def test_a_missing_key_is_not_made_by_signing(tmp_path):
    said = run("document", base64.b64encode(encode(APPROVAL)).decode(), "--key", str(tmp_path / "no.key"), "--yes")
    assert (said.exit_code, "no such file" in said.stderr) == (1, True)
    assert not (tmp_path / "no.key").exists()
