"""The answers kept under clients' idempotency keys: how a row is read, and the checksum that seals it."""

import struct
from typing import Any
from zlib import crc32

from .record import pack_numbers

ANSWERS = "SELECT key, time, request, position, reply FROM commands"


def seal_of(key: str, time_ms: int, request: bytes, position: int, reply: bytes) -> bytes:
    """Give the checksum of an answer, kept behind its reply."""
    parts = pack_numbers(time_ms, position, len(request)), key.encode(), request, reply
    return crc32(b"\0".join(parts)).to_bytes(4, "big")


def is_sound(row: Any) -> bool:
    """Tell whether a row of `ANSWERS` is what was written."""
    key, time_ms, request, position, sealed = row
    try:
        return seal_of(key, time_ms, request, position, sealed[:-4]) == sealed[-4:]
    except (AttributeError, TypeError, struct.error):  # a column has another type
        return False
