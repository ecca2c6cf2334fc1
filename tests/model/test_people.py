"""Scenes of several people: encoding, training, generation, reactions, captions, and the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import AS_LEARNT
from transformers import pipeline

import motionllm
from hub_scripts.cli import main as cli
from hub_scripts.data.codes import read_codes
from hub_scripts.data.store import read_motions
from hub_scripts.training.arguments import ModelArguments
from hub_scripts.training.examples import MotionTextExamples
from hub_scripts.training.model import add_adapter, build_model
from hub_scripts.training.motionllm import read_rows
from modeling_motionllm import scene_motionllm
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.placement_motionllm import decode_placements, encode_placements, split_people
from modeling_motionllm.planted_feet_motionllm import plant_feet

pytest_plugins = ("scene_fixtures",)

SENTENCE = "a person waves with the left hand"


def test_encoding_keeps_everybody(scenes_folder: Path, scene_codes: Path, vq_folder: Path) -> None:
    scenes, rows = read_motions(scenes_folder, "train"), read_codes(scene_codes, "train")
    assert [row["name"] for row in rows] == [scene["name"] for scene in scenes]
    vq = motionllm.MotionVQModel.from_pretrained(vq_folder)
    for scene, row in zip(scenes, rows, strict=True):
        canonical, placements = split_people(scene["joints"])
        assert row["placement_bins"] == encode_placements(placements).tolist()
        for person, codes in zip(canonical, row["codes"], strict=True):
            features = torch.tensor(motionllm.joints_to_features(person))[None]
            assert codes == vq.encode(features.float()).codes[0].tolist()


def test_training_example_is_what_generation_continues(scene_processor: Any, scene_codes: Path) -> None:
    row = read_codes(scene_codes, "train")[1]
    example = scene_processor.training_example(
        "text-to-motion", SENTENCE, row["codes"], row["placement_bins"], timed=True
    )
    vocabulary = scene_processor.vocabulary
    length = len(row["codes"][0])
    prompt = scene_processor.text_to_motion_ids(
        SENTENCE, 3, length, told=False
    )  # without parts; with them see test_parts.py
    ids, labels = example["input_ids"], example["labels"]
    assert ids[: len(prompt)] == prompt
    assert labels[: len(prompt)] == [-100] * len(prompt)
    assert labels[len(prompt) :] == ids[len(prompt) :]
    # Three motions, and a placement before the second and the third.
    rest = ids[len(prompt) :]
    people = []
    for person in range(3):
        if person:
            place, rest = rest[:3], rest[3:]
            assert vocabulary.placement.ids_to_bins(torch.tensor(place)).tolist() == row["placement_bins"][person]
            assert rest.pop(0) == vocabulary.start
        people.append([code - vocabulary.offset for code in rest[:length]])
        assert rest[length] == vocabulary.end
        rest = rest[length + 1 :]
    assert people == row["codes"]
    assert rest == [scene_processor.tokenizer.eos_token_id]


def test_examples_are_the_same_for_the_same_seed(scene_processor: Any, scene_codes: Path) -> None:
    rows = read_codes(scene_codes, "train")
    first, again, other = (list(MotionTextExamples(rows, scene_processor, 12, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    described = [example for example in first if example["labels"][-3] < scene_processor.vocabulary.offset]
    assert 0 < len(described) < 12


def test_clips_and_scenes_share_one_set_in_their_shares(
    scene_processor: Any, scene_codes: Path, codes_folder: Path
) -> None:
    rows = [*read_codes(codes_folder, "train"), *read_codes(scene_codes, "train")]
    examples = MotionTextExamples(rows, scene_processor, 400, 0, scene_share=0.25, text_to_motion=1.0)
    people = [example["input_ids"].count(scene_processor.vocabulary.start) for example in examples]
    assert np.mean(np.array(people) > 1) == pytest.approx(0.25, abs=0.07)
    assert set(people) == {1, 2, 3}


def test_lengths_are_told_without_making_examples(
    scene_processor: Any, scene_codes: Path, codes_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*read_codes(codes_folder, "train"), *read_codes(scene_codes, "train")]
    examples = MotionTextExamples(rows, scene_processor, 50, 0, text_to_motion=1.0, alone=0.5)
    real = [len(example["input_ids"]) for example in examples]
    monkeypatch.setattr(MotionTextExamples, "__getitem__", None)
    assert np.corrcoef(examples.lengths(), real)[0, 1] > 0.9


def test_adapter_of_single_people_is_kept(thin_checkpoint: Path, scene_checkpoint: Path) -> None:
    single = motionllm.MotionLLMForCausalLM.from_pretrained(thin_checkpoint).config
    several = motionllm.MotionLLMForCausalLM.from_pretrained(scene_checkpoint).config
    assert single.placement_token_offset is None
    assert several.placement_token_offset == several.motion_token_offset + several.motion_config.codebook_size
    assert several.text_config.vocab_size >= single.text_config.vocab_size + 328


def test_rows_of_the_earlier_adapter_come_first(thin_checkpoint: Path, scene_codes: Path, train_arguments: Any) -> None:
    given = dict(zip(train_arguments[::2], train_arguments[1::2], strict=True))
    arguments = ModelArguments(
        codes=[given["--codes"], str(scene_codes)],
        vq=given["--vq"],
        base_model=given["--base_model"],
        init_from=str(thin_checkpoint),
    )
    rows, _ = read_rows(arguments, "train")
    model, _, processor = build_model(arguments, rows, seed=0)
    fresh = model.get_input_embeddings().weight[model.motion_vocabulary.placement.ids].clone()
    merged = add_adapter(model, arguments, rows).merge_and_unload()
    before = motionllm.MotionLLMForCausalLM.from_pretrained(thin_checkpoint)
    ids = before.motion_vocabulary.ids
    assert torch.equal(merged.get_input_embeddings().weight[ids], before.get_input_embeddings().weight[ids])
    assert torch.equal(merged.get_input_embeddings().weight[merged.motion_vocabulary.placement.ids], fresh)
    assert processor.max_people == 3


@pytest.mark.parametrize("engine", ["fast", "generate"])
def test_scenes_are_well_formed(scene_model: Any, scene_processor: Any, engine: str) -> None:
    texts = [SENTENCE, "two people walk, and one of them turns"]
    inputs = scene_processor(text=texts, people=[2, 3], duration=[2, 3])
    output = scene_model.generate_motion(**inputs, seed=1, engine=engine)
    assert output.codes.shape == (2, 3, 15)
    assert output.num_people.tolist() == [2, 3]
    assert output.attention_mask.sum(-1).tolist() == [[10, 10, 0], [15, 15, 15]]
    assert (output.placements[:, 0] == 0).all()
    places = output.placements[1, 1:].numpy()
    assert np.allclose(decode_placements(encode_placements(places)), places)
    two, three = scene_processor.decode_motion(output, texts)
    assert two.joints.shape == (2, 40, 22, 3)
    assert three.joints.shape == (3, 60, 22, 3)
    assert three.codes.shape == (3, 15)
    assert two.caption == texts[0]
    assert np.allclose(two.joints[..., 1].min(axis=(1, 2)), 0, atol=1e-5)
    # Decoding puts everybody where the placement says.
    assert np.allclose(three.joints[1:, 0, 0][:, [0, 2]], places[:, :2], atol=1e-5)


def test_engines_agree_and_batches_do_not_matter(scene_model: Any, scene_processor: Any) -> None:
    texts = [SENTENCE, "the person bows slowly"]
    inputs = scene_processor(text=texts, people=2, duration=2)
    fast = scene_model.generate_motion(**inputs, seed=[3, 4], engine="fast")
    slow = scene_model.generate_motion(**inputs, seed=[3, 4], engine="generate")
    assert torch.equal(fast.codes, slow.codes)
    assert torch.equal(fast.placements, slow.placements)
    alone = scene_model.generate_motion(**scene_processor(text=texts[1], people=2, duration=2), seed=4)
    assert torch.equal(alone.codes[0], fast.codes[1])
    assert torch.equal(alone.placements[0], fast.placements[1])


def test_seeds(scene_model: Any, scene_processor: Any) -> None:
    inputs = scene_processor(text=SENTENCE, people=3, duration=2)
    first = scene_model.generate_motion(**inputs, seed=5, num_return_sequences=2)
    again = scene_model.generate_motion(**inputs, seed=[5, 6], num_return_sequences=2)
    assert torch.equal(first.codes, again.codes)
    assert not torch.equal(first.codes[0], first.codes[1])
    greedy = scene_model.generate_motion(**inputs, do_sample=False)
    assert torch.equal(greedy.codes, scene_model.generate_motion(**inputs, do_sample=False, seed=9).codes)
    with pytest.raises(MotionLLMError, match="3 seeds for 2 motions"):
        scene_model.generate_motion(**inputs, seed=[1, 2, 3], num_return_sequences=2)


def test_without_a_duration_person_1_decides(scene_model: Any, scene_processor: Any) -> None:
    inputs = scene_processor(text=[SENTENCE] * 8, people=2)
    output = scene_model.generate_motion(**inputs, seed=0, min_codes=2, max_codes=30, **AS_LEARNT)
    lengths = output.attention_mask.sum(-1)
    assert torch.equal(lengths[:, 0], lengths[:, 1])
    assert len(set(lengths[:, 0].tolist())) > 1


def test_reaction_keeps_the_given_person(
    scene_model: Any, scene_processor: Any, make_joints: Callable[..., np.ndarray]
) -> None:
    given = motionllm.Motion(make_joints(48, seed=3))
    inputs = scene_processor(text=[SENTENCE, "somebody runs"], people=2, given=given)
    assert inputs["num_codes"].tolist() == [11, 11]
    output = scene_model.generate_motion(**inputs, seed=1)
    features = torch.tensor(scene_processor.motion_features(given)[0])[:, :44]
    assert torch.equal(output.codes[0, :1], scene_model.encode_motion(features).codes)
    assert torch.equal(output.codes[0, 0], output.codes[1, 0])
    assert not torch.equal(output.codes[0, 1], output.codes[1, 1])
    scene = scene_processor.decode_motion(output, given=given)[0]
    assert scene.joints.shape == (2, 44, 22, 3)
    own = split_people(given.people)[0]
    assert np.allclose(scene.joints[0], own[0, :44], atol=1e-5)


def test_places_have_a_temperature_of_their_own(
    scene_model: Any, scene_processor: Any, make_joints: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = motionllm.Motion(make_joints(48, seed=3))
    inputs = scene_processor(text=SENTENCE, people=2, given=given)
    monkeypatch.setattr(scene_motionllm, "PART_TEMPERATURE", 1e-6)

    def places(place_temperature: float = scene_motionllm.PLACE_TEMPERATURE, **options: Any) -> list[list[float]]:
        monkeypatch.setattr(scene_motionllm, "PLACE_TEMPERATURE", place_temperature)
        return (
            scene_model.generate_motion(**inputs, num_return_sequences=4, seed=1, **options).placements[:, 1].tolist()
        )

    [likeliest] = {tuple(place) for place in places(do_sample=False)}
    # However warm the motions are, the places are what they are.
    assert {tuple(place) for place in places(1e-6, temperature=2.0)} == {likeliest}
    assert len({tuple(place) for place in places(5.0)}) == 4
    assert places() == places(temperature=0.1) == places(temperature=3.0)


def test_third_person_joins_two(scene_model: Any, scene_processor: Any, scenes_folder: Path) -> None:
    pair = read_motions(scenes_folder, "test")[0]["joints"]
    inputs = scene_processor(text=SENTENCE, people=3, given=pair)
    output = scene_model.generate_motion(**inputs, seed=1)
    starts = split_people(pair)[1]
    assert np.allclose(output.placements[0, 1], decode_placements(encode_placements(starts[1])))
    scene = scene_processor.decode_motion(output, given=pair)[0]
    assert np.allclose(split_people(scene.joints[:2])[1], starts, atol=1e-3)


def test_captions_of_scenes_and_clips_in_one_batch(
    scene_model: Any, scene_processor: Any, scenes_folder: Path, make_joints: Callable[..., np.ndarray]
) -> None:
    scene = read_motions(scenes_folder, "test")[1]["joints"]
    clip = make_joints(30)
    inputs = scene_processor(motion=[scene, clip])
    assert len(inputs["motion"]) == 4
    both = scene_model.generate_caption(**inputs, max_new_tokens=8)
    for row, motion in enumerate((scene, clip)):
        alone = scene_model.generate_caption(**scene_processor(motion=motion), max_new_tokens=8)
        assert scene_processor.decode_caption(alone)[0] == scene_processor.decode_caption(both)[row]
    assert not torch.isin(both, torch.tensor(scene_model.motion_vocabulary.ids)).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"people": 0}, "people is 0; ask for 1 to 3"),
        ({"people": 9}, "people is 9; ask for 1 to 3"),
        ({"people": True}, "people is True; ask for 1 to 3"),
        ({"people": [2, 2]}, "1 sentences but 2 numbers of people"),
        ({"people": 2, "duration": 99}, "a duration of 99 s"),
        ({"people": 2, "given": np.zeros((30, 22, 3)), "duration": 1}, "leave the duration out"),
        ({"people": 2, "given": np.zeros((30, 20, 3))}, "joints have shape"),
        ({"people": 2, "given": np.zeros((30, 21, 3))}, "the motion has 21 joints and the model's skeleton"),
        ({"given": np.zeros((30, 22, 3))}, "say how many with people"),
    ],
)
def test_bad_input_is_named(scene_processor: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(MotionLLMError, match=message):
        scene_processor(text=SENTENCE, **options)


def test_given_motion_must_fit(scene_processor: Any, make_joints: Callable[..., np.ndarray]) -> None:
    joints = make_joints(40)
    with pytest.raises(MotionLLMError, match="has 30 frames per second, 20 are needed"):
        scene_processor(text=SENTENCE, people=2, given=motionllm.Motion(joints, fps=30))
    with pytest.raises(MotionLLMError, match="shows 2 of 2 people"):
        scene_processor(text=SENTENCE, people=2, given=np.stack([joints, joints + np.float32(1)]))
    with pytest.raises(MotionLLMError, match="too short"):
        scene_processor(text=SENTENCE, people=2, given=joints[:3])


def test_model_of_single_people_says_so(model: Any, processor: Any) -> None:
    with pytest.raises(MotionLLMError, match="one person at a time"):
        processor(text=SENTENCE, people=2)
    with pytest.raises(MotionLLMError, match="no placement tokens"):
        model.generate_motion(**processor(text=SENTENCE), num_people=2)


def test_one_person_is_a_scene_of_one(scene_model: Any, scene_processor: Any) -> None:
    alone = scene_processor(text=SENTENCE, people=1, duration=2)
    plain = scene_processor(text=SENTENCE, duration=2)
    assert torch.equal(alone["input_ids"], plain["input_ids"])
    one, same = (scene_model.generate_motion(**inputs, seed=4) for inputs in (alone, plain))
    assert torch.equal(one.codes, same.codes)
    assert one.codes.shape == (1, 1, 10)
    assert one.placements.tolist() == [[[0, 0, 0]]]
    assert one.parts is None
    # Scenes of any size are in one batch, and each is as it would be alone.
    texts = [SENTENCE, "two people bow"]
    for options in ({}, {"num_candidates": 3, "processor": scene_processor}):
        both = scene_model.generate_motion(
            **scene_processor(text=texts, people=[1, 2], duration=2), seed=[4, 9], **options
        )
        single, pair = (
            scene_model.generate_motion(**scene_processor(text=text, people=count, duration=2), seed=seed, **options)
            for text, count, seed in zip(texts, (1, 2), (4, 9), strict=True)
        )
        assert torch.equal(both.codes[0, :1], single.codes[0])
        assert torch.equal(both.codes[1], pair.codes[0])
        assert (both.codes[0, 1] == -1).all()
        assert both.num_people.tolist() == [1, 2]
        motions = scene_processor.decode_motion(both, texts)
        assert [motion.joints.shape for motion in motions] == [(40, 22, 3), (2, 40, 22, 3)]
        parts = scene_processor.decode_parts(both)
        assert [len(told) for told in parts] == [0, 2]


def test_earlier_names_still_work(scene_model: Any, scene_processor: Any) -> None:
    inputs = scene_processor(text=SENTENCE, people=2, duration=1)
    output = scene_model.generate_motion(**inputs, seed=4)
    with pytest.warns(FutureWarning, match="generate_motion"):
        assert torch.equal(scene_model.generate_people(**inputs, seed=4).codes, output.codes)
    with pytest.warns(FutureWarning, match="decode_motion"):
        assert scene_processor.decode_people(output)[0].num_people == 2


def test_interact_writes_scenes(
    tmp_path: Path, scene_checkpoint: Path, capsys: pytest.CaptureFixture[str], make_joints: Callable[..., np.ndarray]
) -> None:
    common = ["--model", str(scene_checkpoint), "--seed", "4", "--formats", "npz,html"]
    command = [SENTENCE, "--people", "3", "--duration", "2", *common]
    assert cli(["generate", *command, "-o", str(tmp_path / "a")]) == 0
    assert capsys.readouterr().err == ""
    assert cli(["interact", *command, "-o", str(tmp_path / "b")]) == 0
    assert capsys.readouterr().err == (
        "motionllm interact is motionllm generate --people 2 now, and goes with the next release\n"
    )
    name = "a-person-waves-with-the-left-hand"
    assert (tmp_path / "a" / f"{name}.npz").read_bytes() == (tmp_path / "b" / f"{name}.npz").read_bytes()
    scene = motionllm.Motion.load(tmp_path / "a" / f"{name}.npz")
    assert scene.joints.shape == (3, 40, 22, 3)
    assert scene.codes is not None and scene.codes.shape == (3, 10)  # noqa: PT018
    assert (tmp_path / "a" / f"{name}.html").is_file()
    motionllm.Motion(make_joints(48), model="random").save(tmp_path / "given.npz")
    assert cli(["interact", SENTENCE, "--given", str(tmp_path / "given.npz"), *common, "-o", str(tmp_path / "c")]) == 0
    assert motionllm.Motion.load(tmp_path / "c" / f"{name}.npz").joints.shape == (2, 44, 22, 3)
    # An untrained model may place people farther apart than placements reach.
    together = scene.joints - scene.joints[:, :1, :1] * np.array([1, 0, 1])
    motionllm.Motion(together, model=scene.model).save(tmp_path / "together.npz")
    assert cli(["caption", "--model", str(scene_checkpoint), str(tmp_path / "together.npz")]) == 0
    capsys.readouterr()
    for wrong, message in (
        (["--people", "0"], "people is 0; ask for 1 to 3"),
        (["--people", "9"], "people is 9; ask for 1 to 3"),
        (["--people", "2", "--dataset-dir", str(tmp_path / "d")], "--dataset-dir is for motions of one person"),
    ):
        assert cli(["interact", SENTENCE, *wrong, *common, "-o", str(tmp_path / "d")]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "d").exists()


def test_interact_plants_the_feet_of_those_it_makes(
    tmp_path: Path, scene_checkpoint: Path, make_joints: Callable[..., np.ndarray], everything_stands: None
) -> None:
    motionllm.Motion(make_joints(48), model="random").save(tmp_path / "given.npz")
    given = ["--given", str(tmp_path / "given.npz")]
    common = ["interact", SENTENCE, "--model", str(scene_checkpoint), "--seed", "4", "--formats", "npz"]
    for name, people, kept in (("new", [], 0), ("given", given, 1)):
        made = {}
        for folder, more in (("plain", []), ("planted", ["--plant-feet"])):
            out = tmp_path / name / folder
            assert cli([*common, *people, *more, "-o", str(out)]) == 0
            [path] = out.glob("*.npz")
            made[folder] = motionllm.Motion.load(path)
        plain, planted = made["plain"].joints, made["planted"].joints
        assert np.array_equal(planted[:kept], plain[:kept])
        np.testing.assert_allclose(planted[kept:], plant_feet(plain[kept:], 20), atol=1e-4)
        assert not np.array_equal(planted, plain)
        assert made["planted"].features is None


def test_pipelines_make_and_describe_scenes(
    scene_checkpoint: Path, scene_model: Any, scene_processor: Any, scenes_folder: Path
) -> None:
    made = pipeline("text-to-motion", model=str(scene_checkpoint), trust_remote_code=True, device="cpu")
    options = {"duration": 1, "seed": 4, "num_candidates": 1}
    scenes = made([SENTENCE, "somebody runs"], people=[2, 3], batch_size=1, **options)
    assert [scene.num_people for scene in scenes] == [2, 3]
    inputs = scene_processor(text=[SENTENCE], people=2, duration=1)
    expected = scene_processor.decode_motion(scene_model.generate_motion(**inputs, seed=4))[0]
    assert np.array_equal(scenes[0].codes, expected.codes)
    described = pipeline("motion-to-text", model=str(scene_checkpoint), trust_remote_code=True, device="cpu")
    joints = [scene["joints"] for scene in read_motions(scenes_folder, "test")]
    assert len(described(joints, max_new_tokens=3)) == 2
