"""`motionllm train-evaluator`: train the model that judges motions against sentences, on the train split alone.

On the clips of `motionllm prepare` it learns to judge motions of one person; on scenes (of `motionllm prepare pairs` or
`prepare interhuman`) those of several people, by the motion encoder of a trained evaluator of one. Several datasets are
learned as one.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from transformers import set_seed

from hub_scripts.data.store import SUMMARY, dataset_hash, read_summary
from hub_scripts.hub.folders import local_folder
from hub_scripts.hub.part_cards import write_evaluator_card
from hub_scripts.metrics.base import Score
from hub_scripts.metrics.judge import MotionJudge, load_evaluator
from hub_scripts.options.checkpoint import quiet
from hub_scripts.options.default_models import DEFAULT_EVALUATOR
from hub_scripts.training.evaluator import (
    EvaluatorArguments,
    EvaluatorExamples,
    EvaluatorTrainer,
    EvaluatorTrainingArguments,
    cached_sentence_embeddings,
    collate,
    new_evaluator,
    new_scene_evaluator,
    read_datasets,
    real_scores,
)
from hub_scripts.training.trainer import (
    check_resume,
    num_examples,
    only_training,
    parse_training,
    read_training_record,
    run_record,
    training_outcome,
    write_training_record,
)
from modeling_motionllm.files_motionllm import ensure_folder
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Train from the command line; see `motionllm train-evaluator --help`.

    Raises:
        MotionLLMError: no data, evaluator or sentence encoder there, or a setting out of range.
    """
    command = "motionllm train-evaluator"
    arguments, training = parse_training(argv, command, __doc__, (EvaluatorArguments, EvaluatorTrainingArguments))
    arguments.data = [local_folder(name, SUMMARY) for name in arguments.data]
    with only_training(training):
        return _train(arguments, training, " ".join([command, *argv]))


def _train(arguments: EvaluatorArguments, training: EvaluatorTrainingArguments, command: str) -> int:
    data_sha256, summaries = dataset_hash(*arguments.data), [read_summary(folder) for folder in arguments.data]
    run = run_record(arguments, training, data=data_sha256)
    resume = check_resume(training, run)
    quiet()
    motions = read_datasets(arguments.data, alone=arguments.evaluator is None)
    splits = list(motions)
    single = None
    if max(motion.num_people for motion in motions["train"]) > 1:
        single = load_evaluator(arguments.evaluator or DEFAULT_EVALUATOR)
    encoder = arguments.sentence_model if single is None else single.config.sentence_model
    folder = Path(training.output_dir)
    captions = [caption for motion in motions["train"] for caption in motion.captions]
    captions += [own.judged_caption(i) for split in splits[1:] for i, own in enumerate(motions[split])]
    sentences = cached_sentence_embeddings(captions, folder, encoder)
    tokens: dict[str, list[np.ndarray]] = {}
    set_seed(training.seed)
    if single is None:
        model = new_evaluator(arguments, motions["train"], len(next(iter(sentences.values()))))
    else:
        model = new_scene_evaluator(arguments, motions["train"], single)
        judge = MotionJudge(model.eval())
        for split, several in motions.items():
            made = judge.tokens([own.features for own in several], [own.placements for own in several])
            tokens[split] = [own.astype(np.float16) for own in made]
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    print(f"{len(motions['train'])} train motions, {trained / 1e6:.2f} M trained parameters", flush=True)

    def measure(model: MotionTextEvaluator, split: str, repeats: int = 20) -> dict[str, Score]:
        return real_scores(model, motions[split], sentences, repeats, tokens.get(split))

    trainer = EvaluatorTrainer(
        model=model,
        args=training,
        train_dataset=EvaluatorExamples(
            motions["train"],
            sentences,
            model.config.contents,
            model.config.styles,
            num_examples(training),
            training.seed,
            arguments.max_frames,
            arguments.balance,
            tokens.get("train"),
        ),
        eval_dataset=[{}],
        measure=lambda model: measure(model, "val", 5),
        data_collator=collate,
        run=run,
    )
    result = trainer.train(resume_from_checkpoint=resume)
    final = ensure_folder(folder / "final")
    trainer.save_model(str(final))
    trainer.save_state()
    scores = {split: measure(model, split) for split in splits[1:]}
    record = (
        {} if single is None else {"continued_from": read_training_record(arguments.evaluator or DEFAULT_EVALUATOR)}
    )
    write_training_record(
        final,
        command=command,
        seed=training.seed,
        data_sha256=data_sha256,
        data_name=" + ".join(filter(None, (summary.get("name") for summary in summaries))) or None,
        data_license=" + ".join(dict.fromkeys(filter(None, (each.get("license") for each in summaries)))) or None,
        composed=any(summary.get("composed") for summary in summaries),
        **training_outcome(result, trainer.state.log_history),
        real_motions={
            split: {name: {"mean": score.mean, "interval": score.interval} for name, score in columns.items()}
            for split, columns in scores.items()
        },
        history=trainer.state.log_history,
        **record,
    )
    write_evaluator_card(final)
    print(f"\nreal motions against their own captions, {final}")
    for name in scores[splits[-1]]:
        print("  " + f"{name:<18} " + "  ".join(f"{split} {columns[name]!s:<16}" for split, columns in scores.items()))
    return 0
