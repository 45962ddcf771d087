"""Pictures of models and pending models: kept once, told to the log, and never in each other's way."""

import asyncio
import errno
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hikaze.daemon.edits import NotFound
from hikaze.daemon.pictures import TIERS, PictureRefused
from hikaze.projections import images, pending
from PIL import Image

from .home import HINTS, Home, home
from .library import put_model
from .test_importer import sha_of


def run(top: Path, play: Callable[[Home], Awaitable[None]]) -> None:
    """Let something happen in a library at work, with one model."""

    async def go() -> None:
        async with home(top) as at_work:
            await at_work.bring_in(await at_work.see(put_model(at_work.drop / "m.safetensors", 1)))
            await play(at_work)
            assert os.listdir(at_work.store.staging) == []

    asyncio.run(go())


def received(at: Home, colour: str = "red", kind: str = "PNG") -> str:
    """Give the token of a picture that was received."""
    token = at.store.new_token()
    Image.new("RGB", (20, 30), colour).save(at.store.incoming(token), kind)
    return token


def test_numbers_are_never_used_again(tmp_path: Path) -> None:
    """Pictures that come at once get numbers of their own, and one that is removed leaves its number."""

    async def play(at: Home) -> None:
        added = await asyncio.gather(*(at.gallery.add(sha_of(1), received(at), actor="page") for _ in range(3)))
        assert sorted(seq for seq, _ in added) == [0, 1, 2]
        await at.gallery.remove(sha_of(1), 2, **HINTS)
        seq, _ = await at.gallery.add(sha_of(1), received(at), actor="page")

        assert seq == 3
        assert images.sequences(at.db, sha_of(1)) == [0, 1, 3]
        assert all(os.path.exists(at.store.path(sha_of(1), seq, tier)) for seq in (0, 1, 3) for tier in TIERS)
        assert len(os.listdir(at.store.removed)) == 3
        with pytest.raises(NotFound):
            await at.gallery.remove(sha_of(1), 2, **HINTS)

    run(tmp_path, play)


def test_the_same_request_again(tmp_path: Path) -> None:
    """It gets the first answer, and there is one picture."""

    async def play(at: Home) -> None:
        ways = {"actor": "page", "key": "k", "request": b"r"}
        first, _ = await at.gallery.add(sha_of(1), received(at), **ways)
        second, written = await at.gallery.add(sha_of(1), received(at), **ways)

        assert (first, second, written.repeated) == (0, 0, True)
        assert os.path.exists(at.store.path(sha_of(1), 0, "high"))
        assert not os.path.exists(at.store.path(sha_of(1), 1, "high"))

    run(tmp_path, play)


def test_refusals_leave_nothing(tmp_path: Path) -> None:
    """What is no picture, or for nobody, is refused, and nothing of it stays."""

    async def play(at: Home) -> None:
        token = at.store.new_token()
        Path(at.store.incoming(token)).write_bytes(b"no picture")
        with pytest.raises(PictureRefused):
            await at.gallery.add(sha_of(1), token, actor="page")
        with pytest.raises(NotFound):
            await at.gallery.add("b" * 64, received(at), actor="page")
        with pytest.raises(NotFound):
            await at.gallery.give_pending(9, received(at), actor="page")

        assert images.sequences(at.db, sha_of(1)) == []

    run(tmp_path, play)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_that_is_refused_takes_no_place(tmp_path: Path, kind: str) -> None:
    """Where the log cannot take a picture, the pending model has the one that it had, byte for byte."""

    async def play(at: Home) -> None:
        number = await at.see(put_model(at.drop / "a.safetensors", 2))
        await at.gallery.give_pending(number, received(at), actor="page")
        before = Path(at.store.pending_path(number, ".png")).read_bytes()
        token = received(at, "blue", kind)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(at.library, "write", _full)
            with pytest.raises(OSError, match="full"):
                await at.gallery.give_pending(number, token, actor="page")

        assert os.listdir(at.store.pending_folder) == [f"{number}.png"]
        assert Path(at.store.pending_path(number, ".png")).read_bytes() == before

    run(tmp_path, play)


async def _full(*_asked: object, **_how: object) -> None:
    raise OSError(errno.ENOSPC, "the disk is full")


def test_what_a_person_gave_is_kept(tmp_path: Path) -> None:
    """A picture that a person gave takes the place of a companion, and no companion takes its place."""

    async def play(at: Home) -> None:
        number = await at.see(put_model(at.drop / "a.safetensors", 2))
        companion = at.drop / "a.png"
        Image.new("RGB", (8, 8)).save(companion)
        await at.gallery.take_companion(number)
        assert pending.picture_of(at.db, number) == ".png"
        await at.gallery.give_pending(number, received(at, kind="JPEG"), actor="page")
        await at.gallery.take_companion(number)
        await at.gallery.take_companions([number, number])

        assert pending.picture_of(at.db, number) == ".jpg"
        assert os.listdir(at.store.pending_folder) == [f"{number}.jpg"]
        assert companion.exists()

    run(tmp_path, play)


def test_companions_of_a_folder(tmp_path: Path) -> None:
    """Each model takes its own; a broken one is passed over."""

    async def play(at: Home) -> None:
        numbers = [await at.see(put_model(at.drop / f"{name}.safetensors", seed)) for seed, name in enumerate("abc", 2)]
        Image.new("RGB", (8, 8)).save(at.drop / "A.Preview.PNG")
        (at.drop / "b.png").write_bytes(b"broken")
        Image.new("RGB", (8, 8)).save(at.drop / "c.v2.png")
        await at.gallery.take_companions(numbers)

        assert [pending.picture_of(at.db, number) for number in numbers] == [".png", None, None]
        assert os.listdir(at.store.pending_folder) == [f"{numbers[0]}.png"]

    run(tmp_path, play)


def digest(path: Path) -> str:
    """Give the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_log_tells_which_file_a_picture_was(tmp_path: Path) -> None:
    """By its digest the same file is known again, wherever it comes from."""

    async def play(at: Home) -> None:
        companion, given = at.drop / "a.png", at.drop / "given.png"
        Image.new("RGB", (8, 8)).save(companion)
        Image.new("RGB", (9, 9)).save(given)
        number = await at.see(put_model(at.drop / "a.safetensors", 2))
        await at.until(lambda: pending.picture_of(at.db, number))
        token = at.store.new_token()
        at.store.receive(token, str(given))
        await at.gallery.give_pending(number, token, actor="page")
        token = at.store.new_token()
        at.store.receive(token, str(given))
        await at.gallery.add(sha_of(1), token, actor="page")

        told = await at.events("pending-pictured", "image-added")
        assert [event["original"] for event in told] == [digest(companion), digest(given), digest(given)]

    run(tmp_path, play)


def test_the_first_picture_of_a_model(tmp_path: Path) -> None:
    """What lies beside it is taken where it never had one; not where one was taken away, nor for nobody."""

    async def play(at: Home) -> None:
        beside = at.drop / "beside.png"
        Image.new("RGB", (8, 8)).save(beside)
        (at.drop / "broken.png").write_bytes(b"broken")
        await at.gallery.take_first("b" * 64, str(beside))
        await at.gallery.take_first(sha_of(1), str(at.drop / "gone.png"))
        await at.gallery.take_first(sha_of(1), str(at.drop / "broken.png"))
        assert images.sequences(at.db, sha_of(1)) == []
        await asyncio.gather(*(at.gallery.take_first(sha_of(1), str(beside)) for _ in range(3)))
        assert images.sequences(at.db, sha_of(1)) == [0]
        await at.gallery.remove(sha_of(1), 0, **HINTS)
        await at.gallery.take_first(sha_of(1), str(beside))

        assert images.sequences(at.db, sha_of(1)) == []
        (added,) = await at.events("image-added")
        assert added["original"] == digest(beside)

    run(tmp_path, play)


def test_a_companion_that_changed(tmp_path: Path) -> None:
    """It is taken anew, once; a broken one changes nothing, and none takes the place of what a person gave."""

    async def play(at: Home) -> None:
        model, companion = put_model(at.drop / "a.safetensors", 2), at.drop / "a.png"
        Image.new("RGB", (8, 8)).save(companion)
        number = await at.see(model)
        await at.until(lambda: pending.picture_of(at.db, number))
        before = await at.events("pending-pictured")
        os.utime(companion, ns=(1, 1))
        for _ in range(2):
            await at.gallery.renew(str(model), str(companion))
        await at.gallery.renew(str(at.drop / "nobody.safetensors"), str(companion))
        companion.write_bytes(b"broken")
        await at.gallery.renew(str(model), str(companion))
        assert await at.events("pending-pictured") == before
        Image.new("RGB", (9, 9)).save(companion, "JPEG")
        await at.gallery.renew(str(model), str(companion))
        assert pending.picture_of(at.db, number) == ".jpg"
        assert os.listdir(at.store.pending_folder) == [f"{number}.jpg"]
        await at.gallery.give_pending(number, received(at), actor="page")
        Image.new("RGB", (10, 10)).save(companion)
        await at.gallery.renew(str(model), str(companion))

        assert len(await at.events("pending-pictured")) == 3
        assert pending.picture_of(at.db, number) == ".png"

    run(tmp_path, play)
