"""Where an earlier Hikaze's library lies: found from the folder, the plugin, or the database that somebody names."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing

from ...events.catalog import LegacyForm
from .copying import DATABASES, LOOKED_FOR, NotALibrary, copied, form_of, open_copy
from .row import Source

_OURS = frozenset({"log.db", "views.db"})
_EXTRA = ("config.json", "types_cache.json")
_ENDINGS = (".db", ".sqlite", ".sqlite3")
_LOOKED_AT = 50  # files in a folder without a database of a known name


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
        raise NotALibrary(f"this is no path: name the data folder of an earlier Hikaze, with {LOOKED_FOR} in it")
    return os.path.abspath(path)


def _images(database: str, images: str | None) -> str:
    beside, real = (os.path.join(os.path.dirname(path), "images") for path in (database, os.path.realpath(database)))
    if images is None:
        return beside if os.path.isdir(beside) or not os.path.isdir(real) else real
    if not os.path.isdir(_checked(images)) and _checked(images) not in (beside, real):
        raise NotALibrary(f"{images} is no folder: name the folder with the pictures of the earlier Hikaze")
    return _checked(images)


def _database(path: str) -> str:
    """Give the path of the database that is meant."""
    if not os.path.exists(path):
        raise NotALibrary(f"there is no {path}; name the data folder of an earlier Hikaze, with {LOOKED_FOR} in it")
    if not os.path.isdir(path):
        _refuse_ours(os.path.dirname(path))
        return path
    folders = (path, os.path.join(path, "data"))
    for folder in folders:
        if found := _libraries(folder):
            _refuse_ours(folder)
            if len(found) > 1:
                raise NotALibrary(f"several libraries lie in {folder}; name one of them: {', '.join(found)}")
            return found[0]
    for folder in folders:
        _refuse_ours(folder)
    raise NotALibrary(f"no library of an earlier Hikaze lies in {path}: looked for {LOOKED_FOR}, there and in data/")


def _libraries(folder: str) -> list[str]:
    """Give the databases in a folder that are earlier libraries; one alone of a known name may prove to be none."""
    known = [path for name in DATABASES if os.path.isfile(path := os.path.join(folder, name))]
    if len(known) == 1:
        return known
    return [path for path in known or _others(folder) if _is_library(path)] or known


def _refuse_ours(folder: str) -> None:
    if any(os.path.exists(os.path.join(folder, name)) for name in _OURS):
        raise NotALibrary(
            f"{folder} is a data folder of this Hikaze. Name the folder of the earlier one, with {LOOKED_FOR} in it; "
            "if both lie in one folder, copy the earlier database and its images/ elsewhere and name the copy."
        )


def _others(folder: str) -> Iterator[str]:
    """Give the databases in a folder, whatever they are called."""
    if not os.path.isdir(folder):
        return
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith(_ENDINGS) and name not in _OURS)
    yield from (path for name in names[:_LOOKED_AT] if os.path.isfile(path := os.path.join(folder, name)))


def _is_library(database: str) -> bool:
    try:
        _form_in(database)
    except (NotALibrary, OSError):
        return False
    return True


def _form_in(database: str) -> LegacyForm:
    with (
        tempfile.TemporaryDirectory(prefix="hikaze-") as folder,
        closing(open_copy(copied(database, folder), database)) as db,
    ):
        return form_of(db, database)
