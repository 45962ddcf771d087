"""The symbols a pickle of tensors is followed with, and what the functions of PyTorch would make of them.

The functions are told of in torch/_utils.py and torch/_tensor.py of https://github.com/pytorch/pytorch, the storages in
torch/serialization.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .parts import MAX_DIMENSIONS, MAX_SIZE

STORAGES = {
    "Float": "F32",
    "Half": "F16",
    "BFloat16": "BF16",
    "Double": "F64",
    "Char": "I8",
    "Short": "I16",
    "Int": "I32",
    "Long": "I64",
    "Byte": "U8",
    "Bool": "BOOL",
    "ComplexFloat": "C64",
    "ComplexDouble": "C128",
    "QInt8": "I8",
    "QUInt8": "U8",
    "QInt32": "I32",
}
"""The kinds of numbers by the storage classes of PyTorch (`torch.FloatStorage`), named as safetensors names them."""

DTYPES = {
    "torch.float32": "F32",
    "torch.float16": "F16",
    "torch.bfloat16": "BF16",
    "torch.float64": "F64",
    "torch.int8": "I8",
    "torch.int16": "I16",
    "torch.int32": "I32",
    "torch.int64": "I64",
    "torch.uint8": "U8",
    "torch.uint16": "U16",
    "torch.uint32": "U32",
    "torch.uint64": "U64",
    "torch.bool": "BOOL",
    "torch.complex64": "C64",
    "torch.complex128": "C128",
    "torch.float8_e4m3fn": "F8_E4M3",
    "torch.float8_e5m2": "F8_E5M2",
    "torch.float8_e4m3fnuz": "F8_E4M3FNUZ",
    "torch.float8_e5m2fnuz": "F8_E5M2FNUZ",
    "torch.float8_e8m0fnu": "F8_E8M0",
    "torch.float4_e2m1fn_x2": "F4",
}


@dataclass(slots=True, frozen=True)
class Named:
    """A function or class that the pickle asks for by name."""

    name: str


@dataclass(slots=True, frozen=True)
class Stored:
    """The place of a tensor's numbers, and their kind."""

    dtype: str


@dataclass(slots=True, frozen=True)
class Shaped:
    """A tensor."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(slots=True)
class Thing:
    """Anything else: an object of a class, with the state it would be given."""

    state: object = None


def fill(container: object, items: list[Any]) -> None:
    """Put items where a container would have them: a dict in pairs, a list in turn."""
    match container:
        case dict():
            for key, value in zip(items[::2], items[1::2], strict=False):
                if isinstance(key, (str, int)):
                    container[str(key)] = value
        case list():
            container.extend(items)
        case _:
            pass


def storage_of(identity: object) -> Stored | Thing:
    """Give the storage of `("storage", class, key, device, elements, ...)`."""
    match identity:
        case ("storage", Named(name), *_):
            kind = name.rpartition(".")[2].removesuffix("Storage")
            return Stored(STORAGES.get(kind, "unknown"))
        case _:
            return Thing()


def called(function: object, arguments: object) -> object:
    """Give what a call would give."""
    for _ in range(4):  # a tensor of a class of its own is made by a call that is told what to call
        match function, arguments:
            case Named("torch._tensor._rebuild_from_type_v2"), (inner, _, tuple() as further, *_):
                function, arguments = inner, further
            case _:
                break
    match function, arguments:
        case Named("torch._utils._rebuild_tensor_v3"), (Stored(), _, shape, _, _, _, Named(name), *_):
            return _shaped(DTYPES.get(name, "unknown"), shape)
        case Named("torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2"), (Stored(dtype), _, shape, *_):
            return _shaped(dtype, shape)
        case Named("torch._utils._rebuild_qtensor"), (Stored(dtype), _, shape, *_):
            return _shaped(dtype, shape)
        case Named("torch._utils._rebuild_meta_tensor_no_storage"), (Named(name), shape, *_):
            return _shaped(DTYPES.get(name, "unknown"), shape)
        case (
            Named("torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state"),
            (Shaped() as tensor, *_),
        ):
            return tensor
        case Named("torch.Size"), (tuple() as shape,):
            return shape
        case Named("collections.OrderedDict" | "collections.defaultdict" | "builtins.dict"), tuple() as given:
            return _dictionary(given)
        case _:
            return Thing()


def _shaped(dtype: str, shape: object) -> Shaped | Thing:
    if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS:
        return Thing()
    lengths = [length for length in shape if isinstance(length, int) and 0 <= length <= MAX_SIZE]
    return Shaped(dtype, tuple(lengths)) if len(lengths) == len(shape) else Thing()


def _dictionary(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Make the dict that a class of dicts makes of its arguments: empty, or of a list of pairs."""
    made: dict[str, Any] = {}
    for pairs in _lists(arguments):
        for pair in pairs:
            if isinstance(pair, (list, tuple)) and len(pair) == 2:
                fill(made, [*pair])
    return made


def _lists(arguments: tuple[Any, ...]) -> Iterator[list[Any]]:
    return (argument for argument in arguments if isinstance(argument, list))
