"""The views are a pure function of the log, whatever happens to their file."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import apsw
import pytest
from hikaze.events.catalog import (
    EVENTS,
    Changes,
    ChosenLora,
    Event,
    File,
    FileTrashed,
    Folders,
    MigrationBegun,
    MigrationEnded,
    ModelImported,
    ModelTagged,
    PendingTagged,
    Prompts,
    Provided,
    RootAdded,
    RootRemoved,
    RowMigrated,
    Sidecar,
    TagCreated,
    TagRenamed,
    Texts,
)
from hikaze.events.codec import Codec
from hikaze.events.errors import DamagedEvent
from hikaze.events.log import EventLog
from hikaze.events.record import New
from hikaze.projections import models, tags
from hikaze.projections.runner import CHUNK, VIEWS, View, Views, dump, reader
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

# Few ids and paths, so that histories meet themselves: repeated, out of order, for what is not there.
PATHS = st.sampled_from(["/m/x.safetensors", "/m/y.safetensors", "/p/x.safetensors", "/p/\0dcff"])
SMALL = st.integers(0, 3)
TEXT = st.sampled_from(["", "Ink", "ink", "Straße", "STRASSE", "水墨\0"])
MODELS = st.sampled_from(["a1", "b2", "c3"])
TYPES = st.sampled_from(["loras", "vae"])
FILES = st.builds(File, PATHS, SMALL, SMALL, SMALL, SMALL, SMALL)
PROMPTS = st.builds(Prompts, TEXT, TEXT)
TEXTS = st.builds(Texts, TEXT, TEXT, PROMPTS, st.lists(TEXT, max_size=2).map(tuple))
UNTOUCHED = st.just(UNSET)
CHANGES = st.builds(
    Changes,
    name=UNTOUCHED | TEXT,
    type=UNTOUCHED | TYPES,
    description=UNTOUCHED | TEXT,
    prompts=UNTOUCHED | PROMPTS,
    trigger_words=UNTOUCHED | st.just(("ink",)),
    favorite=UNTOUCHED | st.booleans(),
)
SOURCES = st.sampled_from(["text", "lora-manager", "civitai-info", "other"])
WORDS = st.lists(TEXT, max_size=2).map(tuple)
PROVIDED = st.builds(
    Provided,
    name=TEXT,
    notes=TEXT,
    description=TEXT,
    links=WORDS,
    prompts=PROMPTS,
    trigger_words=WORDS,
    tags=WORDS,
    favorite=st.booleans(),
)
STUDIED: dict[str, Any] = {
    "rules": 1,
    "facts": {"base_model": "Ink"},
    "told": {"tags": ["ink", "水墨"], "trigger_words": ["brush"], "description": "Straße"},
}
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "changes": CHANGES,
    "file": FILES,
    "header": st.sampled_from([{}, {"k": "v"}, {"metadata": {"sshs_model_hash": "c0" * 32}}, STUDIED]),
    "texts": TEXTS,
    "path": PATHS,
    "came_from": PATHS,
    "target": PATHS,
    "model": MODELS,
    "replaces": st.none() | MODELS,
    "type": TYPES,
    "name": TEXT,
    "op": st.sampled_from(["o1", "o2"]),
    "kind": st.sampled_from(["model", "pending"]),
    "why": st.sampled_from(["absent", "foreign"]),
    "status": st.sampled_from(["imported", "merged", "overridden", "deleted", "ignored"]),
    "strategy": st.sampled_from([None, "merge"]),
    "origin": st.sampled_from(["companion", "person"]),
    "reason": st.just("dismissed"),
    "trash": st.none() | st.just("t1"),
    "extension": st.just(".png"),
    "fstype": st.just("ext4"),
    "format": st.just("PNG"),
    "in_place": st.booleans(),
    "copies": st.booleans(),
    "sidecar": st.builds(Sidecar, PATHS, SOURCES, SMALL, SMALL),
    "provided": PROVIDED,
    "claimed": st.booleans(),
    "lost": st.booleans(),
    "given": st.sampled_from([(), ("description", "prompts")]),
    "created_at": st.none() | SMALL,
    "actual": MODELS,
    "original": TEXT,
    "database": TEXT,
    "form": st.sampled_from(["v1", "v2"]),
    "table": st.sampled_from(["models", "pending_import"]),
    "row": st.sampled_from(["1", "2"]),
    "digest": st.sampled_from(["d1", "d2"]),
    "what": TEXT,
    "outcome": st.sampled_from(["new", "united"]),
    "is_missing": st.booleans(),
    "parts": WORDS,
    "base": st.sampled_from(["/c", "/d"]),
    "folders": st.lists(st.builds(Folders, TYPES, st.lists(PATHS, max_size=2).map(tuple)), max_size=2).map(tuple),
    "note": TEXT,
    "loras": st.lists(st.builds(ChosenLora, TEXT, PATHS), max_size=2).map(tuple),
    "hashes": st.sampled_from([{}, {"autov1": "0badcafe"}, {"autov3": "c0" * 32}, {"autov3": ""}]),
}
TAG_ORIGINS = st.sampled_from(["user", "header", "provider"])
OTHERWISE: dict[type[Event], dict[str, st.SearchStrategy[Any]]] = {
    FileTrashed: {"trash": TEXT},
    ModelTagged: {"origin": TAG_ORIGINS},
    PendingTagged: {"origin": TAG_ORIGINS},
    RootAdded: {"origin": st.sampled_from(["configuration", "comfyui", "user"])},
    RootRemoved: {"by": st.sampled_from(["configuration", "user"])},
    MigrationBegun: {"images": TEXT},
    MigrationEnded: {"status": st.sampled_from(["done", "cancelled", "failed"])},
    RowMigrated: {"model": st.none() | MODELS, "pending": st.none() | SMALL},
}
"""Where a field of an event takes other values than fields of its name do."""
PICTURE_TEXTS = st.just({"parameters": "ink"})


def events_of(event: type[Event]) -> st.SearchStrategy[Event]:
    """Make events of a type; numbers are small where no field says otherwise."""
    fields = {name: FIELDS.get(name, SMALL) for name in event.__struct_fields__}
    fields |= OTHERWISE.get(event, {})
    if "texts" in fields and event is not ModelImported:
        fields["texts"] = PICTURE_TEXTS
    return st.builds(event, **fields)


HISTORIES = st.lists(st.one_of([events_of(event) for event in EVENTS]), max_size=40)
RESTARTS = st.sampled_from(["go on", "reopen", "delete", "raise a version", "lose the last transaction"])


def raised(view: View, by: int) -> View:
    """Give a view as a later program would have it."""
    later = {name: getattr(view, name) for name in ("SCHEMA", "INDEXES", "HANDLES", "apply")}
    return cast("View", SimpleNamespace(**later, VERSION=view.VERSION + by, __name__=cast("Any", view).__name__))


def write(log: EventLog, views: Views, events: list[Event], stream: Callable[[Event], str]) -> None:
    """Write events as the writer does: both transactions, the log's first."""
    log.begin()
    views.begin()
    views.apply(log.append([New(stream(event), event) for event in events], actor="page", action=bytes(16)))
    log.commit()
    views.commit()


def rows(db: apsw.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Give every row of every table but the versions, which are the program's."""
    found = dump(db)
    found["view_positions"] = [(view, position, checksum) for view, _, position, _, checksum in found["view_positions"]]
    return found


@settings(max_examples=25, deadline=None)
@given(HISTORIES, st.lists(st.tuples(st.integers(1, 9), RESTARTS), max_size=8))
def test_any_history_cut_anywhere(history: list[Event], cuts: list[tuple[int, str]]) -> None:
    """Any history, cut and restarted anywhere, leads to the rows of a plain replay."""
    with TemporaryDirectory() as folder:
        log = EventLog(f"{folder}/log.db", durable=False)
        path, versions, rest = f"{folder}/views.db", 0, list(history)
        views = Views(path, log)
        for size, restart in [*cuts, (len(history), "go on")]:
            part, rest = rest[:size], rest[size:]
            write(log, views, part, lambda event: f"{getattr(event, 'model', '')}")
            if restart == "lose the last transaction":
                views.begin()
                views.db.execute("DELETE FROM models")
                views.rollback()
            if restart in ("reopen", "delete", "raise a version"):
                views.close()
                versions += restart == "raise a version"
                if restart == "delete":
                    os.remove(path)
                views = Views(path, log, views=[VIEWS[0], raised(VIEWS[1], versions), *VIEWS[2:]])

        assert rows(views.db) == rows(Views(":memory:", log).db)
        views.close()


@settings(max_examples=25, deadline=None)
@given(HISTORIES)
def test_one_by_one_or_all_at_once(history: list[Event]) -> None:
    """What is gathered and written together leads to the rows of one event after the other."""
    log = EventLog(":memory:", durable=False)
    one_by_one = Views(":memory:", log)
    for event in history:
        write(log, one_by_one, [event], lambda _: "s")

    assert rows(one_by_one.db) == rows(Views(":memory:", log).db)


# The file -----------------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    """Make a log with a tag on a model."""
    log = EventLog(str(tmp_path / "log.db"), durable=False)
    add(log, TagCreated(1, "ink"), ModelImported("a1", "Ink", "loras", 10), ModelTagged("a1", 1))
    return log


def add(log: EventLog, *events: Event) -> None:
    """Append events to a log that no views are open on."""
    log.begin()
    log.append([New("s", event) for event in events], actor="page", action=bytes(16))
    log.commit()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Name the file of the views."""
    return str(tmp_path / "views.db")


def built(path: str, log: EventLog, **how: Any) -> int:
    """Open and close the views; give how many events were read to rebuild or catch up."""
    seen: list[int] = [0]
    Views(path, log, progress=lambda done, _all: seen.append(done), **how).close()
    return max(seen)


def test_what_is_up_to_date_is_left_alone(log: EventLog, path: str) -> None:
    """Views that are at the end of their log are opened and nothing is read."""
    assert [built(path, log), built(path, log)] == [3, 0]


def test_what_is_missing_is_caught_up(log: EventLog, path: str) -> None:
    """Views that are behind take in what they have not seen."""
    built(path, log)
    add(log, TagRenamed(1, "Ink"))
    views = Views(path, log)

    assert (views.position, tags.of_model(views.db, "a1")) == (4, {1: "Ink"})


def sql(path: str, statement: str) -> None:
    """Change the file of the views behind their back."""
    db = apsw.Connection(path)
    db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    "views",
    [[raised(VIEWS[0], 1), *VIEWS[1:]], [raised(VIEWS[0], -1), *VIEWS[1:]], VIEWS[1:]],
    ids=["a later version", "an older version", "one view less"],
)
def test_views_of_another_program_are_rebuilt(log: EventLog, path: str, views: list[View]) -> None:
    """A file in which one view has another version, or that has other views, is built anew."""
    built(path, log)

    assert [built(path, log, views=views), built(path, log, views=views), built(path, log)] == [3, 0, 3]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param("position = 9", id="the log was restored from an older copy"),
        pytest.param("checksum = checksum + 1", id="the log is a copy that has gone another way"),
        pytest.param("log_id = zeroblob(16)", id="the log is another library's"),
        pytest.param("position = 1 WHERE view = 'tags'", id="the views stand at different positions"),
    ],
)
def test_views_of_another_log_are_rebuilt(log: EventLog, path: str, spoil: str) -> None:
    """A file that does not tell of this log, up to one place in it, is built anew."""
    built(path, log)
    sql(path, f"UPDATE view_positions SET {spoil}")  # noqa: S608
    views = Views(path, log)

    assert (views.position, tags.of_model(views.db, "a1")) == (3, {1: "ink"})
    assert not Path(path + ".new").exists()


@pytest.mark.parametrize("content", [b"", b"what is this?" * 99])
def test_what_is_no_database_is_rebuilt(log: EventLog, path: str, content: bytes) -> None:
    """A file that holds no read tables at all is built anew."""
    Path(path).write_bytes(content)

    assert tags.of_model(Views(path, log).db, "a1") == {1: "ink"}


def test_what_a_crash_left_behind(log: EventLog, path: str) -> None:
    """The half of a rebuild that a crash left, and the journal of a file that is gone, do no harm."""
    for suffix in (".new", ".new-wal", "-wal", "-shm"):
        Path(path + suffix).write_bytes(b"half of something" * 999)

    assert tags.of_model(Views(path, log).db, "a1") == {1: "ink"}


def test_a_rebuild_tells_how_far_it_is(tmp_path: Path, path: str) -> None:
    """A rebuild of many events says again and again how many are done, of how many."""
    log = EventLog(str(tmp_path / "log.db"), durable=False)
    add(log, *(TagCreated(1, str(number)) for number in range(2 * CHUNK + 1)))
    told: list[tuple[int, int]] = []

    Views(path, log, progress=lambda done, all_: told.append((done, all_)))

    assert told == [(CHUNK, 2 * CHUNK + 1), (2 * CHUNK, 2 * CHUNK + 1), (2 * CHUNK + 1, 2 * CHUNK + 1)]


def test_readers_read_beside_the_writer(log: EventLog, path: str) -> None:
    """A reader sees what is committed, while the writer writes, and cannot write itself."""
    views = Views(path, log)
    db = reader(path)
    views.begin()
    views.db.execute("DELETE FROM models")
    assert models.get(db, "a1") is not None

    with pytest.raises(apsw.ReadOnlyError):
        db.execute("DELETE FROM models")
    views.rollback()


def test_the_file_is_ours_alone(log: EventLog, path: str) -> None:
    """The read tables can be read by their owner only."""
    built(path, log)

    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_damage_in_the_log_stops_the_rebuild(log: EventLog, path: str) -> None:
    """Nothing is built from a log that is damaged, and what was there before stays."""
    built(path, log)
    before = Path(path).read_bytes()
    sql(log.path, "DROP TRIGGER events_no_update; UPDATE events SET time = 1 WHERE position = 2")

    with pytest.raises(DamagedEvent, match="event 2"):
        Views(path, log, views=[raised(VIEWS[0], 1), *VIEWS[1:]])
    assert Path(path).read_bytes() == before


class Blessed(Event, frozen=True, tag="tag-blessed-too"):
    """An event that the catalogue of today does not have."""

    SCHEMA: ClassVar[int] = 1

    tag: int


def test_an_update_goes_on_where_the_older_program_stopped(tmp_path: Path, path: str) -> None:
    """The views end before the first event that is not understood; a program that does goes on from there."""
    codec = Codec((TagCreated, TagRenamed, Blessed))
    newer = EventLog(str(tmp_path / "log.db"), codec=codec, durable=False)
    add(newer, TagCreated(1, "ink"), Blessed(1), TagRenamed(1, "Ink"))
    older = EventLog(str(tmp_path / "log.db"), durable=False)
    views = Views(path, older)
    assert (views.position, tags.name_of(views.db, 1)) == (1, "ink")
    views.close()

    views = Views(path, newer)
    assert (views.position, tags.name_of(views.db, 1)) == (3, "Ink")


def test_every_event_concerns_a_view() -> None:
    """Every event of the catalogue concerns some view, but for the trash's, which has none yet."""
    handled = {event for view in VIEWS for event in view.HANDLES}

    assert {event.__name__ for event in set(EVENTS) - handled} == {"FileTrashed"}
