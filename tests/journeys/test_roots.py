"""Watched folders are added, paused and removed while the daemon runs, and it remembers that over restarts."""

import ctypes
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .harness import Answer, Daemon, Make, big, lora

WRITE = {"X-Hikaze": "1"}


def add(daemon: Daemon, path: Path | str, type_: str | None = None, kind: str | None = None) -> Answer:
    """Ask for a folder to be watched: for models of a type, or as a drop folder."""
    body: dict[str, Any] = {"path": str(path), "kind": kind or ("pending" if type_ is None else "model")}
    return daemon.ask("POST", "/api/roots", body | ({} if type_ is None else {"type": type_}))


def added(daemon: Daemon, path: Path | str, type_: str | None = None) -> dict[str, Any]:
    """Have a folder watched."""
    answer = add(daemon, path, type_)
    assert answer.status == 200, answer.body
    return answer.json


def roots_by_path(daemon: Daemon) -> dict[str, dict[str, Any]]:
    """Give the watched folders by their paths."""
    return {root["path"]: root for root in daemon.get("/api/roots")["items"]}


def pause(daemon: Daemon, path: Path, *, paused: bool = True) -> dict[str, Any]:
    """Pause a watched folder, or resume it."""
    number = roots_by_path(daemon)[str(path)]["id"]
    return daemon.patch(f"/api/roots/{number}", {"paused": paused})


def remove(daemon: Daemon, path: Path) -> None:
    """Watch a folder no more."""
    daemon.delete(f"/api/roots/{roots_by_path(daemon)[str(path)]['id']}")


def test_a_library_that_begins_empty(make_daemon: Make) -> None:
    """Somebody with nothing configured adds the first folders: they are watched at once, and imports go there."""
    daemon = make_daemon()
    daemon.roots = []
    mine = daemon.folder / "mine" / "loras"
    mine.mkdir(parents=True)
    there = lora(mine / "there.safetensors", 1)
    daemon.start()

    root = added(daemon, mine, "lora")
    assert (root["state"], root["type"], root["kind"], root["origin"]) == ("online", "loras", "model", "user")
    assert (root["watched"], root["why"], root["cure"]) == ("events", None, None)
    assert daemon.events("root-added")[-1]["position"] == root["position"]
    daemon.wait_pending(there)
    daemon.put_lora(mine / "later.safetensors", 2)
    daemon.wait_pending(mine / "later.safetensors")

    daemon.put_lora(daemon.drop / "dropped.safetensors", 3)
    done = daemon.import_one(daemon.wait_pending(daemon.drop / "dropped.safetensors")["id"])
    assert done.json["path"] == str(mine / "dropped.safetensors")

    assert added(daemon, mine, "loras")["id"] == root["id"]  # adding what is there answers it
    daemon.restart()
    known = roots_by_path(daemon)[str(mine)]
    assert (known["id"], known["origin"], known["models"], known["pending"]) == (root["id"], "user", 1, 2)
    assert {one["state"] for one in daemon.get("/api/status")["roots"] if one["id"] == root["id"]} == {"online"}


def test_a_drop_folder_that_is_added(make_daemon: Make) -> None:
    """It may lie inside a folder for models; what lies in it is pending, and is imported out of it."""
    daemon = make_daemon().start()
    inside = daemon.loras / "incoming"
    inside.mkdir()

    root = added(daemon, inside)
    assert (root["kind"], root["type"], root["state"]) == ("pending", None, "online")
    card = daemon.wait_pending(daemon.put_lora(inside / "a.safetensors"))
    assert card["in_place"] is False
    assert daemon.import_one(card["id"]).json["path"] == str(daemon.loras / "a.safetensors")


@pytest.mark.skipif(sys.platform != "linux", reason="asks inotify who touches a folder")
def test_a_folder_that_is_paused(make_daemon: Make) -> None:
    """Nothing in it is touched or lost, its models are offline and say why; resumed, all of it is looked at again."""
    daemon = make_daemon().start()
    path = daemon.loras / "a.safetensors"
    model = daemon.bring_in(path)
    waits = daemon.wait_pending(daemon.put_lora(daemon.loras / "waits.safetensors", 2))
    lora(daemon.loras / "goes.safetensors", 3)
    daemon.quiesce()

    root = pause(daemon, daemon.loras)
    assert (root["state"], root["watched"]) == ("paused", None)
    assert "paused" in root["why"]
    assert root["cure"] == "resume it"
    daemon.quiesce()
    with untouched(daemon.loras):
        os.rename(path, daemon.staging / "gone.safetensors")
        lora(daemon.staging / "new.safetensors", 4).rename(daemon.loras / "new.safetensors")
        daemon.post("/api/scan")
        daemon.get("/api/storage")
        daemon.get("/api/migration/pending_model", id=waits["id"])
        daemon.restart()
        daemon.post("/api/scan")

    assert daemon.states(model) == {str(path): "offline"}
    assert [one["state"] for one in daemon.pending_at(waits["path"])] == ["offline"]
    assert daemon.events("location-lost", "pending-lost") == []
    assert daemon.pending_at(daemon.loras / "new.safetensors") == []
    refused = daemon.import_one(waits["id"])
    assert (refused.status, "paused" in refused.detail) == (409, True)
    assert [one["state"] for one in daemon.get("/api/status")["roots"]].count("paused") == 1
    assert not [one for one in daemon.get("/api/status")["warnings"] if str(daemon.loras) in one["what"]]

    assert pause(daemon, daemon.loras, paused=False)["state"] == "online"
    daemon.wait_pending(daemon.loras / "new.safetensors")
    daemon.wait_for(lambda: daemon.states(model) == {str(path): "missing"}, 10, "it is seen to be gone")
    os.rename(daemon.staging / "gone.safetensors", path)
    daemon.wait_for(lambda: daemon.states(model) == {str(path): "present"}, 10, "it is seen to be back")


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """See that nobody opens or lists a folder or what lies in it, but for what is renamed in and out."""
    libc = ctypes.CDLL(None, use_errno=True)
    opened, accessed = 0x20, 0x01
    watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(watch, os.fsencode(folder), opened | accessed) >= 0
    try:
        yield
        assert select.select([watch], [], [], 0.0)[0] == []
    finally:
        os.close(watch)


def test_imports_go_past_a_paused_folder(make_daemon: Make) -> None:
    """Of several folders of a type the first that is neither paused nor away takes imports; without one they say so."""
    daemon = make_daemon().start()
    pause(daemon, daemon.loras)
    daemon.put_lora(daemon.drop / "a.safetensors", 1)
    done = daemon.import_one(daemon.wait_pending(daemon.drop / "a.safetensors")["id"])
    assert done.json["path"] == str(daemon.more_loras / "a.safetensors")

    pause(daemon, daemon.more_loras)
    daemon.put_lora(daemon.drop / "b.safetensors", 2)
    refused = daemon.import_one(daemon.wait_pending(daemon.drop / "b.safetensors")["id"])
    assert refused.status == 422
    assert "is paused; resume it" in refused.detail


def test_what_is_removed_stays_removed(make_daemon: Make) -> None:
    """Also where the configuration names it; its models are away and lose nothing, and come back with it."""
    daemon = make_daemon().start()
    path = daemon.loras / "a.safetensors"
    model = daemon.bring_in(path)
    daemon.patch(f"/api/models/{model}", {"tags": ["mine"], "description": "kept"})
    before = roots_by_path(daemon)[str(daemon.loras)]
    assert before["origin"] == "configuration"

    remove(daemon, daemon.loras)
    assert str(daemon.loras) not in roots_by_path(daemon)
    daemon.put_lora(daemon.loras / "b.safetensors", 2)
    daemon.restart()
    assert str(daemon.loras) not in roots_by_path(daemon)
    assert daemon.states(model) == {str(path): "offline"}
    assert (daemon.model(model)["tags"], daemon.model(model)["description"]) == (["mine"], "kept")
    assert daemon.pending_at(daemon.loras / "b.safetensors") == []
    gone = daemon.ask("DELETE", f"/api/roots/{before['id']}", headers=WRITE)
    assert (gone.status, "GET /api/roots" in gone.detail) == (404, True)

    assert added(daemon, daemon.loras, "loras")["id"] == before["id"]
    daemon.wait_for(lambda: daemon.states(model) == {str(path): "present"}, 10, "it is back")
    daemon.wait_pending(daemon.loras / "b.safetensors")


def test_a_drop_folder_that_was_removed_is_not_made_anew(make_daemon: Make) -> None:
    """What the user took away, the next start does not bring back; what the configuration names else, it makes."""
    daemon = make_daemon()
    first, second = daemon.folder / "first", daemon.folder / "second drop"
    daemon.more = ("--pending", str(first), "--pending", str(second))
    daemon.start()
    remove(daemon, first)
    for folder in (first, second):
        folder.rmdir()
    daemon.restart()
    assert not first.exists()
    assert roots_by_path(daemon)[str(second)]["state"] == "online"


def test_what_was_added_stays_though_the_configuration_goes(make_daemon: Make) -> None:
    """A root that only the configuration names goes with it; one that somebody added stays, paused as it was."""
    daemon = make_daemon().start()
    mine = daemon.folder / "mine"
    mine.mkdir()
    added(daemon, mine, "checkpoints")
    pause(daemon, mine)
    daemon.roots = [("vae", daemon.vae)]
    daemon.restart()

    found = {path: (root["origin"], root["state"]) for path, root in roots_by_path(daemon).items()}
    assert found == {
        str(daemon.vae): ("configuration", "online"),
        str(daemon.drop): ("configuration", "online"),
        str(mine): ("user", "paused"),
    }


def test_a_root_inside_another_comes_and_goes(make_daemon: Make) -> None:
    """What lies in the inner one belongs to it while it is watched, and to the outer one when it is not."""
    daemon = make_daemon().start()
    path = daemon.loras / "inner" / "a.safetensors"
    model = daemon.bring_in(path)
    outer = roots_by_path(daemon)[str(daemon.loras)]["id"]

    def root_of() -> int:
        return daemon.model(model)["locations"][0]["root"]

    inner = added(daemon, path.parent, "vae")["id"]
    daemon.wait_for(lambda: root_of() == inner, 10, "it belongs to the inner root")
    pause(daemon, path.parent)
    daemon.post("/api/scan")
    assert daemon.states(model) == {str(path): "offline"}
    remove(daemon, path.parent)
    daemon.wait_for(lambda: root_of() == outer, 10, "it belongs to the outer root")
    assert daemon.states(model) == {str(path): "present"}
    assert daemon.events("location-lost") == []


def test_a_root_whose_model_is_being_imported(make_daemon: Make) -> None:
    """Pausing it ends an import that only reads, and those that wait, with the reason; nothing is half done."""
    daemon = make_daemon().start()
    paths = [big(daemon.staging / f"{number}.safetensors", 150, number) for number in range(4)]
    numbers = [daemon.wait_pending(daemon.put(path, daemon.drop / path.name), 20)["id"] for path in paths]
    daemon.ask("POST", "/api/migration/import_a_model", {"id": numbers, "type": "loras"})
    pause(daemon, daemon.drop)

    def ended() -> list[Any]:
        return daemon.events("import-failed", "import-completed")

    daemon.wait_for(lambda: len(ended()) == 4, 30, "all have ended")
    failed = [event["data"]["reason"] for event in daemon.events("import-failed")]
    assert failed
    assert [reason for reason in failed if not ("paused" in reason and "resume" in reason)] == []
    still_here = sorted(path.name for path in daemon.drop.iterdir())
    assert len(still_here) == len(failed)
    assert daemon.events("pending-lost") == []


@pytest.mark.parametrize(
    ("path", "kind", "type_", "status", "says"),
    [
        ("models/loras", "model", "loras", 422, "no absolute path"),
        ("", "model", "loras", 422, "the path is empty"),
        ("{top}/nothing", "model", "loras", 422, "there is no folder at"),
        ("{top}/file", "model", "loras", 422, "is a file"),
        ("{top}/new", "model", None, 422, "say which, such as checkpoints or loras"),
        ("{top}/new", "model", "../x", 422, "A type is the name of a ComfyUI model folder"),
        ("{top}/new", "pending", "loras", 422, "leave out the type"),
        ("{top}/data", "model", "loras", 422, "holds Hikaze's data folder"),
        ("{top}", "model", "loras", 422, "holds Hikaze's data folder"),
        ("{top}/data/images", "model", "loras", 422, "keeps its own files"),
        ("{top}/models/loras", "model", "vae", 409, "is watched already, as a folder for loras; remove it"),
        ("{top}/models/loras", "pending", None, 409, "is watched already, as a folder for loras; remove it"),
        ("{top}/link", "pending", None, 409, "is watched already, as a folder for loras; remove it"),
        ("{top}/models/loras/deep", "model", "loras", 409, "which is watched for loras already"),
        ("{top}/data/pending/deep", "model", "loras", 409, "lies inside the drop folder"),
        ("{top}/models", "pending", None, 409, "give a drop folder that holds no watched folder"),
    ],
)
def test_what_can_be_no_root(
    make_daemon: Make, path: str, kind: str, type_: str | None, status: int, says: str
) -> None:
    """It is refused in one sentence that says what to do, and nothing is written."""
    daemon = make_daemon()
    for folder in (daemon.loras / "deep", daemon.drop / "deep", daemon.folder / "new"):
        folder.mkdir(parents=True)
    (daemon.folder / "file").touch()
    (daemon.folder / "link").symlink_to(daemon.loras)
    daemon.start()
    before = daemon.quiesce()

    refused = add(daemon, path.format(top=daemon.folder), type_, kind)

    assert (refused.status, says in refused.detail) == (status, True), refused.detail
    assert daemon.get("/api/status")["position"] == before


def test_a_folder_from_home_on(make_daemon: Make) -> None:
    """`~` stands for the home of the user that runs the daemon; one folder by two ways is one root."""
    daemon = make_daemon().start()
    (daemon.home / "models").mkdir()
    (daemon.home / "again").symlink_to(daemon.home / "models")

    root = added(daemon, "~/models", "vae")
    assert root["path"] == str(daemon.home / "models")
    assert added(daemon, daemon.home / "again", "vae")["id"] == root["id"]


def test_a_root_that_goes_away_says_what_to_do(make_daemon: Make) -> None:
    """It is offline, in words and with the cure, until it is back."""
    daemon = make_daemon().start()
    daemon.vae.rename(daemon.folder / "elsewhere")

    def state() -> str:
        return roots_by_path(daemon)[str(daemon.vae)]["state"]

    daemon.wait_for(lambda: state() == "offline", 10, "it is offline")
    away = roots_by_path(daemon)[str(daemon.vae)]
    assert "away" in away["why"] or "deleted" in away["why"]
    assert "remove" in away["cure"]
    (daemon.folder / "elsewhere").rename(daemon.vae)
    daemon.wait_for(lambda: state() == "online", 10, "it is back")
