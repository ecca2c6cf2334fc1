"""The version of this package; pyproject.toml and `motionllm.__version__` take it from here."""

__all__ = ["__version__", "package_version"]

__version__ = "0.2.0"


def package_version() -> str:
    """Version of this package, installed or run from a clone."""
    return __version__
