"""`tell_turns`: one person does one thing after another, each turn told by a sentence and gone on to from the last;
and `stream_turns`, which shows it while it is told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from .decoding_motionllm import MotionEngine, MotionModel, MotionRequest, check_prompts
from .errors_motionllm import MotionLLMError
from .output_motionllm import MotionGenerationOutput
from .processing_motionllm import MotionLLMProcessor
from .prompts_motionllm import pad_left, pad_right
from .scene_motionllm import Scene, derived_seed
from .settings_motionllm import MotionSettings
from .streaming_motionllm import ENDED, NOTHING, code_steps, one_person, request_steps, stream_features
from .vocabulary_motionllm import MotionVocabulary

__all__ = ["TURN", "Story", "Turn", "TurnsRequest", "stream_turns", "tell_turns"]

_ROWS = 32  # that are drawn at once, where turns are drawn without context
_LEAST_SECONDS = 4.0  # of the motion so far that every turn sees, if there is that much
TURN = 3  # the part of `derived_seed`


@dataclass(frozen=True, eq=False)
class TurnsRequest:
    """Motions that are asked for in turns.

    Args:
        input_ids, attention_mask: (B, S) prompts of the first turns, padded on the left. Earlier turns that they hold
            (prompt, codes, `</Motion>`) are gone on from, and are no part of the output.
        turns: int64 (B, N - 1, S), prompts of the others, -1 where padded.
        num_codes: codes of each turn, (B, N), (B,) for all turns of a motion, or one number; None leaves it to the
            model.
        copies: motions for each prompt, R = B * copies.
        seeds: of the R motions; each turn after the first draws from a seed of its own that follows from it.
        settings: how to draw.
        engine, options: as in `choose_decoder`.

    Raises:
        MotionLLMError: prompts or lengths that do not fit together.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor | None
    turns: torch.Tensor
    num_codes: torch.Tensor | None
    copies: int
    seeds: Sequence[int]
    settings: MotionSettings
    engine: str | MotionEngine
    options: dict[str, Any]
    lengths: torch.Tensor | None = field(init=False)  # int64 (B, N) codes of each turn

    def __post_init__(self) -> None:
        check_prompts(self.input_ids, self.attention_mask)
        prompts = len(self.input_ids)
        if self.turns.ndim != 3 or len(self.turns) != prompts:
            raise MotionLLMError(
                f"turns have shape {tuple(self.turns.shape)} for {prompts} prompts; make both with the processor"
            )
        object.__setattr__(self, "lengths", _turn_lengths(self.num_codes, prompts, self.turns.shape[1] + 1))

    def later(self, row: int) -> list[list[int]]:
        """Ids of the prompts of all turns but the first of one of the B prompts; of those that it has not, none."""
        return [[token for token in turn if token != -1] for turn in self.turns[row].tolist()]


@dataclass
class Turn:
    """A turn that was told: ids of its prompt, up to `<Motion>`, and of its codes with `</Motion>`."""

    prompt: list[int]
    motion: list[int]


@dataclass
class Story:
    """What one motion has been told so far, and what is still to be told.

    Args:
        bos: the begin-of-text token, or nothing.
        told: the turns so far; those that the first prompt held are not of this motion.
        ahead: prompts of the turns to come.
    """

    bos: list[int]
    told: list[Turn]
    ahead: list[list[int]]
    codes: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def prompt(self, model: MotionModel, settings: MotionSettings, length: int | None, later: int = 0) -> list[int]:
        """Ids that ask for the next turn: what was told so far, as far as it fits, and its prompt.

        Args:
            model: that is asked.
            settings: how to draw.
            length: codes of the turn, None where the model ends it.
            later: turns after it, where turns are drawn without context: asks for that one.
        """
        if later or (not settings.turn_context and self.ends):  # what was given is gone on from even so
            return [*self.bos, *self.ahead[later]]
        config, most = model.config.motion_config, settings.max_codes
        least = round(_LEAST_SECONDS * config.fps / config.frames_per_code) + 1  # with `</Motion>`
        context = getattr(model.config.text_config, "max_position_embeddings", None) or 10**9
        room = most - (most // 2 if length is None else length)
        return self._window(least, max(room, least), context - (most if length is None else length) - 1)

    def _window(self, least: int, room: int, tokens: int) -> list[int]:
        """The last turns that fit and the prompt of the next one; whole turns, but for the last `least` codes.

        Args:
            least: codes that are kept whatever the others are.
            room: codes that there is room for.
            tokens: ids that there is room for.
        """
        kept: list[list[int]] = []
        count = 0
        for turn in reversed(self.told):
            motion = turn.motion
            if count + len(motion) > room:
                if count >= least:
                    break
                motion = motion[-(least - count) :]
            kept.insert(0, [*turn.prompt, *motion])
            count += len(motion)
            if len(motion) < len(turn.motion):
                break
        while kept and len(self.bos) + sum(map(len, kept)) + len(self.ahead[0]) > tokens:
            kept.pop(0)
        return [*self.bos, *(token for one in kept for token in one), *self.ahead[0]]

    def add(self, codes: list[int], vocabulary: MotionVocabulary) -> None:
        """Tell the codes of the turn whose turn it is."""
        ids = [vocabulary.offset + code for code in codes]
        self.told.append(Turn(self.ahead.pop(0), [*ids, vocabulary.end]))
        self.codes += codes
        self.ends.append(len(self.codes))


@dataclass(frozen=True)
class _Asked:
    """The next turn of the motions that have one, or the next few turns where none hangs on another.

    Args:
        rows: of all motions, those whose turn it is, turn after turn.
        turns: how many turns that are.
        inputs: `input_ids` and `attention_mask` of their prompts.
        lengths: int64 (len(rows),) codes, or None.
        seeds: of each.
    """

    rows: list[int]
    turns: int
    inputs: dict[str, torch.Tensor]
    lengths: torch.Tensor | None
    seeds: list[int]


class _Telling:
    """R motions of one person that are told turn by turn."""

    def __init__(self, model: MotionModel, request: TurnsRequest):
        self.model, self.vocabulary, self.settings = model, model.motion_vocabulary, request.settings
        bos = getattr(model.config.text_config, "bos_token_id", None)
        self.lengths, self.copies, self.seeds, self.turn = request.lengths, request.copies, request.seeds, 0
        input_ids, mask = request.input_ids, request.attention_mask
        real = torch.ones_like(input_ids) if mask is None else mask
        self.stories: list[Story] = []
        for row, (ids, keep) in enumerate(zip(input_ids.cpu(), real.cpu(), strict=True)):
            later = [turn for turn in request.later(row) if turn]
            for _ in range(self.copies):
                self.stories.append(_story(ids[keep.bool()].tolist(), later, self.vocabulary, bos))
        self.unknown = [0.0] * len(self.stories)

    def ask(self, at_once: int = 1) -> _Asked | None:
        """The next turn; None where everything is told.

        Args:
            at_once: rows, up to which the turns after it are asked for too, where each is drawn by itself.
        """
        rows = [row for row, story in enumerate(self.stories) if story.ahead]
        if not rows:
            return None
        apart = not self.settings.turn_context and all(story.ends or not story.told for story in self.stories)
        turns = max(1, at_once // len(rows)) if apart else 1
        asked = [(row, turn) for turn in range(turns) for row in rows if turn < len(self.stories[row].ahead)]
        wanted = None
        if self.lengths is not None:
            wanted = torch.stack([self.lengths[row // self.copies, self.turn + turn] for row, turn in asked])
            for length, (_, turn) in zip(wanted.tolist(), asked, strict=True):
                if length < 1:
                    raise MotionLLMError(
                        f"turn {self.turn + turn + 1} has {length} codes; give at least one for each turn"
                    )
        prompts = [
            self.stories[row].prompt(self.model, self.settings, None if wanted is None else int(wanted[place]), turn)
            for place, (row, turn) in enumerate(asked)
        ]
        inputs = {name: ids.to(self.model.device) for name, ids in pad_left(prompts, self.vocabulary.end).items()}
        numbers = [(self.seeds[row], self.turn + turn) for row, turn in asked]
        seeds = [seed if number == 0 else derived_seed(seed, number, TURN) for seed, number in numbers]
        return _Asked([row for row, _ in asked], turns, inputs, wanted, seeds)

    def add(self, asked: _Asked, codes: Sequence[Sequence[int]], unknown: torch.Tensor | None) -> None:
        """Tell the codes of the turns that were asked for."""
        for place, (row, own) in enumerate(zip(asked.rows, codes, strict=True)):
            self.stories[row].add([code for code in own if code != -1], self.vocabulary)
            if unknown is not None:
                self.unknown[row] = max(self.unknown[row], float(unknown[place]))
        self.turn += asked.turns

    @property
    def ends(self) -> torch.Tensor:
        """int64 (R, N): codes up to the end of each turn that was told, -1 where there are fewer."""
        return pad_right([story.ends for story in self.stories], -1)


def tell_turns(
    model: MotionModel, request: TurnsRequest, judge: MotionLLMProcessor | None = None
) -> MotionGenerationOutput:
    """Motions of one person in turns: each turn goes on from the turns before it.

    The prompt of a turn is what was told so far, as far as it fits: all codes together, the next ones included, are at
    most `settings.max_codes`, which is what a model has seen, but 4 s of the motion so far are always told, and
    everything is within the language model's context. So time and memory of a turn do not grow with the motion. Without
    `settings.turn_context` a turn is told only what was given before the first one.

    The first turn is what one sentence alone would give. Guidance compares with the same motion so far, gone on with
    without any sentence.

    Args:
        model: writes them.
        request: what is asked for.
        judge: the model's processor, where each turn is the best of several candidates.

    Returns:
        R motions with `segment_ends`; `unknown` is the largest of all turns.

    Raises:
        MotionLLMError: a turn without codes.
    """
    telling = _Telling(model, request)
    at_once = _ROWS // (1 if judge is None else request.settings.num_candidates)
    while (asked := telling.ask(at_once)) is not None:
        scene = Scene(
            model,
            asked.inputs["input_ids"],
            asked.inputs["attention_mask"],
            copies=1,
            people=torch.ones(len(asked.rows), dtype=torch.long),
            lengths=asked.lengths,
            seeds=asked.seeds,
            settings=request.settings,
            engine=request.engine,
            options=request.options,
            judge=judge,
            turns=True,
        )
        everyone = list(range(len(asked.rows)))
        codes = scene.draw_motions(everyone, 0) if judge is None else scene.draw_best(everyone, 0)
        telling.add(asked, codes.tolist(), scene.unknown)
    return MotionGenerationOutput.of_codes(
        model.motion_vq,
        pad_right([story.codes for story in telling.stories], -1)[:, None],
        unknown=torch.tensor(telling.unknown),
        segment_ends=telling.ends,
    )


def stream_turns(model: MotionModel, request: TurnsRequest, chunk_codes: int) -> Iterator[MotionGenerationOutput]:
    """The motions of `tell_turns` in chunks, while their codes are decoded.

    What was decoded and shown is forgotten but for its codes and what the next turn and the next frames need.

    Args:
        model: writes them.
        request: what is asked for.
        chunk_codes: codes of a chunk; the last one has the rest.

    Returns:
        Iterator of chunks, as those of `stream_motion`; `segment_ends` and `unknown` are of the turns that are done.

    Raises:
        MotionLLMError: as `tell_turns`; what can be seen before the first turn is decoded is raised at once.
    """
    telling = _Telling(model, request)

    def begin() -> tuple[_Asked, MotionRequest, Iterator[torch.Tensor]] | None:
        asked = telling.ask()
        if asked is None:
            return None
        ids, mask = asked.inputs["input_ids"], asked.inputs["attention_mask"]
        turn = MotionRequest(ids, mask, asked.lengths, request.settings, asked.seeds, telling.vocabulary, turns=True)
        return asked, turn, request_steps(model, turn, request.engine, request.options)

    first = begin()

    def steps() -> Iterator[torch.Tensor]:
        now = first
        while now is not None:
            asked, turn, written = now
            last = torch.tensor([len(telling.stories[row].ahead) == 1 for row in asked.rows])
            codes: list[list[int]] = [[] for _ in asked.rows]
            for own in code_steps(written, telling.vocabulary):
                shown = torch.full((len(telling.stories),), ENDED)
                # At the end of a turn there is nothing until the next one begins.
                shown[asked.rows] = torch.where((own == ENDED) & ~last, NOTHING, own)
                for row, code in zip(codes, own.tolist(), strict=True):
                    row += [code] if code >= 0 else []
                yield shown
            telling.add(asked, codes, turn.unknown)
            now = begin()

    def chunks() -> Iterator[MotionGenerationOutput]:
        for codes, mask, features in stream_features(model.motion_vq, steps(), chunk_codes):
            yield one_person(codes, mask, features, torch.tensor(telling.unknown), telling.ends)

    return chunks()


def _story(ids: list[int], later: list[list[int]], vocabulary: MotionVocabulary, bos: int | None) -> Story:
    """The story of a first prompt (S,), which may hold turns, and the prompts that come after it."""
    start = ids[:1] if ids[0] == bos else []
    story = Story(start, [], [])
    rest = ids[len(start) :]
    while vocabulary.end in rest:
        begin, end = rest.index(vocabulary.start) + 1, rest.index(vocabulary.end) + 1
        story.told.append(Turn(rest[:begin], rest[begin:end]))
        rest = rest[end:]
    story.ahead = [rest, *later]
    return story


def _turn_lengths(num_codes: torch.Tensor | None, prompts: int, turns: int) -> torch.Tensor | None:
    """Codes of each turn, int64 (B, N)."""
    if num_codes is None:
        return None
    given = num_codes.cpu().long()
    given = given[:, None] if given.ndim == 1 else given
    if given.ndim and given.shape not in ((prompts, turns), (prompts, 1), (1, 1)):
        raise MotionLLMError(
            f"num_codes has shape {tuple(num_codes.shape)} for {prompts} prompts of up to {turns} turns; give one for "
            "each turn"
        )
    return given.expand(prompts, turns)
