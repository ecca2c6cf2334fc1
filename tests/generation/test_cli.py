"""The command line: help, bad input in one line with exit code 2 and no file left, and what good input writes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES

from hub_scripts.cli import main
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import joints_to_features

ROOT = Path(__file__).parents[2]
BVH = FIXTURES / "bandai" / "dataset-1_walk_normal_002.bvh"


def walk() -> np.ndarray:
    """Joints (T, 22, 3) of a real clip."""
    return np.load(FIXTURES / "bandai" / "expected_joints.npz")["dataset-1_walk_normal_002"]


def command_line(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "hub_scripts.cli", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def refused(thin_checkpoint, tmp_path, capfd):
    """Run a command that has to refuse its input: exit code 2, one line on stderr, nothing new in `tmp_path`."""

    def run(*arguments: object, model: object = thin_checkpoint) -> str:
        before = sorted(tmp_path.rglob("*"))
        capfd.readouterr()
        assert main([*map(str, arguments), "--model", str(model)]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert err.startswith(f"motionllm {arguments[0]}: error: ")
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return run


@pytest.mark.parametrize("layout", ["full", "plain"])
def test_layouts_are_exported_by_the_command_line_alone(layout, thin_checkpoint, tmp_path):
    run = command_line("export", thin_checkpoint, "--layout", layout, "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert f"layout {layout}" in run.stdout
    assert (tmp_path / "out" / "model.safetensors").is_file()
    assert (tmp_path / "out" / "README.md").is_file()


def test_help_is_quick_and_names_every_command():
    # Nothing heavy may be imported for it.
    program = (
        "import sys; from hub_scripts.cli import main; code = main(['--help']); "
        "print([name for name in ('torch', 'transformers', 'numpy') if name in sys.modules]); sys.exit(code)"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    *lines, imported = run.stdout.splitlines()
    assert imported == "[]"
    assert lines[0].startswith("usage: motionllm COMMAND")
    for name in ("generate", "caption", "prepare", "train-vq", "encode", "train", "evaluate"):
        assert any(line.startswith(f"  {name} ") for line in lines)


def test_no_command_and_an_unknown_one(capsys):
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("usage:")
    assert main(["dance"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("motionllm: error: there is no command 'dance'; choose from generate, interact, caption")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["generate", "caption", "encode", "evaluate", "train-vq", "train"])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: motionllm {command}")


@pytest.mark.parametrize("arguments,words", [
    ([""], ["the text is empty", "describe a motion"]),
    (["   "], ["the text is empty"]),
    (["."], ["'.' holds no words"]),
    (["walk " * 5000], ["5000 words", "at most 256", "shorten"]),
    (["<Motion_3>"], ["'<Motion_3>'", "in words"]),
    (["walk", "--duration", "0"], ["duration of 0 s", "0.2 to 10 s"]),
    (["walk", "--duration", "600"], ["duration of 600 s", "0.2 to 10 s"]),
    (["walk", "--duration", "-1"], ["duration of -1 s", "0.2 to 10 s"]),
    (["walk", "--duration", "nan"], ["duration of nan s", "0.2 to 10 s"]),
    (["walk", "--num-return-sequences", "0"], ["--num-return-sequences is 0", "1 or more"]),
    (["walk", "--seed", "-3"], ["--seed is -3", "0 or more"]),
    (["walk", "--temperature", "-1"], ["--temperature is -1", "0 for greedy"]),
    (["walk", "--greedy"], ["--greedy is --temperature 0 now"]),
    (["walk", "--top-p", "1.5"], ["--top-p is 1.5", "up to 1"]),
    (["walk", "--formats", "avi"], ["'avi'", "choose from npz"]),
])  # fmt: skip
def test_bad_sentences_and_options_are_refused(refused, tmp_path, arguments, words):
    message = refused("generate", *arguments, "-o", tmp_path / "out")
    for word in words:
        assert word in message


def test_missing_checkpoints_are_refused(refused, tmp_path, monkeypatch):
    message = refused("generate", "walk", "-o", tmp_path / "out", model=tmp_path / "absent")
    assert str(tmp_path / "absent") in message
    assert "check the path" in message
    (tmp_path / "empty").mkdir()
    assert "holds no MotionLLM checkpoint" in refused(
        "generate", "walk", "-o", tmp_path / "out", model=tmp_path / "empty"
    )
    assert "nobody/nothing" in refused("caption", BVH, model="nobody/nothing")


def test_an_output_folder_that_is_a_file_is_refused(refused, tmp_path):
    (tmp_path / "out").write_text("kept")
    message = refused("generate", "walk", "-o", tmp_path / "out")
    assert f"cannot write in the folder '{tmp_path / 'out'}'" in message
    assert "choose another folder" in message
    assert (tmp_path / "out").read_text() == "kept"


def test_an_unknown_device_is_refused(refused, tmp_path):
    (tmp_path / "out").mkdir()
    message = refused("generate", "walk", "-o", tmp_path / "out", "--device", "abacus")
    assert "--device is 'abacus'" in message
    assert "try cpu" in message


def bad_file(kind: str, folder: Path, joints: np.ndarray) -> Path:
    path = folder / f"bad.{kind.split()[0]}"
    if kind == "bvh half":
        whole = BVH.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "bvh header":
        path.write_bytes(BVH.read_bytes()[:200])
    elif kind == "npy NaN":
        joints = joints.copy()
        joints[3, 4, 1] = np.nan
        np.save(path, joints)
    elif kind == "npy width":
        np.save(path, joints.reshape(len(joints), 66)[:, :63])
    elif kind == "npy joints":
        np.save(path, joints[:, :20])
    elif kind == "npy unit":  # KIT-ML's joints are published in millimetres
        np.save(path, joints[:, :21])
    elif kind == "npy scalar":
        np.save(path, np.float32(3))
    elif kind == "npy pickle":
        np.save(path, np.array([{}], dtype=object))
    elif kind == "npy short":
        np.save(path, walk()[:3])
    elif kind == "npz half":
        whole = Motion(joints).save(path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "txt kind":
        path.write_text("walk")
    return path


@pytest.mark.parametrize("kind,words", [
    ("bvh half", ["cut off"]),
    ("bvh header", ["export it again"]),
    ("npy NaN", ["NaN", "repair these frames"]),
    ("npy width", ["(40, 63)", "(T, 22, 3) or features (T, 263)"]),
    ("npy joints", ["(40, 20, 3)"]),
    ("npy unit", ["body of", "in units of 0.001 m"]),
    ("npy scalar", ["shape ()"]),
    ("npy pickle", ["pickled Python objects", "save the joints as a plain array"]),
    ("npz half", ["not a readable .npz", "export it again"]),
    ("txt kind", ["convert it to one of these"]),
    ("npy absent", ["no such file"]),
])  # fmt: skip
def test_bad_files_are_refused_by_name(refused, tmp_path, make_joints, kind, words):
    path = bad_file(kind, tmp_path, make_joints(40))
    message = refused("caption", path)
    for word in [str(path), *words]:
        assert word in message


def test_motions_that_are_too_short_are_refused(refused, tmp_path, make_joints):
    assert "too short" in refused("caption", bad_file("npy short", tmp_path, make_joints(40)))


@pytest.mark.parametrize("options,words", [
    (["--start", "5"], ["--start 5", "lasts"]),
    (["--start", "0.5", "--end", "0.2"], ["--end 0.2"]),
    (["--num-return-sequences", "0"], ["--num-return-sequences is 0"]),
])  # fmt: skip
def test_impossible_sections_are_refused(refused, options, words):
    message = refused("caption", BVH, *options)
    assert all(word in message for word in words)


def test_bad_input_looks_the_same_from_the_shell(tmp_path, thin_checkpoint):
    run = command_line(
        "generate", "walk", "--duration", "600", "-o", tmp_path / "out", MOTIONLLM_MODEL=str(thin_checkpoint)
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "motionllm generate: error: a duration of 600 s is not possible; choose 0.2 to 10 s\n"
    assert not (tmp_path / "out").exists()


def test_the_same_seed_gives_the_same_file_in_two_processes(tmp_path, thin_checkpoint):
    options = ["generate", "a person walks", "--seed", "4", "--duration", "2", "--formats", "npz", "--model"]
    here, there = tmp_path / "here", tmp_path / "there"
    run = command_line(*options, thin_checkpoint, "-o", there)
    assert (run.returncode, run.stderr) == (0, "")
    assert main([*options, str(thin_checkpoint), "-o", str(here)]) == 0
    assert main([*options, str(thin_checkpoint), "-o", str(tmp_path / "other"), "--seed", "5"]) == 0
    first, second, other = (
        (folder / "a-person-walks.npz").read_bytes() for folder in (here, there, tmp_path / "other")
    )
    assert first == second
    assert first != other


def test_generate_writes_every_format_and_says_so(tmp_path, thin_checkpoint, capsys):
    pytest.importorskip("av")
    options = ["--duration", "0.6", "--seed", "3", "-o", str(tmp_path), "--model", str(thin_checkpoint)]
    assert main(["generate", "A person waves!", *options]) == 0
    files = [tmp_path / f"a-person-waves.{suffix}" for suffix in ("mp4", "html", "npz")]
    first, understood, *written = capsys.readouterr().out.splitlines()
    assert first == "0.6 s: A person waves!"
    assert understood.startswith("  understood as: ")
    assert written == [f"  {path}" for path in files]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    motion = Motion.load(files[-1])
    assert (motion.num_frames, motion.fps, motion.seed, motion.caption) == (12, 20.0, 3, "A person waves!")
    assert motion.model == "final"
    assert len(motion.codes) == 3
    assert files[0].read_bytes()[4:8] == b"ftyp"
    assert b"A person waves!" in files[1].read_bytes()


def test_several_sentences_and_samples_get_files_of_their_own(tmp_path, thin_checkpoint):
    common = ["--formats", "npz", "--duration", "1", "--model", str(thin_checkpoint)]
    assert (
        main(["generate", "walk", "run", "Walk!", "--num-return-sequences", "2", "-o", str(tmp_path / "many"), *common])
        == 0
    )
    names = {path.name for path in (tmp_path / "many").iterdir()}
    assert names == {f"{stem}-sample{number}.npz" for stem in ("walk", "run", "walk-2") for number in (1, 2)}
    # A motion does not depend on what else was asked for.
    assert main(["generate", "run", "--seed", "1", "-o", str(tmp_path / "one"), *common]) == 0
    alone, among = Motion.load(tmp_path / "one" / "run.npz"), Motion.load(tmp_path / "many" / "run-sample2.npz")
    np.testing.assert_array_equal(alone.codes, among.codes)
    assert among.seed == 1


def test_captions_read_every_kind_of_file(tmp_path, thin_checkpoint, golden, capsys):
    joints = golden["dataset-1_walk_normal_002"]["joints"]
    Motion(joints).save(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", joints)
    np.save(tmp_path / "c.npy", joints_to_features(joints))
    files = [str(tmp_path / name) for name in ("a.npz", "b.npy", "c.npy")] + [str(BVH)]
    assert main(["caption", *files, "--model", str(thin_checkpoint)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == files
    sentences = [line.partition(": ")[2] for line in lines]
    assert sentences[0] == sentences[1] == sentences[3]  # the same clip
    assert (
        main(["caption", files[0], "--num-return-sequences", "2", "--end", "0.5", "--model", str(thin_checkpoint)]) == 0
    )
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_captions_tell_what_they_found_in_a_bvh_file(tmp_path, thin_checkpoint, capsys):
    file = BVH.parent.parent / "cmu" / "02_01.bvh"
    options = ["--model", str(thin_checkpoint)]
    assert main(["caption", str(file), *options]) == 0
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [
        "02_01.bvh: cmu skeleton, ASF units of 56.4 mm, y up, 120 fps",
        "02_01.bvh: not in the file, interpolated: left_collar, right_collar",
    ]
    assert len(shown.out.splitlines()) == 1
    assert main(["caption", str(file), "--map", "cmu", "--up", "y", "--scale", "0.0564", *options]) == 0
    assert "units of 56.4 mm" in capsys.readouterr().err
    for wrong, problem in (("--scale=0", "--scale is 0"), ("--map=x", "neither a file nor one of the built-in maps")):
        assert main(["caption", str(file), wrong, *options]) == 2
        assert problem in capsys.readouterr().err
    renamed = tmp_path / "renamed.bvh"
    renamed.write_text(file.read_text().replace("LeftUpLeg", "Thigh"))
    assert main(["caption", str(renamed), *options]) == 2
    error = capsys.readouterr().err
    assert "1 joints were not found (left_hip); its joints are: Hips, LHipJoint, Thigh" in error
    assert f"complete the map '{tmp_path / 'renamed.map.json'}'" in error


def test_generate_takes_a_file_of_sentences_and_goes_on_with_it(thin_checkpoint, tmp_path, capsys):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a person walks forward\n\nthe person bows slowly\n  someone jumps  \n")
    options = ["generate", "--model", str(thin_checkpoint), "--prompts", str(prompts), "--duration", "1"]
    options += ["--formats", "npz", "--num-return-sequences", "2", "--seed", "4"]
    assert main([*options, "-o", str(tmp_path / "all")]) == 0
    made = {path.name: path for path in (tmp_path / "all").iterdir()}
    assert len(made) == 6
    (tmp_path / "some").mkdir()
    kept = "someone-jumps-sample2.npz"
    shutil.copy(made[kept], tmp_path / "some")
    os.utime(tmp_path / "some" / kept, (0, 0))
    (tmp_path / "some" / "someone-jumps-sample1.npz").write_bytes(b"no motion")
    assert main([*options, "-o", str(tmp_path / "some"), "--skip-existing"]) == 0
    assert (tmp_path / "some" / kept).stat().st_mtime == 0
    for name in made:
        again, first = Motion.load(tmp_path / "some" / name), Motion.load(made[name])
        assert again.codes.tolist() == first.codes.tolist()
    single = ["generate", "someone jumps", *options[1:3], *options[5:], "-o", str(tmp_path / "one")]
    assert main(single) == 0
    one = Motion.load(tmp_path / "one" / "someone-jumps-sample1.npz")
    assert one.codes.tolist() == Motion.load(made["someone-jumps-sample1.npz"]).codes.tolist()


def test_files_of_sentences_that_cannot_be_used(refused, tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    assert "holds no sentence" in refused("generate", "--prompts", tmp_path / "empty.txt")
    assert "cannot be read as text" in refused("generate", "--prompts", tmp_path / "binary.txt")
    assert "give sentences, or a file" in refused("generate", "a person walks", "--prompts", tmp_path / "empty.txt")
    assert "give sentences, or a file" in refused("generate")
    bvh = ["--formats", "bvh,mp4", "--skip-existing"]
    assert "--formats is 'bvh,mp4'; add npz" in refused("generate", "a person walks", *bvh)
    assert "--guidance-scale is 0" in refused("generate", "a person walks", "--guidance-scale", "0")
    assert "--engine is 'turbo'" in refused("generate", "a person walks", "--engine", "turbo")
    assert "no such file" in refused("generate", "a person walks", "--engine", tmp_path / "none.gguf")


def test_options_of_the_version_before_name_the_present_ones(refused):
    assert "--best-of is --num-candidates now" in refused("generate", "a person walks", "--best-of", "4")
    assert "--samples is --num-return-sequences now" in refused("generate", "a person walks", "--samples=4")
    assert "--guidance is --guidance-scale now" in refused("evaluate", "--guidance", "2")
