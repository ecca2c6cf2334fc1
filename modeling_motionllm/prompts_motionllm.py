"""The prompt presets, `MotionPromptsMixin` which fills them, and prompts as a batch.

`PROMPT_PRESETS`: `short` (ours) and `paper` (the wording of the official code, for converted weights).

`{caption}`, `{people}`, `{motion}` and `{seconds}` are filled in; `{motion}` stands for code tokens, never made from
text. In a scene it stands for the codes of all people, with `</Motion>`, a placement and `<Motion>` between them. Where
there is a `part`, it stands before everybody's `<Motion>` and says what person `{number}` does; models without it, and
those of recorded scenes, do without. The `scene` and `part` wording of `paper` is ours: the official code for several
people is not public in a form that runs.
"""

import re
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from .errors_motionllm import MotionLLMError
from .vocabulary_motionllm import MOTION_END, MOTION_START, PLACEMENT_START, MotionVocabulary

__all__ = [
    "PROMPT_PRESETS",
    "SHORTEST_GAP",
    "MotionPromptsMixin",
    "check_prompts",
    "pad_examples",
    "pad_left",
    "pad_right",
]

SHORTEST_GAP = 4  # codes between two motions, 0.8 s, that are learnt and asked for
_PREAMBLE = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
)

PROMPT_PRESETS: dict[str, dict[str, str | bool]] = {
    "short": {
        "text_to_motion": "{caption}\n<Motion>",
        "text_to_motion_timed": "{caption} ({seconds} s)\n<Motion>",
        "scene": "{caption} ({people} people)\n<Motion>",
        "scene_timed": "{caption} ({people} people, {seconds} s)\n<Motion>",
        "part": "{number}: {part}\n",
        "turn": "{caption}\n<Motion>",
        "turn_timed": "{caption} ({seconds} s)\n<Motion>",
        "in_between": "until <Motion>{after}</Motion>\n{caption} ({seconds} s)\n<Motion>{before}",
        "motion_target": "{motion}</Motion>",
        "motion_to_text": "<Motion>{motion}</Motion>\n",
        "caption_target": "{caption}",
        "normalize_caption": True,
    },
    "paper": {
        "text_to_motion": _PREAMBLE
        + "### Instruction:\nGenerate a motion matching the following input human motion description\n\n"
        + "### Input:\n{caption}\n\nResponse: <Motion>",
        "scene": _PREAMBLE
        + "### Instruction:\nGenerate the motions of {people} people, one after another, matching the following input "
        + "human motion description\n\n### Input:\n{caption}\n\nResponse: <Motion>",
        "part": "{number}: {part}\n",
        "motion_target": "{motion}</Motion>",
        "motion_to_text": _PREAMBLE
        + "### Instruction:\nGenerate a caption matching the following input human motion token sequence.\n\n"
        + "### Input:\n<Motion>{motion}</Motion>\n\nResponse: ",
        "caption_target": "{caption}",
        "normalize_caption": False,
    },
}


_FILLED = {"caption", "people", "seconds", "motion", "number", "part", "after", "before"}
_NEEDED = ("text_to_motion", "motion_target", "motion_to_text", "caption_target")
_LONGEST_PROMPT = 10_000  # letters of a template
_LONGEST_TEXT = 100_000  # letters; more are not even counted in tokens


def check_prompts(prompts: Mapping[str, object]) -> None:
    """Make sure that prompts are templates with plain fields: a checkpoint's are filled in whatever they say.

    Raises:
        MotionLLMError: one is missing, is no text, or has a field that is unknown or says how wide it is to be.
    """
    if not isinstance(prompts, Mapping):
        raise MotionLLMError(f"prompts is a {type(prompts).__name__}; give templates by their names")
    missing = [name for name in _NEEDED if name not in prompts]
    if missing:
        raise MotionLLMError(f"the prompts lack {', '.join(missing)}; they have {', '.join(map(str, prompts))[:100]}")
    for name, template in prompts.items():
        if isinstance(template, bool) and name == "normalize_caption":
            continue
        try:
            if not isinstance(template, str) or len(template) > _LONGEST_PROMPT:
                raise ValueError("it is no text of at most 10,000 letters")
            for _, field, width, conversion in Formatter().parse(template):
                if field is not None and (field not in _FILLED or width or conversion):
                    raise ValueError(f"it has a field '{{{field}}}' that is unknown or not plain")
        except ValueError as error:
            raise MotionLLMError(f"the prompt {str(name)[:40]!r} cannot be filled in: {str(error)[:80]}") from error


def pad_left(prompts: Sequence[Sequence[int]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask`, int64 (B, S), of prompts of any lengths, padded on the left."""
    longest = max(map(len, prompts))
    missing = [longest - len(prompt) for prompt in prompts]
    ids = [[pad_token_id] * count + list(prompt) for count, prompt in zip(missing, prompts, strict=True)]
    mask = [[0] * count + [1] * (longest - count) for count in missing]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def pad_right(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
    """int64 (N, S) of rows of any lengths, filled up at the end."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows], dtype=torch.long)


def pad_examples(examples: Sequence[Mapping[str, list[Any]]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Training examples as a batch, padded on the right to the longest.

    Args:
        examples: each with `input_ids`, `labels` and, in all or in none, `loss_weights`.
        pad_token_id: filler of `input_ids`; labels are filled with -100, weights with 1.

    Returns:
        The same names (B, S), and `attention_mask`.
    """
    fillers = {"input_ids": pad_token_id, "attention_mask": 0, "labels": -100, "loss_weights": 1.0}
    longest = max(len(example["input_ids"]) for example in examples)
    masked = [{**example, "attention_mask": [1] * len(example["input_ids"])} for example in examples]
    return {
        name: torch.tensor([example[name] + [filler] * (longest - len(example["input_ids"])) for example in masked])
        for name, filler in fillers.items()
        if name in masked[0]
    }


class MotionPromptsMixin:
    """What `MotionLLMProcessor` knows of prompts: sentences, motions and scenes to ids, and back."""

    tokenizer: PreTrainedTokenizerBase
    vocabulary: MotionVocabulary
    prompts: dict[str, str | bool]
    frames_per_code: int
    fps: float
    max_prompt_tokens: int
    max_people: int

    @property
    def tells_parts(self) -> bool:
        """Whether scenes are told with parts: before each motion a sentence about that person alone."""
        return "part" in self.prompts

    @property
    def tells_turns(self) -> bool:
        """Whether motions are told in turns: one sentence after another, each with what was done before it."""
        return "turn" in self.prompts

    def check_people(self, people: int) -> None:
        """Make sure that the model can make scenes of that many people.

        Raises:
            MotionLLMError: none, or more than the model has learnt.
        """
        single = self.vocabulary.placement is None or "scene" not in self.prompts
        most = 1 if single else self.max_people
        if isinstance(people, bool) or not isinstance(people, (int, np.integer)) or not 1 <= people <= most:
            if single and not isinstance(people, bool) and isinstance(people, (int, np.integer)) and people > 1:
                raise MotionLLMError(
                    f"people is {people}, but this model makes one person at a time: it has no placement tokens; train "
                    "one with --scenes"
                )
            raise MotionLLMError(f"people is {people}; ask for 1 to {most}")

    def normalize_caption(self, caption: str) -> str:
        """One line without surplus space; with the `short` prompts also lower case and without the final period.

        Raises:
            MotionLLMError: the caption is empty, or holds motion tokens or control tokens of the base.
        """
        if not isinstance(caption, str):
            raise MotionLLMError(f"the text is {type(caption).__name__} {caption!r}; give a sentence as a string")
        if len(caption) > _LONGEST_TEXT:
            raise MotionLLMError(f"the text has {len(caption):,} letters; shorten it to a sentence or two")
        if any("\ud800" <= letter <= "\udfff" for letter in caption):
            raise MotionLLMError(f"the text holds bytes that are no letters ({caption[:40]!a}); give it as UTF-8")
        clean = " ".join(caption.split())
        if not clean:
            raise MotionLLMError("the text is empty; describe a motion, such as 'a person waves with the left hand'")
        if any(start in clean for start in (MOTION_START[:-1], MOTION_END[:-1], PLACEMENT_START)):
            raise MotionLLMError(f"the text holds motion tokens ('{clean[:60]}'); describe the motion in words")
        control = [token for token in self.tokenizer.all_special_tokens if token in clean]
        if control:
            raise MotionLLMError(f"the text holds the control token '{control[0]}'; describe the motion in words")
        if self.prompts.get("normalize_caption"):
            clean = clean.lower().rstrip(" .")
        if not clean:
            raise MotionLLMError(f"the text '{caption.strip()[:60]}' holds no words; describe a motion")
        return clean

    def text_to_motion_ids(
        self, caption: str, people: int = 1, num_codes: int | None = None, told: bool | None = None
    ) -> list[int]:
        """Prompt ids that ask for a motion or a scene.

        Args:
            caption: the sentence.
            people: how many; one person's prompt does not say it.
            num_codes: length of each motion; the prompt tells it, if its preset can.
            told: end before `<Motion>`, where the part of person 1 is to follow, and not with it. As the model has
                learnt it, unless told: before it for several people of a model that tells parts.

        Raises:
            MotionLLMError: a number of people out of range, or a caption that is empty, too long, or holds motion
                tokens.
        """
        self.check_people(people)
        name = "scene" if people > 1 else "text_to_motion"
        ids = self.bos_ids + self._prompt_ids(name, caption, num_codes, people)
        told = people > 1 and self.tells_parts if told is None else told
        return ids[:-1] if told else ids

    def turn_ids(self, caption: str, num_codes: int | None = None) -> list[int]:
        """Prompt ids that ask one person for the next thing, right after the `</Motion>` of what it did before.

        Args:
            caption: the sentence.
            num_codes: length of the motion, as in `text_to_motion_ids`.

        Raises:
            MotionLLMError: this model knows no turns, or as `text_to_motion_ids`.
        """
        if not self.tells_turns:
            raise MotionLLMError(
                "this model knows no turns: it was trained without sequences; ask for one motion at a time"
            )
        return self._prompt_ids("turn", caption, num_codes)

    def _prompt_ids(self, name: str, caption: str, num_codes: int | None, people: int = 1) -> list[int]:
        """Ids of the prompt of that name, or of its form that tells the duration, where the preset has one."""
        fields: dict[str, Any] = {"caption": self.normalize_caption(caption), "people": people}
        if num_codes is not None and f"{name}_timed" in self.prompts:
            name, fields["seconds"] = f"{name}_timed", f"{num_codes * self.frames_per_code / self.fps:.1f}"
        length = len(self._text_ids(fields["caption"]))
        if length > self.max_prompt_tokens:
            raise MotionLLMError(
                f"the text has {length} tokens ({len(caption.split())} words); at most {self.max_prompt_tokens} tokens "
                "are possible, shorten it to a sentence or two"
            )
        return self._text_ids(str(self.prompts[name]).format(**fields))

    def prompt_caption(self, ids: Sequence[int], people: int = 1) -> str:
        """The sentence in a prompt that asks for a motion or a scene, without padding: what `text_to_motion_ids` did.

        Of one person's turns it is that of the last one, and of a gap to fill the one about the gap.

        Raises:
            MotionLLMError: it is no such prompt.
        """
        vocabulary = self.vocabulary
        if people == 1 and vocabulary.end in ids:
            ids = ids[len(ids) - list(reversed(ids)).index(vocabulary.end) :]
        codes = range(vocabulary.offset, vocabulary.offset + vocabulary.codebook_size)
        dropped = (*self.bos_ids, vocabulary.start)
        kept = [token for token in ids if token not in dropped and token not in codes]
        text = self.tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        name = "scene" if people > 1 else "text_to_motion"
        for template in (self.prompts.get(f"{name}_timed"), self.prompts.get(name)):
            if template is None:
                continue
            pattern = re.escape(str(template).removesuffix(MOTION_START))
            for field, value in (("caption", "(?P<caption>.*\\S.*)"), ("people", r"\d+"), ("seconds", r"\d+\.\d")):
                pattern = pattern.replace(re.escape("{" + field + "}"), value)
            found = re.fullmatch(pattern, text, flags=re.DOTALL)
            if found is not None and MOTION_END not in text:
                return found["caption"].strip()
        raise MotionLLMError(f"'{text[:60]}' is no prompt of this processor; make both with the same one")

    def motion_to_text_ids(self, codes: Sequence[int] | Sequence[Sequence[int]], placement_bins: Any = ()) -> list[int]:
        """Prompt ids that ask for a caption; arguments as `training_example`."""
        return self.bos_ids + self._filled(str(self.prompts["motion_to_text"]), self._people_ids(codes, placement_bins))

    def training_example(
        self,
        task: str,
        caption: str,
        codes: Sequence[int] | Sequence[Sequence[int]],
        placement_bins: Sequence[Sequence[int]] = (),
        parts: Sequence[str] | None = None,
        timed: bool = False,
        learn_motion: bool = False,
    ) -> dict[str, list[int]]:
        """`input_ids` and `labels` (-100 on the prompt) of one example.

        Args:
            task: `text-to-motion` or `motion-to-text`.
            caption: the sentence.
            codes: (L,) of one person, or P lists of codes of one length.
            placement_bins: (P, 3), where there are several people; the first is not told.
            parts: P sentences, told before the motions they are about; only in text-to-motion.
            timed: let a text-to-motion prompt tell the duration.
            learn_motion: for `motion-to-text`, learn the motion of person 1 too: what motions look like whatever the
                sentence, which classifier-free guidance compares with.

        Raises:
            MotionLLMError: unknown task, or as `text_to_motion_ids`.
        """
        first = _people(codes)[0]
        people = len(_people(codes))
        if task == "text-to-motion":
            length = len(first) if timed else None
            prompt = self.text_to_motion_ids(caption, people, length, parts is not None)
            target = self._filled(str(self.prompts["motion_target"]), self._people_ids(codes, placement_bins, parts))
        elif task == "motion-to-text":
            self.check_people(people)
            prompt = self.motion_to_text_ids(codes, placement_bins)
            target = self._text_ids(str(self.prompts["caption_target"]).format(caption=self.normalize_caption(caption)))
        else:
            raise MotionLLMError(f"there is no task '{task}'; choose text-to-motion or motion-to-text")
        example = self._example([(prompt, target)])
        if learn_motion and task == "motion-to-text":
            start = prompt.index(self.vocabulary.start) + 1
            stop = start + len(first) + 1  # after </Motion>
            example["labels"][start:stop] = prompt[start:stop]
        return example

    def unknown_example(self, caption: str, num_codes: int | None = None) -> dict[str, list[int]]:
        """`input_ids` and `labels` of a sentence that the model is to know nothing of: `</Motion>` follows at once.

        Args and Raises: as `text_to_motion_ids`.
        """
        prompt = self.text_to_motion_ids(caption, num_codes=num_codes)
        return self._example([(prompt, [self.vocabulary.end])])

    def turns_example(
        self, captions: Sequence[str], codes: Sequence[Sequence[int]], timed: bool = False
    ) -> dict[str, list[int]]:
        """`input_ids` and `labels` of one person's motion told in turns, one moment after the other.

        Args:
            captions: of each turn.
            codes: of each turn; together they are one motion.
            timed: let each turn tell its duration.

        Raises:
            MotionLLMError: as `text_to_motion_ids`.
        """
        turns = []
        for number, (caption, own) in enumerate(zip(captions, codes, strict=True)):
            length = len(own) if timed else None
            prompt = self.turn_ids(caption, length) if number else self.text_to_motion_ids(caption, num_codes=length)
            ids = self.vocabulary.codes_to_ids(torch.as_tensor(own, dtype=torch.long)).tolist()
            turns.append((prompt, [*ids, self.vocabulary.end]))
        return self._example(turns)

    def in_between_example(self, caption: str, codes: Sequence[int], start: int, stop: int) -> dict[str, list[int]]:
        """`input_ids` and `labels` of a motion with a gap: what comes before and after is given.

        Args:
            caption: of the whole motion.
            codes: (L,).
            start, stop: the gap is `codes[start:stop]`; the prompt tells its duration.

        Raises:
            MotionLLMError: as `text_to_motion_ids`.
        """
        ids = self.vocabulary.codes_to_ids(torch.as_tensor(codes, dtype=torch.long)).tolist()
        prompt = self.in_between_ids(caption, ids[:start], ids[stop:], stop - start)
        return self._example([(prompt, [*ids[start:stop], self.vocabulary.end])])

    def in_between_ids(self, caption: str, before: list[int], after: list[int], num_codes: int) -> list[int]:
        """Prompt ids that ask for the motion between two others.

        Args:
            caption: of the whole motion.
            before, after: ids of the codes around the gap.
            num_codes: length of the gap.

        Raises:
            MotionLLMError: this model has not learnt it, or a caption that is empty or holds motion tokens.
        """
        if "in_between" not in self.prompts:
            raise MotionLLMError("this model has not learnt to fill gaps; train one with the `short` prompts")
        seconds = f"{num_codes * self.frames_per_code / self.fps:.1f}"
        head, _, rest = str(self.prompts["in_between"]).partition("{after}")
        middle, _, end = rest.partition("{before}")
        middle = middle.format(caption=self.normalize_caption(caption), seconds=seconds)
        return self.bos_ids + self._text_ids(head) + after + self._text_ids(middle) + before + self._text_ids(end)

    def _example(self, turns: Sequence[tuple[list[int], list[int]]]) -> dict[str, list[int]]:
        """Prompts, not learnt, and what follows each of them, learnt; the text ends after the last."""
        ids: list[int] = []
        labels: list[int] = []
        for prompt, target in turns:
            ids += prompt + target
            labels += [-100] * len(prompt) + target
        end = [self.tokenizer.eos_token_id]
        return {"input_ids": ids + end, "labels": labels + end}

    def part_ids(self, part: str, person: int) -> list[int]:
        """Ids of what one person does; `person` counts from 0.

        Raises:
            MotionLLMError: this model tells no parts, or the sentence is empty or holds motion tokens.
        """
        if not self.tells_parts:
            raise MotionLLMError("this model knows no parts: it was trained on scenes without; leave the parts out")
        filled = str(self.prompts["part"]).format(number=person + 1, part=self.normalize_caption(part))
        ids = self._text_ids(filled)
        if len(ids) > self.max_prompt_tokens:
            raise MotionLLMError(f"the part '{part[:60]}' has {len(ids)} tokens; shorten it to a sentence")
        return ids

    def part_text(self, ids: Sequence[int], person: int) -> str:
        """The sentence in the ids (S,) of a part, or of the parts of several turns; -1 where padded.

        `person` counts from 0.
        """
        before, _, after = str(self.prompts["part"]).format(number=person + 1, part="\0").partition("\0")
        text = self.tokenizer.decode([int(token) for token in ids if token != -1], skip_special_tokens=True)
        turns = text.removeprefix(before).removesuffix(after).split(f"{after}{before}")
        return ", then ".join(" ".join(turn.split()) for turn in turns)

    def _people_ids(
        self,
        codes: Sequence[int] | Sequence[Sequence[int]],
        placement_bins: Sequence[Sequence[int]] = (),
        parts: Sequence[str] | None = None,
    ) -> list[int]:
        """The ids of all people's motions, from the first code of person 1 to the last code of the last person.

        Between two people stand `</Motion>`, the placement of the next one, and `<Motion>`. With `parts`, each person's
        part stands before its `<Motion>`, and that of person 1 comes first of all.
        """
        vocabulary, people = self.vocabulary, _people(codes)
        told = [[]] * len(people) if parts is None else [self.part_ids(part, row) for row, part in enumerate(parts)]
        ids: list[int] = [] if parts is None else [*told[0], vocabulary.start]
        for person, own in enumerate(people):
            if person:
                if vocabulary.placement is None:
                    raise MotionLLMError("this model has no placement tokens; train one with --scenes")
                bins = torch.as_tensor(placement_bins[person], dtype=torch.long)
                place = vocabulary.placement.bins_to_ids(bins).tolist()
                ids += [vocabulary.end, *place, *told[person], vocabulary.start]
            ids += vocabulary.codes_to_ids(torch.as_tensor(own, dtype=torch.long)).tolist()
        return ids

    @property
    def bos_ids(self) -> list[int]:
        """The begin-of-text token, where the tokenizer starts every text with it."""
        ids = self.tokenizer("a")["input_ids"]
        return ids[:1] if ids[0] == self.tokenizer.bos_token_id else []

    def _text_ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _filled(self, template: str, ids: list[int]) -> list[int]:
        before, after = template.split("{motion}")
        return (self._text_ids(before) if before else []) + ids + (self._text_ids(after) if after else [])


def _people(codes: Sequence[Any]) -> Sequence[Sequence[int]]:
    """Codes of each of P people, whether there are several or one."""
    return codes if len(codes) and np.ndim(codes[0]) else [codes]
