"""The ledger of promises is judged itself: what was kept is in order, what was not is found."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from . import ledger, truth
from .ledger import Asked, Ledger
from .truth import Candidate, Tables

Json = Any
MODEL = "a" * 64
TEXTS = (
    '{"description": "mine", "community_links": "", "prompts": {"positive": "", "negative": ""}, "trigger_words": []}'
)
EMPTY = TEXTS.replace("mine", "")
WAITS = Candidate(1, "/a", "waiting", 1, 1, 1, "", in_place=True, written=True)


def log(*events: tuple[str, Json]) -> list[Json]:
    """Give events as the API does; all are of one action."""
    return [
        {"position": at, "type": kind, "data": data, "action": "x"} for at, (kind, data) in enumerate(events, start=1)
    ]


def held(changes: list[Asked], events: list[Json], tables: Tables, shows: int | None = None) -> Ledger:
    """Hold changes against a library whose pictures all show one number."""
    return Ledger(changes, events, ledger.told(events), tables, lambda _model, _seq: shows, lambda _pending: shows)


def done(do: str, subject: Json, value: Json, position: int, **answer: Json) -> Asked:
    """Give a change that was acknowledged."""
    return Asked(0, do, subject, value, 200, {"position": position} | answer)


FOUND = ("pending-found", {"pending": 1})
TEXT = ("pending-edited", {"pending": 1, "changes": {"description": "mine"}})
TAG = ("tag-created", {"tag": 4, "name": "t"})
TAGGED = ("pending-tagged", {"pending": 1, "tag": 4})
BORN = ("model-imported", {"model": MODEL, "name": "m", "texts": {"description": "mine"}})
BORN_EMPTY = ("model-imported", {"model": MODEL, "name": "m"})
CARRIED = ("model-tagged", {"model": MODEL, "tag": 4})
PICTURE = ("image-added", {"model": MODEL, "seq": 0})
IMPORTED = ("pending-imported", {"pending": 1, "model": MODEL, "status": "imported"})
MERGED = ("pending-imported", {"pending": 1, "model": MODEL, "status": "merged"})
DELETED = ("pending-imported", {"pending": 1, "model": MODEL, "status": "deleted"})
ANOTHER = ("pending-edited", {"pending": 1, "changes": {"description": "other"}})
DISMISSED = ("pending-dismissed", {"pending": 1})

NOTHING = Tables({}, [], [], [], {}, {}, {}, {}, {}, {}, frozenset())
LISTED = replace(NOTHING, pending=[WAITS], texts={1: TEXTS}, pending_tags={1: frozenset("t")})
A_MODEL = replace(NOTHING, models={MODEL: TEXTS}, model_tags={MODEL: frozenset("t")}, images={MODEL: [0]})
WROTE = done("pending-text", 1, {"description": "mine"}, 2)
PUT_ON = done("pending-tag", 1, "t", 4)
SHOWED = done("pending-picture", 1, 9, 1)
UPLOADED = done("model-picture", MODEL, 9, 2, seq=0)


@pytest.mark.parametrize(
    ("changes", "events", "tables"),
    [
        ([WROTE, PUT_ON, SHOWED], [FOUND, TEXT, TAG, TAGGED], LISTED),
        ([WROTE, PUT_ON, SHOWED], [FOUND, TEXT, TAG, TAGGED, BORN, CARRIED, PICTURE, IMPORTED], A_MODEL),
        ([WROTE, SHOWED], [FOUND, TEXT, TAG, TAGGED, DELETED], NOTHING),
        ([WROTE, SHOWED], [FOUND, TEXT, DISMISSED], NOTHING),
        ([UPLOADED], [BORN, PICTURE], replace(A_MODEL, model_tags={})),
        ([replace(WROTE, status=None)], [FOUND], NOTHING),
        ([replace(WROTE, status=404)], [FOUND], NOTHING),
    ],
)
def test_what_was_kept_is_in_order(changes: list[Asked], events: list[Json], tables: Tables) -> None:
    """A promise is kept where it was made, or where an import carried it; deleting and dismissing end it."""
    book = held(changes, log(*events), tables, shows=9)

    assert [*book.lost(), *book.apart(), *book.story.duplicates] == []


@pytest.mark.parametrize(
    ("changes", "events", "tables", "what"),
    [
        ([replace(WROTE, answer={"position": 9})], [FOUND, TEXT], LISTED, "no event 9"),
        ([WROTE], [FOUND, ANOTHER], LISTED, "no such edit"),
        ([WROTE], [FOUND, TEXT], NOTHING, "gone from the list"),
        ([WROTE], [FOUND, TEXT, BORN_EMPTY, MERGED], A_MODEL, "did not come along"),
        ([PUT_ON], [FOUND, TEXT, TAG, TAGGED, BORN, MERGED], A_MODEL, "did not come along"),
        ([PUT_ON], [FOUND, TEXT, TAG, TAGGED], replace(LISTED, pending_tags={}), "has lost the tag"),
        ([done("model-tag", MODEL, "t", 1)], [BORN], replace(A_MODEL, model_tags={}), "has lost the tag"),
        ([done("model-picture", MODEL, 9, 1, seq=1)], [BORN, PICTURE], A_MODEL, "no such picture"),
        ([done("model-picture", MODEL, 8, 1, seq=0)], [BORN, PICTURE], A_MODEL, "shows 9"),
        ([SHOWED], [FOUND, BORN, IMPORTED], A_MODEL, "the pictures that came along show []"),
        ([done("dismiss", 1, None, 1)], [FOUND], LISTED, "does not tell"),
        ([done("import", 1, None, 1, status="imported", sha256=MODEL)], [FOUND], NOTHING, "the model is gone"),
    ],
)  # fmt: skip
def test_a_broken_promise_is_found(changes: list[Asked], events: list[Json], tables: Tables, what: str) -> None:
    """Whatever was acknowledged and is not there is named."""
    assert any(what in line for line in held(changes, log(*events), tables, shows=9).lost())


@pytest.mark.parametrize(
    ("events", "tables", "what"),
    [
        ([FOUND, TEXT], replace(LISTED, texts={1: EMPTY}, pending_tags={}), "the texts of 1"),
        ([FOUND], LISTED, "the tags of 1"),
        ([], A_MODEL, "in the tables, and not in the log"),
        ([BORN], NOTHING, "in the log, and not in the tables"),
        ([BORN, PICTURE], replace(A_MODEL, images={}), "only in one of"),
        ([FOUND, TEXT], LISTED, "which nobody wrote"),
    ],
)
def test_tables_apart_from_the_log_are_found(events: list[Json], tables: Tables, what: str) -> None:
    """What the tables have is what the log tells, and the log has no words that nobody wrote."""
    assert any(what in line for line in held([], log(*events), tables).apart())


@pytest.mark.parametrize("twice", [[FOUND, FOUND], [FOUND, IMPORTED, MERGED], [BORN, PICTURE, PICTURE]])
def test_what_is_there_twice_is_found(twice: list[tuple[str, Json]]) -> None:
    """An id, an import and the number of a picture are used once."""
    assert ledger.told(log(*twice)).duplicates


def test_the_journal_may_end_in_the_midst(tmp_path: Path) -> None:
    """A request without an answer is one that may have been done or not; a torn line is left out."""
    path = tmp_path / "journal"
    path.write_text('{"n": 1, "do": "dismiss", "subject": 3, "value": null}\n{"n": 1, "status": 200, "answer": {}}\n'
                    '{"n": 2, "do": "dismiss", "subject": 4, "value": null}\n{"n": 2, "sta')  # fmt: skip

    assert [(one.number, one.promised) for one in ledger.asked(path)] == [(1, True), (2, False)]
    assert truth.as_json(EMPTY)["description"] == ""
