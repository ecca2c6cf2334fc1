"""The dataset on disk: what is written is what is read, here and with `datasets.load_dataset`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import read_golden

from hub_scripts.data.cards import DatasetCard
from hub_scripts.data.store import (
    dataset_hash,
    read_motions,
    read_summary,
    shard_path,
    write_card,
    write_shard,
    write_summary,
)
from hub_scripts.data.tables import read_table, table_features, table_fingerprint, write_table
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import canonicalize_joints, joints_to_features
from modeling_motionllm.placement_motionllm import join_people, split_people


def make_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(count):
        frames = int(rng.integers(5, 40))
        rows.append(
            {
                "name": f"clip_{seed}_{index}",
                "source": "bandai-namco-1",
                "num_people": 1,
                "contents": ["walk"],
                "styles": ["normal"],
                "mirrored": bool(index % 2),
                "captions": [f"caption {index} {k}" for k in range(index % 3 + 1)],
                "fps": 20.0,
                "num_frames": frames,
                "joints": rng.normal(size=(1, frames, 22, 3)).astype(np.float32),
                "features": rng.normal(size=(1, frames - 1, 263)).astype(np.float32),
                "source_file": "a/b.bvh",
                "source_sha256": "0" * 64,
            }
        )
    return rows


def assert_same(read: list[dict[str, Any]], written: list[dict[str, Any]]) -> None:
    assert len(read) == len(written)
    for one, other in zip(read, written, strict=True):
        assert one.keys() == other.keys()
        for column, value in other.items():
            if isinstance(value, np.ndarray):
                assert one[column].dtype == np.float32
                np.testing.assert_array_equal(one[column], value)
            else:
                assert one[column] == value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    write_shard(shard_path(tmp_path, "train", 0, 2), make_rows(150, 1))  # more than two row groups
    write_shard(shard_path(tmp_path, "train", 1, 2), make_rows(3, 2))
    write_shard(shard_path(tmp_path, "val", 0, 1), make_rows(2, 3))
    write_shard(shard_path(tmp_path, "test", 0, 1), make_rows(2, 4))
    write_card(tmp_path, ("train", "val", "test"), DatasetCard("# Title", {"license": "cc-by-nc-4.0"}))
    return tmp_path


def test_rows_come_back_as_they_were_in_the_order_of_the_shards(folder: Path) -> None:
    assert_same(read_motions(folder, "train"), make_rows(150, 1) + make_rows(3, 2))


def test_single_columns_are_read(folder: Path) -> None:
    rows = read_motions(folder, "val", columns=["features", "name"])
    assert list(rows[0]) == ["features", "name"]
    np.testing.assert_array_equal(rows[1]["features"], make_rows(2, 3)[1]["features"])


def test_equal_rows_give_equal_files(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.arrow", make_rows(20))
    write_shard(tmp_path / "b.arrow", make_rows(20))
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()


def test_the_hash_follows_the_data(folder: Path) -> None:
    before = dataset_hash(folder)
    assert before == dataset_hash(folder)
    (folder / "README.md").write_text("another card")
    assert before == dataset_hash(folder)
    write_shard(shard_path(folder, "val", 0, 1), make_rows(2, 5))
    assert before != dataset_hash(folder)


def test_the_summary_holds_the_hash(folder: Path) -> None:
    written = write_summary(folder, {"splits": {"val": {"rows": 2}}})
    assert read_summary(folder) == written
    assert written["sha256"] == dataset_hash(folder)
    assert written["splits"] == {"val": {"rows": 2}}


def test_load_dataset_opens_it_with_arrays(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path_factory.mktemp("cache")))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 153, "val": 2, "test": 2}
    assert loaded["val"].features["joints"] == datasets.Array3D((None, 22, 3), "float32")
    assert loaded["val"].features["features"] == datasets.Array2D((None, 263), "float32")
    assert_same(
        list(loaded["val"].with_format("numpy", columns=["joints", "features"])),
        [{"joints": row["joints"][0], "features": row["features"][0]} for row in make_rows(2, 3)],
    )
    assert loaded["train"][2]["captions"] == make_rows(3, 1)[2]["captions"]
    # with `datasets` imported, Arrow hands out its array types: reading has to give the same
    assert_same(read_motions(folder, "train"), make_rows(150, 1) + make_rows(3, 2))


def test_load_dataset_notices_new_data_in_the_same_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    cache = str(tmp_path_factory.mktemp("cache"))
    assert datasets.load_dataset(str(folder), split="val", cache_dir=cache)[0]["name"] == "clip_3_0"
    write_shard(shard_path(folder, "val", 0, 1), make_rows(2, 5))
    write_card(folder, ("train", "val", "test"), DatasetCard("# Title", {"license": "cc-by-nc-4.0"}))
    assert datasets.load_dataset(str(folder), split="val", cache_dir=cache)[0]["name"] == "clip_5_0"


def test_what_is_not_there_is_an_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MotionLLMError, match="no split 'dev'"):
        read_motions(folder, "dev")
    with pytest.raises(MotionLLMError, match="no column motion"):
        read_motions(folder, "val", columns=["motion"])
    with pytest.raises(MotionLLMError, match="motionllm prepare"):
        dataset_hash(tmp_path / "absent")
    with pytest.raises(MotionLLMError, match="cannot be read"):
        read_summary(folder)


def test_a_damaged_shard_is_named(folder: Path) -> None:
    path = shard_path(folder, "val", 0, 1)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MotionLLMError, match=r"val-00000-of-00001\.arrow.*cannot be read"):
        read_motions(folder, "val")


def test_arrays_are_views_of_the_mapped_file(folder: Path) -> None:
    [row, *_] = read_motions(folder, "val")
    assert not row["joints"].flags.owndata
    assert not row["joints"].flags.writeable


def test_people_come_first_and_features_are_computed_where_there_are_none(tmp_path: Path) -> None:
    world = join_people(np.stack([walking(31), walking(31)]), np.array([[0, 0, 0], [1.0, 2.0, np.pi]]))
    [row] = make_rows(1)
    del row["features"]
    row |= {"num_people": 2, "num_frames": 31, "joints": world, "contents": ["walk"] * 2, "styles": ["normal"] * 2}
    (tmp_path / "data").mkdir()
    write_shard(shard_path(tmp_path, "train", 0, 1), [row])
    [read] = read_motions(tmp_path, "train", ["joints", "features", "placements", "kind", "parts"])
    np.testing.assert_array_equal(read["joints"], world.astype(np.float32))
    assert read["features"].shape == (2, 30, 263)
    canonical, placements = split_people(read["joints"])
    np.testing.assert_allclose(read["placements"], placements, atol=1e-6)
    np.testing.assert_allclose(read["features"], joints_to_features(canonical), atol=1e-6)
    assert (read["kind"], read["parts"]) == ("", [])


def walking(frames: int) -> np.ndarray:
    return np.asarray(canonicalize_joints(next(iter(read_golden().values()))["joints"][:frames].astype(np.float64)))


def test_data_of_an_earlier_version_are_refused_with_the_remedy(folder: Path) -> None:
    for path in (folder / "data").iterdir():
        path.rename(path.with_suffix(".parquet"))
    for read in (dataset_hash, lambda folder: read_motions(folder, "train")):
        with pytest.raises(MotionLLMError, match="earlier version; run `motionllm prepare` again"):
            read(folder)
    (folder / "motionllm_dataset.json").write_text('{"format": 1}')
    with pytest.raises(MotionLLMError, match="earlier version; run `motionllm prepare` again"):
        read_summary(folder)


def test_a_fingerprint_stays_with_the_table(tmp_path: Path) -> None:
    features = table_features({"name": "string", "codes": [["int32"]]})
    rows = [{"name": "a", "codes": [[1, 2], [3, 4]]}, {"name": "b", "codes": [[5]]}]
    write_table(tmp_path / "a.arrow", rows, features, fingerprint="abc")
    assert table_fingerprint(tmp_path / "a.arrow") == "abc"
    assert read_table(tmp_path / "a.arrow") == rows
    assert read_table(tmp_path / "a.arrow", ["codes"]) == [{"codes": row["codes"]} for row in rows]
