"""What is no denoiser: controlnets, picture adapters, VAEs, text encoders and embeddings.

Only some say which family they belong to. A VAE often serves several (that of Stable Diffusion 1 and XL has one form,
that of Wan 2.1 serves Qwen-Image, too), and so does a text encoder: of these a rule tells the part alone.
"""

from .rules import Shape, Table, rule

_HINT = "input_hint_block.0.weight zero_convs.0.0.weight"


def _reads(block: str, width: int, context: int) -> tuple[str, Shape]:
    return f"{block}.transformer_blocks.0.attn2.to_k.weight", (width, context)


def _control(width: int, blocks: dict[str, Shape]) -> dict[str, Shape]:
    return {"input_blocks.0.0.weight": (width, 4, 3, 3)} | blocks


_DIFFUSERS_HINT = "controlnet_cond_embedding.conv_in.weight controlnet_down_blocks.0.weight"
_FLUX_QK = "double_blocks.0.img_attn.norm.key_norm.(scale|weight)"

CONTROLS = Table(
    (
        rule("sd-1", _HINT, shapes=_control(320, dict((_reads("input_blocks.1.1", 320, 768),)))),
        rule("sd-2", _HINT, shapes=_control(320, dict((_reads("input_blocks.1.1", 320, 1024),)))),
        rule("sdxl", _HINT, shapes=_control(320, {"label_emb.0.0.weight": (1280, 2816)})),
        rule(
            "sd-1",
            _DIFFUSERS_HINT,
            lacks="add_embedding.linear_1.weight",
            shapes=dict((_reads("down_blocks.0.attentions.0", 320, 768),)),
        ),
        rule(
            "sd-2",
            _DIFFUSERS_HINT,
            lacks="add_embedding.linear_1.weight",
            shapes=dict((_reads("down_blocks.0.attentions.0", 320, 1024),)),
        ),
        rule(
            "sdxl",
            _DIFFUSERS_HINT,
            lacks="encoder_hid_proj.weight",
            shapes={"add_embedding.linear_1.weight": (1280, 2816), "conv_in.weight": (320, 4, 3, 3)},
        ),
        rule(
            "kolors",
            _DIFFUSERS_HINT,
            shapes={"add_embedding.linear_1.weight": (1280, 5632), "conv_in.weight": (320, 4, 3, 3)},
        ),
        # A controlnet as a LoRA of the model's own layers, with matrices named `up` and `down`.
        rule(
            "sdxl",
            "lora_controlnet input_hint_block.0.weight",
            shapes={"input_blocks.4.1.transformer_blocks.0.attn2.to_k.down": (None, 2048)},
        ),
        rule(
            "sd-1",
            "lora_controlnet input_hint_block.0.weight",
            shapes={"input_blocks.1.1.transformer_blocks.0.attn2.to_k.down": (None, 768)},
        ),
        rule(
            "flux-1",
            f"controlnet_blocks.0.(weight|linear.weight) {_FLUX_QK}",
            shapes={"txt_in.weight": (3072, 4096), "vector_in.in_layer.weight": (3072, 768)},
        ),
        rule(
            "flux-1",
            "controlnet_x_embedder.weight transformer_blocks.0.attn.add_k_proj.weight",
            shapes={
                "context_embedder.weight": (3072, 4096),
                "time_text_embed.text_embedder.linear_1.weight": (3072, 768),
            },
        ),
        rule(
            "qwen-image",
            "controlnet_blocks.0.weight controlnet_x_embedder.weight transformer_blocks.0.img_mlp.net.0.proj.weight",
            shapes={"txt_norm.weight": (3584,), "img_in.weight": (3072, 64)},
        ),
        rule(
            "sd-3.5",
            "controlnet_blocks.0.weight pos_embed_input.proj.weight transformer_blocks.0.adaLN_modulation.1.bias",
            shapes={"y_embedder.mlp.0.weight": (2432, None)},
        ),
        rule(
            "hunyuan-dit",
            "after_proj_list.18.bias blocks.0.attn1.Wqkv.weight",
            shapes={"mlp_t5.0.weight": (8192, 2048)},
        ),
    ),
    ("", "control_model."),
)

# What ComfyUI calls a model patch: controls that are put into a model rather than run beside it.
PATCHES = Table(
    (
        rule(
            "z-image",
            "control_layers.0.adaLN_modulation.0.weight control_layers.0.feed_forward.w3.weight",
            shapes={"control_layers.0.attention.to_q.weight": (3840, 3840)},
        ),
        rule(
            "qwen-image",
            "controlnet_blocks.0.x_rms.weight controlnet_blocks.0.y_rms.weight",
            shapes={"controlnet_blocks.0.input_proj.weight": (3072, 3072)},
        ),
    )
)

# A T2I adapter takes the picture in blocks: of 8 x 8 for Stable Diffusion 1, of 16 x 16 for XL.
_ONE_GRID, _FINE_GRID = (64, 192), (256, 768)
ADAPTERS = Table(
    (
        rule(
            "sd-1",
            "body.0.block1.weight body.0.block2.weight",
            lacks="conv_first.weight encoder.conv_in.weight",
            shapes={"conv_in.weight": (320, _ONE_GRID, 3, 3)},
        ),
        rule(
            "sdxl",
            "body.0.block1.weight body.0.block2.weight",
            lacks="conv_first.weight encoder.conv_in.weight",
            shapes={"conv_in.weight": (320, _FINE_GRID, 3, 3)},
        ),
        rule("sd-1", "body.0.resnets.0.block1.weight", shapes={"conv_in.weight": (320, _ONE_GRID, 3, 3)}),
        rule("sdxl", "body.0.resnets.0.block1.weight", shapes={"conv_in.weight": (320, _FINE_GRID, 3, 3)}),
    ),
    ("", "adapter."),
)

PICTURE_ADAPTERS = Table(
    (
        rule("sd-1", shapes={"ip_adapter.1.to_k_ip.weight": (320, 768), "ip_adapter.3.to_k_ip.weight": (320, 768)}),
        rule("sdxl", shapes={"ip_adapter.1.to_k_ip.weight": (640, 2048), "ip_adapter.3.to_k_ip.weight": (640, 2048)}),
        rule("flux-1", shapes={"double_blocks.0.processor.ip_adapter_double_stream_k_proj.weight": (3072, 4096)}),
    ),
)

_ENDS = "encoder.conv_in.weight"
_LATENT: dict[str, Shape] = {"decoder.conv_in.weight": ((256, 384, 512), (3, 4, 8, 16, 32), 3, 3)}

VAES = Table(
    (
        rule(None, f"{_ENDS} decoder.mid.block_1.conv1.weight", lacks="quantize.embedding.weight", shapes=_LATENT),
        rule(
            None, f"{_ENDS} decoder.mid_block.resnets.0.conv1.weight", lacks="quantize.embedding.weight", shapes=_LATENT
        ),
        rule(
            "hunyuan-image-2.1",
            f"{_ENDS} decoder.mid.block_1.conv1.weight",
            shapes={"decoder.conv_in.weight": (1024, 64, 3, 3)},
        ),
        # That of Wan 2.1 is that of Qwen-Image, too.
        rule(
            None,
            "encoder.conv1.weight decoder.middle.0.residual.0.gamma decoder.head.0.gamma",
            lacks="decoder.upsamples.0.upsamples.0.residual.2.weight",
        ),
        rule(
            "wan-2.2",
            "encoder.conv1.weight decoder.middle.0.residual.0.gamma",
            shapes={
                "decoder.upsamples.0.upsamples.0.residual.2.weight": (1024, 1024, 3, 3, 3),
                "decoder.head.2.weight": (12, 256, 3, 3, 3),
            },
        ),
        # Since its version 0.9.1 LTX Video's has the form that LTX-2 took over.
        rule("ltx-video", shapes={"decoder.up_blocks.0.res_blocks.0.conv1.conv.weight": (512, 512, 3, 3, 3)}),
        rule(None, shapes={"decoder.up_blocks.0.res_blocks.0.conv1.conv.weight": (1024, 1024, 3, 3, 3)}),
        rule("mochi", "blocks.2.blocks.3.stack.5.weight"),
        rule("mochi", "decoder.blocks.2.blocks.3.stack.5.weight"),
        rule("cosmos", "decoder.unpatcher3d.wavelets encoder.patcher3d.wavelets"),
        # That of Hunyuan Video is that of Kandinsky 5, too.
        rule(
            None,
            "decoder.mid.block_1.conv1.conv.weight",
            shapes={"decoder.conv_in.conv.weight": (512, 16, 3, 3, 3)},
        ),
        rule(
            "cogvideox",
            "decoder.mid_block.resnets.0.norm1.norm_layer.weight",
            shapes={"decoder.conv_in.conv.weight": (512, 16, 3, 3, 3)},
        ),
        rule("ace-step", "vocoder.backbone.channel_layers.0.0.bias"),
        rule("hunyuan3d", "geo_decoder.cross_attn_decoder.ln_1.bias post_kl.weight"),
    ),
    ("", "first_stage_model.", "vae."),
)

_T5 = "encoder.block.0.layer.0.SelfAttention.q.weight"
_NO_T5 = "decoder.block.0.layer.0.SelfAttention.q.weight lm_head.weight"
_CLIP = "text_model.encoder.layers.0.self_attn.q_proj.weight"
_WORDS = "text_model.embeddings.token_embedding.weight"
_LANGUAGE = "model.layers.0.self_attn.q_proj.weight model.layers.0.mlp.down_proj.weight"
_TOKENS = "model.embed_tokens.weight"
_SEES = "visual.patch_embed.proj.weight"


def _encoder(name: str, width: int, words: int) -> tuple[str, dict[str, Shape]]:
    return name, {_T5: (None, width), "shared.weight": (words, width)}


TEXT_ENCODERS = Table(
    (
        *(
            rule(None, lacks=_NO_T5, shapes=shapes, variant=name)
            for name, shapes in (
                _encoder("T5-XXL", 4096, 32128),
                _encoder("UMT5-XXL", 4096, 256384),
                _encoder("mT5-XL", 2048, 250112),
                _encoder("Pile-T5-XL", 2048, 32128),
            )
        ),
        rule(None, _T5, lacks=_NO_T5),
        *(
            rule(
                None,
                lacks="vision_model.embeddings.patch_embedding.weight",
                shapes={_CLIP: (width, width), _WORDS: (49408, width)},
                variant=name,
            )
            for name, width in (("CLIP-L", 768), ("CLIP-H", 1024), ("CLIP-G", 1280))
        ),
        rule(
            None, shapes={"enc.blk.0.attn_q.weight": (4096, 4096), "token_embd.weight": (32128, 4096)}, variant="T5-XXL"
        ),
        rule(
            None,
            shapes={"enc.blk.0.attn_q.weight": (4096, 4096), "token_embd.weight": (256384, 4096)},
            variant="UMT5-XXL",
        ),
    )
)

# As often for talking as for pictures.
LANGUAGE_MODELS = Table(
    tuple(
        rule(None, f"{_LANGUAGE} {more}", lacks=lacks, shapes={_TOKENS: (words, width)}, variant=name)
        for name, words, width, more, lacks in (
            ("Llama 3 8B", (128256, 128320), 4096, "", ""),
            ("Qwen2.5-VL 7B", 152064, 3584, _SEES, ""),
            ("Qwen2.5-VL 3B", 151936, 2048, _SEES, "model.layers.0.self_attn.q_norm.weight"),
            ("Qwen3 0.6B", 151936, 1024, "model.layers.0.self_attn.q_norm.weight", _SEES),
            ("Qwen3 4B", 151936, 2560, "model.layers.0.self_attn.q_norm.weight", _SEES),
            ("Qwen3 8B", 151936, 4096, "model.layers.0.self_attn.q_norm.weight", _SEES),
            ("Gemma 2 2B", 256000, 2304, "model.layers.0.pre_feedforward_layernorm.weight", ""),
            ("Gemma 3 4B", (262144, 262208), 2560, "model.layers.0.pre_feedforward_layernorm.weight", ""),
            ("Gemma 3 12B", (262144, 262208), 3840, "model.layers.0.pre_feedforward_layernorm.weight", ""),
            ("Mistral Small 24B", 131072, 5120, "", ""),
        )
    )
)

CLIP_VISIONS = Table(
    (
        rule(
            None,
            "vision_model.encoder.layers.0.self_attn.q_proj.weight vision_model.embeddings.patch_embedding.weight",
            lacks=_CLIP,
        ),
    )
)

# The width of the text encoder whose words it stands among.
EMBEDDINGS = Table(
    (
        rule("sd-1", lacks="clip_l clip_g", shapes={"emb_params": (None, 768)}),
        rule("sd-1", lacks="clip_l clip_g", shapes={"emb_params": (768,)}),
        rule("sd-2", lacks="clip_l clip_g", shapes={"emb_params": (None, 1024)}),
        rule("sd-2", lacks="clip_l clip_g", shapes={"emb_params": (1024,)}),
        rule("sdxl", lacks="t5xxl", shapes={"clip_l": (None, 768), "clip_g": (None, 1280)}),
    )
)
