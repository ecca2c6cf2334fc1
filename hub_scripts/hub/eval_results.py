"""The figures of `motionllm evaluate` as the Hub reads them: `model-index` of the card, and `.eval_results/*.yaml`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, EvalResultEntry, eval_result_entries_to_yaml
from huggingface_hub.utils import yaml_dump

from hub_scripts.evaluation.tables import (
    CAPTION_COLUMNS,
    GENERATION_COLUMNS,
    RECONSTRUCTION_COLUMNS,
    SCENE_COLUMNS,
    SEQUENCE_COLUMNS,
)
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder

__all__ = [
    "EVAL_RESULTS",
    "RECONSTRUCTION",
    "RESULT_FILES",
    "eval_results",
    "part_of",
    "result_entries",
    "write_eval_results",
]

EVAL_RESULTS = ".eval_results"
RECONSTRUCTION = "reconstruction"

# Part of evaluation.json: task, as our pipelines call it, and its name for readers.
_TASKS = {
    "generation": ("text-to-motion", "Text-to-motion"),
    "captioning": ("motion-to-text", "Motion captioning"),
    RECONSTRUCTION: ("motion-reconstruction", "Motion reconstruction (VQ-VAE)"),
    "scene_generation": ("scene-text-to-motion", "Text-to-motion of several people"),
    "scene_captioning": ("scene-motion-to-text", "Captioning of several people"),
    "sequence_generation": ("sequence-text-to-motion", "Text-to-motion of one thing after another"),
}
# Those with rows of figures: their columns, and what the row `real` is there.
_ROWS = {
    "generation": (GENERATION_COLUMNS, "real motion"),
    "captioning": (CAPTION_COLUMNS, "one true caption"),
    "scene_generation": (SCENE_COLUMNS, "real scenes"),
    "scene_captioning": (CAPTION_COLUMNS, "one true caption"),
    "sequence_generation": (SEQUENCE_COLUMNS, "real sequences"),
}
RESULT_FILES = tuple(f"{EVAL_RESULTS}/{task}.yaml" for task, _ in _TASKS.values())


def part_of(evaluation: Mapping[str, Any], part: str) -> dict[str, Any]:
    """An evaluation without the figures of its other parts."""
    return {name: value for name, value in evaluation.items() if name == part or name not in _TASKS}


@dataclass(frozen=True)
class _Figure:
    """One figure of the model; `value` is rounded as in the card's tables, and a plain float for YAML."""

    part: str
    metric: str
    metric_name: str
    value: float
    notes: str
    reference: str = ""  # what the row `real` has there
    composed: bool = False  # of scenes or sequences put together from clips of single people

    @property
    def task(self) -> str:
        return _TASKS[self.part][0]

    @property
    def task_name(self) -> str:
        return _TASKS[self.part][1] + (f", composed {self.kind}" if self.composed else "")

    @property
    def kind(self) -> str:
        """What it was measured on, where that was no clips: "scenes" or "sequences"."""
        return next((kind for kind in ("scenes", "sequences") if self.part.startswith(kind[:-1])), "")


def _figures(evaluation: Mapping[str, Any]) -> Iterator[_Figure]:
    for part, (columns, real_name) in _ROWS.items():
        measured = evaluation.get(part, {})
        rows = measured.get("rows", {})
        for metric, (label, factor, digits) in columns.items():
            if metric not in rows.get("generated", {}):
                continue
            mean, interval = rows["generated"][metric]
            if not math.isfinite(mean):
                continue
            real = rows.get("real", {}).get(metric)
            spread = f"± {factor * interval:.{digits}f} (95 %); " if factor * interval >= 0.5 * 10**-digits else ""
            yield _Figure(
                part,
                metric,
                label,
                round(float(factor * mean), digits),
                spread + measured["protocol"],
                "" if real is None else f"{real_name}: {factor * real[0]:.{digits}f}",
                bool(measured.get("composed")),
            )
    measured = evaluation.get(RECONSTRUCTION, {})
    for metric, label in RECONSTRUCTION_COLUMNS.items():
        if metric in measured:
            yield _Figure(
                RECONSTRUCTION,
                metric,
                label,
                round(float(measured[metric]), 1),
                f"{measured['clips']:g} whole clips",
            )


def _dataset(evaluation: Mapping[str, Any], figure: _Figure, dataset: str) -> str:
    """Hub id or name of the data that a figure was measured on; older evaluations do not name their scenes."""
    if not figure.kind:
        return dataset
    named = evaluation.get(f"{figure.kind}_dataset_id") or evaluation.get(f"{figure.kind}_name")
    return named or f"{dataset}{'-composed' if figure.composed else ''}-{figure.kind}"


def eval_results(evaluation: Mapping[str, Any], dataset: str) -> list[EvalResult]:
    """The generated rows of an evaluation for the `model-index` of a card; metric names hold what real motions and
    captions get.

    Args:
        evaluation: content of `evaluation.json`.
        dataset: Hub id of the dataset of clips, or its name.
    """
    return [
        EvalResult(
            task_type=figure.task,
            task_name=figure.task_name,
            dataset_type=_dataset(evaluation, figure, dataset),
            dataset_name=_dataset(evaluation, figure, dataset),
            dataset_split=evaluation["split"],
            metric_type=figure.metric,
            metric_name=figure.metric_name + (f" ({figure.reference})" if figure.reference else ""),
            metric_value=figure.value,
        )
        for figure in _figures(evaluation)
    ]


def result_entries(evaluation: Mapping[str, Any], dataset: str) -> dict[str, list[EvalResultEntry]]:
    """The same figures for `.eval_results`: path in the repository to entries.

    Args:
        evaluation: content of `evaluation.json`.
        dataset: Hub id of the dataset of clips, or its name.
    """
    entries: dict[str, list[EvalResultEntry]] = {}
    for figure in _figures(evaluation):
        data_hash = evaluation.get(f"{figure.kind or 'data'}_sha256", "")
        made_on = f"split {evaluation['split']}, data SHA-256 {data_hash[:16]}"
        reference = f"{figure.reference}; " if figure.reference else ""
        entry = EvalResultEntry(
            dataset_id=_dataset(evaluation, figure, dataset),
            task_id=f"{figure.task.replace('-', '_')}_{figure.metric}",
            value=figure.value,
            date=evaluation.get("date"),
            notes=f"{figure.metric_name}: {figure.notes}; {reference}{made_on}",
        )
        entries.setdefault(f"{EVAL_RESULTS}/{figure.task}.yaml", []).append(entry)
    return entries


def write_eval_results(folder: Path, evaluation: Mapping[str, Any], dataset: str) -> list[Path]:
    """Write `.eval_results/*.yaml`; those of tasks that were not measured are removed, other files there stay.

    Args:
        folder: of the checkpoint.
        evaluation: content of `evaluation.json`.
        dataset: Hub id of the dataset of clips, or its name.
    """
    ensure_folder(folder / EVAL_RESULTS)
    entries = result_entries(evaluation, dataset)
    for name in RESULT_FILES:
        if name not in entries:
            (folder / name).unlink(missing_ok=True)
    for name, values in entries.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(yaml_dump(eval_result_entries_to_yaml(values)), encoding="utf-8")
    return [folder / name for name in entries]
