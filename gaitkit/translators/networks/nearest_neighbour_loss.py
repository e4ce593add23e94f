"""The nearest-neighbour loss: a generated pixel need only agree with one near its place.

Siarohin, Sangineto, Lathuilière, Sebe, "Deformable GANs for Pose-Based Human Image Generation",
CVPR 2018, section 3.3: the pixel-wise L1 punishes a sharp edge in a slightly wrong place twice, and
so makes images blurred. There pixels are compared by the first layers of a network that was trained
on photographs; here by a fixed bank of filters.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["FeatureBank", "nearest_neighbour_loss"]

_RADIUS = 4
_OUTSIDE = 1e4
"""A feature value that nothing is near to: what lies outside the image is nobody's neighbour."""


def _kernels() -> torch.Tensor:
    """Intensity, Sobel's two derivatives and the Laplacian, at σ 0 and 1: shape (8, 1, 9, 9)."""
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8.0
    laplacian = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
    intensity = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    sharp = torch.stack([intensity, sobel, sobel.T, laplacian]).unsqueeze(1)
    offsets = torch.arange(-3.0, 4.0)
    gaussian = torch.exp(-offsets.square() / 2.0)
    gaussian = torch.outer(gaussian, gaussian) / gaussian.sum().square()
    blurred = functional.conv2d(sharp, gaussian[None, None], padding=6)
    return torch.cat([functional.pad(sharp, (3, 3, 3, 3)), blurred])


class FeatureBank(nn.Module):
    """Eight fixed filters, each divided by its standard deviation over the training targets.

    The border's pixels go on beyond the border.
    """

    kernels: torch.Tensor
    deviations: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernels", _kernels(), persistent=False)
        self.register_buffer("deviations", torch.ones(len(_kernels())))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features of shape (n, 8, height, width) for images of shape (n, 1, height, width)."""
        padded = functional.pad(images, (_RADIUS,) * 4, mode="replicate")
        # Scaled kernels instead of scaled results: less to compute, and to keep for the gradient.
        return functional.conv2d(padded, self.kernels / self.deviations[:, None, None, None])

    def fit(self, images: torch.Tensor) -> None:
        """Measure each filter's standard deviation over all pixels of images."""
        self.deviations.fill_(1.0)
        features = self(images)
        spread = features.transpose(0, 1).flatten(1).std(dim=1, correction=0)
        self.deviations.copy_(spread.clamp_min(1e-6))


def nearest_neighbour_loss(
    generated: torch.Tensor, real: torch.Tensor, window: int
) -> torch.Tensor:
    """Mean over pixels of the generated image of the distance to the nearest of the real one's.

    For each pixel p of the generated image, the least L1 distance, summed over channels, between
    its features and those of a pixel in the window around p in the real image.

    Parameters
    ----------
    generated, real : Tensor, shape (n, channels, height, width)
        Features. The gradient goes to `generated` only.
    window : int
        Side of the window, odd; 1 is the L1 distance.
    """
    n, channels, height, width = real.shape
    radius = window // 2
    with torch.no_grad():
        padded = functional.pad(real, (radius,) * 4, value=_OUTSIDE)
        rows, columns = (torch.arange(size, device=real.device) for size in (height, width))
        corner = rows[:, None] * padded.shape[3] + columns
        least = real.new_full((n, height, width), torch.inf)
        nearest = corner.expand(n, -1, -1)
        for row in range(window):
            for column in range(window):
                candidate = padded[:, :, row : row + height, column : column + width]
                distance = (generated - candidate).abs_().sum(dim=1)
                place = corner + (row * padded.shape[3] + column)
                nearest = torch.where(distance < least, place, nearest)
                least = torch.minimum(distance, least)
        flat = nearest.reshape(n, 1, -1).expand(-1, channels, -1)
        found = padded.flatten(2).gather(2, flat).view_as(real)
    # The gradient of the least distance is that of the distance to the pixel that was found.
    return (generated - found).abs().sum(dim=1).mean()
