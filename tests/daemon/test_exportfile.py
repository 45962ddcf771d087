"""A file that we put beside a model is there whole or not at all, and nothing is ever lost by it."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hikaze.daemon.export.file import NotWritten, put, why

from ..machine import needs_mount

MOST = 1_000


def giving(data: bytes | None) -> Callable[[bytes | None], bytes | None]:
    """Give what makes always the same file."""
    return lambda _former: data


def names(folder: Path) -> list[str]:
    """Give what lies in a folder."""
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("name", ["m.json", "m [x] ü.json", os.fsdecode(b"m\xff\xfe.json")])
def test_a_new_file(tmp_path: Path, name: str) -> None:
    """It is written with the bits that were asked for, whatever our umask, and nothing lies beside it."""
    before = os.umask(0o077)
    try:
        assert put(str(tmp_path / name), giving(b"new"), mode=0o664, most=MOST) == "written"
    finally:
        os.umask(before)

    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o664


def test_what_lies_there_is_not_overwritten(tmp_path: Path) -> None:
    """Without `replace` it stays, and the reason names the way out."""
    (tmp_path / "m.json").write_bytes(b"old")

    with pytest.raises(NotWritten, match="replace"):
        put(str(tmp_path / "m.json"), giving(b"new"), mode=0o644, most=MOST)

    assert names(tmp_path) == ["m.json"]
    assert (tmp_path / "m.json").read_bytes() == b"old"


def test_what_is_replaced_is_kept(tmp_path: Path) -> None:
    """The former files stay beside the new one, each under a name of its own, and its bits are the new one's."""
    file = tmp_path / "m.json"
    (tmp_path / "m.json.bak-1").write_bytes(b"somebody's")
    for data in (b"first", b"second"):
        file.write_bytes(data)
        file.chmod(0o640)
        assert put(str(file), lambda former: former and former + b"!", mode=0o644, most=MOST, replace=True) == "written"

    assert names(tmp_path) == ["m.json", "m.json.bak-1", "m.json.bak-2", "m.json.bak-3"]
    assert file.read_bytes() == b"second!"
    assert [(tmp_path / f"m.json.bak-{n}").read_bytes() for n in (1, 2, 3)] == [b"somebody's", b"first", b"second"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_what_says_all_already_stays(tmp_path: Path) -> None:
    """Nothing is written where the file needs no change, not even with `replace`."""
    file = tmp_path / "m.json"
    file.write_bytes(b"old")
    before = file.stat()

    assert put(str(file), giving(None), mode=0o644, most=MOST, replace=True) == "unchanged"
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert names(tmp_path) == ["m.json"]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """It says what would be done."""
    assert put(str(tmp_path / "m.json"), giving(b"new"), mode=0o644, most=MOST, dry_run=True) == "written"
    assert names(tmp_path) == []


@pytest.mark.parametrize("leads_to", ["there", "nowhere"])
def test_a_symbolic_link_is_refused(tmp_path: Path, leads_to: str) -> None:
    """Whoever put it there may have meant anything: it is neither followed nor replaced."""
    (tmp_path / "there").write_bytes(b"precious")
    (tmp_path / "m.json").symlink_to(leads_to)

    with pytest.raises(NotWritten, match="symbolic link"):
        put(str(tmp_path / "m.json"), giving(b"new"), mode=0o644, most=MOST, replace=True)
    assert names(tmp_path) == ["m.json", "there"]
    assert (tmp_path / "there").read_bytes() == b"precious"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe, or a file that is far too large is left alone."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(MOST + 1))
    for name in ("folder", "pipe", "large"):
        with pytest.raises(NotWritten):
            put(str(tmp_path / name), giving(b"new"), mode=0o644, most=MOST, replace=True)
    assert names(tmp_path) == ["folder", "large", "pipe"]


def test_another_program_is_faster(tmp_path: Path) -> None:
    """A file that appears while ours is made is the one that stays."""
    file = tmp_path / "m.json"

    def make(_former: bytes | None) -> bytes:
        file.write_bytes(b"theirs")
        return b"ours"

    with pytest.raises(NotWritten, match="at the same time"):
        put(str(file), make, mode=0o644, most=MOST)
    assert names(tmp_path) == ["m.json"]
    assert file.read_bytes() == b"theirs"


def test_another_program_writes_meanwhile(tmp_path: Path) -> None:
    """A file that changed since it was read is not replaced by what was made of the old one."""
    file = tmp_path / "m.json"
    file.write_bytes(b"old")

    def make(_former: bytes | None) -> bytes:
        file.write_bytes(b"theirs")
        return b"ours"

    with pytest.raises(NotWritten, match="at the same time"):
        put(str(file), make, mode=0o644, most=MOST, replace=True)
    assert names(tmp_path) == ["m.json"]
    assert file.read_bytes() == b"theirs"


def test_a_killed_try_is_no_hindrance(tmp_path: Path) -> None:
    """What a kill left behind is cleared away by the next."""
    (tmp_path / ".m.json.export.part").write_bytes(b"half")

    put(str(tmp_path / "m.json"), giving(b"new"), mode=0o644, most=MOST)
    assert names(tmp_path) == ["m.json"]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    """It is refused by the disk, and nothing is left behind."""
    with pytest.raises(OSError, match="too long") as refused:
        put(str(tmp_path / ("m" * 252 + ".json")), giving(b"new"), mode=0o644, most=MOST)
    assert "shorter" in why(refused.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EROFS, "may not be written"),
        (errno.ENOSPC, "make room"),
        (errno.EIO, "see to it"),
        (errno.ENOENT, "scan"),
    ],
)
def test_every_reason_has_a_cure(code: int, said: str) -> None:
    """What a disk says is told with what to do."""
    assert said in why(OSError(code, os.strerror(code)))


@needs_mount
def test_a_full_disk(mounted: Callable[[str], Path]) -> None:
    """Nothing of the file is left, and what it would have replaced is as it was."""
    folder = mounted("size=64k")
    (folder / "m.json").write_bytes(b"old")
    (folder / "other").write_bytes(bytes(40_000))

    with pytest.raises(OSError, match="No space") as refused:
        put(str(folder / "m.json"), giving(bytes(50_000)), mode=0o644, most=MOST, replace=True)
    assert "disk is full" in why(refused.value)
    assert names(folder) == ["m.json", "other"]
    assert (folder / "m.json").read_bytes() == b"old"


@needs_mount
def test_a_read_only_disk(mounted: Callable[[str], Path]) -> None:
    """It is told by a dry run, too."""
    folder = mounted("size=64k,ro")
    for dry_run in (False, True):
        with pytest.raises(OSError, match=r"Read-only|Permission") as refused:
            put(str(folder / "m.json"), giving(b"new"), mode=0o644, most=MOST, dry_run=dry_run)
        assert "may not be written" in why(refused.value)
