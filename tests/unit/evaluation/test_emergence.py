"""Size and transfer: planted effects are found, absent ones are not."""

import numpy as np
import pytest
from scipy import stats

from zeroflux.evaluation import size_regression, size_summaries, transfer_associations

SIZES = np.repeat([50, 500, 5_000, 50_000], 10)


def planted(slope: float, *, seed: int = 0, noise: float = 0.4) -> np.ndarray:
    """Errors that change by `slope` per decade, with the scatter of seeds."""
    rng = np.random.default_rng(seed)
    return 3.0 + slope * np.log10(SIZES) + noise * rng.normal(size=len(SIZES))


def test_summaries_are_means_with_student_intervals():
    error = planted(0.0)
    for summary, own in zip(size_summaries(SIZES, error), error.reshape(4, 10), strict=True):
        low, high = stats.t.interval(0.95, 9, own.mean(), stats.sem(own))
        assert summary.mean.value == pytest.approx(own.mean())
        assert (summary.mean.low, summary.mean.high) == pytest.approx((low, high))
        assert summary.standard_deviation == pytest.approx(own.std(ddof=1))
    (lone,) = size_summaries(np.array([7]), np.array([1.0]))
    assert np.isnan(lone.mean.low)


def test_the_regression_agrees_with_scipy():
    error = planted(0.2)
    regression = size_regression(SIZES, error, rng=np.random.default_rng(0))
    line = stats.linregress(np.log10(SIZES), error)
    assert regression.slope.value == pytest.approx(line.slope, rel=1e-10)
    assert regression.intercept == pytest.approx(line.intercept, rel=1e-10)
    assert regression.p_value == pytest.approx(line.pvalue, rel=1e-8)
    # The seeds' scatter is the same at every size, so both intervals estimate the same width.
    assert regression.slope.half_width == pytest.approx(1.96 * line.stderr, rel=0.25)


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_a_planted_effect_of_size_is_found_and_an_absent_one_is_not(slope):
    regression = size_regression(SIZES, planted(slope), rng=np.random.default_rng(0))
    assert (regression.slope.low > 0) == (slope > 0)
    assert (regression.p_value < 1e-3) == (slope > 0)


@pytest.mark.parametrize("given", [False, True])
def test_an_effect_of_size_through_a_covariate_vanishes_when_it_is_given(given):
    """Size lowers the total error, the total error alone sets the local error."""
    rng = np.random.default_rng(1)
    total = -0.5 * np.log10(SIZES) + rng.normal(size=len(SIZES))
    error = 2.0 * total + 0.1 * rng.normal(size=len(SIZES))
    regression = size_regression(
        SIZES, error, covariates=total[:, None] if given else None, rng=rng
    )
    assert (regression.slope.high < -0.3) == (not given)
    if given:
        assert regression.covariate_coefficients[0] == pytest.approx(2.0 * total.std(), rel=0.05)


def test_architectures_with_levels_of_their_own_do_not_fake_an_effect_of_size():
    """Simpson's case: the poor architecture has the larger networks."""
    size = np.concatenate([SIZES, SIZES * 100])
    groups = ["good"] * 40 + ["poor"] * 40
    error = np.concatenate([planted(0.0), planted(0.0, seed=2) + 2.0])
    pooled = size_regression(size, error, rng=np.random.default_rng(0))
    apart = size_regression(size, error, groups=groups, rng=np.random.default_rng(0))
    assert pooled.slope.low > 0.1
    assert apart.slope.low < 0 < apart.slope.high


def test_one_seed_per_size_gives_no_interval_and_says_how_few():
    regression = size_regression(
        np.array([10, 100, 1000, 10_000]), np.array([1.0, 2, 2.5, 4]), rng=np.random.default_rng(0)
    )
    assert np.isnan(regression.slope.low)
    assert regression.n_seeds_smallest_group == 1


def test_one_size_is_refused():
    with pytest.raises(ValueError, match="of 1 sizes"):
        size_regression(np.full(5, 10), np.arange(5.0), rng=np.random.default_rng(0))


@pytest.mark.parametrize("linked", [False, True])
def test_local_fidelity_is_linked_to_transfer_only_if_it_was_planted(linked):
    rng = np.random.default_rng(3)
    n = 80
    total = rng.normal(size=n)
    local = total + rng.normal(size=n)
    transfer = total + rng.normal(size=n) + (1.0 * (local - total) if linked else 0.0)
    (association,) = transfer_associations(
        local_error=local,
        transfer_error={"solid": transfer},
        covariates=total[:, None],
        n_bootstrap=300,
        rng=rng,
    )
    assert association.correlation.low > 0  # the common cause shows in the raw correlation
    assert (association.partial.low > 0) == linked
    assert (association.adjusted_p_value < 0.01) == linked


def test_p_values_are_adjusted_over_targets_and_groups_and_small_groups_are_left_open():
    rng = np.random.default_rng(4)
    names = ["small"] * 30 + ["large"] * 30 + ["few"] * 3
    local = rng.normal(size=63)
    found = transfer_associations(
        local_error=local,
        transfer_error={"a": local + 0.1 * rng.normal(size=63), "b": rng.normal(size=63)},
        covariates=np.column_stack([rng.normal(size=63), [10] * 30 + [99] * 30 + [5] * 3]),
        groups=names,
        n_bootstrap=100,
        rng=rng,
    )
    by_key = {(a.target, a.group): a for a in found}
    assert len(by_key) == 8
    assert np.isnan(by_key["a", "few"].p_value)
    assert by_key["a", "small"].adjusted_p_value < 1e-3
    assert by_key["b", "small"].adjusted_p_value > 0.05
    assert all(not a.adjusted_p_value < a.p_value for a in found)
