"""Which folders are watched, and that none which may hang keeps the daemon from starting."""

from dataclasses import replace
from pathlib import Path

import pytest
from hikaze.daemon.config import Config
from hikaze.daemon.folders import Plan, folders_of, refuse_network_folder
from hikaze.daemon.listen import CannotStart
from hikaze.daemon.mounts import Mount
from hikaze.daemon.roots import Root, Wanted


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Give a real folder."""
    return tmp_path.resolve()


def config_at(top: Path, **named: object) -> Config:
    """Give settings that name nothing but a data folder."""
    plain = Config(str(top / "data"), None, (), (), "127.0.0.1", 0, None)
    return replace(plain, **named)  # type: ignore[arg-type]


def mounts_at(top: Path) -> list[Mount]:
    """Give a table in which `far` lies elsewhere; nothing is there in truth, so whoever looks finds nothing."""
    return [Mount("1", "8:1", "/", "ext4"), Mount("2", "0:40", str(top / "far"), "nfs4")]


def comfyui_at(folder: Path) -> Path:
    """Make what is taken for a ComfyUI."""
    (folder / "models" / "loras").mkdir(parents=True)
    for name in ("nodes.py", "main.py"):
        (folder / name).touch()
    return folder


def test_named_folders(top: Path) -> None:
    """They are watched whether they are there or not, once each; drop folders are made."""
    (top / "loras").mkdir()
    (top / "again").symlink_to(top / "loras")
    named = (("loras", str(top / "loras")), ("loras", str(top / "again")), ("vae", str(top / "far" / "vae")))
    config = config_at(top, models=named, pending=(str(top / "drop"),))
    plan = folders_of(config, str(top), mounts_at(top))

    assert plan.wanted == (
        Wanted(str(top / "loras"), "model", "loras"),
        Wanted(str(top / "far" / "vae"), "model", "vae"),
        Wanted(str(top / "drop"), "pending"),
    )
    assert plan.order == {"loras": (str(top / "loras"),), "vae": (str(top / "far" / "vae"),)}
    assert (top / "drop").is_dir()
    assert not (top / "far").exists()


def test_two_ways_to_one_far_folder(top: Path) -> None:
    """A link on this machine to a folder elsewhere is that folder, though that is not asked."""
    (top / "link").symlink_to(top / "far" / "models")
    named = (("loras", str(top / "link" / "loras")), ("loras", str(top / "far" / "models" / "loras")))
    plan = folders_of(config_at(top, models=named), str(top), mounts_at(top))

    assert plan.wanted == (Wanted(str(top / "link" / "loras"), "model", "loras"),)


def test_model_folders_of_a_comfyui_that_lie_elsewhere(top: Path) -> None:
    """They are taken to be there; of those on this machine only what is there is watched."""
    comfyui = comfyui_at(top / "ComfyUI")
    (comfyui / "models" / "vae").symlink_to(top / "far" / "vae")
    plan = folders_of(config_at(top, comfyui=str(comfyui)), str(top), mounts_at(top))

    assert plan.wanted is not None
    assert {one.path for one in plan.wanted} == {str(comfyui / "models" / name) for name in ("loras", "vae")}


def test_a_comfyui_that_lies_elsewhere_is_not_looked_for(top: Path) -> None:
    """Whoever has one there names it: to look for one is no reason to hang."""
    comfyui_at(top / "far" / "ComfyUI")
    plan = folders_of(config_at(top), str(top / "far" / "ComfyUI" / "custom_nodes"), mounts_at(top))

    assert plan.wanted is not None
    assert all(one.path.startswith(str(top / "data")) for one in plan.wanted)


def test_what_is_known_stands_in_for_a_plan() -> None:
    """Where the folders cannot be told now, imports go where they went before."""
    known = [Root(n, f"/{n}", "model", type_, False, None, None) for n, type_ in enumerate(("loras", "vae", "loras"))]

    assert Plan(None, {}, ()).order_with(known) == {"loras": ("/0", "/2"), "vae": ("/1",)}
    assert Plan((), {"loras": ("/x",)}, ()).order_with(known) == {"loras": ("/x",)}


def test_a_data_folder_elsewhere(top: Path) -> None:
    """It is refused before anything is made there, with the reason and the cure; one on this machine is not."""
    with pytest.raises(CannotStart, match=r"network file system \(nfs4\).*--data"):
        refuse_network_folder(str(top / "far" / "data"), mounts_at(top))
    refuse_network_folder(str(top / "data"), mounts_at(top))
