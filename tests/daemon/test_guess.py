"""What the tensors of a model file tell about its type."""

import pytest
from hikaze.daemon.content.guess import guess_type
from hikaze.daemon.content.header import Header, Tensor
from hikaze.daemon.content.parts import Format

from .tensors import listed


def shaped(*names: str, shape: tuple[int, ...] = (4, 4)) -> list[Tensor]:
    return [Tensor(name, "F16", shape) for name in names]


GUESSES = [
    (
        "kohya LoRA",
        "loras",
        "lora_unet_x.lora_down.weight lora_unet_x.lora_up.weight lora_unet_x.alpha",
    ),
    (
        "kohya text LoRA",
        "loras",
        "lora_te1_text_model_x.lora_down.weight lora_te1_text_model_x.lora_up.weight",
    ),
    (
        "diffusers LoRA",
        "loras",
        "unet.down_blocks.0.to_q.lora.down.weight unet.down_blocks.0.to_q.lora.up.weight",
    ),
    (
        "PEFT LoRA",
        "loras",
        "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight transformer.x.lora_B.weight",
    ),
    (
        "Wan LoRA",
        "loras",
        "diffusion_model.blocks.0.cross_attn.k.lora_A.weight diffusion_model.x.lora_B.weight",
    ),
    (
        "XLabs LoRA",
        "loras",
        "double_blocks.0.processor.proj_lora1.down.weight double_blocks.0.processor.proj_lora1.up.weight",
    ),
    (
        "LoHa",
        "loras",
        "lora_unet_x.hada_w1_a lora_unet_x.hada_w1_b lora_unet_x.hada_w2_a lora_unet_x.alpha",
    ),
    (
        "LoKr",
        "loras",
        "lycoris_x.lokr_w1 lycoris_x.lokr_w2_a lycoris_x.lokr_w2_b lycoris_x.alpha",
    ),
    (
        "DoRA",
        "loras",
        "lora_unet_x.lora_down.weight lora_unet_x.lora_up.weight lora_unet_x.dora_scale",
    ),
    (
        "chat LoRA",
        None,
        (
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight "
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"
        ),
    ),
    (
        "motion LoRA",
        None,
        "down_blocks.0.motion_modules.0.to_q.lora.down.weight down_blocks.0.motion_modules.0.to_q.lora.up.weight",
    ),
    (
        "SD 1.5",
        "checkpoints",
        (
            "model.diffusion_model.input_blocks.0.0.weight first_stage_model.decoder.conv_in.weight "
            "cond_stage_model.transformer.x"
        ),
    ),
    (
        "SDXL",
        "checkpoints",
        "model.diffusion_model.out.0.weight conditioner.embedders.0.transformer.x first_stage_model.x",
    ),
    (
        "Flux all in one",
        "checkpoints",
        "model.diffusion_model.double_blocks.0.img_attn.qkv.weight text_encoders.t5xxl.x vae.x",
    ),
    (
        "wrapped Flux",
        "diffusion_models",
        "model.diffusion_model.double_blocks.0.img_attn.qkv.weight",
    ),
    (
        "Flux",
        "diffusion_models",
        "double_blocks.0.img_attn.qkv.weight img_in.weight single_blocks.0.linear1.weight",
    ),
    (
        "SD 3",
        "diffusion_models",
        "diffusion_model.joint_blocks.0.x_block.attn.qkv.weight diffusion_model.x_embedder.proj.weight",
    ),
    (
        "Wan",
        "diffusion_models",
        "blocks.0.cross_attn.k.weight patch_embedding.weight head.head.weight",
    ),
    (
        "diffusers UNet",
        "diffusion_models",
        "conv_in.weight time_embedding.linear_1.weight down_blocks.0.x up_blocks.0.x",
    ),
    (
        "bare UNet",
        "diffusion_models",
        "input_blocks.0.0.weight time_embed.0.weight output_blocks.0.0.x",
    ),
    (
        "Flux IP adapter",
        None,
        "double_blocks.0.processor.ip_adapter_double_stream_k_proj.weight ip_adapter_proj_model.x",
    ),
    (
        "SD VAE",
        "vae",
        "encoder.conv_in.weight decoder.conv_in.weight decoder.up.0.block.0.conv1.weight quant_conv.weight",
    ),
    (
        "diffusers VAE",
        "vae",
        "encoder.conv_in.weight decoder.conv_in.weight decoder.up_blocks.0.x post_quant_conv.bias",
    ),
    (
        "wrapped VAE",
        "vae",
        "first_stage_model.decoder.conv_in.weight first_stage_model.encoder.x",
    ),
    (
        "Wan VAE",
        "vae",
        "encoder.conv1.weight decoder.conv1.weight conv1.weight conv2.weight decoder.head.0.gamma",
    ),
    (
        "a VQ model",
        None,
        "encoder.conv_in.weight decoder.conv_in.weight decoder.up.0.x quantize.embedding.weight",
    ),
    (
        "a segmentation model",
        None,
        "encoder.conv1.weight decoder.blocks.0.conv1.0.weight segmentation_head.0.weight",
    ),
    (
        "ControlNet",
        "controlnet",
        "control_model.zero_convs.0.0.weight control_model.input_blocks.0.0.weight",
    ),
    (
        "whole ControlNet",
        "controlnet",
        "control_model.x model.diffusion_model.x first_stage_model.x cond_stage_model.x",
    ),
    (
        "diffusers ControlNet",
        "controlnet",
        "controlnet_cond_embedding.conv_in.weight conv_in.weight down_blocks.0.x",
    ),
    (
        "Flux ControlNet",
        "controlnet",
        "controlnet_blocks.0.weight double_blocks.0.img_attn.qkv.weight img_in.weight",
    ),
    (
        "control LoRA",
        "controlnet",
        "lora_controlnet input_blocks.1.0.in_layers.2.up input_hint_block.0.weight",
    ),
    (
        "T2I adapter",
        "controlnet",
        "conv_in.weight body.0.block1.weight body.0.block2.weight",
    ),
    (
        "embedding",
        "embeddings",
        "emb_params",
    ),
    (
        "SDXL embedding",
        "embeddings",
        "clip_g clip_l",
    ),
    (
        "CLIP text",
        "text_encoders",
        "text_model.encoder.layers.0.self_attn.q_proj.weight text_model.embeddings.token_embedding.weight",
    ),
    (
        "T5",
        "text_encoders",
        "shared.weight encoder.block.0.layer.0.SelfAttention.q.weight",
    ),
    (
        "whole T5",
        None,
        "shared.weight encoder.block.0.layer.0.SelfAttention.q.weight decoder.block.0.x lm_head.weight",
    ),
    (
        "CLIP vision",
        "clip_vision",
        "vision_model.encoder.layers.0.self_attn.q_proj.weight visual_projection.weight",
    ),
    (
        "whole CLIP",
        None,
        (
            "text_model.encoder.layers.0.self_attn.q_proj.weight text_model.embeddings.token_embedding.weight "
            "vision_model.encoder.layers.0.self_attn.q_proj.weight"
        ),
    ),
    (
        "new ESRGAN",
        "upscale_models",
        "conv_first.weight body.0.rdb1.conv1.weight",
    ),
    (
        "old ESRGAN",
        "upscale_models",
        "model.0.weight model.1.sub.0.RDB1.conv1.0.weight",
    ),
    (
        "HAT",
        "upscale_models",
        "conv_first.weight conv_after_body.weight layers.0.residual_group.blocks.0.x",
    ),
    (
        "Redux",
        "style_models",
        "redux_up.weight redux_up.bias redux_down.weight redux_down.bias",
    ),
    (
        "GLIGEN",
        "gligen",
        "position_net.linears.0.weight input_blocks.1.1.transformer_blocks.0.fuser.linear.weight",
    ),
    (
        "BERT",
        None,
        "embeddings.word_embeddings.weight encoder.layer.0.attention.self.query.weight pooler.dense.weight",
    ),
    (
        "chat model",
        None,
        "model.embed_tokens.weight model.layers.0.self_attn.q_proj.weight lm_head.weight",
    ),
    (
        "speech model",
        None,
        "encoder.layers.0.conv.weight decoder.layers.0.conv.weight",
    ),
    (
        "nothing",
        None,
        "",
    ),
]


@pytest.mark.parametrize(("expected", "names"), [guess[1:] for guess in GUESSES], ids=[guess[0] for guess in GUESSES])
def test_guess_type(expected: str | None, names: str):
    """The tensors' names tell the type where only one type has them, else nothing is told."""
    assert guess_type(Header("safetensors"), shaped(*names.split())) == expected


def test_odd_names_tell_nothing():
    """Names made to confuse a search give no type."""
    assert guess_type(Header("safetensors"), shaped("", "\n", ".", "weight")) is None


def test_metadata_tells_a_lora_of_unknown_parts():
    """A trainer's own word makes a LoRA of names nobody has met, but never of a model without LoRA tensors."""
    trained = Header("safetensors", metadata={"ss_network_module": "networks.lora"})
    declared = Header("safetensors", metadata={"modelspec.architecture": "new-model/lora"})
    names = ["brand_new.lora_A.weight", "brand_new.lora_B.weight"]

    assert guess_type(Header("safetensors"), shaped(*names)) is None
    assert guess_type(trained, shaped(*names)) == "loras"
    assert guess_type(declared, shaped(*names)) == "loras"
    assert guess_type(trained, shaped("brand_new.weight")) is None


@pytest.mark.parametrize(
    ("expected", "spec"),
    [
        (
            "diffusion_models",
            """
            conv_in.weight 320x4x3x3
            conv_out.weight 4x320x3x3
            add_embedding.linear_1.weight 1280x2816
            down_blocks.1.attentions.{0,1}.transformer_blocks.{0,1}.attn2.{to_k,to_v}.weight 640x2048
            down_blocks.2.attentions.{0,1}.transformer_blocks.{0-9}.attn2.{to_k,to_v}.weight 1280x2048
            up_blocks.0.attentions.{0-2}.transformer_blocks.{0-9}.attn2.{to_k,to_v}.weight 1280x2048
            """,
        ),
        (
            None,
            """
            conv_in.weight 320x4x3x3
            conv_out.weight 4x320x3x3
            add_embedding.linear_1.weight 1280x2816
            down_blocks.1.attentions.{0,1}.transformer_blocks.{0,1}.attn2.{to_k,to_v}.weight 640x2048
            down_blocks.2.attentions.{0,1}.transformer_blocks.{0-9}.attn2.{to_k,to_v}.weight 1280x4096
            up_blocks.0.attentions.{0-2}.transformer_blocks.{0-9}.attn2.{to_k,to_v}.weight 1280x2048
            """,
        ),
    ],
)
def test_a_family_tells_the_type(expected: str | None, spec: str):
    """Where no rule knows the names, the part of a family that the tensors prove is the type."""
    assert guess_type(Header("safetensors"), listed(spec)) == expected


def test_metadata_alone_tells_no_type():
    """A family that the metadata alone tells proves no type."""
    said = Header("safetensors", metadata={"ss_base_model_version": "sdxl_base_v1-0"})

    assert guess_type(said, shaped("brand_new.weight")) is None


@pytest.mark.parametrize("format_", ["zip", "pickle"])
def test_archives_have_types(format_: Format):
    """What PyTorch wrote has its type by the same rules."""
    assert guess_type(Header(format_), shaped("string_to_param.*", shape=(2, 768))) == "embeddings"
    assert guess_type(Header(format_), shaped("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight")) == (
        "upscale_models"
    )
    assert guess_type(Header(format_), []) is None


def test_large_tensors_are_no_embedding():
    """An embedding is one or two small tables."""
    assert guess_type(Header("safetensors"), shaped("emb_params", shape=(4, 4, 4))) is None
    assert guess_type(Header("safetensors"), shaped("emb_params", *map(str, range(8)))) is None


@pytest.mark.parametrize(
    ("architecture", "kind", "expected"),
    [
        ("flux", "model", "diffusion_models"),
        ("sdxl", None, "diffusion_models"),
        ("t5encoder", None, "text_encoders"),
        ("llama", None, None),
        ("clip", None, None),
        ("flux", "adapter", None),
        (None, None, None),
    ],
)
def test_guess_type_of_gguf(architecture: str | None, kind: str | None, expected: str | None):
    """A GGUF file's architecture tells its type where no other program would use it otherwise."""
    metadata = {"general.architecture": architecture, "general.type": kind}
    found = Header("gguf", metadata={key: value for key, value in metadata.items() if value is not None})

    assert guess_type(found, shaped("blk.0.weight")) == expected
