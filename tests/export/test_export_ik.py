"""Inverse kinematics: real clips against their recorded rotations, and made-up clips that are hard."""

from functools import cache

import numpy as np
import pytest
from conftest import FIXTURES, read_golden

from hub_scripts.data.bvh import forward_kinematics as bvh_positions
from hub_scripts.data.bvh import read_bvh
from hub_scripts.export.ik import solve_rotations
from hub_scripts.export.rig import RigMotion, forward_kinematics, rename_joints, resample_rotations
from hub_scripts.export.rotations import (
    ROTATION_ORDERS,
    align_signs,
    conjugate,
    euler_angles,
    from_matrix,
    multiply,
    rotate,
    slerp,
    swing,
    to_matrix,
)
from hub_scripts.export.shown_motion import solve_people
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D, mirror_joints

PARENTS = np.array(HUMANML3D.parents)
HINGES = [4, 5, 18, 19]
GOLDEN = sorted(read_golden())


def jumps(rotations: np.ndarray) -> np.ndarray:
    """Degrees between frames, (T-1, J)."""
    cosine = np.abs((rotations[1:] * rotations[:-1]).sum(axis=-1)).clip(0, 1)
    return 2 * np.degrees(np.arccos(cosine))


def real_bends(joints: np.ndarray) -> np.ndarray:
    """Degrees by which the bend of each knee and elbow changes between frames, (T-1, 4)."""
    upper = joints[:, HINGES] - joints[:, PARENTS[HINGES]]
    lower = joints[:, [7, 8, 20, 21]] - joints[:, HINGES]
    cosine = (upper * lower).sum(axis=-1) / np.linalg.norm(upper, axis=-1) / np.linalg.norm(lower, axis=-1)
    return np.abs(np.diff(np.degrees(np.arccos(cosine.clip(-1, 1))), axis=0))


def world_rotations(motion: RigMotion) -> np.ndarray:
    world = motion.rotations.copy()
    for joint, parent in enumerate(motion.rig.parents):
        if parent >= 0:
            world[:, joint] = multiply(world[:, parent], world[:, joint])
    return world


def yaw(degrees: np.ndarray | float) -> np.ndarray:
    half = np.radians(np.asarray(degrees, dtype=float)) / 2
    return np.stack([np.cos(half), 0 * half, np.sin(half), 0 * half], axis=-1)


@cache
def t_pose() -> np.ndarray:
    """A standing person with straight arms and legs, (22, 3)."""
    walk = read_golden()["dataset-1_walk_normal_002"]["joints"]
    return solve_rotations(walk, 20.0).rig.rest_positions + np.array([0, 1, 0])


def spinning(frames: int, turns: float) -> np.ndarray:
    angles = np.linspace(0, 360 * turns, frames)
    return rotate(yaw(angles)[:, None], t_pose())


def random_rotations(*shape: int) -> np.ndarray:
    rotations = np.random.default_rng(0).normal(size=(*shape, 4))
    return rotations / np.linalg.norm(rotations, axis=-1, keepdims=True)


# Rotations


def axis_matrix(axis: str, angle: np.ndarray) -> np.ndarray:
    vector = np.eye(3)["XYZ".index(axis)]
    rotation = np.concatenate([np.cos(angle / 2)[..., None], np.sin(angle / 2)[..., None] * vector], axis=-1)
    return to_matrix(rotation)


def test_quaternions_and_matrices_agree() -> None:
    first, second = random_rotations(40, 3), random_rotations(41, 3)[1:]
    np.testing.assert_allclose(to_matrix(multiply(first, second)), to_matrix(first) @ to_matrix(second), atol=1e-12)
    np.testing.assert_allclose(np.abs((from_matrix(to_matrix(first)) * first).sum(axis=-1)), 1, atol=1e-12)
    np.testing.assert_allclose(to_matrix(conjugate(first)), np.swapaxes(to_matrix(first), -1, -2), atol=1e-12)
    np.testing.assert_allclose(axis_matrix("Z", np.array(np.pi / 2)) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_the_swing_is_the_shortest_way_even_to_the_opposite() -> None:
    start = np.random.default_rng(1).normal(size=(20, 3))
    start /= np.linalg.norm(start, axis=-1, keepdims=True)
    end = np.roll(start, 1, axis=0)
    end[:3] = -start[:3]
    end[3] = start[3]
    turn = swing(start, end)
    np.testing.assert_allclose(rotate(turn, start), end, atol=1e-12)
    np.testing.assert_allclose(2 * np.arccos(turn[:, 0]), np.arccos((start * end).sum(axis=-1).clip(-1, 1)), atol=1e-6)


def test_slerp_goes_at_constant_speed() -> None:
    half = slerp(yaw(10.0), yaw(50.0), 0.25)
    np.testing.assert_allclose(half, yaw(20.0), atol=1e-12)
    np.testing.assert_allclose(slerp(yaw(10.0), yaw(10.0), 0.3), yaw(10.0), atol=1e-12)


@pytest.mark.parametrize("order", ROTATION_ORDERS)
def test_euler_angles_give_the_rotation_back_and_run_on(order: str) -> None:
    rotations = random_rotations(50, 2)
    angles = euler_angles(rotations, order)
    product = np.eye(3)
    for channel, axis in enumerate(order):
        product = product @ axis_matrix(axis, angles[..., channel])
    np.testing.assert_allclose(product, to_matrix(rotations), atol=1e-9)
    # three turns about the outer axis, in steps of 30 degrees
    steps = np.radians(np.arange(0, 1081, 30.0))
    turning = align_signs(from_matrix(axis_matrix(order[0], steps)))
    np.testing.assert_allclose(
        euler_angles(turning, order), np.stack([steps, 0 * steps, 0 * steps], axis=-1), atol=1e-9
    )


@pytest.mark.parametrize("order", ROTATION_ORDERS)
def test_euler_angles_are_right_at_gimbal_lock(order: str) -> None:
    outer, inner = np.linspace(0, 0.5, 6), np.linspace(0.2, 0.4, 6)
    middle = np.full(6, np.pi / 2)
    rotation = axis_matrix(order[0], outer) @ axis_matrix(order[1], middle) @ axis_matrix(order[2], inner)
    angles = euler_angles(align_signs(from_matrix(rotation)), order)
    again = np.eye(3)
    for channel, axis in enumerate(order):
        again = again @ axis_matrix(axis, angles[:, channel])
    np.testing.assert_allclose(again, rotation, atol=1e-7)
    assert np.abs(np.diff(angles, axis=0)).max() < 0.2


def test_an_unknown_rotation_order_is_refused() -> None:
    with pytest.raises(MotionLLMError, match=r"'XYX'.*ZXY"):
        euler_angles(random_rotations(3), "XYX")


# Real clips


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("mirrored", [False, True])
def test_real_clips_are_followed_without_jumps(name: str, mirrored: bool) -> None:
    joints = read_golden()[name]["joints"]
    joints = mirror_joints(joints) if mirrored else joints
    motion = solve_rotations(joints, 20.0)
    error = np.linalg.norm(forward_kinematics(motion) - joints, axis=-1)
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, PARENTS[1:]], axis=-1)
    stretch = np.abs(lengths - np.median(lengths, axis=0)).max()
    assert np.median(error) < 0.0005
    assert error.max() < 2 * stretch + 1e-4  # nothing but the change of bone lengths
    turned = jumps(motion.rotations)
    turned[:, HINGES] -= real_bends(joints)  # a punch stretches the elbow by 68 degrees in one frame
    assert turned.max() < 60
    np.testing.assert_allclose(np.linalg.norm(motion.rotations, axis=-1), 1, atol=1e-9)
    assert ((motion.rotations[1:] * motion.rotations[:-1]).sum(axis=-1) >= 0).all()
    offsets = np.linalg.norm(motion.rig.offsets, axis=-1)
    np.testing.assert_allclose(offsets[1:], np.median(lengths, axis=0), atol=1e-6)


def recorded_rotations(path) -> dict[str, np.ndarray]:
    """World rotations of a BVH file, by joint."""
    bvh = read_bvh(path)
    world: list[np.ndarray] = []
    starts = np.cumsum([0, *map(len, bvh.channels)])
    for joint, (channels, parent) in enumerate(zip(bvh.channels, bvh.parents, strict=True)):
        turn = np.tile(np.eye(3), (len(bvh.frames), 1, 1)) if parent < 0 else world[parent]
        for index, channel in enumerate(channels):
            if channel.endswith("rotation"):
                turn = turn @ axis_matrix(channel[0], np.radians(bvh.frames[:, starts[joint] + index]))
        world.append(turn)
    return dict(zip(bvh.joint_names, map(from_matrix, world), strict=True))


@pytest.mark.parametrize("path", sorted((FIXTURES / "bandai").glob("*.bvh")), ids=lambda path: path.stem)
def test_rotations_are_those_that_were_recorded(path) -> None:
    # The skeletons differ in how they rest, so a constant turn is taken out of every joint.
    names = {0: "Hips", 9: "Chest", 1: "UpperLeg_L", 2: "UpperLeg_R", 4: "LowerLeg_L", 5: "LowerLeg_R"}
    names |= {16: "UpperArm_L", 17: "UpperArm_R", 18: "LowerArm_L", 19: "LowerArm_R"}
    bvh = read_bvh(path)
    positions = bvh_positions(bvh) * 0.01
    where = {name: positions[:, index] for index, name in enumerate(bvh.joint_names)}
    order = ["Hips", "UpperLeg_L", "UpperLeg_R", "Spine", "LowerLeg_L", "LowerLeg_R", "", "Foot_L", "Foot_R", "Chest"]
    order += ["Toes_L", "Toes_R", "Neck", "Shoulder_L", "Shoulder_R", "Head", "UpperArm_L", "UpperArm_R"]
    order += ["LowerArm_L", "LowerArm_R", "Hand_L", "Hand_R"]
    where[""] = 0.5 * (where["Spine"] + where["Chest"])
    ours = world_rotations(solve_rotations(np.stack([where[name] for name in order], axis=1), bvh.fps))
    truth = recorded_rotations(path)
    for joint, name in names.items():
        apart = align_signs(multiply(conjugate(truth[name]), ours[:, joint]))
        constant = np.linalg.eigh(apart.T @ apart)[1][:, -1]
        degrees = 2 * np.degrees(np.arccos(np.abs(apart @ constant).clip(0, 1)))
        assert np.median(degrees) < (0.1 if joint in (0, 9) else 6), name
        assert degrees.max() < (0.1 if joint in (0, 9) else 25), name


# Hard clips


def check(joints: np.ndarray, fps: float = 20.0, largest_jump: float = 60.0) -> RigMotion:
    motion = solve_rotations(joints, fps)
    np.testing.assert_allclose(forward_kinematics(motion), joints, atol=1e-6)
    if len(joints) > 1:
        assert jumps(motion.rotations).max() < largest_jump
    return motion


@pytest.mark.parametrize("frames", [2, 4, 6, 8])
def test_a_straight_elbow_that_bends_to_the_wrong_side_does_not_turn_the_arm_round(frames: int) -> None:
    # So decoded motion looks: the arm hangs still and the wrist wavers about the straight line.
    joints = np.repeat(t_pose()[None], 40, axis=0)
    bend = np.radians(20) * np.ones(40)
    bend[20 - frames // 2 : 20 + frames // 2] *= -1
    bend = np.convolve(bend, [0.25, 0.5, 0.25], "same")
    for elbow, wrist in ((18, 20), (19, 21)):
        length = np.linalg.norm(joints[0, wrist] - joints[0, elbow])
        joints[:, elbow] = joints[:, elbow - 2] + [0, -0.26, 0]
        joints[:, wrist] = joints[:, elbow] + length * np.stack([0 * bend, -np.cos(bend), np.sin(bend)], axis=-1)
    check(joints)


def test_the_rest_pose_has_no_rotation() -> None:
    motion = check(np.repeat(t_pose()[None], 5, axis=0))
    np.testing.assert_allclose(np.abs(motion.rotations[..., 0]), 1, atol=1e-9)


@pytest.mark.parametrize("heading", [90.0, 180.0, -135.0])
def test_a_person_facing_elsewhere_turns_at_the_root_alone(heading: float) -> None:
    motion = check(np.repeat(rotate(yaw(heading), t_pose())[None], 3, axis=0))
    np.testing.assert_allclose(np.abs((motion.rotations[:, 0] * yaw(heading)).sum(axis=-1)), 1, atol=1e-9)
    np.testing.assert_allclose(np.abs(motion.rotations[:, 1:, 0]), 1, atol=1e-9)


@pytest.mark.parametrize("turns,frames", [(0.5, 12), (3.0, 80), (-3.0, 80)])
def test_spinning_with_straight_limbs_turns_the_root_alone_and_evenly(turns: float, frames: int) -> None:
    motion = check(spinning(frames, turns))
    np.testing.assert_allclose(jumps(motion.rotations)[:, 0], abs(turns) * 360 / (frames - 1), atol=1e-6)
    np.testing.assert_allclose(np.abs(motion.rotations[:, 1:, 0]), 1, atol=1e-9)
    heading = np.degrees(euler_angles(motion.rotations[:, 0], "YXZ")[:, 0])
    np.testing.assert_allclose(heading, np.linspace(0, 360 * turns, frames), atol=1e-6)


def test_a_straight_elbow_that_trembles_does_not_flip_the_arm() -> None:
    joints = np.repeat(t_pose()[None], 60, axis=0)
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, size=60)
    # the wrist circles the line of the arm at 2 mm: the elbow "bends" every which way by half a degree
    joints[:, 20, 1] += 0.002 * np.cos(angle)
    joints[:, 20, 2] += 0.002 * np.sin(angle)
    motion = solve_rotations(joints, 20.0)
    assert jumps(motion.rotations).max() < 5


def test_an_arm_that_straightens_and_bends_again_keeps_its_hinge() -> None:
    joints = np.repeat(t_pose()[None], 41, axis=0)
    bend = np.radians(90) * np.abs(np.linspace(-1, 1, 41))  # forward, straight in the middle, forward again
    forearm = np.linalg.norm(joints[0, 20] - joints[0, 18])
    joints[:, 20, 0] = joints[:, 18, 0] + forearm * np.cos(bend)
    joints[:, 20, 2] = joints[:, 18, 2] + forearm * np.sin(bend)
    motion = check(joints, largest_jump=6)
    np.testing.assert_allclose(np.abs(motion.rotations[:, 16, 0]), 1, atol=1e-3)  # the upper arm stays as it is
    np.testing.assert_allclose(2 * np.arccos(np.abs(motion.rotations[:, 18, 0]).clip(0, 1)), bend, atol=0.02)


def test_a_kick_over_the_head_passes_the_opposite_of_the_rest_direction() -> None:
    joints = np.repeat(t_pose()[None], 40, axis=0)
    angle = np.radians(np.linspace(0, 200, 40))
    for joint in (4, 7, 10):
        arm = joints[:, joint] - joints[:, 1]
        joints[:, joint, 1] = joints[:, 1, 1] + np.cos(angle) * arm[:, 1] + np.sin(angle) * arm[:, 2]
        joints[:, joint, 2] = joints[:, 1, 2] - np.sin(angle) * arm[:, 1] + np.cos(angle) * arm[:, 2]
    motion = check(joints, largest_jump=12)
    # the foot says how the straight leg is turned: the whole turn is about x
    np.testing.assert_allclose(np.abs(motion.rotations[:, 1, 2:]), 0, atol=1e-6)


def test_one_frame_is_enough() -> None:
    check(t_pose()[None])


def test_given_bone_lengths_keep_the_directions() -> None:
    joints = read_golden()["dataset-1_walk_normal_002"]["joints"]
    own = solve_rotations(joints, 20.0)
    lengths = 1.2 * np.linalg.norm(own.rig.offsets, axis=-1)
    larger = solve_rotations(joints, 20.0, bone_lengths=lengths)
    np.testing.assert_allclose(np.linalg.norm(larger.rig.offsets, axis=-1), lengths, atol=1e-9)
    np.testing.assert_allclose(forward_kinematics(larger), 1.2 * forward_kinematics(own), atol=0.01)


def test_a_pelvis_that_is_not_rigid_is_followed_as_well_as_can_be() -> None:
    joints = read_golden()["dataset-1_walk_normal_002"]["joints"].astype(float)
    noisy = joints + np.random.default_rng(0).normal(size=joints.shape) * 0.003
    error = np.linalg.norm(forward_kinematics(solve_rotations(noisy, 20.0)) - noisy, axis=-1)
    assert np.median(error) < 0.006


@pytest.mark.parametrize(
    "joint,named", [(4, "left_hip-left_knee"), (1, "pelvis-left_hip"), (21, "right_elbow-right_wrist")]
)
def test_bones_without_length_are_named(joint: int, named: str) -> None:
    joints = np.repeat(t_pose()[None], 4, axis=0)
    joints[:, joint] = joints[:, PARENTS[joint]]
    with pytest.raises(MotionLLMError, match=f"without length.*{named}"):
        solve_rotations(joints, 20.0)


def test_a_bone_without_length_in_single_frames_takes_its_direction_from_the_others() -> None:
    joints = np.repeat(t_pose()[None], 9, axis=0)
    joints[4, 20] = joints[4, 18]
    motion = solve_rotations(joints, 20.0)
    np.testing.assert_allclose(np.abs(motion.rotations[..., 0]), 1, atol=1e-9)


def test_other_impossible_joints_are_refused() -> None:
    joints = np.repeat(t_pose()[None], 4, axis=0)
    flat = joints.copy()
    flat[:, [1, 2, 3]] = flat[:, :1] + np.array([[0.1, 0, 0], [-0.1, 0, 0], [0.2, 0, 0]])
    with pytest.raises(MotionLLMError, match="around the pelvis lie on one line"):
        solve_rotations(flat, 20.0)
    with pytest.raises(MotionLLMError, match="NaN"):
        solve_rotations(np.where(np.arange(4)[:, None, None] == 2, np.nan, joints), 20.0)
    with pytest.raises(MotionLLMError, match=r"\(4, 21, 3\)"):
        solve_rotations(joints[:, :21], 20.0)
    with pytest.raises(MotionLLMError, match=r"bone_lengths have shape \(3,\)"):
        solve_rotations(joints, 20.0, bone_lengths=np.ones(3))


# Resampling and names


@pytest.mark.parametrize("fps", [30.0, 60.0, 10.0])
def test_resampling_keeps_the_frames_it_shares_and_the_length(fps: float) -> None:
    joints = read_golden()["dataset-1_walk_normal_002"]["joints"]
    motion = solve_rotations(joints, 20.0)
    other = resample_rotations(motion, fps)
    assert other.fps == fps
    assert len(other.rotations) == int((len(joints) - 1) * fps / 20 + 1e-9) + 1
    shared = np.arange(0, len(other.rotations), 1 if fps == 10 else int(np.lcm(20, int(fps)) / 20))
    frames = (shared * 20 / fps).round().astype(int)
    np.testing.assert_allclose(forward_kinematics(other)[shared], forward_kinematics(motion)[frames], atol=1e-9)
    assert resample_rotations(motion, 20.0) is motion
    with pytest.raises(MotionLLMError, match="fps is 0"):
        resample_rotations(motion, 0)


def test_bones_keep_their_length_between_frames() -> None:
    motion = resample_rotations(solve_rotations(spinning(13, 1.0), 20.0), 60.0)
    positions = forward_kinematics(motion)
    lengths = np.linalg.norm(positions[:, 1:] - positions[:, PARENTS[1:]], axis=-1)
    np.testing.assert_allclose(lengths.std(axis=0), 0, atol=1e-9)  # straight lines would cut the corners


def test_other_joint_names_move_alike() -> None:
    joints = read_golden()["dataset-1_walk_normal_002"]["joints"]
    motion = Motion(joints)
    smpl = forward_kinematics(solve_people(motion)[0])
    mixamo = solve_people(motion, skeleton="mixamo")[0]
    assert mixamo.rig.joint_names[:2] == ("mixamorig:Hips", "mixamorig:LeftUpLeg")
    np.testing.assert_allclose(forward_kinematics(mixamo), smpl, atol=1e-6)
    bandai = solve_people(motion, skeleton="bandai")[0]
    assert len(bandai.rig.joint_names) == 21
    np.testing.assert_allclose(forward_kinematics(bandai), np.delete(smpl, 6, axis=1), atol=1e-4)
    with pytest.raises(MotionLLMError, match=r"'smplx'.*mixamo"):
        rename_joints(solve_people(motion)[0], "smplx")
