"""The families whose denoiser is a transformer, with the names that their makers (and so ComfyUI) use.

Hidden sizes are those of the published weights. Where one architecture was published in several sizes, all are
listed; where a size, or one more tensor, is what tells two families apart, it is in the rule.
"""

from .rules import Shape, Table, rule

HOMES = ("model.diffusion_model.", "diffusion_model.", "", "net.", "model.", "model.model.", "transformer.")

_QK = "double_blocks.0.img_attn.norm.key_norm.(scale|weight)"
_FLUX2 = "double_stream_modulation_img.lin.weight"
_CHROMA = "distilled_guidance_layer.norms.0.scale distilled_guidance_layer.norms.0.weight"
_CHROMA_OLD = "distilled_guidance_layer.0.norms.0.scale distilled_guidance_layer.0.norms.0.weight"
_RADIANCE = "nerf_blocks.0.norm.scale nerf_blocks.0.norm.weight"
_CONTROL = "controlnet_blocks.0.weight controlnet_blocks.0.linear.weight"

_NOT_FLUX_1 = f"{_FLUX2} {_CHROMA} {_CHROMA_OLD} {_CONTROL} txt_norm.weight txt_norm.scale latent_in.weight"


def _flux(channels: int) -> dict[str, Shape]:
    return {
        "img_in.weight": (3072, channels),
        "txt_in.weight": (3072, 4096),
        "vector_in.in_layer.weight": (3072, 768),
        "single_blocks.0.linear1.weight": (21504, 3072),
    }


_FLUXES = (
    rule("flux-1", f"{_QK} guidance_in.in_layer.weight", lacks=_NOT_FLUX_1, shapes=_flux(64), variant="dev"),
    rule(
        "flux-1",
        _QK,
        lacks=f"guidance_in.in_layer.weight guidance_in.in_layer.bias {_NOT_FLUX_1}",
        shapes=_flux(64),
        variant="schnell",
    ),
    rule("flux-1", _QK, lacks=_NOT_FLUX_1, shapes=_flux(384), variant="Fill"),
    rule("flux-1", _QK, lacks=_NOT_FLUX_1, shapes=_flux(128), variant="Canny or Depth"),
    rule("flux-2", _QK, lacks=_CONTROL, shapes={"img_in.weight": (6144, 128), _FLUX2: (36864, 6144)}, variant="dev"),
    rule(
        "flux-2", _QK, lacks=_CONTROL, shapes={"img_in.weight": (4096, 128), _FLUX2: (24576, 4096)}, variant="klein 9B"
    ),
    rule(
        "flux-2", _QK, lacks=_CONTROL, shapes={"img_in.weight": (3072, 128), _FLUX2: (18432, 3072)}, variant="klein 4B"
    ),
    rule(
        "chroma",
        f"{_QK} distilled_guidance_layer.(norms.0.scale|norms.0.weight|0.norms.0.scale|0.norms.0.weight)",
        lacks=f"{_RADIANCE} {_CONTROL}",
        shapes={"img_in.weight": (3072, 64), "single_blocks.0.linear1.weight": (21504, 3072)},
    ),
    rule(
        "chroma-radiance",
        f"{_QK} distilled_guidance_layer.norms.0.(scale|weight) nerf_blocks.0.norm.(scale|weight)",
        shapes={"img_in_patch.weight": (3072, 3, None, None), "single_blocks.0.linear1.weight": (21504, 3072)},
    ),
    rule(
        "longcat-image",
        f"{_QK} double_blocks.0.img_mod.lin.weight",
        lacks=f"vector_in.in_layer.weight {_NOT_FLUX_1}",
        shapes={"img_in.weight": (3072, 64), "txt_in.weight": (3072, 3584)},
    ),
    rule("ovis-image", f"{_QK} double_blocks.0.img_mlp.gate_proj.weight txt_norm.(scale|weight) img_in.weight"),
)

_STABILITY = (
    rule(
        "sd-3",
        "joint_blocks.0.context_block.attn.qkv.weight",
        lacks="joint_blocks.0.context_block.attn.ln_q.weight joint_blocks.0.x_block.attn.ln_q.weight "
        f"joint_blocks.0.x_block.attn2.qkv.weight joint_blocks.1.x_block.attn2.qkv.weight {_CONTROL}",
        shapes={"x_embedder.proj.weight": (1536, 16, 2, 2), "context_embedder.weight": (1536, 4096)},
        variant="medium",
    ),
    rule(
        "sd-3.5",
        "joint_blocks.0.context_block.attn.ln_q.weight joint_blocks.0.x_block.attn2.qkv.weight",
        lacks=_CONTROL,
        shapes={"x_embedder.proj.weight": (1536, 16, 2, 2), "context_embedder.weight": (1536, 4096)},
        variant="medium",
    ),
    rule(
        "sd-3.5",
        "joint_blocks.0.context_block.attn.ln_q.weight",
        lacks=_CONTROL,
        shapes={"x_embedder.proj.weight": (2432, 16, 2, 2), "context_embedder.weight": (2432, 4096)},
        variant="large",
    ),
    rule(
        "stable-cascade",
        "clf.1.weight down_blocks.0.0.channelwise.0.weight",
        shapes={"clip_txt_mapper.weight": ((1536, 2048), 1280)},
        variant="stage C",
    ),
    rule(
        "stable-cascade",
        "clf.1.weight effnet_mapper.0.weight down_blocks.1.0.channelwise.0.weight",
        shapes={"clip_mapper.weight": (None, 1280)},
        variant="stage B",
    ),
    rule(
        "stable-audio",
        "transformer.rotary_pos_emb.inv_freq to_global_embed.0.weight to_timestep_embed.0.weight "
        "postprocess_conv.weight transformer.project_in.weight",
        shapes={"to_cond_embed.0.weight": (None, 768)},
    ),
)

_PICTURES = (
    rule(
        "auraflow",
        "double_layers.0.attn.w1q.weight single_layers.0.attn.w1q.weight",
        shapes={"cond_seq_linear.weight": (3072, 2048)},
    ),
    rule(
        "pixart",
        "blocks.0.cross_attn.kv_linear.weight ar_embedder.mlp.0.weight",
        lacks="mlp_t5.0.weight",
        shapes={"t_block.1.weight": (6912, 1152), "x_embedder.proj.weight": (1152, 4, 2, 2)},
        variant="alpha",
    ),
    rule(
        "pixart",
        "blocks.0.cross_attn.kv_linear.weight",
        lacks="mlp_t5.0.weight ar_embedder.mlp.0.weight",
        shapes={"t_block.1.weight": (6912, 1152), "x_embedder.proj.weight": (1152, 4, 2, 2)},
    ),
    rule("sana", "blocks.0.mlp.inverted_conv.conv.weight t_block.1.weight y_embedder.y_proj.fc1.weight"),
    rule(
        "hunyuan-dit",
        "blocks.0.attn1.Wqkv.weight extra_embedder.0.weight",
        lacks="after_proj_list.0.weight after_proj_list.0.bias",
        shapes={"mlp_t5.0.weight": (8192, 2048), "x_embedder.proj.weight": (1408, 4, 2, 2)},
    ),
    rule(
        "lumina-2",
        "noise_refiner.0.attention.k_norm.weight layers.0.attention.qkv.weight",
        lacks="clip_text_pooled_proj.0.weight dec_net.cond_embed.weight",
        shapes={"cap_embedder.1.weight": (2304, 2304), "x_embedder.weight": (2304, 64)},
    ),
    rule(
        "newbie",
        "noise_refiner.0.attention.k_norm.weight clip_text_pooled_proj.0.weight",
        shapes={"cap_embedder.1.weight": (2304, None)},
    ),
    rule(
        "z-image",
        "noise_refiner.0.attention.k_norm.weight layers.0.adaLN_modulation.0.weight",
        lacks="dec_net.cond_embed.weight clip_text_pooled_proj.0.weight",
        shapes={"cap_embedder.1.weight": (3840, 2560), "x_embedder.weight": (3840, 64)},
    ),
    rule(
        "hidream",
        "caption_projection.0.linear.weight double_stream_blocks.0.block.attn1.to_q.weight",
        shapes={"x_embedder.proj.weight": (2560, 64)},
    ),
    rule("hidream-o1", "t_embedder1.mlp.0.weight x_embedder.proj1.weight"),
    rule(
        "qwen-image",
        "transformer_blocks.0.img_mlp.net.0.proj.weight transformer_blocks.0.attn.add_k_proj.bias",
        lacks=_CONTROL,
        shapes={"txt_norm.weight": (3584,), "img_in.weight": (3072, 64), "proj_out.weight": (64, 3072)},
    ),
    rule(
        "qwen-image-2.1",
        "modulation.1.weight transformer_blocks.0.attn.norm_q.weight "
        "transformer_blocks.0.img_mlp.(gate_up|proj).weight",
        shapes={"txt_in.text_norm.weight": (4096,), "img_in.weight": (4096, 64), "proj_out.weight": (64, 4096)},
    ),
    rule("mage-flow", shapes={"txt_norm.weight": (2560,), "proj_out.weight": (128, None)}),
    rule("lens", "transformer_blocks.0.attn.norm_added_q.weight transformer_blocks.0.img_mlp.w1.weight img_in.weight"),
    rule(
        "omnigen-2",
        "time_caption_embed.timestep_embedder.linear_1.bias ref_image_patch_embedder.weight",
        lacks="double_stream_layers.0.img_instruct_attn.processor.img_to_q.weight",
        shapes={"x_embedder.weight": (2520, 64)},
    ),
    rule(
        "boogu-image",
        "double_stream_layers.0.img_instruct_attn.processor.img_to_q.weight "
        "time_caption_embed.caption_embedder.0.weight",
    ),
    rule("krea-2", "txtfusion.projector.weight first.weight blocks.0.attn.wq.weight"),
    rule(
        "ideogram-4",
        "embed_image_indicator.weight input_proj.weight llm_cond_proj.weight layers.0.attention.qkv.weight",
    ),
    rule(
        "ernie-image",
        "layers.0.mlp.linear_fc2.weight layers.0.adaLN_sa_ln.weight final_linear.weight",
        shapes={"x_embedder.proj.weight": (4096, 128, 1, 1)},
    ),
    rule("pixeldit", "core.pixel_embedder.proj.weight core.pixel_blocks.0.attn.q_norm.weight"),
)

_VIDEOS = (
    rule(
        "hunyuan-video",
        "txt_in.individual_token_refiner.blocks.0.norm1.weight double_blocks.0.(img_attn.qkv|img_attn_qkv).weight "
        "vector_in.(in_layer|mlp.0).weight",
        lacks="vision_in.proj.0.weight",
        shapes={"img_in.proj.weight": (3072, (16, 32, 33), 1, 2, 2)},
    ),
    rule(
        "hunyuan-video-1.5",
        "txt_in.individual_token_refiner.blocks.0.norm1.weight byt5_in.fc1.weight",
        shapes={"vision_in.proj.0.weight": (1152,), "img_in.proj.weight": (2048, (32, 65, 98), 1, (1, 2), (1, 2))},
    ),
    rule(
        "hunyuan-image-2.1",
        "txt_in.individual_token_refiner.blocks.0.norm1.weight byt5_in.fc1.weight",
        lacks="vector_in.in_layer.weight vector_in.mlp.0.weight vision_in.proj.0.weight",
        shapes={"img_in.proj.weight": (3584, 64, 1, 1)},
    ),
    rule(
        "hunyuan-image-2.1",
        "txt_in.individual_token_refiner.blocks.0.norm1.weight time_r_in.(mlp.0|in_layer).weight",
        lacks="vector_in.in_layer.weight vector_in.mlp.0.weight vision_in.proj.0.weight",
        shapes={"img_in.proj.weight": (3328, None, 1, 1, 1)},
        variant="refiner",
    ),
    rule(
        "ltx-video",
        "adaln_single.emb.timestep_embedder.linear_1.(weight|bias) transformer_blocks.0.attn2.to_k.weight",
        lacks="pos_embed.proj.weight audio_adaln_single.linear.weight audio_patchify_proj.weight "
        "transformer_blocks.0.audio_attn1.to_q.weight",
        shapes={"patchify_proj.weight": ((2048, 4096), 128)},
    ),
    rule(
        "ltx-2",
        "adaln_single.emb.timestep_embedder.linear_1.(weight|bias) audio_adaln_single.linear.weight",
        shapes={"patchify_proj.weight": (4096, 128)},
    ),
    rule(
        "cosmos",
        "blocks.block0.blocks.0.block.attn.to_q.0.weight",
        shapes={"x_embedder.proj.1.weight": ((4096, 5120), (68, 72))},
    ),
    rule(
        "cosmos",
        "blocks.0.mlp.layer1.weight blocks.0.cross_attn.q_proj.weight",
        lacks="llm_adapter.blocks.0.cross_attn.q_proj.weight llm_adapter.blocks.1.cross_attn.q_proj.weight",
        shapes={"x_embedder.proj.1.weight": ((2048, 5120), (68, 72))},
        variant="Predict2",
    ),
    rule(
        "anima",
        "blocks.0.mlp.layer1.weight llm_adapter.blocks.0.cross_attn.q_proj.weight",
        shapes={"x_embedder.proj.1.weight": (2048, (68, 72))},
    ),
    rule(
        "mochi",
        "t5_y_embedder.to_q.weight blocks.0.attn.qkv_x.weight",
        shapes={"t5_yproj.weight": (1536, 4096)},
    ),
    rule(
        "cogvideox",
        "blocks.0.norm1.linear.weight patch_embed.proj.weight",
        shapes={"patch_embed.text_proj.weight": ((1920, 3072), 4096)},
    ),
    rule(
        "kandinsky-5",
        "visual_transformer_blocks.0.cross_attention.key_norm.weight "
        "text_transformer_blocks.0.feed_forward.in_layer.weight",
        shapes={"visual_embeddings.in_layer.bias": ((1792, 2560, 4096),)},
    ),
    rule("minimax-h3", "video_patch_proj.weight audio_patch_proj.weight final_layer.video_out.weight"),
    rule("seedvr2", "blocks.31.mlp.all.proj_in_gate.weight vid_in.proj.weight txt_in.weight"),
    rule("seedvr2", "blocks.35.mlp.vid.proj_out.weight vid_in.proj.weight txt_in.weight"),
)

_OTHERS = (
    rule(
        "ace-step",
        "lyric_embs.weight transformer_blocks.0.cross_attn.to_q.weight",
        shapes={"genre_embedder.weight": (2560, 768)},
    ),
    rule(
        "ace-step-1.5",
        "encoder.lyric_encoder.layers.0.input_layernorm.weight decoder.layers.0.self_attn_norm.weight",
    ),
    rule(
        "hunyuan3d",
        "double_blocks.0.img_attn.qkv.weight",
        shapes={"latent_in.weight": (1024, 64), "cond_in.weight": (1024, (1024, 1536))},
        variant="2.0",
    ),
    rule(
        "hunyuan3d",
        "t_embedder.mlp.2.weight blocks.0.attn1.k_norm.weight blocks.0.attn2.k_norm.weight",
        shapes={"x_embedder.weight": (2048, 64)},
        variant="2.1",
    ),
)

TRANSFORMERS = Table(_FLUXES + _STABILITY + _PICTURES + _VIDEOS + _OTHERS, HOMES)
