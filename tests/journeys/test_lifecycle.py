"""The daemon as a process: it says when it is ready, stops when it is told to, and is alone with its data."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from .harness import Daemon, Make, big, lora


def test_the_ready_line(make_daemon: Make) -> None:
    """It prints one line once it serves: address and socket; nothing else goes to stdout."""
    daemon = make_daemon().start(wait=False)
    line = daemon.wait_ready()

    assert line == f"ready {daemon.url} socket {daemon.socket}\n"
    assert daemon.url.startswith("http://127.0.0.1:")
    assert daemon.process is not None
    assert daemon.process.stdout is not None
    time.sleep(0.1)
    assert daemon.process.stdout.readline() == ""
    assert daemon.stderr() == ""
    status = daemon.get("/api/status")
    assert {(root["path"], root["kind"], root["type"]) for root in status["roots"]} == {
        *((str(path), "model", kind) for kind, path in daemon.roots),
        (str(daemon.drop), "pending", None),
    }
    assert status["warnings"] == []


def test_readiness_reaches_the_service_manager(make_daemon: Make, tmp_path: Path) -> None:
    """With NOTIFY_SOCKET it sends READY=1 once it serves, and STOPPING=1 when it is told to stop."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(5)
        daemon = make_daemon(environment={"NOTIFY_SOCKET": path})
        daemon.start()
        told: list[str] = []
        while not any("READY=1" in message for message in told):
            told.append(manager.recv(4096).decode())
        assert daemon.get("/api/status")
        assert daemon.stop() == 0
        while not any("STOPPING=1" in message for message in told):
            told.append(manager.recv(4096).decode())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once(daemon: Daemon, number: signal.Signals) -> None:
    """Told to stop it ends within two seconds with code 0, and takes socket and announcement along."""
    announced = daemon.home / "config" / "hikaze" / "daemon.json"
    assert announced.exists()
    assert daemon.process is not None
    began = time.monotonic()
    daemon.process.send_signal(number)
    assert daemon.wait_end() == 0
    assert time.monotonic() - began < 2
    assert not announced.exists()
    assert not Path(daemon.socket).exists()
    assert daemon.stderr() == ""


@pytest.mark.slow
def test_it_stops_in_the_middle_of_a_hash(make_daemon: Make) -> None:
    """It stops within two seconds while it hashes a large file, and finishes the import after the next start."""
    daemon = make_daemon().start()
    path = daemon.put(big(daemon.staging / "big", 600), daemon.loras / "big.safetensors")
    number = daemon.wait_pending(path)["id"]
    daemon.post("/api/migration/import_a_model", {"id": [number]})
    daemon.wait_for(lambda: [one for one in daemon.get("/api/status")["work"] if one.get("what") == "hashing"])
    began = time.monotonic()

    assert daemon.stop() == 0

    assert time.monotonic() - began < 2
    daemon.start()
    daemon.wait_for(lambda: daemon.models(), 10, "it is imported")
    assert daemon.model(daemon.models()[0]["sha256"])["path"] == str(path)


@pytest.mark.slow
def test_it_stops_with_followers_and_requests_under_way(daemon: Daemon) -> None:
    """Open streams and half-sent requests do not keep it from stopping within two seconds."""
    open_: list[socket.socket] = []
    for head in (
        "GET /api/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
        "POST /api/tags HTTP/1.1\r\nHost: localhost\r\nX-Hikaze: 1\r\nContent-Length: 100\r\n\r\n{",
        "GET /api/status HTT",
        "GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(daemon.socket)
        connection.sendall(head.encode())
        open_.append(connection)
    time.sleep(0.2)
    began = time.monotonic()
    try:
        assert daemon.stop() == 0
    finally:
        for connection in open_:
            connection.close()
    assert time.monotonic() - began < 2.5


def test_one_daemon_for_a_data_folder(daemon: Daemon, make_daemon: Make) -> None:
    """A second daemon on the same data says who holds it and ends with 1; the first goes on."""
    second = make_daemon("second")
    second.data = daemon.data
    assert daemon.process is not None
    second.start(wait=False)

    assert second.wait_end() == 1
    lines = second.stderr().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("hikazed: ")
    assert str(daemon.process.pid) in lines[0]
    assert "stop" in lines[0]
    assert daemon.get("/api/status")


def test_one_daemon_though_it_stands_still(daemon: Daemon, make_daemon: Make) -> None:
    """A daemon that is suspended holds its data folder: the second says who has it, and where, and ends with 1."""
    second = make_daemon("second")
    second.data = daemon.data
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        second.start(wait=False)
        assert second.wait_end(20) == 1
    finally:
        daemon.process.send_signal(signal.SIGCONT)

    assert f"process {daemon.process.pid} at {daemon.url} on {daemon.data}" in second.stderr()
    assert daemon.get("/api/status")


def test_after_a_kill_nothing_is_in_the_way(daemon: Daemon) -> None:
    """The socket, lock and announcement that a killed daemon left do not keep the next one from starting."""
    daemon.kill()
    assert Path(daemon.socket).exists()
    daemon.start()
    assert daemon.get("/api/status")


@pytest.mark.slow
def test_a_port_that_is_taken(daemon: Daemon, make_daemon: Make) -> None:
    """A port that another program has is told of in one line."""
    port = daemon.url.rpartition(":")[2]
    second = make_daemon("second", more=["--listen", f"127.0.0.1:{port}"])
    second.start(wait=False)
    assert second.wait_end() == 1
    assert second.stderr().count("\n") == 1
    assert "--listen" in second.stderr()


def test_the_announcement_tells_others(daemon: Daemon) -> None:
    """The file for other programs of the user names address, socket and token."""
    import json

    told = json.loads((daemon.home / "config" / "hikaze" / "daemon.json").read_bytes())
    assert (told["url"], told["socket"], told["token"]) == (daemon.url, daemon.socket, daemon.token())
    assert told["pid"] == (daemon.process.pid if daemon.process else None)


def test_the_default_tree(make_daemon: Make) -> None:
    """With nothing configured it makes a drop folder and a tree of model folders in its own data folder."""
    daemon = make_daemon()
    daemon.roots = []
    daemon.start()
    folders = {
        root["type"]: Path(root["path"]) for root in daemon.get("/api/status")["roots"] if root["kind"] == "model"
    }
    assert {"checkpoints", "loras", "vae", "embeddings", "controlnet"} <= set(folders)
    assert folders["loras"] == daemon.data / "models" / "loras"
    daemon.put_lora(daemon.drop / "x.safetensors")
    done = daemon.import_one(daemon.wait_pending(daemon.drop / "x.safetensors")["id"])
    assert done.json["path"] == str(folders["loras"] / "x.safetensors")


@pytest.mark.slow
def test_the_folders_of_a_comfyui(make_daemon: Make) -> None:
    """The model folders of a ComfyUI are watched, those of `extra_model_paths.yaml` included."""
    daemon = make_daemon()
    comfy = daemon.folder / "ComfyUI"
    for folder in ("models/loras", "models/checkpoints", "comfy", "custom_nodes"):
        (comfy / folder).mkdir(parents=True)
    for name in ("main.py", "folder_paths.py", "nodes.py", "comfy/sd.py"):
        (comfy / name).touch()
    extra = daemon.folder / "nas" / "Lora"
    extra.mkdir(parents=True)
    (comfy / "extra_model_paths.yaml").write_text(f"a111:\n  base_path: {daemon.folder / 'nas'}\n  loras: Lora\n")
    daemon.roots = []
    daemon.more = ["--comfyui", str(comfy)]
    path = lora(extra / "x.safetensors")
    daemon.start()

    card = daemon.wait_pending(path)
    assert (card["type"], card["in_place"]) == ("loras", True)
    watched = {root["path"]: root["type"] for root in daemon.get("/api/status")["roots"]}
    assert watched[str(comfy / "models" / "loras")] == "loras"


@pytest.mark.slow
def test_a_folder_that_cannot_be_written(make_daemon: Make) -> None:
    """A data folder that is a file is told of in one line, with code 1."""
    daemon = make_daemon()
    daemon.data.parent.mkdir(exist_ok=True)
    daemon.data.write_text("not a folder")
    daemon.start(wait=False)
    assert daemon.wait_end() == 1
    assert daemon.stderr().count("\n") == 1
    assert daemon.data.read_text() == "not a folder"


@pytest.mark.slow
def test_at_rest_it_rests(daemon: Daemon) -> None:
    """With nothing to do it uses next to no processor time."""
    daemon.bring_in(daemon.drop / "x.safetensors")
    daemon.quiesce()
    assert daemon.process is not None

    def used() -> float:
        assert daemon.process is not None
        fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(1.5)
    assert used() - before <= 0.03
