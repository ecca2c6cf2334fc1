"""Any base language model: tiny random ones of five families go the whole way from training to every layout."""

import json

import numpy as np
import pytest
import torch
from conftest import SENTENCES, generate_single, train_base_tokenizer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    Phi3Config,
    PhiConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

import motionllm
from hub_scripts.export_checkpoint import main as export
from hub_scripts.train_motionllm import main as train
from modeling_motionllm.processing_motionllm import MotionLLMProcessor


def sentencepiece_style() -> PreTrainedTokenizerFast:
    """A unigram tokenizer with meta spaces and no chat template, as T5, Gemma and Llama 1 and 2 have them."""
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.Sequence([normalizers.Replace("  ", " ")])
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    backend.decoder = decoders.Metaspace(prepend_scheme="first")
    alphabet = [chr(code) for code in range(32, 127)] + ["\n"]
    specials = ["<pad>", "<s>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=specials, unk_token="<unk>", initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator([f"{sentence}\n({index} s)" for index, sentence in enumerate(SENTENCES * 4)], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
# name: configuration, its values, tied embeddings, SentencePiece-style tokenizer, rows beyond the tokenizer's
BASES = {
    "llama-untied": (LlamaConfig, {**SMALL, "num_key_value_heads": 1}, False, False, 0),
    "llama-sentencepiece": (LlamaConfig, {**SMALL, "num_key_value_heads": 2}, True, True, 0),
    "gemma2": (
        Gemma2Config,
        {**SMALL, "num_key_value_heads": 1, "head_dim": 16, "final_logit_softcapping": 5.0},
        True,
        True,
        0,
    ),
    "qwen2-padded": (Qwen2Config, {**SMALL, "num_key_value_heads": 1}, True, False, 64),
    "qwen3": (Qwen3Config, {**SMALL, "num_key_value_heads": 1, "head_dim": 16}, True, False, 0),
    "gpt2": (GPT2Config, {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 256}, True, False, 0),
    "phi": (PhiConfig, SMALL, False, False, 0),
    "phi3": (Phi3Config, {**SMALL, "num_key_value_heads": 2}, False, False, 0),
}


@pytest.fixture(scope="module", params=list(BASES))
def trained(request, tmp_path_factory, vq_folder, codes_folder):
    """Base folder and thin checkpoint after three training steps."""
    config_class, values, tied, sentencepiece, spare = BASES[request.param]
    tokenizer = sentencepiece_style() if sentencepiece else train_base_tokenizer()
    if request.param == "phi3":
        tokenizer.chat_template = None
    ids = {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    torch.manual_seed(0)
    config = config_class(
        vocab_size=len(tokenizer) + spare, tie_word_embeddings=tied, initializer_range=0.3, **ids, **values
    )
    folder = tmp_path_factory.mktemp(request.param)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    options = {
        "codes": codes_folder,
        "vq": vq_folder,
        "base_model": folder / "base",
        "output_dir": folder / "run",
        "max_steps": 3,
        "per_device_train_batch_size": 4,
        "eval_strategy": "no",
        "learning_rate": 0.01,
        "use_cpu": True,
        "dataloader_pin_memory": False,
    }
    assert train([text for name, value in options.items() for text in (f"--{name}", str(value))]) == 0
    return folder / "base", folder / "run" / "final"


@torch.no_grad()
def greedy(folder, texts=("a person walks forward", "the person bows slowly and then once more")):
    """Codes of greedy motions of 8 and 12 codes, and logits of their prompts."""
    model = motionllm.MotionLLMForCausalLM.from_pretrained(folder)
    processor = motionllm.MotionLLMProcessor.from_pretrained(folder)
    inputs = processor(text=list(texts), duration=[1.6, 2.4])
    codes = generate_single(model, **inputs, do_sample=False).codes
    logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
    return model, processor, codes, logits[inputs["attention_mask"].bool()]


def test_every_family_trains_generates_and_describes(trained):
    base, thin = trained
    model, processor, codes, logits = greedy(thin)
    assert [int((row != -1).sum()) for row in codes] == [8, 12]
    assert torch.isfinite(logits).all()
    motion = processor.decode_motion(model.generate_motion(**processor(text="a person walks"), seed=0))[0]
    assert np.isfinite(motion.joints).all()
    caption = processor.decode_caption(model.generate_caption(**processor(motion=motion), max_new_tokens=8))[0]
    assert "<Motion" not in caption
    record = json.loads((thin / "adapters/default/training_record.json").read_text())
    losses = [entry["loss"] for entry in record["history"] if "loss" in entry]
    assert all(np.isfinite(losses))
    old = AutoModelForCausalLM.from_pretrained(base)
    prompt = processor.tokenizer("a person walks", return_tensors="pt")["input_ids"]
    # The base's own rows are as they were: only the adapter and the new rows learn.
    rows = model.get_input_embeddings().weight[prompt[0]], old.get_input_embeddings().weight[prompt[0]]
    assert torch.equal(*rows)


def test_every_layout_is_the_same_model(trained, tmp_path):
    _, thin = trained
    model, processor, codes, logits = greedy(thin)
    assert export([str(thin), "--layout", "full", "--out", str(tmp_path / "full")]) == 0
    _, _, full_codes, full_logits = greedy(tmp_path / "full")
    assert torch.equal(codes, full_codes)
    torch.testing.assert_close(logits, full_logits, atol=1e-3, rtol=1e-3)
    assert export([str(thin), "--layout", "plain", "--out", str(tmp_path / "plain")]) == 0
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "plain").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "plain")
    message = [{"role": "user", "content": "a person walks forward"}]
    inputs = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_tensors="pt")
    assert inputs["input_ids"][0].tolist() == processor.text_to_motion_ids("a person walks forward")
    with torch.no_grad():
        ours = model(input_ids=inputs["input_ids"]).logits
        torch.testing.assert_close(stock(**inputs).logits, ours, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("prompts", ["short", "paper"])
def test_sentencepiece_style_prompts_survive_the_round_trip(prompts):
    from modeling_motionllm.vocabulary_motionllm import motion_token_names
    from tokenization.tokenization_motionllm import MotionLLMTokenizer

    tokenizer = MotionLLMTokenizer.from_base(sentencepiece_style(), motion_token_names(16))
    processor = MotionLLMProcessor(tokenizer, prompts=prompts, codebook_size=16)
    example = processor.training_example("text-to-motion", "a person walks", [3, 0, 15, 7])
    target = [token for token in example["labels"] if token != -100]
    names = tokenizer.convert_ids_to_tokens(target)
    assert names == ["<Motion_3>", "<Motion_0>", "<Motion_15>", "<Motion_7>", "</Motion>", "</s>"]
    text = processor.training_example("motion-to-text", "a person walks", [1, 2])
    answer = [token for token in text["labels"] if token != -100]
    assert tokenizer.decode(answer, skip_special_tokens=True).strip() == "a person walks"
