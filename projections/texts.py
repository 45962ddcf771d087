"""Texts as the read tables hold them, and what an edit makes of them."""

from typing import Any

import msgspec
from msgspec import UNSET

from ..events.catalog import Changes, Texts

_TEXTS = msgspec.json.Decoder(Texts)
_encoded = msgspec.json.Encoder().encode


def given_in(changes: Changes) -> set[str]:
    """Give the names of the fields that somebody gave."""
    return {field for field in Changes.__struct_fields__ if getattr(changes, field) is not UNSET}


def edited(texts: Texts, changes: Changes) -> Texts:
    """Give texts with somebody's changes in place."""
    new: dict[str, Any] = {
        field: getattr(changes, field) for field in Texts.__struct_fields__ if getattr(changes, field) is not UNSET
    }
    return msgspec.structs.replace(texts, **new) if new else texts


def meta_json(texts: Texts) -> str:
    """Give the texts as the column `meta_json` holds them: every key is there."""
    return _encoded(
        {
            "description": texts.description,
            "community_links": texts.community_links,
            "prompts": {"positive": texts.prompts.positive, "negative": texts.prompts.negative},
            "trigger_words": texts.trigger_words,
        }
    ).decode()


def texts_of(meta: str) -> Texts:
    """Give the texts that a column `meta_json` holds."""
    return _TEXTS.decode(meta)
