"""How precise the numbers of a model are, and how many it has, told by the kinds of its tensors and by marks in it.

Some files pack several numbers into one of their tensors' elements, or scale them, and say so by further tensors:
bitsandbytes (`X.weight.quant_state.bitsandbytes__nf4`, `X.SCB`), ComfyUI (`scaled_fp8`, `X.scale_weight`,
`X.weight_scale`, `_quantization_metadata`), and GPTQ, AWQ and SVDQuant (`X.qweight`), whose packing differs.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from .header import Header, Tensor
from .parts import MAX_SIZE
from .tensornames import TensorNames

_NAMES = {
    "F16": "fp16",
    "F32": "fp32",
    "F64": "fp64",
    "BF16": "bf16",
    "F8_E4M3": "fp8_e4m3fn",
    "F8_E5M2": "fp8_e5m2",
    "F8_E4M3FNUZ": "fp8_e4m3fnuz",
    "F8_E5M2FNUZ": "fp8_e5m2fnuz",
    "F4": "fp4",
    "I8": "int8",
    "U8": "uint8",
    "I16": "int16",
    "U16": "uint16",
    "I32": "int32",
    "I64": "int64",
    "BOOL": "bool",
}
_LEAST_SHARE = 10  # per cent of the parameters that a kind of number must have to be told of a mixture
_MOST_MIXED = 3

_FORMATS = {
    "float8_e4m3fn": "scaled fp8_e4m3fn",
    "float8_e5m2": "scaled fp8_e5m2",
    "nvfp4": "nvfp4",
    "mxfp8": "mxfp8",
    "mxfp4": "mxfp4",
    "int8_tensorwise": "int8",
    "int8": "int8",
    "int4": "int4",
}
"""The formats that ComfyUI names in `_quantization_metadata`, as they are told here."""

_UNCLEAR = "unclear"
_HALVED = frozenset({"nvfp4", "mxfp4", "int4", "nf4", "fp4"})  # two numbers in one byte
_BITS_AND_BYTES = ".quant_state.bitsandbytes__"
_QUANT_TENSORS = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", ".SCB", ".comfy_quant")
_SCALES = (".weight_scale", ".weight_scale_2", ".scale_weight", ".scale_input", ".input_scale")


def precision_of(
    header: Header, tensors: Sequence[Tensor], names: TensorNames | None = None
) -> tuple[str | None, int | None]:
    """Give the precision of a file's numbers and how many parameters it has; None for what cannot be told.

    The precision is that of most parameters, `mixed A/B` where two or three kinds have more than a tenth each.
    `names` spares the laying out of the names where it was done before.
    """
    if header.parameters == 0:
        return None, None
    lines = (names if names is not None else TensorNames(tensors)).lines
    packed = _packed(header, lines)
    if packed == _UNCLEAR:
        return None, None
    if packed is None:
        return _of_kinds(header.dtypes, _prefix(lines)), header.parameters
    kinds = _unpacked(tensors, packed)
    return _of_kinds(kinds, ""), min(sum(kinds.values()), MAX_SIZE)


def _of_kinds(kinds: dict[str, int], prefix: str) -> str | None:
    """Name the kinds of most numbers, given how many there are of each."""
    total = sum(kinds.values())
    if total == 0:
        return None
    ordered = sorted(kinds, key=lambda kind: -kinds[kind])
    large = [kind for kind in ordered if 100 * kinds[kind] > _LEAST_SHARE * total][:_MOST_MIXED] or ordered[:1]
    if "unknown" in large:
        return None
    told = [_name(kind, prefix) for kind in large]
    return told[0] if len(told) == 1 else "mixed " + "/".join(told)


def _name(kind: str, prefix: str) -> str:
    name = _NAMES.get(kind, kind)
    return prefix + name if name.startswith("fp8") else name


def _prefix(lines: str) -> str:
    """Tell whether numbers of eight bits come with scales."""
    scaled = "scaled_fp8\n" in lines or any(scale + "\n" in lines for scale in _SCALES)
    return "scaled " if scaled else ""


def _packed(header: Header, lines: str) -> str | None:
    """Name what the packed tensors of a file are packed as; None where nothing is packed."""
    if ".qweight\n" in lines or ".qzeros\n" in lines:
        return _UNCLEAR
    at = lines.find(_BITS_AND_BYTES)
    if at >= 0:
        kind = lines[at + len(_BITS_AND_BYTES) :][:3]
        return kind if kind in _HALVED else _UNCLEAR
    if told := _told_formats(header.metadata.get("_quantization_metadata", "")):
        return told
    if ".SCB\n" in lines:
        return "int8"
    if ".weight_scale_2\n" in lines and "U8" in header.dtypes:
        return "nvfp4"
    return _UNCLEAR if ".comfy_quant\n" in lines and "I8" in header.dtypes else None


def _told_formats(text: str) -> str | None:
    """Give what most layers are packed as, by ComfyUI's metadata: `{"layers": {name: {"format": ...}}}`."""
    try:
        told: Any = msgspec.json.decode(text) if text else None
    except (ValueError, RecursionError):
        return None
    layers = told.get("layers") if isinstance(told, dict) else None
    formats: Counter[str] = Counter()
    for layer in layers.values() if isinstance(layers, dict) else ():
        if isinstance(layer, dict) and isinstance(layer.get("format"), str):
            formats[layer["format"]] += 1
    return _FORMATS.get(formats.most_common(1)[0][0], _UNCLEAR) if formats else None


def _unpacked(tensors: Sequence[Tensor], packed: str) -> dict[str, int]:
    """Count the parameters of each kind, those that are packed as what they are, and none of what only scales them."""
    kinds: Counter[str] = Counter()
    storage = {
        "nf4": "U8",
        "fp4": "U8",
        "nvfp4": "U8",
        "mxfp4": "U8",
        "int4": "I8",
        "int8": "I8",
        "mxfp8": "F8_E4M3",
    }.get(packed)
    for tensor in tensors:
        if tensor.name.endswith((*_QUANT_TENSORS, *_SCALES)) or _BITS_AND_BYTES in tensor.name:
            continue
        amount = math.prod(tensor.shape)
        if tensor.dtype == storage or (packed.startswith("scaled ") and tensor.dtype.startswith("F8")):
            kinds[packed] += 2 * amount if packed in _HALVED else amount
        else:
            kinds[tensor.dtype] += amount
    return dict(kinds)
