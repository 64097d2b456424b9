"""Derivatives of one local energy against finite differences."""

import jax
import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.potentials.energy import Model, prepared_inputs
from zeroflux.potentials.registry import sized_architecture
from zeroflux.potentials.sensitivity import local_gradient

CUTOFF, CELL = 8.0, 24.0  # bohr: no image comes within the cutoff, so each pair is one image
STEP = 1e-4


def frame(moved: int | None = None, along: int = 0, step: float = 0.0) -> Frame:
    positions = np.array(
        [[0, 0, 0], [5.5, 0, 0], [0, 6.0, 0], [5.0, 5.0, 4.0], [11, 0.5, 0], [0, 0, 12.0]], float
    )
    if moved is not None:
        positions[moved, along] += step
    return Frame(np.full(6, 18), positions, CELL * np.eye(3))


def model(name: str, **fixed) -> Model:
    architecture = sized_architecture(name, 300, cutoff=CUTOFF, n_species=1, **fixed)
    with jax.enable_x64(True):
        inputs = prepared_inputs(architecture, [frame()], [18])
        statistics = jax.tree.map(np.asarray, architecture.statistics(inputs))
        params = architecture.init(jax.random.key(0))
        params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype=np.float64) + 0.05, params)
    return Model(architecture, (18,), params, statistics, np.zeros(1), 0.01)


@pytest.mark.parametrize(
    ("name", "fixed"),
    [("bpnn", {}), ("painn", {"n_layers": 1}), ("painn", {"n_layers": 2})],
)
def test_gradient_by_each_neighbour_is_the_finite_difference(name, fixed):
    given = model(name, **fixed)
    distance, gradient = local_gradient(given, frame(), 0)
    moves = [(j, k) for j in range(1, 6) for k in range(3)]
    frames = [frame(j, k, sign * STEP) for j, k in moves for sign in (1.0, -1.0)]
    energy = np.array([each[0] for each in given.local_energies(frames)])
    expected = np.zeros((6, 3))
    expected[1:] = ((energy[::2] - energy[1::2]) / (2 * STEP)).reshape(5, 3)
    found = np.zeros((6, 3))
    exact = np.linalg.norm(frame().positions, axis=1)
    for r, slope in zip(distance, gradient, strict=True):
        found[np.argmin(np.abs(exact - r))] += slope
    scale = np.abs(expected).max()
    assert scale > 1e-6
    # the error of the difference quotient is of the order STEP², far below 1e-5 of the slope
    np.testing.assert_allclose(found, expected, atol=1e-5 * scale)
    # atoms beyond the cutoff matter to a model with messages in two layers only
    far = np.abs(found[4]).max() > 1e-9 * scale
    assert far == (fixed.get("n_layers") == 2)
