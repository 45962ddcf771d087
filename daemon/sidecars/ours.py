"""What a sidecar says that an export of ours wrote: in full, where the format alone has no room for it.

A program that changed the file since has the last word in all that its format has a field for.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from ...events.catalog import Prompts, Provided
from ..export import mark as exportmark
from ..export import text as exporttext
from ..export.mark import Mark, Moment
from .fields import Draft
from .values import identifier_of, sha256_of

EXPORTED = "exported"
"""The fact that holds how far the library was that wrote the file; only of one that nobody changed since."""

_NO_ROOM = {
    "text": ("name", "links", "prompts", "favorite"),
    "lora-manager": ("links", "prompts"),
    "civitai-info": ("links", "prompts", "favorite"),
    "a1111": ("name", "links", "prompts", "tags", "favorite"),
    "stability-matrix": ("links", "prompts", "favorite"),
    "swarm": ("links", "prompts", "favorite"),
}
"""What each format has no field for, or not for all of it."""


def with_mark(source: str, document: Mapping[str, Any], native: Provided | None) -> Provided | None:
    """Give what a sidecar says, `native` by its own format, with what our mark in it adds."""
    mark = exportmark.mark_in(document)
    if mark is None or native is None:
        return native
    return _with(source, mark, native, _in_full(mark), is_whole=exportmark.is_as_written(document, mark))


def text_with_mark(text: str, mark: object, body: str, native: Provided) -> Provided:
    """Give what a text says, `native` without our mark; `mark` is what stands under its key, `body` the clean words.

    The words of ours are a note, whoever wrote them: no text tells which of them is whose.
    """
    found = exporttext.mark_in(mark)
    if found is None:
        return native
    noted = msgspec.structs.replace(native, notes=body, description="")
    full = msgspec.structs.replace(_in_full(found), notes=noted.notes)
    return _with("text", found, noted, full, is_whole=exporttext.is_as_written(text, found))


def _with(source: str, mark: Mark, native: Provided, full: Provided, *, is_whole: bool) -> Provided:
    if is_whole:
        return msgspec.structs.replace(full, facts=full.facts | {EXPORTED: msgspec.to_builtins(mark.moment)})
    return msgspec.structs.replace(native, **{name: _united(name, native, full) for name in _NO_ROOM.get(source, ())})


def exported_at(provided: Provided) -> Moment | None:
    """Give how far the library was that wrote a sidecar, None where what it says may be another's words."""
    try:
        return msgspec.convert(provided.facts.get(EXPORTED), Moment)
    except msgspec.ValidationError:
        return None


def _in_full(mark: Mark) -> Provided:
    draft = Draft()
    sheet = draft.sheet(mark.says)
    draft.name = sheet.line("name")
    draft.note(sheet.text("notes"))
    draft.describe(sheet.text("description"))
    draft.link(*sheet.names("links"))
    prompts = sheet.sheet("prompts")
    draft.prompts(prompts.text("positive"), prompts.text("negative"))
    draft.trigger(sheet.names("trigger_words"))
    draft.tag(sheet.names("tags"))
    draft.favorite = sheet.flag("favorite")
    draft.sha256 = sha256_of(sheet.raw("sha256"))
    draft.fact("base_model", sheet.line("base_model"))
    for name in ("model_id", "version_id"):
        draft.fact(name, identifier_of(sheet.raw(name)))
    return draft.provided()


def _united(name: str, native: Provided, full: Provided) -> Any:
    mine, ours = getattr(native, name), getattr(full, name)
    if isinstance(mine, Prompts):
        return Prompts(mine.positive or ours.positive, mine.negative or ours.negative)
    return tuple(dict.fromkeys((*mine, *ours))) if isinstance(mine, tuple) else mine or ours
