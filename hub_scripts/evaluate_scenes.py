"""The part of `motionllm evaluate` that judges scenes of several people; docs/evaluation.md explains the columns."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hub_scripts.captions.parsing import judged_caption, own_caption, tells_roles
from hub_scripts.data.scenes_features import scene_features
from hub_scripts.evaluation.outputs import Decoding, OutputStore, caption_decoding, decode_codes, drawing_words
from hub_scripts.evaluation.scene_outputs import generate_scene_captions, generate_scenes
from hub_scripts.metrics.base import Score
from hub_scripts.metrics.caption import Captions, SentenceSimilarity
from hub_scripts.metrics.judge import MotionJudge
from hub_scripts.metrics.reconstruction import reconstruct
from hub_scripts.metrics.score import Scenes, Scores, score_captions, score_motions
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.placement_motionllm import decode_placements, encode_placements
from modeling_motionllm.scene_motionllm import PART_TEMPERATURE, PLACE_TEMPERATURE

__all__ = ["SCENE_COLUMNS", "evaluate_scene_captioning", "evaluate_scene_generation", "place_and_part_words"]

SCENE_COLUMNS = ["name", "kind", "composed", "contents", "captions", "joints"]


def evaluate_scene_generation(
    model: Any,
    processor: Any,
    judge: MotionJudge,
    rows: Sequence[Mapping[str, Any]],
    args: argparse.Namespace,
    store: OutputStore,
    engine: Any = "auto",
) -> dict[str, Any]:
    """Generate a scene for one caption of each, with its number of people and its length, and score it.

    Args:
        model: one that knows scenes.
        processor: its processor.
        judge: the scene evaluator.
        rows: scenes with `SCENE_COLUMNS`, each at least a code long.
        args: the command's settings of decoding, draws, repeats, batches and seed.
        store: where generated scenes are kept.
        engine: of the motions, see `generate_motion`.

    Returns:
        The protocol in words, and for the rows `real`, `reconstructed` and `generated` the scores, overall and for
        each kind of scene.
    """
    decoding = Decoding.of(args)
    limit = processor.num_codes(processor.max_seconds)
    features, placements = scene_features(rows, args.split)
    lengths = [min(scene.shape[1] // processor.frames_per_code, limit) for scene in features]
    people = [len(scene) for scene in features]
    contents = [row["contents"] for row in rows]
    captions = [judged_caption(row["captions"], row["contents"], index) for index, row in enumerate(rows)]
    draws = [
        generate_scenes(
            model, processor, captions, people, lengths, decoding, seed=args.seed + 1_000_003 * draw,
            batch_size=args.batch_size, store=store, label=f"generate scenes {draw + 1}/{args.draws}", engine=engine,
        )
        for draw in range(args.draws)
    ]  # fmt: skip
    failed = sum(scene is None for draw in draws for scene in draw)
    bins = [encode_placements(places) for places in placements]
    scenes = {
        "real": [Scenes(features, placements)],
        "reconstructed": [
            Scenes(_by_scene(reconstruct(model.motion_vq, _people(features)).clips, people), _places(bins))
        ],
        "generated": [_decoded(model.motion_vq, draw, people, args.plant_feet) for draw in draws],
    }
    pool = min(32, len(rows))
    real = judge.embed_motions(features, placements)
    scores: dict[str, Scores] = {
        name: score_motions(
            judge, drawn, captions, real, kinds=[row["kind"] for row in rows], contents=contents,
            repeats=args.repeats, seed=args.seed, pool=pool,
        )
        for name, drawn in scenes.items()
    }  # fmt: skip
    told = sum(map(tells_roles, captions, contents))
    composed = all(row["composed"] for row in rows)
    drawn = drawing_words(args, *place_and_part_words(args, processor))
    return {
        "scenes": len(rows),
        "composed": composed,
        "failed": failed,
        "protocol": f"{len(rows)} {'composed ' if composed else ''}scenes, one caption each (of the n captions of "
        f"scene i that name what everybody does, or of all where none does, number i mod n; {told} name it), people "
        f"and lengths of the real scenes (at most {processor.max_seconds:g} s), pools of {pool}, {args.repeats} "
        f"repeats, {args.draws} draw(s), seed {args.seed}, {drawn}; {failed} of "
        f"{len(rows) * args.draws} outputs not well-formed",
        "rows": {name: _values(score) for name, score in scores.items()},
        "judged": scores["real"].judged,
        "by_kind": {name: score.by_kind for name, score in scores.items()},
    }


def evaluate_scene_captioning(
    model: Any,
    processor: Any,
    rows: Sequence[Mapping[str, Any]],
    similarity: SentenceSimilarity,
    args: argparse.Namespace,
    store: OutputStore,
) -> dict[str, Any]:
    """Caption each real scene and compare with its true captions; arguments as above.

    Returns:
        The protocol in words, the rows `real` (one true caption against the others), `shuffled` (the true caption of
        another scene: what can be had by chance) and `generated`, and some examples.
    """
    written = generate_scene_captions(
        model, processor, [row["name"] for row in rows], [row["joints"] for row in rows],
        best_of=args.caption_best_of, seed=args.seed, batch_size=args.batch_size, store=store,
    )  # fmt: skip
    own = [own_caption(row["captions"], index) for index, row in enumerate(rows)]
    half = len(own) // 2
    every = [row["captions"] for row in rows]
    # A true caption is judged against the others of its scene; where it has no other, against itself.
    others = [
        [text for text in captions if text != caption] or [caption]
        for captions, caption in zip(every, own, strict=True)
    ]
    known = ([row["contents"] for row in rows], [row["kind"] for row in rows])
    tables = {"real": (own, others), "shuffled": (own[half:] + own[:half], every), "generated": (written, every)}
    scores: dict[str, dict[str, Score]] = {}
    for name, (candidates, references) in tables.items():
        sample = Captions(candidates, references, contents=known[0], kinds=known[1])
        scores[name] = score_captions(sample, similarity)
    composed = all(row["composed"] for row in rows)
    return {
        "scenes": len(rows),
        "composed": composed,
        "protocol": f"{len(rows)} real {'(composed) ' if composed else ''}scenes, "
        f"{caption_decoding(args.caption_best_of)}; all captions of a scene are references (for 'one true caption' "
        "the others)",
        "rows": {name: _values(score) for name, score in scores.items()},
        "examples": [
            {"name": row["name"], "written": text, "true": row["captions"][0]}
            for row, text in list(zip(rows, written, strict=True))[:: max(1, len(rows) // 12)]
        ],
    }


def place_and_part_words(args: argparse.Namespace, processor: Any) -> list[str]:
    """How places and parts are drawn and used, in the words of a protocol; nothing where they are the likeliest."""
    if args.greedy:
        return []
    words = [f"places at temperature {PLACE_TEMPERATURE:g}"]
    if processor.tells_parts:
        words.append(f"parts at temperature {PART_TEMPERATURE:g}")
        if args.best_of > 1:
            words.append("the best chosen person by person, by their parts")
    return words


def _values(scores: Mapping[str, Score]) -> dict[str, list[float]]:
    return {column: [score.mean, score.interval] for column, score in scores.items()}


def _people(scenes: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [person for scene in scenes for person in scene]


def _by_scene(clips: Sequence[np.ndarray], people: Sequence[int]) -> list[np.ndarray]:
    """The motions of everybody as scenes (P, T, 263) again."""
    rest = iter(clips)
    return [np.stack([next(rest) for _ in range(count)]) for count in people]


def _places(bins: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Placements (P, 3) of bins; person 1 is the origin, and no centre of a bin."""
    placements = [decode_placements(np.asarray(scene)) for scene in bins]
    for scene in placements:
        scene[0] = 0
    return placements


def _decoded(
    vq: MotionVQModel, scenes: Sequence[dict[str, Any] | None], people: Sequence[int], planted: bool
) -> Scenes:
    """Motions of codes; of a scene that failed everybody stands in one place: it is judged and not left out."""
    codes = [
        row
        for scene, count in zip(scenes, people, strict=True)
        for row in ([[0]] * count if scene is None else scene["codes"])
    ]
    origin = encode_placements(np.zeros(3)).tolist()
    bins = [
        np.array([origin] * count if scene is None else scene["bins"])
        for scene, count in zip(scenes, people, strict=True)
    ]
    return Scenes(_by_scene(decode_codes(vq, codes, planted), people), _places(bins))
