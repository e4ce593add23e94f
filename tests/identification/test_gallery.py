"""Arrays and names: who is it, and what cannot be searched."""

import numpy as np
import pytest

from gaitkit.errors import OptionError, ProtocolError
from gaitkit.identification.gallery import identify_vectors

GALLERY = np.array([[[0, 0]], [[9, 9]], [[9, 7]]], dtype=np.uint8)
NAMES = ["ann", "bob", "bob"]


def test_names_of_images_by_hand():
    found = identify_vectors(np.array([[[1, 1]], [[9, 8]]]), GALLERY, NAMES, top=5)
    assert found.names == ["ann", "bob"]
    assert [[(c.name, c.row) for c in answer.candidates] for answer in found.answers] == [
        [("ann", 0), ("bob", 2)],
        [("bob", 1), ("ann", 0)],
    ]
    assert found.answers[1].candidates[0].distance == 1.0


def test_a_stranger_has_no_name():
    found = identify_vectors([[1.0, 1.0], [50.0, 0.0]], GALLERY[:, 0], NAMES, threshold=2.0)
    assert found.names == ["ann", None]
    assert "probe 1: unknown" in found.table()
    assert found.table().count("beyond the threshold") == 3


def test_masks_and_lists_are_vectors_too():
    masks = np.array([[True, False], [False, True]])
    assert identify_vectors(masks, masks, ["a", "b"]).names == ["a", "b"]
    assert identify_vectors([[0]], [[0], [1]], np.array(["a", "b"])).names == ["a"]


def test_it_shows_itself_in_three_lines():
    found = identify_vectors(np.zeros((500, 2)), GALLERY[:, 0], ["<b>", "x" * 300, "y"])
    assert len(repr(found).splitlines()) == 3
    assert len(repr(found)) < 400
    assert "500 among 3 people" in repr(found)
    assert "&lt;b&gt;" in found._repr_html_()
    assert "<b>" not in found._repr_html_()


@pytest.mark.parametrize(
    ("probes", "gallery", "names", "message"),
    [
        ([[1.0, np.nan]], GALLERY, NAMES, "`probes`: expected finite numbers; 1 of 1 row"),
        ([[1, 2, 3]], GALLERY, NAMES, "have 3 values and rows of `gallery` 2"),
        ([1, 2], GALLERY, NAMES, r"`probes`: expected .*; found the shape \(2,\)"),
        ([[1, 2]], GALLERY[:0], [], r"`gallery`: expected .*found the shape \(0, 1, 2\)"),
        ([["a", "b"]], GALLERY, NAMES, "found values of type <U1"),
        ([[1, 2], [1]], GALLERY, NAMES, "rows of different lengths"),
        ([[1, 2]], GALLERY, NAMES[:2], "3 rows of `gallery` and 2 `names`"),
        ([[1j, 2]], GALLERY, NAMES, "type complex128"),
    ],
)
def test_what_cannot_be_searched(probes, gallery, names, message):
    with pytest.raises(OptionError, match=message):
        identify_vectors(probes, gallery, names)


def test_one_person_needs_a_threshold():
    with pytest.raises(ProtocolError, match="ann only: there is nobody to choose between"):
        identify_vectors([[1, 2]], [[1, 2]], ["ann"])
    assert identify_vectors([[1, 2]], [[1, 2]], ["ann"], threshold=0.0).names == ["ann"]


def test_a_gallery_of_arrays_finds_its_own_threshold():
    gallery = np.array([[0], [1], [10], [12], [30], [33]])
    names = ["ann", "ann", "bob", "bob", "cat", "cat"]
    found = identify_vectors([[2], [60]], gallery, names, fpir=0.34)
    # Of six walks bob's first and ann's second are each other's nearest, 9 apart.
    assert (found.threshold, found.names) == (9, ["ann", None])
    assert found.own.rates(9).false_positive[:2] == (2, 6)
    assert found.table().splitlines()[1].endswith("nearer: 0 of 10 own, 0 of 10 strangers")
    with pytest.raises(OptionError, match="at least 5 people"):
        identify_vectors([[2]], gallery, names, fpir=0.2)
    with pytest.raises(OptionError, match="not both"):
        identify_vectors([[2]], gallery, names, fpir=0.5, threshold=3)
    with pytest.raises(OptionError, match="above 0 and below 1"):
        identify_vectors([[2]], gallery, names, fpir=1.0)
    with pytest.raises(ProtocolError, match="fewer than two people"):
        identify_vectors([[2]], gallery[:2], names[:2], fpir=0.5)
