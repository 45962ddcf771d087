"""The judge of a story: compares what the library says with what is true, once all has come to rest."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hikaze.events.log import EventLog
from hikaze.events.pathtext import to_path
from hikaze.projections import images, models, pending, tags
from hikaze.projections.runner import Views, dump, reader
from PIL import Image

from .life import Life
from .simdisk import Found
from .simulation import QUEUE, Divergence, World
from .words import Book, Deed, Written, book_of

TIERS = ("high", "medium", "low")


def judge(world: World) -> None:
    """Compare all that the library says with the disk and with what people did. Raises `Divergence`."""
    life = world.up
    _gapless(world, life)
    book = book_of([*world.deeds, *_completed(world, life)])
    _no_path_twice(life)
    known = set(models_of(life))
    for name, path in world.disk.roots.items():
        if _is_online(life, name, path):
            _compare_root(life, world.disk.truth(name), path, known, book)
    _compare_words(life, book)
    _compare_pictures(life, book)


def models_of(life: Life) -> list[str]:
    """Give the hashes of all models."""
    return [row[0] for row in life.library.db.execute("SELECT sha256 FROM models ORDER BY sha256")]


def judge_log(data: str) -> None:
    """Compare the read tables of a library that is closed with a replay of its log. Raises `Divergence`."""
    log = EventLog(os.path.join(data, "log.db"), host=b"h" * 16)
    replay = Views(":memory:", log)
    db = reader(os.path.join(data, "views.db"))
    ours, theirs = dump(replay.db), dump(db)
    db.close()
    replay.close()
    log.close()
    for table in ours.keys() | theirs.keys():
        if ours.get(table) != theirs.get(table):
            raise Divergence("divergence", f"{table}: a replay gives {ours.get(table)}, there is {theirs.get(table)}")


def _gapless(world: World, life: Life) -> None:
    positions = [event["position"] for event in world.events(life)]
    if positions != list(range(1, len(positions) + 1)):
        raise Divergence("lost", f"the log has gaps: {positions}")


def _completed(world: World, life: Life) -> Iterator[Deed]:
    """Give the imports that the log says were completed; what one writes it writes together."""
    added: dict[str, int] = {}
    for event in world.events(life):
        if event["actor"] == QUEUE and event["type"] == "image-added":
            added[event["action"]] = event["data"]["seq"]
        if event["type"] == "import-completed":
            data = event["data"]
            what = {"pending": data["pending"], "model": data["model"], "status": data["status"]}
            yield Deed(event["position"], "complete", what | {"added": added.pop(event["action"], None)})


# Files


def _no_path_twice(life: Life) -> None:
    rows = life.library.db.execute(
        "SELECT path FROM locations UNION ALL SELECT path FROM pending_import WHERE state = 'waiting'"
        " UNION ALL SELECT path FROM pending_away WHERE state = 'hidden'"
    )
    for path, count in Counter(row[0] for row in rows).items():
        if count > 1:
            raise Divergence("duplicate", f"{path!r} stands in the tables {count} times")


def _is_online(life: Life, name: str, path: str) -> bool:
    """Tell whether the library says that a root is here, which it must where its own folder is."""
    row: Any = life.library.db.execute(
        "SELECT offline, why, ino FROM roots WHERE path = ? AND NOT removed", (path,)
    ).fetchone()
    if not os.path.isdir(path):
        if not row[0]:
            raise Divergence("divergence", f"{name} is away, and the library says it is here")
    elif row[0] and row[1] != "foreign":
        raise Divergence("divergence", f"{name} is here, and the library says it is {row[1]}")
    elif row[0] and row[2] == os.stat(path).st_ino:
        raise Divergence("divergence", f"{name} is the folder it was, and the library takes it for another")
    return not row[0]


def _compare_root(life: Life, truth: dict[str, Found], root: str, known: set[str], book: Book) -> None:
    db = life.library.db
    number = db.execute("SELECT id FROM roots WHERE path = ? AND NOT removed", (root,)).get
    said: dict[str, str] = {}
    for path, model, size, mtime_ns, ino in db.execute(
        "SELECT path, model_hash, size_bytes, mtime_ns, ino FROM locations WHERE root = ? AND NOT lost", (number,)
    ):
        _must_be_true(to_path(path), truth, root, (size, mtime_ns, ino), model)
        said[to_path(path)] = "location"
    for path, size, mtime_ns, ino, *rest in db.execute(
        "SELECT path, size_bytes, mtime_ns, ino, id, sha256, in_place, written OR EXISTS"
        " (SELECT 1 FROM imports i WHERE i.pending = p.id AND i.state = 'conflict') FROM pending_import p"
        " WHERE root = ? AND state = 'waiting'",
        (number,),
    ):
        _must_be_true(to_path(path), truth, root, (size, mtime_ns, ino), None)
        said[to_path(path)] = "pending"
        if to_path(path) in truth and truth[to_path(path)].whole:
            _must_show_what_it_is(to_path(path), truth[to_path(path)].sha256, known, rest)
    for path, size, mtime_ns, ino, pending_id in db.execute(
        "SELECT path, size_bytes, mtime_ns, ino, id FROM pending_away WHERE root = ? AND state = 'hidden'", (number,)
    ):
        _must_be_true(to_path(path), truth, root, (size, mtime_ns, ino), None)
        if pending_id not in book.dismissed:
            raise Divergence("lost", f"{path!r} is hidden, and nobody dismissed it")
        said[to_path(path)] = "hidden"
    for path, found in truth.items():
        if found.whole and path not in said:
            raise Divergence(
                "divergence", f"{path!r} lies there ({found.sha256[:8]}), and the library has no word of it"
            )


def _must_be_true(path: str, truth: dict[str, Found], root: str, seen: tuple[int, int, int], model: str | None) -> None:
    found = truth.get(path)
    if found is None:
        if not _lies_in_the_dark(path, root):
            raise Divergence("divergence", f"the library has a file at {path!r}, where none is")
        return
    if found.whole and (found.size, found.mtime_ns, found.ino) != seen:
        raise Divergence("divergence", f"at {path!r} lies another file than the library says")
    if found.whole and model not in (None, found.sha256):
        raise Divergence("divergence", f"at {path!r} lies {found.sha256[:8]}, not {str(model)[:8]}")


def _lies_in_the_dark(path: str, root: str) -> bool:
    """Tell whether a path lies behind a link that leads nowhere: its drive may come back."""
    folder = os.path.dirname(path)
    while len(folder) > len(root):
        if os.path.islink(folder) and not os.path.exists(folder):
            return True
        folder = os.path.dirname(folder)
    return False


def _must_show_what_it_is(path: str, sha256: str, known: set[str], rest: list[Any]) -> None:
    number, said, in_place, somebody_decides = rest
    if said != (sha256 if sha256 in known else ""):
        raise Divergence("divergence", f"pending {number} at {path!r} is {sha256[:8]} and says {said[:8]!r}")
    if said and in_place and not somebody_decides:
        raise Divergence("divergence", f"{path!r} is a known model in a model root, and still pending")


# Words and pictures


def _compare_words(life: Life, book: Book) -> None:
    db = life.library.db
    for sha256, wrote in book.models.items():
        model = models.get(db, sha256)
        if model is None:
            raise Divergence("lost", f"model {sha256[:8]} is not there")
        _must_stand(f"model {sha256[:8]}", wrote, model.name, model.own.description, tags.of_model(db, sha256))
    for number, wrote in book.pending.items():
        row = next(iter(pending._pendings(db, _ANY_PENDING, (number,))), None)
        if row is None:
            raise Divergence("lost", f"pending model {number} is not there, and {wrote} was written to it")
        if number not in book.dismissed and pending.get(db, number) is None:
            raise Divergence("lost", f"pending model {number} is out of sight, and {wrote} was written to it")
        _must_stand(f"pending {number}", wrote, row.name, row.own.description, tags.of_pending(db, number))


_ANY_PENDING = " UNION ALL ".join(
    pending._SELECT + table + " WHERE id = ?1" for table in ("pending_import", "pending_away")
)


def _must_stand(who: str, wrote: Written, name: str, description: str, tagged: dict[int, str]) -> None:
    if wrote.name not in (None, name):
        raise Divergence("lost", f"{who} was called {wrote.name!r} and is {name!r}")
    if wrote.description != description:
        raise Divergence("lost", f"of {who} {wrote.description!r} was written, and {description!r} stands")
    if wrote.tags != set(tagged.values()):
        raise Divergence("lost", f"{who} was tagged {sorted(wrote.tags)} and has {sorted(tagged.values())}")


def _compare_pictures(life: Life, book: Book) -> None:
    db = life.library.db
    for sha256, wrote in book.models.items():
        if images.sequences(db, sha256) != sorted(wrote.pictures):
            raise Divergence(
                "lost", f"model {sha256[:8]} has pictures {images.sequences(db, sha256)}, not {sorted(wrote.pictures)}"
            )
        if images.cover(db, sha256) != wrote.cover:
            raise Divergence("lost", f"model {sha256[:8]} has the cover {images.cover(db, sha256)}, not {wrote.cover}")
        for seq, colour in wrote.pictures.items():
            for tier in TIERS:
                _must_show(life.store.path(sha256, seq, tier), colour)
    for number, wrote in book.pending.items():
        if wrote.given is not None:
            extension = pending.picture_of(db, number)
            if extension is None:
                raise Divergence("lost", f"pending {number} has no picture")
            _must_show(life.store.pending_path(number, extension), wrote.given)
    leftovers = os.listdir(life.store.staging) if os.path.isdir(life.store.staging) else []
    if leftovers and not life.library.full_until:  # what the log refused may have been written: the next start tells
        raise Divergence("divergence", f"left behind among the pictures: {leftovers}")


def _must_show(path: str, colour: tuple[int, int, int] | None) -> None:
    if not Path(path).exists():
        raise Divergence("lost", f"the picture {os.path.basename(path)} is gone")
    if colour is None:
        return
    with Image.open(path) as picture:
        shown = picture.convert("RGB").getpixel((0, 0))
    assert isinstance(shown, tuple)
    if any(abs(one - other) > 12 for one, other in zip(shown, colour, strict=True)):
        raise Divergence("lost", f"{os.path.basename(path)} shows {shown}, not {colour}")
