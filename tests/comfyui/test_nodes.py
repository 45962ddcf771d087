"""The nodes in a real ComfyUI, on the CPU, through its API."""

import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from . import graphs, tiny
from .harness import ComfyUI, Refused, cached

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(600)]

CASES = json.loads(Path(__file__).parents[1].joinpath("payloads.json").read_text(encoding="utf-8"))
CHECKPOINT = "tiny.safetensors"
ALONE = {"LoRAs": [{"path": "a.safetensors"}]}


def told(comfyui: ComfyUI, payload: Any, ckpt_path: str = CHECKPOINT) -> dict[str, Any]:
    """Run a checkpoint and LoRAs, and give what the probe tells."""
    return probe_of(comfyui.run(graphs.probed(ckpt_path, payload)))


def probe_of(outputs: dict[str, Any]) -> dict[str, Any]:
    """Give what the probe tells among the outputs of a run."""
    return json.loads(outputs["3"]["told"][0])


def applied(found: dict[str, Any]) -> tuple[list[list[float]], list[list[float]]]:
    """Give the strength and the value of each LoRA on model and text encoder, in order."""
    [model] = found["model"].values() or [[]]
    [clip] = found["clip"].values() or [[]]
    return model, clip


def refusal(comfyui: ComfyUI, graph: dict[str, Any], node: str) -> str:
    """Give what is said against a node of a prompt, which must be refused before anything is queued."""
    with pytest.raises(Refused) as refused:
        comfyui.queue(graph)
    assert refused.value.status == 400
    [reason] = refused.value.reasons(node)
    assert reason.startswith("hikaze_payload - ")
    return reason.removeprefix("hikaze_payload - ")


def test_what_comfyui_says_of_the_nodes(comfyui: ComfyUI) -> None:
    """Both nodes are there with their one text of ours, which the page draws and the API takes as it is."""
    checkpoint, loras = comfyui.node("HikazeCheckpointLoader"), comfyui.node("HikazeLoraPowerLoader")

    assert checkpoint["output"] == ["MODEL", "CLIP", "VAE"]
    assert loras["output"] == ["MODEL", "CLIP"]
    assert loras["input_order"]["required"] == ["model", "clip", "hikaze_payload"]
    for node in (checkpoint, loras):
        kind, details = node["input"]["required"]["hikaze_payload"]
        assert (kind, details["widgetType"], details["dynamicPrompts"]) == ("STRING", "HK_PAYLOAD", False)


def test_a_picture(comfyui: ComfyUI) -> None:
    """A checkpoint makes a picture, a LoRA makes another, and switched off it makes the first again."""
    lora = tiny.write_lora(comfyui.folder("loras") / "last.safetensors", 0.1, (tiny.LAST_LAYER,))

    def picture(**fields: Any) -> Image.Image:
        outputs = comfyui.run(graphs.picture(CHECKPOINT, [{"path": lora.name, **fields}]))
        [saved] = outputs["9"]["images"]
        with Image.open(comfyui.base / "output" / saved["filename"]) as opened:
            return opened.convert("RGB")

    plain, strong = picture(enabled=False), picture(strength_model=0.3)
    # What is off changes the payload's text, so that all is run anew.
    again = picture(enabled=False, strength_model=0.3)

    assert plain.size == (64, 64)
    assert len(set(plain.tobytes())) > 50
    assert ImageChops.difference(plain, strong).getbbox() is not None
    assert ImageChops.difference(plain, again).getbbox() is None


def test_several_loras(comfyui: ComfyUI) -> None:
    """LoRAs are applied in order, each with its own two strengths."""
    payload = {
        "version": 2,
        "LoRAs": [
            {"full_path": "b.safetensors", "strength_model": 0.25, "strength_clip": -1.5},
            {"full_path": "a.safetensors"},
            {"full_path": "sub/c.safetensors", "strength_model": 2, "strength_clip": 0.5},
            {"full_path": "b.safetensors", "strength_model": "0.125", "strength_clip": 1},
        ],
    }

    assert applied(told(comfyui, payload)) == (
        [[0.25, 0.02], [1.0, 0.01], [2.0, 0.03], [0.125, 0.02]],
        [[-1.5, 0.02], [1.0, 0.01], [0.5, 0.03], [1.0, 0.02]],
    )


def test_what_is_skipped(comfyui: ComfyUI) -> None:
    """What is off or has no strength is skipped, even where its file is gone; what has one strength is not."""
    payload = [
        {"path": "a.safetensors", "enabled": False},
        {"path": "/gone.safetensors", "toggleOn": False},
        {"path": "b.safetensors", "strength_model": 0, "strength_clip": "0"},
        {"path": "/gone.safetensors", "MStrength": 0, "CStrength": 0},
        {"path": "b.safetensors", "strength_model": 0.5, "strength_clip": 0},
    ]

    assert applied(told(comfyui, payload)) == ([[0.5, 0.02]], [[0.0, 0.02]])
    assert applied(told(comfyui, [])) == ([], [])
    assert applied(told(comfyui, "")) == ([], [])


@pytest.mark.parametrize(
    "payload",
    [
        {"version": 1, "LoRAs": [{"name": "a", "full_path": "PATH", "MStrength": 0.7, "CStrength": "0.6"}]},
        {"version": "2", "loras": [{"full_path": "PATH", "strength_model": 0.7, "strength_clip": 0.6}]},
        {"LoRAList": [{"path": "PATH", "strengthModel": "0.7", "strengthClip": "0.6", "toggleOn": True}]},
        {"loRAList": [{"fullPath": "PATH", "strength_model": 0.7, "CStrength": 0.6, "sha256": "x", "name": None}]},
        [{"path": "PATH", "strength_model": " 0.7", "strength_clip": 0.6, "enabled": None}],
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_spellings(comfyui: ComfyUI, payload: Any, absolute: bool) -> None:
    """Every spelling of the list that was ever written runs, by relative path and by absolute."""
    path = str(comfyui.folder("loras") / "a.safetensors") if absolute else "a.safetensors"

    found = told(comfyui, json.dumps(payload).replace("PATH", path))

    assert applied(found) == ([[0.7, 0.01]], [[0.6, 0.01]])


def test_a_file_outside_of_comfyuis_folders(comfyui: ComfyUI, tmp_path: Path) -> None:
    """A path is enough: the file may lie where ComfyUI knows nothing of, under any name."""
    place = tmp_path / "drop folder" / "猫 {a|b} 'x' \"y\".safetensors"
    checkpoint = tiny.write_checkpoint(place, seed=2)
    lora = tiny.write_lora(tmp_path / "ü" / "l.sft", 0.5)

    assert applied(told(comfyui, [{"full_path": str(lora)}], str(checkpoint)))[0] == [[1.0, 0.5]]


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=lambda case: case["name"])
def test_broken_payloads(comfyui: ComfyUI, case: dict[str, Any]) -> None:
    """A payload that cannot be read is refused before the run, by the sentence that names what is wrong."""
    graph = graphs.probed(CHECKPOINT, [])
    node = "1" if case["node"] == "checkpoint" else "2"
    graph[node]["inputs"]["hikaze_payload"] = case["input"]

    assert refusal(comfyui, graph, node) == case["error"]


def cut(path: Path) -> None:
    """Leave out the end of a file."""
    os.truncate(path, path.stat().st_size - 100)


AGAIN = "choose it again in the node."


@pytest.mark.parametrize(
    ("name", "spoil", "reason"),
    [
        ("cut.safetensors", cut, "it is cut off: "),
        ("gone.safetensors", Path.unlink, f"there is no such file; {AGAIN}"),
        ("empty.safetensors", lambda path: os.truncate(path, 0), "it is empty; download or copy it again."),
        ("page.safetensors", lambda path: path.write_text("<html>" * 9), "it is no safetensors file; "),
        ("model.txt", Path.touch, "it is no model file by its name, which should end with "),
    ],
)
def test_broken_files(
    comfyui: ComfyUI, tmp_path: Path, name: str, spoil: Callable[[Path], object], reason: str
) -> None:
    """A file that is gone or broken is refused before the run, for either node, with the entry named."""
    path = tiny.write_lora(tmp_path / name)
    spoil(path)
    loras = [{"path": "a.safetensors"}, {"path": "/gone", "enabled": False}, {"name": "Ink", "path": str(path)}]

    assert refusal(comfyui, graphs.probed(CHECKPOINT, loras), "2").startswith(f"LoRA 3 (Ink) at {path}: {reason}")
    assert refusal(comfyui, graphs.probed(str(path), []), "1").startswith(f"Checkpoint at {path}: {reason}")


def test_paths_of_windows(comfyui: ComfyUI) -> None:
    """A path of Windows is refused as what it is, for either node."""
    graph = graphs.probed("D:\\models\\a.safetensors", [{"name": "Ink", "full_path": "C:\\loras\\ink.safetensors"}])
    why = f"this is a path of Windows, and ComfyUI does not run there; {AGAIN}"

    assert refusal(comfyui, graph, "1") == f"Checkpoint at D:\\models\\a.safetensors: {why}"
    assert refusal(comfyui, graph, "2") == f"LoRA 1 (Ink) at C:\\loras\\ink.safetensors: {why}"


def test_none_chosen(comfyui: ComfyUI) -> None:
    """A new checkpoint node says that one must be chosen; a new LoRA node just passes on what it gets."""
    graph = graphs.probed("", '{"version": 2, "LoRAs": []}')

    assert refusal(comfyui, graph, "1") == "No checkpoint is chosen: choose one in the node."


def test_files_are_kept_between_runs(comfyui: ComfyUI) -> None:
    """With other strengths no file is read again; a file that changed is, and it alone."""
    loras = comfyui.folder("loras")
    for name, value in (("k1", 0.1), ("k2", 0.2)):
        tiny.write_lora(loras / f"{name}.safetensors", value)

    def run(*strengths: float) -> dict[str, Any]:
        entries = [{"path": f"k{number}.safetensors", "strength_model": s} for number, s in enumerate(strengths, 1)]
        return told(comfyui, entries)

    told(comfyui, [])
    first, second = run(0.5, 0.5), run(0.75, 1.0)
    tiny.write_lora(loras / "k2.safetensors", 0.3)
    third = run(0.75, 1.0)

    assert first["loaded"] == [str(loras / "k1.safetensors"), str(loras / "k2.safetensors")]
    assert second["loaded"] == []
    assert applied(second)[0] == [[0.75, 0.1], [1.0, 0.2]]
    assert third["loaded"] == [str(loras / "k2.safetensors")]
    assert applied(third)[0] == [[0.75, 0.1], [1.0, 0.3]]


def test_nothing_is_run_again_while_nothing_changes(comfyui: ComfyUI) -> None:
    """The same prompt again is found in ComfyUI's cache; a checkpoint that was replaced is loaded anew."""
    checkpoint = tiny.write_checkpoint(comfyui.folder("checkpoints") / "replaced.safetensors", seed=3)
    graph = graphs.probed(checkpoint.name, ALONE)
    first = comfyui.done(comfyui.queue(graph))
    again = comfyui.done(comfyui.queue(graph))
    tiny.write_checkpoint(checkpoint, seed=4)
    replaced = comfyui.done(comfyui.queue(graph))

    assert str(checkpoint) in probe_of(first["outputs"])["loaded"]
    assert cached(again) == {"1", "2", "3"}
    assert cached(replaced) == set()
    assert str(checkpoint) in probe_of(replaced["outputs"])["loaded"]


def test_freed_memory_is_free(comfyui: ComfyUI) -> None:
    """When ComfyUI is told to free its memory, the files that our nodes kept go as well."""
    path = str(comfyui.folder("loras") / "a.safetensors")
    told(comfyui, ALONE)
    comfyui.post("/free", {"unload_models": True, "free_memory": True})
    strengths = itertools.count(2)

    def is_read_again() -> bool:
        return path in told(comfyui, [{"path": "a.safetensors", "strength_model": next(strengths)}])["loaded"]

    assert comfyui.wait(is_read_again)


def test_a_payload_from_another_node(comfyui: ComfyUI) -> None:
    """A payload may come from a text node; what is wrong with it is then said by the run."""
    graph = graphs.probed(CHECKPOINT, [])
    graph["2"]["inputs"]["hikaze_payload"] = ["7", 0]
    graph["7"] = {"class_type": "PrimitiveString", "inputs": {"value": json.dumps(ALONE)}}
    good = comfyui.run(graph)
    graph["7"]["inputs"]["value"] = '{"LoRAs": [{"name": "Ink", "path": "/gone.ckpt"}]}'
    bad = comfyui.done(comfyui.queue(graph))["status"]

    assert applied(probe_of(good))[0] == [[1.0, 0.01]]
    assert bad["status_str"] == "error"
    [failure] = [details for kind, details in bad["messages"] if kind == "execution_error"]
    assert failure["exception_message"].strip() == f"LoRA 1 (Ink) at /gone.ckpt: there is no such file; {AGAIN}"
