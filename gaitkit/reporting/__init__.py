"""What artefacts look like: sheets, figures, exports, and one HTML page about results.

`gaitkit.plot_geis` and its like draw into axes of a notebook; these make whole pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.reporting.export import export_folder as export_folder
    from gaitkit.reporting.export import export_npz as export_npz
    from gaitkit.reporting.figures import Panel as Panel
    from gaitkit.reporting.figures import curve_panels as curve_panels
    from gaitkit.reporting.figures import draw_cmc as draw_cmc
    from gaitkit.reporting.figures import draw_matrix as draw_matrix
    from gaitkit.reporting.figures import draw_panel as draw_panel
    from gaitkit.reporting.figures import rank1_heat_maps as rank1_heat_maps
    from gaitkit.reporting.sheet import contact_sheet as contact_sheet
    from gaitkit.reporting.sheet import save_png as save_png
    from gaitkit.reporting.training_page import training_page as training_page
    from gaitkit.reporting.translation_grid import translation_grid as translation_grid
    from gaitkit.reporting.views import gei_sheet as gei_sheet
    from gaitkit.reporting.views import matrix_figure as matrix_figure
    from gaitkit.reporting.views import silhouette_sheet as silhouette_sheet
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.reporting.export": ["export_folder", "export_npz"],
            "gaitkit.reporting.figures": [
                "Panel",
                "curve_panels",
                "draw_cmc",
                "draw_matrix",
                "draw_panel",
                "rank1_heat_maps",
            ],
            "gaitkit.reporting.sheet": ["contact_sheet", "save_png"],
            "gaitkit.reporting.training_page": ["training_page"],
            "gaitkit.reporting.translation_grid": ["translation_grid"],
            "gaitkit.reporting.views": ["gei_sheet", "matrix_figure", "silhouette_sheet"],
        },
    )
