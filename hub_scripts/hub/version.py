"""The version of this package, installed or run from a clone."""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["package_version"]


def package_version() -> str:
    """Version of the installed package; in a clone that is not installed, that of its pyproject.toml."""
    try:
        return version("motionllm")
    except PackageNotFoundError:
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
