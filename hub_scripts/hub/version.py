"""The version of this package; pyproject.toml and `motionllm.__version__` take it from here."""

__all__ = ["__version__"]

__version__ = "0.2.0"
