"""The official checkpoints (Motion-Agent, the paper's ICLR 2025 code) as models of ours.

The official release has `vqvae.pth` (a T2M-GPT VQ-VAE under the key `net`) and `motionllm.pth` (LoRA weights of two
adapters, `t2m` and `m2t`, and the rows of the new tokens, under the names that PEFT gives them). The statistics that
features are normalised with lie beside them as `mean.npy` and `std.npy`.
"""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

from modeling_motionllm.configuration_motionllm import MotionVQConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.motion_features import skeleton_of_features
from modeling_motionllm.new_rows_motionllm import trainable_rows

__all__ = ["convert_llm", "convert_vq", "read_state", "read_statistics"]

_LORA = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<matrix>[AB])\.(?P<adapter>[^.]+)\.weight$")


def read_state(path: Path) -> dict[str, Any]:
    """A file of tensors, read without running anything in it.

    Raises:
        MotionLLMError: it is not there, or holds more than tensors.
    """
    if not path.is_file():
        raise MotionLLMError(f"there is no file '{path}'; get it with the official download_ckpt.sh")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise MotionLLMError(f"'{path}' cannot be read as a file of tensors: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict):
        raise MotionLLMError(f"'{path}' holds {type(state).__name__}; a state dict is needed")
    return state


def _vq_names(stages: int, depth: int) -> dict[str, str]:
    """Our module names to the official ones, for a VQ-VAE with so many stride-2 stages of `depth` residual blocks."""
    names = {"encoder.conv_in": "encoder.model.0", "encoder.conv_out": f"encoder.model.{2 + stages}"}
    names |= {"decoder.conv_in": "decoder.model.0"}
    names |= {"decoder.conv_mid": f"decoder.model.{2 + stages}", "decoder.conv_out": f"decoder.model.{4 + stages}"}
    for stage in range(stages):
        names[f"encoder.down.{stage}"] = f"encoder.model.{2 + stage}.0"
        names[f"decoder.up.{stage}"] = f"decoder.model.{2 + stage}.2"
        for side, place in (("encoder", 1), ("decoder", 0)):
            for block in range(depth):
                official = f"{side}.model.{2 + stage}.{place}.model.{block}"
                names[f"{side}.blocks.{stage}.wide.{block}"] = f"{official}.conv1"
                names[f"{side}.blocks.{stage}.narrow.{block}"] = f"{official}.conv2"
    return names


def convert_vq(state: Mapping[str, Any], mean: np.ndarray, std: np.ndarray) -> MotionVQModel:
    """The official VQ-VAE as a `MotionVQModel`; its sizes are read off the shapes.

    Args:
        state: what `vqvae.pth` holds.
        mean, std: (D,) statistics of the features.

    Raises:
        MotionLLMError: names or shapes that the official network has not got.
    """
    net = state.get("net", state)
    weights = {name.removeprefix("vqvae."): value for name, value in net.items()}
    stages = len({name.split(".")[2] for name in weights if re.fullmatch(r"encoder\.model\.\d+\.0\.weight", name)})
    blocks = [name for name in weights if re.fullmatch(r"encoder\.model\.2\.1\.model\.\d+\.conv1\.weight", name)]
    needed = ("encoder.model.0.weight", "quantizer.codebook")
    if not all(name in weights for name in needed) or not stages or not blocks:
        raise MotionLLMError(
            f"this is no official VQ-VAE: it needs {', '.join(needed)} and stages such as encoder.model.2.0.weight, "
            f"but has {', '.join(sorted(weights)[:4]) or 'nothing'} ..."
        )
    width, features, _ = weights["encoder.model.0.weight"].shape
    skeleton = skeleton_of_features(features)
    size, dim = weights["quantizer.codebook"].shape
    vq = MotionVQModel(
        MotionVQConfig(
            input_dim=features,
            num_joints=skeleton.num_joints,
            fps=skeleton.fps,
            metres_per_unit=skeleton.metres_per_unit,
            width=width,
            depth=len(blocks),
            num_downsampling=stages,
            codebook_size=size,
            code_dim=dim,
        )
    )
    own = vq.state_dict()
    names = {f"{a}.{part}": f"{b}.{part}" for a, b in _vq_names(stages, len(blocks)).items() for part in _PARTS}
    names["quantizer.codebook"] = "quantizer.codebook"
    _compare({ours: own[ours].shape for ours in names}, names, weights, "the VQ-VAE")
    for ours, official in names.items():
        own[ours] = weights[official].float()
    own["quantizer.code_sum"] = own["quantizer.codebook"].clone()
    own["quantizer.initialized"] = torch.tensor(True)
    vq.load_state_dict(own)
    vq.set_normalization(torch.as_tensor(mean, dtype=torch.float32), torch.as_tensor(std, dtype=torch.float32))
    return vq.eval()


_PARTS = ("weight", "bias")


def _compare(shapes: Mapping[str, Any], names: Mapping[str, str], state: Mapping[str, Any], what: str) -> None:
    """Raises MotionLLMError with a report where names or shapes differ."""
    official = {names[ours]: tuple(shape) for ours, shape in shapes.items()}
    missing = [name for name in official if name not in state]
    unknown = [name for name in state if name not in official]
    wrong = [
        f"{name} is {tuple(state[name].shape)}, not {shape}"
        for name, shape in official.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    report = [
        f"{title}: {', '.join(found[:3])}{f' and {len(found) - 3} more' if len(found) > 3 else ''}"
        for title, found in (("missing", missing), ("unknown", unknown), ("of another shape", wrong))
        if found
    ]
    if report:
        raise MotionLLMError(f"{what} does not fit: " + "; ".join(report))


def convert_llm(state: Mapping[str, Any], model: MotionLLMForCausalLM, adapter: str) -> PeftModel:
    """An official adapter around a fresh composite, with the rows of the new tokens.

    Args:
        state: what `motionllm.pth` holds.
        model: composite on the same base; its new rows are overwritten.
        adapter: `t2m` or `m2t`.

    Raises:
        MotionLLMError: the rows or the adapter do not fit the base model.
    """
    trained_rows = _set_new_rows(state, model)
    lora = [(match, value) for name, value in state.items() if (match := _LORA.match(name))]
    chosen = [(match, value) for match, value in lora if match["adapter"] == adapter]
    if not chosen:
        known = sorted({match["adapter"] for match, _ in lora})
        raise MotionLLMError(f"there is no adapter '{adapter}' in the file; it has {', '.join(known) or 'none'}")
    rank = next(value.shape[0] for match, value in chosen if match["matrix"] == "A")
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=rank,  # as in the official options
        target_modules=sorted({match["module"].rpartition(".")[-1] for match, _ in chosen}),
        trainable_token_indices=trained_rows,
    )
    peft_model = get_peft_model(model, config)
    names = {
        f"base_model.model.language_model.{match['module']}.lora_{match['matrix']}.weight": match.string
        for match, _ in chosen
    }
    own = {name.replace(".default.", "."): value for name, value in peft_model.named_parameters() if ".lora_" in name}
    official = {match.string: value for match, value in chosen}
    unmatched = {name: name for name in own if name not in names}
    _compare(
        {name: own.get(name, torch.empty(0)).shape for name in names | unmatched}, names | unmatched, official, adapter
    )
    values = get_peft_model_state_dict(peft_model, save_embedding_layers=False)  # has the new rows already
    values |= {ours: official[name].float() for ours, name in names.items()}
    set_peft_model_state_dict(peft_model, values)
    return peft_model.eval()


def _set_new_rows(state: Mapping[str, Any], model: MotionLLMForCausalLM) -> list[int] | dict[str, list[int]]:
    """Put the rows of the new tokens into the model; returns the rows for PEFT to train."""
    ids = model.motion_vocabulary.ids
    layers: dict[str, Any] = {"embeddings": model.get_input_embeddings(), "lm_head": model.get_output_embeddings()}
    for name, layer in layers.items():
        rows, shape = state.get(name), (len(ids), layer.weight.shape[1])
        if rows is None or tuple(rows.shape) != shape:
            given = "missing" if rows is None else f"{tuple(rows.shape)}"
            raise MotionLLMError(
                f"'{name}' is {given}, not {shape}: give the base model and the VQ-VAE that it was trained with"
            )
        with torch.no_grad():
            layer.weight[ids] = rows.to(layer.weight)
    return trainable_rows(model)


def read_statistics(path: Path) -> np.ndarray:
    """A `mean.npy` or `std.npy`, float (D,).

    Raises:
        MotionLLMError: it cannot be read.
    """
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise MotionLLMError(f"'{path}' cannot be read as an array: {error}") from error
