"""Which models queued prompts use: counted while ComfyUI waits for nothing, told to the daemon now and then.

When a prompt comes only the names in it are noted. Whether it was queued (a prompt that does not validate is not), and
which files the names mean, is found out later, in a thread of its own.
"""

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .payload import PayloadError, read_checkpoint, read_loras
from .whereabouts import to_text

MOST_PROMPTS = 1_000  # noted and not yet looked up
MOST_FILES = 10_000  # counted and not yet told: nobody who has so many asks which of them are unused
PATIENCE_S = 120.0  # so long a prompt may take to be validated

PAYLOAD = "hikaze_payload"
ENDINGS = frozenset({".bin", ".ckpt", ".gguf", ".pkl", ".pt", ".pt2", ".pth", ".safetensors", ".sft"})
_EMBEDDING_ENDINGS = (".safetensors", ".pt", ".bin")
_LONGEST_NAME = 4_096

# The types that inputs of loaders mean, ComfyUI's own and those of most packs; any other is looked for in every type.
_TYPES = {
    "ckpt_name": "checkpoints",
    "clip_name": "text_encoders",
    "control_net_name": "controlnet",
    "gligen_name": "gligen",
    "hypernetwork_name": "hypernetworks",
    "lora": "loras",
    "lora_name": "loras",
    "style_model_name": "style_models",
    "unet_name": "diffusion_models",
    "vae_name": "vae",
}
_EMBEDDING = re.compile(r"embedding:([^\s,:()\[\]]+)")

Folders = Mapping[str, tuple[Iterable[str], Iterable[str]]]


@dataclass(frozen=True)
class Name:
    """What a prompt names: a file, by its path or by its name in a folder of some type."""

    text: str
    type: str | None = None


@dataclass
class Uses:
    """How often a file was used, and when last (ms since 1970 UTC)."""

    count: int
    last: int


def names_in(prompt: object) -> frozenset[Name]:
    """Give what a prompt (by node, `class_type` and `inputs`) names that may be a model."""
    nodes = prompt.values() if isinstance(prompt, dict) else ()
    found: set[Name] = set()
    for node in nodes:
        inputs = node.get("inputs") if isinstance(node, dict) else None
        if not isinstance(inputs, dict):
            continue
        for key, value in inputs.items():
            found.update(_chosen(node.get("class_type"), value) if key == PAYLOAD else _names(str(key), value))
    return frozenset(found)


def _chosen(class_type: object, payload: object) -> list[Name]:
    """Give what one of our nodes loads; a payload that cannot be read is none that is queued."""
    try:
        if isinstance(payload, str) and class_type == "HikazeCheckpointLoader":
            return [Name(read_checkpoint(payload), "checkpoints")]
        if isinstance(payload, str) and class_type == "HikazeLoraPowerLoader":
            return [Name(lora.path, "loras") for lora in read_loras(payload) if lora.works]
    except PayloadError:
        pass
    return []


def _names(key: str, value: object) -> Iterator[Name]:
    if isinstance(value, dict) and value.get("on", True) is not False:  # as packs with a list of LoRAs have them
        for inner, text in value.items():
            if isinstance(text, str):
                yield from _names(str(inner), text)
    if not isinstance(value, str):
        return
    if len(value) <= _LONGEST_NAME and os.path.splitext(value)[1].lower() in ENDINGS:
        yield Name(value, _TYPES.get(key.rstrip("0123456789_")))
    elif "embedding:" in value:
        yield from (Name(name, "embeddings") for name in _EMBEDDING.findall(value))


def path_of(name: Name, folders: Folders) -> str | None:
    """Give the file that a name means, as ComfyUI would find it; None where there is none. Touches the disk."""
    text = name.text.replace("\\", "/") if os.sep == "/" else name.text
    if os.path.isabs(text):
        return text if os.path.isfile(text) else None
    endings = ("", *_EMBEDDING_ENDINGS) if name.type == "embeddings" else ("",)
    types = [name.type] if name.type in folders else []
    for type_ in [*types, *(each for each in list(folders) if each not in types)]:
        for folder in list(folders[type_][0]):
            for ending in endings:
                path = os.path.join(folder, text + ending)
                if os.path.isfile(path):
                    return path
    return None


class Counter:
    """Counts what was queued. `note` belongs to ComfyUI's event loop, all else to the thread that tells."""

    def __init__(self, was_queued: Callable[[str], bool]) -> None:
        """Take what tells of a prompt's id whether it was queued."""
        self._was_queued = was_queued
        self._noted: OrderedDict[str, tuple[frozenset[Name], float, int]] = OrderedDict()
        self._uses: dict[str, Uses] = {}

    def note(self, prompt_id: str, prompt: object, *, at_s: float, time_ms: int) -> None:
        """Note what a prompt names that may be queued now; touches no disk."""
        names = names_in(prompt)
        if names:
            self._noted[prompt_id] = names, at_s, time_ms
            while len(self._noted) > MOST_PROMPTS:
                self._noted.popitem(last=False)

    def settle(self, folders: Folders, at_s: float) -> None:
        """Count those noted that were queued, and forget those that were not for long."""
        for prompt_id, (names, noted_s, time_ms) in list(self._noted.items()):
            if self._was_queued(prompt_id):
                self._count({path for name in names if (path := path_of(name, folders)) is not None}, time_ms)
            elif at_s - noted_s < PATIENCE_S:
                continue
            self._noted.pop(prompt_id, None)

    def take(self) -> list[dict[str, Any]]:
        """Give what was counted, and begin anew."""
        taken, self._uses = self._uses, {}
        return [{"path": to_text(path), "count": uses.count, "last": uses.last} for path, uses in taken.items()]

    def _count(self, paths: Iterable[str], time_ms: int) -> None:
        for path in paths:
            known = self._uses.get(path)
            if known is not None:
                known.count, known.last = known.count + 1, max(known.last, time_ms)
            elif len(self._uses) < MOST_FILES:
                self._uses[path] = Uses(1, time_ms)
