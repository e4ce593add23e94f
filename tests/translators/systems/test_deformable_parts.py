"""Boxes of the body on drawn figures, whose edges are known; the warp at every size of a map."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gaitkit.translators.systems.deformable_parts import (
    PARTS,
    PartMeter,
    PartWarp,
    blend_columns,
    column_matrices,
    column_transforms,
    part_rows,
    row_masks,
    soft_columns,
)

HEAD, TORSO, LOWER, LEFT_ARM, RIGHT_ARM, LEFT_THIGH, RIGHT_THIGH = range(7)
FULL = 64
SIZES = [64, 32, 16, 8]


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


def boxes(*edges: tuple[float, float]) -> torch.Tensor:
    """The same box for every part, one person for each pair of edges."""
    return torch.tensor(edges).unsqueeze(1).repeat(1, len(PARTS), 1)


def features(size: int, channels: int = 3, n: int = 1) -> torch.Tensor:
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(size))


def warped(source: torch.Tensor, own: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    size = source.shape[-1]
    result: torch.Tensor = PartWarp(FULL, size)(source, column_matrices(own, target, FULL, size))
    return result


def plain_warp(source: torch.Tensor, own: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The paper's: sample the whole plane for each part, mask, take the largest."""
    n, _, size, _ = source.shape
    places = (2 * torch.arange(size) + 1) / size - 1
    factor = FULL // size
    result = source
    for part in range(len(PARTS)):
        rows = row_masks(FULL)[part].reshape(size, factor).mean(dim=1)
        columns = soft_columns(target, FULL)[0, part].reshape(size, factor).mean(dim=1)
        grids, masks = [], []
        for person in range(n):
            (a, b), (c, d) = own[person, part].tolist(), target[0, part].tolist()
            there = b > a and d > c
            scale = min(max((b - a) / (d - c), 0.5), 2.0) if there else 1.0
            at = scale * (places - (c + d) / 2) + (a + b) / 2
            grids.append(torch.stack(torch.meshgrid(at, places, indexing="xy"), dim=-1))
            masks.append(torch.outer(rows, columns) * there)
        moved = functional.grid_sample(source, torch.stack(grids), align_corners=False)
        result = torch.maximum(result, moved * torch.stack(masks).unsqueeze(1))
    return result


@pytest.mark.parametrize("size", SIZES)
def test_equal_boxes_move_nothing(size: int) -> None:
    source = features(size)
    box = boxes((-0.4, 0.3))
    # The masked copy is never larger than the map itself, but for negative values.
    torch.testing.assert_close(warped(source, box, box), source.clamp_min(0.0))


@pytest.mark.parametrize("size", SIZES)
def test_a_box_at_the_left_moves_to_the_right(size: int) -> None:
    """One column that shines, one coarse column away: it is seen there as well."""
    step = 2.0 / size
    source = torch.zeros(1, 1, size, size)
    column = size // 2
    source[..., column] = 1.0
    target = boxes((-0.9, 0.9))
    moved = warped(source, target - step, target)[0, 0]
    mask = soft_columns(target, FULL)[0, 0].reshape(size, -1).mean(dim=1)[column + 1]
    rows = row_masks(FULL).reshape(len(PARTS), size, -1).mean(dim=2).amax(dim=0)
    torch.testing.assert_close(moved[:, column + 1], rows * mask)
    torch.testing.assert_close(moved[:, column], torch.ones(size))
    torch.testing.assert_close(moved[:, column - 1], torch.zeros(size))


@pytest.mark.parametrize("size", SIZES)
def test_a_box_twice_as_wide_is_halved(size: int) -> None:
    """A ramp from 0 to 1 over the source's box: over the target's box it is twice as steep."""
    places = (2 * torch.arange(size) + 1) / size - 1
    source = (1.0 + places).expand(1, 1, size, size) / 100.0
    own, target = boxes((-0.8, 0.8)), boxes((-0.4, 0.4))
    matrices = column_matrices(own, target, FULL, size)
    mask = soft_columns(target, FULL)[0, 0].reshape(size, -1).mean(dim=1)
    sampled = source[0, 0, 0] @ matrices[0, :, 0]
    # Between the outermost centres sampling a straight line gives it back.
    inside = (2 * places).abs() <= 1 - 1 / size
    torch.testing.assert_close(sampled[inside], (mask * (1.0 + 2 * places) / 100.0)[inside])


@pytest.mark.parametrize("size", SIZES)
def test_missing_parts_leave_the_map_as_it_was(size: int) -> None:
    source, there, missing = features(size), boxes((-0.4, 0.3)), boxes((0.0, 0.0))
    torch.testing.assert_close(warped(source, missing, there), source.clamp_min(0.0))
    torch.testing.assert_close(warped(source, there, missing), source.clamp_min(0.0))


@pytest.mark.parametrize("size", SIZES)
def test_it_equals_sampling_the_whole_plane_for_each_part(size: int) -> None:
    random = torch.Generator().manual_seed(1)
    centre = torch.rand(2, len(PARTS), 1, generator=random) - 0.5
    half = 0.1 + 0.3 * torch.rand(2, len(PARTS), 1, generator=random)
    own = torch.cat([centre - half, centre + half], dim=-1)
    own[0, 3] = 0.0
    target = torch.cat([centre[1:] - 0.2, centre[1:] + half[:1]], dim=-1)
    source = features(size, n=2)
    found = warped(source, own, target)
    torch.testing.assert_close(found, plain_warp(source, own, target), atol=1e-4, rtol=1e-4)
    assert (found > source.clamp_min(0.0) + 0.1).any()


def test_edges_go_to_edges_and_the_scale_is_guarded() -> None:
    own = boxes((-0.5, 0.1), (-0.9, 0.9), (0.0, 0.02))
    target = boxes((0.0, 0.4))
    scale, shift, there = column_transforms(own, target)
    assert scale[:, 0].tolist() == pytest.approx([1.5, 2.0, 0.5])
    assert there.all()
    # Edges where the guard does not act, centres always.
    assert (scale[0, 0] * 0.0 + shift[0, 0]).item() == pytest.approx(-0.5)
    assert (scale[0, 0] * 0.4 + shift[0, 0]).item() == pytest.approx(0.1)
    middles = (scale[:, 0] * 0.2 + shift[:, 0]).tolist()
    assert middles == pytest.approx([-0.2, 0.0, 0.01], abs=1e-6)


def test_masks_are_whole_inside_and_half_at_the_edge() -> None:
    rows = row_masks(64)
    assert rows.amax(dim=0).min() > 0.5
    # Above and below the image the body goes on: no fading there.
    assert rows[0, 0].item() == pytest.approx(1.0, abs=1e-5)
    assert rows[-1, -1].item() == pytest.approx(1.0, abs=1e-5)
    columns = soft_columns(boxes((-0.5, 0.5)), 64)[0, 0]
    assert columns[32].item() == pytest.approx(1.0)
    assert (columns[15] + columns[16]).item() == pytest.approx(1.0)
    assert columns[10].item() == pytest.approx(0.0, abs=1e-6)
    assert soft_columns(boxes((0.0, 0.0)), 64).abs().max() == 0.0
