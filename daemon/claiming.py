"""Hashes, in the background, the files of which an earlier library says what they hold: one after the other.

Whatever a person may wait for comes first: it stops between two blocks while files are compared with the models, and
while imports need the cores. It takes up what is left whenever a root comes, and at every start.
"""

import asyncio
import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import apsw

from ..events.pathtext import shown, to_path
from ..events.writer import Decision
from ..projections import claims, models
from ..projections.claims import Claim
from .busy import Busy
from .comparing import Observing, as_at_rest
from .disks import Disks, NoAnswer
from .hashing import Hashed, ReadingStopped
from .library import Library
from .looking import Looked
from .presence import Presence
from .roots import Root, signed
from .settle import Settling, Waiting
from .sightings import Sighting, see, suspend

TASK = "claims"
WHAT = "hashing the files of the earlier library"
PAGE = 200  # claims that are looked at at once
TOGETHER = 256 << 20  # bytes hashed between two writes: of many small files all is written at once
GIVE_WAY_S = 0.1  # between two looks at whether somebody still needs the cores
SKIPPED_S = 30.0  # after so long a file is tried again that an import was working on
AGAIN_S = 900.0  # after so long all that is left is tried again, whatever kept it


@dataclass(frozen=True, slots=True)
class _Answer:
    """A claim, how its file looked at rest, and what was found in it."""

    claim: Claim
    looked: Looked
    hashed: Hashed

    @property
    def path(self) -> str:
        return to_path(self.claim.path)

    @property
    def at_rest(self) -> tuple[int, int, int]:
        return self.claim.size, self.claim.mtime_ns, self.claim.ino


class Claims:
    """What is left to confirm. `follow` does it; all of it runs in the event loop, but for the hashing."""

    def __init__(
        self,
        library: Library,
        disks: Disks,
        presence: Presence,
        busy: Busy,
        observing: Observing,
        stopping: threading.Event,
        *,
        is_comparing: Callable[[], bool],
        remember: Callable[[str, Hashed], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Confirm for a library; `is_comparing` tells whether files are compared just now, `remember` keeps hashes.

        Once `stopping` is set a file that is being hashed is given up. `clock` is a monotonic one, in seconds.
        """
        self._library = library
        self._disks = disks
        self._presence = presence
        self._busy = busy
        self._at = observing
        self._stopping = stopping
        self._is_comparing = is_comparing
        self._remember = remember
        self._clock = clock
        self._settling = Settling()
        self._skipped = False
        self._wake = asyncio.Event()
        self._done = self._done_bytes = 0

    def confirm(self) -> None:
        """There may be more to confirm."""
        self._wake.set()

    async def follow(self) -> None:
        """Confirm what is to be confirmed, for ever."""
        while True:
            self._wake.clear()
            self._skipped, begun = False, self._clock()
            self._done = self._done_bytes = 0
            try:
                for root in self._presence.online():
                    await self._confirm_in(root)
            finally:
                self._library.news.finished(TASK)
            for path in self._settling.due(begun):
                self._settling.forget(path)  # nobody claims anything of it any more
            await self._until_wanted()

    async def _until_wanted(self) -> None:
        due = self._settling.next_look() - self._clock()
        wait = min(math.inf if due == math.inf else max(due, GIVE_WAY_S), SKIPPED_S if self._skipped else AGAIN_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()

    async def _confirm_in(self, root: Root) -> None:
        after = ""
        while found := await self._library.with_reader(claims.to_confirm, root.id, after, PAGE):
            after = found[-1].path
            try:
                await self._confirm_some(root, found)
            except NoAnswer:
                self._presence.doubt([root])  # it is given again by the check that finds it here
                return

    async def _confirm_some(self, root: Root, found: Sequence[Claim]) -> None:
        left, left_bytes = await self._library.with_reader(claims.left)
        total = {"total": self._done + left, "bytes_total": self._done_bytes + left_bytes}
        answers: list[_Answer] = []
        for claim, looked in await self._at_rest(found):
            hashed = await self._hash(claim, total) if self._stands(claim) else None
            if hashed is not None:
                answers.append(_Answer(claim, looked, hashed))
                self._done += 1
                self._done_bytes += hashed.size
            if sum(answer.hashed.size for answer in answers) >= TOGETHER:
                await self._write_down(root, answers)
                answers = []
        if answers:
            await self._write_down(root, answers)

    def _stands(self, claim: Claim) -> bool:
        """Tell whether nobody has confirmed or moved it meanwhile: a page of large files may take an hour."""
        there = models.location(self._library.db, claim.path)
        return there is not None and there.claimed and there.model == claim.model

    # Looking

    async def _at_rest(self, found: Sequence[Claim]) -> list[tuple[Claim, Looked]]:
        """Look at the files of some claims; give those that are at rest and as they were found.

        The others are looked at by the observer, as any file that came, was changed or is gone. What a file lacks
        does not count yet: it may have lacked it when the earlier library hashed it.
        """
        by_path = {to_path(claim.path): claim for claim in found}
        free = [(path, False) for path in by_path if path not in self._busy.paths]
        self._skipped = self._skipped or len(free) < len(by_path)
        at_rest: list[tuple[Claim, Looked]] = []
        for looked in await self._disks.look_at_files(self._presence.roots, free):
            claim = by_path[looked.path]
            if not _is_as_claimed(looked, claim):
                self._at.look_again([looked.path])
            elif self._has_come_to_rest(looked):
                at_rest.append((claim, looked))
        return at_rest

    def _has_come_to_rest(self, looked: Looked) -> bool:
        whole = looked.as_whole().facts
        if whole is None:
            return False
        facts = replace(whole, size=max(whole.size, 1))
        now, wall_ns = self._clock(), time.time_ns()
        verdict = self._settling.look(looked.path, facts, now=now, wall_ns=wall_ns, network=looked.network)
        return not isinstance(verdict, Waiting)

    # Hashing

    async def _hash(self, claim: Claim, total: dict[str, int]) -> Hashed | None:
        """Hash one file; None where it did not hold still, and is looked at again."""
        loop, path = asyncio.get_running_loop(), to_path(claim.path)
        told = {"what": WHAT, "done": self._done, "path": shown(claim.path), **total}
        before = self._done_bytes

        def tell(done: int) -> None:
            loop.call_soon_threadsafe(lambda: self._library.news.progress(TASK, bytes=before + done, **told))
            while self._must_give_way() and not self._stopping.wait(GIVE_WAY_S):
                pass

        while self._must_give_way():
            await asyncio.sleep(GIVE_WAY_S)
        self._library.news.progress(TASK, bytes=before, **told)
        try:
            hashed = await self._disks.hash_file(path, self._stopping, tell)
        except NoAnswer:
            raise
        except (ReadingStopped, OSError):
            self._at.look_again([path])
            return None
        self._remember(path, hashed)
        return hashed

    def _must_give_way(self) -> bool:
        """Tell whether files are compared, or imports need all cores but the one that is for everything else."""
        return self._is_comparing() or self._busy.hashing >= max(1, (os.cpu_count() or 1) - 1)

    # Writing down

    async def _write_down(self, root: Root, answers: Sequence[_Answer]) -> None:
        """Take in what the hashes of some files of one root tell, of those that are still what was hashed."""
        async with self._at.writing_at(root.path):
            judged, unfinished = list[Sighting](), list[Sighting]()
            for answer in answers:
                sighting = await self._disks.sighted(self._presence.roots, answer.path, answer.hashed)
                if sighting is None or as_at_rest(sighting) != answer.at_rest:
                    self._at.look_again([answer.path])
                elif answer.hashed.sha256 != answer.claim.model and self._is_unfinished(answer.looked):
                    unfinished.append(sighting)
                else:
                    judged.append(sighting)
            if placed := await self._at.with_others(judged):
                await self._at.write(lambda db: _judge(db, placed), placed)
            if unfinished:
                files = [sighting.file for sighting in unfinished]
                await self._at.write(lambda db: suspend(db, files))
                self._at.look_again([to_path(file.path) for file in files])

    def _is_unfinished(self, looked: Looked) -> bool:
        """Tell whether a file is to be waited for: it is not what was claimed, and may become so."""
        if looked.facts is None or not (looked.unfinished or looked.falls_short):
            return False
        verdict = Settling().look(looked.path, looked.facts, now=self._clock(), wall_ns=time.time_ns())
        return isinstance(verdict, Waiting)


def _is_as_claimed(looked: Looked, claim: Claim) -> bool:
    seen = looked.seen
    return seen is not None and (seen.size, seen.mtime_ns, signed(seen.ino)) == (claim.size, claim.mtime_ns, claim.ino)


def _judge(db: apsw.Connection, placed: Sequence[Sighting]) -> Decision:
    """Decide about the files that are claimed still."""
    there = ((sighting, models.location(db, sighting.file.path)) for sighting in placed)
    return see(db, [sighting for sighting, location in there if location is not None and location.claimed])
