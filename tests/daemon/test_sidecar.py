"""Reading the files beside a model: their bytes, what is wrong with them, and that nothing in them does harm."""

import json
from typing import Any

import msgspec
import pytest
from hikaze.daemon import tagging
from hikaze.daemon.sidecars import cleantext
from hikaze.daemon.sidecars import fields as sidecar_fields
from hikaze.daemon.sidecars import formats as sidecar
from hikaze.daemon.sidecars import values as sidecar_values
from hikaze.events.catalog import ModelProvided, Provided, Sidecar
from hikaze.events.codec import Codec
from hypothesis import given
from hypothesis import strategies as st

JSON_SOURCES = [source for source in sidecar.SOURCES if source != "text"]
NAMES = {
    "text": "foo.md",
    "lora-manager": "foo.metadata.json",
    "a1111": "foo.json",
    "stability-matrix": "foo.cm-info.json",
    "rgthree": "foo.safetensors.rgthree-info.json",
    "swarm": "foo.swarm.json",
    "civitai-info": "foo.civitai.info",
}


def _words(text: str) -> list[str]:
    return text.split()


# Every key that any of the readers knows.
KEYS = [
    *_words("file_name model_name file_path size modified sha256 hash_status autov3 base_model preview_url notes tags"),
    *_words("favorite preview_nsfw_level modelDescription trainedWords triggerWords usage_tips sub_type civitai"),
    *_words("customImages hf_url id modelId name description baseModel baseModelType createdAt nsfwLevel air stats"),
    *_words("model type nsfw poi creator allowNoCredit allowCommercialUse files sizeKB primary metadata hashes SHA256"),
    *_words("AutoV2 images url meta prompt negativePrompt extensions sd_civitai_helper version skeleton_file username"),
    *_words("strength_min strength_range ModelId ModelName ModelDescription Nsfw Tags ModelType VersionId VersionName"),
    *_words("VersionDescription AuthorUsername BaseModel FileMetadata ImportedAt Hashes TrainedWords Stats UserTitle"),
    *_words("InferenceDefaults Source SourceUrl links word count user raw positive negative userNote userTags"),
    *_words("strengthMin baseModelFile modelspec.title modelspec.description modelspec.trigger_phrase modelspec.tags"),
    *_words("modelspec.hash_sha256 trigger_phrase title author vae vae_te sd_version_str modelVersionId modelPage"),
    *_words("website"),
    *("sd version", "activation text", "negative text", "preferred weight"),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=20)
    | st.sampled_from(
        [
            *(
                "a, b (c, d)",
                "<p>x</p>",
                "0.8",
                "{}",
                '{"strength": 1}',
                "https://x.y",
                "AB" * 32,
                "nsfw",
                "\ud800",
                "\0",
            ),
            *(
                10**30,
                10**4000,
                -1,
                0,
                "Unknown",
                "true",
                "(((",
                ")))",
                "1e999",
                [[[[["deep"]]]]],
                {"word": "w"},
                {"name": {}},
            ),
        ]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=12,
)


def bounded(provided: Provided) -> None:
    """Make sure of what everybody relies on who takes what a sidecar says."""
    event = ModelProvided("ab" * 32, Sidecar("/foo.json", "swarm", 1, 1), provided)
    codec = Codec()
    assert codec.decoder(("model-provided", 1))(codec.encode(event)) == event
    texts = (provided.notes, provided.description, provided.prompts.positive, provided.prompts.negative)
    assert all(len(text) <= cleantext.MAX_OUT and text == cleantext.visible(text) for text in texts)
    assert len(provided.name) <= sidecar_values.MAX_LINE
    assert "\n" not in provided.name + provided.problem
    assert len(provided.trigger_words) <= sidecar_fields.MAX_WORDS
    assert all(0 < len(word) <= sidecar_values.MAX_WORD and word == word.strip() for word in provided.trigger_words)
    assert len(provided.tags) <= sidecar_fields.MAX_TAGS
    assert all(tagging.clean(tag) == tag for tag in provided.tags)
    assert len({tag.casefold() for tag in provided.tags}) == len(provided.tags)
    assert len(provided.links) <= sidecar_fields.MAX_LINKS
    assert all(cleantext.web_address(link) == link for link in provided.links)
    assert provided.sha256 == "" or sidecar_values.sha256_of(provided.sha256) == provided.sha256
    assert len(msgspec.json.encode(provided.facts)) < 8 * sidecar_fields.MAX_FACTS_TEXT
    assert not any(map(cleantext.is_html, (*texts, provided.name, *provided.trigger_words, *provided.tags)))


# Bytes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "Grüße „für“ dich".encode(),
        b"\xef\xbb\xbf" + "Grüße „für“ dich".encode(),
        "Grüße „für“ dich".encode("utf-16"),
        "Grüße „für“ dich".encode("utf-16-le"),
        "Grüße „für“ dich".encode("utf-16-be"),
        "Grüße „für“ dich".encode("utf-32"),
        "Grüße „für“ dich".encode("cp1252"),
        "Gr\0üße „für“\0 dich\0".encode(),
    ],
)
def test_encodings(data: bytes):
    """A text is read in every encoding that programs on Windows write, and its null bytes are left out."""
    assert sidecar.decoded(data) == "Grüße „für“ dich"


def test_a_broken_byte_spoils_no_more_than_itself():
    """One wrong byte among many right ones does not make the whole another encoding."""
    assert sidecar.decoded("日本語".encode() + b"\xff" + "日本語".encode()) == "日本語\ufffd日本語"
    assert sidecar.decoded(b"caf\xe9 \x81") == "caf\xe9 \x81"


@pytest.mark.parametrize(("source", "name"), [("text", "x.txt"), ("civitai-info", "x.civitai.info")])
def test_what_is_no_text(source: str, name: str) -> None:
    """A model that was saved under the name of a sidecar says nothing, and that is told."""
    said = sidecar.parse(source, b"\x90\x02\0\0\0\0\0\0" + bytes(range(4)) * 100 + b"\0" * 500, name)

    assert said == Provided(problem="is no text")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("source", ["lora-manager", "civitai-info", "a1111"])
def test_json_in_every_encoding(source: str, encoding: str):
    """A file that somebody saved with an editor says what it said before."""
    said = {"notes": "für mich", "description": "für mich", "trainedWords": ["süß"], "activation text": "süß"}
    del said["trainedWords" if source == "a1111" else "activation text"]

    provided = sidecar.parse(source, json.dumps(said, ensure_ascii=False).encode(encoding), NAMES[source])

    assert provided is not None
    assert provided.trigger_words == ("süß",)
    assert "für mich" in (provided.notes, provided.description)


# What is wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n "a": 1,\n "b" 2\n}', "is no JSON: expecting ':' delimiter in line 3, column 6"),
        ('{"a": 1', "is no JSON: expecting ',' delimiter in line 1, column 8"),
        ("not found", "is no JSON: expecting value in line 1, column 1"),
        ("[" * 100_000, "has lists within lists deeper than any such file does"),
        ("[" + "[]," * 500_000 + "0]", "lists more values than any such file does"),
        ('{"a": ' + "1" * 5_000 + "}", "has a number that is none"),
        ("[1]", "is no JSON object, as such a file is"),
        ('"text"', "is no JSON object, as such a file is"),
        ("null", "is no JSON object, as such a file is"),
    ],
)
@pytest.mark.parametrize("source", [source for source in JSON_SOURCES if source != "a1111"])
def test_problems(source: str, text: str, problem: str):
    """What cannot be read says why, in a few words, and nothing else."""
    assert sidecar.parse(source, text.encode(), NAMES[source]) == Provided(problem=problem)


@pytest.mark.parametrize("source", sidecar.SOURCES)
def test_a_file_that_is_too_large(source: str):
    """No more than a bounded part of a file is ever looked at, and no part of one that is larger."""
    found = sidecar.parse(source, b" " * (sidecar.MAX_BYTES + 1), NAMES[source])

    assert found == (None if source == "a1111" else Provided(problem="is larger than 16 MiB, which no such file is"))


@pytest.mark.parametrize("source", sidecar.SOURCES)
@pytest.mark.parametrize("data", [b"", b"{}", b" \n", b"\xef\xbb\xbf{}\r\n"])
def test_a_file_that_says_nothing(source: str, data: bytes):
    """An empty file, and one of `{}` as programs write it of what they do not know, say nothing and are no problem."""
    said = "" if source != "text" or b"{" not in data else "{}"

    assert sidecar.parse(source, data, NAMES[source]) == (None if source == "a1111" else Provided(notes=said))


def test_loose_json():
    """Line ends in a string, and numbers that are none, are what programs write and no reason to lose a file."""
    text = '{"notes": "one\n\ttwo", "size": NaN, "base_model": Infinity, "tags": ["a", -Infinity]}'

    assert sidecar.parse("lora-manager", text.encode(), "foo.metadata.json") == Provided(
        notes="one\n\ttwo", tags=("a",)
    )


def test_commas_in_texts_are_no_values():
    """A file with a picture's whole workflow in a string is long, and lists little."""
    said = {"notes": "mine", "civitai": {"images": [{"meta": {"comfy": '{"a\\\\": [1, 2], ' * 200_000}}]}}

    assert sidecar.parse("lora-manager", json.dumps(said).encode(), "foo.metadata.json") == Provided(notes="mine")


def test_one_bad_field_loses_no_other():
    """What makes no sense is left out and named; all the rest is taken."""
    said = {"notes": {"a": 1}, "tags": ["x"], "civitai": [1], "trainedWords": True, "modelDescription": "d"}

    assert sidecar.parse("lora-manager", json.dumps(said).encode(), "foo.metadata.json") == Provided(
        description="d",
        tags=("x",),
        problem="has fields that make no sense, which were left out: notes, trainedWords, civitai",
    )


def test_too_much_of_everything():
    """What is more than can be kept is cut, and the problem says of what."""
    said = {
        "notes": "n" * 200_000,
        "tags": [f"tag {number}" for number in range(300)] + ["t" * 300],
        "trainedWords": [f"word {number}" for number in range(600)] + ["w" * 2_000],
        "civitai": {"stats": {f"key {number}": number for number in range(100)}},
    }

    provided = sidecar.parse("lora-manager", json.dumps(said).encode(), "foo.metadata.json")

    assert provided is not None
    bounded(provided)
    assert provided.problem == "has more than can be kept of: notes, trigger words, tags"
    assert provided.tags[-1] == "tag 199"
    assert provided.trigger_words[-1] == "word 499"
    assert len(provided.facts["stats"]) == sidecar_values.MAX_FACT_ITEMS


def test_a_source_nobody_knows():
    """A format that an older or newer program names is none of ours."""
    assert sidecar.parse("unheard-of", b"{}", "foo.json") is None


def test_source_of():
    """The format of a file is told by its name beside the model's."""
    told = {name: sidecar.source_of(name, "foo.safetensors") for name in NAMES.values()}

    assert told == {name: source for source, name in NAMES.items()}
    assert sidecar.source_of("foo.v2.json", "foo.safetensors") is None


# Whatever there is ------------------------------------------------------------------------------------


@given(source=st.sampled_from(sidecar.SOURCES), data=st.binary(max_size=300))
def test_any_bytes(source: str, data: bytes):
    """Any bytes at all give an answer that is within its bounds, and the same each time."""
    found = sidecar.parse(source, data, NAMES[source])

    assert found == sidecar.parse(source, data, NAMES[source])
    if found is not None:
        bounded(found)


@given(source=st.sampled_from(JSON_SOURCES), value=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12))
def test_any_value_in_any_field(source: str, value: dict[str, Any]):
    """Any value in any field gives an answer that is within its bounds, and the same each time."""
    data = json.dumps(value).encode()
    found = sidecar.parse(source, data, NAMES[source])

    assert found == sidecar.parse(source, data, NAMES[source])
    if found is not None:
        bounded(found)


@given(value=VALUES, key=st.sampled_from(KEYS), source=st.sampled_from(JSON_SOURCES))
def test_one_field_of_any_value(value: Any, key: str, source: str):
    """However odd one field is, a note beside it is taken."""
    notes = {"a1111": "notes", "rgthree": "userNote", "lora-manager": "notes"}.get(source)
    if notes is None or key == notes:
        return
    said = {key: value, notes: "mine", **({"activation text": "x"} if source == "a1111" else {})}
    found = sidecar.parse(source, json.dumps(said).encode(), NAMES[source])

    assert found is None or "mine" in found.notes


@given(
    text=st.lists(st.sampled_from([*KEYS, "---", "\n", ": ", "# ", "- ", "*a", "&a ", "!!int ", "[", "{", "x"])).map(
        "".join
    )
)
def test_any_front_matter(text: str):
    """Whatever stands between the lines that set YAML apart does no harm."""
    found = sidecar.parse("text", f"---\n{text}\n---\n\nmine".encode(), "foo.md")

    assert found is not None
    bounded(found)
    assert "mine" in found.notes + found.description
