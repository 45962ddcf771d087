"""What takes how much room, as the daemon and the command line tell it."""

import json
import os
import shutil
from pathlib import Path

from .harness import Daemon, checkpoint
from .test_duplicates import duplicates, hikazed


def test_what_takes_how_much_room(daemon: Daemon) -> None:
    """Bytes by root, type, tag and age, each file once; pending files apart; what is away is told, and not asked."""
    sha256 = daemon.bring_in(daemon.loras / "ink.safetensors")
    ink = Path(daemon.model(sha256)["path"])
    daemon.patch(f"/api/models/{sha256}", {"tags": ["mine"]})
    size = ink.stat().st_size
    shutil.copy(ink, daemon.more_loras / "copy.safetensors")
    os.link(ink, daemon.loras / "hard.safetensors")
    waiting = daemon.put(checkpoint(daemon.staging / "new"), daemon.drop / "new.safetensors")
    daemon.wait_pending(waiting)
    daemon.wait_for(lambda: len(daemon.states(sha256)) == 3 and duplicates(daemon), what="all names are known")

    found = daemon.get("/api/storage")
    roots = {root["path"]: root for root in found["roots"]}
    assert found["total"] == {"models": 1, "files": 2, "bytes": 2 * size}
    assert (roots[str(daemon.loras)]["files"], roots[str(daemon.loras)]["bytes"]) == (1, size)
    assert roots[str(daemon.more_loras)]["bytes"] == size
    drop = roots[str(daemon.drop)]
    assert (drop["bytes"], drop["pending_files"], drop["pending_bytes"]) == (0, 1, waiting.stat().st_size)
    assert all(0 < root["free_bytes"] <= root["disk_bytes"] for root in found["roots"])
    assert found["types"] == [{"type": "loras", "models": 1, "bytes": 2 * size}]
    assert {tag["name"]: tag["bytes"] for tag in found["tags"]}["mine"] == 2 * size
    assert {age["age"]: age["bytes"] for age in found["ages"] if age["bytes"]} == {"week": 2 * size}

    daemon.more_loras.rename(daemon.folder / "unplugged")
    daemon.wait_for(lambda: daemon.get("/api/storage")["total"]["files"] == 1, what="the copy is away")
    away = {root["path"]: root for root in daemon.get("/api/storage")["roots"]}[str(daemon.more_loras)]
    assert (away["state"], away["free_bytes"], away["bytes"]) == ("offline", None, size)


def test_the_command(daemon: Daemon) -> None:
    """It shows all tables or the one that is asked for, with the total; to a script it gives the API's answer."""
    sha256 = daemon.bring_in(daemon.loras / "ink.safetensors")
    daemon.patch(f"/api/models/{sha256}", {"tags": ["mine"]})

    told = hikazed(daemon, "storage")
    for words in (str(daemon.loras), "loras", "mine", "at most 7 days", "in 1 file of 1 model"):
        assert words in told
    by_tag = hikazed(daemon, "storage", "--by", "tag")
    assert "mine" in by_tag
    assert str(daemon.loras) not in by_tag
    said = json.loads(hikazed(daemon, "storage", "--json"))
    assert said["total"] == daemon.get("/api/storage")["total"]
    assert "nothing lies on the disks more than once" in hikazed(daemon, "duplicates")
