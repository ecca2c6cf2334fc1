"""`motionllm evaluate`: reconstruction, text-to-motion and captioning of clips and of scenes, as one set of tables."""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from transformers import GenerationConfig

from hub_scripts.captions.parsing import own_caption
from hub_scripts.data.scenes_storage import read_scenes
from hub_scripts.data.storage import read_summary
from hub_scripts.evaluate_scenes import (
    SCENE_COLUMNS,
    evaluate_scene_captioning,
    evaluate_scene_generation,
    place_and_part_words,
)
from hub_scripts.evaluation.outputs import (
    Decoding,
    OutputStore,
    caption_decoding,
    decode_codes,
    drawing_words,
    generate_captions,
    generate_codes,
)
from hub_scripts.evaluation.protocol import (
    add_protocol_arguments,
    check_protocol,
    choose_clips,
    load_judge,
    read_clips,
)
from hub_scripts.evaluation.sheet import choose_sheet_rows, save_evaluation_sheet
from hub_scripts.evaluation.tables import (
    COMPOSED_NOTE,
    PUBLISHED_NOTE,
    caption_table,
    generation_table,
    plain_text,
    published_captions,
    published_generation,
    reconstruction_table,
    scene_caption_table,
    scene_table,
)
from hub_scripts.hub.card import T2M, write_evaluation
from hub_scripts.hub.records import SHEET, read_evaluation
from hub_scripts.metrics.base import Score
from hub_scripts.metrics.caption import Captions, SentenceSimilarity
from hub_scripts.metrics.judge import Judge, MotionJudge, load_evaluator, load_sentence_encoder
from hub_scripts.metrics.reconstruction import Reconstruction, reconstruct, reconstruction_metrics
from hub_scripts.metrics.score import match_folder, score_captions, score_motions
from hub_scripts.options.checkpoint import DEFAULT_SCENE_EVALUATOR, add_model_arguments, load_processor, quiet
from hub_scripts.options.engine import (
    add_engine_arguments,
    check_engine_arguments,
    engine_settings,
    load_engine,
)
from hub_scripts.training.trainer import read_training_record
from modeling_motionllm.checksums_motionllm import file_sha256
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.settings_motionllm import CaptionSettings, MotionSettings

__all__ = ["main"]

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
    parser.add_argument("--scene-evaluator", default=str(DEFAULT_SCENE_EVALUATOR), help="default: that in checkpoints/")
    parser.add_argument("--split", default="test", choices=["train", "val", "test"], help="default test")
    parser.add_argument("--tasks", default=",".join(_TASKS), help=f"of {','.join(_TASKS)} (default all)")
    parser.add_argument("--vq", help="measure this VQ-VAE folder instead of the checkpoint's (reconstruction only)")
    parser.add_argument("--folder", help="score a folder of .npz of any system instead (see docs/evaluation.md)")
    add_protocol_arguments(parser)
    parser.add_argument("--draws", type=int, default=1, help="motions per caption; from 2 on with multimodality")
    parser.add_argument("--repeats", type=int, default=20, help="repeats of the protocol (default 20)")
    parser.add_argument("--greedy", action="store_true", help="take the likeliest codes instead of drawing them")
    parser.add_argument("--temperature", type=float, default=Decoding.temperature, help="of the draws")
    parser.add_argument("--top-p", type=float, default=Decoding.top_p, help="of the draws")
    parser.add_argument("--guidance", type=float, default=Decoding.guidance_scale, help="guidance scale (1: none)")
    parser.add_argument(
        "--best-of", type=int, default=Decoding.best_of, metavar="N", help="candidates of each motion (default 1)"
    )
    parser.add_argument(
        "--caption-best-of", type=int, default=1, metavar="N", help="candidates of each caption (default 1: greedy)"
    )
    parser.add_argument(
        "--plant-feet", action="store_true", help="hold feet of generated motions where they stand, as `generate` can"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="motions per batch (default 32)")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (default 0)")
    parser.add_argument("--work", help="keep what is generated in this folder; a run that died goes on from there")
    parser.add_argument("--out", help="also write the figures as JSON to this file")
    parser.add_argument("--card", action="store_true", help="write the figures into the checkpoint and its card")
    parser.add_argument(
        "--results",
        help="write them into this folder as the Hub reads them (.eval_results/*.yaml), for a checkpoint that is no "
        "folder of yours: `hf upload user/name FOLDER . --create-pr`",
    )
    parser.add_argument(
        "--sheet",
        metavar="FILE.png",
        help="also draw generated motions beside the real ones for 16 captions, spread over contents and styles by a "
        "fixed rule; with --card the picture goes into the checkpoint and its card too",
    )
    parser.add_argument("--dataset-id", help="Hub id of the dataset, for the card and the Hub (default: its name)")
    parser.add_argument("--scenes-dataset-id", help="Hub id of the dataset of --scenes, likewise")
    add_engine_arguments(parser)
    return parser


def _check(args: argparse.Namespace) -> set[str]:
    tasks = set(args.tasks.split(","))
    if not tasks <= set(_TASKS):
        raise MotionLLMError(f"--tasks is '{args.tasks}'; choose from {','.join(_TASKS)}")
    MotionSettings.of(GenerationConfig(), Decoding.of(args).settings)
    CaptionSettings(num_candidates=args.caption_best_of)
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
        raise MotionLLMError(
            "--card writes into a checkpoint folder; give one with --model, and no --vq or --folder (for a checkpoint "
            "on the Hub there is --results FOLDER)"
        )
    if args.sheet is not None:
        if Path(args.sheet).suffix.lower() != ".png":
            raise MotionLLMError(f"--sheet is '{args.sheet}'; give a name that ends in .png")
        if args.vq is not None or args.folder is not None or args.data is None or "generation" not in tasks:
            raise MotionLLMError("--sheet shows what the checkpoint generates; it needs --data and the task generation")
    if args.results is not None and args.folder is not None:
        raise MotionLLMError("--results tells of a checkpoint; leave it out with --folder")
    for option, name in (("--dataset-id", args.dataset_id), ("--scenes-dataset-id", args.scenes_dataset_id)):
        if name is not None:
            try:
                validate_repo_id(name)
            except HFValidationError as error:
                raise MotionLLMError(f"{option} is '{name}'; give 'user/name' of a dataset") from error
    if args.vq is not None and args.folder is not None:
        raise MotionLLMError("give --vq or --folder, not both")
    check_engine_arguments(args)
    if (args.card or args.results) and engine_settings(args):
        raise MotionLLMError("--card and --results tell of the checkpoint as it is; leave --engine out")
    check_protocol(args)
    return {"reconstruction"} if args.vq is not None else tasks


def _values(scores: Mapping[str, Score]) -> dict[str, list[float]]:
    return {column: [score.mean, score.interval] for column, score in scores.items()}


def _settings(args: argparse.Namespace, **more: Any) -> dict[str, Any]:
    """What generated outputs depend on: the weights by their hash where they are local."""
    weights = sorted(Path(args.model).rglob("*.safetensors")) if Path(args.model).is_dir() else []
    hashes = [file_sha256(path) for path in weights]
    return {"model": hashes or args.model, **more}


def _evaluate_generation(
    model: Any,
    processor: Any,
    judge: Judge,
    rows: list[dict[str, Any]],
    made: Reconstruction,
    left_out: str,
    args: argparse.Namespace,
    engine: Any,
) -> dict[str, Any]:
    decoding = Decoding.of(args)
    limit = processor.num_codes(processor.max_seconds)
    lengths = [min(len(row["features"]) // processor.frames_per_code, limit) for row in rows]
    frames = [length * processor.frames_per_code for length in lengths]
    captions = [own_caption(row["captions"], index) for index, row in enumerate(rows)]
    store = OutputStore(
        args.work, **_settings(args, task="generation", decoding=str(decoding), **engine_settings(args))
    )
    draws = [
        generate_codes(
            model, processor, captions, lengths, decoding, seed=args.seed + 1_000_003 * draw,
            batch_size=args.batch_size, store=store, label=f"generate {draw + 1}/{args.draws}",
            engine=engine,
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
        "reconstructed": [made.clips],
        "generated": [decode_codes(model.motion_vq, draw, args.plant_feet) for draw in draws],
    }
    if args.sheet is not None:
        shown = choose_sheet_rows(rows, args.seed)
        told, first = [captions[row] for row in shown], motions["generated"][0]
        save_evaluation_sheet(Path(args.sheet), told, [first[row] for row in shown], [real[row] for row in shown])
    asked = [count / processor.fps for count in frames]
    return {
        "captions": len(rows),
        "failed": failed,
        "sheet": args.sheet is not None,
        "protocol": f"{len(rows)} captions (caption i mod n of clip i), lengths of the real motions (at most "
        f"{processor.max_seconds:g} s), pools of {known['pool']}, {args.repeats} repeats, {args.draws} draw(s), seed "
        f"{args.seed}, {drawing_words(args)}; {failed} of {len(rows) * args.draws} outputs not well-formed; "
        + "; ".join(filter(None, [left_out, judge.protocol])),
        "rows": {
            name: _values(
                score_motions(judge, clips, captions, real, **known, seconds=asked if name == "generated" else None)
            )
            for name, clips in motions.items()
        },
    }


def _evaluate_captioning(
    model: Any, processor: Any, rows: list[dict[str, Any]], made: Reconstruction, args: argparse.Namespace
) -> dict[str, Any]:
    chosen = caption_decoding(args.caption_best_of)
    store = OutputStore(args.work, **_settings(args, task="captioning", split=args.split, data=args.data, how=chosen))
    written = generate_captions(
        model, processor, [row["name"] for row in rows], made.codes,
        best_of=args.caption_best_of, seed=args.seed, batch_size=args.batch_size, store=store,
    )  # fmt: skip
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
        "protocol": f"{len(rows)} real motions, {chosen}; all captions of a clip are references (for 'one true "
        "caption' the others)",
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


def _print(results: Mapping[str, Any], published: bool) -> None:
    """Tables for the terminal; `published` rows stand in one table with ours where one evaluator made both."""
    if "reconstruction" in results:
        print("\n" + plain_text(reconstruction_table(results["reconstruction"])))
    if "generation" in results:
        part = results["generation"]
        comparable = published and part["evaluator"] == T2M
        print(f"\ngeneration, {results['split']}: {part['protocol']}")
        print(plain_text(generation_table(part["rows"] | (published_generation() if comparable else {}))))
        if published and not comparable:
            print("\npublished, through the T2M evaluator:")
            print(plain_text(generation_table(published_generation())))
    if "captioning" in results:
        print(f"\ncaptioning, {results['split']}: {results['captioning']['protocol']}")
        print(plain_text(caption_table(results["captioning"]["rows"] | (published_captions() if published else {}))))
    for name, table in (("scene_generation", scene_table), ("scene_captioning", scene_caption_table)):
        if name in results:
            print(f"\n{name.replace('_', ' ')}, {results['split']}: {results[name]['protocol']}")
            print(plain_text(table(results[name]["rows"])))
    if any(results.get(name, {}).get("composed") for name in ("scene_generation", "scene_captioning")):
        print(f"\n{COMPOSED_NOTE}")
    if ("generation" in results and not published) or "scene_generation" in results:
        print(f"\n{PUBLISHED_NOTE}")


def main(argv: Sequence[str]) -> int:
    """Run `motionllm evaluate`.

    Raises:
        MotionLLMError: no checkpoint, dataset or evaluator there, or a setting out of range.
    """
    args = _parser().parse_args(argv)
    tasks = _check(args)
    quiet()
    summary = {} if args.data is None else read_summary(args.data)
    results: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "split": args.split,
        "seed": args.seed,
    }
    if args.data is not None:
        results |= {"data_name": summary.get("name"), "data_sha256": summary["sha256"]}
    if args.scenes is not None:
        scenes = read_summary(args.scenes)
        results |= {"scenes_name": scenes.get("name"), "scenes_sha256": scenes["sha256"]}
    for name in ("dataset_id", "scenes_dataset_id"):
        if getattr(args, name) is not None:
            results[name] = getattr(args, name)
    for file in filter(None, (args.out, args.sheet)):
        ensure_folder(Path(file).parent)
    if args.results:
        ensure_folder(args.results)
    kept = _kept_figures(args)
    rows, left_out = ([], "") if args.data is None else read_clips(args)
    if args.folder is not None:
        judge = load_judge(args, rows)
        motions = match_folder(args.folder, rows)
        told = f"motions of {args.folder}: {motions.protocol(args.repeats, args.seed)}"
        scores = motions.score(judge, args.repeats, args.seed)
        protocol = "; ".join(filter(None, [told, left_out, judge.protocol]))
        results["generation"] = {"protocol": protocol, "rows": {args.folder: _values(scores)}}
    elif args.vq is not None:
        vq = MotionVQModel.from_pretrained(args.vq).eval().to(args.device)
        results["reconstruction"], _ = _reconstruction(vq, rows)
    else:
        processor = load_processor(args.model)
        model, engine = load_engine(args, processor)
        if rows:
            results |= _evaluate_clips(model, processor, rows, tasks, left_out, args, engine)
        if args.scenes is not None:
            results |= _evaluate_scenes(model, processor, tasks, args, engine)
    if "generation" in results:
        local = Path(args.evaluator).is_dir()
        results["generation"]["evaluator"] = Path(args.evaluator).name if local else args.evaluator
        trained_on = (read_training_record(Path(args.evaluator)) or {}).get("data_sha256") if local else None
        results["generation"]["evaluator_data_sha256"] = trained_on
    _print(results, published=summary.get("name") == "humanml3d")
    if args.out:
        with atomic_path(args.out) as temporary:
            temporary.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if args.results:
        write_evaluation(Path(args.results), results)
    if args.sheet:
        print(f"\n{args.sheet}")
    if args.card:
        _put_sheet(Path(args.model), args.sheet, "generation" in results)
        write_evaluation(Path(args.model), kept | results, _shown_path(args.model))
    return 0


def _put_sheet(folder: Path, sheet: str | None, measured: bool) -> None:
    """Put the contact sheet into a checkpoint; one of earlier motions goes where new ones were `measured`."""
    place = folder / SHEET
    if sheet is None:
        if measured:
            place.unlink(missing_ok=True)
    elif not (place.exists() and place.samefile(sheet)):
        with atomic_path(place) as temporary:
            shutil.copyfile(sheet, temporary)


def _shown_path(name: str) -> str:
    """A checkpoint as the card is to name it: as it was given, or from here where that is shorter."""
    path = Path(name)
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else name


def _kept_figures(args: argparse.Namespace) -> dict[str, Any]:
    """The checkpoint's figures that a card keeps beside new ones: those of clips where only scenes are measured, and
    those of scenes where only clips are.

    Raises:
        MotionLLMError: they are of another split.
    """
    known = read_evaluation(Path(args.model)) if args.card else None
    if known is None or (args.data is not None and args.scenes is not None):
        return {}
    kept = {name: value for name, value in known.items() if name.startswith("scene") == (args.scenes is None)}
    if kept.keys() - {"date", "split", "seed"} and known.get("split") != args.split:
        raise MotionLLMError(
            f"'{args.model}' has figures of split '{known.get('split')}'; measure that one, or both --data and --scenes"
        )
    return kept


def _evaluate_clips(
    model: Any,
    processor: Any,
    rows: list[dict[str, Any]],
    tasks: set[str],
    left_out: str,
    args: argparse.Namespace,
    engine: Any,
) -> dict[str, Any]:
    rows = [row for row in rows if len(row["features"]) >= processor.frames_per_code]
    judge = load_judge(args, rows) if "generation" in tasks else None
    results: dict[str, Any] = {}
    figures, made = _reconstruction(model.motion_vq, rows)
    if "reconstruction" in tasks:
        results["reconstruction"] = figures
    if judge is not None:
        results["generation"] = _evaluate_generation(model, processor, judge, rows, made, left_out, args, engine)
    if "captioning" in tasks:
        results["captioning"] = _evaluate_captioning(model, processor, rows, made, args)
    return results


def _evaluate_scenes(
    model: Any, processor: Any, tasks: set[str], args: argparse.Namespace, engine: Any
) -> dict[str, Any]:
    rows = choose_clips(read_scenes(args.scenes, args.split, SCENE_COLUMNS), args.clips)
    rows = [row for row in rows if row["joints"].shape[1] > processor.frames_per_code]
    for people in sorted({len(row["joints"]) for row in rows}):
        processor.check_people(people)
    results: dict[str, Any] = {}
    if "generation" in tasks:
        judge = MotionJudge(load_evaluator(args.scene_evaluator, args.device))
        drawing = {
            "decoding": ", ".join([str(Decoding.of(args)), *place_and_part_words(args, processor)]),
            **engine_settings(args),
        }
        store = OutputStore(args.work, **_settings(args, task="scene generation", **drawing))
        results["scene_generation"] = evaluate_scene_generation(model, processor, judge, rows, args, store, engine)
    if "captioning" in tasks:
        how = caption_decoding(args.caption_best_of)
        settings = _settings(args, task="scene captioning", split=args.split, data=args.scenes, how=how)
        similarity = SentenceSimilarity(load_sentence_encoder())
        results["scene_captioning"] = evaluate_scene_captioning(
            model, processor, rows, similarity, args, OutputStore(args.work, **settings)
        )
    return results


def _reconstruction(vq: MotionVQModel, rows: list[dict[str, Any]]) -> tuple[dict[str, Any], Reconstruction]:
    """Figures of the VQ-VAE, and what it makes of the clips; they are encoded this once."""
    clips = [row["features"] for row in rows if len(row["features"]) >= vq.config.frames_per_code]
    made = reconstruct(vq, clips, progress=True)
    return {"clips": len(clips), **reconstruction_metrics(vq, clips, made=made)}, made
