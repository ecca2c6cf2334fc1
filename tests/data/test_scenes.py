"""Scenes of several people: tracks without jumps, people who do what the kind says, and data that is the same again."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import golden_row
from datasets import load_dataset

from hub_scripts.captions.scene_words import SENTENCES
from hub_scripts.data.composed import scenes as scenes_module
from hub_scripts.data.composed.clips import ClipPool, load_pool
from hub_scripts.data.composed.kinds import KINDS
from hub_scripts.data.composed.scenes import MIN_GAP, compose_scene
from hub_scripts.data.composed.tracks import sew, stand, travel
from hub_scripts.data.store import dataset_hash, read_motions, read_summary, shard_path, write_shard, write_summary
from hub_scripts.prepare_data import main
from modeling_motionllm.collisions_motionllm import body_gaps
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D, canonicalize_joints, joints_to_features, mirror_joints
from modeling_motionllm.placement_motionllm import split_people

TEST_ONLY = ("dataset-1_walk_musical_001", "dataset-2_wave-right-hand_youthful_001", "dataset-1_run_proud_001")


@pytest.fixture(scope="module")
def clips_folder(tmp_path_factory: pytest.TempPathFactory, golden) -> Path:
    """A prepared dataset: most golden clips to train on, and three of their own for the test split."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "data").mkdir()
    for split in ("train", "test"):
        rows = [
            golden_row(name, clip) for name, clip in sorted(golden.items()) if (name in TEST_ONLY) == (split == "test")
        ]
        write_shard(shard_path(folder, split, 0, 1), rows)
    write_summary(folder, {})
    return folder


@pytest.fixture(scope="module")
def pool(clips_folder: Path) -> ClipPool:
    return load_pool(str(clips_folder), "train")


@pytest.fixture(scope="module")
def scenes_folder(clips_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scenes") / "out"
    arguments = ["pairs", str(clips_folder), "--out", str(out), "--train", "24", "--val", "0", "--test", "6"]
    assert main([*arguments, "--num-proc", "1"]) == 0
    return out


def speed(joints: np.ndarray) -> np.ndarray:
    """Of the fastest joint, metres per second, frame by frame."""
    return np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=-1) * 20


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(joints[..., 1:, :] - joints[..., HUMANML3D.parents[1:], :], axis=-1)


# Tracks


def test_sewn_motions_go_on_where_they_were(pool):
    bow, answer = pool.by_content["bow"][0].joints, pool.by_content["respond"][0].joints
    turned = bow[..., [2, 1, 0]] * [-1, 1, 1] + np.array([3, 0, 7])  # somewhere else, facing another way
    both = sew(turned, answer)
    assert len(both) == len(bow) + len(answer) - 1
    np.testing.assert_array_equal(both[: len(bow)], turned)
    seam = slice(len(bow) - 3, len(bow) + 3)
    assert speed(both)[seam].max() < 2
    assert np.linalg.norm(np.diff(both[seam], 2, axis=0), axis=-1).max() < 0.06
    # After the seam it is the second motion, elsewhere.
    one, other = canonicalize_joints(both[len(bow) + 20 :]), canonicalize_joints(answer[21:])
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_someone_who_waits_stands_still_without_freezing(pool):
    clip = pool.by_content["raise-up-left-hand"][0]
    track = stand(pool, [clip.joints], 40, 161)
    assert track is not None
    assert track.shape == (161, 22, 3)
    waiting, after = speed(track)[:38], speed(track)[40 + len(clip) + 16 :]
    for still in (waiting, after):
        assert still.max() < 0.6
        assert np.median(still) > 0.001
    wrist = 20
    assert track[:40, wrist, 1].max() < track[0, 0, 1] + 0.15  # the hand is down
    assert track[40:, wrist, 1].max() > track[0, 16, 1]  # and then up
    np.testing.assert_allclose(bone_lengths(track), np.broadcast_to(HUMANML3D.bone_lengths[1:], (161, 21)), atol=1e-6)
    # In the middle it is the recorded clip.
    one = canonicalize_joints(track[40 + 20 : 40 + 40])
    np.testing.assert_allclose(one, canonicalize_joints(clip.joints[20:40]), atol=0.02)


def test_nobody_pauses_in_a_pose_that_nobody_stands_in(pool):
    run = pool.by_content["run"][0].joints
    assert stand(pool, [run], 20, len(run) + 20) is None
    assert stand(pool, [run], 0, len(run) + 20) is None
    assert stand(pool, [run], 0, len(run)) is not None


def test_travelling_tells_where_it_goes(pool):
    walk = next(clip for clip in pool.by_content["walk"] if len(clip) > 150).joints
    track, course, way = travel(walk, 20, 101)
    assert len(track) == 101
    np.testing.assert_allclose(track[-1, 0, [0, 2]], [way * math.sin(course), way * math.cos(course)], atol=1e-9)
    assert 2 < way < 12


def test_a_pool_draws_what_was_asked_for(pool):
    rng = np.random.default_rng(0)
    drawn = [pool.draw(rng, ["walk", "run"], frames=(60, 200)) for _ in range(40)]
    assert {clip.content for clip in drawn if clip} == {"walk", "run"}
    assert all(clip and 60 <= len(clip) <= 200 for clip in drawn)
    walks = pool.by_content["walk"]
    assert pool.draw(rng, ["walk"], but=walks) is None
    assert pool.draw(rng, ["walk"], style="giant") is None
    slow = pool.draw(rng, ["walk", "run"], speed=(0, 1.5))
    assert slow is not None
    assert slow.speed <= 1.5


# Kinds


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_scenes_that_hold_together(pool, name):
    tries: Counter[str] = Counter()
    for number in range(2):
        composed = compose_scene(pool, KINDS[name], f"test/{number}", tries)
        assert composed is not None, f"{name}: {dict(tries)}"
        actors, canonical, placements = composed
        assert [actor.role for actor in actors] == list(KINDS[name].roles)
        people, frames = canonical.shape[:2]
        assert people == len(placements) in (2, 3)
        assert frames % 4 == 1
        assert 33 <= frames <= 201
        np.testing.assert_array_equal(placements[0], 0)
        world = scenes_module.join_people(canonical, placements)
        assert body_gaps(world).min() >= MIN_GAP - 1e-9
        again, found = split_people(world)
        np.testing.assert_allclose(found, placements, atol=1e-7)
        np.testing.assert_allclose(again, canonical, atol=1e-7)
        assert joints_to_features(canonical).shape == (people, frames - 1, 263)


def drawn(pool: ClipPool, name: str, number: int = 0):
    composed = compose_scene(pool, KINDS[name], f"relations/{number}")
    assert composed is not None
    _, canonical, placements = composed
    world = scenes_module.join_people(canonical, placements)
    return world, placements, np.linalg.norm(world[1, :, 0] - world[0, :, 0], axis=-1)


@pytest.mark.parametrize("name", ["bow", "wave", "raise-hands", "wave-answer", "call-answer"])
def test_they_face_each_other(pool, name):
    for number in range(3):
        _, placements, _ = drawn(pool, name, number)
        x, z, heading = placements[1]
        assert z > 0.9
        assert abs(math.atan2(x, z)) < math.radians(16)
        assert abs(abs(heading) - math.pi) < math.radians(30)


def test_who_leaves_goes_away(pool):
    world, placements, apart = drawn(pool, "goodbye")
    assert apart[-1] > apart[0] + 2
    assert placements[1, 1] > 0  # in front of who waves
    assert abs(placements[1, 2]) < math.radians(60)  # and seen from behind
    assert np.ptp(world[0, :, 0], axis=0).max() < 0.5


@pytest.mark.parametrize("name", ["call-come", "greet-comer", "meet"])
def test_who_comes_comes_near(pool, name):
    _, _, apart = drawn(pool, name)
    assert apart[0] > 2
    assert apart[-1] < 1.9


def test_who_passes_is_on_the_other_side_at_the_end(pool):
    world, _, apart = drawn(pool, "pass-by")
    ahead = (world[1] - world[0])[:, 0, 2]
    assert ahead[0] > 1 > -0.5 > ahead[-1]
    assert apart.min() < 2


def test_they_stay_side_by_side(pool):
    world, _, apart = drawn(pool, "walk-together")
    assert apart.max() < 2.5
    assert np.linalg.norm(world[:, -1, 0] - world[:, 0, 0], axis=-1).min() > 1.5


def test_who_follows_is_behind(pool):
    world, placements, _ = drawn(pool, "follow")
    assert placements[1, 1] < -0.8
    assert world[1, -1, 0, 2] < world[0, -1, 0, 2] - 0.5


def test_who_answers_begins_later(pool):
    world, _, _ = drawn(pool, "wave-answer")
    hands = world[:, :, [20, 21], 1].max(axis=-1) - world[:, :, 0, 1]
    first, second = (int((hand > 0.3).argmax()) for hand in hands)
    assert second > first + 10


# The data


def test_rows_are_complete(scenes_folder, clips_folder):
    rows = read_motions(scenes_folder, "train")
    assert len(rows) == 48
    train = set(load_pool(str(clips_folder), "train").by_content)
    for row in rows:
        people, frames = row["num_people"], row["num_frames"]
        assert row["joints"].shape == (people, frames, 22, 3)
        assert row["joints"].dtype == np.float32
        assert row["placements"].shape == (people, 3)
        assert len(row["roles"]) == len(row["contents"]) == len(row["styles"]) == len(row["source_clips"]) == people
        assert row["composed"] is True
        assert row["split"] == "train"
        assert row["kind"] in KINDS
        assert len(set(row["captions"])) == 6
        np.testing.assert_allclose(row["joints"][0, 0, 0, [0, 2]], 0, atol=1e-6)
        if not row["mirrored"]:
            assert set(row["contents"]) <= train
    assert len({row["name"] for row in rows}) == len(rows)


def test_placements_and_joints_of_all_rows_tell_the_same(scenes_folder):
    for row in read_motions(scenes_folder, "train"):
        canonical, placements = split_people(row["joints"])
        np.testing.assert_allclose(placements, row["placements"], atol=1e-4)
        np.testing.assert_allclose(scenes_module.join_people(canonical, placements), row["joints"], atol=1e-4)
        assert body_gaps(row["joints"]).min() > (0.01 if row["mirrored"] else 0.04)


def test_no_clip_leaves_its_split(scenes_folder, golden):
    clips = {
        split: {clip for row in read_motions(scenes_folder, split) for person in row["source_clips"] for clip in person}
        for split in ("train", "test")
    }
    assert clips["test"] <= set(TEST_ONLY)
    assert clips["test"]
    assert not clips["train"] & set(TEST_ONLY)
    assert clips["train"] <= set(golden)


def test_mirrored_copies_swap_sides(scenes_folder):
    rows = read_motions(scenes_folder, "train")
    sided = 0
    for plain, mirrored in zip(rows[::2], rows[1::2], strict=True):
        assert mirrored["name"] == f"{plain['name']}_mirrored"
        assert (plain["mirrored"], mirrored["mirrored"]) == (False, True)
        # The left and right bones of the skeleton differ by up to 1.2 %, and the world with them.
        np.testing.assert_allclose(mirrored["joints"], mirror_joints(plain["joints"]), atol=0.2)
        np.testing.assert_allclose(mirrored["placements"][:, :2], plain["placements"][:, :2] * [-1, 1], atol=0.1)
        turned = mirrored["placements"][:, 2] + plain["placements"][:, 2]
        np.testing.assert_allclose(np.cos(turned), 1, atol=1e-3)
        for one, other in zip(plain["contents"], mirrored["contents"], strict=True):
            assert ("left" in one) == ("right" in other)
            sided += "left" in one
    assert sided


def test_parts_say_what_each_person_does_and_when(scenes_folder):
    rows = read_motions(scenes_folder, "train")
    late = 0
    for plain, mirrored in zip(rows[::2], rows[1::2], strict=True):
        for row in (plain, mirrored):
            assert len(row["parts"]) == row["num_people"]
            for part, content in zip(row["parts"], row["contents"], strict=True):
                assert part.startswith("a person ")
                for side in ("left", "right"):
                    assert side not in content.split("-") or side in part
        for one, other in zip(plain["parts"], mirrored["parts"], strict=True):
            assert ("waits for" in one) == ("waits for" in other)
        if plain["kind"] in ("wave-answer", "call-answer"):
            assert "waits for" not in plain["parts"][0]
            assert "waits for" in plain["parts"][1]
            late += 1
    assert late


def test_the_summary_counts_what_is_there(scenes_folder, clips_folder):
    summary = read_summary(scenes_folder)
    assert summary["sha256"] == dataset_hash(scenes_folder)
    assert summary["data_sha256"] == dataset_hash(clips_folder)
    assert summary["composed"] is True
    for split, per_scene in (("train", 2), ("test", 1)):
        rows = read_motions(scenes_folder, split)
        numbers = summary["splits"][split]
        assert numbers["rows"] == len(rows) == numbers["scenes"] * per_scene
        assert numbers["frames"] == sum(row["num_frames"] for row in rows)
        assert numbers["kinds"] == Counter(row["kind"] for row in rows if not row["mirrored"])
    assert summary["drawn_again"]["overlap"] >= 0
    assert not (scenes_folder / ".prepare").exists()
    assert "composed" in (scenes_folder / "README.md").read_text().lower()


def test_other_libraries_read_it(scenes_folder, tmp_path):
    data = load_dataset(str(scenes_folder), split="train", cache_dir=str(tmp_path)).with_format("numpy")
    row, expected = data[0], read_motions(scenes_folder, "train")[0]
    joints = row["joints"].reshape(row["num_people"], row["num_frames"], 22, 3)
    np.testing.assert_array_equal(joints, expected["joints"])
    np.testing.assert_array_equal(row["placements"], expected["placements"])
    assert row["captions"].tolist() == expected["captions"]


def test_workers_and_repetition_change_nothing(scenes_folder, clips_folder, tmp_path):
    arguments = ["pairs", str(clips_folder), "--train", "24", "--val", "0", "--test", "6"]
    assert main([*arguments, "--out", str(tmp_path / "again"), "--num-proc", "2"]) == 0
    assert dataset_hash(tmp_path / "again") == dataset_hash(scenes_folder)


def test_an_interrupted_run_goes_on(scenes_folder, clips_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(scenes_module, "_SCENES_PER_SHARD", 8)
    out = tmp_path / "out"
    arguments = ["pairs", str(clips_folder), "--out", str(out), "--train", "16", "--val", "0", "--test", "0"]
    made = []
    original = scenes_module._compose_rows

    def stop_late(pool, kind, number, task, tries):
        made.append(kind.name)
        if len(made) == 12:
            raise KeyboardInterrupt
        return original(pool, kind, number, task, tries)

    monkeypatch.setattr(scenes_module, "_compose_rows", stop_late)
    with pytest.raises(KeyboardInterrupt):
        main([*arguments, "--num-proc", "1"])
    assert not (out / "motionllm_dataset.json").exists()
    made[:] = ["done"] * 100
    assert main([*arguments, "--num-proc", "1"]) == 0
    assert len(made) == 108  # only the second shard was composed again
    rows = read_motions(scenes_folder, "train")[:32]
    assert [row["captions"] for row in read_motions(out, "train")] == [row["captions"] for row in rows]


def test_another_seed_gives_other_scenes(clips_folder, scenes_folder, tmp_path):
    arguments = ["pairs", str(clips_folder), "--out", str(tmp_path / "out"), "--seed", "1", "--num-proc", "1"]
    assert main([*arguments, "--train", "6", "--val", "0", "--test", "0", "--no-mirror"]) == 0
    rows, others = read_motions(tmp_path / "out", "train"), read_motions(scenes_folder, "train")[:12:2]
    assert [row["name"] for row in rows] == [row["name"] for row in others]
    assert not any(row["mirrored"] for row in rows)
    assert all(
        not np.array_equal(row["placements"], other["placements"]) for row, other in zip(rows, others, strict=True)
    )


def test_kinds_without_clips_are_left_out(pool):
    walks = ClipPool(pool.by_content["walk"])
    names = {name for name, _ in scenes_module._plan(walks, 200)}
    assert names == {"walk-together", "follow", "meet", "pass-by", "three-walk", "three-follow"}
    with pytest.raises(MotionLLMError, match="no content that scenes are composed of"):
        scenes_module._plan(ClipPool(pool.by_content["slash"]), 10)


def test_kinds_come_in_their_shares(pool):
    made = Counter(name for name, _ in scenes_module._plan(pool, 1000))
    total = sum(kind.weight for kind in KINDS.values())
    for name, kind in KINDS.items():
        assert made[name] == pytest.approx(1000 * kind.weight / total, abs=1)
    assert sorted(number for name, number in scenes_module._plan(pool, 1000) if name == "bow") == list(
        range(made["bow"])
    )


def test_finished_data_is_not_overwritten(scenes_folder, clips_folder):
    with pytest.raises(MotionLLMError, match="holds a dataset already"):
        main(["pairs", str(clips_folder), "--out", str(scenes_folder)])
    with pytest.raises(MotionLLMError, match="the clips themselves"):
        main(["pairs", str(clips_folder), "--out", str(clips_folder)])


@pytest.mark.parametrize("option", ["--train", "--num-proc"])
def test_negative_numbers_are_refused(clips_folder, tmp_path, option):
    with pytest.raises(MotionLLMError, match=f"{option} is -1"):
        main(["pairs", str(clips_folder), "--out", str(tmp_path), option, "-1"])


def test_nothing_asked_for_is_refused(clips_folder, tmp_path):
    with pytest.raises(MotionLLMError, match="no scenes were asked for"):
        main(["pairs", str(clips_folder), "--out", str(tmp_path), "--train", "0", "--val", "0", "--test", "0"])


def test_storage_gives_back_what_it_got(scenes_folder, tmp_path):
    rows = read_motions(scenes_folder, "train")
    assert {row["num_people"] for row in rows} == {2, 3}
    (tmp_path / "data").mkdir()
    path = shard_path(tmp_path, "train", 0, 1)
    write_shard(path, rows)
    first = path.read_bytes()
    for one, other in zip(read_motions(tmp_path, "train"), rows, strict=True):
        for column, value in other.items():
            np.testing.assert_array_equal(one[column], value)
    write_shard(path, rows)
    assert path.read_bytes() == first
    assert list(read_motions(tmp_path, "train", ["kind", "placements"])[0]) == ["kind", "placements"]


def test_wrong_data_is_named(scenes_folder, clips_folder, tmp_path):
    with pytest.raises(MotionLLMError, match="no column colour"):
        read_motions(scenes_folder, "train", ["colour"])
    with pytest.raises(MotionLLMError, match="holds scenes already"):
        load_pool(str(scenes_folder), "train")
    with pytest.raises(MotionLLMError, match="no split 'val'"):
        read_motions(scenes_folder, "val")
    (tmp_path / "data").mkdir()
    shard_path(tmp_path, "train", 0, 1).write_bytes(b"PAR1 but not really")
    with pytest.raises(MotionLLMError, match="cannot be read"):
        read_motions(tmp_path, "train")


def test_there_are_words_for_every_kind():
    assert SENTENCES.keys() == KINDS.keys()
