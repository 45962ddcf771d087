"""What model files say of themselves, from the drop folder on, through the real program."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from hikaze.daemon.roots import as_file
from hikaze.daemon.scan import stat_file
from hikaze.daemon.sightings import of_files, of_model
from hikaze.events.catalog import LocationFound, ModelHeaderRead, ModelImported, ModelTagged, ModelUntagged, TagCreated
from hikaze.events.log import EventLog
from hikaze.events.record import New
from safetensors.numpy import save_file

from .harness import Daemon, Make

RANK = 4
PARTS = {
    "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k": (2048, 640),
    "lora_unet_middle_block_1_transformer_blocks_0_attn2_to_k": (2048, 1280),
    "lora_te1_text_model_encoder_layers_0_self_attn_q_proj": (768, 768),
    "lora_te2_text_model_encoder_layers_0_self_attn_q_proj": (1280, 1280),
}
METADATA = {
    "ss_base_model_version": "sdxl_base_v1-0",
    "ss_network_module": "networks.lora",
    "ss_network_dim": str(RANK),
    "ss_network_alpha": "2.0",
    "ss_tag_frequency": json.dumps({"10_mychar": {"mychar": 30, "smile": 4}}),
    "modelspec.title": "My Character",
    "modelspec.description": "a character",
}


def sdxl_lora(path: Path, seed: int = 1) -> Path:
    """Write a LoRA for SDXL as its trainers do, of a few of its parts."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, Any] = {}
    for name, (inner, outer) in PARTS.items():
        tensors[f"{name}.lora_down.weight"] = rng.random((RANK, inner)).astype(np.float16)
        tensors[f"{name}.lora_up.weight"] = rng.random((outer, RANK)).astype(np.float16)
        tensors[f"{name}.alpha"] = np.array(2.0, np.float16)
    save_file(tensors, path, METADATA)
    return path


def write(daemon: Daemon, *events: New) -> None:
    """Write events to the log of a daemon that does not run, as an older Hikaze would have."""
    log = EventLog(str(daemon.data / "log.db"), host=b"h" * 16)
    log.begin()
    log.append(events, actor="daemon", action=b"a" * 16)
    log.commit()
    log.close()


def without_rules(header: dict[str, Any]) -> dict[str, Any]:
    """Give a header as it was before there were rules."""
    return {key: value for key, value in header.items() if key not in ("rules", "facts", "told")}


def test_what_a_lora_says_of_itself(daemon: Daemon) -> None:
    """It shows before anything is hashed and stays through the import; a tag that was taken away never comes back."""
    path = daemon.put(sdxl_lora(daemon.staging / "a.safetensors"), daemon.drop / "mychar.safetensors")
    number = daemon.wait_pending(path)["id"]
    whole = daemon.get("/api/migration/pending_model", id=number)

    assert (whole["type"], whole["sha256"]) == ("loras", None)
    assert whole["tag_origins"] == {"SDXL": "header"}
    assert whole["trigger_words"] == ["mychar"]
    assert whole["description"] == "a character"
    assert (whole["origins"]["description"], whole["origins"]["trigger_words"]) == ("header", "header")
    facts = whole["header"]["facts"]
    assert facts["base_model"] == "SDXL"
    assert (facts["adapter"]["kind"], facts["adapter"]["rank"], facts["adapter"]["alpha"]) == ("LoRA", RANK, 2.0)
    assert facts["trained_words"][0] == {"word": "mychar", "count": 30}
    assert whole["version"] == 1  # nobody has edited it

    sha256 = daemon.import_one(number).json["sha256"]
    model = daemon.model(sha256)
    assert (model["tag_origins"], model["trigger_words"]) == ({"SDXL": "header"}, ["mychar"])
    assert model["header"]["facts"] == facts
    daemon.patch(f"/api/models/{sha256}", {"tags": ["mine"], "trigger_words": []})

    def stays_away() -> Any:
        daemon.quiesce()
        model = daemon.model(sha256)
        assert (model["tag_origins"], model["trigger_words"]) == ({"mine": "user"}, [])
        return model

    stays_away()
    daemon.restart()
    stays_away()
    daemon.stop()
    write(daemon, of_model(sha256, ModelHeaderRead(sha256, without_rules(model["header"]))))
    daemon.start()
    daemon.wait_for(lambda: daemon.model(sha256)["header"].get("rules"), what="it is read again")
    before = stays_away()
    daemon.stop()
    (daemon.data / "views.db").unlink()
    daemon.start()
    assert stays_away() == before


def test_a_library_of_an_older_hikaze(make_daemon: Make) -> None:
    """Its models get what their files say while the daemon runs; what was taken away there comes to none of them."""
    daemon = make_daemon().start()
    loras = next(root["id"] for root in daemon.get("/api/status")["roots"] if root["path"] == str(daemon.loras))
    daemon.stop()
    paths = [sdxl_lora(daemon.loras / f"{seed}.safetensors", seed) for seed in (1, 2)]
    models = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    write(daemon, New("tag/1", TagCreated(1, "sdxl")))
    for path, model in zip(paths, models, strict=True):
        seen = stat_file(str(path))
        assert seen is not None
        born = ModelImported(model, path.stem, "loras", seen.size, header={"format": "safetensors"})
        write(daemon, of_model(model, born), of_files(model, LocationFound(model, as_file(seen, loras))))
    write(daemon, of_model(models[1], ModelTagged(models[1], 1)), of_model(models[1], ModelUntagged(models[1], 1)))
    daemon.start()

    daemon.wait_for(lambda: all(daemon.model(model)["header"].get("rules") for model in models), what="they are read")
    first, second = (daemon.model(model) for model in models)
    assert (first["tag_origins"], second["tag_origins"]) == ({"sdxl": "header"}, {})
    assert first["trigger_words"] == second["trigger_words"] == ["mychar"]
    assert first["version"] == 1
    daemon.wait_for(lambda: not daemon.get("/api/status")["work"], what="nothing more is under way")
