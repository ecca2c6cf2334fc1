"""`PeopleProcessingMixin`: the processor's part for scenes: prompts, given motions, and decoding into one world."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature

from .errors_motionllm import MotionLLMError
from .motion import Motion
from .motion_features import features_to_joints, joints_to_features, resample_joints
from .placement_motionllm import encode_placements, join_people, split_people, stand_on_floor
from .prompts_motionllm import pad_right
from .vocabulary_motionllm import MotionVocabulary

__all__ = ["PeopleProcessingMixin"]


class PeopleProcessingMixin:
    """Scenes for `MotionLLMProcessor`: one person after another, with placements between their motions."""

    tokenizer: Any
    vocabulary: MotionVocabulary
    prompts: dict[str, str | bool]
    frames_per_code: int
    fps: float
    max_seconds: float
    max_prompt_tokens: int
    max_people: int
    num_codes: Any
    _filled_prompt: Any
    _fill_ids: Any
    _pad_left: Any
    _text_ids: Any
    _prompt_labels: Any
    normalize_caption: Any

    def check_people(self, people: int) -> None:
        """Make sure that the model can make scenes of that many people.

        Raises:
            MotionLLMError: fewer than two, or more than the model has learnt.
        """
        if self.vocabulary.placement is None or "scene" not in self.prompts:
            raise MotionLLMError(
                "this model makes one person at a time: it has no placement tokens; train one with --scenes"
            )
        if isinstance(people, bool) or not isinstance(people, (int, np.integer)) or not 2 <= people <= self.max_people:
            raise MotionLLMError(f"people is {people}; ask for 2 to {self.max_people}")

    @property
    def tells_parts(self) -> bool:
        """Whether scenes are told with parts: before each motion a sentence about that person alone."""
        return "part" in self.prompts

    def scene_ids(self, caption: str, people: int, num_codes: int | None = None, with_parts: bool = False) -> list[int]:
        """Prompt ids of a scene up to and with person 1's `<Motion>`; with `num_codes` the prompt tells the length.

        Args:
            caption: the sentence.
            people: how many.
            num_codes: of each.
            with_parts: end before `<Motion>`, where the part of person 1 is to follow.

        Raises:
            MotionLLMError: a number of people out of range, or as `text_to_motion_ids`.
        """
        self.check_people(people)
        ids = self._filled_prompt("scene", caption, num_codes, people=people)
        return ids[:-1] if with_parts else ids

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

    def people_ids(
        self,
        codes: Sequence[Sequence[int]],
        placement_bins: Sequence[Sequence[int]],
        parts: Sequence[str] | None = None,
    ) -> list[int]:
        """The ids of all people's motions, from the first code of person 1 to the last code of the last person.

        Between two people stand `</Motion>`, the placement of the next one, and `<Motion>`. With `parts`, each person's
        part stands before its `<Motion>`, and that of person 1 comes first of all.

        Args:
            codes: P lists of codes.
            placement_bins: (P, 3); the first is not told.
            parts: P sentences.
        """
        vocabulary = self.vocabulary
        told = [[]] * len(codes) if parts is None else [self.part_ids(part, row) for row, part in enumerate(parts)]
        ids: list[int] = [] if parts is None else [*told[0], vocabulary.start]
        for person, (own, bins) in enumerate(zip(codes, placement_bins, strict=True)):
            if person:
                if vocabulary.placement is None:
                    raise MotionLLMError("this model has no placement tokens; train one with --scenes")
                place = vocabulary.placement.bins_to_ids(torch.as_tensor(bins, dtype=torch.long)).tolist()
                ids += [vocabulary.end, *place, *told[person], vocabulary.start]
            ids += vocabulary.codes_to_ids(torch.as_tensor(own, dtype=torch.long)).tolist()
        return ids

    def scene_training_example(
        self,
        task: str,
        caption: str,
        codes: Sequence[Sequence[int]],
        placement_bins: Sequence[Sequence[int]],
        timed: bool = False,
        parts: Sequence[str] | None = None,
        learn_motion: bool = False,
    ) -> dict[str, list[int]]:
        """`input_ids` and `labels` (-100 on the prompt) of one scene.

        Args:
            task: `text-to-motion` or `motion-to-text`.
            caption: the sentence.
            codes: P lists of codes of one length.
            placement_bins: (P, 3).
            timed: let a text-to-motion prompt tell the duration.
            parts: P sentences, told before the motions they are about; only in text-to-motion.
            learn_motion: for `motion-to-text`, learn the motion of person 1 too, as `training_example` does.

        Raises:
            MotionLLMError: unknown task, or as `scene_ids`.
        """
        people = self.people_ids(codes, placement_bins, parts if task == "text-to-motion" else None)
        if task == "text-to-motion":
            prompt = self.scene_ids(caption, len(codes), len(codes[0]) if timed else None, parts is not None)
            target = self._fill_ids(str(self.prompts["motion_target"]), people)
        elif task == "motion-to-text":
            self.check_people(len(codes))
            prompt = self.people_to_text_ids(people)
            target = self._text_ids(str(self.prompts["caption_target"]).format(caption=self.normalize_caption(caption)))
        else:
            raise MotionLLMError(f"there is no task '{task}'; choose text-to-motion or motion-to-text")
        target = [*target, self.tokenizer.eos_token_id]
        labels = self._prompt_labels(prompt, len(codes[0]) if learn_motion and task == "motion-to-text" else 0)
        return {"input_ids": prompt + target, "labels": labels + target}

    def people_to_text_ids(self, people: list[int]) -> list[int]:
        """Prompt ids that ask for a caption of a scene, whose `people_ids` are given."""
        return self._bos + self._fill_ids(str(self.prompts["motion_to_text"]), people)  # type: ignore[attr-defined]

    def people_features(self, motion: Any) -> tuple[np.ndarray, np.ndarray]:
        """Raw features float32 (P, T', 263) and placement bins int64 (P, 3) of a motion of several people, at `fps`.

        Args:
            motion: `Motion`, or joints (P, T, 22, 3) of people in one world, at `fps`.

        Raises:
            MotionLLMError: wrong shape, NaN, too short for one code, longer than `max_seconds`, or people who start
                farther apart than placements reach.
        """
        motion = self._motion(motion)
        joints = motion.people
        if motion.fps != self.fps:
            joints = resample_joints(joints, motion.fps, self.fps)
        frames = joints.shape[1]
        if frames <= self.frames_per_code:
            raise MotionLLMError(
                f"the motion is too short: {frames} frames at {self.fps:g} fps, at least {self.frames_per_code + 1} "
                "are needed"
            )
        seconds = (frames - 1) / self.fps
        if seconds > self.max_seconds:
            raise MotionLLMError(f"a motion of {seconds:g} s is too long; cut it to at most {self.max_seconds:g} s")
        canonical, placements = split_people(joints)
        bins = encode_placements(placements)
        return np.stack([joints_to_features(person) for person in canonical]).astype(np.float32), bins

    def _motion(self, motion: Any) -> Motion:
        # Not by class: where this file came with a checkpoint, the package's Motion is another one.
        return motion if hasattr(motion, "joints") else Motion(motion, fps=self.fps)

    def _scene_inputs(
        self, texts: list[str], people: Any, seconds: list[float] | None, given: Any, parts: Any
    ) -> BatchFeature:
        counts: list[int] = [people] * len(texts) if isinstance(people, (int, np.integer)) else list(people)  # type: ignore[list-item]
        if len(counts) != len(texts):
            raise MotionLLMError(f"{len(texts)} sentences but {len(counts)} numbers of people; give one each, or one")
        extra: dict[str, torch.Tensor] = {"num_people": torch.tensor([int(count) for count in counts])}
        lengths: list[int | None] = [None] * len(texts)
        if given is not None:
            if seconds is not None:
                raise MotionLLMError("a given motion fixes the duration; leave the duration out")
            fps = self._motion(given).fps
            if fps != self.fps:
                raise MotionLLMError(
                    f"the given motion has {fps:g} frames per second, {self.fps:g} are needed to keep it as it is; "
                    f"resample it first (motionllm convert GIVEN.npz OUT.npz --fps {self.fps:g})"
                )
            features, bins = self.people_features(given)
            for count in counts:
                self.check_people(count)
            if features.shape[0] >= min(counts):
                raise MotionLLMError(
                    f"the given motion shows {features.shape[0]} of {min(counts)} people; give fewer, or ask for more"
                )
            length = features.shape[1] // self.frames_per_code
            lengths = [length] * len(texts)
            extra["motion"] = torch.tensor(features[:, : length * self.frames_per_code])
            extra["placement_bins"] = torch.tensor(bins)
        elif seconds is not None:
            lengths = [self.num_codes(value) for value in seconds]
        if lengths[0] is not None:
            extra["num_codes"] = torch.tensor(lengths)
        prompts = [self.scene_ids(*one, self.tells_parts) for one in zip(texts, counts, lengths, strict=True)]
        if parts is not None:
            extra["parts"] = self._part_inputs(parts, counts)
        return BatchFeature({**self._pad_left(prompts), **extra})

    def _part_inputs(self, parts: Sequence[Sequence[str]], counts: list[int]) -> torch.Tensor:
        """Ids of given parts (B, P, S), -1 where padded."""
        if len(parts) != len(counts):
            raise MotionLLMError(f"{len(counts)} sentences but parts for {len(parts)}; give a list of parts for each")
        rows: list[list[int]] = []
        for told, count in zip(parts, counts, strict=True):
            if isinstance(told, str) or len(told) != count:
                given = repr(told) if isinstance(told, str) else f"{len(told)} parts"
                raise MotionLLMError(f"{given} for a scene of {count} people; give a sentence for each of them")
            ids = [self.part_ids(part, person) for person, part in enumerate(told)]
            rows += ids + [[]] * (max(counts) - count)
        return pad_right(rows, -1).reshape(len(counts), max(counts), -1)

    def decode_parts(self, output: Any) -> list[list[str]]:
        """What each person does, as `generate_people` told it: a sentence for each person of each scene.

        Empty lists where the model tells no parts.
        """
        if output.get("parts") is None:
            return [[] for _ in output.num_people]
        return [
            [self.part_text(output.parts[row, person], person) for person in range(people)]
            for row, people in enumerate(output.num_people.tolist())
        ]

    def part_text(self, ids: torch.Tensor, person: int) -> str:
        """The sentence in the ids (S,) of a part, -1 where padded; `person` counts from 0."""
        before, _, after = str(self.prompts["part"]).format(number=person + 1, part="\0").partition("\0")
        text = self.tokenizer.decode(ids[ids != -1].tolist(), skip_special_tokens=True)
        return " ".join(text.removeprefix(before).removesuffix(after).split())

    def decode_people(
        self, output: Any, captions: Sequence[str] | None = None, seed: int | None = None, given: Any = None
    ) -> list[Motion]:
        """`generate_people`'s output to motions of several people in the world of person 1, everybody on the floor.

        Args:
            output: a `PeopleGenerationOutput`.
            captions: what each scene shows.
            seed: recorded in the motions.
            given: the motion of the first people that was given to the processor; it is shown as it was recorded, on
                the bones of the skeleton, and not as its codes tell it.

        Returns:
            R motions with joints (P, T, 22, 3) and codes (P, L).
        """
        motions = []
        known = None if given is None else split_people(self._motion(given).people)
        for row, people in enumerate(output.num_people.tolist()):
            codes = output.codes[row, :people].cpu()
            length = int((codes[0] != -1).sum())
            features = output.features[row, :people, : length * self.frames_per_code].cpu().double()
            joints = stand_on_floor(features_to_joints(features).numpy())
            placements = output.placements[row, :people].cpu().numpy().copy()
            if known is not None:
                own, starts = known
                joints[: len(own)], placements[: len(own)] = own[:, : joints.shape[1]], starts
            world = join_people(joints, placements)
            caption = captions[row] if captions is not None else None
            motions.append(Motion(world, self.fps, caption, codes[:, :length].numpy(), seed))
        return motions
