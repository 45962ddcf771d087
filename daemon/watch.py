"""Hints from the operating system that something changed below a folder. A hint is a reason to look, never a fact.

Hints can be late, doubled, out of date or (after "lost") missing. On Linux they come from inotify through
watchdog's binding; its observer is passed by there, because watchdog 7.1.0 (found by experiment, see the tests)
ends its thread with a KeyError once a folder was moved out, made anew and both were deleted, holds every hint
back for 0.5 s behind a file that was moved out, says nothing when the kernel drops events or refuses watches,
and rebuilds its watches on the queue that overflowed, which above some 16,000 folders overflows it again, for
ever. Elsewhere it is watchdog's observer for the platform.
"""

import ctypes
import errno
import logging
import os
import select
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Literal, Protocol

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

from .scan import is_hidden

if sys.platform == "linux":
    from watchdog.observers.inotify_c import (
        InotifyConstants,
        inotify_add_watch,
        inotify_init,
        inotify_rm_watch,
    )

Kind = Literal["arrived", "written", "created", "gone", "folder", "folder-gone", "lost"]
Ending = Literal["deleted", "moved", "unmounted"]

WATCH_LIMIT = "/proc/sys/fs/inotify/max_user_watches"
INSTANCE_LIMIT = "/proc/sys/fs/inotify/max_user_instances"
QUEUE_LIMIT = "/proc/sys/fs/inotify/max_queued_events"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hint:
    """Something may have happened at a path.

    arrived      a file was renamed to this path, complete in one step; `came_from` its old path if that was watched
    written      a file that was open for writing was closed
    created      a file appeared, perhaps still empty; or a link, perhaps to a folder; or another name of a file
    gone         a file was deleted or moved out of sight
    folder       a folder appeared or was renamed to this path: look at all below it, and at `came_from`
    folder-gone  a folder was deleted, moved away or unmounted; a watched folder itself is watched no longer then
    lost         hints were dropped: look at all of this watched folder
    """

    kind: Kind
    path: str
    came_from: str | None = None
    ended: Ending | None = field(default=None, compare=False)
    """What became of a watched folder that is gone, where that was witnessed; else nothing is known of it."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """The system grants fewer watches than there are folders; changes in the others give no hint."""

    watches: int
    folders: int
    limit: int
    """What one user may hold in all programs together; 0 if it cannot be told."""
    cure: str
    """The command that lifts the limit until the next start of the machine."""
    where: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many folders go unwatched, by watched folder, as it is shown."""


class Watcher:
    """Watches folders with all that is below them.

    `deliver` is called from a thread of the watcher's, one call at a time. Be quick there: while it does not
    return the system's queue of events fills up. It may call the methods of the watcher.
    """

    def __init__(self, deliver: Callable[[Hint], None]) -> None:
        self._source: _Source = _Inotify(deliver) if sys.platform == "linux" else PlatformObserver(deliver)

    def watch(self, folder: str, shown_as: str | None = None) -> None:
        """Watch a folder; its paths are reported below `shown_as` where that is given (for a followed link).

        Once it returns, look: what happened before it gives no hint. Watching a folder again tries those below
        it that the system refused to watch before. Raises FileNotFoundError when there is no such folder, and
        OSError when the system grants no more inotify instances.
        """
        real = os.path.realpath(folder)
        if not os.path.isdir(real):
            raise FileNotFoundError(errno.ENOENT, "There is no folder to watch here", folder)
        self._source.watch(real, _without_end(shown_as or folder))

    def unwatch(self, folder: str, shown_as: str | None = None) -> None:
        """Stop watching what was watched with the same arguments; nothing happens if it is not watched."""
        self._source.unwatch(_without_end(shown_as or folder))

    def watched(self) -> frozenset[str]:
        """Give the watched folders, as they are shown."""
        return self._source.watched()

    def shortage(self) -> Shortage | None:
        """Tell whether folders go unwatched because the system's limit is reached."""
        return self._source.shortage()

    def cover(self) -> list[str]:
        """Try again to watch what the system refused to watch; gives the watched folders in which it took some.

        Look at those: what happened before it gave no hint.
        """
        return self._source.cover()

    def close(self) -> None:
        """Stop all watching; no hint is delivered after it returns."""
        self._source.close()


class _Source(Protocol):
    """Where hints come from on one kind of system."""

    def watch(self, real: str, shown: str) -> None: ...
    def unwatch(self, shown: str) -> None: ...
    def watched(self) -> frozenset[str]: ...
    def shortage(self) -> Shortage | None: ...
    def cover(self) -> list[str]: ...
    def close(self) -> None: ...


# Linux


_EVENT = struct.Struct("iIII")  # struct inotify_event: wd, mask, cookie, len; then the name, see inotify(7)
_BUFFER_BYTES = 1 << 17
_SECOND_HALF_MS = 2
_CALM_S = 60.0


@dataclass(slots=True)
class Backoff:
    """How long to wait before watches are built anew: not at all three times in a row, then ever longer."""

    in_a_row: int = 0
    last_s: float = float("-inf")

    def pause_s(self, now_s: float) -> float:
        """Give the pause in seconds, by a monotonic clock; after a minute of calm it starts over."""
        self.in_a_row = self.in_a_row + 1 if now_s - self.last_s < _CALM_S else 1
        self.last_s = now_s
        return 0.0 if self.in_a_row <= 3 else min(5.0, 0.1 * 2 ** (self.in_a_row - 4))


if sys.platform == "linux":
    _IN = InotifyConstants
    _MASK = (
        # Created, closed after writing, deleted and moved; opening and reading are left out, so that our own
        # looks make no events.
        _IN.IN_CREATE | _IN.IN_CLOSE_WRITE | _IN.IN_DELETE | _IN.IN_MOVE | _IN.IN_DELETE_SELF | _IN.IN_MOVE_SELF
        | _IN.IN_ONLYDIR | _IN.IN_DONT_FOLLOW | _IN.IN_EXCL_UNLINK
    )  # fmt: skip
    _ENDED = _IN.IN_DELETE_SELF | _IN.IN_MOVE_SELF | _IN.IN_UNMOUNT


@dataclass(frozen=True, slots=True)
class _Event:
    watch: int
    mask: int
    cookie: int
    name: str


class _Instance:
    """One inotify instance: a queue of events in the kernel, and watches that fill it."""

    def __init__(self) -> None:
        self._descriptor = inotify_init()
        if self._descriptor == -1:
            about = "The system grants no more inotify instances: raise fs.inotify.max_user_instances"
            raise OSError(ctypes.get_errno(), about)
        os.set_inheritable(self._descriptor, False)
        self._end_of_wait, self._wake = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._poll.register(self._end_of_wait, select.POLLIN)

    def add(self, folder: str) -> int:
        """Watch one folder; gives the number of the watch, the same one for the same inode. Raises OSError."""
        watch = inotify_add_watch(self._descriptor, os.fsencode(folder), _MASK)
        if watch == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), folder)
        return watch

    def remove(self, watch: int) -> None:
        """End a watch; it may have ended by itself."""
        inotify_rm_watch(self._descriptor, watch)  # pyright: ignore[reportArgumentType]

    def read(self) -> list[_Event]:
        """Wait for events and give those there are; none once `interrupt` was called."""
        events = self._read_within(None)
        if events and events[-1].mask & _IN.IN_MOVED_FROM:
            # Read right between the halves of a rename, perhaps: the kernel queues them one after the other.
            events += self._read_within(_SECOND_HALF_MS)
        return events

    def _read_within(self, timeout_ms: int | None) -> list[_Event]:
        ready = {descriptor for descriptor, _ in self._poll.poll(timeout_ms)}
        if not ready or self._end_of_wait in ready:
            return []
        return list(_parsed(os.read(self._descriptor, _BUFFER_BYTES)))

    def interrupt(self) -> None:
        """Let `read` return, now and from now on."""
        os.write(self._wake, b"!")

    def close(self) -> None:
        """Give the instance back with all its watches; not while another thread reads."""
        for descriptor in (self._descriptor, self._end_of_wait, self._wake):
            os.close(descriptor)


def _parsed(data: bytes) -> Iterator[_Event]:
    at = 0
    while at < len(data):
        watch, mask, cookie, length = _EVENT.unpack_from(data, at)
        start = at + _EVENT.size
        at = start + length
        yield _Event(watch, mask, cookie, os.fsdecode(data[start:at].rstrip(b"\0")))


@dataclass(slots=True, eq=False)
class _Tree:
    """A watched folder and the watches below it."""

    real: str
    shown: str
    folders: dict[int, str] = field(default_factory=dict[int, str])
    """Watch -> folder, as what is appended to `real` and `shown`: empty for the top, else it begins with "/"."""
    refused: set[str] = field(default_factory=set[str])
    """Folders that the system's limit left unwatched, in the same form."""


@dataclass(frozen=True, slots=True)
class _Departure:
    """The first half of a rename; the second follows, unless the file went where nobody watches."""

    tree: _Tree
    path: str
    is_folder: bool


@dataclass(frozen=True, slots=True)
class _Moves:
    """The renames among the events that were read together, by the number the kernel gives to both halves."""

    completed: set[int]
    """Those whose second half was read."""
    begun: dict[int, list[_Departure]] = field(default_factory=dict[int, list[_Departure]])


class _Inotify:
    """Hints from inotify: one instance and one thread for all watched folders."""

    def __init__(self, deliver: Callable[[Hint], None]) -> None:
        self._deliver = deliver
        self._lock = threading.RLock()
        self._trees: dict[str, _Tree] = {}
        self._instance: _Instance | None = None
        self._thread: threading.Thread | None = None
        self._serving: threading.Thread | None = None
        self._closing = threading.Event()
        self._backoff = Backoff()

    def watch(self, real: str, shown: str) -> None:
        with self._lock:
            self._start()
            tree = self._trees.get(shown)
            if tree is None or tree.real != real:
                self.unwatch(shown)
                tree = self._trees[shown] = _Tree(real, shown)
            tops = sorted(tree.refused) or [""]
        try:
            for top in tops:
                self._cover(tree, top)
        except OSError:
            self.unwatch(shown)
            raise

    def unwatch(self, shown: str) -> None:
        with self._lock:
            tree = self._trees.pop(shown, None)
            if tree is not None:
                self._drop(tree, "")

    def watched(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._trees)

    def shortage(self) -> Shortage | None:
        with self._lock:
            held = sum(len(tree.folders) for tree in self._trees.values())
            where = {tree.shown: len(tree.refused) for tree in self._trees.values() if tree.refused}
        refused = sum(where.values())
        return replace(shortage_of(held, held + refused, limit(WATCH_LIMIT)), where=where) if refused else None

    def cover(self) -> list[str]:
        with self._lock:
            lacking = {tree.shown: (tree, sorted(tree.refused)) for tree in self._trees.values() if tree.refused}
        covered: list[str] = []
        for shown, (tree, folders) in lacking.items():
            for done, folder in enumerate(folders):
                self._cover(tree, folder)
                if folder in tree.refused:  # the limit is as it was: the others would be refused as well
                    folders = folders[:done]
                    break
            if folders:
                covered.append(shown)
        return covered

    def close(self) -> None:
        self._closing.set()
        with self._lock:
            self._trees.clear()
            thread, self._thread = self._thread, None
            if thread is None:
                return
            if self._instance is not None:
                self._instance.interrupt()
        if thread is not threading.current_thread():
            # A file system that does not answer may hold the thread for ever; it is a daemon thread.
            thread.join(timeout=5)

    def _start(self) -> None:
        if self._closing.is_set():
            raise RuntimeError("The watcher is closed: make a new one.")
        if self._thread is None:
            self._instance = _Instance()
            self._thread = threading.Thread(target=self._serve, name="hikaze-watch", daemon=True)
            self._serving = self._thread
            self._thread.start()

    # In the watcher's thread

    def _serve(self) -> None:
        whole = True
        while self._serves():
            try:
                whole = self._pass_on() if whole else self._start_afresh()
            except Exception:  # noqa: BLE001 - the thread's outermost edge
                # A hint may have been lost with it, so this is handled as when the kernel drops events.
                _log.exception("Watching failed; all watched folders are looked at again")
                whole = False
        with self._lock:
            if self._instance is not None and self._serving is threading.current_thread():
                self._instance.close()
                self._instance = None

    def _serves(self) -> bool:
        with self._lock:
            return self._serving is threading.current_thread() and not self._closing.is_set()

    def _pass_on(self) -> bool:
        """Wait for events and deliver what they hint at; False when the kernel has dropped some."""
        if self._instance is None:
            return False
        events = self._instance.read()
        if any(event.mask & _IN.IN_Q_OVERFLOW for event in events):
            _log.warning("The kernel dropped file events; all watched folders are looked at again")
            return False
        with self._lock:
            hints = self._understood(events)
        self._tell(hints)
        return True

    def _start_afresh(self) -> bool:
        """Build all watches on a new instance, as inotify(7) advises after an overflow, and report the loss.

        Removing watches puts an event for each into the queue, and above 16,384 of them overflows it again.
        """
        with self._lock:
            if self._instance is not None:
                self._instance.close()
                self._instance = None
        if self._closing.wait(self._backoff.pause_s(time.monotonic())):
            return False
        with self._lock:
            if self._closing.is_set():
                return False
            trees = list(self._trees.values())
            try:
                self._instance = _Instance()
            except OSError as error:
                return self._give_up(trees, error)
            for tree in trees:
                tree.folders.clear()
                tree.refused.clear()
        for tree in trees:
            try:
                self._cover(tree, "")
                hint = Hint("lost", tree.shown)
            except OSError:
                self.unwatch(tree.shown)
                hint = Hint("folder-gone", tree.shown)
            self._tell([hint])
        return True

    def _give_up(self, trees: list[_Tree], error: OSError) -> bool:
        """End the thread: the system grants no instance any more. Whoever watches anew is told so, or starts it."""
        _log.warning("Watching ended: %s", error.strerror)
        self._trees.clear()
        self._thread = self._serving = None
        self._tell([Hint("folder-gone", tree.shown) for tree in trees])
        return True

    def _tell(self, hints: list[Hint]) -> None:
        for hint, _ in groupby(hints):
            if self._closing.is_set():
                return
            self._deliver(hint)

    # With the lock held

    def _understood(self, events: list[_Event]) -> list[Hint]:
        hints: list[Hint] = []
        # A first half of a rename without the second in what was read is taken for a move out, and the second,
        # should it come later, for a move in: so nothing need be kept and wait for a timer.
        moves = _Moves({event.cookie for event in events if event.mask & _IN.IN_MOVED_TO})
        for event in events:
            for tree in list(self._trees.values()):
                folder = tree.folders.get(event.watch)
                if folder is None:
                    continue
                if event.name:
                    hints += self._entry_changed(tree, f"{folder}/{event.name}", event, moves)
                else:
                    hints += self._folder_ended(tree, folder, event)
        for cookie in list(moves.begun):
            hints += self._moved_out(moves.begun.pop(cookie))
        return hints

    def _folder_ended(self, tree: _Tree, folder: str, event: _Event) -> list[Hint]:
        """Take in what happened to a watched folder itself."""
        if event.mask & _IN.IN_IGNORED:
            tree.folders.pop(event.watch, None)
            return []
        if not event.mask & _ENDED or (folder and not event.mask & _IN.IN_UNMOUNT):
            # Of a folder below the top, its parent's events tell more.
            return []
        if not folder:
            self.unwatch(tree.shown)
        return [Hint("folder-gone", tree.shown + folder, ended=_ending(event.mask))]

    def _entry_changed(self, tree: _Tree, path: str, event: _Event, moves: _Moves) -> list[Hint]:
        """Take in what happened to something in a watched folder."""
        is_folder = bool(event.mask & _IN.IN_ISDIR)
        out_of_sight = is_folder and is_hidden(event.name)
        shown = tree.shown + path
        if event.mask & _IN.IN_MOVED_FROM:
            departure = _Departure(tree, path, is_folder)
            if event.cookie not in moves.completed:
                return [] if out_of_sight else self._moved_out([departure])
            if not out_of_sight:
                moves.begun.setdefault(event.cookie, []).append(departure)
            return []
        if event.mask & _IN.IN_MOVED_TO:
            departures = moves.begun.pop(event.cookie, [])
            if out_of_sight:
                return self._moved_out(departures)
            came_from = self._arrival(tree, path, departures, is_folder=is_folder)
            return [Hint("folder" if is_folder else "arrived", shown, came_from)]
        if out_of_sight:
            return []
        if event.mask & _IN.IN_CREATE:
            if not is_folder:
                return [Hint("created", shown)]
            # One that is watched already came with the folder above it, whose hint says to look below.
            return [Hint("folder", shown)] if self._cover(tree, path) else []
        if event.mask & _IN.IN_DELETE:
            if is_folder:
                tree.refused = {folder for folder in tree.refused if not _is_at_or_below(folder, path)}
            return [Hint("folder-gone" if is_folder else "gone", shown)]
        return [Hint("written", shown)] if event.mask & _IN.IN_CLOSE_WRITE else []

    def _arrival(self, tree: _Tree, path: str, departures: list[_Departure], *, is_folder: bool) -> str | None:
        """Bring the watches along with what was renamed to a path; give the shown path it had before."""
        source = next((one for one in departures if one.tree is tree), departures[0] if departures else None)
        if is_folder:
            for departure in departures:
                if departure.tree is tree:
                    _rename(tree, departure.path, path)
                    # What lies at the old path by now may have been watched there before this event was read.
                    self._cover(tree, departure.path)
                else:
                    self._drop(departure.tree, departure.path)
            # An earlier walk may have lost its way in this folder because of the rename.
            self._cover(tree, path, again=True)
        return source.tree.shown + source.path if source else None

    def _moved_out(self, departures: list[_Departure]) -> list[Hint]:
        """Let go of what was moved out of sight; a new folder may have taken its path already."""
        hints: list[Hint] = []
        for departure in departures:
            tree, path = departure.tree, departure.path
            if departure.is_folder:
                self._drop(tree, path)
                hints.append(Hint("folder" if self._cover(tree, path) else "folder-gone", tree.shown + path))
            else:
                hints.append(Hint("gone", tree.shown + path))
        return hints

    def _drop(self, tree: _Tree, top: str) -> None:
        """End the watches at a folder of a tree and below it, but for those that another tree needs as well."""
        for watch in [watch for watch, folder in tree.folders.items() if _is_at_or_below(folder, top)]:
            del tree.folders[watch]
            if self._instance and not any(watch in other.folders for other in self._trees.values()):
                self._instance.remove(watch)
        tree.refused = {folder for folder in tree.refused if not _is_at_or_below(folder, top)}

    # In any thread

    def _cover(self, tree: _Tree, top: str, *, again: bool = False) -> bool:
        """Watch a folder of a tree and all below it; tells whether it is new to the tree.

        A folder that is watched already is not entered, unless `again`: whoever watched it has entered it or is
        about to. Each folder is listed after its watch stands, so that nothing that appears in it is missed.
        Raises OSError if the tree's own folder cannot be watched; what fails below is for the look to report.
        """
        is_new = self._add(tree, top)
        waiting = [top] if is_new or again else []
        while waiting:
            folders = _folders_in(tree.real, waiting.pop())
            waiting += [folder for folder in folders if self._add(tree, folder) or again]
        return is_new

    def _add(self, tree: _Tree, folder: str) -> bool:
        """Watch one folder of a tree; False if nothing is to do below it."""
        with self._lock:
            if self._instance is None or self._trees.get(tree.shown) is not tree:
                return False
            try:
                watch = self._instance.add(tree.real + folder)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    is_new = folder not in tree.refused
                    tree.refused.add(folder)
                    return is_new
                if not folder:
                    raise
                return False
            is_new = tree.folders.get(watch) != folder
            tree.folders[watch] = folder
            tree.refused.discard(folder)
            return is_new


def shortage_of(watches: int, folders: int, limit: int) -> Shortage:
    """Describe a shortage and its cure: twice what all programs seem to need, as a power of two."""
    needed = 1 << max(19, (2 * (limit + folders - watches) - 1).bit_length())
    return Shortage(watches, folders, limit, f"sudo sysctl -w fs.inotify.max_user_watches={needed}")


def limit(file: str) -> int:
    """Read a limit of the system from its file; 0 if it cannot be told."""
    try:
        return int(Path(file).read_bytes())
    except (OSError, ValueError):
        return 0


def _ending(mask: int) -> Ending:
    if mask & _IN.IN_DELETE_SELF:
        return "deleted"
    return "moved" if mask & _IN.IN_MOVE_SELF else "unmounted"


def _folders_in(real: str, folder: str) -> list[str]:
    """List the real folders in a folder of a tree, hidden ones left out; none if it has vanished."""
    try:
        with os.scandir(real + folder) as entries:
            return [
                f"{folder}/{entry.name}"
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not is_hidden(entry.name)
            ]
    except OSError:
        return []


def _rename(tree: _Tree, old: str, new: str) -> None:
    """Let the watches at a folder and below it follow its rename."""
    for watch, folder in tree.folders.items():
        if _is_at_or_below(folder, old):
            tree.folders[watch] = new + folder[len(old) :]
    tree.refused = {new + folder[len(old) :] if _is_at_or_below(folder, old) else folder for folder in tree.refused}


def _is_at_or_below(folder: str, top: str) -> bool:
    return folder.startswith(top) and folder[len(top) : len(top) + 1] in ("", "/")


def _without_end(folder: str) -> str:
    return folder.rstrip(os.sep) or os.sep


# Elsewhere

_FILTER: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileClosedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
]


class PlatformObserver:
    """Hints from watchdog's observer for this platform. Windows and macOS never report a file as closed."""

    def __init__(self, deliver: Callable[[Hint], None]) -> None:
        self._deliver = deliver
        self._lock = threading.Lock()
        self._observer = Observer()
        self._watches: dict[str, ObservedWatch] = {}

    def watch(self, real: str, shown: str) -> None:
        """Watch a real folder, shown under another path; see `Watcher`."""
        with self._lock:
            if shown in self._watches:
                return
            if not self._observer.is_alive():
                self._observer.start()
            handler = _Handler(real, shown, self._pass_on)
            self._watches[shown] = self._observer.schedule(handler, real, recursive=True, event_filter=_FILTER)

    def unwatch(self, shown: str) -> None:
        """Stop watching the folder of this shown path."""
        with self._lock:
            watch = self._watches.pop(shown, None)
        if watch is not None:
            self._observer.unschedule(watch)

    def watched(self) -> frozenset[str]:
        """Give the watched folders, as they are shown."""
        with self._lock:
            return frozenset(self._watches)

    def shortage(self) -> Shortage | None:
        """Nothing limits the watches here."""
        return None

    def cover(self) -> list[str]:
        """Nothing was refused here."""
        return []

    def close(self) -> None:
        """Stop the observer and its threads."""
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    def _pass_on(self, hint: Hint) -> None:
        with self._lock:
            top_is_gone = hint.kind == "folder-gone" and self._watches.pop(hint.path, None) is not None
        if top_is_gone:
            _log.info("The watched folder %r is gone", hint.path)
        self._deliver(hint)


class _Handler(FileSystemEventHandler):
    """Turns watchdog's events of one folder into hints."""

    def __init__(self, real: str, shown: str, deliver: Callable[[Hint], None]) -> None:
        self._real = real
        self._shown = shown
        self._deliver = deliver

    def on_any_event(self, event: FileSystemEvent) -> None:
        hint = hint_of(event)
        if hint is None or self._is_out_of_sight(hint.path):
            return
        came_from = self._shown_path(hint.came_from) if hint.came_from else None
        self._deliver(Hint(hint.kind, self._shown_path(hint.path), came_from))

    def _shown_path(self, path: str) -> str:
        return self._shown + path.removeprefix(self._real)

    def _is_out_of_sight(self, path: str) -> bool:
        folders = path.removeprefix(self._real).split(os.sep)[:-1]
        return any(is_hidden(folder) for folder in folders)


def hint_of(event: FileSystemEvent) -> Hint | None:
    """Tell what one of watchdog's events hints at."""
    path, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
    match event:
        case FileMovedEvent():
            return Hint("arrived", target, path)
        case DirMovedEvent():
            return Hint("folder", target, path)
        case FileCreatedEvent():
            return Hint("created", path)
        case FileClosedEvent():
            return Hint("written", path)
        case FileDeletedEvent():
            return Hint("gone", path)
        case DirCreatedEvent():
            return Hint("folder", path)
        case DirDeletedEvent():
            return Hint("folder-gone", path)
        case _:
            return None
