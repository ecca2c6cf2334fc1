"""The raw data of `recipes/tiny.yaml`: fixtures as an archive with a table, and random models beside it.

python tests/tiny_sources.py DIR
"""

import sys
import tarfile
from pathlib import Path

import torch
from conftest import FIXTURES, save_base, train_base_tokenizer
from transformers import BertConfig, BertModel

# File: sentence, content, split.
CLIPS = {
    "bandai/dataset-1_bow_normal_001.bvh": ("a person bows", "bow", "train"),
    "bandai/dataset-1_walk_normal_002.bvh": ("a person walks", "walk", "train"),
    "bandai/dataset-2_raise-up-both-hands_normal_001.bvh": ("a person raises both hands", "raise", "train"),
    "bandai/dataset-2_run_normal_001.bvh": ("a person runs", "run", "train"),
    "bandai/dataset-2_wave-left-hand_active_011.bvh": ("a person waves with the left hand", "wave", "train"),
    "cmu/01_01.bvh": ("a person jumps forward", "jump", "train"),
    "cmu/007_10_iclone.bvh": ("a person walks fast", "walk", "train"),
    "cmu/02_01.bvh": ("somebody walks straight ahead", "walk", "val"),
}


def save_sentence_encoder(folder: Path) -> None:
    """Write a tiny random sentence encoder."""
    tokenizer = train_base_tokenizer()
    torch.manual_seed(0)
    sizes = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def lay_out(folder: Path) -> None:
    """Write everything into a folder, which may exist."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "clips.tar.xz", "w:xz") as archive:
        for file in CLIPS:
            archive.add(FIXTURES / file, file)
    rows = [",".join([file, *said]) for file, said in CLIPS.items()]
    (folder / "clips.csv").write_text("\n".join(["file,caption,content,split", *rows]) + "\n")
    save_base(folder / "base", train_base_tokenizer())
    save_sentence_encoder(folder / "sentence-encoder")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lay_out(Path(sys.argv[1]))
