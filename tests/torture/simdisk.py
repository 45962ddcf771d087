"""The disk of a story: real small files that the story changes, the hints that follow, and what is true in the end.

The kernel is played by `Disk`: it tells of each change as `daemon/watch.py` would, to whoever watches. The truth is
`truth`: a walk of its own, with the SHA-256 of every file, that shares no code with the daemon's look.
"""

import hashlib
import json
import os
import shutil
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hikaze.daemon.watch import Ending, Hint, Kind

from ..daemon.library import model_bytes

STEMS = (
    "a",
    "b",
    "Ä",  # one character
    "A\u0308",  # the same to a reader, two characters
    "\U0001f3a8 brush stroke",
    "-rf %41",
    "line\nfeed 'quoted\" \\ tab\t",
    "not\udcffutf\udcfe8",
    "long" * 59,
)
EXTENSIONS = (*[".safetensors"] * 8, ".SAFETENSORS", ".sft", ".safetensors.part", ".txt")
FOLDERS = ("s", "t u", "ünter", "raw\udce9", ".hidden", "loras")
CONTENTS = 8
MODEL_ENDINGS = (".safetensors", ".sft")
MARKER = ".aria2"
FIRST_TIME_NS = 4_000_000_000 * 10**9  # in the future, so that how long a story takes to tell says nothing of its files


def content(number: int) -> bytes:
    """Give a model's bytes; of every three contents two have one size."""
    return model_bytes(number, 256 if number % 3 else 512)


def is_model(path: str) -> bool:
    """Tell whether a story's file would be a model by its name."""
    name = os.path.basename(path)
    return name.lower().endswith(MODEL_ENDINGS) and not name.startswith(".")


def holds(folder: str, path: str) -> bool:
    """Tell whether a path is a folder or lies below it."""
    return path == folder or path.startswith(folder + os.sep)


def passes_hidden(folder: str, path: str) -> bool:
    """Tell whether a folder whose name starts with a dot lies on the way down to a path, or is it."""
    return any(part.startswith(".") for part in path[len(folder) :].split(os.sep))


@dataclass(frozen=True)
class Found:
    """A file that the walk met: its content, what a look would see of it, and whether it is whole and at rest."""

    sha256: str
    size: int
    mtime_ns: int
    ino: int
    whole: bool


@dataclass
class Open:
    """A file that somebody is writing: the rest is still to come. Moves do not disturb it."""

    path: str
    file: IO[bytes]
    rest: bytes
    ino: int


class Disk:
    """Folders below `top`: the roots, an `outside` nobody watches, and `away` for roots that are unplugged."""

    def __init__(self, top: Path, roots: dict[str, str]) -> None:
        """Make the folders; `roots` gives the path of each watched folder by its name."""
        self.top = str(top)
        self.roots = roots
        self.outside, self.away = f"{top}/outside", f"{top}/away"
        for folder in (*roots.values(), self.outside, self.away):
            os.mkdir(folder)
        self.watches: dict[str, str] = {}  # as it is shown -> the real folder
        self.hints: list[Hint] = []
        self.open: list[Open] = []
        self.short: dict[int, bytes] = {}  # by inode: what a shortened file lacks
        self.is_silent = False  # something was written through a name that nobody watches
        self.parked: dict[str, str] = {}  # by name: where the folder of a root is that is not at its place
        self._time_ns = FIRST_TIME_NS

    # What there is

    def is_here(self, name: str) -> bool:
        """Tell whether a root's own folder lies at its path."""
        return name not in self.parked

    def holds_models(self, name: str) -> bool:
        """Tell whether a model lies in what is at a root's path now."""
        return any(is_model(name) for _, _, names in _walk(self.roots[name]) for name in names)

    def folders(self) -> list[str]:
        """Give every real folder in which the story may do something."""
        tops = [path for path in (*self.roots.values(), self.outside) if os.path.isdir(path)]
        return [folder for top in tops for folder, _, _ in _walk(top)]

    def below(self) -> list[str]:
        """Give those folders that are no root and not `outside`."""
        tops = {*self.roots.values(), self.outside}
        return [folder for folder in self.folders() if folder not in tops]

    def files(self) -> list[str]:
        """Give every name of a file, links included, in those folders."""
        return [path for folder in self.folders() for path in _files(folder)]

    def models(self) -> list[str]:
        """Give those that are no links and have a model's name."""
        return [path for path in self.files() if is_model(path) and not os.path.islink(path)]

    def inventory(self) -> dict[str, tuple[int, int, int]]:
        """Give (inode, size, mtime) of every file that is no link, by path: also of what is away or in the trash."""
        found: dict[str, tuple[int, int, int]] = {}
        for top in (*self.roots.values(), self.outside, self.away, f"{self.top}/data/trash"):
            for folder, _, names in _walk(top, hidden=True):
                for name in names:
                    path = f"{folder}/{name}"
                    info = os.lstat(path)
                    if stat.S_ISREG(info.st_mode):
                        found[path] = info.st_ino, info.st_size, info.st_mtime_ns
        return found

    # What the story does to files

    def put(self, path: str, data: bytes) -> None:
        """Write a file from its beginning to its end; one that is there is written over in place."""
        is_new = not os.path.lexists(path)
        with open(path, "wb") as file:
            file.write(data)
        self.short.pop(os.stat(path).st_ino, None)
        self._new_time(path)
        self._tell("created", path, when=is_new)
        self._tell_written(path)

    def begin(self, path: str, data: bytes, done: int, *, preallocated: bool) -> None:
        """Write the first bytes of a new file and leave it open."""
        file = open(path, "wb")  # noqa: SIM115 - it stays open, as a download does
        if preallocated:
            file.truncate(len(data))
        file.write(data[:done])
        file.flush()
        self.open.append(Open(path, file, data[done:], os.fstat(file.fileno()).st_ino))
        self._tell("created", path)

    def finish(self, which: Open) -> None:
        """Write the rest of a file that is open, and close it."""
        self.open.remove(which)
        which.file.write(which.rest)
        which.file.close()
        for path in [path for path in self.files() if os.lstat(path).st_ino == which.ino]:
            self._new_time(path)
            self._tell_written(path)

    def append(self, path: str, data: bytes) -> None:
        """Write more at the end of a file."""
        with open(path, "ab") as file:
            file.write(data)
        self._new_time(path)
        self._tell_written(path)

    def shorten(self, path: str) -> None:
        """Take the end of a file away, as a failed copy leaves it."""
        data = Path(path).read_bytes()
        self.short.setdefault(os.stat(path).st_ino, data)
        with open(path, "r+b") as file:
            file.truncate(len(data) // 2)
        self._new_time(path)
        self._tell_written(path)

    def touch(self, path: str) -> None:
        """Give a file another time."""
        self._new_time(path)

    def mode(self, path: str, mode: int) -> None:
        """Change a file's permission bits."""
        os.chmod(path, mode)

    def move(self, path: str, target: str) -> None:
        """Rename a file, over another one perhaps, or a folder with all below it."""
        is_folder = os.path.isdir(path) and not os.path.islink(path)
        was, now = self._shown(path), self._shown(target)
        os.rename(path, target)
        for each in self.open:
            if holds(path, each.path):
                each.path = target + each.path[len(path) :]
        self._unwatch(path, "moved", deep=True)
        for each in now:
            self.hints.append(Hint("folder" if is_folder else "arrived", each, was[0] if was else None))
        for each in was[0 if not now else 1 :]:
            self.hints.append(Hint("folder-gone" if is_folder else "gone", each))

    def copy(self, path: str, target: str, *, keeps_time: bool) -> None:
        """Make a second file with the same content."""
        is_new = not os.path.lexists(target)
        shutil.copyfile(path, target)
        self.short.pop(os.stat(target).st_ino, None)
        if (lacking := self.short.get(os.stat(path).st_ino)) is not None:
            self.short[os.stat(target).st_ino] = lacking
        if keeps_time:
            shutil.copystat(path, target)
        else:
            self._new_time(target)
        self._tell("created", target, when=is_new)
        self._tell_written(target)

    def link(self, path: str, target: str) -> None:
        """Give a file a second name."""
        os.link(path, target, follow_symlinks=False)
        self._tell("created", target)

    def symlink(self, leads_to: str, path: str) -> None:
        """Make a link to a file, to a folder, or to nothing."""
        os.symlink(leads_to, path)
        self._tell("created", path)

    def delete(self, path: str) -> None:
        """Delete a file or a link."""
        os.unlink(path)
        self._tell("gone", path)

    def make_folder(self, path: str) -> None:
        """Make a folder."""
        os.mkdir(path)
        self._tell("folder", path)

    def delete_tree(self, top: str) -> None:
        """Delete a folder and all below it."""
        for folder, folders, names in os.walk(top, topdown=False):
            for name in [*names, *(each for each in folders if os.path.islink(f"{folder}/{each}"))]:
                self.delete(f"{folder}/{name}")
            shown = self._shown(folder)
            os.rmdir(folder)
            self.hints += [Hint("folder-gone", each) for each in shown if each not in self.watches]
            self._unwatch(folder, "deleted")

    def _new_time(self, path: str) -> None:
        self._time_ns += 1_000_000_007
        os.utime(path, ns=(self._time_ns, self._time_ns))

    # What the story does to roots

    def unplug(self, name: str) -> None:
        """Take a root's folder away."""
        path, place = self.roots[name], f"{self.away}/{name}"
        self._unwatch(path, "moved")
        os.rename(path, place)
        self.parked[name] = place

    def plug_in(self, name: str) -> None:
        """Put a root's own folder back, whatever lies at its path now."""
        path = self.roots[name]
        if os.path.isdir(path):
            self._unwatch(path, "moved")
            os.rename(path, f"{self.away}/was {name} {len(os.listdir(self.away))}")
        os.rename(self.parked.pop(name), path)

    def put_another(self, name: str, files: dict[str, bytes]) -> None:
        """Put another folder where a root's was taken away."""
        os.mkdir(self.roots[name])
        for each, data in files.items():
            Path(self.roots[name], each).write_bytes(data)
            self._new_time(f"{self.roots[name]}/{each}")

    def recreate(self, name: str) -> None:
        """Delete a root with all below it, and make it anew; its own folder is that one from now on."""
        self.delete_tree(self.roots[name])
        os.mkdir(self.roots[name])

    # What is told of it

    def _tell(self, kind: Kind, path: str, *, when: bool = True) -> None:
        if when:
            self.hints += [Hint(kind, shown) for shown in self._shown(path)]

    def _tell_written(self, path: str) -> None:
        self._tell("written", path)
        info = os.stat(path)
        if info.st_nlink > 1:
            names = [name for name in self.files() if os.lstat(name).st_ino == info.st_ino]
            is_heard = len(names) == info.st_nlink and all(is_model(name) and self._shown(name) for name in names)
            self.is_silent = self.is_silent or not is_heard

    def _unwatch(self, path: str, ended: Ending, *, deep: bool = False) -> None:
        """A watch ends with its folder, when that is moved or deleted; `deep`: those on folders below it too."""
        for shown, real in list(self.watches.items()):
            if real == path or (deep and holds(path, real)):
                del self.watches[shown]
                self.hints.append(Hint("folder-gone", shown, ended=ended))

    def tell_echo(self, before: dict[str, tuple[int, int, int]], after: dict[str, tuple[int, int, int]]) -> None:
        """Tell of what the daemon itself did to files between two inventories."""
        was = {state[0]: path for path, state in before.items() if path not in after}
        for path, state in after.items():
            if path not in before:
                came_from = self._shown(was.pop(state[0], ""))
                for shown in self._shown(path):
                    self.hints.append(Hint("arrived", shown, came_from[0] if came_from else None))
        for path in was.values():
            self._tell("gone", path)

    def _shown(self, path: str) -> list[str]:
        """Give the names under which a path is watched; hidden folders are not."""
        return [
            shown + path[len(real) :]
            for shown, real in self.watches.items()
            if holds(real, path) and not passes_hidden(real, os.path.dirname(path))
        ]

    # The truth

    def truth(self, name: str) -> dict[str, Found]:
        """Give what lies in a root now, as a person who reads the rules would find it."""
        others = [path for other, path in self.roots.items() if other != name and os.path.isdir(path)]
        open_now = {each.ino for each in self.open}
        found: dict[str, Found] = {}
        for path in _visible(self.roots[name], others):
            if is_model(path) and (seen := _found(path, open_now)) is not None:
                found[path] = seen
        return found


def _found(path: str, open_now: set[int]) -> Found | None:
    try:
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode):
            return None
        data = Path(path).read_bytes()
    except OSError:
        return None
    whole = info.st_ino not in open_now and not os.path.lexists(path + MARKER) and _is_whole(data)
    return Found(hashlib.sha256(data).hexdigest(), info.st_size, info.st_mtime_ns, info.st_ino, whole)


def _is_whole(data: bytes) -> bool:
    if len(data) < 8:
        return False
    (length,) = struct.unpack_from("<Q", data)
    if length > len(data) - 8:
        return False
    header = json.loads(data[8 : 8 + length])
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return len(data) >= 8 + length + max(ends)


def _visible(root: str, others: list[str]) -> list[str]:
    """Give all that is no folder in a root: real folders first, then links to folders, each target once."""
    barred = {_ident(path) for path in others} - {_ident(root)}
    homes, entered = [os.path.realpath(root)], set[tuple[int, int]]()
    found, links = list[str](), list[str]()

    def enter(folder: str) -> None:
        entered.add(_ident(folder))
        for name in sorted(os.listdir(folder)):
            path = f"{folder}/{name}"
            if not os.path.isdir(path):
                found.append(path)
            elif name.startswith(".") or _ident(path) in barred:
                continue
            elif os.path.islink(path):
                links.append(path)
            else:
                enter(path)

    def is_followed(link: str) -> bool:
        target = os.path.realpath(link)
        if _ident(target) in entered or holds(target, homes[0]):
            return False
        if any(holds(home, target) and not passes_hidden(home, target) for home in homes):
            return False
        above = [target]
        while above[-1] != "/":
            above.append(os.path.dirname(above[-1]))
        return not any(_ident(each) in barred for each in above)

    enter(root)
    while links:
        level = sorted(links)
        links.clear()
        for link in level:
            if is_followed(link):
                homes.append(os.path.realpath(link))
                enter(link)
    return found


def _ident(path: str) -> tuple[int, int]:
    info = os.stat(path)
    return info.st_dev, info.st_ino


def _walk(top: str, *, hidden: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(each for each in folders if hidden or each != ".hikaze-trash")
        yield folder, folders, sorted(names)


def _files(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.path for entry in entries if entry.is_symlink() or not entry.is_dir())
