"""A new one-time password for somebody who is locked out, given by whoever may write the controller's files."""

import os
import pwd
from pathlib import Path

import msgspec

from controller import first_sign_in
from controller.journal import Journal
from controller.people.model import Role
from controller.people.service import FirstAdmin, People
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.people import SqlitePeople
from shared.clock import SystemClock
from shared.errors import NotFound

STREAM = "people"


class PasswordResetRequested(msgspec.Struct, frozen=True):
    """Written before the password is changed, so that no reset is without its event."""

    name: str


async def reset_password(folder: Path, name: str) -> str:
    """The new password; works beside a running controller, which ends the user's sessions within seconds."""
    for file in ("people.db", "journal.db"):
        if not (folder / file).is_file():
            raise NotFound(f"{folder / file}: no such file; a controller has never run with these settings")
    clock = SystemClock()
    async with SqlitePeople(folder / "people.db") as store, SqliteJournal(folder / "journal.db") as journal_file:
        if await store.user(name) is not None:
            fact = PasswordResetRequested(name)
            await Journal(journal_file, clock).note({STREAM: fact}, _actor())
        password = await People(store, clock).reset_password(name)
        if all(user.one_time for user in await store.users() if user.role is Role.ADMIN):
            first_sign_in.leave(folder, FirstAdmin(name, password))
    return password


def _actor() -> str:
    """Who typed it, as far as the machine tells."""
    user_id = int(os.environ.get("SUDO_UID", os.getuid()))
    try:
        who = pwd.getpwuid(user_id).pw_name
    except KeyError:
        who = f"user {user_id}"
    return f"{who} on this machine"
