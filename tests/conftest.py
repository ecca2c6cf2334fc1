"""Tiny models, data and checkpoints that the tests share; made once a session, without any download."""

# ruff: noqa: E402  the environment comes before the imports
import os
import tempfile

# Before anything imports huggingface_hub or transformers, which read these once.
_HOME = tempfile.TemporaryDirectory(prefix="motionllm-tests-")
os.environ.update(HF_HOME=_HOME.name, HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TQDM_DISABLE="1")
for _name in ("HF_HUB_CACHE", "HF_MODULES_CACHE", "HF_ASSETS_CACHE", "MOTIONLLM_MODEL"):
    os.environ.pop(_name, None)

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import motionllm
from hub_scripts.data.codes import weights_hash, write_codes, write_codes_summary
from hub_scripts.data.store import shard_path, write_shard, write_summary
from hub_scripts.hub.pickled import is_pickled
from hub_scripts.train_motionllm import main as train_motionllm
from modeling_motionllm.configuration_evaluator import MotionTextEvaluatorConfig
from modeling_motionllm.configuration_motionllm import MotionVQConfig
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.output_motionllm import MotionGenerationOutput
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.vocabulary_motionllm import motion_token_names
from tokenization.tokenization_motionllm import MotionLLMTokenizer

# Small tensors gain nothing from many threads; workers of pytest-xdist share the cores among themselves.
THREADS = max(1, min(2, torch.get_num_threads()) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
torch.set_num_threads(THREADS)

FIXTURES = Path(__file__).parent / "fixtures"
CODEBOOK_SIZE = 32
SENTENCES = [
    "a person walks forward",
    "someone jumps high and lands on both feet",
    "a person waves with the left hand",
    "somebody runs, turns around and runs back",
    "the person bows slowly",
]


# Drawing as the model has learnt it, whatever the defaults of a checkpoint are.
AS_LEARNT: dict[str, Any] = {"temperature": 1.0, "guidance_scale": 1.0, "typical_length": False}


def _without_people(output: MotionGenerationOutput) -> SimpleNamespace:
    assert output.codes.shape[1] == 1
    return SimpleNamespace(**{name: output[name][:, 0] for name in ("codes", "attention_mask", "features")})


def generate_single(model: motionllm.MotionLLMForCausalLM, **options: Any) -> SimpleNamespace:
    """`generate_motion` of one person as the model has learnt it: codes, attention_mask and features (R, ...)."""
    return _without_people(model.generate_motion(**AS_LEARNT | options))


def stream_single(model: motionllm.MotionLLMForCausalLM, **options: Any) -> Iterator[SimpleNamespace]:
    """`stream_motion`, as `generate_single`."""
    return _Mapped(model.stream_motion(**AS_LEARNT | options))


class _Mapped(Iterator[SimpleNamespace]):
    def __init__(self, chunks: Any):
        self.chunks = chunks

    def __next__(self) -> SimpleNamespace:
        return _without_people(next(self.chunks))

    def close(self) -> None:
        self.chunks.close()


@cache
def read_golden() -> dict[str, dict[str, np.ndarray]]:
    clips: dict[str, dict[str, np.ndarray]] = {}
    for key, value in load_file(FIXTURES / "golden" / "humanml3d_features.safetensors").items():
        name, _, kind = key.rpartition(".")
        if name:
            clips.setdefault(name, {})[kind] = value
    return clips


@pytest.fixture
def everything_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted feet for motions of an untrained model, whose feet stand nowhere."""
    for name in ("_HEIGHT", "_SPEED", "_FARTHEST"):
        monkeypatch.setattr(f"modeling_motionllm.planted_feet_motionllm.{name}", 1e9)


@pytest.fixture(scope="session")
def golden() -> dict[str, dict[str, np.ndarray]]:
    """Golden clips by name, each with `joints`, `features` and `recovered`."""
    return read_golden()


def train_base_tokenizer(add_bos: bool = True) -> PreTrainedTokenizerFast:
    """A byte-level BPE of some 400 tokens with specials and a chat template."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    specials = ["<|pad|>", "<|begin|>", "<|end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(SENTENCES * 4, trainer)
    if add_bos:
        backend.post_processor = processors.TemplateProcessing(
            single="<|begin|> $A", pair="<|begin|> $A $B", special_tokens=[("<|begin|>", 1)]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{{ eos_token }}{% endfor %}"
    return tokenizer


@pytest.fixture(scope="session")
def base_tokenizer() -> PreTrainedTokenizerFast:
    return train_base_tokenizer()


def save_base(folder: Path, tokenizer: PreTrainedTokenizerFast, tied: bool = True) -> Path:
    """Write a tiny random Llama with its tokenizer, as a folder that any script takes for a base model."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=tied,
        # Wide enough that the random model has an opinion: greedy choices do not hang on rounding.
        initializer_range=0.3,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory, base_tokenizer: PreTrainedTokenizerFast) -> Path:
    return save_base(tmp_path_factory.mktemp("base"), base_tokenizer)


def make_vq(**options: Any) -> MotionVQModel:
    """A small VQ-VAE with random weights, and with codes for real motion and for noise."""
    torch.manual_seed(1)
    sizes = {"width": 16, "code_dim": 16, "depth": 2, "codebook_size": CODEBOOK_SIZE}
    vq = MotionVQModel(MotionVQConfig(**(sizes | options))).eval()
    motion = [torch.from_numpy(clip["features"]) for clip in read_golden().values() if len(clip["features"]) > 90]
    samples = torch.stack([*(clip[20:84] for clip in motion), *torch.randn(len(motion), 64, 263)])
    with torch.no_grad():
        vq.quantizer.initialize(vq.encoder(samples.transpose(1, 2), None).transpose(1, 2).flatten(0, 1))
    return vq


@pytest.fixture
def vq() -> MotionVQModel:
    return make_vq()


@pytest.fixture(scope="session")
def vq_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vq")
    make_vq().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tokenizer(base_folder: Path) -> MotionLLMTokenizer:
    return MotionLLMTokenizer.from_base(AutoTokenizer.from_pretrained(base_folder), motion_token_names(CODEBOOK_SIZE))


@pytest.fixture(scope="session")
def processor(tokenizer: MotionLLMTokenizer) -> MotionLLMProcessor:
    return MotionLLMProcessor(tokenizer, codebook_size=CODEBOOK_SIZE)


def code_row(name: str, content: str, captions: list[str], codes: list[int]) -> dict[str, Any]:
    """A row of a code store, of one person."""
    return {
        "name": name,
        "kind": "",
        "contents": [content],
        "styles": ["normal"],
        "parts": [],
        "placement_bins": [[64, 64, 0]],
        "mirrored": False,
        "captions": captions,
        "codes": [codes],
    }


@pytest.fixture(scope="session")
def codes_folder(tmp_path_factory: pytest.TempPathFactory, vq_folder: Path) -> Path:
    """A code store of random codes."""
    folder = tmp_path_factory.mktemp("codes")
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 4), ("test", 4)):
        rows = [
            code_row(
                f"{split}{index}",
                "walk" if index % 3 else "jump",
                [SENTENCES[index % len(SENTENCES)], SENTENCES[(index + 1) % len(SENTENCES)]],
                rng.integers(0, CODEBOOK_SIZE, size=rng.integers(1, 30)).tolist(),
            )
            for index in range(count)
        ]
        write_codes(folder, split, rows)
    write_codes_summary(folder, {"vq_sha256": weights_hash(vq_folder), "data_sha256": "0" * 64})
    return folder


def go_on_training(arguments: list[str], checkpoint: Path, codes: Path, folder: Path, *options: str) -> Path:
    """A training that goes on from a thin checkpoint with one more code store; returns the new checkpoint."""
    given = [*arguments]
    given.insert(given.index("--codes") + 2, str(codes))
    assert train_motionllm([*given, "--init_from", str(checkpoint), *options, "--output_dir", str(folder)]) == 0
    return folder / "final"


def assert_refused(capsys: pytest.CaptureFixture[str], words: Sequence[str], folder: Path) -> None:
    """A command said one line with these words, and nothing else, and made nothing."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert not folder.exists()


@pytest.fixture(scope="session")
def dataset_folder(tmp_path_factory: pytest.TempPathFactory, golden: dict[str, dict[str, np.ndarray]]) -> Path:
    """A prepared dataset of some golden clips."""
    return write_golden_dataset(tmp_path_factory.mktemp("dataset"), golden)


def golden_row(name: str, clip: dict[str, np.ndarray]) -> dict[str, Any]:
    """A golden clip as a row of a prepared dataset."""
    return {
        "name": name,
        "source": "bandai-namco-1",
        "num_people": 1,
        "contents": [name.split("_")[1]],
        "styles": [name.split("_")[2]],
        "mirrored": False,
        "captions": ["a person moves"],
        "fps": 20.0,
        "num_frames": len(clip["joints"]),
        "joints": clip["joints"],
        "features": clip["features"],
        "source_file": f"{name}.bvh",
        "source_sha256": "0" * 64,
    }


def write_golden_dataset(folder: Path, golden: dict[str, dict[str, np.ndarray]]) -> Path:
    """Make a folder a prepared dataset of some golden clips, of all splits."""
    (folder / "data").mkdir(parents=True)
    names = sorted(golden, key=lambda name: len(golden[name]["joints"]))
    for split, chosen in (("train", names[:8]), ("val", names[8:10]), ("test", names[10:12])):
        rows = [golden_row(name, golden[name]) for name in chosen]
        write_shard(shard_path(folder, split, 0, 1), rows)
    write_summary(folder, {})
    return folder


@pytest.fixture(scope="session")
def train_arguments(base_folder: Path, vq_folder: Path, codes_folder: Path) -> list[str]:
    """`motionllm train` on the tiny data: six steps, checkpoints after three and six; only --output_dir is missing."""
    options = {
        "codes": codes_folder,
        "vq": vq_folder,
        "base_model": base_folder,
        "max_steps": 6,
        "per_device_train_batch_size": 4,
        "save_steps": 3,
        "eval_steps": 3,
        "logging_steps": 3,
        "warmup_steps": 2,
        "learning_rate": 0.01,
        "use_cpu": True,
        "dataloader_pin_memory": False,
    }
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="session")
def training_run(tmp_path_factory: pytest.TempPathFactory, train_arguments: list[str]) -> Path:
    """The folder of one finished adapter training: Trainer checkpoints, and the thin checkpoint in `final/`."""
    folder = tmp_path_factory.mktemp("run")
    assert train_motionllm([*train_arguments, "--output_dir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def thin_checkpoint(training_run: Path) -> Path:
    return training_run / "final"


@pytest.fixture(scope="session")
def model(thin_checkpoint: Path) -> motionllm.MotionLLMForCausalLM:
    """The thin checkpoint, merged; tests leave it as it is."""
    return motionllm.MotionLLMForCausalLM.from_pretrained(thin_checkpoint)


@pytest.fixture(scope="session")
def make_joints() -> Callable[..., np.ndarray]:
    """Smooth random joints (frames, 22, 3) around a standing pose, for tests that need motion but no meaning."""

    def make(frames: int, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        pose = rng.normal(size=(22, 3)) * 0.3 + [0, 1, 0]
        time = np.arange(frames)[:, None, None] / 20
        swing = rng.normal(size=(22, 3)) * 0.05 * np.sin(2 * np.pi * time * rng.uniform(0.3, 1.5, size=(22, 1)))
        return (pose + swing + time * [0, 0, 0.5]).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def sentence_folder(tmp_path_factory: pytest.TempPathFactory, base_tokenizer: PreTrainedTokenizerFast) -> Path:
    """A tiny random sentence encoder."""
    folder = tmp_path_factory.mktemp("sentences")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(base_tokenizer), hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
    )
    BertModel(config).save_pretrained(folder)
    base_tokenizer.save_pretrained(folder)
    return folder


def make_evaluator(scenes: bool = False, **options: Any) -> MotionTextEvaluator:
    """A small evaluator with random weights, of motions of one person or of `scenes`."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    sizes |= {"embed_dim": 8, "sentence_dim": 12, "contents": ["bow", "run"], "styles": ["normal", "proud", "sad"]}
    if scenes:
        sizes |= {"num_hidden_layers": 1, "contents": ["bow", "run", "walk"], "styles": [], "max_people": 3}
        sizes |= {"num_scene_layers": 2, "scene_hidden_size": 12}
    return MotionTextEvaluator(MotionTextEvaluatorConfig(**(sizes | options))).eval()


def pickled_files(folder: Path) -> set[Path]:
    """The files of a folder and of those in it that hold a pickle, whatever they are called."""
    return {path for path in folder.rglob("*") if path.is_file() and is_pickled(path)}
