"""Slots that nodes commit to stand in the journal once, and claims are made of it with the owner's key alone."""

import json
import re
import subprocess
import sys

import msgspec
import pytest
from nacl.signing import SigningKey
from typer.testing import CliRunner

from controller import claim_cli
from controller.contracts.proofs import EnergySlots
from controller.journal import Journal
from controller.storage.sqlite.journal import SqliteJournal
from shared.clock import SystemClock
from shared.crypto.keys import load_or_create
from shared.proofs.slot import GENESIS, Opening, Series, signed_slot
from shared.wire.event import Event, EventBatch

SERIES = Series("texas-1", "meter-site", 3600)
NODE = SigningKey(b"n" * 32)
START = 472_224  # 2023-11-15 00:00 UTC in hours
ENERGY_WH = [41_000, 0, 39_500, 42_250]


class Keys:
    def node_key(self, site, node):
        return NODE.verify_key if (site, node) == ("texas-1", "edge-1") else None


@pytest.fixture
def owner_file(tmp_path):
    load_or_create(tmp_path / "owner.key")
    return tmp_path / "owner.key"


def events(owner_file, energy_wh=ENERGY_WH, key=NODE, start=START):
    owner = load_or_create(owner_file).verify_key.to_curve25519_public_key()
    previous, told = GENESIS, []
    for number, wh in enumerate(energy_wh, start):
        opening = Opening.fresh(wh)
        slot = signed_slot(SERIES, number, opening, previous, key)
        previous = slot.digest(SERIES)
        data = msgspec.structs.asdict(slot) | {"interval_s": 3600, "opening": opening.sealed(owner).hex()}
        told.append(Event(1, "energy.committed", "meter-site", 0, "", data=data))
    return told


async def journaled(path, *batches, site="texas-1", node="edge-1"):
    """Each batch in a life of the controller of its own."""
    for batch in batches:
        async with SqliteJournal(path) as store:
            journal = Journal(store, SystemClock())
            await EnergySlots(journal, Keys()).take(site, node, EventBatch(events=tuple(batch)))
            stored = await journal.stream("energy/texas-1/meter-site/3600")
    return [json.loads(event.data)["slot"]["slot"] for event in stored]


async def test_each_slot_is_kept_once_however_often_it_comes(tmp_path, owner_file):
    told = events(owner_file)
    assert await journaled(tmp_path / "journal.db", told[:2], told[1:3], told, told[:1]) == [
        START,
        START + 1,
        START + 2,
        START + 3,
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data | {"commitment": "08" + "11" * 32},
        lambda data: data | {"slot": data["slot"] + 1},
        lambda data: data | {"interval_s": 900},
        lambda data: data | {"signature": "zz"},
        lambda data: {name: value for name, value in data.items() if name != "opening"},
        lambda data: data | {"slot": "many"},
    ],
)
async def test_what_the_node_did_not_sign_is_not_kept(tmp_path, owner_file, change):
    first, second = events(owner_file)[:2]
    bent = msgspec.structs.replace(first, data=change(first.data))
    assert await journaled(tmp_path / "journal.db", [bent, second]) == [START + 1]


async def test_a_node_that_nobody_knows_is_not_believed(tmp_path, owner_file):
    assert await journaled(tmp_path / "journal.db", events(owner_file), node="edge-2") == []


def prove(tmp_path, owner_file, *words, start="2023-11-15", end="2023-11-15T04:00:00"):
    common = [str(tmp_path / "journal.db"), str(tmp_path / "claim.json"), "--owner", str(owner_file)]
    where = ["--site", "texas-1", "--meter", "meter-site", "--interval-s", "3600", "--expires", "2027-01-31"]
    return CliRunner().invoke(claim_cli.app, ["prove", *common, *where, "--from", start, "--to", end, *words])


def answer(script, words):
    run = [sys.executable, "-I", "-S", str(script), *words]
    return subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout


async def test_a_claim_is_made_of_the_journal_and_checked_by_a_stranger(tmp_path, owner_file):
    await journaled(tmp_path / "journal.db", events(owner_file))
    made = prove(tmp_path, owner_file, "--kind", "at-most", "--bound-wh", "125000", "--nonce", "n-1")
    assert made.exit_code == 0, made.output
    assert NODE.verify_key.encode().hex() in made.output
    assert not re.search(r"\b41000\b", (tmp_path / "claim.json").read_text())  # within a proof's hex it says nothing
    script = tmp_path / "verifier.py"
    assert CliRunner().invoke(claim_cli.app, ["verifier", str(script)]).exit_code == 0
    words = [str(tmp_path / "claim.json"), "--key", NODE.verify_key.encode().hex(), "--nonce", "n-1"]
    assert answer(script, words).startswith(
        "PROVEN: meter-site at texas-1: at most 125,000 Wh in slots 472224 to 472227"
    )


@pytest.mark.parametrize(
    ("words", "times", "code", "said"),
    [
        (("--kind", "at-most", "--bound-wh", "1000"), {}, 1, "not at-most 1000"),
        (("--kind", "exactly", "--bound-wh", "7"), {}, 1, "not 7"),
        (("--kind", "at-most", "--bound-wh", "1000000"), {"end": "2023-11-15T05:00:00"}, 1, "not every slot"),
        (("--kind", "at-most", "--bound-wh", "1"), {"start": "2020-01-01", "end": "2020-01-02"}, 1, "holds no slot"),
        (("--kind", "at-most", "--bound-wh", "1"), {"start": "2023-11-15T00:30:00"}, 2, "not the edge"),
    ],
)
async def test_what_is_not_so_is_not_claimed(tmp_path, owner_file, words, times, code, said):
    await journaled(tmp_path / "journal.db", events(owner_file))
    refused = prove(tmp_path, owner_file, *words, **times)
    assert (refused.exit_code, said in refused.output) == (code, True), refused.output
    assert not (tmp_path / "claim.json").exists()


async def test_another_owner_opens_nothing(tmp_path, owner_file):
    await journaled(tmp_path / "journal.db", events(owner_file))
    other = tmp_path / "other.key"
    assert "no such file" in prove(tmp_path, other, "--kind", "at-most", "--bound-wh", "1000000").output
    load_or_create(other)
    refused = prove(tmp_path, other, "--kind", "at-most", "--bound-wh", "1000000")
    assert (refused.exit_code, "not sealed to this owner" in refused.output) == (2, True)


async def test_slots_of_two_nodes_are_no_one_claim(tmp_path, owner_file, monkeypatch):
    other = SigningKey(b"m" * 32)
    await journaled(tmp_path / "journal.db", events(owner_file, ENERGY_WH[:2]))
    monkeypatch.setattr(Keys, "node_key", lambda *_: other.verify_key)
    await journaled(tmp_path / "journal.db", events(owner_file, ENERGY_WH[2:], other, START + 2))
    refused = prove(tmp_path, owner_file, "--kind", "at-most", "--bound-wh", "1000000")
    assert (refused.exit_code, "more than one node" in refused.output) == (1, True)
