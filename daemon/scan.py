"""The look at the disk: what is there now against what is known. Watchers only hint; this is the truth.

Which folders are entered, everywhere in the same way:

- A folder whose name starts with a dot is not (`.git`, `.cache`, our own `.hikaze-trash`).
- A link to a folder is followed, as ComfyUI does, but once per target; not when its files can be reached
  without it, not to a folder that holds the link, and not into another watched root. Real folders are looked
  at first, so that a file which can be reached both ways is known by its real path.
- Nothing is entered below 64 levels, which ends whatever loop is left.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from errno import ELOOP, ENOENT, ENOTDIR

from .filetime import mtime_ns
from .names import is_model_name

DEEPEST = 64

Known = tuple[int, int, int]
"""Size in bytes, mtime in ns and inode of a file as it was last seen."""

_BY_DESCRIPTOR = os.scandir in os.supports_fd
_OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_DANGLING = "is a link to a folder that is not there: connect its drive, or delete the link"
_NOT_THERE = frozenset({ENOENT, ENOTDIR, ELOOP})


class StoppedError(Exception):
    """The look was given up half-way because it was told to stop; it says nothing about any file."""


@dataclass(slots=True)
class Seen:
    """A regular file as it lies on the disk; of a link to a file the path is the link's, the rest the file's."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    dev: int
    ino: int
    nlink: int


@dataclass(slots=True)
class Look:
    """What a look found, against what was known."""

    new: list[Seen] = field(default_factory=list[Seen])
    changed: list[Seen] = field(default_factory=list[Seen])
    """Known paths whose size, mtime or inode is another now."""
    gone: list[str] = field(default_factory=list[str])
    """Known paths in the part looked at that are not there; true only if the root is still the same after it."""
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Files and folders that could not be looked at, and why; nothing known there or below counts as gone."""
    links: dict[str, str] = field(default_factory=dict[str, str])
    """Followed links to folders, and the real path of each one's target."""
    known_in: dict[str, int] = field(default_factory=dict[str, int], compare=False)
    """The folders in which known files lie as they are known, and the device of each."""
    new_in: dict[str, int] = field(default_factory=dict[str, int], compare=False)
    """The folders in which only other files lie, and the device of each."""
    astray: list[str] = field(default_factory=list[str])
    """Known paths that lie behind a link which is not followed, because what is there is reached without it."""
    far: list[str] = field(default_factory=list[str])
    """Links that were not followed because they lead to where a look may hang; nothing known there counts as gone."""
    folders: int = 0
    files: int = 0

    def join(self, other: "Look") -> None:
        """Add what a look at another part of the same root found."""
        self.new += other.new
        self.changed += other.changed
        self.gone += other.gone
        self.unreadable += other.unreadable
        self.links |= other.links
        self.known_in |= other.known_in
        self.new_in |= other.new_in
        self.astray += other.astray
        self.far += other.far
        self.folders += other.folders
        self.files += other.files


def is_hidden(name: str) -> bool:
    """Tell whether a folder of this name is left out, by the look and by the watcher."""
    return name.startswith(".")


def is_too_deep(root: str, path: str) -> bool:
    """Tell whether a file lies so deep in a root that no look enters its folder: a hint of it is left alone as well."""
    return path.count(os.sep) - root.rstrip(os.sep).count(os.sep) - 1 > DEEPEST


def look(
    root: str,
    known: Mapping[str, Known],
    *,
    barred: Collection[tuple[int, int]] = (),
    closed: Collection[str] = (),
    under: str | None = None,
    followed: Mapping[str, str] | None = None,
    wanted: Callable[[str], bool] = is_model_name,
    stop: Callable[[], bool] | None = None,
    is_far: Callable[[str], bool] | None = None,
) -> Look:
    """Look at a root, or with `under` only at that folder of it, and compare it with what is known.

    `barred` are (device, inode) of the watched roots, `closed` the paths of those that may not be touched. `followed`
    is what the last whole look gave as `links`; it lets a look at a part follow the links that a whole look would. A
    name is looked at if `wanted` says so or its path is known. `stop` is asked once a folder; when it says yes the look
    ends with StoppedError. A link that `is_far` says leads to where a look may hang is not touched, and given as `far`.

    A root that cannot be reached is `unreadable`, and nothing is gone. Raises ValueError if `under` is elsewhere.
    """
    root = root.rstrip(os.sep) or os.sep
    start = (under or root).rstrip(os.sep) or os.sep
    if start != root and not start.startswith(_inside(root)):
        raise ValueError(f"{start!r} is not below the root {root!r}: give a folder of that root.")
    walk = _Walk(root, start, known, frozenset(barred), frozenset(closed), followed or {}, wanted, stop, is_far)
    if not _passes_hidden(root, start):
        walk.go()
    return walk.found


def stat_file(path: str) -> Seen | None:
    """Look at one file; None when there is none, or what is there is no regular file. Raises OSError else."""
    try:
        info = os.stat(path)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise
    return _seen(path, info) if stat.S_ISREG(info.st_mode) else None


def siblings(folder: str) -> list[str]:
    """Give the names in a folder that are not folders, sorted; none if it is not there. Raises OSError else."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not entry.is_dir())
    except OSError as error:
        if error.errno in _NOT_THERE:
            return []
        raise


class _Walk:
    """One look on its way."""

    def __init__(
        self,
        root: str,
        start: str,
        known: Mapping[str, Known],
        barred: frozenset[tuple[int, int]],
        closed: frozenset[str],
        followed: Mapping[str, str],
        wanted: Callable[[str], bool],
        stop: Callable[[], bool] | None,
        is_far: Callable[[str], bool] | None,
    ) -> None:
        self.found = Look()
        self._root = root
        self._start = start
        self._known = known
        self._barred = barred
        self._closed = closed
        self._wanted = wanted
        self._stop = stop
        self._is_far = is_far
        self._real_root = os.path.realpath(root)
        # Real folders all of whose content is reached from here without one more link.
        self._homes = [self._real_root]
        self._homes += [
            target for link, target in followed.items() if not _holds(start, link) and not _holds(link, start)
        ]
        self._entered: set[tuple[int, int]] = set()
        self._met: list[str] = []
        self._left_out: set[str] = set()
        self._dangling: set[str] = set()
        self._needless: set[str] = set()  # links that are not followed, because their targets are reached without
        self._links: list[tuple[str, int]] = []

    def go(self) -> None:
        if not self._root_is_there():
            return
        if all(self._may_follow(link) for link in self._links_on_the_way()):
            depth = self._start.count(os.sep) - self._root.rstrip(os.sep).count(os.sep)
            self._enter(self._start, depth, _OPEN_FOLDER)
            self._follow_links()
        self._compare_with_known()

    def _links_on_the_way(self) -> Iterator[str]:
        """Give the links that lead from the root to where the look starts; they are followed or not as any other."""
        path = self._root.rstrip(os.sep)
        for name in self._start[len(path) :].split(os.sep)[1:]:
            path += os.sep + name
            if os.path.islink(path):
                yield path

    def _root_is_there(self) -> bool:
        try:
            with _opened(self._root, _OPEN_FOLDER) as (_, ident):
                self._barred -= {ident}
                return True
        except OSError as error:
            self._leave_out(self._root, _reason(error))
            return False

    def _enter(self, top: str, depth: int, flags: int) -> None:
        """List a folder and all real folders below it; links to folders are kept for later."""
        waiting = [(top, depth, frozenset[tuple[int, int]]())]
        while waiting:
            folder, depth, above = waiting.pop()
            if self._stop is not None and self._stop():
                raise StoppedError(f"The look at {self._root!r} was told to stop.")
            if folder in self._closed:
                self._left_out.add(folder)
                continue
            if depth > DEEPEST:
                self._leave_out(folder, f"lies more than {DEEPEST} folders deep: move it up to have it seen")
                continue
            try:
                with _opened(folder, flags) as (where, ident):
                    flags = _OPEN_FOLDER | _NO_LINK
                    if ident in above:
                        continue
                    if ident in self._barred:
                        self._left_out.add(folder)
                        continue
                    self._entered.add(ident)
                    below = above | {ident}
                    waiting += [(path, depth + 1, below) for path in self._list(where, folder, depth, ident[0])]
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    self._leave_out(folder, _reason(error))

    def _list(self, where: int | str, folder: str, depth: int, device: int) -> list[str]:
        """Look at each entry of one folder; give the real folders in it. Its loop must do 100,000 in 0.5 s."""
        found, known_at, meet, wanted = self.found, self._known.get, self._met.append, self._wanted
        is_far = self._is_far
        prefix = _inside(folder)
        folders: list[str] = []
        files, changed = found.files, len(found.new) + len(found.changed)
        found.folders += 1
        with os.scandir(where) as entries:
            for entry in entries:
                name = entry.name
                path = prefix + name
                row = known_at(path)
                try:
                    if row is None:
                        if entry.is_dir(follow_symlinks=False):
                            if not is_hidden(name):
                                folders.append(path)
                            continue
                        if not wanted(name) and not entry.is_symlink():
                            continue
                    if is_far is not None and entry.is_symlink() and is_far(path):
                        self._left_out.add(path)
                        found.far.append(path)
                        continue
                    # On Windows an entry's own stat has neither inode nor device.
                    info = entry.stat() if _BY_DESCRIPTOR else os.stat(path)
                except OSError as error:
                    self._could_not_look(path, error, known=row is not None)
                    continue
                if info.st_mode & 0o170000 == 0o100000:
                    if row is None:
                        if wanted(name):
                            found.files += 1
                            found.new.append(_seen(path, info))
                        continue
                    found.files += 1
                    meet(path)
                    if row != (info.st_size, mtime_ns(info), info.st_ino):
                        found.changed.append(_seen(path, info))
                elif stat.S_ISDIR(info.st_mode) and not is_hidden(name):
                    if entry.is_symlink():
                        self._links.append((path, depth + 1))
                    else:
                        folders.append(path)
        if found.files > files:
            is_known = found.files - files > len(found.new) + len(found.changed) - changed
            (found.known_in if is_known else found.new_in)[folder] = device
        return folders

    def _could_not_look(self, path: str, error: OSError, *, known: bool) -> None:
        if error.errno in _NOT_THERE:
            # Vanished since it was listed, or a link to nothing, perhaps to a folder on an unplugged drive.
            self._dangling.add(path)
        elif known or self._wanted(os.path.basename(path)) or os.path.islink(path):
            self._leave_out(path, _reason(error))

    def _follow_links(self) -> None:
        """Follow links level by level, each in order of name, so that every look follows the same ones."""
        while self._links:
            level, self._links = sorted(self._links), []
            for path, depth in level:
                self._follow(path, depth)

    def _follow(self, link: str, depth: int) -> None:
        if self._may_follow(link):
            self.found.links[link] = self._homes[-1]
            self._enter(link, depth, _OPEN_FOLDER)

    def _may_follow(self, link: str) -> bool:
        """Decide about a link to a folder; if it is followed its target is the last of the homes."""
        if self._is_far is not None and self._is_far(link):
            self._left_out.add(link)
            self.found.far.append(link)
            return False
        try:
            info = os.stat(link)
        except OSError as error:
            self._leave_out(link, _DANGLING if error.errno in _NOT_THERE else _reason(error))
            return False
        target = os.path.realpath(link)
        if self._is_reached_anyway(target, (info.st_dev, info.st_ino)) or self._is_barred(target):
            self._needless.add(link)
            return False
        self._homes.append(target)
        return True

    def _is_reached_anyway(self, target: str, ident: tuple[int, int]) -> bool:
        """Tell whether a target is looked at without the link, or holds the root and with it the link."""
        if ident in self._entered or _holds(target, self._real_root):
            return True
        return any(_holds(home, target) and not _passes_hidden(home, target) for home in self._homes)

    def _is_barred(self, target: str) -> bool:
        """Tell whether a target is another watched root or lies in one."""
        if any(_holds(folder, target) for folder in self._closed):
            return True
        while self._barred:
            info = _stat_or_none(target)
            if info is not None and (info.st_dev, info.st_ino) in self._barred:
                return True
            above = os.path.dirname(target)
            if above == target:
                break
            target = above
        return False

    def _leave_out(self, path: str, reason: str) -> None:
        self._left_out.add(path)
        self.found.unreadable.append((path, reason))

    def _compare_with_known(self) -> None:
        """Find what is gone: known, in the part looked at, not met, and not where nothing could be seen."""
        if len(self._met) == len(self._known):
            return
        prefix = _inside(self._start)
        missing = sorted(path for path in self._known.keys() - set(self._met) if path.startswith(prefix))
        if self._needless:
            self.found.astray = [path for path in missing if self._lies_behind_needless(path)]
            missing = sorted(set(missing) - set(self.found.astray))
        if not self._left_out and not self._dangling:
            self.found.gone = missing
            return
        for path in missing:
            if not self._lies_in_the_dark(path):
                self.found.gone.append(path)

    def _lies_behind_needless(self, path: str) -> bool:
        return any(_holds(link, path) for link in self._needless)

    def _lies_in_the_dark(self, path: str) -> bool:
        if path in self._left_out:
            return True
        folder = os.path.dirname(path)
        while len(folder) >= len(self._root):
            if folder in self._dangling:
                self._dangling.remove(folder)
                self._leave_out(folder, _DANGLING)
            if folder in self._left_out:
                return True
            folder = os.path.dirname(folder)
        return False


@contextlib.contextmanager
def _opened(folder: str, flags: int) -> Iterator[tuple[int | str, tuple[int, int]]]:
    """Open a folder for listing: by descriptor where possible, which spares resolving each file's path."""
    if not _BY_DESCRIPTOR:
        info = os.stat(folder)
        yield folder, (info.st_dev, info.st_ino)
        return
    descriptor = os.open(folder, flags)
    try:
        info = os.fstat(descriptor)
        yield descriptor, (info.st_dev, info.st_ino)
    finally:
        os.close(descriptor)


def _seen(path: str, info: os.stat_result) -> Seen:
    return Seen(path, info.st_size, mtime_ns(info), info.st_ctime_ns, info.st_dev, info.st_ino, info.st_nlink)


def _stat_or_none(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _inside(folder: str) -> str:
    return folder.rstrip(os.sep) + os.sep


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(_inside(folder))


def _passes_hidden(folder: str, path: str) -> bool:
    return any(is_hidden(name) for name in path[len(_inside(folder)) :].split(os.sep))


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
