"""The command line as a person or a script uses it, against a stand-in for the daemon or on a real data folder."""

import argparse
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.__main__ import HANDLERS, main, parser
from hikaze.daemon.commands.client import Message
from hikaze.daemon.commands.everyday import Desk, event_line, open_page, with_tags
from hikaze.daemon.commands.importing import ended
from hikaze.daemon.commands.terminal import Screen
from hikaze.daemon.config import Platform
from hikaze.daemon.instance import DataLock
from hikaze.daemon.process import end
from hikaze.events.catalog import TagCreated
from hikaze.events.log import EventLog
from hikaze.events.record import New

SHA, OTHER = "ab" * 32, "ab" * 31 + "cd"
MODEL = {
    "sha256": SHA,
    "name": "One [red]\x1b",
    "type": "loras",
    "size_bytes": 2048,
    "created_at": 0,
    "favorite": False,
    "tags": ["anime"],
    "images": [f"{SHA}_0"],
    "cover": 0,
    "path": "/m/one",
    "state": "present",
    "description": "two\nlines",
    "community_links": "",
    "prompts": {"positive": "good", "negative": ""},
    "trigger_words": ["w"],
    "locations": [{"path": "/m/one", "state": "present", "root": 1}],
    "header": {"format": "safetensors", "metadata": {}},
    "version": 4,
}
PENDING = {
    "id": 7,
    "name": "seven",
    "path": "/p/seven.safetensors",
    "type": None,
    "size_bytes": 10,
    "created_at": 0,
    "in_place": False,
    "state": "waiting",
    "sha256": None,
    "import": {"state": "failed", "reason": "no room", "model": None},
}
STATUS = {
    "version": "0.1.0",
    "position": 1234,
    "roots": [
        {"id": 1, "path": "/m", "kind": "model", "type": "loras", "state": "online", "why": None},
        {"id": 2, "path": "/nas", "kind": "pending", "type": None, "state": "offline", "why": "absent"},
    ],
    "counts": {"models": 1, "pending": 2, "images": 3},
    "work": [{"task": "imports", "what": "importing", "done": 3, "total": 1200}],
    "waiting": [{"path": "/p/half.part", "reason": "it is being written"}],
    "warnings": [{"what": "the disk is nearly full", "cure": "make room"}],
}
IMPORT = "/api/migration/import_a_model"

Hikazed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hikazed(daemon: Any, capsys: pytest.CaptureFixture[str]) -> Hikazed:
    """Give what runs a command against the stand-in: exit code, what it printed, what it complained of."""

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(["--socket", daemon.socket, *argv])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def sse(kind: str, data: object, position: int | None = None) -> bytes:
    """Write a message as the live stream does."""
    head = "" if position is None else f"id: {position}\n"
    return f"{head}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def event(position: int, kind: str, action: str = "aa", **data: object) -> dict[str, Any]:
    """Give an event as the API shows it."""
    return {"position": position, "type": kind, "time": 0, "actor": "cli", "action": action, "data": data}


def streamed(*events: Mapping[str, Any]) -> list[bytes]:
    """Give events as the live stream writes them."""
    return [sse(each["type"], each, each["position"]) for each in events]


# The command line itself ------------------------------------------------------------------------------


def subparsers() -> Mapping[str, argparse.ArgumentParser]:
    """Give the parser of each command."""
    (action,) = (each for each in parser()._actions if isinstance(each, argparse._SubParsersAction))
    return action.choices


def test_the_commands_are_those_that_exist() -> None:
    """There is a command for everything that works, and none for what does not yet."""
    names = (
        "run open stop status scan pending import models show tag migrate export duplicates storage log install check"
        " rebuild backup restore"
    )
    assert list(subparsers()) == names.split()
    assert set(subparsers()) == {"run", *HANDLERS}


def test_every_command_and_option_has_a_help_text() -> None:
    """Whatever can be said is explained."""
    for command in (parser(), *subparsers().values()):
        assert command.description
        for action in command._actions:
            about = action.choices if isinstance(action, argparse._SubParsersAction) else action.help
            assert about, f"{command.prog} {action.dest}"


def test_help_answers_at_once() -> None:
    """Help imports nothing that takes time: below 150 ms beyond the start of Python, measured without it."""
    shown = "import sys, hikaze.daemon.__main__ as m; m.parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True).stdout.split()

    assert not {"rich", "msgspec", "apsw", "aiohttp", "http.client", "PIL", "asyncio"}.intersection(loaded)


@pytest.mark.parametrize(
    "argv",
    [
        "",
        "migrate",
        "migrate x --cancel",
        "migrate x y",
        "stat",
        "status --jso",
        "import",
        "import --all 7",
        "import x",
        "import 0",
        "import 1 --on-conflict replace",
        "tag --add x",
        "export x",
        "export --format text",
        "export --format text --all x",
        "export --format word x",
        "models --sort=colour",
        "models --limit 0",
        "show",
        "show \udcff",
        "run --listen 0.0.0.0:80",
        "run --listen nowhere",
        "run --models loras",
        "check --socket /s",
        "--socket /s rebuild",
        "backup",
        "backup -",
        "backup --socket /s f",
        "restore -",
        "restore --overwrite f",
        "status extra",
    ],
)
def test_wrong_usage_is_said_with_exit_code_2(argv: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant is refused before anything is asked."""
    with pytest.raises(SystemExit) as ended_:
        main(argv.split())
    assert ended_.value.code == 2
    assert "usage: hikazed" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--socket", "/no/s", "status"], ["status", "--socket", "/no/s"]])
def test_the_daemon_may_be_named_before_or_after_the_command(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Both places mean the same, and no daemon there is one clear line."""
    assert main(argv) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("hikazed: no daemon is running at /no/s; start one with `hikazed run`")
    assert said.err.count("\n") == 1


def test_a_configuration_that_cannot_be_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad file is a failure that names it."""
    bad = tmp_path / "hikazed.toml"
    bad.write_text("colour = 1")

    assert main(["run", "--data", str(tmp_path), "--config", str(bad)]) == 1
    assert str(bad) in capsys.readouterr().err


def test_a_refusal_is_one_line_and_exit_code_1(hikazed: Hikazed) -> None:
    """The daemon's own sentence comes through, as one line on stderr, also with --json."""
    assert hikazed("status", "--json") == (1, "", "hikazed: there is no /api/status; ask for something else\n")


def test_the_whole_program_ends_with_these_codes(daemon: Any) -> None:
    """As a process: 0 with an answer, 1 where a reader went away early, 2 for wrong usage."""
    daemon.says("GET", "/api/tags", {"items": [{"name": "x" * 999, "models": 1, "pending": 0}] * 900, "next": None})
    command = [sys.executable, "-m", "hikaze.daemon", "--socket", daemon.socket, "tag"]

    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert subprocess.run([*command, "--add", "x"], capture_output=True, check=False).returncode == 2
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(20) == 1
        assert process.stderr.read() == b""


# What the commands say --------------------------------------------------------------------------------


def test_status_is_one_screen(daemon: Any, hikazed: Hikazed) -> None:
    """Version, what there is, folders, work, what waits and warnings with their cure."""
    daemon.says("GET", "/api/status", STATUS)

    code, out, _ = hikazed("status")
    assert code == 0
    assert out == (
        "hikazed 0.1.0, at event 1,234\n"
        f"socket  {daemon.socket}\n"
        "has     1 model, 2 pending, 3 pictures\n"
        "\nfolders\n  online            loras    /m\n  offline (absent)  pending  /nas\n"
        "\nat work\n  importing: 3 of 1,200\n"
        "\nfiles that have not come to rest\n  /p/half.part: it is being written\n"
        "\nwarnings\n  the disk is nearly full\n    -> make room\n"
    )


@pytest.mark.parametrize(
    ("argv", "method", "path", "value"),
    [
        ("status", "GET", "/api/status", STATUS),
        ("scan", "POST", "/api/scan", {"scanned": 2, "added": 1}),
        ("pending", "GET", "/api/migration/pending_models", {"items": [PENDING], "next": None}),
        ("models", "GET", "/api/models", {"items": [MODEL], "next": None}),
        ("models --limit 1", "GET", "/api/models", {"items": [MODEL], "next": "c"}),
        (f"show {SHA}", "GET", f"/api/models/{SHA}", MODEL),
        ("tag", "GET", "/api/tags", {"items": [{"id": 1, "name": "ü", "models": 1, "pending": 0}], "next": None}),
        ("import 7", "POST", IMPORT, {"status": "imported", "sha256": SHA, "path": "/m/one", "position": 9}),
        ("import 7 --no-wait", "POST", IMPORT, {"queued": 1, "action": "aa", "position": 3}),
    ],
)
def test_json_is_what_the_api_says(
    daemon: Any, hikazed: Hikazed, argv: str, method: str, path: str, value: Any
) -> None:
    """A script gets the daemon's own answer, whole."""
    daemon.says("GET", "/api/status", STATUS)
    daemon.says(method, path, value)

    code, out, err = hikazed(*argv.split(), "--json")
    assert (code, json.loads(out), err) == (0, value, "")


def test_a_long_list_is_one_list_in_json(daemon: Any, hikazed: Hikazed) -> None:
    """Without a limit all pages come as one list."""
    daemon.says("GET", "/api/models", {"items": [MODEL], "next": "c"})
    daemon.says("GET", "/api/models", {"items": [MODEL | {"sha256": OTHER}], "next": None})

    _, out, _ = hikazed("models", "--json")
    assert [each["sha256"] for each in json.loads(out)["items"]] == [SHA, OTHER]


def test_models_are_asked_for_by_words_type_and_tags(daemon: Any, hikazed: Hikazed) -> None:
    """Every filter reaches the daemon; names do nothing to a terminal."""
    daemon.says("GET", "/api/models", {"items": [MODEL], "next": None})

    argv = "models red one --type loras --tag a --tag b --not-tag c --sort=-added --limit 5"
    code, out, _ = hikazed(*argv.split())
    assert code == 0
    assert out.splitlines()[1].startswith(r"One [red]\x1b  loras  2.0 KiB  present")
    assert daemon.asked[0].query == {
        "type": ["loras"],
        "q": ["red one"],
        "sort": ["-added"],
        "tag": ["a", "b"],
        "not_tag": ["c"],
        "limit": ["5"],
    }


def test_pending_says_what_is_the_matter(daemon: Any, hikazed: Hikazed) -> None:
    """An unknown type and a failed import are beside the model."""
    daemon.says("GET", "/api/migration/pending_models", {"items": [PENDING], "next": None})

    _, out, _ = hikazed("pending")
    assert "say its type with --type, no room" in out.splitlines()[1]


@pytest.mark.parametrize(("command", "path"), [("pending", "/api/migration/pending_models"), ("models", "/api/models")])
def test_an_empty_list_says_so_beside_the_answer(daemon: Any, hikazed: Hikazed, command: str, path: str) -> None:
    """Nothing is no failure, and nothing is printed where a script reads."""
    daemon.says("GET", path, {"items": [], "next": None})

    code, out, err = hikazed(command)
    assert (code, out) == (0, "")
    assert err


def test_scan_says_what_it_found(daemon: Any, hikazed: Hikazed) -> None:
    """Only what there is is counted, and what could not be read is named."""
    daemon.says("POST", "/api/scan", {"scanned": 1200, "added": 2, "moved": 0, "unreadable": ["/m/x"]})

    assert hikazed("scan") == (
        0,
        "1,200 files: 2 added\n",
        "could not read /m/x; let the daemon's user read it\n",
    )


def test_a_pending_model_is_shown_by_its_id(daemon: Any, hikazed: Hikazed) -> None:
    """With an id `pending` tells all about that one, and gives it to a script as the API does."""
    texts = {"tags": ["x"], "trigger_words": [], "description": "", "community_links": "", "header": {}}
    whole = PENDING | texts | {"prompts": {"positive": "", "negative": ""}}
    daemon.says("GET", "/api/migration/pending_model", whole)

    code, out, _ = hikazed("pending", "7")
    assert code == 0
    assert "waiting     /p/seven.safetensors\ntags        x\n" in out
    assert json.loads(hikazed("pending", "7", "--json")[1]) == whole


def test_show_tells_all(daemon: Any, hikazed: Hikazed) -> None:
    """A person gets every fact that there is, with lines kept and hostile characters inert."""
    daemon.says("GET", f"/api/models/{SHA}", MODEL)

    _, out, _ = hikazed("show", SHA.upper())
    assert r"name        One [red]\x1b" in out
    assert "about       two\n            lines\n" in out
    assert "links" not in out
    assert "header      format: safetensors" in out


@pytest.mark.parametrize("wanted", ["ababab", "one [RED]\x1b", SHA])
def test_a_model_is_meant_by_prefix_name_or_hash(daemon: Any, hikazed: Hikazed, wanted: str) -> None:
    """Six digits of the hash, the name in any case, and the whole hash mean the same model."""
    alike = {"items": [MODEL, MODEL | {"sha256": "cd" * 32, "name": "One [red]\x1b two"}], "next": None}
    daemon.says("GET", "/api/models", alike)
    daemon.says("GET", f"/api/models/{SHA}", MODEL)

    code, out, _ = hikazed("show", wanted, "--json")
    assert (code, json.loads(out)["sha256"]) == (0, SHA)


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("ababab", f"'ababab' may mean 2 models; give the hash of one: same ({SHA[:12]}), same ({OTHER[:12]})"),
        ("same", f"'same' may mean 2 models; give the hash of one: same ({SHA[:12]}), same ({OTHER[:12]})"),
        ("ababa", "there is no model 'ababa'; give its exact name or hash, as `hikazed models` shows them"),
    ],
)
def test_a_model_that_is_not_clear_is_refused(daemon: Any, hikazed: Hikazed, wanted: str, sentence: str) -> None:
    """Of several models none is taken; the refusal lists them."""
    both = [MODEL | {"name": "same"}, MODEL | {"name": "same", "sha256": OTHER}]
    daemon.says("GET", "/api/models", {"items": both, "next": None})

    assert hikazed("show", wanted) == (1, "", f"hikazed: {sentence}\n")


def test_the_exact_spelling_comes_before_another_case(daemon: Any, hikazed: Hikazed) -> None:
    """Two names that differ in case alone can both be meant."""
    both = [MODEL | {"name": "one"}, MODEL | {"name": "One", "sha256": OTHER}]
    daemon.says("GET", "/api/models", {"items": both, "next": None})
    daemon.says("GET", f"/api/models/{OTHER}", MODEL | {"sha256": OTHER})

    assert json.loads(hikazed("show", "One", "--json")[1])["sha256"] == OTHER


# Tags -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("add", "remove", "result"),
    [
        (["new"], [], ["Anime", "b", "new"]),
        (["ANIME"], [], ["Anime", "b"]),
        ([], ["anime", "other"], ["b"]),
        (["c"], ["C"], ["Anime", "b"]),
        ([" d "], ["b"], ["Anime", "d"]),
    ],
)
def test_tags_are_put_on_and_taken_off(add: list[str], remove: list[str], result: list[str]) -> None:
    """Spellings of one tag are one tag; the first spelling stays."""
    assert with_tags(["Anime", "b"], add, remove) == result


def test_tag_changes_what_it_has_read(daemon: Any, hikazed: Hikazed) -> None:
    """Where somebody else was quicker the model is read again, and the change made on that."""
    where = f"/api/models/{SHA}"
    daemon.says("GET", where, MODEL)
    daemon.says("GET", where, MODEL | {"tags": ["anime", "theirs"], "version": 5})
    daemon.says("PATCH", where, {"detail": "changed meanwhile"}, 412)
    daemon.takes("PATCH", where, MODEL)

    assert hikazed("tag", SHA, "--add", "two words") == (0, "anime\ntheirs\ntwo words\n", "")
    first, second = (asked for asked in daemon.asked if asked.method == "PATCH")
    assert (first.headers["If-Match"], first.body) == ('"4"', {"tags": ["anime", "two words"]})
    assert (second.headers["If-Match"], second.body) == ('"5"', {"tags": ["anime", "theirs", "two words"]})


def test_tag_changes_nothing_that_is_so_already(daemon: Any, hikazed: Hikazed) -> None:
    """A tag that is there already makes no write."""
    daemon.says("GET", f"/api/models/{SHA}", MODEL)

    assert hikazed("tag", SHA, "--add", "ANIME", "--json") == (0, '{"items": ["anime"], "next": null}\n', "")
    assert hikazed("tag", SHA) == (0, "anime\n", "")
    assert {asked.method for asked in daemon.asked} == {"GET"}


# The log ----------------------------------------------------------------------------------------------


def test_an_event_is_one_line() -> None:
    """Short facts are shown, long ones are not; a path is one as people see it."""
    shown = event_line(event(7, "pending-found", pending=3, file={"path": "/a b\0dcff"}, header={"a": 1}, name=""))

    assert shown.startswith("      7  1970-01-0")
    assert shown.endswith('cli        pending-found  pending=3 file="/a b\ufffd" name=""')


def test_the_log_is_read_to_its_end(daemon: Any, hikazed: Hikazed) -> None:
    """Page after page, and no further than the log went when it was asked for."""
    daemon.says("GET", "/api/status", STATUS | {"position": 3})
    daemon.says("GET", "/api/events", {"items": [event(1, "a"), event(2, "b", model=SHA)], "next": 2})
    daemon.says("GET", "/api/events", {"items": [event(3, "c"), event(4, "d")], "next": None})

    code, out, _ = hikazed("log", "--json")
    assert code == 0
    assert [each["type"] for each in json.loads(out)["items"]] == ["a", "b", "c"]
    assert [asked.query["after"] for asked in daemon.asked[1:]] == [["0"], ["2"]]


@pytest.mark.parametrize(
    ("argv", "after", "types"),
    [
        (["--limit", "2"], "1", ["b", "c"]),
        (["--model", SHA], "0", ["b"]),
        (["--model", SHA, "--limit", "1"], "0", ["b"]),
    ],
)
def test_the_log_can_be_narrowed(daemon: Any, hikazed: Hikazed, argv: list[str], after: str, types: list[str]) -> None:
    """To the newest events, or to those of one model, which may lie anywhere."""
    every = [event(1, "a"), event(2, "b", model=SHA), event(3, "c")]
    daemon.says("GET", "/api/status", STATUS | {"position": 3})
    daemon.says("GET", f"/api/models/{SHA}", MODEL)
    first = int(after)
    daemon.says("GET", "/api/events", {"items": every[first:], "next": None})

    _, out, _ = hikazed("log", "--json", *argv)
    assert [each["type"] for each in json.loads(out)["items"]] == types
    assert [asked.query["after"] for asked in daemon.asked if asked.path == "/api/events"] == [[after]]


def test_the_log_is_followed_line_by_line(daemon: Any, hikazed: Hikazed) -> None:
    """Following shows the last few events, then each as it comes, and ends when the daemon does."""
    daemon.says("GET", "/api/status", STATUS | {"position": 30})
    daemon.says("GET", "/api/events", stream=[*streamed(event(30, "a"), event(31, "b")), sse("progress", {"done": 1})])
    daemon.says("GET", "/api/events", stream=[])

    code, out, err = hikazed("log", "--follow", "--json")
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["a", "b"]
    assert daemon.asked[1].query["after"] == ["20"]
    assert (code, err.count("\n")) == (1, 1)


# Imports ----------------------------------------------------------------------------------------------


def test_one_import_says_what_became_of_it(daemon: Any, hikazed: Hikazed) -> None:
    """The wish goes to the daemon, and the outcome to the person."""
    daemon.says("POST", IMPORT, {"status": "merged", "sha256": SHA, "path": "/m/one", "position": 3})

    assert hikazed("import", "7", "--on-conflict", "merge", "--type", "loras") == (0, f"merged {SHA[:12]} /m/one\n", "")
    assert daemon.asked[0].body == {"id": 7, "conflict_strategy": "merge", "type": "loras"}


def test_a_conflict_names_the_ways_out(daemon: Any, hikazed: Hikazed) -> None:
    """Known content is refused with the model it is, and a script gets the conflict itself."""
    conflict = {"status": "conflict", "pending": PENDING, "existing": MODEL | {"name": "One"}}
    daemon.says("POST", IMPORT, conflict, 409)

    sentence = (
        f"hikazed: pending model 7 has the content of the model 'One' ({SHA[:12]}); "
        "say with --on-conflict merge, override, ignore or delete what to do\n"
    )
    assert hikazed("import", "7") == (1, "", sentence)
    code, out, err = hikazed("import", "7", "--json")
    assert (code, json.loads(out), err) == (1, conflict, sentence)


def queue(daemon: Any, *outcomes: dict[str, Any]) -> None:
    """Let the stand-in queue two imports, 7 and 8, under the action aa, and tell these outcomes."""
    daemon.says("GET", "/api/status", STATUS | {"position": 20})
    daemon.says("GET", "/api/migration/pending_models", {"items": [PENDING, PENDING | {"id": 8}], "next": None})
    daemon.says("POST", IMPORT, {"queued": 2, "action": "aa", "position": 22}, 202)
    asked_for = [
        event(21, "import-requested", op="x7", pending=7),
        event(22, "import-requested", op="x8", pending=8),
        event(23, "import-completed", "bb", op="else", pending=6, model=SHA, status="imported"),
    ]
    progress = sse("progress", {"task": "import/x7", "what": "hashing", "done": 1, "total": 2, "pending": 7})
    daemon.says("GET", "/api/events", stream=[*streamed(*asked_for), progress, *streamed(*outcomes)], stays=True)


DONE = [
    event(24, "import-completed", op="x8", pending=8, model=SHA, status="imported", path="/m/8"),
    event(25, "import-completed", op="x7", pending=7, model=OTHER, status="merged"),
]


def test_all_imports_are_followed_to_their_end(daemon: Any, hikazed: Hikazed) -> None:
    """The queue is followed from before it began, other imports apart, and ends in a table."""
    queue(daemon, *DONE)

    assert hikazed("import", "--all") == (0, "OUTCOME   MODELS\nimported       1\nmerged         1\n", "")
    (asked,) = (asked for asked in daemon.asked if asked.method == "POST")
    assert asked.body == {"id": "all", "conflict_strategy": None, "type": None}
    assert daemon.asked[-1].query == {"after": ["20"]}


def test_imports_that_did_not_work_are_listed(daemon: Any, hikazed: Hikazed) -> None:
    """One failure makes the whole a failure, and every one has its reason."""
    failed = event(24, "import-failed", op="x7", pending=7, reason="no room")
    queue(daemon, failed, event(25, "import-conflicted", op="x8", pending=8, model=SHA))

    code, out, err = hikazed("import", "7", "8", "7")
    assert code == 1
    assert " 7  seven  failed    no room\n" in out
    assert f" 8  seven  conflict  known as {SHA[:12]}; say with --on-conflict" in out
    assert err == "hikazed: 2 of 2 models not imported; see to the reason of each, and import again\n"
    assert next(asked for asked in daemon.asked if asked.method == "POST").body["id"] == [7, 8]


def test_import_outcomes_as_json(daemon: Any, hikazed: Hikazed) -> None:
    """A script gets one item for each import."""
    queue(daemon, *DONE)

    _, out, _ = hikazed("import", "--all", "--json")
    assert json.loads(out)["items"] == [
        {"pending": 8, "status": "imported", "sha256": SHA, "path": "/m/8", "detail": None},
        {"pending": 7, "status": "merged", "sha256": OTHER, "path": None, "detail": None},
    ]


def test_nothing_to_import_is_no_failure(daemon: Any, hikazed: Hikazed) -> None:
    """An empty queue is said, and nothing is waited for."""
    daemon.says("GET", "/api/status", STATUS)
    daemon.says("GET", "/api/migration/pending_models", {"items": [], "next": None})
    daemon.says("POST", IMPORT, {"queued": 0, "action": "aa", "position": 1234}, 202)

    assert hikazed("import", "--all") == (0, "nothing to import\n", "")


def test_a_daemon_that_stops_takes_the_imports_up_later(daemon: Any, hikazed: Hikazed) -> None:
    """Whoever waits is told that nothing is lost."""
    queue(daemon, DONE[0])
    (said,) = daemon.answers["GET", "/api/events"]
    daemon.answers["GET", "/api/events"] = [replace(said, stays=False), replace(said, stream=[], stays=False)]

    code, out, err = hikazed("import", "--all")
    assert (code, out) == (1, "")
    assert "`hikazed run` takes up the rest" in err


def test_outcomes_are_those_of_one_action() -> None:
    """An import that another action asked for is not ours, though it ends among ours."""
    told = [event(1, "import-requested", "bb", op="b", pending=1), event(2, "import-failed", "bb", op="b", pending=1)]
    told += [event(3, "import-requested", op="a", pending=2), event(4, "import-cancelled", op="a", pending=2)]

    messages = [Message(each["type"], each["position"], each) for each in told]
    assert [(each["pending"], each["status"]) for each in ended(messages, "aa")] == [(2, "cancelled")]


def test_an_interrupted_import_goes_on_in_the_daemon(daemon: Any) -> None:
    """Ctrl+C ends the waiting, and says that the work goes on."""
    queue(daemon)
    command = [sys.executable, "-m", "hikaze.daemon", "--socket", daemon.socket, "import", "--all"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 20
        while not any(asked.path == "/api/events" for asked in daemon.asked) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err == "hikazed: the daemon goes on importing; `hikazed status` shows how far it is\n"


# The daemon itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "opened", "works"),
    [({}, [], True), ({"DISPLAY": ":0"}, ["http://h/#code=c"], True), ({"DISPLAY": ":0"}, ["http://h/#code=c"], False)],
)
@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a display")
def test_open_starts_a_browser_where_there_is_a_display(
    daemon: Any, capsys: pytest.CaptureFixture[str], env: dict[str, str], opened: list[str], works: bool
) -> None:
    """The link is printed in any case, and opened where it can be seen."""
    daemon.says("POST", "/api/session", {"code": "c", "url": "http://h/#code=c"})
    seen: list[str] = []

    def browse(url: str) -> bool:
        seen.append(url)
        return works

    args = parser().parse_args(["open", "--socket", daemon.socket])
    assert open_page(Desk(args, Screen(sys.stdout, sys.stderr), "/none", env, browse)) == 0
    said = capsys.readouterr()
    assert (seen, said.out) == (opened, "http://h/#code=c\n")
    assert bool(said.err) == (not works)


def test_open_as_json_is_the_link_alone(daemon: Any, hikazed: Hikazed) -> None:
    """A script gets `{"url": ...}` and no browser starts."""
    daemon.says("POST", "/api/session", {"code": "c", "url": "http://h/#code=c"})

    assert hikazed("open", "--json") == (0, '{"url": "http://h/#code=c"}\n', "")
    assert daemon.asked[0].body == {}


SERVES = """
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("ready", flush=True)
while True:
    server.accept()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="by the peer of a socket, which Linux tells")
def test_stop_ends_who_serves_the_socket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The process that the kernel names is asked to end, and is gone when the command ends."""
    socket = os.path.relpath(tmp_path / "s")
    with subprocess.Popen([sys.executable, "-c", SERVES, socket], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert main(["stop", "--socket", socket, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"stopped": process.pid}
        assert process.wait(0) == -signal.SIGTERM


IGNORES = "import signal; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); signal.pause()"


def test_a_process_that_does_not_end_is_not_said_to_be_gone() -> None:
    """Waiting has an end, and what is gone already is gone."""
    with subprocess.Popen([sys.executable, "-c", IGNORES], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert not end(process.pid, 0.1, lambda: False)
        process.kill()
    assert end(process.pid, 0.1, lambda: False)


# The data folder itself -------------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Give a data folder with a log of one event, and no read tables."""
    log = EventLog(str(tmp_path / "log.db"))
    log.begin()
    log.append([New("tag/1", TagCreated(1, "anime"))], actor="test", action=bytes(16))
    log.commit()
    log.close()
    return tmp_path


def test_rebuild_makes_what_check_misses(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing views.db is a fault, with its cure; rebuilt, the library is sound."""
    assert main(["check", "--data", str(library)]) == 1
    said = capsys.readouterr()
    assert "are not there\n  -> start the daemon anew, which makes them again, or run `hikazed rebuild`" in said.out
    assert said.err == f"hikazed: {library} has 1 fault; see to each as it says\n"

    assert main(["--data", str(library), "rebuild"]) == 0
    assert main(["check", "--data", str(library)]) == 0
    assert capsys.readouterr().out == (
        f"built the read tables in {library} anew from 1 event\n{library} is sound: 1 event, 0 picture files\n"
    )
    # A reader leaves SQLite's -wal and -shm, empty; whoever writes next takes them away.
    assert {path.name.removesuffix("-wal").removesuffix("-shm") for path in library.iterdir()} == {
        "lock",
        "log.db",
        "views.db",
    }


def test_check_as_json_lists_the_faults(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script gets part, fault and cure of each."""
    assert main(["check", "--data", str(library), "--json"]) == 1
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert (item["part"], set(item)) == ("views", {"part", "what", "cure"})


@pytest.mark.parametrize("command", ["check", "rebuild"])
def test_where_no_library_is_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A mistyped folder is refused, and stays as it was."""
    assert main([command, "--data", str(tmp_path)]) == 1
    assert "there is no library in" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_rebuild_leaves_a_running_daemon_alone(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While a daemon has the folder nothing is rebuilt, and its process is named; to check is allowed."""
    main(["rebuild", "--data", str(library)])
    capsys.readouterr()
    with DataLock(str(library)):
        assert main(["rebuild", "--data", str(library)]) == 1
        assert f"as process {os.getpid()}" in capsys.readouterr().err
        assert main(["check", "--data", str(library)]) == 0


def test_a_log_that_cannot_be_read_leaves_the_old_read_tables(
    library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is there is not given up before something better is whole."""
    main(["rebuild", "--data", str(library)])
    before = (library / "views.db").read_bytes()
    (library / "log.db").write_bytes(b"x" * 5000)

    assert main(["rebuild", "--data", str(library)]) == 1
    assert "the old ones are still there" in capsys.readouterr().err
    assert (library / "views.db").read_bytes() == before


def test_a_backup_and_back(library: Path, tmp_path_factory: pytest.TempPathFactory, capsys: Any) -> None:
    """A person reads what was written and where the old library lies; a script gets the same as JSON."""
    backup = str(tmp_path_factory.mktemp("to") / "b.tar")
    assert main(["backup", backup, "--data", str(library)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"backed up {library} to {backup}: 1 event, 0 picture files, ")
    assert said.err == ""
    assert main(["backup", backup, "--data", str(library), "--overwrite", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "path": backup,
        "position": 1,
        "pictures": 0,
        "size_bytes": os.path.getsize(backup),
        "missing": [],
    }

    assert main(["restore", backup, "--data", str(library)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{library} is as it was at ")
    assert second.startswith(f"what was there lies in {library}/replaced/")
    assert main(["restore", backup, "--data", str(library / "new"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["replaced"] is None
    assert main(["check", "--data", str(library / "new")]) == 0


def test_a_refused_backup_is_one_line(library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be done is said on stderr with exit code 1, and nothing is made."""
    for argv in (["backup", str(library / "b.tar")], ["restore", "/no/such.tar"], ["restore", str(library / "log.db")]):
        before = sorted(library.iterdir())
        assert main([*argv, "--data", str(library)]) == 1
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert said.err.startswith("hikazed: ")
        assert sorted(library.iterdir()) == before
    assert main(["restore", "/no/such.tar", "--data", str(tmp_path / "none")]) == 1
    assert not (tmp_path / "none").exists()


def test_restore_leaves_a_running_daemon_alone(
    library: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a daemon has the folder nothing is restored, and its process is named; to back up is allowed."""
    backup = str(tmp_path_factory.mktemp("to") / "b.tar")
    with DataLock(str(library)):
        assert main(["backup", backup, "--data", str(library)]) == 0
        assert main(["restore", backup, "--data", str(library)]) == 1
    said = capsys.readouterr().err
    assert f"as process {os.getpid()}" in said
    assert "stop it with `hikazed stop`" in said


def test_rebuild_makes_the_guard_whole(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log whose triggers are gone is told of by `check`, and mended as that says."""
    main(["rebuild", "--data", str(library)])
    with sqlite3.connect(library / "log.db") as db:
        db.execute("DROP TRIGGER events_no_update")
    db.close()
    assert main(["check", "--data", str(library)]) == 1
    assert "run `hikazed rebuild`" in capsys.readouterr().out

    assert main(["rebuild", "--data", str(library)]) == 0
    assert main(["check", "--data", str(library)]) == 0


def test_the_readme_tells_every_command() -> None:
    """Who reads the readme finds each command there is."""
    text = (Path(__file__).parents[2] / "README.md").read_text()
    assert [name for name in HANDLERS if not re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", text)] == []


def test_the_platform_tells_where_a_daemon_is_announced() -> None:
    """What the commands look into is the folder that the daemon writes to."""
    assert os.path.basename(Platform.here().config_dir).startswith("hikaze")
