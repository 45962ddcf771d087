"""What we know of a model, in each format: it reads back the same, and what was there before stays."""

import json
from typing import Any

import msgspec
import pytest
from hikaze.daemon.export import formats as exportformats
from hikaze.daemon.export.formats import ENDINGS, Format, NotOne, exported
from hikaze.daemon.export.known import Beside, Known, joined, known_of
from hikaze.daemon.export.mark import Moment
from hikaze.daemon.sidecars import formats as sidecar
from hikaze.daemon.sidecars.cleantext import web_address
from hikaze.daemon.sidecars.ours import exported_at
from hikaze.events.catalog import Prompts, Provided, Sidecar
from hypothesis import given
from hypothesis import strategies as st

FORMATS = tuple(ENDINGS)
SHA = "ab" * 32
NOW = Moment(7, "0a" * 16)
BESIDE = Beside("foo.v1.safetensors", "/models/loras")
KNOWN = Known(
    sha256=SHA,
    name="Foo, the model",
    type="loras",
    size=2048,
    created_at=1_757_000_000_000,
    notes='two "lines" & <3\nof notes\n\n---\n# not a heading: text',
    description="What the provider says.",
    links=("https://civitai.com/models/1?modelVersionId=2", "https://example.org/a?b=c&d"),
    prompts=Prompts("masterpiece, (a:1.2)", "lowres"),
    trigger_words=("foo", "foo, with a comma", "füü 'x'"),
    tags=("anime", "Character", "null", "1.0"),
    favorite=True,
    base_model="SDXL 1.0",
    model_id=1,
    version_id=2,
)
EMPTY = Known(sha256=SHA, name="foo.v1", type="vae", size=1, created_at=0)


def read(form: Format, data: bytes) -> Provided:
    """Give what is read of a file of ours."""
    found = sidecar.parse(form, data, exportformats.file_name(form, BESIDE.model))
    assert found is not None
    return found


def fresh(form: Format, known: Known = KNOWN, former: bytes | None = None) -> bytes:
    """Give the file for what we know, where one is to be written."""
    data = exported(form, known, BESIDE, NOW, former)
    assert data is not None
    return data


def document(data: bytes) -> dict[str, Any]:
    """Give a JSON file as it is."""
    return json.loads(data)


def assert_says(said: Provided, known: Known) -> None:
    """See that what was read is what we know."""
    assert joined(said.notes, said.description) == joined(known.notes, known.description)
    assert said.trigger_words == known.trigger_words
    assert said.tags == known.tags
    assert said.prompts == known.prompts
    assert said.links == known.links
    assert said.favorite == known.favorite
    assert said.sha256 == known.sha256
    assert said.name == known.name
    assert not said.problem


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("known", [KNOWN, EMPTY], ids=["much", "little"])
def test_it_reads_back_the_same(form: Format, known: Known) -> None:
    """Texts, tags, trigger words and all the rest come back, in every format, and it is known for ours."""
    said = read(form, fresh(form, known))

    assert_says(said, known)
    assert exported_at(said) == NOW
    assert said.facts.get("base_model", "") == known.base_model


def _clean(key: str, value: Any) -> Any:
    """Give texts as they are kept of a sidecar: what a library knows is clean already."""
    said = sidecar.parse("lora-manager", json.dumps({key: value}).encode(), "foo.metadata.json")
    return getattr(said, key)


def _texts() -> st.SearchStrategy[str]:
    some = st.text(st.characters(codec="utf-8"), max_size=80) | st.text("a <>&\n#-'\":,|\\{}[]", max_size=40)
    return some.map(lambda text: _clean("notes", text)).filter(lambda text: _clean("notes", text) == text)


def _names() -> st.SearchStrategy[tuple[str, ...]]:
    some = st.lists(_texts(), max_size=4).map(lambda names: _clean("tags", names))
    return some.filter(lambda names: _clean("tags", list(names)) == names)


_LINK = (
    st.text("abc/?&=#%", max_size=20)
    .map(lambda path: f"https://example.org/{path}")
    .filter(lambda link: web_address(link) == link)
)
_PLAIN = "hikaze notes tags model civitai files description trainedWords hashes Hashes Tags says digest x \ud800"
_KEYS = st.sampled_from(
    [*_PLAIN.split(), "modelspec.tags", "modelspec.title", "activation text", "sd version", "instance_prompt"]
)
_KNOWN = st.builds(
    Known,
    sha256=st.just(SHA),
    name=st.just("Foo"),
    type=st.sampled_from(["loras", "checkpoints", "vae"]),
    size=st.integers(0, 2**40),
    created_at=st.integers(0, 2**41),
    notes=_texts(),
    description=_texts(),
    links=st.lists(_LINK, max_size=3, unique=True).map(tuple),
    prompts=st.builds(Prompts, _texts(), _texts()),
    trigger_words=_names(),
    tags=_names(),
    favorite=st.booleans(),
    base_model=st.sampled_from(["", "SD 1.5", "Pony"]),
)


@given(form=st.sampled_from(FORMATS), known=_KNOWN)
def test_whatever_it_is_reads_back_the_same(form: Format, known: Known) -> None:
    """Quotes, markup, separators and writing of any kind come back as they were, and a second export finds no work."""
    data = fresh(form, known)

    assert_says(read(form, data), known)
    assert exported(form, known, BESIDE, Moment(99, "ff"), data) is None


@pytest.mark.parametrize("form", FORMATS)
def test_a_change_in_the_library_is_seen(form: Format) -> None:
    """A file of ours that is behind is written anew, whatever changed."""
    data = fresh(form)
    for name, value in {
        "notes": "other",
        "tags": ("anime",),
        "trigger_words": ("foo",),
        "favorite": False,
        "prompts": Prompts("x"),
        "links": (),
    }.items():
        changed = msgspec.structs.replace(KNOWN, **{name: value})
        assert_says(read(form, fresh(form, changed, data)), changed)


@pytest.mark.parametrize(
    ("form", "key", "value", "field", "expected"),
    [
        ("lora-manager", "notes", "theirs", "notes", "theirs"),
        ("civitai-info", "description", "<p>theirs</p>", "description", "theirs"),
        ("a1111", "notes", "theirs", "notes", "theirs"),
        ("stability-matrix", "ModelDescription", "theirs", "description", "theirs"),
        ("swarm", "modelspec.description", "theirs", "description", "theirs"),
    ],
)
def test_who_changed_it_since_has_the_word(form: Format, key: str, value: str, field: str, expected: str) -> None:
    """A file of ours that another program changed is that one's; what its format has no room for stays ours."""
    changed = document(fresh(form)) | {key: value}
    said = read(form, json.dumps(changed).encode())

    assert getattr(said, field) == expected
    assert exported_at(said) is None
    assert said.prompts == KNOWN.prompts
    assert set(said.links) >= set(KNOWN.links)
    assert set(KNOWN.tags) <= set(said.tags)
    assert said.favorite


def test_a_text_that_somebody_changed() -> None:
    """The new words are read, and what stands above them still counts."""
    said = read("text", fresh("text").replace(b"of notes", b"of other notes"))

    assert "of other notes" in said.notes
    assert exported_at(said) is None
    assert (said.prompts, said.links, set(said.tags)) == (KNOWN.prompts, KNOWN.links, set(KNOWN.tags))


def test_housekeeping_is_no_change() -> None:
    """ComfyUI-Lora-Manager writes the path anew when a model moves: the words are still ours."""
    moved = document(fresh("lora-manager")) | {"file_path": "/elsewhere/foo.safetensors", "last_checked_at": 1.5}
    defaults = {"civitai_deleted": False, "metadata_source": None, "hash_status": "completed", "autov3": None}

    assert exported_at(read("lora-manager", json.dumps(moved | defaults).encode())) == NOW
    emptied = moved | {"notes": ""}
    assert exported_at(read("lora-manager", json.dumps(emptied).encode())) is None


FOREIGN: dict[Format, dict[str, Any]] = {
    "lora-manager": {
        "file_name": "foo.v1",
        "model_name": "Theirs",
        "notes": "old",
        "tags": ["x"],
        "civitai": {"id": 9, "creator": {"username": "c"}},
        "usage_tips": '{"strength": 0.8}',
        "preview_url": "/a.png",
        "hers": [1, {"a": None}],
    },
    "civitai-info": {
        "id": 9,
        "description": "<p>old</p>",
        "model": {"name": "Theirs", "nsfw": False, "hers": 1},
        "images": [{"url": "u"}],
        "files": [{"name": "f", "hashes": {}}],
        "hers": 1.5,
    },
    "a1111": {"description": "old", "sd version": "SD1", "preferred weight": 0.7, "vae": "v", "hers": "x"},
    "stability-matrix": {"ModelName": "Theirs", "ModelDescription": "<p>old</p>", "Stats": {"a": 1}, "hers": True},
    "swarm": {"modelspec.title": "Theirs", "modelspec.author": "a", "hers": None},
}


@pytest.mark.parametrize("form", FOREIGN)
def test_unknown_keys_stay(form: Format) -> None:
    """Of another program's file only the fields that we know better change."""
    before = FOREIGN[form]
    after = document(fresh(form, former=json.dumps(before).encode()))

    assert_says(read(form, json.dumps(after).encode()), KNOWN)
    ours = {"notes", "tags", "model_name", "description", "model", "sd version", "ModelDescription", "modelspec.title"}
    assert {key: after[key] for key in before.keys() - ours} == {key: before[key] for key in before.keys() - ours}
    if form == "civitai-info":
        assert after["model"]["hers"] == 1


def test_yaml_of_a_text_stays() -> None:
    """What stands above a text in YAML is kept, dates and numbers too."""
    before = b"---\nlicense: mit\nyear: 2024\nday: 2024-05-06\n---\n\nold words\n"
    after = fresh("text", former=before).decode()

    assert after.startswith("---\nlicense: mit\nyear: 2024\nday: 2024-05-06\ntags:\n")
    assert_says(read("text", after.encode()), KNOWN)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("lora-manager", {"notes": "n", "modelDescription": "<h1>d</h1>", "tags": ["T"], "trainedWords": ["w"]}),
        ("a1111", {"notes": "n", "description": "d", "activation text": "w"}),
        ("civitai-info", {"description": "<b>d</b>", "trainedWords": ["w"], "model": {"tags": ["t"]}}),
    ],
)
def test_another_programs_file_that_says_it_all(form: Format, data: dict[str, Any]) -> None:
    """What we have from a file alone needs not be written into it."""
    raw = json.dumps(data).encode()
    said = read(form, raw)
    known = msgspec.structs.replace(
        EMPTY, notes=said.notes, description=said.description, tags=said.tags, trigger_words=said.trigger_words
    )

    assert exported(form, known, BESIDE, NOW, raw) is None


def test_what_the_file_says_in_its_own_way_stays() -> None:
    """A provider's markup is not flattened where only a tag was added."""
    before = {"notes": "", "modelDescription": "<h1>Big</h1><p>and small</p>", "tags": ["t"]}
    said = read("lora-manager", json.dumps(before).encode())
    known = msgspec.structs.replace(EMPTY, description=said.description, tags=("t", "new"))

    after = document(fresh("lora-manager", known, json.dumps(before).encode()))
    assert after["modelDescription"] == before["modelDescription"]
    assert after["tags"] == ["t", "new"]


@pytest.mark.parametrize("data", [b'{"pretrained_model_name_or_path": "x", "description": "d"}', b'{"nodes": []}'])
def test_another_programs_json_is_left_alone(data: bytes) -> None:
    """A `foo.json` that is nobody's sidecar, a trainer's settings say, is not written into."""
    with pytest.raises(NotOne):
        exported("a1111", KNOWN, BESIDE, NOW, data)


def test_a_number_beyond_all_numbers() -> None:
    """What reads as infinite is no JSON for other programs: it is not written again as that."""
    assert b"Infinity" not in fresh("lora-manager", former=b'{"x": 1e999, "y": NaN}')


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe\x00", b"{}", b"null", b'{"hikaze": 5}'])
def test_a_broken_file_becomes_a_whole_one(form: Format, data: bytes) -> None:
    """What makes no sense hinders nothing. Who replaces it keeps it beside."""
    try:
        written = fresh(form, former=data)
    except NotOne:
        assert form == "a1111"
        return
    if form != "text":
        assert_says(read(form, written), KNOWN)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(form=st.sampled_from(FORMATS), former=st.dictionaries(_KEYS, _ANY, max_size=8))
def test_whatever_lies_there(form: Format, former: dict[str, Any]) -> None:
    """Fields of any type hinder nothing, and what is written says what we know, as often as it is written."""
    data = json.dumps(former).encode()
    if form == "text":
        data = b"---\n" + data + b"\n---\nwords"
    try:
        written = exported(form, KNOWN, BESIDE, NOW, data)
    except NotOne:
        assert form == "a1111"
        return
    assert written is not None
    assert_says(read(form, written), KNOWN)
    assert exported(form, KNOWN, BESIDE, NOW, written) is None


MARKS: list[Any] = [
    5,
    {},
    {"position": -1, "event": "aa", "says": {}, "digest": ""},
    {"position": 1, "event": "x\n", "says": {}, "digest": ""},
    {"position": 1, "event": "aa", "says": {"tags": 5, "notes": ["x"], "prompts": []}, "digest": "aa"},
    {"\ud800": 1, "position": 1, "event": "aa", "says": {"\ud800": "\ud800"}, "digest": "\ud800"},
    {"position": 2**70, "event": "aa", "says": [], "digest": None},
]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("form", [form for form in FORMATS if form != "text"])
def test_a_mark_that_is_not_ours(form: Format, mark: Any) -> None:
    """Anybody can write anything under our key: it is no mark, or what it adds is clean."""
    data = document(fresh(form)) | {"hikaze": mark}
    said = read(form, json.dumps(data).encode())

    assert exported_at(said) is None
    assert said.trigger_words


def test_a_false_mark_is_cleaned() -> None:
    """What stands in a mark is another's text like any other."""
    from hikaze.daemon.export.mark import marked

    says = {"notes": "<script>x</script>hi\0", "links": ["javascript:x"], "tags": ["a" * 5000, "ok"], "sha256": "zz"}
    said = read("lora-manager", json.dumps(marked({}, NOW, says)).encode())

    assert (said.notes, said.links, said.tags, said.sha256) == ("hi", (), ("ok",), "")


def test_a_claimed_hash_is_not_handed_on() -> None:
    """A hash that nobody has seen on the bytes is written nowhere."""
    for form in FORMATS:
        assert SHA.encode() not in fresh(form, msgspec.structs.replace(KNOWN, confirmed=False)).lower()


def test_what_lora_manager_needs_is_there() -> None:
    """Its own reader takes no file without these."""
    found = document(fresh("lora-manager", EMPTY))

    required = {"file_name", "model_name", "file_path", "size", "modified", "sha256", "base_model", "preview_url"}
    assert required <= found.keys()
    assert (found["file_name"], found["file_path"]) == ("foo.v1", "/models/loras/foo.v1.safetensors")


WHOLE: dict[str, Any] = {
    "sha256": SHA,
    "hash_state": "claimed",
    "name": "n",
    "type": "loras",
    "size_bytes": 1,
    "created_at": 2,
    "description": "mine\n\ntheirs",
    "origins": {"description": "provider"},
    "community_links": "https://a\nhttps://b",
    "prompts": {"positive": "p", "negative": ""},
    "trigger_words": ["w"],
    "tags": ["t"],
    "favorite": False,
}


@pytest.mark.parametrize(
    ("origin", "seen", "notes", "description"),
    [
        ("provider", "mine\n\ntheirs", "mine", "theirs"),
        ("provider", "theirs", "", "theirs"),
        ("provider", "only notes", "only notes", ""),
        ("user", "mine\n\ntheirs", "mine\n\ntheirs", ""),
        ("header", "of the file", "", "of the file"),
        ("none", "", "", ""),
    ],
)
def test_whose_words_are_whose(origin: str, seen: str, notes: str, description: str) -> None:
    """What a person wrote and what a provider says are told apart, for the formats that do so."""
    rows = [
        (
            Sidecar("/a", "civitai-info", 1, 1),
            Provided(description="theirs", facts={"base_model": "Pony", "model_id": 3}),
        ),
        (Sidecar("/b", "text", 1, 1), Provided(notes="mine", facts={"base_model": 7})),
    ]
    known = known_of(WHOLE | {"description": seen, "origins": {"description": origin}}, rows)

    assert (known.notes, known.description) == (notes, description)
    assert (known.base_model, known.model_id, known.version_id, known.confirmed) == ("Pony", 3, None, False)
    assert known.links == ("https://a", "https://b")
