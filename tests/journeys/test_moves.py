"""Files that move, go and come back: the model follows, without being hashed or imported again."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from .harness import Daemon, Make, lora


def where(daemon: Daemon, sha256: str) -> dict[str, str]:
    """Give the states of a model's locations."""
    return daemon.states(sha256)


def wait_at(daemon: Daemon, sha256: str, *paths: Path) -> None:
    """Wait until a model's locations are exactly these, all present."""
    expected = {str(path): "present" for path in paths}
    daemon.wait_for(lambda: where(daemon, sha256) == expected, what=f"{sha256[:8]} lies at {[*expected]}")


def kinds(daemon: Daemon, after: int) -> list[str]:
    """Give the kinds of the events behind a position, those of roots left out."""
    return [event["type"] for event in daemon.events(after=after) if not event["type"].startswith("root-")]


@pytest.mark.parametrize("move", ["renamed", "into a subfolder", "into another root", "root of another type"])
def test_a_move_is_followed(shared: Daemon, move: str) -> None:
    """A renamed or moved file is followed by one event; its texts stay, and nothing is imported again."""
    seed = ["renamed", "into a subfolder", "into another root", "root of another type"].index(move) + 10
    path = shared.loras / f"move {seed}.safetensors"
    target = {
        "renamed": shared.loras / f"moved {seed}.safetensors",
        "into a subfolder": shared.loras / "deep" / "er" / path.name,
        "into another root": shared.more_loras / path.name,
        "root of another type": shared.vae / path.name,
    }[move]
    sha256 = shared.bring_in(path, seed)
    shared.patch(f"/api/models/{sha256}", {"description": "mine", "tags": ["mine"]})
    target.parent.mkdir(parents=True, exist_ok=True)
    position = shared.quiesce()

    path.rename(target)

    wait_at(shared, sha256, target)
    shared.post("/api/scan")
    assert kinds(shared, position) == ["location-moved"]
    model = shared.model(sha256)
    assert (model["description"], model["tags"], model["type"], model["path"]) == (
        "mine",
        ["mine"],
        "loras",
        str(target),
    )


@pytest.mark.slow
def test_a_folder_that_is_renamed(shared: Daemon) -> None:
    """A folder of models that is renamed takes all of them along."""
    folder, target = shared.loras / "folder", shared.more_loras / "its new name"
    hashes = {seed: shared.bring_in(folder / "x" / f"{seed}.safetensors", seed) for seed in range(20, 24)}
    time.sleep(2.0)  # a folder's new name says nothing of its files: they must have lain still
    position = shared.quiesce()

    folder.rename(target)

    for seed, sha256 in hashes.items():
        wait_at(shared, sha256, target / "x" / f"{seed}.safetensors")
    assert kinds(shared, position) == ["location-moved"] * 4


@pytest.mark.slow
def test_moves_while_the_daemon_is_stopped(make_daemon: Make) -> None:
    """What was moved, renamed and deleted while nobody looked is found at the next start, without hashing."""
    daemon = make_daemon().start()
    moved = daemon.bring_in(daemon.loras / "moved.safetensors", 1)
    swapped = [daemon.bring_in(daemon.loras / f"swap{n}.safetensors", n) for n in (2, 3)]
    deleted = daemon.bring_in(daemon.loras / "deleted.safetensors", 4)
    position = daemon.quiesce()
    assert daemon.stop() == 0
    (daemon.loras / "moved.safetensors").rename(daemon.more_loras / "elsewhere.safetensors")
    one, other, aside = daemon.loras / "swap2.safetensors", daemon.loras / "swap3.safetensors", daemon.loras / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    (daemon.loras / "deleted.safetensors").unlink()

    daemon.start()

    wait_at(daemon, moved, daemon.more_loras / "elsewhere.safetensors")
    wait_at(daemon, swapped[0], other)
    wait_at(daemon, swapped[1], one)
    daemon.wait_for(lambda: [*where(daemon, deleted).values()] == ["missing"])
    assert daemon.pending() == []
    assert not {"model-imported", "pending-found"} & set(kinds(daemon, position))


def test_two_files_swap_their_names(shared: Daemon) -> None:
    """Two models that swap names while the daemon watches keep their own texts."""
    paths = [shared.loras / f"swap {seed}.safetensors" for seed in (50, 51)]
    hashes = [shared.bring_in(path, seed) for path, seed in zip(paths, (50, 51), strict=True)]
    aside = shared.loras / "aside"
    paths[0].rename(aside)
    paths[1].rename(paths[0])
    aside.rename(paths[1])

    wait_at(shared, hashes[0], paths[1])
    wait_at(shared, hashes[1], paths[0])
    assert not shared.pending_at(paths[0])
    assert not shared.pending_at(paths[1])


def test_a_deleted_file_comes_back(shared: Daemon) -> None:
    """A model survives the loss of its file, and is the same one when the content reappears, wherever that is."""
    path = shared.loras / "gone.safetensors"
    sha256 = shared.bring_in(path, 30)
    shared.patch(f"/api/models/{sha256}", {"description": "kept"})
    path.unlink()
    shared.wait_for(lambda: where(shared, sha256) == {str(path): "missing"})
    assert (shared.model(sha256)["state"], shared.model(sha256)["description"]) == ("missing", "kept")

    back = shared.put_lora(shared.more_loras / "back again.safetensors", 30)

    wait_at(shared, sha256, back)
    assert shared.model(sha256)["description"] == "kept"
    assert not shared.pending_at(back)


@pytest.mark.slow
def test_delete_and_put_back_at_once(shared: Daemon) -> None:
    """A file that is deleted and written anew with the same bytes stays its model's."""
    path = shared.loras / "again.safetensors"
    sha256 = shared.bring_in(path, 31)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    shared.wait_for(lambda: not shared.waiting() and where(shared, sha256) == {str(path): "present"})
    shared.post("/api/scan")
    assert where(shared, sha256) == {str(path): "present"}
    assert not shared.pending_at(path)


@pytest.mark.parametrize("same_size", [True, False])
@pytest.mark.parametrize("how", [pytest.param("written", marks=pytest.mark.slow), "replaced"])
def test_overwritten_in_place(shared: Daemon, how: str, same_size: bool) -> None:
    """Other content at a model's path ends that location, and the path is pending again and names the old model."""
    seed = 60 + 10 * same_size + (how == "written")
    path = shared.loras / f"over {seed}.safetensors"
    sha256 = shared.bring_in(path, seed)
    new = lora(shared.staging / "new", seed + 100, rank=4 if same_size else 8)
    if how == "replaced":
        os.replace(new, path)
    else:
        path.write_bytes(new.read_bytes())

    card = shared.wait_pending(path)

    assert (card["replaces"], card["in_place"]) == (sha256, True)
    assert where(shared, sha256) == {}
    assert (shared.model(sha256)["state"], shared.model(sha256)["name"]) == ("missing", f"over {seed}")
    done = shared.import_one(card["id"])
    assert done.json["status"] == "imported"
    assert where(shared, done.json["sha256"]) == {str(path): "present"}


@pytest.mark.slow
def test_a_touched_file_is_the_same(shared: Daemon) -> None:
    """A file whose time alone has changed is compared and stays its model's."""
    path = shared.loras / "touched.safetensors"
    sha256 = shared.bring_in(path, 40)
    position = shared.quiesce()
    os.utime(path, (1, 1))
    shared.wait_for(lambda: shared.post("/api/scan") and kinds(shared, position))
    assert kinds(shared, position) == ["location-refreshed"], shared.events(after=position)
    wait_at(shared, sha256, path)


@pytest.mark.slow
def test_a_hard_link_is_a_location(shared: Daemon) -> None:
    """A second name of a model's file is a location at once; when one goes the other stays."""
    path, other = shared.loras / "link a.safetensors", shared.more_loras / "link b.safetensors"
    sha256 = shared.bring_in(path, 41)
    position = shared.quiesce()
    os.link(path, other)

    wait_at(shared, sha256, path, other)
    assert kinds(shared, position) == ["location-found"]
    path.unlink()
    shared.wait_for(lambda: where(shared, sha256) == {str(path): "missing", str(other): "present"})
    assert shared.model(sha256)["path"] == str(other)


@pytest.mark.slow
def test_a_move_to_another_disk(other_disk: Path, make_daemon: Make) -> None:
    """A file moved to a root on another disk is recognised by its content and moves its location along."""
    daemon = make_daemon(more=["--models", f"loras={other_disk}"]).start()
    path, target = daemon.loras / "far.safetensors", other_disk / "far.safetensors"
    sha256 = daemon.bring_in(path, 42)
    shutil.move(path, target)

    wait_at(daemon, sha256, target)
    assert daemon.pending() == []


def test_pending_models_move_too(shared: Daemon) -> None:
    """A pending model keeps its id, texts and picture when its file is renamed or brought into a model root."""
    path = shared.put_lora(shared.drop / "wander.safetensors", 43)
    number = shared.wait_pending(path)["id"]
    shared.patch(f"/api/migration/pending_model?id={number}", {"description": "mine", "tags": ["t"]})
    path.rename(shared.drop / "wandered.safetensors")
    card = shared.wait_pending(shared.drop / "wandered.safetensors")
    assert (card["id"], card["name"], card["in_place"]) == (number, "wandered", False)

    (shared.drop / "wandered.safetensors").rename(shared.vae / "home.safetensors")
    card = shared.wait_pending(shared.vae / "home.safetensors")
    assert (card["id"], card["name"], card["in_place"], card["type"], card["tags"]) == (
        number,
        "home",
        True,
        "vae",
        ["t"],
    )


def test_a_model_in_a_drop_folder_waits(shared: Daemon) -> None:
    """A model's file that is moved into a drop folder waits there, names its model, and can be merged back."""
    path, dropped = shared.loras / "out.safetensors", shared.drop / "out.safetensors"
    sha256 = shared.bring_in(path, 44)
    path.rename(dropped)

    card = shared.wait_pending(dropped)
    assert card["sha256"] == sha256
    shared.wait_for(lambda: where(shared, sha256) == {str(path): "missing"})
    done = shared.import_one(card["id"], "merge").json
    assert (done["status"], done["path"]) == ("merged", str(path))
    wait_at(shared, sha256, path)


@pytest.mark.slow
def test_a_root_that_is_away(make_daemon: Make) -> None:
    """While a root is away its models are offline, never missing; when it is back they are present again."""
    daemon = make_daemon().start()
    sha256 = daemon.bring_in(daemon.more_loras / "a" / "x.safetensors", 1)
    waiting = daemon.put_lora(daemon.more_loras / "y.safetensors", 2)
    daemon.wait_pending(waiting)
    path, away = str(daemon.more_loras / "a" / "x.safetensors"), daemon.folder / "unplugged"
    position = daemon.quiesce()

    def check_offline() -> None:
        daemon.wait_for(lambda: where(daemon, sha256) == {path: "offline"}, what="it is offline")
        assert daemon.model(sha256)["state"] == "offline"
        assert [one["state"] for one in daemon.pending()] == ["offline"]
        daemon.post("/api/scan")
        assert where(daemon, sha256) == {path: "offline"}

    daemon.more_loras.rename(away)
    check_offline()
    assert any(str(daemon.more_loras) in warning["what"] for warning in daemon.get("/api/status")["warnings"])
    daemon.restart()
    check_offline()
    away.rename(daemon.more_loras)

    daemon.wait_for(lambda: where(daemon, sha256) == {path: "present"}, what="it is present")
    assert [one["state"] for one in daemon.pending()] == ["waiting"]
    assert kinds(daemon, position) == []
    daemon.put_lora(daemon.more_loras / "z.safetensors", 3)
    daemon.wait_pending(daemon.more_loras / "z.safetensors")


@pytest.mark.slow
def test_a_root_that_is_away_at_the_first_start(make_daemon: Make) -> None:
    """A root that is not there yet is no error, and is looked at when it comes."""
    daemon = make_daemon()
    daemon.more_loras.rmdir()
    daemon.start()
    states: dict[str, Any] = {root["path"]: root["state"] for root in daemon.get("/api/status")["roots"]}
    assert states[str(daemon.more_loras)] == "offline"
    assert not daemon.more_loras.exists()

    daemon.more_loras.mkdir()
    path = lora(daemon.more_loras / "new.safetensors")
    assert daemon.wait_pending(path, 10)["in_place"]


@pytest.mark.slow
def test_an_unmounted_disk(make_daemon: Make) -> None:
    """A root whose disk is unmounted leaves an empty folder behind: its models are offline, and nothing is lost."""
    daemon = make_daemon()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(daemon.more_loras)]
    unmount = ["umount", str(daemon.more_loras)]
    kept = daemon.folder / "kept"
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    try:
        daemon.start()
        path = daemon.more_loras / "x.safetensors"
        path.write_bytes(lora(daemon.staging / "x").read_bytes())
        sha256 = daemon.import_one(daemon.wait_pending(path)["id"]).json["sha256"]
        shutil.copytree(daemon.more_loras, kept)
        daemon.quiesce()
        subprocess.run(unmount, check=True)
        assert not path.exists()

        daemon.wait_for(lambda: where(daemon, sha256) == {str(path): "offline"}, what="it is offline")
        daemon.post("/api/scan")
        assert where(daemon, sha256) == {str(path): "offline"}
        assert any("another disk" in warning["what"] for warning in daemon.get("/api/status")["warnings"])

        subprocess.run(mount, check=True)  # as after a reboot: the same files on a file system with another id
        shutil.copytree(kept, daemon.more_loras, dirs_exist_ok=True)
        daemon.wait_for(lambda: where(daemon, sha256) == {str(path): "present"}, what="it is present")
        assert daemon.pending() == []
    finally:
        if daemon.process is not None:
            daemon.stop()
        subprocess.run(unmount, check=False, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [False, True])
def test_a_root_whose_folder_was_swapped(make_daemon: Make, stopped: bool) -> None:
    """Another folder at a root's path, on the same disk too, makes its models offline; the old one brings them back."""
    daemon = make_daemon().start()
    path = daemon.loras / "kept.safetensors"
    sha256 = daemon.bring_in(path)
    if stopped:
        daemon.stop()
    away = daemon.loras.rename(daemon.loras.with_name("away"))
    daemon.loras.mkdir()
    if stopped:
        daemon.start()

    daemon.wait_for(lambda: where(daemon, sha256) == {str(path): "offline"}, what="it is offline")
    daemon.ask("POST", "/api/scan", {}, {"X-Hikaze": "1"})
    assert where(daemon, sha256) == {str(path): "offline"}
    assert any("another disk or folder" in one["what"] for one in daemon.get("/api/status")["warnings"])

    daemon.loras.rmdir()
    away.rename(daemon.loras)
    wait_at(daemon, sha256, path)


@pytest.mark.slow
def test_rewritten_with_its_old_time(shared: Daemon) -> None:
    """Other content of the same size, with the old time put back, is noticed all the same."""
    path = shared.loras / "rewritten.safetensors"
    sha256 = shared.bring_in(path, 770)
    before = path.stat()
    other = lora(shared.staging / "other.safetensors", 771).read_bytes()
    assert len(other) == before.st_size
    with path.open("r+b") as file:
        file.write(other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    found = shared.wait_for(lambda: shared.pending_at(path), 8.0, "it is pending again")
    assert found[0]["replaces"] == sha256
    assert shared.model(sha256)["state"] == "missing"


@pytest.mark.slow
def test_a_link_to_a_folder_is_taken_away(shared: Daemon, tmp_path: Path) -> None:
    """When a link to a folder of models goes, what was reached through it is missing, without a scan."""
    (tmp_path / "elsewhere").mkdir()
    lora(tmp_path / "elsewhere" / "far.safetensors", 772)
    link = shared.loras / "linked"
    link.symlink_to(tmp_path / "elsewhere")
    path = link / "far.safetensors"
    sha256 = shared.import_one(shared.wait_pending(path)["id"]).json["sha256"]

    link.unlink()

    shared.wait_for(lambda: where(shared, sha256) == {str(path): "missing"}, what="it is missing")
