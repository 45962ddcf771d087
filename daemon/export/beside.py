"""Writes beside one file of a model what we know of it, and its picture where none lies there. All of it blocks."""

import os
import stat

import msgspec

from ...events.pathtext import shown, to_text
from ..names import MODEL_EXTENSIONS, UNTAKEN_EXTENSIONS, companion_names, stem
from ..sidecars import formats as sidecar
from . import file as exportfile
from . import formats
from .file import NotWritten, Outcome
from .formats import Format, NotOne
from .known import Beside, Known
from .mark import Moment


class How(msgspec.Struct, frozen=True):
    """How to write: the format, how far the log is, the file of the cover (None: no picture), and what is allowed."""

    form: Format
    moment: Moment
    picture: str | None = None
    replace: bool = False
    dry_run: bool = False


class Told(msgspec.Struct, frozen=True):
    """What came of a file: its path as people see it, and whether it is a picture."""

    path: str
    outcome: Outcome | NotWritten
    picture: bool = False


def beside(path: str, known: Known, how: How) -> list[Told]:
    """Write beside the file of a model at a path; gives what came of it, and of the picture. Raises nothing that the
    disk may do.
    """
    folder, name = os.path.split(path)
    target = os.path.join(folder, formats.file_name(how.form, name))
    try:
        mode = _mode(path)
        _must_be_alone(folder, name)
    except NotWritten as refused:
        return [Told(_shown(target), refused)]
    told: list[Told] = []
    preview = _preview(folder, name)
    if how.picture is not None and not preview:
        told.append(_put_picture(folder, name, how.picture, mode, how))
        preview = "" if isinstance(told[0].outcome, NotWritten) else _preview_name(name)
    return [_put_words(target, known, Beside(_shown(name), _shown(folder), _shown(preview)), mode, how), *told]


def _put_words(target: str, known: Known, place: Beside, mode: int, how: How) -> Told:
    def make(former: bytes | None) -> bytes | None:
        return formats.exported(how.form, known, place, how.moment, former)

    return Told(_shown(target), _put(target, make, mode, replace=how.replace, dry_run=how.dry_run))


def _put_picture(folder: str, name: str, picture: str, mode: int, how: How) -> Told:
    def make(_former: bytes | None) -> bytes | None:
        try:
            with open(picture, "rb") as file:
                return file.read()
        except OSError as error:
            raise NotWritten("its picture cannot be read; see what is wrong with `hikazed check`") from error

    target = os.path.join(folder, _preview_name(name))
    return Told(_shown(target), _put(target, make, mode, replace=False, dry_run=how.dry_run), picture=True)


def _put(target: str, make: exportfile.Make, mode: int, *, replace: bool, dry_run: bool) -> Outcome | NotWritten:
    try:
        return exportfile.put(target, make, mode=mode, most=sidecar.MAX_BYTES, replace=replace, dry_run=dry_run)
    except NotWritten as refused:
        return refused
    except NotOne:
        return NotWritten("another program's file of this name lies there, and is left alone; choose another format")
    except OSError as error:
        return NotWritten(exportfile.why(error))


def _mode(path: str) -> int:
    """Give the permission bits of what lies beside a model: who may read and write that may read and write this.

    The daemon's own umask lets nobody else in, and it cannot know the one that its user has elsewhere.
    """
    try:
        return stat.S_IMODE(os.stat(path).st_mode) & 0o666 | 0o600
    except OSError as error:
        raise NotWritten("the model's file is gone; have the daemon look again with `hikazed scan`") from error


def _must_be_alone(folder: str, name: str) -> None:
    """Refuse where another model of the stem lies there: what is written would be taken for that one's, too."""
    for ending in sorted(MODEL_EXTENSIONS):
        other = stem(name) + ending
        if other != name and os.path.lexists(os.path.join(folder, other)):
            raise NotWritten(f"{_shown(other)} lies there, too, and it would tell of both; rename one of them")


def _preview_name(model_name: str) -> str:
    return stem(model_name) + ".preview.webp"


def _preview(folder: str, name: str) -> str:
    """Give the name of the preview that lies beside a model, in any program's naming; empty where there is none.

    A folder may hold 20,000 models: it is asked for each possible name, and not for all of its names each time.
    """
    untaken = [stem(name) + middle + ending for middle in (".preview", "") for ending in sorted(UNTAKEN_EXTENSIONS)]
    for usual in (*companion_names(name), *untaken):
        base, ending = os.path.splitext(usual)
        for spelled in (usual, base + ending.upper()):
            if os.path.lexists(os.path.join(folder, spelled)):
                return spelled
    return ""


def _shown(path: str) -> str:
    return shown(to_text(path))
