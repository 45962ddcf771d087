"""The command `import`: one model at once, or many through the daemon's queue, followed to the end."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

from .client import Broken, Message, NoDaemon, Refused
from .everyday import SHORT_HASH, CommandError, Desk, report, watched
from .terminal import Progress, number

IMPORT = "/api/migration/import_a_model"

_OUTCOMES = {
    "import-completed": "done",
    "import-conflicted": "conflict",
    "import-failed": "failed",
    "import-cancelled": "cancelled",
}
_TROUBLES = ("conflict", "failed", "cancelled")
_GOES_ON = "the daemon goes on importing; `hikazed status` shows how far it is"
_LATER = "the daemon stopped before all was imported; `hikazed run` takes up the rest where it was"
_ADVICE = "say with --on-conflict merge, override, ignore or delete what to do"


def import_models(desk: Desk) -> int:
    """Import one pending model, several, or all; 1 where not all could be imported."""
    args = desk.args
    try:
        if len(args.ids) == 1 and not args.no_wait:
            return _import_one(desk, args.ids[0])
        return _import_many(desk)
    except KeyboardInterrupt:
        raise CommandError(_GOES_ON) from None


def _wish(desk: Desk, id_: int | list[int] | str) -> dict[str, Any]:
    return {"id": id_, "conflict_strategy": desk.args.on_conflict, "type": desk.args.type}


def _import_one(desk: Desk, number_: int) -> int:
    with watched(desk, f"importing {number_}", lambda task: task.get("pending") == number_):
        try:
            done = desk.client.send("POST", IMPORT, _wish(desk, number_))
        except Refused as error:
            if not _is_conflict(error):
                raise
            if desk.json:
                desk.screen.json(error.body)
            raise CommandError(_conflict_sentence(error.body)) from error
    if desk.json:
        desk.screen.json(done)
    else:
        desk.screen.line(f"{done['status']} {done['sha256'][:SHORT_HASH]} {done.get('path') or ''}".rstrip())
    return 0


def _is_conflict(error: Refused) -> bool:
    return error.status == 409 and isinstance(error.body, dict) and error.body.get("status") == "conflict"


def _conflict_sentence(conflict: Mapping[str, Any]) -> str:
    pending, existing = conflict["pending"], conflict["existing"]
    model = f"{existing['name']!r} ({existing['sha256'][:SHORT_HASH]})"
    return f"pending model {pending['id']} has the content of the model {model}; {_ADVICE}"


def _import_many(desk: Desk) -> int:
    client = desk.client
    chosen: list[int] | str = "all" if desk.args.all else list(dict.fromkeys(desk.args.ids))
    before = client.get("/api/status")["position"]
    names = {} if desk.args.no_wait else _names(desk, chosen)
    queued = client.send("POST", IMPORT, _wish(desk, chosen))
    if desk.args.no_wait:
        return _give_queued(desk, queued)
    try:
        outcomes = _outcomes(desk, before, queued, names) if queued["queued"] else []
    except (NoDaemon, Broken) as error:
        raise CommandError(_LATER) from error
    if desk.json:
        desk.screen.json({"items": outcomes, "next": None})
    else:
        _show_outcomes(desk, outcomes, names)
    left = sum(each["status"] in _TROUBLES for each in outcomes)
    if left:
        raise CommandError(
            f"{left:,} of {number(len(outcomes), 'model')} not imported; see to the reason of each, and import again"
        )
    return 0


def _give_queued(desk: Desk, queued: Mapping[str, Any]) -> int:
    if desk.json:
        desk.screen.json(queued)
    else:
        desk.screen.line(f"queued {number(queued['queued'], 'import')}; `hikazed status` shows how far they are")
    return 0


def _names(desk: Desk, chosen: list[int] | str) -> dict[int, str]:
    """Give the names of the pending models by id: afterwards those that were imported are no longer listed."""
    names: dict[int, str] = {}
    missing = None if isinstance(chosen, str) else set(chosen)
    for each in desk.client.items("/api/migration/pending_models"):
        names[each["id"]] = each["name"]
        if missing is not None:
            missing.discard(each["id"])
            if not missing:
                break
    return names


def _outcomes(desk: Desk, before: int, queued: Mapping[str, Any], names: Mapping[int, str]) -> list[dict[str, Any]]:
    """Follow the live stream until every import of this request has ended."""
    outcomes: list[dict[str, Any]] = []
    with desk.screen.progress("importing") as progress, closing(desk.client.follow(before)) as stream:
        progress.show(0, queued["queued"], figures=f"0 of {queued['queued']:,}")
        for outcome in ended(_reported(stream, progress, names), queued["action"]):
            outcomes.append(outcome)
            progress.drop(str(outcome["pending"]))
            done = len(outcomes)
            progress.show(done, queued["queued"], figures=f"{done:,} of {queued['queued']:,}")
            if done >= queued["queued"]:
                break
    return outcomes


def _reported(stream: Iterable[Message], progress: Progress, names: Mapping[int, str]) -> Iterator[Message]:
    """Pass the messages on, those about one file's import to the screen too."""
    for message in stream:
        pending = message.data.get("pending")
        if message.kind == "progress" and isinstance(pending, int) and pending in names:
            text = f"{message.data.get('what', 'importing')} {names[pending]}"
            report(progress, message.data, text, key=str(pending))
        yield message


def ended(messages: Iterable[Message], action: str) -> Iterator[dict[str, Any]]:
    """Give the outcome of each import that was requested by an action (hexadecimal), as it comes.

    An outcome is `pending`, `status` (imported, merged, overridden, deleted, ignored, conflict, failed or
    cancelled), and `sha256`, `path`, `detail` as far as there are any.
    """
    ours: set[str] = set()
    for message in messages:
        if message.position is None or message.data["type"] != message.kind:
            continue
        fact = message.data["data"]
        if message.kind == "import-requested" and message.data["action"] == action:
            ours.add(fact["op"])
        elif message.kind in _OUTCOMES and fact["op"] in ours:
            ours.discard(fact["op"])
            yield {
                "pending": fact["pending"],
                "status": fact.get("status") or _OUTCOMES[message.kind],
                "sha256": fact.get("model"),
                "path": fact.get("path"),
                "detail": fact.get("reason"),
            }


def _show_outcomes(desk: Desk, outcomes: list[dict[str, Any]], names: Mapping[int, str]) -> None:
    if not outcomes:
        desk.screen.line("nothing to import")
        return
    counts: dict[str, int] = {}
    for each in outcomes:
        counts[each["status"]] = counts.get(each["status"], 0) + 1
    desk.screen.table(("OUTCOME", ">MODELS"), counts.items())
    troubled = [each for each in outcomes if each["status"] in _TROUBLES]
    if troubled:
        desk.screen.line()
        desk.screen.table(
            (">ID", "NAME", "OUTCOME", "WHY"),
            ((each["pending"], names.get(each["pending"], ""), each["status"], _why(each)) for each in troubled),
        )


def _why(outcome: Mapping[str, Any]) -> str:
    if outcome["status"] == "conflict":
        return f"known as {outcome['sha256'][:SHORT_HASH]}; {_ADVICE}"
    return outcome["detail"] or ""
