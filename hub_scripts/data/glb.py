"""Reading the animations of glTF files (`.glb`, `.gltf`, `.vrma`) as joint positions.

Why our own: pygltflib only parses, trimesh reads no animations, and a reader of what motion needs (keys, skins and the
tree of nodes) is short.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from hub_scripts.skeletons.seams import fade_over
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

from .gltf_file import Gltf, parse_gltf
from .retarget import JointPositions

__all__ = ["GltfAnimations", "read_glb"]

_DEFAULTS = {"translation": (0.0, 0.0, 0.0), "rotation": (0.0, 0.0, 0.0, 1.0), "scale": (1.0, 1.0, 1.0)}
_AND = " + "  # between the names of animations that are played one after another
_FADE = 0.4  # seconds from the pose in which one ends into the next
_LONGEST = 3600.0  # seconds
_MOST_PLACES = 2_000_000  # of nodes over time, 128 bytes each


@dataclass(frozen=True)
class _Track:
    """Keys of one property of one node: `values` (K, W), or (3 K, W) with tangents for CUBICSPLINE."""

    node: int
    path: str
    times: np.ndarray
    values: np.ndarray
    interpolation: str


class GltfAnimations:
    """The animations of a glTF file.

    Args:
        gltf: the parsed file.

    Attributes:
        names: of the animations, in file order; those without a name, or with that of another, get a number.

    Raises:
        MotionLLMError: the file has no animation.
    """

    def __init__(self, gltf: Gltf):
        self._gltf = gltf
        self._animations = gltf.objects("animations")
        if not self._animations:
            raise MotionLLMError(f"'{gltf.name}' holds no animation; export it with its animations")
        names: list[str] = []
        for index, animation in enumerate(self._animations):
            name = str(animation.get("name") or f"animation {index}")
            names.append(f"{name} {index}" if name in names else name)
        self.names = tuple(names)
        self._node_names = _node_names(gltf)

    def read(self, name: str | None = None, fps: float = HUMANML3D.fps) -> list[JointPositions]:
        """One animation, or several one after another, sampled at `fps`.

        Args:
            name: of the animation; may be left out where there is one. "Sit_Enter + Sit_Loop" is one after the other.
            fps: frames per second of the result; keys lie where they like.

        Returns:
            One recording for each skeleton that the animation moves.

        Raises:
            MotionLLMError: no such animation, nothing moves in it, animations that move different skeletons or last
                less than two frames where several are asked for, or damaged data.
        """
        if name is None or name in self.names or _AND not in name:
            return self._read_one(name, fps)
        first, *others = [self._read_one(part.strip(), fps) for part in name.split(_AND)]
        for other in others:
            if [one.joint_names for one in other] != [one.joint_names for one in first]:
                raise MotionLLMError(f"'{self._gltf.name}' has animations in '{name}' that move different skeletons")
            if min(len(one.positions) for one in (*first, *other)) < 2:
                raise MotionLLMError(f"'{self._gltf.name}' has an animation in '{name}' shorter than two frames")
            first = [_one_after_another(one, after) for one, after in zip(first, other, strict=True)]
        return first

    def _read_one(self, name: str | None, fps: float) -> list[JointPositions]:
        """One animation, see `read`."""
        if name is None and len(self.names) > 1:
            raise MotionLLMError(
                f"'{self._gltf.name}' holds {len(self.names)} animations; name one: {', '.join(self.names[:20])}"
            )
        if name is not None and name not in self.names:
            raise MotionLLMError(
                f"'{self._gltf.name}' holds no animation '{name}'; it has {', '.join(self.names[:20])}"
            )
        tracks = self._tracks(0 if name is None else self.names.index(name))
        keyed = [track.times for track in tracks if len(track.times) > 1]
        if not keyed:
            raise MotionLLMError(f"'{self._gltf.name}' has an animation '{name}' in which nothing moves; leave it out")
        start, end = min(times[0] for times in keyed), max(times[-1] for times in keyed)
        if end - start > _LONGEST:
            raise MotionLLMError(f"'{self._gltf.name}' has an animation of {end - start:.0f} s; cut it to an hour")
        if (end - start) * fps * len(self._gltf.nodes) > _MOST_PLACES:
            raise MotionLLMError(
                f"'{self._gltf.name}' moves {len(self._gltf.nodes):,} nodes over {end - start:.0f} s; cut it"
            )
        # Times are float32: of a long animation the last one is a little less than it should be.
        times = start + np.arange(int(np.floor((end - start) * fps + 1e-3)) + 1) / fps
        times = np.minimum(times, end)
        places = self._world(tracks, times)
        rest = self._world([], times[:1])[0]
        return [
            JointPositions(
                tuple(self._node_names[node] for node in skeleton),
                tuple(self._parent_in(node, skeleton) for node in skeleton),
                places[:, skeleton],
                rest[skeleton],
                fps,
                timed=True,
            )
            for skeleton in self._skeletons({track.node for track in tracks})
        ]

    def _tracks(self, index: int) -> list[_Track]:
        gltf, animation = self._gltf, self._animations[index]
        samplers = animation.get("samplers", [])
        tracks = []
        for channel in animation.get("channels", []):
            target = channel.get("target", {})
            path = target.get("path")
            if path not in _DEFAULTS or "node" not in target:
                continue
            node = gltf.index(target["node"], len(gltf.nodes), "node")
            sampler = samplers[gltf.index(channel.get("sampler"), len(samplers), "sampler")]
            kind = sampler.get("interpolation", "LINEAR")
            times, values = gltf.array(sampler.get("input")), gltf.array(sampler.get("output"))
            if times.shape[1] != 1:
                raise gltf.broken("has key times that are no single numbers")
            times = times[:, 0]
            rows = 3 * len(times) if kind == "CUBICSPLINE" else len(times)
            if kind not in ("LINEAR", "STEP", "CUBICSPLINE") or values.shape != (rows, len(_DEFAULTS[path])):
                raise gltf.broken(f"has {values.shape} values for {len(times)} keys of {path} ({kind})")
            if (np.diff(times) <= 0).any():
                raise gltf.broken("has keys whose times do not rise")
            points = values[1::3] if kind == "CUBICSPLINE" else values
            if path == "rotation" and (np.linalg.norm(points, axis=-1) < 1e-6).any():
                raise gltf.broken("has rotations of length zero")
            tracks.append(_Track(node, path, times, values, kind))
        return tracks

    def _world(self, tracks: list[_Track], times: np.ndarray) -> np.ndarray:
        """Positions (N, nodes, 3) of all nodes."""
        gltf = self._gltf
        moved: dict[int, dict[str, np.ndarray]] = {}
        for track in tracks:
            moved.setdefault(track.node, {})[track.path] = _sample(track, times)
        world = np.empty((len(times), len(gltf.nodes), 4, 4))
        for node in _parents_first(gltf.parents):
            local = _local(gltf, node, moved.get(node, {}), len(times))
            parent = gltf.parents[node]
            world[:, node] = local if parent < 0 else world[:, parent] @ local
        return world[..., :3, 3]

    def _skeletons(self, moved: set[int]) -> list[list[int]]:
        """Nodes of each skeleton that moves: the joints of a skin and what is above them, else all nodes."""
        gltf = self._gltf
        groups: list[tuple[set[int], set[int]]] = []  # joints, and these with what is above them
        for skin in gltf.objects("skins"):
            joints = {gltf.index(joint, len(gltf.nodes), "node") for joint in skin.get("joints", [])}
            whole = joints | {above for joint in joints for above in _above(gltf.parents, joint)}
            # Clothes and hair have skins of their own on the same skeleton, or hang from it.
            for group in [group for group in groups if joints & group[1] or whole & group[0]]:
                groups.remove(group)
                joints, whole = joints | group[0], whole | group[1]
            groups.append((joints, whole))
        order = {node: place for place, node in enumerate(_parents_first(gltf.parents))}
        moving = [whole for joints, whole in groups if moved & joints] or [set(order)]
        return [sorted(nodes, key=order.__getitem__) for nodes in moving]

    def _parent_in(self, node: int, skeleton: list[int]) -> int:
        return next((skeleton.index(above) for above in _above(self._gltf.parents, node) if above in skeleton), -1)


def _one_after_another(first: JointPositions, second: JointPositions) -> JointPositions:
    """The second recording where the first ends; what is left between the two poses fades out."""
    apart = first.positions[-1] - second.positions[0]
    way = apart.mean(axis=0) * [1.0, 0.0, 1.0]  # glTF has Y up
    frames = min(round(_FADE * first.fps), len(second.positions) - 1)
    joined = fade_over(first.positions, second.positions + way, frames)
    return replace(first, positions=np.concatenate([first.positions, joined[1:]]))


def read_glb(path: str | os.PathLike[str]) -> GltfAnimations:
    """Read a glTF file.

    Raises:
        MotionLLMError: it cannot be read, is no glTF 2.0 or has no animation.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise MotionLLMError(f"cannot read '{path}' ({error.strerror}); check the path") from error
    return GltfAnimations(parse_gltf(data, os.fspath(path), Path(path).parent))


def _node_names(gltf: Gltf) -> list[str]:
    """Names of the nodes; where the file says which bone of a human a node is (VRM), that bone's."""
    names = [str(node.get("name") or f"node {index}") for index, node in enumerate(gltf.nodes)]
    for extension in ("VRMC_vrm", "VRMC_vrm_animation"):
        humanoid = gltf.extensions().get(extension, {}).get("humanoid", {})
        bones: dict[str, Any] = humanoid.get("humanBones", {}) if isinstance(humanoid, dict) else {}
        for bone, entry in bones.items():
            names[gltf.index(entry.get("node"), len(names), "node")] = bone
    return names


def _above(parents: list[int], node: int) -> list[int]:
    found = []
    while (node := parents[node]) >= 0:
        found.append(node)
    return found


def _parents_first(parents: list[int]) -> list[int]:
    return sorted(range(len(parents)), key=lambda node: len(_above(parents, node)))


def _local(gltf: Gltf, node: int, moved: dict[str, np.ndarray], frames: int) -> np.ndarray:
    """Transforms (N or 1, 4, 4) of a node in its parent."""
    said = gltf.nodes[node]
    if "matrix" in said and not moved:
        matrix = np.array(said["matrix"], dtype=np.float64)
        if matrix.shape != (16,) or not np.isfinite(matrix).all():
            raise gltf.broken(f"has a node {node} with a matrix that is none")
        return matrix.reshape(1, 4, 4).swapaxes(-1, -2)
    parts = {}
    for path, default in _DEFAULTS.items():
        value = moved[path] if path in moved else np.array(said.get(path, default), dtype=np.float64)[None]
        if value.shape[1:] != (len(default),) or not np.isfinite(value).all():
            raise gltf.broken(f"has a node {node} with a {path} that is none")
        parts[path] = np.broadcast_to(value, (frames, len(default)))
    rotation = parts["rotation"]
    if (np.linalg.norm(rotation, axis=-1) < 1e-6).any():
        raise gltf.broken(f"has a node {node} with a rotation of length zero")
    transform = np.zeros((frames, 4, 4))
    transform[:, :3, :3] = Rotation.from_quat(rotation).as_matrix() * parts["scale"][:, None]
    transform[:, :3, 3] = parts["translation"]
    transform[:, 3, 3] = 1.0
    return transform


def _sample(track: _Track, times: np.ndarray) -> np.ndarray:
    """Values (N, W) at `times`; before the first and after the last key they stay."""
    keys, values = track.times, track.values
    at = np.clip(times, keys[0], keys[-1])
    if len(keys) == 1:
        return np.repeat(values[1:2] if track.interpolation == "CUBICSPLINE" else values, len(at), axis=0)
    # Times are single precision in the file: a frame that lies on a key is on it.
    low = np.clip(np.searchsorted(keys, at + 1e-6, side="right") - 1, 0, len(keys) - 2)
    if track.interpolation == "STEP":
        return values[np.where(at >= keys[-1] - 1e-6, len(keys) - 1, low)]
    span = (keys[low + 1] - keys[low])[:, None]
    share = np.clip((at - keys[low])[:, None] / span, 0.0, 1.0)
    if track.interpolation == "CUBICSPLINE":
        arriving, points, leaving = values[0::3], values[1::3], values[2::3]
        square, cube = share**2, share**3
        return (
            (2 * cube - 3 * square + 1) * points[low]
            + span * (cube - 2 * square + share) * leaving[low]
            + (3 * square - 2 * cube) * points[low + 1]
            + span * (cube - square) * arriving[low + 1]
        )
    if track.path == "rotation":
        return np.asarray(Slerp(keys, Rotation.from_quat(values))(at).as_quat())
    return (1 - share) * values[low] + share * values[low + 1]
