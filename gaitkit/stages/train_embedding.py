"""The stage `train-embedding`: GEIs, or silhouettes, become an embedder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitkit.arguments import as_path
from gaitkit.artifacts import open_artifact
from gaitkit.embedders.recipes import choose_embedder
from gaitkit.embedders.registry import EMBEDDER, EMBEDDERS, describe_embedder
from gaitkit.errors import OptionError, WrongKindError
from gaitkit.stages.train import TrainingPlan, carry_out, planned
from gaitkit.training.recipes import Recipe

if TYPE_CHECKING:
    from gaitkit.protocols import Protocol
    from gaitkit.training.callbacks import Callbacks

__all__ = ["plan_embedding", "train_embedding"]


def plan_embedding(
    source: Path | str,
    output: Path | str,
    *,
    protocol: Protocol | Path | str | None = None,
    system: str | None = None,
    recipe: Recipe | str | None = None,
    config: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    also: Sequence[Path | str] = (),
    refit: bool = False,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    resume: bool = False,
    restart: bool = False,
    overwrite: bool = False,
) -> TrainingPlan:
    """Which embedder to train, from what a user asks for.

    Parameters
    ----------
    source, output : path-like
        GEIs (measured or translated) or silhouettes, and the embedder's artefact.
    protocol : Protocol, str or None
        A protocol, or the name or file of one, whose training people are learned from; `None`
        chooses `default_protocol`.
    system : str or None
        A name of `gaitkit.embedders.registry`; `None` leaves it to the recipe.
    recipe : Recipe, str or None
        A recipe, or a name of `gaitkit.embedders.recipes`.
    config, training : mapping
        Fields of the embedder's config and of its options; they go before the recipe's.
    also, refit, device, precision, threads, resume, restart, overwrite
        See `gaitkit.stages.train.TrainingPlan`. Of a training that is resumed, whatever is not
        given is as it was.

    Raises
    ------
    OptionError
        The embedder, the recipe or an option does not exist, or they exclude each other.
    WrongKindError
        The embedder reads another kind of artefact.
    ProtocolError
        The protocol has nobody to train on.
    """
    source = as_path(source, "source")
    with open_artifact(source, tuple(_KINDS)) as artifact:
        kind = artifact.kind

    def reads(embedder: str) -> str:
        refuse_other_input(source, kind, embedder)
        asked = (training or {}).get("frames") is not None
        if asked and not describe_embedder(embedder).draws_frames:
            drawing = [name for name in EMBEDDERS if describe_embedder(name).draws_frames]
            raise OptionError(
                f"The embedder {embedder!r} reads GEIs, each of which is one image."
                if kind == "gei"
                else f"The embedder {embedder!r} learns from all frames of a sequence.",
                hint=f"Leave out `frames`; {' and '.join(drawing)} draw some, of silhouettes.",
            )
        return kind

    return planned(
        EMBEDDER,
        source,
        as_path(output, "output"),
        choose_embedder(system, recipe, kind),
        system=system,
        reads=reads,
        protocol=protocol,
        config=config,
        training=training,
        also=tuple(map(Path, also)),
        refit=refit,
        device=device,
        precision=precision,
        threads=threads,
        resume=resume,
        restart=restart,
        overwrite=overwrite,
    )


def refuse_other_input(source: Path, kind: str, embedder: str) -> None:
    """Raise `WrongKindError` where an embedder does not read such an artefact."""
    reads = describe_embedder(embedder).reads
    if kind == reads:
        return
    able = [name for name in EMBEDDERS if describe_embedder(name).reads == kind]
    make = {"gei": "gaitkit make-gei", "silhouettes": "gaitkit normalize"}[reads]
    raise WrongKindError(
        f"The embedder {embedder!r} reads {_KINDS[reads]}; {source} holds {_KINDS[kind]}.",
        hint=f"Give it what {make} has written, or choose an embedder that reads "
        f"{_KINDS[kind]}: {', '.join(able)}.",
    )


_KINDS = {"gei": "gait energy images", "silhouettes": "silhouettes"}


def train_embedding(
    source: Path | str,
    output: Path | str,
    *,
    protocol: Protocol | Path | str | None = None,
    system: str | None = None,
    recipe: Recipe | str | None = None,
    config: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    also: Sequence[Path | str] = (),
    refit: bool = False,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    callbacks: Callbacks | None = None,
    resume: bool = False,
    restart: bool = False,
    overwrite: bool = False,
) -> str:
    """Train an embedder; continue where an earlier run of the same training stopped.

    Under a launcher such as torchrun all processes train it together, see
    `gaitkit.training.distributed`; each compares its own part of a batch's people.

    Parameters
    ----------
    source, output, protocol, system, recipe, config, training, also, refit
        See `plan_embedding`.
    device, precision, threads, resume, restart, overwrite
        Likewise.
    callbacks : Callbacks, optional
        Progress, and the request to stop; its `on_checkpoint` is set here.

    Returns
    -------
    str
        The content digest.

    Raises
    ------
    GaitkitError
        As `plan_embedding` and `gaitkit.stages.train.train` raise them.
    """
    plan = plan_embedding(
        source,
        output,
        protocol=protocol,
        system=system,
        recipe=recipe,
        config=config,
        training=training,
        also=also,
        refit=refit,
        device=device,
        precision=precision,
        threads=threads,
        resume=resume,
        restart=restart,
        overwrite=overwrite,
    )
    return carry_out(plan, callbacks)
