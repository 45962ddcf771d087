"""Sends pending models away: a dropped file to the trash, one in place out of sight.

The log is told once the file has moved. A crash in between leaves the record in the trash, which names the pending
model: `recover` tells the log then, or takes back a move that was not done.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

import apsw

from ..events.catalog import FileTrashed
from ..events.pathtext import to_path, to_text
from ..events.record import now_ms
from ..events.writer import Decision, Written
from ..projections import pending
from . import edits, trash
from .busy import Busy
from .hashing import named
from .library import Library
from .roots import Root, every, of_path, signed
from .scan import Seen, stat_file

REASON = "dismissed"
PATIENCE_S = 5.0  # so long the start waits for the trash of a root

log = logging.getLogger(__name__)


class NotNow(Exception):
    """A pending model cannot be sent away at this moment; the message says why and what to do."""


async def dismiss(library: Library, busy: Busy, data: str, number: int, **how: Any) -> Written:
    """Send a pending model away; `how` goes to `Library.write`.

    Raises `NotNow`, `edits.NotFound`, `trash.TrashUnavailable`, and what a write raises; then it is as it was.
    """
    found = pending.get(library.db, number)
    if found is None:  # a repetition is answered as the first time, everything else is refused
        return await library.write(lambda db: edits.dismiss(db, number, None), **how)
    path = to_path(found.path)
    if path in busy.paths:
        raise NotNow("it is being imported now; cancel the import first, or wait for it")
    busy.paths.add(path)
    try:
        trashed = None
        if not found.in_place and found.state == "waiting":
            trashed = await asyncio.to_thread(_to_trash, data, every(library.db), found)
        try:
            return await library.write(lambda db: edits.dismiss(db, number, trashed), **how)
        except BaseException:
            if trashed is not None:
                await asyncio.to_thread(_put_back, to_path(trashed.trash))
            raise
    finally:
        busy.paths.discard(path)


async def recover(library: Library, data: str) -> None:
    """Finish, or take back, what a crash cut short. Call before anybody looks at the disk."""
    folders = [os.path.join(data, trash.FOLDER_IN_DATA)]
    folders += [os.path.join(root.path, trash.FOLDER_IN_ROOT) for root in every(library.db) if not root.offline]
    found = await asyncio.gather(*(_dismissals_in(folder) for folder in folders))
    for entry, record in chain.from_iterable(found):
        known = pending.get(library.db, record.pending or 0)
        if known is None or known.path != record.path or known.state != "waiting":
            continue  # the log knows, or has gone on
        where = trash.planned_in(entry, to_path(record.path))
        if await asyncio.to_thread(trash.settle, where) and _is_its_file(await asyncio.to_thread(_seen, where), known):
            told = FileTrashed(to_text(entry), known.path, known.root, known.size, REASON, known.id)
            await library.write(lambda db, told=told: _late(db, told), actor="daemon")


async def _dismissals_in(folder: str) -> list[tuple[str, trash.Record]]:
    """Give what is recorded in a trash; nothing where its disk does not answer: the next start sees to it."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.to_thread(lambda: list(_dismissals(folder)))
    except TimeoutError:
        log.warning("%s does not answer; what was being sent to its trash is seen to at the next start", named(folder))
        return []


def _dismissals(folder: str) -> Iterator[tuple[str, trash.Record]]:
    for entry, record in trash.records(folder):
        if record.reason == REASON and record.pending is not None:
            yield entry, record


def _seen(where: trash.Planned) -> Seen | None:
    try:
        return stat_file(where.file)
    except OSError:
        return None


def _is_its_file(seen: Seen | None, known: pending.Pending) -> bool:
    now = None if seen is None else (seen.size, seen.mtime_ns, signed(seen.ino))
    return now == (known.size, known.mtime_ns, known.ino)


def _late(db: apsw.Connection, told: FileTrashed) -> Decision:
    return edits.dismiss(db, told.pending or 0, told) if pending.get(db, told.pending or 0) else Decision()


def _to_trash(data: str, roots: list[Root], found: pending.Pending) -> FileTrashed | None:
    path = to_path(found.path)
    root = of_path(roots, path)
    seen = stat_file(path)
    if seen is not None and (seen.size, seen.mtime_ns) != (found.size, found.mtime_ns):
        raise NotNow("its file has changed since it was found; look at it again in a moment")
    if seen is None:
        return None  # there is nothing left to move
    planned = trash.plan(path, data, root.path if root else os.path.dirname(path), secrets.token_hex(8))
    record = trash.Record(path=found.path, size=found.size, trashed_at=now_ms(), reason=REASON, pending=found.id)
    try:
        trash.move(planned, record)
    except FileNotFoundError:
        return None  # somebody was quicker: there is nothing left to move
    except OSError as error:
        _put_back(planned.entry)
        raise trash.TrashUnavailable(
            f"the disk did not confirm that {named(path)} went to the trash ({error.strerror}): see to it, try again"
        ) from error
    return FileTrashed(to_text(planned.entry), found.path, found.root, found.size, REASON, found.id)


def _put_back(folder: str) -> None:
    """The log could not be told: the file goes back to where it was, or the next start finds it by its record."""
    entry = trash.read_entry(folder)
    if entry is not None:
        with suppress(OSError, trash.TrashUnavailable):
            trash.restore(entry)
