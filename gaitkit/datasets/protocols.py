"""`gaitkit.protocols` under its name of before, so that programs written for that go on working."""

from gaitkit.protocols import (
    PROTOCOLS,
    ProbeSet,
    Protocol,
    Split,
    SubjectRange,
    SubjectSplit,
    Walks,
    default_protocol,
    describe_labels,
    get_protocol,
    load_protocol,
    protocol_toml,
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
