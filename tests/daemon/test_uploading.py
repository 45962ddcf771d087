"""Files arrive in pieces, whole or not, and nothing of them is lost, mixed up or left behind."""

import asyncio
import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hikaze.daemon import roots, uploadparts
from hikaze.daemon.uploading import KEPT_MS, Uploads
from hikaze.daemon.uploadparts import Part, Record
from hikaze.daemon.uploads import MOST, BadUpload, DiskFull, NotNow, UploadRefused, said, wish
from hypothesis import given, settings
from hypothesis import strategies as st

from ..machine import needs_mount
from .home import home
from .uploadfolder import KEY, NAME, Sender, body, drop_folder, in_loop

DATA = bytes(range(256)) * 8
SIZE = len(DATA)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty drop folder."""
    path = tmp_path / "drop"
    path.mkdir()
    return path


@pytest.fixture
def sender(folder: Path) -> Sender:
    """Give somebody who uploads into it."""
    return Sender(drop_folder(folder), stall_s=0.01, idle_s=0.05)


def seen(folder: Path) -> dict[str, bytes]:
    """Give what a person sees in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def hidden(folder: Path) -> list[str]:
    """Give what a person does not see there."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@in_loop
async def test_pieces_become_the_file(sender: Sender, folder: Path) -> None:
    """Pieces one after the other become the file, which is seen when the last byte is here, and not before."""
    assert await told(sender) == (0, False, None)
    assert (await sender.send([DATA[:100], DATA[100:150]], size=SIZE)).offset == 150
    assert await told(sender) == (150, False, None)
    assert (seen(folder), sender.appeared) == ({}, [])
    assert {stat_mode(folder / name) for name in hidden(folder)} == {0o600}

    done = await sender.send([DATA[150:]], 150, size=SIZE, announced=True)

    path = str(folder / NAME)
    assert (done.offset, done.done, done.path, sender.appeared) == (SIZE, True, path, [path])
    assert (seen(folder), hidden(folder)) == ({NAME: DATA}, [])
    assert stat_mode(folder / NAME) == 0o600


async def told(sender: Sender) -> tuple[int, bool, str | None]:
    """Ask how an upload stands."""
    stands = await sender.send(size=SIZE)
    return stands.offset, stands.done, stands.path


def stat_mode(path: Path) -> int:
    """Give the permissions of a file."""
    return path.stat().st_mode & 0o777


@in_loop
async def test_a_question_leaves_nothing_behind(sender: Sender, folder: Path) -> None:
    """Who asks how an unknown upload stands is told 0, and no file is made for it."""
    assert await told(sender) == (0, False, None)
    assert list(folder.iterdir()) == []


@in_loop
async def test_a_piece_begins_where_the_last_ended(sender: Sender) -> None:
    """A piece that begins elsewhere is refused with where it is to begin, and changes nothing."""
    await sender.send([DATA[:100]], size=SIZE)
    for offset in (0, 99, 101):
        refused = await sender.refused([DATA[offset : offset + 50]], offset, size=SIZE)
        assert (type(refused), refused.offset) == (NotNow, 100)

    assert await told(sender) == (100, False, None)


@pytest.mark.parametrize("announced", [True, False])
@in_loop
async def test_a_surplus_is_refused(sender: Sender, folder: Path, announced: bool) -> None:
    """A piece with more bytes than are left is refused whole, whether its length is known before or not."""
    await sender.send([DATA[:100]], size=SIZE)

    refused = await sender.refused([DATA[100:200], DATA[200:], b"x"], 100, size=SIZE, announced=announced)

    assert type(refused) is BadUpload
    assert await told(sender) == (100, False, None)
    assert seen(folder) == {}
    assert (await sender.send([DATA[100:]], 100, size=SIZE)).done
    assert seen(folder) == {NAME: DATA}


@in_loop
async def test_what_arrived_before_the_connection_was_lost_counts(sender: Sender, folder: Path) -> None:
    """Bytes that came before the connection broke are here, and it goes on behind them, also after a restart."""
    with pytest.raises(ConnectionResetError):
        await sender.send([DATA[:70], DATA[70:123], ConnectionResetError()], size=SIZE)
    sender.restart()
    assert await told(sender) == (123, False, None)

    assert (await sender.send([DATA[123:]], 123, size=SIZE)).done
    assert seen(folder) == {NAME: DATA}


@in_loop
async def test_a_connection_lost_behind_the_last_byte(sender: Sender, folder: Path) -> None:
    """When all bytes came, and the end of the request did not, whoever asks next finds it done."""
    with pytest.raises(ConnectionResetError):
        await sender.send([DATA, ConnectionResetError()], size=SIZE)
    assert seen(folder) == {}

    assert await told(sender) == (SIZE, True, str(folder / NAME))
    assert seen(folder) == {NAME: DATA}


@in_loop
async def test_an_answer_that_was_lost_is_given_again(sender: Sender, folder: Path) -> None:
    """The last piece, all of it, or a question again after the end give the same answer, and no second file."""
    first = await sender.send([DATA], size=SIZE)
    (folder / NAME).unlink()  # it was imported meanwhile

    assert await sender.send([DATA[50:]], 50, size=SIZE) == first
    assert await sender.send([DATA], size=SIZE) == first
    assert await sender.send(size=SIZE) == first
    assert list(folder.iterdir()) == []


@in_loop
async def test_a_key_names_one_file(sender: Sender) -> None:
    """Another name, size or folder under the key of an upload is refused, before and after it is done."""
    await sender.send([DATA[:9]], size=SIZE)
    for how in ({"name": "y.ckpt", "size": SIZE}, {"size": SIZE + 1}):
        assert "choose a new key" in str(await sender.refused([DATA[9:]], 9, **how))
    await sender.send([DATA[9:]], 9, size=SIZE)

    assert "choose a new key" in str(await sender.refused([DATA], size=SIZE, name="y.ckpt"))


@in_loop
async def test_a_taken_name_gets_a_number(sender: Sender, folder: Path) -> None:
    """Nothing in the folder is overwritten: a name that is taken gets a number, another may come meanwhile."""
    (folder / NAME).write_bytes(b"mine")
    (folder / "x (2).safetensors").symlink_to("nowhere")

    done = await sender.send([DATA], size=SIZE)

    assert done.path == str(folder / "x (3).safetensors")
    assert (folder / NAME).read_bytes() == b"mine"
    assert (folder / "x (3).safetensors").read_bytes() == DATA


@in_loop
async def test_it_is_seen_without_a_hint(tmp_path: Path) -> None:
    """What got its name becomes a pending model at once, though nothing hints at it, as on some disks."""
    async with home(tmp_path) as made:
        uploads = Uploads(
            lambda: roots.every(made.library.db),
            made.disks.answers,
            made.observer.judge,
            made.observer.look_at_renamed,
        )
        content = lora_like(3)
        await uploads.take(wish(KEY, NAME, len(content)), 0, body(content))

        assert await made.until(lambda: made.at(made.drop / NAME))


def lora_like(count: int) -> bytes:
    """Give a small whole safetensors file."""
    header = msgspec.json.encode({"a": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}})
    return len(header).to_bytes(8, "little") + header + bytes(count)


# Two at once


class Slow:
    """A body that comes when the test says so."""

    def __init__(self) -> None:
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()

    async def __call__(self) -> bytes:
        return await self.chunks.get()


async def begun(sender: Sender, first: bytes) -> tuple[Slow, asyncio.Task[Any]]:
    """Begin to send a piece, and wait until its first bytes are on the disk."""
    slow = Slow()
    slow.chunks.put_nowait(first)

    task = asyncio.create_task(sender.uploads.take(wish(KEY, NAME, SIZE), 0, slow))
    for _ in range(1000):
        if task.done() or (await told(sender))[0] >= len(first):
            break
        await asyncio.sleep(0.005)
    return slow, task


@in_loop
async def test_of_two_at_once_one_wins(folder: Path) -> None:
    """While one request sends, another of the same key is refused with how much is here; who asks is told."""
    sender = Sender(drop_folder(folder), stall_s=0.01, idle_s=60.0)
    slow, task = await begun(sender, DATA[:100])
    refused = await sender.refused([DATA], size=SIZE)
    assert (type(refused), refused.offset) == (NotNow, 100)
    assert await told(sender) == (100, False, None)

    slow.chunks.put_nowait(DATA[100:])
    slow.chunks.put_nowait(b"")
    assert (await task).done
    assert seen(folder) == {NAME: DATA}


@in_loop
async def test_many_at_once_make_one_file(sender: Sender, folder: Path) -> None:
    """Of ten that send the same at once none spoils the file, and each gets an answer that is true."""
    answers = await asyncio.gather(*(sender.send([DATA], size=SIZE) for _ in range(10)), return_exceptions=True)

    assert all(isinstance(one, NotNow) or getattr(one, "done", False) for one in answers), answers
    assert seen(folder) == {NAME: DATA}


@in_loop
async def test_what_came_is_safe_before_a_pause_ends(folder: Path) -> None:
    """What arrived is made safe while nothing more comes: a killed daemon finds it."""
    sender = Sender(drop_folder(folder), stall_s=0.01, idle_s=60.0)
    _, task = await begun(sender, DATA[:100])
    for _ in range(1000):
        if record_in(folder).safe == 100:
            break
        await asyncio.sleep(0.005)
    assert record_in(folder).safe == 100
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await told(sender) == (100, False, None)


@in_loop
async def test_who_falls_silent_gives_way(sender: Sender) -> None:
    """A sender of whom nothing comes for a minute is given up, and another goes on where it stopped."""
    _, task = await begun(sender, DATA[:100])
    with pytest.raises(NotNow, match="nothing came") as given_up:
        await task

    assert given_up.value.offset == 100
    assert (await sender.send([DATA[100:]], 100, size=SIZE)).done


@in_loop
async def test_cancelled_while_it_comes(folder: Path) -> None:
    """An upload that is cancelled while a piece comes ends at once, and leaves nothing; the key is free again."""
    sender = Sender(drop_folder(folder), stall_s=0.01, idle_s=60.0)
    _, task = await begun(sender, DATA[:100])

    assert await sender.uploads.cancel(KEY)
    with pytest.raises(NotNow, match="cancelled"):
        await task
    assert list(folder.iterdir()) == []
    assert not await sender.uploads.cancel(KEY)
    assert (await sender.send([DATA], size=SIZE)).done
    assert not await sender.uploads.cancel(KEY)
    assert seen(folder) == {NAME: DATA}


# In one go


@pytest.mark.parametrize("size", [SIZE, None])
@in_loop
async def test_a_whole_file_in_one_go(sender: Sender, folder: Path, size: int | None) -> None:
    """A file without a key arrives in one go, also where nobody knows its size before the end."""
    done = await sender.uploads.take(wish_of(size), 0, body(DATA[:5], DATA[5:]))

    assert (done.size, done.done, done.path) == (SIZE, True, str(folder / NAME))
    assert (seen(folder), hidden(folder)) == ({NAME: DATA}, [])


def wish_of(size: int | None) -> Any:
    """Wish for a whole file."""
    return wish(None, NAME, size)


@pytest.mark.parametrize(
    ("chunks", "size", "length"),
    [
        ((), SIZE, None),
        ((DATA[:-1],), SIZE, None),
        ((DATA, b"x"), SIZE, None),
        ((DATA,), SIZE, SIZE + 1),
        ((DATA[:7], ConnectionResetError()), SIZE, SIZE),
        ((DATA[:7], ConnectionResetError()), None, None),
    ],
)
@in_loop
async def test_half_a_file_in_one_go_leaves_nothing(
    sender: Sender, folder: Path, chunks: tuple[Any, ...], size: int | None, length: int | None
) -> None:
    """Without a key nobody can go on: what is not whole is refused, and nothing of it stays."""
    with pytest.raises((BadUpload, ConnectionResetError)):
        await sender.uploads.take(wish_of(size), 0, body(*chunks), length)

    assert list(folder.iterdir()) == []


# Folders


@in_loop
async def test_it_goes_where_it_was_asked_to(tmp_path: Path) -> None:
    """A file goes to the drop folder that was named, else to the first that is here; it goes on where it began."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    sender = Sender(drop_folder(first, 1), drop_folder(second, 2))
    await sender.send([DATA[:9]], size=SIZE, root=2)
    assert "leave root out" in str(await sender.refused([DATA[9:]], 9, size=SIZE, root=1))

    assert (await sender.send([DATA[9:]], 9, size=SIZE)).path == str(second / NAME)
    assert (await sender.send([DATA], size=SIZE, key="another_")).path == str(first / NAME)


@in_loop
async def test_a_drop_folder_that_goes_away(tmp_path: Path) -> None:
    """While the folder of an upload is away it waits, rather than begin again elsewhere; then it goes on."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    here = drop_folder(first, 1)
    sender = Sender(here, drop_folder(second, 2))
    await sender.send([DATA[:9]], size=SIZE)
    for away in ({"offline": True, "why": "absent"}, {"offline": True, "why": "paused", "paused": True}):
        sender.roots[0] = msgspec.structs.replace(here, **away)
        assert type(await sender.refused([DATA[9:]], 9, size=SIZE)) is NotNow
    sender.roots[0] = here
    sender.mute.add(str(first))
    assert "does not answer" in str(await sender.refused([DATA[9:]], 9, size=SIZE))
    sender.mute.clear()

    assert (await sender.send([DATA[9:]], 9, size=SIZE)).path == str(first / NAME)
    assert list(second.iterdir()) == []


@in_loop
async def test_another_folder_in_its_place_gets_nothing(sender: Sender, folder: Path) -> None:
    """A folder that lies where the drop folder was is not written to, though nobody has noticed yet."""
    folder.rename(folder.with_name("old"))
    folder.mkdir()

    assert type(await sender.refused([DATA], size=SIZE)) is NotNow
    assert list(folder.iterdir()) == []


@in_loop
async def test_a_folder_that_has_just_come_is_found(folder: Path) -> None:
    """Where all drop folders seem away they are looked at before anything is refused."""
    here = drop_folder(folder)
    sender = Sender(msgspec.structs.replace(here, offline=True, why="absent"))
    assert "is away" in str(await sender.refused([DATA], size=SIZE))
    assert sender.judged == [1]


@needs_mount
@in_loop
async def test_a_disk_that_is_full(mounted: Callable[[str], Path]) -> None:
    """No room at the beginning is said at once; where the disk fills up what is here stays, and goes on later."""
    disk = mounted("size=1m")
    sender = Sender(drop_folder(disk))
    large = os.urandom(600_000)
    filler = disk / "filler"
    assert type(await sender.refused(size=2_000_000)) is DiskFull
    assert type(await sender.refused([b"x"], size=2_000_000)) is DiskFull
    assert list(disk.iterdir()) == []

    await sender.send([large[:100_000]], size=len(large))

    async def fills_up() -> bytes:
        if filler.exists():
            return large[200_000:]
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(1_000_000))
        return large[100_000:200_000]

    with pytest.raises(DiskFull, match="make room") as refused:
        await sender.uploads.take(wish(KEY, NAME, len(large)), 100_000, fills_up)
    here = refused.value.offset
    assert here is not None
    assert 100_000 <= here < len(large)
    filler.unlink()
    sender.restart()
    assert (await sender.send(size=len(large))).offset == here
    assert (await sender.send([large[here:]], here, size=len(large))).done
    assert seen(disk) == {NAME: large}


@needs_mount
@in_loop
async def test_a_disk_that_is_read_only(mounted: Callable[[str], Path]) -> None:
    """Nothing can be sent to a disk that takes no writes, and it is said what to do."""
    sender = Sender(drop_folder(mounted("ro")))

    assert "mount its disk for writing" in str(await sender.refused([DATA], size=SIZE))


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.EFBIG, DiskFull), (errno.ENOSPC, DiskFull), (errno.EROFS, NotNow), (errno.EILSEQ, BadUpload)],
)
def test_what_a_disk_refuses_is_said_plainly(folder: Path, code: int, kind: type[UploadRefused]) -> None:
    """What a disk refuses in its own words becomes a sentence that says what to do."""
    with pytest.raises(kind), said(drop_folder(folder)), uploadparts.plainly(str(folder)):
        raise OSError(code, os.strerror(code))


@in_loop
async def test_only_so_many_are_unfinished(sender: Sender, folder: Path) -> None:
    """Beyond 64 unfinished uploads a new one is refused until one is finished or cancelled."""
    for number in range(MOST):
        await sender.send([b"x"], size=SIZE, key=f"key-{number:04}")
    sender.restart()
    assert "64 uploads are unfinished" in str(await sender.refused([DATA], size=SIZE))

    await sender.uploads.cancel("key-0007")
    assert (await sender.send([DATA], size=SIZE)).done
    assert len(hidden(folder)) == 2 * (MOST - 1)


# After a crash


@pytest.mark.parametrize("both_names", [False, True])
@in_loop
async def test_killed_while_it_got_its_name(sender: Sender, folder: Path, both_names: bool) -> None:
    """Killed between the rename and the answer, it is done: the same answer follows, and nothing else lies there."""
    await sender.send([DATA[:9]], size=SIZE)
    part = Part(str(folder), record_in(folder))
    part.write(DATA[9:])
    part.sync(5)
    part.close()
    path = Path(uploadparts.part_path(str(folder), KEY))
    uploadparts.write_record(
        str(folder), msgspec.structs.replace(part.record, goal="x (2).safetensors", ino=path.stat().st_ino)
    )
    if both_names:
        os.link(path, folder / "x (2).safetensors")
    else:
        path.rename(folder / "x (2).safetensors")
    sender.restart()

    assert await told(sender) == (SIZE, True, str(folder / "x (2).safetensors"))
    assert (seen(folder), hidden(folder)) == ({"x (2).safetensors": DATA}, [])


def record_in(folder: Path) -> Record:
    """Give the record of the upload."""
    record = uploadparts.read_record(str(folder), KEY)
    assert record is not None
    return record


@in_loop
async def test_a_name_that_another_file_got_is_not_taken_for_it(sender: Sender, folder: Path) -> None:
    """Killed before the rename, with another file under the name meanwhile, it goes on and gets another name."""
    with pytest.raises(ConnectionResetError):
        await sender.send([DATA, ConnectionResetError()], size=SIZE)
    uploadparts.write_record(str(folder), msgspec.structs.replace(record_in(folder), goal=NAME, ino=1))
    (folder / NAME).write_bytes(b"another")
    sender.restart()

    assert await told(sender) == (SIZE, True, str(folder / "x (2).safetensors"))


@in_loop
async def test_what_the_disk_did_not_confirm_does_not_count(sender: Sender, folder: Path) -> None:
    """Bytes behind those that were made safe may be anything after a power cut: they are sent again."""
    await sender.send([DATA[:100]], size=SIZE)
    with open(uploadparts.part_path(str(folder), KEY), "ab") as part:
        part.write(bytes(500))
    sender.restart()
    assert await told(sender) == (100, False, None)

    assert (await sender.send([DATA[100:]], 100, size=SIZE)).done
    assert seen(folder) == {NAME: DATA}


@pytest.mark.parametrize("spoil", ["record gone", "record broken", "part gone", "part cut", "a link"])
@in_loop
async def test_what_somebody_spoiled_begins_again(sender: Sender, folder: Path, spoil: str) -> None:
    """Where somebody removed or broke what was here, it is told how much there is, and the file comes out whole."""
    await sender.send([DATA[:100]], size=SIZE)
    part, record = folder / f".hikaze-upload-{KEY}.part", folder / f".hikaze-upload-{KEY}.state"
    other = folder / "other.safetensors"
    other.write_bytes(b"other")
    match spoil:
        case "record gone":
            record.unlink()
        case "record broken":
            record.write_bytes(b"{")
        case "part gone":
            part.unlink()
        case "part cut":
            os.truncate(part, 30)
        case _:
            part.unlink()
            part.symlink_to(other)
    here = (await told(sender))[0]

    if spoil == "a link":
        with pytest.raises(OSError, match="symbolic links"):
            await sender.send([DATA[here:]], here, size=SIZE)
        assert other.read_bytes() == b"other"
        return
    assert here == (30 if spoil == "part cut" else 0)
    assert (await sender.send([DATA[here:]], here, size=SIZE)).done
    assert seen(folder) == {NAME: DATA, other.name: b"other"}
    assert hidden(folder) == []


@pytest.mark.parametrize("name", ["../x.safetensors", "/x.safetensors", "..", "", "a\\x.safetensors", "x\0"])
@pytest.mark.parametrize("which", ["name", "goal"])
@in_loop
async def test_a_record_that_somebody_made_up_leads_nowhere(
    sender: Sender, folder: Path, which: str, name: str
) -> None:
    """Whoever else may write to the drop folder cannot have a file moved out of it by a record with a path in it."""
    with pytest.raises(ConnectionResetError):
        await sender.send([DATA, ConnectionResetError()], size=SIZE)
    before = record_in(folder)
    beside = sorted(os.listdir(folder.parent))
    made_up = msgspec.structs.replace(
        before, **{which: name}, ino=(folder / f".hikaze-upload-{KEY}.part").stat().st_ino
    )
    uploadparts.write_record(str(folder), made_up)
    sender.restart()
    await sender.uploads.sweep()

    assert (sorted(os.listdir(folder.parent)), seen(folder), sender.appeared) == (beside, {}, [])
    assert await told(sender) == (0, False, None)


# Sweeping


@in_loop
async def test_abandoned_parts_go_after_seven_days(sender: Sender, folder: Path) -> None:
    """What nobody went on with for seven days is removed; a piece in between keeps it."""
    await sender.send([DATA[:9]], size=SIZE, key="old-key1")
    await sender.send([DATA[:9]], size=SIZE)
    sender.now_ms += KEPT_MS - 1
    await sender.send([DATA[9:10]], 9, size=SIZE)
    sender.restart()
    await sender.uploads.sweep()
    assert len(hidden(folder)) == 4
    sender.now_ms += 2
    await sender.uploads.sweep()

    assert hidden(folder) == [f".hikaze-upload-{KEY}.part", f".hikaze-upload-{KEY}.state"]
    assert await told(sender) == (10, False, None)


@in_loop
async def test_what_is_all_here_is_finished_though_nobody_asks(sender: Sender, folder: Path) -> None:
    """A file whose last byte came before a crash gets its name at the next start, and is told of."""
    with pytest.raises(ConnectionResetError):
        await sender.send([DATA, ConnectionResetError()], size=SIZE)
    sender.restart()
    await sender.uploads.sweep()

    assert (seen(folder), hidden(folder), sender.appeared) == ({NAME: DATA}, [], [str(folder / NAME)])


@in_loop
async def test_a_sweep_leaves_alone_what_is_no_upload_or_at_work(folder: Path) -> None:
    """Other hidden files stay, and so does an upload that comes in just now; litter without a record goes when old."""
    sender = Sender(drop_folder(folder), stall_s=0.01, idle_s=60.0)
    (folder / ".other").write_bytes(b"")
    for name, age in (("young", 0), ("older", KEPT_MS + 1000)):
        litter = folder / f".hikaze-upload-{name}key.part"
        litter.write_bytes(b"x")
        os.utime(litter, ns=(0, (sender.now_ms + KEPT_MS - age) * 1_000_000))
    slow, task = await begun(sender, DATA[:100])
    sender.now_ms += 2 * KEPT_MS - 2_000_000
    await sender.uploads.sweep()
    slow.chunks.put_nowait(DATA[100:])
    slow.chunks.put_nowait(b"")

    assert (await task).done
    assert hidden(folder) == [".hikaze-upload-youngkey.part", ".other"]


@in_loop
async def test_what_came_in_one_go_goes_after_a_crash(sender: Sender, folder: Path) -> None:
    """Half a file without a key can be gone on with by nobody: the next start removes it."""
    record = Record(key="some-key", name=NAME, size=None, at=sender.now_ms, safe=3, once=True)
    uploadparts.begin(str(folder), record)
    Path(uploadparts.part_path(str(folder), "some-key")).write_bytes(b"abc")
    await sender.uploads.sweep()

    assert list(folder.iterdir()) == []


@in_loop
async def test_it_sweeps_when_it_starts(sender: Sender, folder: Path) -> None:
    """The daemon looks after what is left behind as soon as it starts."""
    with pytest.raises(ConnectionResetError):
        await sender.send([DATA, ConnectionResetError()], size=SIZE)
    sender.restart()
    sender.uploads.start()
    for _ in range(1000):
        if sender.appeared:
            break
        await asyncio.sleep(0.005)
    await sender.uploads.close()

    assert seen(folder) == {NAME: DATA}


# Whatever happens

_SMALL = DATA[:200]
_OFFSETS = st.one_of(st.just(None), st.integers(0, 210))
_STEPS = st.one_of(
    st.tuples(st.just("send"), _OFFSETS, st.integers(0, 210), st.booleans(), st.booleans()),
    st.tuples(st.just("crash"), st.binary(max_size=30)),
    st.tuples(st.just("sweep")),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_STEPS, max_size=10))
def test_any_story_ends_in_the_file(steps: list[tuple[Any, ...]]) -> None:
    """After any pieces, repeats, losses and crashes the rest makes exactly the file, and every answer was true."""
    with tempfile.TemporaryDirectory() as top:
        asyncio.run(_story(Path(top), steps))


async def _story(folder: Path, steps: list[tuple[Any, ...]]) -> None:
    sender = Sender(drop_folder(folder))
    here, done = 0, False
    for step in steps:
        match step:
            case ("send", offset, length, lost, announced):
                here, done = await _send(
                    sender, here, done, here if offset is None else offset, length, lost, announced
                )
            case ("crash", junk):
                if not done and here:
                    with open(uploadparts.part_path(str(folder), KEY), "ab") as part:
                        part.write(junk)
                if not done:  # that it was done is remembered until a restart
                    sender.restart()
            case _:
                await sender.uploads.sweep()
                done = done or here == len(_SMALL)
        stands = await sender.send(size=len(_SMALL))
        done = done or here == len(_SMALL)
        assert (stands.offset, stands.done) == (here, done)
    if not done:
        assert (await sender.send([_SMALL[here:]], here, size=len(_SMALL))).done
    assert (seen(folder), hidden(folder)) == ({NAME: _SMALL}, [])


async def _send(
    sender: Sender, here: int, done: bool, offset: int, length: int, lost: bool, announced: bool
) -> tuple[int, bool]:
    """Send a piece, and give what must be here after it."""
    piece = (_SMALL + bytes(20))[offset : offset + length]
    chunks: list[bytes | Exception] = [each for each in (piece[:50], piece[50:]) if each]
    fits = offset + len(piece) <= len(_SMALL)
    try:
        await sender.send([*chunks, ConnectionResetError()] if lost else chunks, offset, size=200, announced=announced)
    except ConnectionResetError:
        assert lost
        if not chunks or done or offset != here or not fits:
            return here, done
        return here + len(piece), False
    except UploadRefused as error:
        true = (not fits or (not done and offset != here)) and error.offset in (None, here)
        return (here, done) if true else (-1, done)
    if done or not chunks:
        return here, done or here == 200
    assert fits
    assert offset == here
    return here + len(piece), here + len(piece) == 200
