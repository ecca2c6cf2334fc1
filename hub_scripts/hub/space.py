"""A Space of the Hub: the web app with a checkpoint in it and the code beside it."""

import shutil
import sys
from importlib import metadata
from pathlib import Path

from huggingface_hub import SpaceCardData
from packaging.requirements import Requirement

from hub_scripts.hub.card import fill_card, is_local_base
from hub_scripts.hub.licences import data_of, licence_of
from hub_scripts.hub.records import CARD, read_record, read_training_record
from modeling_motionllm.checkpoint_motionllm import ADAPTERS_FOLDER, MOTION_VQ_FOLDER

__all__ = ["CHECKPOINT", "CODE", "space_requirements", "write_space"]

CHECKPOINT = "checkpoint"  # folder of it in a Space
CODE = ("motionllm", "modeling_motionllm", "tokenization", "hub_scripts")
_GRADIO = "6.31.0"  # where it is not installed here
_APP = f'''"""The web app of motionllm, as Spaces start it."""

import os
import sys
from pathlib import Path

from hub_scripts.cli import main

if __name__ == "__main__":
    port = os.environ.get("GRADIO_SERVER_PORT", "7860")
    folder = Path(__file__).resolve().parent / "{CHECKPOINT}"
    sys.exit(main(["app", "--host", "0.0.0.0", "--port", port, "--model", str(folder)]))
'''


def space_requirements() -> list[str]:
    """Requirements of the app, those of pictures and USD too; without gradio, which a Space names in its card."""
    needed = [Requirement(text) for text in metadata.requires("motionllm") or ()]
    extras: list[dict[str, str]] = [{"extra": extra} for extra in ("", "viz", "usd")]
    kept = [one for one in needed if one.marker is None or any(one.marker.evaluate(extra) for extra in extras)]
    return [f"{one.name}{one.specifier}" for one in kept]


def write_space(folder: Path, target: Path, repo: str, adapter_name: str) -> None:
    """Write the files of a Space.

    The checkpoint goes along as it is where its base model is on the Hub, else with the base merged in.

    Args:
        folder: thin checkpoint.
        target: existing folder.
        repo: `user/name` of the Space.
        adapter_name: to merge, and to tell of.
    """
    from hub_scripts.hub.layouts import LAYOUTS

    base = (read_record(folder, "config.json") or {}).get("base_model_name_or_path")
    inside = target / CHECKPOINT
    inside.mkdir()
    LAYOUTS["full" if is_local_base(base) else "thin"].write(folder, inside, f"{repo}/{CHECKPOINT}", adapter_name)
    source = Path(__file__).resolve().parents[2]
    for name in CODE:
        shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    (target / "app.py").write_text(_APP, encoding="utf-8")
    (target / "requirements.txt").write_text("\n".join(space_requirements()) + "\n", encoding="utf-8")
    records = (folder / ADAPTERS_FOLDER / adapter_name, folder / MOTION_VQ_FOLDER)
    data = data_of(*map(read_training_record, records))
    try:
        gradio = metadata.version("gradio")
    except metadata.PackageNotFoundError:
        gradio = _GRADIO
    card = SpaceCardData(
        title=repo.rsplit("/", 1)[-1],
        sdk="gradio",
        sdk_version=gradio,
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        app_file="app.py",
        models=None if is_local_base(base) else [base],
        tags=["motion", "text-to-motion", "motion-captioning"],
        short_description="Human motion from sentences, and back",
        **licence_of(data),
    )
    (target / CARD).write_text(fill_card("space", card, repo, data=data, gradio=gradio), encoding="utf-8")
