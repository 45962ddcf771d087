"""The disk is full: the daemon says so, serves what it has, loses nothing, and goes on by itself when there is room."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..machine import needs_mount
from .harness import Daemon, Make, big, lora

pytestmark = [needs_mount, pytest.mark.slow]


def small_disk(folder: Path, megabytes: int) -> None:
    """Mount an empty disk of a few MiB."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "hikaze-small", str(folder)], check=True)


def unmount(folder: Path) -> None:
    """Unmount it again, whoever is still in it."""
    subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> Path:
    """Write until nothing fits any more; gives the file to remove."""
    path = folder / "filling"
    with open(path, "ab", buffering=0) as file:
        for size in (1 << 16, 4096, 512, 1):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue
    return path


@pytest.fixture
def cramped(make_daemon: Make) -> Iterator[Daemon]:
    """Give a daemon whose data folder is a small disk, and whose models lie elsewhere."""
    daemon = make_daemon()
    small_disk(daemon.data, 8)
    try:
        yield daemon.start()
    finally:
        if daemon.process is not None:
            daemon.kill()
        unmount(daemon.data)


def full_warnings(daemon: Daemon) -> list[dict[str, Any]]:
    """Give the warnings that say that the disk is full."""
    return [one for one in daemon.get("/api/status")["warnings"] if "full" in one["what"]]


def test_it_comes_back_by_itself(cramped: Daemon) -> None:
    """Writes get 503 and one clear sentence, reads go on, and with room again what waited is done, nothing twice."""
    daemon = cramped
    sha256 = daemon.bring_in(daemon.loras / "known.safetensors", 1)
    before = daemon.quiesce()
    filling = fill(daemon.data)
    refused = _fill_the_last_pages(daemon)

    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert "the disk of the data folder is full; free some space" in refused.detail
    assert daemon.wait_for(lambda: full_warnings(daemon), what="the warning")[0]["cure"].startswith("free some space")
    assert daemon.model(sha256)["name"] == "known"
    late = lora(daemon.loras / "late.safetensors", 2)
    assert daemon.import_one(1).status in (404, 503)
    tags = len(daemon.get("/api/tags")["items"])

    filling.unlink()

    card = daemon.wait_pending(late, 30)
    daemon.wait_for(lambda: not full_warnings(daemon), 30, "the warning goes")
    assert len(daemon.get("/api/tags")["items"]) == tags
    assert daemon.import_one(card["id"]).status == 200
    assert len(daemon.get("/api/models")["items"]) == 2
    assert daemon.quiesce() > before
    daemon.restart(kill=True)
    assert len(daemon.get("/api/tags")["items"]) == tags
    assert _is_sound(daemon)


def _fill_the_last_pages(daemon: Daemon) -> Any:
    """Write until it is refused: the write-ahead logs have room of their own."""
    for number in range(2_000):
        answer = daemon.ask("POST", "/api/tags", {"name": f"tag {number} " + "x" * 80})
        if answer.status != 200:
            return answer
    raise AssertionError("the disk does not fill")


def _is_sound(daemon: Daemon) -> bool:
    found = subprocess.run(
        [sys.executable, "-m", "hikaze.daemon", "check", "--data", str(daemon.data)],
        env=daemon.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return True


def test_what_waits_in_the_queue_goes_on(cramped: Daemon) -> None:
    """A queue that meets a full disk waits, and is worked off by itself when there is room."""
    daemon = cramped
    paths = [daemon.put_lora(daemon.loras / f"{seed}.safetensors", seed) for seed in range(1, 6)]
    numbers = [daemon.wait_pending(path)["id"] for path in paths]
    daemon.quiesce()
    filling = fill(daemon.data)
    _fill_the_last_pages(daemon)
    assert daemon.ask("POST", "/api/migration/import_a_model", {"id": numbers}).status == 503
    filling.unlink()
    daemon.wait_for(
        lambda: daemon.ask("POST", "/api/migration/import_a_model", {"id": numbers}).status == 202, 10, "it is queued"
    )
    filling = fill(daemon.data)
    daemon.wait_for(lambda: full_warnings(daemon) or len(daemon.models()) == 5, 30, "it stops or is done")
    filling.unlink()

    daemon.wait_for(lambda: len(daemon.models()) == 5, 30, "all are imported")
    assert sorted(one["name"] for one in daemon.models()) == ["1", "2", "3", "4", "5"]


def test_it_stops_and_starts_on_a_full_disk(cramped: Daemon) -> None:
    """A daemon whose disk is full stops when told to, and what it answered is there when it starts with room."""
    daemon = cramped
    daemon.bring_in(daemon.loras / "known.safetensors", 1)
    filling = fill(daemon.data)
    _fill_the_last_pages(daemon)
    tags = len(daemon.get("/api/tags")["items"])
    assert daemon.stop() == 0

    daemon.start(wait=False)
    if daemon.wait_for(lambda: _has_ended(daemon) or daemon._first_line(), 20) is True:
        assert daemon.wait_end() == 1
        assert "free" in daemon.stderr().splitlines()[-1]
        filling.unlink()
        daemon.start()
    filling.unlink(missing_ok=True)
    assert len(daemon.get("/api/tags")["items"]) == tags
    assert len(daemon.models()) == 1


def _has_ended(daemon: Daemon) -> bool:
    assert daemon.process is not None
    if daemon.process.stdout is not None:
        os.set_blocking(daemon.process.stdout.fileno(), False)
    return daemon.process.poll() is not None


def test_a_full_model_folder(make_daemon: Make) -> None:
    """An import to a full disk is refused with the reason, its file stays, and it works when there is room."""
    daemon = make_daemon()
    small_disk(daemon.loras, 4)
    try:
        daemon.start()
        filling = fill(daemon.loras)
        source = daemon.put(big(daemon.staging / "big", 2), daemon.drop / "big.safetensors")
        card = daemon.wait_pending(source)
        done = daemon.import_one(card["id"], kind="loras")
        assert done.status == 422
        assert "make room there" in done.detail
        assert source.exists()
        assert daemon.models() == []
        assert daemon.post("/api/tags", {"name": "the data folder is not full"})

        filling.unlink()
        assert daemon.import_one(card["id"], kind="loras").status == 200
        assert [Path(one["path"]).parent for one in daemon.models()] == [daemon.loras]
    finally:
        if daemon.process is not None:
            daemon.kill()
        unmount(daemon.loras)
