"""Made-up people for the tests of identification."""

import numpy as np

from gaitkit.labels import Labels, SequenceKey

WALKS = [("nm", take) for take in range(1, 7)] + [("bg", 1), ("bg", 2), ("cl", 1), ("cl", 2)]


def people_labels(subjects, walks=WALKS, views=(0.0, 54.0, 90.0)):
    return Labels.from_keys(
        SequenceKey(subject, condition, take, view)
        for subject in subjects
        for condition, take in walks
        for view in views
    )


def people_images(labels, seed=0, size=(8, 8)):
    """Each person a pattern, each view a stronger one, each walk a little noise."""
    random = np.random.default_rng(seed)
    person = {name: random.normal(0, 25, size) for name in labels.subjects()}
    view = {angle: random.normal(0, 20, size) for angle in np.unique(labels.view)}
    images = [
        128 + person[name] + view[angle] + random.normal(0, 12, size)
        for name, angle in zip(labels.subject, labels.view)
    ]
    return np.clip(np.round(images), 0, 255).astype(np.uint8)
