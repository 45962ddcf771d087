"""The text behind a conditioning in a graph: through encoders, combiners and the nodes that make strings."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from .graph import Graph, Node
from .told import MAX_TEXT, text_of

Role = Literal["positive", "negative"]

MAX_DEPTH = 100
"""Nodes between a sampler and a text; the longest chains seen have about thirty."""
MOST_LETTERS = 5_000_000
"""Letters that are put together for one picture: nodes can repeat each other's texts."""

_ROLES: Mapping[Role, tuple[str, ...]] = {
    "positive": ("positive", "positive_prompt", "prompt_positive", "text_positive", "pos", "positive_text"),
    "negative": ("negative", "negative_prompt", "prompt_negative", "text_negative", "neg", "negative_text"),
}
# Encoders with several text models take a text for each; often they are the same.
_ENCODED = ("text_g", "text_l", "clip_g", "clip_l", "t5xxl", "llama", "bert", "mt5xl", "gemma", "qwen")
_TEXTS = ("text", "Text", "prompt", "string", "value", "wildcard_text", "user_prompt")
_JOINED = re.compile(r"(?:string|text|prompt|str)_?(?:[a-j]|\d{1,2})")
_BETWEEN = ("delimiter", "separator", "linebreak_addition")
_CONDITIONINGS = re.compile(r"(?:conditioning|cond|text_embeds)(?:_?\w{0,20})?")
_STORED = re.compile(r"text_\d{1,2}")
# What leads to no text of this prompt.
_ELSEWHERE = re.compile(
    r"(?:model|clip|vae|image|images|pixels|latent|samples|mask|control_net|controlnet|seed|noise|sigmas|guider"
    r"|sampler|width|height|steps|cfg|strength|lora_stack|optional_\w{1,30}|unet|style_model|clip_vision\w{0,30})(?:_?\d{1,2})?"
)
PIPES = ("basic_pipe", "pipe", "pipe_in", "sdxl_tuple", "context", "base_ctx", "ctx_01")
"""Inputs that bring everything at once: model, prompts and more."""
_SILENT = {"ConditioningZeroOut"}


class Prompter:
    """Finds texts in one graph; what it found of a node it remembers."""

    def __init__(self, graph: Graph) -> None:
        """Look in a graph."""
        self._graph = graph
        self._known: dict[tuple[str, Role], str] = {}
        self._left = MOST_LETTERS

    def text(self, value: object, role: Role, depth: int = 0) -> str:
        """Give the text that an input's value is or leads to; empty where there is none, or a circle."""
        if isinstance(value, str):
            return text_of(value)
        node = self._graph.linked(value)
        if node is None or depth > MAX_DEPTH:
            return ""
        key = node.id, role
        if key not in self._known:
            self._known[key] = ""  # a circle ends here
            self._known[key] = self._of(node, role, depth + 1)
        return self._known[key]

    def _of(self, node: Node, role: Role, depth: int) -> str:
        if node.kind in _SILENT:
            return ""
        if words := _switched_on(node.inputs.get("toggle_trigger_words")):
            return text_of(words)
        for names, between in _ways(self._graph, node, role):
            found = self._together((self.text(node.inputs[name], role, depth) for name in names), between)
            if found:
                return found
        return ""

    def _together(self, texts: Iterable[str], between: str) -> str:
        parts: dict[str, None] = {}
        room = min(MAX_TEXT, self._left)
        for text in texts:
            if text and text not in parts:
                parts[text] = None
                room -= len(text)
                if room <= 0:
                    break
        if len(parts) > 1:
            self._left -= sum(map(len, parts))
        return between.join(parts)[:MAX_TEXT]


def _ways(graph: Graph, node: Node, role: Role) -> Iterator[tuple[list[str], str]]:
    """Give the inputs in which a node's text may be, the surest first, and what stands between several texts."""
    inputs = node.inputs
    if isinstance(selected := inputs.get("select"), int) and f"input{selected}" in inputs:
        yield [f"input{selected}"], ""
        return
    yield [name for name in ("populated_text",) if name in inputs], ""
    of_role = [name for name in _ROLES[role] if name in inputs]
    if of_role:
        yield of_role[:1], ""
        return
    if any(name in inputs for name in _ROLES[_other(role)]):
        yield from (([name], "") for name in PIPES if name in inputs)
        return  # what else it has is the other prompt's
    yield [name for name in inputs if name in _ENCODED], "\n"
    words = [name for name in inputs if name.startswith("trigger_words")]
    yield [*words, *[name for name in _TEXTS if name in inputs][:1]], ", "
    yield [name for name in inputs if _JOINED.fullmatch(name)], _between(inputs)
    yield [name for name in inputs if _CONDITIONINGS.fullmatch(name)], "\n"
    for name, _found in graph.links(node):
        if not _ELSEWHERE.fullmatch(name):
            yield [name], ""
    yield [name for name in inputs if _STORED.fullmatch(name)], "\n"


def _other(role: Role) -> Role:
    return "negative" if role == "positive" else "positive"


def _switched_on(value: object) -> str:
    """Give the trigger words that are switched on in a node of Lora Manager's."""
    words = value.get("__value__") if isinstance(value, dict) else value
    if not isinstance(words, list):
        return ""
    return ", ".join(text_of(word.get("text")) for word in words if isinstance(word, dict) and word.get("active"))


def _between(inputs: Mapping[str, Any]) -> str:
    told = next((inputs[name] for name in _BETWEEN if isinstance(inputs.get(name), str)), ", ")
    return told[:20].replace("\\n", "\n")
