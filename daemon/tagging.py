"""Tags: which events make names stand on models and pending models, and the edits of tags themselves."""

import unicodedata
from collections.abc import Callable, Iterable

import apsw

from ..events.catalog import Event, TagCreated, TagDeleted, TagRenamed, TagsMerged
from ..events.record import New
from ..events.writer import Decision
from ..projections import tags
from ..projections.text import tag_key

LONGEST = 200


class BadTag(ValueError):
    """A name that cannot be a tag; the message says why."""


class NoSuchTag(LookupError):
    """There is no tag of this id."""


def clean(name: str) -> str:
    """Give a tag's name as it is kept: trimmed, in NFC. Raises `BadTag` where nothing sensible is left."""
    name = unicodedata.normalize("NFC", name.strip())
    if not name:
        raise BadTag("a tag needs a name")
    if len(name) > LONGEST:
        raise BadTag(f"a tag has at most {LONGEST} characters; this one has {len(name)}")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise BadTag("a tag cannot hold control characters")
    return name


class Tagger:
    """Gives tag ids to names within one decision, making the tags that do not exist yet."""

    def __init__(self, db: apsw.Connection) -> None:
        """Work on the committed tags."""
        self._db = db
        self._last = tags.last_number(db)
        self._made: dict[str, int] = {}
        self.events: list[New] = []

    def ids(self, names: Iterable[str]) -> list[int]:
        """Give the ids of names (cleaned), in order, each once; adds to `events` what makes the new ones."""
        return list(dict.fromkeys(self._id(clean(name)) for name in names))

    def known(self, names: Iterable[str]) -> list[int]:
        """Give the ids of those names (cleaned) that are tags already, in order, each once."""
        found = (tags.find(self._db, clean(name)) for name in names)
        return list(dict.fromkeys(each[0] for each in found if each is not None))

    def _id(self, name: str) -> int:
        found = tags.find(self._db, name)
        if found is not None:
            return found[0]
        key = tag_key(name)
        if key not in self._made:
            self._last += 1
            self._made[key] = self._last
            self.events.append(New(f"tag/{self._last}", TagCreated(self._last, name)))
        return self._made[key]


def replace(
    tagger: Tagger,
    have: Iterable[int],
    names: Iterable[str],
    on: Callable[[int], Event],
    off: Callable[[int], Event],
) -> list[Event]:
    """Give the events that make exactly `names` stand where `have` stands now."""
    have, want = set(have), tagger.ids(names)
    added = [on(tag) for tag in want if tag not in have]
    removed = [off(tag) for tag in sorted(have - set(want))]
    return removed + added


def change(
    tagger: Tagger,
    have: Iterable[int],
    add: Iterable[str],
    remove: Iterable[str],
    on: Callable[[int], Event],
    off: Callable[[int], Event],
) -> list[Event]:
    """Give the events that put some names on and take some off, where `have` stands now; others stay as they are."""
    refuse_both(add, remove)
    have = set(have)
    removed = [off(tag) for tag in tagger.known(remove) if tag in have]
    return removed + [on(tag) for tag in tagger.ids(add) if tag not in have]


def refuse_both(add: Iterable[str], remove: Iterable[str]) -> None:
    """Refuse to put a tag on and to take it off in one go; raises `BadTag`."""
    off = {tag_key(clean(name)) for name in remove}
    for name in add:
        if tag_key(clean(name)) in off:
            raise BadTag(f"the tag {clean(name)!r} is to be put on and to be taken off; say one of both")


def create(db: apsw.Connection, name: str) -> Decision:
    """Make a tag; one that exists already is given as it is. The value is `{id, name}`."""
    tagger = Tagger(db)
    (number,) = tagger.ids([name])
    return Decision(tagger.events, {"id": number, "name": tags.name_of(db, number) or clean(name)})


def rename(db: apsw.Connection, tag: int, name: str) -> Decision:
    """Spell a tag otherwise, everywhere; a name that another tag has merges the two."""
    name = clean(name)
    if tags.name_of(db, tag) is None:
        raise NoSuchTag(f"there is no tag {tag}; list them with GET /api/tags")
    other = tags.find(db, name)
    if other is not None and other[0] != tag:
        return Decision(
            [New(f"tag/{tag}", TagsMerged(tag, other[0]))], {"id": other[0], "name": other[1], "merged": True}
        )
    same = tags.name_of(db, tag) == name
    events = [] if same else [New(f"tag/{tag}", TagRenamed(tag, name))]
    return Decision(events, {"id": tag, "name": name, "merged": False})


def delete(db: apsw.Connection, tag: int) -> Decision:
    """Take a tag off everything."""
    name = tags.name_of(db, tag)
    if name is None:
        raise NoSuchTag(f"there is no tag {tag}; list them with GET /api/tags")
    return Decision([New(f"tag/{tag}", TagDeleted(tag))], {"id": tag, "name": name})
