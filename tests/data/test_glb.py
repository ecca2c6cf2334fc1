"""glTF animations: tiny files written here, a real one, and our own export read back."""

import base64
import json
import lzma
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hub_scripts.data.gate import ReadingOptions
from hub_scripts.data.glb import GltfAnimations, _one_after_another, read_glb
from hub_scripts.data.gltf_file import parse_gltf
from hub_scripts.data.motion_files import load_motion
from hub_scripts.export import save_motion
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D

FIXTURES = Path(__file__).parents[1] / "fixtures"
JAB = FIXTURES / "mesh2motion" / "punch_jab.glb"
INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}
WALK = np.load(FIXTURES / "bandai" / "expected_joints.npz")["dataset-1_walk_normal_002"]


class Writer:
    """A tiny glTF file: nodes as given, one animation."""

    def __init__(self, nodes: list[dict[str, Any]]):
        self.data = b""
        self.channels: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []
        self.document: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "nodes": nodes,
            "accessors": [],
            "bufferViews": [],
        }

    def array(self, values: np.ndarray, **facts: Any) -> int:
        kinds = {np.dtype("<f4"): 5126, np.dtype("<i2"): 5122, np.dtype("<u1"): 5121}
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes}
        self.data += values.tobytes() + b"\0" * (-values.nbytes % 4)
        self.document["bufferViews"].append(view)
        kind = "SCALAR" if values.ndim == 1 else f"VEC{values.shape[1]}"
        accessor = {"bufferView": len(self.document["bufferViews"]) - 1, "componentType": kinds[values.dtype]}
        self.document["accessors"].append(accessor | {"count": len(values), "type": kind} | facts)
        return len(self.document["accessors"]) - 1

    def move(self, node: int, path: str, times: Any, values: Any, kind: str = "LINEAR", **facts: Any) -> "Writer":
        values = np.asarray(values)
        values = values.astype("<f4") if values.dtype == np.float64 else values
        sampler = {"input": self.array(np.asarray(times, "<f4")), "output": self.array(values, **facts)}
        self.channels.append({"sampler": len(self.samplers), "target": {"node": node, "path": path}})
        self.samplers.append(sampler | ({} if kind == "LINEAR" else {"interpolation": kind}))
        return self

    def finished(self) -> dict[str, Any]:
        animations = [{"name": "move", "channels": self.channels, "samplers": self.samplers}]
        return {**self.document, "animations": animations, "buffers": [{"byteLength": len(self.data)}]}

    def glb(self) -> bytes:
        text = json.dumps(self.finished()).encode()
        text += b" " * (-len(text) % 4)
        total = 28 + len(text) + len(self.data)
        head = struct.pack("<III", 0x46546C67, 2, total) + struct.pack("<II", len(text), 0x4E4F534A)
        return head + text + struct.pack("<II", len(self.data), 0x004E4942) + self.data

    def positions(self, fps: float = 20.0) -> np.ndarray:
        (skeleton,) = GltfAnimations(parse_gltf(self.glb(), "tiny.glb")).read(fps=fps)
        order = [skeleton.joint_names.index(node["name"]) for node in self.document["nodes"]]
        return skeleton.positions[:, order]


def two() -> Writer:
    """A node at the origin and another 1 m above it."""
    return Writer([{"name": "base", "children": [1]}, {"name": "tip", "translation": [0, 1, 0]}])


def turn(axis: str, degrees: float) -> list[float]:
    return Rotation.from_euler(axis, degrees, degrees=True).as_quat().tolist()


def test_linear_translation_and_shortest_rotation() -> None:
    file = two().move(0, "translation", [0, 1], [[0.0, 0, 0], [2, 0, 0]])
    there = np.array(turn("z", 90))
    file.move(0, "rotation", [0, 1], [turn("z", 0), (-there).tolist()])  # -q is the same rotation as q
    places = file.positions()
    assert len(places) == 21
    angle = np.radians(90 * np.arange(21) / 20)
    moved = np.stack([2 * np.arange(21) / 20, np.zeros(21), np.zeros(21)], axis=-1)
    np.testing.assert_allclose(places[:, 0], moved, atol=1e-6)
    tip = moved + np.stack([-np.sin(angle), np.cos(angle), 0 * angle], axis=-1)
    np.testing.assert_allclose(places[:, 1], tip, atol=1e-6)


def test_step_holds_and_a_key_counts_from_its_time_on() -> None:
    keys = [0, 0.25, 0.5]
    places = two().move(0, "translation", keys, [[0.0, 0, 0], [1, 0, 0], [2, 0, 0]], "STEP").positions()
    np.testing.assert_allclose(places[:, 0, 0], [0] * 5 + [1] * 5 + [2], atol=1e-6)


def test_cubic_spline_is_hermites() -> None:
    """In tangent, value, out tangent of each key; with these the curve is t cubed over 2 s."""
    keys = [[[0, 0, 0], [0, 0, 0], [0, 0, 0]], [[12, 0, 0], [8, 0, 0], [0, 0, 0]]]
    values = np.array(keys, dtype=np.float64).reshape(-1, 3)
    places = two().move(0, "translation", [0, 2], values, "CUBICSPLINE").positions(fps=10)
    np.testing.assert_allclose(places[:, 0, 0], (np.arange(21) / 10) ** 3, atol=1e-5)


def test_scale_and_armatures_above_count_and_one_key_holds() -> None:
    file = Writer(
        [
            {"name": "armature", "scale": [0.01, 0.01, 0.01], "rotation": turn("x", -90), "children": [1]},
            {"name": "base", "children": [2]},
            {"name": "tip", "translation": [0, 0, 100]},
        ]
    )
    file.move(1, "translation", [0, 1], [[0.0, 0, 0], [0, 0, 100]]).move(1, "scale", [0], [[2.0, 2, 2]])
    places = file.positions()
    np.testing.assert_allclose(places[-1, 1], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(places[-1, 2], [0, 3, 0], atol=1e-6)


def test_a_matrix_is_read_by_columns() -> None:
    matrix = np.eye(4)
    matrix[:3, 3] = [1, 2, 3]
    file = Writer([{"name": "base", "matrix": matrix.T.reshape(-1).tolist(), "children": [1]}, {"name": "tip"}])
    places = file.move(1, "translation", [0, 1], [[0.0, 0, 0], [1, 0, 0]]).positions()
    np.testing.assert_allclose(places[-1], [[1, 2, 3], [2, 2, 3]], atol=1e-6)


def test_rotations_as_16_bit_integers() -> None:
    values = np.round(np.array([turn("z", 0), turn("z", 90)]) * 32767).astype("<i2")
    places = two().move(0, "rotation", [0, 1], values, normalized=True).positions()
    np.testing.assert_allclose(places[-1, 1], [-1, 0, 0], atol=1e-4)


def test_keys_that_start_later_start_the_motion() -> None:
    places = two().move(0, "translation", [1, 2], [[0.0, 0, 0], [1, 0, 0]]).positions()
    assert len(places) == 21
    np.testing.assert_allclose(places[:, 0, 0], np.arange(21) / 20, atol=1e-6)


def test_text_with_data_inside_or_beside_it_and_packed(tmp_path: Path) -> None:
    file = two().move(0, "translation", [0, 1], [[0.0, 0, 0], [1, 0, 0]])
    document = file.finished()
    for uri in ("data:application/octet-stream;base64," + base64.b64encode(file.data).decode(), "my%20data.bin"):
        document["buffers"][0]["uri"] = uri
        (tmp_path / "tiny.gltf").write_text(json.dumps(document))
        (tmp_path / "my data.bin").write_bytes(file.data)
        (skeleton,) = read_glb(tmp_path / "tiny.gltf").read()
        np.testing.assert_allclose(skeleton.positions[-1, 0], [1, 0, 0], atol=1e-6)
    packed = GltfAnimations(parse_gltf(lzma.compress(file.glb()), "tiny.glb.xz"))
    np.testing.assert_allclose(packed.read()[0].positions[-1, 0], [1, 0, 0], atol=1e-6)


@pytest.mark.parametrize("uri", ["../secret.bin", "/etc/hostname", "https://example.org/a.bin"])
def test_data_outside_the_folder_is_not_read(uri: str, tmp_path: Path) -> None:
    document = two().move(0, "translation", [0, 1], [[0.0, 0, 0], [1, 0, 0]]).finished()
    document["buffers"][0]["uri"] = uri
    (tmp_path / "tiny.gltf").write_text(json.dumps(document))
    with pytest.raises(MotionLLMError, match=r"export it as one \.glb"):
        read_glb(tmp_path / "tiny.gltf").read()


# real files


def test_a_real_animation_is_upright_and_jabs_with_the_left() -> None:
    told: list[str] = []
    motion = load_motion(JAB, tell=told.append)
    assert told == ["punch_jab.glb: recognised skeleton, metres, y up, 20 fps"]
    assert motion.joints.shape == (17, 22, 3)
    at = {joint: motion.joints[:, index] for joint, index in INDEX.items()}
    assert 1.35 < at["head"][:, 1].mean() < 1.5
    assert -0.01 < motion.joints[..., 1].min() < 0.03
    reach = {side: (at[f"{side}_wrist"] - at["pelvis"])[:, 2] for side in ("left", "right")}
    assert np.ptp(reach["left"]) > 0.4
    assert reach["left"].max() > 0.6
    assert reach["right"].max() < 0.15
    assert (at["left_hip"][:, 0] > at["right_hip"][:, 0]).all()


@pytest.mark.parametrize("people", [1, 2])
def test_our_own_export_comes_back(people: int, tmp_path: Path) -> None:
    joints = WALK if people == 1 else np.stack([WALK, WALK + np.array([1.0, 0, 0.5], np.float32)])
    path = save_motion(Motion(joints), tmp_path / "walk.glb")
    back = load_motion(path)
    assert back.joints.shape == joints.shape
    legs = [INDEX[joint] for joint in ("left_hip", "left_knee", "right_hip", "right_knee")]
    # The rig has bones of one length, the recording nearly; and it stands on its soles.
    offset = (back.joints - joints).reshape(-1, 22, 3)[:, 0].mean(axis=0)
    assert abs(offset[[0, 2]]).max() < 0.01
    assert abs(offset[1]) < 0.08
    assert np.abs(back.joints - offset - joints)[..., legs, :].max() < 0.02


def test_part_of_a_motion() -> None:
    motion = load_motion(JAB, ReadingOptions(start=0.2, end=0.6))
    np.testing.assert_array_equal(motion.joints, load_motion(JAB).joints[4:12])
    with pytest.raises(MotionLLMError, match=r"has 0\.85 s at 20 fps, but the part from 0\.50 to 3\.00 s"):
        load_motion(JAB, ReadingOptions(start=0.5, end=3.0))


# what cannot be read


def test_animations_are_chosen_by_name() -> None:
    file = two().move(0, "translation", [0, 1], [[0.0, 0, 0], [1, 0, 0]])
    document = file.finished()
    document["animations"] *= 2
    document["animations"].append({"channels": [], "samplers": []})
    animations = GltfAnimations(parse_gltf(json.dumps(document).encode(), "tiny.gltf"))
    assert animations.names == ("move", "move 1", "animation 2")
    with pytest.raises(MotionLLMError, match="holds 3 animations; name one: move, move 1, animation 2"):
        animations.read()
    with pytest.raises(MotionLLMError, match="holds no animation 'run'; it has move"):
        animations.read("run")
    with pytest.raises(MotionLLMError, match="'animation 2' in which nothing moves"):
        animations.read("animation 2")
    with pytest.raises(MotionLLMError, match="holds no animation; export it with its animations"):
        GltfAnimations(parse_gltf(json.dumps({"asset": {"version": "2.0"}}).encode(), "tiny.gltf"))


def test_animations_one_after_another() -> None:
    """The second begins where the first ends, goes on from there, and what is left of the difference fades out."""
    file = two().move(0, "translation", [0, 1], [[0.0, 0, 0], [1, 0, 0]])
    animations = GltfAnimations(parse_gltf(file.glb(), "tiny.glb"))
    animations.names = ("move", "on")
    animations._animations *= 2
    (joined,) = animations.read("move + on + move")
    base = joined.joint_names.index("base")
    np.testing.assert_allclose(joined.positions[:, base, 0], np.arange(61) / 20, atol=1e-6)
    with pytest.raises(MotionLLMError, match="holds no animation 'run'"):
        animations.read("move + run")


def test_what_differs_between_two_animations_fades_out() -> None:
    low, high = (
        GltfAnimations(
            parse_gltf(two().move(1, "translation", [0, 1], [[0.0, height, 0]] * 2).glb(), "tiny.glb")
        ).read()[0]
        for height in (1, 2)
    )
    tip = low.joint_names.index("tip")
    height = _one_after_another(low, high).positions[:, tip, 1]
    np.testing.assert_allclose(height[[20, 40]], [1, 2], atol=1e-6)
    assert (np.diff(height) >= 0).all()
    assert height[30] == pytest.approx(2)  # after 0.4 s


def change(document: dict[str, Any], *path: Any, value: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


@pytest.mark.parametrize(
    "path, value, problem",
    [
        (("accessors", 0, "count"), 1000, "reaches past its data"),
        (("accessors", 0, "byteOffset"), -4, "in a way that glTF does not know"),
        (("accessors", 0, "sparse"), {}, "sparse or compressed"),
        (("accessors", 0, "componentType"), 1, "in a way that glTF does not know"),
        (("bufferViews", 0, "buffer"), 3, "refers to buffer 3, which is not there"),
        (("bufferViews", 0, "extensions"), {"EXT_meshopt_compression": {}}, "compressed with meshopt"),
        (("nodes", 0, "children"), [7], "refers to node 7"),
        (("nodes", 1, "children"), [0], "hang from themselves"),
        (("nodes", 1, "rotation"), [0, 0, 0, 0], "rotation of length zero"),
        (("animations", 0, "samplers", 0, "input"), 1, "times that are no single numbers"),
        (("accessors", 0, "count"), 1, "values for 1 keys"),
        (("animations", 0, "samplers", 0, "interpolation"), "SMOOTH", "SMOOTH"),
        (("animations", 0, "channels", 0, "target", "node"), "base", "refers to node 'base'"),
        (("nodes",), {}, "something else than a list"),
    ],
)
def test_damage_is_named(path: tuple[Any, ...], value: Any, problem: str) -> None:
    file = two().move(0, "translation", [0, 1], [[0.0, 0, 0], [1, 0, 0]])
    document = file.finished()
    change(document, *path, value=value)
    document["buffers"][0]["uri"] = "data:;base64," + base64.b64encode(file.data).decode()
    with pytest.raises(MotionLLMError, match=problem):
        GltfAnimations(parse_gltf(json.dumps(document).encode(), "tiny.gltf")).read()


def test_what_is_no_gltf_is_said() -> None:
    whole = two().move(0, "translation", [0, 1], [[0.0, 0, 0], [1, 0, 0]]).glb()
    for data, problem in (
        (b"", "is not a glTF file"),
        (b"HIERARCHY", "is not a glTF file"),
        (b"[1]", "is not a glTF 2.0 file"),
        (whole[:-10], "is cut off"),
        (whole[:4] + struct.pack("<I", 1) + whole[8:], "is glTF 1"),
        (lzma.compress(whole)[:-10], "damaged"),
    ):
        with pytest.raises(MotionLLMError, match=problem):
            parse_gltf(data, "tiny.glb")


def test_times_that_do_not_rise() -> None:
    file = two().move(0, "translation", [1, 0], [[0.0, 0, 0], [1, 0, 0]])
    with pytest.raises(MotionLLMError, match="times do not rise"):
        file.positions()
