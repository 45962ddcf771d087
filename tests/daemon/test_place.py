"""Placing files: never over another, and whole after a crash."""

import errno
import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.hashing import Cancelled, FileChanged
from hikaze.daemon.place import (
    WAYS,
    ContentDiffers,
    NoSpace,
    confirm,
    copy_verified,
    finish_rename,
    free_name,
    fsync_dir,
    link_and_unlink,
    make_folder,
    part_name,
    rename_no_replace,
    require_space,
    reserve_and_rename,
    same_filesystem,
)
from hypothesis import given
from hypothesis import strategies as st

CONTENT = os.urandom(1 << 16) * 80
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ODD_NAMES = [
    b"plain.safetensors",
    b"\xe4\xb8\xad\xe6\x96\x87 #1 100%.safetensors",
    b'it\'s "quoted".ckpt',
    b"\xff\xfe not utf-8.pt",
    b"line\nbreak.vae",
    b"x" * 255,
]


def refuse(_source: str, _target: str) -> None:
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


EVERY_WAY = pytest.mark.parametrize(
    "ways",
    [WAYS, (refuse, link_and_unlink), (refuse, refuse, reserve_and_rename)],
    ids=["renameat2", "link", "reserve"],
)


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "drop" / "model.safetensors"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    path.chmod(0o640)
    os.utime(path, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))
    return str(path)


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    folder = tmp_path / "loras"
    folder.mkdir()
    return folder


@EVERY_WAY
@pytest.mark.parametrize("name", ODD_NAMES)
def test_rename_moves_any_name(tmp_path: Path, roots: Path, ways, name: bytes):
    """A file of any name the system allows arrives as the same file, and its old name is free."""
    source = os.path.join(tmp_path, os.fsdecode(name))
    target = os.path.join(roots, os.fsdecode(name))
    Path(source).write_bytes(b"model")
    inode = os.stat(source).st_ino

    rename_no_replace(source, target, ways=ways)

    assert not os.path.lexists(source)
    assert (os.stat(target).st_ino, Path(target).read_bytes()) == (inode, b"model")


@EVERY_WAY
@pytest.mark.parametrize("kind", ["file", "folder", "dangling link", "hard link"])
def test_rename_refuses_a_taken_name(source: str, roots: Path, ways, kind: str):
    """Whatever has the name keeps it, and the source stays."""
    target = roots / "model.safetensors"
    match kind:
        case "file":
            target.write_bytes(b"older")
        case "folder":
            target.mkdir()
        case "dangling link":
            target.symlink_to("nowhere")
        case _:
            os.link(source, target)
    before = os.lstat(target)

    with pytest.raises(FileExistsError):
        rename_no_replace(source, str(target), ways=ways)

    assert os.path.samestat(os.lstat(target), before)
    assert Path(source).read_bytes() == CONTENT


@EVERY_WAY
def test_a_failed_rename_leaves_no_trace(source: str, roots: Path, ways):
    """A source that is gone, or a folder that is missing, raises and leaves nothing behind."""
    with pytest.raises(FileNotFoundError):
        rename_no_replace(source + "x", str(roots / "a"), ways=ways)
    with pytest.raises(FileNotFoundError):
        rename_no_replace(source, str(roots / "none" / "a"), ways=ways)

    assert os.listdir(roots) == []
    assert os.path.exists(source)


def test_the_last_ways_word_counts(source: str, roots: Path):
    """Where the file system knows no way at all, its refusal is raised."""
    with pytest.raises(OSError, match="Invalid argument"):
        rename_no_replace(source, str(roots / "a"), ways=(refuse, refuse))


def test_a_path_with_nul_is_refused(source: str, roots: Path):
    """A path that C would cut short renames nothing."""
    with pytest.raises(ValueError, match="null"):
        rename_no_replace(source, str(roots / "a\0b"))

    assert os.listdir(roots) == []


@EVERY_WAY
def test_of_many_movers_one_wins(tmp_path: Path, roots: Path, ways):
    """When several files want one name at once, one gets it and the others stay where they are."""
    sources = [tmp_path / f"{number}" for number in range(8)]
    for path in sources:
        path.write_bytes(path.name.encode())
    refused: list[str] = []
    start = threading.Barrier(len(sources))

    def go(path: Path) -> None:
        start.wait()
        try:
            rename_no_replace(str(path), str(roots / "a"), ways=ways)
        except FileExistsError:
            refused.append(path.name)

    threads = [threading.Thread(target=go, args=(path,)) for path in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == len(sources) - 1
    assert sorted([*refused, (roots / "a").read_text()]) == [path.name for path in sources]


def test_a_killed_link_and_unlink_is_finished(source: str, roots: Path):
    """Two names of one file become one; anything else is left alone."""
    target = str(roots / "model.safetensors")
    assert finish_rename(source, target) is False
    os.link(source, target)

    assert finish_rename(source, target) is True
    assert (os.path.exists(source), Path(target).read_bytes()) == (False, CONTENT)
    assert finish_rename(source, target) is False


def test_one_name_is_no_unfinished_rename(source: str):
    """A file is never taken for its own copy, even when it has a second name elsewhere."""
    os.link(source, source + ".link")
    assert finish_rename(source, source) is False
    assert os.path.exists(source)


# Copying


def copy(source: str, roots: Path, expected_sha256: str = SHA256, **more: Any) -> str:
    target = str(roots / os.path.basename(source))
    part = str(roots / part_name(os.path.basename(source), "op7"))
    copy_verified(source, part, target, expected_sha256=expected_sha256, **more)
    return target


def test_a_copy_is_the_same_file(source: str, roots: Path):
    """A copy has content, permissions and mtime of its original, which stays; no part is left."""
    target = copy(source, roots)

    assert Path(target).read_bytes() == CONTENT
    assert os.stat(target).st_mode == os.stat(source).st_mode
    assert os.stat(target).st_mtime_ns == 1_600_000_000_123_456_789
    assert os.listdir(roots) == ["model.safetensors"]


def test_a_copy_to_another_disk(source: str):
    """A file goes to another file system, where it cannot be renamed to."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(source).st_dev:  # noqa: S108 - the one other disk
        pytest.skip("this machine has no second file system to write to")
    folder = Path(f"/dev/shm/hikaze-test-{os.getpid()}")  # noqa: S108 - as above
    folder.mkdir(mode=0o700)
    try:
        assert not same_filesystem(source, str(folder))
        with pytest.raises(OSError, match="cross-device"):
            rename_no_replace(source, str(folder / "a"))
        assert Path(copy(source, folder)).read_bytes() == CONTENT
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_progress_of_a_copy(source: str, roots: Path):
    """Progress grows from writing through reading back to the file's size."""
    heard: list[int] = []
    copy(source, roots, progress=heard.append)

    assert heard == sorted(heard)
    assert heard[0] <= len(CONTENT) // 2
    assert heard[-1] == len(CONTENT)


def test_a_slow_disk_takes_a_block_in_pieces(source: str, roots: Path):
    """A write that takes fewer bytes than offered is continued."""

    def write_a_little(fd: int, data: memoryview) -> int:
        return os.write(fd, data[:100_001])

    assert Path(copy(source, roots, write=write_a_little)).read_bytes() == CONTENT


def write_wrongly(fd: int, data: memoryview) -> int:
    return os.write(fd, bytes(data[:-1]) + bytes([data[-1] ^ 1]))


def write_nothing_more(_fd: int, _data: memoryview) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_lies_is_caught(source: str, roots: Path):
    """One flipped bit in what was written is noticed, and nothing stays of the copy."""
    with pytest.raises(ContentDiffers, match="check that disk") as refusal:
        copy(source, roots, write=write_wrongly)

    assert refusal.value.expected == SHA256
    assert refusal.value.found not in ("", SHA256)
    assert os.listdir(roots) == []


def test_another_content_than_expected_is_not_placed(source: str, roots: Path):
    """A source that is no longer what was hashed is refused, with both hashes."""
    with pytest.raises(ContentDiffers, match="import it again") as refusal:
        copy(source, roots, expected_sha256="00" * 32)

    assert (refusal.value.expected, refusal.value.found) == ("00" * 32, SHA256)
    assert os.listdir(roots) == []


def test_a_disk_that_fills_up_says_how_much_is_needed(source: str, roots: Path):
    """A disk that is full half way is a sentence with figures, and the part is removed."""
    with pytest.raises(NoSpace, match=r"5\.2 MB are needed: make room") as refusal:
        copy(source, roots, write=write_nothing_more)

    assert refusal.value.needed == len(CONTENT)
    assert os.listdir(roots) == []


def test_room_is_asked_for_before(tmp_path: Path):
    """More than the disk has is refused with both figures; nothing is always granted."""
    require_space(str(tmp_path), 0)
    with pytest.raises(NoSpace, match=r"free and 1152921\.5 TB are needed") as refusal:
        require_space(str(tmp_path), 1 << 60)

    assert refusal.value.needed == 1 << 60
    assert 0 < refusal.value.free < 1 << 60


def test_a_source_that_changes_is_not_placed(source: str, roots: Path):
    """A file that is written to while it is copied is not placed."""

    def write_and_disturb(fd: int, data: memoryview) -> int:
        os.utime(source)
        return os.write(fd, data)

    with pytest.raises(FileChanged):
        copy(source, roots, write=write_and_disturb)

    assert os.listdir(roots) == []


def test_a_cancelled_copy_leaves_nothing(source: str, roots: Path):
    """A stop while writing, or while reading back, leaves neither part nor target."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        copy(source, roots, stop=stop)
    stop.clear()

    def stop_when_reading_back(done: int) -> None:
        if done * 2 >= len(CONTENT):
            stop.set()

    with pytest.raises(Cancelled):
        copy(source, roots, stop=stop, progress=stop_when_reading_back)

    assert os.listdir(roots) == []


def test_a_taken_target_is_kept(source: str, roots: Path):
    """A copy never replaces: neither a file that was there, nor one that came meanwhile."""
    target = roots / "model.safetensors"

    def write_late(fd: int, data: memoryview) -> int:
        target.write_bytes(b"newcomer")
        return os.write(fd, data)

    with pytest.raises(FileExistsError):
        copy(source, roots, write=write_late)
    with pytest.raises(FileExistsError):
        copy(source, roots)

    assert target.read_bytes() == b"newcomer"
    assert os.listdir(roots) == ["model.safetensors"]


KILLED_COPY = """
import os, signal, sys
from hikaze.daemon.place import copy_verified
source, part, target, sha256, calls = sys.argv[1:]
left = int(calls)
def write(fd, data):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.write(fd, data)
copy_verified(source, part, target, expected_sha256=sha256, write=write)
"""


def test_a_killed_copy_leaves_no_target_and_can_be_repeated(source: str, roots: Path):
    """After a kill the target does not exist, and the next try replaces the part that was left."""
    part, target = (str(roots / name) for name in (part_name("model.safetensors", "op7"), "model.safetensors"))
    command = [sys.executable, "-c", KILLED_COPY, source, part, target, SHA256, "1"]
    assert subprocess.run(command, check=False).returncode == -9

    assert os.listdir(roots) == [".model.safetensors.op7.part"]
    assert Path(copy(source, roots)).read_bytes() == CONTENT
    assert os.listdir(roots) == ["model.safetensors"]


def test_only_a_part_is_ever_overwritten(source: str, roots: Path):
    """A part that is not named as one, or lies elsewhere, is refused before anything is touched."""
    precious = roots / "precious.safetensors"
    precious.write_bytes(b"mine")
    for part in (precious, roots.parent / ".a.op.part"):
        with pytest.raises(ValueError, match="no part file"):
            copy_verified(source, str(part), str(roots / "a"), expected_sha256=SHA256)

    assert precious.read_bytes() == b"mine"


# Names and folders

NAMES = (
    st.binary(min_size=1, max_size=255)
    .filter(lambda raw: b"/" not in raw and b"\0" not in raw and raw not in (b".", b".."))
    .map(os.fsdecode)
)
TEXT_NAMES = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=300)
).filter(lambda name: name not in (".", ".."))


@given(NAMES | TEXT_NAMES, st.integers(0, 12))
def test_a_free_name_is_free_and_fits(name: str, neighbours: int):
    """A name that is given is free, fits the disk, is whole characters, and no two askers get the same."""
    taken: set[str] = set()
    for _ in range(neighbours + 1):
        given_name = free_name("/models", name, taken.__contains__)
        raw = os.fsencode(given_name)
        assert f"/models/{given_name}" not in taken
        assert 0 < len(raw) <= 255
        assert os.fsdecode(raw) == given_name
        assert b"/" not in raw
        taken.add(f"/models/{given_name}")
    if len(os.fsencode(name)) <= 255:
        assert f"/models/{name}" in taken


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("a.safetensors", "a (2).safetensors"),
        ("a.b.safetensors", "a.b (2).safetensors"),
        ("noextension", "noextension (2)"),
        (".hidden", ".hidden (2)"),
        ("中" * 81 + ".safetensors", "中" * 79 + " (2).safetensors"),
        ("x" * 255, "x" * 251 + " (2)"),
        ("x." + "y" * 253, "x." + "y" * 249 + " (2)"),
    ],
)
def test_the_second_of_a_name(tmp_path: Path, name: str, second: str):
    """The suffix goes before the extension, and the stem gives way for it at a character."""
    assert free_name(str(tmp_path), name) == name
    (tmp_path / name).touch()
    assert free_name(str(tmp_path), name) == second


def test_a_dangling_link_takes_a_name(tmp_path: Path):
    """A name is taken by whatever has it, also by a link that leads nowhere."""
    (tmp_path / "a.pt").symlink_to("nowhere")
    (tmp_path / "a (2).pt").mkdir()
    assert free_name(str(tmp_path), "a.pt") == "a (3).pt"


@given(NAMES)
def test_a_part_name_fits_and_tells_its_operation(name: str):
    """The name of an unfinished copy is hidden, ends in its operation, and fits the disk."""
    part = part_name(name, "0123456789abcdef")
    assert part.startswith(".")
    assert part.endswith(".0123456789abcdef.part")
    assert len(os.fsencode(part)) <= 255


def test_folders_are_made_for_us_alone(tmp_path: Path):
    """Missing folders are made down to the last, all private; existing ones are left as they are."""
    make_folder(str(tmp_path / "a" / "b" / "c"))
    make_folder(str(tmp_path / "a" / "b" / "c"))

    assert [(tmp_path / path).stat().st_mode & 0o777 for path in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_a_file_in_the_way_of_a_folder(tmp_path: Path):
    """Where a file has a folder's name, making the folder is an error."""
    (tmp_path / "a").touch()
    for path in ("a", "a/b"):
        with pytest.raises(FileExistsError):
            make_folder(str(tmp_path / path))


def test_same_filesystem_goes_by_the_folder(source: str, roots: Path):
    """A file and a folder of one disk are on the same, also when the file is gone already."""
    assert same_filesystem(source, str(roots))
    assert same_filesystem(source + ".gone", str(roots))


TWO_MOUNTS = """
import os, subprocess, sys
from hikaze.daemon.place import same_filesystem
os.chdir(sys.argv[1])
os.mkdir("one")
os.mkdir("two")
if subprocess.run(["mount", "--bind", "one", "two"]).returncode != 0:
    sys.exit(77)
sys.exit(0 if same_filesystem("./file", "one") and not same_filesystem("./file", "two") else 1)
"""


def test_two_mounts_of_one_disk_are_two(tmp_path: Path):
    """A folder that is mounted a second time shares the device number, and yet refuses a rename."""
    command = ["unshare", "--mount", sys.executable, "-c", TWO_MOUNTS, str(tmp_path)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("this machine has no unshare")
    if done.returncode == 77 or b"unshare failed" in done.stderr:
        pytest.skip("this machine does not let us mount")

    assert done.returncode == 0, done.stderr


def test_fsync_of_a_folder(tmp_path: Path):
    """A folder is synced; one that is not there is an error."""
    fsync_dir(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        fsync_dir(str(tmp_path / "none"))


def test_a_move_is_confirmed_after_a_crash(tmp_path: Path) -> None:
    """The folders on both sides are made durable; the one it came from may be gone, the one it lies in may not."""
    (tmp_path / "there").mkdir()
    target = str(tmp_path / "there" / "a")

    confirm(str(tmp_path / "a"), target)
    confirm(str(tmp_path / "gone" / "a"), target)

    with pytest.raises(FileNotFoundError):
        confirm(str(tmp_path / "a"), str(tmp_path / "gone" / "a"))
