"""Files of each family, as lists of tensors: whole models in their spellings, and adapters as trainers write them."""

from hikaze.daemon.content.header import Tensor

from .tensors import listed, matrices, without


def unet(context: int, *, width: int = 320, channels: int = 4, label: int | None = None) -> list[Tensor]:
    """A UNet of four levels in the original naming, as that of Stable Diffusion 1 and 2."""
    spec = f"""
    time_embed.{{0,2}}.weight 1280x1280
    input_blocks.0.0.weight {width}x{channels}x3x3
    input_blocks.{{1,2}}.0.in_layers.2.weight 320x320x3x3
    input_blocks.{{1,2}}.1.transformer_blocks.0.attn1.{{to_q,to_k,to_v}}.weight 320x320
    input_blocks.{{1,2}}.1.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 320x{context}
    input_blocks.{{4,5}}.1.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 640x{context}
    input_blocks.{{7,8}}.1.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 1280x{context}
    middle_block.1.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 1280x{context}
    output_blocks.{{3-5}}.1.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 1280x{context}
    output_blocks.{{6-8}}.1.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 640x{context}
    output_blocks.{{9-11}}.1.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 320x{context}
    out.2.weight 4x320x3x3
    """
    return listed(spec) + (listed(f"label_emb.0.0.weight 1280x{label}") if label else [])


def unet_xl(*, middle: int = 10, upper: int = 2, label: int = 2816, channels: int = 4) -> list[Tensor]:
    """A UNet of three levels in the original naming, as that of XL; the smaller ones have no middle."""
    tensors = listed(f"""
    time_embed.{{0,2}}.weight 1280x1280
    label_emb.0.0.weight 1280x{label}
    label_emb.0.2.weight 1280x1280
    input_blocks.0.0.weight 320x{channels}x3x3
    input_blocks.{{4,5}}.1.transformer_blocks.{{0-{upper - 1}}}.attn1.{{to_q,to_k,to_v}}.weight 640x640
    input_blocks.{{4,5}}.1.transformer_blocks.{{0-{upper - 1}}}.attn2.{{to_k,to_v}}.weight 640x2048
    input_blocks.{{7,8}}.1.transformer_blocks.{{0-{middle - 1}}}.attn2.{{to_k,to_v}}.weight 1280x2048
    middle_block.1.transformer_blocks.{{0-{middle - 1}}}.attn2.{{to_k,to_v}}.weight 1280x2048
    output_blocks.{{0-2}}.1.transformer_blocks.{{0-{middle - 1}}}.attn2.{{to_k,to_v}}.weight 1280x2048
    output_blocks.{{3-5}}.1.transformer_blocks.{{0-{upper - 1}}}.attn2.{{to_k,to_v}}.weight 640x2048
    out.2.weight 4x320x3x3
    """)
    return tensors if middle == 10 else without(tensors, "middle_block")


def diffusers_unet(context: int, *, added: str = "", channels: int = 4) -> list[Tensor]:
    return listed(f"""
    conv_in.weight 320x{channels}x3x3
    conv_out.weight 4x320x3x3
    time_embedding.linear_1.weight 1280x320
    down_blocks.0.attentions.{{0,1}}.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 320x{context}
    down_blocks.1.attentions.{{0,1}}.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 640x{context}
    down_blocks.2.attentions.{{0,1}}.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 1280x{context}
    mid_block.attentions.0.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 1280x{context}
    up_blocks.3.attentions.{{0-2}}.transformer_blocks.0.attn2.{{to_k,to_v}}.weight 320x{context}
    {added or "time_embedding.linear_2.weight 1280x1280"}
    """)


def diffusers_xl(added: int = 2816) -> list[Tensor]:
    return listed(f"""
    conv_in.weight 320x4x3x3
    conv_out.weight 4x320x3x3
    add_embedding.linear_1.weight 1280x{added}
    down_blocks.1.attentions.{{0,1}}.transformer_blocks.{{0,1}}.attn2.{{to_k,to_v}}.weight 640x2048
    down_blocks.2.attentions.{{0,1}}.transformer_blocks.{{0-9}}.attn2.{{to_k,to_v}}.weight 1280x2048
    mid_block.attentions.0.transformer_blocks.{{0-9}}.attn2.{{to_k,to_v}}.weight 1280x2048
    up_blocks.0.attentions.{{0-2}}.transformer_blocks.{{0-9}}.attn2.{{to_k,to_v}}.weight 1280x2048
    """)


def flux(channels: int = 64, *, guidance: bool = True, norm: str = "scale", more: str = "") -> list[Tensor]:
    guided = "guidance_in.in_layer.weight 3072x256" if guidance else "time_in.out_layer.weight 3072x3072"
    return listed(f"""
    img_in.weight 3072x{channels}
    img_in.bias 3072
    txt_in.weight 3072x4096
    time_in.in_layer.weight 3072x256
    vector_in.in_layer.weight 3072x768
    {guided}
    double_blocks.{{0-18}}.{{img,txt}}_attn.qkv.weight 9216x3072
    double_blocks.{{0-18}}.{{img,txt}}_attn.norm.{{key_norm,query_norm}}.{norm} 128
    double_blocks.{{0-18}}.{{img,txt}}_mod.lin.weight 18432x3072
    double_blocks.{{0-18}}.{{img,txt}}_mlp.0.weight 12288x3072
    single_blocks.{{0-37}}.linear1.weight 21504x3072
    single_blocks.{{0-37}}.linear2.weight 3072x15360
    single_blocks.{{0-37}}.modulation.lin.weight 9216x3072
    final_layer.linear.weight 64x3072
    {more or "final_layer.linear.bias 64"}
    """)


def flux_2(width: int, doubles: int, singles: int, text: int) -> list[Tensor]:
    return listed(f"""
    img_in.weight {width}x128
    txt_in.weight {width}x{text}
    double_stream_modulation_{{img,txt}}.lin.weight {6 * width}x{width}
    single_stream_modulation.lin.weight {3 * width}x{width}
    double_blocks.{{0-{doubles - 1}}}.{{img,txt}}_attn.qkv.weight {3 * width}x{width}
    double_blocks.{{0-{doubles - 1}}}.img_attn.norm.{{key_norm,query_norm}}.scale 128
    single_blocks.{{0-{singles - 1}}}.linear1.weight {9 * width}x{width}
    final_layer.linear.weight 128x{width}
    """)


def chroma(norms: str = "norms", more: str = "img_in.weight 3072x64") -> list[Tensor]:
    return listed(f"""
    txt_in.weight 3072x4096
    distilled_guidance_layer.in_proj.weight 5120x64
    distilled_guidance_layer.{norms}.{{0-4}}.scale 5120
    double_blocks.{{0-18}}.{{img,txt}}_attn.qkv.weight 9216x3072
    double_blocks.{{0-18}}.{{img,txt}}_attn.norm.{{key_norm,query_norm}}.scale 128
    single_blocks.{{0-37}}.linear1.weight 21504x3072
    {more}
    """)


def sd_3(width: int, *, normed: bool = False, dual: bool = False) -> list[Tensor]:
    more = ("joint_blocks.{0-9}.{context,x}_block.attn.{ln_q,ln_k}.weight 64\n" if normed else "") + (
        f"joint_blocks.{{0-9}}.x_block.attn2.qkv.weight {3 * width}x{width}\n" if dual else ""
    )
    return listed(f"""
    x_embedder.proj.weight {width}x16x2x2
    context_embedder.weight {width}x4096
    y_embedder.mlp.0.weight {width}x2048
    pos_embed 1x36864x{width}
    joint_blocks.{{0-{width // 64 - 1}}}.{{context,x}}_block.attn.qkv.weight {3 * width}x{width}
    {more}final_layer.linear.weight 64x{width}
    """)


def wan(width: int, layers: int, channels: int = 16, out: int = 64, more: str = "") -> list[Tensor]:
    return listed(f"""
    patch_embedding.weight {width}x{channels}x1x2x2
    text_embedding.0.weight {width}x4096
    time_embedding.0.weight {width}x256
    time_projection.1.weight {6 * width}x{width}
    blocks.{{0-{layers - 1}}}.{{self,cross}}_attn.{{q,k,v,o}}.weight {width}x{width}
    blocks.{{0-{layers - 1}}}.modulation 1x6x{width}
    head.head.weight {out}x{width}
    head.modulation 1x2x{width}
    {more or "text_embedding.0.bias " + str(width)}
    """)


def diffusers_flux(channels: int = 64, more: str = "") -> list[Tensor]:
    return listed(f"""
    x_embedder.weight 3072x{channels}
    context_embedder.weight 3072x4096
    time_text_embed.text_embedder.linear_1.weight 3072x768
    time_text_embed.guidance_embedder.linear_1.weight 3072x256
    transformer_blocks.{{0-18}}.attn.{{to_q,to_k,to_v,add_q_proj,add_k_proj,add_v_proj}}.weight 3072x3072
    single_transformer_blocks.{{0-37}}.attn.{{to_q,to_k,to_v}}.weight 3072x3072
    single_transformer_blocks.{{0-37}}.proj_mlp.weight 12288x3072
    {more or "proj_out.weight 64x3072"}
    """)


def diffusers_sd_3(width: int, more: str = "") -> list[Tensor]:
    return listed(f"""
    pos_embed.proj.weight {width}x16x2x2
    context_embedder.weight {width}x4096
    time_text_embed.text_embedder.linear_1.weight {width}x2048
    transformer_blocks.{{0-23}}.attn.{{to_q,to_k,to_v,add_q_proj,add_k_proj,add_v_proj}}.weight {width}x{width}
    {more or "proj_out.weight 64x" + str(width)}
    """)


def lumina(width: int, text: int, more: str = "") -> list[Tensor]:
    return listed(f"""
    x_embedder.weight {width}x64
    cap_embedder.0.weight {text}
    cap_embedder.1.weight {width}x{text}
    {{noise,context}}_refiner.{{0,1}}.attention.k_norm.weight 128
    layers.{{0-25}}.attention.qkv.weight {3 * width}x{width}
    layers.{{0-25}}.adaLN_modulation.{{0,1}}.weight {4 * width}x256
    {more or "final_layer.linear.weight 64x" + str(width)}
    """)


def hunyuan_video(style: str = "img_attn_qkv", channels: int = 16) -> list[Tensor]:
    return listed(f"""
    img_in.proj.weight 3072x{channels}x1x2x2
    txt_in.individual_token_refiner.blocks.{{0,1}}.norm1.weight 3072
    txt_in.input_embedder.weight 3072x4096
    vector_in.in_layer.weight 3072x768
    double_blocks.{{0-19}}.{style}.weight 9216x3072
    single_blocks.{{0-39}}.linear1.weight 21504x3072
    final_layer.linear.weight 64x3072
    """)


LTX = """
patchify_proj.weight {width}x128
adaln_single.emb.timestep_embedder.linear_1.{{weight,bias}} {width}x256
caption_projection.linear_1.weight {width}x4096
transformer_blocks.{{0-27}}.attn{{1,2}}.{{to_q,to_k,to_v}}.weight {width}x{width}
scale_shift_table 2x{width}
"""

PIXART = """
x_embedder.proj.weight 1152x4x2x2
t_block.1.weight 6912x1152
y_embedder.y_proj.fc1.weight 1152x4096
y_embedder.y_embedding 300x4096
blocks.{0-27}.attn.qkv.weight 3456x1152
blocks.{0-27}.cross_attn.kv_linear.weight 2304x1152
"""

MODELS: dict[str, dict[str, list[Tensor]]] = {
    "sd-1": {
        "original": unet(768),
        "inpainting": unet(768, channels=9),
        "diffusers": diffusers_unet(768),
    },
    "sd-2": {
        "original": unet(1024),
        "depth": unet(1024, channels=5),
        "unCLIP": unet(1024, label=2048),
        "diffusers": diffusers_unet(1024),
    },
    "sd-x4-upscaler": {
        "original": listed("""
        input_blocks.0.0.weight 256x7x3x3
        label_emb.weight 1000x1024
        """)
    },
    "sdxl": {"original": unet_xl(), "inpainting": unet_xl(channels=9), "diffusers": diffusers_xl()},
    "playground-2.5": {"original": unet_xl()},
    "ssd-1b": {"original": unet_xl(middle=4)},
    "segmind-vega": {"original": unet_xl(middle=2, upper=1)},
    "koala": {
        "original": listed("""
        input_blocks.0.0.weight 320x4x3x3
        label_emb.0.0.weight 1280x2816
        input_blocks.3.1.transformer_blocks.{0,1}.attn2.{to_k,to_v}.weight 640x2048
        input_blocks.5.1.transformer_blocks.{0-5}.attn2.{to_k,to_v}.weight 1280x2048
        """)
    },
    "kolors": {"original": unet_xl(label=5632), "diffusers": diffusers_xl(5632)},
    "sdxl-refiner": {
        "original": listed("""
        input_blocks.0.0.weight 384x4x3x3
        label_emb.0.0.weight 1536x2560
        input_blocks.{4,5}.1.transformer_blocks.{0-3}.attn2.{to_k,to_v}.weight 768x1280
        input_blocks.{7,8}.1.transformer_blocks.{0-3}.attn2.{to_k,to_v}.weight 1536x1280
        out.2.weight 4x384x3x3
        """)
    },
    "svd": {
        "original": unet(1024, channels=8, label=768)
        + listed("""
        input_blocks.{1,2}.1.time_stack.0.attn1.to_q.weight 320x320
        input_blocks.{1,2}.1.time_mixer.mix_factor 1
        middle_block.1.time_stack.0.attn1.to_q.weight 1280x1280
        output_blocks.{3-11}.1.time_stack.0.attn1.to_q.weight 320x320
        """)
    },
    "zero123": {"original": unet(768, channels=8)},
    "flux-1": {
        "dev": flux(),
        "schnell": flux(guidance=False),
        "Fill": flux(384),
        "Canny": flux(128),
        "with weight norms": flux(norm="weight"),
        "diffusers": diffusers_flux(),
    },
    "flux-2": {
        "dev": flux_2(6144, 8, 48, 15360),
        "klein 9B": flux_2(4096, 8, 24, 12288),
        "klein 4B": flux_2(3072, 5, 20, 7680),
        "diffusers": listed("""
        x_embedder.weight 6144x128
        context_embedder.weight 6144x15360
        double_stream_modulation_{img,txt}.linear.weight 36864x6144
        transformer_blocks.{0-7}.attn.add_k_proj.weight 6144x6144
        single_transformer_blocks.{0-47}.attn.to_qkv_mlp_proj.weight 55296x6144
        """),
    },
    "chroma": {
        "original": chroma(),
        "early": chroma("0.norms"),
        "diffusers": listed("""
        x_embedder.weight 3072x64
        context_embedder.weight 3072x4096
        distilled_guidance_layer.in_proj.weight 5120x64
        transformer_blocks.{0-18}.attn.add_k_proj.weight 3072x3072
        single_transformer_blocks.{0-37}.attn.to_q.weight 3072x3072
        """),
    },
    "chroma-radiance": {
        "original": chroma(more="img_in_patch.weight 3072x3x16x16\nnerf_blocks.{0-3}.norm.scale 64"),
    },
    "longcat-image": {
        "original": listed("""
        img_in.weight 3072x64
        txt_in.weight 3072x3584
        double_blocks.{0-9}.{img,txt}_mod.lin.weight 18432x3072
        double_blocks.{0-9}.img_attn.norm.key_norm.weight 128
        single_blocks.{0-19}.linear1.weight 21504x3072
        """)
    },
    "ovis-image": {
        "original": listed("""
        img_in.weight 3072x64
        txt_in.weight 3072x2048
        txt_norm.weight 2048
        double_blocks.{0-5}.img_mlp.gate_proj.weight 12288x3072
        double_blocks.{0-5}.img_attn.norm.key_norm.weight 128
        """)
    },
    "sd-3": {"original": sd_3(1536), "diffusers": diffusers_sd_3(1536)},
    "sd-3.5": {
        "medium": sd_3(1536, normed=True, dual=True),
        "large": sd_3(2432, normed=True),
        "diffusers medium": diffusers_sd_3(1536, "transformer_blocks.{0-12}.{attn.norm_q,attn2.to_q}.weight 1536x1536"),
        "diffusers large": diffusers_sd_3(2432, "transformer_blocks.{0-37}.attn.norm_q.weight 64"),
    },
    "stable-cascade": {
        "stage C": listed("""
        clf.1.weight 16x2048x1x1
        clip_txt_mapper.weight 2048x1280
        down_blocks.0.{0-9}.channelwise.0.weight 8192x2048
        """),
        "stage B": listed("""
        clf.1.weight 16x320x1x1
        clip_mapper.weight 5120x1280
        effnet_mapper.0.weight 1280x16x1x1
        down_blocks.1.0.channelwise.0.weight 2560x640
        """),
    },
    "stable-audio": {
        "original": listed("""
        transformer.rotary_pos_emb.inv_freq 16
        transformer.project_in.weight 1536x64
        to_cond_embed.0.weight 768x768
        to_global_embed.0.weight 1536x1536
        to_timestep_embed.0.weight 1536x256
        postprocess_conv.weight 64x64x1
        """)
    },
    "auraflow": {
        "original": listed("""
        cond_seq_linear.weight 3072x2048
        positional_encoding 1x4096x3072
        double_layers.{0-3}.attn.{w1q,w1k,w1v,w1o}.weight 3072x3072
        single_layers.{0-31}.attn.{w1q,w1k,w1v,w1o}.weight 3072x3072
        """),
        "diffusers": listed("""
        context_embedder.weight 3072x2048
        joint_transformer_blocks.{0-3}.attn.{to_q,add_k_proj}.weight 3072x3072
        single_transformer_blocks.{0-31}.attn.to_q.weight 3072x3072
        """),
    },
    "pixart": {
        "sigma": listed(PIXART),
        "alpha": listed(PIXART + "ar_embedder.mlp.0.weight 384x256"),
        "diffusers": listed("""
        pos_embed.proj.weight 1152x4x2x2
        adaln_single.emb.timestep_embedder.linear_1.{weight,bias} 1152x256
        caption_projection.linear_1.weight 1152x4096
        transformer_blocks.{0-27}.attn{1,2}.to_k.weight 1152x1152
        transformer_blocks.{0-27}.ff.net.0.proj.weight 4608x1152
        """),
    },
    "sana": {
        "original": listed("""
        x_embedder.proj.weight 2240x32x1x1
        t_block.1.weight 13440x2240
        y_embedder.y_proj.fc1.weight 2240x2304
        blocks.{0-19}.mlp.inverted_conv.conv.weight 11200x2240x1x1
        """)
    },
    "hunyuan-dit": {
        "original": listed("""
        x_embedder.proj.weight 1408x4x2x2
        mlp_t5.0.weight 8192x2048
        extra_embedder.0.weight 5632x1024
        blocks.{0-39}.attn1.Wqkv.weight 4224x1408
        blocks.{0-39}.attn2.kv_proj.weight 2816x1024
        """),
        "diffusers": listed("""
        pos_embed.proj.weight 1408x4x2x2
        text_embedder.linear_1.weight 8192x2048
        blocks.{0-39}.attn2.to_k.weight 1408x1024
        """),
    },
    "lumina-2": {
        "original": lumina(2304, 2304),
        "diffusers": listed("""
        x_embedder.weight 2304x64
        time_caption_embed.caption_embedder.1.weight 2304x2304
        {noise,context}_refiner.{0,1}.attn.to_q.weight 2304x2304
        layers.{0-25}.attn.to_q.weight 2304x2304
        """),
    },
    "newbie": {"original": lumina(2304, 2560, "clip_text_pooled_proj.0.weight 1024")},
    "z-image": {
        "original": lumina(3840, 2560),
        "diffusers": listed("""
        all_x_embedder.2-1.weight 3840x64
        cap_embedder.1.weight 3840x2560
        noise_refiner.{0,1}.attention.to_q.weight 3840x3840
        layers.{0-29}.attention.to_q.weight 3840x3840
        """),
    },
    "hidream": {
        "original": listed("""
        x_embedder.proj.weight 2560x64
        caption_projection.{0-48}.linear.weight 2560x4096
        double_stream_blocks.{0-15}.block.attn1.to_q.weight 2560x2560
        """)
    },
    "hidream-o1": {
        "original": listed("""
        t_embedder1.mlp.0.weight 4096x256
        x_embedder.proj1.weight 1024x3072
        """)
    },
    "qwen-image": {
        "original": listed("""
        img_in.weight 3072x64
        txt_norm.weight 3584
        txt_in.weight 3072x3584
        proj_out.weight 64x3072
        transformer_blocks.{0-59}.attn.{to_q,add_k_proj}.{weight,bias} 3072x3072
        transformer_blocks.{0-59}.{img,txt}_mlp.net.0.proj.weight 12288x3072
        """)
    },
    "qwen-image-2.1": {
        "original": listed("""
        img_in.weight 4096x64
        txt_in.text_norm.weight 4096
        modulation.1.weight 16384x4096
        proj_out.weight 64x4096
        transformer_blocks.{0-31}.attn.norm_q.weight 128
        transformer_blocks.{0-31}.img_mlp.gate_up.weight 24576x4096
        """)
    },
    "mage-flow": {
        "original": listed("""
        txt_norm.weight 2560
        proj_out.weight 128x3072
        img_in.weight 3072x128
        """)
    },
    "lens": {
        "original": listed("""
        img_in.weight 3072x128
        transformer_blocks.{0-31}.attn.norm_added_q.weight 64
        transformer_blocks.{0-31}.img_mlp.w1.weight 8192x3072
        """)
    },
    "omnigen-2": {
        "original": listed("""
        x_embedder.weight 2520x64
        ref_image_patch_embedder.weight 2520x64
        time_caption_embed.timestep_embedder.linear_1.{weight,bias} 1024x256
        layers.{0-31}.attn.to_q.weight 2520x2520
        """)
    },
    "boogu-image": {
        "original": listed("""
        double_stream_layers.{0-7}.img_instruct_attn.processor.img_to_q.weight 2520x2520
        time_caption_embed.caption_embedder.0.weight 4096
        time_caption_embed.timestep_embedder.linear_1.bias 1024
        """)
    },
    "krea-2": {
        "original": listed("""
        txtfusion.projector.weight 1x12
        first.weight 6144x64
        blocks.{0-27}.attn.wq.weight 6144x6144
        """)
    },
    "ideogram-4": {
        "original": listed("""
        embed_image_indicator.weight 2x4608
        input_proj.weight 4608x128
        llm_cond_proj.weight 4608x53248
        layers.{0-33}.attention.qkv.weight 13824x4608
        """)
    },
    "ernie-image": {
        "original": listed("""
        x_embedder.proj.weight 4096x128x1x1
        layers.{0-35}.mlp.linear_fc2.weight 4096x12288
        layers.{0-35}.adaLN_sa_ln.weight 4096
        final_linear.weight 128x4096
        """)
    },
    "pixeldit": {
        "original": listed("""
        core.pixel_embedder.proj.weight 16x3
        core.pixel_blocks.{0-3}.attn.q_norm.weight 64
        """)
    },
    "hunyuan-video": {
        "original": hunyuan_video(),
        "ComfyUI": hunyuan_video("img_attn.qkv"),
        "I2V": hunyuan_video(channels=33),
        "diffusers": listed("""
        x_embedder.proj.weight 3072x16x1x2x2
        context_embedder.token_refiner.refiner_blocks.{0,1}.norm1.weight 3072
        time_text_embed.text_embedder.linear_1.weight 3072x768
        transformer_blocks.{0-19}.attn.add_k_proj.weight 3072x3072
        single_transformer_blocks.{0-39}.attn.to_q.weight 3072x3072
        """),
    },
    "framepack": {
        "diffusers": listed("""
        x_embedder.proj.weight 3072x16x1x2x2
        clean_x_embedder.{proj,proj_2x}.weight 3072x16x1x2x2
        context_embedder.token_refiner.refiner_blocks.{0,1}.norm1.weight 3072
        time_text_embed.text_embedder.linear_1.weight 3072x768
        transformer_blocks.{0-19}.attn.add_k_proj.weight 3072x3072
        single_transformer_blocks.{0-39}.attn.to_q.weight 3072x3072
        """)
    },
    "hunyuan-video-1.5": {
        "original": listed("""
        img_in.proj.weight 2048x65x1x1x1
        txt_in.individual_token_refiner.blocks.{0,1}.norm1.weight 2048
        byt5_in.fc1.weight 2048x1472
        vision_in.proj.0.weight 1152
        double_blocks.{0-53}.img_attn_qkv.weight 6144x2048
        """)
    },
    "hunyuan-image-2.1": {
        "original": listed("""
        img_in.proj.weight 3584x64x1x1
        txt_in.individual_token_refiner.blocks.{0,1}.norm1.weight 3584
        byt5_in.fc1.weight 2048x1472
        double_blocks.{0-19}.img_attn_qkv.weight 10752x3584
        """),
        "refiner": listed("""
        img_in.proj.weight 3328x128x1x1x1
        txt_in.individual_token_refiner.blocks.{0,1}.norm1.weight 3328
        time_r_in.mlp.0.weight 3328x256
        double_blocks.{0-19}.img_attn_qkv.weight 9984x3328
        """),
    },
    "wan": {
        "14B": wan(5120, 40),
        "VACE 14B": wan(5120, 40, more="vace_patch_embedding.weight 5120x96x1x2x2"),
        "diffusers": listed("""
        patch_embedding.weight 5120x16x1x2x2
        condition_embedder.time_embedder.linear_1.weight 5120x256
        condition_embedder.text_embedder.linear_1.weight 5120x4096
        blocks.{0-39}.attn{1,2}.to_k.weight 5120x5120
        proj_out.weight 64x5120
        scale_shift_table 1x2x5120
        """),
    },
    "wan-2.1": {
        "1.3B": wan(1536, 30),
        "I2V 14B": wan(
            5120, 40, 36, more="img_emb.proj.0.{weight,bias} 1280\nblocks.{0-39}.cross_attn.k_img.weight 5120x5120"
        ),
    },
    "wan-2.2": {
        "5B": wan(3072, 30, 48, 192),
        "I2V 14B": wan(5120, 40, 36),
        "S2V": wan(5120, 40, more="casual_audio_encoder.encoder.final_linear.weight 5120x1024"),
        "Animate": wan(
            5120,
            40,
            36,
            more="face_adapter.fuser_blocks.{0-7}.k_norm.weight 128\nimg_emb.proj.0.{weight,bias} 1280\n"
            "blocks.{0-39}.cross_attn.k_img.weight 5120x5120",
        ),
    },
    "ltx-video": {
        "2B": listed(LTX.format(width=2048)),
        "13B": listed(LTX.format(width=4096)),
        "diffusers": listed("""
        proj_in.weight 2048x128
        proj_out.weight 128x2048
        time_embed.emb.timestep_embedder.linear_1.weight 2048x256
        caption_projection.linear_1.weight 2048x4096
        transformer_blocks.{0-27}.attn{1,2}.to_k.weight 2048x2048
        """),
    },
    "ltx-2": {
        "original": listed(
            LTX.format(width=4096)
            + """
            audio_adaln_single.linear.weight 12288x2048
            audio_patchify_proj.weight 2048x128
            transformer_blocks.{0-47}.audio_attn1.to_q.weight 2048x2048
            """
        )
    },
    "cosmos": {
        "7B": listed("""
        x_embedder.proj.1.weight 4096x68
        blocks.block{0-27}.blocks.0.block.attn.to_q.0.weight 4096x4096
        """),
        "Predict2": listed("""
        x_embedder.proj.1.weight 2048x68
        blocks.{0-27}.mlp.layer1.weight 8192x2048
        blocks.{0-27}.cross_attn.q_proj.weight 2048x2048
        """),
    },
    "anima": {
        "original": listed("""
        x_embedder.proj.1.weight 2048x68
        blocks.{0-27}.mlp.layer1.weight 8192x2048
        blocks.{0-27}.cross_attn.q_proj.weight 2048x2048
        llm_adapter.blocks.{0-5}.cross_attn.q_proj.weight 1024x1024
        """)
    },
    "mochi": {
        "original": listed("""
        t5_yproj.weight 1536x4096
        t5_y_embedder.to_q.weight 4096x4096
        blocks.{0-47}.attn.qkv_x.weight 9216x3072
        """)
    },
    "cogvideox": {
        "diffusers": listed("""
        patch_embed.proj.weight 3072x16x2x2
        patch_embed.text_proj.weight 3072x4096
        transformer_blocks.{0-41}.norm1.linear.weight 18432x512
        transformer_blocks.{0-41}.attn1.to_q.weight 3072x3072
        """)
    },
    "kandinsky-5": {
        "lite": listed("""
        visual_embeddings.in_layer.bias 1792
        visual_transformer_blocks.{0-31}.cross_attention.key_norm.weight 64
        text_transformer_blocks.{0,1}.feed_forward.in_layer.weight 7168x1792
        """)
    },
    "minimax-h3": {
        "original": listed("""
        video_patch_proj.weight 5120x96
        audio_patch_proj.weight 5120x128
        final_layer.video_out.weight 96x5120
        """)
    },
    "seedvr2": {
        "3B": listed("""
        blocks.{0-31}.mlp.all.proj_in_gate.weight 6912x2560
        vid_in.proj.weight 2560x132
        txt_in.weight 2560x5120
        """),
    },
    "ace-step": {
        "original": listed("""
        genre_embedder.weight 2560x768
        lyric_embs.weight 6693x1024
        transformer_blocks.{0-23}.cross_attn.to_q.weight 2560x2560
        """)
    },
    "ace-step-1.5": {
        "original": listed("""
        encoder.lyric_encoder.layers.{0-7}.input_layernorm.weight 2048
        decoder.layers.{0-23}.self_attn_norm.weight 2048
        """)
    },
    "hunyuan3d": {
        "2.0": listed("""
        latent_in.weight 1024x64
        cond_in.weight 1024x1536
        double_blocks.{0-15}.img_attn.qkv.weight 3072x1024
        """),
        "2.1": listed("""
        x_embedder.weight 2048x64
        t_embedder.mlp.{0,2}.weight 8192x2048
        blocks.{0-20}.attn{1,2}.k_norm.weight 128
        """),
    },
}
MODELS["sv3d"] = {
    "u": [
        *(tensor for tensor in MODELS["svd"]["original"] if "label_emb" not in tensor.name),
        *listed("label_emb.0.0.weight 1280x256"),
    ]
}
MODELS["playground-2.5"]["original"] += listed("edm_mean 4\nedm_std 4")
MODELS["zero123"]["original"] += listed("cc_projection.weight 768x772\ncc_projection.bias 768")

SD_LAYERS = """
down_blocks.{{0-2}}.attentions.{{0,1}}.transformer_blocks.0.attn1.{{to_q,to_k,to_v}} 320x320
down_blocks.{{0-2}}.attentions.{{0,1}}.transformer_blocks.0.attn2.to_q 320x320
down_blocks.{{0-2}}.attentions.{{0,1}}.transformer_blocks.0.attn2.{{to_k,to_v}} 320x{context}
up_blocks.{{1-3}}.attentions.{{0-2}}.transformer_blocks.0.attn2.{{to_k,to_v}} 320x{context}
"""
XL_LAYERS = """
input_blocks.{4,5}.1.transformer_blocks.{0,1}.attn2.{to_k,to_v} 640x2048
input_blocks.{7,8}.1.transformer_blocks.{0-9}.attn2.{to_k,to_v} 1280x2048
input_blocks.{7,8}.1.transformer_blocks.{0-9}.attn1.{to_q,to_k,to_v} 1280x1280
output_blocks.{0-2}.1.transformer_blocks.{0-9}.attn2.{to_k,to_v} 1280x2048
"""
XL_DIFFUSERS = """
down_blocks.{1,2}.attentions.{0,1}.transformer_blocks.{0,1}.attn2.{to_k,to_v} 640x2048
mid_block.attentions.0.transformer_blocks.{0-9}.attn2.{to_k,to_v} 1280x2048
"""
TEXT = "lora_te{number}.text_model.encoder.layers.{{0-11}}.self_attn.{{q_proj,k_proj}} {width}x{width}\n"
FLUX_LAYERS = """
double_blocks.{0-18}.{img,txt}_attn.qkv 9216x3072
double_blocks.{0-18}.{img,txt}_attn.proj 3072x3072
double_blocks.{0-18}.{img,txt}_mlp.0 12288x3072
single_blocks.{0-37}.linear1 21504x3072
single_blocks.{0-37}.linear2 3072x15360
"""
FLUX_MODULATION = "double_blocks.{0-18}.{img,txt}_mod.lin 18432x3072\nsingle_blocks.{0-37}.modulation.lin 9216x3072"
FLUX_DIFFUSERS = """
transformer_blocks.{0-18}.attn.{to_q,to_k,to_v,to_out.0,add_q_proj,add_k_proj,add_v_proj,to_add_out} 3072x3072
transformer_blocks.{0-18}.{ff,ff_context}.net.0.proj 12288x3072
single_transformer_blocks.{0-37}.attn.{to_q,to_k,to_v} 3072x3072
single_transformer_blocks.{0-37}.proj_mlp 12288x3072
"""
FLUX_DIFFUSERS_MODULATION = """
transformer_blocks.{0-18}.{norm1,norm1_context}.linear 18432x3072
single_transformer_blocks.{0-37}.norm.linear 9216x3072
"""
HUNYUAN_LAYERS = """
double_blocks.{0-19}.{img,txt}_attn_qkv 9216x3072
double_blocks.{0-19}.{img,txt}_mlp.fc1 12288x3072
single_blocks.{0-39}.linear1 21504x3072
"""
WAN_LAYERS = "blocks.{{0-29}}.{{self,cross}}_attn.{{q,k,v,o}} {width}x{width}\nblocks.{{0-29}}.ffn.0 {feed}x{width}\n"
QWEN_LAYERS = """
transformer_blocks.{0-59}.attn.{to_q,to_k,to_v,add_q_proj,add_k_proj,add_v_proj} 3072x3072
transformer_blocks.{0-59}.{img,txt}_mlp.net.0.proj 12288x3072
"""
QWEN_ATTENTION = "transformer_blocks.{0-59}.attn.{to_q,to_k,to_v,add_q_proj,add_k_proj,add_v_proj} 3072x3072"
SD_3_LAYERS = "joint_blocks.{{0-23}}.{{x,context}}_block.attn.qkv {wide}x{width}\n"
SD_3_DIFFUSERS = "transformer_blocks.{{0-23}}.attn.{{to_q,to_k,add_q_proj,add_k_proj}} {width}x{width}\n"

ADAPTERS: dict[str, dict[str, list[Tensor]]] = {
    "sd-1": {
        **{
            style: matrices(SD_LAYERS.format(context=768), style)
            for style in ("kohya", "diffusers", "old diffusers", "loha", "lokr", "lokr parted", "dora")
        },
        "attention processors": matrices(SD_LAYERS.format(context=768).replace(".to_", ".processor.to_"), "processor"),
        "with text": matrices(SD_LAYERS.format(context=768) + TEXT.format(number="", width=768)),
    },
    "sd-2": {
        "kohya": matrices(SD_LAYERS.format(context=1024)),
        "text only": matrices(TEXT.format(number="", width=1024)),
    },
    "sdxl": {
        **{style: matrices(XL_LAYERS, style) for style in ("kohya", "loha", "lokr", "dora", "diffusion_model")},
        "diffusers": matrices(XL_DIFFUSERS, "diffusers"),
        "SimpleTuner": matrices(XL_DIFFUSERS, "lokr"),
        "with text": matrices(XL_LAYERS + TEXT.format(number=1, width=768) + TEXT.format(number=2, width=1280)),
        "deep, without cross-attention": matrices("output_blocks.0.1.transformer_blocks.{0-9}.attn1.to_q 1280x1280"),
        "CLIP-G, without cross-attention": matrices(
            "input_blocks.4.1.transformer_blocks.0.attn1.to_q 640x640\n" + TEXT.format(number=2, width=1280)
        ),
    },
    "flux-1": {
        "kohya": matrices(FLUX_LAYERS + FLUX_MODULATION),
        "ComfyUI": matrices(FLUX_LAYERS + FLUX_MODULATION, "diffusion_model"),
        "with CLIP": matrices(FLUX_LAYERS + TEXT.format(number=1, width=768)),
        "attention": matrices("double_blocks.{0-18}.{img,txt}_attn.qkv 9216x3072"),
        "XLabs": matrices("double_blocks.{0-18}.processor.{proj,qkv}_lora{1,2} 3072x3072", "xlabs"),
        "diffusers": matrices(FLUX_DIFFUSERS + FLUX_DIFFUSERS_MODULATION, "transformer"),
        "OneTrainer": matrices(FLUX_DIFFUSERS + FLUX_DIFFUSERS_MODULATION, "onetrainer"),
        "SimpleTuner": matrices(FLUX_DIFFUSERS + FLUX_DIFFUSERS_MODULATION, "lokr"),
        "attention in diffusers' names": matrices(
            "transformer_blocks.{0-18}.attn.{to_q,to_k,to_v,to_out.0} 3072x3072\n"
            "single_transformer_blocks.{0-37}.attn.{to_q,to_k,to_v} 3072x3072",
            "transformer",
        ),
        "PEFT": matrices(FLUX_DIFFUSERS + FLUX_DIFFUSERS_MODULATION, "peft"),
    },
    "flux-2": {
        "dev": matrices("single_blocks.{0-47}.linear1 55296x6144\ndouble_blocks.{0-7}.img_attn.qkv 18432x6144"),
        "klein 9B": matrices("double_blocks.{0-7}.img_attn.qkv 12288x4096", "diffusion_model"),
        "klein 4B": matrices(
            "single_blocks.{0-19}.linear1 27648x3072\ndouble_blocks.{0-4}.img_attn.qkv 9216x3072", "diffusion_model"
        ),
        "diffusers": matrices("single_transformer_blocks.{0-47}.attn.to_qkv_mlp_proj 55296x6144", "transformer"),
    },
    "chroma": {
        "with its guidance": matrices(FLUX_LAYERS + "distilled_guidance_layer.layers.{0-4}.in_layer 5120x5120"),
    },
    "sd-3": {"kohya": matrices(SD_3_LAYERS.format(width=1536, wide=4608))},
    "sd-3.5": {
        "large": matrices(SD_3_LAYERS.format(width=2432, wide=7296)),
        "medium": matrices(
            SD_3_LAYERS.format(width=1536, wide=4608) + "joint_blocks.{0-12}.x_block.attn2.qkv 4608x1536"
        ),
        "diffusers large": matrices(SD_3_DIFFUSERS.format(width=2432), "transformer"),
        "diffusers medium": matrices(
            SD_3_DIFFUSERS.format(width=1536) + "transformer_blocks.{0-12}.attn2.to_k 1536x1536", "transformer"
        ),
    },
    "hunyuan-video": {
        "musubi": matrices(HUNYUAN_LAYERS),
        "ComfyUI": matrices(HUNYUAN_LAYERS, "diffusion_model"),
        "attention with dots": matrices("double_blocks.{0-19}.img_attn_qkv 9216x3072", "transformer"),
        "diffusers": matrices("single_transformer_blocks.{0-39}.attn.to_q 3072x3072", "transformer"),
    },
    "wan": {
        "14B": matrices(WAN_LAYERS.format(width=5120, feed=13824), "diffusion_model"),
        "kohya": matrices(WAN_LAYERS.format(width=5120, feed=13824)),
        "diffusers": matrices("blocks.{0-39}.attn{1,2}.{to_q,to_k} 5120x5120", "transformer"),
        "DiffSynth": matrices(WAN_LAYERS.format(width=5120, feed=13824), "peft default"),
    },
    "wan-2.1": {
        "1.3B": matrices(WAN_LAYERS.format(width=1536, feed=8960), "old diffusion_model"),
        "I2V": matrices(
            WAN_LAYERS.format(width=5120, feed=13824) + "blocks.{0-39}.cross_attn.{k_img,v_img} 5120x5120",
            "diffusion_model",
        ),
    },
    "wan-2.2": {"5B": matrices(WAN_LAYERS.format(width=3072, feed=14336), "diffusion_model")},
    "qwen-image": {
        "diffusers": matrices(QWEN_LAYERS, "transformer"),
        "bare": matrices(QWEN_LAYERS, "bare"),
        "kohya": matrices(QWEN_LAYERS),
        "attention": matrices(QWEN_ATTENTION, "transformer"),
    },
    "qwen-image-2.1": {
        "ComfyUI": matrices("transformer_blocks.{0-31}.img_mlp.{gate_layer,proj} 12288x4096", "diffusion_model")
    },
    "z-image": {
        "ComfyUI": matrices("layers.{0-29}.attention.{to_q,to_k,to_v,to_out.0} 3840x3840", "diffusion_model"),
        "kohya": matrices("layers.{0-29}.attention.qkv 11520x3840"),
    },
    "lumina-2": {"kohya": matrices("layers.{0-25}.attention.qkv 3840x2304")},
    "ideogram-4": {"ComfyUI": matrices("layers.{0-33}.attention.{qkv,o} 4608x4608", "diffusion_model")},
    "omnigen-2": {"bare": matrices("layers.{0-31}.attn.{to_q,to_v} 2520x2520", "bare")},
    "ernie-image": {"transformer": matrices("layers.{0-35}.self_attention.{to_q,to_k} 4096x4096", "transformer")},
    "hidream": {"lycoris": matrices("double_stream_blocks.{0-15}.block.attn1.to_q 2560x2560", "lokr")},
    "auraflow": {
        "original": matrices("double_layers.{0-3}.attn.{w1q,w2k} 3072x3072", "diffusion_model"),
        "diffusers": matrices(
            "joint_transformer_blocks.{0-3}.attn.{to_q,add_k_proj} 3072x3072\n"
            "single_transformer_blocks.{0-31}.attn.to_q 3072x3072",
            "transformer",
        ),
    },
    "ltx-video": {
        "ComfyUI": matrices("transformer_blocks.{0-27}.attn{1,2}.{to_q,to_k,to_v} 2048x2048", "diffusion_model")
    },
    "ltx-2": {
        "ComfyUI": matrices(
            "transformer_blocks.{0-47}.attn{1,2}.to_k 4096x4096\n"
            "transformer_blocks.{0-47}.audio_attn{1,2}.to_k 2048x2048",
            "diffusion_model",
        )
    },
    "cogvideox": {"diffusers": matrices("transformer_blocks.{0-41}.attn1.{to_q,to_k} 3072x3072", "transformer")},
    "mochi": {
        "original": matrices("blocks.{0-47}.attn.qkv_x 9216x3072", "bare"),
        "diffusers": matrices(
            "transformer_blocks.{0-47}.attn.to_q 3072x3072\ntransformer_blocks.{0-47}.attn.add_q_proj 3072x1536",
            "transformer",
        ),
    },
    "hunyuan-dit": {"kohya": matrices("blocks.{0-39}.attn1.Wqkv 4224x1408")},
    "pixart": {
        "PEFT": matrices(
            "transformer_blocks.{0-27}.attn2.to_k 1152x1152\ntransformer_blocks.{0-27}.ff.net.0.proj 4608x1152", "peft"
        )
    },
    "kandinsky-5": {"bare": matrices("visual_transformer_blocks.{0-31}.self_attention.to_query 1792x1792", "bare")},
    "krea-2": {"ComfyUI": matrices("txtfusion.refiner_blocks.{0,1}.mlp.up 8192x2560", "diffusion_model")},
    "anima": {
        "kohya": matrices(
            "blocks.{0-27}.self_attn.q_proj 2048x2048\nllm_adapter.blocks.{0-5}.self_attn.v_proj 1024x1024"
        )
    },
    "cosmos": {"14B": matrices("blocks.{0-35}.self_attn.q_proj 5120x5120", "diffusion_model")},
    "ace-step": {"bare": matrices("transformer_blocks.{0-23}.cross_attn.to_q 2560x2560", "bare")},
    "stable-cascade": {"OneTrainer": matrices("down_blocks.0.2.attention.attn.out_proj 2048x2048", "cascade")},
    "sdxl-refiner": {
        "kohya": matrices("input_blocks.{4,5}.1.transformer_blocks.{0-3}.attn2.{to_k,to_v} 768x1280"),
    },
    "svd": {
        "diffusers": matrices(
            "down_blocks.{0-2}.attentions.0.temporal_transformer_blocks.0.attn2.to_k 320x1024\n"
            "down_blocks.{0-2}.attentions.0.transformer_blocks.0.attn2.{to_k,to_v} 320x1024",
            "diffusers",
        )
    },
}
