"""Keeps the library in step with the disk: hints in, looks at the disk, verified facts out.

A hint only says where to look. A file is taken once it has come to rest (`settle`), what it means is decided in
the writer (`sightings`), and what is gone is believed only while its root is proven present (`rootcheck`).
All of this runs in the event loop; what touches the disk runs in threads.
"""

import asyncio
import logging
import math
import os
import stat
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw

from ..events.pathtext import shown, to_path, to_text
from ..events.writer import Decision, Unwritable
from ..projections import models, pending
from . import roots as rooting
from .hashing import ReadingStopped, hash_file
from .header import Header, guess_type, read, summary
from .ingest import Busy
from .library import Library
from .names import is_model_name, type_of_folder
from .probe import facts
from .rootcheck import Identity, identify, is_network, judge
from .roots import Root
from .scan import Known, Look, Seen, look, stat_file
from .settle import Facts, Settling, Waiting
from .sightings import Outcome, Sighting, as_outcome, known_paths, lose, recognise, see
from .watch import Hint, Watcher

CHUNK = 200  # files looked at between two writes: a burst becomes visible while it still goes on
GRACE_S = 1.0  # a file gone from one folder may be about to appear in another: so long a loss is held back
ROOTS_EVERY_S = 2.0  # between two looks at whether the roots are here
RECONCILE_EVERY_S = 900.0  # a whole look in case hints were missed; 0.5 s of work per 100,000 files
NETWORK_RECONCILE_EVERY_S = 60.0  # where others' changes give no hints at all
SAMPLE = 8  # known files looked for when another disk may lie at a root's path
MOST_HINTS = 50_000  # beyond that a whole look is cheaper than the list

log = logging.getLogger(__name__)


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
        take_picture: Callable[[int], Awaitable[None]],
        *,
        hint_source: Callable[[Callable[[Hint], None]], Watcher] = Watcher,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Observe for a library; `busy` names the paths that imports work on, `take_picture` gets new pending ids."""
        self._library = library
        self._busy = busy
        self._take_picture = take_picture
        self._hint_source = hint_source
        self._clock = clock
        self._settling = Settling()
        self._roots: list[Root] = []
        self._arrived: dict[str, bool] = {}
        self._gone: dict[str, float] = {}
        self._look_at: set[tuple[int, str | None]] = set()
        self._links: dict[int, dict[str, str]] = {}
        self._unreadable: dict[int, list[tuple[str, str]]] = {}
        self._watched: set[int] = set()
        self._wake = asyncio.Event()
        self._scanning = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._pictures: deque[int] = deque()
        self._to_confirm: dict[str, None] = {}
        self._pictures_wake = asyncio.Event()
        self._confirm_wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._last_look = 0.0
        self._problem: str | None = None

    def start(self) -> None:
        """Begin to watch. What lies in the roots now is looked at first."""
        self._loop = asyncio.get_running_loop()
        self._watcher = self._hint_source(self._deliver)
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
        """Stop watching."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._watcher.close)

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                self._problem = None
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
            self._arrived.setdefault(path, True)
        self._wake.set()

    def look_at_everything(self) -> None:
        """Look at all roots soon."""
        self._look_at.update((root.id, None) for root in self._roots)
        self._wake.set()

    def waiting(self) -> list[tuple[str, str]]:
        """Give (path as people see it, why) of the files that have not come to rest."""
        return [(shown(to_text(path)), reason) for path, reason in self._settling.waiting()]

    def warnings(self) -> list[tuple[str, str]]:
        """Give what is wrong with the watching, each with its cure."""
        found: list[tuple[str, str]] = []
        if self._problem is not None:
            found.append(("changes on the disks are not recorded", self._problem))
        shortage = self._watcher.shortage() if self._tasks else None
        if shortage is not None:
            found.append(
                (
                    f"the system watches {shortage.watches} of {shortage.folders} folders;"
                    " changes in the others are seen only by looking now and then",
                    shortage.cure,
                )
            )
        for root in self._roots:
            path = shown(to_text(root.path))
            if root.offline and root.why == "foreign":
                found.append(
                    (
                        f"another disk lies at {path}",
                        "connect the disk that was there; or, if the change is meant, put one of its models back",
                    )
                )
            elif root.offline and root.why in ("absent", "unseen"):
                found.append((f"the folder {path} is away", "connect its disk, or take it out of the configuration"))
            for name, reason in self._unreadable.get(root.id, [])[:5]:
                what = f"{shown(to_text(name))} could not be looked at ({reason})"
                found.append((what, "make it readable for the user that runs hikazed"))
        return found

    async def scan(self) -> Scanned:
        """Look at all roots now, and take in what has come to rest."""
        await self._check_roots(look=False)
        total = Scanned()
        online = [root for root in self._roots if not root.offline]
        for done, root in enumerate(online):
            self._library.news.progress("scan", what=shown(to_text(root.path)), done=done, total=len(online))
            try:
                found = await self._look_at_root(root, None)
            finally:
                self._library.news.finished("scan")
            total.files += found.files
            total.outcome.join(found.outcome)
            total.unreadable += found.unreadable
        return total

    # Hints --------------------------------------------------------------------------------------------

    def _deliver(self, hint: Hint) -> None:
        self._loop.call_soon_threadsafe(self._take_hint, hint)

    def _take_hint(self, hint: Hint) -> None:
        root = rooting.of_path(self._roots, hint.path)
        if root is None:
            return
        if len(self._arrived) > MOST_HINTS:
            self._arrived.clear()
            self.look_at_everything()
        match hint.kind:
            case "arrived":
                self._arrived[hint.path] = True
                if hint.came_from is not None:
                    self._gone.setdefault(hint.came_from, self._clock() + GRACE_S)
            case "written" | "created":
                self._arrived.setdefault(hint.path, False)
            case "gone":
                self._gone.setdefault(hint.path, self._clock() + GRACE_S)
            case "folder":
                self._look_at.add((root.id, hint.path))
                if hint.came_from is not None:
                    self._lose_below(hint.came_from)
            case "folder-gone" | "lost":
                if hint.path == root.path:
                    self._watched.discard(root.id)
                    self._look_at.add((root.id, None))
                else:
                    self._lose_below(hint.path)
        self._wake.set()

    def _lose_below(self, folder: str) -> None:
        """Everything known below a folder may be gone: each path is looked at before it is believed."""
        due = self._clock() + GRACE_S
        for path in _known_below(self._library.db, folder):
            self._gone.setdefault(path, due)

    async def _follow_hints(self) -> None:
        while True:
            await self._wait()
            while self._look_at:
                root_id, under = self._look_at.pop()
                root = next((root for root in self._roots if root.id == root_id and not root.offline), None)
                if root is not None:
                    await self._look_at_root(root, under)
            await self._take_arrivals()
            await self._take_losses()

    async def _wait(self) -> None:
        now = self._clock()
        due = min(self._settling.next_look(), min(self._gone.values(), default=math.inf))
        if self._look_at or self._arrived or due <= now:
            return
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), None if due == math.inf else due - now)
        except TimeoutError:
            return

    async def _take_arrivals(self) -> None:
        arrived, self._arrived = self._arrived, {}
        for path in self._settling.due(self._clock()):
            arrived.setdefault(path, False)
        models_, others = _sorted_out(arrived)
        for path in others:
            self._other_arrived(path)
        for chunk in _chunks(models_):
            await self._take_in(chunk)

    def _other_arrived(self, path: str) -> None:
        """A file that is no model: a picture may belong to one; a link or folder is looked into by the scan."""
        root = rooting.of_path(self._roots, path)
        if root is None:
            return
        if os.path.isdir(path):
            self._look_at.add((root.id, os.path.dirname(path)))
            return
        for number in _without_picture(self._library.db, os.path.dirname(path)):
            self._want_picture(number)

    async def _take_losses(self) -> None:
        now = self._clock()
        due = [path for path, when in self._gone.items() if when <= now]
        for path in due:
            self._gone.pop(path, None)
        if due:
            await self._believe_losses(due)

    # Files --------------------------------------------------------------------------------------------

    async def _take_in(self, files: Sequence[tuple[str, bool]]) -> Outcome:
        """Look at files, and take in those at rest. Gives what came of it."""
        async with self._writing:
            free = [(path, renamed) for path, renamed in files if path not in self._busy.paths]
            looked = await asyncio.to_thread(_look_at_files, self._roots, free)
            taken = [result for result in looked if self._is_at_rest(result)]
            return await self._write_sightings(await asyncio.to_thread(_sightings, taken))

    def _is_at_rest(self, looked: "_Looked") -> bool:
        if looked.seen is None:
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
        if not sightings:
            return Outcome()
        placed = await self._library.with_reader(_where_else, sightings)
        written = await self._library.write(lambda db: see(db, placed), actor="watcher")
        outcome = as_outcome(written.value)
        for number in outcome.found:
            self._want_picture(number)
        for path in outcome.confirm:
            self._to_confirm[to_path(path)] = None
            self._confirm_wake.set()
        return outcome

    async def _believe_losses(self, paths: Sequence[str]) -> Outcome:
        """Believe that files are gone, where they really are and their roots are really here."""
        async with self._writing:
            gone = await asyncio.to_thread(_really_gone, self._roots, paths, self._busy.paths)
            for path in gone:
                self._settling.forget(path)
            texts = [to_text(path) for path in gone]
            if not texts:
                return Outcome()
            written = await self._library.write(lambda db: lose(db, texts), actor="watcher")
            return as_outcome(written.value)

    # Looking at folders -------------------------------------------------------------------------------

    async def _look_at_root(self, root: Root, under: str | None) -> Scanned:
        async with self._scanning:
            others = [other for other in self._roots if other.id != root.id]
            known = await self._library.with_reader(_known, root.id)
            try:
                found: Look = await asyncio.to_thread(
                    look,
                    root.path,
                    known,
                    barred=await asyncio.to_thread(_identities, others),
                    under=under if under != root.path else None,
                    followed=self._links.get(root.id),
                )
            except (ValueError, OSError):
                return Scanned()  # the folder went away, or is none of this root's: its parent's look tells
            self._follow_links(root, found, whole=under is None)
            return await self._take_look(found)

    async def _take_look(self, found: Look) -> Scanned:
        total = Scanned(found.files, Outcome(), [shown(to_text(path)) for path, _ in found.unreadable])
        for chunk in _chunks([(seen.path, False) for seen in (*found.new, *found.changed)]):
            total.outcome.join(await self._take_in(chunk))
        if found.gone:
            total.outcome.join(await self._believe_losses(found.gone))
        return total

    def _follow_links(self, root: Root, found: Look, *, whole: bool) -> None:
        if whole:
            self._unreadable[root.id] = found.unreadable
        before = self._links.get(root.id, {})
        after = dict(found.links) if whole else before | found.links
        for link in before.keys() - after.keys():
            self._watcher.unwatch(before[link], link)
        for link in after.keys() - before.keys():
            self._watch(after[link], link)
        self._links[root.id] = after

    def _watch(self, folder: str, shown_as: str | None = None) -> bool:
        try:
            self._watcher.watch(folder, shown_as)
        except OSError as error:
            log.warning("a folder cannot be watched: %s", error.strerror)
            return False
        return True

    # Roots --------------------------------------------------------------------------------------------

    async def _follow_roots(self) -> None:
        while True:
            await self._check_roots(look=True)
            now = self._clock()
            on_network = any(root.identity and is_network(root.identity.fstype) for root in self._roots)
            if now - self._last_look > (NETWORK_RECONCILE_EVERY_S if on_network else RECONCILE_EVERY_S):
                self._last_look = now
                self.look_at_everything()
            await asyncio.sleep(ROOTS_EVERY_S)

    async def _check_roots(self, *, look: bool) -> None:
        """See which roots are here; watch those that are, and look at those that came."""
        known = rooting.every(self._library.db)
        now = await asyncio.to_thread(lambda: [identify(root.path) for root in known])
        for root, identity in zip(known, now, strict=True):
            await self._check_root(root, identity)
        before = {root.id for root in self._roots if not root.offline}
        self._roots = rooting.every(self._library.db)
        for root in self._roots:
            if root.offline:
                self._watched.discard(root.id)
                continue
            if root.id not in self._watched and await asyncio.to_thread(self._watch, root.path):
                self._watched.add(root.id)
                before.discard(root.id)
            if look and root.id not in before:
                self._look_at.add((root.id, None))
                self._wake.set()

    async def _check_root(self, root: Root, identity: Identity | None) -> None:
        same = identity is not None and root.identity is not None and _same(identity, root.identity)
        if same and not root.offline:
            return
        if identity is None and root.offline and root.why != "unseen":
            return
        has_known, sampled = False, False
        if identity is not None and not same:
            has_known, sampled = await self._library.with_reader(_sample, root.id)
        presence = judge(
            root.identity if root.identity is None else Identity(root.identity.fsid, root.identity.ino, ""),
            None
            if identity is None
            else Identity(rooting.signed(identity.fsid), rooting.signed(identity.ino), identity.fstype),
            has_known_files=has_known,
            sample_found=sampled,
        )
        if presence == "online" and identity is not None:
            identity_ = identity
            await self._library.write(lambda _db: rooting.comes_online(root.id, identity_), actor="watcher")
        elif not root.offline or root.why != ("foreign" if presence == "foreign" else "absent"):
            foreign = presence == "foreign"
            await self._library.write(lambda _db: rooting.goes_offline(root.id, foreign=foreign), actor="watcher")

    # Pictures and confirmations -----------------------------------------------------------------------

    def _want_picture(self, number: int) -> None:
        self._pictures.append(number)
        self._pictures_wake.set()

    async def _follow_pictures(self) -> None:
        while True:
            while self._pictures:
                await self._take_picture(self._pictures.popleft())
            self._pictures_wake.clear()
            if not self._pictures:
                await self._pictures_wake.wait()

    async def compare_with_known(self, sha256: str) -> None:
        """See whether pending models of the size of a new model hold its content: they are told apart by hash."""
        known = models.get(self._library.db, sha256)
        if known is None:
            return
        for same in pending.unknown_of_size(self._library.db, {known.size}):
            self._to_confirm[to_path(same.path)] = None
        self._confirm_wake.set()

    async def _follow_confirmations(self) -> None:
        while True:
            while self._to_confirm:
                path = next(iter(self._to_confirm))
                self._to_confirm.pop(path)
                await self._confirm(path)
            self._confirm_wake.clear()
            if not self._to_confirm:
                await self._confirm_wake.wait()

    async def _confirm(self, path: str) -> None:
        """Hash one file that may be known content, and take in what that tells."""
        if path in self._busy.paths:
            return
        try:
            hashed = await asyncio.to_thread(hash_file, path)
        except (ReadingStopped, OSError):
            self.look_again([path])
            return
        async with self._writing:
            root = rooting.of_path(self._roots, path)
            seen = await asyncio.to_thread(stat_file, path)
            if root is None or seen is None or (seen.size, seen.mtime_ns) != (hashed.size, hashed.mtime_ns):
                self.look_again([path])
                return
            sighting = await asyncio.to_thread(_sighting, root, seen, hashed.sha256)
            await self._write_confirmed(sighting)

    async def _write_confirmed(self, sighting: Sighting) -> None:
        (placed,) = await self._library.with_reader(_where_else, [sighting])

        def decide(db: apsw.Connection) -> Decision:
            known = pending.at_path(db, placed.file.path)
            if known is not None and known.state == "waiting" and models.location(db, placed.file.path) is None:
                return recognise(db, known.id, placed)
            return see(db, [placed])

        written = await self._library.write(decide, actor="watcher")
        for number in as_outcome(written.value).found:
            self._want_picture(number)


# Looks in threads, and what they need -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a look at one file saw; `gone` says that nothing is there, `unreadable` that it could not be opened."""

    path: str
    root: Root
    seen: Seen | None = None
    facts: Facts | None = None
    gone: bool = False
    unreadable: bool = False

    @property
    def network(self) -> bool:
        return self.root.identity is not None and is_network(self.root.identity.fstype)


def _look_at_files(roots: Sequence[Root], files: Sequence[tuple[str, bool]]) -> list[_Looked]:
    looked: list[_Looked] = []
    for path, renamed in files:
        root = rooting.of_path(roots, path)
        if root is not None and not root.offline:
            looked.append(_look_at_file(root, path, renamed))
    return looked


def _look_at_file(root: Root, path: str, renamed: bool) -> _Looked:
    nothing = _Looked(path, root, gone=True)
    try:
        seen = stat_file(path)
        if seen is None:
            return nothing
        told = facts(path, renamed=renamed, network=nothing.network)
    except FileNotFoundError:
        return nothing
    except OSError as error:
        told = _unreadable(path, error)
        if told is None:
            return _Looked(path, root)
        return _Looked(path, root, Seen(path, *told.state, 1), told, unreadable=True)
    return _Looked(path, root, seen, told)


def _sightings(taken: Sequence[_Looked]) -> list[Sighting]:
    found: list[Sighting] = []
    for looked in taken:
        assert looked.seen is not None
        try:
            found.append(_sighting(looked.root, looked.seen))
        except OSError:
            continue  # it went away between two looks: a hint or the next look will tell
    return found


def _sighting(root: Root, seen: Seen, sha256: str | None = None) -> Sighting:
    header, tensors = read(seen.path)
    return Sighting(
        file=rooting.as_file(seen, root.id),
        kind=root.kind,
        root_type=root.type,
        type=root.type or _type_told(root, seen.path, header, tensors),
        header=dict(summary(header)),
        sha256=sha256,
    )


def _type_told(root: Root, path: str, header: Header, tensors: Any) -> str | None:
    """Give the type of a dropped file: by the innermost subfolder that names one, else by the header."""
    below = os.path.relpath(os.path.dirname(path), root.path)
    for name in reversed(below.split(os.sep)):
        if (type_ := type_of_folder(name)) is not None:
            return type_
    return guess_type(header, tensors)


def _where_else(db: apsw.Connection, sightings: list[Sighting]) -> list[Sighting]:
    """Look at the other paths under which each file is known: is it gone from there, or there as well?"""
    return [_with_others(sighting, known_paths(db, sighting.file)) for sighting in sightings]


def _with_others(sighting: Sighting, paths: list[str]) -> Sighting:
    if not paths:
        return sighting
    gone: set[str] = set()
    linked: set[str] = set()
    for text in paths:
        try:
            other = stat_file(to_path(text))
        except OSError:
            continue  # it cannot be looked at: nothing is known of it
        if other is None or rooting.signed(other.ino) != sighting.file.ino:
            gone.add(text)
        elif rooting.signed(other.dev) == sighting.file.dev:
            linked.add(text)
    return Sighting(
        sighting.file,
        sighting.kind,
        sighting.root_type,
        sighting.type,
        sighting.header,
        frozenset(gone),
        frozenset(linked),
        sighting.sha256,
    )


def _really_gone(roots: Sequence[Root], paths: Iterable[str], busy: set[str]) -> list[str]:
    """Look at paths that may be gone; absence counts only in a root that is proven present after the look."""
    gone: dict[int, list[str]] = {}
    present = {root.id: root for root in roots if not root.offline}
    for path in paths:
        root = rooting.of_path(roots, path)
        if root is None or root.id not in present or path in busy:
            continue
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            gone.setdefault(root.id, []).append(path)
        except OSError:
            continue
    return [path for root_id, found in gone.items() if _is_here(present[root_id]) for path in found]


def _is_here(root: Root) -> bool:
    now = identify(root.path)
    return now is not None and root.identity is not None and _same(now, root.identity)


def _same(now: Identity, known: Identity) -> bool:
    return (rooting.signed(now.fsid), rooting.signed(now.ino)) == (known.fsid, known.ino)


def _identities(roots: Iterable[Root]) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for root in roots:
        try:
            info = os.stat(root.path)
        except OSError:
            continue
        found.add((info.st_dev, info.st_ino))
    return found


def _unreadable(path: str, error: OSError) -> Facts | None:
    """Give facts that keep a file waiting which is there and cannot be read."""
    try:
        info = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(info.st_mode):
        return None
    reason = f"cannot be read ({error.strerror}); make it readable for the user that runs hikazed"
    return Facts(info.st_size or 1, info.st_mtime_ns, info.st_ctime_ns, info.st_dev, info.st_ino, shortfall=reason)


def _known(db: apsw.Connection, root: int) -> dict[str, Known]:
    rows = [*models.in_root(db, root), *pending.in_root(db, root)]
    return {to_path(path): (size, mtime_ns, ino if ino >= 0 else ino + (1 << 64)) for path, size, mtime_ns, ino in rows}


def _known_below(db: apsw.Connection, folder: str) -> list[str]:
    low = to_text(folder.rstrip(os.sep) + os.sep)
    high = low[:-1] + chr(ord(low[-1]) + 1)
    rows = db.execute(
        "SELECT path FROM locations WHERE path >= ? AND path < ? AND NOT lost"
        " UNION SELECT path FROM pending_import WHERE path >= ? AND path < ?"
        " UNION SELECT path FROM pending_away WHERE path >= ? AND path < ? AND state = 'hidden'",
        (low, high) * 3,
    )
    return [to_path(row[0]) for row in rows]


def _without_picture(db: apsw.Connection, folder: str) -> list[int]:
    low = to_text(folder.rstrip(os.sep) + os.sep)
    high = low[:-1] + chr(ord(low[-1]) + 1)
    rows = db.execute(
        "SELECT id FROM pending_import WHERE path >= ? AND path < ? AND picture IS NULL AND state = 'waiting'",
        (low, high),
    )
    return [row[0] for row in rows]


def _sample(db: apsw.Connection, root: int) -> tuple[bool, bool]:
    """Tell whether files are known in a root, and whether one of a few of them lies there now."""
    rows = [*models.in_root(db, root), *pending.in_root(db, root)]
    for path, size, mtime_ns, _ in rows[:: max(1, len(rows) // SAMPLE)][: SAMPLE + 1]:
        try:
            seen = stat_file(to_path(path))
        except OSError:
            continue
        if seen is not None and (seen.size, seen.mtime_ns) == (size, mtime_ns):
            return True, True
    return bool(rows), False


def _sorted_out(arrived: dict[str, bool]) -> tuple[list[tuple[str, bool]], list[str]]:
    model_files = [(path, renamed) for path, renamed in arrived.items() if is_model_name(os.path.basename(path))]
    names = {path for path, _ in model_files}
    return model_files, [path for path in arrived if path not in names]


def _chunks(files: Sequence[tuple[str, bool]]) -> Iterator[Sequence[tuple[str, bool]]]:
    for start in range(0, len(files), CHUNK):
        yield files[start : start + CHUNK]
