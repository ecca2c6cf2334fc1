"""`python -m benchmarks.motion_features`: frames per second of joints_to_features and back, on one thread."""

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from benchmarks.measuring import alternate, machine
from modeling_motionllm.motion_features import HUMANML3D, Skeleton, features_to_joints, joints_to_features

__all__ = ["main"]

# The official HumanML3D code (commit 9176e8f), measured clip by clip on two cores of the same kind.
OFFICIAL_FRAMES_PER_SECOND = 11_700
_ROUNDS = 7
_BATCH = 6


def _batches(joints: list[np.ndarray]) -> list[tuple[np.ndarray, Skeleton, torch.Tensor]]:
    """The clips in padded batches of six of about one length, as arguments of `joints_to_features`."""
    joints = sorted(joints, key=len)
    batches = []
    for start in range(0, len(joints), _BATCH):
        group = joints[start : start + _BATCH]
        padded = np.stack([np.pad(clip, ((0, len(group[-1]) - len(clip)), (0, 0), (0, 0)), "edge") for clip in group])
        batches.append((padded, HUMANML3D, torch.tensor([len(clip) for clip in group])))
    return batches


def main() -> None:
    torch.set_num_threads(1)
    golden = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "golden"
    arrays = load_file(next(iter(sorted(golden.glob("*.safetensors")))))
    joints = [value for name, value in arrays.items() if name.endswith(".joints")]
    features = [value for name, value in arrays.items() if name.endswith(".features")]
    print(machine())
    print(f"{len(joints)} clips, {sum(map(len, joints)):,} frames, one thread, median of {_ROUNDS}")
    print(f"  {'official joints_to_features':<30} {OFFICIAL_FRAMES_PER_SECOND:>10,} frames/s")
    batches = _batches(joints)
    clips = {"joints_to_features": joints, "joints_to_features, batches": joints, "features_to_joints": features}
    timings = alternate(
        {
            "joints_to_features": lambda: [joints_to_features(clip) for clip in joints],
            "joints_to_features, batches": lambda: [joints_to_features(*batch) for batch in batches],
            "features_to_joints": lambda: [features_to_joints(clip) for clip in features],
        },
        _ROUNDS,
    )
    for name, timing in timings.items():
        frames = sum(map(len, clips[name]))
        print(f"  {name:<30} {frames / timing.median:>10,.0f} frames/s {timing.spread():>6}")


if __name__ == "__main__":
    main()
