"""What a model file says about itself."""

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hikaze.daemon.content import header
from hikaze.daemon.content.guess import guess_type
from hikaze.daemon.content.header import Header, Tensor
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

JSON = (
    b'{"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"I64","shape":[],"data_offsets":[12,20]}}'
)
KEYS = ["__metadata__", "a", "dtype", "shape", "data_offsets"]


def safetensors(text: bytes = JSON, data: bytes = bytes(20)) -> bytes:
    return struct.pack("<Q", len(text)) + text + data


def one(dtype: str = "U8", shape: str = "[1]", offsets: str = "[0,1]") -> bytes:
    return f'{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}'.encode()


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf(
    pairs: list[bytes] | None = None, tensors: list[tuple[str, list[int], int, int]] | None = None, version: int = 3
) -> bytes:
    """Give the header of a GGUF file; a tensor is (name, dimensions, type, offset)."""
    pairs, tensors = pairs or [], tensors or []
    infos = (
        string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        for name, shape, kind, offset in tensors
    )
    return b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs)) + b"".join(pairs) + b"".join(infos)


def text_pair(key: str, value: str) -> bytes:
    return string(key) + struct.pack("<I", 8) + string(value)


def read_bytes(content: bytes, name: str = "a.safetensors") -> tuple[Header, list[Tensor]]:
    return header.read_from(io.BytesIO(content), len(content), name)


def test_a_file_of_the_safetensors_library(tmp_path: Path):
    """A file that the format's own library wrote is read as it was meant."""
    path = str(tmp_path / "lora.safetensors")
    tensors = {"x": np.zeros((2, 3), np.float16), "y": np.ones(4, np.float32), "z": np.zeros((), np.int8)}
    save_file(tensors, path, metadata={"ss_tag": "模型", "empty": ""})
    size = os.stat(path).st_size

    found = header.read_header(path)

    assert found == Header(
        "safetensors",
        metadata={"ss_tag": "模型", "empty": ""},
        tensor_count=3,
        parameters=11,
        dtypes={"F16": 6, "F32": 4, "I8": 1},
        expected_size=size,
        complete=True,
    )
    assert header.shortfall(found, size) is None
    assert sorted(header.read_tensors(path), key=lambda tensor: tensor.name) == [
        Tensor("x", "F16", (2, 3)),
        Tensor("y", "F32", (4,)),
        Tensor("z", "I8", ()),
    ]


def test_a_truncated_file_says_how_much_is_missing():
    """A file shorter than its header says is certainly incomplete."""
    found, _ = read_bytes(safetensors(data=bytes(5)))
    whole = len(safetensors())

    assert (found.complete, found.expected_size, found.problem) == (False, whole, None)
    assert header.shortfall(found, whole - 15) == (
        f"is shorter than its header says ({whole - 15} of {whole} bytes); the download is incomplete"
    )
    assert header.shortfall(found, whole) is None


def test_a_file_cut_inside_its_header():
    """Where the header itself is cut, its length still tells what is missing."""
    found, tensors = read_bytes(safetensors()[:40])

    assert (found.complete, found.expected_size, tensors) == (False, 8 + len(JSON), [])
    assert header.shortfall(found, 40) is not None


def test_a_file_too_short_for_a_length():
    """Fewer than the first eight bytes are certainly not all."""
    assert read_bytes(b"abc")[0] == Header("safetensors", expected_size=8, complete=False)
    assert read_bytes(b"")[0].complete is False


def test_a_header_that_claims_to_be_enormous():
    """A claim beyond the format's bound is a problem, is never read, and makes the file too short."""
    found, _ = read_bytes(struct.pack("<Q", 2**63) + b"{}")

    assert (found.complete, found.expected_size) == (False, 8 + 2**63)
    assert found.problem is not None
    assert "9,223,372,036,854,775,808 bytes" in found.problem
    assert "9,223,372,036,854,775,816" in str(header.shortfall(found, 10))


@pytest.mark.parametrize(
    "content",
    [
        safetensors(b"", b""),
        bytes(1000),
        safetensors(b"[]"),
        safetensors(b"null"),
        safetensors(b"{"),
        safetensors(b"not json"),
        safetensors(b"{}\0"),
        safetensors(b'{"a":1}'),
        safetensors(b'{"a":{}}'),
        safetensors(b'{"a\xff":{}}'),
        safetensors(one(dtype="F16\xff")),
        safetensors(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        safetensors(b'{"a":' * 50_000),
        safetensors(b'{"__metadata__":{"a":1}}', b""),
        safetensors(b'{"__metadata__":[]}', b""),
        safetensors(b'{"__metadata__":{"a":"\\ud800"}}', b""),
        safetensors(one(shape="[-1]"), b"1"),
        safetensors(one(shape="[1.5]"), b"1"),
        safetensors(one(shape='["1"]'), b"1"),
        safetensors(one(shape="[" + "1," * 100 + "1]"), b"1"),
        safetensors(one(shape="[" + "9" * 5000 + "]"), b"1"),
        safetensors(one(shape="[9223372036854775807,9223372036854775807]"), b"1"),
        safetensors(one(dtype="XYZ", shape="[9223372036854775807,2]"), b"1"),
        safetensors(one(dtype="not a type"), b"1"),
        safetensors(one(offsets="[0]"), b"1"),
        safetensors(one(offsets="[-1,0]"), b"1"),
        safetensors(one(offsets="[1,0]"), b"1"),
        safetensors(one(offsets="[1,2]"), b"12"),
        safetensors(one(offsets="[0,2]"), b"12"),
        safetensors(one(offsets="[0,99999999999999999999]"), b"12"),
        safetensors(one()[:-1] + b',"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', b"12"),
        safetensors(one()[:-1] + b',"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"1"),
        safetensors(b'{"__metadata__":{},"__metadata__":{}}', b""),
        safetensors(b"{" + b'"":0,' * 1_100_000 + b'"":0}', b""),
    ],
    ids=lambda content: repr(content[8:60]),
)
def test_a_malformed_header(content: bytes):
    """A header that makes no sense gives a problem, no tensors and no claim about the size."""
    found, tensors = read_bytes(content)

    assert found.problem
    assert (found.expected_size, found.complete, tensors) == (None, None, [])
    assert header.shortfall(found, len(content)) is None


def test_bytes_after_the_end():
    """A file longer than its header says has a problem, and lacks nothing."""
    found, _ = read_bytes(safetensors(data=bytes(27)))

    assert found.problem == "has 7 bytes more than its header says, and will not load"
    assert found.complete is None
    assert header.shortfall(found, 1000) is None


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"{}", b""),
        (b' {"__metadata__":null}  ', b""),
        (one(dtype="F4", shape="[4]", offsets="[0,2]"), b"12"),
        (one(dtype="F6_E2M3", shape="[4]", offsets="[0,3]"), b"123"),
        (one(shape="[0]", offsets="[0,0]"), b""),
        (one(dtype="F7_NEW", shape="[3]", offsets="[0,5]"), b"12345"),
        (b'{"data_offsets":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}', b"1"),
    ],
)
def test_unusual_but_right(text: bytes, data: bytes):
    """What the format allows, or may allow tomorrow, is no problem."""
    found, _ = read_bytes(safetensors(text, data))

    assert (found.problem, found.complete) == (None, True)


def test_metadata_is_bounded():
    """Values and keys too long to keep are left out and named."""
    metadata = {"small": "x", "large": "x" * (header.MAX_VALUE + 1), "k" * 300: "x"} | {
        f"n{i}": "y" * 1_000_000 for i in range(6)
    }
    found, _ = read_bytes(safetensors(msgspec.json.encode({"__metadata__": metadata}), b""))

    assert list(found.metadata) == ["small", "n0", "n1", "n2", "n3"]
    assert found.dropped == ("large", "k" * header.MAX_KEY, "n4", "n5")
    assert found.problem is None


def test_the_summary_of_an_ordinary_header():
    """A summary holds all of an ordinary header's metadata."""
    found, _ = read_bytes(safetensors(b'{"__metadata__":{"ss_network_dim":"8"},' + JSON[1:]))

    assert header.summary(found) == {
        "format": "safetensors",
        "tensor_count": 2,
        "parameters": 7,
        "dtypes": {"F16": 6, "I64": 1},
        "metadata": {"ss_network_dim": "8"},
        "cut": [],
        "problem": None,
    }


def test_the_summary_names_what_it_cuts():
    """Long values are cut, the longest are left out where all is too much, and both are named."""
    metadata = {"short": "a", "tags": "b" * 5000} | {f"long{i}": "\0" * 4000 for i in range(3)}
    summary = header.summary(Header("safetensors", metadata=metadata, dropped=("thumbnail",)))

    assert summary["metadata"] == {"short": "a", "long0": "\0" * 4000}
    assert summary["cut"] == ["tags", "long1", "long2", "thumbnail"]


@given(
    metadata=st.dictionaries(st.text(max_size=30), st.text(max_size=50).map(lambda text: text * 500), max_size=40),
    dropped=st.lists(st.text(max_size=5).map(lambda text: text * 50), max_size=32),
)
def test_the_summary_is_small(metadata: dict[str, str], dropped: list[str]):
    """Whatever the metadata, the summary is JSON of at most 64 KiB."""
    dtypes = {f"{'T' * 20}{i}": 2**62 // 64 for i in range(64)}
    summary = header.summary(
        Header("safetensors", metadata=metadata, dropped=tuple(dropped), dtypes=dtypes, problem="x" * 200)
    )

    assert len(msgspec.json.encode(summary)) <= 64 * 1024


def test_a_gguf_file():
    """A GGUF header gives its text and numbers, its tensors, and the size the file must have."""
    pairs = [
        text_pair("general.architecture", "flux"),
        string("a.f32") + struct.pack("<If", 6, 0.5),
        string("a.bool") + struct.pack("<I?", 7, True),
        string("a.i64") + struct.pack("<Iq", 11, -3),
        string("tokens") + struct.pack("<IIQ", 9, 8, 2) + string("a") + string("b"),
        string("scores") + struct.pack("<IIQ3f", 9, 6, 3, 0, 0, 0),
        string("nested") + struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ2H", 2, 2, 1, 2),
    ]
    head = gguf(pairs, [("w", [64, 2], 2, 0), ("n", [3], 0, 96)])
    start = -(-len(head) // 32) * 32
    content = head.ljust(start + 96 + 12, b"\0")

    found, tensors = read_bytes(content, "a.gguf")

    assert found == Header(
        "gguf",
        metadata={"general.architecture": "flux", "a.f32": "0.5", "a.bool": "true", "a.i64": "-3"},
        tensor_count=2,
        parameters=131,
        dtypes={"Q4_0": 128, "F32": 3},
        expected_size=start + 108,
        complete=True,
    )
    assert tensors == [Tensor("w", "Q4_0", (2, 64)), Tensor("n", "F32", (3,))]
    assert read_bytes(content[:-1])[0].complete is False
    assert header.shortfall(found, start) is not None


def test_a_big_endian_gguf_file():
    """A GGUF header written in the other byte order is read too."""
    key = b"general.name"
    pair = struct.pack(">Q", len(key)) + key + struct.pack(">IQ", 8, 2) + b"be"

    assert read_bytes(b"GGUF" + struct.pack(">IQQ", 3, 0, 1) + pair)[0].metadata == {"general.name": "be"}


@given(cut=st.integers(0, 200))
def test_a_gguf_file_cut_anywhere_is_incomplete(cut: int):
    """A GGUF file that ends inside its header certainly lacks its end, wherever it was cut."""
    content = gguf([text_pair("general.architecture", "flux" * 30)], [("weight", [64, 2], 2, 0)])
    part = content[: max(4, min(cut, len(content) - 1))]

    found, tensors = read_bytes(part, "a.gguf")

    assert (found.complete, found.problem, tensors) == (False, None, [])
    assert header.shortfall(found, len(part)) == "ends before its header does; the download is incomplete"


@pytest.mark.parametrize(
    "content",
    [
        gguf(version=4) + bytes(100),
        b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60),
        gguf([struct.pack("<Q", 2**62)]),
        gguf([string("a") + struct.pack("<I", 99)]),
        gguf([string("a") + struct.pack("<IIQ", 9, 9, 1) * 9]),
        gguf([string("a") + struct.pack("<IIQ", 9, 8, 2**60)]),
        gguf([string("general.alignment") + struct.pack("<II", 4, 0)]) + bytes(64),
        gguf([text_pair("general.alignment", "²")]) + bytes(64),
        gguf(None, [("w", [2**63 - 1, 2**63 - 1], 0, 0)]),
        gguf(None, [("w", [1], 0, 2**64 - 1)]),
        gguf(None, [("w", [1] * 65, 0, 0)]),
    ],
    ids=lambda content: repr(content[4:44]),
)
def test_a_malformed_gguf_file(content: bytes):
    """A GGUF header that makes no sense gives a problem."""
    found, tensors = read_bytes(content, "a.gguf")

    assert found.problem
    assert (found.complete, tensors) == (None, [])


def test_a_gguf_tensor_of_a_type_not_known():
    """Where a tensor's type is not known the size cannot be told."""
    found, _ = read_bytes(gguf(None, [("w", [8], 999, 0)]), "a.gguf")

    assert (found.expected_size, found.complete, found.dtypes) == (None, None, {"unknown": 8})


def test_a_zip_file(tmp_path: Path):
    """What torch.save writes is whole when its list of contents is there, and certainly not without it."""
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([1]))
        archive.writestr("archive/data/0", bytes(100_000))
    whole = path.read_bytes()

    assert header.read_header(str(path)) == Header("zip", complete=True)
    for cut in (1, 21, 22, 100, 90_000):
        found, _ = read_bytes(whole[:-cut], "model.pt")
        assert found.complete is False
        assert header.shortfall(found, 1) == "ends before its list of contents does; the download is incomplete"


def test_a_zip_file_of_more_than_four_gigabytes():
    """The large form of the list of contents, which big checkpoints have, is found as well."""
    directory = struct.pack("<4sQ", b"PK\x06\x06", 44) + bytes(44)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 30, 1)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    content = b"PK\x03\x04".ljust(30, b"\0") + directory + locator + end

    assert read_bytes(content, "a.ckpt")[0].complete is True
    assert read_bytes(b"PK\x03\x04" + end, "a.ckpt")[0].complete is None


def test_a_pickle_is_left_alone():
    """A pickle is recognised, never loaded, says nothing about its end, and is told on for what it asks for."""

    class Bomb:
        def __reduce__(self):
            return (os.abort, ())

    assert read_bytes(pickle.dumps(Bomb()), "a.pt") == (Header("pickle", pickle_globals=("posix.abort",)), [])


def test_what_tells_whether_a_file_is_whole():
    """What is read to tell whether a file is whole says the same of its end as all of its header."""
    wide = gguf([text_pair("general.architecture", "flux")], [("weight", [64, 2], 2, 0)])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"a": 1}))
    for content in (safetensors(), wide, archive.getvalue(), pickle.dumps([1]), b"hello", b""):
        for part in (content, content[:-1], content + b"more", content[: len(content) // 2]):
            extent = header.extent_from(io.BytesIO(part), len(part), "a.ckpt")
            found, _ = read_bytes(part, "a.ckpt")
            assert header.shortfall(extent, len(part)) == header.shortfall(found, len(part))


def test_the_summary_names_what_a_pickle_asks_for():
    """What an unpickler would be asked for is in the summary, and takes its room from the metadata."""
    names = tuple("x" * 119 + str(i % 10) for i in range(32))
    summary = header.summary(Header("pickle", metadata={f"{i}": "y" * 4000 for i in range(12)}, pickle_globals=names))

    assert summary["pickle_globals"] == list(names)
    assert len(msgspec.json.encode(summary)) <= 47 * 1024


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"hello world", "a.bin", "unknown"),
        (b"", "a.ckpt", "unknown"),
        (safetensors(), "a.ckpt", "safetensors"),
        (b"\x80\x02" + bytes(6) + b"{", "a.safetensors", "safetensors"),
        (b"\x80\x02" + bytes(6) + b"x", "a.SFT", "safetensors"),
        (b"PK\x03\x04\x14\0\0\0", "a.safetensors", "zip"),
        (b"GGUF", "a.safetensors", "gguf"),
    ],
)
def test_the_format_is_told_by_the_bytes(content: bytes, name: str, expected: str):
    """The bytes tell the format; the extension decides only where they leave a choice."""
    assert read_bytes(content, name)[0].format == expected


@given(
    content=st.binary(max_size=200),
    start=st.sampled_from([b"", b"GGUF\3\0\0\0", b"PK\x03\x04", b"\x20" + bytes(7) + b"{"]),
)
def test_any_bytes_have_a_header(content: bytes, start: bytes):
    """Whatever the bytes, there is an answer and no exception."""
    found, tensors = read_bytes(start + content)

    header.shortfall(found, len(content))
    guess_type(found, tensors)
    msgspec.json.encode(header.summary(found))


@given(
    value=st.recursive(
        st.none() | st.integers(-1, 2**70) | st.text(max_size=3),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
        max_leaves=12,
    )
)
def test_any_json_has_a_header(value: object):
    """Whatever JSON stands in a safetensors header, there is an answer and no exception."""
    text = json.dumps(value).encode()

    msgspec.json.encode(header.summary(read_bytes(safetensors(text, b"12"))[0]))


def test_only_regular_files_are_opened(tmp_path: Path):
    """A folder or a FIFO that is named like a model is refused at once; a missing file is missing."""
    (tmp_path / "folder.safetensors").mkdir()
    os.mkfifo(tmp_path / "fifo.safetensors")

    with pytest.raises(IsADirectoryError):
        header.read_header(str(tmp_path / "folder.safetensors"))
    with pytest.raises(OSError, match="no regular file"):
        header.read_header(str(tmp_path / "fifo.safetensors"))
    with pytest.raises(FileNotFoundError):
        header.read_header(str(tmp_path / "none.safetensors"))


def test_a_sparse_file_of_many_gigabytes(tmp_path: Path):
    """Only the header of a large file is read."""
    path = tmp_path / "big.safetensors"
    size = 20 * 2**30
    text = one(shape=f"[{size}]", offsets=f"[0,{size}]")
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + size)

    assert header.read_header(str(path)).complete is True
