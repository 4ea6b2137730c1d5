"""Signing in, sessions, one-time passwords, program tokens, on the real store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.people.model import Actor, Permission, Role
from controller.people.secret import Passwords
from controller.people.service import People
from controller.storage.sqlite.people import SqlitePeople
from shared.errors import (
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    PasswordExpired,
    SignInFailed,
    SignInRequired,
    TooManyAttempts,
)

PASSWORD = "correct horse battery"
HERE = "10.0.0.1"


class HandClock:
    def __init__(self) -> None:
        self.ms = 1_760_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlitePeople]:
    async with SqlitePeople(tmp_path / "people.db") as opened:
        yield opened


def new_people(store: SqlitePeople, clock: HandClock) -> People:
    return People(store, clock, passwords=Passwords(time_cost=1, memory_kib=64, parallelism=1))


@pytest.fixture
async def people(store: SqlitePeople, clock: HandClock) -> People:
    made = new_people(store, clock)
    await made.add_user("anna", PASSWORD, Role.OPERATOR, one_time=False)
    await made.add_user("ada", PASSWORD, Role.ADMIN, one_time=False)
    await made.start()
    return made


async def test_the_first_start_makes_an_admin_whose_password_opens_only_its_replacement(
    store: SqlitePeople, clock: HandClock
) -> None:
    people = new_people(store, clock)
    first = await people.start()
    assert first is not None
    token, session = await people.sign_in(first.name, first.password, HERE)
    with pytest.raises(PasswordExpired):
        people.actor(session.id)
    _, renewed = await people.change_password(session.id, first.password, PASSWORD)
    assert people.actor(renewed.id).may(Permission.ADMINISTER)
    assert people.session(token) is None
    assert await new_people(store, clock).start() is None


async def test_until_somebody_administers_every_start_answers_with_a_password_that_opens(
    store: SqlitePeople, clock: HandClock
) -> None:
    """A crash after the user was made and before anybody could read the password must lock nobody out."""
    lost = await new_people(store, clock).start()
    again = new_people(store, clock)
    anew = await again.start()
    assert lost is not None
    assert anew is not None
    assert anew.password != lost.password
    assert (await again.sign_in("admin", anew.password, HERE)).session.one_time
    with pytest.raises(SignInFailed):
        await again.sign_in("admin", lost.password, HERE)
    assert await new_people(store, clock).start(anew.password) == anew


async def test_a_reset_ends_every_session_and_gives_a_one_time_password(people: People) -> None:
    token, _ = await people.sign_in("anna", PASSWORD, HERE)
    password = await people.reset_password("anna")
    assert people.session(token) is None
    with pytest.raises(SignInFailed):
        await people.sign_in("anna", PASSWORD, HERE)
    _, session = await people.sign_in("anna", password, HERE)
    with pytest.raises(PasswordExpired):
        people.actor(session.id)
    with pytest.raises(NotFound, match="ada, anna"):
        await people.reset_password("nobody")


async def test_what_another_process_ends_is_ended_here_too(tmp_path: Path, people: People, clock: HandClock) -> None:
    ended: list[str] = []
    people.on_revoked(ended.append)
    token, session = await people.sign_in("anna", PASSWORD, HERE)
    kept, _ = await people.sign_in("ada", PASSWORD, HERE)
    await people.refresh()
    assert ended == []
    async with SqlitePeople(tmp_path / "people.db") as beside:
        await new_people(beside, clock).reset_password("anna")
    await people.refresh()
    assert ended == [session.id]
    assert people.session(token) is None
    assert people.session(kept) is not None


async def test_expired_sessions_are_forgotten(store: SqlitePeople, people: People, clock: HandClock) -> None:
    await people.sign_in("anna", PASSWORD, HERE)
    clock.ms += 12 * 3_600_000
    await people.sign_in("ada", PASSWORD, HERE)
    assert await people.drop_expired() == 1
    assert [session.user for session in await store.sessions()] == ["ada"]


async def test_a_session_outlives_a_restart_and_ends_after_twelve_hours(
    store: SqlitePeople, people: People, clock: HandClock
) -> None:
    token, session = await people.sign_in("anna", PASSWORD, HERE)
    again = new_people(store, clock)
    await again.start()
    assert again.session(token) == session
    clock.ms += 12 * 3_600_000
    assert again.session(token) is None
    with pytest.raises(SignInRequired):
        again.actor(session.id)


async def test_signing_out_tells_who_listens(people: People) -> None:
    ended: list[str] = []
    people.on_revoked(ended.append)
    token, session = await people.sign_in("anna", PASSWORD, HERE)
    await people.sign_out(session.id)
    assert ended == [session.id]
    assert people.session(token) is None


async def test_wrong_name_and_wrong_password_sound_alike(people: People) -> None:
    with pytest.raises(SignInFailed) as wrong:
        await people.sign_in("anna", "not the password", HERE)
    with pytest.raises(SignInFailed) as unknown:
        await people.sign_in("nobody", PASSWORD, HERE)
    assert wrong.value.detail == unknown.value.detail


async def test_five_failures_pause_the_door_for_five_minutes(people: People, clock: HandClock) -> None:
    for _ in range(5):
        with pytest.raises(SignInFailed):
            await people.sign_in("anna", "guess", HERE)
    with pytest.raises(TooManyAttempts, match=r"30[01] s"):
        await people.sign_in("anna", PASSWORD, "10.0.0.2")
    with pytest.raises(TooManyAttempts):
        await people.sign_in("ada", PASSWORD, HERE)
    clock.ms += 301_000
    assert await people.sign_in("anna", PASSWORD, HERE)


async def test_a_new_password_ends_the_other_sessions(people: People) -> None:
    elsewhere, _ = await people.sign_in("anna", PASSWORD, HERE)
    _, session = await people.sign_in("anna", PASSWORD, HERE)
    with pytest.raises(SignInFailed):
        await people.change_password(session.id, "wrong", "another long password")
    with pytest.raises(Malformed):
        await people.change_password(session.id, PASSWORD, PASSWORD)
    with pytest.raises(Malformed, match="12 to 200"):
        await people.change_password(session.id, PASSWORD, "short")
    await people.change_password(session.id, PASSWORD, "another long password")
    assert people.session(elsewhere) is None


async def test_removing_a_user_ends_the_sessions_but_the_last_admin_stays(people: People) -> None:
    token, _ = await people.sign_in("anna", PASSWORD, HERE)
    await people.remove_user("anna")
    assert people.session(token) is None
    with pytest.raises(Conflict, match="last administrator"):
        await people.remove_user("ada")
    with pytest.raises(NotFound):
        await people.remove_user("anna")


@pytest.mark.parametrize("name", ["", "Anna", "a b", "../x", "x" * 64])
async def test_names_are_plain(people: People, name: str) -> None:
    with pytest.raises(Malformed):
        await people.add_user(name, PASSWORD, Role.VIEWER)


async def test_a_name_is_taken_once(people: People) -> None:
    with pytest.raises(Conflict, match="exists"):
        await people.add_user("anna", PASSWORD, Role.VIEWER)


async def test_program_tokens_are_kept_as_hashes_and_never_administer(
    people: People, store: SqlitePeople, clock: HandClock
) -> None:
    admin = Actor(name="ada", permissions=Role.ADMIN.permissions, key="k")
    secret, token = await people.issue_token("scada", Permission.OPERATE, admin)
    assert secret not in str(await store.tokens())
    again = new_people(store, clock)
    await again.start()
    actor = again.program(secret)
    assert actor.may(Permission.OPERATE)
    assert not actor.may(Permission.ADMINISTER)
    assert (actor.program, actor.created_by) == (True, "ada")
    with pytest.raises(Malformed):
        await people.issue_token("root", Permission.ADMINISTER, admin)
    with pytest.raises(Conflict):
        await people.issue_token("scada", Permission.VIEW, admin)
    await people.revoke_token(token.id)
    with pytest.raises(SignInRequired):
        people.program(secret)
    with pytest.raises(NotFound):
        await people.revoke_token(token.id)


def test_roles_hold_what_they_say() -> None:
    viewer = Actor(name="vera", permissions=Role.VIEWER.permissions, key="k")
    viewer.require(Permission.VIEW)
    with pytest.raises(Forbidden, match="may not operate"):
        viewer.require(Permission.OPERATE)
