"""What ComfyUI's graph tells: the sampler that made the picture first, its prompts, and all files that were loaded."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .files import model_of, refer_embeddings, refer_node
from .graph import Graph, Node, of_api
from .prompts import PIPES, Prompter
from .told import Draft, Generation, line_of, number_of, seed_of, size_of, whole_of
from .workflow import of_page

MOST_SAMPLERS = 50
"""The most samplers among which the first is looked for."""

_SEEDS = ("seed", "noise_seed", "rand_seed")
_POSITIVES = ("positive", "pos", "conditioning", "positive_cond", "cond1", "cond", "text_embeds", "prompt", "text")
_NEGATIVES = ("negative", "neg", "negative_cond", "negative_prompt", "text_embeds")
_PARTS = {*PIPES, "noise", "guider", "sampler", "sigmas", "sigmas_1", "settings"}
_TO_MODEL = ("model", "unet", "base_model", "model1", "model_a", *PIPES)
_BESIDE_PICTURE = {
    *(
        "model",
        "clip",
        "vae",
        "positive",
        "negative",
        "conditioning",
        "control_net",
        "text_embeds",
        "seed",
        "noise_seed",
    ),
    *(_PARTS - {*PIPES}),
}


def read_graph(fields: Mapping[str, Any]) -> Generation | None:
    """Give what the object of a graph tells, None where it is no graph. It never raises."""
    graph = of_api(fields)
    if graph is None:
        return None
    draft = Draft("comfyui")
    if len(fields) > len(graph.nodes):
        _tell_civitai(draft, fields.get("extraMetadata"))
    _tell(draft, graph)
    return draft.generation()


def read_page(fields: Mapping[str, Any]) -> Generation | None:
    """Give what the file of ComfyUI's page tells, None where it is another's. It never raises."""
    graph = of_page(fields)
    if graph is None:
        return None
    draft = Draft("comfyui")
    _tell(draft, graph)
    return draft.generation()


def _tell(draft: Draft, graph: Graph) -> None:
    """Tell what is found in a graph."""
    ends = graph.ends()
    at_ends = [(end, graph.behind([end])) for end in ends[:MOST_SAMPLERS]]
    used = [behind for _end, behind in at_ends if any(_is_sampler(graph, node) for node in behind)]
    sampler = _first_sampler(graph, used[0]) if used else None
    if sampler is not None:
        _tell_sampler(draft, graph, sampler)
    for node in _each(used or [behind for _end, behind in at_ends]):
        refer_node(draft, graph, node)
        if (layer := number_of(node.inputs.get("stop_at_clip_layer"))) is not None:
            draft.tell(clip_skip=whole_of(abs(layer)))
    refer_embeddings(draft, draft.positive, draft.negative)


def _each(several: Iterable[Sequence[Node]]) -> Iterable[Node]:
    return {node.id: node for nodes in several for node in nodes}.values()


def _is_sampler(graph: Graph, node: Node) -> bool:
    """Tell whether a node makes a picture out of noise: by its inputs, for its class may be anybody's."""
    inputs = node.inputs
    if graph.linked(inputs.get("guider")) and ("sigmas" in inputs or "noise" in inputs):
        return True
    is_seeded = any(name in inputs for name in _SEEDS)
    if not is_seeded:
        return False
    if graph.linked(inputs.get("positive")) or graph.linked(inputs.get("text_embeds")):
        return True
    is_stepped = "steps" in inputs or "sigmas" in inputs
    return is_stepped and any(graph.linked(inputs.get(name)) for name in (*PIPES, "model", "conditioning"))


def _first_sampler(graph: Graph, behind: Sequence[Node]) -> Node:
    """Give the sampler behind which there is no other: it made the picture that later ones work on.

    One behind a prompt, by way of a ControlNet perhaps, made another picture.
    """
    samplers = [node for node in behind if _is_sampler(graph, node)][:MOST_SAMPLERS]
    ids = {node.id for node in samplers}
    return next((sampler for sampler in samplers if not graph.leads_to(sampler, ids, _is_of_picture)), samplers[-1])


def _is_of_picture(name: str) -> bool:
    """Tell whether an input of this name may bring a picture, or the latent form of one, to work on."""
    return name not in _BESIDE_PICTURE


def _tell_sampler(draft: Draft, graph: Graph, sampler: Node) -> None:
    parts = graph.behind([sampler], lambda name: name in _PARTS)
    draft.tell(
        seed=next(filter(_is_told, (seed_of(value) for value in _values(graph, parts, _SEEDS))), None),
        steps=next(filter(_is_told, (whole_of(value) for value in _values(graph, parts, ("steps",)))), None),
        cfg=next(filter(_is_told, (number_of(value) for value in _values(graph, parts, ("cfg", "cfg_scale")))), None),
        sampler=next(
            filter(None, (line_of(value) for value in _values(graph, parts, ("sampler_name", "sampler")))), None
        ),
        scheduler=next(filter(None, (line_of(value) for value in _values(graph, parts, ("scheduler",)))), None),
        denoise=next(filter(_is_told, (number_of(value) for value in _values(graph, parts, ("denoise",)))), None),
        size=_size(graph, sampler),
        model=_model(draft, graph, parts),
    )
    prompter = Prompter(graph)
    draft.prompts(
        _prompt(graph, prompter, parts, _POSITIVES, is_positive=True),
        _prompt(graph, prompter, parts, _NEGATIVES, is_positive=False),
    )


def _is_told(value: object) -> bool:
    return value is not None


def _values(graph: Graph, parts: Sequence[Node], names: Sequence[str]) -> Iterator[object]:
    for node in parts:
        for name in names:
            if name in node.inputs:
                yield graph.value(node.inputs[name], names)


def _prompt(graph: Graph, prompter: Prompter, parts: Sequence[Node], names: Sequence[str], *, is_positive: bool) -> str:
    """Give the text of the first part of a sampler that has one: through a link, or written right there."""
    for node in parts:
        for name in names:
            value = node.inputs.get(name)
            if graph.linked(value) or (isinstance(value, str) and name not in {"text_embeds", "cond"}):
                return prompter.text(value, "positive" if is_positive else "negative")
    return ""


def _model(draft: Draft, graph: Graph, parts: Sequence[Node]) -> str | None:
    """Give the nearest main model behind a sampler, and refer to it before all others."""
    for along in (lambda name: name in _TO_MODEL, lambda _name: True):
        starts = [found for node in parts for name, found in graph.links(node) if along(name)]
        for node in [*parts, *graph.behind(starts, along)]:
            if (name := model_of(node)) is not None:
                refer_node(draft, graph, node)
                return name
    return None


def _size(graph: Graph, sampler: Node) -> tuple[int, int] | None:
    """Give the size of the latent picture that a sampler began with."""
    for node in graph.behind([sampler], _is_of_picture):
        for prefix in ("", "empty_latent_"):
            sides = [node.inputs.get(f"{prefix}{side}") for side in ("width", "height")]
            if None not in sides and (size := size_of(*(graph.value(side, ()) for side in sides))):
                return size
    return None


def _tell_civitai(draft: Draft, extra: object) -> None:
    """Tell what Civitai's generator adds to its graph: what its user asked for."""
    try:
        told = json.loads(extra, strict=False) if isinstance(extra, str) else extra
    except (ValueError, RecursionError):
        return
    if not isinstance(told, dict):
        return
    draft.prompts(told.get("prompt"), told.get("negativePrompt"))
    draft.tell(
        seed=seed_of(told.get("seed")),
        steps=whole_of(told.get("steps")),
        cfg=number_of(told.get("cfgScale")),
        sampler=line_of(told.get("sampler")),
        clip_skip=whole_of(told.get("clipSkip")),
    )
