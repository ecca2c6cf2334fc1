"""`python -m benchmarks.motion_features`: frames per second of joints_to_features and back, on one thread."""

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from benchmarks.measuring import Row, alternate, clock, machine, print_table
from modeling_motionllm.motion_features import HUMANML3D, Skeleton, features_to_joints, joints_to_features

__all__ = ["measure"]

# The official HumanML3D code (commit 9176e8f), measured clip by clip on two cores of the same kind.
OFFICIAL_FRAMES_PER_SECOND = 11_700
_BATCH = 6


def _batches(joints: list[np.ndarray]) -> list[tuple[np.ndarray, Skeleton, torch.Tensor]]:
    """The clips in padded batches of about one length, as arguments of `joints_to_features`."""
    joints = sorted(joints, key=len)
    batches = []
    for start in range(0, len(joints), _BATCH):
        group = joints[start : start + _BATCH]
        padded = np.stack([np.pad(clip, ((0, len(group[-1]) - len(clip)), (0, 0), (0, 0)), "edge") for clip in group])
        batches.append((padded, HUMANML3D, torch.tensor([len(clip) for clip in group])))
    return batches


def measure(rounds: int = 7, cpu_time: bool = False) -> list[Row]:
    """Frames per second on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    golden = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "golden"
    arrays = load_file(next(iter(sorted(golden.glob("*.safetensors")))))
    joints = [value for name, value in arrays.items() if name.endswith(".joints")]
    features = [value for name, value in arrays.items() if name.endswith(".features")]
    batches = _batches(joints)
    clips = {"joints_to_features": joints, "joints_to_features, batches": joints, "features_to_joints": features}
    timings = alternate(
        {
            "joints_to_features": lambda: [joints_to_features(clip) for clip in joints],
            "joints_to_features, batches": lambda: [joints_to_features(*batch) for batch in batches],
            "features_to_joints": lambda: [features_to_joints(clip) for clip in features],
        },
        rounds,
        clock(cpu_time),
    )
    torch.set_num_threads(threads)
    rows = []
    for name, timing in timings.items():
        speed = sum(map(len, clips[name])) / timing.median
        official = speed / OFFICIAL_FRAMES_PER_SECOND if name.startswith("joints_to_features") else None
        rows.append(Row(name, speed, "frames/s", timing.spread(), official, "official code (11,700 frames/s)"))
    return rows


if __name__ == "__main__":
    print(machine())
    print_table("features, one thread", measure())
