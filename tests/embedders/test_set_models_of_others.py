"""Somebody else's embedder of sets, or file of silhouettes, is read whole or refused."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from small_sets import FEW, in_memory, keys, small

from gaitkit.artifacts import open_artifact
from gaitkit.embedders.base import load_opened
from gaitkit.errors import GaitkitError
from gaitkit.training.state import named_tensors

sys.path.append(str(Path(__file__).parents[1] / "translators"))

from foreign_models import FAMILIES, write_mutant

SYSTEMS = ("gaitset", "gaitbase")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    for system in SYSTEMS:
        model = small(system, width=1, values=2)
        model.fit(in_memory(keys(people=3)), **(FEW | {"iterations": 2}))
        model.save(folder / f"{system}.h5")
    return {system: folder / f"{system}.h5" for system in SYSTEMS}


def outcome(path: Path) -> str:
    """What was said, or ``loaded`` when all is as it should be."""
    try:
        with open_artifact(path, "embedder", guarded=True) as artifact:
            model = load_opened(artifact, device="cpu", threads=1)
    except GaitkitError as error:
        return type(error).__name__
    tensors = named_tensors(model.networks)
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert found == type(model).expected_shapes(model.config)
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    return "loaded"


def run(model: Path, path: Path, family: str, seeds: range) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        what = write_mutant(model, path, family, seed)
        try:
            outcomes[outcome(path)] += 1
        except Exception as error:
            raise AssertionError(
                f"{what}: {model.name}, {family}, {seed} is not refused"
            ) from error
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_mutants_are_loaded_or_refused(
    models: dict[str, Path], tmp_path: Path, system: str, family: str
) -> None:
    assert outcome(models[system]) == "loaded"
    outcomes = run(models[system], tmp_path / "mutant.h5", family, range(21))
    assert outcomes.total() == 21
    assert outcomes["loaded"] < 21


def test_a_few_mutants_are_loaded_or_refused(models: dict[str, Path], tmp_path: Path) -> None:
    assert run(models["gaitset"], tmp_path / "mutant.h5", "arrays", range(2)).total() == 2
