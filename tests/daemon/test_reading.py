"""When what lies beside models is read: in a library at work whose disks, hints and clock are the test's."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon import roots
from hikaze.daemon.disks import Disks, NoAnswer
from hikaze.daemon.roots import Root
from hikaze.daemon.sidecars import reading
from hikaze.daemon.sidecars.look import Asked, Beside
from hikaze.daemon.watch import Hint
from hikaze.events.catalog import TagCreated
from hikaze.events.record import New
from hikaze.events.writer import Decision, Unwritable
from hikaze.projections import images, models, pending
from PIL import Image

from .home import Home
from .library import put_model
from .test_importer import sha_of

OLD = 1_600_000_000


class Failing(Disks):
    """Disks on which a look beside models fails as often as a test wants; it counts what is opened."""

    def __init__(self, *args: Any) -> None:
        """Begin as any other."""
        super().__init__(*args)
        self.errors: list[Exception] = []
        self.asked: list[list[str]] = []
        self.polls = False

    async def beside(self, places: Sequence[tuple[str, Sequence[Asked]]], **how: Any) -> dict[str, list[Beside]]:
        """Fail, or look."""
        self.asked.append([one.name for _, several in places for one in several])
        if self.errors:
            raise self.errors.pop()
        return await super().beside(places, **how)

    def polled_every(self, root: Root) -> float | None:
        """Tell whether hints are not to be relied on."""
        del root
        return 1.0 if self.polls else None


Play = Callable[[Home, Failing], Awaitable[None]]


def run(top: Path, play: Play) -> None:
    """Let something happen in a library at work."""

    async def go() -> None:
        made: list[Failing] = []

        def disks(hints: Any) -> Failing:
            made.append(Failing(hints))
            return made[-1]

        at = Home(top, disks=disks, unwritable_s=(0.01, 0.02))
        await at.open()
        try:
            await play(at, made[0])
        finally:
            await at.close()

    asyncio.run(go())


def put(path: Path, content: Any, at: float = OLD) -> Path:
    """Write a file that came to rest long ago."""
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    os.utime(path, (at, at))
    return path


def written(at: Home, path: Path) -> None:
    """Tell that a file was written to."""
    at.hints.deliver(Hint("written", str(path)))


def text_at(at: Home, path: Path) -> str:
    """Give the description that people see of what lies at a path."""
    there = models.location(at.db, str(path))
    if there is not None:
        known = models.get(at.db, there.model)
        return "" if known is None else known.texts.description
    found = pending.at_path(at.db, str(path))
    return "" if found is None else found.texts.description


async def is_read(at: Home, path: Path, text: str) -> None:
    """Wait until the notes beside a model are its description."""
    await at.until(lambda: text_at(at, path) == text)


async def pass_time(at: Home, seconds: float) -> None:
    """Let time go by, for all who look at the clock of the library."""
    at.now += seconds
    at.observer.look_again([])
    await asyncio.sleep(0.01)


def test_found_and_changed(tmp_path: Path) -> None:
    """It is read when its model is found and when it changes, and the model is looked at once for all hints of it."""

    async def play(at: Home, disks: Failing) -> None:
        model = put_model(at.loras / "a.safetensors", 1)
        notes = put(at.loras / "a.txt", "one")
        await at.see(model)
        await is_read(at, model, "one")
        await at.bring_in(at.at(model))
        put(notes, "two")  # of the same size and time: only the hint tells
        disks.asked.clear()
        for _ in range(10):
            written(at, notes)
        await is_read(at, model, "two")

        assert disks.asked == [["a.safetensors"]]

    run(tmp_path, play)


def test_nothing_is_done_at_rest(tmp_path: Path) -> None:
    """Once all is read nobody looks, whatever others write."""

    async def play(at: Home, disks: Failing) -> None:
        model = put_model(at.loras / "a.safetensors", 1)
        put(at.loras / "a.json", {"learning_rate": 1})
        await at.see(model)
        await at.until(lambda: disks.asked)
        await asyncio.sleep(0.2)
        disks.asked.clear()
        await at.library.write(lambda _db: Decision([New("tag/1", TagCreated(1, "x"))]), actor="page")
        await pass_time(at, 1000)
        await asyncio.sleep(0.2)

        assert disks.asked == []

    run(tmp_path, play)


def test_what_is_being_written_is_looked_at_again(tmp_path: Path) -> None:
    """It is read when it has lain still for a moment, without a further hint; for ever it is not waited for."""

    async def play(at: Home, disks: Failing) -> None:
        model = put_model(at.loras / "a.safetensors", 1)
        in_an_hour = 10**10
        notes = put(at.loras / "a.txt", "one", at=in_an_hour)
        await at.see(model)
        await is_read(at, model, "one")
        notes.write_text("two")
        written(at, notes)
        disks.asked.clear()
        await at.until(lambda: disks.asked)
        await asyncio.sleep(0.1)
        assert text_at(at, model) == "one"
        put(notes, "two")
        at.now += reading.SOON_S
        await is_read(at, model, "two")

    run(tmp_path, play)


def test_the_disk_of_the_log_is_full(tmp_path: Path) -> None:
    """What could not be written down is read again when it can be."""

    async def play(at: Home, disks: Failing) -> None:
        model = put_model(at.loras / "a.safetensors", 1)
        put(at.loras / "a.txt", "one")
        disks.errors = [Unwritable("the disk is full")] * 2
        await at.see(model)
        await is_read(at, model, "one")

    run(tmp_path, play)


def test_a_fault_of_ours(tmp_path: Path) -> None:
    """A file that we stumble over is passed by, and the next one is read."""

    async def play(at: Home, disks: Failing) -> None:
        model, other = (put_model(at.loras / f"{name}.safetensors", seed) for seed, name in enumerate("ab"))
        put(at.loras / "b.txt", "one")
        disks.errors = [RuntimeError("a fault")]
        await at.see(model)
        await at.until(lambda: not disks.errors)
        await at.see(other)
        await is_read(at, other, "one")
        await asyncio.sleep(0.1)

        assert disks.asked.count(["a.safetensors"]) == 1

    run(tmp_path, play)


def test_a_file_system_that_is_silent(tmp_path: Path) -> None:
    """When it answers, all of its root is looked at."""

    async def play(at: Home, disks: Failing) -> None:
        model = put_model(at.loras / "a.safetensors", 1)
        put(at.loras / "a.txt", "one")
        disks.errors = [NoAnswer(110, "silence", "x")]
        await at.see(model)
        await is_read(at, model, "one")
        assert [names for names in disks.asked if names] == [["a.safetensors"]] * len(disks.asked)

    run(tmp_path, play)


def test_hints_that_were_lost(tmp_path: Path) -> None:
    """All of the root is looked at; what was read is not opened."""

    async def play(at: Home, _disks: Failing) -> None:
        some = [put_model(at.loras / f"{name}.safetensors", seed) for seed, name in enumerate("abc")]
        for path in some:
            put(path.with_suffix(".txt"), "one")
            await at.see(path)
            await is_read(at, path, "one")
        put(at.loras / "b.txt", "two!")
        position = at.library.news.head
        at.hints.deliver(Hint("lost", str(at.loras)))
        await is_read(at, some[1], "two!")

        told = [event["type"] for event in await at.library.events(position, 100)]
        assert told == ["pending-provided"]

    run(tmp_path, play)


def test_more_news_than_are_kept(tmp_path: Path) -> None:
    """Who cannot know which files came looks at all of them."""

    async def play(at: Home, disks: Failing) -> None:
        model = put_model(at.loras / "a.safetensors", 1)
        await at.see(model)
        await at.until(lambda: disks.asked)
        put(at.loras / "a.txt", "one")  # no hint is given
        many = [New(f"tag/{number}", TagCreated(number, f"x{number}")) for number in range(1, 10_100)]
        await at.library.write(lambda _db: Decision(many), actor="page")
        await is_read(at, model, "one")

    run(tmp_path, play)


def test_more_files_than_may_wait(tmp_path: Path) -> None:
    """Their roots are looked at instead."""

    async def play(at: Home, disks: Failing) -> None:
        model = put_model(at.loras / "a.safetensors", 1)
        await at.see(model)
        await at.until(lambda: disks.asked)
        put(at.loras / "a.txt", "one")  # no hint is given
        presence, _ = without_news(at)
        alone = reading.Reading(at.library, disks, presence, lambda: False, None, lambda: at.now)  # type: ignore[arg-type]
        alone.look_at(f"{at.loras}/{number}.safetensors" for number in range(reading.MOST_WAITING + 1))
        task = asyncio.create_task(alone.follow(""))
        await is_read(at, model, "one")
        task.cancel()

    run(tmp_path, play)


class _Online:
    """A root that is here."""

    def __init__(self, root: Root) -> None:
        self.roots = [root]

    def online(self) -> list[Root]:
        """Give it."""
        return self.roots

    def blind(self) -> list[Root]:
        """All of it is watched."""
        return []


def without_news(at: Home) -> tuple[_Online, Root]:
    """Give the root for LoRAs, for who hears of nothing else."""
    (root,) = (root for root in roots.every(at.db) if root.path == str(at.loras))
    return _Online(root), root


def test_a_root_without_hints(tmp_path: Path) -> None:
    """What changed is found by looks, which are not taken too often."""

    async def play(at: Home, disks: Failing) -> None:
        model = put_model(at.loras / "a.safetensors", 1)
        notes = put(at.loras / "a.txt", "one")
        await at.see(model)
        await is_read(at, model, "one")
        (presence, root), now = without_news(at), [0.0]
        apart = reading.Reading(at.library, disks, presence, lambda: False, None, lambda: now[0])  # type: ignore[arg-type]
        task = asyncio.create_task(apart.follow(""))
        disks.polls = True

        async def looked_until(text: str) -> None:
            now[0] += reading.BLIND_S
            end = time.monotonic() + 15
            while text_at(at, model) != text:
                assert time.monotonic() < end, text
                apart.looked(root)
                await asyncio.sleep(0.02)

        for text, later in (("two!", "three"), ("three", "four")):
            put(notes, text)
            await looked_until(text)
            await asyncio.sleep(0.3)  # the look that found it has ended
            put(notes, later)
            apart.looked(root)
            await asyncio.sleep(0.1)
            assert text_at(at, model) == text
        disks.polls = False
        now[0] += 1000
        apart.looked(root)
        await asyncio.sleep(0.1)
        assert text_at(at, model) == "three"
        task.cancel()

    run(tmp_path, play)


@pytest.mark.parametrize("name", ["a.png", "A.preview.PNG"])
def test_the_first_picture(tmp_path: Path, name: str) -> None:
    """A picture that comes beside a model becomes its first; one that is none is passed over until it changes."""

    async def play(at: Home, disks: Failing) -> None:
        del disks
        model = put_model(at.loras / "a.safetensors", 1)
        await at.bring_in(await at.see(model))
        picture = put(at.loras / name, "no picture")
        written(at, picture)
        await asyncio.sleep(0.2)
        assert images.sequences(at.db, sha_of(1)) == []
        Image.new("RGB", (8, 8)).save(picture)
        written(at, picture)
        await at.until(lambda: images.sequences(at.db, sha_of(1)) == [0])

    run(tmp_path, play)
