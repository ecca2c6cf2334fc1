"""What the dataset writer asks of a kind of recordings."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError

from .cards import DatasetCard
from .splits import Split

__all__ = ["Clip", "MotionSource", "Recording"]

_MIN_FRAMES = 5


class Recording(Protocol):
    """One recorded file; small, or cheap to send to another process."""

    @property
    def name(self) -> str:
        """Unique in its source."""

    def read(self) -> bytes:
        """The content of the file.

        Raises:
            MotionLLMError: it cannot be read.
        """


R = TypeVar("R", bound=Recording)


@dataclass(frozen=True)
class Clip:
    """One clip of the dataset, not mirrored.

    Args:
        name: unique in the dataset.
        recording: name of the recording it is from; clips of one recording stay in one split.
        content: label, of all people.
        style: label, likewise.
        source: what its collection is called.
        source_file: path of the recording in that collection.
        source_sha256: hash of the recording.
        joints: float32 (T, 22, 3), or (P, T, 22, 3) of several people in one world; metres, 20 fps.
        license: of the motion, where clips of a dataset differ in it.
    """

    name: str
    recording: str
    content: str
    style: str
    source: str
    source_file: str
    source_sha256: str
    joints: np.ndarray
    license: str = ""

    def __post_init__(self) -> None:
        if self.num_frames < _MIN_FRAMES:
            raise MotionLLMError(
                f"'{self.source_file}' has {self.num_frames} frames at 20 fps; at least {_MIN_FRAMES} are needed"
            )

    @property
    def num_frames(self) -> int:
        return self.joints.shape[-3]

    @property
    def people(self) -> np.ndarray:
        """Joints (P, T, 22, 3)."""
        return self.joints.reshape(-1, *self.joints.shape[-3:])


class MotionSource(ABC, Generic[R]):
    """Recordings, and how they become clips and sentences. Sent to worker processes.

    Attributes:
        name: of the dataset.
        license: of the dataset, as the Hub spells it.
        recipe: what the joints depend on beside the recordings; kept joints of another recipe are not used.
        wording: likewise for the captions.
        scenes: clips may have several people or licences of their own; rows say so.
    """

    name: str
    license: str
    recipe: str = ""
    wording: str = ""
    scenes: bool = False

    @abstractmethod
    def recordings(self, failures: list[tuple[str, str]]) -> Iterator[R]:
        """All recordings in a fixed order; name and problem of those passed over go into `failures`.

        Raises:
            MotionLLMError: there is nothing to read.
        """

    @abstractmethod
    def convert(self, recording: R, data: bytes, digest: str) -> tuple[list[Clip], list[str]]:
        """The clips of one recording, and notes on how it was read.

        Raises:
            MotionLLMError: it cannot be used.
        """

    @abstractmethod
    def content(self, clip: Clip, mirrored: bool) -> str:
        """The content label of a clip, or of its mirrored copy."""

    @abstractmethod
    def captions(self, clip: Clip, joints: np.ndarray, mirrored: bool) -> list[str]:
        """Sentences for a clip, or for its mirrored copy; `joints` are those of the row."""

    @abstractmethod
    def splits(self, clips: Iterable[Clip]) -> dict[str, Split]:
        """Clip name -> split."""

    @abstractmethod
    def card(self) -> DatasetCard:
        """The card of the dataset."""
