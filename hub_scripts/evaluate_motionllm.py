"""`motionllm evaluate`: reconstruction, text-to-motion and captioning of clips and of scenes, as one set of tables."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub_scripts.data.motion_files import load_motion
from hub_scripts.data.store import SUMMARY, read_summary
from hub_scripts.evaluation.motions import RealMotion
from hub_scripts.evaluation.protocol import evaluator_of, load_judge, read_judged_motions
from hub_scripts.evaluation.runs import Evaluation, evaluate_reconstruction, score_values
from hub_scripts.evaluation.sentences import judge_sentences, read_sentences, sentence_figures, sentence_report
from hub_scripts.evaluation.sequences import measure_sequences
from hub_scripts.evaluation.tables import T2M, print_results
from hub_scripts.hub.card import write_evaluation
from hub_scripts.hub.evaluation_record import kept_figures, put_sheet, record_evaluation
from hub_scripts.hub.folders import local_folder
from hub_scripts.hub.records import read_training_record
from hub_scripts.metrics.caption import SentenceSimilarity
from hub_scripts.metrics.judge import load_sentence_encoder
from hub_scripts.metrics.score import FolderMotions, match_folder
from hub_scripts.options.checkpoint import load_processor, quiet
from hub_scripts.options.engine import engine_settings, load_engine
from hub_scripts.options.evaluation import TASKS, caption_settings, check_evaluation_arguments, evaluation_parser
from hub_scripts.options.generation import drawing_settings
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.motion import Motion
from modeling_motionllm.settings_motionllm import unknown_threshold

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run `motionllm evaluate`.

    Raises:
        MotionLLMError: no checkpoint, dataset or evaluator there, or a setting out of range.
    """
    args = evaluation_parser().parse_args(argv)
    check_evaluation_arguments(args)
    quiet()
    folder = Path(args.out) if args.out and not args.out.endswith(".json") else None
    for path in filter(None, (folder or (args.out and Path(args.out).parent), args.sheet and Path(args.sheet).parent)):
        ensure_folder(path)
    if args.sentences is not None:
        return _judge_sentences(args)
    for name in ("data", "sequences"):
        if getattr(args, name):
            setattr(args, name, local_folder(getattr(args, name), SUMMARY))
    summary = read_summary(args.sequences or args.data)
    motions, left_out = ([], "") if args.sequences else read_judged_motions(args)
    scenes = any(motion.num_people > 1 for motion in motions)
    start = "sequences_" if args.sequences else "scenes_" if scenes else ""
    results: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat(), "split": args.split, "seed": args.seed}
    results |= {f"{start or 'data_'}name": summary.get("name"), f"{start or 'data_'}sha256": summary["sha256"]}
    if args.dataset_id is not None:
        results[f"{start}dataset_id"] = args.dataset_id
    kept = kept_figures(args.model, args.split, start) if args.card else {}
    results |= (
        measure_sequences(args, drawing_settings(args)) if args.sequences else _measure(args, motions, left_out, scenes)
    )
    print_results(results, published=summary.get("name") == "humanml3d")
    if folder is not None:
        write_evaluation(folder, results)
    elif args.out:
        _write_json(args.out, results)
    if args.sheet:
        print(f"\n{args.sheet}")
    if args.card:
        put_sheet(Path(args.model), args.sheet, "generation" in results)
        record_evaluation(args.model, kept | results)
    return 0


def _judge_sentences(args: argparse.Namespace) -> int:
    """Make a motion for each sentence of --sentences, and say which show what the sentence says."""
    sentences, settings = [one for path in args.sentences for one in read_sentences(path)], drawing_settings(args)
    if not any(one.known for one in sentences):
        raise MotionLLMError(f"'{args.sentences[0]}' has no sentence that is known; add a file of such ones")
    processor = load_processor(args.model)
    model, engine = load_engine(args, processor)
    judged = judge_sentences(model, processor, sentences, args.seed, args.batch_size, engine, **settings)
    threshold = unknown_threshold(model.generation_config)
    print(sentence_report(judged, threshold))
    if args.out:
        _write_json(args.out, {"seed": args.seed, "settings": settings} | sentence_figures(judged, threshold))
    return 0


def _write_json(path: str, figures: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _match(args: argparse.Namespace, motions: Sequence[RealMotion]) -> FolderMotions:
    """The motions of another system; what was found out about their files is said once for all that it is true of."""
    noted: dict[str, list[str]] = {}

    def read(path: Path) -> Motion:
        name = f"{path.name}: "
        return load_motion(path, tell=lambda line: noted.setdefault(line.removeprefix(name), []).append(path.name))

    matched = match_folder(args.model, [motion.row() for motion in motions], read)
    for note, files in noted.items():
        print(f"{files[0] if len(files) == 1 else f'{len(files):,} files of {args.model}'}: {note}", file=sys.stderr)
    return matched


def _measure(args: argparse.Namespace, motions: list[RealMotion], left_out: str, scenes: bool) -> dict[str, Any]:
    """The figures of the tasks, under the names that `evaluation.json` has for them."""
    tasks = args.tasks or set(TASKS) - ({"reconstruction"} if scenes else set())
    if scenes and (args.kind != "checkpoint" or "reconstruction" in tasks):
        raise MotionLLMError(f"'{args.data}' holds scenes, and reconstruction or motions of others is not for scenes")
    if args.kind == "vq":
        vq = MotionVQModel.from_pretrained(args.model).eval().to(args.device)
        return {"reconstruction": evaluate_reconstruction(vq, motions)[0]}
    if args.kind == "motions":
        matched = _match(args, motions)
        scorer = load_judge(args, motions)
        told = f"motions of {args.model}: {matched.protocol(args.repeats, args.seed)}"
        rows = {args.model: score_values(matched.score(scorer, args.repeats, args.seed))}
        part = {"protocol": "; ".join(filter(None, [told, left_out, scorer.protocol])), "rows": rows}
        return {"generation": part | _judged_by(args, motions)}
    if scenes and args.sheet is not None:
        raise MotionLLMError("--sheet shows clips of one person, and --data holds scenes; leave it out")
    processor = load_processor(args.model)
    motions = [motion for motion in motions if motion.num_frames >= processor.frames_per_code]
    for people in sorted({motion.num_people for motion in motions}):
        processor.check_people(people)
    judge = load_judge(args, motions) if "generation" in tasks else None
    model, engine = load_engine(args, processor)
    evaluation = Evaluation(
        model,
        processor,
        engine,
        motions,
        name=args.model,
        data=args.data,
        split=args.split,
        motion_settings=drawing_settings(args),
        caption_settings=caption_settings(args),
        engine_name=", ".join(engine_settings(args).values()),
        planted=args.plant_feet,
        draws=args.draws,
        repeats=args.repeats,
        seed=args.seed,
        batch_size=args.batch_size,
        work=args.work,
    )
    results: dict[str, Any] = {"reconstruction": evaluation.figures} if "reconstruction" in tasks else {}
    start = "scene_" if scenes else ""
    if judge is not None:
        part = evaluation.generation(judge, args.sheet, left_out)
        results[f"{start}generation"] = part if scenes else part | _judged_by(args, motions)
    if "captioning" in tasks:
        results[f"{start}captioning"] = evaluation.captioning(SentenceSimilarity(load_sentence_encoder()))
    return results


def _judged_by(args: argparse.Namespace, motions: Sequence[RealMotion]) -> dict[str, Any]:
    """Which evaluator judged, and the hash of the data that it was trained on."""
    name = T2M if args.t2m_folder is not None else evaluator_of(args, motions)
    local = Path(name).is_dir()
    record = read_training_record(name) if local else None
    return {"evaluator": Path(name).name if local else name, "evaluator_data_sha256": (record or {}).get("data_sha256")}
