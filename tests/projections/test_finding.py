"""What a search finds is what a plain look at every row would, whatever happened before."""

from collections.abc import Iterable
from typing import Any

import apsw
import msgspec
import pytest
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    ImageAdded,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationReplaced,
    ModelEdited,
    ModelHashed,
    ModelImported,
    ModelProvided,
    ModelTagged,
    ModelUntagged,
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
from hikaze.events.log import EventLog
from hikaze.projections.finding import Finder, Found
from hikaze.projections.paging import BadCursor
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
    Word,
    asks_for_words,
)
from hikaze.projections.parts import (
    Any as AnyOf,
)
from hikaze.projections.runner import Views
from hikaze.projections.text import fold, tag_key
from hypothesis import given, settings
from hypothesis import strategies as st

from ..conftest import write_history

MODELS = [digit * 64 for digit in "abc1"]
PENDING = (1, 2)


class Library:
    """Read tables in memory, and a finder that hears of what is written to them."""

    def __init__(self, *history: Event) -> None:
        """Begin with a history."""
        ticks = iter(range(1, 1_000_000))
        self.finder = Finder()
        self.log = EventLog(":memory:", clock=lambda: next(ticks))
        self.views = Views(":memory:", self.log, heard=self.finder.hear)
        self.write(*history)

    @property
    def db(self) -> apsw.Connection:
        """The read tables."""
        return self.views.db

    def write(self, *events: Event) -> None:
        """Write events, in one transaction."""
        write_history(self.log, events)
        self.views.catch_up()

    def make_ready(self) -> None:
        """Make all that is made in the background."""
        while self.finder.make_ready(self.db, 0):
            pass

    def find(self, part: Part, *, limit: int = 100, **how: Any) -> Found:
        """Give one page."""
        return self.finder.page(self.db, part, limit=limit, **how)

    def pages(self, part: Part, order: Any, limit: int) -> list[str]:
        """Give the hashes of all that is found, page by page."""
        found, cursor = list[str](), None
        while True:
            page = self.find(part, order=order, limit=limit, cursor=cursor)
            found += hashes(page)
            cursor = page.next
            if cursor is None:
                return found


def hashes(page: Found) -> list[str]:
    """Give the hashes of a page."""
    return [msgspec.json.decode(item)["sha256"] for item in page.items]


# The plain look ---------------------------------------------------------------------------------------


class Plain(msgspec.Struct):
    """All that a search may ask of a model, read row by row."""

    sha256: str
    name: str
    values: dict[str, Any]
    words: list[str]
    tags: list[str]
    files: list[str]
    paths: list[str]
    had_names: list[str]
    had_files: list[str]
    hashes: list[str]
    is_: set[str]


def look(db: apsw.Connection) -> list[Plain]:
    """Read all models."""
    return [
        _look(db, *row)
        for row in db.execute(
            "SELECT sha256, name, type, size_bytes, created_at, changed_at, favorite, words, path FROM models"
        )
    ]


def _look(
    db: apsw.Connection,
    sha256: str,
    name: str,
    type_: str,
    size: int,
    added: int,
    changed: int,
    favorite: int,
    words: str,
    path: str,
) -> Plain:
    tags = [
        row[0]
        for row in db.execute("SELECT name FROM tags JOIN model_tags ON tag_id = id WHERE model_hash = ?", (sha256,))
    ]
    located = list(
        db.execute(
            "SELECT shown, lost, dev, l.ino, offline FROM locations l LEFT JOIN roots r ON r.id = l.root"
            " WHERE model_hash = ?",
            (sha256,),
        )
    )
    states = [2 if off is None else 1 if off else 2 if lost else 0 for _, lost, _, _, off in located]
    files = {(dev, ino) for (_, _, dev, ino, _), state in zip(located, states, strict=True) if state == 0}
    files |= set(
        db.execute(
            "SELECT p.dev, p.ino FROM pending_import p JOIN roots r ON r.id = p.root AND NOT r.offline"
            " WHERE p.sha256 = ? AND state = 'waiting'",
            (sha256,),
        )
    )
    is_ = {("present", "offline", "missing")[min(states, default=2)]}
    is_ |= {"duplicate"} if len(files) > 1 else set()
    is_ |= ({"favorite"} if favorite else set()) | (set() if tags else {"untagged"})
    paths = [row[0] for row in located] or ([path] if path else [])
    had = list(db.execute("SELECT kind, folded FROM earlier_names WHERE model_hash = ?", (sha256,)))
    return Plain(
        sha256,
        name,
        {"name": fold(name), "type": type_, "size": size, "added": added, "changed": changed},
        words.split("\n")[1:],
        tags,
        [fold(each.rpartition("/")[2]) for each in paths],
        paths,
        [folded for kind, folded in had if kind == "name"],
        [folded for kind, folded in had if kind == "file"],
        [sha256, *(row[0] for row in db.execute("SELECT hash FROM hashes WHERE model_hash = ?", (sha256,)))],
        is_,
    )


def tier(model: Plain, part: Part) -> int | None:
    """Give how well a model meets a query (0 is best), None where it is not meant."""
    return next((number for number in range(8) if meets(model, part, number)), None)


def meets(model: Plain, part: Part, most: int) -> bool:
    """Tell whether a model is meant, with words where a tier admits them."""
    match part:
        case All(parts=parts):
            words = [fold(each.text) for each in parts if isinstance(each, Word)]
            if most <= 1 and words:
                others = [each for each in parts if not isinstance(each, Word)]
                return called(model, " ".join(words), most) and all(meets(model, each, most) for each in others)
            return all(meets(model, each, most) for each in parts) or (most > 0 and meets(model, part, most - 1))
        case AnyOf(parts=parts):
            return any(meets(model, each, most) for each in parts)
        case Not(part=inner):
            return not meets(model, inner, 7)
        case Word():
            return holds(model, fold(part.text), part.field, most)
        case _:
            return is_so(model, part)


def called(model: Plain, name: str, most: int) -> bool:
    """Tell whether a name is, or begins with, a text."""
    own = model.values["name"]
    return own == name if most == 0 else own.startswith(name)


def holds(model: Plain, word: str, field: str, most: int) -> bool:
    """Tell whether a word stands where a tier admits it."""
    name = model.values["name"]
    if most <= 1:
        return called(model, word, most)
    starts = [at for at in range(len(name)) if at == 0 or not name[at - 1].isalnum()]
    places: list[Iterable[str]] = [[name]]
    if most == 2:
        return any(name.startswith(word, at) for at in starts)
    if field == "any":
        is_hash = len(word) >= 6 and not set(word) - set("0123456789abcdef")
        if most >= 6 and is_hash and any(each.startswith(word) for each in model.hashes):
            return True
        places += [map(fold, model.tags)] if most >= 4 else []
        places += [model.files] if most >= 5 else []
        places += [["\n".join(model.words)]] if most >= 6 else []
        places += [model.had_files] if most == 7 else []
    places += [model.had_names] if most == 7 else []
    return any(word in text for place in places for text in place)


def is_so(model: Plain, part: Part) -> bool:
    """Tell whether anything but a word is so."""
    match part:
        case Tagged(name=name, match="exact"):
            return tag_key(name) in map(tag_key, model.tags)
        case Tagged(name=name, match="prefix"):
            return any(fold(tag).startswith(fold(name)) for tag in model.tags)
        case Tagged(name=name):
            return fold(name) in map(fold, model.tags)
        case Typed(type=type_):
            return model.values["type"] == type_
        case Sized(least=least, most=most):
            return least <= model.values["size"] <= most
        case Added(since=since, until=until):
            return since <= model.values["added"] <= until
        case Is(what=what):
            return what in model.is_
        case Hashed(prefix=prefix):
            return any(each.startswith(prefix) for each in model.hashes)
        case Path(text=text):
            return any(fold(text) in fold(path) for path in model.paths)
        case _:
            raise TypeError(part)


def expected(models: list[Plain], part: Part, order: str) -> list[str]:
    """Give the hashes that are meant, in an order."""
    found = [(number, model) for model in models if (number := tier(model, part)) is not None]
    if order == "best":
        ranked = asks_for_words(part)
        return [
            m.sha256
            for _, m in sorted(
                found, key=lambda each: (each[0] if ranked else 0, each[1].values["name"], each[1].sha256)
            )
        ]
    ordered = sorted((model.values[order.lstrip("-")], model.sha256) for _, model in found)
    return [sha256 for _, sha256 in (ordered[::-1] if order.startswith("-") else ordered)]


def expected_facets(models: list[Plain], found: Iterable[str]) -> dict[str, dict[str, int]]:
    """Count tags and types of some models."""
    counts: dict[str, dict[str, int]] = {"tags": {}, "types": {}}
    for model in models:
        if model.sha256 in found:
            for kind, names in (("tags", model.tags), ("types", [model.values["type"]])):
                for name in names:
                    counts[kind][name] = counts[kind].get(name, 0) + 1
    return counts


# Histories --------------------------------------------------------------------------------------------

LONG = "lorem ipsum " * 30
LONGER = "lorem ipsum " * 200
TEXT = st.text("aB é/_1", min_size=1, max_size=6)
NAMES = st.sampled_from(["Ab", "ab ba", "Bä 1", "a_b", "b", "水墨 ab"]) | TEXT
PATHS = st.sampled_from(["/m/ab.pt", "/m/a b/ba.pt", "/m/x/ab.pt", "/n/b_1.pt", "/n/é.pt"])
MODEL, TAG, ROOT = st.sampled_from(MODELS), st.integers(1, 4), st.integers(1, 2)
FILE = st.builds(File, PATHS, ROOT, st.sampled_from([1, 5, 9]), st.just(1), st.just(1), st.integers(1, 3))
WRITTEN = TEXT.flatmap(lambda text: st.sampled_from([text, LONG + text, LONGER + text, ""]))
EVENT = st.one_of(
    st.builds(
        ModelImported,
        MODEL,
        NAMES,
        st.sampled_from(["loras", "vae"]),
        st.sampled_from([1, 5, 9]),
        st.builds(Texts, WRITTEN),
    ),
    st.builds(
        ModelEdited,
        MODEL,
        st.one_of(
            st.builds(Changes, name=NAMES),
            st.builds(Changes, description=WRITTEN),
            st.builds(Changes, favorite=st.booleans()),
            st.builds(Changes, type=st.sampled_from(["loras", "vae"])),
            st.builds(Changes, prompts=st.builds(Prompts, TEXT)),
        ),
    ),
    st.builds(ModelProvided, MODEL, st.just(Sidecar("/m/x.txt", "text", 1, 1)), st.builds(Provided, notes=WRITTEN)),
    st.builds(ModelTagged, MODEL, TAG),
    st.builds(ModelUntagged, MODEL, TAG),
    st.builds(ImageAdded, MODEL, st.integers(0, 3), st.just("PNG"), st.just(1), st.just(1)),
    st.builds(TagCreated, TAG, NAMES.filter(str.strip)),
    st.builds(TagRenamed, TAG, NAMES.filter(str.strip)),
    st.builds(TagsMerged, TAG, TAG),
    st.builds(TagDeleted, TAG),
    st.builds(LocationFound, MODEL, FILE),
    st.builds(LocationMoved, MODEL, PATHS, FILE),
    st.builds(LocationLost, MODEL, PATHS),
    st.builds(LocationReplaced, MODEL, PATHS),
    st.builds(RootAdded, ROOT, st.sampled_from(["/m", "/n"]), st.just("model"), st.just("loras")),
    st.builds(RootRemoved, ROOT),
    st.builds(RootWentOffline, ROOT, st.just("absent")),
    st.builds(RootCameOnline, ROOT, st.just(1), st.just(1)),
    st.builds(PendingFound, st.sampled_from(PENDING), FILE, NAMES, st.none(), st.just(False)),
    st.builds(PendingRecognised, st.sampled_from(PENDING), MODEL),
    st.builds(PendingImported, st.sampled_from(PENDING), MODEL, st.just("merged")),
    st.builds(ModelHashed, MODEL, st.just({"autov1": "abcdef01"})),
)
LEAF = st.one_of(
    st.builds(
        Word,
        TEXT.filter(fold) | st.sampled_from(["a", "ab", "lorem ab", "m ip", "1b_", "abcdef", "aaaaaa", ".pt", "水"]),
        st.sampled_from(["any", "any", "name"]),
    ),
    st.builds(Tagged, NAMES, st.sampled_from(["folded", "prefix", "exact"])),
    st.builds(Typed, st.sampled_from(["loras", "vae", "x"])),
    st.builds(Sized, st.sampled_from([0, 2, 5]), st.sampled_from([4, 5, 9])),
    st.builds(Added, st.integers(0, 10), st.integers(0, 30)),
    st.builds(Is, st.sampled_from(["missing", "offline", "present", "duplicate", "untagged", "favorite"])),
    st.builds(Hashed, st.sampled_from(["aaaa", "abcd", "11"])),
    st.builds(Path, st.sampled_from(["/m", "b/b", "m/a", "ab", "/", "b", "x/ab.p", "É"])),
)
PART = st.recursive(
    LEAF,
    lambda part: st.one_of(
        st.builds(Not, part),
        st.builds(All, st.lists(part, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(part, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)
ORDER = st.sampled_from(["best", "name", "-name", "added", "-size", "changed", "-changed"])


BASE: list[Event] = [
    RootAdded(1, "/m", "model", "loras"),
    RootAdded(2, "/n", "model", "loras"),
    RootCameOnline(1, 1, 1),
    RootCameOnline(2, 1, 2),
    TagCreated(1, "Ab"),
    TagCreated(2, "Bä 1"),
    ModelImported(MODELS[0], "Ab", "loras", 1, Texts("ab é")),
    LocationFound(MODELS[0], File("/m/ab.pt", 1, 1, 1, 1, 1)),
    ModelTagged(MODELS[0], 1),
    ModelImported(MODELS[1], "b a", "vae", 5, Texts(LONG + "ab_1")),
    LocationFound(MODELS[1], File("/n/b_1.pt", 2, 5, 1, 1, 2)),
]
PANEL: list[Part] = [
    *map(Word, ("a", "b_", "ab", "é", "b_1", "ab_", "ipsum", "a b", ".pt", "ab.pt")),
    *(Is(what) for what in ("missing", "offline", "present", "duplicate", "untagged", "favorite")),
    *map(Path, ("/m", "a b/b", "ab", "x/ab.p")),
    *map(Tagged, ("ab", "b")),
    Typed("loras"),
    Sized(2, 5),
    Hashed("abcd"),
]
NEW_WORDS = ("b", "ba", "_1", "1b", "a_", " a", "e", "/", "水", "bb", "a1")  # of which nothing is remembered


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.lists(EVENT, min_size=1, max_size=4), PART, ORDER), min_size=1, max_size=12), st.booleans()
)
@pytest.mark.slow
@pytest.mark.unhurried
def test_it_finds_what_a_look_at_every_row_would(story: list[tuple[list[Event], Part, Any]], ready: bool) -> None:
    """After whatever events: the same models, in the same order page by page, with the same counts."""
    library = Library(*BASE)
    for events, part, order in story:
        for each in PANEL:
            library.find(each)
        if ready:
            library.make_ready()
        library.write(*events)
        models = look(library.db)
        wanted = expected(models, part, order)
        assert library.pages(part, order, 2) == wanted
        page = library.find(part, order=order, facets=100)
        assert (page.total, counted(page)) == (len(wanted), expected_facets(models, wanted))
        assert [hashes(library.find(each)) for each in PANEL] == [expected(models, each, "best") for each in PANEL]
    for each in map(Word, NEW_WORDS):
        assert hashes(library.find(each)) == expected(look(library.db), each, "best")


def counted(page: Found) -> dict[str, dict[str, int]]:
    """Give the counts that come with a page."""
    assert page.facets is not None
    return {
        "tags": {each["name"]: each["count"] for each in page.facets["tags"]},
        "types": {each["type"]: each["count"] for each in page.facets["types"]},
    }


# Examples ---------------------------------------------------------------------------------------------


def test_a_write_is_found_by_the_next_search() -> None:
    """What was written between two searches is found, and what it took away is not."""
    library = Library(ModelImported("a1", "Ink", "loras", 1), TagCreated(1, "photo"))
    library.make_ready()
    before = [hashes(library.find(Word(word))) for word in ("ink", "wash", "photo")]

    library.write(ModelEdited("a1", Changes(name="Wash")), ModelTagged("a1", 1), ModelImported("b2", "Ink 2", "vae", 1))

    assert before == [["a1"], [], []]
    assert [hashes(library.find(Word(word))) for word in ("ink", "wash", "photo")] == [["b2", "a1"], ["a1"], ["a1"]]


@pytest.mark.parametrize("filling", ["", LONG, LONGER])
def test_pieces_of_words_follow_the_texts(filling: str) -> None:
    """Nothing finds a model by one or two letters, or by a word, that it held once, however long its texts are."""
    library = Library(ModelImported("a1", "Quiz", "loras", 1, Texts(filling + "jazz")))
    library.find(Typed("loras"))
    library.make_ready()

    library.write(ModelEdited("a1", Changes(name="x", description=filling + "fog")))

    found = {word: hashes(library.find(Word(word, "name"))) for word in ("q", "qu", "uiz", "x")}
    assert found == {"q": ["a1"], "qu": ["a1"], "uiz": ["a1"], "x": ["a1"]}  # it had the one, and has the other
    assert [hashes(library.find(Word(word))) for word in ("j", "az", "jazz", "fo", "fog")] == [
        [],
        [],
        [],
        ["a1"],
        ["a1"],
    ]


def test_best_matches_come_first() -> None:
    """A name that is the words, one that begins so, words' beginnings, parts of them; tags, files, texts; old names."""
    library = Library(
        RootAdded(1, "/m", "model", "loras"),
        TagCreated(1, "my ink"),
        ModelImported("07", "was ink", "loras", 1),
        ModelEdited("07", Changes(name="now")),
        ModelImported("06", "a", "loras", 1, Texts("drinks")),
        ModelImported("05", "b", "loras", 1),
        LocationFound("05", File("/m/pink.pt", 1, 1, 1, 1, 1)),
        ModelImported("04", "c", "loras", 1),
        ModelTagged("04", 1),
        ModelImported("03", "drink", "loras", 1),
        ModelImported("02", "an ink", "loras", 1),
        ModelImported("01", "inkwash", "loras", 1),
        ModelImported("00", "Ink", "loras", 1),
    )

    cards = [msgspec.json.decode(item) for item in library.find(Word("ink")).items]

    assert [card["sha256"] for card in cards] == [f"0{number}" for number in range(8)]
    assert [(card["found_by"], card["earlier"]) for card in cards[3:]] == [
        ("name", None),
        ("tag", None),
        ("file", None),
        ("text", None),
        ("earlier_name", "was ink"),
    ]


@pytest.mark.parametrize(
    ("part", "found_by"),
    [
        (Word("trig"), "trigger_words"),
        (Word("abcdef"), "hash"),
        (Hashed("abcd"), "hash"),
        (Typed("loras"), None),
        (All((Word("name"), Word("trig"))), "trigger_words"),
        (AnyOf((Word("name"), Word("trig"))), "name"),
    ],
)
def test_why_it_was_found(part: Part, found_by: str | None) -> None:
    """A card says where the words stand: of several that are all asked for where the least of them does."""
    library = Library(ModelImported("abcdef" * 10 + "0123", "Name", "loras", 1, Texts(trigger_words=("trig",))))

    (item,) = library.find(part).items

    assert msgspec.json.decode(item)["found_by"] == found_by


def test_facets_are_the_commonest() -> None:
    """Of the tags on what was found those of most models come first, and no more of them than were asked for."""
    models = [f"{number:064x}" for number in range(300)]
    library = Library(
        *(TagCreated(tag, f"tag {tag:03}") for tag in range(1, 300)),
        *(ModelImported(sha256, "x", "loras", 1) for sha256 in models),
        *(
            ModelTagged(sha256, tag)
            for number, sha256 in enumerate(models)
            for tag in {1, 2 + number % 298, 2 + number % 7}
        ),
    )

    page = library.find(Word("x"), facets=9, limit=1)

    counts = {f"tag {2 + number:03}": 42 + (number < 6) for number in range(7)} | {"tag 001": 300}
    assert page.facets is not None
    told = [(each["name"], each["count"]) for each in page.facets["tags"]]
    assert told[0] == ("tag 001", 300)
    assert {name for name, _ in told[:8]} == set(counts)
    assert len(told) == 9


def test_a_cursor_of_another_list_is_refused() -> None:
    """A cursor belongs to an order."""
    library = Library(*(ModelImported(f"a{number}", "x", "loras", 1) for number in range(3)))
    cursor = library.find(Word("x"), limit=1).next

    with pytest.raises(BadCursor):
        library.find(Word("x"), limit=1, cursor=cursor, order="size")


def test_other_read_tables_are_read_anew() -> None:
    """A finder that is asked of another file of read tables forgets what it knew of the last one."""
    first, second = Library(ModelImported("a1", "Ink", "loras", 1)), Library(ModelImported("b2", "Ink", "loras", 1))

    assert hashes(first.find(Word("ink"))) == ["a1"]
    assert hashes(first.finder.page(second.db, Word("ink"), limit=9, generation=1)) == ["b2"]


def test_a_look_at_some_of_many_models() -> None:
    """Pages in any order are right where more is found than is sorted, and where much changes at once."""
    models = [f"{number:064x}" for number in range(1_100)]
    library = Library(
        *(ModelImported(sha256, f"x {number % 7}", "loras", number % 5) for number, sha256 in enumerate(models))
    )
    for order in ("name", "-size", "added", "-changed"):
        assert library.pages(Word("x"), order, 500) == expected(look(library.db), Word("x"), order)

    library.write(*(ModelEdited(sha256, Changes(name=f"{number % 3} x")) for number, sha256 in enumerate(models[:400])))

    for order in ("best", "-name", "changed"):
        assert library.pages(Word("x"), order, 500) == expected(look(library.db), Word("x"), order)


@pytest.mark.parametrize("part", [All(()), Not(Typed("vae")), Typed("vae"), Word("x 3"), Hashed("0" * 62)])
def test_a_page_from_anywhere(part: Part) -> None:
    """A page begins behind any number of models, of all and of what is asked for; behind the last there is none."""
    models = [f"{number:064x}" for number in range(1_300)]
    library = Library(
        *(
            ModelImported(sha256, f"x {number % 7}", "vae" if number % 9 == 0 else "loras", number % 5)
            for number, sha256 in enumerate(models)
        )
    )
    for order in ("best", "name", "-name", "-size", "changed"):
        wanted = expected(look(library.db), part, order)
        for offset in (0, 1, 99, len(wanted) // 2 + 1, len(wanted) - 3, len(wanted) - 1, len(wanted), 5_000):
            page = library.find(part, order=order, limit=10, offset=offset)
            assert (hashes(page), page.total) == (wanted[offset : offset + 10], len(wanted)), (order, offset)
            rest = library.find(part, order=order, cursor=page.next, limit=10) if page.next else None
            assert (hashes(rest) if rest else []) == wanted[offset + 10 : offset + 20], (order, offset)


def test_what_is_made_ready_before_the_first_search_is_in_step() -> None:
    """Somebody may look at the library first: what was read then is followed, and finds what was written since."""
    library = Library(ModelImported("a1", "Ink", "loras", 1))
    assert not library.finder.has_begun

    library.make_ready()
    assert library.finder.has_begun
    library.write(ModelImported("b2", "Inkwell", "loras", 1), ModelEdited("a1", Changes(name="Wash")))

    assert hashes(library.find(Word("ink"))) == ["b2", "a1"]


def test_what_is_made_ready_after_a_write_is_in_step() -> None:
    """What is read in the background between a write and the next search is that of the write, too."""
    models = [f"{number:064x}" for number in range(40)]
    library = Library(*(ModelImported(sha256, f"x {number}", "loras", number) for number, sha256 in enumerate(models)))
    library.find(Word("x"))

    for number, sha256 in enumerate(models):
        library.write(ModelEdited(sha256, Changes(name=f"x {99 - number}")))
    library.write(ModelImported("f" * 64, "x last", "loras", 3))
    library.make_ready()

    for order in ("best", "name", "-changed", "added", "size"):
        library.write(ModelEdited(models[7], Changes(name=f"x {order}")))
        assert library.pages(Word("x"), order, 9) == expected(look(library.db), Word("x"), order)
