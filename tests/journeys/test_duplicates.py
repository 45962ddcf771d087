"""What lies on the disks more than once, told so that nobody deletes a file that is not there twice."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from ..legacy import build_v2
from .harness import Daemon, Json, Make, lora


def duplicates(daemon: Daemon, **query: Any) -> list[Json]:
    """Give all groups."""
    return daemon.get("/api/duplicates", **query)["items"]


def hikazed(daemon: Daemon, *argv: str) -> str:
    """Give what a command says, which must work."""
    command = [sys.executable, "-m", "hikaze.daemon", "--socket", daemon.socket, *argv]
    done = subprocess.run(command, env=daemon.env(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def import_in_place(daemon: Daemon, path: Path) -> str:
    """Import what lies in a model root; gives its SHA-256."""
    done = daemon.import_one(daemon.wait_pending(path)["id"], "merge")
    assert done.status == 200, done.body
    return done.json["sha256"]


def files_of(group: Json) -> dict[str, tuple[str, int | None]]:
    """Give, by path, the state and the number of the file."""
    return {place["path"]: (place["state"], place["file"]) for place in group["locations"]}


def with_metadata(source: Path, target: Path, **metadata: str) -> Path:
    """Write the tensors of a file with other metadata, as an editor of metadata does."""
    with safe_open(source, "np") as file:
        before = file.metadata() or {}
    save_file(load_file(source), target, metadata=before | metadata)
    return target


def test_a_copy_a_hard_link_and_a_second_look_at_the_same_folder(make_daemon: Make) -> None:
    """A copy is a second file; a hard link, a link to it and a root that leads to the same folder are none."""
    daemon = make_daemon()
    inside = daemon.loras / "inside"
    daemon.more = ("--models", f"loras={daemon.folder / 'same'}", "--models", f"loras={inside}")
    inside.mkdir()
    (daemon.folder / "same").symlink_to(daemon.loras)
    path = lora(daemon.loras / "ink.safetensors")
    os.link(path, inside / "hard.safetensors")
    (daemon.more_loras / "soft.safetensors").symlink_to(path)
    daemon.start()
    sha256 = import_in_place(daemon, path)
    daemon.quiesce()
    for one in daemon.pending():
        import_in_place(daemon, Path(one["path"]))

    assert len(daemon.model(sha256)["locations"]) > 2
    assert duplicates(daemon) == []
    assert daemon.get("/api/models", q="is:duplicate")["items"] == []

    copy = Path(shutil.copy(path, daemon.more_loras / "copy.safetensors"))
    daemon.wait_for(lambda: duplicates(daemon), what="the copy is told")

    (group,) = duplicates(daemon)
    assert (group["kind"], group["sha256"], group["files"]) == ("equal", sha256, 2)
    assert group["gives_back"] == group["size_bytes"] == path.stat().st_size
    files = files_of(group)
    assert {state for state, _ in files.values()} == {"present"}
    assert {number for place, (_, number) in files.items() if place != str(copy)} == {
        1 if files[str(copy)][1] == 2 else 2
    }
    assert [one["sha256"] for one in daemon.get("/api/models", q="is:duplicate")["items"]] == [sha256]
    assert path.exists()
    assert copy.exists()


def test_a_copy_that_waits_is_told_with_its_number(daemon: Daemon) -> None:
    """A dropped copy of known content stays pending, is listed as such, and would give its bytes back."""
    sha256 = daemon.bring_in(daemon.loras / "ink.safetensors")
    there = Path(daemon.model(sha256)["path"])
    dropped = daemon.put(Path(shutil.copy(there, daemon.staging / "again")), daemon.drop / "again.safetensors")
    number = daemon.wait_pending(dropped)["id"]
    daemon.wait_for(lambda: duplicates(daemon), what="it is known to be the same")

    (group,) = duplicates(daemon)
    assert [(place["path"], place["pending"], place["file"]) for place in group["locations"]] == [
        (str(there), None, 1),
        (str(dropped), number, 2),
    ]
    assert group["gives_back"] == there.stat().st_size
    assert f"pending {number}" in hikazed(daemon, "duplicates")


def test_a_copy_on_a_disk_that_is_away_gives_nothing_back(daemon: Daemon) -> None:
    """It is shown as offline, and neither of the two counts as one too many; so it is no duplicate in a search."""
    sha256 = daemon.bring_in(daemon.loras / "ink.safetensors")
    there = Path(daemon.model(sha256)["path"])
    shutil.copy(there, daemon.more_loras / "copy.safetensors")
    daemon.wait_for(lambda: duplicates(daemon), what="the copy is told")
    daemon.more_loras.rename(daemon.folder / "unplugged")
    daemon.wait_for(lambda: duplicates(daemon)[0]["files"] == 1, what="it is away")

    (group,) = duplicates(daemon)
    assert (group["gives_back"], files_of(group)) == (
        0,
        {str(there): ("present", 1), str(daemon.more_loras / "copy.safetensors"): ("offline", 2)},
    )
    assert daemon.get("/api/models", q="is:duplicate")["items"] == []
    assert daemon.get("/api/duplicates")["totals"]["equal"] == {"groups": 1, "gives_back": 0}


def test_what_is_gone_and_what_was_removed_is_no_copy(daemon: Daemon) -> None:
    """When the copy is deleted there is no group any more, though its path is remembered as missing."""
    sha256 = daemon.bring_in(daemon.loras / "ink.safetensors")
    copy = Path(shutil.copy(daemon.model(sha256)["path"], daemon.more_loras / "copy.safetensors"))
    daemon.wait_for(lambda: duplicates(daemon), what="the copy is told")
    copy.unlink()
    daemon.wait_for(lambda: not duplicates(daemon), what="there is one file again")

    assert daemon.states(sha256)[str(copy)] == "missing"


def test_relatives(daemon: Daemon) -> None:
    """Two files with the same tensors and other metadata are relatives; one with other tensors is none."""
    first = lora(daemon.staging / "first", 1, {"ss_epoch": "1", "same": "same"})
    second = with_metadata(first, daemon.staging / "second", ss_epoch="2", note="x" * 5_000)
    size = first.stat().st_size
    other = lora(daemon.staging / "other", 2, {"ss_epoch": "1", "same": "same"})
    hashes = [
        import_in_place(daemon, daemon.put(path, daemon.loras / f"{path.name}.safetensors"))
        for path in (first, second, other)
    ]

    (group,) = duplicates(daemon)
    assert group["kind"] == "relatives"
    assert {model["sha256"] for model in group["models"]} == set(hashes[:2])
    assert group["differs"] == ["note", "ss_epoch"]
    assert group["gives_back"] == size
    assert {model["origin"] for model in group["models"]} == {"computed"}
    assert duplicates(daemon, kind="equal") == []
    assert duplicates(daemon, kind="relatives") == [group]
    said = json.loads(hikazed(daemon, "duplicates", "--json"))
    assert said["items"] == [group]
    assert "other metadata: note, ss_epoch" in hikazed(daemon, "duplicates", "--kind", "relatives")


def test_what_only_a_header_tells_gives_nothing_back(daemon: Daemon) -> None:
    """A header may have been copied from the file that a model was made of: the bytes have the last word."""
    first = lora(daemon.staging / "first", 1)
    length = int.from_bytes(first.read_bytes()[:8], "little")
    autov3 = hashlib.sha256(first.read_bytes()[8 + length :]).hexdigest()
    merged = lora(daemon.staging / "merged", 2, {"sshs_model_hash": autov3})
    for path in (first, merged):
        import_in_place(daemon, daemon.put(path, daemon.loras / f"{path.name}.safetensors"))

    assert duplicates(daemon) == []


def test_claims_are_listed_and_count_once_they_are_confirmed(make_daemon: Make) -> None:
    """Files that an earlier library told of count when they were hashed; older models are compared by themselves."""
    daemon = make_daemon()
    paths = [lora(folder / "ink.safetensors") for folder in (daemon.loras, daemon.more_loras)]
    related = with_metadata(paths[0], daemon.loras / "related.safetensors", note="mine")
    earlier = daemon.folder / "earlier"
    earlier.mkdir()
    rows = [
        {
            "path": str(path),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size_bytes": path.stat().st_size,
            "tags": [],
        }
        for path in (paths[0], related)
    ]
    build_v2(earlier, *rows)
    daemon.start()
    daemon.post("/api/migration/migrate_legacy_db", {"legacy_db_path": str(earlier)})
    daemon.wait_for(lambda: len(duplicates(daemon)) == 2, 20, "the copy is found, and the relatives")

    kinds = {group["kind"]: group for group in duplicates(daemon)}
    assert kinds["equal"]["gives_back"] == paths[0].stat().st_size
    assert {model["sha256"] for model in kinds["relatives"]["models"]} == {row["sha256"] for row in rows}


def test_pages_and_wrong_questions(daemon: Daemon) -> None:
    """Groups come page by page, those that give most back first; a kind that does not exist is refused."""
    for seed in range(3):
        sha256 = daemon.bring_in(daemon.loras / f"{seed}.safetensors", seed, rank=4 + seed)
        shutil.copy(daemon.model(sha256)["path"], daemon.more_loras / f"copy-{seed}.safetensors")
    daemon.wait_for(lambda: len(duplicates(daemon)) == 3, what="all copies are told")

    whole = daemon.get("/api/duplicates")
    seen, cursor = [], ""
    while cursor is not None:
        page = daemon.get("/api/duplicates", limit=1, **({"cursor": cursor} if cursor else {}))
        seen += page["items"]
        cursor = page["next"]
        assert page["totals"] == whole["totals"]
    assert seen == whole["items"]
    given = [group["gives_back"] for group in seen]
    assert given == sorted(given, reverse=True)
    assert whole["totals"]["equal"] == {"groups": 3, "gives_back": sum(given)}
    assert daemon.ask("GET", "/api/duplicates?kind=near").status == 422
    assert daemon.ask("GET", "/api/duplicates?cursor=nonsense").status == 422
