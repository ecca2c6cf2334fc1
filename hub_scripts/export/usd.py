"""Writing a motion as USD: a skinned mannequin, a skeleton and an animation (UsdSkel) for each person."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import Motion

from .glb import clip_name, linear
from .mannequin import Mannequin, build_mannequin
from .rig import Rig, RigMotion
from .shown_motion import solve_people
from .theme import person_colours

try:
    from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdSkel, Vt
except ImportError as error:
    raise MotionLLMError(f"USD files need usd-core ({error}); run: pip install 'motionllm[usd]'") from error

__all__ = ["save_usd"]


def _add_person(stage: Usd.Stage, person: RigMotion, index: int, name: str) -> None:
    """All of a person, below `/World/person1` and so on."""
    rig = person.rig
    mannequin = build_mannequin(rig.smpl_rest, rig.carriers)
    raised = np.array([0.0, -float(mannequin.positions[:, 1].min()), 0.0])  # the rest pose stands on the ground
    root = UsdSkel.Root.Define(stage, f"/World/person{index + 1}")
    skeleton = UsdSkel.Skeleton.Define(stage, root.GetPath().AppendChild("skeleton"))
    joints = _joint_paths(rig)
    skeleton.CreateJointsAttr(joints)
    skeleton.CreateBindTransformsAttr(_translations(rig.rest_positions + raised))
    offsets = rig.offsets.copy()
    offsets[0] = raised
    skeleton.CreateRestTransformsAttr(_translations(offsets))
    animation = UsdSkel.Animation.Define(stage, skeleton.GetPath().AppendChild(Tf.MakeValidIdentifier(name)))
    animation.CreateJointsAttr(joints)
    animation.CreateScalesAttr(Vt.Vec3hArray([Gf.Vec3h(1, 1, 1)] * len(joints)))
    translations, rotations = animation.CreateTranslationsAttr(), animation.CreateRotationsAttr()
    for frame, (place, turns) in enumerate(zip(person.root_positions, person.rotations.tolist(), strict=True)):
        offsets[0] = place
        translations.Set(Vt.Vec3fArray.FromNumpy(offsets.astype(np.float32)), frame)
        rotations.Set(Vt.QuatfArray([Gf.Quatf(w, x, y, z) for w, x, y, z in turns]), frame)
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    mesh = _add_body(stage, root.GetPath().AppendChild("body"), mannequin, raised, index)
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1.0))
    binding.CreateJointIndicesPrimvar(False, 4).Set(mannequin.joints.astype(np.int32).reshape(-1))
    binding.CreateJointWeightsPrimvar(False, 4).Set(mannequin.weights.reshape(-1))
    reach = np.ptp(rig.rest_positions, axis=0).max()
    bounds = [person.root_positions.min(axis=0) - reach, person.root_positions.max(axis=0) + reach]
    root.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack(bounds).astype(np.float32)))


def _joint_paths(rig: Rig) -> list[str]:
    """Joints as paths from the root, in names that USD allows."""
    paths: list[str] = []
    for name, parent in zip(rig.joint_names, rig.parents, strict=True):
        own = Tf.MakeValidIdentifier(name)
        paths.append(own if parent < 0 else f"{paths[parent]}/{own}")
    return paths


def _translations(places: np.ndarray) -> Any:
    return Vt.Matrix4dArray([Gf.Matrix4d().SetTranslate(Gf.Vec3d(*place)) for place in places.tolist()])


def _add_body(stage: Usd.Stage, path: Sdf.Path, mannequin: Mannequin, raised: np.ndarray, index: int) -> UsdGeom.Mesh:
    """The mesh of a person, its faces in the three tones of a person."""
    mesh = UsdGeom.Mesh.Define(stage, path)
    points = (mannequin.positions + raised).astype(np.float32)
    tones = person_colours(index)
    colours = [
        np.tile(linear(getattr(tones, side))[:3], (len(faces), 1)) for side, faces in mannequin.triangles.items()
    ]
    triangles = np.concatenate(list(mannequin.triangles.values())).astype(np.int32)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    mesh.CreateFaceVertexCountsAttr([3] * len(triangles))
    mesh.CreateFaceVertexIndicesAttr(triangles.reshape(-1))
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(mannequin.normals))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([points.min(axis=0), points.max(axis=0)])))
    tone = mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.uniform)
    tone.Set(Vt.Vec3fArray.FromNumpy(np.concatenate(colours).astype(np.float32)))
    return mesh


def save_usd(motion: Motion, path: str | os.PathLike[str], *, fps: float | None = None, skeleton: str = "smpl") -> Path:
    """Write a motion as USD, binary (`.usd`) or as text (`.usda`).

    Metres, Y up; one time code a frame. Each person has a skeleton in T-pose, an animation and a skinned mannequin.

    Args:
        motion: what to write.
        path: ends in `.usd` or `.usda`.
        fps: frames per second; the motion's own if None, else rotations are interpolated.
        skeleton: names of the joints: "smpl", "mixamo", "cmu" or "bandai".

    Returns:
        The path.

    Raises:
        MotionLLMError: bad options, joints that no skeleton can follow, usd-core is missing, or the file cannot be
            written.
    """
    path = Path(path)
    people = solve_people(motion, fps, skeleton)
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(people[0].fps)
    stage.SetFramesPerSecond(people[0].fps)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(len(people[0].rotations) - 1)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())
    name = clip_name(motion.caption)
    stage.GetRootLayer().comment = name
    for index, person in enumerate(people):
        _add_person(stage, person, index, name)
    with atomic_path(path) as temporary:
        try:
            stage.GetRootLayer().Export(str(temporary))
        except Tf.ErrorException as error:
            raise MotionLLMError(f"cannot write '{path}' ({error}); choose another folder") from error
    return path
