"""`motionllm prepare hub`: captioned recordings of a Hub, open or in an archive, with tables of several kinds."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import FIXTURES
from hub_server import HubServer
from huggingface_hub import HfApi, constants
from pyarrow import parquet
from stored_clips import read_split

from hub_scripts.data.store import existing_splits, read_summary
from hub_scripts.prepare_data import main as prepare
from modeling_motionllm.errors_motionllm import MotionLLMError

pytest_plugins = ("hub_fixtures",)
REPO = "user/motions"
CAPTIONS = """file_name,text,content,split
bvh/soma.bvh,a person stands still,stand,train
bvh/02_01.bvh,a person walks forward,walk,val
"""
CARD = "---\nlicense: cc-by-4.0\n---\n# Motions\n"


def upload(folder: Path, repo: str = REPO) -> str:
    HfApi().create_repo(repo, repo_type="dataset", exist_ok=True)
    return HfApi().upload_folder(repo_id=repo, folder_path=folder, repo_type="dataset").oid


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def motions(tmp_path: Path) -> Path:
    """A folder as one would upload it: recordings on SOMA's and CMU's skeletons, their table, a card."""
    folder = tmp_path / "motions"
    (folder / "bvh").mkdir(parents=True)
    shutil.copy(FIXTURES / "kimodo" / "soma.bvh", folder / "bvh")
    shutil.copy(FIXTURES / "cmu" / "02_01.bvh", folder / "bvh")
    (folder / "captions.csv").write_text(CAPTIONS)
    (folder / "README.md").write_text(CARD)
    (folder / "video.mp4").write_bytes(b"0" * 100)
    return folder


def rows(out: Path) -> dict[str, dict]:
    return {row["name"]: row for split in existing_splits(out) for row in read_split(out, split)}


def test_recordings_of_the_hub_are_prepared_as_those_of_a_folder(
    hub: HubServer, motions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = upload(motions)
    out, local = tmp_path / "out", tmp_path / "local"
    assert prepare(["hub", REPO, "--out", str(out), "--num-proc", "1"]) == 0
    shown = capsys.readouterr()
    assert "1 file: recognised skeleton, centimetres, y up (bvh/soma)" in shown.out
    assert "left out" not in shown.err
    options = ["--captions", str(motions / "captions.csv"), "--license", "cc-by-4.0", "--num-proc", "1"]
    assert prepare(["bvh", str(motions), *options, "--out", str(local)]) == 0
    found, expected = rows(out), rows(local)
    assert set(found) == {"bvh/soma", "bvh/soma_mirrored", "bvh/02_01"}
    assert {name: row["captions"] for name, row in found.items()} == {
        name: row["captions"] for name, row in expected.items()
    }
    for name, row in found.items():
        np.testing.assert_array_equal(row["joints"], expected[name]["joints"])
    summary, card = read_summary(out), (out / "README.md").read_text()
    assert (summary["name"], summary["license"], summary["left_out"]) == ("motions", "cc-by-4.0", {})
    assert f"datasets/{REPO}, commit {commit}" in card
    assert not any("video.mp4" in path for _, path, _ in hub.requests)  # only what is needed
    asked = len(hub.requests)
    with pytest.raises(MotionLLMError, match="holds a dataset already"):
        prepare(["hub", REPO, "--out", str(out)])
    assert len(hub.requests) == asked


def test_a_revision_and_no_network(
    hub: HubServer, motions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = upload(motions)
    (motions / "captions.csv").write_text(CAPTIONS.replace("walks forward", "strolls"))
    upload(motions)
    for name in (REPO, f"{REPO}@{first}"):
        assert prepare(["hub", name, "--out", str(tmp_path / name), "--num-proc", "1"]) == 0
    said = [rows(tmp_path / name)["bvh/02_01"]["captions"] for name in (REPO, f"{REPO}@{first}")]
    assert said == [["a person strolls"], ["a person walks forward"]]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert prepare(["hub", REPO, "--out", str(tmp_path / "again"), "--num-proc", "1"]) == 0
    assert read_summary(tmp_path / "again")["sha256"] == read_summary(tmp_path / REPO)["sha256"]
    with pytest.raises(MotionLLMError, match="no dataset 'user/other' in the cache; HF_HUB_OFFLINE is set"):
        prepare(["hub", "user/other", "--out", str(tmp_path / "other")])


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """A set laid out as BONES-SEED is, with two motions and a mirrored copy."""
    folder, packed = tmp_path / "seed", tmp_path / "packed" / "soma_uniform" / "bvh" / "230101"
    (folder / "metadata").mkdir(parents=True)
    packed.mkdir(parents=True)
    names = {"stand_001__A1": "kimodo/soma", "walk_001__A2": "cmu/02_01", "walk_001__A2_M": "cmu/02_01"}
    for name, fixture in names.items():
        shutil.copy(FIXTURES / f"{fixture}.bvh", packed / f"{name}.bvh")
    with tarfile.open(folder / "soma_uniform.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "packed" / "soma_uniform", "soma_uniform")
    (folder / "g1.tar.gz").write_bytes(b"of robots")
    table = [
        {
            "filename": name,
            "move_soma_uniform_path": f"soma_uniform/bvh/230101/{name}.bvh",
            "is_mirror": name.endswith("_M"),
            "content_type_of_movement": name.split("_")[0],
            "content_uniform_style": "neutral",
            "content_natural_desc_1": f"A person {name.split('_')[0]}s.",
            "content_natural_desc_2": "",
            "content_short_description": f"{name.split('_')[0]} once",
        }
        for name in names
    ]
    parquet.write_table(pa.Table.from_pylist(table), folder / "metadata" / "seed_metadata_v004.parquet")
    event = {"start_time": 0.0, "end_time": 0.5, "description": "A person starts to walk."}
    events = [{"filename": name, "num_events": 1, "events": [event]} for name in names if name.startswith("walk")]
    lines = "".join(json.dumps(row) + "\n" for row in events)
    (folder / "metadata" / "seed_metadata_v002_temporal_labels.jsonl").write_text(lines)
    return folder


def test_the_tables_of_bones_seed(
    hub: HubServer, seed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upload(seed)
    out = tmp_path / "out"
    start = ["hub", REPO, "--out", str(out), "--num-proc", "1", "--no-mirror", "--overwrite"]
    with pytest.raises(
        MotionLLMError, match=r"2 archives; give one with --archive: g1\.tar\.gz, soma_uniform\.tar\.gz"
    ):
        prepare(start)
    start += ["--archive", "soma_uniform.tar.gz"]
    with pytest.raises(MotionLLMError, match=r"more than one table; give one: metadata/.* with --captions"):
        prepare(start)
    assert prepare([*start, "--captions", "metadata/seed_metadata_v004.parquet"]) == 0
    assert "left out" not in capsys.readouterr().err  # the mirrored copy is expected
    found = rows(out)
    walk = found["soma_uniform/bvh/230101/walk_001__A2"]
    assert len(found) == 2
    assert walk["captions"] == ["A person walks.", "walk once"]
    assert (walk["contents"], walk["styles"]) == (["walk"], ["neutral"])
    assert prepare([*start, "--captions", "metadata/seed_metadata_v002_temporal_labels.jsonl"]) == 0
    (event,) = rows(out).values()
    assert event["captions"] == ["A person starts to walk."]
    assert event["num_frames"] == 10
    assert not [path for _, path, _ in hub.requests if path.endswith("/g1.tar.gz")]


def test_what_is_not_there_is_said_in_a_line(hub: HubServer, motions: Path, tmp_path: Path) -> None:
    def fails(message: str, *options: str) -> None:
        with pytest.raises(MotionLLMError, match=message):
            prepare(["hub", *options, "--out", str(tmp_path / "out")])

    fails(r"no dataset 'user/absent' on the Hub that this token can see", "user/absent")
    fails(r"'a b/c' is no dataset of the Hub; give user/name", "a b/c")
    upload(motions)
    fails(r"has no revision 'v9'", f"{REPO}@v9")
    fails(
        r"neither a file 'x\.csv' nor one in 'user/motions', whose tables are: captions\.csv",
        REPO,
        "--captions",
        "x.csv",
    )
    fails(r"holds no 'x\.zip'; its archives are: none", REPO, "--archive", "x.zip")
