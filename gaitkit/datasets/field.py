"""The field's other data sets: what the names of their folders mean.

Each class says how the folders over some frames become a key; `gaitkit.datasets.named` walks to
them in folders, archives and OpenGait's pickles alike. Names are read in capital and small letters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gaitkit.datasets.casia_b import Located
from gaitkit.datasets.named import Folders, NamedLayout, key_named
from gaitkit.labels import SequenceKey

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place

__all__ = ["CasiaA", "CasiaC", "Gait3D", "Grew", "OuMvlp"]


class OuMvlp(NamedLayout):
    """OU-MVLP (Takemura et al. 2018): 14 views, two sequences of each.

    ``Silhouette_090-01/00001/*.png`` as it is distributed, in folders or zips: view 90, sequence
    01, subject 00001. Rearranged by others as ``00001/01/090/*.png`` or ``00001/090-01/*.png``.
    Sequence 00 is the probe, 01 the gallery: takes 0 and 1 of the condition ``walk``.
    """

    title = "OU-MVLP"
    summary = "Silhouette_000-00/00001"

    _part = re.compile(r"silhouettes?[-_ ]?(\d{3})[-_](\d{2})", re.IGNORECASE)
    _views = frozenset(f"{view:03d}" for view in (*range(0, 91, 15), *range(180, 271, 15)))
    _both = re.compile(rf"({'|'.join(sorted(_views))})[-_](0[01])")
    _far_above = 5

    @classmethod
    def key_of(cls, folders: Folders) -> SequenceKey | None:
        """Of ``Silhouette_090-01/00001`` or ``00001/01/090``."""
        part = cls._part.fullmatch(folders[-2]) if len(folders) > 1 else None
        if part is not None:
            return key_named(folders[-1], "walk", int(part[2]), float(part[1]))
        if len(folders) < 3 or any(map(cls._part.fullmatch, folders)):
            return None
        both = cls._both.fullmatch(folders[-1])
        if both is not None:
            return key_named(folders[-2], "walk", int(both[2]), float(both[1]))
        subject, sequence, view = folders[-3:]
        if re.fullmatch(r"0?[01]", sequence) and re.fullmatch(r"\d{1,3}", view):
            return key_named(subject, "walk", int(sequence), float(view))
        return None

    @classmethod
    def is_typical(cls, folders: Folders) -> bool:
        """The rearranged form only with five digits, two and three, and not far below."""
        if len(folders) > 1 and cls._part.fullmatch(folders[-2]):
            return True
        both = cls._both.fullmatch(folders[-1])
        if both is not None:
            return bool(len(folders) > 2 and re.fullmatch(r"\d{5}", folders[-2]))
        if not 3 <= len(folders) <= cls._far_above:
            return False
        subject, sequence, view = folders[-3:]
        return bool(
            re.fullmatch(r"\d{5}", subject) and sequence in ("00", "01") and view in cls._views
        )

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """By names; in an archive it may lie below any folders."""
        if super().recognise(place):
            return True
        files = [] if place.is_folder else [f for f in place.sample if len(f.folders) >= 3]
        return bool(files) and all(cls.is_typical(file.folders[-3:]) for file in files)

    @classmethod
    def name_of(cls, key: SequenceKey) -> str:
        """``00`` or ``01``."""
        return f"{key.take:02d}"


class CasiaA(NamedLayout):
    """CASIA-A (Wang et al. 2003): 20 people, three angles, four walks.

    ``fyc/00_1/fyc-00_1-001.png``: subject, angle and take. Its angle is that of the walk to the
    image plane: 00 is seen from the side, our 90; 90 is seen from the front, our 0.
    """

    title = "CASIA-A"
    summary = "fyc/00_1"

    _recording = re.compile(r"(00|45|90)_(\d{1,2})")

    @classmethod
    def key_of(cls, folders: Folders) -> SequenceKey | None:
        """Of ``fyc/00_1``."""
        walk = cls._recording.fullmatch(folders[-1]) if len(folders) > 1 else None
        if walk is None:
            return None
        return key_named(folders[-2], "nm", int(walk[2]), 90.0 - float(walk[1]))


class CasiaC(NamedLayout):
    """CASIA-C (Tan et al. 2006): 153 people in infrared, one camera.

    ``01001fn00``: a number of the recording, the subject, how they walked (fn, fs, fq: at normal
    speed, slow and quick; fb: with a bag) and the take; below any folders.
    """

    title = "CASIA-C"
    summary = "01001fn00"

    _recording = re.compile(
        r"(?:(?:\d{2})?(?P<subject>\d{3}))?[-_]?(?P<how>f[nsqb])[-_]?(?P<take>\d{1,2})",
        re.IGNORECASE,
    )

    @classmethod
    def key_of(cls, folders: Folders) -> SequenceKey | None:
        """Of ``01001fn00``, or ``001/fn00``."""
        walk = cls._recording.fullmatch(folders[-1]) if len(folders) > 1 else None
        if walk is None:
            return None
        subject = walk["subject"] or folders[-2]
        if not re.fullmatch(r"\d{3}", subject):
            return None
        return key_named(subject, walk["how"].lower(), int(walk["take"]), None)


class Grew(NamedLayout):
    """GREW (Zhu et al. 2021): people in the wild, sequences with names of eight letters.

    ``train/00001/SEQUENCE``, ``test/gallery/00001/SEQUENCE`` and ``test/probe/SEQUENCE``; in
    OpenGait's pickles ``00001train/00/SEQUENCE``, ``00001/01/SEQUENCE`` and
    ``probe/03/SEQUENCE``. The condition is the sequence's name. The take is 0 in training, 1 and 2
    in the gallery and 3 for probes, whose people nobody tells.
    """

    title = "GREW"
    summary = "train/00001/SEQUENCE"
    noun = "parts"

    _sequence = re.compile(r"[A-Za-z0-9]{8}")
    _parts = ("train", "gallery", "gallery", "probe")

    @classmethod
    def key_of(cls, folders: Folders) -> SequenceKey | None:
        """Of a path that ends as one of the above."""
        *_, first, second, third = ("", "", *folders)
        part = first.lower()
        if re.fullmatch(r"0?[0-3]", second) and re.fullmatch(r"\d+(train)?|probe", part):
            return key_named(first, third, int(second), None)
        if part == "train":
            subject = second if second.lower().endswith("train") else f"{second}train"
            return key_named(subject, third, 0, None)
        if part == "gallery":
            return key_named(second, third, 1, None)
        if second.lower() == "probe":
            return key_named("probe", third, 3, None)
        return None

    @classmethod
    def is_typical(cls, folders: Folders) -> bool:
        """With eight letters or digits as the sequence, and a number as the subject."""
        key = cls.key_of(folders) if cls._sequence.fullmatch(folders[-1]) else None
        return key is not None and bool(re.fullmatch(r"\d+(train)?|probe", key.subject))

    @classmethod
    def settled(cls, sequences: Sequence[Located]) -> list[SequenceKey]:
        """The second sequence of a subject's in the gallery, in order of name, is take 2."""
        keys = [one.key for one in sequences]
        raw = [
            number
            for number, one in enumerate(sequences)
            if one.key.take == 1 and not re.search(r"(?:^|/)0?1/[^/]+$", one.folder)
        ]
        met: Counter[str] = Counter()
        for number in sorted(raw, key=lambda item: (keys[item].subject, keys[item].condition)):
            met[keys[number].subject] += 1
            keys[number] = keys[number]._replace(take=min(met[keys[number].subject], 2))
        return keys

    @classmethod
    def name_of(cls, key: SequenceKey) -> str:
        """The part of the data set."""
        return cls._parts[min(key.take, 3)]

    @classmethod
    def person_of(cls, key: SequenceKey) -> str:
        """The subject; nobody where it is a probe's."""
        return "" if key.subject.lower() == "probe" else key.subject


class Gait3D(NamedLayout):
    """Gait3D (Zheng et al. 2022): people in a supermarket, by camera.

    ``0000/camid0_videoid2/seq0``: subject, camera, video and sequence. The condition is the
    camera; the take is 1,000 × video + sequence.
    """

    title = "Gait3D"
    summary = "0000/camid0_videoid2/seq0"
    noun = "cameras"

    _video = re.compile(r"(camid\d{1,9})_videoid(\d{1,9})", re.IGNORECASE)
    _seq = re.compile(r"seq(\d{1,3})", re.IGNORECASE)

    @classmethod
    def key_of(cls, folders: Folders) -> SequenceKey | None:
        """Of ``0000/camid0_videoid2/seq0``."""
        if len(folders) < 3:
            return None
        video, seq = cls._video.fullmatch(folders[-2]), cls._seq.fullmatch(folders[-1])
        if video is None or seq is None:
            return None
        take = int(video[2]) * 1000 + int(seq[1])
        return key_named(folders[-3], video[1].lower(), take, None)

    @classmethod
    def name_of(cls, key: SequenceKey) -> str:
        """``camid0``."""
        return key.condition
