"""The login of a miner, shown by nothing that prints."""

import msgspec


class Credentials(msgspec.Struct, frozen=True):
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, •••)"
