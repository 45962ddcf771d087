"""On what ground is it believed that a file is gone? Tells a deleted file from one whose disk is not mounted.

An unmounted disk leaves its mount point behind, a folder of the file system below it. So absence counts where the
nearest folder that exists on the way to the file lies on the device that the file's folder was seen on in this
run; or else, for what was not seen in this run, on the device the file was recorded on. Device numbers are dealt
anew at each start of a machine, so a recorded one also stands for the present one of files recorded with it. In
doubt nothing is believed, and it is told which folder seems to be an unmounted disk. Pure.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

MOST_ALIASES = 100


@dataclass(frozen=True, slots=True)
class Absent:
    """A path at which nothing was found, in a root that is proven present."""

    path: str
    root: int
    ground: str
    """The nearest folder that exists on the way to the path; of a link to nothing, on the way to its target."""
    device: int
    """The device that folder lies on now."""
    is_link: bool = False
    """Whether a link lies at the path, and nothing at its target."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the read tables tell of a missing file."""

    device: int
    """The device it was recorded on, as the system gives it."""
    beside: Collection[str] = ()
    """The folders in which files lie, or should lie, that were recorded on the same device."""


@dataclass(slots=True)
class _Root:
    folders: dict[str, int] = field(default_factory=dict[str, int])
    """The device of each folder, when a file was last seen in it as it is known."""
    aliases: dict[int, set[int]] = field(default_factory=dict[int, set[int]])
    """A device's number -> its later numbers, after it was mounted again."""
    held: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Ground -> the files that are not believed to be gone for it."""
    given_up: frozenset[str] = frozenset()
    """The files of which nobody expects that their disk comes back."""


class Grounds:
    """What was seen of the devices below each root."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._roots: dict[int, _Root] = {}

    def saw(self, root: int, known_in: Mapping[str, int], new_in: Mapping[str, int] | None = None) -> None:
        """Take down the devices of folders: those where known files lie as known, and those where new ones do."""
        state = self._roots.setdefault(root, _Root())
        for folder, device in known_in.items():
            before = state.folders.get(folder)
            state.folders[folder] = device
            if before is not None and before != device and len(state.aliases) < MOST_ALIASES:
                state.aliases.setdefault(before, set()).add(device)
        for folder, device in (new_in or {}).items():
            # A mount point into which somebody saves while its disk is away says nothing of the disk's files.
            state.folders.setdefault(folder, device)

    def begin(self, root: int) -> None:
        """Count anew what is held in a root: all of it is about to be looked at."""
        if root in self._roots:
            self._roots[root].held.clear()

    def give_up(self, root: int, paths: Iterable[str]) -> None:
        """The root was taken out of the configuration once: what is recorded of the disks of these files is void."""
        self._roots.setdefault(root, _Root()).given_up = frozenset(paths)

    def keep(self, root: int, folders: Collection[str]) -> None:
        """Forget all folders of a root but those, in which something is known."""
        state = self._roots.get(root)
        if state is not None:
            state.folders = {folder: device for folder, device in state.folders.items() if folder in folders}

    def size(self, root: int) -> int:
        """Give of how many folders of a root the device is kept."""
        return len(self._roots[root].folders) if root in self._roots else 0

    def has_seen(self, absent: Absent) -> bool:
        """Tell whether this run has seen the folder of a missing file: then it matters not what is recorded."""
        state = self._roots.get(absent.root)
        return not absent.is_link and state is not None and os.path.dirname(absent.path) in state.folders

    def believes(self, absent: Absent, recorded: Recorded | None) -> bool:
        """Tell whether an absence is believed; one that is not is held, and `held` tells of its ground."""
        state = self._roots.setdefault(absent.root, _Root())
        believed = _is_grounded(state, absent, recorded)
        if not believed:
            state.held.setdefault(absent.ground, set()).add(absent.path)
        return believed

    def held(self) -> dict[int, dict[str, int]]:
        """Give for each root the folders that seem to be unmounted disks, and how many files are held for each."""
        return {
            number: {ground: len(paths) for ground, paths in state.held.items()}
            for number, state in self._roots.items()
            if state.held
        }


def _is_grounded(state: _Root, absent: Absent, recorded: Recorded | None) -> bool:
    seen = None if absent.is_link else state.folders.get(os.path.dirname(absent.path))
    if seen is not None:
        return absent.device == seen or absent.device in state.aliases.get(seen, ())
    if absent.path in state.given_up or recorded is None or recorded.device == absent.device:
        return True
    if absent.is_link:
        return False
    if any(state.folders.get(folder) == absent.device for folder in recorded.beside):
        return True
    # A file seen as known, there or below, and on that device: no mount point that lacks its disk.
    below = absent.ground.rstrip(os.sep) + os.sep
    return any(
        device == absent.device and (folder == absent.ground or folder.startswith(below))
        for folder, device in state.folders.items()
    )
