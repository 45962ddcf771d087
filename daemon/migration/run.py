"""Brings earlier libraries along, one at a time: from a copy of their database, row by row, carried over a restart."""

import asyncio
import logging
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import apsw
import msgspec

from ...events.catalog import MigrationBegun, MigrationEnded
from ...events.pathtext import to_path, to_text
from ...events.writer import Decision, Unwritable
from ...projections import migrations
from ..legacy import library as legacy
from ..legacy.library import Broken, Item, NotALibrary, Row, Source, SourceBusy
from ..library import Library
from .look import Lookout
from .plan import of_migration
from .ready import GivenUp, Prepared, Task
from .rows import Rows
from .source import Ahead, Reader

TASK = "migration"
FOLDER = "migration-tmp"
SHOW_EVERY = 10  # rows between two reports of progress
MOST_FOLDERS = 1_000  # that are named which no root holds
CANCEL_S = 10.0  # so long whoever cancels waits for the row under way; it may wait for a full disk
CLOSE_S = 5.0  # so long the daemon's end waits for pictures that are being made; a source may hang

log = logging.getLogger(__name__)


class AnotherUnderWay(Exception):
    """Another earlier library is being brought along."""


class MigrationFailed(Exception):
    """A migration could not be done to its end; the message says why and what to do."""


class Report(msgspec.Struct, frozen=True):
    """What came of a migration.

    `models` and `pending` are the rows that became one or were united with one, `united` of them the latter. The files
    of `missing` are gone. `problems` names what did not come along; `unwatched` are folders that no root of ours holds.
    """

    status: str
    form: str
    models: int
    pending: int
    united: int
    missing: int
    tags: int
    images: int
    already: int
    problems: list[migrations.Problem]
    unwatched: list[str]
    position: int


class _Run:
    """A migration under way, from when somebody asked for it."""

    def __init__(self, database: str, images: str | None) -> None:
        self.key = database, images
        self.op = ""
        self.already = 0
        self.done = 0
        self.unwatched: dict[str, None] = {}
        self.cancelled = False
        self.report: asyncio.Task[Report]


class Migration:
    """Brings earlier libraries along. `recover` comes first, `start` takes up what a restart left, `close` stops."""

    def __init__(self, library: Library, data: str, rows: Rows, lookout: Lookout, confirm: Callable[[], None]) -> None:
        """Work for the library of a data folder; `confirm` has the claims confirmed once they are all there."""
        self._library = library
        self._folder = os.path.join(data, FOLDER)
        self._rows = rows
        self._lookout = lookout
        self._confirm = confirm
        self._run: _Run | None = None
        self._left: list[migrations.Migration] = []

    async def recover(self) -> None:
        """Find what a restart interrupted, and remove what it left. Call before `start`."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._left = migrations.unfinished(self._library.db)

    def start(self) -> None:
        """Take up what was interrupted, in the background."""
        if self._left:
            self._resume(self._left.pop(0))

    def _resume(self, known: migrations.Migration) -> None:
        self._begin(_Run(to_path(known.database), to_path(known.images)), self._again(known))

    async def close(self) -> None:
        """Stop; what is under way goes on at the next start."""
        if self._run is not None:
            self._left.clear()
            self._rows.patience.stop.set()
            self._run.report.cancel()
            await asyncio.wait([self._run.report], timeout=CLOSE_S)

    # Asking -------------------------------------------------------------------------------------------

    async def bring(self, source: Source, *, actor: str, key: str | None = None, request: bytes = b"") -> Report:
        """Bring an earlier library along and wait until that is done; it goes on if nobody waits.

        Whoever asks for the same again waits for the same. Raises `AnotherUnderWay`, `MigrationFailed`, what
        `legacy.snapshot` raises, and what a write raises.
        """
        run = self._run
        if run is None:
            run = _Run(source.database, source.images)
            asked = {"actor": actor, "key": key, "request": request}
            self._begin(run, self._from_the_start(run, source, asked))
        elif run.key != (source.database, source.images):
            raise AnotherUnderWay("another earlier library is being brought along; wait for it, or cancel it first")
        return await asyncio.shield(run.report)

    async def cancel(self) -> tuple[bool, int]:
        """End what is under way after its row: (whether there was any, the position)."""
        run = self._run
        if run is None:
            return False, self._library.news.head
        run.cancelled = True
        self._rows.patience.stop.set()
        await asyncio.wait([run.report], timeout=CANCEL_S)
        return True, self._library.news.head

    def _begin(self, run: _Run, work: Any) -> None:
        self._run = run
        self._rows.patience.stop.clear()
        run.report = asyncio.create_task(work, name="migration")
        run.report.add_done_callback(self._ended)

    def _ended(self, report: "asyncio.Task[Report]") -> None:
        self._run = None
        self._library.news.finished(TASK)
        if report.cancelled():
            return
        self._confirm()
        if (error := report.exception()) is not None:  # whoever waits is told; perhaps nobody does
            log.warning("the earlier library did not come along: %s", error)
        if self._left:
            self._resume(self._left.pop(0))

    # Working ------------------------------------------------------------------------------------------

    async def _from_the_start(self, run: _Run, source: Source, asked: dict[str, Any]) -> Report:
        action = secrets.token_bytes(16)
        reader = Reader(source, self._folder)
        try:
            await reader.open()
            op = secrets.token_hex(8)
            begun = MigrationBegun(op, to_text(source.database), to_text(source.images), source.form)
            written = await self._library.write(
                lambda _db: Decision([of_migration(op, begun)], op), action=action, **asked
            )
            if written.repeated:
                return self._report(str(written.value), run, written.position)
            task = Task(op, source.form, to_text(source.database), asked["actor"], action)
            return await self._through(run, task, reader)
        finally:
            await reader.close()

    async def _again(self, known: migrations.Migration) -> Report:
        """Go on with a migration that a restart interrupted."""
        run = self._run
        assert run is not None
        task = Task(known.op, known.form, known.database, known.actor, known.action)
        try:
            source = await asyncio.to_thread(_found_again, known)
            reader = Reader(source, self._folder)
            try:
                await reader.open()
                return await self._through(run, task, reader)
            finally:
                await reader.close()
        except (NotALibrary, SourceBusy, OSError) as error:
            raise await self._fail(run, task, str(error)) from error

    async def _through(self, run: _Run, task: Task, reader: Reader) -> Report:
        """Bring everything along that a source holds, and end."""
        run.op = task.op
        try:
            await self._rows.patience.until_done(self._lookout.begin)
            await self._bring_all(run, task, reader)
        except GivenUp:
            run.cancelled = True
        except (apsw.Error, OSError) as error:
            raise await self._fail(run, task, str(error)) from error
        position = await self._end(run, task, "cancelled" if run.cancelled else "done")
        return self._report(task.op, run, position)

    async def _bring_all(self, run: _Run, task: Task, reader: Reader) -> None:
        self._show(run, reader)
        ahead = Ahead(reader.items(), lambda row: self._rows.prepare(task, row))
        try:
            async with aclosing(ahead.each()) as each:
                async for item, ready in each:
                    await self._bring_item(run, task, item, ready)
                    if run.done % SHOW_EVERY == 0:
                        self._show(run, reader)
                    if run.cancelled:
                        return
        finally:
            for prepared in await ahead.left():
                await self._rows.discard(prepared)

    async def _bring_item(
        self, run: _Run, task: Task, item: Item, ready: "asyncio.Future[Prepared | None] | None"
    ) -> None:
        try:
            if isinstance(item, Row) and ready is not None:
                await self._bring_row(run, task, item, await ready)
            elif not isinstance(item, Row):
                await self._rows.bring_other(task, item)
        except (GivenUp, Unwritable, OSError, apsw.Error):
            raise
        except Exception:
            # The outermost edge of a row: a fault of ours must not keep the others from coming.
            log.exception("a row of the earlier library did not come along")
            what = "it did not come along, by an error in Hikaze itself; its log has the details"
            table, row = (item.table, item.row) if isinstance(item, (Row, Broken)) else ("tags", item.row)
            await self._rows.bring_other(task, Broken(table, row, what))

    async def _bring_row(self, run: _Run, task: Task, row: Row, prepared: Prepared | None) -> None:
        run.done += 1
        outside = await self._lookout.outside(row)
        if outside is not None and len(run.unwatched) < MOST_FOLDERS:
            run.unwatched[outside] = None
        if prepared is not None:
            await self._rows.bring(task, prepared)
        elif migrations.taken_by(self._library.db, row.digest) not in (task.op, None):
            run.already += 1

    def _show(self, run: _Run, reader: Reader) -> None:
        what = "bringing the earlier library along"
        self._library.news.progress(TASK, what=what, done=run.done, total=reader.total)

    # The end ------------------------------------------------------------------------------------------

    async def _fail(self, run: _Run, task: Task, why: str) -> MigrationFailed:
        await self._end(run, task, "failed", why)
        return MigrationFailed(f"{why}. What came along stays; ask again, and the rest comes, nothing twice")

    async def _end(self, run: _Run, task: Task, status: Any, reason: str = "") -> int:
        """Write down how it ended, as soon as the disk takes that; gives the position."""
        ended = MigrationEnded(task.op, status, reason, run.already)
        while True:
            try:
                written = await self._library.write(
                    lambda _db: Decision([of_migration(task.op, ended)]), actor=task.actor, action=task.action
                )
            except Unwritable as error:
                log.warning("the migration waits for its end: %s", error)
                await asyncio.sleep(self._rows.patience.retry_s)
            else:
                return written.position

    def _report(self, op: str, run: _Run, position: int) -> Report:
        known, found = migrations.get(self._library.db, op), migrations.counts(self._library.db, op)
        assert known is not None
        return Report(
            status=known.state,
            form=known.form,
            models=found.models,
            pending=found.pending,
            united=found.united,
            missing=found.missing,
            tags=found.tags,
            images=found.images,
            already=known.already,
            problems=migrations.problems(self._library.db, op),
            unwatched=sorted(run.unwatched),
            position=position,
        )


def _found_again(known: migrations.Migration) -> Source:
    images = to_path(known.images)
    return legacy.find(to_path(known.database), images if os.path.isdir(images) else None)
