"""The figures of `motionllm evaluate` as the Hub reads them: `model-index` of the card, and `.eval_results/*.yaml`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, EvalResultEntry, eval_result_entries_to_yaml
from huggingface_hub.utils import yaml_dump

from hub_scripts.evaluation_tables import CAPTION_COLUMNS, GENERATION_COLUMNS, RECONSTRUCTION_COLUMNS
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
}
_REAL = {"generation": "real motion", "captioning": "one true caption"}
RESULT_FILES = tuple(f"{EVAL_RESULTS}/{task}.yaml" for task, _ in _TASKS.values())


def part_of(evaluation: Mapping[str, Any], part: str) -> dict[str, Any]:
    """An evaluation without the figures of its other parts."""
    return {name: value for name, value in evaluation.items() if name == part or name not in _TASKS}


@dataclass(frozen=True)
class _Figure:
    """One figure of the model; `value` is rounded as in the card's tables, and a plain float for YAML."""

    task: str
    task_name: str
    metric: str
    metric_name: str
    value: float
    notes: str
    reference: str = ""  # what the row `real` has there


def _figures(evaluation: Mapping[str, Any]) -> Iterator[_Figure]:
    for part, columns in (("generation", GENERATION_COLUMNS), ("captioning", CAPTION_COLUMNS)):
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
                *_TASKS[part],
                metric,
                label,
                round(float(factor * mean), digits),
                spread + measured["protocol"],
                "" if real is None else f"{_REAL[part]}: {factor * real[0]:.{digits}f}",
            )
    measured = evaluation.get(RECONSTRUCTION, {})
    for metric, label in RECONSTRUCTION_COLUMNS.items():
        if metric in measured:
            yield _Figure(
                *_TASKS[RECONSTRUCTION],
                metric,
                label,
                round(float(measured[metric]), 1),
                f"{measured['clips']:g} whole clips",
            )


def eval_results(evaluation: Mapping[str, Any], dataset: str) -> list[EvalResult]:
    """The generated rows of an evaluation for the `model-index` of a card; metric names hold what real motions and
    captions get.

    Args:
        evaluation: content of `evaluation.json`.
        dataset: Hub id of the dataset, or its name.
    """
    return [
        EvalResult(
            task_type=figure.task,
            task_name=figure.task_name,
            dataset_type=dataset,
            dataset_name=dataset,
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
        dataset: Hub id of the dataset, or its name.
    """
    data_hash = evaluation.get("data_sha256", evaluation.get("scenes_sha256", ""))
    made_on = f"split {evaluation['split']}, data SHA-256 {data_hash[:16]}"
    entries: dict[str, list[EvalResultEntry]] = {}
    for figure in _figures(evaluation):
        reference = f"{figure.reference}; " if figure.reference else ""
        entry = EvalResultEntry(
            dataset_id=dataset,
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
        dataset: Hub id of the dataset, or its name.
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
