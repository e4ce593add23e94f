"""The deformable skip on boxes with known answers, at every size of a feature map."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gaitkit.translators.networks.body_boxes import PARTS
from gaitkit.translators.networks.part_warp import (
    PartWarp,
    column_matrices,
    column_transforms,
    row_masks,
    soft_columns,
)

FULL = 64
SIZES = [64, 32, 16, 8]


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
