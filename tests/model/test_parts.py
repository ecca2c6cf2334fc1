"""What each person of a scene does, told before its motion: words, training examples, generation, and the judge."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import AS_LEARNT

import motionllm
from hub_scripts.captions.scenes import describe_part, parts_of_caption
from hub_scripts.cli import main as cli
from hub_scripts.data.codes import read_codes, write_codes
from hub_scripts.data.store import read_motions
from hub_scripts.training.arguments import ModelArguments
from hub_scripts.training.examples import MotionTextExamples
from hub_scripts.training.model import build_model
from hub_scripts.training.motionllm import read_rows
from modeling_motionllm import scene_motionllm
from modeling_motionllm.collisions_motionllm import interpenetration_share
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import features_to_joints
from modeling_motionllm.placement_motionllm import decode_placements, encode_placements, join_people
from modeling_motionllm.sampling_motionllm import CANDIDATE_STRIDE, PartGrammar, PlacementGrammar
from modeling_motionllm.scene_motionllm import Scene

pytest_plugins = ("scene_fixtures",)

SENTENCE = "one person calls and the other comes"
GIVEN = ["a person bows", "a person waves with both hands"]


@pytest.mark.parametrize(
    ("content", "style", "wait", "mirrored", "words"),
    [
        ("bow", "normal", 0, False, "a person bows forward"),
        ("bow", "normal", 14, False, "a person bows forward"),
        ("bow", "happy", 15, False, "a person waits for one second and then bows forward in a happy mood"),
        ("wave-left-hand", "old", 48, False, "a person waits for two seconds and then waves with the left hand like an "
         "elderly person"),
        ("wave-left-hand", "normal", 0, True, "a person waves with the right hand"),
    ],
)  # fmt: skip
def test_words(content: str, style: str, wait: int, mirrored: bool, words: str, make_joints: Any) -> None:
    assert describe_part(content, style, make_joints(40), wait, mirrored) == words


def test_manner_is_told_where_the_caption_tells_it() -> None:
    parts = ["a person bows forward in a happy mood", "a person waits for one second and then waves", "a person dances"]
    styles = ["happy", "normal", "unheard of"]
    assert parts_of_caption("one person bows and the others follow", parts, styles) == [
        "a person bows forward",
        *parts[1:],
    ]
    for caption in ("a cheerful person bows", "three happy people bow", "three people bow, all full of joy"):
        assert parts_of_caption(caption, parts, styles) == parts


def test_unknown_words_are_named(make_joints: Any) -> None:
    with pytest.raises(MotionLLMError, match="no words for style 'drunk'"):
        describe_part("bow", "drunk", make_joints(40))
    with pytest.raises(MotionLLMError, match="no words for content 'swim'"):
        describe_part("swim", "happy", make_joints(40))


def test_training_example_is_what_generation_continues(scene_processor: Any, scene_codes: Path) -> None:
    row = read_codes(scene_codes, "train")[0]
    assert row["parts"][1] == "a person waits for one second and then walks forward"
    example = scene_processor.training_example(
        "text-to-motion", SENTENCE, row["codes"], row["placement_bins"], timed=True, parts=row["parts"]
    )
    ids, labels = example["input_ids"], example["labels"]
    length = len(row["codes"][0])
    prompt = scene_processor(text=SENTENCE, people=2, duration=length / 5)["input_ids"][0].tolist()
    assert ids[: len(prompt)] == prompt
    assert labels == [-100] * len(prompt) + ids[len(prompt) :]
    vocabulary = scene_processor.vocabulary
    told = scene_processor(text=SENTENCE, people=2, parts=row["parts"])["parts"][0]
    rest = ids[len(prompt) :]
    for person in range(2):
        if person:
            assert vocabulary.placement.ids_to_bins(torch.tensor(rest[:3])).tolist() == row["placement_bins"][1]
            rest = rest[3:]
        part = told[person][told[person] != -1].tolist()
        motion = vocabulary.codes_to_ids(torch.tensor(row["codes"][person])).tolist()
        expected = [*part, vocabulary.start, *motion, vocabulary.end]
        assert rest[: len(expected)] == expected
        rest = rest[len(expected) :]
    assert rest == [scene_processor.tokenizer.eos_token_id]


def test_captions_do_not_see_parts(scene_processor: Any, scene_codes: Path) -> None:
    row = read_codes(scene_codes, "train")[0]
    people = (row["codes"], row["placement_bins"])
    described = scene_processor.training_example("motion-to-text", SENTENCE, *people, parts=row["parts"])
    assert described == scene_processor.training_example("motion-to-text", SENTENCE, *people)
    learnt = scene_processor.training_example("motion-to-text", SENTENCE, *people, learn_motion=True)
    assert learnt["input_ids"] == described["input_ids"]
    motion = scene_processor.vocabulary.codes_to_ids(torch.tensor(row["codes"][0])).tolist()
    [new] = [[label for label, known in zip(learnt["labels"], described["labels"], strict=True) if label != known]]
    assert new == [*motion, scene_processor.vocabulary.end]


def test_shares_of_examples(scene_processor: Any, scene_codes: Path) -> None:
    rows = read_codes(scene_codes, "train")
    start = scene_processor.vocabulary.start

    def examples(**shares: float) -> list[dict[str, Any]]:
        return list(MotionTextExamples(rows, scene_processor, 30, 1, text_to_motion=1.0, **shares))

    def people(example: dict[str, Any]) -> int:
        return example["input_ids"].count(start)

    def told(example: dict[str, Any]) -> bool:
        return start in example["labels"][: example["labels"].index(start) + 1] and example["labels"].count(
            start
        ) == people(example)

    assert all(told(example) and people(example) > 1 for example in examples(with_parts=1.0))
    assert not any(told(example) for example in examples(with_parts=0.0))
    assert all(people(example) == 1 for example in examples(alone=1.0))
    some = sum(people(example) == 1 for example in examples(alone=0.5))
    assert 5 < some < 25
    # Scenes of three walk three times where scenes of two walk once and call once.
    alike, contents = (
        sum(people(example) == 3 for example in examples(alone=0.0, balance=balance)) for balance in (1.0, 0.0)
    )
    assert contents < alike


def test_grammar_of_parts(scene_model: Any) -> None:
    vocabulary = scene_model.motion_vocabulary
    grammar = PartGrammar(vocabulary, [0, 2], 3)
    scores = torch.zeros(1, max(vocabulary.ids) + 1)
    for written, forbidden in ((3, {0, 2, *vocabulary.ids}), (4, {0, 2, *vocabulary.ids} - {vocabulary.start})):
        allowed = grammar(torch.zeros(1, written), scores) == 0
        assert sorted(forbidden) == (~allowed[0]).nonzero().flatten().tolist()


def test_model_says_what_it_then_makes(scene_model: Any, scene_processor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = scene_processor(text=SENTENCE, people=2, duration=2)
    assert "parts" not in inputs
    drawn = scene_model.generate_motion(**inputs, seed=3)
    assert drawn.parts.shape[:2] == (1, 2)
    known = scene_processor.decode_parts(drawn)
    assert len(known) == 1
    assert len(known[0]) == 2
    # Told the same, it makes the same.
    assert torch.equal(scene_model.generate_motion(**inputs, parts=drawn.parts, seed=3).codes, drawn.codes)
    again = scene_model.generate_motion(**inputs, seed=3)
    assert torch.equal(again.parts, drawn.parts)
    monkeypatch.setattr(scene_motionllm, "PART_TEMPERATURE", 1e-6)
    greedy = [scene_model.generate_motion(**inputs, seed=seed).parts[0, 0] for seed in (1, 2)]
    assert torch.equal(*greedy)


def test_given_parts_are_kept(scene_model: Any, scene_processor: Any) -> None:
    texts = [SENTENCE, "three people walk side by side"]
    told = [GIVEN, ["A person  runs forward.", "a person bows", "a person waves"]]
    inputs = scene_processor(text=texts, people=[2, 3], duration=2, parts=told)
    assert inputs["parts"].shape[:2] == (2, 3)
    output = scene_model.generate_motion(**inputs, seed=3, num_return_sequences=2)
    decoded = scene_processor.decode_parts(output)
    assert decoded == [GIVEN, GIVEN, *[["a person runs forward", "a person bows", "a person waves"]] * 2]
    other = scene_model.generate_motion(
        **scene_processor(text=texts, people=[2, 3], duration=2, parts=[GIVEN[::-1], told[1]]),
        seed=3,
        num_return_sequences=2,
    )
    assert not torch.equal(other.codes[0], output.codes[0])
    assert torch.equal(other.codes[2:], output.codes[2:])


def test_the_motion_that_plays_its_part_best_is_kept(scene_model: Any, scene_processor: Any) -> None:
    inputs = scene_processor(text=[SENTENCE, "a scene"], people=2, duration=2, parts=[GIVEN, GIVEN[::-1]])
    wide = {"temperature": 2.0}  # three draws that differ
    best = scene_model.generate_motion(**inputs, processor=scene_processor, num_candidates=3, seed=[5, 90], **wide)
    for row, (seed, parts) in enumerate(((5, GIVEN), (90, GIVEN[::-1]))):
        alone = scene_processor(text=[SENTENCE, "a scene"][row], people=2, duration=2, parts=parts)
        drawn = [
            scene_model.generate_motion(**alone, seed=seed + CANDIDATE_STRIDE * candidate, **wide).codes[0, 0]
            for candidate in range(3)
        ]
        examples = [scene_processor.training_example("motion-to-text", parts[0], codes.tolist()) for codes in drawn]
        scores = [
            float(
                scene_model.label_log_likelihood(
                    torch.tensor([example["input_ids"]]), torch.tensor([example["labels"]])
                )
            )
            for example in examples
        ]
        assert torch.equal(best.codes[row, 0], drawn[int(np.argmax(scores))])
        assert len({tuple(codes.tolist()) for codes in drawn}) == 3


def test_parts_of_given_people_are_chosen_by_their_motions(
    scene_model: Any, scene_processor: Any, scenes_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = read_motions(scenes_folder, "test")[0]["joints"]
    inputs = scene_processor(text=[SENTENCE, "somebody runs"], people=3, given=pair)
    asked: list[tuple[list[str], torch.Tensor]] = []

    def judge(model: Any, processor: Any, sentences: list[str], codes: torch.Tensor) -> torch.Tensor:
        asked.append((sentences, codes))
        return torch.tensor([float(len(sentence)) for sentence in sentences])  # the longest one

    monkeypatch.setattr(scene_motionllm, "sentence_log_likelihood", judge)
    output = scene_model.generate_motion(**inputs, seed=1, num_candidates=2, processor=scene_processor)
    told = scene_processor.decode_parts(output)
    given = scene_model.encode_motion(inputs["motion"]).codes
    for person in range(2):
        parts, codes = asked[person]
        assert torch.equal(codes, given[person].expand(len(parts), -1))
        lengths = torch.tensor([len(part) for part in parts]).reshape(2, -1)
        assert (lengths.amax(-1) > lengths.amin(-1)).all()
        assert [len(scene[person]) for scene in told] == lengths.amax(-1).tolist()
    assert len(asked[2][0]) == 4  # of the third one motions are candidates


def judge_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates are all as likely."""
    monkeypatch.setattr(
        scene_motionllm, "sentence_log_likelihood", lambda model, processor, sentences, codes: torch.zeros(len(codes))
    )


def overlaps_of_two(output: Any) -> np.ndarray:
    """Share of frames (R,) in which the first two people of each scene overlap."""
    joints = features_to_joints(output.features.numpy())
    joints[..., 1] -= joints[..., 1].min(axis=(2, 3), keepdims=True)
    worlds = join_people(joints, output.placements.numpy())
    return np.array([interpenetration_share(world[:2]) for world in worlds])


def test_motions_that_run_into_others_are_not_kept(
    scene_model: Any, scene_processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = torch.tensor([67, 66, 36])  # 0.4 m away
    monkeypatch.setattr(Scene, "draw_places", lambda self, rows, *settings, **more: close.expand(len(rows), 3))
    inputs = scene_processor(text=SENTENCE, people=3, duration=2, parts=[*GIVEN, "a person runs forward"])

    judge_nothing(monkeypatch)

    def overlaps(cost: float = scene_motionllm.OVERLAP_COST) -> np.ndarray:
        monkeypatch.setattr(scene_motionllm, "OVERLAP_COST", cost)
        monkeypatch.setattr(scene_motionllm, "_PLACES", 3 if cost else 1)
        output = scene_model.generate_motion(
            **inputs, num_return_sequences=8, seed=1, num_candidates=4, processor=scene_processor, **AS_LEARNT
        )
        return overlaps_of_two(output)

    first, kept = overlaps(0), overlaps()
    assert first.max() > 0
    assert (kept <= first).all()
    assert (kept < first).any()


def test_who_runs_into_others_starts_elsewhere(
    scene_model: Any, scene_processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, clear, far = (torch.tensor(encode_placements(np.array([0.35, z, 0]))) for z in (0.25, 1.05, 4.05))
    told: list[list[int]] = []
    output_of = Scene.output

    def draw_places(self: Any, rows: list[int], person: int, attempt: int = 0, **settings: Any) -> torch.Tensor:
        return torch.stack([far if attempt else clear if row % 2 else near for row in rows])

    def output(self: Any) -> Any:
        told[:] = self.ids
        return output_of(self)

    monkeypatch.setattr(Scene, "draw_places", draw_places)
    monkeypatch.setattr(Scene, "output", output)
    inputs = scene_processor(text=SENTENCE, people=2, duration=2, parts=GIVEN)
    judge_nothing(monkeypatch)
    scenes = scene_model.generate_motion(
        **inputs, num_return_sequences=16, seed=1, num_candidates=2, processor=scene_processor, **AS_LEARNT
    )
    bins = encode_placements(scenes.placements.numpy())
    assert (overlaps_of_two(scenes) == 0).all()
    assert bins[:, 1, 1].tolist() == [int(far[1]), int(clear[1])] * 8
    prompt = inputs["input_ids"][0].tolist()
    for ids, codes, places in zip(told, scenes.codes.tolist(), bins.tolist(), strict=True):
        # What the model was told of a scene is what came out of it.
        assert ids == [*prompt, *scene_processor._people_ids(codes, places, GIVEN), scene_model.motion_vocabulary.end]


def test_scenes_without_parts_still_work(scene_model: Any, processor_without_parts: Any) -> None:
    inputs = processor_without_parts(text=SENTENCE, people=2, duration=2)
    assert inputs["input_ids"][0, -1] == scene_model.motion_vocabulary.start
    output = scene_model.generate_motion(**inputs, seed=1)
    assert output.parts is None
    assert processor_without_parts.decode_parts(output) == [[]]
    assert output.codes.shape == (1, 2, 10)


def test_bad_input_is_named(
    scene_model: Any, scene_processor: Any, processor_without_parts: Any, processor: Any
) -> None:
    for options, message in (
        ({"people": 2, "parts": GIVEN[:1]}, "1 parts for a scene of 2 people"),
        ({"people": 2, "parts": "a person bows"}, "sentences but parts for"),
        ({"people": 2, "parts": ["a person bows", " "]}, "the text is empty"),
        ({"people": 2, "parts": ["a person bows", "<Motion_3>"]}, "holds motion tokens"),
        ({"people": 2, "parts": ["a person bows", "very " * 400]}, "shorten it to a sentence"),
        ({"parts": GIVEN}, "say how many with people"),
    ):
        with pytest.raises(MotionLLMError, match=message):
            scene_processor(text=[SENTENCE] if isinstance(options["parts"], str) else SENTENCE, **options)
    with pytest.raises(MotionLLMError, match="knows no parts"):
        processor_without_parts(text=SENTENCE, people=2, parts=GIVEN)
    inputs = scene_processor(text=SENTENCE, people=2, duration=1)
    with pytest.raises(MotionLLMError, match="num_candidates is 2; give processor="):
        scene_model.generate_motion(**inputs, num_candidates=2)
    old = processor_without_parts(text=SENTENCE, people=2, duration=1)
    with pytest.raises(MotionLLMError, match="no parts can follow"):
        scene_model.generate_motion(**old, parts=scene_processor(text=SENTENCE, people=2, parts=GIVEN)["parts"])


def test_scenes_that_tell_no_parts_are_learnt_without(
    scene_codes: Path, train_arguments: list[str], tmp_path: Path
) -> None:
    rows = read_codes(scene_codes, "train")
    write_codes(tmp_path, "train", [{**row, "parts": []} for row in rows])
    (tmp_path / "motionllm_codes.json").write_bytes((scene_codes / "motionllm_codes.json").read_bytes())
    given = dict(zip(train_arguments[::2], train_arguments[1::2], strict=True))
    names = {"vq": given["--vq"], "base_model": given["--base_model"]}
    processors = []
    for folder in (tmp_path, scene_codes):
        arguments = ModelArguments(codes=[given["--codes"], str(folder)], **names)
        processors.append(build_model(arguments, read_rows(arguments, "train")[0], seed=0)[2])
    without, told = processors
    assert told.tells_parts
    assert not without.tells_parts
    [example] = MotionTextExamples(rows[:1], without, 1, 0, text_to_motion=1.0)
    assert example["input_ids"].count(without.vocabulary.start) == len(rows[0]["codes"])


def test_interact_tells_and_takes_parts(
    tmp_path: Path, scene_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--model", str(scene_checkpoint), "--duration", "1", "--formats", "npz"]
    assert cli(["interact", SENTENCE, "--parts", *GIVEN, *common, "-o", str(tmp_path / "a")]) == 0
    out = capsys.readouterr().out
    assert "person 1: a person bows\n" in out
    assert "person 2: a person waves with both hands\n" in out
    [path] = (tmp_path / "a").glob("*.npz")
    assert motionllm.Motion.load(path).num_people == 2
    assert cli(["interact", SENTENCE, *common, "-o", str(tmp_path / "b")]) == 0
    assert "person 1: " in capsys.readouterr().out
    [path] = (tmp_path / "b").glob("*.npz")
    made = motionllm.Motion.load(path)
    motionllm.Motion(made.joints[0], model=made.model).save(tmp_path / "given.npz")
    given = ["--given", str(tmp_path / "given.npz"), *common[:2], *common[4:]]
    assert cli(["interact", SENTENCE, *given, "-o", str(tmp_path / "d")]) == 0
    assert "(given)\n" in capsys.readouterr().out
    for wrong, message in (
        (["another one", "--parts", *GIVEN], "--parts is for one scene, but there are 2 sentences"),
        (["--people", "3", "--parts", *GIVEN], "--parts has 2 sentence(s) for 3 people"),
        (["--parts", "a person bows"], "--parts has 1 sentence(s) for 2 people; give one for each"),
    ):
        assert cli(["interact", SENTENCE, *wrong, *common, "-o", str(tmp_path / "c")]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_nobody_starts_where_somebody_stands(
    scene_model: Any, scene_processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = scene_processor(text=SENTENCE, people=3, duration=1)

    def nearest(place_temperature: float = scene_motionllm.PLACE_TEMPERATURE, **options: Any) -> float:
        monkeypatch.setattr(scene_motionllm, "PLACE_TEMPERATURE", place_temperature)
        starts = scene_model.generate_motion(**inputs, num_return_sequences=6, seed=2, **options).placements[..., :2]
        gaps = torch.cdist(starts, starts) + 99 * torch.eye(3)
        return float(gaps.min())

    monkeypatch.setattr(scene_motionllm, "MIN_DISTANCE", 1.9)
    assert nearest(do_sample=False) >= 1.9
    for temperature in (0.3, 3.0):
        assert nearest(temperature) >= 1.9


def test_only_places_too_near_are_ruled_out(scene_model: Any) -> None:
    vocabulary = scene_model.motion_vocabulary.placement
    taken = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]], dtype=torch.float64)
    x, z, heading = vocabulary.families
    scores = torch.zeros(1, heading.stop)
    for bin_x in (10, 64, 69):
        ids = torch.tensor([[5, x[bin_x]]])
        allowed = PlacementGrammar(vocabulary, 1, taken, 0.5)(ids, scores)[0, z.start : z.stop] == 0
        free = PlacementGrammar(vocabulary, 1)(ids, scores)[0, z.start : z.stop] == 0
        places = decode_placements(np.array([[bin_x, bin_z, 0] for bin_z in range(len(z))]))[:, :2]
        near = (np.linalg.norm(places[:, None] - taken[0].numpy(), axis=-1) < 0.5).any(-1)
        assert allowed.tolist() == (~near).tolist()
        assert free.all()
