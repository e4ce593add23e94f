"""People who walk across small pictures of masks: folders of frames, and videos."""

from pathlib import Path

import numpy as np

from gaitkit._opencv import cv2

NAMES = ("ann", "bob", "carl", "dora", "eve", "finn", "gus", "hal", "ida", "jan", "kim")
DAYS = ("monday", "tuesday", "wednesday", "thursday")
FRAMES = 12


def draw(person, take, frame):
    """One of 120×160 pixels: wide or narrow by person; each take swings the arm elsewhere."""
    image = np.zeros((120, 160), dtype=np.uint8)
    x, girth = 40 + 6 * frame, 6 + 2 * person
    cv2.circle(image, (x, 24), 7 + person % 3, 255, -1)
    cv2.ellipse(image, (x, 54), (girth, 26), 0, 0, 360, 255, -1)
    swing = int(14 * np.sin(frame * np.pi / 4))
    for side in (-1, 1):
        cv2.line(image, (x, 70), (x + side * swing, 108), 255, 6 + person % 4)
    hand = (x + girth + 3 + take, 62 + 2 * take)
    cv2.line(image, (x, 40), hand, 255, 4)
    return image


def masks(person, take, *, to_the_left=False):
    """The frames of a walk."""
    frames = [draw(person, take, frame) for frame in range(FRAMES)]
    return [frame[:, ::-1].copy() if to_the_left else frame for frame in frames]


def write_frames(folder, person, take, **how):
    """A folder of frames."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(masks(person, take, **how)):
        (folder / f"{number:03d}.png").write_bytes(cv2.imencode(".png", frame)[1].tobytes())
    return folder


def write_video(path, person, take, **how):
    """A video of masks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (160, 120))
    for frame in masks(person, take, **how):
        writer.write(np.repeat(frame[..., None], 3, axis=2))
    writer.release()
    return path


def write_people(folder, people, takes, **how):
    """``ann/monday``, ``ann/tuesday``: takes 1, 2 of some people, as folders of frames."""
    for person in people:
        for take in takes:
            write_frames(Path(folder) / NAMES[person] / DAYS[take - 1], person, take, **how)
    return Path(folder)
