"""Earlier libraries come along: into a real library, from real databases and pictures, whatever else happens."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from hikaze.daemon.imagestore import ImageStore
from hikaze.daemon.legacy import library as legacy
from hikaze.daemon.library import Library
from hikaze.daemon.migration.look import Lookout
from hikaze.daemon.migration.rows import Rows
from hikaze.daemon.migration.run import AnotherUnderWay, Migration, Report
from hikaze.daemon.pictures import TIERS
from hikaze.daemon.sightings import of_model, of_pending
from hikaze.events.catalog import Changes, ModelEdited, ModelUntagged, PendingEdited
from hikaze.events.writer import Decide, Decision, Unwritable, Written
from hikaze.projections import images, migrations, models, pending, tags
from PIL import Image

from ..legacy import build_v1, build_v2, fingerprint, picture, tiers
from .home import HINTS, Home, home
from .library import model_bytes, put_model


@asynccontextmanager
async def migrating(at: Home) -> AsyncIterator[Migration]:
    """Give what brings earlier libraries along to a library at work."""
    lookout = Lookout(at.library, at.disks, at.observer)
    rows = Rows(at.library, at.store, at.busy, lookout, at.observer.writing_at, retry_s=0.02)
    made = Migration(at.library, str(at.data), rows, lookout, at.observer.confirm_claims)
    await made.recover()
    made.start()
    try:
        yield made
    finally:
        await made.close()


class Bring:
    """Brings an earlier library along, and sees that nothing of it is changed."""

    def __init__(self, migration: Migration) -> None:
        """Do it with what brings them along."""
        self.migration = migration

    async def __call__(self, source: Path) -> Report:
        """Bring along what lies in a data folder."""
        before = fingerprint(source)
        found = await self.migration.bring(legacy.find(str(source)), actor="page")
        assert fingerprint(source) == before
        return found


def run(top: Path, play: Callable[[Home, Bring], Awaitable[None]], **how: Any) -> None:
    """Let something happen in a library at work, with a way to bring an earlier one along."""

    async def go() -> None:
        async with home(top, **how) as at, migrating(at) as migration:
            await play(at, Bring(migration))
            assert not [*Path(at.store.staging).glob("*"), *(at.data / "migration-tmp").glob("*")]

    asyncio.run(go())


def sha_of(seed: int, size: int = 256) -> str:
    """Give the hash of a model file."""
    return hashlib.sha256(model_bytes(seed, size)).hexdigest()


def test_a_hashed_model_of_v1(tmp_path: Path) -> None:
    """It becomes a model with its words, tags and picture, at its path, and is confirmed by its bytes."""

    async def play(at: Home, bring: Bring) -> None:
        path = put_model(at.loras / "a.safetensors", 1)
        old = build_v1(
            tmp_path / "old",
            {
                "path": str(path),
                "hash_hex": sha_of(1),
                "size_bytes": path.stat().st_size,
                "extra_json": {
                    "description": "mine",
                    "community_links": "https://example.org",
                    "prompts": {"positive": "good", "negative": "bad"},
                    "images": ["/media/model_1_1756700000000_a.png"],
                },
                "tags": ["anime"],
            },
            images={"model_1_1756700000000_a.png": picture()},
        )
        report = await bring(old)

        assert (report.status, report.form, report.models, report.pending) == ("done", "v1", 1, 0)
        assert (report.tags, report.images, report.missing, report.problems, report.unwatched) == (1, 1, 0, [], [])
        known = models.get(at.db, sha_of(1))
        assert known is not None
        assert (known.name, known.type, known.own.description) == ("a", "loras", "mine")
        assert (known.own.prompts.positive, known.own.prompts.negative) == ("good", "bad")
        assert known.own.community_links == "https://example.org"
        assert list(tags.of_model(at.db, sha_of(1)).values()) == ["anime"]
        assert images.sequences(at.db, sha_of(1)) == [0]
        assert all(os.path.exists(at.store.path(sha_of(1), 0, tier)) for tier in TIERS)
        assert at.states(sha_of(1)) == {str(path): False}
        await at.until(lambda: (found := models.get(at.db, sha_of(1))) and not found.claimed)

    run(tmp_path, play)


def hashed(path: Path, seed: int, **more: Any) -> dict[str, Any]:
    """Give a row of v1 of a model file, with its hash."""
    return {"path": str(path), "hash_hex": sha_of(seed), "size_bytes": len(model_bytes(seed))} | more


def of_v2(path: Path, seed: int, **more: Any) -> dict[str, Any]:
    """Give a row of Hikaze 2 of a model file."""
    return {"path": str(path), "sha256": sha_of(seed), "size_bytes": len(model_bytes(seed))} | more


def names(at: Home, sha256: str) -> list[str]:
    """Give the tags of a model."""
    return list(tags.of_model(at.db, sha256).values())


def described(at: Home, sha256: str) -> str:
    """Give what somebody wrote of a model."""
    known = models.get(at.db, sha256)
    assert known is not None
    return known.own.description


def test_pictures_of_hikaze_2(tmp_path: Path) -> None:
    """Its tiers are taken over byte for byte in the order of their numbers; where one is broken all are made anew."""
    whole, broken = sha_of(1), sha_of(2)
    made = {
        name: data for seq in (10, 2, 0) for name, data in tiers(whole, seq, ("red", "green", "blue")[seq % 3]).items()
    }
    made |= tiers(broken, 0) | {f"{broken}_0_low.webp": b"RIFF"} | tiers(broken, 1, "blue", ["high"])

    async def play(at: Home, bring: Bring) -> None:
        rows = [of_v2(put_model(at.loras / f"{seed}.safetensors", seed), seed) for seed in (1, 2)]
        report = await bring(build_v2(tmp_path / "old", *rows, images=made))

        assert (report.images, report.problems) == (5, [])
        assert (images.sequences(at.db, whole), images.sequences(at.db, broken)) == ([0, 1, 2], [0, 1])
        for seq, was in enumerate((0, 2, 10)):
            for tier in TIERS:
                assert Path(at.store.path(whole, seq, tier)).read_bytes() == made[f"{whole}_{was}_{tier}.webp"]
        assert all(os.path.getsize(at.store.path(broken, seq, tier)) > 20 for seq in (0, 1) for tier in TIERS)

    run(tmp_path, play)


def test_one_picture_twice(tmp_path: Path) -> None:
    """A model that has the same picture several times keeps them all in its sequence; the next time none is added."""
    made = {name: data for seq in (0, 1, 2, 10) for name, data in tiers(sha_of(1), seq).items()}

    async def play(at: Home, bring: Bring) -> None:
        row = of_v2(put_model(at.loras / "1.safetensors", 1), 1)
        report = await bring(build_v2(tmp_path / "old", row, images=made))
        assert (report.images, images.sequences(at.db, sha_of(1))) == (4, [0, 1, 2, 3])

        again = await bring(build_v2(tmp_path / "changed", row | {"tags": ["new"]}, images=made))
        assert (again.united, again.images, images.sequences(at.db, sha_of(1))) == (1, 0, [0, 1, 2, 3])

    run(tmp_path, play)


def test_pending_models_of_hikaze_2(tmp_path: Path) -> None:
    """They keep their ids where those are free, with tags, texts, and their picture as it came; the files are gone."""
    red = picture("red")

    async def play(at: Home, bring: Bring) -> None:
        first = await at.see(put_model(at.drop / "seen.safetensors", 9))
        there = put_model(at.loras / "there.safetensors", 1)
        old = build_v2(
            tmp_path / "old",
            pending=[
                {"id": first, "path": str(at.loras / "gone.safetensors"), "tags": ["a", "lora"]},
                {"id": 40, "path": str(there), "meta_json": {"description": "d", "images": ["/media/x.png"]}},
                {"id": 41, "path": "/nowhere/at/all.safetensors", "type": "checkpoint"},
            ],
            images={"pending/x.png": red, "pending/41.png": picture("blue")},
        )
        report = await bring(old)

        assert (report.pending, report.missing, report.images, report.unwatched) == (3, 2, 2, ["/nowhere/at"])
        gone, kept, away = (pending.get(at.db, number) for number in (first + 41, 40, 41))
        moved = pending.at_path(at.db, str(at.loras / "gone.safetensors"))
        assert moved is not None
        assert moved.state == "missing"
        assert moved.id not in (first, 40, 41)
        assert list(tags.of_pending(at.db, moved.id).values()) == ["a"]
        assert kept is not None
        assert (kept.state, kept.type, kept.own.description, kept.in_place) == ("waiting", "loras", "d", True)
        assert Path(at.store.pending_path(40, ".png")).read_bytes() == red
        assert away is not None
        assert (away.state, away.type, away.root) == ("missing", "checkpoints", 0)
        assert gone is None

    run(tmp_path, play)


def test_stage_two(tmp_path: Path) -> None:
    """A pending model that came along is imported by its id, with all that came with it."""

    async def play(at: Home, bring: Bring) -> None:
        there = put_model(at.loras / "there.safetensors", 1)
        row = {
            "id": 40,
            "path": str(there),
            "tags": ["a"],
            "meta_json": {"description": "d", "images": ["/media/x.png"]},
        }
        await bring(build_v2(tmp_path / "old", pending=[row], images={"pending/x.png": picture()}))
        ended = await at.bring_in(40)

        assert (ended.state, ended.sha256) == ("completed", sha_of(1))
        assert (described(at, sha_of(1)), names(at, sha_of(1))) == ("d", ["a"])
        assert images.sequences(at.db, sha_of(1)) == [0]

    run(tmp_path, play)


def test_an_id_that_it_had(tmp_path: Path) -> None:
    """What was found by itself gets the id back that it had, companions too; what somebody wrote to keeps its own."""

    async def play(at: Home, bring: Bring) -> None:
        for seed, name in enumerate(("found", "written")):
            put_model(at.loras / f"{name}.safetensors", seed)
            Image.new("RGB", (8, 8), "green").save(at.loras / f"{name}.png")
            (at.loras / f"{name}.txt").write_text(f"said of {name}")
        found, written = [await at.see(at.loras / f"{name}.safetensors") for name in ("found", "written")]
        await at.until(lambda: all(pending.picture_of(at.db, number) for number in (found, written)))
        for number in (found, written):
            await at.observer.read_beside(number)
        await at.library.write(
            lambda _: Decision([of_pending(written, PendingEdited(written, Changes(description="mine")))]), actor="page"
        )
        rows = [
            {"id": 70 + number, "path": str(at.loras / f"{name}.safetensors"), "tags": [name]}
            for number, name in enumerate(("found", "written"))
        ]
        report = await bring(build_v2(tmp_path / "old", pending=rows))

        assert (report.pending, report.united, report.images) == (2, 1, 0)
        assert [pending.get(at.db, number) for number in (found, 71)] == [None, None]
        back = pending.get(at.db, 70)
        assert back is not None
        assert (back.state, back.picture, back.picture_origin) == ("waiting", ".png", "companion")
        assert back.texts.description == "said of found"
        assert list(tags.of_pending(at.db, 70).values()) == ["found"]
        assert list(tags.of_pending(at.db, written).values()) == ["written"]
        assert (await at.bring_in(70)).state == "completed"
        assert images.sequences(at.db, sha_of(0)) == [0]

    run(tmp_path, play)


def test_twice(tmp_path: Path) -> None:
    """What came along once does not come again; what somebody took away since stays away, though the row changed."""
    sha256 = sha_of(1)

    def old(at: Home, folder: str, **more: Any) -> Path:
        row = of_v2(at.loras / "a.safetensors", 1, tags=["a", "b"], meta_json={"description": "old"}) | more
        return build_v2(tmp_path / folder, row, images=tiers(sha256, 0) | tiers(sha256, 1, "blue"))

    async def play(at: Home, bring: Bring) -> None:
        put_model(at.loras / "a.safetensors", 1)
        await bring(old(at, "old"))
        again = await bring(tmp_path / "old")
        assert (again.models, again.already, again.tags, again.images) == (0, 1, 0, 0)
        (tag,) = (number for number, name in tags.of_model(at.db, sha256).items() if name == "a")
        await at.library.write(
            lambda _: Decision(
                [
                    of_model(sha256, ModelUntagged(sha256, tag)),
                    of_model(sha256, ModelEdited(sha256, Changes(description="new"))),
                ]
            ),
            actor="page",
        )
        await at.gallery.remove(sha256, 0, **HINTS)
        (tmp_path / "old" / "hikaze_model_manager.db-wal").unlink()
        old(at, "changed", tags=["a", "b", "c"], meta_json={"description": "old", "prompts": {"positive": "p"}})
        for name in os.listdir(tmp_path / "changed"):
            if name.startswith("hikaze"):
                os.replace(tmp_path / "changed" / name, tmp_path / "old" / name)
        changed = await bring(tmp_path / "old")

        assert (changed.models, changed.united, changed.tags, changed.images) == (1, 1, 1, 0)
        assert (described(at, sha256), names(at, sha256)) == ("new", ["b", "c"])
        assert images.sequences(at.db, sha256) == [1]
        known = models.get(at.db, sha256)
        assert known is not None
        assert known.own.prompts.positive == "p"

    run(tmp_path, play)


def test_rows_of_one_content(tmp_path: Path) -> None:
    """Nothing of any is dropped: tags and pictures are united, texts that differ are appended with their source."""

    async def play(at: Home, bring: Bring) -> None:
        paths = [put_model(at.loras / f"{name}.safetensors", 1) for name in "ab"]
        rows = [
            hashed(path, 1, tags=[path.stem, "both"], extra_json={"description": text, "images": [f"/media/{name}"]})
            for path, text, name in zip(paths, ("one", "two"), ("model_1_1_a.png", "model_2_1_b.png"), strict=True)
        ]
        made = {"model_1_1_a.png": picture("red"), "model_2_1_b.png": picture("blue")}
        report = await bring(build_v1(tmp_path / "old", *rows, images=made))

        assert (report.models, report.united, report.images) == (2, 1, 2)
        assert described(at, sha_of(1)) == "one\n\nFrom Hikaze 1, models 2:\ntwo"
        assert names(at, sha_of(1)) == ["a", "b", "both"]
        assert images.sequences(at.db, sha_of(1)) == [0, 1]
        assert at.states(sha_of(1)) == {str(path): False for path in paths}

    run(tmp_path, play)


def test_a_pending_model_that_gives_way(tmp_path: Path) -> None:
    """What was seen before, and written to, becomes the model that the earlier library knows, words and picture too."""

    async def play(at: Home, bring: Bring) -> None:
        path = put_model(at.loras / "a.safetensors", 1)
        Image.new("RGB", (8, 8), "green").save(at.loras / "a.png")
        number = await at.see(path)
        await at.until(lambda: pending.picture_of(at.db, number))
        await at.library.write(
            lambda _: Decision([of_pending(number, PendingEdited(number, Changes(description="here")))]), actor="page"
        )
        row = of_v2(path, 1, meta_json={"description": "there"})
        report = await bring(build_v2(tmp_path / "old", row, images=tiers(sha_of(1), 0)))

        assert report.problems == []
        assert pending.get(at.db, number) is None
        assert described(at, sha_of(1)) == f"here\n\nFrom Hikaze 2, models {sha_of(1)[:12]}:\nthere"
        assert images.sequences(at.db, sha_of(1)) == [0, 1]
        assert at.states(sha_of(1)) == {str(path): False}
        assert not os.path.exists(at.store.pending_path(number, ".png"))

    run(tmp_path, play)


def test_a_picture_that_came_to_what_gives_way(tmp_path: Path) -> None:
    """A picture that one earlier library gave a pending model goes with it to the model of the next one."""

    async def play(at: Home, bring: Bring) -> None:
        path = put_model(at.loras / "a.safetensors", 1)
        extra = {"images": ["/media/model_1_1756700000000_a.png"]}
        row = {"path": str(path), "extra_json": extra}
        await bring(build_v1(tmp_path / "v1", row, images={"model_1_1756700000000_a.png": picture()}))
        assert len(os.listdir(at.store.pending_folder)) == 1
        await bring(build_v2(tmp_path / "v2", of_v2(path, 1)))

        assert images.sequences(at.db, sha_of(1)) == [0]
        assert images.has_original(at.db, sha_of(1), hashlib.sha256(picture()).hexdigest())

    run(tmp_path, play)


def test_a_claim_that_is_false(tmp_path: Path) -> None:
    """It is found out and shown; what lies there becomes pending, and asking again changes nothing."""

    async def play(at: Home, bring: Bring) -> None:
        path = put_model(at.loras / "a.safetensors", 1)
        row = of_v2(path, 1) | {"sha256": sha_of(2), "tags": ["kept"]}
        await bring(build_v2(tmp_path / "old", row))
        await at.until(lambda: at.at(path))
        assert [denied.path for denied in models.denied_of(at.db, sha_of(2))] == [str(path)]
        assert names(at, sha_of(2)) == ["kept"]
        number = at.at(path)
        (tmp_path / "more").mkdir()
        await bring(build_v2(tmp_path / "more" / "old", row | {"tags": ["kept", "new"]}))

        assert at.at(path) == number
        assert names(at, sha_of(2)) == ["kept", "new"]
        assert at.states(sha_of(2)) == {}

    run(tmp_path, play)


def test_what_lies_at_a_path_already(tmp_path: Path) -> None:
    """A path is one model's: another that claims it comes without a file, and a pending row there is united with it."""

    async def play(at: Home, bring: Bring) -> None:
        path = put_model(at.loras / "a.safetensors", 1)
        rows = of_v2(path, 1), of_v2(path, 1) | {"sha256": sha_of(2), "tags": ["second"]}
        waiting = {"path": str(path), "tags": ["third"], "meta_json": {"images": ["/media/p.png"], "description": "p"}}
        old = build_v2(tmp_path / "old", *rows, pending=[waiting], images={"pending/p.png": picture()})
        report = await bring(old)

        assert (report.models, report.pending, report.united) == (3, 0, 1)
        (told,) = report.problems
        assert (told.table, told.id) == ("models", sha_of(2))
        assert sha_of(1)[:12] in told.what
        assert (names(at, sha_of(1)), names(at, sha_of(2))) == (["third"], ["second"])
        assert (described(at, sha_of(1)), images.sequences(at.db, sha_of(1))) == ("p", [0])
        assert (at.states(sha_of(1)), at.states(sha_of(2))) == ({str(path): False}, {})

    run(tmp_path, play)


def test_folders_of_all_kinds(tmp_path: Path) -> None:
    """A drop folder holds no models, a link leads to a root, and what no root holds is named and comes along."""

    async def play(at: Home, bring: Bring) -> None:
        (tmp_path / "link").symlink_to(at.loras)
        (tmp_path / "other").mkdir()
        paths = [
            put_model(at.drop / "dropped.safetensors", 1),
            put_model(at.loras / "linked.safetensors", 2),
            put_model(tmp_path / "other" / "outside.safetensors", 3),
            at.vae / "gone.safetensors",
        ]
        told = [*paths[:1], tmp_path / "link" / "linked.safetensors", *paths[2:]]
        report = await bring(
            build_v2(tmp_path / "old", *(of_v2(path, seed, type="?") for seed, path in enumerate(told, 1)))
        )

        assert (report.models, report.missing, report.unwatched) == (4, 1, [str(tmp_path / "other")])
        assert [at.states(sha_of(seed)) for seed in (1, 2, 3, 4)] == [
            {},
            {str(paths[1]): False},
            {},
            {str(paths[3]): True},
        ]
        assert [found.type for seed in (1, 2, 3, 4) if (found := models.get(at.db, sha_of(seed)))] == [
            "loras",
            "loras",
            "other",
            "vae",
        ]

    run(tmp_path, play)


def test_pictures_that_cannot_be_had(tmp_path: Path) -> None:
    """One that is broken is named; one that could not be read is named, and comes with the next migration."""

    async def play(at: Home, bring: Bring) -> None:
        listed = [{"images": [f"/media/model_{number}_1_a.png"], "description": "d"} for number in (1, 2)]
        rows = [
            hashed(put_model(at.loras / f"{seed}.safetensors", seed), seed, extra_json=extra)
            for seed, extra in enumerate(listed, 1)
        ]
        made = {"model_1_1_a.png": b"no picture", "model_2_1_a.png": picture()}
        old = build_v1(tmp_path / "old", *rows, images=made)
        shut = old / "images" / "model_2_1_a.png"
        shut.rename(old / "images" / "away")
        shut.symlink_to("model_2_1_a.png")  # which leads to itself, and cannot be opened
        first = await bring(old)
        shut.unlink()
        (old / "images" / "away").rename(shut)
        second, third = await bring(old), await bring(old)

        assert (first.models, first.images) == (2, 0)
        assert {problem.id for problem in first.problems} >= {"1", "2"}
        assert second.images == 1
        assert (second.already, third.already) == (1, 2)
        assert images.sequences(at.db, sha_of(2)) == [0]
        assert described(at, sha_of(2)) == "d"

    run(tmp_path, play)


def test_seen_while_its_pictures_come_to_their_places(tmp_path: Path) -> None:
    """A row that is tried again, because somebody was faster, keeps the tiers that were taken over byte for byte."""
    made = tiers(sha_of(1), 0) | tiers(sha_of(1), 1, "green")

    class Slow(ImageStore):
        see: Callable[[], object] | None = None

        def promote(self, token: str, sha256: str, seq: int) -> None:
            super().promote(token, sha256, seq)
            if seq == 1 and self.see is not None:
                see, self.see = self.see, None
                see()

    async def go() -> None:
        async with home(tmp_path) as at:
            at.store = store = Slow(str(at.data))
            path = put_model(at.loras / "a.safetensors", 1)
            loop = asyncio.get_running_loop()
            store.see = lambda: asyncio.run_coroutine_threadsafe(at.see(path), loop).result()
            async with migrating(at) as migration:
                report = await Bring(migration)(build_v2(tmp_path / "old", of_v2(path, 1), images=made))

            assert store.see is None
            assert len(await at.events("pending-found", "pending-imported")) == 2
            assert (report.models, report.images, report.problems) == (1, 2, [])
            for name, data in made.items():
                assert Path(at.store.folder, name[:2], name).read_bytes() == data
            assert os.listdir(at.store.staging) == []

    asyncio.run(go())


def many(at: Home, count: int, folder: Path) -> Path:
    """Build a library of Hikaze 2 of so many models, each with a picture, and as many pending models."""
    rows = [of_v2(put_model(at.loras / f"{seed}.safetensors", seed), seed, tags=[str(seed)]) for seed in range(count)]
    made = {name: data for seed in range(count) for name, data in tiers(sha_of(seed), 0).items()}
    waiting = [
        {"id": 1000 + seed, "path": str(put_model(at.vae / f"{seed}.safetensors", 1000 + seed))}
        | {"meta_json": {"images": [f"/media/{seed}.png"]}}
        for seed in range(count)
    ]
    made |= {f"pending/{seed}.png": picture() for seed in range(count)}
    return build_v2(folder, *rows, pending=waiting, images=made)


def everything(at: Home, count: int) -> dict[str, Any]:
    """Give what came of `many`."""
    return {
        "models": {
            seed: (names(at, sha_of(seed)), images.sequences(at.db, sha_of(seed)), at.states(sha_of(seed)))
            for seed in range(count)
        },
        "pending": {number: bool(pending.get(at.db, number)) for number in range(1000, 1000 + count)},
        "originals": {path.name for path in Path(at.store.pending_folder).glob("*")},
        "count": (at.db.execute("SELECT count(*) FROM models").get, pending.count(at.db)),
    }


async def until_row(at: Home, row: int) -> None:
    """Wait until so many rows came along."""
    await at.until(lambda: at.db.execute("SELECT count(*) FROM migrated_rows").get >= row)


def test_one_at_a_time(tmp_path: Path) -> None:
    """Whoever asks for the same waits for it, another is refused; a cancelled one can be asked for again."""

    async def play(at: Home, bring: Bring) -> None:
        source = legacy.find(str(many(at, 6, tmp_path / "old")))
        other = legacy.find(str(build_v1(tmp_path / "other", {})))
        both = [asyncio.create_task(bring.migration.bring(source, actor="page")) for _ in range(2)]
        await until_row(at, 1)
        with pytest.raises(AnotherUnderWay):
            await bring.migration.bring(other, actor="page")
        assert await bring.migration.cancel() == (True, at.library.news.head)
        first, same = await asyncio.gather(*both)

        assert first is same
        assert first.status == "cancelled"
        assert first.models + first.pending < 12
        assert (await bring.migration.cancel())[0] is False
        rest = await bring(tmp_path / "old")
        assert (rest.status, rest.already) == ("done", first.models + first.pending)
        assert rest.models + rest.pending + rest.already == 12

    run(tmp_path, play)


@pytest.mark.parametrize("row", [1, 3, 6, 9])
def test_interrupted(tmp_path: Path, row: int) -> None:
    """What a stop of the daemon interrupts goes on at its start, and comes to the same as without."""
    top = tmp_path / "home"
    top.mkdir()

    async def begin() -> None:
        async with home(top) as at, migrating(at) as migration:
            asked = asyncio.create_task(migration.bring(legacy.find(str(many(at, 5, tmp_path / "old"))), actor="page"))
            await until_row(at, row)
            await migration.close()
            assert asked.cancelled() or asked.done() or await asyncio.wait([asked])

    async def go_on() -> None:
        async with home(top) as at, migrating(at):
            await at.until(lambda: not migrations.unfinished(at.db) and not os.listdir(at.data / "migration-tmp"))
            found = everything(at, 5)
            assert found["count"] == (5, 5)
            assert found["models"] == {
                seed: ([str(seed)], [0], {str(at.loras / f"{seed}.safetensors"): False}) for seed in range(5)
            }
            assert all(found["pending"].values())
            assert found["originals"] == {f"{number}.png" for number in range(1000, 1005)}
            assert not os.listdir(at.store.staging)
            assert sum(len(files) for _, _, files in os.walk(at.store.folder)) == 5 * 3 + 5

    asyncio.run(begin())
    asyncio.run(go_on())


def test_while_it_is_written_to(tmp_path: Path) -> None:
    """The earlier program may have its database open and go on: what was committed comes along."""

    async def play(at: Home, bring: Bring) -> None:
        old = build_v1(tmp_path / "old", hashed(put_model(at.loras / "a.safetensors", 1), 1, tags=["a"]))
        db = apsw.Connection(str(old / "hikaze_mm.sqlite3"))
        db.execute('UPDATE models SET extra_json = \'{"description": "late"}\'')
        db.execute("BEGIN IMMEDIATE; UPDATE models SET extra_json = NULL")
        report = await bring.migration.bring(legacy.find(str(old)), actor="page")
        db.close()

        assert report.models == 1
        assert described(at, sha_of(1)) == "late"

    run(tmp_path, play)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """It waits for room and goes on; whoever cancels meanwhile is heard."""
    room = [False]

    class Full(ImageStore):
        def promote(self, token: str, sha256: str, seq: int) -> None:
            if not room[0]:
                raise OSError(28, "No space left on device")
            super().promote(token, sha256, seq)

    async def go() -> None:
        async with home(tmp_path) as at:
            at.store = Full(str(at.data))
            async with migrating(at) as migration:
                source = legacy.find(str(many(at, 2, tmp_path / "old")))
                asked = asyncio.create_task(migration.bring(source, actor="page"))
                await asyncio.sleep(0.2)
                assert (await migration.cancel())[0]
                assert (await asked).models == 0
                asked = asyncio.create_task(migration.bring(source, actor="page"))
                await asyncio.sleep(0.2)
                room[0] = True

                assert (await asked).models == 2
                assert everything(at, 2)["count"] == (2, 2)

    asyncio.run(go())


def test_a_root_that_is_away(tmp_path: Path) -> None:
    """What lies in a root that is away is offline, not missing; when it comes back it is looked at and confirmed."""

    async def play(at: Home, bring: Bring) -> None:
        path, gone = put_model(at.loras / "a.safetensors", 1), at.loras / "gone.safetensors"
        waiting = put_model(at.loras / "b.safetensors", 2)
        at.loras.rename(tmp_path / "away")
        old = build_v2(
            tmp_path / "old",
            of_v2(path, 1),
            of_v2(gone, 3),
            pending=[{"id": 40, "path": str(waiting), "size_bytes": waiting.parent.exists() or len(model_bytes(2))}],
        )
        report = await bring(old)
        assert (report.missing, report.unwatched) == (0, [])
        assert (at.states(sha_of(1)), at.states(sha_of(3))) == ({str(path): False}, {str(gone): False})
        known = pending.get(at.db, 40)
        assert known is not None
        assert known.state == "waiting"
        (tmp_path / "away").rename(at.loras)
        await at.observer.scan()
        at.now += 3  # by then the files have come to rest
        await at.observer.scan()

        await at.until(lambda: (found := models.get(at.db, sha_of(1))) and not found.claimed)
        await at.until(lambda: at.states(sha_of(3)) == {str(gone): True})
        back = pending.get(at.db, 40)
        assert back is not None
        assert (back.state, back.ino != 0) == ("waiting", True)

    run(tmp_path, play)


class Died(BaseException):
    """The process is gone at this moment, with nothing tidied up."""


class Mortal(ImageStore):
    """A picture store in which one may die: before, in the midst of, or after what it does."""

    def __init__(self, data: str, moment: str) -> None:
        """Die at a moment, the third time it comes."""
        super().__init__(data)
        self._moment, self._left = moment, 3

    def _now(self, moment: str) -> None:
        if moment == self._moment:
            self._left -= 1
        if self._left <= 0:
            raise Died

    def promote(self, token: str, sha256: str, seq: int) -> None:
        """Put tiers into their places."""
        self._now("before a picture is in its place")
        super().promote(token, sha256, seq)
        self._now("behind a picture in its place")

    def settle(self, sha256: str, seq: int) -> None:
        """Let a picture stay."""
        self._now("behind the write of a model")
        super().settle(sha256, seq)

    def keep_pending(self, pending: int, extension: str, received: str) -> None:
        """Keep an original."""
        super().keep_pending(pending, extension, received)
        self._now("behind an original in its place")

    def drop_pending(self, pending: int, *, but: str | None = None) -> None:
        """Drop the other originals."""
        self._now("behind the write of a pending model")
        super().drop_pending(pending, but=but)

    def discard(self, token: str) -> None:
        """Remove what is staged, unless one is dead."""
        if self._left > 0:
            super().discard(token)


@pytest.mark.parametrize(
    "moment",
    [
        "before a picture is in its place",
        "behind a picture in its place",
        "behind the write of a model",
        "behind an original in its place",
        "behind the write of a pending model",
    ],
)
def test_a_crash_at_a_moment(tmp_path: Path, moment: str) -> None:
    """What was half done is taken back or finished at the next start, and the rest comes: no row, no picture less."""

    async def die() -> None:
        async with home(tmp_path) as at:
            at.store = Mortal(str(at.data), moment)
            async with migrating(at) as migration:
                asked = migration.bring(legacy.find(str(many(at, 5, tmp_path / "old"))), actor="page")
                with pytest.raises(Died):
                    await asked

    async def go_on() -> None:
        async with home(tmp_path) as at, migrating(at):
            await at.until(lambda: not migrations.unfinished(at.db) and not os.listdir(at.data / "migration-tmp"))
            found = everything(at, 5)
            assert found["count"] == (5, 5)
            assert all(sequences == [0] for _, sequences, _ in found["models"].values())
            assert found["originals"] == {f"{number}.png" for number in range(1000, 1005)}
            assert os.listdir(at.store.staging) == []
            assert sum(len(files) for _, _, files in os.walk(at.store.folder)) == 5 * 3 + 5
            assert at.db.execute("SELECT count(*) FROM migrated_rows").get == 10

    asyncio.run(die())
    asyncio.run(go_on())


class Flaky:
    """A library whose every third write fails: not done at all, or done and nobody is told."""

    def __init__(self, real: Library, *, done: bool) -> None:
        """Stand before a library."""
        self._real, self._done, self._count = real, done, 0

    def __getattr__(self, name: str) -> Any:
        """Give what the library has."""
        return getattr(self._real, name)

    async def write(self, decide: Decide, **how: Any) -> Written:
        """Write, but for every third time."""
        self._count += 1
        if self._count % 3:
            return await self._real.write(decide, **how)
        if self._done:
            await self._real.write(decide, **how)
        raise Unwritable("the disk is full", "free some space")


@pytest.mark.parametrize("done", [True, False])
def test_writes_that_fail(tmp_path: Path, done: bool) -> None:
    """They are tried again until the log has the row, and it never has it twice."""

    async def go() -> None:
        async with home(tmp_path) as at:
            flaky: Any = Flaky(at.library, done=done)
            lookout = Lookout(at.library, at.disks, at.observer)
            rows = Rows(flaky, at.store, at.busy, lookout, at.observer.writing_at, retry_s=0.01)
            migration = Migration(at.library, str(at.data), rows, lookout, at.observer.confirm_claims)
            report = await migration.bring(legacy.find(str(many(at, 4, tmp_path / "old"))), actor="page")
            found = everything(at, 4)

            assert (report.models, report.pending, report.images) == (4, 4, 8)
            assert found["count"] == (4, 4)
            assert all(sequences == [0] for _, sequences, _ in found["models"].values())
            assert found["originals"] == {f"{number}.png" for number in range(1000, 1004)}
            assert os.listdir(at.store.staging) == []
            assert len(await at.events("row-migrated", "image-added", "pending-pictured")) == 8 + 4 + 4

    asyncio.run(go())
