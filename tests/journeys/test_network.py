"""Roots on network and FUSE file systems: polled, and harmless when they hang."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from ..bound import Bound
from ..machine import needs_bindfs
from .harness import Daemon, Json, Make, lora

pytestmark = [needs_bindfs, pytest.mark.slow]

PROGRAM = (str(Path(__file__).with_name("shortsighted.py")),)
AT_REST_S = 60.0  # 15 s without a change, a poll or two, and a machine that has other things to do


@pytest.fixture
def nas(tmp_path: Path) -> Iterator[Bound]:
    """Give a folder that is far away."""
    with ExitStack() as stack:
        made = Bound(tmp_path / "nas", tmp_path / "mnt")
        stack.callback(made.close)
        yield made


@pytest.fixture
def daemon(make_daemon: Make, nas: Bound) -> Daemon:
    """Give a daemon with one more root for LoRAs, which is far away; not started yet."""
    return make_daemon(program=PROGRAM, more=["--models", f"loras={nas.at}"])


def far_root(daemon: Daemon, nas: Bound) -> Json:
    """Give what the status tells of the far root."""
    return next(root for root in daemon.get("/api/status")["roots"] if root["path"] == str(nas.at))


def complaints(daemon: Daemon, nas: Bound) -> list[str]:
    """Give the warnings that name the far root."""
    return [warning["what"] for warning in daemon.get("/api/status")["warnings"] if str(nas.at) in warning["what"]]


def import_far(daemon: Daemon, nas: Bound, name: str, seed: int) -> str:
    """Let a LoRA appear behind the mount and import it in its place; gives its hash."""
    lora(nas.behind / name, seed)
    found = daemon.wait_for(
        lambda: [one for one in daemon.pending() if one["path"] == str(nas.at / name)], AT_REST_S, "it is seen"
    )
    return daemon.post("/api/migration/import_a_model", {"id": found[0]["id"]})["sha256"]


def test_changes_behind_the_mount(daemon: Daemon, nas: Bound) -> None:
    """What is made, moved and deleted by others is seen by polling alone."""
    daemon.start()
    sha256 = import_far(daemon, nas, "a.safetensors", 1)
    assert daemon.states(sha256) == {str(nas.at / "a.safetensors"): "present"}
    (nas.behind / "a.safetensors").rename(nas.behind / "b.safetensors")
    moved = {str(nas.at / "b.safetensors"): "present"}
    daemon.wait_for(lambda: daemon.states(sha256) == moved, AT_REST_S, "it has moved")
    (nas.behind / "b.safetensors").unlink()

    daemon.wait_for(lambda: set(daemon.states(sha256).values()) == {"missing"}, AT_REST_S, "it is missing")


@contextmanager
def service_manager(daemon: Daemon, folder: Path) -> Iterator[socket.socket]:
    """Stand in for systemd: what the daemon tells it, and its pings, can be read."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "n"))
        manager.setblocking(False)
        daemon.environment = {"NOTIFY_SOCKET": str(folder / "n"), "WATCHDOG_USEC": "1000000"}
        yield manager


def pings(manager: socket.socket) -> int:
    """Count the pings since this was asked last."""
    found = 0
    with suppress(BlockingIOError):
        while True:
            found += b"WATCHDOG=1" in manager.recv(4096)
    return found


def test_the_service_manager_hears_of_us_all_the_time(daemon: Daemon, nas: Bound, tmp_path: Path) -> None:
    """The ping that keeps systemd from killing the daemon goes on while a mount hangs."""
    with service_manager(daemon, tmp_path) as manager:
        daemon.start()
        daemon.wait_for(lambda: pings(manager), 30, "it pings")
        nas.hang()
        daemon.wait_for(lambda: complaints(daemon, nas), 60, "it is named")
        pings(manager)
        daemon.wait_for(lambda: pings(manager), 30, "it still pings")


def test_a_mount_that_hangs_and_answers_again(daemon: Daemon, nas: Bound) -> None:
    """It is named, its models are away and not missing, all else goes on; and all is right when it answers again."""
    daemon.start()
    assert far_root(daemon, nas)["polled_every_s"] is not None
    assert far_root(daemon, nas)["watched"] == "both"
    sha256 = import_far(daemon, nas, "a.safetensors", 1)
    nas.hang()
    daemon.wait_for(lambda: complaints(daemon, nas), 60, "it is named")
    assert complaints(daemon, nas)[0].startswith(f"{nas.at} does not answer")
    daemon.wait_for(lambda: daemon.states(sha256) == {str(nas.at / "a.safetensors"): "offline"}, 30, "it is away")
    daemon.put_lora(daemon.drop / "near.safetensors", 2)
    near = daemon.wait_for(lambda: daemon.pending(), 30, "what lies near is watched")
    assert daemon.post("/api/migration/import_a_model", {"id": near[0]["id"]})["status"] == "imported"
    (nas.behind / "a.safetensors").rename(nas.behind / "b.safetensors")
    nas.go_on()

    right = {str(nas.at / "b.safetensors"): "present"}
    daemon.wait_for(lambda: daemon.states(sha256) == right, AT_REST_S, "it is back")
    assert complaints(daemon, nas) == []
    assert daemon.events("location-lost") == []


def test_a_mount_that_goes_and_comes_back(daemon: Daemon, nas: Bound) -> None:
    """Unmounted its models are away, also when it hung before; mounted again all is right at once."""
    daemon.start()
    sha256 = import_far(daemon, nas, "a.safetensors", 1)
    path = str(nas.at / "a.safetensors")
    nas.hang()
    daemon.wait_for(lambda: complaints(daemon, nas), 60, "it is named")
    nas.unmount()
    daemon.wait_for(lambda: far_root(daemon, nas)["why"] == "foreign", 60, "its empty mount point is not taken for it")
    assert daemon.states(sha256) == {path: "offline"}
    (nas.behind / "a.safetensors").rename(nas.behind / "b.safetensors")
    nas.mount_again()

    right = {str(nas.at / "b.safetensors"): "present"}
    daemon.wait_for(lambda: daemon.states(sha256) == right, AT_REST_S, "it is back")
    assert complaints(daemon, nas) == []
    assert daemon.events("location-lost") == []


def test_stopping_and_starting_beside_a_hung_mount(daemon: Daemon, nas: Bound) -> None:
    """It ends when it is told to, in order, and starts; the root that hangs is away until it answers."""
    daemon.start()
    sha256 = import_far(daemon, nas, "a.safetensors", 1)
    nas.hang()
    time.sleep(1.5)  # what the kernel knows of the files is forgotten: from now on whoever looks, hangs
    assert daemon.stop(20) == 0
    daemon.start(scan=False)
    daemon.wait_for(lambda: complaints(daemon, nas), 60, "it is named")
    daemon.wait_for(lambda: daemon.states(sha256) == {str(nas.at / "a.safetensors"): "offline"}, 30, "it is away")
    assert daemon.stop(20) == 0
    daemon.start(scan=False)
    nas.go_on()

    right = {str(nas.at / "a.safetensors"): "present"}
    daemon.wait_for(lambda: daemon.states(sha256) == right, AT_REST_S, "it is back")
    assert far_root(daemon, nas)["state"] == "online"


def test_an_import_that_hangs(daemon: Daemon, nas: Bound) -> None:
    """Imports of what lies elsewhere go on beside it, it ends in order, and the hung ones are done when it answers."""
    daemon.start()
    names = [f"{seed}.safetensors" for seed in (1, 2, 3)]
    for seed, name in enumerate(names, 1):
        lora(nas.behind / name, seed)
    daemon.wait_for(lambda: len(daemon.pending()) == len(names), AT_REST_S, "they are seen")
    far = daemon.pending()
    nas.hang()
    time.sleep(1.5)
    daemon.ask("POST", "/api/migration/import_a_model", {"id": [one["id"] for one in far]}, {"X-Hikaze": "1"})
    daemon.wait_for(lambda: complaints(daemon, nas), 60, "it is named")
    for one in far:
        assert daemon.get("/api/migration/pending_model", id=one["id"])["name"] == one["name"]
    daemon.put_lora(daemon.drop / "near.safetensors", 9)
    near = daemon.wait_for(
        lambda: [one for one in daemon.pending() if one["name"] == "near"], 30, "what lies near is watched"
    )
    assert daemon.post("/api/migration/import_a_model", {"id": near[0]["id"]})["status"] == "imported"
    assert daemon.stop(20) == 0
    nas.go_on()
    daemon.start()

    daemon.wait_for(lambda: far_root(daemon, nas)["state"] == "online", 60, "it is back")
    for one in daemon.pending():
        daemon.import_one(one["id"])  # those that ended with an error; the others may be done by now, or under way
    daemon.wait_for(lambda: len(daemon.models()) == 4, 60, "all are imported")


def test_a_link_to_a_mount_that_hangs(make_daemon: Make, nas: Bound) -> None:
    """The root in which the link lies is served and watched on; what lies behind the link is not missing."""
    daemon = make_daemon(program=PROGRAM)
    (daemon.loras / "far").symlink_to(nas.at)
    daemon.start()
    lora(nas.behind / "a.safetensors", 1)
    path = str(daemon.loras / "far" / "a.safetensors")
    found = daemon.wait_for(lambda: [one for one in daemon.pending() if one["path"] == path], AT_REST_S, "it is seen")
    sha256 = daemon.post("/api/migration/import_a_model", {"id": found[0]["id"]})["sha256"]
    nas.hang()
    daemon.wait_for(lambda: complaints(daemon, nas), 60, "it is named")
    daemon.put_lora(daemon.loras / "near.safetensors", 2)
    daemon.wait_for(lambda: daemon.pending(), 60, "what lies near is watched")
    assert daemon.states(sha256) == {path: "present"}
    (nas.behind / "a.safetensors").rename(nas.behind / "b.safetensors")
    nas.go_on()

    right = {str(daemon.loras / "far" / "b.safetensors"): "present"}
    daemon.wait_for(lambda: daemon.states(sha256) == right, AT_REST_S, "what was moved meanwhile is found")


def test_the_processes_for_far_file_systems_end_with_the_daemon(daemon: Daemon, nas: Bound) -> None:
    """Even one that hangs is gone after the daemon was killed."""
    daemon.start()
    assert daemon.process is not None
    pid = daemon.process.pid
    child = daemon.wait_for(lambda: children_of(pid), 30, "there is one")[0]
    nas.hang()
    time.sleep(1.5)
    os.kill(pid, signal.SIGKILL)
    daemon.wait_end()

    until = time.monotonic() + 30
    while os.path.exists(f"/proc/{child}") and time.monotonic() < until:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{child}")


def children_of(pid: int) -> list[int]:
    """Give the processes for far file systems that a daemon has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if b"far.side" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_a_data_folder_elsewhere_is_refused(make_daemon: Make, nas: Bound) -> None:
    """The log is not written where a crash can damage it; the reason and the cure are said, and nothing is made."""
    daemon = make_daemon()
    daemon.data = nas.at / "data"
    daemon.quiet = True
    daemon.start(wait=False)
    assert daemon.wait_end(60) == 1

    assert "lies on a network file system" in daemon.stderr()
    assert "--data" in daemon.stderr()
    assert list(nas.behind.iterdir()) == []
