"""Bringing a backup back: over anything, never half, and only what a backup of ours can hold."""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hikaze.daemon import exchange
from hikaze.daemon.backup import back_up
from hikaze.daemon.checkup import check
from hikaze.daemon.instance import DataLock
from hikaze.daemon.restore import Restored, RestoreFailed, look_at, restore
from hikaze.events.catalog import TagCreated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..machine import needs_mount
from .sound import MODEL, append, make_sound


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a sound library in `library`, and a backup of it in `backup.tar`."""
    folder = tmp_path_factory.mktemp("shelf")
    make_sound(folder / "library")
    back_up(str(folder / "library"), str(folder / "backup.tar"), clock=lambda: 7)
    return folder


@pytest.fixture
def data(shelf: Path, tmp_path: Path) -> Path:
    """Give a copy of the library, in which more has happened since the backup."""
    data = Path(shutil.copytree(shelf / "library", tmp_path / "data"))
    append(data, TagCreated(2, "later"))
    for folder in ("pending", "trash"):
        (data / folder).mkdir()
        (data / folder / "file").write_text("yours")
    (data / "secrets.json").write_text("secret")
    return data


def bring_back(data: Path, backup: Path) -> Restored:
    """Restore as the command does, at a fixed hour."""
    data.mkdir(exist_ok=True)
    look_at(str(backup))
    with DataLock(str(data)):
        return restore(str(data), str(backup), clock=lambda: 0.0)


def files(folder: Path) -> dict[str, bytes]:
    """Give all files below a folder and what is in them; SQLite's empty companions and the lock are left out."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: content for name, content in found.items() if not name.endswith(("-wal", "-shm", "lock"))}


def is_as_backed_up(data: Path) -> None:
    """See that the library is the one of the backup, sound, and all of it for us alone."""
    found = check(str(data), pause=lambda _seconds: None)
    assert (found.events, found.pictures) == (8, 4)
    assert [each.what for each in found.findings] == [f"the read tables in {data}/views.db are not there"]
    assert not (data / exchange.STAGING).exists()
    ours = [data / "log.db", data / "images", *(data / "images").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in ours} == {0o600, 0o700}


def test_what_was_there_is_kept_aside(data: Path, shelf: Path) -> None:
    """The library is the backup's, the old one lies whole in a dated folder, and nothing else was touched."""
    before = files(data)

    done = bring_back(data, shelf / "backup.tar")

    old = data / "replaced" / os.path.basename(done.replaced or "")
    assert done == Restored(8, 7, str(old), [])
    is_as_backed_up(data)
    moved = {name: content for name, content in before.items() if name.startswith(("log", "views", "images"))}
    assert files(old) == moved
    assert check(str(old), pause=lambda _seconds: None).events == 9
    stayed = {name: content for name, content in before.items() if name not in moved}
    assert {name: content for name, content in files(data).items() if name in stayed} == stayed


def test_restoring_again_keeps_every_old_library(data: Path, shelf: Path) -> None:
    """A second restore within the same second takes a folder of its own."""
    first = bring_back(data, shelf / "backup.tar")
    second = bring_back(data, shelf / "backup.tar")

    assert first.replaced != second.replaced
    assert len(list((data / "replaced").iterdir())) == 2
    is_as_backed_up(data)


def everything(data: Path) -> None:
    shutil.rmtree(data)


def the_log(data: Path) -> None:
    (data / "log.db").write_bytes(b"x" * 9_000)
    (data / "log.db-wal").write_bytes(b"y" * 9_000)


def the_log_and_the_rest(data: Path) -> None:
    the_log(data)
    (data / "views.db").write_bytes(b"z")
    shutil.rmtree(data / "images")
    (data / "images").write_bytes(b"a file")
    (data / "host").unlink()


def all_but_folders(data: Path) -> None:
    for path in data.rglob("*"):
        if path.is_file():
            path.unlink()


def images_elsewhere(data: Path) -> None:
    (data / "images").rename(data.parent / "images")
    (data / "images").symlink_to(data.parent / "images")


@pytest.mark.parametrize("damage", [everything, the_log, the_log_and_the_rest, all_but_folders, images_elsewhere])
def test_it_works_over_any_damage(data: Path, shelf: Path, damage: Callable[[Path], None]) -> None:
    """Whatever is there gives way, and nothing is needed of it."""
    damage(data)
    done = bring_back(data, shelf / "backup.tar")

    is_as_backed_up(data)
    assert (data / "host").exists()
    assert (done.replaced is None) == (damage in (everything, all_but_folders))


def test_this_installation_keeps_its_name(data: Path, shelf: Path) -> None:
    """`host` tells two machines apart in a log: that of the backup is taken only where there is none."""
    (data / "host").write_text("cd" * 16)
    bring_back(data, shelf / "backup.tar")

    assert (data / "host").read_text() == "cd" * 16


# What is refused -----------------------------------------------------------------------------------------


def refused(data: Path, backup: Path) -> str:
    """Try to restore; gives the reason, after seeing that nothing was changed."""
    before = files(data)
    with pytest.raises(RestoreFailed) as why:
        bring_back(data, backup)
    assert files(data) == before
    assert sorted(path.name for path in data.iterdir() if path.is_dir()) == ["images", "pending", "trash"]
    assert "\n" not in str(why.value)
    return str(why.value)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_changed_byte_is_found_or_means_nothing(data: Path, shelf: Path, place: float, change: int) -> None:
    """Wherever a byte of a backup is changed, either it is refused or what comes out is the same."""
    content = bytearray((shelf / "backup.tar").read_bytes())
    content[int(place * len(content))] ^= change
    changed = data.parent / "changed.tar"
    changed.write_bytes(content)
    folder = data.parent / "trial"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        bring_back(folder, changed)
    except RestoreFailed:
        assert {path.name for path in folder.iterdir()} <= {"lock"} if folder.exists() else True
    else:
        is_as_backed_up(folder)
        with tarfile.open(shelf / "backup.tar") as backup:
            assert backup.extractfile("log.db").read() == (folder / "log.db").read_bytes()  # type: ignore[union-attr]


@pytest.mark.parametrize("part", [0, 0.001, 0.2, 0.5, 0.9, 0.95])
def test_a_backup_that_is_cut_off_is_refused(data: Path, shelf: Path, part: float) -> None:
    """A copy that was not finished is told, wherever it ends."""
    content = (shelf / "backup.tar").read_bytes()
    (data.parent / "cut.tar").write_bytes(content[: int(len(content) * part)])

    assert "use another copy" in (said := refused(data, data.parent / "cut.tar")) or "no backup of Hikaze" in said


def rewritten(shelf: Path, target: Path, *more: tarfile.TarInfo, **contents: bytes) -> Path:
    """Write the backup anew by tarfile, some contents exchanged, with more members before the manifest."""
    with tarfile.open(shelf / "backup.tar") as old, tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as new:
        for member in old:
            if member.name == "manifest.json":
                for each in more:
                    new.addfile(each, io.BytesIO(bytes(each.size)))
            file = old.extractfile(member)
            assert file is not None
            content = contents.get(member.name.partition(".")[0], file.read())
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return target


def manifest_of(backup: Path) -> bytes:
    """Give what a backup says of itself."""
    with tarfile.open(backup) as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        return file.read()


def sealed(manifest: bytes) -> bytes:
    """Give a manifest that was changed the checksum that belongs to it."""
    body, mark, _ = manifest.rpartition(b',"sha256":"')
    return body + mark + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Give a member of an archive."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    "strange",
    [
        member("../out"),
        member("/out"),
        member("images/../../out"),
        member("images/ab/../../../out"),
        member("secrets.json"),
        member("views.db"),
        member("images/ab/x.webp"),
        member(f"images/cd/{MODEL}_0_low.webp"),
        member(f"images/ab/{MODEL}_0_low.webp\n"),
        member("images/pending/1.png", tarfile.SYMTYPE, "/etc/passwd"),
        member("images/pending/2.png", tarfile.LNKTYPE, "log.db"),
        member("images/pending/2.png", tarfile.FIFOTYPE),
        member("images/pending", tarfile.DIRTYPE),
        member("images/pending/1.png"),
        member("images/pending/2.png"),
        member("host"),
    ],
    ids=lambda strange: f"{strange.name!r} {strange.type!r}",
)
def test_only_what_a_backup_holds_is_unpacked(data: Path, shelf: Path, strange: tarfile.TarInfo) -> None:
    """No other name, no link, no folder, nothing twice and nothing that the manifest does not list."""
    refused(data, rewritten(shelf, data.parent / "strange.tar", strange))
    assert not (data.parent / "out").exists()


def test_the_same_written_by_another_program_is_taken(data: Path, shelf: Path) -> None:
    """What counts is what is in it."""
    bring_back(data, rewritten(shelf, data.parent / "same.tar"))
    is_as_backed_up(data)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"format":1', b'"format":2', "was written by a newer Hikaze"),
        (b'"position":8', b'"position":7', "does not hold the log that it says"),
        (b'"log_id":"0', b'"log_id":"1', "does not hold the log that it says"),
        (b'"log.db",', b'"log.db" ,', "is damaged"),
        (b'"missing":[', b'"missing":[1', "is damaged"),
        (b'],"missing"', b',1],"missing"', "is damaged"),
        (b'"about"', b'"', "is damaged"),
    ],
)
def test_a_manifest_of_something_else_is_refused(data: Path, shelf: Path, old: bytes, new: bytes, said: str) -> None:
    """What the backup says of itself must hold."""
    manifest = manifest_of(shelf / "backup.tar")
    assert manifest.count(old) == 1

    changed = sealed(manifest.replace(old, new))
    assert said in refused(data, rewritten(shelf, data.parent / "m.tar", manifest=changed))


def test_the_log_of_a_newer_program_is_refused(data: Path, shelf: Path) -> None:
    """A log that this program could not go on with stays in the backup."""
    newer = Path(shutil.copytree(shelf / "library", data.parent / "newer"))
    target = data.parent / "newer.tar"
    back_up(str(newer), str(target))
    with sqlite3.connect(newer / "log.db") as db:
        db.execute("PRAGMA user_version = 99")
        db.execute("PRAGMA journal_mode = DELETE")
    log = (newer / "log.db").read_bytes()
    manifest = manifest_of(target)
    name, size, digest = json.loads(manifest)["members"][0]
    line = f'["{name}",{size},"{digest}"]'.encode()
    assert line in manifest
    manifest = sealed(manifest.replace(line, f'["{name}",{len(log)},"{hashlib.sha256(log).hexdigest()}"]'.encode()))

    said = refused(data, rewritten(shelf, data.parent / "n.tar", log=log, manifest=manifest))
    assert "written by a newer Hikaze; update this Hikaze" in said


@pytest.mark.parametrize("name", ["nothing.tar", ".", "letter.txt"])
def test_what_is_no_backup_is_refused(data: Path, name: str) -> None:
    """A wrong name is told before anything is made."""
    (data.parent / "letter.txt").write_text("dear all")
    assert "name" in refused(data, data.parent / name)


@needs_mount
def test_a_full_disk_changes_nothing(shelf: Path, mounted: Callable[[str], Path]) -> None:
    """Where the new library does not fit beside the old one, the old one stays."""
    disk = mounted("size=2m")
    data = disk / "data"
    before = files(make_sound(data))
    room = (shelf / "backup.tar").stat().st_size // 2
    (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - room))

    with pytest.raises(RestoreFailed, match=r"make room there"):
        bring_back(data, shelf / "backup.tar")
    assert files(data) == before
