"""Where an earlier Hikaze's library lies, and a copy of its database that can be opened without touching it.

SQLite itself would write beside a database that it opens, if only a `-shm`, and would take locks. So the files are
copied while whoever has them open may go on writing. The database and its `-wal` or `-journal` are read twice: where
the second reading finds what the first one copied, that is how they all were at one moment in between.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import apsw

from ..events.catalog import LegacyForm
from .hashing import NotRegular, open_regular
from .legacyrow import Source
from .place import make_folder

DATABASES: dict[str, LegacyForm] = {"hikaze_mm.sqlite3": "v1", "hikaze_model_manager.db": "v2"}
"""What the earlier ones call their database, which can also have been given another name by hand or by setting."""

OURS = frozenset({"log.db", "views.db"})
OUR_TABLE = "view_positions"  # which no earlier library has; our read tables bear the names of Hikaze 2's
_EXTRA = ("config.json", "types_cache.json")
_ENDINGS = (".db", ".sqlite", ".sqlite3")
_LOOKED_AT = 50  # files in a folder without a database of a known name
_TRIES, _PAUSE_S, _LONGEST_PAUSE_S = 40, 0.02, 0.5  # some 15 seconds in all
_BLOCK = 1 << 20
_HEADER = b"SQLite format 3\0"
_LOOKED_FOR = " or ".join(f"{name} (Hikaze {form})" for name, form in DATABASES.items())


class NotALibrary(ValueError):
    """What was named is no library of an earlier Hikaze; the message says what was looked for."""


class SourceBusy(Exception):
    """The earlier Hikaze wrote all the time; the message says what to do."""


def find(source: str, images: str | None = None) -> Source:
    """Find an earlier library: its data folder, the plugin's folder above that, or the database under any name.

    `images` names the folder of its pictures where it is not `images` beside the database. Raises `NotALibrary`,
    `SourceBusy`, and OSError where it cannot be read.
    """
    database = _database(_checked(source))
    form = _form_in(database)
    folder = os.path.dirname(database)
    extra = tuple(path for name in _EXTRA if os.path.isfile(path := os.path.join(folder, name)))
    return Source(form, database, _images(database, images), extra)


def _checked(path: str) -> str:
    try:
        os.fsencode(path)
    except ValueError:
        path = ""
    if not path or "\0" in path:
        raise NotALibrary(f"this is no path: name the data folder of an earlier Hikaze, with {_LOOKED_FOR} in it")
    return os.path.abspath(path)


def _images(database: str, images: str | None) -> str:
    if images is not None:
        if not os.path.isdir(_checked(images)):
            raise NotALibrary(f"{images} is no folder: name the folder with the pictures of the earlier Hikaze")
        return _checked(images)
    beside, real = (os.path.join(os.path.dirname(path), "images") for path in (database, os.path.realpath(database)))
    return beside if os.path.isdir(beside) or not os.path.isdir(real) else real


def _database(path: str) -> str:
    """Give the path of the database that is meant."""
    if not os.path.isdir(path):
        if not os.path.exists(path):
            raise NotALibrary(
                f"there is no {path}; name the data folder of an earlier Hikaze, with {_LOOKED_FOR} in it"
            )
        _refuse_ours(os.path.dirname(path))
        return path
    folders = (path, os.path.join(path, "data"))
    for folder in folders:
        found = [path for name in DATABASES if os.path.isfile(path := os.path.join(folder, name))]
        found = found or [path for path in _others(folder) if _is_library(path)]
        if found:
            _refuse_ours(folder)
        if len(found) > 1:
            raise NotALibrary(f"several libraries lie in {folder}; name one of them: {', '.join(found)}")
        if found:
            return found[0]
    for folder in folders:
        _refuse_ours(folder)
    raise NotALibrary(f"no library of an earlier Hikaze lies in {path}: looked for {_LOOKED_FOR}, there and in data/")


def _refuse_ours(folder: str) -> None:
    if any(os.path.exists(os.path.join(folder, name)) for name in OURS):
        raise NotALibrary(
            f"{folder} is a data folder of this Hikaze. Name the folder of the earlier one, with {_LOOKED_FOR} in it; "
            "if both lie in one folder, copy the earlier database and its images/ elsewhere and name the copy."
        )


def _others(folder: str) -> Iterator[str]:
    """Give the databases in a folder, whatever they are called."""
    if not os.path.isdir(folder):
        return
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith(_ENDINGS) and name not in OURS)
    yield from (path for name in names[:_LOOKED_AT] if os.path.isfile(path := os.path.join(folder, name)))


def _is_library(database: str) -> bool:
    try:
        _form_in(database)
    except (NotALibrary, OSError):
        return False
    return True


def _form_in(database: str) -> LegacyForm:
    with tempfile.TemporaryDirectory(prefix="hikaze-") as folder, closing(open_copy(copied(database, folder))) as db:
        return form_of(db, database)


# The copy


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
    for number in range(_TRIES):
        if _copy_once(real, copy):
            _must_be_sqlite(copy, database)
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
        if first[""] is None:
            raise NotALibrary(f"{real} is not there any more")
        wal = first["-wal"]
        return (
            _read(real, None) == first[""]
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


def _must_be_sqlite(copy: str, database: str) -> None:
    with open(copy, "rb") as file:
        if file.read(len(_HEADER)) != _HEADER:
            raise NotALibrary(f"{database} is no SQLite database; name the earlier Hikaze's, {_LOOKED_FOR}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


# What is in it


def open_copy(path: str) -> apsw.Connection:
    """Open a copy, which brings in what its `-wal` or `-journal` holds. Raises `NotALibrary` where it is damaged."""
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
        raise NotALibrary(f"the database of the earlier Hikaze cannot be read: {error}") from error
    return db


def form_of(db: apsw.Connection, database: str) -> LegacyForm:
    """Tell by its tables which earlier library a database is. Raises `NotALibrary` where it is none, or ours."""
    models = columns_of(db, "models")
    if "path" in models and "sha256" in models and not columns_of(db, OUR_TABLE):
        return "v2"
    if "path" in models and "id" in models and "sha256" not in models:
        return "v1"
    raise NotALibrary(
        f"{database} is no library of an earlier Hikaze: it should hold a table `models` with the columns `id` and "
        f"`path` (v1) or `sha256` and `path` (v2). Name the earlier data folder, with {_LOOKED_FOR} in it."
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
