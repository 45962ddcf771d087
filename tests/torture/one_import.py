"""A library that lives through one scene and may be killed in it: `python -m tests.torture.one_import`.

It answers lines of JSON on its standard input, one story after the other, each in a process of its own that is
forked from this one, which has loaded everything and opened nothing. A story stands still before it acts, tells
its threads, and goes on with the next line: until then strace can be attached to one of them.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hikaze.daemon import checkup
from hikaze.daemon.importer import AlreadyQueued
from hikaze.events.writer import Unwritable
from hikaze.projections import imports

from ..daemon.home import Home
from .aftermath import state
from .scenes import SCENES, Scene, online

PATIENCE_S = 20.0  # for what must come about; on a loaded machine too
DONE = ("completed", "uploaded", "removed")
WAITS_S = 0.3  # so long an import that the disk refused may go on trying before its library is closed


def main() -> None:
    """Tell stories until there are no more lines."""
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            _be_a_story(json.loads(line))
        _, status = os.waitpid(child, 0)
        tell("ended", code=os.waitstatus_to_exitcode(status))


def _be_a_story(asked: dict[str, Any]) -> None:
    """Live through a story, and end this process whatever becomes of it."""
    code = 1
    try:
        os.dup2(os.open(asked["errors"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
        logging.basicConfig(level=logging.INFO)
        asyncio.run(_live(asked))
        code = 0
    except Exception:
        logging.exception("the story broke off")
    finally:
        os._exit(code)


def tell(said: str, **more: Any) -> None:
    """Tell the driver something."""
    sys.stdout.write(json.dumps({"said": said} | more) + "\n")
    sys.stdout.flush()


async def _live(asked: dict[str, Any]) -> None:
    scene, top = SCENES[asked["scene"]], Path(asked["top"])
    at = Home(top, models_at=Path(asked["other"]) if scene.elsewhere else None)
    disk = ThreadPoolExecutor(1, "disk")  # one, so that the n-th call of a thread is the same in every story
    asyncio.get_running_loop().set_default_executor(disk)
    if asked["do"] == "act":
        await _act(at, scene, retries=asked["retries"])
    else:
        await _look_after(at, scene, top, answered=asked["answered"], dies=asked["dies"])


async def _stand_still() -> None:
    """Let strace be attached to a thread."""
    await asyncio.to_thread(int)  # now there is a thread for the disk
    named = {"hikaze-writer": "writer", "disk_0": "disk"}
    threads = {named[one.name]: one.native_id for one in threading.enumerate() if one.name in named}
    tell(
        "ready", threads={"loop": threading.get_native_id()} | threads
    )  # the main thread's own is from before the fork
    sys.stdin.readline()


# To the death -----------------------------------------------------------------------------------------


async def _act(at: Home, scene: Scene, *, retries: bool) -> None:
    at.library.start()
    await online(at)
    at.importer.start()
    await scene.prepare(at)
    tell("prepared", position=at.library.news.head)
    await _stand_still()
    await _try(at, scene)
    if retries:
        with contextlib.suppress(TimeoutError):
            await _until_idle(at, WAITS_S)
        with contextlib.suppress(Unwritable):
            await at.library.caught_up()
            await _try(at, scene)
    await at.importer.close()
    at.library.close()


async def _try(at: Home, scene: Scene) -> None:
    """Act once, and tell what was answered: what was done, or why it was not."""
    try:
        answer = await scene.act(at)
    except (Unwritable, AlreadyQueued, OSError) as error:
        tell("refused", why=str(error))
        return
    if answer is not None and answer["state"] in DONE:
        tell("answered", **answer)
    elif answer is not None:
        tell("refused", why=answer["reason"] or answer["state"])


async def _until_idle(at: Home, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while any(at.importer.under_way()[what] for what in ("queued", "running")):
            await asyncio.sleep(0.005)


# After the death --------------------------------------------------------------------------------------


async def _look_after(at: Home, scene: Scene, top: Path, *, answered: bool, dies: bool) -> None:
    """Start again as the daemon does, finish what there is to finish, and tell how it all ended."""
    async with _opened(at, stands_still=dies):
        tell("opened", position=at.library.news.head)
        await _until_idle(at, PATIENCE_S)
        if await scene.act(at) is not None and answered:
            tell("fault", what="what was answered was not done any more after the start")
        await _until_idle(at, PATIENCE_S)
        await at.until(lambda: not imports.unfinished(at.db) and not imports.untidied(at.db), PATIENCE_S)
        found = await at.observer.scan()
        counts = {name: getattr(found.outcome, name) for name in ("added", "moved", "changed", "returned", "missing")}
        if any(counts.values()):
            tell("fault", what=f"a look at the disks found something else: {counts}")
        tell("ends", state=await state(at, top))
    for finding in checkup.check(str(at.data), pause=lambda _seconds: None).findings:
        tell("fault", what=f"hikazed check: {finding.part}: {finding.what}")


@contextlib.asynccontextmanager
async def _opened(at: Home, *, stands_still: bool) -> AsyncIterator[None]:
    if stands_still:
        await _stand_still()
    await at.open()
    try:
        yield
    finally:
        await at.close()


if __name__ == "__main__":
    main()
