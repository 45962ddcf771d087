"""The command `migrate`, against a stand-in for the daemon: what it asks, what it says, and how it ends."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.__main__ import main

from .conftest import StandIn

MIGRATE = "/api/migration/migrate_legacy_db"
DONE: dict[str, Any] = {
    "status": "done",
    "form": "v1",
    "models": 2,
    "pending": 1,
    "united": 1,
    "missing": 1,
    "tags": 3,
    "images": 1,
    "already": 4,
    "problems": [{"table": "models", "id": "9", "what": "its picture \x1b[2J is no picture"}],
    "unwatched": [f"/old/{number}" for number in range(12)],
    "position": 9,
}


def test_the_report(daemon: StandIn, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A person reads what came, what did not and why, and which folders to watch; 0 though not all came."""
    daemon.says("POST", MIGRATE, DONE)
    os.chdir(tmp_path)

    assert main(["migrate", "old", "--images", "pics", "--socket", daemon.socket]) == 0
    assert daemon.asked[-1].body == {
        "legacy_db_path": str(tmp_path / "old"),
        "legacy_images_dir": str(tmp_path / "pics"),
    }
    said = capsys.readouterr().out
    for words in (
        "2 models, 1 pending model",
        "with 3 tags, 1 picture",
        "1 united",
        "4 that came before",
        "2 folders more",
    ):
        assert words in said
    assert "1 thing did not come along" in said
    assert "\\x1b[2J is no picture" in said
    assert "/old/9" in said
    assert "/old/10" not in said


def test_for_a_script(daemon: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    """A script gets the answer as it is; one that was cancelled is a failure, with all that came."""
    daemon.says("POST", MIGRATE, DONE | {"status": "cancelled"})

    assert main(["migrate", "/old", "--json", "--socket", daemon.socket]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "cancelled"
    assert "ask again" in err
    assert daemon.asked[-1].body == {"legacy_db_path": "/old", "legacy_images_dir": None}


@pytest.mark.parametrize(
    ("cancelled", "said"), [(True, "cancelled; what came along stays"), (False, "nothing is being")]
)
def test_cancel(daemon: StandIn, capsys: pytest.CaptureFixture[str], cancelled: bool, said: str) -> None:
    """Cancelling says whether there was anything to cancel."""
    daemon.says("DELETE", MIGRATE, {"cancelled": cancelled, "position": 3})

    assert main(["migrate", "--cancel", "--socket", daemon.socket]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["migrate"], ["migrate", "/old", "--cancel"]])
def test_wrong_usage(argv: list[str]) -> None:
    """It wants a source, or to cancel."""
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
