"""What a search must find, worked out as plainly as can be: every model is looked at, whole, for every part of a query.

It reads what the library says of each model (`library.whole`), asks no index, and takes the time it takes.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import apsw
from hikaze.projections import duplicates, hashes, library
from hikaze.projections.parts import (
    Added,
    All,
    Hashed,
    Is,
    Not,
    Part,
    Path,
    Sized,
    Tagged,
    Typed,
    Used,
    Word,
)
from hikaze.projections.parts import Any as AnyOf
from hikaze.projections.text import fold, tag_key
from hikaze.projections.told import told_of

Model = dict[str, Any]

# How well a word is met, the best way first. Each way admits all that the ones before it do.
EQUAL, BEGINS, BEGINS_A_WORD, IN_NAME, IN_TAGS, IN_FILES, ANYWHERE, BEFORE = WAYS = range(8)


class Oracle:
    """All models of a library, as plain objects."""

    def __init__(self, db: apsw.Connection) -> None:
        """Read everything."""
        self.models: list[Model] = []
        for (sha256,) in db.execute("SELECT sha256 FROM models"):
            whole = library.whole(db, sha256)
            assert whole is not None
            whole["hashes"] = [hashes.Hash("sha256", sha256, "computed"), *hashes.of_model(db, sha256)]
            whole["duplicate"] = duplicates.is_duplicated(db, sha256)
            whole["called"], whole["path_texts"] = fold(whole["name"]), [_turned(path) for path in _paths(whole)]
            whole["searched"] = {place: [fold(text) for text in texts] for place, texts in _searched(whole).items()}
            self.models.append(whole)

    def find(self, part: Part) -> list[Model]:
        """Give the models that a query means, in no order."""
        return [model for model in self.models if holds(model, part)]

    def ordered(self, part: Part, order: str) -> list[Model]:
        """Give the models that a query means, in an order."""
        found = self.find(part)
        if order == "best":
            return sorted(found, key=lambda model: (way_of(model, part), model["called"], model["sha256"]))
        key = _KEYS[order.lstrip("-")]
        return sorted(found, key=lambda model: (key(model), model["sha256"]), reverse=order.startswith("-"))

    def facets(self, part: Part) -> dict[str, dict[str, int]]:
        """Give how many of the models that a query means have each tag and type."""
        found = self.find(part)
        return {
            "tags": dict(Counter(tag for model in found for tag in model["tags"])),
            "types": dict(Counter(model["type"] for model in found)),
        }


def holds(model: Model, part: Part, way: int = BEFORE) -> bool:
    """Tell whether a model is as a query says, with the words that are asked for met in this way or a better one."""
    match part:
        case All(parts=parts):
            words = [fold(each.text) for each in parts if isinstance(each, Word)]
            if way > BEGINS or not words:
                return all(holds(model, each, way) for each in parts)
            others = (each for each in parts if not isinstance(each, Word))
            return _is_called(model, " ".join(words), way) and all(holds(model, each, way) for each in others)
        case AnyOf(parts=parts):
            return any(holds(model, each, way) for each in parts)
        case Not(part=inner):
            return not holds(model, inner)
        case Word(text=text, field=field):
            return _has_word(model, fold(text), field, way)
        case Tagged(name=name, match=how):
            return _is_tagged(model, name, how)
        case Typed(type=type_):
            return model["type"] == type_
        case Sized(least=least, most=most):
            return least <= model["size_bytes"] <= most
        case Added(since=since, until=until):
            return since <= model["created_at"] <= until
        case Used(since=since, until=until):
            return model["last_used"] is not None and since <= model["last_used"] <= until
        case Hashed(prefix=prefix):
            return _has_hash(model, prefix)
        case Path(text=text):
            return any(_turned(text) in path for path in model["path_texts"])
        case Is(what=what):
            return _is(model, what)


def _is_tagged(model: Model, name: str, how: str) -> bool:
    if how == "exact":
        return tag_key(name) in map(tag_key, model["tags"])
    asked = fold(name)
    return any(tag.startswith(asked) if how == "prefix" else tag == asked for tag in model["searched"]["tags"])


def _has_hash(model: Model, prefix: str) -> bool:
    return any(one.hash.startswith(prefix) or _is_short_of(one, prefix) for one in model["hashes"])


def _is_short_of(one: hashes.Hash, prefix: str) -> bool:
    """Tell whether of an AutoV3 that somebody asks for only the first digits are known."""
    return one.kind == "autov3" and len(one.hash) == hashes.SHORT_AUTOV3 and prefix.startswith(one.hash)


def _is(model: Model, what: str) -> bool:
    match what:
        case "favorite":
            return model["favorite"]
        case "unused":
            return not model["uses"]
        case "untagged":
            return not model["tags"]
        case "duplicate":
            return model["duplicate"]
        case _:
            return model["state"] == what


# Words ------------------------------------------------------------------------------------------------


def way_of(model: Model, part: Part) -> int:
    """Give the best way in which a model that a query means meets its words."""
    return next(way for way in WAYS if holds(model, part, way))


def _is_called(model: Model, name: str, way: int) -> bool:
    called = model["called"]
    return called == name if way == EQUAL else called.startswith(name)


def _has_word(model: Model, word: str, field: str, way: int) -> bool:
    called = model["called"]
    if way <= BEGINS:
        return _is_called(model, word, way)
    if way == BEGINS_A_WORD:
        return any(called.startswith(word, at) for at in range(len(called)) if at == 0 or not called[at - 1].isalnum())
    places = {IN_NAME: ("name",), IN_TAGS: ("tags",), IN_FILES: ("files",), ANYWHERE: ("texts",), BEFORE: ("earlier",)}
    asked = [place for least, several in places.items() if least <= way for place in several]
    if field == "name":
        asked = ["name", *(["earlier_names"] if way == BEFORE else [])]
    if any(word in text for place in asked for text in model["searched"][place]):
        return True
    is_hash = field == "any" and way >= ANYWHERE and re.fullmatch("[0-9a-f]{6,64}", word) is not None
    return is_hash and _has_hash(model, word)


def _searched(model: Model) -> dict[str, list[str]]:
    """Give all texts that a word is looked for in, by place."""
    texts = [model["description"], *model["trigger_words"], *model["prompts"].values(), *_said(model)]
    names, files = ([one["name"] for one in model["earlier_names"] if one["kind"] == kind] for kind in ("name", "file"))
    return {
        "name": [model["name"]],
        "tags": model["tags"],
        "files": [re.split(r"[/\\]", path)[-1] for path in _paths(model)],
        "texts": [*texts, *told_of(model["header"]).words],
        "earlier": [*names, *files],
        "earlier_names": names,
    }


def _paths(model: Model) -> list[str]:
    return [location["path"] for location in model["locations"]] or ([model["path"]] if model["path"] else [])


def _turned(path: str) -> str:
    """Give a path as paths are compared."""
    return fold(path.replace("\\", "/"))


def _said(model: Model) -> Iterator[str]:
    """Give what the newest sidecar of each kind says."""
    seen = set[str]()
    for said in model["provided"]:  # that which was read last first
        if said["source"] not in seen:
            seen.add(said["source"])
            yield from (said["name"], said["notes"], said["description"], *said["trigger_words"])
            yield from said["prompts"].values()


# Orders -----------------------------------------------------------------------------------------------

_KEYS: dict[str, Callable[[Model], Any]] = {
    "name": lambda model: model["called"],
    "added": lambda model: model["created_at"],
    "size": lambda model: model["size_bytes"],
    "changed": lambda model: model["changed_at"],
    "used": lambda model: model["last_used"] or 0,
}
