"""Writes what we know of models beside their files, in another manager's format, and only when somebody asks."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import msgspec

from ...events.errors import LogError
from ...events.pathtext import shown, to_path, to_text
from ...projections import exports
from ...projections.exports import Export
from ..imagestore import ImageStore
from ..library import Library
from .beside import How, Told, beside
from .file import NotWritten, Outcome
from .formats import Format
from .known import Known, known_of
from .mark import Moment

BATCH = 50  # models that are read from the tables at once
MOST_NAMED = 1_000  # files that an answer names of each kind; it counts all
LIMIT_S = 30.0  # for one file: a disk in a NAS may need 20 to spin up
TASK = "export"

Write = Callable[[str, Known, How], list[Told]]
"""Writes beside the file of a model at a path."""

_UNKNOWN = Moment(1, "")  # of a log that cannot be read: no library takes it for its own


class UnderWay(Exception):
    """An export is under way; there is one at a time."""


class NoSuchModel(LookupError):
    """There is no model of this hash."""


class Wish(msgspec.Struct, frozen=True):
    """What to write: in which format, of which models (None: of all), and how to go about what lies there."""

    form: Format
    models: tuple[str, ...] | None = None
    replace: bool = False
    pictures: bool = False
    dry_run: bool = False


class Skipped(msgspec.Struct, frozen=True):
    """A file that was not written, and why."""

    path: str
    why: str


class Report(msgspec.Struct):
    """What came of an export. `paths` and `skipped` name the first of all that `written` and `not_written` count."""

    written: int = 0
    unchanged: int = 0
    pictures: int = 0
    not_written: int = 0
    paths: list[str] = msgspec.field(default_factory=list[str])
    skipped: list[Skipped] = msgspec.field(default_factory=list[Skipped])
    cancelled: bool = False

    def tell(self, path: str, outcome: Outcome, *, picture: bool = False) -> None:
        """Count a file that says what it should."""
        if outcome == "unchanged":
            self.unchanged += not picture
            return
        if picture:
            self.pictures += 1
        else:
            self.written += 1
        if len(self.paths) < MOST_NAMED:
            self.paths.append(path)

    def skip(self, path: str, why: str) -> None:
        """Count a file that was not written."""
        self.not_written += 1
        if len(self.skipped) < MOST_NAMED:
            self.skipped.append(Skipped(path, why))


class Exporter:
    """Writes what is asked for, one export at a time, and off the event loop."""

    def __init__(
        self,
        library: Library,
        store: ImageStore,
        answers: Callable[[str], bool],
        *,
        write: Write = beside,
        limit_s: float = LIMIT_S,
    ) -> None:
        """Tell of a library; `answers` says of a path, from memory, whether its file system answers.

        `write` writes beside one file, in a thread, and may take so many seconds.
        """
        self._library = library
        self._store = store
        self._answers = answers
        self._write = write
        self._limit_s = limit_s
        self._stop: threading.Event | None = None
        self._ended = asyncio.Event()

    def cancel(self) -> bool:
        """End the export that is under way behind the file it is at; tells whether there is one."""
        if self._stop is None:
            return False
        self._stop.set()
        return True

    async def close(self) -> None:
        """End the export that is under way, wait for it, and take on none any more."""
        if self.cancel():
            await self._ended.wait()
        self._stop = threading.Event()

    async def run(self, wish: Wish) -> Report:
        """Write what is asked for. Raises `UnderWay` and `NoSuchModel`; what a disk refuses is in the report."""
        if self._stop is not None:
            raise UnderWay("an export is under way; wait for it, or cancel it first")
        self._stop = threading.Event()
        self._ended.clear()
        try:
            return await self._run(wish, self._stop)
        finally:
            self._stop = None
            self._ended.set()
            self._library.news.finished(TASK)

    async def _run(self, wish: Wish, stop: threading.Event) -> Report:
        if wish.models is not None:
            missing = await self._library.with_reader(exports.unknown, wish.models)
            if missing:
                raise NoSuchModel(f"there is no model {missing[0][:12]}; it may not be imported yet")
        report, moment, silent = Report(), await self._moment(), set[int]()
        total = await self._library.with_reader(exports.count) if wish.models is None else len(wish.models)
        done = 0
        async for batch in self._batches(wish):
            for export in batch:
                if stop.is_set():
                    report.cancelled = True
                    return report
                self._library.news.progress(TASK, what="writing beside the models", done=done, total=total)
                await self._export(export, wish, moment, report, silent)
                done += 1
        return report

    async def _moment(self) -> Moment:
        try:
            last = await self._library.events(max(0, self._library.news.head - 1), 1)
        except LogError:
            return _UNKNOWN
        return Moment(last[0]["position"], last[0]["id"]) if last else _UNKNOWN

    async def _batches(self, wish: Wish) -> AsyncIterator[list[Export]]:
        read = self._library.with_reader
        if wish.models is not None:
            for start in range(0, len(wish.models), BATCH):
                yield await read(exports.of, wish.models[start : start + BATCH])
            return
        last = ""
        while models := await read(exports.after, last, BATCH):
            yield await read(exports.of, models)
            last = models[-1]

    async def _export(self, export: Export, wish: Wish, moment: Moment, report: Report, silent: set[int]) -> None:
        """Write one model beside each of its files; a root whose file system did not answer is left alone."""
        if not export.places:
            path = export.whole["path"] or export.whole["name"]
            report.skip(path, f"its file is {export.whole['state']}; export it when it is here")
        known = known_of(export.whole, export.rows)
        cover = export.whole["cover"] if wish.pictures else None
        picture = None if cover is None else self._store.path(known.sha256, cover, "high")
        how = How(wish.form, moment, picture, replace=wish.replace, dry_run=wish.dry_run)
        for place in export.places:
            path = to_path(place.path)
            if place.root not in silent and self._answers(path):
                told = await self._within_limit(path, known, how)
                if told is not None:
                    _take_in(report, told)
                    continue
                silent.add(place.root)
            report.skip(shown(to_text(path)), _SILENT)

    async def _within_limit(self, path: str, known: Known, how: How) -> list[Told] | None:
        """Write beside a file; None where that takes too long. Then it may still be done, or never be."""
        task = asyncio.ensure_future(asyncio.to_thread(self._write, path, known, how))
        await asyncio.wait({task}, timeout=self._limit_s)
        if task.done():
            return task.result()
        task.add_done_callback(lambda late: late.cancelled() or late.exception())
        return None


_SILENT = "its file system does not answer; export it when it does"


def _take_in(report: Report, found: list[Told]) -> None:
    for told in found:
        if isinstance(told.outcome, NotWritten):
            report.skip(told.path, str(told.outcome))
        else:
            report.tell(told.path, told.outcome, picture=told.picture)
