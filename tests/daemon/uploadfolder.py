"""A drop folder with uploads, without a daemon: bodies that a test feeds, and a clock that it sets."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from hikaze.daemon import uploads
from hikaze.daemon.rootcheck import Identity, identify
from hikaze.daemon.roots import Root, signed
from hikaze.daemon.uploading import Uploads
from hikaze.daemon.uploads import Standing, UploadRefused

KEY = "a-key_01"
NAME = "x.safetensors"


def in_loop(story: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @functools.wraps(story)
    def run(**fixtures: Any) -> None:
        asyncio.run(story(**fixtures))

    return run


def drop_folder(path: Path, number: int = 1, **how: Any) -> Root:
    """Give a folder as a drop folder that was proven to be here."""
    found = identify(str(path))
    assert found is not None
    proof = Identity(signed(found.fsid), signed(found.ino), found.fstype)
    fields = {"kind": "pending", "type": None, "offline": False, "why": None, "identity": proof} | how
    return Root(id=number, path=str(path), **fields)


def body(*chunks: bytes | Exception) -> Callable[[], Any]:
    """Give what reads a body: the chunks one after the other, and then its end or the error that ends it."""
    left = list(chunks)

    async def read() -> bytes:
        await asyncio.sleep(0)
        chunk = left.pop(0) if left else b""
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    return read


class Sender:
    """Somebody who uploads into folders; `restart` forgets all that was not on the disk."""

    def __init__(self, *roots: Root, **how: Any) -> None:
        """Send into the drop folders among some roots."""
        self.roots, self.how, self.now_ms = list(roots), how, 1_000_000
        self.appeared: list[str] = []
        self.judged: list[int] = []
        self.mute: set[str] = set()
        self.restart()

    def restart(self) -> None:
        """Begin anew with what is on the disk."""
        self.uploads = Uploads(
            lambda: self.roots,
            lambda path: path not in self.mute,
            self._judge,
            self.appeared.append,
            now_ms=lambda: self.now_ms,
            **self.how,
        )

    async def _judge(self, number: int) -> None:
        self.judged.append(number)

    async def send(
        self,
        chunks: Iterable[bytes | Exception] = (),
        offset: int = 0,
        *,
        size: int,
        key: str | None = KEY,
        name: str = NAME,
        root: int | None = None,
        announced: bool = False,
    ) -> Standing:
        """Send a piece; without chunks it asks how the upload stands."""
        parts = list(chunks)
        length = sum(len(part) for part in parts if isinstance(part, bytes)) if announced else None
        return await self.uploads.take(uploads.wish(key, name, size, root), offset, body(*parts), length)

    async def refused(self, *args: Any, **how: Any) -> UploadRefused:
        """Send a piece that is refused, and give how."""
        try:
            done = await self.send(*args, **how)
        except UploadRefused as error:
            return error
        raise AssertionError(f"it was taken: {done}")
