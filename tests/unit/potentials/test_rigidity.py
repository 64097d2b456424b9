"""Local prediction rigidity on cases with a known answer."""

import numpy as np
import pytest

from zeroflux.potentials.rigidity import local_prediction_rigidity, local_uncertainty


def test_an_atom_that_is_measured_alone_n_times_has_rigidity_n():
    atom = np.array([[1.0, 0.0]])
    training = np.array([[1.0, 0.0]] * 5 + [[0.0, 1.0]])
    rigidity = local_prediction_rigidity(atom, training, ridge=1e-12)
    assert rigidity == pytest.approx([5.0])
    assert local_uncertainty(rigidity, noise=2.0) == pytest.approx([2.0 / 5.0**0.5])


def test_totals_that_never_separate_two_kinds_of_atom_pin_neither():
    """Always one of each: the sum is known, the parts are held by the ridge alone."""
    training = np.tile([1.0, 1.0], (100, 1))
    parts = local_prediction_rigidity(np.eye(2), training, ridge=1e-6)
    both = local_prediction_rigidity(np.array([[1.0, 1.0]]), training, ridge=1e-6)
    assert (parts < 1e-4).all()
    assert both == pytest.approx([100.0], rel=1e-6)
    # control: one configuration with another composition pins both
    mixed = np.vstack([training, [[2.0, 1.0]]])
    assert (local_prediction_rigidity(np.eye(2), mixed, ridge=1e-6) > 0.3).all()


def test_rigidity_is_the_inverse_variance_of_the_prediction():
    """Refit many times with noisy totals: the spread of x·θ is σ/√LPR."""
    rng = np.random.default_rng(0)
    training = rng.normal(size=(40, 4))
    atoms = rng.normal(size=(3, 4))
    sigma = 0.1
    solve = np.linalg.pinv(training)
    draws = np.array([atoms @ (solve @ rng.normal(0.0, sigma, 40)) for _ in range(4000)])
    expected = local_uncertainty(
        local_prediction_rigidity(atoms, training, ridge=1e-12), noise=sigma
    )
    # the standard error of a standard deviation from 4000 draws is 1.1 %; four of them
    assert draws.std(axis=0) == pytest.approx(expected, rel=0.045)
