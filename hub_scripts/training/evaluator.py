"""Training `MotionTextEvaluator`: examples, the Trainer, and what a trained one says of real motions."""

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
from torch import nn
from torch.utils.data import Dataset
from transformers import TrainerControl
from transformers.utils import ModelOutput

from hub_scripts.data.splits import SPLITS
from hub_scripts.data.store import existing_splits
from hub_scripts.evaluation.motions import RealMotion, read_real_motions
from hub_scripts.metrics.base import Metric, Score, repeat
from hub_scripts.metrics.embedding import Diversity, EmbeddedMotions, LabelAccuracy, MMDist, RPrecision
from hub_scripts.metrics.judge import MotionJudge, load_sentence_encoder, pad_people
from hub_scripts.training.motion_vq import feature_statistics
from hub_scripts.training.trainer import ModelTrainer, ModelTrainingArguments
from modeling_motionllm.configuration_evaluator import MotionTextEvaluatorConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.motion_features import skeleton_of_features
from modeling_motionllm.sentence_encoder import SENTENCE_MODEL

__all__ = [
    "EvaluatorArguments",
    "EvaluatorExamples",
    "EvaluatorTrainer",
    "EvaluatorTrainingArguments",
    "cached_sentence_embeddings",
    "collate",
    "new_evaluator",
    "new_scene_evaluator",
    "read_datasets",
    "real_scores",
]

_CACHE = "sentence_embeddings.safetensors"


@dataclass
class EvaluatorArguments:
    """The evaluator and its data."""

    data: list[str] = field(
        metadata={"help": "What `motionllm prepare` wrote, once or several times: folders, or datasets of the Hub."}
    )
    evaluator: str | None = field(
        default=None,
        metadata={
            "help": "Scenes: trained evaluator of clips, whose motion encoder is taken as it is (default: the shipped "
            "one). Without it, data of both teaches the motions of one person alone."
        },
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
        metadata={
            "help": "Clips of an action are drawn by (their number) ** balance; 1 draws every clip equally often."
        },
    )
    dropout: float = field(default=0.1, metadata={"help": "Dropout of what is trained."})
    classification_weight: float = field(default=0.5, metadata={"help": "Weight of the losses of content and style."})


@dataclass
class EvaluatorTrainingArguments(ModelTrainingArguments):
    """Trainer arguments with defaults for this model."""

    output_dir: str = field(default="runs/evaluator", metadata={"help": "Checkpoints, logs and the final model."})
    max_steps: int = field(default=400)
    per_device_train_batch_size: int = field(default=96)
    learning_rate: float = field(default=1e-3)
    warmup_steps: float = field(default=40)
    weight_decay: float = field(default=0.01)
    logging_steps: float = field(default=20)
    eval_steps: float | None = field(default=100)
    save_steps: float = field(default=50)


def read_datasets(folders: Sequence[str], alone: bool) -> dict[str, list[RealMotion]]:
    """The motions of all datasets by split: train, val and, where there is one, test.

    Args:
        folders: of the datasets.
        alone: leave out motions of several people where there are others.

    Raises:
        MotionLLMError: no motion to train on or to validate with, or datasets of different features.
    """
    motions: dict[str, list[RealMotion]] = {}
    for folder in folders:
        for split in existing_splits(folder):
            motions.setdefault(split, []).extend(read_real_motions(folder, split))
    if alone and any(motion.num_people == 1 for motion in motions.get("train", [])):
        whole = sum(map(len, motions.values()))
        motions = {split: [one for one in several if one.num_people == 1] for split, several in motions.items()}
        if left := whole - sum(map(len, motions.values())):
            print(f"{left} motions of several people are left out")
    for split in ("train", "val"):
        if not motions.get(split):
            raise MotionLLMError(f"'{', '.join(folders)}' has no {split} motions; give a dataset that has")
    widths = {motion.features.shape[-1] for several in motions.values() for motion in several}
    if len(widths) > 1:
        raise MotionLLMError(
            f"the datasets have {' and '.join(map(str, sorted(widths)))} feature columns; give them apart"
        )
    return {split: motions[split] for split in SPLITS if motions.get(split)}


class EvaluatorExamples(Dataset):
    """`size` pairs of a motion and one of its captions. Example i is a function of `seed` and i alone.

    Motions of one person are drawn by their content. Each starts at one of its first four frames, so that the strided
    encoder sees every phase; one longer than `max_frames` is cut to a random window. Scenes, of which `tokens` are
    given, come each once a round.

    Args:
        motions: of a prepared dataset.
        embeddings: sentence to its embedding.
        contents, styles: names of the classes; people of others have the label -100.
        size: number of examples.
        seed: of every draw.
        max_frames: longest example.
        balance: clips of a content are drawn in proportion to (clips of that content) ** balance.
        tokens: of each motion what the evaluator makes of its people alone, (P, L, W), in its place.
    """

    def __init__(
        self,
        motions: Sequence[RealMotion],
        embeddings: dict[str, torch.Tensor],
        contents: Sequence[str],
        styles: Sequence[str],
        size: int,
        seed: int,
        max_frames: int = 200,
        balance: float = 0.5,
        tokens: Sequence[np.ndarray] | None = None,
    ):
        self.motions, self.embeddings, self.seed, self.max_frames = motions, embeddings, seed, max_frames
        self.tokens = tokens
        rng = np.random.default_rng(seed)
        if tokens is not None:
            rounds = [rng.permutation(len(motions)) for _ in range(-(-size // len(motions)))]
            self.chosen = np.concatenate([np.empty(0, dtype=np.int64), *rounds])[:size]
        else:
            counts = Counter(motion.contents[0] for motion in motions)
            weights = np.array([counts[motion.contents[0]] ** (balance - 1) for motion in motions])
            self.chosen = rng.choice(len(motions), size=size, p=weights / weights.sum())
        self.caption_ids = {caption: index for index, caption in enumerate(embeddings)}
        self.contents = {name: index for index, name in enumerate(contents)}
        self.styles = {name: index for index, name in enumerate(styles)}

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> dict[str, Any]:
        draw = np.random.default_rng((self.seed, index)).random(2)
        row = int(self.chosen[index])
        motion = self.motions[row]
        caption = motion.captions[int(draw[0] * len(motion.captions))]
        example = {
            "text_embeddings": self.embeddings[caption],
            "caption_ids": self.caption_ids[caption],
            "content_labels": [self.contents.get(content, -100) for content in motion.contents],
        }
        if self.tokens is not None:
            return {"tokens": self.tokens[row], **example}
        room = motion.num_frames - self.max_frames
        start = int(draw[1] * (max(room, min(3, motion.num_frames - 1)) + 1))
        window = motion.features[:, start : start + self.max_frames]
        return {"motion": window, "style_labels": [self.styles.get(style, -100) for style in motion.styles], **example}


def collate(examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad the motions or tokens of a batch and stack the rest."""
    name, mask_name = ("tokens", "token_mask") if "tokens" in examples[0] else ("motion", "attention_mask")
    padded, mask = pad_people([example[name] for example in examples])
    batch = {
        name: padded,
        mask_name: mask,
        "text_embeddings": torch.stack([example["text_embeddings"] for example in examples]),
        "caption_ids": torch.tensor([example["caption_ids"] for example in examples]),
    }
    for label in ("content_labels", "style_labels"):
        if label in examples[0]:
            batch[label] = torch.full(padded.shape[:2], -100)
            for row, example in enumerate(examples):
                batch[label][row, : len(example[label])] = torch.tensor(example[label])
    return batch


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


def new_evaluator(
    arguments: EvaluatorArguments, motions: Sequence[RealMotion], sentence_dim: int
) -> MotionTextEvaluator:
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


def new_scene_evaluator(
    arguments: EvaluatorArguments, motions: Sequence[RealMotion], single: MotionTextEvaluator
) -> MotionTextEvaluator:
    """An evaluator of scenes around the motion encoder of `single`, with the classes and the most people of these."""
    heads = single.config.num_attention_heads
    if arguments.scene_hidden_size % heads or arguments.num_scene_layers < 1:
        raise MotionLLMError(
            f"--scene-hidden-size is {arguments.scene_hidden_size} and --num-scene-layers "
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


class EvaluatorTrainer(ModelTrainer):
    """Trainer that logs the parts of the loss and evaluates by the metrics the model is made for.

    Args:
        measure: model to scores, of the val split.
    """

    control: TrainerControl

    def __init__(self, *args: Any, measure: Callable[[MotionTextEvaluator], dict[str, Score]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.measure = measure
        self.parts: dict[str, list[float]] = {"contrastive_loss": [], "content_loss": [], "style_loss": []}

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, ModelOutput]:
        outputs = model(**inputs)
        for name, values in self.parts.items():
            if name in outputs:
                values.append(float(outputs[name].detach()))
        return (outputs.loss, outputs) if return_outputs else outputs.loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        if "loss" in logs:
            logs |= {name: round(float(np.mean(values)), 5) for name, values in self.parts.items() if values}
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
    model: MotionTextEvaluator,
    motions: Sequence[RealMotion],
    sentences: dict[str, torch.Tensor],
    repeats: int = 20,
    tokens: Sequence[np.ndarray] | None = None,
) -> dict[str, Score]:
    """What the evaluator says of real motions and one of their own captions each, see `judged_caption`.

    Contents that it does not know count as wrong. The pools take 32 motions, or all where there are fewer.

    Args:
        tokens: of each motion, see `EvaluatorExamples`, in its place.
    """
    was_training = model.training
    judge = MotionJudge(model.eval(), sentences)
    if tokens is None:
        judgement = judge.read([motion.features for motion in motions], [motion.placements for motion in motions])
    else:
        judgement = judge.read_tokens(tokens)
    sample = judge.embedded(judgement, [motion.judged_caption(index) for index, motion in enumerate(motions)])
    model.train(was_training)
    metrics: list[Metric[Any]] = [RPrecision(pool=min(32, len(motions))), MMDist(), Diversity()]
    scores = repeat(metrics, lambda _: sample, repeats)
    found = dict(zip(("content", "style"), judge.name_labels(judgement), strict=True))
    for label, names in found.items():
        asked = [name or None for motion in motions for name in getattr(motion, f"{label}s")]
        if names is not None and any(asked):
            known: dict[str, Any] = {label: names, f"asked_{label}": asked}
            people = EmbeddedMotions(np.zeros((len(asked), 1)), **known)
            scores |= repeat([LabelAccuracy(label)], lambda _, people=people: people, 1)  # type: ignore[misc]
    return scores
