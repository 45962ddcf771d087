"""The picture files of a data folder, and what a crash leaves of them."""

import os
from pathlib import Path

import pytest
from hikaze.daemon.imagestore import ImageStore
from hikaze.daemon.pictures import TIERS

SHA = "a" * 64
CRASHES = ("intent", "one tier", "all tiers")


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    """Give a store in a folder of its own."""
    return ImageStore(str(tmp_path))


def stage(store: ImageStore) -> str:
    """Make three tiers on their way."""
    token = store.new_token()
    for tier in TIERS:
        Path(store.staged(token, tier)).write_text(tier)
    return token


def in_place(store: ImageStore, seq: int = 0) -> list[str]:
    """Give the tiers that lie where they are served from."""
    return [tier for tier in TIERS if os.path.exists(store.path(SHA, seq, tier))]


def staged(store: ImageStore) -> list[str]:
    """Give what is on its way."""
    return os.listdir(store.staging)


def crash(store: ImageStore, moment: str) -> None:
    """Leave a picture as a crash in the midst of `promote` does."""
    token = stage(store)
    store.promote(token, SHA, 0)
    back = {"intent": TIERS, "one tier": list(TIERS)[1:], "all tiers": ()}[moment]
    for tier in back:
        os.replace(store.path(SHA, 0, tier), store.staged(token, tier))


def test_a_picture_gets_its_place(store: ImageStore) -> None:
    """Promoted and settled, its tiers lie in their places and nothing is on its way; all for us alone."""
    store.promote(stage(store), SHA, 3)
    store.settle(SHA, 3)

    assert in_place(store, 3) == list(TIERS)
    assert staged(store) == []
    assert os.stat(store.staging).st_mode & 0o777 == 0o700


@pytest.mark.parametrize("moment", CRASHES)
def test_a_picture_that_the_log_does_not_know_is_taken_back(store: ImageStore, moment: str) -> None:
    """Whatever was in place when the power went, nothing is left of it."""
    crash(store, moment)
    store.recover(lambda _sha, _seq: False, lambda _number: None)

    assert in_place(store) == []
    assert staged(store) == []


@pytest.mark.parametrize("done", range(4))
def test_a_picture_that_is_to_be_placed_anew(store: ImageStore, done: int) -> None:
    """Its tiers are on their way again as they were, and get another place; also where that went half way before."""
    token = stage(store)
    store.promote(token, SHA, 0)
    for tier in list(TIERS)[:done]:
        os.replace(store.path(SHA, 0, tier), store.staged(token, tier))
    store.demote(token, SHA, 0)
    assert (in_place(store), sorted(staged(store))) == ([], sorted(f"{token}_{tier}.webp" for tier in TIERS))

    store.promote(token, SHA, 1)
    store.settle(SHA, 1)
    assert (in_place(store, 1), staged(store)) == (list(TIERS), [])
    assert [Path(store.path(SHA, 1, tier)).read_text() for tier in TIERS] == list(TIERS)


def test_a_picture_that_the_log_knows_stays(store: ImageStore) -> None:
    """The log is written once all tiers are in place."""
    crash(store, "all tiers")
    store.recover(lambda _sha, _seq: True, lambda _number: None)

    assert in_place(store) == list(TIERS)
    assert staged(store) == []


@pytest.mark.parametrize(("known", "left"), [(True, list(TIERS)), (False, [])])
def test_a_crash_while_a_picture_is_taken_away(store: ImageStore, known: bool, left: list[str]) -> None:
    """It goes where an undo finds it if the log knows of the removal, else it stays."""
    store.promote(stage(store), SHA, 0)
    store.settle(SHA, 0)
    store.doom(SHA, 0)
    store.recover(lambda _sha, _seq: known, lambda _number: None)

    assert in_place(store) == left
    assert staged(store) == []
    removed = os.listdir(store.removed) if os.path.isdir(store.removed) else []
    assert len(removed) == 3 - len(left)


def test_what_was_on_its_way_is_removed(store: ImageStore) -> None:
    """Half an upload and tiers without an intent are nobody's after a crash."""
    stage(store)
    Path(store.incoming(store.new_token())).write_bytes(b"half")
    store.recover(lambda _sha, _seq: False, lambda _number: None)

    assert staged(store) == []


def test_originals_of_pending_models(store: ImageStore, tmp_path: Path) -> None:
    """There is one for a pending model; after a crash, the one that the log knows of, if it is there."""
    picture = tmp_path / "p.png"
    picture.write_bytes(b"png")
    for number, extension in ((1, ".png"), (2, ".png"), (12, ".png"), (1, ".jpg")):
        token = store.new_token()
        store.receive(token, str(picture))
        store.keep_pending(number, extension, store.incoming(token))
    store.drop_pending(1, but=".jpg")
    assert sorted(os.listdir(store.pending_folder)) == ["1.jpg", "12.png", "2.png"]

    store.recover(lambda _sha, _seq: False, {1: ".jpg", 2: ".webp"}.get)
    assert os.listdir(store.pending_folder) == ["1.jpg"]
    assert picture.exists()
    assert os.stat(store.pending_path(1, ".jpg")).st_mode & 0o777 == 0o600


def test_scaffolding_that_the_disk_holds_on_to(store: ImageStore) -> None:
    """What is done stays done where a marker or a left-over cannot be removed: the next start sees to that."""
    token = stage(store)
    store.promote(token, SHA, 0)
    marker = Path(store.staging, f"{SHA}_0.intent")
    marker.unlink()
    for stubborn in (marker, Path(store.incoming(token))):
        stubborn.mkdir()  # a folder is what no `unlink` removes, whoever asks

    store.settle(SHA, 0)
    store.discard(token)

    assert in_place(store) == list(TIERS)


def test_a_removal_that_the_disk_refuses(store: ImageStore) -> None:
    """Its marker stays, and the next start takes the picture away."""
    store.promote(stage(store), SHA, 0)
    store.settle(SHA, 0)
    store.doom(SHA, 0)
    Path(store.removed).touch()  # there can be no folder of this name
    store.take_away(SHA, 0)
    assert staged(store) == [f"{SHA}_0.removal"]

    os.unlink(store.removed)
    store.recover(lambda _sha, _seq: False, lambda _number: None)

    assert (in_place(store), staged(store)) == ([], [])


def test_a_refused_picture_that_the_disk_holds_on_to(store: ImageStore) -> None:
    """Its marker stays, and the next start takes back what is left of it."""
    store.promote(stage(store), SHA, 0)
    low = Path(store.path(SHA, 0, "low"))
    low.unlink()
    low.mkdir()
    store.withdraw(SHA, 0)
    assert staged(store) == [f"{SHA}_0.intent"]

    low.rmdir()
    store.recover(lambda _sha, _seq: False, lambda _number: None)

    assert (in_place(store), staged(store)) == ([], [])
