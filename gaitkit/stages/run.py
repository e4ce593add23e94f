"""The whole pipeline in one folder: what `gaitkit run` and `gaitkit demo` do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitkit.artifacts import open_artifact
from gaitkit.protocols import PROTOCOLS, Protocol, default_protocol, get_protocol
from gaitkit.stages.workshop import Workshop, content_of
from gaitkit.translators.recipes import Recipe, choose_recipe

if TYPE_CHECKING:
    from gaitkit.identification.results import EvaluationResult
    from gaitkit.parallel import Progress
    from gaitkit.reporting.page.steps import WriteStep
    from gaitkit.training.callbacks import Callbacks

__all__ = ["PipelineOptions", "measured_geis", "run_pipeline"]

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
    embedding : mapping or None
        Fields of `EmbedderOptions` for an embedder of GEIs beside the translator; `None`: none.
    report : bool
        Write ``report.html`` about all results.
    device, precision : str
        Where and how precisely to train.
    threads : int or None
        Threads of the training on the CPU; the last bits of the weights depend on it.
    workers : int
        Processes of `make-gei`.
    """

    protocol: Protocol | str | None = None
    silhouettes: Mapping[str, Any] = field(default_factory=dict)
    gei: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    recipe: Recipe | str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    refit: bool = False
    embedding: Mapping[str, Any] | None = None
    report: bool = False
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    workers: int = 1


def run_pipeline(
    source: Path | str,
    workshop: Workshop,
    options: PipelineOptions,
    *,
    callbacks: Callbacks | None = None,
    progress: Progress | None = None,
    write_step: WriteStep | None = None,
) -> list[tuple[str, EvaluationResult]]:
    """Do every step from frames to results, each only if missing or out of date.

    Parameters
    ----------
    source : str or Path
        Frames in any layout, ready-made GEIs, or an artefact of silhouettes or measured GEIs.
    workshop : Workshop
        The folder: ``gei.h5``, ``SYSTEM.h5``, ``translated.h5``, ``results-raw.h5``,
        ``results.h5`` and sheets; if asked for, ``EMBEDDER.h5``, ``embedded.h5``,
        ``results-embedded.h5`` and ``report.html``.
    options : PipelineOptions
        What to do.
    callbacks : Callbacks, optional
        Of the training.
    progress : callable, optional
        Of the other steps.
    write_step : callable, optional
        How the report writes down what was done; by default as calls of Python.

    Returns
    -------
    list of (str, EvaluationResult)
        ``raw`` and ``translated`` GEIs, each by pixels and by LDA, and the ``embedded`` ones.

    Raises
    ------
    OutputBusyError
        Another run is at work in the folder.
    StoppedError
        A stop was requested; the same call continues.
    """
    with workshop:
        workshop.stop_requested = None if callbacks is None else callbacks.stop_requested
        found = _run(source, workshop, options, callbacks, progress)
        if options.report:
            _report(workshop, options, write_step)
        return found


def _run(
    source: Path | str,
    workshop: Workshop,
    options: PipelineOptions,
    callbacks: Callbacks | None,
    progress: Progress | None,
) -> list[tuple[str, EvaluationResult]]:
    from gaitkit.identification.results import read_results
    from gaitkit.stages.evaluate import evaluate
    from gaitkit.stages.train import carry_out, plan_training
    from gaitkit.stages.translate import translate

    gei = measured_geis(source, workshop, options, progress)
    with open_artifact(gei, "gei") as artifact:
        labels, geis = artifact.labels, artifact.content_sha256
    protocol = get_protocol(options.protocol or default_protocol(labels, trains=True))
    known = PROTOCOLS.get(protocol.name) == protocol
    told = protocol.name if known else protocol.as_parameters()
    plan: dict[str, Any] = {"protocol": told, "geis": geis}
    recipe = choose_recipe(options.system, options.recipe)
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
    translated = workshop.step(
        "translated.h5",
        {"geis": geis, "model": content_of(model)},
        lambda path, replace: translate(
            gei, model, path, device=options.device, overwrite=replace, progress=progress
        ),
        say="Translating",
    )
    results = {"raw": (gei, None), "translated": (translated, gei)}
    if options.embedding is not None:
        embedded = _embedded(gei, workshop, options, protocol, plan, callbacks, progress)
        results["embedded"] = (embedded, None)
    for what, (path, truth) in results.items():
        features = None if what == "embedded" else ("pixels", "lda")
        workshop.step(
            _RESULTS[what],
            {"protocol": told, "geis": content_of(path)},
            lambda out, replace, path=path, truth=truth, features=features: evaluate(  # type: ignore[misc]
                path,
                protocol=protocol,
                features=features,
                truth=truth,
                output=out,
                overwrite=replace,
            ),
            say=f"Identifying by {path.name}",
        )
    _sheets(workshop, gei, translated)
    return [
        (what, result) for what in results for result in read_results(workshop.path(_RESULTS[what]))
    ]


_RESULTS = {
    "raw": "results-raw.h5",
    "translated": "results.h5",
    "embedded": "results-embedded.h5",
}


def _embedded(
    gei: Path,
    workshop: Workshop,
    options: PipelineOptions,
    protocol: Protocol,
    plan: Mapping[str, Any],
    callbacks: Callbacks | None,
    progress: Progress | None,
) -> Path:
    """What an embedder of the measured GEIs makes of them."""
    from gaitkit.embedders.recipes import DEFAULT_EMBEDDER
    from gaitkit.stages.embed import embed
    from gaitkit.stages.train import carry_out
    from gaitkit.stages.train_embedding import plan_embedding

    model = workshop.step(
        f"{DEFAULT_EMBEDDER}.h5",
        {**plan, "training": options.embedding, "precision": options.precision},
        lambda path, replace: carry_out(
            plan_embedding(
                gei,
                path,
                protocol=protocol,
                system=DEFAULT_EMBEDDER,
                training=options.embedding,
                precision=options.precision,
                threads=options.threads,
                device=options.device,
                overwrite=replace,
            ),
            callbacks,
        ),
        say=f"Training {DEFAULT_EMBEDDER}",
    )
    return workshop.step(
        "embedded.h5",
        {"geis": plan["geis"], "model": content_of(model)},
        lambda path, replace: embed(
            gei, model, path, device=options.device, overwrite=replace, progress=progress
        ),
        say="Embedding",
    )


def _report(workshop: Workshop, options: PipelineOptions, write_step: WriteStep | None) -> None:
    """One page about all results."""
    from gaitkit.embedders.recipes import DEFAULT_EMBEDDER
    from gaitkit.reporting.page.document import write_report
    from gaitkit.reporting.page.steps import python_call

    system = choose_recipe(options.system, options.recipe).system
    names = [_RESULTS["raw"], _RESULTS["translated"]]
    models = [f"{system}.h5"]
    if options.embedding is not None:
        names.append(_RESULTS["embedded"])
        models.append(f"{DEFAULT_EMBEDDER}.h5")
    results = [workshop.path(name) for name in names]
    # Measured GEIs that were given lie elsewhere; the page then shows the translated ones.
    geis = [path for name in ("gei.h5", "translated.h5") if (path := workshop.path(name)).exists()]
    workshop.step(
        "report.html",
        {"results": [content_of(path) for path in results]},
        lambda out, replace: write_report(
            results,
            out,
            geis=geis,
            models=[workshop.path(name) for name in models],
            overwrite=replace,
            write_step=write_step or python_call,
        ),
        say="Writing report.html",
    )


def measured_geis(
    source: Path | str,
    workshop: Workshop,
    options: PipelineOptions,
    progress: Progress | None = None,
) -> Path:
    """The GEIs of any input: itself when it is some, else ``gei.h5`` in the workshop.

    Parameters
    ----------
    source, workshop, options, progress
        As for `run_pipeline`.
    """
    from gaitkit.gei.options import GeiOptions
    from gaitkit.silhouettes.options import SilhouetteOptions
    from gaitkit.stages.make_gei import make_gei, open_input
    from gaitkit.stages.normalize import silhouettes_of
    from gaitkit.stages.piecework import digest_of_frames

    given = open_input(source)
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
