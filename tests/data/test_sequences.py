"""Sequences in time: one person doing one thing after another, without jumps, with words for the parts and for all."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from hub_scripts.captions.sequences import describe_segment, describe_sequence, said_by_rules, said_by_sentences
from hub_scripts.cli import main as cli
from hub_scripts.data.codes import read_codes
from hub_scripts.data.composed import sequences as sequences_module
from hub_scripts.data.composed.joins import Cut, Piece, best_joins, join_motions, play
from hub_scripts.data.composed.material import Material, MaterialClip, load_material
from hub_scripts.data.composed.sequences import compose_sequence
from hub_scripts.data.store import MotionRow, dataset_hash, read_motions, read_summary, write_shard, write_summary
from hub_scripts.data.store import shard_path as shard
from hub_scripts.metrics.kinematics import Kinematics
from hub_scripts.prepare_data import main
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D, canonicalize_joints, joints_to_features

TEST_ONLY = ("dataset-1_walk_musical_001", "dataset-1_respond_normal_001", "dataset-1_guide_active_001")


@pytest.fixture(scope="module")
def clips_folder(tmp_path_factory: pytest.TempPathFactory, golden: dict[str, dict[str, np.ndarray]]) -> Path:
    """A prepared dataset of the golden clips, all of one style, three of them in the test split alone."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "data").mkdir()
    for split in ("train", "test"):
        rows: list[MotionRow] = [
            {
                "name": name,
                "source": "bandai-namco-1",
                "num_people": 1,
                "contents": [name.split("_")[1]],
                "styles": ["normal"],
                "mirrored": False,
                "captions": ["a person moves"],
                "fps": 20.0,
                "num_frames": len(clip["joints"]),
                "joints": clip["joints"],
            }
            for name, clip in sorted(golden.items())
            if (name in TEST_ONLY) == (split == "test") and len(clip["joints"]) > 30
        ]
        write_shard(shard(folder, split, 0, 1), rows)
    write_summary(folder, {"name": "golden", "license": "cc-by-nc-4.0"})
    return folder


@pytest.fixture(scope="module")
def folder(clips_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sequences") / "out"
    assert main(_arguments(clips_folder, out)) == 0
    return out


def _arguments(clips: Path, out: Path) -> list[str]:
    counts = ["--train", "16", "--val", "0", "--test", "2", "--num-proc", "1"]
    return ["sequences", "--data", str(clips), "--out", str(out), *counts]


def test_rows_hold_the_whole_and_its_segments(folder: Path) -> None:
    rows = read_motions(folder, "train")
    assert len(rows) >= 14
    assert {len(row["segment_ends"]) for row in rows} == {2, 3, 4}
    for row in rows:
        frames = row["features"].shape[1]
        assert row["composed"]
        assert row["num_people"] == 1
        assert frames == row["num_frames"] - 1 <= 200
        assert row["segment_ends"][-1] == frames
        assert all(end % 4 == 0 for end in row["segment_ends"])
        assert row["segment_ends"] == sorted(set(row["segment_ends"]))
        count = len(row["segment_ends"])
        assert len(row["segment_captions"]) == len(row["segment_contents"]) == len(row["source_clips"][0]) == count
        assert all(captions and len(set(captions)) == len(captions) for captions in row["segment_captions"])
        assert len(set(row["captions"])) == len(row["captions"]) >= 4
        np.testing.assert_allclose(row["features"][0], joints_to_features(np.asarray(row["joints"][0])), atol=1e-4)


def test_bodies_are_whole_and_on_the_floor(folder: Path) -> None:
    parents = HUMANML3D.parents
    for row in read_motions(folder, "train", ["joints"]):
        joints = row["joints"][0]
        bones = np.linalg.norm(joints[:, 1:] - joints[:, parents[1:]], axis=-1)
        np.testing.assert_allclose(bones, np.broadcast_to(HUMANML3D.bone_lengths[1:], bones.shape), atol=5e-4)
        assert abs(joints[..., 1].min()) < 1e-4
        np.testing.assert_allclose(joints[0, 0, [0, 2]], 0, atol=1e-5)


def test_splits_are_kept_apart(folder: Path) -> None:
    used = {name for row in read_motions(folder, "train") for name in row["source_clips"][0]}
    held_out = {f"golden/{name}" for name in TEST_ONLY}
    assert not used & held_out
    assert {name for row in read_motions(folder, "test") for name in row["source_clips"][0]} <= held_out


def test_the_same_again_and_continued(
    folder: Path, clips_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequences_module, "finish_dataset", _stop)
    with pytest.raises(KeyboardInterrupt):
        main(_arguments(clips_folder, tmp_path / "out"))
    monkeypatch.undo()
    monkeypatch.setattr(sequences_module, "compose_sequence", _stop)  # everything was composed before
    assert main(_arguments(clips_folder, tmp_path / "out")) == 0
    assert dataset_hash(tmp_path / "out") == dataset_hash(folder) == read_summary(folder)["sha256"]
    with pytest.raises(MotionLLMError, match="holds a dataset already"):
        main(_arguments(clips_folder, tmp_path / "out"))


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_codes_know_the_segments(folder: Path, vq_folder: Path, tmp_path: Path) -> None:
    assert cli(["encode", "--vq", str(vq_folder), "--data", str(folder), "--out", str(tmp_path)]) == 0
    for row, code_row in zip(read_motions(folder, "train"), read_codes(tmp_path, "train"), strict=True):
        assert code_row["segment_ends"] == [end // 4 for end in row["segment_ends"]]
        assert code_row["segment_ends"][-1] == len(code_row["codes"][0])
        assert code_row["segment_captions"] == row["segment_captions"]


def test_clips_of_one_person_have_no_segments(clips_folder: Path) -> None:
    row = read_motions(clips_folder, "train", ["segment_captions", "segment_ends"])[0]
    assert row == {"segment_captions": [], "segment_ends": []}


def test_bad_input_is_one_clear_line(clips_folder: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MotionLLMError, match="above 0"):
        main(["sequences", "--data", str(clips_folder), "--out", str(tmp_path / "a"), *_none()])
    with pytest.raises(MotionLLMError, match=r"split 'val'.*--val 0"):
        main(["sequences", "--data", str(clips_folder), "--out", str(tmp_path / "b"), *_none(), "--val", "1"])
    copy = shutil.copytree(clips_folder, tmp_path / "copy")
    with pytest.raises(MotionLLMError, match="holds the clips themselves"):
        main(["sequences", "--data", str(copy), "--out", str(copy)])
    with pytest.raises(MotionLLMError, match="sequences already"):
        main(["sequences", "--data", str(folder), "--out", str(tmp_path / "c"), *_none(), "--train", "1"])


def _none() -> list[str]:
    return ["--train", "0", "--val", "0", "--test", "0", "--num-proc", "1"]


def _piece(golden: dict[str, dict[str, np.ndarray]], name: str) -> Piece:
    joints = np.asarray(canonicalize_joints(golden[name]["joints"].astype(np.float64)))
    return Piece(name.split("_")[1], joints)


def test_a_walk_comes_to_a_stand_before_a_bow(golden: dict[str, dict[str, np.ndarray]]) -> None:
    walk, bow = _piece(golden, "dataset-2_walk_exhausted_001"), _piece(golden, "dataset-1_bow_masculinity_001")
    joins = best_joins(walk, walk.ends, bow, bow.starts)
    assert joins
    assert all(join.end.eased for join in joins)
    assert [join.cost for join in joins] == sorted(join.cost for join in joins)
    part = play(walk, Cut(0), joins[0].end)
    speed = np.linalg.norm(np.diff(part[:, 0], axis=0), axis=-1) * 20
    assert speed[-12:-10].min() > 0.3
    assert speed[-1] < 0.1
    joined = [
        join_motions(play(walk, Cut(0), join.end), play(bow, join.start, bow.ends[-1]), *feet)
        for join in joins
        for feet in [(walk.stands[join.end.frame], bow.stands[join.start.frame])]
    ]
    good = [one for one in joined if one is not None]
    assert good
    joints, seam = good[0]
    step = np.linalg.norm(np.diff(joints[seam.first : seam.last + 1], axis=0), axis=-1).max() * 20
    assert step < 3.0
    assert seam.last - seam.first <= 10


def test_a_foot_that_stands_elsewhere_takes_a_step(golden: dict[str, dict[str, np.ndarray]]) -> None:
    bow = _piece(golden, "dataset-1_bow_masculinity_001").joints
    apart = bow.copy()
    apart[:, [4, 7, 10], 0] += 0.12  # knee, ankle and toe of the left leg
    both = np.array([True, True])
    joints, seam = join_motions(bow, np.asarray(canonicalize_joints(apart)), both, both) or pytest.fail("no join")
    window = joints[seam.first : seam.last + 1]
    lifted = np.ptp(window[:, [10, 11], 1], axis=0)
    way = np.linalg.norm((window[-1] - window[0])[[10, 11]][:, [0, 2]], axis=-1)
    assert lifted.max() > 0.04
    assert way.max() > 0.08
    assert way.min() < 0.02
    assert lifted.min() < 0.02


def test_words_of_people_are_inflected() -> None:
    ways = said_by_sentences(
        [
            "a person walks forward.",
            "someone is waving his left hand",
            "a man squats, jumps up and lands on the feet",
            "the person slowly crouches",
            "two people dance",
            "a person walks. then he turns",
            "a boxer jabs with the left hand",
        ]
    )
    said = {way.third: (way.ing, way.base) for way in ways}
    assert said == {
        "walks forward": ("walking forward", "walk forward"),
        "is waving their left hand": ("waving their left hand", None),
        "squats, jumps up and lands on the feet": (None, None),
        "slowly crouches": (None, None),
        "jabs with the left hand": ("jabbing with the left hand", "jab with the left hand"),
    }


def test_sentences_for_the_whole_are_whole(golden: dict[str, dict[str, np.ndarray]]) -> None:
    walk = said_by_rules("walk", golden["dataset-2_walk_exhausted_001"]["joints"], random.Random(0))
    bow = said_by_rules("bow", golden["dataset-1_bow_masculinity_001"]["joints"], random.Random(0))
    told = describe_sequence([walk, bow], [True], "normal", random.Random(0), count=40)
    assert told[0] == "a person walks forward and then bows forward"
    assert len(set(told)) == len(told) > 20
    assert any(sentence.startswith("after ") and "ing" in sentence for sentence in told)
    assert any(" stops" in sentence or "comes to a stop" in sentence for sentence in told)
    assert not any("{" in sentence or "[" in sentence or "  " in sentence for sentence in told)
    styled = describe_sequence([walk, bow, walk], [True, True], "elderly", random.Random(0), count=20)
    assert not any("old" in sentence or "elderly" in sentence for sentence in styled[:1])
    assert sum("old" in sentence or "elderly" in sentence for sentence in styled) > 8
    assert describe_segment(bow, "normal", random.Random(0))[0] == "a person bows forward"


def test_short_words_are_taken_for_the_whole() -> None:
    long = "a person dances which seems to be salsa with another person not too far from the same spot"
    dance = said_by_sentences(["a person dances salsa", "a person is dancing", long])
    assert len(dance) == 3
    told = describe_sequence([dance, said_by_sentences(["a person bows"])], [False], "normal", random.Random(0))
    assert told[0] == "a person dances salsa and then bows"
    assert not any("seems" in sentence for sentence in told)


def test_a_circle_is_one_segment_of_four_turns(golden: dict[str, dict[str, np.ndarray]]) -> None:
    """Of one recorded turn, under many names: it ends as it begins, walking."""
    joints = golden["dataset-2_walk-turn-left_youthful_001"]["joints"]
    clips = [
        MaterialClip(f"golden/{n}", "walk-turn-left", "normal", ("a person walks and turns left",), True, "", joints)
        for n in range(8)
    ]
    rows = [compose_sequence(Material(clips), 1, f"circle {n}", "train") for n in range(4)]
    made = [row for row in rows if row is not None]
    assert made
    for row in made:
        assert row["segment_contents"] == ["walk-circle"]
        assert row["segment_captions"] == [row["captions"]]
        assert row["segment_ends"] == [row["num_frames"] - 1]
        assert "a person walks counterclockwise in a circle" in row["captions"]
        assert Kinematics(row["joints"][0]).turned > 300


def test_what_is_drawn_is_fixed_by_name_and_seed(clips_folder: Path) -> None:
    material = load_material((str(clips_folder),), "train")
    one, again, other = (
        compose_sequence(material, 2, name, "train", seed) for name, seed in (("a", 0), ("a", 0), ("a", 1))
    )
    assert one is not None
    assert again is not None
    assert other is not None
    assert one["captions"] == again["captions"]
    assert np.array_equal(one["joints"], again["joints"])
    assert one["captions"] != other["captions"]
