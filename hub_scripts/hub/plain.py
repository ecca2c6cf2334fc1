"""The plain layout: the language model alone, as a stock checkpoint that servers load without our code.

A chat request holds the sentence, the answer is `<Motion_12><Motion_345>...</Motion>`; the codes become a motion with
the VQ-VAE. A motion in a request (`<Motion>...</Motion>`) is answered with its caption. `motion_tokens.json` tells
servers which tokens a motion is made of.
"""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from hub_scripts.hub.part_cards import render_plain_card
from hub_scripts.hub.records import ACTIONS, EVALUATION, TRAINING_RECORD
from modeling_motionllm.chat_template_motionllm import chat_template
from modeling_motionllm.checkpoint_motionllm import ADAPTERS_FOLDER
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["MOTION_TOKENS", "motion_tokens", "save_plain", "write_plain"]

MOTION_TOKENS = "motion_tokens.json"


def motion_tokens(processor: MotionLLMProcessor) -> dict[str, Any]:
    """What a server has to know of motions.

    Returns:
        `start` and `end`, the ids of `<Motion>` and `</Motion>`; `offset`, the id of the first code, and
        `codebook_size`; `frames_per_code`, `fps` and `max_seconds`; the prompts, `text_to_motion` with `{caption}`,
        with the duration `text_to_motion_timed` with `{seconds}` too, where the model has learnt that, and
        `motion_to_text` with `{motion}`; and `grammar`, the rules of an answer in the dialect of llguidance, which vLLM
        takes: codes by their ids. A regular expression would do harm: it lets a server spell codes that are no tokens,
        letter by letter.
    """
    vocabulary = processor.vocabulary
    last = vocabulary.offset + vocabulary.codebook_size - 1
    codes = f"code{{1,{processor.num_codes(processor.max_seconds)}}}"
    rules = (f"start: {codes} ending", f"code: <[{vocabulary.offset}-{last}]>", f"ending: <[{vocabulary.end}]>")
    prompts = ("text_to_motion", "text_to_motion_timed", "motion_to_text")
    return {
        "start": vocabulary.start,
        "end": vocabulary.end,
        "offset": vocabulary.offset,
        "codebook_size": vocabulary.codebook_size,
        "frames_per_code": processor.frames_per_code,
        "fps": processor.fps,
        "max_seconds": processor.max_seconds,
        **{name: processor.prompts[name] for name in prompts if name in processor.prompts},
        "grammar": "".join(f"{rule}\n" for rule in rules),
    }


def save_plain(model: MotionLLMForCausalLM, processor: MotionLLMProcessor, target: Path) -> None:
    """Write the language model of a composite, with its adapter merged, and a stock tokenizer with the chat template.

    Args:
        model: `MotionLLMForCausalLM`.
        processor: `MotionLLMProcessor`.
        target: existing folder.
    """
    language_model, own = model.language_model, processor.tokenizer
    kept = language_model.generation_config
    language_model.generation_config = copy.deepcopy(kept)
    language_model.generation_config.update(**_generation_settings(model, processor))
    try:
        language_model.save_pretrained(target)
    finally:
        language_model.generation_config = kept
    special = {name: value for name, value in own.special_tokens_map.items() if isinstance(value, str)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=own.backend_tokenizer,
        model_max_length=own.model_max_length,
        clean_up_tokenization_spaces=False,
        **special,
    )
    tokenizer.chat_template = chat_template(processor)
    tokenizer.save_pretrained(target)
    with atomic_path(target / MOTION_TOKENS) as temporary:
        text = json.dumps(motion_tokens(processor), indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_plain(folder: Path, target: Path, repo: str, adapter_name: str) -> None:
    """Write the plain layout of a thin checkpoint: merged language model, stock tokenizer, chat template, card."""
    import motionllm  # registers the Auto classes

    model = motionllm.MotionLLMForCausalLM.from_pretrained(folder, adapter_name=adapter_name)
    processor = motionllm.MotionLLMProcessor.from_pretrained(folder)
    save_plain(model, processor, target)
    adapter = folder / ADAPTERS_FOLDER / adapter_name
    for source in (adapter / TRAINING_RECORD, adapter / ACTIONS, folder / EVALUATION):
        if source.is_file():
            shutil.copyfile(source, target / source.name)
    (target / "README.md").write_text(render_plain_card(folder, repo, adapter_name), encoding="utf-8")


def _generation_settings(model: MotionLLMForCausalLM, processor: MotionLLMProcessor) -> dict[str, Any]:
    """A server knows no grammar: it stops at `</Motion>` as at the end of a text, and takes the likeliest codes."""
    eos = model.generation_config.eos_token_id
    ends = eos if isinstance(eos, list) else [eos]
    end = model.motion_vocabulary.end
    return {
        "eos_token_id": [*(token for token in ends if token != end), end],
        "max_new_tokens": processor.num_codes(processor.max_seconds) + 1,
        "do_sample": False,
        "temperature": None,
        "top_p": None,
        "top_k": None,
    }
