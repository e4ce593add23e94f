"""Embedders of GEIs and of sets as one writes them first from the papers, for comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

__all__ = ["PLAIN_NETWORKS", "arrays_of", "plain_steps"]


def strips(maps: torch.Tensor, counts: tuple[int, ...]) -> torch.Tensor:
    """Mean + maximum of horizontal strips, shape (parts, n, channels)."""
    found = []
    for count in counts:
        for strip in maps.chunk(count, dim=2):
            flat = strip.flatten(2)
            found.append(flat.mean(dim=2) + flat.max(dim=2)[0])
    return torch.stack(found)


def convolution(a: int, b: int, size: int, stride: int, slope: float, norm: bool) -> nn.Sequential:
    """Convolution, batch normalisation where asked for, leaky ReLU."""
    layers: list[nn.Module] = [nn.Conv2d(a, b, size, stride, size // 2, bias=False)]
    layers += [nn.BatchNorm2d(b)] if norm else []
    return nn.Sequential(*layers, nn.LeakyReLU(slope))


class Head(nn.Module):
    """A matrix a part, and a BNNeck where the people are told apart."""

    def __init__(self, config: Any, parts: int, channels: int) -> None:
        super().__init__()
        self.matrices = nn.Parameter(torch.randn(parts, channels, config.values) * 0.05)
        self.norm = nn.BatchNorm1d(parts * config.values) if config.softmax_weight else None
        self.people = nn.Parameter(torch.randn(parts, config.values, config.subjects) * 0.05)

    def forward(
        self, features: torch.Tensor, added: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        embedding = features.bmm(self.matrices)
        if added is not None:
            embedding = embedding + added
        if self.norm is None:
            return embedding, None
        parts, count, values = embedding.shape
        flat = embedding.transpose(0, 1).reshape(count, -1)
        normed = self.norm(flat).view(count, parts, values).transpose(0, 1)
        towards = functional.normalize(self.people, dim=1)
        return embedding, 16.0 * functional.normalize(normed, dim=2).bmm(towards)


class Residual(nn.Module):
    """Two convolutions, and what they are added to."""

    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.one = convolution(a, b, 3, stride, 0.1, True)
        self.two = nn.Sequential(nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b))
        self.past: nn.Module = nn.Identity()
        if a != b or stride > 1:
            self.past = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return functional.leaky_relu(self.two(self.one(maps)) + self.past(maps), 0.1)


class GeiParts(nn.Module):
    """Residual blocks, rows as parts, and a matrix a part for each view beside that for all."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        w, parts, views = config.width, config.part_count, config.views_told
        self.body = nn.Sequential(
            convolution(config.channels, w, 5, 2, 0.1, True),
            Residual(w, w, 1),
            Residual(w, 2 * w, 2),
            Residual(2 * w, 4 * w, 1),
        )
        self.count = parts
        self.head = Head(config, parts, 4 * w)
        self.views = views
        if views:
            self.change = nn.Parameter(torch.zeros(views, parts, 4 * w, config.values))
            self.tell = nn.Sequential(
                nn.BatchNorm1d(parts * 4 * w, affine=False), nn.Linear(parts * 4 * w, views)
            )
        self.view_scores: torch.Tensor | None = None

    def forward(self, sets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        seen = sets if sets.shape[-1] == 44 else sets[..., 10:54]
        features = strips(self.body(seen), (self.count,))
        added = None
        if self.views:
            self.view_scores = self.tell(features.detach().transpose(0, 1).flatten(1))
            share = self.view_scores.detach().softmax(dim=1)
            each = torch.stack([features.bmm(change) for change in self.change], dim=3)
            added = (each * share[None, :, None]).sum(dim=3)
        found: tuple[torch.Tensor, torch.Tensor | None] = self.head(features, added)
        return found


class GaitSet(nn.Module):
    """Two branches, strips of five sizes."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        w, norm, half = config.width, config.norm == "batch", config.stem == "half"

        def block(a: int, b: int, size: int, stride: int, pool: bool) -> nn.Sequential:
            layers: list[nn.Module] = [
                convolution(a, b, size, stride, 0.01, norm),
                convolution(b, b, 3, 1, 0.01, norm),
            ]
            return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pool else []))

        self.one = block(1, w, 5, 2 if half else 1, not half)
        self.two, self.whole2 = block(w, 2 * w, 3, 1, True), block(w, 2 * w, 3, 1, True)
        self.three = block(2 * w, 4 * w, 3, 1, False)
        self.whole3 = block(2 * w, 4 * w, 3, 1, False)
        self.head = Head(config, 62, 4 * w)

    def forward(self, sets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        count, frames = sets.shape[:2]

        def pooled(maps: torch.Tensor) -> torch.Tensor:
            return maps.view(count, frames, *maps.shape[1:]).max(dim=1)[0]

        a = self.one(sets.reshape(count * frames, 1, *sets.shape[2:]))
        b = self.two(a)
        c = pooled(self.three(b))
        whole = self.whole3(self.whole2(pooled(a)) + pooled(b)) + c
        counts = (16, 8, 4, 2, 1)
        found: tuple[torch.Tensor, torch.Tensor | None] = self.head(
            torch.cat([strips(c, counts), strips(whole, counts)])
        )
        return found


class Basic(nn.Module):
    """A residual block."""

    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(a, b, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(b, b, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(b), nn.BatchNorm2d(b)
        self.relu = nn.ReLU()
        self.beside: nn.Module = nn.Identity()
        if a != b or stride > 1:
            self.beside = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        found = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(maps)))))
        result: torch.Tensor = self.relu(found + self.beside(maps))
        return result


class GaitBase(nn.Module):
    """A ResNet-9, sixteen strips."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        w, half = config.width, config.stem == "half"
        self.body = nn.Sequential(
            nn.Conv2d(1, w, 3, 2 if half else 1, 1, bias=False),
            nn.BatchNorm2d(w),
            nn.ReLU(),
            Basic(w, w, 1),
            Basic(w, 2 * w, 1 if half else 2),
            Basic(2 * w, 4 * w, 2),
            Basic(4 * w, 8 * w, 1),
        )
        self.count = config.part_count
        self.head = Head(config, config.part_count, 8 * w)

    def forward(self, sets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        count, frames = sets.shape[:2]
        maps = self.body(sets.reshape(count * frames, 1, *sets.shape[2:]))
        maps = maps.view(count, frames, *maps.shape[1:]).max(dim=1)[0]
        found: tuple[torch.Tensor, torch.Tensor | None] = self.head(strips(maps, (self.count,)))
        return found


PLAIN_NETWORKS: dict[str, type[nn.Module]] = {
    "gei-parts": GeiParts,
    "gait-phases": GeiParts,
    "gaitset": GaitSet,
    "gaitbase": GaitBase,
}


def triplets(embedding: torch.Tensor, subject: torch.Tensor, margin: float) -> torch.Tensor:
    """Batch-all triplet loss of each part: all pairs by masks, mean of the terms that are not 0."""
    distances = torch.cdist(embedding, embedding)
    return masked_triplets(distances, subject, margin)


def masked_triplets(distances: torch.Tensor, subject: torch.Tensor, margin: float) -> torch.Tensor:
    """The same of distances, shape (parts, n, n)."""
    same = subject[:, None] == subject[None]
    found = []
    for one in distances:
        terms = (margin + one[:, :, None] - one[:, None, :])[same[:, :, None] & ~same[:, None, :]]
        terms = functional.relu(terms)
        found.append(terms.sum() / (terms > 0).sum().clamp_min(1))
    return torch.stack(found).mean()


Arrays: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]
"""Images, people and views of a batch."""


def arrays_of(batch: Any) -> Arrays:
    """A batch as gaitkit draws it, as the plain loops read it."""
    images, subject, view = batch.images.float(), batch.subject, batch.view
    return images.cpu().numpy(), subject.cpu().numpy(), view.cpu().numpy()


def plain_steps(
    system: str,
    config: Any,
    batches: list[Arrays],
    device: str,
) -> Callable[[], None]:
    """One iteration per call, on the same batches in turn; float32, the loss read at every step."""
    network = PLAIN_NETWORKS[system](config).to(device)
    weights, rate = network.parameters(), config.learning_rate
    optimizer: torch.optim.Optimizer
    if getattr(config, "optimizer", "adamw") == "sgd":
        optimizer = torch.optim.SGD(weights, rate, config.momentum, weight_decay=5e-4)
    else:
        optimizer = torch.optim.AdamW(weights, rate, weight_decay=config.weight_decay)
    average = {name: value.clone() for name, value in network.state_dict().items()}
    seen: list[float] = []

    def step() -> None:
        images, names, views = batches[len(seen) % len(batches)]
        sets = torch.from_numpy(images).to(device)
        subject = torch.from_numpy(names).to(device)
        embedding, scores = network(sets)
        loss = triplets(embedding, subject, config.margin)
        if scores is not None:
            loss = loss + functional.cross_entropy(
                scores.flatten(0, 1), subject.repeat(len(scores)), label_smoothing=config.smoothing
            )
        if config.whole_weight:
            whole = torch.cdist(embedding, embedding).mean(dim=0, keepdim=True)
            loss = loss + config.whole_weight * masked_triplets(whole, subject, config.margin)
        told = getattr(network, "view_scores", None)
        if told is not None:
            view = torch.from_numpy(views).to(device)
            loss = loss + config.view_weight * functional.cross_entropy(told, view)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if config.ema_decay:
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    average[name].mul_(config.ema_decay).add_(value, alpha=1 - config.ema_decay)
        seen.append(loss.item())

    return step
