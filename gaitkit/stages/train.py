"""The stage `train-gan`, and how models of any kind are trained: at once or with stops, or twice.

A `TrainingPlan` says what is trained, on what and how. It is made once, by `plan_training` from
what a user asks for or by `train` from what a program does, and carried out by `carry_out`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitkit._version import __version__
from gaitkit.arguments import as_path
from gaitkit.artifacts import InputRef, PartsFolder, open_artifact
from gaitkit.artifacts.schema import as_json
from gaitkit.errors import ArtifactError, OptionError, ProtocolError, StoppedError, TrainingError
from gaitkit.outputs import Output, behind_links
from gaitkit.printable import counted
from gaitkit.protocols import Protocol, default_protocol, get_protocol, split_subjects
from gaitkit.protocols.splitting import advised
from gaitkit.training.record import Refit, TrainingRecord
from gaitkit.training.registry import ModelKind
from gaitkit.translators.recipes import Recipe, choose_recipe
from gaitkit.translators.registry import TRANSLATOR

if TYPE_CHECKING:
    from gaitkit.training.callbacks import Callbacks
    from gaitkit.training.config import Config
    from gaitkit.training.data import TrainingData
    from gaitkit.training.distributed import World
    from gaitkit.training.loop import Training
    from gaitkit.training.model import Model
    from gaitkit.training.options import TrainingOptions

__all__ = [
    "TrainingPlan",
    "carry_out",
    "plan_training",
    "planned",
    "summary_of",
    "train",
    "training_people",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingPlan:
    """What is trained, on what and how.

    Attributes
    ----------
    geis, output : Path
        What is learned from, usually GEIs, and the model's artefact. Checkpoints are kept in
        ``name.h5.parts/`` until it is whole.
    subjects : tuple of str
        The training people, those to be held out for validation among them; nobody else is seen.
    system : str
        Name of the model's class in the registry of its kind.
    config : mapping
        Settings of the networks and optimisers; the GEIs decide the rest, such as their size.
    options : mapping or TrainingOptions
        How long and on what to train. Of a mapping, what is not in it is the system's default.
    protocol : str or None
        What named the training people, where something did.
    also : tuple of Path
        Measured GEIs of other data sets, of which everybody is learned from as well.
    refit : bool
        After a validated training, train again from the start on all training people, for the
        number of iterations that scored highest. The result is that of the second training.
    device, precision, threads
        See `gaitkit.training.runtime.Runtime`. With precision "auto" and without `threads`, a
        continued training takes those that it was begun with.
    resume : bool
        Train a finished `output` on to more iterations; it is replaced when the new one is whole.
    restart, overwrite : bool
        Discard checkpoints; replace a finished output.
    kind : ModelKind
        The kind of model.
    """

    geis: Path
    output: Path
    subjects: tuple[str, ...]
    system: str = "gaitgan"
    config: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] | TrainingOptions = field(default_factory=dict)
    protocol: str | None = None
    also: tuple[Path, ...] = ()
    refit: bool = False
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    resume: bool = False
    restart: bool = False
    overwrite: bool = False
    kind: ModelKind = TRANSLATOR

    @property
    def model_class(self) -> type[Model[Any]]:
        """The class that is trained."""
        return self.kind.class_of(self.system)

    @property
    def chosen_options(self) -> TrainingOptions:
        """The options, of the class that the model has for them."""
        model = self.model_class
        if isinstance(self.options, Mapping):
            return model.options_class.from_parameters({**model.default_training, **self.options})
        return model.options_class.taking(self.options)

    @property
    def parts(self) -> PartsFolder:
        """The folder of checkpoints."""
        return PartsFolder.for_output(behind_links(self.output))

    def claim(self) -> Output:
        """The claim on the output, not yet made good."""
        return Output(
            self.output,
            overwrite=self.overwrite or self.resume,
            inputs=[self.geis, *self.also],
        )


def train(
    geis: Path | str,
    output: Path | str,
    *,
    subjects: Sequence[str],
    system: str = "gaitgan",
    config: Mapping[str, Any] | None = None,
    options: TrainingOptions | None = None,
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
    """Train a translator; continue where an earlier run of the same training stopped.

    Under a launcher such as torchrun all processes train it together, see
    `gaitkit.training.distributed`; only the first one writes files and calls back.

    Parameters
    ----------
    geis, output, subjects, system, config, also, refit
        See `TrainingPlan`.
    device, precision, threads, resume, restart, overwrite
        Likewise.
    options : TrainingOptions, optional
        How long and on what to train; by default as the system's paper does.
    callbacks : Callbacks, optional
        Progress, samples, and the request to stop; its `on_checkpoint` is set here.

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
    plan = TrainingPlan(
        as_path(geis, "geis"),
        as_path(output, "output"),
        tuple(subjects),
        system,
        config or {},
        options or {},
        also=tuple(map(Path, also)),
        refit=refit,
        device=device,
        precision=precision,
        threads=threads,
        resume=resume,
        restart=restart,
        overwrite=overwrite,
    )
    return carry_out(plan, callbacks)


def plan_training(
    geis: Path | str,
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
    """What to train, from what a user asks for.

    Parameters
    ----------
    geis, output : path-like
        Measured GEIs, and the translator artefact.
    protocol : Protocol, str or None
        A protocol, or the name or file of one, whose training people are learned from; `None`
        chooses `default_protocol`.
    system : str or None
        A name of `gaitkit.translators.registry`; `None` leaves it to the recipe.
    recipe : Recipe, str or None
        A recipe, or a name of `gaitkit.translators.recipes`.
    config, training : mapping
        Fields of the system's config and of `TranslatorOptions`; they go before the recipe's.
    also, refit, device, precision, threads, resume, restart, overwrite
        See `TrainingPlan`. Of a training that is resumed, whatever is not given is as it was.

    Raises
    ------
    OptionError
        The system, the recipe or an option does not exist, or they exclude each other.
    ProtocolError
        The protocol has nobody to train on.
    """
    return planned(
        TRANSLATOR,
        as_path(geis, "geis"),
        as_path(output, "output"),
        choose_recipe(system, recipe),
        system=system,
        reads=lambda name: "gei",
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


def planned(
    kind: ModelKind,
    source: Path,
    output: Path,
    recipe: Recipe,
    *,
    system: str | None,
    reads: Callable[[str], str],
    protocol: Protocol | Path | str | None,
    config: Mapping[str, Any] | None,
    training: Mapping[str, Any] | None,
    resume: bool,
    **how: Any,
) -> TrainingPlan:
    """The plan of a training of any kind: by a recipe, or as a finished one was.

    Parameters
    ----------
    kind : ModelKind
        Of the model.
    source, output : Path
        What is learned from, and the model's artefact.
    recipe : Recipe
        What goes where nothing else is given.
    system : str or None
        What was asked for by name.
    reads : callable
        Gives the kind of artefact that a model of some name learns from; it may refuse it.
    protocol, config, training, resume
        As `plan_training` takes them.
    **how
        The other fields of `TrainingPlan`.

    Raises
    ------
    OptionError
        A finished model that is to be trained on is of another system.
    ProtocolError
        The protocol has nobody to train on.
    """
    name, settings, options = recipe.system, recipe.config, recipe.training
    subjects: tuple[str, ...] = ()
    if resume and output.exists():
        from gaitkit.training.store import recorded_model

        before = recorded_model(output, kind)
        if system not in (None, before.name):
            raise OptionError(
                f"{output} is a model of the system {before.name!r}, not {system!r}.",
                hint="Train it on without `system`, or write to another output.",
            )
        name, subjects = before.name, tuple(before.subjects or ())
        settings, options = before.config or {}, before.options or {}
    needed, told = reads(name), None
    if protocol is not None or not subjects:
        told, subjects = training_people(source, needed, protocol)
    return TrainingPlan(
        source,
        output,
        subjects,
        name,
        {**settings, **(config or {})},
        {**options, **(training or {})},
        protocol=told,
        resume=resume,
        kind=kind,
        **how,
    )


def training_people(
    source: Path, kind: str, protocol: Protocol | Path | str | None
) -> tuple[str, tuple[str, ...]]:
    """Name of a protocol, and whom it lets models see.

    Parameters
    ----------
    source : Path
        What is learned from.
    kind : str
        Its kind of artefact.
    protocol : Protocol, str or None
        A protocol, or the name or file of one; `None` chooses `default_protocol`.

    Raises
    ------
    ProtocolError
        It has nobody to train on.
    """
    with open_artifact(source, kind) as artifact:
        labels = artifact.labels
    chosen = default_protocol(labels, trains=True) if protocol is None else get_protocol(protocol)
    subjects = split_subjects(chosen, labels)
    if not subjects.train:
        raise ProtocolError(
            f"Protocol {chosen.name} has nobody to train on in {source}.",
            hint=advised(labels, "Add people: one at least trains.", trains=True),
        )
    if not subjects.test:
        _log.warning(
            "By protocol %s %s of %s: nobody is left whom the model has not seen, to be tested "
            "with. %s",
            chosen.name,
            counted(len(subjects.train), "person trains", "people train"),
            source,
            advised(labels, "Other people are needed for that."),
        )
    return chosen.name, subjects.train


def carry_out(plan: TrainingPlan, callbacks: Callbacks | None = None) -> str:
    """Train as planned; see `train` for what is called back, returned and raised."""
    from gaitkit.training.callbacks import Callbacks
    from gaitkit.training.distributed import joined

    with joined(plan.device) as world:
        claim = plan.claim()
        with claim if world.is_main else nullcontext():
            course = _Course.of(plan, world, claim)
            digest = course.finished_before()
            if digest is not None:
                return digest
            calls = callbacks or Callbacks()
            if plan.refit:
                course = _refitted(course, calls)
            return course.finish(calls)


def summary_of(plan: TrainingPlan, digest: str) -> dict[str, Any]:
    """How a training that was carried out went.

    Parameters
    ----------
    plan : TrainingPlan
        The plan.
    digest : str
        What `carry_out` gave.

    Returns
    -------
    dict
        JSON-able: protocol, training people and content digest, and what
        `gaitkit.training.store.training_summary` says.
    """
    from gaitkit.training.store import training_summary

    told = {
        "protocol": plan.protocol,
        "subjects": list(plan.subjects),
        "content_sha256": digest,
    }
    return told | training_summary(plan.output, plan.kind)


@dataclass(frozen=True)
class _Course:
    """One of the trainings of a plan, and where it stands.

    Attributes
    ----------
    plan : TrainingPlan
        What is trained, on what and how.
    options : TrainingOptions
        How long this training goes on.
    data : TrainingData
        The training people's.
    config : Config
        The settings, those by the data among them.
    world : World
        The processes that do it together.
    claim : Output
        The claim on the output, which the first process holds.
    checkpoint : Path
        Written while it runs; where it exists, the training goes on from it.
    begun : Path or None
        Where there is no checkpoint, a finished model to go on from.
    length : int or None
        Iterations of the training whose course it follows, where it ends before that one.
    refit : Refit or None
        What decided it, where it is the second training of its plan.
    """

    plan: TrainingPlan
    options: TrainingOptions
    data: TrainingData
    config: Config
    world: World
    claim: Output
    checkpoint: Path
    begun: Path | None = None
    length: int | None = None
    refit: Refit | None = None

    @classmethod
    def of(cls, plan: TrainingPlan, world: World, claim: Output) -> _Course:
        """The first training of a plan, its input read and checked."""
        from gaitkit.training.store import CHECKPOINT

        if claim.taken:
            _refuse_other_kinds(claim, plan.kind)
        plan.parts.refuse_foreign()
        options = plan.chosen_options
        if plan.refit and not options.validation_subjects:
            raise OptionError(
                "A refit needs a validated training, which says for how many iterations.",
                hint="Give `validation_subjects`: so many of the training people are held out "
                "first.",
            )
        data = _training_data(plan)
        decided = plan.model_class.config_class.of_data(data, options)
        config = plan.model_class.config_class.from_parameters({**plan.config, **decided})
        return cls(
            plan,
            options,
            data,
            config,
            world,
            claim,
            checkpoint=plan.parts.folder / CHECKPOINT,
            begun=claim.path if plan.resume else None,
        )

    def finished_before(self) -> str | None:
        """The content digest of an output that this training made before, `None` where it did not.

        Raises
        ------
        OutputExistsError
            There is another file, which may not be replaced.
        OptionError
            A finished training is to be resumed that cannot be.
        """
        from gaitkit.training.store import refuse_resuming

        # A training that was resumed is known to be done by what it left beside its output.
        left = self.plan.resume and self.claim.exists and self.checkpoint.exists()
        digest = self._made_before() if self.claim.taken or left else None
        if digest is None and self.claim.taken:
            raise self.claim.exists_already()
        self.world.wait()
        if digest is None and self.plan.resume:
            iterations = self.options.iterations
            refuse_resuming(self.claim.path, self.plan.kind, iterations, refit=self.plan.refit)
        if self.world.is_main and (digest is not None or self.plan.restart):
            self.plan.parts.discard()
        if digest is not None:
            _log.info(
                "%s is done already: trained on the same input by the same options",
                self.plan.output,
            )
        self.world.wait()
        return digest

    def _made_before(self) -> str | None:
        with open_artifact(self.claim.path, self.plan.kind.name, guarded=True) as artifact:
            record = TrainingRecord.from_parameters(artifact.parameters, self.plan.kind.name)
            inputs = [InputRef(self.data.kind, sha) for sha in self.data.digests() if sha]
            same = artifact.gaitkit_version == __version__ and list(artifact.inputs) == inputs
            return artifact.content_sha256 if same and self._asked_for(record) else None

    def _asked_for(self, record: TrainingRecord) -> bool:
        """Whether a finished training was of this plan."""
        plan, how = self.plan, record.runtime
        options = dict(record.options or {})
        if record.refit is not None:
            # The record is of the second training; this is what the first one was to do.
            options["iterations"] = record.refit.get("iterations")
            options["validation_subjects"] = len(record.refit.get("held_out", ()))
        return (
            record.name == plan.system
            and as_json(self.config.told_in_full(record.config or {}))
            == as_json(self.config.as_parameters())
            and options == as_json(self.options.as_parameters())
            and record.subjects == as_json(self.data.labels.subjects())
            and (record.refit is not None) == plan.refit
            and plan.device in ("auto", how.get("device"))
            and plan.precision in ("auto", how.get("precision"))
            and plan.threads in (None, how.get("threads"))
            and self.world.size == how.get("processes", 1)
        )

    def run(self, callbacks: Callbacks) -> Training:
        """Begin or continue, and train to the end."""
        from gaitkit.training.store import last_checkpoint_stays

        training = self._begin()
        if self.world.is_main:
            self.plan.parts.claim()
        with last_checkpoint_stays(self.checkpoint):
            if training.run(self._calls(callbacks)):
                return training
        raise StoppedError(
            f"Stopped after {training.step:,} of {counted(self.options.iterations, 'iteration')}"
            f"{'' if self.refit is None else ' of the refit'}; the checkpoint is "
            f"{self.checkpoint}.",
            hint="Give the same command again to continue.",
        )

    def finish(self, callbacks: Callbacks) -> str:
        """Train to the end, and write the model; its content digest."""
        from gaitkit.training.store import last_checkpoint_stays, save_training

        training = self.run(callbacks)
        if self.world.is_main:
            with last_checkpoint_stays(self.checkpoint):
                save_training(training, self.claim, finished=True, refit=self.refit)
            self.plan.parts.discard()
        self.world.wait()
        with open_artifact(self.claim.path, self.plan.kind.name) as artifact:
            return artifact.content_sha256

    def _calls(self, callbacks: Callbacks) -> Callbacks:
        from gaitkit.training.callbacks import Callbacks

        if self.world.is_main:
            return replace(callbacks, on_checkpoint=self.save)
        return Callbacks(stop_requested=callbacks.stop_requested)

    def save(self, training: Training) -> None:
        """Write the checkpoint, in the first process."""
        from gaitkit.training.store import save_training

        if self.world.is_main:
            save_training(
                training, self.checkpoint, finished=False, refit=self.refit, overwrite=True
            )

    def _begin(self) -> Training:
        from gaitkit.training.health import device_failures_told
        from gaitkit.training.loop import Training
        from gaitkit.training.store import continue_from

        source = self.checkpoint if self.checkpoint.exists() else self.begun
        how = self._runtime_of(source)
        with device_failures_told(lambda: 0):
            model = self.plan.model_class(self.config, seed=self.options.seed, **how)
            model.join(self.world)
            training = Training(model, self.data, self.options, length=self.length)
            if source is not None:
                continue_from(training, source, self.refit)
        return training

    def _runtime_of(self, source: Path | None) -> dict[str, Any]:
        """Device, precision, threads and mode: as asked for, else as the training was begun."""
        from gaitkit.training.store import open_training

        plan = self.plan
        asked: dict[str, Any] = {
            "device": plan.device,
            "precision": plan.precision,
            "threads": plan.threads,
        }
        if source is None:
            return asked
        with open_training(source, plan.kind) as artifact:
            before = TrainingRecord.from_parameters(artifact.parameters, plan.kind.name).runtime
        for name, kind in (("device", str), ("precision", str), ("threads", int)):
            if asked[name] in ("auto", None) and isinstance(before.get(name), kind):
                asked[name] = before[name]
        # Steps that were recorded, or could not be, are so again; another device is refused later.
        if asked["device"] == before.get("device") and isinstance(before.get("mode"), str):
            asked["mode"] = before["mode"]
        return asked


def _refuse_other_kinds(claim: Output, kind: ModelKind) -> None:
    """Raise `OutputExistsError` where what may not be replaced is no model of the kind."""
    try:
        open_artifact(claim.path, kind.name, guarded=True).close()
    except ArtifactError:
        raise claim.exists_already() from None


def _training_data(plan: TrainingPlan) -> TrainingData:
    """What shows the training people, and everybody in other data sets."""
    read = plan.model_class.open_data
    data = read(plan.geis).of_subjects(plan.subjects)
    if not len(data.labels):
        raise TrainingError(f"None of the training people is in {plan.geis}.")
    if plan.also and "data sets" not in plan.model_class.offers:
        raise OptionError(
            f"The system {plan.system!r} learns from one data set at a time.",
            hint="gaitkit models says which systems learn from several.",
        )
    return data.beside([read(path) for path in plan.also])


def _refitted(course: _Course, callbacks: Callbacks) -> _Course:
    """Do the validated training; the one on everybody that follows."""
    from gaitkit.training.store import REFIT_CHECKPOINT, last_checkpoint_stays

    training = course.run(callbacks)
    # Kept until the second training is done: it says for how long that one goes on.
    with last_checkpoint_stays(course.checkpoint):
        course.save(training)
    best = training.best
    if best is None:
        raise TrainingError("The validated training has no score.")
    _log.info(
        "refit: all %s, %s (%.1f %% on those held out)",
        counted(len(course.data.labels.subjects()), "training person"),
        counted(best.step, "iteration"),
        best.score,
    )
    options, runtime = course.options, training.model.runtime
    return replace(
        course,
        plan=replace(course.plan, precision=runtime.precision, threads=runtime.threads),
        options=replace(options, iterations=best.step, validation_subjects=0),
        # Step sizes that fall, and whatever else goes by parts of a training, as they were then.
        length=options.iterations,
        checkpoint=course.checkpoint.with_name(REFIT_CHECKPOINT),
        refit=Refit(
            list(training.held_out),
            options.iterations,
            options.validate_every,
            best.step,
            best.score,
        ),
    )
