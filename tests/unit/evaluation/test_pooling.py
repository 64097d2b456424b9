"""The random-effects mean covers what it claims to, also when groups disagree."""

import numpy as np
import pytest

from zeroflux.evaluation import Estimate, random_effects, standard_error_of


def test_groups_that_agree_give_the_weighted_mean():
    found = random_effects(np.array([1.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.4]))
    assert found.mean.value == pytest.approx(1.0)
    assert found.between_groups == 0.0
    # t(2) = 4.303 times the standard error of the weighted mean, 1/√(100 + 25 + 6.25)
    assert found.mean.half_width == pytest.approx(4.3027 / np.sqrt(131.25), rel=1e-3)


def coverage(method, *, between: float, n_groups: int = 5, n_trials: int = 600) -> float:
    rng = np.random.default_rng(1)
    n_hit = 0
    for _ in range(n_trials):
        error = rng.uniform(0.05, 0.2, size=n_groups)
        y = 0.7 + between * rng.normal(size=n_groups) + error * rng.normal(size=n_groups)
        low, high = method(y, error)
        n_hit += low <= 0.7 <= high
    return n_hit / n_trials


def by_random_effects(y, error):
    mean = random_effects(y, error).mean
    return mean.low, mean.high


def by_weights_alone(y, error):
    weight = error**-2
    mean, half = weight @ y / weight.sum(), 1.96 / np.sqrt(weight.sum())
    return mean - half, mean + half


@pytest.mark.parametrize("between", [0.0, 0.5])
def test_the_interval_covers_the_mean_of_groups_like_these(between):
    # 600 trials leave a standard error of 0.009; the interval errs on the long side by design
    assert coverage(by_random_effects, between=between) > 0.92


def test_control_an_interval_that_ignores_the_spread_between_groups_does_not():
    assert coverage(by_weights_alone, between=0.5) < 0.6


def test_the_spread_between_groups_is_found():
    rng = np.random.default_rng(2)
    error = np.full(400, 0.1)
    y = 1.0 + 0.3 * rng.normal(size=400) + error * rng.normal(size=400)
    # standard error of a standard deviation of √(0.3² + 0.1²) from 400 groups: about 0.012
    assert random_effects(y, error).between_groups == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize("y", [np.array([0.5]), np.array([0.5, np.nan])])
def test_one_group_gives_no_interval(y):
    found = random_effects(y, np.full(len(y), 0.1))
    assert found.n_groups == 1
    assert found.mean.value == 0.5
    assert np.isnan(found.mean.low)


def test_standard_error_is_that_of_a_normal_interval():
    assert standard_error_of(Estimate(0.0, -1.959964, 1.959964)) == pytest.approx(1.0, rel=1e-5)
