"""A query is read once into one object; what cannot be read is refused with its place and a cure."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hikaze.daemon.names import canonical_type
from hikaze.projections.amounts import FIRST_MS, LAST_MS, MOST_BYTES
from hikaze.projections.parts import (
    STATES,
    Added,
    All,
    Any,
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
    asks_for_words,
    text_of,
)
from hikaze.projections.query import MOST_CHARACTERS, MOST_DEPTH, MOST_TERMS, BadQuery, parse
from hikaze.projections.text import fold
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000
DAY = 24 * HOUR
KIB, MIB, GIB = 1024, 1024**2, 1024**3


def read(text: str) -> Part:
    """Read a query in UTC, with the types that ComfyUI has."""
    return parse(text, now_ms=NOW, type_of=canonical_type)


def ms(*date: int) -> int:
    """Give when a day or a time begins."""
    return int(datetime(*date, tzinfo=UTC).timestamp() * 1000)


A, B, C = Word("a"), Word("b"), Word("c")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", All(())),
        (" \t\u3000 ", All(())),
        ("a", A),
        ("a b", All((A, B))),
        ("a AND b", All((A, B))),
        ("a and b", All((A, Word("and"), B))),
        ("a OR b", Any((A, B))),
        ("a or b", All((A, Word("or"), B))),
        ("a b OR c", Any((All((A, B)), C))),
        ("a OR b AND c", Any((A, All((B, C))))),
        ("(a OR b) c", All((Any((A, B)), C))),
        ("a (b c)", All((A, All((B, C))))),
        ("(a)", A),
        ("((a))", A),
        ("-a", Not(A)),
        ("NOT a", Not(A)),
        ("not a", All((Word("not"), A))),
        ("NOT(a b)", Not(All((A, B)))),
        ("--a", Not(Not(A))),
        ("-NOT a", Not(Not(A))),
        ("-(a OR b) c", All((Not(Any((A, B))), C))),
        ('-"a b"', Not(Word("a b"))),
        ("-tag:a", Not(Tagged("a"))),
        ("a OR -b", Any((A, Not(B)))),
        ("a-b", Word("a-b")),
        ("AND-b", Word("AND-b")),
        ('"a b"', Word("a b")),
        ('" a "', Word(" a ")),
        ('"OR"', Word("OR")),
        ('"-a"', Word("-a")),
        ("“a b”", Word("a b")),
        ("„a b“", Word("a b")),
        ('“a "b" c”', Word('a "b" c')),
        ('"a ""b"" c"', Word('a "b" c')),
        ('"""a"', Word('"a')),
        ('a"b c"', All((A, Word("b c")))),
        ("it's", Word("it's")),
        ("name(v2)", Word("name(v2)")),
        ("(name(v2) OR b)", Any((Word("name(v2)"), B))),
        ("a(b c)", All((A, All((B, C))))),
        ("e\u0301té", Word("e\u0301té")),
        ("日", Word("日")),
        ("12:30", Word("12:30")),
        ("https://civitai.com/models/1", Word("https://civitai.com/models/1")),
        (r"C:\models", Word(r"C:\models")),
        ("<lora:a:1>", Word("<lora:a:1>")),
        ("a_b:c", Word("a_b:c")),
        ("name:a", Word("a", "name")),
        ('NAME:"a b"', Word("a b", "name")),
        ("tag:a", Tagged("a")),
        ('tag:"a b"', Tagged("a b")),
        ("tag:“a b”", Tagged("a b")),
        ("tag:a*", Tagged("a", "prefix")),
        ('tag:"a b*"', Tagged("a b", "prefix")),
        ("tag:*", Tagged("", "prefix")),
        ("tag:a*b", Tagged("a*b")),
        ("tag:re:zero", Tagged("re:zero")),
        ("tag:-a", Tagged("-a")),
        ("(tag:a)", Tagged("a")),
        ("type:lora", Typed("loras")),
        ("type:ipadapter", Typed("ipadapter")),
        ("is:missing", Is("missing")),
        ("is:Favourite", Is("favorite")),
        ("hash:ABCD", Hashed("abcd")),
        (r"path:flux\styles", Path("flux/styles")),
        ("path:/m/flux", Path("/m/flux")),
        (r'path:"C:\my models\"', Path("C:/my models/")),
        ("path://nas/x", Path("//nas/x")),
    ],
)
def test_what_a_query_asks_for(text: str, part: Part) -> None:
    """Words, phrases, fields, NOT, AND, OR and groups."""
    assert read(text) == part


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        (">2gb", 2 * GIB + 1, MOST_BYTES),
        (">=2GB", 2 * GIB, MOST_BYTES),
        ("<2gib", 0, 2 * GIB - 1),
        ("<=2g", 0, 2 * GIB),
        ("2gb", 3 * GIB // 2, 5 * GIB // 2 - 1),
        ("2.5kb", 2509, 2611),
        ("2,5kb", 2509, 2611),
        ("100", 100, 100),
        ("100b", 100, 100),
        ("0", 0, 0),
        ("1gb..2gb", GIB, 2 * GIB),
        ("1..2mb", MIB, 2 * MIB),
        ("500mb..1gb", 500 * MIB, GIB),
        ("<0", 0, -1),
        (">9999999999999999999tb", 0, -1),
        ("<9999999999999999999tb", 0, MOST_BYTES),
        ("1.5tb..2tb", 3 * 1024**4 // 2, 2 * 1024**4),
        ("1.2b..1.8b", 0, -1),
    ],
)
def test_sizes(text: str, least: int, most: int) -> None:
    """A size alone means about so much; a sign or a range is meant exactly."""
    assert read("size:" + text) == Sized(least, most)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("<30d", NOW - 30 * DAY + 1, LAST_MS),
        ("<=30d", NOW - 30 * DAY, LAST_MS),
        (">1y", FIRST_MS, NOW - 365 * DAY - 1),
        ("<36h", NOW - 36 * HOUR + 1, LAST_MS),
        ("<2W", NOW - 14 * DAY + 1, LAST_MS),
        ("<1m", NOW - 30 * DAY + 1, LAST_MS),
        ("<1mo", NOW - 30 * DAY + 1, LAST_MS),
        ("<1.5d", NOW - 36 * HOUR + 1, LAST_MS),
        ("3d", NOW - 84 * HOUR + 1, NOW - 60 * HOUR),
        ("1..2w", NOW - 14 * DAY, NOW - 7 * DAY),
        (">9999999y", FIRST_MS, FIRST_MS),
        ("2026", ms(2026, 1, 1), ms(2027, 1, 1) - 1),
        ("2026-11", ms(2026, 11, 1), ms(2026, 12, 1) - 1),
        ("2026-12", ms(2026, 12, 1), ms(2027, 1, 1) - 1),
        ("2026-1-2", ms(2026, 1, 2), ms(2026, 1, 3) - 1),
        (">2026-01", ms(2026, 2, 1), LAST_MS),
        (">=2026-01", ms(2026, 1, 1), LAST_MS),
        ("<2026-01-01", FIRST_MS, ms(2026, 1, 1) - 1),
        ("<=2026-01-01", FIRST_MS, ms(2026, 1, 2) - 1),
        ("2026-01..2026-03", ms(2026, 1, 1), ms(2026, 4, 1) - 1),
        ("2026-01-01T10:30", ms(2026, 1, 1, 10, 30), ms(2026, 1, 1, 10, 31) - 1),
        ("9999", ms(9999, 1, 1), LAST_MS),
        (">9999", LAST_MS, LAST_MS),
        ("<0001", FIRST_MS, FIRST_MS),
    ],
)
def test_times(text: str, since: int, until: int) -> None:
    """An age is counted from now; a date means all of its year, month or day."""
    assert read("added:" + text) == Added(since, until)


def test_dates_are_those_of_a_place() -> None:
    """A day begins when it begins there; a time that says Z is UTC everywhere."""
    there = timezone(timedelta(hours=9))

    def read_there(text: str) -> Part:
        return parse(text, now_ms=NOW, type_of=str, zone=there)

    assert read_there("added:2026-11-23") == Added(ms(2026, 11, 22, 15), ms(2026, 11, 23, 15) - 1)
    assert read_there("added:>=2026-11-23T00:00Z") == Added(ms(2026, 11, 23), LAST_MS)
    here = parse("added:2026", now_ms=NOW, type_of=str, zone=None)
    assert isinstance(here, Added)
    assert abs(here.since - ms(2026, 1, 1)) <= DAY


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ('a "b', 2, "quotation mark is not closed"),
        ("a “b", 2, "quotation mark is not closed"),
        ('a "', 2, "quotation mark is not closed"),
        ('a ""', 2, "between these quotation marks"),
        ('a " "', 2, "between these quotation marks"),
        ("a -", 2, "minus stands alone"),
        ("- a", 0, "minus stands alone"),
        ("(a -)", 3, "minus stands alone"),
        ("a ()", 2, "parentheses are empty"),
        ("a ( )", 2, "parentheses are empty"),
        ("a (b", 2, "parenthesis is not closed"),
        ("a (", 2, "parenthesis is not closed"),
        ("(a (b)", 0, "parenthesis is not closed"),
        ("a)", 1, "would close"),
        (") a", 0, "would close"),
        ("OR a", 0, "before this OR"),
        ("a OR", 2, "behind this OR"),
        ("a OR OR b", 2, "behind this OR"),
        ("a OR )", 2, "behind this OR"),
        ("(OR a)", 1, "before this OR"),
        ("AND", 0, "before this AND"),
        ("a AND", 2, "behind this AND"),
        ("a AND OR b", 2, "behind this AND"),
        ("a OR AND b", 2, "behind this OR"),
        ("a NOT", 2, "behind this NOT"),
        ("NOT OR a", 0, "behind this NOT"),
        ("a foo:bar", 2, 'no field "foo" at character 3; the fields are tag, type, size'),
        ("a foo:bar", 2, '"foo:bar"'),
        ("模型:x", 0, 'no field "模型"'),
        ("x:y", 0, 'no field "x"'),
        ("tag:", 4, "tag: lacks its value"),
        ("tag: a", 4, "tag: lacks its value"),
        ("(tag:)", 5, "tag: lacks its value"),
        ('tag:""', 4, "between these quotation marks"),
        ("tag:(a OR b)", 4, "(tag:a OR tag:b)"),
        ('a type:"b c"', 8, "no type"),
        ("size:", 5, "lacks its value"),
        ("size:>", 6, "number or a date is missing"),
        ("size:big", 5, "no number"),
        ("size:-1", 5, "no number"),
        ("size:1.5.2gb", 8, "no number"),
        ("size:>2xb", 7, "no unit xb"),
        ("size:>1gb..2gb", 5, "takes no sign"),
        ("size:1gb..", 10, "two ends"),
        ("size:..1gb", 5, "two ends"),
        ("size:2gb..1gb", 10, "ends before it begins"),
        ("size:99999999999999999999", 24, "no number"),
        ("added:30", 8, "unit is missing"),
        ("added:30x", 8, "no unit x"),
        ("added:2026-13", 6, "no such date"),
        ("added:2026-02-30", 6, "no such date"),
        ("added:2026-x", 6, "no date"),
        ("added:2026-03..2026-01", 15, "ends before it begins"),
        ("added:2026-01..3d", 15, "no date"),
        ("is:lost", 3, "is: missing, offline"),
        ("hash:abc", 5, "4 to 64"),
        ("hash:abcx", 8, "only the digits"),
        ("hash:" + "a" * 65, 5, "4 to 64"),
        ("a \u0301", 2, "only marks"),
        ("a \ud800b", 2, "half a character"),
        ("a " * MOST_TERMS + "b", 2 * MOST_TERMS, "at most 50"),
        ("(" * (MOST_DEPTH + 1) + "a", MOST_DEPTH, "too deep"),
        ("-" * (MOST_DEPTH + 1) + "a", MOST_DEPTH, "too deep"),
        ("a" * (MOST_CHARACTERS + 1), MOST_CHARACTERS, "2,000 characters"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, at: int, says: str) -> None:
    """The place is that of the character where it goes wrong, and the sentence says how to mend it."""
    with pytest.raises(BadQuery) as caught:
        read(text)

    assert (caught.value.at, says in str(caught.value)) == (at, True), str(caught.value)
    assert f"at character {at + 1}" in str(caught.value)


@pytest.mark.parametrize("text", ["a " * MOST_TERMS, "(" * MOST_DEPTH + "a" + ")" * MOST_DEPTH, "a" * MOST_CHARACTERS])
def test_the_bounds_are_within(text: str) -> None:
    """As much as is allowed is read."""
    read(text)


# Whatever is written ----------------------------------------------------------------------------------

PIECES = st.one_of(
    st.sampled_from(
        [
            " ",
            "(",
            ")",
            '"',
            "“",
            "”",
            "-",
            "NOT ",
            " OR ",
            " AND ",
            ":",
            "*",
            "..",
            ">",
            "<=",
            "\\",
            "/",
            "\0",
            "\ud800",
        ]
    ),
    st.sampled_from(
        ["tag:", "type:", "size:", "added:", "used:", "is:", "hash:", "path:", "name:", "foo:", "http://", "missing"]
    ),
    st.sampled_from(["2gb", "1.5", "30d", "2026-11", "abcd", "0001", "9999", "9" * 20, "a", "é", "猫", "ß", "\u0301"]),
    st.text(max_size=6),
)


@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from([UTC, None]))
def test_no_input_raises_anything_else(text: str, zone: tzinfo | None) -> None:
    """Every text is a query or is refused, at a place within it or right behind it."""
    part = what_became_of(text, zone)

    if isinstance(part, BadQuery):
        assert 0 <= part.at <= len(text)
        assert str(part)
    else:
        assert read(text_of(part)) == part


def what_became_of(text: str, zone: tzinfo | None) -> Part | BadQuery:
    """Give what a text says, or why it says nothing."""
    try:
        return parse(text, now_ms=NOW, type_of=canonical_type, zone=zone)
    except BadQuery as bad:
        return bad


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda text: bool(fold(text) and text.strip())
)
TIMES = st.integers(FIRST_MS, LAST_MS)
SIZES = st.integers(0, MOST_BYTES)
TERMS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Word, TEXTS, st.sampled_from(["any", "name"])),
    st.builds(Tagged, TEXTS.filter(lambda name: not name.endswith("*"))),
    st.builds(Tagged, st.one_of(st.just(""), TEXTS), st.just("prefix")),
    st.builds(Typed, st.sampled_from(["loras", "ipadapter", "text_encoders"])),
    st.tuples(SIZES, SIZES).map(lambda two: Sized(min(two), max(two))),
    st.tuples(TIMES, TIMES).map(lambda two: Added(min(two), max(two))),
    st.tuples(TIMES, TIMES).map(lambda two: Used(min(two), max(two))),
    st.builds(Is, st.sampled_from(STATES)),
    st.builds(Hashed, st.text("0123456789abcdef", min_size=4, max_size=64)),
    st.builds(Path, TEXTS.filter(lambda text: "\\" not in text)),
)
PARTS: st.SearchStrategy[Part] = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Any(tuple(parts))),
    ),
    max_leaves=12,
)


@given(PARTS)
@settings(max_examples=300)
def test_what_is_written_out_is_read_back(part: Part) -> None:
    """A part, written out and read, is the same part."""
    assert read(text_of(part)) == part


@pytest.mark.parametrize(
    ("text", "has"),
    [("a", True), ("tag:a", False), ("-a", False), ("tag:a OR (size:>1gb b)", True), ("name:a", True), ("", False)],
)
def test_words_are_what_can_be_matched_better_or_worse(text: str, has: bool) -> None:
    """A query that asks for a word has best matches; one that only forbids a word has none."""
    assert asks_for_words(read(text)) is has
