"""The pack in a real ComfyUI as people have it: under other names, beside packs that do not care about others."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import graphs, tiny
from .harness import PROBE, PYTHON, REPOSITORY, ComfyUI
from .test_nodes import applied, told

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(600)]

NAME = "my Hikaze-2.0 (ünï)"
OUR_DEPENDENCIES = ("apsw", "msgspec", "watchdog", "platformdirs", "pyroaring", "rich")
RUDE = """
import os, sys, types

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
sys.path.append(os.path.join(here, "more"))
for name in ("comfy_node", "daemon", "events", "hikaze", "payload", "projections", "web"):
    sys.modules[name] = types.ModuleType(name)
NODE_CLASS_MAPPINGS = {}
"""
SHADOWS = (
    "comfy_node",
    "payload",
    "finding",
    "keeping",
    "loading",
    "modelfile",
    "door",
    "proxy",
    "json5",
    "platformdirs",
)


def clone(place: Path) -> Path:
    """Make a copy of what ComfyUI needs of a clone of this repository."""
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "comfy_node", place / "comfy_node", ignore=skip)
    shutil.copytree(REPOSITORY / "web" / "dist", place / "web" / "dist")
    for name in ("__init__.py", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, place)
    return place


def rude(place: Path) -> Path:
    """Make a pack that leads Python astray wherever it can."""
    place.mkdir()
    (place / "__init__.py").write_text(RUDE)
    for name in SHADOWS:
        (place / f"{name}.py").write_text("raise ImportError('this is not the module you want')\n")
    return place


@pytest.fixture(scope="module")
def crowded(_real: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    """Give a ComfyUI with a copy of our pack, under a name of its own, between two rude ones."""
    base = tmp_path_factory.mktemp("crowded")
    packs = {"!rude": rude(base / "one"), NAME: clone(base / "clone"), "zz.rude": rude(base / "two"), "probe": PROBE}
    running = ComfyUI(base / "comfyui", packs)
    tiny.write_checkpoint(running.folder("checkpoints") / "tiny.safetensors")
    tiny.write_lora(running.folder("loras") / "a.safetensors")
    running.start()
    yield running
    running.stop()


def test_no_neighbour_leads_it_astray(crowded: ComfyUI) -> None:
    """Between packs that put themselves first the nodes are there, are ours, and work."""
    assert crowded.node("HikazeCheckpointLoader")["python_module"] == f"custom_nodes.{NAME}"

    assert applied(told(crowded, [{"path": "a.safetensors"}])) == ([[1.0, 0.01]], [[1.0, 0.01]])


def test_nothing_is_complained_of(crowded: ComfyUI) -> None:
    """ComfyUI has nothing to say against the pack, nor it against ComfyUI."""
    said = [line for line in crowded.log().splitlines() if NAME in line or "ikaze" in line or "pyproject" in line]

    assert [line for line in said if "rror" in line or "arning" in line.lower() or "nable" in line] == []
    assert "IMPORT FAILED): " not in "".join(said)


def test_nothing_of_ours_is_installed_there() -> None:
    """All of this is in an environment that has none of the daemon's dependencies."""
    look = f"import importlib.util as u; print([name for name in {OUR_DEPENDENCIES!r} if u.find_spec(name)])"
    found = subprocess.run([PYTHON, "-c", look], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_without_a_daemon(crowded: ComfyUI) -> None:
    """No daemon runs for this ComfyUI, and a picture comes out all the same."""
    outputs = crowded.run(graphs.picture("tiny.safetensors", [{"path": "a.safetensors"}]))

    assert [image["type"] for image in outputs["9"]["images"]] == ["output"]
