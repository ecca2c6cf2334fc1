"""The files of each Hub layout, made from a thin checkpoint."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import motionllm  # registers the Auto classes
from hub_scripts.hub.card import evaluated_data, has_own_card, is_local_base, render_model_card
from hub_scripts.hub.eval_results import EVAL_RESULTS, RECONSTRUCTION, RESULT_FILES, part_of, write_eval_results
from hub_scripts.hub.licences import redistribution_obstacle
from hub_scripts.hub.part_cards import render_adapters_card, render_evaluator_card, render_vq_card
from hub_scripts.hub.pickled import is_pickled
from hub_scripts.hub.plain import write_plain
from hub_scripts.hub.records import (
    ACTIONS,
    CARD,
    EVALUATION,
    SHEET,
    TRAINING_RECORD,
    VQ_RECORD,
    read_evaluation,
    read_record,
)
from hub_scripts.hub.space import CHECKPOINT, CODE, write_space
from modeling_motionllm.checkpoint_motionllm import (
    ADAPTERS_FOLDER,
    MOTION_VQ_FOLDER,
    remove_code,
    save_processor,
    save_shared_parts,
)
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.strict_motionllm import StrictPreTrainedModel

__all__ = [
    "LAYOUTS",
    "Layout",
    "check_evaluator",
    "check_licence",
    "check_public_base",
    "check_thin_checkpoint",
    "layout_files",
]

_WEIGHTS = "model.safetensors"
_HANDLER = "handler.py"  # for Inference Endpoints
# What lies at the root of a repository because an earlier push put it there.
_OWNED = (".safetensors", ".safetensors.index.json", ".py", "SHA256SUMS")
# What an earlier push says of its weights does not hold for others.
_FIGURES = (EVALUATION, SHEET, ACTIONS, *RESULT_FILES)


@dataclass(frozen=True)
class Layout:
    """A way to lay out a repository.

    Args:
        write: (folder, target, repo, adapter name): puts the files into `target`.
        owns_folders: folders that a repository must not keep from an earlier push of another layout.
        whole: whether it is a whole repository; else it is added to what is there, and the card there stays.
        kind: of the repository, as the Hub calls it.
    """

    write: Callable[[Path, Path, str, str], None]
    owns_folders: tuple[str, ...] = ()
    whole: bool = True
    kind: str = "model"

    def stale(self, remote: Sequence[str], files: Mapping[str, object]) -> list[str]:
        """Files of the repository that an earlier push left and that would mislead a reader of this layout."""
        if not self.whole:
            return []
        gone = [name for name in remote if name not in files]
        return [
            name
            for name in gone
            if ("/" not in name and name.endswith(_OWNED))
            or name in _FIGURES
            or name.startswith(tuple(f"{x}/" for x in self.owns_folders))
        ]


def _read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a folder, empty where there is none.

    Raises:
        MotionLLMError: there is no such folder.
    """
    if not folder.is_dir():
        raise MotionLLMError(f"there is no folder '{folder}'; give a checkpoint such as runs/motionllm/final")
    return read_record(folder, "config.json") or {}


def check_evaluator(folder: Path) -> dict[str, Any]:
    """The configuration of an evaluator that others can use.

    Raises:
        MotionLLMError: it is none, something is missing, or its sentence encoder is a folder of this machine.
    """
    config = _read_config(folder)
    if config.get("model_type") != "motion_text_evaluator":
        raise MotionLLMError(
            f"'{folder}' holds no evaluator (model type in config.json: {config.get('model_type')}); give what "
            "`motionllm train-evaluator` wrote"
        )
    missing = [name for name in (_WEIGHTS, TRAINING_RECORD) if not (folder / name).is_file()]
    if missing:
        raise MotionLLMError(f"'{folder}' is no whole evaluator: {', '.join(missing)} is missing")
    if is_local_base(config["sentence_model"]):
        raise MotionLLMError(
            f"'{folder}' names the folder '{config['sentence_model']}' as its sentence encoder, which nobody else has; "
            "train with --sentence_model of the Hub"
        )
    return config


def check_thin_checkpoint(folder: Path, adapter_name: str = "default") -> dict[str, Any]:
    """The configuration of a thin checkpoint that has everything it needs.

    Raises:
        MotionLLMError: something is missing, or it is no thin checkpoint.
    """
    config = _read_config(folder)
    kind = config.get("model_type")
    if kind != "motionllm":
        hint = "; add --evaluator" if kind == "motion_text_evaluator" else ""
        raise MotionLLMError(f"'{folder}' holds no MotionLLM checkpoint (model type in config.json: {kind}){hint}")
    if (folder / _WEIGHTS).is_file() or (folder / f"{_WEIGHTS}.index.json").is_file():
        raise MotionLLMError(f"'{folder}' is a full checkpoint; give the thin one that `motionllm train` wrote")
    needed = ["processor_config.json", "tokenizer.json", f"{MOTION_VQ_FOLDER}/{_WEIGHTS}"]
    needed += [
        f"{ADAPTERS_FOLDER}/{adapter_name}/{name}" for name in ("adapter_config.json", "adapter_model.safetensors")
    ]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise MotionLLMError(f"'{folder}' is no whole MotionLLM checkpoint: {', '.join(missing)} is missing")
    return config


def check_public_base(folder: Path) -> None:
    """Refuse a thin checkpoint for others whose base model is a folder of this machine.

    Raises:
        MotionLLMError: it is.
    """
    base = _read_config(folder).get("base_model_name_or_path")
    if is_local_base(base):
        raise MotionLLMError(
            f"'{folder}' names the folder '{base}' as its base model, which nobody else has; push it with --layout "
            "full, or train on a base model of the Hub"
        )


def layout_files(target: Path) -> dict[str, Path]:
    """Path in the repository to local file, for everything in a folder.

    Raises:
        MotionLLMError: it holds pickled files.
    """
    files = {path.relative_to(target).as_posix(): path for path in sorted(target.rglob("*")) if path.is_file()}
    pickled = [name for name, path in files.items() if is_pickled(path)]
    if pickled:
        raise MotionLLMError(f"the folder holds {pickled[0]}, which readers would have to unpickle; remove it first")
    return files


def _copy(source: Path, target: Path) -> None:
    def ignored(folder: str, names: list[str]) -> set[str]:
        hidden = (name for name in names if name.startswith(".") and name != EVAL_RESULTS)
        return {*hidden, *(name for name in names if name == "__pycache__")}

    shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)


def _write_card(folder: Path, target: Path, render: Callable[[], str]) -> None:
    """Our card; one that somebody wrote or changed stays as it is."""
    if has_own_card(folder):
        shutil.copyfile(folder / CARD, target / CARD)
    else:
        (target / CARD).write_text(render(), encoding="utf-8")


def _write_results(folder: Path, target: Path, only: str | None = None) -> None:
    """The figures of a checkpoint, or of one part, as the Hub reads them; from `evaluation.json`, as the card's."""
    evaluation = read_evaluation(folder)
    if evaluation is not None and (only is None or only in evaluation):
        part = evaluation if only is None else part_of(evaluation, only)
        write_eval_results(target, part, evaluated_data(folder, evaluation))


def _copy_records(folder: Path, target: Path, records: Mapping[str, str]) -> None:
    for source, name in records.items():
        if (folder / source).is_file():
            shutil.copyfile(folder / source, target / name)


_Model = TypeVar("_Model", bound=StrictPreTrainedModel)


def _load_whole(model_class: type[_Model], folder: Path) -> _Model:
    """A model whose weight file holds exactly its tensors.

    Raises:
        MotionLLMError: the file has others, or lacks some: it belongs to another class or configuration.
    """
    model, info = model_class.from_pretrained(folder, output_loading_info=True)
    strange, missing = sorted(info["unexpected_keys"]), sorted(info["missing_keys"])
    strange += sorted(str(key) for key in info["mismatched_keys"])
    if strange or missing:
        raise MotionLLMError(
            f"{_WEIGHTS} of '{folder}' does not fit its config.json: {len(strange)} tensors have no place in "
            f"{model_class.__name__} and {len(missing)} of its own are missing ({(strange + missing)[0]} ...); nothing "
            "was written, train it again or put the right file there"
        )
    return model


def _write_thin(folder: Path, target: Path, repo: str, adapter_name: str) -> None:
    _copy(folder, target)
    # The code is this package's, whatever lay in the folder.
    remove_code(target)
    config = motionllm.MotionLLMConfig.from_pretrained(target)
    motion_vq = _load_whole(motionllm.MotionVQModel, target / MOTION_VQ_FOLDER)
    processor = motionllm.MotionLLMProcessor.from_pretrained(target)
    save_shared_parts(target, motionllm.MotionLLMForCausalLM, config, motion_vq, processor)
    _write_results(folder, target)
    _write_card(folder, target, lambda: render_model_card(folder, repo, adapter_name, "thin"))


def _write_full(folder: Path, target: Path, repo: str, adapter_name: str) -> None:
    model = motionllm.MotionLLMForCausalLM.from_pretrained(folder, adapter_name=adapter_name)
    if is_local_base(model.config.base_model_name_or_path):
        model.config.base_model_name_or_path = None
    model.save_pretrained(target)
    save_processor(motionllm.MotionLLMProcessor.from_pretrained(folder), target)
    shutil.copyfile(Path(__file__).with_name("templates") / _HANDLER, target / _HANDLER)
    records = {
        f"{ADAPTERS_FOLDER}/{adapter_name}/{TRAINING_RECORD}": TRAINING_RECORD,
        f"{ADAPTERS_FOLDER}/{adapter_name}/{ACTIONS}": ACTIONS,
        f"{MOTION_VQ_FOLDER}/{TRAINING_RECORD}": VQ_RECORD,
        EVALUATION: EVALUATION,
        SHEET: SHEET,
    }
    _copy_records(folder, target, records)
    _write_results(folder, target)
    _write_card(folder, target, lambda: render_model_card(folder, repo, adapter_name, "full"))


def _write_adapters(folder: Path, target: Path, repo: str, adapter_name: str) -> None:
    base = check_thin_checkpoint(folder, adapter_name)["base_model_name_or_path"]
    _copy(folder / ADAPTERS_FOLDER, target / ADAPTERS_FOLDER)
    names = sorted(path.name for path in (target / ADAPTERS_FOLDER).iterdir())
    (target / CARD).write_text(render_adapters_card(folder, repo, names, base), encoding="utf-8")


def _write_vq(folder: Path, target: Path, repo: str, adapter_name: str) -> None:
    check_thin_checkpoint(folder, adapter_name)
    _load_whole(motionllm.MotionVQModel, folder / MOTION_VQ_FOLDER).save_pretrained(target)
    _copy_records(folder / MOTION_VQ_FOLDER, target, {TRAINING_RECORD: TRAINING_RECORD})
    _write_results(folder, target, only=RECONSTRUCTION)
    (target / CARD).write_text(render_vq_card(folder, repo), encoding="utf-8")


def _write_evaluator(folder: Path, target: Path, repo: str, adapter_name: str) -> None:
    check_evaluator(folder)
    _load_whole(motionllm.MotionTextEvaluator, folder).save_pretrained(target)
    _copy_records(folder, target, {TRAINING_RECORD: TRAINING_RECORD})
    _write_card(folder, target, lambda: render_evaluator_card(folder, repo))


def check_licence(folder: Path, adapter_name: str) -> None:
    """Refuse a full checkpoint whose base model must not be handed on.

    Raises:
        MotionLLMError: the licence of the base model forbids it.
    """
    config = check_thin_checkpoint(folder, adapter_name)
    base = config["base_model_name_or_path"]
    licence = redistribution_obstacle(base, (config.get("text_config") or {}).get("model_type"))
    if licence is not None:
        raise MotionLLMError(
            f"the base model '{base}' is under the {licence}, which does not let everybody hand on its weights; push "
            "--layout thin, or add --allow-forbidden-license if you may"
        )


LAYOUTS = {
    "thin": Layout(_write_thin),
    "full": Layout(_write_full, owns_folders=(MOTION_VQ_FOLDER, ADAPTERS_FOLDER)),
    "adapters": Layout(_write_adapters, whole=False),
    "vq": Layout(_write_vq),
    "evaluator": Layout(_write_evaluator),
    "plain": Layout(write_plain, owns_folders=(MOTION_VQ_FOLDER, ADAPTERS_FOLDER)),
    "space": Layout(write_space, owns_folders=(CHECKPOINT, *CODE), kind="space"),
}
