"""What is kept: the log refuses to be changed, and everything else comes back from it."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hikaze.events.catalog import EVENTS, Event
from hikaze.events.codec import Codec
from hikaze.events.log import EventLog
from hikaze.events.record import New
from hikaze.projections import tags

from .harness import Daemon, Make, picture, png


def fill(daemon: Daemon) -> None:
    """Bring in a few of everything."""
    for seed in range(3):
        picture(daemon.drop / f"{seed}.png")
        daemon.put_lora(daemon.drop / f"{seed}.safetensors", seed)
    daemon.wait_for(lambda: len([one for one in daemon.pending() if one["image"]]) == 3, what="all are pending")
    first, second, third = (one["id"] for one in daemon.pending())
    one = daemon.import_one(first).json["sha256"]
    two = daemon.import_one(second).json["sha256"]
    daemon.patch(f"/api/migration/pending_model?id={third}", {"tags": ["Waiting"], "name": "Third"})
    daemon.patch(f"/api/models/{one}", {"tags": ["A", "b"], "favorite": True, "trigger_words": ["w"]})
    daemon.patch(f"/api/models/{two}", {"tags": ["a", "c"], "description": "two"})
    assert daemon.upload("/api/images/upload", png(), sha256=one).status == 200
    daemon.patch(f"/api/models/{one}", {"cover": 1})
    tag = next(tag for tag in daemon.get("/api/tags")["items"] if tag["name"] == "c")
    daemon.patch(f"/api/tags/{tag['id']}", {"name": "A"})
    (daemon.loras / Path(daemon.model(two)["path"]).name).unlink()
    daemon.wait_for(lambda: daemon.model(two)["state"] == "missing", what="one is missing")


def everything(daemon: Daemon) -> dict[str, Any]:
    """Give all that the API shows, and all rows of the tables."""
    db = sqlite3.connect(f"file:{daemon.data / 'views.db'}?mode=ro", uri=True)
    try:
        tables = [
            row[0]
            for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'")
        ]
        plain = [
            name for name in tables if "words_" not in name and "view_positions" not in name and "sqlite_" not in name
        ]
        rows = {name: sorted(map(repr, db.execute(f"SELECT * FROM {name}"))) for name in plain}  # noqa: S608
    finally:
        db.close()
    return {
        "rows": rows,
        "models": [daemon.model(one["sha256"]) for one in daemon.models()],
        "pending": [daemon.get("/api/migration/pending_model", id=one["id"]) for one in daemon.pending()],
        "tags": daemon.get("/api/tags"),
        "types": daemon.get("/api/models/get_types"),
    }


@pytest.mark.slow
def test_views_come_back(daemon: Daemon) -> None:
    """Deleting `views.db`, spoiling it, or raising a view's version rebuilds the same tables at the next start."""
    fill(daemon)
    before = everything(daemon)
    assert daemon.stop() == 0
    for path in daemon.data.glob("views.db*"):
        path.unlink()
    daemon.start()
    assert everything(daemon) == before

    assert daemon.stop() == 0
    for path in daemon.data.glob("views.db-*"):
        path.unlink()
    (daemon.data / "views.db").write_bytes(b"this is no database" * 1000)
    daemon.start()
    assert everything(daemon) == before

    assert daemon.stop() == 0
    db = sqlite3.connect(daemon.data / "views.db")
    db.execute("UPDATE view_positions SET version = ? WHERE view = 'tags'", (tags.VERSION - 1,))
    db.execute("UPDATE tags SET name = 'spoiled' WHERE name = 'b'")
    db.commit()
    db.close()
    daemon.start()
    assert everything(daemon) == before
    assert not list(daemon.data.glob("views.db.*"))


def test_the_log_is_append_only(daemon: Daemon) -> None:
    """The database itself refuses to change or remove an event, and it is written durably."""
    daemon.post("/api/tags", {"name": "x"})
    assert daemon.stop() == 0
    db = sqlite3.connect(daemon.data / "log.db")
    try:
        (table,) = db.execute("SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' LIMIT 1").fetchone()
        for statement in (f"UPDATE {table} SET actor = 'me'", f"DELETE FROM {table}"):  # noqa: S608
            with pytest.raises(sqlite3.DatabaseError):
                db.execute(statement)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        db.close()


@pytest.mark.slow
def test_a_damaged_log_is_told_of(make_daemon: Make) -> None:
    """A flipped byte in an event is found when it is read, and nothing is built on it."""
    daemon = make_daemon().start()
    daemon.post("/api/tags", {"name": "a name to look for"})
    assert daemon.stop() == 0
    content = bytearray((daemon.data / "log.db").read_bytes())
    where = content.index(b"a name to look for")
    content[where] ^= 1
    (daemon.data / "log.db").write_bytes(content)
    for path in daemon.data.glob("views.db*"):
        path.unlink()

    daemon.start(wait=False)

    assert daemon.wait_end() == 1
    assert "hikazed: " in daemon.stderr()
    assert "Traceback" not in daemon.stderr()


def test_tags_are_one_by_case(daemon: Daemon) -> None:
    """Tags are unique by case folding, the first spelling is shown, and a rename to one that exists merges, once."""
    sha256 = daemon.bring_in(daemon.drop / "x.safetensors")
    daemon.patch(f"/api/models/{sha256}", {"tags": ["Straße", "STRASSE", "strasse", "e\u0301", "é"]})
    assert daemon.model(sha256)["tags"] == ["Straße", "é"] or daemon.model(sha256)["tags"] == ["é", "Straße"]
    one = {tag["name"]: tag for tag in daemon.get("/api/tags")["items"]}
    assert [(tag["models"], tag["pending"]) for tag in one.values()] == [(1, 0), (1, 0)]

    merged = daemon.patch(f"/api/tags/{one['é']['id']}", {"name": "STRASSE"})
    assert (merged["name"], merged["merged"]) == ("Straße", True)
    assert daemon.model(sha256)["tags"] == ["Straße"]
    event = daemon.events("tags-merged")[0]
    assert {each["action"] for each in daemon.events(after=event["position"] - 1)} == {event["action"]}
    daemon.delete(f"/api/tags/{merged['id']}")
    assert daemon.model(sha256)["tags"] == []
    assert daemon.ask("DELETE", f"/api/tags/{merged['id']}", headers={"X-Hikaze": "1"}).status == 404


def test_pages_of_models(daemon: Daemon) -> None:
    """Models are found by type, words and tags, sorted and paged, each exactly once."""
    hashes = [daemon.bring_in(daemon.drop / f"Model {number:02}.safetensors", number) for number in range(7)]
    for number, sha256 in enumerate(hashes):
        daemon.patch(f"/api/models/{sha256}", {"tags": ["all", "even" if number % 2 == 0 else "odd"]})
    pages: list[str] = []
    cursor: str | None = None
    while True:
        page = daemon.get("/api/models", limit=3, sort="-name", tag="all", **({"cursor": cursor} if cursor else {}))
        pages += [item["name"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert pages == [f"Model {number:02}" for number in reversed(range(7))]

    def found(query: str) -> list[str]:
        answer = daemon.ask("GET", f"/api/models?{query}")
        assert answer.status == 200, answer.body
        return [item["name"][-2:] for item in answer.json["items"]]

    assert found("tag=ALL&tag=even&not_tag=odd") == ["00", "02", "04", "06"]
    assert found("q=model+03") == ["03"]
    assert found("q=del%20no") == []
    assert found("type=vae") == []
    assert found("type=loras&sort=-added&limit=2") == ["06", "05"]
    assert daemon.ask("GET", "/api/models?tag=unknown").json["items"] == []
    types = {one["type"]: one for one in daemon.get("/api/models/get_types")["items"]}
    assert types["loras"] == {"type": "loras", "models": 7, "pending": 0}


@pytest.mark.slow
def test_a_newer_library_is_not_written(make_daemon: Make) -> None:
    """With an event of a later version in the log the daemon serves what it can, says so, and writes nothing."""
    daemon = make_daemon().start()
    sha256 = daemon.bring_in(daemon.drop / "x.safetensors")
    assert daemon.stop() == 0
    add_unknown_event(daemon.data / "log.db")
    size = os.path.getsize(daemon.data / "log.db")

    daemon.start(scan=False)

    assert any("newer" in warning["what"] for warning in daemon.get("/api/status")["warnings"])
    assert daemon.model(sha256)["state"] == "present"
    refused = daemon.ask("PATCH", f"/api/models/{sha256}", {"name": "x"})
    assert refused.status == 503
    assert "newer" in refused.detail
    assert os.path.getsize(daemon.data / "log.db") == size


class ModelDreamt(Event, frozen=True, tag="model-dreamt"):
    """What a later version knows of."""


def add_unknown_event(path: Path) -> None:
    """Append an event as a later version would: of a kind that nobody here knows."""
    log = EventLog(str(path), codec=Codec((*EVENTS, ModelDreamt)))
    log.begin()
    log.append([New("dream/1", ModelDreamt())], actor="page", action=bytes(16))
    log.commit()
    log.close()
