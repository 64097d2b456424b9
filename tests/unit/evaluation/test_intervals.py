"""Intervals and p-values against resampling one by one, with the same draws."""

import numpy as np
import pytest

from zeroflux.evaluation import local_scores, total_scores, transfer_associations
from zeroflux.evaluation.scores import _rank_correlation
from zeroflux.evaluation.statistics import (
    Estimate,
    holm,
    partial_spearman,
    partial_spearman_p_value,
    percentile_estimate,
    resampling_counts,
    spearman,
)

N_BOOTSTRAP = 60


def expected_interval(statistic, counts: np.ndarray, value: float) -> Estimate:
    """Interval of a statistic of the units drawn, one sample after the other."""
    drawn = [np.repeat(np.arange(len(row)), row) for row in counts]
    return percentile_estimate(value, np.array([statistic(units) for units in drawn]))


def ends(estimate: Estimate) -> list[float]:
    return [estimate.low, estimate.high]


def test_intervals_of_total_errors_are_those_of_resampled_configurations():
    rng = np.random.default_rng(0)
    n_atoms = rng.integers(8, 20, size=9)
    error = 0.002 + 0.001 * rng.normal(size=9)
    (score,) = total_scores(
        predicted=n_atoms * error,
        reference=np.zeros(9),
        n_atoms=n_atoms,
        systems=["a"] * 9,
        n_bootstrap=N_BOOTSTRAP,
        rng=np.random.default_rng(1),
    )
    counts = resampling_counts(9, N_BOOTSTRAP, np.random.default_rng(1))
    statistics = {
        "rmse": lambda units: np.sqrt(np.mean(error[units] ** 2)),
        "mae": lambda units: np.mean(np.abs(error[units])),
        "centred_rmse": lambda units: np.std(error[units]),
    }
    for name, statistic in statistics.items():
        found: Estimate = getattr(score, name)
        expected = expected_interval(statistic, counts, found.value)
        np.testing.assert_allclose(ends(found), ends(expected), rtol=1e-9, err_msg=name)


def test_errors_of_both_signs_have_an_interval_of_their_size():
    """A mean absolute error is no mean error: its interval lies above zero."""
    error = np.tile([-1.0, 1.0], 10) * np.linspace(0.5, 1.5, 20)
    (score,) = total_scores(
        predicted=error,
        reference=np.zeros(20),
        n_atoms=np.ones(20, dtype=int),
        systems=["a"] * 20,
        n_bootstrap=N_BOOTSTRAP,
        rng=np.random.default_rng(0),
    )
    assert 0.5 < score.mae.low < 1.0 < score.mae.high < 1.5


def test_intervals_of_local_scores_are_those_of_resampled_configurations():
    """Configurations of different sizes; in some nothing can be ranked, which counts for none."""
    rng = np.random.default_rng(2)
    sizes = np.array([2, 7, 1, 5, 9, 2, 6, 8])
    configuration = np.repeat(np.arange(8), sizes)
    x = rng.normal(size=len(configuration))
    y = 0.7 * x + 0.5 * rng.normal(size=len(configuration))
    (score,) = local_scores(
        local_energy=y,
        reference=x,
        species=np.full(len(x), 18),
        configuration=configuration,
        systems=["a"] * 8,
        n_bootstrap=N_BOOTSTRAP,
        rng=np.random.default_rng(3),
    )
    ranks = np.array(
        [_rank_correlation(y[configuration == k], x[configuration == k]) for k in range(8)]
    )
    assert np.isnan(ranks).sum() == 3

    def atoms(units):
        return np.concatenate([np.flatnonzero(configuration == unit) for unit in units])

    statistics = {
        "rmse": lambda units: np.std((y - x)[atoms(units)]),
        "slope": lambda units: np.polyfit(x[atoms(units)], y[atoms(units)], 1)[0],
        "pearson": lambda units: np.corrcoef(x[atoms(units)], y[atoms(units)])[0, 1],
        "r2": lambda units: 1 - np.var((y - x)[atoms(units)]) / np.var(x[atoms(units)]),
        "rank_within": lambda units: np.nanmean(ranks[units]),
    }
    counts = resampling_counts(8, N_BOOTSTRAP, np.random.default_rng(3))
    for name, statistic in statistics.items():
        found: Estimate = getattr(score, name)
        assert found.value == pytest.approx(statistic(np.arange(8)), rel=1e-9)
        expected = expected_interval(statistic, counts, found.value)
        np.testing.assert_allclose(ends(found), ends(expected), rtol=1e-8, err_msg=name)


@pytest.mark.parametrize(("size", "is_ranked"), [(1e-14, False), (1e-9, True)])
def test_differences_at_the_level_of_rounding_have_no_order(size, is_ranked):
    order, rounding = np.arange(4.0), size * np.arange(4.0)
    assert np.isfinite(_rank_correlation(order, rounding)) == is_ranked
    assert np.isfinite(_rank_correlation(rounding, order)) == is_ranked


def test_two_points_have_no_rank_correlation_and_three_have():
    assert np.isnan(spearman(np.arange(2.0), np.arange(2.0)))
    assert spearman(np.arange(3.0), np.arange(3.0)) == 1.0


def test_the_first_index_without_a_system_is_refused():
    def score(n_systems: int):
        return local_scores(
            local_energy=np.arange(6.0),
            reference=np.arange(6.0),
            species=np.full(6, 18),
            configuration=np.repeat([0, 1], 3),
            systems=["a"] * n_systems,
            n_bootstrap=20,
            rng=np.random.default_rng(0),
        )

    with pytest.raises(ValueError, match="Name the system of every configuration"):
        score(1)
    assert len(score(2)) == 1  # control


def test_holm_rejects_at_the_level_itself():
    assert holm(np.array([0.05]), level=0.05)[1].tolist() == [True]
    assert holm(np.array([np.nextafter(0.05, 1.0)]), level=0.05)[1].tolist() == [False]


def networks(n: int, seed: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    local = size + 0.5 * rng.normal(size=n)
    return local, size + 0.5 * local + 0.5 * rng.normal(size=n), size[:, None]


def test_the_interval_given_covariates_resamples_the_covariates_with_the_networks():
    local, transfer, size = networks(14)
    (found,) = transfer_associations(
        local_error=local,
        transfer_error={"a": transfer},
        covariates=size,
        n_bootstrap=N_BOOTSTRAP,
        rng=np.random.default_rng(5),
    )
    draws = np.random.default_rng(5).integers(14, size=(N_BOOTSTRAP, 14))
    together = [partial_spearman(local[d], transfer[d], size[d]) for d in draws]
    expected = percentile_estimate(found.partial.value, np.array(together))
    np.testing.assert_allclose(ends(found.partial), ends(expected), rtol=1e-9)
    # control: covariates left in their places explain nothing of the networks drawn
    apart = [partial_spearman(local[d], transfer[d], size) for d in draws]
    other = percentile_estimate(found.partial.value, np.array(apart))
    assert abs(other.low - expected.low) > 0.05


def test_the_p_value_of_a_group_counts_the_networks_of_the_group():
    local, transfer, size = networks(20)
    groups = ["small"] * 8 + ["large"] * 12
    found = transfer_associations(
        local_error=local,
        transfer_error={"a": transfer},
        covariates=size,
        groups=groups,
        n_bootstrap=N_BOOTSTRAP,
        rng=np.random.default_rng(6),
    )
    assert [(a.group, a.n_models) for a in found] == [("all", 20), ("large", 12), ("small", 8)]
    for association in found:
        expected = partial_spearman_p_value(
            association.partial.value, n=association.n_models, n_covariates=1
        )
        assert association.p_value == pytest.approx(expected, rel=1e-12)
    wrong = partial_spearman_p_value(found[2].partial.value, n=20, n_covariates=1)
    assert abs(wrong - found[2].p_value) > 1e-3  # control


@pytest.mark.parametrize(("n", "is_defined"), [(4, False), (5, True)])
def test_an_association_needs_four_networks_more_than_covariates(n, is_defined):
    (found,) = transfer_associations(
        local_error=np.array([1.0, 3.0, 2.0, 4.0, 5.0])[:n],
        transfer_error={"a": np.array([2.0, 4.0, 1.0, 3.0, 5.0])[:n]},
        covariates=np.array([4.0, 1.0, 2.0, 3.0, 5.0])[:n, None],
        n_bootstrap=20,
        rng=np.random.default_rng(7),
    )
    assert np.isfinite(found.partial.value) == is_defined
    assert np.isfinite(found.p_value) == is_defined
