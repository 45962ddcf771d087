"""A library to search in: models with texts, a million links to three thousand tags, and queries as people may ask."""

import hashlib
import os
import random
from collections.abc import Iterator
from functools import cache

from hikaze.daemon import rootcheck, roots
from hikaze.daemon.content.study import RULES
from hikaze.daemon.scan import stat_file
from hikaze.events.catalog import (
    Changes,
    Event,
    ImageAdded,
    LocationFound,
    ModelEdited,
    ModelImported,
    ModelTagged,
    Prompts,
    RootAdded,
    TagCreated,
    Texts,
)
from hikaze.events.log import EventLog
from hikaze.events.pathtext import to_text
from hikaze.events.record import New, new_id, now_ms

from .library import DROP_ROOT, FILES_A_FOLDER, MODEL_ROOT, SMALLEST, TYPE, Library

TAGS = 3_000
TAGS_EACH = 10
VOCABULARY = 20_000
TYPES = (TYPE, TYPE, TYPE, "checkpoints", "embeddings", "vae", "controlnet")
_LETTERS = "eeeeaaaiiooottnnssrrhlldcumfpgwybvkxjqz"
_CHUNK = 20_000
_STUDIED = {"rules": RULES}  # so that the daemon does not read all headers meanwhile


@cache
def vocabulary() -> list[str]:
    """Give words, the commonest first; the same in every run."""
    pick = random.Random(1)  # noqa: S311
    return ["".join(pick.choice(_LETTERS) for _ in range(pick.randint(3, 10))) for _ in range(VOCABULARY)]


@cache
def _weights(count: int) -> list[float]:
    total, found = 0.0, list[float]()
    for rank in range(1, count + 1):
        total += 1 / rank**0.8
        found.append(total)
    return found


def _some(pick: random.Random, count: int) -> list[str]:
    return pick.choices(vocabulary(), cum_weights=_weights(VOCABULARY), k=count)


def name_of(number: int) -> str:
    """Give the name of a model."""
    pick = random.Random(number)  # noqa: S311
    return f"{' '.join(_some(pick, 3)).title()} v{number % 40}"


def texts_of(number: int) -> Texts:
    """Give the texts of a model, some 150 letters."""
    pick = random.Random(-number - 1)  # noqa: S311
    return Texts(
        " ".join(_some(pick, 12)), prompts=Prompts(", ".join(_some(pick, 6))), trigger_words=tuple(_some(pick, 2))
    )


def tag_name(tag: int) -> str:
    """Give the name of a tag."""
    return f"{vocabulary()[tag]} {tag}" if tag % 3 else f"{vocabulary()[tag]}{tag}"


def make(folder: str, models: int) -> Library:
    """Make the library in a folder: each model with a tiny file, texts and ten tags."""
    data, root, drop = (os.path.join(folder, name) for name in ("data", "models", "drop"))
    for path in (data, root, drop):
        os.mkdir(path, 0o700)
    log = EventLog(os.path.join(data, "log.db"), durable=False)
    try:
        chunk: list[New] = []
        for new in _history(root, drop, models):
            chunk.append(new)
            if len(chunk) == _CHUNK:
                _append(log, chunk)
                chunk = []
        _append(log, chunk)
        return Library(data, root, drop, models, log.head)
    finally:
        log.close()


def _append(log: EventLog, chunk: list[New]) -> None:
    log.begin()
    log.append(chunk, actor="watcher", action=new_id(now_ms()))
    log.commit()


def _history(root: str, drop: str, models: int) -> Iterator[New]:
    for number, path in ((MODEL_ROOT, root), (DROP_ROOT, drop)):
        kind = "model" if number == MODEL_ROOT else "pending"
        yield New(f"root/{number}", RootAdded(number, to_text(path), kind, TYPE if kind == "model" else None))
        identity = rootcheck.identify(path)
        assert identity is not None
        yield from roots.comes_online(number, identity).events
    for tag in range(1, TAGS + 1):
        yield New(f"tag/{tag}", TagCreated(tag, tag_name(tag)))
    now = now_ms()
    for number in range(models):
        yield from _model(root, number, now - (models - number) * 300_000)


def _model(root: str, number: int, born: int) -> Iterator[New]:
    pick = random.Random(number)  # noqa: S311
    sha256, name = hashlib.sha256(str(number).encode()).hexdigest(), name_of(number)
    path = _put(root, number, name)
    seen = stat_file(path)
    assert seen is not None
    type_ = TYPES[number % len(TYPES)]
    tags = dict.fromkeys(pick.choices(range(1, TAGS + 1), cum_weights=_weights(TAGS), k=TAGS_EACH + 5))
    found: list[Event] = [ModelImported(sha256, name, type_, seen.size, texts_of(number), _STUDIED, created_at=born)]
    found += [ModelTagged(sha256, tag) for tag in list(tags)[:TAGS_EACH]] if number % 50 else []
    if number % 4:
        found.append(ImageAdded(sha256, 0, "PNG", 1024, 1536))
    if number % 30 == 0:
        found.append(ModelEdited(sha256, Changes(name=f"{name} renamed", favorite=True)))
    yield from (New(f"model/{sha256}", event) for event in found)
    yield New(f"files/{sha256}", LocationFound(sha256, roots.as_file(seen, MODEL_ROOT)))


def _put(root: str, number: int, name: str) -> str:
    folder = os.path.join(root, vocabulary()[number // FILES_A_FOLDER])
    if number % FILES_A_FOLDER == 0:
        os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{name.replace(' ', '_')}_{number}.safetensors")
    with open(path, "wb") as file:
        file.write(bytes(SMALLEST + number % 100))
    return path


# Queries ----------------------------------------------------------------------------------------------

SORTS = ("", "", "", "best", "name", "-added", "size", "-changed")


def query(pick: random.Random, models: int) -> tuple[str, str]:
    """Give a random query, and the order to ask for ("" for none)."""
    text = " ".join(_term(pick, models) for _ in range(pick.choice((1, 1, 1, 2, 2, 3))))
    if pick.random() < 0.1:
        text = f"{text} OR {_term(pick, models)}"
    if pick.random() < 0.05:
        text = f"({_word(pick, models)} OR {_word(pick, models)}) {_field(pick, models)}"
    return text, pick.choice(SORTS)


def _term(pick: random.Random, models: int) -> str:
    kind = pick.random()
    if kind < 0.6:
        return _word(pick, models)
    if kind < 0.65:
        return f'"{_words(pick, models, 2)}"'
    if kind < 0.7:
        return f"-{_word(pick, models)}"
    return _field(pick, models)


def _word(pick: random.Random, models: int) -> str:
    """A piece of 1 to 12 letters out of a model's name or texts."""
    words = _words(pick, models, 1)
    size = pick.randint(1, 12)
    at = pick.randrange(max(1, len(words) - size + 1))
    return words[at : at + size]


def _words(pick: random.Random, models: int, count: int) -> str:
    number = pick.randrange(models)
    text = name_of(number) if pick.random() < 0.4 else texts_of(number).description
    words = text.split()
    at = pick.randrange(max(1, len(words) - count + 1))
    return " ".join(words[at : at + count]).lower()


def _field(pick: random.Random, models: int) -> str:
    number = pick.randrange(models)
    tag = pick.choices(range(1, TAGS + 1), cum_weights=_weights(TAGS))[0]
    return pick.choice(
        (
            f'tag:"{tag_name(tag)}"',
            f'-tag:"{tag_name(tag)}"',
            f"tag:{vocabulary()[tag][:2]}*",
            f"type:{pick.choice(TYPES)}",
            f"size:>{pick.randrange(110)}",
            f"size:<{pick.randrange(1, 110)}",
            f"added:<{pick.randrange(1, 365)}d",
            f"is:{pick.choice(('missing', 'offline', 'present', 'duplicate', 'untagged', 'favorite'))}",
            f"path:{vocabulary()[number // FILES_A_FOLDER][:4]}",
            f"hash:{hashlib.sha256(str(number).encode()).hexdigest()[:8]}",
            f"-is:{pick.choice(('missing', 'untagged', 'favorite'))}",
        )
    )
