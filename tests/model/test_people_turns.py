"""Several people in turns: everybody goes on from what they did, and from where they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import AS_LEARNT
from test_turns import read_prompts

import motionllm
from modeling_motionllm import people_turns_motionllm
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.output_motionllm import MotionGenerationOutput
from modeling_motionllm.placement_motionllm import decode_placements, split_people
from modeling_motionllm.prompts_motionllm import PROMPT_PRESETS

pytest_plugins = ("scene_fixtures",)

TOLD = [["two people walk", "they bow to each other", "both wave"], ["three people walk", "they bow"]]


@pytest.fixture
def processor(scene_processor: Any, tmp_path: Path) -> Any:
    """That of scenes, with the prompts of turns; the weights have not learnt them, which does not matter here."""
    scene_processor.save_pretrained(tmp_path / "turns")
    both = motionllm.MotionLLMProcessor.from_pretrained(tmp_path / "turns")
    both.prompts |= {name: PROMPT_PRESETS["short"][name] for name in ("turn", "turn_timed")}
    return both


@pytest.mark.parametrize("engine", ["fast", "generate"])
def test_people_go_on_in_turns(scene_model: Any, processor: Any, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = processor(text=TOLD, people=[2, 3], duration=[[2, 1, 1.6], [1, 2]])
    seen = read_prompts(monkeypatch)
    output = scene_model.generate_motion(**inputs, processor=processor, seed=[3, 8], engine=engine, people_candidates=2)
    assert output.segment_ends.tolist() == [[10, 15, 23], [5, 15, -1]]
    assert output.attention_mask.sum(-1).tolist() == [[23, 23, 0], [15, 15, 15]]
    two, three = processor.decode_motion(output, TOLD)
    assert two.joints.shape == (2, 92, 22, 3)
    assert three.joints.shape == (3, 60, 22, 3)
    assert [segment.text for segment in two.segments] == TOLD[0]
    assert [segment.end for segment in three.segments] == [1.0, 3.0]
    # What one does goes on from what the same one did, and the others are not in it.
    codes = [[own[own != -1].tolist() for own in scene] for scene in output.codes]
    offset = processor.vocabulary.offset
    told = [[token - offset for token in own if 0 <= token - offset < 32] for request in seen for own in request]
    for scene, end in ((codes[0][:2], 10), (codes[1], 5)):
        for own in scene:
            assert own[:end] in told
    assert codes[0][0][:15] in told
    assert codes[0][0] not in told
    # The first turn is what its sentence alone gives.
    alone = processor(text=TOLD[0][0], people=2, duration=2)
    first = scene_model.generate_motion(**alone, processor=processor, seed=3, engine=engine, people_candidates=2)
    assert first.codes[0].tolist() == [own[:10] for own in codes[0][:2]]
    assert torch.equal(first.placements[0], output.placements[0, :2])
    assert all(
        len(parts) == people and all(parts)
        for parts, people in zip(processor.decode_parts(output), (2, 3), strict=True)
    )
    said = [*processor.part_ids("a person walks", 1), *processor.part_ids("A person bows.", 1), -1]
    assert processor.part_text(said, 1) == "a person walks, then a person bows"


def test_everybody_starts_a_turn_where_they_are(
    scene_model: Any, processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    plain = people_turns_motionllm._places

    def noted(*args: Any) -> torch.Tensor:
        seen.append(plain(*args))
        return seen[-1]

    monkeypatch.setattr(people_turns_motionllm, "_places", noted)
    inputs = processor(text=TOLD[:1], people=2)
    options = AS_LEARNT | {"min_codes": 3, "max_codes": 9}
    output = scene_model.generate_motion(**inputs, processor=processor, seed=0, people_candidates=1, **options)
    ends = output.segment_ends[0].tolist()
    assert len(seen) == len(ends) - 1
    for places, end in zip(seen, ends, strict=False):
        so_far = MotionGenerationOutput.of_codes(scene_model.motion_vq, output.codes[..., :end], output.placements)
        [scene] = processor.decode_motion(so_far, raw=True)
        there = split_people(scene.joints[:, -1:].astype(np.float64))[1]
        found = decode_placements(places[0].numpy())
        assert np.abs(found - there)[1, :2].max() < 0.052
        assert abs(np.remainder(found - there + np.pi, 2 * np.pi) - np.pi)[1, 2] < np.radians(2.6)


def test_people_in_turns_need_a_processor_and_parts(
    scene_model: Any, processor: Any, processor_without_parts: Any
) -> None:
    inputs = processor(text=TOLD, people=[2, 3])
    with pytest.raises(MotionLLMError, match="several people in turns need processor="):
        scene_model.generate_motion(**inputs)
    processor.prompts = {name: text for name, text in processor.prompts.items() if name != "part"}
    inputs = processor(text=TOLD, people=[2, 3])
    with pytest.raises(MotionLLMError, match="does not say what each person does"):
        scene_model.generate_motion(**inputs, processor=processor)
    with pytest.raises(MotionLLMError, match="knows no turns"):
        processor_without_parts(text=TOLD, people=[2, 3])
