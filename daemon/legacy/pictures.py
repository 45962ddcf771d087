"""The picture files of an earlier library: which there are, and whose they are by their names.

Their list is kept in a database of its own in the private folder, for a library of 100,000 pictures has a long one.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import apsw

from ...events.catalog import LegacyForm
from ...events.pathtext import shown, to_path, to_text
from .row import Picture

_TABLE = """
CREATE TABLE files (
    place TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    kind TEXT NOT NULL, owner TEXT NOT NULL, base TEXT NOT NULL, seq INTEGER NOT NULL, tier TEXT NOT NULL,
    known INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (place, name)
) WITHOUT ROWID;
CREATE INDEX owners ON files (owner, kind);
"""
_TIERED = re.compile(r"(([0-9a-fA-F]{64})_(\d{1,18}))_(high|medium|low)\.webp")
_UPLOADED = re.compile(r"model_(\d{1,18})_(\d{1,18})_.*", re.DOTALL)
_NUMBERED = re.compile(r"(\d{1,18})(\.[A-Za-z0-9]{1,5})?")
_NOT_PICTURES = frozenset({"thumbs.db", "desktop.ini"})
_AT_ONCE = 1_000
MOST_UNCLAIMED = 1_000  # files that are named one by one
_CACHE = 16_384  # KiB: the files of 10,000 models with a picture each, so that the disk has nothing to do with these

HERE, PENDING = "", "pending"
"""The places where pictures lie: the folder itself, and the one in it for pending models' (Hikaze 2)."""


@dataclass(frozen=True)
class Found:
    """A picture, and what tells that its files are still the same: their names, sizes (bytes) and mtimes (ns)."""

    picture: Picture
    stamp: tuple[tuple[str, int, int], ...]


class Pictures:
    """The pictures in a folder, listed once."""

    def __init__(self, folder: str, form: LegacyForm, scratch: str) -> None:
        """List the folder, which may not exist, into a new database at `scratch`, in a transaction without end."""
        self.unreadable: list[tuple[str, str]] = []
        """What could not be read, and why not."""
        self._folder = folder
        self._db = apsw.Connection(scratch)
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", f"PRAGMA cache_size = -{_CACHE}"):
            self._db.execute(statement).fetchall()
        self._db.execute("BEGIN")
        self._db.execute(_TABLE)
        for place in (HERE, PENDING) if form == "v2" else (HERE,):
            self._list(place, form)

    def close(self) -> None:
        """Let go of the list."""
        self._db.close()

    def _list(self, place: str, form: LegacyForm) -> None:
        files: list[tuple[str | int, ...]] = []
        try:
            with os.scandir(os.path.join(self._folder, place)) as entries:
                for entry in entries:
                    if (file := self._file(place, form, entry)) is not None:
                        files.append(file)
                    if len(files) == _AT_ONCE:
                        self._add(files)
        except FileNotFoundError:
            pass
        except OSError as error:
            self.unreadable.append((os.path.join("images", place), f"cannot be read: {error.strerror}"))
        self._add(files)

    def _file(self, place: str, form: LegacyForm, entry: os.DirEntry[str]) -> tuple[str | int, ...] | None:
        try:
            if _is_foreign(entry.name, form) or not entry.is_file():
                return None
            stat = entry.stat()
        except OSError as error:
            self.unreadable.append((_called(place, to_text(entry.name)), f"cannot be read: {error.strerror}"))
            return None
        return place, to_text(entry.name), stat.st_size, stat.st_mtime_ns, *_meaning(entry.name, place, form)

    def _add(self, files: list[tuple[str | int, ...]]) -> None:
        self._db.executemany(
            "INSERT OR IGNORE INTO files (place, name, size, mtime_ns, kind, owner, base, seq, tier) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            files,
        )
        files.clear()

    def start_anew(self) -> None:
        """Forget which files were asked for."""
        self._db.execute("UPDATE files SET known = 0 WHERE known = 1")

    def named(self, name: str, place: str) -> Found | None:
        """Give the picture of a file name, None where there is no such file."""
        row: Any = self._db.execute(
            "UPDATE files SET known = 1 WHERE place = ? AND name = ? RETURNING size, mtime_ns", (place, name)
        ).fetchone()
        return None if row is None else self._original(place, name, *row)

    def numbered(self, number: int) -> list[Found]:
        """Give the pictures of a pending model that are called by its number."""
        rows: list[Any] = self._db.execute(
            "UPDATE files SET known = 1 WHERE owner = ? AND kind = 'numbered' RETURNING name, size, mtime_ns",
            (str(number),),
        ).fetchall()
        return [self._original(PENDING, *row) for row in sorted(rows)]

    def uploaded(self, number: int) -> list[str]:
        """Give the names of uploads that were probably made for a model and that nothing named, the oldest first."""
        rows: list[Any] = self._db.execute(
            "UPDATE files SET known = 1 WHERE owner = ? AND kind = 'uploaded' AND known = 0 RETURNING seq, place, name",
            (str(number),),
        ).fetchall()
        return [_called(place, name) for _, place, name in sorted(rows)]

    def tiered(self, sha256: str) -> tuple[list[Found], list[str]]:
        """Give the pictures that were made for a content, in sequence, and the names of files of which no `high` is."""
        rows: list[Any] = self._db.execute(
            "UPDATE files SET known = 1 WHERE owner = ? AND kind = 'tiered' "
            "RETURNING seq, base, tier, name, size, mtime_ns",
            (sha256,),
        ).fetchall()
        found: list[Found] = []
        headless: list[str] = []
        for (_, base), group in groupby(sorted(rows), key=lambda row: row[:2]):
            files = list(group)
            tiers = {tier: os.path.join(self._folder, to_path(name)) for _, _, tier, name, _, _ in files}
            if "high" in tiers:
                stamp = tuple((name, size, mtime_ns) for *_, name, size, mtime_ns in files)
                found.append(Found(Picture(None, tiers, base), stamp))
            else:
                headless += [name for *_, name, _, _ in files]
        return found, headless

    def unclaimed(self) -> Iterator[tuple[str, str]]:
        """Give the names of the files that belong to nothing that was asked for, and a word on each."""
        rows: Iterator[Any] = self._db.execute(
            "SELECT place, name, kind FROM files WHERE known = 0 ORDER BY place, name"
        )
        for place, name, kind in islice(rows, MOST_UNCLAIMED):
            what = "belongs to no model of the library" if kind else "is called as no picture of the library is"
            yield _called(place, name), f"{what}; it did not come along"
        more = sum(1 for _ in rows)
        if more:
            yield "-", f"{more} more files that belong to no model of the library did not come along"

    def _original(self, place: str, name: str, size: int, mtime_ns: int) -> Found:
        path = os.path.join(self._folder, place, to_path(name))
        return Found(Picture(path, {}, _called(place, name)), ((_called(place, name), size, mtime_ns),))


def _is_foreign(name: str, form: LegacyForm) -> bool:
    """Tell whether a file is not of the library: the system's, or, beside v1's, one of Hikaze 2 in the same folder."""
    return (
        name.startswith(".") or name.lower() in _NOT_PICTURES or (form == "v1" and _TIERED.fullmatch(name) is not None)
    )


def _called(place: str, name: str) -> str:
    return shown(f"{place}/{name}" if place else name)


def _meaning(name: str, place: str, form: LegacyForm) -> tuple[str, str, str, int, str]:
    """Give what a file's name says: its kind, its owner, what the tiers of one picture have in common, seq, tier."""
    if form == "v2" and place == HERE:
        if match := _TIERED.fullmatch(name):
            return "tiered", match[2].lower(), match[1], int(match[3]), match[4]
    elif match := _UPLOADED.fullmatch(name):
        return "uploaded", str(int(match[1])), "", int(match[2]), ""
    elif place == PENDING and (match := _NUMBERED.fullmatch(name)):
        return "numbered", str(int(match[1])), "", 0, ""
    return "", "", "", 0, ""
