"""Drawn people in CASIA-B's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

VIEWS = (0, 54, 90)
WALKS = [f"nm-{take:02d}" for take in range(1, 7)] + ["bg-01", "bg-02", "cl-01", "cl-02"]


def draw_person(subject: int, walk: str, view: int, frame: int) -> NDArray[np.uint8]:
    """A drawn walker, 120×160 pixels, 0/255: wide or narrow by subject, legs swinging by frame."""
    from gaitkit._opencv import cv2

    image = np.zeros((120, 160), dtype=np.uint8)
    generator = np.random.default_rng([subject, sum(walk.encode()), view])
    x = 60 + 4 * frame if view == 90 else 80
    girth = 8 + 2 * subject + int(generator.integers(0, 2)) + (4 if walk.startswith("cl") else 0)
    swing = int((12 if view else 3) * np.sin(frame * np.pi / 4))
    cv2.circle(image, (x, 24), 7 + subject % 2, 255, -1)
    cv2.ellipse(image, (x, 54), (girth, 26), 0, 0, 360, 255, -1)
    for side in (-1, 1):
        cv2.line(image, (x, 70), (x + side * swing, 108), 255, 8 + subject)
    if walk.startswith("bg"):
        cv2.rectangle(image, (x + girth, 50), (x + girth + 9, 66), 255, -1)
    return image


def draw_tree(root: Path, people: range, walks: list[str]) -> Path:
    """People in CASIA-B's layout: three views and twelve frames of each walk."""
    from gaitkit._opencv import cv2

    for subject in people:
        for walk in walks:
            for view in VIEWS:
                folder = root / f"{subject:03d}" / walk / f"{view:03d}"
                folder.mkdir(parents=True)
                for frame in range(12):
                    name = f"{subject:03d}-{walk}-{view:03d}-{frame + 1:03d}.png"
                    picture = draw_person(subject, walk, view, frame)
                    (folder / name).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return root
