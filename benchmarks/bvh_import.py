"""`python -m benchmarks.bvh_import`: frames per second from .bvh to features, against joint by joint in Python."""

import math
from pathlib import Path

import numpy as np

from benchmarks.measuring import Row, alternate, clock, machine, print_table
from hub_scripts.data.bvh import Bvh, forward_kinematics, read_bvh
from hub_scripts.data.motion_files import load_motion
from modeling_motionllm.motion_features import joints_to_features, resample_joints

__all__ = ["measure"]


def _rotation(axis: str, degrees: float) -> list[list[float]]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    if axis == "X":
        return [[1, 0, 0], [0, c, -s], [0, s, c]]
    if axis == "Y":
        return [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    return [[c, -s, 0], [s, c, 0], [0, 0, 1]]


def _joint_by_joint(bvh: Bvh) -> np.ndarray:
    """Positions (T, J, 3): one frame after the other, one joint after the other, one channel after the other."""
    positions = np.zeros((len(bvh.frames), len(bvh.joint_names), 3))
    for number, frame in enumerate(bvh.frames):
        turned: list[np.ndarray] = []
        values = iter(frame)
        for joint, parent in enumerate(bvh.parents):
            move, turn = np.array(bvh.offsets[joint], dtype=float), np.eye(3)
            for channel in bvh.channels[joint]:
                value = next(values)
                if channel.endswith("position"):
                    move["XYZ".index(channel[0])] = value
                else:
                    turn = turn @ np.array(_rotation(channel[0], value))
            above = np.eye(3) if parent < 0 else turned[parent]
            start = np.zeros(3) if parent < 0 else positions[number, parent]
            positions[number, joint] = start + above @ move
            turned.append(above @ turn)
    return positions


def measure(quick: bool = False, cpu_time: bool = False) -> list[Row]:
    """Frames of the files per second, on one core."""
    files = sorted((Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "bandai").glob("*.bvh"))
    clips = [read_bvh(path) for path in files]
    if not all(np.allclose(_joint_by_joint(clip), forward_kinematics(clip)) for clip in clips):
        raise RuntimeError("the two ways of forward kinematics disagree")
    frames = sum(len(clip.frames) for clip in clips)

    def whole() -> None:
        for path in files:
            motion = load_motion(path)
            joints_to_features(resample_joints(motion.joints, motion.fps, 20.0))

    cases = {
        "read_bvh, the file's frames": lambda: [read_bvh(path) for path in files],
        "forward kinematics": lambda: [forward_kinematics(clip) for clip in clips],
        "forward kinematics, joint by joint": lambda: [_joint_by_joint(clip) for clip in clips],
        "file to features: read, retarget, resample": whole,
    }
    timings = alternate(cases, 3 if quick else 5, clock(cpu_time))
    naive = "forward kinematics, joint by joint"
    return [
        Row(
            name,
            frames / timing.median,
            "frames/s",
            timing.spread(),
            timing.faster_than(timings[naive]) if name == "forward kinematics" else None,
            "joint by joint in Python",
        )
        for name, timing in timings.items()
    ]


if __name__ == "__main__":
    print(machine())
    print_table("import of .bvh, one core", measure())
