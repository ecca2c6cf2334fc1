"""Candidates: which one is kept, with which seeds, and what cannot be asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import motionllm
from hub_scripts.cli import main as cli
from hub_scripts.evaluation.outputs import OutputStore, generate_captions, generate_motions
from modeling_motionllm import scene_motionllm
from modeling_motionllm.candidates_motionllm import _people as told_people
from modeling_motionllm.candidates_motionllm import caption_log_likelihood
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.pipeline_motionllm import MotionToTextPipeline, TextToMotionPipeline
from modeling_motionllm.scene_motionllm import longest_held

pytest_plugins = ("scene_fixtures",)

TEXTS = ["a person walks forward", "a person waves with the left hand"]


@pytest.fixture(autouse=True)
def evaluation_mode(model: Any) -> None:
    model.eval()


def test_the_likelihood_is_that_of_the_captions_tokens(model: Any, processor: Any) -> None:
    output = model.generate_motion(**processor(text=TEXTS, duration=[2, 3]), seed=0)
    found = caption_log_likelihood(model, processor, TEXTS, output)
    for row, text in enumerate(TEXTS):
        codes = output.codes[row, 0][output.codes[row, 0] != -1].tolist()
        example = processor.training_example("motion-to-text", text, codes)
        ids, labels = (torch.tensor(example[name]) for name in ("input_ids", "labels"))
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0].log_softmax(-1)
        places = (labels != -100).nonzero()[:, 0]
        expected = logits[places - 1, ids[places]].sum()
        torch.testing.assert_close(found[row], expected, rtol=1e-4, atol=1e-4)


def test_the_likeliest_candidate_is_kept(model: Any, processor: Any) -> None:
    inputs = processor(text=TEXTS, duration=2)
    options = {"processor": processor, "seed": [5, 9]}
    best = model.generate_motion(**inputs, num_candidates=4, **options)
    scores = []
    for candidate in range(4):
        seeds = [5 + 15_485_863 * candidate, 9 + 15_485_863 * candidate]
        output = model.generate_motion(**inputs, seed=seeds)
        scores.append(caption_log_likelihood(model, processor, TEXTS, output))
        if candidate == 0:
            assert torch.equal(model.generate_motion(**inputs, **options).codes, output.codes)  # the first candidate
    kept = caption_log_likelihood(model, processor, TEXTS, best)
    torch.testing.assert_close(kept, torch.stack(scores).amax(0))
    assert best.features.shape[0] == best.codes.shape[0] == 2
    again = model.generate_motion(**inputs, num_candidates=4, **options)
    assert torch.equal(again.codes, best.codes)


def test_several_samples_are_each_the_best_of_their_own(model: Any, processor: Any) -> None:
    inputs = processor(text=TEXTS, duration=2)
    options = {"processor": processor, "num_candidates": 3}
    both = model.generate_motion(**inputs, **options, num_return_sequences=2, seed=7)
    assert both.codes.shape[0] == 4
    for row in range(4):
        text = TEXTS[row // 2]
        alone = model.generate_motion(**processor(text=text, duration=2), **options, seed=7 + row)
        assert torch.equal(alone.codes[0], both.codes[row])


def test_whole_scenes_are_judged_where_no_parts_are_told(scene_model: Any, processor_without_parts: Any) -> None:
    scene_processor = processor_without_parts
    inputs = scene_processor(text=TEXTS, people=[2, 3], duration=1)
    best = scene_model.generate_motion(**inputs, processor=scene_processor, num_candidates=3, seed=1)
    assert best.num_people.tolist() == [2, 3]
    first = scene_model.generate_motion(**inputs, seed=1)
    kept, plain = (caption_log_likelihood(scene_model, scene_processor, TEXTS, one) for one in (best, first))
    assert bool((kept >= plain - 1e-4).all())
    assert len(scene_processor.decode_motion(best, TEXTS)) == 2


def test_evaluation_and_pipeline_use_it(model: Any, processor: Any) -> None:
    lengths = [10, 10]
    settings = {"num_candidates": 3, "seed": 4}
    made = [each.codes[0].tolist() for each in generate_motions(model, processor, TEXTS, [1, 1], lengths, **settings)]
    expected = model.generate_motion(**processor(text=TEXTS, duration=2), processor=processor, **settings)
    assert made == expected.codes[:, 0].tolist()
    motions = TextToMotionPipeline(model=model, processor=processor)(TEXTS, duration=2, **settings)
    assert [motion.codes.tolist() for motion in motions] == made


def test_the_command(thin_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["generate", TEXTS[0], "--model", str(thin_checkpoint), "--duration", "2", "--formats", "npz"]
    assert cli([*common, "--num-candidates", "3", "--batch-size", "2", "-o", str(tmp_path / "best")]) == 0
    motion = motionllm.Motion.load(tmp_path / "best" / "a-person-walks-forward.npz")
    assert motion.num_frames == 40
    many = ["--num-candidates", "3"]
    for wrong in (["--num-candidates", "0"], [*many, "--temperature", "0"]):
        capsys.readouterr()
        assert cli([*common, *wrong, "-o", str(tmp_path / "none")]) == 2
        assert "num-candidates" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("count", [0, True, 1.5])
def test_wrong_numbers(model: Any, processor: Any, count: Any) -> None:
    with pytest.raises(MotionLLMError, match="num_candidates is"):
        model.generate_motion(**processor(text=TEXTS), processor=processor, num_candidates=count)


def test_greedy_has_no_candidates(model: Any, processor: Any) -> None:
    with pytest.raises(MotionLLMError, match="greedy"):
        model.generate_motion(**processor(text=TEXTS), processor=processor, num_candidates=2, do_sample=False)


def test_somebody_has_to_judge(model: Any, processor: Any) -> None:
    with pytest.raises(MotionLLMError, match="num_candidates is 3; give processor="):
        model.generate_motion(**processor(text=TEXTS), num_candidates=3)
    with pytest.raises(MotionLLMError, match="num_candidates is 3; give processor="):
        model.generate_caption(torch.tensor([processor.motion_to_text_ids([1, 2])]), num_candidates=3)


def test_codes_that_are_held_too_long_count_against_a_candidate(
    model: Any, processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = torch.tensor([[3, 3, 3, 1, 3, -1, -1, -1], [1, 2, 2, 2, 2, 2, 1, 1], [4, -1, -1, -1, -1, -1, -1, -1]])
    assert longest_held(codes).tolist() == [3, 5, 1]
    drawn = []

    def judge(model: Any, processor: Any, sentences: list[str], codes: torch.Tensor) -> torch.Tensor:
        drawn.append(codes)
        return torch.zeros(len(codes))

    monkeypatch.setattr(scene_motionllm, "sentence_log_likelihood", judge)
    options = {"processor": processor, "num_candidates": 8, "seed": 3, "temperature": 0.7, "guidance_scale": 1.0}
    inputs = processor(text=TEXTS[0], duration=6)
    kept = model.generate_motion(**inputs, **options, max_held_codes=1)
    held = longest_held(drawn[0])
    assert held.min() < held.max()
    assert longest_held(kept.codes[:, 0]) == held.min()
    # What recorded motion does costs nothing.
    assert torch.equal(model.generate_motion(**inputs, **options, max_held_codes=30).codes[0], drawn[0][:1])


def _captions(model: Any, processor: Any, inputs: Any, best_of: int, **draw: Any) -> list[str]:
    ids = model.generate_caption(**inputs, processor=processor, num_candidates=best_of, max_new_tokens=8, **draw)
    return processor.decode_caption(ids)


def test_the_caption_that_fits_best_is_kept(model: Any, processor: Any, make_joints: Any) -> None:
    joints = [make_joints(41, seed=1), make_joints(57, seed=2)]
    inputs = processor(motion=joints)
    greedy = processor.decode_caption(model.generate_caption(**inputs, max_new_tokens=8))
    assert _captions(model, processor, inputs, 1) == greedy
    kept = _captions(model, processor, inputs, 4, seed=[5, 9])
    assert kept == _captions(model, processor, inputs, 4, seed=[5, 9])

    ids = model.fill_in_codes(inputs["input_ids"], inputs["motion"], inputs["motion_attention_mask"])
    for row, seed in enumerate((5, 9)):
        code_ids = ids[row][model.motion_vocabulary.is_code(ids[row])]
        codes = (code_ids - model.motion_vocabulary.offset).tolist()
        alone = processor(motion=joints[row])
        drawn = [
            model.generate_caption(**alone, max_new_tokens=8, do_sample=True, seed=seed + 15_485_863 * draw)
            for draw in range(3)
        ]
        candidates = [greedy[row], *(processor.decode_caption(one)[0] for one in drawn)]
        candidates = [caption for caption in candidates if caption]
        scores = []
        for caption in candidates:
            likelihood = []
            for task in ("text-to-motion", "motion-to-text"):
                example = processor.training_example(task, caption, codes)
                batch = {name: torch.tensor([values]) for name, values in example.items()}
                with torch.no_grad():
                    likelihood.append(float(model.label_log_likelihood(**batch)))
            scores.append(likelihood[0] + 0.5 * likelihood[1])
        assert max(scores) == pytest.approx(scores[candidates.index(kept[row])], abs=1e-3)
        assert _captions(model, processor, alone, 4, seed=seed) == [kept[row]]
    pipeline = MotionToTextPipeline(model=model, processor=processor)
    assert pipeline(joints, num_candidates=4, seed=5, max_new_tokens=8)[0] == kept[0]
    with pytest.raises(MotionLLMError, match="leave do_sample out"):
        pipeline(joints, num_candidates=4, do_sample=True)
    with pytest.raises(MotionLLMError, match="num_candidates is 0"):
        pipeline(joints, num_candidates=0)


def test_kept_captions_belong_to_their_seed(model: Any, processor: Any, tmp_path: Path) -> None:
    names, codes = ["one", "two"], [np.arange(6), np.arange(9)]
    store = OutputStore(tmp_path)
    for seed in (0, 40):
        found = generate_captions(model, processor, names, codes, num_candidates=3, seed=seed, store=store)
        assert found == generate_captions(model, processor, names, codes, num_candidates=3, seed=seed)
    assert set(store.values) == {"0 one", "1 two", "40 one", "41 two"}
    generate_captions(model, processor, names, codes, seed=3, store=store)
    assert set(store.values) == {"0 one", "1 two", "40 one", "41 two", *names}


def test_captions_of_scenes(scene_model: Any, scene_processor: Any, make_joints: Any) -> None:
    scene = np.stack([make_joints(41, seed=person) for person in range(3)])
    scene += np.arange(3)[:, None, None, None] * np.array([1.0, 0, 0.5])
    inputs = scene_processor(motion=[scene, scene[:2]])
    ids = scene_model.fill_in_codes(inputs["input_ids"], inputs["motion"], inputs["motion_attention_mask"])
    for row, people in enumerate((3, 2)):
        codes, bins = told_people(ids[row].tolist(), scene_model.motion_vocabulary)
        assert (len(codes), len(bins)) == (people, people)
        told = scene_processor._people_ids(codes, bins)
        prompt = ids[row].tolist()
        first = prompt.index(scene_model.motion_vocabulary.start) + 1
        assert prompt[first : first + len(told)] == told
    assert len(_captions(scene_model, scene_processor, inputs, 3, seed=0)) == 2


def test_caption_command(thin_checkpoint: Path, tmp_path: Path, make_joints: Any, capsys: Any) -> None:
    file = motionllm.Motion(make_joints(41), model="random").save(tmp_path / "walk.npz")
    common = ["caption", str(file), "--model", str(thin_checkpoint)]
    assert cli([*common, "--num-candidates", "3"]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    for wrong in (["--num-candidates", "0"], ["--num-candidates", "3", "--num-return-sequences", "2"]):
        assert cli([*common, *wrong]) == 2
        assert "num-candidates" in capsys.readouterr().err
