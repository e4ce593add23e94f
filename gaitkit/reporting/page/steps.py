"""The steps that make the results again, from what their files record, and how to write them down.

A step is data: a stage of the library and its parameters, as the library calls them. Who shows it
writes it down: the command line as commands, `python_call` as calls.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import InputRef
from gaitkit.artifacts.embeddings import ELSEWHERE, EmbedderInfo
from gaitkit.embedders.registry import EMBEDDERS, describe_embedder
from gaitkit.identification.features import FEATURES, Feature, usual_metric
from gaitkit.identification.results import EvaluationResult
from gaitkit.protocols import PROTOCOLS
from gaitkit.reporting.page.inputs import (
    Entry,
    GeiFile,
    ModelFile,
    ResultsFile,
    Translation,
    images_behind,
    model_digest,
    translation_of,
)
from gaitkit.translators.aim import USUAL_TARGET

if TYPE_CHECKING:
    from gaitkit.training.model import Model
    from gaitkit.training.record import TrainingRecord

__all__ = ["Step", "WriteStep", "python_call", "steps", "written_steps"]

WriteStep = Callable[[str, Mapping[str, Any]], str]
"""Writes a step down in one line: stage and parameters in, text out."""

_MEASURED, _TRANSLATED, _EMBEDDED = "gei.h5", "translated.h5", "embedded.h5"
_SILHOUETTES = "silhouettes.h5"  # For what embeds sets of them.
"""Stand-ins for the names of files, which artefacts do not record."""


class Step(NamedTuple):
    """One step of the pipeline.

    Attributes
    ----------
    stage : str
        ``make_gei``, ``normalize``, ``train``, ``translate``, ``train_embedding``, ``embed``,
        ``evaluate`` or ``report``.
    parameters : mapping
        By name; what was not asked for is left out.
    note : str
        What the parameters cannot say.
    """

    stage: str
    parameters: Mapping[str, Any]
    note: str = ""


def python_call(stage: str, parameters: Mapping[str, Any]) -> str:
    """A step as a call in Python.

    Examples
    --------
    >>> python_call("evaluate", {"path": "gei.h5", "k": 3})
    "evaluate(path='gei.h5', k=3)"
    """
    return f"{stage}({', '.join(f'{name}={value!r}' for name, value in parameters.items())})"


def written_steps(made: Sequence[Step], write: WriteStep = python_call) -> list[str]:
    """The lines of some steps, notes as comments, each line once.

    Parameters
    ----------
    made : sequence of Step
        In their order.
    write : callable
        Writes one of them.
    """
    lines = [
        write(step.stage, step.parameters) + (f"   # {step.note}" if step.note else "")
        for step in made
    ]
    return list(dict.fromkeys(lines))


def steps(
    entries: Sequence[Entry],
    geis: Sequence[GeiFile] = (),
    models: Sequence[ModelFile] = (),
    people: Sequence[str] = (),
    *,
    labels: Sequence[str] = (),
    date: str | None = None,
) -> list[Step]:
    """The steps that make the page's results, and the page, in the order of the pipeline.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    geis : sequence of GeiFile
        GEIs behind them: the steps then use the names of these files.
    models : sequence of ModelFile
        Translators and embedders behind them: likewise, and their training is then told in full.
    people : sequence of str
        Whom the page was asked to show.
    labels : sequence of str
        What it was asked to call the results.
    date : str, optional
        What it was asked to be dated with.
    """
    known = _Known(geis, models)
    made: list[Step] = []
    files: dict[int, tuple[ResultsFile, EvaluationResult]] = {}
    for entry in entries:
        files.setdefault(id(entry.file), (entry.file, entry.result))
    for file, result in files.values():
        protocol = _protocol(result)
        sources = [known.source(file, place) for place in range(len(file.inputs))]
        for source in sources:
            made += _making(source, protocol)
        made.append(_evaluate(file, result, protocol, sources))
    report = {
        "results": [_output(file) for file, _ in files.values()],
        "geis": [file.name for file in geis],
        "models": [file.name for file in models],
        "people": list(people),
        "labels": list(labels),
        "date": date,
        "output": "report.html",
    }
    return [*made, Step("report", {name: value for name, value in report.items() if value})]


def _protocol(result: EvaluationResult) -> str:
    """Name of a built-in protocol, or a stand-in for the file of another one."""
    protocol = result.protocol
    if PROTOCOLS.get(protocol.name) == protocol:
        return protocol.name
    return f"{protocol.name.replace('/', '-')}.toml"


@dataclass(frozen=True)
class _Source:
    """What was evaluated, as far as it is known.

    Attributes
    ----------
    name, measured : str
        Files: its own, and that of the measured GEIs behind it.
    parameters : mapping or None
        As recorded.
    translated : bool
        Whether a translator made it.
    translation : Translation or None
        Which one.
    model : ModelFile or None
        That translator's file.
    embedder : EmbedderInfo or None
        What then made vectors of it, which were evaluated under the name `embedded`.
    embedded : str
        See there.
    embedding_model : ModelFile or None
        The embedder's file.
    """

    name: str
    measured: str
    parameters: Mapping[str, Any] | None
    translated: bool
    translation: Translation | None = None
    model: ModelFile | None = None
    embedder: EmbedderInfo | None = None
    embedded: str = ""
    embedding_model: ModelFile | None = None

    @property
    def evaluated(self) -> str:
        """The file that was evaluated."""
        return self.embedded or self.name


class _Known:
    """The files at hand, by what artefacts made from them call them."""

    def __init__(self, geis: Sequence[GeiFile], models: Sequence[ModelFile]) -> None:
        self.geis = {file.ref: file for file in geis}
        self.models = {file.ref.content_sha256: file for file in models}

    def source(self, file: ResultsFile, place: int) -> _Source:
        """One of the inputs of a results file."""
        if file.inputs[place].kind == "embedding":
            return self._embedded(file, place)
        found = self.geis.get(file.inputs[place])
        if found is None and place > 0:
            # Only the first input's parameters are recorded with the results.
            name = _TRANSLATED if len(file.inputs) == 2 else f"other-{place}.h5"
            return _Source(name, _MEASURED, None, translated=bool(file.trained_on))
        parameters = file.parameters.get("input", {}) if found is None else found.parameters
        translation = translation_of(parameters)
        if found is not None:
            translated, name = found.translation is not None, found.name
        else:
            alone = len(file.inputs) == 1
            translated = translation is not None or (alone and bool(file.trained_on))
            name = _stand_in(translation) if translated else _MEASURED
        return _Source(
            name,
            self._measured(found) if translated else name,
            parameters,
            translated,
            translation,
            self.models.get(model_digest(parameters) or ""),
        )

    def _embedded(self, file: ResultsFile, place: int) -> _Source:
        name = _EMBEDDED if len(file.inputs) == 1 else f"embedded-{place + 1}.h5"
        # Only the first input's parameters are recorded with the results.
        parameters = file.parameters.get("input", {}) if place == 0 else {}
        behind = [self.geis[ref] for ref in images_behind(file) if ref in self.geis]
        translation = translation_of(parameters)
        embedder = EmbedderInfo.of(parameters) or _embedder_at(file, place)
        measured = _SILHOUETTES if _reads_silhouettes(embedder, parameters) else _MEASURED
        made_of = _stand_in(translation) if translation else measured
        if place == 0 and len(behind) == 1:
            made_of = behind[0].name
        return _Source(
            made_of,
            measured if translation else made_of,
            # Vectors from elsewhere have no images.
            parameters if "silhouettes" in parameters else None,
            translation is not None,
            translation,
            self.models.get(model_digest(parameters) or ""),
            embedder,
            name,
            self.models.get(embedder.content_sha256),
        )

    def _measured(self, translated: GeiFile | None) -> str:
        inputs: Sequence[InputRef] = () if translated is None else translated.inputs
        return next((self.geis[ref].name for ref in inputs if ref in self.geis), _MEASURED)


def _embedder_at(file: ResultsFile, place: int) -> EmbedderInfo:
    """What made the vectors of one of several inputs, as far as the results say."""
    described = file.parameters.get("embedders")
    several = described if isinstance(described, list) else []
    told = [EmbedderInfo.of({"embedder": item}) for item in several]
    places = [number for number, ref in enumerate(file.inputs) if ref.kind == "embedding"]
    # Each is told once, in the order of the inputs.
    found = told[0] if len(told) == 1 else None
    if len(told) == len(places):
        found = told[places.index(place)]
    return found or EmbedderInfo("embedder", known=place > 0)


def _reads_silhouettes(embedder: EmbedderInfo, parameters: Mapping[str, Any]) -> bool:
    if embedder.name in EMBEDDERS:
        return describe_embedder(embedder.name).reads == "silhouettes"
    return "silhouettes" in parameters and "gei" not in parameters


def _stand_in(translation: Translation | None) -> str:
    return _TRANSLATED if translation is None else f"{_model_name(translation)}-translated.h5"


def _model_name(translation: Translation) -> str:
    kind = translation.recipe or ("paired" if translation.mode == "paired" else "")
    return translation.system + (f"-{kind}" if kind else "")


def _making(source: _Source, protocol: str) -> list[Step]:
    """The steps that make what was evaluated."""
    made = []
    sets = source.embedder is not None and _reads_silhouettes(
        source.embedder, source.parameters or {}
    )
    if source.parameters is not None:
        make = _normalize if sets else _make_gei
        made.append(make(source.parameters, source.measured))
    if source.translated:
        made += _translating(source, protocol)
    if source.embedder is not None:
        made += _embedding(source, source.embedder, protocol)
    return made


def _embedding(source: _Source, embedder: EmbedderInfo, protocol: str) -> list[Step]:
    """How vectors were made, or taken from elsewhere."""
    if not embedder.known:
        asked = {"source": "vectors.npz", "output": source.embedded, "metric": embedder.metric}
        asked |= {} if embedder.name == ELSEWHERE else {"name": embedder.name}
        return [Step("embed", asked)]
    at_hand = source.embedding_model
    model = f"{embedder.name.replace('/', '-')}.h5" if at_hand is None else at_hand.name
    train: dict[str, Any] = {"source": source.name, "output": model}
    note = ""
    if at_hand is not None and at_hand.record.name in EMBEDDERS:
        train |= _embedder_training(at_hand.record)
        others = sum(ref.kind in ("gei", "silhouettes") for ref in at_hand.inputs) - 1
        train |= {"also": [f"also-{n + 1}.h5" for n in range(others)]} if others > 0 else {}
    else:
        train |= {"system": embedder.name} if embedder.content_sha256 else {}
        note = f"its options: gaitkit inspect {shlex.quote(model)}"
    train["protocol"] = protocol
    last = {"weights": "last"} if embedder.weights == "last" else {}
    embed = {"input": source.name, "model": model, **last, "output": source.embedded}
    return [Step("train_embedding", train, note), Step("embed", embed)]


def _normalize(parameters: Mapping[str, Any], output: str) -> Step:
    return _make_gei({"silhouettes": parameters.get("silhouettes")}, output, "normalize")


def _make_gei(parameters: Mapping[str, Any], output: str, stage: str = "make_gei") -> Step:
    from gaitkit.gei.options import GeiOptions
    from gaitkit.silhouettes.options import SilhouetteOptions

    silhouettes = dict(parameters.get("silhouettes") or {})
    average = dict(parameters.get("gei") or {})
    if silhouettes.get("alignment") == "unknown":
        # Ready-made GEIs: nobody recorded how they were made, and there is nothing to choose.
        return Step("make_gei", {"source": "GEIS", "output": output})
    usual = SilhouetteOptions().as_parameters()
    size = tuple(silhouettes.pop(side, usual[side]) for side in ("height", "width"))
    chosen = {} if size == (usual["height"], usual["width"]) else {"size": size}
    usual |= GeiOptions().as_parameters()
    chosen |= {
        name: value
        for name, value in (silhouettes | average).items()
        if name in usual and value != usual[name]
    }
    return Step(stage, {"source": "FRAMES", "output": output, **chosen})


def _translating(source: _Source, protocol: str) -> list[Step]:
    """The steps that train a model and use it."""
    translation = source.translation
    model = "model.h5" if translation is None else f"{_model_name(translation)}.h5"
    if source.model is not None:
        model = source.model.name
    train: dict[str, Any] = {"geis": source.measured, "output": model}
    translate: dict[str, Any] = {"geis": source.measured, "model": model}
    note = ""
    if translation is not None:
        train |= _system(translation)
        translate |= _asked(translation)
    if source.model is not None and translation is not None:
        train |= _training(source.model.record, translation)
        others = sum(ref.kind == "gei" for ref in source.model.inputs) - 1
        train |= {"also": [f"also-{n + 1}.h5" for n in range(others)]} if others > 0 else {}
    else:
        note = f"its options: gaitkit inspect {shlex.quote(model)}"
        if translation is not None:
            train |= _changed(translation.target, USUAL_TARGET, "target_view", "target_condition")
    train["protocol"] = protocol
    translate["output"] = source.name
    return [Step("train", train, note), Step("translate", translate)]


def _system(translation: Translation) -> dict[str, Any]:
    if translation.recipe:
        return {"recipe": translation.recipe}
    paired = {"paired": True} if translation.mode == "paired" else {}
    return {"system": translation.system, **paired}


def _asked(translation: Translation) -> dict[str, Any]:
    """What a translation was asked for beyond what its model shows by itself."""
    asked: dict[str, Any] = {"weights": "last"} if translation.weights == "last" else {}
    shown = (translation.view, translation.condition)
    asked |= _changed(shown, translation.target, "view", "condition")
    return asked | ({} if translation.strength == 1.0 else {"strength": translation.strength})


def _changed(chosen: tuple[Any, ...], usual: tuple[Any, ...], *names: str) -> dict[str, Any]:
    """By name, what is not as usual."""
    triples = zip(names, chosen, usual, strict=True)
    return {name: value for name, value, default in triples if value != default}


def _training(record: TrainingRecord, translation: Translation) -> dict[str, Any]:
    """Where a training departed from its recipe and system, by the model's own record."""
    from gaitkit.translators.options import TranslatorOptions
    from gaitkit.translators.recipes import choose_recipe
    from gaitkit.translators.registry import translator_class

    system = translator_class(translation.system)
    # A recipe goes before the mode, and names its system.
    recipe = translation.recipe or None
    named = choose_recipe(None if recipe else translation.system, recipe)
    paired = recipe is None and translation.mode == "paired"
    settings = {**named.config, **(system.config_class.paired_settings() if paired else {})}
    return _departures(record, system, settings, vars(TranslatorOptions()), named.training)


def _embedder_training(record: TrainingRecord) -> dict[str, Any]:
    """Likewise of an embedder; by the recipe from which it departs least, or by none."""
    from gaitkit.embedders.options import EmbedderOptions
    from gaitkit.embedders.recipes import EMBEDDER_RECIPES
    from gaitkit.embedders.registry import embedder_class

    system = embedder_class(record.name)
    usual = vars(EmbedderOptions())
    found = [{"system": record.name, **_departures(record, system, {}, usual, {})}]
    found += [
        {"recipe": recipe.name} | _departures(record, system, recipe.config, usual, recipe.training)
        for recipe in EMBEDDER_RECIPES.values()
        if recipe.system == record.name
    ]
    return min(found, key=lambda chosen: len(chosen) + len(chosen.get("config", ())))


def _departures(
    record: TrainingRecord,
    system: type[Model[Any]],
    settings_by_recipe: Mapping[str, Any],
    options_by_class: Mapping[str, Any],
    training_by_recipe: Mapping[str, Any],
) -> dict[str, Any]:
    """Where a training departed from what was named, by the model's own record."""
    usual = system.config_class.from_parameters(settings_by_recipe)
    config = system.config_class.of_file(record.config or {})
    settings = {
        name: value
        for name, value in vars(config).items()
        if name not in config.by_data() and value != vars(usual)[name]
    }
    options = dict(options_by_class) | dict(system.default_training) | dict(training_by_recipe)
    training = dict(record.options or {})
    if record.refit is not None:
        # What was asked for is the training that came before, whose people were held out.
        training |= {name: record.refit.get(name) for name in ("iterations", "validate_every")}
        training["validation_subjects"] = len(record.refit.get("held_out", ()))
    chosen: dict[str, Any] = {"width": settings.pop("width")} if "width" in settings else {}
    if settings:
        chosen["config"] = settings
    chosen |= {
        name: training[name]
        for name, default in options.items()
        if training.get(name) not in (None, default)
    }
    if record.refit is not None:
        chosen["refit"] = True
    # The last bits of the weights depend on these.
    for name in ("precision", "threads"):
        if record.runtime.get(name) is not None:
            chosen[name] = record.runtime[name]
    return chosen


def _evaluate(
    file: ResultsFile, result: EvaluationResult, protocol: str, sources: Sequence[_Source]
) -> Step:
    pairs = [(str(feature), str(metric)) for feature, metric in file.parameters["results"]]
    first, *others = sources
    counted = any(number.failures_to_acquire.counted for number in result.numbers.values())
    split, view = result.split, result.labels.view
    chosen: dict[str, Any] = {
        "fuse_with": [source.evaluated for source in others],
        "protocol": protocol,
        "features": _unless_own([feature for feature, _ in pairs], _own_features(sources)),
        "metrics": _asked_metrics(pairs, sources),
        "k": result.k,
        "count_failures": counted,
        "rounding": result.rounding,
        "rank_by": None if result.rank_by == "people" else result.rank_by,
        "probe_view": _only_view(result.probe_views, view[split.probe]),
        "gallery_view": _only_view(result.gallery_views, view[split.gallery]),
        "truth": first.measured if "quality" in file.parameters else None,
        "seed": file.seed or 0,
    }
    chosen = {name: value for name, value in chosen.items() if value not in (None, False, [])}
    return Step("evaluate", {"path": first.evaluated, **chosen, "output": _output(file)})


def _unless_own(asked: Sequence[str], own: Sequence[str]) -> list[str]:
    """What was asked for; nothing where it is what the files are compared by anyway."""
    several = list(dict.fromkeys(asked))
    return [] if several == ["+".join(dict.fromkeys(own))] else several


def _own_features(sources: Sequence[_Source]) -> list[str]:
    return ["pixels" if source.embedder is None else "vectors" for source in sources]


def _asked_metrics(pairs: Sequence[tuple[str, str]], sources: Sequence[_Source]) -> list[str]:
    """What was asked for; nothing where each feature was compared as it is anyway."""

    def usual(features: str) -> str:
        # Fused artefacts have a feature in common, or each its own.
        names = _own_features(sources) if "+" in features else [features] * len(sources)
        metrics = [
            usual_metric(FEATURES.get(name, Feature(column=name)), source.embedder)
            for name, source in zip(names, sources, strict=True)
        ]
        return "+".join(dict.fromkeys(metrics))

    if all(metric == usual(features) for features, metric in pairs):
        return []
    return list(dict.fromkeys(metric for _, metric in pairs))


def _only_view(shown: NDArray[np.float64], there: NDArray[np.float64]) -> float | None:
    """The one view that was asked for, where there were several."""
    several = len(np.unique(there[~np.isnan(there)])) > 1
    return float(shown[0]) if len(shown) == 1 and several and not np.isnan(shown[0]) else None


def _output(file: ResultsFile) -> str:
    return f"{file.title}.h5"
