"""The trash: the one way in which a model file leaves its place, and the way back.

Each trashed file lies in a folder of its own, named by an id, beside a `record.json` that says where it came
from. The record is on the disk before the file is moved, so a file in the trash always has one; a move that
was cut short is finished by asking for it again.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

import msgspec

from ..events.pathtext import to_path
from .hashing import NotRegular, named, open_regular
from .place import confirm as confirm_move
from .place import finish_rename, free_name, fsync_dir, make_folder, rename_no_replace, same_filesystem

FOLDER_IN_ROOT = ".hikaze-trash"
"""Name of a trash folder outside the data folder: the scanner passes it by, wherever it is."""

FOLDER_IN_DATA = "trash"
_RECORD = "record.json"
_RECORD_BEING_WRITTEN = ".record.json.part"
_LARGEST_RECORD = 1 << 20

State = Literal["nothing", "recorded", "moved"]


class TrashUnavailable(Exception):
    """A file could not be put into the trash or taken out of it; it is still where it was."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the trash knows of a file; unknown fields of a later version are passed over when read.

    `path` is text as `events.pathtext` writes it, `size` bytes, `trashed_at` ms since 1970 UTC. `pending` is the
    number of a pending model that was dismissed.
    """

    path: str
    size: int
    trashed_at: int
    reason: str
    sha256: str | None = None
    pending: int | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """Where a file is to go; keep it, and a move that was cut short can be finished from it."""

    source: str
    entry: str
    file: str
    record: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A trashed file. `record` is None if it cannot be read: then only its owner knows where it belongs."""

    folder: str
    file: str
    record: Record | None


# Into the trash


def plan(path: str, data_dir: str, root: str, trash_id: str) -> Planned:
    """Say where the trash would put a file, and change nothing. Raises `TrashUnavailable`."""
    if not trash_id or trash_id != os.path.basename(trash_id) or trash_id.startswith("."):
        raise ValueError(f"{trash_id!r} is no id for the trash: give a plain name.")
    return planned_in(os.path.join(trash_folder(path, data_dir, root), trash_id), path)


def planned_in(entry: str, path: str) -> Planned:
    """Say again where a file is to go, from the `entry` that `plan` gave: to finish what was begun."""
    file = os.path.join(entry, _name_beside_record(os.path.basename(path)))
    return Planned(path, entry, file, os.path.join(entry, _RECORD))


def trash_folder(path: str, data_dir: str, root: str) -> str:
    """Choose a trash folder that the file can be renamed into; it need not exist yet.

    It is the data folder's, or else one in the root; or in the first folder between root and file that lies on
    the file's disk, when people linked a folder of another disk into the root. Raises `TrashUnavailable`.
    """
    for folder in _candidates(path, data_dir, root):
        nearest = folder if os.path.isdir(folder) else os.path.dirname(folder)
        if os.access(nearest, os.W_OK | os.X_OK) and same_filesystem(path, nearest):
            return folder
    raise TrashUnavailable(
        f"There is no place for a trash folder on the disk of {named(path)}: make {named(root)} writable."
    )


def state(planned: Planned) -> State:
    """Tell how far a move came: not begun, the record written, or done."""
    if os.path.lexists(planned.file) and not _is_half_moved(planned):
        return "moved"
    return "recorded" if os.path.lexists(planned.record) else "nothing"


def move(planned: Planned, record: Record) -> None:
    """Move a file into the trash, durably; calling it again after a crash anywhere finishes the move.

    Raises `FileNotFoundError` when the file is gone, `TrashUnavailable` when it must stay in place, and an
    `OSError` when it was moved and the disk did not confirm it.
    """
    if state(planned) == "moved":
        return
    try:
        os.lstat(planned.source)
        _write_record(planned, record)
        _clear_reservation(planned)
        if not finish_rename(planned.source, planned.file):
            rename_no_replace(planned.source, planned.file)
    except OSError as error:
        _remove_entry(planned.entry)
        if not os.path.lexists(planned.source):
            raise
        raise TrashUnavailable(
            f"{named(planned.source)} could not be moved to the trash in {named(os.path.dirname(planned.entry))}"
            f" ({error.strerror}): make both folders writable, then try again."
        ) from error


def settle(planned: Planned) -> bool:
    """Tell whether a move that a crash cut short was done; one that was not is taken back. Raises `OSError`."""
    if state(planned) == "moved":
        confirm(planned)
        return True
    if os.path.lexists(planned.file):  # a second name of the file, or empty: see `_is_half_moved`
        os.unlink(planned.file)
    _remove_entry(planned.entry)
    return False


def confirm(planned: Planned) -> None:
    """Make a move durable that was done before a crash. Raises `OSError` where the disk does not confirm it."""
    confirm_move(planned.source, planned.file)


def _candidates(path: str, data_dir: str, root: str) -> Iterator[str]:
    yield os.path.join(data_dir, FOLDER_IN_DATA)
    yield os.path.join(root, FOLDER_IN_ROOT)
    folder, file = PurePath(root), PurePath(path)
    if file.is_relative_to(folder):
        for name in file.relative_to(folder).parts[:-1]:
            folder /= name
            yield str(folder / FOLDER_IN_ROOT)


def _name_beside_record(name: str) -> str:
    """Keep a file's name, unless it would be taken for the record (a disk may not tell case apart)."""
    return f"_{name}" if name.casefold() in (_RECORD, _RECORD_BEING_WRITTEN) else name


def _is_half_moved(planned: Planned) -> bool:
    """Tell the two states in which a killed `rename_no_replace` leaves both names: linked, and reserved."""
    try:
        source, file = os.lstat(planned.source), os.lstat(planned.file)
    except FileNotFoundError:
        return False
    return os.path.samestat(source, file) or _is_reservation(planned, file)


def _is_reservation(planned: Planned, file: os.stat_result) -> bool:
    record = _read_record(planned.record)
    return stat.S_ISREG(file.st_mode) and file.st_size == 0 and record is not None and record.size > 0


def _clear_reservation(planned: Planned) -> None:
    """Remove the empty file with which a killed move took the name; `_is_reservation` says when it is one."""
    with suppress(FileNotFoundError):
        if _is_reservation(planned, os.lstat(planned.file)):
            os.unlink(planned.file)


def _write_record(planned: Planned, record: Record) -> None:
    make_folder(planned.entry)
    _must_be_a_folder(os.path.dirname(planned.entry))
    _must_be_a_folder(planned.entry)
    draft = os.path.join(planned.entry, _RECORD_BEING_WRITTEN)
    with suppress(FileNotFoundError):
        os.unlink(draft)
    with open(draft, "xb", opener=_open_private) as out:
        out.write(msgspec.json.encode(record))
        out.flush()
        os.fsync(out.fileno())
    os.replace(draft, planned.record)
    fsync_dir(planned.entry)


def _must_be_a_folder(path: str) -> None:
    """Refuse a link, which could lead our files anywhere."""
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


# Out of the trash


def entries(folder: str) -> list[Entry]:
    """List what lies in a trash folder, by id; none if the folder does not exist."""
    try:
        ids = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    return [entry for trash_id in ids if (entry := read_entry(os.path.join(folder, trash_id))) is not None]


def records(folder: str) -> Iterator[tuple[str, Record]]:
    """Give (folder of the entry, record) of every record in a trash folder, whether a file lies beside it or not.

    An entry of which a crash left nothing but the beginning is removed: call it before anything goes to the trash.
    """
    try:
        ids = sorted(os.listdir(folder))
    except OSError:
        return
    for entry in (os.path.join(folder, trash_id) for trash_id in ids):
        if (record := _read_record(os.path.join(entry, _RECORD))) is not None:
            yield entry, record
        elif not _names_in(entry) - {_RECORD_BEING_WRITTEN}:
            _remove_entry(entry)


def _names_in(entry: str) -> set[str]:
    try:
        return set(os.listdir(entry))
    except OSError:
        return {entry}  # no folder of ours, or none that we may look into


def read_entry(folder: str) -> Entry | None:
    """Give what lies in an entry's folder; None if no file is in it (yet, or any more)."""
    try:
        names = set(os.listdir(folder)) - {_RECORD, _RECORD_BEING_WRITTEN}
    except (FileNotFoundError, NotADirectoryError):
        return None
    record = _read_record(os.path.join(folder, _RECORD))
    name = _trashed_name(names, record)
    return Entry(folder, os.path.join(folder, name), record) if name else None


def _trashed_name(names: set[str], record: Record | None) -> str | None:
    """Find the file in an entry: by its record, else whatever a file manager has not put there hidden."""
    expected = _name_beside_record(os.path.basename(to_path(record.path))) if record else ""
    if expected in names:
        return expected
    return min((name for name in names if not name.startswith(".")), default=None)


def restore(entry: Entry, target: str | None = None) -> str:
    """Put a file back to where it was, or to `target`, and give the path it got; a taken name gets a suffix.

    A record on a disk that others write to may name any path: the caller checks that it lies in a root.
    Raises `TrashUnavailable` when the file must stay in the trash, `FileNotFoundError` if it is not there.
    """
    wanted = target or _original_path(entry)
    folder = os.path.dirname(wanted)
    try:
        os.lstat(entry.file)
        make_folder(folder)
        path = _rename_to_a_free_name(entry.file, folder, os.path.basename(wanted))
    except OSError as error:
        if not os.path.lexists(entry.file):
            raise
        raise TrashUnavailable(
            f"{named(entry.file)} could not be put back into {named(folder)} ({error.strerror}):"
            " choose a writable folder on the same disk."
        ) from error
    _remove_entry(entry.folder)
    return path


def _original_path(entry: Entry) -> str:
    if entry.record is None:
        raise TrashUnavailable(f"The record beside {named(entry.file)} cannot be read: say where the file should go.")
    return to_path(entry.record.path)


def _rename_to_a_free_name(file: str, folder: str, name: str) -> str:
    while True:
        path = os.path.join(folder, free_name(folder, name))
        with suppress(FileExistsError):  # another program was faster: take the next name
            rename_no_replace(file, path)
            return path


def _read_record(path: str) -> Record | None:
    try:
        with open_regular(path) as source:
            return msgspec.json.decode(source.read(_LARGEST_RECORD), type=Record)
    except (OSError, NotRegular, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _remove_entry(folder: str) -> None:
    """Remove an entry that holds no file: the record, then the folder. Never anything else."""
    if read_entry(folder) is not None:
        return
    with suppress(OSError):
        for name in (_RECORD_BEING_WRITTEN, _RECORD):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
        fsync_dir(os.path.dirname(folder))
