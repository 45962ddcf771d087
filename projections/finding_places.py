"""Where the models of a search lie: their folders, the roots those are in, and what follows from both."""

from collections.abc import Iterable
from typing import Any

import apsw
from pyroaring import BitMap

from .duplicates import duplicated
from .finding_reading import Place
from .tables import rows
from .text import fold

NOTHING = BitMap()


class Places:
    """By root and folder, which models lie there."""

    def __init__(self) -> None:
        """Begin with none, and with no roots."""
        self._said: dict[int, BitMap] = {}  # by root, those with a location in it, lost or not
        self._kept: dict[int, BitMap] = {}  # by root, those with one that is not lost
        self._folders: dict[str, BitMap] = {}
        self._several = BitMap()
        self._offline: dict[int, bool] = {}
        self._twice: BitMap | None = None

    def read_roots(self, db: apsw.Connection) -> None:
        """Learn which roots are here."""
        self._offline = {root: bool(offline) for root, offline in rows(db, "SELECT id, offline FROM roots")}
        self.doubt_files()

    def doubt_files(self) -> None:
        """Files of models or pending models came or went: look anew for what lies in two."""
        self._twice = None

    def refresh(self, models: BitMap, located: Iterable[Place]) -> None:
        """Learn where some models lie now."""
        for known in (self._said, self._kept, self._folders):
            _without(known, models)
        self._several.difference_update(models)
        self.put(located)
        self.doubt_files()

    def put(self, located: Iterable[Place]) -> None:
        """Learn where models lie of which nothing was known."""
        said, kept, folders = dict[int, list[int]](), dict[int, list[int]](), dict[str, list[int]]()
        seen, several = set[int](), list[int]()
        for model, root, lost, path in located:
            folders.setdefault(_folder_of(path), []).append(model)
            if root is None:
                continue
            if model in seen:
                several.append(model)
            seen.add(model)
            said.setdefault(root, []).append(model)
            if not lost:
                kept.setdefault(root, []).append(model)
        _with(self._said, said)
        _with(self._kept, kept)
        for folder, models in folders.items():  # two folders may be one when they are folded
            self._folders.setdefault(folded(folder), BitMap()).update(models)
        self._several.update(several)

    # Queries

    def present(self) -> BitMap:
        """Give the models of which a file is here."""
        return BitMap.union(
            NOTHING, *(found for root, found in self._kept.items() if not self._offline.get(root, True))
        )

    def offline(self) -> BitMap:
        """Give the models of which no file is here, but that may have one in a root that is away."""
        away = (found for root, found in self._said.items() if self._offline.get(root, False))
        return BitMap.union(NOTHING, *away) - self.present()

    def kept(self) -> dict[int, BitMap]:
        """Give, by root, a copy of the models with a file in it, whether it is here or away with its root."""
        return {root: BitMap(found) for root, found in self._kept.items()}

    def several(self) -> BitMap:
        """Give the models with more than one location."""
        return self._several

    def duplicates(self, db: apsw.Connection) -> BitMap:
        """Give the models whose content lies in two files that are here, or more; pending ones count."""
        if self._twice is None:
            self._twice = BitMap(duplicated(db))
        return self._twice

    def in_folders(self, text: str) -> BitMap:
        """Give the models with a path of which some folders, with the slash behind them, hold a text."""
        return BitMap.union(NOTHING, *(found for folder, found in self._folders.items() if text in folder))

    def in_folders_ending(self, text: str) -> BitMap:
        """Give the models with a path whose folder, with the slash behind it, ends with a text."""
        return BitMap.union(NOTHING, *(found for folder, found in self._folders.items() if folder.endswith(text)))


def folded(path: str) -> str:
    """Give a path as paths are compared: folded, all slashes one way."""
    return fold(path.replace("\\", "/"))


def _folder_of(path: str) -> str:
    return path[: max(path.rfind("/"), path.rfind("\\")) + 1]


def _with(known: dict[Any, BitMap], more: dict[Any, list[int]]) -> None:
    for name, models in more.items():
        known.setdefault(name, BitMap()).update(models)


def _without(known: dict[Any, BitMap], models: BitMap) -> None:
    for found in known.values():
        if not found.isdisjoint(models):
            found.difference_update(models)
