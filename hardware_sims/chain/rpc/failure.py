"""Errors as JSON-RPC carries them."""

from enum import IntEnum

from shared.errors import RequestError


class Code(IntEnum):
    """Bitcoin Core's numbers (src/rpc/protocol.h)."""

    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    PARSE_ERROR = -32700
    MISC = -1
    TYPE = -3
    INVALID_ADDRESS_OR_KEY = -5
    INVALID_PARAMETER = -8
    DATABASE = -20
    DESERIALIZATION = -22
    VERIFY = -25
    VERIFY_REJECTED = -26
    ALREADY_IN_UTXO_SET = -27


class RpcFailure(RequestError):
    code = "chain.rpc-failure"

    def __init__(self, number: Code, message: str) -> None:
        super().__init__(message)
        self.number = number
