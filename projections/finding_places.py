"""Where the models of a search lie: their folders, the roots those are in, and what follows from both."""

from collections.abc import Iterable, Sequence
from typing import Any

import apsw
import msgspec
from pyroaring import BitMap

from .duplicates import duplicated
from .tables import rows
from .text import fold

NOTHING = BitMap()

_SELECT = "SELECT m.rowid, l.root, l.lost, l.shown FROM locations l JOIN models m ON m.sha256 = l.model_hash"
_NOWHERE = (
    "SELECT m.rowid, m.path FROM models m WHERE m.path <> ''"
    " AND NOT EXISTS (SELECT 1 FROM locations l WHERE l.model_hash = m.sha256)"
)
_AMONG = "m.rowid IN (SELECT value FROM json_each(?))"


class Places:
    """By root and folder, which models lie there."""

    def __init__(self, db: apsw.Connection) -> None:
        """Read all locations."""
        self._said: dict[int, BitMap] = {}  # by root, those with a location in it, lost or not
        self._kept: dict[int, BitMap] = {}  # by root, those with one that is not lost
        self._folders: dict[str, BitMap] = {}
        self._several = BitMap()
        self._offline: dict[int, bool] = {}
        self._twice: BitMap | None = None
        self._put(db.execute(_SELECT), db.execute(_NOWHERE))
        self.read_roots(db)

    def read_roots(self, db: apsw.Connection) -> None:
        """Learn which roots are here."""
        self._offline = {root: bool(offline) for root, offline in rows(db, "SELECT id, offline FROM roots")}
        self.doubt_files()

    def doubt_files(self) -> None:
        """Files of models or pending models came or went: look anew for what lies in two."""
        self._twice = None

    def refresh(self, db: apsw.Connection, models: Sequence[int]) -> None:
        """Read anew where some models lie."""
        touched = BitMap(models)
        for known in (self._said, self._kept, self._folders):
            _without(known, touched)
        self._several.difference_update(touched)
        asked = (msgspec.json.encode(list(models)).decode(),)
        self._put(db.execute(f"{_SELECT} WHERE {_AMONG}", asked), db.execute(f"{_NOWHERE} AND {_AMONG}", asked))
        self.doubt_files()

    def _put(self, located: Iterable[Any], nowhere: Iterable[Any]) -> None:
        said, kept, folders = dict[int, list[int]](), dict[int, list[int]](), dict[str, list[int]]()
        seen, several = set[int](), list[int]()
        for model, root, lost, path in located:
            if model in seen:
                several.append(model)
            seen.add(model)
            said.setdefault(root, []).append(model)
            if not lost:
                kept.setdefault(root, []).append(model)
            folders.setdefault(_folder_of(path), []).append(model)
        for model, path in nowhere:
            folders.setdefault(_folder_of(path), []).append(model)
        _with(self._said, said)
        _with(self._kept, kept)
        _with(self._folders, {folded(folder): [] for folder in folders})
        for folder, models in folders.items():  # two folders may be one when they are folded
            self._folders[folded(folder)].update(models)
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
