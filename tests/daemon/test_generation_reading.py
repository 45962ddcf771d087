"""How a picture was made, read from real files as each generator writes them, and from texts of any kind."""

import json
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.generation.reading import read
from hikaze.daemon.generation.told import Generation, Reference
from hikaze.daemon.pictures import inspect
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

INFOTEXT = "a cat, 猫\nNegative prompt: bad\nSteps: 20, Sampler: Euler a, Seed: 18446744073709551615, Model: foo"
GRAPH = json.dumps(
    {
        "1": {
            "class_type": "KSampler",
            "inputs": {"seed": 5, "steps": 9, "cfg": float("nan"), "positive": ["2", 0], "model": ["3", 0]},
        },
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a dög", "clip": ["3", 1]}},
        "3": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "foo.safetensors"}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }
)
PAGE = json.dumps(
    {
        "nodes": [
            {
                "id": 1,
                "type": "KSampler",
                "inputs": [{"name": "positive", "link": 1}],
                "widgets_values": [7, "fixed", 9, 1, "euler", "simple", 1],
            },
            {"id": 2, "type": "CLIPTextEncode", "widgets_values": ["of the page"]},
        ],
        "links": [[1, 2, 0, 1, 1, "CONDITIONING"]],
    }
)
USER_COMMENT = 0x9286


def chunk(name: bytes, body: bytes) -> bytes:
    """Make a chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*chunks: bytes) -> bytes:
    """Make a PNG with more chunks behind its header."""
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    data = buffer.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


def png_by_pillow(**texts: str) -> bytes:
    """Make a PNG as ComfyUI and the web UI do: Pillow chooses tEXt or iTXt."""
    info, buffer = PngImagePlugin.PngInfo(), BytesIO()
    for key, value in texts.items():
        info.add_text(key, value)
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def with_exif(kind: str, fields: dict[int, Any], comment: bytes | None = None) -> bytes:
    """Make a picture with an EXIF block; the comment goes where the web UI puts it."""
    exif, buffer = Image.Exif(), BytesIO()
    exif.update(fields)
    if comment is not None:
        exif.get_ifd(0x8769)[USER_COMMENT] = comment
    Image.new("RGB", (8, 8)).save(buffer, kind, exif=exif.tobytes())
    return buffer.getvalue()


def unicode(text: str, order: str = "be") -> bytes:
    """Encode a UserComment as piexif does."""
    return b"UNICODE\0" + text.encode(f"utf-16-{order}")


def commented(kind: str, comment: bytes) -> bytes:
    """Make a picture with a comment."""
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind, comment=comment)
    return buffer.getvalue()


def told_by(tmp_path: Path, data: bytes) -> Generation:
    """Give what a picture file tells."""
    path = tmp_path / "picture"
    path.write_bytes(data)
    return read(inspect(str(path)).texts)


A1111 = {
    "PNG, iTXt": png_by_pillow(parameters=INFOTEXT),
    "PNG, tEXt in UTF-8": png(chunk(b"tEXt", b"parameters\0" + INFOTEXT.encode())),
    "PNG, zTXt": png(chunk(b"zTXt", b"parameters\0\0" + zlib.compress(INFOTEXT.encode()))),
    "PNG, compressed iTXt": png(chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(INFOTEXT.encode()))),
    "JPEG": with_exif("JPEG", {}, unicode(INFOTEXT)),
    "JPEG, little endian": with_exif("JPEG", {}, unicode(INFOTEXT, "le")),
    "JPEG, UTF-8": with_exif("JPEG", {}, b"ASCII\0\0\0" + INFOTEXT.encode()),
    "JPEG, comment": commented("JPEG", INFOTEXT.encode()),
    "WebP": with_exif("WEBP", {}, unicode(INFOTEXT)),
    "WebP, little endian": with_exif("WEBP", {}, unicode(INFOTEXT, "le")),
    "AVIF": with_exif("AVIF", {}, unicode(INFOTEXT)),
    "GIF": commented("GIF", INFOTEXT.encode()),
}


@pytest.mark.parametrize("data", A1111.values(), ids=A1111.keys())
def test_infotext_in_files(tmp_path: Path, data: bytes) -> None:
    """The web UI's text is found in every kind of picture, wherever its kind keeps it, and letter by letter."""
    told = told_by(tmp_path, data)

    assert told == Generation(
        positive="a cat, 猫",
        negative="bad",
        seed=2**64 - 1,
        sampler="Euler a",
        steps=20,
        model="foo",
        references=(Reference("checkpoints", "foo"),),
        source="a1111",
    )


COMFYUI = {
    "PNG": png_by_pillow(prompt=GRAPH, workflow=PAGE),
    "WebP": with_exif("WEBP", {0x0110: f"prompt:{GRAPH}", 0x010F: f"workflow:{PAGE}"}),
    "JPEG": with_exif("JPEG", {0x0110: f"prompt:{GRAPH}", 0x010F: f"workflow:{PAGE}"}),
    "AVIF": with_exif("AVIF", {0x0110: f"prompt:{GRAPH}"}),
    "JPEG, capital": with_exif("JPEG", {0x010F: f"Prompt: {GRAPH}", 0x010E: f"Workflow: {PAGE}"}),
    "JPEG, UserComment": with_exif("JPEG", {}, unicode(GRAPH)),
    "WebP, UserComment of two": with_exif("WEBP", {}, unicode(json.dumps({"prompt": GRAPH, "workflow": PAGE}))),
    "GIF": commented("GIF", json.dumps({"prompt": json.loads(GRAPH), "workflow": {}}).encode()),
}


@pytest.mark.parametrize("data", COMFYUI.values(), ids=COMFYUI.keys())
def test_graphs_in_files(tmp_path: Path, data: bytes) -> None:
    """ComfyUI's graph is found in every kind of picture; the one that ran comes before the one of the page."""
    told = told_by(tmp_path, data)

    assert (told.positive, told.seed, told.steps, told.cfg, told.model, told.source) == (
        "a dög",
        5,
        9,
        None,
        "foo.safetensors",
        "comfyui",
    )


def test_a_page_alone(tmp_path: Path) -> None:
    """Where the graph that ran is not there, or broken, the page's tells."""
    assert told_by(tmp_path, png_by_pillow(workflow=PAGE)).positive == "of the page"
    assert read({"prompt": GRAPH[:-9], "workflow": PAGE}).positive == "of the page"
    assert read({"prompt": GRAPH[:-9]}) == Generation(
        source="comfyui", problem="its workflow is broken off, or no JSON"
    )
    assert read({"prompt": "a plain prompt of somebody's"}) == Generation()


def test_infotext_beside_a_graph() -> None:
    """A node that saves writes both: its text has the say, the graph fills in what it leaves open."""
    text = "a cat\nSteps: 20, Model: foo, Model hash: 6ce0161689"
    told = read({"parameters": text, "prompt": GRAPH})

    assert (told.positive, told.steps, told.seed, told.source) == ("a cat", 20, 5, "comfyui")
    assert told.references == (Reference("checkpoints", "foo", "6ce0161689", "autov2"),)


SWARM = {
    "sui_image_params": {
        "prompt": "a fox",
        "negativeprompt": "bad",
        "model": "OfficialStableDiffusion/sd_xl_base_1.0",
        "seed": "1",
        "steps": 20,
        "cfgscale": 7.0,
        "sampler": "euler",
        "scheduler": "normal",
        "width": 1024,
        "height": 768,
        "loras": ["a/b", "c"],
        "loraweights": "0.5,1",
        "swarm_version": "0.9.3.1",
    },
    "sui_extra_data": {"date": "2025-01-25"},
    "sui_models": [
        {"name": "OfficialStableDiffusion/sd_xl_base_1.0.safetensors", "param": "model", "hash": "0x" + "d7" * 32},
        {"name": "gone", "param": "vae", "hash": None},
    ],
}
FOOOCUS = {
    "base_model": "juggernautXL_v8",
    "base_model_hash": "aeb7e9e689",
    "guidance_scale": 4,
    "loras": [["sd_xl_offset", 0.1, "4852686128"], ["no hash", 1]],
    "negative_prompt": "bad",
    "prompt": "a fox",
    "full_prompt": ["a fox, cinematic"],
    "refiner_model": "None",
    "resolution": "(1152, 896)",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": "123",
    "steps": 30,
    "vae": "Default (model)",
    "version": "Fooocus v2.5.5",
}
INVOKE = {
    "positive_prompt": "a fox",
    "negative_prompt": "bad",
    "seed": 123,
    "steps": 30,
    "cfg_scale": 7.5,
    "scheduler": "dpmpp_2m_k",
    "width": 512,
    "height": 640,
    "model": {"key": "x", "hash": "blake3:" + "b3" * 32, "name": "Dreamshaper", "base": "sd-1", "type": "main"},
    "loras": [{"model": {"name": "Detail", "hash": "random:abc"}, "weight": 0.75}],
    "vae": {"model_name": "old_vae", "base_model": "sd-1"},
}
NOVELAI = {
    "prompt": "a fox",
    "uc": "bad",
    "seed": 5,
    "steps": 28,
    "scale": 6,
    "sampler": "k_euler",
    "noise_schedule": "karras",
}
DRAW_THINGS = {
    "c": "a <fox> & a cat",
    "uc": "bad",
    "seed": 5,
    "steps": 20,
    "scale": 4.5,
    "sampler": "Euler A Trailing",
    "model": "flux_1_dev_q8p.ckpt",
    "size": "1024x768",
    "lora": [{"model": "x_lora_f16.ckpt", "weight": 0.6}],
}
XMP = (
    "<x:xmpmeta><rdf:RDF><xmp:CreatorTool>Draw Things</xmp:CreatorTool><exif:UserComment><rdf:Alt>"
    '<rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></exif:UserComment></rdf:RDF></x:xmpmeta>'
)


def escaped(value: object) -> str:
    """Write JSON as it stands in XMP."""
    return json.dumps(value).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (
            {"parameters": json.dumps(SWARM, indent=2)},
            Generation(
                "a fox",
                "bad",
                seed=1,
                sampler="euler",
                scheduler="normal",
                steps=20,
                cfg=7.0,
                size=(1024, 768),
                model="OfficialStableDiffusion/sd_xl_base_1.0",
                references=(
                    Reference("checkpoints", "OfficialStableDiffusion/sd_xl_base_1.0", "d7" * 32, "tensors"),
                    Reference("loras", "a/b", weight=0.5),
                    Reference("loras", "c", weight=1),
                    Reference("vae", "gone"),
                ),
                source="swarmui",
            ),
        ),
        (
            {"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"},
            Generation(
                "a fox",
                "bad",
                seed=123,
                sampler="dpmpp_2m_sde_gpu",
                scheduler="karras",
                steps=30,
                cfg=4,
                size=(1152, 896),
                model="juggernautXL_v8",
                references=(
                    Reference("checkpoints", "juggernautXL_v8", "aeb7e9e689", "autov2"),
                    Reference("loras", "sd_xl_offset", "4852686128", "autov2", 0.1),
                    Reference("loras", "no hash", weight=1),
                ),
                source="fooocus",
            ),
        ),
        (
            {"invokeai_metadata": json.dumps(INVOKE)},
            Generation(
                "a fox",
                "bad",
                seed=123,
                scheduler="dpmpp_2m_k",
                steps=30,
                cfg=7.5,
                size=(512, 640),
                model="Dreamshaper",
                references=(
                    Reference("checkpoints", "Dreamshaper", "b3" * 32, "blake3"),
                    Reference("vae", "old_vae"),
                    Reference("loras", "Detail", weight=0.75),
                ),
                source="invokeai",
            ),
        ),
        (
            {
                "sd-metadata": json.dumps(
                    {
                        "model_weights": "sd-1.4",
                        "model_hash": "fe" * 32,
                        "image": {"prompt": [{"prompt": "a fox [bad]", "weight": 1}], "seed": 5, "sampler": "k_lms"},
                    }
                )
            },
            Generation(
                "a fox",
                "bad",
                seed=5,
                sampler="k_lms",
                model="sd-1.4",
                references=(Reference("checkpoints", "sd-1.4", "fe" * 32, "sha256"),),
                source="invokeai",
            ),
        ),
        (
            {"Dream": '"a "red" fox [bad]" -s 50 -S 42 -W 512 -H 640 -C 7.5 -A k_lms'},
            Generation(
                'a "red" fox',
                "bad",
                seed=42,
                sampler="k_lms",
                steps=50,
                cfg=7.5,
                size=(512, 640),
                source="invokeai",
            ),
        ),
        (
            {"Software": "NovelAI", "Source": "NovelAI Diffusion V4", "Comment": json.dumps(NOVELAI)},
            Generation(
                "a fox",
                "bad",
                seed=5,
                sampler="k_euler",
                scheduler="karras",
                steps=28,
                cfg=6,
                model="NovelAI Diffusion V4",
                source="novelai",
            ),
        ),
        (
            {"xmp": XMP.format(escaped(DRAW_THINGS))},
            Generation(
                "a <fox> & a cat",
                "bad",
                seed=5,
                sampler="Euler A Trailing",
                steps=20,
                cfg=4.5,
                size=(1024, 768),
                model="flux_1_dev_q8p.ckpt",
                references=(
                    Reference("checkpoints", "flux_1_dev_q8p.ckpt"),
                    Reference("loras", "x_lora_f16.ckpt", weight=0.6),
                ),
                source="draw things",
            ),
        ),
        ({"xmp": XMP.format("{broken}")}, Generation(source="draw things", problem="its settings are broken")),
        ({"xmp": XMP.format(escaped(DRAW_THINGS)).replace("Draw Things", "GIMP")}, Generation()),
        ({"Comment": "made with love", "Software": "GIMP", "UserComment": "holiday"}, Generation()),
        ({}, Generation()),
    ],
    ids=[
        "swarm",
        "fooocus",
        "invoke",
        "early invoke",
        "dream",
        "novelai",
        "draw things",
        "broken",
        "xmp",
        "others",
        "",
    ],
)
def test_other_generators(texts: dict[str, str], told: Generation) -> None:
    """Each generator's own form, and what is nobody's."""
    assert read(texts) == told


@pytest.mark.parametrize("key", ["UserComment", "comment"])
def test_swarm_in_other_kinds(key: str) -> None:
    """SwarmUI and Fooocus write the same object into a JPEG's comment."""
    assert read({key: json.dumps(SWARM)}).source == "swarmui"
    assert read({key: json.dumps(FOOOCUS)}).source == "fooocus"


KEYS = st.sampled_from(
    ["parameters", "prompt", "workflow", "UserComment", "comment", "Comment", "Dream", "xmp", "invokeai_metadata",
     "sd-metadata", "Software", "Make", "Model", "Description"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["sui_image_params", "loras", "base_model", "guidance_scale", "image", "prompt", "model", "hash", "class_type",
     "inputs", "nodes", "links", "uc", "seed", "size", "lora", "sui_models", "loraweights", "extraMetadata", "name"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=9), inner, max_size=4),
)
WORDS = st.text(max_size=30) | JSON.map(json.dumps) | JSON.map(lambda value: XMP.format(escaped(value)))


@given(st.dictionaries(KEYS, WORDS, max_size=4))
def test_never_raises(texts: dict[str, str]) -> None:
    """Whatever a picture carries, something comes of it that can be sent."""
    repr(read(texts)).encode()


@pytest.mark.parametrize(
    "text",
    [
        "{" * 500_000,
        "[" * 500_000,
        '{"a":' * 200_000,
        '{"nodes":' + "[" * 100_000,
        '"' + " -s 1" * 200_000,
        '"' + '" -s' * 200_000,
        "[" * 40_000 + '"',
        "x" * 5_000_000,
        json.dumps({str(number): {"class_type": "KSampler", "inputs": {"seed": 1}} for number in range(30_000)}),
        '{"seed": ' + "9" * 100_000 + "}",
        "<exif:UserComment>" * 50_000 + "CreatorTool>Draw Things",
    ],
    ids=range(11),
)
def test_bounds(text: str) -> None:
    """Texts made to go deep or to take long are given up."""
    for key in ("parameters", "prompt", "workflow", "UserComment", "Dream", "xmp", "invokeai_metadata", "Make"):
        read({key: text, "Software": "NovelAI"})
    read({"Make": "prompt:" + text, "Dream": '"' + text})


def test_settings_of_commas_alone() -> None:
    """A line of settings without any key is passed over in one go, however long it is."""
    told = read({"parameters": "a cat\nSteps: 20, Sampler: Euler, " + "a," * 500_000 + "\nSeed: 7"})
    assert (told.positive, told.steps, told.sampler, told.seed) == ("a cat", 20, "Euler", 7)
