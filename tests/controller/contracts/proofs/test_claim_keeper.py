"""Claims are kept where the verifier takes them and a node of ours signed; the owner's key is never asked for."""

import json

import pytest

from controller.contracts.proofs import ClaimKeeper, EnergySlots, made
from controller.journal import Journal
from controller.storage.sqlite.journal import SqliteJournal
from shared.clock import SystemClock
from shared.crypto.keys import load_or_create
from shared.errors import Denied, Malformed
from shared.proofs.claim import Kind, Statement
from shared.wire.event import EventBatch
from tests.controller.contracts.proofs.test_energy_slots import NODE, SERIES, START, Keys, events

STATEMENT = Statement(
    site=SERIES.site,
    meter=SERIES.meter,
    interval_s=SERIES.interval_s,
    first_slot=START,
    last_slot=START + 3,
    kind=Kind.EXACTLY,
    bound=122_750,
    nonce="7f3a",
    expires="2027-01-31",
)


@pytest.fixture
async def journal(tmp_path):
    load_or_create(tmp_path / "owner.key")
    async with SqliteJournal(tmp_path / "journal.db") as store:
        journal = Journal(store, SystemClock())
        await EnergySlots(journal, Keys()).take(
            "texas-1", "edge-1", EventBatch(events=tuple(events(tmp_path / "owner.key")))
        )
        yield journal


async def keeper_of(journal) -> ClaimKeeper:
    keeper = ClaimKeeper(journal)
    async for page in journal.since(0):
        keeper.book.fold(page)
    return keeper


async def document(journal, tmp_path) -> dict:
    recorded = [event async for page in journal.since(0) for event in page]
    return made(STATEMENT, recorded, load_or_create(tmp_path / "owner.key").to_curve25519_private_key())


async def test_a_sound_claim_is_kept_and_found_again_after_a_restart(journal, tmp_path) -> None:
    keeper = await keeper_of(journal)
    (meter,) = keeper.book.meters()
    assert (meter.slots, meter.missing, meter.node_keys) == (4, 0, {NODE.verify_key.encode().hex()})
    claim = await document(journal, tmp_path)
    kept = await keeper.keep(json.dumps(claim).encode(), actor="tess")
    assert kept.fact.sentence.startswith("meter-site at texas-1: exactly 122,750 Wh")
    again = (await keeper_of(journal)).book.claims()
    assert [(one.fact.claim_id, one.kept_by) for one in again] == [(kept.fact.claim_id, "tess")]
    assert json.loads(again[0].fact.document) == claim
    with pytest.raises(Denied) as denied:
        await keeper.keep(json.dumps(claim, indent=1).encode(), actor="tess")
    assert denied.value.rule == "claim.known"


async def test_a_claim_that_is_none_is_refused_by_name(journal, tmp_path) -> None:
    keeper, claim = await keeper_of(journal), await document(journal, tmp_path)
    changed = claim | {"statement": claim["statement"] | {"bound": 1}}
    for wrong, rule in (
        (changed, "claim.not-sound"),
        (claim | {"node_key": "07" * 32}, "claim.foreign-node"),
        (claim | {"statement": claim["statement"] | {"meter": "another"}}, "claim.foreign-node"),
    ):
        with pytest.raises(Denied) as denied:
            await keeper.keep(json.dumps(wrong).encode(), actor="tess")
        assert denied.value.rule == rule
    with pytest.raises(Denied) as denied:
        keeper.get("nope")
    assert denied.value.rule == "claim.unknown"
    assert keeper.book.claims() == ()


@pytest.mark.parametrize("wrong", [b"", b"[]", b"{}", b'{"statement": 3}', b"\xff"])
async def test_what_is_no_claim_is_malformed(journal, wrong) -> None:
    with pytest.raises(Malformed):
        await (await keeper_of(journal)).keep(wrong, actor="tess")
