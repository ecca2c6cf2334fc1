"""Reading one motion from a file a user has: `.npz`, `.npy`, `.bvh`, `.amc`, `.glb`, `.gltf` or `.vrma`."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hub_scripts.skeletons.match import UnknownSkeletonError, offer_map_template
from modeling_motionllm.arrays_motionllm import NpzArrays
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion, MotionSegment
from modeling_motionllm.motion_features import HUMANML3D, KIT, Skeleton

from .array_shapes import by_person, in_another_order
from .bvh import Bvh
from .gate import ReadingOptions, cut_part
from .joint_arrays import feature_joints, frame_rate, read_array, untold_rate
from .recordings import explain_reading, parse_recording, read_bytes, recording_suffix
from .retarget import JointPositions, read_people, retarget_people, without_doubles

__all__ = ["load_motion"]

_SMALLEST_BODY = 0.05  # metres; under it the unit must be another one
_PLAIN = "smpl22 skeleton, metres, y up"  # of an array that is as ours are
_SAME = 1e-6  # metres


def load_motion(
    path: str | os.PathLike[str], options: ReadingOptions | None = None, tell: Callable[[str], None] | None = None
) -> Motion:
    """Read a motion, by the suffix of its file. All but what a model of ours wrote passes the gate, see `pass_gate`.

    Args:
        path: `.npz` (what `Motion.save` writes, or any with joints); `.npy`; both with joints (T, 22, 3) or those of
            another body of SMPL's, of several people (P, T, 22, 3), flat (T, 66), or HumanML3D features (T, 263); at
            20 fps where the file says none; or, as published, joints (T, 21, 3) or features (T, 251) of KIT-ML, in
            millimetres at 12.5 fps; `.bvh`, `.amc` (with its `.asf` beside it), `.glb`, `.gltf` or `.vrma` with any
            skeleton whose joints can be told or mapped. A glTF file may move several people.
        options: what is known of the file.
        tell: takes what was found out about the file, one line each.

    Returns:
        At 20 fps; arrays at their own rate.

    Raises:
        MotionLLMError: no such file, a format or shape that is not known, NaN or infinite values, or what `pass_gate`
            refuses. For an unknown skeleton a map to complete is written beside the file.
    """
    path = Path(path)
    if not path.is_file():
        raise MotionLLMError(f"no such file: '{path}'")
    with explain_reading(os.fspath(path)):
        return _load(path, options or ReadingOptions(), tell or (lambda line: None))


def _load(path: Path, options: ReadingOptions, tell: Callable[[str], None]) -> Motion:
    suffix = recording_suffix(path)
    if not suffix:
        raise MotionLLMError(f"'{path}' is not .npz, .npy, .bvh, .amc, .glb or .gltf; convert it to one of these")
    data = b"" if suffix == ".npz" else read_bytes(path)  # of an .npz only the arrays that are needed are read
    if suffix == ".npz" and options.animation is None:
        motion = _own_motion(path, options, tell)
        if motion is not None:
            return motion
    if suffix == ".npy":
        array = read_array(data, os.fspath(path), options.animation)
        published = {(KIT.num_joints, 3): KIT, (KIT.feature_dim,): KIT, (HUMANML3D.feature_dim,): HUMANML3D}
        skeleton = None if in_another_order(array) else published.get(array.shape[1:])
        if skeleton is not None:
            return _cut(_published_motion(array, skeleton, path, options, tell), options, path)
    recordings = parse_recording(data, path, os.fspath(path), options)
    try:
        if suffix in (".npy", ".npz"):
            return _array_motion(recordings, path, options, tell, told=False)
        return _skeleton_motion(recordings, path, options, tell)
    except UnknownSkeletonError as error:
        raise MotionLLMError(f"{error}; {offer_map_template(error, path.with_suffix('.map.json'))}") from error


def _own_motion(path: Path, options: ReadingOptions, tell: Callable[[str], None]) -> Motion | None:
    """What `Motion.save` wrote, or `np.savez` with the same arrays; None for an `.npz` of another kind."""
    arrays = NpzArrays(path, os.fspath(path))
    joints = arrays.outlines().get("joints")
    bodies = (HUMANML3D.num_joints, KIT.num_joints)
    if joints is None or joints.ndim not in (3, 4) or joints.shape[-2] not in bodies or joints.shape[1] == 1:
        return None
    if "model" not in arrays and _is_others(arrays["joints"]):
        return None
    motion = Motion.load(path)
    said = options.fps or frame_rate(arrays, os.fspath(path))
    fps = said or motion.fps
    if said is None:
        tell(f"{path.name}: {untold_rate(fps)}")
    if fps != motion.fps:
        later = [
            MotionSegment(text, a * motion.fps / fps, b * motion.fps / fps) for text, a, b in motion.segments or ()
        ]
        motion = replace(motion, fps=fps, segments=later or None)
    ours = motion.model is not None and options.up is None and options.scale is None
    if ours or motion.skeleton is KIT:
        return _cut(motion, options, path)
    names, parents = motion.skeleton.joint_names, motion.skeleton.parents
    recordings = [JointPositions(names, parents, person.astype(np.float64), None, fps) for person in motion.people]
    read, part = _array_motion(recordings, path, options, tell), _cut(motion, options, path)
    if read.joints.shape != part.joints.shape:  # frames at its ends are left out
        return replace(part, joints=read.joints, features=None, codes=None, segments=None, root_path=None)
    if np.abs(read.joints - part.joints).max() < _SAME:
        return part
    return replace(part, joints=read.joints, features=None, codes=None, root_path=None)


def _is_others(joints: np.ndarray) -> bool:
    """Whether joints have people behind frames, or frames without a body, as files of other programs may."""
    people = by_person(joints) if joints.ndim == 4 else None
    return (people is not None and people.shape != joints.shape) or not np.isfinite(joints).all()


def _array_motion(
    recordings: Sequence[Bvh | JointPositions],
    path: Path,
    options: ReadingOptions,
    tell: Callable[[str], None],
    told: bool = True,
) -> Motion:
    """A motion at the rate of its array; said is what is not as in our own; `told` if the file says who is in it."""
    people = read_people(recordings, os.fspath(path), options)
    people = people if told else without_doubles(people, os.fspath(path))
    lines: list[str] = []
    for skeleton, read in people:
        lines += [*([] if skeleton == _PLAIN else [f"{skeleton}, {read.fps:g} fps"]), *read.notes]
    for line in dict.fromkeys(lines):  # what is true of all people once
        tell(f"{path.name}: {line}")
    return _in_one([read.joints for _, read in people], people[0][1].fps)


def _skeleton_motion(
    recordings: Sequence[Bvh | JointPositions], path: Path, options: ReadingOptions, tell: Callable[[str], None]
) -> Motion:
    people = retarget_people(recordings, os.fspath(path), options)
    for recording, read in zip(recordings, people, strict=False):
        timed = isinstance(recording, JointPositions) and recording.timed
        fps = recording.fps if timed or options.fps is None else options.fps
        for line in (f"{read.skeleton}, {fps:g} fps", *read.notes):
            tell(f"{path.name}: {line}")
    return _in_one([read.joints for read in people], HUMANML3D.fps)


def _in_one(people: Sequence[np.ndarray], fps: float) -> Motion:
    return Motion(people[0] if len(people) == 1 else np.stack(people), fps=fps)


def _cut(motion: Motion, options: ReadingOptions, path: Path) -> Motion:
    """The part of a motion that is asked for."""
    if options.start is None and options.end is None:
        return motion
    part = cut_part(motion.num_frames, motion.fps, options, os.fspath(path))
    return motion.part(part.start, part.stop)


def _published_motion(
    array: np.ndarray, skeleton: Skeleton, path: Path, options: ReadingOptions, tell: Callable[[str], None]
) -> Motion:
    """Features, or joints (T, 21, 3) of KIT-ML, as published: their unit and axes are part of what they are."""
    if len(array) == 0 or not np.isfinite(array).all():
        problem = "no frames" if len(array) == 0 else "values that are NaN or infinite"
        raise MotionLLMError(f"'{path}' has {problem}; repair it or export it again")
    notes = [] if options.fps or array.ndim == 2 else [untold_rate(skeleton.fps, "as KIT-ML has")]
    if array.ndim == 2:
        array, notes = feature_joints(array, skeleton, path, os.fspath(path))
    for note in notes:
        tell(f"{path.name}: {note}")
    motion = Motion(skeleton.metres_per_unit * array, fps=options.fps or skeleton.fps)
    if np.ptp(motion.joints[0], axis=0).max() < _SMALLEST_BODY:
        raise MotionLLMError(
            f"'{path}' shows a body of {1000 * np.ptp(motion.joints[0], axis=0).max():.3g} mm; files of this skeleton "
            f"are read in units of {skeleton.metres_per_unit:g} m, so save joints in metres as .npz (`Motion.save`)"
        )
    return motion
