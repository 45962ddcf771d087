"""The triggers by which the log itself refuses to be changed: whether they are all there, and putting them back."""

from contextlib import closing

import apsw

from ..events.schema import ANSWERS_STAY, APPEND_ONLY, SCHEMA


def faults(db: apsw.Connection) -> list[str]:
    """Say what of a log's guard is missing, is another than ours, or does not belong there; nothing if it is whole."""
    wanted, there = _wanted(), _triggers(db)
    missing = [f"{name} is missing" for name in sorted(wanted.keys() - there.keys())]
    strange = [f"{name} is not ours" for name in sorted(there.keys() - wanted.keys())]
    return (
        missing
        + strange
        + [f"{name} was changed" for name in sorted(wanted.keys() & there.keys()) if wanted[name] != there[name]]
    )


def mend(path: str) -> bool:
    """Make the guard of the log at a path whole; tell whether it was not. Needs the data folder's lock."""
    with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)) as db:
        if not faults(db):
            return False
        wanted = _wanted()
        with db:
            for name, made in _triggers(db).items():
                if wanted.get(name) != made:
                    db.execute(f'DROP TRIGGER "{name.replace(chr(34), chr(34) * 2)}"')
            for name, make in wanted.items():
                if not db.execute("SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = ?", (name,)).get:
                    db.execute(make)
    return True


def _wanted() -> dict[str, str]:
    with closing(apsw.Connection(":memory:")) as fresh:
        fresh.execute(SCHEMA + APPEND_ONLY + ANSWERS_STAY)
        return _triggers(fresh)


def _triggers(db: apsw.Connection) -> dict[str, str]:
    found = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    return {str(name): str(sql) for name, sql in found}
