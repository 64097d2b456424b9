"""Integrals and bookkeeping of a partition."""

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import basins, fourier_laplacian, gaussian_promolecule, spread_frame
from zeroflux.partition import shares as shares_module


def frame_of(positions, cell):
    positions = np.asarray(positions, dtype=float)
    return Frame(np.full(len(positions), 18), positions, np.asarray(cell, dtype=float))


def gaussians(frame, shape, *, exponent=0.5, electrons=1.0, origin=(0.0, 0.0, 0.0)):
    """One Gaussian per atom, on a grid; exponents and electrons may differ between atoms."""
    grid = UniformGrid(frame.cell, shape, np.asarray(origin, dtype=float))
    exponents = np.broadcast_to(exponent, frame.n_atoms).tolist()
    charges = np.broadcast_to(electrons, frame.n_atoms).tolist()
    terms = [((q, a),) for q, a in zip(charges, exponents, strict=True)]
    return gaussian_promolecule(frame, grid, terms), grid


FRAME = spread_frame(6, 12.0, seed=0)
DENSITY, GRID = gaussians(FRAME, (40, 36, 44), exponent=0.4)


@pytest.mark.parametrize("method", ["weight", "neargrid", "ongrid"])
def test_integrals_over_all_atoms_add_up_to_the_grid_total(method):
    partition = basins(DENSITY, GRID, FRAME, method=method)
    fields = [DENSITY, DENSITY**2, np.sin(np.arange(GRID.n_points)).reshape(GRID.shape)]
    integrals = partition.integrate(*fields)
    totals = [f.sum() * GRID.voxel_volume for f in fields]
    np.testing.assert_allclose(integrals.sum(axis=1), totals, rtol=1e-12, atol=1e-12)
    assert partition.volume.sum() == pytest.approx(GRID.volume, rel=1e-13)


def test_weights_are_shares_of_one_and_give_the_same_integrals():
    partition = basins(DENSITY, GRID, FRAME)
    weights = np.array([partition.weights(a) for a in range(FRAME.n_atoms)])
    assert weights.min() >= 0.0
    np.testing.assert_allclose(weights.sum(axis=0), 1.0, rtol=1e-13)
    np.testing.assert_allclose(
        (weights * DENSITY).sum(axis=(1, 2, 3)) * GRID.voxel_volume,
        partition.population,
        rtol=1e-12,
    )
    assert (weights.argmax(axis=0) == partition.basin_index).mean() > 0.999  # but for ties


def test_weights_obey_the_flux_equation_at_every_voxel():
    """Direct solution of w_i = Σ J_ij w_j / Σ J_ij in order of density, as the paper has it."""
    partition = basins(DENSITY, GRID, FRAME, weight_cutoff=0.0)
    shape = np.array(GRID.shape)
    rises = [
        np.maximum(0.0, np.roll(DENSITY, s, axis=a) - DENSITY) / GRID.spacing[a] ** 2
        for a in range(3)
        for s in (1, -1)
    ]
    total = np.sum(rises, axis=0)
    for atom in range(FRAME.n_atoms):
        w = partition.weights(atom)
        ahead = [np.roll(w, s, axis=a) for a in range(3) for s in (1, -1)]
        mixed = np.sum([r * x for r, x in zip(rises, ahead, strict=True)], axis=0)
        inner = total > 0.0
        assert inner.sum() == shape.prod() - len(partition.attractors.voxels)
        np.testing.assert_allclose(w[inner], mixed[inner] / total[inner], atol=1e-12)


def test_the_weight_cutoff_changes_volumes_by_less_than_it_says():
    exact = basins(DENSITY, GRID, FRAME, weight_cutoff=0.0)
    cut = basins(DENSITY, GRID, FRAME)
    assert cut.n_fractional < exact.n_fractional
    # a part of 1e-6 of the shared points' volume at most, and both neighbours lose alike
    np.testing.assert_allclose(cut.volume, exact.volume, rtol=1e-6)


@pytest.mark.parametrize("n_threads", [2, 3, 5])
def test_threads_do_not_change_the_result(n_threads):
    one = basins(DENSITY, GRID, FRAME, n_threads=1)
    many = basins(DENSITY, GRID, FRAME, n_threads=n_threads)
    np.testing.assert_array_equal(many.basin_index, one.basin_index)
    order_one, order_many = np.argsort(one.fractional_voxels), np.argsort(many.fractional_voxels)
    np.testing.assert_array_equal(
        many.fractional_voxels[order_many], one.fractional_voxels[order_one]
    )
    np.testing.assert_allclose(many.population, one.population, rtol=1e-13)


def test_running_out_of_room_for_weights_changes_nothing(monkeypatch):
    plenty = basins(DENSITY, GRID, FRAME, n_threads=2)
    monkeypatch.setattr(shares_module, "ENTRIES_PER_VOXEL", 0)
    scarce = basins(DENSITY, GRID, FRAME, n_threads=2)
    np.testing.assert_allclose(scarce.population, plenty.population, rtol=1e-13)
    assert scarce.n_fractional == plenty.n_fractional


def test_the_fourier_laplacian_is_exact_for_a_plane_wave():
    cell = np.array([[5.0, 0.3, 0.0], [0.1, 6.0, 0.4], [0.0, 0.2, -7.0]])
    frame = frame_of([[0.0, 0.0, 0.0]], cell)
    _, grid = gaussians(frame, (12, 10, 14))
    wave = 2.0 * np.pi * np.linalg.inv(cell) @ np.array([1, -2, 3])
    values = np.cos(grid.points() @ wave)
    np.testing.assert_allclose(fourier_laplacian(values, grid), -(wave @ wave) * values, atol=1e-10)


def test_surface_and_attractor_distances_of_two_atoms():
    frame = frame_of([[2.6, 4.0, 4.1], [7.6, 4.0, 4.1]], np.diag([10.0, 12.0, 12.0]))
    density, grid = gaussians(frame, (60, 60, 60))
    partition = basins(density, grid, frame)
    # surfaces are mid-planes 2.5 bohr away; a facet between points is located to half a step
    np.testing.assert_allclose(partition.surface_distance, 2.5, atol=0.6 * grid.spacing[0])
    assert partition.attractor_distance.max() < 0.02
