"""What people and other programs do while an import runs."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from .harness import Answer, Daemon, big, lora, png

MEGABYTES = 300
seeds = count(1)


@dataclass
class Running:
    """An import of a large file that is being hashed."""

    daemon: Daemon
    path: Path
    number: int
    answers: list[Answer]
    thread: threading.Thread

    def outcome(self) -> Answer:
        """Give the answer to the import."""
        self.thread.join(30)
        return self.answers[0]


@pytest.fixture
def running(shared: Daemon) -> Iterator[Running]:
    """Give an import in the midst of its hash, of a content of its own."""
    daemon, seed = shared, next(seeds)
    path = daemon.put(big(daemon.staging / "big", MEGABYTES, seed), daemon.vae / f"{seed}.safetensors")
    number = daemon.wait_pending(path)["id"]
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(daemon.import_one(number)))
    thread.start()
    daemon.wait_for(lambda: [one for one in daemon.get("/api/status")["work"] if one.get("what") == "hashing"])
    yield Running(daemon, path, number, answers, thread)
    thread.join(30)
    path.unlink(missing_ok=True)


def is_model(running: Running) -> bool:
    """Tell whether a model lies at the file's path."""
    return running.daemon.ask("GET", f"/api/models?path={running.path}").json.get("model") is not None


def test_what_is_written_meanwhile_comes_along(running: Running) -> None:
    """Texts, tags and a picture that are given while the file is hashed belong to the model."""
    daemon, number = running.daemon, running.number
    daemon.patch(f"/api/migration/pending_model?id={number}", {"description": "in time", "tags": ["late"]})
    assert daemon.upload(f"/api/images/pending/{number}", png()).status == 200

    done = running.outcome()

    model = daemon.model(done.json["sha256"])
    assert (model["description"], model["tags"], len(model["images"])) == ("in time", ["late"], 1)


def test_asked_twice(running: Running) -> None:
    """A second import of the same pending model is refused while the first runs, and so is its dismissal."""
    daemon, number = running.daemon, running.number
    again = daemon.import_one(number)
    assert again.status == 409
    assert again.detail
    assert daemon.ask("DELETE", f"/api/migration/pending_model?id={number}", headers={"X-Hikaze": "1"}).status == 409
    assert running.outcome().json["status"] == "imported"


def test_cancelled(running: Running) -> None:
    """An import that is being hashed can be cancelled; all is as it was."""
    assert running.daemon.delete("/api/migration/import_a_model")["cancelled"] == 1
    answer = running.outcome()
    assert answer.status == 409
    assert "cancelled" in answer.detail
    assert not is_model(running)
    assert [one["id"] for one in running.daemon.pending_at(running.path)] == [running.number]


@pytest.mark.slow
def test_changed_under_the_hash(running: Running) -> None:
    """A file that changes while it is hashed is never imported under a hash that is not its own."""
    with open(running.path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\0")
    answer = running.outcome()

    daemon = running.daemon
    if answer.status != 200:
        assert answer.status == 422
        assert "chang" in answer.detail
        assert not is_model(running)
        daemon.wait_for(
            lambda: running.number in [event["data"]["pending"] for event in daemon.events("pending-changed")], 8
        )
        assert daemon.wait_pending(running.path, 8)["id"] == running.number
        answer = daemon.import_one(running.number)
    with open(answer.json["path"], "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == answer.json["sha256"]


@pytest.mark.slow
def test_deleted_under_the_hash(running: Running) -> None:
    """A file that is deleted while it is hashed makes no model."""
    running.path.unlink()
    answer = running.outcome()
    assert answer.status == 422
    running.daemon.wait_for(lambda: not running.daemon.pending_at(running.path), what="it has left the list")
    assert running.daemon.ask("GET", f"/api/models?path={running.path}").status == 404


@pytest.mark.slow
def test_it_answers_while_it_hashes(running: Running) -> None:
    """Lists are answered at once while a large file is hashed."""
    times: list[float] = []
    while running.thread.is_alive() and len(times) < 20:
        began = time.monotonic()
        running.daemon.pending()
        times.append(time.monotonic() - began)
    assert sorted(times)[len(times) // 2] < 0.1
    assert running.outcome().status == 200


def test_a_picture_for_a_model_while_another_copy_is_merged(daemon: Daemon) -> None:
    """Pictures that come from several sides at once each get a number of their own."""
    sha256 = daemon.bring_in(daemon.drop / "x.safetensors")
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(daemon.upload("/api/images/upload", png(), sha256=sha256)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.json["seq"] for answer in answers) == list(range(6))
    assert daemon.model(sha256)["images"] == [f"{sha256}_{seq}" for seq in range(6)]


@pytest.mark.slow
def test_a_burst(daemon: Daemon) -> None:
    """Five hundred files that come with their folder at once are all pending soon, each once."""
    folder = daemon.staging / "many"
    folder.mkdir()
    lora(folder / "0.safetensors")
    content = (folder / "0.safetensors").read_bytes()
    for number in range(1, 500):
        (folder / f"{number}.safetensors").write_bytes(content)
    folder.rename(daemon.drop / "many")

    def count() -> int:
        return daemon.get("/api/status")["counts"]["pending"]

    daemon.wait_for(lambda: count() == 500, 8, "all are pending")
    daemon.quiesce()
    assert count() == 500
    assert len({one["path"] for one in daemon.pending()}) == 500


@pytest.mark.slow
def test_a_root_that_goes_away_before_the_import(daemon: Daemon) -> None:
    """A dropped file whose model root is away is refused with a sentence, and imported when the root is back."""
    path = daemon.put_lora(daemon.drop / "x.safetensors")
    number = daemon.wait_pending(path)["id"]
    away = daemon.folder / "away"
    daemon.loras.rename(away)
    daemon.wait_for(lambda: "offline" in [root["state"] for root in daemon.get("/api/status")["roots"]])

    refused = daemon.import_one(number)

    assert refused.status == 422
    assert str(daemon.loras) in refused.detail
    assert not daemon.loras.exists()
    assert path.exists()
    away.rename(daemon.loras)
    daemon.wait_for(lambda: "offline" not in [root["state"] for root in daemon.get("/api/status")["roots"]])
    assert daemon.import_one(number).json["path"] == str(daemon.loras / "x.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_a_dropped_link(daemon: Daemon, relative: bool) -> None:
    """A dropped link to a model file elsewhere is imported, or refused with a sentence; the file is never lost."""
    store = daemon.folder / "store"
    store.mkdir()
    real = lora(store / "real.safetensors")
    content = real.read_bytes()
    link = daemon.drop / "link.safetensors"
    link.symlink_to(os.path.relpath(real, daemon.drop) if relative else real)
    answer = daemon.import_one(daemon.wait_pending(link)["id"])

    assert real.read_bytes() == content
    if answer.status == 200:
        assert Path(answer.json["path"]).read_bytes() == content
        assert daemon.model(answer.json["sha256"])["state"] == "present"
    else:
        assert answer.status == 422
        assert link.read_bytes() == content
        daemon.quiesce()
        assert [one["path"] for one in daemon.pending()] == [str(link)]


@pytest.mark.slow
def test_a_folder_of_models_that_leaves_and_returns(daemon: Daemon) -> None:
    """A folder that is moved out of the root takes its models to missing, and brings them back."""
    sha256 = daemon.bring_in(daemon.loras / "in" / "x.safetensors")
    outside = daemon.folder / "outside"
    (daemon.loras / "in").rename(outside)
    path = str(daemon.loras / "in" / "x.safetensors")
    daemon.wait_for(lambda: daemon.states(sha256) == {path: "missing"}, what="it is missing")
    lora(outside / "not ours.safetensors", 2)  # the old watch on the folder may still see this
    daemon.quiesce()
    assert daemon.pending() == []
    (outside / "not ours.safetensors").unlink()
    outside.rename(daemon.loras / "in")
    daemon.wait_for(lambda: daemon.states(sha256) == {path: "present"}, what="it is present")
