"""The dataset cards of prepared data. Text only."""

import json

__all__ = ["BANDAI_CARD", "BANDAI_CARD_METADATA", "bvh_folder_card"]

BANDAI_CARD_METADATA = {
    "license": "cc-by-nc-4.0",
    "language": "en",
    "pretty_name": "Bandai-Namco motion for MotionLLM",
    "tags": "[human-motion, text-to-motion, motion-captioning, humanml3d]",
}

BANDAI_CARD = """\
# Bandai-Namco motion for MotionLLM

Recorded human motion with captions, for text-to-motion and motion captioning: the clips of the
Bandai-Namco-Research-Motiondataset 1 and 2 as joint positions, HumanML3D features and English sentences.

## Licence and attribution

CC BY-NC 4.0, non-commercial use only. (c) 2022 Bandai Namco Research Inc. All Rights Reserved.

> Bandai-Namco-Research-Motiondataset by Bandai Namco Research Inc., CC BY-NC 4.0.
> M. Kobayashi, C.-C. Liao, K. Inoue, S. Yojima, M. Takahashi: "Motion Capture Dataset for Practical Use of AI-based
> Motion Editing and Stylization", arXiv:2306.08861, 2023.
> Source: https://github.com/BandaiNamcoResearchInc/Bandai-Namco-Research-Motiondataset, commit 74ead3b.

Changes: joints mapped to the SMPL-22 order, resampled from 30 to 20 fps, features computed, captions written, mirrored
copies added.

## How it was made

`motionllm prepare bandai SRC --out DIR`. Forward kinematics of the BVH files in double precision; spine2 is the mean of
the recorded Spine and Chest; metres; linear resampling. The features are the 263 numbers a frame of HumanML3D.
**The captions were not written by people who watched the clips**: they are composed by rules from the content and style
labels and from measurements (distance, turn, side, height of the hands, repetitions). Where a recorded turn goes the
other way than its label says (four clips), the captions follow the motion and `contents` keeps the label. The first
caption of a clip leaves the style out, the others state it.

Splits: 80 % train, 5 % val, 15 % test by clip, stratified by content and style, fixed by the clip names. Train clips
are there twice, as recorded and mirrored (`mirrored`, name with `_mirrored`; left and right are swapped in the content
label and the captions). One skeleton and few contents: good for learning and for tests, not a general motion corpus.

## Columns

| column | type | what |
| --- | --- | --- |
| `name` | string | clip name |
| `source` | string | `bandai-namco-1` or `bandai-namco-2` |
| `num_people` | int32 | 1 |
| `contents`, `styles` | list of one string | labels, for example `wave-left-hand`, `elderly` |
| `mirrored` | bool | a mirrored copy |
| `captions` | list of strings | sentences for this clip |
| `fps` | float32 | 20 |
| `num_frames` | int32 | T |
| `joints` | float32 (T, 22, 3) | metres, Y up, right-handed, facing +Z means left is +X; where and as recorded |
| `features` | float32 (T-1, 263) | HumanML3D features, not normalised |
| `source_file`, `source_sha256` | string | the BVH file in the published data and its hash |

`motionllm_dataset.json` holds the counts and a hash over the data files.
"""

_BVH_FOLDER_CARD = """\
# {name}

Recorded human motion with captions, for text-to-motion and motion captioning.

Licence: {license}.

## How it was made

`motionllm prepare bvh FOLDER --captions CSV --out DIR`. Each BVH file was mapped to the 22 joints of the SMPL body,
converted to metres with Y up, and resampled to 20 frames per second by linear interpolation; `motionllm_dataset.json`
tells which skeletons and units were found and which joints were interpolated. The features are the 263 numbers a frame
of HumanML3D. The captions are those of the table.

Splits: as the table says; where it does not, 80 % train, 5 % val, 15 % test, fixed by the names, all pieces of one
recording in one split. Mirrored copies of train clips have `mirrored` set and names that end in `_mirrored`; left and
right are swapped in their captions and content labels too.

## Columns

| column | type | what |
| --- | --- | --- |
| `name` | string | clip name; pieces of a long recording end in `_000`, `_001` ... |
| `source` | string | `{name}` |
| `num_people` | int32 | 1 |
| `contents`, `styles` | list of one string | labels of the table; `motion` and `normal` where it has none |
| `mirrored` | bool | a mirrored copy |
| `captions` | list of strings | sentences for this clip |
| `fps` | float32 | 20 |
| `num_frames` | int32 | T |
| `joints` | float32 (T, 22, 3) | metres, Y up, right-handed, facing +Z means left is +X; where and as recorded |
| `features` | float32 (T-1, 263) | HumanML3D features, not normalised |
| `source_file`, `source_sha256` | string | the BVH file and its hash |

`motionllm_dataset.json` also holds the counts and a hash over the data files.
"""


def bvh_folder_card(name: str, license: str) -> tuple[str, dict[str, str]]:
    """Text and metadata of the card of a dataset made of a user's own files."""
    metadata = {
        "license": json.dumps(license),
        "language": "en",
        "pretty_name": json.dumps(name, ensure_ascii=False),
        "tags": BANDAI_CARD_METADATA["tags"],
    }
    return _BVH_FOLDER_CARD.format(name=name, license=license), metadata
