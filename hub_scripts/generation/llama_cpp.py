"""llama.cpp as an engine of `generate_motion`: the language model runs there, from a GGUF file (llama-cpp-python)."""

import ctypes
import logging
import weakref
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from huggingface_hub import cached_assets_path

from hub_scripts.hub.gguf import WEIGHTS_KEY, check_architecture, write_gguf
from hub_scripts.hub.plain import save_plain
from modeling_motionllm.checksums_motionllm import tensors_sha256
from modeling_motionllm.decoding_motionllm import MotionRequest
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder, temporary_folder
from modeling_motionllm.vocabulary_motionllm import motion_token_names

if TYPE_CHECKING:
    from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["LlamaCppEngine", "cached_gguf", "llama_cpp_library"]

_TOKENS_AT_ONCE = 512  # of prompts
_F32 = 0  # both a type of tensors in ggml and a type of files in llama.cpp


@cache
def llama_cpp_library() -> ModuleType:
    """The package llama_cpp, silenced.

    Raises:
        MotionLLMError: it is not installed.
    """
    try:
        import llama_cpp
    except ImportError as error:
        raise MotionLLMError(
            f"--engine llama.cpp needs the package llama-cpp-python ({error}); pip install 'motionllm[llama-cpp]', "
            "which builds it from source with cmake and a C++ compiler, in ten minutes or so"
        ) from error
    logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
    return llama_cpp


def _weights_sha256(model: "MotionLLMForCausalLM") -> str:
    """Of the language model, as `write_gguf` notes it."""
    config = model.language_model.config
    state = sorted(model.language_model.state_dict().items())
    return tensors_sha256(item for item in state if item[0] != "lm_head.weight" or not config.tie_word_embeddings)


def cached_gguf(model: "MotionLLMForCausalLM", processor: "MotionLLMProcessor", dtype: str) -> Path:
    """The GGUF file of a model's language model in the Hugging Face cache, written if it is not there.

    Args:
        model: `MotionLLMForCausalLM` in float32, its adapter merged.
        processor: its `MotionLLMProcessor`.
        dtype: see `write_gguf`.

    Raises:
        MotionLLMError: the language model or its tokenizer is of a kind that is not written.
    """
    check_architecture(model.language_model.config.to_dict())
    weights = _weights_sha256(model)
    folder = cached_assets_path("motionllm", namespace="gguf", subfolder=weights[:16])
    file = folder / f"{dtype}.gguf"
    if not file.is_file():
        print(f"motionllm: writing the language model once as {file}", flush=True)
        ensure_folder(folder)
        with atomic_path(file) as temporary, temporary_folder(folder / "plain") as plain:
            save_plain(model, processor, plain)
            write_gguf(plain, temporary, dtype, name=f"motionllm-{weights[:8]}-{dtype}")
    return file


class LlamaCppEngine:
    """A `MotionEngine`: `model.generate_motion(..., engine=LlamaCppEngine(file, model))`.

    Grammar, guidance and sampling are those of every engine; llama.cpp gives the logits alone, on as many threads as
    torch has. The file may come from elsewhere (llama.cpp's own converter and quantiser), as long as its tokens are the
    model's; one of `motionllm export` must also be made of the model's weights.

    Args:
        file: GGUF of the model's language model.
        model: `MotionLLMForCausalLM`, in float32, which reads the codes.

    Raises:
        MotionLLMError: llama-cpp-python is not installed, or the file is not there, cannot be read, or is of another
            model.
    """

    def __init__(self, file: str | Path, model: "MotionLLMForCausalLM"):
        self.library = library = llama_cpp_library()
        if not Path(file).is_file():
            raise MotionLLMError(f"there is no GGUF file '{file}'; write one with motionllm export --format gguf")
        params = library.llama_model_default_params()
        params.n_gpu_layers = 0 if model.device.type == "cpu" else -1
        self.model = library.llama_model_load_from_file(str(file).encode(), params)
        if not self.model:
            raise MotionLLMError(
                f"llama.cpp cannot read '{file}': it is damaged, or no GGUF of a language model it has"
            )
        self._free = weakref.finalize(self, library.llama_model_free, self.model)
        self.vocab = library.llama_model_get_vocab(self.model)
        self.vocab_size = library.llama_vocab_n_tokens(self.vocab)
        self._check(file, model)

    def __call__(self, request: MotionRequest) -> "_Decoder":
        return _Decoder(self, request)

    @property
    def weight_bytes(self) -> int:
        """Size of the file's tensors."""
        return self.library.llama_model_size(self.model)

    def metadata(self, key: str) -> str | None:
        """A value of the file's header, as text."""
        buffer = ctypes.create_string_buffer(256)
        size = self.library.llama_model_meta_val_str(self.model, key.encode(), buffer, len(buffer))
        return None if size < 0 else buffer.value.decode()

    def _check(self, file: str | Path, model: "MotionLLMForCausalLM") -> None:
        vocabulary = model.motion_vocabulary
        names = motion_token_names(vocabulary.codebook_size)
        for number, name in zip(vocabulary.motion_ids, names, strict=True):
            inside = number < self.vocab_size
            found = self.library.llama_vocab_get_text(self.vocab, number).decode() if inside else "nothing"
            if found != name:
                raise MotionLLMError(
                    f"'{file}' has another vocabulary than the model: token {number} is {found}, not {name}; take "
                    "--engine llama.cpp, or export the model again"
                )
        weights = self.metadata(WEIGHTS_KEY)
        if weights is not None and weights != _weights_sha256(model):
            raise MotionLLMError(
                f"'{file}' was made of other weights (SHA-256 {weights[:12]}...) than the model has; take "
                "--engine llama.cpp, give the checkpoint it was exported from, or export the model again"
            )


class _Decoder:
    """One request: a sequence of llama.cpp for each row and context, side by side, in one context of its own."""

    def __init__(self, engine: LlamaCppEngine, request: MotionRequest):
        self.engine, self.library, self.request = engine, engine.library, request
        self.contexts = 2 if request.guided else 1
        self.count, limit = request.rows * self.contexts, self.library.llama_max_parallel_sequences()
        if self.count > limit:
            raise MotionLLMError(
                f"llama.cpp decodes at most {limit} sequences at once; {self.count} are asked for, guidance counting "
                "twice: take smaller batches (--batch-size)"
            )
        self.ids = np.array(request.vocabulary.motion_ids)

    def begin(self, bare: list[list[int]] | None) -> torch.Tensor:
        request, each, contexts = self.request, self.request.copies, self.contexts
        mask = torch.ones_like(request.input_ids) if request.attention_mask is None else request.attention_mask
        prompts = [ids[real.bool()].tolist() for ids, real in zip(request.input_ids.cpu(), mask.cpu(), strict=True)]
        self._open(max(_TOKENS_AT_ONCE, self.count, *map(len, prompts)))
        scores = np.empty((request.rows, contexts, len(self.ids)), dtype=np.float32)
        self.places = np.empty((request.rows, contexts), dtype=np.int32)
        own = range(0, self.count, each * contexts)  # sequence of each prompt's first sample
        read = self._prefill(list(zip(own, prompts, strict=True)))
        scores[:, 0] = read.repeat(each, axis=0)
        self.places[:, 0] = np.repeat([len(prompt) for prompt in prompts], each)
        if bare is not None:
            without = self._prefill([(number + 1, ids) for number, ids in zip(own, bare, strict=True)])
            scores[:, 1] = without.repeat(each, axis=0)
            self.places[:, 1] = np.repeat([len(ids) for ids in bare], each)
        for row in range(request.rows):
            self._copy(own[row // each], row * contexts)
            if bare is not None:
                self._copy(own[row // each] + 1, row * contexts + 1)
        return self._tensor(scores)

    def step(self, ids: torch.Tensor) -> torch.Tensor:
        contexts = self.contexts
        tokens = ids.repeat_interleave(contexts).tolist()
        logits = self._decode(tokens, self.places.ravel(), range(len(tokens)), range(len(tokens)))
        self.places += 1
        return self._tensor(logits.reshape(-1, contexts, len(self.ids)))

    def keep(self, alive: torch.Tensor) -> torch.Tensor:
        # Live sequences stay without gaps, the last ones moving into them: llama.cpp reads such in one go.
        live = alive.cpu().numpy()
        index = live.nonzero()[0]
        order = np.arange(len(index))
        holes = (~live[: len(index)]).nonzero()[0]
        order[holes] = index[index >= len(index)]
        for hole in holes.tolist():
            for context in range(self.contexts):
                self._copy(int(order[hole]) * self.contexts + context, hole * self.contexts + context)
        memory = self.library.llama_get_memory(self.context)
        for sequence in range(len(index) * self.contexts, len(live) * self.contexts):
            self.library.llama_memory_seq_rm(memory, sequence, -1, -1)
        self.places = self.places[order]
        return torch.from_numpy(order).to(alive.device)

    def close(self) -> None:
        if hasattr(self, "_free"):
            self._free()

    def _open(self, tokens: int) -> None:
        """A context for the sequences, each with a cache of its own, and room for `tokens` at once."""
        library = self.library
        params = library.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = self.request.longest * self.count, self.count, False
        params.n_batch = params.n_ubatch = tokens
        params.n_outputs_max = self.count
        params.n_threads = params.n_threads_batch = torch.get_num_threads()
        if self.engine.metadata("general.file_type") == str(_F32):
            # Keys and values, and flash attention in any case, are in half precision otherwise.
            params.type_k = params.type_v = _F32
            params.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = library.llama_init_from_model(self.engine.model, params)
        if not self.context:
            raise MotionLLMError(
                f"llama.cpp has no room for {self.count} sequences of {self.request.longest} tokens; take smaller "
                "batches (--batch-size)"
            )
        self.batch = library.llama_batch_init(tokens, 0, 1)
        self.tokens = tokens
        self._free = weakref.finalize(self, _free, library, self.context, self.batch)

    def _prefill(self, prompts: list[tuple[int, list[int]]]) -> np.ndarray:
        """Read prompts into their sequences, many at once. Returns logits (prompts, V) after each."""
        found: list[np.ndarray] = []
        while prompts:
            size = np.cumsum([len(ids) for _, ids in prompts])
            some = prompts[: int((size <= self.tokens).sum())]
            prompts = prompts[len(some) :]
            found.append(
                self._decode(
                    [token for _, ids in some for token in ids],
                    np.concatenate([np.arange(len(ids)) for _, ids in some]),
                    [sequence for sequence, ids in some for _ in ids],
                    size[: len(some)] - size[0] + len(some[0][1]) - 1,
                )
            )
        return np.concatenate(found)

    def _decode(
        self,
        tokens: Sequence[int] | np.ndarray,
        places: Sequence[int] | np.ndarray,
        sequences: Sequence[int],
        wanted: Sequence[int] | np.ndarray,
    ) -> np.ndarray:
        """One pass over tokens at places of sequences; logits (wanted, V) after those that are `wanted`."""
        library, batch, count = self.library, self.batch, len(tokens)
        batch.n_tokens = count
        outputs = np.ctypeslib.as_array(batch.logits, (count,))
        np.ctypeslib.as_array(batch.token, (count,))[:] = tokens
        np.ctypeslib.as_array(batch.pos, (count,))[:] = places
        np.ctypeslib.as_array(batch.n_seq_id, (count,))[:] = 1
        for index, sequence in enumerate(sequences):
            batch.seq_id[index][0] = sequence
        outputs[:] = 0
        outputs[list(wanted)] = 1
        status = library.llama_decode(self.context, batch)
        if status:
            raise MotionLLMError(f"llama.cpp stopped decoding {count} tokens with code {status}; see its documentation")
        shape = (self.engine.vocab_size,)
        rows = [np.ctypeslib.as_array(library.llama_get_logits_ith(self.context, int(i)), shape) for i in wanted]
        return np.stack([row[self.ids] for row in rows])

    def _copy(self, source: int, target: int) -> None:
        if source != target:
            memory = self.library.llama_get_memory(self.context)
            self.library.llama_memory_seq_cp(memory, source, target, -1, -1)

    def _tensor(self, scores: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(scores).to(self.request.input_ids.device)


def _free(library: ModuleType, context: Any, batch: Any) -> None:
    library.llama_batch_free(batch)
    library.llama_free(context)
