"""What people see of a model's texts: what somebody wrote in Hikaze, below it what the sidecars say, and at the bottom
what the model file tells of itself.

A field that somebody gave is theirs alone, emptied or not. Any other is filled from the sidecars, those first in which
people write their own words, and where they say nothing from the header, which knows a description and trigger words.
All of it is worked out anew from all three, so it matters not what came first.
"""

from collections.abc import Iterable, Sequence, Set
from os.path import splitext
from typing import Literal

from ..events.catalog import Prompts, Provided, Sidecar, Texts
from .told import NOTHING as NOT_TOLD
from .told import Told

PRECEDENCE = ("text", "lora-manager", "a1111", "stability-matrix", "rgthree", "swarm", "civitai-info")
"""The formats of sidecars, from those in which people write their own words to those that providers fill."""
FIELDS = Texts.__struct_fields__
WrittenBy = Literal["user", "provider", "header", "none"]
Row = tuple[Sidecar, Provided]


def effective(own: Texts, given: Set[str], rows: Sequence[Row], told: Told = NOT_TOLD) -> Texts:
    """Give the texts that people see.

    `given` names the fields that somebody gave; of `rows` the newest come first; `told` is what the header tells.
    """
    if not rows and not told.description and not told.trigger_words:
        return own
    said = _below(rows, told)
    return Texts(**{field: getattr(own if is_own(own, given, field) else said, field) for field in FIELDS})


def is_favorite(own: bool, given: Set[str], rows: Sequence[Row]) -> bool:
    """Tell whether a model is somebody's favourite: here, or in another program where nobody has said so here."""
    return own or ("favorite" not in given and any(provided.favorite for _, provided in newest(rows)))


def origins(own: Texts, given: Set[str], rows: Sequence[Row], told: Told = NOT_TOLD) -> dict[str, WrittenBy]:
    """Give for each text whose it is.

    Somebody's who wrote (or emptied) it in Hikaze, a sidecar's, the header's, or nobody's.
    """
    said, below = _said(rows), _below(rows, told)
    return {field: "user" if is_own(own, given, field) else _origin(said, below, field) for field in FIELDS}


def is_own(own: Texts, given: Set[str], field: str) -> bool:
    """Tell whether a field is what somebody wrote in Hikaze, so that no file has a say in it."""
    return field in given or getattr(own, field) != getattr(_NOTHING, field)


def newest(rows: Sequence[Row]) -> list[Row]:
    """Give the newest row of each kind, in the order in which they have a say. Of `rows` the newest come first.

    Notes in `foo.txt` and in `foo.md` are two: one is no newer state of the other.
    """
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(_kind(row[0]), row)
    return sorted(first.values(), key=lambda row: _rank(row[0].source))


def words(name: str, texts: Texts, rows: Sequence[Row], told: Told = NOT_TOLD) -> str:
    """Give all that a search for a model looks in, one after the other: what people see, and what files say."""
    if not rows and not told.words:
        return "\n".join(text for text in (name, *_words_of(texts)) if text)
    told_besides = (word for word in told.words if not texts.description.startswith(word))  # it may be told's own, cut
    return "\n".join(_distinct([name, *_words_of(texts), *_words_said(rows), *told_besides]))


_NOTHING = Texts()


def _below(rows: Sequence[Row], told: Told) -> Texts:
    """Give what people see where nobody wrote anything."""
    said = _said(rows)
    return Texts(
        said.description or told.description,
        said.community_links,
        said.prompts,
        said.trigger_words or told.trigger_words,
    )


def _origin(said: Texts, below: Texts, field: str) -> WrittenBy:
    nothing = getattr(_NOTHING, field)
    if getattr(said, field) != nothing:
        return "provider"
    return "none" if getattr(below, field) == nothing else "header"


def _kind(sidecar: Sidecar) -> str:
    if sidecar.source != "text":
        return sidecar.source
    stem, ending = splitext(sidecar.path.lower())
    return f"text{'.description' if stem.endswith('.description') else ''}{ending}"


def _rank(source: str) -> tuple[int, str]:
    return (PRECEDENCE.index(source) if source in PRECEDENCE else len(PRECEDENCE), source)


def _said(rows: Sequence[Row]) -> Texts:
    said = [provided for _, provided in newest(rows)]
    described = next((provided.description for provided in said if provided.description), "")
    return Texts(
        "\n\n".join(_distinct([*(provided.notes for provided in said), described])),
        "\n".join(_distinct(link for provided in said for link in provided.links)),
        Prompts(
            next((provided.prompts.positive for provided in said if provided.prompts.positive), ""),
            next((provided.prompts.negative for provided in said if provided.prompts.negative), ""),
        ),
        tuple(_distinct(word for provided in said for word in provided.trigger_words)),
    )


def _words_of(texts: Texts) -> list[str]:
    return [texts.description, *texts.trigger_words, texts.prompts.positive, texts.prompts.negative]


def _words_said(rows: Sequence[Row]) -> Iterable[str]:
    for _, provided in newest(rows):
        prompts = provided.prompts
        yield from (provided.name, provided.notes, provided.description, *provided.trigger_words)
        yield from (prompts.positive, prompts.negative)


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))
