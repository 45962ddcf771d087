"""The text that AUTOMATIC1111's web UI and its relatives write: prompts, settings, and the files that were used."""

import pytest
from hikaze.daemon.generation.infotext import MOST_PAIRS, read_infotext
from hikaze.daemon.generation.told import MAX_REFERENCES, MAX_TEXT, Generation, Reference
from hypothesis import given
from hypothesis import strategies as st

PLAIN = """masterpiece, <lora:foo bar:0.8>, 1girl,
second line: with a colon, and a comma
Negative prompt: bad hands,
worse
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 18446744073709551615, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5-pruned, VAE hash: c6a580b13a, VAE: vae-ft.safetensors, Denoising strength: 0.4, \
Clip skip: 2, Version: v1.9.4"""


def test_prompts_and_settings() -> None:
    """Prompts keep their lines, and the last line gives the settings, with a seed of 64 bits as it is."""
    assert read_infotext(PLAIN) == Generation(
        positive="masterpiece, <lora:foo bar:0.8>, 1girl,\nsecond line: with a colon, and a comma",
        negative="bad hands,\nworse",
        seed=18446744073709551615,
        sampler="DPM++ 2M",
        scheduler="Karras",
        steps=20,
        cfg=7.5,
        size=(512, 768),
        denoise=0.4,
        clip_skip=2,
        model="v1-5-pruned",
        references=(
            Reference("checkpoints", "v1-5-pruned", "6ce0161689", "autov2"),
            Reference("vae", "vae-ft.safetensors", "c6a580b13a", "autov2"),
            Reference("loras", "foo bar", weight=0.8),
        ),
        source="a1111",
    )


@pytest.mark.parametrize(
    ("text", "positive", "negative"),
    [
        ("a cat\nSteps: 20, Seed: 1", "a cat", ""),
        ("Negative prompt: bad\nSteps: 20, Seed: 1", "", "bad"),
        ("Steps: 20, Seed: 1", "", ""),
        ("a cat\nNegative prompt:\nSteps: 20, Seed: 1", "a cat", ""),
        ("a cat\nNegative prompt: \nSteps: 20, Seed: 1", "a cat", ""),
        ("a cat\r\nNegative prompt: bad\r\nSteps: 20, Seed: 1", "a cat", "bad"),
        ("two Steps: 3 cats\nSteps: 20, Seed: 1", "two Steps: 3 cats", ""),
        ("a cat Negative prompt: Steps: 23, Sampler: Undefined, Seed: 5", "a cat", ""),
        ("a cat\nNegative prompt: b, Negative prompt: c\nSteps: 20, Seed: 1", "a cat", "b, Negative prompt: c"),
        ("猫 in a box 🐈\nNegative prompt: évil\nSteps: 20, Seed: 1", "猫 in a box 🐈", "évil"),
        ("a cat\nSteps: 20, Seed: 1\nTemplate: a {cat|dog}\nNegative Template: x", "a cat", ""),
        ("a cat\nNegative prompt: bad", "a cat", "bad"),
    ],
)
def test_where_prompts_end(text: str, positive: str, negative: str) -> None:
    """The prompt ends at the negative one, and that at the settings, wherever line ends stand."""
    told = read_infotext(text)

    assert (told.positive, told.negative) == (positive, negative)


@pytest.mark.parametrize(
    ("settings", "references"),
    [
        ("Model: foo", [Reference("checkpoints", "foo")]),
        ("Model hash: 81761151, Model: foo", [Reference("checkpoints", "foo", "81761151", "autov1")]),
        ("Model hash: 6CE0161689", [Reference("checkpoints", "", "6ce0161689", "autov2")]),
        (
            'Lora hashes: "a: aabbccddeeff, b, with: 0011223344, c: x"',
            [
                Reference("loras", "a", "aabbccddeeff", "autov3"),
                Reference("loras", "b, with", "0011223344", "autov2"),
            ],
        ),
        ('TI hashes: "easyneg: c74b4e810b03"', [Reference("embeddings", "easyneg", "c74b4e810b03", "sha256")]),
        (
            'Hashes: {"model": "6ce0161689", "lora:x": "aabbccddeeff", "embed:y": "0123456789", "vae": "c6a580b13a"}',
            [
                Reference("checkpoints", "", "6ce0161689", "autov2"),
                Reference("vae", "", "c6a580b13a", "autov2"),
                Reference("loras", "x", "aabbccddeeff", "autov3"),
                Reference("embeddings", "y", "0123456789", "autov2"),
            ],
        ),
        ("VAE: Automatic, Model: None", []),
        ("Hires upscaler: 4x-UltraSharp", [Reference("upscale_models", "4x-UltraSharp")]),
        ("Hires upscaler: Latent (nearest)", []),
        (
            (
                "Lora_0 Model name: a.safetensors, Lora_0 Model hash: 37d4921854, Lora_0 Strength model: 0.5, "
                "Lora_1 Model name: b.safetensors"
            ),
            [Reference("loras", "a.safetensors", "37d4921854", "autov2", 0.5), Reference("loras", "b.safetensors")],
        ),
        ('Seed: 1\nHashes: {"model": "6ce0161689"}', [Reference("checkpoints", "", "6ce0161689", "autov2")]),
        (
            "Refiner: sd_xl_refiner_1.0 [7440042bbd]",
            [Reference("checkpoints", "sd_xl_refiner_1.0", "7440042bbd", "autov2")],
        ),
        (
            'ControlNet 0: "Module: canny, Model: control_canny [d14c016b], Weight: 0.7, Resize Mode: Crop"',
            [Reference("controlnet", "control_canny", "d14c016b", "autov1", 0.7)],
        ),
        (
            "Module 1: ae, Module 2: clip_l, Module 3: t5xxl_fp8",
            [Reference("vae", "ae"), Reference("text_encoders", "clip_l"), Reference("text_encoders", "t5xxl_fp8")],
        ),
        (
            (
                'Civitai resources: [{"type":"checkpoint","modelVersionId":290640,"modelName":"Pony, V6",'
                '"modelVersionName":"V6"},{"type":"lora","weight":0.8,"modelVersionId":333590,"modelName":"Styles"}],'
                " Civitai metadata: {}"
            ),
            [Reference("checkpoints", "Pony, V6"), Reference("loras", "Styles", weight=0.8)],
        ),
        (
            (
                'Civitai resources: [{"modelName":"Lazy","versionName":"v2","weight":1.0,'
                '"air":"urn:air:sdxl:embedding:civitai:1302719@1833157"}]'
            ),
            [Reference("embeddings", "Lazy", weight=1.0)],
        ),
        (
            'Model: foo, Civitai resources: [{"type":"checkpoint","modelName":"Foo by Bar"}]',
            [Reference("checkpoints", "foo")],
        ),
        ("Embeddings: 'x', App: SD.Next", [Reference("embeddings", "'x'")]),
        (
            'ADetailer model: face_yolov8n.pt, ADetailer prompt: "a, Model: b, \\"c\\"", Model: foo',
            [Reference("checkpoints", "foo")],
        ),
    ],
)
def test_files(settings: str, references: list[Reference]) -> None:
    """Models, VAEs, LoRAs, embeddings and ControlNets are known by name and hash, from each place where they stand."""
    assert list(read_infotext(f"a cat\nSteps: 20, {settings}").references) == references


@pytest.mark.parametrize(
    ("prompt", "references"),
    [
        ("<lora:foo:0.8>", [Reference("loras", "foo", weight=0.8)]),
        ("<lora:foo>", [Reference("loras", "foo")]),
        ("<lora:foo:0.8:0.5>", [Reference("loras", "foo", weight=0.8)]),
        ("<lora:foo:te=0.5:unet=1>", [Reference("loras", "foo", weight=0.5)]),
        ("<LORA:sub/foo.v2:-1>", [Reference("loras", "sub/foo.v2", weight=-1)]),
        (
            "<lyco:bar:1> <hypernet:h:0.3>",
            [Reference("loras", "bar", weight=1), Reference("hypernetworks", "h", weight=0.3)],
        ),
        ("<lora:foo:nan> <lora:> <lora:a\nb:1>", [Reference("loras", "foo")]),
        ("<lora:foo:1> <lora:Foo:0.2>", [Reference("loras", "foo", weight=1)]),
    ],
)
def test_networks_in_the_prompt(prompt: str, references: list[Reference]) -> None:
    """What a prompt loads by name is a file that was used; what the negative prompt names is not loaded."""
    told = read_infotext(f"{prompt}\nNegative prompt: <lora:never:1>\nSteps: 20, Seed: 1")

    assert list(told.references) == references


def test_a_lora_in_prompt_and_hashes_is_one() -> None:
    """The weight comes from the prompt, the hash from the settings."""
    told = read_infotext('<lora:foo:0.8>\nSteps: 20, Lora hashes: "foo: aabbccddeeff"')

    assert told.references == (Reference("loras", "foo", "aabbccddeeff", "autov3", 0.8),)


@pytest.mark.parametrize(
    ("settings", "source"),
    [
        ("Version: v1.9.4", "a1111"),
        ("Seed: 1", "a1111"),
        ("Version: f2.0.1v1.10.1-previous-669-gdfdcbab6", "forge"),
        ("Version: neo", "forge"),
        ("App: SD.Next, Version: 5a1b2c3", "sdnext"),
        ("Version: Fooocus v2.5.5", "fooocus"),
        ("Version: ComfyUI", "comfyui"),
    ],
)
def test_whose_text_it_is(settings: str, source: str) -> None:
    """Programs that write the same way are told apart where they name themselves."""
    assert read_infotext(f"a cat\nSteps: 20, {settings}").source == source


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ('Steps: 20, Seed: 5, Lora hashes: "a: aabbccddee', "its settings are broken off at 'Lora hashes'"),
        ('Steps: 20, Seed: 5, Hashes: {"model": "6ce0', "its settings are broken off at 'Hashes'"),
        ('Steps: 20, Seed: 5, Civitai resources: [{"type":"lo', "its settings are broken off at 'Civitai resources'"),
        ("Steps: 20, Seed: 5, Mod", None),
        ("Steps: 20, Seed: 5, Size: 51", None),
    ],
)
def test_a_broken_tail(settings: str, problem: str | None) -> None:
    """What stands before the break is read, and where it breaks is said."""
    told = read_infotext(f"a cat\nNegative prompt: bad\n{settings}")

    assert (told.positive, told.negative, told.steps, told.seed, told.problem) == ("a cat", "bad", 20, 5, problem)


@pytest.mark.parametrize("seed", ["-1", "1e5", "nan", "18446744073709551616", "", "²", "0x5"])
def test_no_seed(seed: str) -> None:
    """What is no seed is none."""
    assert read_infotext(f"a\nSteps: 20, Seed: {seed}, Sampler: Euler").seed is None


MARKS = st.sampled_from(
    [
        "Steps: 20, ",
        "\n",
        "Negative prompt: ",
        '"',
        "{",
        "[",
        ": ",
        ", ",
        "<lora:a:1>",
        "\0",
        "\ud800",
        "Hashes: ",
        "\\",
    ]
)


@given(st.lists(MARKS | st.text(max_size=20), max_size=40).map("".join))
def test_never_raises(text: str) -> None:
    """Whatever the text is, something that can be written as UTF-8 comes of it."""
    told = read_infotext(text)

    repr(told).encode()
    assert told.seed is None or 0 <= told.seed < 2**64
    assert "\0" not in told.positive + told.negative


@pytest.mark.parametrize(
    "text",
    [
        "Steps: 1, " + "," * 1_000_000,
        " " * 1_000_000,
        "Steps: 1, " + 'a: {"\n' * 150_000,
        "Steps: 1, " + "a " * 500_000,
        "Steps: 1, a: " + "[" * 1_000_000,
        'Steps: 1, a: "' + "\\" * 1_000_000,
        "Steps: 1, " * 100_000,
        "Negative prompt:" * 60_000,
        "<lora:" * 170_000,
        "".join(f"<lora:l{number}:1>" for number in range(50_000)) + "\nSteps: 1, Seed: 2",
        'Steps: 1, Lora hashes: "' + " " * 1_000_000 + '"',
        "Steps: 1, " + ", ".join(f"k{number}: v" for number in range(100_000)),
    ],
    ids=range(12),
)
def test_bounds(text: str) -> None:
    """A megabyte made to take long is read, and gives no more than is allowed; ways that are not linear never end."""
    told = read_infotext(text)

    assert len(told.positive) <= MAX_TEXT
    assert len(told.references) <= MAX_REFERENCES <= MOST_PAIRS
