"""`PeopleGenerationMixin`: scenes of several people, one person after another (arXiv 2405.17013, section 3.3)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.utils import ModelOutput

from .collisions_motionllm import interpenetration_share
from .errors_motionllm import MotionLLMError
from .motion_features import features_to_joints
from .placement_motionllm import decode_placements, join_people, stand_on_floor
from .prompts_motionllm import pad_left, pad_right
from .sampling_motionllm import PartGrammar, PlacementGrammar, candidate_seeds, row_seeds, sampling_steps
from .vocabulary_motionllm import MotionVocabulary

__all__ = [
    "MIN_DISTANCE",
    "OVERLAP_COST",
    "PART_TEMPERATURE",
    "PLACE_TEMPERATURE",
    "PeopleGenerationMixin",
    "PeopleGenerationOutput",
]

PART_TEMPERATURE = 0.5
PLACE_TEMPERATURE = 0.3  # places are learnt with neighbouring bins counting too, so at 1 they scatter over metres
MIN_DISTANCE = 0.5  # metres; composed scenes have people 0.65 m apart and more
OVERLAP_COST = 100.0  # nats; a candidate that is in somebody else in a tenth of the frames loses 10
_MOST_PART_TOKENS = 48
_GIVEN_PARTS = 16  # that are drawn for somebody whose motion is given
_PLACES = 3  # that are tried for somebody whose best candidate runs into others
_FARTHEST = 2.0  # metres
PartJudge = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]


@dataclass
class PeopleGenerationOutput(ModelOutput):
    """Args:
    codes: int64 (R, P, L), -1 where padded or where a scene has fewer people; R scenes, all samples of the first
        prompt first.
    attention_mask: bool (R, P, L), True where a code is real.
    features: (R, P, L * frames_per_code, 263) raw features of each person in a frame of its own, 0 where padded.
    placements: float64 (R, P, 3): where each person starts, x and z in metres and heading in radians, in the frame of
        person 1, whose own is 0.
    num_people: int64 (R,).
    parts: int64 (R, P, S) ids of what each person does, as it was told before its motion, -1 where padded;
        `MotionLLMProcessor.decode_parts` makes sentences of them. None from a model that tells no parts.
    """

    codes: torch.Tensor = None  # type: ignore[assignment]
    attention_mask: torch.Tensor = None  # type: ignore[assignment]
    features: torch.Tensor = None  # type: ignore[assignment]
    placements: torch.Tensor = None  # type: ignore[assignment]
    num_people: torch.Tensor = None  # type: ignore[assignment]
    parts: torch.Tensor | None = None


class PeopleGenerationMixin:
    """`generate_people` for a model with `generate_motion`."""

    generate: Any
    generate_motion: Any
    device: Any
    motion_vq: Any
    motion_vocabulary: Any  # a `MotionVocabulary`

    @torch.no_grad()
    def generate_people(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        num_people: torch.Tensor | int = 2,
        num_codes: torch.Tensor | int | None = None,
        motion: torch.Tensor | None = None,
        placement_bins: torch.Tensor | None = None,
        parts: torch.Tensor | None = None,
        *,
        num_samples: int = 1,
        do_sample: bool = True,
        temperature: float = 0.7,
        top_k: int | None = None,
        top_p: float | None = 0.9,
        place_temperature: float = PLACE_TEMPERATURE,
        part_temperature: float = PART_TEMPERATURE,
        min_distance: float = MIN_DISTANCE,
        candidates: int = 1,
        judge: PartJudge | None = None,
        overlap_cost: float = OVERLAP_COST,
        seed: int | Sequence[int] | None = None,
        guidance_scale: float = 1.5,
        repeat_penalty: float = 1.5,
        **kwargs: Any,
    ) -> PeopleGenerationOutput:
        """Scenes for prompts of several people, as `MotionLLMProcessor(text=..., people=...)` makes them.

        Person 1 comes from the sentence; every other one from the sentence, the people before it, and a place that the
        model chooses first. A model that tells parts then says in words what this person does, and makes that motion.
        All people of a scene move equally long.

        Args:
            input_ids: (B, S), padded on the left, ending with `<Motion>`, or before it where parts are to be told.
            attention_mask: (B, S).
            num_people: people of each scene, (B,) or one number.
            num_codes: length of each scene in codes, (B,) or one number; without it person 1 decides.
            motion: raw features (G, T, 263) of the first G people, who are given and the same in every scene; the
                others react to them.
            placement_bins: int64 (G, 3), where these start; the first is not looked at.
            parts: int64 (B, P, S) ids of what each person does, -1 where padded; without it the model says it, and with
                a judge chooses of several for people who are given.
            num_samples: scenes for each prompt, R = B * num_samples, all samples of the first prompt first.
            seed: scene r draws from `seed + r`, or from the r-th of R seeds. None takes one from torch's global random
                state.
            do_sample, temperature, top_k, top_p, guidance_scale, repeat_penalty: of the motions, as in
                `generate_motion`; the defaults were chosen for the shipped checkpoint on validation scenes.
            place_temperature: of the places that are drawn.
            part_temperature: of the parts that are drawn.
            min_distance: metres between the places where two people start, so that nobody is put into another one; 0
                allows any.
            candidates: how many motions are drawn for each person, of which the one is kept that `judge` likes best.
            judge: takes part ids (N, S), -1 where padded, codes (N, L) likewise, and which person it is, and returns
                how well each motion plays its part, (N,) log-probabilities. See `generate_best`.
            overlap_cost: what a candidate loses, in nats, by running into the people before: this times the share of
                frames in which two bodies overlap by more than 2 cm. Where even the best one does, two other places are
                tried with motions of their own. 0 lets people run into each other.
            kwargs: for `generate_motion`: `engine`, `min_codes`, `max_codes`.

        Returns:
            Codes, features and placements; `MotionLLMProcessor.decode_people` makes `Motion`s of them.

        Raises:
            MotionLLMError: a setting out of range, a model without placement tokens, or more people given than asked.
        """
        placements = self.motion_vocabulary.placement
        if placements is None:
            raise MotionLLMError("this model has no placement tokens, so it makes one person at a time")
        if isinstance(num_samples, bool) or not isinstance(num_samples, int) or num_samples < 1:
            raise MotionLLMError(f"num_samples is {num_samples}; give 1 or more")
        rows = len(input_ids) * num_samples
        people = _each(num_people, len(input_ids), num_samples, "num_people")
        lengths = None if num_codes is None else _each(num_codes, len(input_ids), num_samples, "num_codes")
        if int(people.min()) < 1:
            raise MotionLLMError(f"num_people is {int(people.min())}; give 1 or more")
        sampling: dict[str, Any] = {"do_sample": do_sample, "top_k": top_k, "top_p": top_p}
        kwargs |= {"temperature": temperature, "guidance_scale": guidance_scale, "repeat_penalty": repeat_penalty}
        places = {"min_distance": min_distance, "temperature": place_temperature, **sampling}
        scene = _Scene(self, input_ids, attention_mask, num_samples, row_seeds(seed, rows))
        for name, value in (("place_temperature", place_temperature), ("part_temperature", part_temperature)):
            if not value > 0:
                raise MotionLLMError(f"{name} is {value}; give a positive number")
        if not 0 <= min_distance < _FARTHEST:
            raise MotionLLMError(f"min_distance is {min_distance}; give metres from 0 to {_FARTHEST}, such as 0.5")
        if parts is not None and not scene.tells_parts:
            raise MotionLLMError("the prompts end with <Motion>, so no parts can follow; make both with the processor")
        if candidates > 1 and (judge is None or not scene.tells_parts):
            raise MotionLLMError("candidates need a judge and a model that tells parts; use generate_best")
        chooses = judge if candidates > 1 else None
        if not 0 <= overlap_cost < math.inf:
            raise MotionLLMError(f"overlap_cost is {overlap_cost}; give nats from 0 on, such as {OVERLAP_COST:g}")
        given = [] if motion is None else self._given(motion, placement_bins, int(people.min()))
        for person in range(int(people.max())):
            alive = [row for row in range(rows) if int(people[row]) > person]
            if person:
                bins = (
                    given[person][1].expand(rows, 3)
                    if person < len(given)
                    else scene.draw_places(alive, person, **places)
                )
                scene.put_places(alive, person, bins)
            if scene.tells_parts:
                if parts is not None:
                    told = [_real(parts[row // num_samples, person]) for row in alive]
                elif person < len(given) and chooses is not None:
                    told = scene.draw_parts_of(given[person][0], alive, person, chooses, **sampling)
                else:
                    told = scene.draw_parts(alive, person, temperature=part_temperature, **sampling)
                scene.add_parts(alive, told)
            scene.begin_motion(alive, person)
            if person < len(given):
                codes = given[person][0].expand(rows, -1)
                lengths = torch.full((rows,), codes.shape[1])
            else:
                settings = {"lengths": lengths, **sampling, **kwargs}
                if chooses is None:
                    codes = scene.draw_motions(alive, person, **settings)
                else:
                    codes = scene.draw_best(alive, person, candidates, chooses, overlap_cost, places, **settings)
                if lengths is None:
                    lengths = (codes != -1).sum(-1).cpu()
            scene.add_motion(alive, codes)
        return scene.output(people)

    def _given(
        self, motion: torch.Tensor, placement_bins: torch.Tensor | None, fewest: int
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Codes (1, L) and placement bins (3,) of each given person."""
        if len(motion) >= fewest:
            raise MotionLLMError(f"{len(motion)} people are given for a scene of {fewest}; give fewer, or ask for more")
        if placement_bins is None:
            placement_bins = torch.zeros(len(motion), 3, dtype=torch.long)
            if len(motion) > 1:
                raise MotionLLMError("several people are given without placement_bins; use the processor's given=...")
        codes = self.motion_vq.encode(motion.to(self.device)).codes.cpu()
        return [(codes[person : person + 1], placement_bins[person]) for person in range(len(motion))]


def _each(value: torch.Tensor | int, prompts: int, num_samples: int, name: str) -> torch.Tensor:
    """int64 (R,) of one number or one for each prompt."""
    values = torch.as_tensor(value).cpu().reshape(-1)
    if values.numel() not in (1, prompts):
        raise MotionLLMError(f"{name} has {values.numel()} values for {prompts} prompts; give one, or one for each")
    return values.long().expand(prompts).repeat_interleave(num_samples)


def _real(padded: torch.Tensor) -> list[int]:
    """The ids of a row that is padded with -1."""
    return padded[padded != -1].tolist()


def _derived(seed: int, person: int, part: int, attempt: int = 0) -> int:
    """A seed for each person's motion (part 0), place and part, so that no two of them draw the same random numbers."""
    if person == part == attempt == 0:
        return seed
    entropy = [seed, person, part, attempt] if attempt else [seed, person, part]
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@dataclass
class _Candidate:
    """A motion (L,) that was drawn for somebody: how well it does, and its overlap, which is part of that."""

    codes: torch.Tensor
    score: float
    overlap: float


class _Scene:
    """What has been told so far of R scenes: token ids, codes, places and, where prompts leave room for them, parts."""

    def __init__(self, model: Any, input_ids: torch.Tensor, mask: torch.Tensor | None, copies: int, seeds: list[int]):
        self.model, self.seeds = model, seeds
        self.vocabulary: MotionVocabulary = model.motion_vocabulary
        real = torch.ones_like(input_ids) if mask is None else mask
        prompts = [ids[keep.bool()].tolist() for ids, keep in zip(input_ids.cpu(), real.cpu(), strict=True)]
        self.ids = [list(prompt) for prompt in prompts for _ in range(copies)]
        self.codes: list[list[torch.Tensor]] = [[] for _ in seeds]
        self.bins: list[list[torch.Tensor]] = [[] for _ in seeds]
        self.parts: list[list[list[int]]] = [[] for _ in seeds]
        self.told = [len(ids) for ids in self.ids]  # ids before the place of the person whose turn it is
        self.tells_parts = all(prompt[-1] != self.vocabulary.start for prompt in prompts)

    def _inputs(self, ids: list[list[int]]) -> dict[str, torch.Tensor]:
        return {name: tensor.to(self.model.device) for name, tensor in pad_left(ids, self.vocabulary.end).items()}

    def draw_motions(
        self,
        rows: list[int],
        person: int,
        lengths: torch.Tensor | None,
        candidates: int = 1,
        attempt: int = 0,
        **settings: Any,
    ) -> torch.Tensor:
        """Codes (len(rows) * candidates, L) of one more person, -1 where padded; `lengths` are of all R scenes."""
        seeds = candidate_seeds([_derived(self.seeds[row], person, 0, attempt) for row in rows], candidates)
        return self.model.generate_motion(
            **self._inputs([self.ids[row] for row in rows]),
            num_codes=None if lengths is None else lengths[rows].to(self.model.device),
            num_samples=candidates,
            seed=seeds,
            **settings,
        ).codes

    def draw_best(
        self,
        rows: list[int],
        person: int,
        candidates: int,
        judge: PartJudge,
        overlap_cost: float,
        places: dict[str, Any],
        **settings: Any,
    ) -> torch.Tensor:
        """Codes (len(rows), L) of the best of several motions of one more person, -1 where padded.

        Who runs into somebody even so starts from other places as well, and then keeps the best place.
        """

        def draw(some: list[int], attempt: int) -> list[_Candidate]:
            drawn = self.draw_motions(some, person, candidates=candidates, attempt=attempt, **settings)
            told = pad_right([self.parts[row][person] for row in some], -1).repeat_interleave(candidates, dim=0)
            scores = judge(told, drawn, person).cpu().double().reshape(len(some), candidates)
            motions = drawn.reshape(len(some), candidates, -1)
            overlaps = torch.zeros_like(scores)
            if person and overlap_cost:
                overlaps = torch.stack(list(map(self._overlaps, some, motions)))
                scores = scores - overlap_cost * overlaps
            return [
                _Candidate(own[choice], float(score[choice]), float(overlap[choice]))
                for own, score, overlap, choice in zip(motions, scores, overlaps, scores.argmax(-1), strict=True)
            ]

        kept = dict(zip(rows, draw(rows, 0), strict=True))
        for attempt in range(1, _PLACES):
            again = [row for row in rows if kept[row].overlap > 0]
            if not again:
                break
            before = [self.bins[row][-1] for row in again]
            self.put_places(again, person, self.draw_places(again, person, attempt, **places))
            for row, place, other in zip(again, before, draw(again, attempt), strict=True):
                if other.score > kept[row].score:
                    kept[row] = other
                else:
                    self.put_places([row], person, place[None])
        return pad_sequence([kept[row].codes for row in rows], batch_first=True, padding_value=-1)

    def _overlaps(self, row: int, candidates: torch.Tensor) -> torch.Tensor:
        """Share of frames (N,) in which people overlap if the next one moves by each of N candidates (N, L)."""
        others = torch.stack(self.codes[row]).to(candidates.device)
        people = torch.cat([others, candidates[:, : others.shape[1]]])  # beyond lies padding: all move equally long
        features = self.model.motion_vq.decode(people).features.cpu().float()
        joints = stand_on_floor(features_to_joints(features).numpy())
        before = len(self.codes[row])
        placements = np.zeros((before + 1, 3))
        placements[1:] = decode_placements(torch.stack(self.bins[row]).numpy())
        scenes = (join_people(np.stack([*joints[:before], own]), placements) for own in joints[before:])
        return torch.tensor([interpenetration_share(scene) for scene in scenes], dtype=torch.float64)

    def draw_parts_of(
        self, codes: torch.Tensor, rows: list[int], person: int, judge: PartJudge, **sampling: Any
    ) -> list[list[int]]:
        """Ids of what the next person does, who is given as codes (1, L): of many parts the one that it plays best."""
        drawn = self.draw_parts(rows, person, _GIVEN_PARTS, temperature=1.0, **sampling)
        scores = judge(pad_right(drawn, -1), codes.expand(len(drawn), -1), person)
        best = scores.reshape(len(rows), _GIVEN_PARTS).argmax(-1).tolist()
        return [drawn[row * _GIVEN_PARTS + choice] for row, choice in enumerate(best)]

    def draw_parts(
        self,
        rows: list[int],
        person: int,
        candidates: int = 1,
        *,
        do_sample: bool,
        temperature: float,
        top_k: int | None,
        top_p: float | None,
    ) -> list[list[int]]:
        """Ids of what the next person does, `candidates` for each of `rows`."""
        inputs = self._inputs([self.ids[row] for row in rows for _ in range(candidates)])
        length = inputs["input_ids"].shape[1]
        config = self.model.generation_config
        processors: list[LogitsProcessor] = [PartGrammar(self.vocabulary, config.eos_token_id, length)]
        if do_sample:
            seeds = candidate_seeds([_derived(self.seeds[row], person, 2) for row in rows], candidates)
            processors += sampling_steps(seeds, temperature, top_k, top_p, None)
        sequences = self.model.generate(
            **inputs,
            logits_processor=LogitsProcessorList(processors),
            do_sample=False,
            max_new_tokens=_MOST_PART_TOKENS,
            eos_token_id=self.vocabulary.start,
            pad_token_id=self.vocabulary.start,
        )
        return [[token for token in row if token != self.vocabulary.start] for row in sequences[:, length:].tolist()]

    def draw_places(
        self,
        rows: list[int],
        person: int,
        attempt: int = 0,
        *,
        min_distance: float,
        do_sample: bool,
        temperature: float,
        top_k: int | None,
        top_p: float | None,
    ) -> torch.Tensor:
        """Placement bins (len(rows), 3) of the next person."""
        vocabulary = self.vocabulary.placement
        assert vocabulary is not None
        inputs = self._inputs([self.ids[row][: self.told[row]] for row in rows])
        length = inputs["input_ids"].shape[1]
        taken = torch.zeros(len(rows), person, 2, dtype=torch.float64)  # person 1 is the origin
        if person > 1:
            others = torch.stack([torch.stack(self.bins[row][: person - 1]) for row in rows])
            taken[:, 1:] = torch.from_numpy(decode_placements(others.numpy())[..., :2])
        processors: list[LogitsProcessor] = [PlacementGrammar(vocabulary, length, taken, min_distance)]
        if do_sample:
            seeds = [_derived(self.seeds[row], person, 1, attempt) for row in rows]
            processors += sampling_steps(seeds, temperature, top_k, top_p, torch.tensor(vocabulary.ids))
        sequences = self.model.generate(
            **inputs,
            logits_processor=LogitsProcessorList(processors),
            do_sample=False,
            max_new_tokens=3,
            pad_token_id=self.vocabulary.end,
        )
        return vocabulary.ids_to_bins(sequences[:, length:]).cpu()

    def put_places(self, rows: list[int], person: int, bins: torch.Tensor) -> None:
        """Tell where the person starts whose turn it is, or tell it anew."""
        vocabulary = self.vocabulary.placement
        assert vocabulary is not None
        for row, place in zip(rows, bins, strict=True):
            self.bins[row][person - 1 :] = [place]
            start = self.told[row]
            self.ids[row][start : start + 3] = vocabulary.bins_to_ids(place).tolist()

    def add_parts(self, rows: list[int], parts: list[list[int]]) -> None:
        """Tell what the next person does."""
        for row, part in zip(rows, parts, strict=True):
            self.parts[row].append(part)
            self.ids[row] += part

    def begin_motion(self, rows: list[int], person: int) -> None:
        """The `<Motion>` of the next person, where the prompt does not end with it."""
        if person or self.tells_parts:
            for row in rows:
                self.ids[row].append(self.vocabulary.start)

    def add_motion(self, rows: list[int], codes: torch.Tensor) -> None:
        """Tell how the person moves, up to its `</Motion>`."""
        for row, person in zip(rows, codes.cpu(), strict=True):
            own = person[person != -1]
            self.codes[row].append(own)
            self.ids[row] += [*self.vocabulary.codes_to_ids(own).tolist(), self.vocabulary.end]
            self.told[row] = len(self.ids[row])

    def output(self, people: torch.Tensor) -> PeopleGenerationOutput:
        """The finished scenes; the end of the last motion has been told like every other's."""
        device, most = self.model.device, int(people.max())
        longest = max(len(codes) for scene in self.codes for codes in scene)
        codes = torch.full((len(people), most, longest), -1)
        placements = torch.zeros(len(people), most, 3, dtype=torch.float64)
        for row, scene in enumerate(self.codes):
            for person, own in enumerate(scene):
                codes[row, person, : len(own)] = own
            if self.bins[row]:
                placements[row, 1 : len(scene)] = torch.tensor(decode_placements(torch.stack(self.bins[row]).numpy()))
        codes = codes.to(device)
        mask = codes != -1
        there = mask.any(-1)
        frames = self.model.motion_vq.decode(codes[there], mask[there]).features
        features = frames.new_zeros(*there.shape, *frames.shape[1:])
        features[there] = frames
        parts = None
        if self.tells_parts:
            told = [scene[person] if person < len(scene) else [] for scene in self.parts for person in range(most)]
            parts = pad_right(told, -1).reshape(len(people), most, -1).to(device)
        return PeopleGenerationOutput(
            codes=codes, attention_mask=mask, features=features, placements=placements, num_people=people, parts=parts
        )
