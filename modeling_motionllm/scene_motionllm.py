"""`Scene`: what has been told so far of scenes, one person after another (arXiv 2405.17013, section 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import LogitsProcessor

from .candidates_motionllm import sentence_log_likelihood
from .collisions_motionllm import interpenetration_share
from .decoding_motionllm import MotionEngine, MotionModel, MotionRequest, check_prompts, decode_codes
from .motion_features import features_to_joints
from .output_motionllm import MotionGenerationOutput
from .placement_motionllm import decode_placements, join_people, stand_on_floor
from .processing_motionllm import MotionLLMProcessor
from .prompt_memory_motionllm import PromptMemory
from .prompts_motionllm import pad_left, pad_right
from .sampling_motionllm import PartGrammar, PlacementGrammar, candidate_seeds, sampling_steps
from .settings_motionllm import MotionSettings
from .writing_motionllm import write_tokens

__all__ = ["MIN_DISTANCE", "OVERLAP_COST", "PART_TEMPERATURE", "PLACE_TEMPERATURE", "Scene", "derived_seed"]

PART_TEMPERATURE = 0.5
PLACE_TEMPERATURE = 0.3  # places are learnt with neighbouring bins counting too, so at 1 they scatter over metres
MIN_DISTANCE = 0.5  # metres; composed scenes have people 0.65 m apart and more
OVERLAP_COST = 100.0  # nats; a candidate that is in somebody else in a tenth of the frames loses 10
_HELD_COST = 1.0  # nats that a candidate loses for each code by which it holds one longer than recorded motion does
_MOST_PART_TOKENS = 48
_GIVEN_PARTS = 16  # that are drawn for somebody whose motion is given
_PLACES = 3  # that are tried for somebody whose best candidate runs into others


@dataclass
class _Candidate:
    """A motion (L,) that was drawn for somebody: how well it does, and its overlap, which is part of that."""

    codes: torch.Tensor
    score: float
    overlap: float


class Scene:
    """The running state of R scenes: token ids, codes, places and, where prompts leave room for them, parts.

    Args:
        model: writes them.
        input_ids, attention_mask: (B, S) prompts, padded on the left.
        copies: scenes of each prompt, R = B * copies.
        people: int64 (R,), people of each scene.
        lengths: int64 (R,), codes of each person; None where the first person decides.
        seeds: of the R scenes.
        settings: how to draw.
        engine, options: of the motions, see `choose_decoder`.
        judge: the model's processor, where the best of several candidates for each person is kept.
        turns: the prompts hold earlier turns of the first person.

    Raises:
        MotionLLMError: prompts that are none.
    """

    def __init__(
        self,
        model: MotionModel,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        *,
        copies: int,
        people: torch.Tensor,
        lengths: torch.Tensor | None,
        seeds: Sequence[int],
        settings: MotionSettings,
        engine: str | MotionEngine = "auto",
        options: dict[str, Any] | None = None,
        judge: MotionLLMProcessor | None = None,
        turns: bool = False,
    ):
        check_prompts(input_ids, attention_mask)
        self.turns = turns
        self.model, self.people, self.lengths, self.seeds = model, people, lengths, seeds
        self.settings, self.engine, self.options, self.judge = settings, engine, options or {}, judge
        self.vocabulary, self.memory = model.motion_vocabulary, PromptMemory()
        real = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        prompts = [ids[keep.bool()].tolist() for ids, keep in zip(input_ids.cpu(), real.cpu(), strict=True)]
        self.prompts = [prompt for prompt in prompts for _ in range(copies)]
        self.ids = [list(prompt) for prompt in self.prompts]
        self.codes: list[list[torch.Tensor]] = [[] for _ in seeds]
        self.bins: list[list[torch.Tensor]] = [[] for _ in seeds]
        self.parts: list[list[list[int]]] = [[] for _ in seeds]
        self.unknown: torch.Tensor | None = None  # float32 (R,), once the motion of person 1 is drawn
        self.told = [len(ids) for ids in self.ids]  # ids before the place of the person whose turn it is
        # A prompt that ends before <Motion> leaves room for parts.
        self.tells_parts = [not self.vocabulary.is_inside(torch.tensor(prompt[-1])) for prompt in self.prompts]

    def tell(
        self,
        given: Sequence[tuple[torch.Tensor, torch.Tensor]] = (),
        parts: Sequence[Sequence[list[int]]] | None = None,
    ) -> MotionGenerationOutput:
        """Tell all people, one after another.

        Args:
            given: codes (1, L) and placement bins (3,) of the first people, the same in every scene.
            parts: ids of what each person of each scene does; None leaves it to the model.
        """
        for person in range(int(self.people.max())):
            rows = [row for row in range(len(self.ids)) if int(self.people[row]) > person]
            known = given[person] if person < len(given) else None
            if person:
                places = self.draw_places(rows, person) if known is None else known[1].expand(len(rows), 3)
                self.put_places(rows, person, places)
            telling = [row for row in rows if self.tells_parts[row]]
            if telling:
                if parts is not None:
                    told = [parts[row][person] for row in telling]
                elif known is not None and self.judge is not None:
                    told = self.draw_parts_of(known[0], telling, person)
                else:
                    told = self.draw_parts(telling, person)
                self.add_parts(telling, told)
            self.begin_motion(rows, person)
            if known is not None:
                self.add_motion(rows, known[0].expand(len(rows), -1))
                self.lengths = torch.full((len(self.ids),), known[0].shape[1])
                continue
            codes = self.draw_motions(rows, person) if self.judge is None else self.draw_best(rows, person)
            self.add_motion(rows, codes)
            if self.lengths is None:
                self.lengths = (codes != -1).sum(-1).cpu()
        return self.output()

    def _inputs(self, ids: list[list[int]]) -> dict[str, torch.Tensor]:
        return {name: tensor.to(self.model.device) for name, tensor in pad_left(ids, self.vocabulary.end).items()}

    def _write(self, inputs: dict[str, torch.Tensor], processors: list[LogitsProcessor], **ends: Any) -> torch.Tensor:
        """New ids (N, S) that the model writes under the processors."""
        ids, mask, plain = inputs["input_ids"], inputs["attention_mask"], self.engine == "generate"
        return write_tokens(self.model, ids, mask, processors, memory=self.memory, plain=plain, **ends)

    def _sampling(
        self, seeds: Sequence[int], temperature: float, ids: list[int] | None = None
    ) -> list[LogitsProcessor]:
        """The processors that draw, if any, at a temperature of their own."""
        if not self.settings.do_sample:
            return []
        candidates = None if ids is None else torch.tensor(ids)
        return sampling_steps(seeds, temperature, self.settings.top_k, self.settings.top_p, candidates)

    def motion_prompt(self, row: int, person: int) -> list[int]:
        """Ids that the motion of one more person follows on."""
        return self.ids[row]

    def draw_motions(self, rows: list[int], person: int, attempt: int = 0) -> torch.Tensor:
        """Codes (len(rows) * candidates, L) of one more person, -1 where padded."""
        candidates = 1 if self.judge is None else self.settings.num_candidates
        seeds = [derived_seed(self.seeds[row], person, 0, attempt) for row in rows]
        ids = [self.motion_prompt(row, person) for row in rows]
        lengths = None if self.lengths is None else self.lengths[rows].to(self.model.device)
        # What was told alike is read once: nothing but the prompt, as a rule.
        each = _run_length(ids)
        inputs = self._inputs(ids[::each])
        request = MotionRequest(
            inputs["input_ids"],
            inputs["attention_mask"],
            None if lengths is None else lengths.repeat_interleave(candidates),
            self.settings,
            candidate_seeds(seeds, candidates),
            self.vocabulary,
            each * candidates,
            self.turns,
            self.memory,
        )
        codes = decode_codes(self.model, request, self.engine, self.options)
        if person == 0 and request.unknown is not None:
            self.unknown = request.unknown[::candidates].clone().cpu()
        return codes

    def draw_best(self, rows: list[int], person: int) -> torch.Tensor:
        """Codes (len(rows), L) of the best of several motions of one more person, -1 where padded.

        Who runs into somebody even so starts from other places as well, and then keeps the best place.
        """

        def draw(some: list[int], attempt: int) -> list[_Candidate]:
            drawn = self.draw_motions(some, person, attempt)
            scores = self._scores([self._sentence(row, person) for row in some], drawn)
            motions = drawn.reshape(*scores.shape, -1)
            overlaps = torch.zeros_like(scores)
            if person:
                overlaps = torch.stack(list(map(self._overlaps, some, motions)))
                scores = scores - OVERLAP_COST * overlaps
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
            self.put_places(again, person, self.draw_places(again, person, attempt))
            for row, place, other in zip(again, before, draw(again, attempt), strict=True):
                if other.score > kept[row].score:
                    kept[row] = other
                else:
                    self.put_places([row], person, place[None])
        return pad_sequence([kept[row].codes for row in rows], batch_first=True, padding_value=-1)

    def _sentence(self, row: int, person: int) -> str:
        """What a person of a scene is to do, in words."""
        assert self.judge is not None
        if self.tells_parts[row]:
            return self.judge.part_text(self.parts[row][person], person)
        return self.judge.prompt_caption(self.prompts[row])

    def _scores(self, sentences: list[str], codes: torch.Tensor) -> torch.Tensor:
        """How well motions (N * C, L) play N sentences, float64 (N, C)."""
        assert self.judge is not None
        count = len(codes) // len(sentences)
        each = [sentence for sentence in sentences for _ in range(count)]
        scores = sentence_log_likelihood(self.model, self.judge, each, codes).double()
        if self.settings.max_held_codes is not None:
            scores -= _HELD_COST * (longest_held(codes).cpu() - self.settings.max_held_codes).clamp_min(0)
        return scores.reshape(len(sentences), count)

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

    def draw_parts_of(self, codes: torch.Tensor, rows: list[int], person: int) -> list[list[int]]:
        """Ids of what the next person does, who is given as codes (1, L): of many parts the one that it plays best."""
        assert self.judge is not None
        drawn = self.draw_parts(rows, person, _GIVEN_PARTS, 1.0)
        sentences = [self.judge.part_text(part, person) for part in drawn]
        scores = sentence_log_likelihood(self.model, self.judge, sentences, codes.expand(len(drawn), -1))
        best = scores.reshape(len(rows), _GIVEN_PARTS).argmax(-1).tolist()
        return [drawn[row * _GIVEN_PARTS + choice] for row, choice in enumerate(best)]

    def draw_parts(
        self, rows: list[int], person: int, count: int = 1, temperature: float | None = None
    ) -> list[list[int]]:
        """Ids of what the next person does, `count` for each of `rows`."""
        inputs = self._inputs([self.ids[row] for row in rows])
        start, eos = self.vocabulary.start, self.model.generation_config.eos_token_id
        seeds = candidate_seeds([derived_seed(self.seeds[row], person, 2) for row in rows], count)
        grammar = PartGrammar(self.vocabulary, eos, inputs["input_ids"].shape[1])
        processors = [grammar, *self._sampling(seeds, temperature or PART_TEMPERATURE)]
        ends = {"max_new_tokens": _MOST_PART_TOKENS, "eos_token_id": start, "pad_token_id": start, "copies": count}
        return [[token for token in row if token != start] for row in self._write(inputs, processors, **ends).tolist()]

    def draw_places(self, rows: list[int], person: int, attempt: int = 0) -> torch.Tensor:
        """Placement bins (len(rows), 3) of the next person."""
        vocabulary = self.vocabulary.placement
        assert vocabulary is not None
        inputs = self._inputs([self.ids[row][: self.told[row]] for row in rows])
        taken = torch.zeros(len(rows), person, 2, dtype=torch.float64)  # person 1 is the origin
        if person > 1:
            others = torch.stack([torch.stack(self.bins[row][: person - 1]) for row in rows])
            taken[:, 1:] = torch.from_numpy(decode_placements(others.numpy())[..., :2])
        seeds = [derived_seed(self.seeds[row], person, 1, attempt) for row in rows]
        processors = [
            PlacementGrammar(vocabulary, inputs["input_ids"].shape[1], taken, MIN_DISTANCE),
            *self._sampling(seeds, PLACE_TEMPERATURE, vocabulary.ids),
        ]
        return vocabulary.ids_to_bins(
            self._write(inputs, processors, max_new_tokens=3, pad_token_id=self.vocabulary.end)
        ).cpu()

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
        for row in rows:
            if person or self.tells_parts[row]:
                self.ids[row].append(self.vocabulary.start)

    def add_motion(self, rows: list[int], codes: torch.Tensor) -> None:
        """Tell how the person moves, up to its `</Motion>`."""
        for row, person in zip(rows, codes.cpu(), strict=True):
            own = person[person != -1]
            self.codes[row].append(own)
            self.ids[row] += [*self.vocabulary.codes_to_ids(own).tolist(), self.vocabulary.end]
            self.told[row] = len(self.ids[row])

    def output(self) -> MotionGenerationOutput:
        """The finished scenes; the end of the last motion has been told like every other's."""
        most = int(self.people.max())
        longest = max(len(codes) for scene in self.codes for codes in scene)
        codes = torch.full((len(self.codes), most, longest), -1)
        placements = torch.zeros(len(self.codes), most, 3, dtype=torch.float64)
        for row, scene in enumerate(self.codes):
            for person, own in enumerate(scene):
                codes[row, person, : len(own)] = own
            if self.bins[row]:
                placements[row, 1 : len(scene)] = torch.tensor(decode_placements(torch.stack(self.bins[row]).numpy()))
        parts = None
        if any(self.tells_parts):
            told = [scene[person] if person < len(scene) else [] for scene in self.parts for person in range(most)]
            parts = pad_right(told, -1).reshape(len(self.codes), most, -1).to(self.model.device)
        return MotionGenerationOutput.of_codes(self.model.motion_vq, codes, placements, parts, self.unknown)


def longest_held(codes: torch.Tensor) -> torch.Tensor:
    """How many times in a row each motion (N, L), -1 where padded, has the same code at most; int64 (N,)."""
    longest = run = torch.ones_like(codes[:, 0])
    for place in range(1, codes.shape[1]):
        same = (codes[:, place] == codes[:, place - 1]) & (codes[:, place] != -1)
        run = torch.where(same, run + 1, 1)
        longest = torch.maximum(longest, run)
    return longest


def _run_length(ids: Sequence[list[int]]) -> int:
    """The number n for which every n rows, from the first on, are equal; the largest."""
    runs, last = [], None
    for row in ids:
        if row == last:
            runs[-1] += 1
        else:
            runs.append(1)
        last = row
    return runs[0] if len(set(runs)) == 1 else 1


def derived_seed(seed: int, person: int, part: int, attempt: int = 0) -> int:
    """A seed for each person's motion (part 0), place (1) and part (2), and for each turn of one person (3), so that no
    two of them draw the same random numbers."""
    if person == part == attempt == 0:
        return seed
    entropy = [seed, person, part, attempt] if attempt else [seed, person, part]
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))
