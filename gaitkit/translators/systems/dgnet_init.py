"""How DG-Net begins: its starting weights, and the mean layout of each domain of the data."""

from __future__ import annotations

import torch
from torch import nn

from gaitkit.training.images import to_network
from gaitkit.translators.domains import LabelledConfig
from gaitkit.translators.sampling import TripleSampler
from gaitkit.translators.systems.dgnet_encoders import shrink

__all__ = ["init_kaiming", "mean_layouts"]

_AT_ONCE = 4096


def init_kaiming(
    network: nn.Module, generator: torch.Generator, *, spread: float | None = None
) -> None:
    """Draw the starting weights N(0, 2 / inputs); gains 1, shifts 0.

    He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015. Drawn on the CPU, in the order
    of the modules, so that a seed gives the same start on every device.

    Parameters
    ----------
    network : Module
        Its weights are replaced.
    generator : torch.Generator
        On the CPU.
    spread : float, optional
        Standard deviation of the weights, instead of √(2 / inputs).
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                deviation = (2.0 / module.weight[0].numel()) ** 0.5 if spread is None else spread
                module.weight.normal_(0.0, deviation, generator=generator)
            elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)):
                module.weight.fill_(1.0)
            else:
                continue
            if module.bias is not None:
                module.bias.zero_()


def mean_layouts(sampler: TripleSampler, config: LabelledConfig) -> torch.Tensor:
    """The mean small image of each view and condition.

    A domain that nobody walked in takes that of the view in all conditions.

    Parameters
    ----------
    sampler : TripleSampler
        The training people's GEIs and labels.
    config : LabelledConfig
        The vocabulary.

    Returns
    -------
    Tensor, shape (views, conditions, height / 4, width / 4)
        In [-1, 1], as `LayoutEncoder` takes them.
    """
    views = sampler.labels.view[sampler.shown]
    conditions = sampler.labels.condition[sampler.shown]
    device = sampler.images.device
    images = sampler.images[torch.from_numpy(sampler.shown).to(device)]
    small = torch.cat(
        [
            shrink(to_network(images[start : start + _AT_ONCE])).to(torch.float64)
            for start in range(0, len(images), _AT_ONCE)
        ]
    ).squeeze(1)
    anything = torch.ones(len(small), dtype=torch.bool, device=device)
    layouts = []
    for view in config.views:
        of_view = torch.from_numpy(views == view).to(device)
        for condition in config.conditions:
            rows = of_view & torch.from_numpy(conditions == condition).to(device)
            # What nobody walked looks like the view, what nobody was filmed from like all views:
            # people who are held out may be the only ones who have it.
            chosen = next(choice for choice in (rows, of_view, anything) if bool(choice.any()))
            layouts.append(small[chosen].mean(dim=0))
    return torch.stack(layouts).reshape(len(config.views), len(config.conditions), *small.shape[1:])
