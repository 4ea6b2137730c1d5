"""Sign in, sign out, change a password, keep users and tokens."""

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from controller.people.model import (
    SESSION_HOURS,
    Actor,
    Permission,
    ProgramToken,
    Role,
    Session,
    User,
    actor_of_session,
    actor_of_token,
)
from controller.people.ports import PeopleStore
from controller.people.secret import PROGRAM_MARK, Passwords, new_token, one_time_password, token_id
from controller.people.throttle import Throttle
from shared.clock import Clock
from shared.errors import Conflict, Malformed, NotFound, PasswordExpired, SignInFailed, SignInRequired
from shared.log import get_logger

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_log = get_logger("people")


class FirstAdmin(NamedTuple):
    """Who is to sign in while nobody administers yet; the one-time password is kept only as a hash."""

    name: str
    password: str


class SignedIn(NamedTuple):
    token: str
    session: Session


class People:
    """One instance a controller. `start` before anything else."""

    def __init__(self, store: PeopleStore, clock: Clock, *, passwords: Passwords | None = None) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords or Passwords()
        self._throttle = Throttle(clock)
        self._sessions: dict[str, Session] = {}
        self._tokens: dict[str, ProgramToken] = {}
        self._on_revoked: list[Callable[[str], None]] = []

    async def start(self, left: str = "") -> FirstAdmin | None:
        """Load what is kept. Without any user, make `admin`.

        None once an administrator has a password of their own. Until then the answer has the one-time password: that
        which an earlier start has `left` where it still opens the door, else a new one.
        """
        self._sessions = {session.id: session for session in await self._store.sessions()}
        await self.drop_expired()
        self._tokens = {token.id: token for token in await self._store.tokens()}
        users = await self._store.users()
        if not users:
            password = one_time_password()
            return FirstAdmin((await self.add_user("admin", password, Role.ADMIN)).name, password)
        admins = [user for user in users if user.role is Role.ADMIN]
        if not admins or not all(admin.one_time for admin in admins):
            return None
        first = admins[0]
        if await self._passwords.verify(first.password_hash, left):
            return FirstAdmin(first.name, left)
        return FirstAdmin(first.name, await self.reset_password(first.name))

    async def drop_expired(self) -> int:
        """Forget sessions whose time is over; how many."""
        now_ms = self._clock.now_ms()
        expired = tuple(session.id for session in self._sessions.values() if session.expires_at_ms <= now_ms)
        await self._revoke(expired)
        return len(expired)

    async def refresh(self) -> None:
        """End the sessions that another process has ended, such as a password reset on this machine."""
        held = tuple(self._sessions)
        if await self._store.changed_elsewhere():
            kept = {session.id for session in await self._store.sessions()}
            await self._revoke(tuple(session_id for session_id in held if session_id not in kept))

    def on_revoked(self, callback: Callable[[str], None]) -> None:
        """Called with the id of every session that ends, so that its sockets can be closed."""
        self._on_revoked.append(callback)

    # Who is it?

    def session(self, token: str) -> Session | None:
        """The live session of a browser's token, from memory."""
        return self.session_by_id(token_id(token)) if token else None

    def session_by_id(self, session_id: str) -> Session | None:
        session = self._sessions.get(session_id)
        if session is None or session.expires_at_ms <= self._clock.now_ms():
            return None
        return session

    def actor(self, session_id: str) -> Actor:
        """For every handler that acts: raises where the session has ended or still has its one-time password."""
        session = self.session_by_id(session_id)
        if session is None:
            raise SignInRequired("the session has ended; sign in again")
        if session.one_time:
            raise PasswordExpired("replace the one-time password first, at /login/password")
        return actor_of_session(session)

    def program(self, token: str) -> Actor:
        known = self._tokens.get(token_id(token))
        if known is None:
            raise SignInRequired("the bearer token is not known; ask an administrator for a new one")
        return actor_of_token(known)

    # Signing in and out

    async def sign_in(self, name: str, password: str, address: str) -> SignedIn:
        """Raises SignInFailed without saying which of both was wrong, TooManyAttempts after five failures."""
        subjects = (f"name {name[:64]}", f"address {address}")
        self._throttle.check(*subjects)
        user = await self._store.user(name)
        if not await self._passwords.verify(user.password_hash if user else None, password) or user is None:
            self._throttle.failed(*subjects)
            _log.warning("sign-in failed", name=name[:64], address=address)
            raise SignInFailed("name or password is wrong")
        self._throttle.succeeded(*subjects)
        return await self._open_session(user)

    async def sign_out(self, session_id: str) -> None:
        await self._revoke((session_id,))

    async def change_password(self, session_id: str, current: str, new: str) -> SignedIn:
        """Ends every session of the user and opens a new one."""
        session = self.session_by_id(session_id)
        user = await self._store.user(session.user) if session else None
        if session is None or user is None:
            raise SignInRequired("the session has ended; sign in again")
        subject = f"name {user.name}"
        self._throttle.check(subject)
        if not await self._passwords.verify(user.password_hash, current):
            self._throttle.failed(subject)
            raise SignInFailed("the present password is wrong")
        if current == new:
            raise Malformed("the new password is the old one; choose another")
        changed = msgspec.structs.replace(user, password_hash=await self._passwords.hash(new), one_time=False)
        await self._store.replace_user(changed)
        await self._revoke(self._sessions_of(user.name))
        return await self._open_session(changed)

    # Users and programs

    async def users(self) -> tuple[User, ...]:
        return await self._store.users()

    async def add_user(self, name: str, password: str, role: Role, *, one_time: bool = True) -> User:
        """A person whose password must be replaced at the first sign-in, unless `one_time` is false."""
        if not _NAME.fullmatch(name):
            raise Malformed(f"user name {name!r}: use a-z, 0-9, dot, hyphen and underscore")
        user = User(
            name=name,
            role=role,
            password_hash=await self._passwords.hash(password),
            one_time=one_time,
            created_at_ms=self._clock.now_ms(),
        )
        await self._store.add_user(user)
        _log.info("user added", name=name, role=role.value)
        return user

    async def reset_password(self, name: str) -> str:
        """Give a user a new one-time password and end every session of theirs; NotFound where there is none."""
        user = await self._store.user(name)
        if user is None:
            known = ", ".join(user.name for user in await self._store.users())
            raise NotFound(f"no user {name!r}; there are: {known or 'none yet'}")
        password = one_time_password()
        hashed = await self._passwords.hash(password)
        await self._store.replace_user(msgspec.structs.replace(user, password_hash=hashed, one_time=True))
        await self._revoke(tuple(session.id for session in await self._store.sessions() if session.user == name))
        _log.info("password reset", name=name)
        return password

    async def remove_user(self, name: str) -> None:
        """Ends the user's sessions at once. The last administrator stays."""
        users = {user.name: user for user in await self._store.users()}
        if name not in users:
            raise NotFound(f"no user {name!r}")
        admins = [user.name for user in users.values() if user.role is Role.ADMIN]
        if admins == [name]:
            raise Conflict(f"{name} is the last administrator; make another one first")
        await self._store.remove_user(name)
        await self._revoke(self._sessions_of(name))

    def tokens(self) -> tuple[ProgramToken, ...]:
        return tuple(self._tokens.values())

    async def issue_token(self, name: str, scope: Permission, actor: Actor) -> tuple[str, ProgramToken]:
        """The token is returned once and kept only as a hash."""
        if scope is Permission.ADMINISTER:
            raise Malformed("a program's token may view or operate, not administer")
        if not _NAME.fullmatch(name):
            raise Malformed(f"token name {name!r}: use a-z, 0-9, dot, hyphen and underscore")
        secret, known_by = new_token(PROGRAM_MARK)
        token = ProgramToken(
            id=known_by, name=name, scope=scope, created_by=actor.name, created_at_ms=self._clock.now_ms()
        )
        await self._store.add_token(token)
        self._tokens[token.id] = token
        return secret, token

    async def revoke_token(self, token_id: str) -> None:
        if token_id not in self._tokens:
            raise NotFound("no such token")
        await self._store.remove_token(token_id)
        del self._tokens[token_id]

    async def _open_session(self, user: User) -> SignedIn:
        token, session_id = new_token()
        now_ms = self._clock.now_ms()
        session = Session(
            id=session_id,
            user=user.name,
            role=user.role,
            one_time=user.one_time,
            created_at_ms=now_ms,
            expires_at_ms=now_ms + SESSION_HOURS * 3_600_000,
        )
        await self._store.add_session(session)
        self._sessions[session.id] = session
        return SignedIn(token, session)

    def _sessions_of(self, name: str) -> tuple[str, ...]:
        return tuple(session.id for session in self._sessions.values() if session.user == name)

    async def _revoke(self, ids: tuple[str, ...]) -> None:
        for session_id in ids:
            self._sessions.pop(session_id, None)
        await self._store.remove_sessions(ids)
        for session_id in ids:
            for callback in self._on_revoked:
                callback(session_id)
