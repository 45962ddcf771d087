"""The Wan video family. Its versions share their tensors: only some sizes, inputs and additions tell them apart."""

from .rules import Shape, Table, rule

HOMES = ("model.diffusion_model.", "diffusion_model.", "", "model.", "transformer.")

_CORE = "blocks.0.self_attn.q.weight blocks.0.cross_attn.k.weight blocks.0.modulation time_embedding.0.weight"
_FOR_21 = "img_emb.proj.0.bias img_emb.proj.0.weight blocks.0.cross_attn.k_img.weight"
_FOR_22 = "casual_audio_encoder.encoder.final_linear.weight face_adapter.fuser_blocks.0.k_norm.weight"
# One tensor more than is asked for, so that a piece of such a model is not taken for another.
_MORE_FOR_22 = "face_adapter.fuser_blocks.1.k_norm.weight pose_patch_embedding.weight"
_HUMO = "audio_proj.audio_proj_glob_1.layer.bias"
_UNSURE = "patch_embedding_mask.weight patch_embedding_pose.weight patch_embedding_global.weight"
_ADDED = "vace_patch_embedding.weight ref_conv.weight"


def _sized(width: int, out: int, channels: int | tuple[int, ...] | None = None) -> dict[str, Shape]:
    return {
        "head.modulation": (1, 2, width),
        "head.head.weight": (out, width),
        "text_embedding.0.weight": (width, 4096),
        "patch_embedding.weight": (width, channels, 1, 2, 2),
    }


_ORIGINAL = (
    rule("wan-2.1", _CORE, shapes=_sized(1536, 64), variant="1.3B"),
    rule("wan-2.2", _CORE, shapes=_sized(3072, 192), variant="5B"),
    rule(
        "wan-2.1",
        f"{_CORE} img_emb.proj.0.(bias|weight) blocks.0.cross_attn.k_img.weight",
        lacks=f"{_FOR_22} {_MORE_FOR_22} {_HUMO} {_UNSURE}",
        shapes=_sized(5120, 64),
        variant="14B",
    ),
    rule(
        "wan-2.1",
        f"{_CORE} {_HUMO}",
        lacks=f"{_FOR_22} {_FOR_21}",
        shapes=_sized(5120, 64),
        variant="HuMo",
    ),
    rule("wan-2.2", f"{_CORE} {_FOR_22.split()[0]}", shapes=_sized(5120, 64), variant="S2V 14B"),
    rule("wan-2.2", f"{_CORE} {_FOR_22.split()[1]}", shapes=_sized(5120, 64), variant="Animate 14B"),
    # From a picture 2.1 goes by CLIP's view of it as well, 2.2 does not.
    rule(
        "wan-2.2",
        _CORE,
        lacks=f"{_FOR_21} {_FOR_22} {_MORE_FOR_22} {_HUMO} {_UNSURE} {_ADDED}",
        shapes=_sized(5120, 64, 36),
        variant="14B",
    ),
    # From text alone 2.1 and both halves of 2.2 are of the same tensors.
    rule(
        "wan",
        _CORE,
        lacks=f"{_FOR_21} {_FOR_22} {_MORE_FOR_22} {_HUMO}",
        shapes=_sized(5120, 64, (16, 20, 32, 48, 52)),
        variant="14B",
    ),
)

_DIFFUSERS_CORE = "condition_embedder.time_embedder.linear_1.weight blocks.0.attn2.to_k.weight scale_shift_table"


def _diffusers(width: int, out: int, channels: int | tuple[int, ...] | None = None) -> dict[str, Shape]:
    return {
        "patch_embedding.weight": (width, channels, 1, 2, 2),
        "proj_out.weight": (out, width),
        "condition_embedder.text_embedder.linear_1.weight": (width, 4096),
    }


_DIFFUSERS = (
    rule("wan-2.1", _DIFFUSERS_CORE, shapes=_diffusers(1536, 64), variant="1.3B"),
    rule("wan-2.2", _DIFFUSERS_CORE, shapes=_diffusers(3072, 192), variant="5B"),
    rule(
        "wan-2.1",
        f"{_DIFFUSERS_CORE} condition_embedder.image_embedder.norm1.weight",
        shapes=_diffusers(5120, 64, 36),
        variant="14B",
    ),
    rule(
        "wan-2.2",
        _DIFFUSERS_CORE,
        lacks="condition_embedder.image_embedder.norm1.weight vace_patch_embedding.weight",
        shapes=_diffusers(5120, 64, 36),
        variant="14B",
    ),
    rule("wan", _DIFFUSERS_CORE, shapes=_diffusers(5120, 64, 16), variant="14B"),
)

WANS = Table(_ORIGINAL + _DIFFUSERS, HOMES)
