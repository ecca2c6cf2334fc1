"""Runs what README.md and docs/*.md print: every bash, console and python block, in order, and compares shown output.

    python docs/run_commands.py [--fast] [FILE ...]

The blocks of one document share a folder, in which `checkpoints` is that of the clone, and one Python session. Lines
shown under a `$ command` of a console block have to be printed in that order (`...` stands for anything), and so has a
value in a comment behind a `print(...)`. A comment above a block says what a reader would not want to read:

    <!-- not run: REASON -->    it needs data, a Hub or time that is not here
    <!-- slow: REASON -->       left out with --fast
    <!-- first: COMMANDS -->    shell commands that bring what the block takes for granted ($CLONE is the clone)
"""

import argparse
import ast
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLONE = Path(__file__).resolve().parents[1]
_MARK = re.compile(r"<!-- (not run|slow|first): (.+?) -->", re.DOTALL)
_BLOCK = re.compile(r"((?:^<!-- (?:(?!-->).)+ -->\n+)*)^```(bash|console|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Block:
    """One fenced block: where it is, its language, its text, and the marks above it."""

    place: str
    language: str
    text: str
    marks: dict[str, str]


def read_blocks(path: Path) -> Iterator[Block]:
    """The blocks of a document that can be run, with their marks."""
    text = path.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start(2)) + 1
        marks = {kind: " ".join(reason.split()) for kind, reason in _MARK.findall(found[1])}
        yield Block(f"{path.relative_to(CLONE)}:{line}", found[2], found[3], marks)


def run_shell(command: str) -> str:
    """What a shell command prints; the message of a `RuntimeError` where it fails."""
    shell = ["bash", "-euo", "pipefail", "-c", command]
    done = subprocess.run(shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"$ {command}\n{done.stdout[-3000:]}\nexit code {done.returncode}")
    return done.stdout


def compare(command: str, shown: list[str], printed: str) -> None:
    """Look for the shown lines among the printed ones, in order.

    Args:
        command: for the message.
        shown: lines of the document; `...` in them stands for anything, and one alone for any lines.
        printed: what the command said.

    Raises:
        RuntimeError: a line was not printed.
    """
    lines = iter(printed.splitlines())
    for wanted in (line.strip() for line in shown if line.strip() not in ("", "...")):
        pattern = ".*".join(re.escape(part) for part in wanted.split("..."))
        if not any(re.fullmatch(pattern, line.strip()) for line in lines):
            raise RuntimeError(f"$ {command}\nshown, but not printed: {wanted}\nprinted:\n{printed[-3000:]}")


def run_console(text: str) -> None:
    """Run a console block: `$ command` lines, each with the lines that it shows."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = re.sub(r"\\\n\s*", "", part).partition("\n")
        # A refusal is shown as well as a success: what it says is compared, its exit code is not.
        refused = " error: " in shown
        compare(command, shown.splitlines(), run_shell(f"{command} || true" if refused else command))


def run_python(text: str, session: dict[str, Any]) -> None:
    """Run a python block in its document's session, and compare values in comments behind `print(...)`."""
    lines = text.splitlines()
    for node in ast.parse(text).body:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(ast.Module([node], []), "block", "exec"), session)
        comment = lines[(node.end_lineno or 0) - 1].rpartition("  # ")[2]
        try:
            ast.literal_eval(comment)
        except (ValueError, SyntaxError):
            continue
        if printed.getvalue():
            compare(ast.unparse(node), [comment], printed.getvalue())


def run_document(path: Path, fast: bool) -> tuple[int, int, int]:
    """Run a document in a folder of its own; returns how many blocks ran, failed, and were left out."""
    passed = failed = left_out = 0
    session: dict[str, Any] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory(prefix="motionllm-docs-") as folder, contextlib.chdir(folder):
        Path("checkpoints").symlink_to(CLONE / "checkpoints")
        for block in read_blocks(path):
            if "not run" in block.marks or (fast and "slow" in block.marks):
                left_out += 1
                continue
            start = time.monotonic()
            try:
                if "first" in block.marks:
                    run_shell(block.marks["first"])
                if block.language == "bash":
                    run_shell(block.text)
                elif block.language == "console":
                    run_console(block.text)
                else:
                    run_python(block.text, session)
            except Exception as error:  # noqa: BLE001  whatever a document does wrong is reported
                failed += 1
                said = str(error) if isinstance(error, RuntimeError) else traceback.format_exc()
                print(f"FAILED {block.place}\n{said}", flush=True)
            else:
                passed += 1
                print(f"ok {block.place} ({block.language}, {time.monotonic() - start:.0f} s)", flush=True)
    return passed, failed, left_out


def main() -> int:
    """Run the documents named, or all; returns 1 where a block failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="documents (default: README.md and docs/*.md)")
    parser.add_argument("--fast", action="store_true", help="leave out what is marked as slow")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    python_path = os.pathsep.join(filter(None, [str(CLONE), os.environ.get("PYTHONPATH")]))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ.update(PATH=path, PYTHONPATH=python_path, CLONE=str(CLONE), TQDM_DISABLE="1")
    sys.path.insert(0, str(CLONE))
    documents = [file.resolve() for file in args.files] or [CLONE / "README.md", *sorted((CLONE / "docs").glob("*.md"))]
    counts = [run_document(document, args.fast) for document in documents]
    passed, failed, left_out = (sum(count) for count in zip(*counts, strict=True))
    print(f"{passed} passed, {failed} failed, {left_out} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
