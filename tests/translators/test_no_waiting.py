"""No training step waits for its device, or brings anything from the host.

It could not be recorded. Each system's step runs on torch's device "meta", which has shapes and no
numbers: whatever would ask for a number fails there, and tensors made on the host are seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_systems import small_config
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gaitkit.translators import GeiSet, translator_class, translator_names
from gaitkit.translators.sampling import Batch, TripleSampler

PAIRED = {"paired": True, "pair_contrast_weight": 1.0}
LENGTH = 1_000

SETTINGS: list[Any] = [
    *((system, {}) for system in translator_names()),
    *(
        pytest.param(system, PAIRED, marks=pytest.mark.slow)
        for system in translator_names()
        if system != "gaitgan"
    ),
    ("gaitgan", {"l1_weight": 1.0, "contrast_weight": 1.0, "identity_weight": 1.0, "matte": True}),
    ("gaitgan", {"identity_weight": 1.0, "identity_loss": "contrastive", "skips": 2}),
    ("gaitgan", {"identity_weight": 1.0, "centre_weight": 0.1, "r1_weight": 1.0}),
    ("stargan", {"identity_weight": 1.0}),
    ("attgan", {"adversarial": "lsgan"}),
    pytest.param("dgnet", {"fine": "id", "teacher_share": 0.0}, marks=pytest.mark.slow),
    ("deformable", {"boxes": "blend"}),
    ("deformable", {"boxes": "template", "variant": "dsc"}),
    ("deformable", {"variant": "baseline"}),
]


class Still:
    """An optimiser that does nothing: the fused ones know no device without numbers."""

    def __init__(self, parameters: Iterable[torch.Tensor], *_: Any, **__: Any) -> None:
        self.param_groups = [{"params": list(parameters), "lr": 0.0}]

    def step(self) -> None:
        pass

    def zero_grad(self, set_to_none: bool) -> None:
        pass


FROM_HOST = (torch.tensor, torch.as_tensor, torch.from_numpy)


class Asked(TorchFunctionMode):
    """Remembers what makes a tensor of the host's numbers, lists as indices among it."""

    def __init__(self) -> None:
        super().__init__()
        self.from_host: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        by_list = func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__) and any(
            isinstance(part, (list, np.ndarray))
            for part in (args[1] if isinstance(args[1], tuple) else [args[1]])
        )
        # A GPU's tensor with indices is given a number by way of the host.
        number = func is torch.Tensor.__setitem__ and not isinstance(args[2], torch.Tensor)
        if by_list or number or func in FROM_HOST:
            self.from_host.append(func.__name__)
        return func(*args, **(kwargs or {}))


class Watch(TorchDispatchMode):
    """Remembers every operation on, or of, a tensor of the host."""

    def __init__(self) -> None:
        super().__init__()
        self.on_host: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        used = tree_leaves((args, kwargs, result))
        if any(isinstance(leaf, torch.Tensor) and leaf.device.type == "cpu" for leaf in used):
            self.on_host.append(str(func))
        return result


def without_numbers(
    system: str, geis: GeiSet, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, Batch]:
    """A small system, in the course of a training, and a batch, all of it on "meta"."""
    found = translator_class(system)
    config = small_config(system, geis, **settings)
    model: Any = found(config, device="cpu", precision="fp32", threads=1)
    sampler = TripleSampler(
        geis.images,
        geis.labels,
        dataset=geis.dataset_index,
        positives=found.wants_positive,
        need_targets=model.needs_targets(),
    )
    model.meet(sampler, LENGTH)
    drawn = vars(sampler.draw(6))
    for network in model.networks.values():
        network.to("meta")
    for name in ("Adam", "AdamW"):
        monkeypatch.setattr(torch.optim, name, Still)
    model.runtime = replace(model.runtime, device="meta")
    return model, Batch(**{name: values.to("meta") for name, values in drawn.items()})


def assert_no_step_waits(model: Any, batch: Batch) -> None:
    kinds = set()
    for step in (0, 1, 2, 3, 4, LENGTH // 3, LENGTH - 1):
        model.steps_done = step
        model.before_step()
        if (kind := model.step_kind()) in kinds:
            continue
        kinds.add(kind)
        with Asked() as asked, Watch() as watch:
            values = model.train_step(batch)
        assert asked.from_host == []
        assert watch.on_host == []
        assert {value.device.type for value in values.values()} == {"meta"}


@pytest.mark.parametrize(
    ("system", "settings"),
    SETTINGS,
    ids=lambda value: value if isinstance(value, str) else "-".join(value) or "published",
)
def test_no_step_waits_for_its_device(
    system: str,
    settings: dict[str, Any],
    write_geis: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    geis = GeiSet.open(write_geis())
    assert_no_step_waits(*without_numbers(system, geis, settings, monkeypatch))


def test_nor_with_several_data_sets(
    write_geis: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    geis = GeiSet.open(write_geis())
    both = geis.beside([GeiSet.open(write_geis("other.h5", dataset="another"))])
    assert_no_step_waits(*without_numbers("stargan", both, {}, monkeypatch))


def test_a_step_that_waits_is_seen(
    write_geis: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = without_numbers("gaitgan", GeiSet.open(write_geis()), {}, monkeypatch)
    monkeypatch.setattr(model, "train_step", lambda batch: {"L": batch.source[[0, 1]].mean()})
    with pytest.raises(AssertionError):
        assert_no_step_waits(model, batch)
    monkeypatch.setattr(model, "train_step", lambda batch: {"L": batch.source.mean().item()})
    with pytest.raises(RuntimeError):
        assert_no_step_waits(model, batch)
