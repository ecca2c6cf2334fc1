"""What cards say of the data that weights were trained on and of its terms; which base models must not be handed on."""

import tomllib
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from hub_scripts.data.cmu import CMU_NOTICE

__all__ = ["data_of", "licence_of", "more_data_of", "redistribution_obstacle"]

_DATA = Path(__file__).with_name("templates") / "data.toml"
_OWN = "own"
_AND = " + "  # between the names of several datasets in a training record
_NOTICES = {"cmu-mocap": CMU_NOTICE}

# Weights that their makers give only to those who accept their terms (gated on the Hub, or not for any use): name
# pattern -> licence. Fine-tuned copies usually keep the family's name, so the patterns look at the last part too.
_RESTRICTED_NAMES = {
    "*gemma*": "Gemma Terms of Use",
    "meta-llama/*": "Llama Community License",
    "*codellama*": "Llama 2 Community License",
    "*llama-2*": "Llama 2 Community License",
    "*llama-3*": "Llama 3 Community License",
    "*llama-4*": "Llama 4 Community License",
    "coherelabs/*": "CC BY-NC 4.0 with Cohere's acceptable use policy",
    "cohereforai/*": "CC BY-NC 4.0 with Cohere's acceptable use policy",
    "mistralai/*large*": "Mistral AI Research License",
    "mistralai/ministral-8b*": "Mistral AI Research License",
    "mistralai/codestral*": "Mistral AI Non-Production License",
}

# A folder's name may say nothing; these architectures are of one family only (the type `llama` is not: SmolLM2 has it).
_RESTRICTED_TYPES = {
    "gemma": "Gemma Terms of Use",
    "gemma2": "Gemma Terms of Use",
    "gemma3": "Gemma Terms of Use",
    "gemma3_text": "Gemma Terms of Use",
    "llama4": "Llama 4 Community License",
    "llama4_text": "Llama 4 Community License",
    "cohere": "CC BY-NC 4.0 with Cohere's acceptable use policy",
    "cohere2": "CC BY-NC 4.0 with Cohere's acceptable use policy",
}


def redistribution_obstacle(base_model: str | None, model_type: str | None) -> str | None:
    """The licence that forbids handing on a base model's weights without its terms, or None where there is none known.

    Args:
        base_model: Hub id or folder.
        model_type: `config.text_config.model_type`.
    """
    name = (base_model or "").lower().replace("\\", "/")
    for pattern, licence in _RESTRICTED_NAMES.items():
        if fnmatch(name, pattern):
            return licence
    return _RESTRICTED_TYPES.get(model_type or "")


@cache
def _known_data() -> dict[str, dict[str, str]]:
    """The entries of `templates/data.toml` by name, each whole; `own` stands for data that is not there."""
    table = tomllib.loads(_DATA.read_text(encoding="utf-8"))
    sentences = table.pop("sentences")
    known: dict[str, dict[str, str]] = {}
    for name, entry in table.items():
        entry = {**table.get(entry.get("like"), {}), **entry, "name": "" if name == _OWN else name}
        known[name] = {**entry, "sentences": sentences[entry["sentences"]]}
    return known


def data_of(*records: dict[str, Any] | None) -> dict[str, str]:
    """What to say of the data of a training: `name` (empty if not known to us), `description`, `scope`, `sentences`,
    `license`, `license_text`, and for `other` licences that have them `license_name` and `license_link`.

    Args:
        *records: of the training, and of the other parts that go with it. What they were continued from counts too:
            weights that start from others keep the conditions of those.
    """
    names = [entry for record in records for entry in _data_names(record)]
    name, licence = names[0] if names else ("", "")
    known = {key: entry for key, entry in _known_data().items() if key != _OWN}
    if name in known:
        return known[name]
    called = f"the dataset `{name}`" if name else "a dataset without a name"
    prepared = f" (the dataset itself was prepared as `{licence}`)" if licence not in ("", "other") else ""
    own = {key: text.format(called=called, prepared=prepared) for key, text in _known_data()[_OWN].items()}
    start = next((known[name] for name, _ in names if name in known), None)
    if start is None:
        return own
    terms, part = own["license_text"], start["name"] in name.split(_AND)
    joined = "a part of it is" if part else "it started from weights trained on"
    later = "rest" if part else "later data"
    before = f"`{start['name']}`" if part else "the weights it started from"
    return {
        **start,
        "description": f"{own['description']}; {joined} {start['description']}",
        "scope": f"{own['scope']}, and of {before}: {start['scope']}",
        "sentences": own["sentences"],
        "license_text": f"{start['license_text'].removesuffix('.')}, and only as the licence of the {later} allows. "
        f"{terms[0].upper()}{terms[1:]}",
    }


def more_data_of(record: dict[str, Any]) -> tuple[list[list[str]], list[str]]:
    """Other data of a training: name, licences and SHA-256 of each, and what is to be said of their origin.

    Args:
        record: of the training.
    """
    rows, notices = [], []
    for data in record.get("more_data", ()):
        licences = [one or "not stated" for one in data.get("data_licenses") or [data.get("data_license")]]
        rows.append([f"`{data.get('data_name')}`", ", ".join(licences), f"`{data.get('data_sha256')}`"])
        notices += [_NOTICES[licence] for licence in licences if licence in _NOTICES]
        notices += [data["notice"]] if "notice" in data else []
    return rows, list(dict.fromkeys(" ".join(notice.split()) for notice in notices))


def licence_of(data: Mapping[str, str]) -> dict[str, str]:
    """The part of `data_of` that is metadata of a card: `license`, and its name and link where there are such."""
    return {name: data[name] for name in ("license", "license_name", "license_link") if name in data}


def _data_names(record: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Name and licence of the data of a training and of those it was continued from, latest first; "" if unknown.

    Several datasets come as one, "a + b", and then one by one.
    """
    names = []
    while record:
        name, licence = record.get("data_name") or "", record.get("data_license") or ""
        parts = name.split(_AND) if _AND in name else []
        names += [(name, licence), *((part, licence) for part in parts)]
        record = record.get("continued_from")
    return names
