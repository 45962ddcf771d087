"""The tables of one view while events are brought in: writes are gathered, and done before anything is read."""

from typing import Any

import apsw

Values = tuple[Any, ...]


class Tables:
    """A view's way to its tables. Statements take effect in the order they are given in, but not at once.

    The way into SQLite and back costs as much as a small write does, so writes of one statement after the other
    are gathered and done in one call. A view touches no tables but its own, so the views need not wait for
    each other. Whoever made this calls `flush` before anybody else looks.
    """

    def __init__(self, db: apsw.Connection) -> None:
        """Write through a connection, in the transaction of whoever opened it."""
        self._db = db
        self._sql = ""
        self._rows: list[Values] = []
        self._latest: dict[Any, Values] = {}

    def execute(self, sql: str, values: Values) -> None:
        """Do a write, at the latest before the next `select` or `flush`."""
        if sql != self._sql:
            self.flush()
            self._sql = sql
        self._rows.append(values)

    def overwrite(self, sql: str, values: Values) -> None:
        """Do a write of which, for one last value (the row's key), only the latest matters: the others are left out.

        Between two that are given with nothing else between them, that is; the order is kept otherwise.
        """
        if sql != self._sql:
            self.flush()
            self._sql = sql
        self._latest[values[-1]] = values

    def select(self, sql: str, values: Values = ()) -> apsw.Cursor:
        """Read, with everything done that was given before."""
        self.flush()
        return self._db.execute(sql, values)

    def flush(self) -> None:
        """Do what was gathered."""
        if not self._rows and not self._latest:
            return
        rows = self._rows or list(self._latest.values())
        self._rows, self._latest = [], {}
        if len(rows) == 1:
            self._db.execute(self._sql, rows[0])
        else:
            self._db.executemany(self._sql, rows)

    def forget(self) -> None:
        """Drop what was gathered; for when the transaction is taken back."""
        self._rows, self._latest = [], {}


def rows(db: apsw.Connection, sql: str, values: Values = ()) -> list[Any]:
    """Give the rows of a query; their types are those of the columns, which the type checker cannot know."""
    return db.execute(sql, values).fetchall()
