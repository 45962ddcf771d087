"""The files that a graph's nodes load, told by the names of their inputs: other packs of nodes use the same ones."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .graph import Graph, Node
from .infotext import networks_in
from .told import Draft, hash_of, line_of, number_of, text_of
from .urns import kind_of_urn

MOST_ENTRIES = 200
"""The most entries of one list of LoRAs."""

_BY_INPUT: Mapping[str, str] = {
    "ckpt_name": "checkpoints",
    "base_ckpt_name": "checkpoints",
    "refiner_ckpt_name": "checkpoints",
    "checkpoint_name": "checkpoints",
    "checkpoint": "checkpoints",
    "ckpt": "checkpoints",
    "unet_name": "diffusion_models",
    "lora_name": "loras",
    "lora": "loras",
    "vae_name": "vae",
    "vae": "vae",
    "control_net_name": "controlnet",
    "controlnet_name": "controlnet",
    "clip_name": "text_encoders",
    "clip_name1": "text_encoders",
    "clip_name2": "text_encoders",
    "clip_name3": "text_encoders",
    "clip_name4": "text_encoders",
    "clip_vision_name": "clip_vision",
    "style_model_name": "style_models",
    "gligen_name": "gligen",
    "hypernetwork_name": "hypernetworks",
    "upscale_model_name": "upscale_models",
    "upscale_model": "upscale_models",
    "photomaker_model_name": "photomaker",
    "ipadapter_file": "ipadapter",
    "instantid_file": "instantid",
    "pulid_file": "pulid",
}
# Names of inputs that mean something only in some nodes: part of the class (in lower case), input, kind.
_BY_CLASS: tuple[tuple[str, str, str], ...] = (
    ("clipvision", "clip_name", "clip_vision"),
    ("upscale", "model_name", "upscale_models"),
    ("vaeloader", "model_name", "vae"),
    ("controlnet", "model_name", "controlnet"),
    ("samloader", "model_name", "sams"),
    ("ultralytics", "model_name", "ultralytics"),
    ("ade_", "model_name", "animatediff_models"),
    ("textencode", "model_name", "text_encoders"),
    ("videomodelloader", "model", "diffusion_models"),
    ("nunchakufluxditloader", "model_path", "diffusion_models"),
    ("lora", "lora_path", "loras"),
)
_WEIGHTS = ("strength_model", "strength", "lora_strength", "model_strength", "lora_model_strength", "weight")
_SECOND_WEIGHTS = ("strength_clip", "clip_strength", "lora_clip_strength", "strengthTwo")
_OF_NUMBER = (
    "strength_{}",
    "model_weight_{}",
    "lora_wt_{}",
    "model_str_{}",
    "lora_{}_strength",
    "lora_{}_model_strength",
)
_NUMBERED = re.compile(r"lora_(?:name_)?(\d{1,3})(?:_name)?")
_COUNTS = ("lora_count", "num_loras")
_EMBEDDING = re.compile(r"\bembedding:([^\s,:()\[\]<>{}|\"']{1,200})", re.IGNORECASE)
# Nodes that load what their text names as `<lora:name:weight>`; elsewhere such words are only words.
_READS_TEXT = ("loratagloader", "loratextloader", "power prompt", "wildcardencode", "lorasyntax", "selectfromtext")


def refer_node(draft: Draft, graph: Graph, node: Node) -> None:
    """Refer to what a node loads."""
    _refer_named(draft, graph, node)
    if not _is_off(node.inputs):
        _refer_loras(draft, graph, node)
    if isinstance(payload := node.inputs.get("hikaze_payload"), str):
        _refer_payload(draft, payload)


def refer_embeddings(draft: Draft, *prompts: str) -> None:
    """Refer to the embeddings that prompts name, as ComfyUI writes them: `embedding:name`."""
    for prompt in prompts:
        for found in _EMBEDDING.finditer(prompt):
            draft.refer("embeddings", found[1].rstrip("."))


def model_of(node: Node) -> str | None:
    """Give the name of the main model that a node loads, None where it loads none."""
    for name, kind in _kinds(node):
        if kind in {"checkpoints", "diffusion_models"} and (line := line_of(node.inputs[name])):
            return line
    payload = _decoded(node.inputs.get("hikaze_payload"))
    return line_of(payload.get("ckpt_path")) if isinstance(payload, dict) else None


def _kinds(node: Node) -> Iterator[tuple[str, str]]:
    """Give the inputs of a node that name a file, and the kind of each."""
    lowered = node.kind.lower()
    special = {name: kind for part, name, kind in _BY_CLASS if part in lowered}
    for name, value in node.inputs.items():
        if isinstance(value, str) and (kind := special.get(name) or _BY_INPUT.get(name)):
            yield name, kind_of_urn(value) or kind


def _refer_named(draft: Draft, graph: Graph, node: Node) -> None:
    for name, kind in _kinds(node):
        if kind != "loras":
            draft.refer(kind, node.inputs[name])
        elif not _is_off(node.inputs):
            _refer_lora(draft, node.inputs[name], *_weights(graph, node.inputs))


def _weights(graph: Graph, inputs: Mapping[str, Any]) -> tuple[float | None, float | None]:
    def weight(names: tuple[str, ...]) -> float | None:
        told = (number_of(graph.value(inputs[name], (name,))) for name in names if name in inputs)
        return next((number for number in told if number is not None), None)

    return weight(_WEIGHTS), weight(_SECOND_WEIGHTS)


def _refer_lora(draft: Draft, name: object, weight: float | None, second: float | None = None) -> None:
    """Refer to a LoRA, unless it is given no strength: then it was not in the picture."""
    if weight == 0 and not second:
        return
    draft.refer("loras", name, weight=weight)


def _is_off(inputs: Mapping[str, Any]) -> bool:
    told = (inputs.get(name) for name in ("on", "toggle", "enabled", "active", "switch", "toggleOn"))
    return any(value is False or (isinstance(value, str) and value.lower() in {"off", "false"}) for value in told)


def _refer_loras(draft: Draft, graph: Graph, node: Node) -> None:
    inputs = node.inputs
    most = next((number for name in _COUNTS if (number := number_of(inputs.get(name))) is not None), float("inf"))
    for name, value in list(inputs.items())[:MOST_ENTRIES]:
        if isinstance(value, dict) and "lora" in value:
            if not _is_off(value):
                _refer_lora(draft, value["lora"], *_weights(graph, value))
        elif (found := _NUMBERED.fullmatch(name)) and isinstance(value, str) and int(found[1]) <= most:
            _refer_numbered(draft, graph, inputs, value, found[1])
    _refer_list(draft, graph, inputs.get("loras"))
    if any(part in node.kind.lower() for part in _READS_TEXT):
        for name in ("text", "prompt", "populated_text", "lora_syntax"):
            text = graph.value(inputs.get(name), (name,))
            if isinstance(text, str) and text not in draft.looked_through:  # any number of nodes can share a text
                draft.looked_through.add(text)
                networks_in(draft, text_of(text))


def _refer_numbered(draft: Draft, graph: Graph, inputs: Mapping[str, Any], name: str, number: str) -> None:
    switch = inputs.get(f"switch_{number}", inputs.get(f"lora_{number}_toggle", inputs.get(f"enabled_{number}")))
    if _is_off({"switch": switch}):
        return
    told = (number_of(graph.value(inputs.get(form.format(number)), ())) for form in _OF_NUMBER)
    _refer_lora(draft, name, next((weight for weight in told if weight is not None), None))


def _refer_list(draft: Draft, graph: Graph, value: object) -> None:
    """Refer to the LoRAs in a list of Lora Manager's; the front end wraps it once or twice."""
    entries = value.get("__value__") if isinstance(value, dict) else value
    if isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], list):
        entries = entries[0]
    if not isinstance(entries, list):
        return
    for one in entries[:MOST_ENTRIES]:
        if isinstance(one, dict) and one.get("active", True) and not one.get("_isDummy"):
            _refer_lora(draft, one.get("name"), *_weights(graph, one))


# Our own nodes ----------------------------------------------------------------------------------------

_LISTS = ("LoRAs", "loras", "LoRAList", "loRAList")


def _refer_payload(draft: Draft, payload: str) -> None:
    """Refer to what one of our nodes loads, in every form its payload ever had."""
    told = _decoded(payload)
    if isinstance(told, dict):
        draft.refer("checkpoints", told.get("ckpt_path"))
        told = next((told[name] for name in _LISTS if name in told), None)
    if not isinstance(told, list):
        return
    for one in told[:MOST_ENTRIES]:
        if isinstance(one, dict) and one.get("enabled", one.get("toggleOn", True)) not in (False, 0, "false"):
            name = _first(one, "full_path", "fullPath", "path", "name")
            weight = number_of(_first(one, "strength_model", "strengthModel", "MStrength"))
            second = number_of(_first(one, "strength_clip", "strengthClip", "CStrength"))
            if weight != 0 or second != 0:
                known = hash_of(one.get("sha256"))
                draft.refer("loras", name, weight=weight, hash_=known, is_a="sha256" if known else None)


def _first(fields: Mapping[str, Any], *names: str) -> object:
    return next((fields[name] for name in names if fields.get(name) not in (None, "")), None)


def _decoded(payload: object) -> Any:
    if not isinstance(payload, str):
        return None
    try:
        return json.loads(payload, strict=False)
    except (ValueError, RecursionError):
        return None
