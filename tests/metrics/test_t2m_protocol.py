"""From the published layouts to scores through the T2M evaluator, on stand-ins: every command of the way."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from stored_clips import read_split
from t2m_standin import write_evaluator, write_published, write_words

from hub_scripts.caption_motion import main as caption
from hub_scripts.convert_motion import main as convert
from hub_scripts.data.codes import read_codes
from hub_scripts.data.tables import read_table
from hub_scripts.encode_motions import main as encode
from hub_scripts.evaluate_motionllm import main as evaluate
from hub_scripts.evaluation.tables import published_generation
from hub_scripts.generate_motion import main as generate
from hub_scripts.metrics.t2m_files import find_t2m_files
from hub_scripts.prepare_data import main as prepare
from hub_scripts.train_evaluator import main as train_evaluator
from hub_scripts.train_motion_vq import main as train_vq
from hub_scripts.train_motionllm import main as train
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.fixed_body_motionllm import fixed_body
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D, KIT, SKELETONS, features_to_joints, joints_to_features
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

LINES = ["a man walks#a/DET man/NOUN walk/VERB#0.0#0.0", "a person turns#a/DET person/NOUN turn/VERB#0.0#0.0"]
PART = "a person bows#a/DET person/NOUN bow/VERB#0.5#4.0"
KINDS = {"humanml3d": ("t2m", "Comp_v6_KLD01"), "kit": ("kit", "Comp_v6_KLD005")}


def options(values: dict) -> list[str]:
    return [text for name, value in values.items() if value is not None for text in (f"--{name}", str(value))]


def make_source(folder: Path, kind: str, make_joints) -> Path:
    """Nine motions: six to learn, one for val; in test one of 60 rows with a part, one of 20 and one of 210."""
    skeleton = SKELETONS[kind]
    scale = 1 / skeleton.metres_per_unit
    frames = [60, 64, 70, 60, 62, 61, 60, 61, 21, 211]
    names = [f"{index:06d}" for index in range(len(frames))]
    motions = {
        name: joints_to_features(scale * make_joints(length, seed)[:, : skeleton.num_joints], skeleton).astype(
            np.float32
        )
        for seed, (name, length) in enumerate(zip(names, frames, strict=True))
    }
    texts = {name: LINES for name in names} | {"000007": [*LINES, PART], "000009": [*LINES, PART]}
    lists = {"train": names[:6], "val": names[6:7], "test": names[7:]}
    return write_published(folder, motions, texts, lists, skeleton)


@pytest.fixture(scope="module", params=KINDS)
def trained(request, tmp_path_factory, make_joints, base_folder) -> tuple[str, Path]:
    """Data, codes and a checkpoint in one folder, each by its command."""
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    source = make_source(folder / "source", kind, make_joints)
    assert prepare([kind, str(source), "--out", str(folder / "data")]) == 0
    small = {"max_steps": 2, "per_device_train_batch_size": 2, "use_cpu": True, "dataloader_pin_memory": False}
    sizes = {"width": 16, "depth": 1, "code_dim": 8, "codebook_size": 32, "window": 32, "continuous_steps": 1}
    assert train_vq(options({"data": folder / "data", "output_dir": folder / "vq", **small, **sizes})) == 0
    assert encode(options({"vq": folder / "vq", "data": folder / "data", "out": folder / "codes"})) == 0
    parts = {"codes": folder / "codes", "vq": folder / "vq", "base_model": base_folder}
    assert train(options({**parts, "output_dir": folder / "run", **small})) == 0
    write_evaluator(folder / "published", *KINDS[kind], SKELETONS[kind].feature_dim)
    return kind, folder


def run(folder: Path, /, **more) -> dict:
    out = folder / "figures.json"
    chosen = {
        "model": folder / "run/final",
        "data": folder / "data",
        "repeats": 2,
        "tasks": "reconstruction,generation",
        "evaluator": f"t2m:{folder / 'published'}",
        "out": out,
    }
    assert evaluate(options(chosen | more)) == 0
    return json.loads(out.read_text())


def test_the_whole_way(trained, capsys):
    kind, folder = trained
    skeleton = SKELETONS[kind]
    config = MotionVQModel.from_pretrained(folder / "vq").config
    assert (config.input_dim, config.num_joints) == (skeleton.feature_dim, skeleton.num_joints)
    assert (config.fps, config.metres_per_unit) == (skeleton.fps, skeleton.metres_per_unit)
    processor = json.loads((folder / "run/final/processor_config.json").read_text())
    assert processor["fps"] == skeleton.fps
    rows = {row["name"]: row for row in read_split(folder / "data", "test")}
    assert set(rows) == {"000007", "000007_000", "000008", "000009", "000009_000"}
    for row in read_codes(folder / "codes", "test"):
        assert len(row["codes"][0]) == len(rows[row["name"]]["features"]) // 4

    figures = run(folder, sheet=folder / "sheet.png")
    assert (folder / "sheet.png").stat().st_size > 10_000
    assert figures["generation"]["sheet"] is True
    part = figures["generation"]
    # Under 40 rows (24) or in a recording of 200 and more: left out, as published.
    assert part["captions"] == 2
    limits = "3 clips under 40 or over 199 frames left out" if kind == "humanml3d" else "3 clips under 24 or over 199"
    assert limits in part["protocol"]
    assert "T2M evaluator" in part["protocol"]
    assert part["evaluator"] == "t2m"
    assert part["failed"] == 0
    assert part["rows"]["real"]["fid"][0] == pytest.approx(0, abs=1e-5)
    assert part["rows"]["generated"]["fid"][0] > 0
    assert part["rows"]["generated"].keys() >= {"r_precision_top1", "mm_dist", "diversity", "foot_skating_cm", "jerk"}
    assert not any(name.startswith(("content", "style")) for name in part["rows"]["generated"])
    # Millimetres or metres: bodies of the same size have jerk and errors of the same size.
    assert 1 < part["rows"]["real"]["jerk"][0] < 1000
    assert 10 < figures["reconstruction"]["mpjpe_root_mm"] < 10_000
    printed = capsys.readouterr().out
    assert ("Motion-Agent" in printed) == (kind == "humanml3d")
    assert "cannot be compared" in printed or kind == "humanml3d"


def test_the_limits_are_options(trained):
    _, folder = trained
    assert run(folder, frames="0-100")["generation"]["captions"] == 3
    with pytest.raises(MotionLLMError, match="none of 5 clips has 500 to 199"):
        run(folder, frames="500-199")
    with pytest.raises(MotionLLMError, match="--frames is '1'"):
        run(folder, frames="1")


def test_motions_are_described(trained, monkeypatch):
    class Encoder:
        def __call__(self, sentences):
            return torch.nn.functional.normalize(torch.ones(len(sentences), 4), dim=-1)

    monkeypatch.setattr("hub_scripts.evaluate_motionllm.load_sentence_encoder", lambda *_: Encoder())
    _, folder = trained
    figures = run(folder, tasks="captioning", split="val")
    assert figures["captioning"]["clips"] == 1
    assert "content_words" not in figures["captioning"]["rows"]["generated"]


def test_the_wrong_data_is_refused(trained, dataset_folder, thin_checkpoint):
    kind, folder = trained
    with pytest.raises(MotionLLMError, match="--evaluator t2m:DIR"):
        evaluate(options({"model": folder / "run/final", "data": folder / "data", "evaluator": "t2m"}))
    plain = {"data": dataset_folder, "model": thin_checkpoint, "split": "train"}
    with pytest.raises(MotionLLMError, match="no word classes"):
        run(folder, **plain, frames="0-1000")
    if kind == "kit":
        with pytest.raises(MotionLLMError, match="251 feature columns, the VQ-VAE 263"):
            run(folder, model=thin_checkpoint)
        with pytest.raises(MotionLLMError, match="251 feature columns, the VQ-VAE 263"):
            encode(options({"vq": thin_checkpoint / "motion_vq", "data": folder / "data", "out": folder / "x"}))


class TestFiles:
    def test_the_published_places(self, tmp_path):
        folder = write_evaluator(tmp_path, "t2m", "Comp_v6_KLD01", 263)
        meta = folder / "checkpoints/t2m/Comp_v6_KLD01/meta"
        for given in (folder, folder / "checkpoints", folder / "checkpoints/t2m"):
            files = find_t2m_files(given, 263)
            assert files.mean == meta / "mean.npy"
            assert files.std == meta / "std.npy"
            assert files.words == folder / "glove"
            assert files.checkpoint.name == "finest.tar"
        with pytest.raises(MotionLLMError, match=r"did not find the weights finest\.tar"):
            find_t2m_files(folder, 251)
        with pytest.raises(MotionLLMError, match="no T2M evaluator for 66"):
            find_t2m_files(folder, 66)

    def test_all_in_one_folder(self, tmp_path):
        for name in ("finest.tar", "mean.npy", "std.npy"):
            (tmp_path / name).write_bytes(b"")
        with pytest.raises(MotionLLMError, match="did not find the word vectors"):
            find_t2m_files(tmp_path, 263)
        write_words(tmp_path / "glove", np.random.default_rng(0))
        assert find_t2m_files(tmp_path, 263).checkpoint == tmp_path / "finest.tar"

    def test_statistics_of_other_systems_are_taken_only_where_they_agree(self, tmp_path):
        folder = write_evaluator(tmp_path, "t2m", "VQVAEV3_CB1024_CMT_H1024_NRES3", 263)
        home = folder / "checkpoints/t2m"
        assert "VQVAEV3" in str(find_t2m_files(folder, 263).mean)
        shutil.copytree(home / "VQVAEV3_CB1024_CMT_H1024_NRES3", home / "Another")
        assert find_t2m_files(folder, 263).mean.is_file()
        np.save(home / "Another/meta/mean.npy", np.zeros(263))
        with pytest.raises(MotionLLMError, match="hold different statistics"):
            find_t2m_files(folder, 263)


def test_published_rows_are_those_of_the_papers():
    rows = published_generation()
    assert rows["Motion-Agent (arXiv 2405.17013 v3)"] == {
        "r_precision_top1": [0.515, 0.0],
        "r_precision_top3": [0.801, 0.0],
        "fid": [0.230, 0.0],
        "mm_dist": [2.967, 0.0],
        "diversity": [9.908, 0.0],
    }


@pytest.fixture(scope="module")
def generated(trained) -> Path:
    """Two motions of the model, in every format."""
    _, folder = trained
    given = ["a man walks", "--duration", "2.56", "--num-return-sequences", "2", "--model", str(folder / "run/final")]
    formats = "npz,bvh,glb,mp4,gif,png,html"
    assert generate([*given, "--output-dir", str(folder / "out"), "--formats", formats]) == 0
    return folder / "out"


def test_generated_motions_have_the_skeleton_of_the_model(trained, generated):
    """Metres, the frame rate and the joints of the data, in `.npz`; what pictures and rigs need, elsewhere."""
    kind, folder = trained
    skeleton = SKELETONS[kind]
    motion = Motion.load(generated / "a-man-walks-sample1.npz")
    frames = round(2.56 * skeleton.fps / 4) * 4
    assert motion.joints.shape == (frames, skeleton.num_joints, 3)
    assert (motion.fps, motion.skeleton) == (skeleton.fps, skeleton)
    assert motion.joints[..., 1].min() == pytest.approx(0, abs=1e-6)
    vq = MotionVQModel.from_pretrained(folder / "vq").eval()
    with torch.no_grad():
        features = vq.decode(torch.from_numpy(motion.codes)[None]).features[0].double()
    joints = skeleton.metres_per_unit * features_to_joints(features, skeleton).numpy()
    joints[..., 1] -= joints[..., 1].min()
    if skeleton is HUMANML3D:  # whose bones keep their length; others are left as the decoder has them
        fixed = fixed_body(joints, skeleton.fps)
        fixed = fixed + (joints - fixed)[:1, :1]
        joints = fixed - [0, fixed[..., 1].min(), 0]
    np.testing.assert_allclose(motion.joints, joints, atol=1e-5)
    for suffix in ("bvh", "glb", "mp4", "gif", "png", "html"):
        assert (generated / f"a-man-walks-sample2.{suffix}").stat().st_size > 1000


def test_what_was_generated_can_be_described_converted_and_scored(trained, generated, capsys):
    kind, folder = trained
    skeleton = SKELETONS[kind]
    model = ["--model", str(folder / "run/final")]
    source = generated / "a-man-walks-sample1.npz"
    features = folder / "source/new_joint_vecs/000000.npy"
    assert caption([str(source), str(features), *model]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert convert([str(features), str(folder / "converted.npz"), str(folder / "converted.bvh")]) == 0
    motion = Motion.load(folder / "converted.npz")
    published = np.load(folder / "source/new_joints/000000.npy")
    np.testing.assert_allclose(motion.joints, skeleton.metres_per_unit * published, atol=1e-5)
    assert motion.fps == skeleton.fps

    part = run(folder, model=generated)["generation"]
    [scores] = part["rows"].values()
    assert "2 captions, 1 motion(s) each; 1 of the 2 clips of the split have one" in part["protocol"]
    assert "0 motions belong to no clip; pools of 2, 2 repeats, seed 0" in part["protocol"]
    assert scores["fid"][0] > 0


def test_real_joints_score_as_their_features_do(trained):
    """A folder of the real motions of the split, in metres: near them by every figure, parts included."""
    kind, folder = trained
    skeleton = SKELETONS[kind]
    rows = read_split(folder / "data", "test")
    real = folder / "real"
    real.mkdir()
    for row in rows:
        joints = skeleton.metres_per_unit * row["joints"]
        motion = Motion(joints, fps=skeleton.fps, caption=row["captions"][0], model="real")
        motion.save(real / f"{row['name']}.npz")
    every = {"frames": "0-500"}
    known = run(folder, **every)["generation"]["rows"]
    [scores] = run(folder, model=real, **every)["generation"]["rows"].values()
    # Parts of a motion, taken for themselves, begin with a heading of their own: not 0.
    assert scores["fid"][0] < 0.2 * known["generated"]["fid"][0]
    assert scores["jerk"][0] == pytest.approx(known["real"]["jerk"][0], rel=0.05)
    assert scores["length_error"][0] < 0.2


def test_motions_of_another_skeleton_are_refused(trained, tmp_path):
    kind, folder = trained
    other = {"kit": HUMANML3D, "humanml3d": KIT}[kind]
    joints = np.random.default_rng(0).normal(size=(20, other.num_joints, 3))
    path = Motion(joints, fps=other.fps, caption="a man walks", model="other").save(tmp_path / "other.npz")
    with pytest.raises(MotionLLMError, match=f"{other.num_joints} joints and the model's skeleton '{kind}'"):
        caption([str(path), "--model", str(folder / "run/final")])
    with pytest.raises(MotionLLMError, match="score them against data of their skeleton"):
        run(folder, model=tmp_path)


def test_an_evaluator_of_another_skeleton_is_refused_before_work(trained):
    """The shipped one judges HumanML3D's features."""
    kind, folder = trained
    if kind == "kit":
        given = {"model": folder / "run/final", "data": folder / "data", "tasks": "generation"}
        with pytest.raises(MotionLLMError, match="judges features of 263 columns and the data has 251; train one"):
            evaluate(options(given))


def test_an_evaluator_learns_from_data_without_labels(trained, sentence_folder):
    kind, folder = trained
    small = {"max_steps": 2, "per_device_train_batch_size": 2, "use_cpu": True, "dataloader_pin_memory": False}
    sizes = {"hidden_size": 16, "embed_dim": 8, "num_hidden_layers": 1, "sentence_model": sentence_folder}
    given = options({"data": folder / "data", "output_dir": folder / "judge", **small, **sizes})
    assert train_evaluator(given) == 0
    config = json.loads((folder / "judge/final/config.json").read_text())
    assert (config["input_dim"], config["fps"]) == (SKELETONS[kind].feature_dim, SKELETONS[kind].fps)
    record = json.loads((folder / "judge/final/training_record.json").read_text())
    assert "content_accuracy" not in record["real_motions"]["test"]
    columns = f"({'KIT-ML' if kind == 'kit' else 'HumanML3D'} features, {SKELETONS[kind].feature_dim} columns"
    assert columns in (folder / "judge/final/README.md").read_text().replace("\n", " ")
    part = run(folder, evaluator=folder / "judge/final", tasks="generation")["generation"]
    assert part["evaluator_data_sha256"] == record["data_sha256"]
    assert part["rows"]["real"]["fid"][0] == pytest.approx(0, abs=1e-5)


def test_a_dataset_of_generated_motions(trained, tmp_path):
    kind, folder = trained
    given = ["a man walks", "--model", str(folder / "run/final"), "--dataset-dir", str(tmp_path / "made")]
    assert generate(given) == 0
    [shard] = (tmp_path / "made/data").glob("*.arrow")
    count = SKELETONS[kind].num_joints
    assert read_table(shard)[0]["joints"].shape[1] == count
    assert f"(frames, {count}, 3)" in (tmp_path / "made/README.md").read_text()


def test_the_longest_motion_is_200_frames(trained):
    kind, folder = trained
    processor = MotionLLMProcessor.from_pretrained(folder / "run/final")
    assert processor.max_seconds == {"humanml3d": 10.0, "kit": 16.0}[kind]
    assert processor.num_codes(processor.max_seconds) == 50
