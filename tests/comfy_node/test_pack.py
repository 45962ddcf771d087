"""The door that ComfyUI finds in a clone of this repository: light, and open whatever else is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

# As much of ComfyUI as the nodes' classes are written against; `server` and aiohttp are missing.
STAND_IN = """
class ComfyExtension: pass

class io:
    class ComfyNode: pass
    class String:
        class Input: pass
    Schema = NodeOutput = object
"""
# As ComfyUI loads a pack; tells what each of its two steps imported from beyond the standard library.
LOAD = """
import asyncio, importlib.util, json, logging, os, sys
import concurrent.futures.thread
place, stand_in = sys.argv[1:]
sys.path.append(stand_in)
before = set(sys.modules)
spec = importlib.util.spec_from_file_location(place.replace(".", "_x_"), os.path.join(place, "__init__.py"))
pack = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)
first = sorted(name for name in set(sys.modules) - before if name != "typing")
extension = asyncio.run(pack.comfy_entrypoint())
nodes = asyncio.run(extension.get_node_list())
others = {name.partition(".")[0] for name in set(sys.modules) - before if not name.startswith(spec.name)}
print(json.dumps({
    "first": [name.replace(spec.name, "PACK") for name in first],
    "nodes": [node.__name__ for node in nodes],
    "others": sorted(name for name in others if name not in sys.stdlib_module_names),
    "web": pack.WEB_DIRECTORY,
}))
"""


@pytest.mark.parametrize("name", ["hikaze", "ComfyUI-Hikaze.git", "my pack (ünï)"])
def test_it_opens_with_nothing_installed(tmp_path: Path, name: str) -> None:
    """Under any name, with no package and no server, the import costs one module, and the nodes come when asked for."""
    (tmp_path / "comfy_api" / "latest").mkdir(parents=True)
    (tmp_path / "comfy_api" / "latest" / "__init__.py").write_text(STAND_IN)
    (tmp_path / name).symlink_to(REPOSITORY)

    command = [sys.executable, "-I", "-S", "-c", LOAD, tmp_path / name, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "first": ["PACK"],
        "nodes": ["HikazeCheckpointLoader", "HikazeLoraPowerLoader"],
        "others": ["comfy_api"],
        "web": "./web/dist/comfy",
    }
    assert "its overlay will not find the daemon" in done.stderr
