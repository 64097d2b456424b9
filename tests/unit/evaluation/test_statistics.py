"""Statistics against SciPy and against data whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from zeroflux.evaluation.statistics import (
    Criterion,
    Estimate,
    bootstrap,
    holm,
    partial_spearman,
    partial_spearman_p_value,
    percentile_estimate,
    resampling_counts,
    spearman,
    verdict,
)


def test_spearman_agrees_with_scipy_with_ties():
    rng = np.random.default_rng(0)
    x = rng.integers(5, size=40).astype(float)
    y = x + rng.normal(size=40)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))


def test_partial_spearman_agrees_with_the_formula_for_one_covariate():
    rng = np.random.default_rng(1)
    z = rng.normal(size=50)
    x, y = z + rng.normal(size=50), z + rng.normal(size=50)
    xy, xz, yz = spearman(x, y), spearman(x, z), spearman(y, z)
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_spearman(x, y, z[:, None]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("linked", [False, True])
def test_a_common_cause_makes_a_correlation_that_conditioning_removes(linked):
    """Known answer: z causes x and y; the control has a link besides z, which must survive."""
    rng = np.random.default_rng(2)
    z = rng.normal(size=400)
    x = z + 0.3 * rng.normal(size=400)
    y = z + 0.3 * rng.normal(size=400) + (0.5 * (x - z) if linked else 0.0)
    assert spearman(x, y) > 0.8
    partial = partial_spearman(x, y, z[:, None])
    p_value = partial_spearman_p_value(partial, n=400, n_covariates=1)
    # Under the null a partial correlation of 400 points has a standard deviation of 0.05.
    assert (abs(partial) > 0.2) == linked
    assert (p_value < 1e-4) == linked


def test_a_covariate_that_is_the_variable_itself_leaves_nothing():
    x = np.arange(10.0)
    assert np.isnan(partial_spearman(x, x**2, x[:, None]))


def test_p_values_are_uniform_when_nothing_is_there():
    rng = np.random.default_rng(3)
    p = [
        partial_spearman_p_value(
            partial_spearman(rng.normal(size=25), rng.normal(size=25), rng.normal(size=(25, 2))),
            n=25,
            n_covariates=2,
        )
        for _ in range(400)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert partial_spearman_p_value(1.0, n=10, n_covariates=0) == 0.0
    assert np.isnan(partial_spearman_p_value(0.5, n=4, n_covariates=2))


def test_holm_agrees_with_the_step_down_procedure():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    adjusted, rejected = holm(p)
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_array_equal(rejected, [True, False, False, True])
    with pytest.raises(ValueError, match="0 to 1"):
        holm(np.array([0.5, np.nan]))


def test_holm_keeps_the_family_wise_error_where_single_tests_do_not():
    p = np.random.default_rng(4).uniform(size=(2000, 20))
    family = np.mean([holm(row)[1].any() for row in p])
    single = np.mean((p <= 0.05).any(axis=1))
    # 2000 trials: the standard error of a proportion of 0.05 is 0.005.
    assert family < 0.065
    assert single > 0.5


def test_bootstrap_of_a_mean_covers_it_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        sample = rng.normal(size=30)
        counts = resampling_counts(30, 400, rng)
        interval = percentile_estimate(sample.mean(), counts @ sample / 30)
        hits += interval.low <= 0 <= interval.high
    # 95 % nominal; a percentile interval of 30 points is known to be a little short.
    assert 0.87 <= hits / 200 <= 0.99


def test_bootstrap_by_function_agrees_with_the_standard_error():
    x = np.random.default_rng(6).normal(size=100)
    interval = bootstrap(
        lambda draw: float(x[draw].mean()), 100, n_bootstrap=2000, rng=np.random.default_rng(0)
    )
    assert interval.value == x.mean()
    assert interval.half_width == pytest.approx(1.96 * x.std() / 10, rel=0.1)


def test_no_interval_is_made_from_a_remnant_of_replicates():
    replicates = np.full(100, np.nan)
    replicates[:30] = 1.0
    assert np.isnan(percentile_estimate(1.0, replicates).low)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.3, 0.9, "supported"),
        (-0.2, 0.1, "refuted"),
        (-0.9, -0.3, "refuted"),
        (0.1, 0.5, "undecided"),
        (np.nan, np.nan, "undecided"),
    ],
)
def test_a_verdict_follows_the_interval_in_either_direction(low, high, outcome):
    criterion = Criterion("x grows", "positive", minimum_effect=0.2)
    assert verdict(Estimate(0.5 * (low + high), low, high), criterion).outcome == outcome
    mirrored = Criterion("x falls", "negative", minimum_effect=0.2)
    assert verdict(Estimate(-0.5 * (low + high), -high, -low), mirrored).outcome == outcome


def test_a_criterion_with_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="direction"):
        Criterion("x", "positive", minimum_effect=-1.0)
