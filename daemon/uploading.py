"""Files that come over HTTP, in pieces: each goes on where it stands, and two never write to one.

An upload is named by a key that its sender chose. What is here of it lies in its drop folder (`uploadparts`), so it
goes on after a lost connection, a reload and a restart. When all bytes are here, and none too many, it gets its name,
and is from then on a file that somebody dropped.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from . import uploadparts, uploads
from .hashing import named
from .roots import Root, is_here
from .uploadparts import NoRoom, Part, Record
from .uploads import BadUpload, NotNow, Standing, UploadRefused, Wish

KEPT_MS = 7 * 24 * 3600 * 1000  # so long a part waits for its next piece
SWEEP_EVERY_S = 24 * 3600.0
BLOCK = 1 << 20  # bytes written at once, and held in memory
SYNC_EVERY = 16 << 20  # bytes; so many at most are sent again after a power cut
STALL_S = 0.5  # without a byte: then what is here is made safe
IDLE_S = 60.0  # without a byte: then the connection is given up, and the key is free for another
REMEMBERED = 1_000  # finished uploads whose answer is given again

log = logging.getLogger(__name__)

Read = Callable[[], Awaitable[bytes]]
"""Gives the next bytes of a body, none at its end."""


@dataclass(slots=True)
class _UnderWay:
    """A request that is at work on the upload of a key."""

    key: str
    known: asyncio.Event = field(default_factory=asyncio.Event)
    """How much is here is known, or nobody is at work any more."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    here: int = 0
    record: Record | None = None
    cancelled: bool = False


class Uploads:
    """Takes uploads into the drop folders. `start` begins to look after what is left behind, `close` ends that."""

    def __init__(
        self,
        roots: Callable[[], Sequence[Root]],
        answers: Callable[[str], bool],
        judge: Callable[[int], Awaitable[None]],
        appeared: Callable[[str], None],
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        stall_s: float = STALL_S,
        idle_s: float = IDLE_S,
    ) -> None:
        """Take uploads into those of `roots` that are drop folders and whose file systems answer.

        `judge` finds out whether a root is here that seems away; `appeared` gets the path of each file that was given
        its name.
        """
        self._roots = roots
        self._answers = answers
        self._judge = judge
        self._appeared = appeared
        self._now_ms = now_ms
        self._stall_s = stall_s
        self._idle_s = idle_s
        self._at_work: dict[str, _UnderWay] = {}  # by key in lower case: some disks take `Foo` and `foo` for one
        self._done: dict[str, Standing] = {}
        self._folder_of: dict[str, int] = {}  # the root that holds what is here of an upload
        self._beginning = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look after what is left behind."""
        self._sweeping = asyncio.create_task(self._keep_sweeping(), name="uploads")

    async def close(self) -> None:
        """End that."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    # What others ask

    async def take(self, wanted: Wish, offset: int, read: Read, length: int | None = None) -> Standing:
        """Take a piece that begins at `offset`, of `length` bytes if that is known; without any it asks how it stands.

        Raises `UploadRefused`, OSError, and what `read` raises; what arrived is kept.
        """
        first = await self._first(read)
        if wanted.key is None:
            return await self._take_whole(wanted, first, read, length)
        size = wanted.size or 0
        if offset + (length or len(first)) > size:
            raise uploads.too_many(size)
        while (other := self._at_work.get(wanted.key.lower())) is not None:
            await other.known.wait()
            if other.record is not None and not other.ended.is_set():
                uploads.must_fit(wanted, other.record)
                if not first:
                    return Standing(wanted.name, other.here, size)
                raise NotNow("another request sends this upload just now; go on when it has ended", other.here)
        async with self._alone(wanted.key) as mine:
            return await self._take_piece(mine, wanted.key, size, wanted, offset, first, read)

    async def cancel(self, key: str) -> bool:
        """Remove what is here of an upload; False where there is nothing, as of one that is done."""
        other = self._at_work.get(key.lower())
        if other is not None and other.key == key:
            other.cancelled = True
        async with self._alone(key):
            found = await self._find(key)
            if found is None:
                return False
            with uploads.said(found[0]):
                await asyncio.to_thread(uploadparts.discard, found[0].path, key)
            self._folder_of.pop(key, None)
            return True

    @contextlib.asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[_UnderWay]:
        while (other := self._at_work.get(key.lower())) is not None:
            await other.ended.wait()
        mine = self._at_work[key.lower()] = _UnderWay(key)
        try:
            yield mine
        finally:
            del self._at_work[key.lower()]
            mine.ended.set()
            mine.known.set()

    # Pieces

    async def _take_piece(
        self, mine: _UnderWay, key: str, size: int, wanted: Wish, offset: int, first: bytes, read: Read
    ) -> Standing:
        await self._see_who_is_here(wanted.root)
        found = None if key in self._done else await self._find(key)
        done = self._done.get(key)
        if done is not None:
            if (done.name, done.size) != (wanted.name, size):
                raise uploads.another(done.name, done.size)
            return done
        root, record, here = await self._stand_of(found, wanted, size)
        if first and offset != here:
            raise NotNow(f"{here} bytes of this upload are here; go on from there", here)
        if first:
            mine.record = record = record or await self._begin(root, wanted, key)
            record, here = await self._receive(mine, root, record, first, read)
        if record is not None and here == size:
            return await self._finish(root, record)
        return Standing(wanted.name, here, size)

    async def _stand_of(
        self, found: tuple[Root, Record] | None, wanted: Wish, size: int
    ) -> tuple[Root, Record | None, int]:
        """Give the drop folder of an upload, its record, and how much is here; the rest of it has room there."""
        if found is None:
            return await self._choose(wanted, size), None, 0
        root, record = found
        uploads.must_fit(wanted, record)
        if wanted.root not in (None, root.id):
            raise NotNow("what is here of this upload lies in another drop folder: leave root out, or cancel it")
        here = await asyncio.to_thread(uploadparts.bytes_here, root.path, record)
        with uploads.said(root, here):
            await asyncio.to_thread(uploadparts.require_space, root.path, size - here)
        return root, record, here

    async def _take_whole(self, wanted: Wish, first: bytes, read: Read, length: int | None) -> Standing:
        """Take a file in one go: whatever goes wrong, nothing of it stays."""
        if not first:
            raise BadUpload("the file is empty; send one with content")
        size = length if wanted.size is None else wanted.size
        if size is not None and length is not None and size != length:
            raise BadUpload(f"size says {size} bytes, and {length} are sent; a piece needs ?upload= with a key")
        await self._see_who_is_here(wanted.root)
        root, key = await self._choose(wanted, size or len(first)), secrets.token_urlsafe(24)
        async with self._alone(key) as mine:
            record = await self._begin(root, Wish(None, wanted.name, size), key)
            try:
                record, here = await self._receive(mine, root, record, first, read)
                uploads.must_be_whole(size, here)
                return await self._finish(root, record)
            except BaseException:
                self._folder_of.pop(key, None)
                await asyncio.to_thread(uploadparts.discard, root.path, key)
                raise

    async def _receive(
        self, mine: _UnderWay, root: Root, record: Record, first: bytes, read: Read
    ) -> tuple[Record, int]:
        """Write down what comes, as it comes; gives the record after it, and how much is here."""
        with uploads.said(root):
            part = await asyncio.to_thread(Part, root.path, record)
        mine.here = part.here
        mine.known.set()
        try:
            with uploads.said(root):
                await self._write_down(mine, part, first, read)
        except BaseException as error:
            await asyncio.to_thread(part.keep, self._now_ms())
            if isinstance(error, UploadRefused) and not (mine.cancelled or record.once):
                error.offset = part.here
            raise
        finally:
            await asyncio.to_thread(part.close)
        return part.record, part.here

    async def _write_down(self, mine: _UnderWay, part: Part, first: bytes, read: Read) -> None:
        start, size = part.here, part.record.size or uploads.LARGEST
        # One in one go is worth nothing before its end; and a multipart body cannot be interrupted.
        stall_s = self._idle_s if part.record.once else self._stall_s
        async with contextlib.aclosing(self._blocks(first, read, stall_s)) as blocks:
            async for block in blocks:
                if mine.cancelled:
                    raise NotNow("this upload was cancelled")
                if part.here + len(block) > size:
                    await asyncio.to_thread(part.cut, start, self._now_ms())
                    raise uploads.too_many(size)
                if block:
                    await asyncio.to_thread(part.write, block)
                    mine.here = part.here
                if part.unsafe >= (SYNC_EVERY if block else 1):
                    await asyncio.to_thread(part.sync, self._now_ms())
        await asyncio.to_thread(part.sync, self._now_ms())

    async def _blocks(self, first: bytes, read: Read, stall_s: float) -> AsyncGenerator[bytes]:
        """Give what comes in blocks; an empty one where nothing has come for a moment."""
        held, silent_s = bytearray(first), 0.0
        while True:
            try:
                async with asyncio.timeout(stall_s):
                    more = await read()
            except TimeoutError:
                silent_s += stall_s
                yield bytes(held)
                yield b""
                held.clear()
                if silent_s >= self._idle_s:
                    raise uploads.silent() from None
                continue
            except Exception:
                yield bytes(held)  # what arrived counts, whatever ended it
                raise
            silent_s = 0.0
            held += more
            if not more or len(held) >= BLOCK:
                yield bytes(held)
                held.clear()
            if not more:
                return

    async def _first(self, read: Read) -> bytes:
        try:
            async with asyncio.timeout(self._idle_s):
                return await read()
        except TimeoutError:
            raise uploads.silent() from None

    # Places

    async def _find(self, key: str) -> tuple[Root, Record] | None:
        """Find what is here of an upload; one that got its name before a crash is done now."""
        for root in self._drop_folders():
            if root.offline or not self._answers(root.path):
                if self._folder_of.get(key) == root.id:
                    raise NotNow(uploads.away(root) if root.offline else uploads.mute(root))
                continue
            record = await asyncio.to_thread(uploadparts.read_record, root.path, key)
            if record is None:
                continue
            await self._must_be_here(root)
            path = await asyncio.to_thread(uploadparts.ended, root.path, record)
            if path is not None:
                self._is_done(record, path)
                return None
            self._folder_of[key] = root.id
            return root, record
        self._folder_of.pop(key, None)
        return None

    async def _choose(self, wanted: Wish, room: int) -> Root:
        """Choose a drop folder for a new upload that is here, can be written to and has room."""
        refusals: list[UploadRefused] = []
        for root in uploads.drop_folders(self._roots(), wanted.root):
            try:
                await self._must_be_here(root)
                if not await asyncio.to_thread(os.access, root.path, os.W_OK | os.X_OK):
                    raise NotNow(uploads.unwritable(root))
                with uploads.said(root):
                    await asyncio.to_thread(uploadparts.require_space, root.path, room)
            except UploadRefused as error:
                refusals.append(error)
            else:
                return root
        raise refusals[0]

    async def _see_who_is_here(self, wanted: int | None) -> None:
        """Have the drop folders looked at, where all that a file may go to seem away: one may just have come."""
        folders = [root for root in self._drop_folders() if wanted in (None, root.id)]
        if all(root.offline for root in folders):
            for root in folders:
                await self._judge(root.id)

    async def _must_be_here(self, root: Root) -> None:
        """Raise unless a root is, at this moment, the folder it was: else a file lands on another disk."""
        now = next((each for each in self._roots() if each.id == root.id), None)
        if now is None:
            raise NotNow(f"{named(root.path)} is no drop folder any more; add it again, then go on")
        if not now.offline and not self._answers(root.path):
            raise NotNow(uploads.mute(root))
        if now.offline or not await asyncio.to_thread(is_here, now):
            raise NotNow(uploads.away(now))

    def _drop_folders(self) -> list[Root]:
        return [root for root in self._roots() if root.kind == "pending"]

    def _reachable(self) -> list[Root]:
        return [root for root in self._drop_folders() if not root.offline and self._answers(root.path)]

    async def _begin(self, root: Root, wanted: Wish, key: str) -> Record:
        now = self._now_ms()
        record = Record(key=key, name=wanted.name, size=wanted.size, at=now, once=wanted.key is None)
        async with self._beginning:
            unfinished = 0
            for each in self._reachable():
                unfinished += len(await asyncio.to_thread(uploadparts.keys_in, each.path))
            if unfinished >= uploads.MOST:
                raise NotNow(f"{uploads.MOST} uploads are unfinished; finish or cancel one, then send this again")
            with uploads.said(root):
                await asyncio.to_thread(uploadparts.begin, root.path, record)
        self._folder_of[key] = root.id
        return record

    # The end

    async def _finish(self, root: Root, record: Record) -> Standing:
        await self._must_be_here(root)
        with uploads.said(root):
            path = await asyncio.to_thread(uploadparts.finish, root.path, record)
        return self._is_done(record, path)

    def _is_done(self, record: Record, path: str) -> Standing:
        self._appeared(path)
        self._folder_of.pop(record.key, None)
        size = record.safe
        done = self._done[record.key] = Standing(record.name, size, size, done=True, path=path)
        while len(self._done) > REMEMBERED:
            del self._done[next(iter(self._done))]
        return done

    async def _keep_sweeping(self) -> None:
        while True:
            try:
                await self.sweep()
            except Exception:
                # The outermost edge: what cannot be swept today may be tomorrow.
                log.exception("what unfinished uploads left could not be looked after")
            await asyncio.sleep(SWEEP_EVERY_S)

    async def sweep(self) -> None:
        """Finish what is all here, and remove what nobody went on with for seven days."""
        for root in self._reachable():
            if not await asyncio.to_thread(is_here, root):
                continue
            try:
                for key in await asyncio.to_thread(uploadparts.keys_in, root.path):
                    await self._sweep_one(root, key)
            except (OSError, NoRoom) as error:
                log.warning("unfinished uploads in %s could not be looked after: %s", named(root.path), error)

    async def _sweep_one(self, root: Root, key: str) -> None:
        if key.lower() in self._at_work:
            return
        async with self._alone(key):
            oldest = self._now_ms() - KEPT_MS
            done = await asyncio.to_thread(uploadparts.sweep, root.path, key, oldest=oldest)
            if done is not None:
                self._is_done(*done)
