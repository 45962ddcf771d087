"""The folders that a running ComfyUI tells of: which are watched, and which roots come and go for it."""

from pathlib import Path

import pytest
from hikaze.daemon import roots
from hikaze.daemon.comfytold import adjust, examine, sorted_out
from hikaze.daemon.mounts import Mount
from hikaze.daemon.roots import Wanted
from hikaze.daemon.shapes import ComfyuiFolders
from hikaze.events.catalog import ComfyuiFoldersTold, Event, Folders, RootAdded, RootRemoved
from hikaze.projections import comfyui as view

from .library import Memory


class Comfy:
    """A ComfyUI in a folder, and a library that it tells of itself."""

    def __init__(self, top: Path) -> None:
        """Make its models folder."""
        self.top, self.memory, self.mounted = top, Memory(), list[Mount]()
        (top / "models").mkdir()

    def folder(self, name: str) -> str:
        """Make a folder of its own."""
        (self.top / "models" / name).mkdir(parents=True, exist_ok=True)
        return str(self.top / "models" / name)

    def tells(self, *folders: ComfyuiFolders, base: Path | None = None) -> list[Event]:
        """Tell, and give the events."""
        where = str(base or self.top)
        told, self.odd = sorted_out(folders)
        found = examine(told, where, str(self.top / "data"), roots.every(self.memory.db), self.mounted)
        return self.memory.write(lambda db: adjust(db, where, found))

    @property
    def left_out(self) -> dict[str, str]:
        """Give what was left out the last time, by why."""
        return {each["path"]: each["why"] for each in self.memory.value["left_out"]}

    @property
    def watched(self) -> list[tuple[str, str | None]]:
        """Give what is watched."""
        return [(root.path, root.type) for root in roots.every(self.memory.db)]


@pytest.fixture
def comfy(tmp_path: Path) -> Comfy:
    """Give a ComfyUI of which nothing is known."""
    return Comfy(tmp_path)


def of(type_: str, *paths: str, endings: tuple[str, ...] = (".safetensors",)) -> ComfyuiFolders:
    """Tell of folders."""
    return ComfyuiFolders(type_, list(paths), list(endings))


def test_folders_become_roots_and_go(comfy: Comfy) -> None:
    """What is told is watched, once; what is told no more is watched no more, and its number comes back with it."""
    loras, vae = comfy.folder("loras"), comfy.folder("vae")
    told = ComfyuiFoldersTold(
        str(comfy.top), (Folders("loras", (loras,), (".safetensors",)), Folders("vae", (vae,), (".safetensors",)))
    )
    first = [told, RootAdded(1, loras, "model", "loras", "comfyui"), RootAdded(2, vae, "model", "vae", "comfyui")]
    assert comfy.tells(of("loras", loras), of("vae", vae)) == first
    assert comfy.memory.value["roots"] == [1, 2]
    assert comfy.tells(of("vae", vae), of("loras", loras)) == []
    assert comfy.tells(of("loras", loras))[1:] == [RootRemoved(2)]
    assert comfy.tells(of("loras", loras), of("vae", vae))[1:] == [RootAdded(2, vae, "model", "vae", "comfyui")]
    assert view.endings(comfy.memory.db) == {loras: (".safetensors",), vae: (".safetensors",)}
    assert [type(event) for event in comfy.tells(of("loras", loras, endings=(".pt",)), of("vae", vae))] == [
        ComfyuiFoldersTold
    ]


def test_a_start_keeps_them(comfy: Comfy) -> None:
    """What a ComfyUI told stays while it does not run, whatever the configuration names."""
    loras = comfy.folder("loras")
    comfy.tells(of("loras", loras))
    assert comfy.memory.write(lambda db: roots.adjust(db, [])) == []
    drop = Wanted("/d", "pending")
    assert comfy.memory.write(lambda db: roots.adjust(db, [drop])) == [RootAdded(2, "/d", "pending")]


def test_what_the_user_removed_stays_removed(comfy: Comfy) -> None:
    """Nobody but the user brings it back."""
    loras, vae = comfy.folder("loras"), comfy.folder("vae")
    comfy.tells(of("loras", loras))
    comfy.memory.write(lambda db: roots.remove(db, 1))
    comfy.tells(of("loras", loras), of("vae", vae))
    assert comfy.watched == [(vae, "vae")]
    assert comfy.left_out[loras].startswith("you removed it")
    comfy.memory.write(lambda db: roots.add(db, Wanted(loras, "model", "loras", "user")))
    assert [event for event in comfy.tells(of("vae", vae)) if isinstance(event, RootRemoved)] == []
    assert len(comfy.watched) == 2


def test_two_of_them(comfy: Comfy, tmp_path: Path) -> None:
    """A folder that another ComfyUI has as well stays until neither has it."""
    shared, own = comfy.folder("loras"), comfy.folder("vae")
    other = tmp_path / "other"
    comfy.tells(of("loras", shared), of("vae", own))
    assert [type(event) for event in comfy.tells(of("loras", shared), base=other)] == [ComfyuiFoldersTold]
    assert RootRemoved(1) not in comfy.tells(of("vae", own))
    assert comfy.tells(base=other)[1:] == [RootRemoved(1)]
    assert comfy.watched == [(own, "vae")]


def test_what_is_watched_already(comfy: Comfy, tmp_path: Path) -> None:
    """A folder that somebody watches stays theirs, by whatever path; one inside it is watched with it."""
    loras = comfy.folder("loras")
    comfy.memory.write(lambda db: roots.add(db, Wanted(loras, "model", "loras", "user")))
    (tmp_path / "link").symlink_to(loras)
    told = comfy.tells(of("loras", str(tmp_path / "link"), comfy.folder("loras/inner")), of("vae", loras))
    assert [type(event) for event in told] == [ComfyuiFoldersTold]
    assert comfy.memory.value["roots"] == [1]
    assert "which is watched for loras already" in comfy.left_out[loras + "/inner"]
    assert comfy.tells()[1:] == []
    assert comfy.watched == [(loras, "loras")]


def test_names_of_types(comfy: Comfy) -> None:
    """Names that packs give a type of ours are that type; the first folder stays the first."""
    unet, more = comfy.folder("unet"), comfy.folder("diffusion_models")
    comfy.tells(of("diffusion_models", unet, more), of("unet_gguf", unet, more, endings=(".gguf",)), of("LLM", more))
    assert comfy.watched == [(more, "LLM"), (unet, "diffusion_models")]
    assert view.order(comfy.memory.db)["diffusion_models"] == (unet, more)
    (folders,) = [each for each in view.told(comfy.memory.db, str(comfy.top)) if each.type == "diffusion_models"]
    assert folders.extensions == (".gguf", ".safetensors")


def test_what_is_left_out(comfy: Comfy, tmp_path: Path) -> None:
    """Folders without models, of no type, and those of ComfyUI's own that are not there; others may be away."""
    texts, odd = comfy.folder("wildcards"), comfy.folder("odd")
    data = tmp_path / "data"
    comfy.tells(
        of("wildcards", texts, endings=(".txt", ".yaml")),
        of("a/b", odd),
        of("loras", "relative", str(tmp_path / "models/none"), "/not/there"),
        of("vae", str(tmp_path)),
        of("gligen", str(data / "images")),
    )
    assert dict(comfy.odd).keys() == {texts, odd, "relative"}
    assert comfy.left_out.keys() == {str(tmp_path / "models/none"), str(tmp_path), str(data / "images")}
    assert comfy.watched == [("/not/there", "loras")]


def test_a_disk_that_may_hang_is_not_touched(comfy: Comfy, tmp_path: Path) -> None:
    """A folder on another machine's disk is watched without anybody looking whether it is there."""
    comfy.mounted.append(Mount("1", "box:/x", str(tmp_path / "models/nas"), "nfs4"))
    comfy.tells(of("loras", str(tmp_path / "models/nas/loras")))
    assert comfy.watched == [(str(tmp_path / "models/nas/loras"), "loras")]
