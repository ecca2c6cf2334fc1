"""`python -m benchmarks.export_roundtrip`: joints to a .bvh file and back, for recorded and for generated motion."""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from benchmarks.measuring import spread_over_actions
from hub_scripts.data.bvh import read_bvh
from hub_scripts.data.motion_files import load_motion
from hub_scripts.data.store import MotionRow, existing_splits, read_motions
from hub_scripts.export import save_motion
from hub_scripts.export.rig import JOINT_NAMES
from hub_scripts.options.checkpoint import add_model_arguments, load_model, load_processor, quiet
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D

__all__ = ["main"]

_SECONDS = (2.0, 2.6, 3.2, 4.0)  # of generated motions, in turn
_BATCH = 8
_COLUMNS = ("name", "contents", "mirrored")
_JUMP = 60.0  # degrees between two frames
_AT = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}
_CHILDREN = [[child for child, above in enumerate(HUMANML3D.parents) if above == joint] for joint in range(22)]
_BENDS = [joint for joint in range(1, 22) if len(_CHILDREN[joint]) == 1]


@dataclass
class RoundTrip:
    """One motion, before and after.

    Args:
        name: what the table calls it.
        errors: (T, 22) metres.
        jump: largest turn of a joint relative to its parent between two frames of the file, degrees.
        shown: by how much the angle between the bones at that joint changes there, in the motion itself, degrees: no
            skeleton can turn less.
        joint: which joint that is.
        away: whether the person faces away from +Z (more than 120 degrees) at some time.
        turn: how far the person turns round in all, degrees.
    """

    name: str
    errors: np.ndarray
    jump: float
    shown: float
    joint: str
    away: bool
    turn: float


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export_roundtrip", description=__doc__)
    parser.add_argument("--data", default="data/bandai", help="prepared dataset (default data/bandai)")
    parser.add_argument("--clips", type=int, default=200, help="recorded clips, of all contents (default 200)")
    parser.add_argument(
        "--generated", type=int, default=64, help="motions, from captions of the test split (default 64)"
    )
    parser.add_argument("--skeleton", default="smpl", choices=tuple(JOINT_NAMES), help="names (default smpl)")
    parser.add_argument("--fps", type=float, default=20.0, help="of the files (default 20)")
    add_model_arguments(parser)
    return parser.parse_args()


def _generated(rows: Sequence[MotionRow], args: argparse.Namespace) -> Iterator[Motion]:
    """A motion for the first caption of each row; motion i draws from seed i."""
    quiet()
    processor, model = load_processor(args.model), load_model(args.model, args.device)
    for start in tqdm(range(0, len(rows), _BATCH), desc="generate"):
        seeds = list(range(start, min(start + _BATCH, len(rows))))
        captions = [rows[seed]["captions"][0] for seed in seeds]
        durations = [_SECONDS[seed % len(_SECONDS)] for seed in seeds]
        output = model.generate_motion(**processor(text=captions, duration=durations), seed=seeds)
        yield from processor.decode_motion(output, captions)


def _bends(joints: np.ndarray) -> np.ndarray:
    """Angle (T, 22) in degrees between the bones above and below each joint; 0 where that is not one of each."""
    angles = np.zeros(joints.shape[:2])
    for joint in _BENDS:
        upper = joints[:, joint] - joints[:, HUMANML3D.parents[joint]]
        lower = joints[:, _CHILDREN[joint][0]] - joints[:, joint]
        across = np.linalg.norm(np.cross(upper, lower), axis=-1)
        angles[:, joint] = np.degrees(np.arctan2(across, (upper * lower).sum(-1)))
    return angles


def _turns(path: Path) -> tuple[np.ndarray, list[str]]:
    """Degrees (N - 1, J) by which each joint of a file turns relative to its parent between frames, and their names."""
    bvh = read_bvh(path)
    starts = np.cumsum([0, *map(len, bvh.channels)])
    turns = np.zeros((len(bvh.frames) - 1, len(bvh.joint_names)))
    for joint, channels in enumerate(bvh.channels):
        columns = [place for place, channel in enumerate(channels) if channel.endswith("rotation")]
        order = "".join(channels[place][0] for place in columns)
        rotations = Rotation.from_euler(order, bvh.frames[:, starts[joint] + np.array(columns)], degrees=True)
        turns[:, joint] = np.degrees((rotations[:-1].inv() * rotations[1:]).magnitude())
    return turns, list(bvh.joint_names)


def _facing(joints: np.ndarray) -> np.ndarray:
    """Degrees (T,) from +Z towards +X, running on past a half turn."""
    left = joints[:, _AT["left_hip"]] - joints[:, _AT["right_hip"]]
    left = left + joints[:, _AT["left_shoulder"]] - joints[:, _AT["right_shoulder"]]
    return np.degrees(np.unwrap(np.arctan2(-left[:, 2], left[:, 0])))


def measure(motion: Motion, name: str, folder: Path, skeleton: str, fps: float) -> RoundTrip:
    """Write a motion as .bvh, read the file as a stranger's, and compare."""
    path = save_motion(motion, folder / "motion.bvh", skeleton=skeleton, fps=fps)
    again = load_motion(path).joints.astype(np.float64)
    joints = motion.joints.astype(np.float64)
    turns, names = _turns(path)
    ours = [HUMANML3D.joint_names[JOINT_NAMES[skeleton].index(joint)] for joint in names]
    frame, column = np.unravel_index(turns.argmax(), turns.shape)
    place = min(round(frame * motion.fps / fps), len(joints) - 2)
    facing = _facing(joints)
    return RoundTrip(
        name=name,
        errors=np.linalg.norm(again - joints[: len(again)], axis=-1),
        jump=float(turns.max()),
        shown=float(np.abs(np.diff(_bends(joints[place : place + 2]), axis=0))[0, _AT[ours[column]]]),
        joint=ours[column],
        away=bool((np.abs((facing + 180) % 360 - 180) > 120).any()),
        turn=float(np.ptp(facing)),
    )


def _print_table(groups: dict[str, list[RoundTrip]]) -> None:
    columns = ("clips", "frames", "median", "worst clip", "99 %", "worst", "jump", f"> {_JUMP:g}")
    print(f"{'':<26}" + "".join(f"{column:>11}" for column in columns))
    for label, trips in groups.items():
        parts = {
            label: trips,
            "  facing away for a while": [trip for trip in trips if trip.away],
            "  turning by 90 or more": [trip for trip in trips if trip.turn >= 90],
        }
        for name, part in parts.items():
            if part:
                print(f"{name:<26}" + "".join(f"{value:>11}" for value in _figures(part)))


def _figures(trips: Sequence[RoundTrip]) -> list[str]:
    errors = 1000 * np.concatenate([trip.errors.ravel() for trip in trips])
    medians = [1000 * np.median(trip.errors) for trip in trips]
    return [
        *(str(len(trips)), f"{sum(len(trip.errors) for trip in trips):,}"),
        *(f"{np.median(errors):.4f}", f"{max(medians):.4f}"),
        *(f"{np.quantile(errors, 0.99):.2f}", f"{errors.max():.1f}"),
        *(f"{max(trip.jump for trip in trips):.1f}", str(sum(trip.jump > _JUMP for trip in trips))),
    ]


def main() -> None:
    args = _arguments()
    # The inverse kinematics has seen no data, so the clips come from all splits; captions are those of the test split.
    recorded = spread_over_actions(
        [row for split in existing_splits(args.data) for row in read_motions(args.data, split, [*_COLUMNS, "joints"])],
        args.clips,
    )
    texts = spread_over_actions(read_motions(args.data, "test", [*_COLUMNS, "captions"]), args.generated)
    contents = len({row["contents"][0] for row in recorded})
    print(f"{len(recorded)} clips of {contents} contents of {args.data}; {len(texts)} generated motions")
    print(
        f".bvh with {args.skeleton} names at {args.fps:g} fps, read back without being told what it is; errors in mm,"
    )
    print("largest turn of a joint between two frames in degrees")
    trips: dict[str, list[RoundTrip]] = {"recorded": [], "generated": []}
    with tempfile.TemporaryDirectory() as folder:
        for row in tqdm(recorded, desc="recorded"):
            motion = Motion(row["joints"][0])
            trips["recorded"].append(measure(motion, row["name"], Path(folder), args.skeleton, args.fps))
        for motion in _generated(texts, args) if texts else ():
            trips["generated"].append(measure(motion, motion.caption or "", Path(folder), args.skeleton, args.fps))
    _print_table({label: some for label, some in trips.items() if some})
    for label, some in trips.items():
        for trip in sorted(some, key=lambda trip: -trip.jump):
            if trip.jump > _JUMP:
                print(
                    f"{label}: {trip.joint} turns by {trip.jump:.0f} degrees in a frame, of which the joints show "
                    f"{trip.shown:.0f} ({trip.name})"
                )


if __name__ == "__main__":
    main()
