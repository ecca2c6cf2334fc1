"""What `motionllm evaluate` measures with: the clips that count, and the judge of motions and sentences."""

import argparse
import hashlib
from collections.abc import Sequence
from typing import Any

from hub_scripts.data.storage import dataset_columns, read_split
from hub_scripts.hub.card import T2M
from hub_scripts.metrics.judge import Judge, MotionJudge, load_evaluator
from hub_scripts.options.checkpoint import DEFAULT_EVALUATOR, require_shipped
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import KIT

__all__ = [
    "add_protocol_arguments",
    "check_protocol",
    "choose_clips",
    "length_limits",
    "load_judge",
    "read_clips",
]

# Guo et al. 2022: motions and parts of at least 40 rows (KIT-ML: 24) and under 200, of motions that are so themselves.
_T2M_FRAMES, _T2M_FRAMES_KIT = (40, 199), (24, 199)


def add_protocol_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the judge and of the clips."""
    parser.add_argument(
        "--evaluator",
        default=str(DEFAULT_EVALUATOR),
        help="folder or Hub id of an evaluator, or 't2m' for the published one of Guo et al. 2022 (default: the "
        "shipped one)",
    )
    parser.add_argument(
        "--t2m-folder", metavar="DIR", help="with --evaluator t2m: its published files, checkpoints/t2m (kit) and glove"
    )
    parser.add_argument(
        "--min-frames", type=int, metavar="N", help="leave out clips of fewer feature rows (t2m: 40, KIT-ML 24)"
    )
    parser.add_argument("--max-frames", type=int, metavar="N", help="leave out clips of more feature rows (t2m: 199)")
    parser.add_argument("--clips", type=int, help="only so many clips, a fixed random choice (default all)")


def check_protocol(args: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        MotionLLMError: they do not.
    """
    require_shipped(args.evaluator)
    if (args.evaluator == T2M) != (args.t2m_folder is not None):
        raise MotionLLMError("--evaluator t2m and --t2m-folder DIR go together; give both or neither")
    for name in ("min_frames", "max_frames"):
        value = getattr(args, name)
        if value is not None and value < 0:
            raise MotionLLMError(f"--{name.replace('_', '-')} is {value}; give 0 or more")


def choose_clips(rows: list[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """All rows, or `count` of them by the hash of their names: a fixed random choice."""
    if count is None:
        return rows
    chosen = sorted(rows, key=lambda row: hashlib.sha256(row["name"].encode()).hexdigest())[:count]
    return [row for row in rows if any(row is other for other in chosen)]


def length_limits(args: argparse.Namespace, columns: int) -> tuple[int, int | None]:
    """Least and most feature rows of a clip: those asked for, else those of the judge's protocol."""
    least, most = (0, None) if args.evaluator != T2M else _T2M_FRAMES_KIT if columns == KIT.feature_dim else _T2M_FRAMES
    return (
        least if args.min_frames is None else args.min_frames,
        most if args.max_frames is None else args.max_frames,
    )


def read_clips(args: argparse.Namespace) -> tuple[list[dict[str, Any]], str]:
    """The rows of the split that count, and what to say of the others ("" where there are none).

    Raises:
        MotionLLMError: no such dataset or split, or no clip of a length within the limits.
    """
    columns = ["name", "content", "style", "captions", "features"]
    columns += [name for name in ("tokens", "recording_frames") if name in dataset_columns(args.data, args.split)]
    rows = read_split(args.data, args.split, columns)
    least, most = length_limits(args, rows[0]["features"].shape[1])

    def fits(frames: int) -> bool:
        return least <= frames and (most is None or frames <= most)

    # A part of a motion counts only where the whole does, as in the published loader.
    kept = [
        row for row in rows if fits(len(row["features"])) and fits(row.get("recording_frames", len(row["features"])))
    ]
    if not kept:
        raise MotionLLMError(f"none of {len(rows)} clips has {least} to {most} feature rows; change --min-frames")
    told = f"{len(rows) - len(kept)} clips under {least} or over {most} frames left out"
    return choose_clips(kept, args.clips), told if len(kept) < len(rows) else ""


def load_judge(args: argparse.Namespace, rows: Sequence[dict[str, Any]]) -> Judge:
    """The judge for these rows.

    Raises:
        MotionLLMError: it is not there, or the data does not suit it.
    """
    columns = rows[0]["features"].shape[1]
    if args.evaluator != T2M:
        evaluator = load_evaluator(args.evaluator, args.device)
        if evaluator.config.input_dim != columns:
            raise MotionLLMError(
                f"the evaluator '{args.evaluator}' judges features of {evaluator.config.input_dim} columns and the "
                f"data has {columns}; train one on this data (`motionllm train-evaluator`), or give --evaluator t2m"
            )
        return MotionJudge(evaluator)
    if "tokens" not in rows[0]:
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
    tokens = {text: words for row in rows for text, words in zip(row["captions"], row["tokens"], strict=True)}
    return T2MJudge(published, T2MWords(files.words), tokens)
