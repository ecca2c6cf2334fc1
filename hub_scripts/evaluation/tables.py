"""The figures of `motionllm evaluate` as tables: for the terminal, and in Markdown for the card."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "CAPTION_COLUMNS",
    "COMPOSED_NOTE",
    "GENERATION_COLUMNS",
    "PUBLISHED_NOTE",
    "RECONSTRUCTION_COLUMNS",
    "SCENE_COLUMNS",
    "SEQUENCE_COLUMNS",
    "T2M",
    "caption_table",
    "generation_table",
    "markdown",
    "plain_text",
    "print_results",
    "published_captions",
    "published_generation",
    "reconstruction_table",
    "scene_caption_table",
    "scene_table",
    "sequence_table",
]

Table = tuple[list[str], list[list[str]]]
Values = Mapping[str, Sequence[float]]  # column to mean and half of its 95 % interval

# Key of a figure: its name, the factor to the unit in that name, and the digits to show.
GENERATION_COLUMNS = {
    "r_precision_top1": ("R@1", 1, 3),
    "r_precision_top2": ("R@2", 1, 3),
    "r_precision_top3": ("R@3", 1, 3),
    "fid": ("FID", 1, 3),
    "mm_dist": ("MM-Dist", 1, 3),
    "diversity": ("diversity", 1, 3),
    "multimodality": ("multimodality", 1, 3),
    "content_accuracy": ("content %", 100, 1),
    "style_accuracy": ("style %", 100, 1),
    "foot_skating_cm": ("skating cm/s", 1, 1),
    "floor_penetration_mm": ("in floor mm", 1, 2),
    "jerk": ("jerk m/s³", 1, 1),
}
SCENE_COLUMNS = {
    **{name: GENERATION_COLUMNS[name] for name in list(GENERATION_COLUMNS)[:7]},
    "people_content": ("content %", 100, 1),
    "role_accuracy": ("roles %", 100, 1),
    "placement_error_m": ("place m", 1, 2),
    "heading_error_deg": ("facing °", 1, 1),
    "interpenetration": ("overlap %", 100, 2),
    "foot_skating_cm": ("skating cm/s", 1, 1),
}
SEQUENCE_COLUMNS = {
    "sequences_done": ("all segments done %", 100, 1),
    "segments_done": ("segments done %", 100, 1),
    "seam_speed": ("fastest joint at seams m/s", 1, 2),
    "elsewhere_speed": ("fastest joint elsewhere m/s", 1, 2),
    "seam_speed_ratio": ("fastest joint, ratio", 1, 2),
    "seam_speed_worst": ("fastest joint, worst seam", 1, 2),
    "seam_jerk": ("jerk at seams m/s³", 1, 1),
    "elsewhere_jerk": ("jerk elsewhere m/s³", 1, 1),
    "seam_jerk_ratio": ("jerk, ratio", 1, 2),
    "seam_skating_cm": ("skating at seams cm/s", 1, 1),
    "elsewhere_skating_cm": ("skating elsewhere cm/s", 1, 1),
    "heading_drift_deg": ("heading drift °", 1, 1),
}
CAPTION_COLUMNS = {
    "bleu1": ("BLEU@1", 1, 1),
    "bleu4": ("BLEU@4", 1, 1),
    "rouge_l": ("ROUGE-L", 1, 1),
    "cider": ("CIDEr", 1, 1),
    "sentence_similarity": ("similarity", 1, 3),
    "content_words": ("content words %", 100, 1),
    "style_words": ("style words %", 100, 1),
    "scene_content_words": ("content words %", 100, 1),
    "kind_words": ("kind words %", 100, 1),
    "people_words": ("people words %", 100, 1),
}
RECONSTRUCTION_COLUMNS = {
    "mpjpe_root_mm": "root-relative MPJPE, mm",
    "mpjpe_global_mm": "global MPJPE, mm",
    "drift_mm_median": "root drift at the end, median mm",
    "drift_mm_mean": "root drift at the end, mean mm",
    "velocity_mm": "velocity error, mm per frame",
    "perplexity": "code perplexity",
    "codes_used": "codes used",
    "actions_kept_percent": "clips that still show their action, %",
}
_NAMES = {"real": "real motion", "reconstructed": "VQ reconstruction", "generated": "generated"}
T2M = "t2m"  # what figures call the published evaluator
PUBLISHED_NOTE = "Scores through different evaluators and on other data cannot be compared with published ones."
COMPOSED_NOTE = "Composed: the scenes are put together from clips of single people, and so are the real rows."

# HumanML3D test split, through the T2M evaluator: system and source; R-precision 1, 2, 3, FID, MM-Dist, diversity.
_PUBLISHED: dict[str, tuple[float | None, ...]] = {
    "real motion (Guo et al. 2022)": (0.512, 0.702, 0.797, 0.002, 2.97, 9.50),
    "T2M-GPT (Zhang et al. 2023)": (0.491, 0.680, 0.775, 0.116, None, None),
    "MotionGPT (Jiang et al. 2023)": (0.492, 0.681, 0.778, 0.232, None, None),
    "MoMask (Guo et al. 2024)": (0.521, 0.713, 0.807, 0.045, None, None),
    "MotionLLM (arXiv 2405.17013 v1, v2)": (0.482, 0.672, 0.770, 0.491, 3.138, 9.838),
    "Motion-Agent (arXiv 2405.17013 v3)": (0.515, None, 0.801, 0.230, 2.967, 9.908),
}
_PUBLISHED_CAPTIONS = {"Motion-Agent (arXiv 2405.17013 v3)": (54.53, 17.65, 48.7, 33.74)}


def _rows(columns: Mapping[str, tuple[str, int, int]], rows: Mapping[str, Values], names: Mapping[str, str]) -> Table:
    shown = [key for key in columns if any(key in row for row in rows.values())]
    head = ["", *(columns[key][0] for key in shown)]
    body = []
    for name, row in rows.items():
        cells = [names.get(name, name)]
        for key in shown:
            _, factor, digits = columns[key]
            mean, interval = row.get(key, (None, 0))
            cell = "-" if mean is None else f"{factor * mean:.{digits}f}"
            cells.append(f"{cell} ± {factor * interval:.{digits}f}" if factor * interval >= 0.5 * 10**-digits else cell)
        body.append(cells)
    return head, body


def generation_table(rows: Mapping[str, Values]) -> Table:
    """Text-to-motion: the rows `real`, `reconstructed` and `generated`, and others under their own names."""
    return _rows(GENERATION_COLUMNS, rows, _NAMES)


def published_generation() -> dict[str, Values]:
    """Published rows of HumanML3D, by system and source."""
    return {name: _published(list(GENERATION_COLUMNS), row) for name, row in _PUBLISHED.items()}


def published_captions() -> dict[str, Values]:
    """Published rows of captioning HumanML3D, by system and source."""
    return {name: _published(list(CAPTION_COLUMNS), row) for name, row in _PUBLISHED_CAPTIONS.items()}


def _published(columns: Sequence[str], row: Sequence[float | None]) -> Values:
    return {column: [value, 0.0] for column, value in zip(columns, row, strict=False) if value is not None}


def caption_table(rows: Mapping[str, Values]) -> Table:
    """Captioning: the rows `real` (one true caption against the others) and `generated`."""
    return _rows(CAPTION_COLUMNS, rows, {"real": "one true caption", "generated": "generated"})


def scene_table(rows: Mapping[str, Values]) -> Table:
    """Scenes of several people: the rows `real`, `reconstructed` and `generated`."""
    return _rows(SCENE_COLUMNS, rows, _NAMES | {"real": "real (composed)"})


def sequence_table(rows: Mapping[str, Values]) -> Table:
    """Sequences in time, turned: a line for each figure, a column for each of the rows `real`, `reconstructed` and
    `generated`.
    """
    head, body = _rows(SEQUENCE_COLUMNS, rows, _NAMES | {"real": "real (composed)"})
    turned = [list(cells) for cells in zip(head, *body, strict=True)]
    return turned[0], turned[1:]


def scene_caption_table(rows: Mapping[str, Values]) -> Table:
    """Captions of scenes: the rows `real`, `shuffled` (the true caption of another scene) and `generated`."""
    names = {"real": "one true caption", "shuffled": "another scene's caption", "generated": "generated"}
    return _rows(CAPTION_COLUMNS, rows, names)


def reconstruction_table(values: Mapping[str, float]) -> Table:
    """The VQ-VAE alone: one figure a line."""
    return ["VQ reconstruction", f"{values['clips']:g} clips"], [
        [label, f"{values[key]:.1f}"] for key, label in RECONSTRUCTION_COLUMNS.items() if key in values
    ]


def markdown(table: Table) -> str:
    """A table for a README."""
    head, body = table
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in body)])


def plain_text(table: Table) -> str:
    """A table for the terminal, two spaces between its columns."""
    head, body = table
    widths = [max(len(row[column]) for row in [head, *body]) for column in range(len(head))]
    lines = []
    for row in [head, *body]:
        cells = [
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def print_results(results: Mapping[str, Any], published: bool) -> None:
    """Print the figures; `published` rows stand in one table with ours where one evaluator made both."""
    if "reconstruction" in results:
        print("\n" + plain_text(reconstruction_table(results["reconstruction"])))
    if "generation" in results:
        part = results["generation"]
        comparable = published and part["evaluator"] == T2M
        print(f"\ngeneration, {results['split']}: {part['protocol']}")
        print(plain_text(generation_table(part["rows"] | (published_generation() if comparable else {}))))
        if published and not comparable:
            print("\npublished, through the T2M evaluator:")
            print(plain_text(generation_table(published_generation())))
    if "captioning" in results:
        print(f"\ncaptioning, {results['split']}: {results['captioning']['protocol']}")
        print(plain_text(caption_table(results["captioning"]["rows"] | (published_captions() if published else {}))))
    parts = {
        "scene_generation": scene_table,
        "scene_captioning": scene_caption_table,
        "sequence_generation": sequence_table,
    }
    for name, table in parts.items():
        if name in results:
            print(f"\n{name.replace('_', ' ')}, {results['split']}: {results[name]['protocol']}")
            print(plain_text(table(results[name]["rows"])))
    if any(results.get(name, {}).get("composed") for name in ("scene_generation", "scene_captioning")):
        print(f"\n{COMPOSED_NOTE}")
    if ("generation" in results and not published) or "scene_generation" in results:
        print(f"\n{PUBLISHED_NOTE}")
