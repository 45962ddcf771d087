"""The words a model was trained with, and what else its maker wrote into it."""

import json
from typing import Any

import pytest
from hikaze.daemon.content import trained
from hikaze.daemon.content.trained import Words
from hypothesis import given, settings
from hypothesis import strategies as st


def frequency(told: Any, **further: Any) -> dict[str, str]:
    return {"ss_tag_frequency": json.dumps(told)} | {key: json.dumps(value) for key, value in further.items()}


def test_trained_words():
    """The words of all folders are counted together, most frequent first."""
    words = Words(frequency({"10_a": {"1girl": 20, "mychar": 10}, "5_b": {"mychar": 15, "solo": 3}}))

    assert words.trained() == [("mychar", 25), ("1girl", 20), ("solo", 3)]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"1_x": {"a": "12", "b": 3.0, "c": " 7 "}}, [("a", 12), ("c", 7), ("b", 3)]),
        ({"a": 2, "b": "1"}, [("a", 2), ("b", 1)]),
        ({"1_x": {"mychar \\(series\\)": 2}}, [("mychar (series)", 2)]),
        ({"1_x": {" Long  Hair ": 2, "long hair": 1, "LONG HAIR": 1}}, [("Long Hair", 4)]),
        ({"1_x": {"": 2, "  ": 2, "x" * 201: 2, "y" * 200: 1}}, [("y" * 200, 1)]),
        ({"1_x": {"a": True, "b": None, "c": [1], "d": -1, "e": 0, "f": "1e3", "g": "²", "h": "9" * 30}}, []),
        ({"1_x": {"a": 10**30, "b": 1e300}}, [("a", 10**12), ("b", 10**12)]),
        ({"1_x": [1, 2], "2_y": None, "3_z": {"a": 1}}, [("a", 1)]),
        ({"1_x": {"a\x00\u202eb": 1}}, [("ab", 1)]),
        ([1, 2], []),
        ("text", []),
        (None, []),
        ({}, []),
    ],
)
def test_odd_counts(told: Any, expected: list[tuple[str, int]]):
    """Counts are numbers or digits; words are trimmed, without escapes, and each once; all else is left out."""
    assert Words(frequency(told)).trained() == expected


@pytest.mark.parametrize("text", ["{", "[" * 200_000, '{"a":' * 100_000, "\ud800", '{"1_x":{"\\ud800":1}}', "NaN"])
def test_no_json(text: str):
    """What is no JSON tells no words."""
    assert Words({"ss_tag_frequency": text, "ss_datasets": text, "ss_dataset_dirs": text}).trained() == []


def test_the_words_of_each_data_set():
    """Where the whole is missing, the words of the data sets are taken."""
    words = Words({"ss_datasets": json.dumps([{"tag_frequency": {"1_x": {"a": 2}}}, {"tag_frequency": 3}, 5])})

    assert words.trained() == [("a", 2)]


def test_at_most_200_words():
    """Of many words the 200 most frequent are told."""
    words = Words(frequency({"1_x": {f"w{i}": i for i in range(1, 1001)}}))

    assert words.trained() == [(f"w{i}", i) for i in range(1000, 800, -1)]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (frequency({"10_img": {"mychar": 30, "1girl": 28, "solo": 15, "hat": 14}}), ["mychar", "1girl", "solo"]),
        (frequency({"10_mychar woman": {"smile": 30, "hat": 4}}), ["smile", "mychar woman"]),
        (frequency({"10_mychar woman": {"Mychar Woman": 30}}), ["Mychar Woman"]),
        (
            frequency({"10_a": {"x": 4}, "2_b": {"y": 100}}, ss_dataset_dirs={"10_a": {"img_count": 60}, "2_b": {}}),
            ["y", "a"],
        ),
        (frequency({}, ss_dataset_dirs={"7_mychar": {"n_repeats": 7, "img_count": 20}}), ["mychar"]),
        (frequency({"path/to/3_thing": {}}), ["thing"]),
        (frequency({"folder": {"a": 3}, "10_": {"b": 2}, "10_style": {"b": 2}}), ["b", "a"]),
        (frequency({"1_img": {f"A picture of number {i}": 1 for i in range(30)}}), []),
        (frequency({"1_img": {f"w{i}": 9 for i in range(30)}}), [f"w{i}" for i in range(20)]),
        ({}, []),
        (
            {"modelspec.trigger_phrase": " my \\(char\\) , hat,, Hat "} | frequency({"1_a": {"x": 3}}),
            ["my (char)", "hat"],
        ),
        ({"modelspec.trigger_phrase": "x" * 1001 + ", " + "y" * 1000}, ["y" * 1000]),
        ({"modelspec.trigger_phrase": " , ,"} | frequency({"1_img": {"x": 3}}), ["x"]),
    ],
)
def test_trigger_words(metadata: dict[str, str], expected: list[str]):
    """Trigger words are what the maker says, else what was seen at least half as often as the most frequent word."""
    assert trained.trigger_words(metadata, Words(metadata)) == expected


def test_modelspec_fields():
    """The fields of ModelSpec are told by their names, long ones cut, and the thumbnail is left out."""
    metadata = {
        "modelspec.title": " A \x00title ",
        "modelspec.usage_hint": "x" * 2000,
        "modelspec.thumbnail": "data:image/jpeg;base64,AAAA",
        "modelspec.": "nothing",
        "modelspec.author": "",
        "title": "another",
    }

    assert trained.modelspec(metadata) == {"title": "A title", "usage_hint": "x" * 1000}


def test_training_fields():
    """Of the trainer's fields those that people ask for are told, less those without a value."""
    metadata = {"ss_output_name": "mine", "ss_clip_skip": "None", "ss_steps": "100", "ss_session_id": "1", "ss_lr": "2"}

    assert trained.training(metadata) == {"ss_output_name": "mine", "ss_steps": "100"}


def test_tags_and_description():
    """ModelSpec's tags stand between commas; its description becomes plain text."""
    metadata = {
        "modelspec.tags": "Anime, style ,anime,," + "x" * 201,
        "modelspec.description": "<p>Made <b>well</b></p>",
    }

    assert trained.tags(metadata) == ["Anime", "style"]
    assert trained.description(metadata, 100) == "Made well"
    assert len(trained.description(metadata, 5)) == 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=60, deadline=None)
@given(told=JSON, dirs=JSON, sets=JSON)
def test_any_json(told: object, dirs: object, sets: object):
    """Whatever JSON a trainer wrote, there is an answer within its bounds."""
    words = Words(frequency(told, ss_dataset_dirs=dirs, ss_datasets=sets))

    assert all(word and len(word) <= 200 and count > 0 for word, count in words.trained())
    assert len(words.frequent()) <= 20
