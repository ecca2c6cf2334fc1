"""Training of the motion VQ-VAE: windows of clips, statistics of features, and a Trainer that measures whole clips."""

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import TrainerControl
from transformers.utils import ModelOutput

from hub_scripts.data.codes import weights_hash
from hub_scripts.metrics.reconstruction import check_columns, reconstruction_metrics
from modeling_motionllm.configuration_motionllm import MotionVQConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.motion_features import feature_groups, skeleton_of_features
from modeling_motionllm.processing_motionllm import pad_features

from .trainer import ModelTrainer, ModelTrainingArguments

__all__ = [
    "MotionVQTrainer",
    "MotionWindows",
    "VQArguments",
    "VQTrainingArguments",
    "build_vq",
    "collate",
    "feature_statistics",
]


_SIZES = ("patch_size", "width", "depth", "codebook_size", "code_dim")
_CODES_TO_START = 25  # latents per code, for the centres to begin with


@dataclass
class VQArguments:
    """The VQ-VAE and its data."""

    data: list[str] = field(
        metadata={"help": "What `motionllm prepare` wrote, once or several times: folders, or datasets of the Hub."}
    )
    dataset_balance: float = field(
        default=0.5,
        metadata={"help": "1 draws every frame equally often, 0 every dataset; values between mix the two."},
    )
    window: int = field(default=64, metadata={"help": "Frames per training window (shorter clips are padded)."})
    patch_size: int = field(
        default=4,
        metadata={"help": "Frames that are taken at once for a code; 1 halves the rate twice, as the reference does."},
    )
    width: int = field(default=320, metadata={"help": "Channels of the convolutions (the reference has 512)."})
    depth: int = field(default=3, metadata={"help": "Residual blocks in each of the two stacks."})
    codebook_size: int | None = field(
        default=None, metadata={"help": "Number of codes (default 1024, or as with --init-from)."}
    )
    code_dim: int = field(default=192, metadata={"help": "Dimension of a code vector (the reference has 512)."})
    velocity_weight: float = field(default=2.0, metadata={"help": "Weight of the loss on local joint positions."})
    root_weight: float = field(default=4.0, metadata={"help": "Weight of the four root columns."})
    path_weight: float = field(default=1.0, metadata={"help": "Weight of the loss on the integrated root path."})
    foot_weight: float = field(default=0.0, metadata={"help": "Weight of the loss on the feet's speed in the world."})
    commitment_weight: float = field(default=0.02, metadata={"help": "Weight of the commitment loss."})
    continuous_steps: int = field(
        default=500,
        metadata={"help": "Steps without a codebook at the start; it then begins at the centres of what is encoded."},
    )
    dead_code_threshold: float = field(
        default=0.1, metadata={"help": "Redraw codes used less often than this per step; mind the codes per batch."}
    )
    init_from: str | None = field(
        default=None,
        metadata={
            "help": "Folder of a trained VQ-VAE to go on from; statistics and sizes are its own. With another "
            "--codebook-size a new codebook starts at the centres of what is encoded."
        },
    )
    decoder_only: bool = field(
        default=False,
        metadata={"help": "With --init-from: train the decoder alone, so that all codes stay as they are."},
    )


@dataclass
class VQTrainingArguments(ModelTrainingArguments):
    """Trainer arguments with defaults for this model."""

    output_dir: str = field(default="runs/motion_vq", metadata={"help": "Checkpoints, logs and the final model."})
    max_steps: int = field(default=20000)
    per_device_train_batch_size: int = field(default=32)
    learning_rate: float = field(default=1e-3)
    warmup_steps: float = field(default=200)
    weight_decay: float = field(default=0.0)
    adam_beta2: float = field(default=0.99)
    logging_steps: float = field(default=100)
    eval_steps: float | None = field(default=1000)
    save_steps: float = field(default=1000)


class MotionWindows(Dataset):
    """Fixed-length windows of clips. Window i is a function of `seed` and i alone, so that a resumed run is exact.

    Datasets are drawn in proportion to (their frames) ** balance, so that small ones are learnt too, and their clips in
    proportion to their length. One window in eight starts at the clip's first frame, whose row is special (it carries
    the turn from the first facing to the smoothed one).

    Args:
        datasets: of each the clips, (T_i, D).
        window: frames.
        size: number of windows.
        seed: of every draw.
        balance: 1 draws all frames alike, 0 all datasets.
    """

    def __init__(self, datasets: list[list[np.ndarray]], window: int, size: int, seed: int, balance: float = 1.0):
        self.clips = [clip for clips in datasets for clip in clips]
        self.window, self.size, self.seed = window, size, seed
        frames = [np.array([len(clip) for clip in clips], dtype=np.float64) for clips in datasets if clips]
        weights = np.concatenate([own * own.sum() ** (balance - 1) for own in frames])
        self.cumulative = np.cumsum(weights / weights.sum())

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < self.size:
            raise IndexError(index)
        return self.draw(index)

    def draw(self, index: int) -> np.ndarray:
        """Window `index`, which may lie beyond the end."""
        draw = np.random.default_rng((self.seed, index)).random(3)
        clip = self.clips[min(int(np.searchsorted(self.cumulative, draw[0])), len(self.clips) - 1)]
        room = len(clip) - self.window
        start = 0 if room <= 0 or draw[1] < 0.125 else int(draw[2] * (room + 1))
        return clip[start : start + self.window]


def collate(windows: list[np.ndarray]) -> dict[str, torch.Tensor]:
    """Windows (T_i, D) to a padded batch; without a mask where nothing is padded."""
    motion, mask = pad_features(windows)
    return {"motion": motion} if bool(mask.all()) else {"motion": motion, "attention_mask": mask}


def feature_statistics(clips: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean per column, and standard deviation averaged within each column group, over all frames of all clips."""
    count = sum(len(clip) for clip in clips)
    mean = sum(clip.sum(0, dtype=np.float64) for clip in clips) / count
    variance = sum(np.square(clip - mean).sum(0) for clip in clips) / count
    std = np.sqrt(variance)
    for group in feature_groups(skeleton_of_features(clips[0].shape[1])):
        std[group] = std[group].mean() or 1.0  # 0 where nothing ever changes, as with feet that never leave the ground
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)


class MotionVQTrainer(ModelTrainer):
    """Trainer that logs the parts of the loss and evaluates on whole clips."""

    control: TrainerControl

    def __init__(self, *args: Any, eval_clips: list[np.ndarray], continuous_steps: int = 0, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.eval_clips, self.continuous_steps = eval_clips, continuous_steps
        self.parts: dict[str, list[float]] = {}

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, ModelOutput]:
        vq = self.accelerator.unwrap_model(model)
        started = bool(vq.quantizer.initialized)
        if not started and model.training and self.state.global_step >= self.continuous_steps:
            self._start_codebook(vq)
            started = True
        outputs = model(**inputs, quantize=started)
        for name in ("perplexity", "reconstruction_loss", "velocity_loss", "path_loss", "foot_loss", "commitment_loss"):
            self.parts.setdefault(name, []).append(float(outputs[name].detach()))
        return (outputs.loss, outputs) if return_outputs else outputs.loss

    @torch.no_grad()
    def _start_codebook(self, vq: MotionVQModel) -> None:
        """Begin the codebook on what the encoder makes of windows beyond those that training sees."""
        windows = cast(MotionWindows, self.train_dataset)
        per_step = self.args.train_batch_size * windows.window // vq.config.frames_per_code
        batches = -(-_CODES_TO_START * vq.config.codebook_size // per_step)
        found = []
        for number in range(batches):
            first = windows.size + number * self.args.train_batch_size
            batch = collate([windows.draw(index) for index in range(first, first + self.args.train_batch_size)])
            found.append(vq.latents(**{name: value.to(vq.device) for name, value in batch.items()}))
        vq.quantizer.initialize(torch.cat(found), use=per_step / vq.config.codebook_size)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        if "loss" in logs:
            logs |= {name: round(float(np.mean(values)), 5) for name, values in self.parts.items()}
            self.parts.clear()
        super().log(logs, *args, **kwargs)

    def evaluate(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> dict[str, float]:
        metrics = reconstruction_metrics(self.accelerator.unwrap_model(self.model), self.eval_clips)
        metrics = {f"{metric_key_prefix}_{name}": round(value, 4) for name, value in metrics.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def build_vq(arguments: VQArguments, clips: list[np.ndarray]) -> MotionVQModel:
    """A new model with the statistics of the clips, or the one to go on from with the losses of this run."""
    settings = (
        "velocity_weight", "root_weight", "path_weight", "foot_weight", "commitment_weight", "dead_code_threshold",
    )  # fmt: skip
    weights = {name: getattr(arguments, name) for name in settings}
    if arguments.init_from is None:
        if arguments.decoder_only:
            raise MotionLLMError("--decoder-only needs a trained VQ-VAE; add --init-from FOLDER")
        sizes = {name: getattr(arguments, name) for name in _SIZES}
        sizes["codebook_size"] = arguments.codebook_size or 1024
        sizes |= {"num_downsampling": 2 if arguments.patch_size == 1 else 0}
        skeleton = skeleton_of_features(clips[0].shape[1])
        body = {"input_dim": skeleton.feature_dim, "num_joints": skeleton.num_joints, "fps": skeleton.fps}
        body["metres_per_unit"] = skeleton.metres_per_unit
        model = MotionVQModel(MotionVQConfig(**body, **sizes, **weights))
        model.set_normalization(*feature_statistics(clips))
        return model
    weights_hash(arguments.init_from)  # says clearly when there is no model
    model = MotionVQModel.from_pretrained(arguments.init_from, **weights)
    if arguments.codebook_size not in (None, model.config.codebook_size):
        state = {name: value for name, value in model.state_dict().items() if not name.startswith("quantizer.")}
        model = MotionVQModel(MotionVQConfig(**(model.config.to_dict() | {"codebook_size": arguments.codebook_size})))
        model.load_state_dict(state, strict=False)
    check_columns(model, clips)
    if arguments.decoder_only:
        model.freeze_codes()
    return model
