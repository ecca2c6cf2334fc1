"""CMU recordings with HumanML3D's sentences, from its published folder or from lines of JSON."""

import json
import lzma
import shutil
from pathlib import Path

import pytest

from hub_scripts.data.cmu import cmu_table
from hub_scripts.data.humanml3d_sentences import DescribedPart, read_described_parts
from hub_scripts.data.store import existing_splits, read_motions
from hub_scripts.prepare_data import main
from modeling_motionllm.errors_motionllm import MotionLLMError

CMU = Path(__file__).parents[1] / "fixtures" / "cmu"
# (name, source, start, end, split, lines)
PARTS = [
    ("000001", "CMU/02/02_01_poses.npy", 0, 20, "train", ["a person walks#a/DET person/NOUN#0.0#0.0"]),
    ("000002", "CMU/01/01_01_poses.npy", 2, 8, "val", ["a person stands#x/NOUN#0.0#0.0", "one looks#x/NOUN#0.1#0.4"]),
    ("000003", "CMU/02/02_02_poses.npy", 0, 100, "train", ["a person turns#x/NOUN#0.0#0.0"]),
    ("000004", "CMU/07/07_10_poses.npy", 0, 12, "train", ["a person hurries#x/NOUN#0.0#0.0"]),
    ("000005", "CMU/07/07_10_poses.npy", 10, 13, "test", ["a person goes#x/NOUN#0.0#0.0"]),
    ("000006", "KIT/3/kick_poses.npy", 0, 20, "train", ["a person kicks#x/NOUN#0.0#0.0"]),
]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "HumanML3D"
    (folder / "texts").mkdir(parents=True)
    lines = [",source_path,start_frame,end_frame,new_name"]
    for number, (name, source, start, end, split, texts) in enumerate(PARTS):
        lines.append(f"{number},./pose_data/{source},{start},{end},{name}.npy")
        (folder / "texts" / f"{name}.txt").write_text("\n".join(texts) + "\n")
        with (folder / f"{split}.txt").open("a") as file:
            file.write(f"{name}\nM{name}\n")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "cmu"
    (folder / "02").mkdir(parents=True)
    shutil.copy(CMU / "02_01.bvh", folder / "02")
    shutil.copy(CMU / "01_01.bvh", folder)
    shutil.copy(CMU / "007_10_iclone.bvh", folder / "walker.bvh")
    return folder


def test_published_parts_have_their_times_sentences_and_splits(published: Path) -> None:
    failures: list[tuple[str, str]] = []
    parts = read_described_parts(published, "CMU", lambda trial: True, failures)
    assert parts == [
        DescribedPart("000001", "CMU", "02/02_01", 0.0, 1.0, "train", ("a person walks",)),
        DescribedPart("000002", "CMU", "01/01_01", 0.1, 0.4, "val", ("a person stands",)),
        DescribedPart("000002_0.1-0.4", "CMU", "01/01_01", 0.2, 0.4, "val", ("one looks",)),
        DescribedPart("000003", "CMU", "02/02_02", 0.0, 5.0, "train", ("a person turns",)),
        DescribedPart("000005", "CMU", "07/07_10", 0.5, 0.65, "test", ("a person goes",)),
    ]
    assert failures == [("000004", "'000004' (07/07_10) shares a moment with a clip for testing")]


@pytest.mark.parametrize("packed", [False, True])
def test_lines_of_json_say_the_same(packed: bool, tmp_path: Path) -> None:
    clip = {"id": "000001", "source": "CMU", "trial": "02/02_01", "start_frame_20fps": 0, "end_frame_20fps": 20}
    line = json.dumps(clip | {"split": "train", "texts": ["a person walks"]}) + "\n"
    path = tmp_path / ("sentences.jsonl.xz" if packed else "s.jsonl")
    path.write_bytes(lzma.compress(line.encode()) if packed else line.encode())
    parts = read_described_parts(path, "CMU", lambda trial: True, [])
    assert parts == [DescribedPart("000001", "CMU", "02/02_01", 0.0, 1.0, "train", ("a person walks",))]
    if packed:  # under that name the folder is enough
        assert read_described_parts(tmp_path, "CMU", lambda trial: True, []) == parts
    (tmp_path / "overlaps_held_out.txt").write_text("000001\n")
    failures: list[tuple[str, str]] = []
    assert read_described_parts(path, "CMU", lambda trial: True, failures) == []
    assert "shares a moment" in failures[0][1]


def test_recordings_and_sentences_become_a_dataset(published: Path, recordings: Path, tmp_path: Path) -> None:
    table = tmp_path / "captions.csv"
    table.write_text("file,trial,caption,content,split\nwalker,07_10,somebody walks fast,walk,test\n")
    paths = [str(recordings), "--sentences", str(published), "--captions", str(table), "--out", str(tmp_path / "out")]
    assert main(["cmu", *paths, "--num-proc", "1", "--no-mirror", "--license", "cmu-mocap"]) == 0
    rows = {
        row["name"]: row | {"split": split}
        for split in existing_splits(tmp_path / "out")
        for row in read_motions(tmp_path / "out", split)
    }
    found = {name: (row["split"], row["captions"], row["contents"][0]) for name, row in rows.items()}
    assert found == {
        "02/02_01_000001": ("train", ["a person walks"], "motion"),
        "01_01_000002": ("val", ["a person stands"], "motion"),
        "walker": ("test", ["somebody walks fast"], "walk"),
    }
    assert "NSF\nEIA-0196217" in (tmp_path / "out" / "README.md").read_text()
    assert rows["02/02_01_000001"]["num_frames"] == 18  # a T-pose might stand in front of it, for a tenth of a second


def test_what_a_table_holds_out_is_held_out(published: Path, recordings: Path, tmp_path: Path) -> None:
    table = tmp_path / "captions.csv"
    table.write_text("file,caption,split,fps\n02/02_01,walks,test,60\n01_01,stands,train,\n")
    found = cmu_table(recordings, published, table, [])
    assert {name: entry.split for name, entry in found.items()} == {
        "02/02_01": "test",
        "01_01": "train",
        "02/02_01_000001": "test",
        "01_01_000002": "val",
        "01_01_000002_0.1-0.4": "val",
    }
    assert found["02/02_01_000001"].reading == {"fps": 60.0, "start": 0.1, "end": 1.0}


def test_nothing_that_fits_is_said(published: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        MotionLLMError, match=r"holds no recording that .* describes; name the files after their trials"
    ):
        cmu_table(tmp_path / "empty", published, None, [])
    with pytest.raises(MotionLLMError, match="tells of no recording of ACCAD"):
        read_described_parts(published, "ACCAD", lambda trial: True, [])
    (published / "index.csv").write_text("a,b\n1,2\n")
    with pytest.raises(MotionLLMError, match=r"is not HumanML3D's .* its columns are source_path"):
        read_described_parts(published, "CMU", lambda trial: True, [])
    (tmp_path / "s.jsonl").write_text("{}\n")
    with pytest.raises(MotionLLMError, match=r"line 1 of .* tells of no clip"):
        read_described_parts(tmp_path / "s.jsonl", "CMU", lambda trial: True, [])
