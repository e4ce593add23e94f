"""Boxes of the body on drawn figures, whose edges are known."""

from __future__ import annotations

import pytest
import torch

from gaitkit.translators.networks.body_boxes import PARTS, PartMeter, blend_columns, part_rows

HEAD, TORSO, LOWER, LEFT_ARM, RIGHT_ARM, LEFT_THIGH, RIGHT_THIGH = range(7)


def figure(size: int = 64) -> torch.Tensor:
    """A white rectangle on black, all rows, columns from 1/4 to 3/4 of the image."""
    image = torch.full((1, 1, size, size), -1.0)
    image[..., size // 4 : 3 * size // 4] = 1.0
    return image


def test_there_are_ten_parts_from_head_to_feet_and_they_overlap() -> None:
    assert len(PARTS) == 10
    covered = torch.zeros(64)
    for part in PARTS:
        covered[part.top : part.bottom] += 1
    assert covered.min() == 1
    assert covered[10:12].min() >= 2


def test_columns_hold_all_but_two_per_cent_of_the_mass_on_either_side() -> None:
    columns = PartMeter(64)(figure())[0]
    # The rectangle spans [-1/2, 1/2]; its 2nd percentile lies 2 % of its width inside.
    assert columns[HEAD].tolist() == pytest.approx([-0.48, 0.48], abs=1e-5)
    assert columns[LOWER].tolist() == pytest.approx([-0.48 * 0.6, 0.48 * 0.6], abs=1e-5)
    assert columns[LEFT_ARM].tolist() == pytest.approx([-0.48, -0.48 + 0.3 * 0.96], abs=1e-5)
    assert columns[RIGHT_ARM].tolist() == pytest.approx([0.48 - 0.3 * 0.96, 0.48], abs=1e-5)
    assert columns[LEFT_THIGH].tolist() == pytest.approx([-0.48, 0.0], abs=1e-5)
    assert columns[RIGHT_THIGH].tolist() == pytest.approx([0.0, 0.48], abs=1e-5)


def test_percentiles_equal_those_of_a_search() -> None:
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    left, right = PartMeter(64)(image)[0, HEAD].tolist()
    edges = torch.linspace(-1, 1, 65)
    profile = (image[0, 0, 0:12] + 1).sum(dim=0)
    inside = [0.0, *(profile.cumsum(0) / profile.sum()).tolist()]

    def found(share: float) -> float:
        column = max(place for place in range(65) if inside[place] <= share)
        rest = (share - inside[column]) / (inside[column + 1] - inside[column])
        return float(edges[column]) + rest * 2 / 64

    assert (left, right) == pytest.approx((found(0.02), found(0.98)), abs=1e-5)


@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_boxes_do_not_depend_on_the_resolution(size: int) -> None:
    columns = PartMeter(size)(figure(size))
    torch.testing.assert_close(columns, PartMeter(64)(figure()), atol=1e-5, rtol=0)
    rows = part_rows(size) / size
    torch.testing.assert_close(rows[1:-1], part_rows(64)[1:-1] / 64)


def test_a_part_that_is_not_there_has_no_width() -> None:
    image = figure()
    image[:, :, 62:] = -1.0
    image[:, :, :12] = -1.0
    columns = PartMeter(64)(image)[0]
    assert columns[HEAD].tolist() == [0.0, 0.0]
    assert columns[TORSO].tolist() != [0.0, 0.0]


def test_a_blend_has_the_own_centre_and_a_width_between() -> None:
    own, template = torch.tensor([[[0.0, 0.4]]]), torch.tensor([[[-0.05, 0.05]]])
    blend = blend_columns(own, template, 0.5, centred=True)
    # 0.1 · (0.4 / 0.1)^0.5 = 0.2, about 0.2.
    torch.testing.assert_close(blend, torch.tensor([[[0.1, 0.3]]]))
    torch.testing.assert_close(blend_columns(own, template, 0.0, centred=False), template)
    torch.testing.assert_close(blend_columns(own, template, 1.0, centred=True), own)
    missing = torch.zeros(1, 1, 2)
    assert blend_columns(missing, template, 0.5, centred=True).tolist() == missing.tolist()
    assert blend_columns(own, missing, 0.5, centred=True).tolist() == own.tolist()
