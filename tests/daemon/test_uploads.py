"""Which files are taken as uploads, and where they may go."""

from pathlib import Path

import pytest
from hikaze.daemon import uploads
from hikaze.daemon.uploads import BadKind, BadUpload, NotNow, drop_folders, wish
from hypothesis import given
from hypothesis import strategies as st

from .uploadfolder import drop_folder


@pytest.mark.parametrize(
    "name",
    [
        "x.safetensors",
        "x.CKPT",
        "モデル v2.gguf",
        "e\u0301.pt",  # not in the composed form, and kept so
        "a:b?.safetensors",
        "console.safetensors",
        "x" * 243 + ".safetensors",
        "x.preview.png",
        "x.civitai.info",
        "x.txt",
    ],
)
def test_a_name_in_any_script_is_kept_as_it_is(name: str) -> None:
    """Models, pictures and sidecars are taken under exactly the name they were sent with."""
    assert wish("a-key_01", name, 7).name == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("a/x.safetensors", "has a path in it"),
        ("..\\x.safetensors", "has a path in it"),
        ("x\0.safetensors", "control characters"),
        ("x\n.safetensors", "control characters"),
        ("x\x85.safetensors", "control characters"),
        (".x.safetensors", "begins with a dot"),
        ("..", "begins with a dot"),
        ("x" * 244 + ".safetensors", "is too long"),
        ("é" * 122 + ".safetensors", "is too long"),
        ("CON.safetensors", "Windows keeps for devices"),
        ("lpt1.x.safetensors", "Windows keeps for devices"),
        ("x\udc80.safetensors", "no valid text"),
    ],
)
def test_a_name_that_would_do_harm_is_refused(name: str, why: str) -> None:
    """A name that leads elsewhere, hides the file or cannot be one is refused, with what is wrong and what to do."""
    with pytest.raises(BadUpload, match=why) as refused:
        wish("a-key_01", name, 7)
    assert "rename the file" in str(refused.value)


@pytest.mark.parametrize("name", ["x", "x.exe", "x.safetensors.part", "x.mp4", "x.zip", "safetensors"])
def test_other_kinds_of_files_are_refused(name: str) -> None:
    """What is neither a model nor read beside one is refused as a kind of file."""
    with pytest.raises(BadKind, match="neither a model"):
        wish("a-key_01", name, 7)


def test_windows_takes_fewer_names() -> None:
    """On Windows a name that its disks do not take is refused; elsewhere it is a name as any other."""
    uploads.check_name("a:b.safetensors", windows=False)
    with pytest.raises(BadUpload, match="Windows does not take"):
        uploads.check_name("a:b.safetensors", windows=True)


@given(st.text(max_size=80))
def test_a_taken_name_is_one_file_in_its_folder(stem: str) -> None:
    """Whatever name is taken, it names a visible file in the folder itself."""
    name = f"{stem}.safetensors"
    try:
        uploads.check_name(name, windows=False)
    except uploads.UploadRefused:
        return
    path = Path("/drop") / name
    assert (str(path.parent), path.name) == ("/drop", name)
    assert not name.startswith(".")
    assert len(name.encode()) <= 255


@pytest.mark.parametrize(
    ("key", "size", "why"),
    [
        ("short", 7, "8 to 64"),
        ("x" * 65, 7, "8 to 64"),
        ("../../etc", 7, "8 to 64"),
        ("schlüssel", 7, "8 to 64"),
        ("a-key_01", 0, "is empty"),
        ("a-key_01", (1 << 40) + 1, "1 TiB"),
        ("a-key_01", None, "size is missing"),
    ],
)
def test_keys_and_sizes_have_bounds(key: str, size: int | None, why: str) -> None:
    """A key that is none, and a size that no file has, are refused."""
    with pytest.raises(BadUpload, match=why):
        wish(key, "x.safetensors", size)


def test_a_file_goes_to_the_first_drop_folder_that_is_here(tmp_path: Path) -> None:
    """Roots of models are no drop folders, nor are those that are away, paused, or another than was asked for."""
    away = drop_folder(tmp_path, 1, offline=True, why="absent")
    models = drop_folder(tmp_path, 2, kind="model", type="loras")
    first, second = drop_folder(tmp_path, 3), drop_folder(tmp_path, 4)
    paused = drop_folder(tmp_path, 5, offline=True, why="paused", paused=True)

    assert drop_folders([away, models, first, second], None) == [first, second]
    assert drop_folders([first, second], 4) == [second]
    for roots, wanted, kind, why in (
        ([first], 9, BadUpload, "no drop folder 9"),
        ([models], 2, BadUpload, "no drop folder 2"),
        ([models], None, NotNow, "add one"),
        ([first, away], 1, NotNow, "is away; connect its disk"),
        ([paused], None, NotNow, "is paused; resume it"),
    ):
        with pytest.raises(kind, match=why):
            drop_folders(roots, wanted)
