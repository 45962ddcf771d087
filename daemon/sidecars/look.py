"""The look at what lies beside model files: which sidecars are there, and what those say that were not read before.

Each is opened once, and no more of it is read than `formats.MAX_BYTES`. A link is followed to a file of its own ending
only, so that nobody's `foo.txt` brings a private key into the library.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ...events.catalog import Provided, Sidecar
from ...events.pathtext import shown, to_text
from ..filetime import mtime_ns
from ..hashing import ReadingStopped, open_regular
from ..listing import Listing
from ..names import PICTURE_EXTENSIONS, UNTAKEN_EXTENSIONS, Folder, extension, may_be_sidecar
from ..scan import stat_file
from .beside import PREVIEW

YOUNG_NS = 1_000_000_000  # a file that changed within this may be written to still
BROKEN_NS = 3_000_000_000  # one that makes no sense is waited for so long: perhaps its other half is yet to come
BYTES_AT_ONCE = 64 << 20  # of sidecars that are read for one answer

_PICTURES = frozenset({"jxl", "bmp", "heic", "heif"})

Print = tuple[str, int, int]
"""The source of a sidecar, its size and its mtime in ns."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A model file, by its name, what lies beside which is asked for; `known` are its sidecars that were read before.

    `pictureless` says that whoever it is of has no picture; `patient` leaves what is still being written for later.
    """

    name: str
    known: frozenset[Print] = frozenset()
    pictureless: bool = False
    patient: bool = True


@dataclass(slots=True)
class Beside:
    """What lies beside a model file."""

    told: list[tuple[Sidecar, Provided]] = field(default_factory=list[tuple[Sidecar, Provided]])
    """What sidecars say that were not read before, those whose words count for more first."""
    silent: list[Sidecar] = field(default_factory=list[Sidecar])
    """What was opened and is no sidecar."""
    model: tuple[int, int] | None = None
    """Size and mtime in ns of the model file after that; None where it is gone."""
    picture: str | None = None
    """The path of the picture that lies beside it, where one is missing."""
    soon: bool = False
    """Something beside it is still being written: look again in a moment."""


def beside(
    folders: Listing[Folder],
    places: Iterable[tuple[str, Sequence[Asked]]],
    *,
    is_far: Callable[[str], bool] | None = None,
    wall_ns: Callable[[], int] = time.time_ns,
) -> dict[str, list[Beside]]:
    """Give what lies beside some model files, by their folders; those of one folder in order.

    A link that `is_far` says leads to where a look may hang is left alone. `wall_ns` is the wall clock.
    """
    room = _Room()
    found: dict[str, list[Beside]] = {}
    for folder, asked in places:
        try:
            listed = folders.of(folder)
        except OSError:
            found[folder] = [Beside() for _ in asked]
            continue
        look = _Look(folder, listed, is_far, wall_ns, room)
        found[folder] = [look.at(one) for one in asked]
    return found


def owners(folders: Listing[Folder], folder: str, names: Iterable[str]) -> dict[str, str | None]:
    """Give the names of the models in a folder that some of its files belong to: sidecars, pictures, videos.

    Each with the one of those files that is its picture, None where that is none of them.
    """
    try:
        listed = folders.of(folder)
    except OSError:
        return {}
    found: dict[str, str | None] = {}
    for name in names:
        if extension(name) in PICTURE_EXTENSIONS:
            found |= dict.fromkeys(listed.models_of(name), name)
        else:
            for model in (*listed.models_of_sidecar(name), *listed.models_of_untaken(name)):
                found.setdefault(model)
    return found


def may_belong(name: str) -> bool:
    """Tell whether a file of this name may belong to a model beside it."""
    return may_be_sidecar(name) or extension(name) in PICTURE_EXTENSIONS or extension(name) in UNTAKEN_EXTENSIONS


@dataclass(slots=True)
class _Room:
    """How many bytes of sidecars may still be read for one answer."""

    left: int = BYTES_AT_ONCE


class _Look:
    """A look at one folder."""

    def __init__(
        self,
        folder: str,
        listed: Folder,
        is_far: Callable[[str], bool] | None,
        wall_ns: Callable[[], int],
        room: _Room,
    ) -> None:
        self._folder = folder
        self._listed = listed
        self._is_far = is_far
        self._wall_ns = wall_ns
        self._room = room

    def at(self, asked: Asked) -> Beside:
        """Look at what lies beside one model file."""
        found = Beside()
        for sidecar, path in self._unread(asked):
            if self._room.left <= 0 or (asked.patient and self._is_younger(sidecar, YOUNG_NS)):
                found.soon = True
                continue
            self._take(found, sidecar, path, patient=asked.patient)
        if asked.pictureless:
            self._look_for_picture(found, asked)
        if found.told or found.picture:
            found.model = _fingerprint(os.path.join(self._folder, asked.name))
        return found

    def _unread(self, asked: Asked) -> Iterator[tuple[Sidecar, str]]:
        for source, name in self._listed.sidecars_of(asked.name):
            path = os.path.join(self._folder, name)
            sidecar = self._as_it_is(path, source)
            if sidecar is not None and (source, sidecar.size, sidecar.mtime_ns) not in asked.known:
                yield sidecar, path

    def _as_it_is(self, path: str, source: str) -> Sidecar | None:
        """Look at a file without opening it; None where it is no file, or a link that is not followed."""
        try:
            seen = os.lstat(path)
            if stat.S_ISLNK(seen.st_mode):
                if not self._may_follow(path):
                    return None
                seen = os.stat(path)
        except OSError:
            return None
        return _sidecar(path, source, seen) if stat.S_ISREG(seen.st_mode) else None

    def _may_follow(self, link: str) -> bool:
        if self._is_far is not None and self._is_far(link):
            return False
        return extension(os.path.realpath(link)) == extension(link)

    def _is_younger(self, sidecar: Sidecar, age_ns: int) -> bool:
        return abs(self._wall_ns() - sidecar.mtime_ns) < age_ns

    def _take(self, found: Beside, sidecar: Sidecar, path: str, *, patient: bool) -> None:
        self._room.left -= sidecar.size
        read = _read(path, sidecar)
        if read is None:
            return
        sidecar, provided = read
        if provided is None:
            found.silent.append(sidecar)
        elif provided.problem and patient and self._is_younger(sidecar, BROKEN_NS):
            found.soon = True
        else:
            found.told.append((sidecar, provided))

    def _look_for_picture(self, found: Beside, asked: Asked) -> None:
        """Find a picture; where there is none that can be shown, say so of one that cannot."""
        picture = self._listed.picture_of(asked.name)
        if picture is not None:
            found.picture = os.path.join(self._folder, picture)
            return
        for name in self._listed.untaken_previews(asked.name):
            preview = self._as_it_is(os.path.join(self._folder, name), PREVIEW)
            if preview is None or (PREVIEW, preview.size, preview.mtime_ns) in asked.known:
                continue
            if asked.patient and self._is_younger(preview, YOUNG_NS):
                found.soon = True  # a picture may be on its way as well
            else:
                found.told.append((preview, Provided(problem=_untaken(name))))


def _untaken(name: str) -> str:
    kind = extension(name)[1:]
    what = f"a {kind} picture" if kind in _PICTURES else "a video preview"
    return f"{what} is not taken; put a PNG, JPEG or WebP picture of the same name beside the model"


def _sidecar(path: str, source: str, seen: os.stat_result) -> Sidecar:
    return Sidecar(to_text(path), source, seen.st_size, mtime_ns(seen))


def _read(path: str, sidecar: Sidecar) -> tuple[Sidecar, Provided | None] | None:
    """Read a sidecar as it is now; None where it went away."""
    # Not before the first one: the parsers bring YAML, and a process for a far file system may see no sidecar ever.
    from .formats import MAX_BYTES, parse

    try:
        with open_regular(path) as file:
            data = bytearray()
            while len(data) <= MAX_BYTES and (block := file.read(min(sidecar.size, MAX_BYTES) + 1)):
                data += block
            sidecar = _sidecar(path, sidecar.source, os.fstat(file.fileno()))
    except PermissionError as error:
        reason = f"it cannot be read ({error.strerror}); make it readable for the user that runs hikazed"
        return sidecar, Provided(problem=reason)
    except (OSError, ReadingStopped):
        return None
    return sidecar, parse(sidecar.source, bytes(data[: MAX_BYTES + 1]), shown(to_text(os.path.basename(path))))


def _fingerprint(path: str) -> tuple[int, int] | None:
    try:
        seen = stat_file(path)
    except OSError:
        return None
    return None if seen is None else (seen.size, seen.mtime_ns)
