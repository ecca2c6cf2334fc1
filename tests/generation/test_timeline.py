"""`motionllm generate --then`: several sentences, one motion."""

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from conftest import CODEBOOK_SIZE, assert_refused

import motionllm
from hub_scripts.cli import main as cli
from hub_scripts.generation.jobs import file_stem, make_jobs
from hub_scripts.generation.prompts import Prompt
from hub_scripts.generation.run import generate_batch
from hub_scripts.options.generate import check_generate_arguments, generate_parser
from modeling_motionllm.motion import Motion

pytest_plugins = ("turn_fixtures",)

WALK, BOW, WAVE = "a person walks forward", "bows", "waves with the right hand"


def generate(checkpoint: Path, *options: object) -> int:
    return cli(["generate", *map(str, options), "--model", str(checkpoint)])


def test_several_sentences_make_one_motion(turn_checkpoint, tmp_path, capsys):
    options = [WALK, "--then", BOW, "--then", WAVE, "--duration", 3, 2, 3, "--seed", 4]
    formats = ["--formats", "npz,bvh,glb,html", "-o", tmp_path / "out"]
    assert generate(turn_checkpoint, *options, *formats, "--dataset-dir", tmp_path / "made") == 0
    first, *notes = capsys.readouterr().out.splitlines()
    assert first == f"8.0 s: {WALK}, then {BOW}, then {WAVE}"
    times = [f"  0.0-3.0 s: {WALK} (", f"  3.0-5.0 s: {BOW} (", f"  5.0-8.0 s: {WAVE} ("]
    for line, expected in zip(notes, times, strict=False):
        assert line.startswith(expected + "understood as: ")
    stem = file_stem(f"{WALK} {BOW} {WAVE}")
    assert {path.suffix for path in (tmp_path / "out").glob(f"{stem}.*")} >= {".npz", ".bvh", ".glb", ".html"}
    motion = Motion.load(tmp_path / "out" / f"{stem}.npz")
    listed = json.loads((tmp_path / "out" / f"{stem}.json").read_text())
    assert listed["segments"][1] == {"text": BOW, "start": 3.0, "end": 5.0}
    data = (tmp_path / "out" / f"{stem}.glb").read_bytes()
    asset = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    assert asset["scenes"][0]["extras"]["segments"] == listed["segments"]
    assert motion.num_frames == 160
    assert [(one.text, one.start, one.end) for one in motion.segments] == [(WALK, 0, 3), (BOW, 3, 5), (WAVE, 5, 8)]
    [row] = datasets.load_dataset(str(tmp_path / "made"), split="train", cache_dir=str(tmp_path / "cache"))
    assert row["segment_captions"] == [[WALK], [BOW], [WAVE]]
    assert row["segment_ends"] == [60, 100, 160]
    assert row["codes"] == motion.codes.tolist()
    # The same as the methods make.
    model = motionllm.MotionLLMForCausalLM.from_pretrained(turn_checkpoint)
    processor = motionllm.MotionLLMProcessor.from_pretrained(turn_checkpoint)
    inputs = processor(text=[[WALK, BOW, WAVE]], duration=[[3, 2, 3]])
    output = model.generate_motion(**inputs, processor=processor, seed=4)
    assert output.codes[0, 0].tolist() == motion.codes.tolist()


def test_turns_are_streamed(turn_checkpoint):
    model = motionllm.MotionLLMForCausalLM.from_pretrained(turn_checkpoint)
    processor = motionllm.MotionLLMProcessor.from_pretrained(turn_checkpoint)
    jobs = make_jobs([Prompt(WALK, (4.0, 2.0), 0, (BOW,))], 2, None, 0)
    seconds: list[float] = []
    whole, streamed = ([one.motion for one in generate_batch(model, processor, jobs, progress=progress)]
                       for progress in (None, seconds.append))  # fmt: skip
    assert (seconds[0], seconds[-1]) == (1.0, 6.0)
    for one, other in zip(whole, streamed, strict=True):
        assert one.codes.tolist() == other.codes.tolist()
        assert one.segments == other.segments
        np.testing.assert_allclose(one.joints, other.joints, atol=1e-3)


def test_a_duration_for_all_and_samples(turn_checkpoint, tmp_path, capsys):
    options = ["--then", BOW, "--num-return-sequences", 2, "--formats", "npz", "-o", tmp_path, "--no-caption"]
    assert generate(turn_checkpoint, "--duration", 1.2, WALK, *options) == 0
    assert f"  1.2-2.4 s: {BOW}\n" in capsys.readouterr().out
    one, two = (Motion.load(path) for path in sorted(tmp_path.glob("*.npz")))
    assert (one.num_frames, two.num_frames) == (48, 48)
    assert one.codes.tolist() != two.codes.tolist()
    assert all(0 <= code < CODEBOOK_SIZE for code in one.codes)


def test_a_sentence_is_split_into_turns(turn_checkpoint, tmp_path, capsys):
    options = ["--split", "--formats", "npz", "--no-caption", "--duration"]
    text = f"{WALK}, then {BOW}."
    assert generate(turn_checkpoint, text, *options, 1, 2, "-o", tmp_path / "split") == 0
    assert capsys.readouterr().out.startswith(f"3.0 s: {WALK}, then a person {BOW}\n")
    assert (
        generate(turn_checkpoint, WALK, "--then", f"a person {BOW}", *options[1:], 1, 2, "-o", tmp_path / "told") == 0
    )
    [split], [told] = ((tmp_path / name).glob("*.npz") for name in ("split", "told"))
    assert split.read_bytes() == told.read_bytes()
    assert (split.stem, told.stem) == (file_stem(text), file_stem(f"{WALK} a person {BOW}"))
    # Unasked as well, and the seconds of the sentence are shared.
    capsys.readouterr()
    assert generate(turn_checkpoint, text, *options[1:], 4, "-o", tmp_path / "unasked") == 0
    shown = capsys.readouterr()
    assert f"in 2 turns: {WALK} / a person {BOW} (--no-split asks for all at once)" in shown.err
    [unasked] = (tmp_path / "unasked").glob("*.npz")
    assert [segment[1:] for segment in Motion.load(unasked).segments] == [(0, 2), (2, 4)]
    assert generate(turn_checkpoint, text, "--no-split", *options[1:], 3, "-o", tmp_path / "whole") == 0
    [whole] = (tmp_path / "whole").glob("*.npz")
    assert (Motion.load(whole).segments, Motion.load(whole).caption) == (None, text)
    # Nor into turns that are too short to show anything.
    assert generate(turn_checkpoint, text, *options[1:], 1.6, "-o", tmp_path / "short") == 0
    [short] = (tmp_path / "short").glob("*.npz")
    assert Motion.load(short).segments is None
    # Sentences of a file, of which one says one thing.
    (tmp_path / "prompts.txt").write_text(f"{text}\n{WALK}\n")
    files = [
        "--prompts",
        tmp_path / "prompts.txt",
        *options,
        2,
        "-o",
        tmp_path / "some",
        "--dataset-dir",
        tmp_path / "d",
    ]
    assert generate(turn_checkpoint, *files) == 0
    assert sorted(Motion.load(path).duration for path in (tmp_path / "some").glob("*.npz")) == [2, 2]
    rows = datasets.load_dataset(str(tmp_path / "d"), split="train", cache_dir=str(tmp_path / "cache"))
    assert sorted(len(row["segment_captions"]) for row in rows) == [1, 2]


@pytest.mark.parametrize("options,words", [
    ([WALK, BOW, "--then", WAVE], ["--then goes on from one sentence", "2 are given"]),
    (["--then", WAVE], ["--then goes on from one sentence", "0 are given"]),
    ([WALK, "--then", WAVE, "--people", 2], ["people is 2", "one person at a time"]),
    ([WALK, "--then", WAVE, "--parts", WALK, WALK], ["--parts is for a scene of one sentence, not for --then"]),
    ([WALK, "--then", WAVE, "--duration", 1, 2, 3], ["--duration has 3 numbers", "takes 2"]),
    ([WALK, "--then", WAVE, "--duration", 1, 0], ["a duration of 0 s"]),
    ([WALK, "--duration", 1, 2], ["--duration has 2 numbers", "takes 1", "give one for all"]),
    ([WALK, "--duration", "long"], ["--duration is 'long'; give seconds"]),
    (["walks, then bows", "--split", "--duration", 1, 2, 3], ["--duration has 3 numbers", "takes 2", "walks, bows"]),
    ([WALK, "--split", "--duration", 1, 2], ["--duration has 2 numbers", "takes 1"]),
    (["walks, then bows", "--no-split", "--duration", 1, 2], ["--duration has 2 numbers", "give one for all"]),
    ([WALK, BOW, "--split", "--duration", 1, 2], ["--duration has 2 numbers for 2 sentences of motions of their own"]),
    ([WALK, "--split", "--people", 2], ["--split is for motions of one person"]),
    ([WALK, "--split", "--after", "a.npz", "--before", "b.npz", "--duration", 1], ["one sentence; leave --split out"]),
    ([WALK, "--then", ""], ["the text is empty"]),
])  # fmt: skip
def test_what_cannot_be_told_is_one_line(turn_checkpoint, tmp_path, capsys, options, words):
    assert generate(turn_checkpoint, *options, "-o", tmp_path / "out") == 2
    assert_refused(capsys, words, tmp_path / "out")


def test_a_checkpoint_without_turns_says_so(thin_checkpoint, tmp_path, capsys):
    assert generate(thin_checkpoint, WALK, "--then", BOW, "-o", tmp_path / "out") == 2
    err = capsys.readouterr().err
    assert "this model knows no turns" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words,text,duration", [
    (["walk", "--duration", "3"], ["walk"], [3.0]),
    (["--duration", "3", "walk", "bow"], ["walk", "bow"], [3.0]),
    (["walk", "--duration", "3", "bow", "--seed", "1"], ["walk", "bow"], [3.0]),
])  # fmt: skip
def test_sentences_may_stand_after_a_duration(words, text, duration):
    args: Any = generate_parser().parse_args(words)
    check_generate_arguments(args)
    assert (args.text, args.duration) == (text, duration)
