"""The tensors of .ckpt, .pt, .pth and .bin files, found without unpickling anything."""

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hikaze.daemon.content import header
from hikaze.daemon.content.asked import Asked
from hikaze.daemon.content.guess import guess_type
from hikaze.daemon.content.header import Header, Tensor
from hikaze.daemon.content.pickled import Walked, walk
from hypothesis import example, given, settings
from hypothesis import strategies as st

from .torchfiles import Call, Name, Raw, Saved, instructions, legacy, pickled, tensor, zipped


def as_zip(value: Any) -> bytes:
    return zipped(pickled(value))


def read(content: bytes, name: str = "a.ckpt") -> tuple[Header, list[Tensor]]:
    return header.read_from(io.BytesIO(content), len(content), name)


@pytest.mark.parametrize("save", [as_zip, legacy])
def test_a_state_dict(save: Saved):
    """A file of PyTorch gives its tensors by name, kind and shape, and its parameters."""
    found, tensors = read(save({"a.weight": tensor(4, 3), "a.bias": tensor(4, kind="Float"), "n": tensor(kind="Long")}))

    assert tensors == [Tensor("a.weight", "F16", (4, 3)), Tensor("a.bias", "F32", (4,)), Tensor("n", "I64", ())]
    assert (found.tensor_count, found.parameters) == (3, 17)
    assert found.dtypes == {"F16": 12, "F32": 4, "I64": 1}
    assert (found.problem, found.pickle_globals) == (None, ())


@pytest.mark.parametrize("save", [as_zip, legacy])
def test_a_checkpoint_of_lightning(save: Saved):
    """The tensors below `state_dict` have their names without it, and the plain values beside it are told."""
    model = {"model.diffusion_model.out.2.weight": tensor(4, 320, 3, 3), "first_stage_model.x": tensor(2)}
    callbacks = {Name("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint"): {"best": tensor(9)}}
    found, tensors = read(save({"epoch": 3, "global_step": 470_000, "state_dict": model, "callbacks": callbacks}))

    assert [one.name for one in tensors] == ["model.diffusion_model.out.2.weight", "first_stage_model.x"]
    assert found.metadata == {"epoch": "3", "global_step": "470000"}
    assert found.pickle_globals == ()


def test_an_embedding():
    """A textual inversion keeps the name of the dict its vectors are in, is one, and tells its own name."""
    content = as_zip({"string_to_token": {"*": 265}, "string_to_param": {"*": tensor(8, 768)}, "name": "mine"})
    found, tensors = read(content, "mine.pt")

    assert tensors == [Tensor("string_to_param.*", "F16", (8, 768))]
    assert found.metadata == {"name": "mine"}
    assert guess_type(found, tensors) == "embeddings"


def test_an_embedding_of_parameters_in_a_module():
    """Tensors that are parameters of an object are named as its own `state_dict` would name them."""
    parameter = Call(Name("torch._utils", "_rebuild_parameter"), (tensor(2, 768), True, None))
    module = Name("torch.nn.modules.container", "ParameterDict")
    held = Call(module, (), {"training": True, "_parameters": {"*": parameter}, "_buffers": {}, "_modules": {}})

    found, tensors = read(legacy({"string_to_param": held}), "a.pt")

    assert tensors == [Tensor("string_to_param.*", "F16", (2, 768))]
    assert found.pickle_globals == ()


def test_an_upscaler():
    """Of an upscaler's two sets of weights the averaged one is taken, without its prefix."""
    weights = {"conv_first.weight": tensor(64, 3, 3, 3), "body.0.rdb1.conv1.weight": tensor(32, 64, 3, 3)}
    found, tensors = read(as_zip({"params": {"x": tensor(1)}, "params_ema": weights}), "a.pth")

    assert [one.name for one in tensors] == list(weights)
    assert guess_type(found, tensors) == "upscale_models"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (Call(Name("torch._utils", "_rebuild_tensor"), tensor(2, 3).arguments[:4]), ("F16", (2, 3))),
        (
            Call(
                Name("torch._utils", "_rebuild_tensor_v3"),
                (*tensor(2, 3, kind="Byte").arguments[:6], Name("torch", "float8_e4m3fn")),
            ),
            ("F8_E4M3", (2, 3)),
        ),
        (
            Call(
                Name("torch._tensor", "_rebuild_from_type_v2"),
                (tensor().function, Name("torch", "Tensor"), tensor(5).arguments, {}),
            ),
            ("F16", (5,)),
        ),
        (
            Call(
                Name("torch._utils", "_rebuild_meta_tensor_no_storage"), (Name("torch", "bfloat16"), (7,), (1,), False)
            ),
            ("BF16", (7,)),
        ),
        (
            Call(
                tensor().function,
                (tensor().arguments[0], 0, Call(Name("torch", "Size"), ((6, 1),)), (1, 1), False, None),
            ),
            ("F16", (6, 1)),
        ),
        (tensor(3, kind="Quaternion"), ("unknown", (3,))),
    ],
)
def test_other_ways_to_make_a_tensor(made: Call, expected: tuple[str, tuple[int, ...]]):
    """Each function of PyTorch that makes a tensor is known."""
    _, tensors = read(as_zip({"x": made}))

    assert [(one.dtype, one.shape) for one in tensors] == [expected]


def test_a_pickle_of_each_protocol():
    """What Python itself writes is followed in every protocol, with its frames, memos and texts."""
    value = {"name": "x" * 300, "n": [1, -5, 2**70, None, True, 0.5, ("a", "b", "c", "d")], "s": {1, 2}, "b": b"123"}

    for protocol in (2, 3, 4, 5):
        content = pickle.dumps({**value, "again": value}, protocol)
        assert read(content)[0] == Header("pickle", metadata={"name": "x" * 300}), protocol


def test_an_ordered_dict_with_attributes():
    """The usual OrderedDict with its `_metadata` gives its tensors alone."""
    made = Call(Name("collections", "OrderedDict"), ())
    content = instructions(made) + instructions("a") + instructions(tensor(2)) + b"s"
    state = Raw(content + instructions({"_metadata": {"": {"version": 1}}}) + b"b")

    assert read(as_zip(state))[1] == [Tensor("a", "F16", (2,))]


def test_a_packed_list_of_tensors():
    """A list that the archive holds compressed is read too."""
    content = zipped(pickled({"a": tensor(2)}), packed=zipfile.ZIP_DEFLATED)

    assert read(content)[1] == [Tensor("a", "F16", (2,))]


def test_a_compiled_model():
    """What TorchScript saved asks for nothing unusual, and its modules' tensors have the names of attributes."""
    module = Raw(b"c__torch__.vad\nModel\n)\x81")
    shape = Call(Name("torch.jit._pickle", "build_intlist"), ([3],))
    inner = Raw(module.instructions + instructions({"weight": tensor(3), "kernel": shape, "training": False}) + b"b")
    outer = Raw(module.instructions + instructions({"conv": inner}) + b"b")

    found, tensors = read(zipped(pickled(outer), home="model", members={"model/constants.pkl": pickled(())}))

    assert tensors == [Tensor("conv.weight", "F16", (3,))]
    assert (found.pickle_globals, found.problem) == ((), None)


def test_the_list_is_sought_where_pytorch_seeks_it():
    """The folder of the first member is the archive's; a second list of tensors is told, and searched, too."""
    evil = pickled(Call(Name("os", "system"), ("true",)))
    content = zipped(pickled({"a": tensor(2)}), home="best", members={"other/data.pkl": evil})
    found, tensors = read(content)

    assert tensors == [Tensor("a", "F16", (2,))]
    assert (found.problem, found.pickle_globals) == ("has more than one list of tensors", ("os.system",))


def test_an_archive_with_a_wide_directory():
    """An archive of more than 4 GiB has its places in extra fields."""
    data = pickled({"a": tensor(2)})
    name = b"archive/data.pkl"
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 45, 0, 0, 0, 0, 0, 0, 0, len(name), 0) + name
    extra = struct.pack("<2H3Q", 1, 24, len(data), len(data), 0)
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 45, 45, 0, 0, 0, 0, 0, *[2**32 - 1] * 2, len(name), 28, 0, 0, 0, 0, 2**32 - 1
    )
    start = len(local) + len(data)
    directory = entry + name + extra
    end = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(directory), start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, start + len(directory), 1)
    last = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, *[2**32 - 1] * 2, 0)

    found, tensors = read(local + data + directory + end + locator + last)

    assert (found.complete, tensors) == (True, [Tensor("a", "F16", (2,))])


# What is not what it seems


@pytest.mark.parametrize(
    ("instruction", "asked"),
    [
        (Call(Name("os", "system"), ("touch pwned",)), "os.system"),
        (Call(Name("builtins", "eval"), ("1",)), "builtins.eval"),
        (Raw(b"(S'true'\nios\nsystem\n"), "os.system"),
        (Raw(b"(cos\nsystem\nS'true'\no"), "os.system"),
        (Raw(b"\x8c\x02os\x8c\x06system\x93" + instructions(("x",)) + b"R"), "os.system"),
        (Raw(b"V\\u006fs\nV\\u0073ystem\n\x93)R"), "os.system"),
        (Raw(b"S'\\x6fs'\nS'system'\n\x93)R"), "?.?"),
        (Raw(b"cos\nsystem\n)\x81"), "os.system"),
        (Raw(b"cos\nsystem\n)}\x92"), "os.system"),
        (Raw(b"\x82\x07)R"), "copyreg.extension 7"),
        (Raw(b"K\x01K\x02\x93)R"), "?.?"),
        (Name("torch.storage", "_load_from_bytes"), "torch.storage._load_from_bytes"),
        (Name("torch.hub", "load"), "torch.hub.load"),
        (Raw(b"\x8c\x17torch.nn.modules.linear\x8c\x09os.System\x93"), "torch.nn.modules.linear.os.System"),
        (Name("torch.nn.modules.module", "warnings"), "torch.nn.modules.module.warnings"),
        (Name("torch", "EvilStorage"), "torch.EvilStorage"),
        (Name("evil\x1b[31m", "ü"), "evil?[31m.\\xfc"),
    ],
)
@pytest.mark.parametrize("save", [as_zip, legacy])
def test_a_pickle_that_would_run_code(save: Saved, instruction: Any, asked: str):
    """What a pickle asks for beyond the usual is named, however it is written, and never looked up or called."""
    found, tensors = read(save({"a": tensor(2), "b": instruction}))

    assert found.pickle_globals == (asked,)
    assert tensors == [Tensor("a", "F16", (2,))]
    assert header.summary(found)["pickle_globals"] == [asked]


def test_nothing_is_run(tmp_path: Path):
    """A pickle that would make a folder makes none."""
    target = tmp_path / "made"

    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(target),))

    assert read(zipped(pickle.dumps({"a": Bomb()})))[0].pickle_globals == ("posix.mkdir",)
    assert not target.exists()


def test_usual_names_do_not_crowd_out_others():
    """However many usual names come first, an unusual one behind them is told; of many the first 32 are."""
    crowd = b"".join(f"c__torch__.m\nM{i}\n0".encode() for i in range(20_000))
    names = b"".join(f"cevil\nf{i}\n0".encode() for i in range(40))

    assert read(b"\x80\x02" + crowd + b"cos\nsystem\n.")[0].pickle_globals == ("os.system",)
    assert read(b"\x80\x02" + names + b"N.")[0].pickle_globals == tuple(f"evil.f{i}" for i in range(32))


def nested(times: int) -> bytes:
    return b"\x80\x02" + b"}" + instructions("a") + b"}" * 0 + b"N" + b"s" + b"]" * times + b"a" * (times - 1) + b"."


def doubling(times: int) -> bytes:
    """Give a dict that holds a dict twice, that holds a dict twice, and so on."""
    start = b"\x80\x02}" + instructions("t") + instructions(tensor(1)) + b"sq\x00"
    step = b"0}" + instructions("a") + b"h\x00s" + instructions("b") + b"h\x00sq\x00"
    return start + step * times + b"."


HOSTILE = {
    "itself": b"\x80\x02}q\x00" + instructions("a") + b"h\x00s.",
    "doubling": doubling(60),
    "deep lists": nested(100_000),
    "deep tuples": b"\x80\x02N" + b"\x85" * 300_000 + b".",
    "deep objects": b"\x80\x02" + b"cx\ny\n)R" * 30_000 + b"b" * 29_999 + b".",
    "marks": b"\x80\x02" + b"(" * 300_000 + b".",
    "memos": b"\x80\x02N" + b"\x94" * 1_500_000 + b".",
    "many instructions": b"\x80\x02" + b"N0" * 5_000_000 + b".",
    "long text": b"\x80\x02X" + struct.pack("<I", 10_000_000) + b"x" * 10_000_000 + b".",
    "claims": b"\x80\x02\x8d" + b"\xff" * 8 + b"x.",
    "long line": b"\x80\x02c" + b"x" * 100_000 + b"\n\n.",
    "huge integer": b"\x80\x02\x8b" + struct.pack("<I", 1_000_000) + bytes(1_000_000) + b".",
    "digits": b"\x80\x02I" + b"9" * 10_000 + b"\n.",
    "underflow": b"\x80\x02R.",
    "tuple of nothing": b"\x80\x02N\x87.",
    "no memo": b"\x80\x02h\x05.",
    "no mark": b"\x80\x02t.",
    "no such instruction": b"\x80\x02\xff.",
    "no end": b"\x80\x02N",
    "long names": b"\x80\x02" + b"".join(b"}" + instructions("k" * 4000) for _ in range(40)) + b"N" + b"s" * 40 + b".",
    "impossible tensors": pickled({str(i): tensor(*[2**62] * 8) for i in range(10)}),
    "negative tensor": pickled({"a": tensor(-4)}),
    "odd keys": pickled({(1, 2): tensor(1), None: tensor(1), 5: tensor(1)}),
}


@pytest.mark.parametrize("save", [lambda data: data, zipped], ids=["bare", "zip"])
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_pickle(data: bytes, save: Saved):
    """A pickle made to take for ever, to grow or to confuse gives an answer within its bounds."""
    found, tensors = read(save(data))

    assert len(tensors) <= 100_000
    assert len(msgspec.json.encode(header.summary(found))) < 64 * 1024
    guess_type(found, tensors)
    assert header.shortfall(found, 10**9) is None


def test_what_was_known_is_kept():
    """Where a pickle makes no sense any more, or ends, the tensors that came before are told, with the problem."""
    content = pickled({"a": tensor(2), "b": tensor(3)})

    found, tensors = read(zipped(content[:-20]))
    assert tensors == [Tensor("a", "F16", (2,))]
    assert found.problem == "ends inside its list of tensors"
    found, tensors = read(zipped(content[:-2] + b"\xff"))
    assert [one.name for one in tensors] == ["a", "b"]
    assert found.problem == "has a list of tensors that makes no sense"


def test_more_tensors_than_any_model_has():
    """One tensor in many places is listed so often, and no more."""
    many = b"".join(instructions(str(i)) + b"h\x01" for i in range(101_000))
    found, tensors = read(b"\x80\x02" + instructions(tensor(1)) + b"q\x010}(" + many + b"u.")

    assert len(tensors) == 100_000
    assert found.problem == "lists more tensors than are read"


def patched(content: bytes, at: int, form: str, value: int) -> bytes:
    """Change a number in the first entry of the list of contents."""
    start = content.index(b"PK\x01\x02") + at
    return content[:start] + struct.pack(form, value) + content[start + struct.calcsize(form) :]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (patched(as_zip({}), 42, "<I", 2**31), "has no list of tensors where it says"),
        (patched(as_zip({}), 42, "<I", 5), "has no list of tensors where it says"),
        (patched(as_zip({}), 20, "<I", 2**31), "has no list of tensors where it says"),
        (patched(as_zip({}), 20, "<I", 100), "has parts that overlap"),
        (
            patched(as_zip({}), 24, "<I", 2**31),
            "has a list of tensors of more than 16,777,216 bytes, which is not read",
        ),
        (
            patched(as_zip({}), 10, "<H", 99),
            "has a list of tensors that is encrypted, or packed in no way that is known",
        ),
        (patched(as_zip({}), 8, "<H", 1), "has a list of tensors that is encrypted, or packed in no way that is known"),
        (patched(as_zip({}), 10, "<H", 8), "has a list of tensors that is damaged; download it again"),
        (patched(as_zip({}), 0, "<I", 0), "has a list of contents that makes no sense"),
    ],
)
def test_an_archive_that_lies(content: bytes, problem: str):
    """An archive whose places and sizes cannot be gives no tensors, a problem, and counts as complete as before."""
    found, tensors = read(content)

    assert (found.problem, tensors, found.complete) == (problem, [], True)


def test_a_bomb():
    """A list of tensors that would unpack to gigabytes is unpacked as far as its claim, and no further than bounded."""
    bomb = zipped(b"\x80\x02" + b"N0" * 10_000_000, packed=zipfile.ZIP_DEFLATED)
    lying = patched(zipped(b"\x80\x02" + b"N0" * 5_000_000, packed=zipfile.ZIP_DEFLATED), 24, "<I", 100)

    assert "is not read" in str(read(bomb)[0].problem)
    assert read(lying)[0].problem == "ends inside its list of tensors"


def test_names_that_lead_elsewhere():
    """A member that is named to be unpacked elsewhere is read like any other, and written nowhere."""
    found, tensors = read(zipped(pickled({"a": tensor(2)}), home="../../etc"))

    assert (tensors, found.problem) == ([Tensor("a", "F16", (2,))], None)


def test_other_archives():
    """An archive that PyTorch did not write has no tensors and no problem."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("readme.txt", "x")

    assert read(content.getvalue()) == (Header("zip", complete=True), [])


SEED = as_zip({"state_dict": {"a": tensor(2), "b": tensor(3)}, "epoch": 3})
OLD_SEED = legacy({"a": tensor(2), "n": [1, ("x", 2.5)]})


@settings(max_examples=80, deadline=None)
@given(
    seed=st.sampled_from([SEED, OLD_SEED]),
    changes=st.lists(st.tuples(st.integers(0, len(SEED)), st.binary(max_size=3)), max_size=6),
    cut=st.integers(0, 300),
)
@example(SEED, [], 0)
def test_any_bytes_give_an_answer(seed: bytes, changes: list[tuple[int, bytes]], cut: int):
    """However an archive was damaged, there is an answer and no exception."""
    content = bytearray(seed[: len(seed) - cut])
    for at, new in changes:
        content[at : at + len(new)] = new

    found, tensors = read(bytes(content), "a.pt")

    guess_type(found, tensors)
    msgspec.json.encode(header.summary(found))
    assert header.extent_from(io.BytesIO(content), len(content), "a.pt").complete is found.complete


@settings(max_examples=80, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_pickle_gives_an_answer(data: bytes):
    """Whatever instructions stand in a pickle, there is an answer and no exception."""
    found, _ = read(b"\x80\x02" + data)

    msgspec.json.encode(header.summary(found))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**100), 2**100) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5) | st.tuples(inner, inner)
    ),
    max_leaves=25,
)


@settings(max_examples=80, deadline=None)
@given(value=PLAIN, protocol=st.integers(0, 5))
def test_plain_values_are_followed(value: object, protocol: int):
    """What would be made of plain values is what was written, in every protocol, up to the last byte."""
    data = pickle.dumps(value, protocol)
    walked = walk(b"before" + data + b"after", 6, Asked())

    assert walked == Walked(value, 6 + len(data))
