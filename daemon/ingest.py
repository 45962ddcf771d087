"""The import of one pending model, as a list of named steps; what they decide is in `importplan`.

The log is the only authority, and the order of the steps makes every moment safe to die in: what will be done
to the disk is planned in the log, then done, then completed in the log as one durable step, then tidied. Each
step that acts finds out what was done before it, so that after a crash the same steps are run again.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import apsw
import msgspec

from ..events.catalog import File, ImportPlanned, ImportTidied, Status, Strategy
from ..events.pathtext import to_path, to_text
from ..events.record import New, now_ms
from ..events.writer import Decision, Written
from ..projections import images, imports, models, pending
from ..projections.models import Location
from ..projections.pending import Pending
from . import hashing, place, trash
from .busy import Busy
from .content.header import read
from .content.reading import header_dict
from .hashing import FileChanged, NotRegular, ReadingStopped
from .imagestore import ImageStore
from .importplan import (
    BRINGS,
    Conflict,
    Done,
    Failed,
    PictureChanged,
    Withdrawn,
    facts_of,
    goes_to_trash,
    of_import,
    status_of,
    type_of,
)
from .library import Library
from .pictures import Picture, PictureRefused, inspect, write_tiers
from .probe import open_for_writing
from .roots import Root, as_file, every, is_here, of_path
from .scan import Seen, stat_file

TRIES = 3  # a file that changes while it is hashed is tried again so often; after that it is not at rest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps work with. `order` gives the model roots of a type, the first being where imports go."""

    library: Library
    store: ImageStore
    busy: Busy
    data: str
    order: Callable[[str], Sequence[str]]
    take_picture: Callable[[int], Awaitable[None]]
    """Takes what lies beside a pending model's file: its picture, and what its sidecars say."""
    answers: Callable[[str], bool] = lambda _path: True
    """Whether the file system of a path answers, as far as is known without touching it."""


@dataclass(slots=True)
class Job:
    """An import on its way; `position` is that of the last event it has written."""

    op: str
    pending: int
    strategy: Strategy | None
    type: str | None
    actor: str
    action: bytes
    waited: bool = False
    """Somebody waits for the answer, and can be asked."""
    stop: threading.Event = field(default_factory=threading.Event)
    halted: str = ""
    """Why it was stopped, where nobody cancelled it."""
    subject: Pending | None = None
    sha256: str = ""
    further: dict[str, str] = field(default_factory=dict[str, str])
    """Hashes of the content beside its SHA-256, by kind; none for an import that is taken up again."""
    plan: ImportPlanned | None = None
    resumed: bool = False
    done: bool = False
    """All of it is in the log; only tidying up is left."""
    token: str | None = None
    promoted: str | None = None
    sequence: int = 0
    picture: Picture | None = None
    picture_at: int | None = None
    placed: File | None = None
    position: int = 0
    held: AsyncExitStack = field(default_factory=AsyncExitStack)
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
    _must_be_open(_root(tools, found.root), found)
    if not tools.answers(path):
        raise Failed("the file system of its folder does not answer; try again when it does")
    _claim(tools, job, path)
    if found.state != "waiting":
        raise Failed("its file is missing; put it back, or dismiss the pending model")
    await asyncio.to_thread(_must_be_unchanged, path, found, _root(tools, found.root))
    if not models.sizes_known(tools.library.db, [found.size]):
        # It is certainly new: what it lacks is told now, not after reading 30 GB.
        kind = type_of("imported", job.type, found, None)
        if not found.in_place:
            _folder_for(tools, kind)


async def hash_content(tools: Tools, job: Job) -> None:
    """Find out what the content is."""
    found = job.file
    path = to_path(found.path)
    told = _teller(tools.library, job, what="hashing", total=found.size)
    for attempt in range(TRIES):
        try:
            hashed = await _hash(tools.busy, path, told, job.stop)
        except hashing.Cancelled:
            raise Withdrawn("cancelled") from None
        except FileChanged:
            if attempt + 1 == TRIES:
                raise Failed("the file keeps changing; import it once it has come to rest") from None
            await asyncio.sleep(attempt + 1)
            await asyncio.to_thread(_must_be_unchanged, path, found, _root(tools, found.root))
        except (ReadingStopped, OSError) as error:
            raise Failed(f"the file could not be read ({error}); make it readable and try again") from error
        else:
            if (hashed.size, hashed.mtime_ns) != (found.size, found.mtime_ns):
                raise Failed("the file has changed since it was found; try again in a moment")
            job.sha256, job.further = hashed.sha256, hashed.further
            await job.held.enter_async_context(tools.busy.alone_with(job.sha256))
            return


async def _hash(busy: Busy, path: str, told: Callable[[int], None], stop: threading.Event) -> hashing.Hashed:
    busy.hashing += 1
    try:
        alone = busy.hashing < (os.cpu_count() or 1)
        return await asyncio.to_thread(hashing.hash_file, path, progress=told, stop=stop, read_ahead=alone)
    finally:
        busy.hashing -= 1


async def plan(tools: Tools, job: Job) -> None:
    """Decide between new and known, and write down what will be done to the disk."""
    await tools.library.caught_up()
    found, db = job.file, tools.library.db
    known = models.locations(db, job.sha256)
    elsewhere = await asyncio.to_thread(_lies_elsewhere, known, every(db), found.path)
    status = status_of(job.strategy, known=models.get(db, job.sha256) is not None, lies_elsewhere=elsewhere)
    if status is None and not job.waited and found.in_place and not found.written:
        status = "merged"  # of a queue: one more file of known content in its place asks nothing of anybody
    if status is None:
        raise Conflict(job.sha256)
    header = await asyncio.to_thread(_header_of, to_path(found.path), job.type or found.type)
    planned = ImportPlanned(job.op, job.pending, job.sha256, status, found.file(), header)
    if goes_to_trash(status, in_place=found.in_place, lies_elsewhere=elsewhere):
        entry = await asyncio.to_thread(_trash_entry, every(db), tools.data, planned)
        planned = _replaced(planned, trash=to_text(entry))
    elif status in BRINGS:
        planned = await _with_place(tools, job, planned, status)
    if job.stop.is_set():
        raise Withdrawn("cancelled")
    job.plan = planned
    try:
        await _decide(tools, job, lambda db: _planning(db, job, planned))
    except Failed:
        job.plan = None  # nothing was written: nothing is to be taken up again
        raise


def _planning(db: apsw.Connection, job: Job, planned: ImportPlanned) -> Decision:
    """Begin to change the disk only if nobody else has ended the pending model since it was checked."""
    subject = pending.get(db, job.pending)
    if subject is None or subject.state != "waiting" or subject.path != planned.file.path:
        raise Failed(f"pending model {job.pending} was moved or taken in meanwhile; see where it is and try again")
    return Decision([of_import(job.op, planned)])


async def make_pictures(tools: Tools, job: Job) -> None:
    """Make the tiers of the pending picture, beside their places."""
    if job.planned.status not in BRINGS:
        return
    await tools.take_picture(job.pending)
    await tools.library.caught_up()
    subject = pending.get(tools.library.db, job.pending)
    _discard_picture(tools, job)
    if subject is None or subject.picture is None:
        return
    job.picture_at = subject.picture_position
    if job.planned.status == "merged" and _has_picture(tools.library.db, job.planned.model, subject):
        return
    original = tools.store.pending_path(job.pending, subject.picture)
    job.token = tools.store.new_token()
    try:
        job.picture = await asyncio.to_thread(_make_tiers, tools.store, original, job.token)
    except (PictureRefused, FileNotFoundError):
        tools.store.discard(job.token)  # the model comes without it; the picture was looked at when it was taken
    except OSError as error:
        raise Failed(f"its picture could not be written ({error.strerror}); free some space and try again") from error


async def place_file(tools: Tools, job: Job) -> None:
    """Bring the file to where it is to lie: into its model root, into the trash, or leave it."""
    planned = job.planned
    try:
        if planned.trash is not None:
            await asyncio.to_thread(_to_trash, planned)
        elif planned.target is not None:
            await _to_target(tools, job)
        elif planned.status in BRINGS:
            job.placed = planned.file
    except hashing.Cancelled:
        raise Withdrawn("cancelled") from None
    except (place.NotPlaced, trash.TrashUnavailable, ReadingStopped) as error:
        raise Failed(str(error)) from error
    except OSError as error:
        if await asyncio.to_thread(_has_left, planned):
            job.resumed = True  # it was moved, and the disk did not confirm it: only going on leaves nothing half
            raise
        raise Failed(f"the file could not be moved ({error.strerror or error}); nothing was changed") from error


async def complete(tools: Tools, job: Job) -> None:
    """Write all that follows as one durable step, the picture in its place by then."""
    while True:
        await tools.library.caught_up()
        await _promote(tools, job)
        done = Done(job.planned, job.type, job.picture_at, job.picture, job.sequence, job.placed, job.further)
        try:
            await _decide(tools, job, lambda db, done=done: Decision(facts_of(db, done)))
        except PictureChanged:
            await make_pictures(tools, job)
            continue
        if job.promoted is not None:  # without a picture now, where the one that came meanwhile cannot be shown
            end = tools.store.withdraw if job.picture is None else tools.store.settle
            end(job.planned.model, job.sequence)
        return


async def tidy(tools: Tools, job: Job) -> None:
    """Remove what the import leaves behind: the source of a copy, and the original of the picture."""
    planned = job.planned
    if planned.copies and planned.target is not None:
        await tools.library.caught_up()
        location = models.location(tools.library.db, planned.target)
        try:
            await asyncio.to_thread(_remove_source, planned, location)
        except OSError as error:
            log.warning("%s was copied and could not be removed: %s", hashing.named(planned.file.path), error.strerror)
    if planned.status != "ignored":
        await asyncio.to_thread(tools.store.drop_pending, job.pending)
    await _append(tools, job, [of_import(job.op, ImportTidied(job.op))])


STEPS: tuple[Step, ...] = (check, hash_content, plan, make_pictures, place_file, complete, tidy)
AFTER_PLAN = STEPS.index(make_pictures)


# Before and after the steps ---------------------------------------------------------------------------


def job_of(known: imports.Import) -> Job:
    """Give the job for an import in the queue, with its plan where it has one."""
    job = Job(known.op, known.pending, known.strategy, known.type, known.actor, known.action)
    if known.plan is not None:
        job.plan = known.plan
        job.sha256 = known.plan.model
        job.resumed = True
    return job


def take_hold(tools: Tools, job: Job) -> None:
    """Have the paths of a planned import left alone, from before anybody looks at the disk."""
    planned = job.planned
    job.busy |= {to_path(path) for path in (planned.file.path, planned.target) if path is not None}
    tools.busy.paths |= job.busy


async def take_up(tools: Tools, job: Job) -> None:
    """Make ready to go on with a planned import after a crash. Raises `Failed` where its file is gone."""
    await job.held.enter_async_context(tools.busy.alone_with(job.planned.model))
    job.subject = pending.get(tools.library.db, job.pending)
    if not await asyncio.to_thread(_is_recoverable, job.planned):
        await asyncio.to_thread(_discard_part, job.planned)
        raise Failed("its file was gone after the interruption; look for it and import it again")


def let_go(tools: Tools, job: Job) -> list[str]:
    """Give free what the job held, and the paths that should be looked at again."""
    _discard_picture(tools, job)
    paths = sorted(job.busy)
    tools.busy.paths -= job.busy
    job.busy.clear()
    return paths


# Planning ---------------------------------------------------------------------------------------------


async def _with_place(tools: Tools, job: Job, planned: ImportPlanned, status: Status) -> ImportPlanned:
    """Give the plan with where the file is to go; one in place stays there."""
    found, known = job.file, models.get(tools.library.db, planned.model)
    kind = type_of(status, job.type, found, known)
    if found.in_place:
        return planned
    lost = models.locations(tools.library.db, planned.model)
    old = await asyncio.to_thread(_old_place, every(tools.library.db), lost)
    if old is not None:
        return await _with_target(tools, job, planned, *old)
    folder, root = _folder_for(tools, kind)
    return await _with_target(tools, job, planned, os.path.join(folder, os.path.basename(to_path(found.path))), root)


def _old_place(roots: list[Root], locations: Sequence[Location]) -> tuple[str, Root] | None:
    """Give the place that a known model's file has left empty, if there is one: there its content belongs."""
    for location in locations:
        path = to_path(location.path)
        root = next((root for root in roots if root.id == location.root and not root.offline), None)
        is_empty = location.lost and not os.path.lexists(path) and os.path.isdir(os.path.dirname(path))
        if root is not None and root.kind == "model" and is_empty:
            return path, root
    return None


async def _with_target(tools: Tools, job: Job, planned: ImportPlanned, wanted: str, root: Root) -> ImportPlanned:
    """Give the plan with a free name for the file, `wanted` or one like it, that no other import will take."""
    while True:
        taken = tools.busy.paths - job.busy
        try:
            target, copies = await asyncio.to_thread(_room_for, to_path(planned.file.path), wanted, root, taken)
            if copies:
                await asyncio.to_thread(place.require_space, os.path.dirname(target), planned.file.size)
        except (OSError, place.NotPlaced) as error:
            raise Failed(f"it cannot go to {hashing.named(os.path.dirname(wanted))} ({error})") from error
        if target not in tools.busy.paths - job.busy:
            _claim(tools, job, target)
            return _replaced(planned, target=to_text(target), target_root=root.id, copies=copies)


def _replaced(planned: ImportPlanned, **fields: Any) -> ImportPlanned:
    return msgspec.structs.replace(planned, **fields)


def _root(tools: Tools, number: int | None) -> Root | None:
    return next((root for root in every(tools.library.db) if root.id == number), None)


def _must_be_open(root: Root | None, found: Pending) -> None:
    if root is None and found.root:
        raise Failed("the folder of its file is watched no more; add that again, then import it")
    if root is not None and root.paused:
        raise Failed(f"its folder, {hashing.named(root.path)}, is paused; resume that, then import it")


def _folder_for(tools: Tools, kind: str) -> tuple[str, Root]:
    """Give where models of a type go: the first of its folders that is not paused. Raises `Failed`."""
    known = {root.path: root for root in every(tools.library.db) if root.kind == "model" and root.type == kind}
    there = [known[folder] for folder in tools.order(kind) if folder in known]
    if not there:
        raise Failed(f"there is no folder for models of type {kind}; add one, for example with `--models {kind}=DIR`")
    root = next((root for root in there if not root.paused), there[0])
    if root.paused or root.offline:
        why = "is paused; resume it" if root.paused else "is away; connect its disk"
        raise Failed(f"the folder for {kind}, {hashing.named(root.path)}, {why} and try again")
    return root.path, root


def _claim(tools: Tools, job: Job, path: str) -> None:
    if path in tools.busy.paths and path not in job.busy:
        raise Failed("its file is being worked on already; try again when that is done")
    tools.busy.paths.add(path)
    job.busy.add(path)


def _must_be_unchanged(path: str, found: Pending, root: Root | None) -> None:
    try:
        seen = stat_file(path)
    except OSError as error:
        raise Failed(f"the file could not be looked at ({error.strerror}); make it readable and try again") from error
    if seen is None and (root is None or not is_here(root)):
        raise Failed("the folder of its file is away; connect its disk and try again")
    if seen is None:
        raise Failed("its file is gone; put it back and try again")
    if (seen.size, seen.mtime_ns) != (found.size, found.mtime_ns):
        raise Failed("the file has changed since it was found; try again once it has come to rest")


def _header_of(path: str, type_: str | None) -> dict[str, Any]:
    try:
        return header_dict(*read(path), type_)
    except OSError as error:
        raise Failed(f"the file could not be read ({error.strerror}); make it readable and try again") from error


def _lies_elsewhere(known: Sequence[Location], roots: Sequence[Root], besides: str) -> bool:
    """Tell whether a file of the model is really there, in a root that is: what is one too many goes to the trash.

    One that nobody has hashed, as an earlier library alone tells of it, is none.
    """
    online = {root.id for root in roots if not root.offline}
    mine = _seen_or_none(to_path(besides))
    for there in known:
        if there.lost or there.claimed or there.root not in online or there.path == besides:
            continue
        seen = _seen_or_none(to_path(there.path))
        if _is_the_file(seen, there.file()) and not _leads_to(to_path(there.path), seen, to_path(besides), mine):
            return True
    return False


def _leads_to(path: str, seen: Seen | None, other: str, mine: Seen | None) -> bool:
    """Tell whether a path would lead nowhere if the other were moved: it is no file of its own, but a way to it."""
    if seen is None or mine is None or (seen.dev, seen.ino) != (mine.dev, mine.ino):
        return False
    # Two names of one file (hard links) each keep it; a link, or one folder reached in two ways, does not.
    return seen.nlink < 2 or os.path.realpath(path) == os.path.realpath(other)


def _seen_or_none(path: str) -> Seen | None:
    try:
        return stat_file(path)
    except OSError:
        return None


def _room_for(source: str, wanted: str, root: Root, taken: set[str]) -> tuple[str, bool]:
    if not is_here(root):
        raise Failed(f"the folder {hashing.named(root.path)} is away; connect its disk and try again")
    folder, name = os.path.split(wanted)
    free = place.free_name(folder, name, lambda path: path in taken or os.path.lexists(path))
    # A link that somebody dropped may be relative: its content is copied, and the link removed.
    return os.path.join(folder, free), os.path.islink(source) or not place.same_filesystem(source, folder)


def _trash_entry(roots: list[Root], data: str, planned: ImportPlanned) -> str:
    source = to_path(planned.file.path)
    root = of_path(roots, source)
    try:
        return trash.plan(source, data, root.path if root else os.path.dirname(source), planned.op).entry
    except trash.TrashUnavailable as error:
        raise Failed(str(error)) from error


# Pictures ---------------------------------------------------------------------------------------------


def _make_tiers(store: ImageStore, original: str, token: str) -> Picture:
    picture = inspect(original)
    write_tiers(original, lambda tier: store.staged(token, tier))
    return picture


def _has_picture(db: apsw.Connection, model: str, subject: Pending) -> bool:
    """Tell whether the model has the pending picture already, where it comes from an earlier library: it had both."""
    known = subject.picture_original if subject.legacy else ""
    return bool(known) and images.has_original(db, model, known)


def _discard_picture(tools: Tools, job: Job) -> None:
    if job.token is not None:
        tools.store.discard(job.token)
    job.token = job.picture = job.picture_at = None


async def _promote(tools: Tools, job: Job) -> None:
    """Bring the picture to its place under the model's next number, once: only then can the log tell of it.

    Where the log then does not, the picture is taken back at the next start, or gives way to the next one.
    """
    if job.picture is not None and job.token is not None and job.promoted != job.token:
        job.sequence = images.next_sequence(tools.library.db, job.planned.model)
        await asyncio.to_thread(tools.store.promote, job.token, job.planned.model, job.sequence)
        job.promoted = job.token


# The file ---------------------------------------------------------------------------------------------


def _to_trash(planned: ImportPlanned) -> None:
    where = _trash_place(planned)
    if trash.state(where) == "moved":
        trash.confirm(where)
        return
    _must_still_be(planned)
    record = trash.Record(
        path=planned.file.path,
        size=planned.file.size,
        trashed_at=now_ms(),
        reason=planned.status,
        sha256=planned.model,
    )
    trash.move(where, record)


def _trash_place(planned: ImportPlanned) -> trash.Planned:
    assert planned.trash is not None
    return trash.planned_in(to_path(planned.trash), to_path(planned.file.path))


async def _to_target(tools: Tools, job: Job) -> None:
    while True:
        planned = job.planned
        assert planned.target is not None
        assert planned.target_root is not None
        try:
            told = _teller(tools.library, job, what="copying", total=planned.file.size)
            await asyncio.to_thread(_bring, job, told)
            break
        except FileExistsError:
            root = _root(tools, planned.target_root)
            if root is None:
                raise Failed("the folder it was to go to is watched no more; import it again") from None
            job.plan = await _with_target(tools, job, planned, to_path(planned.target), root)
            await _append(tools, job, [of_import(job.op, job.plan)])
    seen = await asyncio.to_thread(stat_file, to_path(planned.target))
    if seen is None:
        raise Failed("the file vanished from its new place; look for it and import it again")
    if not planned.copies and not _is_the_file(seen, planned.file):
        await asyncio.to_thread(_put_back, planned)
        raise Failed("the file was replaced while it was imported; try again once it has come to rest")
    job.placed = as_file(seen, planned.target_root)


def _bring(job: Job, told: Callable[[int], None]) -> None:
    planned = job.planned
    assert planned.target is not None
    source, target = to_path(planned.file.path), to_path(planned.target)
    if job.resumed and (_lies_there(planned) or place.finish_rename(source, target)):
        place.confirm(source, target)
        return
    _must_still_be(planned)
    if job.resumed:
        _clear_reservation(planned, target)
    if planned.copies:
        part = _part(planned, target)
        place.copy_verified(source, part, target, expected_sha256=planned.model, progress=told, stop=job.stop)
    else:
        place.rename_no_replace(source, target)


def _clear_reservation(planned: ImportPlanned, target: str) -> None:
    """Remove the empty file with which a killed `place.reserve_and_rename` took the name; nobody writes to that."""
    with suppress(FileNotFoundError, NotRegular):
        with hashing.open_regular(target) as file:
            empty = os.fstat(file.fileno()).st_size == 0 and not os.path.islink(target)
            ours = empty and planned.file.size > 0 and not open_for_writing(file.fileno())
        if ours:
            os.unlink(target)


def _has_left(planned: ImportPlanned) -> bool:
    """Tell whether the file has its new place already, though the disk had something to say against it."""
    try:
        if planned.trash is not None:
            return trash.state(_trash_place(planned)) == "moved"
        return planned.target is not None and _lies_there(planned)
    except (OSError, ReadingStopped):
        return False


def _put_back(planned: ImportPlanned) -> None:
    """Undo the rename of something that is not what was hashed."""
    assert planned.target is not None
    with suppress(OSError):  # where it cannot go back it stays, under its new name, and is found there
        place.rename_no_replace(to_path(planned.target), to_path(planned.file.path))


def _part(planned: ImportPlanned, target: str) -> str:
    return os.path.join(os.path.dirname(target), place.part_name(os.path.basename(target), planned.op))


def _discard_part(planned: ImportPlanned) -> None:
    if planned.copies and planned.target is not None:
        with suppress(OSError):
            os.unlink(_part(planned, to_path(planned.target)))


def _is_the_file(seen: Seen | None, file: File) -> bool:
    """Tell whether what is seen is the file that an event tells of, by whatever name."""
    if seen is None:
        return False
    now = as_file(seen, file.root)
    return (now.size, now.mtime_ns, now.ino) == (file.size, file.mtime_ns, file.ino)


def _lies_there(planned: ImportPlanned) -> bool:
    """Tell whether the file is at its target already: renamed before a crash, or a whole copy with these bytes."""
    assert planned.target is not None
    target = to_path(planned.target)
    seen = stat_file(target)
    if seen is None or seen.size != planned.file.size:
        return False
    if planned.copies:
        return hashing.hash_file(target).sha256 == planned.model
    return _is_the_file(seen, planned.file) and not os.path.lexists(to_path(planned.file.path))


def _must_still_be(planned: ImportPlanned) -> None:
    if not _is_the_file(stat_file(to_path(planned.file.path)), planned.file):
        raise Failed("the file has changed since it was hashed; nothing was done, try again once it is at rest")


def _is_recoverable(planned: ImportPlanned) -> bool:
    return _is_the_file(_seen_or_none(to_path(planned.file.path)), planned.file) or _has_left(planned)


def _remove_source(planned: ImportPlanned, location: Location | None) -> None:
    """Remove the source of a verified copy: the one removal of a model file.

    Only while it is that very file, and the copy lies untouched where the log says.
    """
    source = to_path(planned.file.path)
    if location is None or location.model != planned.model:
        return
    if _is_the_file(stat_file(to_path(location.path)), location.file()) and _is_the_file(
        stat_file(source), planned.file
    ):
        os.unlink(source)
        place.fsync_dir(os.path.dirname(source))


# Writing and telling ----------------------------------------------------------------------------------


async def _append(tools: Tools, job: Job, events: list[New]) -> None:
    await _decide(tools, job, lambda _db: Decision(events))


async def _decide(tools: Tools, job: Job, decide: Callable[[Any], Decision]) -> None:
    written: Written = await tools.library.write(decide, actor=job.actor, action=job.action)
    job.position = written.position


def _teller(library: Library, job: Job, **what: Any) -> Callable[[int], None]:
    loop, task = asyncio.get_running_loop(), f"import/{job.op}"

    def tell(done: int) -> None:
        loop.call_soon_threadsafe(
            lambda: library.news.progress(task, done=done, pending=job.pending, op=job.op, **what)
        )

    return tell
