"""What a file's header tells, put together: its base model, what kind of thing it is, and words for people.

Each part of it is told by rules of its own; this says which of them win, and keeps all of it small enough to be part
of an event.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from . import trained
from .adapters import Adapter, adapter_of
from .families.telling import family_of
from .guess import type_by_names
from .header import Header, Tensor
from .precision import precision_of
from .tensornames import TensorNames

RULES = 1
"""The version of all rules that `study` rests on. Raised with any change of them, it has known headers read again."""

MAX_BYTES = 24 * 1024
"""The most bytes of JSON that a study has."""

# How many bytes of JSON each part may have; with names and punctuation less than `MAX_BYTES` in all.
_MOST_OF_WORDS = 6 * 1024
_MOST_OF_MODELSPEC = 4 * 1024
_MOST_OF_TRAINING = 3 * 1024
_MOST_OF_TAGS = 2 * 1024
_MOST_OF_TRIGGERS = 3 * 1024
_MOST_OF_DESCRIPTION = 4 * 1024

_PARTS = {
    "checkpoints": "checkpoint",
    "diffusion_models": "diffusion_model",
    "loras": "adapter",
    "embeddings": "embedding",
    "vae": "vae",
    "text_encoders": "text_encoder",
    "clip_vision": "clip_vision",
    "controlnet": "controlnet",
    "upscale_models": "upscale_model",
    "style_models": "style_model",
    "gligen": "gligen",
}
"""What part of a model a file is, by the type that its tensors prove."""


def study(header: Header, tensors: Sequence[Tensor], type_: str | None) -> dict[str, Any]:
    """Give what a header tells, as three keys for the header of an event; JSON of at most 24 KiB. It never raises.

    `rules` is the version of the rules; `facts` is what the file is, keys without a value left out; `told` is what
    becomes tags, trigger words and a description. `type_` is the file's type as far as somebody said it or its
    tensors prove it.
    """
    names = TensorNames(tensors)
    adapter = adapter_of(header, tensors, names)
    words = trained.Words(header.metadata)
    facts = _filled(
        {
            **_family(header, names, adapter, type_),
            **_numbers(header, names),
            "adapter": _adapter_facts(adapter),
            "trained_words": _fitting([{"word": w, "count": n} for w, n in words.trained()], _MOST_OF_WORDS),
            "modelspec": _fitting_fields(trained.modelspec(header.metadata), _MOST_OF_MODELSPEC),
            "training": _fitting_fields(trained.training(header.metadata), _MOST_OF_TRAINING),
        }
    )
    told = {
        "tags": _fitting(_tags(header.metadata, facts, adapter), _MOST_OF_TAGS),
        "trigger_words": _fitting(trained.trigger_words(header.metadata, words), _MOST_OF_TRIGGERS),
        "description": _shortened(trained.description(header.metadata, _MOST_OF_DESCRIPTION), _MOST_OF_DESCRIPTION),
    }
    return {"rules": RULES, "facts": facts, "told": told}


def _family(header: Header, names: TensorNames, adapter: Adapter | None, type_: str | None) -> dict[str, str | None]:
    family = family_of(header, names.tensors, names)
    if family is None:
        return {"part": _part(header, names, adapter, type_)}
    part = family.part or _part(header, names, adapter, type_)
    if family.base_model is None:
        return {"part": part}
    return {"base_model": family.base_model, "family": family.id, "evidence": family.evidence, "part": part}


def _part(header: Header, names: TensorNames, adapter: Adapter | None, type_: str | None) -> str | None:
    if adapter is not None:
        return "adapter"
    proven = type_by_names(header, names.tensors, names) or (type_ if names.tensors else None)
    return _PARTS.get(proven or "")


def _numbers(header: Header, names: TensorNames) -> dict[str, Any]:
    precision, parameters = precision_of(header, names.tensors, names)
    return {"precision": precision, "parameters": parameters}


def _adapter_facts(adapter: Adapter | None) -> dict[str, Any] | None:
    if adapter is None:
        return None
    several = len(adapter.ranks) > 1
    convolutions = adapter.conv_ranks if adapter.conv_ranks != adapter.ranks else ()
    return _filled(
        {
            "kind": adapter.kind,
            "rank": adapter.ranks[0] if len(adapter.ranks) == 1 else None,
            "ranks": list(adapter.ranks) if several else None,
            "conv_ranks": list(convolutions),
            "alpha": adapter.alpha,
            "targets": list(adapter.targets),
        }
    )


def _filled(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what has no value."""
    return {key: value for key, value in facts.items() if value is not None and value not in ("", [], {})}


def _tags(metadata: Mapping[str, str], facts: Mapping[str, Any], adapter: Adapter | None) -> list[str]:
    kind = adapter.kind if adapter is not None and adapter.kind != "LoRA" else None
    found = [facts.get("base_model"), kind, *trained.tags(metadata)]
    return list({trained.key(tag): tag for tag in reversed(found) if tag}.values())[::-1]


# Bounds


def _fitting(items: Iterable[Any], left: int) -> list[Any]:
    """Give the first items that fit into so many bytes of JSON."""
    fitting: list[Any] = []
    for item in items:
        left -= len(msgspec.json.encode(item)) + 1
        if left < 0:
            break
        fitting.append(item)
    return fitting


def _fitting_fields(fields: Mapping[str, str], left: int) -> dict[str, str]:
    """Give the fields that fit into so many bytes of JSON, the short ones before the long ones, in their order."""
    fitting: set[str] = set()
    for key in sorted(fields, key=lambda key: len(fields[key])):
        left -= len(msgspec.json.encode({key: fields[key]}))
        if left < 0:
            break
        fitting.add(key)
    return {key: value for key, value in fields.items() if key in fitting}


def _shortened(text: str, most: int) -> str:
    """Cut a text to so many bytes of JSON."""
    while len(encoded := msgspec.json.encode(text)) > most:
        text = text[: min(len(text) - 1, len(text) * most // len(encoded))]
    return text
