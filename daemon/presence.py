"""Which roots are here, and which of them are watched: looked at every two seconds, and told to the log."""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Literal

from ..events.pathtext import shown, to_text
from . import looking, telling
from . import roots as rooting
from .disks import NEAR, Disks, NoAnswer
from .library import Library
from .looking import AsKnown
from .rootcheck import Identity, judge, obstacle
from .roots import Root, is_same, signed
from .telling import Trouble

SHORTEST_S, LONGEST_S = 2.0, 60.0  # between two looks at a folder that lies in a root's place
SHARE = 50.0  # of the time that such a look takes it is left alone: it costs 2 % of a core at most

Watched = Literal["events", "looks", "both"]

log = logging.getLogger(__name__)


class Presence:
    """Keeps track of the roots of a library and has those that are here watched."""

    def __init__(self, library: Library, disks: Disks, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep track for a library; `disks` looks at the roots, and watches those that are here."""
        self._library = library
        self._disks = disks
        self._clock = clock
        self._watched: set[int] = set()
        self._refused: dict[int, OSError] = {}
        self._doubted: set[int] = set()
        self._deleted: set[int] = set()  # roots whose folder was seen to be deleted, and is not made anew yet
        self._obstacles: dict[int, str] = {}
        self._samples: dict[int, list[AsKnown]] = {}  # of the roots in whose place something else lies
        self._next_sample: dict[int, float] = {}
        self._begun_anew: set[int] = set()
        self._left: list[Root] = []
        self._are_others = False
        self._checking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._lanes_are_known = False
        self._in_lanes: set[int] = set()  # roots whose lane was found out
        self.roots: list[Root] = []
        self.more_endings = False
        """Whether in some root endings count that are no model's elsewhere."""

    def read_roots(self) -> None:
        """Learn which roots there are now, and leave alone at once those that are paused or removed by now."""
        before, open_before = self.roots, [root for root in self.roots if not root.paused]
        self.roots = rooting.every(self._library.db)
        self.more_endings = any(root.endings for root in self.roots)
        self._are_others |= _looked_for(before) != _looked_for(self.roots)
        self._disks.take_roots(self.roots)
        for root in filter(self._is_left, open_before):
            self._left.append(root)
            self._leave(root)

    def take_others(self) -> bool:
        """Tell whether roots came or went, or what is looked for in them, since this was asked last."""
        others, self._are_others = self._are_others, False
        return others

    def take_left(self) -> list[Root]:
        """Give the roots that were paused or removed, once."""
        taken, self._left = self._left, []
        return taken

    def _leave(self, root: Root) -> None:
        if root.id in self._watched:
            self._stop_watching(root)
        for known in (self._refused, self._obstacles, self._samples, self._next_sample):
            known.pop(root.id, None)
        self._doubted.discard(root.id)
        self._deleted.discard(root.id)

    def _is_left(self, root: Root) -> bool:
        return not any(other.id == root.id and not other.paused for other in self.roots)

    def online(self) -> list[Root]:
        """Give the roots that are here."""
        return [root for root in self.roots if not root.offline]

    def blind(self) -> list[Root]:
        """Give the roots that are here and not polled, in which changes may give no hint all the same."""
        return [root for root in self.online() if self._disks.polled_every(root) is None and self._lacks_watches(root)]

    def watched(self, root: Root) -> Watched | None:
        """Tell how changes in a root are seen: by the system's events, by looks now and then, or both ways."""
        if root.offline:
            return None
        if root.id not in self._watched:
            return "looks"
        return "both" if self._lacks_watches(root) or self._disks.polled_every(root) is not None else "events"

    def _lacks_watches(self, root: Root) -> bool:
        if root.id not in self._watched:
            return True
        shortage = self._disks.shortage()
        return shortage is not None and any(root.holds(folder) for folder in shortage.where)

    def warnings(self, root: Root) -> list[Trouble]:
        """Say what is wrong with a root being here and watched, each with its cure."""
        if root.paused:
            return []
        if root.offline:
            obstacle_ = self._obstacles.get(root.id, "")
            return [telling.of_absence(root, obstacle_, deleted=root.id in self._deleted)]
        refused = self._refused.get(root.id)
        return [] if refused is None else [telling.of_refusal(root, refused)]

    def ended(self, root: Root, *, deleted: bool) -> None:
        """The watch on a root has ended; `deleted` says that its folder was seen to be deleted, with all in it."""
        self._watched.discard(root.id)
        if deleted:
            self._deleted.add(root.id)

    def watch_anew(self, root: Root) -> None:
        """Another file system may lie in a root or around it now: the next check has it watched anew."""
        self._stop_watching(root)

    async def cover(self) -> list[Root]:
        """Try again to watch the folders that the system refused to watch; give the roots to be looked at for it."""
        if self._disks.shortage() is None:
            return []
        covered = await self._disks.cover()
        return [root for root in self.online() if any(root.holds(folder) for folder in covered)]

    def take_begun_anew(self) -> set[int]:
        """Give the roots that were taken out of the configuration and in again, once."""
        taken, self._begun_anew = self._begun_anew, set()
        return taken

    def doubt(self, roots: Iterable[Root]) -> None:
        """A look at some roots could not be finished: the next check that finds them here gives them again."""
        self._doubted.update(root.id for root in roots)

    async def lanes(self) -> list[str]:
        """Find out in which lanes the roots lie now, this machine's own disks first."""
        self.read_roots()
        known = [root for root in self.roots if not root.paused]
        await self._disks.find_lanes(known)
        self._in_lanes = {root.id for root in known}
        self._lanes_are_known = True
        return [NEAR, *sorted({self._disks.lane(root) for root in known} - {NEAR})]

    async def check(self, lane: str) -> list[Root]:
        """See which roots of a lane are here and watch them; give those to be looked at.

        They are those that came, that were not watched until now, and that were in doubt.
        """
        if not self._lanes_are_known:
            await self.lanes()  # before anything is touched: what lies in another lane may hang
        async with self._checking[lane]:
            before = {root.id for root in self.online()}
            known = self._in_lane(lane)
            for root, same in zip(known, await self._as_before(known), strict=True):
                if self._is_left(root):
                    continue  # it was paused or removed while another was judged
                if root.offline or not same:
                    await self._judge(root)
                else:
                    self._deleted.discard(root.id)  # it was made anew before anybody looked, with the same inode
            self.read_roots()
            return [root for root in self._in_lane(lane) if await self._is_to_be_looked_at(root, before)]

    def _in_lane(self, lane: str) -> list[Root]:
        every = rooting.every(self._library.db)
        # One that was added or resumed just now may hang: it is not touched before its lane is known.
        known = [root for root in every if not root.paused and root.id in self._in_lanes]
        return [root for root in known if self._disks.lane(root) == lane]

    async def _as_before(self, roots: list[Root]) -> list[bool]:
        try:
            return await self._disks.as_before(roots)
        except NoAnswer:
            return [False] * len(roots)

    async def _is_to_be_looked_at(self, root: Root, before: set[int]) -> bool:
        if root.offline:
            if root.id in self._watched:
                self._stop_watching(root)
            return False
        came = root.id not in before or root.id in self._doubted
        self._doubted.discard(root.id)
        if root.id in self._watched:
            return came
        return await self._watch(root) or came

    async def _watch(self, root: Root) -> bool:
        try:
            await self._disks.watch(root.path)
        except OSError as error:
            if root.id not in self._refused:
                log.warning("%s cannot be watched: %s", shown(to_text(root.path)), error.strerror)
            self._refused[root.id] = error
            return False
        if self._is_left(root):  # it was paused or removed meanwhile
            self._stop_watching(root)
            return False
        self._watched.add(root.id)
        self._refused.pop(root.id, None)
        return True

    def _stop_watching(self, root: Root) -> None:
        """A watch stays with its folder, whatever is mounted at the path later."""
        self._watched.discard(root.id)
        self._disks.unwatch(root.path)

    async def _judge(self, root: Root) -> None:
        try:
            now = await self._disks.identify(root.path)
            has_known, sampled = await self._sampled(root, now)
        except NoAnswer:
            now, has_known, sampled = None, False, False
        known, found = root.identity, None if now is None else Identity(signed(now.fsid), signed(now.ino), now.fstype)
        deleted = root.id in self._deleted
        presence = judge(known, found, has_known_files=has_known, sample_found=sampled, was_deleted=deleted)
        if presence == "online" and now is not None:
            await self._comes(root, now)
            return
        why = "foreign" if presence == "foreign" else "absent"
        self._obstacles[root.id] = await self._obstacle(root) if why == "absent" else ""
        if not root.offline or root.why != why:
            left = rooting.goes_offline(root.id, foreign=why == "foreign")
            await self._library.write(lambda db: rooting.if_watched(db, root.id, left), actor="watcher")

    async def _comes(self, root: Root, now: Identity) -> None:
        self._deleted.discard(root.id)
        self._samples.pop(root.id, None)
        self._next_sample.pop(root.id, None)
        if root.identity is None:
            self._begun_anew.add(root.id)
        came = rooting.comes_online(root.id, now)
        await self._library.write(lambda db: rooting.if_watched(db, root.id, came), actor="watcher")

    async def _obstacle(self, root: Root) -> str:
        return await asyncio.to_thread(obstacle, root.path) if self._disks.lane(root) == NEAR else ""

    async def _sampled(self, root: Root, now: Identity | None) -> tuple[bool, bool]:
        """Tell of a folder that is not the one known whether files are known in it, and whether one is there."""
        if now is None or is_same(now, root) or root.identity is None:
            return False, False
        if root.id in self._watched:
            self._stop_watching(root)
        if root.id not in self._samples:
            self._samples[root.id] = await self._library.with_reader(looking.sample, root.id)
        few = self._samples[root.id]
        return bool(few), bool(few) and (await self._disks.any_as_known(few) or await self._holds_known(root))

    async def _holds_known(self, root: Root) -> bool:
        """Look whether any known file lies in what is at a root's path now; somebody may just have put one in."""
        begun = self._clock()
        if begun < self._next_sample.get(root.id, begun):
            return False
        others = [other for other in self.roots if other.id != root.id]
        try:
            found = await self._disks.look(root, {}, others, under=None, followed=None, stop=threading.Event())
        except OSError:
            return False
        now = self._clock()
        self._next_sample[root.id] = now + min(max(SHARE * (now - begun), SHORTEST_S), LONGEST_S)
        return await self._library.with_reader(looking.is_known, root.id, found.new)


def _looked_for(roots: Iterable[Root]) -> set[tuple[int, tuple[str, ...]]]:
    return {(root.id, root.endings) for root in roots}
