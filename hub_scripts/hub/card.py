"""Filling `templates/model.md` from the records a checkpoint folder holds."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData, SpaceCardData

from hub_scripts.evaluation.tables import (
    T2M,
    caption_table,
    generation_table,
    markdown,
    reconstruction_table,
    scene_caption_table,
    scene_table,
    sequence_table,
)
from hub_scripts.hub.actions import KnownAction, actions_in
from hub_scripts.hub.eval_results import RECONSTRUCTION, eval_results, write_eval_results
from hub_scripts.hub.licences import data_of, licence_of, more_data_of
from hub_scripts.hub.records import (
    CARD,
    EVALUATION,
    SHEET,
    TRAINING_RECORD,
    VQ_RECORD,
    read_evaluation,
    read_record,
    read_training_record,
)
from hub_scripts.options.default_models import DEFAULT_EVALUATOR
from modeling_motionllm.checkpoint_motionllm import ADAPTERS_FOLDER, MOTION_VQ_FOLDER, looks_like_path
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion_features import HUMANML3D, skeleton_of_features

__all__ = [
    "card_metadata",
    "evaluated_data",
    "fill_card",
    "has_own_card",
    "is_local_base",
    "mark",
    "render_model_card",
    "write_evaluation",
    "write_model_card",
]

_MOST_ACTIONS = 12  # in the table of a card
_TEMPLATES = Path(__file__).with_name("templates")
_MARK = "<!-- written by motionllm, {digest}; change the card and motionllm leaves it alone -->"


def _line(text: str) -> str:
    return _MARK.format(digest=hashlib.sha256(text.encode()).hexdigest()[:16])


def mark(text: str) -> str:
    """A card of ours with a last line, invisible to readers, by which it is known as long as nobody changes it."""
    text = text.rstrip() + "\n"
    return f"{text}\n{_line(text)}\n"


def has_own_card(folder: Path) -> bool:
    """Whether the folder has a card that somebody wrote or changed; ours, as `mark` left it, may be written anew."""
    if not (folder / CARD).is_file():
        return False
    text, _, line = (folder / CARD).read_text(encoding="utf-8").rstrip().rpartition("\n")
    return line != _line(text.rstrip() + "\n")


def is_local_base(name: str | None) -> bool:
    """Whether a base model is named by a path of this machine, which nobody else can load."""
    return name is None or Path(name).is_dir() or looks_like_path(name)


def card_metadata(
    data: Mapping[str, str], tags: list[str], base: str | None = None, relation: str = "finetune", **fields: Any
) -> ModelCardData:
    """The head of a card.

    Args:
        data: what was trained on, of `data_of`.
        tags: for the search of the Hub.
        base: base model; one that only this machine has is left out, as it means nothing to others.
        relation: to the base, as the Hub calls it.
        fields: others of `ModelCardData`.
    """
    known_base = {} if is_local_base(base) else {"base_model": base, "base_model_relation": relation}
    datasets = [data["name"]] if data.get("name") else None
    fields = {"library_name": "transformers", "datasets": datasets, "tags": tags, **known_base, **fields}
    return ModelCardData(**licence_of(data), **fields)


def fill_card(template: str, metadata: ModelCardData | SpaceCardData, repo: str = "", **fields: Any) -> str:
    """A card from `templates/`.

    Args:
        template: name of the file, without its ending.
        metadata: of `card_metadata`, or of a Space.
        repo: what users load the model by; its last part is the `name` in the template.
        fields: of the template.
    """
    fields = {"repo": repo, "name": repo.rstrip("/").rsplit("/", 1)[-1], **fields}
    card = ModelCard.from_template(metadata, template_path=str(_TEMPLATES / f"{template}.md"), **fields)
    return str(card).rstrip() + "\n"


def _records(folder: Path, adapter_name: str) -> tuple[str, dict[str, Any] | None, dict[str, Any] | None]:
    """The layout of a checkpoint folder, and the training records of its adapter and of its VQ-VAE."""
    if (folder / ADAPTERS_FOLDER).is_dir():
        adapter = read_training_record(folder / ADAPTERS_FOLDER / adapter_name)
        return "thin", adapter, read_training_record(folder / MOTION_VQ_FOLDER)
    return "full", read_training_record(folder), read_record(folder, VQ_RECORD)


def evaluated_data(folder: Path, evaluation: dict[str, Any], adapter_name: str = "default") -> str:
    """Hub id of the dataset that was evaluated on, or its name; older evaluations know only its hash.

    Args:
        folder: of the checkpoint, whose training may have had the same data.
        evaluation: content of `evaluation.json`.
        adapter_name: whose training.
    """
    named = evaluation.get("dataset_id") or evaluation.get("data_name")
    records = [record for record in _records(folder, adapter_name)[1:] if record]
    same = [record.get("data_name") for record in records if record.get("data_sha256") == evaluation.get("data_sha256")]
    return named or next((name for name in same if name), "motion")


def write_evaluation(folder: Path, evaluation: dict[str, Any], model_path: str | None = None) -> None:
    """Put the figures of an evaluation into a checkpoint folder: `evaluation.json`, `.eval_results` and the card.

    A card that somebody wrote or changed keeps its text; only `model-index` in its metadata is set. Where there is
    neither a card nor a training record to make one of, none is written.

    Args:
        folder: thin or full checkpoint, or any folder for figures alone.
        evaluation: of `motionllm evaluate`.
        model_path: as of `render_model_card`.
    """
    _, record, _ = _records(folder, "default")
    dataset = evaluated_data(folder, evaluation)
    with atomic_path(folder / EVALUATION) as temporary:
        temporary.write_text(json.dumps(evaluation, indent=2) + "\n", encoding="utf-8")
    write_eval_results(folder, evaluation, dataset)
    if record is not None and not has_own_card(folder):
        write_model_card(folder, model_path)
    elif (folder / CARD).is_file():
        card = ModelCard.load(folder / CARD)
        card.data.model_name = card.data.model_name or _model_name(folder, model_path)
        card.data.eval_results = eval_results(evaluation, dataset)
        with atomic_path(folder / CARD) as temporary:
            temporary.write_text(str(card), encoding="utf-8")


def _model_name(folder: Path, model_path: str | None) -> str:
    last = (model_path or folder.as_posix()).rstrip("/").rsplit("/", 1)[-1]
    return last if last.strip(".") else folder.resolve().name


def write_model_card(folder: Path, model_path: str | None = None, adapter_name: str = "default") -> Path:
    """Write `README.md` of a checkpoint; arguments and errors as those of `render_model_card`."""
    card = render_model_card(folder, model_path, adapter_name)
    with atomic_path(folder / CARD) as temporary:
        temporary.write_text(card, encoding="utf-8")
    return folder / CARD


def render_model_card(
    folder: Path, model_path: str | None = None, adapter_name: str = "default", layout: str | None = None
) -> str:
    """The card of a checkpoint, or of the full one made of a thin one.

    It tells what the folder's configuration, training records and, if there, `evaluation.json` hold.

    Args:
        folder: thin or full checkpoint.
        model_path: what users load it by; the folder as given by default.
        adapter_name: the adapter of a thin checkpoint whose training is told.
        layout: `thin` or `full`, that of the folder by default.

    Raises:
        MotionLLMError: the folder has no training record.
    """
    folder_layout, record, vq_record = _records(folder, adapter_name)
    if record is None:
        place = f"{ADAPTERS_FOLDER}/{adapter_name}/" if folder_layout == "thin" else ""
        raise MotionLLMError(f"'{folder}' has no {place}{TRAINING_RECORD}; only trained models have one")
    layout = layout or folder_layout
    model_path = model_path or folder.as_posix()
    model_name = _model_name(folder, model_path)
    config = read_record(folder, "config.json") or {}
    processor = read_record(folder, "processor_config.json") or {}
    evaluation = read_evaluation(folder)
    data = data_of(record, vq_record)
    base_model = config.get("base_model_name_or_path")
    measured: dict[str, Any] = {}
    measured_on = "the data above"
    if evaluation is not None:
        dataset = evaluated_data(folder, evaluation, adapter_name)
        measured = {"model_name": model_name, "eval_results": eval_results(evaluation, dataset)}
        if evaluation.get("data_sha256", record["data_sha256"]) != record["data_sha256"]:
            measured_on = f"{dataset} (SHA-256 `{evaluation['data_sha256']}`), not of the data above"
    others, notices = more_data_of(record)
    tags = ["motion", "text-to-motion", "motion-captioning", "human-motion", "vq-vae", "peft", "lora"]
    relation = "adapter" if layout == "thin" else "finetune"
    metadata = card_metadata(data, tags, base_model, relation, pipeline_tag="text-to-3d", language="en", **measured)
    rows_sentence = "" if record.get("frozen_rows") else ", and the new vocabulary rows of the motion tokens"
    card = fill_card(
        "model",
        metadata,
        model_name=model_name,
        model_path=model_path,
        thin=layout == "thin",
        base_model=base_model,
        trained_percent=f"{100 * record['trained_parameters'] / record['language_model_parameters']:.2f}",
        trained_parameters=f"{record['trained_parameters']:,}",
        language_model_parameters=f"{record['language_model_parameters']:,}",
        rows_sentence=rows_sentence,
        data_description=data["description"],
        data_scope=data["scope"],
        data_sentences=data["sentences"],
        actions=_actions(actions_in(folder, adapter_name)),
        license_text=data["license_text"],
        more_data=markdown((["data", "licence", "SHA-256"], others)) if others else "",
        notices=notices,
        max_people=processor.get("max_people", 1),
        max_seconds=f"{processor.get('max_seconds', 10):g}",
        fps=f"{processor.get('fps', HUMANML3D.fps):g}",
        num_joints=skeleton_of_features(processor.get("feature_dim", HUMANML3D.feature_dim)).num_joints,
        evaluation=evaluation,
        measured_on=measured_on,
        judged_by=_judged_by(evaluation or {}),
        sheet=_sheet(folder, evaluation or {}),
        **_tables(evaluation or {}),
        **{name: record[name] for name in ("command", "seed", "hardware", "steps", "train_seconds", "train_loss")},
        data_sha256=record["data_sha256"],
    )
    return mark(card)


def _judged_by(evaluation: dict[str, Any]) -> str:
    """What judged the generated motions, as a sentence of its own; empty where nothing did."""
    if "generation" not in evaluation:
        return ""
    name, data = evaluation["generation"].get("evaluator"), evaluation["generation"].get("evaluator_data_sha256")
    if name == T2M:
        return "The evaluator is the published one of Guo et al. 2022 (T2M), with its authors' weights."
    if name == DEFAULT_EVALUATOR.name:
        record = {} if data else read_training_record(DEFAULT_EVALUATOR) or {}  # older figures do not name its data
        shown, data = f"`checkpoints/{name}` of the code", data or record.get("data_sha256")
    elif name is None:
        return "Which evaluator judged is not recorded."
    else:
        shown = f"`{name}`"
    if data is None:
        return f"The evaluator is {shown}."
    if data == evaluation.get("data_sha256"):
        return f"The evaluator ({shown}) was trained on the train split of the same data."
    return f"The evaluator ({shown}) was trained on other data (SHA-256 `{data}`)."


def _actions(actions: Sequence[KnownAction]) -> str:
    """A table of the most frequent actions, in Markdown, and a line that names the others; empty without any."""
    if not actions:
        return ""
    rows = [f"| {one.action} | {one.motions:,} | {one.example} |" for one in actions[:_MOST_ACTIONS]]
    others = ", ".join(f"{one.action} ({one.motions:,})" for one in actions[_MOST_ACTIONS:])
    table = "\n".join(["| action | motions | for example |", "| --- | --- | --- |", *rows])
    return f"{table}\n\nAnd: {others}." if others else table


def _sheet(folder: Path, evaluation: dict[str, Any]) -> str:
    """The contact sheet's name in the folder; empty where the figures have none."""
    return SHEET if evaluation.get("generation", {}).get("sheet") and (folder / SHEET).is_file() else ""


def _tables(evaluation: dict[str, Any]) -> dict[str, str]:
    """The tables of an evaluation, in Markdown; empty where nothing was measured."""
    parts: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "reconstruction_table": (reconstruction_table, evaluation.get(RECONSTRUCTION)),
        "generation_table": (generation_table, evaluation.get("generation", {}).get("rows")),
        "caption_table": (caption_table, evaluation.get("captioning", {}).get("rows")),
        "scene_table": (scene_table, evaluation.get("scene_generation", {}).get("rows")),
        "scene_caption_table": (scene_caption_table, evaluation.get("scene_captioning", {}).get("rows")),
        "sequence_table": (sequence_table, evaluation.get("sequence_generation", {}).get("rows")),
    }
    return {name: markdown(table(values)) if values else "" for name, (table, values) in parts.items()}
