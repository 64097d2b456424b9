"""Autocorrelation times of series whose memory is known."""

import numpy as np
import pytest

from zeroflux.sampling.decorrelate import (
    autocorrelation_function,
    decorrelation_stride,
    detect_equilibration,
    statistical_inefficiency,
)


def autoregressive(phi: float, n_steps: int, seed: int = 0) -> np.ndarray:
    """x_{t+1} = φ x_t + noise, stationary: C(t) = φᵗ, so g = (1 + φ)/(1 − φ)."""
    noise = np.random.default_rng(seed).normal(size=n_steps)
    series = np.empty(n_steps)
    series[0] = noise[0] / np.sqrt(1 - phi**2)
    for t in range(1, n_steps):
        series[t] = phi * series[t - 1] + noise[t]
    return series


@pytest.mark.parametrize("phi", [0.5, 0.8, 0.95])
def test_inefficiency_of_an_autoregressive_series_is_its_exact_value(phi):
    n_steps = 200_000
    exact = (1 + phi) / (1 - phi)
    found = statistical_inefficiency(autoregressive(phi, n_steps))
    # Standard error of Sokal's estimator: g √(2 (2 W + 1)/N) with W = 3 g; four of them.
    tolerance = 4 * exact * np.sqrt(2 * (6 * exact + 1) / n_steps)
    assert found == pytest.approx(exact, abs=tolerance)
    assert statistical_inefficiency(autoregressive(phi - 0.2, n_steps)) < exact - tolerance


def test_white_noise_has_inefficiency_one_and_a_constant_too():
    noise = np.random.default_rng(1).normal(size=50_000)
    assert statistical_inefficiency(noise) == pytest.approx(1.0, abs=0.05)
    assert statistical_inefficiency(np.full(100, 3.7)) == 1.0


def test_autocorrelation_function_agrees_with_its_definition():
    series = autoregressive(0.7, 40, seed=2)
    centred = series - series.mean()
    direct = np.array([np.mean(centred[: 40 - t] * centred[t:]) for t in range(40)])
    np.testing.assert_allclose(autocorrelation_function(series), direct / direct[0], atol=1e-12)


def test_equivalent_series_are_averaged():
    rows = np.stack([autoregressive(0.8, 20_000, seed=s) for s in range(8)])
    exact = 9.0
    tolerance = 4 * exact * np.sqrt(2 * (6 * exact + 1) / rows.size)
    assert statistical_inefficiency(rows) == pytest.approx(exact, abs=tolerance)


def test_equilibration_is_found_after_a_decay_and_not_without_one():
    stationary = autoregressive(0.5, 4000)
    decaying = stationary + 30 * np.exp(-np.arange(4000) / 150)
    found = detect_equilibration(decaying)
    # The decay is below the noise (1.15) after 150 ln(30/1.15) = 490 steps; candidates are 190
    # steps apart.
    assert 300 <= found.start <= 1300
    assert detect_equilibration(stationary).start < 800
    assert found.n_effective > detect_equilibration(decaying, n_candidates=1).n_effective * 3


def test_stride_leaves_two_percent_of_correlation():
    assert decorrelation_stride(10.0) == 20
    assert decorrelation_stride(0.3) == 1
