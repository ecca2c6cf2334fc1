"""Runs inside Blender (4.2 or later): a `.glb` of ours to `.fbx`, at its frame rate and with its frame range.

blender --background --python fbx_in_blender.py -- motion.glb motion.fbx 30
"""

import sys

import bpy


def convert(source: str, target: str, fps: float) -> None:
    """Import a `.glb` and export all of it.

    Args:
        source: the `.glb`.
        target: the `.fbx`.
        fps: frames per second; keys of the `.glb` lie on whole frames then.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps
    bpy.ops.import_scene.gltf(filepath=source)
    ranges = [action.frame_range for action in bpy.data.actions]
    scene.frame_start = round(min(first for first, _ in ranges))
    scene.frame_end = round(max(last for _, last in ranges))
    bpy.ops.export_scene.fbx(
        filepath=target,
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
    )


if __name__ == "__main__":
    given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    convert(given[0], given[1], float(given[2]))
