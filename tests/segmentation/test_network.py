"""Networks by file: small ones made here, and MediaPipe's where it was fetched."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filmed_walkers import filmed, overlap, walk

from gaitkit.errors import DatasetError, OptionError
from gaitkit.segmentation import network
from gaitkit.segmentation.background import learn_background
from gaitkit.segmentation.model_files import input_size_of
from gaitkit.segmentation.options import SegmentOptions
from gaitkit.segmentation.segmenters import describe_segmenter, open_segmenter

FETCHED = os.environ.get("SELFIE_SEGMENTATION_TFLITE", "")


pytestmark = pytest.mark.usefixtures("children_start_as_for_users")


@pytest.fixture
def reddish(tmp_path):
    """A network that takes red for a person: a convolution of one pixel, and a sigmoid."""
    onnx = pytest.importorskip("onnx")
    weights = np.array([9.0, -9.0, -9.0], np.float32).reshape(1, 3, 1, 1)
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Conv", ["picture", "w"], ["sum"]),
            onnx.helper.make_node("Sigmoid", ["sum"], ["people"]),
        ],
        "reddish",
        [onnx.helper.make_tensor_value_info("picture", 1, [1, 3, 64, 48])],
        [onnx.helper.make_tensor_value_info("people", 1, [1, 1, 64, 48])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    path = tmp_path / "reddish.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def scene():
    """A green wall; and one in front of it whose upper half is red, and lower half blue."""
    wall = np.full((120, 160, 3), (90, 120, 40), np.uint8)
    picture = wall.copy()
    picture[20:60, 60:90], picture[60:100, 60:90] = (30, 30, 220), (220, 30, 30)
    return learn_background([wall] * 3), picture


def test_what_the_network_says_is_the_mask_where_something_moved(reddish):
    background, picture = scene()
    picture[20:24, 5:12] = (30, 30, 220)  # Too low to be somebody.
    with open_segmenter(SegmentOptions(segmenter=str(reddish))) as segmenter:
        mask = segmenter.mask(picture, background)
    truth = np.zeros((120, 160), bool)
    truth[20:60, 60:90] = True
    assert overlap(mask, truth) > 0.9


def test_size_and_digest_are_found_in_the_file(reddish):
    assert input_size_of(reddish.read_bytes()) == (64, 48)
    told = describe_segmenter(SegmentOptions(segmenter=str(reddish)))
    assert told["segmenter"] == "network"
    assert told["input_range"] == "-1..1"
    assert len(told["model_sha256"]) == 64


def test_a_file_that_is_no_network_is_told(tmp_path):
    path = tmp_path / "people.tflite"
    path.write_bytes(b"\x18\0\0\0TFL3" + bytes(64))
    with pytest.raises(OptionError, match="does not say how large"):
        open_segmenter(SegmentOptions(segmenter=str(path)))
    with pytest.raises(DatasetError, match="cannot be used"):
        open_segmenter(SegmentOptions(segmenter=str(path), input_size=(64, 64)))


def test_a_channel_that_is_not_there_is_told(reddish):
    with pytest.raises(DatasetError, match="no map of people"):
        open_segmenter(SegmentOptions(segmenter=str(reddish), channel=3))


@pytest.mark.parametrize("name", ["people.tflite", "network", "bakground"])
def test_a_segmenter_that_is_none(name):
    with pytest.raises(OptionError, match="There is no"):
        describe_segmenter(SegmentOptions(segmenter=name))


def test_a_network_that_ends_its_process_is_told(reddish, monkeypatch):
    monkeypatch.setattr(network, "_START", "print('ready', flush=True)")
    with pytest.raises(DatasetError, match="the process that loads it ended"):
        open_segmenter(SegmentOptions(segmenter=str(reddish)))


@pytest.mark.parametrize("cut", [40, 90, 160])
def test_damaged_files_say_nothing_of_their_input(reddish, cut):
    data = reddish.read_bytes()
    assert input_size_of(data[:cut]) in (None, (64, 48))
    assert input_size_of(bytes(reversed(data))) is None


@pytest.mark.skipif(not Path(FETCHED).is_file(), reason="SELFIE_SEGMENTATION_TFLITE names no file")
def test_mediapipes_network_is_loaded_and_run():
    truth = walk(frames=12)
    pictures = filmed([truth])
    options = SegmentOptions(segmenter=FETCHED)
    assert input_size_of(Path(FETCHED).read_bytes()) == (256, 256)
    with open_segmenter(replace(options)) as segmenter:
        mask = segmenter.mask(pictures[6], learn_background(pictures))
    # A drawn walker is not what it has learned: that it runs is what is asked.
    assert mask.shape == truth[6].shape
