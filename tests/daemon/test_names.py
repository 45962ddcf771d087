"""What names tell."""

import pytest
from hikaze.daemon import names
from hypothesis import given
from hypothesis import strategies as st

MODEL_NAMES = ["foo.safetensors", "foo.v2.safetensors", "Foo.safetensors", "foo.ckpt", "模型.gguf", "b.PT"]
PICTURE_NAMES = [
    "foo.png",
    "FOO.PNG",
    "Foo.preview.png",
    "foo.preview.webp",
    "foo.v2.png",
    "foo.v2.example.0.jpeg",
    "foo.safetensors.png",
    "模型.jpg",
    "B.avif",
    "foo.thumb.jpg",
    "notes.txt",
]
SIDECAR_NAMES = [
    "foo.json",
    "FOO.JSON",
    "Foo.metadata.json",
    "foo.metadata.json",
    "foo.v2.json",
    "foo.v2.civitai.info",
    "foo.safetensors.rgthree-info.json",
    "foo.metadata.pt",
    "foo.md",
    "b.txt",
    "模型.description.txt",
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("foo.safetensors", True),
        ("FOO.SafeTensors", True),
        ("a b#%'\".CKPT", True),
        ("模型.gguf", True),
        ("bad\udcff.pt", True),
        ("x.pt2", True),
        ("foo.part.safetensors", True),
        ("foo.safetensors.part", False),
        ("foo.safetensors.CRDOWNLOAD", False),
        ("foo.safetensors.tmp", False),
        ("._foo.safetensors", False),
        (".hikaze-1.safetensors", False),
        (".safetensors", False),
        ("safetensors", False),
        ("foo.png", False),
        ("foo.yaml", False),
        ("", False),
    ],
)
def test_is_model_name(name: str, expected: bool):
    """A model is told by its last extension, in any case, unless it starts with a dot or is temporary."""
    assert names.is_model_name(name) is expected


@pytest.mark.parametrize(
    "name",
    [
        "foo.safetensors.part",
        "foo.partial",
        "Unconfirmed 1234.crdownload",
        "foo.ckpt.tmp",
        "foo.temp",
        "foo.safetensors.download",
        "foo.incomplete",
        "foo.opdownload",
        "foo.safetensors.aria2",
        "foo.!ut",
        "foo.!qB",
        "foo.!QB",
        "foo.filepart",
        "foo.bc!",
        ".~lock.foo.ckpt#",
    ],
)
def test_is_temporary(name: str):
    """A name that a downloader or editor gives to what is not final is temporary."""
    assert names.is_temporary(name)


def test_a_final_name_is_not_temporary():
    """Words of downloading inside a name do not make it temporary."""
    assert not any(map(names.is_temporary, ["foo.safetensors", "part.ckpt", "download", "my.part.pt", "tmp"]))


@pytest.mark.parametrize(
    ("name", "siblings", "expected"),
    [
        ("foo.ckpt", ["foo.ckpt", "foo.ckpt.aria2"], True),
        ("foo.ckpt", {"FOO.CKPT.ARIA2"}, True),
        ("foo.ckpt", ["foo.ckpt.part"], True),
        ("foo.ckpt", ["foo.ckpt.aria2__temp"], True),
        ("foo.ckpt", ["foo.ckpt.st"], True),
        ("foo.ckpt", ["bar.ckpt.aria2", "foo.aria2", "foo.ckpt.png"], False),
        ("foo.ckpt", [], False),
    ],
)
def test_has_download_marker(name: str, siblings: list[str], expected: bool):
    """A downloader's file beside a model, in any case, says that the model is not all there."""
    assert names.has_download_marker(name, siblings) is expected


def test_being_downloaded():
    """One walk over a folder finds all names that have a marker beside them."""
    folder = ["a.ckpt", "a.ckpt.aria2", "b.ckpt", "C.pt", "c.pt.part", "d.ckpt.tmp", "d.ckpt"]

    assert names.being_downloaded(folder) == {"a.ckpt", "C.pt"}


def test_marker_names_are_markers():
    """Each name to look for on disk is one that the rule for listings knows."""
    assert all(names.has_download_marker("foo.ckpt", [marker]) for marker in names.marker_names("foo.ckpt"))


def test_stem():
    """The stem is the name less its last extension only."""
    assert [names.stem(name) for name in ("foo.v2.safetensors", "foo", ".hidden", "模型.pt")] == [
        "foo.v2",
        "foo",
        ".hidden",
        "模型",
    ]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("loras", "loras"),
        ("Lora", "loras"),
        ("LyCORIS", "loras"),
        ("unet", "diffusion_models"),
        ("unet_gguf", "diffusion_models"),
        ("clip", "text_encoders"),
        ("CLIP_Vision", "clip_vision"),
        ("Stable-diffusion", "checkpoints"),
        ("StableDiffusion", "checkpoints"),
        ("checkpoint", "checkpoints"),
        ("textual_inversion", "embeddings"),
        ("TextualInversion", "embeddings"),
        ("ESRGAN", "upscale_models"),
        ("t2i_adapter", "controlnet"),
        ("controlnets", "controlnet"),
        ("VAE-approx", "vae_approx"),
        ("hypernetwork", "hypernetworks"),
        ("detection", "detection"),
        ("anime", None),
        ("", None),
        ("..", None),
    ],
)
def test_type_of_folder(folder: str, expected: str | None):
    """A folder's name gives the type it has in ComfyUI, in any case and in other programs' spellings."""
    assert names.type_of_folder(folder) == expected


def test_every_type_is_its_own_folder():
    """ComfyUI's folder names stand for themselves."""
    assert [names.type_of_folder(name) for name in names.TYPES] == list(names.TYPES)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(" Lora ", "loras"), ("unet", "diffusion_models"), ("ipadapter", "ipadapter"), ("X.1", "X.1")],
)
def test_canonical_type(given: str, expected: str):
    """A person's word for a type becomes ComfyUI's, and a custom pack's folder name stays."""
    assert names.canonical_type(given) == expected


@pytest.mark.parametrize("given", ["", ".", "..", "../loras x", "a/b", "a\\b", ".git", "x" * 65, "模型", "a\0b"])
def test_canonical_type_refuses(given: str):
    """What could not be a model folder's name is refused with a sentence."""
    with pytest.raises(ValueError, match="name of a ComfyUI model folder"):
        names.canonical_type(given)


@pytest.mark.parametrize(
    ("model", "siblings", "expected"),
    [
        ("foo.safetensors", ["foo.png", "foo.preview.jpg"], "foo.preview.jpg"),
        ("foo.safetensors", ["foo.preview.png", "foo.preview.webp"], "foo.preview.webp"),
        ("foo.safetensors", ["foo.jpg", "foo.PNG"], "foo.PNG"),
        ("foo.safetensors", ["foo.safetensors.png", "foo.example.0.jpeg"], "foo.example.0.jpeg"),
        ("foo.safetensors", ["foo.safetensors.png"], "foo.safetensors.png"),
        ("foo.safetensors", ["foo.thumb.jpg", "foo.jpg"], "foo.jpg"),
        ("foo.safetensors", ["foo.thumb.jpg"], "foo.thumb.jpg"),
        ("foo.safetensors", ["foo.v2.png", "foo2.png", "xfoo.png", "foo.txt"], None),
        ("foo.v2.safetensors", ["foo.png", "foo.v2.png"], "foo.v2.png"),
        ("foo.safetensors", ["FOO.preview.png", "foo.gif"], "foo.gif"),
        ("foo.safetensors", ["FOO.png"], "FOO.png"),
        ("foo.safetensors", ["Foo.png", "Foo.ckpt"], None),
        ("Foo.safetensors", ["foo.safetensors.png", "foo.ckpt"], "foo.safetensors.png"),
        ("foo.ckpt", ["foo.safetensors.png"], None),
        ("模型 #1%.pt", ["模型 #1%.avif"], "模型 #1%.avif"),
        ("e\u0301.pt", ["\u00e9.png"], "\u00e9.png"),
        ("bad\udcff.pt", ["bad\udcff.png"], "bad\udcff.png"),
        ("foo.pt", [], None),
    ],
)
def test_companion_picture(model: str, siblings: list[str], expected: str | None):
    """A companion picture has exactly the model's stem; the preferred form, and the exact spelling, win."""
    assert names.companion_picture(model, siblings) == expected


@pytest.mark.parametrize(
    ("picture", "siblings", "expected"),
    [
        (
            "foo.png",
            ["foo.safetensors", "foo.ckpt", "foo.v2.safetensors", "bar.pt"],
            ["foo.ckpt", "foo.safetensors"],
        ),
        ("foo.v2.png", ["foo.safetensors"], []),
        ("foo.png", ["foo.safetensors", "foo.preview.png"], []),
        ("FOO.PNG", ["foo.safetensors"], ["foo.safetensors"]),
        ("foo.txt", ["foo.safetensors"], []),
    ],
)
def test_models_of_picture(picture: str, siblings: list[str], expected: list[str]):
    """A picture belongs to the models for which it would be chosen."""
    assert names.models_of_picture(picture, siblings) == expected


@given(folder=st.sets(st.sampled_from(MODEL_NAMES + PICTURE_NAMES)))
def test_models_of_picture_is_the_inverse(folder: set[str]):
    """In any folder a model has a picture exactly when the picture has that model."""
    has = {(model, names.companion_picture(model, folder)) for model in folder if names.is_model_name(model)}
    had = {(model, picture) for picture in folder for model in names.models_of_picture(picture, folder)}

    assert {pair for pair in has if pair[1] is not None} == had


@pytest.mark.parametrize(
    ("model", "siblings", "expected"),
    [
        (
            "foo.safetensors",
            ["foo.preview.mp4", "foo.webm", "foo.MOV", "foo.jxl", "foo.example.0.avi", "foo.safetensors.mkv"],
            ["foo.preview.mp4", "foo.MOV", "foo.jxl", "foo.webm", "foo.example.0.avi", "foo.safetensors.mkv"],
        ),
        ("foo.safetensors", ["FOO.mp4"], ["FOO.mp4"]),
        ("foo.safetensors", ["FOO.mp4", "FOO.ckpt"], []),
        ("foo.safetensors", ["foo.v2.mp4", "xfoo.mp4", "foo.png", "foo.txt", "foo.1.webm"], []),
        ("foo.safetensors", [], []),
    ],
)
def test_untaken_previews(model: str, siblings: list[str], expected: list[str]):
    """A video, or a picture of a kind we cannot show, that lies where a preview would is told of."""
    assert names.Folder(siblings).untaken_previews(model) == expected


@pytest.mark.parametrize(
    ("model", "siblings", "expected"),
    [
        (
            "foo.safetensors",
            [
                *("foo.metadata.json", "foo.civitai.info", "foo.json", "foo.cm-info.json", "foo.swarm.json"),
                *("foo.safetensors.rgthree-info.json", "foo.md", "foo.txt", "foo.description.txt"),
            ],
            [
                ("text", "foo.txt"),
                ("text", "foo.md"),
                ("text", "foo.description.txt"),
                ("lora-manager", "foo.metadata.json"),
                ("a1111", "foo.json"),
                ("stability-matrix", "foo.cm-info.json"),
                ("rgthree", "foo.safetensors.rgthree-info.json"),
                ("swarm", "foo.swarm.json"),
                ("civitai-info", "foo.civitai.info"),
            ],
        ),
        ("foo.safetensors", ["foo.v2.json", "foo.v2.metadata.json", "xfoo.json", "foo2.json", "foo.yaml", "foo"], []),
        ("foo.v2.safetensors", ["foo.json", "foo.v2.json"], [("a1111", "foo.v2.json")]),
        ("foo.safetensors", ["FOO.Metadata.JSON"], [("lora-manager", "FOO.Metadata.JSON")]),
        ("foo.safetensors", ["FOO.json", "foo.json"], [("a1111", "foo.json")]),
        ("foo.safetensors", ["FOO.json", "FOO.ckpt"], []),
        ("foo.safetensors", ["foo.metadata.json", "foo.metadata.ckpt"], []),
        ("foo.metadata.ckpt", ["foo.metadata.json", "foo.safetensors"], [("a1111", "foo.metadata.json")]),
        ("foo.safetensors", ["foo.metadata.json", "FOO.metadata.ckpt"], [("lora-manager", "foo.metadata.json")]),
        ("foo.ckpt", ["foo.safetensors.rgthree-info.json", "foo.ckpt.json", "foo.rgthree-info.json"], []),
        ("模型 #1%.pt", ["模型 #1%.civitai.info"], [("civitai-info", "模型 #1%.civitai.info")]),
        ("e\u0301.pt", ["\u00e9.json"], [("a1111", "\u00e9.json")]),
        ("bad\udcff.pt", ["bad\udcff.json"], [("a1111", "bad\udcff.json")]),
        ("foo.pt", [], []),
    ],
)
def test_sidecars(model: str, siblings: list[str], expected: list[tuple[str, str]]):
    """A sidecar has exactly the model's stem; the exact spelling, and the model with the longer stem, win."""
    assert names.Folder([model, *siblings]).sidecars_of(model) == expected


@pytest.mark.parametrize(
    ("sidecar", "siblings", "expected"),
    [
        ("foo.json", ["foo.safetensors", "foo.ckpt", "foo.v2.pt", "Foo.pt"], ["foo.ckpt", "foo.safetensors"]),
        ("foo.metadata.json", ["foo.pt", "foo.metadata.pt"], ["foo.metadata.pt"]),
        ("foo.safetensors.rgthree-info.json", ["foo.pt", "foo.safetensors"], ["foo.safetensors"]),
        ("FOO.md", ["foo.pt", "bar.pt"], ["foo.pt"]),
        ("foo.v2.json", ["foo.pt"], []),
        ("foo.pt", ["foo.pt"], []),
    ],
)
def test_models_of_sidecar(sidecar: str, siblings: list[str], expected: list[str]):
    """A sidecar belongs to the models that have it as theirs."""
    assert names.Folder([sidecar, *siblings]).models_of_sidecar(sidecar) == expected


@given(folder=st.sets(st.sampled_from(MODEL_NAMES + SIDECAR_NAMES)))
def test_models_of_sidecar_is_the_inverse(folder: set[str]):
    """In any folder a model has a sidecar exactly when the sidecar has that model."""
    listed = names.Folder(folder)
    has = {(model, name) for model in folder if names.is_model_name(model) for _, name in listed.sidecars_of(model)}
    had = {(model, name) for name in folder for model in listed.models_of_sidecar(name)}

    assert has == had
    assert all(names.may_be_sidecar(name) for _, name in has)


def test_names_of_sidecars():
    """Each name to look for on disk is one that the rule for listings knows, and is told by its name alone."""
    possible = names.sidecar_names("foo.pt")

    assert sorted(names.Folder(name for _, name in possible).sidecars_of("foo.pt")) == sorted(possible)
    assert [names.source_of_sidecar(name.upper(), "foo.pt") for _, name in possible] == [
        source for source, _ in possible
    ]
    assert names.source_of_sidecar("foo.v2.json", "foo.pt") is None


def test_a_picture_is_no_sidecar():
    """Pictures, videos and models lie beside a model and tell nothing of it in words."""
    assert not any(map(names.may_be_sidecar, ["foo.png", "foo.mp4", "foo.safetensors", "foo", "foo.yaml", "foo.html"]))


@given(name=st.text())
def test_no_name_is_too_odd(name: str):
    """Any text at all gets an answer."""
    names.is_model_name(name)
    names.type_of_folder(name)
    assert names.companion_picture(name, [name, name + ".png"]) in {None, name, name + ".png"}
    folder = names.Folder([name, name + ".json", name + ".mp4"])
    assert {found for _, found in folder.sidecars_of(name)} <= {name, name + ".json"}
    assert set(folder.untaken_previews(name)) <= {name, name + ".mp4"}
    assert set(folder.models_of_sidecar(name + ".json")) <= {name}
