"""Backups: what is in them, what a daemon does meanwhile, and what is refused before anything is written."""

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hikaze.daemon import exchange
from hikaze.daemon.backup import BackupFailed, Made, Workplace, back_up
from hikaze.daemon.checkup import check
from hikaze.daemon.imagestore import ImageStore
from hikaze.daemon.pictures import TIERS
from hikaze.events.catalog import ImageAdded, ImageRemoved, PendingImported, TagCreated

from ..machine import needs_mount
from .sound import MODEL, add_picture, append, make_sound

ALL = [
    "log.db",
    "host",
    *(f"images/ab/{MODEL}_0_{tier}.webp" for tier in TIERS),
    "images/pending/1.png",
    "manifest.json",
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a sound library."""
    return make_sound(tmp_path / "data")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Give the file of a backup to be, in a folder of its own."""
    (tmp_path / "to").mkdir()
    return tmp_path / "to" / "backup.tar"


def make(data: Path, target: Path, **how: object) -> Made:
    """Make a backup without waiting."""
    return back_up(str(data), str(target), pause=lambda _seconds: None, **how)  # type: ignore[arg-type]


def unpacked(target: Path, folder: Path) -> Path:
    """Unpack a backup as anybody can."""
    with tarfile.open(target) as archive:
        archive.extractall(folder, filter="data")
    return folder


def sound_as(folder: Path, position: int) -> bool:
    """Tell whether a data folder without read tables is sound, and ends at a position."""
    found = check(str(folder), pause=lambda _seconds: None)
    return found.events == position and [each.what for each in found.findings] == [
        f"the read tables in {folder}/views.db are not there"
    ]


def test_a_backup_is_a_data_folder_in_a_tar(data: Path, target: Path, tmp_path: Path) -> None:
    """Any program can unpack it, what comes out is a sound library, and nothing else is left where it was made."""
    made = make(data, target, clock=lambda: 7)

    assert made == Made(str(target), 8, 4, target.stat().st_size, [])
    assert os.listdir(target.parent) == ["backup.tar"]
    with tarfile.open(target) as archive:
        assert archive.getnames() == ALL
        assert {(each.mode, each.type) for each in archive} == {(0o600, tarfile.REGTYPE)}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sound_as(unpacked(target, tmp_path / "out"), 8)


def test_the_manifest_lists_every_member(data: Path, target: Path, tmp_path: Path) -> None:
    """It says of which library at which event the backup is, and has size and SHA-256 of each other member."""
    make(data, target, clock=lambda: 7)
    out = unpacked(target, tmp_path / "out")
    told = json.loads((out / "manifest.json").read_bytes())

    assert (told["format"], told["made_at"], told["position"], told["missing"]) == (1, 7, 8, [])
    assert len(bytes.fromhex(told["log_id"])) == 16
    contents = {name: (out / name).read_bytes() for name in ALL[:-1]}
    assert told["members"] == [[n, len(c), hashlib.sha256(c).hexdigest()] for n, c in contents.items()]


def test_nothing_in_the_data_folder_changes(data: Path, target: Path) -> None:
    """Whoever only wants a backup gets no other library."""
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    make(data, target)

    after = {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and path.name != "log.db-shm"}
    assert {path: content for path, content in after.items() if content} == before


def test_removed_pictures_are_kept_for_undo(data: Path, target: Path) -> None:
    """What the log knows as removed comes along, also where a crash has left it in its place; nothing unknown does."""
    add_picture(data, 1)
    add_picture(data, 2)
    append(data, ImageAdded(MODEL, 1, "PNG", 64, 48), ImageAdded(MODEL, 2, "PNG", 64, 48))
    append(data, ImageRemoved(MODEL, 1), ImageRemoved(MODEL, 2))
    ImageStore(str(data)).take_away(MODEL, 1)
    (data / f"images/removed/{MODEL}_9_low.webp").write_bytes(b"unknown")

    make(data, target)

    with tarfile.open(target) as archive:
        found = [name for name in archive.getnames() if "removed" in name]
    assert found == [
        f"images/removed/{MODEL}_{seq}_{tier}.webp" for seq in (1, 2) for tier in ("high", "medium", "low")
    ]


def test_missing_pictures_are_told_of(data: Path, target: Path, tmp_path: Path) -> None:
    """A library that has lost pictures can be backed up all the same, and the manifest says what is not in it."""
    os.remove(data / "images/pending/1.png")
    os.remove(data / f"images/ab/{MODEL}_0_low.webp")
    lost = [f"images/ab/{MODEL}_0_low.webp", "images/pending/1.png"]

    made = make(data, target)

    assert (made.pictures, made.missing) == (2, lost)
    assert json.loads((unpacked(target, tmp_path / "out") / "manifest.json").read_bytes())["missing"] == lost


@pytest.mark.parametrize("when", ["copying the log", "copying the pictures"])
def test_what_a_daemon_takes_away_meanwhile_is_in_it(data: Path, target: Path, tmp_path: Path, when: str) -> None:
    """A picture that is removed, and an original whose import ends, after the moment of the log are in the backup."""
    store = ImageStore(str(data))

    def work(what: str, _done: int, _all: int) -> None:
        if what == when and store.path(MODEL, 0, "low") and os.path.exists(store.path(MODEL, 0, "low")):
            add_picture(data, 1)
            append(data, ImageRemoved(MODEL, 0), ImageAdded(MODEL, 1, "PNG", 64, 48))
            append(data, PendingImported(1, MODEL, "merged"))
            store.take_away(MODEL, 0)
            store.drop_pending(1)

    made = make(data, target, progress=work)

    assert (made.position, made.missing) == (8, [])
    assert sound_as(unpacked(target, tmp_path / "out"), 8)
    assert os.listdir(store.staging) == []


def test_an_original_that_goes_too_early_moves_the_moment(data: Path, target: Path, tmp_path: Path) -> None:
    """Where an original is gone before it got a second name, the log is read again: by then it knows."""
    store = ImageStore(str(data))
    os.rename(store.pending_folder, data / "elsewhere")
    (data / "images/pending").mkdir()

    def work(what: str, done: int, total: int) -> None:
        if what == "copying the log" and done == total and (data / "elsewhere").exists():
            append(data, PendingImported(1, MODEL, "merged"))
            shutil.rmtree(data / "elsewhere")

    made = make(data, target, progress=work)

    assert (made.position, made.missing) == (9, [])
    assert sound_as(unpacked(target, tmp_path / "out"), 9)


def test_the_moment_stands_still_while_the_log_grows(data: Path, target: Path, tmp_path: Path) -> None:
    """Events that are written while the log is copied are in the next backup."""
    append(data, *(TagCreated(number, "x" * 500) for number in range(10, 15_000)))
    steps: list[int] = []

    def work(what: str, done: int, _all: int) -> None:
        if what == "copying the log":
            steps.append(done)
            append(data, TagCreated(20_000 + done, "later"))

    made = make(data, target, progress=work)

    assert len(steps) > 1
    assert made.position == 8 + 14_990
    assert sound_as(unpacked(target, tmp_path / "out"), made.position)


# Refusals ------------------------------------------------------------------------------------------------


def something_there(_data: Path, target: Path) -> None:
    target.write_bytes(b"mine")


def folder_there(_data: Path, target: Path) -> None:
    target.mkdir()


def no_folder(_data: Path, target: Path) -> None:
    target.parent.rmdir()


def flipped_event(data: Path, _target: Path) -> None:
    content = bytearray((data / "log.db").read_bytes())
    content[content.index(b'"name":"one"') + 9] ^= 1
    (data / "log.db").write_bytes(content)


def garbage_log(data: Path, _target: Path) -> None:
    (data / "log.db").write_bytes(b"x" * 10_000)


def no_log(data: Path, _target: Path) -> None:
    (data / "log.db").unlink()


def cut_off_restore(data: Path, _target: Path) -> None:
    (data / exchange.STAGING).mkdir()
    (data / exchange.STAGING / "intent.json").write_bytes(b"{}")


def is_linked_into_the_data_folder(data: Path, target: Path) -> None:
    target.parent.rmdir()
    target.parent.symlink_to(data)


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        (something_there, "is there already; name another file, or say --overwrite"),
        (folder_there, "is a folder; name a file, such as"),
        (no_folder, "there is no folder"),
        (is_linked_into_the_data_folder, "lies in the data folder itself"),
        (flipped_event, "would hold the same damage: damaged in the log: 2 of 8 events. Keep the whole folder"),
        (garbage_log, "would hold the same damage"),
        (no_log, "there is no library in"),
        (cut_off_restore, "a restore of this library was cut off"),
    ],
)
def test_what_cannot_be_is_refused(
    data: Path, target: Path, scene: Callable[[Path, Path], None], said: str, tmp_path: Path
) -> None:
    """The reason is one sentence with its cure, and there is nothing new anywhere."""
    scene(data, target)
    before = sorted(path for path in tmp_path.rglob("*") if "log.db-" not in path.name)
    with pytest.raises(BackupFailed, match=said) as refused:
        make(data, target)

    assert "\n" not in str(refused.value)
    assert sorted(path for path in tmp_path.rglob("*") if "log.db-" not in path.name) == before


def test_only_a_backup_is_overwritten(data: Path, target: Path) -> None:
    """`--overwrite` takes the place of an earlier backup, once the new one is whole, and of nothing else."""
    make(data, target)
    append(data, TagCreated(2, "later"))
    assert make(data, target, overwrite=True).position == 9

    first = target.read_bytes()
    flipped_event(data, target)
    with pytest.raises(BackupFailed, match="damage"):
        make(data, target, overwrite=True)
    assert target.read_bytes() == first

    target.write_bytes(b"a letter")
    with pytest.raises(BackupFailed, match="only those are replaced"):
        make(data, target, overwrite=True)
    assert target.read_bytes() == b"a letter"
    assert os.listdir(target.parent) == ["backup.tar"]


def test_what_a_killed_backup_left_is_taken_over(data: Path, target: Path) -> None:
    """Nobody has to clear up after a power cut; while another backup to the same file is under way it is left alone."""
    work = Workplace(str(target))
    os.mkdir(work.folder)
    for path in (work.log, work.archive, work.manifest):
        Path(path).write_bytes(b"half")
    with open(f"{work.folder}/lock", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BackupFailed, match=r"another backup to .* is under way"):
            make(data, target)
        assert Path(work.archive).read_bytes() == b"half"

    make(data, target)

    assert os.listdir(target.parent) == ["backup.tar"]


@needs_mount
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("size=64k", "disk of .* is full"),
        ("size=256k", "disk of .* is full"),
        ("ro", "could not be written to .*Read-only"),
    ],
)
def test_a_disk_that_does_not_take_it(data: Path, mounted: Callable[[str], Path], options: str, said: str) -> None:
    """Where the disk refuses, be it the log's copy or the archive that does not fit, nothing is left on it."""
    (data / "images/pending/1.png").write_bytes(bytes(300_000))
    disk = mounted(options)
    with pytest.raises(BackupFailed, match=said):
        make(data, disk / "backup.tar")

    assert os.listdir(disk) == []
