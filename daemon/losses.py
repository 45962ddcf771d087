"""Which files are really gone: a loss is waited with, looked at, weighed, and only then believed.

A path that a hint says is gone waits a moment, for the file may be about to appear elsewhere. Then it is looked at,
in a root that is proven present; it must be no disk that is not mounted (`grounds`), and not too many at once
(`brake`). What the waiting and holding is for stands in `warnings`.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from ..events.pathtext import shown, to_text
from . import looking
from .brake import Brake
from .grounds import Absent, Grounds
from .library import Library
from .roots import Root
from .scan import Look

GRACE_S = 1.0  # a file gone from one folder may be about to appear in another: so long a loss is held back
MOST_WAITING = 20_000  # paths that wait; beyond that their roots are looked at as a whole, which takes no list
KEPT_FOLDERS = 2  # times as many folders as the last look met are remembered before the others are forgotten


class Losses:
    """What may be gone from the roots of one lane. All of it runs in the event loop."""

    def __init__(self, library: Library, clock: Callable[[], float]) -> None:
        """Begin with nothing lost; `clock` is a monotonic one, in seconds."""
        self._library = library
        self._clock = clock
        self._waiting: dict[str, float] = {}
        self._brake = Brake()
        self._grounds = Grounds()

    # What may be gone

    def suspect(self, paths: Iterable[str]) -> bool:
        """Paths may be gone: look at each in a moment. False if too many wait: then look at their roots instead."""
        due = self._clock() + GRACE_S
        for path in paths:
            self._waiting.setdefault(path, due)
        if len(self._waiting) <= MOST_WAITING:
            return True
        self._waiting.clear()
        return False

    def next_look(self) -> float:
        """Give when the next path is to be looked at, in seconds of the clock; infinity where none waits."""
        return min(next(iter(self._waiting.values()), math.inf), self._brake.next_look())

    def take_due(self) -> list[str]:
        """Give the paths whose moment has passed, and those held that are to be looked at a second time."""
        now, due = self._clock(), list[str]()
        for path, when in self._waiting.items():
            if when > now:
                break
            due.append(path)
        for path in due:
            del self._waiting[path]
        return [*due, *self._brake.due(now)]

    # What a look told

    def looked(self, root: Root, found: Look, known: Iterable[str], *, whole: bool) -> None:
        """Learn from a look at a root on which devices its folders lie; `known` is what should lie in it."""
        self._grounds.saw(root.id, found.known_in, found.new_in)
        if whole:
            self._grounds.begin(root.id)
            if self._grounds.size(root.id) > KEPT_FOLDERS * (len(found.known_in) + len(found.new_in)) + 100:
                self._grounds.keep(root.id, looking.folders_of(known) | found.new_in.keys())

    def arrived(self, taken: Iterable[looking.Looked]) -> None:
        """Learn from files at rest on which devices their folders lie."""
        for looked in taken:
            if looked.folder is not None:
                self._grounds.saw(looked.root.id, {}, {looked.folder[0]: looked.folder[1]})

    async def begins_anew(self, root: Root) -> None:
        """A root was taken out of the configuration once: what is not in it now is gone, whatever disk it lay on."""
        self._grounds.give_up(root.id, await self._library.with_reader(looking.known_in, root.id))

    def went(self, root: Root) -> None:
        """A root is away: nothing in it is held, it is looked at when it comes back."""
        self._brake.forget(root.id)

    # What is believed

    async def weigh(self, looked_at: Sequence[str], missing: Sequence[Absent]) -> list[str]:
        """Give those of the missing paths whose loss is believed now; `looked_at` are all that were looked at."""
        unseen = [absent for absent in missing if not self._grounds.has_seen(absent)]
        told = await self._library.with_reader(looking.recorded, unseen) if unseen else {}
        by_root: dict[int, list[str]] = {}
        for absent in missing:
            if self._grounds.believes(absent, told.get(absent.path)):
                by_root.setdefault(absent.root, []).append(absent.path)
        believed: list[str] = []
        for root, paths in by_root.items():
            known = 0
            if self._brake.asks(root, len(paths), self._clock()):
                known = await self._library.with_reader(looking.count_known, root)
            believed += self._brake.believe(root, paths, known, self._clock())
        self._brake.looked(looked_at)
        return believed

    def doubts(self, root: Root) -> bool:
        """Tell whether a disk seems to be away from a root: then look again now and then, it may have been replaced."""
        return root.id in self._grounds.held()

    # What is told

    def warnings(self, root: Root) -> list[tuple[str, str]]:
        """Say what of a root is held, each with its cure."""
        found: list[tuple[str, str]] = []
        if root.id in self._brake.held():
            held, known = self._brake.held()[root.id]
            what = f"{held} of the {known} files in {_shown(root.path)} vanished at once;"
            cure = "nothing need be done if they were deleted on purpose; else see to the disk, nothing is forgotten"
            found.append((f"{what} that is looked at again before it is believed", cure))
        for folder, count in sorted(self._grounds.held().get(root.id, {}).items()):
            what = f"{_shown(folder)} seems to be the mount point of a disk that is not mounted;"
            cure = "mount the disk; if they are gone for good, remove"
            found.append(
                (
                    f"{what} the {count} files that were there are not taken for deleted",
                    f"{cure} {_shown(root.path)} from the folders that are watched, and add it again",
                )
            )
        return found


def _shown(path: str) -> str:
    return shown(to_text(path))
