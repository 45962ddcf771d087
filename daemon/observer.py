"""Keeps the library in step with the disk: hints in, looks at the disk, verified facts out.

A hint only says where to look. A file is taken once it has come to rest (`settle`), what it means is decided in
the writer (`sightings`), and what is gone is believed only while its root is proven present (`presence`).
All of this runs in the event loop; what touches the disk runs in threads (`looking`).
"""

import asyncio
import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import apsw

from ..events.pathtext import shown, to_path, to_text
from ..events.writer import Decision, Unwritable
from ..projections import models, pending
from . import looking
from . import roots as rooting
from .busy import Busy
from .hashing import Hashed, ReadingStopped, hash_file
from .library import Library
from .listing import Listing
from .looking import Looked
from .names import PICTURE_EXTENSIONS, being_downloaded, extension, is_model_name
from .presence import Presence
from .roots import Root
from .scan import Look, StoppedError, look, stat_file
from .settle import Settling, Waiting
from .sightings import Outcome, Sighting, as_outcome, lose, recognise, see
from .watch import Hint, Watcher

CHUNK = 200  # files looked at between two writes: a burst becomes visible while it still goes on
PICTURES_AT_ONCE = 500  # pending models whose folders are listed together
GRACE_S = 1.0  # a file gone from one folder may be about to appear in another: so long a loss is held back
ROOTS_EVERY_S = 2.0  # between two looks at whether the roots are here
RECONCILE_EVERY_S = 900.0  # a whole look in case hints were missed; 0.5 s of work per 100,000 files
BLIND_RECONCILE_EVERY_S = 60.0  # where changes may give no hints at all
COMPARE_EVERY_S = 0.5  # between two searches for pending models that may hold a new model's content
HASHES_KEPT = 50_000  # hashes of files that were no model's when they were compared, about 15 MiB
MOST_HINTS = 50_000  # beyond that a whole look is cheaper than the list

log = logging.getLogger(__name__)

_Item = TypeVar("_Item")


@dataclass(slots=True)
class Scanned:
    """What a full look at the disks found."""

    files: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    unreadable: list[str] = field(default_factory=list[str])


class Observer:
    """Watches the roots of a library. `start` begins, `close` ends; `scan` looks at everything now."""

    def __init__(
        self,
        library: Library,
        busy: Busy,
        take_pictures: Callable[[Sequence[int]], Awaitable[None]],
        *,
        hint_source: Callable[[Callable[[Hint], None]], Watcher] = Watcher,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Observe for a library; `busy` names the paths that imports work on, `take_pictures` gets pending ids."""
        self._library = library
        self._busy = busy
        self._take_pictures = take_pictures
        self._hint_source = hint_source
        self._clock = clock
        self._settling = Settling()
        self._marked = Listing(being_downloaded)
        self._arrived: dict[str, bool] = {}
        self._written: dict[str, None] = {}  # closed after writing, and not yet seen at rest
        self._gone: dict[str, float] = {}
        self._look_at: set[tuple[int, str | None]] = set()
        self._links: dict[int, dict[str, str]] = {}
        self._unreadable: dict[int, list[tuple[str, str]]] = {}
        self._wake = asyncio.Event()
        self._scanning = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._to_picture: dict[int, None] = {}
        self._pictured: set[int] = set()  # roots all of whose pictures were looked for
        self._picture_folders: set[str] = set()
        self._to_confirm: dict[str, None] = {}
        self._sizes_to_compare: set[int] = set()
        self._hashed: dict[str, tuple[tuple[int, int, int], str]] = {}
        self._pictures_wake = asyncio.Event()
        self._confirm_wake = asyncio.Event()
        self._stopping = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._last_look = -math.inf
        self._problem: str | None = None

    def start(self) -> None:
        """Begin to watch. What lies in the roots now is looked at first."""
        self._loop = asyncio.get_running_loop()
        self._watcher = self._hint_source(self._deliver)
        self._presence = Presence(self._library, self._watcher)
        self._last_look = self._clock()
        self._tasks = [
            asyncio.create_task(self._forever(work), name=f"observe-{name}")
            for name, work in (
                ("hints", self._follow_hints),
                ("roots", self._follow_roots),
                ("pictures", self._follow_pictures),
                ("confirm", self._follow_confirmations),
            )
        ]

    async def close(self) -> None:
        """Stop watching; a file that is being hashed or a folder that is being listed is given up."""
        self._stopping.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._watcher.close)

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Unwritable as error:
                self._problem = str(error)
                await asyncio.sleep(5)
                self.look_at_everything()
            except Exception:
                # The outermost edge of the observer's loops: a fault in one look must not end all looking.
                log.exception("the observer stumbled; it looks at everything again")
                await asyncio.sleep(1)
                self.look_at_everything()

    # What others ask ----------------------------------------------------------------------------------

    def look_again(self, paths: Sequence[str]) -> None:
        """Look at some paths soon; for who changed them."""
        for path in paths:
            self._arrived.setdefault(path, False)
        self._wake.set()

    def look_at_everything(self) -> None:
        """Look at all roots soon."""
        self._look_at.update((root.id, None) for root in self._presence.roots)
        self._wake.set()

    def waiting(self) -> list[tuple[str, str]]:
        """Give (path as people see it, why) of the files that have not come to rest."""
        return [(shown(to_text(path)), reason) for path, reason in self._settling.waiting()]

    def warnings(self) -> list[tuple[str, str]]:
        """Give what is wrong with the watching, each with its cure."""
        found: list[tuple[str, str]] = []
        if not self._tasks:
            return found
        if self._problem is not None:
            found.append(("changes on the disks are not recorded", self._problem))
        shortage = self._watcher.shortage()
        if shortage is not None:
            what = f"the system watches {shortage.watches} of {shortage.folders} folders;"
            found.append((f"{what} changes in the others are seen only by looking now and then", shortage.cure))
        for root in self._presence.roots:
            found += _told_of_root(root, self._unreadable.get(root.id, []))
        return found

    async def scan(self) -> Scanned:
        """Look at all roots now, and take in what has come to rest."""
        await self._presence.check()
        total, gone = Scanned(), list[str]()
        online = self._presence.online()
        for done, root in enumerate(online):
            self._library.news.progress("scan", what=shown(to_text(root.path)), done=done, total=len(online))
            try:
                found = await self._look_at_root(root, None)
            finally:
                self._library.news.finished("scan")
            total.files += found.files
            total.unreadable += [shown(to_text(path)) for path, _ in found.unreadable]
            total.outcome.join(await self._take_look(root, found))
            gone += found.gone
        total.outcome.join(await self._believe_losses(gone))  # last: what is gone may have come to another root
        return total

    # Hints --------------------------------------------------------------------------------------------

    def _deliver(self, hint: Hint) -> None:
        self._loop.call_soon_threadsafe(self._take_hint, hint)

    def _take_hint(self, hint: Hint) -> None:
        root = rooting.of_path(self._presence.roots, hint.path)
        if root is None:
            return
        if len(self._arrived) > MOST_HINTS:
            self._arrived.clear()
            self._written.clear()
            self.look_at_everything()
        match hint.kind:
            case "arrived":
                self._arrived[hint.path] = True
                if hint.came_from is not None:
                    self._gone.setdefault(hint.came_from, self._clock() + GRACE_S)
            case "written":
                self._arrived.setdefault(hint.path, False)
                self._written[hint.path] = None
            case "created":
                self._arrived.setdefault(hint.path, False)
            case "gone":
                self._gone.setdefault(hint.path, self._clock() + GRACE_S)
                if not is_model_name(os.path.basename(hint.path)):
                    self._lose_below(hint.path)  # it may have been a link to a folder, which goes as a file does
            case "folder":
                self._look_at.add((root.id, hint.path))
                self._picture_folders.add(hint.path)
                if hint.came_from is not None:
                    self._lose_below(hint.came_from)
            case "folder-gone" if hint.path == root.path:
                self._presence.watch_anew(root.id)
                self._look_at.add((root.id, None))
            case "folder-gone":
                self._lose_below(hint.path)
            case "lost":
                self._pictured.discard(root.id)
                self._look_at.add((root.id, None if hint.path == root.path else hint.path))
        self._wake.set()

    def _lose_below(self, folder: str) -> None:
        """Everything known below a folder may be gone: each path is looked at before it is believed."""
        due = self._clock() + GRACE_S
        for path in looking.known_below(self._library.db, folder):
            self._gone.setdefault(path, due)

    async def _follow_hints(self) -> None:
        while True:
            await self._wait()
            gone: list[str] = []
            while self._look_at:
                number, under = self._look_at.pop()
                root = next((root for root in self._presence.online() if root.id == number), None)
                if root is not None:
                    found = await self._look_at_root(root, under)
                    await self._take_look(root, found)
                    gone += found.gone
            await self._take_arrivals()
            await self._believe_losses([*gone, *self._due_losses()])
            self._problem = None

    async def _wait(self) -> None:
        now = self._clock()
        due = min(self._settling.next_look(), min(self._gone.values(), default=math.inf))
        if self._look_at or self._arrived or due <= now:
            return
        self._wake.clear()
        # Not by `wait_for`: in Python 3.11 it forgets a cancellation that comes together with what it waits for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if due == math.inf else due - now):
                await self._wake.wait()

    async def _take_arrivals(self) -> None:
        arrived, self._arrived = self._arrived, {}
        for path in self._settling.due(self._clock()):
            arrived.setdefault(path, False)
        files = [(path, renamed) for path, renamed in arrived.items() if is_model_name(os.path.basename(path))]
        for chunk in _chunks(files, CHUNK):
            await self._take_in(chunk)
        await self._others_arrived([path for path in arrived if not is_model_name(os.path.basename(path))])

    async def _others_arrived(self, paths: list[str]) -> None:
        """Files that are no models: a picture may belong to one; a link to a folder is followed by a look."""
        pictures = [path for path in paths if extension(path) in PICTURE_EXTENSIONS]
        if pictures:
            self._picture_folders.update(os.path.dirname(path) for path in pictures)
            self._pictures_wake.set()
        rest = [path for path in paths if extension(path) not in PICTURE_EXTENSIONS]
        for path in await asyncio.to_thread(looking.folders_among, rest) if rest else ():
            root = rooting.of_path(self._presence.roots, path)
            if root is not None:
                self._look_at.add((root.id, os.path.dirname(path)))

    def _due_losses(self) -> list[str]:
        now = self._clock()
        due = [path for path, when in self._gone.items() if when <= now]
        for path in due:
            self._gone.pop(path, None)
        return due

    # Files --------------------------------------------------------------------------------------------

    async def _take_in(self, files: Sequence[tuple[str, bool]]) -> Outcome:
        """Look at files (path, whether it was renamed to it), and take in those at rest. Gives what came of it."""
        async with self._writing:
            free = [(path, renamed) for path, renamed in files if path not in self._busy.paths]
            looked = await asyncio.to_thread(looking.look_at_files, self._presence.roots, free, self._marked)
            taken = [result for result in looked if self._is_at_rest(result)]
            self._doubt_rewritten(taken)
            return await self._write_sightings(await asyncio.to_thread(looking.sightings_of, taken))

    def _doubt_rewritten(self, taken: Sequence[Looked]) -> None:
        """Have a model's file compared that was written to and looks as before: size and time may have been kept."""
        for looked in taken:
            if looked.path not in self._written or looked.seen is None:
                continue
            self._written.pop(looked.path)
            seen, known = looked.seen, models.location(self._library.db, to_text(looked.path))
            if known is not None and (seen.size, seen.mtime_ns) == (known.size, known.mtime_ns):
                self._to_confirm[looked.path] = None
                self._confirm_wake.set()

    def _is_at_rest(self, looked: Looked) -> bool:
        if looked.seen is None:
            self._written.pop(looked.path, None)
            self._settling.forget(looked.path)
            if looked.gone:
                self._gone.setdefault(looked.path, self._clock() + GRACE_S)
            return False
        assert looked.facts is not None
        verdict = self._settling.look(
            looked.path, looked.facts, now=self._clock(), wall_ns=time.time_ns(), network=looked.network
        )
        return not isinstance(verdict, Waiting) and not looked.unreadable

    async def _write_sightings(self, sightings: list[Sighting]) -> Outcome:
        placed = await self._with_others(sightings)
        if not placed:
            return Outcome()
        return await self._write(lambda db: see(db, placed))

    async def _with_others(self, sightings: list[Sighting]) -> list[Sighting]:
        """Complete sightings, and leave out what an import has taken up meanwhile: it is looked at after that."""
        if not sightings:
            return []
        placed = await self._library.with_reader(looking.with_others, self._presence.roots, sightings)
        return [sighting for sighting in placed if to_path(sighting.file.path) not in self._busy.paths]

    async def _write(self, decide: Callable[[apsw.Connection], Decision]) -> Outcome:
        written = await self._library.write(decide, actor="watcher")
        outcome = as_outcome(written.value)
        if outcome.found:
            self._to_picture.update(dict.fromkeys(outcome.found))
            self._pictures_wake.set()
        if outcome.confirm:
            self._to_confirm.update(dict.fromkeys(to_path(path) for path in outcome.confirm))
            self._confirm_wake.set()
        return outcome

    async def _believe_losses(self, paths: Sequence[str]) -> Outcome:
        """Believe that files are gone, where they really are and their roots are really here."""
        if not paths:
            return Outcome()
        async with self._writing:
            gone = await asyncio.to_thread(looking.really_gone, self._presence.roots, paths, self._busy.paths)
            for path in gone:
                self._settling.forget(path)
            texts = [to_text(path) for path in gone]
            return await self._write(lambda db: lose(db, texts)) if texts else Outcome()

    # Looking at folders -------------------------------------------------------------------------------

    async def _look_at_root(self, root: Root, under: str | None) -> Look:
        async with self._scanning:
            whole = under is None or under == root.path
            known = await self._library.with_reader(looking.known_in, root.id)
            others = [other for other in self._presence.roots if other.id != root.id]
            try:
                found = await asyncio.to_thread(
                    look,
                    root.path,
                    known,
                    barred=await asyncio.to_thread(looking.identities, others),
                    under=None if whole else under,
                    followed=self._links.get(root.id),
                    stop=self._stopping.is_set,
                )
            except (ValueError, OSError, StoppedError):
                return Look()  # the folder went away, or is none of this root's: its parent's look tells
            if whole:
                self._unreadable[root.id] = found.unreadable
            await self._follow_links(root, found, whole=whole)
            return found

    async def _take_look(self, root: Root, found: Look) -> Outcome:
        """Take in what a look found to be new or changed."""
        total, seen = Outcome(), [*found.new, *found.changed]
        for chunk in _chunks(seen, CHUNK):
            moved = await self._library.with_reader(looking.moved_here, chunk, root)
            total.join(await self._take_in([(one.path, one.path in moved) for one in chunk]))
        if root.id not in self._pictured:
            self._pictured.add(root.id)
            numbers = await self._library.with_reader(_without_picture_in, root.path)
            self._to_picture.update(dict.fromkeys(numbers))
            self._pictures_wake.set()
        return total

    async def _follow_links(self, root: Root, found: Look, *, whole: bool) -> None:
        before = self._links.get(root.id, {})
        after = dict(found.links) if whole else before | found.links
        self._links[root.id] = after
        for link in before.keys() - after.keys():
            self._watcher.unwatch(before[link], link)
        for link in after.keys() - before.keys():
            if await asyncio.to_thread(self._watch_link, after[link], link):
                self._look_at.add((root.id, link))  # once more, now that hints come from there
                self._wake.set()

    def _watch_link(self, folder: str, link: str) -> bool:
        try:
            self._watcher.watch(folder, link)
        except OSError as error:
            log.warning("%s cannot be watched: %s", shown(to_text(link)), error.strerror)
            return False
        return True

    # Roots --------------------------------------------------------------------------------------------

    async def _follow_roots(self) -> None:
        while True:
            for root in await self._presence.check():
                self._look_at.add((root.id, None))
                self._wake.set()
            every = BLIND_RECONCILE_EVERY_S if self._presence.needs_looks() else RECONCILE_EVERY_S
            if self._clock() - self._last_look > every:
                self._last_look = self._clock()
                self.look_at_everything()
            await asyncio.sleep(ROOTS_EVERY_S)

    # Pictures -----------------------------------------------------------------------------------------

    async def _follow_pictures(self) -> None:
        while True:
            while self._to_picture or self._picture_folders:
                await self._take_waiting_pictures()
            self._pictures_wake.clear()
            await self._pictures_wake.wait()

    async def _take_waiting_pictures(self) -> None:
        folders, self._picture_folders = self._picture_folders, set()
        for folder in folders:
            numbers = await self._library.with_reader(_without_picture_beside, folder)
            self._to_picture.update(dict.fromkeys(numbers))
        for chunk in _chunks(list(self._to_picture), PICTURES_AT_ONCE):
            await self._take_pictures(chunk)
            for number in chunk:
                self._to_picture.pop(number, None)

    # Confirmations ------------------------------------------------------------------------------------

    async def compare_with_known(self, sha256: str) -> None:
        """See whether pending models of the size of a new model hold its content: they are told apart by hash."""
        known = models.get(self._library.db, sha256)
        if known is not None:
            self._sizes_to_compare.add(known.size)
            self._confirm_wake.set()

    async def _follow_confirmations(self) -> None:
        while True:
            self._confirm_wake.clear()
            while self._to_confirm:
                await self._confirm(next(iter(self._to_confirm)))
            if self._sizes_to_compare:
                await self._find_to_compare()
            if not self._to_confirm:
                await self._confirm_wake.wait()

    async def _find_to_compare(self) -> None:
        """Find the pending models that may hold the content of new models; those hashed before are not hashed again."""
        await asyncio.sleep(COMPARE_EVERY_S)  # of a queue of imports, many models have the same few sizes
        sizes, self._sizes_to_compare = self._sizes_to_compare, set()
        for text, fingerprint in await self._library.with_reader(pending.to_compare, sizes):
            hashed = self._hashed.get(text)
            if hashed is None or hashed[0] != fingerprint or models.get(self._library.db, hashed[1]):
                self._to_confirm[to_path(text)] = None

    def _remember(self, path: str, hashed: Hashed) -> None:
        if len(self._hashed) >= HASHES_KEPT:
            self._hashed.pop(next(iter(self._hashed)))
        fingerprint = (hashed.size, hashed.mtime_ns, rooting.signed(hashed.ino))
        self._hashed[to_text(path)] = (fingerprint, hashed.sha256)

    async def _confirm(self, path: str) -> None:
        """Hash one file that may be known content, and take in what that tells."""
        if path in self._busy.paths:
            self._to_confirm.pop(path, None)  # its import hashes it
            return
        try:
            hashed = await asyncio.to_thread(hash_file, path, stop=self._stopping)
        except (ReadingStopped, OSError):
            self._to_confirm.pop(path, None)
            self.look_again([path])
            return
        self._remember(path, hashed)
        async with self._writing:
            self._to_confirm.pop(path, None)  # a look from now on may ask for it anew
            sighting = await asyncio.to_thread(_sighted, self._presence.roots, path, hashed)
            if sighting is None:
                self.look_again([path])
                return
            for placed in await self._with_others([sighting]):
                try:
                    await self._write(lambda db, placed=placed: _confirmed(db, placed))
                except Unwritable:
                    self._to_confirm[path] = None
                    raise


def _sighted(roots: Sequence[Root], path: str, hashed: Hashed) -> Sighting | None:
    """Look at a hashed file once more; None where it is not, or no more, what was hashed."""
    root = rooting.of_path(roots, path)
    try:
        seen = stat_file(path)
        if root is None or seen is None or (seen.size, seen.mtime_ns) != (hashed.size, hashed.mtime_ns):
            return None
        return looking.sighting_of(root, seen, hashed.sha256)
    except OSError:
        return None


def _confirmed(db: apsw.Connection, placed: Sighting) -> Decision:
    known = pending.at_path(db, placed.file.path)
    if known is not None and known.state == "waiting" and models.location(db, placed.file.path) is None:
        return recognise(db, known.id, placed)
    return see(db, [placed])


def _without_picture_in(db: apsw.Connection, folder: str) -> list[int]:
    return looking.without_picture(db, folder, deep=True)


def _without_picture_beside(db: apsw.Connection, folder: str) -> list[int]:
    return looking.without_picture(db, folder, deep=False)


def _told_of_root(root: Root, unreadable: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    path = shown(to_text(root.path))
    if root.offline and root.why == "foreign":
        cure = (
            "connect the disk or put the folder back that was there; if the change is meant, put one of its models in,"
            " or start once without this folder in the configuration"
        )
        return [(f"another disk or folder lies at {path}; the models that were there count as away", cure)]
    if root.offline:
        return [(f"the folder {path} is away", "connect its disk, or take it out of the configuration")]
    cure = "make it readable for the user that runs hikazed"
    return [(f"{shown(to_text(name))} could not be looked at ({reason})", cure) for name, reason in unreadable[:5]]


def _chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
