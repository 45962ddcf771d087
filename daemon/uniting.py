"""How what an earlier library says comes to what is known here: nothing is replaced, and nothing comes twice. Pure."""

import hashlib
from collections.abc import Iterable, Set

from ..events.catalog import Prompts, Texts
from ..projections.text import tag_key


def united(own: Texts, come: Texts, source: str) -> Texts:
    """Give one's own texts with others appended where they differ, under the name of their source."""
    return Texts(
        appended(own.description, come.description, source),
        appended(own.community_links, come.community_links, source),
        Prompts(
            appended(own.prompts.positive, come.prompts.positive, source),
            appended(own.prompts.negative, come.prompts.negative, source),
        ),
        tuple(dict.fromkeys((*own.trigger_words, *come.trigger_words))),
    )


def appended(own: str, come: str, source: str) -> str:
    """Give one's own text with another appended, unless it says that already; an empty one gives way."""
    if not own.strip() or not come.strip():
        return own if own.strip() else come or own
    if f"\n{_plain(come)}\n" in f"\n{_plain(own)}\n":
        return own
    return f"{own.rstrip()}\n\nFrom {source}:\n{come.strip()}"


def _plain(text: str) -> str:
    """Give the words of a text, one a line: so line ends and indents make no difference."""
    return "\n".join(text.split())


# What came once


def parts_of(texts: Texts, tags: Iterable[str]) -> tuple[str, ...]:
    """Give a short digest of each text and tag: by these it is known later that it came once."""
    said = [*_said(texts), *(("tag", tag_key(name)) for name in tags)]
    return tuple(dict.fromkeys(part_of(kind, text) for kind, text in said if text))


def without(texts: Texts, parts: Set[str]) -> Texts:
    """Give texts less those that came once: where they are gone now, somebody took them away."""
    description, links, positive, negative = (
        "" if part_of(kind, text) in parts else text for kind, text in _said(texts)
    )
    return Texts(description, links, Prompts(positive, negative), texts.trigger_words)


def tags_without(names: Iterable[str], parts: Set[str]) -> list[str]:
    """Give the names of tags less those that came once."""
    return [name for name in names if part_of("tag", tag_key(name)) not in parts]


def part_of(kind: str, text: str) -> str:
    """Give the short digest of a text, a tag's key, a picture's hash or a path."""
    return hashlib.sha256(f"{kind}\n{_plain(text)}".encode()).hexdigest()[:16]


def _said(texts: Texts) -> list[tuple[str, str]]:
    return [
        ("description", texts.description),
        ("links", texts.community_links),
        ("positive", texts.prompts.positive),
        ("negative", texts.prompts.negative),
    ]
