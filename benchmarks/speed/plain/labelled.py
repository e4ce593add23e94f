"""What the plain loops of systems that are told a label have in common: their batches."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from gaitkit.labels import Labels
from gaitkit.translators.domains import LabelledConfig

__all__ = ["LabelledBatches", "slope_off_one"]

Label = tuple[torch.Tensor, torch.Tensor]
"""Places of views and of conditions in the config's lists."""


class LabelledBatches:
    """GEIs with their own labels, and labels that they are to be changed into.

    Parameters
    ----------
    config : LabelledConfig
        The vocabulary.
    geis : ndarray of uint8, shape (n, height, width)
        All GEIs.
    labels : Labels
        Their key columns.
    device : str
        Where batches are to lie.
    """

    def __init__(
        self, config: LabelledConfig, geis: NDArray[np.uint8], labels: Labels, device: str
    ) -> None:
        self.config, self.geis, self.device = config, geis, device
        self.views = torch.tensor([config.views.index(float(view)) for view in labels.view])
        self.conditions = torch.tensor([config.conditions.index(name) for name in labels.condition])

    def draw(self, size: int, forced: int) -> tuple[torch.Tensor, Label, Label]:
        """Images, their labels, and those that are asked for: the target in the first rows."""
        rows = torch.randint(len(self.geis), (size,))
        grey = torch.from_numpy(self.geis[rows.numpy()]).float() / 127.5 - 1.0
        own = self.views[rows].to(self.device), self.conditions[rows].to(self.device)
        order = torch.randperm(size)
        asked = own[0][order].clone(), own[1][order].clone()
        asked[0][:forced] = self.config.views.index(self.config.target_view)
        asked[1][:forced] = self.config.conditions.index(self.config.target_condition)
        return grey.unsqueeze(1).to(self.device), own, asked

    def one_hot(self, label: Label) -> torch.Tensor:
        """A vector of the views' group and the conditions'."""
        sizes = (len(self.config.views), len(self.config.conditions))
        groups = [functional.one_hot(place, size) for place, size in zip(label, sizes, strict=True)]
        return torch.cat(groups, dim=1).float()

    def classified(self, logits: torch.Tensor, label: Label) -> torch.Tensor:
        """Cross-entropy of the view plus that of the condition."""
        count = len(self.config.views)
        of_view = functional.cross_entropy(logits[:, :count], label[0])
        return of_view + functional.cross_entropy(logits[:, count:], label[1])


def slope_off_one(critic: nn.Module, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The penalty of WGAN-GP, of a critic that gives scores and logits."""
    place = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (place * real + (1 - place) * fake).requires_grad_()
    gradient = torch.autograd.grad(critic(between)[0].sum(), between, create_graph=True)[0]
    return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
