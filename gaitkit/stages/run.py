"""The whole pipeline in one folder: what `gaitkit run` and `gaitkit demo` do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gaitkit.artifacts import open_artifact
from gaitkit.errors import OptionError
from gaitkit.protocols import PROTOCOLS, Protocol, default_protocol, get_protocol
from gaitkit.stages.workshop import Workshop, content_of
from gaitkit.translators.recipes import Recipe, choose_recipe

if TYPE_CHECKING:
    from gaitkit.identification.results import EvaluationResult
    from gaitkit.parallel import Progress
    from gaitkit.reporting.page.steps import WriteStep
    from gaitkit.training.callbacks import Callbacks

__all__ = ["REPORT", "PipelineOptions", "measured_geis", "measured_silhouettes", "run_pipeline"]

# Of the silhouettes, always noted with a step, whether they were said or not.
_TOLD = ("alignment", "height", "width", "drop_cut")


@dataclass(frozen=True)
class PipelineOptions:
    """What `run_pipeline` is to do.

    Attributes
    ----------
    protocol : Protocol, str or None
        `None` chooses by the subjects.
    silhouettes, gei : mapping
        Fields of `SilhouetteOptions` and `GeiOptions`.
    system : str or None
        A name of `gaitkit.translators.registry`.
    recipe : Recipe, str or None
        A recipe, or a name of `gaitkit.translators.recipes`.
    config, training : mapping
        Fields of the system's config and of `TranslatorOptions`; they go before the recipe's.
    refit : bool
        Train again on all training people for the number of iterations that validation chose.
    embedder : Recipe or None
        Of an embedder of GEIs or silhouettes that stands beside the translator; `None` trains none.
    device, precision : str
        Where and how precisely to train.
    threads : int or None
        Threads of the training on the CPU; the last bits of the weights depend on it.
    workers : int
        Processes of `make-gei`.
    layout : str or None
        How the input is laid out, a key of `gaitkit.datasets.layouts.LAYOUTS`; told by what is
        there unless it is given.
    """

    protocol: Protocol | str | None = None
    silhouettes: Mapping[str, Any] = field(default_factory=dict)
    gei: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    recipe: Recipe | str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    refit: bool = False
    embedder: Recipe | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    workers: int = 1
    layout: str | None = None


REPORT = "report.html"
"""The page at the end of a pipeline."""


def run_pipeline(
    source: Path | str,
    workshop: Workshop,
    options: PipelineOptions,
    *,
    callbacks: Callbacks | None = None,
    progress: Progress | None = None,
    begin: Callable[[str, str], None] | None = None,
    write_step: WriteStep | None = None,
) -> list[tuple[str, EvaluationResult]]:
    """Do every step from frames to results and their page, each only if missing or out of date.

    Parameters
    ----------
    source : str or Path
        Frames in any layout, ready-made GEIs, or an artefact of silhouettes or measured GEIs.
    workshop : Workshop
        The folder: ``gei.h5``, ``SYSTEM.h5``, ``translated.h5``, ``results-raw.h5``,
        ``results.h5``, sheets, and ``report.html``, which explains the results; with an embedder
        also ``EMBEDDER.h5``, ``embedded.h5`` and ``results-embedded.h5``.
    options : PipelineOptions
        What to do.
    callbacks : Callbacks, optional
        Of the training.
    progress : callable, optional
        Of the other steps.
    begin : callable, optional
        Told before each step what it does, and what its progress counts; nothing where it has none.
    write_step : callable, optional
        How the page writes down what made the results, as for
        `gaitkit.reporting.page.document.write_report`.

    Returns
    -------
    list of (str, EvaluationResult)
        ``raw`` and ``translated`` GEIs, each by pixels and by LDA.

    Raises
    ------
    OutputBusyError
        Another run is at work in the folder.
    StoppedError
        A stop was requested; the same call continues.
    """
    with workshop:
        workshop.stop_requested = None if callbacks is None else callbacks.stop_requested
        return _run(
            source, workshop, options, callbacks, progress, begin or _begin_nothing, write_step
        )


def _run(
    source: Path | str,
    workshop: Workshop,
    options: PipelineOptions,
    callbacks: Callbacks | None,
    progress: Progress | None,
    begin: Callable[[str, str], None],
    write_step: WriteStep | None,
) -> list[tuple[str, EvaluationResult]]:
    from gaitkit.identification.results import read_results
    from gaitkit.stages.evaluate import evaluate
    from gaitkit.stages.train import carry_out, plan_training
    from gaitkit.stages.translate import translate

    measured = Path(source)
    if options.embedder is not None and reads_silhouettes(options.embedder):
        measured = measured_silhouettes(
            source, workshop, options, options.embedder.system, progress, begin=begin
        )
    gei = measured_geis(measured, workshop, options, progress, begin=begin)
    with open_artifact(gei, "gei") as artifact:
        labels, geis = artifact.labels, artifact.content_sha256
    protocol = get_protocol(options.protocol or default_protocol(labels, trains=True))
    known = PROTOCOLS.get(protocol.name) == protocol
    told = protocol.name if known else protocol.as_parameters()
    plan: dict[str, Any] = {"protocol": told, "geis": geis}
    recipe = choose_recipe(options.system, options.recipe)
    begin("train-gan", "iterations")
    model = workshop.step(
        f"{recipe.system}.h5",
        {
            **plan,
            "recipe": recipe.as_parameters(),
            "config": options.config,
            "training": options.training,
            "refit": options.refit,
            "precision": options.precision,
        },
        lambda path, replace: carry_out(
            plan_training(
                gei,
                path,
                protocol=protocol,
                system=options.system,
                recipe=options.recipe,
                config=options.config,
                training=options.training,
                refit=options.refit,
                precision=options.precision,
                threads=options.threads,
                device=options.device,
                overwrite=replace,
            ),
            callbacks,
        ),
        say=f"Training {recipe.system}",
    )
    begin("translate", "GEIs")
    translated = workshop.step(
        "translated.h5",
        {"geis": geis, "model": content_of(model)},
        lambda path, replace: translate(
            gei, model, path, device=options.device, overwrite=replace, progress=progress
        ),
        say="Translating",
    )
    images = ("pixels", "lda")
    searches = [
        _Search("results-raw.h5", gei, "raw", "raw images", images),
        _Search(
            "results.h5", translated, "translated", f"translated by {recipe.system}", images, gei
        ),
    ]
    if options.embedder is not None:
        learned = measured if reads_silhouettes(options.embedder) else gei
        embedded = _embedded(
            learned, workshop, options, options.embedder, protocol, told, callbacks, progress, begin
        )
        searches.append(_Search("results-embedded.h5", embedded, "embedded", "embedded"))
    begin("evaluate", "")
    for one in searches:
        workshop.step(
            one.output,
            {"protocol": told, "geis": content_of(one.path)},
            lambda out, replace, one=one: evaluate(  # type: ignore[misc]
                one.path,
                protocol=protocol,
                features=one.features,
                truth=one.truth,
                output=out,
                overwrite=replace,
            ),
            say=f"Identifying by {one.path.name}",
        )
    _sheets(workshop, gei, translated)
    _report(
        workshop,
        {one.output: one.label for one in searches},
        [gei, translated],
        model,
        write_step,
    )
    return [
        (one.name, result) for one in searches for result in read_results(workshop.path(one.output))
    ]


class _Search(NamedTuple):
    """What is evaluated: the name of its results, its file, and what it is called in tables."""

    output: str
    path: Path
    name: str
    label: str
    features: tuple[str, ...] | None = None
    truth: Path | None = None


def reads_silhouettes(recipe: Recipe) -> bool:
    """Whether such an embedder learns from silhouettes, and not from GEIs."""
    from gaitkit.embedders.registry import describe_embedder

    return describe_embedder(recipe.system).reads == "silhouettes"


def _embedded(
    source: Path,
    workshop: Workshop,
    options: PipelineOptions,
    recipe: Recipe,
    protocol: Protocol,
    told: str | Mapping[str, Any],
    callbacks: Callbacks | None,
    progress: Progress | None,
    begin: Callable[[str, str], None],
) -> Path:
    """What an embedder makes of the measured GEIs, or of the silhouettes."""
    from gaitkit.stages.embed import embed
    from gaitkit.stages.train import carry_out
    from gaitkit.stages.train_embedding import plan_embedding

    images = content_of(source)
    begin("train-embedding", "iterations")
    model = workshop.step(
        f"{recipe.system}.h5",
        {
            "protocol": told,
            "geis": images,
            "recipe": recipe.as_parameters(),
            "precision": options.precision,
        },
        lambda path, replace: carry_out(
            plan_embedding(
                source,
                path,
                protocol=protocol,
                recipe=recipe,
                precision=options.precision,
                threads=options.threads,
                device=options.device,
                overwrite=replace,
            ),
            callbacks,
        ),
        say=f"Training {recipe.system}",
    )
    begin("embed", "sequences")
    return workshop.step(
        "embedded.h5",
        {"geis": images, "model": content_of(model)},
        lambda path, replace: embed(
            source, model, path, device=options.device, overwrite=replace, progress=progress
        ),
        say="Embedding",
    )


def measured_silhouettes(
    source: Path | str,
    workshop: Workshop,
    options: PipelineOptions,
    wanted_by: str,
    progress: Progress | None = None,
    *,
    begin: Callable[[str, str], None] | None = None,
) -> Path:
    """The silhouettes of an input: itself when it is some, else ``silhouettes.h5`` in the workshop.

    Parameters
    ----------
    source, workshop, options, progress, begin
        As for `run_pipeline`.
    wanted_by : str
        The embedder that reads them.

    Raises
    ------
    OptionError
        The input holds GEIs.
    """
    from gaitkit.silhouettes.options import SilhouetteOptions
    from gaitkit.stages.make_gei import open_input, unit_of
    from gaitkit.stages.normalize import normalize, silhouettes_of
    from gaitkit.stages.piecework import digest_of_frames

    given = open_input(source, layout=options.layout)
    kind: str = given.kind
    if given.source is None:
        with open_artifact(given.path, ("gei", "silhouettes")) as artifact:
            kind = artifact.kind
    if kind == "silhouettes":
        return given.path
    if given.source is None or kind != "frames":
        raise OptionError(
            f"The embedder {wanted_by!r} reads silhouettes; {given.path} holds GEIs.",
            hint="Give the frames that they were made of, or an embedder of GEIs: gei-parts.",
        )
    frames = given.source
    chosen: SilhouetteOptions = silhouettes_of(frames, **options.silhouettes)
    if begin is not None:
        begin("normalize", unit_of(given))
    return workshop.step(
        "silhouettes.h5",
        {
            "input": digest_of_frames(frames, workers=options.workers).sha256,
            "silhouettes": chosen.as_parameters(),
        },
        lambda path, replace: normalize(
            frames,
            path,
            chosen,
            workers=options.workers,
            overwrite=replace,
            progress=progress,
        ),
        say="Normalising silhouettes",
    )


def measured_geis(
    source: Path | str,
    workshop: Workshop,
    options: PipelineOptions,
    progress: Progress | None = None,
    *,
    begin: Callable[[str, str], None] | None = None,
) -> Path:
    """The GEIs of any input: itself when it is some, else ``gei.h5`` in the workshop.

    Parameters
    ----------
    source, workshop, options, progress, begin
        As for `run_pipeline`.
    """
    from gaitkit.gei.options import GeiOptions
    from gaitkit.silhouettes.options import SilhouetteOptions
    from gaitkit.stages.make_gei import make_gei, open_input, unit_of
    from gaitkit.stages.normalize import silhouettes_of
    from gaitkit.stages.piecework import digest_of_frames

    given = open_input(source, layout=options.layout)
    chosen = SilhouetteOptions(**options.silhouettes)
    if given.source is not None and given.kind == "frames":
        chosen = silhouettes_of(given.source, **options.silhouettes)
    if given.source is None:
        with open_artifact(given.path, ("gei", "silhouettes")) as artifact:
            if artifact.kind == "gei":
                return given.path
        digest = content_of(given.path)
    else:
        digest = digest_of_frames(given.source, workers=options.workers).sha256
    if begin is not None:
        begin("make-gei", unit_of(given))
    told = {name: getattr(chosen, name) for name in _TOLD} | dict(options.silhouettes)
    return workshop.step(
        "gei.h5",
        {"input": digest, "silhouettes": told, "gei": options.gei},
        lambda path, replace: make_gei(
            given,
            path,
            chosen,
            GeiOptions(**options.gei),
            workers=options.workers,
            overwrite=replace,
            progress=progress,
        ),
        say="Making gait energy images",
    )


def _begin_nothing(title: str, unit: str) -> None:
    """Nobody wants to be told."""


def _report(
    workshop: Workshop,
    results: Mapping[str, str],
    geis: Sequence[Path],
    model: Path,
    write_step: WriteStep | None,
) -> Path:
    """A page about some results of the workshop, each by its name and what to call it."""
    from gaitkit.reporting.page.document import write_report
    from gaitkit.reporting.page.steps import python_call

    files = [workshop.path(name) for name in results]
    return workshop.step(
        REPORT,
        {"of": [content_of(path) for path in (*files, *geis, model)], "labels": dict(results)},
        lambda out, replace: write_report(
            files,
            out,
            geis=geis,
            models=[model],
            labels=list(results.values()),
            overwrite=replace,
            write_step=write_step or python_call,
        ),
        say=f"Writing {REPORT}",
    )


def _sheets(workshop: Workshop, gei: Path, translated: Path) -> None:
    """A sheet of the same sequences before and after the translation."""
    import numpy as np

    from gaitkit.reporting.sheet import save_png
    from gaitkit.reporting.views import gei_sheet

    for path in (gei, translated):
        with open_artifact(path, "gei") as artifact:
            last = artifact.labels.subjects()[-1:]
            rows = np.flatnonzero(np.isin(artifact.labels.subject.astype(str), last))
            workshop.step(
                f"{path.stem}.png",
                {"geis": artifact.content_sha256},
                lambda out, replace, opened=artifact, rows=rows: save_png(  # type: ignore[misc]
                    out, gei_sheet(opened, rows, max_rows=24)[0], overwrite=replace
                ),
                say=f"Drawing {path.stem}.png",
            )
