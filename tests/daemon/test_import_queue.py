"""The queue of imports as people see it: conflicts decided together, failures that stay, cancelling, how far it is."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.importer import Wish
from hikaze.daemon.ingest import STEPS, Job, Step, Tools
from hikaze.projections import imports, pending

from .home import HINTS, Home
from .library import model_bytes, put_model
from .test_importer import other_disk, run, sha_of

__all__ = ["other_disk"]


def last_import(at: Home, number: int) -> Any:
    """Give how the last import of a pending model stands, as its card tells."""
    card = pending.card(at.db, number)
    return None if card is None else card["import"]


def stepping(before: str, act: Callable[[Tools, Job], Awaitable[None]]) -> list[Step]:
    """Give the steps, with something that happens before one of them."""

    async def run_(tools: Tools, job: Job) -> None:
        await act(tools, job)
        await next(step for step in STEPS if step.__name__ == before)(tools, job)

    return [run_ if step.__name__ == before else step for step in STEPS]


def test_conflicts_are_decided_together(tmp_path: Path) -> None:
    """Imports of a queue that met known content wait as conflicts; one word decides all of them, and no others."""

    async def play(at: Home) -> None:
        for seed in (1, 2):
            await at.bring_in(await at.see(put_model(at.drop / f"{seed}.safetensors", seed)))
        again = [await at.see(put_model(at.drop / f"again {seed}.safetensors", seed)) for seed in (1, 2, 1)[:2]]
        new = await at.see(put_model(at.drop / "new.safetensors", 3))
        await at.importer.many(again, Wish(), **HINTS)
        await at.until(lambda: not imports.unfinished(at.db))
        told = [last_import(at, number) for number in again]
        assert told == [{"state": "conflict", "reason": None, "model": sha_of(seed)} for seed in (1, 2)]

        queued, _, _ = await at.importer.many("conflict", Wish("merge"), **HINTS)
        await at.until(lambda: not imports.unfinished(at.db))
        assert (queued, pending.waiting(at.db)) == (2, [new])
        assert (await at.importer.many("conflict", Wish("merge"), **HINTS))[0] == 0

    run(tmp_path, play)


def test_a_strategy_for_many_is_for_what_is_known(tmp_path: Path) -> None:
    """Of several with a strategy, what is known is merged and what is new is imported."""

    async def play(at: Home) -> None:
        await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))
        for seed in (1, 2):
            await at.see(put_model(at.drop / f"b{seed}.safetensors", seed))
        await at.importer.many(None, Wish("merge"), **HINTS)
        await at.until(lambda: not imports.unfinished(at.db))

        told = await at.events("import-completed")
        assert sorted(each["status"] for each in told) == ["imported", "imported", "merged"]

    run(tmp_path, play)


def test_failures_stay_over_a_restart_until_they_are_retried(tmp_path: Path) -> None:
    """A failure is told with its reason by whoever opens later, and a retry of all that failed makes it good."""

    async def first(at: Home) -> None:
        numbers.append(await at.see(put_model(at.drop / "a.safetensors", 1)))
        path = at.loras.rename(at.loras.with_name("elsewhere"))
        await at.importer.many(None, Wish(), **HINTS)
        await at.until(lambda: not imports.unfinished(at.db))
        path.rename(at.loras)

    async def second(at: Home) -> None:
        told = last_import(at, numbers[0])
        assert told["state"] == "failed"
        assert told["reason"]
        assert (await at.importer.many("failed", Wish(), **HINTS))[0] == 1
        await at.until(lambda: not imports.unfinished(at.db))
        assert pending.waiting(at.db) == []

    numbers: list[int] = []
    run(tmp_path, first)
    run(tmp_path, second)


def test_one_of_those_that_wait_is_taken_back(tmp_path: Path) -> None:
    """Only what was named is cancelled; who is not in the queue counts for nothing."""

    async def play(at: Home) -> None:
        numbers = [await at.see(put_model(at.drop / f"{n}.safetensors", n)) for n in range(4)]
        await at.importer.many(numbers[:3], Wish(), **HINTS)
        size = len(model_bytes(0))
        figures = {"done": 0, "total": 3, "bytes": 0, "bytes_total": 3 * size}
        assert at.importer.under_way() == {"queued": 3, "running": 0} | figures
        assert at.library.news.under_way() == [{"task": "imports", "what": "importing"} | figures]

        assert (await at.importer.cancel({numbers[1], numbers[3], 99}, actor="page"))[0] == 1
        figures |= {"total": 2, "bytes_total": 2 * size}
        assert at.importer.under_way() == {"queued": 2, "running": 0} | figures
        assert last_import(at, numbers[1])["state"] == "cancelled"
        assert last_import(at, numbers[2])["state"] == "queued"
        at.importer.start()
        await at.until(lambda: pending.waiting(at.db) == [numbers[1], numbers[3]])

    run(tmp_path, play, works=False)


def test_how_far_the_queue_is(tmp_path: Path) -> None:
    """What was done is counted with the bytes of its files, however it ended."""

    async def wait(_tools: Tools, job: Job) -> None:
        if job.pending == 2:
            await going_on.wait()

    async def play(at: Home) -> None:
        sizes = 512, 1024
        for seed, size in enumerate(sizes, 1):
            await at.see(put_model(at.drop / f"{seed}.safetensors", seed, size))
        lengths = [len(model_bytes(seed, size)) for seed, size in enumerate(sizes, 1)]
        await at.importer.many(None, Wish(), **HINTS)
        await at.until(lambda: at.importer.under_way()["done"] == 1)
        told = {"queued": 0, "running": 1, "done": 1, "total": 2, "bytes": lengths[0], "bytes_total": sum(lengths)}
        assert at.importer.under_way() == told
        going_on.set()
        await at.until(lambda: not imports.unfinished(at.db))

    going_on = asyncio.Event()
    run(tmp_path, play, steps=stepping("plan", wait))


@pytest.mark.parametrize("named", [True, False])
def test_a_copy_is_taken_back(tmp_path: Path, other_disk: Path, named: bool) -> None:
    """An import that copies a file to another disk ends as cancelled, and nothing of the copy is left."""

    async def cancel(_tools: Tools, job: Job) -> None:
        assert (await home_[0].importer.cancel({job.pending} if named else None, actor="page"))[0] == 1

    async def play(at: Home) -> None:
        home_.append(at)
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        ended = await at.bring_in(number)

        assert ended.state == "cancelled"
        assert list(at.loras.iterdir()) == []
        assert at.at(at.drop / "a.safetensors") == number
        assert (await at.bring_in(number)).status == "imported"

    home_: list[Home] = []
    first = iter([cancel])

    async def once(tools: Tools, job: Job) -> None:
        act = next(first, None)
        if act is not None:
            await act(tools, job)

    run(tmp_path, play, steps=stepping("place_file", once), models_at=other_disk)


def test_a_rename_is_not_taken_back(tmp_path: Path) -> None:
    """An import that is about to rename a file is done: that takes no time, and undone it would be two changes."""

    async def cancel(_tools: Tools, _job: Job) -> None:
        assert (await home_[0].importer.cancel(actor="page"))[0] == 0

    async def play(at: Home) -> None:
        home_.append(at)
        assert (await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))).status == "imported"

    home_: list[Home] = []
    run(tmp_path, play, steps=stepping("place_file", cancel))
