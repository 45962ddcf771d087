"""What the daemon and its processes for far file systems say to each other: length-prefixed messages on a socket.

Pickled, because paths hold undecodable bytes as lone surrogates, which JSON and MessagePack refuse; both ends are
the same program, started by the same user, and nobody else has an end of the socket.
"""

import io
import pickle
import struct
from typing import Any, NamedTuple

from ..watch import Hint

_LENGTH = struct.Struct("!I")
LENGTH_BYTES = _LENGTH.size


class Order(NamedTuple):
    """Something to be done; `number` 0 expects no answer."""

    number: int
    name: str
    args: tuple[Any, ...]


class Beat(NamedTuple):
    """An order is being worked on, and gets on."""

    number: int


class Done(NamedTuple):
    """What came of an order."""

    number: int
    value: Any


class Refused(NamedTuple):
    """An order ended with an error."""

    number: int
    error: Exception


class Told(NamedTuple):
    """What the watcher hints at."""

    hint: Hint


Message = Order | Beat | Done | Refused | Told


def packed(message: Message) -> bytes:
    """Give a message as it is sent."""
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(content)) + content


def length_of(prefix: bytes) -> int:
    """Give how many bytes follow a prefix of `LENGTH_BYTES`."""
    return _LENGTH.unpack(prefix)[0]


def unpacked(content: bytes) -> Message:
    """Give back a message less its prefix."""
    return pickle.loads(content)  # noqa: S301 - it comes from our own process, see above


def read(source: io.BufferedReader) -> Message | None:
    """Wait for a message; None when the other side is gone."""
    try:
        prefix = source.read(LENGTH_BYTES)
        if len(prefix) < LENGTH_BYTES:
            return None
        content = source.read(length := length_of(prefix))
    except ConnectionError:  # it went with something of ours unread
        return None
    return unpacked(content) if len(content) == length else None
