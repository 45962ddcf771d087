"""Files are sent to the daemon in pieces, over lost connections and kills, and arrive as they were."""

import hashlib
import http.client
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest

from .harness import Answer, Daemon, big, lora, png

KEY = "a-key_of-mine"
UPLOAD = "/api/migration/upload"
MARK = {"X-Hikaze": "1", "Content-Type": "application/octet-stream"}


class Upload:
    """A file on its way to a daemon, over the socket."""

    def __init__(self, daemon: Daemon, content: bytes, name: str = "x.safetensors", key: str = KEY) -> None:
        """Upload content under a name."""
        self.daemon, self.content, self.key = daemon, content, key
        self.query = {"name": name, "size": len(content), "upload": key}

    def address(self, offset: int) -> str:
        """Give where a piece is sent."""
        return f"{UPLOAD}?{urlencode(self.query | {'offset': offset})}"

    def send(self, begin: int, end: int | None = None) -> Answer:
        """Send a piece."""
        return self.daemon.ask("POST", self.address(begin), self.content[begin:end], MARK)

    def here(self) -> int:
        """Ask how much is here."""
        found = self.daemon.ask("POST", self.address(0), None, {"X-Hikaze": "1"})
        assert found.status == 200, found.body
        return found.json["offset"]

    def begin(self, begin: int, end: int) -> socket.socket:
        """Begin to send all that is left, stop behind some of it, and give the open connection."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.daemon.socket)
        head = f"POST {self.address(begin)} HTTP/1.1\r\nHost: localhost\r\nX-Hikaze: 1\r\n"
        connection.sendall(f"{head}Content-Length: {len(self.content) - begin}\r\n\r\n".encode())
        connection.sendall(self.content[begin:end])
        return connection

    def finish(self, piece: int = 5 << 20) -> Any:
        """Send what is not here yet, in pieces; gives the last answer."""
        while True:
            here = self.here()
            done = self.send(here, here + piece)
            assert done.status == 200, done.body
            if done.json["done"]:
                return done.json


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """Give a model of 16 MiB and a bit."""
    return big(tmp_path / "big.safetensors", 16).read_bytes()


def sha(content: bytes) -> str:
    """Give a SHA-256."""
    return hashlib.sha256(content).hexdigest()


def test_killed_in_the_middle_of_a_piece(daemon: Daemon, content: bytes) -> None:
    """Killed while a piece comes, the daemon goes on where it was; the model is that of the file, and imports."""
    upload = Upload(daemon, content)
    assert upload.send(0, 1_000_000).json["offset"] == 1_000_000
    with upload.begin(1_000_000, 7_654_321):
        daemon.wait_for(lambda: upload.here() == 7_654_321, what="what was sent is here")
        daemon.kill()
    daemon.start()

    assert 1_000_000 <= upload.here() <= 7_654_321
    assert list(daemon.waiting()) == daemon.pending() == []
    done = upload.finish()
    path = daemon.drop / "x.safetensors"
    assert (done["path"], sha(path.read_bytes())) == (str(path), sha(content))
    imported = daemon.import_one(daemon.wait_pending(path)["id"], kind="loras").json
    assert (imported["status"], imported["sha256"]) == ("imported", sha(content))
    assert list(daemon.drop.iterdir()) == []


def test_a_connection_lost_in_the_middle_of_a_piece(shared: Daemon, content: bytes) -> None:
    """What came before a connection was lost counts, to the byte, and the piece that is sent twice is refused."""
    upload = Upload(shared, content, "lost.safetensors", "key-of-lost")
    with upload.begin(0, 3_210_987):
        shared.wait_for(lambda: upload.here() == 3_210_987, what="what was sent is here")
    shared.wait_for(lambda: upload.send(5, 6).json.get("detail", "").startswith("3210987 bytes"), what="it is noticed")
    refused = upload.send(0, 5_000_000)

    assert (refused.status, refused.json["offset"]) == (409, 3_210_987)
    assert upload.finish()["done"]
    assert sha((shared.drop / "lost.safetensors").read_bytes()) == sha(content)


def test_stopped_while_a_piece_comes(daemon: Daemon, content: bytes) -> None:
    """A daemon that is told to stop does not wait for who sends nothing, and goes on after its start."""
    upload = Upload(daemon, content)
    with upload.begin(0, 2_000_000):
        daemon.wait_for(lambda: upload.here() == 2_000_000, what="what was sent is here")
        assert daemon.stop() == 0
    daemon.start()

    assert upload.here() == 2_000_000
    assert upload.finish()["done"]
    daemon.wait_pending(daemon.drop / "x.safetensors")


def test_two_senders_of_one_key(shared: Daemon, content: bytes) -> None:
    """Of many who send one file under one key at once each is told the truth, and the file is whole."""
    upload = Upload(shared, content, "two.safetensors", "key-of-two")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: _patiently(upload), range(4)))

    assert [done["path"] for done in answers] == [str(shared.drop / "two.safetensors")] * 4
    assert [path.name for path in shared.drop.glob("*two*")] == ["two.safetensors"]
    assert sha((shared.drop / "two.safetensors").read_bytes()) == sha(content)


def _patiently(upload: Upload) -> Any:
    """Send a file as a page does: go on where it is told to."""
    here = 0
    while True:
        answer = upload.send(here, here + (3 << 20))
        assert answer.status in (200, 409)
        if answer.json.get("done"):
            return answer.json
        here = answer.json["offset"]


def test_only_who_may_write_may_upload(shared: Daemon, content: bytes) -> None:
    """Over TCP an upload needs the token, and the mark that no other page's request has; nothing is written else."""
    address = f"{UPLOAD}?name=may.safetensors&size={len(content)}&upload=key-of-may"
    token = {"Authorization": f"Bearer {shared.token()}"}
    kind = {"Content-Type": "application/octet-stream"}
    for headers, status in (
        (MARK, 401),
        (token, 403),
        (token | kind, 415),
        (token | {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        (token | MARK | {"Origin": "https://example.org"}, 403),
        (token | MARK | {"Sec-Fetch-Site": "cross-site"}, 403),
    ):
        assert shared.ask_tcp("POST", address, content[:1000], headers).status == status
        assert shared.ask_tcp("DELETE", UPLOAD + "?upload=key-of-may", None, headers).status in (401, 403, 415)
    assert list(shared.drop.glob("*may*")) == []

    assert shared.ask_tcp("POST", address, content[:1000], token | MARK).json["offset"] == 1000


@pytest.mark.parametrize("name", ["x.safetensors", "モデル é.safetensors"])
def test_a_whole_file_by_curl(shared: Daemon, tmp_path: Path, name: str) -> None:
    """A file sent by `curl -F`, or as a plain body, arrives whole under its own name, in any script."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl")
    file = lora(tmp_path / name)
    to = [curl, "--silent", "--unix-socket", shared.socket, "-H", "X-Hikaze: 1", f"http://localhost{UPLOAD}"]
    subprocess.run([*to, "-F", f"file=@{file}"], check=True, capture_output=True)
    assert (shared.drop / name).read_bytes() == file.read_bytes()
    to[-1] += f"?name={quote('second ' + name)}"
    subprocess.run([*to, "--data-binary", f"@{file}"], check=True, capture_output=True)

    assert (shared.drop / f"second {name}").read_bytes() == file.read_bytes()
    shared.wait_pending(shared.drop / name)
    shared.wait_pending(shared.drop / f"second {name}")


def test_a_picture_comes_beside_its_model(shared: Daemon, tmp_path: Path) -> None:
    """A picture and a note that are sent before or after a model are the model's; a video is refused."""
    model = lora(tmp_path / "a.safetensors").read_bytes()
    for name, content in (("p.png", png()), ("p.safetensors", model), ("p.txt", b"What it is for.")):
        Upload(shared, content, name, key=f"key-{name.replace('.', '-')}").finish()
    assert shared.ask("POST", f"{UPLOAD}?name=p.mp4&size=5&upload=key-of-film", b"video", MARK).status == 415

    found = shared.wait_pending(shared.drop / "p.safetensors")
    shared.wait_for(lambda: shared.pending_at(found["path"])[0]["image"], what="its picture is taken")

    def description() -> str:
        return shared.get("/api/migration/pending_model", id=found["id"])["description"]

    assert shared.wait_for(description, what="its note is read") == "What it is for."


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of another process")
def test_an_upload_takes_no_memory(shared: Daemon) -> None:
    """A large file goes to the disk as it comes: the daemon holds a few MiB of it at most, however it is sent."""
    assert shared.process is not None
    block, count = bytes(range(256)) * 4096, 128
    before = _peak(shared.process.pid)
    size = len(block) * count

    def blocks() -> Iterator[bytes]:
        for _ in range(count):
            yield block

    connection = http.client.HTTPConnection(str(urlsplit(shared.url).netloc), timeout=60)
    headers = MARK | {"Authorization": f"Bearer {shared.token()}"}
    connection.request("POST", f"{UPLOAD}?name=a.ckpt&size={size}&upload=key-of-much", blocks(), headers)
    answer = connection.getresponse()
    assert (answer.status, answer.read() != b"") == (200, True)
    connection.close()

    assert (shared.drop / "a.ckpt").stat().st_size == size
    assert _peak(shared.process.pid) - before < 48 << 20


def _peak(pid: int) -> int:
    """Give the most memory that a process ever had, in bytes."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


def test_cancelled(shared: Daemon, content: bytes) -> None:
    """A cancelled upload leaves nothing behind, and the key can be used anew."""
    upload = Upload(shared, content, "not.safetensors", "key-of-not")
    upload.send(0, 1_000_000)
    assert shared.delete(UPLOAD + "?upload=key-of-not") == {"upload": "key-of-not", "cancelled": True}

    assert list(shared.drop.glob("*-of-not*")) == []
    assert shared.delete(UPLOAD + "?upload=key-of-not") == {"upload": "key-of-not", "cancelled": False}
    assert upload.finish()["done"]
