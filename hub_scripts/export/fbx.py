"""Writing a motion as FBX, by Blender: as its Python module `bpy`, or as the program."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import Motion

from .glb import save_glb

__all__ = ["save_fbx"]

_SCRIPT = Path(__file__).with_name("fbx_in_blender.py")
_LONGEST = 600.0  # seconds that Blender may take


def _command() -> list[str]:
    """What runs a script inside Blender.

    Raises:
        MotionLLMError: there is none; so this module cannot be imported, as those whose packages are missing.
    """
    if importlib.util.find_spec("bpy") is not None:
        return [sys.executable, str(_SCRIPT)]
    blender = shutil.which("blender")
    if blender is None:
        raise MotionLLMError(
            "FBX files are written by Blender, which is not here; run: pip install 'motionllm[fbx]' (needs the Python "
            "version that bpy is built for), install Blender, or write .glb and import that"
        )
    return [blender, "--background", "--factory-startup", "--python-exit-code", "1", "--python", str(_SCRIPT), "--"]


_BLENDER = _command()


def save_fbx(motion: Motion, path: str | os.PathLike[str], *, fps: float | None = None, skeleton: str = "smpl") -> Path:
    """Write a motion as binary FBX: the people of a `.glb`, frame range and rate set.

    Args:
        motion: what to write.
        path: ends in `.fbx`.
        fps: frames per second; the motion's own if None, else rotations are interpolated.
        skeleton: names of the joints: "smpl", "mixamo", "cmu" or "bandai".

    Returns:
        The path.

    Raises:
        MotionLLMError: bad options, joints that no skeleton can follow, Blender is missing or fails, or the file cannot
            be written.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as temporary:
        source = save_glb(motion, Path(folder) / "motion.glb", fps=fps, skeleton=skeleton)
        arguments = [str(source), str(temporary.resolve()), repr(float(fps or motion.fps))]
        try:
            run = subprocess.run(
                [*_BLENDER, *arguments], capture_output=True, text=True, errors="replace", timeout=_LONGEST, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MotionLLMError(f"cannot run Blender for '{path}' ({error}); write .glb and import that") from error
        if run.returncode or not temporary.is_file() or temporary.stat().st_size == 0:
            said = next((line for line in reversed((run.stderr or run.stdout).splitlines()) if line.strip()), "nothing")
            raise MotionLLMError(f"Blender did not write '{path}' (it said: {said.strip()[:200]}); write .glb instead")
    return path
