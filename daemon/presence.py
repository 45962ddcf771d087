"""Which roots are here, and which of them are watched: looked at every two seconds, and told to the log."""

import asyncio
import logging
import os

from ..events.pathtext import shown, to_text
from . import roots as rooting
from .library import Library
from .looking import sample
from .rootcheck import Identity, identify, is_network, judge
from .roots import Root, is_same, signed
from .watch import Watcher

log = logging.getLogger(__name__)


class Presence:
    """Keeps track of the roots of a library and has those that are here watched."""

    def __init__(self, library: Library, watcher: Watcher) -> None:
        """Keep track for a library; `watcher` is given the roots that are here."""
        self._library = library
        self._watcher = watcher
        self._watched: set[int] = set()
        self._refused: set[int] = set()
        self._checking = asyncio.Lock()
        self.roots: list[Root] = []

    def online(self) -> list[Root]:
        """Give the roots that are here."""
        return [root for root in self.roots if not root.offline]

    def needs_looks(self) -> bool:
        """Tell whether changes may happen in a root that is here without giving a hint."""
        here = self.online()
        if any(root.identity is not None and is_network(root.identity.fstype) for root in here):
            return True
        return any(root.id not in self._watched for root in here) or self._watcher.shortage() is not None

    def watch_anew(self, root: int) -> None:
        """The watch on a root has ended: a new one is to be set up."""
        self._watched.discard(root)

    async def check(self) -> list[Root]:
        """See which roots are here and watch them; give those that came, or that were not watched until now."""
        async with self._checking:
            before = {root.id for root in self.online()}
            known = rooting.every(self._library.db)
            for root, same in zip(known, await asyncio.to_thread(_as_before, known), strict=True):
                if root.offline or not same:
                    await self._judge(root)
            self.roots = rooting.every(self._library.db)
            return [root for root in self.roots if await self._is_to_be_looked_at(root, before)]

    async def _is_to_be_looked_at(self, root: Root, before: set[int]) -> bool:
        if root.offline:
            if root.id in self._watched:
                self._stop_watching(root)
            return False
        if root.id in self._watched:
            return root.id not in before
        watched = await asyncio.to_thread(self._watch, root)
        return watched or root.id not in before

    def _watch(self, root: Root) -> bool:
        try:
            self._watcher.watch(root.path)
        except OSError as error:
            if root.id not in self._refused:
                log.warning("%s cannot be watched: %s", shown(to_text(root.path)), error.strerror)
            self._refused.add(root.id)
            return False
        self._watched.add(root.id)
        self._refused.discard(root.id)
        return True

    def _stop_watching(self, root: Root) -> None:
        """A watch stays with its folder, whatever is mounted at the path later."""
        self._watched.discard(root.id)
        self._watcher.unwatch(root.path)

    async def _judge(self, root: Root) -> None:
        now = await asyncio.to_thread(identify, root.path)
        has_known, sampled = False, False
        if now is not None and not is_same(now, root):
            if root.id in self._watched:
                self._stop_watching(root)
            has_known, sampled = await self._library.with_reader(sample, root.id)
        known, found = root.identity, None if now is None else Identity(signed(now.fsid), signed(now.ino), now.fstype)
        presence = judge(known, found, has_known_files=has_known, sample_found=sampled)
        if presence == "online" and now is not None:
            came = rooting.comes_online(root.id, now)
            await self._library.write(lambda _db: came, actor="watcher")
        elif not root.offline or root.why != ("foreign" if presence == "foreign" else "absent"):
            left = rooting.goes_offline(root.id, foreign=presence == "foreign")
            await self._library.write(lambda _db: left, actor="watcher")


def _as_before(roots: list[Root]) -> list[bool]:
    """Tell of each root whether it is the folder it was: cheaper than to identify it, for it is done at rest."""
    return [_is_as_before(root) for root in roots]


def _is_as_before(root: Root) -> bool:
    if root.identity is None:
        return False
    try:
        info = os.stat(root.path)
        fsid = os.statvfs(root.path).f_fsid if hasattr(os, "statvfs") else info.st_dev
    except OSError:
        return False
    return is_same(Identity(fsid, info.st_ino, root.identity.fstype), root)
