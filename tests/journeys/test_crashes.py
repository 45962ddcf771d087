"""Killed at any point, a restart finishes an import or leaves all as it was: nothing half, lost or orphaned."""

import http.client
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import crashing
from .harness import PROGRAM, Daemon, Make, big, files_below, picture, picture_files, png, tier_files

TEXTS = {
    "description": "written before the crash",
    "community_links": "",
    "prompts": {"positive": "a", "negative": ""},
    "trigger_words": ["w"],
}


@dataclass
class Scene:
    """A pending model that is about to be imported, and what must come of it."""

    daemon: Daemon
    number: int
    source: Path
    content: bytes
    target: Path | None  # where the file is to lie, None for the trash
    strategy: str | None
    images: int  # of the model, when all is done


def dropped(daemon: Daemon, name: str, *, megabytes: int = 0) -> tuple[int, Path]:
    """Let a file become a pending model with texts, tags and a picture."""
    path = daemon.drop / f"{name}.safetensors"
    picture(daemon.drop / f"{name}.png")
    if megabytes:
        (daemon.drop / "loras").mkdir()
        path = daemon.put(big(daemon.staging / "big", megabytes), daemon.drop / "loras" / path.name)
        (daemon.drop / f"{name}.png").rename(path.with_suffix(".png"))
    else:
        daemon.put_lora(path)
    number = daemon.wait_pending(path)["id"]
    daemon.patch(f"/api/migration/pending_model?id={number}", TEXTS | {"tags": ["t", "u"]})
    daemon.wait_for(lambda: daemon.pending_at(path)[0]["image"], what="its picture is taken")
    return number, path


def same_disk(daemon: Daemon) -> Scene:
    """A dropped file that goes to a root on its own disk."""
    number, path = dropped(daemon, "x")
    return Scene(daemon, number, path, path.read_bytes(), daemon.loras / path.name, None, 1)


def other_disk_(daemon: Daemon) -> Scene:
    """A dropped file that goes to a root on another disk."""
    number, path = dropped(daemon, "x", megabytes=8)
    return Scene(daemon, number, path, path.read_bytes(), daemon.roots[0][1] / path.name, None, 1)


def in_place(daemon: Daemon) -> Scene:
    """A file that is imported where it lies."""
    picture(daemon.vae / "x.png")
    path = daemon.put_lora(daemon.vae / "x.safetensors")
    number = daemon.wait_pending(path)["id"]
    daemon.patch(f"/api/migration/pending_model?id={number}", TEXTS | {"tags": ["t", "u"]})
    daemon.wait_for(lambda: daemon.pending()[0]["image"], what="its picture is taken")
    return Scene(daemon, number, path, path.read_bytes(), path, None, 1)


def merged(daemon: Daemon) -> Scene:
    """A dropped file whose content is known and present: it goes to the trash."""
    sha256 = daemon.bring_in(daemon.loras / "first.safetensors")
    assert daemon.upload("/api/images/upload", png(), sha256=sha256).status == 200
    number, path = dropped(daemon, "x")
    return Scene(daemon, number, path, path.read_bytes(), None, "merge", 2)


SCENES = {"same disk": same_disk, "other disk": other_disk_, "in place": in_place, "merged": merged}
TELLING = {"before hash_content", "before place_file", "before complete", "promoted", "before tidy"}
HAPPENS = {"copying": {"other disk"}}  # moments that not every scene has


def marks_of(scene: str, moment: str) -> list[pytest.MarkDecorator]:
    """Let the most telling moments of the plain scene be among the fast tests."""
    return [] if scene == "same disk" and moment in TELLING else [pytest.mark.slow]


def cases() -> list[Any]:
    """Give every moment in every scene."""
    return [
        pytest.param(scene, moment, marks=marks_of(scene, moment), id=f"{scene}, {moment}")
        for scene in SCENES
        for moment in crashing.MOMENTS
        if scene in HAPPENS.get(moment, SCENES)
    ]


@pytest.mark.parametrize(("scene", "moment"), cases())
def test_killed_at_a_named_moment(make_daemon: Make, request: pytest.FixtureRequest, scene: str, moment: str) -> None:
    """A daemon that is killed at any named moment of an import has it whole after the next start."""
    daemon = make_daemon(program=(crashing.__file__, moment))
    if scene == "other disk":
        daemon.roots.insert(0, ("loras", request.getfixturevalue("other_disk")))
    set_ = SCENES[scene](daemon.start())
    (daemon.home / crashing.DOOM).touch()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        daemon.import_one(set_.number, set_.strategy)
    assert daemon.wait_end() == -signal.SIGKILL

    daemon.program = PROGRAM
    daemon.start()
    daemon.quiesce()

    if daemon.pending():
        check_untouched(set_)
        done = daemon.import_one(set_.number, set_.strategy)
        assert done.status == 200, done.body
        daemon.quiesce()
    check_done(set_)


@pytest.mark.slow
@pytest.mark.parametrize("moment", crashing.FULL)
@pytest.mark.parametrize("scene", ["same disk", "merged"])
def test_a_full_disk_in_the_middle(make_daemon: Make, scene: str, moment: str) -> None:
    """Where there is no room in the middle of an import, nothing is lost, and it is done once there is room."""
    daemon = make_daemon(program=(crashing.__file__, moment))
    set_ = SCENES[scene](daemon.start())
    (daemon.home / crashing.DOOM).write_text("full")
    answer = daemon.import_one(set_.number, set_.strategy)
    assert answer.status in (200, 422, 503), answer.body
    (daemon.home / crashing.DOOM).unlink()
    if answer.status == 422:  # refused before anything was done
        assert "No space" in answer.detail
        check_untouched(set_)
        assert daemon.import_one(set_.number, set_.strategy).status == 200
    elif answer.status == 503:  # the file has its new place: it goes on by itself
        assert "No space" in answer.detail
        daemon.restart()
    daemon.quiesce()
    check_done(set_)


def check_untouched(scene: Scene) -> None:
    """All is as it was before the import."""
    daemon = scene.daemon
    (card,) = daemon.pending()
    assert (card["id"], card["tags"], card["image"]) == (scene.number, ["t", "u"], f"{scene.number}.png")
    assert scene.source.read_bytes() == scene.content
    check_nothing_left_over(scene, pending_pictures=[f"pending/{scene.number}.png"])


def check_done(scene: Scene) -> None:
    """All of the import was done, once."""
    daemon = scene.daemon
    assert daemon.pending() == []
    (card,) = daemon.models()
    model = daemon.model(card["sha256"])
    assert {field: model[field] for field in TEXTS} == TEXTS
    assert (model["tags"], model["state"], model["cover"]) == (["t", "u"], "present", 0)
    assert len(model["images"]) == scene.images
    if scene.target is not None:
        assert model["path"] == str(scene.target)
        assert scene.target.read_bytes() == scene.content
        assert scene.target == scene.source or not scene.source.exists()
        assert files_below(daemon.data / "trash") == []
    else:
        assert not scene.source.exists()
        trash = [path for path in (daemon.data / "trash").rglob("*") if path.is_file()]
        assert sorted(path.name for path in trash) == ["record.json", scene.source.name]
        assert [path.read_bytes() for path in trash if path.name == scene.source.name] == [scene.content]
    for name in model["images"]:
        assert daemon.ask("GET", f"/api/images/{name}.webp?quality=low").status == 200
    check_nothing_left_over(scene, model["images"])
    assert len(daemon.events("import-completed")) == 1 + (scene.strategy is not None)


def check_nothing_left_over(
    scene: Scene, images: list[str] | None = None, pending_pictures: list[str] | None = None
) -> None:
    """There are no picture files but those the log knows, and no unfinished copies anywhere."""
    daemon = scene.daemon
    known = scene.images - 1 if images is None else 0
    if images is None and known:
        images = [name for model in daemon.models() for name in model["images"]]
    assert picture_files(daemon) == sorted([*tier_files(images or []), *(pending_pictures or [])])
    for _, root in daemon.roots:
        assert [path for path in files_below(root) if path.endswith(".part")] == []


@pytest.mark.slow
def test_what_was_answered_is_kept(make_daemon: Make) -> None:
    """An edit, a tag, a picture and a removal that were answered are there after a kill that follows at once."""
    daemon = make_daemon().start()
    sha256 = daemon.bring_in(daemon.drop / "x.safetensors")

    daemon.patch(f"/api/models/{sha256}", {"description": "kept", "favorite": True, "tags": ["kept"]})
    daemon.restart(kill=True)
    model = daemon.model(sha256)
    assert (model["description"], model["favorite"], model["tags"]) == ("kept", True, ["kept"])

    assert daemon.upload("/api/images/upload", png(), sha256=sha256).json["base_name"] == f"{sha256}_0"
    daemon.restart(kill=True)
    assert daemon.model(sha256)["images"] == [f"{sha256}_0"]
    assert daemon.ask("GET", f"/api/images/{sha256}_0.webp").status == 200
    assert picture_files(daemon) == tier_files([f"{sha256}_0"])

    daemon.delete(f"/api/images/delete?sha256={sha256}&seq=0")
    daemon.restart(kill=True)
    assert daemon.model(sha256)["images"] == []
    assert picture_files(daemon) == []


@pytest.mark.slow
def test_an_import_that_was_answered_is_kept(make_daemon: Make) -> None:
    """A kill right after the answer to an import changes nothing of it."""
    daemon = make_daemon().start()
    scene = same_disk(daemon)
    assert daemon.import_one(scene.number).json["status"] == "imported"
    position = daemon.quiesce()
    daemon.restart(kill=True)
    daemon.quiesce()
    check_done(scene)
    assert [event["type"] for event in daemon.events(after=position)] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again(make_daemon: Make, seed: int) -> None:
    """However often the daemon is killed while it works off a queue, every file ends as one model with its picture."""
    dice = random.Random(seed)  # noqa: S311 - dice, so that a failure can be repeated
    daemon = make_daemon().start()
    for number in range(12):
        picture(daemon.drop / f"{number}.png", (1200, 900))
        daemon.put_lora(daemon.drop / f"{number}.safetensors", number)
    daemon.wait_for(lambda: len([one for one in daemon.pending() if one["image"]]) == 12, what="all are pending")
    daemon.post("/api/migration/import_a_model", {"id": "all"})
    for _ in range(8):
        time.sleep(dice.random() * 0.4)
        daemon.restart(kill=True)

    daemon.wait_for(lambda: not daemon.pending(), 20, "all are imported")
    daemon.quiesce()
    models = daemon.models()
    assert [model["state"] for model in models] == ["present"] * 12
    assert all(len(model["images"]) == 1 for model in models)
    assert picture_files(daemon) == tier_files(name for model in models for name in model["images"])
    assert files_below(daemon.loras) == sorted(f"{number}.safetensors" for number in range(12))
    assert [path for path in files_below(daemon.drop) if path.endswith(".safetensors")] == []
