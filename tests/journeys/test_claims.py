"""What an earlier library says of a file is believed once the daemon has hashed it; its words stay in any case."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..legacy import build_v2
from .harness import Daemon, Json, Make, big, lora

OTHER = "0" * 63 + "7"


def sha_of(path: Path) -> str:
    """Give the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def migrate(daemon: Daemon, *rows: Json) -> Json:
    """Bring a Hikaze 2 library along in which these models are, each with a tag and a text."""
    words = {"tags": ["mine"], "meta_json": {"description": "what I wrote"}}
    folder = daemon.folder / f"earlier-{len(os.listdir(daemon.folder))}"
    folder.mkdir()
    build_v2(folder, *(words | row for row in rows))
    found = daemon.ask("POST", "/api/migration/migrate_legacy_db", {"legacy_db_path": str(folder)}, {"X-Hikaze": "1"})
    assert found.status == 200, found.body
    return found.json


def row_of(path: Path, sha256: str = "") -> Json:
    """Give the row of a model that lies at a path, with its hash or with another."""
    return {"path": str(path), "sha256": sha256 or sha_of(path), "size_bytes": path.stat().st_size}


def is_settled(daemon: Daemon) -> bool:
    """Tell whether nothing is left to be hashed."""
    return daemon.get("/api/status")["counts"]["unconfirmed"] == 0


def wait_settled(daemon: Daemon, seconds: float = 15.0) -> None:
    """Wait until nothing is left to be hashed."""
    daemon.wait_for(lambda: is_settled(daemon), seconds, "all is confirmed or denied")


def troubles(daemon: Daemon) -> list[str]:
    """Give what the status warns of."""
    return [one["what"] for one in daemon.get("/api/status")["warnings"]]


def has_words(daemon: Daemon, sha256: str) -> bool:
    """Tell whether a model has the tag and the text of its row."""
    model = daemon.model(sha256)
    return "mine" in model["tags"] and "what I wrote" in model["description"]


def test_the_right_and_the_wrong(make_daemon: Make) -> None:
    """Right: confirmed. Wrong: missing, with its words, told with a cure; the file is pending and names the model."""
    daemon = make_daemon()
    right, wrong = lora(daemon.loras / "right.safetensors", 1), lora(daemon.loras / "wrong.safetensors", 2)
    daemon.start()
    sha256 = sha_of(right)
    migrate(daemon, row_of(right), row_of(wrong, OTHER))
    wait_settled(daemon)

    assert daemon.model(sha256)["hash_state"] == "confirmed"
    assert daemon.states(sha256) == {str(right): "present"}
    denied = daemon.model(OTHER)
    assert (denied["hash_state"], denied["state"], denied["locations"]) == ("denied", "missing", [])
    assert denied["denied"] == [{"path": str(wrong), "sha256": sha_of(wrong)}]
    assert daemon.pending_at(wrong)[0]["replaces"] == OTHER
    (warning,) = [one for one in daemon.get("/api/status")["warnings"] if "earlier library" in one["what"]]
    assert str(wrong) in warning["what"]
    assert "import" in warning["cure"]
    assert has_words(daemon, sha256)
    assert has_words(daemon, OTHER)
    assert daemon.models()[0]["state"] in ("present", "missing")


def test_the_denied_file_is_imported(make_daemon: Make) -> None:
    """It becomes a model of its own; the warning is over, and the words stay with the model that was meant."""
    daemon = make_daemon()
    wrong = lora(daemon.loras / "wrong.safetensors", 2)
    daemon.start()
    migrate(daemon, row_of(wrong, OTHER))
    wait_settled(daemon)
    assert any("earlier library" in what for what in troubles(daemon))
    done = daemon.import_one(daemon.pending_at(wrong)[0]["id"])

    assert (done.status, done.json["status"], done.json["sha256"]) == (200, "imported", sha_of(wrong))
    assert not any("earlier library" in what for what in troubles(daemon))
    assert daemon.model(OTHER)["hash_state"] == "denied"
    assert has_words(daemon, OTHER)


def test_two_files_that_changed_places(make_daemon: Make) -> None:
    """Each is found to be the other; both are present where they really are, and nobody need do anything."""
    daemon = make_daemon()
    one, other = lora(daemon.loras / "one.safetensors", 1), lora(daemon.more_loras / "other.safetensors", 2)
    first, second = sha_of(one), sha_of(other)
    daemon.start()
    migrate(daemon, row_of(one, second), row_of(other, first))
    wait_settled(daemon)

    assert daemon.states(first) == {str(one): "present"}
    assert daemon.states(second) == {str(other): "present"}
    assert [daemon.model(sha256)["hash_state"] for sha256 in (first, second)] == ["confirmed", "confirmed"]
    assert not any("earlier library" in what for what in troubles(daemon))
    assert daemon.pending() == []
    assert has_words(daemon, first)
    assert has_words(daemon, second)


def test_a_file_that_is_another_known_model(make_daemon: Make) -> None:
    """It is one more file of that one, and the model that was meant is missing."""
    daemon = make_daemon().start()
    known = daemon.bring_in(daemon.loras / "known.safetensors", 1)
    copy = lora(daemon.more_loras / "copy.safetensors", 1)
    migrate(daemon, row_of(copy, OTHER))
    wait_settled(daemon)

    assert daemon.states(known) == {str(daemon.loras / "known.safetensors"): "present", str(copy): "present"}
    assert daemon.model(OTHER)["hash_state"] == "denied"
    assert any("earlier library" in what for what in troubles(daemon))
    copy.unlink()
    daemon.wait_for(lambda: not any("earlier library" in what for what in troubles(daemon)), what="it is gone")
    assert has_words(daemon, OTHER)


def test_a_file_that_comes_later(make_daemon: Make) -> None:
    """Missing at the migration, it is the model's when it comes: where it was, or anywhere else."""
    daemon = make_daemon().start()
    first, second = lora(daemon.staging / "1.safetensors", 1), lora(daemon.staging / "2.safetensors", 2)
    there, elsewhere = daemon.loras / "there.safetensors", daemon.vae / "elsewhere.safetensors"
    hashes = [sha_of(first), sha_of(second)]
    size = first.stat().st_size
    rows = [
        {"path": str(daemon.loras / name), "sha256": sha256, "size_bytes": size}
        for name, sha256 in zip(["there.safetensors", "gone.safetensors"], hashes, strict=True)
    ]
    migrate(daemon, *rows)
    assert [daemon.model(sha256)["state"] for sha256 in hashes] == ["missing", "missing"]
    daemon.put(first, there)
    daemon.put(second, elsewhere)
    daemon.wait_for(lambda: all(daemon.model(sha256)["hash_state"] == "confirmed" for sha256 in hashes), 10)

    assert daemon.states(hashes[0]) == {str(there): "present"}
    assert daemon.states(hashes[1]) == {str(elsewhere): "present"}
    assert daemon.pending() == []
    assert all(has_words(daemon, sha256) for sha256 in hashes)


def test_a_root_that_is_away(make_daemon: Make, tmp_path: Path) -> None:
    """Its models are offline, and confirmed when it comes back."""
    daemon = make_daemon().start()
    path = lora(daemon.vae / "a.safetensors", 1)
    row = row_of(path)
    daemon.wait_pending(path, 10)
    os.rename(daemon.vae, tmp_path / "away")
    daemon.wait_for(lambda: any(root["state"] == "offline" for root in daemon.get("/api/status")["roots"]))
    migrate(daemon, row)
    assert daemon.model(row["sha256"])["state"] == "offline"
    assert daemon.get("/api/status")["counts"]["unconfirmed"] == 1
    os.rename(tmp_path / "away", daemon.vae)
    wait_settled(daemon)

    assert daemon.states(row["sha256"]) == {str(path): "present"}
    assert daemon.model(row["sha256"])["hash_state"] == "confirmed"
    assert has_words(daemon, row["sha256"])
    assert daemon.pending() == []


def test_what_is_done_meanwhile(make_daemon: Make) -> None:
    """A file that is moved, one that is overwritten and one that is deleted while they wait to be hashed."""
    daemon = make_daemon()
    moved, over, gone = (lora(daemon.loras / f"{name}.safetensors", seed) for seed, name in enumerate("abc"))
    rows = [row_of(path) for path in (moved, over, gone)]
    daemon.start()
    migrate(daemon, *rows)
    target = daemon.vae / "moved.safetensors"
    os.rename(moved, target)
    os.replace(lora(daemon.staging / "new.safetensors", 9), over)
    gone.unlink()
    hashes = [row["sha256"] for row in rows]
    daemon.wait_for(lambda: daemon.model(hashes[2])["state"] == "missing", 15, "the deleted one is missing")
    wait_settled(daemon)
    daemon.wait_for(lambda: daemon.pending_at(over), 10, "the new file is pending")

    assert daemon.states(hashes[0]) == {str(target): "present"}
    assert daemon.model(hashes[0])["hash_state"] == "confirmed"
    assert daemon.model(hashes[1])["state"] == "missing"
    assert daemon.pending_at(over)[0]["replaces"] == hashes[1]
    assert all(has_words(daemon, sha256) for sha256 in hashes)


@pytest.mark.slow
def test_a_restart_in_the_middle(make_daemon: Make) -> None:
    """A daemon that ends while it hashes a big file ends at once, and begins with that file anew; the state is told."""
    daemon = make_daemon()
    path = big(daemon.loras / "big.safetensors", 1500)
    os.utime(path, (1, 1))
    daemon.start()
    row = row_of(path)
    migrate(daemon, row)
    (work,) = daemon.wait_for(lambda: [one for one in daemon.get("/api/status")["work"] if one["task"] == "claims"], 10)
    assert (work["done"], work["total"], work["bytes_total"]) == (0, 1, row["size_bytes"])
    assert daemon.stop() == 0
    daemon.start(scan=False)
    assert daemon.model(row["sha256"])["hash_state"] == "claimed"
    told = subprocess.run(
        [sys.executable, "-m", "hikaze.daemon", "status", "--socket", daemon.socket],
        env=daemon.env(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "1 unconfirmed" in told.stdout
    assert "hashing the files of the earlier library" in told.stdout or is_settled(daemon)
    wait_settled(daemon, 60)

    assert daemon.model(row["sha256"])["hash_state"] == "confirmed"
    assert daemon.get("/api/status")["work"] == []


def test_the_library_is_whole(make_daemon: Make) -> None:
    """`hikazed check` finds nothing wrong with claims, confirmed, denied or neither; a rebuild tells the same."""
    daemon = make_daemon()
    right, wrong = lora(daemon.loras / "right.safetensors", 1), lora(daemon.loras / "wrong.safetensors", 2)
    daemon.start()
    migrate(daemon, row_of(right), row_of(wrong, OTHER), {"path": str(daemon.vae / "no"), "sha256": "1" * 64})
    wait_settled(daemon)
    before = [daemon.model(sha256) for sha256 in (sha_of(right), OTHER, "1" * 64)]
    ran = subprocess.run(
        [sys.executable, "-m", "hikaze.daemon", "check", "--data", str(daemon.data)],
        env=daemon.env(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert daemon.stop() == 0
    (daemon.data / "views.db").unlink()
    daemon.start()

    assert [daemon.model(sha256) for sha256 in (sha_of(right), OTHER, "1" * 64)] == before
