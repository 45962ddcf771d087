"""Why a model was found: where the words stand that a query asks for, told of the models of one page alone."""

from collections.abc import Mapping, Sequence

import apsw
import msgspec

from .finding_parts import ANYWHERE, IN_FILES, IN_NAME, IN_TAGS, asks_for_hash, words_of
from .parts import Part
from .tables import rows
from .text import fold
from .texts import texts_of

Reason = tuple[str | None, str | None]
"""Where it was found, and the name it had before if that is why."""

_PLAIN = {IN_NAME: "name", IN_TAGS: "tag", IN_FILES: "file"}
_TEXTS = "SELECT rowid, sha256, words, meta_json FROM models WHERE rowid IN (SELECT value FROM json_each(?))"
_EARLIER = """SELECT m.rowid, e.kind, e.shown, e.folded FROM models m JOIN earlier_names e ON e.model_hash = m.sha256
    WHERE m.rowid IN (SELECT value FROM json_each(?)) ORDER BY e.kind DESC, e.folded"""


def reasons(db: apsw.Connection, part: Part, models: Sequence[int], ranked: Mapping[int, int]) -> list[Reason]:
    """Give for each of some models why it was found, by their tiers; None where a query asks for no words."""
    if not ranked:
        return [("hash" if asks_for_hash(part) else None, None)] * len(models)
    words = [fold(word.text) for word in words_of(part)]
    texts = _in_texts(db, words, [model for model in models if ranked.get(model) == ANYWHERE])
    earlier = _earlier(db, words, [model for model in models if ranked.get(model, 0) > ANYWHERE])
    return [
        texts.get(model) or earlier.get(model) or (_PLAIN.get(ranked.get(model, IN_NAME), "text"), None)
        for model in models
    ]


def _in_texts(db: apsw.Connection, words: Sequence[str], models: Sequence[int]) -> dict[int, Reason]:
    found: dict[int, Reason] = {}
    if models:
        for model, sha256, searched, meta in rows(db, _TEXTS, (msgspec.json.encode(models).decode(),)):
            found[model] = _where(words, sha256, searched, meta), None
    return found


def _where(words: Sequence[str], sha256: str, searched: str, meta: str) -> str:
    triggers = "\n".join(map(fold, texts_of(meta).trigger_words))
    if any(word in triggers for word in words):
        return "trigger_words"
    return "text" if any(word in searched for word in words) or not any(map(sha256.startswith, words)) else "hash"


def _earlier(db: apsw.Connection, words: Sequence[str], models: Sequence[int]) -> dict[int, Reason]:
    found: dict[int, Reason] = {}
    if models:
        for model, kind, name, folded in rows(db, _EARLIER, (msgspec.json.encode(models).decode(),)):
            if model not in found and any(word in folded for word in words):
                found[model] = f"earlier_{kind}", name
    return found
