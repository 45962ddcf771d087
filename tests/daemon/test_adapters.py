"""What kind of adapter a file is, its ranks and what it changes."""

from pathlib import Path

import numpy as np
import pytest
from hikaze.daemon.content.adapters import Adapter, adapter_of
from hikaze.daemon.content.header import Header, Tensor, read
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

Shape = tuple[int, ...]


def told(tensors: dict[str, Shape], metadata: dict[str, str] | None = None) -> Adapter | None:
    return adapter_of(
        Header("safetensors", metadata=metadata or {}), [Tensor(name, "F16", shape) for name, shape in tensors.items()]
    )


def lora(*modules: str, rank: int = 16, kernel: Shape = ()) -> dict[str, Shape]:
    """Give the tensors of kohya's LoRA of these modules."""
    return {
        name: shape
        for module in modules
        for name, shape in (
            (f"{module}.lora_down.weight", (rank, 320, *kernel)),
            (f"{module}.lora_up.weight", (640, rank, *(1 for _ in kernel))),
            (f"{module}.alpha", ()),
        )
    }


UNET = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
TEXT = "lora_te1_text_model_encoder_layers_0_mlp_fc1"
TEXT_2 = "lora_te2_text_model_encoder_layers_0_mlp_fc1"
FLUX = "lora_unet_double_blocks_0_img_attn_qkv"

KINDS = [
    ("kohya", lora(UNET, TEXT, TEXT_2), Adapter("LoRA", (16,), targets=("unet", "text_encoder", "text_encoder_2"))),
    ("kohya on Flux", lora(FLUX, "lora_te1_x"), Adapter("LoRA", (16,), targets=("transformer", "text_encoder"))),
    (
        "convolutions of another rank",
        lora(UNET) | lora("lora_unet_input_blocks_1_0_in_layers_2", rank=8, kernel=(3, 3)),
        Adapter("LoRA", (16,), (8,), targets=("unet",)),
    ),
    (
        "convolutions of one pixel are linear",
        lora("lora_unet_down_blocks_0_proj_in", kernel=(1, 1)),
        Adapter("LoRA", (16,), targets=("unet",)),
    ),
    (
        "ranks that differ",
        lora(UNET, rank=4) | lora(UNET + "x", rank=32),
        Adapter("LoRA", (4, 32), targets=("unet",)),
    ),
    (
        "PEFT",
        {
            "transformer.transformer_blocks.0.attn.to_q.lora_A.weight": (32, 3072),
            "transformer.x.lora_B.weight": (9, 32),
        },
        Adapter("LoRA", (32,), targets=("transformer",)),
    ),
    (
        "PEFT with an adapter's name",
        {
            "base_model.model.transformer_blocks.0.attn.to_q.lora_A.default.weight": (8, 64),
            "base_model.model.transformer_blocks.0.attn.to_q.lora_B.default.weight": (64, 8),
        },
        Adapter("LoRA", (8,), targets=("transformer",)),
    ),
    (
        "diffusers, old",
        {"unet.down_blocks.0.to_q_lora.down.weight": (4, 320), "unet.down_blocks.0.to_q_lora.up.weight": (320, 4)},
        Adapter("LoRA", (4,), targets=("unet",)),
    ),
    (
        "diffusers' text encoder",
        {"text_encoder.q.lora_linear_layer.down.weight": (4, 7), "text_encoder.q.lora_linear_layer.up.weight": (7, 4)},
        Adapter("LoRA", (4,), targets=("text_encoder",)),
    ),
    (
        "XLabs",
        {
            "double_blocks.0.processor.proj_lora1.down.weight": (16, 3072),
            "double_blocks.0.processor.proj_lora1.up.weight": (9216, 16),
        },
        Adapter("LoRA", (16,), targets=("transformer",)),
    ),
    (
        "Wan",
        {"diffusion_model.blocks.0.cross_attn.k.lora_A.weight": (32, 5120), "diffusion_model.x.lora_B.weight": (9, 32)},
        Adapter("LoRA", (32,), targets=("transformer",)),
    ),
    (
        "a chat model's",
        {
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": (8, 64),
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": (64, 8),
        },
        Adapter("LoRA", (8,)),
    ),
    ("DoRA", lora(UNET) | {f"{UNET}.dora_scale": (1, 320)}, Adapter("DoRA", (16,), targets=("unet",))),
    (
        "PEFT's DoRA",
        {
            "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (16, 9),
            "transformer.single_transformer_blocks.0.attn.to_q.lora_B.weight": (9, 16),
            "transformer.single_transformer_blocks.0.attn.to_q.lora_magnitude_vector": (9,),
        },
        Adapter("DoRA", (16,), targets=("transformer",)),
    ),
    (
        "LoHa",
        {f"{UNET}.hada_w1_a": (320, 8), f"{UNET}.hada_w1_b": (8, 320), f"{UNET}.hada_w2_a": (320, 8)}
        | {f"{UNET}.hada_w2_b": (8, 320), f"{UNET}.alpha": ()},
        Adapter("LoHa", (8,), targets=("unet",)),
    ),
    (
        "LoKr",
        {f"{UNET}.lokr_w1": (16, 16), f"{UNET}.lokr_w2_a": (40, 4), f"{UNET}.lokr_w2_b": (4, 40), f"{UNET}.alpha": ()},
        Adapter("LoKr", (4,), targets=("unet",)),
    ),
    (
        "LoKr without a rank",
        {"lycoris_transformer_blocks_0_x.lokr_w1": (16, 16), "lycoris_transformer_blocks_0_x.lokr_w2": (40, 40)},
        Adapter("LoKr", targets=("transformer",)),
    ),
    ("OFT", {f"{UNET}.oft_blocks": (4, 80, 80), f"{UNET}.alpha": ()}, Adapter("OFT", targets=("unet",))),
    ("BOFT", {f"{UNET}.oft_blocks": (3, 4, 80, 80), f"{UNET}.alpha": ()}, Adapter("BOFT", targets=("unet",))),
    (
        "GLoRA",
        {f"{UNET}.{part}.weight": (8, 320) if part[1] == "2" else (320, 8) for part in ("a1", "a2", "b1", "b2")},
        Adapter("GLoRA", (8,), targets=("unet",)),
    ),
    ("IA3", {f"{UNET}.weight": (320,), f"{UNET}.on_input": ()}, Adapter("IA3", targets=("unet",))),
    (
        "full",
        {"diffusion_model.blocks.0.x.diff": (9, 9), "diffusion_model.blocks.0.x.diff_b": (9,)},
        Adapter("full diff", targets=("transformer",)),
    ),
    (
        "a LoRA that changes biases and norms, too",
        lora(UNET) | {"diffusion_model.norm.diff": (9,), "diffusion_model.x.diff_b": (9,)},
        Adapter("LoRA", (16,), targets=("unet",)),
    ),
    (
        "control LoRA",
        {
            "lora_controlnet": (),
            "input_hint_block.0.weight": (16, 3, 3, 3),
            "input_blocks.1.0.in_layers.2.up": (320, 128),
            "input_blocks.1.0.in_layers.2.down": (128, 320, 3, 3),
            "input_blocks.1.0.in_layers.2.bias": (320,),
            "input_blocks.4.1.proj_in.up": (640, 128),
            "input_blocks.4.1.proj_in.down": (128, 640),
        },
        Adapter("control LoRA", (128,), (128,), targets=("unet",)),
    ),
    (
        "control LoRA of Flux",
        {
            "img_in.lora_A.weight": (128, 128),
            "img_in.lora_B.weight": (3072, 128),
            "double_blocks.0.img_mod.lin.lora_A.weight": (128, 3072),
            "double_blocks.0.img_mod.lin.lora_B.weight": (18432, 128),
            "double_blocks.0.img_attn.norm.key_norm.scale": (128,),
        },
        Adapter("control LoRA", (128,), targets=("transformer",)),
    ),
    (
        "LoRA of Flux 2, whose first layer is as wide",
        {
            "img_in.lora_A.weight": (16, 128),
            "img_in.lora_B.weight": (6144, 16),
            "double_blocks.0.img_attn.qkv.lora_A.weight": (16, 6144),
            "double_blocks.0.img_attn.qkv.lora_B.weight": (18432, 16),
        },
        Adapter("LoRA", (16,), targets=("transformer",)),
    ),
]


@pytest.mark.parametrize(("tensors", "expected"), [kind[1:] for kind in KINDS], ids=[kind[0] for kind in KINDS])
def test_kinds(tensors: dict[str, Shape], expected: Adapter):
    """The tensors tell the kind, the ranks of linear layers and of convolutions, and the parts that are changed."""
    assert told(tensors) == expected


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3), "first_stage_model.x": (1,)},
        {"ip_adapter.1.to_k_lora.down.weight": (128, 320), "ip_adapter.1.to_k_lora.up.weight": (320, 128)},
        {"image_proj.x.lora_down.weight": (1, 1), "x.lora_up.weight": (1, 1)},
        {f"layer{i}.weight": (1, 1) for i in range(9)} | {"x.lora_A.weight": (4, 4), "x.lora_B.weight": (4, 4)},
        {"lora_controlnet": (), "control_model.weight": (1,)},
        {"flora.weight": (3,), "exploration.bias": (3,)},
        {"down": (3,), "x.up": (4,), "lora": (1,)},
        {"conv_first.weight": (64, 3, 3, 3), "a1.weight": (3, 3)},
    ],
)
def test_no_adapter(tensors: dict[str, Shape]):
    """What is no adapter, holds little of one, or is of another kind that is made of the same parts, is none."""
    assert told(tensors) is None


@pytest.mark.parametrize(
    ("metadata", "alpha"),
    [
        ({"ss_network_alpha": "16.0"}, 16.0),
        ({"ss_network_alpha": "0.5"}, 0.5),
        ({"ss_network_alpha": "None"}, None),
        ({"ss_network_alpha": "nan"}, None),
        ({"ss_network_alpha": "inf"}, None),
        ({"ss_network_alpha": "-1"}, None),
        ({"ss_network_alpha": "9" * 100_000}, None),
        ({"lora_adapter_metadata": '{"transformer.r": 32, "transformer.lora_alpha": 64}'}, 64.0),
        ({"lora_adapter_metadata": '{"unet.lora_alpha": 8, "text_encoder.lora_alpha": 4}'}, None),
        ({"lora_adapter_metadata": "[" * 100_000}, None),
        ({"lora_adapter_metadata": "[1]"}, None),
        ({}, None),
    ],
)
def test_alpha(metadata: dict[str, str], alpha: float | None):
    """The alpha is what the trainer tells in the metadata, where that is a sensible number."""
    found = told(lora(UNET), metadata)

    assert found is not None
    assert found.alpha == alpha


def test_many_ranks():
    """Of more than 32 different ranks the 16 smallest and the 16 largest are told."""
    found = told({name: shape for i in range(1, 101) for name, shape in lora(f"{UNET}{i}", rank=i).items()})

    assert found is not None
    assert found.ranks == (*range(1, 17), *range(85, 101))


def test_a_file_of_the_safetensors_library(tmp_path: Path):
    """A LoRA that the format's own library wrote is told with its rank and alpha."""
    path = str(tmp_path / "lora.safetensors")
    arrays = {name: np.zeros(shape, np.float16) for name, shape in lora(UNET, TEXT, rank=32).items()}
    save_file(arrays, path, metadata={"ss_network_alpha": "16.0", "ss_network_dim": "32"})

    assert adapter_of(*read(path)) == Adapter("LoRA", (32,), (), 16.0, ("unet", "text_encoder"))


PARTS = (
    "lora_unet_x",
    ".lora_down",
    ".lora_A",
    ".hada_w1_b",
    ".weight",
    ".alpha",
    ".down",
    "lora_controlnet",
    ".a1",
    "\n",
)


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=4).map("".join), max_size=8),
    shape=st.lists(st.integers(0, 2**63), max_size=5),
)
def test_any_names_and_shapes(names: list[str], shape: list[int]):
    """Whatever the tensors are called, there is an answer, and it is small."""
    found = adapter_of(Header("safetensors"), [Tensor(name, "F16", tuple(shape)) for name in names])

    assert found is None or len(found.ranks) <= 32
