"""What we know of a model, told apart by whose words it is, for whoever writes it down in another format."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from ...events.catalog import Prompts
from ...projections.layers import Row, newest
from ..names import stem


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What we know of a model; `confirmed` says that its hash was seen on its bytes.

    `notes` is what a person wrote, in Hikaze or elsewhere, `description` what its provider says.
    """

    sha256: str
    confirmed: bool = True
    name: str
    type: str
    size: int
    created_at: int
    notes: str = ""
    description: str = ""
    links: tuple[str, ...] = ()
    prompts: Prompts = Prompts()
    trigger_words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    favorite: bool = False
    base_model: str = ""
    model_id: int | None = None
    version_id: int | None = None
    """Civitai's numbers of the model and its version."""


class Beside(msgspec.Struct, frozen=True):
    """The file of the model beside which the export comes to lie, and its preview, as text; empty if there is none."""

    model: str
    folder: str
    preview: str = ""

    @property
    def stem(self) -> str:
        """The model's file name less its last extension."""
        return stem(self.model)


def known_of(whole: Mapping[str, Any], rows: Sequence[Row]) -> Known:
    """Give what we know of a model from its answer whole and the sidecars that were read, the newest first."""
    seen = whole["description"]
    described = _described(seen, whole["origins"]["description"], rows)
    facts = [said.facts for _, said in newest(rows)]
    return Known(
        sha256=whole["sha256"],
        confirmed=whole["hash_state"] == "confirmed",
        name=whole["name"],
        type=whole["type"],
        size=whole["size_bytes"],
        created_at=whole["created_at"],
        notes=seen.removesuffix(described).rstrip("\n"),
        description=described,
        links=tuple(line for line in whole["community_links"].split("\n") if line),
        prompts=msgspec.convert(whole["prompts"], Prompts),
        trigger_words=tuple(whole["trigger_words"]),
        tags=tuple(whole["tags"]),
        favorite=whole["favorite"],
        base_model=_fact(facts, "base_model", str) or "",
        model_id=_fact(facts, "model_id", int),
        version_id=_fact(facts, "version_id", int),
    )


def _described(seen: str, origin: str, rows: Sequence[Row]) -> str:
    """Give the part of a description that is a provider's, or that of the file's header; it stands at the end."""
    if origin != "provider":
        return seen if origin == "header" else ""
    said = (provided.description for _, provided in newest(rows))
    return next((text for text in said if text and (seen == text or seen.endswith("\n\n" + text))), "")


_Fact = TypeVar("_Fact", str, int)


def _fact(facts: Iterable[Mapping[str, Any]], name: str, kind: type[_Fact]) -> _Fact | None:
    return next((value for each in facts if isinstance(value := each.get(name), kind)), None)


def joined(notes: str, description: str) -> str:
    """Give notes and description as one text."""
    return "\n\n".join(dict.fromkeys(text for text in (notes, description) if text))
