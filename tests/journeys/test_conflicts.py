"""Content that is known already: each strategy does what the contract says, field by field."""

import shutil
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from .harness import Daemon, files_below, lora, picture_files, png, tier_files

seeds = count(1)

OLD = {
    "description": "old",
    "community_links": "",
    "prompts": {"positive": "old", "negative": ""},
    "trigger_words": [],
}
NEW = {
    "description": "new",
    "community_links": "https://example.org/new",
    "prompts": {"positive": "", "negative": "new"},
    "trigger_words": ["new"],
}
MERGED = {
    "description": "old",
    "community_links": "https://example.org/new",
    "prompts": {"positive": "old", "negative": "new"},
    "trigger_words": ["new"],
}
OVERRIDDEN = MERGED | {"description": "new"}


@dataclass
class Case:
    """A model of a content, and a pending model of the same."""

    daemon: Daemon
    sha256: str
    place: Path
    number: int
    path: Path

    def model(self) -> dict[str, Any]:
        """Give what people see of the model, in the fields that strategies touch."""
        model = self.daemon.model(self.sha256)
        kept = ("name", "type", "tags", "images", "cover", *OLD)
        return {field: model[field] for field in kept}

    def trashed(self) -> list[bytes]:
        """Give the content of the files in the trash that have the pending file's name."""
        trash = self.daemon.data / "trash"
        return [(trash / path).read_bytes() for path in files_below(trash) if Path(path).name == self.path.name]

    def resolve(self, strategy: str) -> dict[str, Any]:
        """Import the pending model with a strategy that works."""
        done = self.daemon.import_one(self.number, strategy)
        assert done.status == 200, done.body
        return done.json


def make_case(daemon: Daemon, *, in_place: bool) -> Case:
    """Bring in a model with texts, tags and a picture, and a second file of it with others."""
    seed = next(seeds)
    path = (daemon.more_loras if in_place else daemon.drop) / f"again {seed}.safetensors"
    number = 0
    if in_place:  # written to before the content is known: else it would become a location by itself
        number = write_new(daemon, path, seed)
    sha256 = daemon.bring_in(daemon.drop / f"first {seed}.safetensors", seed)
    daemon.patch(f"/api/models/{sha256}", OLD | {"name": "Old", "tags": ["a", "b"]})
    assert daemon.upload("/api/images/upload", png(colour="red"), sha256=sha256).status == 200
    if not in_place:
        number = write_new(daemon, path, seed)
    daemon.wait_for(lambda: daemon.pending_at(path)[0]["sha256"] == sha256, what="the content is recognised")
    return Case(daemon, sha256, daemon.loras / f"first {seed}.safetensors", number, path)


def write_new(daemon: Daemon, path: Path, seed: int) -> int:
    """Let a file become a pending model with texts, tags and a picture."""
    number = daemon.wait_pending(daemon.put_lora(path, seed))["id"]
    daemon.patch(f"/api/migration/pending_model?id={number}", NEW | {"name": "New", "tags": ["B", "c"]})
    assert daemon.upload(f"/api/images/pending/{number}", png(colour="blue")).status == 200
    return number


@pytest.fixture(params=[False, True], ids=["dropped", "in-place"])
def case(request: pytest.FixtureRequest, shared: Daemon) -> Case:
    """Give a conflict of a dropped file, then one of a file in place."""
    return make_case(shared, in_place=request.param)


def in_place(case: Case) -> bool:
    """Tell whether the pending file lies in a model root."""
    return case.path.parent == case.daemon.more_loras


def test_without_a_strategy_both_sides_are_shown(case: Case) -> None:
    """Known content without a strategy is 409 with both sides, and nothing is changed."""
    before = case.model()
    answer = case.daemon.import_one(case.number)

    assert answer.status == 409
    assert answer.headers["Content-Type"].startswith("application/json")
    told = answer.json
    assert sorted(told) == ["existing", "pending", "status"]
    assert told["status"] == "conflict"
    assert (told["pending"]["id"], told["pending"]["name"], told["pending"]["tags"]) == (case.number, "New", ["b", "c"])
    assert (told["existing"]["sha256"], told["existing"]["name"]) == (case.sha256, "Old")
    assert case.model() == before
    assert case.path.exists()
    assert case.daemon.pending_at(case.path)[0]["import"]["state"] == "conflict"


def test_merge_fills_only_what_is_empty(case: Case) -> None:
    """Merge keeps what is there, fills what is empty, unites the tags and appends the picture."""
    done = case.resolve("merge")

    images = [f"{case.sha256}_0", f"{case.sha256}_1"]
    assert case.model() == MERGED | {
        "name": "Old",
        "type": "loras",
        "tags": ["a", "b", "c"],
        "images": images,
        "cover": 0,
    }
    check_file(case, done, "merged")
    assert set(tier_files(images)) < set(picture_files(case.daemon))


def test_override_takes_what_was_given(case: Case) -> None:
    """Override takes name, texts, tags and cover from the pending side; what is empty there replaces nothing."""
    done = case.resolve("override")

    images = [f"{case.sha256}_0", f"{case.sha256}_1"]
    assert case.model() == OVERRIDDEN | {
        "name": "New",
        "type": "loras",
        "tags": ["b", "c"],
        "images": images,
        "cover": 1,
    }
    check_file(case, done, "overridden")


def check_file(case: Case, done: dict[str, Any], status: str) -> None:
    """A dropped file went to the trash, one in place is a further location; the pending model is no more."""
    assert (done["status"], done["sha256"]) == (status, case.sha256)
    states = {str(case.place): "present"}
    if in_place(case):
        states[str(case.path)] = "present"
        assert case.path.exists()
        assert case.trashed() == []
    else:
        assert not case.path.exists()
        assert case.trashed() == [case.place.read_bytes()]
    assert case.daemon.states(case.sha256) == states
    check_ended(case)


def check_ended(case: Case) -> None:
    """Nothing is left of the pending model."""
    assert case.daemon.ask("GET", f"/api/migration/pending_model?id={case.number}").status == 404
    assert case.daemon.pending_at(case.path) == []
    assert files_of_pending(case) == []


def files_of_pending(case: Case) -> list[str]:
    """Give the originals kept for the pending model."""
    return [path for path in picture_files(case.daemon) if path.startswith(f"pending/{case.number}.")]


def test_ignore_leaves_all_as_it_is(case: Case) -> None:
    """Ignore changes neither file, record nor pending model."""
    before = case.model()
    card = case.daemon.pending_at(case.path)[0]
    done = case.resolve("ignore")

    assert done["status"] == "ignored"
    assert case.model() == before
    after = case.daemon.pending_at(case.path)[0]
    assert after | {"import": None} == card | {"import": None}
    assert case.path.exists()
    assert files_of_pending(case) == [f"pending/{case.number}.png"]


def test_delete_sends_the_file_to_the_trash(case: Case) -> None:
    """Delete ends the pending model and trashes its file; the model stays as it was."""
    before = case.model()
    content = case.path.read_bytes()
    done = case.resolve("delete")

    assert done["status"] == "deleted"
    assert case.model() == before
    assert case.daemon.states(case.sha256) == {str(case.place): "present"}
    assert not case.path.exists()
    trash = case.daemon.data / "trash"
    assert [(trash / path).read_bytes() for path in files_below(trash) if Path(path).name == case.path.name] == [
        content
    ]
    check_ended(case)


def test_delete_is_refused_for_the_last_copy(case: Case) -> None:
    """The last present copy of a content is not deleted, and the answer says why."""
    case.place.unlink()
    case.daemon.wait_for(lambda: case.daemon.states(case.sha256)[str(case.place)] == "missing", what="it is missing")
    refused = case.daemon.import_one(case.number, "delete")

    assert refused.status == 422
    assert "last copy" in refused.detail
    assert case.path.exists()
    assert case.daemon.pending_at(case.path)[0]["state"] == "waiting"


@pytest.mark.parametrize("strategy", ["merge", pytest.param("override", marks=pytest.mark.slow)])
def test_a_model_that_lost_its_file_gets_the_new_one(case: Case, strategy: str) -> None:
    """Where the model has no present file, merge and override put the dropped one in its place."""
    case.place.unlink()
    case.daemon.wait_for(lambda: case.daemon.states(case.sha256)[str(case.place)] == "missing", what="it is missing")
    done = case.resolve(strategy)

    where = Path(done["path"])
    assert where == (case.path if in_place(case) else case.place)
    assert [path for path, state in case.daemon.states(case.sha256).items() if state == "present"] == [str(where)]
    assert case.daemon.model(case.sha256)["state"] == "present"
    assert case.daemon.model(case.sha256)["path"] == str(where)
    assert where.exists()
    assert case.trashed() == []
    check_ended(case)


def test_a_guess_replaces_nothing(shared: Daemon) -> None:
    """Override of a pending model that nobody wrote to leaves name and texts as they are."""
    seed = next(seeds)
    sha256 = shared.bring_in(shared.drop / f"kept {seed}.safetensors", seed)
    shared.patch(f"/api/models/{sha256}", OLD | {"name": "Kept", "tags": ["kept"]})
    before = shared.model(sha256)
    path = shared.put_lora(shared.drop / f"guessed {seed}.safetensors", seed)

    done = shared.import_one(shared.wait_pending(path)["id"], "override")

    assert done.json["status"] == "overridden"
    after = shared.model(sha256)
    assert {field: after[field] for field in ("name", "tags", "cover", *OLD)} == {
        field: before[field] for field in ("name", "tags", "cover", *OLD)
    }


@pytest.mark.parametrize("strategy", ["merge", "override", "ignore"])
def test_a_strategy_is_for_conflicts_alone(shared: Daemon, strategy: str) -> None:
    """New content is imported whatever is to be done with known content."""
    path = shared.put_lora(shared.drop / f"only {strategy}.safetensors", next(seeds))
    done = shared.import_one(shared.wait_pending(path)["id"], strategy)

    assert (done.status, done.json["status"]) == (200, "imported"), done.body
    assert shared.model(done.json["sha256"])["state"] == "present"


def test_unknown_content_is_never_deleted(shared: Daemon) -> None:
    """Delete of content that is not in the library is refused: it would be the only copy."""
    path = shared.put_lora(shared.drop / "only.safetensors", next(seeds))
    refused = shared.import_one(shared.wait_pending(path)["id"], "delete")

    assert refused.status == 422
    assert path.exists()
    assert shared.pending_at(path)


def test_a_copy_of_a_known_model(shared: Daemon) -> None:
    """A copy in a model root becomes a location by itself; one in a drop folder waits and names the model."""
    seed = next(seeds)
    sha256 = shared.bring_in(shared.drop / f"known {seed}.safetensors", seed)
    known = Path(shared.model(sha256)["path"])
    elsewhere, dropped = shared.more_loras / "copy.safetensors", shared.drop / "copy.safetensors"
    for target in (elsewhere, dropped):
        shared.put(Path(shutil.copy(known, shared.staging / "copy")), target)

    shared.wait_for(lambda: shared.states(sha256).get(str(elsewhere)) == "present", what="it is a location")
    shared.wait_for(lambda: [one["sha256"] for one in shared.pending_at(dropped)] == [sha256], what="it is known")
    assert shared.pending_at(elsewhere) == []
    assert str(dropped) not in shared.states(sha256)


def test_two_files_of_the_same_new_content(shared: Daemon) -> None:
    """Of two equal files that are imported at once one becomes the model, the other is a conflict."""
    seed = next(seeds)
    paths = [shared.put_lora(shared.drop / f"{name} {seed}.safetensors", seed) for name in ("one", "two")]
    numbers = [shared.wait_pending(path)["id"] for path in paths]
    after = shared.get("/api/status")["position"]

    shared.post("/api/migration/import_a_model", {"id": numbers})

    shared.wait_for(
        lambda: len(shared.events("import-completed", "import-conflicted", after=after)) == 2, what="both have ended"
    )
    assert sorted(path.exists() for path in paths) == [False, True]
    lora_again = lora(shared.staging / "x", seed)
    assert [path.read_bytes() for path in paths if path.exists()] == [lora_again.read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["delete", "merge"])
def test_a_link_to_the_file_is_no_second_copy(shared: Daemon, strategy: str) -> None:
    """Where the model's only other location is a link to the pending file, that file is the last copy."""
    seed = next(seeds)
    dropped = shared.put_lora(shared.drop / f"only {seed}.safetensors", seed)
    number = shared.wait_pending(dropped)["id"]
    link = shared.loras / f"link {seed}.safetensors"
    link.symlink_to(dropped)
    sha256 = shared.import_one(shared.wait_pending(link)["id"]).json["sha256"]

    done = shared.import_one(number, strategy)

    here = [Path(path) for path, state in shared.states(sha256).items() if state == "present" and Path(path).exists()]
    if strategy == "delete":
        assert (done.status, here) == (422, [link])
        assert dropped.exists()
    else:
        assert (done.status, Path(done.json["path"]) in here) == (200, True)
