"""A model's file in another manager's format, as bytes, from what we know and what lies there. All of it is pure.

What an existing file says beside that is kept, and where it says the same in its own way, that too.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Literal

from ...events.catalog import Prompts, Provided
from ..names import stem
from ..sidecars import formats as sidecar
from . import mark as exportmark
from . import text as exporttext
from .drafts import FILL, Draft, keys
from .known import Beside, Known, joined
from .mark import Moment

Format = Literal["lora-manager", "civitai-info", "a1111", "stability-matrix", "swarm", "text"]

ENDINGS: Mapping[Format, str] = {
    "lora-manager": ".metadata.json",
    "civitai-info": ".civitai.info",
    "a1111": ".json",
    "stability-matrix": ".cm-info.json",
    "swarm": ".swarm.json",
    "text": ".md",
}
"""What is appended to a model's stem to name its file in each format."""


class NotOne(Exception):
    """A file lies there that has the name of a sidecar, and is another program's file for another end."""


def file_name(form: Format, model_name: str) -> str:
    """Give the name of a model's file in a format."""
    return stem(model_name) + ENDINGS[form]


# One file ---------------------------------------------------------------------------------------------


def exported(form: Format, known: Known, beside: Beside, moment: Moment, former: bytes | None = None) -> bytes | None:
    """Give the bytes of a model's file in a format, None where `former`, what the file holds, says it all already.

    Raises `NotOne` where what lies there is another kind of file.
    """
    found = sidecar.parse(form, former, file_name(form, beside.model)) if former else None
    said = found or Provided()
    if form == "text":
        return _text(known, beside, moment, sidecar.decoded(former or b""), said)
    document = _read(former or b"")
    if document and found is None:
        raise NotOne
    says, mark = _in_full(known), exportmark.mark_in(document)
    is_ours = mark is not None and exportmark.is_as_written(document, mark)
    if former and (mark.says == says if mark and is_ours else _says(said, known, beside)):
        return None
    return _write(exportmark.marked(FILL[form](Draft(document, said), known, beside), moment, says))


def _text(known: Known, beside: Beside, moment: Moment, text: str, said: Provided) -> bytes | None:
    front, body = exporttext.split(text)
    words = joined(known.notes, known.description)
    says = {name: value for name, value in _in_full(known).items() if name not in ("notes", "description")}
    says["text"] = hashlib.sha256(words.encode()).hexdigest()  # the words themselves stand below
    mark = exporttext.mark_in(front.get(exportmark.KEY))
    is_ours = mark is not None and exporttext.is_as_written(text, mark)
    if text and (mark.says == says if mark and is_ours else _says(said, known, beside)):
        return None
    draft = Draft(front, said)
    if known.tags or "tags" in front:
        draft.put("tags", list(known.tags), is_said=draft.says_tags(known))
    if known.trigger_words or "instance_prompt" in front:  # as cards of Hugging Face have it
        draft.put("instance_prompt", ", ".join(known.trigger_words), is_said=draft.says_words(known))
    return exporttext.marked(draft.document, body if draft.says_text(known) else words, moment, says).encode()


def _in_full(known: Known) -> dict[str, Any]:
    """Give all that we know in the terms of `Provided`, for whoever reads the mark."""
    said = {
        "name": known.name,
        "notes": known.notes,
        "description": known.description,
        "links": list(known.links),
        "prompts": {"positive": known.prompts.positive, "negative": known.prompts.negative},
        "trigger_words": list(known.trigger_words),
        "tags": list(known.tags),
        "favorite": known.favorite,
        "sha256": known.sha256 if known.confirmed else "",
        "base_model": known.base_model,
        "model_id": known.model_id,
        "version_id": known.version_id,
    }
    if known.prompts == Prompts():
        del said["prompts"]
    return {name: value for name, value in said.items() if value}


def _says(said: Provided, known: Known, beside: Beside) -> bool:
    """Tell whether another program's file says all that we know."""
    return (
        joined(said.notes, said.description) == joined(known.notes, known.description)
        and said.trigger_words == known.trigger_words
        and keys(said.tags) == keys(known.tags)
        and said.prompts == known.prompts
        and said.favorite == known.favorite
        and set(said.links) >= set(known.links)
        and known.name in (said.name, beside.stem)
    )


# Bytes ------------------------------------------------------------------------------------------------


def _read(data: bytes) -> dict[str, Any]:
    """Give the object that a file holds; an empty one where it holds none, or is broken."""
    text = sidecar.decoded(data)
    if sum(map(text.count, ",[{")) > sidecar.MAX_ENTRIES:
        return {}
    try:
        found = json.loads(text, strict=False, parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _finite(number: str) -> float | None:
    found = float(number)
    return found if math.isfinite(found) else None


def _write(document: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # another program's half of a surrogate pair, which it may read again
        return json.dumps(document, indent=2).encode() + b"\n"
