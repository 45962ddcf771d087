"""Pictures talk: what generators wrote into them is told, linked to models, and offered as prompts."""

import io
import json
from itertools import count
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from .harness import Daemon, Json

SEED = 2**63 + 7
seeds = count(500)


def infotext(name: str = "detail", sha256: str = "0" * 64, prompt: str = "a lighthouse") -> str:
    """Give what the web UI writes for a picture made with a LoRA."""
    return (
        f"{prompt}, <lora:{name}:0.7>\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: {SEED}, "
        f'Size: 512x768, Model hash: 6ce0161689, Model: v1-5, Lora hashes: "{name}: {sha256[:10]}", Version: v1.9.4'
    )


def png_with(**texts: str) -> bytes:
    """Make a PNG with texts."""
    info, made = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, value in texts.items():
        info.add_text(key, value)
    Image.new("RGB", (64, 48), "teal").save(made, "PNG", pnginfo=info)
    return made.getvalue()


def graph(lora: str, loras: int = 0) -> str:
    """Give ComfyUI's graph of a picture made with a LoRA, with as many more nodes as one wants."""
    nodes: dict[str, Any] = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5.ckpt"}},
        "2": {"class_type": "LoraLoader", "inputs": {"lora_name": lora, "strength_model": 0.5, "model": ["1", 0]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "a harbour", "clip": ["1", 1]}},
        "4": {
            "class_type": "KSampler",
            "inputs": {"seed": SEED, "steps": 9, "cfg": float("nan"), "model": ["2", 0], "positive": ["3", 0]},
        },
        "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0]}},
    }
    for at in range(loras):
        nodes[f"x{at}"] = {"class_type": "Reroute", "inputs": {"": [f"x{at + 1}", 0]}}
    return json.dumps(nodes)


@pytest.fixture
def sha256(shared: Daemon) -> str:
    """Give a model without pictures."""
    seed = next(seeds)
    return shared.bring_in(shared.drop / f"talking {seed}.safetensors", seed)


def give(daemon: Daemon, sha256: str, picture: bytes) -> str:
    """Give a model a picture, and give its base name."""
    answer = daemon.upload("/api/images/upload", picture, sha256=sha256)
    assert answer.status == 200, answer.body
    return answer.json["base_name"]


def info(daemon: Daemon, name: str) -> Json:
    """Give what a picture tells."""
    return daemon.get(f"/api/images/{name}/info")


def test_a_picture_of_the_web_ui(shared: Daemon, sha256: str) -> None:
    """All that its text says is told, with the seed of 64 bits, and the LoRA is linked by its hash."""
    name = give(shared, sha256, png_with(parameters=infotext(sha256=sha256)))
    model = shared.model(sha256)["name"]

    assert info(shared, name) == {
        "image": name,
        "format": "PNG",
        "width": 64,
        "height": 48,
        "source": "a1111",
        "prompts": {"positive": "a lighthouse, <lora:detail:0.7>", "negative": "fog"},
        "seed": SEED,
        "seed_text": str(SEED),
        "sampler": "Euler a",
        "scheduler": None,
        "steps": 20,
        "cfg": 7.0,
        "size": [512, 768],
        "denoise": None,
        "clip_skip": None,
        "model": "v1-5",
        "references": [
            {
                "kind": "checkpoints",
                "name": "v1-5",
                "hash": "6ce0161689",
                "hash_kind": "autov2",
                "weight": None,
                "sha256": None,
                "linked_by": None,
                "model_name": None,
                "candidates": 0,
            },
            {
                "kind": "loras",
                "name": "detail",
                "hash": sha256[:10],
                "hash_kind": "autov2",
                "weight": 0.7,
                "sha256": sha256,
                "linked_by": "autov2",
                "model_name": model,
                "candidates": 1,
            },
        ],
        "texts": {"parameters": infotext(sha256=sha256)},
        "problem": None,
    }


def test_a_picture_of_comfyui(shared: Daemon, sha256: str) -> None:
    """A graph of thousands of nodes is read, in a WebP's EXIF block too, and the LoRA is linked by its file's name."""
    file = f"sub\\{shared.model(sha256)['name']}.safetensors"
    exif, made = Image.Exif(), io.BytesIO()
    exif[0x0110] = f"prompt:{graph(file)}"
    exif[0x010F] = "workflow:{}"
    Image.new("RGB", (64, 48)).save(made, "WEBP", exif=exif.tobytes())
    for picture in (png_with(prompt=graph(file, 5_000)), made.getvalue()):
        told = info(shared, give(shared, sha256, picture))

        assert (told["source"], told["prompts"]["positive"], told["seed"], told["cfg"]) == (
            "comfyui",
            "a harbour",
            SEED,
            None,
        )
        assert [(one["kind"], one["weight"], one["sha256"], one["linked_by"]) for one in told["references"]] == [
            ("checkpoints", None, None, None),
            ("loras", 0.5, sha256, "name"),
        ]
        assert "exif" not in told["texts"]


def test_a_picture_that_tells_nothing(shared: Daemon, sha256: str) -> None:
    """It is answered for, with empty prompts and nulls; one that is not there, or was taken away, is not found."""
    name = give(shared, sha256, png_with(Comment="a holiday"))
    told = info(shared, name)

    assert told["prompts"] == {"positive": "", "negative": ""}
    assert (told["source"], told["seed"], told["references"], told["problem"]) == (None, None, [], None)
    assert told["texts"] == {"Comment": "a holiday"}
    assert shared.model(sha256)["offered_prompts"] is None
    shared.delete(f"/api/images/delete?sha256={sha256}&seq=0")
    for gone in (name, f"{sha256}_7", f"{'0' * 64}_0", "pending/999999"):
        assert shared.ask("GET", f"/api/images/{gone}/info").status == 404


def test_links_follow_what_is_known(shared: Daemon, sha256: str) -> None:
    """A model that comes later is linked from then on; what was answered is valid until something changes."""
    seed = next(seeds)
    name = give(shared, sha256, png_with(parameters=infotext(f"later {seed}")))
    address = f"/api/images/{name}/info"
    first = shared.ask("GET", address)
    tag = first.headers["ETag"]
    assert shared.ask("GET", address, headers={"If-None-Match": tag}).status == 304
    assert first.json["references"][1]["sha256"] is None

    later = shared.bring_in(shared.drop / f"later {seed}.safetensors", seed)
    second = shared.ask("GET", address, headers={"If-None-Match": tag})

    assert (second.status, second.json["references"][1]["sha256"]) == (200, later)
    assert second.json["references"][1]["linked_by"] == "name"
    shared.patch(f"/api/models/{later}", {"name": "Another name"})
    assert info(shared, name)["references"][1]["model_name"] == "Another name"


def test_prompts_are_offered_and_not_forced(shared: Daemon, sha256: str) -> None:
    """The cover's prompts are offered, else those of the first picture with some; a person takes them, or does not."""
    give(shared, sha256, png_with())
    name = give(shared, sha256, png_with(parameters=infotext()))
    other = give(shared, sha256, png_with(parameters=infotext(prompt="a harbour")))
    whole = shared.model(sha256)
    offered = {"positive": "a lighthouse, <lora:detail:0.7>", "negative": "fog"}

    assert whole["offered_prompts"] == offered | {"image": name}
    assert whole["prompts"] == {"positive": "", "negative": ""}
    shared.patch(f"/api/models/{sha256}", {"cover": 2})
    assert shared.model(sha256)["offered_prompts"]["image"] == other
    shared.patch(f"/api/models/{sha256}", {"prompts": offered})
    whole = shared.model(sha256)
    assert (whole["prompts"], whole["origins"]["prompts"]) == (offered, "user")


def test_only_some_pictures_are_looked_at(shared: Daemon, sha256: str) -> None:
    """Of many pictures without a prompt five are looked at."""
    for _ in range(5):
        give(shared, sha256, png_with())
    give(shared, sha256, png_with(parameters=infotext()))

    assert shared.model(sha256)["offered_prompts"] is None


def test_a_pending_model(shared: Daemon) -> None:
    """The picture beside a dropped file tells before any hash, and its prompts are offered."""
    seed = next(seeds)
    stem = shared.drop / f"pending {seed}"
    stem.with_suffix(".png").write_bytes(png_with(parameters=infotext()))
    shared.put_lora(stem.with_suffix(".safetensors"), seed)
    number = shared.wait_pending(stem.with_suffix(".safetensors"))["id"]
    address = f"/api/migration/pending_model?id={number}"
    shared.wait_for(lambda: shared.get(address)["image"], what="the picture was taken")

    told = info(shared, f"pending/{number}")
    assert (told["image"], told["format"], told["seed_text"]) == (str(number), "PNG", str(SEED))
    assert shared.get(address)["offered_prompts"] == {
        "positive": "a lighthouse, <lora:detail:0.7>",
        "negative": "fog",
        "image": str(number),
    }
    assert shared.get(address)["prompts"] == {"positive": "", "negative": ""}


def test_who_may_ask(shared: Daemon, sha256: str) -> None:
    """On TCP the key for pictures opens no texts: they need the token."""
    name = give(shared, sha256, png_with(parameters=infotext()))
    key = json.loads((shared.data / "secrets.json").read_bytes())["image_key"]

    assert shared.ask_tcp("GET", f"/api/images/{name}.webp?k={key}").status == 200
    for address in (f"/api/images/{name}/info", "/api/images/pending/1/info"):
        assert shared.ask_tcp("GET", f"{address}?k={key}").status == 401
    head = {"Authorization": f"Bearer {shared.token()}"}
    assert shared.ask_tcp("GET", f"/api/images/{name}/info", headers=head).status == 200
