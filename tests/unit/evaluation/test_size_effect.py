"""Slopes cell by cell and the best size, on errors of known form."""

import numpy as np
import pytest

from zeroflux.evaluation import best_size, size_slopes

SIZES = np.repeat([60, 600, 6000, 60000], 10)


def test_each_cell_gets_its_own_slope():
    rng = np.random.default_rng(0)
    n = np.concatenate([SIZES, SIZES])
    cells = ["argon"] * 40 + ["krypton"] * 40
    slope = np.repeat([0.3, -0.2], 40)
    error = 2.0 + slope * np.log10(n) + 0.05 * rng.normal(size=80)
    found = size_slopes(n, error, cells, rng=rng)
    # standard error of a slope: 0.05/√(40 · 1.25) = 0.007
    assert found["argon"].slope.value == pytest.approx(0.3, abs=0.03)
    assert found["krypton"].slope.value == pytest.approx(-0.2, abs=0.03)
    assert found["argon"].slope.low > 0 > found["krypton"].slope.high


def test_a_covariate_that_explains_the_trend_takes_it_away():
    rng = np.random.default_rng(1)
    total = 1.0 - 0.2 * np.log10(SIZES) + 0.1 * rng.normal(size=40)
    error = 3.0 * total + 0.05 * rng.normal(size=40)
    cells = ["argon"] * 40
    given = size_slopes(SIZES, error, cells, covariates=total[:, None], rng=rng)["argon"].slope
    assert given.low < 0 < given.high
    assert abs(given.value) < 0.06
    # control: without the covariate the same numbers show a clear trend
    assert size_slopes(SIZES, error, cells, rng=rng)["argon"].slope.high < -0.4


def test_cells_without_a_choice_of_sizes_are_left_out():
    rng = np.random.default_rng(2)
    n = np.array([60, 60, 60, 60, 600])
    assert size_slopes(n, rng.normal(size=5), ["a", "a", "a", "b", "c"], rng=rng) == {}


def test_a_minimum_in_between_is_found_where_a_slope_sees_nothing():
    rng = np.random.default_rng(3)
    decade = np.log10(SIZES / 60.0)
    error = (
        1.0 + 0.3 * (decade - 1.5) ** 2 + 0.2 * (decade == 1.0) * -1 + 0.02 * rng.normal(size=40)
    )
    found = best_size(SIZES, error, rng=rng)
    assert found.best == 600
    assert found.is_inside
    assert found.chance[1] > 0.95
    assert sum(found.chance) == pytest.approx(1.0)
    slope = size_slopes(SIZES, error, ["a"] * 40, rng=rng)["a"].slope
    assert abs(slope.value) < 0.1  # the line does not see it


def test_control_equal_sizes_have_equal_chances():
    rng = np.random.default_rng(4)
    chances = [best_size(SIZES, rng.normal(size=40), rng=rng).chance for _ in range(40)]
    # each of four sizes wins a quarter of the time; 40 studies leave about 0.06
    np.testing.assert_allclose(np.mean(chances, axis=0), 0.25, atol=0.2)
    assert not best_size(SIZES, np.log10(SIZES) + 0.0, rng=rng).is_inside
