"""All figures of an evaluation, against slow and obvious computations of the same."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_people import WALKS, people_images, people_labels
from sklearn.metrics import average_precision_score

from gaitkit.dropped import DroppedRow
from gaitkit.identification.comparison_scores import ScoreKeeper
from gaitkit.identification.crossview import match_views, vote
from gaitkit.identification.figures.bootstrap import draw_people
from gaitkit.identification.figures.numbers import all_numbers, failed_probes
from gaitkit.identification.figures.open_set import open_set_searches
from gaitkit.identification.figures.rates import (
    average_precision,
    equal_error_rate,
    error_curve,
)
from gaitkit.identification.figures.verification import PairDraws, _cells, _redrawn
from gaitkit.identification.matching import search
from gaitkit.identification.metrics import get_metric
from gaitkit.protocols import PROTOCOLS, resolve
from gaitkit.stages.evaluate import evaluate

VIEWS = np.array([0.0, 54.0, 90.0])


def searched(vectors, labels, gallery, probe, **options):
    shared = {"metric": get_metric("euclidean"), "gallery_views": VIEWS}
    keeper = ScoreKeeper(labels, gallery, probe, **shared, **options)
    matches = match_views(vectors, labels, gallery, probe, observe=keeper, **shared)
    precision = keeper.scores.average_precision
    return replace(matches, average_precision=precision), keeper.scores


def numbers_of(labels, vectors, seed=0, **options):
    split = resolve(PROTOCOLS["halves"], labels)
    matches, scores = searched(vectors, labels, split.gallery, split.probe)
    failed = failed_probes(split, [], labels, VIEWS)
    return (
        matches,
        scores,
        all_numbers(matches, scores, split, labels, VIEWS, failed, draws=200, seed=seed, **options),
    )


def floats(labels, seed=0):
    return people_images(labels, seed=seed).reshape(len(labels), -1) + np.random.default_rng(
        seed
    ).random((len(labels), 64))


def test_scores_are_the_distances_to_the_nearest_row_of_each_person():
    labels = people_labels("abcdef")
    vectors = floats(labels)
    matches, scores, _ = numbers_of(labels, vectors)
    gallery = (labels.condition == "nm") & (labels.take <= 4) & (labels.subject >= "d")
    for probe in (0, 11):
        row = matches.probe_rows[probe]
        for view in range(3):
            rows = np.flatnonzero(gallery & (labels.view == VIEWS[view]))
            distance = np.sqrt(((vectors[rows] - vectors[row]) ** 2).sum(axis=1))
            nearest = [distance[labels.subject[rows] == name].min() for name in "def"]
            np.testing.assert_allclose(scores.distance[probe, view], nearest, rtol=1e-5)
            mates = labels.subject[rows] == labels.subject[row]
            expected = average_precision_score(mates, -distance)
            assert scores.average_precision[probe, view] == pytest.approx(expected)


def test_error_rates_are_means_over_cells_and_pooled_ones_are_not():
    labels = people_labels("abcdefghij")
    matches, scores, numbers = numbers_of(labels, floats(labels))
    member = labels.condition[matches.probe_rows] == "bg"
    rates, all_genuine, all_impostor = [], [], []
    for gallery_view in range(3):
        for probe_view in {0, 1, 2} - {gallery_view}:
            rows = member & (matches.probe_views == VIEWS[probe_view])
            mates = scores.probe_people[rows][:, None] == scores.people
            distance = scores.distance[rows, gallery_view]
            curve = error_curve(distance[mates], distance[~mates])
            rates.append(equal_error_rate(curve.fmr, curve.fnmr))
            all_genuine.append(distance[mates])
            all_impostor.append(distance[~mates])
    found = numbers["bg"].verification
    assert found.eer.estimate == pytest.approx(100 * np.mean(rates))
    assert found.eer.low <= found.eer.estimate <= found.eer.high
    pooled = error_curve(np.concatenate(all_genuine), np.concatenate(all_impostor))
    assert found.pooled_eer == pytest.approx(100 * equal_error_rate(pooled.fmr, pooled.fnmr))
    assert found.genuine.sum() == 6 * 10
    assert found.impostor.sum() == 6 * 10 * 4
    # 40 impostors in a cell cannot show one in a hundred.
    assert np.isnan(found.fnmr_at[0.01].estimate)


def test_intervals_of_the_equal_error_rate_count_pairs_by_their_draws():
    labels = people_labels([f"{n:02d}" for n in range(24)])
    matches, scores, numbers = numbers_of(labels, floats(labels))
    rows = np.flatnonzero(labels.condition[matches.probe_rows] == "nm")
    draws = PairDraws(scores.people, draws=200, seed=0)
    means = []
    for drawn in draws.of_unit[:40]:
        rates = []
        for gallery_view in range(3):
            for probe_view in {0, 1, 2} - {gallery_view}:
                inside = rows[matches.probe_views[rows] == VIEWS[probe_view]]
                own = np.searchsorted(scores.people, scores.probe_people[inside])
                mates = own[:, None] == np.arange(len(drawn))
                weight = (drawn[own][:, None] * drawn).astype(int)
                distance = scores.distance[inside, gallery_view]
                genuine = np.repeat(distance[mates], drawn[own].astype(int))
                impostor = np.repeat(distance[~mates], weight[~mates])
                curve = error_curve(genuine, impostor)
                rates.append(equal_error_rate(curve.fmr, curve.fnmr))
        means.append(100 * np.mean(rates))
    # The same forty draws, counted at a few thresholds only.
    cells = ~np.eye(3, dtype=bool)
    member = np.isin(np.arange(len(matches.probe_rows)), rows)
    view = np.searchsorted(VIEWS, matches.probe_views)
    quick = np.zeros(200)
    for cell in _cells(scores, member, view, cells):
        curve = error_curve(cell.genuine, cell.impostor)
        quick += 100 * _redrawn(cell, equal_error_rate(curve.fmr, curve.fnmr), draws)[0.0] / 6
    np.testing.assert_allclose(quick[:40], means, atol=0.6)
    found = numbers["nm"].verification.eer
    np.testing.assert_allclose([found.low, found.high], np.percentile(quick, [2.5, 97.5]))


def test_many_people_are_drawn_in_groups():
    pairs = PairDraws(np.arange(600), draws=3)
    assert pairs.of_unit.shape == (3, 256)
    assert np.bincount(pairs.units).tolist() == [3] * 88 + [2] * 168


def test_people_are_left_out_of_the_gallery_in_turn():
    labels = people_labels([f"{n:02d}" for n in range(20)])
    matches, scores, numbers = numbers_of(labels, floats(labels))
    searches = open_set_searches(scores, seed=0)
    probes = len(matches.probe_rows)
    # Ten people in five folds: each probe is searched once without its person, four times with.
    assert len(searches.probe) == probes * 3
    assert len(searches.mate) == 4 * probes * 3
    np.testing.assert_array_equal(np.bincount(searches.probe), 3)
    own = scores.probe_people[searches.probe][:, None] == scores.people
    distance = scores.distance[searches.probe, searches.view]
    # Left out are the person themselves and one more: the nearest is one of the two nearest others.
    others = np.sort(np.where(own, np.inf, distance), axis=1)
    assert ((searches.nearest == others[:, 0]) | (searches.nearest == others[:, 1])).all()
    found = numbers["nm"].open_set
    assert (found.mated, found.non_mated) == (4 * 20 * 6, 20 * 6)
    assert (np.diff(found.tpir) >= -1e-9).all()
    # 120 searches for strangers cannot show one in a hundred.
    assert np.isnan(found.tpir_at[0.01].estimate)


def test_three_people_are_too_few_to_leave_some_out():
    labels = people_labels("abcdef")
    _, _, numbers = numbers_of(labels, floats(labels))
    assert numbers["nm"].open_set is None


def test_the_headline_of_the_numbers_is_that_of_the_tables(write_gei):
    (result,) = evaluate(write_gei())
    for name, numbers in result.numbers.items():
        assert numbers.rank1.estimate == result.headline(name)
        assert numbers.rank1.low <= numbers.rank1.estimate <= numbers.rank1.high
        assert numbers.cmc[0] == pytest.approx(numbers.rank1.estimate)
        assert numbers.cmc[-1] == 100.0
        assert numbers.pooled_cmc[0] == pytest.approx(numbers.pooled_rank1)


def test_pooling_weighs_searches_and_the_headline_weighs_cells(write_gei):
    labels = people_labels([f"p{n}" for n in range(8)])
    random = np.random.default_rng(0)
    kept = (labels.condition != "bg") | (labels.view == 0.0) | (random.random(len(labels)) < 0.4)
    (result,) = evaluate(write_gei(labels=labels.select(kept)))
    table, numbers = result.tables["bg"], result.numbers["bg"]
    used = ~table.identical & (table.probes > 0)
    pooled = np.average(table.rate[used], weights=table.probes[used])
    assert numbers.pooled_rank1 == pytest.approx(pooled)
    assert numbers.rank1.estimate == pytest.approx(table.rate[used].mean())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.25, 8.0]))
def test_neither_the_order_of_rows_nor_the_scale_changes_a_figure(seed, scale):
    labels = people_labels([f"{n:02d}" for n in range(12)])
    vectors = floats(labels, seed=seed % 100)
    order = np.random.default_rng(seed).permutation(len(labels))
    _, _, one = numbers_of(labels, vectors)
    _, _, other = numbers_of(labels.select(order), scale * vectors[order])
    for name in one:
        for figure in ("rank1", "rank5", "mean_ap"):
            np.testing.assert_allclose(getattr(one[name], figure), getattr(other[name], figure))
        first, second = one[name].verification, other[name].verification
        np.testing.assert_allclose(first.eer, second.eer, atol=1e-4)
        np.testing.assert_allclose(first.fnmr, second.fnmr, atol=1e-4)
        np.testing.assert_allclose(one[name].open_set.tpir, other[name].open_set.tpir, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_a_hopeless_person_in_the_gallery_changes_no_rank_and_no_precision(seed):
    labels = people_labels("abcdefgh")
    vectors = floats(labels, seed=seed % 100)
    stranger = people_labels("z", walks=WALKS[:4])
    split = resolve(PROTOCOLS["halves"], labels)
    one, _ = searched(vectors, labels, split.gallery, split.probe)
    keys = [*labels.keys(), *stranger.keys()]
    both = type(labels).from_keys(keys)
    far = np.concatenate([vectors, np.full((len(stranger), 64), 1e4)])
    gallery = np.concatenate([split.gallery, np.ones(len(stranger), dtype=bool)])
    probe = np.concatenate([split.probe, np.zeros(len(stranger), dtype=bool)])
    other, _ = searched(far, both, gallery, probe)
    np.testing.assert_array_equal(one.rank, other.rank)
    np.testing.assert_allclose(one.average_precision, other.average_precision)


def test_a_vote_by_hand():
    # Neighbours of one probe of person 1 in three galleries.
    voters = np.array([[[0, 1, 1], [0, 1, 2], [0, 2, 2]]])
    by_distance = np.array([[2, 2, 3]])
    # Two votes against one; all even, so by distance; no vote, so still third.
    assert vote(voters, np.array([1]), by_distance).tolist() == [[1, 2, 3]]
    few = np.array([[[1, -1, -1], [-1, -1, -1], [0, 0, 1]]])
    assert vote(few, np.array([1]), np.array([[1, 0, 2]])).tolist() == [[1, 0, 2]]


def test_voting_neighbours_decide(write_gei):
    path = write_gei()
    (nearest,), (voted,) = evaluate(path), evaluate(path, k=3)
    assert voted.k == 3
    matches, labels = voted.matches, voted.labels
    for probe in range(len(matches.probe_rows)):
        names = labels.subject[matches.neighbours[probe, 1, :3]].tolist()
        winner = max(names, key=lambda name: (names.count(name), -names.index(name)))
        own = labels.subject[matches.probe_rows[probe]]
        assert matches.correct[probe, 1] == (winner == own)
    np.testing.assert_array_equal(nearest.matches.nearest_row, matches.nearest_row)


def dropped_probe(subject="p6", condition="bg", take=1, view=0.0, reason="no-frames"):
    return DroppedRow(subject, condition, take, view, "", reason, "")


def test_failures_to_acquire_are_counted_and_by_option_errors(write_gei):
    labels = people_labels([f"p{n}" for n in range(8)])
    lost = (labels.subject == "p6") & (labels.condition == "bg") & (labels.view == 0.0)
    dropped = [
        dropped_probe(),
        dropped_probe(take=2),
        dropped_probe(subject="p1"),
        dropped_probe(condition="nm", take=1, view=54.0),
        dropped_probe(subject="p7", reason="duplicate"),
        dropped_probe()._replace(frame="001.png", reason="empty"),
    ]
    path = write_gei(labels=labels.select(~lost), dropped=dropped)
    (plain,), (counted,) = evaluate(path), evaluate(path, count_failures=True)
    failures = plain.numbers["bg"].failures_to_acquire
    assert (failures.count, failures.of, failures.counted) == (2, 24, False)
    assert plain.numbers["nm"].failures_to_acquire.count == 0
    assert plain.tables["bg"].probes[:, 0].tolist() == [6, 6, 6]
    assert counted.tables["bg"].probes[:, 0].tolist() == [8, 8, 8]
    np.testing.assert_allclose(
        counted.tables["bg"].rate[:, 0], plain.tables["bg"].rate[:, 0] * 6 / 8
    )
    assert counted.numbers["bg"].rank1.estimate == counted.headline("bg")
    assert counted.numbers["bg"].failures_to_acquire.counted
    assert counted.numbers["nm"].rank1 == plain.numbers["nm"].rank1


def test_rounding_each_cell_first_is_another_mean(write_gei):
    labels = people_labels([f"p{n}" for n in range(6)])
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8)).astype(np.uint8)
    path = write_gei(labels=labels, images=images)
    (plain,), (rounded,) = evaluate(path), evaluate(path, rounding="opengait")
    for name, table in rounded.tables.items():
        exact = plain.tables[name].rate
        np.testing.assert_array_equal(table.rate, np.round(exact, 2))
        assert rounded.numbers[name].rank1.estimate == rounded.headline(name)
    assert rounded.headline("nm") != plain.headline("nm")


def test_drawing_starts_from_the_seed(write_gei):
    path = write_gei()
    (one,), (same,), (other,) = (evaluate(path, seed=seed) for seed in (0, 0, 1))
    assert one.numbers["nm"].rank1 == same.numbers["nm"].rank1
    assert one.numbers["nm"].rank1.estimate == other.numbers["nm"].rank1.estimate
    assert draw_people(4, seed=0).tolist() != draw_people(4, seed=1).tolist()


def test_too_many_comparisons_leave_the_closed_set(caplog):
    labels = people_labels([f"{n:02d}" for n in range(12)])
    vectors = floats(labels)
    split = resolve(PROTOCOLS["halves"], labels)
    matches, scores = searched(vectors, labels, split.gallery, split.probe, most=100)
    assert "too many comparisons to keep" in caplog.text
    failed = failed_probes(split, [], labels, VIEWS)
    numbers = all_numbers(matches, scores, split, labels, VIEWS, failed, draws=200)
    _, _, whole = numbers_of(labels, vectors)
    for name, found in numbers.items():
        assert found.verification is None
        assert found.open_set is None
        assert found.mean_ap == whole[name].mean_ap
        np.testing.assert_array_equal(found.cmc, whole[name].cmc)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_precision_is_of_the_list_that_float64_makes(metric):
    """Of rows that single precision cannot tell apart, or that are equal: the first comes first."""
    labels = people_labels("abcdef")
    random = np.random.default_rng(0)
    vectors = np.float32(1) + random.random((len(labels), 40), dtype=np.float32) * np.float32(1e-3)
    vectors[::7] = vectors[0]
    split = resolve(PROTOCOLS["halves"], labels)
    chosen = get_metric(metric)
    shared = {"metric": chosen, "gallery_views": VIEWS}
    keeper = ScoreKeeper(labels, split.gallery, split.probe, vectors=vectors, **shared)
    match_views(vectors, labels, split.gallery, split.probe, observe=keeper, **shared)
    gallery, probe = np.flatnonzero(split.gallery), np.flatnonzero(split.probe)
    for place, row in enumerate(probe):
        for number, view in enumerate(VIEWS):
            rows = gallery[labels.view[gallery] == view]
            exact = chosen.direct(vectors[rows], np.repeat(vectors[row][None], len(rows), axis=0))
            mates = labels.subject[rows] == labels.subject[row]
            expected = average_precision(exact[None], mates[None])[0]
            assert keeper.scores.average_precision[place, number] == pytest.approx(expected)


def test_a_gallery_in_several_blocks_has_the_same_scores():
    labels = people_labels("abcdef")
    vectors = floats(labels)
    split = resolve(PROTOCOLS["halves"], labels)
    gallery, probe = np.flatnonzero(split.gallery), np.flatnonzero(split.probe)
    people = np.unique(labels.subject.astype(str), return_inverse=True)[1]
    found = []
    for rows, entries in ((None, 1 << 20), (5, 20)):
        metric = get_metric("euclidean")
        keeper = ScoreKeeper(labels, split.gallery, split.probe, metric=metric, gallery_views=VIEWS)
        search(
            vectors[gallery],
            people[gallery],
            vectors[probe],
            people[probe],
            metric=metric,
            groups=[np.flatnonzero(labels.view[gallery] == view) for view in VIEWS],
            observe=keeper,
            block_rows=rows,
            block_entries=entries,
        )
        found.append(keeper.scores)
    np.testing.assert_allclose(found[0].distance, found[1].distance, rtol=1e-6)
    np.testing.assert_allclose(found[0].average_precision, found[1].average_precision)
