"""Who trains, who is enrolled, who is searched: evaluation protocols as plain data.

A protocol divides *people* into those whom models may see and those on whom they are tested, and
the tested people's walks into a gallery (enrolled) and one or more probe sets (searched). Training
people and tested people never overlap. How the tables are computed is not its business; see
`gaitkit.identification`.
"""

from gaitkit.protocols.builtin import PROTOCOLS, default_protocol
from gaitkit.protocols.files import get_protocol, load_protocol, protocol_toml
from gaitkit.protocols.model import ProbeSet, Protocol, SubjectRange, Walks
from gaitkit.protocols.splitting import (
    Split,
    SubjectSplit,
    describe_labels,
    resolve,
    split_subjects,
)

__all__ = [
    "PROTOCOLS",
    "ProbeSet",
    "Protocol",
    "Split",
    "SubjectRange",
    "SubjectSplit",
    "Walks",
    "default_protocol",
    "describe_labels",
    "get_protocol",
    "load_protocol",
    "protocol_toml",
    "resolve",
    "split_subjects",
]
