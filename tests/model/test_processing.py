"""`MotionLLMProcessor`: exact prompts, labels, padding, every kind of bad input, resampling, saving."""

import numpy as np
import pytest
import torch
from conftest import CODEBOOK_SIZE, train_base_tokenizer
from transformers import AutoProcessor

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import joints_to_features, resample_joints
from modeling_motionllm.output_motionllm import MotionGenerationOutput
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.vocabulary_motionllm import motion_token_names
from tokenization.tokenization_motionllm import MotionLLMTokenizer

PREAMBLE = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
)


@pytest.fixture(scope="module")
def paper(tokenizer) -> MotionLLMProcessor:
    return MotionLLMProcessor(tokenizer, prompts="paper", codebook_size=CODEBOOK_SIZE)


def text_of(processor: MotionLLMProcessor, ids: list[int]) -> str:
    return processor.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def parts_of(processor: MotionLLMProcessor, example: dict[str, list[int]]) -> tuple[str, str]:
    """Prompt and target of a training example; the labels must be the target and nothing else."""
    ids, labels = example["input_ids"], example["labels"]
    start = next(index for index, label in enumerate(labels) if label != -100)
    assert labels == [-100] * start + ids[start:]
    return text_of(processor, ids[:start]), text_of(processor, ids[start:])


def test_short_prompts_are_exact(processor):
    def text(caption, num_codes=None):
        return text_of(processor, processor.text_to_motion_ids(caption, num_codes=num_codes))

    assert text("A person  walks\n forward. ") == "<|begin|>a person walks forward\n<Motion>"
    assert text("someone bows", 20) == "<|begin|>someone bows (4.0 s)\n<Motion>"
    assert text("someone bows", 3) == "<|begin|>someone bows (0.6 s)\n<Motion>"
    assert text_of(processor, processor.motion_to_text_ids([2, 0, 31])) == (
        "<|begin|><Motion><Motion_2><Motion_0><Motion_31></Motion>\n"
    )


def test_short_examples_are_exact(processor):
    example = processor.training_example("text-to-motion", "A person bows.", [5, 6])
    assert parts_of(processor, example) == (
        "<|begin|>a person bows\n<Motion>",
        "<Motion_5><Motion_6></Motion><|end|>",
    )
    example = processor.training_example("text-to-motion", "A person bows.", [5, 6], timed=True)
    assert parts_of(processor, example)[0] == "<|begin|>a person bows (0.4 s)\n<Motion>"
    example = processor.training_example("motion-to-text", "A person bows.", [5, 6])
    assert parts_of(processor, example) == (
        "<|begin|><Motion><Motion_5><Motion_6></Motion>\n",
        "a person bows<|end|>",
    )


def test_paper_examples_are_byte_exact(paper):
    example = paper.training_example("text-to-motion", "A person bows.", [5, 6], timed=True)
    assert parts_of(paper, example) == (
        "<|begin|>" + PREAMBLE + "### Instruction:\nGenerate a motion matching the following input human motion "
        "description\n\n### Input:\nA person bows.\n\nResponse: <Motion>",
        "<Motion_5><Motion_6></Motion><|end|>",
    )
    example = paper.training_example("motion-to-text", "A person bows.", [5, 6])
    assert parts_of(paper, example) == (
        "<|begin|>" + PREAMBLE + "### Instruction:\nGenerate a caption matching the following input human motion "
        "token sequence.\n\n### Input:\n<Motion><Motion_5><Motion_6></Motion>\n\nResponse: ",
        "A person bows.<|end|>",
    )


def test_generation_starts_with_the_prompt_of_training(processor):
    for seconds, timed in ((None, False), (0.4, True)):
        prompt = processor(text="A person bows.", duration=seconds)["input_ids"][0].tolist()
        example = processor.training_example("text-to-motion", "a person bows", [5, 6], timed=timed)
        assert example["input_ids"][: len(prompt)] == prompt
        assert example["labels"][len(prompt) - 1 : len(prompt) + 1] == [-100, example["input_ids"][len(prompt)]]


def test_text_begins_once_and_only_where_the_base_does_so(processor):
    bos = processor.tokenizer.bos_token_id
    for task in ("text-to-motion", "motion-to-text"):
        ids = processor.training_example(task, "a person walks", [1, 2])["input_ids"]
        assert ids.count(bos) == 1
        assert ids[0] == bos
    tokenizer = MotionLLMTokenizer.from_base(train_base_tokenizer(add_bos=False), motion_token_names(CODEBOOK_SIZE))
    without = MotionLLMProcessor(tokenizer, codebook_size=CODEBOOK_SIZE)
    ids = without.training_example("text-to-motion", "a person walks", [1, 2])["input_ids"]
    assert tokenizer.bos_token_id not in ids


def test_prompts_tell_their_caption(processor, paper):
    for of, caption in ((processor, "a person {bows} 3 times (2 people)"), (paper, "A person bows.\nTwice.")):
        for text, codes in ((caption, None), (caption, 7), (f"{caption} (4.0 s)", 7)):
            ids = of.text_to_motion_ids(text, num_codes=codes)
            assert of.prompt_caption(ids) == of.normalize_caption(text)
    with pytest.raises(MotionLLMError, match="no prompt of this processor"):
        processor.prompt_caption(processor.motion_to_text_ids([1, 2]))


def test_braces_in_a_caption_are_text(processor):
    ids = processor.text_to_motion_ids("a {caption} with {motion} and {0}")
    assert text_of(processor, ids) == "<|begin|>a {caption} with {motion} and {0}\n<Motion>"


def test_sentences_are_padded_on_the_left(processor):
    texts = ["walk", "a person runs and jumps and turns around"]
    inputs = processor(text=texts, duration=[1, 2.4])
    assert inputs["num_codes"].tolist() == [5, 12]
    for row, (text, count) in enumerate(zip(texts, (5, 12), strict=True)):
        ids = processor.text_to_motion_ids(text, num_codes=count)
        mask = inputs["attention_mask"][row].tolist()
        missing = len(mask) - len(ids)
        assert mask == [0] * missing + [1] * len(ids)
        assert inputs["input_ids"][row].tolist() == [processor.tokenizer.pad_token_id] * missing + ids
    assert "num_codes" not in processor(text=texts)


@pytest.mark.parametrize("seconds,codes", [(0.2, 1), (1, 5), (1.09, 5), (1.11, 6), (10, 50)])
def test_durations_become_codes(processor, seconds, codes):
    assert processor(text="walk", duration=seconds)["num_codes"].tolist() == [codes]
    assert processor(text="walk", duration=np.float32(seconds))["num_codes"].tolist() == [codes]


@pytest.mark.parametrize("text,message", [
    ("", "text is empty"),
    (" \n\t", "text is empty"),
    (".", "holds no words"),
    (" . .. ", "holds no words"),
    ("walk " * 5000, r"\(5000 words\); at most 256"),
    ("a <Motion_3> b", "motion tokens"),
    ("a <Motion>", "motion tokens"),
    ("a </Motion> b", "motion tokens"),
    (["walk", ""], "text is empty"),
    ([], "empty list"),
    (["walk", 3], "int 3"),
])  # fmt: skip
def test_unusable_sentences_are_refused(processor, text, message):
    with pytest.raises(MotionLLMError, match=message):
        processor(text=text)


@pytest.mark.parametrize("seconds", [0, 0.1, 600, -2, float("nan"), float("inf"), [2, 0]])
def test_impossible_durations_are_refused(processor, seconds):
    with pytest.raises(MotionLLMError, match=r"duration of .* is not possible; choose 0\.2 to 10 s"):
        processor(text=["walk", "run"], duration=seconds)


def test_contradictions_are_refused(processor, make_joints):
    with pytest.raises(MotionLLMError, match=r"either text .* or motion"):
        processor()
    with pytest.raises(MotionLLMError, match=r"either text .* or motion"):
        processor(text="walk", motion=make_joints(20))
    with pytest.raises(MotionLLMError, match="2 sentences but 3 durations"):
        processor(text=["walk", "run"], duration=[1, 2, 3])
    with pytest.raises(MotionLLMError, match=r"unknown arguments \['images'\]"):
        processor(text="walk", images=3)
    with pytest.raises(MotionLLMError, match="no task 'dance'"):
        processor.training_example("dance", "walk", [1])
    with pytest.raises(MotionLLMError, match="no prompt preset 'long'; choose from short, paper"):
        MotionLLMProcessor(processor.tokenizer, prompts="long", codebook_size=CODEBOOK_SIZE)
    with pytest.raises(MotionLLMError, match="lacks"):
        MotionLLMProcessor(processor.tokenizer, codebook_size=CODEBOOK_SIZE + 1)


def test_motions_of_any_kind_become_the_same_features(processor, golden):
    clip = golden["dataset-1_byebye_feminine_001"]
    joints, features = clip["joints"], joints_to_features(clip["joints"])
    for motion in (joints, joints.astype(np.float64), features, Motion(joints), Motion(joints[None])):
        found, bins = processor.motion_features(motion)
        np.testing.assert_allclose(found, features[None], atol=1e-6)
        assert bins.tolist() == [[0, 0, 0]]
    assert processor.motion_features(features)[0].dtype == np.float32


def test_motions_are_padded_on_the_right_and_their_prompts_on_the_left(processor, make_joints):
    clips = [make_joints(22), make_joints(50, seed=1)]
    inputs = processor(motion=clips)
    assert inputs["motion"].shape == (2, 49, 263)
    assert inputs["motion_attention_mask"].sum(-1).tolist() == [21, 49]
    assert not inputs["motion"][0, 21:].any()
    np.testing.assert_allclose(inputs["motion"][0, :21], joints_to_features(clips[0]), atol=1e-6)
    places = processor.vocabulary.is_code(inputs["input_ids"]).sum(-1)
    assert places.tolist() == [21 // 4, 49 // 4]
    assert inputs["attention_mask"][0].tolist() == [0] * 7 + [1] * 9  # begin, start, five codes, end, new line


def test_other_frame_rates_are_resampled(processor, make_joints):
    joints = make_joints(61)
    [features], _ = processor.motion_features(Motion(joints, fps=30))
    assert len(features) == 40
    np.testing.assert_allclose(features, joints_to_features(resample_joints(joints, 30, 20)), atol=1e-6)


@pytest.mark.parametrize("make,message", [
    (lambda joints: joints[:, :20], r"shape \(60, 20, 3\)"),
    (lambda joints: joints[:, :21], r"21 joints and the model's skeleton 'humanml3d' 22"),
    (lambda joints: joints.reshape(60, 66), r"features have shape \(60, 66\)"),
    (lambda joints: joints * np.nan, "NaN"),
    (lambda joints: np.full((20, 263), np.inf, np.float32), "NaN or infinite"),
    (lambda joints: np.stack([joints, joints]), "2 people; give one"),
    (lambda joints: np.concatenate([joints] * 4), "too long; cut it to at most 10 s"),
    (lambda joints: joints[:4], "too short: 3 feature frames"),
    (lambda joints: joints[:1], "too short: 0 feature frames"),
    (lambda joints: np.zeros((3, 263), np.float32), "too short: 3"),
    (lambda joints: joints * 0, "share one place"),
    (lambda joints: [], "empty list"),
    (lambda joints: [joints, joints[:2]], "too short"),
])  # fmt: skip
def test_unusable_motions_are_refused(processor, make_joints, make, message):
    with pytest.raises(MotionLLMError, match=message):
        processor(motion=make(make_joints(60)))


def test_decoded_motions_stand_on_the_floor_and_know_what_they_are(processor, golden):
    features = torch.zeros(2, 1, 12, 263)
    features[0, 0] = torch.from_numpy(golden["dataset-1_bye_happy_001"]["features"][:12])
    features[1, 0, :8] = features[0, 0, :8]
    features[0, 0, :, 3] += 0.7  # floats
    codes = torch.tensor([[[4, 5, 6]], [[7, 8, -1]]])
    output = MotionGenerationOutput(codes=codes, features=features, num_people=torch.tensor([1, 1]))
    first, second = processor.decode_motion(output, captions=["one", "two"], seed=3)
    assert (first.num_frames, second.num_frames) == (12, 8)
    assert (first.codes.tolist(), second.codes.tolist()) == ([4, 5, 6], [7, 8])
    assert (first.caption, second.caption, first.seed, first.fps) == ("one", "two", 3, 20.0)
    assert first.joints[..., 1].min() == pytest.approx(0, abs=1e-6)
    assert processor.decode_motion(output)[0].caption is None


def test_captions_are_one_clean_line(processor):
    ids = processor.tokenizer(" a person\n walks  <|end|><|pad|>", return_tensors="pt")["input_ids"]
    assert processor.decode_caption(ids) == ["a person walks"]


@pytest.mark.parametrize("load", [MotionLLMProcessor.from_pretrained, AutoProcessor.from_pretrained])
def test_a_saved_processor_reloads_the_same(load, paper, tmp_path):
    paper.save_pretrained(tmp_path)
    loaded = load(tmp_path)
    for name in (
        "prompts",
        "codebook_size",
        "frames_per_code",
        "fps",
        "max_seconds",
        "max_prompt_tokens",
        "vocabulary",
    ):
        assert getattr(loaded, name) == getattr(paper, name), name
    assert loaded(text="A person walks.")["input_ids"].tolist() == paper(text="A person walks.")["input_ids"].tolist()


def test_a_checkpoint_loads_its_processor(thin_checkpoint, processor):
    loaded = AutoProcessor.from_pretrained(thin_checkpoint)
    assert type(loaded) is MotionLLMProcessor
    assert loaded.vocabulary == processor.vocabulary
    learnt = {name: prompt for name, prompt in processor.prompts.items() if not name.startswith("turn")}
    assert loaded.prompts == learnt  # it has seen no sequences


def test_control_tokens_of_the_base_are_refused(processor):
    token = processor.tokenizer.eos_token
    with pytest.raises(MotionLLMError, match="control token"):
        processor(text=f"a person walks {token} and runs")


def test_codes_are_read_from_a_servers_answer(processor):
    assert processor.parse_codes("<Motion_3><Motion_0> <Motion_31></Motion><|end|>").tolist() == [[3, 0, 31]]
    assert processor.parse_codes(" <Motion><Motion_7>").tolist() == [[7]]
    for answer, message in {
        "": "is no motion",
        "a person walks": "is no motion",
        "<Motion_1> and <Motion_2></Motion>": "is no motion",
        "</Motion>": "is no motion",
        "<Motion_32></Motion>": "code 32 is outside",
    }.items():
        with pytest.raises(MotionLLMError, match=message):
            processor.parse_codes(answer)
