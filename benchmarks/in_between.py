"""`python -m benchmarks.in_between`: the middle second of recorded clips, made anew and interpolated."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from benchmarks.measuring import spread_over_actions
from hub_scripts.data.store import MotionRow, read_motions
from hub_scripts.export.ik import solve_rotations
from hub_scripts.export.rig import forward_kinematics
from hub_scripts.export.rotations import slerp
from hub_scripts.generation.continuing import edit_motion
from hub_scripts.metrics.physics import FootSkating, MotionClips
from hub_scripts.metrics.reconstruction import reconstruct
from hub_scripts.options.checkpoint import add_model_arguments, load_model, load_processor, quiet
from hub_scripts.skeletons.seams import on_body, placed
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D, features_to_joints
from modeling_motionllm.placement_motionllm import turned

__all__ = ["main"]

_FPS = HUMANML3D.fps
_GAP = 1.0  # seconds that are cut out of the middle
_SHORTEST = 3.0  # seconds of a clip
_END = 0.2  # seconds within the gap that are its ends; and on both sides of an end, where its jerk is measured
_COLUMNS = ("name", "contents", "mirrored", "captions", "joints", "features")


@dataclass(frozen=True)
class Cut:
    """A recorded clip with a gap.

    Args:
        row: of the dataset.
        joints: float64 (T, 22, 3).
        first, last: the frames around the gap, which are given.
    """

    row: MotionRow
    joints: np.ndarray
    first: int
    last: int

    @classmethod
    def of(cls, row: MotionRow) -> "Cut":
        joints = np.asarray(row["joints"][0], dtype=np.float64)
        size = round(_GAP * _FPS)
        first = (len(joints) - 1 - size) // 2
        return cls(row, joints, first, first + size)

    def filled(self, new: np.ndarray) -> np.ndarray:
        """The clip with frames (last - first + 1, 22, 3), of which the outer two are the given ones."""
        return np.concatenate([self.joints[: self.first + 1], new[1:-1], self.joints[self.last :]])

    @property
    def shares(self) -> np.ndarray:
        return np.linspace(0.0, 1.0, self.last - self.first + 1)


def _linear(cut: Cut) -> np.ndarray:
    share = cut.shares[:, None, None]
    return cut.filled((1 - share) * cut.joints[cut.first] + share * cut.joints[cut.last])


def _slerp(cut: Cut) -> np.ndarray:
    """Rotations of all joints along great arcs, the root along a line."""
    rig = solve_rotations(cut.joints, _FPS)
    rotations = slerp(rig.rotations[cut.first], rig.rotations[cut.last], cut.shares[:, None])
    roots = (1 - cut.shares[:, None]) * rig.root_positions[cut.first] + cut.shares[:, None] * rig.root_positions[
        cut.last
    ]
    return cut.filled(forward_kinematics(replace(rig, rotations=rotations, root_positions=roots)))


def _reconstructed(cuts: Sequence[Cut], motion_vq: MotionVQModel) -> list[np.ndarray]:
    """What the VQ-VAE makes of the whole clips, on their bodies and put where the gap begins."""
    results = []
    for cut, clip in zip(cuts, reconstruct(motion_vq, [cut.row["features"][0] for cut in cuts]).clips, strict=True):
        joints = features_to_joints(clip.astype(np.float64), HUMANML3D)
        whole = on_body(joints, cut.joints[0], float(cut.joints[..., 1].min()))
        (x, z, heading), (to_x, to_z, to_heading) = (
            placed(motion[cut.first : cut.first + 1]) for motion in (whole, cut.joints)
        )
        left, ahead = turned(whole[..., 0] - x, whole[..., 2] - z, to_heading - heading)
        results.append(np.stack([left + to_x, whole[..., 1], ahead + to_z], axis=-1))
    return results


def _figures(cuts: Sequence[Cut], filled: Sequence[np.ndarray]) -> list[float]:
    """Error in the gap and at its ends, mm; jerk in the gap and at its ends, m/s^3; fastest joint; skating, cm/s."""
    end, errors, ends, jerks, end_jerks, speeds, parts = round(_END * _FPS), [], [], [], [], [], []
    for cut, joints in zip(cuts, filled, strict=True):
        known = cut.joints[: len(joints)]  # what does not fill a code at the end is not reconstructed
        error = 1000 * np.linalg.norm(joints - known, axis=-1).mean(-1)[cut.first + 1 : cut.last]
        errors.append(error.mean())
        ends.append(np.concatenate([error[:end], error[-end:]]).mean())
        # Of frames i to i + 3; those at an end have new frames and given ones among them.
        jerk = np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1).mean(-1) * _FPS**3
        jerks.append(jerk[cut.first : cut.last - 2].mean())
        end_jerks.append(np.concatenate([jerk[cut.first - 2 : cut.first + 1], jerk[cut.last - 3 : cut.last]]).max())
        steps = np.linalg.norm(np.diff(joints[cut.first : cut.last + 1], axis=0), axis=-1) * _FPS
        speeds.append(steps.max())
        parts.append(joints[cut.first : cut.last + 1])
    skating = FootSkating()(MotionClips(parts, _FPS))["foot_skating_cm"]
    return [*(float(np.mean(some)) for some in (errors, ends, jerks, end_jerks, speeds)), skating]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.in_between", description=__doc__)
    parser.add_argument("--data", default="data/bandai", help="prepared dataset (default data/bandai)")
    parser.add_argument("--split", default="test", help="of the dataset (default test)")
    parser.add_argument("--clips", type=int, default=30, help="recorded clips, of all contents (default 30)")
    add_model_arguments(parser)
    args = parser.parse_args()
    quiet()
    rows = read_motions(args.data, args.split, list(_COLUMNS))
    long = [row for row in rows if row["joints"][0].shape[0] >= _SHORTEST * _FPS]
    cuts = [Cut.of(row) for row in spread_over_actions(long, args.clips)]
    processor, model = load_processor(args.model), load_model(args.model, args.device)

    def edited(cut: Cut, seed: int) -> np.ndarray:
        motion, sentence = Motion(cut.joints), cut.row["captions"][0]
        made = edit_motion(model, processor, motion, sentence, cut.first / _FPS, cut.last / _FPS, seed=seed)
        return made.motion.joints.astype(np.float64)

    table = {
        "recorded": [cut.joints for cut in cuts],
        "VQ reconstruction": _reconstructed(cuts, model.motion_vq),
        "motionllm edit": [edited(cut, seed) for seed, cut in enumerate(tqdm(cuts, desc="edit"))],
        "linear interpolation": [_linear(cut) for cut in cuts],
        "slerp": [_slerp(cut) for cut in cuts],
    }
    contents = len({cut.row["contents"][0] for cut in cuts})
    print(f"{len(cuts)} clips of {contents} contents of {args.data} ({args.split}), their middle {_GAP:g} s cut out;")
    print("errors in mm, jerk in m/s^3, speed of the fastest joint in m/s, skating in cm/s")
    columns = ("error", "at its ends", "jerk", "at its ends", "fastest", "skating")
    print(f"{'':<22}" + "".join(f"{column:>13}" for column in columns))
    for name, filled in table.items():
        print(f"{name:<22}" + "".join(f"{value:>13.1f}" for value in _figures(cuts, filled)))


if __name__ == "__main__":
    main()
