"""Options of the normalisation: ranges, and the way into an artefact and back."""

import json

import numpy as np
import pytest

from gaitkit.errors import OptionError
from gaitkit.silhouettes.options import SilhouetteOptions


def test_parameters_and_back():
    options = SilhouetteOptions(height=128, width=88, threshold=0.3, drop_cut=False)
    assert SilhouetteOptions.from_parameters(options.as_parameters()) == options


def test_opengait_has_no_other_parameters_than_its_size():
    options = SilhouetteOptions(alignment="opengait", threshold=0.9)
    assert options.as_parameters() == {"alignment": "opengait", "height": 64, "width": 64}


@pytest.mark.parametrize(
    "wrong",
    [
        {"alignment": "best"},
        {"height": 4},
        {"width": 5000},
        {"alignment": "opengait", "width": 63},
        {"threshold": 1.0},
        {"opening_px": 2},
        {"part_area": -0.1},
        {"part_gap": 1.5},
        {"centre_part": 0.0},
        {"min_height_px": 0},
        {"trend_frames": 4},
        {"height_tolerance": 0.0},
        {"area_tolerance": -1.0},
        {"height": "64"},
        {"height": 64.0},
        {"drop_cut": "no"},
        {"threshold": True},
        {"min_height_px": None},
    ],
)
def test_values_outside_their_range_are_named(wrong):
    name = list(wrong)[-1]
    with pytest.raises(OptionError, match=f"^`{name}` must be"):
        SilhouetteOptions(**wrong)


def test_an_unknown_parameter_is_an_error():
    with pytest.raises(OptionError, match="(?s)no silhouette option 'thresold'.*mean 'threshold'"):
        SilhouetteOptions.from_parameters({"thresold": 0.5})


def test_numbers_of_numpy_become_pythons():
    options = SilhouetteOptions(height=np.int64(32), threshold=np.float32(0.5))
    assert json.dumps(options.as_parameters())
