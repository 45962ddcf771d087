"""Brings a backup back: all of it is unpacked and verified beside the library before anything of that is touched."""

import errno
import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from . import exchange
from .archive import LOG, BadBackup, Head, begins_like_a_backup, unpack
from .checklog import Progress, check_log, log_id, open_log
from .exchange import Source
from .hashing import named
from .place import NoSpace, require_space


class RestoreFailed(Exception):
    """Nothing was restored; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What the library is now: at which event, of when (ms since 1970 UTC), and the folder the old one lies in.

    `missing` names the pictures that were missing already when the backup was made.
    """

    position: int
    made_at: int
    replaced: str | None
    missing: list[str]


def look_at(path: str) -> None:
    """See, before anything is made, that a file is there and looks like a backup. Raises `RestoreFailed`."""
    try:
        if os.path.isdir(path):
            raise RestoreFailed(f"{named(path)} is a folder; name the file of a backup")
        if not begins_like_a_backup(path):
            raise RestoreFailed(f"{named(path)} is no backup of Hikaze; name the file that `hikazed backup` wrote")
    except FileNotFoundError as error:
        raise RestoreFailed(f"there is no file {named(path)}; name the backup to restore") from error
    except OSError as error:
        raise RestoreFailed(f"{named(path)} cannot be read ({error.strerror}); name a backup that can") from error


def restore(
    data: str,
    path: str,
    progress: Progress = lambda _what, _done, _all: None,
    clock: Callable[[], float] = time.time,
) -> Restored:
    """Put the library of a backup in the place of the one in a data folder, whose lock the caller has.

    What was there is kept in a folder below `replaced`. An exchange that was cut off is finished first; if it was
    of this same backup, that was it. Raises `RestoreFailed` where nothing was changed, `OSError` where the disk
    refused in the midst of the exchange: then this, or the daemon's next start, goes on.
    """
    came_before = exchange.finish(data)
    head, missing = _unpacked(data, path, progress)
    source = Source(head.log_id, head.position, head.checksum, head.made_at)
    if source == came_before:
        exchange.remove_staging(data)
        return Restored(head.position, head.made_at, None, missing)
    place = time.strftime("%Y-%m-%d %H-%M-%S", time.localtime(clock()))
    try:
        replaced = exchange.exchange(data, source, place)
    except exchange.CannotExchange:
        exchange.remove_staging(data)
        raise
    return Restored(head.position, head.made_at, replaced, missing)


def _unpacked(data: str, path: str, progress: Progress) -> tuple[Head, list[str]]:
    """Unpack a backup beside the library and verify it, the log event by event; on failure nothing of it stays."""
    folder = exchange.staging(data)
    try:
        size = os.stat(path).st_size
        require_space(data, size)
        os.makedirs(folder, 0o700)
        head, missing = unpack(path, folder, lambda done: progress("unpacking and verifying", done >> 20, size >> 20))
        _verify_log(path, os.path.join(folder, LOG), head, progress)
    except BaseException as error:
        exchange.remove_staging(data)
        if isinstance(error, (BadBackup, NoSpace)):
            raise RestoreFailed(str(error)) from error
        if isinstance(error, OSError):
            raise _failed(data, path, error) from error
        raise
    return head, missing


def _verify_log(path: str, log: str, head: Head, progress: Progress) -> None:
    if findings := check_log(log, progress, settled=True):
        what = findings[0].what.replace(log, f"the log in {named(path)}")
        cure = "update this Hikaze, then restore" if "newer Hikaze" in what else "use another backup"
        raise BadBackup(f"{named(path)} cannot be restored, and nothing was changed: {what}; {cure}")
    with closing(open_log(log, settled=True)) as db:
        last = db.execute("SELECT position, checksum FROM events ORDER BY position DESC LIMIT 1").fetchone() or (0, 0)
        if (log_id(db).hex(), *last) != (head.log_id, head.position, head.checksum):
            raise BadBackup(f"{named(path)} does not hold the log that it says; use another backup")


def _failed(data: str, path: str, error: OSError) -> RestoreFailed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RestoreFailed(f"the disk of {named(data)} is full; make room there and restore again")
    return RestoreFailed(
        f"{named(path)} could not be unpacked in {named(data)} ({error.strerror or error}), and nothing was changed"
    )
