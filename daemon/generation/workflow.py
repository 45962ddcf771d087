"""The graph as ComfyUI's page keeps it, made the graph that it would run.

Written from what the page saves (`LGraph.serialize` of https://github.com/Comfy-Org/ComfyUI_frontend): nodes with their
inputs in order, links apart, and values of widgets in a row without names. The names are known of ComfyUI's own nodes
here; newer pages list widgets among the inputs, which gives the names of all. A node that is switched off is left
out, one that is bypassed hands on what it got, and a subgraph stands in its node's place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .graph import MAX_NODES, Graph, Node

MAX_DEPTH = 8
"""Subgraphs within subgraphs."""
MAX_STEPS = 300_000
"""Entries of lists that are looked at, each as often as it is: a small file can put its subgraphs in many places."""
_HOPS = 50  # over nodes that only hand on

_MUTED, _BYPASSED = 2, 4
_INPUT, _OUTPUT = "-10", "-20"  # a subgraph's own ends
_CONTROLS = {"fixed", "increment", "decrement", "randomize"}  # a seed's second widget, which has no input
_CONTROL = ""

_SEED = ("seed", _CONTROL)
_NOISE = ("noise_seed", _CONTROL)
_WIDGETS: Mapping[str, tuple[str, ...]] = {
    "KSampler": (*_SEED, "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("add_noise", *_NOISE, "steps", "cfg", "sampler_name", "scheduler"),
    "SamplerCustom": ("add_noise", *_NOISE, "cfg"),
    "RandomNoise": _NOISE,
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "BetaSamplingScheduler": ("steps",),
    "SDTurboScheduler": ("steps", "denoise"),
    "KarrasScheduler": ("steps",),
    "ExponentialScheduler": ("steps",),
    "PolyexponentialScheduler": ("steps",),
    "LTXVScheduler": ("steps",),
    "Flux2Scheduler": ("steps",),
    "AlignYourStepsScheduler": ("model_type", "steps", "denoise"),
    "OptimalStepsScheduler": ("model_type", "steps", "denoise"),
    "CFGGuider": ("cfg",),
    "DualCFGGuider": ("cfg",),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "CheckpointLoader": ("config_name", "ckpt_name"),
    "ImageOnlyCheckpointLoader": ("ckpt_name",),
    "unCLIPCheckpointLoader": ("ckpt_name",),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "UnetLoaderGGUF": ("unet_name",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "VAELoader": ("vae_name",),
    "CLIPLoader": ("clip_name", "type"),
    "DualCLIPLoader": ("clip_name1", "clip_name2", "type"),
    "TripleCLIPLoader": ("clip_name1", "clip_name2", "clip_name3"),
    "QuadrupleCLIPLoader": ("clip_name1", "clip_name2", "clip_name3", "clip_name4"),
    "CLIPVisionLoader": ("clip_name",),
    "ControlNetLoader": ("control_net_name",),
    "UpscaleModelLoader": ("model_name",),
    "StyleModelLoader": ("style_model_name",),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeSDXL": (
        *("width", "height", "crop_w", "crop_h", "target_width", "target_height"),
        *("text_g", "text_l"),
    ),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "CLIPTextEncodeSD3": ("clip_l", "clip_g", "t5xxl"),
    "CLIPTextEncodeHiDream": ("clip_l", "clip_g", "t5xxl", "llama"),
    "TextEncodeQwenImageEdit": ("prompt",),
    "TextEncodeQwenImageEditPlus": ("prompt",),
    "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "EmptyChromaRadianceLatentImage": ("width", "height", "batch_size"),
    "EmptyHunyuanImageLatent": ("width", "height", "batch_size"),
    "EmptyFlux2LatentImage": ("width", "height", "batch_size"),
    "PrimitiveNode": ("value", _CONTROL),
    "PrimitiveString": ("value",),
    "PrimitiveStringMultiline": ("value",),
    "PrimitiveInt": ("value", _CONTROL),
    "PrimitiveFloat": ("value",),
    "StringConcatenate": ("string_a", "string_b", "delimiter"),
    "Seed (rgthree)": ("seed",),
    "HikazeCheckpointLoader": ("hikaze_payload",),
    "HikazeLoraPowerLoader": ("hikaze_payload",),
}


def of_page(fields: Mapping[str, Any]) -> Graph | None:
    """Give the graph that a page's file holds, None where it holds none. It never raises."""
    if not _objects(fields.get("nodes")):
        return None
    definitions = fields.get("definitions")
    subgraphs = _objects(definitions.get("subgraphs")) if isinstance(definitions, dict) else []
    reader = _Reader({_id_of(one.get("id")): one for one in subgraphs})
    nodes = list(reader.nodes(_Scope(fields)))
    return Graph(nodes) if nodes else None


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value[:MAX_NODES] if isinstance(one, dict)] if isinstance(value, list) else []


def _id_of(value: object) -> str:
    """Give an id as text; a value that can be none may be nested too deep for that."""
    return str(value) if isinstance(value, str | int | float) else ""


def _length(fields: Mapping[str, Any], *names: str) -> int:
    """Give how many entries some lists have together."""
    return sum(len(value) for name in names if isinstance(value := fields.get(name), list | dict))


@dataclass(frozen=True, slots=True)
class _Link:
    """Where a link begins."""

    node: str
    slot: int


@dataclass(frozen=True, slots=True)
class _Held:
    """What a widget of a subgraph's node holds, in place of a link."""

    value: Any


class _Scope:
    """A graph on the page, or a subgraph in the place of one of its nodes."""

    def __init__(self, fields: Mapping[str, Any], above: "_Scope | None" = None, node: str = "") -> None:
        self.above, self.node = above, node
        self.prefix: str = "" if above is None else f"{above.prefix}{node}:"
        self.depth: int = 0 if above is None else above.depth + 1
        self.nodes = {_id_of(one.get("id")): one for one in _objects(fields.get("nodes"))}
        self.links: dict[str, _Link] = {}
        self.results: dict[int, _Link] = {}
        links = fields.get("links")
        for one in links[: 4 * MAX_NODES] if isinstance(links, list) else []:
            self._take(one)
        self.set = {
            name: one for one in self.nodes.values() if one.get("type") == "SetNode" and (name := _first_value(one))
        }

    def _take(self, link: object) -> None:
        match link:
            case [int() | str() as id_, int() | str() as node, int() as slot, *_]:
                self.links[_id_of(id_)] = _Link(_id_of(node), slot)
            case {"id": id_, "origin_id": node, "origin_slot": int() as slot, **rest}:
                self.links[_id_of(id_)] = _Link(_id_of(node), slot)
                if _id_of(rest.get("target_id")) == _OUTPUT and isinstance(target := rest.get("target_slot"), int):
                    self.results[target] = _Link(_id_of(node), slot)
            case _:
                pass


class _Reader:
    """Makes nodes of a page, with subgraphs in the place of theirs."""

    def __init__(self, subgraphs: Mapping[str, dict[str, Any]]) -> None:
        self._subgraphs = subgraphs
        self._inner: dict[tuple[int, str], _Scope] = {}
        self._kept: list[_Scope] = []  # an id of a scope that is gone could be given again
        self._room = MAX_NODES
        self._steps = MAX_STEPS

    def nodes(self, scope: _Scope) -> Iterator[Node]:
        """Give the nodes of a graph that run."""
        self._kept.append(scope)
        for id_, one in scope.nodes.items():
            if self._room <= 0:
                return
            self._room -= 1
            kind = one.get("type")
            if not isinstance(kind, str) or one.get("mode") in (_MUTED, _BYPASSED):
                continue
            if kind in self._subgraphs:
                if scope.depth < MAX_DEPTH and (inner := self._into(scope, id_)) is not None:
                    yield from self.nodes(inner)
            elif self._affords(_length(one, "inputs", "widgets_values")):
                yield Node(scope.prefix + id_, kind[:200], self._inputs(scope, one))

    def _affords(self, steps: int) -> bool:
        """Take steps off what is left, where they are."""
        self._steps -= steps
        return self._steps >= 0

    def _into(self, scope: _Scope, id_: str) -> _Scope | None:
        """Give the subgraph in a node's place, None where that is too much."""
        key = id(scope), id_
        if key not in self._inner:
            definition = self._subgraphs[scope.nodes[id_]["type"]]
            if not self._affords(1 + _length(definition, "nodes", "links")):
                return None
            self._inner[key] = _Scope(definition, scope, id_)
        return self._inner[key]

    def _inputs(self, scope: _Scope, node: Mapping[str, Any]) -> dict[str, Any]:
        inputs = _widgets(node)
        for one in _objects(node.get("inputs")):
            name, link = one.get("name"), one.get("link")
            if isinstance(name, str) and link is not None:
                match self._begin(scope, scope.links.get(_id_of(link))):
                    case _Link(begin, slot):
                        inputs[name] = [begin, slot]
                    case _Held(value):
                        inputs[name] = value
                    case None:
                        inputs[name] = None
        return {name: value for name, value in inputs.items() if value is not None}

    def _begin(self, scope: _Scope, link: _Link | None) -> _Link | _Held | None:
        """Give the node that runs at the beginning of a link, over all that only hand on; or what a widget holds."""
        for _ in range(_HOPS):
            if link is None:
                return None
            if link.node == _INPUT:
                if scope.above is None:
                    return None
                outside = scope.above.nodes[scope.node]
                if not self._affords(_length(outside, "inputs", "widgets_values")):
                    return None
                at = _objects(outside.get("inputs"))
                input_ = at[link.slot] if 0 <= link.slot < len(at) else {}
                scope, link = scope.above, _link_of(scope.above, input_)
                name = input_.get("name")
                if link is None and isinstance(name, str):
                    return _Held(_widgets(outside).get(name))
                continue
            node = scope.nodes.get(link.node)
            if node is None or node.get("mode") == _MUTED:
                return None
            kind = node.get("type")
            if node.get("mode") == _BYPASSED:
                if not self._affords(_length(node, "inputs", "outputs")):
                    return None
                link = _link_of(scope, _passed_on(node, link.slot))
            elif kind == "GetNode":
                link = _link_of(scope, next(iter(_objects(scope.set.get(_first_value(node), {}).get("inputs"))), None))
            elif isinstance(kind, str) and kind in self._subgraphs:
                if scope.depth >= MAX_DEPTH:
                    return None
                inner = self._into(scope, link.node)
                if inner is None:
                    return None
                self._kept.append(inner)
                scope, link = inner, inner.results.get(link.slot)
            else:
                return _Link(scope.prefix + link.node, link.slot)
        return None


def _link_of(scope: _Scope, input_: Mapping[str, Any] | None) -> _Link | None:
    return None if input_ is None or input_.get("link") is None else scope.links.get(_id_of(input_["link"]))


def _passed_on(node: Mapping[str, Any], slot: int) -> Mapping[str, Any] | None:
    """Give the input of a bypassed node that takes the place of an output: the first one of the same type."""
    outputs = _objects(node.get("outputs"))
    kind = outputs[slot].get("type") if 0 <= slot < len(outputs) else None
    return next((one for one in _objects(node.get("inputs")) if kind is not None and one.get("type") == kind), None)


def _first_value(node: Mapping[str, Any]) -> str:
    values = node.get("widgets_values")
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else ""


def _widgets(node: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values of a node's widgets by name, as far as the names are known."""
    values = node.get("widgets_values")
    if isinstance(values, dict):
        return dict(list(values.items())[:MAX_NODES])
    if not isinstance(values, list):
        return {}
    values = values[:1_000]
    if node.get("type") == "Power Lora Loader (rgthree)":
        return {f"lora_{at}": value for at, value in enumerate(values) if isinstance(value, dict) and "lora" in value}
    names = _WIDGETS.get(_id_of(node.get("type")))
    if names is None:
        return _by_listed(node, values)
    return {name: value for name, value in zip(names, values, strict=False) if name != _CONTROL}


def _by_listed(node: Mapping[str, Any], values: list[Any]) -> dict[str, Any]:
    """Give values by the names of the inputs that are widgets, where there is one for each."""
    widgets = [one.get("widget") for one in _objects(node.get("inputs"))]
    names = [widget.get("name") for widget in widgets if isinstance(widget, dict)]
    plain = [value for value in values if not (isinstance(value, str) and value in _CONTROLS)]
    if len(names) != len(plain):
        return {}
    return {name: value for name, value in zip(names, plain, strict=True) if isinstance(name, str)}
