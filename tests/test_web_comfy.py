"""What ComfyUI loads of us, as it is built: exactly one small script, and beside it only what that asks for."""

import json
import re
from pathlib import Path, PurePosixPath

import pytest

REPOSITORY = Path(__file__).parents[1]
BUILT = REPOSITORY / "web" / "dist" / "comfy"
FILES = {path.relative_to(BUILT).as_posix(): path for path in sorted(BUILT.rglob("*")) if path.is_file()}
CODE = {name: path.read_text("utf-8") for name, path in FILES.items() if not name.endswith((".txt", ".md"))}
NODES = ("HikazeCheckpointLoader", "HikazeLoraPowerLoader")
SMALL_BYTES = 16_000  # with all that it imports at once: every visit of ComfyUI's page reads it

pytestmark = pytest.mark.skipif(not FILES, reason="web/dist/comfy is not built yet: make web")


def imported(name: str) -> set[str]:
    """Give the scripts that a script imports at once, by their names in the folder."""
    found = re.findall(r"(?:\bfrom|\bimport)\s*[\"'`](\.[^\"'`]+)", CODE[name])
    return {(PurePosixPath(name).parent / each).as_posix() for each in found}


def test_comfyui_runs_one_script() -> None:
    """ComfyUI runs every .js in the folder as an extension when its page is loaded: there is one."""
    assert [name for name in FILES if name.endswith(".js")] == ["hikaze.js"]


def test_the_script_is_small() -> None:
    """What that script imports at once is there, and small; Vue and all else come when they are needed."""
    wanted, seen = ["hikaze.js"], set[str]()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        wanted += sorted(imported(name) - seen)

    assert sum(len(CODE[name].encode()) for name in seen) < SMALL_BYTES


def test_nothing_lies_about() -> None:
    """Each built file is named by another, or is one that ComfyUI or we open by name."""
    by_name = {"hikaze.js", "choosing.html", "THIRD-PARTY.txt", *(f"docs/{node}.md" for node in NODES)}
    left = [
        name
        for name in FILES.keys() - by_name
        if not any(PurePosixPath(name).name in text for other, text in CODE.items() if other != name)
    ]

    assert left == []


@pytest.mark.parametrize("node", NODES)
def test_a_node_is_documented(node: str) -> None:
    """ComfyUI finds a page about each node, and its words in English."""
    words = json.loads((REPOSITORY / "locales" / "en" / "nodeDefs.json").read_text("utf-8"))

    assert FILES[f"docs/{node}.md"].read_text("utf-8").startswith(f"# {words[node]['display_name']}\n")
