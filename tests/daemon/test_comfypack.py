"""Our node pack in a ComfyUI: put there, brought up to date, taken out; and what is somebody else's is left alone."""

import json
from pathlib import Path

import pytest
from hikaze.daemon.__main__ import main
from hikaze.daemon.comfypack import DOOR, CannotInstall, install, uninstall

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def comfy(tmp_path: Path) -> Path:
    """Make the outside of a ComfyUI."""
    for folder in ("models", "custom_nodes/other"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("main.py", "nodes.py"):
        (tmp_path / name).touch()
    return tmp_path


def names(folder: Path) -> set[str]:
    """Give the files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_pack_is_what_a_clone_is(comfy: Path) -> None:
    """It has the door, the Python, the page and the words that a clone has, and notes how to start the daemon."""
    place, done = install(str(comfy), "1.2", ("py", "-m", "hikaze.daemon"))
    assert done == "installed"
    pack = comfy / "custom_nodes" / "hikaze"
    assert place == str(pack)
    assert (pack / "__init__.py").read_text() == DOOR == (REPOSITORY / "__init__.py").read_text()
    clone = {f"comfy_node/{path.name}" for path in (REPOSITORY / "comfy_node").glob("*.py")}
    for folder in ("web/dist/comfy", "locales"):
        clone |= {f"{folder}/{name}" for name in names(REPOSITORY / folder) if not name.endswith(".pyc")}
    assert names(pack) == clone | {"__init__.py", "installed.json"}
    note = json.loads((pack / "installed.json").read_text())
    assert note == {"version": "1.2", "command": ["py", "-m", "hikaze.daemon"]}

    (pack / "old.py").touch()
    assert install(str(comfy), "1.3", ())[1] == "updated"
    assert not (pack / "old.py").exists()
    assert uninstall(str(comfy)) == (place, "removed")
    assert uninstall(str(comfy)) == (place, "absent")
    assert [path.name for path in (comfy / "custom_nodes").iterdir()] == ["other"]


def test_what_is_not_ours_stays(comfy: Path, tmp_path: Path) -> None:
    """A clone, a link, another pack of the name: each is left alone, and the message says where it is."""
    packs = comfy / "custom_nodes"
    (packs / "hikaze").symlink_to(REPOSITORY)
    for act in (lambda: install(str(comfy), "1", ()), lambda: uninstall(str(comfy))):
        with pytest.raises(CannotInstall, match="custom_nodes/hikaze"):
            act()
    (packs / "hikaze").rename(packs / "My Hikaze")
    with pytest.raises(CannotInstall, match="My Hikaze"):
        install(str(comfy), "1", ())
    (packs / "My Hikaze").unlink()
    (packs / "hikaze").mkdir()
    with pytest.raises(CannotInstall, match="none of ours"):
        install(str(comfy), "1", ())
    with pytest.raises(CannotInstall, match="no ComfyUI"):
        install(str(tmp_path / "models"), "1", ())


def test_the_command(comfy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A person reads what was done and what to do next; a script gets it as JSON; a refusal is exit code 1."""
    assert main(["install", "--comfyui", str(comfy)]) == 0
    assert "start ComfyUI anew" in capsys.readouterr().out
    assert main(["install", "--comfyui", str(comfy), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == "updated"
    assert main(["install", "--comfyui", str(comfy), "--uninstall"]) == 0
    assert main(["install", "--comfyui", str(comfy / "models")]) == 1
    assert "no ComfyUI folder" in capsys.readouterr().err
    (comfy / "custom_nodes" / "hikaze.new.disabled").write_text("")
    (comfy / "custom_nodes").rename(comfy / "x")
    (comfy / "custom_nodes").symlink_to(comfy / "nowhere")
    assert main(["install", "--comfyui", str(comfy)]) == 1
    assert "cannot be written" in capsys.readouterr().err
