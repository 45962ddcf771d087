"""One library takes another's place: killed at any moment, it is finished later, and nothing is ever lost."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hikaze.daemon import exchange
from hikaze.daemon.backup import BackupFailed, back_up
from hikaze.daemon.checkup import check
from hikaze.daemon.exchange import CannotExchange, Source
from hikaze.events.catalog import TagCreated

from ..machine import needs_mount, needs_strace
from .sound import append, make_sound
from .test_restore import files

SOURCE = Source("ab" * 16, 8, 1, 7)
OLD = ("log.db", "views.db", "images/a")
NEW = ("log.db", "images/b", "host")
CALLS = "rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,fsync,fdatasync,syncfs,link,linkat,ftruncate"
RESTORE = "import sys; from hikaze.daemon.restore import restore; restore(*sys.argv[1:])"  # the command, less its HTTP


def put(folder: Path, names: tuple[str, ...], content: str) -> None:
    """Write files of one content."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a data folder with an old library, and a new one made ready."""
    put(tmp_path, OLD, "old")
    put(Path(exchange.staging(str(tmp_path))), NEW, "new")
    return tmp_path


def is_exchanged(data: Path, place: str = "then") -> bool:
    """Tell whether the new library is in place, and the old one aside."""
    return files(data) == dict.fromkeys(NEW, b"new") | {f"replaced/{place}/{name}": b"old" for name in OLD}


def test_one_library_takes_anothers_place(data: Path) -> None:
    """The old one lies aside, the new one is in place, and nothing tells of the exchange any more."""
    assert exchange.exchange(str(data), SOURCE, "then") == str(data / "replaced/then")
    assert is_exchanged(data)
    assert not exchange.is_interrupted(str(data))
    assert exchange.finish(str(data)) is None
    assert is_exchanged(data)


def test_what_was_not_whole_is_removed(data: Path) -> None:
    """A restore that was killed while it unpacked has changed nothing; the next start removes what it left."""
    assert exchange.finish(str(data)) is None
    assert files(data) == dict.fromkeys(OLD, b"old")


@needs_mount
def test_a_disk_of_its_own_cannot_move(data: Path, mounted: Callable[[str], Path]) -> None:
    """Where a part of the library is a mount point nothing is begun."""
    disk = mounted("size=64k")
    (disk / "c").write_text("old")
    shutil.rmtree(data / "images")
    (data / "images").mkdir()
    subprocess.run(["mount", "--bind", disk, data / "images"], check=True)
    try:
        with pytest.raises(CannotExchange, match="unmount it"):
            exchange.exchange(str(data), SOURCE, "then")
    finally:
        subprocess.run(["umount", data / "images"], check=True)
    assert not exchange.is_interrupted(str(data))
    assert (data / "log.db").read_text() == "old"


@pytest.mark.parametrize(
    "content",
    [
        b"garbage",
        b"{}",
        b'{"source":{"log_id":"","position":1,"checksum":1,"made_at":1},"place":"../../x","aside":[]}',
        b'{"source":{"log_id":"","position":1,"checksum":1,"made_at":1},"place":"x","aside":["trash"]}',
    ],
)
def test_an_intent_that_is_not_ours_is_told_of(data: Path, content: bytes) -> None:
    """Nothing is moved on the word of a file that we did not write."""
    (data / "restoring/intent.json").write_bytes(content)
    with pytest.raises(CannotExchange, match="Move the folder restoring away"):
        exchange.finish(str(data))
    assert (data / "log.db").read_text() == "old"


# Killed ----------------------------------------------------------------------------------------------------


def restore_traced(data: Path, backup: Path, *how: str) -> int:
    """Restore in a process under strace; gives its exit code, negative for a signal."""
    command = [sys.executable, "-c", RESTORE, str(data), str(backup)]
    traced = ["strace", "-qq", "-o", str(data.parent / "trace"), "-e", f"trace={CALLS}", *how, *command]
    home = {"HOME": str(data.parent), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(traced, env=home, capture_output=True, check=False).returncode


@needs_strace
@pytest.mark.slow
def test_killed_at_every_call_that_changes_the_disk(tmp_path: Path) -> None:
    """A restore is killed at each of its calls: the library is the old or the new, or says that it is neither.

    Then it is finished, and the library is one of the two, whole; with the new one the old one lies aside.
    """
    library, backup, data = make_sound(tmp_path / "library"), tmp_path / "backup.tar", tmp_path / "data"
    back_up(str(library), str(backup))
    append(library, TagCreated(2, "later"))
    old = files(library)
    shutil.copytree(library, data)
    assert restore_traced(data, backup) == 0
    calls = (tmp_path / "trace").read_text().splitlines()
    seen: list[str] = []
    for call in CALLS.split(","):
        for number in range(1, sum(line.startswith(f"{call}(") for line in calls) + 1):
            shutil.rmtree(data)
            shutil.copytree(library, data)
            assert restore_traced(data, backup, "-e", f"inject={call}:signal=KILL:when={number}") != 0
            before = state_of(data)
            exchange.finish(str(data))
            after = state_of(data)
            assert before in (after, "interrupted"), (call, number, before, after)
            kept = files(data) if after == "old" else files(next((data / "replaced").iterdir()))
            assert {name: kept[name] for name in old if name in kept} == {n: old[n] for n in old if n in kept}
            assert {"log.db", "views.db"} <= kept.keys()
            seen.append(before)
    assert len(seen) > 30
    assert set(seen) == {"old", "new", "interrupted"}


def state_of(data: Path) -> str:
    """Tell which library there is; a whole one is sound but for read tables that are to be built."""
    found = check(str(data), pause=lambda _seconds: None)
    what = [each.what for each in found.findings if "read tables" not in each.what]
    if exchange.is_interrupted(str(data)):
        with pytest.raises(BackupFailed, match="cut off"):
            back_up(str(data), str(data.parent / "other.tar"))
        assert [each for each in what if "a restore was cut off" in each] == what
        return "interrupted"
    assert what == []
    return {9: "old", 8: "new"}[found.events]
