"""What cards say of the data that weights were trained on, and of the terms that follow from it."""

from typing import Any

__all__ = ["data_of", "licence_of"]

_RULES = (
    "Sentences were written by rules from labels and measurements; free speech is understood as far as the base model "
    "goes."
)
_PEOPLE = "It has read the sentences of its data; other wordings are understood as far as the base model goes."

# By the name in the dataset's summary. `license` as the Hub spells it; `other` has a name and a link beside it.
_DATA = {
    "bandai-namco": {
        "name": "bandai-namco",
        "description": "Bandai-Namco-Research-Motiondataset 1 and 2 (3,076 clips, 3.86 h; train split with mirrored "
        "copies), captions written from its labels and from measurements",
        "scope": "walking, turning, running, dashing, bowing, waving, raising hands, guiding, calling, a few kicks, "
        "punches, sword slashes and one dance, in up to 15 styles (old, tired, proud, childish ...)",
        "sentences": _RULES,
        "license": "cc-by-nc-4.0",
        "license_text": "CC BY-NC 4.0 (non-commercial use only), as they are derived from the "
        "Bandai-Namco-Research-Motiondataset by Bandai Namco Research Inc. (arXiv:2306.08861).",
    },
    "humanml3d": {
        "name": "humanml3d",
        "description": "HumanML3D (Guo et al. 2022): movements of AMASS and HumanAct12 with sentences by people, train "
        "split with the published mirrored copies",
        "scope": "the actions of HumanML3D: daily activities, sports, acrobatics and dance, of one person",
        "sentences": _PEOPLE,
        "license": "other",
        "license_name": "amass",
        "license_link": "https://amass.is.tue.mpg.de",
        "license_text": "not ours to give. The code and the sentences of HumanML3D are under the MIT licence, but its "
        "movements come from AMASS (research and non-commercial use, not to be passed on) and HumanAct12, and what is "
        "learned from them is bound by their terms. Before you use or share these weights, check the licence of AMASS "
        "(amass.is.tue.mpg.de) and of HumanAct12.",
    },
    "kit-ml": {
        "name": "kit-ml",
        "description": "the KIT Motion-Language Dataset (Plappert et al. 2016) in the form that Guo et al. 2022 "
        "publish: recorded movements with sentences by people, train split",
        "scope": "the actions of KIT-ML, of one person",
        "sentences": _PEOPLE,
        "license": "other",
        "license_name": "kit-motion-language-dataset",
        "license_link": "https://motion-annotation.humanoids.kit.edu/dataset/",
        "license_text": "not ours to give. The KIT Motion-Language Dataset puts together recordings of several motion "
        "databases for research; we know of no licence stated for all of it. Before you use or share these weights, "
        "check the terms of its authors (motion-annotation.humanoids.kit.edu/dataset).",
    },
    "interhuman": {
        "name": "interhuman",
        "description": "InterHuman (Liang et al. 2023): recorded interactions of two people with sentences by people, "
        "train split",
        "scope": "the interactions of InterHuman: greetings, dances, fights, sports and daily life, of two people",
        "sentences": _PEOPLE,
        "license": "cc-by-nc-sa-4.0",
        "license_text": "CC BY-NC-SA 4.0 (non-commercial use only, shared under the same licence), as they are derived "
        "from InterHuman (InterGen, arXiv:2304.05684). The recordings themselves are given on request and may not be "
        "passed on.",
    },
}
_DATA["bandai-namco-composed-scenes"] = {
    **_DATA["bandai-namco"],
    "name": "bandai-namco-composed-scenes",
    "description": "scenes of two and three people composed by rules from clips of one person each of the "
    "Bandai-Namco-Research-Motiondataset (the people never met; `motionllm prepare pairs`), captions written by rules",
    "scope": "greeting, bowing, waving, calling and answering, coming and going, walking together and one behind the "
    "other, meeting, passing, parting and fighting, of two and three people, composed by rules",
}


def data_of(*records: dict[str, Any] | None) -> dict[str, str]:
    """What to say of the data of a training: `name` (empty if not known to us), `description`, `scope`, `sentences`,
    `license`, `license_text`, and for `other` licences that have them `license_name` and `license_link`.

    Args:
        *records: of the training, and of the other parts that go with it. What they were continued from counts too:
            weights that start from others keep the conditions of those.
    """
    known = [entry for record in records for entry in _data_names(record)]
    name, licence = known[0] if known else ("", "")
    if name in _DATA:
        return _DATA[name]
    own = _own_data(name, licence)
    start = next((_DATA[name] for name, _ in known if name in _DATA), None)
    if start is None:
        return own
    return {
        **start,
        "description": f"{own['description']}; it started from weights trained on {start['description']}",
        "scope": f"{own['scope']}, and of the weights it started from: {start['scope']}",
        "sentences": _PEOPLE,
        "license_text": start["license_text"].removesuffix(".") + ", and only as the licence of the later data allows. "
        + own["license_text"][:1].upper() + own["license_text"][1:],
    }  # fmt: skip


def licence_of(data: dict[str, str]) -> dict[str, str]:
    """The part of `data_of` that is metadata of a card: `license`, and its name and link where there are such."""
    return {name: data[name] for name in ("license", "license_name", "license_link") if name in data}


def _own_data(name: str, licence: str) -> dict[str, str]:
    """The words for data that is not in the table: somebody's own."""
    called = f"the dataset `{name}`" if name else "a dataset without a name"
    prepared = f" (the dataset itself was prepared as `{licence}`)" if licence not in ("", "other") else ""
    return {
        "name": "",
        "description": f"{called}, prepared by its owner with `motionllm prepare`",
        "scope": "the motions of its training data",
        "sentences": _PEOPLE,
        "license": "other",
        "license_text": f"not stated yet. They were trained on {called}{prepared}: whoever publishes them says here "
        "whose recordings and sentences these are, and states the licence, as `license` at the head of this card.",
    }


def _data_names(record: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Name and licence of the data of a training and of those it was continued from, latest first; "" if unknown."""
    names = []
    while record:
        names.append((record.get("data_name") or "", record.get("data_license") or ""))
        record = record.get("continued_from")
    return names
