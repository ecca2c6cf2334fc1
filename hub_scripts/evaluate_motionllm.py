"""`motionllm evaluate`: reconstruction, text-to-motion and captioning of clips and of scenes, as one set of tables."""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hub_scripts.card import EVALUATION, write_model_card
from hub_scripts.data.scenes_storage import read_scenes
from hub_scripts.data.storage import read_split, read_summary
from hub_scripts.evaluate_scenes import SCENE_COLUMNS, evaluate_scene_captioning, evaluate_scene_generation
from hub_scripts.evaluation_tables import (
    COMPOSED_NOTE,
    PUBLISHED_NOTE,
    caption_table,
    generation_table,
    plain_text,
    reconstruction_table,
    scene_caption_table,
    scene_table,
)
from hub_scripts.generated_outputs import (
    Decoding,
    OutputStore,
    decode_codes,
    generate_captions,
    generate_codes,
    reconstruct_clips,
)
from hub_scripts.loading import (
    DEFAULT_EVALUATOR,
    DEFAULT_SCENE_EVALUATOR,
    add_model_arguments,
    load_model,
    load_processor,
    quiet,
)
from hub_scripts.metrics.base import Score
from hub_scripts.metrics.caption import Captions, SentenceSimilarity
from hub_scripts.metrics.judge import MotionJudge, load_evaluator, load_sentence_encoder, own_caption
from hub_scripts.metrics.reconstruction import reconstruction_metrics
from hub_scripts.metrics.scene_judge import SceneJudge, load_scene_evaluator
from hub_scripts.metrics.score import score_captions, score_folder, score_motions
from modeling_motionllm.checksums_motionllm import file_sha256
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.modeling_motion_vq import MotionVQModel

__all__ = ["DEFAULT_EVALUATOR", "main"]

_TASKS = ("reconstruction", "generation", "captioning")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm evaluate",
        description="Measure a checkpoint on a prepared dataset. reconstruction: the VQ-VAE on whole clips. "
        "generation: a motion for one caption of each clip, as long as its real motion, by the protocol of Guo et al. "
        "2022, with the rows of the real motions and of their VQ reconstruction from the same run. captioning: a "
        "sentence for each real motion. With --scenes the same for scenes of several people. docs/evaluation.md "
        "explains every column.",
        epilog="example: motionllm evaluate --data data/bandai --split test --work runs/work --out runs/figures.json",
    )
    add_model_arguments(parser)
    parser.add_argument("--data", help="clips: folder written by `motionllm prepare`")
    parser.add_argument("--scenes", help="scenes: folder written by `motionllm prepare pairs`; with or without --data")
    parser.add_argument("--split", default="test", choices=["train", "val", "test"], help="default test")
    parser.add_argument("--tasks", default=",".join(_TASKS), help=f"of {','.join(_TASKS)} (default all)")
    parser.add_argument("--vq", help="measure this VQ-VAE folder instead of the checkpoint's (reconstruction only)")
    parser.add_argument("--folder", help="score a folder of .npz of any system instead (see docs/evaluation.md)")
    parser.add_argument("--evaluator", default=str(DEFAULT_EVALUATOR), help="default: the one in checkpoints/")
    parser.add_argument("--scene-evaluator", default=str(DEFAULT_SCENE_EVALUATOR), help="default: that in checkpoints/")
    parser.add_argument("--clips", type=int, help="only so many clips, or scenes, a fixed choice (default all)")
    parser.add_argument("--draws", type=int, default=1, help="motions per caption; from 2 on with multimodality")
    parser.add_argument("--repeats", type=int, default=20, help="repeats of the protocol (default 20)")
    parser.add_argument("--greedy", action="store_true", help="take the likeliest codes instead of drawing them")
    parser.add_argument("--temperature", type=float, default=Decoding.temperature, help="of the draws")
    parser.add_argument("--top-p", type=float, default=Decoding.top_p, help="of the draws")
    parser.add_argument("--guidance", type=float, default=Decoding.guidance_scale, help="guidance scale (1: none)")
    parser.add_argument("--batch-size", type=int, default=32, help="motions per batch (default 32)")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (default 0)")
    parser.add_argument("--work", help="keep what is generated in this folder; a run that died goes on from there")
    parser.add_argument("--out", help="also write the figures as JSON to this file")
    parser.add_argument("--card", action="store_true", help="write the figures into the checkpoint and its card")
    return parser


def _check(args: argparse.Namespace) -> set[str]:
    tasks = set(args.tasks.split(","))
    if not tasks <= set(_TASKS):
        raise MotionLLMError(f"--tasks is '{args.tasks}'; choose from {','.join(_TASKS)}")
    if args.data is None and (args.scenes is None or args.vq is not None or args.folder is not None):
        raise MotionLLMError("give --data, the clips to measure on, or --scenes (see `motionllm evaluate --help`)")
    if args.scenes is not None and (args.vq is not None or args.folder is not None):
        raise MotionLLMError("--scenes measures a checkpoint; leave --vq and --folder out")
    if args.data is None and not tasks & {"generation", "captioning"}:
        raise MotionLLMError(f"--tasks is '{args.tasks}', which is not for scenes; choose generation or captioning")
    for name in ("clips", "draws", "repeats", "batch_size"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise MotionLLMError(f"--{name.replace('_', '-')} is {value}; give at least 1")
    if args.card and (args.vq is not None or args.folder is not None or not Path(args.model).is_dir()):
        raise MotionLLMError("--card writes into a checkpoint folder; give one with --model, and no --vq or --folder")
    if args.vq is not None and args.folder is not None:
        raise MotionLLMError("give --vq or --folder, not both")
    return {"reconstruction"} if args.vq is not None else tasks


def choose_clips(rows: list[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """All rows, or `count` of them by the hash of their names: a fixed random choice."""
    if count is None:
        return rows
    chosen = sorted(rows, key=lambda row: hashlib.sha256(row["name"].encode()).hexdigest())[:count]
    return [row for row in rows if any(row is other for other in chosen)]


def _values(scores: Mapping[str, Score]) -> dict[str, list[float]]:
    return {column: [score.mean, score.interval] for column, score in scores.items()}


def _settings(args: argparse.Namespace, **more: Any) -> dict[str, Any]:
    """What generated outputs depend on: the weights by their hash where they are local."""
    weights = sorted(Path(args.model).rglob("*.safetensors")) if Path(args.model).is_dir() else []
    hashes = [file_sha256(path) for path in weights]
    return {"model": hashes or args.model, **more}


def _evaluate_generation(
    model: Any, processor: Any, judge: MotionJudge, rows: list[dict[str, Any]], args: argparse.Namespace
) -> dict[str, Any]:
    decoding = Decoding(args.greedy, args.temperature, args.top_p, args.guidance)
    limit = processor.num_codes(processor.max_seconds)
    lengths = [min(len(row["features"]) // processor.frames_per_code, limit) for row in rows]
    frames = [length * processor.frames_per_code for length in lengths]
    captions = [own_caption(row["captions"], index) for index, row in enumerate(rows)]
    store = OutputStore(args.work, **_settings(args, task="generation", decoding=str(decoding)))
    draws = [
        generate_codes(
            model, processor, captions, lengths, decoding, seed=args.seed + 1_000_003 * draw,
            batch_size=args.batch_size, store=store, label=f"generate {draw + 1}/{args.draws}",
        )
        for draw in range(args.draws)
    ]  # fmt: skip
    failed = sum(not codes for draw in draws for codes in draw)
    real = [row["features"] for row in rows]
    known = {
        "content": [row["content"] for row in rows],
        "style": [row["style"] for row in rows],
        "repeats": args.repeats,
        "seed": args.seed,
        "pool": min(32, len(rows)),
    }
    motions = {
        "real": [real],
        "reconstructed": [reconstruct_clips(model.motion_vq, real)],
        "generated": [decode_codes(model.motion_vq, draw) for draw in draws],
    }
    asked = [count / processor.fps for count in frames]
    return {
        "captions": len(rows),
        "failed": failed,
        "protocol": f"{len(rows)} captions (caption i mod n of clip i), lengths of the real motions (at most "
        f"{processor.max_seconds:g} s), pools of {known['pool']}, {args.repeats} repeats, {args.draws} draw(s), seed "
        f"{args.seed}, {decoding}; {failed} of {len(rows) * args.draws} outputs not well-formed",
        "rows": {
            name: _values(
                score_motions(judge, clips, captions, real, **known, seconds=asked if name == "generated" else None)
            )
            for name, clips in motions.items()
        },
    }


def _evaluate_captioning(
    model: Any, processor: Any, rows: list[dict[str, Any]], args: argparse.Namespace
) -> dict[str, Any]:
    store = OutputStore(args.work, **_settings(args, task="captioning", split=args.split, data=args.data))
    clips = [row["features"] for row in rows]
    written = generate_captions(
        model, processor, [row["name"] for row in rows], clips, batch_size=args.batch_size, store=store
    )
    labels = {"content": [row["content"] for row in rows], "style": [row["style"] for row in rows]}
    own = [own_caption(row["captions"], index) for index, row in enumerate(rows)]
    # A true caption is judged against the others of its clip; where it has no other, against itself.
    others = [
        [text for text in row["captions"] if text != caption] or [caption]
        for row, caption in zip(rows, own, strict=True)
    ]
    similarity = SentenceSimilarity(load_sentence_encoder())
    return {
        "clips": len(rows),
        "protocol": f"{len(rows)} real motions, greedy; all captions of a clip are references (for 'one true caption' "
        "the others)",
        "rows": {
            "real": _values(score_captions(Captions(own, others, **labels), similarity)),
            "generated": _values(
                score_captions(Captions(written, [row["captions"] for row in rows], **labels), similarity)
            ),
        },
        "examples": [
            {"name": row["name"], "written": text, "true": row["captions"][0]}
            for row, text in list(zip(rows, written, strict=True))[:: max(1, len(rows) // 12)]
        ],
    }


def _print(results: Mapping[str, Any]) -> None:
    if "reconstruction" in results:
        print("\n" + plain_text(reconstruction_table(results["reconstruction"])))
    for task, table in (("generation", generation_table), ("captioning", caption_table)):
        if task in results:
            print(f"\n{task}, {results['split']}: {results[task]['protocol']}")
            print(plain_text(table(results[task]["rows"])))
    for name, table in (("scene_generation", scene_table), ("scene_captioning", scene_caption_table)):
        if name in results:
            print(f"\n{name.replace('_', ' ')}, {results['split']}: {results[name]['protocol']}")
            print(plain_text(table(results[name]["rows"])))
    if any(results.get(name, {}).get("composed") for name in ("scene_generation", "scene_captioning")):
        print(f"\n{COMPOSED_NOTE}")
    if {"generation", "scene_generation"} & results.keys():
        print(f"\n{PUBLISHED_NOTE}")


def main(argv: Sequence[str]) -> int:
    """Run `motionllm evaluate`.

    Raises:
        MotionLLMError: no checkpoint, dataset or evaluator there, or a setting out of range.
    """
    args = _parser().parse_args(argv)
    tasks = _check(args)
    quiet()
    results: dict[str, Any] = {"split": args.split, "seed": args.seed}
    for name, folder in (("data", args.data), ("scenes", args.scenes)):
        if folder is not None:
            results[f"{name}_sha256"] = read_summary(folder)["sha256"]
    if args.out:
        ensure_folder(Path(args.out).parent)
    kept = _kept_figures(args)
    rows: list[dict[str, Any]] = []
    if args.data is not None:
        columns = ["name", "content", "style", "captions", "features"]
        rows = choose_clips(read_split(args.data, args.split, columns), args.clips)
    if args.folder is not None:
        scores = score_folder(
            args.folder, rows, MotionJudge(load_evaluator(args.evaluator, args.device)), args.repeats, args.seed
        )
        results["generation"] = {"protocol": f"motions of {args.folder}", "rows": {args.folder: _values(scores)}}
    elif args.vq is not None:
        vq = MotionVQModel.from_pretrained(args.vq).eval().to(args.device)
        results["reconstruction"] = _reconstruction(vq, rows)
    else:
        processor, model = load_processor(args.model), load_model(args.model, args.device)
        if rows:
            results |= _evaluate_clips(model, processor, rows, tasks, args)
        if args.scenes is not None:
            results |= _evaluate_scenes(model, processor, tasks, args)
    _print(results)
    if args.out:
        _write(Path(args.out), results)
    if args.card:
        _write(Path(args.model) / EVALUATION, kept | results)
        write_model_card(Path(args.model))
    return 0


def _write(path: Path, results: Mapping[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _kept_figures(args: argparse.Namespace) -> dict[str, Any]:
    """The checkpoint's figures that a card keeps beside new ones: those of clips where only scenes are measured, and
    those of scenes where only clips are.

    Raises:
        MotionLLMError: they are of another split.
    """
    path = Path(args.model) / EVALUATION
    if not args.card or not path.is_file() or (args.data is not None and args.scenes is not None):
        return {}
    known = json.loads(path.read_text(encoding="utf-8"))
    kept = {name: value for name, value in known.items() if name.startswith("scene") == (args.scenes is None)}
    if kept.keys() - {"split", "seed"} and known.get("split") != args.split:
        raise MotionLLMError(
            f"'{path}' has figures of the split '{known.get('split')}'; measure that one, or both --data and --scenes"
        )
    return kept


def _evaluate_clips(
    model: Any, processor: Any, rows: list[dict[str, Any]], tasks: set[str], args: argparse.Namespace
) -> dict[str, Any]:
    rows = [row for row in rows if len(row["features"]) >= processor.frames_per_code]
    results: dict[str, Any] = {}
    if "reconstruction" in tasks:
        results["reconstruction"] = _reconstruction(model.motion_vq, rows)
    if "generation" in tasks:
        judge = MotionJudge(load_evaluator(args.evaluator, args.device))
        results["generation"] = _evaluate_generation(model, processor, judge, rows, args)
    if "captioning" in tasks:
        results["captioning"] = _evaluate_captioning(model, processor, rows, args)
    return results


def _evaluate_scenes(model: Any, processor: Any, tasks: set[str], args: argparse.Namespace) -> dict[str, Any]:
    rows = choose_clips(read_scenes(args.scenes, args.split, SCENE_COLUMNS), args.clips)
    rows = [row for row in rows if row["joints"].shape[1] > processor.frames_per_code]
    for people in sorted({len(row["joints"]) for row in rows}):
        processor.check_people(people)
    results: dict[str, Any] = {}
    if "generation" in tasks:
        judge = SceneJudge(load_scene_evaluator(args.scene_evaluator, args.device))
        decoding = str(Decoding(args.greedy, args.temperature, args.top_p, args.guidance))
        store = OutputStore(args.work, **_settings(args, task="scene generation", decoding=decoding))
        results["scene_generation"] = evaluate_scene_generation(model, processor, judge, rows, args, store)
    if "captioning" in tasks:
        store = OutputStore(args.work, **_settings(args, task="scene captioning", split=args.split, data=args.scenes))
        similarity = SentenceSimilarity(load_sentence_encoder())
        results["scene_captioning"] = evaluate_scene_captioning(
            model, processor, rows, similarity, args.batch_size, store
        )
    return results


def _reconstruction(vq: MotionVQModel, rows: list[dict[str, Any]]) -> dict[str, Any]:
    clips = [row["features"] for row in rows if len(row["features"]) >= vq.config.frames_per_code]
    return {"clips": len(clips), **reconstruction_metrics(vq, clips, progress=True)}
