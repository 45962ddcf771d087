"""An order gives any part of any models, however many there are and however far down."""

from random import Random

import apsw
import pytest
from hikaze.projections.finding_orders import FEW, Order
from pyroaring import BitMap

MODELS = 9_000


def digest_of(model: int) -> bytes:
    """Give what breaks a tie."""
    return (model * 7_919 % 10_007).to_bytes(2, "big")


@pytest.fixture(scope="module")
def order() -> Order:
    """Give an order by size, of which some models have the same."""
    sizes = [number * 31 % 4_001 for number in range(2 * MODELS)]
    return Order("size_bytes", sizes.__getitem__, digest_of)


@pytest.fixture(scope="module")
def db() -> apsw.Connection:
    """Give the table that the order is read from."""
    db = apsw.Connection(":memory:")
    db.execute("CREATE TABLE models (sha256 BLOB, size_bytes INTEGER)")
    models = ((digest_of(model), model * 31 % 4_001) for model in range(1, MODELS + 1))
    db.executemany("INSERT INTO models VALUES (?, ?)", models)
    return db


@pytest.mark.parametrize("many", [1, FEW, FEW + 1, 240, 600, 5_000, MODELS])
@pytest.mark.parametrize("down", [False, True])
def test_any_part(order: Order, db: apsw.Connection, many: int, down: bool) -> None:
    """Of few and many models, from the start, behind any number, and behind any key."""
    pick = Random(many)  # noqa: S311
    found = BitMap(pick.sample(range(1, MODELS + 1), many))
    wanted = sorted(found, key=order.key, reverse=down)

    for skip in (0, 1, many // 3, many - 2, many - 1, many, many + 7):
        assert order.take(db, found, 5, None, down=down, skip=max(0, skip)) == wanted[max(0, skip) :][:5]
    for at in pick.sample(range(many), min(many, 9)):
        assert order.take(db, found, 300, order.key(wanted[at]), down=down) == wanted[at + 1 :][:300]


def test_models_that_lie_together(order: Order, db: apsw.Connection) -> None:
    """Those in the middle of the order alone, of which much lies before and behind."""
    found = order.between(db, 1_500, 1_900)
    wanted = sorted(found, key=order.key)

    assert order.take(db, found, 50, None, down=False, skip=700) == wanted[700:750]
    assert order.take(db, found, 2_000, None, down=True) == wanted[::-1]


def test_after_changes(db: apsw.Connection) -> None:
    """Models that leave and join stand in their new places."""
    sizes = [number * 31 % 4_001 for number in range(2 * MODELS)]
    order = Order("size_bytes", sizes.__getitem__, digest_of)
    found = BitMap(range(1, MODELS + 1, 3))
    order.take(db, found, 5, None, down=False, skip=2_000)

    order.leave([1, 4_000])
    sizes[1], sizes[4_000] = 3_000, 1
    order.join([1, 4_000])

    assert order.take(db, found, MODELS, None, down=False) == sorted(found, key=order.key)
