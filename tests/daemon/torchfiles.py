"""Files as `torch.save` writes them, made by hand: some of these PyTorch would never write, and it is not needed."""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAGIC = 0x1950A86A20F9469CFC6C


@dataclass(frozen=True)
class Name:
    """A function or class by its module and name."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """What calling a function gives; `state` is what the object gets afterwards."""

    function: Name
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(frozen=True)
class Raw:
    """Instructions as they are."""

    instructions: bytes


REBUILD = Name("torch._utils", "_rebuild_tensor_v2")


def tensor(*shape: int, kind: str = "Half", key: str = "0") -> Call:
    """Give a tensor of this shape and storage."""
    identity = ("storage", Name("torch", f"{kind}Storage"), key, "cpu", 1)
    stored = Raw(instructions(identity) + b"Q")
    return Call(REBUILD, (stored, 0, shape, (1,) * len(shape), False, Call(Name("collections", "OrderedDict"), ())))


def instructions(value: Any) -> bytes:
    """Give the instructions of protocol 2 that push a value."""
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            size = value.bit_length() // 8 + 1
            return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            text = value.encode()
            return b"X" + struct.pack("<I", len(text)) + text
        case tuple():
            return b"(" + b"".join(map(instructions, value)) + b"t"
        case list():
            return b"](" + b"".join(map(instructions, value)) + b"e"
        case dict():
            items: Mapping[Any, Any] = value
            return b"}(" + b"".join(instructions(key) + instructions(item) for key, item in items.items()) + b"u"
        case Name(module, name):
            return f"c{module}\n{name}\n".encode()
        case Call(function, arguments, state):
            made = instructions(function) + instructions(arguments) + b"R"
            return made if state is None else made + instructions(state) + b"b"
        case Raw(given):
            return given
        case _:
            raise TypeError(value)


def pickled(value: Any) -> bytes:
    """Give a whole pickle."""
    return b"\x80\x02" + instructions(value) + b"."


def zipped(
    data: bytes, *, home: str = "archive", packed: int = zipfile.ZIP_STORED, members: Mapping[str, bytes] | None = None
) -> bytes:
    """Give an archive with this list of tensors."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", packed) as archive:
        archive.writestr(f"{home}/data.pkl", data)
        for name, other in (members or {"archive/data/0": bytes(100), "archive/version": b"3\n"}).items():
            archive.writestr(name, other)
    return content.getvalue()


def legacy(value: Any) -> bytes:
    """Give a file as PyTorch wrote them before 1.6."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    return b"".join(map(pickled, (MAGIC, 1001, system, value, ["0"]))) + bytes(100)


Saved = Callable[[Any], bytes]
