"""Which folders a ComfyUI would load models from, and where an installation is found."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hikaze.daemon.comfyui import MODEL_FOLDERS, NotComfyUI, default_tree, find, model_folders
from hikaze.daemon.names import TYPES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Extra = Callable[[str | bytes], Path]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="written with POSIX paths and links")


def install(folder: Path, program: str = "folder_paths.py") -> Path:
    """Make what an installation is known by."""
    (folder / "models").mkdir(parents=True)
    (folder / "custom_nodes").mkdir()
    for name in ("nodes.py", program):
        (folder / name).touch()
    return folder


def folders_of(comfyui: Path, kind: str) -> list[str]:
    """Give a type's folders, in order."""
    return [folder for each, folder in model_folders(str(comfyui)).items if each == kind]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make an empty home."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.mark.parametrize("program", ["folder_paths.py", "main.py"])
def test_found_above(tmp_path: Path, home: Path, program: str):
    """A pack in custom_nodes, or a program in ComfyUI's venv, finds the ComfyUI around it."""
    comfyui = install(tmp_path / "some" / "name", program)
    pack = comfyui / "custom_nodes" / "Hikaze"
    pack.mkdir()

    assert find(str(pack), str(home)) == str(comfyui)
    assert find(str(comfyui / "venv" / "lib" / "site-packages"), str(home)) == str(comfyui)


def test_found_above_a_link(tmp_path: Path, home: Path):
    """A pack linked into custom_nodes finds its ComfyUI from either end of the link."""
    comfyui = install(tmp_path / "a" / "ComfyUI")
    (tmp_path / "src").mkdir()
    (comfyui / "custom_nodes" / "Hikaze").symlink_to(tmp_path / "src")
    (tmp_path / "elsewhere").symlink_to(comfyui / "custom_nodes")

    assert find(str(comfyui / "custom_nodes" / "Hikaze"), str(home)) == str(comfyui)
    (comfyui / "custom_nodes" / "Hikaze").unlink()
    (comfyui / "custom_nodes" / "Hikaze").mkdir()
    assert find(str(tmp_path / "elsewhere" / "Hikaze"), str(home)) == str(comfyui)


@pytest.mark.parametrize("place", ["ComfyUI", "comfyui-nightly", "ComfyUI_windows_portable/ComfyUI"])
def test_found_beside(tmp_path: Path, home: Path, place: str):
    """A ComfyUI in the folder next door is found by its name."""
    comfyui = install(tmp_path / "src" / place)

    assert find(str(tmp_path / "src" / "Hikaze"), str(home)) == str(comfyui)


@pytest.mark.parametrize("place", ["ComfyUI", "comfy/ComfyUI", "Documents/ComfyUI", "stable-diffusion/ComfyUI"])
def test_found_in_the_usual_places(tmp_path: Path, home: Path, place: str):
    """Else the usual places in the user's home are tried."""
    comfyui = install(home / place)

    assert find(str(tmp_path / "src" / "Hikaze"), str(home)) == str(comfyui)


def test_nearest_first(tmp_path: Path, home: Path):
    """Above goes before beside, and beside before home."""
    at_home = install(home / "ComfyUI")
    beside = install(tmp_path / "src" / "ComfyUI")
    start = tmp_path / "src" / "Hikaze"
    assert find(str(start), str(home)) == str(beside)
    assert find(str(tmp_path / "x" / "y"), str(home)) == str(at_home)

    install(start)

    assert find(str(start), str(home)) == str(start)


@pytest.mark.parametrize("lacking", ["models", "nodes.py", "folder_paths.py"])
def test_half_a_comfyui_is_none(tmp_path: Path, home: Path, lacking: str):
    """A folder that only has the name is not taken."""
    comfyui = install(home / "ComfyUI")
    (comfyui / lacking).rename(tmp_path / "away")

    assert find(str(tmp_path / "nowhere" / "Hikaze"), str(home)) is None


def test_default_folders(tmp_path: Path):
    """Without an extra file the folders are ComfyUI's own, in its order, then those it saves to."""
    found = model_folders(str(install(tmp_path / "c")))

    models, output = f"{tmp_path}/c/models", f"{tmp_path}/c/output"
    assert found.items[:10] == (
        ("checkpoints", f"{models}/checkpoints"),
        ("checkpoints", f"{output}/checkpoints"),
        ("loras", f"{models}/loras"),
        ("loras", f"{output}/loras"),
        ("vae", f"{models}/vae"),
        ("vae", f"{output}/vae"),
        ("text_encoders", f"{models}/text_encoders"),
        ("text_encoders", f"{models}/clip"),
        ("text_encoders", f"{output}/clip"),
        ("diffusion_models", f"{models}/unet"),
    )
    assert folders_of(tmp_path / "c", "controlnet") == [f"{models}/controlnet", f"{models}/t2i_adapter"]
    assert found.own == {folder for _, folder in found.items}
    assert found.warnings == ()


def test_types_are_the_known_ones():
    """Every type with folders here is a type by name, and only `diffusers`, which are folders, is left out."""
    assert set(TYPES) - {kind for kind, _ in MODEL_FOLDERS} == {"diffusers"}
    assert {kind for kind, _ in MODEL_FOLDERS} <= set(TYPES)


def test_base_directory(tmp_path: Path):
    """A folder with `models` alone is what ComfyUI takes as --base-directory."""
    (tmp_path / "models").mkdir()

    assert folders_of(tmp_path, "loras")[0] == f"{tmp_path}/models/loras"


def test_no_comfyui(tmp_path: Path):
    """A folder without `models` is refused with what to give instead."""
    with pytest.raises(NotComfyUI, match=f"^{tmp_path} is no ComfyUI folder: give the one"):
        model_folders(str(tmp_path))


def test_a_linked_comfyui(tmp_path: Path):
    """ComfyUI knows itself by its real path, and so do its extra file's relative paths."""
    comfyui = install(tmp_path / "disk" / "ComfyUI")
    (comfyui / "extra_model_paths.yaml").write_text("a: {base_path: ../shared, loras: l}")
    (tmp_path / "link").symlink_to(comfyui)

    assert folders_of(tmp_path / "link", "loras") == [
        f"{comfyui}/models/loras",
        f"{tmp_path}/disk/shared/l",
        f"{comfyui}/output/loras",
    ]


EXTRA = """
# the file ComfyUI ships is all comments here
a111:
    base_path: {disk}/webui

    checkpoints: models/Stable-diffusion
    configs: models/Stable-diffusion
    loras: |
         models/Lora
         models/LyCORIS
    vae: models/VAE/
    clip: /abs/clip
    custom_nodes: nodes

comfyui:
    is_default: true
    loras: first/loras
    unet: |
        one
        ../two
    my_pack: $HOME/kept

nothing:
"""


@pytest.fixture
def extra(tmp_path: Path) -> Extra:
    """Give a function that makes a ComfyUI with the extra file."""

    def make(content: str | bytes) -> Path:
        comfyui = install(tmp_path / "c")
        data = content.encode() if isinstance(content, str) else content
        (comfyui / "extra_model_paths.yaml").write_bytes(data)
        return comfyui

    return make


def test_extra_folders(tmp_path: Path, extra: Extra):
    """The extra file means what it means to ComfyUI: bases, lists, legacy names, and is_default in front."""
    comfyui = extra(EXTRA.format(disk=tmp_path / "disk"))
    webui, models, output = tmp_path / "disk" / "webui" / "models", comfyui / "models", comfyui / "output"

    assert folders_of(comfyui, "checkpoints") == [
        f"{models}/checkpoints",
        f"{webui}/Stable-diffusion",
        f"{output}/checkpoints",
    ]
    assert folders_of(comfyui, "loras") == [
        f"{comfyui}/first/loras",
        f"{models}/loras",
        f"{webui}/Lora",
        f"{webui}/LyCORIS",
        f"{output}/loras",
    ]
    assert folders_of(comfyui, "vae") == [f"{models}/vae", f"{webui}/VAE", f"{output}/vae"]
    assert folders_of(comfyui, "text_encoders") == [
        f"{models}/text_encoders",
        f"{models}/clip",
        "/abs/clip",
        f"{output}/clip",
    ]
    # Each default goes to the very front, so the last one named is first; only base_path is expanded.
    assert folders_of(comfyui, "diffusion_models") == [
        f"{tmp_path}/two",
        f"{comfyui}/one",
        f"{models}/unet",
        f"{models}/diffusion_models",
        f"{output}/diffusion_models",
    ]
    assert folders_of(comfyui, "my_pack") == [f"{comfyui}/$HOME/kept"]
    found = model_folders(str(comfyui))
    assert {"configs", "custom_nodes"}.isdisjoint(kind for kind, _ in found.items)
    assert "/abs/clip" not in found.own
    assert found.warnings == ()


def test_base_is_expanded(extra: Extra):
    """A base may hold ~ and environment variables."""
    comfyui = extra("a: {base_path: ~/x, loras: l}\nb: {base_path: $HOME/y, loras: l}\n")

    home = os.path.expanduser("~")
    assert folders_of(comfyui, "loras")[1:3] == [
        os.path.normpath(f"{home}/x/l"),
        os.path.normpath(os.path.expandvars("$HOME/y/l")),
    ]


def test_listed_twice(extra: Extra):
    """A folder named again is listed once, and in front where it became the default."""
    comfyui = extra("a: {vae: models/vae}\nb: {is_default: true, vae: output/vae}\n")

    assert folders_of(comfyui, "vae") == [f"{comfyui}/output/vae", f"{comfyui}/models/vae"]


@pytest.mark.parametrize(
    "content",
    [
        "a: [",
        "just text",
        "- a\n- b",
        b"\xff\xfe\xff",
        "a: !!python/object/apply:os.system [id]",
        "a: !!timestamp x",
        "a: !!int ''",
        "a: 2020-99-99",
        "a: {? [x] : y}",
        "[" * 1_500,
        "#" * 300_000,
        "a: text",
        "a: {base_path: 7, loras: l}",
        "a: {loras: 7}",
        "a: {loras: }",
        "a: {loras: [x, y]}",
        "a: {7: x}",
        "a: {b/c: x}",
        'a: {loras: "x\\0y"}',
        'a: {loras: "\\ud800"}',
        'a: {"\\ud800": x}',
    ],
)
def test_a_broken_extra_file(extra: Extra, content: str | bytes):
    """A broken extra file, or entry, takes no folder of ComfyUI's own away and is told once."""
    comfyui = extra(content)

    found = model_folders(str(comfyui))

    assert found.own == {folder for _, folder in found.items}
    assert len(found.warnings) == 1
    assert "extra_model_paths.yaml" in found.warnings[0]
    found.warnings[0].encode()  # fit for JSON


@pytest.mark.parametrize("content", ["", "# only\n# comments\n", "a:\n", "{}"])
def test_an_empty_extra_file(extra: Extra, content: str):
    """A file without entries is no fault."""
    assert model_folders(str(extra(content))).warnings == ()


def test_the_good_entries_of_a_faulty_section_count(extra: Extra):
    """One wrong entry does not take its neighbours away."""
    comfyui = extra("a: {loras: 7, vae: v}\nb: text\nc: {vae: w}\n")

    assert folders_of(comfyui, "vae")[1:3] == [f"{comfyui}/v", f"{comfyui}/w"]
    assert len(model_folders(str(comfyui)).warnings) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60) | st.text("ab:{}[]!|>&*?-#'\"\\\n 7~", max_size=60).map(str.encode))
def test_any_extra_file(tmp_path: Path, content: bytes):
    """Whatever the file holds, ComfyUI's own folders are found."""
    comfyui = tmp_path / "c"
    if not comfyui.exists():
        install(comfyui)
    (comfyui / "extra_model_paths.yaml").write_bytes(content)

    found = model_folders(str(comfyui))

    assert found.own <= {folder for _, folder in found.items}
    for _, folder in found.items:
        os.fsencode(folder)


def test_default_tree():
    """Somebody without ComfyUI gets one folder a type in the data folder."""
    tree = default_tree("/data")

    assert tree[:3] == [
        ("checkpoints", "/data/models/checkpoints"),
        ("loras", "/data/models/loras"),
        ("vae", "/data/models/vae"),
    ]
    assert {"text_encoders", "diffusion_models", "embeddings", "photomaker"} <= {kind for kind, _ in tree}
