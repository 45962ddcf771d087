"""Writes are gathered, and nobody can tell but by the time it takes."""

import apsw
import pytest
from hikaze.projections.tables import Tables, rows
from hypothesis import given
from hypothesis import strategies as st

SET = "UPDATE t SET v = ? WHERE k = ?"
STEPS = st.lists(
    st.tuples(st.sampled_from(["insert", "set", "delete", "copy", "select"]), st.integers(0, 2), st.integers(0, 9))
)


def table() -> apsw.Connection:
    """Make a table of values by key."""
    db = apsw.Connection(":memory:")
    db.execute("CREATE TABLE t (k PRIMARY KEY, v)")
    return db


@given(STEPS)
def test_the_order_is_kept(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is written, overwritten and read between: it is as if each statement were done at once."""
    gathered, at_once = table(), table()
    tables = Tables(gathered)
    for what, key, value in steps:
        if what == "select":
            assert tables.select("SELECT * FROM t ORDER BY k").fetchall() == rows(at_once, "SELECT * FROM t ORDER BY k")
            continue
        sql, values = {
            "insert": ("INSERT OR IGNORE INTO t VALUES (?, ?)", (key, value)),
            "set": (SET, (value, key)),
            "delete": ("DELETE FROM t WHERE k = ?", (key,)),
            "copy": ("UPDATE t SET v = (SELECT v FROM t WHERE k = ?) WHERE k <> ?", (key, key)),
        }[what]
        (tables.overwrite if what == "set" else tables.execute)(sql, values)
        at_once.execute(sql, values)

    tables.flush()
    assert rows(gathered, "SELECT * FROM t ORDER BY k") == rows(at_once, "SELECT * FROM t ORDER BY k")


@pytest.mark.parametrize("write", [Tables.execute, Tables.overwrite])
def test_what_is_taken_back_is_forgotten(write) -> None:
    """What was gathered in a transaction that was taken back does not come up in the next."""
    db = table()
    tables = Tables(db)
    write(tables, "INSERT INTO t VALUES (?, ?)", (1, 1))
    tables.forget()
    tables.flush()

    assert rows(db, "SELECT * FROM t") == []
