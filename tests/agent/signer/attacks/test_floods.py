"""Whoever may send requests sends too many, too large ones, or ones that are dear to read: a box stays in one piece."""

import asyncio
import time
from dataclasses import replace

import msgspec
import pytest

from agent.signer import service
from agent.signer.ledger import EntryKind
from agent.signer.policy import place
from agent.signer.sessions import row_quota
from agent.signer.sessions.row_quota import LeftOut
from shared.bitcoin.key_origin import KeyOrigin
from shared.bitcoin.signature import public_key_of
from shared.errors import WireError
from shared.wire.codec import decode, encode
from shared.wire.signing import SigningRequest
from tests.agent.signer.attacks.asking import refused
from tests.agent.signer.scene import at, change, coin, parsed, payment, policy, sealed_policy
from tests.agent.signer.test_signing_box import Site


@pytest.fixture
async def site(tmp_path):
    made = Site(tmp_path)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def small_ration(monkeypatch):
    monkeypatch.setattr(row_quota, "RATION_BYTES", 4_000)


async def test_refusals_do_not_fill_the_disk_and_are_counted(box, small_ration):
    unlisted = replace(payment(), modifiable=None)
    answers = [await box.ask(unlisted, policy_version=9) for _ in range(40)]
    assert {answer.rule for answer in answers} == {"approval.policy-version"}, "each is told"
    written = [row for row in await box.rows() if row.kind == EntryKind.REFUSAL]
    assert 0 < len(written) < 10
    assert sum(answer.ledger_seq == 0 for answer in answers) == 40 - len(written)
    box.sessions.refusals._quota._monotonic_s = lambda: 1e9
    await box.sessions.refusals.tell_left_out(at(1_000))
    summary = (await box.rows())[-1]
    assert summary.subject == box.subject
    assert decode(summary.body, LeftOut) == LeftOut({"approval.policy-version": 40 - len(written)})
    assert (await box.ask(payment())).outcome == "signed", "what the limits pay for has room"


async def test_contracts_that_nobody_registered_share_one_ration(box, small_ration):
    for number in range(40):
        await box.ask(payment(), contract_id=f"{number:064x}", given=())
    assert len([row for row in await box.rows() if row.kind == EntryKind.REFUSAL]) < 10
    assert (await refused(box, payment(), "approval.policy-version", policy_version=9)).ledger_seq > 0


async def test_one_signature_again_and_again_does_not_fill_the_disk(box, small_ration):
    psbt = payment()
    answers = [await box.ask(psbt) for _ in range(20)]
    assert answers[0].outcome == "signed"
    assert (answers[-1].outcome, answers[-1].rule) == ("refused", "request.quota")
    assert len(await box.rows()) < 20
    other = await box.ask(payment(coins=[coin(salt=3)]))
    assert other.outcome == "signed", "another transaction is debited, and so it is written"


async def test_orders_that_are_refused_do_not_fill_the_disk(site, small_ration):
    await site.register()
    scene, box = site.scenes[0], site.boxes[0]
    sealed = sealed_policy(policy(scene.subject, policy_version=7))
    for number in range(40):
        order = service.ChangePolicy(
            request_id=f"policy-{number:04}", site="tx1", node="box-1", contract_id=scene.subject, policy=sealed
        )
        await site.down(0, "policy", order)
    assert [answer.rule for answer in await site.next("registered", 40)] == ["register.version"] * 40
    assert len([row for row in await scene.rows() if row.kind == EntryKind.REFUSAL]) < 10
    assert box._sessions.refusals._quota.owing == (scene.subject,)


async def test_more_than_a_box_works_on_are_told_so_and_may_come_again(site, monkeypatch):
    await site.register()
    monkeypatch.setattr(service, "MOST_AT_ONCE", 2)
    site.silent = {1, 2}  # no witness answers, so each waits
    requests = [site.scenes[0].request(payment(coins=[coin(salt=salt)])) for salt in range(3)]
    for request in requests:
        await site.down(0, "request", request)
    (busy,) = await site.next("answer")
    assert (busy.request_id, busy.rule, busy.ledger_seq) == (requests[2].request_id, "request.busy", 0)
    assert {answer.rule for answer in await site.next("answer", 2)} == {"ledger.quorum"}
    site.silent = set()
    await site.down(0, "request", requests[2])
    (answer,) = await site.next("answer")
    assert answer.outcome == "signed", "under the same id"


async def test_more_bytes_than_a_box_holds_are_told_so(site, monkeypatch):
    await site.register()
    monkeypatch.setattr(service, "MOST_BYTES_AT_ONCE", 100)
    await site.down(0, "request", site.scenes[0].request(payment()))
    (answer,) = await site.next("answer")
    assert answer.rule == "request.busy"
    assert not site.boxes[0]._running


async def test_witnesses_that_never_answer_wedge_nobody(site):
    """Each waits for its own patience, beside the others; then the box is as it was."""
    await site.register()
    site.silent = {1, 2}
    began_s = time.monotonic()
    for salt in range(20):
        await site.down(0, "request", site.scenes[0].request(payment(coins=[coin(salt=salt, amount_sat=150_000)])))
    rules = {answer.rule for answer in await site.next("answer", 20)}
    assert rules <= {"ledger.quorum", "limit.window"}
    assert time.monotonic() - began_s < 5.0
    assert not site.boxes[0]._witnesses._asked
    await asyncio.sleep(0)
    assert not site.boxes[0]._running


async def test_a_script_with_a_thousand_places_is_looked_for_at_few(box, monkeypatch):
    """Each place costs a derivation; all keys of one script stand at one index."""
    psbt = payment()
    fingerprint = bytes(4)
    many = {
        public_key_of(number.to_bytes(32, "big")): KeyOrigin(fingerprint, (0, number)) for number in range(100, 1_100)
    }
    outputs = (*psbt.tx.outputs[:-1], change(box.descriptor, psbt.tx.outputs[-1].amount_sat, 9)[0])
    claims = (*psbt.outputs[:-1], replace(psbt.outputs[-1], derivations=many))
    derived = []
    real = type(parsed(box.descriptor)).derive
    monkeypatch.setattr(type(parsed(box.descriptor)), "derive", lambda self, *at: derived.append(at) or real(self, *at))
    lost = replace(psbt, tx=replace(psbt.tx, outputs=outputs), outputs=claims)
    await refused(box, lost, "output.change-foreign", given=())
    assert len([at for at in derived if at[1] >= 100]) <= place.MOST_PLACES


async def test_a_large_request_leaves_the_loop_free(box):
    """A second of reading in one go would let witnesses and lines time out."""
    large = payment(coins=[coin(salt=salt) for salt in range(80)])
    assert len(large.raw) > 1 << 15
    worst_s, stop = 0.0, False

    async def beat() -> None:
        nonlocal worst_s
        while not stop:
            before_s = time.monotonic()
            await asyncio.sleep(0)
            worst_s = max(worst_s, time.monotonic() - before_s)

    beating = asyncio.create_task(beat())
    began_s = time.monotonic()
    answer = await box.ask(large)
    stop = True
    await beating
    assert answer.outcome == "signed"
    assert worst_s < (time.monotonic() - began_s) / 2


@pytest.mark.parametrize(
    "changed",
    [{"approvals": (b"",) * 201}, {"family": ("ab" * 32,) * 101}, {"message": "m" * 10_001}],
    ids=["approvals", "family", "message"],
)
def test_lists_without_an_end_are_no_request(changed):
    plain = SigningRequest(
        request_id="request-1",
        site="tx1",
        node="box-1",
        contract_id="ab" * 32,
        policy_version=1,
        path="normal",
        psbt=b"",
        proposal=b"",
        approvals=(),
        expires_at_ms=1,
        expires_at_height=1,
    )
    assert decode(encode(plain), SigningRequest) == plain
    with pytest.raises(WireError):
        decode(encode(msgspec.structs.replace(plain, **changed)), SigningRequest)
