"""What the files of A1111, Forge and SwarmUI say, field by field, and which `.json` is none of theirs."""

import json
from typing import Any

import pytest
from hikaze.daemon.sidecars.formats import parse
from hikaze.events.catalog import Prompts, Provided

A1111: dict[str, Any] = {
    "description": "<p>A style.</p>",
    "sd version": "SDXL",
    "activation text": "lantern girl, (night, lights:1.1) || red kimono",
    "preferred weight": 0.75,
    "negative text": "blurry, (bad, hands)",
    "notes": "good with 0.6",
    "extensions": {"sd_civitai_helper": {"version": "1.8.2", "last_update": 1709287200, "skeleton_file": False}},
    "modelId": 43331,
    "modelVersionId": 130072,
    "sha256": "AB" * 32,
}
SWARM: dict[str, Any] = {
    "modelspec.name": "style/lanterns.safetensors",
    "modelspec.title": "Paper Lanterns",
    "modelspec.author": "paperfox",
    "modelspec.description": (
        'From <a href="https://civitai.com/models/43331?modelVersionId=130072" target="_blank">'
        "https://civitai.com/models/43331?modelVersionId=130072</a>\n<p>A style.</p>\n"
    ),
    "modelspec.preview_image": "data:image/jpeg;base64,/9j/4AAQSkZJRg==",
    "modelspec.loaded": False,
    "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
    "modelspec.class": "SDXL 1.0-Base LoRA",
    "modelspec.compat_class": "stable-diffusion-xl-v1",
    "modelspec.resolution": "1024x1024",
    "modelspec.standard_width": 1024,
    "modelspec.standard_height": 1024,
    "modelspec.license": "",
    "modelspec.date": "2024-03-01T10:00:00Z",
    "modelspec.prediction_type": None,
    "modelspec.usage_hint": "SDXL 1.0",
    "modelspec.trigger_phrase": "lantern girl; red kimono, night",
    "modelspec.merged_from": None,
    "modelspec.tags": ["style", "lantern"],
    "modelspec.is_negative_embedding": False,
    "modelspec.lora_default_weight": "0.8",
    "modelspec.lora_default_confinement": "",
    "modelspec.local": True,
    "modelspec.time_created": 1709287200000,
    "modelspec.hash": "0x" + "ab" * 32,
    "modelspec.hash_sha256": "0x" + "ab" * 32,
    "modelspec.special_format": "",
}


def read(source: str, said: Any) -> Provided | None:
    """Parse a sidecar that holds a value."""
    return parse(source, json.dumps(said).encode(), "lanterns.json")


def test_a1111():
    """Each field comes to where it belongs, with what the helpers of Civitai add to them."""
    assert read("a1111", A1111) == Provided(
        notes="good with 0.6",
        description="A style.",
        links=("https://civitai.com/models/43331?modelVersionId=130072",),
        prompts=Prompts("", "blurry, (bad, hands)"),
        trigger_words=("lantern girl", "(night, lights:1.1)", "red kimono"),
        tags=("SDXL",),
        sha256="ab" * 32,
        facts={
            "base_model": "SDXL",
            "preferred_weight": 0.75,
            "model_id": 43331,
            "version_id": 130072,
            "made_by": "Civitai Helper 1.8.2",
        },
    )


@pytest.mark.parametrize(
    ("said", "provided"),
    [
        (
            {"description": "", "notes": "n", "vae": "kl-f8.vae.pt"},
            Provided(notes="n", facts={"vae": "kl-f8.vae.pt"}),
        ),
        (
            {
                "description": "d",
                "notes": "",
                "vae_te": ["ae.safetensors", "clip_l.safetensors"],
                "sd_version_str": "SdVersion.SDXL",
            },
            Provided(
                description="d",
                tags=("SDXL",),
                facts={"base_model": "SDXL", "vae": ["ae.safetensors", "clip_l.safetensors"]},
            ),
        ),
        (
            {"sd version": "Unknown", "activation text": "", "preferred weight": 0, "negative text": "", "notes": ""},
            Provided(),
        ),
        (
            {"activation text": "x", "preferred weight": "0.5"},
            Provided(trigger_words=("x",), facts={"preferred_weight": 0.5}),
        ),
        ({"description": "alone"}, Provided(description="alone")),
        ({"description": "d", "notes": "n", "of another extension": 1}, Provided(notes="n", description="d")),
        (
            {"modelId": "Model not found", "modelVersionId": "Model not found", "sha256": "AB" * 32},
            Provided(sha256="ab" * 32),
        ),
        ({"sd_version_str": "SdVersion.Unknown", "description": None}, Provided()),
    ],
)
def test_a1111_of_any_age(said: dict[str, Any], provided: Provided):
    """Checkpoints, LoRAs and the forks have keys of their own; what is unset says nothing."""
    assert read("a1111", said) == provided


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        [{"activation text": "x"}],
        "activation text",
        None,
        {"description": "A package", "name": "x", "version": "1.0"},
        {"notes": "n", "title": "t"},
        {"vae": "x", "epoch": 10},
        {
            "LoRA_type": "Standard",
            "pretrained_model_name_or_path": "x",
            "vae": "",
            "output_name": "x",
            "sd version": "SD1",
        },
        {"description": "d", "notes": "n", "train_data_dir": "x"},
        {"nodes": [], "links": [], "version": 0.4, "description": "", "notes": ""},
        {"3": {"class_type": "KSampler", "inputs": {}}},
        {"_class_name": "UNet2DConditionModel", "description": "d", "notes": ""},
        {"architectures": ["LlamaForCausalLM"], "model_type": "llama"},
        {"file_name": "x", "model_name": "x", "file_path": "x", "notes": "n", "description": "d"},
        {"id": 1, "name": "x", "description": "d", "modelVersions": []},
        {"id": 1, "modelId": 2, "description": "d", "trainedWords": [], "notes": "n"},
        {"__metadata__": {}, "notes": "n", "description": "d"},
    ],
)
def test_a_json_of_somebody_else(said: Any):
    """A `.json` that is not the web UI's is left alone, whatever lies in it."""
    assert read("a1111", said) is None


@pytest.mark.parametrize(
    ("text", "is_its"),
    [
        ('{"activation text": "x", "notes": ', True),
        ('{\n    "sd version": "SD1",,\n}', True),
        ('{"description": ', False),
        ("// settings\n{}", False),
        ("", False),
    ],
)
def test_a_broken_json(text: str, is_its: bool):
    """A `.json` that cannot be read is a problem of the web UI's only if it was its; else it is nobody's we know."""
    found = parse("a1111", text.encode(), "foo.json")

    assert (found is not None) is is_its
    assert found is None or found.problem.startswith("is no JSON: ")


def test_swarm():
    """Each field comes to where it belongs; the hash in it is the tensors' alone, and not the file's."""
    assert read("swarm", SWARM) == Provided(
        name="Paper Lanterns",
        description="From https://civitai.com/models/43331?modelVersionId=130072\n\nA style.",
        links=("https://civitai.com/models/43331?modelVersionId=130072",),
        trigger_words=("lantern girl", "red kimono", "night"),
        tags=("style", "lantern"),
        facts={
            "creator": "paperfox",
            "usage_hint": "SDXL 1.0",
            "date": "2024-03-01T10:00:00Z",
            "architecture": "stable-diffusion-xl-v1-base/lora",
            "class": "SDXL 1.0-Base LoRA",
            "preferred_weight": "0.8",
            "resolution": "1024x1024",
            "tensor_sha256": "ab" * 32,
        },
    )


def test_swarm_in_its_other_form():
    """Keys may lack their beginning, tags be one text, and yes be a word."""
    said = {
        "title": "T",
        "tags": "a, b",
        "is_negative_embedding": "true",
        "hash": "0x" + "AB" * 32,
        "resolution": "0x0",
    }

    assert read("swarm", said) == Provided(
        name="T", tags=("a", "b"), facts={"negative_embedding": True, "tensor_sha256": "ab" * 32}
    )


def test_swarm_of_a_picture():
    """What SwarmUI writes of a picture it made says nothing of a model."""
    assert read("swarm", {"sui_image_params": {"prompt": "x", "model": "y"}}) == Provided()
