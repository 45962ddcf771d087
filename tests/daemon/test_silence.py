"""A file system that does not answer: the observer and the imports go on with everything else."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hikaze.daemon.disks import NEAR, Disks, NoAnswer
from hikaze.daemon.importer import Importer, Wish
from hikaze.daemon.ingest import STEPS, Job, Step, Tools
from hikaze.daemon.observer import Observer
from hikaze.daemon.roots import Root
from hikaze.daemon.scan import Look
from hikaze.daemon.watch import Hint
from hikaze.projections import models

from .home import HINTS, Hints, Home
from .library import put_model
from .test_importer import sha_of


class SomeSilent(Disks):
    """Disks of which one root does not answer when that is wanted: at once, or not before it is told to go on."""

    def __init__(self, at: Home, far: Path) -> None:
        """Let a root be far; hints come from the test."""
        super().__init__(self._listen)
        self.at, self.far, self.silent, self.go_on = at, str(far), False, asyncio.Event()
        self.go_on.set()

    def _listen(self, deliver: Any) -> Any:
        self.at.hints = Hints(deliver)
        return self.at.hints

    def lane(self, root: Root) -> str:
        """Say which root is far."""
        return "far" if root.path == self.far else NEAR

    async def _asked(self, *roots: Root) -> None:
        if any(root.path == self.far for root in roots):
            await self.go_on.wait()
            if self.silent:
                raise NoAnswer(110, "silence", self.far)

    async def as_before(self, roots: Sequence[Root]) -> list[bool]:
        """Answer for near roots."""
        await self._asked(*roots)
        return await super().as_before(roots)

    async def identify(self, path: str) -> Any:
        """Answer for near roots."""
        if path == self.far and self.silent:
            raise NoAnswer(110, "silence", self.far)
        return await super().identify(path)

    async def look(self, root: Root, *args: Any, **how: Any) -> Look:
        """Answer for near roots."""
        await self._asked(root)
        return await super().look(root, *args, **how)


async def with_silent(at: Home) -> SomeSilent:
    """Give a library at work whose `vae` root may fall silent."""
    disks = SomeSilent(at, at.vae)
    at.observer = Observer(at.library, at.busy, at.gallery.take_companions, disks=disks, clock=lambda: at.now)
    await at.open()
    return disks


def test_a_silent_root(tmp_path: Path) -> None:
    """Its models are offline and not missing, near files are seen meanwhile, and what moved there is found at last."""

    async def story() -> None:
        at = Home(tmp_path)
        disks = await with_silent(at)
        try:
            number = await at.see(put_model(at.vae / "a.safetensors", 1))
            await at.bring_in(number)
            disks.silent = True
            await at.observer.scan()
            assert at.states(sha_of(1)) == {str(at.vae / "a.safetensors"): False}
            assert not models.has_present_location(at.db, sha_of(1))
            assert await at.see(put_model(at.drop / "near.safetensors", 2))
            os.rename(at.vae / "a.safetensors", at.vae / "b.safetensors")
            disks.silent = False
            await at.until(lambda: at.states(sha_of(1)) == {str(at.vae / "b.safetensors"): False}, 30)
            assert await at.events("location-lost") == []
        finally:
            await at.close()

    asyncio.run(story())


def test_a_root_that_keeps_us_waiting(tmp_path: Path) -> None:
    """While a look at it takes its time, other roots are watched and looked at."""

    async def story() -> None:
        at = Home(tmp_path)
        disks = await with_silent(at)
        try:
            disks.go_on.clear()
            at.hints.deliver(Hint("lost", str(at.vae)))
            await asyncio.sleep(0.05)
            path = put_model(at.loras / "near.safetensors", 1)
            assert await at.see(path)
            shutil.move(path, at.loras / "moved.safetensors")
            at.hints.deliver(Hint("lost", str(at.loras)))
            await at.until(lambda: at.at(at.loras / "moved.safetensors"), 30)
            disks.go_on.set()
        finally:
            disks.go_on.set()
            await at.close()

    asyncio.run(story())


def test_imports_that_hang_give_way(tmp_path: Path) -> None:
    """Though as many hang as may run at once, the others are done; the hung ones end when they can."""

    async def story() -> None:
        at, go_on, known = Home(tmp_path), asyncio.Event(), asyncio.Event()
        stuck = {str(at.drop / f"far{n}.safetensors") for n in (1, 2)}

        def hanging(step: Step) -> Step:
            async def act(tools: Tools, job: Job) -> None:
                if step.__name__ == "hash_content" and stuck & job.busy:
                    await go_on.wait()
                await step(tools, job)

            act.__name__ = step.__name__
            return act

        tools = replace(at.tools, answers=lambda path: path not in stuck or not known.is_set())
        steps = [hanging(step) for step in STEPS]
        at.importer = Importer(tools, at.observer.look_again, at.observer.compare_with_known, steps, retry_s=0.02)
        await at.open(works=False)
        try:
            far = [await at.see(put_model(at.drop / f"far{n}.safetensors", n)) for n in (1, 2)]
            near = await at.see(put_model(at.drop / "near.safetensors", 3))
            at.importer.start()
            waiting = [asyncio.create_task(at.importer.one(number, Wish(), **HINTS)) for number in far]
            await at.until(lambda: at.importer.under_way()["running"] == 2)
            await at.until(lambda: stuck <= at.busy.paths)
            known.set()
            ended = await asyncio.wait_for(at.importer.one(near, Wish(), **HINTS), 30)
            assert ended.status == "imported"
            assert not any(one.done() for one in waiting)
            known.clear()
            go_on.set()
            assert {one.status for one in await asyncio.gather(*waiting)} == {"imported"}
        finally:
            go_on.set()
            await at.close()

    asyncio.run(story())


def test_an_import_from_where_nothing_answers(tmp_path: Path) -> None:
    """It is refused at once, with a reason, and nothing hangs."""

    async def story() -> None:
        at = Home(tmp_path)
        path = at.drop / "far.safetensors"
        tools = replace(at.tools, answers=lambda asked: asked != str(path))
        at.importer = Importer(tools, at.observer.look_again, at.observer.compare_with_known)
        await at.open()
        try:
            ended = await at.bring_in(await at.see(put_model(path, 1)))
            assert ended.state == "failed"
            assert "does not answer" in str(ended.reason)
        finally:
            await at.close()

    asyncio.run(story())
