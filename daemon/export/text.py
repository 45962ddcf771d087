"""A model's `.md` as we write it: YAML between two lines `---` for programs, and the words themselves below for people.

Our mark lies in that YAML as one line of JSON; its digest is that of all other lines.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from ..sidecars import cleantext
from . import mark as exportmark
from .mark import Mark, Moment

MOST_FRONT = 30_000
"""The most characters of YAML that are written: who reads it takes no more."""

_FRONT = re.compile(r"\s*---[ \t]*\n(.*?)\n---[ \t]*(?:\n|$)", re.DOTALL)
_LINE = re.compile(rf"^{exportmark.KEY}: .*\n", re.MULTILINE)
_SPARED = ("prompts", "links", "trigger_words", "tags")  # what is left out of a mark that is too long, one by one


def split(text: str) -> tuple[dict[str, Any], str]:
    """Give the YAML that a text begins with, as an object, and what stands below; none where that is no object."""
    found = _FRONT.match(text[: MOST_FRONT + 1000])
    if found is None:
        return {}, text
    try:
        front = yaml.load(found.group(1), _Plain)  # noqa: S506 - a safe loader of our own
        json.dumps(front, ensure_ascii=False, default=str).encode()  # not every loader takes half a surrogate pair
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        return {}, text
    if not isinstance(front, dict):
        return {}, text
    return {str(key): value for key, value in front.items()}, text[found.end() :].strip()


class _Plain(yaml.SafeLoader):
    """YAML without references to other parts of it: a few lines of those can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Give the next node. Raises YAMLError where it is a reference."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError
        return super().compose_node(parent, index)


def marked(front: Mapping[str, Any], body: str, moment: Moment, says: Mapping[str, Any]) -> str:
    """Give a text with YAML, words and our mark, in place of an older one."""
    plain = {key: value for key, value in front.items() if key != exportmark.KEY}
    head = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=10_000) if plain else ""
    spared = [name for name in _SPARED if name in says]
    mark = exportmark.seal({"text": _as_read(f"---\n{head}---\n\n{body}\n")}, moment, says)
    while len(head) + len(_line(mark)) > MOST_FRONT and spared:
        says = {name: value for name, value in says.items() if name != spared[0]}
        spared.pop(0)
        mark = exportmark.seal({"text": _as_read(f"---\n{head}---\n\n{body}\n")}, moment, says)
    return f"---\n{head}{_line(mark)}---\n\n{body}\n"


def _line(mark: Mark) -> str:
    encoded = json.dumps(msgspec.to_builtins(mark)).replace("'", "''")
    return f"{exportmark.KEY}: '{encoded}'\n"


def mark_in(value: object) -> Mark | None:
    """Give our mark from what stands in the YAML under its key, None where there is none that can be read."""
    if not isinstance(value, str):
        return None
    try:
        return exportmark.mark_in({exportmark.KEY: json.loads(value)})
    except (ValueError, RecursionError):
        return None


def is_as_written(text: str, mark: Mark) -> bool:
    """Tell whether a text still says what it said when it was marked."""
    return exportmark.is_as_written({"text": _as_read(text)}, mark)


def _as_read(text: str) -> str:
    """Give a text without our mark, and without what other programs change of it in passing."""
    plain = _LINE.sub("", cleantext.visible(text), count=1)
    return "\n".join(line.rstrip() for line in plain.strip().split("\n"))
