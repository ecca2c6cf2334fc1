"""The Bandai-Namco-Research-Motiondataset (1 and 2): its clips, and their joints."""

import lzma
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hub_scripts.captions.clips import content_of, describe
from hub_scripts.skeletons.maps import BUILT_IN_MAPS
from modeling_motionllm.errors_motionllm import MotionLLMError

from .bvh import Bvh, parse_bvh
from .cards import DatasetCard, dataset_card
from .gate import ReadingOptions
from .retarget import retarget
from .sources import Clip, MotionSource
from .splits import Split, assign_splits

__all__ = ["BandaiClip", "BandaiSource", "bandai_joints", "iter_bandai_clips"]

_ARCHIVES = ("dataset-1.tar.xz", "dataset-2.tar.xz")
_CLIP_NAME = re.compile(r"dataset-[12]_(?P<content>[a-z-]+)_(?P<style>[a-z-]+)_(?P<id>\d+)")


@dataclass(frozen=True)
class BandaiClip:
    """One clip as found: `name` without suffix, the labels in it, and the bytes of the BVH file."""

    name: str
    content: str
    style: str
    data: bytes

    @property
    def source(self) -> str:
        """Which of the two data sets it is from: "bandai-namco-1" or "bandai-namco-2"."""
        return f"bandai-namco-{self.name[len('dataset-')]}"

    @property
    def source_file(self) -> str:
        """Its path in the published data, wherever it was read from."""
        return f"Bandai-Namco-Research-Motiondataset-{self.name[len('dataset-')]}/data/{self.name}.bvh"

    def read(self) -> bytes:
        return self.data


class BandaiSource(MotionSource[BandaiClip]):
    """The Bandai-Namco data as a dataset.

    Args:
        src: what `iter_bandai_clips` takes.
    """

    name = "bandai-namco"
    license = dataset_card("bandai").license

    def __init__(self, src: str | os.PathLike[str]):
        self.src = os.fspath(src)

    def recordings(self, failures: list[tuple[str, str]]) -> Iterator[BandaiClip]:
        seen: set[str] = set()
        for clip in iter_bandai_clips(self.src):
            if clip.name in seen:
                failures.append((clip.name, f"'{clip.name}' is there twice; the second was passed over"))
            else:
                seen.add(clip.name)
                yield clip

    def convert(self, recording: BandaiClip, data: bytes, digest: str) -> tuple[list[Clip], list[str]]:
        file = f"{recording.name}.bvh"
        clip = Clip(
            name=recording.name,
            recording=recording.name,
            content=recording.content,
            style=recording.style,
            source=recording.source,
            source_file=recording.source_file,
            source_sha256=digest,
            joints=bandai_joints(parse_bvh(data, file), file),
        )
        self.captions(clip, clip.joints, False)  # a label without words shows here
        return [clip], []

    def content(self, clip: Clip, mirrored: bool) -> str:
        return content_of(clip.content, mirrored)

    def captions(self, clip: Clip, joints: np.ndarray, mirrored: bool) -> list[str]:
        return describe(clip.content, clip.style, joints, clip.name, mirrored)

    def splits(self, clips: Iterable[Clip]) -> dict[str, Split]:
        return assign_splits((clip.name, clip.content, clip.style) for clip in clips)

    def card(self) -> DatasetCard:
        return dataset_card("bandai")


def bandai_joints(bvh: Bvh, name: str = "this BVH file") -> np.ndarray:
    """Joint positions of a clip with the Bandai skeleton.

    Args:
        bvh: the parsed file, in centimetres, Y up.
        name: what error messages call it.

    Returns:
        float32 (T, 22, 3), metres, SMPL-22 order, resampled to 20 fps; where and as the clip was recorded.

    Raises:
        MotionLLMError: joints of the Bandai skeleton are missing.
    """
    bandai = BUILT_IN_MAPS["bandai"]
    missing = sorted({joint for sources in bandai.joints.values() for joint in sources} - set(bvh.joint_names))
    if missing:
        raise MotionLLMError(
            f"'{name}' does not have the Bandai-Namco skeleton: it lacks {len(missing)} joints ({', '.join(missing)}); "
            "`motionllm prepare bvh` reads other skeletons"
        )
    return retarget(bvh, name, ReadingOptions(bandai, up="y", scale=0.01)).joints


def iter_bandai_clips(src: str | os.PathLike[str]) -> Iterator[BandaiClip]:
    """All clips under `src`, one at a time; labels without a BVH file are passed over.

    Args:
        src: an unpacked folder, the folder that holds `dataset-1.tar.xz` and/or `dataset-2.tar.xz` (read as a stream,
            never unpacked), or one such archive.

    Raises:
        MotionLLMError: nothing of that kind there, or an archive that is broken.
    """
    path = Path(src)
    if path.is_file():
        yield from _iter_archive(path)
        return
    if not path.is_dir():
        raise MotionLLMError(f"no such file or folder: '{path}'; give the folder or archive of the Bandai-Namco data")
    archives = [path / name for name in _ARCHIVES if (path / name).is_file()]
    if archives:
        for archive in archives:
            yield from _iter_archive(archive)
        return
    found = False
    for file in sorted(path.rglob("*.bvh"), key=lambda file: file.name):
        labels = _CLIP_NAME.fullmatch(file.stem)
        if labels is None:
            continue
        found = True
        try:
            data = file.read_bytes()
        except OSError as error:
            raise MotionLLMError(f"cannot read '{file}' ({error.strerror}); check its permissions") from error
        yield BandaiClip(file.stem, labels["content"], labels["style"], data)
    if not found:
        raise MotionLLMError(
            f"no Bandai-Namco clips in '{path}'; it should hold {' or '.join(_ARCHIVES)}, "
            "or files named like dataset-1_bow_normal_001.bvh"
        )


def _iter_archive(path: Path) -> Iterator[BandaiClip]:
    found = False
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                labels = _CLIP_NAME.fullmatch(Path(member.name).stem)
                if labels is None or not member.name.endswith(".bvh") or not member.isfile():
                    continue
                content = archive.extractfile(member)
                if content is None:
                    continue
                found = True
                yield BandaiClip(labels[0], labels["content"], labels["style"], content.read())
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        raise MotionLLMError(f"'{path}' cannot be read as an archive ({error}); download it again") from error
    if not found:
        raise MotionLLMError(f"'{path}' holds no Bandai-Namco clips; give dataset-1.tar.xz or dataset-2.tar.xz")
