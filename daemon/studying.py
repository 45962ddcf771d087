"""Reads anew, in the background, what model files say of themselves, where that was read by older rules or never.

Whatever a person may wait for comes first. A pass goes through what is left whenever a root has come, and at every
start; where nothing is left that costs one look into an index. A file that could not be read, or is not as it is
known, is left alone until its root comes again.
"""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from ..events.pathtext import shown, to_path
from ..events.record import New
from ..events.writer import Decision, Unwritable
from ..projections import headers, models, pending
from ..projections.headers import Page, Unread
from .busy import Busy
from .disks import Disks, NoAnswer
from .learning import learnt_of_model, learnt_of_pending
from .library import Library
from .presence import Presence
from .roots import Root
from .sightings import of_sidecars_of_model, of_sidecars_of_pending
from .tagging import Tagger

TASK = "headers"
WHAT = "reading what model files say"
PAGE = 200  # models that are looked for at once
TOGETHER = 50  # headers whose events are written together: others who write wait for them
LATEST_S = 2.0  # after so long what was read is written, also where files are read slowly
GIVE_WAY_S = 0.1  # between two looks at whether somebody still needs the disks or the cores
REST = (1.0, 4.0)  # of the time that a file took it is rested from: else, and while files are being found
SKIPPED_S = 30.0  # after so long a file is tried again that an import was working on
GATHER_S = 0.05  # roots that come together are taken together
TELL_EVERY_S = 0.2  # between two words on how far it is
LEFT_KEPT = 50_000  # files of which it is remembered that they could not be read, some 10 MiB

Query = Callable[[apsw.Connection, int, tuple[int, int], int], Page]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a file of a model (its hash) or pending model (its number) says of itself.

    `path` is as in `pathtext`; size and mtime (in ns) are those of the file as it was read.
    """

    owner: str | int
    path: str
    size: int
    mtime_ns: int
    header: dict[str, Any]


class Studying:
    """Whose header is left to be read. `follow` reads it; all of it runs in the event loop, but for the reading."""

    def __init__(
        self,
        library: Library,
        disks: Disks,
        presence: Presence,
        busy: Busy,
        *,
        must_wait: Callable[[], bool],
        is_finding: Callable[[], bool],
        rules: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Read for a library; `must_wait` tells whether files are hashed that somebody waits for, `is_finding` whether
        files are being found. `rules` are those of today, `clock` is a monotonic one, in seconds.
        """
        self._library = library
        self._disks = disks
        self._presence = presence
        self._busy = busy
        self._must_wait = must_wait
        self._is_finding = is_finding
        self._rules = rules
        self._clock = clock
        self._sleep = sleep
        self._left: dict[str, tuple[int, int]] = {}
        self._silent: set[int] = set()
        self._skipped = False
        self._wake = asyncio.Event()
        self._done = self._total = 0
        self._told = -math.inf

    def look(self) -> None:
        """There may be more to read."""
        self._wake.set()

    def came(self, root: Root) -> None:
        """A root has come: what could not be read in it is tried again."""
        self._left = {text: known for text, known in self._left.items() if not root.holds(to_path(text))}
        self._wake.set()

    async def follow(self) -> None:
        """Read what there is to read, for ever."""
        while True:
            await self._until_wanted()
            self._wake.clear()
            self._silent.clear()
            self._skipped = False
            try:
                await self._go_through_all()
            except Unwritable:
                self._wake.set()  # it is not written yet
                raise
            finally:
                self._library.news.finished(TASK)

    async def _until_wanted(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SKIPPED_S if self._skipped else None):
                await self._wake.wait()
        await self._sleep(GATHER_S)

    async def _go_through_all(self) -> None:
        self._told = -math.inf
        self._done, self._total = 0, await self._library.with_reader(headers.count_to_read, self._rules)
        if self._total:
            for query in (headers.models_to_read, headers.pending_to_read):
                await self._go_through(query)

    async def _go_through(self, query: Query) -> None:
        after: tuple[int, int] | None = headers.START
        while after is not None:
            page: Page = await self._library.with_reader(query, self._rules, after, PAGE)
            await self._read_some(page.items)
            after = page.next

    async def _read_some(self, unread: Sequence[Unread]) -> None:
        answers, begun = list[Answer](), self._clock()
        for one in unread:
            if (answer := await self._read(one)) is not None:
                answers.append(answer)
            if len(answers) >= TOGETHER or (answers and self._clock() - begun >= LATEST_S):
                await self._write_down(answers)
                answers, begun = list[Answer](), self._clock()
        if answers:
            await self._write_down(answers)

    # Reading

    async def _read(self, one: Unread) -> Answer | None:
        """Read the header of the first file that can be read; None where none can."""
        for text, size, mtime_ns, root in self._files(one):
            await self._give_way()
            self._tell(text)
            begun = self._clock()
            try:
                header = await self._disks.header_of(root, (to_path(text), size, mtime_ns), one.type)
            except NoAnswer:
                self._silent.add(root.id)
                self._presence.doubt([root])  # it is given again by the check that finds it here
                continue
            except OSError:
                header = None
            await self._rest(self._clock() - begun)
            if header is not None:
                self._done += 1
                return Answer(one.owner, text, size, mtime_ns, header)
            self._leave(text, (size, mtime_ns))
        return None

    def _files(self, one: Unread) -> Iterator[tuple[str, int, int, Root]]:
        """Give the files of a model that are worth trying: the observer sees to those that are being changed."""
        online = {root.id: root for root in self._presence.online()}
        for text, number, size, mtime_ns in one.files:
            root = online.get(number)
            if root is None or number in self._silent or self._left.get(text) == (size, mtime_ns):
                continue
            if to_path(text) in self._busy.paths:
                self._skipped = True  # its import reads it, if it comes to that
            else:
                yield text, size, mtime_ns, root

    def _leave(self, text: str, known: tuple[int, int]) -> None:
        if len(self._left) >= LEFT_KEPT:
            self._left.pop(next(iter(self._left)))
        self._left[text] = known

    def _tell(self, text: str) -> None:
        if self._clock() - self._told >= TELL_EVERY_S:
            self._told = self._clock()
            self._library.news.progress(TASK, what=WHAT, done=self._done, total=self._total, path=shown(text))

    async def _give_way(self) -> None:
        while self._must_wait() or self._busy.hashing >= max(1, (os.cpu_count() or 1) - 1):
            await self._sleep(GIVE_WAY_S)

    async def _rest(self, took: float) -> None:
        await self._sleep(took * REST[self._is_finding()])

    # Writing down

    async def _write_down(self, answers: Sequence[Answer]) -> None:
        await self._library.write(lambda db: read_anew(db, answers), actor="watcher")


def read_anew(db: apsw.Connection, answers: Sequence[Answer]) -> Decision:
    """Decide what follows from headers that were read, of those files that are known as they were read."""
    tagger, events = Tagger(db), list[New]()
    for answer in answers:
        match answer.owner:
            case str(model) if _is_location(db, model, answer):
                learnt = learnt_of_model(db, tagger, model, answer.header)
                events += [of_sidecars_of_model(model, event) for event in learnt]
            case int(number) if _is_pending(db, number, answer):
                learnt = learnt_of_pending(db, tagger, number, answer.header)
                events += [of_sidecars_of_pending(number, event) for event in learnt]
            case _:
                pass
    return Decision([*tagger.events, *events])


def _is_location(db: apsw.Connection, model: str, answer: Answer) -> bool:
    there = models.location(db, answer.path)
    return there is not None and (there.model, there.size, there.mtime_ns) == (model, answer.size, answer.mtime_ns)


def _is_pending(db: apsw.Connection, number: int, answer: Answer) -> bool:
    known = pending.get(db, number)
    return known is not None and (known.path, known.size, known.mtime_ns) == (
        answer.path,
        answer.size,
        answer.mtime_ns,
    )
