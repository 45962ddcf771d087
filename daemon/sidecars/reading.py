"""Which sidecars are read, and when: those beside files that were just found, those that changed, and after a time
away those that changed meanwhile. Nothing waits for it: it comes after all that makes models visible.

What the log tells of a file that came to a path is the reason to look beside it, so it does not matter who found it.
A sidecar that changes gives a hint. Where no hint was to be had, each folder that holds known files is listed, and
what is known by size and mtime is not opened.
"""

import asyncio
import math
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from ...events.pathtext import to_path, to_text
from ...events.writer import Unwritable
from .. import roots as rooting
from ..chunks import chunks
from ..disks import NEAR, Disks, NoAnswer
from ..export.own import OwnExports
from ..library import Library, Message
from ..presence import Presence
from ..roots import Root
from .beside import PREVIEW, Report, read_beside
from .known import Known, files_behind, known_of
from .look import Asked, Beside, Print

AT_ONCE = 500  # model files beside which is looked together: their folder is listed once for them
REPORTS_AT_ONCE = 50  # whose events are written together: others who write wait for them
MOST_WAITING = 20_000  # model files; beyond that their roots are looked at as a whole, which takes no list
SOON_S = 1.0  # between two looks at what is being written
TRIES = 30  # so often a sidecar that is always being written to is waited for
GATHER_S = 0.05  # hints and news that come together are taken together
REST = (0.25, 4.0)  # of the time that a look took it is rested from: else, and while files are being found
SWEEP_REST = 1.0
BLIND_S = 15.0  # where changes give no hints: at least so long, and `BLIND_SHARE` times as long as it takes,
BLIND_SHARE = 50.0  # from one look at all sidecars to the next
KEPT = 50_000  # models of which it is remembered what lies beside them and says nothing new, some 15 MiB

_FILE_CAME = frozenset(
    (
        "pending-found",
        "pending-changed",
        "pending-moved",
        "pending-returned",
        "location-found",
        "location-moved",
        "location-refreshed",
        "location-claimed",
        "claim-confirmed",
    )
)
"""The events that tell of a file at a path, which is their `file`."""


class Pictures(Protocol):
    """What is asked of the gallery."""

    async def take_first(self, sha256: str, picture: str) -> None:
        """Make a picture that lies beside a model's file the model's first, if it never had one."""
        ...

    async def renew(self, path: str, picture: str) -> None:
        """Take the picture that lies beside a pending model's file anew, if it has changed."""
        ...


@dataclass(slots=True)
class _Lane:
    """What waits in one lane of the disks, model files by their paths."""

    waiting: dict[str, bool] = field(default_factory=dict[str, bool])
    """Whether what lies beside it is read though it looks as it did."""
    later: dict[str, float] = field(default_factory=dict[str, float])
    """When to look again."""
    hints: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Folder -> the files in it that changed and are no models."""
    sweeps: dict[int, "_Sweep"] = field(default_factory=dict[int, "_Sweep"])
    wake: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Sweep:
    """A look at all sidecars of a root, on its way."""

    behind: str
    begun: float


class Reading:
    """Reads what lies beside the files of a library. All of it runs in the event loop."""

    def __init__(
        self,
        library: Library,
        disks: Disks,
        presence: Presence,
        is_busy: Callable[[], bool],
        pictures: Pictures | None,
        clock: Callable[[], float],
    ) -> None:
        """Read for a library; `is_busy` tells whether files are being found, `clock` is a monotonic one.

        `pictures` takes those that lie beside models; without it they are left alone.
        """
        self._library = library
        self._disks = disks
        self._presence = presence
        self._is_busy = is_busy
        self._taking = pictures
        self._clock = clock
        self._own_exports = OwnExports(library.holds)
        self._lanes: dict[str, _Lane] = {}
        self._swept: dict[int, float] = {}  # root -> when all of it is to be looked at again where no hints come
        self._tries: dict[str, int] = {}
        self._old: dict[str | int, frozenset[Print]] = {}
        self._first: dict[str, str] = {}  # model -> a picture that may become its first
        self._renewed: dict[str, str] = {}  # path of a model file -> the picture beside it, which has changed
        self._tried: dict[tuple[str, str], None] = {}
        self._picture_wake = asyncio.Event()
        self._heard = library.news.head

    # What others tell

    def look_at(self, paths: Iterable[str], *, anew: bool = False) -> None:
        """Look beside model files; `anew`: also into sidecars that look as they did when they were read."""
        for path in paths:
            root = rooting.of_path(self._presence.roots, path)
            if root is None or root.offline:
                continue  # all of it is looked at when it comes
            lane = self._lane(self._disks.lane(root))
            lane.waiting[path] = anew or lane.waiting.get(path, False)
            lane.wake.set()
            if len(lane.waiting) > MOST_WAITING:
                lane.waiting.clear()
                self.look_at_all()

    def changed(self, paths: Iterable[str]) -> None:
        """Files that may belong to models beside them were made, changed or renamed."""
        for path in paths:
            root = rooting.of_path(self._presence.roots, path)
            if root is not None and not root.offline:
                folder, name = os.path.split(path)
                lane = self._lane(self._disks.lane(root))
                lane.hints.setdefault(folder, set()).add(name)
                lane.wake.set()

    def looked(self, root: Root) -> None:
        """A root was looked at; the first time since it came, and where no hints come now and then, read in it."""
        again = self._swept.get(root.id, -math.inf)
        if self._clock() >= again and (again == -math.inf or self._is_blind(root)):
            self._sweep(root)

    def _is_blind(self, root: Root) -> bool:
        blind = (other.id for other in self._presence.blind())
        return self._disks.polled_every(root) is not None or root.id in blind

    def came(self, root: Root) -> None:
        """A root came, or hints of changes in it were lost: the next look at it leads to one at all its sidecars."""
        self._swept.pop(root.id, None)

    def look_at_all(self) -> None:
        """Look at all sidecars there are."""
        for root in self._presence.online():
            self._sweep(root)

    def _sweep(self, root: Root) -> None:
        self._swept[root.id] = math.inf
        lane = self._lane(self._disks.lane(root))
        lane.sweeps[root.id] = _Sweep(to_text(root.path.rstrip(os.sep) + os.sep), self._clock())
        lane.wake.set()

    def _lane(self, name: str) -> _Lane:
        return self._lanes.setdefault(name, _Lane())

    # News

    async def follow_news(self) -> None:
        """Look beside the files that the log tells of, for ever."""
        async for _ in self._library.news.follow():
            news, self._heard = self._library.news.since(self._heard), self._library.news.head
            if news is None:
                self.look_at_all()
            else:
                self.look_at(_paths_in(news))
            await asyncio.sleep(GATHER_S)

    # Reading

    async def follow(self, name: str) -> None:
        """Read what waits in a lane, for ever."""
        lane = self._lane(name)
        while True:
            begun = self._clock()
            try:
                is_sweep = await self._do_next(lane, name)
            except NoAnswer:
                self._give_up(lane, name)
                continue
            if is_sweep is None:
                await self._wait(lane)
            else:
                await self._rest(self._clock() - begun, is_sweep=is_sweep)

    async def _do_next(self, lane: _Lane, name: str) -> bool | None:
        """Do what is most urgent; True if it could wait, None if there is nothing to do."""
        if lane.hints:
            await self._find_owners(lane)
            return False
        now = self._clock()
        for path in [path for path, due in lane.later.items() if due <= now]:
            del lane.later[path]
            lane.waiting.setdefault(path, False)
        if lane.waiting:
            await self._read_waiting(lane, name)
            return False
        if lane.sweeps:
            await self._go_on(lane, name, next(iter(lane.sweeps)))
            return True
        return None

    async def _read_waiting(self, lane: _Lane, name: str) -> None:
        chunk = dict(islice(lane.waiting.items(), AT_ONCE))
        for path in chunk:
            del lane.waiting[path]
        try:
            await self._read(lane, name, chunk)
        except Unwritable:  # anything else would come again with the same files
            for path, anew in chunk.items():
                lane.waiting[path] = anew or lane.waiting.get(path, False)
            raise

    async def _wait(self, lane: _Lane) -> None:
        lane.wake.clear()
        due = min(lane.later.values(), default=math.inf)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if due == math.inf else max(due - self._clock(), 0.01)):
                await lane.wake.wait()
        await asyncio.sleep(GATHER_S)

    async def _rest(self, took: float, *, is_sweep: bool) -> None:
        share = REST[1] if self._is_busy() else SWEEP_REST if is_sweep else REST[0]
        await asyncio.sleep(min(took * share, SOON_S))

    def _give_up(self, lane: _Lane, name: str) -> None:
        """A file system does not answer: when it does, all of it is looked at."""
        lane.waiting.clear()
        lane.later.clear()
        lane.hints.clear()
        lane.sweeps.clear()
        roots = [root for root in self._presence.roots if self._disks.lane(root) == name]
        for root in roots:
            self.came(root)
        self._presence.doubt(roots)

    async def _find_owners(self, lane: _Lane) -> None:
        """Find the models that changed files belong to."""
        while lane.hints:
            folder, names = lane.hints.popitem()
            try:
                found = await self._disks.owners_of(folder, sorted(names))
            except NoAnswer:
                continue
            paths = {os.path.join(folder, model): picture for model, picture in found.items()}
            for path in paths:
                self._tries.pop(path, None)
            self._tried.clear()
            self._renewed |= {path: os.path.join(folder, picture) for path, picture in paths.items() if picture}
            self._picture_wake.set()
            self.look_at(paths, anew=True)

    async def _go_on(self, lane: _Lane, name: str, number: int) -> None:
        """Look at the next files of a root."""
        sweep = lane.sweeps[number]
        root = next((root for root in self._presence.online() if root.id == number), None)
        paths: list[str] = []
        if root is not None:
            paths = await self._library.with_reader(files_behind, root.path, sweep.behind, AT_ONCE)
        if root is not None and paths:
            before, sweep.behind = sweep.behind, to_text(paths[-1])
            mine = [path for path in paths if rooting.of_path(self._presence.roots, path) == root]
            try:
                await self._read(lane, name, dict.fromkeys(mine, False))
            except Unwritable:
                sweep.behind = before
                raise
        elif lane.sweeps.get(number) is sweep:
            del lane.sweeps[number]
            now = self._clock()
            if root is not None:
                self._swept[number] = now + max(BLIND_S, BLIND_SHARE * (now - sweep.begun))

    async def read_now(self, path: str) -> None:
        """Read what lies beside a model file that is about to go elsewhere, as it is."""
        known: dict[str, Known] = await self._library.with_reader(known_of, [path])
        asked = {path: self._asked(path, of, anew=False, patient=False) for path, of in known.items()}
        with suppress(NoAnswer):
            await self._write(await self._look_beside(NEAR, known, asked))

    async def _read(self, lane: _Lane, name: str, files: dict[str, bool]) -> None:
        """Look beside model files, and write down what sidecars say that is new."""
        known: dict[str, Known] = await self._library.with_reader(known_of, list(files)) if files else {}
        if not known:
            return
        asked = {
            path: self._asked(path, of, anew=files[path], patient=self._tries.get(path, 0) < TRIES)
            for path, of in known.items()
        }
        found = await self._look_beside(name, known, asked)
        await self._write(found)
        for path, beside in found.items():
            self._took(lane, path, known[path], beside)

    def _asked(self, path: str, known: Known, *, anew: bool, patient: bool) -> Asked:
        prints = frozenset[Print]() if anew else known.prints | self._old.get(known.owner, frozenset())
        return Asked(os.path.basename(path), prints, known.pictureless, patient)

    async def _look_beside(self, lane: str, known: dict[str, Known], asked: dict[str, Asked]) -> dict[str, Beside]:
        """Look beside model files, by their paths; left out is what lies on a file system that is silent."""
        by_folder: dict[str, list[str]] = {}
        for path in asked:
            by_folder.setdefault(os.path.dirname(path), []).append(path)
        places = [(folder, [asked[path] for path in paths]) for folder, paths in by_folder.items()]
        looked = await self._disks.beside(places, lane=lane)
        found = {
            path: beside
            for folder, several in looked.items()
            for path, beside in zip(by_folder[folder], several, strict=True)
        }
        await self._own_exports.set_aside((known[path].owner, beside) for path, beside in found.items())
        return found

    async def _write(self, found: dict[str, Beside]) -> None:
        reports = [Report(to_text(path), *one.model, one.told) for path, one in found.items() if one.told and one.model]
        for part in chunks(reports, REPORTS_AT_ONCE):
            await self._library.write(lambda db, part=part: read_beside(db, part), actor="watcher")

    def _took(self, lane: _Lane, path: str, known: Known, found: Beside) -> None:
        """Remember what was read and need not be read again, what is to be looked at again, and a picture to take."""
        if found.soon:
            self._tries[path] = self._tries.get(path, 0) + 1
            lane.later[path] = self._clock() + SOON_S
        else:
            self._tries.pop(path, None)
        if found.model is not None and found.model != known.fingerprint:
            return  # other content than was known lies there: it is read when that is known
        read = [sidecar for sidecar, provided in found.told if not provided.problem or sidecar.source == PREVIEW]
        prints = {(sidecar.source, sidecar.size, sidecar.mtime_ns) for sidecar in (*read, *found.silent)}
        if prints:
            self._old[known.owner] = self._old.pop(known.owner, frozenset()) | prints
            _bound(self._old)
        if found.picture is not None and isinstance(known.owner, str):
            self._first[known.owner] = found.picture
            self._picture_wake.set()

    # Pictures

    async def follow_pictures(self) -> None:
        """Take the pictures that lie beside models, one after the other, for ever."""
        while True:
            self._picture_wake.clear()
            while self._renewed or self._first:
                if self._renewed:
                    path, picture = self._renewed.popitem()
                    if self._taking is not None:
                        await self._taking.renew(path, picture)
                else:
                    await self._take_first(*self._first.popitem())
            await self._picture_wake.wait()

    async def _take_first(self, model: str, picture: str) -> None:
        if self._taking is None or (model, picture) in self._tried:
            return
        await self._taking.take_first(model, picture)
        self._tried[model, picture] = None  # where it could not be taken, it can be when it has changed
        _bound(self._tried)


def _bound(kept: dict[Any, Any]) -> None:
    while len(kept) > KEPT:
        kept.pop(next(iter(kept)))


def _paths_in(news: Iterable[Message]) -> list[str]:
    """Give the paths at which the log says that a file lies now."""
    return [to_path(message["data"]["file"]["path"]) for message in news if message["type"] in _FILE_CAME]
