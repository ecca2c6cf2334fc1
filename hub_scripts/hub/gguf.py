"""The plain layout as one GGUF file, for llama.cpp and what is built on it (gguf.md of github.com/ggml-org/ggml)."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from hub_scripts.hub.plain import write_plain
from hub_scripts.hub.records import ACTIONS
from modeling_motionllm.checksums_motionllm import tensors_sha256
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.vocabulary_motionllm import MOTION_END

__all__ = ["DTYPES", "WEIGHTS_KEY", "check_architecture", "write_gguf", "write_gguf_layout"]

# Name of the matrices' type: that of GGML, and the number of the whole file's type in llama.cpp.
DTYPES = {"f32": ("F32", 0), "f16": ("F16", 1), "q8_0": ("Q8_0", 7)}
# Where a file says which float32 weights it was made of (`tensors_sha256`).
WEIGHTS_KEY = "motionllm.weights_sha256"
_LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_CARD = """
## GGUF

`{file}` is the whole language model with its tokenizer and chat template:

```bash
llama-server --model {file} --jinja --temp 0
```

Sentences go in as chat requests and come back as `<Motion_12><Motion_345>...`, as above.
"""


def write_gguf_layout(folder: Path, target: Path, repo: str, adapter_name: str, dtype: str) -> None:
    """Write the plain layout of a thin checkpoint as a GGUF file and a card.

    Args:
        folder: thin checkpoint.
        target: existing folder to write into.
        repo: name of the repository, which the file gets too.
        adapter_name: which adapter is merged in.
        dtype: of `DTYPES`.

    Raises:
        MotionLLMError: the language model or its tokenizer is of a kind that is not written.
    """
    plain = target / "plain"
    plain.mkdir()
    check_architecture(json.loads((folder / "config.json").read_text(encoding="utf-8"))["text_config"])
    write_plain(folder, plain, repo, adapter_name)
    file = target / f"{repo.rsplit('/', 1)[-1]}-{dtype}.gguf"
    write_gguf(plain, file, dtype)
    card = (plain / "README.md").read_text(encoding="utf-8")
    (target / "README.md").write_text(card + _CARD.format(file=file.name), encoding="utf-8")
    if (plain / ACTIONS).is_file():
        shutil.copyfile(plain / ACTIONS, target / ACTIONS)
    shutil.rmtree(plain)


def check_architecture(config: Mapping[str, Any]) -> None:
    """Raises:
    MotionLLMError: the configuration is not that of a Llama, or of one that GGUF says nothing about.
    """
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", "default")
    obstacle = None
    if config.get("model_type") != "llama":
        obstacle = f"of the type '{config.get('model_type')}'"
    elif kind != "default":
        obstacle = f"a Llama with '{kind}' rotary frequencies"
    elif config.get("attention_bias") or config.get("mlp_bias"):
        obstacle = "a Llama with biases"
    elif config.get("hidden_act", "silu") != "silu":
        obstacle = f"a Llama with the activation '{config['hidden_act']}'"
    if obstacle is not None:
        raise MotionLLMError(
            f"GGUF is written of Llama-type language models such as SmolLM2, this one is {obstacle}; write the plain "
            "layout (motionllm export --layout plain) and convert it with llama.cpp's convert_hf_to_gguf.py"
        )


def write_gguf(plain: Path, file: Path, dtype: str, name: str | None = None) -> None:
    """Convert a folder of the plain layout.

    Norms stay in float32; a matrix whose rows do not divide into blocks of 32 is written as f16 instead of q8_0.

    Args:
        plain: folder with config.json, safetensors weights, tokenizer.json and the chat template.
        file: the .gguf to write.
        dtype: of `DTYPES`.
        name: of the model, in the file's header; its file name if not given.

    Raises:
        MotionLLMError: unknown dtype, or the language model or its tokenizer is of a kind that is not written.
    """
    import gguf

    if dtype not in DTYPES:
        raise MotionLLMError(f"--dtype is '{dtype}'; choose one of {', '.join(DTYPES)}")
    config = json.loads((plain / "config.json").read_text(encoding="utf-8"))
    check_architecture(config)
    kind, file_type = DTYPES[dtype]
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    head_dim = config.get("head_dim") or hidden // heads
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_type("model")
    writer.add_name(name or file.stem)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    rope = config.get("rope_parameters") or {}
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    _add_tokenizer(writer, plain, config["vocab_size"])
    writer.add_string(WEIGHTS_KEY, tensors_sha256(_weights(plain, config)))
    for tensor, weight in _tensors(plain, config):
        matrix = weight.ndim == 2
        wanted = gguf.GGMLQuantizationType[kind if matrix else "F32"]
        if wanted == gguf.GGMLQuantizationType.Q8_0 and weight.shape[1] % gguf.GGML_QUANT_SIZES[wanted][0]:
            wanted = gguf.GGMLQuantizationType.F16
        writer.add_tensor(tensor, gguf.quants.quantize(weight, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _weights(plain: Path, config: Mapping[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and weights, without an output head that is the embeddings."""
    with ExitStack() as stack:
        files = [stack.enter_context(safe_open(path, framework="pt")) for path in plain.glob("*.safetensors")]
        holder = {name: file for file in files for name in file.keys()}  # noqa: SIM118  they are no dicts
        for name in sorted(holder):
            if name != "lm_head.weight" or not config.get("tie_word_embeddings"):
                yield name, holder[name].get_tensor(name)


def _tensors(plain: Path, config: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Names in GGUF and float32 weights."""
    heads = config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads") or heads
    for name, tensor in _weights(plain, config):
        module = name.removesuffix(".weight")
        if module in _OUTER:
            target = _OUTER[module]
        elif module.startswith("model.layers."):
            number, _, part = module.removeprefix("model.layers.").partition(".")
            target = f"blk.{number}.{_LAYER[part]}"
        else:
            raise MotionLLMError(f"the language model has a weight '{name}', which a Llama has not")
        weight = tensor.to(torch.float32).numpy()
        if target.endswith((".attn_q", ".attn_k")):
            weight = _interleaved(weight, heads if target.endswith("q") else kv_heads)
        yield f"{target}.weight", weight


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows (heads * head_dim, in) with the two halves that rotary embedding pairs side by side, as ggml turns them.

    transformers pairs row i of a head with row i + head_dim / 2, ggml row 2 i with row 2 i + 1.
    """
    halves = weight.reshape(heads, 2, -1, weight.shape[1])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(weight.shape)


def _add_tokenizer(writer: Any, plain: Path, size: int) -> None:
    """Tokens, merges, special ids and chat template; the added tokens are user-defined, so that they print."""
    import gguf
    from transformers import AutoTokenizer

    state = json.loads((plain / "tokenizer.json").read_text(encoding="utf-8"))
    pre = _pre_tokenizer_name(state)
    model = state["model"]
    tokens = [f"[PAD{number}]" for number in range(size)]
    types = [gguf.TokenType.UNUSED] * size
    for token, number in model["vocab"].items():
        tokens[number], types[number] = token, gguf.TokenType.NORMAL
    for entry in state["added_tokens"]:
        tokens[entry["id"]] = entry["content"]
        types[entry["id"]] = gguf.TokenType.CONTROL if entry["special"] else gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]])
    tokenizer = AutoTokenizer.from_pretrained(plain)
    for name, add in (
        ("bos", writer.add_bos_token_id),
        ("eos", writer.add_eos_token_id),
        ("unk", writer.add_unk_token_id),
        ("pad", writer.add_pad_token_id),
    ):
        if getattr(tokenizer, f"{name}_token_id") is not None:
            add(getattr(tokenizer, f"{name}_token_id"))
    # llama.cpp stops at it as at the end of a text.
    writer.add_eot_token_id(tokenizer.convert_tokens_to_ids(MOTION_END))
    # The chat template says where the begin-of-text token goes.
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _pre_tokenizer_name(state: Mapping[str, Any]) -> str:
    """What llama.cpp calls the way a byte-level tokenizer cuts text before merging.

    Raises:
        MotionLLMError: the tokenizer is another one.
    """
    parts = state.get("pre_tokenizer") or {}
    steps = parts["pretokenizers"] if parts.get("type") == "Sequence" else [parts]
    kinds = [step.get("type") for step in steps]
    plain_bytes = (
        kinds[-1:] == ["ByteLevel"] and not steps[-1].get("add_prefix_space") and steps[-1].get("use_regex", True)
    )
    if state["model"]["type"] == "BPE" and not state.get("normalizer") and plain_bytes:
        if kinds == ["ByteLevel"]:
            return "gpt-2"
        if kinds == ["Digits", "ByteLevel"] and steps[0].get("individual_digits"):
            return "smollm"
    raise MotionLLMError(
        "GGUF is written with byte-level BPE tokenizers that cut text as GPT-2's or SmolLM's do; write the plain "
        "layout (motionllm export --layout plain) and convert it with llama.cpp's convert_hf_to_gguf.py"
    )
