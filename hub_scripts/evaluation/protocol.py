"""What `motionllm evaluate` measures with: the motions that count, and the judge of motions and sentences."""

import argparse
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from hub_scripts.evaluation.motions import RealMotion, read_real_motions
from hub_scripts.evaluation.tables import T2M
from hub_scripts.metrics.judge import Judge, MotionJudge, load_evaluator
from hub_scripts.options.default_models import DEFAULT_EVALUATOR, DEFAULT_SCENE_EVALUATOR, require_shipped
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import KIT

__all__ = ["add_protocol_arguments", "check_protocol", "evaluator_of", "load_judge", "read_judged_motions"]

# Guo et al. 2022: motions and parts of at least 40 rows (KIT-ML: 24) and under 200, of motions that are so themselves.
_T2M_FRAMES, _T2M_FRAMES_KIT = (40, 199), (24, 199)


def add_protocol_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the judge and of the motions; `check_protocol` reads them."""
    parser.add_argument(
        "--evaluator",
        help="folder or Hub id of an evaluator, or t2m:DIR for the published one of Guo et al. 2022 with its files in "
        "DIR (checkpoints/t2m or kit, and glove); default: the shipped one, of clips or of scenes",
    )
    parser.add_argument(
        "--frames",
        metavar="MIN-MAX",
        help="leave out motions of fewer or more feature rows (default all; with t2m 40-199, for KIT-ML 24-199)",
    )
    parser.add_argument("--clips", type=int, help="only so many motions, a fixed random choice (default all)")


def check_protocol(args: argparse.Namespace) -> None:
    """Refuse values of these options that cannot be used; sets `t2m_folder` and makes numbers of `frames`.

    Raises:
        MotionLLMError: they cannot.
    """
    name, _, folder = (args.evaluator or "").partition(":")
    args.t2m_folder = str(Path(folder).expanduser()) if name == T2M else None
    if name == T2M and not folder:
        raise MotionLLMError("--evaluator is 't2m'; say where its published files are: --evaluator t2m:DIR")
    if args.frames is not None:
        found = re.fullmatch(r"(\d+)-(\d+)", args.frames)
        if found is None:
            raise MotionLLMError(f"--frames is '{args.frames}'; give the fewest and the most, such as 40-199")
        args.frames = (int(found[1]), int(found[2]))


def _length_limits(args: argparse.Namespace, columns: int) -> tuple[int, int | None]:
    """Least and most feature rows of a motion: those asked for, else those of the judge's protocol."""
    if args.frames is not None:
        return args.frames
    return (0, None) if args.t2m_folder is None else _T2M_FRAMES_KIT if columns == KIT.feature_dim else _T2M_FRAMES


def read_judged_motions(args: argparse.Namespace) -> tuple[list[RealMotion], str]:
    """The motions of the split that count, and what to say of the others ("" where there are none).

    With --clips so many of them, by the hash of their names: a fixed random choice.

    Raises:
        MotionLLMError: no such dataset or split, or no motion of a length within the limits.
    """
    motions = read_real_motions(args.data, args.split)
    least, most = _length_limits(args, motions[0].features.shape[-1])

    def fits(frames: int) -> bool:
        return least <= frames and (most is None or frames <= most)

    # A part of a motion counts only where the whole does, as in the published loader.
    kept = [motion for motion in motions if fits(motion.num_frames) and fits(motion.recording_frames)]
    if not kept:
        raise MotionLLMError(f"none of {len(motions)} clips has {least} to {most} feature rows; change --frames")
    left_out = len(motions) - len(kept)
    if args.clips is not None:
        order = sorted(kept, key=lambda motion: hashlib.sha256(motion.name.encode()).hexdigest())
        chosen = {id(motion) for motion in order[: args.clips]}
        kept = [motion for motion in kept if id(motion) in chosen]
    return kept, f"{left_out} clips under {least} or over {most} frames left out" if left_out else ""


def evaluator_of(args: argparse.Namespace, motions: Sequence[RealMotion]) -> str:
    """The evaluator that was asked for, else the shipped one for these motions."""
    scenes = any(motion.num_people > 1 for motion in motions)
    return args.evaluator or str(DEFAULT_SCENE_EVALUATOR if scenes else DEFAULT_EVALUATOR)


def load_judge(args: argparse.Namespace, motions: Sequence[RealMotion]) -> Judge:
    """The judge for these motions.

    Raises:
        MotionLLMError: it is not there, or the data does not suit it.
    """
    columns, people = motions[0].features.shape[-1], max(motion.num_people for motion in motions)
    if args.t2m_folder is None:
        name = evaluator_of(args, motions)
        require_shipped(name)
        evaluator = load_evaluator(name, args.device)
        if evaluator.config.input_dim != columns:
            raise MotionLLMError(
                f"the evaluator '{name}' judges features of {evaluator.config.input_dim} columns and the data has "
                f"{columns}; train one on this data (`motionllm train-evaluator`), or give --evaluator t2m:DIR"
            )
        if evaluator.config.max_people < people:
            raise MotionLLMError(
                f"the evaluator '{name}' judges scenes of up to {evaluator.config.max_people} people and the data has "
                f"{people}; train one on this data (`motionllm train-evaluator`)"
            )
        return MotionJudge(evaluator)
    tokens: dict[str, str] = {}
    for motion in motions:
        tokens |= dict(zip(motion.captions, motion.tokens or (), strict=bool(motion.tokens)))
    if not tokens or people > 1:
        raise MotionLLMError(
            f"'{args.data}' has no word classes, which the T2M evaluator reads; use data of "
            "`motionllm prepare humanml3d` or `kit`"
        )
    from hub_scripts.metrics.t2m import T2MEvaluator, T2MJudge
    from hub_scripts.metrics.t2m_files import find_t2m_files
    from hub_scripts.metrics.t2m_words import T2MWords

    files = find_t2m_files(args.t2m_folder, columns)
    published = T2MEvaluator.from_files(files.checkpoint, files.mean, files.std).to(args.device)
    if len(published.mean) != columns:
        raise MotionLLMError(
            f"the data has {columns} feature columns, the evaluator's statistics {len(published.mean)}"
        )
    return T2MJudge(published, T2MWords(files.words), tokens)
