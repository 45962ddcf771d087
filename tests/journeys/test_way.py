"""The way from ComfyUI's page to the daemon, through a server as ComfyUI's: streams, safety, a daemon that is away."""

import http.client
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hikaze.comfy_node.door import Rules

from .comfyserver import LARGEST, serving
from .harness import Answer, Daemon, Make, big, form, png

SAME = {"Sec-Fetch-Site": "same-origin"}
seeds = count(1)


@dataclass
class Page:
    """A page of a ComfyUI: asks its server as a browser would."""

    server: SimpleNamespace
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @contextmanager
    def open(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Iterator[http.client.HTTPResponse]:
        """Ask, and give the answer as it begins."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)) as connection:
            connection.request(method, path, body, {**SAME, **self.headers, **headers})
            with connection.getresponse() as response:
                yield response

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask, and give the answer whole."""
        more = dict(headers or {})
        if isinstance(body, dict):
            body, more = json.dumps(body).encode(), {"Content-Type": "application/json", **more}
        with self.open(method, path, body, more) as response:
            return Answer(response.status, response.headers, response.read())

    def get(self, path: str, **headers: str) -> Any:
        """Read something that is there."""
        found = self.ask("GET", path, headers=headers)
        assert found.status == 200, (path, found.status, found.body)
        return found.json


@pytest.fixture
def daemon(make_daemon: Make) -> Daemon:
    """Give a daemon that does not run yet."""
    return make_daemon("w")


@pytest.fixture
def page(daemon: Daemon, tmp_path: Path) -> Iterator[Page]:
    """Give a page of a ComfyUI on this machine, beside a daemon that may run or not."""
    with serving(daemon.env(), tmp_path / "pack") as server:
        yield Page(server)


def test_everything_goes_through(daemon: Daemon, page: Page) -> None:
    """Lists, edits, errors, and their headers are the daemon's own, by both of ComfyUI's addresses."""
    daemon.start()
    sha = daemon.bring_in(daemon.drop / "水墨 & 50%.safetensors")
    path = f"/hikaze/api/models/{sha}"

    whole = page.ask("GET", path)
    assert whole.json == daemon.model(sha)
    assert whole.headers["ETag"] == f'"{whole.json["version"]}"'
    assert whole.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert page.get(f"/api{path}") == whole.json
    edited = page.ask("PATCH", path, {"description": "Ü"}, {"If-Match": whole.headers["ETag"]})
    assert (edited.status, edited.json["description"]) == (200, "Ü")
    assert page.ask("PATCH", path, {"description": ""}, {"If-Match": whole.headers["ETag"]}).status == 412
    assert daemon.events("model-edited")[-1]["actor"] == "comfyui"
    (found,) = page.get("/hikaze/api/models?q=name%3A%22%E6%B0%B4%E5%A2%A8%20%26%2050%25%22")["items"]
    assert found["sha256"] == sha
    there = page.ask("HEAD", path)
    assert (there.status, there.body) == (200, b"")
    assert int(there.headers["Content-Length"]) == len(page.ask("GET", path).body)
    unknown = page.ask("GET", "/hikaze/api/nothing")
    assert (unknown.status, unknown.detail) == (404, daemon.ask("GET", "/api/nothing").detail)
    assert page.ask("GET", "/hikaze/").body.lstrip().lower().startswith(b"<!doctype")
    assert page.ask("DELETE", "/hikaze/api/tags/99", headers={"X-Hikaze": "1"}).status == 404


def test_pictures_are_kept_by_browsers(daemon: Daemon, page: Page) -> None:
    """A picture may be kept for ever, a cover is asked for again, and what has not changed is not sent again."""
    daemon.start()
    sha = daemon.bring_in(daemon.drop / "a.safetensors", next(seeds))
    body, kind = form(png(), {"sha256": sha})
    sent = page.ask("POST", "/hikaze/api/images/upload", body, {"Content-Type": kind, "X-Hikaze": "1"})
    assert sent.json["base_name"] == f"{sha}_0"

    for name in (f"{sha}_0.webp?quality=low", f"{sha}.webp"):
        ours, theirs = page.ask("GET", f"/hikaze/api/images/{name}"), daemon.ask("GET", f"/api/images/{name}")
        assert ours.body == theirs.body
        assert [ours.headers[each] for each in ("Cache-Control", "ETag", "Content-Type", "Content-Length")] == [
            theirs.headers[each] for each in ("Cache-Control", "ETag", "Content-Type", "Content-Length")
        ]
        if ours.headers["ETag"]:
            again = page.ask("GET", f"/hikaze/api/images/{name}", headers={"If-None-Match": ours.headers["ETag"]})
            assert (again.status, again.body) == (304, b"")


def test_a_file_larger_than_comfyui_takes(daemon: Daemon, page: Page, tmp_path: Path) -> None:
    """An upload is streamed: what ComfyUI itself would refuse as too large arrives whole."""
    daemon.start()
    content = big(tmp_path / "big.safetensors", 3).read_bytes()
    assert len(content) > 2 * LARGEST
    address = f"/hikaze/api/migration/upload?name=big.safetensors&size={len(content)}"
    with page.open("POST", address, iter([content[: 1 << 20], content[1 << 20 :]]), {"X-Hikaze": "1"}) as sent:
        assert (sent.status, json.loads(sent.read())["done"]) == (200, True)
    assert (daemon.drop / "big.safetensors").read_bytes() == content


def test_an_answer_that_comes_early(daemon: Daemon, page: Page) -> None:
    """A refusal that the daemon sends before it has read a large body is passed on as it is."""
    daemon.start()
    for _ in range(3):
        told = page.ask("POST", "/hikaze/api/nothing", bytes(20 << 20), {"X-Hikaze": "1"})
        assert (told.status, told.json["title"]) == (404, "Not found")
        told = page.ask("POST", "/hikaze/api/tags", bytes(20 << 20), {"X-Hikaze": "1"})
        assert told.status == 413


def test_events_come_as_they_happen(daemon: Daemon, page: Page) -> None:
    """The live stream is passed on block by block, and ends with the daemon."""
    daemon.start()
    position = daemon.get("/api/status")["position"]
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(position)}
    with page.open("GET", "/hikaze/api/events", None, headers) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.readline() == b"retry: 1000\n"
        daemon.post("/api/tags", {"name": "fresh"})
        lines = iter(stream.readline, b"")
        assert next(line for line in lines if line.startswith(b"event:")) == b"event: tag-created\n"
        daemon.stop()
        for _ in lines:
            pass


def test_a_daemon_away(daemon: Daemon, page: Page) -> None:
    """While it is away that is said in one sentence, with what to do; and when it is back all goes on by itself."""
    for _ in range(2):
        told = page.ask("GET", "/hikaze/api/models")
        assert (told.status, told.json["way"]) == (502, "away")
        assert "`hikazed run`" in told.detail
        assert page.get("/hikaze-way")["daemon"] is False
        daemon.start()
        assert page.get("/hikaze/api/models")["items"] == []
        assert page.get("/hikaze-way") == {
            "daemon": True,
            "access": "full",
            "can_start": True,
            "how": page.get("/api/hikaze-way")["how"],
            "version": "0.1.0",
        }
        daemon.kill()


def test_it_is_started_as_it_was(daemon: Daemon, page: Page) -> None:
    """The page has the daemon started as it was started last: with the same library; and a second wish starts none."""
    daemon.start()
    daemon.post("/api/tags", {"name": "mine"})
    daemon.stop()
    assert page.ask("POST", "/hikaze-start").status == 403
    started = page.ask("POST", "/hikaze-start", headers={"X-Hikaze": "1"})
    try:
        assert (started.status, started.json) == (200, {"daemon": True})
        assert [tag["name"] for tag in page.get("/hikaze/api/tags")["items"]] == ["mine"]
        pid = json.loads((daemon.data / "daemon.json").read_bytes())["pid"]
        assert page.ask("POST", "/hikaze-start", headers={"X-Hikaze": "1"}).json == {"daemon": True}
        assert json.loads((daemon.data / "daemon.json").read_bytes())["pid"] == pid
    finally:
        if (daemon.data / "daemon.json").exists():
            os.kill(json.loads((daemon.data / "daemon.json").read_bytes())["pid"], signal.SIGTERM)
    daemon.wait_for(lambda: not (daemon.data / "daemon.json").exists(), 30)
    daemon.wait_for(lambda: page.get("/hikaze-way") and not alive(pid), 30)


def alive(pid: int) -> bool:
    """Tell whether a process has not ended, or has not been let go of by who started it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_start_that_fails(daemon: Daemon, page: Page) -> None:
    """A program that ends at once is told with its last words, and one that is not there with how to get it."""
    note = Path(daemon.env()["XDG_CONFIG_HOME"]) / "hikaze" / "started.json"
    note.parent.mkdir(parents=True)
    daemon.start()
    daemon.stop()
    said = json.loads(note.read_bytes())
    note.write_text(json.dumps(said | {"command": [*said["command"], "--listen", "8.8.8.8:1"]}))
    failed = page.ask("POST", "/hikaze-start", headers={"X-Hikaze": "1"})
    assert failed.status == 502
    assert "loopback" in failed.detail
    assert page.get("/hikaze-way")["daemon"] is False


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 403),
    ],
)
def test_other_sites_are_refused(page: Page, headers: dict[str, str], status: int) -> None:
    """A request that another site had the browser send is refused before the daemon hears of it."""
    for method, path in (("GET", "/hikaze/api/tags"), ("POST", "/hikaze-start"), ("GET", "/hikaze-way")):
        told = page.ask(method, path, headers={"X-Hikaze": "1", **headers})
        assert (told.status, told.json["way"]) == (status, "refused")
    assert page.ask("POST", "/hikaze/api/session", {}).status == 403


def test_a_viewer_looks_and_chooses(daemon: Daemon, tmp_path: Path) -> None:
    """Where ComfyUI listens beyond its machine one looks and chooses, until its owner allows more."""
    daemon.start()
    sha = daemon.bring_in(daemon.drop / "a.safetensors", next(seeds))
    with serving(daemon.env(), tmp_path, rules=Rules(beyond=True)) as server:
        page = Page(server)
        assert page.get("/hikaze-way")["access"] == "view"
        assert page.get("/hikaze-way")["can_start"] is False
        assert page.get(f"/hikaze/api/models/{sha}")["sha256"] == sha
        for method, path in (("GET", "/api/roots"), ("PATCH", f"/api/models/{sha}"), ("POST", "/api/lora-sets")):
            told = page.ask(method, f"/hikaze{path}", {} if method != "GET" else None)
            assert (told.status, told.json["way"]) == (403, "viewer")
        assert page.ask("POST", "/hikaze-start", headers={"X-Hikaze": "1"}).status == 403
    with serving(daemon.env(), tmp_path, rules=Rules(beyond=True, all_may_write=True)) as server:
        assert Page(server).ask("PATCH", f"/hikaze/api/models/{sha}", {"favorite": True}).status == 200


def test_folders_and_uses_are_told(daemon: Daemon, tmp_path: Path) -> None:
    """ComfyUI's folders become roots, again when they change and for a daemon that comes later; uses are counted."""
    loras, more = tmp_path / "comfy/models/upscale_models", tmp_path / "comfy/models/more"
    for folder in (loras, more):
        folder.mkdir(parents=True)
    known = {"upscale_models": ([str(loras)], {".safetensors"}), "configs": ([str(tmp_path)], {".yaml"})}
    with serving(daemon.env(), tmp_path, base=str(tmp_path / "comfy"), known=known) as server:
        daemon.start()
        daemon.wait_for(lambda: str(loras) in told_by_comfyui(daemon), 30)
        sha = bring_in_place(daemon, loras / "a.safetensors")
        known["gligen"] = ([str(more), str(tmp_path / "comfy/models/none")], {".pt"})
        daemon.wait_for(lambda: str(more) in told_by_comfyui(daemon), 30)
        del known["gligen"]
        daemon.wait_for(lambda: str(more) not in told_by_comfyui(daemon), 30)

        prompt = {"1": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": "a.safetensors"}}}
        server.queued.add("p")
        server.loop.call_soon_threadsafe(lambda: server.counter.note("p", prompt, at_s=0.0, time_ms=1_760_000_000_000))
        daemon.wait_for(lambda: daemon.model(sha)["uses"] == 1, 60)
        assert daemon.model(sha)["last_used"] == 1_760_000_000_000
        assert daemon.get("/api/models", q="is:unused")["items"] == []

        (tmp_path / "link.safetensors").symlink_to(loras / "a.safetensors")
        linked = {"1": {"class_type": "AnyLoader", "inputs": {"file": str(tmp_path / "link.safetensors")}}}
        server.queued.add("q")
        server.loop.call_soon_threadsafe(lambda: server.counter.note("q", linked, at_s=0.0, time_ms=1_760_000_000_001))
        daemon.wait_for(lambda: daemon.model(sha)["uses"] == 2, 90)

        (root,) = [each for each in daemon.get("/api/roots")["items"] if each["path"] == str(loras)]
        daemon.delete(f"/api/roots/{root['id']}")
        known["gligen"] = ([str(more)], {".pt"})
        daemon.wait_for(lambda: str(more) in told_by_comfyui(daemon), 30)
        assert str(loras) not in told_by_comfyui(daemon)
        daemon.restart()
        assert told_by_comfyui(daemon) == [str(more)]


def test_endings_that_comfyui_looks_for(daemon: Daemon, tmp_path: Path) -> None:
    """Where ComfyUI looks for other endings than those of every model, such files are models, there alone."""
    folder = tmp_path / "comfy/models/detection"
    folder.mkdir(parents=True)
    (folder / "early.onnx").write_bytes(b"early")
    (folder / "early.txt").write_bytes(b"no model")
    known = {"detection": ([str(folder)], {".onnx", ".txt"})}
    with serving(daemon.env(), tmp_path, base=str(tmp_path / "comfy"), known=known):
        daemon.start()
        number = daemon.wait_pending(folder / "early.onnx", 30)["id"]
        (tmp_path / "part").write_bytes(b"late")
        (tmp_path / "part").rename(folder / "late.onnx")
        daemon.wait_pending(folder / "late.onnx", 30)
        (daemon.loras / "other.onnx").write_bytes(b"other")
        daemon.post("/api/scan")
        assert {Path(each["path"]).name for each in daemon.pending()} == {"early.onnx", "late.onnx"}
        sha = daemon.import_one(number).json["sha256"]
        assert daemon.model(sha)["path"] == str(folder / "early.onnx")
        (folder / "late.onnx").unlink()
        daemon.wait_for(lambda: len(daemon.pending()) == 0, 30)


def told_by_comfyui(daemon: Daemon) -> list[str]:
    """Give the folders that are watched because a ComfyUI told of them."""
    return [root["path"] for root in daemon.get("/api/roots")["items"] if root["origin"] == "comfyui"]


def bring_in_place(daemon: Daemon, path: Path) -> str:
    """Put a model into a folder of ComfyUI's, and import it where it lies."""
    daemon.put_lora(path, next(seeds))
    return daemon.import_one(daemon.wait_pending(path)["id"]).json["sha256"]
