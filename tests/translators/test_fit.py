"""The front door of a translator in a notebook: arrays in, named options, errors that help."""

from __future__ import annotations

import inspect
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitkit.errors import OptionError, TrainingError
from gaitkit.training.callbacks import Callbacks
from gaitkit.training.loop import Training
from gaitkit.translators import Aim, GaitGAN, GaitGANConfig, GeiSet, StarGAN, load
from gaitkit.translators.base import Translator
from gaitkit.translators.options import TranslatorOptions

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 32, 32), dtype=np.uint8)
SUBJECTS = [name for name in "abc" for _ in range(4)]
VIEWS = [0, 90, 0, 90] * 3
CONDITIONS = ["nm", "nm", "cl", "cl"] * 3
QUICK: dict[str, Any] = {"iterations": 2, "batch_size": 4, "log_every": 1}


def gan(**settings: Any) -> GaitGAN:
    return GaitGAN(width=2, device="cpu", threads=1, **settings)


def fitted(**options: Any) -> GaitGAN:
    given = {"views": VIEWS, "conditions": CONDITIONS, **QUICK, **options}
    return gan().fit(IMAGES, SUBJECTS, **given)


def test_arrays_train_as_a_gei_set_does(tmp_path: Path) -> None:
    model = fitted()
    data = GeiSet.from_arrays(IMAGES, SUBJECTS, views=VIEWS, conditions=CONDITIONS)
    config = GaitGANConfig(width=2, image_size=(32, 32))
    other = GaitGAN(config, device="cpu", threads=1).fit(data, **QUICK)
    # The size is the data's where no config was given.
    assert model.config == config
    for name, weights in other.state_arrays().items():
        assert np.array_equal(weights, model.state_arrays()[name])
    model.save(str(tmp_path / "model.h5"))
    again = load(str(tmp_path / "model.h5"), device="cpu", threads=1)
    assert np.array_equal(again.translate(IMAGES), model.translate(data))
    assert np.array_equal(model.translate(IMAGES / 255), model.translate(IMAGES.astype(float)))


def test_the_data_decide_views_and_conditions_too() -> None:
    model = StarGAN(width=2, residual_blocks=0, depth=2, device="cpu", threads=1)
    model.fit(IMAGES, SUBJECTS, views=VIEWS, conditions=CONDITIONS, **QUICK)
    assert (model.config.views, model.config.conditions) == ((0.0, 90.0), ("cl", "nm"))


def test_a_size_that_was_given_is_kept() -> None:
    for model in (gan(image_size=(64, 64)), GaitGAN(GaitGANConfig(width=2), device="cpu")):
        with pytest.raises(OptionError, match=r"take GEIs of \(64, 64\) pixels, these have"):
            model.fit(IMAGES, SUBJECTS, views=VIEWS, **QUICK)


def test_every_option_is_in_the_signature() -> None:
    shown = inspect.signature(Translator.fit).parameters
    assert set(TranslatorOptions.names()) <= set(shown)
    assert not any(item.kind is inspect.Parameter.VAR_KEYWORD for item in shown.values())
    assert {"width", "l1_weight", "image_size", "device"} <= set(
        inspect.signature(GaitGAN).parameters
    )


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        (lambda: gan().fit(IMAGES, iteration=2), "no option 'iteration'", "Did you mean 'iterat"),
        (lambda: gan(widht=3), "GaitGAN has no setting 'widht'", "Did you mean 'width'?"),
        (lambda: gan(iterations=3), "iterations is an option of fit", "fit"),
        (
            lambda: GaitGANConfig.from_parameters({"widht": 3}),
            "unknown setting 'widht' of GaitGANConfig",
            "Did you mean 'width'?",
        ),
        (
            lambda: TranslatorOptions.from_parameters({"warpp": 1.0}),
            "no option 'warpp' of a training",
            "Did you mean 'warp'?",
        ),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest_right_one(
    call: Any, message: str, hint: str
) -> None:
    with pytest.raises(OptionError, match=message.replace("?", r"\?")) as caught:
        call()
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES[0]}, r"expected GEIs of shape \(n, height, width\).*\(32, 32\)"),
        ({"images": IMAGES[..., None].repeat(3, axis=3)}, r"got an array of shape \(12, 32, 32, 3"),
        ({"images": IMAGES > 99}, "got the type bool"),
        ({"images": (IMAGES > 99).astype(np.uint8)}, "0 and 1 only, which are masks"),
        ({"images": IMAGES.astype(float) - 1}, "from 0 to 255, found -1 to 254"),
        ({"images": np.full(IMAGES.shape, np.nan)}, "finite numbers, found NaN"),
        ({"images": IMAGES.astype(str)}, "found a ndarray of <U"),
        ({"images": IMAGES / 255 * 1.5}, "from 0 to 255, found 0 to 1.5"),
        ({"images": [IMAGES[0], IMAGES[1][:5]]}, r"one size, found \(32, 32\) first and \(5, 32"),
        ({"images": IMAGES[:, :, :3]}, "looks like a colour picture"),
        ({"images": IMAGES.astype(object)}, "found a ndarray of object"),
        ({"images": None}, "found None"),
        ({"subjects": 5}, "`subjects` must have a value for each of the 12 images, got 5"),
        ({"subjects": (name for name in SUBJECTS)}, "`subjects` must have a value .* generator"),
        ({"subjects": [None] * 12}, "`subjects` must be names or whole numbers, got None in row 0"),
        ({"subjects": [b"a"] * 12}, "`subjects` must be names or whole numbers, got b'a' in row 0"),
        ({"views": 90}, "`views` must have a value for each of the 12 images, got 90"),
        ({"takes": [10**30] * 12}, "`takes` must be whole numbers, got 1000"),
        ({"subjects": SUBJECTS[1:]}, "`subjects` must have a value for each of the 12 .* 11 val"),
        ({"subjects": None}, "label an array of GEIs, beside `subjects`"),
        ({"subjects": ["a/b"] * 12}, "`subjects` must be names without a slash, got 'a/b'"),
        ({"views": ["x"] * 12}, "`views` must be degrees"),
        ({"views": [0]}, "`views` must have a value for each of the 12 images, got 1 value"),
        ({"takes": [1.5] * 12}, r"`takes` must be whole numbers, got 1\.5 in row 0"),
        ({"images": "nowhere.h5", "subjects": None, "views": None}, "nowhere.h5"),
    ],
)
def test_data_that_are_no_geis_are_refused(changes: dict[str, Any], message: str) -> None:
    given = {"images": IMAGES, "subjects": SUBJECTS, "views": VIEWS, **changes}
    with pytest.raises(Exception, match=message) as caught:
        gan().fit(given.pop("images"), given.pop("subjects"), **given, **QUICK)
    assert type(caught.value).__module__ == "gaitkit.errors"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"views": None}, "found 0 among 12 GEIs of 3 people"),
        ({"subjects": ["a"] * 12}, "found 1 among 12 GEIs of 1 person"),
    ],
)
def test_nobody_to_be_told_apart_is_refused(changes: dict[str, Any], found: str) -> None:
    given = {"subjects": SUBJECTS, "views": VIEWS, **changes}
    with pytest.raises(TrainingError, match=f"at least two people who have a .*{found}") as caught:
        gan().fit(IMAGES, given.pop("subjects"), **given, **QUICK)
    assert "`target_view`" in str(caught.value.hint)


def test_an_array_alone_says_what_is_missing() -> None:
    with pytest.raises(OptionError, match="need to be told whom they show"):
        gan().fit(IMAGES, **QUICK)


def test_progress_is_told_to_a_function_or_shown_where_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[int, int]] = []
    steps: list[int] = []
    fitted(
        progress=lambda done, total: told.append((done, total)),
        callbacks=Callbacks(on_step=lambda step, total: steps.append(step)),
    )
    assert (told, steps) == ([(1, 2), (2, 2)], [1, 2])
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    for progress in (None, False):
        fitted(progress=progress)
    assert stream.getvalue() == ""
    fitted(progress=True)
    assert "iterations" in stream.getvalue()


def test_what_a_notebook_shows_is_short() -> None:
    model = fitted()
    assert isinstance(model.training, Training)
    for shown in (model, model.training, model.training.data):
        assert 1 <= len(repr(shown).splitlines()) <= 3
        assert len(repr(shown)) < 400
        table = shown._repr_html_()
        assert table.startswith("<table>")
        assert len(table) < 800
    assert "width 2" in repr(model)
    assert "2 iterations" in repr(model)
    assert "12 GEIs of 32×32 pixels, 3 people" in repr(model.training.data)
    assert "2 of 2 iterations on 3 people" in repr(model.training)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gan(seed="x"), "`seed` must be a whole number"),
        (lambda: gan(seed=-1), "`seed` must be a whole number"),
        (lambda: GaitGAN(threads="a"), "threads must be in"),
        (lambda: gan(config=32), "`config` must be a GaitGANConfig, got 32"),
        (lambda: gan().save(None), "`path` must be the path of a file, got None"),
        (lambda: GaitGAN.load(3), "`path` must be the path of a file, got 3"),
        (lambda: gan().translate(IMAGES, 54), "`aim` must be an Aim, got 54"),
        (lambda: gan().translate(IMAGES, Aim(view="54")), "`view` must be a number, got '54'"),
        (
            lambda: gan(image_size=(32, 32)).translate(IMAGES, batch_size=0),
            "`batch_size` must be a whole number",
        ),
        (lambda: gan().translate(IMAGES, batchsize=2), "no option 'batchsize'"),
        (lambda: fitted(warp="a"), "warp must be a number, got 'a'"),
        (lambda: fitted(target_view="90"), "target_view must be a number of degrees, got '90'"),
        (lambda: fitted(target_condition=["nm"]), "target_condition must be text"),
        (lambda: fitted(balanced="yes"), "balanced must be True or False"),
        (lambda: fitted(callbacks=print), "`callbacks` must be a Callbacks"),
    ],
)
def test_values_of_another_kind_are_refused(call: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        call()


def test_numbers_of_numpy_and_floats_of_any_kind_are_as_good() -> None:
    plain = fitted()
    given = {name: np.int64(value) for name, value in QUICK.items()}
    model = gan().fit(
        IMAGES, np.array(SUBJECTS), views=np.array(VIEWS), conditions=np.array(CONDITIONS), **given
    )
    wanted = plain.translate(IMAGES)
    assert np.array_equal(model.translate(IMAGES), wanted)
    for dtype in (">f4", np.longdouble, np.float64):
        assert np.array_equal(model.translate(IMAGES.astype(dtype)), wanted)
    assert np.array_equal(model.translate(np.asfortranarray(IMAGES)), wanted)


def test_nobody_whom_a_model_has_seen_is_forgotten(tmp_path: Path) -> None:
    model = fitted()
    others = [name.upper() for name in SUBJECTS]
    with pytest.raises(OptionError, match="has learned from other images"):
        model.fit(IMAGES, others, views=VIEWS, **QUICK)
    model.fit(IMAGES, SUBJECTS, views=VIEWS, conditions=CONDITIONS, **{**QUICK, "iterations": 3})
    assert model.steps_done == 3
    model.save(tmp_path / "model.h5")
    with pytest.raises(OptionError, match="was read from a file"):
        GaitGAN.load(tmp_path / "model.h5").fit(IMAGES, others, views=VIEWS, **QUICK)


def test_a_training_that_is_done_already_says_so(caplog: pytest.LogCaptureFixture) -> None:
    model = fitted()
    model.fit(IMAGES, SUBJECTS, views=VIEWS, conditions=CONDITIONS, **{**QUICK, "iterations": 1})
    assert "trained for 2 iterations" in caplog.text
