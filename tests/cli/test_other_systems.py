"""train-gan --model, --paired and --also; translate --to-view, --to-condition and --strength."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.labels import Labels, SequenceKey

SMALL = (
    *("--batch-size", 4, "--device", "cpu", "--threads", 1, "--width", 2, "--iterations", 6),
    *("--protocol", "halves"),
)


def write_geis(path: Path, dataset: str, domains: list[tuple[str, float]]) -> Path:
    keys = [
        SequenceKey(f"{subject:03d}", condition, take, view)
        for subject in range(1, 5)
        for condition, view in domains
        for take in ((1, 2) if condition == "nm" else (1,))
    ]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), 32, 32), dtype=np.uint8)
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": images},
        labels=Labels.from_keys(keys),
        dropped=[],
        parameters={"gei": {}},
        dataset=dataset,
    )
    return path


@pytest.fixture
def geis(tmp_path: Path) -> Path:
    domains = [(condition, view) for condition in ("nm", "cl") for view in (0.0, 90.0)]
    return write_geis(tmp_path / "gei.h5", "drawn", domains)


@pytest.fixture
def stargan(gaitkit: Callable, geis: Path, tmp_path: Path) -> Path:
    path = tmp_path / "stargan.h5"
    ran = gaitkit("train-gan", geis, "-o", path, "--model", "stargan", *SMALL)
    assert ran.code == 0, ran.stderr
    return path


def test_a_system_is_chosen_by_name(gaitkit: Callable, stargan: Path) -> None:
    with open_artifact(stargan, "translator") as artifact:
        told = artifact.parameters["translator"]
        options = artifact.parameters["training"]
    assert told["name"] == "stargan"
    assert told["config"]["views"] == [0.0, 90.0]
    assert told["config"]["conditions"] == ["cl", "nm"]
    assert (options["iterations"], options["batch_size"]) == (6, 4)


def test_paired_adds_the_discriminator_of_pairs(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    path = tmp_path / "paired.h5"
    ran = gaitkit(
        *("train-gan", geis, "-o", path, "--model", "attgan", "--paired"),
        *("--set", "pair_width=2", "--set", "n_critic=1"),
        *SMALL,
    )
    assert ran.code == 0, ran.stderr
    assert "pair.L1" in ran.stderr
    with open_artifact(path, "translator") as artifact:
        assert artifact.names("weights/A/")


def test_training_on_reads_settings_of_the_models_own_system(
    gaitkit: Callable, geis: Path, stargan: Path
) -> None:
    more = ["--resume", "--iterations", 8, "--threads", 1, "--device", "cpu"]
    ran = gaitkit("train-gan", geis, "-o", stargan, *more, "--set", "l1_weight=1")
    assert ran.code == 2
    assert "there is no setting 'l1_weight'" in ran.stderr
    ran = gaitkit("train-gan", geis, "-o", stargan, *more, "--set", "forced=0.5")
    assert ran.code == 2
    assert "translator.config.forced was 0.25, now it is 0.5" in ran.stderr
    assert gaitkit("train-gan", geis, "-o", stargan, *more).code == 0
    with open_artifact(stargan, "translator") as artifact:
        assert int(artifact.read("step")) == 8


def test_a_recipe_of_another_system_is_refused(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    ran = gaitkit(
        "train-gan", geis, "-o", tmp_path / "m.h5", "--model", "stargan", "--recipe", "best"
    )
    assert ran.code == 2
    assert "the recipe 'best' is one of gaitgan, not of stargan" in ran.stderr


def test_any_view_and_condition_can_be_asked_for(
    gaitkit: Callable, geis: Path, stargan: Path, tmp_path: Path
) -> None:
    shown = {}
    for name, asked in {
        "target": (),
        "same": ("--to-view", 90, "--to-condition", "nm"),
        "coat": ("--to-condition", "cl"),
        "front": ("--to-view", 0),
    }.items():
        path = tmp_path / f"{name}.h5"
        ran = gaitkit("translate", geis, "--model", stargan, "-o", path, *asked)
        assert ran.code == 0, ran.stderr
        with open_artifact(path, "gei") as artifact:
            shown[name] = artifact.read("gei")
            aim = artifact.parameters["translator"].get("aim")
            # The labels stay those of the walk that it was made from.
            assert set(artifact.labels.conditions()) == {"nm", "cl"}
        # The same images have the same parameters, however they were asked for.
        assert (aim is None) is (name in ("target", "same"))
    np.testing.assert_array_equal(shown["target"], shown["same"])
    assert not np.array_equal(shown["target"], shown["coat"])
    assert not np.array_equal(shown["target"], shown["front"])


def test_other_targets_than_90_nm(gaitkit: Callable, tmp_path: Path) -> None:
    geis = write_geis(tmp_path / "hall.h5", "hall", [("plain", 45.0), ("plain", 0.0), ("hat", 0.0)])
    model, translated = tmp_path / "m.h5", tmp_path / "t.h5"
    ran = gaitkit("train-gan", geis, "-o", model, "--model", "stargan", *SMALL)
    assert ran.code == 2
    assert "must be among those of the data, which are 000, 045 and hat, plain" in ran.stderr
    assert "Choose others with --target-view and --target-condition." in ran.stderr
    target = ("--target-view", 45, "--target-condition", "plain")
    for system in ("stargan", "gaitgan"):
        ran = gaitkit(
            *("train-gan", geis, "-o", model, "--model", system, "--overwrite", *SMALL), *target
        )
        assert ran.code == 0, ran.stderr
        ran = gaitkit("translate", geis, "--model", model, "-o", translated, "--overwrite")
        assert ran.code == 0, ran.stderr
        with open_artifact(translated, "gei") as artifact:
            told = artifact.parameters["translator"]
        assert told["target"] == [45.0, "plain"]
        assert (told["aim"]["view"], told["aim"]["condition"]) == (45.0, "plain")


def test_a_recipe_with_pairs_of_its_own_is_not_paired_again(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    best = ("--recipe", "best")
    ran = gaitkit("train-gan", geis, "-o", tmp_path / "m.h5", *best, "--paired", *SMALL)
    assert ran.code == 2
    assert "The recipe best compares with a person's own targets already" in ran.stderr
    assert gaitkit("train-gan", geis, "-o", tmp_path / "m.h5", *best, *SMALL).code == 0
    ran = gaitkit("translate", geis, "--model", tmp_path / "m.h5", "-o", tmp_path / "t.h5")
    assert ran.code == 0, ran.stderr
    with open_artifact(tmp_path / "t.h5", "gei") as artifact:
        told = artifact.parameters["translator"]
    assert (told["name"], told["mode"], told["recipe"]) == ("gaitgan", "paired", "best")


def test_a_view_that_the_model_never_saw_is_refused_with_those_it_knows(
    gaitkit: Callable, geis: Path, stargan: Path, tmp_path: Path
) -> None:
    output = tmp_path / "t.h5"
    ran = gaitkit("translate", geis, "--model", stargan, "-o", output, "--to-view", 54)
    assert ran.code == 2
    assert "never seen the view 054°" in ran.stderr
    assert "It knows the views 000, 090." in ran.stderr
    ran = gaitkit("translate", geis, "--model", stargan, "-o", output, "--strength", 0.5)
    assert ran.code == 2
    assert "'stargan' cannot be asked for another strength" in ran.stderr
    assert not output.exists()


def test_two_data_sets_with_other_views_and_conditions_train_one_model(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    # Nobody of the other data set has a 90° normal walk, and person 001 is another person there.
    other = write_geis(tmp_path / "other.h5", "other", [("hat", 45.0), ("hat", 0.0)])
    model = tmp_path / "both.h5"
    ran = gaitkit("train-gan", geis, "--also", other, "-o", model, "--model", "stargan", *SMALL)
    assert ran.code == 0, ran.stderr
    with open_artifact(model, "translator") as artifact:
        seen = sorted((row.dataset, row.subject) for row in artifact.trained_on)
        config = artifact.parameters["translator"]["config"]
        assert len(artifact.inputs) == 2
    assert seen == [("drawn", "001"), ("drawn", "002")] + [("other", f"00{n}") for n in range(1, 5)]
    assert (config["views"], config["conditions"]) == ([0.0, 45.0, 90.0], ["cl", "hat", "nm"])
    ran = gaitkit(
        *("translate", other, "--model", model, "-o", tmp_path / "t.h5"),
        *("--to-view", 45, "--to-condition", "hat"),
    )
    assert ran.code == 0, ran.stderr
    assert gaitkit("evaluate", tmp_path / "t.h5", "--protocol", "halves").code != 0


def test_a_system_of_one_data_set_refuses_a_second(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    other = write_geis(tmp_path / "other.h5", "other", [("nm", 90.0)])
    ran = gaitkit("train-gan", geis, "--also", other, "-o", tmp_path / "m.h5", *SMALL)
    assert ran.code == 2
    assert "'gaitgan' learns from one data set at a time" in ran.stderr
    ran = gaitkit(
        *("train-gan", geis, "--also", geis, "-o", tmp_path / "m.h5", "--model", "stargan"), *SMALL
    )
    assert ran.code != 0
    assert "need different names" in ran.stderr
