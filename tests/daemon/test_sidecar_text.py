"""What notes say: a person's own, those of ComfyUI-Model-Manager, and cards of Hugging Face."""

import pytest
from hikaze.daemon.sidecars.formats import parse
from hikaze.events.catalog import Provided

MANAGER = """---
author: paperfox
baseModel: SDXL 1.0
hashes:
  AutoV2: DEADBEEF01
  SHA256: {sha256}
metadata:
  format: SafeTensor
  fp: fp16
modelPage: https://civitai.com/models/43331?modelVersionId=130072
preview:
- https://image.civitai.com/1.jpeg
website: Civitai
---

# Trigger Words

lantern girl, (paper lantern, night:1.2)

# About this version

Sharper eyes.

# Paper Lanterns

A style.

More at [my page](https://example.org/lanterns)

# Mine

good with 0.6
""".replace("{sha256}", "AB" * 32)


def read(text: str, name: str = "lanterns.md") -> Provided:
    """Parse a text beside a model."""
    provided = parse("text", text.encode(), name)
    assert provided is not None
    return provided


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("just a note\n", "just a note"),
        ("two\r\nlines\r\n", "two\nlines"),
        ("# Title\n\n* with *marks* and <https://x.y>\n", "# Title\n\n* with *marks* and <https://x.y>"),
        ("use <lora:x:1>, weight < 1", "use <lora:x:1>, weight < 1"),
        ("<p>from <b>a page</b></p><script>x</script>", "from a page"),
        ("---\n\nno front matter, only lines\n\n---\n", "---\n\nno front matter, only lines\n\n---"),
        ("---\n- a\n- list\n---\nx", "---\n- a\n- list\n---\nx"),
        ("---\na: [unclosed\n---\nx", "---\na: [unclosed\n---\nx"),
        ("---\na: &x [1]\nb: *x\n---\ny", "---\na: &x [1]\nb: *x\n---\ny"),
        ("n" * 100_001, "n" * 99_998 + " \u2026"),
        ("", ""),
        (" \n\t\n", ""),
    ],
)
def test_notes(text: str, notes: str):
    """A text that somebody wrote is a note, word by word."""
    provided = read(text)

    assert (provided.notes, provided.description) == (notes, "")
    assert provided.trigger_words == provided.tags == provided.links == ()


def test_model_manager():
    """What the manager writes under its headings is the provider's; the first other heading is the name."""
    assert read(MANAGER) == Provided(
        name="Paper Lanterns",
        description=(
            "Sharper eyes.\n\nA style.\n\nMore at [my page](https://example.org/lanterns)\n\n# Mine\n\ngood with 0.6"
        ),
        links=("https://civitai.com/models/43331?modelVersionId=130072",),
        trigger_words=("lantern girl", "(paper lantern, night:1.2)"),
        tags=("SDXL 1.0",),
        sha256="ab" * 32,
        facts={
            "base_model": "SDXL 1.0",
            "hashes": {"AutoV2": "deadbeef01"},
            "creator": "paperfox",
            "from": "Civitai",
            "file": {"format": "SafeTensor", "fp": "fp16"},
        },
    )


def test_model_manager_with_the_line_ends_of_windows():
    """It says the same with other line ends."""
    assert read(MANAGER.replace("\n", "\r\n")) == read(MANAGER)


def test_model_manager_that_knew_nothing():
    """Its own words for nothing are nothing; what somebody wrote above its headings is a note."""
    text = (
        "---\nauthor: null\nmodelPage: https://huggingface.co/a/b\npreview: []\nwebsite: HuggingFace\n---\n\n"
        "my own words\n\n# Trigger Words\n\nNo trigger words\n\n"
        "# About this version\n\nNo description about this version\n\n# None\n\nNo description about this model\n"
    )

    assert read(text) == Provided(
        notes="my own words", links=("https://huggingface.co/a/b",), facts={"from": "HuggingFace"}
    )


def test_a_card():
    """A card of Hugging Face has tags, the words to use, and a text that is its author's."""
    text = (
        "---\nlicense: apache-2.0\nbase_model: stabilityai/stable-diffusion-xl-base-1.0\n"
        "tags:\n  - lora\n  - text-to-image\ninstance_prompt: a photo of sks dog\n---\n# Card\n\n<p>A dog.</p>\n"
    )

    assert read(text) == Provided(
        description="# Card\n\nA dog.",
        trigger_words=("a photo of sks dog",),
        tags=("lora", "text-to-image"),
        facts={"license": "apache-2.0", "base_model_at": "stabilityai/stable-diffusion-xl-base-1.0"},
    )


@pytest.mark.parametrize(
    "front",
    [
        "a: !!python/object/apply:os.system [x]",
        "a: !!timestamp never",
        "a: !!int ''",
        "a: 2026-13-45",
        "? [a]\n: b",
        "a: &a [*a]",
        "{" * 5_000,
        "- " * 10_000,
        "a: |\n" + "  x\n" * 5_000,
        "\n".join(f"k{number}: v" for number in range(3_000)),
    ],
)
def test_hostile_front_matter(front: str):
    """Nothing in front matter is more than text, and none of it takes long."""
    provided = read(f"---\n{front}\n---\nmine")

    assert "mine" in provided.notes + provided.description
