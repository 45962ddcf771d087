"""What we know can be taken along: written beside the models when asked, and read again by whoever has nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .harness import Daemon, Make, files_below, picture

FORMATS = ("lora-manager", "civitai-info", "a1111", "stability-matrix", "swarm", "text")
WORDS: dict[str, Any] = {
    "description": "about it\n\n\u201cquoted\u201d & <3",
    "community_links": "https://civitai.com/models/7\nhttps://example.org/x",
    "prompts": {"positive": "masterpiece, (a:1.2)", "negative": "lowres"},
    "trigger_words": ["foo", "bar, baz"],
    "tags": ["Anime", "flat"],
    "favorite": True,
}


def hikazed(daemon: Daemon, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command against a daemon."""
    command = [sys.executable, "-m", "hikaze.daemon", "--socket", daemon.socket, *argv]
    return subprocess.run(command, capture_output=True, text=True, env=daemon.env(), check=False)


def a_library(daemon: Daemon) -> str:
    """Bring in a model with a picture, and write about it; gives its hash."""
    picture(daemon.drop / "a b.png")
    sha256 = daemon.bring_in(daemon.drop / "a b.safetensors")
    daemon.patch(f"/api/models/{sha256}", WORDS)
    return sha256


def said_of(model: dict[str, Any]) -> dict[str, Any]:
    """Give what a person would miss of a model."""
    return {name: sorted(model[name]) if name == "tags" else model[name] for name in WORDS}


@pytest.mark.parametrize("form", FORMATS)
def test_a_new_library_has_it_all_again(make_daemon: Make, form: str) -> None:
    """The data folder is gone, and with it the log: from the files beside the models everything is there again."""
    daemon = make_daemon().start()
    sha256 = a_library(daemon)
    before = said_of(daemon.model(sha256))
    assert files_below(daemon.loras) == ["a b.safetensors"], "nothing is written without the command"

    done = hikazed(daemon, "export", "--all", "--format", form, "--pictures")
    assert (done.returncode, done.stdout) == (0, "1 file written, 1 picture written, 0 unchanged\n"), done.stderr
    assert daemon.stop() == 0
    shutil.rmtree(daemon.data)
    daemon.start()
    (found,) = daemon.wait_for(daemon.pending, what="the file is seen")
    daemon.wait_for(
        lambda: daemon.pending()[0]["tags"] and daemon.pending()[0]["image"], what="what lies beside is read"
    )
    assert daemon.import_one(found["id"]).json["sha256"] == sha256

    model = daemon.model(sha256)
    assert said_of(model) == before
    assert model["origins"] == dict.fromkeys(model["origins"], "provider")
    assert len(model["images"]) == 1


def test_a_library_is_not_its_own_news(make_daemon: Make) -> None:
    """What it wrote itself tells it nothing, now and after a restart; a second export finds all as it should be."""
    daemon = make_daemon().start()
    a_library(daemon)
    before = daemon.quiesce()
    for form in FORMATS:
        assert daemon.post("/api/export", {"format": form, "models": "all", "pictures": True})["written"] == 1
    files = {path: (daemon.loras / path).read_bytes() for path in files_below(daemon.loras)}
    assert len(files) == len(FORMATS) + 2
    daemon.post("/api/scan")
    daemon.restart()
    daemon.quiesce()
    assert [event["type"] for event in daemon.events(after=before)] == []

    for form in FORMATS:
        again = daemon.post("/api/export", {"format": form, "models": "all", "replace": True, "pictures": True})
        assert (again["written"], again["unchanged"], again["pictures"], again["skipped"]) == (0, 1, 0, [])
    assert {path: (daemon.loras / path).read_bytes() for path in files_below(daemon.loras)} == files


def test_an_older_backup_learns_from_a_newer_export(make_daemon: Make, tmp_path: Path) -> None:
    """What was written after the backup comes back from the files beside the models."""
    daemon = make_daemon().start()
    sha256 = daemon.bring_in(daemon.drop / "a.safetensors")
    assert daemon.stop() == 0
    shutil.copytree(daemon.data, tmp_path / "backup")
    daemon.start()
    daemon.patch(f"/api/models/{sha256}", WORDS)
    before = said_of(daemon.model(sha256))
    assert daemon.post("/api/export", {"format": "lora-manager", "models": [sha256]})["written"] == 1
    assert daemon.stop() == 0
    shutil.rmtree(daemon.data)
    (tmp_path / "backup").rename(daemon.data)
    daemon.start()

    daemon.wait_for(lambda: said_of(daemon.model(sha256)) == before, what="what was written since is there again")


def test_nothing_of_others_is_overwritten(daemon: Daemon) -> None:
    """A file that lies there stays as it is and is named; who asks for it gets both, and no key is lost."""
    sha256 = a_library(daemon)
    theirs = daemon.loras / "a b.metadata.json"
    theirs.write_text('{"file_name": "a b", "notes": "theirs", "hers": [1]}')
    daemon.wait_for(lambda: daemon.model(sha256)["provided"], what="it is read")

    done = hikazed(daemon, "export", sha256[:12], "--format", "lora-manager")
    assert done.returncode == 1
    assert str(theirs) in done.stdout
    assert theirs.read_text() == '{"file_name": "a b", "notes": "theirs", "hers": [1]}'
    done = hikazed(daemon, "export", sha256[:12], "--format", "lora-manager", "--replace")
    assert (done.returncode, done.stdout) == (0, "1 file written, 0 unchanged\n"), done.stderr
    assert json.loads(theirs.read_bytes())["hers"] == [1]
    assert (daemon.loras / "a b.metadata.json.bak-1").read_text().startswith('{"file_name": "a b", "notes": "theirs"')
    assert said_of(daemon.model(sha256))["description"] == WORDS["description"]
