"""What people see of a model's texts: what somebody wrote in Hikaze, and below it what the sidecars say."""

from typing import Any

import apsw
import msgspec
import pytest
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    ModelEdited,
    ModelHeaderRead,
    ModelImported,
    ModelProvided,
    ModelTagged,
    PendingChanged,
    PendingDismissed,
    PendingEdited,
    PendingFound,
    PendingHeaderRead,
    PendingImported,
    PendingProvided,
    PendingReturned,
    PendingTagged,
    Prompts,
    Provided,
    Sidecar,
    TagCreated,
    Texts,
)
from hikaze.events.log import EventLog
from hikaze.projections import layers, library, models, pending, tags
from hikaze.projections.finding import Finder
from hikaze.projections.layers import FIELDS, PRECEDENCE, effective, origins
from hikaze.projections.parts import Word
from hikaze.projections.runner import Views, dump
from hikaze.projections.told import NOTHING, Told, told_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ..conftest import write_history

NOTES = Provided(notes="mine, at 0.8")
CIVITAI = Provided(
    name="Ink of the East",
    description="Brush & ink",
    links=("https://a", "https://b"),
    prompts=Prompts("ink wash", ""),
    trigger_words=("inkwash", "brush"),
)
MANAGER = Provided(
    notes="theirs", description="by the manager", prompts=Prompts("", "photo"), trigger_words=("brush", "x")
)


def beside(source: str, path: str = "/m/x") -> Sidecar:
    """Make a sidecar of a format."""
    return Sidecar(path, source, 10, 5)


def row(source: str, provided: Provided) -> layers.Row:
    """Make what a sidecar of a format says."""
    return beside(source), provided


@pytest.mark.parametrize(
    ("own", "gave", "rows", "seen"),
    [
        (Texts(), (), [], Texts()),
        (Texts("own"), (), [], Texts("own")),
        (
            Texts(),
            (),
            [row("civitai-info", CIVITAI)],
            Texts("Brush & ink", "https://a\nhttps://b", Prompts("ink wash", ""), ("inkwash", "brush")),
        ),
        # notes first, those of the user's own notes before all; then the first provider that describes it
        (
            Texts(),
            (),
            [row("civitai-info", CIVITAI), row("lora-manager", MANAGER), row("text", NOTES)],
            Texts(
                "mine, at 0.8\n\ntheirs\n\nby the manager",
                "https://a\nhttps://b",
                Prompts("ink wash", "photo"),
                ("brush", "x", "inkwash"),
            ),
        ),
        # identical texts once
        (
            Texts(),
            (),
            [row("text", Provided(notes="same")), row("a1111", Provided(notes="same", description="same"))],
            Texts("same"),
        ),
        # what somebody wrote is theirs alone, field by field
        (
            Texts(prompts=Prompts("", "own")),
            (),
            [row("civitai-info", CIVITAI)],
            Texts("Brush & ink", "https://a\nhttps://b", Prompts("", "own"), ("inkwash", "brush")),
        ),
        # also where it was emptied
        (
            Texts(),
            ("description", "trigger_words", "community_links"),
            [row("civitai-info", CIVITAI)],
            Texts("", "", Prompts("ink wash", "")),
        ),
        # of one format the newest counts, and a format that nobody knows comes last
        (Texts(), (), [row("a1111", Provided(notes="new")), row("a1111", Provided(notes="old"))], Texts("new")),
        (
            Texts(),
            (),
            [row("?", Provided(notes="odd")), row("civitai-info", Provided(notes="even"))],
            Texts("even\n\nodd"),
        ),
    ],
)
def test_what_is_seen(own: Texts, gave: tuple[str, ...], rows: list[layers.Row], seen: Texts) -> None:
    """Each field is what somebody gave, else what the sidecars say, those first in which people write."""
    assert effective(own, set(gave), rows) == seen


@pytest.mark.parametrize(
    ("own", "gave", "rows", "favorite"),
    [
        (False, (), [], False),
        (True, ("favorite",), [], True),
        (False, (), [row("lora-manager", Provided(favorite=True)), row("text", NOTES)], True),
        (False, ("favorite",), [row("lora-manager", Provided(favorite=True))], False),
        (False, (), [row("a", Provided()), row("a", Provided(favorite=True))], False),
    ],
)
def test_favorites(own: bool, gave: tuple[str, ...], rows: list[layers.Row], favorite: bool) -> None:
    """A favourite in another program is one here, until somebody says here whether it is."""
    assert layers.is_favorite(own, set(gave), rows) is favorite


def test_notes_in_two_files() -> None:
    """What was written into `x.txt` and into `x.md` is seen both; of one file the newest state counts."""
    rows = [
        (beside("text", "/n/x.MD"), Provided(notes="in md")),
        (beside("text", "/m/x.txt"), Provided(notes="in txt")),
        (beside("text", "/m/x.description.txt"), Provided(notes="described")),
        (beside("text", "/m/x.md"), Provided(notes="in md before")),
    ]
    seen = effective(Texts(), frozenset(), rows)

    assert sorted(seen.description.split("\n\n")) == ["described", "in md", "in txt"]


def test_whose_a_text_is() -> None:
    """Each field is told to be a person's, emptied ones too, a sidecar's, or nobody's."""
    said = [row("civitai-info", Provided(description="x", trigger_words=("y",)))]

    assert origins(Texts("own"), {"trigger_words"}, said) == {
        "description": "user",
        "community_links": "none",
        "prompts": "none",
        "trigger_words": "user",
    }
    assert origins(Texts(), set(), said)["description"] == "provider"


TOLD = Told("of the file", ("told",), words=("Title", "told", "of the file"))


@pytest.mark.parametrize(
    ("own", "gave", "rows", "seen", "whose"),
    [
        (Texts(), (), [], Texts("of the file", trigger_words=("told",)), ("header", "header")),
        (Texts("own"), (), [], Texts("own", trigger_words=("told",)), ("user", "header")),
        (Texts(), ("description",), [], Texts("", trigger_words=("told",)), ("user", "header")),
        (
            Texts(),
            (),
            [row("text", NOTES)],
            Texts("mine, at 0.8", trigger_words=("told",)),
            ("provider", "header"),
        ),
        (
            Texts(),
            (),
            [row("a1111", Provided(trigger_words=("x",), prompts=Prompts("p")))],
            Texts("of the file", prompts=Prompts("p"), trigger_words=("x",)),
            ("header", "provider"),
        ),
        (
            Texts(),
            ("trigger_words",),
            [row("a1111", Provided(description="x", trigger_words=("x",)))],
            Texts("x"),
            ("provider", "user"),
        ),
    ],
)
def test_a_header_comes_last(
    own: Texts, gave: tuple[str, ...], rows: list[layers.Row], seen: Texts, whose: tuple[str, str]
) -> None:
    """What the file tells of itself fills description and trigger words where neither a person nor a sidecar does."""
    told = origins(own, set(gave), rows, TOLD)

    assert effective(own, set(gave), rows, TOLD) == seen
    assert (told["description"], told["trigger_words"], told["community_links"]) == (*whose, "none")


def test_what_is_searched_of_a_header() -> None:
    """A search looks in all that a header tells, each text once, though a person or a sidecar says otherwise."""
    texts = effective(Texts("own"), set(), [], TOLD)

    assert layers.words("x", texts, [], TOLD) == "x\nown\ntold\nTitle\nof the file"
    assert layers.words("x", Texts(), [row("text", NOTES)], TOLD) == "x\nmine, at 0.8\nTitle\ntold\nof the file"
    assert layers.words("x", Texts("of the file, whole"), [], TOLD) == "x\nof the file, whole\nTitle\ntold"
    assert layers.words("x", Texts("own"), [], NOTHING) == "x\nown"


TEXT = st.sampled_from(["", "a", "b", "c d"])
WORDS = st.lists(TEXT, max_size=2).map(tuple)
PROVIDED = st.builds(
    Provided,
    name=TEXT,
    notes=TEXT,
    description=TEXT,
    links=WORDS,
    prompts=st.builds(Prompts, TEXT, TEXT),
    trigger_words=WORDS,
    tags=WORDS,
    favorite=st.booleans(),
)
SIDECARS = st.builds(
    Sidecar, st.sampled_from(["/m/x", "/m/y", "/n/x"]), st.sampled_from([*PRECEDENCE[:3], "?"]), st.just(1), st.just(1)
)
SAID = st.tuples(SIDECARS, PROVIDED)
GIVEN: dict[str, st.SearchStrategy[Any]] = {
    "description": TEXT,
    "community_links": TEXT,
    "prompts": st.builds(Prompts, TEXT, TEXT),
    "trigger_words": WORDS,
    "favorite": st.booleans(),
}
CHANGES = st.fixed_dictionaries({}, optional=GIVEN).map(lambda fields: Changes(**fields))


def value_of(model: models.Model, field: str) -> Any:
    """Give what people see of a field."""
    return model.favorite if field == "favorite" else getattr(model.texts, field)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(CHANGES, SAID), max_size=12), st.integers(0, 12))
def test_no_sidecar_changes_what_somebody_gave(history: list[Any], at: int) -> None:
    """In whatever order edits and sidecars come, before or after the import, each field has what was given last."""
    events: list[Event] = [
        ModelEdited("a1", one) if isinstance(one, Changes) else ModelProvided("a1", *one) for one in history
    ]
    edits = [one for one in history[at:] if isinstance(one, Changes)]
    gave = {field: getattr(one, field) for one in edits for field in models.given_in(one)}
    views = replayed([*events[:at], ModelImported("a1", "x", "loras", 1), *events[at:]])

    model = models.get(views.db, "a1")
    assert model is not None
    assert {field: value_of(model, field) for field in gave} == gave
    assert model.texts == effective(model.own, model.given, models.provided(views.db, "a1"))
    assert all(getattr(model.own, field) == getattr(Texts(), field) for field in FIELDS if field not in gave)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(CHANGES, SAID, st.sampled_from(["lost", "back", "hidden"])), max_size=12))
def test_no_sidecar_changes_what_somebody_gave_to_a_pending_model(history: list[Any]) -> None:
    """The same holds for a pending model, and for one that was out of sight when its sidecar was read."""
    file = File("/p/x", 1, 10, 5, 1, 7)
    others = {
        "lost": PendingDismissed(1),
        "hidden": PendingDismissed(1),
        "back": PendingReturned(1, file, in_place=True),
    }
    events: list[Event] = [PendingFound(1, file, "x", "loras", in_place=True)]
    for one in history:
        if isinstance(one, str):
            events.append(others[one])
        elif isinstance(one, Changes):
            events += [others["back"], PendingEdited(1, one)]
        else:
            events.append(PendingProvided(1, *one))
    gave = {field: getattr(one, field) for one in history if isinstance(one, Changes) for field in models.given_in(one)}
    db = replayed([*events, others["back"]]).db

    known = pending.get(db, 1)
    assert known is not None
    gave.pop("favorite", None)
    assert {field: getattr(known.texts, field) for field in gave} == gave
    assert known.texts == effective(known.own, known.given, pending.provided(db, 1))


HEADERS = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"told": st.fixed_dictionaries({"description": TEXT, "trigger_words": st.just(["w"])})}),
    st.just({"told": 7, "facts": {"trained_words": [{"word": "seen"}]}}),
)


def of_model(one: Any) -> Event:
    """Make of an edit, of what a sidecar says or of a header the event of a model."""
    if isinstance(one, Changes):
        return ModelEdited("a1", one)
    return ModelHeaderRead("a1", one) if isinstance(one, dict) else ModelProvided("a1", *one)


def of_pending(one: Any) -> Event:
    """Make of an edit, of what a sidecar says or of a header the event of a pending model."""
    if isinstance(one, Changes):
        return PendingEdited(1, one)
    return PendingHeaderRead(1, one) if isinstance(one, dict) else PendingProvided(1, *one)


@settings(max_examples=50, deadline=None)
@given(HEADERS, st.lists(st.one_of(CHANGES, SAID, HEADERS), max_size=12))
def test_whatever_comes_first(header: dict[str, Any], history: list[Any]) -> None:
    """In whatever order edits, sidecars and headers come, what is seen follows from what each of them said last."""
    found = PendingFound(1, File("/p/x", 1, 10, 5, 1, 7), "x", "loras", in_place=True, header=header)
    events = [ModelImported("a1", "x", "loras", 1, header=header), found]
    db = replayed([*events, *map(of_model, history), *map(of_pending, history)]).db
    told = told_of([header, *(one for one in history if isinstance(one, dict))][-1])

    model, known = models.get(db, "a1"), pending.get(db, 1)
    assert model is not None
    assert known is not None
    assert model.texts == effective(model.own, model.given, models.provided(db, "a1"), told)
    assert known.texts == effective(known.own, known.given, pending.provided(db, 1), told)
    for word in told.words:
        assert word in db.execute("SELECT words FROM models").get


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(CHANGES, SAID, HEADERS), max_size=12))
def test_one_by_one_or_all_at_once(history: list[Any]) -> None:
    """Rows that were worked out event by event are those of a replay."""
    events: list[Event] = [ModelImported("a1", "x", "loras", 1), *map(of_model, history)]
    log = EventLog(":memory:", clock=lambda: 1)
    views = Views(":memory:", log)
    for event in events:
        write_history(log, [event])
        views.catch_up()

    assert dump(views.db) == dump(Views(":memory:", log).db)


def replayed(history: list[Event]) -> Views:
    """Give the read tables that a history leads to."""
    log = EventLog(":memory:", clock=lambda: 1)
    write_history(log, history)
    return Views(":memory:", log)


IMPORTED = ModelImported("a1", "x", "loras", 10)
FOUND = PendingFound(1, File("/p/x.pt", 1, 10, 5, 1, 7), "x", "loras", in_place=False)


def test_a_sidecar_disturbs_no_editor(replay) -> None:
    """What sidecars say, tags included, neither changes the version of a model nor counts as written by a person."""
    told: list[Event] = [ModelProvided("a1", beside("text"), NOTES), ModelTagged("a1", 1, "provider")]
    db = replay([TagCreated(1, "t"), IMPORTED, *told])
    model, changed = models.get(db, "a1"), db.execute("SELECT changed_at - created_at FROM models").get
    assert model is not None
    assert (model.version, changed, model.texts.description) == (1, 0, "mine, at 0.8")

    said: list[Event] = [PendingProvided(1, beside("text"), NOTES), PendingTagged(1, 1, "provider")]
    known = pending.get(replay([TagCreated(1, "t"), FOUND, *said]), 1)
    assert known is not None
    assert (known.version, known.written, known.own, known.texts.description) == (1, False, Texts(), "mine, at 0.8")


STUDIED = {"rules": 2, "told": {"description": "of the file", "trigger_words": ["told"], "tags": ["t"]}}


def test_a_header_disturbs_no_editor(replay) -> None:
    """A header that is read later changes no version and counts as written by nobody; it shows at once."""
    read: list[Event] = [ModelHeaderRead("a1", STUDIED), ModelTagged("a1", 1, "header")]
    db = replay([TagCreated(1, "t"), IMPORTED, *read])
    row_ = db.execute("SELECT version, changed_at - created_at, header_json, header_rules FROM models").fetchone()
    assert row_ == (1, 0, msgspec.json.encode(STUDIED).decode(), 2)
    model = models.get(db, "a1")
    assert model is not None
    assert (model.texts, model.own) == (Texts("of the file", trigger_words=("told",)), Texts())

    known = pending.get(replay([TagCreated(1, "t"), FOUND, PendingHeaderRead(1, STUDIED), TAGGED]), 1)
    assert known is not None
    assert (known.version, known.written, known.own, known.header) == (1, False, Texts(), STUDIED)
    assert known.texts == Texts("of the file", trigger_words=("told",))


TAGGED = PendingTagged(1, 1, "header")


def test_a_header_of_what_is_out_of_sight(replay) -> None:
    """What the file of a dismissed pending model says is known when it comes back."""
    back = PendingReturned(1, FOUND.file, in_place=False)
    known = pending.get(replay([FOUND, PendingDismissed(1), PendingHeaderRead(1, STUDIED), back]), 1)

    assert known is not None
    assert (known.texts.description, known.header) == ("of the file", STUDIED)


def test_other_content_tells_other_things(replay) -> None:
    """With other content the header's texts go; what a person wrote stays."""
    found = msgspec.structs.replace(FOUND, header=STUDIED)
    edited, changed = PendingEdited(1, Changes(trigger_words=("own",))), PendingChanged(1, FOUND.file, None)
    before, after = pending.get(replay([found, edited]), 1), pending.get(replay([found, edited, changed]), 1)

    assert before is not None
    assert after is not None
    assert before.texts == Texts("of the file", trigger_words=("own",))
    assert after.texts == Texts("", trigger_words=("own",))


def test_a_header_of_nobody(replay) -> None:
    """A header that is told of a model that there is not leaves nothing."""
    assert replay([ModelHeaderRead("a1", STUDIED)]).execute("SELECT count(*) FROM models").get == 0


def test_a_sidecar_that_was_moved(replay) -> None:
    """The same said by a sidecar of the same format elsewhere counts once; each file is known to have been read."""
    history = [
        ModelProvided("a1", beside("text", "/m/x.txt"), NOTES),
        ModelProvided("a1", beside("text", "/n/x.txt"), NOTES),
        ModelProvided("a1", beside("a1111", "/n/x.json"), NOTES),
    ]
    db = replay([IMPORTED, *history])

    assert [sidecar.path for sidecar, _ in models.provided(db, "a1")] == ["/n/x.json", "/n/x.txt"]
    assert {path for (path,) in db.execute("SELECT path FROM model_provided")} == {"/m/x.txt", "/n/x.txt", "/n/x.json"}


def test_a_sidecar_that_was_changed(replay) -> None:
    """A sidecar that says something else takes the place of what it said; the tags it once gave are known on."""
    first, second = Provided(notes="a", tags=("One", " TWO ")), Provided(notes="b", tags=("three",))
    db = replay([IMPORTED, ModelProvided("a1", beside("text"), first), ModelProvided("a1", beside("text"), second)])

    assert models.provided(db, "a1") == [(beside("text"), second)]
    assert models.provided_tags(db, "a1") == {"one", "two", "three"}


def test_a_record_that_ended(replay) -> None:
    """Of a pending model that was imported no row is left: its sidecars may be another's now."""
    said = PendingProvided(1, beside("text"), Provided(tags=("t",)))
    db = replay([FOUND, said])
    assert pending.provided_tags(db, 1) == {"t"}

    db = replay([FOUND, said, PendingImported(1, "a1", "imported")])
    assert (pending.provided(db, 1), pending.provided_tags(db, 1)) == ([], set())
    assert db.execute("SELECT count(*) FROM pending_provided").get == 0


def test_a_search_looks_in_all_that_is_said(replay) -> None:
    """A model is found by a sidecar's name and words, by notes behind its own text too; its name stays the stem."""
    db = replay(
        [IMPORTED, ModelProvided("a1", beside("civitai-info"), CIVITAI), ModelEdited("a1", Changes(description="own"))]
    )

    for word in ("east", "inkwash", "own", "brush", "ink"):
        assert len(Finder().page(db, Word(word), limit=9).items) == 1
    model = models.get(db, "a1")
    assert model is not None
    assert model.name == "x"


def test_a_model_whole_tells_what_each_sidecar_says(replay) -> None:
    """The newest comes first, with every field there and its path as people see it."""
    told = ModelProvided("a1", beside("civitai-info", "/m/\0dcff.civitai.info"), CIVITAI)
    found = library.whole(replay([IMPORTED, ModelProvided("a1", beside("text"), NOTES), told]), "a1")

    assert found is not None
    assert [each["source"] for each in found["provided"]] == ["civitai-info", "text"]
    assert msgspec.json.decode(msgspec.json.encode(found["provided"][0])) == {
        "source": "civitai-info",
        "path": "/m/\ufffd.civitai.info",
        "name": "Ink of the East",
        "notes": "",
        "description": "Brush & ink",
        "links": ["https://a", "https://b"],
        "prompts": {"positive": "ink wash", "negative": ""},
        "trigger_words": ["inkwash", "brush"],
        "tags": [],
        "favorite": False,
        "sha256": "",
        "facts": {},
        "problem": "",
    }
    assert found["origins"] == dict.fromkeys(FIELDS, "provider")


def test_a_model_whole_tells_where_things_come_from(replay) -> None:
    """It has the origin of each text and tag, what the file says of itself, and the names it had before."""
    header = STUDIED | {"facts": {"base_model": "SDXL"}}
    born = ModelImported("a1", "Ink", "loras", 10, header=header)
    tagged = [TagCreated(1, "t"), TagCreated(2, "A"), ModelTagged("a1", 1, "header"), ModelTagged("a1", 2)]
    renamed = ModelEdited("a1", Changes(name="Tusche"))
    found = library.whole(replay([born, *tagged, ModelProvided("a1", beside("text"), NOTES), renamed]), "a1")

    assert found is not None
    assert found["tag_origins"] == {"A": "user", "t": "header"}
    assert found["header"] == header
    assert found["earlier_names"] == [{"kind": "name", "name": "Ink"}]
    assert found["origins"] == {
        "description": "provider",
        "community_links": "none",
        "prompts": "none",
        "trigger_words": "header",
    }


@pytest.mark.parametrize(
    ("history", "origin"),
    [
        ([ModelTagged("a1", 1)], "user"),
        ([ModelTagged("a1", 1, "provider")], "provider"),
        ([ModelTagged("a1", 1, "provider"), ModelTagged("a1", 1)], "user"),
        ([ModelTagged("a1", 1), ModelTagged("a1", 1, "provider")], "user"),
        ([ModelTagged("a1", 1, "header"), ModelTagged("a1", 1, "provider")], "header"),
    ],
)
def test_where_a_tag_comes_from(replay, history: list[Event], origin: str) -> None:
    """A tag is a person's as soon as a person has put it on, and stays that."""
    db: apsw.Connection = replay([TagCreated(1, "t"), *history])

    assert tags.origins_of_model(db, "a1") == {1: origin}
