"""The file that `backup` writes and `restore` reads: a plain tar, which any program can list and unpack.

Unpacked it is a data folder: `log.db`, `host`, and the pictures below `images/`. Its last member is
`manifest.json`: what the backup is of, and name, size and SHA-256 of every member, one to a line, in the order of
the archive, and at its end the SHA-256 of all of it before. So both sides work through the file once, and hold no
more than a block of it in memory.
"""

import ctypes
import hashlib
import json
import os
import re
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import BufferedReader, BufferedWriter
from typing import BinaryIO

import msgspec

from .hashing import NotRegular, named, open_regular

FORMAT = 1
LOG, HOST, MANIFEST = "log.db", "host", "manifest.json"
ABOUT = (
    "A backup of a Hikaze library: its log and its pictures. Bring it back with `hikazed restore FILE`, or unpack it"
    " into an empty folder: that is a data folder then."
)
MEMBER = re.compile(
    r"log\.db|host|manifest\.json"
    r"|images/([0-9a-f]{2})/\1[0-9a-f]{62}_[0-9]{1,8}_(?:high|medium|low)\.webp"
    r"|images/removed/[0-9a-f]{64}_[0-9]{1,8}_(?:high|medium|low)\.webp"
    r"|images/pending/[0-9]{1,18}\.[a-z]{1,5}"
)
"""Every name that a member may have; nothing else is taken from an archive, wherever it comes from."""

_BLOCK = 512  # POSIX ustar: a header is one block, a member's bytes fill whole ones
_CHUNK = 1 << 20

Progress = Callable[[int], None]
"""Called with the number of bytes that are done."""


class BadBackup(Exception):
    """A file is no backup, or not whole; the message is one sentence."""


class MemberUnreadable(Exception):
    """A file could not be read to its end, and is not in the archive; what was written of it is taken back."""


class Head(msgspec.Struct, frozen=True):
    """What a backup is of. `made_at` is in ms since 1970 UTC, `log_id` 32 hexadecimal digits."""

    about: str
    format: int
    hikaze: str
    made_at: int
    log_id: str
    position: int
    checksum: int


class Writer:
    """Writes an archive, member by member, and `manifest.json` at the end."""

    def __init__(self, file: BufferedWriter, manifest: BinaryIO, head: Head) -> None:
        """Write to a file that can be sought in; the manifest grows in a file of its own meanwhile.

        Both belong to the caller.
        """
        self._file = file
        self._manifest = manifest
        self._between = b'"members":[\n'
        manifest.write(msgspec.json.encode(head)[:-1] + b",")

    def add(self, name: str, source: BinaryIO) -> None:
        """Add a file under a name. Raises `MemberUnreadable` where it cannot be read, `OSError` where not written."""
        digest = self._append(name, source)
        size = os.fstat(source.fileno()).st_size
        self._manifest.write(self._between + _line(name, size, digest))
        self._between = b",\n"

    def finish(self, missing: Sequence[str]) -> None:
        """Add the manifest, with the names of what should have been here and was not, and end the archive."""
        self._manifest.write(b'\n],"missing":' + json.dumps(list(missing)).encode())
        size = self._manifest.tell()
        self._manifest.seek(0)
        self._manifest.write(_seal(self._manifest, size))
        self._manifest.seek(0)
        self._append(MANIFEST, self._manifest)
        self._file.write(bytes(2 * _BLOCK))

    def _append(self, name: str, source: BinaryIO) -> str:
        start = self._file.tell()
        status = os.fstat(source.fileno())
        self._file.write(_header(name, status))
        try:
            digest = self._copy(name, source, status.st_size)
        except MemberUnreadable:
            self._file.seek(start)
            self._file.truncate()
            raise
        self._file.write(bytes(-status.st_size % _BLOCK))
        return digest

    def _copy(self, name: str, source: BinaryIO, size: int) -> str:
        hashed, done = hashlib.sha256(), 0
        while block := _read(source, name):
            hashed.update(block)
            done += len(block)
            self._file.write(block)
        if done != size:
            raise MemberUnreadable(f"{name} changed while it was read")
        return hashed.hexdigest()


def _read(source: BinaryIO, name: str) -> bytes:
    try:
        return source.read(_CHUNK)
    except OSError as error:
        raise MemberUnreadable(f"{name} cannot be read ({error.strerror})") from error


def _header(name: str, status: os.stat_result) -> bytes:
    assert MEMBER.fullmatch(name)
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = status.st_size, int(status.st_mtime), 0o600
    header = member.tobuf(tarfile.GNU_FORMAT)  # unlike POSIX's own it can say sizes from 8 GiB on in one block
    assert len(header) == _BLOCK  # `MEMBER` lets no name be longer than the 100 bytes there are
    return header


def _seal(manifest: BinaryIO, size: int) -> bytes:
    """Give the end of a manifest whose first `size` bytes are read from where it stands."""
    hashed = hashlib.sha256()
    while size and (block := manifest.read(min(size, _CHUNK))):
        hashed.update(block)
        size -= len(block)
    return f',"sha256":"{hashed.hexdigest()}"}}\n'.encode()


_SEAL_BYTES = len(',"sha256":""}\n') + 64


def _line(name: str, size: int, digest: str) -> bytes:
    return f'["{name}",{size},"{digest}"]'.encode()


# Reading ----------------------------------------------------------------------------------------------


def begins_like_a_backup(path: str) -> bool:
    """Tell by its first bytes whether a file may be a backup. Raises `OSError`."""
    with open(path, "rb") as file:
        try:
            member = tarfile.TarInfo.frombuf(file.read(_BLOCK), "ascii", "strict")
        except (tarfile.TarError, UnicodeDecodeError):
            return False
    return member.isreg() and member.name == LOG


def unpack(path: str, folder: str, progress: Progress = lambda _done: None) -> tuple[Head, list[str]]:
    """Unpack a backup into an empty folder, durably, verifying every byte: what it is of, and the names it lacks.

    Raises `BadBackup` where it is not exactly what `Writer` wrote, and `OSError` where the disk refuses; what
    lies in the folder then is the caller's to remove.
    """
    os.makedirs(os.path.join(folder, "images"), 0o700)
    listing = os.path.join(folder, "listing")
    try:
        with _opened(path) as file, open(listing, "w+b", opener=_private) as listed:
            _unpack_members(path, file, folder, listed, progress)
            listed.seek(0)
            with open(os.path.join(folder, MANIFEST), "rb") as manifest:
                found = _compared(path, manifest, listed)
        _sync_all(folder)
        return found
    finally:
        with suppress(FileNotFoundError):
            os.remove(listing)


def _opened(path: str) -> BufferedReader:
    try:
        return BufferedReader(open_regular(path), _CHUNK)
    except FileNotFoundError as error:
        raise BadBackup(f"there is no file {named(path)}; name the backup to restore") from error
    except NotRegular as error:
        raise BadBackup(f"{named(path)} is no backup but a folder or a device; name the file of a backup") from error


def _unpack_members(path: str, file: BufferedReader, folder: str, listed: BinaryIO, progress: Progress) -> None:
    between = b""
    for name, size in _members(path, file):
        digest = _unpack_one(path, file, os.path.join(folder, *name.split("/")), size)
        progress(file.tell())
        if name == MANIFEST:
            break
        listed.write(between + _line(name, size, digest))
        between = b",\n"
    else:
        raise BadBackup(f"{named(path)} is not whole, its end is missing; use another copy of it, or another backup")
    if any(iter(lambda: file.read(_CHUNK).strip(b"\0"), b"")):
        raise BadBackup(f"{named(path)} has something behind its end that is not ours; use another copy of it")


def _members(path: str, file: BufferedReader) -> Iterator[tuple[str, int]]:
    """Give name and size of each member; whoever asks for the next has read the bytes of the last."""
    first = True
    while len(block := file.read(_BLOCK)) == _BLOCK and any(block):
        try:
            member = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.TarError, UnicodeDecodeError) as error:
            raise _no_backup(path, first) from error
        if first and member.name != LOG:
            raise _no_backup(path, first)
        if not (member.type == tarfile.REGTYPE and member.size >= 0 and MEMBER.fullmatch(member.name)):
            raise BadBackup(f"{named(path)} holds {member.name!r}, which no backup of ours does; nothing was changed")
        first = False
        yield member.name, member.size
    if first:
        raise _no_backup(path, first)


def _no_backup(path: str, first: bool) -> BadBackup:
    if first:
        return BadBackup(f"{named(path)} is no backup of Hikaze; name the file that `hikazed backup` wrote")
    return _damaged(path)


def _damaged(path: str) -> BadBackup:
    return BadBackup(f"{named(path)} is damaged; use another copy of it, or another backup")


def _unpack_one(path: str, file: BufferedReader, target: str, size: int) -> str:
    if os.fstat(file.fileno()).st_size - file.tell() < size:
        raise BadBackup(f"{named(path)} is not whole, its end is missing; use another copy of it, or another backup")
    os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
    if os.path.lexists(target):
        raise BadBackup(f"{named(path)} holds the same name twice; use another copy of it")
    hashed, left = hashlib.sha256(), size
    with open(target, "xb", opener=_private) as written:
        while left:
            block = file.read(min(left, _CHUNK))
            if not block:
                raise _damaged(path)
            hashed.update(block)
            written.write(block)
            left -= len(block)
        _onto_the_disk(written)
    if any(file.read(-size % _BLOCK)):
        raise _damaged(path)
    return hashed.hexdigest()


def _onto_the_disk(file: BinaryIO) -> None:
    """Make a file's bytes durable; on Linux `_sync_all` does it for all of them at once."""
    if sys.platform != "linux":
        file.flush()
        os.fsync(file.fileno())


def _sync_all(folder: str) -> None:
    """Make everything on a folder's file system durable: syncfs(2), which has no name in Python."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), folder)
    finally:
        os.close(fd)


def _compared(path: str, manifest: BinaryIO, listed: BinaryIO) -> tuple[Head, list[str]]:
    """Hold what was read to the manifest: its list must be, byte for byte, the list of what was read."""
    head = _head(path, manifest.readline(_CHUNK))
    size = manifest.seek(-_SEAL_BYTES, os.SEEK_END) if os.fstat(manifest.fileno()).st_size > _SEAL_BYTES else 0
    manifest.seek(0)
    if _seal(manifest, size) != manifest.read():
        raise _damaged(path)
    manifest.seek(0)
    manifest.readline(_CHUNK)
    while expected := listed.read(_CHUNK):
        if manifest.read(len(expected)) != expected:
            raise _damaged(path)
    try:
        return head, msgspec.json.decode(b'{"members":[' + manifest.read(), type=_Tail).missing
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _damaged(path) from error


def _head(path: str, line: bytes) -> Head:
    try:
        head = msgspec.json.decode(line + b"]}", type=Head)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _damaged(path) from error
    if head.format != FORMAT:
        raise BadBackup(f"{named(path)} was written by a newer Hikaze ({head.hikaze}); update this one, then restore")
    return head


class _Tail(msgspec.Struct):
    members: tuple[()]
    missing: list[str]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
