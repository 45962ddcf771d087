"""The words a model was trained with, and what else its trainer wrote into the metadata.

kohya's sd-scripts write `ss_tag_frequency`, JSON of `{folder: {tag: count}}`, where a folder is named after how often
its pictures were repeated and what they show (`10_mychar woman`), and further `ss_` fields
(https://github.com/kohya-ss/sd-scripts, train_network.py). What Stability AI's ModelSpec tells has the prefix
`modelspec.` (https://github.com/Stability-AI/ModelSpec).
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ...projections.text import fold
from ..sidecars.cleantext import clean, visible

MAX_WORDS = 200
"""The most trained words that are told."""

MAX_WORD = 200
"""The most characters of a trained word, and of a tag."""

MAX_TRIGGER_WORDS = 20
"""The most trigger words that are offered."""

MAX_TRIGGER_WORD = 1000
"""The most characters of a trigger word."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_MAX_TAGS = 20
_FEW = 3
_MAX_COUNT = 10**12
_FOLDER = re.compile(r"\d+_(.+)")
_ESCAPED = re.compile(r"\\([()\[\]{}\\])")
_NO_NAMES = _words(
    "img imgs image images pic pics picture pictures photo photos data dataset datasets train training lora loras "
    "model concept concepts character characters style styles reg regularization class test new raw png jpg 1024 512 "
    "768"
)
"""What people call the folders of their pictures that is no word of theirs for what they show."""

Counted = dict[str, tuple[str, int]]
"""Words and their counts, by what spellings of one word have in common."""


class Words:
    """The words of one model's training, each once."""

    def __init__(self, metadata: Mapping[str, str]) -> None:
        folders = list(_folders(metadata))
        self._tags: Counted = {}
        for _, tags in folders:
            for tag, count in tags:
                _count(self._tags, tag, count)
        self._named = _folder_words(folders, _dataset_sizes(metadata))

    def trained(self) -> list[tuple[str, int]]:
        """Give the words and how often they were seen, most frequent first, at most 200."""
        return _most_frequent(self._tags)[:MAX_WORDS]

    def frequent(self) -> list[str]:
        """Give those, and names of folders, that are at least half as frequent as the most frequent, at most 20."""
        all_words = dict(self._tags)
        for key, (word, count) in self._named.items():
            all_words.setdefault(key, (word, count))
        ordered = _most_frequent(all_words)
        most = ordered[0][1] if ordered else 0
        if most == 1 and len(ordered) > _FEW:  # sentences: one for each picture, and none tells what they share
            return []
        return [word for word, count in ordered if 2 * count >= most][:MAX_TRIGGER_WORDS]


def _most_frequent(words: Counted) -> list[tuple[str, int]]:
    return sorted(words.values(), key=lambda word: -word[1])


def _count(words: Counted, tag: str, count: int) -> None:
    word = cleaned(tag)
    if not word or len(word) > MAX_WORD:
        return
    key = fold(word)
    first, before = words.get(key, (word, 0))
    words[key] = (first, min(before + count, _MAX_COUNT))


def key(word: str) -> str:
    """Give what spellings of one word have in common."""
    return fold(word)


def cleaned(word: str) -> str:
    """Give a word as people write it: one line without escapes, trimmed, and in NFC, as tags are kept."""
    line = " ".join(visible(word).split())
    line = _ESCAPED.sub(r"\1", line) if "\\" in line else line
    return line if line.isascii() else unicodedata.normalize("NFC", line).strip()


# Trained words

Folder = tuple[str, list[tuple[str, int]]]


def _folders(metadata: Mapping[str, str]) -> Iterator[Folder]:
    """Give the folders of a training and the tags in each, as kohya's scripts write them."""
    told = _json(metadata.get("ss_tag_frequency", ""))
    if isinstance(told, dict) and told:
        yield from _of_folders(told)
        return
    sets = _json(metadata.get("ss_datasets", ""))
    for one in sets if isinstance(sets, list) else ():
        if isinstance(one, dict) and isinstance(one.get("tag_frequency"), dict):
            yield from _of_folders(one["tag_frequency"])


def _of_folders(told: dict[str, Any]) -> Iterator[Folder]:
    flat = list(_tags(told))  # some write one dict of all tags
    if flat:
        yield "", flat
    for name, tags in told.items():
        if isinstance(tags, dict):
            yield name, list(_tags(tags))


def _tags(told: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for tag, value in told.items():
        if (count := _natural(value)) > 0:
            yield tag, count


def _natural(value: object) -> int:
    """Give a count, whether it is a number or digits; 0 for anything else."""
    match value:
        case bool():
            return 0
        case int():
            return min(max(value, 0), _MAX_COUNT)
        case float() if math.isfinite(value):
            return int(min(max(value, 0), _MAX_COUNT))
        case str() if value.isascii() and value.strip().isdigit() and len(value) <= 20:
            return min(int(value), _MAX_COUNT)
        case _:
            return 0


def _folder_words(folders: Iterable[Folder], sizes: Mapping[str, int]) -> Counted:
    """Give the names of folders that tell what their pictures show, as frequent as there are pictures."""
    words: Counted = {}
    counts = dict(sizes)
    for name, tags in folders:
        counts.setdefault(name, max((count for _, count in tags), default=1))
    for name, count in counts.items():
        told = _FOLDER.fullmatch(name.rpartition("/")[2])
        if told is not None and fold(cleaned(told[1])) not in _NO_NAMES:
            _count(words, told[1], max(count, 1))
    return words


def _dataset_sizes(metadata: Mapping[str, str]) -> dict[str, int]:
    """Give how many pictures each folder has: `ss_dataset_dirs`, `{folder: {"n_repeats": 10, "img_count": 30}}`."""
    told = _json(metadata.get("ss_dataset_dirs", ""))
    if not isinstance(told, dict):
        return {}
    return {name: _natural(facts.get("img_count")) for name, facts in told.items() if isinstance(facts, dict)}


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except (ValueError, RecursionError):  # msgspec's errors and UnicodeEncodeError are ValueErrors
        return None


# What else the trainer wrote

_MODELSPEC = "modelspec."
_THUMBNAIL = "thumbnail"  # a whole picture
_MAX_FIELD = 1000
_MAX_FIELDS = 40
_TRAINING = _words(
    "ss_output_name ss_network_module ss_network_dim ss_network_alpha ss_network_args ss_base_model_version "
    "ss_sd_model_name ss_sd_model_hash ss_new_sd_model_hash ss_vae_name ss_steps ss_max_train_steps ss_num_epochs "
    "ss_epoch ss_num_train_images ss_num_reg_images ss_resolution ss_batch_size_per_device ss_total_batch_size "
    "ss_clip_skip ss_learning_rate ss_unet_lr ss_text_encoder_lr ss_optimizer ss_lr_scheduler ss_noise_offset "
    "ss_min_snr_gamma ss_v2 ss_v_parameterization ss_mixed_precision ss_seed ss_training_comment "
    "ss_training_started_at ss_training_finished_at ss_enable_bucket"
)


def modelspec(metadata: Mapping[str, str]) -> dict[str, str]:
    """Give the fields of ModelSpec by their names, less the thumbnail; long ones are cut at 1,000 characters."""
    found = {
        key.removeprefix(_MODELSPEC): visible(value[:_MAX_FIELD]).strip()
        for key, value in metadata.items()
        if key.startswith(_MODELSPEC) and not key.startswith(_MODELSPEC + _THUMBNAIL)
    }
    return dict([(key, value) for key, value in found.items() if key and value][:_MAX_FIELDS])


def training(metadata: Mapping[str, str]) -> dict[str, str]:
    """Give what kohya's scripts tell of the training, of the fields that people ask for."""
    found = {key: visible(metadata[key][:_MAX_FIELD]).strip() for key in _TRAINING if key in metadata}
    return {key: value for key, value in found.items() if value and value != "None"}


def tags(metadata: Mapping[str, str]) -> list[str]:
    """Give the tags that ModelSpec tells, each once, at most 20."""
    return _listed(metadata.get("modelspec.tags", ""), MAX_WORD)[:_MAX_TAGS]


def trigger_words(metadata: Mapping[str, str], words: Words) -> list[str]:
    """Give the words that make the model do its work: what its maker says, else those it was trained with most."""
    said = _listed(metadata.get("modelspec.trigger_phrase", ""), MAX_TRIGGER_WORD)
    return said[:MAX_TRIGGER_WORDS] or words.frequent()


def description(metadata: Mapping[str, str], most: int) -> str:
    """Give what the maker says of the model, as plain text of at most so many characters."""
    return clean(metadata.get("modelspec.description", ""), most).strip()


def _listed(text: str, longest: int) -> list[str]:
    """Give the words between commas, each once."""
    found: dict[str, str] = {}
    for part in text[: 100 * longest].split(","):
        word = cleaned(part)
        if 0 < len(word) <= longest:
            found.setdefault(fold(word), word)
    return list(found.values())
