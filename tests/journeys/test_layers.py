"""What people write over what sidecars say, from the drop folder on, through the API of the real program."""

import json
from pathlib import Path
from typing import Any

from .harness import Daemon, lora


def manager(path: Path, **fields: Any) -> None:
    """Write a sidecar as ComfyUI-Lora-Manager does."""
    path.write_text(json.dumps({"file_name": "ink", "model_name": "Ink of the East"} | fields))


def texts(whole: Any) -> tuple[str, list[str], str]:
    """Give what people see of the texts, and whose the description is."""
    return whole["description"], whole["trigger_words"], whole["origins"]["description"]


def test_a_persons_words_stand_whatever_the_sidecars_say(daemon: Daemon) -> None:
    """Before the import and after it, through changes, a move, a restart and a rebuild, each word has its owner."""
    beside = daemon.drop / "ink.metadata.json"
    manager(beside, notes="theirs", tags=["style"], civitai={"trainedWords": ["inkwash"]})
    dropped = lora(daemon.drop / "ink.safetensors")
    number = daemon.wait_pending(dropped)["id"]

    def pending() -> Any:
        return daemon.get("/api/migration/pending_model", id=number)

    daemon.wait_for(lambda: pending()["provided"], what="the sidecar is read")
    assert texts(pending()) == ("theirs", ["inkwash"], "provider")
    assert pending()["tags"] == ["style"]
    version = pending()["version"]
    daemon.patch(f"/api/migration/pending_model?id={number}", {"trigger_words": [], "tags": ["mine"]})
    assert pending()["version"] > version
    manager(beside, notes="theirs, newer", tags=["style"], civitai={"trainedWords": ["inkwash", "brush"]})
    daemon.wait_for(lambda: pending()["description"] == "theirs, newer", what="it is read anew")
    assert (pending()["trigger_words"], pending()["tags"]) == ([], ["mine"])

    sha256 = daemon.import_one(number).json["sha256"]
    assert texts(daemon.model(sha256)) == ("theirs, newer", [], "provider")
    assert daemon.model(sha256)["tags"] == ["mine"]
    beside.unlink()  # it told what it had to tell
    daemon.patch(f"/api/models/{sha256}", {"description": ""})
    (daemon.loras / "ink.txt").write_text("noted beside the model")
    daemon.wait_for(lambda: len(daemon.model(sha256)["provided"]) == 2, what="the notes are read")
    assert texts(daemon.model(sha256)) == ("", [], "user")
    daemon.patch(f"/api/models/{sha256}", {"description": "mine"})

    (daemon.loras / "sub").mkdir()
    (daemon.loras / "ink.safetensors").rename(daemon.loras / "sub" / "ink.safetensors")
    daemon.wait_for(lambda: daemon.model(sha256)["path"].endswith("sub/ink.safetensors"), what="the move is seen")
    before = daemon.model(sha256)
    assert texts(before) == ("mine", [], "user")
    assert [said["source"] for said in before["provided"]] == ["text", "lora-manager"]
    assert [item["sha256"] for item in daemon.get("/api/models", q="east noted")["items"]] == [sha256]

    daemon.stop()
    (daemon.data / "views.db").unlink()
    daemon.start()
    assert daemon.model(sha256) == before
