"""The protocols that come with gaitkit, and which of them suits a data set.

CASIA-B's two splits: 62/62 as in GaitGAN (Yu et al., CVPRW 2017), 74/50 as in GaitSet (Chao et
al., AAAI 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gaitkit.labels import Labels
from gaitkit.protocols.model import ProbeSet, Protocol, SubjectRange, Walks

__all__ = ["PROTOCOLS", "default_protocol"]

_CASIA_B_GALLERY = (Walks("nm", (1, 2, 3, 4)),)
_CASIA_B_PROBES = (
    ProbeSet("nm", (Walks("nm", (5, 6)),)),
    ProbeSet("bg", (Walks("bg", (1, 2)),)),
    ProbeSet("cl", (Walks("cl", (1, 2)),)),
)
_CASIA_B_SUBJECTS = SubjectRange("001", "124")

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            Protocol(
                name="casia-b-62-62",
                description="CASIA-B, 001-062 train, 063-124 are tested (GaitGAN, SPAE)",
                train=(SubjectRange("001", "062"),),
                test=(SubjectRange("063", "124"),),
                gallery=_CASIA_B_GALLERY,
                probes=_CASIA_B_PROBES,
                covers_everybody=True,
                empty_probes=True,
            ),
            Protocol(
                name="casia-b-74-50",
                description="CASIA-B, 001-074 train, 075-124 are tested (GaitSet and later)",
                train=(SubjectRange("001", "074"),),
                test=(SubjectRange("075", "124"),),
                gallery=_CASIA_B_GALLERY,
                probes=_CASIA_B_PROBES,
                covers_everybody=True,
                empty_probes=True,
            ),
            Protocol(
                name="halves",
                description="the first half of the sorted subjects trains, the rest is tested; "
                "takes as in CASIA-B",
                train="first-half",
                test="rest",
                gallery=_CASIA_B_GALLERY,
                probes=_CASIA_B_PROBES,
                empty_probes=True,
            ),
        )
    }
)
"""The protocols that come with gaitkit, by name."""


def default_protocol(labels: Labels) -> Protocol:
    """`casia-b-62-62` when the subjects are CASIA-B's 001 to 124, `halves` otherwise.

    Up to a tenth of the 124 may be missing; one other name, and it is not CASIA-B.
    """
    subjects = labels.subjects()
    casia_b = all(subject in _CASIA_B_SUBJECTS for subject in subjects)
    return PROTOCOLS["casia-b-62-62" if casia_b and len(subjects) >= 112 else "halves"]
