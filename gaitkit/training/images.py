"""Images as networks see them: their scale, and how a training varies them.

GEIs are stored as grey values 0..255; networks see [-1, 1]. Few people train a model, and it soon
knows each of them by heart. The variations, images moved a little and bodies of other proportions,
keep what it has to learn (how a person's view at 90° follows from another view) and change what it
could memorise. All numbers are drawn from the generator that draws the batch.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

__all__ = [
    "crop_width",
    "from_network",
    "seen_columns",
    "shift_images",
    "to_network",
    "warp_bodies",
    "warp_draws",
    "warp_grid",
    "warp_grid_of",
    "with_channels",
]

_ASPECT = 44 / 64
"""Width of what is seen, as a share of the height: where a walker never is is cut off."""

_HEIGHT_WAVES = 3
_WIDTH_WAVES = 3


def to_network(grey: torch.Tensor) -> torch.Tensor:
    """Images for a network.

    Parameters
    ----------
    grey : Tensor of uint8 or floats, shape (n, height, width)
        Grey values 0..255.

    Returns
    -------
    Tensor of float32, shape (n, 1, height, width)
        In [-1, 1].
    """
    return (grey.to(torch.float32) / 127.5 - 1.0).unsqueeze(1)


def from_network(images: torch.Tensor) -> torch.Tensor:
    """The reverse of `to_network`: float32 grey values 0..255, not rounded."""
    return ((images.squeeze(1).to(torch.float32) + 1.0) * 127.5).clamp(0.0, 255.0)


def shift_images(
    images: torch.Tensor, largest: int, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Move every image by whole pixels, each by its own random amount.

    Parameters
    ----------
    images : Tensor, shape (n, 1, height, width)
        In [-1, 1]; what moves in from outside is background, -1.
    largest : int
        Both displacements are uniform in {-largest, …, largest}, pixels.
    generator : torch.Generator, optional
        On the images' device.
    """
    count, _, height, width = images.shape
    span = 2 * largest + 1
    moves = torch.randint(span, (2, count), generator=generator, device=images.device)
    padded = functional.pad(images, (largest,) * 4, value=-1.0)
    rows = moves[0][:, None] + torch.arange(height, device=images.device)
    columns = moves[1][:, None] + torch.arange(width, device=images.device)
    index = torch.arange(count, device=images.device)[:, None, None]
    return padded[index, 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def warp_grid(
    count: int,
    size: tuple[int, int],
    strength: float,
    *,
    generator: torch.Generator | None = None,
    device: str | torch.device = "cpu",
) -> torch.Tensor:
    """Where each pixel of a body of other proportions is taken from.

    Heights move along the body's axis by a smooth monotone function that leaves head and feet where
    they are: longer legs, a shorter trunk. Each row is then stretched about the middle column by a
    factor that varies smoothly from row to row: broader shoulders, a slimmer waist. Height and
    (nearly) the factor are the same from every side, so one grid suits all views of a person.

    Parameters
    ----------
    count : int
        Number of bodies.
    size : tuple of int
        Height and width, pixels.
    strength : float
        At 1, heights move by about 3 % of the body's height and widths by about 12 % (standard
        deviations).
    generator : torch.Generator, optional
        On the device.
    device : str or torch.device
        Of the grid.

    Returns
    -------
    Tensor of float32, shape (count, height, width, 2)
        x and y in [-1, 1], as `torch.nn.functional.grid_sample` takes them (corners aligned).
    """
    return warp_grid_of(warp_draws(count, generator, device), size, strength)


def warp_draws(
    count: int, generator: torch.Generator | None = None, device: str | torch.device = "cpu"
) -> torch.Tensor:
    """The numbers that make a body's proportions: standard normal, shape (count, 7)."""
    return torch.randn(
        (count, _HEIGHT_WAVES + 1 + _WIDTH_WAVES), generator=generator, device=device
    )


def warp_grid_of(draws: torch.Tensor, size: tuple[int, int], strength: float) -> torch.Tensor:
    """The grid of `warp_grid` for given numbers.

    Parameters
    ----------
    draws : Tensor, shape (count, 7)
        From `warp_draws`; zeros leave a body as it is.
    size : tuple of int
        Height and width, pixels.
    strength : float
        See `warp_grid`.
    """
    count, device = len(draws), draws.device
    height, width = size
    up = torch.linspace(0.0, 1.0, height, device=device)
    moved = up.expand(count, height)
    for wave in range(1, _HEIGHT_WAVES + 1):
        # The derivative 1 + 0.1·strength·Σ draw·cos(…) stays above 0 up to six standard deviations.
        amount = 0.1 * strength / math.pi * draws[:, wave - 1 : wave] / wave
        moved = moved + amount * torch.sin(math.pi * wave * up)
    stretch = 0.08 * draws[:, _HEIGHT_WAVES : _HEIGHT_WAVES + 1].expand(count, height)
    for wave in range(1, _WIDTH_WAVES + 1):
        column = _HEIGHT_WAVES + wave
        stretch = stretch + 0.05 * draws[:, column : column + 1] * torch.cos(math.pi * wave * up)
    across = torch.linspace(-1.0, 1.0, width, device=device)
    x = across * torch.exp(strength * stretch)[:, :, None]
    y = (2.0 * moved - 1.0)[:, :, None].expand(count, height, width)
    return torch.stack([x, y], dim=-1)


def warp_bodies(images: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Images of bodies of other proportions.

    Parameters
    ----------
    images : Tensor, shape (n, 1, height, width)
        In [-1, 1].
    grid : Tensor, shape (n, height, width, 2)
        From `warp_grid`; the same for all images of one person.
    """
    # Outside is background, which is 0 to the interpolation once the images are raised by 1.
    taken = functional.grid_sample(
        images + 1.0, grid.to(images.dtype), mode="bilinear", align_corners=True
    )
    return taken - 1.0


def crop_width(frames: torch.Tensor) -> torch.Tensor:
    """Frames without the columns at both sides that are further out than a walker ever is.

    Examples
    --------
    >>> crop_width(torch.zeros(1, 1, 64, 64)).shape
    torch.Size([1, 1, 64, 44])
    >>> crop_width(torch.zeros(1, 1, 8, 4)).shape
    torch.Size([1, 1, 8, 4])
    """
    return frames[..., seen_columns(*frames.shape[-2:])]


def with_channels(images: torch.Tensor) -> torch.Tensor:
    """Images of shape (n, height, width), or (n, channels, height, width), as the latter.

    Examples
    --------
    >>> with_channels(torch.zeros(2, 8, 4)).shape, with_channels(torch.zeros(2, 3, 8, 4)).shape
    (torch.Size([2, 1, 8, 4]), torch.Size([2, 3, 8, 4]))
    """
    return images if images.ndim == 4 else images[:, None]


def seen_columns(height: int, width: int) -> slice:
    """Which columns of images of such a size are seen."""
    wanted = min(width, max(4, round(height * _ASPECT)))
    start = (width - wanted) // 2
    return slice(start, start + wanted)
