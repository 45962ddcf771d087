"""Keeps the library in step with the disk: hints in, looks at the disk, verified facts out.

A hint only says where to look. A file is taken once it has come to rest (`settle`), what it means is decided in
the writer (`sightings`), and what is gone is believed only while its root is proven present (`presence`).
All of this runs in the event loop; what touches the disks is asked of `disks`, in one lane for each file system
that may hang: there each thing waits for the one before it, and nothing waits for another lane.
"""

import asyncio
import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import apsw

from ..events.catalog import File
from ..events.pathtext import shown, to_path, to_text
from ..events.writer import Decision, Unwritable
from ..projections import models, pending
from . import looking, mounts, telling
from . import roots as rooting
from .backlog import Backlog
from .busy import Busy
from .chunks import chunks
from .claiming import Claims
from .comparing import AtRest, Comparing, as_at_rest, forget, moved_along
from .content.study import RULES
from .disks import NEAR, Disks, NoAnswer
from .library import Library
from .looking import Looked
from .losses import Losses
from .mounts import MountWatch
from .names import PICTURE_EXTENSIONS, extension, is_model_name
from .pauses import Clocks, pause, read_clocks
from .picturing import Picturing
from .presence import Presence, Watched
from .relatives import Relatives
from .roots import Root
from .scan import Look, Seen, StoppedError
from .settle import Settling, Waiting
from .sidecars.look import may_belong
from .sidecars.reading import Pictures, Reading
from .sightings import Outcome, Sighting, as_outcome, break_off, lose, see
from .storms import Storms
from .studying import Studying
from .telling import Trouble
from .watch import QUEUE_LIMIT, Hint, Watcher, limit

CHUNK = 200  # files looked at between two writes: a burst becomes visible while it still goes on
ROOTS_EVERY_S = 2.0  # between two looks at whether the roots are here
RECONCILE_EVERY_S = 900.0  # a whole look in case hints were missed; 0.5 s of work per 100,000 files
BLIND_S = (15.0, 60.0)  # where changes may give no hints: a look so long after the last one, at least and at most
BLIND_SHARE = 50.0  # of the time that such a look takes it is rested from: it costs 2 % of a core at most
COVER_EVERY_S = 10.0  # between two tries to watch what the system refused to watch
LANES_EVERY_S = 10.0  # between two looks at which roots lie on file systems that may hang; at once after a mount
MOUNTS_SETTLE_S = 0.1  # an unmount and a mount after it are looked at once
PATIENCE_S = 5.0  # so long an answer waits to tell whether a root that was added or resumed is here
UNWRITABLE_S = (5.0, 60.0)  # between two looks at whether writing works again; then everything is looked at anyway

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Scanned:
    """What a full look at the disks found."""

    files: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    unreadable: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class _Lane:
    """What waits to be looked at in one lane of the disks."""

    name: str
    losses: Losses
    settling: Settling = field(default_factory=Settling)
    backlog: Backlog = field(default_factory=Backlog)
    no_files: list[str] = field(default_factory=list[str])  # paths with a model's name where no file lies
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    check: asyncio.Event = field(default_factory=asyncio.Event)
    scanning: asyncio.Lock = field(default_factory=asyncio.Lock)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Observer:
    """Watches the roots of a library. `start` begins, `close` ends; `scan` looks at everything now."""

    def __init__(
        self,
        library: Library,
        busy: Busy,
        take_pictures: Callable[[Sequence[int]], Awaitable[None]],
        *,
        hint_source: Callable[[Callable[[Hint], None]], Watcher] = Watcher,
        disks: Disks | None = None,
        pictures: Pictures | None = None,
        clock: Callable[[], float] = time.monotonic,
        clocks: Callable[[], Clocks] = read_clocks,
        unwritable_s: tuple[float, float] = UNWRITABLE_S,
        rules: int = RULES,
    ) -> None:
        """Observe for a library; `busy` names the paths that imports work on, `take_pictures` gets pending ids.

        All looks go through `disks`; left out, they are this machine's own, watched by what `hint_source` makes.
        `pictures` takes those that lie beside models; without it none are taken. `rules` is the number of those by
        which headers are read.
        """
        self._library = library
        self._busy = busy
        self._disks = disks or Disks(hint_source)
        self._presence = Presence(library, self._disks, clock)
        self._clock = clock
        self._clocks = clocks
        self._unwritable_s = unwritable_s
        self._lanes = {NEAR: _Lane(NEAR, Losses(library, clock))}
        self._storms = Storms(lambda: limit(QUEUE_LIMIT))
        self._mounts = MountWatch(self._mounts_changed)
        self._mounted = mounts.read()
        self._mount_wake = asyncio.Event()
        self._blind_next: dict[int, float] = {}
        self._next_cover = -math.inf
        self._next_lanes = -math.inf
        self._written: dict[str, None] = {}  # closed after writing, and not yet seen at rest
        self._links: dict[int, dict[str, str]] = {}
        self._unreadable: dict[int, list[tuple[str, str]]] = {}
        self._looks: dict[int, threading.Event] = {}  # what gives up the look at a root that is under way
        self._stopping = threading.Event()
        self._picturing = Picturing(library, take_pictures)
        self._reading = Reading(library, self._disks, self._presence, self._is_finding, pictures, clock)
        self._comparing = Comparing(library, self._disks, self._presence, busy, self, self._stopping)
        self._claims = Claims(
            library,
            self._disks,
            self._presence,
            busy,
            self,
            self._stopping,
            is_comparing=self._comparing.is_at_work,
            remember=self._comparing.remember,
            clock=clock,
        )
        self._studying = Studying(
            library,
            self._disks,
            self._presence,
            busy,
            must_wait=self._comparing.is_at_work,
            is_finding=self._is_finding,
            rules=rules,
            clock=clock,
        )
        self._relatives = Relatives(
            library,
            self._disks,
            self._presence,
            busy,
            self,
            self._stopping,
            must_wait=self._comparing.is_at_work,
            clock=clock,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._checks: set[asyncio.Task[None]] = set()
        self._last_look = -math.inf
        self._problem: str | None = None

    def start(self) -> None:
        """Begin to watch. What lies in the roots now is looked at first."""
        self._loop = asyncio.get_running_loop()
        self._disks.start(self._deliver)
        self._mounts.start()
        self._last_look = self._clock()
        self._comparing.compare_all()
        self._begin("lanes", self._follow_lanes)
        self._begin("pictures", self._picturing.follow)
        self._begin("confirm", self._comparing.follow)
        self._begin("claims", self._claims.follow)
        self._begin("headers", self._studying.follow)
        self._begin("relatives", self._relatives.follow)
        self._begin("beside-news", self._reading.follow_news)
        self._begin("beside-pictures", self._reading.follow_pictures)
        self._begin_lane(self._lanes[NEAR])

    def _begin(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(self._forever(work), name=f"observe-{name}"))

    def _begin_lane(self, lane: _Lane) -> None:
        self._begin(f"hints-{lane.name}", lambda: self._follow_hints(lane))
        self._begin(f"roots-{lane.name}", lambda: self._follow_roots(lane))
        self._begin(f"beside-{lane.name}", lambda: self._reading.follow(lane.name))

    async def close(self) -> None:
        """Stop watching; a file that is being hashed or a folder that is being listed is given up."""
        self._stopping.set()
        for look in self._looks.values():
            look.set()
        ending = [*self._tasks, *self._checks]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self._mounts.close()
        await self._disks.close()

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Unwritable as error:
                self._problem = str(error)
                await self._until_writable()
                self.look_at_everything()
            except Exception:
                # The outermost edge of the observer's loops: a fault in one look must not end all looking.
                log.exception("the observer stumbled; it looks at everything again")
                await asyncio.sleep(1)
                self.look_at_everything()

    async def _until_writable(self) -> None:
        """Wait until writing works again, or for a minute: the writer tries meanwhile, which costs less than a look."""
        end = self._clock() + self._unwritable_s[1]
        await asyncio.sleep(self._unwritable_s[0])
        while not self._library.is_writable and self._clock() < end:
            await asyncio.sleep(self._unwritable_s[0])

    # What others ask ----------------------------------------------------------------------------------

    def look_again(self, paths: Sequence[str]) -> None:
        """Look at some paths soon, for who changed them; and at whatever else it is time for."""
        for path in paths:
            self._arrived(self._lane_of(rooting.of_path(self._presence.roots, path)), path)
        for lane in self._lanes.values():
            lane.wake.set()

    def look_at_renamed(self, path: str) -> None:
        """Look soon at a file that we gave its name, whole, ourselves: hints of that do not come from everywhere."""
        lane = self._lane_of(rooting.of_path(self._presence.roots, path))
        self._arrived(lane, path, renamed=True)
        lane.wake.set()

    def look_at_everything(self) -> None:
        """Look at all roots soon."""
        for root in self._presence.roots:
            self._look_soon(root, None)

    def _look_soon(self, root: Root, under: str | None) -> None:
        lane = self._lane_of(root)
        if under is None or under == root.path:
            lane.backlog.add_root(root.id)
        else:
            lane.backlog.add_folder(root.id, under)
        lane.wake.set()

    async def roots_changed(self) -> None:
        """Roots were added, removed, paused or resumed: leave those alone that are to be, see which others are here."""
        self._presence.read_roots()
        self._leave_roots()
        if not self._tasks:
            return
        for name in await self._presence.lanes():
            self._lane_named(name)
        if self._presence.take_others():
            self.look_at_everything()  # what lies in a root that lies in another belongs to the inner one
        for lane in self._lanes.values():
            lane.check.set()

    async def judge(self, number: int, patience_s: float = PATIENCE_S) -> None:
        """Find out whether a root is here, and begin to look at it; where that takes long it goes on by itself."""
        root = next((root for root in self._presence.roots if root.id == number), None)
        if root is None or root.paused or not self._tasks:
            return
        check = asyncio.create_task(self._check(self._lane_of(root)), name=f"judge-{number}")
        self._checks.add(check)
        check.add_done_callback(self._checks.discard)
        await asyncio.wait([check], timeout=patience_s)

    async def _check(self, lane: _Lane) -> None:
        with contextlib.suppress(Unwritable, NoAnswer):  # the loop that follows the roots tries again, and tells
            self._came(await self._presence.check(lane.name))

    def _leave_roots(self) -> None:
        """Forget what waits in roots that were paused or removed; a look at one that is under way is given up."""
        left = self._presence.take_left()
        for root in left:
            if root.id in self._looks:
                self._looks[root.id].set()
            for link, target in self._links.pop(root.id, {}).items():
                self._disks.unwatch(target, link)
            self._unreadable.pop(root.id, None)
            self._blind_next.pop(root.id, None)
            self._storms.looked(root.id, self._clock())
            for lane in self._lanes.values():
                lane.losses.went(root)
        if left:
            for lane in self._lanes.values():
                lane.settling.forget_those(self._is_left)

    def _is_left(self, path: str) -> bool:
        root = rooting.of_path(self._presence.roots, path)
        return root is None or root.paused

    async def compare_with_known(self, sha256: str) -> None:
        """See whether pending models of the size of a new model hold its content: they are told apart by hash."""
        self._comparing.compare_with(sha256)
        self._relatives.look()

    def confirm_claims(self) -> None:
        """Have the files hashed of which an earlier library tells, and compare others with what it says there is."""
        self._comparing.compare_all()
        self._claims.confirm()
        self._studying.look()

    async def read_beside(self, number: int) -> None:
        """Read now what lies beside a pending model's file, which is about to go elsewhere."""
        found = pending.get(self._library.db, number)
        if found is not None and found.state == "waiting":
            await self._reading.read_now(to_path(found.path))

    def writing_at(self, path: str) -> asyncio.Lock:
        """Give the lock under which what lies at a path is looked at and written down."""
        return self._lane_of(rooting.of_path(self._presence.roots, path)).writing

    def _is_finding(self) -> bool:
        """Tell whether files are being found just now."""
        return any(lane.backlog or lane.scanning.locked() or lane.writing.locked() for lane in self._lanes.values())

    def _lane_of(self, root: Root | None) -> _Lane:
        return self._lane_named(NEAR if root is None else self._disks.lane(root))

    def _lane_named(self, name: str) -> _Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(name, Losses(self._library, self._clock))
            self._begin_lane(lane)
        return lane

    def waiting(self) -> list[tuple[str, str]]:
        """Give (path as people see it, why) of the files that have not come to rest."""
        return [
            (shown(to_text(path)), reason) for lane in self._lanes.values() for path, reason in lane.settling.waiting()
        ]

    def polled_every(self, root: Root) -> float | None:
        """Give how often, in seconds, a root is looked at because changes in it give no hint; None where they do."""
        return None if root.paused else self._disks.polled_every(root)

    def warnings(self) -> list[tuple[str, str]]:
        """Give what is wrong with the watching, each with its cure."""
        found: list[tuple[str, str]] = []
        if not self._tasks:
            return found
        if self._problem is not None:
            found.append(("changes on the disks are not recorded", self._problem))
        shortage = self._disks.shortage()
        if shortage is not None:
            found.append(telling.of_shortage(shortage))
        found += self._storms.warnings(self._clock())
        for root in self._presence.roots:
            found += self.told_of(root)
        return found

    def told_of(self, root: Root) -> list[Trouble]:
        """Give what is wrong with a root, each with its cure; nothing is wrong with one that is paused."""
        hindered = None if root.paused else self._disks.told(root)
        return self._told_of(root) if hindered is None else [hindered]

    def hint_shortage(self, root: Root) -> Trouble | None:
        """Tell that folders in a root go unwatched, because the system watches no more of them."""
        shortage = self._disks.shortage() if self._tasks else None
        if shortage is None or not any(root.holds(folder) for folder in shortage.where):
            return None
        return telling.of_shortage(shortage)

    def _told_of(self, root: Root) -> list[Trouble]:
        found = self._presence.warnings(root)
        if root.offline:
            return found
        held = self._lane_of(root).losses.warnings(root)
        return found + held + telling.of_unreadable(self._unreadable.get(root.id, []))

    def watched(self, root: Root) -> Watched | None:
        """Tell how changes in a root are seen; None while it is away."""
        return self._presence.watched(root)

    async def check_roots(self) -> None:
        """See now which roots are here."""
        for came in await asyncio.gather(*(self._presence.check(lane) for lane in await self._presence.lanes())):
            self._came(came)  # nobody else is given them again

    async def scan(self) -> Scanned:
        """Look at all roots now, and take in what has come to rest."""
        await self.check_roots()
        total, gone, astray = Scanned(), list[str](), list[str]()
        online = self._presence.online()
        for done, root in enumerate(online):
            self._library.news.progress("scan", what=shown(to_text(root.path)), done=done, total=len(online))
            try:
                found = await self._look_at_root(root, None)
                total.outcome.join(await self._take_look(root, found))
            except NoAnswer:
                self._presence.doubt([root])
                total.unreadable.append(shown(to_text(root.path)))
                continue
            finally:
                self._library.news.finished("scan")
            total.files += found.files
            total.unreadable += [shown(to_text(path)) for path, _ in found.unreadable]
            gone += found.gone
            astray += found.astray
        total.outcome.join(await self._leave(astray))
        total.outcome.join(await self._believe_losses(gone))  # last: what is gone may have come to another root
        self._reading.look_at_all()
        return total

    # Hints --------------------------------------------------------------------------------------------

    def _deliver(self, hint: Hint) -> None:
        self._loop.call_soon_threadsafe(self._take_hint, hint)

    def _take_hint(self, hint: Hint) -> None:
        root = rooting.of_path(self._presence.roots, hint.path)
        if root is None or root.paused:
            return
        lane = self._lane_of(root)
        match hint.kind:
            case "arrived":
                self._arrived(lane, hint.path, renamed=True)
                if hint.came_from is not None:
                    self._follow_doubt(hint.came_from, hint.path)
                    self._lose([hint.came_from])
            case "written":
                self._arrived(lane, hint.path)
                self._written[hint.path] = None
            case "created":
                self._arrived(lane, hint.path)
            case "gone":
                self._forget_doubt(hint.path)
                self._lose([hint.path])
                if not self._is_model(hint.path) or hint.path in self._links.get(root.id, {}):
                    self._lose_below(hint.path)  # it may have been a link to a folder, which goes as a file does
            case "folder":
                self._look_soon(root, hint.path)
                self._picturing.look_in([hint.path])
                if hint.came_from is not None:
                    self._follow_doubt(hint.came_from, hint.path, is_folder=True)
                    self._lose_below(hint.came_from)
            case "folder-gone" if hint.path == root.path:
                self._presence.ended(root, deleted=hint.ended == "deleted")
                lane.check.set()
                self._look_soon(root, None)
            case "folder-gone":
                self._forget_doubt(hint.path, is_folder=True)
                self._lose_below(hint.path)
            case "lost":
                self._picturing.came(root)
                self._reading.came(root)
                self._storms.dropped_hints(root.id, self._clock())
                self._look_soon(root, hint.path)
        lane.wake.set()

    def _is_model(self, path: str) -> bool:
        """Tell whether a file at a path would be a model there."""
        name = os.path.basename(path)
        if is_model_name(name):
            return True
        root = rooting.of_path(self._presence.roots, path) if self._presence.more_endings else None
        return root is not None and is_model_name(name, root.endings)

    def _arrived(self, lane: _Lane, path: str, *, renamed: bool = False) -> None:
        if not lane.backlog.add_file(path, renamed=renamed):
            self._written.clear()
            self.look_at_everything()

    def _lose(self, paths: Sequence[str]) -> None:
        """Paths may be gone: in a moment each is looked at, before it is believed."""
        by_root: dict[Root | None, list[str]] = {}
        for path in paths:
            by_root.setdefault(rooting.of_path(self._presence.roots, path), []).append(path)
        for root, those in by_root.items():
            lane = self._lane_of(root)
            lane.wake.set()
            if not lane.losses.suspect(those):
                self.look_at_everything()

    def _lose_below(self, folder: str) -> None:
        """Everything known below a folder may be gone."""
        self._lose(looking.known_below(self._library.db, folder))

    async def _follow_hints(self, lane: _Lane) -> None:
        while True:
            await self._wait(lane)
            try:
                await self._take_hints(lane)
            except NoAnswer:
                self._doubt(lane)

    def _doubt(self, lane: _Lane) -> None:
        """Nothing is known of what waits in a lane: all of it is looked at again when its file system answers."""
        lane.settling = Settling()
        self._presence.doubt(root for root in self._presence.roots if self._disks.lane(root) == lane.name)

    async def _take_hints(self, lane: _Lane) -> None:
        gone: list[str] = []
        astray: list[str] = []
        looked: list[int] = []
        while (waiting := lane.backlog.take_folder()) is not None:
            number, under = waiting
            root = next((root for root in self._presence.online() if root.id == number), None)
            if root is not None:
                found = await self._look_at_root(root, under)
                await self._take_look(root, found)
                gone += found.gone
                astray += found.astray if under is None else ()
            if under is None:
                looked.append(number)
        await self._take_arrivals(lane)
        await self._believe_losses([*gone, *lane.losses.take_due()])
        await self._leave(astray)
        for number in looked:
            self._storms.looked(number, self._clock())
        self._problem = None

    async def _wait(self, lane: _Lane) -> None:
        now = self._clock()
        due = min(lane.settling.next_look(), lane.losses.next_look())
        if lane.backlog or due <= now:
            return
        lane.wake.clear()
        # Not by `wait_for`: in Python 3.11 it forgets a cancellation that comes together with what it waits for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if due == math.inf else due - now):
                await lane.wake.wait()

    async def _take_arrivals(self, lane: _Lane) -> None:
        arrived = lane.backlog.take_files()
        for path in lane.settling.due(self._clock()):
            arrived.setdefault(path, False)
        files = [(path, renamed) for path, renamed in arrived.items() if self._is_model(path)]
        for chunk in chunks(files, CHUNK):
            await self._take_in(lane, chunk)
        others = [path for path in arrived if not self._is_model(path)]
        for path in others:
            self._written.pop(path, None)
        no_files, lane.no_files = lane.no_files, []
        await self._others_arrived([*others, *no_files])  # a link to a folder may have a model's name

    async def _others_arrived(self, paths: list[str]) -> None:
        """Files that are no models: they may belong to one; a link to a folder is followed by a look."""
        self._reading.changed(path for path in paths if may_belong(os.path.basename(path)))
        pictures = [path for path in paths if extension(path) in PICTURE_EXTENSIONS]
        if pictures:
            self._picturing.look_in([os.path.dirname(path) for path in pictures])
        rest = [path for path in paths if extension(path) not in PICTURE_EXTENSIONS]
        for path in await self._disks.folders_among(rest) if rest else ():
            root = rooting.of_path(self._presence.roots, path)
            if root is not None:
                self._look_soon(root, os.path.dirname(path))

    # Files --------------------------------------------------------------------------------------------

    async def _take_in(self, lane: _Lane, files: Sequence[tuple[str, bool]]) -> Outcome:
        """Look at files (path, whether it was renamed to it), and take in those at rest. Gives what came of it."""
        async with lane.writing:
            free = [(path, renamed) for path, renamed in files if path not in self._busy.paths]
            looked = await self._known_for_whole(await self._disks.look_at_files(self._presence.roots, free))
            looked = self._not_left(looked)
            taken = [result for result in looked if self._is_at_rest(lane, result)]
            if len(taken) < len(looked):
                lane.wake.set()  # a scan may have looked: whoever waits for the next hint must know when to look again
            rewritten = self._doubt_rewritten(taken)
            lane.losses.arrived(taken)
            outcome = await self._break_off(looked)
            outcome.join(await self._write_sightings(await self._disks.sightings_of(taken)))
            self._compare_rewritten(rewritten)
            return outcome

    def _not_left(self, looked: list[Looked]) -> list[Looked]:
        """Leave out what lies in roots that were paused or removed while it was looked at."""
        kept = {root.id for root in self._presence.roots if not root.paused}
        return [one for one in looked if one.root.id in kept]

    async def _known_for_whole(self, looked: list[Looked]) -> list[Looked]:
        """Let a file be whole that is known as it is: it was taken once, and what it lacks was never there."""
        short = [one.seen for one in looked if one.seen is not None and one.falls_short]
        known: set[str] = await self._library.with_reader(looking.known_as_they_are, short) if short else set()
        return [one.as_whole() if one.path in known else one for one in looked]

    async def _break_off(self, looked: Sequence[Looked]) -> Outcome:
        """Have a model lose the file that something unfinished was written over: it may stay so for ever."""
        broken: list[File] = []
        for one in looked:
            if one.seen is None or not (one.unfinished or one.is_written):
                continue
            file = rooting.as_file(one.seen, one.root.id)
            if one.seen.nlink > 1:
                self.look_again(looking.other_names(self._library.db, file, of_models=True))
            there = models.location(self._library.db, file.path)
            if there is not None and not there.lost and (one.unfinished or file.size != there.size):
                broken.append(file)
        return await self.write(lambda db: break_off(db, broken)) if broken else Outcome()

    def _doubt_rewritten(self, taken: Sequence[Looked]) -> list[Looked]:
        """Have a file compared that was written to and looks as before: size and time may have been kept.

        Gives those that are no known file at their path: one that was moved there may be one once that is written.
        """
        rewritten: list[Looked] = []
        for looked in taken:
            if looked.path not in self._written or looked.seen is None:
                continue
            self._written.pop(looked.path)
            # At its other names, hard links and links to it, it has changed as well, and no hint tells.
            names = looking.other_names(self._library.db, rooting.as_file(looked.seen, looked.root.id))
            self.look_again(names)
            for name in names:
                self._comparing.doubt(name, _at_rest(looked.seen))
            rewritten.append(looked)
        return self._compare_rewritten(rewritten)

    def _compare_rewritten(self, rewritten: Sequence[Looked]) -> list[Looked]:
        """Have those compared whose content is known at their path, as they look; gives the others."""
        return [
            looked
            for looked in rewritten
            if looked.seen is None or not self._comparing.doubt(looked.path, _at_rest(looked.seen))
        ]

    def _follow_doubt(self, came_from: str, path: str, *, is_folder: bool = False) -> None:
        """What was written to, or is to be compared, was moved before that was looked at."""
        for old, new in moved_along(self._written, came_from, path, is_folder=is_folder).items():
            self._written[new] = self._written.pop(old)
        self._comparing.follow_move(came_from, path, is_folder=is_folder)

    def _forget_doubt(self, path: str, *, is_folder: bool = False) -> None:
        """What was written to was deleted or is out of sight, itself or with its folder: nothing is to be compared."""
        forget(self._written, path, is_folder=is_folder)
        self._comparing.gone(path, is_folder=is_folder)

    def _is_at_rest(self, lane: _Lane, looked: Looked) -> bool:
        if looked.seen is None:  # what was written to there is not forgotten: a hint may tell soon where it went
            lane.settling.forget(looked.path)
            if looked.gone:
                self._lose([looked.path])
                lane.no_files.append(looked.path)
            return False
        assert looked.facts is not None
        verdict = lane.settling.look(
            looked.path, looked.facts, now=self._clock(), wall_ns=time.time_ns(), network=looked.network
        )
        return not isinstance(verdict, Waiting) and not looked.unreadable

    async def _write_sightings(self, sightings: list[Sighting]) -> Outcome:
        placed = await self.with_others(sightings)
        if not placed:
            return Outcome()
        return await self.write(lambda db: see(db, placed), placed)

    async def with_others(self, sightings: list[Sighting]) -> list[Sighting]:
        """Complete sightings, and leave out what an import has taken up meanwhile: it is looked at after that."""
        if not sightings:
            return []
        others = await self._library.with_reader(looking.others_of, sightings)
        seen = await self._disks.fingerprints(looking.paths_among(sightings, others))
        placed = looking.placed(self._presence.roots, sightings, others, seen)
        return [sighting for sighting in placed if to_path(sighting.file.path) not in self._busy.paths]

    async def write(self, decide: Callable[[apsw.Connection], Decision], sightings: Sequence[Sighting] = ()) -> Outcome:
        """Write what was decided of some sightings, and have done what follows from it. Raises what a write raises."""
        written = await self._library.write(decide, actor="watcher")
        outcome = as_outcome(written.value)
        self._picturing.look_for(outcome.found)
        at_rest = {sighting.file.path: as_at_rest(sighting) for sighting in sightings}
        self._comparing.ask({to_path(path): at_rest[path] for path in outcome.confirm})
        if outcome.claimed:
            self._claims.confirm()
        return outcome

    async def _believe_losses(self, paths: Sequence[str]) -> Outcome:
        """Believe that files are gone, where they really are and their roots are really here."""
        total, by_lane = Outcome(), dict[str, list[str]]()
        for path in paths:
            by_lane.setdefault(self._lane_of(rooting.of_path(self._presence.roots, path)).name, []).append(path)
        for name, those in by_lane.items():
            try:
                total.join(await self._believe_losses_in(self._lanes[name], those))
            except NoAnswer:
                self._doubt(self._lanes[name])
        return total

    async def _believe_losses_in(self, lane: _Lane, paths: Sequence[str]) -> Outcome:
        async with lane.writing:
            missing = await self._disks.really_gone(self._presence.roots, paths, self._busy.paths)
            gone = await lane.losses.weigh(paths, missing)
            for path in gone:
                lane.settling.forget(path)
            texts = [to_text(path) for path in gone]
            return await self.write(lambda db: lose(db, texts)) if texts else Outcome()

    async def _leave(self, paths: Sequence[str]) -> Outcome:
        """Forget paths at which files lie that are reached without them now, by the time these have been taken in."""
        texts = [to_text(path) for path in paths if path not in self._busy.paths]
        return await self.write(lambda db: lose(db, texts)) if texts else Outcome()

    # Looking at folders -------------------------------------------------------------------------------

    async def _look_at_root(self, root: Root, under: str | None) -> Look:
        async with self._lane_of(root).scanning:
            if not self._is_online(root):
                return Look()
            whole = under is None or under == root.path
            known = await self._library.with_reader(looking.known_in, root.id, None if whole else under)
            begun, stop = self._clock(), threading.Event()
            self._looks[root.id] = stop
            if self._stopping.is_set():
                stop.set()
            others = [other for other in self._presence.roots if other.id != root.id]
            try:
                found = await self._disks.look(
                    root,
                    known,
                    others,
                    under=None if whole else under,
                    followed=self._links.get(root.id),
                    stop=stop,
                )
            except NoAnswer:
                raise
            except (ValueError, OSError, StoppedError):
                return Look()  # the folder went away, or is none of this root's: its parent's look tells
            finally:
                self._looks.pop(root.id, None)
            if stop.is_set():
                return Look()
            if whole:
                self._unreadable[root.id] = found.unreadable
                now = self._clock()
                self._blind_next[root.id] = now + min(max(BLIND_SHARE * (now - begun), BLIND_S[0]), BLIND_S[1])
            self._lane_of(root).losses.looked(root, found, known, whole=whole)
            await self._follow_links(root, found, whole=whole)
            return found

    def _is_online(self, root: Root) -> bool:
        return any(other.id == root.id for other in self._presence.online())

    async def _take_look(self, root: Root, found: Look) -> Outcome:
        """Take in what a look found to be new or changed."""
        lane, total, seen = self._lane_of(root), Outcome(), [*found.new, *found.changed]
        for chunk in chunks(seen, CHUNK):
            moved = await self._library.with_reader(looking.moved_here, chunk, root)
            total.join(await self._take_in(lane, [(one.path, one.path in moved) for one in chunk]))
        await self._picturing.looked(root)
        self._reading.looked(root)
        return total

    async def _follow_links(self, root: Root, found: Look, *, whole: bool) -> None:
        before = self._links.get(root.id, {})
        after = dict(found.links) if whole else before | found.links
        self._links[root.id] = after
        for link in before.keys() - after.keys():
            self._disks.unwatch(before[link], link)
        for link in after.keys() - before.keys():
            if await self._watch_link(after[link], link):
                self._look_soon(root, link)  # once more, now that hints come from there

    async def _watch_link(self, folder: str, link: str) -> bool:
        try:
            await self._disks.watch(folder, link)
        except OSError as error:
            log.warning("%s cannot be watched: %s", shown(to_text(link)), error.strerror)
            return False
        return True

    # Roots --------------------------------------------------------------------------------------------

    async def _follow_lanes(self) -> None:
        while True:
            if self._clock() >= self._next_lanes:
                self._next_lanes = self._clock() + LANES_EVERY_S
                for name in await self._presence.lanes():
                    self._lane_named(name)
            await self._look_where_blind()
            if self._clock() - self._last_look > RECONCILE_EVERY_S:
                self._last_look = self._clock()
                self.look_at_everything()
            await self._rest()

    async def _look_where_blind(self) -> None:
        """Look at the roots in which changes give no hint or a disk is away, if it is time; have them watched."""
        now, blind = self._clock(), self._presence.blind()
        doubtful = [root for root in self._presence.online() if self._lane_of(root).losses.doubts(root)]
        for root in [*blind, *doubtful]:
            if now >= self._blind_next.get(root.id, now):
                self._blind_next[root.id] = now + BLIND_S[1]
                self._look_soon(root, None)
        if blind and now >= self._next_cover:
            self._next_cover = now + COVER_EVERY_S
            for root in await self._presence.cover():
                self._look_soon(root, None)

    async def _rest(self) -> None:
        """Wait for the next mount, or for two seconds; after a much longer time everything is looked at."""
        before = self._clocks()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROOTS_EVERY_S):
                await self._mount_wake.wait()
        paused = pause(before, self._clocks(), ROOTS_EVERY_S)
        if paused:
            log.warning("nothing ran for %.0f s; all folders are looked at", paused)
            self._storms.paused(paused, [root.id for root in self._presence.online()], self._clock())
            self.look_at_everything()
        if self._mount_wake.is_set():
            await asyncio.sleep(MOUNTS_SETTLE_S)
            self._mount_wake.clear()
            await self._take_mounts()

    def _mounts_changed(self) -> None:
        self._loop.call_soon_threadsafe(self._mount_wake.set)

    async def _take_mounts(self) -> None:
        """Something was mounted or unmounted: watch and look at what it concerns anew, and check all roots."""
        await self._presence.lanes()  # before anything is touched: what was mounted may hang
        before, self._mounted = self._mounted, await asyncio.to_thread(mounts.read)
        await self._presence.lanes()  # before any of them is touched: what is mounted now may hang
        self._next_lanes = -math.inf
        points = mounts.changed_points(before, self._mounted)
        near = [root for root in self._presence.online() if self._disks.lane(root) == NEAR]
        real = await asyncio.to_thread(lambda: [os.path.realpath(root.path) for root in near])
        for root, path in zip(near, real, strict=True):
            links = self._links.get(root.id, {})
            if any(mounts.concerned(points, folder) for folder in (path, *links.values())):
                for link, target in self._links.pop(root.id, {}).items():
                    self._disks.unwatch(target, link)  # the look finds it again, and has what lies there now watched
                self._presence.watch_anew(root)
                self._look_soon(root, None)
        for lane in self._lanes.values():
            lane.check.set()

    async def _follow_roots(self, lane: _Lane) -> None:
        while True:
            lane.check.clear()
            came = await self._presence.check(lane.name)
            await self._take_in_roots(lane)
            self._came(came)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROOTS_EVERY_S):
                    await lane.check.wait()

    def _came(self, roots: Sequence[Root]) -> None:
        """Roots are here that were away, or were in doubt: look at them, and at what waited for them."""
        for root in roots:
            self._look_soon(root, None)
            self._picturing.came(root)
            self._reading.came(root)
            self._comparing.came(root)
            self._claims.confirm()
            self._studying.came(root)
            self._relatives.look()

    async def _take_in_roots(self, lane: _Lane) -> None:
        """Tell who must know which roots of a lane are away, or here for the first time, and look where it is due."""
        self._leave_roots()
        begun_anew = self._presence.take_begun_anew()
        for root in self._presence.roots:
            if root.id in begun_anew:
                await self._lane_of(root).losses.begins_anew(root)
                self._look_soon(root, None)
            if self._disks.lane(root) != lane.name:
                continue
            if root.paused:
                continue
            if root.offline:
                lane.losses.went(root)
                self._storms.looked(root.id, self._clock())
            elif self._disks.take_due(root):
                self._look_soon(root, None)


def _at_rest(seen: Seen) -> AtRest:
    return seen.size, seen.mtime_ns, rooting.signed(seen.ino)
