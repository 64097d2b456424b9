"""Symmetry functions against their defining sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import eval_legendre

from zeroflux.frames import Frame
from zeroflux.potentials.descriptors import (
    SymmetryFunctions,
    cutoff_function,
    gaussian_basis,
    spherical_harmonics,
)
from zeroflux.potentials.neighbors import Neighborhood, neighborhood


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def features(frame: Frame, functions: SymmetryFunctions) -> np.ndarray:
    rows = neighborhood(frame, [18, 36], functions.cutoff)
    return np.asarray(functions(Neighborhood(*map(jnp.asarray, rows))))


def test_the_cutoff_function_and_two_derivatives_vanish_at_the_cutoff():
    value = cutoff_function
    slope = jax.grad(value)
    curvature = jax.grad(slope)
    assert float(value(jnp.array(0.0), 5.0)) == 1.0
    for function in (value, slope, curvature):
        assert abs(float(function(jnp.array(5.0 - 1e-9), 5.0))) < 1e-8
        assert float(function(jnp.array(5.1), 5.0)) == 0.0
    # control: the cosine of Behler and Parrinello has a curvature that jumps
    cosine = lambda r: 0.5 * (jnp.cos(jnp.pi * r / 5.0) + 1.0)  # noqa: E731
    assert abs(float(jax.grad(jax.grad(cosine))(5.0 - 1e-9))) > 0.1


def test_harmonics_obey_the_addition_theorem():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1, 1, 3))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    pairs = zip(
        spherical_harmonics(jnp.asarray(a), 3), spherical_harmonics(jnp.asarray(b), 3), strict=True
    )
    for order, (at_a, at_b) in enumerate(pairs, start=1):
        expected = eval_legendre(order, (a * b).sum())
        assert float((at_a * at_b).sum()) == pytest.approx(expected, abs=1e-13)


def test_symmetry_functions_equal_their_sums_over_neighbours():
    rng = np.random.default_rng(1)
    frame = Frame(np.array([18, 36, 18, 36]), rng.uniform(0, 8, (4, 3)), 40.0 * np.eye(3))
    functions = SymmetryFunctions(9.0, 2, n_radial=3, n_angular=2, l_max=3, inner=3.0)
    found = features(frame, functions)[0]
    vectors = frame.positions[1:] - frame.positions[0]
    lengths = np.linalg.norm(vectors, axis=1)
    index = np.array([1, 0, 1])  # elements of atoms 1 to 3

    radial = np.asarray(gaussian_basis(jnp.asarray(lengths), 9.0, 3, 3.0))
    expected = [radial[index == s].sum(axis=0) for s in (0, 1)]
    channel = np.asarray(gaussian_basis(jnp.asarray(lengths), 9.0, 2, 3.0))
    cosines = (vectors @ vectors.T) / np.outer(lengths, lengths)
    for order in (1, 2, 3):
        legendre = eval_legendre(order, cosines)
        for s, t in ((0, 0), (0, 1), (1, 1)):
            block = np.outer(index == s, index == t) * legendre
            expected.append(np.einsum("jn,kn,jk->n", channel, channel, block))
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-13)
    assert len(found) == functions.n_features


def test_gaussians_peak_at_their_centres():
    """Centres 3, 5 and 7 for three functions between 3 and a cutoff at 9."""
    r = jnp.linspace(1.0, 8.0, 701)
    bare = gaussian_basis(r, 9.0, 3, 3.0) / cutoff_function(r, 9.0)[:, None]
    np.testing.assert_allclose(np.asarray(r)[np.asarray(bare).argmax(axis=0)], [3, 5, 7])


@pytest.mark.parametrize(
    ("change", "message"), [({"inner": 9.5}, "0 < inner < cutoff"), ({"l_max": 4}, "1, 2 or 3")]
)
def test_settings_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SymmetryFunctions(cutoff=9.0, n_species=1, **change)
