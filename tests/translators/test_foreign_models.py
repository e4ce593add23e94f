"""Somebody else's model is loaded whole, or refused with a GaitkitError: whatever was changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from foreign_models import FAMILIES, write_mutant

from gaitkit.artifacts import open_artifact
from gaitkit.artifacts.summary import describe
from gaitkit.errors import DamagedArtifactError, GaitkitError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.state import named_tensors
from gaitkit.training.store import load_history
from gaitkit.translators import GaitGAN, GaitGANConfig, GeiSet, load
from gaitkit.translators.base import load_opened


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model so small that most of its file is structure: where mutations strike."""
    keys = [SequenceKey(name, "nm", 1, view) for name in ("a", "b") for view in (0.0, 90.0)]
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16), dtype=np.uint8)
    geis = GeiSet(images, Labels.from_keys(keys), "drawn", {"gei": {"min_frames": 5}})
    config = GaitGANConfig(width=1, image_size=(16, 16))
    translator = GaitGAN(config, device="cpu", precision="fp32", threads=1)
    translator.fit(geis, iterations=2, batch_size=2, log_every=1, sample_every=2)
    path = tmp_path_factory.mktemp("model") / "good.h5"
    translator.save(path)
    return path


def outcome(path: Path) -> str:
    """Load and look through a file: what was said, or ``loaded`` when all is as it should be."""
    try:
        # As `load` does it; the same child then also gives what inspect and show read.
        with open_artifact(path, "translator", guarded=True) as artifact:
            translator = load_opened(artifact, device="cpu", threads=1)
            describe(artifact)
        load_history(path)
    except GaitkitError as error:
        return readable(error, path)
    tensors = named_tensors(translator.networks)
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert found == type(translator).expected_shapes(translator.config)
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    return "loaded"


def readable(error: GaitkitError, path: Path) -> str:
    """The last words of a message, which must name the file and be shorter than it."""
    assert str(path) in error.message
    assert len(str(error).encode()) < 2000
    return f"{type(error).__name__}: {error.message.split(':')[-1].strip()[:60]}"


def run(model: Path, path: Path, family: str, seeds: range, *, sealed: bool) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        what = write_mutant(model, path, family, seed, sealed=sealed)
        try:
            outcomes[outcome(path)] += 1
        except Exception as error:
            arguments = f"model, path, {family!r}, {seed}, sealed={sealed}"
            raise AssertionError(f"{what}: write_mutant({arguments}) is not refused") from error
    return outcomes


def test_the_model_itself_loads(model: Path) -> None:
    assert outcome(model) == "loaded"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mutant_with_the_old_digest_is_refused_before_it_is_opened(
    model: Path, tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(path: Path) -> None:
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr("gaitkit.artifacts.reader.GuardedArrays", opened)
    outcomes = run(model, tmp_path / "mutant.h5", family, range(60), sealed=False)
    assert "loaded" not in outcomes


@pytest.mark.parametrize("family", FAMILIES)
def test_a_few_mutants_with_a_right_digest_are_loaded_or_refused(
    model: Path, tmp_path: Path, family: str
) -> None:
    assert run(model, tmp_path / "mutant.h5", family, range(4), sealed=True).total() == 4


@pytest.mark.slow
@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("family", FAMILIES)
def test_hundreds_of_mutants_are_loaded_or_refused(
    model: Path, tmp_path: Path, family: str, part: int
) -> None:
    count = {"bytes": 45, "arrays": 34, "parameters": 21}[family]
    seeds = range(part * count, (part + 1) * count)
    assert "loaded" not in run(model, tmp_path / "mutant.h5", family, seeds, sealed=False)
    outcomes = run(model, tmp_path / "mutant.h5", family, seeds, sealed=True)
    assert outcomes.total() == count
    assert outcomes["loaded"] < count


def test_a_large_config_allocates_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(self: GaitGAN, *arguments: object, **options: object) -> None:
        raise AssertionError("networks were built before the file's shapes were compared")

    monkeypatch.setattr(GaitGAN, "__init__", allocate)
    write_mutant(model, tmp_path / "mutant.h5", "parameters", 2)  # large_config
    with pytest.raises(DamagedArtifactError, match="has shape"):
        load(tmp_path / "mutant.h5")


def test_a_crash_of_libhdf5_is_a_damaged_model(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = "import os; print('ready', flush=True); os.abort()"
    monkeypatch.setattr("gaitkit.artifacts.guard._START", crash)
    with pytest.raises(DamagedArtifactError, match="libhdf5 crashes on it"):
        GaitGAN.load(model)
