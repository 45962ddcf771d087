"""What kind of adapter a LoRA or LyCORIS file is, its ranks, and what it changes: told by tensor names and shapes.

Names as the trainers write them, and as ComfyUI reads them (comfy/lora.py, comfy/weight_adapter): kohya's sd-scripts
(`lora_unet_X.lora_down.weight`), diffusers and PEFT (`unet.X.lora_A.weight`), XLabs (`X.proj_lora1.down.weight`),
LyCORIS (https://github.com/KohakuBlueleaf/LyCORIS: `hada_*`, `lokr_*`, `oft_blocks`, `a1.weight`, `on_input`).
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from .header import Header, Tensor
from .tensornames import TensorNames

MAX_RANKS = 32
"""The most different ranks that are told of one file; of more, the smallest and the largest."""

_LARGEST_ALPHA = 1e6

# What holds the rank in its first dimension, by the kind of adapter.
_DOWN = re.compile(
    r"[._](?P<lora>(?:lora\d*[._](?:down|A)|lora_linear_layer\.down)(?:\.[\w-]+)?(?:\.weight)?)$"
    r"|\.(?P<LoHa>hada_w[12]_b)$"
    r"|\.(?P<LoKr>lokr_w[12]_b)$"
    r"|\.(?P<control>down)$"
)
_UP = re.compile(r"[._]lora\d*[._](?:up|B)\b|lora_linear_layer\.up\b|\.up$")
_WHOLE = re.compile(r"\.(?:lokr_w[12]|oft_blocks|oft_diag|oft_[rR]|boft_[rR]|on_input|diff|diff_b)(?:\.weight)?$")
_REST = re.compile(
    r"\.(?:alpha|dora_scale|scale|rescale|bias|hada_w[12]_a|hada_t[12]|lokr_w[12]_a|lokr_t[12]|lora_mid\.weight"
    r"|lora_magnitude_vector(?:\.[\w-]+)*|w_norm|b_norm|reshape_weight|set_weight|[ab][12]\.weight)$"
)
_DECOMPOSED = ("dora_scale", "lora_magnitude_vector")
_RANKED = frozenset({"lora", "LoHa", "LoKr", "control"})
_LONGEST_END = 22
_MARKS = ("lora", "hada_", "lokr_", "oft_", ".on_input", ".a1.weight", ".diff")
_OTHERS = ("ip_adapter", "image_proj.", "pulid_")


class Adapter(msgspec.Struct, frozen=True):
    """What an adapter is.

    `kind` is LoRA, LoHa, LoKr, DoRA, OFT, BOFT, GLoRA, IA3, full diff or control LoRA. `ranks` are those of its
    linear layers, smallest first, `conv_ranks` those of its convolutions; empty where the kind has none. `targets`
    are the parts of a model that it changes, as diffusers names them.
    """

    kind: str
    ranks: tuple[int, ...] = ()
    conv_ranks: tuple[int, ...] = ()
    alpha: float | None = None
    targets: tuple[str, ...] = ()


def adapter_of(header: Header, tensors: Sequence[Tensor], names: TensorNames | None = None) -> Adapter | None:
    """Give what kind of adapter a file is; None where it is none, or holds more of something else.

    `names` spares the laying out of the names where it was done before.
    """
    names = names if names is not None else TensorNames(tensors)
    if names.holds(*_OTHERS) or not names.holds(*_MARKS):
        return None
    parts = _Parts(tensors)
    kind = _kind(parts, tensors)
    if kind is None or 2 * parts.known < len(tensors):
        return None
    return Adapter(
        kind,
        ranks=_few(parts.ranks),
        conv_ranks=_few(parts.conv_ranks),
        alpha=_alpha(header.metadata),
        targets=_targets(parts.changed),
    )


class _Parts:
    """The tensors of an adapter, by what they are in it."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.ranks: set[int] = set()
        self.conv_ranks: set[int] = set()
        self.changed: list[str] = []
        self.found: dict[str, int] = {}
        self.known = 0
        self._read: dict[str, tuple[str | None, int]] = {}
        for tensor in tensors:
            self._add(tensor)

    def _add(self, tensor: Tensor) -> None:
        end = _end(tensor.name)
        if (read := self._read.get(end)) is None:
            read = self._read[end] = _what(end)
        what, length = read
        if what is None:
            return
        self.known += 1
        if what:
            self.found[what] = self.found.get(what, 0) + 1
        if length:
            self.changed.append(tensor.name[:-length])
        if what in _RANKED:
            self._rank(tensor.shape)
        elif what == "GLoRA":
            self._rank((min(tensor.shape, default=0), *tensor.shape[1:]))

    def _rank(self, shape: tuple[int, ...]) -> None:
        if len(shape) < 2 or shape[0] < 1:
            return
        convolution = len(shape) > 2 and math.prod(shape[2:]) > 1
        (self.conv_ranks if convolution else self.ranks).add(shape[0])


def _end(name: str) -> str:
    """Give as much of a name's end as tells what it is, which most modules of a file share."""
    *before, second, last = ("", "", *name.rsplit(".", 2))[-3:]
    return f"{before[0][-_LONGEST_END:]}.{second}.{last}" if before[0] or second else last


def _what(end: str) -> tuple[str | None, int]:
    """Tell what a tensor is by its name's end, and how long that part of it is; None for what is unknown."""
    if down := _DOWN.search(end):
        return down.lastgroup, len(down[0])
    if whole := _WHOLE.search(end):
        return whole[0].removeprefix(".").removesuffix(".weight"), len(whole[0])
    if _UP.search(end):
        return "", 0
    if end == "lora_controlnet":
        return "controlnet", 0
    rest = _REST.search(end)
    if rest is None:
        return None, 0
    if rest[0] == ".a1.weight":
        return "GLoRA", len(rest[0])
    return next((mark for mark in _DECOMPOSED if mark in rest[0]), ""), 0


def _kind(parts: _Parts, tensors: Sequence[Tensor]) -> str | None:
    """Give the kind of which there is most; None where nothing is there that only an adapter has."""
    found = parts.found
    if "control" in found and "controlnet" in found:
        return "control LoRA"
    amounts = {
        "LoRA": found.get("lora", 0),
        "LoHa": found.get("LoHa", 0),
        "LoKr": sum(found.get(name, 0) for name in ("LoKr", "lokr_w1", "lokr_w2")),
        "GLoRA": found.get("GLoRA", 0),
        "IA3": found.get("on_input", 0),
        "OFT": sum(found.get(name, 0) for name in ("oft_blocks", "oft_diag", "oft_r", "oft_R")),
        "BOFT": sum(found.get(name, 0) for name in ("boft_r", "boft_R")),
        "full diff": found.get("diff", 0) if len(found.keys() - {"diff", "diff_b"}) == 0 else 0,
    }
    kind = max(amounts, key=lambda name: amounts[name])
    if amounts[kind] == 0:
        return None
    if kind == "OFT" and any(t.name.endswith(".oft_blocks") and len(t.shape) == 4 for t in tensors):
        return "BOFT"
    if kind == "LoRA" and found.keys() & {"dora_scale", "lora_magnitude_vector"}:
        return "DoRA"
    if kind == "LoRA" and _is_control(tensors):
        return "control LoRA"
    return kind


_FIRST_LAYERS = ("img_in.lora_A.weight", "transformer.x_embedder.lora_A.weight")


def _is_control(tensors: Sequence[Tensor]) -> bool:
    """Tell whether a LoRA of Flux widens its first layer to take a control picture beside the latent of 64 channels.

    Flux 2 has 128 channels by itself; what it has not is the modulation within each block.
    """
    widened = any(t.name.endswith(_FIRST_LAYERS) and t.shape[1:] == (128,) for t in tensors)
    return widened and any(".img_mod.lin." in t.name or ".norm1.linear." in t.name for t in tensors)


def _few(ranks: Iterable[int]) -> tuple[int, ...]:
    ordered = sorted(ranks)
    half = MAX_RANKS // 2
    return tuple(ordered if len(ordered) <= MAX_RANKS else (*ordered[:half], *ordered[-half:]))


# Alpha


def _alpha(metadata: dict[str, str]) -> float | None:
    """Give the alpha a trainer tells of; the tensors that hold it are not read."""
    return _number(metadata.get("ss_network_alpha", "")) or _peft_alpha(metadata.get("lora_adapter_metadata", ""))


def _peft_alpha(text: str) -> float | None:
    """Give the one alpha of PEFT's configuration as diffusers keeps it: `{"transformer.lora_alpha": 16, ...}`."""
    try:
        told: Any = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    alphas = {_number(str(value)) for key, value in told.items() if key.rpartition(".")[2] == "lora_alpha"}
    return alphas.pop() if len(alphas) == 1 else None


def _number(text: str) -> float | None:
    try:
        number = float(text[:40])
    except ValueError:
        return None
    return number if 0 < number <= _LARGEST_ALPHA else None


# Targets

_ORDER = ("unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3")
_TEXT_HOMES = (
    ("text_encoder", ("lora_te_", "lora_te1_", "lora_prior_te_", "text_encoder.", "text_encoders.clip_l.", "clip_l.")),
    ("text_encoder_2", ("lora_te2_", "text_encoder_2.", "text_encoders.clip_g.", "clip_g.")),
    ("text_encoder_3", ("lora_te3_", "text_encoder_3.")),
)
_WRAPS = re.compile(
    r"^(?:base_model\.model\.|lora_prior_unet_|lora_unet_|lora_transformer_|lycoris_|model\.diffusion_model\."
    r"|diffusion_model\.|unet\.|transformer\.)"
)
_UNET = re.compile(
    r"(?:input|output|down|up)_blocks[._]\d|(?:middle|mid)_block[._]|time_embed|label_emb|conv_(?:in|out)\b"
)
_TRANSFORMER = re.compile(
    r"(?:double|single|joint|transformer|single_transformer)_blocks[._]\d|blocks[._]\d"
    r"|(?:layers|noise_refiner|context_refiner|double_layers|single_layers)[._]\d|(?:img|txt|time|vector)_in\b"
)


def _targets(changed: Iterable[str]) -> tuple[str, ...]:
    """Give the parts of a model that the modules of these names are in."""
    found = {target for name in _distinct(changed) if (target := _target(name)) is not None}
    return tuple(target for target in _ORDER if target in found)


def _distinct(names: Iterable[str]) -> Iterator[str]:
    """Give one name of those that begin alike: their beginnings tell the part."""
    return iter({name[:40]: name for name in names}.values())


def _target(name: str) -> str | None:
    name = name.removeprefix("base_model.model.")
    for target, homes in _TEXT_HOMES:
        if name.startswith(homes):
            return target
    wrap = _WRAPS.match(name)
    rest = name[wrap.end() :] if wrap else name
    if _UNET.match(rest):
        return "unet"
    # `layers.0` alone is a layer of any language model, too.
    if _TRANSFORMER.match(rest) and (wrap or not rest.startswith("layers")):
        return "transformer"
    return {"unet.": "unet", "transformer.": "transformer", "lora_transformer_": "transformer"}.get(
        wrap[0] if wrap else ""
    )
