"""How well the VQ-VAE reconstructs whole clips: joint errors, root drift, velocity, use of the codebook."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.motion_features import features_to_joints, skeleton_of_features
from modeling_motionllm.processing_motionllm import pad_features

__all__ = [
    "Reconstruction",
    "batches_by_length",
    "check_columns",
    "reconstruct",
    "reconstruction_metrics",
]


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Indices in batches of neighbouring lengths, longest first, so that little is padded."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def check_columns(model: MotionVQModel, clips: Sequence[np.ndarray]) -> None:
    """Make sure that a VQ-VAE is of the clips' skeleton.

    Raises:
        MotionLLMError: it is not.
    """
    if len(clips) and clips[0].shape[1] != model.config.input_dim:
        raise MotionLLMError(
            f"the data has {clips[0].shape[1]} feature columns, the VQ-VAE {model.config.input_dim}: they are of "
            "different skeletons; train a VQ-VAE on this data"
        )


@dataclass(frozen=True)
class Reconstruction:
    """Whole clips through the VQ-VAE: their codes (L_i,), and the raw features (L_i * frames_per_code, D) of those."""

    codes: list[np.ndarray]
    clips: list[np.ndarray]


@torch.no_grad()
def reconstruct(
    model: MotionVQModel, clips: Sequence[np.ndarray], batch_size: int = 32, progress: bool = False
) -> Reconstruction:
    """Encode and decode whole clips (T_i, D), raw features.

    Raises:
        MotionLLMError: the clips are of another skeleton, or one is shorter than a code.
    """
    check_columns(model, clips)
    was_training = model.training
    model.eval()
    codes: list[np.ndarray] = [np.empty(0)] * len(clips)
    decoded: list[np.ndarray] = [np.empty(0)] * len(clips)
    batches = batches_by_length([len(clip) for clip in clips], batch_size)
    for batch in tqdm(batches, desc="reconstruct", disable=not progress):
        features, mask = pad_features([clips[index] for index in batch])
        encoded = model.encode(features.to(model.device), mask.to(model.device))
        output = model.decode(encoded.codes, encoded.attention_mask)
        for row, index in enumerate(batch):
            codes[index] = encoded.codes[row, encoded.attention_mask[row]].cpu().numpy()
            decoded[index] = output.features[row, output.attention_mask[row]].cpu().numpy()
    model.train(was_training)
    return Reconstruction(codes, decoded)


def reconstruction_metrics(
    model: MotionVQModel,
    clips: Iterable[np.ndarray],
    batch_size: int = 32,
    made: Reconstruction | None = None,
) -> dict[str, float]:
    """Encode and decode whole clips and compare joint positions.

    Args:
        model: the VQ-VAE.
        clips: raw features (T_i, D).
        batch_size: clips per batch.
        made: what `reconstruct` made of these clips, if it has been done.

    Returns:
        `mpjpe_root_mm` (mean joint error with each frame's pelvis subtracted), `mpjpe_global_mm`, `drift_mm_median`
        and `drift_mm_mean` (pelvis error on the ground at the last frame), `velocity_mm` (mean error of joint
        displacements, per frame), `perplexity` of the code usage and `codes_used`. Joint errors are means over frames.

    Raises:
        MotionLLMError: as `reconstruct`.
    """
    clips = list(clips)
    made = made or reconstruct(model, clips, batch_size)
    skeleton = skeleton_of_features(model.config.input_dim)
    sums, frames, steps, drifts = np.zeros(3), 0, 0, []
    for batch in batches_by_length([len(clip) for clip in clips], batch_size):
        decoded, mask = pad_features([made.clips[index] for index in batch])
        target, _ = pad_features([clips[index][: len(made.clips[index])] for index in batch])
        error = features_to_joints(decoded.double(), skeleton) - features_to_joints(target.double(), skeleton)
        local = error - error[:, :, :1]
        velocity = (error[:, 1:] - error[:, :-1]).norm(dim=-1).mean(-1)[mask[:, 1:]]
        sums += [
            float(local.norm(dim=-1).mean(-1)[mask].sum()),
            float(error.norm(dim=-1).mean(-1)[mask].sum()),
            float(velocity.sum()),
        ]
        frames += int(mask.sum())
        steps += int(mask[:, 1:].sum())
        last = mask.sum(-1) - 1
        ends = error[torch.arange(len(batch)), last, 0][:, [0, 2]]
        drifts.extend(ends.norm(dim=-1).tolist())
    millimetres = 1000 * skeleton.metres_per_unit
    usage = np.bincount(np.concatenate(made.codes), minlength=model.config.codebook_size)
    share = usage / usage.sum()
    return {
        "mpjpe_root_mm": millimetres * sums[0] / frames,
        "mpjpe_global_mm": millimetres * sums[1] / frames,
        "drift_mm_median": millimetres * float(np.median(drifts)),
        "drift_mm_mean": millimetres * float(np.mean(drifts)),
        "velocity_mm": millimetres * sums[2] / max(steps, 1),
        "perplexity": float(np.exp(-(share * np.log(share + 1e-12)).sum())),
        "codes_used": int((usage > 0).sum()),
    }
