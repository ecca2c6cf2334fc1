"""What `motionllm evaluate` does: reconstruction, text-to-motion and captioning of a split, of clips or of scenes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hub_scripts.captions.parsing import own_caption, tells_roles
from hub_scripts.evaluation.motions import RealMotion
from hub_scripts.evaluation.outputs import (
    GeneratedMotion,
    caption_words,
    drawing_words,
    generate_captions,
    generate_motions,
    output_store,
    plant_features,
)
from hub_scripts.evaluation.sheet import choose_sheet_rows, save_evaluation_sheet
from hub_scripts.metrics.base import Score
from hub_scripts.metrics.caption import Captions, SentenceSimilarity
from hub_scripts.metrics.judge import Judge
from hub_scripts.metrics.kept_actions import actions_kept
from hub_scripts.metrics.reconstruction import Reconstruction, reconstruct, reconstruction_metrics
from hub_scripts.metrics.score import Scenes, score_captions, score_motions
from modeling_motionllm.decoding_motionllm import MotionEngine
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.placement_motionllm import decode_placements, encode_placements
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.scene_motionllm import PART_TEMPERATURE, PLACE_TEMPERATURE
from modeling_motionllm.settings_motionllm import CaptionSettings, MotionSettings

__all__ = ["Evaluation", "evaluate_reconstruction", "score_values"]


def score_values(scores: Mapping[str, Score]) -> dict[str, list[float]]:
    """Column to mean and half of its interval, as figures are kept."""
    return {column: [score.mean, score.interval] for column, score in scores.items()}


def evaluate_reconstruction(vq: MotionVQModel, motions: Sequence[RealMotion]) -> tuple[dict[str, Any], Reconstruction]:
    """Figures of the VQ-VAE on everybody's whole motion, and what it makes of them; they are encoded this once.

    Raises:
        MotionLLMError: the data is of another skeleton.
    """
    people = [person for motion in motions for person in motion.features if len(person) >= vq.config.frames_per_code]
    made = reconstruct(vq, people, progress=True)
    kept = actions_kept(people, made.clips)
    figures = {"clips": len(people), **reconstruction_metrics(vq, people, made=made)}
    return figures if kept is None else {**figures, "actions_kept_percent": kept}, made


@dataclass
class Evaluation:
    """A checkpoint that is measured on the motions of a split.

    Args:
        model, processor, engine: see `generate_motion`.
        motions: each at least a code long; of one person each, or scenes.
        name: of the checkpoint, folder or Hub id.
        data: folder of the motions.
        split: of it.
        motion_settings, caption_settings: of `generate_motion` and `generate_caption`, in place of the checkpoint's.
        engine_name: the engine in the words of a protocol, where it changes the motions.
        planted: hold feet of generated motions where they stand.
        draws: motions for each caption.
        repeats: of the protocol.
        seed: of all draws.
        batch_size: motions at once.
        work: folder where outputs are kept.
    """

    model: MotionLLMForCausalLM
    processor: MotionLLMProcessor
    engine: str | MotionEngine
    motions: Sequence[RealMotion]
    name: str
    data: str
    split: str
    motion_settings: dict[str, Any]
    caption_settings: dict[str, Any]
    engine_name: str = ""
    planted: bool = False
    draws: int = 1
    repeats: int = 20
    seed: int = 0
    batch_size: int = 32
    work: str | None = None

    def __post_init__(self) -> None:
        for people in sorted({motion.num_people for motion in self.motions}):
            self.processor.check_people(people)
        self.people = max(motion.num_people for motion in self.motions)
        self.composed = all(motion.composed for motion in self.motions)
        self.figures, made = evaluate_reconstruction(self.model.motion_vq, self.motions)
        codes, clips = iter(made.codes), iter(made.clips)
        self.codes = [np.stack([next(codes) for _ in motion.features]) for motion in self.motions]
        self.reconstructed = [np.stack([next(clips) for _ in motion.features]) for motion in self.motions]
        self.bins = [encode_placements(motion.placements) for motion in self.motions]

    def _row(self, features: Sequence[np.ndarray], placements: Sequence[np.ndarray]) -> Sequence[np.ndarray] | Scenes:
        """Motions as `score_motions` takes them."""
        return Scenes(features, placements) if self.people > 1 else [people[0] for people in features]

    def generation(self, judge: Judge, sheet: str | None = None, notes: str = "") -> dict[str, Any]:
        """Generate a motion for one caption of each, with its number of people and its length, and score it.

        Args:
            judge: the evaluator.
            sheet: also draw some of the generated motions beside the real ones into this file.
            notes: what the protocol says of the motions that are not measured.

        Returns:
            The protocol in words, and for the rows `real`, `reconstructed` and `generated` the scores; of scenes also
            for each kind.
        """
        motions, processor = self.motions, self.processor
        drawing = MotionSettings.of(self.model.generation_config, dict(self.motion_settings))
        limit = processor.num_codes(processor.max_seconds)
        lengths = [min(motion.num_frames // processor.frames_per_code, limit) for motion in motions]
        captions = [motion.judged_caption(index) for index, motion in enumerate(motions)]
        words = [drawing_words(drawing, self.people), *self._place_words(drawing)]
        words += [text for text in ("feet planted" if self.planted else "", self.engine_name) if text]
        store = output_store(self.work, self.name, "generation", settings=asdict(drawing), engine=self.engine_name)
        draws = [
            generate_motions(
                self.model,
                processor,
                captions,
                [motion.num_people for motion in motions],
                lengths,
                seed=self.seed + 1_000_003 * draw,
                batch_size=self.batch_size,
                store=store,
                label=f"generate {draw + 1}/{self.draws}",
                engine=self.engine,
                **self.motion_settings,
            )
            for draw in range(self.draws)
        ]
        failed = sum(not made.well_formed for draw in draws for made in draw)
        features, placements = [motion.features for motion in motions], [motion.placements for motion in motions]
        rows = {
            "real": [self._row(features, placements)],
            "reconstructed": [self._row(self.reconstructed, [_places(bins) for bins in self.bins])],
            "generated": [self._row(*self._finished(draw)) for draw in draws],
        }
        if sheet is not None:
            shown = choose_sheet_rows([motion.row() for motion in motions], self.seed)
            first = self._finished(draws[0])[0]
            pictures = [[table[index][0] for index in shown] for table in (first, features)]
            save_evaluation_sheet(Path(sheet), [captions[index] for index in shown], *pictures)
        pool = min(32, len(motions))
        real = judge.embed_motions(features if self.people > 1 else [people[0] for people in features], placements)
        scores = {}
        for name, drawn in rows.items():
            known: dict[str, Any] = {"repeats": self.repeats, "seed": self.seed, "pool": pool}
            if self.people > 1:
                known |= {"contents": [motion.contents for motion in motions], "kinds": [one.kind for one in motions]}
            else:
                known |= {"content": [one.contents[0] for one in motions], "style": [one.styles[0] for one in motions]}
                if name == "generated":
                    known["seconds"] = [count * processor.frames_per_code / processor.fps for count in lengths]
            scores[name] = score_motions(judge, drawn, captions, real, **known)
        protocol = [
            f"{self._chosen(captions)} of the real motions (at most {processor.max_seconds:g} s), pools of {pool}, "
            f"{self.repeats} repeats, {self.draws} draw(s), seed {self.seed}, {', '.join(words)}",
            f"{failed} of {len(motions) * self.draws} outputs not well-formed",
            notes,
            judge.protocol if self.people == 1 else "",
        ]
        part: dict[str, Any] = {
            "failed": failed,
            "protocol": "; ".join(filter(None, protocol)),
            "rows": {name: score_values(columns) for name, columns in scores.items()},
        }
        if self.people == 1:
            return {"captions": len(motions), "sheet": sheet is not None, **part}
        by_kind = {name: columns.by_kind for name, columns in scores.items()}
        return {**self._scenes, **part, "judged": scores["real"].judged, "by_kind": by_kind}

    @property
    def _scenes(self) -> dict[str, Any]:
        return {"scenes": len(self.motions), "composed": self.composed}

    def _chosen(self, captions: Sequence[str]) -> str:
        """Which captions are judged, in the words of a protocol, up to the lengths."""
        if self.people == 1:
            return f"{len(captions)} captions (caption i mod n of clip i), lengths"
        told = sum(tells_roles(text, motion.contents) for text, motion in zip(captions, self.motions, strict=True))
        return (
            f"{len(captions)} {'composed ' if self.composed else ''}scenes, one caption each (of the n captions of "
            f"scene i that name what everybody does, or of all where none does, number i mod n; {told} name it), "
            "people and lengths"
        )

    def _place_words(self, drawing: MotionSettings) -> list[str]:
        """How places and parts are drawn and used; nothing where they are the likeliest, or for one person."""
        if self.people == 1 or not drawing.do_sample:
            return []
        words = [f"places at temperature {PLACE_TEMPERATURE:g}"]
        if self.processor.tells_parts:
            words.append(f"parts at temperature {PART_TEMPERATURE:g}")
            if drawing.people_candidates > 1:
                words.append("the best chosen person by person, by their parts")
        return words

    def _finished(self, draw: Sequence[GeneratedMotion]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Features and placements of generated motions as they are judged."""
        features = [made.features for made in draw]
        if self.planted:
            features = [np.stack([plant_features(person) for person in people]) for people in features]
        return features, [made.placements for made in draw]

    def captioning(self, similarity: SentenceSimilarity) -> dict[str, Any]:
        """Caption each real motion and compare with its true captions.

        Returns:
            The protocol in words, the rows `real` (one true caption against the others) and `generated`, of scenes also
            `shuffled` (the true caption of another scene: what can be had by chance), and some examples.
        """
        motions = self.motions
        how = CaptionSettings.of(self.model.generation_config, dict(self.caption_settings))
        written = generate_captions(
            self.model,
            self.processor,
            [motion.name for motion in motions],
            self.codes,
            self.bins,
            seed=self.seed,
            batch_size=self.batch_size,
            store=output_store(
                self.work, self.name, "captioning", split=self.split, data=self.data, settings=asdict(how)
            ),
            **self.caption_settings,
        )
        own = [own_caption(motion.captions, index) for index, motion in enumerate(motions)]
        every = [motion.captions for motion in motions]
        # A true caption is judged against the others of its motion; where it has no other, against itself.
        others = [
            [text for text in captions if text != caption] or [caption]
            for captions, caption in zip(every, own, strict=True)
        ]
        rows: dict[str, tuple[Sequence[str], Sequence[Sequence[str]]]] = {"real": (own, others)}
        known: dict[str, Any] = {}
        if self.people > 1:
            half = len(own) // 2
            rows["shuffled"] = (own[half:] + own[:half], every)
            known = {"contents": [motion.contents for motion in motions], "kinds": [one.kind for one in motions]}
        else:
            known = {"content": [one.contents[0] for one in motions], "style": [one.styles[0] for one in motions]}
        rows["generated"] = (written, every)
        what = "scene" if self.people > 1 else "clip"
        kind = f"real {'(composed) ' if self.composed else ''}scenes" if self.people > 1 else "real motions"
        return {
            **(self._scenes if self.people > 1 else {"clips": len(motions)}),
            "protocol": f"{len(motions)} {kind}, {caption_words(how)}; all captions of a {what} are references (for "
            "'one true caption' the others)",
            "rows": {
                name: score_values(score_captions(Captions(texts, references, **known), similarity))
                for name, (texts, references) in rows.items()
            },
            "examples": [
                {"name": motion.name, "written": text, "true": motion.captions[0]}
                for motion, text in list(zip(motions, written, strict=True))[:: max(1, len(motions) // 12)]
            ],
        }


def _places(bins: np.ndarray) -> np.ndarray:
    """Placements (P, 3) of bins; person 1 is the origin, and no centre of a bin."""
    placements = decode_placements(np.asarray(bins))
    placements[0] = 0
    return placements
