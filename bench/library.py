"""Libraries to measure on: files, and a log that knows them all, as if each had been imported."""

import hashlib
import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hikaze.daemon import rootcheck, roots
from hikaze.daemon.scan import stat_file
from hikaze.events.catalog import Event, ImageAdded, LocationFound, ModelImported, ModelTagged, RootAdded, TagCreated
from hikaze.events.log import EventLog
from hikaze.events.pathtext import to_text
from hikaze.events.record import New, new_id, now_ms
from hikaze.projections.runner import Views

FILES_A_FOLDER = 50
TAGS = 500
TAGS_EACH = 8
COMMON_TAG, RARE_TAG = 1, 2
RARE = 20  # models that carry the rare tag
TYPE = "loras"
MODEL_ROOT, DROP_ROOT = 1, 2
SMALLEST = 8  # bytes of a safetensors file: with less it counts as a download that goes on

_ADJECTIVES = ("amber", "blue", "calm", "dark", "eager", "frozen", "gentle", "hollow", "iron", "jade", "keen", "lunar")
_NOUNS = ("anime", "castle", "dress", "eyes", "forest", "ghost", "hair", "ink", "jacket", "knight", "lake", "portrait")


@dataclass(frozen=True, slots=True)
class Library:
    """A data folder, the model root and drop folder it knows, and what was put in."""

    data: str
    root: str
    drop: str
    models: int
    events: int

    @property
    def log(self) -> str:
        """The path of the log."""
        return os.path.join(self.data, "log.db")

    @property
    def views(self) -> str:
        """The path of the read tables."""
        return os.path.join(self.data, "views.db")

    def build(self) -> None:
        """Build the read tables, or see that they are built."""
        log = EventLog(self.log)
        try:
            Views(self.views, log).close()
        finally:
            log.close()


def make(folder: str, models: int) -> Library:
    """Make a library in a folder: `models` tiny files in folders of 50, imported, with tags and pictures."""
    data, root, drop = (os.path.join(folder, name) for name in ("data", "models", "drop"))
    for path in (data, root, drop):
        os.mkdir(path, 0o700)
    paths = _make_files(root, models)
    log = EventLog(os.path.join(data, "log.db"), durable=False)
    try:
        for chunk in _chunks(_history(root, drop, paths), 20_000):
            log.begin()
            log.append(chunk, actor="watcher", action=new_id(now_ms()))
            log.commit()
        return Library(data, root, drop, models, log.head)
    finally:
        log.close()


def name_of(number: int) -> str:
    """Give the name of a model."""
    pick = random.Random(number)  # noqa: S311 - the same names in every run
    return f"{pick.choice(_ADJECTIVES)} {pick.choice(_NOUNS)} {pick.choice(_NOUNS)} v{number}"


def some_words(count: int) -> list[str]:
    """Give words to search for: common ones, rare ones, and such as occur nowhere."""
    pick = random.Random(7)  # noqa: S311
    kinds = (lambda: pick.choice(_NOUNS), lambda: f"v{pick.randrange(100_000)}", lambda: f"{pick.choice(_NOUNS)}zz")
    return [pick.choice(kinds)() for _ in range(count)]


def small_safetensors(number: int) -> bytes:
    """Give a whole safetensors file of one tensor; another number gives another content.

    Format: https://huggingface.co/docs/safetensors/index#format.
    """
    header = {
        "__metadata__": {"number": str(number)},
        "a": {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]},
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(256)


def put_file(folder: str, name: str, number: int) -> str:
    """Write a small safetensors file into a folder; gives its path."""
    path = os.path.join(folder, f"{name}.safetensors")
    with open(path, "wb") as file:
        file.write(small_safetensors(number))
    return path


def _make_files(root: str, models: int) -> list[str]:
    paths: list[str] = []
    for number in range(models):
        folder = os.path.join(root, f"{number // FILES_A_FOLDER:05}")
        if number % FILES_A_FOLDER == 0:
            os.mkdir(folder)
        path = os.path.join(folder, f"{name_of(number).replace(' ', '_')}.safetensors")
        with open(path, "wb") as file:
            file.write(bytes(SMALLEST + number % 100))
        paths.append(path)
    return paths


def _history(root: str, drop: str, paths: Sequence[str]) -> Iterator[New]:
    for number, path, kind in ((MODEL_ROOT, root, "model"), (DROP_ROOT, drop, "pending")):
        stream, type_ = f"root/{number}", TYPE if kind == "model" else None
        yield New(stream, RootAdded(number, to_text(path), "model" if kind == "model" else "pending", type_))
        identity = rootcheck.identify(path)
        assert identity is not None
        yield from roots.comes_online(number, identity).events
    for tag in range(1, TAGS + 1):
        yield New(f"tag/{tag}", TagCreated(tag, f"tag {tag}"))
    for number, path in enumerate(paths):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        seen = stat_file(path)
        assert seen is not None
        found: list[Event] = [ModelImported(sha256, name_of(number), TYPE, seen.size)]
        found += [ModelTagged(sha256, tag) for tag in _tags_of(number, len(paths))]
        if number % 4:
            found.append(ImageAdded(sha256, 0, "PNG", 1024, 1536))
        yield from (New(f"model/{sha256}", event) for event in found)
        yield New(f"files/{sha256}", LocationFound(sha256, roots.as_file(seen, MODEL_ROOT)))


def _tags_of(number: int, models: int) -> list[int]:
    """Every other model has the common tag, a few the rare one."""
    pick = random.Random(number)  # noqa: S311
    tags = pick.sample(range(3, TAGS + 1), TAGS_EACH)
    if number % 2:
        tags[0] = COMMON_TAG
    if number % max(1, models // RARE) == 0:
        tags[1] = RARE_TAG
    return tags


def _chunks(events: Iterator[New], size: int) -> Iterator[list[New]]:
    chunk: list[New] = []
    for event in events:
        chunk.append(event)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
