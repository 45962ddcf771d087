"""Puts another library in the place of the one in a data folder; a crash anywhere is finished later, never undone.

The new library lies whole and durable in `<data>/restoring/new` before anything else is touched. Then a file
`restoring/intent.json` says what will be done: first what is there goes to `<data>/replaced/<time>` (phase
`aside`), then the new comes in (phase `in`). Whoever has the data folder's lock calls `finish`, which goes on
from there; each step is a rename, and one that was done before is passed over.
"""

import os
import re
import shutil
from contextlib import suppress

import msgspec

from .hashing import named
from .instance import InstanceError
from .place import fsync_dir, make_folder

STAGING = "restoring"
REPLACED = "replaced"
LIBRARY = ("views.db.seal", "views.db", "views.db-wal", "views.db-shm", "log.db-wal", "log.db-shm", "log.db", "images")
"""What makes up a library, and gives way to another; drop folder, trash and secrets stay."""
INCOMING = ("log.db", "images", "host")
"""What comes in; `host`, which tells this installation from others, only where there is none."""

_PLACE = re.compile(r"[0-9A-Za-z_. -]{1,100}")


class CannotExchange(InstanceError):
    """The library could not be exchanged, and nothing of it was changed; the message says what to do."""


class Source(msgspec.Struct, frozen=True):
    """Which backup the new library comes from."""

    log_id: str
    position: int
    checksum: int
    made_at: int


class Intent(msgspec.Struct, frozen=True):
    """What is being done: where the old library goes, the parts of it that there were, and how far it is."""

    source: Source
    place: str
    aside: tuple[str, ...]
    phase: str = "aside"


def staging(data: str) -> str:
    """Give the folder in which a new library is made."""
    return os.path.join(data, STAGING, "new")


def is_interrupted(data: str) -> bool:
    """Tell whether an exchange has begun and was not finished: then the data folder holds no library to work on."""
    return os.path.exists(_intent_path(data))


def exchange(data: str, source: Source, place: str) -> str | None:
    """Put the library from `staging`, which is durable, in place; gives the folder of the old one, if there was one.

    `place` is the name of that folder, wished; a taken name gets a number. Needs the data folder's lock. Raises
    `CannotExchange` before anything is done, and `OSError` in the midst of it: then `finish` goes on.
    """
    aside = tuple(name for name in LIBRARY if _is_something(os.path.join(data, name)))
    _must_be_movable(data, aside)
    intent = Intent(source, _free_place(data, place), aside)
    _write(data, intent)
    return _carry_out(data, intent)


def finish(data: str) -> Source | None:
    """Go on with an exchange that was cut off, and say which backup it brought; None where there was none.

    What an interrupted restore has left of a library that was not whole yet is removed. Needs the data folder's
    lock. Raises `OSError` where the disk refuses; then call it again. `CannotExchange`: the file of the intent is
    not what we wrote.
    """
    try:
        with open(_intent_path(data), "rb") as file:
            intent = msgspec.json.decode(file.read(), type=Intent)
    except FileNotFoundError:
        remove_staging(data)
        return None
    except msgspec.MsgspecError as error:
        raise _not_ours(data) from error
    if not (_PLACE.fullmatch(intent.place) and set(intent.aside) <= set(LIBRARY)):
        raise _not_ours(data)
    _carry_out(data, intent)
    return intent.source


def _carry_out(data: str, intent: Intent) -> str | None:
    old = os.path.join(data, REPLACED, intent.place)
    if intent.phase == "aside":
        _move_aside(data, old, intent.aside)
        intent = msgspec.structs.replace(intent, phase="in")
        _write(data, intent)
    _move_in(data)
    os.remove(_intent_path(data))
    fsync_dir(os.path.join(data, STAGING))
    remove_staging(data)
    return old if intent.aside else None


def _move_aside(data: str, old: str, names: tuple[str, ...]) -> None:
    if not names:
        return
    make_folder(old)
    for name in names:
        with suppress(FileNotFoundError):  # it was moved before the crash
            os.rename(os.path.join(data, name), os.path.join(old, name))
    fsync_dir(old)
    fsync_dir(data)


def _move_in(data: str) -> None:
    for name in INCOMING:
        target = os.path.join(data, name)
        if name == "host" and os.path.exists(target):
            continue
        if name == "images" and not os.path.exists(os.path.join(staging(data), name)):
            continue
        _remove_empty(target)  # folders that a daemon made, without a file in them
        with suppress(FileNotFoundError):
            os.rename(os.path.join(staging(data), name), target)
    fsync_dir(data)


def _is_something(path: str) -> bool:
    """Tell whether there is anything at a path but empty folders."""
    if os.path.islink(path) or not os.path.isdir(path):
        return os.path.lexists(path)
    return any(files or _links(folder, folders) for folder, folders, files in os.walk(path))


def _links(folder: str, names: list[str]) -> bool:
    return any(os.path.islink(os.path.join(folder, name)) for name in names)


def _remove_empty(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        return
    for folder, _, _ in os.walk(path, topdown=False):
        os.rmdir(folder)  # fails, and stops us, where there is anything in it


def _must_be_movable(data: str, names: tuple[str, ...]) -> None:
    for name in names:
        path = os.path.join(data, name)
        if os.path.ismount(path) or os.lstat(path).st_dev != os.stat(data).st_dev:
            raise CannotExchange(
                f"{named(path)} is a disk of its own, and cannot be moved aside: unmount it, then restore;"
                " nothing was changed"
            )


def _free_place(data: str, wished: str) -> str:
    place, number = wished, 1
    while os.path.lexists(os.path.join(data, REPLACED, place)):
        number += 1
        place = f"{wished} {number}"
    return place


def _intent_path(data: str) -> str:
    return os.path.join(data, STAGING, "intent.json")


def _write(data: str, intent: Intent) -> None:
    path = _intent_path(data)
    draft = path + ".part"
    with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(msgspec.json.encode(intent))
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    fsync_dir(os.path.dirname(path))


def _not_ours(data: str) -> CannotExchange:
    return CannotExchange(
        f"{named(_intent_path(data))} is damaged: an interrupted restore cannot be finished. Move the folder"
        f" {STAGING} away, then restore the backup again"
    )


def remove_staging(data: str) -> None:
    """Remove a new library that was not put in place, whole or not."""
    folder = os.path.join(data, STAGING)
    if os.path.isdir(folder) and not os.path.islink(folder):
        shutil.rmtree(folder)
