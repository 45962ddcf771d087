"""What lies at the paths that an earlier library tells of, and in which of our folders that is."""

import asyncio
import os
from dataclasses import replace
from typing import Protocol

from ...events.catalog import File
from ...events.pathtext import shown, to_path, to_text
from .. import roots as rooting
from ..disks import Disks, NoAnswer
from ..legacy.library import Row
from ..library import Library
from ..looking import Looked
from .plan import Look

REAL_S = 5.0  # for finding out where a folder really lies: it may be one that does not answer
MOST_FOLDERS = 10_000  # of which it is kept where they really lie


class Roots(Protocol):
    """What is asked of the observer."""

    async def check_roots(self) -> None:
        """See which roots are here."""
        ...


class Lookout:
    """Looks at the files of rows. `begin` comes first, and again whenever the roots may be others."""

    def __init__(self, library: Library, disks: Disks, roots: Roots) -> None:
        """Look for a library, where `disks` looks for the observer."""
        self._library = library
        self._disks = disks
        self._at = roots
        self._real: dict[str, str] = {}
        self._ours: dict[str, str | None] = {}

    async def begin(self) -> None:
        """See which roots are here, and where they really lie."""
        await self._at.check_roots()
        self._real, self._ours = {}, {}
        for root in rooting.every(self._library.db):
            if not root.offline:
                self._real[root.path] = await self._really(root.path)

    async def as_ours(self, row: Row) -> Row:
        """Give a row with its path as our folders have it: an earlier library may have come to one by a link."""
        if row.path is None or not _is_sound(row.path):
            return row
        path = os.path.normpath(row.path)
        if rooting.of_path(rooting.every(self._library.db), path) is not None:
            return replace(row, path=path)
        folder, name = os.path.split(path)
        if folder not in self._ours:
            if len(self._ours) >= MOST_FOLDERS:
                self._ours.clear()
            self._ours[folder] = await self._in_ours(folder)
        ours = self._ours[folder]
        return row if ours is None else replace(row, path=os.path.join(ours, name))

    async def outside(self, row: Row) -> str | None:
        """Give the folder of a row's path, as people see it, where no root of ours holds it; None where one does."""
        if row.path is None or not _is_sound(row.path):
            return None
        ours = (await self.as_ours(row)).path or ""
        is_ours = rooting.of_path(rooting.every(self._library.db), ours) is not None
        return None if is_ours else shown(to_text(os.path.dirname(row.path)))

    async def _in_ours(self, folder: str) -> str | None:
        """Give a folder as one below one of our roots, None where it lies in none."""
        real = await self._really(folder)
        for path, root in self._real.items():
            if real == root or real.startswith(root.rstrip(os.sep) + os.sep):
                return os.path.normpath(os.path.join(path, os.path.relpath(real, root)))
        return None

    async def _really(self, folder: str) -> str:
        if not self._disks.answers(folder):
            return folder
        try:
            async with asyncio.timeout(REAL_S):
                return await asyncio.to_thread(os.path.realpath, folder)
        except (TimeoutError, OSError):
            return folder

    async def look(self, row: Row) -> Look:
        """Look at what lies at the path of a row, as `as_ours` gives it."""
        path, text = row.path, to_text(row.path or "")
        if path is None or not _is_sound(path):
            return Look("outside", _unseen(text, 0, row))
        roots = rooting.every(self._library.db)
        root = rooting.of_path(roots, path)
        if root is None:
            return Look("outside", _unseen(text, 0, row), exists=await self._exists(path))
        unseen = Look("unseen", _unseen(text, root.id, row), root.kind, root.type)
        if root.offline:
            return unseen
        try:
            looked = await self._disks.look_at_files(roots, [(path, False)])
            return await self._seen(looked[0], unseen) if looked else unseen
        except NoAnswer:
            return unseen

    async def is_as(self, look: Look) -> bool:
        """Tell whether it is still so at a path as it was when it was looked at."""
        if look.state not in ("present", "gone"):
            return True
        path = to_path(look.file.path)
        try:
            now = (await self._disks.fingerprints([path])).get(path)
        except NoAnswer:
            return False
        return now is None if look.state == "gone" else now is not None and now.is_of(look.file)

    async def _seen(self, looked: Looked, unseen: Look) -> Look:
        if looked.gone:
            return Look("gone", unseen.file, unseen.kind, unseen.type)
        if looked.seen is None:
            return unseen
        sightings = await self._disks.sightings_of([looked])
        if not sightings:
            return Look("present", rooting.as_file(looked.seen, looked.root.id), unseen.kind, unseen.type)
        seen = sightings[0]
        return Look("present", seen.file, seen.kind, seen.type, seen.header)

    async def _exists(self, path: str) -> bool:
        """Tell whether something lies at a path in no root of ours; in doubt it does."""
        try:
            return (await self._disks.fingerprints([path])).get(path, path) is not None
        except NoAnswer:
            return True


def _is_sound(path: str) -> bool:
    """Tell whether a path can be one of this system's."""
    return os.path.isabs(path) and "\0" not in path


def _unseen(text: str, root: int, row: Row) -> File:
    return File(text, root, max(row.size, 0), 0, 0, 0)
