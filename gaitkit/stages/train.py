"""The stage `train-gan`: GEIs become a translator, in one training or two, stopped at any time."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gaitkit.artifacts import free_to_write, open_artifact
from gaitkit.errors import OptionError, OutputError, StoppedError, TrainingError
from gaitkit.training.callbacks import Callbacks
from gaitkit.training.continuing import (
    CHECKPOINT,
    REFIT_CHECKPOINT,
    continue_from,
    last_checkpoint_stays,
    open_training,
    resumable,
)
from gaitkit.training.distributed import World, joined
from gaitkit.training.geis import GeiSet
from gaitkit.training.health import device_failures_told
from gaitkit.training.loop import Training
from gaitkit.training.options import TrainingOptions
from gaitkit.training.store import save_training
from gaitkit.translators.base import Translator
from gaitkit.translators.config import TranslatorConfig
from gaitkit.translators.registry import translator_class

__all__ = ["train"]

_log = logging.getLogger(__name__)


def train(
    geis: Path,
    output: Path,
    *,
    subjects: Sequence[str],
    system: str = "gaitgan",
    config: Mapping[str, Any] | None = None,
    options: TrainingOptions | None = None,
    also: Sequence[Path] = (),
    refit: bool = False,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    callbacks: Callbacks | None = None,
    resume: bool = False,
    restart: bool = False,
    overwrite: bool = False,
) -> str:
    """Train a translator; continue where an earlier run of the same training stopped.

    Under a launcher such as torchrun all processes train it together, see
    `gaitkit.training.distributed`; only the first one writes files and calls back.

    Parameters
    ----------
    geis : Path
        Measured GEIs.
    output : Path
        The translator artefact. Checkpoints are kept in ``name.h5.parts/`` until it is whole.
    subjects : sequence of str
        The training people, those to be held out for validation among them; nobody else is seen.
    system : str
        A name of `gaitkit.translators.registry`.
    config : mapping, optional
        Settings of the networks and optimisers; the image size comes from the GEIs.
    options : TrainingOptions, optional
        How long and on what to train; by default as the system's paper does.
    also : sequence of Path
        Measured GEIs of other data sets, of which everybody is learned from as well.
    refit : bool
        After a validated training, train again from the start on all training people, for the
        number of iterations that scored highest. The result is that of the second training.
    device, precision, threads
        See `gaitkit.training.runtime.Runtime`. With precision "auto" and without `threads`, a
        continued training takes those that it was begun with.
    callbacks : Callbacks, optional
        Progress, samples, and the request to stop; its `on_checkpoint` is set here.
    resume : bool
        Train a finished `output` on to more iterations; it is replaced when the new one is whole.
    restart, overwrite : bool
        Discard checkpoints; replace a finished output.

    Returns
    -------
    str
        The content digest.

    Raises
    ------
    StoppedError
        A stop was requested; the checkpoint is written.
    OptionError
        An option that changes the computation differs from the checkpoint's, or options exclude
        each other.
    TrainingError
        Nobody can be trained on, or the training goes wrong.
    DeviceError
        The device fails; the last checkpoint stays.
    ArtifactError, OutputError
        The input, the checkpoint or the output cannot be used; the last checkpoint stays.
    """
    with joined(device) as world:
        return _train(
            world,
            geis,
            output,
            subjects=subjects,
            system=system,
            config=config or {},
            options=options or TrainingOptions(**translator_class(system).default_training),
            also=also,
            refit=refit,
            how={"device": device, "precision": precision, "threads": threads},
            callbacks=callbacks or Callbacks(),
            resume=resume,
            restart=restart,
            overwrite=overwrite or resume,
        )


def _train(
    world: World,
    geis: Path,
    output: Path,
    *,
    subjects: Sequence[str],
    system: str,
    config: Mapping[str, Any],
    options: TrainingOptions,
    also: Sequence[Path],
    refit: bool,
    how: Mapping[str, Any],
    callbacks: Callbacks,
    resume: bool,
    restart: bool,
    overwrite: bool,
) -> str:
    free_to_write(output, overwrite=overwrite)
    if refit and not options.validation_subjects:
        raise OptionError(
            "A refit needs a validated training, which says for how many iterations.",
            hint="Add --validation-subjects N: so many of the training people are held out first.",
        )
    learned = GeiSet.open(geis).of_subjects(subjects)
    if not len(learned):
        raise TrainingError(f"None of the training people is in {geis}.")
    chosen = translator_class(system)
    if also and "data sets" not in chosen.offers:
        raise OptionError(
            f"The system {system!r} learns from one data set at a time.",
            hint="gaitkit models says which systems learn from several.",
        )
    learned = learned.beside([GeiSet.open(path) for path in also])
    decided = chosen.config_class.of_data(learned, options)
    settings = chosen.config_class.from_parameters({**config, **decided})
    folder = output.with_name(output.name + ".parts")
    if restart and world.is_main:
        shutil.rmtree(folder, ignore_errors=True)
    world.wait()
    plan = _Plan(
        chosen,
        settings,
        learned,
        options,
        checkpoint=folder / CHECKPOINT,
        world=world,
        **how,
    )
    if resume:
        plan = replace(plan, begun=resumable(output, options.iterations, refit=refit))
    if refit:
        plan = _refit(plan, callbacks)
    training = plan.run(callbacks)
    if world.is_main:
        with last_checkpoint_stays(plan.checkpoint):
            save_training(
                training,
                output,
                kind="translator",
                parameters=plan.parameters,
                overwrite=overwrite,
            )
        shutil.rmtree(folder, ignore_errors=True)
    world.wait()
    with open_artifact(output, "translator") as artifact:
        return artifact.content_sha256


@dataclass(frozen=True)
class _Plan:
    """One training: all that makes it, and where it stands.

    Attributes
    ----------
    checkpoint : Path
        Written while it runs; where it exists, the training goes on from it.
    world : World
        The processes that do it together.
    begun : Path or None
        Where there is no checkpoint, a finished model to go on from.
    length : int or None
        Iterations of the training whose course it follows, where it ends before that one.
    parameters : dict
        What its files record beside `parameters_of`.
    """

    system: type[Translator[Any]]
    settings: TranslatorConfig
    geis: GeiSet
    options: TrainingOptions
    checkpoint: Path
    device: str
    precision: str
    threads: int | None
    world: World
    begun: Path | None = None
    length: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    def run(self, callbacks: Callbacks) -> Training:
        """Begin or continue, and train to the end."""
        training = self._begin()
        try:
            self.checkpoint.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.checkpoint.parent} cannot be made: {error.strerror}."
            ) from error

        with last_checkpoint_stays(self.checkpoint):
            if training.run(self._calls(callbacks)):
                return training
        raise StoppedError(
            f"Stopped after {training.step:,} of {self.options.iterations:,} iterations"
            f"{' of the refit' if 'refit' in self.parameters else ''}; the checkpoint is "
            f"{self.checkpoint}.",
            hint="Give the same command again to continue.",
        )

    def _calls(self, callbacks: Callbacks) -> Callbacks:
        if self.world.is_main:
            return replace(callbacks, on_checkpoint=self.save)
        return Callbacks(stop_requested=callbacks.stop_requested)

    def save(self, training: Training) -> None:
        """Write the checkpoint, in the first process."""
        if not self.world.is_main:
            return
        save_training(
            training,
            self.checkpoint,
            kind="checkpoint",
            parameters=self.parameters,
            overwrite=True,
        )

    def _begin(self) -> Training:
        source = self.checkpoint if self.checkpoint.exists() else self.begun
        how = self._runtime_of(source)
        with device_failures_told(lambda: 0):
            translator = self.system(self.settings, seed=self.options.seed, **how)
            translator.join(self.world)
            training = Training(translator, self.geis, self.options, length=self.length)
            if source is not None:
                continue_from(training, source, self.parameters)
        return training

    def _runtime_of(self, source: Path | None) -> dict[str, Any]:
        """Device, precision, threads and mode: as asked for, else as the training was begun."""
        asked: dict[str, Any] = {
            "device": self.device,
            "precision": self.precision,
            "threads": self.threads,
        }
        if source is None:
            return asked
        with open_training(source) as artifact:
            before = artifact.parameters.get("runtime")
        if not isinstance(before, Mapping):
            return asked
        for name, kind in (("device", str), ("precision", str), ("threads", int)):
            if asked[name] in ("auto", None) and isinstance(before.get(name), kind):
                asked[name] = before[name]
        # Steps that were recorded, or could not be, are so again; another device is refused later.
        if asked["device"] == before.get("device") and isinstance(before.get("mode"), str):
            asked["mode"] = before["mode"]
        return asked


def _refit(plan: _Plan, callbacks: Callbacks) -> _Plan:
    """Do the validated training; the plan of the one on everybody that follows."""
    training = plan.run(callbacks)
    # Kept until the second training is done: it says for how long that one goes on.
    with last_checkpoint_stays(plan.checkpoint):
        plan.save(training)
    best = training.best
    if best is None:
        raise TrainingError("The validated training has no score.")
    _log.info(
        "refit: all %d training people, %d iterations (%.1f %% on those held out)",
        len(plan.geis.labels.subjects()),
        best.step,
        best.score,
    )
    record = {
        "held_out": list(training.held_out),
        "iterations": plan.options.iterations,
        "validate_every": plan.options.validate_every,
        "best_step": best.step,
        "best_score": best.score,
    }
    runtime = training.translator.runtime
    return replace(
        plan,
        precision=runtime.precision,
        threads=runtime.threads,
        options=replace(plan.options, iterations=best.step, validation_subjects=0),
        # Step sizes that fall, and whatever else goes by parts of a training, as they were then.
        length=plan.options.iterations,
        checkpoint=plan.checkpoint.with_name(REFIT_CHECKPOINT),
        parameters={"refit": record},
    )
