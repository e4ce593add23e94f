"""How networks begin: starting weights by the rules that the systems' papers name.

All are drawn on the CPU, from a generator, in the order of the modules, so that a seed gives the
same start on every device.
"""

from __future__ import annotations

import math

import torch
from torch import nn

__all__ = ["init_glorot", "init_kaiming", "init_normal", "init_uniform"]


def init_normal(network: nn.Module, generator: torch.Generator) -> None:
    """Convolutions N(0, 0.02), gains N(1, 0.02), shifts 0: as DCGAN and GaitGAN begin."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.weight.normal_(0.0, 0.02, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.normal_(1.0, 0.02, generator=generator)
                module.bias.zero_()


def init_uniform(network: nn.Module, generator: torch.Generator) -> None:
    """Weights and biases uniform with a variance of 1 / (3 · inputs), gains 1, shifts and tables 0.

    What torch does by itself for the layers of a classifier, but from a generator.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                bound = module.weight[0].numel() ** -0.5
                module.weight.uniform_(-bound, bound, generator=generator)
                if module.bias is not None:
                    module.bias.uniform_(-bound, bound, generator=generator)
            elif isinstance(module, (nn.BatchNorm2d, nn.InstanceNorm2d)) and module.affine:
                module.weight.fill_(1.0)
                module.bias.zero_()
            elif isinstance(module, nn.Embedding):
                module.weight.zero_()


def init_glorot(network: nn.Module, generator: torch.Generator) -> None:
    """Weights U(-b, b), b² = 6 / (inputs + outputs), biases and shifts 0, gains 1.

    Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, with channels times the kernel's area as inputs and outputs.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                area = module.weight[0, 0].numel()
                ends = (module.weight.shape[0] + module.weight.shape[1]) * area
                bound = math.sqrt(6.0 / ends)
                module.weight.uniform_(-bound, bound, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.InstanceNorm2d) and module.affine:
                module.weight.fill_(1.0)
                module.bias.zero_()


def init_kaiming(
    network: nn.Module, generator: torch.Generator, *, spread: float | None = None
) -> None:
    """Weights N(0, 2 / inputs), biases and shifts 0, gains 1.

    He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015.

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
