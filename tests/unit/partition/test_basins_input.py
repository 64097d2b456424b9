"""What `basins` accepts and refuses."""

import warnings

import numpy as np
import pytest
from numpy.typing import ArrayLike

from zeroflux.errors import PartitionError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import basins, gaussian_promolecule, partition_field


def frame_of(positions, cell):
    positions = np.asarray(positions, dtype=float)
    return Frame(np.full(len(positions), 18), positions, np.asarray(cell, dtype=float))


def gaussians(
    frame, shape, *, exponent: ArrayLike = 0.5, electrons: ArrayLike = 1.0, origin=(0.0, 0.0, 0.0)
):
    """One Gaussian per atom, on a grid; exponents and electrons may differ between atoms."""
    grid = UniformGrid(frame.cell, shape, np.asarray(origin, dtype=float))
    exponents = np.broadcast_to(exponent, frame.n_atoms).tolist()
    charges = np.broadcast_to(electrons, frame.n_atoms).tolist()
    terms = [((q, a),) for q, a in zip(charges, exponents, strict=True)]
    return gaussian_promolecule(frame, grid, terms), grid


CELL = np.diag([10.0, 8.0, 8.0])
FRAME = frame_of([[2.5, 4.0, 4.0], [7.5, 4.0, 4.0]], CELL)
DENSITY, GRID = gaussians(FRAME, (30, 24, 24))


def test_a_value_that_is_not_finite_is_refused_with_its_count():
    density = DENSITY.copy()
    density[3, 4, 5] = np.nan
    density[0, 0, 0] = np.inf
    with pytest.raises(PartitionError, match="2 of 17280 values"):
        basins(density, GRID, FRAME)


def test_a_negative_density_is_refused_and_a_ripple_is_reported():
    with pytest.raises(PartitionError, match="negative"):
        basins(-DENSITY, GRID, FRAME)
    ripple = DENSITY.copy()
    # 5e-5 of the electrons at a point far from both nuclei
    ripple[0, 0, 0] = -5e-5 * DENSITY.sum()
    with pytest.warns(RepairWarning, match="negative"):
        basins(ripple, GRID, FRAME)


def test_shapes_and_cells_must_match():
    with pytest.raises(ValueError, match="expected the grid's"):
        basins(DENSITY[1:], GRID, FRAME)
    with pytest.raises(ValueError, match="expected the grid's"):
        basins(DENSITY, GRID, FRAME, reference=DENSITY[:, 1:])
    other = frame_of(FRAME.positions, 1.01 * CELL)
    with pytest.raises(ValueError, match="cells of atoms and grid differ"):
        basins(DENSITY, GRID, other)
    with pytest.raises(ValueError, match="expected the grid's"):
        basins(DENSITY, GRID, FRAME).integrate(DENSITY[:, :, 2:])


def test_an_atom_without_a_maximum_is_refused_unless_allowed():
    third = frame_of([*FRAME.positions, [2.5, 4.0, 0.5]], CELL)
    with pytest.raises(PartitionError, match="1 of 3 nuclei have no maximum"):
        basins(DENSITY, GRID, third)
    partition = basins(DENSITY, GRID, third, allow_empty=True)
    assert partition.population[2] == 0.0
    assert partition.population.sum() == pytest.approx(2.0, rel=1e-12)


def test_a_non_nuclear_maximum_is_counted_and_announced():
    extra = frame_of([*FRAME.positions, [5.0, 0.0, 1.0]], CELL)
    density, _ = gaussians(extra, GRID.shape, electrons=[1.0, 1.0, 0.2])
    with pytest.warns(RepairWarning, match="1 of 3 maxima are not at a nucleus"):
        partition = basins(density, GRID, FRAME)
    assert partition.attractors.n_non_nuclear == 1
    assert partition.population.sum() == pytest.approx(2.2, rel=1e-12)


@pytest.mark.parametrize(("option", "value"), [("n_threads", 0), ("weight_cutoff", 0.5)])
def test_options_without_meaning_are_refused(option, value):
    with pytest.raises(ValueError, match="expected"):
        basins(DENSITY, GRID, FRAME, **{option: value})


@pytest.mark.parametrize(
    "form",
    [
        lambda a, path: a.astype(np.float32),
        lambda a, path: np.asfortranarray(a),
        lambda a, path: a.astype(">f8"),
        lambda a, path: _mapped(a, path),
    ],
    ids=["float32", "fortran", "big-endian", "memory-mapped"],
)
def test_fields_of_any_layout_give_the_same_integrals(form, tmp_path):
    partition = basins(DENSITY, GRID, FRAME)
    given = form(DENSITY, tmp_path / "field.npy")
    # single precision carries 6e-8 per value
    np.testing.assert_allclose(
        partition.integrate(given)[0], partition.population, rtol=1e-7 if given.itemsize == 4 else 0
    )
    again = basins(given, GRID, FRAME)
    np.testing.assert_allclose(again.population, partition.population, rtol=1e-6)


def _mapped(array, path):
    np.save(path, array)
    return np.load(path, mmap_mode="r")


def test_ase_atoms_are_accepted():
    partition = basins(DENSITY, GRID, FRAME.to_ase())
    np.testing.assert_allclose(partition.population, 1.0, rtol=1e-12)


def test_the_origin_of_the_grid_shifts_the_points():
    density, grid = gaussians(FRAME, GRID.shape, origin=(1.0, -2.0, 0.7))
    partition = basins(density, grid, FRAME)
    # parabola through values a third of a bohr apart: a few hundredths of a step are its error
    assert partition.attractor_distance.max() < 0.03
    wrong = UniformGrid(CELL, GRID.shape)
    with pytest.warns(RepairWarning, match="not at a nucleus"):
        assert basins(density, wrong, FRAME).attractor_distance.min() > 1.0


def test_a_field_of_both_signs_can_be_partitioned_but_has_no_population():
    partition = partition_field(DENSITY - DENSITY.mean(), GRID, FRAME)
    np.testing.assert_allclose(partition.integrate(DENSITY)[0], 1.0, rtol=1e-12)
    with pytest.raises(ValueError, match="no electron density"):
        _ = partition.population


@pytest.mark.parametrize(("height", "is_said"), [(1e-14, False), (1e-10, True)])
def test_maxima_of_rounding_in_a_vacuum_are_not_spoken_of(height, is_said):
    frame = Frame(
        atomic_numbers=np.array([18]), positions=np.full((1, 3), 4.0), cell=np.eye(3) * 24.0
    )
    grid = UniformGrid(cell=frame.cell, shape=(48, 48, 48))
    r = np.linalg.norm(grid.points() - 4.0, axis=-1)
    density = 2.0 * np.exp(-1.2 * r**2) + 1e-30 * np.exp(-r)
    density[40, 40, 40] += height
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = basins(density, grid, frame)
    assert any("not at a nucleus" in str(w.message) for w in caught) == is_said
    assert found.attractors.n_non_nuclear == 1  # it is in the list all the same
