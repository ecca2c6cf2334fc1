"""The dataset cards of prepared HumanML3D and KIT-ML. Text only."""

from dataclasses import dataclass

__all__ = ["T2M_CARDS", "T2MCard"]

_TEXT = """\
# {title} for MotionLLM

Recorded human motion with sentences by people, for text-to-motion and motion captioning: {title} as its authors
publish it, in one table.

## Licence: keep this folder to yourself

{terms}

> {citation}

## How it was made

`motionllm prepare {kind} SRC --out DIR`. Features, sentences, word classes and splits are those of SRC, unchanged. A
sentence with times tells of a part of a motion; that part is a row of its own (`NAME_000` ...), cut from the features
of the whole as the published loader does. The published mirrored copies (names that begin with M) are rows like the
others, in all splits. Nothing is left out for its length; `motionllm evaluate` applies the limits of the protocol.
`motionllm_dataset.json` names the files that could not be used.

## Columns

| column | type | what |
| --- | --- | --- |
| `name` | string | published name; parts of a motion end in `_000`, `_001` ... |
| `source` | string | `{name}` |
| `num_people` | int32 | 1 |
| `contents`, `styles` | list of one string | empty: {title} has no labels |
| `mirrored` | bool | a mirrored copy |
| `captions` | list of strings | the sentences |
| `tokens` | list of strings | words and classes of each sentence, `a/DET man/NOUN`, for the T2M evaluator |
| `fps` | float32 | {fps} |
| `num_frames` | int32 | T |
| `recording_frames` | int32 | feature rows of the whole motion |
| `joints` | float32 (T, {joints}, 3) | {unit}, Y up, as published, with the last frame that the features tell of |
| `features` | float32 (T-1, {columns}) | features as published, not normalised |
| `source_file`, `source_sha256` | string | file of the features and its hash |

`motionllm_dataset.json` also holds the counts and a hash over the data files.
"""
_TAGS = "[human-motion, text-to-motion, motion-captioning, humanml3d]"


@dataclass(frozen=True)
class T2MCard:
    """Name of the dataset, text and metadata of its card."""

    name: str
    text: str
    metadata: dict[str, str]


def _card(kind: str, name: str, title: str, **more: str) -> T2MCard:
    metadata = {"license": "other", "language": "en", "pretty_name": f"{title} for MotionLLM", "tags": _TAGS}
    return T2MCard(name, _TEXT.format(kind=kind, name=name, title=title, **more), metadata)


T2M_CARDS = {
    "humanml3d": _card(
        "humanml3d",
        "humanml3d",
        "HumanML3D",
        terms="The movements come from AMASS and HumanAct12. Who uses them must have obtained them there (AMASS: "
        "registration at\namass.is.tue.mpg.de, research and non-commercial use) and may not pass them on: do not "
        "upload this folder. What is\nlearned from them is bound by the same terms.",
        citation="C. Guo, S. Zou, X. Zuo, S. Wang, W. Ji, X. Li, L. Cheng: Generating Diverse and Natural 3D Human "
        "Motions\n> from Text. CVPR 2022.",
        fps="20",
        joints="22",
        columns="263",
        unit="metres",
    ),
    "kit": _card(
        "kit",
        "kit-ml",
        "KIT-ML",
        terms="The movements and sentences come from the KIT Motion-Language Dataset, in the form that Guo et al. "
        "publish. Its\nauthors' terms hold; check them before you pass this folder on, or what is learned from it.",
        citation="M. Plappert, C. Mandery, T. Asfour: The KIT Motion-Language Dataset. Big Data 4(4), 2016.",
        fps="12.5",
        joints="21",
        columns="251",
        unit="in the published unit (not told; its size fits millimetres)",
    ),
}
