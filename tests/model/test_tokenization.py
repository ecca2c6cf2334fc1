"""`MotionLLMTokenizer`: motion tokens on top of any fast tokenizer, whole, kept, and the same after a reload."""

import pytest
from conftest import CODEBOOK_SIZE, SENTENCES, train_base_tokenizer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from modeling_motionllm.vocabulary_motionllm import motion_token_names
from tokenization.tokenization_motionllm import MotionLLMTokenizer

NAMES = motion_token_names(CODEBOOK_SIZE)
MIXED = "a person waves\n<Motion><Motion_5><Motion_31></Motion> and stops"


def sentencepiece_style() -> PreTrainedTokenizerFast:
    """A tokenizer of the other kind: lower-casing normaliser, metaspace words, an unknown token."""
    words = ["<unk>", "</s>", *("▁" + word for word in ("a", "person", "waves", "and", "stops")), "▁"]
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="</s>", pad_token="</s>")


def test_new_tokens_follow_the_base_vocabulary_in_order(tokenizer, base_tokenizer):
    assert tokenizer.vocab_size == len(base_tokenizer)
    assert len(tokenizer) == len(base_tokenizer) + len(NAMES)
    assert tokenizer.convert_tokens_to_ids(NAMES) == list(range(len(base_tokenizer), len(tokenizer)))


@pytest.mark.parametrize("base", [train_base_tokenizer, sentencepiece_style])
def test_motion_tokens_are_single_in_any_surroundings(base):
    tokenizer = MotionLLMTokenizer.from_base(base(), NAMES)
    for name in NAMES:
        (token,) = tokenizer(name, add_special_tokens=False)["input_ids"]
        assert token == tokenizer.convert_tokens_to_ids(name)
    for text in ("<Motion><Motion_1><Motion_10>", "x<Motion>\n <Motion_1>y <Motion_10>"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        found = [name for name in tokenizer.convert_ids_to_tokens(ids) if name in NAMES]
        assert found == ["<Motion>", "<Motion_1>", "<Motion_10>"]


def test_text_is_cut_as_by_the_base(tokenizer, base_tokenizer):
    for sentence in [*SENTENCES, "Ünïcode 走る \t two  spaces", "motion <motion> < Motion >"]:
        assert tokenizer(sentence)["input_ids"] == base_tokenizer(sentence)["input_ids"]


def test_text_and_motion_come_back(tokenizer):
    ids = tokenizer(MIXED, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == MIXED
    assert tokenizer.decode(ids, skip_special_tokens=True) == MIXED


def test_only_the_specials_are_skipped(tokenizer):
    ids = tokenizer("<Motion_3></Motion>")["input_ids"] + [tokenizer.eos_token_id]
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<Motion_3></Motion>"
    assert not set(NAMES) & set(tokenizer.all_special_tokens)


def test_specials_padding_and_chat_template_are_the_base_ones(tokenizer, base_tokenizer):
    for name in ("bos_token_id", "eos_token_id", "pad_token_id", "padding_side", "model_max_length", "chat_template"):
        assert getattr(tokenizer, name) == getattr(base_tokenizer, name), name
    messages = [{"role": "user", "content": "hello"}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == "hello<|end|>"


def test_the_base_is_not_changed():
    base = train_base_tokenizer()
    before = base.backend_tokenizer.to_str()
    MotionLLMTokenizer.from_base(base, NAMES)
    assert base.backend_tokenizer.to_str() == before
    assert "<Motion>" not in base.get_vocab()


@pytest.mark.parametrize("load", [MotionLLMTokenizer.from_pretrained, AutoTokenizer.from_pretrained])
@pytest.mark.parametrize("base", [train_base_tokenizer, sentencepiece_style])
def test_a_saved_tokenizer_reloads_the_same(load, base, tmp_path):
    tokenizer = MotionLLMTokenizer.from_base(base(), NAMES)
    tokenizer.save_pretrained(tmp_path)
    loaded = load(tmp_path)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    for text in (MIXED, *SENTENCES):
        assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    ids = tokenizer(MIXED)["input_ids"]
    assert loaded.decode(ids, skip_special_tokens=True) == tokenizer.decode(ids, skip_special_tokens=True)
    assert loaded.chat_template == tokenizer.chat_template
    assert loaded.padding_side == tokenizer.padding_side


def test_a_checkpoint_gives_our_class(thin_checkpoint, tokenizer):
    loaded = AutoTokenizer.from_pretrained(thin_checkpoint)
    assert type(loaded) is MotionLLMTokenizer
    assert loaded.get_vocab() == tokenizer.get_vocab()


def test_bases_that_do_not_fit_are_refused(tokenizer):
    with pytest.raises(ValueError, match=r"\['<Motion>', '</Motion>', '<Motion_0>'\] already"):
        MotionLLMTokenizer.from_base(tokenizer, NAMES)
    with pytest.raises(ValueError, match="object is not a fast tokenizer"):
        MotionLLMTokenizer.from_base(object(), NAMES)
