"""Gradients of a known form, binned by distance."""

import numpy as np
import pytest

from zeroflux.evaluation import receptive_field

EDGES = np.linspace(0.0, 10.0, 101)


def test_the_radius_holds_the_fraction_it_says():
    rng = np.random.default_rng(0)
    distance = rng.uniform(0, 10, size=200_000)
    direction = rng.normal(size=(200_000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    field = receptive_field(distance, np.exp(-distance)[:, None] * direction, EDGES)
    # ∫₀^r e^(−2x) dx = 0.9 at r = ln(10)/2, but for what lies beyond 10
    assert field.radius(0.9) == pytest.approx(0.5 * np.log(10), abs=0.02)
    assert field.radius(0.5) == pytest.approx(0.5 * np.log(2), abs=0.02)
    middle = 0.5 * (EDGES[1:] + EDGES[:-1])
    np.testing.assert_allclose(field.sensitivity[:50], np.exp(-middle[:50]), rtol=0.01)
    # control: a model that looks twice as far has twice the radius
    far = receptive_field(distance, np.exp(-distance / 2)[:, None] * direction, EDGES)
    assert far.radius(0.9) == pytest.approx(np.log(10), abs=0.05)


def test_empty_bins_have_no_sensitivity_and_no_share():
    field = receptive_field(np.array([2.05]), np.array([[0.0, 2.0, 0.0]]), EDGES)
    assert field.sensitivity[20] == pytest.approx(2.0)
    assert np.isnan(field.sensitivity[0])
    assert field.share.sum() == pytest.approx(1.0)
    assert 2.0 <= field.radius() <= 2.1
