"""Pictures: given by people or found beside a model, made into tiers, taken away again."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import apsw

from ..events.catalog import ImageAdded, ImageRemoved, PendingPictured
from ..events.pathtext import to_path, to_text
from ..events.writer import Decision, Unwritable, Written
from ..projections import images, models, pending
from .busy import Busy
from .disks import Disks, NoAnswer
from .edits import NotFound
from .hashing import ReadingStopped
from .imagestore import ImageStore
from .library import Library
from .looking import Fingerprint
from .pictures import MAX_BYTES, Picture, PictureRefused, inspect_original, write_tiers
from .sightings import of_model, of_pending

TAKEN_KEPT = 20_000  # pending models of whose pictures it is remembered which file they came from, some 5 MiB
AT_ONCE = 2  # encoding takes a core, and up to 400 MiB for the largest picture that is taken


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asked for a write, as `Library.write` takes it."""

    actor: str
    key: str | None = None
    request: bytes = b""


@dataclass(frozen=True, slots=True)
class _Original:
    """A picture's file: what it is, and its SHA-256 in hexadecimal."""

    picture: Picture
    digest: str


class Gallery:
    """Brings pictures to models and pending models, and takes them away."""

    def __init__(self, library: Library, store: ImageStore, busy: Busy, disks: Disks | None = None) -> None:
        """Work on a library's pictures; `busy` is shared with the imports, `disks` with the observer."""
        self._library = library
        self.store = store
        self._busy = busy
        self._encoders = asyncio.Semaphore(AT_ONCE)
        self._disks = disks or Disks()
        self._taken_from: dict[int, tuple[str, Fingerprint | None]] = {}
        self._looked: set[int] = set()  # pending models whose folder was listed: new pictures in it bring hints

    async def add(
        self, sha256: str, token: str, *, actor: str, key: str | None = None, request: bytes = b""
    ) -> tuple[int, Written]:
        """Make the original received under `token` a picture of a model: (its number, the write).

        Raises `NotFound`, `PictureRefused`, `OSError`; whatever happens, nothing staged is left.
        """
        try:
            if models.get(self._library.db, sha256) is None:
                raise NotFound(f"there is no model {sha256[:12]}; import it first")
            async with self._encoders:
                original = await asyncio.to_thread(self._make, token)
            async with self._busy.alone_with(sha256):
                return await self._append(sha256, token, original, _Asked(actor, key, request))
        finally:
            await asyncio.to_thread(self.store.discard, token)

    async def take_first(self, sha256: str, picture: str) -> None:
        """Make a picture that lies beside a model's file the model's first, if it never had one."""
        if not self._is_pictureless(sha256):
            return
        token = self.store.new_token()
        try:
            await self._disks.copy_picture(picture, self.store.incoming(token), MAX_BYTES)
            async with self._encoders:
                original = await asyncio.to_thread(self._make, token)
            async with self._busy.alone_with(sha256):
                await self._library.caught_up()
                if self._is_pictureless(sha256):
                    await self._append(sha256, token, original, _Asked("watcher"))
        except (PictureRefused, ReadingStopped, OSError):
            return  # as of a pending model
        finally:
            await asyncio.to_thread(self.store.discard, token)

    def _is_pictureless(self, sha256: str) -> bool:
        db = self._library.db
        return models.get(db, sha256) is not None and images.next_sequence(db, sha256) == 0

    def _make(self, token: str) -> _Original:
        original = _inspected(self.store.incoming(token))
        write_tiers(self.store.incoming(token), lambda tier: self.store.staged(token, tier))
        return original

    async def _append(self, sha256: str, token: str, original: _Original, asked: _Asked) -> tuple[int, Written]:
        await self._library.caught_up()
        seq = images.next_sequence(self._library.db, sha256)
        await asyncio.to_thread(self.store.promote, token, sha256, seq)
        picture = original.picture
        shape = picture.format, picture.width, picture.height
        added = ImageAdded(sha256, seq, *shape, picture.texts, original.digest)
        try:
            written = await self._write(lambda _db: Decision([of_model(sha256, added)], seq), asked)
        except Unwritable:
            raise  # the log may have it all the same: `recover` finds out at the next start
        except Exception:
            self.store.withdraw(sha256, seq)
            raise
        if written.repeated:
            self.store.withdraw(sha256, seq)
        else:
            self.store.settle(sha256, seq)
        return written.value, written

    async def remove(self, sha256: str, seq: int, *, actor: str, key: str | None, request: bytes) -> Written:
        """Take a picture away from a model; the others keep their numbers. Raises `NotFound`."""

        def decide(db: apsw.Connection) -> Decision:
            if not images.has(db, sha256, seq):
                raise NotFound(f"there is no picture {seq} of model {sha256[:12]}")
            return Decision([of_model(sha256, ImageRemoved(sha256, seq))])

        async with self._busy.alone_with(sha256):
            await asyncio.to_thread(self.store.doom, sha256, seq)
            try:
                written = await self._write(decide, _Asked(actor, key, request))
            except Unwritable:
                raise
            except Exception:
                self.store.spare(sha256, seq)
                raise
            if written.repeated:
                self.store.spare(sha256, seq)
            else:
                await asyncio.to_thread(self.store.take_away, sha256, seq)
        return written

    # Pending models

    async def give_pending(
        self, number: int, token: str, *, actor: str, key: str | None = None, request: bytes = b""
    ) -> Written:
        """Keep the original received under `token` as a pending model's picture. Raises as `add` does."""
        try:
            if pending.get(self._library.db, number) is None:
                raise _no_pending(number)
            async with self._encoders:
                original = await asyncio.to_thread(_inspected, self.store.incoming(token))
            async with self._alone_with_pending(number):
                return await self._keep(number, token, original, _Asked(actor, key, request))
        finally:
            await asyncio.to_thread(self.store.discard, token)

    async def take_companions(self, numbers: Iterable[int]) -> None:
        """Keep the pictures that lie beside pending models which have none; each folder is listed once."""
        folders: dict[str, list[pending.Pending]] = {}
        for number in dict.fromkeys(numbers):
            found = self._without_picture(number)
            if found is not None:
                folders.setdefault(os.path.dirname(to_path(found.path)), []).append(found)
        for folder, there in folders.items():
            names = [os.path.basename(to_path(found.path)) for found in there]
            try:
                pictures = await self._disks.pictures_beside(folder, names)
            except NoAnswer:
                continue  # when it answers, all is looked at again
            await self._take_all(zip([found.id for found in there], pictures, strict=True))

    async def _take_all(self, pictures: Iterable[tuple[int, str | None]]) -> None:
        """Keep what lies beside pending models, as many pictures at once as are encoded at once."""
        waiting = iter(pictures)

        async def take_those_that_wait() -> None:
            for number, path in waiting:
                self._looked.add(number)
                if path is not None:
                    await self._take(number, path)

        await asyncio.gather(*(take_those_that_wait() for _ in range(AT_ONCE)))

    async def take_companion(self, number: int) -> None:
        """Keep the picture that lies beside a pending model, if there is one and it has none yet.

        The folder is listed only the first time: with 20,000 models in it a list for each would take half an hour.
        """
        found = self._without_picture(number)
        if found is None:
            return
        try:
            picture = await self._disks.picture_named(to_path(found.path))
        except NoAnswer:
            return
        if picture is not None:
            await self._take(number, picture)
        elif number not in self._looked:
            await self.take_companions([number])

    def _without_picture(self, number: int) -> pending.Pending | None:
        """Give a pending model that may take a picture; of one that is no more, forget what was kept."""
        found = pending.get(self._library.db, number)
        if found is None and pending.picture_of(self._library.db, number) is None:
            self._looked.discard(number)
            self.store.drop_pending(number)
        return found if found is not None and found.picture is None and found.state == "waiting" else None

    async def renew(self, path: str, picture: str) -> None:
        """Take the picture that lies beside a pending model's file anew, if it has changed.

        Only where the one that it has came so, too: what a person gave is that person's.
        """
        found = pending.at_path(self._library.db, to_text(path))
        if found is None or not _may_be_renewed(found):
            return
        async with self._alone_with_pending(found.id):
            now = pending.get(self._library.db, found.id)
            if now is not None and _may_be_renewed(now) and await self._has_changed(now.id, picture):
                await self._take_in(now.id, picture, instead_of=now.picture_original)

    async def _has_changed(self, number: int, picture: str) -> bool:
        """Tell whether a picture is not known to be what a pending model's was taken from."""
        return await self._print_of(picture) != self._taken_from.get(number)

    async def _print_of(self, picture: str) -> tuple[str, Fingerprint | None]:
        return picture, (await self._disks.fingerprints([picture])).get(picture)

    async def _take(self, number: int, path: str) -> None:
        async with self._alone_with_pending(number):
            if self._without_picture(number) is not None:
                await self._take_in(number, path)

    async def _take_in(self, number: int, path: str, *, instead_of: str = "") -> None:
        """Keep a picture from beside a pending model, unless it is the one whose digest is `instead_of`."""
        token = self.store.new_token()
        try:
            before = await self._print_of(path)
            # Copied first: what is looked at is what is kept, whatever becomes of the file meanwhile.
            await self._disks.copy_picture(path, self.store.incoming(token), MAX_BYTES)
            async with self._encoders:
                original = await asyncio.to_thread(_inspected, self.store.incoming(token))
            if original.digest != instead_of:
                await self._keep(number, token, original, _Asked("watcher"), is_companion=True)
            self._taken_from[number] = before
            while len(self._taken_from) > TAKEN_KEPT:
                self._taken_from.pop(next(iter(self._taken_from)))
        except (PictureRefused, ReadingStopped, NotFound, OSError):
            return  # no picture then: what lies beside a model by chance is nobody's fault
        finally:
            await asyncio.to_thread(self.store.discard, token)

    def _alone_with_pending(self, number: int) -> contextlib.AbstractAsyncContextManager[None]:
        return self._busy.alone_with(f"pending/{number}")

    async def _keep(
        self, number: int, token: str, original: _Original, asked: _Asked, *, is_companion: bool = False
    ) -> Written:
        """Keep the original under `token` and tell the log; afterwards there is none but the one that the log has."""
        origin, picture = "companion" if is_companion else "person", original.picture
        shape = picture.width, picture.height
        event = PendingPictured(number, picture.extension, origin, *shape, picture.texts, original.digest)

        def decide(db: apsw.Connection) -> Decision:
            if pending.get(db, number) is None:
                raise _no_pending(number)
            return Decision([of_pending(number, event)])

        await asyncio.to_thread(self.store.set_aside, number, picture.extension, token)
        await asyncio.to_thread(self.store.keep_pending, number, picture.extension, self.store.incoming(token))
        try:
            written = await self._write(decide, asked)
        except Exception:
            known = pending.get(self._library.db, number)
            if known is None or known.picture_original != original.digest:  # the log has the one before, or none
                self.store.put_back(number, picture.extension, token)
            self.store.drop_pending(number, but=pending.picture_of(self._library.db, number))
            raise
        kept = pending.picture_of(self._library.db, number) if written.repeated else picture.extension
        self.store.drop_pending(number, but=kept)
        return written

    async def _write(self, decide: Callable[[apsw.Connection], Decision], asked: _Asked) -> Written:
        return await self._library.write(decide, actor=asked.actor, key=asked.key, request=asked.request)


def _inspected(path: str) -> _Original:
    return _Original(*inspect_original(path))


def _may_be_renewed(found: pending.Pending) -> bool:
    return found.picture_origin == "companion" and found.state == "waiting"


def _no_pending(number: int) -> NotFound:
    return NotFound(f"there is no pending model {number}; list them with `hikazed pending`")
