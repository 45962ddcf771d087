"""A copy of an earlier Hikaze's database, which can be opened without touching the library itself.

SQLite would write beside a database that it opens, if only a `-shm`, and would take locks. So the files are copied
while whoever has them open may go on writing. The database and its `-wal` or `-journal` are read twice: where the
second reading finds what the first one copied, that is how they all were at one moment in between.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import apsw

from ...events.catalog import LegacyForm
from ..hashing import NotRegular, open_regular
from ..place import make_folder

DATABASES: dict[str, LegacyForm] = {"hikaze_mm.sqlite3": "v1", "hikaze_model_manager.db": "v2"}
"""What the earlier ones call their database, which can also have been given another name by hand or by setting."""
LOOKED_FOR = " or ".join(f"{name} (Hikaze {form})" for name, form in DATABASES.items())

_OUR_TABLE = "view_positions"  # which no earlier library has; our read tables bear the names of Hikaze 2's
_TRIES, _PAUSE_S, _LONGEST_PAUSE_S = 40, 0.02, 0.5  # some 15 seconds in all
_BLOCK = 1 << 20
_HEADER = b"SQLite format 3\0"


class NotALibrary(ValueError):
    """What was named is no library of an earlier Hikaze; the message says what was looked for."""


class SourceBusy(Exception):
    """The earlier Hikaze wrote all the time; the message says what to do."""


@contextmanager
def private_folder(within: str) -> Iterator[str]:
    """Give a new folder for us alone, and remove it in the end."""
    make_folder(within)
    folder = tempfile.mkdtemp(prefix="legacy-", dir=within)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Reading:
    """What was read of a file: how long it was, and the SHA-256 of that."""

    size: int
    sha256: bytes


def copied(database: str, folder: str, pause: Callable[[float], None] = time.sleep) -> str:
    """Copy a database with what belongs to it into a folder, as it was at one moment, and give the copy's path.

    Raises `NotALibrary` where it is no database, `SourceBusy`, and OSError.
    """
    real = os.path.realpath(database)  # SQLite keeps -wal and -journal beside the file, not beside a link to it
    copy = os.path.join(folder, "library.db")
    _must_be_sqlite(real)
    for number in range(_TRIES):
        if _copy_once(real, copy):
            return copy
        pause(min(_PAUSE_S * 1.5**number, _LONGEST_PAUSE_S))
    raise SourceBusy(
        f"{database} was written to all the time, so that no whole copy could be made: stop the earlier Hikaze "
        "(or the ComfyUI it runs in), and try again"
    )


def _copy_once(real: str, copy: str) -> bool:
    """Copy the files, and tell whether they are still what was copied.

    While the database itself is not written to, its `-wal` only grows, so that the part of it that was copied is
    whole; frames of a transaction that is not complete in it are passed over by SQLite.
    """
    try:
        first = {suffix: _read(real + suffix, copy + suffix) for suffix in ("", "-journal", "-wal")}
        wal = first["-wal"]
        return (
            first[""] is not None
            and _read(real, None) == first[""]
            and _read(real + "-journal", None) == first["-journal"]
            and _read(real + "-wal", None, None if wal is None else wal.size) == wal
        )
    except NotRegular as error:
        raise NotALibrary(str(error)) from error


def _read(path: str, copy: str | None, most: int | None = None) -> _Reading | None:
    """Read a file, up to `most` bytes of it, into a copy if one is wanted; None where there is none."""
    if copy is not None and os.path.exists(copy):
        os.remove(copy)
    try:
        source = open_regular(path)
    except FileNotFoundError:
        return None
    digest, size = hashlib.sha256(), 0
    with source, open(copy or os.devnull, "wb", opener=_private) as target:
        while block := source.read(_BLOCK if most is None else min(_BLOCK, most - size)):
            digest.update(block)
            target.write(block)
            size += len(block)
    return _Reading(size, digest.digest())


def _must_be_sqlite(path: str) -> None:
    """Look at the start of a file before all of it is copied: it may be anything, and large."""
    try:
        with open_regular(path) as file:
            is_one = file.read(len(_HEADER)) == _HEADER
    except NotRegular as error:
        raise NotALibrary(
            f"{path} is a pipe or a device, not a file; name the earlier Hikaze's {LOOKED_FOR}"
        ) from error
    except FileNotFoundError as error:
        raise NotALibrary(f"{path} is not there any more") from error
    if not is_one:
        raise NotALibrary(f"{path} is no SQLite database; name the earlier Hikaze's {LOOKED_FOR}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


# What is in it


def open_copy(path: str, database: str) -> apsw.Connection:
    """Open a copy of a database, which brings in what its `-wal` or `-journal` holds. Raises `NotALibrary` where
    it is damaged.
    """
    db = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        # A database from elsewhere can hold anything: nothing in its schema may run what has effects.
        db.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0)
        db.execute("SELECT count(*) FROM sqlite_schema").get  # noqa: B018 - here a damaged file shows itself
    except apsw.Error as error:
        db.close()
        raise NotALibrary(f"{database} cannot be read as an earlier Hikaze's database: {error}") from error
    return db


def form_of(db: apsw.Connection, database: str) -> LegacyForm:
    """Tell by its tables which earlier library a database is. Raises `NotALibrary` where it is none, or ours."""
    models = columns_of(db, "models")
    if "path" in models and "sha256" in models and not columns_of(db, _OUR_TABLE):
        return "v2"
    if "path" in models and "id" in models and "sha256" not in models:
        return "v1"
    raise NotALibrary(
        f"{database} is no library of an earlier Hikaze: it should hold a table `models` with the columns `id` and "
        f"`path` (v1) or `sha256` and `path` (v2). Name the earlier data folder, with {LOOKED_FOR} in it."
    )


def columns_of(db: apsw.Connection, table: str) -> frozenset[str]:
    """Give the columns of a real table (no view, no virtual one), in lower case; none where there is no such table."""
    try:
        real = db.execute(
            "SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name = ?", (table,)
        ).get
        return frozenset(
            str(name).lower() for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,)) if real
        )
    except (apsw.Error, UnicodeDecodeError):
        return frozenset()
