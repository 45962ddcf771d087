"""What an adapter (LoRA, LoHa, LoKr, OFT, DoRA) was made for: the layers it changes, and how wide they are.

Trainers write the same layer in many ways: `lora_unet_` and underscores (kohya, OneTrainer), `lycoris_` (SimpleTuner),
`transformer.`, `unet.`, `diffusion_model.` or nothing and dots (diffusers, PEFT, ai-toolkit). Here they all become one
kind of layer: without the prefix, with underscores, and with 0 for every number, so that a file's thousands of
matrices are a hundred kinds. The pairs of small matrices give the lengths of the large one that they change.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..header import Tensor
from ..tensornames import TensorNames

_MARKS = ("lora", "hada_w", "lokr_w", "oft_")

MAX_DEPTH = 256
"""The most blocks that are counted."""

MAX_KINDS = 4096
"""The most kinds of layers that are looked at; a real adapter has some hundred."""


class Layer(NamedTuple):
    """A layer's lengths: what it takes in and what it gives out, None where the adapter does not tell.

    `tensor` is the name of one tensor of one layer of this kind.
    """

    takes: int | None
    gives: int | None
    tensor: str

    @property
    def lengths(self) -> list[int]:
        """Those of the two lengths that are known."""
        return [length for length in (self.takes, self.gives) if length]


class Adapter(NamedTuple):
    """The layers an adapter changes, by kind: those of the denoiser, and those of its text encoders.

    In a kind 0 stands for every number below 100, except that `attn2` is `attnB`. `dotted` are the denoiser's kinds
    as they were written, where they were with dots. `homes` are the prefixes that were found.
    """

    layers: dict[str, Layer]
    texts: dict[str, Layer]
    dotted: frozenset[str]
    homes: frozenset[str]
    names: TensorNames

    def has(self, pattern: re.Pattern[str]) -> bool:
        """Tell whether the denoiser has a layer of this kind."""
        return any(pattern.search(kind) for kind in self.layers)

    def reaches(self, block: str, number: int) -> bool:
        """Tell whether this block is changed, which proves how many the model has at least."""
        return self.names.holds(f"{block}.{number}.", f"{block}_{number}_")

    def depth(self, block: str) -> int:
        """Give how many of these blocks, from the first one on, have the same layer changed without a gap."""
        kind = next((kind for kind in self.layers if kind.startswith(block + "_0_")), None)
        if kind is None:
            return 0
        before, _, after = re.sub(rf"({block}[._])\d+", r"\1\n", self.layers[kind].tensor, count=1).partition("\n")
        return next((number for number in range(MAX_DEPTH) if f"{before}{number}{after}" not in self.names), MAX_DEPTH)


_HOMES = (
    *("lora_unet_", "lora_transformer_", "lora_prior_unet_", "lycoris_", "unet.base_model.model.", "base_model.model."),
    *("model.diffusion_model.", "diffusion_model.", "transformer.", "unet.", "dit.", "net."),
)
# The numbers are 0 here.
_TEXT_HOMES = (
    *("lora_te0_", "lora_te_", "lora_prior_te_", "text_encoder_0.", "text_encoder.", "text_encoders.", "te0.", "te."),
)
_END = re.compile(
    r"(?:\.lora_(?:down|up|A|B)(?:\.default)?(?:\.weight)?"
    r"|[._]lora\d*\.(?:down|up)\.weight|\.lora_linear_layer\.(?:down|up)\.weight"
    r"|\.hada_w\d_[ab]|\.lokr_w\d(?:_[ab])?|\.oft_(?:blocks|diag)|\.diff)$"
)
_DOWNS = (
    *(".lora_down.weight", ".lora_A.weight", ".lora_A.default.weight", ".lora_A", ".lora_down"),
    *(".lora.down.weight", "_lora.down.weight", ".lora_linear_layer.down.weight"),
    *("_lora1.down.weight", "_lora2.down.weight"),
)
_BESIDE = (
    *(".alpha", ".dora_scale", ".scale", ".diff_b", ".lokr_t0", ".hada_t0", ".w_norm", ".b_norm", ".lora_mid.weight"),
    *(".lora_B.bias", ".lora_up.bias", ".lora_magnitude_vector", ".lora_magnitude_vector.weight"),
)
_UPS = tuple(end.replace("down", "up").replace("lora_A", "lora_B") for end in _DOWNS)


def read_adapter(names: TensorNames) -> Adapter | None:
    """Give the layers that an adapter changes, None for a file that is none."""
    if not _seems_adapter(names):
        return None
    layers: dict[str, Layer] = {}
    texts: dict[str, Layer] = {}
    dotted: set[str] = set()
    homes: set[str] = set()
    others = 0
    for written, tensor in _kinds(names):
        end = _END.search(written)
        if end is None:
            others += not written.endswith(_BESIDE)
            continue
        home, bare = _home(written[: end.start()])
        kind = bare.replace(".", "_")
        chosen = texts if home in _TEXT_HOMES else layers
        if kind not in chosen or len(chosen[kind].lengths) < 2:
            chosen[kind] = Layer(*_lengths(names, _layer(tensor.name)), tensor.name)
        homes.add(home)
        if "." in bare:
            dotted.add(bare)
    # A model can have layers named so, and a few matrices of an adapter make no adapter of it.
    found = len(layers) + len(texts)
    if not found or others > _MOST_OTHERS * found:
        return None
    return Adapter(layers, texts, frozenset(dotted), frozenset(homes), names)


def _seems_adapter(names: TensorNames) -> bool:
    """Tell by a few names, for of an adapter's most are so; a look at all takes longer than all rules together."""
    some = names.each[:: max(1, len(names.each) // 64)]
    return any(mark in name for name in some for mark in _MARKS)


def _kinds(names: TensorNames) -> Iterator[tuple[str, Tensor]]:
    """Give each kind of tensor, its numbers as 0, with one tensor of it.

    All names at once: one by one it would take ten times as long. A name with a line break would shift them.
    """
    lines = "\n".join(names.each).encode("utf-8", "replace").replace(b"attn2", b"attnB")
    zeros = lines.translate(_AS_ZERO).replace(b"00", b"0").split(b"\n")
    if len(zeros) != len(names.tensors):
        return
    for number, (kind, tensor) in enumerate(dict(zip(zeros, names.tensors, strict=True)).items()):
        if number >= MAX_KINDS:
            return
        yield kind.decode("utf-8", "replace"), tensor


_MOST_OTHERS = 2  # for each kind of layer: norms and biases that an adapter brings whole
_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")


def _home(layer: str) -> tuple[str, str]:
    for home in _TEXT_HOMES:
        if layer.startswith(home):
            return home, layer[len(home) :]
    for home in _HOMES:
        if layer.startswith(home):
            return home, layer[len(home) :]
    return "", layer


def _layer(name: str) -> str:
    end = _END.search(name)
    return name[: end.start()] if end is not None else name


def _lengths(names: TensorNames, layer: str) -> tuple[int | None, int | None]:
    """Give what a layer takes in and gives out."""
    down = _first(names, layer, _DOWNS)
    up = _first(names, layer, _UPS)
    if down is not None or up is not None:
        return _length(down, 1), _length(up, 0)
    if f"{layer}.hada_t1" not in names and f"{layer}.hada_w1_a" in names:
        return _length(names.get(f"{layer}.hada_w1_b"), 1), _length(names.get(f"{layer}.hada_w1_a"), 0)
    if f"{layer}.lokr_t2" not in names and _first(names, layer, (".lokr_w1", ".lokr_w1_a")) is not None:
        return _product(names, layer, 1), _product(names, layer, 0)
    full = names.get(f"{layer}.diff")
    return _length(full, 1), _length(full, 0)


def _first(names: TensorNames, layer: str, ends: tuple[str, ...]) -> Tensor | None:
    return next((tensor for end in ends if (tensor := names.get(layer + end)) is not None), None)


def _length(tensor: Tensor | None, axis: int) -> int | None:
    return tensor.shape[axis] if tensor is not None and len(tensor.shape) >= 2 else None


def _product(names: TensorNames, layer: str, axis: int) -> int | None:
    """Give a length of the Kronecker product of two matrices, each whole or the product of two more."""
    lengths: list[int] = []
    for factor in (".lokr_w1", ".lokr_w2"):
        length = _length(names.get(layer + factor), axis) or _length(names.get(f"{layer}{factor}_{'ab'[axis]}"), axis)
        if length is None:
            return None
        lengths.append(length)
    return lengths[0] * lengths[1]
