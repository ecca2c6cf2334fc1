"""How well the VQ-VAE reconstructs whole clips: joint errors, root drift, velocity, use of the codebook."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from tqdm import tqdm

from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.motion_features import features_to_joints
from modeling_motionllm.processing_motionllm import pad_features

__all__ = ["batches_by_length", "reconstruction_metrics"]


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Indices in batches of neighbouring lengths, longest first, so that little is padded."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


@torch.no_grad()
def reconstruction_metrics(
    model: MotionVQModel, clips: Iterable[np.ndarray], batch_size: int = 32, progress: bool = False
) -> dict[str, float]:
    """Encode and decode whole clips and compare joint positions.

    Args:
        model: the VQ-VAE.
        clips: raw features (T_i, D).
        batch_size: clips per batch.
        progress: show a progress bar.

    Returns:
        `mpjpe_root_mm` (mean joint error with each frame's pelvis subtracted), `mpjpe_global_mm`, `drift_mm_median`
        and `drift_mm_mean` (pelvis error on the ground at the last frame), `velocity_mm` (mean error of joint
        displacements, per frame), `perplexity` of the code usage and `codes_used`. Joint errors are means over frames.
    """
    clips = list(clips)
    was_training = model.training
    model.eval()
    usage = torch.zeros(model.config.codebook_size)
    sums, frames, steps, drifts = np.zeros(3), 0, 0, []
    batches = batches_by_length([len(clip) for clip in clips], batch_size)
    for batch in tqdm(batches, desc="reconstruct", disable=not progress):
        features, mask = pad_features([clips[index] for index in batch])
        codes = model.encode(features.to(model.device), mask.to(model.device))
        decoded = model.decode(codes.codes, codes.attention_mask)
        usage += torch.bincount(codes.codes[codes.attention_mask].cpu(), minlength=len(usage))
        mask = decoded.attention_mask.cpu()
        predicted = features_to_joints(decoded.features.cpu().double())
        expected = features_to_joints(features[:, : mask.shape[1]].double())
        error = predicted - expected
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
    model.train(was_training)
    share = usage / usage.sum()
    return {
        "mpjpe_root_mm": 1000 * sums[0] / frames,
        "mpjpe_global_mm": 1000 * sums[1] / frames,
        "drift_mm_median": 1000 * float(np.median(drifts)),
        "drift_mm_mean": 1000 * float(np.mean(drifts)),
        "velocity_mm": 1000 * sums[2] / max(steps, 1),
        "perplexity": float(torch.exp(-(share * (share + 1e-12).log()).sum())),
        "codes_used": int((usage > 0).sum()),
    }
