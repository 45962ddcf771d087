"""What a graph of ComfyUI's tells: the sampler, its prompts, and the files that its nodes load."""

import json
import math
from typing import Any

import pytest
from hikaze.daemon.generation.comfy import read_graph, read_page
from hikaze.daemon.generation.told import Generation, Reference
from hypothesis import given
from hypothesis import strategies as st

Nodes = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """Make a node as ComfyUI writes it."""
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}}


def graph(**changes: dict[str, Any]) -> Nodes:
    """Make the graph that ComfyUI shows first, with some nodes changed; names are `n` and an id."""
    plain: Nodes = {
        "3": node(
            "KSampler",
            seed=1125899906842624001,
            steps=20,
            cfg=8.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
            model=["4", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["5", 0],
        ),
        "4": node("CheckpointLoaderSimple", ckpt_name="sub\\v1-5.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "6": node("CLIPTextEncode", text="a bottle", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="watermark", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
    }
    return plain | {key.removeprefix("n"): value for key, value in changes.items()}


def sampler(**changes: Any) -> dict[str, Any]:
    """Make the sampler of `graph` with other inputs."""
    inputs = graph()["3"]["inputs"] | changes
    return node("KSampler", **{name: value for name, value in inputs.items() if value is not None})


def told_by(nodes: Nodes) -> Generation:
    """Give what a graph tells."""
    told = read_graph(json.loads(json.dumps(nodes)))
    assert told is not None
    return told


def loras(nodes: Nodes) -> list[tuple[str, float | None]]:
    """Give names and weights of the LoRAs in a graph."""
    return [(one.name, one.weight) for one in told_by(nodes).references if one.kind == "loras"]


def test_the_plain_graph() -> None:
    """Everything that the first graph of ComfyUI's says."""
    assert told_by(graph()) == Generation(
        positive="a bottle",
        negative="watermark",
        seed=1125899906842624001,
        sampler="euler",
        scheduler="normal",
        steps=20,
        cfg=8.0,
        size=(512, 768),
        denoise=1.0,
        model="sub\\v1-5.safetensors",
        references=(Reference("checkpoints", "sub\\v1-5.safetensors"),),
        source="comfyui",
    )


def test_flux_with_a_guider() -> None:
    """A sampler whose noise, guider, sigmas and sampler are nodes of their own."""
    told = told_by(
        {
            "1": node(
                "SamplerCustomAdvanced",
                noise=["2", 0],
                guider=["3", 0],
                sampler=["4", 0],
                sigmas=["5", 0],
                latent_image=["6", 0],
            ),
            "2": node("RandomNoise", noise_seed=7),
            "3": node("BasicGuider", model=["10", 0], conditioning=["8", 0]),
            "4": node("KSamplerSelect", sampler_name="euler"),
            "5": node("BasicScheduler", scheduler="simple", steps=28, denoise=1.0, model=["10", 0]),
            "6": node("EmptySD3LatentImage", width=1024, height=1024, batch_size=1),
            "8": node("FluxGuidance", guidance=3.5, conditioning=["9", 0]),
            "9": node("CLIPTextEncodeFlux", clip_l="a fox", t5xxl="a red fox", guidance=3.5, clip=["11", 0]),
            "10": node("LoraLoaderModelOnly", lora_name="flux/x.safetensors", strength_model=0.7, model=["12", 0]),
            "11": node("DualCLIPLoader", clip_name1="t5xxl.safetensors", clip_name2="clip_l.safetensors", type="flux"),
            "12": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
            "13": node("VAELoader", vae_name="ae.safetensors"),
            "14": node("VAEDecode", samples=["1", 0], vae=["13", 0]),
            "15": node("SaveImage", images=["14", 0]),
        }
    )

    assert (told.positive, told.negative, told.seed, told.sampler) == ("a fox\na red fox", "", 7, "euler")
    assert (told.scheduler, told.steps, told.cfg, told.size) == ("simple", 28, None, (1024, 1024))
    assert told.model == "flux1-dev.safetensors"
    assert set(told.references) == {
        Reference("diffusion_models", "flux1-dev.safetensors"),
        Reference("loras", "flux/x.safetensors", weight=0.7),
        Reference("text_encoders", "t5xxl.safetensors"),
        Reference("text_encoders", "clip_l.safetensors"),
        Reference("vae", "ae.safetensors"),
    }


@pytest.mark.parametrize(
    ("nodes", "positive"),
    [
        (
            {"n6": node("CLIPTextEncode", text=["20", 0]), "n20": node("PrimitiveStringMultiline", value="a cat")},
            "a cat",
        ),
        ({"n6": node("Reroute", **{"": ["20", 0]}), "n20": node("CLIPTextEncode", text="a cat")}, "a cat"),
        (
            {
                "n6": node("ConditioningCombine", conditioning_1=["20", 0], conditioning_2=["21", 0]),
                "n20": node("CLIPTextEncode", text="a cat"),
                "n21": node("ConditioningSetArea", width=64, conditioning=["22", 0]),
                "n22": node("CLIPTextEncode", text="a dog"),
            },
            "a cat\na dog",
        ),
        (
            {
                "n6": node("ControlNetApplyAdvanced", positive=["20", 0], negative=["7", 0], control_net=["30", 0]),
                "n20": node("CLIPTextEncode", text="a cat"),
                "n30": node("ControlNetLoader", control_net_name="canny.safetensors"),
            },
            "a cat",
        ),
        (
            {
                "n6": node("CLIPTextEncode", text=["20", 0]),
                "n20": node("StringConcatenate", string_a=["21", 0], string_b="b", delimiter=" + "),
                "n21": node("PrimitiveString", value="a"),
            },
            "a + b",
        ),
        ({"n6": node("CLIPTextEncodeSDXL", text_g="big", text_l="small", width=1024, height=1024)}, "big\nsmall"),
        ({"n6": node("CLIPTextEncodeSDXL", text_g="same", text_l="same")}, "same"),
        (
            {
                "n6": node("smZ CLIPTextEncode", text=["20", 0]),
                "n20": node("ShowText|pysssss", text=["21", 0], text_0="old"),
                "n21": node("DPRandomGenerator", text="a {cat|dog}", seed=5),
            },
            "a {cat|dog}",
        ),
        ({"n6": node("CLIPTextEncode", text=["20", 0]), "n20": node("ShowText|pysssss", text_0="kept")}, "kept"),
        ({"n6": node("ImpactWildcardEncode", wildcard_text="__x__", populated_text="a cat", seed=3)}, "a cat"),
        (
            {
                "n6": node("ImpactSwitch", select=2, input1=["20", 0], input2=["21", 0]),
                "n20": node("CLIPTextEncode", text="no"),
                "n21": node("CLIPTextEncode", text="yes"),
            },
            "yes",
        ),
        ({"n6": node("ConditioningZeroOut", conditioning=["20", 0]), "n20": node("CLIPTextEncode", text="x")}, ""),
        ({"n6": node("CLIPTextEncode", text=["6", 0])}, ""),
        ({"n6": node("CLIPTextEncode", text=12)}, ""),
        (
            {
                "n6": node("CLIPTextEncode", text=["20", 0]),
                "n20": node(
                    "TriggerWord Toggle (LoraManager)",
                    toggle_trigger_words={
                        "__value__": [{"text": "on", "active": True}, {"text": "off", "active": False}]
                    },
                    trigger_words=["21", 1],
                ),
            },
            "on",
        ),
    ],
    ids=range(15),
)
def test_the_way_to_a_prompt(nodes: Nodes, positive: str) -> None:
    """A prompt is found through encoders, combiners, ControlNets, reroutes, and nodes that hold or join strings."""
    told = told_by(graph(**nodes))

    assert (told.positive, told.negative) == (positive, "watermark")


@pytest.mark.parametrize(
    ("kind", "inputs", "expected"),
    [
        (
            "LoraLoader",
            {"lora_name": "a.safetensors", "strength_model": 0.8, "strength_clip": 1},
            [("a.safetensors", 0.8)],
        ),
        ("LoraLoader", {"lora_name": "a.safetensors", "strength_model": 0, "strength_clip": 0}, []),
        ("LoraLoader", {"lora_name": "None", "strength_model": 1}, []),
        ("LoraLoader", {"lora_name": "a", "strength_model": ["50", 0]}, [("a", 0.25)]),
        (
            "Power Lora Loader (rgthree)",
            {
                "PowerLoraLoaderHeaderWidget": {"type": "PowerLoraLoaderHeaderWidget"},
                "lora_1": {"on": True, "lora": "a.safetensors", "strength": 0.5, "strengthTwo": None},
                "lora_2": {"on": False, "lora": "b.safetensors", "strength": 1},
                "lora_3": {"on": True, "lora": "None", "strength": 1},
            },
            [("a.safetensors", 0.5)],
        ),
        (
            "Lora Loader Stack (rgthree)",
            {"lora_01": "a", "strength_01": 0.5, "lora_02": "None", "strength_02": 1, "lora_03": "c", "strength_03": 0},
            [("a", 0.5)],
        ),
        (
            "CR LoRA Stack",
            {"switch_1": "On", "lora_name_1": "a", "model_weight_1": 0.4, "switch_2": "Off", "lora_name_2": "b"},
            [("a", 0.4)],
        ),
        (
            "LoRA Stacker",
            {"lora_count": 1, "lora_name_1": "a", "lora_wt_1": 0.4, "lora_name_2": "b", "lora_wt_2": 1},
            [("a", 0.4)],
        ),
        (
            "Lora Loader (LoraManager)",
            {
                "text": "<lora:a:0.5> <lora:b:1>",
                "loras": {
                    "__value__": [
                        {"name": "a", "strength": "0.5", "active": True, "clipStrength": "0.5"},
                        {"name": "b", "strength": 1, "active": False},
                        {"name": "__dummy_item1__", "strength": 0, "active": True, "_isDummy": True},
                    ]
                },
            },
            [("a", 0.5)],
        ),
        ("LoRA Text Loader (LoraManager)", {"lora_syntax": "<lora:a:0.5>"}, []),
        ("LoraTextLoaderLM", {"lora_syntax": "<lora:a:0.5>"}, [("a", 0.5)]),
        ("LoraTagLoader", {"text": "x <lora:a:0.5>"}, [("a", 0.5)]),
        ("Power Prompt (rgthree)", {"prompt": "x <lora:a:0.5>", "insert_lora": "CHOOSE"}, [("a", 0.5)]),
        ("ImpactWildcardEncode", {"populated_text": "x <lora:a:0.5>"}, [("a", 0.5)]),
        ("CLIPTextEncode", {"text": "x <lora:a:0.5>"}, []),
        (
            "HikazeLoraPowerLoader",
            {
                "hikaze_payload": json.dumps(
                    {
                        "version": 2,
                        "LoRAs": [
                            {"name": "a", "full_path": "/m/a.safetensors", "strength_model": 0.5, "enabled": True},
                            {"name": "b", "full_path": "/m/b.safetensors", "strength_model": 1, "enabled": False},
                            {"path": "c.safetensors", "MStrength": "0.3", "CStrength": 0, "toggleOn": True},
                            {"path": "d.safetensors", "strengthModel": 0, "strengthClip": 0},
                        ],
                    }
                )
            },
            [("/m/a.safetensors", 0.5), ("c.safetensors", 0.3)],
        ),
        ("HikazeLoraPowerLoader", {"hikaze_payload": '[{"name": "a"}]'}, [("a", None)]),
        ("HikazeLoraPowerLoader", {"hikaze_payload": "{broken"}, []),
    ],
    ids=range(18),
)
def test_loras(kind: str, inputs: dict[str, Any], expected: list[tuple[str, float | None]]) -> None:
    """LoRAs are told by each kind of loader; those that are switched off, or have no strength, are not."""
    loader = node(kind, model=["4", 0], clip=["4", 1], **inputs)
    found = loras(graph(n3=sampler(model=["20", 0]), n20=loader, n50=node("PrimitiveFloat", value=0.25)))

    assert found == expected


def test_our_own_nodes() -> None:
    """The payloads of Hikaze's nodes give the checkpoint's path, and the hash of a LoRA."""
    payload = {"version": 2, "LoRAs": [{"name": "a", "full_path": "/m/a.safetensors", "sha256": "AB" * 32}]}
    told = told_by(
        graph(
            n3=sampler(model=["20", 0]),
            n4=node("HikazeCheckpointLoader", hikaze_payload='{"ckpt_path": "/m/c.safetensors"}'),
            n20=node("HikazeLoraPowerLoader", hikaze_payload=json.dumps(payload), model=["4", 0], clip=["4", 1]),
        )
    )

    assert told.model == "/m/c.safetensors"
    assert told.references == (
        Reference("checkpoints", "/m/c.safetensors"),
        Reference("loras", "/m/a.safetensors", "ab" * 32, "sha256"),
    )


def test_the_first_sampler_counts() -> None:
    """Of a base pass and those that work on its picture, the base pass tells; the files of all are listed."""
    told = told_by(
        graph(
            n8=node("VAEDecode", samples=["20", 0], vae=["4", 2]),
            n20=sampler(seed=5, steps=8, denoise=0.4, latent_image=["21", 0], model=["22", 0]),
            n21=node("LatentUpscale", samples=["3", 0], width=1024, height=1536),
            n22=node("CheckpointLoaderSimple", ckpt_name="refiner.safetensors"),
            n23=node("UpscaleModelLoader", model_name="4x.pth"),
            n24=node("ImageUpscaleWithModel", upscale_model=["23", 0], image=["8", 0]),
            n9=node("SaveImage", images=["24", 0]),
        )
    )

    assert (told.seed, told.steps, told.denoise, told.size) == (1125899906842624001, 20, 1.0, (512, 768))
    assert [(one.kind, one.name) for one in told.references] == [
        ("checkpoints", "sub\\v1-5.safetensors"),
        ("upscale_models", "4x.pth"),
        ("checkpoints", "refiner.safetensors"),
    ]


@pytest.mark.parametrize(
    ("inputs", "seed"),
    [
        ({"seed": ["20", 0]}, 42),
        ({"seed": ["21", 0]}, 42),
        ({"seed": ["22", 0]}, None),
        ({"seed": -1}, None),
        ({"seed": 2**64}, None),
        ({"seed": 2**64 - 1}, 2**64 - 1),
        ({"seed": True}, None),
        ({"seed": 42.0}, 42),
    ],
)
def test_seeds(inputs: dict[str, Any], seed: int | None) -> None:
    """A seed stands in the sampler or in a node that only holds it; a circle ends, and what is no seed is none."""
    told = told_by(
        graph(
            n3=sampler(**inputs),
            n20=node("Seed (rgthree)", seed=42),
            n21=node("Reroute", **{"": ["20", 0]}),
            n22=node("PrimitiveInt", value=["22", 0]),
        )
    )

    assert told.seed == seed


def test_an_unknown_sampler_with_a_pipe() -> None:
    """A sampler of somebody's pack is known by its inputs, and its prompts are found through a pipe."""
    told = told_by(
        {
            "1": node("ImpactKSamplerBasicPipe", basic_pipe=["2", 0], seed=3, steps=9, cfg=2, sampler_name="lcm"),
            "2": node("ToBasicPipe", model=["3", 0], clip=["3", 1], vae=["3", 2], positive=["4", 0], negative=["5", 0]),
            "3": node("CheckpointLoaderSimple", ckpt_name="x.ckpt"),
            "4": node("CLIPTextEncode", text="yes"),
            "5": node("CLIPTextEncode", text="no embedding:bad_v2, embedding:sub/worse"),
            "6": node("PreviewImage", images=["1", 1]),
        }
    )

    assert (told.positive, told.seed, told.steps, told.cfg, told.model) == ("yes", 3, 9, 2, "x.ckpt")
    assert [one.name for one in told.references if one.kind == "embeddings"] == ["bad_v2", "sub/worse"]


def test_an_efficient_loader() -> None:
    """A loader that holds both prompts gives each to the one that asks for it."""
    loader = node("Efficient Loader", ckpt_name="x.ckpt", positive="yes", negative="no", clip_skip=-2, lora_name="None")
    told = told_by(graph(n3=sampler(model=["4", 0], positive=["4", 1], negative=["4", 2]), n4=loader))

    assert (told.positive, told.negative, told.model) == ("yes", "no", "x.ckpt")


def test_a_picture_of_civitai() -> None:
    """Civitai's generator names its files by URN, and says beside the graph what was asked for."""
    nodes: dict[str, Any] = graph(
        n4=node("CheckpointLoaderSimple", ckpt_name="urn:air:sdxl:checkpoint:civitai:101055@128078"),
        n6=node("smZ CLIPTextEncode", text="a bottle, expanded"),
    )
    extra = {"prompt": "a bottle", "negativePrompt": "bad", "steps": 25, "cfgScale": 4, "sampler": "Euler a", "seed": 9}
    told = told_by(nodes | {"extra": {"airs": []}, "extraMetadata": json.dumps(extra)})

    assert (told.positive, told.negative, told.seed, told.sampler) == ("a bottle", "bad", 9, "Euler a")
    assert told.references == (Reference("checkpoints", "urn:air:sdxl:checkpoint:civitai:101055@128078"),)


def test_nan_in_a_graph() -> None:
    """NaN and Infinity, which Python writes, are no numbers and spoil nothing."""
    told = told_by(graph(n3=sampler(cfg=math.nan, denoise=math.inf)))

    assert (told.cfg, told.denoise, told.positive) == (None, None, "a bottle")


# The page's file --------------------------------------------------------------------------------------


def on_page(id_: int, kind: str, values: Any = (), links: dict[str, int] | None = None, **more: Any) -> dict[str, Any]:
    """Make a node as the page keeps it; `links` gives the link of each input."""
    inputs = [{"name": name, "type": "*", "link": link} for name, link in (links or {}).items()]
    return {"id": id_, "type": kind, "mode": 0, "inputs": inputs, "outputs": [], "widgets_values": list(values)} | more


def page(**changes: Any) -> dict[str, Any]:
    """Make the plain graph as the page keeps it."""
    return {
        "nodes": [
            on_page(
                3, "KSampler", [7, "randomize", 20, 8, "euler", "normal", 1], {"model": 1, "positive": 4, "negative": 6}
            ),
            on_page(4, "CheckpointLoaderSimple", ["v1-5.safetensors"]),
            on_page(6, "CLIPTextEncode", ["a bottle"], {"clip": 3}),
            on_page(7, "CLIPTextEncode", ["watermark"], {"clip": 5}),
            on_page(10, "LoraLoader", ["a.safetensors", 0.5, 1], {"model": 9}),
            on_page(9, "SaveImage", ["x"], {"images": 10}),
        ],
        "links": [
            [1, 10, 0, 3, 0, "MODEL"],
            [3, 4, 1, 6, 0, "CLIP"],
            [4, 6, 0, 3, 1, "CONDITIONING"],
            [5, 4, 1, 7, 0, "CLIP"],
            [6, 7, 0, 3, 2, "CONDITIONING"],
            [9, 4, 0, 10, 0, "MODEL"],
            [10, 3, 0, 9, 0, "IMAGE"],
        ],
    } | changes


def told_by_page(fields: dict[str, Any]) -> Generation:
    """Give what a page's file tells."""
    told = read_page(json.loads(json.dumps(fields)))
    assert told is not None
    return told


def test_a_page_alone() -> None:
    """Where only the page's file is there, the widgets of ComfyUI's own nodes tell the same."""
    told = told_by_page(page())

    assert (told.positive, told.negative, told.seed, told.steps, told.cfg) == ("a bottle", "watermark", 7, 20, 8)
    assert (told.sampler, told.scheduler, told.denoise, told.model) == ("euler", "normal", 1, "v1-5.safetensors")
    assert loras_of(told) == [("a.safetensors", 0.5)]


def loras_of(told: Generation) -> list[tuple[str, float | None]]:
    """Give names and weights of the LoRAs."""
    return [(one.name, one.weight) for one in told.references if one.kind == "loras"]


@pytest.mark.parametrize(("mode", "expected"), [(0, [("a.safetensors", 0.5)]), (4, []), (2, [])])
def test_nodes_that_do_not_run(mode: int, expected: list[tuple[str, float]]) -> None:
    """A bypassed LoRA hands the model on, and one that is switched off tells nothing."""
    fields = page()
    fields["nodes"][4] |= {"mode": mode, "outputs": [{"name": "MODEL", "type": "*"}]}
    told = told_by_page(fields)

    assert (loras_of(told), told.model) == (expected, "v1-5.safetensors")


def test_names_of_widgets_among_the_inputs() -> None:
    """Of a node nobody knows the widgets are named by its inputs, without the one that goes with a seed."""
    fields = page()
    fields["nodes"][0]["type"] = "SomebodysSampler"
    names = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")
    fields["nodes"][0]["inputs"] += [{"name": name, "link": None, "widget": {"name": name}} for name in names]
    told = told_by_page(fields)

    assert (told.seed, told.steps, told.sampler, told.positive) == (7, 20, "euler", "a bottle")


def test_a_subgraph() -> None:
    """A subgraph stands in the place of its node, with its links in and out."""
    inner = {
        "id": "aaaa-bbbb",
        "nodes": [on_page(1, "CLIPTextEncode", ["inside"], {"clip": 1})],
        "links": [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 1, "target_slot": 0, "type": "CLIP"},
            {"id": 2, "origin_id": 1, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "CONDITIONING"},
        ],
    }
    fields = page(definitions={"subgraphs": [inner]})
    fields["nodes"][2] = on_page(6, "aaaa-bbbb", [], {"clip": 3})

    assert told_by_page(fields).positive == "inside"


def test_a_widget_of_a_subgraph() -> None:
    """What is written on a subgraph's node goes to the node inside that asks for it."""
    inner = {
        "id": "aaaa-bbbb",
        "nodes": [
            on_page(1, "CLIPTextEncode", ["replaced"])
            | {"inputs": [{"name": "text", "link": 1, "widget": {"name": "text"}}]},
        ],
        "links": [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 1, "target_slot": 0, "type": "STRING"},
            {"id": 2, "origin_id": 1, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "CONDITIONING"},
        ],
    }
    fields = page(definitions={"subgraphs": [inner]})
    fields["nodes"][2] = on_page(6, "aaaa-bbbb", ["written outside"]) | {
        "inputs": [{"name": "text", "link": None, "widget": {"name": "text"}}]
    }

    assert told_by_page(fields).positive == "written outside"


def test_a_sampler_behind_a_prompt_made_another_picture() -> None:
    """One that made the picture for a ControlNet is not the one that made this."""
    told = told_by(
        graph(
            n6=node("ControlNetApplyAdvanced", positive=["20", 0], negative=["7", 0], image=["21", 0]),
            n20=node("CLIPTextEncode", text="a bottle"),
            n21=node("VAEDecode", samples=["22", 0], vae=["4", 2]),
            n22=sampler(seed=1, positive=["23", 0]),
            n23=node("CLIPTextEncode", text="depth"),
        )
    )

    assert (told.positive, told.seed) == ("a bottle", 1125899906842624001)


def test_a_subgraph_in_itself_ends() -> None:
    """One that holds itself is followed a few times only."""
    inner = {"id": "a", "nodes": [on_page(1, "a"), on_page(2, "a")], "links": []}

    assert read_page({"nodes": [on_page(1, "a")], "definitions": {"subgraphs": [inner]}, "links": []}) is None


# Bounds -----------------------------------------------------------------------------------------------


def test_a_large_graph() -> None:
    """Ten thousand nodes in a chain, and as many in a circle, are read."""
    chain = {f"c{at}": node("Reroute", **{"": [f"c{at + 1}", 0]}) for at in range(9_000)}
    circle = {f"k{at}": node("ConditioningCombine", conditioning_1=[f"k{(at + 1) % 900}", 0]) for at in range(900)}
    nodes = chain | circle | graph(n6=node("ConditioningCombine", conditioning_1=["c0", 0], conditioning_2=["k0", 0]))

    assert told_by(nodes).negative == "watermark"


def test_texts_that_double() -> None:
    """Nodes that each say twice what the one before says do not fill the memory."""
    doubling = {
        f"d{at}": node("StringConcatenate", string_a=[f"d{at + 1}", 0], string_b=["x", 0], delimiter=str(at))
        for at in range(90)
    }
    nodes = graph(n6=node("CLIPTextEncode", text=["d0", 0]), nx=node("PrimitiveString", value="y" * 90_000)) | doubling

    assert len(told_by(nodes).positive) <= 100_000


def test_many_samplers_and_ends() -> None:
    """A thousand samplers that all save are looked through in part."""
    nodes = {str(at): sampler(positive=["a", 0]) | {} for at in range(2_000)}

    assert told_by(nodes | {"a": node("CLIPTextEncode", text="x")}).positive == "x"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["3", "4", "6"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["seed", "positive", "negative", "model", "text", "loras", "lora_1", "hikaze_payload", "select", "guider", "noise",
     "steps", "sigmas", "ckpt_name", "lora_name", "strength_model", "latent_image", "width", "toggle_trigger_words"]
)  # fmt: skip
NODES = st.dictionaries(
    st.sampled_from(["3", "4", "6", "extraMetadata"]),
    VALUES
    | st.fixed_dictionaries(
        {
            "class_type": st.sampled_from(["KSampler", "LoraLoader", "SaveImage"]) | VALUES,
            "inputs": st.dictionaries(
                NAMES, VALUES | st.tuples(st.sampled_from(["3", "4", "6"]), st.just(0)).map(list)
            ),
        }
    ),
)


@given(NODES)
def test_never_raises(nodes: dict[str, Any]) -> None:
    """Whatever stands where nodes should, nothing breaks."""
    repr(read_graph(nodes)).encode()


@given(
    st.dictionaries(st.sampled_from(["nodes", "links", "definitions"]), VALUES),
    st.lists(
        st.fixed_dictionaries(
            {
                "id": VALUES,
                "type": VALUES | st.sampled_from(["KSampler", "GetNode", "SetNode", "3"]),
                "mode": VALUES | st.just(4),
                "inputs": VALUES | st.lists(st.fixed_dictionaries({"name": VALUES, "link": VALUES, "widget": VALUES})),
                "outputs": VALUES,
                "widgets_values": VALUES,
            }
        ),
        max_size=3,
    ),
    st.lists(st.lists(VALUES, max_size=6), max_size=3),
)
def test_pages_never_raise(fields: dict[str, Any], nodes: list[Any], links: list[Any]) -> None:
    """Nor does anything on a page."""
    repr(read_page(fields))
    subgraphs = {"subgraphs": [{"id": 3, "nodes": nodes, "links": links}]}
    repr(read_page({"nodes": nodes, "links": links, "definitions": subgraphs}))


def test_a_text_that_many_nodes_read() -> None:
    """A text that thousands of nodes share is looked through once for the LoRAs that it names."""
    loader = {"class_type": "LoraTagLoader", "inputs": {"text": ["0", 0]}}
    text = {"class_type": "Text", "inputs": {"value": "<lora:ink:0.5>" * 7_000}}
    told = read_graph({"0": text} | {str(number): loader for number in range(1, 9_000)})
    assert told is not None
    assert told.references == (Reference("loras", "ink", weight=0.5),)


NAMED = [{"id": "lora", "type": "LoraLoaderModelOnly", "widgets_values": ["ink.safetensors", 0.5]}]
ONE_TYPE = [{"type": "A", "link": 1}]


@pytest.mark.parametrize(
    ("nodes", "links", "inner", "inner_links"),
    [
        ([{"id": number, "type": "s"} for number in range(5_000)], [], [{}], [[at, 0, 0] for at in range(20_000)]),
        ([{"id": 1, "mode": 4, "type": "B", "inputs": [{}] * 9_000 + ONE_TYPE, "outputs": ONE_TYPE},
          {"id": 2, "type": "K", "inputs": [{"name": str(at), "link": 1} for at in range(9_000)]}],
         [[1, 1, 0]], [], []),
        ([{"id": 1, "type": "s", "inputs": [{"name": "a"}] * 9_000, "widgets_values": [1] * 900}], [],
         [{"id": at, "type": "K", "inputs": [{"name": "a", "link": 1}]} for at in range(9_000)], [[1, "-10", 0]]),
    ],
    ids=["subgraphs", "bypassed", "widgets"],
)  # fmt: skip
def test_small_pages_that_make_much_work(
    nodes: list[Any], links: list[Any], inner: list[Any], inner_links: list[Any]
) -> None:
    """A page that has the same long lists looked at over and over is given up in time; what came before is told."""
    subgraphs = [{"id": "s", "nodes": inner, "links": inner_links}]
    told = read_page({"nodes": NAMED + nodes, "links": links, "definitions": {"subgraphs": subgraphs}})
    assert told is not None
    assert Reference("loras", "ink.safetensors", weight=0.5) in told.references


def test_ids_that_are_nested_deep() -> None:
    """What stands where an id should, too deep to be written out, is no id."""
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    page = {
        "nodes": [*NAMED, {"id": deep, "type": "K", "inputs": [{"name": "a", "link": deep}]}],
        "links": [[1, "lora", 0]],
    }
    told = read_page(page)
    assert told is not None
    assert told.references == (Reference("loras", "ink.safetensors", weight=0.5),)
