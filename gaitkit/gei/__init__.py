"""Aligned silhouettes to gait energy images: period, walking direction, the average.

`gaitkit.gait_energy_image` makes the image of one walk from its masks; these are its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.gei.direction import folded_view as folded_view
    from gaitkit.gei.direction import walking_direction as walking_direction
    from gaitkit.gei.energy import mean_silhouette as mean_silhouette
    from gaitkit.gei.options import GeiOptions as GeiOptions
    from gaitkit.gei.period import autocorrelation as autocorrelation
    from gaitkit.gei.period import gait_period as gait_period
    from gaitkit.gei.period import leg_spread as leg_spread
    from gaitkit.gei.period import whole_cycles as whole_cycles
    from gaitkit.gei.sequence import GeiResult as GeiResult
    from gaitkit.gei.sequence import sequence_gei as sequence_gei
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.gei.direction": ["folded_view", "walking_direction"],
            "gaitkit.gei.energy": ["mean_silhouette"],
            "gaitkit.gei.options": ["GeiOptions"],
            "gaitkit.gei.period": ["autocorrelation", "gait_period", "leg_spread", "whole_cycles"],
            "gaitkit.gei.sequence": ["GeiResult", "sequence_gei"],
        },
    )
