"""The dataset cards of scenes. Text only."""

__all__ = ["INTERHUMAN_CARD", "INTERHUMAN_CARD_METADATA", "SCENES_CARD", "SCENES_CARD_METADATA"]

SCENES_CARD_METADATA = {
    "license": "cc-by-nc-4.0",
    "language": "en",
    "pretty_name": "Composed scenes of several people for MotionLLM",
    "tags": "[human-motion, text-to-motion, multi-person, composed]",
}

SCENES_CARD = """\
# Composed scenes of several people for MotionLLM

Scenes of two and three people with captions, **composed** from clips of single people: nobody in them has met. Each
person's motion is real; where the people stand, who they face and when they move was drawn by rules. Nobody looks at,
reacts to or touches anybody. Good for learning who does what, where and when; no substitute for recorded interaction.
Scores on it are scores on composed data, and should be called so.

## Licence and attribution

CC BY-NC 4.0, non-commercial use only. (c) 2022 Bandai Namco Research Inc. All Rights Reserved.

> Bandai-Namco-Research-Motiondataset by Bandai Namco Research Inc., CC BY-NC 4.0.
> M. Kobayashi, C.-C. Liao, K. Inoue, S. Yojima, M. Takahashi: "Motion Capture Dataset for Practical Use of AI-based
> Motion Editing and Stylization", arXiv:2306.08861, 2023.
> Source: https://github.com/BandaiNamcoResearchInc/Bandai-Namco-Research-Motiondataset, commit 74ead3b.

Changes: joints mapped to the SMPL-22 order on one skeleton, resampled from 30 to 20 fps, clips cut, extended by pauses
of real standing frames, placed together, mirrored; captions written.

## How it was made

`motionllm prepare pairs DATA --out DIR`, where DATA was written by `motionllm prepare bandai`. Clips of one split only
are put together, so no test clip is in a train scene. Scenes where two bodies come closer than 5 cm were drawn again
(a mirrored copy is put on the skeleton's bones anew, which can cost some of these).
**The captions were not written by people**: rules compose them from the kind of scene, the labels of the clips and
measured distances and sides. Train scenes are there twice, as composed and mirrored (left and right swapped in motion,
placements, labels and captions).

## Columns

| column | type | what |
| --- | --- | --- |
| `name` | string | kind, split and number |
| `split` | string | `train`, `val` or `test`: of the scene and of all its clips |
| `source`, `composed` | string, bool | where the clips are from; true: composed, not recorded together |
| `kind` | string | kind of scene, for example `goodbye` |
| `num_people`, `num_frames`, `fps` | int32, int32, float32 | P, T (4 L + 1, at most 201), 20 |
| `roles`, `contents`, `styles` | P strings | of each person, in order |
| `mirrored` | bool | a mirrored copy |
| `parts` | P strings | what each person does, as a sentence about that person alone |
| `captions` | strings | several sentences for the scene |
| `placements` | float32 (P, 3) | x (left), z (ahead) in metres, heading in radians, as person 1 sees them at first |
| `joints` | float32 (P*T, 22, 3) | reshape to (P, T, 22, 3): person 1 first. Metres, Y up |
| | | person 1 starts at the origin and faces +Z, left is +X |
| `source_clips` | P lists of strings | the clips each person's motion was made of |

`motionllm_dataset.json` holds the counts and a hash over the data files.
"""

INTERHUMAN_CARD_METADATA = {
    "license": "cc-by-nc-sa-4.0",
    "language": "en",
    "pretty_name": "InterHuman for MotionLLM",
    "tags": "[human-motion, text-to-motion, multi-person]",
}

INTERHUMAN_CARD = """\
# InterHuman for MotionLLM

Recorded scenes of two people with the sentences of their annotators, prepared from InterHuman by
`motionllm prepare interhuman`.

## Licence

CC BY-NC-SA 4.0. **The authors give the data on request and forbid passing it on: keep this folder to yourself.**

> H. Liang, W. Zhang, W. Li, J. Yu, L. Xu: "InterGen: Diffusion-based Multi-human Motion Generation under Complex
> Interactions", arXiv:2304.05684.

Changes: 22 joint positions taken, turned from Z up to Y up, resampled from 30 to 20 fps, each person put on the bones
of HumanML3D and on the floor, scenes over 10 s divided, mirrored copies of the train scenes added. Putting people of
different size on the same bones moves hands that touch apart, or into each other, by centimetres.

## Columns

As for composed scenes, with `composed` false, `kind` `interhuman`, and `contents` and `styles` empty. `joints` float32
(2*T, 22, 3), person 1 first, at 20 fps, metres, Y up; person 1 starts at the origin and faces +Z. `placements`
(2, 3): x (left), z (ahead) and heading in radians, as person 1 sees them at first. Splits are InterHuman's own.
"""
