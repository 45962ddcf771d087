"""Which family an adapter was made for, told by the layers it changes and how wide these are.

Each family's layers claim it; where several families are claimed, none is told. A layer that two families have alike
claims neither: a LoRA for Chroma changes layers that Flux.1 has, too, and one for Wan 2.2 those of Wan 2.1.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from .adapters import Adapter, Layer

Evidence = Literal["tensors", "metadata"]

# Families that one layer tells only roughly, while another of the same file may tell them exactly.
_REFINED: dict[str, frozenset[str]] = {"wan": frozenset({"wan-2.1", "wan-2.2"})}

# Families with the very same layers. Metadata that names one on the right side is no contradiction to the tensors.
_UNKNOWN = ""
_EITHER = "flux-1 or chroma"
_ALIKE: dict[str, frozenset[str]] = _REFINED | {
    "sdxl": frozenset({"kolors", "ssd-1b"}),
    "hunyuan-video": frozenset({"framepack"}),
    "flux-1": frozenset({"chroma"}),
    _EITHER: frozenset({"flux-1", "chroma"}),
}
_FEW = 3
_UNETS = frozenset({"sd-1", "sd-2", "sdxl", "sdxl-refiner", "kolors", "svd", "ssd-1b", "stable-cascade"})


class _Claim(NamedTuple):
    """A kind of layer, and the family it belongs to: by its width, or (`None`) whatever that is."""

    kind: re.Pattern[str]
    families: Mapping[int | None, str]


def _claim(kind: str, families: Mapping[int | None, str] | str) -> _Claim:
    return _Claim(re.compile(kind), {None: families} if isinstance(families, str) else families)


_CLAIMS = (
    _claim(r"(?:double|single)_stream_blocks_0_block_", {2560: "hidream"}),
    _claim(
        r"(?:layers|noise_refiner|context_refiner)_0_attention_(?:qkv|out|o|to_[qkv]|to_out_0)$",
        {3840: "z-image", 2304: "lumina-2", 4608: "ideogram-4"},
    ),
    _claim(r"layers_0_attn_to_[qkv]$", {2520: "omnigen-2", 2304: "lumina-2"}),
    _claim(r"layers_0_self_attention_to_[qkv]$", {4096: "ernie-image"}),
    _claim(r"(?:double|single)_layers_0_attn_w0[qkvo]$", {3072: "auraflow"}),
    _claim(r"joint_transformer_blocks_0_attn_(?:to|add)_", {3072: "auraflow"}),
    _claim(r"(?:visual|text)_transformer_blocks_0_(?:self_attention|cross_attention|feed_forward)_", "kandinsky-5"),
    _claim(r"txtfusion_|text_fusion_", "krea-2"),
    _claim(r"blocks_0_(?:self|cross)_attn_[qkvo]$", {1536: "wan-2.1", 3072: "wan-2.2", 5120: "wan"}),
    _claim(r"blocks_0_attnB_to_(?:[qkv]|out_0)$", {1536: "wan-2.1", 3072: "wan-2.2", 5120: "wan"}),
    # From a picture Wan 2.1 goes by CLIP's view of it as well, 2.2 does not.
    _claim(r"blocks_0_(?:cross_attn_[kv]_img|attnB_add_[kv]_proj)$", {5120: "wan-2.1"}),
    _claim(r"blocks_0_(?:self|cross)_attn_(?:[qkv]|output)_proj$", {5120: "cosmos"}),
    _claim(r"llm_adapter_blocks_0_", "anima"),
    _claim(r"blocks_0_(?:attn0_Wqkv|attn0_out_proj|attnB_q_proj|attnB_out_proj)$", {1408: "hunyuan-dit"}),
    _claim(r"blocks_0_attn_(?:qkv|proj)_x$", {3072: "mochi"}),
    _claim(r"transformer_blocks_0_(?:audio_attn|audio_to_video_attn|video_to_audio_attn|audio_ff)", "ltx-2"),
    _claim(r"transformer_blocks_0_cross_attn_to_[qkv]$", {2560: "ace-step"}),
    _claim(r"distilled_guidance_layer_", "chroma"),
)

_UNET_BLOCKS = re.compile(r"(?:input|output|down|up)_blocks_0_|mid(?:dle)?_block_")
_BLOCKS = re.compile(r"(?:\w+_)?(?:blocks|layers|block)_")
_UNET = re.compile(r"(?:(?:input|output|down|up)_blocks_0_|mid(?:dle)?_block_).*attn[0B]_(?:processor_)?to_")
_CONTEXT = re.compile(
    r"(?:(?:in|out)put_blocks_0_0|middle_block_0|(?:down|up)_blocks_0_attentions_0|mid_block_attentions_0)"
    r"_transformer_blocks_0_attnB_(?:processor_)?to_[kv]"
)
_CONTEXTS = {768: "sd-1", 1024: "sd-2", 1280: "sdxl-refiner", 2048: "sdxl"}
_TIME = re.compile(r"time_stack_|temporal_transformer_blocks_|motion_modules_")


def family_of_adapter(adapter: Adapter, named: str | None = None) -> tuple[str | None, Evidence]:
    """Give the family an adapter was made for, and who told it; None where its layers do not prove one.

    `named` is what the metadata names: it decides where the layers claim nothing and could be of that family, and
    between families whose layers are the same.
    """
    claimed = {family for claims in _WITNESSES for family in claims(adapter)}
    if not claimed:
        return (named, "metadata") if named is not None and _could_be(named, adapter) else (None, "tensors")
    for rough, exact in _REFINED.items():
        if claimed & exact:
            claimed.discard(rough)
    family = claimed.pop() if len(claimed) == 1 else _UNKNOWN
    if named in _ALIKE.get(family, ()) and not (named == "chroma" and adapter.has(_MODULATION)):
        return named, "metadata"
    return (None if family in (_UNKNOWN, _EITHER) else family), "tensors"


def _could_be(family: str, adapter: Adapter) -> bool:
    """Tell whether an adapter's blocks are those of a UNet for a family with one, and of none for the others."""
    if not adapter.layers or not adapter.has(_BLOCKS):
        return True
    return adapter.has(_UNET_BLOCKS) == (family in _UNETS)


def _prior(adapter: Adapter) -> Iterator[str]:
    if "lora_prior_unet_" in adapter.homes:
        yield "stable-cascade"


def _simple(adapter: Adapter) -> Iterator[str]:
    for kind, layer in adapter.layers.items():
        for one in _CLAIMS:
            if one.kind.match(kind):
                family = one.families.get(None) or one.families.get(layer.takes)
                if family is not None:
                    yield family


def _unet(adapter: Adapter) -> Iterator[str]:
    widths = {layer.takes for kind, layer in adapter.layers.items() if _CONTEXT.fullmatch(kind)}
    widths.discard(None)
    if widths:
        yield from (_of_context(width, adapter) for width in widths)
    elif adapter.has(_UNET) and not adapter.has(_TIME):
        # Only XL has ten layers in a block, and only it is read to by CLIP-G.
        deep = adapter.reaches("transformer_blocks", 9)
        if deep or (_lengths(adapter.texts) & {1280} and adapter.names.starts("lora_te2_", "text_encoder_2.")):
            yield "sdxl"


def _of_context(width: int | None, adapter: Adapter) -> str:
    if adapter.has(_TIME):
        return "svd" if width == 1024 else _UNKNOWN
    return _CONTEXTS.get(width or 0, _UNKNOWN)


_DOUBLE = re.compile(r"double_blocks_0_(?:img|txt|processor)_|single_blocks_0_(?:linear0|modulation|processor)")
_FEED = re.compile(r"double_blocks_0_(?:img|txt)_mlp_0$|single_blocks_0_linear0$")
_FLUX_MODULATION = re.compile(r"double_blocks_0_(?:img|txt)_mod_lin$|single_blocks_0_modulation_lin$")
_MODULATION = re.compile(
    _FLUX_MODULATION.pattern
    + r"|single_transformer_blocks_0_norm_linear$|transformer_blocks_0_norm0(?:_context)?_linear$"
)
_HUNYUAN = re.compile(r"double_blocks_0_(?:img|txt)_(?:mod_linear|mlp_fc0)$|single_blocks_0_modulation_linear$")
_HUNYUAN_DOTTED = re.compile(r"double_blocks\.0\.(?:img|txt)_attn_(?:qkv|proj)$")
_HUNYUANS = {3072: "hunyuan-video", 2048: "hunyuan-video-1.5", 3584: "hunyuan-image-2.1"}
_CHROMA = re.compile(r"distilled_guidance_layer_")
_FLUX_2_WIDTHS = frozenset({3072, 4096, 6144})
_FLUX_2 = re.compile(r"(?:double|single)_stream_modulation|single_transformer_blocks_0_attn_to_qkv_mlp_proj$")


def _double_blocks(adapter: Adapter) -> Iterator[str]:
    layers = {kind: layer for kind, layer in adapter.layers.items() if _DOUBLE.match(kind)}
    widths = {min(lengths) for layer in layers.values() if (lengths := layer.lengths)}
    if len(widths) != 1:
        return
    width = widths.pop()
    if adapter.has(_HUNYUAN) or any(_HUNYUAN_DOTTED.match(kind) for kind in adapter.dotted):
        yield _HUNYUANS.get(width, _UNKNOWN)
    elif width in {4096, 6144} or adapter.has(_FLUX_2) or any(_is_flux_2(*feed) for feed in _feeds(layers)):
        yield "flux-2"
    elif width == 3072 and not adapter.has(_CHROMA) and _is_flux_1(adapter, layers):
        yield "flux-1"


def _is_flux_1(adapter: Adapter, layers: Mapping[str, Layer]) -> bool:
    """Tell Flux.1 from Chroma, which has no modulation in its blocks, and is not read to by CLIP.

    Trainers that change the feed-forward layers of Flux.1 change its modulation as well.
    """
    if 768 in _lengths(adapter.texts):
        return True
    if not (_is_deep(adapter, "double_blocks", 19) and _is_deep(adapter, "single_blocks", 38)):
        return False
    return adapter.has(_FLUX_MODULATION) or not _feeds(layers)


def _is_deep(adapter: Adapter, block: str, blocks: int) -> bool:
    """Tell whether an adapter that changes one block after the other ends where the model does.

    One that changes single blocks only says nothing of how many there are.
    """
    depth = adapter.depth(block)
    return depth < _FEW or depth == blocks


def _feeds(layers: Mapping[str, Layer]) -> list[tuple[str, Layer]]:
    return [(kind, layer) for kind, layer in layers.items() if _FEED.match(kind)]


def _is_flux_2(kind: str, layer: Layer) -> bool:
    """Tell by the length of a feed-forward layer: thrice the width and gated, where Flux.1 has four times the width.

    So it is 6 or 3 widths long (`mlp`), and 9 or 4 together with the attention (`linear`); in Flux.1 4, and 7 or 5.
    """
    if layer.takes is None or layer.gives is None:
        return False
    widths = (9, 4) if kind.endswith("linear0") else (6, 3)
    return max(layer.takes, layer.gives) in {one * min(layer.takes, layer.gives) for one in widths}


def _joint_blocks(adapter: Adapter) -> Iterator[str]:
    layers = {kind: layer for kind, layer in adapter.layers.items() if kind.startswith("joint_blocks_0_")}
    widths = {min(lengths) for layer in layers.values() if (lengths := layer.lengths)}
    if widths == {2432}:
        yield "sd-3.5"
    elif widths == {1536}:
        if any("_x_block_attnB_" in kind for kind in layers):
            yield "sd-3.5"
        elif any("_x_block_attn_" in kind for kind in layers):
            yield "sd-3"


_SINGLE = re.compile(r"single_transformer_blocks_0_(?:attn_(?:to|add)_|proj_mlp|proj_out|norm_linear)")
_ADDED = re.compile(r"transformer_blocks_0_attn_(?:add_[qkv]_proj|to_add_out)$")
_OWN = re.compile(r"transformer_blocks_0_attn_to_(?:[qkv]|out_0)$")
_SECOND = re.compile(r"transformer_blocks_0_attnB_to_[kv]$")
_FIRST = re.compile(r"transformer_blocks_0_attn0_to_[qkv]$")
_QWEN = re.compile(r"transformer_blocks_0_(?:img|txt)_(?:mlp_net_0(?:_proj)?|mod_0)$")
_QWEN_21 = re.compile(r"transformer_blocks_0_img_mlp_(?:gate_layer|gate_up|proj)$")
_BLOCKS_FEED = re.compile(
    r"transformer_blocks_0_ff(?:_context)?_net_0(?:_proj)?$|single_transformer_blocks_0_proj_mlp$"
)
_PLAIN_FEED = re.compile(r"transformer_blocks_0_ff_net_0(?:_proj)?$")


def _transformer(adapter: Adapter) -> Iterator[str]:
    """Tell the families whose layers diffusers names alike: `transformer_blocks`, `single_transformer_blocks`."""
    single = _widths(adapter, _SINGLE)
    if single:
        yield from _with_single_blocks(adapter, single)
        return
    if adapter.has(_FLUX_2):
        yield "flux-2"
    added, own, second, first = (_widths(adapter, kind) for kind in (_ADDED, _OWN, _SECOND, _FIRST))
    if _widths(adapter, _QWEN_21) == {4096}:
        yield "qwen-image-2.1"
    elif _widths(adapter, _QWEN) == {3072} or (added == {3072} and adapter.depth("transformer_blocks") == 60):
        yield "qwen-image"
    elif added == {2432} or (added == {1536} and own <= {1536} and second == {1536}):
        yield "sd-3.5"
    elif added == {1536} and own == {3072}:
        yield "mochi"
    elif not added and second == {2048}:
        yield "ltx-video"
    elif not added and second == {1152} and _widths(adapter, _PLAIN_FEED) == {1152}:
        yield "pixart"
    elif not added and not second and first in ({1920}, {3072}):
        yield "cogvideox"


def _with_single_blocks(adapter: Adapter, widths: set[int]) -> Iterator[str]:
    if adapter.has(_FLUX_2):
        yield "flux-2" if widths <= _FLUX_2_WIDTHS else _UNKNOWN
    elif widths != {3072} or adapter.has(_CHROMA) or any("joint_" in kind for kind in adapter.layers):
        return
    elif adapter.depth("single_transformer_blocks") == 40:
        yield "hunyuan-video"
    elif adapter.has(_BLOCKS_FEED) and not adapter.has(_MODULATION) and 768 not in _lengths(adapter.texts):
        yield _EITHER  # as in `_is_flux_1`
    elif _is_deep(adapter, "single_transformer_blocks", 38) and _is_deep(adapter, "transformer_blocks", 19):
        yield "flux-1"


def _text(adapter: Adapter) -> Iterator[str]:
    """Tell Stable Diffusion 2 by its text encoder, which no other family has."""
    if adapter.layers:
        return
    widths = {min(lengths) for layer in adapter.texts.values() if (lengths := layer.lengths)}
    if widths == {1024} and all(kind.startswith("text_model_encoder_layers_") for kind in adapter.texts):
        yield "sd-2"


def _widths(adapter: Adapter, kinds: re.Pattern[str]) -> set[int]:
    layers = (layer for kind, layer in adapter.layers.items() if kinds.match(kind))
    return {min(lengths) for layer in layers if (lengths := layer.lengths)}


def _lengths(layers: Mapping[str, Layer]) -> set[int]:
    return {length for layer in layers.values() for length in layer.lengths}


_WITNESSES = (_prior, _simple, _unet, _double_blocks, _joint_blocks, _transformer, _text)
