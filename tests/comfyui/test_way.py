"""The way from a real ComfyUI to a real daemon: folders, uses, pictures, and a daemon that is away."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.comfypack import install

from ..journeys.harness import Daemon, form, png
from . import graphs
from .conftest import furnished
from .harness import ComfyUI, Refused

pytestmark = [pytest.mark.comfyui, pytest.mark.slow, pytest.mark.timeout(600)]

EXTRA = """
elsewhere:
    base_path: {base}
    vae: vae
    upscale_models: more
    loras: none-yet
"""


@dataclass
class Pair:
    """A ComfyUI that runs, and the daemon of the same user, which may."""

    comfyui: ComfyUI
    daemon: Daemon

    def roots(self) -> set[str]:
        """Give the folders that are watched because ComfyUI told of them."""
        return {root["path"] for root in self.daemon.get("/api/roots")["items"] if root["origin"] == "comfyui"}


@pytest.fixture(scope="module")
def pair(_real: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Start a ComfyUI with folders elsewhere, beside a daemon that does not run yet."""
    top = tmp_path_factory.mktemp("pair")
    (top / "elsewhere" / "more").mkdir(parents=True)
    (top / "extra.yaml").write_text(EXTRA.format(base=top / "elsewhere"))
    (top / "d").mkdir()
    daemon = Daemon(top / "d")
    (top / "comfy").mkdir()
    comfyui = furnished(top / "comfy")
    comfyui.environment = {name: value for name, value in daemon.env().items() if name.startswith(("HOME", "XDG_"))}
    comfyui.arguments = ("--extra-model-paths-config", str(top / "extra.yaml"))
    comfyui.start()
    yield Pair(comfyui, daemon)
    comfyui.stop()
    daemon.close()


def test_away_and_back(pair: Pair) -> None:
    """Without a daemon ComfyUI says so; once it runs it is told the folders, and again when they change."""
    comfyui, daemon = pair.comfyui, pair.daemon
    assert comfyui.get("/hikaze-way")["daemon"] is False
    with pytest.raises(Refused, match="hikazed run") as caught:
        comfyui.post("/hikaze/api/tags", {"name": "x"})
    assert (caught.value.status, caught.value.body["way"]) == (502, "away")

    daemon.start()
    elsewhere = daemon.folder.parent / "elsewhere"
    wanted = {str(comfyui.folder("loras")), str(comfyui.folder("checkpoints")), str(elsewhere / "more")}
    daemon.wait_for(lambda: wanted <= pair.roots(), 60)
    assert str(elsewhere / "none-yet") in pair.roots()
    assert str(comfyui.folder("gligen")) not in pair.roots()
    assert not any("custom_nodes" in path or "configs" in path for path in pair.roots())
    comfyui.folder("gligen").mkdir()
    daemon.wait_for(lambda: str(comfyui.folder("gligen")) in pair.roots(), 60)


def test_what_runs_is_counted(pair: Pair) -> None:
    """A prompt that runs counts for what it loads, one that ComfyUI refuses does not; pictures come through it."""
    comfyui, daemon = pair.comfyui, pair.daemon
    if daemon.process is None:
        daemon.start()
    lora, unused = comfyui.folder("loras") / "a.safetensors", comfyui.folder("loras") / "b.safetensors"
    shas = [daemon.import_one(daemon.wait_pending(path, 60)["id"]).json["sha256"] for path in (lora, unused)]
    graph = graphs.picture("tiny.safetensors", [{"path": str(lora)}, {"path": str(unused), "enabled": False}])
    comfyui.run(graph)
    with pytest.raises(Refused):
        comfyui.queue(graphs.picture("tiny.safetensors", [{"path": str(unused)}, {"path": "none.safetensors"}]))
    comfyui.run(graph | {"2": graphs.loras([])})
    daemon.wait_for(lambda: daemon.model(shas[0])["uses"] == 1, 90)
    assert [model["sha256"] for model in comfyui.get("/hikaze/api/models?q=is:unused")["items"]] == [shas[1]]

    body, kind = form(png(), {"sha256": shas[0]})
    asked = urllib.request.Request(
        f"{comfyui.url}/api/hikaze/api/images/upload", body, {"Content-Type": kind, "X-Hikaze": "1"}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        name = json.load(answer)["base_name"]
    with urllib.request.urlopen(f"{comfyui.url}/hikaze/api/images/{name}.webp", timeout=30) as picture:
        told: Any = daemon.ask("GET", f"/api/images/{name}.webp")
        assert picture.read() == told.body
        assert picture.headers["Cache-Control"] == told.headers["Cache-Control"]


def test_it_ends_in_silence(pair: Pair) -> None:
    """ComfyUI stops as it does without us, and says nothing of connections that were left."""
    if pair.daemon.process is None:
        pair.daemon.start()
    pair.comfyui.get("/hikaze/api/tags")
    before = len(pair.comfyui.log())
    pair.comfyui.stop()
    said = pair.comfyui.log()[before:]
    assert "Unclosed" not in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("_real")
def test_an_installed_pack(tmp_path: Path) -> None:
    """The copy that `hikazed install` makes works; a second one in the same ComfyUI is passed by, and harms nothing."""
    (tmp_path / "models").mkdir()
    comfyui = ComfyUI(tmp_path, packs={})
    place, _ = install(str(tmp_path), "1", ("python",))
    assert Path(place).is_dir()
    (tmp_path / "custom_nodes" / "twice").symlink_to(place)
    comfyui.start()
    try:
        assert comfyui.get("/hikaze-way")["daemon"] is False
        assert comfyui.node("HikazeCheckpointLoader")["name"] == "HikazeCheckpointLoader"
        assert "installed twice" in comfyui.log()
    finally:
        comfyui.stop()
