"""Which file a path in a payload means, and what is said where none can be loaded."""

import json
import struct
from pathlib import Path

import pytest
from hikaze.comfy_node.finding import Folders, Refusal, find_checkpoint, find_loras, fingerprint
from hikaze.comfy_node.payload import Lora

EMPTY = struct.pack("<Q", 2) + json.dumps({}).encode()  # a safetensors file without tensors
ENDINGS = (".safetensors", ".ckpt")
AGAIN = "choose it again in the node."
WINDOWS = f"this is a path of Windows, and ComfyUI does not run there; {AGAIN}"
OUT = f"it leads out of ComfyUI's loras; {AGAIN}"
NONE = "there is no such file"
NO_MODEL = "it is no model file by its name, which should end with .ckpt, .safetensors."


def folders(base: Path, *, windows: bool = False, endings: tuple[str, ...] = ENDINGS) -> Folders:
    """Give folders as ComfyUI's are, with one place."""

    def look_up(path: str) -> str | None:
        return str(base / path) if (base / path).is_file() else None

    return Folders("loras", look_up, endings, windows)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Make a folder with some LoRAs."""
    for name in (
        "ink.safetensors",
        "sub/line.safetensors",
        "back\\slash.safetensors",
        "notes.txt",
        "UPPER.SAFETENSORS",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(EMPTY)
    return tmp_path


def test_what_is_found(base: Path) -> None:
    """A relative path is looked up in ComfyUI's folders, an absolute one is what it says, also outside of them."""
    found = find_loras(
        [
            Lora("ink.safetensors", strength_model=0.5),
            Lora(str(base / "sub" / "line.safetensors")),
            Lora("sub/line.safetensors"),
            Lora("back\\slash.safetensors"),
            Lora("UPPER.SAFETENSORS"),
        ],
        folders(base),
    )

    assert [(Path(path).relative_to(base).as_posix(), lora.strength_model) for lora, path in found] == [
        ("ink.safetensors", 0.5),
        ("sub/line.safetensors", 1.0),
        ("sub/line.safetensors", 1.0),
        ("back\\slash.safetensors", 1.0),
        ("UPPER.SAFETENSORS", 1.0),
    ]


def test_what_does_nothing_is_not_looked_at(base: Path) -> None:
    """An entry that is off, or has no strength, may be as wrong as it likes."""
    idle = [Lora("gone", enabled=False), Lora("C:\\x", strength_model=0.0, strength_clip=0.0), Lora("", enabled=False)]

    assert find_loras(idle, folders(base)) == []


@pytest.mark.parametrize(
    ("lora", "sentence"),
    [
        (Lora("", "Ink"), "LoRA 1 (Ink): no file is chosen; choose one in the node, or remove the entry."),
        (Lora("a.ckpt"), f"LoRA 1 (a.ckpt) at a.ckpt: {NONE} in ComfyUI's loras; {AGAIN}"),
        (Lora("/no/a.ckpt", "Ink"), f"LoRA 1 (Ink) at /no/a.ckpt: {NONE}; {AGAIN}"),
        (Lora("../a.ckpt"), f"LoRA 1 (a.ckpt) at ../a.ckpt: {OUT}"),
        (Lora("b\\..\\..\\a.ckpt"), f"LoRA 1 (a.ckpt) at b\\..\\..\\a.ckpt: {OUT}"),
        (Lora("notes.txt"), f"LoRA 1 (notes.txt) at notes.txt: {NO_MODEL}"),
        (Lora("C:\\a.ckpt"), f"LoRA 1 (a.ckpt) at C:\\a.ckpt: {WINDOWS}"),
        (Lora("d:/loras/a.ckpt"), f"LoRA 1 (a.ckpt) at d:/loras/a.ckpt: {WINDOWS}"),
        (Lora("\\\\nas\\a.ckpt"), f"LoRA 1 (a.ckpt) at \\\\nas\\a.ckpt: {WINDOWS}"),
        (Lora("b\\a.ckpt"), f"LoRA 1 (a.ckpt) at b\\a.ckpt: {WINDOWS}"),
    ],
)
def test_what_is_refused(base: Path, lora: Lora, sentence: str) -> None:
    """What cannot be loaded is refused by one sentence, which names the entry and what to do."""
    with pytest.raises(Refusal) as refused:
        find_loras([lora], folders(base))

    assert str(refused.value) == sentence


def test_every_bad_entry_is_named(base: Path) -> None:
    """Of several bad entries each is named, by its place in the whole list, on a line of its own."""
    loras = [Lora("off", enabled=False), Lora("a.ckpt"), Lora("ink.safetensors"), Lora("b.ckpt", "Bee")]

    with pytest.raises(Refusal) as refused:
        find_loras(loras, folders(base))

    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "LoRA 2 (a.ckpt) at a.ckpt",
        "LoRA 4 (Bee) at b.ckpt",
    ]


def test_a_windows_path_on_windows(base: Path) -> None:
    """Where ComfyUI runs on Windows such a path is a path like any other."""
    with pytest.raises(Refusal, match="there is no such file in"):
        find_loras([Lora("sub\\gone.safetensors")], folders(base, windows=True))


def test_a_folder_that_takes_all(base: Path) -> None:
    """Where ComfyUI knows no endings for a type, every file will do."""
    assert len(find_loras([Lora("notes.txt")], folders(base, endings=()))) == 1


def test_checkpoints(base: Path) -> None:
    """A checkpoint is found likewise, and none chosen is said so."""
    assert find_checkpoint("ink.safetensors", folders(base)) == str(base / "ink.safetensors")
    with pytest.raises(Refusal, match=r"^No checkpoint is chosen: choose one in the node\.$"):
        find_checkpoint("", folders(base))
    with pytest.raises(Refusal, match=r"^Checkpoint at /gone\.ckpt: there is no such file; "):
        find_checkpoint("/gone.ckpt", folders(base))


def test_a_fingerprint_tells_files_apart(base: Path) -> None:
    """A fingerprint stays while nothing changes, and is another when a file is changed, goes or comes."""
    paths, place = ["ink.safetensors", "/no/such/file", ""], base / "ink.safetensors"
    first = fingerprint(paths, folders(base))
    assert fingerprint(paths, folders(base)) == first

    place.write_bytes(EMPTY + b" ")
    changed = fingerprint(paths, folders(base))
    place.unlink()
    gone = fingerprint(paths, folders(base))

    assert len({first, changed, gone}) == 3
