"""GLB files: read with a few lines of our own, skinned in numpy, and judged by the Khronos validator where it is."""

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import read_golden

from hub_scripts.export import save_motion
from hub_scripts.export.mannequin import build_mannequin
from hub_scripts.export.rig import JOINT_NAMES, forward_kinematics
from hub_scripts.export.rotations import to_matrix
from hub_scripts.export.shown_motion import shown_motion, solve_people
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion, MotionSegment

WALK = "dataset-1_walk_normal_002"
COMPONENTS = {5121: "<u1", 5123: "<u2", 5126: "<f4"}
SHAPES = {"SCALAR": (), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}


def walking(**options: Any) -> Motion:
    return Motion(read_golden()[WALK]["joints"], **options)


def duet() -> Motion:
    joints = read_golden()[WALK]["joints"]
    return Motion(np.stack([joints, joints[::-1] + np.float32([1, 0, 0])]), caption="two </script> \ud800 people")


class Glb:
    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.json = json.loads(data[20 : 20 + size])
        binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0"
        self.binary = data[28 + size : 28 + size + binary_size]
        assert 28 + size + binary_size == len(data)

    def read(self, accessor: int) -> np.ndarray:
        entry = self.json["accessors"][accessor]
        view = self.json["bufferViews"][entry["bufferView"]]
        shape = (entry["count"], *SHAPES[entry["type"]])
        kind = COMPONENTS[entry["componentType"]]
        array = np.frombuffer(self.binary, kind, int(np.prod(shape)), view["byteOffset"]).reshape(shape)
        return np.swapaxes(array, 1, 2) if array.ndim == 3 else array  # matrices are stored column by column

    def world(self, frame: int | None) -> np.ndarray:
        """World matrices of all nodes, (N, 4, 4), at a key frame or (None) in the rest pose."""
        nodes = self.json["nodes"]
        local = np.tile(np.eye(4), (len(nodes), 1, 1))
        for index, node in enumerate(nodes):
            local[index, :3, 3] = node.get("translation", (0, 0, 0))
        animation = self.json["animations"][0]
        for channel in animation["channels"] if frame is not None else ():
            value = self.read(animation["samplers"][channel["sampler"]]["output"])[frame].astype(float)
            node = channel["target"]["node"]
            if channel["target"]["path"] == "translation":
                local[node, :3, 3] = value
            else:
                local[node, :3, :3] = to_matrix(value[[3, 0, 1, 2]])
        world = local.copy()
        parents = {child: index for index, node in enumerate(nodes) for child in node.get("children", ())}
        for index in range(len(nodes)):
            if index in parents:
                assert parents[index] < index
                world[index] = world[parents[index]] @ local[index]
        return world

    def skinned(self, person: int, frame: int | None) -> np.ndarray:
        """Vertices as a viewer shows them, (V, 3)."""
        skin = self.json["skins"][person]
        attributes = self.json["meshes"][person]["primitives"][0]["attributes"]
        moves = self.world(frame)[skin["joints"]] @ self.read(skin["inverseBindMatrices"])
        points = self.read(attributes["POSITION"])
        weights, joints = self.read(attributes["WEIGHTS_0"]), self.read(attributes["JOINTS_0"])
        blended = np.einsum("vk,vkij->vij", weights, moves[joints])
        return (blended @ np.append(points, np.ones((len(points), 1)), axis=1)[..., None])[:, :3, 0]


@pytest.mark.parametrize("skeleton", JOINT_NAMES)
def test_the_nodes_go_where_the_joints_are(tmp_path: Path, skeleton: str) -> None:
    motion = walking()
    glb = Glb(save_motion(motion, tmp_path / "walk.glb", skeleton=skeleton))
    kept = [joint for joint, name in enumerate(JOINT_NAMES[skeleton]) if name]
    nodes = glb.json["skins"][0]["joints"]
    assert [glb.json["nodes"][node]["name"] for node in nodes] == [JOINT_NAMES[skeleton][joint] for joint in kept]
    for frame in range(motion.num_frames):
        error = np.linalg.norm(glb.world(frame)[nodes][:, :3, 3] - motion.joints[frame, kept], axis=-1)
        assert error.max() < 0.01  # what bones stretch in the recording
    times = glb.read(glb.json["animations"][0]["samplers"][0]["input"])
    np.testing.assert_allclose(times, np.arange(motion.num_frames) / 20, atol=1e-6)


@pytest.mark.parametrize("skeleton", ["smpl", "bandai"])
def test_the_skin_goes_with_the_joints(tmp_path: Path, skeleton: str) -> None:
    motion = walking()
    glb = Glb(save_motion(motion, tmp_path / "walk.glb", skeleton=skeleton))
    attributes = glb.json["meshes"][0]["primitives"][0]["attributes"]
    rest = glb.skinned(0, None)
    np.testing.assert_allclose(rest, glb.read(attributes["POSITION"]), atol=1e-6)  # bound in the rest pose
    assert rest[:, 1].min() == pytest.approx(0, abs=1e-6)
    bones = glb.world(None)[glb.json["skins"][0]["joints"]][:, :3, 3]
    weights, owner = glb.read(attributes["WEIGHTS_0"]), glb.read(attributes["JOINTS_0"])[:, 0]
    rigid = weights[:, 0] == 1
    from_bone = np.linalg.norm(rest - bones[owner], axis=1)
    for frame in (0, 17, motion.num_frames - 1):
        moved = glb.skinned(0, frame)
        where = glb.world(frame)[glb.json["skins"][0]["joints"]][:, :3, 3]
        np.testing.assert_allclose(np.linalg.norm(moved - where[owner], axis=1)[rigid], from_bone[rigid], atol=1e-5)
        # every joint is inside the body: the skin is all around it, as near as a limb is thick
        distance = np.linalg.norm(moved[None] - motion.joints[frame][:, None], axis=-1).min(axis=1)
        assert distance.max() < 0.14
        # the soles are on the ground, within what a foot that rolls and the recording's shoes make of it
        assert -0.06 < moved[:, 1].min() < 0.06


def test_people_stand_where_they_are_in_colours_of_their_own(tmp_path: Path) -> None:
    motion = shown_motion(duet())
    glb = Glb(save_motion(motion, tmp_path / "duet.glb"))
    assert [skin["name"] for skin in glb.json["skins"]] == ["person1", "person2"]
    assert len(glb.json["animations"]) == 1
    colours = [tuple(m["pbrMetallicRoughness"]["baseColorFactor"]) for m in glb.json["materials"]]
    assert len(set(colours)) == 6
    for person in range(2):
        pelvis = glb.world(5)[glb.json["skins"][person]["joints"][0]][:3, 3]
        np.testing.assert_allclose(pelvis, motion.joints[person, 5, 0], atol=1e-5)
        middle = glb.skinned(person, 5).mean(axis=0)
        np.testing.assert_allclose(middle[[0, 2]], motion.joints[person, 5, 0, [0, 2]], atol=0.15)
    assert glb.json["scenes"][0]["extras"] == {"fps": 20.0, "caption": "two </script> ? people"}


def test_the_animation_is_named_after_what_is_done(tmp_path: Path) -> None:
    def animation(**options: Any) -> dict[str, Any]:
        motion = Motion(walking().joints[:20], **options)
        return Glb(save_motion(motion, tmp_path / "named.glb")).json["animations"][0]

    assert animation()["name"] == "motion"
    assert animation(caption="a person\nwalks")["name"] == "a person walks"
    segments = [MotionSegment("a person walks", 0.0, 0.4), MotionSegment("bows \ud800", 0.4, 1.0)]
    told = animation(caption="all of it", segments=segments)
    assert told["name"] == "a person walks, then bows ?"
    assert told["extras"]["markers"] == [
        {"name": "a person walks", "time": 0.0, "end": 0.4},
        {"name": "bows ?", "time": 0.4, "end": 1.0},
    ]
    long = animation(caption="a person " + "walks and " * 20)["name"]
    assert len(long) <= 60
    assert long.endswith(("walks and", "walks"))


def test_another_frame_rate(tmp_path: Path) -> None:
    motion = walking()
    glb = Glb(save_motion(motion, tmp_path / "walk.glb", fps=60))
    times = glb.read(glb.json["animations"][0]["samplers"][0]["input"])
    np.testing.assert_allclose(np.diff(times), 1 / 60, atol=1e-6)
    assert times[-1] == pytest.approx((motion.num_frames - 1) / 20, abs=1e-6)
    positions = forward_kinematics(solve_people(motion)[0])
    np.testing.assert_allclose(glb.world(9)[glb.json["skins"][0]["joints"]][:, :3, 3], positions[3], atol=1e-5)


def test_the_mannequin_is_closed_and_looks_outward() -> None:
    mannequin = build_mannequin(solve_people(walking())[0].rig.smpl_rest)
    triangles = np.concatenate(list(mannequin.triangles.values())).astype(int)
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert sorted(np.unique(triangles)) == list(range(len(mannequin.positions)))
    corners = mannequin.positions.astype(float)[triangles]
    volume = np.einsum("ni,ni->n", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert 0.02 < volume < 0.09  # cubic metres, overlaps counted twice
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((faces[:, None] * mannequin.normals[triangles]).sum(axis=-1) > -1e-9).mean() > 0.99
    np.testing.assert_allclose(np.linalg.norm(mannequin.normals, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(mannequin.weights.sum(axis=1), 1, atol=1e-6)


def test_left_and_right_mirror_each_other() -> None:
    rest = solve_people(walking())[0].rig.smpl_rest.copy()
    for left, right in ((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21)):
        rest[right] = rest[left] * [-1, 1, 1]
    rest[[3, 6, 9, 12, 15], 0] = 0
    mannequin = build_mannequin(rest)
    left = mannequin.positions[np.unique(mannequin.triangles["left"])]
    right = mannequin.positions[np.unique(mannequin.triangles["right"])]
    np.testing.assert_allclose(left.min(axis=0)[1:], right.min(axis=0)[1:], atol=1e-5)
    np.testing.assert_allclose(left[:, 0].max(), -right[:, 0].min(), atol=1e-5)
    assert left[:, 0].min() > -0.03


def test_equal_motions_give_equal_bytes(tmp_path: Path) -> None:
    first, second = (save_motion(walking(), tmp_path / name).read_bytes() for name in ("a.glb", "b.glb"))
    assert first == second


def test_bad_input_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(MotionLLMError, match="skeleton is 'vicon'"):
        save_motion(walking(), tmp_path / "a.glb", skeleton="vicon")
    with pytest.raises(MotionLLMError, match="bones without length"):
        save_motion(Motion(np.zeros((4, 22, 3))), tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []


VALIDATOR = """
const validator = require("gltf-validator"), fs = require("fs");
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[2]))).then((report) => {
  console.log(JSON.stringify(report.issues));
});
"""


@pytest.fixture(scope="module")
def validate(tmp_path_factory: pytest.TempPathFactory):
    """Run the Khronos glTF validator from npm; skips where node or the package cannot be had."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("validator")
    install = [
        "npm",
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(folder),
        "gltf-validator@2.0.0-dev.3.10",
    ]
    try:
        subprocess.run(install, check=True, capture_output=True, timeout=120)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"gltf-validator cannot be installed: {error}")
    (folder / "validate.js").write_text(VALIDATOR)

    def run(path: Path) -> dict[str, Any]:
        command = ["node", str(folder / "validate.js"), str(path)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)

    return run


@pytest.mark.parametrize("kind", ["walk", "duet", "still", "fast", "bandai"])
def test_the_khronos_validator_finds_nothing(tmp_path: Path, validate, kind: str) -> None:
    motion = duet() if kind == "duet" else Motion(walking().joints[:1]) if kind == "still" else walking()
    options = {"fast": {"fps": 60, "skeleton": "mixamo"}, "bandai": {"skeleton": "bandai"}}.get(kind, {})
    issues = validate(save_motion(motion, tmp_path / "motion.glb", **options))
    assert issues["messages"] == []
    assert (issues["numErrors"], issues["numWarnings"], issues["numInfos"], issues["numHints"]) == (0, 0, 0, 0)


def test_the_validator_would_say_so(tmp_path: Path, validate) -> None:
    path = save_motion(walking(), tmp_path / "motion.glb")
    path.write_bytes(path.read_bytes().replace(b'"WEIGHTS_0"', b'"WEIGHTS_1"'))
    assert validate(path)["numErrors"] > 0
