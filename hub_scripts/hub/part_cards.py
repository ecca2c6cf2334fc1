"""The short cards of repositories of their own: VQ-VAE, adapters, plain language model, converted model, evaluators."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hub_scripts.evaluation.tables import markdown, reconstruction_table
from hub_scripts.hub.card import card_metadata, evaluated_data, fill_card, is_local_base, mark
from hub_scripts.hub.eval_results import RECONSTRUCTION, eval_results, part_of
from hub_scripts.hub.licences import data_of
from hub_scripts.hub.records import CARD, read_evaluation, read_record, read_training_record
from modeling_motionllm.checkpoint_motionllm import ADAPTERS_FOLDER, MOTION_VQ_FOLDER
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion_features import HUMANML3D, skeleton_of_features

__all__ = [
    "render_adapters_card",
    "render_converted_card",
    "render_evaluator_card",
    "render_plain_card",
    "render_vq_card",
    "write_evaluator_card",
]

_TITLES = {"humanml3d": "HumanML3D", "kit": "KIT-ML"}  # of features, by skeleton


def _config(folder: Path) -> dict[str, Any]:
    return read_record(folder, "config.json") or {}


def _features(config: Mapping[str, Any]) -> dict[str, Any]:
    """Words for the features of a model with that configuration: `title`, `width` in columns, and `fps`."""
    skeleton = skeleton_of_features(config.get("input_dim", HUMANML3D.feature_dim))
    return {"title": _TITLES[skeleton.name], "width": skeleton.feature_dim, "fps": f"{skeleton.fps:g}"}


def _shown_base(base: str | None) -> str:
    return "a local folder" if is_local_base(base) else f"`{base}`"


def render_converted_card(base: str, name: str, sums: Mapping[str, str]) -> str:
    """The card of an official checkpoint in our layout.

    Args:
        base: base language model.
        name: of the checkpoint.
        sums: SHA-256 of each source.
    """
    tags = ["motion", "text-to-motion", "motion-captioning", "lora"]
    metadata = card_metadata({"license": "other"}, tags, base, "adapter", pipeline_tag="text-to-3d")
    return fill_card("converted", metadata, name=name, base=base, sums=sums)


def render_plain_card(folder: Path, repo: str, adapter_name: str) -> str:
    """The card of the plain layout of a thin checkpoint."""
    config = _config(folder)
    base = config["base_model_name_or_path"]
    data = data_of(read_training_record(folder / ADAPTERS_FOLDER / adapter_name))
    metadata = card_metadata(data, ["motion", "text-to-motion"], base, pipeline_tag="text-generation")
    return fill_card("plain", metadata, repo, data=data, base=_shown_base(base), **_features(config["motion_config"]))


def render_vq_card(folder: Path, repo: str) -> str:
    """The card of the VQ-VAE of a thin checkpoint, as a repository of its own, with its part of the figures."""
    evaluation = read_evaluation(folder) or {}
    data = data_of(read_training_record(folder / MOTION_VQ_FOLDER))
    results: dict[str, Any] = {}
    measured: dict[str, Any] = {}
    if RECONSTRUCTION in evaluation:
        dataset = evaluated_data(folder, evaluation)
        only_vq = eval_results(part_of(evaluation, RECONSTRUCTION), dataset)
        results = {"model_name": repo.rsplit("/", 1)[-1], "eval_results": only_vq}
        table = markdown(reconstruction_table(evaluation[RECONSTRUCTION]))
        measured = {"measured": table, "split": evaluation["split"], "dataset": dataset}
    metadata = card_metadata(data, ["motion", "human-motion", "vq-vae"], **results)
    return fill_card("vq", metadata, repo, data=data, **_features(_config(folder / MOTION_VQ_FOLDER)), **measured)


def render_adapters_card(folder: Path, repo: str, names: Sequence[str], base: str | None) -> str:
    """The card of the adapters of a thin checkpoint, as a repository of their own."""
    data = data_of(read_training_record(folder / ADAPTERS_FOLDER / names[0]))
    metadata = card_metadata(data, ["motion", "text-to-motion", "lora"], base, "adapter", library_name="peft")
    return fill_card("adapters", metadata, repo, data=data, names=names, base=_shown_base(base))


def render_evaluator_card(folder: Path, path: str) -> str:
    """The card of a trained evaluator, of motions or of scenes, from its `training_record.json`.

    Args:
        folder: of the evaluator.
        path: what users load it by, folder or repository.
    """
    config, record = _config(folder), read_training_record(folder) or {}
    scenes = config.get("num_scene_layers", 0) > 0
    data, measured = data_of(record), record["real_motions"]
    tags = ["motion", "human-motion", "human-interaction" if scenes else "text-to-motion", "evaluation"]
    card = fill_card(
        "scene_evaluator" if scenes else "evaluator",
        card_metadata(data, tags),
        path,
        sentence_model=config["sentence_model"],
        data=data,
        record=record,
        measured=measured,
        columns=list(next(iter(measured.values()))),
        **_features(config),
    )
    return mark(card)


def write_evaluator_card(folder: Path) -> Path:
    """Write `README.md` of a trained evaluator."""
    card = render_evaluator_card(folder, folder.as_posix())
    with atomic_path(folder / CARD) as temporary:
        temporary.write_text(card, encoding="utf-8")
    return folder / CARD
