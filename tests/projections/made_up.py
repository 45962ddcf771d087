"""Libraries and queries made up at random, in all scripts: what the search must find the same as the oracle does."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    LocationClaimed,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationReplaced,
    ModelEdited,
    ModelHashed,
    ModelHeaderRead,
    ModelImported,
    ModelProvided,
    ModelTagged,
    ModelUntagged,
    ModelUsed,
    PendingFound,
    PendingImported,
    PendingRecognised,
    Prompts,
    Provided,
    RootAdded,
    RootCameOnline,
    RootRemoved,
    RootWentOffline,
    Sidecar,
    TagCreated,
    TagDeleted,
    TagRenamed,
    TagsMerged,
    Texts,
)
from hikaze.projections.parts import (
    STATES,
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
from hikaze.projections.parts import (
    Any as AnyOf,
)
from hikaze.projections.text import fold, tag_key

NOW = 1_790_000_000_000
DAY = 86_400_000
_WRITTEN = (
    "anime Anime ANIME café Cafe\u0301 naïve Ångström straße STRASSE Søren Łódź Œuvre İstanbul ß a x XL v1.5 v2 2b 50%"
    " a+b foo_bar snake_case it's (v2) [red] x\"y C# <lora:ab:1> re:zero http://x.y 12:30 -minus * _ \\ ab abc abcd bcd"
    " cab aab Дракон ДРАКОН ёлка Май й λόγος Ἀθήνα ΣΊΣΥΦΟΣ 水墨画 猫 東京 とうきょう カタカナ ｶﾀｶﾅ"
    " \uff37\uff29\uff24\uff25 한국어 가 각 ภาษาไทย น้ำ हिन्दी 🐉 👩\u200d🎨 ❤\ufe0f 🇯🇵 שלום עולם مرحبا مَرحَبا"
    " \ufb01ne ½ № ﷺ sdxl flux pony detail style portrait landscape"
)
WORDS = tuple(_WRITTEN.split())
TYPES = ("loras", "checkpoints", "vae", "text_encoders")
TAGS = 24
ROOTS = 3


@dataclass
class World:
    """How many models there are, and which lies where."""

    models: int = 0
    paths: dict[str, str] = field(default_factory=dict[str, str])


def seeded(seed: int) -> Random:
    """Give what makes up the same each time."""
    return Random(seed)  # noqa: S311


def library(pick: Random, world: World, models: int) -> Iterator[Event]:
    """Give the history of a library with so many models, and of much that befell them."""
    for root in range(1, ROOTS + 1):
        yield RootAdded(root, f"/m{root}", "model", "loras")
        yield RootCameOnline(root, root, root)
    names = _tag_names(pick)
    yield from (TagCreated(tag, name) for tag, name in enumerate(names, 1))
    for _ in range(models):
        yield from _model(pick, world)
    for _ in range(models):
        yield from happens(pick, world)
    for root in range(1, ROOTS + 1):
        yield RootCameOnline(root, root, root)
    yield RootWentOffline(2, "absent")
    if pick.random() < 0.3:
        yield RootRemoved(3)


def sha_of(number: int) -> str:
    """Give the hash of a made-up model."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def autov3_of(number: int) -> str:
    """Give an AutoV3 that several models may have."""
    return hashlib.sha256(f"tensors {number}".encode()).hexdigest()


def _some(pick: Random, most: int, between: str = " ") -> str:
    return between.join(pick.choices(WORDS, k=pick.randint(1, most)))


def _tag_names(pick: Random) -> list[str]:
    names: dict[str, str] = {}
    while len(names) < TAGS:
        name = _some(pick, 2)
        names.setdefault(tag_key(name), name)
    return list(names.values())


def _texts(pick: Random) -> Texts:
    description = _some(pick, 12) if pick.random() < 0.6 else ""
    if pick.random() < 0.1:
        description = _some(pick, 150, "\n")
    triggers = tuple(_some(pick, 2) for _ in range(pick.choice((0, 0, 1, 3))))
    return Texts(description, "", Prompts(_some(pick, 6) if pick.random() < 0.3 else ""), triggers)


def _model(pick: Random, world: World) -> Iterator[Event]:
    number, world.models = world.models, world.models + 1
    model = sha_of(number)
    size = pick.choice((0, 1, 10, 1024, 1024**2, 5 * 1024**2, 2 * 1024**3, pick.randrange(2**33)))
    born = NOW - pick.choice((0, 1, DAY, 30 * DAY, 400 * DAY, pick.randrange(900 * DAY)))
    header = _header(pick) if pick.random() < 0.2 else {}
    yield ModelImported(model, _some(pick, 3), pick.choice(TYPES), size, _texts(pick), header, created_at=born)
    for _ in range(pick.choice((0, 1, 1, 1, 2))):
        yield _found(pick, model, world.paths)
    yield from (ModelTagged(model, tag) for tag in pick.sample(range(1, TAGS + 1), pick.choice((0, 1, 2, 5))))
    if pick.random() < 0.15:
        yield _sidecar(pick, model)
    if pick.random() < 0.3:
        yield ModelUsed(model, pick.randint(1, 9), NOW - pick.randrange(900 * DAY))
    if pick.random() < 0.2:
        yield ModelHashed(model, {"autov1": sha_of(number)[:8][::-1], "autov3": autov3_of(pick.randrange(50))})


def _header(pick: Random) -> dict[str, Any]:
    told = {"tags": [], "trigger_words": [_some(pick, 2)], "description": _some(pick, 4)}
    facts = {"base_model": "SDXL", "trained_words": [{"word": _some(pick, 1), "count": 3}]}
    return {"format": "safetensors", "metadata": {}, "rules": 1, "facts": facts, "told": told}


def _file(pick: Random) -> File:
    root = pick.randint(1, ROOTS)
    name = _some(pick, 2, pick.choice((" ", "_", "-"))).replace("/", "").replace("\\", "")
    folder = pick.choice(("", "flux/", "flux/стили/", "猫/"))
    path = f"/m{root}/{folder}{name}{pick.randrange(10**6)}.safetensors"
    ino = pick.randrange(10) if pick.random() < 0.4 else pick.randrange(10**9)  # of some the same: hard links
    return File(path, root, 10, pick.choice((ino, ino, 7)), pick.randint(1, 2), ino)


def _found(pick: Random, model: str, paths: dict[str, str]) -> Event:
    file = _file(pick)
    paths[file.path] = model
    return LocationClaimed(model, file) if pick.random() < 0.1 else LocationFound(model, file)


def _sidecar(pick: Random, model: str) -> Event:
    source = pick.choice(("civitai-info", "lora-manager", "a1111"))
    said = Provided(
        name=_some(pick, 2),
        notes=_some(pick, 5) if pick.random() < 0.5 else "",
        description=_some(pick, 8) if pick.random() < 0.5 else "",
        trigger_words=(_some(pick, 1),) if pick.random() < 0.5 else (),
        favorite=pick.random() < 0.1,
        facts={"autov3": autov3_of(pick.randrange(50))[:12]} if pick.random() < 0.3 else {},
    )
    return ModelProvided(model, Sidecar(f"/m1/{source}{pick.randrange(3)}.json", source, 1, 1), said)


def happens(pick: Random, world: World) -> Iterator[Event]:
    """Give something that befalls a library."""
    model, paths = sha_of(pick.randrange(world.models)), world.paths
    tag = pick.randint(1, TAGS)
    match pick.randrange(18):
        case 0 | 1:
            yield ModelEdited(model, Changes(name=_some(pick, 3)))
        case 2:
            yield ModelEdited(model, Changes(description=_some(pick, 6)))
        case 3:
            yield ModelEdited(model, Changes(favorite=pick.random() < 0.7))
        case 4:
            yield ModelEdited(model, Changes(trigger_words=(_some(pick, 1),), type=pick.choice(TYPES)))
        case 5:
            yield ModelTagged(model, tag)
        case 6:
            yield ModelUntagged(model, tag)
        case 7:
            yield _found(pick, model, world.paths)
        case 8 | 9 if paths:
            yield _moves(pick, paths)
        case 10 if paths:
            path = pick.choice(sorted(paths))
            yield pick.choice((LocationLost, LocationReplaced))(paths.pop(path), path)
        case 11:
            yield _sidecar(pick, model)
            yield from _waits(pick, model)
        case 12:
            yield ModelHeaderRead(model, _header(pick))
        case 13 if pick.random() < 0.1:
            yield pick.choice(
                (TagRenamed(tag, _some(pick, 3)), TagsMerged(tag, pick.randint(1, TAGS)), TagDeleted(tag))
            )
        case 14:
            away = pick.randint(1, ROOTS)
            yield RootWentOffline(away, "absent") if pick.random() < 0.5 else RootCameOnline(away, away, away)
        case 15:
            yield from _model(pick, world)
        case 16 if paths:  # its file takes the place of another's
            path = pick.choice(sorted(paths))
            paths[path] = model
            yield LocationFound(model, msgspec.structs.replace(_file(pick), path=path))
        case 17:
            yield ModelUsed(model, 1, NOW - pick.randrange(9 * DAY))
        case _:
            yield ModelTagged(model, tag)


def _waits(pick: Random, model: str) -> Iterator[Event]:
    """Give a copy of a model that waits to be imported, or does no more."""
    number = pick.randrange(10**9)
    yield PendingFound(number, _file(pick), "copy", "loras", in_place=False)
    yield PendingRecognised(number, model)
    if pick.random() < 0.3:
        yield PendingImported(number, model, "merged")


def _moves(pick: Random, paths: dict[str, str]) -> Event:
    came_from = pick.choice(sorted(paths))
    model, file = paths.pop(came_from), _file(pick)
    paths[file.path] = model
    return LocationMoved(model, came_from, file)


# Queries ----------------------------------------------------------------------------------------------


def query(pick: Random, models: int, depth: int = 0) -> Part:
    """Give a query as somebody may ask, or a stranger one."""
    kind = pick.random()
    if depth < 3 and kind < 0.25:
        return All(tuple(query(pick, models, depth + 1) for _ in range(pick.randint(2, 3))))
    if depth < 3 and kind < 0.4:
        return AnyOf(tuple(query(pick, models, depth + 1) for _ in range(pick.randint(2, 3))))
    if depth < 3 and kind < 0.5:
        return Not(query(pick, models, depth + 1))
    return _term(pick, models)


def _term(pick: Random, models: int) -> Part:
    match pick.randrange(16):
        case 0:
            return Tagged(_some(pick, 1))
        case 1:
            return Tagged(_piece(pick, _some(pick, 1)), "prefix")
        case 2:
            return Tagged(_some(pick, 1), "exact")
        case 3:
            return Typed(pick.choice((*TYPES, "nowhere")))
        case 4:
            least = pick.choice((0, 1, 1000, 1024**2, pick.randrange(2**32)))
            return Sized(least, least + pick.choice((0, 100, 2**30, 2**62)))
        case 5:
            since = NOW - pick.randrange(900 * DAY)
            between = pick.choice((Added, Used))
            return between(since, since + pick.choice((0, DAY, 100 * DAY, 2000 * DAY)))
        case 6 | 7:
            return Is(pick.choice(STATES))  # type: ignore[arg-type]
        case 8:
            if pick.random() < 0.3:
                return Hashed(autov3_of(pick.randrange(50))[: pick.choice((4, 12, 20, 64))])
            return Hashed(sha_of(pick.randrange(2 * models))[: pick.randint(4, 12)])
        case 9:
            return Path(_worded(pick, pick.choice(("flux", "/m1/", "стили", "flux/", *WORDS))).replace("\\", "/"))
        case 10:
            return Word(_worded(pick, _some(pick, 1)), "name")
        case 11:
            return Word(sha_of(pick.randrange(models))[: pick.randint(5, 8)])
        case _:
            return Word(_worded(pick, _some(pick, 2)))


def _worded(pick: Random, text: str) -> str:
    """Give a part of a text that is not only marks, perhaps in another case or without its accents."""
    piece = _piece(pick, text) if pick.random() < 0.6 else text
    piece = pick.choice((piece, piece.upper(), piece.lower(), fold(piece)))
    return piece if fold(piece).strip() else "a"


def _piece(pick: Random, text: str) -> str:
    begin = pick.randrange(len(text))
    return text[begin : begin + pick.choice((1, 1, 2, 2, 3, 4, 6))]
