"""Labels of view and condition, for systems that are told what to show.

A *domain* is a view and a condition. Networks see it as two one-hot groups, one behind the other:
a person walks at one view in one condition. Which views and conditions there are comes from the
training's GEIs and stays with the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from gaitkit.errors import OptionError
from gaitkit.labels import format_view
from gaitkit.printable import counted
from gaitkit.training.geis import GeiSet
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig, listing, setting, word
from gaitkit.translators.networks.losses import precise
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.sampling import Batch

__all__ = [
    "LabelledConfig",
    "aim_labels",
    "asked_labels",
    "check_aim",
    "group_cross_entropy",
    "one_hot",
    "target_labels",
]

MAX_DATA_SETS = 16


@dataclass(frozen=True)
class LabelledConfig(TranslatorConfig):
    """Settings of a system that is told a view and a condition; the data decide all of them."""

    views: tuple[float, ...] = listing(
        tuple(float(view) for view in range(0, 181, 18)), 360, 0, 360, "views, degrees ascending"
    )
    conditions: tuple[str, ...] = listing(
        ("bg", "cl", "nm"), 64, 1, 64, "conditions, in alphabetical order"
    )
    target_view: float = setting(90.0, 0, 360, "view of the targets, degrees", by_data=True)
    target_condition: str = word("nm", 64, "condition of the targets")
    datasets: int = setting(1, 1, MAX_DATA_SETS, "data sets learned from", by_data=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if list(self.views) != sorted(self.views):
            raise OptionError("views must be in ascending order")
        if self.target_view not in self.views or self.target_condition not in self.conditions:
            raise OptionError(
                f"The targets' view {format_view(self.target_view)}° and condition "
                f"{self.target_condition!r} must be among those of the data, which are "
                f"{', '.join(map(format_view, self.views))} and {', '.join(self.conditions)}.",
                hint="Choose others with `target_view` and `target_condition`.",
            )

    @property
    def labels(self) -> int:
        """Length of the label vector: views and conditions."""
        return len(self.views) + len(self.conditions)

    @classmethod
    def of_data(cls, geis: GeiSet, options: TranslatorOptions) -> dict[str, Any]:
        """Size, views, conditions and target of a training.

        Raises
        ------
        OptionError
            No view is known.
        """
        views = tuple(geis.labels.views())
        if not views:
            raise OptionError(
                "This system is told which view to show, but none of the "
                f"{counted(len(geis.labels), 'GEI')} to learn from has a known view.",
                hint="Name the views when the frames are read; gaitkit models says what a system "
                "needs.",
            )
        return super().of_data(geis, options) | {
            "views": views,
            "conditions": tuple(geis.labels.conditions()),
            "target_view": float(options.target_view),
            "target_condition": options.target_condition,
            "datasets": len(geis.datasets),
        }

    def check_data(self, geis: GeiSet, options: TranslatorOptions) -> None:
        """Also refuse other views and conditions: labels are places in the config's lists.

        Raises
        ------
        OptionError
            The data would decide otherwise.
        """
        super().check_data(geis, options)
        for name, needed in LabelledConfig.of_data(geis, options).items():
            if vars(self)[name] != needed:
                raise OptionError(
                    f"The networks were built for {name} {vars(self)[name]}, the data have "
                    f"{needed}.",
                    hint="Let the data decide: config_class.of_data(geis, options) gives the "
                    "settings.",
                )


def target_labels(config: LabelledConfig) -> tuple[int, int]:
    """Indices of the target's view and condition."""
    return (
        config.views.index(config.target_view),
        config.conditions.index(config.target_condition),
    )


def check_aim(config: LabelledConfig, aim: Aim) -> None:
    """Raise `OptionError` for a view or condition that the model never saw."""
    if aim.view is not None and aim.view not in config.views:
        known = ", ".join(format_view(view) for view in config.views)
        raise OptionError(
            f"The model has never seen the view {format_view(aim.view)}°.",
            hint=f"It knows the views {known}.",
        )
    if aim.condition is not None and aim.condition not in config.conditions:
        raise OptionError(
            f"The model has never seen the condition {aim.condition!r}.",
            hint=f"It knows the conditions {', '.join(config.conditions)}.",
        )


def aim_labels(
    aim: Aim | None, config: LabelledConfig, count: int, device: torch.device | str
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a translation is asked for, as labels for a batch.

    Parameters
    ----------
    aim : Aim or None
        What is asked for; what it leaves open is the target's.
    config : LabelledConfig
        The model's vocabulary.
    count : int
        Images in the batch.
    device : device
        Where the labels are to lie.

    Returns
    -------
    view, condition : Tensor of int64, shape (count,)

    Raises
    ------
    OptionError
        The model never saw that view or condition.
    """
    aim = aim or Aim()
    check_aim(config, aim)
    view, condition = target_labels(config)
    if aim.view is not None:
        view = config.views.index(aim.view)
    if aim.condition is not None:
        condition = config.conditions.index(aim.condition)
    return (
        torch.full((count,), view, dtype=torch.int64, device=device),
        torch.full((count,), condition, dtype=torch.int64, device=device),
    )


def one_hot(
    view: torch.Tensor,
    condition: torch.Tensor,
    config: LabelledConfig,
    *,
    on: float = 1.0,
    off: float = 0.0,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Labels as vectors: the views' group, then the conditions'.

    Parameters
    ----------
    view, condition : Tensor of int64, shape (n,)
        Indices into the config's views and conditions; -1 is unknown, its group is all `off`.
    config : LabelledConfig
        The vocabulary.
    on, off : float
        Value of the label that holds, and of the others.
    dtype : torch.dtype
        Of the result.

    Returns
    -------
    Tensor, shape (n, views + conditions)

    Examples
    --------
    >>> config = LabelledConfig(views=(0.0, 90.0), conditions=("bg", "nm"))
    >>> one_hot(torch.tensor([1, -1]), torch.tensor([0, 1]), config)
    tensor([[0., 1., 1., 0.],
            [0., 0., 0., 1.]])
    """
    groups = [
        torch.arange(size, device=index.device) == index[:, None]
        for index, size in ((view, len(config.views)), (condition, len(config.conditions)))
    ]
    holds = torch.cat(groups, dim=1).to(dtype)
    return off + (on - off) * holds


def asked_labels(
    batch: Batch, config: LabelledConfig, forced: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What each source of a training batch is to be changed into.

    The first `forced` rows are asked for the target's domain: a permuted batch of CASIA-B would
    ask for it once in eighteen times, and it is the only one wanted in the end. The others are
    asked for the domains of the batch in random order, view and condition together, so that
    no pair of them is asked for that the data do not have.

    Parameters
    ----------
    batch : Batch
        The sources.
    config : LabelledConfig
        The vocabulary.
    forced : int
        Rows that are asked for the target; a batch's rows are in random order.

    Returns
    -------
    view, condition : Tensor of int64, shape (n,)
        No label is unknown: instead of an unknown view, the target's is asked for.
    """
    count, device = len(batch.rows), batch.rows.device
    # A sort of random numbers can be recorded; torch.randperm cannot. Rows of one data set only
    # exchange among themselves: what another one shows, its own discriminator never saw.
    order = torch.rand(count, device=device, dtype=torch.float64).argsort()
    by_set = batch.dataset[order].argsort(stable=True)
    places = torch.arange(count, device=device)[batch.dataset.argsort(stable=True)]
    giver = torch.empty_like(order)
    giver[places] = order[by_set]
    target_view, target_condition = target_labels(config)
    is_forced = torch.arange(count, device=device) < forced
    view = batch.view[giver]
    view = torch.where(is_forced | (view < 0), target_view, view)
    condition = torch.where(is_forced, target_condition, batch.condition[giver])
    return view, condition


def group_cross_entropy(
    logits: torch.Tensor, view: torch.Tensor, condition: torch.Tensor, config: LabelledConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    """Softmax cross-entropy of each group of labels, averaged over the rows whose label is known.

    Parameters
    ----------
    logits : Tensor, shape (n, views + conditions)
        Any floating type; computed in float32 at least.
    view, condition : Tensor of int64, shape (n,)
        The true labels; -1 is unknown.
    config : LabelledConfig
        The vocabulary.

    Returns
    -------
    view, condition : Tensor, shape ()
        0 where no row's label is known.
    """
    scores = precise(logits)
    views = len(config.views)
    return (
        _mean_cross_entropy(scores[:, :views], view),
        _mean_cross_entropy(scores[:, views:], condition),
    )


def _mean_cross_entropy(scores: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    total = functional.cross_entropy(scores, label, ignore_index=-1, reduction="sum")
    return total / (label >= 0).sum().clamp_min(1)
