"""The commands that ask a running daemon: each asks, and shows the answer to a person or gives it to a script."""

import argparse
import os
import re
import sys
import threading
import webbrowser
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...events.pathtext import shown, to_text
from ...projections.parts import Word, text_of
from ...projections.query import MOST_CHARACTERS
from ...projections.text import fold, tag_key
from ..config import ConfigError
from ..instance import InstanceError
from ..process import end
from . import facts
from .client import PAGE, Client, ClientError, NoDaemon, Refused, Stream, find
from .terminal import Progress, Screen, moment, number, size, table

SHORT_HASH = 12  # hexadecimal digits of a hash in tables: two of 100,000 models are alike in one library of 50,000
STOP_SECONDS = 10.0

_HASH = re.compile("[0-9a-f]{64}")
_PREFIX = re.compile("[0-9a-f]{6,63}")
_TRIES = 5  # against somebody else who changes the same model at the same time
_LATEST = 10  # events shown before those that `log --follow` waits for
_MOST_SHOWN = 20  # models in the list of those that a name may mean


class CommandError(Exception):
    """A command could not do what was asked; the message is one sentence that says what to do."""


FAILURES = (CommandError, ClientError, ConfigError, InstanceError)
"""What a command raises when it could not do what was asked: each is one sentence."""


@dataclass
class Desk:
    """What a command works with: what was asked, where to speak, and what it needs of the machine."""

    args: argparse.Namespace
    screen: Screen
    config_dir: str
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    browse: Callable[[str], bool] = webbrowser.open

    @property
    def json(self) -> bool:
        """Whether a script reads the answer."""
        return self.args.json

    @property
    def data(self) -> str | None:
        """The data folder that was named."""
        return _absolute(self.args.data)

    @cached_property
    def client(self) -> Client:
        """The running daemon that was meant. Raises `NoDaemon`."""
        named = self.data is not None and self.args.socket is None
        return Client(find(self.config_dir, self.data, _absolute(self.args.socket)), must_be_this=named)


def _absolute(path: str | None) -> str | None:
    return None if path is None else os.path.abspath(os.path.expanduser(path))


# The daemon itself ------------------------------------------------------------------------------------


def open_page(desk: Desk) -> int:
    """Give a link that opens the page once, and open it where there is a display."""
    url = desk.client.send("POST", "/api/session", {})["url"]
    if desk.json:
        desk.screen.json({"url": url})
        return 0
    desk.screen.line(url)
    desk.screen.flush()
    if _has_display(desk.env) and not desk.browse(url):
        desk.screen.note("no browser could be started; open the link yourself")
    return 0


def _has_display(env: Mapping[str, str]) -> bool:
    return sys.platform in ("win32", "darwin") or bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"))


def stop(desk: Desk) -> int:
    """Ask the daemon to end, and wait until it has."""
    client = desk.client
    pid = client.process()
    if pid is None:
        raise CommandError("the daemon runs in a container or by a way we cannot see; stop it there")
    try:
        gone = end(pid, STOP_SECONDS, lambda: not _answers(client))
    except PermissionError as error:
        raise CommandError(f"the daemon, process {pid}, belongs to another user; stop it as that user") from error
    if not gone:
        raise CommandError(
            f"the daemon, process {pid}, was told to stop and is still at work after {STOP_SECONDS:.0f} seconds; "
            f"wait, or end it with `kill -9 {pid}`, which loses nothing"
        )
    if desk.json:
        desk.screen.json({"stopped": pid})
    else:
        desk.screen.line(f"stopped process {pid}")
    return 0


def _answers(client: Client) -> bool:
    try:
        client.get("/api/status")
    except NoDaemon:
        return False
    except ClientError:
        pass
    return True


def status(desk: Desk) -> int:
    """Show on one screen how the daemon and the library are."""
    found = desk.client.get("/api/status")
    if desk.json:
        desk.screen.json(found)
        return 0
    screen, running = desk.screen, desk.client.running
    screen.line(f"hikazed {found['version']}, at event {found['position']:,}")
    for title, where in (("page", running.url), ("socket", running.socket), ("data", running.data)):
        if where:
            screen.line(f"{title:<8}{shown(to_text(where))}")
    screen.line("has     " + ", ".join(_counted(found["counts"])))
    _list(screen, "folders", table((), map(_root_row, found["roots"])))
    _list(screen, "at work", [_work_line(task) for task in found["work"]])
    waiting = found.get("waiting") or []
    _list(screen, "files that have not come to rest", [f"{each['path']}: {each['reason']}" for each in waiting])
    _list(screen, "warnings", [f"{each['what']}\n  -> {each['cure']}" for each in found["warnings"]])
    return 0


_NOUNS = {"models": "model", "tags": "tag", "images": "picture", "locations": "file"}


def _counted(counts: Mapping[str, int]) -> Iterator[str]:
    for name, count in counts.items():
        if name == "unconfirmed" and not count:
            continue  # nothing came from an earlier library, or all of it is hashed
        yield number(count, _NOUNS[name]) if name in _NOUNS else f"{count:,} {name}"


def _root_row(root: Mapping[str, Any]) -> tuple[str, ...]:
    why = f" ({root['why']})" if root.get("why") not in (None, root["state"]) else ""
    return f"{root['state']}{why}", root.get("type") or root["kind"], root["path"]


def _work_line(task: Mapping[str, Any]) -> str:
    done, total = task.get("done"), task.get("total")
    figures = f": {done:,} of {total:,}" if done is not None and total else f": {done:,}" if done else ""
    return f"{task.get('what') or task['task']}{figures}"


def _list(screen: Screen, title: str, entries: Iterable[str]) -> None:
    for position, entry in enumerate(entries):
        if position == 0:
            screen.line()
            screen.line(title)
        for line in entry.split("\n"):
            screen.line("  " + line)


def scan(desk: Desk) -> int:
    """Have the daemon look at all folders, and say what it found."""
    with watched(desk, "looking at the folders", lambda task: task["task"] == "scan"):
        found = desk.client.send("POST", "/api/scan", {})
    if desk.json:
        desk.screen.json(found)
        return 0
    several = ("added", "moved", "changed", "returned", "missing")
    figures = [f"{found[name]:,} {name}" for name in several if found.get(name)]
    desk.screen.line(f"{number(found['scanned'], 'file')}: {', '.join(figures) or 'nothing new'}")
    for path in found.get("unreadable") or ():
        desk.screen.note(f"could not read {path}; let the daemon's user read it")
    return 0


@contextmanager
def watched(desk: Desk, title: str, concerns: Callable[[Mapping[str, Any]], bool]) -> Iterator[None]:
    """Show, while a block runs, how far the tasks of the daemon are that `concerns` picks by their progress."""
    if not desk.screen.shows_progress:
        yield
        return
    stream = desk.client.listen(desk.client.get("/api/status")["position"])
    with closing(stream), desk.screen.progress(title) as progress:
        watcher = threading.Thread(target=_watch, args=(stream, concerns, progress), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stream.hang_up()
            watcher.join()


def _watch(stream: Stream, concerns: Callable[[Mapping[str, Any]], bool], progress: Progress) -> None:
    with suppress(ClientError):  # the stream ends with the work; what was asked for has its own answer
        for message in stream:
            if message.kind == "progress" and "ended" not in message.data and concerns(message.data):
                report(progress, message.data)


def report(progress: Progress, task: Mapping[str, Any], text: str = "", key: str = "") -> None:
    """Bring what the daemon says of a task onto the screen; imports of one file count bytes."""
    done, total = task.get("done") or 0, task.get("total")
    in_bytes = str(task.get("task", "")).startswith("import/")
    figures = size(done) if in_bytes else f"{done:,}"
    if total:
        figures += f" of {size(total) if in_bytes else format(total, ',')}"
    progress.show(done, total, text or str(task.get("what") or ""), key=key, figures=figures)


# What is there ----------------------------------------------------------------------------------------


def pending(desk: Desk) -> int:
    """List the pending models, newest first, or show all that is known of one."""
    if desk.args.id is not None:
        return _show_pending(desk, desk.args.id)
    path = "/api/migration/pending_models"
    if desk.json:
        return _give_page(desk, path, ())
    items = list(desk.client.items(path, limit=desk.args.limit))
    if not items:
        desk.screen.note("no model is pending; drop a file into a pending folder")
        return 0
    desk.screen.table(
        (">ID", "NAME", "TYPE", ">SIZE", "SEEN", "NOTE", "PATH"),
        (
            (
                each["id"],
                each["name"],
                each["type"] or "?",
                size(each["size_bytes"]),
                moment(each["created_at"]),
                _note_on(each),
                each["path"],
            )
            for each in items
        ),
    )
    return 0


def _show_pending(desk: Desk, number_: int) -> int:
    known = desk.client.get("/api/migration/pending_model", [("id", str(number_))])
    if desk.json:
        desk.screen.json(known)
    else:
        _tell(desk, facts.of_pending(known))
    return 0


def _note_on(pending: Mapping[str, Any]) -> str:
    notes = [] if pending["type"] else ["say its type with --type"]
    if pending["state"] != "waiting":
        notes.append(pending["state"])
    if pending.get("in_place"):
        notes.append("in place")
    if pending.get("sha256"):
        notes.append("known content")
    last = pending.get("import") or {}
    if last.get("state") in ("queued", "planned"):
        notes.append("being imported")
    elif last.get("state") in ("conflict", "failed"):
        notes.append(last.get("reason") or "conflict")
    return ", ".join(notes)


def _give_page(desk: Desk, path: str, query: Iterable[tuple[str, str]]) -> int:
    """Give a list as the API has it: all of it, or the first page of `--limit` items with the cursor behind it."""
    query, limit = list(query), desk.args.limit
    if limit is not None and limit <= PAGE:
        desk.screen.json(desk.client.page(path, query, limit=limit))
        return 0
    _give_items(desk, desk.client.items(path, query, limit=limit))
    return 0


def _give_items(desk: Desk, items: Iterable[Any]) -> None:
    """Write `{"items": [...], "next": null}` as the items come: a library may hold more than fits in memory."""
    screen, between = desk.screen, ""
    screen.raw('{"items": [')
    for item in items:
        screen.raw(between + screen.encoded(item))
        between = ", "
    screen.raw('], "next": null}\n')


def show(desk: Desk) -> int:
    """Show all that is known of a model."""
    model = whole_model(desk, desk.args.model)
    if desk.json:
        desk.screen.json(model)
        return 0
    _tell(desk, facts.of_model(model))
    return 0


def _tell(desk: Desk, told: facts.Facts) -> None:
    for title, value in told:
        for position, line in enumerate(str(value).split("\n")):
            desk.screen.line(f"{title if position == 0 else '':<12}{line}".rstrip())


def whole_model(desk: Desk, wanted: str) -> Any:
    """Give the model that is meant by a hash, the first six digits or more of one, or its exact name."""
    lowered = wanted.lower()
    if _HASH.fullmatch(lowered):
        return desk.client.get(f"/api/models/{lowered}")
    found = _models_named(desk, wanted)
    if not found and _PREFIX.fullmatch(lowered):
        found = [each for each in desk.client.items("/api/models") if each["sha256"].startswith(lowered)]
    if not found:
        raise CommandError(f"there is no model {wanted!r}; give its exact name or hash, as `hikazed models` shows them")
    if len(found) > 1:
        several = ", ".join(f"{each['name']} ({each['sha256'][:SHORT_HASH]})" for each in found[:_MOST_SHOWN])
        more = ", ..." if len(found) > _MOST_SHOWN else ""
        raise CommandError(f"{wanted!r} may mean {number(len(found), 'model')}; give the hash of one: {several}{more}")
    return desk.client.get(f"/api/models/{found[0]['sha256']}")


def _models_named(desk: Desk, name: str) -> list[Any]:
    query = text_of(Word(name, "name")) if fold(name).strip() else ""
    alike = [
        each
        for each in desk.client.items("/api/models", [("q", query)] if 0 < len(query) <= MOST_CHARACTERS else ())
        if tag_key(each["name"]) == tag_key(name)
    ]
    return [each for each in alike if each["name"] == name] or alike


# Tags -------------------------------------------------------------------------------------------------


def tag(desk: Desk) -> int:
    """List all tags, or those of a model, or change those of a model."""
    if desk.args.model is None:
        return _all_tags(desk)
    add, remove = desk.args.add or [], desk.args.remove or []
    names = _changed_tags(desk, add, remove) if add or remove else whole_model(desk, desk.args.model)["tags"]
    if desk.json:
        desk.screen.json({"items": names, "next": None})
        return 0
    for name in names:
        desk.screen.line(name)
    return 0


def _all_tags(desk: Desk) -> int:
    tags = desk.client.items("/api/tags")
    if desk.json:
        _give_items(desk, tags)
        return 0
    desk.screen.table(
        ("TAG", ">MODELS", ">PENDING"), ((each["name"], each["models"], each["pending"]) for each in tags)
    )
    return 0


def _changed_tags(desk: Desk, add: Iterable[str], remove: Iterable[str]) -> list[str]:
    """Change a model's tags and give the new ones; starts over where somebody else was quicker."""
    for attempt in range(1, _TRIES + 1):
        model = whole_model(desk, desk.args.model)
        names = with_tags(model["tags"], add, remove)
        if names == model["tags"]:
            return names
        where = f"/api/models/{model['sha256']}"
        try:
            answer = desk.client.send("PATCH", where, {"tags": names}, {"If-Match": f'"{model["version"]}"'})
        except Refused as error:
            if error.status == 412 and attempt < _TRIES:
                continue
            raise
        return answer["tags"]
    raise AssertionError("unreachable")


def with_tags(have: Iterable[str], add: Iterable[str], remove: Iterable[str]) -> list[str]:
    """Give tags with some added and some taken off; two spellings of one tag are the same."""
    kept = {tag_key(name): name for name in have}
    for name in add:
        kept.setdefault(tag_key(name.strip()), name.strip())
    for name in remove:
        kept.pop(tag_key(name.strip()), None)
    return list(kept.values())


# The log ----------------------------------------------------------------------------------------------


def log(desk: Desk) -> int:
    """Show what happened, oldest first, and with --follow what happens."""
    model = whole_model(desk, desk.args.model)["sha256"] if desk.args.model else None
    if desk.args.follow:
        return _follow_log(desk, model)
    head = desk.client.get("/api/status")["position"]
    events = _about(_events(desk.client, _start(desk, model, head), head), model)
    if desk.args.limit is not None:
        events = iter(deque(events, desk.args.limit))
    if desk.json:
        _give_items(desk, events)
        return 0
    for event in events:
        desk.screen.line(event_line(event))
    return 0


def _start(desk: Desk, model: str | None, head: int) -> int:
    """Give the position behind which to begin: the events of one model may lie anywhere."""
    limit = desk.args.limit
    return 0 if limit is None or model is not None else max(0, head - limit)


def _events(client: Client, after: int, head: int) -> Iterator[Any]:
    while after < head:
        items = client.get("/api/events", [("after", after), ("limit", PAGE)])["items"]
        if not items:
            return
        yield from (event for event in items if event["position"] <= head)
        after = items[-1]["position"]


def _about(events: Iterable[Any], model: str | None) -> Iterator[Any]:
    return (event for event in events if model is None or event["data"].get("model") == model)


def _follow_log(desk: Desk, model: str | None) -> int:
    limit = _LATEST if desk.args.limit is None else desk.args.limit
    after = max(0, desk.client.get("/api/status")["position"] - limit)
    told = (message.data for message in desk.client.follow(after) if message.position is not None)
    with suppress(KeyboardInterrupt):  # the way to end it
        for event in _about(told, model):
            if desk.json:
                desk.screen.json(event)
            else:
                desk.screen.line(event_line(event))
            desk.screen.flush()
    return 0


def event_line(event: Mapping[str, Any]) -> str:
    """Give an event as one line: position, time, who, what, and the facts that are short."""
    facts = " ".join(f"{key}={_fact(value)}" for key, value in event["data"].items() if _is_short(value))
    return f"{event['position']:>7}  {moment(event['time'])}  {event['actor']:<9}  {event['type']}  {facts}"


def _is_short(value: object) -> bool:
    return isinstance(value, (str, int, float)) or (isinstance(value, dict) and "path" in value)


def _fact(value: Any) -> str:
    text = shown(str(value["path"] if isinstance(value, dict) else value))
    return f'"{text}"' if " " in text or not text else text
