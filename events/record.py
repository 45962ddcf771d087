"""What the log keeps of one event: its place, id, time, author and content, and the checksum over them."""

import os
import random
import struct
import time
from zlib import crc32

import msgspec

from .catalog import Event
from .codec import Kind


class New(msgspec.Struct, frozen=True):
    """An event to append to a stream.

    `expected` is the version the stream must be at before this write (all that is appended together), None for any.
    """

    stream: str
    event: Event
    expected: int | None = None


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An event in the log. `time` is in ms since 1970 UTC; `id`, `host` and `action` are 16 bytes each."""

    position: int
    stream: str
    version: int
    time: int
    id: bytes
    host: bytes
    actor: str
    action: bytes
    event: Event


# Unique, not secret: asking the system for each id costs a fifth of an append.
_random = random.Random(os.urandom(32))  # noqa: S311


def new_id(time_ms: int) -> bytes:
    """Make a globally unique, time-ordered id of 16 bytes (UUID version 7, RFC 9562 section 5.7)."""
    bits = _random.getrandbits(74)
    number = time_ms << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0b10 << 62 | (bits & (1 << 62) - 1)
    return number.to_bytes(16, "big")


def now_ms() -> int:
    """Give the wall clock in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


pack_numbers = struct.Struct("<qqq").pack


def bytes_of_kind(kind: Kind) -> bytes:
    """Give an event's name and form as the checksums cover them."""
    return f"{kind[0]} {kind[1]}".encode()


def checksum_of(  # `LogReader.read` has the same written out
    before: int,
    position: int,
    stream: str,
    version: int,
    kind: bytes,
    time_ms: int,
    id_: bytes,
    host: bytes,
    actor: str,
    action: bytes,
    body: bytes,
) -> int:
    """Give the checksum of an event, over that of the event before it."""
    parts = pack_numbers(position, version, time_ms), id_, host, action, kind, stream.encode(), actor.encode(), body
    return crc32(b"\0".join(parts), before)
