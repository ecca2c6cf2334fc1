"""`motionllm train-evaluator`: train the model that judges motions against sentences, on the train split alone.

With --scenes DATA in place of --data it trains the evaluator of scenes; add --help to that for its options.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils.data import Dataset
from transformers import HfArgumentParser, TrainingArguments, set_seed

from hub_scripts.captions.labels import plain_style
from hub_scripts.data.storage import dataset_hash, read_split, read_summary
from hub_scripts.hub.part_cards import write_evaluator_card
from hub_scripts.metrics.base import Score, repeat
from hub_scripts.metrics.embedding import Diversity, LabelAccuracy, MMDist, RPrecision
from hub_scripts.metrics.judge import MotionJudge, load_sentence_encoder, own_caption
from hub_scripts.options.checkpoint import quiet
from hub_scripts.train_motion_vq import feature_statistics
from hub_scripts.training.trainer import ModelTrainer, check_resume, training_outcome, write_training_record
from modeling_motionllm.configuration_evaluator import MotionTextEvaluatorConfig
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.motion_features import skeleton_of_features
from modeling_motionllm.processing_motionllm import pad_features
from modeling_motionllm.sentence_encoder import SENTENCE_MODEL

__all__ = ["EvaluatorExamples", "cached_sentence_embeddings", "main"]

_COLUMNS = ["name", "content", "style", "captions", "features"]
_CACHE = "sentence_embeddings.safetensors"


@dataclass
class EvaluatorArguments:
    """The evaluator and its data."""

    data: str = field(metadata={"help": "Folder written by `motionllm prepare`."})
    sentence_model: str = field(default=SENTENCE_MODEL, metadata={"help": "Frozen sentence encoder: Hub id or folder."})
    hidden_size: int = field(default=192, metadata={"help": "Width of the motion encoder."})
    num_hidden_layers: int = field(default=3, metadata={"help": "Transformer layers of the motion encoder."})
    embed_dim: int = field(default=256, metadata={"help": "Dimension of the shared space."})
    max_frames: int = field(default=200, metadata={"help": "Longer clips are cut to a random window of this many."})
    balance: float = field(
        default=0.5, metadata={"help": "Contents are drawn by (clips of that content) ** balance; 1 draws clips alike."}
    )
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


class EvaluatorExamples(Dataset):
    """`size` pairs of a clip and one of its captions. Example i is a function of `seed` and i alone.

    A clip starts at one of its first four frames, so that the strided encoder sees every phase; a clip longer than
    `max_frames` is cut to a random window.

    Args:
        rows: of a prepared dataset.
        embeddings: sentence to its embedding.
        config: its `contents` and `styles` are the classes.
        size: number of examples.
        seed: of every draw.
        max_frames: longest example.
        balance: clips of a content are drawn in proportion to (clips of that content) ** balance.
    """

    def __init__(
        self,
        rows: list[dict[str, Any]],
        embeddings: dict[str, torch.Tensor],
        config: MotionTextEvaluatorConfig,
        size: int,
        seed: int,
        max_frames: int = 200,
        balance: float = 0.5,
    ):
        self.rows, self.embeddings, self.seed, self.max_frames = rows, embeddings, seed, max_frames
        counts = Counter(row["content"] for row in rows)
        weights = np.array([counts[row["content"]] ** (balance - 1) for row in rows])
        self.chosen = np.random.default_rng(seed).choice(len(rows), size=size, p=weights / weights.sum())
        self.caption_ids = {caption: index for index, caption in enumerate(embeddings)}
        self.contents = {name: index for index, name in enumerate(config.contents)}
        self.styles = {name: index for index, name in enumerate(config.styles)}

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> dict[str, Any]:
        draw = np.random.default_rng((self.seed, index)).random(2)
        row = self.rows[self.chosen[index]]
        caption = row["captions"][int(draw[0] * len(row["captions"]))]
        room = len(row["features"]) - self.max_frames
        start = int(draw[1] * (max(room, min(3, len(row["features"]) - 1)) + 1))
        return {
            "motion": row["features"][start : start + self.max_frames],
            "text_embeddings": self.embeddings[caption],
            "caption_ids": self.caption_ids[caption],
            "content_labels": self.contents[row["content"]],
            "style_labels": self.styles[plain_style(row["style"])],
        }


def collate(examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad the motions of a batch and stack the rest."""
    motion, mask = pad_features([example["motion"] for example in examples])
    return {
        "motion": motion,
        "attention_mask": mask,
        "text_embeddings": torch.stack([example["text_embeddings"] for example in examples]),
        **{
            name: torch.tensor([example[name] for example in examples])
            for name in ("caption_ids", "content_labels", "style_labels")
        },
    }


def cached_sentence_embeddings(captions: Sequence[str], folder: Path, model: str) -> dict[str, torch.Tensor]:
    """Sentence to embedding, computed once and kept in the run's folder, keyed by the sentences and the encoder."""
    unique = sorted(set(captions))
    key = hashlib.sha256("\n".join([model, *unique]).encode()).hexdigest()
    path = folder / _CACHE
    if path.is_file():
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("key") == key:
                return dict(zip(unique, file.get_tensor("embeddings"), strict=True))
    print(f"{len(unique)} sentences through {model}, once", flush=True)
    table = load_sentence_encoder(model)(unique)
    with atomic_path(path) as temporary:
        save_file({"embeddings": table}, temporary, metadata={"key": key})
    return dict(zip(unique, table, strict=True))


class EvaluatorTrainer(ModelTrainer):
    """Trainer that logs the parts of the loss and evaluates by the metrics the model is made for.

    Args:
        measure: model to scores, of the val split.
        parts: entries of the model's output that are logged beside the loss.
    """

    control: Any

    def __init__(self, *args: Any, measure: Callable[[Any], dict[str, Score]], parts: Sequence[str], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.measure = measure
        self.parts: dict[str, list[float]] = {name: [] for name in parts}

    def compute_loss(self, model: Any, inputs: dict, return_outputs: bool = False, **kwargs: Any) -> Any:
        outputs = model(**inputs)
        for name, values in self.parts.items():
            values.append(float(outputs[name].detach()))
        return (outputs.loss, outputs) if return_outputs else outputs.loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        if "loss" in logs:
            logs |= {name: round(float(np.mean(values)), 5) for name, values in self.parts.items()}
            for values in self.parts.values():
                values.clear()
        super().log(logs, *args, **kwargs)

    def evaluate(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> dict[str, float]:
        scores = self.measure(self.accelerator.unwrap_model(self.model))
        metrics = {f"{metric_key_prefix}_{name}": round(score.mean, 4) for name, score in scores.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def real_scores(
    model: MotionTextEvaluator, rows: list[dict[str, Any]], sentences: dict[str, torch.Tensor], repeats: int = 20
) -> dict[str, Score]:
    """What the evaluator says of real motions and their own captions.

    Contents that it does not know count as wrong. The pools take 32 clips, or all where there are fewer.
    """
    was_training = model.training
    judge = MotionJudge(model.eval(), sentences)
    sample = judge(
        [row["features"] for row in rows],
        [own_caption(row["captions"], index) for index, row in enumerate(rows)],
        asked_content=[row["content"] for row in rows],
        asked_style=[plain_style(row["style"]) for row in rows],
    )
    model.train(was_training)
    metrics = [RPrecision(pool=min(32, len(rows))), MMDist(), Diversity()]
    labelled = [LabelAccuracy(name) for name in ("content", "style") if any(row[name] for row in rows)]
    return repeat([*metrics, *labelled], lambda _: sample, repeats)


def _build_model(arguments: EvaluatorArguments, rows: list[dict[str, Any]], sentence_dim: int) -> MotionTextEvaluator:
    """A new model with the classes and the statistics of the rows."""
    skeleton = skeleton_of_features(rows[0]["features"].shape[1])
    config = MotionTextEvaluatorConfig(
        input_dim=skeleton.feature_dim,
        fps=skeleton.fps,
        sentence_model=arguments.sentence_model,
        sentence_dim=sentence_dim,
        hidden_size=arguments.hidden_size,
        intermediate_size=2 * arguments.hidden_size,
        num_hidden_layers=arguments.num_hidden_layers,
        embed_dim=arguments.embed_dim,
        classification_weight=arguments.classification_weight,
        contents=sorted({row["content"] for row in rows}),
        styles=sorted({plain_style(row["style"]) for row in rows}),
    )
    model = MotionTextEvaluator(config)
    model.set_normalization(*feature_statistics([row["features"] for row in rows]))
    return model


def main(argv: Sequence[str]) -> int:
    """Train from the command line; see `motionllm train-evaluator --help`."""
    if any(text.partition("=")[0] == "--scenes" for text in argv):
        from hub_scripts.train_scene_evaluator import main as train_scene_evaluator

        return train_scene_evaluator(argv)
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
    set_seed(training.seed)

    rows = {split: read_split(arguments.data, split, _COLUMNS) for split in ("train", "val", "test")}
    folder = Path(training.output_dir)
    captions = [caption for row in rows["train"] for caption in row["captions"]]
    for split in ("val", "test"):
        captions += [own_caption(row["captions"], index) for index, row in enumerate(rows[split])]
    sentences = cached_sentence_embeddings(captions, folder, arguments.sentence_model)
    model = _build_model(arguments, rows["train"], len(next(iter(sentences.values()))))
    print(f"{len(rows['train'])} train clips, {model.num_parameters() / 1e6:.2f} M parameters", flush=True)

    size = training.max_steps * training.train_batch_size * training.gradient_accumulation_steps * training.world_size
    trainer = EvaluatorTrainer(
        model=model,
        args=training,
        train_dataset=EvaluatorExamples(
            rows["train"], sentences, model.config, size, training.seed, arguments.max_frames, arguments.balance
        ),
        eval_dataset=[{}],
        measure=lambda model: real_scores(model, rows["val"], sentences, repeats=5),
        parts=("contrastive_loss", "content_loss", "style_loss"),
        data_collator=collate,
    )
    result = trainer.train(resume_from_checkpoint=resume)
    final = ensure_folder(folder / "final")
    trainer.save_model(str(final))
    trainer.save_state()
    scores = {split: real_scores(model, rows[split], sentences) for split in ("val", "test")}
    write_training_record(
        final,
        command="motionllm train-evaluator " + " ".join(argv),
        seed=training.seed,
        data_sha256=data_sha256,
        data_name=summary.get("name"),
        data_license=summary.get("license"),
        **training_outcome(result, trainer.state.log_history),
        real_motions={
            split: {name: {"mean": score.mean, "interval": score.interval} for name, score in columns.items()}
            for split, columns in scores.items()
        },
        history=trainer.state.log_history,
    )
    write_evaluator_card(final)
    print(f"\nreal motions against their own captions, {final}")
    for name in scores["test"]:
        print(f"  {name:<18} val {scores['val'][name]!s:<16} test {scores['test'][name]}")
    return 0
