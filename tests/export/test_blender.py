"""Blender, as a Python module, reads what we write: the same world from .bvh, .glb and .fbx, at 20 and 30 fps."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_shown_motion import NAMES, decoded

from hub_scripts.export import save_motion, save_motion_files
from hub_scripts.export.shown_motion import shown_motion
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D

BPY = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="bpy is not installed")
CAPTION = "two people bow"

# Settings as docs/export.md has them. Blender runs on its own: it takes hold of the process that it is in.
SCRIPT = """
import json, sys, bpy
result = {}
for path, fps in json.loads(sys.argv[1]):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    if path.endswith(".bvh"):
        bpy.ops.import_anim.bvh(filepath=path, global_scale=0.01, axis_forward="-Z", axis_up="Y", update_scene_fps=True)
    elif path.endswith(".glb"):
        scene.render.fps = fps
        bpy.ops.import_scene.gltf(filepath=path)
    else:
        bpy.ops.import_scene.fbx(filepath=path)
    first = round(min(action.frame_range[0] for action in bpy.data.actions))
    last = round(max(action.frame_range[1] for action in bpy.data.actions))
    armatures = sorted((o for o in bpy.data.objects if o.type == "ARMATURE"), key=lambda o: o.name)
    frames = []
    for frame in range(first, last + 1):
        scene.frame_set(frame)
        graph = bpy.context.evaluated_depsgraph_get()
        people = [armature.evaluated_get(graph) for armature in armatures]
        frames.append([{b.name: list(p.matrix_world @ b.head) for b in p.pose.bones} for p in people])
    soles = []
    for mesh in (o for o in bpy.data.objects if o.type == "MESH" and o.name.endswith("_body")):
        shown = mesh.evaluated_get(graph)
        soles.append(min((shown.matrix_world @ vertex.co).z for vertex in shown.to_mesh().vertices))
    result[path] = {
        "fps": scene.render.fps / scene.render.fps_base,
        "frames": frames,
        "actions": sorted(action.name for action in bpy.data.actions),
        "soles": soles,
    }
open(sys.argv[2], "w").write(json.dumps(result))
"""


def imported(files: list[tuple[Path, float]], folder: Path) -> dict[str, dict]:
    (folder / "look.py").write_text(SCRIPT)
    given = json.dumps([(str(path), round(fps)) for path, fps in files])
    command = [sys.executable, str(folder / "look.py"), given, str(folder / "seen.json")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads((folder / "seen.json").read_text())


def joints_of(seen: dict, person: int) -> np.ndarray:
    """(T, 22, 3) with y up: Blender has z up, and looks along y where we look along -z."""
    x, y, z = np.moveaxis(
        np.array([[frame[person][name] for name in HUMANML3D.joint_names] for frame in seen["frames"]]), -1, 0
    )
    return np.stack([x, z, -y], axis=-1)


@BPY
@pytest.mark.parametrize("fps", [20.0, 30.0])
def test_blender_imports_the_same_world_from_all_formats(tmp_path: Path, fps: float) -> None:
    first, second = (decoded()[name][:40] for name in NAMES[:2])
    one = Motion(first, caption=CAPTION)
    two = Motion(np.stack([first, second + np.float32([1.0, 0, 0.5])]), caption=CAPTION)
    files = [save_motion(one, tmp_path / name, fps=fps) for name in ("one.bvh", "one.glb", "one.fbx")]
    people = [*save_motion_files(two, tmp_path / "two.bvh", fps=fps), save_motion(two, tmp_path / "two.glb", fps=fps)]
    people.append(save_motion(two, tmp_path / "two.fbx", fps=fps))
    seen = imported([(path, fps) for path in (*files, *people)], tmp_path)
    alone, together = shown_motion(one, fps).joints, shown_motion(two, fps).joints
    for path in files:
        assert seen[str(path)]["fps"] == pytest.approx(fps, abs=1e-4)
        assert np.linalg.norm(joints_of(seen[str(path)], 0) - alone, axis=-1).max() < 0.001, path.name
    for path, joints in zip(people[:2], together, strict=True):
        assert np.linalg.norm(joints_of(seen[str(path)], 0) - joints, axis=-1).max() < 0.001, path.name
    for path in people[2:]:
        for person in (0, 1):
            assert np.linalg.norm(joints_of(seen[str(path)], person) - together[person], axis=-1).max() < 0.001
    assert any(CAPTION in name for name in seen[str(files[1])]["actions"])
    assert seen[str(files[1])]["soles"][0] == pytest.approx(0.0, abs=0.02)


@pytest.mark.skipif(importlib.util.find_spec("bpy") is not None, reason="bpy is installed")
def test_without_blender_fbx_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "hub_scripts.export.fbx", raising=False)
    with pytest.raises(MotionLLMError, match=r"written by Blender, which is not here; run: pip install"):
        save_motion(Motion(decoded()[NAMES[0]][:8]), tmp_path / "motion.fbx")
    assert not (tmp_path / "motion.fbx").exists()
