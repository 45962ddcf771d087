"""Which family of models a file belongs to, told by its tensors, and where they are silent by its metadata."""

from collections.abc import Container, Sequence

import pytest
from hikaze.daemon.content.families.telling import BASE_MODELS, Family, family_of
from hikaze.daemon.content.header import Header, Tensor
from hypothesis import given, settings
from hypothesis import strategies as st

from .familyexamples import (
    ADAPTERS,
    FLUX_DIFFUSERS,
    FLUX_LAYERS,
    HUNYUAN_LAYERS,
    LTX,
    MODELS,
    QWEN_ATTENTION,
    SD_3_DIFFUSERS,
    SD_LAYERS,
    TEXT,
    WAN_LAYERS,
    XL_LAYERS,
    diffusers_unet,
    flux,
    lumina,
    sd_3,
    unet,
    unet_xl,
    wan,
)
from .tensors import listed, matrices, without

MARKS_AT_THE_TOP = ("edm_", "cc_projection.")
COMMON_PARTS = """
first_stage_model.decoder.conv_in.weight 512x4x3x3
cond_stage_model.transformer.text_model.embeddings.position_ids 1x77
"""

# What is left where the tensors that tell it from its near relative are taken away is that relative.
NEAR = {
    "playground-2.5": {"sdxl"},
    "zero123": {"sd-1"},
    "wan-2.1": {"wan"},
    "wan-2.2": {"wan"},
}

# They have names that no other family has, so their rules ask for no shape.
NAMED_ALONE = {
    *("ovis-image", "hidream-o1", "sana", "lens", "boogu-image", "krea-2", "ideogram-4", "minimax-h3", "seedvr2"),
    *("ace-step-1.5", "pixeldit"),
}

LAYERS_ALONE = {
    *("kandinsky-5", "krea-2", "anima", "chroma", "ltx-2", "stable-cascade"),
    *("sdxl, deep, without cross-attention", "sdxl, CLIP-G, without cross-attention"),
}


def told(tensors: Sequence[Tensor], format_: str = "safetensors", **metadata: str) -> Family | None:
    fields = {name.replace("__", "."): value for name, value in metadata.items()}
    return family_of(Header("gguf" if format_ == "gguf" else "safetensors", metadata=fields), tensors)


def base(tensors: Sequence[Tensor], format_: str = "safetensors", **metadata: str) -> str | None:
    family = told(tensors, format_, **metadata)
    return family.base_model if family is not None else None


def put_below(prefix: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    return [
        tensor if tensor.name.startswith(MARKS_AT_THE_TOP) else Tensor(prefix + tensor.name, tensor.dtype, tensor.shape)
        for tensor in tensors
    ]


def examples(table: dict[str, dict[str, list[Tensor]]], but: Container[str] = ()) -> list[object]:
    return [
        pytest.param(family, tensors, id=f"{family}, {label}")
        for family, labelled in table.items()
        for label, tensors in labelled.items()
        if family not in but and f"{family}, {label}" not in but
    ]


def test_each_family_has_an_example():
    """Each family that can be told has a file here that tells it."""
    assert set(BASE_MODELS) - set(MODELS) == set()


@pytest.mark.parametrize(("family", "tensors"), examples(MODELS))
def test_whole_models(family: str, tensors: list[Tensor]):
    """A model's tensors tell its family, as they are and behind the prefixes that tools put before them."""
    for prefix in ("", "model.diffusion_model.", "diffusion_model."):
        found = told(put_below(prefix, tensors))

        assert found is not None
        assert (found.id, found.base_model) == (family, BASE_MODELS[family])
        assert (found.part, found.evidence) == ("diffusion_model", "tensors")


@pytest.mark.parametrize(("family", "tensors"), examples(MODELS))
def test_checkpoints(family: str, tensors: list[Tensor]):
    """A file with the model, its text encoder and its VAE is of the model's family, and a checkpoint."""
    found = told([*put_below("model.diffusion_model.", tensors), *listed(COMMON_PARTS)])

    assert found is not None
    assert (found.id, found.part) == (family, "checkpoint")


@pytest.mark.parametrize(("family", "tensors"), examples(ADAPTERS))
def test_adapters(family: str, tensors: list[Tensor]):
    """An adapter's layers tell the family it was made for, however its trainer names them."""
    found = told(tensors)

    assert found is not None
    assert (found.id, found.base_model) == (family, BASE_MODELS[family])
    assert (found.part, found.evidence) == ("adapter", "tensors")


@pytest.mark.parametrize(("family", "tensors"), examples(MODELS))
def test_a_decisive_tensor_gone(family: str, tensors: list[Tensor]):
    """Without a tensor that a rule asks for a model is of no family, or at most of one it was made of."""
    kept = {family, None} | NEAR.get(family, set())

    for name in {tensor.name for tensor in tensors if ".1" not in tensor.name or ".0" in tensor.name}:
        found = told([tensor for tensor in tensors if tensor.name != name])

        assert (found.id if found else None) in kept, name


@pytest.mark.parametrize(("family", "tensors"), examples(MODELS, but=NAMED_ALONE))
def test_other_shapes(family: str, tensors: list[Tensor]):
    """A file with the names of a family and other shapes is of no family, if others may have these names."""
    grown = [Tensor(tensor.name, tensor.dtype, tuple(length + 1 for length in tensor.shape)) for tensor in tensors]

    assert base(grown) is None, family


@pytest.mark.parametrize(("family", "tensors"), examples(ADAPTERS, but=LAYERS_ALONE))
def test_other_widths_of_adapters(family: str, tensors: list[Tensor]):
    """An adapter for layers of a width that no known family has is for none, whatever its layers are called."""
    odd = [Tensor(tensor.name, tensor.dtype, tuple(length * 3 + 1 for length in tensor.shape)) for tensor in tensors]

    assert base(odd) is None, family


NONE = {
    "nothing": [],
    "one number": listed("scalar -"),
    "chat model in PEFT form": matrices(
        "model.layers.{0-31}.self_attn.{q_proj,k_proj,v_proj,o_proj} 4096x4096", "peft"
    ),
    "chat model with merged projections": matrices("model.layers.{0-31}.attention.wqkv 6144x4096", "peft"),
    "chat model as Meta names it": matrices("layers.{0-31}.attention.{wq,wk} 4096x4096", "bare"),
    "speech model": matrices("model.decoder.layers.{0-3}.self_attn.q_proj 1280x1280", "peft"),
    "segmentation model": listed("encoder.conv1.weight 64x3x7x7\ndecoder.blocks.0.conv1.0.weight 256x512x3x3"),
    "half of Stable Diffusion 1": without(unet(768), "input_blocks.8", "output_blocks"),
    "ModelScope's video": unet(1024) + listed("input_blocks.1.2.proj_in.weight 320x320"),
    "ModelScope's video, diffusers": diffusers_unet(1024) + listed("transformer_in.proj_in.weight 512x320"),
    "VideoCrafter": unet(1024, channels=8) + listed("init_attn.0.proj_in.weight 320x320"),
    "Lotus": unet(1024, label=4),
    "a UNet that reads 640": unet(640),
    "AudioLDM": listed("input_blocks.0.0.weight 128x8x3x3\nlabel_emb.0.0.weight 512x512"),
    "XL that reads 1024": [Tensor(tensor.name, "F16", (640, 1024)) for tensor in unet_xl()],
    "Flux with other text": [t if t.name != "txt_in.weight" else Tensor(t.name, t.dtype, (3072, 1024)) for t in flux()],
    "Flux of 2048": [t if t.name != "img_in.weight" else Tensor(t.name, t.dtype, (2048, 64)) for t in flux()],
    "Stable Diffusion 3 of 4096": sd_3(4096),
    "Wan of 2048": wan(2048, 24),
    "a piece of Wan": listed("blocks.{0-39}.audio_cross_attn.{q,k}.weight 5120x5120\naudio_proj.proj1.weight 512x768"),
    "Lumina of 4096": lumina(4096, 4096),
    "pixels in Z-Image": lumina(3840, 2560, "dec_net.cond_embed.weight 256x3840"),
    "LTX of 3072": listed(LTX.format(width=3072)),
    "two models": unet(768) + flux(),
    "AnimateDiff": listed("down_blocks.{0-3}.motion_modules.{0,1}.temporal_transformer.proj_in.weight 320x320"),
    "motion LoRA": matrices(
        "down_blocks.{0-3}.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.to_q 320x320",
        "diffusers",
    ),
    "text encoder of CLIP-L": matrices(TEXT.format(number=1, width=768)),
    "text encoders of two": matrices(TEXT.format(number=1, width=768) + TEXT.format(number=2, width=1280)),
    "adapter that reads 640": matrices(SD_LAYERS.format(context=640)),
    "adapter of Stable Diffusion 1 and XL": matrices(SD_LAYERS.format(context=768) + XL_LAYERS),
    "adapter of Wan and Flux": matrices(WAN_LAYERS.format(width=5120, feed=13824) + FLUX_DIFFUSERS, "transformer"),
    "Chroma's layers, which Flux.1 has, too": matrices(FLUX_LAYERS),
    "the same in diffusers' names": matrices(FLUX_DIFFUSERS, "transformer"),
    "five double blocks of 3072": matrices("double_blocks.{0-4}.img_attn.qkv 9216x3072"),
    "single blocks of AuraFlow": matrices("single_transformer_blocks.{0-31}.attn.to_q 3072x3072", "transformer"),
    "half of Qwen-Image's attention": matrices(QWEN_ATTENTION.replace("59", "29"), "transformer"),
    "Stable Diffusion 3 or 3.5": matrices(SD_3_DIFFUSERS.format(width=1536), "transformer"),
    "Cosmos or Anima": matrices("blocks.{0-27}.self_attn.q_proj 2048x2048"),
    "LTX Video 13B or LTX-2": matrices("transformer_blocks.{0-47}.attn{1,2}.to_k 4096x4096", "diffusion_model"),
    "Hunyuan Video of 4096": matrices(HUNYUAN_LAYERS.replace("3072", "4096"), "diffusion_model"),
    "convolutions of a UNet": matrices("down_blocks.0.resnets.0.conv1 320x320"),
    "self-attention of a UNet": matrices("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q 320x320"),
    "OFT": listed("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.oft_blocks 4x80x80"),
    "names with line breaks": [Tensor("a\nlora_unet_x.lora_down.weight", "F16", (4, 768))],
}


@pytest.mark.parametrize("tensors", NONE.values(), ids=NONE.keys())
def test_no_family(tensors: list[Tensor]):
    """What does not prove a family gets none: near relatives, pieces, mixtures, and other kinds of models."""
    assert base(tensors) is None


def test_adapters_with_whole_tensors():
    """An adapter that brings norms and biases whole beside its pairs of matrices is still one."""
    layers = "double_blocks.{0-18}.img_attn.qkv 9216x3072\ndouble_blocks.{0-18}.img_mod.lin 18432x3072"
    whole = """
    double_blocks.{0-18}.img_attn.qkv.lora_B.bias 9216
    double_blocks.{0-18}.img_attn.norm.{key_norm,query_norm}.scale 128
    """

    found = told(matrices(layers, "bare") + listed(whole))

    assert found == Family("flux-1", "Flux.1", "adapter", "tensors")


def test_adapters_of_thousands_of_matrices():
    """An adapter too large to look at every matrix of is told by pieces, and wholly where these do not agree."""
    large = matrices("output_blocks.{0-9}.1.transformer_blocks.{0-9}.attn2.{to_q,to_k,to_v,to_out.0} 1280x2048")
    other = matrices("input_blocks.{0-9}.1.transformer_blocks.{0-9}.attn2.{to_q,to_k,to_v,to_out.0} 1280x768")
    quiet = matrices("output_blocks.{0-9}.1.transformer_blocks.0.attn1.{to_q,to_k,to_v,to_out.0}.{0-9} 1280x1280")

    assert base(large) == "SDXL"
    assert base([*large, *other]) is None
    assert base([*quiet, *matrices("middle_block.1.transformer_blocks.0.attn2.to_k 1280x2048"), *quiet]) == "SDXL"


def test_models_with_a_few_matrices():
    """A model is no adapter, even if a few of its layers are named like one's."""
    layers = (
        "model.layers.{0-3}.self_attn.{q,k,v,o,gate,norm}.weight 64x64\nblocks.0.cross_attn.k.lora_A.weight 16x5120"
    )

    assert told(listed(layers)) is None


VARIANTS = [
    ("flux-1", "dev", "dev"),
    ("flux-1", "schnell", "schnell"),
    ("flux-1", "Fill", "Fill"),
    ("flux-1", "Canny", "Canny or Depth"),
    ("flux-2", "klein 4B", "klein 4B"),
    ("sd-3.5", "large", "large"),
    ("stable-cascade", "stage B", "stage B"),
    ("wan-2.2", "Animate", "Animate 14B"),
    ("pixart", "alpha", "alpha"),
]


@pytest.mark.parametrize(("family", "label", "variant"), VARIANTS)
def test_variants(family: str, label: str, variant: str):
    """Finer facts, such as the size, are told beside the family."""
    found = told(MODELS[family][label])

    assert found is not None
    assert found.variant == variant


def test_packed_numbers():
    """Numbers of four bits, two to a byte, make a shape that counts as the one they unpack to."""
    packed = {"img_in.weight": (3072, 32), "single_blocks.0.linear1.weight": (21504 * 3072 // 2, 1)}

    tensors = [Tensor(tensor.name, "U8", packed[tensor.name]) if tensor.name in packed else tensor for tensor in flux()]

    assert base(tensors) == "Flux.1"
    assert base([Tensor(tensor.name, "BF16", tensor.shape) for tensor in tensors]) is None


PARTS = [
    (
        "sd-1",
        "controlnet",
        "control_model.",
        unet(768)
        + listed("""
        input_hint_block.0.weight 16x3x3x3
        zero_convs.0.0.weight 320x320x1x1
        """),
    ),
    (
        "sd-2",
        "controlnet",
        "",
        unet(1024)
        + listed("""
        input_hint_block.0.weight 16x3x3x3
        zero_convs.0.0.weight 320x320x1x1
        """),
    ),
    (
        "sdxl",
        "controlnet",
        "",
        unet_xl()
        + listed("""
        input_hint_block.0.weight 16x3x3x3
        zero_convs.0.0.weight 320x320x1x1
        """),
    ),
    (
        "sd-1",
        "controlnet",
        "",
        diffusers_unet(768)
        + listed("""
        controlnet_cond_embedding.conv_in.weight 16x3x3x3
        controlnet_down_blocks.0.weight 320x320x1x1
        """),
    ),
    (
        "sdxl",
        "controlnet",
        "",
        MODELS["sdxl"]["diffusers"]
        + listed("""
        controlnet_cond_embedding.conv_in.weight 16x3x3x3
        controlnet_down_blocks.0.weight 320x320x1x1
        """),
    ),
    (
        "kolors",
        "controlnet",
        "",
        MODELS["kolors"]["diffusers"]
        + listed("""
        controlnet_cond_embedding.conv_in.weight 16x3x3x3
        controlnet_down_blocks.0.weight 320x320x1x1
        """),
    ),
    (
        "sdxl",
        "controlnet",
        "",
        listed(
            """
        lora_controlnet 1
        input_hint_block.0.weight 16x3x3x3
        input_blocks.4.1.transformer_blocks.0.attn2.to_k.{up,down} 128x2048
        """
        ),
    ),
    ("flux-1", "controlnet", "", flux() + listed("controlnet_blocks.0.weight 3072x3072")),
    ("flux-1", "controlnet", "", MODELS["flux-1"]["diffusers"] + listed("controlnet_x_embedder.weight 3072x64")),
    (
        "qwen-image",
        "controlnet",
        "",
        MODELS["qwen-image"]["original"] + listed("controlnet_{blocks.0,x_embedder}.weight 3072x64"),
    ),
    (
        "z-image",
        "model_patch",
        "",
        listed("control_layers.{0-5}.{adaLN_modulation.0,feed_forward.w3,attention.to_q}.weight 3840x3840"),
    ),
    (
        "qwen-image",
        "model_patch",
        "",
        listed("controlnet_blocks.{0-59}.{x_rms,y_rms,input_proj}.weight 3072x3072"),
    ),
    ("hunyuan-dit", "controlnet", "", MODELS["hunyuan-dit"]["original"] + listed("after_proj_list.{0-18}.bias 1408")),
    (
        "sd-1",
        "t2i_adapter",
        "",
        listed("""
        conv_in.weight 320x192x3x3
        body.{0-7}.{block1,block2}.weight 320x320x3x3
        """),
    ),
    (
        "sdxl",
        "t2i_adapter",
        "adapter.",
        listed("""
        conv_in.weight 320x768x3x3
        body.0.resnets.0.block1.weight 320x320x3x3
        """),
    ),
    (
        "sd-1",
        "ip_adapter",
        "",
        listed("""
        ip_adapter.{1,3,5}.{to_k_ip,to_v_ip}.weight 320x768
        image_proj.proj.weight 3072x1024
        """),
    ),
    (
        "sdxl",
        "ip_adapter",
        "",
        listed("""
        ip_adapter.{1,3,5}.{to_k_ip,to_v_ip}.weight 640x2048
        image_proj.proj.weight 8192x1280
        """),
    ),
    (
        "flux-1",
        "ip_adapter",
        "",
        listed("double_blocks.{0-18}.processor.ip_adapter_double_stream_k_proj.weight 3072x4096"),
    ),
    ("sd-1", "embedding", "", listed("emb_params 8x768")),
    ("sd-2", "embedding", "", listed("emb_params 1x1024")),
    (
        "sdxl",
        "embedding",
        "",
        listed("""
        clip_l 4x768
        clip_g 4x1280
        """),
    ),
    (
        "wan-2.2",
        "vae",
        "",
        listed(
            """
        encoder.conv1.weight 160x12x3x3x3
        decoder.middle.0.residual.0.gamma 1024x1x1x1
        decoder.upsamples.0.upsamples.0.residual.2.weight 1024x1024x3x3x3
        decoder.head.2.weight 12x256x3x3x3
        """
        ),
    ),
    ("ltx-video", "vae", "vae.", listed("decoder.up_blocks.0.res_blocks.0.conv1.conv.weight 512x512x3x3x3")),
    ("mochi", "vae", "", listed("decoder.blocks.2.blocks.3.stack.5.weight 512x512x3x3x3")),
    ("cosmos", "vae", "", listed("{decoder.unpatcher3d,encoder.patcher3d}.wavelets 2")),
    (
        "hunyuan-image-2.1",
        "vae",
        "",
        listed(
            """
        encoder.conv_in.weight 128x3x3x3
        decoder.conv_in.weight 1024x64x3x3
        decoder.mid.block_1.conv1.weight 1024x1024x3x3
        """
        ),
    ),
    ("ace-step", "vae", "", listed("vocoder.backbone.channel_layers.0.0.bias 128")),
    (
        "hunyuan3d",
        "vae",
        "",
        listed("""
        geo_decoder.cross_attn_decoder.ln_1.bias 1024
        post_kl.weight 1024x64
        """),
    ),
]


@pytest.mark.parametrize(
    ("family", "part", "prefix", "tensors"),
    PARTS,
    ids=[f"{of[1]} of {of[0]} {number}" for number, of in enumerate(PARTS)],
)
def test_parts(family: str, part: str, prefix: str, tensors: list[Tensor]):
    """A part that serves one family alone tells it."""
    found = told(put_below(prefix, tensors))

    assert found is not None
    assert (found.id, found.base_model, found.part) == (family, BASE_MODELS[family], part)


SHARED = [
    (
        "vae",
        None,
        """
        encoder.conv_in.weight 128x3x3x3
        decoder.conv_in.weight 512x4x3x3
        decoder.mid.block_1.conv1.weight 512x512x3x3
        """,
    ),
    (
        "vae",
        None,
        """
        encoder.conv_in.weight 128x3x3x3
        decoder.conv_in.weight 512x16x3x3
        decoder.mid.block_1.conv1.weight 512x512x3x3
        """,
    ),
    (
        "vae",
        None,
        """
        encoder.conv1.weight 96x3x3x3x3
        decoder.middle.0.residual.0.gamma 384x1x1x1
        decoder.head.0.gamma 96x1x1x1
        """,
    ),
    (
        "text_encoder",
        "T5-XXL",
        """
        encoder.block.{0-23}.layer.0.SelfAttention.q.weight 4096x4096
        shared.weight 32128x4096
        """,
    ),
    (
        "text_encoder",
        "UMT5-XXL",
        """
        encoder.block.{0-23}.layer.0.SelfAttention.q.weight 4096x4096
        shared.weight 256384x4096
        """,
    ),
    (
        "text_encoder",
        "CLIP-L",
        """
        text_model.encoder.layers.{0-11}.self_attn.q_proj.weight 768x768
        text_model.embeddings.token_embedding.weight 49408x768
        """,
    ),
    (
        "text_encoder",
        "CLIP-G",
        """
        text_model.encoder.layers.{0-31}.self_attn.q_proj.weight 1280x1280
        text_model.embeddings.token_embedding.weight 49408x1280
        """,
    ),
    (
        "language_model",
        "Qwen2.5-VL 7B",
        """
        model.embed_tokens.weight 152064x3584
        model.layers.{0-27}.{self_attn.q_proj,mlp.down_proj}.weight 3584x3584
        visual.patch_embed.proj.weight 1280x3x2x14x14
        """,
    ),
    (
        "language_model",
        "Qwen3 4B",
        """
        model.embed_tokens.weight 151936x2560
        model.layers.{0-35}.{self_attn.q_proj,self_attn.q_norm,mlp.down_proj}.weight 2560x2560
        """,
    ),
    (
        "language_model",
        "Gemma 2 2B",
        """
        model.embed_tokens.weight 256000x2304
        model.layers.{0-25}.{self_attn.q_proj,mlp.down_proj,pre_feedforward_layernorm}.weight 2304x2304
        """,
    ),
    (
        "clip_vision",
        None,
        """
        vision_model.encoder.layers.0.self_attn.q_proj.weight 1280x1280
        vision_model.embeddings.patch_embedding.weight 1280x3x14x14
        """,
    ),
]


@pytest.mark.parametrize(("part", "variant", "spec"), SHARED)
def test_shared_parts(part: str, variant: str | None, spec: str):
    """A part that serves several families is named, and gets no family."""
    found = told(listed(spec))

    assert found == Family(None, None, part, "tensors", variant)


METADATA = [
    ({"ss_base_model_version": "sd_v1"}, "SD 1.x"),
    ({"ss_base_model_version": "sd_v2_768_v"}, "SD 2.x"),
    ({"ss_base_model_version": "sdxl_base_v1-0"}, "SDXL"),
    ({"ss_base_model_version": "flux1"}, "Flux.1"),
    ({"ss_base_model_version": "chroma"}, "Chroma"),
    ({"ss_base_model_version": "sd3"}, None),
    ({"ss_v2": "True"}, "SD 2.x"),
    ({"ss_v2": "False"}, None),
    ({"modelspec__architecture": "stable-diffusion-xl-v1-base/lora"}, "SDXL"),
    ({"modelspec__architecture": "stable-diffusion-xl-v1-refiner"}, "SDXL Refiner"),
    ({"modelspec__architecture": "stable-diffusion-v1/textual-inversion"}, "SD 1.x"),
    ({"modelspec__architecture": "Flux.1-dev/lora"}, "Flux.1"),
    ({"modelspec__architecture": "flux-1-schnell"}, "Flux.1"),
    ({"modelspec__architecture": "Flux.2-dev/lora"}, "Flux.2"),
    ({"modelspec__architecture": "stable-diffusion-v3.5-large/lora"}, "SD3.5"),
    ({"modelspec__architecture": "stable-diffusion-3-3-5-medium"}, "SD3.5"),
    ({"modelspec__architecture": "stable-diffusion-3"}, None),
    ({"modelspec__architecture": "wan2.1/lora"}, "Wan"),
    ({"modelspec__architecture": "qwen-image/lora"}, "Qwen-Image"),
    ({"modelspec__architecture": "stable-diffusion-v10"}, None),
    ({"modelspec__architecture": "flux"}, None),
    ({"modelspec__architecture": "stable-diffusion-v1" + "-" * 300}, None),
    ({"modelspec__title": "Pony Diffusion XL"}, None),
    ({"ss_sd_model_name": "sd_xl_base_1.0.safetensors"}, None),
    ({"config": '{"transformer": {"_class_name": "LTXVideoTransformer3DModel"}}'}, "LTX Video"),
    ({"config": '{"_class_name": "AutoencoderKL"}'}, None),
    ({"config": "{"}, None),
    ({"model_class": "NunchakuFluxTransformer2dModel"}, "Flux.1"),
    ({"modelspec__architecture": "flux-1-dev", "ss_base_model_version": "sdxl_base_v1-0"}, None),
    ({"modelspec__architecture": "flux-1-dev/lora", "ss_base_model_version": "flux1"}, "Flux.1"),
]


@pytest.mark.parametrize(("metadata", "base_model"), METADATA)
def test_metadata(metadata: dict[str, str], base_model: str | None):
    """Where the tensors say nothing, the fields that programs write are believed, if they agree."""
    silent = listed("something.weight 4x4")

    found = told(silent, **metadata)

    assert (found.base_model if found else None) == base_model
    assert found is None or found.evidence == "metadata"


def test_tensors_win_over_metadata():
    """What the tensors prove is not overruled by what somebody wrote into the header."""
    lies = {"modelspec__architecture": "stable-diffusion-xl-v1-base", "ss_base_model_version": "sdxl_base_v1-0"}

    assert base(unet(768), **lies) == "SD 1.x"
    assert base(ADAPTERS["wan"]["14B"], **lies) == "Wan"
    assert base(matrices(SD_LAYERS.format(context=768)), **lies) == "SD 1.x"


def test_metadata_that_cannot_be():
    """Metadata that names a family with other blocks, or of tensors that contradict each other, is not believed."""
    assert base(matrices(FLUX_LAYERS), ss_base_model_version="sdxl_base_v1-0") is None
    assert base(NONE["self-attention of a UNet"], ss_base_model_version="flux1") is None
    assert base(NONE["adapter that reads 640"], ss_base_model_version="sd_v1") is None
    assert base(NONE["adapter of Stable Diffusion 1 and XL"], ss_base_model_version="sd_v1") is None


def test_metadata_decides_between_equals():
    """Where two families have the same layers, metadata that names one of them is believed."""
    assert base(matrices(FLUX_LAYERS), ss_base_model_version="flux1") == "Flux.1"
    assert base(matrices(FLUX_LAYERS), modelspec__architecture="chroma/lora") == "Chroma"
    assert base(matrices(FLUX_DIFFUSERS, "transformer"), modelspec__architecture="chroma/lora") == "Chroma"
    assert base(matrices(FLUX_DIFFUSERS, "transformer"), ss_base_model_version="flux1") == "Flux.1"
    assert base(ADAPTERS["flux-1"]["diffusers"], modelspec__architecture="chroma/lora") == "Flux.1"
    assert base(ADAPTERS["flux-1"]["kohya"], modelspec__architecture="chroma/lora") == "Flux.1"
    assert base(ADAPTERS["sdxl"]["kohya"], modelspec__architecture="kolors/lora") == "Kolors"
    assert base(ADAPTERS["sdxl"]["kohya"], ss_base_model_version="sd_v1") == "SDXL"
    assert (
        base(NONE["Stable Diffusion 3 or 3.5"], modelspec__architecture="stable-diffusion-v3.5-medium/lora") == "SD3.5"
    )
    assert base(NONE["text encoder of CLIP-L"], ss_base_model_version="sd_v1") == "SD 1.x"
    assert base(NONE["self-attention of a UNet"], ss_base_model_version="sd_v1") == "SD 1.x"


def test_gguf():
    """A GGUF file is told by its tensors, and by its architecture where these have lost their shapes."""
    architectures = {
        "flux": "Flux.1",
        "sd1": "SD 1.x",
        "sdxl": "SDXL",
        "wan": "Wan",
        "hyvid": "Hunyuan Video",
        "ltxv": "LTX Video",
        "qwen_image": "Qwen-Image",
        "hidream": "HiDream",
        "aura": "AuraFlow",
        "cosmos": "Cosmos",
        "chroma": "Chroma",
        # It stands for Z-Image and for 3.5, too.
        "lumina2": None,
        "sd3": None,
        "llama": None,
    }

    for architecture, base_model in architectures.items():
        assert base(listed("x.weight 4x4"), "gguf", general__architecture=architecture) == base_model
    assert base(flux(), "gguf", general__architecture="flux") == "Flux.1"
    assert base(MODELS["flux-2"]["dev"], "gguf", general__architecture="flux") == "Flux.2"
    assert base(MODELS["z-image"]["original"], "gguf", general__architecture="lumina2") == "Z-Image"
    assert base(MODELS["sd-3.5"]["large"], "gguf", general__architecture="sd3") == "SD3.5"
    assert base([], "gguf", general__architecture="flux") is None


ALL = [(family, tensors) for table in (MODELS, ADAPTERS) for family, made in table.items() for tensors in made.values()]
LENGTHS = st.lists(st.integers(0, 2**40), max_size=6).map(tuple)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_pieces_of_models(data: st.DataObject):
    """A piece of a model's tensors is never taken for another family's."""
    family, tensors = data.draw(
        st.sampled_from([of for of in ALL if of[0] in MODELS and of[1] in MODELS[of[0]].values()])
    )
    kept = data.draw(st.sets(st.integers(0, len(tensors) - 1), max_size=12))

    found = told([tensor for number, tensor in enumerate(tensors) if number not in kept])

    assert (found.id if found else None) in {family, None} | NEAR.get(family, set())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_changed_tensors(data: st.DataObject):
    """Whatever names, shapes and kinds of numbers a file lists, the telling never fails."""
    _, tensors = data.draw(st.sampled_from(ALL))
    changed = list(tensors[: data.draw(st.integers(0, 80))])
    for number in data.draw(st.lists(st.integers(0, max(0, len(changed) - 1)), max_size=10)):
        if changed:
            old = changed[number]
            name = data.draw(st.sampled_from([old.name, old.name + ".x", old.name[::2], old.name.replace(".", "\n")]))
            changed[number] = Tensor(name, data.draw(st.sampled_from(["U8", "F16", ""])), data.draw(LENGTHS))

    found = told(
        changed, **data.draw(st.dictionaries(st.sampled_from(["config", "modelspec__architecture"]), st.text()))
    )

    assert found is None or found.id is None or found.id in BASE_MODELS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(Tensor, st.text(), st.text(max_size=4), LENGTHS), max_size=30))
def test_any_tensors(tensors: list[Tensor]):
    """Tensors of any names and shapes are told to be of no family, without an error."""
    assert base(tensors) is None
