"""`motionllm convert` and `motionllm view`, and the new formats of `motionllm generate`."""

import tempfile
import webbrowser
from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES, read_golden

from hub_scripts.cli import main
from hub_scripts.data.bvh import read_bvh
from hub_scripts.export import SUFFIXES
from hub_scripts.hub.version import __version__
from modeling_motionllm.fixed_body_motionllm import fixed_body
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import features_to_joints
from modeling_motionllm.placement_motionllm import stand_on_floor

BVH = FIXTURES / "bandai" / "dataset-1_walk_normal_002.bvh"


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Run a command that has to refuse its input in one line and to leave every file as it was."""

    def run(*arguments: object) -> str:
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        capsys.readouterr()
        assert main([*map(str, arguments)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        return err

    return run


@pytest.mark.parametrize("command", ["convert", "view"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: motionllm {command}")


def test_every_kind_of_file_is_written_from_a_bvh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("av")
    pytest.importorskip("pxr")
    outputs = [
        tmp_path / "deep" / f"walk{suffix}" for suffix in SUFFIXES if suffix != ".fbx"
    ]  # Blender is not everywhere
    assert main(["convert", str(BVH), *map(str, outputs)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(path) for path in outputs]
    assert all(path.stat().st_size > 1000 for path in outputs)
    assert sorted((tmp_path / "deep").iterdir()) == sorted(outputs)


@pytest.mark.parametrize("source", ["npz", "npy", "bvh"])
def test_a_motion_survives_the_way_through_bvh(tmp_path: Path, source: str) -> None:
    joints = read_golden()["dataset-1_walk_normal_002"]["joints"]
    path = tmp_path / f"in.{source}"
    if source == "npz":
        Motion(joints).save(path)
    elif source == "npy":
        np.save(path, joints)
    else:
        path.write_bytes(BVH.read_bytes())
    middle, out = tmp_path / "middle.bvh", tmp_path / "out.npz"
    assert main(["convert", str(path), str(middle), "--skeleton", "bandai"]) == 0
    assert main(["convert", str(middle), str(out)]) == 0
    again = Motion.load(out)
    assert again.num_frames == len(joints)
    centred = [motion - motion[:1, :1] * [1, 0, 1] for motion in (again.joints, joints)]
    assert np.median(np.linalg.norm(centred[0] - centred[1], axis=-1)) < 0.005


def test_fps_is_for_all_that_is_written(tmp_path: Path) -> None:
    joints = read_golden()["dataset-1_walk_normal_002"]["joints"]
    source = Motion(joints, caption="walks", seed=3, features=np.zeros((len(joints), 263)))
    source.save(tmp_path / "in.npz")
    outputs = [tmp_path / "out.npz", tmp_path / "out.bvh"]
    assert main(["convert", str(tmp_path / "in.npz"), *map(str, outputs), "--fps", "30", "--units", "m"]) == 0
    joints, bvh = Motion.load(outputs[0]), read_bvh(outputs[1])
    assert (joints.fps, bvh.fps) == (30, 30)
    assert joints.num_frames == len(bvh.frames) == (source.num_frames - 1) * 3 // 2 + 1
    assert (joints.caption, joints.seed, joints.features) == ("walks", 3, None)
    np.testing.assert_allclose(bvh.frames[0, :3], source.joints[0, 0], atol=1e-5)


def test_two_people_become_two_bvh_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    joints = read_golden()["dataset-1_walk_normal_002"]["joints"]
    Motion(np.stack([joints, joints])).save(tmp_path / "duet.npz")
    assert main(["convert", str(tmp_path / "duet.npz"), str(tmp_path / "duet.bvh")]) == 0
    files = [tmp_path / "duet-person1.bvh", tmp_path / "duet-person2.bvh"]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in files]
    assert all(path.is_file() for path in files)


@pytest.mark.parametrize("arguments,words", [
    (["absent.npz", "OUT.bvh"], ["no such file", "absent.npz"]),
    ([BVH, "OUT.c3d"], ["'.c3d' is not one of .npz", ".glb"]),
    ([BVH, "OUT"], ["suffix '' is not one of"]),
    ([BVH, "OUT.bvh", "--skeleton", "vicon"], ["--skeleton is 'vicon'", "mixamo"]),
    ([BVH, "OUT.npz", "--skeleton", "mixamo"], ["--skeleton is for .bvh and .glb and .usd", "leave it out"]),
    ([BVH, "OUT.glb", "--units", "m"], ["--units is for .bvh"]),
    ([BVH, "OUT.bvh", "--units", "mile"], ["--units is 'mile'", "cm, m"]),
    ([BVH, "OUT.bvh", "--fps", "0"], ["--fps is 0", "1 to 240"]),
    ([BVH, "OUT.bvh", "--fps", "nan"], ["--fps is nan"]),
])  # fmt: skip
def test_bad_input_is_refused_before_anything_is_written(refused, tmp_path: Path, arguments, words) -> None:
    message = refused("convert", *(str(word).replace("OUT", str(tmp_path / "out")) for word in arguments))
    assert message.startswith("motionllm convert: error: ")
    for word in words:
        assert word in message


def test_the_motion_itself_is_never_overwritten(refused, tmp_path: Path) -> None:
    path = Motion(read_golden()["dataset-1_walk_normal_002"]["joints"]).save(tmp_path / "walk.npz")
    assert "is the motion to read" in refused("convert", path, tmp_path / "walk.html", path, "--fps", "30")


def test_view_writes_a_page_and_opens_it(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not opened.append(address))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert main(["view", str(BVH)]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page.name == f"{BVH.stem}.html"
    assert tmp_path in page.parents
    assert opened == [page.as_uri()]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_view_opens_nothing_when_told_so_and_says_when_there_is_no_browser(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    out = tmp_path / "pages" / "walk.html"
    assert main(["view", str(BVH), "-o", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(out), "no browser was found; open the file yourself"]
    assert main(["view", str(BVH), "-o", str(out), "--no-open"]) == 0
    assert capsys.readouterr().out == f"{out}\n"


def test_view_refuses_what_is_no_page_and_no_motion(refused, tmp_path: Path) -> None:
    assert "ends in .html" in refused("view", BVH, "-o", tmp_path / "walk.mp4", "--no-open")
    assert "no such file" in refused("view", tmp_path / "absent.npz", "--no-open")


def test_generate_writes_bvh_and_glb(tmp_path: Path, thin_checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--duration", "1", "--formats", "npz,bvh,glb", "--fps", "30", "--skeleton", "mixamo", "--no-caption"]
    assert main(["generate", "walk", *options, "-o", str(tmp_path), "--model", str(thin_checkpoint)]) == 0
    files = [tmp_path / f"walk.{suffix}" for suffix in ("bvh", "glb", "npz")]
    assert capsys.readouterr().out.splitlines()[1:] == [f"  {path}" for path in files]
    bvh = read_bvh(files[0])
    assert (bvh.fps, len(bvh.frames), bvh.joint_names[0]) == (30, 29, "mixamorig:Hips")
    motion = Motion.load(files[-1])
    assert motion.fps == 20  # the codes of the model are at 20 fps
    assert (motion.caption, motion.seed, motion.model) == ("walk", 0, thin_checkpoint.name)
    assert motion.version == __version__
    assert motion.codes.shape == (5,)
    decoded = stand_on_floor(features_to_joints(motion.features.astype(np.float64)))
    fixed = fixed_body(decoded, 20.0)
    np.testing.assert_allclose(stand_on_floor(fixed + decoded[0, 0] - fixed[0, 0]), motion.joints, atol=1e-3)
    assert files[1].read_bytes()[:4] == b"glTF"


@pytest.mark.parametrize("command,suffix", [("convert", "npz"), ("view", "html")])
def test_what_is_found_out_about_a_bvh_is_said_and_can_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, suffix: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    write = ["-o", str(out), "--no-open"] if command == "view" else [str(out)]
    assert main([command, str(BVH), *write]) == 0
    assert capsys.readouterr().err == f"{BVH.name}: bandai skeleton, centimetres, y up, 30 fps\n"
    assert main([command, str(BVH), *write, "--map", "bandai", "--up", "y", "--scale", "0.02"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"{BVH.name}: bandai skeleton, units of 20 mm, y up, 30 fps"
    assert "the thigh is 0.78 m long, which is no adult's" in said[1]


def test_reading_options_that_make_no_sense_are_refused(refused, tmp_path: Path) -> None:
    assert "--scale is -1" in refused("convert", BVH, tmp_path / "out.npz", "--scale", "-1")
    assert "neither a file nor one of the built-in maps" in refused("view", BVH, "--no-open", "--map", "nothing")
