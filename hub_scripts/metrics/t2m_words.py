"""Words as the T2M evaluator (Guo et al. 2022) sees them: GloVe vectors and word classes, from its published files."""

import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["T2MWords", "load_plain_pickle"]

# Fixed by the published weights: the order of the classes, and the words that have a class of their own.
_CLASSES = (
    *("VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV"),
    *("Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER"),
)
_WORDS = {
    "Loc_VIP": "left right clockwise counterclockwise anticlockwise forward back backward up down straight curve",
    "Body_VIP": "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh",
    "Obj_VIP": "stair dumbbell chair window floor car ball handrail baseball basketball",
    "Act_VIP": "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit lift lower raise "
    "wash stand kneel stroll rub bend balance flap jog shuffle lean rotate spin spread climb",
    "Desc_VIP": "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly",
}
_CLASS_OF = {word: name for name, words in _WORDS.items() for word in words.split()}
_MAX_TOKENS = 20  # of a sentence; with its two ends 22


class _PlainUnpickler(pickle.Unpickler):
    """Lists, dicts, strings and numbers need no code from anywhere; everything else asks for it here and is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def load_plain_pickle(path: str | os.PathLike[str], kind: type, entries: tuple[type, ...]) -> Any:
    """Read a pickle that may hold one list or dict of plain values only; no code in it is ever run.

    Args:
        path: the file.
        kind: `list` or `dict`.
        entries: the type of a list's entries, or of a dict's keys and values.

    Raises:
        MotionLLMError: no such file, or anything else in it.
    """
    try:
        with Path(path).open("rb") as file:
            value = _PlainUnpickler(file).load()
    except (OSError, pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise MotionLLMError(f"'{path}' is not read ({error}); it may hold only plain text and numbers") from error
    parts = (value.keys(), value.values()) if type(value) is dict else (value,)
    fits = type(value) is kind and all(
        type(entry) is wanted for part, wanted in zip(parts, entries, strict=True) for entry in part
    )
    if not fits:
        names = ", ".join(entry.__name__ for entry in entries)
        raise MotionLLMError(f"'{path}' does not hold a {kind.__name__} of {names}; give the published file")
    return value


class T2MWords:
    """Word vectors and classes of the T2M evaluator.

    Args:
        folder: with `our_vab_data.npy` (V, 300), `our_vab_words.pkl` (list of words) and `our_vab_idx.pkl` (word to
            row). The pickles are read without running any code in them.

    Raises:
        MotionLLMError: a file is missing or holds something else.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        root = Path(folder)
        words = load_plain_pickle(root / "our_vab_words.pkl", list, (str,))
        rows = load_plain_pickle(root / "our_vab_idx.pkl", dict, (str, int))
        try:
            self.vectors = np.load(root / "our_vab_data.npy", allow_pickle=False).astype(np.float32)
        except (OSError, ValueError, EOFError) as error:
            raise MotionLLMError(
                f"'{root / 'our_vab_data.npy'}' is not read ({error}); give the published file"
            ) from error
        wrong = [word for word in words if not 0 <= rows.get(word, -1) < len(self.vectors)]
        if self.vectors.ndim != 2 or wrong or "unk" not in words:
            raise MotionLLMError(f"the word vectors in '{root}' do not fit together; give the published files")
        self.rows = {word: rows[word] for word in words}

    def __call__(self, tokens: Sequence[str]) -> tuple[np.ndarray, np.ndarray, int]:
        """One sentence as the evaluator takes it.

        Args:
            tokens: "word/CLASS" as in HumanML3D's texts ("walk/VERB"); more than 20 are cut, as published.

        Returns:
            Vectors (22, 300) and one-hot classes (22, 15), with `sos` and `eos` and padded with `unk`; and how many of
            the 22 are the sentence's.

        Raises:
            MotionLLMError: a token that is not "word/CLASS", or none at all.
        """
        bad = [token for token in tokens if token.count("/") != 1]
        if bad or not tokens:
            raise MotionLLMError(f"tokens {bad or list(tokens)!r} are not 'word/CLASS' as in HumanML3D's texts")
        sentence = ["sos/OTHER", *tokens[:_MAX_TOKENS], "eos/OTHER"]
        padded = sentence + ["unk/OTHER"] * (_MAX_TOKENS + 2 - len(sentence))
        vectors = np.zeros((len(padded), self.vectors.shape[1]), np.float32)
        classes = np.zeros((len(padded), len(_CLASSES)), np.float32)
        for place, token in enumerate(padded):
            word, name = token.split("/")
            if word in self.rows:
                name = _CLASS_OF.get(word, name if name in _CLASSES else "OTHER")
            else:
                word, name = "unk", "OTHER"
            vectors[place] = self.vectors[self.rows[word]]
            classes[place, _CLASSES.index(name)] = 1
        return vectors, classes, len(sentence)
