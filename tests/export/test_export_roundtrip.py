"""Our own .bvh files read back as anybody's: nothing is said of their names, units and axes."""

from pathlib import Path

import numpy as np
import pytest
from conftest import read_golden
from stored_clips import read_split

from hub_scripts.cli import main
from hub_scripts.data.motion_files import load_motion
from hub_scripts.export import save_motion
from hub_scripts.export.rig import JOINT_NAMES
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D

# How the reader calls the skeletons that we write.
READ_AS = {"smpl": "smpl22", "mixamo": "mixamo", "cmu": "cmu22", "bandai": "bandai"}
UNITS = {"cm": "centimetres", "m": "metres"}
AT = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}


def turned(joints: np.ndarray, degrees: np.ndarray | float, at: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Joints (T, 22, 3) turned to the left about a vertical axis through (x, z) `at`, in each frame by so much."""
    angle = np.radians(np.broadcast_to(degrees, len(joints)))[:, None]
    x, z = joints[..., 0] - at[0], joints[..., 2] - at[1]
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x + sin * z + at[0], joints[..., 1], cos * z - sin * x + at[1]], axis=-1)


def clips() -> dict[str, np.ndarray]:
    names = {"walk": "1_walk_normal_002", "turn": "2_walk-turn-left_normal_032", "bow": "1_bow_childish_001"}
    walk, turn, bow = (read_golden()[f"dataset-{name}"]["joints"].astype(np.float64) for name in names.values())
    return {
        "walk": walk,
        "walk, facing away": turned(walk, 180.0),
        "walk to the right": turned(walk, -90.0),
        "turn": turn,
        "turn, facing away": turned(turn, 180.0),
        "bow and turn round twice": turned(bow, np.linspace(0, 720, len(bow)), at=tuple(bow[0, 0, [0, 2]])),
    }


CLIPS = clips()


def facing(joints: np.ndarray) -> np.ndarray:
    """Degrees from +Z towards +X in each frame, from hips and shoulders."""
    left = joints[:, AT["left_hip"]] - joints[:, AT["right_hip"]]
    left = left + joints[:, AT["left_shoulder"]] - joints[:, AT["right_shoulder"]]
    return np.degrees(np.arctan2(-left[:, 2], left[:, 0]))


def check_same(read: Motion, joints: np.ndarray, fps: float = 20.0) -> None:
    """The same joints, facing and sides."""
    frames = int(int((len(joints) - 1) * fps / 20 + 1e-9) * 20 / fps + 1e-9) + 1  # never past the last frame
    assert (read.num_frames, read.fps) == (frames, 20.0)
    joints = joints[:frames]
    error = np.linalg.norm(read.joints - joints, axis=-1)
    assert np.median(error) < 0.001
    assert np.median(error, axis=0).max() < 0.005  # of every joint
    assert error.max() < (0.04 if fps == 20 else 0.09)  # between frames, positions and rotations differ in fast moves
    assert np.abs((facing(read.joints) - facing(joints) + 180) % 360 - 180).max() < 3
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        ours, left, right = (motion[:, AT[name]] for motion, name in (
            (read.joints, f"left_{joint}"), (joints, f"left_{joint}"), (joints, f"right_{joint}")
        ))  # fmt: skip
        assert (np.linalg.norm(ours - left, axis=-1) < np.linalg.norm(ours - right, axis=-1)).all()


@pytest.mark.parametrize("fps", [20, 30])
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("skeleton", JOINT_NAMES)
@pytest.mark.parametrize("name", CLIPS)
def test_what_we_write_is_read_back(tmp_path: Path, name: str, skeleton: str, units: str, fps: int) -> None:
    path = save_motion(Motion(CLIPS[name]), tmp_path / "clip.bvh", skeleton=skeleton, units=units, fps=fps)
    said: list[str] = []
    check_same(load_motion(path, tell=said.append), CLIPS[name], fps)
    # nothing interpolated, scaled, lifted or cut off
    assert said == [f"clip.bvh: {READ_AS[skeleton]} skeleton, {UNITS[units]}, y up, {fps} fps"]


@pytest.mark.parametrize("options", [
    ["--skeleton", "cmu", "--units", "m"],
    ["--skeleton", "mixamo", "--fps", "30"],
])  # fmt: skip
def test_several_people_come_back_where_they_were(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    frames = min(map(len, CLIPS.values()))
    away = CLIPS["turn, facing away"][:frames] + np.array([1.5, 0.0, 3.0])
    people = np.stack([CLIPS["walk"][:frames], away, CLIPS["bow and turn round twice"][:frames] - [2.0, 0.0, 0.0]])
    source = Motion(people).save(tmp_path / "trio.npz")
    assert main(["convert", str(source), str(tmp_path / "trio.bvh"), *options]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(paths) == 3
    for path, joints in zip(paths, people, strict=True):
        assert main(["convert", str(path), str(tmp_path / "back.npz")]) == 0
        check_same(Motion.load(tmp_path / "back.npz"), joints, 30 if "30" in options else 20)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert said[0].startswith("trio-person1.bvh: ")


def test_prepare_takes_them_with_the_recordings(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    joints = CLIPS["turn, facing away"]
    for skeleton in JOINT_NAMES:
        save_motion(Motion(joints), folder / f"{skeleton}.bvh", skeleton=skeleton, units="m")
    (tmp_path / "captions.csv").write_text(
        "".join(["file,caption,split\n", *(f"{s},turns,train\n" for s in JOINT_NAMES)])
    )
    paths = ["--captions", str(tmp_path / "captions.csv"), "--out", str(tmp_path / "out")]
    assert main(["prepare", "bvh", str(folder), *paths, "--no-mirror", "--num-proc", "1"]) == 0
    rows = {row["name"]: row["joints"] for row in read_split(tmp_path / "out", "train")}
    assert rows.keys() == JOINT_NAMES.keys()
    for read in rows.values():
        check_same(Motion(read), joints)
