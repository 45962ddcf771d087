"""What was promised to the user is held against the library: every acknowledged change is there, done once.

What the log's events mean for words, tags and pictures is written down once more here, from the docstrings of the
catalogue and the rules of conflicts in `design.md`, and not taken from the read tables' own code.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .truth import Tables, as_json

Json = Any


@dataclass
class Asked:
    """A change that the user asked for; `status` is None where no answer came."""

    number: int
    do: str
    subject: Json
    value: Json
    status: int | None = None
    answer: Json = None

    @property
    def promised(self) -> bool:
        """Whether it was answered as done."""
        return self.status in (200, 202)


def asked(journal: Path) -> list[Asked]:
    """Read the user's journal; its last line may be cut short."""
    found: dict[int, Asked] = {}
    for line in journal.read_text().splitlines() if journal.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        number = entry["n"]
        if "do" in entry:
            found[number] = Asked(number, entry["do"], entry["subject"], entry["value"])
        else:
            found[number].status, found[number].answer = entry["status"], entry["answer"]
    return list(found.values())


# What the log tells -----------------------------------------------------------------------------------


@dataclass
class Words:
    """What is written about one thing, by the log."""

    texts: dict[str, Json] = field(default_factory=dict[str, Json])
    tags: set[int] = field(default_factory=set[int])

    def copy(self) -> "Words":
        """Give them as they are now."""
        return Words(dict(self.texts), set(self.tags))


@dataclass
class Told:
    """What follows from all events of a log."""

    models: dict[str, Words] = field(default_factory=dict[str, Words])
    pending: dict[int, Words] = field(default_factory=dict[int, Words])
    tags: dict[int, str] = field(default_factory=dict[int, str])
    pictures: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    imported: dict[int, tuple[str, str, Words, Words]] = field(default_factory=dict[int, Any])
    """Of each pending model that was imported: status, model, its words then, and those of the model after that."""
    dismissed: set[int] = field(default_factory=set[int])
    known: set[int] = field(default_factory=set[int])
    texts_at: dict[int, Json] = field(default_factory=dict[int, Json])
    """The changes of each edit, by its position."""
    duplicates: list[str] = field(default_factory=list[str])


def told(events: Sequence[Json]) -> Told:
    """Follow all events of a log, given as the API gives them, from the first."""
    story = Told()
    ends: Counter[int] = Counter()
    for number, event in enumerate(events, 1):
        if event["position"] != number:
            story.duplicates.append(f"the log has position {event['position']} where {number} belongs")
        _follow(story, event, ends)
    story.duplicates += [f"pending model {one} was imported {n} times" for one, n in ends.items() if n > 1]
    return story


def _follow(story: Told, event: Json, ends: Counter[int]) -> None:
    data, kind = event["data"], event["type"]
    match kind:
        case "tag-created" | "tag-renamed":
            story.tags[data["tag"]] = data["name"]
        case "pending-found":
            if data["pending"] in story.known:
                story.duplicates.append(f"pending model {data['pending']} was found twice")
            story.known.add(data["pending"])
            story.pending[data["pending"]] = Words()
        case "pending-edited":
            story.pending[data["pending"]].texts.update(data["changes"])
            story.texts_at[event["position"]] = data["changes"]
        case "pending-tagged":
            story.pending[data["pending"]].tags.add(data["tag"])
        case "pending-untagged":
            story.pending[data["pending"]].tags.discard(data["tag"])
        case "pending-dismissed":
            story.dismissed.add(data["pending"])
        case "model-imported":
            words = story.models.setdefault(data["model"], Words())
            words.texts = dict(data.get("texts", {}))
        case "model-edited":
            story.models[data["model"]].texts.update(data["changes"])
            story.texts_at[event["position"]] = data["changes"]
        case "model-tagged":
            story.models[data["model"]].tags.add(data["tag"])
        case "model-untagged":
            story.models[data["model"]].tags.discard(data["tag"])
        case "image-added":
            picture = (data["model"], data["seq"])
            if picture in story.pictures:
                story.duplicates.append(f"picture {picture} was given twice")
            story.pictures.add(picture)
        case "image-removed":
            story.pictures.discard((data["model"], data["seq"]))  # its number stays used, which `next_seq` tells
        case "pending-imported":
            if data["status"] != "ignored":
                ends[data["pending"]] += 1
                model = story.models.get(data["model"], Words())
                before = story.pending.get(data["pending"], Words())
                story.imported[data["pending"]] = data["status"], data["model"], before.copy(), model.copy()
        case _:
            pass


# What must hold ---------------------------------------------------------------------------------------


@dataclass
class Ledger:
    """The promises, and all that they are held against; the pictures are told by the number that they show."""

    changes: Sequence[Asked]
    events: Sequence[Json]
    story: Told
    tables: Tables
    picture_of: Callable[[str, int], int | None]
    picture_of_pending: Callable[[int], int | None]

    def lost(self) -> Iterator[str]:
        """Give each acknowledged change that is not there."""
        for change in self.changes:
            if not change.promised or not isinstance(change.answer, dict):
                continue
            position = change.answer.get("position")
            if position is not None and not 0 <= position <= len(self.events):
                yield f"{change}: there is no event {position}"
                continue
            why = self._why_lost(change)
            if why is not None:
                yield f"{change.do} {change.value!r} of {change.subject!r} (request {change.number}): {why}"

    def apart(self) -> Iterator[str]:
        """Give what the log has that the user never wrote, and where the tables are not what the log tells."""
        yield from self._changed_by_nobody()
        yield from self._words_apart()
        for sha256 in self.story.models.keys() - self.tables.models.keys():
            yield f"model {sha256} is in the log, and not in the tables"
        shown = {(sha256, seq) for sha256, numbers in self.tables.images.items() for seq in numbers}
        if shown != self.story.pictures:
            yield f"the pictures {sorted(shown ^ self.story.pictures)} are only in one of log and tables"

    # One promise

    def _why_lost(self, change: Asked) -> str | None:
        subject = change.subject
        match change.do:
            case "model-text":
                return None if self._was_written(change) else "the log has no such edit"
            case "model-tag":
                return self._tag_of_model(subject, change.value)
            case "pending-text":
                return self._words_of_pending(subject) if self._was_written(change) else "the log has no such edit"
            case "pending-tag":
                return self._tag_of_pending(subject, change.value)
            case "model-picture":
                return self._picture_of_model(change)
            case "pending-picture":
                return self._picture_of_pending(change)
            case "import" if change.answer.get("status") in ("imported", "merged", "overridden"):
                gone = change.answer["sha256"] not in self.tables.models
                return "the model is gone" if gone else None if subject in self.story.imported else "it is not imported"
            case "dismiss":
                return None if subject in self.story.dismissed else "the log does not tell of it"
            case _:
                return None

    def _was_written(self, change: Asked) -> bool:
        position = change.answer["position"]
        return any(_holds(self.story.texts_at.get(at, {}), change.value) for at in range(position - 3, position + 1))

    def _tag_of_model(self, sha256: str, name: str) -> str | None:
        if name in self.tables.model_tags.get(sha256, ()):
            return None
        if any(status == "overridden" and model == sha256 for status, model, _, _ in self.story.imported.values()):
            return None  # an override put its tags in the place of the old ones
        return "the model has lost the tag"

    def _is_listed(self, number: int) -> bool:
        return any(one.id == number for one in self.tables.pending)

    def _ended(self, number: int) -> str | None:
        """Tell what is wrong with the end of a pending model that somebody wrote to; None where it was meant."""
        if number in self.story.dismissed:
            return None
        where = next((one for one in self.tables.away if one.id == number), None)
        return f"the pending model is gone from the list, though somebody wrote to it: {where}"

    def _words_of_pending(self, number: int) -> str | None:
        if self._is_listed(number):
            return None  # that its texts are those of the log is seen to for all
        if number not in self.story.imported:
            return self._ended(number)
        status, _, mine, after = self.story.imported[number]
        if status == "deleted":
            return None
        for name, text in mine.texts.items():
            if name in ("name", "type") or not _is_filled(text):
                continue
            got = after.texts.get(name)
            if not _is_filled(got) or (status != "merged" and not _holds({name: got}, {name: text})):
                return f"{status}, and {name} {text!r} did not come along (there is {got!r})"
        return None

    def _tag_of_pending(self, number: int, name: str) -> str | None:
        if self._is_listed(number):
            return None if name in self.tables.pending_tags.get(number, ()) else "the pending model has lost the tag"
        if number not in self.story.imported:
            return self._ended(number)
        status, _, mine, after = self.story.imported[number]
        if status == "deleted" or mine.tags <= after.tags:
            return None
        return f"{status}, and the tags {sorted(mine.tags - after.tags)} did not come along"

    def _picture_of_model(self, change: Asked) -> str | None:
        seq = change.answer["seq"]
        if (change.subject, seq) not in self.story.pictures:
            return None if self._was_removed(change.subject, seq) else "the model has no such picture"
        shows = self.picture_of(change.subject, seq)
        return None if shows == change.value else f"picture {seq} shows {shows}"

    def _was_removed(self, sha256: str, seq: int) -> bool:
        return any((one.do, one.subject, one.value) == ("remove-picture", sha256, seq) for one in self.changes)

    def _picture_of_pending(self, change: Asked) -> str | None:
        number = change.subject
        if self._is_listed(number):
            shows = self.picture_of_pending(number)
            return None if shows == change.value else f"the picture of the pending model shows {shows}"
        if number not in self.story.imported:
            return self._ended(number)
        status, model, _, _ = self.story.imported[number]
        if status == "deleted":
            return None
        came = [seq for seq in self._came_along(number, model) if not self._was_removed(model, seq)]
        if not came and self._came_along(number, model):
            return None
        shows = [self.picture_of(model, seq) for seq in came]
        return None if change.value in shows else f"{status}, and the pictures that came along show {shows}"

    def _came_along(self, number: int, model: str) -> list[int]:
        """Give the pictures that an import brought to a model: those of the same action, just before its end."""
        end = next(
            at for at, event in enumerate(self.events)
            if event["type"] == "pending-imported" and event["data"]["pending"] == number
        )  # fmt: skip
        came: list[int] = []
        for event in reversed(self.events[max(0, end - 40) : end]):
            if event["action"] != self.events[end]["action"] or event["type"] == "pending-imported":
                break
            if event["type"] == "image-added" and event["data"]["model"] == model:
                came.append(event["data"]["seq"])
        return came

    # The whole

    def _changed_by_nobody(self) -> Iterator[str]:
        """Give the texts in the log that the user never wrote: only an import may carry one from place to place."""
        texts = (change.value.values() for change in self.changes if change.do.endswith("-text"))
        written = {text for values in texts for text in values if isinstance(text, str)}
        for position, fields in self.story.texts_at.items():
            for name, text in fields.items():
                if name in ("description", "community_links") and text and text not in written:
                    yield f"event {position} changes {name} to {text!r}, which nobody wrote"

    def _words_apart(self) -> Iterator[str]:
        story, tables = self.story, self.tables
        rows: list[tuple[Json, Words | None, Json, frozenset[str]]] = [
            (sha256, story.models.get(sha256), as_json(texts), tables.model_tags.get(sha256, frozenset()))
            for sha256, texts in tables.models.items()
        ]
        rows += [
            (number, story.pending.get(number), as_json(texts), tables.pending_tags.get(number, frozenset()))
            for number, texts in tables.texts.items()
        ]
        for key, words, texts, tags in rows:
            if words is None:
                yield f"{key} is in the tables, and not in the log"
                continue
            if not _holds(texts, {name: text for name, text in words.texts.items() if name in texts}):
                yield f"the texts of {key} are {texts}, and the log tells {words.texts}"
            wanted = {story.tags[tag] for tag in words.tags}
            if tags != wanted:
                yield f"the tags of {key} are {sorted(tags)}, and the log tells {sorted(wanted)}"


def _holds(whole: Mapping[str, Json], part: Mapping[str, Json]) -> bool:
    """Tell whether a value holds what is in another, empty texts aside: those are left out of events."""
    return all(
        _holds(whole.get(key, {}), value) if isinstance(value, dict) else (whole.get(key) or "") == value
        for key, value in part.items()
    )


def _is_filled(text: Json) -> bool:
    return any(text.values()) if isinstance(text, dict) else bool(text)
