"""The families whose denoiser is a UNet: Stable Diffusion 1, 2 and XL, and what was made of them.

They share their names. What tells them apart is the width of the text that their cross-attention reads (768 of
CLIP-L, 1024 of OpenCLIP-H, 1280 of CLIP-G, 2048 of both CLIP-L and -G), the channels of the first layer, how many
transformer layers a block has, and what else than text and time conditions them (`label_emb`). Names as in
CompVis/stable-diffusion and Stability-AI/generative-models, and as diffusers writes them.
"""

from .rules import Shape, Table, rule

HOMES = ("model.diffusion_model.", "diffusion_model.", "", "unet.")

CHANNELS = (4, 5, 8, 9, 12)
"""Of the first layer: the latent's four, and depth, a mask, or a picture to start from beside them."""

# A UNet for video has layers over time beside those of the picture's model that it was made of.
_VIDEO = (
    "input_blocks.1.2.proj_in.weight input_blocks.0.1.proj_in.weight input_blocks.1.1.time_stack.0.attn1.to_q.weight "
    "input_blocks.1.1.time_mixer.mix_factor input_blocks.2.1.time_mixer.mix_factor "
    "middle_block.1.time_stack.0.attn1.to_q.weight "
    "init_attn.0.proj_in.weight fps_embedding.0.weight framestride_embed.0.weight input_hint_block.0.weight"
)
_DIFFUSERS_VIDEO = (
    "transformer_in.proj_in.weight down_blocks.0.temp_convs.0.conv1.2.weight "
    "down_blocks.0.motion_modules.0.norm.weight down_blocks.0.attentions.0.time_pos_embed.linear_1.weight "
    "controlnet_cond_embedding.conv_in.weight"
)


def _attention(block: str, layer: int, width: int, context: int) -> tuple[str, Shape]:
    return f"{block}.transformer_blocks.{layer}.attn2.to_k.weight", (width, context)


def _first(width: int, channels: int | tuple[int, ...] = CHANNELS) -> dict[str, Shape]:
    return {"input_blocks.0.0.weight": (width, channels, 3, 3)}


def _original_small(context: int) -> dict[str, Shape]:
    return _first(320) | dict(
        (
            _attention("input_blocks.1.1", 0, 320, context),
            _attention("input_blocks.4.1", 0, 640, context),
            _attention("input_blocks.8.1", 0, 1280, context),
            _attention("output_blocks.11.1", 0, 320, context),
        )
    )


def _diffusers_small(context: int) -> dict[str, Shape]:
    return {"conv_in.weight": (320, CHANNELS, 3, 3), "conv_out.weight": (4, 320, 3, 3)} | dict(
        (
            _attention("down_blocks.0.attentions.0", 0, 320, context),
            _attention("down_blocks.2.attentions.1", 0, 1280, context),
            _attention("up_blocks.3.attentions.2", 0, 320, context),
        )
    )


# The smaller ones have no attention in the middle.
_MIDDLE = "middle_block.1.transformer_blocks.0.attn2.to_k.weight middle_block.1.transformer_blocks.0.attn2.to_v.weight"
_DIFFUSERS_MIDDLE = (
    "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight "
    "mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight"
)
_SVD_TIME = "input_blocks.1.1.time_stack.0.attn1.to_q.weight output_blocks.3.1.time_stack.0.attn1.to_q.weight"
_XL_LABEL: dict[str, Shape] = {"label_emb.0.0.weight": (1280, 2816)}
_XL_ADDED: dict[str, Shape] = {"add_embedding.linear_1.weight": (1280, 2816)}

_XL = (
    _first(320)
    | dict((_attention("input_blocks.4.1", 1, 640, 2048), _attention("input_blocks.7.1", 9, 1280, 2048)))
    | dict((_attention("output_blocks.0.1", 9, 1280, 2048),))
)
_DIFFUSERS_XL: dict[str, Shape] = {"conv_in.weight": (320, CHANNELS, 3, 3), "conv_out.weight": (4, 320, 3, 3)} | dict(
    (
        _attention("down_blocks.1.attentions.0", 1, 640, 2048),
        _attention("down_blocks.2.attentions.0", 9, 1280, 2048),
        _attention("up_blocks.0.attentions.0", 9, 1280, 2048),
    )
)

_ORIGINAL = (
    rule("sd-1", lacks=f"label_emb.0.0.weight {_VIDEO}", shapes=_original_small(768)),
    rule("sd-2", lacks=f"label_emb.0.0.weight {_VIDEO}", shapes=_original_small(1024)),
    rule(
        "sd-2",
        lacks=_VIDEO,
        shapes=_original_small(1024) | {"label_emb.0.0.weight": (1280, (1536, 2048))},
        variant="unCLIP",
    ),
    rule(
        "sd-x4-upscaler",
        shapes=_first(256, 7) | {"label_emb.weight": (1000, 1024)},
    ),
    rule("sdxl", lacks=_VIDEO, shapes=_XL | _XL_LABEL),
    rule("kolors", lacks=_VIDEO, shapes=_XL | {"label_emb.0.0.weight": (1280, 5632)}),
    # Made of XL by leaving layers out; a LoRA for one does nothing good to the other.
    rule(
        "ssd-1b",
        lacks=f"input_blocks.7.1.transformer_blocks.4.attn2.to_k.weight {_MIDDLE} {_VIDEO}",
        shapes=_first(320)
        | dict((_attention("input_blocks.4.1", 1, 640, 2048), _attention("input_blocks.7.1", 3, 1280, 2048)))
        | _XL_LABEL,
    ),
    rule(
        "segmind-vega",
        lacks=f"input_blocks.7.1.transformer_blocks.2.attn2.to_k.weight {_MIDDLE} {_VIDEO}",
        shapes=_first(320)
        | dict((_attention("input_blocks.4.1", 0, 640, 2048), _attention("input_blocks.7.1", 1, 1280, 2048)))
        | _XL_LABEL,
    ),
    rule(
        "koala",
        lacks=_VIDEO,
        shapes=_first(320)
        | dict((_attention("input_blocks.3.1", 1, 640, 2048), _attention("input_blocks.5.1", 4, 1280, 2048)))
        | _XL_LABEL,
    ),
    rule(
        "sdxl-refiner",
        lacks=_VIDEO,
        shapes=_first(384, 4)
        | dict((_attention("input_blocks.4.1", 3, 768, 1280), _attention("input_blocks.8.1", 3, 1536, 1280)))
        | {"label_emb.0.0.weight": (1536, 2560)},
    ),
    rule(
        "svd",
        _SVD_TIME,
        shapes=_first(320, 8)
        | dict((_attention("input_blocks.1.1", 0, 320, 1024),))
        | {"label_emb.0.0.weight": (1280, 768)},
    ),
    rule(
        "sv3d",
        _SVD_TIME,
        shapes=_first(320, 8)
        | dict((_attention("input_blocks.1.1", 0, 320, 1024),))
        | {"label_emb.0.0.weight": (1280, (256, 1280))},
    ),
)

_DIFFUSERS = (
    rule(
        "sd-1",
        lacks=f"add_embedding.linear_1.weight class_embedding.linear_1.weight {_DIFFUSERS_VIDEO}",
        shapes=_diffusers_small(768),
    ),
    rule(
        "sd-2",
        lacks=f"add_embedding.linear_1.weight class_embedding.linear_1.weight {_DIFFUSERS_VIDEO}",
        shapes=_diffusers_small(1024),
    ),
    rule(
        "sd-2",
        lacks=_DIFFUSERS_VIDEO,
        shapes=_diffusers_small(1024) | {"class_embedding.linear_1.weight": (1280, (1536, 2048))},
        variant="unCLIP",
    ),
    rule("sdxl", lacks=f"encoder_hid_proj.weight {_DIFFUSERS_VIDEO}", shapes=_DIFFUSERS_XL | _XL_ADDED),
    rule("kolors", lacks=_DIFFUSERS_VIDEO, shapes=_DIFFUSERS_XL | {"add_embedding.linear_1.weight": (1280, 5632)}),
    rule(
        "ssd-1b",
        lacks=f"down_blocks.2.attentions.0.transformer_blocks.4.attn2.to_k.weight {_DIFFUSERS_MIDDLE} "
        f"{_DIFFUSERS_VIDEO}",
        shapes={"conv_in.weight": (320, CHANNELS, 3, 3), "conv_out.weight": (4, 320, 3, 3)}
        | dict(
            (
                _attention("down_blocks.1.attentions.0", 1, 640, 2048),
                _attention("down_blocks.2.attentions.0", 3, 1280, 2048),
            )
        )
        | _XL_ADDED,
    ),
    rule(
        "sdxl-refiner",
        lacks=_DIFFUSERS_VIDEO,
        shapes={"conv_in.weight": (384, 4, 3, 3), "conv_out.weight": (4, 384, 3, 3)}
        | dict((_attention("down_blocks.1.attentions.0", 3, 768, 1280),))
        | {"add_embedding.linear_1.weight": (1536, 2560)},
    ),
    rule(
        "svd",
        "down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q.weight",
        shapes={"conv_in.weight": (320, 8, 3, 3), "add_embedding.linear_1.weight": (1280, 768)}
        | dict((_attention("down_blocks.0.attentions.0", 0, 320, 1024),)),
    ),
)

UNETS = Table(_ORIGINAL + _DIFFUSERS, HOMES)

# What was made of a whole family, and says so by tensors of its own at the top of the file.
APART = (
    ("sdxl", ("edm_mean", "edm_std"), "playground-2.5"),
    ("sd-1", ("cc_projection.weight", "cc_projection.bias"), "zero123"),
)
