"""All looks that the observer takes at the disks go through here: each is done where a disk that hangs does no harm.

What lies on this machine's own disks is looked at in threads. A `lane` is what may hang together.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Sequence
from threading import Event
from typing import Any

from . import companions, looking
from . import roots as rooting
from .digests import tail_of
from .grounds import Absent
from .hashing import Hashed, ReadingStopped, hash_file, open_regular, unheard
from .listing import Listing
from .looking import AsKnown, Fingerprint, Looked
from .names import Folder, are_models, being_downloaded
from .polling import Polling
from .rootcheck import Identity, identify, is_network
from .roots import Root
from .scan import Known, Look, look
from .sidecars import look as sidecarlook
from .sidecars.look import Asked, Beside
from .sightings import Sighting
from .watch import Hint, Shortage, Watcher

NEAR = ""
"""The lane of this machine's own disks."""


class NoAnswer(OSError):
    """A file system did not answer in time: nothing is known of what lies on it."""


class Disks:
    """Looks at files, folders and roots, and has them watched. `start` begins, `close` ends.

    Whatever is asked for may raise `NoAnswer`, and answers in bounded time.
    """

    def __init__(
        self,
        hint_source: Callable[[Callable[[Hint], None]], Watcher] = Watcher,
        polling: Polling | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch by what `hint_source` makes; `polling` says how often to look where hints are not to be relied on."""
        self._hint_source = hint_source
        self._polling = polling or Polling()
        self._clock = clock
        self._marked = Listing(being_downloaded)
        self._folders = Listing(Folder)
        self._paused: tuple[Root, ...] = ()
        self._roots: tuple[Root, ...] = ()

    def start(self, deliver: Callable[[Hint], None]) -> None:
        """Begin; hints go to `deliver`, from any thread."""
        self._watcher = self._hint_source(deliver)

    async def close(self) -> None:
        """Stop all watching."""
        await asyncio.to_thread(self._watcher.close)

    # Roots

    def take_roots(self, roots: Sequence[Root]) -> None:
        """Learn which roots there are: nothing that lies in one that is paused is touched from now on."""
        self._roots, self._paused = tuple(roots), tuple(root for root in roots if root.paused)

    def is_shut(self, path: str) -> bool:
        """Tell whether a path lies in a root that is paused; from any thread."""
        if not any(root.holds(path) for root in self._paused):
            return False
        root = rooting.of_path(self._roots, path)
        return root is not None and root.paused

    async def find_lanes(self, roots: Sequence[Root]) -> None:  # noqa: ARG002 - here all lie in one
        """See in which lane each root lies now; no file system that may hang is touched for it."""
        return

    def lane(self, root: Root) -> str:  # noqa: ARG002 - here all lie in one
        """Give the lane of a root, as it was found last: what waits for one does not wait for another."""
        return NEAR

    async def as_before(self, roots: Sequence[Root]) -> list[bool]:
        """Tell of each root whether it is the folder it was: cheaper than to identify it, for it is done at rest."""
        return await asyncio.to_thread(looking.as_before, roots)

    async def identify(self, path: str) -> Identity | None:
        """Tell which folder is at a root's path now; None when no folder can be reached there."""
        return await asyncio.to_thread(identify, path)

    async def any_as_known(self, files: Sequence[AsKnown]) -> bool:
        """Tell whether one of some files (path, size, mtime in ns) lies there as it is known."""
        return await asyncio.to_thread(looking.any_as_known, files)

    def answers(self, path: str) -> bool:
        """Tell, from memory, whether the file system of a path answers as far as is known, and may be asked."""
        return not self.is_shut(path)

    async def free_space(self, roots: Sequence[Root]) -> dict[int, tuple[int, int]]:
        """Give, by root, the free and all bytes of its disk; left out are roots that are away, and far ones."""
        return await asyncio.to_thread(looking.free_space, [root for root in roots if not root.offline])

    def told(self, root: Root) -> tuple[str, str] | None:  # noqa: ARG002 - here nothing hinders
        """Say what hinders looking at a root, and its cure; None where nothing does."""
        return None

    def polled_every(self, root: Root) -> float | None:
        """Give how often, in seconds, a root is looked at because changes in it give no hint; None where they do."""
        return self._polling.every(root.id) if self._is_polled(root) else None

    def take_due(self, root: Root) -> bool:
        """Tell whether a polled root is to be looked at again now; it tells so once."""
        return self._is_polled(root) and self._polling.take_due(root.id, self._clock())

    def _is_polled(self, root: Root) -> bool:
        return root.identity is not None and is_network(root.identity.fstype)

    # Watches

    async def watch(self, folder: str, shown_as: str | None = None) -> None:
        """Watch a folder, as `Watcher.watch` does. Raises OSError."""
        await asyncio.to_thread(self._watcher.watch, folder, shown_as)

    def unwatch(self, folder: str, shown_as: str | None = None) -> None:
        """Stop watching what was watched with the same arguments."""
        self._watcher.unwatch(folder, shown_as)

    def shortage(self) -> Shortage | None:
        """Tell whether folders go unwatched because the system's limit is reached."""
        return self._watcher.shortage()

    async def cover(self) -> list[str]:
        """Try again to watch what the system refused to watch, as `Watcher.cover` does."""
        return await asyncio.to_thread(self._watcher.cover)

    # Folders

    async def look(
        self,
        root: Root,
        known: dict[str, Known],
        others: Sequence[Root],
        *,
        under: str | None,
        followed: dict[str, str] | None,
        stop: Event,
    ) -> Look:
        """Look at a root, or at the folder `under` in it, as `scan.look` does; `others` are the other roots."""
        begun = self._clock()
        found = await self._look(root, known, others, under, followed, stop)
        if under is None:
            now, changed = self._clock(), bool(found.new or found.changed or found.gone)
            self._polling.looked(root.id, now=now, took=now - begun, changed=changed)
        return found

    async def _look(
        self,
        root: Root,
        known: dict[str, Known],
        others: Sequence[Root],
        under: str | None,
        followed: dict[str, str] | None,
        stop: Event,
    ) -> Look:
        return await asyncio.to_thread(_look, root, known, *parted(others), under, followed, stop)

    async def folders_among(self, paths: Sequence[str]) -> list[str]:
        """Give those of some paths that are folders, or links to one."""
        return await asyncio.to_thread(looking.folders_among, paths)

    # Pictures

    async def pictures_beside(self, folder: str, models: Sequence[str]) -> list[str | None]:
        """Give the picture that lies beside each of some models in a folder, None where there is none."""
        self._must_be_left_out(folder)
        return await asyncio.to_thread(companions.beside, self._folders, folder, models)

    async def picture_named(self, path: str) -> str | None:
        """Give the picture that has exactly a name of a model's companion."""
        return await asyncio.to_thread(companions.by_name, path)

    async def copy_picture(self, path: str, to: str, most: int) -> None:
        """Copy a picture of at most `most` bytes to a new file, as `companions.copy` does."""
        await asyncio.to_thread(companions.copy, path, to, most)

    # Sidecars

    async def beside(
        self,
        places: Sequence[tuple[str, Sequence[Asked]]],
        *,
        lane: str = NEAR,  # noqa: ARG002 - here all lie in one
    ) -> dict[str, list[Beside]]:
        """Give what lies beside some model files, as `sidecarlook.beside` does; left out are folders that are silent.

        All of them belong to roots in one lane; who waits for that of this machine does not wait long for others.
        """
        return await asyncio.to_thread(sidecarlook.beside, self._folders, places)

    async def owners_of(self, folder: str, names: Sequence[str]) -> dict[str, str | None]:
        """Give the models in a folder that some of its files belong to, as `sidecarlook.owners` does."""
        return await asyncio.to_thread(sidecarlook.owners, self._folders, folder, names)

    # Files

    async def look_at_files(self, roots: Sequence[Root], files: Sequence[tuple[str, bool]]) -> list[Looked]:
        """Look at files (path, whether it was renamed to it) in the roots that are here."""
        return await asyncio.to_thread(looking.look_at_files, roots, files, self._marked)

    async def sightings_of(self, taken: Sequence[Looked]) -> list[Sighting]:
        """Read what files at rest hold."""
        return await asyncio.to_thread(looking.sightings_of, taken)

    async def fingerprints(self, paths: Iterable[str]) -> dict[str, Fingerprint | None]:
        """Look at files: None where there is none; left out is what cannot be looked at."""
        return await asyncio.to_thread(looking.fingerprints, [path for path in paths if not self.is_shut(path)])

    async def really_gone(self, roots: Sequence[Root], paths: Sequence[str], busy: set[str]) -> list[Absent]:
        """Give those of some paths at which nothing lies, in roots that are proven present after the look."""
        return await asyncio.to_thread(looking.really_gone, roots, paths, busy)

    async def hash_file(self, path: str, stop: Event, progress: Callable[[int], None] = unheard) -> Hashed:
        """Hash a file, as `hashing.hash_file` does; given up where its root is paused meanwhile."""

        def heard(done: int) -> None:
            self._must_be_open(path)
            progress(done)

        self._must_be_open(path)
        return await asyncio.to_thread(hash_file, path, progress=heard, stop=stop)

    def _must_be_left_out(self, folder: str) -> None:
        if self.is_shut(folder):
            raise NoAnswer(f"{folder} is paused")

    def _must_be_open(self, path: str) -> None:
        if self.is_shut(path):
            raise ReadingStopped("the folder was paused")

    async def tail_of(self, path: str) -> str | None:
        """Give a digest of the end of a file's tensors, None where it is far or cannot be read."""
        return await asyncio.to_thread(_tail_or_none, path)

    async def sighted(self, roots: Sequence[Root], path: str, hashed: Hashed) -> Sighting | None:
        """Look at a hashed file once more; None where it is not, or no more, what was hashed."""
        root = rooting.of_path(roots, path)
        return None if root is None else await asyncio.to_thread(looking.sighted, root, path, hashed)

    async def header_of(self, root: Root, wanted: AsKnown, type_: str | None) -> dict[str, Any] | None:  # noqa: ARG002 - here all lie in one lane
        """Read what a file of a root says of itself, as `looking.header_of` does. Raises OSError."""
        return await asyncio.to_thread(looking.header_of, wanted, type_)


def _tail_or_none(path: str) -> str | None:
    try:
        with open_regular(path) as file:
            return tail_of(file)
    except (OSError, ReadingStopped):
        return None


def parted(roots: Sequence[Root]) -> tuple[list[str], list[str]]:
    """Give the paths of the roots that may be touched, and of those that are paused."""
    return [root.path for root in roots if not root.paused], [root.path for root in roots if root.paused]


def way_to(folders: Sequence[str]) -> set[str]:
    """Give folders by their own paths and by the real ones of those above them; they themselves are not touched."""
    real = (os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)) for path in folders)
    return {*folders, *real}


def _look(
    root: Root,
    known: dict[str, Known],
    others: Sequence[str],
    shut: Sequence[str],
    under: str | None,
    followed: dict[str, str] | None,
    stop: Event,
) -> Look:
    barred, closed = looking.identities(others), way_to(shut)
    wanted = are_models(root.endings)
    return look(
        root.path,
        known,
        barred=barred,
        closed=closed,
        under=under,
        followed=followed,
        wanted=wanted,
        stop=stop.is_set,
    )
