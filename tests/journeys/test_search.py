"""A person finds what they look for: by words and by everything else that is known, at once, and in any script."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from .harness import Daemon, Json, Make, checkpoint


class Library(NamedTuple):
    """A daemon with a few models, each by its name here."""

    daemon: Daemon
    sha256: dict[str, str]

    def found(self, query: str, **more: object) -> list[str]:
        """Give the models that a query finds, by their names here, in the order of the answer."""
        names = {sha256: name for name, sha256 in self.sha256.items()}
        return [names[item["sha256"]] for item in ask(self.daemon, query, **more)["items"]]


def ask(daemon: Daemon, query: str, **more: object) -> Json:
    """Give the answer to a query."""
    return daemon.get("/api/models", q=query, **more)


def hikazed(daemon: Daemon, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a person does."""
    command = [sys.executable, "-m", "hikaze.daemon", *argv, "--socket", daemon.socket]
    return subprocess.run(command, capture_output=True, text=True, env=daemon.env(), timeout=60, check=False)


def bring_checkpoint(daemon: Daemon, target: Path, seed: int) -> str:
    """Let a checkpoint appear in a folder of models and import it."""
    daemon.put(checkpoint(daemon.staging / "new.safetensors", seed), target)
    done = daemon.import_one(daemon.wait_pending(target)["id"])
    assert done.status == 200, done.body
    return done.json["sha256"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Give a library that nobody changes."""
    daemon = Daemon(tmp_path_factory.mktemp("search"))
    try:
        daemon.start()
        yield Library(daemon, _fill(daemon))
    finally:
        daemon.close()


def _fill(daemon: Daemon) -> dict[str, str]:
    known = {
        "ink": daemon.bring_in(daemon.loras / "styles" / "ink_wash_v2.safetensors", 1),
        "dragon": daemon.bring_in(daemon.loras / "Дракон.safetensors", 2),
        "cat": daemon.bring_in(daemon.more_loras / "猫のスタイル.safetensors", 3),
        "base": bring_checkpoint(daemon, daemon.checkpoints / "flux" / "basemodel.safetensors", 4),
    }
    written = {
        "ink": {
            "name": "Ink Wash",
            "tags": ["anime", "Straße", "ink painting"],
            "description": "Wet brush on rough paper",
            "prompts": {"positive": "sumi landscape", "negative": "photo"},
            "trigger_words": ["inkwsh"],
            "favorite": True,
        },
        "dragon": {"tags": ["anime", "дракон"], "description": "A café in the mountains, with ink"},
        "cat": {"tags": ["animals"], "trigger_words": ["neko"]},
        "base": {"tags": []},
    }
    for name, fields in written.items():
        daemon.patch(f"/api/models/{known[name]}", fields)
    return known


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ink wash", {"ink"}),
        ("INK", {"ink", "dragon"}),
        ('"wet brush"', {"ink"}),
        ('"brush wet"', set()),
        ("brush wet", {"ink"}),
        ("nkws", {"ink"}),
        ("sumi", {"ink"}),
        ("ink_wash_v2", {"ink"}),
        ("CAFE", {"dragon"}),
        ("strasse", {"ink"}),
        ("д", {"dragon"}),
        ("猫", {"cat"}),
        ("ス", {"cat"}),
        ("ｽﾀｲﾙ", {"cat"}),
        ("tag:anime", {"ink", "dragon"}),
        ("tag:STRASSE", {"ink"}),
        ("tag:anim*", {"ink", "dragon", "cat"}),
        ('tag:"ink painting"', {"ink"}),
        ("tag:ink", set()),
        ("tag:anime -tag:дракон", {"ink"}),
        ("type:ckpt", {"base"}),
        ("-type:lora", {"base"}),
        ("size:>1kb size:<1gb", {"ink", "dragon", "cat", "base"}),
        ("size:>1gb", set()),
        ("added:<1h", {"ink", "dragon", "cat", "base"}),
        ("added:>1h", set()),
        (
            f"added:>={time.strftime('%Y-%m-%d', time.localtime(time.time() - 86_400))}",
            {"ink", "dragon", "cat", "base"},
        ),
        ("added:<2020", set()),
        ("is:favourite", {"ink"}),
        ("is:untagged", {"base"}),
        ("is:present", {"ink", "dragon", "cat", "base"}),
        ("is:missing OR is:offline OR is:duplicate", set()),
        ("path:styles/ink", {"ink"}),
        (r"path:FLUX\base", {"base"}),
        ("name:wash", {"ink"}),
        ("name:anime", set()),
        ("wash OR neko", {"ink", "cat"}),
        ("(wash OR neko) tag:anime", {"ink"}),
        ("NOT (tag:anime OR is:untagged)", {"cat"}),
        ("anime -wash", {"dragon"}),
    ],
)
def test_found_by_what_is_known_of_it(library: Library, query: str, found: set[str]) -> None:
    """Name, tags, trigger words, texts, prompts, file names and fields find a model, in any script."""
    assert set(library.found(query)) == found


def test_found_by_its_hashes(library: Library) -> None:
    """The SHA-256 and the AutoV3 find a model by their first digits."""
    content = (library.daemon.loras / "styles" / "ink_wash_v2.safetensors").read_bytes()
    behind = content[8 + int.from_bytes(content[:8], "little") :]

    for digest in (hashlib.sha256(content), hashlib.sha256(behind)):
        for digits in (8, 12, 64):
            assert library.found(f"hash:{digest.hexdigest()[:digits].upper()}") == ["ink"]


def test_the_best_come_first(library: Library) -> None:
    """A word in the name counts for more than one in a text, unless somebody asks for another order."""
    assert library.found("ink") == ["ink", "dragon"]
    assert library.found("ink", sort="-name") == library.found("ink", sort="name")[::-1]
    assert [item["found_by"] for item in ask(library.daemon, "ink")["items"]] == ["name", "text"]


def test_tags_and_types_of_what_is_found_are_counted(library: Library) -> None:
    """With a query come its total and its facets, whatever the page; with parameters beside it all is one query."""
    found = ask(library.daemon, "anime", limit=1)
    assert (found["total"], len(found["items"])) == (2, 1)
    assert found["facets"]["types"] == [{"type": "loras", "count": 2}]
    assert found["facets"]["tags"][0] == {"name": "anime", "count": 2}
    assert {tag["name"]: tag["count"] for tag in found["facets"]["tags"]}["дракон"] == 1

    rest = ask(library.daemon, "anime", limit=1, cursor=found["next"])
    assert (rest["total"], rest["next"], len(rest["items"])) == (2, None, 1)
    assert library.found("anime", tag="дракон") == ["dragon"]
    assert library.found("anime", not_tag="дракон") == ["ink"]
    assert library.found("anime", type="vae") == []
    assert ask(library.daemon, "anime", facets=0)["items"]


def test_a_type_is_known_by_its_other_names(library: Library) -> None:
    """The parameter means what `type:` means, with a query and without; what can be no type finds nothing."""
    everything = sorted(library.found("type:lora"))
    assert everything
    assert sorted(library.found("", type="lora")) == everything
    assert library.found("anime", type="lora") == library.found("anime type:lora")
    assert library.found("anime", type="../x") == library.found("", type="../x") == []


@pytest.mark.parametrize(
    ("query", "at"), [('ink "wash', 4), ("ink (wash", 4), ("tag:", 4), ("size:>big", 6), ("is:lost", 3), ("foo:bar", 0)]
)
def test_a_slip_says_where(library: Library, query: str, at: int) -> None:
    """What cannot be read is refused with the place, by the API and on the command line."""
    refused = library.daemon.ask("GET", f"/api/models?q={quote(query)}")
    assert (refused.status, refused.json["at"]) == (422, at)
    assert f"at character {at + 1}" in refused.json["detail"]

    said = hikazed(library.daemon, "models", query)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.splitlines()[:2] == [query, " " * at + "^"]


def test_on_the_command_line(library: Library) -> None:
    """Words and conditions are one query; the table ends with how many there are, and their counts."""
    said = hikazed(library.daemon, "models", "tag:anime", "-wash", "--facets")
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[1].startswith("Дракон")
    assert lines[2] == "1 model"
    assert "loras       1" in lines

    told = json.loads(hikazed(library.daemon, "models", "猫", "--json").stdout)
    assert ([item["sha256"] for item in told["items"]], told["total"]) == ([library.sha256["cat"]], 1)
    assert json.loads(hikazed(library.daemon, "show", "ink wash", "--json").stdout)["sha256"] == library.sha256["ink"]


def test_plain_lists_are_as_they_were(library: Library) -> None:
    """Without a query there is a page and nothing else."""
    assert set(library.daemon.get("/api/models")) == {"items", "next"}
    assert set(library.daemon.get("/api/models", q=" ")) == {"items", "next"}


def test_pages_from_anywhere(library: Library) -> None:
    """A list that shows rows far down asks for them by number, with a query and without; each page has the total."""
    everything = [item["sha256"] for item in library.daemon.get("/api/models")["items"]]
    for offset in range(len(everything) + 2):
        page = library.daemon.get("/api/models", offset=offset, limit=1)
        assert [item["sha256"] for item in page["items"]] == everything[offset : offset + 1]
        assert (page["total"], "facets" in page) == (len(everything), False)
        assert (page["next"] is None) == (offset >= len(everything) - 1)
    assert library.found("anime", offset=1, sort="-name") == library.found("anime", sort="-name")[1:]
    assert library.daemon.get("/api/models", offset=1, facets=5, limit=1)["facets"]["types"]


@pytest.mark.parametrize("asked", ["offset=-1", "offset=1.5", "offset=", "offset=10000001", "offset=1&offset=2"])
def test_an_offset_that_is_none(library: Library, asked: str) -> None:
    """What is no number of models is refused, and so is one beside a cursor."""
    cursor = library.daemon.get("/api/models", limit=1)["next"]
    for query in (asked, f"offset=1&cursor={cursor}"):
        assert library.daemon.ask("GET", f"/api/models?{query}").status == 422


# While things change -----------------------------------------------------------------------------------


def test_an_answered_write_is_found(daemon: Daemon) -> None:
    """What the next query gives is what the last write left, each time."""
    sha256 = daemon.bring_in(daemon.loras / "one.safetensors", 1)

    for number in range(30):
        tag, word = f"tag{number}", f"word{number}"
        daemon.patch(f"/api/models/{sha256}", {"tags": [tag], "description": word, "name": f"name{number}"})
        found = ask(daemon, f"tag:{tag} {word} name{number}")
        assert (found["total"], found["facets"]["tags"]) == (1, [{"name": tag, "count": 1}])
        assert ask(daemon, f"tag:tag{number - 1}")["total"] == 0
        assert ask(daemon, f"word{number - 1}x OR word{number}")["total"] == 1


def test_several_write_and_search_at_once(daemon: Daemon) -> None:
    """Whoever was answered finds what they wrote, however many others write and search meanwhile."""
    models = [daemon.bring_in(daemon.loras / f"model{number}.safetensors", number) for number in range(4)]

    def writes_and_searches(sha256: str) -> list[tuple[str, int]]:
        wrong: list[tuple[str, int]] = []
        for number in range(25):
            tag = f"{sha256[:6]}x{number}"
            daemon.patch(f"/api/models/{sha256}", {"tags": [tag, "all"], "description": f"says {tag}"})
            for query, total in ((f"tag:{tag}", 1), (f'"says {tag}"', 1), (f"{tag}0", 0), (f"{sha256[:6]}x", 1)):
                if ask(daemon, query)["total"] != total:
                    wrong.append((query, total))
        return wrong

    with ThreadPoolExecutor(len(models)) as people:
        assert list(people.map(writes_and_searches, models)) == [[]] * len(models)
    assert ask(daemon, "tag:all")["facets"]["tags"][0] == {"name": "all", "count": len(models)}


def test_found_by_what_it_was_called(daemon: Daemon) -> None:
    """Names and file names of before find a model, and the answer says so."""
    path = daemon.loras / "firstfile.safetensors"
    sha256 = daemon.bring_in(path, 1)
    daemon.patch(f"/api/models/{sha256}", {"name": "Nightingale"})
    daemon.patch(f"/api/models/{sha256}", {"name": "Sparrow"})
    path.rename(daemon.loras / "secondfile.safetensors")
    daemon.wait_for(lambda: ask(daemon, "path:secondfile")["total"] == 1)

    def why(query: str) -> list[tuple[str, str | None]]:
        return [(item["found_by"], item["earlier"]) for item in ask(daemon, query)["items"]]

    assert why("nightin") == [("earlier_name", "Nightingale")]
    assert why("sparrow") == [("name", None)]
    assert why("secondfile") == [("file", None)]
    assert why('"firstfile.safetensors"') == [("earlier_file", "firstfile.safetensors")]
    assert "Sparrow (before: Nightingale)" in hikazed(daemon, "models", "nightingale").stdout


def test_found_by_where_it_lies(daemon: Daemon) -> None:
    """A second copy, a disk that is away and a file that is gone are found by saying so."""
    here, there = daemon.loras / "a.safetensors", daemon.more_loras / "b.safetensors"
    twice = daemon.bring_in(here, 1)
    daemon.put_lora(there, 1)
    alone = daemon.bring_in(daemon.more_loras / "alone.safetensors", 2)

    def found(query: str) -> list[str]:
        return [item["sha256"] for item in ask(daemon, query)["items"]]

    daemon.wait_for(lambda: found("is:duplicate") == [twice], 15, "the copy is recognised")
    daemon.more_loras.rename(daemon.folder / "unplugged")
    daemon.wait_for(lambda: found("is:offline") == [alone], 15, "the disk is away")
    assert (found("is:duplicate"), found("is:present")) == ([], [twice])
    (daemon.folder / "unplugged").rename(daemon.more_loras)
    daemon.wait_for(lambda: found("is:duplicate") == [twice], 15, "the disk is back")
    here.unlink()
    there.unlink()
    daemon.wait_for(lambda: found("is:missing") == [twice], 15, "both files are gone")
    assert found("-is:missing") == [alone]


def test_found_again_after_a_restart_and_a_rebuild(make_daemon: Make) -> None:
    """The same queries find the same after the daemon was ended, and after its read tables were built anew."""
    daemon = make_daemon().start()
    first = daemon.bring_in(daemon.loras / "first.safetensors", 1)
    second = daemon.bring_in(daemon.loras / "second.safetensors", 2)
    daemon.patch(f"/api/models/{first}", {"name": "Renamed", "tags": ["a tag"], "description": "long text " * 200})
    daemon.delete(f"/api/tags/{daemon.post('/api/tags', {'name': 'gone'})['id']}")
    queries = ("first", "second", "renamed", "e", "long", '"text long"', "tag:a*", "-tag:a*", "safetensors", "")

    def answers() -> list[Json]:
        return [ask(daemon, query, facets=10) for query in queries]

    before = answers()
    assert [each["total"] for each in before] == [1, 1, 1, 2, 1, 1, 1, 1, 2, 2]
    assert {item["sha256"] for item in before[-1]["items"]} == {first, second}
    daemon.restart()
    assert answers() == before
    daemon.stop()
    (daemon.data / "views.db").unlink()
    daemon.start()
    assert answers() == before
