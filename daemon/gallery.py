"""Pictures: given by people or found beside a model, made into tiers, taken away again."""

import asyncio
import os
from collections.abc import Callable

import apsw

from ..events.catalog import ImageAdded, ImageRemoved, PendingPictured
from ..events.pathtext import to_path
from ..events.writer import Decision, Written
from ..projections import images, models, pending
from .edits import NotFound
from .imagestore import ImageStore
from .ingest import Busy
from .library import Library
from .names import companion_picture
from .pictures import Picture, PictureRefused, inspect, write_tiers
from .scan import siblings
from .sightings import of_model, of_pending

AT_ONCE = 2  # encoding takes a core, and up to 400 MiB for the largest picture that is taken


class Gallery:
    """Brings pictures to models and pending models, and takes them away."""

    def __init__(self, library: Library, store: ImageStore, busy: Busy) -> None:
        """Work on a library's pictures; `busy` is shared with the imports."""
        self._library = library
        self.store = store
        self._busy = busy
        self._encoders = asyncio.Semaphore(AT_ONCE)
        self._taking: dict[int, asyncio.Lock] = {}

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
                picture = await asyncio.to_thread(self._make, token)
            async with self._busy.alone_with(sha256):
                return await self._append(sha256, token, picture, actor, key, request)
        finally:
            await asyncio.to_thread(self.store.discard, token)

    def _make(self, token: str) -> Picture:
        original = self.store.incoming(token)
        picture = inspect(original)
        write_tiers(original, lambda tier: self.store.staged(token, tier))
        return picture

    async def _append(
        self, sha256: str, token: str, picture: Picture, actor: str, key: str | None, request: bytes
    ) -> tuple[int, Written]:
        seq = images.next_sequence(self._library.db, sha256)
        await asyncio.to_thread(self.store.promote, token, sha256, seq)
        added = ImageAdded(sha256, seq, picture.format, picture.width, picture.height, picture.texts)
        try:
            written = await self._library.write(
                lambda _db: Decision([of_model(sha256, added)], seq), actor=actor, key=key, request=request
            )
        except BaseException:
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
            written = await self._library.write(decide, actor=actor, key=key, request=request)
            if not written.repeated:
                await asyncio.to_thread(self.store.take_away, sha256, seq)
        return written

    # Pending models

    async def give_pending(
        self, number: int, token: str, *, actor: str, key: str | None = None, request: bytes = b""
    ) -> Written:
        """Keep the original received under `token` as a pending model's picture. Raises as `add` does."""
        try:
            if pending.get(self._library.db, number) is None:
                raise NotFound(f"there is no pending model {number}; list them with `hikazed pending`")
            async with self._encoders:
                picture = await asyncio.to_thread(inspect, self.store.incoming(token))
            return await self._keep(
                number,
                picture,
                lambda: self.store.keep_pending(number, picture.extension, self.store.incoming(token), move=True),
                actor=actor,
                origin="person",
                key=key,
                request=request,
            )
        finally:
            await asyncio.to_thread(self.store.discard, token)

    async def take_companion(self, number: int) -> None:
        """Keep the picture that lies beside a pending model, if there is one and it has none yet."""
        lock = self._taking.setdefault(number, asyncio.Lock())
        async with lock:
            found = pending.get(self._library.db, number)
            if found is not None and found.picture is None and found.state == "waiting":
                await self._take_companion(found)
        if not lock.locked():
            self._taking.pop(number, None)

    async def _take_companion(self, found: pending.Pending) -> None:
        try:
            path = await asyncio.to_thread(companion_of, to_path(found.path))
            if path is None:
                return
            async with self._encoders:
                picture = await asyncio.to_thread(inspect, path)
            await self._keep(
                found.id,
                picture,
                lambda: self.store.keep_pending(found.id, picture.extension, path),
                actor="watcher",
                origin="companion",
            )
        except (PictureRefused, OSError):
            return  # no picture then: what lies beside a model by chance is nobody's fault

    async def _keep(
        self,
        number: int,
        picture: Picture,
        keep: Callable[[], None],
        *,
        actor: str,
        origin: str,
        key: str | None = None,
        request: bytes = b"",
    ) -> Written:
        await asyncio.to_thread(keep)
        event = PendingPictured(
            number,
            picture.extension,
            "person" if origin == "person" else "companion",
            picture.width,
            picture.height,
            picture.texts,
        )

        def decide(db: apsw.Connection) -> Decision:
            if pending.get(db, number) is None:
                raise NotFound(f"there is no pending model {number}; list them with `hikazed pending`")
            return Decision([of_pending(number, event)])

        written = await self._library.write(decide, actor=actor, key=key, request=request)
        await asyncio.to_thread(self.store.drop_pending, number, but=picture.extension)
        return written


def companion_of(path: str) -> str | None:
    """Give the path of the picture that lies beside a model file and is its own, None where there is none."""
    folder, name = os.path.split(path)
    found = companion_picture(name, siblings(folder))
    return None if found is None else os.path.join(folder, found)
