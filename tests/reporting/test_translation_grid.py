"""What a translator makes of one GEI, drawn beside what was measured of the person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitkit.artifacts import TrainedOn, open_artifact, write_artifact
from gaitkit.errors import ArtifactError, MixtureError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.reporting import translation_grid as module
from gaitkit.reporting.translation_grid import translation_grid, true_row
from gaitkit.translators import Aim, AttGAN, AttGANConfig, GaitGAN, GaitGANConfig, Translator

VIEWS, CONDITIONS, SIZE = (0.0, 54.0, 90.0), ("cl", "nm"), (32, 32)
PREPROCESSING = {"gei": {"min_frames": 5}}
KEYS = [
    SequenceKey(subject, condition, take, view)
    for subject in ("001", "002")
    for condition, take in (("cl", 1), ("nm", 1), ("nm", 2))
    for view in VIEWS
    if (condition, view) != ("cl", 90.0)
]
IMAGES = np.random.default_rng(0).integers(0, 256, (len(KEYS), *SIZE), dtype=np.uint8)


def row_of(*key: Any) -> int:
    return KEYS.index(SequenceKey(*key))


def write_geis(path: Path, **changes: Any) -> Path:
    options = {
        "kind": "gei",
        "arrays": {"gei": IMAGES},
        "labels": Labels.from_keys(KEYS),
        "dropped": [],
        "parameters": PREPROCESSING,
        "dataset": "drawn",
    }
    write_artifact(path, **(options | changes))
    return path


def write_model(path: Path, translator: Translator[Any]) -> Path:
    """An untrained model that says it has seen person 001."""
    write_artifact(
        path,
        kind="translator",
        arrays=translator.state_arrays() | {"step": np.array(1)},
        parameters={
            "translator": {
                "name": translator.name,
                "config": translator.config.as_parameters(),
            },
            "training": {"target_view": 90.0, "target_condition": "nm"},
            "preprocessing": PREPROCESSING,
        },
        dataset="drawn",
        trained_on=[TrainedOn("drawn", "001", "training")],
    )
    return path


@pytest.fixture
def attgan() -> AttGAN:
    config = AttGANConfig(image_size=SIZE, views=VIEWS, conditions=CONDITIONS, width=2, paired=True)
    return AttGAN(config, device="cpu")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was given to `contact_sheet`, which is called all the same."""
    given: dict[str, Any] = {}
    draw = module.contact_sheet

    def keep(cells: Any, **options: Any) -> Any:
        given.update(options, cells=cells)
        return draw(cells, **options)

    monkeypatch.setattr(module, "contact_sheet", keep)
    return given


def show(
    geis: Path, model: Path, subject: str | None = None, view: float | None = None
) -> tuple[np.ndarray, str]:
    with open_artifact(geis) as artifact:
        chosen = [
            row
            for row, key in enumerate(artifact.labels.keys())
            if subject in (None, key.subject) and view in (None, key.view)
        ]
        return translation_grid(artifact, model, np.array(chosen), device="cpu")


def test_a_system_that_is_told_what_to_show_shows_all_it_knows(
    tmp_path: Path, attgan: AttGAN, drawn: dict[str, Any]
) -> None:
    geis = write_geis(tmp_path / "gei.h5")
    sheet, caption = show(geis, write_model(tmp_path / "m.h5", attgan))
    assert caption == (
        "002/nm-01/000 by attgan, paired, trained to show 090 nm; the model has never seen this "
        "person"
    )
    assert sheet.ndim == 2
    assert drawn["title"] == caption
    assert drawn["columns"] == ["source", "000", "054", "090"]
    assert drawn["rows"] == ["nm, translated", "nm, true", "cl, translated", "cl, true"]
    cells = drawn["cells"]
    source = IMAGES[row_of("002", "nm", 1, 0.0)]
    assert np.array_equal(cells[0][0], source)
    assert all((cells[row][0] == 255).all() for row in (1, 2, 3))
    for line, condition in ((0, "nm"), (2, "cl")):
        for column, view in enumerate(VIEWS, start=1):
            made = attgan.translate(source[None], Aim(view, condition))[0]
            assert np.abs(cells[line][column] - made).max() < 0.51
    for column, view in enumerate(VIEWS, start=1):
        assert np.array_equal(cells[1][column], IMAGES[row_of("002", "nm", 1, view)])
    assert np.array_equal(cells[3][2], IMAGES[row_of("002", "cl", 1, 54.0)])
    assert cells[3][3] is None, "nobody walked in a coat at 90 degrees"


def test_any_other_system_shows_source_translation_and_truth(
    tmp_path: Path, drawn: dict[str, Any]
) -> None:
    model = write_model(
        tmp_path / "m.h5", GaitGAN(GaitGANConfig(image_size=SIZE, width=2), device="cpu")
    )
    _, caption = show(write_geis(tmp_path / "gei.h5"), model, "001", 54.0)
    assert caption == (
        "001/nm-01/054 by gaitgan, faithful, trained to show 090 nm; the model has seen this person"
    )
    assert drawn["columns"] == ["source", "translation", "truth"]
    assert drawn["rows"] == ["to 090 nm"]
    (source, _, truth), *others = drawn["cells"]
    assert others == []
    assert np.array_equal(source, IMAGES[row_of("001", "nm", 1, 54.0)])
    assert np.array_equal(truth, IMAGES[row_of("001", "nm", 1, 90.0)])


def test_the_truth_is_of_the_same_walk_where_there_is_one(tmp_path: Path) -> None:
    with open_artifact(write_geis(tmp_path / "gei.h5")) as artifact:
        second = SequenceKey("001", "nm", 2, 0.0)
        assert true_row(artifact, second, 90.0, "nm") == row_of("001", "nm", 2, 90.0)
        assert true_row(artifact, second, 0.0, "cl") == row_of("001", "cl", 1, 0.0)
        assert true_row(artifact, second, 18.0, "nm") is None


def test_geis_that_the_model_cannot_have_learned_from_are_refused(
    tmp_path: Path, attgan: AttGAN
) -> None:
    model = write_model(tmp_path / "m.h5", attgan)
    other = write_geis(tmp_path / "other.h5", parameters={"gei": {"cycles": "whole"}})
    with pytest.raises(MixtureError, match="gei.cycles is whole here"):
        show(other, model)
    larger = write_geis(tmp_path / "larger.h5", arrays={"gei": IMAGES.repeat(2, axis=1)})
    with pytest.raises(MixtureError, match="size is 64×32 here, 32×32 there"):
        show(larger, model)
    translated = write_geis(tmp_path / "t.h5", arrays={"gei": IMAGES.astype(np.float32)})
    with pytest.raises(MixtureError):
        show(translated, model)


def test_a_spoilt_model_is_said_to_be_spoilt(tmp_path: Path, attgan: AttGAN) -> None:
    for network in attgan.networks.values():
        for weight in network.parameters():
            weight.data.fill_(np.nan)
    with pytest.raises(ArtifactError, match="not numbers"):
        show(write_geis(tmp_path / "gei.h5"), write_model(tmp_path / "m.h5", attgan))
