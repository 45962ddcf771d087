"""A library at work in a folder: everything the daemon is made of but its servers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hikaze.daemon import dismissing, roots
from hikaze.daemon.busy import Busy
from hikaze.daemon.disks import Disks
from hikaze.daemon.gallery import Gallery
from hikaze.daemon.imagestore import ImageStore
from hikaze.daemon.importer import Ended, Importer, Wish
from hikaze.daemon.ingest import STEPS, Step, Tools
from hikaze.daemon.library import Library
from hikaze.daemon.observer import Observer
from hikaze.daemon.roots import Wanted
from hikaze.daemon.watch import Hint, Shortage
from hikaze.projections import images, models, pending

HINTS: dict[str, Any] = {"actor": "page", "key": None, "request": b""}


class Hints:
    """A stand-in for the watcher: the test gives the hints."""

    def __init__(self, deliver: Callable[[Hint], None]) -> None:
        """Remember whom to tell."""
        self.deliver = deliver
        self.folders: set[str] = set()

    def watch(self, folder: str, shown_as: str | None = None) -> None:
        """Remember a folder."""
        self.folders.add(shown_as or folder)

    def unwatch(self, folder: str, shown_as: str | None = None) -> None:
        """Forget a folder."""
        self.folders.discard(shown_as or folder)

    def shortage(self) -> Shortage | None:
        """Never run short."""
        return None

    def close(self) -> None:
        """Nothing is open."""


class Home:
    """The parts, and short ways to ask them."""

    def __init__(
        self,
        top: Path,
        steps: Sequence[Step] = STEPS,
        models_at: Path | None = None,
        disks: Callable[[Any], Disks] = Disks,
        hints: type[Hints] = Hints,
        **how: Any,
    ) -> None:
        """Build the parts in a folder: a data folder, two model roots and a drop folder."""
        self._make_hints = hints
        self.loras, self.vae, self.drop = (models_at or top) / "loras", top / "vae", top / "drop"
        self.data = top / "data"
        for folder in (self.loras, self.vae, self.drop, self.data):
            folder.mkdir(exist_ok=True)
        self.library = Library(str(self.data), host=b"h" * 16)
        self.busy, self.store = Busy(), ImageStore(str(self.data))
        self.gallery = Gallery(self.library, self.store, self.busy)
        order = {"loras": (str(self.loras),), "vae": (str(self.vae),)}
        tools = (self.library, self.store, self.busy, str(self.data), lambda type_: order.get(type_, ()))
        self.tools = Tools(*tools, self._bring_along)
        self.disks = disks(self._listen)
        self.observer = Observer(
            self.library,
            self.busy,
            self.gallery.take_companions,
            disks=self.disks,
            pictures=self.gallery,
            clock=lambda: self.now,
            **how,
        )
        self.importer = Importer(
            self.tools, self.observer.look_again, self.observer.compare_with_known, steps, retry_s=0.02
        )
        self.now = time.monotonic()

    async def _bring_along(self, number: int) -> None:
        await self.gallery.take_companion(number)
        await self.observer.read_beside(number)

    def _listen(self, deliver: Callable[[Hint], None]) -> Any:
        self.hints = self._make_hints(deliver)
        return self.hints

    async def open(self, *, works: bool = True) -> None:
        """Start everything, in the daemon's order."""
        self.library.start()
        wanted = [Wanted(str(self.loras), "model", "loras"), Wanted(str(self.vae), "model", "vae")]
        wanted.append(Wanted(str(self.drop), "pending"))
        await self.library.write(lambda db: roots.adjust(db, wanted), actor="daemon")
        await asyncio.to_thread(self._recover_images)
        await self.importer.recover()
        await dismissing.recover(self.library, str(self.data))
        self.observer.start()
        await self.until(lambda: len(self.hints.folders) == len(wanted))
        if works:
            self.importer.start()

    def _recover_images(self) -> None:
        db = self.library.reader()
        self.store.recover(lambda sha, seq: images.has(db, sha, seq), lambda number: pending.picture_of(db, number))
        db.close()

    async def close(self) -> None:
        """Stop everything."""
        await self.importer.close()
        await self.observer.close()
        self.library.close()

    @property
    def db(self) -> Any:
        """The read tables."""
        return self.library.db

    async def until(self, holds: Callable[[], Any], seconds: float = 30.0) -> Any:
        """Wait until something holds, and give it."""
        end = time.monotonic() + seconds
        while not (value := holds()):
            assert time.monotonic() < end, "it did not come about"
            await asyncio.sleep(0.005)
        return value

    async def see(self, path: Path) -> int:
        """Let a file that was renamed to a path become a pending model; gives its number."""
        self.hints.deliver(Hint("arrived", str(path)))
        await self.until(lambda: self.at(path))
        return self.at(path)

    def at(self, path: Path) -> int:
        """Give the number of the pending model that waits at a path, 0 if none does."""
        found = pending.at_path(self.db, str(path))
        return found.id if found is not None and found.state == "waiting" else 0

    def states(self, sha256: str) -> dict[str, bool]:
        """Give the paths of a model, and whether it is lost there."""
        return {there.path: there.lost for there in models.locations(self.db, sha256)}

    async def bring_in(self, number: int, strategy: Any = None, type_: str | None = None) -> Ended:
        """Import a pending model."""
        return await self.importer.one(number, Wish(strategy, type_), **HINTS)

    async def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Give the data of all events of some kinds."""
        return [event["data"] for event in await self.library.events(0, 1000) if event["type"] in kinds]


@asynccontextmanager
async def home(top: Path, *, works: bool = True, **how: Any) -> AsyncIterator[Home]:
    """Give a library at work; `works=False`: but for the imports."""
    made = Home(top, **how)
    await made.open(works=works)
    try:
        yield made
    finally:
        await made.close()
