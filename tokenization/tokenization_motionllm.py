"""`MotionLLMTokenizer`: any fast tokenizer with motion tokens added to its vocabulary."""

from collections.abc import Sequence

from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

__all__ = ["MotionLLMTokenizer"]


class MotionLLMTokenizer(PreTrainedTokenizerFast):
    """A base tokenizer plus tokens for motion, loaded and saved like any fast tokenizer.

    The added tokens are single and never split; they are not "special", so `decode(skip_special_tokens=True)` keeps the
    motion. Use `len(tokenizer)` for the whole vocabulary: `vocab_size` is the base's.

    There is no `__init__` on purpose: with one, transformers 5 rebuilds the backend instead of reading tokenizer.json.
    """

    vocab_files_names = {"tokenizer_file": "tokenizer.json"}  # noqa: RUF012

    @classmethod
    def from_base(cls, base: PreTrainedTokenizerFast, tokens: Sequence[str]) -> "MotionLLMTokenizer":
        """Copy `base` and add `tokens` after its vocabulary, in this order.

        Args:
            base: any fast tokenizer; it is not changed.
            tokens: new tokens.

        Raises:
            ValueError: `base` is not a fast tokenizer, or has one of the tokens already.
        """
        backend = getattr(base, "_tokenizer", None)
        if backend is None:
            raise ValueError(f"{type(base).__name__} is not a fast tokenizer; load the base with AutoTokenizer")
        known = base.get_vocab()
        present = [token for token in tokens if token in known]
        if present:
            raise ValueError(f"the base tokenizer has {present[:3]} already; start from an unmodified tokenizer")
        special = {name: value for name, value in base.special_tokens_map.items() if isinstance(value, str)}
        tokenizer = cls(
            tokenizer_object=backend,
            **special,
            padding_side=base.padding_side,
            model_max_length=base.model_max_length,
            clean_up_tokenization_spaces=False,
        )
        tokenizer.chat_template = base.chat_template
        tokenizer.add_tokens(
            [
                AddedToken(token, special=False, normalized=False, single_word=False, lstrip=False, rstrip=False)
                for token in tokens
            ]
        )
        return tokenizer


MotionLLMTokenizer.register_for_auto_class("AutoTokenizer")
