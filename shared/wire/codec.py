"""Bytes to messages and back: MessagePack arrays, zstd for bodies, bounded, strict.

A message starts with its schema version. Fields that a newer sender appended are ignored; a version that we do not
know is refused, because its fields may mean something else.
"""

from typing import Any, TypeVar

import msgspec
import zstandard

from shared.errors import DecodeFailed, VersionUnsupported
from shared.wire.version import WIRE_VERSION

MAX_MESSAGE_BYTES = 1 << 20
MAX_BODY_BYTES = 16 << 20

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def encode(message: msgspec.Struct) -> bytes:
    return _encoder.encode(message)


def decode(raw: bytes, kind: type[T]) -> T:
    """Strict typed decode; DecodeFailed says where the bytes do not fit."""
    if len(raw) > MAX_BODY_BYTES:
        raise DecodeFailed(f"{kind.__name__}: {len(raw)} bytes are more than {MAX_BODY_BYTES}")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders.setdefault(kind, msgspec.msgpack.Decoder(kind))
    try:
        message: T = decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeFailed(f"{kind.__name__}: {error}") from error
    version = getattr(message, "version", WIRE_VERSION)
    if not 1 <= version <= WIRE_VERSION:
        raise VersionUnsupported(f"{kind.__name__} of version {version}; this program speaks 1 to {WIRE_VERSION}")
    return message


def pack(message: msgspec.Struct) -> bytes:
    """Encode and compress: the body of a record."""
    return zstandard.ZstdCompressor(level=3).compress(_encoder.encode(message))


def unpack(body: bytes, kind: type[T]) -> T:
    """Decompress within MAX_BODY_BYTES and decode."""
    try:
        # zstandard heeds `max_output_size` only where the frame does not announce its size.
        if zstandard.frame_content_size(body) > MAX_BODY_BYTES:
            raise DecodeFailed(f"{kind.__name__}: would unpack to more than {MAX_BODY_BYTES} bytes")
        raw = zstandard.ZstdDecompressor().decompress(body, max_output_size=MAX_BODY_BYTES)
    except zstandard.ZstdError as error:
        raise DecodeFailed(f"{kind.__name__}: {error}") from error
    return decode(raw, kind)
