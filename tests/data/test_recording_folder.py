"""`motionllm prepare` on folders of several formats: parts of files, animations, couples, licences of single clips."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from bvh_writer import NAMES, bvh_bytes

from hub_scripts.data.caption_table import read_caption_table
from hub_scripts.data.gate import ReadingOptions
from hub_scripts.data.joint_arrays import untold_rate
from hub_scripts.data.motion_files import load_motion
from hub_scripts.data.store import existing_splits, read_motions, read_summary
from hub_scripts.encode_motions import main as encode
from hub_scripts.prepare_data import main
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.placement_motionllm import split_people

FIXTURES = Path(__file__).parents[1] / "fixtures"
WALK = np.load(FIXTURES / "bandai" / "expected_joints.npz")["dataset-1_walk_normal_002"].astype(np.float64)
OWN_NAMES = {joint: joint for joint in NAMES}
# Another person 1.2 m in front, face to face.
PARTNER = WALK * [-1.0, 1.0, -1.0]
PARTNER = PARTNER + (WALK[0, 0] - PARTNER[0, 0]) * [1, 0, 1] + np.array([0.0, 0.0, 1.2])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    (folder / "pairs").mkdir(parents=True)
    (folder / "pairs" / "one.bvh").write_bytes(bvh_bytes(WALK, OWN_NAMES))
    (folder / "pairs" / "two.bvh").write_bytes(bvh_bytes(PARTNER, OWN_NAMES))
    shutil.copy(FIXTURES / "mesh2motion" / "punch_jab.glb", folder)
    return folder


def prepare(folder: Path, table: str, *options: str) -> dict[str, dict]:
    (folder.parent / "captions.csv").write_text(table)
    out = folder.parent / "out"
    paths = [str(folder), "--captions", str(folder.parent / "captions.csv"), "--out", str(out), "--overwrite"]
    assert main(["bvh", *paths, "--num-proc", "1", *options]) == 0
    return {row["name"]: row | {"split": split} for split in existing_splits(out) for row in read_motions(out, split)}


def test_animations_parts_and_licences(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = prepare(
        folder,
        "file,caption,animation,start,end,repeat,split,license,name\n"
        "punch_jab,jabs with the left fist,Punch_Jab,,,,train,cc0-1.0,\n"
        "punch_jab,jabs twice,Punch_Jab,,,2,train,cc0-1.0,twice\n"
        "one,walks,,0.2,0.7,,train,,\n"
        "one,walks on,,0.7,,,train,,\n",
        "--license",
        "cc-by-4.0",
        "--no-mirror",
    )
    assert set(rows) == {"punch_jab_Punch_Jab", "twice", "pairs/one_0.20-0.70", "pairs/one_0.70-"}
    once, twice = rows["punch_jab_Punch_Jab"], rows["twice"]
    assert (once["num_frames"], twice["num_frames"]) == (17, 34)  # 0.83 s each
    assert (once["captions"], once["license"]) == (["jabs with the left fist"], "cc0-1.0")
    first = rows["pairs/one_0.20-0.70"]
    np.testing.assert_allclose(first["joints"][0], WALK[4:14], atol=1e-6)
    assert (first["license"], first["num_people"]) == ("cc-by-4.0", 1)
    summary = read_summary(folder.parent / "out")
    assert summary["licenses"] == {"cc0-1.0": 2, "cc-by-4.0": 2}
    assert (
        "cc-by-4.0; of single clips, as the column `license` says: cc0-1.0"
        in (folder.parent / "out" / "README.md").read_text()
    )
    assert "'pairs/two.bvh' has no caption" in capsys.readouterr().err


def test_played_from_its_end(folder: Path) -> None:
    table = "file,caption,reversed,split,name\none,walks,,train,there\none,walks backward,true,train,back\n"
    rows = prepare(folder, table, "--no-mirror")
    np.testing.assert_allclose(rows["back"]["joints"][0], rows["there"]["joints"][0][::-1], atol=1e-6)


def test_two_files_of_one_world_are_a_scene_of_two(folder: Path, vq_folder: Path) -> None:
    rows = prepare(
        folder,
        "file,partner,caption,content,split\none,two.bvh,two people walk with their left feet first,walk,train\n",
    )
    assert set(rows) == {"pairs/one", "pairs/one_mirrored"}
    row, mirrored = rows["pairs/one"], rows["pairs/one_mirrored"]
    frames = (len(WALK) - 1) // 4 * 4 + 1
    assert (row["num_people"], row["composed"], row["joints"].shape) == (2, False, (2, frames, 22, 3))
    assert (row["contents"], mirrored["captions"]) == (["walk"] * 2, ["two people walk with their right feet first"])
    _, placements = split_people(np.stack([WALK, PARTNER])[:, :frames])
    np.testing.assert_allclose(row["placements"][:, :2], placements[:, :2], atol=1e-5)
    assert abs(row["placements"][1, 2]) == pytest.approx(np.pi, abs=0.05)
    np.testing.assert_allclose(row["features"].shape, (2, frames - 1, 263))
    between = np.linalg.norm(row["joints"][0, :, 0] - row["joints"][1, :, 0], axis=-1)
    recorded = np.linalg.norm(WALK[:frames, 0] - PARTNER[:frames, 0], axis=-1)
    np.testing.assert_allclose(between / recorded, between[0] / recorded[0], rtol=0.02)
    assert mirrored["placements"][1, 0] == pytest.approx(-row["placements"][1, 0], abs=0.02)
    codes = folder.parent / "codes"
    assert encode(["--vq", str(vq_folder), "--data", str(folder.parent / "out"), "--out", str(codes)]) == 0


def test_people_of_different_lengths_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pairs" / "two.bvh").write_bytes(bvh_bytes(PARTNER[:-5], OWN_NAMES))
    table = "file,partner,caption\npairs/one,pairs/two,two people walk\npunch_jab,,someone punches\n"
    assert set(prepare(folder, table, "--no-mirror")) == {"punch_jab"}
    assert "the people of 'pairs/one.bvh' move for 1.05 and 0.80 s" in capsys.readouterr().err


def test_arrays_with_a_skeleton_beside_them_and_our_own_files(folder: Path) -> None:
    arrays = folder / "arrays"
    arrays.mkdir()
    np.savez(arrays / "joints.npz", walk=WALK.astype(np.float32), other=PARTNER.astype(np.float32))
    skeleton = {"joints": list(NAMES), "parents": [-1, *(0 for _ in NAMES[1:])], "fps": 20}
    (arrays / "skeleton.json").write_text(json.dumps(skeleton))
    Motion(np.stack([WALK, PARTNER])).save(folder / "scene.npz")
    table = "file,caption,animation\njoints,walks,walk\nscene,two people walk,\n"
    rows = prepare(folder, table, "--no-mirror")
    np.testing.assert_allclose(rows["arrays/joints_walk"]["joints"][0], WALK, atol=1e-6)
    assert rows["scene"]["num_people"] == 2
    (arrays / "skeleton.json").write_text(json.dumps(skeleton | {"parents": [-1]}))
    table += "joints,waves,absent\n"
    assert set(prepare(folder, table, "--no-mirror")) == {"scene"}
    left_out = read_summary(folder.parent / "out")["left_out"]
    assert "parents or fps that cannot be" in left_out["arrays/joints_walk"]


def test_all_parts_of_a_file_and_both_partners_stay_in_one_split(folder: Path) -> None:
    for index in range(8):
        shutil.copy(folder / "pairs" / "one.bvh", folder / f"a{index}.bvh")
        shutil.copy(folder / "pairs" / "two.bvh", folder / f"b{index}.bvh")
    table = "file,partner,caption,start,end\n" + "".join(
        f"a{i},b{i},two people walk,,\na{i},,walks,0.0,0.5\na{i},,walks,0.5,1.0\n" for i in range(8)
    )
    rows = prepare(folder, table, "--no-mirror")
    splits: dict[str, set[str]] = {}
    for name, row in rows.items():
        splits.setdefault(name[:2], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert {row["split"] for row in rows.values()} >= {"train", "test"}


def test_options_of_one_file(folder: Path) -> None:
    rows = prepare(
        folder,
        "file,caption,fps,speed\npairs/one,walks,10,\npairs/two,walks,,2.0\n",
        "--no-mirror",
    )
    slow = load_motion(folder / "pairs" / "one.bvh", ReadingOptions(fps=10))
    np.testing.assert_allclose(rows["pairs/one"]["joints"][0], slow.joints, atol=1e-6)
    way = rows["pairs/two"]["joints"][0, -1, 0] - PARTNER[-1, 0]
    assert np.linalg.norm(way) == pytest.approx(2.0 * (len(PARTNER) - 1) / 20, abs=1e-3)


def test_arrays_without_a_rate_are_said_to_have_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b", "a", "timed"):
        np.save(folder / f"{name}.npy", WALK)
    prepare(folder, "file,caption,fps\na,walks,\nb,walks,\ntimed,walks,20\n", "--no-mirror")
    assert read_summary(folder.parent / "out")["noted"][untold_rate(20.0)] == ["a", "b"]
    assert f"2 files: {untold_rate(20.0)} (a, b)\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "row, problem",
    [
        ("a,x,-1,,,,", "has the start '-1'; give a number"),
        ("a,x,,fast,,,", "has the fps 'fast'; give a number"),
        ("a,x,,,1.5,,", "has repeat '1.5'; give a whole number"),
        ("a,x,,,,w,", "has up 'w'; give one of y, z, x, -y, -z, -x"),
        ("a,x,,,,,back", "reversed is 'back'; give true or false"),
    ],
)
def test_values_that_cannot_be_are_named(row: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "captions.csv").write_text(f"file,caption,start,fps,repeat,up,reversed\n{row}\n")
    with pytest.raises(MotionLLMError, match=f"line 2 of .* {problem}"):
        read_caption_table(tmp_path / "captions.csv")


def test_rows_of_one_clip_agree_in_how_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "captions.csv").write_text("file,caption,fps\na,walks,60\na,runs,120\n")
    with pytest.raises(MotionLLMError, match=r"gives 'a' the fps '120\.0', but an earlier line says '60\.0'"):
        read_caption_table(tmp_path / "captions.csv")


def test_files_of_one_folder_are_read_in_one_unit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Children in inches: one of them would be an adult in the unit of the CMU database."""
    table = "file,caption,split,scale\n"
    sizes = {"kids/small": 0.48, "kids/taller": 0.66, "kids/tallest": 0.72, "adults/one": 1.0, "kids/told": 0.48}
    for name, size in sizes.items():
        path = folder / f"{name}.bvh"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bvh_bytes(size * WALK, OWN_NAMES, unit=0.01 if name == "adults/one" else 0.0254))
        table += f"{name},walks,train,{0.05 if name == 'kids/told' else ''}\n"
    alone = load_motion(folder / "kids" / "small.bvh")
    assert np.abs(alone.joints - sizes["kids/small"] * WALK).max() > 0.5
    rows = prepare(folder, table, "--no-mirror")
    for name, size in sizes.items():
        size = size if name != "kids/told" else 0.48 / 0.0254 * 0.05
        np.testing.assert_allclose(rows[name]["joints"][0], size * WALK, atol=1e-4)
    noted = read_summary(folder.parent / "out")["noted"]
    assert noted["its unit is that of the other files of its folder; the column scale says otherwise"] == ["kids/small"]
