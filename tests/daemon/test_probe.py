"""What a look at a file on the disk sees."""

import fcntl
import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hikaze.daemon import probe
from hikaze.daemon.settle import Settling, Taken, Waiting

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's own")

EMPTY_MODEL = b"\x08" + bytes(7) + b"{}      "


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "模型 #1.safetensors"
    path.write_bytes(EMPTY_MODEL)
    return path


def test_a_file_at_rest(model: Path):
    """A whole file that nobody touches shows nothing to wait for."""
    os.utime(model, ns=(1, 1))
    seen = os.stat(model)
    facts = probe.facts(str(model), renamed=True)

    assert (facts.size, facts.mtime_ns, facts.ctime_ns) == (16, 1, seen.st_ctime_ns)
    assert (facts.dev, facts.ino, facts.renamed) == (seen.st_dev, seen.st_ino, True)
    assert (facts.temporary, facts.marker, facts.holes, facts.shortfall) == (False, False, False, None)
    assert not facts.writing


@linux_only
def test_a_file_open_for_writing(model: Path):
    """A writer is seen while it has the file open, and no longer."""
    with model.open("r+b"):
        assert probe.open_for_writing(str(model)) is True
        assert probe.facts(str(model)).writing is True
    assert probe.open_for_writing(str(model)) is False
    with model.open("rb"):
        assert probe.open_for_writing(str(model)) is False


@linux_only
def test_a_writable_mapping_counts_as_writing(model: Path):
    """A file that is mapped for writing is seen as being written though no descriptor is left."""
    with model.open("r+b") as file:
        mapping = mmap.mmap(file.fileno(), 0)
    assert probe.open_for_writing(str(model)) is True
    mapping.close()
    assert probe.open_for_writing(str(model)) is False


@linux_only
def test_a_network_file_is_only_told_when_a_writer_is_here(model: Path):
    """On a network disk a granted lease says nothing of writers elsewhere."""
    assert probe.facts(str(model), network=True).writing is None
    with model.open("r+b"):
        assert probe.facts(str(model), network=True).writing is True


@linux_only
def test_what_has_no_leases_cannot_be_told():
    """Where the kernel grants no lease at all the answer is that it cannot be told."""
    read, write = os.pipe()
    try:
        assert probe.open_for_writing(read) is None
    finally:
        os.close(read)
        os.close(write)


@linux_only
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_file_cannot_be_told(model: Path):
    """A file of somebody else gets no lease, and the answer is that it cannot be told."""
    descriptor = os.open(model, os.O_RDONLY)
    os.seteuid(65534)
    try:
        assert probe.open_for_writing(descriptor) is None
    finally:
        os.seteuid(0)
        os.close(descriptor)


@linux_only
def test_a_writer_that_comes_while_we_look_does_no_harm(model: Path):
    """A program that opens the file for writing in the middle of a look gets it, and we live on.

    The child takes leases as fast as it can; each is broken by the parent now and then.
    """
    script = (
        "import sys; from hikaze.daemon import probe\n"
        "print('up', flush=True)\n"
        "while not sys.stdin.closed:\n"
        "    for _ in range(200): probe.open_for_writing(sys.argv[1])\n"
        "    if __import__('select').select([sys.stdin], [], [], 0)[0]: break\n"
        "print('alive')\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        os.close(os.open(model, os.O_RDWR))
    out, _ = child.communicate(b"stop\n", timeout=10)

    assert (out, child.returncode) == (b"alive\n", 0)


@linux_only
def test_a_broken_lease_signals_what_is_ignored(model: Path):
    """The signal chosen for a broken lease is one that ends no process; it is checked on a lease that is kept."""
    script = (
        "import os, sys\n"
        "from hikaze.daemon import probe\n"
        "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
        "assert probe.open_for_writing(fd) is False\n"
        "assert probe._take_lease(fd) is True\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n"
        "print('alive')\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    with pytest.raises(BlockingIOError):
        os.open(model, os.O_RDWR | os.O_NONBLOCK)
    out, _ = child.communicate(b"\n", timeout=10)

    assert (out, child.returncode) == (b"alive\n", 0)
    assert signal.getsignal(signal.SIGURG) == signal.SIG_DFL


@linux_only
def test_no_lease_is_left_behind(model: Path):
    """After a look the file has no lease on it."""
    descriptor = os.open(model, os.O_RDONLY)
    try:
        probe.open_for_writing(descriptor)
        assert fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_UNLCK
    finally:
        os.close(descriptor)


def test_holes(tmp_path: Path):
    """A sparse file has holes, a written one has none, and an empty one neither."""
    sparse, full, empty = (tmp_path / name for name in ("sparse.pt", "full.pt", "empty.pt"))
    with sparse.open("wb") as file:
        file.truncate(10 * 2**20)
    full.write_bytes(os.urandom(100_000))
    empty.touch()

    assert [probe.facts(str(path)).holes for path in (sparse, full, empty)] == [True, False, False]


@linux_only
def test_preallocated_room_counts_as_holes(tmp_path: Path):
    """Room that was reserved and not written is a hole, though the file has its full size."""
    path = tmp_path / "download.ckpt"
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, 2**20)
        except OSError:
            pytest.skip("this file system cannot reserve room")
        file.write(b"start")
        file.flush()
        os.fsync(file.fileno())

    assert probe.facts(str(path)).holes is True


def test_a_shortfall(model: Path):
    """A truncated model says what it lacks."""
    model.write_bytes(EMPTY_MODEL[:12])

    assert probe.facts(str(model)).shortfall == (
        "is shorter than its header says (12 of 16 bytes); the download is incomplete"
    )


def test_markers_and_temporary_names(model: Path):
    """A downloader's names, on the file or beside it, are seen; a caller who knows is believed."""
    part = model.with_name("a.safetensors.part")
    part.write_bytes(b"")

    assert probe.facts(str(part)).temporary is True
    assert probe.facts(str(model)).marker is False
    model.with_name(model.name + ".aria2").touch()
    assert probe.facts(str(model)).marker is True
    assert probe.facts(str(model), marker=False).marker is False


def test_what_is_no_file_is_refused(tmp_path: Path):
    """A folder, a FIFO, a device and a missing file are errors, at once."""
    (tmp_path / "folder.pt").mkdir()
    os.mkfifo(tmp_path / "fifo.pt")
    (tmp_path / "device.pt").symlink_to("/dev/zero")
    (tmp_path / "loop.pt").symlink_to("loop.pt")

    for name in ("folder.pt", "fifo.pt", "device.pt", "loop.pt", "missing.pt"):
        with pytest.raises(OSError, match=name.replace(".", r"\.")):
            probe.facts(str(tmp_path / name))


def test_a_look_leaves_no_descriptor_open(model: Path, tmp_path: Path):
    """Whatever a look finds, it closes what it opened."""

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    probe.facts(str(model))
    probe.open_for_writing(str(model))
    with pytest.raises(OSError, match="folder"):
        probe.facts(str(tmp_path))

    assert descriptors() == before


def test_a_download_from_first_byte_to_rest(model: Path):
    """A real file, looked at as it grows under a real writer, is taken only after it is closed and quiet."""
    settling = Settling()

    def look(later: float = 0) -> Taken | Waiting:
        now = time.monotonic() + later
        return settling.look(str(model), probe.facts(str(model)), now=now, wall_ns=time.time_ns() + int(later * 1e9))

    with model.open("wb") as file:
        assert isinstance(look(), Waiting)
        file.write(EMPTY_MODEL[:12])
        file.flush()
        assert isinstance(look(), Waiting)
    assert "shorter than its header" in settling.waiting()[0][1] or "open for writing" in settling.waiting()[0][1]
    with model.open("ab") as file:
        file.write(EMPTY_MODEL[12:])
    assert isinstance(look(), Waiting)
    assert look(later=2.1) == Taken()
