"""Nobody is locked out: not by a restart, not by a crash, not by a forgotten password."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from controller.first_sign_in import FILE, begin
from controller.journal import Journal
from controller.people.model import Role
from controller.people.secret import Passwords
from controller.people.service import People
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.people import SqlitePeople
from shared.clock import SystemClock
from shared.errors import SignInFailed

BES = (sys.executable, "-c", "import sys; from shared.cli import main; sys.exit(main())")
OWN = "correct horse battery"


@pytest.fixture
async def store(tmp_path: Path):
    async with SqlitePeople(tmp_path / "people.db") as opened:
        yield opened


def people_on(store: SqlitePeople) -> People:
    return People(store, SystemClock(), passwords=Passwords(time_cost=1, memory_kib=64, parallelism=1))


async def started(folder: Path, store: SqlitePeople) -> tuple[People, str]:
    """A start of the controller, and what its file says then."""
    people = people_on(store)
    await begin(folder, people)
    file = folder / FILE
    return people, file.read_text().strip() if file.exists() else ""


async def test_a_restart_before_anybody_signed_in_leaves_the_password_as_it_is(tmp_path, store):
    _, first = await started(tmp_path, store)
    people, second = await started(tmp_path, store)
    assert first == second
    assert await people.sign_in("admin", second, "here")
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text("cut of")])
async def test_a_file_that_was_lost_is_written_again_with_a_password_that_opens(tmp_path, store, damage):
    _, first = await started(tmp_path, store)
    damage(tmp_path / FILE)
    people, second = await started(tmp_path, store)
    assert second not in ("", first)
    assert await people.sign_in("admin", second, "here")


async def test_signing_in_alone_does_not_take_the_file_away(tmp_path, store):
    people, first = await started(tmp_path, store)
    await people.sign_in("admin", first, "here")
    assert (await started(tmp_path, store))[1] == first


async def test_the_file_goes_once_an_administrator_has_a_password_of_their_own(tmp_path, store):
    people, first = await started(tmp_path, store)
    _, session = await people.sign_in("admin", first, "here")
    await people.change_password(session.id, first, OWN)
    await people.add_user("bob", "a password for once", Role.ADMIN)
    people, text = await started(tmp_path, store)
    assert text == ""
    assert await people.sign_in("admin", OWN, "here")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "controller.toml"
    file.write_text(f'state_directory = "{tmp_path}"\nsites = ["north"]\n')
    return file


def reset(config: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = [*BES, "controller", "-c", str(config), "reset-password", name]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


async def test_a_forgotten_password_is_reset_on_the_machine_and_the_journal_knows(tmp_path, store, config):
    people, first = await started(tmp_path, store)
    _, session = await people.sign_in("admin", first, "here")
    token, _ = await people.change_password(session.id, first, OWN)
    async with SqliteJournal(tmp_path / "journal.db") as journal_file:  # the controller runs
        done = reset(config, "admin")
        assert done.returncode == 0, done.stderr
        (event,) = await Journal(journal_file, SystemClock()).stream("people")
    assert (event.name, event.data) == ("PasswordResetRequested", b'{"name":"admin"}')
    assert event.actor.endswith("on this machine")
    await people.refresh()
    assert people.session(token) is None
    with pytest.raises(SignInFailed):
        await people.sign_in("admin", OWN, "here")
    password = done.stdout.strip()
    assert (await people.sign_in("admin", password, "here")).session.one_time
    assert (await started(tmp_path, store))[1] == password


async def test_a_reset_of_somebody_unknown_changes_nothing_and_names_who_there_is(tmp_path, store, config):
    await started(tmp_path, store)
    async with SqliteJournal(tmp_path / "journal.db") as journal_file:
        done = reset(config, "root")
        assert await Journal(journal_file, SystemClock()).stream("people") == []
    assert done.returncode == 1
    assert "no user 'root'; there are: admin" in done.stderr


async def test_a_password_of_another_administrator_is_not_left_in_a_file(tmp_path, store, config):
    people, first = await started(tmp_path, store)
    _, session = await people.sign_in("admin", first, "here")
    await people.change_password(session.id, first, OWN)
    await people.add_user("bob", OWN, Role.ADMIN, one_time=False)
    await started(tmp_path, store)
    async with SqliteJournal(tmp_path / "journal.db"):
        assert reset(config, "bob").returncode == 0
    assert not (tmp_path / FILE).exists()


def test_a_reset_where_no_controller_has_run_says_so(config):
    done = reset(config, "admin")
    assert done.returncode == 1
    assert "a controller has never run with these settings" in done.stderr
