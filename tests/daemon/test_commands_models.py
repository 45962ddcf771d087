"""The command `models`: the language of searches on the command line."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.__main__ import main
from hikaze.daemon.commands.language import ROWS, markdown, screen, with_query_kept
from hikaze.daemon.names import canonical_type
from hikaze.projections.parts import Word, text_of
from hikaze.projections.query import BadQuery, parse

from .test_commands import MODEL, OTHER, SHA

Hikazed = Callable[..., tuple[int, str, str]]
WHERE = "/api/models"
FOUND = {
    "items": [MODEL | {"found_by": "name", "earlier": None}],
    "next": None,
    "total": 1,
    "facets": {"tags": [{"name": "anime", "count": 1200}], "types": [{"type": "loras", "count": 1}]},
}
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def hikazed(daemon: Any, capsys: pytest.CaptureFixture[str]) -> Hikazed:
    """Give what runs a command against the stand-in: exit code, what it printed, what it complained of."""

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(["--socket", daemon.socket, *argv])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        (["anime", "girl"], "anime girl"),
        (["anime girl"], "anime girl"),
        (['"anime girl"', "tag:x"], '"anime girl" tag:x'),
        (["anime", "-tag:x"], "anime -tag:x"),
        (["-hair"], "-hair"),
        (["-hair -eyes", "OR", "-x"], "-hair -eyes OR -x"),
        (["--json", "-x"], "-x"),
        (["--type", "vae", "-x"], "-x"),
        (["--", "-x"], "-x"),
    ],
)
def test_several_arguments_are_one_query(daemon: Any, hikazed: Hikazed, argv: list[str], asked: str) -> None:
    """What is said reaches the daemon as it was said, a minus before a word included."""
    daemon.says("GET", WHERE, FOUND)

    assert hikazed("models", *argv)[0] == 0
    assert daemon.asked[0].query["q"] == [asked]


def test_other_commands_keep_their_options() -> None:
    """Only a query has words that begin with a minus."""
    argv = ["--data", "models", "tag", "x", "-h"]
    assert with_query_kept(argv) == argv


def test_how_many_were_found_is_said(daemon: Any, hikazed: Hikazed) -> None:
    """Below the table stands the total, and how many of it are shown."""
    daemon.says("GET", WHERE, FOUND | {"total": 1234, "next": "c"})

    _, out, _ = hikazed("models", "one", "--limit", "1", "--sort", "best")
    assert out.splitlines()[-1] == "1 of 1,234 models"
    assert daemon.asked[0].query == {"q": ["one"], "limit": ["1"], "sort": ["best"]}


def test_facets_are_counted_below_the_table(daemon: Any, hikazed: Hikazed) -> None:
    """With `--facets` come the types and tags of what is found, each with its count."""
    daemon.says("GET", WHERE, FOUND)

    _, out, _ = hikazed("models", "one", "--facets")
    assert daemon.asked[0].query["facets"] == ["100"]
    assert out.splitlines()[2:] == [
        "1 model",
        "",
        "TYPE   MODELS",
        "loras       1",
        "",
        "TAG    MODELS",
        "anime   1,200",
    ]


def test_a_name_it_had_is_marked(daemon: Any, hikazed: Hikazed) -> None:
    """A model that is found by what it was called before says so."""
    daemon.says(
        "GET", WHERE, FOUND | {"items": [MODEL | {"name": "Now", "found_by": "earlier_name", "earlier": "Then"}]}
    )

    assert hikazed("models", "then")[1].splitlines()[1].startswith("Now (before: Then)  loras")


@pytest.mark.parametrize("limit", [[], ["--limit", "1"]])
def test_json_is_the_answer_of_the_api(daemon: Any, hikazed: Hikazed, limit: list[str]) -> None:
    """A script gets total and facets, too."""
    daemon.says("GET", WHERE, FOUND)

    assert json.loads(hikazed("models", "one", "--json", *limit)[1]) == FOUND


def test_all_pages_are_one_answer(daemon: Any, hikazed: Hikazed) -> None:
    """Items of later pages follow those of the first, whose total and facets they share."""
    daemon.says("GET", WHERE, FOUND | {"next": "c", "total": 2})
    daemon.says("GET", WHERE, {"items": [MODEL | {"sha256": OTHER}], "next": None, "total": 2})

    told = json.loads(hikazed("models", "one", "--json")[1])
    assert [each["sha256"] for each in told["items"]] == [SHA, OTHER]
    assert {name: told[name] for name in told if name != "items"} == {
        "next": None,
        "total": 2,
        "facets": FOUND["facets"],
    }


@pytest.mark.parametrize(
    ("asked", "at", "column"), [("a (b", 2, 2), ("", 0, 0), ("猫 (b", 2, 3), ("\x1b(b", 1, 4), ("e\u0301 (", 3, 2)]
)
def test_a_slip_is_shown_where_it_is(daemon: Any, hikazed: Hikazed, asked: str, at: int, column: int) -> None:
    """The query is printed with a mark below the place, however wide the letters before it are."""
    problem = {"status": 422, "detail": "this parenthesis is not closed at character 3; close it", "at": at}
    daemon.says("GET", WHERE, problem, 422)

    code, out, err = hikazed("models", asked)
    lines = err.splitlines()
    assert (code, out, len(lines)) == (1, "", 3)
    assert lines[1] == " " * column + "^"
    assert lines[2] == f"hikazed: {problem['detail']}"


@pytest.mark.parametrize("name", ["plain", 'with "quotes"', "a: b (v2) OR -c", "tag:x", "x" * 500])
def test_a_name_that_looks_like_a_query_is_a_name(daemon: Any, hikazed: Hikazed, name: str) -> None:
    """What takes a model asks for its name, whatever that would mean as a query."""
    daemon.says("GET", WHERE, {"items": [MODEL | {"name": name}], "next": None})
    daemon.says("GET", f"{WHERE}/{SHA}", MODEL)

    assert hikazed("show", name)[0] == 0
    (asked,) = daemon.asked[0].query["q"]
    assert parse(asked, now_ms=0, type_of=str) == Word(name, "name")
    assert asked == text_of(Word(name, "name"))


# The language, told ------------------------------------------------------------------------------------


def test_the_help_ends_with_the_language(capsys: pytest.CaptureFixture[str]) -> None:
    """`hikazed models --help` tells all of it on one screen."""
    with pytest.raises(SystemExit):
        main(["models", "--help"])

    assert capsys.readouterr().out.rstrip().endswith(screen())
    assert all(len(line) <= 120 for line in screen().splitlines())


def test_the_page_about_searching_tells_the_same() -> None:
    """docs/search.md holds the same table, is one screen long, and is linked from the README."""
    told = (REPOSITORY / "docs" / "search.md").read_text()

    assert markdown() in told
    assert len(told.splitlines()) <= 45
    assert "docs/search.md" in (REPOSITORY / "README.md").read_text()


@pytest.mark.parametrize("written", [one for row in ROWS for one in row[0].split("   ")])
def test_every_example_is_a_query(written: str) -> None:
    """What the table shows can be asked."""
    parse(written, now_ms=0, type_of=canonical_type)


def test_every_field_is_told() -> None:
    """The table names each field that there is."""
    with pytest.raises(BadQuery) as caught:
        parse("nothing:x", now_ms=0, type_of=str)

    fields = re.findall(
        r"\w+", str(caught.value).partition("the fields are")[2].partition(";")[0].replace(" and ", " ")
    )
    assert len(fields) == 9
    assert [field for field in fields if f"{field}:" not in screen()] == []
