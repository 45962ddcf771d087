"""Which pending models have their pictures looked for: those that were found, and those a picture has come to."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import apsw

from . import looking
from .chunks import chunks
from .library import Library
from .roots import Root

PICTURES_AT_ONCE = 500  # pending models whose folders are listed together


class Picturing:
    """The pending models whose pictures are to be looked for. All of it runs in the event loop."""

    def __init__(self, library: Library, take_pictures: Callable[[Sequence[int]], Awaitable[None]]) -> None:
        """Look for a library; `take_pictures` gets the ids of pending models, and takes what lies beside them."""
        self._library = library
        self._take_pictures = take_pictures
        self._models: dict[int, None] = {}
        self._folders: set[str] = set()
        self._pictured: set[int] = set()  # roots all of whose pictures were looked for
        self._wake = asyncio.Event()

    def look_for(self, numbers: Iterable[int]) -> None:
        """Look for the pictures of pending models."""
        self._models.update(dict.fromkeys(numbers))
        if self._models:
            self._wake.set()

    def look_in(self, folders: Iterable[str]) -> None:
        """Look for the pictures of the pending models in some folders that have none."""
        self._folders.update(folders)
        self._wake.set()

    async def looked(self, root: Root) -> None:
        """A root was looked at; if it is for the first time since it came, pictures may have come meanwhile."""
        if root.id not in self._pictured:
            self._pictured.add(root.id)
            self.look_for(await self._library.with_reader(_without_picture_in, root.path))

    def came(self, root: Root) -> None:
        """A root came; pictures may have come while it was away."""
        self._pictured.discard(root.id)

    async def follow(self) -> None:
        """Take the pictures that are to be looked for, for ever."""
        while True:
            while self._models or self._folders:
                await self._take_waiting()
            self._wake.clear()
            await self._wake.wait()

    async def _take_waiting(self) -> None:
        folders, self._folders = self._folders, set()
        for folder in folders:
            numbers = await self._library.with_reader(_without_picture_beside, folder)
            self._models.update(dict.fromkeys(numbers))
        for chunk in chunks(list(self._models), PICTURES_AT_ONCE):
            for number in chunk:
                self._models.pop(number, None)  # before: what becomes of one meanwhile has it looked for once more
            try:
                await self._take_pictures(chunk)
            except BaseException:
                self.look_for(chunk)
                raise


def _without_picture_in(db: apsw.Connection, folder: str) -> list[int]:
    return looking.without_picture(db, folder, deep=True)


def _without_picture_beside(db: apsw.Connection, folder: str) -> list[int]:
    return looking.without_picture(db, folder, deep=False)
