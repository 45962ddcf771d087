"""Pages of models: the query alone, and asked for at the socket of the real daemon."""

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from urllib.parse import urlencode

import apsw
from hikaze.projections.library import Query, page
from hikaze.projections.runner import reader

from .daemon import Daemon
from .desk import Desk
from .library import COMMON_TAG, RARE_TAG
from .measure import Row, below, seconds, side_by_side

TIMES = 50
LIMIT = 100


def rows(desk: Desk) -> Iterator[Row]:
    """First page, and pages of a common and a rare tag."""
    library = desk.large
    library.build()
    asked = {
        "newest first": Query(order="-added"),
        "with a common tag": Query(order="-added", tags=(f"tag {COMMON_TAG}",)),
        "with a rare tag": Query(order="-added", tags=(f"tag {RARE_TAG}",)),
    }
    desk.tell("pages: in SQL")
    with closing(reader(library.views)) as db:
        floor, *ours = side_by_side(
            TIMES, partial(_by_rowid, db), *(partial(page, db, query, limit=LIMIT) for query in asked.values())
        )
    what = f"page of {LIMIT} of {library.models:,}"
    for name, took in zip(asked, ours, strict=True):
        yield Row(f"{what}, {name}, SQL", "SELECT 100 rows by rowid", floor, took, seconds, below(1e-3, seconds))

    desk.tell("pages: at the socket of the real daemon")
    with Daemon(library) as daemon, daemon.client() as client:
        time.sleep(3)  # its first look is over
        floor, *ours = side_by_side(
            TIMES, lambda: client.get("/"), *(partial(client.get, _target(query)) for query in asked.values())
        )
    for name, took in zip(asked, ours, strict=True):
        yield Row(f"{what}, {name}, socket", "GET / there", floor, took, seconds, below(5e-3, seconds))


def _by_rowid(db: apsw.Connection) -> None:
    db.execute(
        "SELECT sha256, name, type, size_bytes, created_at, changed_at FROM models WHERE rowid > 5000 LIMIT ?", (LIMIT,)
    ).fetchall()


def _target(query: Query) -> str:
    return f"/api/models?{urlencode([('sort', query.order), *(('tag', tag) for tag in query.tags)])}"
