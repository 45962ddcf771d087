"""The import of one pending model, as a list of named steps, and the decisions they rest on.

The log is the only authority, and the order of the steps makes every moment safe to die in: what will be done
to the disk is planned in the log, then done, then completed in the log as one durable step, then tidied. Each
step that acts finds out what was done before it, so that after a crash the same steps are run again.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw
import msgspec

from ..events.catalog import (
    Changes,
    CoverChosen,
    Event,
    File,
    FileTrashed,
    ImageAdded,
    ImportCompleted,
    ImportConflicted,
    ImportPlanned,
    ImportTidied,
    LocationFound,
    ModelEdited,
    ModelImported,
    ModelTagged,
    ModelUntagged,
    PendingImported,
    Status,
    Strategy,
    Texts,
)
from ..events.log import New, now_ms
from ..events.pathtext import to_path, to_text
from ..events.writer import Decision, Written
from ..projections import images, imports, models, pending, tags
from ..projections.pending import Pending
from . import hashing, place, trash
from .hashing import FileChanged, ReadingStopped
from .header import read_header, summary
from .imagestore import ImageStore
from .library import Library
from .pictures import Picture, PictureRefused, inspect, write_tiers
from .roots import Root, as_file, every, of_path
from .scan import Seen, stat_file
from .sightings import of_files, of_model, of_pending

TRIES = 3  # a file that changes while it is hashed is tried again so often; after that it is not at rest
STATUS_OF: dict[Strategy, Status] = {
    "merge": "merged",
    "override": "overridden",
    "ignore": "ignored",
    "delete": "deleted",
}


class ImportStopped(Exception):
    """An import ended without having been done."""


class Failed(ImportStopped):
    """It cannot be done; the message is the reason and what to do."""


class Conflict(ImportStopped):
    """The content is known and nobody said what to do with it."""

    def __init__(self, model: str) -> None:
        """Name the model that has the content."""
        super().__init__("this content is already in the library; say merge, override, ignore or delete")
        self.model = model


class Withdrawn(ImportStopped):
    """Somebody cancelled it."""


@dataclass(slots=True)
class Busy:
    """Paths that imports are working on: whoever looks at the disk leaves them alone until they are done."""

    paths: set[str] = field(default_factory=set[str])
    locks: dict[str, asyncio.Lock] = field(default_factory=dict[str, asyncio.Lock])

    @contextlib.asynccontextmanager
    async def alone_with(self, sha256: str) -> AsyncIterator[None]:
        """Let one at a time change the pictures and files of a content."""
        lock = self.locks.setdefault(sha256, asyncio.Lock())
        async with lock:
            yield
        if not lock.locked() and not getattr(lock, "_waiters", None):
            self.locks.pop(sha256, None)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps work with. `order` gives the model roots of a type, the first being where imports go."""

    library: Library
    store: ImageStore
    busy: Busy
    data: str
    order: Callable[[str], Sequence[str]]
    take_picture: Callable[[int], Awaitable[None]]


@dataclass(slots=True)
class Job:
    """An import on its way."""

    op: str
    pending: int
    strategy: Strategy | None
    type: str | None
    actor: str
    action: bytes
    stop: threading.Event = field(default_factory=threading.Event)
    subject: Pending | None = None
    sha256: str = ""
    plan: ImportPlanned | None = None
    token: str | None = None
    picture: Picture | None = None
    placed: File | None = None
    held: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    busy: set[str] = field(default_factory=set[str])

    @property
    def file(self) -> Pending:
        """The pending model, as it was when the import began."""
        if self.subject is None:
            raise Failed(f"there is no pending model {self.pending}; it may have been imported or moved away")
        return self.subject

    @property
    def planned(self) -> ImportPlanned:
        """The plan, once there is one."""
        assert self.plan is not None
        return self.plan


Step = Callable[[Tools, Job], Awaitable[None]]


# The steps --------------------------------------------------------------------------------------------


async def check(tools: Tools, job: Job) -> None:
    """See that the file is the one that was found, and that nobody else works on it."""
    job.subject = pending.get(tools.library.db, job.pending)
    found = job.file
    path = to_path(found.path)
    _claim(tools, job, path)
    if found.state != "waiting":
        raise Failed("its file is missing; put it back, or dismiss the pending model")
    await asyncio.to_thread(_must_be_unchanged, path, found)
    if not models.sizes_known(tools.library.db, [found.size]):
        _place_for_new(tools, job)  # it is certainly new: what it lacks is told now, not after reading 30 GB


async def hash_content(tools: Tools, job: Job) -> None:
    """Find out what the content is."""
    found = job.file
    path, task = to_path(found.path), f"import/{job.op}"
    told = _teller(tools.library, task, what="hashing", total=found.size, pending=job.pending, op=job.op)
    for attempt in range(TRIES):
        try:
            hashed = await asyncio.to_thread(hashing.hash_file, path, progress=told, stop=job.stop)
        except hashing.Cancelled:
            raise Withdrawn("cancelled") from None
        except FileChanged:
            if attempt + 1 == TRIES:
                raise Failed("the file keeps changing; import it once it has come to rest") from None
            await asyncio.sleep(attempt + 1)
            await asyncio.to_thread(_must_be_unchanged, path, found)
        except (ReadingStopped, OSError) as error:
            raise Failed(f"the file could not be read ({error}); make it readable and try again") from error
        else:
            if (hashed.size, hashed.mtime_ns) != (found.size, found.mtime_ns):
                raise Failed("the file has changed since it was found; try again in a moment")
            job.sha256 = hashed.sha256
            await job.held.enter_async_context(tools.busy.alone_with(job.sha256))
            return


async def plan(tools: Tools, job: Job) -> None:
    """Decide between new and known, and write down what will be done to the disk."""
    found = job.file
    status = _outcome(tools.library.db, job)
    if status is None:
        raise Conflict(job.sha256)
    if status == "imported":
        _place_for_new(tools, job)
    header = await asyncio.to_thread(_header_of, to_path(found.path))
    job.plan = await _plan_of(tools, job, status, header)
    await _append(tools, job, [of_import(job.op, job.planned)])


async def make_pictures(tools: Tools, job: Job) -> None:
    """Make the tiers of the pending picture, beside their places."""
    if job.planned.status not in ("imported", "merged", "overridden"):
        return
    await tools.take_picture(job.pending)
    subject = pending.get(tools.library.db, job.pending)
    if subject is None or subject.picture is None:
        return
    job.subject = subject
    original = tools.store.pending_path(job.pending, subject.picture)
    token = tools.store.new_token()
    try:
        job.picture = await asyncio.to_thread(_make_tiers, tools.store, original, token)
        job.token = token
    except (PictureRefused, FileNotFoundError):
        tools.store.discard(token)  # the model comes without it; the picture was looked at when it was taken
    except OSError as error:
        tools.store.discard(token)
        raise Failed(f"its picture could not be written ({error.strerror}); free some space and try again") from error


async def place_file(tools: Tools, job: Job) -> None:
    """Bring the file to where it is to lie: into its model root, into the trash, or leave it."""
    planned = job.planned
    try:
        if planned.trash is not None:
            await asyncio.to_thread(_to_trash, planned)
        elif planned.target is not None:
            await _to_target(tools, job)
        elif planned.status in ("imported", "merged", "overridden"):
            job.placed = planned.file
    except (place.NotPlaced, trash.TrashUnavailable, ReadingStopped) as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"the file could not be moved ({error.strerror or error}); nothing was changed") from error


async def complete(tools: Tools, job: Job) -> None:
    """Write all that follows as one durable step, the picture in its place by then."""
    planned = job.planned
    sequence = images.next_sequence(tools.library.db, planned.model)
    if job.token is not None:
        await asyncio.to_thread(tools.store.promote, job.token, planned.model, sequence)
    try:
        await tools.library.write(lambda db: Decision(_all_of(db, job, sequence)), actor=job.actor, action=job.action)
    except BaseException:
        if job.token is not None:
            tools.store.withdraw(planned.model, sequence)
        raise
    if job.token is not None:
        tools.store.settle(planned.model, sequence)


async def tidy(tools: Tools, job: Job) -> None:
    """Remove what the import leaves behind: the source of a copy, and the original of the picture."""
    planned = job.planned
    if planned.copies:
        await asyncio.to_thread(_remove_source, planned)
    if planned.status != "ignored":
        await asyncio.to_thread(tools.store.drop_pending, job.pending)
    await _append(tools, job, [of_import(job.op, ImportTidied(job.op))])


STEPS: tuple[Step, ...] = (check, hash_content, plan, make_pictures, place_file, complete, tidy)
AFTER_PLAN = STEPS.index(make_pictures)


def job_of(known: imports.Import) -> Job:
    """Give the job for an import in the queue, with its plan where it has one."""
    job = Job(known.op, known.pending, known.strategy, known.type, known.actor, known.action)
    if known.plan is not None:
        job.plan = known.plan
        job.sha256 = known.plan.model
    return job


async def take_up(tools: Tools, job: Job) -> None:
    """Make ready to go on with a planned import after a crash. Raises `Failed` where its file is gone."""
    planned = job.planned
    source = to_path(planned.file.path)
    _claim(tools, job, source)
    await job.held.enter_async_context(tools.busy.alone_with(planned.model))
    job.subject = pending.get(tools.library.db, job.pending)
    if planned.target is not None:
        _claim(tools, job, to_path(planned.target))
    if not await asyncio.to_thread(_is_recoverable, planned):
        raise Failed("its file was gone after the interruption; look for it and import it again")


def let_go(tools: Tools, job: Job) -> list[str]:
    """Give free what the job held, and the paths that should be looked at again."""
    if job.token is not None:
        tools.store.discard(job.token)
    paths = sorted(job.busy)
    tools.busy.paths -= job.busy
    return paths


def of_import(op: str, event: Event) -> New:
    """Put an event into the stream of an import."""
    return New(f"import/{op}", event)


# What the steps decide --------------------------------------------------------------------------------


def _place_for_new(tools: Tools, job: Job) -> None:
    kind = _type_of(job)
    if kind is None:
        raise Failed(f"its type is not known; say it, for example with `hikazed import {job.pending} --type loras`")
    if not job.file.in_place:
        _destination(tools, kind)


def _type_of(job: Job) -> str | None:
    return job.type or job.file.type


def _outcome(db: apsw.Connection, job: Job) -> Status | None:
    if models.get(db, job.sha256) is None:
        if job.strategy == "ignore":
            return "ignored"
        if job.strategy == "delete":
            raise Failed("this is the only copy of its content, which is not in the library; nothing was deleted")
        return "imported"
    if job.strategy is None:
        return None
    if job.strategy == "delete" and not models.has_present_location(db, job.sha256, job.file.path):
        raise Failed("this is the last copy of its content that is here; nothing was deleted")
    return STATUS_OF[job.strategy]


async def _plan_of(tools: Tools, job: Job, status: Status, header: dict[str, Any]) -> ImportPlanned:
    db, found = tools.library.db, job.file
    planned = ImportPlanned(job.op, job.pending, job.sha256, status, found.file(), header)
    to_trash = status == "deleted" or (
        not found.in_place
        and status in ("merged", "overridden")
        and models.has_present_location(db, job.sha256, found.path)
    )
    if status == "ignored":
        return planned
    if to_trash:
        entry = await asyncio.to_thread(_trash_entry, every(db), tools.data, planned, job.op)
        return _replaced(planned, trash=to_text(entry))
    if found.in_place:
        return planned
    known = models.get(db, job.sha256)
    kind = known.type if known is not None else _type_of(job)
    assert kind is not None
    folder, root = _destination(tools, kind)
    source = to_path(found.path)
    try:
        target, copies = await asyncio.to_thread(_room_for, source, folder, tools.busy.paths, found.size)
    except (OSError, place.NotPlaced) as error:
        raise Failed(f"it cannot go to {folder} ({error})") from error
    _claim(tools, job, target)
    return _replaced(planned, target=to_text(target), target_root=root.id, copies=copies)


def _replaced(planned: ImportPlanned, **fields: Any) -> ImportPlanned:
    return msgspec.structs.replace(planned, **fields)


def _destination(tools: Tools, kind: str) -> tuple[str, Root]:
    known = {root.path: root for root in every(tools.library.db) if root.kind == "model"}
    for folder in tools.order(kind):
        root = known.get(folder)
        if root is None or root.type != kind:
            continue
        if root.offline:
            raise Failed(f"the folder for {kind}, {folder}, is away; connect its disk and try again")
        return folder, root
    raise Failed(f"there is no folder for models of type {kind}; add one, for example with `--models {kind}=DIR`")


def _all_of(db: apsw.Connection, job: Job, sequence: int) -> list[New]:
    """Give every event that a completed import appends."""
    planned, subject = job.planned, job.subject
    events: list[New] = []
    if planned.status in ("imported", "merged", "overridden") and subject is not None:
        maker = {"imported": _as_new, "merged": _as_merged, "overridden": _as_overriding}[planned.status]
        events += maker(db, job, subject)
        if job.picture is not None:
            events += _picture_events(job, planned, sequence)
    if job.placed is not None:
        events.append(of_files(planned.model, LocationFound(planned.model, job.placed)))
    if planned.trash is not None:
        events.append(_trashed(planned, planned.trash))
    if planned.status != "ignored":
        ended = PendingImported(job.pending, planned.model, planned.status)
        events.append(of_pending(job.pending, ended))
    path = planned.target or (planned.file.path if planned.trash is None else None)
    completed = ImportCompleted(job.op, job.pending, planned.model, planned.status, path)
    events.append(of_import(job.op, completed))
    return events


def _as_new(db: apsw.Connection, job: Job, subject: Pending) -> list[New]:
    planned = job.planned
    kind = _type_of(job)
    assert kind is not None
    born = ModelImported(
        planned.model, subject.name, kind, planned.file.size, subject.texts, planned.header, job.pending
    )
    worn = [ModelTagged(planned.model, tag) for tag in tags.of_pending(db, job.pending)]
    return [of_model(planned.model, event) for event in (born, *worn)]


def _as_merged(db: apsw.Connection, job: Job, subject: Pending) -> list[New]:
    model = job.planned.model
    known = models.get(db, model)
    assert known is not None
    fields = _differing(known.texts, _filled(known.texts, subject.texts))
    have = tags.of_model(db, model)
    events: list[Event] = [ModelEdited(model, Changes(**fields))] if fields else []
    events += [ModelTagged(model, tag) for tag in tags.of_pending(db, job.pending) if tag not in have]
    return [of_model(model, event) for event in events]


def _as_overriding(db: apsw.Connection, job: Job, subject: Pending) -> list[New]:
    model = job.planned.model
    known = models.get(db, model)
    assert known is not None
    new = {name: getattr(subject.texts, name) for name in Texts.__struct_fields__} | {
        "name": subject.name,
        "type": _type_of(job) if job.type else subject.type,
    }
    old = {name: getattr(known.texts, name) for name in Texts.__struct_fields__} | {
        "name": known.name,
        "type": known.type,
    }
    given = set(subject.given) | ({"type"} if job.type else set())
    fields = {
        name: value
        for name, value in new.items()
        if name in given and value != old[name] and value not in (None, getattr(Texts(), name, ""))
    }
    events: list[Event] = [ModelEdited(model, Changes(**fields))] if fields else []
    have, want = tags.of_model(db, model), tags.of_pending(db, job.pending)
    if want:
        events += [ModelUntagged(model, tag) for tag in have if tag not in want]
        events += [ModelTagged(model, tag) for tag in want if tag not in have]
    return [of_model(model, event) for event in events]


def _picture_events(job: Job, planned: ImportPlanned, sequence: int) -> list[New]:
    picture = job.picture
    assert picture is not None
    added = ImageAdded(planned.model, sequence, picture.format, picture.width, picture.height, picture.texts)
    events: list[Event] = [added]
    if planned.status == "overridden":
        events.append(CoverChosen(planned.model, sequence))
    return [of_model(planned.model, event) for event in events]


def _trashed(planned: ImportPlanned, name: str) -> New:
    reason = planned.status if planned.status in ("merged", "overridden") else "deleted"
    file = planned.file
    event = FileTrashed(name, file.path, file.root, file.size, reason, planned.pending, planned.model)
    return New(f"trash/{name}", event)


# What the steps do to the disk ------------------------------------------------------------------------


def _claim(tools: Tools, job: Job, path: str) -> None:
    if path in tools.busy.paths and path not in job.busy:
        raise Failed("its file is being imported already")
    tools.busy.paths.add(path)
    job.busy.add(path)


def _must_be_unchanged(path: str, found: Pending) -> None:
    try:
        seen = stat_file(path)
    except OSError as error:
        raise Failed(f"the file could not be looked at ({error.strerror}); make it readable and try again") from error
    if seen is None:
        raise Failed("its file is gone; put it back and try again")
    if (seen.size, seen.mtime_ns) != (found.size, found.mtime_ns):
        raise Failed("the file has changed since it was found; try again once it has come to rest")


def _header_of(path: str) -> dict[str, Any]:
    try:
        return dict(summary(read_header(path)))
    except OSError as error:
        raise Failed(f"the file could not be read ({error.strerror}); make it readable and try again") from error


def _room_for(source: str, folder: str, busy: set[str], size: int) -> tuple[str, bool]:
    place.make_folder(folder)
    name = place.free_name(folder, os.path.basename(source), lambda path: path in busy or os.path.lexists(path))
    copies = not place.same_filesystem(source, folder)
    if copies:
        place.require_space(folder, size)
    return os.path.join(folder, name), copies


def _make_tiers(store: ImageStore, original: str, token: str) -> Picture:
    picture = inspect(original)
    write_tiers(original, lambda tier: store.staged(token, tier))
    return picture


def _to_trash(planned: ImportPlanned) -> None:
    where = _trash_place(planned)
    if trash.state(where) == "moved":
        return
    _must_still_be(planned)
    trash.move(
        where,
        trash.Record(
            path=planned.file.path,
            size=planned.file.size,
            trashed_at=now_ms(),
            reason=planned.status,
            sha256=planned.model,
        ),
    )


def _trash_place(planned: ImportPlanned) -> trash.Planned:
    assert planned.trash is not None
    return trash.planned_in(to_path(planned.trash), to_path(planned.file.path))


def _trash_entry(roots: list[Root], data: str, planned: ImportPlanned, name: str) -> str:
    source = to_path(planned.file.path)
    root = of_path(roots, source)
    try:
        return trash.plan(source, data, root.path if root else os.path.dirname(source), name).entry
    except trash.TrashUnavailable as error:
        raise Failed(str(error)) from error


async def _to_target(tools: Tools, job: Job) -> None:
    planned = job.planned
    assert planned.target is not None
    assert planned.target_root is not None
    target = to_path(planned.target)
    if not await asyncio.to_thread(_lies_there, planned):
        await asyncio.to_thread(_must_still_be, planned)
        try:
            told = _teller(
                tools.library,
                f"import/{job.op}",
                what="copying",
                total=planned.file.size,
                pending=job.pending,
                op=job.op,
            )
            await asyncio.to_thread(_bring, job, target, told)
        except FileExistsError:
            await _plan_another_name(tools, job)
            await _to_target(tools, job)
            return
    seen = await asyncio.to_thread(stat_file, target)
    if seen is None:
        raise Failed("the file vanished from its new place; look for it and import it again")
    job.placed = as_file(seen, planned.target_root)


async def _plan_another_name(tools: Tools, job: Job) -> None:
    planned = job.planned
    assert planned.target is not None
    folder = os.path.dirname(to_path(planned.target))
    target, copies = await asyncio.to_thread(
        _room_for, to_path(planned.file.path), folder, tools.busy.paths, planned.file.size
    )
    _claim(tools, job, target)
    job.plan = _replaced(planned, target=to_text(target), copies=copies)
    await _append(tools, job, [of_import(job.op, job.planned)])


def _bring(job: Job, target: str, told: Callable[[int], None]) -> None:
    planned = job.planned
    source = to_path(planned.file.path)
    if not planned.copies:
        place.rename_no_replace(source, target)
        return
    place.copy_verified(source, _part(job, target), target, expected_sha256=planned.model, progress=told, stop=job.stop)


def _part(job: Job, target: str) -> str:
    return os.path.join(os.path.dirname(target), place.part_name(os.path.basename(target), job.op))


def _is_the_file(seen: Seen | None, file: File) -> bool:
    """Tell whether what is seen is the file that was planned with, by any name."""
    return (
        seen is not None
        and as_file(seen, file.root).ino == file.ino
        and (seen.size, seen.mtime_ns)
        == (
            file.size,
            file.mtime_ns,
        )
    )


def _lies_there(planned: ImportPlanned) -> bool:
    """Tell whether the file is at its target already: renamed before a crash, or a whole copy with these bytes."""
    assert planned.target is not None
    target = to_path(planned.target)
    seen = stat_file(target)
    if seen is None or seen.size != planned.file.size:
        return False
    if not planned.copies:
        source_is_there = os.path.lexists(to_path(planned.file.path))
        return _is_the_file(seen, planned.file) and not source_is_there
    return hashing.hash_file(target).sha256 == planned.model


def _must_still_be(planned: ImportPlanned) -> None:
    if not _is_the_file(stat_file(to_path(planned.file.path)), planned.file):
        raise Failed("the file has changed since it was hashed; nothing was done, try again once it is at rest")


def _is_recoverable(planned: ImportPlanned) -> bool:
    if _is_the_file(stat_file(to_path(planned.file.path)), planned.file):
        return True
    if planned.trash is not None:
        return trash.state(_trash_place(planned)) == "moved"
    return planned.target is not None and _lies_there(planned)


def _remove_source(planned: ImportPlanned) -> None:
    """Remove the source of a verified copy: the one removal of a model file, and only while it is that file."""
    source = to_path(planned.file.path)
    assert planned.target is not None
    target = stat_file(to_path(planned.target))
    if target is not None and target.size == planned.file.size and _is_the_file(stat_file(source), planned.file):
        os.unlink(source)
        place.fsync_dir(os.path.dirname(source))


async def _append(tools: Tools, job: Job, events: list[New]) -> Written:
    return await tools.library.write(lambda _db: Decision(events), actor=job.actor, action=job.action)


def _teller(library: Library, task: str, **what: Any) -> Callable[[int], None]:
    loop = asyncio.get_running_loop()

    def tell(done: int) -> None:
        loop.call_soon_threadsafe(lambda: library.news.progress(task, done=done, **what))

    return tell


def conflicted(job: Job, model: str) -> Decision:
    """An import ended because its content is known."""
    return Decision([of_import(job.op, ImportConflicted(job.op, job.pending, model))])
