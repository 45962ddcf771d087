"""One daemon per data folder: its folders, lock and secrets, and the file that tells others where it is."""

import contextlib
import os
import re
import secrets
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

import msgspec

from ..events.pathtext import shown, to_path, to_text

LOCK_FILE = "lock"
SECRETS_FILE = "secrets.json"
ANNOUNCEMENT_FILE = "daemon.json"
# `trash` is not among them: the first file that goes there makes it.
FOLDERS = ("", "images", "images/pending", "images/tmp", "pending")

_MOST_BYTES = 64 * 1024  # our own small files; anything longer is not ours
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # 32 bytes as token_urlsafe writes them
_LOCKED_BYTE = 1 << 30  # Windows locks are mandatory: lock far behind the pid, which others must read


class InstanceError(Exception):
    """The data folder cannot be used as it is; the message says what to do.

    InstanceError
    |-- AlreadyRunning       another daemon has this data folder
    |-- BadDataFolder        it cannot be made, read or locked
    `-- BadFile              secrets.json or daemon.json is not what we wrote
    """


class AlreadyRunning(InstanceError):
    """Another daemon works on the data folder."""

    def __init__(self, data: str, pid: int | None, url: str = "") -> None:
        """Name the data folder and, where they are known, the other process and its address."""
        who = f"hikazed is already running as process {pid}" if pid else "another hikazed is already running"
        at = f" at {url}" if url else ""
        super().__init__(f"{who}{at} on {data}: stop it with `hikazed stop`, or give another folder with --data.")
        self.data = data
        self.pid = pid
        self.url = url


class BadDataFolder(InstanceError):
    """The data folder cannot be made, read or locked."""


class BadFile(InstanceError):
    """One of our own files does not hold what we wrote."""


class Secrets(msgspec.Struct, frozen=True):
    """What opens the API on TCP: the token everything, the image key pictures only."""

    token: str
    image_key: str

    def __repr__(self) -> str:
        """Show nothing, so that no log line or traceback ever does."""
        return "Secrets(...)"


class Running(msgspec.Struct, frozen=True):
    """Where a running daemon is: URL and token for TCP, a socket path (None where there is none)."""

    url: str
    socket: str | None
    token: str
    pid: int
    data: str
    version: str


def prepare(data: str) -> None:
    """Make the data folder and what belongs in it, mode 0700; folders that exist are left as they are."""
    for name in FOLDERS:
        folder = os.path.join(data, *name.split("/")) if name else data
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError as error:
            raise BadDataFolder(
                f"Cannot make the folder {folder} ({error.strerror}): give one that can be made with --data."
            ) from error


class DataLock:
    """The exclusive right to a data folder, held from construction to `close` or the end of the process."""

    def __init__(self, data: str) -> None:
        """Take the lock or raise AlreadyRunning at once; BadDataFolder where the disk cannot lock."""
        self._fd = _open_lock_file(data)
        try:
            _lock_or_raise(self._fd, data)
            _write_pid(self._fd)
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        """Give the folder free; the empty file stays, because removing it could split the lock in two."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        with contextlib.suppress(OSError):  # a full or lost disk: the lock still goes with the descriptor
            os.ftruncate(fd, 0)
        os.close(fd)

    def __enter__(self) -> Self:
        """Give the held lock."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the folder free."""
        self.close()


def _open_lock_file(data: str) -> int:
    path = os.path.join(data, LOCK_FILE)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise BadDataFolder(
            f"Cannot open {path} ({error.strerror}): make its folder writable, or give another with --data."
        ) from error


def _lock_or_raise(fd: int, data: str) -> None:
    try:
        _lock(fd)
    except (BlockingIOError, PermissionError) as error:  # the latter is what msvcrt raises
        pid = _read_pid(fd)
        raise AlreadyRunning(data, pid, _address_of(pid, data)) from error
    except OSError as error:
        raise BadDataFolder(
            f"The disk of {data} cannot lock files ({error.strerror}): give one on a local disk with --data."
        ) from error


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> None:
        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write_pid(fd: int) -> None:
    with contextlib.suppress(OSError):  # on a full disk the lock holds all the same; the number is only told
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, f"{os.getpid()}\n".encode())


def _address_of(pid: int | None, data: str) -> str:
    """Give the address of the process that holds a data folder, empty where it is not known."""
    try:
        told = find_running(data, data=data)
    except BadFile:
        return ""
    return told.url if told is not None and told.pid == pid else ""


def _read_pid(fd: int) -> int | None:
    os.lseek(fd, 0, os.SEEK_SET)
    text = os.read(fd, 32).strip()
    return int(text) if text.isdigit() else None


def load_secrets(data: str) -> Secrets:
    """Give the data folder's secrets, made at the first call; BadFile where the file is not what we wrote.

    Call it with the data folder's lock held: two first calls at once would make two pairs.
    """
    path = os.path.join(data, SECRETS_FILE)
    content = _read_ours(path)
    if content is None:
        return _make_secrets(path)
    try:
        found = msgspec.json.decode(content, type=Secrets)
    except msgspec.MsgspecError as error:
        raise _bad_secrets(path) from error
    if not (_SECRET.fullmatch(found.token) and _SECRET.fullmatch(found.image_key)):
        raise _bad_secrets(path)
    if found.token == found.image_key:  # a picture's URL would then open everything
        raise _bad_secrets(path)
    _tighten(path)
    return found


def _make_secrets(path: str) -> Secrets:
    made = Secrets(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
    try:
        write_ours(path, msgspec.json.encode(made))
    except OSError as error:
        raise BadDataFolder(
            f"Cannot write {path} ({error.strerror}): make room on its disk and let hikazed write there."
        ) from error
    return made


def _bad_secrets(path: str) -> BadFile:
    return BadFile(
        f"{path} does not hold the daemon's secrets: move it away and start again, "
        "then open the page anew with `hikazed open`."
    )


def _tighten(path: str) -> None:
    """Take back what others may read, as a copied or restored file often lets them."""
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077 and os.name == "posix":
        os.chmod(path, 0o600)


def announce(info: Running, places: Iterable[str]) -> list[str]:
    """Write daemon.json into each of the folders; give one warning sentence per folder where that failed."""
    warnings: list[str] = []
    for place in places:
        path = os.path.join(place, ANNOUNCEMENT_FILE)
        try:
            os.makedirs(place, mode=0o700, exist_ok=True)
            write_ours(path, _encode(info))
        except OSError as error:
            warnings.append(
                f"Cannot write {shown(to_text(path))} ({error.strerror}), by which other programs find this daemon: "
                "make its folder writable, or give --data or --socket to each command."
            )
    return warnings


def withdraw(info: Running, places: Iterable[str]) -> None:
    """Remove daemon.json from the folders where it still speaks of this daemon and not of a later one."""
    for place in places:
        path = os.path.join(place, ANNOUNCEMENT_FILE)
        with contextlib.suppress(OSError, InstanceError):  # a stale file is only a hint to its readers
            if _read_announcement(path) == info:
                os.unlink(path)


def find_running(config_dir: str, data: str | None = None, socket: str | None = None) -> Running | None:
    """Give where a daemon said it is, for a program that wants to talk to it; None where none did.

    By its socket, else by its data folder, else the last one started by this user. It may have died since:
    only a connection tells. Of a socket found without its daemon.json only the path is known (url and token
    are empty, pid 0). Raises BadFile where daemon.json is not what a daemon wrote.
    """
    if data is not None and socket is None:
        return _read_announcement(os.path.join(data, ANNOUNCEMENT_FILE))
    last = _read_announcement(os.path.join(config_dir, ANNOUNCEMENT_FILE))
    if socket is None or (last is not None and last.socket == socket):
        return last
    if not os.path.exists(socket):
        return None
    return Running(url="", socket=socket, token="", pid=0, data=data or "", version="")


def pid_alive(pid: int) -> bool | None:
    """Tell whether a process with this id runs; a hint only (ids are reused, containers have their own).

    None where it cannot be told: on Windows, where signal 0 is CTRL_C_EVENT and would reach the process.
    """
    if pid <= 0 or os.name != "posix":
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:
        return None
    return True


def _encode(info: Running) -> bytes:
    return msgspec.json.encode(
        msgspec.structs.replace(info, socket=_optional(to_text, info.socket), data=to_text(info.data))
    )


def _read_announcement(path: str) -> Running | None:
    content = _read_ours(path)
    if content is None:
        return None
    try:
        found = msgspec.json.decode(content, type=Running)
    except msgspec.MsgspecError as error:
        raise BadFile(f"{path} was not written by hikazed ({error}): remove it and start the daemon anew.") from error
    return msgspec.structs.replace(found, socket=_optional(to_path, found.socket), data=to_path(found.data))


def _optional(convert: Callable[[str], str], text: str | None) -> str | None:
    return None if text is None else convert(text)


def _read_ours(path: str) -> bytes | None:
    """Read one of our small files; None where there is none, BadFile where it cannot be one of ours."""
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadFile(f"Cannot read {path} ({error.strerror}): make it a file that you may read.") from error
    if len(content) > _MOST_BYTES:
        raise BadFile(f"{path} is too large to be written by hikazed: move it away and start again.")
    return content


def write_ours(path: str, content: bytes) -> None:
    """Put a file in place whole, mode 0600, durably: a reader sees the old one or the new one."""
    folder = os.path.dirname(path)
    fd, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=folder)  # mode 0600
    try:
        with open(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    if os.name != "posix":  # Windows opens no folders
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
