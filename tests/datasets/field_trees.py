"""Tiny data sets as the field's lie on the disk, and the keys that they stand for."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaitkit._opencv import cv2
from gaitkit.labels import SequenceKey

COUNT = 12


@dataclass(frozen=True)
class Drawn:
    """A data set: its layout, what lies in which folder, and one line about it."""

    layout: str
    folders: dict[str, SequenceKey]
    told: str
    pickles: dict[str, SequenceKey]
    first: int = 1
    pattern: str = "{:03d}.png"


_OUMVLP = {
    (view, take, subject): SequenceKey(subject, "walk", take, float(view))
    for view in ("000", "090")
    for take in (0, 1)
    for subject in ("00001", "00002", "00003")
}
_GREW = {
    "train/00001/aB3dEf9h": SequenceKey("00001train", "aB3dEf9h", 0, None),
    "train/00002/Zzzzzzz1": SequenceKey("00002train", "Zzzzzzz1", 0, None),
    "test/gallery/00001/bcdefgh2": SequenceKey("00001", "bcdefgh2", 2, None),
    "test/gallery/00001/abcdefgh": SequenceKey("00001", "abcdefgh", 1, None),
    "test/probe/etaGVnWf": SequenceKey("probe", "etaGVnWf", 3, None),
}
_GAIT3D = {
    "0000/camid0_videoid2/seq0": SequenceKey("0000", "camid0", 2000, None),
    "0000/camid0_videoid2/seq1": SequenceKey("0000", "camid0", 2001, None),
    "0001/camid12_videoid1/seq0": SequenceKey("0001", "camid12", 1000, None),
}
_CASIA_A = {
    f"{name}/{angle}_{take}": SequenceKey(name, "nm", take, view)
    for name in ("fyc", "hy")
    for angle, view in (("00", 90.0), ("45", 45.0), ("90", 0.0))
    for take in (1, 2)
}
_CASIA_C = {
    "01001fn00": SequenceKey("001", "fn", 0, None),
    "01001fn01": SequenceKey("001", "fn", 1, None),
    "01001fb00": SequenceKey("001", "fb", 0, None),
    "01002fs00": SequenceKey("002", "fs", 0, None),
}

DRAWN = {
    "oumvlp": Drawn(
        "ou-mvlp",
        {f"Silhouette_{view}-{take:02d}/{who}": key for (view, take, who), key in _OUMVLP.items()},
        "OU-MVLP, 3 subjects, views 0 and 90, sequences 00 and 01",
        {f"{who}/{take:02d}/{view}": key for (view, take, who), key in _OUMVLP.items()},
        first=17,
        pattern="{:04d}.png",
    ),
    "oumvlp rearranged": Drawn(
        "ou-mvlp",
        {f"{who}/{take:02d}/{view}": key for (view, take, who), key in _OUMVLP.items()},
        "OU-MVLP, 3 subjects, views 0 and 90, sequences 00 and 01",
        {f"{who}/{take:02d}/{view}": key for (view, take, who), key in _OUMVLP.items()},
        pattern="{:04d}.png",
    ),
    "grew": Drawn(
        "grew",
        _GREW,
        "GREW, 3 subjects, no views, parts gallery, probe and train",
        {
            "00001train/00/aB3dEf9h": _GREW["train/00001/aB3dEf9h"],
            "00002train/00/Zzzzzzz1": _GREW["train/00002/Zzzzzzz1"],
            "00001/01/abcdefgh": _GREW["test/gallery/00001/abcdefgh"],
            "00001/02/bcdefgh2": _GREW["test/gallery/00001/bcdefgh2"],
            "probe/03/etaGVnWf": _GREW["test/probe/etaGVnWf"],
        },
    ),
    "gait3d": Drawn(
        "gait3d",
        _GAIT3D,
        "Gait3D, 2 subjects, no views, cameras camid0 and camid12",
        _GAIT3D,
    ),
    "casia-a": Drawn(
        "casia-a",
        _CASIA_A,
        "CASIA-A, 2 subjects, views 0, 45 and 90, sequences nm-01 and nm-02",
        _CASIA_A,
    ),
    "casia-c": Drawn(
        "casia-c",
        _CASIA_C,
        "CASIA-C, 2 subjects, no views, sequences fb-00, fn-00, fn-01 and fs-00",
        _CASIA_C,
    ),
}


def frames(seed: int) -> list[np.ndarray]:
    """A small person whose legs move, tightly cut."""
    images = []
    for number in range(COUNT):
        image = np.zeros((64, 44), np.uint8)
        swing = int(8 * np.sin(number * np.pi / 3))
        cv2.ellipse(image, (22, 24), (8 + seed % 3, 23), 0, 0, 360, 255, -1)
        for side in (-1, 1):
            cv2.line(image, (22, 40), (22 + side * swing, 63), 255, 5)
        images.append(image)
    return images


def draw(drawn: Drawn, root: Path) -> Path:
    """Write the images."""
    for seed, folder in enumerate(sorted(drawn.folders, key=lambda item: drawn.folders[item])):
        (root / folder).mkdir(parents=True)
        for number, image in enumerate(frames(seed), drawn.first):
            data = cv2.imencode(".png", image)[1].tobytes()
            (root / folder / drawn.pattern.format(number)).write_bytes(data)
    return root


def draw_pickles(drawn: Drawn, root: Path) -> Path:
    """Write the same as OpenGait's pickles."""
    for seed, folder in enumerate(sorted(drawn.pickles, key=lambda item: drawn.pickles[item])):
        (root / folder).mkdir(parents=True)
        name = f"{folder.rpartition('/')[2]}.pkl"
        (root / folder / name).write_bytes(pickle.dumps(np.array(frames(seed))))
    return root
