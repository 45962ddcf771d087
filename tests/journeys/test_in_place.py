"""Models that lie in a model root already are imported where they are: one, or all of them overnight."""

import time

import pytest

from .harness import Daemon, Make, big, checkpoint, lora


def fill(daemon: Daemon, count: int) -> list[str]:
    """Write LoRAs into the second root as if they had lain there for long."""
    paths = [daemon.more_loras / "mine" / f"{number:03}.safetensors" for number in range(count)]
    paths[0].parent.mkdir(parents=True)
    for number, path in enumerate(paths):
        lora(path, number)
    return [str(path) for path in paths]


def test_a_file_in_a_model_root_stays_where_it_is(make_daemon: Make) -> None:
    """What lies in a model root at the first start is pending in place, with its root's type, and stays there."""
    daemon = make_daemon()
    path = checkpoint(daemon.vae / "really a checkpoint.safetensors")
    before = path.stat()
    daemon.start()
    card = daemon.wait_pending(path)
    assert (card["in_place"], card["type"], card["state"]) == (True, "vae", "waiting")

    done = daemon.import_one(card["id"]).json

    assert (done["status"], done["path"]) == ("imported", str(path))
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (before.st_ino, before.st_mtime_ns, before.st_mode)
    assert sorted(entry.name for entry in daemon.vae.iterdir()) == [path.name]
    assert daemon.states(done["sha256"]) == {str(path): "present"}
    assert daemon.get("/api/models", path=str(path))["model"]["sha256"] == done["sha256"]


def test_all_of_them_at_the_press_of_a_button(make_daemon: Make) -> None:
    """Import of `all` is queued, and each outcome comes in the stream under the action that was answered."""
    daemon = make_daemon()
    paths = fill(daemon, 40)
    daemon.start()
    daemon.wait_for(lambda: len(daemon.pending()) == 40, what="all are pending")

    answer = daemon.ask("POST", "/api/migration/import_a_model", {"id": "all"})

    assert answer.status == 202
    assert answer.json["queued"] == 40
    daemon.wait_for(lambda: len(daemon.events("import-completed")) == 40, 20, "all are imported")
    ended = daemon.events("import-completed")
    assert {event["action"] for event in ended} == {answer.json["action"]}
    assert sorted(event["data"]["path"] for event in ended) == paths
    assert daemon.pending() == []
    assert sorted(model["path"] for model in daemon.models()) == paths
    assert daemon.get("/api/status")["imports"]["queued"] == 0
    again = daemon.post("/api/migration/import_a_model", {"id": "all"})
    assert again["queued"] == 0


@pytest.mark.slow
def test_what_waits_can_be_cancelled(make_daemon: Make) -> None:
    """Cancelling takes back what has not begun; those models stay pending and can be imported later."""
    daemon = make_daemon()
    for number in range(8):
        big(daemon.more_loras / f"{number}.safetensors", 60, number)
    daemon.start()
    daemon.wait_for(lambda: len(daemon.pending()) == 8, what="all are pending")
    numbers = {one["id"] for one in daemon.pending()}
    daemon.post("/api/migration/import_a_model", {"id": "all"})

    cancelled = daemon.delete("/api/migration/import_a_model")["cancelled"]

    assert cancelled >= 5
    daemon.wait_for(lambda: len(daemon.events("import-cancelled", "import-completed")) == 8, what="all have ended")
    done = {event["data"]["pending"] for event in daemon.events("import-completed")}
    taken_back = {event["data"]["pending"] for event in daemon.events("import-cancelled")}
    assert done | taken_back == numbers
    assert not done & taken_back
    assert len(taken_back) == cancelled
    assert {one["id"] for one in daemon.pending()} == taken_back
    assert daemon.import_one(min(taken_back)).status == 200


@pytest.mark.slow
def test_the_queue_survives_a_kill(make_daemon: Make) -> None:
    """What was queued when the power failed is imported after the next start, each exactly once."""
    daemon = make_daemon()
    for number in range(6):
        big(daemon.more_loras / f"{number}.safetensors", 40, number)
    daemon.start()
    daemon.wait_for(lambda: len(daemon.pending()) == 6, what="all are pending")
    daemon.post("/api/migration/import_a_model", {"id": "all"})
    time.sleep(0.1)

    daemon.restart(kill=True)

    daemon.wait_for(lambda: len(daemon.models()) == 6, 20, "all are imported")
    assert daemon.pending() == []
    assert len(daemon.events("import-completed")) == 6
    assert len({event["data"]["model"] for event in daemon.events("model-imported")}) == 6


def test_copies_in_place_ask_nothing(make_daemon: Make) -> None:
    """Of several files of one content in the model roots, a queue makes one model and its locations."""
    daemon = make_daemon().start()
    paths = [daemon.loras / "a.safetensors", daemon.loras / "b.safetensors", daemon.more_loras / "c.safetensors"]
    for path in paths:
        daemon.put_lora(path)
        daemon.wait_pending(path)

    daemon.post("/api/migration/import_a_model", {"id": "all"})

    daemon.wait_for(lambda: not daemon.pending(), what="nothing is pending")
    (model,) = daemon.models()
    assert daemon.states(model["sha256"]) == {str(path): "present" for path in paths}
