"""The protocols that come with gaitkit, and which of them suits a data set.

CASIA-B's two splits: 62/62 as in GaitGAN (Yu et al., CVPRW 2017), 74/50 as in GaitSet (Chao et
al., AAAI 2019). OU-MVLP as its authors divide it (Takemura et al., IPSJ 2018), GREW (Zhu et al.,
ICCV 2021) and Gait3D (Zheng et al., CVPR 2022) likewise.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from gaitkit.errors import ProtocolError
from gaitkit.labels import Labels
from gaitkit.protocols.model import (
    ANY,
    ProbeSet,
    Protocol,
    SubjectRange,
    Walks,
    compressed,
)

__all__ = ["PROTOCOLS", "default_protocol", "fitted", "looks_like", "of_these_walks"]

_log = logging.getLogger(__name__)

_CASIA_B_SUBJECTS = SubjectRange("001", "124")


def _takes_of_casia_b(
    name: str,
    description: str,
    train: tuple[SubjectRange, ...] | Literal["first-half"],
    test: tuple[SubjectRange, ...] | Literal["rest"],
    *,
    covers_everybody: bool = False,
) -> Protocol:
    """A protocol that enrols nm-01 to nm-04 and searches nm-05, nm-06, bg and cl."""
    return Protocol(
        name=name,
        description=description,
        train=train,
        test=test,
        gallery=(Walks("nm", (1, 2, 3, 4)),),
        probes=(
            ProbeSet("nm", (Walks("nm", (5, 6)),)),
            ProbeSet("bg", (Walks("bg", (1, 2)),)),
            ProbeSet("cl", (Walks("cl", (1, 2)),)),
        ),
        covers_everybody=covers_everybody,
        empty_probes=True,
    )


def _casia_b(last: str, first: str, systems: str) -> Protocol:
    """CASIA-B's people up to `last` train, those from `first` on are tested."""
    return _takes_of_casia_b(
        f"casia-b-{int(last)}-{124 - int(last)}",
        f"CASIA-B, 001-{last} train, {first}-124 are tested ({systems})",
        (SubjectRange("001", last),),
        (SubjectRange(first, "124"),),
        covers_everybody=True,
    )


_HALVES = _takes_of_casia_b(
    "halves",
    "the first half of the sorted subjects trains, the rest is tested; takes as in CASIA-B",
    "first-half",
    "rest",
)

_EVERYBODY = _takes_of_casia_b(
    "everybody",
    "nobody trains, everybody is tested: for what needs no training; takes as in CASIA-B",
    (),
    "rest",
)


def _all_tested(
    name: str, description: str, gallery: Walks, probes: dict[str, Walks], **more: Any
) -> Protocol:
    """Nobody trains, everybody is tested."""
    sets = tuple(ProbeSet(key, (walks,)) for key, walks in probes.items())
    return Protocol(name, description, (), "rest", (gallery,), sets, **more)


_OU_MVLP = Protocol(
    "ou-mvlp",
    "OU-MVLP: odd numbers up to 10305 train, even ones and 10307 are tested; gallery sequence 01, "
    "probe 00, 14 × 14 views without the identical one",
    (SubjectRange("00001", "10305", 2),),
    (SubjectRange("00002", "10306", 2), SubjectRange("10307", "10307")),
    (Walks("walk", (1,)),),
    (ProbeSet("walk", (Walks("walk", (0,)),)),),
    absent_people=True,
)

_CASIA_A = _all_tested(
    "casia-a",
    "CASIA-A: nobody trains; gallery takes 1, 2 and 3, probe take 4, view by view",
    Walks("nm", (1, 2, 3)),
    {"nm": Walks("nm", (4,))},
)

# Takes are counted from 0 in some copies and from 1 in others.
_CASIA_C = _all_tested(
    "casia-c",
    "CASIA-C: nobody trains; gallery normal walks up to take 2; probes the other normal walks, "
    "slow, quick and with a bag; one camera",
    Walks("fn", (0, 1, 2)),
    {"fn": Walks("fn", (3, 4)), "fs": Walks("fs"), "fq": Walks("fq"), "fb": Walks("fb")},
    empty_probes=True,
)

_GREW = Protocol(
    "grew",
    "GREW: its train folder trains; gallery the first two sequences of each person in test, "
    "probes those in the folder probe, whose people are not published",
    (SubjectRange("00001train", "20000train"),),
    "rest",
    (Walks(ANY, (1, 2)),),
    (ProbeSet("probe", (Walks(ANY, (3,)),)),),
    identical_view=True,
    ranks=(1, 5, 10, 20),
    unknown_people=("probe",),
)

_GAIT3D = Protocol(
    "gait3d",
    "Gait3D: 0000-2999 train, 3000-3999 are tested; probes as its list names them, the rest is "
    "enrolled; give the data set's partition file, which holds the list",
    (SubjectRange("0000", "2999"),),
    (SubjectRange("3000", "3999"),),
    (Walks(ANY),),
    (ProbeSet("probe", (Walks(ANY),)),),
    identical_view=True,
    skip_unmated=True,
    probe_sequences=(),
)

_LEAVE_ONE_OUT = Protocol(
    "leave-one-out",
    "nobody trains; all takes against all: each walk is searched among all the others, itself left "
    "out; who has one walk only is enrolled and not searched",
    (),
    "rest",
    (Walks(ANY),),
    (ProbeSet("all", (Walks(ANY),)),),
    skip_unmated=True,
    leave_one_out=True,
)

PROTOCOLS: dict[str, Protocol] = {
    "casia-b-62-62": _casia_b("062", "063", "GaitGAN, SPAE"),
    "casia-b-74-50": _casia_b("074", "075", "GaitSet and later"),
    "ou-mvlp": _OU_MVLP,
    "casia-a": _CASIA_A,
    "casia-c": _CASIA_C,
    "grew": _GREW,
    "gait3d": _GAIT3D,
    "everybody": _EVERYBODY,
    "leave-one-out": _LEAVE_ONE_OUT,
    "halves": _HALVES,
}
"""The protocols that come with gaitkit, by name. A new one is one line here."""


def default_protocol(labels: Labels, *, trains: bool = False) -> Protocol:
    """`casia-b-62-62` when the subjects are CASIA-B's 001 to 124, `halves` otherwise.

    Up to a tenth of the 124 may be missing; one other name, and it is not CASIA-B. Of fewer than
    three people no half can be tested: then it is `everybody`, unless somebody has to train. Data
    of another kind whose walks tell what they are (see `looks_like`) get its protocol. Where
    nobody has walks of both gallery and probes, as in folders of one's own, it is
    `leave-one-out`, unless somebody has to train.

    Parameters
    ----------
    labels : Labels
        Key columns of the data set.
    trains : bool
        Whether a protocol is wanted that trains somebody.
    """
    subjects = labels.subjects()
    kind = looks_like(labels)
    if kind not in (None, "casia-b") and (PROTOCOLS[kind].train or not trains):
        return PROTOCOLS[kind]
    casia_b = all(subject in _CASIA_B_SUBJECTS for subject in subjects)
    if casia_b and len(subjects) >= 112:
        return PROTOCOLS["casia-b-62-62"]
    if not trains and not _has_mates(_EVERYBODY, labels):
        return _LEAVE_ONE_OUT
    return PROTOCOLS["everybody" if len(subjects) < 3 and not trains else "halves"]


def _has_mates(protocol: Protocol, labels: Labels) -> bool:
    """Whether anybody has both a walk that would be enrolled and one that would be searched."""
    enrolled = np.logical_or.reduce([walks.mask(labels) for walks in protocol.gallery])
    searched = np.logical_or.reduce(
        [walks.mask(labels) for probe in protocol.probes for walks in probe.walks]
    )
    return bool(set(labels.subject[enrolled]) & set(labels.subject[searched]))


def looks_like(labels: Labels) -> str | None:
    """The data set whose names the walks have: ``casia-b``, or a protocol that is of a data set.

    `None` where they have nobody's. Only walks that no protocol of CASIA-B could search are
    anything else.

    Examples
    --------
    >>> from gaitkit.labels import SequenceKey
    >>> looks_like(Labels.from_keys([SequenceKey("00002", "walk", 1, 0.0)]))
    'ou-mvlp'
    """
    conditions = labels.conditions()
    takes = set(labels.take.tolist())
    subjects = labels.subjects()
    if not conditions:
        return None
    if all(re.fullmatch(r"camid\d+", name) for name in conditions):
        return "gait3d"
    if "fn" in conditions and set(conditions) <= {"fn", "fs", "fq", "fb"}:
        return "casia-c"
    if conditions == ["walk"] and takes <= {0, 1} and all(map(_five_digits, subjects)):
        return "ou-mvlp"
    if takes <= {0, 1, 2, 3} and all(re.fullmatch(r"[A-Za-z]{8}", name) for name in conditions):
        return "grew"
    if conditions == ["nm"] and takes <= {1, 2, 3, 4} and 45.0 in labels.views():
        return "casia-a" if set(labels.views()) <= {0.0, 45.0, 90.0} else "casia-b"
    searched = {"bg", "cl"} & set(conditions) or takes & {5, 6}
    return "casia-b" if set(conditions) <= {"nm", "bg", "cl"} and searched else None


def of_these_walks(protocol: Protocol, labels: Labels) -> Protocol:
    """`halves` and `everybody` for data whose walks are not called as in CASIA-B.

    Parameters
    ----------
    protocol : Protocol
        Any; all others stay as they are.
    labels : Labels
        Key columns of the data.

    Returns
    -------
    Protocol
        The same people; gallery and probes of the data set that the walks look like. Where that is
        none, needs a list of its own or would search nobody, all are searched among all.
    """
    if protocol not in (_HALVES, _EVERYBODY):
        return protocol
    kind = looks_like(labels)
    if kind == "casia-b" or (kind is None and "nm" in labels.conditions()) or not len(labels):
        return protocol
    like = PROTOCOLS[kind or _LEAVE_ONE_OUT.name]
    unmated = not (_has_mates(like, labels) or set(like.unknown_people) & set(labels.subjects()))
    if like.probe_sequences is not None or unmated:
        like = _LEAVE_ONE_OUT
    return replace(
        like,
        name=protocol.name,
        description=f"{protocol.description.partition(';')[0]}; walks as in {like.name}",
        train=protocol.train,
        test=protocol.test,
        absent_people=False,
    )


def _five_digits(name: str) -> bool:
    return re.fullmatch(r"[0-9]{5}", name) is not None


def fitted(protocol: Protocol, labels: Labels) -> Protocol:
    """A protocol that fits itself to the data (`Protocol.fits_data`), made definite for some.

    Parameters
    ----------
    protocol : Protocol
        As a partition file gives it: people, perhaps probes.
    labels : Labels
        Key columns of the data.

    Returns
    -------
    Protocol
        Names as the data write them (``1`` is ``001`` where nobody is called ``1``); gallery and
        probes of the data set that the walks look like, which is said in a line.
    """
    subjects = set(labels.subjects())
    numbers: dict[int, str | None] = {}
    for name in subjects:
        if name.isdecimal() and name.isascii():
            # Of 1 and 001 nobody can say who is meant.
            numbers[int(name)] = None if int(name) in numbers else name

    def spelled(name: str) -> str:
        if name in subjects or not (name.isdecimal() and name.isascii()):
            return name
        return numbers.get(int(name)) or name

    def people(ranges: tuple[SubjectRange, ...] | str) -> Any:
        if isinstance(ranges, str):
            return ranges
        return compressed(spelled(name) for one in ranges for name in one.names())

    definite = replace(
        protocol, train=people(protocol.train), test=people(protocol.test), fits_data=False
    )
    if protocol.probe_sequences is not None:
        listed = tuple((spelled(who), how, take) for who, how, take in protocol.probe_sequences)
        return replace(definite, probe_sequences=listed)
    kind = looks_like(labels)
    like = PROTOCOLS.get("casia-b-74-50" if kind == "casia-b" else kind or "")
    if like is None:
        raise ProtocolError(
            f"Protocol {protocol.name} says who is tested; what is enrolled and what is searched "
            f"follows from the names of the walks, and these are of no known data set: "
            f"{', '.join(labels.conditions()[:5])}.",
            hint="Write a protocol that names them: gaitkit protocol show everybody prints one to "
            "edit.",
        )
    _log.info("protocol %s: gallery and probes as in %s", protocol.name, like.name)
    test = definite.test
    if kind == "grew" and isinstance(test, tuple) and "probe" in subjects:
        test = (*(one for one in test if one.first != "probe"), SubjectRange("probe", "probe"))
    return replace(
        like,
        name=definite.name,
        description=definite.description,
        train=definite.train,
        test=test,
        covers_everybody=False,
        absent_people=True,
    )
