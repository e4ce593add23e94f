import pytest

from gaitkit.errors import OptionError
from gaitkit.labels import SequenceKey
from gaitkit.walkers import WalkerOptions, sequence_keys


def test_casia_b_is_the_default():
    keys = sequence_keys(WalkerOptions())
    assert len(keys) == 13_640
    assert keys[0] == SequenceKey("001", "bg", 1, 0.0)
    assert keys[-1] == SequenceKey("124", "nm", 6, 180.0)
    assert keys == sorted(keys, key=lambda key: key.order)


def test_keys_follow_the_options():
    options = WalkerOptions(subjects=2, views=(90, 22.5), takes={"cl": 1, "nm": 0})
    assert list(map(str, sequence_keys(options))) == [
        "001/cl-01/022.5",
        "001/cl-01/090",
        "002/cl-01/022.5",
        "002/cl-01/090",
    ]


def test_parameters_are_plain_and_complete():
    assert WalkerOptions(subjects=3, views=(0,), seed=7).as_parameters() == {
        "subjects": 3,
        "seed": 7,
        "views": [0.0],
        "frames": 48,
        "noise": 1.0,
        "equal_bodies": False,
        "takes": {"bg": 2, "cl": 2, "nm": 6},
        "height_px": 240,
        "width_px": 320,
    }


def test_the_name_says_whose_bodies():
    # Of the model's eighth version; those of the first with this seed were called synthetic-3.
    assert WalkerOptions(seed=3).dataset_name == "synthetic-8-3"
    assert WalkerOptions(seed=3, equal_bodies=True).dataset_name == "synthetic-8-3-equal-bodies"


@pytest.mark.parametrize(
    "wrong",
    [
        {"subjects": 0},
        {"subjects": 1.5},
        {"subjects": "a"},
        {"subjects": None},
        {"frames": float("nan")},
        {"views": 90},
        {"views": ["side"]},
        {"takes": 3},
        {"noise": None},
        {"frames": 0},
        {"seed": -1},
        {"views": ()},
        {"views": (90, 90.0)},
        {"views": (360,)},
        {"views": (float("nan"),)},
        {"noise": -0.1},
        {"noise": float("inf")},
        {"takes": {"run": 1}},
        {"takes": {"nm": 0}},
        {"height_px": 3},
    ],
)
def test_values_that_cannot_be_used_are_refused(wrong):
    with pytest.raises(OptionError):
        WalkerOptions(**wrong)
