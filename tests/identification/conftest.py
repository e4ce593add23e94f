"""GEI artefacts of made-up people, small enough to evaluate in milliseconds."""

import numpy as np
import pytest
from made_up_people import people_images, people_labels

from gaitkit.artifacts import write_artifact


@pytest.fixture
def write_gei(tmp_path):
    def write(name="gei.h5", labels=None, images=None, **options):
        labels = people_labels([f"p{n}" for n in range(8)]) if labels is None else labels
        images = people_images(labels) if images is None else images
        path = tmp_path / name
        options = {
            "parameters": {"alignment": "person"},
            "dataset": "made-up",
            "dropped": [],
        } | options
        write_artifact(
            path,
            kind="gei",
            arrays={"gei": images, "frames_used": np.full(len(labels), 30)},
            labels=labels,
            **options,
        )
        return path

    return write
