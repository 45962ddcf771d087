"""Which files hold the content of a known model: those that may, by their size, are hashed one after the other."""

import asyncio
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import apsw

from ..events.pathtext import to_path, to_text
from ..events.writer import Decision, Unwritable
from ..projections import models, pending
from . import roots as rooting
from .busy import Busy
from .disks import Disks, NoAnswer
from .hashing import Hashed, ReadingStopped
from .library import Library
from .names import is_model_name
from .presence import Presence
from .roots import Root
from .sightings import Outcome, Sighting, recognise, see

COMPARE_EVERY_S = 0.5  # between two searches for pending models that may hold a new model's content
ASTRAY_KEPT = 10_000  # files to be compared that are no more where they were, and may be heard of
HASHES_KEPT = 50_000  # hashes of files that were no model's when they were compared, about 15 MiB

AtRest = tuple[int, int, int]
"""Size, mtime in ns and inode (`roots.signed`) of a file as it was when it had come to rest."""


class Observing(Protocol):
    """What is asked of the observer."""

    def look_again(self, paths: Sequence[str]) -> None:
        """Look at some paths soon."""
        ...

    def writing_at(self, path: str) -> asyncio.Lock:
        """Give the lock under which what lies at a path is looked at and written down."""
        ...

    async def with_others(self, sightings: list[Sighting]) -> list[Sighting]:
        """Complete sightings with the other paths of their files."""
        ...

    async def write(self, decide: Callable[[apsw.Connection], Decision], sightings: Sequence[Sighting] = ()) -> Outcome:
        """Write what was decided of some sightings."""
        ...


class Comparing:
    """The files that are to be compared with the models. All of it runs in the event loop."""

    def __init__(
        self,
        library: Library,
        disks: Disks,
        presence: Presence,
        busy: Busy,
        observing: Observing,
        stopping: threading.Event,
    ) -> None:
        """Compare for a library; once `stopping` is set, a file that is being hashed is given up."""
        self._library = library
        self._disks = disks
        self._presence = presence
        self._busy = busy
        self._at = observing
        self._stopping = stopping
        self._to_confirm: dict[str, AtRest] = {}
        self._unanswered: dict[str, AtRest] = {}  # to be compared when their file system answers again
        self._astray: dict[str, AtRest] = {}  # not found when they were to be compared: a hint may tell where they went
        self._sizes: set[int] = set()
        self._hashing = ""
        self._is_doubted = False  # what is being hashed: it was written to meanwhile
        self._hashed: dict[str, tuple[tuple[int, int, int], str]] = {}
        self._wake = asyncio.Event()

    def ask(self, files: Mapping[str, AtRest]) -> None:
        """Have files compared that have come to rest."""
        if files:
            self._to_confirm.update(files)
            self._wake.set()

    def doubt(self, path: str, at_rest: AtRest) -> bool:
        """Have a file compared that was written to and looks as before: size and time may have been kept.

        Tells whether its content is known, or else there is nothing to compare.
        """
        self._hashed.pop(to_text(path), None)
        self._is_doubted |= path == self._hashing
        is_known = _is_known_content(self._library.db, to_text(path), at_rest)
        if is_known:
            self.ask({path: at_rest})
        return is_known

    def follow_move(self, came_from: str, path: str, *, is_folder: bool) -> None:
        """Have what was moved, itself or with its folder, compared where it lies now."""
        doubted = {**self._astray, **self._to_confirm}
        now = moved_along(doubted, came_from, path, is_folder=is_folder)
        self.ask({new: doubted[old] for old, new in now.items()})
        for old in now:
            self._astray.pop(old, None)

    def gone(self, path: str, *, is_folder: bool) -> None:
        """What was not found any more, itself or in a folder, went out of sight."""
        forget(self._astray, path, is_folder=is_folder)

    def _lose_sight(self, path: str) -> None:
        """What was to be compared is no more there: it may have been moved, of which a hint is still on its way."""
        if len(self._astray) >= ASTRAY_KEPT:
            self._astray.pop(next(iter(self._astray)))
        self._astray[path] = self._to_confirm.pop(path)
        self._at.look_again([path])

    def compare_with(self, sha256: str) -> None:
        """See whether pending models of the size of a new model hold its content: they are told apart by hash."""
        known = models.get(self._library.db, sha256)
        if known is not None:
            self._sizes.add(known.size)
            self._wake.set()

    def is_at_work(self) -> bool:
        """Tell whether files wait to be compared, or one is compared just now; from any thread."""
        return bool(self._to_confirm)

    def compare_all(self) -> None:
        """Compare all pending models of a model's size; what was to be compared once may be known to nobody now."""
        self._sizes |= models.sizes(self._library.db)
        self._wake.set()

    async def follow(self) -> None:
        """Compare what is to be compared, for ever."""
        while True:
            self._wake.clear()
            while self._to_confirm:
                await self._confirm(next(iter(self._to_confirm)))
            if self._sizes:
                await self._find_to_compare()
            if not self._to_confirm:
                await self._wake.wait()

    def _compare_later(self, path: str) -> None:
        self._unanswered[path] = self._to_confirm.pop(path)
        self._presence.doubt(root for root in self._presence.roots if root.holds(path))

    def came(self, root: Root) -> None:
        """Have files compared that could not be, while their root was away."""
        paths = [path for path in self._unanswered if root.holds(path)]
        for path in paths:
            self._to_confirm[path] = self._unanswered.pop(path)
        self.compare_all()

    async def _find_to_compare(self) -> None:
        """Find the pending models that may hold the content of new models; those hashed before are not hashed again."""
        await asyncio.sleep(COMPARE_EVERY_S)  # of a queue of imports, many models have the same few sizes
        sizes, self._sizes = self._sizes, set()
        for text, fingerprint in await self._library.with_reader(pending.to_compare, sizes):
            hashed = self._hashed.get(text)
            if hashed is None or hashed[0] != fingerprint or models.get(self._library.db, hashed[1]):
                self._to_confirm[to_path(text)] = fingerprint

    def remember(self, path: str, hashed: Hashed) -> None:
        """Keep the hash of a file, so that it is not hashed again for a new model of its size."""
        if len(self._hashed) >= HASHES_KEPT:
            self._hashed.pop(next(iter(self._hashed)))
        fingerprint = (hashed.size, hashed.mtime_ns, rooting.signed(hashed.ino))
        self._hashed[to_text(path)] = (fingerprint, hashed.sha256)

    async def _confirm(self, path: str) -> None:
        """Hash one file that may be known content, and take in what that tells.

        A file that changed since it had come to rest is looked at anew: it may not have come to rest again.
        """
        if path in self._busy.paths:
            self._to_confirm.pop(path, None)  # its import hashes it
            return
        self._hashing, self._is_doubted = path, False
        try:
            hashed = await self._disks.hash_file(path, self._stopping)
        except NoAnswer:
            self._compare_later(path)
            return
        except (ReadingStopped, OSError):
            if self._disks.is_shut(path):
                self._compare_later(path)
                return
            self._lose_sight(path)
            return
        async with self._at.writing_at(path):
            try:
                sighting = await self._disks.sighted(self._presence.roots, path, hashed)
            except NoAnswer:
                self._compare_later(path)
                return
            if self._is_doubted:
                return  # it is hashed once more
            if sighting is None:
                self._lose_sight(path)
                return
            self.remember(path, hashed)
            at_rest = self._to_confirm.pop(path)  # a look from now on may ask for it anew
            if as_at_rest(sighting) != at_rest:
                self._at.look_again([path])
                return
            for placed in await self._at.with_others([sighting]):
                try:
                    await self._at.write(lambda db, placed=placed: _confirmed(db, placed), [placed])
                except Unwritable:
                    self._to_confirm[path] = at_rest
                    raise


def _is_known_content(db: apsw.Connection, text: str, at_rest: AtRest) -> bool:
    """Tell whether it is known at a path what a file of this size and time holds."""
    there = models.location(db, text)
    if there is not None:
        return (there.size, there.mtime_ns) == at_rest[:2]
    known = pending.at_path(db, text)
    if known is None or known.state != "waiting" or not known.sha256:
        return False
    return (known.size, known.mtime_ns) == at_rest[:2]


def moved_along(paths: Collection[str], came_from: str, path: str, *, is_folder: bool) -> dict[str, str]:
    """Give where those of some paths lie now that were moved by the move of a file, or of a folder.

    Not of a file that has no model's name any more: nothing is known of what lies there.
    """
    if not is_folder:
        return {came_from: path} if came_from in paths and is_model_name(os.path.basename(path)) else {}
    inside = came_from + os.sep
    return {old: path + old[len(came_from) :] for old in paths if old.startswith(inside)}


def forget(paths: dict[str, Any], path: str, *, is_folder: bool) -> None:
    """Forget one of some paths, or those in a folder."""
    inside = path + os.sep
    for old in [old for old in paths if old.startswith(inside)] if is_folder else [path]:
        paths.pop(old, None)


def as_at_rest(sighting: Sighting) -> AtRest:
    """Give what a sighted file was when it had come to rest."""
    return sighting.file.size, sighting.file.mtime_ns, sighting.file.ino


def _confirmed(db: apsw.Connection, placed: Sighting) -> Decision:
    known = pending.at_path(db, placed.file.path)
    if known is not None and known.state == "waiting" and models.location(db, placed.file.path) is None:
        return recognise(db, known.id, placed)
    return see(db, [placed])
