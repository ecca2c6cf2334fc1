"""`tell_people_turns`: several people who do one thing after another, told by a sentence for all of them each time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .decoding_motionllm import MotionModel
from .errors_motionllm import MotionLLMError
from .motion_features import features_to_joints, skeleton_of_features
from .output_motionllm import MotionGenerationOutput
from .placement_motionllm import POSITION_LIMIT, encode_placements, join_people, split_people
from .processing_motionllm import MotionLLMProcessor
from .prompts_motionllm import pad_left, pad_right
from .scene_motionllm import Scene, derived_seed
from .turns_motionllm import TURN, Story, TurnsRequest

__all__ = ["tell_people_turns"]


class _NextTurn(Scene):
    """One more turn of scenes: everybody starts where they are, and goes on from what they did.

    Args:
        stories: what each person of each scene has been told so far.
        places: placement bins (R, P, 3), where they are.
        others: as of `Scene`; `processor` reads the parts.
    """

    def __init__(
        self, *args: Any, stories: list[list[Story]], places: torch.Tensor, processor: MotionLLMProcessor, **others: Any
    ):
        super().__init__(*args, **others, turns=True)
        self.stories, self.places, self.processor = stories, places, processor

    def draw_places(self, rows: list[int], person: int, attempt: int = 0) -> torch.Tensor:
        return self.places[rows, person]

    def motion_prompt(self, row: int, person: int) -> list[int]:
        length = None if self.lengths is None else int(self.lengths[row])
        sentence = part_or_sentence(self, self.processor, row, person)
        story = self.stories[row][person]
        story.ahead = [self.processor.turn_ids(sentence, length)]
        return story.prompt(self.model, self.settings, length)


def part_or_sentence(scene: Scene, processor: MotionLLMProcessor, row: int, person: int) -> str:
    """What a person of a scene does: its part, or the sentence of all where the model said nothing to go by."""
    try:
        return processor.normalize_caption(processor.part_text(scene.parts[row][person], person))
    except MotionLLMError:  # what is drawn can be empty, for one
        return processor.prompt_caption(scene.prompts[row], int(scene.people[row]))


def tell_people_turns(
    model: MotionModel, request: TurnsRequest, people: torch.Tensor, processor: MotionLLMProcessor
) -> MotionGenerationOutput:
    """Scenes in turns. The first turn is the scene that its sentence alone would give.

    In each later one the model says for one person after the other what they do, from the sentence, where everybody is
    and what the people before them do in this turn. Each goes on from their own motion so far, as in `tell_turns`, told
    by their parts; what the others did before is not in their prompt. With candidates the one is kept that plays its
    part best and runs into nobody.

    Args:
        model: writes them.
        request: what is asked for; its prompts are those of scenes and leave room for parts. Without `num_codes` the
            length of each turn is left to its person 1.
        people: int64 (R,).
        processor: of the model.

    Returns:
        R scenes with `segment_ends`; `parts` are those of all turns, `unknown` is the largest of all turns.

    Raises:
        MotionLLMError: prompts without room for parts.
    """
    if bool(model.motion_vocabulary.is_inside(request.input_ids[:, -1]).any()):
        raise MotionLLMError(
            "this model does not say what each person does, so that several cannot go on in turns; make a scene of one "
            "sentence"
        )
    lengths, copies, seeds = request.lengths, request.copies, request.seeds
    shared: dict[str, Any] = {name: getattr(request, name) for name in ("settings", "engine", "options")}
    shared["judge"] = processor if request.settings.num_candidates > 1 else None
    own_lengths = None if lengths is None else lengths[:, 0].repeat_interleave(copies)
    scene = Scene(
        model,
        request.input_ids,
        request.attention_mask,
        copies=copies,
        people=people,
        lengths=own_lengths,
        seeds=seeds,
        **shared,
    )
    told = scene.tell()
    rows = list(range(len(people)))
    stories = [[Story(processor.bos_ids, [], []) for _ in range(int(count))] for count in people]
    parts: list[list[list[int]]] = [[[] for _ in own] for own in stories]
    ends: list[list[int]] = [[] for _ in rows]
    unknown = scene.unknown
    for turn in range(request.turns.shape[1] + 1):
        if turn:
            prompts = [request.later(row // copies)[turn - 1] for row in rows]
            rows = [row for row, prompt in zip(rows, prompts, strict=True) if prompt]
            if not rows:
                break
            inputs = pad_left([prompt for prompt in prompts if prompt], model.motion_vocabulary.end)
            scene = _NextTurn(
                model,
                inputs["input_ids"].to(model.device),
                inputs["attention_mask"].to(model.device),
                copies=1,
                people=people[rows],
                lengths=None if lengths is None else lengths[[row // copies for row in rows], turn],
                seeds=[derived_seed(seeds[row], turn, TURN) for row in rows],
                stories=[stories[row] for row in rows],
                places=_places(model, told.placements, stories, rows),
                processor=processor,
                **shared,
            )
            made = scene.tell()
            if unknown is not None and made.unknown is not None:
                unknown[rows] = torch.maximum(unknown[rows], made.unknown)
        timed = lengths is not None
        for place, row in enumerate(rows):
            for person, story in enumerate(stories[row]):
                codes = scene.codes[place][person].tolist()
                sentence = part_or_sentence(scene, processor, place, person)
                if not turn:
                    ids = processor.text_to_motion_ids(sentence, num_codes=len(codes) if timed else None)
                    story.ahead = [ids[len(processor.bos_ids) :]]
                story.add(codes, model.motion_vocabulary)
                parts[row][person] += processor.part_ids(sentence, person)
            ends[row] = stories[row][0].ends
    most = int(people.max())
    made_codes = pad_right([own[p].codes if p < len(own) else [] for own in stories for p in range(most)], -1)
    said = pad_right([own[p] if p < len(own) else [] for own in parts for p in range(most)], -1)
    return MotionGenerationOutput.of_codes(
        model.motion_vq,
        made_codes.reshape(len(people), most, -1),
        told.placements,
        said.reshape(len(people), most, -1),
        unknown,
        pad_right(ends, -1),
    )


def _places(
    model: MotionModel, placements: torch.Tensor, stories: list[list[Story]], rows: Sequence[int]
) -> torch.Tensor:
    """Placement bins (len(rows), P, 3): where the people of scenes are after what they did, as seen by person 1."""
    most = max(len(stories[row]) for row in rows)
    places = np.zeros((len(rows), most, 3))
    for place, row in enumerate(rows):
        codes = torch.tensor([[story.codes for story in stories[row]]])
        features = MotionGenerationOutput.of_codes(model.motion_vq, codes).features[0].cpu().double()
        joints = features_to_joints(features, skeleton_of_features(features.shape[-1])).numpy()
        world = join_people(joints, placements[row, : len(joints)].cpu().numpy())
        places[place, : len(joints)] = split_people(world[:, -1:])[1]
    # Who is farther away than placements tell is told to be as far as they do; where they are stays what it is.
    places[..., :2] = places[..., :2].clip(0.05 - POSITION_LIMIT, POSITION_LIMIT - 0.05)
    return torch.from_numpy(encode_placements(places))
