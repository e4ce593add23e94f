"""The training engine: loop, options, sampling, checkpoints, history. It knows no system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.training.geis import GeiSet as GeiSet
    from gaitkit.training.history import History as History
    from gaitkit.training.options import TrainingOptions as TrainingOptions
    from gaitkit.training.store import load_history as load_history
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.training.geis": ["GeiSet"],
            "gaitkit.training.history": ["History"],
            "gaitkit.training.options": ["TrainingOptions"],
            "gaitkit.training.store": ["load_history"],
        },
    )
