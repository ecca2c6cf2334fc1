"""`python -m benchmarks.ablations`: what each part of the recipe is worth, with equal training, as one table."""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

__all__ = ["VARIANTS", "Variant", "main", "table"]


@dataclass(frozen=True)
class Variant:
    """One row: its name and what its training command says beyond the common part."""

    name: str
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return self.name.replace(",", "").replace("%", "").replace(" ", "-")


_WHOLE = ("--train_all", "true")
# A whole pre-trained model bears a smaller step than an adapter; random weights one between the two.
VARIANTS = (
    Variant("LoRA rank 8, new rows trained"),
    Variant("LoRA rank 4, new rows trained", ("--lora_r", "4", "--lora_alpha", "8")),
    Variant("LoRA rank 12, new rows trained", ("--lora_r", "12", "--lora_alpha", "24")),
    Variant("LoRA rank 8, new rows frozen", ("--freeze_new_rows", "true")),
    Variant("all parameters", (*_WHOLE, "--learning_rate", "3e-4")),
    Variant("all parameters, random weights", (*_WHOLE, "--from_scratch", "true", "--learning_rate", "6e-4")),
)


def _train_command(variant: Variant, args: argparse.Namespace, folder: Path) -> list[str]:
    common = {
        "codes": args.codes,
        "vq": args.vq,
        "output_dir": folder,
        "max_steps": args.steps,
        "per_device_train_batch_size": args.batch_size,
        "warmup_steps": max(1, args.steps // 20),
        "learning_rate": "1e-3",
        "eval_steps": args.steps,
        "save_steps": 50,
        "save_total_limit": 1,
        "seed": args.seed,
    }
    given = set(variant.options[::2])
    options = [text for name, value in common.items() if f"--{name}" not in given for text in (f"--{name}", str(value))]
    return ["train", *options, *variant.options]


def _run(command: list[str], log: Path) -> None:
    with log.open("a", encoding="utf-8") as file:
        done = subprocess.run(
            [sys.executable, "-m", "hub_scripts.cli", *command], stdout=file, stderr=file, check=False
        )
    if done.returncode:
        sys.exit(f"motionllm {' '.join(command)}\nended with {done.returncode}; its output is in {log}")


def _record(final: Path) -> dict[str, Any]:
    paths = [final / "training_record.json", final / "adapters" / "default" / "training_record.json"]
    return json.loads(next(path for path in paths if path.is_file()).read_text(encoding="utf-8"))


def measure(variant: Variant, args: argparse.Namespace) -> dict[str, Any]:
    """Train and evaluate one row; what is finished is not done again, and a training that died goes on."""
    folder = Path(args.out) / variant.folder
    folder.mkdir(parents=True, exist_ok=True)
    command = _train_command(variant, args, folder)
    final, figures = folder / "final", folder / "figures.json"
    if not (final / "README.md").is_file():
        resume = ["--resume"] if list(folder.glob("checkpoint-*")) else []
        _run([*command, *resume], folder / "log.txt")
    if not figures.is_file():
        options = ["--split", "val", "--temperature", "0", "--tasks", "generation,captioning", "--out", str(figures)]
        where = ["--model", str(final), "--data", args.data, "--work", str(folder / "work")]
        _run(["evaluate", *where, *options], folder / "log.txt")
    record, found = _record(final), json.loads(figures.read_text(encoding="utf-8"))
    losses = [entry["eval_loss"] for entry in record["history"] if "eval_loss" in entry]
    generated = found["generation"]["rows"]["generated"]
    return {
        "name": variant.name,
        "trained": 100 * record["trained_parameters"] / record["language_model_parameters"],
        "loss": losses[-1],
        "content": generated["content_accuracy"][0],
        "r_precision": generated["r_precision_top3"][0],
        "fid": generated["fid"][0],
        "caption_content": found["captioning"]["rows"]["generated"]["content_words"][0],
        "command": "motionllm " + " ".join(command),
        "real": found["generation"]["rows"]["real"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a line for each row, and the commands under it."""
    lines = [
        "| variant | trained | val loss | content | R@3 | FID | content of captions |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['name']} | {row['trained']:.2f} % | {row['loss']:.3f} | {100 * row['content']:.1f} % | "
        f"{row['r_precision']:.3f} | {row['fid']:.3f} | {100 * row['caption_content']:.1f} % |"
        for row in rows
    ]
    real = rows[0]["real"]
    lines.append(
        f"| real motions | | | {100 * real['content_accuracy'][0]:.1f} % | {real['r_precision_top3'][0]:.3f} | 0 | |"
    )
    return "\n".join([*lines, "", *(f"- {row['name']}: `{row['command']}`" for row in rows)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablations",
        description="Trains the same language model in several ways, each as many steps of the same examples, and "
        "measures each on the val split: greedy motions and captions. Can be stopped and started again.",
    )
    parser.add_argument("--codes", required=True, help="folder written by `motionllm encode`")
    parser.add_argument("--data", required=True, help="folder written by `motionllm prepare`")
    parser.add_argument("--vq", required=True, help="the VQ-VAE that made the codes")
    parser.add_argument("--steps", type=int, default=1000, help="steps of each training (default 1000)")
    parser.add_argument("--batch-size", type=int, default=16, help="examples a step (default 16)")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", default="runs/ablations", help="folder for all of them (default runs/ablations)")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="these rows, counted from 1 (default all)")
    args = parser.parse_args()
    chosen = [VARIANTS[number - 1] for number in args.only] if args.only else list(VARIANTS)
    text = table([measure(variant, args) for variant in tqdm(chosen, desc="ablations")])
    (Path(args.out) / "table.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
