"""The libraries of earlier Hikazes come along: asked for as a person does, and seen through the API field by field."""

import contextlib
import hashlib
import http.client
import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from ..legacy import build_v1, build_v2, fingerprint, picture, tiers
from .harness import Daemon, Json, Make, checkpoint, files_below, lora

MIGRATE = "/api/migration/migrate_legacy_db"
TIERS = ("high", "medium", "low")


def cli(daemon: Daemon, *argv: object, code: int = 0) -> str:
    """Run a command of a person, and give what it says."""
    command = [sys.executable, "-m", "hikaze.daemon", *map(str, argv), "--socket", daemon.socket]
    done = subprocess.run(command, capture_output=True, text=True, env=daemon.env(), timeout=60)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def migrate(daemon: Daemon, source: Path) -> Json:
    """Bring an earlier library along by the command line, and see that nothing of it is changed."""
    before = fingerprint(source)
    told = json.loads(cli(daemon, "migrate", source, "--json"))
    assert fingerprint(source) == before
    return told


def sha_of(path: Path) -> str:
    """Give the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def confirmed(daemon: Daemon, *hashes: str) -> None:
    """Wait until the hashes of models are no claims any more."""
    daemon.wait_for(
        lambda: {daemon.model(sha256)["hash_state"] for sha256 in hashes} == {"confirmed"}, 60, "all is confirmed"
    )


def test_v1(make_daemon: Make, tmp_path: Path) -> None:
    """A v1 library: hashed rows are models, others are pending under their ids; every field is there."""
    daemon = make_daemon()
    hashed = lora(daemon.loras / "Hashed.safetensors", 1)
    plain = checkpoint(daemon.checkpoints / "Plain.safetensors", 2)
    gone = daemon.vae / "Gone.safetensors"
    rows = [
        {
            "id": 3,
            "path": str(hashed),
            "type": "lora",
            "hash_hex": sha_of(hashed).upper(),
            "size_bytes": hashed.stat().st_size,
            "tags": ["anime", "lora", "two words"],
            "extra_json": {
                "description": "line one\nline two",
                "community_links": "civitai.com/models/1",
                "images": ["/media/model_3_1757000000000_a.png"],
                "prompts": {"positive": "masterpiece", "negative": "lowres"},
            },
        },
        {
            "id": 7,
            "path": str(plain),
            "type": "checkpoints",
            "tags": ["base"],
            "extra_json": {"images": ["/media/b.png"]},
        },
        {"id": 9, "path": str(gone), "type": "vae", "extra_json": '{"description": "lost"}'},
        {"id": 11, "path": "/elsewhere/far.safetensors", "hash_hex": "ab" * 32, "type": "other", "extra_json": "{"},
    ]
    pictures = {"model_3_1757000000000_a.png": picture("red"), "b.png": picture("blue", "JPEG")}
    old = build_v1(tmp_path / "plugin" / "data", *rows, tags=["kept for later"], images=pictures)
    daemon.start()
    told = migrate(daemon, old.parent)

    assert {key: told[key] for key in ("status", "form", "models", "pending", "united", "missing", "already")} == {
        "status": "done",
        "form": "v1",
        "models": 2,
        "pending": 2,
        "united": sum(event["data"]["outcome"] == "united" for event in daemon.events("row-migrated")),
        "missing": 2,
        "already": 0,
    }
    assert (told["tags"], told["images"]) == (4, 2)
    assert told["unwatched"] == ["/elsewhere"]
    assert {problem["id"] for problem in told["problems"]} == {"11"}

    model = daemon.model(sha_of(hashed))
    assert (model["name"], model["type"], model["tags"]) == ("Hashed", "loras", ["anime", "two words"])
    assert (model["description"], model["community_links"]) == ("line one\nline two", "civitai.com/models/1")
    assert model["prompts"] == {"positive": "masterpiece", "negative": "lowres"}
    assert model["origins"]["description"] == "user"
    assert model["images"] == [f"{sha_of(hashed)}_0"]
    assert model["cover"] == 0
    assert model["size_bytes"] == hashed.stat().st_size
    assert daemon.states(sha_of(hashed)) == {str(hashed): "present"}
    lost = daemon.model("ab" * 32)
    assert (lost["name"], lost["type"], lost["state"], lost["path"]) == (
        "far",
        "other",
        "missing",
        "/elsewhere/far.safetensors",
    )
    confirmed(daemon, sha_of(hashed))

    found = {entry["id"]: entry for entry in daemon.pending()}
    by_path = {entry["path"]: entry for entry in found.values()}
    assert by_path[str(plain)]["tags"] == ["base"]
    assert by_path[str(plain)]["type"] == "checkpoints"
    assert by_path[str(gone)]["state"] == "missing"
    number = by_path[str(plain)]["id"]
    assert daemon.ask("GET", f"/api/images/pending/{number}").body == pictures["b.png"]
    assert daemon.get("/api/migration/pending_model", id=by_path[str(gone)]["id"])["description"] == "lost"
    assert "kept for later" in {tag["name"] for tag in daemon.get("/api/tags")["items"]}

    done = daemon.import_one(number).json  # stage 2
    assert done["status"] == "imported"
    assert daemon.model(sha_of(plain))["images"] == [f"{sha_of(plain)}_0"]
    assert daemon.model(sha_of(plain))["tags"] == ["base"]


def of_v2(daemon: Daemon, count: int, folder: Path) -> Path:
    """Build a library of Hikaze 2 with models, half of them with two pictures, and pending models with originals."""
    rows: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    made: dict[str, bytes] = {}
    for seed in range(count):
        path = lora(daemon.loras / f"{seed}.safetensors", seed)
        row = {"path": str(path), "sha256": sha_of(path), "size_bytes": path.stat().st_size}
        rows.append(row | {"tags": [f"tag {seed % 3}"], "meta_json": {"description": f"text {seed}"}})
        for seq in range(seed % 2 + 1):
            made |= tiers(sha_of(path), seq, ("red", "green")[seq])
        other = lora(daemon.more_loras / f"p{seed}.safetensors", 1000 + seed)
        listed = {"meta_json": {"images": [f"/media/{seed}.png"], "description": f"pending {seed}"}}
        waiting.append({"id": 500 + seed, "path": str(other), "tags": ["later"]} | listed)
        made[f"pending/{seed}.png"] = picture("blue")
    return build_v2(folder, *rows, pending=waiting, images=made)


def told_of(daemon: Daemon) -> Json:
    """Give all that a library tells but for the ids of pending models, which depend on who saw them first."""
    hashes = sorted(model["sha256"] for model in daemon.models())
    names = ("name", "type", "tags", "images", "cover", "description", "prompts", "community_links", "created_at")
    waiting = daemon.pending()
    return {
        "models": {sha256: {name: daemon.model(sha256)[name] for name in names} for sha256 in hashes},
        "states": {sha256: daemon.states(sha256) for sha256 in hashes},
        "pending": {entry["path"]: (entry["name"], entry["type"], entry["tags"], entry["state"]) for entry in waiting},
        "texts": {
            entry["path"]: daemon.get("/api/migration/pending_model", id=entry["id"])["description"]
            for entry in waiting
        },
        "originals": {
            entry["path"]: hashlib.sha256(
                (daemon.data / "images" / "pending" / entry["image"]).read_bytes()
            ).hexdigest()
            for entry in waiting
        },
        "tags": [tag["name"] for tag in daemon.get("/api/tags")["items"]],
        "pictures": {
            name: hashlib.sha256((daemon.data / "images" / name).read_bytes()).hexdigest()
            for name in files_below(daemon.data / "images")
            if not name.startswith("pending/")
        },
        "files": len(files_below(daemon.data / "images")),
    }


def test_hikaze_2(make_daemon: Make, tmp_path: Path) -> None:
    """A Hikaze 2 library: its tiers are taken over as they are, nothing comes twice, and what is removed stays so."""
    daemon = make_daemon()
    old = of_v2(daemon, 4, tmp_path / "old")
    daemon.start(scan=False)
    told = migrate(daemon, old)
    assert (told["form"], told["models"], told["pending"], told["images"]) == ("v2", 4, 4, 10)
    assert told["problems"] == []

    hashes = [sha_of(daemon.loras / f"{seed}.safetensors") for seed in range(4)]
    for seed, sha256 in enumerate(hashes):
        model = daemon.model(sha256)
        assert (model["name"], model["description"], model["tags"]) == (str(seed), f"text {seed}", [f"tag {seed % 3}"])
        assert model["images"] == [f"{sha256}_{seq}" for seq in range(seed % 2 + 1)]
        for seq in range(seed % 2 + 1):
            for tier in TIERS:
                got = daemon.ask("GET", f"/api/images/{sha256}_{seq}.webp?quality={tier}").body
                assert got == (old / "images" / f"{sha256}_{seq}_{tier}.webp").read_bytes()
    confirmed(daemon, *hashes)

    daemon.patch(f"/api/models/{hashes[0]}", {"tags": []})
    before = told_of(daemon)
    again = migrate(daemon, old)
    assert (again["models"], again["pending"], again["tags"], again["images"], again["already"]) == (0, 0, 0, 0, 8)
    assert told_of(daemon) == before
    assert "8 that came before" in cli(daemon, "migrate", old)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_killed_in_the_middle(make_daemon: Make, tmp_path: Path) -> None:
    """Killed at any moment and started again it goes on by itself, and comes to the same as without."""
    whole = make_daemon("whole")
    old = of_v2(whole, 12, tmp_path / "old")
    whole.start(scan=False)
    migrate(whole, old)
    hashes = [model["sha256"] for model in whole.models()]
    confirmed(whole, *hashes)
    whole.quiesce(60)
    expected = told_of(whole)
    assert whole.stop() == 0
    for number, rows in enumerate((0, 1, 5, 11, 13, 20)):
        daemon = make_daemon(f"d{number}", more=(), environment={})
        daemon.roots = whole.roots
        daemon.start(scan=False)
        asking = threading.Thread(target=_ask_and_be_left, args=(daemon, old))
        asking.start()
        daemon.wait_for(lambda daemon=daemon: daemon.events("migration-begun"), 60, "it has begun")
        daemon.wait_for(
            lambda daemon=daemon, rows=rows: len(daemon.events("row-migrated")) >= rows, 60, "some rows are there"
        )
        time.sleep(random.random() / 20)  # noqa: S311 - any moment
        daemon.kill()
        asking.join()
        daemon.start(scan=False)
        daemon.wait_for(lambda daemon=daemon: daemon.events("migration-ended"), 60, "it has ended")
        confirmed(daemon, *hashes)
        daemon.quiesce(60)

        assert told_of(daemon) == expected
        assert len(daemon.events("row-migrated")) == 24
        assert not list((daemon.data / "images" / "tmp").iterdir())
        daemon.wait_for(lambda daemon=daemon: not list((daemon.data / "migration-tmp").glob("*")), 60)
        assert daemon.stop() == 0


def _ask_and_be_left(daemon: Daemon, old: Path) -> None:
    """Ask for a migration, whose answer never comes because the daemon dies."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        daemon.ask("POST", MIGRATE, {"legacy_db_path": str(old)}, {"X-Hikaze": "1"})


def test_cancelled(make_daemon: Make, tmp_path: Path) -> None:
    """A person who interrupts the command is told how to cancel; a second one does, and what came stays."""
    daemon = make_daemon()
    old = of_v2(daemon, 120, tmp_path / "old")
    daemon.start(scan=False)
    command = [sys.executable, "-m", "hikaze.daemon", "migrate", str(old), "--socket", daemon.socket]
    asking = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=daemon.env())
    daemon.wait_for(lambda: len(daemon.events("row-migrated")) > 1, 20, "some rows are there")
    asking.send_signal(signal.SIGINT)
    _, said = asking.communicate(timeout=20)
    assert asking.returncode == 1
    assert "migrate --cancel" in said

    assert "cancelled" in cli(daemon, "migrate", "--cancel")
    assert "nothing" in cli(daemon, "migrate", "--cancel")
    (ended,) = daemon.events("migration-ended")
    assert ended["data"]["status"] == "cancelled"
    came = len(daemon.events("row-migrated"))
    assert 1 < came < 240
    assert migrate(daemon, old)["already"] == came
    assert (len(daemon.models()), len(daemon.pending())) == (120, 120)


def test_a_copy_of_what_is_known(make_daemon: Make, tmp_path: Path) -> None:
    """A pending model that came along and turns out to be a known model's content loses nothing when it is merged."""
    daemon = make_daemon()
    first = lora(daemon.loras / "first.safetensors", 1)
    daemon.drop.mkdir(parents=True, exist_ok=True)
    copy = lora(daemon.drop / "copy.safetensors", 1)
    sha256 = sha_of(first)
    known = {"path": str(first), "sha256": sha256, "size_bytes": first.stat().st_size, "tags": ["a", "both"]}
    waiting = {"id": 77, "path": str(copy), "tags": ["b", "both"]}
    old = build_v2(
        tmp_path / "old",
        known | {"meta_json": {"description": "of the model", "prompts": {"positive": "p"}}},
        pending=[
            waiting | {"meta_json": {"description": "of the copy", "prompts": {"positive": "p", "negative": "n"}}}
        ],
        images=tiers(sha256, 0) | {"pending/77.png": picture("blue")},
    )
    daemon.start(scan=False)
    assert migrate(daemon, old)["problems"] == []
    confirmed(daemon, sha256)

    assert daemon.import_one(77).status == 409
    done = daemon.import_one(77, "merge").json
    assert done["status"] == "merged"
    model = daemon.model(sha256)
    assert model["description"] == "of the model\n\nFrom Hikaze 2, pending_import 77:\nof the copy"
    assert model["prompts"] == {"positive": "p", "negative": "n"}
    assert model["tags"] == ["a", "b", "both"]
    assert model["images"] == [f"{sha256}_0", f"{sha256}_1"]
    assert daemon.pending() == []
    assert not copy.exists()


def test_what_cannot_be(daemon: Daemon, tmp_path: Path) -> None:
    """Whoever names no earlier library is told what to name, and what to do with one that is shut."""
    for body, word in (
        ({"legacy_db_path": str(tmp_path)}, "hikaze"),
        ({"legacy_db_path": "relative"}, "whole path"),
        ({"legacy_db_path": str(tmp_path), "legacy_images_dir": "../x"}, "whole path"),
        ({}, "legacy_db_path"),
        ({"legacy_db_path": str(daemon.data)}, "hikaze"),
    ):
        got = daemon.ask("POST", MIGRATE, body, {"X-Hikaze": "1"})
        assert got.status == 422
        assert word in got.detail
    assert daemon.events("migration-begun") == []
    assert "SOURCE" in cli(daemon, "migrate", code=2) or "data folder" in cli(daemon, "migrate", code=2)


def test_beside_the_earlier_program(daemon: Daemon, tmp_path: Path) -> None:
    """Its database is open and written to all the while; what it had committed comes, and it is not held up."""
    rows = [{"path": f"/old/{number}.safetensors", "hash_hex": f"{number:064x}"} for number in range(50)]
    old = build_v1(tmp_path / "old", *rows)
    writing, stop = apsw.Connection(str(old / "hikaze_mm.sqlite3")), threading.Event()
    writing.pragma("journal_mode", "wal")
    writing.execute("UPDATE models SET extra_json = ?", ('{"description": "committed"}',))
    writes: list[int] = []

    def write() -> None:
        db = apsw.Connection(str(old / "hikaze_mm.sqlite3"))
        while not stop.wait(0.02):
            db.execute("INSERT INTO tags (name) VALUES (?)", (f"t{len(writes)}",))
            writes.append(1)
        db.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        told = daemon.post(MIGRATE, {"legacy_db_path": str(old)})
    finally:
        stop.set()
        writer.join()
        writing.close()

    assert (told["status"], told["models"], told["missing"]) == ("done", 50, 50)
    assert {daemon.model(f"{number:064x}")["description"] for number in range(50)} == {"committed"}
    assert writes
