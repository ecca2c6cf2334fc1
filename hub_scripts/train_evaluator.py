"""`motionllm train-evaluator`: train the model that judges motions against sentences, on the train split alone.

On the clips of `motionllm prepare` it learns to judge motions of one person; on scenes (of `motionllm prepare pairs` or
`prepare interhuman`) those of several people, by the motion encoder of a trained evaluator of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from transformers import HfArgumentParser, TrainingArguments, set_seed

from hub_scripts.data.store import dataset_hash, existing_splits, read_summary
from hub_scripts.evaluation.motions import RealMotion, read_real_motions
from hub_scripts.hub.part_cards import write_evaluator_card
from hub_scripts.metrics.base import Score
from hub_scripts.metrics.judge import MotionJudge, load_evaluator
from hub_scripts.options.checkpoint import DEFAULT_EVALUATOR, quiet
from hub_scripts.training.evaluator import (
    EvaluatorExamples,
    EvaluatorTrainer,
    cached_sentence_embeddings,
    collate,
    real_scores,
)
from hub_scripts.training.motion_vq import feature_statistics
from hub_scripts.training.trainer import check_resume, read_training_record, training_outcome, write_training_record
from modeling_motionllm.configuration_evaluator import MotionTextEvaluatorConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import ensure_folder
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.motion_features import skeleton_of_features
from modeling_motionllm.sentence_encoder import SENTENCE_MODEL

__all__ = ["main"]


@dataclass
class EvaluatorArguments:
    """The evaluator and its data."""

    data: str = field(metadata={"help": "Folder written by `motionllm prepare`, of clips or of scenes."})
    evaluator: str = field(
        default=str(DEFAULT_EVALUATOR),
        metadata={"help": "Scenes: trained evaluator of clips, whose motion encoder is taken as it is."},
    )
    sentence_model: str = field(
        default=SENTENCE_MODEL, metadata={"help": "Clips: frozen sentence encoder, Hub id or folder."}
    )
    hidden_size: int = field(default=192, metadata={"help": "Clips: width of the motion encoder."})
    num_hidden_layers: int = field(default=3, metadata={"help": "Clips: transformer layers of the motion encoder."})
    embed_dim: int = field(default=256, metadata={"help": "Clips: dimension of the shared space."})
    scene_hidden_size: int = field(default=128, metadata={"help": "Scenes: width of the scene encoder."})
    num_scene_layers: int = field(default=2, metadata={"help": "Scenes: transformer layers of the scene encoder."})
    max_frames: int = field(
        default=200, metadata={"help": "Longer clips are cut to a random window of this many frames."}
    )
    balance: float = field(
        default=0.5,
        metadata={"help": "Clips of a content are drawn by (their number) ** balance; 1 draws clips alike."},
    )
    dropout: float = field(default=0.1, metadata={"help": "Dropout of what is trained."})
    classification_weight: float = field(default=0.5, metadata={"help": "Weight of the losses of content and style."})


@dataclass
class EvaluatorTrainingArguments(TrainingArguments):
    """Trainer arguments with defaults for this model."""

    output_dir: str = field(default="runs/evaluator", metadata={"help": "Checkpoints, logs and the final model."})
    max_steps: int = field(default=400)
    per_device_train_batch_size: int = field(default=96)
    learning_rate: float = field(default=1e-3)
    lr_scheduler_type: str = field(default="cosine")
    warmup_steps: float = field(default=40)
    weight_decay: float = field(default=0.01)
    logging_steps: float = field(default=20)
    eval_strategy: str = field(default="steps")
    eval_steps: float | None = field(default=100)
    save_steps: float = field(default=50)
    save_total_limit: int | None = field(default=2)
    report_to: str = field(default="none")
    remove_unused_columns: bool = field(default=False)
    resume: bool = field(default=False, metadata={"help": "Go on from the last checkpoint in output_dir."})


def _new_model(arguments: EvaluatorArguments, motions: Sequence[RealMotion], sentence_dim: int) -> MotionTextEvaluator:
    """An evaluator of one person, with the classes and the statistics of the motions."""
    skeleton = skeleton_of_features(motions[0].features.shape[-1])
    config = MotionTextEvaluatorConfig(
        input_dim=skeleton.feature_dim,
        fps=skeleton.fps,
        sentence_model=arguments.sentence_model,
        sentence_dim=sentence_dim,
        hidden_size=arguments.hidden_size,
        intermediate_size=2 * arguments.hidden_size,
        num_hidden_layers=arguments.num_hidden_layers,
        embed_dim=arguments.embed_dim,
        dropout=arguments.dropout,
        classification_weight=arguments.classification_weight,
        contents=sorted({motion.contents[0] for motion in motions}),
        styles=sorted({motion.styles[0] for motion in motions}),
    )
    model = MotionTextEvaluator(config)
    model.set_normalization(*feature_statistics([motion.features[0] for motion in motions]))
    return model


def _new_scene_model(
    arguments: EvaluatorArguments, motions: Sequence[RealMotion], single: MotionTextEvaluator
) -> MotionTextEvaluator:
    """An evaluator of scenes around the motion encoder of `single`, with the classes and the most people of these."""
    heads = single.config.num_attention_heads
    if arguments.scene_hidden_size % heads or arguments.num_scene_layers < 1:
        raise MotionLLMError(
            f"--scene_hidden_size is {arguments.scene_hidden_size} and --num_scene_layers "
            f"{arguments.num_scene_layers}; give a multiple of the {heads} attention heads, and at least one layer"
        )
    taken = ("input_dim", "fps", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    config = MotionTextEvaluatorConfig(
        **{name: getattr(single.config, name) for name in (*taken, "embed_dim", "sentence_model", "sentence_dim")},
        dropout=arguments.dropout,
        classification_weight=arguments.classification_weight,
        scene_hidden_size=arguments.scene_hidden_size,
        num_scene_layers=arguments.num_scene_layers,
        max_people=max(motion.num_people for motion in motions),
        contents=sorted({content for motion in motions for content in motion.contents} - {""}) or ["unknown"],
    )
    model = MotionTextEvaluator(config)
    model.motion_encoder.load_state_dict(single.motion_encoder.state_dict())
    return model


def main(argv: Sequence[str]) -> int:
    """Train from the command line; see `motionllm train-evaluator --help`.

    Raises:
        MotionLLMError: no data, evaluator or sentence encoder there, or a setting out of range.
    """
    parser = HfArgumentParser(
        (EvaluatorArguments, EvaluatorTrainingArguments),
        prog="motionllm train-evaluator",
        description=__doc__,
        allow_abbrev=False,
    )
    arguments, training = parser.parse_args_into_dataclasses(list(argv))
    resume = check_resume(training, training.resume)
    data_sha256, summary = dataset_hash(arguments.data), read_summary(arguments.data)
    quiet()
    splits = [
        split for split in ("train", "val", "test") if split != "test" or split in existing_splits(arguments.data)
    ]
    motions = {split: read_real_motions(arguments.data, split) for split in splits}
    single = None
    if max(motion.num_people for motion in motions["train"]) > 1:
        single = load_evaluator(arguments.evaluator)
    encoder = arguments.sentence_model if single is None else single.config.sentence_model
    folder = Path(training.output_dir)
    captions = [caption for motion in motions["train"] for caption in motion.captions]
    captions += [own.judged_caption(i) for split in splits[1:] for i, own in enumerate(motions[split])]
    sentences = cached_sentence_embeddings(captions, folder, encoder)
    tokens: dict[str, list[np.ndarray]] = {}
    set_seed(training.seed)
    if single is None:
        model = _new_model(arguments, motions["train"], len(next(iter(sentences.values()))))
    else:
        model = _new_scene_model(arguments, motions["train"], single)
        judge = MotionJudge(model.eval())
        for split, several in motions.items():
            made = judge.tokens([own.features for own in several], [own.placements for own in several])
            tokens[split] = [own.astype(np.float16) for own in made]
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    print(f"{len(motions['train'])} train motions, {trained / 1e6:.2f} M trained parameters", flush=True)

    def measure(model: MotionTextEvaluator, split: str, repeats: int = 20) -> dict[str, Score]:
        return real_scores(model, motions[split], sentences, repeats, tokens.get(split))

    size = training.max_steps * training.train_batch_size * training.gradient_accumulation_steps * training.world_size
    trainer = EvaluatorTrainer(
        model=model,
        args=training,
        train_dataset=EvaluatorExamples(
            motions["train"],
            sentences,
            model.config.contents,
            model.config.styles,
            size,
            training.seed,
            arguments.max_frames,
            arguments.balance,
            tokens.get("train"),
        ),
        eval_dataset=[{}],
        measure=lambda model: measure(model, "val", 5),
        data_collator=collate,
    )
    result = trainer.train(resume_from_checkpoint=resume)
    final = ensure_folder(folder / "final")
    trainer.save_model(str(final))
    trainer.save_state()
    scores = {split: measure(model, split) for split in splits[1:]}
    record = {} if single is None else {"continued_from": read_training_record(arguments.evaluator)}
    write_training_record(
        final,
        command="motionllm train-evaluator " + " ".join(argv),
        seed=training.seed,
        data_sha256=data_sha256,
        data_name=summary.get("name"),
        data_license=summary.get("license"),
        composed=bool(summary.get("composed")),
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
