"""A model's type, told by the names and shapes of its tensors and by its metadata."""

import re
from collections.abc import Callable, Sequence

from .families.telling import family_of
from .header import Header, Tensor
from .tensornames import TensorNames


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# What ComfyUI-GGUF reads. Of its text encoders only T5 is sure: llama, qwen2vl and so on are as often chat models.
_GGUF_TYPES = dict.fromkeys(
    _words("flux sd1 sdxl sd3 aura hidream cosmos ltxv hyvid wan lumina2 qwen_image chroma ideogram"),
    "diffusion_models",
) | dict.fromkeys(_words("t5 t5encoder"), "text_encoders")

_LORA_CORE = re.compile(
    r"lora\d*[._](?:up|down|A|B)\b|lora_linear_layer\.(?:up|down)\b"
    r"|hada_w[12]_[ab]$|lokr_w[12](?:_[ab])?$|oft_(?:blocks|diag)$"
)
_LORA_REST = re.compile(
    r"\.(?:alpha|dora_scale|diff|diff_b|scale|lokr_t2|hada_t[12]|lora_mid\.weight|lora_magnitude_vector)$"
)
_LORA_BLOCKS = _words(
    "blocks. double_blocks. single_blocks. joint_blocks. transformer_blocks. single_transformer_blocks. "
    "down_blocks. mid_block. up_blocks."
)
_LORA_HOMES = (
    *_words(
        "lora_unet_ lora_te lora_transformer_ lora_prior_ lycoris_ unet. transformer. text_encoder. text_encoder_2."
    ),
    *_words("text_encoder_3. diffusion_model. model.diffusion_model."),
    *_LORA_BLOCKS,
    # PEFT writes adapters of chat models in the very same form, also below `base_model.model.`.
    *("base_model.model." + blocks for blocks in _LORA_BLOCKS),
)
_VAE_PARTS = frozenset(_words("encoder decoder quant_conv post_quant_conv loss model_ema per_channel_statistics bn"))


_TYPES_OF_PARTS = {
    "checkpoint": "checkpoints",
    "diffusion_model": "diffusion_models",
    "adapter": "loras",
    "controlnet": "controlnet",
    "t2i_adapter": "controlnet",
    "vae": "vae",
    "text_encoder": "text_encoders",
}


def guess_type(header: Header, tensors: Sequence[Tensor], names: TensorNames | None = None) -> str | None:
    """Give the ComfyUI type a file's tensors and metadata prove, None where they leave a doubt.

    A wrong guess sends a file to the wrong folder, so each rule asks for what only its type has. Where no rule knows
    the names, a family of models may be proven by its tensors, and what part of one the file is. `names` spares the
    laying out of the names where it was done before.
    """
    if not tensors or (header.format == "gguf" and header.metadata.get("general.type", "model") != "model"):
        return None
    names = names if names is not None else TensorNames(tensors)
    if (type_ := type_by_names(header, tensors, names)) is not None or _is_of_a_pack(names):
        return type_
    family = family_of(header, tensors, names)
    if family is None or family.id is None or family.evidence != "tensors":
        return None
    return _TYPES_OF_PARTS.get(family.part or "")


def type_by_names(header: Header, tensors: Sequence[Tensor], names: TensorNames) -> str | None:
    """Give the type that the names alone prove, whatever family the file is of."""
    if not tensors or header.format == "unknown":
        return None
    if header.format == "gguf":
        return _gguf_type(header)
    if _is_of_a_pack(names):
        return None
    if _is_lora(names, header):
        return "loras"
    if _is_embedding(names, tensors):
        return "embeddings"
    return next((kind for kind, fits in _RULES if fits(names)), None)


def _is_of_a_pack(names: TensorNames) -> bool:
    """Tell whether a file is made of the same parts as a LoRA or a UNet, but of a custom pack's types."""
    return names.holds("motion_modules.", "ip_adapter", "image_proj.", "pulid_")


def _gguf_type(header: Header) -> str | None:
    if header.metadata.get("general.type", "model") != "model":
        return None
    return _GGUF_TYPES.get(header.metadata.get("general.architecture", ""))


def _is_lora(names: TensorNames, header: Header) -> bool:
    if names.has("lora_controlnet") or not names.holds("lora", "hada_", "lokr_", "oft_"):
        return False
    core = sum(1 for name in names.each if _LORA_CORE.search(name))
    rest = sum(1 for name in names.each if _LORA_REST.search(name)) if core else 0
    if core == 0 or 2 * (core + rest) < len(names.each):
        return False
    trained = "ss_network_module" in header.metadata
    declared = header.metadata.get("modelspec.architecture", "").endswith("/lora")
    return trained or declared or names.starts(*_LORA_HOMES)


def _is_embedding(names: TensorNames, tensors: Sequence[Tensor]) -> bool:
    flat = all(len(tensor.shape) <= 2 for tensor in tensors)
    learned = names.has("emb_params") or names.has("clip_l", "clip_g") or names.starts("string_to_param")
    return flat and learned and len(tensors) <= 8


def _is_controlnet(names: TensorNames) -> bool:
    return (
        names.has("lora_controlnet")
        or names.starts("control_model.", "controlnet_", "zero_convs.", "input_hint_block.")
        or names.has("conv_in.weight", "body.0.block1.weight")
        or names.has("adapter.conv_in.weight", "adapter.body.0.resnets.0.block1.weight")
    )


def _is_gligen(names: TensorNames) -> bool:
    return names.starts("position_net.") and names.holds(".fuser.")


def _is_checkpoint(names: TensorNames) -> bool:
    return names.starts("model.diffusion_model.") and names.starts(
        "first_stage_model.", "vae.", "cond_stage_model.", "conditioner.", "text_encoders."
    )


_HOMES = ("", "diffusion_model.", "net.")
_TRANSFORMERS = (
    ("double_blocks.0.img_attn.qkv.weight", "img_in.weight"),  # Flux, Chroma
    ("double_blocks.0.img_attn_qkv.weight", "img_in.proj.weight"),  # Hunyuan Video
    ("joint_blocks.0.x_block.attn.qkv.weight", "x_embedder.proj.weight"),  # Stable Diffusion 3
    ("blocks.0.cross_attn.k.weight", "patch_embedding.weight", "head.head.weight"),  # Wan
    ("layers.0.attention.qkv.weight", "cap_embedder.1.weight", "x_embedder.weight"),  # Lumina 2, Z-Image
    ("transformer_blocks.0.attn.to_q.weight", "x_embedder.weight", "proj_out.weight"),  # Flux, diffusers
    ("transformer_blocks.0.attn.to_q.weight", "pos_embed.proj.weight", "proj_out.weight"),
    ("transformer_blocks.0.attn.to_q.weight", "img_in.weight", "proj_out.weight"),  # Qwen-Image
    ("transformer_blocks.0.attn1.to_q.weight", "patchify_proj.weight", "proj_out.weight"),  # LTX Video
)
# Put together once: for each of 10,000 files in turn it would cost more than to read their headers.
_BARE_TRANSFORMERS = {home: tuple(tuple(home + name for name in wanted) for wanted in _TRANSFORMERS) for home in _HOMES}


def _is_diffusion_model(names: TensorNames) -> bool:
    return names.starts("model.diffusion_model.") or any(
        _is_bare_unet(names, prefix) or _is_bare_transformer(names, prefix) for prefix in _HOMES
    )


def _is_bare_unet(names: TensorNames, prefix: str) -> bool:
    original = names.has(prefix + "input_blocks.0.0.weight", prefix + "time_embed.0.weight")
    diffusers = names.has(prefix + "conv_in.weight", prefix + "time_embedding.linear_1.weight")
    return (original and names.starts(prefix + "output_blocks.")) or (
        diffusers and names.starts(prefix + "down_blocks.") and names.starts(prefix + "up_blocks.")
    )


def _is_bare_transformer(names: TensorNames, prefix: str) -> bool:
    return any(names.has(*wanted) for wanted in _BARE_TRANSFORMERS[prefix])


def _is_vae(names: TensorNames) -> bool:
    if names.tops == {"first_stage_model"}:
        return True
    if not names.tops <= _VAE_PARTS:
        return names.has("decoder.head.0.gamma", "encoder.conv1.weight", "conv1.weight", "conv2.weight")  # Wan
    return any(
        names.has(f"encoder.{conv}.weight", f"decoder.{conv}.weight") for conv in ("conv_in", "conv_in.conv")
    ) and names.starts("decoder.up.", "decoder.up_blocks.")


def _is_style_model(names: TensorNames) -> bool:
    return names.has("redux_up.weight", "redux_down.weight")


def _is_clip_vision(names: TensorNames) -> bool:
    return names.tops <= {"vision_model", "visual_projection", "logit_scale", "logit_bias"} and names.has(
        "vision_model.encoder.layers.0.self_attn.q_proj.weight"
    )


def _is_text_encoder(names: TensorNames) -> bool:
    clip = names.has(
        "text_model.encoder.layers.0.self_attn.q_proj.weight", "text_model.embeddings.token_embedding.weight"
    )
    t5 = names.has("encoder.block.0.layer.0.SelfAttention.q.weight")
    return (clip and not names.starts("vision_model.")) or (t5 and not names.starts("decoder.", "lm_head"))


def _is_upscale_model(names: TensorNames) -> bool:
    return (
        names.has("conv_first.weight", "body.0.rdb1.conv1.weight")
        or names.has("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight")
        or names.has("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight")
        or (names.has("conv_first.weight", "conv_after_body.weight") and names.starts("layers.0.residual_group."))
    )


_RULES: tuple[tuple[str, Callable[[TensorNames], bool]], ...] = (
    # From here the order matters: a controlnet can carry a whole checkpoint, and that a diffusion model.
    ("controlnet", _is_controlnet),
    ("gligen", _is_gligen),
    ("checkpoints", _is_checkpoint),
    ("diffusion_models", _is_diffusion_model),
    ("vae", _is_vae),
    ("style_models", _is_style_model),
    ("clip_vision", _is_clip_vision),
    ("text_encoders", _is_text_encoder),
    ("upscale_models", _is_upscale_model),
)
