"""Hashing: fast, and only of files that held still."""

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hikaze.daemon.digests import autov1_of, tail_of
from hikaze.daemon.hashing import (
    Cancelled,
    FileChanged,
    Hashed,
    NotRegular,
    hash_file,
    open_regular,
    read_steadily,
)
from hypothesis import given
from hypothesis import strategies as st

MIB = 1 << 20


def written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("read_ahead", [True, False])
@pytest.mark.parametrize("size", [0, 1, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 8 * MIB, 65 * MIB + 3])
def test_sha256_of_any_size(tmp_path: Path, size: int, read_ahead: bool):
    """The hash of a file is that of its bytes, whatever its size is to our blocks and windows."""
    content = os.urandom(1024) * (size // 1024 + 1)
    path = written(tmp_path / "a.safetensors", content[:size])
    status = os.stat(path)

    autov1 = hashlib.sha256(content[MIB:size][: 64 << 10]).hexdigest()[:8] if size > MIB else None
    assert hash_file(path, read_ahead=read_ahead) == Hashed(
        hashlib.sha256(content[:size]).hexdigest(), size, status.st_mtime_ns, status.st_dev, status.st_ino, autov1
    )


def safetensors_of(header: bytes, tensors: bytes) -> bytes:
    """Give a safetensors file with this header and these bytes behind it."""
    return len(header).to_bytes(8, "little") + header + tensors


@pytest.mark.parametrize("read_ahead", [True, False])
@pytest.mark.parametrize("header", [2, 4_000, MIB, 2 * MIB - 8, 2 * MIB, 5 * MIB])
@pytest.mark.parametrize("tensors", [1, MIB, 7 * MIB + 3])
def test_autov1_and_autov3(tmp_path: Path, header: int, tensors: int, read_ahead: bool):
    """They come with the SHA-256: that of 64 KiB from 1 MiB on, and that of all behind a safetensors header."""
    behind = os.urandom(1021) * (tensors // 1021 + 1)
    content = safetensors_of(b"{}".ljust(header), behind[:tensors])
    path = written(tmp_path / "any.name", content)

    found = hash_file(path, read_ahead=read_ahead)

    autov1 = {"autov1": hashlib.sha256(content[MIB : MIB + (64 << 10)]).hexdigest()[:8]} if len(content) > MIB else {}
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.further == {"autov3": hashlib.sha256(behind[:tensors]).hexdigest(), **autov1}
    with open(path, "rb") as file:
        assert autov1_of(file) == autov1.get("autov1")
        assert tail_of(file) == hashlib.sha256(behind[:tensors][-(64 << 10) :]).hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        safetensors_of(b"{}", b""),
        safetensors_of(b"[]", b"tensors"),
        safetensors_of(b"{}", b"tensors")[1:],
        (100).to_bytes(8, "little") + b'{"a": "header that ends too early"}',
        (100_000_001).to_bytes(8, "little") + b"{}".ljust(100),
        b"GGUF" + bytes(100),
        b"PK\x03\x04" + bytes(100),
    ],
)
def test_no_autov3_of_anything_else(tmp_path: Path, content: bytes):
    """What does not begin as a safetensors file does, or has nothing behind its header, has no AutoV3."""
    path = written(tmp_path / "a.safetensors", content)
    assert hash_file(path).further == {}
    with open(path, "rb") as file:
        assert tail_of(file) is None


@given(st.binary(max_size=4096))
def test_sha256_of_any_content(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    """The hash of a file is that of its bytes, whatever they are."""
    path = written(tmp_path_factory.getbasetemp() / "any.bin", content)

    assert hash_file(path).sha256 == hashlib.sha256(content).hexdigest()


def test_sparse_file(tmp_path: Path):
    """The holes of a file hash as zeros."""
    path = tmp_path / "sparse.safetensors"
    with path.open("wb") as out:
        out.truncate(100 * MIB)

    zeros = hashlib.sha256()
    for _ in range(100):
        zeros.update(bytes(MIB))
    assert hash_file(str(path)).sha256 == zeros.hexdigest()


def test_odd_names_and_links(tmp_path: Path):
    """A name of invalid UTF-8 is read like any other, and a link that someone made is followed."""
    odd = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff 'quoted' #%.safetensors")
    Path(odd).write_bytes(b"model")
    link = str(tmp_path / "link.safetensors")
    os.symlink(odd, link)

    assert hash_file(odd) == hash_file(link)


def test_progress_grows_to_the_size(tmp_path: Path):
    """Progress never goes back, and its last word is the size."""
    heard: list[int] = []
    hash_file(written(tmp_path / "a.bin", bytes(30 * MIB)), progress=heard.append)

    assert heard == sorted(heard)
    assert heard[-1] == 30 * MIB


def test_stop_ends_a_reading_within_a_block(tmp_path: Path):
    """Who asks to stop gets no hash, and waits for no more than one block."""
    path = written(tmp_path / "a.bin", bytes(30 * MIB))
    stop = threading.Event()
    with open_regular(path) as source:
        blocks = read_steadily(source, os.fstat(source.fileno()), stop=stop)
        next(blocks)
        stop.set()
        with pytest.raises(Cancelled, match="cancelled"):
            next(blocks)

    assert not [thread for thread in threading.enumerate() if "hikaze-read" in thread.name]


def test_stop_before_the_start(tmp_path: Path):
    """A stop that was asked for before is heeded."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        hash_file(written(tmp_path / "a.bin", b"model"), stop=stop)


def append(path: str) -> None:
    with open(path, "ab") as out:
        out.write(b"more")


def rewrite_in_place_and_hide_it(path: str) -> None:
    before = os.stat(path)
    with open(path, "r+b") as out:
        out.write(b"other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: str) -> None:
    written(Path(path + ".new"), Path(path).read_bytes())
    os.replace(path + ".new", path)


@pytest.mark.parametrize("read_ahead", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        append,
        rewrite_in_place_and_hide_it,
        replace,
        os.unlink,
        lambda path: os.rename(path, path + ".moved"),
        lambda path: os.truncate(path, 5 * MIB),
        lambda path: os.truncate(path, 30 * MIB - 1),
    ],
)
def test_a_change_while_reading_is_noticed(tmp_path: Path, change: Callable[[str], None], read_ahead: bool):
    """A file that is written, cut, replaced, moved or deleted while it is read has no hash."""
    path = written(tmp_path / "a.bin", bytes(30 * MIB))
    with open_regular(path) as source:
        blocks = read_steadily(source, os.fstat(source.fileno()), read_ahead=read_ahead)
        next(blocks)
        change(path)
        with pytest.raises(FileChanged, match="wait until nothing writes to it"):
            list(blocks)


def test_a_change_is_noticed_before_the_end(tmp_path: Path):
    """A file that changes is given up after 256 MiB at most, not read to its end."""
    path = tmp_path / "sparse.bin"
    with path.open("wb") as out:
        out.truncate(1 << 30)
    read: list[int] = []
    with open_regular(str(path)) as source:
        blocks = read_steadily(source, os.fstat(source.fileno()))
        read.append(len(next(blocks)))
        append(str(path))
        with pytest.raises(FileChanged):
            read.extend(len(block) for block in blocks)

    assert sum(read) == 256 * MIB


def is_cached(path: str) -> bool:
    """Tell whether the middle of a file can be read without the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.preadv(fd, [bytearray(1)], os.stat(path).st_size // 2, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False
    finally:
        os.close(fd)


def drop_from_cache(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system cannot tell what is cached")
def test_the_page_cache_is_left_alone(tmp_path: Path):
    """What was not cached before is not cached after, and what was stays."""
    path = written(tmp_path / "a.bin", os.urandom(9 * MIB))
    try:
        drop_from_cache(path)
        if is_cached(path):
            pytest.skip("this file system keeps everything in memory")
    except OSError:
        pytest.skip("this file system cannot tell what is cached")
    hash_file(path)
    assert not is_cached(path)

    Path(path).read_bytes()
    hash_file(path)
    if tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 5):  # since cachestat(2)
        assert is_cached(path)


def make_folder(path: str) -> None:
    os.mkdir(path)


def make_pipe(path: str) -> None:
    os.mkfifo(path)


def make_device_link(path: str) -> None:
    os.symlink("/dev/zero", path)


@pytest.mark.parametrize("make", [make_folder, make_pipe, make_device_link])
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[str], None]):
    """A folder, a pipe nobody writes to and a device are refused at once, by a sentence."""
    path = str(tmp_path / "model.safetensors")
    make(path)
    with pytest.raises(NotRegular, match=r"not a file: choose a model file\.$"):
        hash_file(path)


def test_what_cannot_be_opened_is_the_systems_word(tmp_path: Path):
    """A file that is not there, and a loop of links, raise what the system says."""
    os.symlink("loop", tmp_path / "loop")
    with pytest.raises(FileNotFoundError):
        hash_file(str(tmp_path / "nothing"))
    with pytest.raises(OSError, match="symbolic links"):
        hash_file(str(tmp_path / "loop"))
