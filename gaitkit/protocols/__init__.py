"""Who trains, who is enrolled, who is searched: evaluation protocols as plain data.

A protocol divides *people* into those whom models may see and those on whom they are tested, and
the tested people's walks into a gallery (enrolled) and one or more probe sets (searched). Training
people and tested people never overlap. How the tables are computed is not its business; see
`gaitkit.identification`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.protocols.builtin import PROTOCOLS as PROTOCOLS
    from gaitkit.protocols.builtin import default_protocol as default_protocol
    from gaitkit.protocols.files import get_protocol as get_protocol
    from gaitkit.protocols.files import load_protocol as load_protocol
    from gaitkit.protocols.files import protocol_toml as protocol_toml
    from gaitkit.protocols.model import ProbeSet as ProbeSet
    from gaitkit.protocols.model import Protocol as Protocol
    from gaitkit.protocols.model import SubjectRange as SubjectRange
    from gaitkit.protocols.model import Walks as Walks
    from gaitkit.protocols.splitting import Split as Split
    from gaitkit.protocols.splitting import SubjectSplit as SubjectSplit
    from gaitkit.protocols.splitting import describe_labels as describe_labels
    from gaitkit.protocols.splitting import resolve as resolve
    from gaitkit.protocols.splitting import split_subjects as split_subjects
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.protocols.builtin": ["PROTOCOLS", "default_protocol"],
            "gaitkit.protocols.files": ["get_protocol", "load_protocol", "protocol_toml"],
            "gaitkit.protocols.model": ["ProbeSet", "Protocol", "SubjectRange", "Walks"],
            "gaitkit.protocols.splitting": [
                "Split",
                "SubjectSplit",
                "describe_labels",
                "resolve",
                "split_subjects",
            ],
        },
    )
