"""`motionllm COMMAND`: finds the command, runs it, and prints bad input as one line."""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from hub_scripts.options.streams import keep_streams

__all__ = ["COMMANDS", "main", "run"]

# Command: module with main(argv), and its line in the help. Modules are imported only when their command runs.
COMMANDS = {
    "generate": ("generate_motion", "make a motion from a sentence (.npz, .bvh, .glb, .mp4 ...)"),
    "interact": ("generate_people", "earlier name of generate --people 2; goes with the next release"),
    "caption": ("caption_motion", "describe a motion from a file (.npz, .npy, .bvh, .glb, .amc)"),
    "edit": ("edit_motion", "regenerate a part of a motion, from a sentence"),
    "chat": ("chat_motion", "make a motion in a conversation: make her walk; slower; now bow"),
    "actions": ("list_actions", "list what a checkpoint was trained on, with counts and examples"),
    "convert": ("convert_motion", "turn a motion file into another format (.bvh, .glb, .mp4, .html ...)"),
    "view": ("view_motion", "show a motion file in the browser"),
    "app": ("serve_app", "serve the web app: sentences to motion in the browser"),
    "mcp": ("serve_mcp", "serve motion to agents over the Model Context Protocol"),
    "worker": ("serve_worker", "keep the model in memory: generate, caption and edit start at once"),
    "mmcp": ("serve_mmcp", "serve motion to Blender and other 3D programs (MMCP)"),
    "prepare": ("prepare_data", "turn recorded motion into a dataset"),
    "train-vq": ("train_motion_vq", "train the VQ-VAE that turns motion into codes"),
    "encode": ("encode_motions", "encode a dataset with a trained VQ-VAE, once"),
    "train": ("train_motionllm", "fine-tune a language model on motion codes"),
    "train-evaluator": ("train_evaluator", "train the model that judges motions against sentences"),
    "recipe": ("run_recipe", "run a recipe: from raw data to a checkpoint, stage by stage"),
    "evaluate": ("evaluate_motionllm", "measure reconstruction and generation on a prepared dataset"),
    "export": ("export_checkpoint", "write a checkpoint in another layout (full, plain for servers, vq)"),
    "push": ("push_to_hub", "send a checkpoint, its adapters, its VQ-VAE or an evaluator to the Hugging Face Hub"),
}

_LONGEST = 1200  # letters of an error
_LARGE = ("prepare", "encode", "evaluate", "train", "train-vq", "train-evaluator", "recipe")  # with data of any size
# Optional packages and the extra that brings them.
_EXTRAS = {
    **{"pyarrow": "train", "PIL": "viz", "av": "viz", "gguf": "demo"},
    **{"sacrebleu": "eval", "rouge_score": "eval", "mcp": "mcp", "gradio": "app", "motionmcp": "mmcp"},
}

# Options of 0.1 and what they are now; commands that still have one of them are left alone.
_RENAMED = {
    "--samples": "--num-return-sequences",
    "--num-samples": "--num-return-sequences",
    "--best-of": "--num-candidates",
    "--guidance": "--guidance-scale",
    "--greedy": "--temperature 0",
    "--dataset-out": "--dataset-dir",
    "--dtype": "--engine fast-bf16 or fast-int8",
    "--gguf": "--engine FILE.gguf",
    "--gguf-dtype": "--engine llama.cpp-q8_0",
}


def _renamed(command: str, arguments: Sequence[str]) -> str | None:
    """One line about the first option that has another name now; None where there is none."""
    if command not in ("generate", "interact", "caption", "edit", "evaluate"):
        return None
    names = (word.split("=")[0] for word in arguments if word.startswith("--"))
    return next((f"{name} is {_RENAMED[name]} now" for name in names if name in _RENAMED), None)


def _joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--up -y` as `--up=-y`: argparse would take -y for an option."""
    joined: list[str] = []
    for word in arguments:
        if joined[-1:] == ["--up"] and word in ("-x", "-y", "-z"):
            joined[-1] = f"--up={word}"
        else:
            joined.append(word)
    return joined


def _help() -> str:
    lines = [f"  {name:<16} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: motionllm COMMAND [options]",
            "",
            "Human motion and language in one model.",
            "",
            "commands:",
            *lines,
            "",
            "`motionllm COMMAND --help` shows the options of a command; --traceback before it shows where an error is.",
            'example: motionllm generate "a person waves with the left hand" --duration 4 --seed 1 -o out/',
        ]
    )


def _said(error: BaseException) -> str:
    """A message in one line, of a length that can be read."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _tell_memory() -> None:
    """Say on the terminal how much memory this process or one that it started took at most."""
    try:
        import resource
    except ImportError:  # Windows
        return
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"peak memory of a process: {peak / (1e6 if sys.platform == 'darwin' else 1e3):,.0f} MB", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, in a worker where one runs; returns the exit code as `run` does."""
    if argv is None:
        keep_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None and arguments:
        from hub_scripts.apps.ask_worker import ask_worker

        if (done := ask_worker(arguments)) is not None:
            return done
    return run(arguments, alone=argv is None)


def run(arguments: Sequence[str], alone: bool = False) -> int:
    """Run a command in this process.

    Args:
        arguments: of `motionllm`.
        alone: the process is for this command: commands with much data say at the end how much memory they took.

    Returns:
        The exit code: 0, 2 for bad input, 130 when interrupted.
    """
    show_traceback = "--traceback" in arguments[:1]
    arguments = arguments[1:] if show_traceback else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from hub_scripts.hub.version import __version__

        print(f"motionllm {__version__}")
        return 0
    command, *rest = _joined(arguments)
    if command not in COMMANDS:
        print(f"motionllm: error: there is no command '{command}'; choose from {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        print(f"motionllm {command}: error: the working folder is gone; change to one that is there", file=sys.stderr)
        return 2
    from modeling_motionllm.errors_motionllm import MotionLLMError

    try:
        if (renamed := _renamed(command, rest)) is not None:
            raise MotionLLMError(renamed)
        code: int = importlib.import_module(f"hub_scripts.{COMMANDS[command][0]}").main(rest)
        if code == 0 and command in _LARGE and alone:
            _tell_memory()
        return code
    except MotionLLMError as error:
        if show_traceback:
            traceback.print_exc()
        print(f"motionllm {command}: error: {_said(error)}", file=sys.stderr)
        return 2
    except (OSError, MemoryError) as error:  # of the machine: a full disk, a folder that is gone, no memory
        if show_traceback:
            traceback.print_exc()
        what = "" if isinstance(error, OSError) else "out of memory: "
        print(f"motionllm {command}: error: {what}{_said(error)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None:
            raise
        print(
            f"motionllm {command}: error: the package {error.name} is missing; pip install 'motionllm[{extra}]'",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(f"motionllm {command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
