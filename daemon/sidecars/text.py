"""Notes beside a model: what somebody wrote in a `.txt` or `.md`, or a manager did.

ComfyUI-Model-Manager (`search_by_url` in py/information.py of https://github.com/hayden-fr/ComfyUI-Model-Manager)
writes YAML between two lines `---`, the trigger words under a heading, and then what the provider says. A card of
Hugging Face (https://huggingface.co/docs/hub/model-cards) begins with YAML, too.
"""

import re
from collections.abc import Iterable

import yaml

from ...events.catalog import Provided
from ..export.mark import KEY
from . import cleantext
from .civitai import take_hashes
from .fields import Draft, Sheet
from .ours import text_with_mark
from .values import sha256_of, split_words

MAX_FRONT = 256 * 1024
"""The most characters of YAML that are read; what managers write has some 2 KiB, and an export of ours all texts."""

_MAX_DEPTH = 20
_FRONT = re.compile(r"\s*---[ \t]*\n(.*?)\n---[ \t]*(?:\n|$)", re.DOTALL)
_HEADING = re.compile(r"^# (.*)$", re.MULTILINE)
_TRIGGER_WORDS, _THIS_VERSION = "Trigger Words", "About this version"
_NOTHING = re.compile(r"no (?:trigger words|description about this (?:version|model))", re.IGNORECASE)
_MANAGER_FACTS = {"author": "creator", "website": "from", "metadata": "file"}
_CARD_FACTS = {"license": "license", "base_model": "base_model_at", "pipeline_tag": "task", "library_name": "library"}


def read(text: str) -> Provided:
    """Give what a text says."""
    draft = Draft()
    text = cleantext.visible(text[: cleantext.MAX_IN])
    found = _FRONT.match(text[:MAX_FRONT])
    front = draft.sheet(_yaml(found.group(1)) if found else None)
    body = cleantext.clean(text[found.end() :] if found and front else text, cleantext.MAX_IN).strip()
    if "modelPage" in front or "website" in front:
        _take_manager_front(draft, front)
        _take_manager_body(draft, body)
    elif front:
        _take_card(draft, front)
        draft.describe(body)
    else:
        draft.note(body)
    return text_with_mark(text, front.raw(KEY), body, draft.provided())


def _take_manager_front(draft: Draft, front: Sheet) -> None:
    draft.link(front.line("modelPage"))
    draft.base_model(front.line("baseModel"))
    draft.sha256 = sha256_of(front.sheet("hashes").raw("SHA256"))
    take_hashes(draft, front.sheet("hashes"))
    draft.facts(front, _MANAGER_FACTS)


def _take_manager_body(draft: Draft, body: str) -> None:
    """Take the parts under their headings: the first that is not the manager's own is the model's name."""
    before, *parts = _HEADING.split(body)
    draft.note(before.strip())
    for heading, part in zip(map(str.strip, parts[::2]), map(str.strip, parts[1::2]), strict=True):
        words = "" if _NOTHING.fullmatch(part) else part
        if heading == _TRIGGER_WORDS:
            draft.trigger(split_words(words))
        elif heading == _THIS_VERSION:
            draft.describe(words)
        elif not draft.name:
            draft.name = heading
            draft.describe(words)
        else:
            draft.describe(f"# {heading}\n\n{words}".strip())
    draft.name = "" if draft.name == "None" else draft.name  # what the manager writes where it found no name


def _take_card(draft: Draft, card: Sheet) -> None:
    draft.tag(card.names("tags"))
    draft.trigger(card.words("instance_prompt"))
    draft.facts(card, _CARD_FACTS)


# YAML as nothing but texts, lists and objects: what makes dates and numbers of texts raises anything. libyaml, which
# comes with PyYAML nearly everywhere, is twenty times as fast.
_Loader: type[yaml.BaseLoader] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def _yaml(text: str) -> object:
    try:
        if not _is_simple(yaml.parse(text, _Loader)):
            return None
        return _without_nulls(yaml.load(text, _Loader))  # noqa: S506  even safer than the safe one
    except yaml.YAMLError:
        return None


def _is_simple(events: Iterable[yaml.Event]) -> bool:
    """Tell whether nothing lies deep, or refers to another part: a few lines of that can stand for gigabytes."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH or isinstance(event, yaml.AliasEvent):
            return False
    return True


def _without_nulls(fields: object) -> object:
    if not isinstance(fields, dict):
        return None
    return {key: value for key, value in fields.items() if value not in ("", "null", "~", "Null", "NULL")}
