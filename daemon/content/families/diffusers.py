"""The transformers as diffusers names their tensors; the UNets in its naming are in `unet.py`.

Here one set of names serves many families (`transformer_blocks.0.attn.to_q.weight`), so the shapes carry the proof.
"""

from .rules import Shape, Table, rule

HOMES = ("", "transformer.", "model.diffusion_model.", "diffusion_model.")

_CONTROL = "controlnet_blocks.0.weight controlnet_x_embedder.weight"
_JOINT = "transformer_blocks.0.attn.add_k_proj.weight"
_SINGLE = "single_transformer_blocks.0.attn.to_q.weight"


def _flux(channels: int) -> dict[str, Shape]:
    return {
        "x_embedder.weight": (3072, channels),
        "context_embedder.weight": (3072, 4096),
        "time_text_embed.text_embedder.linear_1.weight": (3072, 768),
        "single_transformer_blocks.0.proj_mlp.weight": (12288, 3072),
    }


_GUIDANCE = "time_text_embed.guidance_embedder.linear_1.weight"
_SD3: dict[str, Shape] = {
    "pos_embed.proj.weight": (1536, 16, 2, 2),
    "context_embedder.weight": (1536, 4096),
    "time_text_embed.text_embedder.linear_1.weight": (1536, 2048),
}

_PICTURES = (
    rule("flux-1", f"{_JOINT} {_SINGLE} {_GUIDANCE}", lacks=_CONTROL, shapes=_flux(64), variant="dev"),
    rule("flux-1", f"{_JOINT} {_SINGLE}", lacks=f"{_CONTROL} {_GUIDANCE}", shapes=_flux(64), variant="schnell"),
    rule("flux-1", f"{_JOINT} {_SINGLE}", lacks=_CONTROL, shapes=_flux(384), variant="Fill"),
    rule("flux-1", f"{_JOINT} {_SINGLE}", lacks=_CONTROL, shapes=_flux(128), variant="Canny or Depth"),
    rule(
        "flux-2",
        "single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight double_stream_modulation_img.linear.weight",
        lacks=_CONTROL,
        shapes={"x_embedder.weight": ((3072, 4096, 6144), 128)},
    ),
    rule(
        "chroma",
        f"distilled_guidance_layer.in_proj.weight {_JOINT} {_SINGLE}",
        lacks=_CONTROL,
        shapes={"x_embedder.weight": (3072, 64), "context_embedder.weight": (3072, 4096)},
    ),
    rule(
        "auraflow",
        "joint_transformer_blocks.0.attn.add_k_proj.weight single_transformer_blocks.0.attn.to_q.weight",
        shapes={"context_embedder.weight": (3072, 2048)},
    ),
    rule(
        "sd-3",
        _JOINT,
        lacks="transformer_blocks.0.attn.norm_q.weight transformer_blocks.1.attn.norm_q.weight "
        f"transformer_blocks.0.attn2.to_q.weight transformer_blocks.1.attn2.to_q.weight {_CONTROL}",
        shapes=_SD3,
        variant="medium",
    ),
    rule(
        "sd-3.5",
        f"{_JOINT} transformer_blocks.0.attn.norm_q.weight transformer_blocks.0.attn2.to_q.weight",
        lacks=_CONTROL,
        shapes=_SD3,
        variant="medium",
    ),
    rule(
        "sd-3.5",
        f"{_JOINT} transformer_blocks.0.attn.norm_q.weight",
        lacks=_CONTROL,
        shapes={"pos_embed.proj.weight": (2432, 16, 2, 2), "context_embedder.weight": (2432, 4096)},
        variant="large",
    ),
    rule(
        "pixart",
        "adaln_single.emb.timestep_embedder.linear_1.weight transformer_blocks.0.ff.net.0.proj.weight",
        lacks="mlp_t5.0.weight",
        shapes={
            "pos_embed.proj.weight": (1152, 4, 2, 2),
            "caption_projection.linear_1.weight": (1152, 4096),
            "transformer_blocks.0.attn2.to_k.weight": (1152, 1152),
        },
    ),
    rule(
        "sana",
        "transformer_blocks.0.ff.conv_inverted.weight caption_projection.linear_1.weight "
        "transformer_blocks.0.attn2.to_k.weight",
        shapes={"patch_embed.proj.weight": ((1152, 2240), (32, 64), 1, 1)},
    ),
    rule(
        "hunyuan-dit",
        lacks="controlnet_blocks.0.weight",
        shapes={
            "text_embedder.linear_1.weight": (8192, 2048),
            "pos_embed.proj.weight": (1408, 4, 2, 2),
            "blocks.0.attn2.to_k.weight": (1408, 1024),
        },
    ),
    rule(
        "lumina-2",
        "layers.0.attn.to_q.weight noise_refiner.0.attn.to_q.weight time_caption_embed.caption_embedder.1.weight",
        shapes={"x_embedder.weight": (2304, 64)},
    ),
    rule(
        "z-image",
        "layers.0.attention.to_q.weight noise_refiner.0.attention.to_q.weight",
        shapes={"cap_embedder.1.weight": (3840, 2560), "all_x_embedder.2-1.weight": (3840, 64)},
    ),
)

_VIDEOS = (
    rule(
        "hunyuan-video",
        f"{_JOINT} {_SINGLE} context_embedder.token_refiner.refiner_blocks.0.norm1.weight",
        lacks="clean_x_embedder.proj.weight clean_x_embedder.proj_2x.weight",
        shapes={
            "x_embedder.proj.weight": (3072, (16, 32, 33), 1, 2, 2),
            "time_text_embed.text_embedder.linear_1.weight": (3072, 768),
        },
    ),
    rule(
        "framepack",
        f"{_JOINT} {_SINGLE} clean_x_embedder.proj.weight",
        shapes={"x_embedder.proj.weight": (3072, 16, 1, 2, 2)},
    ),
    rule(
        "ltx-video",
        "time_embed.emb.timestep_embedder.linear_1.weight transformer_blocks.0.attn2.to_k.weight "
        "caption_projection.linear_1.weight",
        lacks="audio_proj_in.weight audio_time_embed.linear.weight",
        shapes={"proj_in.weight": ((2048, 4096), 128), "proj_out.weight": (128, (2048, 4096))},
    ),
    rule(
        "mochi",
        "transformer_blocks.0.attn.add_k_proj.weight time_embed.caption_proj.weight",
        shapes={"patch_embed.proj.weight": (3072, 12, 2, 2)},
    ),
    rule(
        "cogvideox",
        "transformer_blocks.0.norm1.linear.weight transformer_blocks.0.attn1.to_q.weight patch_embed.proj.weight",
        shapes={"patch_embed.text_proj.weight": ((1920, 3072), 4096)},
    ),
)

DIFFUSERS = Table(_PICTURES + _VIDEOS, HOMES)
