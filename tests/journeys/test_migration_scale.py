"""A large earlier library: all of it comes along, in memory that does not grow with it."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from .. import legacy
from .harness import Daemon, Json, Make

FEW, MANY = 150, 1_500
PICTURE_EVERY, TAGS = 5, 40
PICTURE = legacy.picture(size=(600, 400))
PENDING = "/api/migration/pending_models"

pytestmark = pytest.mark.slow


@pytest.mark.skipif(sys.platform != "linux", reason="the highest memory of a process is told by Linux's /proc")
def test_large_library_comes_whole_in_little_memory(make_daemon: Make, tmp_path: Path) -> None:
    """Ten times the models take no more memory, and each is there with its name, tags, texts and picture."""
    few = migrated(make_daemon("few"), tmp_path / "few-v1", FEW)
    daemon = make_daemon("many")
    many = migrated(daemon, tmp_path / "many-v1", MANY)

    assert many < 1.4 * few
    found = {item["name"]: item for item in every(daemon, "/api/models") + every(daemon, PENDING)}
    assert found.keys() == {f"model {number}" for number in range(1, MANY + 1)}
    for number in range(1, MANY + 1):
        item = found[f"model {number}"]
        assert set(item["tags"]) == set(tags_of(number)), item
        picture = item["image"] if "id" in item else item["images"]
        assert bool(picture) == (number % PICTURE_EVERY == 0), item
    some = [item for item in found.values() if "sha256" in item and "id" not in item][:: MANY // 20]
    assert [daemon.model(item["sha256"])["description"] for item in some] == [f"about {item['name']}" for item in some]


def migrated(daemon: Daemon, folder: Path, models: int) -> int:
    """Bring a library of so many models along; gives the most memory that it took, in KiB."""
    source = legacy.build_v1(
        folder,
        *(row(daemon.loras, number) for number in range(1, models + 1)),
        images={name_of_picture(number): PICTURE for number in range(1, models + 1) if number % PICTURE_EVERY == 0},
    )
    daemon.start()
    report = daemon.ask(
        "POST", "/api/migration/migrate_legacy_db", {"legacy_db_path": str(source)}, {"X-Hikaze": "1"}, seconds=300
    ).json
    assert (report["models"], report["pending"], report["problems"]) == (models // 2, models // 2, [])
    assert report["images"] == models // PICTURE_EVERY
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1])


def row(folder: Path, number: int) -> dict[str, Any]:
    """Give a row of v1: every other one is hashed; their files are gone."""
    said: dict[str, Any] = {"description": f"about model {number}", "prompts": {"positive": "a castle " * 20}}
    if number % PICTURE_EVERY == 0:
        said["images"] = [f"/media/{name_of_picture(number)}"]
    return {
        "path": str(folder / f"model {number}.safetensors"),
        "type": "lora",
        "hash_hex": f"{number:064x}" if number % 2 == 0 else "",
        "extra_json": said,
        "tags": tags_of(number),
    }


def name_of_picture(number: int) -> str:
    """Give the name that v1 gave to an upload."""
    return f"model_{number}_{1_756_700_000_000 + number}_a.png"


def tags_of(number: int) -> list[str]:
    """Give the tags of a model: three of forty."""
    return [f"tag {(number + step) % TAGS}" for step in (0, 7, 19)]


def every(daemon: Daemon, path: str) -> list[Json]:
    """Give all items of a list, page by page."""
    page = daemon.get(path, limit=1000)
    items: list[Json] = page["items"]
    while page["next"] is not None:
        page = daemon.get(path, limit=1000, cursor=page["next"])
        items += page["items"]
    return items
