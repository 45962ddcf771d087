"""The command `export` as a person or a script uses it, against a stand-in for the daemon."""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from hikaze.daemon.__main__ import EXPORT_FORMATS
from hikaze.daemon.export.formats import ENDINGS

from .conftest import Asked, Said
from .test_commands import MODEL, SHA, Hikazed, hikazed

__all__ = ("hikazed",)

EXPORT = "/api/export"
DONE: dict[str, Any] = {
    "written": 2,
    "unchanged": 1,
    "pictures": 0,
    "not_written": 0,
    "paths": ["/m/one.md", "/m/two.md"],
    "skipped": [],
    "cancelled": False,
    "dry_run": False,
}


def test_the_formats_are_those_that_there_are() -> None:
    """What the command offers is what the daemon writes."""
    assert set(EXPORT_FORMATS) == set(ENDINGS)


def test_all_or_some_models_are_exported(daemon: Any, hikazed: Hikazed) -> None:
    """Models are meant as everywhere, and every option reaches the daemon."""
    daemon.says("POST", EXPORT, DONE)
    daemon.says("GET", f"/api/models/{SHA}", MODEL)

    assert hikazed("export", "--all", "--format", "text") == (0, "2 files written, 1 unchanged\n", "")
    code, _, _ = hikazed("export", SHA, "--format", "a1111", "--replace", "--pictures", "--dry-run")
    assert code == 0
    bodies = [asked.body for asked in daemon.asked if asked.path == EXPORT]
    plain = {"replace": False, "pictures": False, "dry_run": False}
    assert bodies == [
        {"format": "text", "models": "all"} | plain,
        {"format": "a1111", "models": [SHA]} | dict.fromkeys(plain, True),
    ]


def test_a_dry_run_names_the_files(daemon: Any, hikazed: Hikazed) -> None:
    """Who wants to know what would be written sees each path."""
    daemon.says("POST", EXPORT, DONE | {"dry_run": True, "pictures": 1})

    _, said, _ = hikazed("export", "--all", "--format", "text", "--dry-run")
    assert said.splitlines() == [
        "/m/one.md",
        "/m/two.md",
        "2 files would be written, 1 picture would be written, 1 unchanged",
    ]


def test_what_was_not_written_is_listed(daemon: Any, hikazed: Hikazed) -> None:
    """Each file has its reason, names do nothing to the terminal, and the exit code says that not all was done."""
    skipped = [{"path": "/m/\x1b[31mred.md", "why": "a file lies there"}]
    daemon.says("POST", EXPORT, DONE | {"skipped": skipped, "not_written": 1_001, "cancelled": True})

    code, said, complaint = hikazed("export", "--all", "--format", "text")
    assert code == 1
    assert "\\x1b[31mred.md  a file lies there" in said
    assert "cancelled" in said
    assert "and 1,000 files more" in said
    assert complaint == "hikazed: 1,001 files not written; see to the reason of each\n"


def test_the_answer_as_json(daemon: Any, hikazed: Hikazed) -> None:
    """A script gets what the API says."""
    daemon.says("POST", EXPORT, DONE)

    code, said, _ = hikazed("export", "--all", "--format", "text", "--json")
    assert (code, json.loads(said)) == (0, DONE)


def test_an_interrupted_export_is_cancelled(daemon: Any) -> None:
    """Ctrl-C ends the export in the daemon, too."""

    def slow(_asked: Asked) -> Said:
        daemon.ending.wait(20)
        return Said(200, DONE)

    daemon.answers["POST", EXPORT] = [slow]
    daemon.says("DELETE", EXPORT, {"cancelled": True})
    command = [sys.executable, "-m", "hikaze.daemon", "--socket", daemon.socket, "export", "--all", "--format", "text"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 20
    while not daemon.asked and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "cancelled" in complaint
    assert [(asked.method, asked.path) for asked in daemon.asked] == [("POST", EXPORT), ("DELETE", EXPORT)]


@pytest.mark.parametrize("status", [404, 409])
def test_a_refusal_is_one_line(daemon: Any, hikazed: Hikazed, status: int) -> None:
    """What the daemon does not do is said as it says it."""
    daemon.says("POST", EXPORT, {"status": status, "detail": "not now; wait"}, status)

    assert hikazed("export", "--all", "--format", "text") == (1, "", "hikazed: not now; wait\n")
