"""A backup beside a daemon at work, and what it brings back."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hikaze.daemon.checkup import check
from hikaze.daemon.exchange import STAGING
from hikaze.events.log import EventLog

from .harness import Daemon, Make, files_below, lora, picture, png


def hikazed(daemon: Daemon, *argv: object, code: int = 0) -> str:
    """Run a command on the daemon's data folder; gives what it printed, or complained of."""
    command = [sys.executable, "-m", "hikaze.daemon", *map(str, argv), "--data", str(daemon.data)]
    done = subprocess.run(command, env=daemon.env(), capture_output=True, text=True, check=False)
    assert done.returncode == code, (argv, done.stdout, done.stderr)
    assert done.stderr.count("\n") == code
    return done.stderr or done.stdout


def names(daemon: Daemon) -> dict[str, list[str]]:
    """Give each model's tags, by its name."""
    return {model["name"]: model["tags"] for model in daemon.models()}


def test_there_and_back(daemon: Daemon, tmp_path: Path) -> None:
    """What was written after a backup is gone with its restore, and lies aside; everything from before is there."""
    picture(daemon.drop / "a.png")
    kept = daemon.bring_in(daemon.drop / "a.safetensors")
    daemon.patch(f"/api/models/{kept}", {"tags": ["before"]})
    told = json.loads(hikazed(daemon, "backup", tmp_path / "b.tar", "--json"))
    assert told["missing"] == []
    daemon.patch(f"/api/models/{kept}", {"tags": ["after"]})
    later = daemon.bring_in(daemon.drop / "b.safetensors", 2)
    path = Path(daemon.model(later)["path"])
    assert "stop it with `hikazed stop`" in hikazed(daemon, "restore", tmp_path / "b.tar", code=1)
    assert daemon.stop() == 0

    done = json.loads(hikazed(daemon, "restore", tmp_path / "b.tar", "--json"))

    assert done["position"] == told["position"]
    assert check(done["replaced"]).events > told["position"]
    assert "is sound" in hikazed(daemon, "check")
    daemon.start()
    assert names(daemon) == {"a": ["before"]}
    assert daemon.ask("GET", f"/api/images/{kept}_0.webp?quality=low").status == 200
    assert daemon.wait_pending(path)["in_place"]  # a file that was imported later is not lost: it is pending again


def test_a_restore_that_was_cut_off_is_finished_at_the_start(daemon: Daemon, tmp_path: Path) -> None:
    """A daemon that starts after a restore was killed in its midst serves the library of the backup."""
    sha256 = daemon.bring_in(daemon.drop / "a.safetensors")
    hikazed(daemon, "backup", tmp_path / "b.tar")
    daemon.patch(f"/api/models/{sha256}", {"tags": ["after"]})
    assert daemon.stop() == 0
    kill_at = "import os; from hikaze.daemon import exchange; rename = os.rename\n"
    kill_at += "os.rename = lambda old, new: os._exit(9) if old.endswith('new/log.db') else rename(old, new)\n"
    kill_at += "import sys; from hikaze.daemon.restore import restore; restore(*sys.argv[1:])"
    command = [sys.executable, "-c", kill_at, str(daemon.data), str(tmp_path / "b.tar")]
    assert subprocess.run(command, check=False).returncode == 9
    assert not (daemon.data / "log.db").exists()
    assert "restore of this library was cut off" in hikazed(daemon, "backup", tmp_path / "c.tar", code=1)

    daemon.start()

    assert names(daemon) == {"a": []}
    assert not (daemon.data / STAGING).exists()


@contextmanager
def at_work(daemon: Daemon, seeds: Iterator[int]) -> Iterator[None]:
    """Let threads drop, import, tag, give and remove pictures until the block ends; whatever fails is raised."""
    ending, faults = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            while not ending.is_set():
                use_it(daemon, next(seeds))
        except BaseException as error:  # noqa: BLE001 - raised below
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert faults == []


def use_it(daemon: Daemon, seed: int) -> None:
    """Do with one model what a person does."""
    folder = daemon.staging / str(seed)
    folder.mkdir()
    picture(daemon.drop / f"{seed}.png", (40 + seed % 50, 60))
    path = daemon.put(lora(folder / "new", seed), daemon.drop / f"{seed}.safetensors")
    card = daemon.wait_pending(path, 30)
    done = daemon.import_one(card["id"])
    assert (done.status, done.json["status"]) == (200, "imported"), done.body
    sha256 = done.json["sha256"]
    assert daemon.upload("/api/images/upload", png((50, 50)), sha256=sha256).status == 200
    daemon.patch(f"/api/models/{sha256}", {"tags": [f"t{seed % 3}", "all"]})
    daemon.delete(f"/api/images/delete?sha256={sha256}&seq={seed % 2}")


class Count:
    """Numbers for several threads."""

    def __init__(self) -> None:
        """Begin at 1."""
        self._last, self._lock = 0, threading.Lock()

    def __iter__(self) -> "Count":
        """Give itself."""
        return self

    def __next__(self) -> int:
        """Give the next number."""
        with self._lock:
            self._last += 1
            return self._last


@pytest.mark.slow
def test_backups_beside_a_daemon_at_work(make_daemon: Make, tmp_path: Path) -> None:
    """Each backup that is made under load is a library at one moment: whole, sound, and one that goes on.

    The last one is restored over the library it comes from: the daemon starts on it, and no model file is lost.
    """
    daemon = make_daemon().start()
    seeds = Count()
    made: list[int] = []
    with at_work(daemon, seeds):
        until = time.monotonic() + 12
        while time.monotonic() < until or len(made) < 4:
            told = json.loads(hikazed(daemon, "backup", tmp_path / f"{len(made)}.tar", "--json"))
            assert told["missing"] == []
            made.append(told["position"])
            assert "is sound" in hikazed(daemon, "check")
    daemon.quiesce()
    all_files = contents(daemon)
    for number, position in enumerate(made):
        restored = tmp_path / f"restored-{number}"
        is_a_library_at(daemon, restored, tmp_path / f"{number}.tar", position)
    assert made == sorted(set(made))
    assert daemon.stop() == 0

    hikazed(daemon, "restore", tmp_path / f"{len(made) - 1}.tar")
    daemon.start()
    daemon.quiesce()

    assert contents(daemon) == all_files
    known = {location["path"] for model in daemon.models() for location in daemon.model(model["sha256"])["locations"]}
    known |= {each["path"] for each in daemon.pending()}
    assert known >= {str(path) for folder in roots(daemon) for path in folder.rglob("*.safetensors")}
    assert "is sound" in hikazed(daemon, "check")


def is_a_library_at(daemon: Daemon, folder: Path, backup: Path, position: int) -> None:
    """Restore a backup to a folder of its own, and see that it is sound and the log's beginning."""
    command = [sys.executable, "-m", "hikaze.daemon", "restore", str(backup), "--data", str(folder)]
    subprocess.run(command, env=daemon.env(), capture_output=True, check=True)
    found = check(str(folder))
    assert found.findings == []
    assert found.events == position
    ours, theirs = EventLog(str(folder / "log.db")), EventLog(str(daemon.data / "log.db"))
    assert (ours.log_id, ours.own_reader().checksum_at(position)) == (
        theirs.log_id,
        theirs.own_reader().checksum_at(position),
    )
    ours.close()
    theirs.close()


def roots(daemon: Daemon) -> Sequence[Path]:
    """Give the folders that models lie in."""
    return [daemon.drop, *(path for _, path in daemon.roots)]


def contents(daemon: Daemon) -> list[bytes]:
    """Give the contents of all model files, wherever they lie."""
    found = [folder / name for folder in roots(daemon) for name in files_below(folder) if name.endswith(".safetensors")]
    return sorted(path.read_bytes() for path in found)
