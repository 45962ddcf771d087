"""Whether a model file is whole, told from its beginning and its size."""

import json
import os
import struct
import zipfile
from pathlib import Path

import pytest
from hikaze.comfy_node.modelfile import FileFault, check


def safetensors(*lengths: int, metadata: bool = True) -> bytes:
    """Make a file of tensors of some lengths in bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}} if metadata else {}
    end = 0
    for number, length in enumerate(lengths):
        begin, end = end, end + length
        header[f"t{number}"] = {"dtype": "U8", "shape": [length], "data_offsets": [begin, end]}
    said = json.dumps(header).encode()
    return struct.pack("<Q", len(said)) + said + bytes(end)


def headed(text: bytes) -> bytes:
    """Make a file of a header alone, whatever it says."""
    return struct.pack("<Q", len(text)) + text


WHOLE = safetensors(10, 20)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.safetensors", WHOLE, None),
        ("a.SFT", WHOLE, None),
        ("a.safetensors", safetensors(), None),
        ("a.safetensors", safetensors(5, metadata=False), None),
        ("a.ckpt", b"\x80\x02} an old pickle, as torch wrote it before it wrote archives", None),
        ("a.gguf", b"GGUF whatever", None),
        ("a.safetensors", b"", "it is empty"),
        ("a.ckpt", b"", "it is empty"),
        ("a.safetensors", WHOLE[:-1], f"it is cut off: {len(WHOLE) - 1} of {len(WHOLE)} bytes are there"),
        ("a.safetensors", WHOLE + b"xy", "it is damaged: 2 bytes follow its end"),
        ("a.safetensors", WHOLE[:30], "it is cut off within its header"),
        ("a.safetensors", WHOLE[:5], "it is no safetensors file"),
        ("a.safetensors", b"<!DOCTYPE html><html>Sign in to download</html>", "it is no safetensors file"),
        ("a.safetensors", bytes(1000), "it is no safetensors file"),
        ("a.safetensors", struct.pack("<Q", 2**63) + b"{", "it is no safetensors file"),
        ("a.safetensors", headed(b'{"t": {'), "its header is damaged"),
        ("a.safetensors", headed(b'{"t": []}'), "its header is damaged"),
        ("a.safetensors", headed(b'{"t": {"data_offsets": [0]}}'), "its header is damaged"),
        ("a.safetensors", headed(b"{" + b'"t":{' * 100_000), "its header is damaged"),
        ("a.ckpt", b"PK\x03\x04" + bytes(100), "it is cut off"),
    ],
)
def test_what_is_found(tmp_path: Path, name: str, content: bytes, fault: str | None) -> None:
    """A whole file passes; one that is cut off or something else is refused, and what to do is said."""
    path = tmp_path / name
    path.write_bytes(content)

    if fault is None:
        check(str(path))
    else:
        with pytest.raises(FileFault) as refused:
            check(str(path))
        assert str(refused.value) == f"{fault}; download or copy it again"


def test_an_archive_of_torch(tmp_path: Path) -> None:
    """A checkpoint of the kind that torch writes today is whole when its list of contents is there."""
    path = tmp_path / "a.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"x" * 1000)
    check(str(path))
    os.truncate(path, path.stat().st_size - 30)

    with pytest.raises(FileFault, match=r"^it is cut off;"):
        check(str(path))


def test_what_is_not_there(tmp_path: Path) -> None:
    """A file that is gone, a link that leads nowhere, a folder and a device are told apart from damage."""
    (tmp_path / "link.safetensors").symlink_to(tmp_path / "gone")
    (tmp_path / "file").touch()
    gone = "there is no such file; choose it again in the node"
    for place in ("gone.safetensors", "link.safetensors", "no/such/folder.ckpt", "file/below.ckpt"):
        with pytest.raises(FileFault, match=f"^{gone}$"):
            check(str(tmp_path / place))
    for place in (str(tmp_path), os.devnull):
        with pytest.raises(FileFault, match=r"^it is not a file but a folder or a device$"):
            check(place)


def test_what_the_system_says_is_passed_on(tmp_path: Path) -> None:
    """What the operating system has against a file is told in its words."""
    with pytest.raises(FileFault, match=r"^it cannot be read: "):
        check(str(tmp_path / ("x" * 5000)))
