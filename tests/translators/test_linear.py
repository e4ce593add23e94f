"""Translation in closed form: against the formulas written out, and on people it has never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gaitkit.analysis.fitting import linear_sizes
from gaitkit.errors import OptionError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.images import to_network
from gaitkit.training.loop import Training
from gaitkit.translators import GaitGAN, GeiSet, load
from gaitkit.translators.linear import RIDGE, STRIPS, LinearTranslation, fit_translation, pieces_of
from gaitkit.translators.onnx import onnx_model
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.recipes import RECIPES
from gaitkit.translators.sampling import TripleSampler

SIZE = 16
VIEWS = (0.0, 90.0)


def drawn(people: int, seed: int = 0, takes: int = 4) -> tuple[np.ndarray, list[SequenceKey]]:
    """GEIs whose rows 4 to 11 say who it is; from the front they are negatives, and noise is added.

    What people look like is a mixture of the same three patterns, each with another weight.
    """
    random = np.random.default_rng(seed)
    patterns = np.random.default_rng(7).uniform(0, 1, (3, 8, SIZE))
    weights = random.dirichlet(np.ones(3), people)
    keys = [
        SequenceKey(f"{seed}-{person}", "nm", take, view)
        for person in range(people)
        for view in VIEWS
        for take in range(1, takes + 1)
    ]
    images = random.integers(0, 12, (len(keys), SIZE, SIZE))
    images[:, 0, 2 : SIZE - 2] = [[200 * (key.view == 90.0)] for key in keys]
    for row, key in enumerate(keys):
        own = np.tensordot(weights[int(key.subject.split("-")[1])], patterns, 1)
        images[row, 4:12] += (200 * (own if key.view == 90.0 else 1 - own)).astype(int)
    return images.astype(np.uint8), keys


def fitted(images: np.ndarray, keys: list[SequenceKey]) -> LinearTranslation:
    network = LinearTranslation(linear_sizes((SIZE, SIZE), len(VIEWS), 8), (SIZE, SIZE))
    fit_translation(network, TripleSampler(images, Labels.from_keys(keys)))
    return network


def greys(network: LinearTranslation, images: np.ndarray) -> np.ndarray:
    found: np.ndarray = network(to_network(torch.from_numpy(images)))[:, 0].numpy()
    return 127.5 * (found + 1)


def test_a_strip_is_told_by_those_that_it_lies_in() -> None:
    # The whole is 0, its halves 1 and 2, its quarters 3 to 6, its eighths 7 to 14.
    assert pieces_of((2, 4, 8)) == (
        (0, 1, 3, 7),
        (0, 1, 3, 8),
        (0, 1, 4, 9),
        (0, 1, 4, 10),
        (0, 2, 5, 11),
        (0, 2, 5, 12),
        (0, 2, 6, 13),
        (0, 2, 6, 14),
    )
    assert pieces_of(()) == ((0,),) * STRIPS


def test_it_is_ridge_regression_to_each_persons_mean_target() -> None:
    images, keys = drawn(people=5)
    # Somebody is there more often than the others, and with one target only.
    keys, images = keys[3:], images[3:]
    network = fitted(images, keys)
    strip = 5
    with torch.no_grad():
        seen = network.vectors(to_network(torch.from_numpy(images)))[strip].double().numpy()
    target = np.empty((len(keys), 2, SIZE))
    for row, key in enumerate(keys):
        own = [k.subject == key.subject and k.view == 90.0 for k in keys]
        target[row] = images[own, 2 * strip : 2 * strip + 2].mean(axis=0) / 127.5 - 1
    x, y = seen - seen.mean(axis=0), target.reshape(len(keys), -1)
    used = np.abs(seen).max(axis=0) > 0
    assert used.sum() == 4 * 4  # Of five people, in four pieces.
    ridge = RIDGE * (x**2).mean(axis=0).sum() / used.sum()
    # Least squares with a row for each value that pulls its weights to 0.
    pulled = np.vstack([x, np.sqrt(ridge * len(x)) * np.eye(x.shape[1])])
    aimed = np.vstack([y - y.mean(axis=0), np.zeros((x.shape[1], y.shape[1]))])
    expected = np.linalg.lstsq(pulled, aimed, rcond=None)[0]
    np.testing.assert_allclose(network.matrix[strip], expected, atol=1e-5)
    at_mean = network.offset[strip].numpy() + seen.mean(axis=0) @ network.matrix[strip].numpy()
    np.testing.assert_allclose(at_mean, y.mean(axis=0), atol=1e-5)


def test_people_it_has_never_seen_look_more_like_themselves_than_like_others() -> None:
    network = fitted(*drawn(people=20))
    images, keys = drawn(people=6, seed=1)
    people = np.array([int(key.subject.split("-")[1]) for key in keys])
    from_front = np.array([key.view == 0.0 for key in keys])
    true = np.stack([images[~from_front & (people == one)].mean(axis=0) for one in range(6)])
    found = greys(network, images[from_front])
    distance = np.abs(found[:, None] - true[None]).mean(axis=(2, 3))
    right = distance.argmin(axis=1) == people[from_front]
    untranslated = np.abs(images[from_front][:, None].astype(float) - true[None]).mean(axis=(2, 3))
    assert right.mean() > 0.6
    assert (untranslated.argmin(axis=1) == people[from_front]).mean() <= 0.4


def test_people_without_a_target_are_left_out() -> None:
    images, keys = drawn(people=5)
    without = [row for row, key in enumerate(keys) if key.subject != "0-2" or key.view != 90.0]
    others = [row for row, key in enumerate(keys) if key.subject != "0-2"]
    some, four = (fitted(images[rows], [keys[row] for row in rows]) for rows in (without, others))
    torch.testing.assert_close(some.state_dict(), four.state_dict())


def test_many_images_are_computed_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = fitted(*drawn(people=5))
    monkeypatch.setattr("gaitkit.translators.linear._ROWS", 7)
    by_sevens = fitted(*drawn(people=5))
    torch.testing.assert_close(by_sevens.state_dict(), at_once.state_dict(), atol=1e-5, rtol=1e-5)


def geis(people: int = 5) -> GeiSet:
    images, keys = drawn(people)
    return GeiSet.from_arrays(
        images,
        [key.subject for key in keys],
        views=[key.view for key in keys],
        takes=[key.take for key in keys],
        dataset="drawn",
    )


def never(*given: object) -> None:
    raise AssertionError("It was computed.")


def trained(share: float) -> GaitGAN:
    model = GaitGAN(width=2, linear_share=share, adversarial_weight=0.0, l1_weight=1.0)
    return model.fit(geis(), iterations=3, batch_size=4, seed=3)


def test_gaitgan_gives_so_much_of_it() -> None:
    images = drawn(people=3, seed=2)[0]
    network, alone, both = (trained(share) for share in (0.0, 1.0, 0.25))
    assert "L" not in network.networks
    # The networks are trained as they are without it.
    for name, weight in network.networks["G"].state_dict().items():
        torch.testing.assert_close(both.networks["G"].state_dict()[name], weight)
    expected = fitted(*drawn(people=5))
    np.testing.assert_allclose(
        alone.translate(images), greys(expected, images).clip(0, 255), atol=2e-3
    )
    mean = 0.75 * network.translate(images) + 0.25 * alone.translate(images)
    np.testing.assert_allclose(both.translate(images), mean, atol=2e-3)


def test_a_training_that_goes_on_does_not_compute_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def begun(iterations: int) -> Training:
        model = GaitGAN(trained(0.5).config, device="cpu", threads=1)
        options = TranslatorOptions(iterations=iterations, batch_size=4)
        return Training(model, geis(), options, length=4)

    whole, first, second = begun(4), begun(2), begun(4)
    assert whole.run()
    assert first.run()
    monkeypatch.setattr("gaitkit.translators.systems.gaitgan.fit_translation", never)
    second.load_arrays({name: np.asarray(array) for name, array in first.arrays().items()})
    assert second.run()
    for name, weights in whole.model.state_arrays().items():
        np.testing.assert_array_equal(second.model.state_arrays()[name], weights, name)
    with pytest.raises(AssertionError, match="computed"):
        begun(4).run()


def test_its_size_is_that_of_the_data() -> None:
    model = trained(0.5)
    config = model.config
    assert (config.views, config.directions, config.mode) == (2, 4, "paired")
    assert model.networks["L"].matrix.shape == (STRIPS, 4 * 4, 2 * SIZE)


def test_a_saved_model_translates_to_the_same_bytes(tmp_path: Path) -> None:
    images = drawn(people=3, seed=2)[0]
    model = trained(0.5)
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5", device="cpu")
    np.testing.assert_array_equal(again.translate(images), model.translate(images))


def test_more_views_than_it_tells_apart_are_refused() -> None:
    model = GaitGAN(trained(0.5).config)
    images, keys = drawn(people=3)
    views = [float(row % 3) * 45 for row in range(len(keys))]
    with pytest.raises(OptionError, match="tell 2 views apart, these are 3"):
        model.fit(images, [key.subject for key in keys], views=views, iterations=1)


def test_a_generator_without_a_share_may_have_learned_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    alone = GaitGAN(**RECIPES["linear"].config)
    alone.warn_at_end({"spread.G": 0.0})
    assert not caplog.records
    half = GaitGAN(**{**RECIPES["linear"].config, "linear_share": 0.5})
    half.warn_at_end({"spread.G": 0.0})
    assert "train for more iterations" in caplog.text


@pytest.mark.slow
def test_an_onnx_file_gives_the_same() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    images = drawn(people=3, seed=2)[0]
    model = trained(0.7)
    session = onnxruntime.InferenceSession(onnx_model(model, {}))
    (found,) = session.run(None, {"geis": images.astype(np.float32)})
    np.testing.assert_allclose(found, model.translate(images), atol=2e-2)
