"""`tell_turns`: one person does one thing after another, each turn told by a sentence and gone on to from the last."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from .decoding_motionllm import MotionEngine, MotionModel, check_prompts
from .errors_motionllm import MotionLLMError
from .output_motionllm import MotionGenerationOutput
from .processing_motionllm import MotionLLMProcessor
from .prompts_motionllm import pad_left, pad_right
from .scene_motionllm import Scene, derived_seed
from .settings_motionllm import MotionSettings
from .vocabulary_motionllm import MotionVocabulary

__all__ = ["tell_turns"]

_LEAST_SECONDS = 4.0  # of the motion so far that every turn sees, if there is that much
_TURN = 3  # the part of `derived_seed`


@dataclass
class _Turn:
    """A turn that was told: ids of its prompt, up to `<Motion>`, and of its codes with `</Motion>`."""

    prompt: list[int]
    motion: list[int]


@dataclass
class _Story:
    """What one motion has been told so far, and what is still to be told.

    Args:
        bos: the begin-of-text token, or nothing.
        told: the turns so far; those that the first prompt held are not of this motion.
        ahead: prompts of the turns to come.
    """

    bos: list[int]
    told: list[_Turn]
    ahead: list[list[int]]
    codes: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def window(self, least: int, room: int, tokens: int) -> list[int]:
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
        self.told.append(_Turn(self.ahead.pop(0), [*ids, vocabulary.end]))
        self.codes += codes
        self.ends.append(len(self.codes))


def tell_turns(
    model: MotionModel,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    turns: torch.Tensor,
    num_codes: torch.Tensor | None,
    *,
    copies: int,
    seeds: Sequence[int],
    settings: MotionSettings,
    engine: str | MotionEngine = "auto",
    options: dict[str, Any] | None = None,
    judge: MotionLLMProcessor | None = None,
) -> MotionGenerationOutput:
    """Motions of one person in turns: each turn goes on from the turns before it.

    The prompt of a turn is what was told so far, as far as it fits: all codes together, the next ones included, are at
    most `settings.max_codes`, which is what a model has seen, but 4 s of the motion so far are always told, and
    everything is within the language model's context. So time and memory of a turn do not grow with the motion.

    The first turn is what one sentence alone would give. Guidance compares with a motion that has neither sentence nor
    turns before it.

    Args:
        model: writes them.
        input_ids, attention_mask: (B, S) prompts of the first turns, padded on the left. Earlier turns that they hold
            (prompt, codes, `</Motion>`) are gone on from, and are no part of the output.
        turns: int64 (B, N - 1, S), prompts of the others, -1 where padded.
        num_codes: codes of each turn, (B, N), (B,) for all turns of a motion, or one number; None leaves it to the
            model.
        copies: motions for each prompt, R = B * copies.
        seeds: of the R motions; each turn after the first draws from a seed of its own that follows from it.
        settings: how to draw.
        engine, options: as in `choose_decoder`.
        judge: the model's processor, where each turn is the best of several candidates.

    Returns:
        R motions with `segment_ends`; `unknown` is the largest of all turns.

    Raises:
        MotionLLMError: prompts or lengths that do not fit together.
    """
    check_prompts(input_ids, attention_mask)
    vocabulary, bos = model.motion_vocabulary, getattr(model.config.text_config, "bos_token_id", None)
    if turns.ndim != 3 or len(turns) != len(input_ids):
        raise MotionLLMError(
            f"turns have shape {tuple(turns.shape)} for {len(input_ids)} prompts; make both with the processor"
        )
    lengths = _lengths(num_codes, len(input_ids), turns.shape[1] + 1)
    real = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    stories = []
    for row, (ids, keep) in enumerate(zip(input_ids.cpu(), real.cpu(), strict=True)):
        later = [[int(token) for token in turn if token != -1] for turn in turns[row].tolist()]
        for _ in range(copies):
            stories.append(_story(ids[keep.bool()].tolist(), [one for one in later if one], vocabulary, bos))
    config = model.config.motion_config
    least = round(_LEAST_SECONDS * config.fps / config.frames_per_code) + 1  # with `</Motion>`
    context = getattr(model.config.text_config, "max_position_embeddings", None) or 10**9
    unknown: list[float] = [0.0] * len(stories)
    for turn in range(turns.shape[1] + 1):
        rows = [row for row, story in enumerate(stories) if story.ahead]
        if not rows:
            break
        wanted = None if lengths is None else lengths[[row // copies for row in rows], turn]
        if wanted is not None and int(wanted.min()) < 1:
            raise MotionLLMError(f"turn {turn + 1} has {int(wanted.min())} codes; give at least one for each turn")
        prompts = []
        for place, row in enumerate(rows):
            next_codes = settings.max_codes if wanted is None else int(wanted[place])
            room = settings.max_codes - (settings.max_codes // 2 if wanted is None else next_codes)
            prompts.append(stories[row].window(least, max(room, least), context - next_codes - 1))
        inputs = pad_left(prompts, vocabulary.end)
        scene = Scene(
            model,
            inputs["input_ids"].to(model.device),
            inputs["attention_mask"].to(model.device),
            copies=1,
            people=torch.ones(len(rows), dtype=torch.long),
            lengths=wanted,
            seeds=[seeds[row] if turn == 0 else derived_seed(seeds[row], turn, _TURN) for row in rows],
            settings=settings,
            engine=engine,
            options=options,
            judge=judge,
        )
        everyone = list(range(len(rows)))
        codes = scene.draw_motions(everyone, 0) if judge is None else scene.draw_best(everyone, 0)
        for place, (row, own) in enumerate(zip(rows, codes.tolist(), strict=True)):
            stories[row].add([code for code in own if code != -1], vocabulary)
            if scene.unknown is not None:
                unknown[row] = max(unknown[row], float(scene.unknown[place]))
    return MotionGenerationOutput.of_codes(
        model.motion_vq,
        pad_right([story.codes for story in stories], -1)[:, None],
        unknown=torch.tensor(unknown),
        segment_ends=pad_right([story.ends for story in stories], -1),
    )


def _story(ids: list[int], later: list[list[int]], vocabulary: MotionVocabulary, bos: int | None) -> _Story:
    """The story of a first prompt (S,), which may hold turns, and the prompts that come after it."""
    start = ids[:1] if ids[0] == bos else []
    story = _Story(start, [], [])
    rest = ids[len(start) :]
    while vocabulary.end in rest:
        begin, end = rest.index(vocabulary.start) + 1, rest.index(vocabulary.end) + 1
        story.told.append(_Turn(rest[:begin], rest[begin:end]))
        rest = rest[end:]
    story.ahead = [rest, *later]
    return story


def _lengths(num_codes: torch.Tensor | None, prompts: int, turns: int) -> torch.Tensor | None:
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
