"""Forward kinematics: joint angles and segment lengths to joints in space.

The world is the walker's: x forward along the walk, y to the left, z up, metres, the floor at
z = 0. The pelvis is carried so that the lowest point of the feet rests on the floor, and moves
forward as fast as the standing foot would otherwise slide back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.walkers.body import Body
from gaitkit.walkers.gait import SIDES, JointAngles, joint_angles

__all__ = ["SHOE_M", "Skeleton", "bend", "pose", "roll", "stride_length", "turn"]

SHOE_M = 0.012
_HIP_HALF_WIDTH = 0.052  # of stature: hip joint centres, Winter (2009)
_SOFT_M = 0.008
_STANCE = (0.10, 0.45)  # part of the cycle in which the whole foot stands


@dataclass(frozen=True)
class Skeleton:
    """Frames of joints and segment orientations.

    Attributes
    ----------
    points : dict of str to ndarray of float64, shape (frames, 3)
        Joint centres by name, in metres: pelvis, waist, chest, neck, skull, head and, with
        ``right_`` or ``left_`` before it, hip, knee, ankle, heel, ball, toe, shoulder, elbow,
        wrist, fingers.
    frames : dict of str to ndarray of float64, shape (frames, 3, 3)
        Orientation of segments (columns: forward, left, up): pelvis, thorax, upper_thorax, head
        and, by side, thigh, shank, foot, upper_arm, forearm.
    """

    points: dict[str, NDArray[np.float64]]
    frames: dict[str, NDArray[np.float64]]

    def moved(self, offset: NDArray[np.float64]) -> Skeleton:
        """The skeleton carried along.

        Parameters
        ----------
        offset : ndarray of float64, shape (frames, 3)
            Metres.
        """
        return Skeleton({name: at + offset for name, at in self.points.items()}, self.frames)


# Rotations in the walker's frame (x forward, y to the walker's left, z up), right-handed.


def bend(degrees: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Rotation that swings a hanging limb forward, a flexion: about the y axis.

    Parameters
    ----------
    degrees : float or ndarray of float64, shape (frames,)
        Angle.

    Returns
    -------
    ndarray of float64, shape (..., 3, 3)
        Matrices for column vectors.
    """
    c, s, zero, one = _parts(degrees)
    return _matrix((c, zero, -s), (zero, one, zero), (s, zero, c))


def roll(degrees: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Rotation that lifts the left side: about the x axis. See `bend`."""
    c, s, zero, one = _parts(degrees)
    return _matrix((one, zero, zero), (zero, c, -s), (zero, s, c))


def turn(degrees: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Rotation to the walker's left: about the z axis. See `bend`."""
    c, s, zero, one = _parts(degrees)
    return _matrix((c, -s, zero), (s, c, zero), (zero, zero, one))


_Row = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _parts(
    degrees: NDArray[np.float64] | float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    angle = np.radians(np.asarray(degrees, dtype=np.float64))
    return np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)


def _matrix(*rows: _Row) -> NDArray[np.float64]:
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def pose(body: Body, style: Mapping[str, float], phase: NDArray[np.float64]) -> Skeleton:
    """A walker on the spot: the pelvis above the origin, the feet on the floor.

    Parameters
    ----------
    body : Body
        Segment lengths.
    style : mapping of str to float
        How the person walks (`gaitkit.walkers.gait.STYLE`).
    phase : ndarray of float64, shape (frames,)
        Gait phase of the right leg.

    Returns
    -------
    Skeleton
        Joints and orientations, metres.
    """
    angles = joint_angles(style, phase)
    points: dict[str, NDArray[np.float64]] = {}
    frames: dict[str, NDArray[np.float64]] = {}
    tilt = bend(-style["pelvis_tilt"])
    heading = turn(angles.pelvis_yaw)
    frames["pelvis"] = heading @ roll(angles.pelvis_roll) @ tilt
    points["pelvis"] = np.zeros((len(phase), 3))
    points["pelvis"][:, 1] = -style["sway_m"] * np.sin(2 * np.pi * phase)
    person = _Posing(points, frames, body, style, angles)
    for side in SIDES:
        _leg(person, side, heading)
    _trunk(person)
    for side in SIDES:
        _arm(person, side)
    soles = [points[f"{side}_{part}"][:, 2] for side in SIDES for part in ("heel", "ball", "toe")]
    # A soft minimum: weight passes from one sole to the other without a jolt.
    lowest = -_SOFT_M * np.log(np.sum(np.exp(-np.array(soles) / _SOFT_M), axis=0) / 3)
    lift = np.zeros((len(phase), 3))
    lift[:, 2] = SHOE_M - lowest
    return Skeleton(points, frames).moved(lift)


def stride_length(body: Body, style: Mapping[str, float]) -> float:
    """How far the walker comes in one cycle if the standing foot does not slide.

    Parameters
    ----------
    body, style
        As in `pose`.

    Returns
    -------
    float
        Metres.
    """
    phase = np.linspace(*_STANCE, 8)
    # The left leg does the same half a cycle later, so both are looked at in one pose.
    skeleton = pose(body, style, np.concatenate([phase, phase + 0.5]))
    duration = _STANCE[1] - _STANCE[0]
    slides = [
        skeleton.points["right_ankle"][0, 0] - skeleton.points["right_ankle"][7, 0],
        skeleton.points["left_ankle"][8, 0] - skeleton.points["left_ankle"][15, 0],
    ]
    return float(np.mean(slides)) / duration


def _along(frame: NDArray[np.float64], x: float, y: float, z: float) -> NDArray[np.float64]:
    """A vector given in a segment's own axes."""
    vector: NDArray[np.float64] = frame @ np.array([x, y, z])
    return vector


class _Posing(NamedTuple):
    """Somebody being posed: joints and orientations so far, and what decides about the others."""

    points: dict[str, NDArray[np.float64]]
    frames: dict[str, NDArray[np.float64]]
    body: Body
    style: Mapping[str, float]
    angles: JointAngles


def _leg(person: _Posing, side: str, heading: NDArray[np.float64]) -> None:
    points, frames, body, style, angles = person
    sign = 1.0 if side == "left" else -1.0
    half = _HIP_HALF_WIDTH * body.stature
    reach = body.thigh + body.shank
    # The leg slants inwards so that the feet come down a step width apart.
    slant = -sign * np.degrees(np.arcsin((half - style["step_width_m"] / 2) / reach))
    toe_out = sign * style["toe_out"] + style["toe_out_asymmetry"]
    hip = points["pelvis"] + _along(frames["pelvis"], 0, sign * half, 0)
    thigh = turn(0.3 * angles.pelvis_yaw) @ roll(slant) @ turn(0.4 * toe_out)
    thigh = thigh @ bend(angles.hip[side])
    shank = thigh @ bend(-angles.knee[side])
    foot = shank @ turn(0.6 * toe_out) @ bend(angles.ankle[side])
    knee = hip + _along(thigh, 0, 0, -body.thigh)
    ankle = knee + _along(shank, 0, 0, -body.shank)
    sole = -(body.ankle_height - 0.2 * body.ankle_height)
    ball = ankle + _along(foot, 0.46 * body.foot, 0, sole)
    # Toes stay flatter than the foot when the heel lifts.
    pitch_down = np.degrees(-np.arcsin(np.clip(foot[:, 2, 0], -1, 1)))
    toes = foot @ bend(np.clip(0.8 * (pitch_down - 5), 0, 35))
    names = ("hip", "knee", "ankle", "ball")
    for name, at in zip(names, (hip, knee, ankle, ball), strict=True):
        points[f"{side}_{name}"] = at
    points[f"{side}_heel"] = ankle + _along(foot, -0.20 * body.foot, 0, sole)
    points[f"{side}_toe"] = ball + _along(toes, 0.21 * body.foot, 0, 0)
    frames[f"{side}_thigh"], frames[f"{side}_shank"], frames[f"{side}_foot"] = thigh, shank, foot


def _trunk(person: _Posing) -> None:
    points, frames, body, style, angles = person
    thorax = turn(angles.thorax_yaw) @ roll(angles.thorax_roll) @ bend(-angles.thorax_pitch)
    upper = thorax @ bend(-style["upper_back_bend"])
    neck = upper @ bend(-style["neck_forward"] + 0.4 * style["upper_back_bend"])
    # The eyes look ahead, whatever the back does.
    gaze = turn(0.3 * angles.thorax_yaw) @ bend(-style["head_pitch"])
    points["waist"] = points["pelvis"] + _along(frames["pelvis"], 0, 0, body.pelvis_height)
    points["chest"] = points["waist"] + _along(thorax, 0, 0, 0.55 * body.thorax_height)
    points["neck"] = points["chest"] + _along(upper, 0, 0, 0.53 * body.thorax_height)
    points["skull"] = points["neck"] + _along(neck, 0, 0, body.neck)
    points["head"] = points["skull"] + _along(gaze, 0.012, 0, 0.48 * body.head_height)
    frames["thorax"], frames["upper_thorax"], frames["head"] = thorax, upper, gaze


def _arm(person: _Posing, side: str) -> None:
    points, frames, body, style, angles = person
    sign = 1.0 if side == "left" else -1.0
    half = body.biacromial_breadth / 2 - 0.022
    trunk = frames["upper_thorax"]
    shoulder = points["neck"] + _along(
        trunk,
        style["shoulder_forward_m"],
        sign * half,
        -0.040 * body.stature + style["shoulder_raise_m"],
    )
    out = style["arm_abduction"] + sign * style["arm_abduction_asymmetry"]
    # Arms hang from the shoulders by their weight, not along the leaning trunk.
    base = turn(angles.thorax_yaw) @ bend(-0.5 * angles.thorax_pitch)
    upper = base @ roll(sign * out) @ bend(angles.shoulder[side])
    # Turned inwards, the bent forearm comes in front of the body.
    fore = upper @ turn(-sign * style["arm_inward"]) @ bend(angles.elbow[side])
    fore = fore @ roll(-sign * 0.6 * out)
    hand = fore @ bend(style["wrist"])
    elbow = shoulder + _along(upper, 0, 0, -body.upper_arm)
    wrist = elbow + _along(fore, 0, 0, -body.forearm)
    points[f"{side}_shoulder"], points[f"{side}_elbow"] = shoulder, elbow
    points[f"{side}_wrist"] = wrist
    points[f"{side}_fingers"] = wrist + _along(hand, 0, 0, -0.62 * body.hand)
    frames[f"{side}_upper_arm"], frames[f"{side}_forearm"] = upper, fore
