"""Whoever changes the file, is found: each test does one kind of damage behind the journal's back."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from typer.testing import CliRunner

from controller.audit_cli import app
from controller.journal import Journal, NewEvent
from controller.journal import audit as audit_module
from controller.journal.audit import Anchor, Expectation, Report, verify
from controller.journal.chain import link
from controller.journal.head import sign_head
from controller.journal.merkle import Tree
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.journal_log import SqliteLogFile

TOTAL, SIGNED = 40, 30


@pytest.fixture
async def written(path: Path, clock, key: SigningKey) -> Path:
    """Forty events in three streams, heads signed at 12 and 30."""
    async with SqliteJournal(path) as store:
        journal = Journal(store, clock)
        for number in range(1, TOTAL + 1):
            await journal.append(f"stream/{number % 3}", [NewEvent("Noted", b'{"n":%d}' % number, "tester")])
            if number in (12, SIGNED):
                await journal.sign_head(key)
    return path


def audit(path: Path, **known) -> Report:
    log = SqliteLogFile(path)
    try:
        return verify(log, Expectation(**known))
    finally:
        log.close()


def tamper(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER IF EXISTS event_is_never_changed")
        connection.execute("DROP TRIGGER IF EXISTS event_is_never_deleted")
        for statement in statements:
            connection.execute(statement)


def test_an_untouched_log_is_whole(written: Path, key: SigningKey) -> None:
    report = audit(written, trusted=key.verify_key)
    assert report.damage is None
    assert (report.size, [head.size for head in report.heads], report.unsigned) == (TOTAL, [12, SIGNED], 10)


async def test_an_empty_log_is_whole(path: Path) -> None:
    async with SqliteJournal(path):
        pass
    assert audit(path).damage is None


FIELDS = {
    "data": "UPDATE event SET data = x'7b226e223a39397d' WHERE position = 17",
    "actor": "UPDATE event SET actor = 'nobody' WHERE position = 17",
    "time": "UPDATE event SET at_ms = at_ms + 1 WHERE position = 17",
    "name": "UPDATE event SET name = 'Forgotten' WHERE position = 17",
    "stream": "UPDATE event SET stream = 'stream/9' WHERE position = 17",
    "version": "UPDATE event SET version = 99 WHERE position = 17",
    "digest": "UPDATE event SET digest = zeroblob(32) WHERE position = 17",
    "previous": "UPDATE event SET previous = zeroblob(32) WHERE position = 17",
    "deleted": "DELETE FROM event WHERE position = 17",
}


@pytest.mark.parametrize("statement", FIELDS.values(), ids=FIELDS)
def test_a_changed_or_missing_event_is_named(written: Path, statement: str) -> None:
    tamper(written, statement)
    damage = audit(written).damage
    assert damage is not None
    assert damage.position == 17


def test_swapped_events_are_found(written: Path) -> None:
    tamper(
        written,
        "UPDATE event SET position = -1 WHERE position = 20",
        "UPDATE event SET position = 20 WHERE position = 23",
        "UPDATE event SET position = 23 WHERE position = -1",
    )
    damage = audit(written).damage
    assert damage is not None
    assert damage.position == 20


@pytest.mark.parametrize("keep", [11, 25, 35, 0])
def test_a_cut_tail_is_found(written: Path, keep: int) -> None:
    tamper(written, f"DELETE FROM event WHERE position > {keep}")
    damage = audit(written).damage
    assert damage is not None
    assert damage.position == keep + 1


def relink(path: Path, change: Callable[[dict], None], *, keep: int = TOTAL) -> Tree:
    """Rewrite the log as somebody would who knows its construction, but has not the key."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("SELECT * FROM event ORDER BY position")][:keep]
    change(rows[16])
    tree, digest, statements = Tree(), rows[0]["previous"], []
    nodes = []
    for row in rows:
        new = NewEvent(row["name"], row["data"], row["actor"])
        event = link(digest, (row["position"], row["stream"], row["version"]), row["at_ms"], new)
        digest = event.digest
        nodes += [(*place, node) for place, node in tree.append(digest)]
        statements.append(
            f"UPDATE event SET data = x'{event.data.hex()}', previous = x'{event.previous.hex()}', "
            f"digest = x'{digest.hex()}' WHERE position = {event.position}"
        )
    peaks = b"".join(tree.peaks).hex()
    tamper(
        path,
        *statements,
        f"DELETE FROM event WHERE position > {keep}",
        "DELETE FROM merkle_node",
        *(f"INSERT INTO merkle_node VALUES ({level}, {number}, x'{node.hex()}')" for level, number, node in nodes),
        f"UPDATE log SET size = {keep}, digest = x'{digest.hex()}', peaks = x'{peaks}'",
    )
    return tree


def test_a_consistently_rewritten_log_breaks_its_signed_head(written: Path) -> None:
    relink(written, lambda row: row.update(data=b'{"n":0}'))
    damage = audit(written).damage
    assert damage is not None
    assert damage.position == 13
    assert "up to 30" in damage.problem


def test_a_tail_cut_with_the_state_rewritten_breaks_the_head_behind_it(written: Path) -> None:
    relink(written, lambda row: None, keep=28)
    damage = audit(written).damage
    assert damage is not None
    assert damage.position == 29
    assert "a signed head tells of 30" in damage.problem


def test_another_signer_is_found_with_the_key_only(written: Path, key: SigningKey, clock) -> None:
    tree = relink(written, lambda row: row.update(data=b'{"n":0}'))
    with closing(sqlite3.connect(written)) as connection, connection:
        log_id = connection.execute("SELECT log_id FROM log").fetchone()[0]
        forged = sign_head(SigningKey.generate(), log_id=log_id, size=TOTAL, root=tree.root, at_ms=clock.ms)
        connection.execute("DELETE FROM tree_head")
        connection.execute("INSERT INTO tree_head VALUES (?, ?, ?)", (TOTAL, forged.sealed, forged.public_key))
    assert audit(written).damage is None
    damage = audit(written, trusted=key.verify_key).damage
    assert damage is not None
    assert "no signature by a key that is trusted" in damage.problem


def test_an_anchor_outlives_a_rewritten_file(written: Path) -> None:
    anchor = Anchor(35, audit_root(written, 35))
    assert audit(written, anchors=(anchor,)).damage is None
    with closing(sqlite3.connect(written)) as connection, connection:
        connection.execute("DELETE FROM tree_head")
    relink(written, lambda row: row.update(data=b'{"n":0}'))
    assert audit(written).damage is None
    damage = audit(written, anchors=(anchor,)).damage
    assert damage is not None
    assert "not those of the anchor" in damage.problem
    relink(written, lambda row: None, keep=20)
    cut = audit(written, anchors=(anchor,)).damage
    assert cut is not None
    assert (cut.position, "an anchor tells of 35" in cut.problem) == (21, True)


def forget_heads(path: Path, after: int = 0) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM tree_head WHERE size > ?", (after,))


def test_a_log_rewritten_without_its_heads_is_not_whole_for_who_has_the_key(written: Path, key: SigningKey) -> None:
    forget_heads(written)
    relink(written, lambda row: row.update(data=b'{"n":0}'))
    assert audit(written).damage is None, "without the key nobody can tell"
    damage = audit(written, trusted=key.verify_key).damage
    assert damage is not None
    assert (damage.position, "signed nothing here" in damage.problem) == (1, True)


def test_more_events_behind_the_newest_head_than_a_controller_leaves_are_damage(
    written: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "MOST_UNSIGNED", 20)
    assert audit(written, trusted=key.verify_key).damage is None
    forget_heads(written, after=12)
    relink(written, lambda row: row.update(data=b'{"n":0}'))
    damage = audit(written, trusted=key.verify_key).damage
    assert damage is not None
    assert (damage.position, "28 events follow the newest head" in damage.problem) == (13, True)


@pytest.mark.parametrize(("at_least", "whole"), [(SIGNED, True), (SIGNED + 1, False)])
def test_a_size_that_is_known_must_be_signed(written: Path, key: SigningKey, at_least: int, whole: bool) -> None:
    assert audit(written, at_least=at_least).damage is None
    assert (audit(written, trusted=key.verify_key, at_least=at_least).damage is None) is whole


def test_a_size_that_is_known_shows_a_tail_cut_with_its_heads(written: Path, key: SigningKey) -> None:
    forget_heads(written, after=12)
    relink(written, lambda row: None, keep=20)
    assert audit(written, trusted=key.verify_key).damage is None, "the key alone cannot tell"
    for known in ({"trusted": key.verify_key}, {}):
        damage = audit(written, at_least=TOTAL, **known).damage
        assert damage is not None
        assert "it had 40 before" in damage.problem


def test_a_head_that_was_exported_outlives_a_rewritten_file(written: Path, key: SigningKey, tmp_path: Path) -> None:
    run = CliRunner().invoke
    kept, public = tmp_path / "kept.json", key.verify_key.encode().hex()
    exported = run(app, ["head", str(written), str(kept)])
    assert (exported.exit_code, exported.output) == (0, f"head   30:{audit_root(written, 30).hex()}\n")
    check = ["verify", str(written), "--key", public, "--head", str(kept)]
    assert run(app, check).exit_code == 0
    forget_heads(written, after=12)
    relink(written, lambda row: row.update(data=b'{"n":0}'))
    assert run(app, check[:-2]).exit_code == 0, "few events: the key alone cannot tell"
    rewritten = run(app, check)
    assert rewritten.exit_code == 1
    assert "not those of the anchor" in rewritten.output


def test_a_head_of_a_stranger_is_no_anchor(written: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    kept = tmp_path / "kept.json"
    run(app, ["head", str(written), str(kept)])
    other = SigningKey.generate().verify_key.encode().hex()
    assert run(app, ["verify", str(written), "--key", other, "--head", str(kept)]).exit_code == 2
    kept.write_text("{}")
    refused = run(app, ["verify", str(written), "--head", str(kept)])
    assert refused.exit_code == 2
    assert "not a head" in refused.output


def test_a_log_without_a_head_has_none_to_export(written: Path, tmp_path: Path) -> None:
    forget_heads(written)
    refused = CliRunner().invoke(app, ["head", str(written), str(tmp_path / "kept.json")])
    assert refused.exit_code == 2
    assert "no head was signed yet" in refused.output


def audit_root(path: Path, size: int) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        tree = Tree()
        for (digest,) in connection.execute("SELECT digest FROM event ORDER BY position LIMIT ?", (size,)):
            list(tree.append(digest))
    return tree.root


OTHER_DAMAGE = {
    "a proof node": "UPDATE merkle_node SET hash = zeroblob(32) WHERE level = 2 AND idx = 3",
    "a missing node": "DELETE FROM merkle_node WHERE level = 1 AND idx = 4",
    "a surplus node": "INSERT INTO merkle_node VALUES (1, 999, zeroblob(32))",
    "a head's signature": "UPDATE tree_head SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) || x'07' AS BLOB)",
    "a head's size": "UPDATE tree_head SET size = 13 WHERE size = 12",
    "a head's key": "UPDATE tree_head SET public_key = x'00'",
    "a head's bytes": "UPDATE tree_head SET sealed = x'c1' WHERE size = 30",
    "the state's size": "UPDATE log SET size = 39",
    "the state's digest": "UPDATE log SET digest = zeroblob(32)",
    "no state": "DELETE FROM log",
    "another log's identity": "UPDATE log SET log_id = zeroblob(16)",
}


@pytest.mark.parametrize("statement", OTHER_DAMAGE.values(), ids=OTHER_DAMAGE)
def test_damage_beside_the_events_is_found(written: Path, statement: str) -> None:
    tamper(written, statement)
    assert audit(written).damage is not None


def test_a_head_of_another_log_is_found(written: Path, key: SigningKey, clock) -> None:
    foreign = sign_head(key, log_id=bytes(16), size=12, root=audit_root(written, 12), at_ms=clock.ms)
    with closing(sqlite3.connect(written)) as connection, connection:
        connection.execute("UPDATE tree_head SET sealed = ? WHERE size = 12", (foreign.sealed,))
    damage = audit(written).damage
    assert damage is not None
    assert "belongs to another log" in damage.problem


def test_a_flipped_byte_on_the_disk_is_found(written: Path) -> None:
    raw = bytearray(written.read_bytes())
    at = raw.index(b'{"n":23}') + 5
    raw[at] ^= 1
    written.write_bytes(raw)
    damage = audit(written).damage
    assert damage is not None
    assert damage.position == 23


def test_a_broken_page_is_damage_not_a_crash(written: Path) -> None:
    raw = bytearray(written.read_bytes())
    page = 4096
    for start in range(page, len(raw), page):
        raw[start : start + 8] = b"\xff" * 8
    written.write_bytes(raw)
    assert audit(written).damage is not None


def test_the_command_tells_whole_from_damaged(written: Path, key: SigningKey) -> None:
    run = CliRunner().invoke
    public = key.verify_key.encode().hex()
    whole = run(app, ["verify", str(written), "--key", public, "--anchor", f"35:{audit_root(written, 35).hex()}"])
    assert whole.exit_code == 0
    assert "events 40 verified, 10 of them after the newest signed head" in whole.output
    assert f"head   30:{audit_root(written, 30).hex()}" in whole.output
    assert "no key was given" in run(app, ["verify", str(written)]).output
    short = run(app, ["verify", str(written), "--key", public, "--at-least", str(TOTAL)])
    assert (short.exit_code, "but it had 40 before" in short.output) == (1, True)
    tamper(written, FIELDS["data"])
    damaged = run(app, ["verify", str(written), "--key", public])
    assert damaged.exit_code == 1
    assert "DAMAGE at position 17" in damaged.output


@pytest.mark.parametrize("extra", [["--key", "abc"], ["--anchor", "x:y"], ["--anchor", "0:00"]])
def test_the_command_refuses_bad_options(written: Path, extra: list[str]) -> None:
    assert CliRunner().invoke(app, ["verify", str(written), *extra]).exit_code == 2


def test_the_command_says_that_there_is_no_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["verify", str(tmp_path / "none.db")])
    assert result.exit_code == 2
    assert "no such file" in result.output


def test_a_file_of_another_kind_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database at all" * 500)
    assert CliRunner().invoke(app, ["verify", str(path)]).exit_code != 0
