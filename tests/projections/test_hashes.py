"""By which further hashes a model's content is called."""

from typing import Any

import pytest
from hikaze.events.catalog import (
    Event,
    File,
    LocationFound,
    LocationLost,
    ModelHashed,
    ModelHeaderRead,
    ModelImported,
    ModelProvided,
    Provided,
    RootAdded,
    RootCameOnline,
    Sidecar,
)
from hikaze.projections import hashes
from hikaze.projections.hashes import Hash

INK = "a1" * 32
SEA = "a1b2" * 16
V3 = "c0ffee" * 10 + "0123"
BLAKE3 = "b3" * 32
OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def imported(model: str = INK, **metadata: Any) -> ModelImported:
    """Make the import of a model whose header has this metadata."""
    return ModelImported(model, "Ink", "loras", 10, header={"metadata": metadata} if metadata else {})


def told(facts: dict[str, Any], *, path: str = "/m/ink.civitai.info", sha256: str = "", model: str = INK) -> Event:
    """Make the reading of a sidecar with some facts."""
    return ModelProvided(model, Sidecar(path, "civitai", 1, 1), Provided(sha256=sha256, facts=facts))


@pytest.mark.parametrize(
    ("history", "found"),
    [
        ([imported()], []),
        (
            [imported(), ModelHashed(INK, {"autov1": "0badcafe", "autov3": V3})],
            [Hash("autov1", "0badcafe", "computed"), Hash("autov3", V3, "computed")],
        ),
        ([imported(), ModelHashed(INK, {"autov3": "short", "md5": "0badcafe"})], []),
        (
            [imported(sshs_model_hash=V3, sshs_legacy_hash="0badcafe")],
            [Hash("autov1", "0badcafe", "header"), Hash("autov3", V3, "header")],
        ),
        ([imported(**{"modelspec.hash_sha256": f"0x{V3.upper()}"})], [Hash("autov3", V3, "header")]),
        ([imported(sshs_legacy_hash=OF_NOTHING[:8], sshs_model_hash=OF_NOTHING)], []),
        ([imported(sshs_legacy_hash=["0badcafe"], sshs_model_hash=7)], []),
        ([ModelImported(INK, "Ink", "loras", 10, header={"metadata": ["sshs_model_hash", V3]})], []),
        ([imported(sshs_model_hash=V3), ModelHeaderRead(INK, {"format": "safetensors"})], []),
        ([imported(), ModelHeaderRead(INK, {"metadata": {"sshs_model_hash": V3}})], [Hash("autov3", V3, "header")]),
        (
            [
                imported(),
                told({"hashes": {"AutoV3": V3[:12].upper(), "BLAKE3": BLAKE3, "CRC32": "0BADCAFE", "X": 1}}),
            ],
            [
                Hash("autov3", V3[:12], "provider"),
                Hash("blake3", BLAKE3, "provider"),
                Hash("crc32", "0badcafe", "provider"),
            ],
        ),
        ([imported(), told({"hashes": {"AutoV3": V3[:12]}, "autov3": V3})], [Hash("autov3", V3, "provider")]),
        ([imported(), told({"tensor_sha256": V3})], [Hash("autov3", V3, "provider")]),
        ([imported(), told({"hashes": {"AutoV1": OF_NOTHING[:8], "CRC32": "none", "BLAKE3": None}})], []),
        ([imported(), told({"hashes": "0badcafe"})], []),
        # of another content than the model's
        ([imported(), told({"hashes": {"CRC32": "0badcafe"}}, sha256=SEA)], []),
        ([imported(), told({"hashes": {"CRC32": "0badcafe"}}, sha256=INK)], [Hash("crc32", "0badcafe", "provider")]),
        # what a sidecar says now takes the place of what it said; what another says stays
        ([imported(), told({"hashes": {"CRC32": "0badcafe"}}), told({})], []),
        (
            [imported(), told({"hashes": {"CRC32": "0badcafe"}}), told({}, path="/other/ink.civitai.info")],
            [Hash("crc32", "0badcafe", "provider")],
        ),
    ],
)
def test_of_model(replay, history: list[Event], found: list[Hash]) -> None:
    """A model has the hashes that were worked out, and those that its sidecars and header tell if they are any."""
    assert hashes.of_model(replay(history), INK) == found


def test_the_most_trusted_first(replay) -> None:
    """Of one kind, what was worked out stands before what a provider tells, and that before the header's word."""
    history = [
        imported(sshs_model_hash="1" * 64),
        told({"autov3": "2" * 12}),
        ModelHashed(INK, {"autov3": "3" * 64}),
        told({"autov3": "2" * 12}, path="/elsewhere"),
    ]

    assert [one.origin for one in hashes.of_model(replay(history), INK)] == ["computed", "provider", "header"]
    assert hashes.computed(replay(history), INK) == {"autov3": "3" * 64}


@pytest.mark.parametrize(
    ("kind", "prefix", "found"),
    [
        (None, "a1", [INK, SEA]),
        ("sha256", INK, [INK]),
        ("sha256", "a1a", [INK]),
        ("autov2", SEA[:10], [SEA]),
        ("autov2", SEA[:11], []),
        (None, "0bad", [INK]),
        ("autov1", "0badcafe", [INK]),
        ("crc32", "0badcafe", []),
        ("autov3", V3, [INK, SEA]),
        ("autov3", V3[:12], [INK, SEA]),
        ("autov3", V3[:10], [INK, SEA]),
        ("autov3", V3[:12] + "f" * 52, [SEA]),
        ("blake3", BLAKE3, [SEA]),
        (None, "", []),
        (None, "A1", []),
        (None, "a%", []),
        (None, "f", []),
    ],
)
def test_models_of(replay, kind: str | None, prefix: str, found: list[str]) -> None:
    """A model is found by the beginning of any of its hashes; by a whole AutoV3 also where 12 digits are known."""
    db = replay(
        [
            imported(),
            imported(SEA),
            ModelHashed(INK, {"autov1": "0badcafe", "autov3": V3}),
            told({"hashes": {"AutoV3": V3[:12], "BLAKE3": BLAKE3}}, model=SEA),
        ]
    )

    assert hashes.models_of(db, kind, prefix) == found


HERE: list[Event] = [RootAdded(1, "/m", "model", "loras"), RootCameOnline(1, 1, 1)]


def laid_out(model: str, path: str, *, tensors: int = 2, claimed: bool = False, **dtypes: int) -> list[Event]:
    """Make a model with a file and what is kept of its header."""
    header = {"format": "safetensors", "tensor_count": tensors, "dtypes": dtypes or {"F16": 7}}
    return [
        ModelImported(model, "x", "loras", 10, header=header),
        LocationFound(model, File(path, 1, 10, 5, 1, 7), claimed),
    ]


@pytest.mark.parametrize(
    ("other", "are_akin"),
    [
        (laid_out(SEA, "/m/sea"), True),
        ([*laid_out(SEA, "/m/sea"), ModelHashed(SEA, {"autov3": V3})], True),
        ([*laid_out(SEA, "/m/sea"), ModelHashed(SEA, {"autov3": V3}), ModelHashed(INK, {"autov3": V3})], False),
        (laid_out(SEA, "/m/sea", tensors=3), False),
        (laid_out(SEA, "/m/sea", F16=6), False),
        (laid_out(SEA, "/m/sea", F32=7), False),
        ([*laid_out(SEA, "/m/sea"), LocationLost(SEA, "/m/sea")], False),
        (laid_out(SEA, "/m/sea", claimed=True), False),
        ([ModelImported(SEA, "x", "loras", 10, header={"format": "gguf", "tensor_count": 2})], False),
    ],
)
def test_who_may_be_relatives(replay, other: list[Event], are_akin: bool) -> None:
    """Models with as many tensors and numbers of each kind, in files that were hashed, while one is not worked out."""
    found = hashes.may_be_relatives(replay([*HERE, *laid_out(INK, "/m/ink"), *other]))

    assert [[akin.model for akin in group] for group in found] == ([[INK, SEA]] if are_akin else [])
    if are_akin:
        assert found[0][0].files == (("/m/ink", 1, 10, 5, 7),)
