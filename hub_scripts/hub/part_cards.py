"""The short cards of repositories of their own: VQ-VAE, adapters, plain language model, converted model, evaluators."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from hub_scripts.evaluation.tables import markdown, reconstruction_table
from hub_scripts.hub.card import CARD, evaluated_data, is_local_base, read_evaluation
from hub_scripts.hub.card_data import data_of, licence_of
from hub_scripts.hub.card_mark import mark
from hub_scripts.hub.eval_results import RECONSTRUCTION, eval_results, part_of
from hub_scripts.training.trainer import read_training_record
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
_VQ = """---
{metadata}
---

# {name}

A motion VQ-VAE (T2M-GPT, arXiv 2301.06052): {title} features ({width} columns, {fps:g} fps) to discrete codes and \
back. The
motion codes of MotionLLM models ([arXiv 2405.17013](https://arxiv.org/abs/2405.17013)) are its codes.

```python
from transformers import AutoModel

vq = AutoModel.from_pretrained("{repo}", trust_remote_code=True)
codes = vq.encode(features).codes  # features (B, T, {width}), raw
features = vq.decode(codes).features
```

Trained on {data}. Weights: {licence}
{measured}"""

_ADAPTERS = """---
{metadata}
---

# {name}

Adapters of a MotionLLM model ([arXiv 2405.17013](https://arxiv.org/abs/2405.17013)): {names}. Each is LoRA with the
vocabulary rows of the motion tokens, for the base language model `{base}` and the VQ-VAE that it was trained with.

```python
from transformers import AutoModel

# CHECKPOINT is a MotionLLM checkpoint with the same base model and VQ-VAE.
model = AutoModel.from_pretrained(CHECKPOINT, trust_remote_code=True, merge_adapter=False)
model.load_adapter("{repo}", adapter_name="other", adapter_kwargs={{"subfolder": "{folder}/{first}"}})
model.set_adapter("other")
```

Trained on {data}. Weights: {licence}
"""

_EVALUATOR = """---
{metadata}
---

# {name}

A motion-text evaluator. It judges human motion against sentences: motions \
({title} features, {width} columns, {fps:g} fps) and
sentences in one space, and two linear heads that name a motion's content and style. A small transformer encodes
motions; sentences go through the frozen {sentence_model}, which is not in this repository, and a head of two layers.
For R-precision, FID, MM-Dist, diversity and multimodality in the protocol of Guo et al. 2022. Its scores cannot be
compared with scores by another evaluator.

```python
from transformers import AutoModel

evaluator = AutoModel.from_pretrained("{path}", trust_remote_code=True).eval()
judged = evaluator(features, attention_mask)  # features (B, T, {width}), raw
motion = judged.motion_embeds
text = evaluator.encode_text(["a person waves with the left hand"])
content, style = judged.content_logits, judged.style_logits  # (B, 1, classes); names in evaluator.config
```

Trained on the train split of: {data} ({steps} steps, {minutes:.0f} minutes, seed {seed}; `training_record.json`).

What it says of real motions and one of their own captions each, 20 repeats with 95 % intervals:

| | {columns} |
| --- |{rules}
{rows}

Weights: {licence}
"""

_SCENE_EVALUATOR = """---
{metadata}
---

# {name}

A scene-text evaluator. It judges scenes of two and three people against sentences, both in one space: for
R-precision, FID, MM-Dist, diversity and multimodality in the protocol of Guo et al. 2022, as InterGen (Liang et al.
2023) uses it for pairs. Each person's motion (HumanML3D features, 263 columns, 20 fps) goes through the frozen encoder
of the motion-text evaluator. A small transformer sees all people, with where they are and face and who is person 1.
Sentences go through the frozen {sentence_model}, which is not in this repository, and a head of two layers. Another
head names what each person does, from its own motion alone.

**Trained and measured on composed scenes**: the people in them never met. Its scores are scores on composed data and
cannot be compared with scores by another evaluator, such as InterGen's InterCLIP on recorded scenes.

```python
from transformers import AutoModel

evaluator = AutoModel.from_pretrained("{path}", trust_remote_code=True).eval()
# motion (B, P, T, 263), raw; placements (B, P, 3): x, z in metres, heading in radians; mask (B, P, T)
judged = evaluator(motion, mask, placements)
scene = judged.motion_embeds
text = evaluator.encode_text(["one person waves goodbye while the other walks away"])
content = judged.content_logits  # (B, P, contents); names in evaluator.config.contents
```

Trained on the train split of: {data} ({steps} steps, {minutes:.0f} minutes, seed {seed}; `training_record.json`).

What it says of composed scenes and one of their own captions each, 20 repeats with 95 % intervals:

| | {columns} |
| --- |{rules}
{rows}

Weights: {licence}
"""


_PLAIN = """---
{metadata}
---

# {name}

The language model of a MotionLLM model ([arXiv 2405.17013](https://arxiv.org/abs/2405.17013)) alone, with its adapter
merged in: a stock checkpoint for servers, which needs no code of ours. One chat message with a sentence is answered
with motion codes:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{repo}")
model = AutoModelForCausalLM.from_pretrained("{repo}")
message = [{{"role": "user", "content": "a person waves with the left hand"}}]
inputs = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_tensors="pt")
answer = tokenizer.decode(model.generate(**inputs)[0, inputs["input_ids"].shape[1] :])  # <Motion_12>...</Motion>
```

The codes become a motion with the VQ-VAE of the model: `vq.decode(codes)` gives {title} features at {fps:g} frames
per second. A message that holds a motion, `<Motion><Motion_12>...</Motion>`, is answered with its caption. Nothing
here keeps the answer well-formed but what the model has learnt; the whole model has a grammar for that.

Base model: {base}. Trained on {data}. Weights: {licence}
"""


_CONVERTED = """---
{metadata}
---

# {name}

The official MotionLLM / Motion-Agent checkpoint ([arXiv 2405.17013](https://arxiv.org/abs/2405.17013),
[code](https://github.com/szqwu/Motion-Agent)) in the MotionLLM layout: VQ-VAE, two adapters for `{base}`, tokenizer,
prompts with the official wording.

```python
import motionllm  # registers the Auto classes
from transformers import AutoModel, AutoProcessor

processor = AutoProcessor.from_pretrained("{name}")
model = AutoModel.from_pretrained("{name}")  # text-to-motion; adapter_name="m2t" for captioning
motion = processor.decode_motion(model.generate_motion(**processor(text="a person walks forward"), seed=1))[0]
```

Converted from files with these SHA-256 sums: {sums}. The weights were trained by the paper's authors on HumanML3D; the
licences of their release, of that data (AMASS: non-commercial) and of the base model hold.
"""


def _features(config: Mapping[str, Any]) -> dict[str, Any]:
    """Words for the features of a model with that configuration: `title`, `width` in columns, and `fps`."""
    skeleton = skeleton_of_features(config.get("input_dim", HUMANML3D.feature_dim))
    return {"title": _TITLES[skeleton.name], "width": skeleton.feature_dim, "fps": skeleton.fps}


def render_converted_card(base: str, name: str, sums: Mapping[str, str]) -> str:
    """The card of an official checkpoint in our layout.

    Args:
        base: base language model.
        name: of the checkpoint.
        sums: SHA-256 of each source.
    """
    known_base = {} if is_local_base(base) else {"base_model": base, "base_model_relation": "adapter"}
    metadata = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-to-3d",
        license="other",
        tags=["motion", "text-to-motion", "motion-captioning", "lora"],
        **known_base,
    )
    listed = ", ".join(f"{kind} `{value}`" for kind, value in sums.items())
    return _CONVERTED.format(metadata=metadata.to_yaml(), name=name, base=base, sums=listed)


def render_plain_card(folder: Path, repo: str, adapter_name: str) -> str:
    """The card of the plain layout of a thin checkpoint."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    base = config["base_model_name_or_path"]
    data = data_of(read_training_record(folder / ADAPTERS_FOLDER / adapter_name) or {})
    known_base = {} if is_local_base(base) else {"base_model": base, "base_model_relation": "finetune"}
    metadata = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        **licence_of(data),
        tags=["motion", "text-to-motion"],
        **known_base,
    )
    return _PLAIN.format(
        metadata=metadata.to_yaml(),
        name=repo.rsplit("/", 1)[-1],
        repo=repo,
        **_features(config["motion_config"]),
        base="a local folder" if is_local_base(base) else f"`{base}`",
        data=data["description"],
        licence=data["license_text"],
    )


def render_vq_card(folder: Path, repo: str) -> str:
    """The card of the VQ-VAE of a thin checkpoint, as a repository of its own, with its part of the figures."""
    record, evaluation = read_training_record(folder / MOTION_VQ_FOLDER), read_evaluation(folder) or {}
    data, name = data_of(record or {}), repo.rsplit("/", 1)[-1]
    config = json.loads((folder / MOTION_VQ_FOLDER / "config.json").read_text(encoding="utf-8"))
    results: dict[str, Any] = {}
    measured = ""
    if RECONSTRUCTION in evaluation:
        dataset = evaluated_data(folder, evaluation)
        results = {"model_name": name, "eval_results": eval_results(part_of(evaluation, RECONSTRUCTION), dataset)}
        measured = f"\nMeasured on split `{evaluation['split']}` of {dataset}:\n\n"
        measured += markdown(reconstruction_table(evaluation[RECONSTRUCTION])) + "\n"
    metadata = ModelCardData(
        library_name="transformers",
        **licence_of(data),
        datasets=[data["name"]] if data["name"] else None,
        tags=["motion", "human-motion", "vq-vae"],
        **results,
    )
    return _VQ.format(
        metadata=metadata.to_yaml(),
        name=name,
        repo=repo,
        **_features(config),
        data=data["description"],
        licence=data["license_text"],
        measured=measured,
    )


def render_adapters_card(folder: Path, repo: str, names: Sequence[str], base: str | None) -> str:
    """The card of the adapters of a thin checkpoint, as a repository of their own."""
    data = data_of(read_training_record(folder / ADAPTERS_FOLDER / names[0]) or {})
    known_base = {} if is_local_base(base) else {"base_model": base, "base_model_relation": "adapter"}
    metadata = ModelCardData(
        library_name="peft", **licence_of(data), tags=["motion", "text-to-motion", "lora"], **known_base
    )
    return _ADAPTERS.format(
        metadata=metadata.to_yaml(),
        name=repo.rsplit("/", 1)[-1],
        repo=repo,
        names=", ".join(f"`{name}`" for name in names),
        base="a local folder" if is_local_base(base) else base,
        folder=ADAPTERS_FOLDER,
        first=names[0],
        data=data["description"],
        licence=data["license_text"],
    )


def render_evaluator_card(folder: Path, path: str) -> str:
    """The card of a trained evaluator, of motions or of scenes, from its `training_record.json`.

    Args:
        folder: of the evaluator.
        path: what users load it by, folder or repository.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    scenes = config.get("num_scene_layers", 0) > 0
    record = read_training_record(folder) or {}
    data, measured = data_of(record), record["real_motions"]
    columns = list(next(iter(measured.values())))
    rows = [
        f"| {split} | "
        + " | ".join(f"{row[name]['mean']:.3f} ± {row[name]['interval']:.3f}" for name in columns)
        + " |"
        for split, row in measured.items()
    ]
    metadata = ModelCardData(
        library_name="transformers",
        **licence_of(data),
        datasets=[data["name"]] if data["name"] else None,
        tags=["motion", "human-motion", "human-interaction" if scenes else "text-to-motion", "evaluation"],
    )
    card = (_SCENE_EVALUATOR if scenes else _EVALUATOR).format(
        metadata=metadata.to_yaml(),
        name=path.rstrip("/").rsplit("/", 1)[-1],
        path=path,
        sentence_model=config["sentence_model"],
        **_features(config),
        data=data["description"],
        steps=record["steps"],
        minutes=record["train_seconds"] / 60,
        seed=record["seed"],
        columns=" | ".join(columns),
        rules=" --- |" * len(columns),
        rows="\n".join(rows),
        licence=data["license_text"],
    )
    return mark(card)


def write_evaluator_card(folder: Path) -> Path:
    """Write `README.md` of a trained evaluator."""
    card = render_evaluator_card(folder, folder.as_posix())
    with atomic_path(folder / CARD) as temporary:
        temporary.write_text(card, encoding="utf-8")
    return folder / CARD
