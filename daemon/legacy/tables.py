"""The tables of an earlier library's database, read value by value, whatever is wrong with some of them."""

from collections.abc import Iterator
from typing import Any

import apsw

from .copying import columns_of
from .text import MOST_BYTES, Cell, brief, number_of, path_of, text_of

_ENCODINGS = {"UTF-8": "utf-8", "UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}


class Cells:
    """The values of one row, by column; a column that is not there is as if it were NULL."""

    def __init__(self, values: dict[str, Cell], encoding: str) -> None:
        """Take the values as `Table.row` reads them."""
        self._values, self._encoding = values, encoding

    def text(self, column: str) -> str:
        """Give a value as clean text, empty for NULL."""
        return text_of(self._values.get(column, ("null", None)), self._encoding)

    def path(self, column: str) -> str:
        """Give a value as a path as Python's `os` functions give paths, empty for NULL."""
        return path_of(self._values.get(column, ("null", None)), self._encoding)

    def number(self, column: str, problems: list[str], *, most: int = 2**53) -> int | None:
        """Give a value as a number from 0 to `most`, None for NULL and, with a complaint, for anything else."""
        text = self.text(column).strip()
        number = number_of(text)
        if text and (number is None or not 0 <= number <= most):
            problems.append(f"its {column} {brief(text)} is no number that could be one")
            return None
        return number

    def too_large(self) -> list[str]:
        """Give the columns whose values were too large to be read."""
        return [column for column, (kind, _) in self._values.items() if kind == "large"]


class Table:
    """A table, read by its rowid."""

    def __init__(self, db: apsw.Connection, name: str) -> None:
        """Look at a table of a database; one that is not there has no columns and no rows."""
        self.name = name
        self.sql = name
        """What it is called in SQL."""
        self.columns = columns_of(db, name)
        self.damage: list[str] = []
        """What could not be read, in sentences."""
        self._db = db
        if self.columns and not _has_rowid(db, name):
            self.sql = f"rowed_{name}"
            db.execute(f"CREATE TABLE {self.sql} AS SELECT * FROM {name}")  # noqa: S608 - in our own copy
        self._encoding = _ENCODINGS.get(str(db.pragma("encoding")), "utf-8")

    def index(self, column: str) -> None:
        """Make looking for a value of a column quick, in our own copy."""
        try:
            self._db.execute(f"CREATE INDEX IF NOT EXISTS quick_{self.name} ON {self.sql} ({column})")
        except apsw.Error as error:
            self.damage.append(f"the table cannot be read: {error}")

    def count(self) -> int:
        """Give how many rows there are, as far as that can be told."""
        if not self.columns:
            return 0
        try:
            return int(self._db.execute(f"SELECT count(*) FROM {self.sql}").get)  # noqa: S608 - a name of ours
        except apsw.Error:
            return sum(1 for _ in self.rowids())

    def rowids(self) -> Iterator[int]:
        """Give the rowids of all rows, upwards; those behind a damage in the file follow, downwards."""
        if not self.columns:
            return
        last: int | None = None
        try:
            for (rowid,) in self._db.execute(f"SELECT rowid FROM {self.sql} NOT INDEXED ORDER BY rowid"):  # noqa: S608
                last = rowid
                yield rowid
        except apsw.Error as error:
            self.damage.append(f"the table is damaged behind rowid {last}: {error}; rows in there did not come along")
        else:
            return
        try:
            for (rowid,) in self._db.execute(f"SELECT rowid FROM {self.sql} NOT INDEXED ORDER BY rowid DESC"):  # noqa: S608
                if last is not None and rowid <= last:
                    return
                yield rowid
        except apsw.Error:
            return

    def row(self, rowid: int, columns: tuple[str, ...]) -> Cells:
        """Read some columns of a row, those that the table has. Raises `apsw.Error` where it cannot be read."""
        there = [column for column in columns if column in self.columns]
        wanted = ", ".join(
            f"CASE WHEN octet_length({column}) > {MOST_BYTES} THEN 'large' ELSE typeof({column}) END, "
            f"CASE WHEN octet_length({column}) <= {MOST_BYTES} THEN CAST({column} AS BLOB) END"
            for column in there
        )
        if not wanted:
            return Cells({}, self._encoding)
        sql = f"SELECT {wanted} FROM {self.sql} NOT INDEXED WHERE rowid = ?"  # noqa: S608 - names of ours
        values: Any = self._db.execute(sql, (rowid,)).fetchone() or ("null", None) * len(there)
        return Cells(dict(zip(there, zip(values[::2], values[1::2], strict=True), strict=True)), self._encoding)

    def cells(self, sql: str, *bindings: int) -> Iterator[list[str]]:
        """Give the values of a query as clean texts; each must come as two: `typeof` it, and it `AS BLOB`."""
        rows: Iterator[Any] = self._db.execute(sql, bindings)
        for row in rows:
            yield [text_of(cell, self._encoding) for cell in zip(row[::2], row[1::2], strict=True)]


def _has_rowid(db: apsw.Connection, table: str) -> bool:
    return db.execute("SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", (table,)).get == 0


def cell(column: str) -> str:
    """Give the SQL that reads a column as two values, as `Table.cells` takes them."""
    return f"typeof({column}), CAST(substr(CAST({column} AS BLOB), 1, {MOST_BYTES}) AS BLOB)"
