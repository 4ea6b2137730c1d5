"""Users, roles, sessions, tokens."""

from enum import StrEnum

import msgspec

from shared.errors import Forbidden

SESSION_HOURS = 12


class Permission(StrEnum):
    VIEW = "view"
    OPERATE = "operate"
    ADMINISTER = "administer"
    SPEND = "spend"  # propose payments; approvals are signed by keys, whoever sends them


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    TREASURER = "treasurer"
    ADMIN = "admin"

    @property
    def permissions(self) -> frozenset[Permission]:
        return _PERMISSIONS[self]


_PERMISSIONS = {
    Role.VIEWER: frozenset({Permission.VIEW}),
    Role.OPERATOR: frozenset({Permission.VIEW, Permission.OPERATE}),
    Role.TREASURER: frozenset({Permission.VIEW, Permission.SPEND}),
    Role.ADMIN: frozenset(Permission),
}


class User(msgspec.Struct, frozen=True, kw_only=True):
    """`one_time` marks a password that opens only the page where it is replaced."""

    name: str
    role: Role
    password_hash: str
    one_time: bool
    created_at_ms: int


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in browser. `id` is the SHA-256 of its token: what is stored opens nothing."""

    id: str
    user: str
    role: Role
    one_time: bool
    created_at_ms: int
    expires_at_ms: int


class ProgramToken(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer token for a program; `id` is the SHA-256 of the token, `scope` the most it may do."""

    id: str
    name: str
    scope: Permission
    created_by: str
    created_at_ms: int


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, on whose authority; what every consequential call is given. `key` is the session's or token's id,
    `created_by` whoever made the token.
    """

    name: str
    permissions: frozenset[Permission]
    key: str
    program: bool = False
    created_by: str = ""

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        if not self.may(permission):
            raise Forbidden(f"{self.name} may not {permission.value}; ask an administrator for the role")


def actor_of_session(session: Session) -> Actor:
    return Actor(name=session.user, permissions=session.role.permissions, key=session.id)


def actor_of_token(token: ProgramToken) -> Actor:
    granted = {Permission.VIEW, token.scope} & {Permission.VIEW, Permission.OPERATE}
    return Actor(
        name=f"program {token.name}",
        permissions=frozenset(granted),
        key=token.id,
        program=True,
        created_by=token.created_by,
    )
