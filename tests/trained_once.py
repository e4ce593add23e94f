"""Models that many tests begin with are trained once: equal GEIs and options give equal bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Train = Callable[..., object]


def once(train: Train) -> Callable[..., None]:
    """A training (GEIs, output, how) that is not repeated: its output is written again instead.

    Not for tests of training itself, which is tested to give the same bytes.
    """
    made: dict[tuple[bytes, str], bytes] = {}

    def trained(geis: Path, output: Path, **how: Any) -> None:
        key = (geis.read_bytes(), repr(sorted(how.items())))
        if key in made:
            output.write_bytes(made[key])
        else:
            train(geis, output, **how)
            made[key] = output.read_bytes()

    return trained
