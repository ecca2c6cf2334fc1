"""Writing a motion as binary glTF 2.0: a skinned mannequin for each person and one animation.

The container is written here and not by a library: it is a header and two chunks, and what is laborious, the accessors
with their bounds, the libraries at hand leave to their caller too. Specification: Khronos glTF 2.0 (ISO/IEC 12113).
"""

import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import Motion, MotionSegment

from .mannequin import Mannequin, build_mannequin
from .rig import RigMotion
from .shown_motion import shown_motion, solve_people
from .theme import RGB, person_colours

__all__ = ["GltfAsset", "add_animations", "add_skeleton", "build_glb", "clip_name", "linear", "save_glb"]

_MAGIC, _VERSION, _JSON_CHUNK, _BINARY_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_COMPONENTS = {"u1": 5121, "u2": 5123, "f4": 5126}  # glTF's numbers for the types that are used here
_TYPES: dict[tuple[int, ...], str] = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_VERTICES, _INDICES = 34962, 34963
_PEAK = 2**32 - 1
_LONGEST_NAME = 60  # letters; Blender's names have 63 bytes


class GltfAsset:
    """A glTF document under construction: its JSON and its binary buffer."""

    def __init__(self) -> None:
        self.json: dict[str, list[dict[str, Any]]] = {}
        self._binary = bytearray()

    def add(self, kind: str, entry: dict[str, Any]) -> int:
        """Append to one of the document's lists; returns the index there."""
        entries = self.json.setdefault(kind, [])
        entries.append(entry)
        return len(entries) - 1

    def accessor(self, array: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """Store a float32, uint16 or uint8 array (N, ...); matrices column by column."""
        data = array.astype(array.dtype.newbyteorder("<"))
        if data.ndim == 3:
            data = np.swapaxes(data, 1, 2)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": data.nbytes}
        if target is not None:
            view["target"] = target
        self._binary += data.tobytes()
        self._binary += bytes(-len(self._binary) % 4)
        entry: dict[str, Any] = {
            "bufferView": self.add("bufferViews", view),
            "componentType": _COMPONENTS[array.dtype.str[1:]],
            "count": len(array),
            "type": _TYPES[array.shape[1:]],
        }
        if bounds:
            entry["min"] = np.atleast_1d(array.min(axis=0)).tolist()
            entry["max"] = np.atleast_1d(array.max(axis=0)).tolist()
        return self.add("accessors", entry)

    def to_bytes(self, extensions: dict[str, Any] | None = None) -> bytes:
        document: dict[str, Any] = {"asset": {"version": "2.0", "generator": "motionllm"}, "scene": 0, **self.json}
        if extensions:
            document |= {"extensionsUsed": list(extensions), "extensions": extensions}
        document["buffers"] = [{"byteLength": len(self._binary)}]
        text = json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode("ascii")
        text += b" " * (-len(text) % 4)
        total = 12 + 8 + len(text) + 8 + len(self._binary)
        if total > _PEAK:
            raise MotionLLMError(f"the .glb would have {total} bytes and 4 GiB is the limit; cut the motion")
        return b"".join(
            [
                struct.pack("<III", _MAGIC, _VERSION, total),
                struct.pack("<II", len(text), _JSON_CHUNK),
                text,
                struct.pack("<II", len(self._binary), _BINARY_CHUNK),
                self._binary,
            ]
        )


def linear(colour: RGB) -> list[float]:
    """The linear light of an sRGB colour, with alpha 1; glTF's material factors are linear."""
    encoded = np.array(colour) / 255.0
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return [*(round(float(channel), 5) for channel in light), 1.0]


def add_skeleton(asset: GltfAsset, person: RigMotion, name: str, height: float) -> tuple[int, list[int]]:
    """Nodes of a person in rest pose, the root at `height`: the armature, and one node a joint."""
    rig = person.rig
    armature = len(asset.json.get("nodes", []))
    joints = [armature + 1 + joint for joint in range(len(rig.parents))]
    asset.add("nodes", {"name": name, "children": [joints[0]]})
    for joint, joint_name in enumerate(rig.joint_names):
        offset = [0.0, height, 0.0] if rig.parents[joint] < 0 else rig.offsets[joint].tolist()
        node: dict[str, Any] = {"name": joint_name, "translation": offset}
        if rig.children(joint):
            node["children"] = [joints[child] for child in rig.children(joint)]
        asset.add("nodes", node)
    return armature, joints


def _add_materials(asset: GltfAsset, index: int, name: str) -> dict[str, int]:
    """The three tones of a person, as everywhere else."""
    tones = person_colours(index)
    materials = {}
    for side in ("left", "right", "middle"):
        surface = {
            "baseColorFactor": linear(getattr(tones, side)),
            "metallicFactor": 0.0,
            "roughnessFactor": 0.7,
        }
        materials[side] = asset.add("materials", {"name": f"{name}_{side}", "pbrMetallicRoughness": surface})
    return materials


def _add_body(
    asset: GltfAsset, person: RigMotion, mannequin: Mannequin, height: float, joints: list[int], name: str, index: int
) -> int:
    """Mesh and skin of a person; returns the node that shows them."""
    rig, raised = person.rig, np.array([0.0, height, 0.0])
    attributes = {
        "POSITION": asset.accessor((mannequin.positions + raised).astype(np.float32), _VERTICES, bounds=True),
        "NORMAL": asset.accessor(mannequin.normals, _VERTICES),
        "JOINTS_0": asset.accessor(mannequin.joints, _VERTICES),
        "WEIGHTS_0": asset.accessor(mannequin.weights, _VERTICES),
    }
    materials = _add_materials(asset, index, name)
    primitives = [
        {
            "attributes": attributes,
            "indices": asset.accessor(triangles.reshape(-1), _INDICES),
            "material": materials[side],
        }
        for side, triangles in mannequin.triangles.items()
    ]
    inverse_bind = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    inverse_bind[:, :3, 3] = -(rig.rest_positions + raised)
    skin = {
        "name": name,
        "inverseBindMatrices": asset.accessor(inverse_bind),
        "skeleton": joints[0],
        "joints": joints,
    }
    mesh = asset.add("meshes", {"name": f"{name}_body", "primitives": primitives})
    return asset.add("nodes", {"name": f"{name}_body", "mesh": mesh, "skin": asset.add("skins", skin)})


def add_animations(
    asset: GltfAsset,
    people: Sequence[RigMotion],
    joints: Sequence[list[int]],
    name: str,
    path: np.ndarray | None = None,
    segments: Sequence[MotionSegment] = (),
) -> None:
    """One animation that moves everybody, with a marker where each segment begins; with a path (T, 2) of one person
    another one, whose armature goes it.
    """
    times = np.arange(len(people[0].rotations)) / people[0].fps
    time = asset.accessor(times.astype(np.float32), bounds=True)
    channels: list[dict[str, Any]] = []
    samplers: list[dict[str, Any]] = []

    def move(node: int, path: str, values: np.ndarray) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        output = asset.accessor(values.astype(np.float32))
        samplers.append({"input": time, "output": output, "interpolation": "LINEAR"})

    for person, nodes in zip(people, joints, strict=True):
        move(nodes[0], "translation", person.root_positions)
        for joint, node in enumerate(nodes):
            if person.rig.children(joint):  # the others never turn
                move(node, "rotation", np.roll(person.rotations[:, joint], -1, axis=-1))  # glTF: x, y, z, w
    told: dict[str, Any] = {}
    if segments:
        markers = [{"name": _readable(text), "time": start, "end": end} for text, start, end in segments]
        told["extras"] = {"markers": markers}
    asset.add("animations", {"name": name, "channels": [*channels], "samplers": [*samplers], **told})
    if path is not None:
        move(joints[0][0] - 1, "translation", np.insert(path, 1, 0.0, axis=1))
        name = f"{name} with root motion"
        asset.add("animations", {"name": name, "channels": channels, "samplers": samplers, **told})


def _readable(text: str) -> str:
    """A text without the halves of characters that no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def clip_name(caption: str | None) -> str:
    """What programs list a motion under: its sentence, on one line and not longer than they show."""
    name = " ".join(_readable(caption or "").split())
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME + 1].rsplit(" ", 1)[0][:_LONGEST_NAME]
    return name or "motion"


def build_glb(
    people: Sequence[RigMotion],
    caption: str | None = None,
    segments: Sequence[MotionSegment] = (),
    path: np.ndarray | None = None,
) -> bytes:
    """The bytes of a .glb file.

    Args:
        people: one or more, of equal length and frame rate.
        caption: what they do; goes into the `extras` of the scene.
        segments: what they do one after another; goes there too, with seconds, and names the animation, whose `extras`
            have a marker (`name`, `time` and `end` in seconds) for each.
        path: (T, 2), x and z in metres, of one person whose motion goes without it.
    """
    asset = GltfAsset()
    roots, joints = [], []
    for index, person in enumerate(people):
        name = f"person{index + 1}"
        mannequin = build_mannequin(person.rig.smpl_rest, person.rig.carriers)
        height = -float(mannequin.positions[:, 1].min())  # the rest pose stands on the ground
        armature, nodes = add_skeleton(asset, person, name, height)
        joints.append(nodes)
        # The body is no child of the armature: its skin moves it, and glTF ignores the transform of a skinned node.
        roots += [armature, _add_body(asset, person, mannequin, height, nodes, name, index)]
    name = clip_name(", then ".join(segment.text for segment in segments if segment.text) or caption)
    add_animations(asset, people, joints, name, path, segments)
    scene: dict[str, Any] = {"name": name, "nodes": roots, "extras": {"fps": people[0].fps}}
    if caption:
        scene["extras"]["caption"] = _readable(caption)
    if segments:
        scene["extras"]["segments"] = [one._asdict() | {"text": _readable(one.text)} for one in segments]
    asset.add("scenes", scene)
    return asset.to_bytes()


def save_glb(motion: Motion, path: str | os.PathLike[str], *, fps: float | None = None, skeleton: str = "smpl") -> Path:
    """Write a motion as binary glTF 2.0; equal motions give equal bytes.

    Metres, Y up, right-handed; the rest pose is a T-pose that faces +Z. All people are in one file, each with a
    skeleton, a skinned mannequin and materials of its own; one animation moves them. Of a motion without its path
    (`root_path`) there is a second animation, in which the armature, the node above the root, moves along that path:
    root motion, for programs that take it from there.

    Args:
        motion: what to write.
        path: ends in `.glb`.
        fps: key frames per second; the motion's own if None, else rotations are interpolated.
        skeleton: names of the joint nodes: "smpl", "mixamo", "cmu" or "bandai".

    Returns:
        The path.

    Raises:
        MotionLLMError: bad options, joints that no skeleton can follow, or the file cannot be written.
    """
    path = Path(path)
    shown = shown_motion(motion, fps)
    data = build_glb(solve_people(shown, None, skeleton), motion.caption, motion.segments or (), shown.root_path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return path
