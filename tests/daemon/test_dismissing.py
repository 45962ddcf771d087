"""Sending pending models away, and what a crash leaves of it."""

import os
from pathlib import Path

import pytest
from hikaze.daemon import dismissing, edits, trash
from hikaze.daemon.dismissing import NotNow
from hikaze.daemon.edits import edit_pending
from hikaze.daemon.shapes import PendingPatch
from hikaze.events.writer import Decision, Unwritable
from hikaze.projections import pending

from .home import HINTS, Home
from .library import put_model
from .test_importer import run


async def dismiss(at: Home, number: int) -> None:
    """Send a pending model away."""
    await dismissing.dismiss(at.library, at.busy, str(at.data), number, **HINTS)


async def written(at: Home, path: Path) -> int:
    """Let there be a dropped file that somebody wrote to: were it lost, it would stay in the list as missing."""
    number = await at.see(put_model(path, 1))
    await at.library.write(lambda db: edit_pending(db, number, PendingPatch(tags=["x"]), None), actor="page")
    return number


def move_only(at: Home, number: int) -> trash.Entry:
    """Do what is done to the disk, as if a crash had come before the log was told."""
    found = pending.get(at.db, number)
    assert found is not None
    dismissing._to_trash(str(at.data), dismissing.every(at.db), found)
    (entry,) = trash.entries(str(at.data / "trash"))
    return entry


def test_a_dropped_file_goes_to_the_trash(tmp_path: Path) -> None:
    """It lies there with its record, and both are told to the log; again, it is refused."""

    async def play(at: Home) -> None:
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        await dismiss(at, number)

        (entry,) = trash.entries(str(at.data / "trash"))
        assert entry.record is not None
        assert (entry.record.reason, entry.record.pending) == ("dismissed", number)
        assert [told["trash"] for told in await at.events("file-trashed", "pending-dismissed")] == [entry.folder] * 2
        assert os.listdir(at.drop) == []
        assert at.busy.paths == set()
        with pytest.raises(edits.NotFound):
            await dismiss(at, number)

    run(tmp_path, play)


def test_not_now(tmp_path: Path) -> None:
    """A file that is being imported, or that has changed, stays where it is."""

    async def play(at: Home) -> None:
        path = at.drop / "a.safetensors"
        number = await at.see(put_model(path, 1))
        at.busy.paths.add(str(path))
        with pytest.raises(NotNow, match="being imported"):
            await dismiss(at, number)
        at.busy.paths.clear()
        os.utime(path, ns=(1, 1))
        with pytest.raises(NotNow, match="has changed"):
            await dismiss(at, number)

        assert path.exists()
        assert at.busy.paths == set()

    run(tmp_path, play)


def test_the_log_cannot_be_told(tmp_path: Path) -> None:
    """The file goes back to where it was, and the record with it."""

    class Deaf:
        """A library that takes no writes."""

        def __init__(self, at: Home) -> None:
            self.db = at.db

        async def write(self, _decide: object, **_how: object) -> None:
            raise Unwritable("the disk is full")

    async def play(at: Home) -> None:
        path = at.drop / "a.safetensors"
        number = await at.see(put_model(path, 1))
        with pytest.raises(Unwritable):
            await dismissing.dismiss(Deaf(at), at.busy, str(at.data), number, **HINTS)  # pyright: ignore[reportArgumentType]

        assert path.exists()
        assert os.listdir(at.data / "trash") == []

    run(tmp_path, play)


def test_a_crash_before_the_log_was_told(tmp_path: Path) -> None:
    """The next start tells it, once; a pending model that somebody wrote to is not taken for a lost one."""

    async def first(at: Home) -> None:
        move_only(at, await written(at, at.drop / "a.safetensors"))

    async def second(at: Home) -> None:
        assert len(await at.events("file-trashed", "pending-dismissed")) == 2
        assert at.db.execute("SELECT count(*) FROM pending_import").get == 0
        await dismissing.recover(at.library, str(at.data))
        await at.observer.scan()
        assert len(await at.events("file-trashed", "pending-dismissed", "pending-lost")) == 2

    run(tmp_path, first)
    run(tmp_path, second)


@pytest.mark.parametrize("meanwhile", ["put back", "another file in the trash", "written anew"])
def test_what_somebody_did_meanwhile_counts(tmp_path: Path, meanwhile: str) -> None:
    """A file that was taken out of the trash, or another one, is not said to have been dismissed."""

    async def play(at: Home) -> None:
        path = at.drop / "a.safetensors"
        number = await written(at, path)
        entry = move_only(at, number)
        match meanwhile:
            case "put back":
                os.rename(entry.file, path)
            case "another file in the trash":
                put_model(Path(entry.file), 2, 512)
            case _:
                os.rename(entry.file, path)
                put_model(path, 2, 512)
        await dismissing.recover(at.library, str(at.data))

        assert await at.events("file-trashed", "pending-dismissed") == []
        assert path.exists() == (meanwhile != "another file in the trash")

    run(tmp_path, play)


def test_a_known_dismissal_is_left_alone(tmp_path: Path) -> None:
    """What the log knows is not told again, whatever else came to its path."""

    async def play(at: Home) -> None:
        path = at.drop / "a.safetensors"
        await dismiss(at, await at.see(put_model(path, 1)))
        again = await at.see(put_model(path, 1))
        path.unlink()
        await dismissing.recover(at.library, str(at.data))
        await at.library.write(lambda _db: Decision(), actor="page")

        assert len(await at.events("pending-dismissed")) == 1
        assert again == 2
        assert len(trash.entries(str(at.data / "trash"))) == 1

    run(tmp_path, play)
