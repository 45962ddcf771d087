"""Storms on the disk: unmounts, swapped and deleted folders, mass disappearance, overflow. The library stays true."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..machine import needs_mount
from .harness import Daemon, Json, Make, lora

pytestmark = pytest.mark.slow

LONG_S = 40.0  # for what takes seconds on a machine at rest
GONE = ("location-lost", "pending-lost")


@pytest.fixture
def mounts() -> Iterator[Callable[[Path], None]]:
    """Mount a small file system on a folder; whatever is mounted at the end is taken away."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(folder)], check=True)
        mounted.append(folder)

    yield mount
    for folder in reversed(mounted):
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def unmount(folder: Path) -> None:
    """Unmount what lies on a folder, as soon as nobody looks at it."""
    for _ in range(100):
        if subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.05)
    subprocess.run(["umount", str(folder)], check=True)


def bind(source: Path, folder: Path) -> None:
    """Show a folder at another place, as a disk that is mounted there."""
    subprocess.run(["mount", "--bind", str(source), str(folder)], check=True)


def whats(daemon: Daemon) -> str:
    """Give all that is wrong, in one text."""
    return "\n".join(warning["what"] for warning in daemon.get("/api/status")["warnings"])


def root_of(daemon: Daemon, folder: Path) -> Json:
    """Give a root as the status tells of it."""
    return next(root for root in daemon.get("/api/status")["roots"] if root["path"] == str(folder))


def wait_state(daemon: Daemon, sha256: str, path: Path, state: str) -> None:
    """Wait until a model's only location has a state."""
    daemon.wait_for(lambda: daemon.states(sha256) == {str(path): state}, LONG_S, f"{path.name} is {state}")


def wait_warning(daemon: Daemon, words: str) -> None:
    """Wait until something is wrong that is told with these words, each warning with its cure."""
    daemon.wait_for(lambda: words in whats(daemon), LONG_S, words)
    assert all(warning["cure"] for warning in daemon.get("/api/status")["warnings"])


def wait_calm(daemon: Daemon) -> None:
    """Wait until nothing is wrong any more."""
    daemon.wait_for(lambda: daemon.get("/api/status")["warnings"] == [], LONG_S, "nothing is wrong")


def sees_new_files(daemon: Daemon, folder: Path, seed: int) -> None:
    """Let a file appear in a folder by a rename: a daemon that watches it sees it."""
    inside = folder / ".hidden"
    inside.mkdir(exist_ok=True)
    lora(inside / "new", seed).rename(folder / f"new {seed}.safetensors")
    daemon.wait_pending(folder / f"new {seed}.safetensors", LONG_S)


def bring_in_by_hand(daemon: Daemon, path: Path, seed: int) -> str:
    """Have a model on another file system than the staging folder's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lora(path, seed)
    done = daemon.import_one(daemon.wait_pending(path, LONG_S)["id"])
    assert done.status == 200, done.body
    return done.json["sha256"]


# Mounts


@needs_mount
def test_a_root_is_unmounted_and_mounted_again(make_daemon: Make, mounts: Callable[[Path], None]) -> None:
    """Its models are offline while it is away, and it is watched again as soon as it is back."""
    daemon = make_daemon()
    disk = daemon.folder / "disk"
    disk.mkdir()
    mounts(disk)
    bind(disk, daemon.more_loras)
    try:
        daemon.start()
        path = daemon.more_loras / "a.safetensors"
        sha256 = bring_in_by_hand(daemon, path, 1)
        assert root_of(daemon, daemon.more_loras)["watched"] == "events"
        position = daemon.quiesce()
        for seed in (2, 3):
            unmount(daemon.more_loras)
            wait_state(daemon, sha256, path, "offline")
            wait_warning(daemon, "another disk or folder lies at")
            assert root_of(daemon, daemon.more_loras)["watched"] is None
            bind(disk, daemon.more_loras)
            wait_state(daemon, sha256, path, "present")
            wait_calm(daemon)
            sees_new_files(daemon, daemon.more_loras, seed)
        assert daemon.events(*GONE, after=position) == []
    finally:
        daemon.close()
        subprocess.run(["umount", "-l", str(daemon.more_loras)], check=False, capture_output=True)


@needs_mount
def test_a_root_is_mounted_over(make_daemon: Make, mounts: Callable[[Path], None]) -> None:
    """Another disk on top of a root hides it: its models are offline, and present when that disk is gone again."""
    daemon = make_daemon().start()
    path = daemon.more_loras / "a.safetensors"
    sha256 = daemon.bring_in(path)
    position = daemon.quiesce()

    mounts(daemon.more_loras)
    wait_state(daemon, sha256, path, "offline")
    (daemon.more_loras / "a note").touch()
    unmount(daemon.more_loras)

    wait_state(daemon, sha256, path, "present")
    sees_new_files(daemon, daemon.more_loras, 2)
    assert daemon.events(*GONE, after=position) == []


@needs_mount
@pytest.mark.parametrize("stopped", [False, True])
def test_a_disk_below_a_root_is_unmounted(make_daemon: Make, mounts: Callable[[Path], None], stopped: bool) -> None:
    """The empty mount point it leaves is no proof: nothing is missing, it is told where a disk seems to be away."""
    daemon = make_daemon()
    disk, nested = daemon.folder / "disk", daemon.loras / "nested"
    for folder in (disk, nested):
        folder.mkdir()
    mounts(disk)
    bind(disk, nested)
    try:
        daemon.start()
        path, beside = nested / "deep" / "a.safetensors", daemon.loras / "b.safetensors"
        sha256, other = bring_in_by_hand(daemon, path, 1), daemon.bring_in(beside, 2)
        position = daemon.quiesce()
        if stopped:
            daemon.stop()
        unmount(nested)
        if stopped:
            daemon.start()

        wait_warning(daemon, f"{nested} seems to be the mount point of a disk that is not mounted")
        daemon.post("/api/scan")
        assert daemon.events(*GONE, after=position) == []
        beside.unlink()
        wait_state(daemon, other, beside, "missing")  # what lies on the root's own disk is known to be gone

        bind(disk, nested)
        wait_calm(daemon)
        wait_state(daemon, sha256, path, "present")
        sees_new_files(daemon, nested, 3)
        path.unlink()
        wait_state(daemon, sha256, path, "missing")
    finally:
        daemon.close()
        subprocess.run(["umount", "-l", str(nested)], check=False, capture_output=True)


@needs_mount
def test_a_disk_behind_a_link_is_unmounted(make_daemon: Make, mounts: Callable[[Path], None]) -> None:
    """A followed link whose target became an empty mount point, and a link to a file on that disk, lose nothing."""
    daemon = make_daemon()
    disk, shown = daemon.folder / "disk", daemon.folder / "shown"
    for folder in (disk, shown):
        folder.mkdir()
    mounts(disk)
    bind(disk, shown)
    try:
        (shown / "folder").mkdir()
        lora(shown / "file.safetensors", 2)
        (daemon.loras / "all").symlink_to(shown / "folder")
        (daemon.loras / "whole").symlink_to(shown)
        daemon.start()
        (daemon.loras / "all").unlink()
        path = daemon.loras / "whole" / "a.safetensors"
        sha256 = bring_in_by_hand(daemon, path, 1)
        link = daemon.loras / "file link.safetensors"
        link.symlink_to(shown / "file.safetensors")
        daemon.wait_pending(link, LONG_S)
        position = daemon.quiesce()

        unmount(shown)
        wait_warning(daemon, "seems to be the mount point of a disk that is not mounted")
        daemon.post("/api/scan")
        assert daemon.events(*GONE, after=position) == []

        bind(disk, shown)
        wait_calm(daemon)
        wait_state(daemon, sha256, path, "present")
        sees_new_files(daemon, daemon.loras / "whole", 3)
        (shown / "file.safetensors").unlink()  # now it is gone indeed, and the disk is there to prove it

        def is_gone() -> bool:
            daemon.post("/api/scan")  # what happens to the target of a link to a file gives no hint of the link
            return not daemon.pending_at(link)

        daemon.wait_for(is_gone, LONG_S, "the file behind the link is gone")
    finally:
        daemon.close()
        subprocess.run(["umount", "-l", str(shown)], check=False, capture_output=True)


# Deleted, made anew, swapped


def test_a_deleted_root_that_is_made_anew(make_daemon: Make) -> None:
    """While it is away its models are offline; made anew it is the root, what is not in it missing, the rest here."""
    daemon = make_daemon().start()
    kept, lost = daemon.loras / "kept.safetensors", daemon.loras / "lost.safetensors"
    kept_sha, lost_sha = daemon.bring_in(kept, 1), daemon.bring_in(lost, 2)
    copy = Path(shutil.copy2(kept, daemon.staging / "copy"))
    shutil.rmtree(daemon.loras)
    wait_state(daemon, lost_sha, lost, "offline")
    wait_warning(daemon, f"the folder {daemon.loras} was deleted")

    daemon.loras.mkdir()

    wait_state(daemon, lost_sha, lost, "missing")
    copy.rename(kept)
    wait_state(daemon, kept_sha, kept, "present")
    wait_calm(daemon)
    sees_new_files(daemon, daemon.loras, 3)


def test_a_root_that_is_deleted_and_made_anew_at_once(make_daemon: Make) -> None:
    """However fast that is, its files are missed and it is watched."""
    daemon = make_daemon().start()
    path = daemon.loras / "a.safetensors"
    sha256 = daemon.bring_in(path)
    for _ in range(3):
        shutil.rmtree(daemon.loras)
        daemon.loras.mkdir()

    wait_state(daemon, sha256, path, "missing")
    wait_calm(daemon)
    sees_new_files(daemon, daemon.loras, 2)


def test_the_folder_above_a_root_is_deleted(make_daemon: Make) -> None:
    """With it the root goes, and comes when it is made anew."""
    daemon = make_daemon().start()
    path = daemon.loras / "a.safetensors"
    sha256 = daemon.bring_in(path)

    shutil.rmtree(daemon.loras.parent)
    wait_state(daemon, sha256, path, "offline")
    for _, folder in daemon.roots:
        folder.mkdir(parents=True, exist_ok=True)

    wait_state(daemon, sha256, path, "missing")
    wait_calm(daemon)
    sees_new_files(daemon, daemon.loras, 2)
    sees_new_files(daemon, daemon.vae, 3)


def test_the_folder_above_a_root_is_renamed(make_daemon: Make) -> None:
    """The root is away, nothing in it is missing, and all is well when the name is back."""
    daemon = make_daemon().start()
    path = daemon.more_loras / "a.safetensors"
    sha256 = daemon.bring_in(path)
    position = daemon.quiesce()
    above, aside = daemon.more_loras.parent, daemon.folder / "aside"

    above.rename(aside)
    wait_state(daemon, sha256, path, "offline")
    lora(aside / "loras" / "meanwhile.safetensors", 2)
    aside.rename(above)

    wait_state(daemon, sha256, path, "present")
    daemon.wait_pending(daemon.more_loras / "meanwhile.safetensors", LONG_S)
    sees_new_files(daemon, daemon.more_loras, 3)
    assert daemon.events(*GONE, after=position) == []


def test_a_root_is_swapped_and_swapped_back(make_daemon: Make) -> None:
    """Another folder in its place makes its models offline, with the cure; when it is back they are present."""
    daemon = make_daemon().start()
    path = daemon.loras / "a.safetensors"
    sha256 = daemon.bring_in(path)
    position = daemon.quiesce()
    away = daemon.loras.with_name("away")

    daemon.loras.rename(away)
    daemon.loras.mkdir()
    lora(daemon.loras / "foreign.safetensors", 2)
    wait_state(daemon, sha256, path, "offline")
    wait_warning(daemon, "another disk or folder lies at")
    daemon.post("/api/scan")
    assert not daemon.pending_at(daemon.loras / "foreign.safetensors")
    shutil.rmtree(daemon.loras)
    away.rename(daemon.loras)

    wait_state(daemon, sha256, path, "present")
    wait_calm(daemon)
    sees_new_files(daemon, daemon.loras, 3)
    assert daemon.events(*GONE, after=position) == []


def test_a_swapped_root_is_believed_by_one_of_its_models(make_daemon: Make) -> None:
    """The cure that is told: a copy of one known file, its time another, makes the new folder the root."""
    daemon = make_daemon().start()
    paths = [daemon.loras / f"{number}.safetensors" for number in range(12)]
    hashes = [daemon.bring_in(path, number) for number, path in enumerate(paths)]
    away = daemon.loras.with_name("away")
    daemon.loras.rename(away)
    daemon.loras.mkdir()
    wait_state(daemon, hashes[7], paths[7], "offline")

    shutil.copyfile(away / "7.safetensors", paths[7])

    wait_state(daemon, hashes[7], paths[7], "present")
    wait_state(daemon, hashes[8], paths[8], "missing")
    wait_calm(daemon)


@pytest.mark.parametrize("what", ["a file", "a link to nothing"])
def test_something_else_lies_at_a_root(make_daemon: Make, what: str) -> None:
    """A file or a dangling link at a root's path is told of; the root is back with its folder."""
    daemon = make_daemon().start()
    path = daemon.loras / "a.safetensors"
    sha256 = daemon.bring_in(path)
    away = daemon.loras.rename(daemon.loras.with_name("away"))
    if what == "a file":
        daemon.loras.touch()
    else:
        daemon.loras.symlink_to(daemon.folder / "nothing")

    wait_warning(daemon, f"the folder {daemon.loras} is away: {what} lies there")
    wait_state(daemon, sha256, path, "offline")
    daemon.loras.unlink()
    away.rename(daemon.loras)

    wait_state(daemon, sha256, path, "present")
    wait_calm(daemon)


def test_a_root_that_is_missing_at_the_start(make_daemon: Make) -> None:
    """It is told of, and watched when it comes, however deep it is made."""
    daemon = make_daemon()
    shutil.rmtree(daemon.more_loras.parent)
    daemon.start()
    wait_warning(daemon, f"the folder {daemon.more_loras} is away")

    daemon.more_loras.mkdir(parents=True)

    wait_calm(daemon)
    sees_new_files(daemon, daemon.more_loras, 1)


# Mass disappearance


def many(folder: Path, count: int) -> Path:
    """Write model files that hold nothing of their own, all in a folder."""
    first = lora(folder.parent / "pattern", 1).read_bytes()
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:04}.safetensors").write_bytes(first)
    (folder.parent / "pattern").unlink()
    return folder


def with_many(daemon: Daemon, count: int) -> tuple[Path, int]:
    """Have many pending models in a subfolder of a root; gives it and the position."""
    folder = many(daemon.loras / "many", count)
    daemon.start()
    daemon.wait_for(lambda: len(daemon.pending()) == count, LONG_S, "all are pending")
    return folder, daemon.quiesce()


def test_many_files_vanish(make_daemon: Make) -> None:
    """What is much of a root is held, told of, looked at again, and then believed."""
    daemon = make_daemon()
    folder, position = with_many(daemon, 120)

    shutil.rmtree(folder)

    wait_warning(daemon, "vanished at once")
    daemon.wait_for(lambda: daemon.pending() == [], LONG_S, "it is believed")
    lost = daemon.events("pending-lost", after=position)
    assert len(lost) == 120
    wait_calm(daemon)


def test_many_files_vanish_and_come_back(make_daemon: Make) -> None:
    """What is back before the second look was never missing."""
    daemon = make_daemon()
    folder, position = with_many(daemon, 120)
    outside = daemon.folder / "outside"

    folder.rename(outside)
    wait_warning(daemon, "vanished at once")
    outside.rename(folder)

    wait_calm(daemon)
    daemon.post("/api/scan")
    assert daemon.events("pending-lost", after=position) == []
    assert len(daemon.pending()) == 120


def test_many_files_move(make_daemon: Make) -> None:
    """Files that turn up elsewhere in watched roots are followed at once: they did not vanish."""
    daemon = make_daemon()
    folder, position = with_many(daemon, 120)

    folder.rename(daemon.more_loras / "moved")

    daemon.wait_for(lambda: len(daemon.events("pending-moved", after=position)) == 120, LONG_S, "all moved")
    assert daemon.events("pending-lost", after=position) == []
    assert "vanished at once" not in whats(daemon)


# Folders that move in and out


def test_a_folder_moves_out_and_in(make_daemon: Make) -> None:
    """What moves out is missing, and what is done to it there is none of ours; moved in it is seen whole."""
    daemon = make_daemon().start()
    folder, outside = daemon.loras / "sub", daemon.folder / "outside"
    path = folder / "deep" / "a.safetensors"
    sha256 = daemon.bring_in(path)
    position = daemon.quiesce()

    folder.rename(outside)
    wait_state(daemon, sha256, path, "missing")
    lora(outside / "deep" / "b.safetensors", 2)
    time.sleep(0.5)
    assert daemon.pending() == []
    outside.rename(folder)

    wait_state(daemon, sha256, path, "present")
    daemon.wait_pending(folder / "deep" / "b.safetensors", LONG_S)
    sees_new_files(daemon, folder / "deep", 3)
    assert len(daemon.events("location-lost", after=position)) == 1


def test_a_tree_that_is_written_to_moves_in(make_daemon: Make) -> None:
    """Files that are written while their tree moves in are all seen."""
    daemon = make_daemon().start()
    outside, inside = daemon.folder / "outside", daemon.loras / "tree"
    for number in range(20):
        (outside / str(number)).mkdir(parents=True)
    content = lora(daemon.staging / "a").read_bytes()

    def fill(top: Path, name: str) -> None:
        for number in range(20):
            (top / str(number) / f"{name}.safetensors").write_bytes(content)

    fill(outside, "before")
    outside.rename(inside)
    fill(inside, "after")

    daemon.wait_for(lambda: len(daemon.pending()) == 40, LONG_S, "all are pending")


# Overflow


def test_an_overflow_while_the_daemon_is_stopped(make_daemon: Make) -> None:
    """20,000 files and more events than the system keeps: it is told, all is right after it, and then there is rest."""
    daemon = make_daemon()
    for number in range(20):
        (daemon.loras / str(number)).mkdir()
    old = many(daemon.loras / "old", 200)
    daemon.start()
    daemon.wait_for(lambda: len(daemon.pending()) == 200, LONG_S, "all are pending")
    content = (old / "0000.safetensors").read_bytes()
    assert daemon.process is not None
    outside = daemon.folder / "outside"

    with stopped(daemon):
        for number in range(20_000):
            (daemon.loras / str(number % 20) / f"{number}.txt").touch()
        for number in range(100):
            (daemon.loras / str(number % 20) / f"{number}.safetensors").write_bytes(content)
        old.rename(outside)

    wait_warning(daemon, "more files changed at once than the system could tell of")
    expected = {str(daemon.loras / str(number % 20) / f"{number}.safetensors") for number in range(100)}
    daemon.wait_for(lambda: {one["path"] for one in daemon.pending()} == expected, LONG_S, "the truth")
    sees_new_files(daemon, daemon.loras / "3", 5)
    daemon.quiesce()
    before = cpu_s(daemon)
    time.sleep(3.0)
    assert cpu_s(daemon) - before < 0.3, "it does not come to rest"


@contextlib.contextmanager
def stopped(daemon: Daemon) -> Iterator[None]:
    """Stop the process, and let it go on at the end."""
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def cpu_s(daemon: Daemon) -> float:
    """Give the processor time that the daemon took so far, in seconds."""
    assert daemon.process is not None
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
