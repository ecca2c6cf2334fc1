"""`motionllm evaluate --sequences`: what is done in order, and how one thing meets the next."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import read_golden

from hub_scripts.data.store import shard_path, write_shard, write_summary
from hub_scripts.evaluate_motionllm import main as evaluate
from hub_scripts.evaluation.sequences import generated_row, read_sequences
from hub_scripts.metrics.sequences import HeadingDrift, Seams, SegmentsDone, SequenceMotions
from hub_scripts.skeletons.seams import carried, fade_over, placed
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import canonicalize_joints, joints_to_features
from motionllm import MotionLLMForCausalLM, MotionLLMProcessor

pytest_plugins = ("turn_fixtures",)

DONE = {
    "a person walks forward": "dataset-1_walk_normal_002",
    "a person waves with both hands": "dataset-2_wave-both-hands_active_001",
    "a person bows": "dataset-1_bow_masculinity_001",
    "a person runs": "dataset-2_run_normal_044",
}
WALK, WAVE, BOW, RUN = DONE


def one_after_another(*sentences: str) -> tuple[np.ndarray, list[int]]:
    """The clips of sentences joined: joints (4 L + 1, 22, 3) and the frames at which they end."""
    joints = read_golden()[DONE[sentences[0]]]["joints"].astype(np.float64)
    joints = joints[: (len(joints) - 1) // 4 * 4 + 1]
    ends = [len(joints) - 1]
    for sentence in sentences[1:]:
        clip = read_golden()[DONE[sentence]]["joints"].astype(np.float64)
        clip = carried(clip[: (len(clip) - 1) // 4 * 4 + 1], *placed(joints[-1:]))
        joints = np.concatenate([joints, fade_over(joints, clip, 8)[1:]])
        ends.append(len(joints) - 1)
    return np.asarray(canonicalize_joints(joints)), ends


def sequences(*told: tuple[str, ...]) -> SequenceMotions:
    made = [one_after_another(*sentences) for sentences in told]
    return SequenceMotions([joints for joints, _ in made], [ends for _, ends in made], told)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three sequences, as `motionllm prepare sequences` writes them."""
    folder = tmp_path_factory.mktemp("sequences")
    (folder / "data").mkdir()
    rows = []
    for number, told in enumerate([(WALK, BOW), (WAVE, WALK, BOW), (RUN, WALK)]):
        joints, ends = one_after_another(*told)
        rows.append(
            {
                "name": f"sequence_val_{number:05d}",
                "split": "val",
                "source": "composed-sequences",
                "composed": True,
                "num_people": 1,
                "contents": ["sequence"],
                "styles": ["normal"],
                "mirrored": False,
                "captions": [", then ".join(told)],
                "fps": 20.0,
                "num_frames": len(joints),
                "joints": joints[None].astype(np.float32),
                "features": np.asarray(joints_to_features(joints))[None].astype(np.float32),
                "segment_captions": [[text, "somebody does something"] for text in told],
                "segment_contents": [text.split()[2] for text in told],
                "segment_ends": ends,
            }
        )
    write_shard(shard_path(folder, "val", 0, 1), rows)
    write_summary(folder, {"name": "composed-sequences"})
    return folder


def test_what_is_done_in_its_own_segment_is_done() -> None:
    right = sequences((WALK, BOW), (WAVE, RUN))
    assert SegmentsDone()(right) == {"sequences_done": 1.0, "segments_done": 1.0}
    swapped = SequenceMotions(right.joints, right.ends, [(BOW, WALK), (WAVE, RUN)])
    assert SegmentsDone()(swapped) == {"sequences_done": 0.5, "segments_done": 0.5}
    untold = SequenceMotions(right.joints, right.ends, [(WALK, "a person eats"), (WAVE, WALK)])
    assert SegmentsDone()(untold) == {"sequences_done": 0.0, "segments_done": pytest.approx(2 / 3)}


def test_a_jump_at_a_seam_is_seen_there_and_nowhere_else() -> None:
    good = sequences((BOW, WAVE), (WALK, BOW))
    jumping = [np.array(joints) for joints in good.joints]
    for joints, ends in zip(jumping, good.ends, strict=True):
        joints[ends[0] :] += [0.5, 0.0, 0.0]  # standing feet too
    smooth, jumps = Seams()(good), Seams()(SequenceMotions(jumping, good.ends, good.sentences))
    assert jumps["seam_speed_worst"] * jumps["elsewhere_speed"] > 9
    assert jumps["seam_skating_cm"] > smooth["seam_skating_cm"] + 20
    assert jumps["elsewhere_skating_cm"] == pytest.approx(smooth["elsewhere_skating_cm"], abs=1e-6)
    for name in ("speed", "jerk"):
        assert jumps[f"seam_{name}"] > 1.2 * smooth[f"seam_{name}"]
        assert jumps[f"seam_{name}_ratio"] == pytest.approx(jumps[f"seam_{name}"] / jumps[f"elsewhere_{name}"])
        assert jumps[f"elsewhere_{name}"] == pytest.approx(smooth[f"elsewhere_{name}"])


def test_turning_that_nobody_asked_for() -> None:
    straight = sequences((WALK, BOW))
    assert HeadingDrift()(straight)["heading_drift_deg"] < 20
    joints, end = np.array(straight.joints[0]), straight.ends[0][0]
    for frame in range(1, end + 1):  # walks in a curve
        joints[frame] = carried(joints[None, frame], *placed(joints[None, frame])[:2], frame / end * np.pi / 2)[0]
    turned = SequenceMotions([joints], straight.ends, straight.sentences)
    assert HeadingDrift()(turned)["heading_drift_deg"] > 35
    said = SequenceMotions(
        [joints[: end + 1]] * 2, [[end // 2, end]] * 2, [["a person turns left", "turns around"]] * 2
    )
    assert np.isnan(HeadingDrift()(said)["heading_drift_deg"])


@pytest.mark.parametrize(
    "ends, told, message",
    [
        ([[40]], [[WALK]], "no motion of two segments"),
        ([[20, 40]], [[WALK]], "2 segments and 1 sentences"),
        ([[20, 400]], [[WALK, BOW]], r"segments that end at \[20, 400\]"),
        ([[20, 20]], [[WALK, BOW]], r"segments that end at \[20, 20\]"),
    ],
)
def test_segments_that_cannot_be(ends: list[list[int]], told: list[list[str]], message: str) -> None:
    with pytest.raises(MotionLLMError, match=message):
        SequenceMotions([one_after_another(WALK)[0]], ends, told)


def test_real_and_generated_rows_go_into_the_files_and_the_card(
    turn_checkpoint: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = shutil.copytree(turn_checkpoint, tmp_path / "model")
    (model / "evaluation.json").write_text(json.dumps({"split": "val", "seed": 0, "scenes_name": "kept"}))
    run = ["--model", str(model), "--sequences", str(folder), "--split", "val", "--num-candidates", "1"]
    run += ["--work", str(tmp_path / "work")]
    assert evaluate([*run, "--out", str(tmp_path / "figures.json"), "--card"]) == 0
    printed = capsys.readouterr().out
    for words in ("3 composed sequences of 7 segments", "fastest joint at seams m/s", "real (composed)", "generated"):
        assert words in printed
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["sequences_name"] == "composed-sequences"
    part = figures["sequence_generation"]
    assert (part["sequences"], part["seams"], part["composed"]) == (3, 4, True)
    assert set(part["rows"]) == {"real", "reconstructed", "generated"}
    assert part["rows"]["real"]["segments_done"] == [1.0, 0.0]
    assert part["rows"]["generated"].keys() >= {"seam_speed_ratio", "seam_jerk_ratio", "seam_skating_cm"}
    kept = json.loads((model / "evaluation.json").read_text())
    assert kept["sequence_generation"] == part
    assert kept["scenes_name"] == "kept"
    assert "| fastest joint, ratio |" in (model / "README.md").read_text()
    assert (model / ".eval_results" / "sequence-text-to-motion.yaml").is_file()
    # What was made is taken again, and the figures of sequences stay where clips are measured.
    assert evaluate([*run, "--out", str(tmp_path / "again.json")]) == 0
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["sequence_generation"] == part
    assert len(list((tmp_path / "work").rglob("*.npz"))) == 1
    assert evaluate([*run[:4], "--clips", "2", "--split", "val", "--temperature", "0"]) == 0
    assert "2 composed sequences" in capsys.readouterr().out


def test_motions_do_not_depend_on_batches(turn_checkpoint: Path, folder: Path) -> None:
    model = MotionLLMForCausalLM.from_pretrained(turn_checkpoint).eval()
    processor = MotionLLMProcessor.from_pretrained(turn_checkpoint)
    told = read_sequences(folder, "val")
    rows = [generated_row(model, processor, told, seed=3, batch_size=size)[0] for size in (8, 1)]
    assert rows[0].ends == rows[1].ends == [one.ends for one in told]
    for one, other in zip(rows[0].joints, rows[1].joints, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_only_real_motions_where_no_model_is_asked_for(
    thin_checkpoint: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = ["--sequences", str(folder), "--split", "val", "--out", str(tmp_path / "figures.json")]
    with pytest.raises(MotionLLMError, match="knows no turns"):
        evaluate([*run, "--model", str(thin_checkpoint)])
    monkeypatch.setenv("MOTIONLLM_MODEL", str(thin_checkpoint))  # the default
    assert evaluate(run) == 0
    assert "only real motions are measured" in capsys.readouterr().err
    part = json.loads((tmp_path / "figures.json").read_text())["sequence_generation"]
    assert set(part["rows"]) == {"real"}
    with pytest.raises(MotionLLMError, match="knows no turns"):
        evaluate([*run, "--card"])


@pytest.mark.parametrize(
    "more, message",
    [
        (["--draws", "2"], "--draws has no effect on --sequences"),
        (["--tasks", "generation"], "--tasks has no effect on --sequences"),
        (["--sheet", "a.png"], "--sheet has no effect on --sequences"),
    ],
)
def test_options_without_effect(thin_checkpoint: Path, folder: Path, more: list[str], message: str) -> None:
    with pytest.raises(MotionLLMError, match=message):
        evaluate(["--model", str(thin_checkpoint), "--sequences", str(folder), *more])


def test_data_without_segments(thin_checkpoint: Path, dataset_folder: Path) -> None:
    with pytest.raises(MotionLLMError, match="holds no sequences in time"):
        evaluate(["--model", str(thin_checkpoint), "--sequences", str(dataset_folder)])
