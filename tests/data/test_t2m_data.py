"""`motionllm prepare humanml3d` and `kit` on stand-ins in the published layout; the data may not be passed on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from stored_clips import read_split
from t2m_standin import write_published

from hub_scripts.data.store import dataset_columns, dataset_hash, existing_splits, read_summary
from hub_scripts.prepare_data import main
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import (
    HUMANML3D,
    KIT,
    canonicalize_joints,
    joints_to_features,
    mirror_joints,
)

WALK = "a man walks slowly#a/DET man/NOUN walk/VERB slowly/ADV#0.0#0.0"
BOW = "A person bows.#a/DET person/NOUN bow/VERB#0.0#0.0"
TURN = "a person turns#a/DET person/NOUN turn/VERB#1.05#3.5"
NAN = "someone walks#someone/PRON walk/VERB#nan#nan"


@pytest.fixture(scope="module")
def whole(golden) -> list[np.ndarray]:
    """Joints (T, 22, 3) of some clips of 80 and more frames."""
    return [clip["joints"] for clip in golden.values() if len(clip["joints"]) >= 80][:4]


@pytest.fixture
def source(tmp_path, whole) -> Path:
    motions = {f"00000{index}": joints_to_features(joints) for index, joints in enumerate(whole)}
    motions["M000000"] = joints_to_features(np.asarray(mirror_joints(whole[0])))
    texts = {
        "000000": [WALK, TURN, BOW, TURN],
        "M000000": [WALK, TURN],
        "000001": [TURN],
        "000002": [BOW, NAN],
        "000003": [WALK],
    }
    lists = {"train": ["000000", "M000000", "000001"], "val": ["000002"], "test": ["000003"]}
    return write_published(tmp_path / "HumanML3D", motions, texts, lists, HUMANML3D)


def prepare(source: Path, out: Path, *options: str, kind: str = "humanml3d") -> Path:
    assert main([kind, str(source), "--out", str(out), *options]) == 0
    return out


def rows(out: Path) -> dict[str, dict]:
    return {row["name"]: row | {"split": split} for split in existing_splits(out) for row in read_split(out, split)}


def test_rows_are_the_published_motions(source, tmp_path, whole):
    found = rows(prepare(source, tmp_path / "out"))
    assert list(found) == [
        *("000000", "000000_000", "000000_001", "M000000", "M000000_000", "000001_000", "000002", "000003"),
    ]
    first = found["000000"]
    assert first["captions"] == ["a man walks slowly", "A person bows."]
    assert first["tokens"] == ["a/DET man/NOUN walk/VERB slowly/ADV", "a/DET person/NOUN bow/VERB"]
    assert (first["split"], first["mirrored"], first["content"], first["style"]) == ("train", False, "", "")
    np.testing.assert_array_equal(first["features"], np.load(source / "new_joint_vecs/000000.npy"))
    np.testing.assert_array_equal(first["joints"][:-1], np.load(source / "new_joints/000000.npy"))
    # The published joints lack the last frame; the features tell it.
    np.testing.assert_allclose(first["joints"], canonicalize_joints(whole[0]), atol=2e-4)
    assert first["num_frames"] == len(first["joints"]) == len(first["features"]) + 1 == len(whole[0])
    assert found["000002"]["captions"] == ["A person bows.", "someone walks"]  # NaN seconds are 0
    assert found["M000000"]["mirrored"]
    assert found["M000000_000"]["mirrored"]
    assert {name for name, row in found.items() if row["split"] == "test"} == {"000003"}


def test_sentences_with_times_are_clips_of_their_own(source, tmp_path):
    found = rows(prepare(source, tmp_path / "out"))
    part, features = found["000000_000"], np.load(source / "new_joint_vecs/000000.npy")
    assert part["captions"] == ["a person turns"]
    assert part["tokens"] == ["a/DET person/NOUN turn/VERB"]
    np.testing.assert_array_equal(part["features"], features[21:70])  # int(1.05 * 20), int(3.5 * 20)
    np.testing.assert_array_equal(part["joints"], found["000000"]["joints"][21:71])
    assert (part["recording_frames"], len(part["features"])) == (len(features), 49)
    assert "000001" not in found  # it has no sentence for the whole


def test_what_is_damaged_is_named_and_the_rest_goes_on(source, tmp_path, capsys):
    vectors, texts = source / "new_joint_vecs", source / "texts"
    names = ["gone", "silent", "shape", "nan", "text", "other", "object"]
    for name in names[1:]:
        shutil.copy(vectors / "000003.npy", vectors / f"{name}.npy")
    for name in names:
        (texts / f"{name}.txt").write_text(f"{BOW}\n")
    (texts / "silent.txt").unlink()
    np.save(vectors / "shape.npy", np.zeros((50, 262)))
    np.save(vectors / "nan.npy", np.full((50, 263), np.nan))
    (vectors / "object.npy").unlink()
    np.save(vectors / "object.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(source / "new_joints" / "other.npy", np.load(source / "new_joints/000003.npy") + 0.02)
    (vectors / "text.npy").write_text("no array")
    (texts / "000003.txt").write_text(f"{WALK}\nno fields\na man#a man#0.0#0.0\nx#a/DET#3#1\nx#a/DET#1.0#1.1\n\n")
    lists = source / "train.txt"
    lists.write_text(lists.read_text() + "\n".join([*names, "000002"]))
    with (source / "test.txt").open("a") as file:
        file.write("000001\n")
    found = rows(prepare(source, tmp_path / "out"))
    assert not set(names) & set(found)
    assert found["000003"]["captions"] == ["a man walks slowly"]
    assert found["000002"]["split"] == "train"
    errors = capsys.readouterr().err
    for line in (
        "'new_joint_vecs/gone.npy' cannot be read (No such file or directory)",
        "'texts/silent.txt' cannot be read",
        "'new_joint_vecs/shape.npy' holds float64 (50, 262), not floats (any, 263)",
        "'new_joint_vecs/nan.npy' holds NaN",
        "'new_joint_vecs/object.npy' is no .npy file",
        "'new_joint_vecs/text.npy' is no .npy file",
        "'new_joints/other.npy' is another motion than 'new_joint_vecs/other.npy'",
        "'texts/000003.txt', line 2: 1 fields",
        "'texts/000003.txt', line 3: 'a' is not word/CLASS",
        "'texts/000003.txt', line 4: from 3 s to 1 s is no part",
        "'texts/000003.txt': 1 s to 1.1 s is under a code long",
        "'000002' of val.txt is in train.txt too",
        "'000001' of test.txt is in train.txt too",
    ):
        assert line in errors, line
    assert read_summary(tmp_path / "out")["left_out"]["000003:2"].endswith("sentence, tokens, from, to")


def test_without_joints_they_are_recovered(source, tmp_path, capsys):
    whole = rows(prepare(source, tmp_path / "a"))
    shutil.rmtree(source / "new_joints")
    again = rows(prepare(source, tmp_path / "b"))
    for name, row in whole.items():
        np.testing.assert_allclose(again[name]["joints"], row["joints"], atol=1e-5)
    assert "recovered from the features" in capsys.readouterr().out


def test_statistics_of_other_data_are_noticed(source, tmp_path, capsys):
    prepare(source, tmp_path / "a")
    assert "Mean.npy" not in capsys.readouterr().out
    mean = np.load(source / "Mean.npy")
    np.save(source / "Mean.npy", mean + np.load(source / "Std.npy"))
    prepare(source, tmp_path / "b")
    assert "Mean.npy is not the mean of these motions" in capsys.readouterr().out
    np.save(source / "Mean.npy", mean[:251])
    with pytest.raises(MotionLLMError, match=r"Mean\.npy and Std\.npy.*not of 263 columns"):
        prepare(source, tmp_path / "c")


def test_the_dataset_says_where_it_is_from(source, tmp_path):
    out = prepare(source, tmp_path / "out")
    summary = read_summary(out)
    assert (summary["name"], summary["skeleton"], summary["fps"]) == ("humanml3d", "humanml3d", 20.0)
    assert summary["splits"]["train"]["rows"] == 6
    assert summary["splits"]["train"]["clips"] == 4  # without the mirrored ones
    card = (out / "README.md").read_text()
    assert "AMASS" in card
    assert "license: other" in card
    assert not (out / ".prepare").exists()
    assert dataset_hash(out) == dataset_hash(prepare(source, tmp_path / "again"))
    with pytest.raises(MotionLLMError, match="holds a dataset already"):
        prepare(source, out)
    assert len(rows(prepare(source, out, "--overwrite", "--limit", "1"))) == 5


def test_other_folders_are_refused(source, tmp_path, capsys):
    with pytest.raises(MotionLLMError, match="no folder 'new_joint_vecs'"):
        prepare(tmp_path, tmp_path / "out")
    (source / "test.txt").write_text("../../etc/passwd\n")
    with pytest.raises(MotionLLMError, match="is no motion"):
        prepare(source, tmp_path / "out")
    for split in ("train", "val", "test"):
        (source / f"{split}.txt").unlink()
    with pytest.raises(MotionLLMError, match=r"none of train\.txt"):
        prepare(source, tmp_path / "out")
    (source / "train.txt").write_text("absent\n")
    assert main(["humanml3d", str(source), "--out", str(tmp_path / "out")]) == 2
    assert "nothing was written" in capsys.readouterr().err


def test_kit_has_its_own_skeleton(tmp_path, make_joints, monkeypatch):
    motions = {
        name: joints_to_features(1000 * make_joints(60, seed)[:, :21], KIT)
        for seed, name in enumerate(["00001", "M00001", "00002", "00003"])
    }
    texts = {name: [BOW] for name in motions} | {"00002": ["x#a/DET#0.4#3.2"]}
    lists = {"train": ["00001", "M00001", "00002"], "test": ["00003"]}
    source = write_published(tmp_path / "KIT-ML", motions, texts, lists, KIT)
    out = prepare(source, tmp_path / "out", kind="kit")
    found = rows(out)
    assert found["00001"]["features"].shape == (59, 251)
    assert found["00001"]["joints"].shape == (60, 21, 3)
    np.testing.assert_allclose(
        found["00001"]["joints"], canonicalize_joints(1000 * make_joints(60, 0)[:, :21], KIT), atol=0.2
    )
    np.testing.assert_array_equal(found["00002_000"]["features"], motions["00002"][5:40])  # 12.5 frames a second
    assert found["M00001"]["mirrored"]
    assert {row["fps"] for row in found.values()} == {12.5}
    assert {"tokens", "recording_frames"} < set(dataset_columns(out, "train"))
    assert read_summary(out)["skeleton"] == "kit"
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    loaded = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.features["joints"] == datasets.Array3D((None, 21, 3), "float32")
    assert loaded[0]["tokens"] == ["a/DET person/NOUN bow/VERB"]
    np.testing.assert_array_equal(np.array(loaded[0]["features"], np.float32), motions["00001"])
    with pytest.raises(MotionLLMError, match="not of 263 columns"):  # a skeleton is not taken for another
        prepare(source, tmp_path / "wrong")
