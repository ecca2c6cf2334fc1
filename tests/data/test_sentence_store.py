"""Sentences that people wrote find the motions that show what they say."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FIXTURES, read_golden

from hub_scripts.captions.sentence_needs import read_needs
from hub_scripts.data.sentence_store import read_sentences, read_sentences_summary
from hub_scripts.data.store import MotionRow, shard_path, write_shard, write_summary
from hub_scripts.data.told_motions import ToldMotion, tell_motion
from hub_scripts.prepare_data import main
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import canonicalize_joints, mirror_joints

# clip of the golden data -> captions
CLIPS: dict[str, list[str]] = {
    "dataset-2_walk_elderly_004": ["a person walks forward", "a person walks forward slowly"],
    "dataset-2_walk-turn-left_youthful_001": ["a person walks forward and turns left"],
    "dataset-1_walk-back_not-confident_001": ["a person walks backward"],
    "dataset-2_wave-right-hand_youthful_001": ["a person waves with the right hand"],
    "dataset-2_raise-up-left-hand_elderly_001": ["a person raises the left hand"],
    "dataset-1_bow_masculinity_001": ["a person bows"],
}
TRAIN = [
    "a person walks forward slowly", "a person walks forward", "the man walks ahead and makes a left turn.",
    "a person turns right while walking", "someone is walking backwards", "a person waves with his left hand",
    "a person waves hello", "a person is walking with a box in both hands", "a man claps", "a person wobbulates",
    "person takes a bow", "a person who takes a bow", "the person raised his left arm up and then lowered it",
    "a person juggles, then bows deeply and waves hello",
]  # fmt: skip


def row(name: str, joints: np.ndarray, captions: Sequence[str], **more: Any) -> MotionRow:
    content, style = name.split("_")[1:3] if "_" in name else ("", "")
    made = {
        "name": name, "source": "test", "num_people": 1, "contents": [content], "styles": [style], "mirrored": False,
        "captions": list(captions), "fps": 20.0, "num_frames": len(joints), "joints": joints[None],
    }  # fmt: skip
    return {**made, **more}  # type: ignore[typeddict-item]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    rows = []
    for name, captions in CLIPS.items():
        joints = read_golden()[name]["joints"]
        rows.append(row(name, joints, captions))
        rows.append(row(f"{name}_mirrored", mirror_joints(joints), captions, mirrored=True))
    folder = tmp_path / "data"
    (folder / "data").mkdir(parents=True)
    write_shard(shard_path(folder, "train", 0, 1), rows)
    write_shard(shard_path(folder, "val", 0, 1), rows[::2])
    write_summary(folder, {"name": "golden", "license": "cc-by-nc-4.0"})
    return folder


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    with (FIXTURES / "humanml3d" / "sentences.csv").open(encoding="utf-8") as file:
        val = [line["sentence"] for line in csv.DictReader(file)]
    path = tmp_path / "sentences.jsonl"
    clip = {"source": "KIT", "trial": "3/kick", "start_frame_20fps": 0, "end_frame_20fps": 99}
    clips = [("000001", "train", [*TRAIN, val[0].upper() + "."]), ("000002", "val", val)]
    path.write_text("".join(json.dumps(clip | {"id": n, "split": s, "texts": t}) + "\n" for n, s, t in clips))
    return path


def prepare(texts: Path, dataset: Path, out: Path, *more: str) -> dict[str, set[str]]:
    assert main(["sentences", str(texts), "--data", str(dataset), "--out", str(out), *more]) == 0
    return {
        line["sentence"]: {name.removeprefix("golden/dataset-") for name in line["motions"]}
        for line in read_sentences(out, "train")
    }


def test_sentences_find_the_motions_that_show_them(
    texts: Path, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = prepare(texts, dataset, tmp_path / "out")
    both: Mapping[str, set[str]] = {name[8:]: {name[8:], f"{name[8:]}_mirrored"} for name in CLIPS}
    assert found == {
        "a person walks forward slowly": both["2_walk_elderly_004"],
        "a person walks forward": both["2_walk_elderly_004"],
        "the man walks ahead and makes a left turn.": {"2_walk-turn-left_youthful_001"},
        "a person turns right while walking": {"2_walk-turn-left_youthful_001_mirrored"},
        "someone is walking backwards": both["1_walk-back_not-confident_001"],
        "a person waves with his left hand": {"2_wave-right-hand_youthful_001_mirrored"},
        "a person waves hello": both["2_wave-right-hand_youthful_001"],
        "person takes a bow": both["1_bow_masculinity_001"],
        "a person who takes a bow": both["1_bow_masculinity_001"],
        "the person raised his left arm up and then lowered it": {"2_raise-up-left-hand_elderly_001"},
        "a man claps": set(),
        # turns of sentences that say several things
        "the man walks ahead": both["2_walk_elderly_004"],
        "the man makes a left turn": {"2_walk-turn-left_youthful_001"},
        "the person raised his left arm up": {"2_raise-up-left-hand_elderly_001"},
        "a person juggles": set(),
    }
    rows = read_sentences(tmp_path / "out", "train")
    assert [line["known"] for line in rows] == [bool(line["motions"]) for line in rows]
    assert next(line for line in rows if line["sentence"] == "person takes a bow")["actions"] == ["bow"]
    summary = read_sentences_summary(tmp_path / "out")
    assert summary["data_license"] == "mit"
    assert list(summary["datasets"]) == ["golden"]
    assert summary["splits"]["train"]["known"] == 13
    assert summary["also_held_out"] == 1  # in another case, with a stop
    assert "13 found motions" in capsys.readouterr().out


def test_equal_input_gives_equal_files_and_nothing_is_replaced_unasked(
    texts: Path, dataset: Path, tmp_path: Path
) -> None:
    prepare(texts, dataset, tmp_path / "one")
    prepare(texts, dataset, tmp_path / "two")
    for name in ("train.arrow", "val.arrow", "motionllm_sentences.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    with pytest.raises(MotionLLMError, match="--overwrite"):
        prepare(texts, dataset, tmp_path / "one")
    prepare(texts, dataset, tmp_path / "one", "--overwrite")


def test_sentences_that_ask_for_no_motion_are_unknown(texts: Path, dataset: Path, tmp_path: Path) -> None:
    table = tmp_path / "no_motion.csv"
    others = {f"一个人走{number}步": "Chinese" for number in range(40)} | {"what is it?": "question"}
    table.write_text("kind,sentence\n" + "".join(f"{kind},{text}\n" for text, kind in others.items()), encoding="utf-8")
    prepare(texts, dataset, tmp_path / "out", "--no-motion", str(table))
    found = {split: read_sentences(tmp_path / "out", split) for split in ("train", "val")}
    kinds = {row["sentence"]: row for rows in found.values() for row in rows if row["sentence"] in others}
    assert {text: row["actions"] for text, row in kinds.items()} == {text: [kind] for text, kind in others.items()}
    assert not any(row["known"] or row["motions"] for row in kinds.values())
    assert (
        sum(row["sentence"] in others for row in found["train"])
        > sum(row["sentence"] in others for row in found["val"])
        > 0
    )
    table.write_text("kind,sentence\n,no kind\n", encoding="utf-8")
    with pytest.raises(MotionLLMError, match=r"line 2 of .*no_motion.*kind"):
        prepare(texts, dataset, tmp_path / "other", "--no-motion", str(table))


def test_what_cannot_be_read_is_named(texts: Path, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(MotionLLMError, match="two datasets are called 'golden'"):
        main(["sentences", str(texts), "--data", str(dataset), str(dataset), "--out", str(tmp_path / "out")])
    with pytest.raises(MotionLLMError, match="prepare sentences"):
        read_sentences(tmp_path, "train")


def test_a_mirrored_copy_is_told_as_if_it_were_measured() -> None:
    name = "dataset-2_walk-turn-left_youthful_001"
    joints = read_golden()[name]["joints"]
    told = tell_motion("a", row("", joints, ["a person walks forward and turns left"]), {})
    mirrored = tell_motion("b", row("", mirror_joints(joints), ["a person walks forward and turns right"]), {})
    assert isinstance(told, ToldMotion)
    assert told.mirrored("b") == mirrored


def test_a_sequence_is_told_by_its_segments() -> None:
    walk, bow = (
        canonicalize_joints(read_golden()[name]["joints"])
        for name in ("dataset-2_walk_elderly_004", "dataset-1_bow_masculinity_001")
    )
    bow = bow + walk[-1, 0] * [1, 0, 1] - bow[0, 0] * [1, 0, 1]
    joints = np.concatenate([walk, bow])
    segments = {
        "segment_captions": [["a person walks forward"], ["a person bows"]],
        "segment_ends": [len(walk) - 1, len(joints) - 1],
    }
    told = tell_motion("a", row("", joints, ["a person walks forward and then bows"], **segments), {})
    assert told is not None
    assert ("walk", "bow") in dict(told.ways())
    assert dict(told.ways())["walk", "bow"] == (1, 1)


def test_who_stands_after_a_walk_is_not_mentioned() -> None:
    """ "walks forward and stops" tells of a walk with a stand after it."""
    walk = canonicalize_joints(read_golden()["dataset-2_walk_elderly_004"]["joints"])
    joints = np.concatenate([walk, np.repeat(walk[-1:], 30, axis=0)])
    segments = {
        "segment_captions": [["a person walks forward"], ["a person stands still"]],
        "segment_ends": [len(walk) - 1, len(joints) - 1],
    }
    told = tell_motion("a", row("", joints, ["a person walks forward and then stands still"], **segments), {})
    assert told is not None
    ways = dict(told.ways())
    assert ways == {("walk",): (1, 0)}
    assert told.meets(read_needs("a person walks forward and stops"), ways["walk",])
    assert not told.meets(read_needs("a person walks backward and stops"), ways["walk",])


def test_a_turn_by_itself() -> None:
    joints = read_golden()["dataset-2_walk-turn-left_youthful_001"]["joints"]
    told = tell_motion("a", row("", joints, ["a person walks forward and turns left"]), {})
    assert told is not None
    assert told.meets(read_needs("a man turns left"), dict(told.ways())["turn",])
    assert not told.meets(read_needs("a man turns around"), (1,))
    assert not told.meets(read_needs("a man turns right"), (1,))


def test_a_walk_in_a_circle() -> None:
    """Four quarter turns that come back to where they began; a mere walk says nothing of them."""
    walk = canonicalize_joints(read_golden()["dataset-2_walk_elderly_004"]["joints"])
    angle = np.linspace(0, 2 * np.pi, len(walk))
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y, z = np.moveaxis(walk - walk[:, :1] * [1.0, 0.0, 1.0], -1, 0)
    turned = np.stack([x * cos + z * sin, y, z * cos - x * sin], axis=-1)
    radius = np.linalg.norm(walk[-1, 0, [0, 2]]) / (2 * np.pi)
    circle = turned + radius * np.concatenate([1 - cos, 0 * cos, sin], axis=1)[:, None]
    told = tell_motion("a", row("", circle, ["a person walks in a circle"]), {})
    assert told is not None
    lengths = dict(told.ways())["walk",]
    assert told.meets(read_needs("a man walks in a counterclockwise circle"), lengths)
    assert not told.meets(read_needs("a man walks in a clockwise circle"), lengths)
    assert not told.meets(read_needs("a man walks forward"), lengths)
