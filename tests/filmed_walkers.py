"""Videos of walkers with what makes them hard: texture, noise, light, shadows, compression.

Each comes with the truth: the masks of everybody in each frame.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.walkers import WalkerOptions, render_sequence

CLOTHES = (
    [(40, 30, 120), (70, 50, 40)],
    [(150, 90, 30), (30, 30, 35)],
    [(60, 140, 70), (90, 60, 50)],
)
"""Blue, green and red of what people wear, above and below."""


def wall(height: int = 240, width: int = 320, seed: int = 0) -> NDArray[np.float32]:
    """A textured room: a wall, and a floor from three quarters down."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.normal(0, 1, (12, 16, 3)).astype(np.float32), (width, height))
    fine = cv2.GaussianBlur(rng.normal(0, 1, (height, width, 1)).astype(np.float32), (0, 0), 1.2)
    room = np.full((height, width, 3), (150, 160, 165), np.float32)
    room[round(0.7 * height) :] = (120, 130, 145)
    return np.clip(room + 12 * coarse + 25 * fine[..., None], 20, 235).astype(np.float32)


def walk(
    subject: int = 0, view: float = 90.0, frames: int = 60, seed: int = 3, take: int = 1
) -> NDArray[np.uint8]:
    """True masks of one walk, 240×320 pixels: 0 and 255."""
    options = WalkerOptions(subjects=9, frames=frames, noise=0, seed=seed, takes={"nm": take})
    return render_sequence(options, subject, "nm", take, view)


def filmed(
    people: list[NDArray[np.uint8]],
    *,
    noise: float = 3.0,
    light: float = 0.1,
    shadow: float = 0.65,
    empty: int = 0,
    seed: int = 0,
) -> list[NDArray[np.uint8]]:
    """Pictures of people who walk through a room, blue, green and red.

    Parameters
    ----------
    people : list of ndarray of uint8, shape (frames, 240, 320)
        True masks; the last is nearest to the camera.
    noise : float
        Standard deviation, greys.
    light : float
        How much brighter it becomes from the first to the last picture.
    shadow : float
        What is left of the light where somebody throws a shadow on the floor.
    empty : int
        Pictures of the room alone at the end.
    """
    rng = np.random.default_rng([seed, 5])
    frames, height, width = people[0].shape
    room = wall(height, width, seed)
    cloth = np.random.default_rng(7).normal(0, 9, (9, 5)).astype(np.float32)
    pictures = []
    for number in range(frames + empty):
        picture = room.copy()
        for worn, masks in zip(CLOTHES, people, strict=False):
            if number >= frames or not masks[number].any():
                continue
            mask = masks[number]
            left, top, columns, rows = cv2.boundingRect(mask)
            feet = top + rows
            # It lies on the floor, to one side, and is soft.
            lie = np.float32([[1, -0.55, 0.55 * feet], [0, -0.18, 1.18 * feet - 3]])
            thrown = cv2.warpAffine(mask, lie, (width, height)).astype(np.float32) / 255
            thrown = cv2.GaussianBlur(thrown, (0, 0), 1.5)[..., None]
            picture *= 1 - (1 - shadow) * thrown
            dressed = np.empty_like(picture)
            dressed[: top + rows // 2], dressed[top + rows // 2 :] = worn
            dressed[: top + rows // 7] = (95, 120, 170)
            folds = cv2.resize(cloth, (columns, rows))
            dressed[top:feet, left : left + columns] += folds[..., None]
            soft = cv2.GaussianBlur(mask, (3, 3), 0.7).astype(np.float32)[..., None] / 255
            picture = picture * (1 - soft) + dressed * soft
        picture *= 1 + light * number / (frames + empty)
        picture += rng.normal(0, noise, picture.shape)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    return pictures


def written(path: Path, pictures: list[NDArray[np.uint8]], *, rate: float = 25.0) -> Path:
    """A video of pictures, compressed as phones and cameras do."""
    height, width = pictures[0].shape[:2]
    code = cv2.VideoWriter.fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG"))
    writer = cv2.VideoWriter(str(path), code, rate, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


def overlap(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Intersection over union of two masks."""
    both, either = (one > 0) & (other > 0), (one > 0) | (other > 0)
    return float(both.sum() / max(1, either.sum()))
