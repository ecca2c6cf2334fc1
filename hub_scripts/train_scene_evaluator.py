"""`motionllm train-evaluator --scenes`: train the model that judges scenes of people, on the train split alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import HfArgumentParser, set_seed

from hub_scripts.data.scenes_features import scene_features
from hub_scripts.data.scenes_storage import read_scenes
from hub_scripts.data.storage import dataset_hash, existing_splits, read_summary
from hub_scripts.hub.part_cards import write_evaluator_card
from hub_scripts.metrics.base import Score, repeat
from hub_scripts.metrics.embedding import Diversity, LabelAccuracy, MMDist, RPrecision
from hub_scripts.metrics.judge import load_evaluator
from hub_scripts.metrics.scene_judge import SceneJudge, pad_scenes, scene_tokens
from hub_scripts.metrics.scene_words import judged_caption
from hub_scripts.options.checkpoint import DEFAULT_EVALUATOR, quiet
from hub_scripts.train_evaluator import EvaluatorTrainer, EvaluatorTrainingArguments, cached_sentence_embeddings
from hub_scripts.training.trainer import check_resume, read_training_record, training_outcome, write_training_record
from modeling_motionllm.configuration_scene_evaluator import SceneTextEvaluatorConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import ensure_folder
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.modeling_scene_evaluator import SceneTextEvaluator

__all__ = ["SceneExamples", "main", "real_scores"]

_COLUMNS = ["name", "contents", "captions", "joints"]


@dataclass
class SceneEvaluatorArguments:
    """The scene evaluator and its data."""

    scenes: str = field(metadata={"help": "Folder written by `motionllm prepare pairs` or `prepare interhuman`."})
    evaluator: str = field(
        default=str(DEFAULT_EVALUATOR),
        metadata={"help": "Trained evaluator of single motions, whose motion encoder is taken as it is."},
    )
    scene_hidden_size: int = field(default=128, metadata={"help": "Width of the scene encoder."})
    num_scene_layers: int = field(default=2, metadata={"help": "Transformer layers of the scene encoder."})
    scene_dropout: float = field(default=0.1, metadata={"help": "Of the scene encoder and the heads."})
    classification_weight: float = field(default=0.5, metadata={"help": "Weight of the loss of the contents."})


@dataclass
class SceneEvaluatorTrainingArguments(EvaluatorTrainingArguments):
    """Trainer arguments with defaults for this model."""

    output_dir: str = field(default="runs/scene_evaluator", metadata={"help": "Checkpoints, logs and the final model."})
    max_steps: int = field(default=400)
    per_device_train_batch_size: int = field(default=128)
    eval_steps: float | None = field(default=100)
    save_steps: float = field(default=100)


class SceneExamples(Dataset):
    """`size` pairs of a scene and one of its captions; example i is a function of `seed` and i alone.

    Args:
        rows: with `captions`, `contents` and `tokens` (see `scene_tokens`).
        embeddings: sentence to its embedding.
        contents: the classes; people of other contents have the label -100.
        size: number of examples.
        seed: of every draw.
    """

    def __init__(
        self,
        rows: list[dict[str, Any]],
        embeddings: dict[str, torch.Tensor],
        contents: Sequence[str],
        size: int,
        seed: int,
    ):
        self.rows, self.embeddings, self.seed = rows, embeddings, seed
        rng = np.random.default_rng(seed)
        rounds = [rng.permutation(len(rows)) for _ in range(-(-size // len(rows)))]
        self.chosen = np.concatenate([np.empty(0, dtype=np.int64), *rounds])[:size]
        self.caption_ids = {caption: index for index, caption in enumerate(embeddings)}
        self.contents = {name: index for index, name in enumerate(contents)}

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> dict[str, Any]:
        draw = np.random.default_rng((self.seed, index)).random()
        row = self.rows[self.chosen[index]]
        caption = row["captions"][int(draw * len(row["captions"]))]
        return {
            "tokens": row["tokens"],
            "text_embeddings": self.embeddings[caption],
            "caption_ids": self.caption_ids[caption],
            "content_labels": [self.contents.get(content, -100) for content in row["contents"]],
        }


def collate(examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad the scenes of a batch and stack the rest."""
    tokens, mask = pad_scenes([example["tokens"] for example in examples])
    labels = torch.full(tokens.shape[:2], -100)
    for row, example in enumerate(examples):
        labels[row, : len(example["content_labels"])] = torch.tensor(example["content_labels"])
    return {
        "tokens": tokens,
        "token_mask": mask,
        "text_embeddings": torch.stack([example["text_embeddings"] for example in examples]),
        "caption_ids": torch.tensor([example["caption_ids"] for example in examples]),
        "content_labels": labels,
    }


def real_scores(
    model: SceneTextEvaluator, rows: list[dict[str, Any]], sentences: dict[str, torch.Tensor], repeats: int = 20
) -> dict[str, Score]:
    """What the evaluator says of real scenes and one of their own captions each, see `judged_caption`."""
    was_training = model.training
    judge = SceneJudge(model.eval(), sentences)
    tokens = [row["tokens"] for row in rows]
    sample = judge(tokens, [row["caption"] for row in rows])
    likelihoods = judge.content_likelihoods(tokens)
    model.train(was_training)
    scores = repeat([RPrecision(pool=min(32, len(rows))), MMDist(), Diversity()], lambda _: sample, repeats)
    asked = [content or None for row in rows for content in row["contents"]]
    if any(asked):
        found = np.concatenate([people.argmax(-1) for people in likelihoods])
        labels = type(sample)(
            np.zeros((len(asked), 1)), content=[model.config.contents[i] for i in found], asked_content=asked
        )
        scores |= repeat([LabelAccuracy("content")], lambda _: labels, 1)
    return scores


def _build_model(
    arguments: SceneEvaluatorArguments, single: MotionTextEvaluator, rows: list[dict[str, Any]]
) -> SceneTextEvaluator:
    """A new model around the motion encoder of `single`, with the classes and the most people of the rows."""
    known = single.config
    names = ("input_dim", "fps", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    taken = {name: getattr(known, name) for name in (*names, "embed_dim", "sentence_model", "sentence_dim")}
    if arguments.scene_hidden_size % known.num_attention_heads:
        raise MotionLLMError(
            f"--scene_hidden_size is {arguments.scene_hidden_size}; give a multiple of the {known.num_attention_heads} "
            "attention heads"
        )
    config = SceneTextEvaluatorConfig(
        **taken,
        dropout=arguments.scene_dropout,
        classification_weight=arguments.classification_weight,
        scene_hidden_size=arguments.scene_hidden_size,
        num_scene_layers=arguments.num_scene_layers,
        max_people=max(len(row["contents"]) for row in rows),
        contents=sorted({content for row in rows for content in row["contents"]} - {""}) or ["unknown"],
    )
    model = SceneTextEvaluator(config)
    model.motion_encoder.load_state_dict(single.motion_encoder.state_dict())
    return model


def main(argv: Sequence[str]) -> int:
    """Train from the command line; see `motionllm train-evaluator --scenes DATA --help`.

    Raises:
        MotionLLMError: no scenes or no evaluator there, or a setting out of range.
    """
    parser = HfArgumentParser(
        (SceneEvaluatorArguments, SceneEvaluatorTrainingArguments),
        prog="motionllm train-evaluator",
        description=__doc__,
        allow_abbrev=False,
    )
    arguments, training = parser.parse_args_into_dataclasses(list(argv))
    resume = check_resume(training, training.resume)
    data_sha256, summary = dataset_hash(arguments.scenes), read_summary(arguments.scenes)
    quiet()
    single = load_evaluator(arguments.evaluator)
    set_seed(training.seed)

    splits = ["train", "val", *({"test"} & set(existing_splits(arguments.scenes)))]
    rows = {split: read_scenes(arguments.scenes, split, _COLUMNS) for split in splits}
    model = _build_model(arguments, single, rows["train"])
    for split, several in rows.items():
        for row, tokens in zip(several, scene_tokens(model, *scene_features(several, split)), strict=True):
            row["tokens"] = tokens
            del row["joints"]
    folder = Path(training.output_dir)
    captions = [caption for row in rows["train"] for caption in row["captions"]]
    for split in splits[1:]:
        for index, row in enumerate(rows[split]):
            row["caption"] = judged_caption(row["captions"], row["contents"], index)
            captions.append(row["caption"])
    sentences = cached_sentence_embeddings(captions, folder, model.config.sentence_model)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    print(f"{len(rows['train'])} train scenes, {trained / 1e6:.2f} M trained parameters", flush=True)

    size = training.max_steps * training.train_batch_size * training.gradient_accumulation_steps * training.world_size
    trainer = EvaluatorTrainer(
        model=model,
        args=training,
        train_dataset=SceneExamples(rows["train"], sentences, model.config.contents, size, training.seed),
        eval_dataset=[{}],
        measure=lambda model: real_scores(model, rows["val"], sentences, repeats=5),
        parts=("contrastive_loss", "content_loss"),
        data_collator=collate,
    )
    result = trainer.train(resume_from_checkpoint=resume)
    final = ensure_folder(folder / "final")
    trainer.save_model(str(final))
    trainer.save_state()
    scores = {split: real_scores(model, rows[split], sentences) for split in splits[1:]}
    write_training_record(
        final,
        command="motionllm train-evaluator " + " ".join(argv),
        seed=training.seed,
        data_sha256=data_sha256,
        data_name=summary.get("name"),
        composed=bool(summary.get("composed")),
        **training_outcome(result, trainer.state.log_history),
        real_motions={
            split: {name: {"mean": score.mean, "interval": score.interval} for name, score in columns.items()}
            for split, columns in scores.items()
        },
        continued_from=read_training_record(arguments.evaluator),
        history=trainer.state.log_history,
    )
    write_evaluator_card(final)
    print(f"\nreal scenes against their own captions, {final}")
    for name in scores[splits[-1]]:
        print("  " + f"{name:<18} " + "  ".join(f"{split} {columns[name]!s:<16}" for split, columns in scores.items()))
    return 0
