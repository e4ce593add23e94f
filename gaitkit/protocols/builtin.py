"""The protocols that come with gaitkit, and which of them suits a data set.

CASIA-B's two splits: 62/62 as in GaitGAN (Yu et al., CVPRW 2017), 74/50 as in GaitSet (Chao et
al., AAAI 2019).
"""

from __future__ import annotations

from typing import Literal

from gaitkit.labels import Labels
from gaitkit.protocols.model import ProbeSet, Protocol, SubjectRange, Walks

__all__ = ["PROTOCOLS", "default_protocol"]

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

PROTOCOLS: dict[str, Protocol] = {
    "casia-b-62-62": _casia_b("062", "063", "GaitGAN, SPAE"),
    "casia-b-74-50": _casia_b("074", "075", "GaitSet and later"),
    "everybody": _EVERYBODY,
    "halves": _HALVES,
}
"""The protocols that come with gaitkit, by name. A new one is one line here."""


def default_protocol(labels: Labels, *, trains: bool = False) -> Protocol:
    """`casia-b-62-62` when the subjects are CASIA-B's 001 to 124, `halves` otherwise.

    Up to a tenth of the 124 may be missing; one other name, and it is not CASIA-B. Of fewer than
    three people no half can be tested: then it is `everybody`, unless somebody has to train.

    Parameters
    ----------
    labels : Labels
        Key columns of the data set.
    trains : bool
        Whether a protocol is wanted that trains somebody.
    """
    subjects = labels.subjects()
    if len(subjects) < 3 and not trains:
        return PROTOCOLS["everybody"]
    casia_b = all(subject in _CASIA_B_SUBJECTS for subject in subjects)
    return PROTOCOLS["casia-b-62-62" if casia_b and len(subjects) >= 112 else "halves"]
