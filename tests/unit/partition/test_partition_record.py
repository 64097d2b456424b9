"""Integrals and bookkeeping of a partition."""

from itertools import product

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import (
    basins,
    fourier_laplacian,
    gaussian_promolecule,
    partition_field,
    spread_frame,
    voronoi_stencil,
)
from zeroflux.partition import record as record_module
from zeroflux.partition import shares as shares_module
from zeroflux.partition.attractors import image_distances
from zeroflux.partition.shares import compact_integer


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


def brute_force_surface_distances(partition):
    """Nearest facet among all images within three cells, with NumPy alone."""
    grid, frame = partition.grid, partition.frame
    images = np.array(list(product(range(-3, 4), repeat=3))) @ frame.cell
    points = grid.points()
    nearest = np.full(frame.n_atoms, np.inf)
    for offset in voronoi_stencil(grid.voxel_vectors).offsets:
        ahead = np.roll(partition.basin_index, -offset, axis=(0, 1, 2))
        middles = points + 0.5 * (offset @ grid.voxel_vectors)
        for atom in range(frame.n_atoms):
            mine = (partition.basin_index == atom) & (ahead != atom)
            vectors = middles[mine] - frame.positions[atom]
            for image in images:
                lengths = np.linalg.norm(vectors + image, axis=-1)
                nearest[atom] = min(nearest[atom], lengths.min(initial=np.inf))
    return nearest


@pytest.mark.parametrize(
    "cell",
    [
        np.diag([9.0, 10.0, 11.0]),
        np.diag([9.0, -10.0, 11.0]),
        np.array([[9.0, 0.0, 0.0], [15.0, 10.0, 0.0], [-14.0, 13.0, 11.0]]),
        np.array([[-14.0, 13.0, 11.0], [15.0, 10.0, 0.0], [9.0, 0.0, 0.0]]),
    ],
    ids=["orthogonal", "left-handed", "skewed", "skewed, left-handed"],
)
def test_surface_distances_are_those_of_a_search_over_all_images(cell):
    # atoms lie outside the cell and the grid's origin is not zero: vectors have to be wrapped
    frame = frame_of(np.array([[0.1, 0.2, 0.3], [1.6, 0.7, -0.2], [0.4, 2.3, 0.45]]) @ cell, cell)
    density, grid = gaussians(frame, (11, 12, 15), exponent=0.22, origin=(0.3, -0.7, 4.0))
    partition = partition_field(density, grid, frame)  # so coarse a grid has negative ripples
    expected = brute_force_surface_distances(partition)
    np.testing.assert_allclose(partition.surface_distance, expected, rtol=1e-13)
    assert np.isfinite(expected).all()


def test_surface_distances_need_the_reduced_cell_when_the_cell_is_skewed():
    """Control: the 27 images of the given, skewed cell miss the nearest facet."""
    cell = np.array([[9.0, 0.0, 0.0], [15.0, 10.0, 0.0], [-14.0, 13.0, 11.0]])
    vectors = np.random.default_rng(0).uniform(-1, 1, (200, 3)) @ cell
    wrapped = vectors - np.rint(vectors @ np.linalg.inv(cell)) @ cell
    shifts = np.array(list(product((-1, 0, 1), repeat=3))) @ cell
    naive = np.linalg.norm(wrapped[:, None] + shifts, axis=-1).min(axis=1)
    wide = np.array(list(product(range(-5, 6), repeat=3))) @ cell
    exact = np.linalg.norm(vectors[:, None] + wide, axis=-1).min(axis=1)
    np.testing.assert_allclose(image_distances(vectors, cell), exact, rtol=1e-13)
    assert (naive > exact + 0.1).any()


def test_an_atom_alone_has_no_surface():
    frame = frame_of([[2.0, 2.0, 2.0]], np.diag([6.0, 6.0, 6.0]))
    density, grid = gaussians(frame, (8, 8, 8))
    assert np.isinf(basins(density, grid, frame).surface_distance).all()


@pytest.mark.parametrize("shape", [(12, 10, 14), (11, 9, 13), (7, 8, 9), (1, 4, 5)])
def test_the_fourier_laplacian_is_that_of_one_transform_of_the_whole_field(shape):
    cell = np.array([[5.0, 0.3, 0.0], [0.1, 6.0, 0.4], [0.0, 0.2, -7.0]])
    grid = UniformGrid(cell, shape)
    values = np.random.default_rng(1).standard_normal(shape)
    waves = np.stack(np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in shape), indexing="ij"), -1)
    # at the highest wave of an even number of points the sign is free; the kernel takes the one
    # of `rfftfreq` along the last axis
    if shape[2] % 2 == 0:
        waves[:, :, shape[2] // 2, 2] *= -1.0
    squares = np.sum((2.0 * np.pi * waves @ np.linalg.inv(cell).T) ** 2, axis=-1)
    half = squares[:, :, : shape[2] // 2 + 1]
    expected = np.fft.irfftn(-half * np.fft.rfftn(values), s=shape, axes=(0, 1, 2))
    kept = values.copy()
    found = fourier_laplacian(values, grid)
    np.testing.assert_allclose(found, expected, atol=1e-12 * np.abs(expected).max())
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(values, kept)  # the field itself is not written to


def test_integrals_do_not_depend_on_how_a_field_is_stored(monkeypatch):
    partition = basins(DENSITY, GRID, FRAME)
    (expected,) = partition.integrate(DENSITY)
    monkeypatch.setattr(record_module, "SLAB_POINTS", 5000)  # several slabs and parts of the list
    swapped = DENSITY.astype(">f8")
    (slabbed,) = partition.integrate(swapped)
    np.testing.assert_allclose(slabbed, expected, rtol=1e-13)
    (other,) = partition.integrate(np.roll(swapped, 1, axis=2))
    assert np.abs(other - expected).max() > 1e-3


def test_shares_are_stored_in_small_integers():
    partition = basins(DENSITY, GRID, FRAME)
    assert partition.fractional_voxels.dtype == np.int32
    assert partition.fractional_owners.dtype == np.int16
    assert compact_integer(2**31 - 1) is np.int32
    assert compact_integer(2**31) is np.int64
    assert compact_integer(2**15, at_least=np.int16) is np.int32
